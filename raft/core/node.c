/* node.c: the public entry points. Each checks its arguments and calls one part.
 *
 * PATH   raft_in: is the node alive, what was lent is taken back → the part → raft_out: what holds still holds.
 */
#include <string.h>

#include "core/change.h"
#include "core/lanes.h"
#include "core/commits.h"
#include "core/elect.h"
#include "core/follow.h"
#include "core/handoff.h"
#include "core/install.h"
#include "core/intake.h"
#include "core/invariant.h"
#include "core/jobs.h"
#include "core/lead.h"
#include "core/members.h"
#include "core/outbox.h"
#include "core/reads.h"
#include "core/ready.h"
#include "core/role.h"
#include "core/streams.h"
#include "core/diskwatch.h"
#include "core/tail.h"
#include "core/timers.h"

/* false: halted. */
static bool raft_in(struct teak_raft *raft)
{
    ready_take_back(raft);
    return !raft->halted;
}

/* `status`, or HALTED where the call made it. */
static enum teak_raft_status raft_out(struct teak_raft *raft, enum teak_raft_status status)
{
    raft->receiving = false;
    invariant_check(raft);
    return raft->halted ? TEAK_RAFT_HALTED : status;
}

/* --------------------------------------------------------------------------------------------------------- messages */

static bool is_reply(uint8_t type)
{
    return type == TEAK_RAFT_PRE_VOTE_REPLY || type == TEAK_RAFT_VOTE_REPLY || type == TEAK_RAFT_APPEND_REPLY ||
           type == TEAK_RAFT_HEARTBEAT_REPLY || type == TEAK_RAFT_READ_REPLY || type == TEAK_RAFT_SNAPSHOT_REPLY;
}

static bool is_for_me(const struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    return msg->to == raft->options.id && msg->from != raft->options.id && msg->from != 0 && msg->incarnation != 0 &&
           msg->group == raft->options.group &&
           memcmp(msg->cluster, raft->options.cluster, sizeof msg->cluster) == 0;
}

static bool is_entry_of_raft(const struct teak_raft_entry *entry)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    switch (entry->kind) {
    case TEAK_RAFT_NOOP: return entry->bytes == 0;
    case TEAK_RAFT_CONFIG: return members_judge(entry->data, entry->bytes, members, &config);
    default: return false;
    }
}

static bool is_entry(const struct teak_raft *raft, const struct teak_raft_entry *entry)
{
    if (entry->bytes > 0 && !entry->data) return false;
    if (entry->kind < TEAK_RAFT_KIND_APPLICATION) return is_entry_of_raft(entry);
    return entry->bytes <= raft->options.entry_bytes_max;
}

/* A piece lies within its body, and the body below the sender's term. */
static bool is_chunk(const struct teak_raft_msg *msg)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    const struct teak_raft_chunk *chunk = msg->chunk;
    return chunk && snap_judge(&chunk->snapshot, &config, members) && chunk->snapshot.pos.term <= msg->term &&
           chunk->offset <= chunk->snapshot.bytes && chunk->bytes <= chunk->snapshot.bytes - chunk->offset &&
           (chunk->bytes == 0 || chunk->data);
}

/* Bytes from outside are judged once, here. Indexes and terms near the end of 64 bits no log reaches. An empty node is
 * in term 0, and answers a question for a vote in it. */
static bool is_message(const struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    const uint64_t limit = UINT64_C(1) << 62;
    if (msg->type == 0 || msg->type >= TEAK_RAFT_MSG_TYPE_COUNT || msg->term >= limit) return false;
    if (msg->term == 0 && msg->type != TEAK_RAFT_PRE_VOTE_REPLY && msg->type != TEAK_RAFT_VOTE_REPLY) return false;
    if (msg->index >= limit || msg->at.index >= limit || msg->at.term > msg->term) return false;
    if (msg->at.index == 0 && msg->at.term != 0) return false;
    if (msg->at.index != 0 && msg->at.term == 0 && !is_reply(msg->type)) return false; /* 0 is also: not known here */
    if (msg->count > 0 && (msg->type != TEAK_RAFT_APPEND || !msg->entries)) return false;
    if (msg->type == TEAK_RAFT_SNAPSHOT) return is_chunk(msg);
    uint64_t term = msg->at.term;
    for (uint32_t i = 0; i < msg->count; i++) {
        const struct teak_raft_entry *entry = &msg->entries[i];
        if (entry->index != msg->at.index + 1 + i || entry->term < term || entry->term > msg->term || entry->term == 0)
            return false;
        if (!is_entry(raft, entry)) return false;
        term = entry->term;
    }
    return true;
}

/* Is it the member of that id? With another log it is not. */
static bool is_member(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    const struct teak_raft_member *member = &config_members(raft)[slot];
    if (fits_born(member, msg->born)) return true;
    outbox_event(raft, TEAK_RAFT_EVENT_PEER_REPLACED, member->id, msg->born);
    return false;
}

