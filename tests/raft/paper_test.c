/* paper_test.c: what section 5 of the Raft paper (Ongaro, Ousterhout 2014) says, sentence by sentence. Where the core
 * does otherwise on purpose (pre-vote, promises, votes that wait for the disk) a test sees to it that the sentence
 * still holds behind that: docs/divergence.md. The world underneath judges its invariants after every step: one that
 * broke fails the test it broke in. */
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

static struct disk_model *disk_of(uint32_t node) { return &world.at[node - 1]->disk; }

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return world.broken ? -1 : 0;
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
    while (disk_of(to)->flight_count > 0) world_complete(&world, to);
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

/* Node 3, as the leader of `last`'s term, gives `to` entries of these terms, from index 1 on; the first is there. */
static void give_log(uint32_t to, const uint8_t *terms, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        const struct teak_raft_entry one = entry(i + 1, terms[i]);
        const struct teak_raft_msg *reply =
            say(3, to, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = terms[count - 1],
                                              .at = {i, terms[i - 1]}, .entries = &one, .count = 1});
        assert_true(reply && !reply->refused && reply->index == i + 1);
    }
    clear();
}

/* 1 leads the next term, by the vote of `voter`, whatever that one would say. */
static struct teak_raft *elect_first(uint32_t voter)
{
    struct teak_raft *raft = world_node(&world, 1);
    world_fire(&world, 1, TEAK_RAFT_TIMER_PROMISE);
    world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
    say(voter, 1, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = raft->term,
                                         .round = raft->vote_round});
    say(voter, 1, (struct teak_raft_msg){.type = TEAK_RAFT_VOTE_REPLY, .term = raft->term,
                                         .round = raft->vote_round});
    assert_int_equal(raft->role, TEAK_RAFT_LEADER);
    return raft;
}

static void drop_to(uint32_t node)
{
    for (uint32_t i = world.net_count; i > 0; i--)
        if (world.net[i - 1].msg.to == node) world_drop(&world, i - 1);
}

/* ------------------------------------------------------------------------------------------------------- 5.1 terms */

/* "If one server's current term is smaller than the other's, then it updates its current term to the larger value." */
static void a_follower_takes_over_a_larger_term(void **state)
{
    (void)state;
    begin_led(3);
    say(1, 2, (struct teak_raft_msg){.type = TEAK_RAFT_HEARTBEAT, .term = 7});
    assert_int_equal(world_node(&world, 2)->term, 7);
    assert_int_equal(world_node(&world, 2)->role, TEAK_RAFT_FOLLOWER);
}

/* "If a candidate or leader discovers that its term is out of date, it immediately reverts to follower state." */
static void a_leader_of_an_old_term_follows(void **state)
{
    (void)state;
    struct teak_raft *raft = begin_led(3);
    say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 8});
    assert_int_equal(raft->term, 8);
    assert_int_equal(raft->role, TEAK_RAFT_FOLLOWER);
}

static void a_candidate_of_an_old_term_follows_too(void **state)
{
    (void)state;
    struct teak_raft *raft = begin(3);
    world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
    say(2, 1, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = 1, .round = raft->vote_round});
    assert_int_equal(raft->role, TEAK_RAFT_CANDIDATE);
    say(2, 1, (struct teak_raft_msg){.type = TEAK_RAFT_VOTE_REPLY, .term = 6, .refused = true});
    assert_int_equal(raft->role, TEAK_RAFT_FOLLOWER);
    assert_int_equal(raft->term, 6);
}

static void a_pre_candidate_of_an_old_term_follows(void **state)
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

/* "If a client contacts a follower, the follower redirects it to the leader." */
static void a_follower_names_the_leader(void **state)
{
    (void)state;
    begin_led(3);
    struct teak_raft_view view;
    assert_int_equal(world_propose(&world, 2, "x", 1), TEAK_RAFT_NOT_LEADER);
    teak_raft_view(world_node(&world, 2), &view);
    assert_int_equal(view.leader, 1);
}

