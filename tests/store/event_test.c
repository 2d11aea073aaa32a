/* event_test.c: what a store tells without being asked: each event, with its fields, when every structure is whole;
 * what a callback may do and what it may not; a device that hangs.
 */
#include "store/backends.h"

enum { HEARD_MAX = 4096, MS = 1000000 };

/* A listener: keeps what it hears, and looks at the store each time. */
struct ear {
    struct teak_event heard[HEARD_MAX];
    uint32_t count;
    uint32_t lines, errors; /* of text */
    char last_line[512];
    struct teak_store *store; /* looked at; NULL: not */
    void (*also)(struct ear *ear, const struct teak_event *event);
    void *word;
};

static struct ear ear;

static void hear(void *context, const struct teak_event *event)
{
    struct ear *to = context;
    assert_true(to->count < HEARD_MAX);
    to->heard[to->count++] = *event;
    assert_string_not_equal(teak_event_name(event->kind), "unknown");
    if (to->store) { /* whole: every answer agrees with the others */
        struct teak_stats stats;
        teak_stats(to->store, &stats);
        assert_true(stats.durable_lsn <= stats.last_lsn);
        assert_true(stats.oldest_segment <= stats.newest_segment);
        uint64_t ids[4];
        const uint32_t logs = teak_logs(to->store, true, 0, ids, 4);
        for (uint32_t i = 0; i < logs; i++) {
            const struct teak_log log = rig_log(to->store, ids[i]);
            assert_true(log.durable.index <= log.last.index);
        }
    }
    if (to->also) to->also(to, event);
}

static void hear_text(void *context, enum teak_level level, const char *text)
{
    struct ear *to = context;
    to->lines++;
    if (getenv("TEAK_TEST_TELL")) print_message("%s\n", text);
    to->errors += level == TEAK_LEVEL_ERROR;
    snprintf(to->last_line, sizeof to->last_line, "%s", text);
    assert_null(strchr(text, '\n'));
}

static struct teak_options listening(void)
{
    memset(&ear, 0, sizeof ear);
    struct teak_options options = backend_options();
    options.on_event = hear;
    options.on_log = hear_text;
    options.event_context = &ear;
    return options;
}

static const struct teak_event *last_of(enum teak_event_kind kind)
{
    for (uint32_t i = ear.count; i-- > 0;)
        if (ear.heard[i].kind == kind) return &ear.heard[i];
    return NULL;
}

static uint32_t count_of(enum teak_event_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ear.count; i++) count += ear.heard[i].kind == kind;
    return count;
}

static const struct teak_event *expect_heard(enum teak_event_kind kind)
{
    const struct teak_event *event = last_of(kind);
    if (!event) fail_msg("%s was not told", teak_event_name(kind));
    return event;
}

static void turn_once(struct teak_store *store)
{
    uint32_t count;
    struct teak_completion done[16];
    struct teak_error error = {0};
    rig_ok(teak_poll(store, 0, done, 16, &count, &error), &error);
}

/* Compacted behind the writer, over many segments. */
static void steady(struct teak_store *store, uint64_t first, uint64_t last)
{
    for (uint64_t index = first; index <= last; index++) {
        rig_append_synced(store, 7, index, index, 1, 4000);
        if (index % 8 == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 4});
    }
    rig_drain(store);
}

