/* explore_test.c: budgets that are searched to the end. TEAK_EXPLORE=n makes room for n million states. */
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
        cmocka_unit_test(reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
