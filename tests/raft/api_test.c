/* api_test.c: every call, every status that its card lists; limits; frames; copies and digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../unit/seeded.h"
#include "lone_node.h"

enum { BLOCK = LONE_BLOCK, ALONE = 1 };
static _Alignas(16) uint8_t block[BLOCK], other[BLOCK];
static uint64_t newest; /* token */

static struct teak_raft_options small(void) { return lone_options(); }

/* A node of a cluster of `count`, founded, started at time 100. */
static struct teak_raft *node_of(uint32_t count, struct teak_raft_options options)
{
    struct teak_raft *raft = lone_node(block, count, options);
    assert_non_null(raft);
    newest = 0;
    return raft;
}

static void drain(struct teak_raft *raft, bool persist)
{
    struct teak_raft_ready ready;
    while (teak_raft_has_ready(raft)) {
        assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
        if (ready.job) newest = ready.job->token;
        const uint64_t token = ready.job ? ready.job->token : 0, upto = ready.apply.upto;
        if (upto) assert_int_equal(teak_raft_applied(raft, upto), TEAK_RAFT_OK);
        if (token && persist) assert_int_equal(teak_raft_persisted(raft, token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
    }
}

static struct teak_raft *leader_alone(struct teak_raft_options options)
{
    struct teak_raft *raft = node_of(ALONE, options);
    struct teak_raft_view view;
    assert_int_equal(teak_raft_campaign(raft), TEAK_RAFT_OK);
    drain(raft, true);
    teak_raft_view(raft, &view);
    assert_int_equal(view.role, TEAK_RAFT_LEADER);
    assert_int_equal(view.applied, 2);
    return raft;
}

static const struct teak_raft_blob word = {.data = (const uint8_t *)"word", .bytes = 4, .kind = 16};

static void options_are_judged(void **state)
{
    (void)state;
    struct teak_raft_options good = small();
    assert_true(teak_raft_size(&good) > 0);
    assert_int_equal(teak_raft_size(NULL), 0);
#define BAD(field, value)                                                                                              \
    do {                                                                                                               \
        struct teak_raft_options bad = small();                                                                        \
        bad.field = (value);                                                                                           \
        assert_int_equal(teak_raft_size(&bad), 0);                                                                     \
    } while (0)
    BAD(id, 0);
    BAD(heartbeat, 0);
    BAD(election, 60);
    BAD(election, UINT64_MAX);
    BAD(entry_bytes_max, 0);
    BAD(message_bytes_max, 0);
    BAD(job_bytes_max, 0);
    BAD(apply_bytes_max, 0);
    BAD(tail_bytes_max, 0);
    BAD(window_bytes, 0);
    BAD(window_messages, 0);
    BAD(tail_entries, 7);
    BAD(jobs_max, 0);
    BAD(tags_max, 0);
    BAD(reads_max, 0);
    BAD(promise_max, good.election + 1);
    BAD(lease_drift_ppm, 500000);
    BAD(disk_stall, UINT64_MAX);
    BAD(term_runs, 7);
    BAD(members_max, 0);
    BAD(members_max, 32);
    BAD(retain_entries, 0);
    BAD(snapshot_streams, 0);
    BAD(snapshot_chunk_bytes, 0);
    BAD(snapshot_window, 0);
    BAD(snapshot_window, 65);
#undef BAD
    for (int status = 0; status < TEAK_RAFT_STATUS_COUNT; status++)
        assert_string_not_equal(teak_raft_status_name((enum teak_raft_status)status), "unknown");
    assert_string_equal(teak_raft_status_name((enum teak_raft_status)99), "unknown");
}

/* Of three voters. */
static struct teak_raft_snapshot a_snapshot(uint8_t *bytes, uint64_t index, uint64_t term)
{
    struct teak_raft_member members[3];
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    for (uint32_t i = 0; i < 3; i++) members[i] = (struct teak_raft_member){.id = i + 1, .roles = TEAK_RAFT_VOTER};
    assert_int_equal(teak_raft_bootstrap(members, 3, bytes, TEAK_RAFT_CONFIG_BYTES(3), &entry, &job), TEAK_RAFT_OK);
    return (struct teak_raft_snapshot){.pos = {index, term}, .born = 9, .bytes = 4, .checksum = 77, .config_index = 1,
                                       .config = bytes, .config_bytes = entry.bytes};
}

static void a_start_is_judged(void **state)
{
    (void)state;
    struct teak_raft *raft;
    const struct teak_raft_options options = small();
    const struct teak_raft_pos runs[] = {{1, 1}, {3, 2}};
    const struct teak_raft_start good = {.hard = {.term = 2, .commit = 2}, .last = {4, 2}, .runs = runs, .run_count = 2,
                                         .born = 5, .incarnation = 6};
    assert_int_equal(teak_raft_init(block, sizeof block, &options, &good, 0, &raft), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_term_at(raft, 2), 1);
    assert_int_equal(teak_raft_term_at(raft, 4), 2);
    assert_int_equal(teak_raft_term_at(raft, 5), 0);
    assert_int_equal(teak_raft_init(NULL, sizeof block, &options, &good, 0, &raft), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_init(block, 100, &options, &good, 0, &raft), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_init(block + 1, sizeof block - 1, &options, &good, 0, &raft), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_init(block, sizeof block, &options, NULL, 0, &raft), TEAK_RAFT_MISUSE);
#define TRY(change, status)                                                                                            \
    do {                                                                                                               \
        struct teak_raft_start bad = good;                                                                             \
        bad.change;                                                                                                    \
        assert_int_equal(teak_raft_init(block, sizeof block, &options, &bad, 0, &raft), status);                       \
    } while (0)
    TRY(born = 0, TEAK_RAFT_MISUSE);
    TRY(incarnation = 0, TEAK_RAFT_MISUSE);
    TRY(verdict = TEAK_RAFT_TAIL_LOST, TEAK_RAFT_DAMAGED);
    TRY(applied = 5, TEAK_RAFT_DAMAGED);
    TRY(hard.commit = 5, TEAK_RAFT_DAMAGED);
    TRY(hard.term = 1, TEAK_RAFT_DAMAGED);
    TRY(last.term = 1, TEAK_RAFT_DAMAGED);
    TRY(last.index = 2, TEAK_RAFT_DAMAGED);
    TRY(run_count = 0, TEAK_RAFT_DAMAGED);
    TRY(run_count = 1, TEAK_RAFT_DAMAGED);
    TRY(config_count = 1, TEAK_RAFT_DAMAGED);
    TRY(first = 6, TEAK_RAFT_DAMAGED);
    TRY(first = 3, TEAK_RAFT_DAMAGED); /* and no snapshot before it */
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(3)];
    struct teak_raft_snapshot snapshot = a_snapshot(bytes, 3, 2);
    TRY(snapshot = &snapshot; bad.applied = 3, TEAK_RAFT_OK);
    TRY(snapshot = &snapshot; bad.applied = 2, TEAK_RAFT_APPLIED_TOO_OLD); /* the log has entry 3, and may forget it */
    TRY(snapshot = &snapshot; bad.first = 4, TEAK_RAFT_APPLIED_TOO_OLD);
    TRY(snapshot = &snapshot; bad.first = 4; bad.can_restore = true, TEAK_RAFT_OK);
    TRY(snapshot = &snapshot; bad.first = 4; bad.applied = 3, TEAK_RAFT_OK);
    TRY(snapshot = &snapshot; bad.first = 5; bad.can_restore = true, TEAK_RAFT_DAMAGED); /* a gap */
    snapshot.pos.index = 5;
    TRY(snapshot = &snapshot, TEAK_RAFT_DAMAGED);
    snapshot.pos = (struct teak_raft_pos){4, 1}; /* not the term of the last entry */
    TRY(snapshot = &snapshot, TEAK_RAFT_DAMAGED);
    snapshot = a_snapshot(bytes, 3, 2);
    snapshot.config_index = 4;
    TRY(snapshot = &snapshot, TEAK_RAFT_DAMAGED);
    snapshot.config_index = 1;
    snapshot.config_bytes--;
    TRY(snapshot = &snapshot, TEAK_RAFT_DAMAGED);
#undef TRY
}

/* Though the log still has all that the state machine lacks: it may forget what the snapshot has. */
static void a_state_machine_that_is_behind_the_snapshot_is_restored(void **state)
{
    (void)state;
    struct teak_raft *raft;
    struct teak_raft_ready ready;
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(3)];
    const struct teak_raft_options options = small();
    const struct teak_raft_snapshot snapshot = a_snapshot(bytes, 3, 2);
    const struct teak_raft_pos runs[] = {{1, 1}, {3, 2}};
    const struct teak_raft_start start = {.hard = {.term = 2, .commit = 3}, .last = {4, 2}, .runs = runs,
                                          .run_count = 2, .born = 5, .incarnation = 6, .first = 1,
                                          .snapshot = &snapshot, .can_restore = true};
    assert_int_equal(teak_raft_init(block, sizeof block, &options, &start, 0, &raft), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_tick(raft, 1), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
    assert_non_null(ready.apply.restore);
    assert_int_equal(ready.apply.upto, 3);
    assert_int_equal(teak_raft_applied(raft, 3), TEAK_RAFT_OK);
    teak_raft_fini(raft);
}

static void founding_is_judged(void **state)
{
    (void)state;
    struct teak_raft_member members[] = {{.id = 1, .roles = TEAK_RAFT_VOTER}, {.id = 2, .roles = TEAK_RAFT_VOTER}};
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(2)];
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    assert_int_equal(teak_raft_bootstrap(members, 2, bytes, sizeof bytes, &entry, &job), TEAK_RAFT_OK);
    assert_int_equal(job.count, 1);
    assert_ptr_equal(job.entries, &entry);
    assert_int_equal(teak_raft_bootstrap(members, 2, bytes, sizeof bytes - 1, &entry, &job), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_bootstrap(members, 2, NULL, sizeof bytes, &entry, &job), TEAK_RAFT_MISUSE);
    members[0].roles = members[1].roles = TEAK_RAFT_LEARNER;
    assert_int_equal(teak_raft_bootstrap(members, 2, bytes, sizeof bytes, &entry, &job), TEAK_RAFT_NO_VOTERS);
}

