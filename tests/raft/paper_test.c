/* paper_test.c: what section 5 of the Raft paper (Ongaro, Ousterhout 2014) says, sentence by sentence. Where the core
 * does otherwise on purpose (pre-vote, promises, votes that wait for the disk) a test sees to it that the sentence
 * still holds behind that: docs/divergence.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/core.h"
#include "core/tail.h"
#include "world.h"

static struct world world;

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static struct teak_raft *begin(uint32_t nodes)
{
    struct teak_raft_member members[WORLD_NODES];
    for (uint32_t i = 0; i < nodes; i++) members[i] = (struct teak_raft_member){.id = i + 1, .roles = TEAK_RAFT_VOTER};
    world_begin(&world, world_options(), nodes, members, nodes, NULL);
    return world_node(&world, 1);
}

/* Node 1 of `nodes` leads, all have what it has. */
static struct teak_raft *begin_led(uint32_t nodes)
{
    struct teak_raft *raft = begin(nodes);
    assert_int_equal(teak_raft_campaign(raft), TEAK_RAFT_OK);
    world_drain(&world, 1);
    world_stabilize(&world);
    assert_int_equal(raft->role, TEAK_RAFT_LEADER);
    return raft;
}

static void clear(void)
{
    while (world.net_count > 0) world_drop(&world, 0);
}

/* A message that `from` might have sent, and what came back to it: NULL, nothing. */
static const struct teak_raft_msg *say(uint32_t from, uint32_t to, struct teak_raft_msg msg)
{
    const struct teak_raft *sender = world_node(&world, from), *raft = world_node(&world, to);
    memcpy(msg.cluster, sender->options.cluster, sizeof msg.cluster);
    msg.group = sender->options.group;
    msg.from = from;
    msg.to = to;
    msg.born = sender->born;
    msg.incarnation = sender->incarnation;
    msg.asked = raft->incarnation;
    const uint32_t before = world.net_count;
    assert_int_equal(teak_raft_receive(world_node(&world, to), &msg), TEAK_RAFT_OK);
    world_drain(&world, to);
    while (world.disks[to - 1].flight_count > 0) world_complete(&world, to);
    for (uint32_t i = world.net_count; i > before; i--)
        if (world.net[i - 1].msg.to == from && world.net[i - 1].msg.from == to) return &world.net[i - 1].msg;
    return NULL;
}

static uint32_t sent(uint8_t type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world.net_count; i++) count += world.net[i].msg.type == type;
    return count;
}

static struct teak_raft_entry entry(uint64_t index, uint64_t term)
{
    return (struct teak_raft_entry){.index = index, .term = term, .kind = TEAK_RAFT_KIND_APPLICATION, .bytes = 1,
                                    .data = world_intern((const uint8_t *)"x", 1)};
}

/* ------------------------------------------------------------------------------------------------------- 5.1 terms */

/* "If one server's current term is smaller than the other's, then it updates its current term to the larger value." "If
 * a candidate or leader discovers that its term is out of date, it immediately reverts to follower state." */
static void a_larger_term_is_taken_over(void **state)
{
    (void)state;
    struct teak_raft *raft = begin_led(3);
    say(1, 2, (struct teak_raft_msg){.type = TEAK_RAFT_HEARTBEAT, .term = 7});
    assert_int_equal(world_node(&world, 2)->term, 7);
    say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 8});
    assert_int_equal(raft->term, 8);
    assert_int_equal(raft->role, TEAK_RAFT_FOLLOWER);
}

static void a_candidate_of_an_old_term_follows(void **state)
{
    (void)state;
    struct teak_raft *raft = begin(3);
    world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
    assert_int_equal(raft->role, TEAK_RAFT_PRE_CANDIDATE);
    say(2, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 5, .at = {1, 1}, .index = 1});
    assert_int_equal(raft->role, TEAK_RAFT_FOLLOWER);
    assert_int_equal(raft->term, 5);
    assert_int_equal(raft->leader, 2);
}

/* "If a server receives a request with a stale term number, it rejects the request." */
static void a_request_of_an_old_term_is_refused(void **state)
{
    (void)state;
    begin_led(3);
    const struct teak_raft_entry one = entry(3, 1);
    const struct teak_raft_msg *reply = say(
        3, 2, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 1, .at = {1, 1}, .entries = &one, .count = 0});
    assert_non_null(reply);
    assert_true(reply->refused);
    assert_int_equal(reply->term, 2);
    assert_int_equal(world_node(&world, 2)->last.index, 2);
}