/* "Servers retry RPCs if they do not receive a response in a timely manner": of an APPEND, of the answer to it. */
static void what_gets_lost_is_sent_again(void **state)
{
    (void)state;
    for (uint32_t answers = 0; answers <= 1; answers++) {
        struct teak_raft *raft = begin_led(3);
        world_propose(&world, 1, "x", 1);
        world_complete(&world, 1);
        if (answers) { /* 2 has it, and nobody hears */
            world_deliver(&world, 0, false);
            world_complete(&world, 2);
        }
        clear();
        assert_int_equal(raft->commit, 2);
        world_fire(&world, 1, TEAK_RAFT_TIMER_HEARTBEAT);
        world_stabilize(&world);
        assert_int_equal(raft->commit, 3);
        if (!answers) world_end(&world);
    }
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

/* "The third possible outcome is that a candidate neither wins nor loses the election: ... each candidate will time out
 * and start a new election by incrementing its term and initiating another round of RequestVote RPCs." */
static void a_candidate_begins_a_new_election(void **state)
{
    (void)state;
    struct teak_raft *raft = begin(3);
    for (uint64_t term = 2; term <= 4; term++) {
        world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
        assert_int_equal(raft->role, TEAK_RAFT_PRE_CANDIDATE);
        say(2, 1, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = raft->term,
                                         .round = raft->vote_round});
        assert_int_equal(raft->role, TEAK_RAFT_CANDIDATE);
        assert_int_equal(raft->term, term);
        assert_int_equal(raft->vote, 1);
        assert_int_equal(sent(TEAK_RAFT_VOTE), 2);
        for (uint32_t i = 0; i < world.net_count; i++)
            if (world.net[i].msg.type == TEAK_RAFT_VOTE) assert_int_equal(world.net[i].msg.term, term);
        clear();
    }
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
            while (disk_of(1)->flight_count > 0) world_complete(&world, 1);
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

/* How long node `number` waits from now on until it campaigns, as follower or as candidate of a new term. */
static uint64_t draws(uint32_t number, bool stands)
{
    struct teak_raft *raft = world_node(&world, number);
    const uint32_t voter = number % world.node_count + 1;
    world_fire(&world, number, TEAK_RAFT_TIMER_ELECTION);
    if (stands) {
        for (uint32_t other = 1; other <= world.node_count && raft->role == TEAK_RAFT_PRE_CANDIDATE; other++)
            if (other != number)
                say(other, number, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = raft->term,
                                                          .round = raft->vote_round});
        assert_int_equal(raft->role, TEAK_RAFT_CANDIDATE);
    } else { /* a leader that is heard of once puts an end to it */
        say(voter, number, (struct teak_raft_msg){.type = TEAK_RAFT_HEARTBEAT, .term = raft->term + 1});
        assert_int_equal(raft->role, TEAK_RAFT_FOLLOWER);
    }
    clear();
    return raft->at[TIMER_ELECTION] - raft->now;
}

/* "Election timeouts are chosen randomly from a fixed interval": all that is drawn lies in it, and nearly all of it is
 * drawn. After elections that failed it is the same interval, longer. */
static void judge_draws(bool stands)
{
    const struct teak_raft *raft = begin(3);
    const uint64_t election = raft->options.election;
    bool drawn[101] = {false}; /* 0 .. election */
    uint32_t different = 0;
    for (uint32_t round = 0; round < 400; round++) {
        const uint64_t after = draws(1, stands) >> raft->backoff;
        assert_true(after >= election && after <= 2 * election);
        different += !drawn[after - election];
        drawn[after - election] = true;
    }
    assert_true(different > 90);
}

static void a_follower_draws_its_timeout(void **state)
{
    (void)state;
    judge_draws(false);
}

/* "Each candidate restarts its randomized election timeout at the start of an election." */
static void a_candidate_draws_its_timeout(void **state)
{
    (void)state;
    judge_draws(true);
}

/* "... to ensure that split votes are rare": "this spreads out the servers so that in most cases only a single server
 * will time out". By draws that are the same in every run: in fewer than one round of ten two of five are first. */
