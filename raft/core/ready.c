/* ready.c: see ready.h. */
#include "core/ready.h"

#include <string.h>

#include "core/lanes.h"
#include "core/commits.h"
#include "core/elect.h"
#include "core/follow.h"
#include "core/install.h"
#include "core/intake.h"
#include "core/jobs.h"
#include "core/lead.h"
#include "core/outbox.h"
#include "core/lease.h"
#include "core/reads.h"
#include "core/streams.h"
#include "core/diskwatch.h"
#include "core/tail.h"
#include "core/timers.h"

#ifdef TEAK_DEBUG
/* What was lent reads as nonsense from now on: a driver that goes on using it is found out here, not in production. */
static void spoil(struct teak_raft *raft)
{
    enum { NONSENSE = 0xdd };
    memset(&raft->job, NONSENSE, sizeof raft->job);
    if (raft->send_lent) memset(outbox(raft), NONSENSE, raft->send_count * sizeof(struct teak_raft_msg));
    if (raft->events_lent) memset(raft->events, NONSENSE, raft->event_count * sizeof raft->events[0]);
}
#endif

void ready_take_back(struct teak_raft *raft)
{
    if (!raft->lent) return;
    raft->lent = false;
#ifdef TEAK_DEBUG
    spoil(raft);
#endif
    lane_take_back(raft);
    streams_take_back(raft);
    if (raft->send_lent) {
        raft->send_count = 0;
        raft->last_word = false;
    }
    if (raft->events_lent) raft->event_count = raft->events_forgotten = 0;
    raft->send_lent = raft->events_lent = false;
}

/* --------------------------------------------------------------------------------------------------------- messages */

static bool owes_grant(const struct teak_raft *raft) { return raft->grant_owed && jobs_vote_is_durable(raft); }

static bool has_messages(const struct teak_raft *raft)
{
    if (raft->halted) return false;
    return (raft->send_count > 0 && !raft->send_lent) || owes_grant(raft) || follow_owes(raft) || raft->transfer_owed ||
           (raft->asking != 0 && elect_may_ask(raft)) || raft->beating != 0 || reads_has_message(raft) ||
           lead_has_message(raft) || streams_have_message(raft);
}

static void send_grant(struct teak_raft *raft)
{
    struct teak_raft_msg *msg = owes_grant(raft) ? outbox_add(raft, TEAK_RAFT_VOTE_REPLY, raft->vote) : NULL;
    if (!msg) return;
    msg->round = raft->grant_round;
    msg->asked = raft->grant_asked;
    raft->grant_owed = false;
}

/* One for all appends that became durable since the last. */
static void send_confirmation(struct teak_raft *raft)
{
    struct teak_raft_msg *msg = follow_owes(raft) ? outbox_add(raft, TEAK_RAFT_APPEND_REPLY, raft->leader) : NULL;
    if (!msg) return;
    msg->asked = raft->leader_incarnation;
    msg->index = min_index(raft->durable, raft->verified);
    raft->confirmed = msg->index;
    raft->confirm_owed = false;
}

static void send_questions(struct teak_raft *raft)
{
    const bool is_pre = raft->role == TEAK_RAFT_PRE_CANDIDATE;
    if (!elect_may_ask(raft)) return;
    for (; raft->asking != 0; raft->asking &= raft->asking - 1) {
        const uint64_t to = config_members(raft)[__builtin_ctz(raft->asking)].id;
        struct teak_raft_msg *msg = outbox_add(raft, is_pre ? TEAK_RAFT_PRE_VOTE : TEAK_RAFT_VOTE, to);
        if (!msg) return;
        if (is_pre) msg->term = raft->term + 1;
        msg->at = raft->last;
        msg->round = raft->vote_round;
        msg->force = !is_pre && raft->forced;
    }
}

static void send_heartbeats(struct teak_raft *raft)
{
    for (; raft->beating != 0; raft->beating &= raft->beating - 1) {
        const uint32_t slot = (uint32_t)__builtin_ctz(raft->beating);
        struct teak_raft_msg *msg = outbox_add(raft, TEAK_RAFT_HEARTBEAT, config_members(raft)[slot].id);
        if (!msg) return;
        msg->index = min_index(peer_at(raft, slot)->match, raft->commit);
        msg->round = raft->beat_round;
        msg->promise = lease_asks(raft);
    }
}

static void send_hand_over(struct teak_raft *raft)
{
    struct teak_raft_msg *msg = raft->transfer_owed ? outbox_add(raft, TEAK_RAFT_TIMEOUT_NOW, raft->transfer_to) : NULL;
    if (!msg) return;
    raft->transfer_owed = false;
    raft->transfer_told = true;
    lease_end(raft);
}

static void lend_messages(struct teak_raft *raft, struct teak_raft_ready *out)
{
    out->send = outbox(raft);
    out->send_count = raft->send_count;
    raft->send_lent = true;
}

static void fill_messages(struct teak_raft *raft, struct teak_raft_ready *out)
{
    send_grant(raft);
    send_confirmation(raft);
    send_questions(raft);
    reads_begin(raft);
    send_heartbeats(raft);
    reads_send(raft);
    lead_send(raft);
    streams_send(raft);
    send_hand_over(raft);
    lend_messages(raft, out);
}

/* ------------------------------------------------------------------------------------------------------------ apply */

