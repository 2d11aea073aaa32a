/* history_disk_test.c: histories that are judged by what the engine asks of the disk, in which order, and what it holds
 * of the process; by their number, as in history_test.c.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "store/backends.h"
#include "store/reader.h"

enum { TRACE = 20000, EVENTS = 256 };

static struct faulty_trace trace[TRACE];

/* Submits once, whatever the answer; drives for a moment without waiting for completions. */
static bool append_and_turn(struct teak_store *store, uint64_t index, uint32_t bytes)
{
    uint8_t data[4096];
    struct teak_error error = {0};
    struct teak_completion done[16];
    uint32_t count;
    rig_fill(data, bytes, 7, index, 1);
    const enum teak_status status = teak_append(store, 7, index, 1, data, bytes, index, &error);
    if (status != TEAK_FULL) rig_ok(status, &error);
    rig_ok(teak_poll(store, 1000000, done, 16, &count, &error), &error);
    return status == TEAK_OK;
}

static bool is_one_sealed(struct teak_store *store, void *context)
{
    (void)context;
    return rig_stats(store).sealed >= 1;
}

static void history_02_nothing_is_sealed_before_the_checkpoint_behind_it_is_durable(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h2");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 7);
    rig_drain(store);
    uint64_t next = 1;
    for (;;) { /* every frame of the first segment is durable when the second begins */
        faulty->holds_writes = true;
        next += append_and_turn(store, next, 3000);
        if (rig_stats(store).newest_segment > 1) break;
        faulty_release_all(faulty);
        rig_drain(store);
        assert_true(next < 100);
    }
    struct teak_error error = {0};
    uint32_t count;
    for (int turns = 0; turns < 100; turns++) rig_ok(teak_poll(store, 1000000, NULL, 0, &count, &error), &error);
    assert_true(faulty->held_count > 0);
    assert_int_equal(rig_stats(store).sealed, 0);
    faulty_release_all(faulty);
    rig_drive_until(store, is_one_sealed, NULL);
    rig_close(store);
    rig_remove(rig.dir);
}

/* Position among what is held of the first frame of another file than the oldest one's. */
static uint32_t held_checkpoint(const struct faulty *faulty)
{
    for (uint32_t i = 0; i < faulty->held_count; i++)
        if (faulty->held[i]->file != faulty->held[0]->file && faulty->held[i]->offset == RIG_BLOCK) return i;
    return 0;
}

static void history_04_where_a_segment_ends_is_not_whether_it_is_durable(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h4"), cut = rig_make("h4cut");
    struct teak_options options = backend_options();
    options.strategy = TEAK_DSYNC;
    options.in_flight = 32;
    options.group_bytes = RIG_BLOCK;
    options.arena_bytes = 1 << 20;
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 3000);
    faulty->holds_writes = true;
    uint64_t next = 4;
    uint32_t checkpoint = 0;
    for (struct rig_patience patience = {0}; checkpoint == 0 && rig_waits(&patience);) {
        next += append_and_turn(store, next, 3000);
        checkpoint = held_checkpoint(faulty);
    }
    assert_true(checkpoint > 0); /* so many frames before it are missing when it lands */
    while (faulty->held_count > checkpoint) disk_submit(faulty->real, faulty->held[--faulty->held_count]);
    struct teak_error error = {0};
    uint32_t count;
    while (faulty->real->submitted != faulty->real->collected)
        rig_ok(teak_poll(store, 1000000, NULL, 0, &count, &error), &error);
    rig_copy(&rig, &cut);
    faulty_release_all(faulty);
    rig_close(store);
    for (uint64_t last = 3; last <= 5; last++) {
        struct teak_report report;
        store = rig_open(&cut, &report);
        if (last == 3) assert_int_equal(report.verdict, TEAK_VERDICT_CUT);
        rig_expect_entries(store, 7, 1, last);
        rig_append_synced(store, 7, last + 1, last + 1, 1, 10);
        teak_abandon(store);
    }
    rig_remove(cut.dir);
    rig_remove(rig.dir);
}

