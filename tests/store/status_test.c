/* status_test.c: every status of the closed list is the answer to something, tells where, and asking changed nothing.
 * What no test here can have is ENCODE: only the command frames input. Broken media are played by faulty_disk.h.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "format/key.h"
#include "format/layout.h"
#include "store/damage.h"
#include "teak/committer.h"
#include "teak/snapshot.h"

/* ---- the list ---- */

struct named {
    int number;
    const char *name;
};

/* Stable: a line here may be added, never changed. */
static const struct named names[] = {
    {0, "ok"}, {1, "invalid"}, {2, "options"}, {3, "empty_batch"}, {4, "index_zero"}, {5, "gap"}, {6, "overlap"},
    {7, "term_backwards"}, {8, "entry_too_large"}, {9, "batch_too_large"}, {10, "unknown_log"}, {11, "log_exists"},
    {12, "log_gone"}, {13, "too_many_logs"}, {14, "commit_backwards"}, {15, "vote_changed"}, {16, "below_snapshot"},
    {17, "compacted"}, {18, "beyond"}, {19, "reserved"}, {20, "wrong_thread"}, {21, "read_only"},
    {22, "meta_too_large"}, {23, "not_found"}, {24, "busy"}, {25, "in_callback"}, {26, "changed"},
    {40, "full"}, {41, "no_space"}, {42, "pending"}, {60, "no_directory"},
    {61, "not_a_store"}, {62, "bad_magic"}, {63, "version"}, {64, "feature"}, {65, "block_size"}, {66, "locked"},
    {67, "read_only_fs"}, {68, "foreign_file"}, {69, "segment_missing"}, {70, "segment_short"}, {71, "damaged"},
    {72, "store_lost"}, {80, "hash_mismatch"}, {81, "decode"}, {82, "encode"}, {83, "quarantined"},
    {100, "io"}, {101, "no_memory"}, {102, "denied"}, {103, "no_backend"}, {120, "poisoned"}, {121, "closed"},
};
enum { NAMES = sizeof names / sizeof names[0] };

static bool seen[256];

/* `status` is what the test wanted, the error agrees, and its text names it and `part`. */
static void expect(enum teak_status status, enum teak_status wanted, const struct teak_error *error, const char *part)
{
    if (status != wanted) {
        char text[512];
        teak_error_text(error, text, sizeof text);
        fail_msg("wanted %s, got %s (%s)", teak_status_name(wanted), teak_status_name(status), text);
    }
    assert_int_equal(error->status, wanted);
    char text[512];
    assert_true(teak_error_text(error, text, sizeof text) < sizeof text);
    assert_int_equal(strncmp(text, teak_status_name(wanted), strlen(teak_status_name(wanted))), 0);
    if (part && !strstr(text, part)) fail_msg("'%s' does not say '%s'", text, part);
    seen[wanted] = true;
}

static void names_and_numbers_are_stable(void **state)
{
    (void)state;
#define STATUS_COUNT(number, name, text, meaning) +1
    assert_int_equal(0 TEAK_STATUS_LIST(STATUS_COUNT), NAMES);
    for (int i = 0; i < NAMES; i++) {
        assert_string_equal(teak_status_name((enum teak_status)names[i].number), names[i].name);
        assert_true(strlen(teak_status_meaning((enum teak_status)names[i].number)) > 5);
    }
    assert_string_equal(teak_status_name((enum teak_status)59), "unknown");
    assert_string_equal(teak_status_name((enum teak_status)999), "unknown");
}

/* ---- callers' mistakes, in an open store ---- */

struct scene {
    struct rig rig;
    struct teak_store *store;
    uint64_t print;
    struct teak_log one, two;
};

static void one_stream_into_a_log_at_a_time(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    const struct teak_snapshot_offer offer = {.log = 1, .pos = {.index = 9, .term = 1}};
    struct teak_snapshot_writer *first, *second;
    struct teak_error error = {0};
    rig_ok(teak_snapshot_begin(store, &offer, &first, &error), &error);
    expect(teak_snapshot_begin(store, &offer, &second, &error), TEAK_BUSY, &error, "log 1");
    assert_null(second);
    teak_snapshot_abort(first);
    rig_close(store);
    rig_remove(rig.dir);
}

/* Log 1: entries 10..30, compacted to 14, snapshot at 12, hard state {5, 2, 20}. Log 2: fresh. */
static struct scene begin(void)
{
    struct scene scene = {.rig = rig_make("status")};
    scene.store = backend_open(&scene.rig);
    rig_create(scene.store, 1);
    rig_create(scene.store, 2);
    rig_append(scene.store, 1, 10, 30, 5, 20);
    rig_do(scene.store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 1, .index = 12, .term = 5});
    rig_do(scene.store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = 14});
    rig_do(scene.store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 1, .term = 5, .vote = 2, .commit = 20});
    rig_drain(scene.store);
    rig_settle(scene.store);
    scene.print = rig_fingerprint(&scene.rig);
    scene.one = rig_log(scene.store, 1);
    scene.two = rig_log(scene.store, 2);
    return scene;
}

