/* lmdb_rival.c: LMDB: a tree of index -> entry; each group is one transaction. */
#include "rival.h"

#include <lmdb.h>
#include <string.h>

#define WORD(x) #x
#define TEXT(x) WORD(x)
#define MAP_BYTES ((size_t)64 << 30) /* address space; the file takes what is written */

static struct {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi tree;
    uint32_t entry_bytes;
    uint64_t last;
} l;

static void check(int error, const char *what)
{
    if (error != 0) rival_refuse(what, mdb_strerror(error));
}

static void open_rival(const struct rival_load *load)
{
    const unsigned mapped = strcmp(load->variant, "writemap") == 0 ? MDB_WRITEMAP : 0;
    l.entry_bytes = load->entry_bytes;
    check(mdb_env_create(&l.env), "mdb_env_create");
    check(mdb_env_set_mapsize(l.env, MAP_BYTES), "mdb_env_set_mapsize");
    check(mdb_env_open(l.env, load->dir, mapped, 0600), "mdb_env_open");
    check(mdb_txn_begin(l.env, NULL, 0, &l.txn), "mdb_txn_begin");
    check(mdb_dbi_open(l.txn, NULL, MDB_INTEGERKEY | MDB_CREATE, &l.tree), "mdb_dbi_open");
    check(mdb_txn_commit(l.txn), "mdb_txn_commit");
    l.txn = NULL;
}

static bool submit(uint64_t first, uint32_t count)
{
    if (l.txn == NULL) check(mdb_txn_begin(l.env, NULL, 0, &l.txn), "mdb_txn_begin");
    for (uint64_t index = first; index < first + count; index++) {
        MDB_val key = {.mv_size = sizeof(index), .mv_data = &index};
        MDB_val value = {.mv_size = l.entry_bytes, .mv_data = (void *)(uintptr_t)rival_payload(index)};
        check(mdb_put(l.txn, l.tree, &key, &value, MDB_APPEND), "mdb_put");
    }
    l.last = first + count - 1;
    return true;
}

static uint64_t commit(void)
{
    check(mdb_txn_commit(l.txn), "mdb_txn_commit");
    l.txn = NULL;
    return l.last;
}

static void close_rival(void) { mdb_env_close(l.env); }

int main(int argc, char **argv)
{
    static const char advice[] = "lmdb.h: MDB_APPEND for keys known to be in order; all flags that give up durability "
                                 "are left out";
    static const struct rival_variant variants[] = {
        {"default", "MDB_INTEGERKEY, MDB_APPEND, one transaction for each group, synchronous", advice},
        {"writemap", "MDB_WRITEMAP, MDB_INTEGERKEY, MDB_APPEND, one transaction for each group, synchronous",
         "lmdb.h: MDB_WRITEMAP is faster and uses fewer mallocs"},
        {0}};
    static const struct rival rival = {
        .name = "lmdb",
        .version = TEXT(MDB_VERSION_MAJOR) "." TEXT(MDB_VERSION_MINOR) "." TEXT(MDB_VERSION_PATCH),
        .variants = variants, .open = open_rival, .submit = submit, .wait = commit, .close = close_rival};
    return rival_main(argc, argv, &rival);
}
