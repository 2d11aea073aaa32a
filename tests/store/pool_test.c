/* pool_test.c: the supply of segments as a store uses it: spares, recycling, files that somebody else holds. */
#include "store/faulty_disk.h"
#include "store/rig.h"
#include "store/store.h"

#include "teak/memory.h"

static struct teak_report report;

static uint64_t stat_of(struct teak_store *store, size_t offset)
{
    struct teak_stats stats;
    teak_stats(store, &stats);
    uint64_t value;
    memcpy(&value, (const char *)&stats + offset, sizeof value);
    return value;
}
#define STAT(store, field) stat_of(store, offsetof(struct teak_stats, field))

/* A log that is compacted behind the writer, over many segments. */
static uint64_t steady(struct teak_store *store, uint64_t first, uint64_t count)
{
    for (uint64_t index = first; index < first + count; index++) {
        rig_append_synced(store, 7, index, index, 1, 4000);
        if (index % 8 == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 4});
    }
    rig_drain(store);
    return first + count;
}

static bool has_spare(struct teak_store *store, void *context)
{
    (void)context;
    return STAT(store, spares) >= 1;
}

static bool has_few_segments(struct teak_store *store, void *context)
{
    (void)context;
    return STAT(store, segments) <= 6;
}

/* How many are made meanwhile depends on who is faster: that is told by sim/recycle_test. */
static void steady_state_recycles(void **state)
{
    (void)state;
    const struct rig rig = rig_make("steady");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    const uint64_t next = steady(store, 1, 400);
    assert_true(STAT(store, recycled) >= 10);
    assert_true(STAT(store, forgotten) >= 10);
    rig_drive_until(store, has_few_segments, NULL);
    rig_close(store);
    store = rig_open(&rig, &report);
    rig_expect_entries(store, 7, rig_log(store, 7).first, next - 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 16. */
static void every_moment_of_recycling_can_be_opened(void **state)
{
    (void)state;
    const struct rig rig = rig_make("moments"), copy = rig_make("momentscopy");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    uint64_t index = 1;
    for (uint32_t moment = 0; moment < 150; moment++) {
        rig_append(store, 7, index, index, 1, 4000);
        index++;
        if (index > 6) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 6});
        struct teak_completion done[8];
        struct teak_error error = {0};
        uint32_t count;
        for (uint32_t polls = 0; polls < 2; polls++) rig_ok(teak_poll(store, 300000, done, 8, &count, &error), &error);
        const struct teak_log log = rig_log(store, 7);
        rig_copy(&rig, &copy);
        struct teak_store *other = rig_open(&copy, &report);
        const struct teak_log found = rig_log(other, 7);
        assert_true(found.last.index >= log.durable.index);
        if (found.last.index >= found.first) rig_expect_entries(other, 7, found.first, found.last.index);
        rig_append_synced(other, 7, found.last.index + 1, found.last.index + 1, 1, 10);
        rig_close(other);
    }
    rig_close(store);
    rig_remove(copy.dir);
    rig_remove(rig.dir);
}

/* History 16 (iii). The state in which a crash leaves a file whose next use was being prepared: its identity says
 * the next number. */
static void a_forgotten_file_with_its_next_identity_is_no_foreign_file(void **state)
{
    (void)state;
    const struct rig rig = rig_make("nextid");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    steady(store, 1, 60);
    uint64_t first, last;
    struct teak_stats stats;
    teak_stats(store, &stats);
    teak_abandon(store);
    rig_segments(&rig, &first, &last);
    /* the row's newest is unsealed; what stands right below the oldest kept bears another's identity. The segments
     * between lose their footers, as if they had not been sealed yet, so that opening looks that far. */
    char name[64], newest[64];
    const uint64_t below = stats.oldest_segment - 1;
    rig_segment_name(below, name);
    rig_segment_name(stats.newest_segment, newest);
    size_t bytes;
    uint8_t *file = rig_read(&rig, newest, &bytes);
    rig_write(&rig, name, 0, file, bytes);
    free(file);
    assert_true(stats.newest_segment - stats.oldest_segment < 4);
    for (uint64_t number = stats.oldest_segment; number < stats.newest_segment; number++) {
        rig_segment_name(number, newest);
        rig_zero(&rig, newest, RIG_SEGMENT - RIG_BLOCK, RIG_BLOCK);
    }
    for (int twice = 0; twice < 2; twice++) {
        store = rig_open(&rig, &report);
        const struct teak_log log = rig_log(store, 7);
        assert_int_equal(log.last.index, 60 + (uint64_t)twice);
        rig_expect_entries(store, 7, log.first, log.last.index);
        rig_append_synced(store, 7, log.last.index + 1, log.last.index + 1, 1, 10);
        rig_close(store);
    }
    rig_remove(rig.dir);
}

