/* limits_test.c: one life of a small cluster, lived again under each limit: at its smallest value, at the next, and
 * so on until the limit makes no difference any more. However small, nothing is lost, nothing stays unanswered, and
 * what is refused is refused with the status that the card says.
 *
 * PATH   life() writes a trace of all that happens. A limit is hit where the trace is not that of a life without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "world.h"

enum { VOTERS = 3, NODES = 4, TURNS = 60, BURST = 6 };

static struct world world;

struct tale {
    char *trace;
    uint32_t busy;      /* refusals that cleared by themselves */
    uint32_t too_large, too_many;
};

/* What was taken, in order: that and nothing else has to be in the ledger. */
static char taken[128];
static uint32_t taken_count;
static uint64_t newest_tag;

/* Nobody times out but by the leader's heartbeats and counts, until nothing moves any more. */
static void settle(uint32_t leader)
{
    uint64_t before = UINT64_MAX;
    for (uint32_t turn = 0, calm = 0; calm < 3; turn++) {
        if (turn == TURNS) fail_msg("it does not settle");
        world_stabilize(&world);
        if (teak_raft_runs(world_node(&world, leader), TEAK_RAFT_TIMER_HEARTBEAT))
            world_fire(&world, leader, TEAK_RAFT_TIMER_HEARTBEAT);
        world_stabilize(&world);
        uint64_t sum = world_node(&world, leader)->commit;
        for (uint32_t node = 1; node <= NODES; node++) sum = sum * 64 + world.at[node - 1]->disk.applied;
        for (uint32_t slot = 0; slot < world_node(&world, leader)->config.count; slot++)
            sum = sum * 64 + peer_at(world_node(&world, leader), slot)->match;
        for (uint32_t i = 0; i < world_node(&world, leader)->options.snapshot_streams; i++)
            sum = sum * 64 + stream_at(world_node(&world, leader), i)->acked;
        calm = sum == before ? calm + 1 : 0;
        before = sum;
    }
    assert_false(world.broken);
}

static void propose(struct tale *tale, uint32_t leader, const char *word)
{
    const uint32_t entry_bytes_max = world.options.entry_bytes_max;
    for (uint32_t tries = 0;; tries++) {
        newest_tag += 2; /* each is a run of its own */
        const enum teak_raft_status status = world_propose(&world, leader, word, newest_tag);
        fprintf(world.out, "proposes %s: %s\n", word, teak_raft_status_name(status));
        if (status == TEAK_RAFT_OK) break;
        if (status == TEAK_RAFT_TOO_LARGE) {
            assert_true(strlen(word) > entry_bytes_max);
            tale->too_large++;
            return;
        }
        assert_int_equal(status, TEAK_RAFT_BUSY);
        assert_true(tries < 3); /* it clears by itself */
        tale->busy++;
        settle(leader);
    }
    assert_true(strlen(word) <= entry_bytes_max);
    strcat(taken, word);
    taken_count++;
}

static void read_at(struct tale *tale, uint32_t leader, uint32_t node, uint64_t tag)
{
    for (uint32_t tries = 0;; tries++) {
        const enum teak_raft_status status = world_read(&world, node, tag, TEAK_RAFT_READ_INDEX);
        if (status == TEAK_RAFT_OK) return;
        assert_int_equal(status, TEAK_RAFT_BUSY);
        assert_int_equal(world.read_count[node - 1], world.options.reads_max);
        assert_true(tries < 1);
        tale->busy++;
        settle(leader);
    }
}

/* false: more than members_max. */
static bool change(struct tale *tale, uint32_t leader, uint32_t count, uint8_t last)
{
    struct teak_raft_member members[NODES];
    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct teak_raft_member){.id = i + 1, .roles = i + 1 < NODES ? TEAK_RAFT_VOTER : last};
    for (uint32_t tries = 0;; tries++) {
        struct teak_raft *raft = world_node(&world, leader);
        const enum teak_raft_status status = teak_raft_change(raft, raft->config.index, members, count);
        fprintf(world.out, "changes: %s\n", teak_raft_status_name(status));
        world_drain(&world, leader);
        if (status == TEAK_RAFT_OK) return true;
        if (status == TEAK_RAFT_MISUSE) {
            assert_true(count > world.options.members_max);
            tale->too_many++;
            return false;
        }
        assert_int_equal(status, TEAK_RAFT_BUSY);
        assert_true(tries < 3);
        tale->busy++;
        settle(leader);
    }
}

/* All is committed and applied everywhere, all is answered, and it is what was taken. */
static void judge_end(uint32_t leader, uint32_t members)
{
    char committed[128] = "";
    assert_false(world.broken);
    for (uint64_t index = 1; index <= world.committed; index++)
        if (world.ledger[index].kind >= TEAK_RAFT_KIND_APPLICATION)
            strncat(committed, (const char *)world.ledger[index].data, world.ledger[index].bytes);
    assert_string_equal(committed, taken);
    assert_int_equal(world.fates[TEAK_RAFT_COMMITTED], taken_count);
    assert_int_equal(world_node(&world, leader)->commit, world_node(&world, leader)->last.index);
    for (uint32_t node = 1; node <= members; node++) {
        assert_int_equal(world.at[node - 1]->disk.applied, world.committed);
        assert_int_equal(world.open[node - 1], 0);
        assert_int_equal(world.read_count[node - 1], 0);
    }
}

