/* pool_step_test.c: what the filler does when files come back. The disk ends operations when the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/pool.h"

enum { SEGMENT = 1 << 20, PIECES = SEGMENT / POOL_PIECE_BYTES };

static struct disk_op *out;

static void take_op(struct disk *disk, struct disk_op *op)
{
    (void)disk;
    assert_null(out); /* one at a time */
    out = op;
}

static int stat_sound(struct disk *disk, int32_t file, struct disk_file_info *info)
{
    (void)disk;
    (void)file;
    *info = (struct disk_file_info){.bytes = SEGMENT, .links = 1};
    return 0;
}

static int lock_free(struct disk *disk, int32_t file, enum disk_lock how)
{
    (void)disk;
    (void)file;
    (void)how;
    return 0;
}

static int entropy_fixed(struct disk *disk, void *bytes, size_t count)
{
    (void)disk;
    memset(bytes, 1, count);
    return 0;
}

static int32_t closed[4];
static uint32_t closed_count;

static int run_close(struct disk *disk, struct disk_op *op)
{
    (void)disk;
    assert_int_equal(op->kind, DISK_CLOSE);
    assert_true(closed_count < 4);
    closed[closed_count++] = op->file;
    return 0;
}

static const struct disk_ops ops = {.name = "scripted", .submit = take_op, .run = run_close, .stat = stat_sound,
                                    .lock = lock_free, .entropy = entropy_fixed};
static struct disk disk = {.ops = &ops};
static struct segment ready = {.number = 8};
static struct segments segments;
static struct pool pool;
static int32_t next_file;

static void begin(uint32_t spares)
{
    const struct segment_id shape = {.block_bytes = 4096, .segment_bytes = SEGMENT};
    assert_true(pool_init(&pool, 3, 0, &shape, spares));
    segments = (struct segments){.oldest = 5, .newest = 7, .ready = &ready};
    out = NULL;
    next_file = 10;
    closed_count = 0;
}

static void end(void)
{
    if (segments.ready && segments.ready != &ready) segment_free(segments.ready, &disk);
    pool_fini(&pool, &disk);
}

static void step_with(uint64_t room) { pool_step(&pool, &disk, &segments, 1000, POOL_FAST, 0, room); }

static void step(void) { step_with(0); }

/* The operation at the disk is of this kind; it fails. */
static void fails(enum disk_kind kind, int error)
{
    assert_non_null(out);
    assert_int_equal(out->kind, kind);
    out->error = error;
    out = NULL;
    pool_ended(&pool, &disk, &segments, 1000);
}

/* The operation at the disk is of this kind; it ends well. */
static void ends(enum disk_kind kind)
{
    assert_non_null(out);
    assert_int_equal(out->kind, kind);
    if (kind == DISK_OPEN) out->file = next_file++;
    out->done = out->bytes;
    out = NULL;
    pool_ended(&pool, &disk, &segments, 1000);
}

static void steps(enum disk_kind kind)
{
    step();
    ends(kind);
}

static void make_with_pieces(uint32_t pieces)
{
    steps(DISK_OPEN);
    steps(DISK_ALLOCATE);
    for (uint32_t i = 0; i < pieces; i++) steps(DISK_WRITE);
}

static void prepare_next(void)
{
    static const enum disk_kind kinds[] = {DISK_OPEN, DISK_WRITE, DISK_SYNC, DISK_RENAME, DISK_SYNC_ALL};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) steps(kinds[i]);
    assert_non_null(segments.ready);
    assert_int_equal(segments.ready->number, segments.newest + 1);
}

/* Three pieces of a file are filled, and it is set aside: the writer waits, and one came back, which is prepared. */
static void begin_half_set_aside(void)
{
    begin(1);
    pool.keep = 2;
    make_with_pieces(3);
    segments.ready = NULL;
    assert_true(pool_add(&pool, (struct stock){.number = 4}));
    steps(DISK_OPEN);
}

static void what_comes_back_is_prepared_before_filling_goes_on(void **state)
{
    (void)state;
    begin(1);
    pool.keep = 2;
    make_with_pieces(3);
    segments.ready = NULL; /* the writer took it */
    steps(DISK_WRITE);     /* nothing else can be done */
    assert_true(pool_add(&pool, (struct stock){.number = 4}));
    prepare_next();
    assert_true(pool_is_busy(&pool));
    assert_int_equal(pool_supply(&pool, &segments), 2); /* ready, and the one whose blocks are its own */
    for (uint32_t piece = 4; piece < PIECES; piece++) { /* from where it stood, in the same file */
        step();
        assert_int_equal(out->offset, piece * POOL_PIECE_BYTES);
        assert_int_equal(out->file, 10);
        ends(DISK_WRITE);
    }
    steps(DISK_SYNC_ALL);
    step();
    assert_string_equal(out->name, "spare-0000000000000000.tmp");
    ends(DISK_RENAME);
    steps(DISK_SYNC_ALL);
    steps(DISK_CLOSE);
    assert_int_equal(pool.stock_count, 1);
    assert_int_equal(pool.made_bytes, SEGMENT);
    assert_false(pool_is_busy(&pool));
    end();
}