static void expect_same_log(const struct teak_log *is, const struct teak_log *was)
{
    assert_memory_equal(is, was, offsetof(struct teak_log, fresh)); /* behind it is padding */
    assert_int_equal(is->fresh, was->fresh);
}

static void end(struct scene *scene)
{
    const struct teak_log one = rig_log(scene->store, 1), two = rig_log(scene->store, 2);
    expect_same_log(&one, &scene->one);
    expect_same_log(&two, &scene->two);
    rig_settle(scene->store);
    assert_true(rig_fingerprint(&scene->rig) == scene->print);
    uint64_t ids[8];
    assert_int_equal(teak_logs(scene->store, true, 0, ids, 8), 2);
    rig_close(scene->store);
    scene->store = backend_open(&scene->rig);
    const struct teak_log again = rig_log(scene->store, 1);
    expect_same_log(&again, &scene->one);
    rig_close(scene->store);
    rig_remove(scene->rig.dir);
}

static const struct teak_bytes small = {.data = "small", .bytes = 5};

static struct teak_op entry_at(uint64_t log, uint64_t index, uint64_t term)
{
    return (struct teak_op){.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = term, .entries = &small,
                            .count = 1};
}

/* The operation is refused alone, and behind good ones that then must leave no trace either. */
static void refused(struct scene *scene, struct teak_op op, enum teak_status wanted, const char *part)
{
    struct teak_error error = {0};
    expect(rig_op(scene->store, op, &error), wanted, &error, part);
    const struct teak_op ops[] = {
        {.op = TEAK_OP_CREATE, .log = 77},
        entry_at(77, 5, 5),
        {.op = TEAK_OP_META, .log = 77, .data = "meta", .bytes = 4},
        {.op = TEAK_OP_HARD_STATE, .log = 2, .term = 9, .vote = 9, .commit = 9},
        {.op = TEAK_OP_META, .log = 1, .data = "meta", .bytes = 4},
        {.op = TEAK_OP_DROP, .log = 77},
        op,
    };
    error = (struct teak_error){0};
    expect(rig_submit(scene->store, &(struct teak_batch){.ops = ops, .count = 7}, &error), wanted, &error, part);
    const struct teak_log one = rig_log(scene->store, 1), two = rig_log(scene->store, 2);
    expect_same_log(&one, &scene->one);
    expect_same_log(&two, &scene->two);
}

static void a_refused_batch_leaves_no_trace_and_says_why(void **state)
{
    (void)state;
    struct scene scene = begin();
    static uint8_t large[RIG_SEGMENT];
    struct teak_limits limits;
    teak_limits(scene.store, &limits);
    const struct teak_bytes too_large = {.data = large, .bytes = limits.entry_bytes + 1};
    const struct teak_bytes halves[] = {{large, limits.entry_bytes / 2}, {large, limits.entry_bytes / 2}, {large, 900}};
    refused(&scene, entry_at(1, 0, 5), TEAK_INDEX_ZERO, "log 1");
    refused(&scene, entry_at(1, 32, 5), TEAK_GAP, "log 1 index 32; expected 31");
    refused(&scene, entry_at(1, 30, 5), TEAK_OVERLAP, "log 1 index 30; expected 31");
    refused(&scene, entry_at(1, 12, 5), TEAK_BELOW_SNAPSHOT, "log 1 index 12; expected 31");
    refused(&scene, entry_at(1, 31, 4), TEAK_TERM_BACKWARDS, "log 1 index 31; expected 5");
    refused(&scene, entry_at(3, 1, 1), TEAK_UNKNOWN_LOG, "log 3");
    refused(&scene, (struct teak_op){.op = TEAK_OP_CREATE, .log = 1}, TEAK_LOG_EXISTS, "log 1");
    refused(&scene, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 12}, TEAK_BELOW_SNAPSHOT,
            "expected 13");
    refused(&scene, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 14}, TEAK_COMPACTED, "expected 15");
    refused(&scene, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 32}, TEAK_BEYOND, "expected 31");
    refused(&scene, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = 31}, TEAK_BEYOND, "index 31");
    refused(&scene, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1}, TEAK_INDEX_ZERO, "log 1");
    refused(&scene, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 1, .term = 5}, TEAK_INDEX_ZERO, "log 1");
    refused(&scene, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 1, .term = 4, .vote = 2, .commit = 20},
            TEAK_TERM_BACKWARDS, "expected 5");
    refused(&scene, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 1, .term = 5, .vote = 3, .commit = 20},
            TEAK_VOTE_CHANGED, "expected 2");
    refused(&scene, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 1, .term = 6, .vote = 3, .commit = 19},
            TEAK_COMMIT_BACKWARDS, "expected 20");
    refused(&scene, (struct teak_op){.op = TEAK_OP_META, .log = 1, .data = large, .bytes = 257}, TEAK_META_TOO_LARGE,
            "log 1");
    refused(&scene, (struct teak_op){.op = TEAK_OP_META, .log = 1, .bytes = 3}, TEAK_INVALID, "log 1");
    refused(&scene, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 1, .index = 31, .term = 5}, TEAK_INVALID, "log 1");
    refused(&scene, (struct teak_op){.op = (enum teak_op_kind)99, .log = 1}, TEAK_INVALID, "log 1");
    struct teak_op op = entry_at(1, 31, 5);
    op.entries = &too_large;
    refused(&scene, op, TEAK_ENTRY_TOO_LARGE, "log 1 index 31");
    op.entries = halves;
    op.count = 3;
    refused(&scene, op, TEAK_BATCH_TOO_LARGE, "expected 16384");
    struct teak_error error = {0};
    expect(teak_submit(scene.store, &(struct teak_batch){.count = 0}, &error), TEAK_EMPTY_BATCH, &error, NULL);
    end(&scene);
}

