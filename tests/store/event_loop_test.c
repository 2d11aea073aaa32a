/* event_loop_test.c: a store driven by poll(2) on its descriptor and by its deadline alone. Nothing that was submitted
 * is ever forgotten, and a store that has nothing to do leaves the loop asleep.
 */
#include <poll.h>

#include "store/snapshot_rig.h"

struct loop {
    struct teak_store *store;
    int fd;
    uint64_t completed, wakes;
};

static struct loop begin(struct teak_store *store)
{
    struct loop loop = {.store = store};
    struct teak_error error = {0};
    rig_ok(teak_event_fd(store, &loop.fd, &error), &error);
    assert_true(loop.fd >= 0);
    return loop;
}

/* One round: sleeps until the descriptor or the deadline says so, but not beyond `limit_ns`. False: slept it out. */
static bool round_of(struct loop *loop, uint64_t limit_ns)
{
    const uint64_t deadline = teak_deadline(loop->store), now = rig_now_ns();
    const uint64_t until = deadline < limit_ns ? deadline : limit_ns;
    struct pollfd fd = {.fd = loop->fd, .events = POLLIN};
    struct timespec wait = {0};
    if (until > now) {
        wait.tv_sec = (time_t)((until - now) / 1000000000u);
        wait.tv_nsec = (long)((until - now) % 1000000000u);
    }
    const int ready = ppoll(&fd, 1, &wait, NULL);
    if (ready == 0 && deadline > limit_ns) return false;
    loop->wakes++;
    uint64_t ignored;
    if (ready > 0) (void)!read(loop->fd, &ignored, sizeof ignored);
    struct teak_completion done[8];
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(teak_poll(loop->store, 0, done, 8, &count, &error), &error);
    for (uint32_t i = 0; i < count; i++) assert_int_equal(done[i].status, TEAK_OK);
    loop->completed += count;
    return true;
}

static void expect_completions(struct loop *loop, uint64_t wanted)
{
    const uint64_t limit = rig_now_ns() + UINT64_C(60000000000);
    while (loop->completed < wanted)
        if (!round_of(loop, limit)) fail_msg("asleep with %d of %d", (int)loop->completed, (int)wanted);
}

/* Submits from inside the loop: what is full waits for the loop's next event. */
static void append_in_loop(struct loop *loop, uint64_t index, uint32_t bytes)
{
    static uint8_t data[8192];
    struct teak_error error = {0};
    const uint64_t limit = rig_now_ns() + UINT64_C(60000000000);
    rig_fill(data, bytes, 1, index, 1);
    enum teak_status status;
    while ((status = teak_append(loop->store, 1, index, 1, data, bytes, index, &error)) == TEAK_FULL)
        if (!round_of(loop, limit)) fail_msg("asleep while full, at entry %d", (int)index);
    rig_ok(status, &error);
}

/* History 35. */
static void every_completion_comes_by_descriptor_and_deadline(void **state)
{
    (void)state;
    for (enum teak_strategy strategy = TEAK_AUTO; strategy < TEAK_STRATEGY_COUNT; strategy++) {
        const struct rig rig = rig_make("event_loop");
        struct teak_options options = backend_options();
        options.strategy = strategy;
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        struct loop loop = begin(store);
        struct teak_error error = {0};
        rig_ok(teak_create_log(store, 1, 0, &error), &error);
        expect_completions(&loop, 1);
        for (uint64_t index = 1; index <= 30; index++) { /* one at a time */
            append_in_loop(&loop, index, 100);
            expect_completions(&loop, 1 + index);
        }
        for (uint64_t index = 31; index <= 300; index++) append_in_loop(&loop, index, 2000); /* over many segments */
        expect_completions(&loop, 301);
        rig_expect_entries(store, 1, 1, 300);
        rig_close(store);
        store = backend_open(&rig);
        rig_expect_entries(store, 1, 1, 300);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

static void linger_and_lazy_batches_leave_by_the_deadline(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event_loop");
    struct teak_options options = backend_options();
    options.linger_ns = 30000000;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    struct loop loop = begin(store);
    struct teak_error error = {0};
    rig_ok(teak_create_log(store, 1, 0, &error), &error);
    uint64_t began = rig_now_ns();
    expect_completions(&loop, 1);
    assert_true(rig_now_ns() - began >= 29000000);
    const struct teak_op op = {.op = TEAK_OP_HARD_STATE, .log = 1, .term = 1};
    began = rig_now_ns();
    rig_ok(teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1, .flags = TEAK_LAZY}, &error), &error);
    expect_completions(&loop, 2);
    assert_true(rig_now_ns() - began >= 990000000);
    rig_close(store);
    rig_remove(rig.dir);
}

