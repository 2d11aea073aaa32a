/* raft_history_test.c: histories of the core's design that a script cannot tell, because they are about what one call
 * hands out, and when. The others are scripts of that number; all are listed in docs/testing.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lone_node.h"

static _Alignas(16) uint8_t block[LONE_BLOCK];
static struct teak_raft_ready ready; /* the last one */

static const struct teak_raft_blob word = {.data = (const uint8_t *)"word", .bytes = 4, .kind = 16};

static struct teak_raft *node(struct teak_raft_options options)
{
    struct teak_raft *raft = lone_node(block, LONE_MEMBERS, options);
    assert_non_null(raft);
    return raft;
}

/* From 2 unless it says otherwise, to 1, as an answer to this run. */
static enum teak_raft_status hear(struct teak_raft *raft, struct teak_raft_msg msg)
{
    if (msg.from == 0) msg.from = 2;
    msg.to = 1;
    msg.born = 50 + msg.from;
    if (msg.incarnation == 0) msg.incarnation = 60 + msg.from;
    msg.asked = 6;
    return teak_raft_receive(raft, &msg);
}

static const struct teak_raft_msg *sent(uint8_t type)
{
    for (uint32_t i = 0; i < ready.send_count; i++)
        if (ready.send[i].type == type) return &ready.send[i];
    return NULL;
}

static void take(struct teak_raft *raft, uint32_t want)
{
    assert_int_equal(teak_raft_ready(raft, want, &ready), TEAK_RAFT_OK);
}

/* All that is due; the disk answers at once. */
static void settle(struct teak_raft *raft)
{
    while (teak_raft_has_ready(raft)) {
        take(raft, TEAK_RAFT_ALL);
        const uint64_t token = ready.job ? ready.job->token : 0, upto = ready.apply.upto;
        if (token) assert_int_equal(teak_raft_persisted(raft, token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
        if (upto) assert_int_equal(teak_raft_applied(raft, upto), TEAK_RAFT_OK);
    }
}

static struct teak_raft_view view_of(const struct teak_raft *raft)
{
    struct teak_raft_view view;
    teak_raft_view(raft, &view);
    return view;
}

/* 1 leads, by the vote of 2; the entry its term begins with is confirmed by 2, unless `fresh`. */
static struct teak_raft *lead(struct teak_raft *raft, bool fresh)
{
    assert_int_equal(teak_raft_campaign(raft), TEAK_RAFT_OK);
    settle(raft);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_PRE_VOTE_REPLY, .term = view_of(raft).term,
                                                       .round = view_of(raft).vote_round}),
                     TEAK_RAFT_OK);
    settle(raft);
    const struct teak_raft_view view = view_of(raft);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_VOTE_REPLY, .term = view.term,
                                                       .round = view.vote_round}),
                     TEAK_RAFT_OK);
    settle(raft);
    assert_int_equal(view_of(raft).role, TEAK_RAFT_LEADER);
    if (fresh) return raft;
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = view.term,
                                                       .index = view_of(raft).last.index}),
                     TEAK_RAFT_OK);
    settle(raft);
    return raft;
}

/* The next round of heartbeats is due. What a message started counts from the tick after it, so one may be for that. */
static void beat(struct teak_raft *raft)
{
    for (uint32_t ticks = 0; ticks < 2; ticks++)
        assert_int_equal(teak_raft_tick(raft, teak_raft_deadline(raft)), TEAK_RAFT_OK);
}

static struct teak_raft_entry entry(uint64_t index, uint64_t term)
{
    return (struct teak_raft_entry){.index = index, .term = term, .kind = 16, .data = word.data, .bytes = 4};
}

