/* flight_test.c: the one rule of durability, with a disk that ends operations when the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/flight.h"

static struct disk_op *out[64];
static uint32_t out_count;

static void take_op(struct disk *disk, struct disk_op *op)
{
    (void)disk;
    out[out_count++] = op;
}

static const struct disk_ops ops = {.name = "scripted", .submit = take_op};
static struct disk disk = {.ops = &ops};
static struct segment one = {.number = 1, .file = 11}, two = {.number = 2, .file = 22};
static struct flight flight;

static void begin(enum teak_strategy strategy, uint32_t in_flight)
{
    flight_init(&flight, strategy, in_flight);
    out_count = 0;
}

static struct frame *push(uint64_t lsn, struct segment *segment)
{
    struct frame *frame = flight_push(&flight, 4096);
    frame->lsn = lsn;
    frame->segment = segment;
    frame->offset = (uint32_t)lsn * 4096;
    frame->position = lsn * 4096;
    return frame;
}

static void launch(void) { flight_launch(&flight, &disk, 1000, false); }

/* The oldest operation that is out for this owner ends. */
static void land(struct frame *frame, int error)
{
    frame->op.error = error;
    flight_frame_ended(&flight, frame);
}

static struct flight_sync *sync_of(uint32_t number)
{
    assert_true(number < out_count);
    assert_int_equal(out[number]->kind, DISK_SYNC);
    return out[number]->owner;
}

static void end_sync(struct flight_sync *sync, int error)
{
    sync->op.error = error;
    flight_sync_ended(&flight, sync);
}

static uint64_t advance(void)
{
    uint64_t position;
    (void)flight_advance(&flight, 2000, &position);
    return flight.durable_lsn;
}

static void first_frame_landing_late_holds_back_durable(void **state)
{
    (void)state;
    begin(TEAK_DSYNC, 4);
    struct frame *a = push(1, &one), *b = push(2, &one);
    launch();
    assert_int_equal(out_count, 2);
    assert_true(out[0]->flags & DISK_DSYNC);
    land(b, 0);
    assert_int_equal(advance(), 0);
    land(a, 0);
    assert_int_equal(advance(), 2);
    assert_int_equal(flight.durable_segment, 1);
    assert_int_equal(flight.durable_offset, 3 * 4096);
    assert_true(flight_is_idle(&flight));
}

/* History 32. */
static void a_sync_covers_only_what_had_landed_before_it(void **state)
{
    (void)state;
    begin(TEAK_FDATASYNC, 4);
    struct frame *a = push(1, &one), *b = push(2, &one);
    launch();
    land(a, 0);
    launch();
    assert_int_equal(out_count, 3);
    land(b, 0); /* while the sync is on its way */
    launch();
    assert_int_equal(out_count, 3); /* one sync of a file at a time */
    end_sync(sync_of(2), 0);
    assert_int_equal(advance(), 1);
    launch();
    end_sync(sync_of(3), 0);
    assert_int_equal(advance(), 2);
}

/* History 32. */
static void each_file_needs_a_sync_of_its_own(void **state)
{
    (void)state;
    begin(TEAK_FDATASYNC, 4);
    struct frame *a = push(1, &one), *b = push(2, &two);
    launch();
    land(a, 0);
    land(b, 0);
    launch();
    assert_int_equal(out_count, 4);
    assert_int_equal(out[2]->file, 11);
    assert_int_equal(out[3]->file, 22);
    end_sync(sync_of(3), 0);
    assert_int_equal(advance(), 0); /* the checkpoint is safe, the last frame before it is not */
    end_sync(sync_of(2), 0);
    assert_int_equal(advance(), 2);
}

/* History 8. */
static void a_frame_behind_a_clean_mark_flies_alone(void **state)
{
    (void)state;
    begin(TEAK_DSYNC, 4);
    struct frame *a = push(1, &one);
    a->alone = true;
    struct frame *b = push(2, &one);
    launch();
    assert_int_equal(out_count, 1);
    land(a, 0);
    assert_int_equal(advance(), 1);
    launch();
    assert_int_equal(out_count, 2);
    land(b, 0);
    assert_int_equal(advance(), 2);
}

static void no_more_fly_than_may(void **state)
{
    (void)state;
    begin(TEAK_DSYNC, 2);
    struct frame *frames[5];
    for (uint64_t i = 0; i < 5; i++) frames[i] = push(i + 1, &one);
    launch();
    assert_int_equal(out_count, 2);
    land(frames[1], 0);
    launch();
    assert_int_equal(out_count, 3);
    assert_int_equal(flight.in_flight, 2);
}

