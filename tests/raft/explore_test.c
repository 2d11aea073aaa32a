/* explore_test.c: budgets that are searched to the end. TEAK_EXPLORE=n makes room for n million states,
 * TEAK_SEARCH=PATTERN runs those tests only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "explore.h"

static void search(struct explore explore)
{
    explore.states_max = 3000000;
    if (getenv("TEAK_EXPLORE")) explore.states_max = strtoull(getenv("TEAK_EXPLORE"), NULL, 10) * 1000000;
    explore_run(&explore);
    printf("%s: %" PRIu64 " states, %" PRIu64 " steps, depth %" PRIu64 ", at most %" PRIu64 " leaders, %" PRIu64
           " entries committed, %" PRIu64 " reads answered%s\n",
           explore.name, explore.states, explore.steps, explore.depth, explore.leaders, explore.commits,
           explore.reads, explore.exhausted ? "" : "; NOT exhausted");
    assert_false(explore.broken);
    assert_true(explore.exhausted);
}

static void elections(void **state)
{
    (void)state;
    search((struct explore){.name = "an election and a crash", .nodes = 3, .net_max = 3,
                            .budget = {.elections = 1, .crashes = 1}});
#ifndef TEAK_DEBUG /* 700,000 states: minutes with a sanitizer */
    search((struct explore){.name = "two elections", .nodes = 3, .net_max = 3, .budget = {.elections = 2}});
#endif
}

static void replication(void **state)
{
    (void)state;
    search((struct explore){.name = "replication", .nodes = 3, .net_max = 4, .setup = "leader",
                            .budget = {.proposals = 1, .drops = 1, .dups = 1}});
}

static void truncation(void **state)
{
    (void)state;
    search((struct explore){.name = "truncation", .nodes = 3, .net_max = 3, .setup = "leader",
                            .budget = {.elections = 1, .promises = 1, .proposals = 1}});
}

static void membership(void **state)
{
    (void)state;
    search((struct explore){.name = "membership", .nodes = 3, .learners = 1, .net_max = 3, .setup = "leader",
                            .budget = {.changes = 1, .elections = 1}});
}

static void reads(void **state)
{
    (void)state;
    search((struct explore){.name = "reads, and an election", .nodes = 3, .net_max = 3, .setup = "leader",
                            .budget = {.reads = 1, .elections = 1, .promises = 1}});
    search((struct explore){.name = "reads and a proposal", .nodes = 3, .net_max = 3, .setup = "leader",
                            .budget = {.reads = 1, .proposals = 1}});
    search((struct explore){.name = "two reads", .nodes = 3, .net_max = 3, .setup = "leader",
                            .budget = {.reads = 2}});
    search((struct explore){.name = "a read that is lost", .nodes = 2, .net_max = 3, .setup = "leader",
                            .budget = {.reads = 2, .drops = 1, .heartbeats = 2, .old_reads = 2}});
}

/* A lease of 20 under promises of 40: clocks may be a quarter off. The leader's is as slow, the others' are as fast as
 * that allows. */
static struct teak_raft_options with_leases(void)
{
    struct teak_raft_options options = world_options();
    options.election = options.promise_max = 40;
    options.heartbeat = 39;
    options.lease_drift_ppm = 250000;
    return options;
}

static void leases(void **state)
{
    (void)state;
    search((struct explore){.name = "leases, and an election", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                            .options = with_leases(), .rates = {9, 15, 15},
                            .budget = {.elections = 1, .times = 5, .reads = 1}});
    search((struct explore){.name = "leases, and a restart", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                            .options = with_leases(), .rates = {9, 15, 15},
                            .budget = {.elections = 1, .times = 4, .reads = 1, .crashes = 1}});
#ifndef TEAK_DEBUG /* 2,100,000 states */
    search((struct explore){.name = "leases, and a transfer", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                            .options = with_leases(), .rates = {9, 15, 15},
                            .budget = {.transfers = 2, .reads = 1}});
#endif
}

/* A test of the test: clocks that are further off than was said are found out. */
static void clocks_beyond_the_bound_are_caught(void **state)
{
    (void)state;
    struct explore explore = {.name = "clocks beyond the bound", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                              .options = with_leases(), .rates = {3, 21, 21}, .quiet = true, .states_max = 3000000,
                              .budget = {.elections = 1, .times = 3, .reads = 1}};
    explore_run(&explore);
    printf("%s: %s after %" PRIu64 " states\n", explore.name, explore.broken ? "found" : "not found", explore.states);
    assert_true(explore.broken);
}

static void no_space(void **state)
{
    (void)state;
    search((struct explore){.name = "no space", .nodes = 2, .net_max = 3, .setup = "leader",
                            .budget = {.refusals = 1, .proposals = 2, .elections = 1}});
}

static void transfer(void **state)
{
    (void)state;
    search((struct explore){.name = "transfer", .nodes = 3, .net_max = 3, .setup = "leader",
                            .budget = {.transfers = 1, .proposals = 1}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elections),  cmocka_unit_test(replication), cmocka_unit_test(truncation),
        cmocka_unit_test(membership), cmocka_unit_test(no_space),    cmocka_unit_test(transfer),
        cmocka_unit_test(reads),      cmocka_unit_test(leases),
        cmocka_unit_test(clocks_beyond_the_bound_are_caught),
    };
    cmocka_set_test_filter(getenv("TEAK_SEARCH")); /* NULL: all; a pattern with * and ? */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