/* Three appends, three jobs, one completion for all: one confirmation, and it is no list that somebody keeps. */
static void history_01_one_completion_gives_one_confirmation(void **state)
{
    (void)state;
    struct teak_raft *raft = node(lone_options());
    uint64_t token = 0;
    for (uint64_t index = 2; index <= 4; index++) {
        const struct teak_raft_entry one = entry(index, 1);
        assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 1, .at = {index - 1, 1},
                                                           .index = 1, .entries = &one, .count = 1}),
                         TEAK_RAFT_OK);
        take(raft, TEAK_RAFT_ALL);
        assert_non_null(ready.job);
        assert_int_equal(ready.send_count, 0);
        token = ready.job->token;
    }
    assert_int_equal(teak_raft_persisted(raft, token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_ALL);
    assert_int_equal(ready.send_count, 1);
    assert_int_equal(ready.send[0].type, TEAK_RAFT_APPEND_REPLY);
    assert_int_equal(ready.send[0].index, 4);
    assert_false(teak_raft_has_ready(raft));
    teak_raft_fini(raft);
}

/* A log of 40 million entries starts from a few values; what a member lacks is asked for, and nothing waits for it. */
static void history_02_nothing_waits_for_a_fetch(void **state)
{
    (void)state;
    const uint64_t last = 40000000;
    const struct teak_raft_hard hard = {.term = 1, .commit = last};
    struct teak_raft *raft = lead(lone_node_with(block, LONE_MEMBERS, lone_options(), hard, last), true);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 2, .refused = true,
                                                       .index = last, .at = {17, 1}}),
                     TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_ALL);
    assert_int_equal(ready.fetch_count, 1);
    assert_int_equal(ready.fetch[0].first, 18);
    assert_false(ready.fetch[0].to_apply);
    beat(raft);
    take(raft, TEAK_RAFT_ALL);
    assert_non_null(sent(TEAK_RAFT_HEARTBEAT));
    uint32_t taken = 0;
    assert_int_equal(teak_raft_propose(raft, &word, 1, 1, &taken), TEAK_RAFT_OK);
    assert_int_equal(taken, 1);
    take(raft, TEAK_RAFT_ALL);
    assert_non_null(ready.job);
    assert_int_equal(ready.fetch_count, 0); /* one at a time */
    teak_raft_fini(raft);
}

/* The store takes nothing, the state machine is slow: heartbeats and votes go on, and what waits grows together. */
static void history_06_what_is_not_wanted_waits_and_grows(void **state)
{
    (void)state;
    struct teak_raft *raft = lead(node(lone_options()), false);
    for (uint64_t tag = 1; tag <= 3; tag++) {
        uint32_t taken = 0;
        assert_int_equal(teak_raft_propose(raft, &word, 1, tag, &taken), TEAK_RAFT_OK);
        beat(raft);
        take(raft, TEAK_RAFT_SEND | TEAK_RAFT_FETCH);
        assert_null(ready.job);
        assert_int_equal(ready.apply.upto, 0);
        assert_non_null(sent(TEAK_RAFT_HEARTBEAT));
        assert_non_null(sent(TEAK_RAFT_APPEND));
    }
    take(raft, TEAK_RAFT_PERSIST);
    assert_non_null(ready.job);
    assert_int_equal(ready.job->count, 3);
    assert_int_equal(ready.send_count, 0);
    assert_int_equal(teak_raft_persisted(raft, ready.job->token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 2, .index = 5}),
                     TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_SEND | TEAK_RAFT_PERSIST);
    assert_int_equal(ready.apply.upto, 0);
    assert_int_equal(ready.done_count, 1); /* fates always come */
    assert_int_equal(ready.done[0].count, 3);
    take(raft, TEAK_RAFT_APPLY);
    assert_int_equal(ready.apply.count, 3);
    assert_int_equal(ready.apply.upto, 5);
    teak_raft_fini(raft);
}

/* A driver that goes on using what the last ready lent finds nonsense there, in a debug build: at the next call, be it
 * one that hands out nothing. */