/* History 27. */
static void too_many_logs_are_refused_whole(void **state)
{
    (void)state;
    struct scene scene = begin();
    struct teak_limits limits;
    teak_limits(scene.store, &limits);
    static struct teak_op ops[512];
    for (uint32_t i = 0; i < limits.logs; i++) ops[i] = (struct teak_op){.op = TEAK_OP_CREATE, .log = 100 + i};
    struct teak_error error = {0};
    expect(rig_submit(scene.store, &(struct teak_batch){.ops = ops, .count = limits.logs}, &error), TEAK_TOO_MANY_LOGS,
           &error, "expected");
    end(&scene);
}

static void looking_where_nothing_is_says_so(void **state)
{
    (void)state;
    struct scene scene = begin();
    struct teak_store *store = scene.store;
    struct teak_error error = {0};
    struct teak_log log;
    uint64_t term;
    uint32_t count;
    struct teak_pos pos;
    struct teak_cursor *cursor;
    expect(teak_log(store, 3, &log, &error), TEAK_UNKNOWN_LOG, &error, "log 3");
    expect(teak_term_at(store, 1, 13, &term, &error), TEAK_COMPACTED, &error, "index 13");
    expect(teak_term_at(store, 1, 31, &term, &error), TEAK_BEYOND, &error, "index 31");
    expect(teak_last_of_kind(store, 1, 9, 30, &pos, &error), TEAK_NOT_FOUND, &error, "log 1");
    expect(teak_cursor_open(store, 3, 1, &cursor, &error), TEAK_UNKNOWN_LOG, &error, "log 3");
    expect(teak_cursor_open(store, 1, 14, &cursor, &error), TEAK_COMPACTED, &error, "index 14; expected 15");
    expect(teak_cursor_open(store, 1, 32, &cursor, &error), TEAK_BEYOND, &error, "index 32; expected 31");
    assert_int_equal(teak_term_runs(store, 3, &pos, 1, &count, &error), TEAK_UNKNOWN_LOG);
    char small_room[1];
    assert_int_equal(teak_meta(store, 1, small_room, 0, &count, &error), TEAK_OK);
    end(&scene);
}

/* History 24. */
static void a_former_life_is_gone(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    struct teak_store *store = backend_open(&rig);
    struct teak_error error = {0};
    rig_create(store, 1);
    rig_append(store, 1, 1, 5, 1, 10);
    struct teak_cursor *cursor;
    rig_ok(teak_cursor_open(store, 1, 1, &cursor, &error), &error);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 1});
    struct teak_entry entry;
    uint32_t count;
    expect(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), TEAK_LOG_GONE, &error, "log 1");
    rig_create(store, 1);
    rig_append(store, 1, 1, 5, 1, 10);
    expect(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), TEAK_LOG_GONE, &error, "log 1");
    expect(teak_cursor_seek(cursor, 1, &error), TEAK_LOG_GONE, &error, "log 1");
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

struct stranger {
    struct teak_store *store;
    struct teak_error error;
    enum teak_status submit, poll, close;
};

static void *strange_thread(void *context)
{
    struct stranger *stranger = context;
    uint32_t count;
    stranger->submit = teak_append(stranger->store, 1, 31, 5, "x", 1, 0, &stranger->error);
    stranger->poll = teak_poll(stranger->store, 0, NULL, 0, &count, &stranger->error);
    stranger->close = teak_close(stranger->store, &stranger->error);
    return NULL;
}

static void another_thread_is_refused(void **state)
{
    (void)state;
    struct scene scene = begin();
    struct stranger stranger = {.store = scene.store};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, strange_thread, &stranger), 0);
    pthread_join(thread, NULL);
    expect(stranger.submit, TEAK_WRONG_THREAD, &stranger.error, NULL);
    assert_int_equal(stranger.poll, TEAK_WRONG_THREAD);
    assert_int_equal(stranger.close, TEAK_WRONG_THREAD);
    end(&scene);
}