static void a_segments_life_is_told_in_order(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    const struct teak_options options = listening();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    assert_int_equal(ear.heard[ear.count - 1].kind, TEAK_EVENT_OPENED); /* before teak_open returned */
    assert_int_equal(ear.heard[ear.count - 1].count, 1);
    ear.store = store;
    rig_create(store, 7);
    steady(store, 1, 200);
    turn_once(store);
    const struct teak_stats stats = rig_stats(store);
    assert_int_equal(count_of(TEAK_EVENT_SEGMENT_BEGUN), stats.newest_segment - 1);
    assert_int_equal(count_of(TEAK_EVENT_SEGMENT_SEALED), stats.sealed);
    assert_int_equal(count_of(TEAK_EVENT_SEGMENT_DROPPED), stats.forgotten);
    assert_int_equal(count_of(TEAK_EVENT_SEGMENT_RECYCLED), stats.recycled);
    assert_int_equal(count_of(TEAK_EVENT_SEGMENT_MADE) + 1, stats.filled); /* the first, by the creation itself */
    assert_int_equal(count_of(TEAK_EVENT_EVENTS_LOST), 0);
    assert_int_equal(stats.events, ear.count);
    assert_int_equal(ear.lines, ear.count);
    assert_int_equal(ear.errors, 0);
    /* each segment: ready or recycled, begun, sealed, dropped */
    for (uint64_t number = 2; number < stats.oldest_segment; number++) {
        uint32_t stage = 0;
        for (uint32_t i = 0; i < ear.count; i++) {
            const struct teak_event *event = &ear.heard[i];
            if (event->segment != number) continue;
            switch (event->kind) {
            case TEAK_EVENT_SEGMENT_READY:
            case TEAK_EVENT_SEGMENT_RECYCLED: assert_int_equal(stage++, 0); break;
            case TEAK_EVENT_SEGMENT_BEGUN:
                assert_int_equal(stage++, 1);
                assert_true(event->lsn > 0);
                break;
            case TEAK_EVENT_SEGMENT_SEALED:
                assert_int_equal(stage++, 2);
                assert_true(event->bytes > 0 && event->count > 0 && event->lsn > 0);
                break;
            case TEAK_EVENT_SEGMENT_DROPPED: assert_int_equal(stage++, 3); break;
            default: break;
            }
        }
        assert_int_equal(stage, 4);
    }
    for (uint32_t i = 1; i < ear.count; i++) assert_true(ear.heard[i].when_ns >= ear.heard[i - 1].when_ns);
    const uint64_t durable = rig_stats(store).durable_lsn;
    ear.store = NULL;
    rig_close(store);
    const struct teak_event *closed = &ear.heard[ear.count - 1];
    assert_int_equal(closed->kind, TEAK_EVENT_CLOSED);
    assert_int_equal(closed->status, TEAK_OK);
    assert_true(closed->lsn > durable && closed->count > 200);
    assert_non_null(strstr(ear.last_line, "closed"));
    rig_remove(rig.dir);
}

/* ---- what a callback may do ---- */

static void try_everything(struct ear *to, const struct teak_event *event)
{
    (void)event;
    struct teak_store *store = to->store;
    if (!store) return;
    struct teak_error error = {0};
    uint32_t count;
    void *memory;
    int descriptor;
    assert_int_equal(teak_append(store, 7, 1, 1, "x", 1, 0, &error), TEAK_IN_CALLBACK);
    assert_int_equal(error.status, TEAK_IN_CALLBACK);
    assert_int_equal(teak_create_log(store, 99, 0, NULL), TEAK_IN_CALLBACK);
    assert_int_equal(teak_reserve(store, 8, 1, &memory, NULL), TEAK_IN_CALLBACK);
    assert_int_equal(teak_barrier(store, 0, NULL), TEAK_IN_CALLBACK);
    assert_int_equal(teak_poll(store, 0, NULL, 0, &count, NULL), TEAK_IN_CALLBACK);
    assert_int_equal(teak_drain(store, NULL), TEAK_IN_CALLBACK);
    assert_int_equal(teak_event_fd(store, &descriptor, NULL), TEAK_IN_CALLBACK);
    assert_int_equal(teak_close(store, NULL), TEAK_IN_CALLBACK);
    teak_abandon(store); /* does nothing */
    struct teak_cursor *cursor;
    struct teak_entry entry;
    if (teak_cursor_open(store, 7, 1, &cursor, NULL) == TEAK_OK) {
        rig_ok(teak_cursor_read(cursor, 1, &entry, 1, &count, &error), &error);
        teak_cursor_close(cursor);
        *(uint32_t *)to->word += count;
    }
}

static void a_callback_may_look_and_read_but_not_drive(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    const struct teak_options options = listening();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    uint32_t reads = 0;
    ear.also = try_everything;
    ear.word = &reads;
    rig_create(store, 7);
    rig_append(store, 7, 1, 3, 1, 100);
    ear.store = store;
    rig_append_synced(store, 7, 4, 60, 1, 4000);
    assert_true(reads > 3);
    rig_append_synced(store, 7, 61, 61, 1, 100); /* and afterwards all is as before */
    ear.store = NULL;
    rig_close(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 7, 1, 61);
    assert_int_equal(teak_logs(store, true, 0, (uint64_t[4]){0}, 4), 1);
    rig_close(store);
    rig_remove(rig.dir);
}

