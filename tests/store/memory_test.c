/* The host's allocator: all of a store's memory comes from it and goes back, and where it says no the call says so. */
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "teak/memory.h"

struct host {
    int64_t left;  /* how often it still says yes; negative: always */
    uint64_t asked;
    int64_t out;
};

static bool may(struct host *host)
{
    host->asked++;
    if (host->left == 0) return false;
    if (host->left > 0) host->left--;
    return true;
}

static void *host_allocate(void *context, size_t alignment, size_t bytes)
{
    struct host *host = context;
    if (!may(host)) return NULL;
    host->out++;
    void *memory = NULL;
    return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
}

static void *host_reallocate(void *context, void *memory, size_t bytes)
{
    struct host *host = context;
    if (!may(host)) return NULL;
    host->out += memory == NULL;
    return realloc(memory, bytes);
}

static void host_release(void *context, void *memory)
{
    struct host *host = context;
    host->out--;
    free(memory);
}

static struct teak_allocator hooks_of(struct host *host)
{
    return (struct teak_allocator){.allocate = host_allocate, .reallocate = host_reallocate, .release = host_release,
                                   .context = host};
}

/* A life of a store; the first status that is not OK, or OK. */
static enum teak_status live(const char *directory)
{
    struct teak_options options = teak_options_default();
    options.create = true;
    options.segment_bytes = 64 * 1024;
    options.backend = TEAK_BACKEND_POSIX;
    struct teak_store *store;
    enum teak_status status = teak_open(directory, &options, &store, NULL, NULL);
    if (status != TEAK_OK) return status;
    status = teak_create_log(store, 1, 0, NULL);
    for (uint64_t index = 1; status == TEAK_OK && index <= 300; index++)
        while ((status = teak_append(store, 1, index, index, "0123456789", 10, 0, NULL)) == TEAK_FULL)
            assert_int_equal(teak_drain(store, NULL), TEAK_OK);
    struct teak_cursor *cursor = NULL;
    if (status == TEAK_OK) status = teak_cursor_open(store, 1, 1, &cursor, NULL);
    if (status == TEAK_OK) {
        struct teak_entry entry;
        uint32_t count;
        status = teak_cursor_read(cursor, 1, &entry, 1, &count, NULL);
        if (status == TEAK_OK) assert_int_equal(entry.index, 1);
    }
    teak_cursor_close(cursor);
    const enum teak_status closed = teak_close(store, NULL);
    return status == TEAK_OK ? closed : status;
}

/* As rig_submit, without a failure: the answer. */
static enum teak_status try_op(struct teak_store *store, struct teak_op op)
{
    enum teak_status status;
    for (struct rig_patience patience = {0}; rig_waits(&patience);) {
        status = teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1}, NULL);
        if (status != TEAK_FULL) return status;
        uint32_t count;
        status = teak_poll(store, 1000000, NULL, 0, &count, NULL);
        if (status == TEAK_OK) status = teak_drain(store, NULL);
        if (status != TEAK_OK) return status;
    }
    fail_msg("full for ever");
    return TEAK_FULL;
}

enum { LATER_LOGS = 5, LATER_ENTRIES = 60 };

/* A store of several logs over many segments, its last frame torn; made without the host. */
static void make_torn(const struct rig *rig)
{
    struct teak_options options = rig_options();
    options.backend = TEAK_BACKEND_POSIX;
    struct teak_store *store = rig_open_with(rig, &options, NULL);
    for (uint64_t log = 1; log <= LATER_LOGS; log++) {
        rig_create(store, log);
        rig_append(store, log, 1, LATER_ENTRIES, 1, 700);
    }
    rig_drain(store);
    rig_append_synced(store, 1, LATER_ENTRIES + 1, LATER_ENTRIES + 1, 1, 700);
    const uint64_t newest = rig_stats(store).newest_segment;
    teak_abandon(store);
    assert_true(rig_rot_entry(rig, newest, 1, LATER_ENTRIES + 1, 1, 700));
}

static enum teak_status read_all(struct teak_store *store, uint64_t log)
{
    struct teak_cursor *cursor = NULL;
    enum teak_status status = teak_cursor_open(store, log, 1, &cursor, NULL);
    uint64_t next = 1;
    while (status == TEAK_OK) {
        struct teak_entry entries[16];
        uint32_t count = 0;
        status = teak_cursor_read(cursor, 1 << 16, entries, 16, &count, NULL);
        if (count == 0) break;
        for (uint32_t i = 0; i < count; i++) assert_int_equal(entries[i].index, next++);
    }
    teak_cursor_close(cursor);
    if (status == TEAK_OK) assert_true(next > LATER_ENTRIES);
    return status;
}