static void judge_conflicts(bool stand)
{
    begin(5);
    uint32_t conflicts = 0;
    enum { ROUNDS = 200 };
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t first = UINT64_MAX;
        bool shared = false;
        for (uint32_t node = 1; node <= 5; node++) {
            const uint64_t after = draws(node, stand) >> world_node(&world, node)->backoff;
            shared = after == first || (shared && after > first);
            first = after < first ? after : first;
        }
        conflicts += shared;
    }
    assert_true(conflicts < ROUNDS / 10);
}

static void followers_rarely_time_out_together(void **state)
{
    (void)state;
    judge_conflicts(false);
}

static void candidates_rarely_time_out_together(void **state)
{
    (void)state;
    judge_conflicts(true);
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

/* The same for every set of servers that confirm, of one to five: "a majority". "The leader ... never overwrites or
 * deletes entries in its log; it only appends": nothing that comes back changes what it has. */
static void every_set_of_confirmations_is_judged(void **state)
{
    (void)state;
    for (uint32_t nodes = 1; nodes <= 5; nodes++)
        for (uint32_t set = 0; set < 1u << (nodes - 1); set++) {
            struct teak_raft *raft = begin_led(nodes);
            uint32_t have = 1;
            world_propose(&world, 1, "x", 1);
            world_complete(&world, 1);
            for (uint32_t node = 2; node <= nodes; node++) {
                const struct teak_raft_entry one = entry(3, 2);
                drop_to(node);
                if (!(set >> (node - 2) & 1)) continue;
                have++;
                const struct teak_raft_msg *reply =
                    say(1, node, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 2, .at = {2, 2},
                                                        .entries = &one, .count = 1, .index = 2});
                assert_true(reply && !reply->refused && reply->index == 3);
                assert_int_equal(teak_raft_receive(raft, reply), TEAK_RAFT_OK);
                world_drain(&world, 1);
            }
            assert_int_equal(raft->commit, have > nodes / 2 ? 3 : 2);
            assert_int_equal(raft->last.index, 3);
            if (nodes < 5 || set + 1 < 1u << (nodes - 1)) world_end(&world);
        }
}

/* "This also commits all preceding entries in the leader's log, including entries created by previous leaders." */
static void what_precedes_is_committed_too(void **state)
{
    (void)state;
    static const uint8_t logs[][4] = {{1}, {1, 2}, {1, 2, 2}, {1, 1, 2, 3}};
    for (uint32_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        begin(3);
        give_log(1, logs[i], i + 1);
        struct teak_raft *raft = elect_first(3);
        world_propose(&world, 1, "y", 1);
        world_stabilize(&world);
        assert_int_equal(raft->commit, i + 3); /* what it had, the entry its term began with, the proposal */
        for (uint32_t node = 1; node <= 3; node++) {
            assert_int_equal(disk_of(node)->applied, i + 3); /* "in log order": the world judges that */
            for (uint32_t index = 1; index <= i + 1; index++)
                assert_int_equal(disk_of(node)->entries[index].term, logs[i][index - 1]);
        }
        if (i + 1 < sizeof logs / sizeof logs[0]) world_end(&world);
    }
}

/* "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new entry)" (figure 2), and never
 * back. */
static void a_follower_commits_what_it_is_told_and_has(void **state)
{
    (void)state;
    begin_led(3);
    world_crash(&world, 2, 0);
    for (uint32_t i = 0; i < 4; i++) { /* 1 and 3 have and commit 3 to 6 */
        world_propose(&world, 1, "x", i + 1);
        world_stabilize(&world);
    }
    world_start(&world, 2);
    assert_int_equal(world.committed, 6);
    assert_int_equal(world_node(&world, 2)->commit, 2);
    const struct teak_raft_entry entries[] = {entry(3, 2), entry(4, 2), entry(5, 2)};
    static const struct {
        struct teak_raft_pos at;
        uint32_t first, count;
        uint64_t told, commit;
    } cases[] = {{{2, 2}, 0, 1, 3, 3}, {{3, 2}, 1, 2, 4, 4}, {{5, 2}, 0, 0, 6, 5}, {{2, 2}, 0, 1, 3, 5}};
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        say(1, 2, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 2, .at = cases[i].at,
                                         .entries = entries + cases[i].first, .count = cases[i].count,
                                         .index = cases[i].told});
        assert_int_equal(world_node(&world, 2)->commit, cases[i].commit);
        assert_int_equal(disk_of(2)->applied, cases[i].commit);
    }
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
        assert_int_equal(disk_of(node)->applied, 3);
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

