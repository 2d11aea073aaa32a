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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_store_comes_from_the_host_and_goes_back),
        cmocka_unit_test(an_allocator_is_not_changed_under_memory_that_is_out),
        cmocka_unit_test(memory_that_is_refused_at_any_point_is_a_status_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