static void found(struct teak_raft_member *members)
{
    for (uint32_t i = 0; i < VOTERS; i++)
        members[i] = (struct teak_raft_member){.id = i + 1, .roles = TEAK_RAFT_VOTER};
}

/* A burst of proposals, of reads at two nodes; one more node is to come and another one is away, both need a snapshot;
 * leadership goes to somebody else, more is proposed. */
static struct tale life(struct teak_raft_options options)
{
    static const char *const words[BURST] = {"a", "bb", "ccc", "dddd", "eeeee", "f"};
    struct tale tale = {.busy = 0};
    struct teak_raft_member members[VOTERS];
    found(members);
    size_t bytes;
    FILE *out = open_memstream(&tale.trace, &bytes);
    assert_non_null(out);
    taken[0] = 0;
    taken_count = 0;
    newest_tag = 0;
    world_begin(&world, options, NODES, members, VOTERS, out);
    world_crash(&world, NODES, 0);
    assert_int_equal(teak_raft_campaign(world_node(&world, 1)), TEAK_RAFT_OK);
    world_drain(&world, 1);
    settle(1);
    for (uint32_t i = 0; i < BURST; i++) propose(&tale, 1, words[i]);
    for (uint64_t tag = 1; tag <= 4; tag++) read_at(&tale, 1, 1, tag);
    for (uint64_t tag = 5; tag <= 8; tag++) read_at(&tale, 1, 2, tag);
    settle(1);
    world_crash(&world, 3, 0);
    const bool grows = change(&tale, 1, NODES, TEAK_RAFT_LEARNER);
    for (uint32_t i = 0; i < BURST; i++) propose(&tale, 1, words[i]);
    world_fire(&world, 1, TEAK_RAFT_TIMER_HEARTBEAT);
    world_complete(&world, 1);
    settle(1);
    assert_int_equal(world_snapshot(&world, 1), TEAK_RAFT_OK);
    world_start(&world, 3);
    world_start(&world, NODES);
    settle(1);
    if (grows) assert_true(change(&tale, 1, NODES, TEAK_RAFT_VOTER));
    settle(1);
    assert_int_equal(teak_raft_transfer(world_node(&world, 1), 2), TEAK_RAFT_OK);
    world_drain(&world, 1);
    settle(1);
    assert_int_equal(world_node(&world, 2)->role, TEAK_RAFT_LEADER);
    world_crash(&world, 1, 0);
    for (uint32_t i = 0; i < BURST; i++) propose(&tale, 2, words[i]);
    settle(2);
    world_start(&world, 1); /* it gets many at a time */
    settle(2);
    judge_end(2, grows ? NODES : VOTERS);
    world_end(&world);
    fclose(out);
    return tale;
}

/* Limits that are met nowhere in that life, as far as the world has room for it. */
static struct teak_raft_options wide(void)
{
    struct teak_raft_options options = world_options();
    options.window_messages = 8;
    options.tags_max = 16;
    options.trailing_entries = options.retain_entries = 0; /* so that a snapshot is needed */
    options.snapshot_streams = 2;
    options.snapshot_chunk_bytes = WORLD_BODY;
    options.snapshot_window = 4;
    return options;
}

static const struct {
    const char *name;
    uint64_t least, most; /* at `most` it makes no difference */
    uint32_t chunk;       /* bytes, beside it                 */
} limits[] = {
    {"entry_bytes_max", 1, 400, WORLD_BODY},   {"message_bytes_max", 1, 400, WORLD_BODY},
    {"job_bytes_max", 1, 400, WORLD_BODY},     {"apply_bytes_max", 1, 400, WORLD_BODY},
    {"tail_bytes_max", 1, 400, WORLD_BODY},    {"window_bytes", 1, 400, WORLD_BODY},
    {"window_messages", 1, 8, WORLD_BODY},     {"jobs_max", 1, 4, WORLD_BODY},
    {"reads_max", 1, 4, WORLD_BODY},           {"tags_max", 1, 16, WORLD_BODY},
    {"members_max", 3, 5, WORLD_BODY},         {"snapshot_streams", 1, 2, WORLD_BODY},
    {"snapshot_chunk_bytes", 1, WORLD_BODY, 0}, {"snapshot_window", 1, 4, 3},
    {"snapshot_beat_bytes", 1, 400, 3},
};

static struct tale life_under(const char *name, uint64_t value, uint32_t chunk)
{
    struct teak_raft_options options = wide();
    if (chunk > 0) options.snapshot_chunk_bytes = chunk;
    if (name) assert_true(world_set_option(&options, name, value));
    return life(options);
}