static void clusters_are_named_after_their_members(void **state)
{
    (void)state;
    struct teak_raft_member members[] = {{.id = 1, .roles = TEAK_RAFT_VOTER}, {.id = 2, .roles = TEAK_RAFT_VOTER}};
    uint8_t a[16], b[16];
    assert_int_equal(teak_raft_name_cluster(members, 2, 7, a), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_name_cluster(members, 2, 7, b), TEAK_RAFT_OK);
    assert_memory_equal(a, b, 16);
    assert_int_equal(teak_raft_name_cluster(members, 2, 8, b), TEAK_RAFT_OK);
    assert_memory_not_equal(a, b, 16);
    assert_int_equal(teak_raft_name_cluster(members, 1, 7, b), TEAK_RAFT_OK);
    assert_memory_not_equal(a, b, 16);
    assert_int_equal(teak_raft_name_cluster(members, 2, 7, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_name_cluster(NULL, 2, 7, b), TEAK_RAFT_MISUSE);
    members[1].id = 1;
    assert_int_equal(teak_raft_name_cluster(members, 2, 7, b), TEAK_RAFT_MISUSE);
    members[0].roles = TEAK_RAFT_LEARNER;
    assert_int_equal(teak_raft_name_cluster(members, 1, 7, b), TEAK_RAFT_NO_VOTERS);
}

static void recovery_is_judged(void **state)
{
    (void)state;
    const struct teak_raft_options options = small();
    const struct teak_raft_member members[] = {{.id = 1, .born = 5, .roles = TEAK_RAFT_VOTER},
                                               {.id = 2, .roles = TEAK_RAFT_LEARNER}};
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(2)];
    const struct teak_raft_start good = {.hard = {.term = 4, .commit = 2}, .last = {6, 3}, .born = 5, .incarnation = 6};
    const struct teak_raft_recovery how = {.cluster = {9}, .members = members, .count = 2, .bytes = bytes,
                                           .capacity = sizeof bytes};
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    struct teak_raft_recovered report;
    assert_int_equal(teak_raft_recover(&options, &good, &how, &entry, &job, &report), TEAK_RAFT_OK);
    assert_int_equal(entry.index, 7);
    assert_int_equal(entry.term, 5);
    assert_int_equal(job.hard.term, 5);
    assert_int_equal(job.hard.vote, 0);
    assert_int_equal(job.hard.commit, 7);
    assert_int_equal(job.after_last.index, 7);
    assert_int_equal(report.committed, 2);
    assert_int_equal(report.last.index, 6);
    assert_false(report.may_lack);
#define TRY(what, change, status)                                                                                      \
    do {                                                                                                               \
        struct teak_raft_start start = good;                                                                           \
        struct teak_raft_recovery recovery = how;                                                                      \
        what.change;                                                                                                   \
        assert_int_equal(teak_raft_recover(&options, &start, &recovery, &entry, &job, &report), status);               \
    } while (0)
    TRY(start, verdict = TEAK_RAFT_TAIL_LOST, TEAK_RAFT_OK);
    assert_true(report.may_lack);
    TRY(start, verdict = TEAK_RAFT_ROT, TEAK_RAFT_DAMAGED);
    TRY(start, last.index = 0, TEAK_RAFT_DAMAGED);
    TRY(start, hard.term = 2, TEAK_RAFT_DAMAGED);
    TRY(start, hard.commit = 7, TEAK_RAFT_DAMAGED);
    TRY(start, applied = 7, TEAK_RAFT_DAMAGED);
    TRY(start, first = 8, TEAK_RAFT_DAMAGED);
    TRY(start, born = 4, TEAK_RAFT_MISUSE);
    TRY(recovery, cluster[0] = 0, TEAK_RAFT_MISUSE); /* the old name */
    TRY(recovery, members = NULL, TEAK_RAFT_MISUSE);
    TRY(recovery, bytes = NULL, TEAK_RAFT_MISUSE);
    TRY(recovery, capacity = 3, TEAK_RAFT_MISUSE);
#undef TRY
    struct teak_raft_recovery learners = how;
    learners.members = members + 1;
    learners.count = 1;
    assert_int_equal(teak_raft_recover(&options, &good, &learners, &entry, &job, &report), TEAK_RAFT_NO_VOTERS);
    assert_int_equal(teak_raft_recover(&options, NULL, &how, &entry, &job, &report), TEAK_RAFT_MISUSE);
    struct teak_raft_options tight = options;
    tight.members_max = 1;
    assert_int_equal(teak_raft_recover(&tight, &good, &how, &entry, &job, &report), TEAK_RAFT_MISUSE);
}

