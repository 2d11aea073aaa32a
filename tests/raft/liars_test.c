/* liars_test.c: other nodes say what no node of this version says. What raft_receive_fuzz found, case by case: nothing
 * stops the process, and nothing is believed that cannot be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lone_node.h"

static _Alignas(16) uint8_t block[LONE_BLOCK];

static const uint8_t three_voters[TEAK_RAFT_CONFIG_BYTES(3)] = {
    1, 0, 3, 0,
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};

/* Of member 2 to node 1, in term 1. */
static struct teak_raft_msg said(uint8_t type)
{
    const struct teak_raft_msg msg = {.from = 2, .to = 1, .born = 7, .incarnation = 8, .term = 1, .type = type};
    return msg;
}

/* Entries behind the only one that the log begins with, which is committed. */
static struct teak_raft_msg said_entries(const struct teak_raft_entry *entries, uint32_t count)
{
    struct teak_raft_msg append = said(TEAK_RAFT_APPEND);
    append.at = (struct teak_raft_pos){1, 1};
    append.index = 1;
    append.entries = entries;
    append.count = count;
    return append;
}

/* Term 0 is the term of what is not known here: an index beyond the log has it, and so the two agreed there. */
static void an_append_after_a_place_without_a_term_is_none(void **state)
{
    (void)state;
    struct teak_raft *raft = lone_node(block, 3, lone_options());
    struct teak_raft_msg msg = said(TEAK_RAFT_APPEND);
    struct teak_raft_view view;
    assert_non_null(raft);
    msg.at.index = 100;
    msg.index = 100;
    assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_BAD_MESSAGE);
    const struct teak_raft_entry entry = {.index = 101, .term = 1, .kind = TEAK_RAFT_NOOP};
    msg.entries = &entry;
    msg.count = 1;
    assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_BAD_MESSAGE);
    teak_raft_view(raft, &view);
    assert_int_equal(view.commit, 1);
    assert_int_equal(view.last.index, 1);
    teak_raft_fini(raft);
}

/* The ticket of the one operation on a body that a ready asks for. */
static uint64_t asked(struct teak_raft *raft, enum teak_raft_snap_op op)
{
    struct teak_raft_ready ready;
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_SNAP, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.snap_count, 1);
    assert_int_equal(ready.snap[0].op, op);
    return ready.snap[0].ticket;
}

/* While a snapshot comes in, its sender has another entry verified in its place. */
static void a_snapshot_that_contradicts_what_came_meanwhile_halts(void **state)
{
    (void)state;
    struct teak_raft *raft = lone_node(block, 3, lone_options());
    const struct teak_raft_chunk chunk = {.snapshot = {.pos = {3, 1}, .born = 5, .bytes = 4, .config_index = 1,
                                                       .config = three_voters, .config_bytes = sizeof three_voters}};
    const struct teak_raft_entry entries[2] = {{.index = 2, .term = 2}, {.index = 3, .term = 2}};
    struct teak_raft_msg offer = said(TEAK_RAFT_SNAPSHOT), append = said(TEAK_RAFT_APPEND);
    struct teak_raft_view view;
    offer.term = append.term = 2;
    offer.chunk = &chunk;
    append.at = (struct teak_raft_pos){1, 1};
    append.entries = entries;
    append.count = 2;
    assert_int_equal(teak_raft_receive(raft, &offer), TEAK_RAFT_OK);
    const uint64_t begin = asked(raft, TEAK_RAFT_SNAP_BEGIN);
    assert_int_equal(teak_raft_snap_done(raft, begin, TEAK_RAFT_DONE, 4, NULL), TEAK_RAFT_OK);
    const uint64_t end = asked(raft, TEAK_RAFT_SNAP_FINISH);
    assert_int_equal(teak_raft_receive(raft, &append), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_snap_done(raft, end, TEAK_RAFT_DONE, 0, NULL), TEAK_RAFT_HALTED);
    teak_raft_view(raft, &view);
    assert_true(view.halted && view.commit == 1 && view.last.index == 3);
    teak_raft_fini(raft);
}

/* A leader that changes the membership twice at once: a cut before both would leave no configuration. */
static void of_two_configurations_that_are_not_committed_one_is_taken(void **state)
{
    (void)state;
    struct teak_raft *raft = lone_node(block, 3, lone_options());
    const struct teak_raft_entry entries[3] = {
        {.index = 2, .term = 1, .kind = TEAK_RAFT_CONFIG, .data = three_voters, .bytes = sizeof three_voters},
        {.index = 3, .term = 1},
        {.index = 4, .term = 1, .kind = TEAK_RAFT_CONFIG, .data = three_voters, .bytes = sizeof three_voters}};
    struct teak_raft_msg append = said_entries(entries, 3);
    struct teak_raft_view view;
    assert_int_equal(teak_raft_receive(raft, &append), TEAK_RAFT_OK);
    teak_raft_view(raft, &view);
    assert_true(view.last.index == 3 && view.config_index == 2 && view.verified == 3);
    append.index = 2; /* the first is committed */
    assert_int_equal(teak_raft_receive(raft, &append), TEAK_RAFT_OK);
    teak_raft_view(raft, &view);
    assert_true(view.last.index == 4 && view.config_index == 4 && view.commit == 2);
    teak_raft_fini(raft);
}

/* ... and a cut before the one that was taken leaves the one before it. */
static void a_cut_leaves_the_configuration_before(void **state)
{
    (void)state;
    struct teak_raft *raft = lone_node(block, 3, lone_options());
    const struct teak_raft_entry entries[2] = {
        {.index = 2, .term = 1, .kind = TEAK_RAFT_CONFIG, .data = three_voters, .bytes = sizeof three_voters},
        {.index = 3, .term = 1, .kind = TEAK_RAFT_CONFIG, .data = three_voters, .bytes = sizeof three_voters}};
    const struct teak_raft_entry other = {.index = 2, .term = 2};
    struct teak_raft_msg append = said_entries(entries, 2);
    struct teak_raft_view view;
    assert_int_equal(teak_raft_receive(raft, &append), TEAK_RAFT_OK);
    append.term = 2;
    append.entries = &other;
    append.count = 1;
    assert_int_equal(teak_raft_receive(raft, &append), TEAK_RAFT_OK);
    teak_raft_view(raft, &view);
    assert_true(!view.halted && view.last.index == 2 && view.last.term == 2 && view.config_index == 1);
    teak_raft_fini(raft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_after_a_place_without_a_term_is_none),
        cmocka_unit_test(a_snapshot_that_contradicts_what_came_meanwhile_halts),
        cmocka_unit_test(of_two_configurations_that_are_not_committed_one_is_taken),
        cmocka_unit_test(a_cut_leaves_the_configuration_before),
    };
    return cmocka_run_group_tests_name("liars", tests, NULL, NULL);
}