/* --------------------------------------------------------------------------------------------------- 5.2 elections */

/* "When servers start up, they begin as followers." */
static void servers_begin_as_followers(void **state)
{
    (void)state;
    begin(3);
    for (uint32_t node = 1; node <= 3; node++) assert_int_equal(world_node(&world, node)->role, TEAK_RAFT_FOLLOWER);
}

/* "Leaders send periodic heartbeats to all followers in order to maintain their authority." */
static void a_leader_sends_heartbeats_to_all(void **state)
{
    (void)state;
    begin_led(3);
    for (uint32_t round = 1; round <= 2; round++) {
        world_fire(&world, 1, TEAK_RAFT_TIMER_HEARTBEAT);
        assert_int_equal(sent(TEAK_RAFT_HEARTBEAT), 2 * round);
    }
}

/* "If a follower receives no communication over a period of time called the election timeout, then it assumes there is
 * no viable leader and begins an election." "A follower increments its current term and transitions to candidate state.
 * It then votes for itself and issues RequestVote RPCs in parallel to each of the other servers." */
static void a_silent_leader_is_replaced(void **state)
{
    (void)state;
    struct teak_raft *raft = begin(3);
    const uint64_t before = raft->term;
    world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
    assert_int_equal(sent(TEAK_RAFT_PRE_VOTE), 2);
    world_deliver(&world, 0, false);
    world_deliver(&world, world.net_count - 1, false); /* a majority would vote */
    assert_int_equal(raft->role, TEAK_RAFT_CANDIDATE);
    assert_int_equal(raft->term, before + 1);
    assert_int_equal(raft->vote, 1);
    assert_int_equal(sent(TEAK_RAFT_VOTE), 0); /* its own vote is not durable yet */
    world_complete(&world, 1);
    assert_int_equal(sent(TEAK_RAFT_VOTE), 2);
}

/* "A candidate wins an election if it receives votes from a majority of the servers in the full cluster." Every set of
 * answers of up to five servers. */
static void a_majority_of_votes_elects(void **state)
{
    (void)state;
    for (uint32_t nodes = 1; nodes <= 5; nodes++)
        for (uint32_t votes = 0; votes < 1u << (nodes - 1); votes++) {
            struct teak_raft *raft = begin(nodes);
            uint32_t granted = 1;
            world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
            for (uint32_t node = 2; node <= nodes; node++)
                say(node, 1, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = raft->term,
                                                    .round = raft->vote_round});
            while (world.disks[0].flight_count > 0) world_complete(&world, 1);
            const uint64_t term = raft->term, round = raft->vote_round;
            for (uint32_t node = 2; node <= nodes; node++)
                granted += votes >> (node - 2) & 1;
            uint32_t told = 1;
            for (uint32_t node = 2; node <= nodes && raft->role == TEAK_RAFT_CANDIDATE; node++) {
                const bool yes = votes >> (node - 2) & 1;
                told += yes;
                say(node, 1, (struct teak_raft_msg){.type = TEAK_RAFT_VOTE_REPLY, .term = term, .round = round,
                                                    .refused = !yes});
                assert_int_equal(raft->role == TEAK_RAFT_LEADER, told > nodes / 2);
            }
            assert_int_equal(raft->role == TEAK_RAFT_LEADER, granted > nodes / 2);
            if (nodes < 5 || votes + 1 < 1u << (nodes - 1)) world_end(&world);
        }
}

/* "Each server will vote for at most one candidate in a given term, on a first-come-first-served basis." */
static void one_vote_in_a_term_for_who_comes_first(void **state)
{
    (void)state;
    begin(3);
    const struct teak_raft_msg ask = {.type = TEAK_RAFT_VOTE, .term = 2, .at = {1, 1}, .round = 1};
    const struct teak_raft_msg *reply = say(2, 1, ask);
    assert_true(reply && !reply->refused);
    reply = say(3, 1, ask);
    assert_true(reply && reply->refused);
    reply = say(2, 1, ask);
    assert_true(reply && !reply->refused);
}

/* "If the leader's term is at least as large as the candidate's current term, then the candidate recognizes the leader
 * as legitimate and returns to follower state." */