static void a_leader_takes_proposals_within_its_limits(void **state)
{
    (void)state;
    uint32_t taken;
    struct teak_raft *raft = node_of(3, small());
    assert_int_equal(teak_raft_propose(raft, &word, 1, 1, &taken), TEAK_RAFT_NOT_LEADER);
    raft = leader_alone(small());
    struct teak_raft_blob blobs[32], bad = word;
    for (uint32_t i = 0; i < 32; i++) blobs[i] = word;
    assert_int_equal(teak_raft_propose(raft, blobs, 0, 1, &taken), TEAK_RAFT_MISUSE);
    bad.kind = TEAK_RAFT_CONFIG;
    assert_int_equal(teak_raft_propose(raft, &bad, 1, 1, &taken), TEAK_RAFT_MISUSE);
    bad = word;
    bad.bytes = 65;
    assert_int_equal(teak_raft_propose(raft, &bad, 1, 1, &taken), TEAK_RAFT_TOO_LARGE);
    assert_int_equal(taken, 0);
    assert_int_equal(teak_raft_propose(raft, blobs, 32, 1, &taken), TEAK_RAFT_OK);
    assert_int_equal(taken, 8); /* places in memory */
    assert_int_equal(teak_raft_propose(raft, blobs, 1, 9, &taken), TEAK_RAFT_BUSY);
    drain(raft, true);
    for (uint32_t i = 0; i < 2; i++) /* each tag a run of its own: two runs */
        assert_int_equal(teak_raft_propose(raft, blobs, 1, 100 + 10 * i, &taken), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_propose(raft, blobs, 1, 200, &taken), TEAK_RAFT_BUSY);
    drain(raft, true);
    assert_int_equal(teak_raft_room(raft, false), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_propose(raft, blobs, 1, 200, &taken), TEAK_RAFT_NO_SPACE);
    assert_int_equal(teak_raft_room(raft, true), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_propose(raft, blobs, 1, 200, &taken), TEAK_RAFT_OK);
    teak_raft_fini(raft);
}