static void filling_is_given_up_where_enough_came_back(void **state)
{
    (void)state;
    begin(1);
    make_with_pieces(3);
    assert_true(pool_add(&pool, (struct stock){.number = 4}));
    steps(DISK_CLOSE);
    step();
    assert_string_equal(out->name, "spare-0000000000000000.tmp");
    ends(DISK_UNLINK);
    assert_false(pool_has_work(&pool, &segments));
    assert_false(pool_is_busy(&pool));
    assert_int_equal(pool.stock_count, 1);
    assert_int_equal(pool.unlinked, 0); /* counts what had been whole */
    assert_int_equal(pool.failures, 0);
    end();
}

static void what_is_about_to_come_back_is_not_made(void **state)
{
    (void)state;
    begin(1);
    pool.coming = 1;
    assert_false(pool_has_work(&pool, &segments));
    step();
    assert_null(out);
    segments.ready = NULL; /* quicker than filling one, too */
    step();
    assert_null(out);
    pool.coming = 0;
    step();
    assert_non_null(out);
    assert_int_equal(out->kind, DISK_OPEN);
    ends(DISK_OPEN);
    end();
}

static void what_is_set_aside_is_closed_at_the_end(void **state)
{
    (void)state;
    begin_half_set_aside();
    pool_fini(&pool, &disk);
    assert_int_equal(closed_count, 2);
    assert_int_equal(closed[0], 11);
    assert_int_equal(closed[1], 10);
}

/* A copy-on-write file system is full while a file is half filled: what came back serves the writer, and the half goes
 * on from where it stood. */
static void what_is_set_aside_outlives_a_full_disk(void **state)
{
    (void)state;
    begin_half_set_aside();
    step();
    fails(DISK_WRITE, ENOSPC); /* its identity: it goes back into stock */
    steps(DISK_CLOSE);
    assert_true(pool.no_space);
    assert_int_equal(pool.stock_count, 1);
    assert_int_equal(pool_supply(&pool, &segments), 2); /* and the one that has its blocks */
    step();
    assert_int_equal(out->file, 10); /* it is not to be prepared before a second is over */
    assert_int_equal(out->offset, 3 * POOL_PIECE_BYTES);
    fails(DISK_WRITE, ENOSPC); /* there were none left for it: nothing is kept of it */
    steps(DISK_CLOSE);
    step();
    assert_string_equal(out->name, "spare-0000000000000000.tmp");
    ends(DISK_UNLINK);
    assert_false(pool_is_busy(&pool));
    step();
    assert_null(out);
    assert_true(pool.retry_ns > 1000);
    pool.retry_ns = 0; /* a second later */
    prepare_next();
    assert_int_equal(pool.failures, 2);
    end();
    assert_int_equal(closed_count, 1); /* the segment's */
}

/* That there is no descriptor says nothing of a file: it is kept, and tried again a second later. That the file is not
 * one does: another is taken at once. */
static void what_cannot_be_opened_for_want_of_descriptors_is_kept(void **state)
{
    (void)state;
    static const int shortages[] = {EMFILE, ENFILE, ENOMEM};
    for (size_t i = 0; i < sizeof shortages / sizeof shortages[0]; i++) {
        begin(2);
        pool.keep = 3;
        assert_true(pool_add(&pool, (struct stock){.number = 3}));
        assert_true(pool_add(&pool, (struct stock){.number = 4}));
        segments.ready = NULL;
        step();
        fails(DISK_OPEN, shortages[i]);
        assert_int_equal(pool.stock_count, 2);
        assert_int_equal(pool.failure, shortages[i]);
        assert_false(pool_is_busy(&pool));
        step();
        assert_null(out); /* not before a second is over */
        assert_true(pool.retry_ns > 1000);
        pool.retry_ns = 0;
        step();
        fails(DISK_OPEN, EISDIR);
        steps(DISK_UNLINK);
        prepare_next();
        assert_int_equal(pool.failure, 0);
        assert_int_equal(pool.stock_count, 0);
        end();
    }
}

static void zeros_take_the_room_there_is(void **state)
{
    (void)state;
    enum { PIECE = POOL_PIECE_BYTES };
    static const uint64_t rooms[][2] = {{0, PIECE}, {3 * PIECE - 1, 2 * PIECE}, {UINT64_MAX, SEGMENT - 3 * PIECE}};
    begin(1);
    make_with_pieces(0);
    uint64_t filled = 0;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        step_with(rooms[i][0]);
        assert_int_equal(out->offset, filled);
        assert_int_equal(out->bytes, rooms[i][1]);
        filled += out->bytes;
        ends(DISK_WRITE);
    }
    steps(DISK_SYNC_ALL);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_back_is_prepared_before_filling_goes_on),
        cmocka_unit_test(filling_is_given_up_where_enough_came_back),
        cmocka_unit_test(what_is_about_to_come_back_is_not_made),
        cmocka_unit_test(what_is_set_aside_is_closed_at_the_end),
        cmocka_unit_test(what_is_set_aside_outlives_a_full_disk),
        cmocka_unit_test(what_cannot_be_opened_for_want_of_descriptors_is_kept),
        cmocka_unit_test(zeros_take_the_room_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