static void reading_and_reserving_have_answers_of_their_own(void **state)
{
    (void)state;
    struct scene scene = begin();
    struct teak_error error = {0};
    void *memory;
    uint32_t count;
    rig_ok(teak_reserve(scene.store, 8, 1, &memory, &error), &error);
    expect(teak_reserve(scene.store, 8, 1, &memory, &error), TEAK_RESERVED, &error, NULL);
    expect(teak_drain(scene.store, &error), TEAK_RESERVED, &error, NULL);
    teak_release(scene.store);
    struct teak_store *reader = rig_open_read_only(&scene.rig, NULL);
    int fd;
    expect(teak_append(reader, 1, 31, 5, "x", 1, 0, &error), TEAK_READ_ONLY, &error, NULL);
    expect(teak_reserve(reader, 8, 1, &memory, &error), TEAK_READ_ONLY, &error, NULL);
    expect(teak_barrier(reader, 1, &error), TEAK_READ_ONLY, &error, NULL);
    expect(teak_event_fd(reader, &fd, &error), TEAK_READ_ONLY, &error, NULL);
    rig_ok(teak_poll(reader, 0, NULL, 0, &count, &error), &error);
    rig_ok(teak_close(reader, &error), &error);
    end(&scene);
}

/* ---- opening ---- */

static void cannot_open(const struct rig *rig, const struct teak_options *options, enum teak_status wanted,
                        const char *part)
{
    const uint64_t print = rig_fingerprint(rig);
    struct teak_store *store;
    struct teak_error error = {0};
    expect(rig_try_open(rig, options, &store, NULL, &error), wanted, &error, part);
    assert_null(store);
    assert_true(rig_fingerprint(rig) == print);
}