static void inputs_out_of_order_are_misuse(void **state)
{
    (void)state;
    struct teak_raft_ready ready;
    struct teak_raft *raft = leader_alone(small());
    assert_int_equal(teak_raft_tick(raft, 99), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_tick(raft, 100), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_tick(NULL, 100), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_receive(raft, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_ready(raft, 32, &ready), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_applied(raft, 3), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_applied(raft, 1), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_persisted(raft, 77, TEAK_RAFT_DURABLE), TEAK_RAFT_STALE);
    assert_int_equal(teak_raft_persisted(raft, 77, TEAK_RAFT_NO_ROOM), TEAK_RAFT_STALE);
    assert_int_equal(teak_raft_persisted(raft, newest, TEAK_RAFT_DURABLE), TEAK_RAFT_STALE);
    assert_int_equal(teak_raft_persisted(raft, newest, TEAK_RAFT_CORRUPT), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_fetched(raft, 1, TEAK_RAFT_FETCHED, 0, NULL, 0), TEAK_RAFT_STALE);
    assert_int_equal(teak_raft_fetched(raft, 1, TEAK_RAFT_DURABLE, 0, NULL, 0), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_unreachable(raft, 9), TEAK_RAFT_UNKNOWN_MEMBER);
    assert_int_equal(teak_raft_campaign(raft), TEAK_RAFT_LEADER_ALIVE);
    assert_int_equal(teak_raft_transfer(raft, 9), TEAK_RAFT_UNKNOWN_MEMBER);
    teak_raft_fini(raft);
    raft = node_of(3, small());
    assert_int_equal(teak_raft_transfer(raft, 2), TEAK_RAFT_NOT_LEADER);
}

static void changes_are_judged(void **state)
{
    (void)state;
    struct teak_raft_member wanted[] = {{.id = 1, .roles = TEAK_RAFT_VOTER},
                                        {.id = 2, .roles = TEAK_RAFT_LEARNER},
                                        {.id = 3, .roles = TEAK_RAFT_LEARNER},
                                        {.id = 4, .roles = TEAK_RAFT_LEARNER}};
    struct teak_raft *raft = leader_alone(small());
    assert_int_equal(teak_raft_change(raft, 1, wanted, 0), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_change(raft, 1, wanted, 4), TEAK_RAFT_MISUSE); /* members_max */
    assert_int_equal(teak_raft_change(raft, 1, wanted + 1, 1), TEAK_RAFT_NO_VOTERS);
    assert_int_equal(teak_raft_change(raft, 2, wanted, 2), TEAK_RAFT_CHANGED);
    assert_int_equal(teak_raft_change(raft, 1, wanted, 2), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_change(raft, 3, wanted, 2), TEAK_RAFT_CHANGE_IN_FLIGHT);
    drain(raft, true);
    struct teak_raft_set set;
    teak_raft_config(raft, &set);
    assert_int_equal(set.index, 3);
    assert_int_equal(set.count, 2);
    wanted[1].roles = TEAK_RAFT_VOTER;
    assert_int_equal(teak_raft_change(raft, 3, wanted, 2), TEAK_RAFT_BEHIND);
    assert_int_equal(teak_raft_room(raft, false), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_change(raft, 3, wanted, 1), TEAK_RAFT_NO_SPACE);
    assert_int_equal(teak_raft_room(raft, true), TEAK_RAFT_OK);
    struct teak_raft_msg has = {.from = 2, .to = 1, .born = 52, .incarnation = 62, .asked = 6, .term = 2, .index = 2,
                                .type = TEAK_RAFT_HEARTBEAT_REPLY};
    assert_int_equal(teak_raft_receive(raft, &has), TEAK_RAFT_OK); /* all but the configuration that has it */
    assert_int_equal(teak_raft_change(raft, 3, wanted, 2), TEAK_RAFT_BEHIND);
    has.index = 3;
    assert_int_equal(teak_raft_receive(raft, &has), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_change(raft, 3, wanted, 2), TEAK_RAFT_OK);
    teak_raft_fini(raft);
    raft = node_of(ALONE, small());
    assert_int_equal(teak_raft_campaign(raft), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_change(raft, 1, wanted, 1), TEAK_RAFT_NOT_LEADER);
    assert_int_equal(teak_raft_campaign(raft), TEAK_RAFT_BUSY);
    struct teak_raft_ready ready;
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_PERSIST, &ready), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_persisted(raft, ready.job->token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_change(raft, 1, wanted, 1), TEAK_RAFT_NOT_READY);
}