static void history_07_what_was_lent_is_gone_at_the_next_call(void **state)
{
    (void)state;
#ifndef TEAK_DEBUG
    print_message("the arrays are overwritten in debug builds only\n");
    skip();
#else
    struct teak_raft *raft = lead(node(lone_options()), false);
    uint32_t taken = 0;
    assert_int_equal(teak_raft_propose(raft, &word, 1, 1, &taken), TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_ALL);
    assert_non_null(ready.job);
    assert_true(ready.send_count > 0);
    const struct teak_raft_ready before = ready;
    const uint64_t token = ready.job->token;
    const uint8_t type = ready.send[0].type;
    assert_int_equal(teak_raft_room(raft, true), TEAK_RAFT_OK);
    assert_int_not_equal(before.job->token, token);
    assert_int_not_equal(before.send[0].type, type);
    teak_raft_fini(raft);
#endif
}

/* An APPEND larger than a job: the first part has the cut and the hard state, each says how the log is to end. */
static void history_08_a_large_append_is_several_jobs(void **state)
{
    (void)state;
    struct teak_raft_options options = lone_options();
    options.job_bytes_max = 8;
    struct teak_raft *raft = node(options);
    const struct teak_raft_entry old[] = {entry(2, 1), entry(3, 1)};
    const struct teak_raft_entry new[] = {entry(2, 2), entry(3, 2), entry(4, 2)};
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 1, .at = {1, 1},
                                                       .entries = old, .count = 2}),
                     TEAK_RAFT_OK);
    settle(raft);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 2, .from = 3, .at = {1, 1},
                                                       .entries = new, .count = 3}),
                     TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_ALL);
    assert_non_null(ready.job);
    assert_int_equal(ready.job->cut_from, 2);
    assert_int_equal(ready.job->hard.term, 2);
    assert_true(ready.job->urgent);
    assert_int_equal(ready.job->count, 2);
    assert_int_equal(ready.job->after_first, 1);
    assert_int_equal(ready.job->after_last.index, 3);
    take(raft, TEAK_RAFT_ALL);
    assert_non_null(ready.job);
    assert_int_equal(ready.job->cut_from, 0);
    assert_false(ready.job->urgent);
    assert_int_equal(ready.job->count, 1);
    assert_int_equal(ready.job->after_last.index, 4);
    assert_int_equal(ready.job->after_last.term, 2);
    teak_raft_fini(raft);
}

/* Its configuration names another log under its id, and may be lost yet: who stands without it would count the vote of
 * a node that does not know what it promised. */
static void history_10_a_stranger_gives_no_vote_while_its_name_may_be_lost(void **state)
{
    (void)state;
    const struct teak_raft_member members[] = {{.id = 1, .born = 99, .roles = TEAK_RAFT_VOTER},
                                               {.id = 2, .born = 52, .roles = TEAK_RAFT_VOTER},
                                               {.id = 3, .born = 53, .roles = TEAK_RAFT_VOTER}};
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(LONE_MEMBERS)];
    struct teak_raft_entry config;
    struct teak_raft_job job;
    struct teak_raft *raft = node(lone_options());
    assert_int_equal(teak_raft_bootstrap(members, LONE_MEMBERS, bytes, sizeof bytes, &config, &job), TEAK_RAFT_OK);
    config.index = 2;
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 1, .at = {1, 1}, .index = 1,
                                                       .entries = &config, .count = 1}),
                     TEAK_RAFT_OK);
    settle(raft);
    for (uint64_t commit = 1; commit <= 2; commit++) {
        const uint64_t term = 2 * commit;
        assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .index = commit, .at = {2, 1},
                                                           .term = term - 1}),
                         TEAK_RAFT_OK);
        settle(raft);
        assert_int_equal(view_of(raft).commit, commit);
        const struct teak_raft_msg ask = {.type = TEAK_RAFT_VOTE, .from = 3, .term = term, .at = {9, 1}, .force = true};
        assert_int_equal(hear(raft, ask), TEAK_RAFT_OK);
        settle(raft);
        assert_int_equal(view_of(raft).term, term);
        assert_int_equal(view_of(raft).vote, commit == 1 ? 0 : 3);
    }
    teak_raft_fini(raft);
}

