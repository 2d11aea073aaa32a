/* committer_streams_test.c: beside the commits of many threads: snapshots that are streamed in and put in force, and
 * readers that follow a log. A store of which nobody has the thread but its committer.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "store/committer_rig.h"
#include "store/snapshot_rig.h"

enum { BODY = 200000, READ_MAX = 32, FOLLOWED = 400, WRITERS = 4 };

/* ---- snapshots ---- */

struct wish {
    struct teak_snapshot_offer offer;
    struct teak_snapshot_writer *writer;
    enum teak_status status;
};

static void begin_stream(struct teak_store *store, void *context)
{
    struct wish *wish = context;
    wish->status = teak_snapshot_begin(store, &wish->offer, &wish->writer, NULL);
}

static void abort_stream(struct teak_store *store, void *context)
{
    (void)store;
    teak_snapshot_abort(context);
}

static void look_at(struct teak_store *store, void *context)
{
    struct teak_log *log = context;
    if (teak_log(store, log->id, log, NULL) != TEAK_OK) log->id = 0;
}

static struct teak_log log_of(struct teak_committer *committer, uint64_t id)
{
    struct teak_log log = {.id = id};
    struct teak_error error = {0};
    rig_ok(teak_committer_call(committer, look_at, &log, &error), &error);
    assert_int_equal(log.id, id);
    return log;
}

/* A stream that has `bytes` of the BODY that were announced. */
static struct teak_snapshot_writer *stream_in(struct teak_committer *committer, uint64_t log, uint64_t index,
                                              uint64_t stream, uint64_t bytes)
{
    struct wish wish = {.offer = offer_of(log, index, 3, stream, BODY)};
    struct teak_error error = {0};
    do { /* FULL: the file of the last one is just being removed */
        rig_ok(teak_committer_call(committer, begin_stream, &wish, &error), &error);
    } while (wish.status == TEAK_FULL);
    assert_int_equal(wish.status, TEAK_OK);
    write_in(wish.writer, stream, bytes);
    return wish.writer;
}

static struct teak_committer *open_with_log(const struct rig *rig)
{
    struct teak_committer *committer = open_with(rig, NULL);
    create(committer, 1);
    return committer;
}

struct writers {
    struct teak_committer *committer;
    atomic_bool stop;
    atomic_uint wrong;
};

static void *append_beside(void *argument)
{
    struct writers *writers = argument;
    while (!atomic_load(&writers->stop))
        if (teak_committer_append(writers->committer, 2, TEAK_INDEX_NEXT, 1, "beside", 6, NULL, NULL) != TEAK_OK)
            atomic_fetch_add(&writers->wrong, 1);
    return NULL;
}

/* Again and again, while others append: each completion finds the one who waits for it. */
static void snapshots_are_installed_beside_commits(void **state)
{
    (void)state;
    const struct rig rig = rig_make("streams");
    struct writers writers = {.committer = open_with_log(&rig)};
    struct teak_error error = {0};
    pthread_t threads[WRITERS];
    create(writers.committer, 2);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_beside, &writers), 0);
    for (uint64_t index = 10; index <= 100; index += 10) {
        struct teak_snapshot_writer *writer = stream_in(writers.committer, 1, index, index, BODY);
        rig_ok(teak_committer_install(writers.committer, writer, keep_nothing, &error), &error);
        assert_int_equal(log_of(writers.committer, 1).snapshot.index, index);
    }
    atomic_store(&writers.stop, true);
    for (int i = 0; i < WRITERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(writers.wrong, 0);
    close_it(writers.committer);
    struct teak_store *store = reopen(&rig);
    expect_snapshot(store, 1, 100, 100, BODY);
    rig_close(store);
    rig_remove(rig.dir);
}

