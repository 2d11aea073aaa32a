/* rocksdb_rival.c: RocksDB's write-ahead log: each group is one WriteBatch, written with sync. rocksdb_wal.cc is the
 * same library under many threads. */
#include "rival.h"

#include <rocksdb/c.h>

#define MEMTABLE_BYTES ((size_t)1 << 30) /* no memtable is written out while the clock runs */

static struct {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_writeoptions_t *how;
    rocksdb_writebatch_t *batch;
    uint32_t entry_bytes;
    uint64_t last;
} r;

static void open_rival(const struct rival_load *load)
{
    char *error = NULL;
    r.entry_bytes = load->entry_bytes;
    r.options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(r.options, 1);
    rocksdb_options_set_compression(r.options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(r.options, MEMTABLE_BYTES);
    rocksdb_options_set_max_write_buffer_number(r.options, 4);
    rocksdb_options_set_memtable_vector_rep(r.options); /* sorts nothing */
    rocksdb_options_set_allow_concurrent_memtable_write(r.options, 0); /* the vector cannot */
    rocksdb_options_set_recycle_log_file_num(r.options, 4);
    rocksdb_options_set_disable_auto_compactions(r.options, 1);
    rocksdb_options_set_stats_dump_period_sec(r.options, 0);
    r.db = rocksdb_open(r.options, load->dir, &error);
    if (error != NULL) rival_refuse("rocksdb_open", error);
    r.how = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(r.how, 1);
    r.batch = rocksdb_writebatch_create();
}

static bool submit(uint64_t first, uint32_t count)
{
    for (uint64_t index = first; index < first + count; index++) {
        const uint64_t key = __builtin_bswap64(index); /* keys are ordered by their bytes */
        rocksdb_writebatch_put(r.batch, (const char *)&key, sizeof(key), rival_payload(index), r.entry_bytes);
    }
    r.last = first + count - 1;
    return true;
}

static uint64_t commit(void)
{
    char *error = NULL;
    rocksdb_write(r.db, r.how, r.batch, &error);
    if (error != NULL) rival_refuse("rocksdb_write", error);
    rocksdb_writebatch_clear(r.batch);
    return r.last;
}

static void close_rival(void)
{
    rocksdb_writebatch_destroy(r.batch);
    rocksdb_writeoptions_destroy(r.how);
    rocksdb_close(r.db);
    rocksdb_options_destroy(r.options);
}

int main(int argc, char **argv)
{
    static const struct rival_variant variants[] = {
        {"default", "WriteBatch with sync, recycle_log_file_num 4, a vector as memtable, write_buffer_size 1 GiB, no "
         "compression, no compaction",
         "RocksDB wiki, WAL Performance: group commit, recycle_log_file_num; MemTable: vector for bulk loads"},
        {0}};
    static const struct rival rival = {
        .name = "rocksdb", .version = ROCKSDB_VERSION, /* of pkg-config: its C header has none */
        .variants = variants, .open = open_rival, .submit = submit, .wait = commit, .close = close_rival};
    return rival_main(argc, argv, &rival);
}
