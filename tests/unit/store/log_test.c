/* log_test.c: the rules of admission, operation by operation, and the table of logs against a naive one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/log.h"
#include "store/locate.h"
#include "unit/seeded.h"

static const struct teak_bytes entry = {.data = "x", .bytes = 1};

/* Entries of the log below have the term of their decade. */
static uint64_t term_of(const void *context, uint64_t index)
{
    const struct log_head *head = context;
    return index == head->base.index ? head->base.term : index / 10;
}

static enum teak_status do_op(struct log_head *head, struct teak_op op)
{
    struct teak_error error = {0};
    const struct log_head before = *head;
    const enum teak_status status = log_judge(head, 7, &op, &error);
    assert_memory_equal(head, &before, sizeof before);
    assert_int_equal(error.status, status);
    if (status != TEAK_OK) assert_int_equal(error.log, 7);
    if (status == TEAK_OK) log_advance(head, &op, term_of, &before);
    return status;
}

static struct teak_op entries(uint64_t index, uint64_t term, uint32_t count)
{
    static struct teak_bytes many[100];
    for (int i = 0; i < 100; i++) many[i] = entry;
    return (struct teak_op){.op = TEAK_OP_ENTRIES, .index = index, .term = term, .entries = many, .count = count};
}
static struct teak_op at(enum teak_op_kind kind, uint64_t index, uint64_t term)
{
    return (struct teak_op){.op = kind, .index = index, .term = term};
}
static struct teak_op hard(uint64_t term, uint64_t vote, uint64_t commit)
{
    return (struct teak_op){.op = TEAK_OP_HARD_STATE, .term = term, .vote = vote, .commit = commit};
}

/* Entries 31..50, base (30, 3), snapshot at 20. */
static struct log_head grown(void)
{
    return (struct log_head){.alive = true, .base = {30, 3}, .last = {50, 5}, .snapshot = {20, 2},
                             .term = 5, .vote = 2, .commit = 40};
}

/* History 23. */
static void a_log_begins_anywhere_and_goes_on_where_it_is(void **state)
{
    (void)state;
    struct log_head head = {0};
    assert_int_equal(do_op(&head, entries(1, 1, 1)), TEAK_UNKNOWN_LOG);
    assert_int_equal(do_op(&head, at(TEAK_OP_CREATE, 0, 0)), TEAK_OK);
    assert_int_equal(do_op(&head, at(TEAK_OP_CREATE, 0, 0)), TEAK_LOG_EXISTS);
    assert_int_equal(do_op(&head, entries(0, 1, 1)), TEAK_INDEX_ZERO);
    assert_int_equal(do_op(&head, entries(300, 1, 0)), TEAK_INVALID);
    assert_int_equal(do_op(&head, entries(300, 2, 3)), TEAK_OK);
    assert_int_equal(head.base.index, 299);
    assert_int_equal(head.last.index, 302);
    assert_int_equal(do_op(&head, entries(304, 2, 1)), TEAK_GAP);
    assert_int_equal(do_op(&head, entries(302, 2, 1)), TEAK_OVERLAP);
    assert_int_equal(do_op(&head, entries(303, 1, 1)), TEAK_TERM_BACKWARDS);
    assert_int_equal(do_op(&head, at(TEAK_OP_TRUNCATE, 300, 0)), TEAK_OK);
    assert_int_equal(head.last.index, 299); /* empty, but not fresh: it goes on at its base + 1 */
    assert_int_equal(do_op(&head, entries(301, 2, 1)), TEAK_GAP);
    assert_int_equal(do_op(&head, entries(300, 1, 1)), TEAK_OK);
    assert_int_equal(do_op(&head, at(TEAK_OP_DROP, 0, 0)), TEAK_OK);
    assert_false(head.alive);
}

/* History 49. */
static void hard_states_never_go_back(void **state)
{
    (void)state;
    struct log_head head = grown();
    assert_int_equal(do_op(&head, hard(4, 2, 40)), TEAK_TERM_BACKWARDS);
    assert_int_equal(do_op(&head, hard(5, 3, 40)), TEAK_VOTE_CHANGED);
    assert_int_equal(do_op(&head, hard(5, 0, 40)), TEAK_VOTE_CHANGED);
    assert_int_equal(do_op(&head, hard(6, 3, 39)), TEAK_COMMIT_BACKWARDS);
    assert_int_equal(do_op(&head, hard(5, 2, 41)), TEAK_OK);
    assert_int_equal(do_op(&head, hard(6, 0, 41)), TEAK_OK);
    assert_int_equal(do_op(&head, hard(6, 9, 41)), TEAK_OK); /* a first vote in the term */
    assert_int_equal(do_op(&head, hard(6, 8, 41)), TEAK_VOTE_CHANGED);
}

