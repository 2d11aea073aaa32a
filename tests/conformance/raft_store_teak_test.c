/* raft_store_teak_test.c: the store on the engine under the suite of raft_store.h: on the simulated disk, where a crash
 * is a power cut, and on this machine's file system with both backends. `program CASE` runs one case.
 */
#include "conformance/raft_store.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "sim/sim_disk.h"
#include "store/rig.h"
#include "store/store.h"
#include "teak/clock.h"
#include "teak/raft_store_teak.h"

struct place {
    struct sim_medium *medium; /* NULL: a directory */
    struct rig rig;
    struct teak_options options;
    struct teak_store *engine;
};

static void open_place(struct place *place, struct teak_raft_log_store *out)
{
    struct teak_error error = {0};
    place->engine = NULL;
    if (place->medium)
        rig_ok(store_open_on(sim_open(place->medium), "store", &place->options, &place->engine, NULL, &error), &error);
    else
        rig_ok(teak_open(place->rig.dir, &place->options, &place->engine, NULL, &error), &error);
    assert_int_equal(teak_raft_teak_open(place->engine, false, out), TEAK_RAFT_OK);
}

static void close_place(struct place *place, struct teak_raft_log_store *store)
{
    store->ops->close(store->self);
    teak_abandon(place->engine);
}

/* ----------------------------------------------------------------------------------------------- the simulated disk */

static void sim_begin(void *context, struct teak_raft_log_store *out)
{
    struct place *place = context;
    place->medium = sim_make(1);
    open_place(place, out);
}

static void sim_end_place(void *context, struct teak_raft_log_store *store)
{
    struct place *place = context;
    close_place(place, store);
    sim_free(place->medium);
}

static void sim_crash(void *context, struct teak_raft_log_store *store, struct seeded *seeded)
{
    struct place *place = context;
    struct sim_medium *left = sim_cut(place->medium, SIM_POWER, seeded);
    sim_end_place(place, store);
    place->medium = left;
    open_place(place, store);
}

static void refuse_space(void *medium) { sim_fail(medium, DISK_ALLOCATE, 1, ENOSPC); }

/* A fault that stands until it is taken away: each operation of the kind fails. */
struct fault {
    struct sim_medium *medium;
    enum disk_kind kind;
    int error;
    uint32_t met;
};

static void strike(void *context)
{
    struct fault *fault = context;
    fault->met += sim_fail_is_over(fault->medium);
    sim_fail(fault->medium, fault->kind, 1, fault->error);
}

static void begin_fault(struct fault *fault)
{
    sim_fail(fault->medium, fault->kind, 1, fault->error);
    sim_set_hook(fault->medium, strike, fault);
}

static void end_fault(struct fault *fault)
{
    sim_set_hook(fault->medium, NULL, NULL);
    sim_fail(fault->medium, fault->kind, 0, 0);
}

static void sim_full(void *context, struct teak_raft_log_store *store, bool on)
{
    const struct place *place = context;
    (void)store;
    sim_set_hook(place->medium, on ? refuse_space : NULL, place->medium);
    sim_fail(place->medium, DISK_ALLOCATE, on, ENOSPC);
}

static void sim_poison(void *context, struct teak_raft_log_store *store)
{
    const struct place *place = context;
    (void)store;
    sim_set_faults(place->medium, (struct sim_faults){.fail_one_in = 1, .seed = 1});
}

static void sim_hold(void *context, struct teak_raft_log_store *store, bool on)
{
    const struct place *place = context;
    (void)store;
    sim_set_faults(place->medium, on ? (struct sim_faults){.stall_one_in = 1, .stall_ns = UINT64_C(10000000000)}
                                     : (struct sim_faults){.seed = 0});
}

/* ------------------------------------------------------------------------------------------------------ directories */

static void dir_begin(void *context, struct teak_raft_log_store *out)
{
    struct place *place = context;
    place->rig = rig_make("raft_store");
    open_place(place, out);
}

static void dir_end(void *context, struct teak_raft_log_store *store)
{
    struct place *place = context;
    close_place(place, store);
    rig_remove(place->rig.dir);
}

static void dir_crash(void *context, struct teak_raft_log_store *store, struct seeded *seeded)
{
    (void)seeded;
    close_place(context, store);
    open_place(context, store);
}