/* History 19. */
static void bad_spares_are_never_used(void **state)
{
    (void)state;
    const struct rig rig = rig_make("spares");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_close(store);
    rig_zero(&rig, "spare-0000000000000050.seg", 0, RIG_BLOCK);               /* too short  */
    rig_zero(&rig, "spare-0000000000000051.seg", 0, RIG_SEGMENT + RIG_BLOCK); /* too long   */
    rig_zero(&rig, "spare-0000000000000052.tmp", 0, RIG_BLOCK);               /* half made  */
    char path[2 * RIG_PATH];
    rig_path(&rig, "spare-0000000000000053.seg", path);
    assert_int_equal(mkdir(path, 0700), 0);                                   /* not a file */
    struct teak_options options = rig_options();
    options.spares = 8;
    store = rig_open_with(&rig, &options, &report);
    rig_append_synced(store, 7, 1, 100, 1, 4000);
    rig_close(store);
    assert_false(rig_has(&rig, "spare-0000000000000052.tmp"));
    store = rig_open(&rig, &report);
    rig_expect_entries(store, 7, 1, 100);
    uint64_t first, last;
    rig_segments(&rig, &first, &last);
    for (; first <= last; first++) {
        char name[64];
        size_t bytes;
        rig_segment_name(first, name);
        free(rig_read(&rig, name, &bytes));
        assert_true(bytes <= RIG_SEGMENT && bytes % RIG_BLOCK == 0);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_spare_left_behind_is_used_whatever_it_holds(void **state)
{
    (void)state;
    const struct rig rig = rig_make("used");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 5, 1, 4000);
    rig_drive_until(store, has_spare, NULL);
    teak_abandon(store);
    size_t bytes; /* a segment of this very store, under a spare's name */
    uint8_t *file = rig_read(&rig, "0000000000000001.seg", &bytes);
    rig_write(&rig, "spare-0000000000000000.seg", 0, file, bytes);
    rig_write(&rig, "spare-0000000000000001.seg", 0, file, bytes);
    free(file);
    for (uint32_t i = 0; i < 4; i++) {
        store = rig_open(&rig, &report);
        rig_expect_entries(store, 7, 1, 5 + i);
        rig_append_synced(store, 7, 6 + i, 6 + i, 1, 10);
        teak_abandon(store);
    }
    rig_remove(rig.dir);
}

/* ---- memory is lacking for a segment whose file bears its name already ---- */

static bool memory_is_lacking;

static void *lacking_allocate(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    void *memory = NULL;
    return memory_is_lacking || posix_memalign(&memory, alignment, bytes) != 0 ? NULL : memory;
}

static void *lacking_reallocate(void *context, void *memory, size_t bytes)
{
    (void)context;
    return memory_is_lacking ? NULL : realloc(memory, bytes);
}

static void lacking_release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static bool is_being_named(struct teak_store *store, void *context)
{
    (void)context;
    return store->pool.step == POOL_PREPARE_SYNC_NAME || store->segments.ready;
}

static bool lacked_memory(struct teak_store *store, void *context)
{
    (void)context;
    return store->pool.failure == ENOMEM || store->segments.ready;
}

static bool has_two_segments(struct teak_store *store, void *context)
{
    (void)context;
    assert_int_not_equal(store->pool.failure, EEXIST);
    return STAT(store, segments) <= 2;
}

static bool has_next(struct teak_store *store, void *context)
{
    (void)context;
    assert_int_not_equal(store->pool.failure, EEXIST);
    return store->segments.ready != NULL;
}

/* What was dropped meanwhile lies on top of it, and cannot be given a name that is taken. */
static void what_bears_the_next_number_is_taken_first(void **state)
{
    (void)state;
    const struct teak_allocator lacking = {
        .allocate = lacking_allocate, .reallocate = lacking_reallocate, .release = lacking_release};
    assert_int_equal(teak_set_allocator(&lacking), TEAK_OK);
    const struct rig rig = rig_make("lacking");
    struct teak_options options = rig_options();
    options.spares = 4;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 7);
    uint64_t index = 1;
    for (; STAT(store, newest_segment) < 5; index++) rig_append_synced(store, 7, index, index, 1, 4000);
    bool has_lacked = false;
    for (uint32_t i = 0; i < 100 && !has_lacked; i++) {
        const uint64_t newest = STAT(store, newest_segment);
        rig_drive_until(store, has_next, NULL);
        for (; STAT(store, newest_segment) == newest; index++) rig_append_synced(store, 7, index, index, 1, 4000);
        rig_drive_until(store, is_being_named, NULL);
        if (store->segments.ready) continue; /* that was too quick for us */
        memory_is_lacking = true;
        rig_drive_until(store, lacked_memory, NULL);
        has_lacked = !store->segments.ready;
        if (!has_lacked) memory_is_lacking = false;
    }
    assert_true(has_lacked);
    const struct pool *pool = &store->pool;
    const uint64_t next = STAT(store, newest_segment) + 1;
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 1});
    rig_drive_until(store, has_two_segments, NULL);
    assert_true(pool->stock_count > 1);
    memory_is_lacking = false;
    rig_drive_until(store, has_next, NULL);
    assert_int_equal(store->segments.ready->number, next);
    rig_append_synced(store, 7, index, index + 60, 1, 4000);
    rig_close(store);
    assert_int_equal(teak_set_allocator(NULL), TEAK_OK);
    store = rig_open(&rig, &report);
    rig_expect_entries(store, 7, rig_log(store, 7).first, index + 60);
    rig_close(store);
    rig_remove(rig.dir);
}