/* ---- the page cache ---- */

struct event {
    enum { SYNCED, DROPPED, READ } what;
    int32_t file;
    uint64_t bytes;
};

static const struct disk_ops *noted_ops;
static struct event events[EVENTS];
static uint32_t event_count;

static void note(struct event event)
{
    assert_true(event_count < EVENTS);
    events[event_count++] = event;
}

static int noting_run(struct disk *disk, struct disk_op *op)
{
    const int error = noted_ops->run(disk, op);
    if (op->kind == DISK_SYNC) note((struct event){SYNCED, op->file, 0});
    if (op->kind == DISK_READ) note((struct event){READ, op->file, op->bytes});
    return error;
}

static int noting_drop_cache(struct disk *disk, int32_t file)
{
    note((struct event){DROPPED, file, 0});
    return noted_ops->drop_cache(disk, file);
}

static bool was(uint32_t end, int what, int32_t file)
{
    for (uint32_t i = 0; i < end; i++)
        if ((int)events[i].what == what && events[i].file == file) return true;
    return false;
}

static void history_13_what_is_scanned_is_read_from_the_medium(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h13");
    struct teak_options options = backend_options();
    options.strategy = TEAK_BUFFERED;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 5, 1, 1000);
    teak_abandon(store);
    struct faulty *faulty = faulty_make(backend_now);
    assert_non_null(faulty);
    noted_ops = faulty->disk.ops;
    struct disk_ops noting = *noted_ops;
    noting.run = noting_run;
    noting.drop_cache = noting_drop_cache;
    faulty->disk.ops = &noting;
    event_count = 0;
    struct teak_error error = {0};
    rig_ok(store_open_on(&faulty->disk, rig.dir, &options, &store, NULL, &error), &error);
    uint32_t dropped = 0, scanned = 0;
    for (uint32_t i = 0; i < event_count; i++) {
        if (events[i].what == DROPPED) {
            assert_true(was(i, SYNCED, events[i].file));
            dropped++;
        }
        if (events[i].what != READ || events[i].bytes <= RIG_BLOCK) continue;
        assert_true(was(i, DROPPED, events[i].file)); /* identity and footer are one block each */
        scanned++;
    }
    assert_true(dropped >= 1 && scanned >= dropped);
    teak_abandon(store);
    store = rig_open_with(&rig, &options, NULL);
    rig_expect_entries(store, 7, 1, 5);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- files ---- */

static uint32_t last_before(uint32_t end, enum disk_kind kind, int32_t file)
{
    while (end-- > 0)
        if (trace[end].kind == kind && (file == DISK_NONE || trace[end].file == file)) return end;
    fail_msg("never asked for");
    return 0;
}

/* Histories 16 and 32: filled or recycled, a file gets its identity, a sync, its name, a sync of the directory, and
 * only then a frame. The pool asks for one at a time, so the order of asking is the order of ending. */
static void history_16_no_frame_is_written_before_the_name_of_its_file_is_durable(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h16");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    faulty->trace = trace;
    faulty->trace_room = TRACE;
    rig_create(store, 7);
    for (uint64_t index = 1; index <= 150; index++) {
        rig_append(store, 7, index, index, 1, 4000);
        if (index % 8 == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 4});
    }
    rig_drain(store);
    assert_true(rig_stats(store).recycled > 0);
    const uint32_t count = faulty->trace_count;
    assert_true(count < TRACE);
    uint32_t begun = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct faulty_trace *op = &trace[i];
        if (op->kind != DISK_WRITE || (op->flags & DISK_CHORE) || op->offset != RIG_BLOCK) continue;
        begun++;
        const uint32_t named = last_before(i, DISK_SYNC_ALL, DISK_NONE);
        const uint32_t renamed = last_before(named, DISK_RENAME, DISK_NONE);
        const uint32_t synced = last_before(renamed, DISK_SYNC, op->file);
        const uint32_t identity = last_before(synced, DISK_WRITE, op->file);
        assert_int_equal(trace[identity].offset, 0);
        assert_int_equal(trace[identity].bytes, RIG_BLOCK);
        for (uint32_t k = identity + 1; k < i; k++) /* nothing else into that file */
            assert_false(trace[k].kind == DISK_WRITE && trace[k].file == op->file);
    }
    assert_true(begun >= 8);
    rig_close(store);
    rig_remove(rig.dir);
}

