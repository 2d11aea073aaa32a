/* explore_snapshot_test.c: as explore_test.c, with snapshots on their way. TEAK_EXPLORE=n makes room for n million
 * states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "explore.h"

/* Always node 1 leads, and an offer is on its way to the last node, which was away. */
static void search(const char *name, uint32_t nodes, uint32_t net_max, struct budget budget)
{
    struct explore explore = {.name = name, .nodes = nodes, .learners = nodes == 2, .net_max = net_max,
                              .setup = "behind", .budget = budget, .states_max = 3000000};
    if (getenv("TEAK_EXPLORE")) explore.states_max = strtoull(getenv("TEAK_EXPLORE"), NULL, 10) * 1000000;
    explore_run(&explore);
    printf("%s: %" PRIu64 " states, %" PRIu64 " steps, depth %" PRIu64 ", %" PRIu64 " restored%s\n", name,
           explore.states, explore.steps, explore.depth, explore.restores, explore.exhausted ? "" : "; NOT exhausted");
    assert_false(explore.broken);
    assert_true(explore.exhausted);
    assert_true(explore.restores > 0);
}

static void chunks_are_lost(void **state)
{
    (void)state;
    search("a chunk is lost", 2, 3, (struct budget){.drops = 1, .dups = 1, .heartbeats = 1});
}

static void chunks_come_twice(void **state)
{
    (void)state;
    search("a chunk comes twice", 2, 4, (struct budget){.dups = 2, .heartbeats = 1});
}

static void nodes_crash(void **state)
{
    (void)state;
    search("a node crashes", 2, 3, (struct budget){.crashes = 2, .heartbeats = 1});
}

static void newer_ones_are_taken(void **state)
{
    (void)state;
    search("a newer one is taken", 2, 3, (struct budget){.proposals = 1, .snapshots = 1, .crashes = 1});
}

static void others_are_elected(void **state)
{
    (void)state;
    search("another one is elected", 3, 3, (struct budget){.elections = 1, .promises = 1, .drops = 1});
}

static void there_is_no_space(void **state)
{
    (void)state;
    search("there is no space", 2, 3, (struct budget){.proposals = 1, .refusals = 1, .drops = 1, .heartbeats = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_lost),    cmocka_unit_test(chunks_come_twice),
        cmocka_unit_test(nodes_crash),        cmocka_unit_test(newer_ones_are_taken),
        cmocka_unit_test(others_are_elected), cmocka_unit_test(there_is_no_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