/* The table of figure 2 for what a follower does with entries: where they begin, what stays behind them. */
static void a_follower_takes_what_it_lacks(void **state)
{
    (void)state;
    static const struct {
        struct teak_raft_pos at;
        uint8_t count, terms[2];
        uint8_t after, log[5];
    } cases[] = {
        {{3, 2}, 1, {3}, 4, {1, 2, 2, 3}},       /* behind the end                                 */
        {{2, 2}, 2, {3, 4}, 4, {1, 2, 3, 4}},    /* the last one conflicts                         */
        {{1, 1}, 1, {2}, 3, {1, 2, 2}},          /* it is there: what follows stays                */
        {{1, 1}, 1, {3}, 2, {1, 3}},             /* it conflicts: what follows goes                */
        {{1, 1}, 2, {2, 3}, 3, {1, 2, 3}},       /* one is there, the next conflicts               */
    };
    static const uint8_t has[] = {1, 2, 2};
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(3);
        give_log(1, has, 3);
        struct teak_raft_entry entries[2];
        for (uint32_t k = 0; k < cases[i].count; k++)
            entries[k] = entry(cases[i].at.index + 1 + k, cases[i].terms[k]);
        const struct teak_raft_msg *reply =
            say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 4, .at = cases[i].at,
                                             .entries = entries, .count = cases[i].count});
        assert_true(reply && !reply->refused && reply->index == cases[i].at.index + cases[i].count);
        assert_int_equal(world_node(&world, 1)->last.index, cases[i].after);
        for (uint32_t index = 1; index <= cases[i].after; index++) {
            assert_int_equal(tail_term(world_node(&world, 1), index), cases[i].log[index - 1]);
            assert_int_equal(disk_of(1)->entries[index].term, cases[i].log[index - 1]);
        }
        if (i + 1 < sizeof cases / sizeof cases[0]) world_end(&world);
    }
}

/* Figure 7: "When the leader at the top comes to power, it is possible that any of scenarios (a-f) could occur in
 * follower logs." "The leader handles inconsistencies by forcing the followers' logs to duplicate its own", and its own
 * log stays as it is. The logs are longer than what a node keeps in memory. */
static void the_logs_of_figure_7_are_made_alike(void **state)
{
    (void)state;
    static const uint8_t leader[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
    static const struct {
        uint8_t count, terms[12];
    } followers[] = {{9, {1, 1, 1, 4, 4, 5, 5, 6, 6}},           {4, {1, 1, 1, 4}},
                     {11, {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6}},    {12, {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}},
                     {7, {1, 1, 1, 4, 4, 4, 4}},                 {11, {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}}};
    for (uint32_t i = 0; i < sizeof followers / sizeof followers[0]; i++) {
        begin(3);
        give_log(1, leader, sizeof leader);
        give_log(2, followers[i].terms, followers[i].count);
        say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_HEARTBEAT, .term = 7});
        struct teak_raft *raft = elect_first(3);
        assert_int_equal(raft->term, 8);
        world_stabilize(&world);
        assert_int_equal(raft->commit, 11);
        for (uint32_t node = 1; node <= 3; node++) {
            const struct disk_model *disk = disk_of(node);
            assert_int_equal(disk->last, 11);
            for (uint32_t index = 1; index <= 10; index++)
                assert_int_equal(disk->entries[index].term, leader[index - 1]);
            assert_int_equal(disk->entries[11].term, 8);
        }
        if (i + 1 < sizeof followers / sizeof followers[0]) world_end(&world);
    }
}

/* "If followers crash or run slowly, or if network packets are lost, the leader retries AppendEntries RPCs indefinitely
 * (even after it has responded to the client) until all followers eventually store all log entries." */