/* What is to be sent is taken: a round of heartbeats, of this number. */
static uint64_t take_round(struct teak_raft *raft)
{
    take(raft, TEAK_RAFT_ALL);
    const struct teak_raft_msg *heartbeat = sent(TEAK_RAFT_HEARTBEAT);
    assert_non_null(heartbeat);
    return heartbeat->round;
}

/* A round of heartbeats, and what 2 says to it. */
static void answer_beat(struct teak_raft *raft, struct teak_raft_msg reply)
{
    beat(raft);
    reply.type = TEAK_RAFT_HEARTBEAT_REPLY;
    reply.round = take_round(raft);
    reply.term = view_of(raft).term;
    assert_int_equal(hear(raft, reply), TEAK_RAFT_OK);
}

/* 1 leads and proposes an entry, its log's third, which 2 confirms. */
static struct teak_raft *lead_with_a_third_confirmed(void)
{
    struct teak_raft *raft = lead(node(lone_options()), false);
    uint32_t taken = 0;
    assert_int_equal(teak_raft_propose(raft, &word, 1, 1, &taken), TEAK_RAFT_OK);
    assert_int_equal(taken, 1);
    settle(raft);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 2, .index = 3}),
                     TEAK_RAFT_OK);
    return raft;
}

/* 2, another process now, refuses what follows `index`, and would try `at`: it is told that 2 lost data. */
static void refuse_as_another(struct teak_raft *raft, uint64_t index, uint64_t at)
{
    take(raft, TEAK_RAFT_ALL);
    assert_int_equal(ready.event_count, 0);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 2, .index = index,
                                                       .at = {at, 1}, .refused = true, .incarnation = 99}),
                     TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_ALL);
    assert_int_equal(ready.event_count, 1);
    assert_int_equal(ready.events[0].type, TEAK_RAFT_EVENT_PEER_LOST_DATA);
    assert_int_equal(ready.events[0].a, 2);
    assert_int_equal(ready.events[0].b, 2);
}

/* A member comes back, the same log, another process, and lacks what it had confirmed: it is sent again, and told. What
 * it confirms at once is no more than it knows to be committed: that tells nothing. */
static void history_11_a_member_lost_what_it_had_confirmed(void **state)
{
    (void)state;
    struct teak_raft *raft = lead_with_a_third_confirmed();
    settle(raft);
    struct teak_raft_peer_view peer;
    assert_true(teak_raft_peer(raft, 1, &peer));
    assert_int_equal(peer.match, 3);
    answer_beat(raft, (struct teak_raft_msg){.index = 1, .incarnation = 99});
    assert_true(teak_raft_peer(raft, 1, &peer));
    assert_int_equal(peer.match, 1);
    refuse_as_another(raft, 3, 1);
    assert_int_equal(view_of(raft).commit, 3); /* never back */
    teak_raft_fini(raft);
}

/* ... and one whose log is as long, and differs. */
static void history_11_a_log_that_is_as_long_is_another(void **state)
{
    (void)state;
    struct teak_raft *raft = lead_with_a_third_confirmed();
    uint32_t taken = 0;
    assert_int_equal(teak_raft_propose(raft, &word, 1, 2, &taken), TEAK_RAFT_OK);
    settle(raft);
    answer_beat(raft, (struct teak_raft_msg){.index = 1, .incarnation = 99});
    refuse_as_another(raft, 4, 3);
    teak_raft_fini(raft);
}