static void a_poisoned_store_halts_the_node(void **state)
{
    (void)state;
    uint32_t taken;
    struct teak_raft_ready ready;
    struct teak_raft *raft = leader_alone(small());
    assert_int_equal(teak_raft_propose(raft, &word, 1, 7, &taken), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_persisted(raft, ready.job->token, TEAK_RAFT_POISONED), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_propose(raft, &word, 1, 8, &taken), TEAK_RAFT_HALTED);
    assert_int_equal(teak_raft_tick(raft, 200), TEAK_RAFT_HALTED);
    assert_int_equal(teak_raft_deadline(raft), TEAK_RAFT_NEVER);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.send_count, 0);
    assert_null(ready.job);
    assert_int_equal(ready.event_count, 1);
    assert_int_equal(ready.events[0].type, TEAK_RAFT_EVENT_HALTED);
    assert_int_equal(ready.done_count, 1);
    assert_int_equal(ready.done[0].fate, TEAK_RAFT_UNKNOWN);
    assert_int_equal(ready.done[0].first_tag, 7);
    assert_false(teak_raft_has_ready(raft));
    teak_raft_fini(raft);
}

/* An answer means applied here, not handed out. All that is open is answered when the node halts. */
static void reads_are_answered_when_they_are_applied(void **state)
{
    (void)state;
    uint32_t taken;
    struct teak_raft_ready ready;
    struct teak_raft_view view;
    assert_int_equal(teak_raft_read(NULL, 1, TEAK_RAFT_READ_INDEX), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_read(node_of(3, small()), 1, (enum teak_raft_read_mode)2), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_read(node_of(3, small()), 1, TEAK_RAFT_READ_INDEX), TEAK_RAFT_NOT_LEADER);
    struct teak_raft_options options = small();
    options.reads_max = 2;
    struct teak_raft *raft = leader_alone(options);
    assert_int_equal(teak_raft_propose(raft, &word, 1, 7, &taken), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_PERSIST, &ready), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_persisted(raft, ready.job->token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
    /* 3 is committed, and 2 is applied */
    assert_int_equal(teak_raft_read(raft, 11, TEAK_RAFT_READ_INDEX), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_read(raft, 12, TEAK_RAFT_READ_INDEX), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_read(raft, 13, TEAK_RAFT_READ_INDEX), TEAK_RAFT_BUSY);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.apply.upto, 3);
    assert_int_equal(ready.read_count, 0);
    assert_false(teak_raft_has_ready(raft));
    assert_int_equal(teak_raft_applied(raft, 3), TEAK_RAFT_OK);
    assert_true(teak_raft_has_ready(raft));
    assert_int_equal(teak_raft_ready(raft, 0, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.read_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(ready.reads[i].tag, 11 + i);
        assert_int_equal(ready.reads[i].index, 3);
        assert_int_equal(ready.reads[i].fate, TEAK_RAFT_READ_OK);
    }
    assert_false(teak_raft_has_ready(raft));
    assert_int_equal(teak_raft_propose(raft, &word, 1, 8, &taken), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_PERSIST, &ready), TEAK_RAFT_OK);
    const uint64_t token = ready.job->token;
    assert_int_equal(teak_raft_persisted(raft, token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_read(raft, 14, TEAK_RAFT_READ_INDEX), TEAK_RAFT_OK);
    teak_raft_view(raft, &view);
    assert_int_equal(view.reads, 1);
    assert_int_equal(teak_raft_propose(raft, &word, 1, 9, &taken), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_PERSIST, &ready), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_persisted(raft, ready.job->token, TEAK_RAFT_POISONED), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_read(raft, 15, TEAK_RAFT_READ_INDEX), TEAK_RAFT_HALTED);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.read_count, 1);
    assert_int_equal(ready.reads[0].tag, 14);
    assert_int_equal(ready.reads[0].fate, TEAK_RAFT_READ_HALTED);
    assert_false(teak_raft_has_ready(raft));
    teak_raft_fini(raft);
}

static void time_elects(void **state)
{
    (void)state;
    struct teak_raft *raft = node_of(ALONE, small());
    struct teak_raft_view view;
    const uint64_t deadline = teak_raft_deadline(raft);
    assert_true(deadline >= 400 && deadline <= 700); /* one to two election timeouts from 100 on */
    assert_int_equal(teak_raft_tick(raft, deadline - 1), TEAK_RAFT_OK);
    drain(raft, true);
    teak_raft_view(raft, &view);
    assert_int_equal(view.role, TEAK_RAFT_FOLLOWER);
    assert_int_equal(teak_raft_tick(raft, deadline), TEAK_RAFT_OK);
    drain(raft, true);
    teak_raft_view(raft, &view);
    assert_int_equal(view.role, TEAK_RAFT_LEADER);
    assert_int_equal(teak_raft_deadline(raft), deadline + 60);
    teak_raft_fini(raft);
}

/* ----------------------------------------------------------------------------------------------------------- frames */

static uint32_t freed;
static void count_freed(struct teak_raft_frame *frame)
{
    freed++;
    free(frame);
}

static struct teak_raft_frame *new_frame(void)
{
    struct teak_raft_frame *frame = malloc(sizeof *frame);
    assert_non_null(frame);
    *frame = (struct teak_raft_frame){.refs = 1, .bytes = 100, .free = count_freed};
    return frame;
}

/* A frame is held once for all its entries, and goes when the last of them does. What is in memory is bounded by
 * frames. */