static void a_leader_does_not_give_up(void **state)
{
    (void)state;
    struct teak_raft *raft = begin_led(3);
    world_crash(&world, 3, 0);
    world_propose(&world, 1, "x", 1);
    world_stabilize(&world);
    assert_int_equal(world.fates[TEAK_RAFT_COMMITTED], 1);
    for (uint32_t round = 0; round < 50; round++) {
        world_fire(&world, 1, TEAK_RAFT_TIMER_HEARTBEAT);
        assert_int_equal(raft->role, TEAK_RAFT_LEADER);
        drop_to(3);
        world_stabilize(&world);
    }
    world_start(&world, 3);
    world_fire(&world, 1, TEAK_RAFT_TIMER_HEARTBEAT);
    world_stabilize(&world);
    assert_int_equal(disk_of(3)->last, 3);
    assert_int_equal(disk_of(3)->applied, 3);
}

/* ------------------------------------------------------------------------------------------------------ 5.4 safety */

/* "The RPC includes information about the candidate's log": its last index and term, to every other voter, in the
 * term that is asked for. */
static void a_candidate_tells_how_far_its_log_goes(void **state)
{
    (void)state;
    static const uint8_t logs[][3] = {{1}, {1, 2}, {1, 2, 3}};
    for (uint32_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        begin(3);
        give_log(1, logs[i], i + 1);
        struct teak_raft *raft = world_node(&world, 1);
        world_fire(&world, 1, TEAK_RAFT_TIMER_PROMISE);
        world_fire(&world, 1, TEAK_RAFT_TIMER_ELECTION);
        const uint64_t before = raft->term;
        say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = raft->term,
                                         .round = raft->vote_round});
        uint32_t asked = 0;
        for (uint32_t k = 0; k < world.net_count; k++) {
            const struct teak_raft_msg *msg = &world.net[k].msg;
            if (msg->type != TEAK_RAFT_VOTE && msg->type != TEAK_RAFT_PRE_VOTE) continue;
            assert_int_equal(msg->term, before + 1);
            assert_int_equal(msg->at.index, i + 1);
            assert_int_equal(msg->at.term, logs[i][i]);
            if (msg->type == TEAK_RAFT_VOTE) asked |= 1u << msg->to;
        }
        assert_int_equal(asked, 1u << 2 | 1u << 3);
        if (i + 1 < sizeof logs / sizeof logs[0]) world_end(&world);
    }
}

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
    struct disk_model *disk = disk_of(3); /* 3 has them, as it says */
    for (uint64_t index = 2; index <= 4; index++) disk->entries[index] = disk_of(1)->entries[index];
    disk->last = 4;
    say(3, 1, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 3, .index = 4});
    assert_int_equal(raft->commit, 4);
    assert_false(world.broken);
}

/* ----------------------------------------------------------------------------------------------------- 5.5 crashes */

/* "Raft RPCs are idempotent": "if a follower receives an AppendEntries request that includes log entries already
 * present in its log, it ignores those entries in the new request." */
static void what_comes_twice_changes_nothing(void **state)
{
    (void)state;
    begin_led(3);
    world_propose(&world, 1, "x", 1);
    const struct teak_raft_msg append = world.net[0].msg;
    assert_int_equal(append.type, TEAK_RAFT_APPEND);
    const uint32_t to = (uint32_t)append.to;
    world_deliver(&world, 0, true);
    while (disk_of(to)->flight_count > 0) world_complete(&world, to);
    const uint64_t token = world_node(&world, to)->token;
    world_deliver(&world, 0, false);
    assert_int_equal(world_node(&world, to)->last.index, 3);
    assert_int_equal(world_node(&world, to)->token, token); /* there was nothing to store */
    world_stabilize(&world);
    assert_int_equal(world.committed, 3);
}

/* "If the crashed server restarts, then the RPC will complete successfully." Its term and its vote are what it had. */
static void a_server_comes_back_with_its_term_and_vote(void **state)
{
    (void)state;
    begin(3);
    const struct teak_raft_msg ask = {.type = TEAK_RAFT_VOTE, .term = 5, .at = {1, 1}, .round = 1};
    const struct teak_raft_msg *reply = say(2, 1, ask);
    assert_true(reply && !reply->refused);
    world_crash(&world, 1, 0);
    world_start(&world, 1);
    assert_int_equal(world_node(&world, 1)->term, 5);
    assert_int_equal(world_node(&world, 1)->vote, 2);
    assert_int_equal(world_node(&world, 1)->role, TEAK_RAFT_FOLLOWER);
    world_fire(&world, 1, TEAK_RAFT_TIMER_PROMISE);
    reply = say(3, 1, ask);
    assert_true(reply && reply->refused);
    reply = say(2, 1, ask);
    assert_true(reply && !reply->refused);
}