static void truncation_and_compaction_stay_within_the_log(void **state)
{
    (void)state;
    struct log_head head = grown();
    assert_int_equal(do_op(&head, at(TEAK_OP_TRUNCATE, 0, 0)), TEAK_INDEX_ZERO);
    assert_int_equal(do_op(&head, at(TEAK_OP_TRUNCATE, 20, 0)), TEAK_BELOW_SNAPSHOT);
    assert_int_equal(do_op(&head, at(TEAK_OP_TRUNCATE, 30, 0)), TEAK_COMPACTED);
    assert_int_equal(do_op(&head, at(TEAK_OP_TRUNCATE, 52, 0)), TEAK_BEYOND);
    assert_int_equal(do_op(&head, at(TEAK_OP_TRUNCATE, 51, 0)), TEAK_OK);
    assert_int_equal(head.last.index, 50);
    assert_int_equal(do_op(&head, at(TEAK_OP_TRUNCATE, 45, 0)), TEAK_OK);
    assert_int_equal(head.last.index, 44);
    assert_int_equal(head.last.term, 4);
    assert_int_equal(do_op(&head, at(TEAK_OP_COMPACT, 45, 0)), TEAK_BEYOND);
    assert_int_equal(do_op(&head, at(TEAK_OP_COMPACT, 0, 0)), TEAK_INDEX_ZERO);
    assert_int_equal(do_op(&head, at(TEAK_OP_COMPACT, 10, 0)), TEAK_OK); /* long gone */
    assert_int_equal(head.base.index, 30);
    assert_int_equal(do_op(&head, at(TEAK_OP_COMPACT, 44, 0)), TEAK_OK);
    assert_int_equal(head.base.index, 44);
    assert_int_equal(head.base.term, 4);
    assert_int_equal(head.last.index, 44);
}

static void a_snapshot_keeps_a_tail_that_matches_and_clears_another(void **state)
{
    (void)state;
    struct log_head head = grown();
    assert_int_equal(do_op(&head, at(TEAK_OP_SNAPSHOT, 20, 9)), TEAK_OK); /* stale */
    assert_int_equal(do_op(&head, at(TEAK_OP_SNAPSHOT, 25, 9)), TEAK_OK);
    assert_int_equal(head.snapshot.index, 20);
    assert_int_equal(do_op(&head, at(TEAK_OP_SNAPSHOT, 42, 4)), TEAK_OK);
    assert_int_equal(head.snapshot.index, 42);
    assert_int_equal(head.last.index, 50);
    assert_int_equal(head.base.index, 30);
    assert_int_equal(do_op(&head, at(TEAK_OP_SNAPSHOT, 45, 7)), TEAK_OK);
    assert_int_equal(head.base.index, 45);
    assert_int_equal(head.base.term, 7);
    assert_int_equal(head.last.index, 45);
    assert_int_equal(do_op(&head, entries(46, 6, 1)), TEAK_TERM_BACKWARDS);
    assert_int_equal(do_op(&head, entries(45, 7, 1)), TEAK_BELOW_SNAPSHOT);
    assert_int_equal(do_op(&head, at(TEAK_OP_SNAPSHOT, 1000, 8)), TEAK_OK); /* ahead of the log */
    assert_int_equal(head.last.index, 1000);
    assert_int_equal(do_op(&head, entries(1001, 8, 1)), TEAK_OK);
    assert_int_equal(do_op(&head, at(TEAK_OP_SNAPSHOT, 0, 1)), TEAK_INDEX_ZERO);
    assert_int_equal(do_op(&head, at(TEAK_OP_SNAPSHOT, UINT64_MAX, 9)), TEAK_INVALID);
}