static uint32_t run_on_sim(const char *only)
{
    uint32_t missed = 0;
    for (enum teak_strategy strategy = TEAK_DSYNC; strategy <= TEAK_FDATASYNC; strategy++) {
        struct place place = {.options = rig_options()};
        place.options.strategy = strategy;
        place.options.arena_bytes = 0;
        const struct raft_store_subject subject = {
            .name = strategy == TEAK_DSYNC ? "teak, simulated, dsync" : "teak, simulated, fdatasync",
            .context = &place, .begin = sim_begin, .end = sim_end_place, .crash = sim_crash, .full = sim_full,
            .poison = sim_poison, .hold = sim_hold};
        missed += raft_store_run(&subject, only);
    }
    return missed;
}

static uint32_t run_in_directories(const char *only)
{
    uint32_t missed = 0;
    for (enum teak_backend backend = TEAK_BACKEND_URING; backend <= TEAK_BACKEND_POSIX; backend++) {
        struct place place = {.options = rig_options()};
        place.options.backend = backend;
        place.rig = rig_make("raft_store");
        struct teak_store *engine;
        const enum teak_status status = teak_open(place.rig.dir, &place.options, &engine, NULL, NULL);
        if (status == TEAK_OK) teak_abandon(engine);
        if (status == TEAK_NO_BACKEND) {
            printf("skipped: no io_uring here\n");
            rig_remove(place.rig.dir);
            continue;
        }
        const struct raft_store_subject subject = {
            .name = backend == TEAK_BACKEND_URING ? "teak, io_uring" : "teak, posix", .context = &place,
            .begin = dir_begin, .end = dir_end, .crash = dir_crash};
        missed += raft_store_run(&subject, only);
    }
    return missed;
}

static void the_suite_passes(void **state)
{
    const char *only = *state;
    uint32_t missed = run_on_sim(only);
    missed += run_in_directories(only);
    assert_int_equal(missed, 0);
}

/* ---------------------------------------------------------------------------------------- what is the adapter's own */