static void options_are_judged_first(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    struct teak_options o = backend_options();
#define REFUSED(member, value)                                                                                         \
    do {                                                                                                               \
        o = backend_options();                                                                                         \
        o.member = value;                                                                                              \
        cannot_open(&rig, &o, TEAK_OPTIONS, #member);                                                                  \
        assert_false(rig_has(&rig, "LOCK"));                                                                           \
    } while (0)
    REFUSED(backend, (enum teak_backend)9);
    REFUSED(strategy, (enum teak_strategy)9);
    REFUSED(block_bytes, 2048);
    REFUSED(block_bytes, 5000);
    REFUSED(block_bytes, 131072);
    REFUSED(segment_bytes, 65535);
    REFUSED(segment_bytes, UINT64_C(2) << 30);
    REFUSED(in_flight, 65);
    REFUSED(linger_ns, 1000000001);
    REFUSED(spares, 1025);
    REFUSED(arena_bytes, UINT64_C(2) << 30);
    REFUSED(read_only, true);
    o = backend_options();
    o.arena_bytes = 4096;
    struct teak_store *store;
    struct teak_error error = {0};
    expect(rig_try_open(&rig, &o, &store, NULL, &error), TEAK_OPTIONS, &error, "arena_bytes");
    rig_remove(rig.dir);
}

static void a_place_that_is_no_store_is_left_alone(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    struct teak_options o = backend_options();
    o.create = false;
    cannot_open(&rig, &o, TEAK_NOT_A_STORE, NULL);
    assert_false(rig_has(&rig, "LOCK"));
    struct rig missing = rig;
    strcat(missing.dir, "/not/there");
    struct teak_store *store;
    struct teak_error error = {0};
    expect(rig_try_open(&missing, &o, &store, NULL, &error), TEAK_NO_DIRECTORY, &error, "open");
    o.create = true;
    expect(rig_try_open(&missing, &o, &store, NULL, &error), TEAK_NO_DIRECTORY, &error, NULL);
    rig_remove(rig.dir);
}

static struct rig some_store(void)
{
    const struct rig rig = rig_make("status");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append(store, 1, 1, 200, 1, 700); /* a few segments */
    rig_drain(store);
    rig_close(store);
    return rig;
}

/* STORE as somebody else's build would have written it, with a sum that holds. */
static void rewrite_store(const struct rig *rig, uint32_t version, uint64_t refuse, uint32_t block_bytes)
{
    size_t bytes;
    uint8_t *file = rig_read(rig, "STORE", &bytes);
    struct layout_store store;
    memcpy(&store, file, sizeof store);
    if (version) store.version = le32_of(version);
    store.features_refuse = le64_of(refuse);
    if (block_bytes) store.block_bytes = le32_of(block_bytes);
    store.checksum = le64_of(plain_sum(&store, offsetof(struct layout_store, checksum)));
    rig_write(rig, "STORE", 0, &store, sizeof store);
    free(file);
}

/* History 45. */
static void a_store_that_is_not_ours_to_open_says_which_way(void **state)
{
    (void)state;
    struct rig rig = some_store();
    struct teak_options o = backend_options();
    o.block_bytes = 8192;
    o.segment_bytes = 0;
    o.create = false;
    cannot_open(&rig, &o, TEAK_BLOCK_SIZE, "expected 4096");
    o = backend_options();
    o.segment_bytes = 131072;
    cannot_open(&rig, &o, TEAK_BLOCK_SIZE, "expected 65536");
    o = backend_options();
    struct teak_store *owner = backend_open(&rig);
    struct teak_store *store;
    struct teak_error error = {0};
    expect(rig_try_open(&rig, &o, &store, NULL, &error), TEAK_LOCKED, &error, "LOCK");
    rig_close(owner);
    size_t bytes;
    uint8_t *good = rig_read(&rig, "STORE", &bytes);
    rig_flip(&rig, "STORE", 0, 1);
    cannot_open(&rig, &o, TEAK_BAD_MAGIC, "STORE");
    rig_write(&rig, "STORE", 0, good, bytes);
    rig_flip(&rig, "STORE", 20, 1);
    cannot_open(&rig, &o, TEAK_HASH_MISMATCH, "STORE");
    rig_write(&rig, "STORE", 0, good, bytes);
    rewrite_store(&rig, 77, 0, 0);
    cannot_open(&rig, &o, TEAK_VERSION, "STORE");
    rig_write(&rig, "STORE", 0, good, bytes);
    rewrite_store(&rig, 0, 1, 0);
    cannot_open(&rig, &o, TEAK_FEATURE, "STORE");
    rig_write(&rig, "STORE", 0, good, bytes);
    rewrite_store(&rig, 0, 0, 4095);
    cannot_open(&rig, &o, TEAK_DECODE, "STORE");
    rig_unlink(&rig, "STORE");
    cannot_open(&rig, &o, TEAK_STORE_LOST, "STORE");
    rig_write(&rig, "STORE", 0, good, bytes);
    free(good);
    owner = backend_open(&rig);
    rig_expect_entries(owner, 1, 1, 200);
    rig_close(owner);
    rig_remove(rig.dir);
}

static void segments_that_are_not_what_they_should_be_refuse(void **state)
{
    (void)state;
    const struct rig rig = some_store();
    const struct teak_options o = backend_options();
    uint64_t first, last;
    char name[64], path[2 * RIG_PATH], away[2 * RIG_PATH];
    rig_segments(&rig, &first, &last);
    assert_true(last - first >= 2);
    snprintf(away, sizeof away, "%s/away", rig.dir);
    rig_segment_name(first + 1, name);
    rig_path(&rig, name, path);
    assert_int_equal(rename(path, away), 0);
    cannot_open(&rig, &o, TEAK_SEGMENT_MISSING, name);
    assert_int_equal(rename(away, path), 0);
    rig_segment_name(last, name);
    rig_path(&rig, name, path);
    rig_copy_file(path, away);
    rig_truncate(&rig, name, 20480);
    cannot_open(&rig, &o, TEAK_SEGMENT_SHORT, name);
    rig_copy_file(away, path);
    const struct rig other = {.dir = "status_other"};
    rig_remove(other.dir);
    assert_int_equal(mkdir(other.dir, 0700), 0);
    struct teak_store *stranger = backend_open(&other);
    rig_create(stranger, 9);
    rig_close(stranger);
    char foreign[2 * RIG_PATH], first_name[64];
    rig_segment_name(1, first_name);
    rig_path(&other, first_name, foreign);
    rig_copy_file(foreign, path);
    cannot_open(&rig, &o, TEAK_FOREIGN_FILE, name);
    rig_copy_file(away, path);
    rig_remove(other.dir);
    rig_unlink(&rig, "away");
    struct teak_store *store = backend_open(&rig);
    rig_expect_entries(store, 1, 1, 200);
    rig_close(store);
    rig_remove(rig.dir);
}

static void acknowledged_data_that_rotted_refuses(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status"), crashed = {.dir = "status_crashed"};
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 5, 1, 100);
    rig_copy(&rig, &crashed);
    rig_close(store);
    char name[64];
    rig_segment_name(1, name);
    struct found_frame frames[16];
    uint32_t at = 0, count = damage_frames(&crashed, 1, frames, 16);
    while (at < count && frames[at].entries == 0) at++;
    assert_true(at + 1 < count); /* a payload of an early frame that later heads vouch for */
    rig_flip(&crashed, name, frames[at].offset + HEAD_BYTES + 2, 1);
    const struct teak_options o = backend_options();
    cannot_open(&crashed, &o, TEAK_DAMAGED, name);
    rig_remove(crashed.dir);
    rig_remove(rig.dir);
}