static void frames_are_held_as_long_as_their_entries(void **state)
{
    (void)state;
    uint32_t taken;
    struct teak_raft_view view;
    struct teak_raft *raft = leader_alone(small()), *twin;
    freed = 0;
    struct teak_raft_frame *frame = new_frame();
    struct teak_raft_blob two[] = {word, word};
    two[0].frame = two[1].frame = frame;
    assert_int_equal(teak_raft_propose(raft, two, 2, 1, &taken), TEAK_RAFT_OK);
    assert_int_equal(frame->refs, 2);
    teak_raft_view(raft, &view);
    assert_int_equal(view.tail_bytes, 100);
    assert_int_equal(teak_raft_clone(other, 100, raft, &twin), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_clone(other, sizeof other, raft, &twin), TEAK_RAFT_OK);
    assert_int_equal(frame->refs, 3);
    teak_raft_fini(twin);
    assert_int_equal(frame->refs, 2);
    teak_raft_drop(frame);
    assert_int_equal(freed, 0);
    drain(raft, true);
    for (uint32_t i = 0; i < 8; i++) { /* they push it out of memory */
        assert_int_equal(teak_raft_propose(raft, &word, 1, 10 + i, &taken), TEAK_RAFT_OK);
        drain(raft, true);
    }
    assert_int_equal(freed, 1);
    frame = new_frame();
    frame->bytes = 2000; /* more than tail_bytes_max: taken, as nothing else waits; what follows it is not */
    two[0].frame = two[1].frame = frame;
    assert_int_equal(teak_raft_propose(raft, two, 1, 50, &taken), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_propose(raft, &word, 1, 51, &taken), TEAK_RAFT_BUSY);
    teak_raft_drop(frame);
    teak_raft_fini(raft);
    assert_int_equal(freed, 2);
}

/* ----------------------------------------------------------------------------------------------------------- digest */

/* A copy has the digest of the original, and keeps it under the same inputs; a different input shows. */
static void equal_nodes_have_equal_digests(void **state)
{
    (void)state;
    struct seeded seeded = {.state = 1};
    struct teak_raft *raft = leader_alone(small()), *twin;
    for (uint32_t round = 0; round < 300; round++) {
        uint8_t a[16], b[16];
        uint32_t taken;
        assert_int_equal(teak_raft_clone(other, sizeof other, raft, &twin), TEAK_RAFT_OK);
        teak_raft_digest(raft, a);
        teak_raft_digest(twin, b);
        assert_memory_equal(a, b, 16);
        const uint32_t which = seeded_below(&seeded, 4);
        struct teak_raft *const both[] = {raft, twin};
        for (uint32_t i = 0; i < 2; i++) {
            if (which == 0) (void)teak_raft_propose(both[i], &word, 1, round, &taken);
            if (which == 1 && teak_raft_runs(both[i], TEAK_RAFT_TIMER_HEARTBEAT))
                assert_int_equal(teak_raft_fire(both[i], TEAK_RAFT_TIMER_HEARTBEAT), TEAK_RAFT_OK);
            if (which == 2) drain(both[i], true);
            if (which == 3) (void)teak_raft_read(both[i], round, TEAK_RAFT_READ_INDEX);
        }
        teak_raft_digest(raft, a);
        teak_raft_digest(twin, b);
        assert_memory_equal(a, b, 16);
        if (teak_raft_propose(twin, &word, 1, 1000 + round, &taken) == TEAK_RAFT_OK) {
            teak_raft_digest(twin, b);
            assert_memory_not_equal(a, b, 16);
        }
        teak_raft_fini(twin);
    }
    assert_int_equal(teak_raft_fire(raft, TEAK_RAFT_TIMER_ELECTION), TEAK_RAFT_MISUSE); /* a leader has none */
    teak_raft_fini(raft);
}

/* ------------------------------------------------------------------------------------------------------------ fetch */

static void what_the_store_returns_is_judged(void **state)
{
    (void)state;
    static uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(1)];
    const struct teak_raft_member alone = {.id = 1, .roles = TEAK_RAFT_VOTER};
    struct teak_raft_entry config, entries[4];
    struct teak_raft_job job;
    struct teak_raft_ready ready;
    const struct teak_raft_options options = small();
    assert_int_equal(teak_raft_bootstrap(&alone, 1, bytes, sizeof bytes, &config, &job), TEAK_RAFT_OK);
    const struct teak_raft_pos run = {1, 1};
    const struct teak_raft_start start = {.hard = {1, 0, 3}, .last = {3, 1}, .configs = &config, .config_count = 1,
                                          .runs = &run, .run_count = 1, .born = 5, .incarnation = 6, .applied = 1};
    for (uint32_t i = 0; i < 4; i++)
        entries[i] = (struct teak_raft_entry){.index = 2 + i, .term = 1, .kind = 16, .data = word.data, .bytes = 4};
    for (uint32_t what = 0; what < 4; what++) {
        struct teak_raft *raft;
        assert_int_equal(teak_raft_init(block, sizeof block, &options, &start, 0, &raft), TEAK_RAFT_OK);
        assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
        assert_int_equal(ready.fetch_count, 1);
        const struct teak_raft_fetch fetch = ready.fetch[0];
        assert_int_equal(fetch.first, 2);
        assert_int_equal(fetch.last, 3);
        assert_true(fetch.to_apply);
        if (what == 0) {
            assert_int_equal(teak_raft_fetched(raft, fetch.ticket, TEAK_RAFT_FETCHED, 1, entries, 0), TEAK_RAFT_MISUSE);
            assert_int_equal(teak_raft_fetched(raft, fetch.ticket, TEAK_RAFT_FETCHED, 1, entries, 3), TEAK_RAFT_MISUSE);
            assert_int_equal(teak_raft_fetched(raft, fetch.ticket, TEAK_RAFT_FETCHED, 1, entries + 1, 1),
                             TEAK_RAFT_MISUSE);
            assert_int_equal(teak_raft_fetched(raft, fetch.ticket, TEAK_RAFT_FETCHED, 1, entries, 1), TEAK_RAFT_OK);
            assert_int_equal(teak_raft_fetched(raft, fetch.ticket, TEAK_RAFT_FETCHED, 1, entries, 1), TEAK_RAFT_STALE);
            assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
            assert_int_equal(ready.apply.count, 1);
            assert_int_equal(ready.apply.upto, 2);
        } else if (what == 1) { /* not the term that the node knows */
            entries[0].term = 2;
            assert_int_equal(teak_raft_fetched(raft, fetch.ticket, TEAK_RAFT_FETCHED, 1, entries, 1), TEAK_RAFT_HALTED);
            entries[0].term = 1;
        } else if (what == 2) {
            assert_int_equal(teak_raft_fetched(raft, fetch.ticket, TEAK_RAFT_FETCHED, 9, entries, 1), TEAK_RAFT_HALTED);
        } else { /* rot: it applies no further, and does not lead */
            assert_int_equal(teak_raft_fetched(raft, fetch.ticket, TEAK_RAFT_CORRUPT, 0, NULL, 0), TEAK_RAFT_OK);
            assert_false(teak_raft_has_ready(raft));
            assert_int_equal(teak_raft_campaign(raft), TEAK_RAFT_NOT_VOTER);
        }
        teak_raft_fini(raft);
    }
}