static void history_28_no_space_in_a_prepared_segment_is_a_failed_write(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h28");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    faulty_arm(faulty, DISK_WRITE, 1, ENOSPC);
    rig_append(store, 7, 4, 4, 1, 100);
    struct teak_error error = {0};
    assert_int_equal(teak_drain(store, &error), TEAK_POISONED);
    assert_int_equal(error.os_errno, ENOSPC);
    rig_expect_entries(store, 7, 1, 3);
    assert_int_equal(teak_close(store, &error), TEAK_POISONED);
    rig_remove(rig.dir);
}

static void history_36_a_page_that_cannot_be_had_is_a_status(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h36");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append(store, 7, 1, 100, 1, 3000);
    rig_close(store);
    const struct teak_options options = backend_options();
    for (uint64_t nth = 1; nth <= 2; nth++) { /* the summary's pages, the slots' */
        struct faulty *faulty;
        store = backend_open_faulty(&rig, &options, &faulty);
        struct teak_cursor *cursor;
        struct teak_error error = {0};
        struct teak_entry entry;
        uint32_t count;
        enum teak_status status = TEAK_OK;
        faulty_arm(faulty, DISK_POPULATE, nth, EIO);
        rig_ok(teak_cursor_open(store, 7, 1, &cursor, &error), &error);
        for (int i = 0; i < 100 && status == TEAK_OK; i++)
            status = teak_cursor_read(cursor, 0, &entry, 1, &count, &error);
        assert_int_equal(faulty->struck, 1);
        assert_int_equal(status, TEAK_IO);
        assert_int_equal(error.os_errno, EIO);
        teak_cursor_close(cursor);
        rig_expect_entries(store, 7, 1, 100);
        rig_append_synced(store, 7, 101, 101, 1, 10); /* nobody was poisoned */
        teak_abandon(store);
        store = backend_open(&rig);
        rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 7, .index = 101});
        rig_close(store);
    }
    rig_remove(rig.dir);
}

/* A page of the file in the cache is one that each direct write has to throw out first. */
static void history_37_the_active_segment_has_no_cached_pages(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h37");
    struct teak_store *store = backend_open(&rig);
    if (!(store->open_flags & DISK_DIRECT)) { /* without direct writes they all go through it */
        rig_close(store);
        rig_remove(rig.dir);
        skip();
    }
    rig_create(store, 7);
    for (uint64_t index = 1; index <= 150; index++) { /* filled files, and files taken again */
        rig_append(store, 7, index, index, 1, 4000);
        if (index % 8 == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 4});
    }
    rig_drain(store);
    char name[64], path[2 * RIG_PATH];
    rig_segment_name(rig_stats(store).newest_segment, name);
    rig_path(&rig, name, path);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    void *map = mmap(NULL, RIG_SEGMENT, PROT_READ, MAP_SHARED, file, 0);
    assert_true(map != MAP_FAILED);
    unsigned char is_cached[RIG_SEGMENT / RIG_BLOCK];
    assert_int_equal(mincore(map, RIG_SEGMENT, is_cached), 0);
    for (uint32_t i = 0; i < RIG_SEGMENT / RIG_BLOCK; i++) assert_int_equal(is_cached[i] & 1, 0);
    munmap(map, RIG_SEGMENT);
    close(file);
    rig_close(store);
    rig_remove(rig.dir);
}

enum { PIECE = 256 * 1024 };