static void a_candidate_recognizes_a_leader_of_its_term(void **state)
{
    (void)state;
    struct teak_raft *raft = begin(3);
    world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
    say(2, 1, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = 1, .round = raft->vote_round});
    assert_int_equal(raft->role, TEAK_RAFT_CANDIDATE);
    say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = raft->term, .at = {1, 1}, .index = 1});
    assert_int_equal(raft->role, TEAK_RAFT_FOLLOWER);
    assert_int_equal(raft->leader, 3);
}

/* "Raft uses randomized election timeouts to ensure that split votes are rare": within their interval, and not the
 * same again and again. */
static void election_timeouts_are_drawn(void **state)
{
    (void)state;
    struct teak_raft *raft = begin(3);
    bool differ = false;
    for (uint32_t round = 0; round < 50; round++) {
        const uint64_t before = raft->at[TIMER_ELECTION];
        world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
        const uint64_t after = raft->at[TIMER_ELECTION];
        assert_true(after >= raft->options.election && after <= 2 * raft->options.election);
        differ = differ || after != before;
        clear();
    }
    assert_true(differ);
}

/* ------------------------------------------------------------------------------------------------- 5.3 replication */

/* "The leader appends the command to its log as a new entry, then issues AppendEntries RPCs in parallel to each of the
 * other servers." "When sending an AppendEntries RPC, the leader includes the index and term of the entry in its log
 * that immediately precedes the new entries." */
static void a_command_is_appended_and_sent(void **state)
{
    (void)state;
    struct teak_raft *raft = begin_led(3);
    assert_int_equal(world_propose(&world, 1, "x", 1), TEAK_RAFT_OK);
    assert_int_equal(raft->last.index, 3);
    assert_int_equal(sent(TEAK_RAFT_APPEND), 2);
    assert_int_equal(world.net[0].msg.at.index, 2);
    assert_int_equal(world.net[0].msg.at.term, 2);
    assert_int_equal(world.net[0].msg.count, 1);
}

/* "A log entry is committed once the leader that created the entry has replicated it on a majority of the servers."
 * "When the entry has been safely replicated, the leader applies the entry to its state machine." */
static void an_entry_on_a_majority_is_committed_and_applied(void **state)
{
    (void)state;
    struct teak_raft *raft = begin_led(5);
    world_propose(&world, 1, "x", 1);
    world_complete(&world, 1);
    for (uint32_t node = 2; node <= 3; node++) {
        assert_int_equal(raft->commit, 2);
        for (uint32_t i = 0; i < world.net_count; i++)
            if (world.net[i].msg.to == node) {
                world_deliver(&world, i, false);
                break;
            }
        world_complete(&world, node);
        world_deliver(&world, world.net_count - 1, false);
    }
    assert_int_equal(raft->commit, 3);
    assert_int_equal(raft->applied, 3);
}

/* "The leader keeps track of the highest index it knows to be committed, and it includes that index in future
 * AppendEntries RPCs so that the other servers eventually find out. Once a follower learns that a log entry is
 * committed, it applies the entry to its local state machine." */
static void followers_learn_what_is_committed_and_apply_it(void **state)
{
    (void)state;
    begin_led(3);
    world_propose(&world, 1, "x", 1);
    world_stabilize(&world);
    for (uint32_t node = 1; node <= 3; node++) {
        assert_int_equal(world_node(&world, node)->commit, 3);
        assert_int_equal(world.disks[node - 1].applied, 3);
    }
}

/* "If the follower does not find an entry in its log with the same index and term, then it refuses the new entries." */
static void entries_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    begin_led(3);
    static const struct {
        struct teak_raft_pos at;
        bool fits;
    } cases[] = {{{1, 1}, true}, {{2, 2}, true}, {{3, 2}, false}, {{9, 5}, false}};
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct teak_raft_msg *reply =
            say(3, 2, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 9, .at = cases[i].at, .index = 1});
        assert_non_null(reply);
        assert_int_equal(reply->refused, !cases[i].fits);
    }
}

/* "If an existing entry conflicts with a new one (same index but different terms), delete the existing entry and all
 * that follow it. Append any new entries not already in the log." (Figure 2.) "Conflicting entries in follower logs
 * will be overwritten with entries from the leader's log." */