/* A later life: recovery of the cut, sealed segments read, META, compaction, a drop, new logs. */
static enum teak_status live_on(const char *directory)
{
    struct teak_options options = teak_options_default();
    options.backend = TEAK_BACKEND_POSIX;
    struct teak_store *store;
    enum teak_status status = teak_open(directory, &options, &store, NULL, NULL);
    if (status != TEAK_OK) return status;
    for (uint64_t log = 1; status == TEAK_OK && log <= LATER_LOGS; log++) status = read_all(store, log);
    for (uint64_t log = 1; status == TEAK_OK && log <= LATER_LOGS; log++) {
        status = try_op(store, (struct teak_op){.op = TEAK_OP_META, .log = log, .data = "word", .bytes = 4});
        if (status == TEAK_OK)
            status = try_op(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = log, .index = LATER_ENTRIES / 2});
    }
    if (status == TEAK_OK) status = try_op(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 2});
    for (uint64_t log = 10; status == TEAK_OK && log < 40; log++)
        status = try_op(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = log});
    static uint8_t data[3000];
    const struct teak_bytes entry = {.data = data, .bytes = sizeof data};
    for (uint64_t index = 1; status == TEAK_OK && index <= 60; index++)
        status = try_op(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 10 + index % 30,
                                                .index = 1 + (index - 1) / 30, .term = index, .entries = &entry,
                                                .count = 1});
    const enum teak_status closed = teak_close(store, NULL);
    return status == TEAK_OK ? closed : status;
}

static void all_of_a_store_comes_from_the_host_and_goes_back(void **state)
{
    (void)state;
    const struct rig rig = rig_make("memory");
    struct host host = {.left = -1};
    const struct teak_allocator hooks = hooks_of(&host);
    assert_int_equal(teak_set_allocator(&hooks), TEAK_OK);
    assert_int_equal(live(rig.dir), TEAK_OK);
    assert_true(host.asked > 20);
    assert_int_equal(host.out, 0);
    assert_int_equal(teak_set_allocator(NULL), TEAK_OK);
    rig_remove(rig.dir);
}

static void an_allocator_is_not_changed_under_memory_that_is_out(void **state)
{
    (void)state;
    const struct rig rig = rig_make("memory");
    struct teak_options options = teak_options_default();
    options.create = true;
    struct teak_store *store;
    assert_int_equal(teak_open(rig.dir, &options, &store, NULL, NULL), TEAK_OK);
    struct host host = {.left = -1};
    struct teak_allocator hooks = hooks_of(&host);
    assert_int_equal(teak_set_allocator(&hooks), TEAK_INVALID);
    assert_int_equal(teak_close(store, NULL), TEAK_OK);
    hooks.release = NULL;
    assert_int_equal(teak_set_allocator(&hooks), TEAK_INVALID);
    assert_int_equal(host.asked, 0);
    rig_remove(rig.dir);
}

static void memory_that_is_refused_at_any_point_is_a_status_and_no_leak(void **state)
{
    (void)state;
    uint64_t refused = 0;
    for (int64_t allowed = 0;; allowed++) {
        const struct rig rig = rig_make("memory");
        struct host host = {.left = allowed};
        const struct teak_allocator hooks = hooks_of(&host);
        assert_int_equal(teak_set_allocator(&hooks), TEAK_OK);
        const enum teak_status status = live(rig.dir);
        assert_int_equal(host.out, 0);
        assert_int_equal(teak_set_allocator(NULL), TEAK_OK);
        rig_remove(rig.dir);
        if (status == TEAK_OK) break;
        if (status != TEAK_NO_MEMORY)
            print_error("after %" PRIi64 " allocations: %s\n", allowed, teak_status_name(status));
        assert_int_equal(status, TEAK_NO_MEMORY);
        refused++;
        assert_true(refused < 10000);
    }
    assert_true(refused > 10);
}

/* Whatever was refused, the store is whole: the next opening, with memory, finds every entry that was durable. */
static void a_later_life_without_memory_loses_nothing(void **state)
{
    (void)state;
    const struct rig torn = rig_make("memorytorn"), rig = rig_make("memory");
    make_torn(&torn);
    uint64_t refused = 0;
    for (int64_t allowed = 0;; allowed += 1 + allowed / 60) {
        rig_copy(&torn, &rig);
        struct host host = {.left = allowed};
        const struct teak_allocator hooks = hooks_of(&host);
        assert_int_equal(teak_set_allocator(&hooks), TEAK_OK);
        const enum teak_status status = live_on(rig.dir);
        assert_int_equal(host.out, 0);
        assert_int_equal(teak_set_allocator(NULL), TEAK_OK);
        if (status != TEAK_OK && status != TEAK_NO_MEMORY)
            print_error("after %" PRIi64 " allocations: %s\n", allowed, teak_status_name(status));
        if (status != TEAK_OK) assert_int_equal(status, TEAK_NO_MEMORY);
        struct teak_options options = rig_options();
        options.backend = TEAK_BACKEND_POSIX;
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        const struct teak_log log = rig_log(store, 3);
        assert_true(log.first == 1 || log.first == LATER_ENTRIES / 2 + 1);
        rig_expect_entries(store, 3, log.first, LATER_ENTRIES);
        rig_close(store);
        if (status == TEAK_OK) break;
        refused++;
        assert_true(allowed < 100000);
    }
    assert_true(refused > 30);
    rig_remove(torn.dir);
    rig_remove(rig.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_store_comes_from_the_host_and_goes_back),
        cmocka_unit_test(an_allocator_is_not_changed_under_memory_that_is_out),
        cmocka_unit_test(memory_that_is_refused_at_any_point_is_a_status_and_no_leak),
        cmocka_unit_test(a_later_life_without_memory_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