/* ------------------------------------------------------------------------------------------- section 6, membership */

/* What a member says may commit a configuration, and the next one has it in another place: it is heard there, and
 * nobody in the place that it had. */
static void who_confirms_a_change_may_move(void **state)
{
    (void)state;
    struct teak_raft *raft = begin_led(3);
    const struct teak_raft_member members[] = {{.id = 1, .roles = TEAK_RAFT_VOTER},
                                               {.id = 3, .roles = TEAK_RAFT_VOTER}};
    const uint64_t snap_round = raft->snap_round;
    assert_int_equal(teak_raft_change(raft, raft->config.index, members, 2), TEAK_RAFT_OK);
    world_drain(&world, 1);
    while (world.net_count > 0) world_deliver(&world, world.net_count - 1, false); /* on to the disks */
    for (uint32_t node = 1; node <= 3; node += 2) world_complete(&world, node);
    clear(); /* what 3 has is told by its next heartbeat */
    assert_int_equal(slot_of(raft, 3), 2);
    world_fire(&world, 1, TEAK_RAFT_TIMER_HEARTBEAT);
    for (uint32_t i = world.net_count; i > 0; i--)
        if (world.net[i - 1].msg.type != TEAK_RAFT_HEARTBEAT || world.net[i - 1].msg.to != 3) world_drop(&world, i - 1);
    world_deliver(&world, 0, false);
    assert_int_equal(raft->config.joint, 1);
    world_deliver(&world, world.net_count - 1, false);
    assert_int_equal(raft->config.joint, 0);
    assert_int_equal(slot_of(raft, 3), 1);
    assert_int_equal(raft->snap_round, snap_round);
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) assert_false(stream_at(raft, i)->offer_owed);
    world_stabilize(&world);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, end)
    const struct CMUnitTest tests[] = {
        CASE(a_follower_takes_over_a_larger_term),
        CASE(a_leader_of_an_old_term_follows),
        CASE(a_candidate_of_an_old_term_follows_too),
        CASE(a_pre_candidate_of_an_old_term_follows),
        CASE(a_request_of_an_old_term_is_refused),
        CASE(a_follower_names_the_leader),
        CASE(what_gets_lost_is_sent_again),
        CASE(servers_begin_as_followers),
        CASE(a_leader_sends_heartbeats_to_all),
        CASE(a_silent_leader_is_replaced),
        CASE(a_candidate_begins_a_new_election),
        CASE(a_majority_of_votes_elects),
        CASE(one_vote_in_a_term_for_who_comes_first),
        CASE(a_candidate_recognizes_a_leader_of_its_term),
        CASE(a_follower_draws_its_timeout),
        CASE(a_candidate_draws_its_timeout),
        CASE(followers_rarely_time_out_together),
        CASE(candidates_rarely_time_out_together),
        CASE(a_command_is_appended_and_sent),
        CASE(an_entry_on_a_majority_is_committed_and_applied),
        CASE(every_set_of_confirmations_is_judged),
        CASE(what_precedes_is_committed_too),
        CASE(a_follower_commits_what_it_is_told_and_has),
        CASE(followers_learn_what_is_committed_and_apply_it),
        CASE(entries_that_do_not_fit_are_refused),
        CASE(conflicting_entries_are_overwritten),
        CASE(a_follower_takes_what_it_lacks),
        CASE(the_logs_of_figure_7_are_made_alike),
        CASE(a_leader_does_not_give_up),
        CASE(a_candidate_tells_how_far_its_log_goes),
        CASE(a_vote_is_denied_to_an_older_log),
        CASE(only_entries_of_the_own_term_are_counted),
        CASE(what_comes_twice_changes_nothing),
        CASE(a_server_comes_back_with_its_term_and_vote),
        CASE(who_confirms_a_change_may_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