static void what_is_refused_says_why_and_who_has_the_stream(void **state)
{
    (void)state;
    const struct rig rig = rig_make("streams"), other = rig_make("others");
    struct teak_committer *committer = open_with_log(&rig), *elsewhere = open_with_log(&other);
    struct teak_error error = {0};
    assert_int_equal(teak_committer_install(committer, NULL, keep_nothing, &error), TEAK_INVALID);
    struct teak_snapshot_writer *writer = stream_in(committer, 1, 10, 1, BODY / 2);
    assert_int_equal(teak_committer_install(elsewhere, writer, keep_nothing, &error), TEAK_INVALID);
    assert_int_equal(teak_committer_install(committer, writer, keep_nothing, &error), TEAK_GAP);
    assert_int_equal(error.expected, BODY / 2);
    write_in(writer, 1, BODY); /* still the caller's: it goes on */
    rig_ok(teak_committer_install(committer, writer, keep_nothing, &error), &error);
    writer = stream_in(committer, 1, 20, 2, BODY);
    rig_ok(commit_op(committer, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 1, .index = 30, .term = 3}, &error),
           &error);
    assert_int_equal(teak_committer_install(committer, writer, keep_nothing, &error), TEAK_BELOW_SNAPSHOT);
    writer = stream_in(committer, 1, 40, 3, BODY); /* the one before is gone, or this would be BUSY */
    rig_ok(commit_op(committer, (struct teak_op){.op = TEAK_OP_DROP, .log = 1}, &error), &error);
    assert_int_equal(teak_committer_install(committer, writer, keep_nothing, &error), TEAK_LOG_GONE);
    create(committer, 1);
    writer = stream_in(committer, 1, 50, 4, BODY);
    rig_ok(teak_committer_call(committer, abort_stream, writer, &error), &error);
    rig_ok(teak_committer_stop(committer, &error), &error);
    writer = stream_in(elsewhere, 1, 10, 5, BODY);
    assert_int_equal(teak_committer_install(committer, writer, keep_nothing, &error), TEAK_CLOSED);
    rig_ok(teak_committer_install(elsewhere, writer, keep_nothing, &error), &error);
    close_it(elsewhere);
    close_it(committer);
    rig_remove(rig.dir);
    rig_remove(other.dir);
}

static void fail_renames(struct teak_store *store, void *context)
{
    struct faulty *faulty = context;
    (void)store;
    faulty->chores_too = faulty->for_good = true;
    faulty_arm(faulty, DISK_RENAME, 1, EIO);
}

static void fail_nothing(struct teak_store *store, void *context)
{
    (void)store;
    faulty_arm(context, DISK_RENAME, 0, 0);
}

static void fail_frames(struct teak_store *store, void *context)
{
    struct faulty *faulty = context;
    (void)store;
    faulty->chores_too = false;
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
}

static void stream_on_its_thread(struct teak_store *store, void *context)
{
    struct wish *wish = context;
    wish->status = teak_snapshot_begin(store, &wish->offer, &wish->writer, NULL);
    if (wish->status == TEAK_OK) wish->status = try_write_in(wish->writer, wish->offer.stream, BODY);
}

/* A whole one, written by the committer's thread: a disk that can be made to fail is for one thread. */
static struct teak_snapshot_writer *stream_in_a_call(struct teak_committer *committer, uint64_t index)
{
    struct wish wish = {.offer = offer_of(1, index, 3, index, BODY)};
    struct teak_error error = {0};
    do {
        rig_ok(teak_committer_call(committer, stream_on_its_thread, &wish, &error), &error);
    } while (wish.status == TEAK_FULL);
    assert_int_equal(wish.status, TEAK_OK);
    return wish.writer;
}

/* What goes wrong behind the hand-over comes as the answer, too; the store goes on, or has ended its service. */
static void an_installation_that_fails_is_told(void **state)
{
    (void)state;
    const struct rig rig = rig_make("streams");
    struct faulty *faulty;
    struct teak_committer *committer = open_faulty(&rig, NULL, &faulty);
    struct teak_error error = {0};
    create(committer, 1);
    struct teak_snapshot_writer *writer = stream_in_a_call(committer, 10);
    rig_ok(teak_committer_call(committer, fail_renames, faulty, &error), &error);
    assert_int_equal(teak_committer_install(committer, writer, keep_nothing, &error), TEAK_IO);
    assert_int_equal(error.status, TEAK_IO);
    rig_ok(teak_committer_call(committer, fail_nothing, faulty, &error), &error);
    rig_ok(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 3, "x", 1, NULL, &error), &error);
    writer = stream_in_a_call(committer, 20);
    rig_ok(teak_committer_call(committer, fail_frames, faulty, &error), &error);
    /* the frame that holds the record cannot be written; its file could */
    assert_int_equal(teak_committer_install(committer, writer, keep_nothing, &error), TEAK_POISONED);
    assert_int_equal(error.os_errno, EIO);
    assert_int_equal(teak_committer_close(committer, &error), TEAK_POISONED);
    rig_remove(rig.dir);
}

