/* wiredtiger_rival.c: WiredTiger's log: each group is one transaction on a logged table, synced at its commit. */
#include "rival.h"

#include <wiredtiger.h>

#define WORD(x) #x
#define TEXT(x) WORD(x)

static struct {
    WT_CONNECTION *connection;
    WT_SESSION *session;
    WT_CURSOR *cursor;
    uint32_t entry_bytes;
    bool is_begun;
    uint64_t last;
} w;

static void check(int error, const char *what)
{
    if (error != 0) rival_refuse(what, wiredtiger_strerror(error));
}

static void open_rival(const struct rival_load *load)
{
    w.entry_bytes = load->entry_bytes;
    check(wiredtiger_open(load->dir, NULL,
                          "create,cache_size=2GB,log=(enabled=true,file_max=256MB,prealloc=true),"
                          "transaction_sync=(enabled=true,method=fsync)", &w.connection), "wiredtiger_open");
    check(w.connection->open_session(w.connection, NULL, NULL, &w.session), "open_session");
    check(w.session->create(w.session, "table:log", "key_format=r,value_format=u"), "create");
    check(w.session->open_cursor(w.session, "table:log", NULL, "append", &w.cursor), "open_cursor");
}

static bool submit(uint64_t first, uint32_t count)
{
    if (!w.is_begun) check(w.session->begin_transaction(w.session, NULL), "begin_transaction");
    w.is_begun = true;
    for (uint64_t index = first; index < first + count; index++) {
        const WT_ITEM item = {.data = rival_payload(index), .size = w.entry_bytes};
        w.cursor->set_value(w.cursor, &item);
        check(w.cursor->insert(w.cursor), "insert");
    }
    w.last = first + count - 1;
    return true;
}

static uint64_t commit(void)
{
    check(w.session->commit_transaction(w.session, "sync=on"), "commit_transaction");
    w.is_begun = false;
    return w.last;
}

static void close_rival(void) { check(w.connection->close(w.connection, NULL), "close"); }

int main(int argc, char **argv)
{
    static const struct rival_variant variants[] = {
        {"default", "log=(enabled,file_max=256MB,prealloc), transaction_sync=(enabled,method=fsync), cache 2 GB, "
         "one transaction for each group, sync=on",
         "WiredTiger 3.2 manual, Commit-level durability: transaction_sync; Tuning: group commit, log preallocation"},
        {0}};
    static const struct rival rival = {
        .name = "wiredtiger",
        .version = TEXT(WIREDTIGER_VERSION_MAJOR) "." TEXT(WIREDTIGER_VERSION_MINOR) "."
                   TEXT(WIREDTIGER_VERSION_PATCH),
        .variants = variants, .open = open_rival, .submit = submit, .wait = commit, .close = close_rival};
    return rival_main(argc, argv, &rival);
}