static void every_limit_is_met_at_every_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct tale usual = life_under(NULL, 0, limits[i].chunk);
        uint32_t hits = 0, busy = 0, refused = 0;
        bool differs = true;
        assert_int_equal(usual.too_large + usual.too_many, 0);
        for (uint64_t value = limits[i].least; differs && value <= limits[i].most; value++) {
            struct tale tale = life_under(limits[i].name, value, limits[i].chunk);
            differs = strcmp(tale.trace, usual.trace) != 0;
            hits += differs;
            busy += tale.busy > usual.busy;
            refused += tale.too_large + tale.too_many > 0;
            free(tale.trace);
        }
        free(usual.trace);
        printf("%-20s makes a difference at %u values from %" PRIu64 " on; busy at %u, refused for good at %u\n",
               limits[i].name, hits, limits[i].least, busy, refused);
        assert_true(hits > 0);
        assert_false(differs);
    }
}

/* More at once than the log in memory has places for: the rest is busy until some are committed. */
static void a_full_log_clears_by_itself(void **state)
{
    (void)state;
    const struct teak_raft_member alone = {.id = 1, .roles = TEAK_RAFT_VOTER};
    for (uint32_t entries = 8; entries < 10; entries++) { /* the world has no room for larger spans */
        struct teak_raft_options options = wide();
        struct tale tale = {.busy = 0};
        size_t bytes;
        options.tail_entries = entries;
        FILE *out = open_memstream(&tale.trace, &bytes);
        taken[0] = 0;
        taken_count = 0;
        world_begin(&world, options, 1, &alone, 1, out);
        assert_int_equal(teak_raft_campaign(world_node(&world, 1)), TEAK_RAFT_OK);
        world_drain(&world, 1);
        world_stabilize(&world);
        for (uint32_t i = 0; i < 24; i++) propose(&tale, 1, "x");
        world_stabilize(&world);
        judge_end(1, 1);
        assert_true(tale.busy > 0);
        world_end(&world);
        fclose(out);
        free(tale.trace);
    }
}

/* A leader of as many terms, none of which committed anything, does not campaign again; somebody else leads then. */
static void as_many_terms_as_are_known_by_heart(void **state)
{
    (void)state;
    struct teak_raft_member members[VOTERS];
    found(members);
    for (uint32_t runs = 8; runs <= 14; runs++) {
        struct teak_raft_options options = wide();
        options.term_runs = runs;
        world_begin(&world, options, VOTERS, members, VOTERS, NULL);
        uint32_t led = 0;
        for (;; led++) {
            assert_true(led <= runs);
            const enum teak_raft_status status = teak_raft_campaign(world_node(&world, 1));
            world_drain(&world, 1);
            if (status == TEAK_RAFT_NOT_VOTER) break; /* no room for its first entry */
            assert_int_equal(status, TEAK_RAFT_OK);
            for (uint32_t turns = 0; world_node(&world, 1)->role != TEAK_RAFT_LEADER; turns++) {
                assert_true(turns < 100);
                for (uint32_t node = 1; node <= VOTERS; node++) world_complete(&world, node);
                if (world.net_count > 0) world_deliver(&world, 0, false);
            }
            world_complete(&world, 1);
            while (world.net_count > 0) world_drop(&world, 0); /* its entry gets nowhere */
            world_crash(&world, 1, 0);
            world_start(&world, 1);
            for (uint32_t node = 2; node <= VOTERS; node++)
                if (teak_raft_runs(world_node(&world, node), TEAK_RAFT_TIMER_PROMISE))
                    world_fire(&world, node, TEAK_RAFT_TIMER_PROMISE);
        }
        assert_int_equal(led, runs - 1); /* one is the founding configuration's */
        for (uint32_t node = 1; node <= VOTERS; node++)
            if (teak_raft_runs(world_node(&world, node), TEAK_RAFT_TIMER_PROMISE))
                world_fire(&world, node, TEAK_RAFT_TIMER_PROMISE);
        assert_int_equal(teak_raft_campaign(world_node(&world, 2)), TEAK_RAFT_OK);
        world_drain(&world, 2);
        world_stabilize(&world);
        if (world_node(&world, 2)->role != TEAK_RAFT_LEADER) { /* it had to learn the term first */
            assert_int_equal(teak_raft_campaign(world_node(&world, 2)), TEAK_RAFT_OK);
            world_drain(&world, 2);
            world_stabilize(&world);
        }
        assert_int_equal(world_node(&world, 2)->role, TEAK_RAFT_LEADER);
        for (uint32_t node = 1; node <= VOTERS; node++)
            assert_int_equal(world_node(&world, node)->commit, world_node(&world, 2)->last.index);
        assert_false(world.broken);
        world_end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_is_met_at_every_value),
        cmocka_unit_test(a_full_log_clears_by_itself),
        cmocka_unit_test(as_many_terms_as_are_known_by_heart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
