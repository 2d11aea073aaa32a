/* explore_test.c: six budgets, each searched to the end: no state is left that was not gone into.
 *
 *   elections · replication · reads · membership · snapshots · crashes     what each may do stands in the table
 *
 * With --long deeper ones, hours of them. TEAK_TEST_ONLY=PATTERN runs those tests only; TEAK_EXPLORE=n makes room for n
 * million states in each search, at 10 bytes a state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "explore.h"
#include "script.h"

/* Which searches are run: with O(n) checks, and under sanitizers, the small ones only. */
enum depth { SMALL, USUAL, LONG };
#ifdef TEAK_DEBUG
static enum depth depth = SMALL;
#else
static enum depth depth = USUAL;
#endif
static uint64_t states_in_all;

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

struct row {
    enum depth depth;
    bool leases; /* with clocks, reads are by lease */
    struct explore explore;
};

static const struct row elections_rows[] = {
    {SMALL, false, {.name = "an election and a crash", .nodes = 3, .net_max = 3,
                    .budget = {.elections = 1, .crashes = 1}}},
    {USUAL, false, {.name = "two elections, a loss", .nodes = 3, .net_max = 3,
                    .budget = {.elections = 2, .drops = 1}}},
    {SMALL, false, {.name = "a transfer", .nodes = 3, .net_max = 3, .setup = "leader",
                    .budget = {.transfers = 1, .proposals = 1}}},
    {LONG, false, {.name = "two elections, two losses, a repeat", .nodes = 3, .net_max = 3,
                   .budget = {.elections = 2, .drops = 2, .dups = 1}}},
    {LONG, false, {.name = "three elections", .nodes = 3, .net_max = 3, .budget = {.elections = 3}}},
};

static const struct row replication_rows[] = {
    {SMALL, false, {.name = "replication", .nodes = 3, .net_max = 4, .setup = "leader",
                    .budget = {.proposals = 1, .drops = 1, .dups = 1}}},
    {USUAL, false, {.name = "replication, heartbeats", .nodes = 3, .net_max = 4, .setup = "leader",
                    .budget = {.proposals = 1, .drops = 1, .dups = 1, .heartbeats = 1}}},
    {SMALL, false, {.name = "truncation", .nodes = 3, .net_max = 3, .setup = "leader",
                    .budget = {.elections = 1, .promises = 1, .proposals = 1}}},
    {SMALL, false, {.name = "no space", .nodes = 2, .net_max = 3, .setup = "leader",
                    .budget = {.refusals = 1, .proposals = 2, .elections = 1}}},
    {LONG, false, {.name = "two proposals, a loss, a repeat, a heartbeat", .nodes = 3, .net_max = 4,
                   .setup = "leader", .budget = {.proposals = 2, .drops = 1, .dups = 1, .heartbeats = 1}}},
};

static const struct row reads_rows[] = {
    {SMALL, false, {.name = "reads, and an election", .nodes = 3, .net_max = 3, .setup = "leader",
                    .budget = {.reads = 1, .elections = 1, .promises = 1}}},
    {USUAL, false, {.name = "a read, an election, and a member that is back", .nodes = 3, .net_max = 4,
                    .setup = "leader, back", .budget = {.reads = 1, .elections = 1, .promises = 1}}},
    {SMALL, false, {.name = "reads and a proposal", .nodes = 3, .net_max = 3, .setup = "leader",
                    .budget = {.reads = 1, .proposals = 1}}},
    {SMALL, false, {.name = "two reads", .nodes = 3, .net_max = 3, .setup = "leader", .budget = {.reads = 2}}},
    {SMALL, false, {.name = "a read that is lost", .nodes = 2, .net_max = 3, .setup = "leader",
                    .budget = {.reads = 2, .drops = 1, .heartbeats = 2, .old_reads = 2}}},
    {SMALL, true, {.name = "leases, and an election", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                   .budget = {.elections = 1, .times = 5, .reads = 1}}},
    {SMALL, true, {.name = "leases, and a restart", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                   .budget = {.elections = 1, .times = 4, .reads = 1, .crashes = 1}}},
    {USUAL, true, {.name = "leases, and a transfer", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                   .budget = {.transfers = 2, .reads = 1}}},
    {LONG, true, {.name = "leases, two reads, two transfers", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                  .budget = {.transfers = 2, .reads = 2}}},
    {LONG, false, {.name = "a read, an election, a crash, a heartbeat", .nodes = 3, .net_max = 5, .setup = "leader",
                   .budget = {.reads = 1, .elections = 1, .promises = 1, .crashes = 1, .heartbeats = 1}}},
    {LONG, false, {.name = "two reads, a proposal, an election", .nodes = 3, .net_max = 3, .setup = "leader",
                   .budget = {.reads = 2, .proposals = 1, .elections = 1, .promises = 1}}},
};