static void indexes_end_one_before_the_largest_number(void **state)
{
    (void)state;
    struct log_head head = {.alive = true, .fresh = true};
    assert_int_equal(do_op(&head, entries(UINT64_MAX, 1, 1)), TEAK_INVALID);
    assert_int_equal(do_op(&head, entries(UINT64_MAX - 2, 1, 3)), TEAK_INVALID);
    assert_int_equal(do_op(&head, entries(UINT64_MAX - 2, 1, 2)), TEAK_OK);
    assert_int_equal(do_op(&head, entries(UINT64_MAX, 1, 1)), TEAK_INVALID);
    assert_int_equal(do_op(&head, at(TEAK_OP_TRUNCATE, UINT64_MAX, 0)), TEAK_OK);
    assert_int_equal(do_op(&head, at(TEAK_OP_COMPACT, UINT64_MAX - 1, 0)), TEAK_OK);
}

/* ---- the table ---- */

enum { IDS = 400 };

static void the_table_agrees_with_a_naive_one(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin("the_table_agrees_with_a_naive_one");
    struct logs logs;
    assert_true(logs_init(&logs));
    static struct log *there[IDS];
    memset(there, 0, sizeof there);
    uint64_t ids[IDS];
    for (uint32_t i = 0; i < IDS; i++) { /* small ones, large ones, and some that differ in the upper half alone */
        const uint64_t step = i % 2 ? 1 : UINT64_C(1) << 32;
        ids[i] = i < 200 ? i : UINT64_MAX - (IDS - 1 - i) * step;
    }
    uint32_t count = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        const uint32_t i = seeded_below(&seeded, IDS);
        assert_ptr_equal(logs_find(&logs, ids[i]), there[i]);
        if (there[i] && seeded_below(&seeded, 2)) {
            if (seeded_below(&seeded, 4) == 0) logs_want(&logs, there[i]);
            logs_remove(&logs, there[i]);
            there[i] = NULL;
            count--;
        } else if (!there[i]) {
            if (!logs_has_room(&logs, 1)) assert_true(logs_grow(&logs, 16, NULL));
            there[i] = logs_add(&logs, ids[i]);
            assert_int_equal(there[i]->id, ids[i]);
            assert_int_equal(there[i]->terms.count, 0);
            assert_int_equal(there[i]->piece_count, 0);
            count++;
        } else {
            logs_want(&logs, there[i]);
            if (seeded_below(&seeded, 8) == 0) assert_true(logs_grow(&logs, 16, NULL));
        }
        assert_int_equal(logs.count, count);
        for (uint32_t k = 1; k < count && step % 100 == 0; k++)
            assert_true(logs.sorted[k - 1]->id < logs.sorted[k]->id);
    }
    assert_int_equal(logs_first_above(&logs, true, 0), 0);
    assert_int_equal(logs_first_above(&logs, false, UINT64_MAX), count);
    if (count > 5) assert_int_equal(logs_first_above(&logs, false, logs.sorted[3]->id), 4);
    logs_fini(&logs);
}

/* History 29. What a refused batch lacked is there when it comes again, also for a log that does not exist yet. */
static void growth_reaches_logs_that_are_still_to_come(void **state)
{
    (void)state;
    struct logs logs;
    assert_true(logs_init(&logs));
    struct segment active = {.number = 3};
    assert_true(segment_grow_effects(&active, 8));
    for (uint64_t id = 1; id <= 200; id++) {
        logs_want_free(&logs, 1, 9, true);
        assert_true(logs_need_growth(&logs, 4));
        assert_true(logs_grow(&logs, 4, &active));
        assert_false(logs_need_growth(&logs, 4));
        struct log *log = logs_add(&logs, id);
        assert_true(map_has_room(log, &active, 9, 1, 0, 1));
        assert_non_null(log->meta);
    }
    assert_int_equal(active.effect_count, 0); /* nothing was put into the segment for it */
    logs_fini(&logs);
    segment_drop_tables(&active);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_begins_anywhere_and_goes_on_where_it_is),
        cmocka_unit_test(hard_states_never_go_back),
        cmocka_unit_test(truncation_and_compaction_stay_within_the_log),
        cmocka_unit_test(a_snapshot_keeps_a_tail_that_matches_and_clears_another),
        cmocka_unit_test(indexes_end_one_before_the_largest_number),
        cmocka_unit_test(the_table_agrees_with_a_naive_one),
        cmocka_unit_test(growth_reaches_logs_that_are_still_to_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