static void nobody_need_listen(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    uint64_t last = 0;
    do {
        assert_true(last < 10000);
        steady(store, last + 1, last + 100);
        last += 100;
    } while (rig_stats(store).forgotten == 0);
    const struct teak_stats stats = rig_stats(store);
    assert_int_equal(stats.events + stats.events_lost, 0);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- a device that hangs ---- */

static struct teak_store *open_slow(const struct rig *rig, uint64_t stall_ns, enum teak_strategy strategy,
                                    struct faulty **out)
{
    struct teak_options options = listening();
    options.stall_ns = stall_ns;
    options.strategy = strategy;
    options.segment_bytes = 256 << 10;
    struct teak_store *store = backend_open_faulty(rig, &options, out);
    (*out)->stands_ns = disk_now((*out)->real); /* however slow this machine is, nothing is late but what is made so */
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 5, 1, 100);
    uint32_t rest = 0; /* chores come to it, the idle mark is written */
    for (struct rig_patience patience = {0}; rest < 30 && rig_waits(&patience);) {
        turn_once(store);
        const bool is_at_rest = last_of(TEAK_EVENT_SEGMENT_READY) && rig_stats(store).spares == 1;
        rest = is_at_rest && (*out)->real->submitted == (*out)->real->collected ? rest + 1 : 0;
    }
    assert_int_equal(rest, 30);
    assert_int_equal(count_of(TEAK_EVENT_STALL_BEGUN), 0);
    return store;
}

/* Nothing is out but what is held: so that the test's clock makes nothing else late. */
static void let_land(struct teak_store *store, struct faulty *faulty)
{
    for (struct rig_patience patience = {0}; rig_waits(&patience);) {
        turn_once(store);
        if (faulty->held_count > 0 && faulty->real->submitted == faulty->real->collected) return;
    }
    fail_msg("the disk never came to rest");
}

static void submit_small(struct teak_store *store, uint64_t index)
{
    struct teak_error error = {0};
    rig_ok(teak_append(store, 7, index, 1, "hangs", 5, index, &error), &error);
}

/* With a clock of the test's own: nothing takes a second here. */
static void a_write_that_hangs_is_told_while_it_hangs_and_when_it_ends(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_store *store = open_slow(&rig, 0, TEAK_DSYNC, &faulty);
    faulty->holds_writes = true;
    submit_small(store, 6);
    let_land(store, faulty);
    const uint64_t deadline = teak_deadline(store); /* an event loop comes back for it */
    assert_true(deadline != TEAK_NO_DEADLINE && deadline <= disk_now(&faulty->disk) + UINT64_C(1000000000));
    faulty->ahead_ns += UINT64_C(900000000);
    turn_once(store);
    assert_int_equal(count_of(TEAK_EVENT_STALL_BEGUN), 0);
    faulty->ahead_ns += UINT64_C(200000000);
    turn_once(store);
    const struct teak_event *begun = expect_heard(TEAK_EVENT_STALL_BEGUN);
    assert_string_equal(begun->operation, "write");
    assert_int_equal(begun->segment, 1);
    assert_true(begun->lsn > 0 && begun->bytes == RIG_BLOCK && begun->offset > 0);
    assert_true(begun->duration_ns >= UINT64_C(1100000000));
    assert_int_equal(begun->level, TEAK_LEVEL_WARNING);
    struct teak_stats stats = rig_stats(store);
    assert_int_equal(stats.slow_writes, 1);
    assert_int_equal(stats.stalled_now, 1);
    assert_int_equal(stats.longest_stall_ns, 0);
    faulty->ahead_ns += UINT64_C(5000000000);
    turn_once(store);
    assert_int_equal(count_of(TEAK_EVENT_STALL_BEGUN), 1); /* once */
    assert_int_equal(count_of(TEAK_EVENT_STALL_ENDED), 0);
    faulty_release_all(faulty);
    rig_drain(store);
    const struct teak_event *ended = expect_heard(TEAK_EVENT_STALL_ENDED);
    assert_true(ended->duration_ns >= UINT64_C(6100000000));
    assert_int_equal(ended->lsn, last_of(TEAK_EVENT_STALL_BEGUN)->lsn);
    stats = rig_stats(store);
    assert_int_equal(stats.slow_writes, 1);
    assert_int_equal(stats.slow_syncs, 0);
    assert_int_equal(stats.stalled_now, 0);
    assert_int_equal(stats.longest_stall_ns, ended->duration_ns);
    rig_close(store);
    rig_remove(rig.dir);
}