/* -------------------------------------------------------------------------------------------------------- snapshots */

static void snapshots_of_ones_own_are_judged(void **state)
{
    (void)state;
    struct teak_raft *raft = leader_alone(small());
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(3)];
    struct teak_raft_snapshot snapshot, bad;
    struct teak_raft_ready ready;
    assert_int_equal(teak_raft_snapshot_point(raft, NULL, sizeof config, &snapshot), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_snapshot_point(raft, config, 3, &snapshot), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_snapshot_point(raft, config, sizeof config, &snapshot), TEAK_RAFT_OK);
    assert_int_equal(snapshot.pos.index, 2);
    assert_int_equal(snapshot.pos.term, 2);
    assert_int_equal(snapshot.config_index, 1);
    assert_int_equal(teak_raft_snapshot_taken(raft, NULL), TEAK_RAFT_MISUSE);
    bad = snapshot;
    bad.pos.index = 3; /* not applied */
    assert_int_equal(teak_raft_snapshot_taken(raft, &bad), TEAK_RAFT_MISUSE);
    bad.pos = (struct teak_raft_pos){2, 1}; /* another term */
    assert_int_equal(teak_raft_snapshot_taken(raft, &bad), TEAK_RAFT_MISUSE);
    bad = snapshot;
    bad.config_index = 0;
    assert_int_equal(teak_raft_snapshot_taken(raft, &bad), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_snapshot_taken(raft, &snapshot), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_snapshot_taken(raft, &snapshot), TEAK_RAFT_STALE);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
    assert_non_null(ready.job);
    assert_int_equal(ready.job->snapshot->pos.index, 2);
    assert_false(ready.job->clear);
    assert_int_equal(teak_raft_persisted(raft, ready.job->token, TEAK_RAFT_POISONED), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_snapshot_point(raft, config, sizeof config, &snapshot), TEAK_RAFT_HALTED);
    assert_int_equal(teak_raft_snapshot_taken(raft, &snapshot), TEAK_RAFT_HALTED);
    assert_int_equal(teak_raft_snap_done(raft, 1, TEAK_RAFT_DONE, 0, NULL), TEAK_RAFT_HALTED);
    teak_raft_fini(raft);
    raft = node_of(ALONE, small());
    assert_int_equal(teak_raft_snapshot_point(raft, config, sizeof config, &snapshot), TEAK_RAFT_OK); /* of the first */
    teak_raft_fini(raft);
}

/* Two configurations are committed and the state machine is slow: the second one waits, so that a snapshot taken in
 * between has the first. */
static void a_snapshot_knows_its_configuration(void **state)
{
    (void)state;
    const struct teak_raft_member members[] = {{.id = 1, .roles = TEAK_RAFT_VOTER},
                                               {.id = 2, .roles = TEAK_RAFT_LEARNER}};
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(3)];
    struct teak_raft_snapshot snapshot;
    struct teak_raft_ready ready;
    uint64_t handed = 2;
    struct teak_raft *raft = leader_alone(small());
    for (uint32_t change = 0; change < 2; change++) {
        assert_int_equal(teak_raft_change(raft, change == 0 ? 1 : 3, members, 2 - change), TEAK_RAFT_OK);
        while (teak_raft_has_ready(raft)) {
            assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
            if (ready.apply.upto) handed = ready.apply.upto;
            const uint64_t token = ready.job ? ready.job->token : 0;
            if (token) assert_int_equal(teak_raft_persisted(raft, token, TEAK_RAFT_DURABLE), TEAK_RAFT_OK);
        }
    }
    assert_int_equal(handed, 3); /* 4 is committed */
    assert_int_equal(teak_raft_snapshot_point(raft, config, sizeof config, &snapshot), TEAK_RAFT_OK);
    assert_int_equal(snapshot.pos.index, 2);
    assert_int_equal(snapshot.config_index, 1);
    assert_int_equal(teak_raft_applied(raft, 3), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_snapshot_point(raft, config, sizeof config, &snapshot), TEAK_RAFT_OK);
    assert_int_equal(snapshot.config_index, 3);
    assert_int_equal(config[2], 2); /* members */
    drain(raft, true);
    assert_int_equal(teak_raft_snapshot_point(raft, config, sizeof config, &snapshot), TEAK_RAFT_OK);
    assert_int_equal(snapshot.config_index, 4);
    teak_raft_fini(raft);
}