/* The first process that the leader hears of is the living one; the former one's answer comes behind. */
static void history_11_a_late_answer_brings_nobody_back(void **state)
{
    (void)state;
    struct teak_raft *raft = lead(node(lone_options()), true);
    beat(raft);
    const uint64_t round = take_round(raft);
    struct teak_raft_peer_view peer;
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 2, .index = 2,
                                                       .incarnation = 99}),
                     TEAK_RAFT_OK);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_HEARTBEAT_REPLY, .term = 2, .index = 1,
                                                       .round = round}),
                     TEAK_RAFT_OK);
    assert_true(teak_raft_peer(raft, 1, &peer));
    assert_int_equal(peer.match, 2);
    teak_raft_fini(raft);
}

/* Another process answers a round that began before the read: of the read's own round it has said nothing. */
static void history_25_a_new_process_answers_for_itself(void **state)
{
    (void)state;
    struct teak_raft *raft = lead(node(lone_options()), false);
    beat(raft);
    const uint64_t round = take_round(raft);
    assert_int_equal(teak_raft_read(raft, 7, TEAK_RAFT_READ_INDEX), TEAK_RAFT_OK);
    const uint64_t of_read = take_round(raft);
    assert_true(of_read > round);
    struct teak_raft_msg reply = {.type = TEAK_RAFT_HEARTBEAT_REPLY, .term = 2, .index = 1, .incarnation = 99};
    reply.round = round;
    assert_int_equal(hear(raft, reply), TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_ALL);
    assert_int_equal(ready.read_count, 0);
    reply.round = of_read;
    assert_int_equal(hear(raft, reply), TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_ALL);
    assert_int_equal(ready.read_count, 1);
    teak_raft_fini(raft);
}

/* A follower's state machine gets a configuration only when it has applied the one before: a snapshot that it takes in
 * between has the one that it was in. */
static void history_33_configurations_are_handed_out_one_by_one(void **state)
{
    (void)state;
    const struct teak_raft_member members[] = {{.id = 1, .born = 5, .roles = TEAK_RAFT_VOTER},
                                               {.id = 2, .born = 52, .roles = TEAK_RAFT_VOTER},
                                               {.id = 3, .born = 53, .roles = TEAK_RAFT_LEARNER}};
    uint8_t bytes[2][TEAK_RAFT_CONFIG_BYTES(LONE_MEMBERS)], found[TEAK_RAFT_CONFIG_BYTES(LONE_MEMBERS)];
    struct teak_raft_entry config;
    struct teak_raft_job job;
    struct teak_raft_snapshot snapshot;
    struct teak_raft *raft = node(lone_options());
    uint64_t handed = 1;
    for (uint32_t i = 0; i < 3; i++) { /* two configurations, and word that the second is committed too */
        struct teak_raft_msg msg = {.type = TEAK_RAFT_HEARTBEAT, .term = 1, .index = 1 + i};
        if (i < 2) {
            assert_int_equal(teak_raft_bootstrap(members, 3 - i, bytes[i], sizeof bytes[i], &config, &job),
                             TEAK_RAFT_OK);
            config.index = 2 + i;
            msg.type = TEAK_RAFT_APPEND;
            msg.at = (struct teak_raft_pos){1 + i, 1};
            msg.entries = &config;
            msg.count = 1;
        }
        assert_int_equal(hear(raft, msg), TEAK_RAFT_OK);
        while (teak_raft_has_ready(raft)) {
            take(raft, TEAK_RAFT_ALL);
            const uint64_t token = ready.job ? ready.job->token : 0;
            if (ready.apply.upto) handed = ready.apply.upto;
            if (token) assert_int_equal(teak_raft_persisted(raft, token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
        }
    }
    assert_int_equal(view_of(raft).commit, 3);
    assert_int_equal(handed, 2);
    assert_int_equal(teak_raft_applied(raft, 2), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_snapshot_point(raft, found, sizeof found, &snapshot), TEAK_RAFT_OK);
    assert_int_equal(snapshot.config_index, 2);
    take(raft, TEAK_RAFT_ALL);
    assert_int_equal(ready.apply.upto, 3);
    teak_raft_fini(raft);
}

/* Entries are on their way in for a member, and the node leads no more: what comes is not wanted. */
static void history_30_a_fetch_that_comes_too_late(void **state)
{
    (void)state;
    const struct teak_raft_hard hard = {.term = 1, .commit = 1};
    struct teak_raft *raft = lead(lone_node_with(block, LONE_MEMBERS, lone_options(), hard, 5), true);
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND_REPLY, .term = 2, .refused = true,
                                                       .index = 5, .at = {1, 1}}),
                     TEAK_RAFT_OK);
    take(raft, TEAK_RAFT_ALL);
    assert_int_equal(ready.fetch_count, 1);
    assert_int_equal(ready.fetch[0].first, 2);
    const uint64_t ticket = ready.fetch[0].ticket;
    const struct teak_raft_entry new = entry(3, 3), old[] = {entry(2, 1), entry(3, 1)};
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 3, .from = 3, .at = {2, 1},
                                                       .entries = &new, .count = 1}),
                     TEAK_RAFT_OK);
    assert_int_equal(view_of(raft).last.index, 3); /* cut, while the disk was reading there */
    assert_int_equal(teak_raft_fetched(raft, ticket, TEAK_RAFT_FETCHED, 1, old, 2), TEAK_RAFT_STALE);
    settle(raft);
    assert_int_equal(teak_raft_term_at(raft, 3), 3);
    teak_raft_fini(raft);
}