static void an_idle_mark_waits_for_company(void **state)
{
    (void)state;
    static const enum teak_strategy strategies[] = {TEAK_AUTO, TEAK_DSYNC, TEAK_FDATASYNC, TEAK_BUFFERED};
    for (size_t s = 0; s < 4; s++) {
        begin(strategies[s], 2);
        struct frame *mark = push(1, &one);
        mark->is_idle_mark = true;
        launch();
        assert_false(out[0]->flags & DISK_DSYNC);
        land(mark, 0);
        launch();
        assert_int_equal(out_count, 1); /* evidence is no reason for a sync */
        struct frame *next = push(2, &one);
        launch();
        const bool own = next->dsync;
        assert_int_equal(out_count, own ? 3 : 2); /* beside a DSYNC write the mark is synced at once */
        land(next, 0);
        launch();
        assert_int_equal(out_count, 3);
        end_sync(sync_of(2), 0);
        assert_int_equal(advance(), 2);
    }
}

/* History 34: one that has to wait for nobody syncs itself, one beside a frame that lacks a sync shares it. */
static void under_auto_each_frame_gets_the_sync_that_fits(void **state)
{
    (void)state;
    begin(TEAK_AUTO, 4);
    struct frame *lone = push(1, &one);
    launch();
    assert_true(out[0]->flags & DISK_DSYNC);
    land(lone, 0);
    launch();
    assert_int_equal(out_count, 1);
    assert_int_equal(advance(), 1);
    struct frame *mark = push(2, &one);
    mark->is_idle_mark = true;
    launch();
    land(mark, 0);
    struct frame *a = push(3, &one), *b = push(4, &one);
    launch();
    assert_int_equal(out_count, 4);
    assert_false((out[2]->flags | out[3]->flags) & DISK_DSYNC);
    land(a, 0);
    land(b, 0);
    launch();
    assert_int_equal(out_count, 5);
    end_sync(sync_of(4), 0);
    assert_int_equal(advance(), 4);
    push(5, &one);
    launch();
    assert_true(out[5]->flags & DISK_DSYNC);
}

/* History 12. */
static void none_needs_nothing_and_vouches_for_nothing(void **state)
{
    (void)state;
    begin(TEAK_NONE, 2);
    struct frame *a = push(1, &one);
    launch();
    assert_int_equal(out[0]->flags, 0);
    land(a, 0);
    launch();
    assert_int_equal(out_count, 1);
    assert_int_equal(advance(), 1);
    assert_int_equal(flight.vouched_lsn, 0);
}

static void a_failed_write_poisons_for_good(void **state)
{
    (void)state;
    begin(TEAK_DSYNC, 4);
    struct frame *a = push(1, &one), *b = push(2, &one), *c = push(3, &one);
    launch();
    land(a, 0);
    assert_int_equal(advance(), 1);
    land(b, EIO);
    assert_true(flight.poisoned);
    land(c, ENOSPC);
    assert_int_equal(flight.cause.os_errno, EIO); /* the first cause */
    assert_int_equal(flight.cause.status, TEAK_POISONED);
    assert_int_equal(flight.cause.segment, 1);
    assert_int_equal(flight.cause.offset, 2 * 4096);
    assert_int_equal(advance(), 1);
    push(4, &one);
    launch();
    assert_int_equal(out_count, 3);
}

static void a_failed_sync_is_never_asked_again(void **state)
{
    (void)state;
    begin(TEAK_FDATASYNC, 4);
    struct frame *a = push(1, &one);
    launch();
    land(a, 0);
    launch();
    end_sync(sync_of(1), EIO);
    assert_true(flight.poisoned);
    launch();
    assert_int_equal(out_count, 2);
    assert_int_equal(advance(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_frame_landing_late_holds_back_durable),
        cmocka_unit_test(a_sync_covers_only_what_had_landed_before_it),
        cmocka_unit_test(each_file_needs_a_sync_of_its_own),
        cmocka_unit_test(a_frame_behind_a_clean_mark_flies_alone),
        cmocka_unit_test(no_more_fly_than_may),
        cmocka_unit_test(an_idle_mark_waits_for_company),
        cmocka_unit_test(under_auto_each_frame_gets_the_sync_that_fits),
        cmocka_unit_test(none_needs_nothing_and_vouches_for_nothing),
        cmocka_unit_test(a_failed_write_poisons_for_good),
        cmocka_unit_test(a_failed_sync_is_never_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