static void an_idle_store_marks_itself_once_and_sleeps(void **state)
{
    (void)state;
    for (enum teak_strategy strategy = TEAK_AUTO; strategy < TEAK_STRATEGY_COUNT; strategy++) {
        const struct rig rig = rig_make("event_loop");
        struct teak_options options = backend_options();
        options.strategy = strategy;
        options.stall_ns = TEAK_FOREVER; /* chores that are still out make no deadline */
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        struct loop loop = begin(store);
        struct teak_error error = {0};
        rig_ok(teak_create_log(store, 1, 0, &error), &error);
        expect_completions(&loop, 1);
        for (uint64_t index = 1; index <= 3; index++) { /* a commit behind an idle mark completes, too */
            append_in_loop(&loop, index, 10);
            expect_completions(&loop, 1 + index);
            struct teak_stats before, after;
            teak_stats(store, &before);
            const uint64_t wanted = strategy == TEAK_NONE ? 0 : 1;
            const uint64_t patience_ns = rig_now_ns() + UINT64_C(60000000000);
            do {
                if (!round_of(&loop, patience_ns)) fail_msg("asleep before it was marked");
                teak_stats(store, &after);
            } while (after.frames - before.frames < wanted || teak_deadline(store) != TEAK_NO_DEADLINE);
            const uint64_t limit = rig_now_ns() + 60000000;
            while (round_of(&loop, limit)) {}
            teak_stats(store, &after);
            assert_int_equal(after.frames - before.frames, wanted);
            assert_int_equal(teak_deadline(store), TEAK_NO_DEADLINE);
        }
        assert_true(loop.wakes < 400);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

static void a_barrier_and_poison_reach_the_loop(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event_loop");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    struct loop loop = begin(store);
    struct teak_error error = {0};
    rig_ok(teak_create_log(store, 1, 0, &error), &error);
    rig_ok(teak_barrier(store, 1, &error), &error);
    expect_completions(&loop, 2);
    rig_ok(teak_append(store, 1, 1, 1, "x", 1, 2, &error), &error);
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
    enum teak_status status = TEAK_OK;
    for (struct rig_patience patience = {0}; status == TEAK_OK && rig_waits(&patience);) {
        if (teak_deadline(store) > rig_now_ns()) {
            struct pollfd fd = {.fd = loop.fd, .events = POLLIN};
            (void)poll(&fd, 1, 10);
        }
        struct teak_completion done;
        uint32_t count;
        status = teak_poll(store, 0, &done, 1, &count, &error);
        if (count > 0) assert_int_equal(done.status, TEAK_POISONED);
    }
    assert_int_equal(status, TEAK_POISONED);
    assert_int_equal(teak_close(store, &error), TEAK_POISONED);
    rig_remove(rig.dir);
}

static void one_loop_drives_several_stores(void **state)
{
    (void)state;
    enum { STORES = 4 };
    struct rig rigs[STORES];
    struct loop loops[STORES];
    for (int i = 0; i < STORES; i++) {
        char name[32];
        snprintf(name, sizeof name, "event_loop%d", i);
        rigs[i] = rig_make(name);
        loops[i] = begin(backend_open(&rigs[i]));
        struct teak_error error = {0};
        rig_ok(teak_create_log(loops[i].store, 1, 0, &error), &error);
    }
    for (uint64_t index = 1; index <= 100; index++)
        for (int i = 0; i < STORES; i++) append_in_loop(&loops[i], index, 500);
    for (int i = 0; i < STORES; i++) expect_completions(&loops[i], 101);
    for (int i = 0; i < STORES; i++) {
        rig_expect_entries(loops[i].store, 1, 1, 100);
        rig_close(loops[i].store);
        rig_remove(rigs[i].dir);
    }
}

/* Installed, and the file before it removed, by nothing but what the loop is woken for; then it sleeps. */
static void snapshots_are_installed_and_collected_by_descriptor_and_deadline(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event_loop");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_drain(store);
    rig_settle(store);
    struct loop loop = begin(store);
    for (uint64_t n = 1; n <= 3; n++) {
        const struct teak_snapshot_offer offer = offer_of(1, 10 * n, 1, n, CHUNK + 1);
        struct teak_snapshot_writer *writer = begin_in(store, &offer);
        write_in(writer, n, CHUNK + 1);
        struct teak_error error = {0};
        rig_ok(teak_snapshot_install(writer, keep_nothing, n, &error), &error);
        expect_completions(&loop, n);
        expect_snapshot(store, 1, 10 * n, n, CHUNK + 1);
    }
    const uint64_t limit = rig_now_ns() + UINT64_C(60000000000);
    while (files_in(&rig, ".snap", NULL) != 1)
        if (!round_of(&loop, limit)) fail_msg("asleep with %d files", (int)files_in(&rig, ".snap", NULL));
    while (teak_deadline(store) != TEAK_NO_DEADLINE)
        if (!round_of(&loop, limit)) fail_msg("never at rest");
    assert_in_range(loop.wakes, 1, 300);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_completion_comes_by_descriptor_and_deadline),
        cmocka_unit_test(linger_and_lazy_batches_leave_by_the_deadline),
        cmocka_unit_test(an_idle_store_marks_itself_once_and_sleeps),
        cmocka_unit_test(a_barrier_and_poison_reach_the_loop),
        cmocka_unit_test(one_loop_drives_several_stores),
        cmocka_unit_test(snapshots_are_installed_and_collected_by_descriptor_and_deadline),
    };
    return backends_run(argc, argv, "event loop", tests, sizeof tests / sizeof tests[0]);
}