/* A configuration of more members than this node has room for: it halts, and says which. */
static void history_35_a_configuration_that_is_too_large(void **state)
{
    (void)state;
    static uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(LONE_MEMBERS + 1)];
    struct teak_raft *raft = node(lone_options());
    struct teak_raft_member members[LONE_MEMBERS + 1];
    struct teak_raft_entry config;
    struct teak_raft_job job;
    for (uint32_t i = 0; i < LONE_MEMBERS + 1; i++)
        members[i] = (struct teak_raft_member){.id = i + 1, .roles = TEAK_RAFT_VOTER};
    assert_int_equal(teak_raft_bootstrap(members, LONE_MEMBERS + 1, bytes, sizeof bytes, &config, &job), TEAK_RAFT_OK);
    config.index = 2;
    assert_int_equal(hear(raft, (struct teak_raft_msg){.type = TEAK_RAFT_APPEND, .term = 1, .at = {1, 1},
                                                       .entries = &config, .count = 1}),
                     TEAK_RAFT_HALTED);
    take(raft, TEAK_RAFT_ALL);
    assert_true(ready.event_count > 0);
    assert_int_equal(ready.events[ready.event_count - 1].type, TEAK_RAFT_EVENT_HALTED);
    assert_int_equal(ready.events[ready.event_count - 1].a, TEAK_RAFT_HALT_MEMBERS);
    assert_int_equal(ready.events[ready.event_count - 1].b, 2);
    assert_int_equal(teak_raft_tick(raft, 200), TEAK_RAFT_HALTED);
    teak_raft_fini(raft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_01_one_completion_gives_one_confirmation),
        cmocka_unit_test(history_02_nothing_waits_for_a_fetch),
        cmocka_unit_test(history_06_what_is_not_wanted_waits_and_grows),
        cmocka_unit_test(history_07_what_was_lent_is_gone_at_the_next_call),
        cmocka_unit_test(history_08_a_large_append_is_several_jobs),
        cmocka_unit_test(history_10_a_stranger_gives_no_vote_while_its_name_may_be_lost),
        cmocka_unit_test(history_11_a_member_lost_what_it_had_confirmed),
        cmocka_unit_test(history_11_a_log_that_is_as_long_is_another),
        cmocka_unit_test(history_11_a_late_answer_brings_nobody_back),
        cmocka_unit_test(history_25_a_new_process_answers_for_itself),
        cmocka_unit_test(history_30_a_fetch_that_comes_too_late),
        cmocka_unit_test(history_33_configurations_are_handed_out_one_by_one),
        cmocka_unit_test(history_35_a_configuration_that_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
