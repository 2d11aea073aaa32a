/* leveldb_rival.c: LevelDB: each group is one WriteBatch, written with sync. */
#include "rival.h"

#include <leveldb/c.h>
#include <stdio.h>

#define MEMTABLE_BYTES ((size_t)1 << 30) /* no memtable is written out while the clock runs */

static struct {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_writeoptions_t *how;
    leveldb_writebatch_t *batch;
    uint32_t entry_bytes;
    uint64_t last;
} l;

static void open_rival(const struct rival_load *load)
{
    char *error = NULL;
    l.entry_bytes = load->entry_bytes;
    l.options = leveldb_options_create();
    leveldb_options_set_create_if_missing(l.options, 1);
    leveldb_options_set_compression(l.options, leveldb_no_compression);
    leveldb_options_set_write_buffer_size(l.options, MEMTABLE_BYTES);
    l.db = leveldb_open(l.options, load->dir, &error);
    if (error != NULL) rival_refuse("leveldb_open", error);
    l.how = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(l.how, 1);
    l.batch = leveldb_writebatch_create();
}

static bool submit(uint64_t first, uint32_t count)
{
    for (uint64_t index = first; index < first + count; index++) {
        const uint64_t key = __builtin_bswap64(index); /* keys are ordered by their bytes */
        leveldb_writebatch_put(l.batch, (const char *)&key, sizeof(key), rival_payload(index), l.entry_bytes);
    }
    l.last = first + count - 1;
    return true;
}

static uint64_t commit(void)
{
    char *error = NULL;
    leveldb_write(l.db, l.how, l.batch, &error);
    if (error != NULL) rival_refuse("leveldb_write", error);
    leveldb_writebatch_clear(l.batch);
    return l.last;
}

static void close_rival(void)
{
    leveldb_writebatch_destroy(l.batch);
    leveldb_writeoptions_destroy(l.how);
    leveldb_close(l.db);
    leveldb_options_destroy(l.options);
}

int main(int argc, char **argv)
{
    static const struct rival_variant variants[] = {
        {"default", "WriteBatch with sync, no compression, write_buffer_size 1 GiB",
         "LevelDB doc/index.md, Synchronous Writes: put several updates in one WriteBatch and sync that"},
        {0}};
    static char version[32];
    static const struct rival rival = {.name = "leveldb", .version = version, .variants = variants,
                                       .open = open_rival, .submit = submit, .wait = commit, .close = close_rival};
    snprintf(version, sizeof(version), "%d.%d", leveldb_major_version(), leveldb_minor_version());
    return rival_main(argc, argv, &rival);
}