/* A segment full of entries without payload, and one more: its index is some MiB. Returns the next entry's index. */
static uint64_t fill_first_segment(struct teak_store *store)
{
    enum { MANY = 1000 };
    static struct teak_bytes none[MANY];
    rig_create(store, 7);
    uint64_t next = 1;
    for (; rig_stats(store).newest_segment < 2; next += MANY)
        rig_do(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 7, .index = next, .term = 1, .entries = none,
                                       .count = MANY});
    return next;
}

/* Of the first segment. Behind it nothing but the index is a chore's write into this file. */
static uint32_t first_frame(void)
{
    uint32_t first = 0;
    while (trace[first].kind != DISK_WRITE || (trace[first].flags & DISK_CHORE)) first++;
    return first;
}

/* The largest write of the index of the first segment from `begin` on. */
static uint64_t largest_index_write(const struct faulty *faulty, uint32_t begin)
{
    assert_true(faulty->trace_count < TRACE);
    const uint32_t first = first_frame();
    uint64_t largest = 0;
    for (uint32_t i = begin > first ? begin : first; i < faulty->trace_count; i++)
        if (trace[i].kind == DISK_WRITE && (trace[i].flags & DISK_CHORE) && trace[i].file == trace[first].file)
            largest = max_u64(largest, trace[i].bytes);
    return largest;
}

static struct teak_store *open_traced(const struct rig *rig, struct faulty **faulty)
{
    struct teak_options options = backend_options();
    options.segment_bytes = 8 << 20;
    struct teak_store *store = backend_open_faulty(rig, &options, faulty);
    (*faulty)->trace = trace;
    (*faulty)->trace_room = TRACE;
    return store;
}

static void history_38_an_index_is_written_in_pieces(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h38");
    struct faulty *faulty;
    struct teak_store *store = open_traced(&rig, &faulty);
    const uint64_t next = fill_first_segment(store);
    rig_drive_until(store, is_one_sealed, NULL);
    assert_true(rig_stats(store).index_bytes > 8 * PIECE);
    assert_int_equal(largest_index_write(faulty, 0), PIECE);
    rig_drain(store);
    assert_int_equal(rig_log(store, 7).durable.index, next - 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* From the first frame of another file on, the next segment's checkpoint, chores stand still. */
static void hold_chores_from_the_next_segment_on(void *context, const struct disk_op *op)
{
    struct faulty *faulty = context;
    if (op->kind != DISK_WRITE || (op->flags & DISK_CHORE)) return;
    if (op->file != trace[first_frame()].file) faulty->holds_chores = true;
}

/* Beside frames of several MiB an operation takes milliseconds: a quarter of what they are goes in one. */
static void history_38_beside_large_frames_several_pieces_go_in_a_write(void **state)
{
    (void)state;
    enum { LARGE = 1 << 20 };
    static uint8_t data[LARGE];
    const struct rig rig = rig_make("h38_large");
    struct faulty *faulty;
    struct teak_store *store = open_traced(&rig, &faulty);
    faulty->watch = hold_chores_from_the_next_segment_on;
    faulty->watch_context = faulty;
    const uint64_t next = fill_first_segment(store);
    rig_drain(store);
    const uint32_t chores = faulty->held_count;
    faulty->watch = NULL;
    faulty->holds_writes = true;
    struct teak_error error = {0};
    for (uint64_t index = next; index < next + 2; index++)
        rig_ok(teak_append(store, 7, index, 1, data, LARGE, index, &error), &error);
    assert_in_range(flight_bytes_flying(&store->flight), 2 * LARGE, 3 * LARGE);
    const uint32_t begin = faulty->trace_count; /* what is held was begun before */
    faulty->holds_chores = false;
    faulty_release(faulty, chores);
    rig_drive_until(store, is_one_sealed, NULL);
    assert_int_equal(largest_index_write(faulty, begin), 2 * PIECE); /* of 2 MiB and a little: two whole pieces */
    faulty_release_all(faulty);
    rig_drain(store);
    assert_int_equal(rig_log(store, 7).durable.index, next + 1);
    rig_close(store);
    store = open_traced(&rig, &faulty);
    assert_int_equal(rig_log(store, 7).last.index, next + 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- the process ---- */

enum { FILES = 4096 };

/* Descriptors that are open; those that were not `before` must not be handed on to a program that is started. */
static uint32_t descriptors(const bool before[FILES], bool out[FILES])
{
    DIR *list = opendir("/proc/self/fd");
    assert_non_null(list);
    uint32_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        const int file = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || file == dirfd(list)) continue;
        count++;
        assert_true(file < FILES);
        if (out) out[file] = true;
        if (before && !before[file]) assert_true(fcntl(file, F_GETFD) & FD_CLOEXEC);
    }
    closedir(list);
    return count;
}

/* Histories 21 and 40. */
static void history_21_descriptors_are_few_and_never_inherited(void **state)
{
    (void)state;
    enum { SEGMENTS = 110, OTHERS = 24 };
    const struct rig rig = rig_make("h21");
    static bool before[FILES];
    memset(before, 0, sizeof before);
    const uint32_t others = descriptors(NULL, before);
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    uint64_t last = 0;
    while (rig_stats(store).newest_segment < SEGMENTS) {
        rig_append(store, 7, last + 1, last + 8, 1, 12000);
        last += 8;
    }
    rig_drain(store);
    int event;
    struct teak_error error = {0};
    rig_ok(teak_event_fd(store, &event, &error), &error);
    for (int reopened = 0; reopened <= 1; reopened++) {
        rig_expect_entries(store, 7, 1, last);
        assert_true(rig_stats(store).segments >= SEGMENTS);
        assert_true(descriptors(before, NULL) <= others + READER_OPEN_MAX + OTHERS);
        rig_expect_entries(store, 7, 1, last); /* and what was closed is opened again */
        assert_true(descriptors(before, NULL) <= others + READER_OPEN_MAX + OTHERS);
        rig_close(store);
        assert_int_equal(descriptors(before, NULL), others);
        if (!reopened) store = backend_open(&rig);
    }
    rig_remove(rig.dir);
}

static uint64_t blocked_signals(const char *task)
{
    char path[300], line[256];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
    FILE *file = fopen(path, "r");
    uint64_t blocked = UINT64_MAX; /* it ended meanwhile */
    if (!file) return blocked;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "SigBlk: %" SCNx64, &blocked) == 1) break;
    fclose(file);
    return blocked;
}