static const struct row membership_rows[] = {
    {SMALL, false, {.name = "a change, and an election", .nodes = 3, .learners = 1, .net_max = 3, .setup = "leader",
                    .budget = {.changes = 1, .elections = 1}}},
    {USUAL, false, {.name = "a change, and a promise that ends", .nodes = 3, .learners = 1, .net_max = 3,
                    .setup = "leader", .budget = {.changes = 1, .elections = 1, .promises = 1}}},
    {USUAL, false, {.name = "two changes", .nodes = 3, .net_max = 3, .setup = "leader", .budget = {.changes = 2}}},
    {LONG, false, {.name = "two changes, and an election", .nodes = 3, .net_max = 3, .setup = "leader",
                   .budget = {.changes = 2, .elections = 1}}},
};

/* An offer of a snapshot is on its way to the last node. More of them: explore_snapshot_test. */
static const struct row snapshots_rows[] = {
    {SMALL, false, {.name = "a snapshot, and a crash", .nodes = 2, .learners = 1, .net_max = 3, .setup = "behind",
                    .budget = {.crashes = 1, .heartbeats = 1}}},
    {USUAL, false, {.name = "a snapshot, losses, repeats, crashes", .nodes = 2, .learners = 1, .net_max = 3,
                    .setup = "behind", .budget = {.crashes = 1, .heartbeats = 1, .drops = 1, .dups = 1}}},
    {LONG, false, {.name = "a snapshot, a newer one, a crash, an election", .nodes = 3, .net_max = 3,
                   .setup = "behind", .budget = {.proposals = 1, .snapshots = 1, .crashes = 1, .elections = 1}}},
};

static const struct row crashes_rows[] = {
    {SMALL, false, {.name = "a crash of a leader", .nodes = 3, .net_max = 3, .setup = "leader",
                    .budget = {.crashes = 2, .proposals = 1}}},
    {SMALL, false, {.name = "a disk is replaced by a copy, and an election", .nodes = 3, .net_max = 3,
                    .budget = {.elections = 1, .copies = 1}}},
    {USUAL, false, {.name = "a copy, a proposal, an election, a promise that ends", .nodes = 3, .net_max = 3,
                    .setup = "leader", .budget = {.elections = 1, .promises = 1, .proposals = 1, .copies = 1}}},
    {USUAL, false, {.name = "an election and two crashes", .nodes = 3, .net_max = 3,
                    .budget = {.elections = 1, .crashes = 2}}},
    {USUAL, false, {.name = "a crash, a proposal, an election", .nodes = 3, .net_max = 3, .setup = "leader",
                    .budget = {.elections = 1, .crashes = 1, .proposals = 1}}},
    {LONG, false, {.name = "two elections, a crash, a loss", .nodes = 3, .net_max = 3,
                   .budget = {.elections = 2, .crashes = 1, .drops = 1}}},
    {LONG, false, {.name = "a crash, two proposals, an election, a promise that ends", .nodes = 3, .net_max = 3,
                   .setup = "leader", .budget = {.elections = 1, .promises = 1, .crashes = 1, .proposals = 2}}},
};