static void a_rotten_entry_is_an_answer_of_that_read(void **state)
{
    (void)state;
    const struct rig rig = some_store();
    uint64_t first, last;
    rig_segments(&rig, &first, &last);
    char name[64];
    rig_segment_name(first, name);
    assert_true(rig_rot_entry(&rig, first, 1, 7, 1, 700));
    struct teak_store *store = backend_open(&rig);
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    struct teak_entry entries[64];
    uint32_t count;
    rig_ok(teak_cursor_open(store, 1, 1, &cursor, &error), &error);
    uint64_t next = 1;
    while (next < 7) {
        rig_ok(teak_cursor_read(cursor, 1 << 20, entries, 64, &count, &error), &error);
        next += count;
    }
    assert_int_equal(next, 7);
    for (int i = 0; i < 2; i++) {
        expect(teak_cursor_read(cursor, 1 << 20, entries, 64, &count, &error), TEAK_HASH_MISMATCH, &error, name);
        assert_int_equal(count, 0);
        assert_int_equal(error.log, 1);
        assert_int_equal(error.index, 7);
        assert_int_equal(error.segment, first);
        assert_true(error.has_offset);
    }
    rig_ok(teak_cursor_seek(cursor, 8, &error), &error);
    rig_ok(teak_cursor_read(cursor, 0, entries, 1, &count, &error), &error);
    assert_int_equal(entries[0].index, 8);
    teak_cursor_close(cursor);
    rig_append(store, 1, 201, 210, 1, 30); /* the store goes on */
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- the world ---- */

/* History 5: a read that fails opens nothing, and nothing is cut. */
static void what_the_system_says_is_told(void **state)
{
    (void)state;
    static const struct {
        enum disk_kind kind;
        int fault;
        enum teak_status status;
    } cases[] = {
        {DISK_OPEN, EACCES, TEAK_DENIED}, {DISK_OPEN, EROFS, TEAK_READ_ONLY_FS}, {DISK_OPEN, ENOMEM, TEAK_NO_MEMORY},
        {DISK_OPEN, EMFILE, TEAK_IO},     {DISK_READ, EIO, TEAK_IO},             {DISK_SYNC, EIO, TEAK_IO},
    };
    const struct rig rig = some_store();
    const struct teak_options o = backend_options();
    const uint64_t print = rig_fingerprint(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint64_t nth = 1; nth <= 8; nth++) {
            struct faulty *faulty = faulty_make(backend_now);
            assert_non_null(faulty);
            faulty_arm(faulty, cases[i].kind, nth, cases[i].fault);
            struct teak_store *store;
            struct teak_error error = {0};
            const enum teak_status status = store_open_on(&faulty->disk, rig.dir, &o, &store, NULL, &error);
            if (status == TEAK_OK) {
                teak_abandon(store);
            } else if (cases[i].fault != ENOMEM || status != TEAK_IO) {
                expect(status, cases[i].status, &error, NULL);
                assert_int_equal(error.os_errno, cases[i].fault);
            }
            assert_true(rig_fingerprint(&rig) == print);
        }
    struct teak_store *store = backend_open(&rig);
    rig_expect_entries(store, 1, 1, 200);
    rig_close(store);
    rig_remove(rig.dir);
}

/* The first batch finds no descriptor for its file: spares are whole all the same, and the next try takes one. */
static void a_lack_of_descriptors_costs_no_file(void **state)
{
    (void)state;
    static const struct {
        int fault;
        enum teak_status status;
    } cases[] = {{EMFILE, TEAK_IO}, {ENFILE, TEAK_IO}, {ENOMEM, TEAK_NO_MEMORY}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rig rig = some_store();
        const struct teak_options o = backend_options();
        struct faulty *faulty;
        struct teak_error error = {0};
        struct teak_store *store = backend_open(&rig);
        rig_append_synced(store, 1, 201, 201, 1, 30);
        for (struct rig_patience patience = {0}; store->pool.stock_count == 0 && rig_waits(&patience);)
            rig_ok(teak_poll(store, 1000000, NULL, 0, NULL, &error), &error);
        teak_abandon(store); /* else the last segment would be gone on with */
        store = backend_open_faulty(&rig, &o, &faulty);
        const uint32_t stock = store->pool.stock_count;
        assert_true(stock > 0);
        faulty->chores_too = faulty->for_good = true;
        faulty_arm(faulty, DISK_OPEN, 1, cases[i].fault);
        for (int tries = 0; tries < 3; tries++) {
            expect(teak_append(store, 1, 202, 1, "x", 1, 0, &error), cases[i].status, &error, NULL);
            assert_int_equal(error.os_errno, cases[i].fault);
            assert_true(store->pool.stock_count >= stock); /* and the next one, which had been made ready */
        }
        assert_int_equal(faulty->tried[DISK_UNLINK], 0);
        faulty->nth = 0;
        rig_append_synced(store, 1, 202, 210, 1, 30);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

static void a_read_that_fails_is_io_and_the_next_may_do(void **state)
{
    (void)state;
    const struct rig rig = some_store();
    const struct teak_options o = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &o, &faulty);
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    struct teak_entry entry;
    uint32_t count;
    rig_ok(teak_cursor_open(store, 1, 200, &cursor, &error), &error);
    expect(teak_cursor_try_read(cursor, 0, &entry, 1, &count, &error), TEAK_PENDING, &error, NULL);
    faulty_arm(faulty, DISK_READ, 1, EIO);
    expect(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), TEAK_IO, &error, ".seg");
    assert_int_equal(error.os_errno, EIO);
    rig_ok(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), &error);
    assert_int_equal(entry.index, 200);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 28. */
struct from_within {
    struct teak_store *store;
    struct teak_error error;
    enum teak_status answer;
};

static void append_from_within(void *context, const struct teak_event *event)
{
    struct from_within *within = context;
    (void)event;
    if (within->store) within->answer = teak_append(within->store, 1, 4, 1, "x", 1, 0, &within->error);
}

static void a_callback_cannot_drive_its_store(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    struct from_within within = {.answer = TEAK_OK};
    struct teak_options o = backend_options();
    o.on_event = append_from_within;
    o.event_context = &within;
    struct teak_store *store = rig_open_with(&rig, &o, NULL);
    within.store = store; /* before the first batch: what the pool makes for it is told sooner or later */
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 3, 1, 100);
    for (struct rig_patience patience = {0}; within.answer == TEAK_OK && rig_waits(&patience);) {
        uint32_t count;
        struct teak_error error = {0};
        rig_ok(teak_poll(store, 0, NULL, 0, &count, &error), &error);
        usleep(1000);
    }
    expect(within.answer, TEAK_IN_CALLBACK, &within.error, NULL);
    assert_int_equal(rig_log(store, 1).last.index, 3);
    within.store = NULL;
    rig_close(store);
    rig_remove(rig.dir);
}