static void a_store_without_promises_is_refused(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    place.options.strategy = TEAK_NONE;
    place.rig = rig_make("raft_store_none");
    struct teak_error error = {0};
    rig_ok(teak_open(place.rig.dir, &place.options, &place.engine, NULL, &error), &error);
    assert_int_equal(teak_raft_teak_open(place.engine, false, &store), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_teak_open(NULL, true, &store), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_teak_open(place.engine, true, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_teak_open(place.engine, true, &store), TEAK_RAFT_OK);
    dir_end(&place, &store);
}

static void options_that_do_not_fit_are_told(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_raft_options options = teak_raft_options_default();
    dir_begin(&place, &store);
    assert_int_equal(store.ops->fits(store.self, &options), TEAK_RAFT_TOO_LARGE); /* a segment is 64 KiB */
    options.entry_bytes_max = options.job_bytes_max = 8192;
    options.tail_entries = 128;
    assert_int_equal(store.ops->fits(store.self, &options), TEAK_RAFT_OK);
    options.entry_bytes_max = 60000;
    assert_int_equal(store.ops->fits(store.self, &options), TEAK_RAFT_TOO_LARGE);
    dir_end(&place, &store);
}

/* The largest job that fits() lets through is taken: entries of one byte, each of another kind than the one before. */
static void what_fits_is_taken(void **state)
{
    (void)state;
    enum { ENTRIES = 64 };
    static struct teak_raft_entry entries[ENTRIES];
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_raft_options options = teak_raft_options_default();
    options.entry_bytes_max = 16;
    options.tail_entries = 2 * ENTRIES;
    dir_begin(&place, &store);
    for (options.job_bytes_max = 65536; store.ops->fits(store.self, &options) != TEAK_RAFT_OK;) options.job_bytes_max--;
    static uint8_t bytes[65536];
    for (uint32_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct teak_raft_entry){.index = i + 1, .term = 1, .kind = (uint8_t)(16 + i % 2), .data = bytes,
                                              .bytes = options.job_bytes_max / ENTRIES - (i == 0 ? 0 : 1)};
    const struct teak_raft_job job = {.token = 1, .hard = {.term = 1}, .entries = entries, .count = ENTRIES,
                                      .after_first = 1, .after_last = {ENTRIES, 1}};
    struct teak_raft_start start = {.applied = 0};
    struct teak_raft_completion done;
    enum teak_raft_status status;
    while ((status = store.ops->create(store.self, 1, 1)) == TEAK_RAFT_BUSY)
        store.ops->collect(store.self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
    while (store.ops->start(store.self, 1, &start) == TEAK_RAFT_BUSY) store.ops->collect(store.self, 1000000, &done, 1);
    assert_int_equal(store.ops->submit(store.self, 1, &job), TEAK_RAFT_OK);
    while (store.ops->collect(store.self, 1000000, &done, 1) == 0) continue;
    assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
    dir_end(&place, &store);
}

static void a_log_of_somebody_else_is_damaged(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_raft_start start = {.applied = 0};
    place.rig = rig_make("raft_store");
    struct teak_error error = {0};
    rig_ok(teak_open(place.rig.dir, &place.options, &place.engine, NULL, &error), &error);
    static const struct {
        const char *meta;
        uint32_t bytes;
    } others[] = {{"", 0}, {"TKRF\1\0\0\0born....", 16}, {"TKRF\2\0\0\0born....instance", 24}};
    for (uint32_t i = 0; i < 3; i++) {
        rig_create(place.engine, 3 + i);
        if (others[i].bytes == 0) continue;
        rig_do(place.engine, (struct teak_op){.op = TEAK_OP_META, .log = 3 + i, .data = others[i].meta,
                                              .bytes = others[i].bytes});
    }
    rig_drain(place.engine);
    assert_int_equal(teak_raft_teak_open(place.engine, false, &store), TEAK_RAFT_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(store.ops->start(store.self, 3 + i, &start), TEAK_RAFT_DAMAGED);
    assert_int_equal(store.ops->create(store.self, 3, 1), TEAK_RAFT_MISUSE);
    dir_end(&place, &store);
}

/* ------------------------------------------------------------------------------------------- what is done for many */

static void begin_group(struct teak_raft_log_store *store, uint64_t group)
{
    struct teak_raft_start start = {.applied = 0};
    enum teak_raft_status status;
    while ((status = store->ops->create(store->self, group, 1)) == TEAK_RAFT_BUSY)
        store->ops->collect(store->self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
    while ((status = store->ops->start(store->self, group, &start)) == TEAK_RAFT_BUSY)
        store->ops->collect(store->self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
}

static void append_bytes(struct teak_raft_log_store *store, uint64_t group, uint64_t index, uint32_t count)
{
    static const uint8_t bytes[4000] = "entry";
    const struct teak_raft_entry entry = {.index = index, .term = 1, .kind = 16, .data = bytes, .bytes = count};
    const struct teak_raft_job job = {.token = index, .hard = {.term = 1}, .entries = &entry, .count = 1,
                                      .after_first = 1, .after_last = {index, 1}};
    assert_int_equal(store->ops->submit(store->self, group, &job), TEAK_RAFT_OK);
}

static void append_one(struct teak_raft_log_store *store, uint64_t group, uint64_t index)
{
    append_bytes(store, group, index, 5);
}

/* All jobs of `count` groups up to `index` are durable. */
static void wait_for(struct teak_raft_log_store *store, uint32_t count, uint64_t index)
{
    for (uint32_t done = 0; done < count;) {
        struct teak_raft_completion news[16];
        const uint32_t told = store->ops->collect(store->self, 1000000, news, 16);
        for (uint32_t i = 0; i < told; i++) {
            assert_int_equal(news[i].outcome, TEAK_RAFT_DURABLE);
            done += news[i].number == index;
        }
    }
}

/* A job of each group, side by side, is one frame or a few, and one sync or a few: not one for each. */
static void groups_share_syncs(void **state)
{
    (void)state;
    enum { GROUPS = 32, ROUNDS = 8 };
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_stats before, after;
    place.options.strategy = TEAK_FDATASYNC;
    place.options.arena_bytes = 0;
    sim_begin(&place, &store);
    for (uint64_t group = 1; group <= GROUPS; group++) begin_group(&store, group);
    teak_stats(place.engine, &before);
    for (uint64_t index = 1; index <= ROUNDS; index++) {
        for (uint64_t group = 1; group <= GROUPS; group++) append_one(&store, group, index);
        wait_for(&store, GROUPS, index);
    }
    teak_stats(place.engine, &after);
    const uint64_t jobs = after.batches - before.batches, frames = after.frames - before.frames;
    const uint64_t syncs = after.syncs - before.syncs;
    printf("%u groups, %u rounds: %llu jobs in %llu frames, %llu syncs\n", GROUPS, ROUNDS, (unsigned long long)jobs,
           (unsigned long long)frames, (unsigned long long)syncs);
    assert_int_equal(jobs, GROUPS * ROUNDS);
    assert_true(frames <= jobs / 4);
    assert_true(syncs <= jobs / 4);
    sim_end_place(&place, &store);
}

/* What a start reads does not grow with the log: the same few entries of a log of 8 and of one of 4,000. */
static void a_start_reads_no_entries(void **state)
{
    (void)state;
    static const uint64_t logs[] = {8, 4000};
    uint64_t read[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct teak_raft_log_store store;
        struct place place = {.options = rig_options()};
        struct seeded seeded = {.state = 1};
        struct teak_raft_start start = {.applied = 0};
        struct teak_stats before, after;
        place.options.arena_bytes = 0;
        sim_begin(&place, &store);
        begin_group(&store, 1);
        for (uint64_t index = 1; index <= logs[i]; index++) {
            append_one(&store, 1, index);
            if (index % 8 == 0) wait_for(&store, 1, index);
        }
        sim_crash(&place, &store, &seeded);
        teak_stats(place.engine, &before);
        assert_int_equal(store.ops->start(store.self, 1, &start), TEAK_RAFT_OK);
        assert_int_equal(start.last.index, logs[i]);
        teak_stats(place.engine, &after);
        read[i] = after.disk_reads + after.arena_reads - before.disk_reads - before.arena_reads;
        sim_end_place(&place, &store);
    }
    assert_true(read[0] <= 4);
    assert_int_equal(read[0], read[1]);
}

/* The medium cannot be read once, and then it can: the entries come. It never can: CORRUPT; nobody waits for ever. */
static uint64_t born_of(const char *dir, uint64_t group)
{
    struct teak_raft_log_store store;
    struct teak_store *engine;
    struct teak_error error = {0};
    struct teak_raft_log_state is;
    const struct teak_options options = rig_options();
    rig_ok(teak_open(dir, &options, &engine, NULL, &error), &error);
    assert_int_equal(teak_raft_teak_open(engine, false, &store), TEAK_RAFT_OK);
    assert_int_equal(store.ops->state(store.self, group, &is), TEAK_RAFT_OK);
    store.ops->close(store.self);
    rig_close(engine);
    return is.born;
}

/* RAFT.md 10: yesterday's copy under the same id is not the voter that it was a copy of. */
static void a_copy_is_born_anew(void **state)
{
    (void)state;
    const struct rig rig = rig_make("born"), copy = rig_make("borncopy"), again = rig_make("bornagain");
    struct teak_raft_log_store store;
    struct teak_error error = {0};
    struct teak_copy_result result;
    struct teak_store *engine = rig_open(&rig, NULL);
    assert_int_equal(teak_raft_teak_open(engine, false, &store), TEAK_RAFT_OK);
    enum teak_raft_status status;
    while ((status = store.ops->create(store.self, 5, 42)) == TEAK_RAFT_BUSY)
        store.ops->collect(store.self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
    rig_drain(engine);
    store.ops->close(store.self);
    rig_close(engine);
    rig_remove(copy.dir);
    rig_remove(again.dir);
    rig_ok(teak_copy(rig.dir, copy.dir, &result, NULL, NULL, &error), &error);
    rig_ok(teak_copy(copy.dir, again.dir, &result, NULL, NULL, &error), &error);
    const uint64_t here = born_of(rig.dir, 5), there = born_of(copy.dir, 5), beyond = born_of(again.dir, 5);
    assert_int_equal(here, 42);
    assert_int_not_equal(there, here);
    assert_int_not_equal(beyond, here);
    assert_int_not_equal(beyond, there);
    assert_true(there != 0 && beyond != 0);
    assert_int_equal(born_of(copy.dir, 5), there); /* at each start */
    rig_remove(rig.dir);
    rig_remove(copy.dir);
    rig_remove(again.dir);
}

static struct teak_raft_completion collect_one(struct place *place, const struct teak_raft_log_store *store)
{
    struct teak_raft_completion done = {.number = 0};
    while (store->ops->collect(store->self, 1000000, &done, 1) == 0) disk_pause(place->engine->disk, 1000000);
    return done;
}

/* A group with one entry, which is on the medium only. */
static void sim_with_one(struct place *place, struct teak_raft_log_store *store)
{
    struct seeded seeded = {.state = 1};
    struct teak_raft_start start = {.applied = 0};
    place->options.arena_bytes = 0;
    sim_begin(place, store);
    begin_group(store, 1);
    append_one(store, 1, 1);
    wait_for(store, 1, 1);
    sim_crash(place, store, &seeded);
    assert_int_equal(store->ops->start(store->self, 1, &start), TEAK_RAFT_OK);
}

/* For each of the two purposes of a fetch a newer one takes the place of an older one. */
static void who_fetches_anew_waits_for_the_old_no_more(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_raft_completion done;
    sim_with_one(&place, &store);
    struct teak_raft_fetch fetch = {.first = 1, .last = 1, .bytes_max = 100};
    for (uint32_t to_apply = 0; to_apply <= 1; to_apply++) {
        fetch.to_apply = to_apply;
        for (fetch.ticket = 10; fetch.ticket < 13; fetch.ticket++)
            assert_int_equal(store.ops->fetch(store.self, 1, &fetch), TEAK_RAFT_OK);
    }
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(collect_one(&place, &store).number, 12);
    for (uint32_t i = 0; i < 100; i++) assert_int_equal(store.ops->collect(store.self, 1000000, &done, 1), 0);
    sim_end_place(&place, &store);
}

/* By the clock of the simulated disk: an error that passes after two seconds, however often it was met, and one that
 * does not. */
static void a_read_error_is_not_rot_at_once(void **state)
{
    (void)state;
    for (uint32_t for_ever = 0; for_ever <= 1; for_ever++) {
        struct teak_raft_log_store store;
        struct place place = {.options = rig_options()};
        struct teak_raft_completion done = {.number = 0};
        sim_with_one(&place, &store);
        sim_fail(place.medium, DISK_READ, 1, EIO);
        const struct teak_raft_fetch fetch = {.ticket = 7, .first = 1, .last = 1, .bytes_max = 100};
        assert_int_equal(store.ops->fetch(store.self, 1, &fetch), TEAK_RAFT_OK);
        const uint64_t begin_ns = teak_now(place.engine), second = UINT64_C(1000000000);
        uint32_t met = 0;
        bool is_armed = true;
        while (store.ops->collect(store.self, 1000000, &done, 1) == 0) {
            disk_pause(place.engine->disk, second / 100);
            if (!is_armed || !sim_fail_is_over(place.medium)) continue;
            met++;
            is_armed = for_ever || teak_now(place.engine) - begin_ns < 2 * second;
            if (is_armed) sim_fail(place.medium, DISK_READ, 1, EIO);
        }
        const uint64_t took_ns = teak_now(place.engine) - begin_ns;
        assert_true(met > 10); /* more than are counted, and no more than a pause allows */
        assert_true(met <= took_ns / (second / 10) + 1);
        assert_true(took_ns >= (for_ever ? 7 : 2) * second && took_ns < 20 * second);
        assert_int_equal(done.kind, TEAK_RAFT_FETCH_DONE);
        assert_int_equal(done.number, 7);
        assert_int_equal(done.outcome, for_ever ? TEAK_RAFT_CORRUPT : TEAK_RAFT_FETCHED);
        assert_true(for_ever || sim_fail_is_over(place.medium));
        sim_end_place(&place, &store);
    }
}

/* What may stop the making of a file, and passes: nothing was written that somebody was promised. */
static const struct fault faults_that_pass[] = {
    {.kind = DISK_ALLOCATE, .error = ENOMEM}, {.kind = DISK_ALLOCATE, .error = EIO},
    {.kind = DISK_OPEN, .error = EMFILE},     {.kind = DISK_OPEN, .error = ENFILE},
    {.kind = DISK_OPEN, .error = EACCES},     {.kind = DISK_OPEN, .error = EROFS},
    {.kind = DISK_RENAME, .error = EIO},
};
enum { FAULTS_THAT_PASS = sizeof faults_that_pass / sizeof faults_that_pass[0] };

/* The engine cannot make its next file. A node that is refused a job for a term or a vote makes the next one at once,
 * room or none, and one that leads hands over; one whose store is poisoned is done. So whatever the job is, it waits,
 * and none is refused. By the clock of the simulated disk. */
static void a_job_waits_for_the_next_file(struct fault fault, bool votes)
{
    static const uint8_t bytes[4000];
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct rig_patience patience = {0};
    struct teak_raft_completion done;
    uint64_t token = 0, last = 0, term = 1, lacks_since_ns = 0, waits = 0, due = 0;
    bool is_out = false, is_vote = false;
    place.options.arena_bytes = 0;
    sim_begin(&place, &store);
    begin_group(&store, 1);
    fault.medium = place.medium;
    begin_fault(&fault);
    while (lacks_since_ns == 0 || teak_now(place.engine) - lacks_since_ns < UINT64_C(20000000000)) {
        const bool lacks = place.engine->pool.failure == fault.error;
        if (lacks && lacks_since_ns == 0) lacks_since_ns = teak_now(place.engine);
        if (!is_out && store.ops->takes(store.self)) {
            is_vote = votes && last > 0;
            term += is_vote;
            const uint64_t index = last + !is_vote;
            const struct teak_raft_entry entry = {.index = index, .term = 1, .kind = 16, .data = bytes,
                                                  .bytes = sizeof bytes};
            const struct teak_raft_job job = {.token = ++token, .hard = {.term = term, .vote = is_vote},
                                              .entries = &entry, .count = !is_vote, .urgent = is_vote,
                                              .after_first = 1, .after_last = {index, 1}};
            assert_int_equal(store.ops->submit(store.self, 1, &job), TEAK_RAFT_OK);
            is_out = true;
        }
        disk_pause(place.engine->disk, 10000000);
        const uint32_t told = store.ops->collect(store.self, 0, &done, 1);
        waits += !store.ops->takes(store.self);
        due += !store.ops->takes(store.self) && teak_deadline(place.engine) <= teak_now(place.engine);
        if (told == 0) continue;
        assert_int_equal(done.kind, TEAK_RAFT_JOB_DONE);
        assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
        assert_int_equal(done.number, token);
        is_out = false;
        last += !is_vote;
    }
    assert_true(is_out && is_vote == votes);
    assert_false(store.ops->takes(store.self));
    assert_true(due < waits / 4); /* who sleeps until the engine's deadline does sleep */
    assert_true(fault.met > 10 && fault.met < 60); /* and the engine has tried, each second */
    end_fault(&fault);
    while (store.ops->collect(store.self, 1000000, &done, 1) == 0) {
        assert_true(rig_waits(&patience));
        disk_pause(place.engine->disk, 100000000);
    }
    assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
    assert_int_equal(done.number, token);
    assert_true(store.ops->takes(store.self));
    append_one(&store, 1, last + 1 + !is_vote);
    sim_end_place(&place, &store);
}

static void a_job_waits_for_what_may_pass(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FAULTS_THAT_PASS; i++)
        for (uint32_t votes = 0; votes <= 1; votes++) a_job_waits_for_the_next_file(faults_that_pass[i], votes);
}

/* The first batch since the engine was opened makes a file, at once: it is not tried as often as a busy driver looks.
 * A log cannot be created meanwhile, and can be later: nothing is poisoned. */
static void a_first_job_waits_for_what_may_pass(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FAULTS_THAT_PASS; i++) {
        struct teak_raft_log_store store;
        struct place place = {.options = rig_options()};
        struct teak_raft_completion done;
        struct fault fault = faults_that_pass[i];
        sim_with_one(&place, &store);
        fault.medium = place.medium;
        begin_fault(&fault);
        assert_int_equal(store.ops->create(store.self, 2, 1), TEAK_RAFT_BUSY);
        const uint32_t met_by_create = fault.met; /* there is a pause, however often it is asked for */
        for (uint32_t times = 0; times < 100; times++)
            assert_int_equal(store.ops->create(store.self, 2, 1), TEAK_RAFT_BUSY);
        assert_int_equal(fault.met, met_by_create);
        append_one(&store, 1, 2);
        const uint64_t begin_ns = teak_now(place.engine);
        const uint32_t met_before = fault.met;
        while (teak_now(place.engine) - begin_ns < UINT64_C(10000000000)) {
            assert_int_equal(store.ops->collect(store.self, 0, &done, 1), 0);
            assert_false(store.ops->takes(store.self));
            disk_pause(place.engine->disk, 1000000);
        }
        const uint32_t met = fault.met - met_before;
        assert_true(met > 50 && met <= 400); /* a try or a few of its files each tenth of a second */
        end_fault(&fault);
        done = collect_one(&place, &store);
        assert_int_equal(done.kind, TEAK_RAFT_JOB_DONE);
        assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
        assert_int_equal(done.number, 2);
        begin_group(&store, 2);
        sim_end_place(&place, &store);
    }
}

/* What waits for an engine that is poisoned meanwhile is told so, at once, and bears the token of the oldest job whose
 * end is not known. */
static void who_waits_is_told_of_poison(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_raft_completion done;
    place.options.arena_bytes = 0;
    sim_begin(&place, &store);
    begin_group(&store, 1);
    struct fault fault = {.medium = place.medium, .kind = DISK_ALLOCATE, .error = EIO};
    begin_fault(&fault);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(store.ops->collect(store.self, 0, &done, 1), 0);
        disk_pause(place.engine->disk, 1000000);
    }
    assert_int_equal(place.engine->pool.failure, EIO);
    sim_hold(&place, &store, true);
    uint64_t index = 0, full;
    do {
        if (store.ops->takes(store.self)) append_bytes(&store, 1, ++index, 4000);
        full = place.engine->writer.full;
        assert_int_equal(store.ops->collect(store.self, 0, &done, 1), 0);
    } while (store.ops->takes(store.self) || place.engine->writer.full != full); /* FULL is asked again at once */
    assert_true(index > 1);
    sim_set_faults(place.medium, (struct sim_faults){.fail_one_in = 1, .seed = 1});
    done = collect_one(&place, &store);
    assert_int_equal(done.kind, TEAK_RAFT_JOB_DONE);
    assert_int_equal(done.outcome, TEAK_RAFT_POISONED);
    assert_int_equal(done.number, 1);
    for (uint32_t i = 0; i < 100; i++) assert_int_equal(store.ops->collect(store.self, 1000000, &done, 1), 0);
    assert_true(store.ops->takes(store.self)); /* nothing waits any more */
    append_one(&store, 1, 1);
    assert_int_equal(collect_one(&place, &store).outcome, TEAK_RAFT_POISONED);
    sim_end_place(&place, &store);
}

/* A limit on the size of files is met before the engine begins to write, and it does not lack space as it knows it: a
 * job that was refused would have ROOM at once, and be refused again. */
static void a_job_waits_while_files_may_not_be_as_large(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct seeded seeded = {.state = 1};
    struct teak_raft_start start = {.applied = 0};
    struct teak_raft_completion done;
    struct rlimit limit;
    dir_begin(&place, &store);
    begin_group(&store, 1);
    append_one(&store, 1, 1);
    wait_for(&store, 1, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit low = {.rlim_cur = RIG_SEGMENT - 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    dir_crash(&place, &store, &seeded);
    assert_int_equal(store.ops->start(store.self, 1, &start), TEAK_RAFT_OK);
    append_one(&store, 1, 2);
    uint32_t told = 0;
    for (uint32_t i = 0; i < 1000; i++) told += store.ops->collect(store.self, 0, &done, 1);
    const bool takes = store.ops->takes(store.self);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(told, 0);
    assert_false(takes);
    wait_for(&store, 1, 2);
    assert_true(store.ops->takes(store.self));
    dir_end(&place, &store);
}

int main(int argc, char **argv)
{
    void *only = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(the_suite_passes, only),
        cmocka_unit_test(a_store_without_promises_is_refused),
        cmocka_unit_test(options_that_do_not_fit_are_told),
        cmocka_unit_test(what_fits_is_taken),
        cmocka_unit_test(a_log_of_somebody_else_is_damaged),
        cmocka_unit_test(groups_share_syncs),
        cmocka_unit_test(a_start_reads_no_entries),
        cmocka_unit_test(a_copy_is_born_anew),
        cmocka_unit_test(who_fetches_anew_waits_for_the_old_no_more),
        cmocka_unit_test(a_read_error_is_not_rot_at_once),
        cmocka_unit_test(a_job_waits_for_what_may_pass),
        cmocka_unit_test(a_first_job_waits_for_what_may_pass),
        cmocka_unit_test(who_waits_is_told_of_poison),
        cmocka_unit_test(a_job_waits_while_files_may_not_be_as_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