static void conflicting_entries_are_overwritten(void **state)
{
    (void)state;
    begin(3);
    const struct teak_raft *raft = world_node(&world, 2);
    const struct teak_raft_entry old[] = {entry(2, 2), entry(3, 2), entry(4, 2)}, new[] = {entry(2, 2), entry(3, 3)};
    say(1, 2, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 2, .at = {1, 1}, .entries = old, .count = 3});
    assert_int_equal(raft->last.index, 4);
    say(1, 2, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 2, .at = {1, 1}, .entries = old, .count = 1});
    assert_int_equal(raft->last.index, 4); /* it was there: nothing that follows is cut */
    say(3, 2, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 3, .at = {1, 1}, .entries = new, .count = 2});
    assert_int_equal(raft->last.index, 3);
    assert_int_equal(tail_term(raft, 2), 2);
    assert_int_equal(tail_term(raft, 3), 3);
}

/* ------------------------------------------------------------------------------------------------------ 5.4 safety */

/* "The RPC includes information about the candidate's log." "The voter denies its vote if its own log is more
 * up-to-date than that of the candidate": by the term of the last entry, then by length. */
static void a_vote_is_denied_to_an_older_log(void **state)
{
    (void)state;
    static const struct {
        struct teak_raft_pos at;
        bool granted;
    } cases[] = {{{2, 2}, true}, {{3, 2}, true}, {{1, 3}, true}, {{1, 2}, false}, {{9, 1}, false}};
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_led(3);
        world_fire(&world, 2, TEAK_RAFT_TIMER_PROMISE);
        const struct teak_raft_msg *reply =
            say(3, 2, (struct teak_raft_msg){.type = TEAK_RAFT_VOTE, .term = 9, .at = cases[i].at, .round = 1});
        assert_non_null(reply);
        assert_int_equal(reply->refused, !cases[i].granted);
        if (i + 1 < sizeof cases / sizeof cases[0]) world_end(&world);
    }
}

/* "Only log entries from the leader's current term are committed by counting replicas; once an entry from the current
 * term has been committed in this way, then all prior entries are committed indirectly." */
static void only_entries_of_the_own_term_are_counted(void **state)
{
    (void)state;
    struct teak_raft *raft = begin(3);
    const struct teak_raft_entry old[] = {entry(2, 2), entry(3, 2)};
    say(2, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 2, .at = {1, 1}, .entries = old, .count = 2});
    clear();
    world_fire(&world, 1, TEAK_RAFT_TIMER_PROMISE);
    world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
    say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = 2, .round = raft->vote_round});
    say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_VOTE_REPLY, .term = 3, .round = raft->vote_round});
    assert_int_equal(raft->role, TEAK_RAFT_LEADER);
    assert_int_equal(raft->last.index, 4);
    clear();
    const uint64_t first = raft->commit;
    world.may_halt = true;
    say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 3, .index = 3});
    assert_int_equal(raft->commit, first); /* on a majority, and of an older term */
    struct disk_model *disk = &world.disks[2]; /* 3 has them, as it says */
    for (uint64_t index = 2; index <= 4; index++) disk->entries[index] = world.disks[0].entries[index];
    disk->last = 4;
    say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 3, .index = 4});
    assert_int_equal(raft->commit, 4);
    assert_false(world.broken);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, end)
    const struct CMUnitTest tests[] = {
        CASE(a_larger_term_is_taken_over),
        CASE(a_candidate_of_an_old_term_follows),
        CASE(a_request_of_an_old_term_is_refused),
        CASE(servers_begin_as_followers),
        CASE(a_leader_sends_heartbeats_to_all),
        CASE(a_silent_leader_is_replaced),
        CASE(a_majority_of_votes_elects),
        CASE(one_vote_in_a_term_for_who_comes_first),
        CASE(a_candidate_recognizes_a_leader_of_its_term),
        CASE(election_timeouts_are_drawn),
        CASE(a_command_is_appended_and_sent),
        CASE(an_entry_on_a_majority_is_committed_and_applied),
        CASE(followers_learn_what_is_committed_and_apply_it),
        CASE(entries_that_do_not_fit_are_refused),
        CASE(conflicting_entries_are_overwritten),
        CASE(a_vote_is_denied_to_an_older_log),
        CASE(only_entries_of_the_own_term_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