static void fill_up_and_go_on(int full)
{
    const struct rig rig = rig_make("status");
    struct teak_options o = backend_options();
    o.segment_bytes = 1 << 20;
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &o, &faulty);
    faulty->chores_too = faulty->for_good = true;
    faulty_arm(faulty, DISK_ALLOCATE, 1, full);
    rig_create(store, 1);
    struct teak_error error = {0};
    struct teak_completion done[16];
    uint32_t count;
    static uint8_t data[2000];
    uint64_t next = 1;
    enum teak_status status;
    for (;;) {
        rig_fill(data, sizeof data, 1, next, 1);
        status = teak_append(store, 1, next, 1, data, sizeof data, next, &error);
        if (status == TEAK_OK)
            next++;
        else if (status == TEAK_FULL)
            seen[TEAK_FULL] = true;
        else
            break;
        assert_true(next < 1000);
        if (status == TEAK_FULL) rig_ok(teak_poll(store, 100000000, done, 16, &count, &error), &error);
    }
    expect(status, TEAK_NO_SPACE, &error, NULL);
    assert_int_equal(error.os_errno, full);
    for (uint64_t commit = 1; commit <= 8; commit++) { /* the reserve */
        rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 1, .term = 1, .vote = 1, .commit = commit});
        rig_drain(store);
    }
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = next - 1});
    rig_drain(store);
    faulty->nth = 0; /* space is back */
    const struct teak_bytes entry = {.data = data, .bytes = sizeof data};
    for (int i = 0; i < 100; i++) {
        const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = next, .term = 1, .entries = &entry,
                                   .count = 1};
        status = teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1}, &error);
        if (status == TEAK_OK) break;
        rig_ok(teak_poll(store, 100000000, done, 16, &count, &error), &error);
    }
    rig_ok(status, &error);
    rig_close(store);
    rig_remove(rig.dir);
}

/* A quota is no space, too; and so is a limit of sizes that sank. */
static void a_full_file_system_stops_appends_only(void **state)
{
    (void)state;
    static const int full[] = {ENOSPC, EDQUOT, EFBIG};
    for (uint32_t i = 0; i < sizeof full / sizeof full[0]; i++) fill_up_and_go_on(full[i]);
}

/* A kernel that forbids io_uring: `auto` takes posix with a notice, `uring` is refused. */
static void a_kernel_without_io_uring_gets_posix(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(77);
        struct teak_options o = rig_options();
        struct teak_store *store;
        struct teak_error error = {0};
        struct teak_report report;
        o.backend = TEAK_BACKEND_URING;
        if (teak_open(rig.dir, &o, &store, &report, &error) != TEAK_NO_BACKEND || error.os_errno != EPERM) _exit(1);
        o.backend = TEAK_BACKEND_AUTO;
        if (teak_open(rig.dir, &o, &store, &report, &error) != TEAK_OK) _exit(2);
        if (!report.backend_fell_back || report.backend_errno != EPERM || strcmp(report.backend, "posix")) _exit(3);
        if (teak_create_log(store, 1, 0, &error) || teak_drain(store, &error) || teak_close(store, &error)) _exit(4);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        print_message("skipped: no seccomp here\n");
    else
        assert_int_equal(WEXITSTATUS(status), 0);
    seen[TEAK_NO_BACKEND] = true;
    rig_remove(rig.dir);
}