static const struct teak_raft_entry *next_to_apply(const struct teak_raft *raft)
{
    const struct lane *lane = &raft->lanes[LANE_APPLY];
    if (lane->state == LANE_FILLED) return lane_entries(raft, LANE_APPLY) + (raft->handed + 1 - lane->first);
    return raft->handed + 1 >= raft->tail_first ? tail_at(raft, raft->handed + 1) : NULL;
}

static bool can_apply(const struct teak_raft *raft)
{
    if (raft->halted) return false;
    if (raft->handed < raft->restore) return install_may_restore(raft);
    if (raft->handed >= min_index(raft->commit, raft->durable)) return false;
    const struct teak_raft_entry *next = next_to_apply(raft);
    return next && (next->kind != TEAK_RAFT_CONFIG || install_may_hand_config(raft));
}

/* Raft's own entries are passed over, but for a configuration when one is not applied yet; those of the application
 * between two of them are one batch. */
static void hand_out(struct teak_raft *raft, const struct teak_raft_entry *entries, uint32_t count,
                     struct teak_raft_apply *out)
{
    uint32_t begin = 0;
    for (; begin < count && entries[begin].kind < TEAK_RAFT_KIND_APPLICATION; begin++) {
        if (entries[begin].kind != TEAK_RAFT_CONFIG) continue;
        if (!install_may_hand_config(raft)) break;
        install_hand_config(raft, &entries[begin]);
    }
    uint32_t end = begin;
    while (end < count && entries[end].kind >= TEAK_RAFT_KIND_APPLICATION) end++;
    raft->handed += end;
    raft->handed_term = entries[end - 1].term;
    *out = (struct teak_raft_apply){
        .entries = end > begin ? entries + begin : NULL, .count = end - begin, .upto = raft->handed};
}

static void fill_apply(struct teak_raft *raft, struct teak_raft_apply *out)
{
    if (!can_apply(raft)) return;
    if (raft->handed < raft->restore) {
        *out = (struct teak_raft_apply){.restore = install_hand_restore(raft), .upto = raft->restore};
        return;
    }
    const uint64_t first = raft->handed + 1;
    struct lane *lane = &raft->lanes[LANE_APPLY];
    if (lane->state != LANE_FILLED) { /* what was fetched goes first, to its end: it begins where this stands */
        uint32_t count;
        uint64_t bytes;
        const uint64_t last = min_index(raft->commit, raft->durable);
        const struct teak_raft_entry *span =
            tail_span(raft, first, last, UINT32_MAX, raft->options.apply_bytes_max, &count, &bytes);
        hand_out(raft, span, count, out);
        return;
    }
    const uint32_t done = (uint32_t)(first - lane->first); /* of what was fetched, by readies before */
    hand_out(raft, lane_entries(raft, LANE_APPLY) + done, lane->count - done, out);
    if (raft->handed == lane->first + lane->count - 1) lane->state = LANE_LENT;
}

/* ------------------------------------------------------------------------------------------------------------ ready */

bool ready_has(const struct teak_raft *raft)
{
    if ((raft->event_count > 0 && !raft->events_lent) || commits_has_done(raft) ||
        reads_has_answer(raft))
        return true;
    if (raft->halted) return raft->last_word && !raft->send_lent;
    return jobs_wants(raft) || has_messages(raft) || can_apply(raft) || lane_wants(raft) || streams_want(raft) ||
           intake_wants(raft);
}

static void fill_events(struct teak_raft *raft, struct teak_raft_ready *out)
{
    out->events = raft->events;
    out->event_count = raft->event_count;
    raft->events_lent = true;
    if (raft->events_forgotten > 0)
        raft->events[out->event_count++] =
            (struct teak_raft_event){.type = TEAK_RAFT_EVENT_FORGOTTEN, .a = raft->events_forgotten};
}

void ready_fill(struct teak_raft *raft, uint32_t want, struct teak_raft_ready *out)
{
    *out = (struct teak_raft_ready){.send_count = 0};
    raft->lent = true;
    timers_wake(raft);
    fill_events(raft, out);
    out->done = (struct teak_raft_done *)raft_at(raft, raft->done_at);
    out->done_count = commits_tell(raft, (struct teak_raft_done *)raft_at(raft, raft->done_at));
    out->reads = (struct teak_raft_answer *)raft_at(raft, raft->answers_at);
    out->read_count = reads_tell(raft, (struct teak_raft_answer *)raft_at(raft, raft->answers_at));
    if (raft->halted) {
        if (raft->last_word && (want & TEAK_RAFT_SEND)) lend_messages(raft, out);
        return;
    }
    if ((want & TEAK_RAFT_PERSIST) && jobs_wants(raft)) {
        jobs_build(raft);
        diskwatch_handed_out(raft);
        out->job = &raft->job;
    }
    lane_sift(raft);
    streams_sift(raft);
    intake_sift(raft);
    if (want & TEAK_RAFT_SEND) fill_messages(raft, out);
    if (want & TEAK_RAFT_APPLY) fill_apply(raft, &out->apply);
    if (want & TEAK_RAFT_FETCH) {
        out->fetch = (struct teak_raft_fetch *)raft_at(raft, raft->fetch_at);
        out->fetch_count = lane_ask(raft, (struct teak_raft_fetch *)raft_at(raft, raft->fetch_at));
    }
    if (want & TEAK_RAFT_SNAP) {
        struct teak_raft_snap_io *ios = (struct teak_raft_snap_io *)raft_at(raft, raft->ios_at);
        out->snap = ios;
        out->snap_count = streams_ask(raft, ios);
        out->snap_count += intake_ask(raft, ios + out->snap_count);
    }
}