/* It left while the caller was submitting, and hangs since then: not since the turn that found it. */
static void a_write_that_left_with_a_batch_is_watched_from_then_on(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_store *store = open_slow(&rig, 0, TEAK_DSYNC, &faulty);
    faulty->holds_writes = true;
    store->lane_bytes = 1;
    submit_small(store, 6);
    assert_int_equal(faulty->held_count, 1);
    faulty->ahead_ns += UINT64_C(1100000000);
    turn_once(store);
    assert_string_equal(expect_heard(TEAK_EVENT_STALL_BEGUN)->operation, "write");
    faulty_release_all(faulty);
    rig_drain(store);
    assert_true(expect_heard(TEAK_EVENT_STALL_ENDED)->duration_ns >= UINT64_C(1100000000));
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_sync_that_hangs_is_told(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_store *store = open_slow(&rig, 5000 * (uint64_t)MS, TEAK_FDATASYNC, &faulty);
    faulty->holds_syncs = true;
    submit_small(store, 6);
    let_land(store, faulty);
    faulty->ahead_ns += UINT64_C(6000000000);
    turn_once(store);
    const struct teak_event *begun = expect_heard(TEAK_EVENT_STALL_BEGUN);
    assert_string_equal(begun->operation, "sync");
    assert_int_equal(begun->segment, 1);
    faulty_release_all(faulty);
    rig_drain(store);
    assert_string_equal(expect_heard(TEAK_EVENT_STALL_ENDED)->operation, "sync");
    assert_int_equal(rig_stats(store).slow_syncs, 1);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_chore_that_hangs_is_told_too(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_options options = listening();
    options.stall_ns = 5000 * (uint64_t)MS;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    faulty->stands_ns = disk_now(faulty->real);
    faulty->holds_chores = true;
    rig_create(store, 7);
    let_land(store, faulty);
    assert_int_equal(faulty->held_count, 1);
    faulty->ahead_ns += UINT64_C(6000000000);
    turn_once(store);
    assert_int_equal(count_of(TEAK_EVENT_STALL_BEGUN), 1);
    faulty_release_all(faulty);
    rig_append_synced(store, 7, 1, 30, 1, 4000);
    assert_int_equal(count_of(TEAK_EVENT_STALL_ENDED), 1);
    assert_int_equal(count_of(TEAK_EVENT_STALL_BEGUN), 1);
    rig_close(store);
    rig_remove(rig.dir);
}

static void release_when_told(struct ear *to, const struct teak_event *event)
{
    if (event->kind == TEAK_EVENT_STALL_BEGUN) faulty_release_all(to->word);
}

/* Who waits for ever is told, and goes on waiting: one call of teak_poll. */
static void who_waits_in_poll_is_told_meanwhile(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_store *store = open_slow(&rig, 300 * MS, TEAK_DSYNC, &faulty);
    faulty->stands_ns = 0;
    ear.also = release_when_told;
    ear.word = faulty;
    faulty->holds_writes = true;
    submit_small(store, 6);
    struct teak_completion done;
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(teak_poll(store, UINT64_C(20000000000), &done, 1, &count, &error), &error);
    assert_int_equal(count, 1);
    assert_int_equal(done.tag, 6);
    assert_true(count_of(TEAK_EVENT_STALL_BEGUN) >= 1);
    assert_int_equal(count_of(TEAK_EVENT_STALL_ENDED), count_of(TEAK_EVENT_STALL_BEGUN));
    rig_close(store);
    rig_remove(rig.dir);
}

/* A host that looks too seldom makes no stall out of a write that was done long before. */
static void a_host_that_sleeps_is_no_stall(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_store *store = open_slow(&rig, 2000 * (uint64_t)MS, TEAK_DSYNC, &faulty);
    submit_small(store, 6);
    turn_once(store);
    faulty_land(faulty);
    faulty->ahead_ns += UINT64_C(3000000000);
    rig_drain(store);
    assert_int_equal(count_of(TEAK_EVENT_STALL_BEGUN) + count_of(TEAK_EVENT_STALL_ENDED), 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void nobody_waits_for_stalls_where_they_are_off(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_store *store = open_slow(&rig, TEAK_FOREVER, TEAK_DSYNC, &faulty);
    faulty->holds_writes = true;
    submit_small(store, 6);
    let_land(store, faulty);
    faulty->ahead_ns += UINT64_C(100000000000);
    turn_once(store);
    assert_int_equal(count_of(TEAK_EVENT_STALL_BEGUN), 0);
    assert_int_equal(rig_stats(store).slow_writes, 0);
    faulty_release_all(faulty);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- what goes wrong ---- */

static void poison_is_told_once_with_its_first_cause(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_store *store = open_slow(&rig, 0, TEAK_DSYNC, &faulty);
    assert_false(rig_stats(store).poisoned);
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
    faulty->for_good = true;
    submit_small(store, 6);
    struct teak_completion done[4];
    uint32_t count = 0;
    struct teak_error error = {0};
    for (struct rig_patience patience = {0}; count == 0 && rig_waits(&patience);)
        (void)teak_poll(store, 10 * MS, done, 4, &count, &error);
    assert_true(count > 0);
    assert_int_equal(done[0].status, TEAK_POISONED);
    const struct teak_event *event = expect_heard(TEAK_EVENT_POISONED);
    assert_int_equal(event->os_errno, EIO);
    assert_int_equal(event->status, TEAK_POISONED);
    assert_string_equal(event->operation, "write");
    assert_int_equal(event->segment, 1);
    assert_true(event->offset > 0);
    assert_int_equal(event->level, TEAK_LEVEL_ERROR);
    assert_true(rig_stats(store).poisoned);
    assert_int_equal(teak_poll(store, 0, done, 4, &count, &error), TEAK_POISONED);
    assert_int_equal(teak_close(store, &error), TEAK_POISONED);
    assert_int_equal(count_of(TEAK_EVENT_POISONED), 1);
    assert_int_equal(expect_heard(TEAK_EVENT_CLOSED)->status, TEAK_POISONED);
    rig_remove(rig.dir);
}

static void a_read_that_meets_rot_is_told(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 60, 3, 4000);
    rig_close(store);
    assert_true(rig_rot_entry(&rig, 1, 7, 2, 3, 4000));
    const struct teak_options options = listening();
    store = rig_open_with(&rig, &options, NULL);
    struct teak_cursor *cursor;
    struct teak_entry entry[4];
    uint32_t count;
    assert_int_equal(teak_cursor_open(store, 7, 2, &cursor, NULL), TEAK_OK);
    assert_int_equal(teak_cursor_read(cursor, 1, entry, 4, &count, NULL), TEAK_HASH_MISMATCH);
    assert_int_equal(count_of(TEAK_EVENT_DAMAGE), 0); /* not from within the read */
    turn_once(store);
    const struct teak_event *event = expect_heard(TEAK_EVENT_DAMAGE);
    assert_int_equal(event->status, TEAK_HASH_MISMATCH);
    assert_int_equal(event->log, 7);
    assert_int_equal(event->index, 2);
    assert_int_equal(event->term, 3);
    assert_int_equal(event->segment, 1);
    assert_int_equal(rig_stats(store).damaged_reads, 1);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_cut_tail_is_told_and_counted(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 5, 1, 4000);
    teak_abandon(store);
    assert_true(rig_rot_entry(&rig, 1, 7, 5, 1, 4000));
    const struct teak_options options = listening();
    struct teak_report report;
    store = rig_open_with(&rig, &options, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CUT);
    const struct teak_event *event = expect_heard(TEAK_EVENT_TAIL_CUT);
    assert_int_equal(event->segment, report.cut_segment);
    assert_int_equal(event->offset, report.cut_offset);
    assert_int_equal(event->bytes, report.cut_bytes);
    assert_int_equal(event->level, TEAK_LEVEL_INFO);
    assert_int_equal(rig_stats(store).cut_bytes, report.cut_bytes);
    assert_int_equal(rig_stats(store).cut_frames, report.cut_frames);
    rig_close(store);
    rig_remove(rig.dir);
}

static void little_space_is_told_once(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct teak_options options = listening();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    faulty->free_bytes = 4 * RIG_SEGMENT - 1;
    rig_create(store, 7);
    steady(store, 1, 60);
    assert_int_equal(count_of(TEAK_EVENT_SPACE_LOW), 1);
    assert_int_equal(expect_heard(TEAK_EVENT_SPACE_LOW)->bytes, faulty->free_bytes);
    assert_int_equal(rig_stats(store).free_bytes, faulty->free_bytes);
    faulty->free_bytes = 5 * RIG_SEGMENT;
    steady(store, 61, 100);
    faulty->free_bytes = RIG_SEGMENT;
    steady(store, 101, 150);
    assert_int_equal(count_of(TEAK_EVENT_SPACE_LOW), 2);
    rig_close(store);
    options = listening();
    options.space_low_bytes = 1;
    store = rig_open_with(&rig, &options, NULL);
    steady(store, 151, 170);
    assert_int_equal(count_of(TEAK_EVENT_SPACE_LOW), 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_supply_that_fails_is_told(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    const struct teak_options options = listening();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    faulty->chores_too = faulty->for_good = true;
    faulty_arm(faulty, DISK_ALLOCATE, 1, EIO);
    rig_create(store, 7);
    for (struct rig_patience patience = {0}; !last_of(TEAK_EVENT_SUPPLY_FAILED) && rig_waits(&patience);)
        turn_once(store);
    assert_int_equal(expect_heard(TEAK_EVENT_SUPPLY_FAILED)->os_errno, EIO);
    faulty->ahead_ns += UINT64_C(2000000000); /* a second try fails alike: told once */
    for (struct rig_patience patience = {0}; rig_stats(store).supply_failures < 2 && rig_waits(&patience);)
        turn_once(store);
    assert_int_equal(rig_stats(store).supply_failures, 2);
    assert_int_equal(count_of(TEAK_EVENT_SUPPLY_FAILED), 1);
    faulty->nth = 0;
    rig_close(store);
    rig_remove(rig.dir);
}

static bool has_next_segment(struct teak_store *store, void *context)
{
    (void)context;
    return store->segments.ready != NULL;
}

/* The first batch makes a file itself, or takes back the name of the next segment that was not used, and is answered;
 * who gives its batches to somebody else hears of it, too. */
static void first_batch_is_told(bool has_next)
{
    const struct rig rig = rig_make("event");
    const struct teak_options options = listening();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    faulty->holds_chores = !has_next;
    rig_create(store, 7);
    rig_drain(store);
    if (has_next) rig_drive_until(store, has_next_segment, NULL);
    teak_abandon(store);
    store = backend_open_faulty(&rig, &options, &faulty);
    faulty->chores_too = faulty->for_good = true;
    faulty_arm(faulty, DISK_RENAME, 1, EIO);
    struct teak_error error;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(teak_create_log(store, 8, 0, &error), TEAK_IO);
        assert_int_equal(error.os_errno, EIO);
        turn_once(store);
        assert_int_equal(count_of(TEAK_EVENT_SUPPLY_FAILED), 1);
        assert_true(rig_stats(store).supply_failures > (uint64_t)i);
    }
    assert_int_equal(expect_heard(TEAK_EVENT_SUPPLY_FAILED)->os_errno, EIO);
    faulty->nth = 0;
    rig_create(store, 8);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_first_batch_that_gets_no_file_is_told(void **state)
{
    (void)state;
    first_batch_is_told(false);
    first_batch_is_told(true);
}

static void a_first_batch_that_poisons_is_no_lack_of_files(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    const struct teak_options options = listening();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 7);
    rig_drain(store);
    teak_abandon(store);
    store = backend_open_faulty(&rig, &options, &faulty);
    faulty_arm(faulty, DISK_WRITE, 1, EIO); /* of a frame, not of a chore */
    struct teak_error error;
    assert_int_equal(teak_create_log(store, 8, 0, &error), TEAK_POISONED);
    assert_int_equal(teak_poll(store, 0, NULL, 0, NULL, &error), TEAK_POISONED);
    assert_int_equal(count_of(TEAK_EVENT_POISONED), 1);
    assert_int_equal(count_of(TEAK_EVENT_SUPPLY_FAILED), 0);
    assert_int_equal(rig_stats(store).supply_failures, 0);
    teak_abandon(store);
    rig_remove(rig.dir);
}

/* ---- counting, text ---- */

static void work_that_surely_left_the_thread_is_counted(void **state)
{
    (void)state;
    const struct rig rig = rig_make("event");
    struct faulty *faulty;
    struct teak_store *store = open_slow(&rig, 0, TEAK_FDATASYNC, &faulty);
    const struct teak_stats before = rig_stats(store);
    rig_append_synced(store, 7, 6, 15, 1, 100);
    const struct teak_stats after = rig_stats(store);
    /* io_uring: each sync, at least. posix: a lone operation runs where it is collected */
    if (backend_now == TEAK_BACKEND_URING)
        assert_true(after.worker_ops - before.worker_ops >= after.syncs - before.syncs);
    else
        assert_true(after.worker_ops > 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void what_is_not_kept_is_counted(void **state)
{
    (void)state;
    static struct events events;
    static const uint64_t now_ns = 7;
    listening();
    events = (struct events){.on_event = hear, .context = &ear, .now_ns = &now_ns};
    for (uint32_t i = 0; i < EVENTS_KEPT + 3; i++)
        event_put(&events, (struct teak_event){.kind = TEAK_EVENT_SEGMENT_BEGUN, .segment = i + 1});
    assert_int_equal(ear.count, 0);
    events_deliver(&events);
    assert_int_equal(ear.count, EVENTS_KEPT + 1);
    assert_int_equal(ear.heard[0].segment, 1);
    assert_int_equal(ear.heard[0].when_ns, 7);
    assert_int_equal(ear.heard[EVENTS_KEPT - 1].segment, EVENTS_KEPT);
    assert_int_equal(ear.heard[EVENTS_KEPT].kind, TEAK_EVENT_EVENTS_LOST);
    assert_int_equal(ear.heard[EVENTS_KEPT].count, 3);
    assert_int_equal(events.lost, 3);
    events_deliver(&events);
    assert_int_equal(ear.count, EVENTS_KEPT + 1);
}

static void an_event_is_one_line(void **state)
{
    (void)state;
    const struct teak_event event = {.kind = TEAK_EVENT_STALL_BEGUN, .segment = 12, .offset = 4096, .lsn = 9,
                                     .bytes = 8192, .duration_ns = UINT64_C(1234567890), .operation = "write"};
    char text[256], small[8] = "1234567";
    const size_t bytes = teak_event_text(&event, text, sizeof text);
    assert_string_equal(text, "stall_begun: the device has not answered for longer than stall_ns; while: write; "
                              "segment 12 at offset 4096; lsn 9; 8192 bytes; 1234.567 ms");
    assert_int_equal(bytes, strlen(text));
    assert_int_equal(teak_event_text(&event, small, sizeof small), bytes);
    assert_string_equal(small, "stall_b");
    assert_int_equal(teak_event_text(&event, NULL, 0), bytes);
    assert_string_equal(teak_event_name((enum teak_event_kind)999), "unknown");
    const struct teak_event damage = {.kind = TEAK_EVENT_DAMAGE, .log = 3, .index = 4, .term = 5,
                                      .status = TEAK_HASH_MISMATCH, .os_errno = EIO};
    teak_event_text(&damage, text, sizeof text);
    assert_non_null(strstr(text, "log 3 index 4 term 5; status hash_mismatch; system: Input/output error"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segments_life_is_told_in_order),
        cmocka_unit_test(a_callback_may_look_and_read_but_not_drive),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(a_write_that_hangs_is_told_while_it_hangs_and_when_it_ends),
        cmocka_unit_test(a_write_that_left_with_a_batch_is_watched_from_then_on),
        cmocka_unit_test(a_sync_that_hangs_is_told),
        cmocka_unit_test(a_chore_that_hangs_is_told_too),
        cmocka_unit_test(who_waits_in_poll_is_told_meanwhile),
        cmocka_unit_test(a_host_that_sleeps_is_no_stall),
        cmocka_unit_test(nobody_waits_for_stalls_where_they_are_off),
        cmocka_unit_test(poison_is_told_once_with_its_first_cause),
        cmocka_unit_test(a_read_that_meets_rot_is_told),
        cmocka_unit_test(a_cut_tail_is_told_and_counted),
        cmocka_unit_test(little_space_is_told_once),
        cmocka_unit_test(a_supply_that_fails_is_told),
        cmocka_unit_test(a_first_batch_that_gets_no_file_is_told),
        cmocka_unit_test(a_first_batch_that_poisons_is_no_lack_of_files),
        cmocka_unit_test(work_that_surely_left_the_thread_is_counted),
        cmocka_unit_test(what_is_not_kept_is_counted),
        cmocka_unit_test(an_event_is_one_line),
    };
    return backends_run(argc, argv, "events", tests, sizeof tests / sizeof tests[0]);
}