static bool has_so_many(struct teak_store *store, void *context)
{
    return store->pool.stock_count == *(uint32_t *)context;
}

static bool is_marked_and_supplied(struct teak_store *store, void *context)
{
    (void)context;
    return store->writer.ends_in_mark && store->segments.ready && STAT(store, spares) >= 1;
}

/* Its idle mark is written, and nothing asks for a sync of it: nobody is in the filler's way. */
static void a_store_at_rest_fills_its_spares(void **state)
{
    (void)state;
    const struct rig rig = rig_make("rest");
    struct teak_options options = rig_options();
    options.segment_bytes = 4 << 20;
    options.spares = 8;
    struct teak_store *store = rig_open_with(&rig, &options, &report);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 1, 1, 100);
    rig_drive_until(store, is_marked_and_supplied, NULL);
    for (uint32_t count = 2; count <= 8; count++) rig_drive_until(store, has_so_many, &count);
    rig_close(store);
    rig_remove(rig.dir);
}

static bool has_forgotten_most(struct teak_store *store, void *context)
{
    (void)context;
    return STAT(store, forgotten) >= 6;
}

static bool keeps_what_it_wants(struct teak_store *store, void *context)
{
    (void)context;
    return store->segments.ready && store->pool.step == POOL_IDLE && !store->seal.segment &&
           store->pool.stock_count <= store->pool.keep;
}

/* While a frame is on its way the row may need more files in a moment, which a store at rest gives back. */
static void what_a_busy_store_will_need_is_not_removed(void **state)
{
    (void)state;
    const struct rig rig = rig_make("breath");
    const struct teak_options options = rig_options();
    struct faulty *faulty = faulty_make(TEAK_BACKEND_POSIX);
    struct teak_store *store;
    struct teak_error error = {0};
    rig_ok(store_open_on(&faulty->disk, rig.dir, &options, &store, NULL, &error), &error);
    rig_create(store, 7);
    uint64_t index = 1;
    for (; STAT(store, newest_segment) < 9; index++) rig_append_synced(store, 7, index, index, 1, 4000);
    rig_drive_until(store, keeps_what_it_wants, NULL);
    faulty->holds_chores = true;
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 1});
    rig_drain(store);
    rig_drive_until(store, has_forgotten_most, NULL);
    faulty_release_all(faulty);
    faulty->holds_writes = true;
    rig_append(store, 7, index, index, 1, 100);
    rig_drive_until(store, keeps_what_it_wants, NULL);
    const uint32_t kept = store->pool.stock_count;
    assert_int_equal(STAT(store, frames_in_flight), 1);
    faulty_release_all(faulty);
    rig_drain(store);
    rig_drive_until(store, has_so_many, &(uint32_t){kept - 2});
    assert_int_equal(store->pool.keep, kept - 2);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_state_recycles),
        cmocka_unit_test(every_moment_of_recycling_can_be_opened),
        cmocka_unit_test(a_forgotten_file_with_its_next_identity_is_no_foreign_file),
        cmocka_unit_test(bad_spares_are_never_used),
        cmocka_unit_test(a_spare_left_behind_is_used_whatever_it_holds),
        cmocka_unit_test(a_store_at_rest_fills_its_spares),
        cmocka_unit_test(what_a_busy_store_will_need_is_not_removed),
        cmocka_unit_test(what_bears_the_next_number_is_taken_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