struct told {
    atomic_bool is_told;
    atomic_uint count;
};

static void tell_once(struct teak_request *request, void *context)
{
    struct told *told = context;
    (void)request;
    atomic_fetch_add(&told->count, 1);
    atomic_store(&told->is_told, true);
}

/* Handed over, not waited for: stopping waits, and the callback is called. */
static void stopping_waits_for_an_installation(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 5; round++) {
        const struct rig rig = rig_make("streams");
        struct teak_committer *committer = open_with_log(&rig);
        struct teak_error error = {0};
        struct told told = {0};
        struct teak_request request = {.install = stream_in(committer, 1, round, round, BODY), .keep = keep_all,
                                       .done = tell_once, .context = &told};
        rig_ok(teak_committer_submit(committer, &request, &error), &error);
        rig_ok(teak_committer_stop(committer, &error), &error);
        assert_true(told.is_told);
        assert_int_equal(told.count, 1);
        rig_ok(request.status, &request.error);
        assert_true(request.lsn > 0);
        close_it(committer);
        struct teak_store *store = reopen(&rig);
        expect_snapshot(store, 1, round, round, BODY);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

/* ---- readers ---- */

static struct teak_reader *reader_at(struct teak_committer *committer, uint64_t log, uint64_t index)
{
    struct teak_reader *reader;
    struct teak_error error = {0};
    rig_ok(teak_committer_reader_open(committer, log, index, &reader, &error), &error);
    return reader;
}

struct follower {
    struct teak_reader *reader;
    uint64_t first, last; /* it reads from the first on until it has the last, or the store ends */
    uint64_t wrong, read;
    enum teak_status status;
};

static void *follow(void *argument)
{
    struct follower *follower = argument;
    struct teak_entry entries[READ_MAX];
    uint64_t next = follower->first;
    while (next <= follower->last) {
        uint32_t count;
        follower->status = teak_reader_read(follower->reader, TEAK_FOREVER, 1 << 16, entries, READ_MAX, &count, NULL);
        if (follower->status != TEAK_OK) break;
        follower->wrong += count == 0; /* it said that it would wait */
        for (uint32_t i = 0; i < count; i++, next++) {
            follower->wrong += entries[i].index != next || entries[i].bytes != 8;
            follower->wrong += memcmp(entries[i].data, &next, sizeof next) != 0;
        }
    }
    follower->read = next - follower->first;
    return NULL;
}

static void append_number(struct teak_committer *committer, uint64_t index)
{
    struct teak_error error = {0};
    rig_ok(teak_committer_append(committer, 1, index, 1, &index, sizeof index, NULL, &error), &error);
}

/* Two follow the tail, one from the beginning, one that joins later; the committer is asleep in between. */
static void a_follower_sleeps_and_is_woken(void **state)
{
    (void)state;
    const struct rig rig = rig_make("streams");
    struct teak_committer *committer = open_with_log(&rig);
    struct follower early = {.reader = reader_at(committer, 1, 1), .first = 1, .last = FOLLOWED};
    pthread_t thread, late_thread;
    assert_int_equal(pthread_create(&thread, NULL, follow, &early), 0);
    for (uint64_t index = 1; index <= FOLLOWED / 2; index++) append_number(committer, index);
    struct follower late = {.reader = reader_at(committer, 1, FOLLOWED / 2 + 1), .first = FOLLOWED / 2 + 1,
                            .last = FOLLOWED};
    assert_int_equal(pthread_create(&late_thread, NULL, follow, &late), 0);
    for (uint64_t index = FOLLOWED / 2 + 1; index <= FOLLOWED; index++) {
        append_number(committer, index);
        if (index % 20 == 0) usleep(2000);
    }
    assert_int_equal(pthread_join(thread, NULL), 0); /* nobody drives for their sake but the committer */
    assert_int_equal(pthread_join(late_thread, NULL), 0);
    assert_int_equal(early.wrong + late.wrong, 0);
    assert_int_equal(early.status, TEAK_OK);
    assert_int_equal(early.read, FOLLOWED);
    assert_int_equal(late.read, FOLLOWED / 2);
    teak_reader_close(early.reader);
    close_it(committer);
    teak_reader_close(late.reader);
    rig_remove(rig.dir);
}

/* What was written by a former life of the store lies on the medium; the committer has nothing else to do. */
static void an_idle_committer_serves_readers(void **state)
{
    (void)state;
    const struct rig rig = rig_make("streams");
    struct teak_committer *committer = open_with_log(&rig);
    for (uint64_t index = 1; index <= FOLLOWED; index++) append_number(committer, index);
    close_it(committer);
    committer = open_with(&rig, NULL);
    for (int round = 0; round < 5; round++) {
        struct follower cold = {.reader = reader_at(committer, 1, 1), .first = 1, .last = FOLLOWED};
        follow(&cold);
        assert_int_equal(cold.status, TEAK_OK);
        assert_int_equal(cold.wrong, 0);
        teak_reader_seek(cold.reader, FOLLOWED - 9);
        cold.first = FOLLOWED - 9;
        follow(&cold);
        assert_int_equal(cold.read, 10);
        assert_int_equal(cold.wrong, 0);
        teak_reader_close(cold.reader);
    }
    close_it(committer);
    rig_remove(rig.dir);
}

/* Waiting at the tail, for ever, when the committer is stopped; and used afterwards. */
static void stopping_ends_a_follower(void **state)
{
    (void)state;
    const struct rig rig = rig_make("streams");
    for (useconds_t round = 0; round < 10; round++) {
        struct teak_committer *committer = open_with(&rig, NULL);
        if (round == 0) create(committer, 1);
        struct follower follower = {.reader = reader_at(committer, 1, 1), .first = 1, .last = FOLLOWED};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, follow, &follower), 0);
        append_number(committer, round + 1);
        usleep(round * 200);
        close_it(committer); /* not to be woken through any more: its memory is gone */
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(follower.status, TEAK_LOG_GONE);
        assert_int_equal(follower.wrong, 0);
        teak_reader_seek(follower.reader, 1);
        uint32_t count;
        struct teak_entry entry;
        assert_int_equal(teak_reader_read(follower.reader, 0, 100, &entry, 1, &count, NULL), TEAK_LOG_GONE);
        teak_reader_close(follower.reader);
    }
    rig_remove(rig.dir);
}