static void a_quarantined_log_takes_nothing_but_drop(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    struct teak_error error = {0};
    (void)damage_make(&rig, 2, 100);
    struct found_frame frames[16];
    const uint32_t count = damage_frames(&rig, 1, frames, 16);
    rig_flip(&rig, "0000000000000001.seg", frames[count - 3].offset + frames[count - 3].table_offset + 4, 1);
    struct teak_options options = backend_options();
    options.on_damage = (enum teak_on_damage)TEAK_ON_DAMAGE_COUNT;
    struct teak_store *store;
    expect(rig_try_open(&rig, &options, &store, NULL, &error), TEAK_OPTIONS, &error, "on_damage");
    options.on_damage = TEAK_QUARANTINE;
    store = rig_open_with(&rig, &options, NULL);
    const struct teak_bytes entry = {.data = "x", .bytes = 1};
    const struct teak_op refused[] = {
        {.op = TEAK_OP_ENTRIES, .log = 1, .index = 3, .term = 1, .entries = &entry, .count = 1},
        {.op = TEAK_OP_HARD_STATE, .log = 1, .term = 9},
        {.op = TEAK_OP_TRUNCATE, .log = 1, .index = 1},
        {.op = TEAK_OP_SNAPSHOT, .log = 1, .index = 9, .term = 9},
        {.op = TEAK_OP_COMPACT, .log = 1, .index = 1},
        {.op = TEAK_OP_META, .log = 1, .data = "x", .bytes = 1}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        expect(rig_op(store, refused[i], &error), TEAK_QUARANTINED, &error, "log 1");
    const struct teak_op anew[] = {{.op = TEAK_OP_DROP, .log = 1}, {.op = TEAK_OP_CREATE, .log = 1}, refused[1]};
    rig_ok(rig_submit(store, &(struct teak_batch){.ops = anew, .count = 3}, &error), &error);
    assert_int_equal(rig_log(store, 1).marks, 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_failed_write_is_poison(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    const struct teak_options o = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &o, &faulty);
    struct teak_error error = {0};
    rig_create(store, 1);
    rig_drain(store);
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
    rig_ok(teak_append(store, 1, 1, 1, "x", 1, 1, &error), &error);
    expect(teak_drain(store, &error), TEAK_POISONED, &error, ".seg");
    expect(teak_append(store, 1, 1, 1, "x", 1, 1, &error), TEAK_POISONED, &error, ".seg");
    expect(teak_close(store, &error), TEAK_POISONED, &error, ".seg");
    rig_remove(rig.dir);
}

static void close_oneself(struct teak_store *store, void *context)
{
    struct teak_committer **committer = context;
    struct teak_error error = {0};
    (void)store;
    expect(teak_committer_close(*committer, &error), TEAK_IN_CALLBACK, &error, "close");
}

static void a_committer_has_answers_of_its_own(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    const struct teak_options o = backend_options();
    struct teak_committer *committer;
    struct teak_error error = {0};
    rig_ok(teak_committer_open(rig.dir, &o, NULL, &committer, NULL, &error), &error);
    rig_ok(teak_committer_call(committer, close_oneself, &committer, &error), &error);
    rig_ok(teak_committer_stop(committer, &error), &error);
    expect(teak_committer_append(committer, 1, 1, 1, "x", 1, NULL, &error), TEAK_CLOSED, &error, "append");
    rig_ok(teak_committer_close(committer, &error), &error);
    rig_remove(rig.dir);
}

static void a_plan_of_what_was_is_refused(void **state)
{
    (void)state;
    const struct rig rig = rig_make("status");
    const struct teak_options o = backend_options();
    struct teak_repair_plan *plan;
    struct teak_error error = {0};
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_close(store);
    rig_ok(teak_repair_plan_make(rig.dir, &o, &plan, NULL, &error), &error);
    store = backend_open(&rig);
    rig_append_synced(store, 1, 1, 1, 1, 10);
    rig_close(store);
    expect(teak_repair_plan_apply(rig.dir, &o, plan, &error), TEAK_CHANGED, &error, "repair");
    teak_repair_plan_free(plan);
    rig_remove(rig.dir);
}

static void every_status_was_the_answer_to_something(void **state)
{
    (void)state;
    for (int i = 1; i < NAMES; i++)
        if (!seen[names[i].number] && names[i].number != TEAK_ENCODE) fail_msg("nobody saw %s", names[i].name);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_are_stable),
        cmocka_unit_test(one_stream_into_a_log_at_a_time),
        cmocka_unit_test(a_refused_batch_leaves_no_trace_and_says_why),
        cmocka_unit_test(too_many_logs_are_refused_whole),
        cmocka_unit_test(looking_where_nothing_is_says_so),
        cmocka_unit_test(a_former_life_is_gone),
        cmocka_unit_test(another_thread_is_refused),
        cmocka_unit_test(reading_and_reserving_have_answers_of_their_own),
        cmocka_unit_test(options_are_judged_first),
        cmocka_unit_test(a_place_that_is_no_store_is_left_alone),
        cmocka_unit_test(a_store_that_is_not_ours_to_open_says_which_way),
        cmocka_unit_test(segments_that_are_not_what_they_should_be_refuse),
        cmocka_unit_test(acknowledged_data_that_rotted_refuses),
        cmocka_unit_test(a_rotten_entry_is_an_answer_of_that_read),
        cmocka_unit_test(what_the_system_says_is_told),
        cmocka_unit_test(a_lack_of_descriptors_costs_no_file),
        cmocka_unit_test(a_read_that_fails_is_io_and_the_next_may_do),
        cmocka_unit_test(a_callback_cannot_drive_its_store),
        cmocka_unit_test(a_full_file_system_stops_appends_only),
        cmocka_unit_test(a_kernel_without_io_uring_gets_posix),
        cmocka_unit_test(a_quarantined_log_takes_nothing_but_drop),
        cmocka_unit_test(a_failed_write_is_poison),
        cmocka_unit_test(a_committer_has_answers_of_its_own),
        cmocka_unit_test(a_plan_of_what_was_is_refused),
        cmocka_unit_test(every_status_was_the_answer_to_something),
    };
    return backends_run(argc, argv, "status", tests, sizeof tests / sizeof tests[0]);
}