static void history_41_a_hosts_signals_never_reach_a_worker(void **state)
{
    (void)state;
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE};
    const struct rig rig = rig_make("h41");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 5, 1, 1000);
    DIR *list = opendir("/proc/self/task");
    assert_non_null(list);
    uint32_t workers = 0;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == (int)syscall(SYS_gettid)) continue;
        const uint64_t blocked = blocked_signals(entry->d_name);
        for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
            assert_true(blocked >> (signals[i] - 1) & 1);
        workers++;
    }
    closedir(list);
    if (backend_now == TEAK_BACKEND_POSIX) assert_true(workers >= 2);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_02_nothing_is_sealed_before_the_checkpoint_behind_it_is_durable),
        cmocka_unit_test(history_04_where_a_segment_ends_is_not_whether_it_is_durable),
        cmocka_unit_test(history_13_what_is_scanned_is_read_from_the_medium),
        cmocka_unit_test(history_16_no_frame_is_written_before_the_name_of_its_file_is_durable),
        cmocka_unit_test(history_21_descriptors_are_few_and_never_inherited),
        cmocka_unit_test(history_28_no_space_in_a_prepared_segment_is_a_failed_write),
        cmocka_unit_test(history_36_a_page_that_cannot_be_had_is_a_status),
        cmocka_unit_test(history_37_the_active_segment_has_no_cached_pages),
        cmocka_unit_test(history_38_an_index_is_written_in_pieces),
        cmocka_unit_test(history_38_beside_large_frames_several_pieces_go_in_a_write),
        cmocka_unit_test(history_41_a_hosts_signals_never_reach_a_worker),
    };
    return backends_run(argc, argv, "history at the disk", tests, sizeof tests / sizeof tests[0]);
}