static void open_reader_in_callback(struct teak_store *store, void *context)
{
    struct teak_committer **committer = context;
    struct teak_reader *reader;
    (void)store;
    if (teak_committer_reader_open(*committer, 1, 1, &reader, NULL) == TEAK_IN_CALLBACK && !reader) *committer = NULL;
}

static void a_reader_that_cannot_be_says_why(void **state)
{
    (void)state;
    const struct rig rig = rig_make("streams");
    struct teak_committer *committer = open_with_log(&rig);
    struct teak_error error = {0};
    struct teak_reader *reader;
    append_number(committer, 1);
    append_number(committer, 2);
    rig_ok(commit_op(committer, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = 1}, &error), &error);
    assert_int_equal(teak_committer_reader_open(committer, 7, 1, &reader, &error), TEAK_UNKNOWN_LOG);
    assert_int_equal(error.log, 7);
    assert_int_equal(teak_committer_reader_open(committer, 1, 1, &reader, &error), TEAK_COMPACTED);
    assert_int_equal(teak_committer_reader_open(committer, 1, 4, &reader, &error), TEAK_BEYOND);
    assert_null(reader);
    struct teak_committer *refused = committer;
    rig_ok(teak_committer_call(committer, open_reader_in_callback, &refused, &error), &error);
    assert_null(refused);
    rig_ok(teak_committer_stop(committer, &error), &error);
    assert_int_equal(teak_committer_reader_open(committer, 1, 2, &reader, &error), TEAK_CLOSED);
    close_it(committer);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshots_are_installed_beside_commits),
        cmocka_unit_test(what_is_refused_says_why_and_who_has_the_stream),
        cmocka_unit_test(an_installation_that_fails_is_told),
        cmocka_unit_test(stopping_waits_for_an_installation),
        cmocka_unit_test(a_follower_sleeps_and_is_woken),
        cmocka_unit_test(an_idle_committer_serves_readers),
        cmocka_unit_test(stopping_ends_a_follower),
        cmocka_unit_test(a_reader_that_cannot_be_says_why),
    };
    return backends_run(argc, argv, "committer streams", tests, sizeof tests / sizeof tests[0]);
}