/* A reply of a member. */
static bool on_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    if (msg->term > raft->term) {
        role_follow(raft, msg->term, 0);
        return true;
    }
    if (msg->type == TEAK_RAFT_PRE_VOTE_REPLY || msg->type == TEAK_RAFT_VOTE_REPLY) {
        elect_on_reply(raft, slot, msg);
        return true;
    }
    if (msg->type == TEAK_RAFT_READ_REPLY) {
        reads_on_reply(raft, msg);
        return true;
    }
    if (msg->term < raft->term || raft->role != TEAK_RAFT_LEADER) return true; /* an old one */
    if (!lead_knows(raft, slot, msg)) return true; /* of a process that is over, or may be */
    if (msg->type == TEAK_RAFT_APPEND_REPLY) return lead_on_append_reply(raft, slot, msg);
    if (msg->type == TEAK_RAFT_SNAPSHOT_REPLY) return lead_on_snapshot_reply(raft, slot, msg);
    return lead_on_heartbeat_reply(raft, slot, msg);
}

/* A request of anybody in the cluster: who has an older configuration may not know the sender: NO_SLOT. */
static void on_request(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    if (msg->type == TEAK_RAFT_PRE_VOTE) {
        elect_on_pre_vote(raft, msg);
        return;
    }
    if (msg->type == TEAK_RAFT_VOTE) {
        elect_on_vote(raft, msg);
        return;
    }
    if (msg->term < raft->term) { /* its leader is not one any more: tell it, or this node is stranded in its term */
        if (msg->type != TEAK_RAFT_TIMEOUT_NOW)
            outbox_reply(raft, msg, TEAK_RAFT_HEARTBEAT_REPLY, (struct teak_raft_msg){.refused = true});
        return;
    }
    if (msg->term > raft->term) role_follow(raft, msg->term, 0);
    if (msg->type == TEAK_RAFT_APPEND)
        follow_append(raft, msg);
    else if (msg->type == TEAK_RAFT_HEARTBEAT)
        follow_heartbeat(raft, msg);
    else if (msg->type == TEAK_RAFT_READ)
        reads_on_question(raft, slot, msg);
    else if (msg->type == TEAK_RAFT_SNAPSHOT)
        intake_take(raft, msg);
    else
        handoff_on_timeout_now(raft, msg);
}

enum teak_raft_status teak_raft_receive(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    if (!raft || !msg) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    if (!is_for_me(raft, msg)) return TEAK_RAFT_DROPPED;
    if (!is_message(raft, msg)) return TEAK_RAFT_BAD_MESSAGE;
    raft->receiving = true;
    const uint32_t slot = slot_of(raft, msg->from);
    const bool known = slot != NO_SLOT && is_member(raft, slot, msg);
    if (!is_reply(msg->type)) {
        on_request(raft, known ? slot : NO_SLOT, msg);
        return raft_out(raft, TEAK_RAFT_OK);
    }
    if (!known || msg->asked != raft->incarnation) return raft_out(raft, TEAK_RAFT_DROPPED);
    return raft_out(raft, on_reply(raft, slot, msg) ? TEAK_RAFT_OK : TEAK_RAFT_BAD_MESSAGE);
}

/* ----------------------------------------------------------------------------------------------------- other inputs */

enum teak_raft_status teak_raft_tick(struct teak_raft *raft, uint64_t now)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (now < raft->next && now >= raft->now) { /* nothing is due, nothing was lent */
        raft->now = now;
        return TEAK_RAFT_OK;
    }
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    if (now < raft->now) return TEAK_RAFT_MISUSE;
    timers_tick(raft, now);
    if (!raft->halted) reads_judge_lease(raft);
    return raft_out(raft, TEAK_RAFT_OK);
}

enum teak_raft_status teak_raft_propose(struct teak_raft *raft, const struct teak_raft_blob *blobs, uint32_t count,
                                        uint64_t first_tag, uint32_t *taken_out)
{
    if (!raft || !taken_out) return TEAK_RAFT_MISUSE;
    *taken_out = 0;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    return raft_out(raft, lead_propose(raft, blobs, count, first_tag, taken_out));
}

enum teak_raft_status teak_raft_read(struct teak_raft *raft, uint64_t tag, enum teak_raft_read_mode mode)
{
    if (!raft || (mode != TEAK_RAFT_READ_INDEX && mode != TEAK_RAFT_READ_LEASE)) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    return raft_out(raft, reads_ask(raft, tag, mode == TEAK_RAFT_READ_LEASE));
}

enum teak_raft_status teak_raft_campaign(struct teak_raft *raft)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    if (raft->role == TEAK_RAFT_LEADER || timer_runs(raft, TIMER_PROMISE)) return TEAK_RAFT_LEADER_ALIVE;
    if (raft->role == TEAK_RAFT_CANDIDATE && !jobs_vote_is_durable(raft)) return TEAK_RAFT_BUSY;
    if (!role_may_lead(raft)) return TEAK_RAFT_NOT_VOTER;
    timer_stop(raft, TIMER_ELECTION);
    timer_fire(raft, TIMER_ELECTION);
    return raft_out(raft, TEAK_RAFT_OK);
}