/* A chunk's frame is held until the caller has written it; what it answers is judged. */
static void a_snapshot_comes_in(void **state)
{
    (void)state;
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(3)];
    struct teak_raft_ready ready;
    struct teak_raft *raft = node_of(3, small()), *twin;
    struct teak_raft_chunk chunk = {.snapshot = a_snapshot(bytes, 20, 3)};
    struct teak_raft_msg msg = {.from = 2, .to = 1, .born = 5, .incarnation = 8, .term = 3, .type = TEAK_RAFT_SNAPSHOT};
    assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_BAD_MESSAGE); /* no chunk */
    msg.chunk = &chunk;
    chunk.offset = 5;
    assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_BAD_MESSAGE);
    chunk.offset = 0;
    chunk.bytes = 4;
    assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_BAD_MESSAGE); /* no data */
    chunk.data = word.data;
    chunk.snapshot.pos.term = 4;
    assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_BAD_MESSAGE);
    chunk.snapshot.pos.term = 3;
    chunk.snapshot.config_index = 21;
    assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_BAD_MESSAGE);
    chunk.snapshot.config_index = 1;
    assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL & ~TEAK_RAFT_SNAP, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.snap_count, 0); /* not wanted */
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.snap_count, 1);
    assert_int_equal(ready.snap[0].op, TEAK_RAFT_SNAP_BEGIN);
    uint64_t ticket = ready.snap[0].ticket;
    assert_int_equal(teak_raft_snap_done(NULL, ticket, TEAK_RAFT_DONE, 0, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_snap_done(raft, ticket + 9, TEAK_RAFT_DONE, 0, NULL), TEAK_RAFT_STALE);
    assert_int_equal(teak_raft_snap_done(raft, ticket, TEAK_RAFT_DURABLE, 0, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_snap_done(raft, ticket, TEAK_RAFT_DONE, 5, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_snap_done(raft, ticket, TEAK_RAFT_DONE, 0, NULL), TEAK_RAFT_OK);
    assert_int_equal(teak_raft_snap_done(raft, ticket, TEAK_RAFT_DONE, 0, NULL), TEAK_RAFT_STALE);
    freed = 0;
    struct teak_raft_frame *frame = new_frame();
    for (uint32_t i = 0; i < 2; i++) {
        chunk.offset = 2 * i;
        chunk.bytes = 2;
        chunk.frame = frame;
        assert_int_equal(teak_raft_receive(raft, &msg), TEAK_RAFT_OK);
    }
    assert_int_equal(frame->refs, 3);
    assert_int_equal(teak_raft_clone(other, sizeof other, raft, &twin), TEAK_RAFT_OK);
    assert_int_equal(frame->refs, 5);
    teak_raft_fini(twin);
    teak_raft_drop(frame);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_SNAP, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.snap_count, 2);
    ticket = ready.snap[0].ticket;
    assert_int_equal(ready.snap[1].offset, 2);
    assert_int_equal(teak_raft_snap_done(raft, ready.snap[1].ticket, TEAK_RAFT_DONE, 0, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_snap_done(raft, ticket, TEAK_RAFT_DONE, 0, NULL), TEAK_RAFT_OK);
    assert_int_equal(freed, 0);
    assert_int_equal(teak_raft_snap_done(raft, ticket + 1, TEAK_RAFT_CORRUPT, 0, NULL), TEAK_RAFT_OK);
    assert_int_equal(freed, 1);
    assert_int_equal(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), TEAK_RAFT_OK);
    assert_int_equal(ready.snap_count, 1);
    assert_int_equal(ready.snap[0].op, TEAK_RAFT_SNAP_ABORT);
    assert_int_equal(ready.events[ready.event_count - 1].type, TEAK_RAFT_EVENT_SNAPSHOT_FAILED);
    teak_raft_fini(raft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_judged),
        cmocka_unit_test(a_start_is_judged),
        cmocka_unit_test(a_state_machine_that_is_behind_the_snapshot_is_restored),
        cmocka_unit_test(founding_is_judged),
        cmocka_unit_test(clusters_are_named_after_their_members),
        cmocka_unit_test(recovery_is_judged),
        cmocka_unit_test(a_leader_takes_proposals_within_its_limits),
        cmocka_unit_test(inputs_out_of_order_are_misuse),
        cmocka_unit_test(changes_are_judged),
        cmocka_unit_test(a_poisoned_store_halts_the_node),
        cmocka_unit_test(reads_are_answered_when_they_are_applied),
        cmocka_unit_test(time_elects),
        cmocka_unit_test(frames_are_held_as_long_as_their_entries),
        cmocka_unit_test(equal_nodes_have_equal_digests),
        cmocka_unit_test(what_the_store_returns_is_judged),
        cmocka_unit_test(snapshots_of_ones_own_are_judged),
        cmocka_unit_test(a_snapshot_knows_its_configuration),
        cmocka_unit_test(a_snapshot_comes_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