static void search(const struct row *row)
{
    struct explore explore = row->explore;
    if (row->leases) {
        explore.options = with_leases();
        memcpy(explore.rates, (const uint16_t[]){9, 15, 15}, 3 * sizeof explore.rates[0]);
    }
    explore.states_max = depth == LONG ? 800000000 : 6000000;
    if (getenv("TEAK_EXPLORE")) explore.states_max = strtoull(getenv("TEAK_EXPLORE"), NULL, 10) * 1000000;
    const time_t began = time(NULL);
    explore_run(&explore);
    printf("%s: %" PRIu64 " states, %" PRIu64 " steps, depth %" PRIu64 ", at most %" PRIu64 " leaders, %" PRIu64
           " entries committed, %" PRIu64 " reads answered, %" PRIu64 " snapshots restored%s",
           explore.name, explore.states, explore.steps, explore.depth, explore.leaders, explore.commits,
           explore.reads, explore.restores, explore.exhausted ? "" : "; NOT exhausted");
    if (depth == LONG) printf("; %ld s", (long)(time(NULL) - began));
    printf("\n");
    fflush(stdout);
    states_in_all += explore.states;
    free(explore.script);
    assert_false(explore.broken);
    assert_true(explore.exhausted);
}

#define SEARCH(name)                                                                                                   \
    static void name(void **state)                                                                                     \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        for (size_t i = 0; i < sizeof name##_rows / sizeof name##_rows[0]; i++)                                        \
            if (depth == LONG ? name##_rows[i].depth == LONG : name##_rows[i].depth <= depth)                          \
                search(&name##_rows[i]);                                                                               \
    }
SEARCH(elections)
SEARCH(replication)
SEARCH(reads)
SEARCH(membership)
SEARCH(snapshots)
SEARCH(crashes)

static void they_are_as_many_as_is_said(void **state)
{
    (void)state;
    static const uint64_t least[] = {[SMALL] = 1000000, [USUAL] = 5000000, [LONG] = 500000000};
    printf("%" PRIu64 " states in all\n", states_in_all);
    if (!getenv("TEAK_TEST_ONLY") && !getenv("TEAK_EXPLORE")) assert_true(states_in_all >= least[depth]);
}

/* ---------------------------------------------------------------------------------------------- tests of the tests */

/* Something is found, and the script that comes of it breaks the same invariant when it is played. */
static void finds(struct explore explore, const char *broken_by)
{
    explore.quiet = true;
    explore.states_max = 3000000;
    explore_run(&explore);
    assert_true(explore.broken);
    assert_false(explore.exhausted);
    printf("%s: found after %" PRIu64 " states: %s\n%s", explore.name, explore.states, explore.broken_by,
           explore.script);
    assert_string_equal(explore.broken_by, broken_by);
    char *played;
    size_t bytes;
    FILE *out = open_memstream(&played, &bytes);
    const char *again = script_play(explore.script, out);
    fclose(out);
    assert_non_null(again);
    assert_string_equal(again, broken_by);
    char *line; /* what is broken is the last that it prints */
    assert_true(asprintf(&line, "BROKEN: %s", broken_by) > 0);
    assert_non_null(strstr(played, line));
    free(line);
    free(played);
    free(explore.script);
}

static void clocks_beyond_the_bound_are_caught(void **state)
{
    (void)state;
    finds((struct explore){.name = "clocks beyond the bound", .nodes = 3, .net_max = 2, .setup = "leader, heard",
                           .options = with_leases(), .rates = {3, 21, 21},
                           .budget = {.elections = 1, .times = 3, .reads = 1}},
          "a read misses what was committed before it was asked");
}

static void disks_that_lie_are_caught(void **state)
{
    (void)state;
    finds((struct explore){.name = "a disk that lies", .nodes = 3, .net_max = 3, .setup = "leader", .liar = 2,
                           .budget = {.proposals = 1, .drops = 1}},
          "committed, and not on a majority of disks");
    finds((struct explore){.name = "a learner's disk that lies", .nodes = 2, .learners = 1, .net_max = 3,
                           .setup = "behind", .liar = 2, .budget = {.proposals = 1}},
          "restores what is not durably in force");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elections), cmocka_unit_test(replication), cmocka_unit_test(reads),
        cmocka_unit_test(membership), cmocka_unit_test(snapshots), cmocka_unit_test(crashes),
        cmocka_unit_test(they_are_as_many_as_is_said),
        cmocka_unit_test(clocks_beyond_the_bound_are_caught), cmocka_unit_test(disks_that_lie_are_caught),
    };
    if (argc > 1 && strcmp(argv[1], "--long") == 0) depth = LONG;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