enum teak_raft_status teak_raft_transfer(struct teak_raft *raft, uint64_t to)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    if (raft->role != TEAK_RAFT_LEADER) return TEAK_RAFT_NOT_LEADER;
    return raft_out(raft, handoff_start(raft, to));
}

enum teak_raft_status teak_raft_change(struct teak_raft *raft, uint64_t seen, const struct teak_raft_member *members,
                                       uint32_t count)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    return raft_out(raft, change_start(raft, seen, members, count));
}

enum teak_raft_status teak_raft_unreachable(struct teak_raft *raft, uint64_t id)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    const uint32_t slot = slot_of(raft, id);
    if (slot == NO_SLOT || id == raft->options.id) return TEAK_RAFT_UNKNOWN_MEMBER;
    lead_lost(raft, slot);
    return raft_out(raft, TEAK_RAFT_OK);
}

/* ------------------------------------------------------------------------------------------------- acknowledgements */

enum teak_raft_status teak_raft_persisted(struct teak_raft *raft, uint64_t token, enum teak_raft_outcome outcome)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    switch (outcome) {
    case TEAK_RAFT_DURABLE:
        if (!jobs_durable(raft, token)) return TEAK_RAFT_STALE;
        diskwatch_moved(raft);
        elect_durable(raft);
        commits_count(raft);
        change_go_on(raft);
        return raft_out(raft, TEAK_RAFT_OK);
    case TEAK_RAFT_NO_ROOM:
        if (!jobs_take_back(raft, token)) return TEAK_RAFT_STALE;
        if (raft->job_count == 0) diskwatch_moved(raft);
        lead_room(raft, false);
        return raft_out(raft, TEAK_RAFT_OK);
    case TEAK_RAFT_POISONED:
        role_halt(raft, TEAK_RAFT_HALT_POISONED, token);
        handoff_last_word(raft);
        invariant_check(raft);
        return TEAK_RAFT_OK;
    case TEAK_RAFT_FETCHED:
    case TEAK_RAFT_DONE:
    case TEAK_RAFT_CORRUPT: break;
    }
    return TEAK_RAFT_MISUSE;
}

enum teak_raft_status teak_raft_room(struct teak_raft *raft, bool has_room)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    lead_room(raft, has_room);
    return raft_out(raft, TEAK_RAFT_OK);
}

enum teak_raft_status teak_raft_applied(struct teak_raft *raft, uint64_t index)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    if (index < raft->applied || index > raft->handed) return TEAK_RAFT_MISUSE;
    install_applied(raft, index);
    return raft_out(raft, TEAK_RAFT_OK);
}

enum teak_raft_status teak_raft_fetched(struct teak_raft *raft, uint64_t ticket, enum teak_raft_outcome outcome,
                                        uint64_t term_before, const struct teak_raft_entry *entries, uint32_t count)
{
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    return raft_out(raft, lane_fetched(raft, ticket, outcome, term_before, entries, count));
}

enum teak_raft_status teak_raft_snap_done(struct teak_raft *raft, uint64_t ticket, enum teak_raft_outcome outcome,
                                          uint64_t offset, const struct teak_raft_blob *data)
{
    enum teak_raft_status status;
    if (!raft) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    if (outcome != TEAK_RAFT_DONE && outcome != TEAK_RAFT_NO_ROOM && outcome != TEAK_RAFT_CORRUPT)
        return TEAK_RAFT_MISUSE;
    if (!intake_done(raft, ticket, outcome, offset, &status) && !streams_done(raft, ticket, outcome, data, &status))
        return TEAK_RAFT_STALE;
    return raft_out(raft, status);
}

enum teak_raft_status teak_raft_snapshot_taken(struct teak_raft *raft, const struct teak_raft_snapshot *snapshot)
{
    if (!raft || !snapshot) return TEAK_RAFT_MISUSE;
    if (!raft_in(raft)) return TEAK_RAFT_HALTED;
    return raft_out(raft, install_taken(raft, snapshot));
}

/* ----------------------------------------------------------------------------------------------------------- output */

bool teak_raft_has_ready(const struct teak_raft *raft) { return raft && ready_has(raft); }

enum teak_raft_status teak_raft_ready(struct teak_raft *raft, uint32_t want, struct teak_raft_ready *out)
{
    if (!raft || !out || (want & ~(uint32_t)TEAK_RAFT_ALL)) return TEAK_RAFT_MISUSE;
    ready_take_back(raft);
    ready_fill(raft, want, out);
    invariant_check(raft);
    return TEAK_RAFT_OK;
}

uint64_t teak_raft_deadline(const struct teak_raft *raft) { return timers_next(raft); }
