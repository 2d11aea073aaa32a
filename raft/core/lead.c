/* lead.c: see lead.h. */
#include "core/lead.h"

#include "core/lanes.h"
#include "core/commits.h"
#include "core/handoff.h"
#include "core/jobs.h"
#include "core/outbox.h"
#include "core/peers.h"
#include "core/lease.h"
#include "core/quorum.h"
#include "core/reads.h"
#include "core/role.h"
#include "core/streams.h"
#include "core/tail.h"
#include "core/timers.h"

void lead_begin(struct teak_raft *raft)
{
    role_lead(raft);
    CHECK(jobs_vote_is_durable(raft));
    raft->beating = raft->heard = raft->heard_before = raft->paused = raft->poked = raft->full = 0;
    raft->turn = raft->calm = raft->calm_tries = 0;
    raft->read_beat = 0;
    lease_begin(raft);
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        struct peer *peer = peer_at(raft, slot);
        peer->match = peer->commit_sent = peer->had = peer->born = peer->incarnation = 0;
        peer->answered = peer->former = peer->promised = 0;
        peer_probe(peer, raft->last.index + 1);
    }
    timer_start(raft, TIMER_HEARTBEAT, raft->options.heartbeat);
    timer_start(raft, TIMER_QUORUM, raft->options.election); /* a full timeout before it is counted */
    raft->lead_first = raft->last.index + 1;
    const bool appended = lead_append(raft, (struct teak_raft_entry){.kind = TEAK_RAFT_NOOP});
    CHECK(appended); /* role_may_lead has asked */
}

bool lead_append(struct teak_raft *raft, struct teak_raft_entry entry)
{
    if (!tail_has_run(raft, raft->term) || !tail_has_room(raft, NULL, entry.bytes, TAIL_KEEP_DURABLE, true))
        return false;
    entry.index = raft->last.index + 1;
    entry.term = raft->term;
    const bool fits = tail_push(raft, &entry);
    CHECK(fits); /* change.c has counted the members */
    return true;
}

/* -------------------------------------------------------------------------------------------------------- proposals */

static enum teak_raft_status judge_blobs(const struct teak_raft *raft, const struct teak_raft_blob *blobs,
                                         uint32_t count)
{
    if (!blobs || count == 0) return TEAK_RAFT_MISUSE;
    for (uint32_t i = 0; i < count; i++)
        if (blobs[i].kind < TEAK_RAFT_KIND_APPLICATION || (!blobs[i].data && blobs[i].bytes > 0))
            return TEAK_RAFT_MISUSE;
    if (raft->role != TEAK_RAFT_LEADER) return TEAK_RAFT_NOT_LEADER;
    if (raft->transfer_to != 0) return TEAK_RAFT_TRANSFERRING;
    if (!raft->has_room) return TEAK_RAFT_NO_SPACE;
    return blobs[0].bytes > raft->options.entry_bytes_max ? TEAK_RAFT_TOO_LARGE : TEAK_RAFT_OK;
}

/* With nothing undecided the first entry is always taken, however large its frame. */
static bool takes(struct teak_raft *raft, const struct teak_raft_blob *blob)
{
    if (blob->bytes > raft->options.entry_bytes_max) return false;
    if (tail_has_room(raft, blob->frame, blob->bytes, TAIL_KEEP_FOR_PEERS, false)) return true;
    if (tail_has_room(raft, blob->frame, blob->bytes, TAIL_KEEP_FOR_APPLY, false)) return true;
    return raft->commit == raft->last.index && raft->handed == raft->last.index &&
           tail_has_room(raft, blob->frame, blob->bytes, TAIL_KEEP_DURABLE, false);
}

enum teak_raft_status lead_propose(struct teak_raft *raft, const struct teak_raft_blob *blobs, uint32_t count,
                                   uint64_t first_tag, uint32_t *taken_out)
{
    const enum teak_raft_status status = judge_blobs(raft, blobs, count);
    if (status != TEAK_RAFT_OK) return status;
    const uint32_t places = commits_places(raft, first_tag, count);
    uint32_t taken = 0;
    for (; taken < places && takes(raft, &blobs[taken]); taken++) {
        const struct teak_raft_blob *blob = &blobs[taken];
        const struct teak_raft_entry entry = {
            .index = raft->last.index + 1, .term = raft->term, .tag = first_tag + taken, .data = blob->data,
            .frame = blob->frame, .bytes = blob->bytes, .kind = blob->kind};
        tail_push(raft, &entry); /* no CONFIG: nothing to refuse */
    }
    if (taken > 0) commits_open(raft, first_tag, taken);
    *taken_out = taken;
    return taken > 0 ? TEAK_RAFT_OK : TEAK_RAFT_BUSY;
}

/* ----------------------------------------------------------------------------------------------- heartbeats, quorum */

void lead_beat(struct teak_raft *raft)
{
    raft->beat_round++;
    raft->beating = others(raft);
    lease_beat(raft);
    handoff_remind(raft);
}

void lead_count(struct teak_raft *raft)
{
    if (!quorum_has(raft->config.voters, raft->config.next, raft->heard | raft->config.self)) {
        role_follow(raft, raft->term, 0);
        return;
    }
    streams_count(raft);
    handoff_count(raft);
    raft->heard_before = raft->heard;
    raft->heard = 0;
    raft->compact_owed = true; /* who was waited for may be there, or gone */
}

/* ---------------------------------------------------------------------------------------------------------- replies */

static void hear(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    const uint32_t bit = UINT32_C(1) << slot;
    raft->heard |= bit;
    raft->full = msg->full ? raft->full | bit : raft->full & ~bit;
}

static void confirm(struct teak_raft *raft, uint32_t slot, uint64_t match)
{
    if (peer_at(raft, slot)->had <= match) peer_at(raft, slot)->had = 0;
    peer_confirmed(raft, slot, match);
    raft->paused &= ~(UINT32_C(1) << slot);
    if (peer_at(raft, slot)->match > raft->commit) commits_count(raft); /* else what a majority has is below it too */
    handoff_check(raft);
}

/* Its log ends where it says, or differs behind that: did its former run confirm more? Only a refusal tells: what a new
 * run confirms is what it knows to agree with this leader, and that begins at its commit index. */
static void compare(struct teak_raft *raft, uint32_t slot, uint64_t has)
{
    struct peer *peer = peer_at(raft, slot);
    if (peer->had <= has) return; /* it may not be durable there yet: confirm ends the question */
    outbox_event(raft, TEAK_RAFT_EVENT_PEER_LOST_DATA, config_members(raft)[slot].id, has + 1);
    peer->had = 0;
}

/* The place it names refused is the probe's, or above what it confirmed: else the refusal is an old one. */
static void on_refusal(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    struct peer *peer = peer_at(raft, slot);
    const bool is_probe = peer->progress == TEAK_RAFT_PROBE;
    if (peer->progress == TEAK_RAFT_NEEDS_SNAPSHOT) return;
    if (msg->index <= peer->match || (is_probe && msg->index != peer->next - 1)) return;
    const uint64_t upto = min_index(min_index(msg->at.index, msg->index - 1), raft->last.index);
    const uint64_t agreed = tail_last_of_term(raft, upto, msg->at.term, 0);
    /* a log that has that term there has nothing of this one behind `agreed`; term 0: it does not say */
    compare(raft, slot, msg->at.term != 0 ? agreed : upto);
    peer_probe(peer, agreed + 1);
    raft->paused &= ~(UINT32_C(1) << slot);
}

bool lead_on_append_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    if (msg->index > raft->last.index || (msg->refused && msg->index == 0)) return false;
    hear(raft, slot, msg);
    if (msg->refused) {
        on_refusal(raft, slot, msg);
        return true;
    }
    confirm(raft, slot, msg->index);
    return true;
}

bool lead_on_snapshot_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    hear(raft, slot, msg);
    return streams_on_reply(raft, slot, msg);
}

static void hear_promise(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    struct peer *peer = peer_at(raft, slot);
    if (lease_asks(raft) == 0 || msg->promise < lease_asks(raft)) return;
    peer->promised = max_index(peer->promised, min_index(msg->round, raft->beat_round));
    lease_count(raft);
}

/* It lives, and says what it has: its last APPEND_REPLY may be lost. Where it has not all that was sent, an APPEND
 * finds out whether that is still on its way or lost. */
bool lead_on_heartbeat_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    if (msg->index > raft->last.index) return false;
    hear(raft, slot, msg);
    hear_promise(raft, slot, msg);
    if (msg->index > peer_at(raft, slot)->match) confirm(raft, slot, msg->index);
    if (raft->role != TEAK_RAFT_LEADER) return true; /* what that committed put it out */
    slot = slot_of(raft, msg->from);                 /* or went on to another configuration */
    if (slot == NO_SLOT) return true;
    reads_settle(raft);
    raft->paused &= ~(UINT32_C(1) << slot);
    streams_heard(raft, slot);
    const struct peer *peer = peer_at(raft, slot);
    if (peer->progress == TEAK_RAFT_REPLICATE && msg->index + 1 < peer->next) raft->poked |= UINT32_C(1) << slot;
    return true;
}

static void forget(struct teak_raft *raft, uint32_t slot)
{
    struct peer *peer = peer_at(raft, slot);
    peer->had = max_index(peer->had, peer->match);
    peer->match = peer->commit_sent = 0;
    peer_probe(peer, raft->last.index + 1);
    raft->paused &= ~(UINT32_C(1) << slot);
}

bool lead_knows(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    struct peer *peer = peer_at(raft, slot);
    const uint64_t round = msg->type == TEAK_RAFT_HEARTBEAT_REPLY ? msg->round : 0;
    if (peer->incarnation != 0 && peer->incarnation != msg->incarnation) {
        if (round <= max_index(peer->answered, peer->former) || round > raft->beat_round) return false;
        forget(raft, slot);
    }
    if (peer->incarnation != msg->incarnation) peer->former = raft->beat_round; /* none before it knows a later one */
    peer->incarnation = msg->incarnation;
    peer->born = msg->born;
    peer->answered = max_index(peer->answered, min_index(round, raft->beat_round));
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- sending */

bool lead_may_send(const struct teak_raft *raft, uint32_t slot)
{
    const uint32_t bit = UINT32_C(1) << slot;
    if (raft->role != TEAK_RAFT_LEADER || !(others(raft) & bit) || (raft->full & bit)) return false;
    const struct peer *peer = peer_at(raft, slot);
    if (peer->progress == TEAK_RAFT_NEEDS_SNAPSHOT || peer->next < raft->first) return false;
    if (peer->progress == TEAK_RAFT_PROBE) return !(raft->paused & bit);
    if (raft->poked & bit) return true;
    if (!peer_has_window(raft, slot)) return false;
    return peer->next <= raft->last.index || peer->commit_sent < raft->commit;
}

static bool in_memory(const struct teak_raft *raft, uint32_t slot)
{
    const uint64_t next = peer_at(raft, slot)->next;
    return next >= raft->tail_first && tail_knows(raft, next - 1);
}

static bool has_fetched(const struct teak_raft *raft, uint32_t slot)
{
    const struct lane *lane = &raft->lanes[LANE_PEER];
    return lane->state == LANE_FILLED && lane->slot == slot && lane->first == peer_at(raft, slot)->next;
}

uint32_t lead_wants_fetch(const struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->config.count; i++) {
        const uint32_t slot = (raft->turn + i) % raft->config.count;
        if (lead_may_send(raft, slot) && !in_memory(raft, slot)) return slot;
    }
    return NO_SLOT;
}

static bool can_send(const struct teak_raft *raft, uint32_t slot)
{
    return lead_may_send(raft, slot) && (in_memory(raft, slot) || has_fetched(raft, slot));
}

bool lead_has_message(const struct teak_raft *raft)
{
    for (uint32_t slot = 0; slot < raft->config.count; slot++)
        if (can_send(raft, slot)) return true;
    return false;
}

/* What goes into the message: from memory, from what was fetched, or nothing where the window is full. */
static uint64_t fill(struct teak_raft *raft, uint32_t slot, struct teak_raft_msg *msg)
{
    const struct peer *peer = peer_at(raft, slot);
    uint64_t bytes = 0;
    msg->at = (struct teak_raft_pos){peer->next - 1, tail_term(raft, peer->next - 1)};
    if (!in_memory(raft, slot)) {
        struct lane *lane = &raft->lanes[LANE_PEER];
        msg->at.term = lane->before;
        msg->entries = lane_entries(raft, LANE_PEER);
        msg->count = lane->count;
        for (uint32_t i = 0; i < msg->count; i++) bytes += msg->entries[i].bytes;
        lane->state = LANE_LENT;
    } else if (peer_has_window(raft, slot) && peer->next <= raft->last.index) {
        msg->entries = tail_span(raft, peer->next, raft->last.index, UINT32_MAX, raft->options.message_bytes_max,
                                 &msg->count, &bytes);
    }
    return bytes;
}

static bool send_to(struct teak_raft *raft, uint32_t slot)
{
    const uint32_t bit = UINT32_C(1) << slot;
    struct peer *peer = peer_at(raft, slot);
    struct teak_raft_msg *msg = outbox_add(raft, TEAK_RAFT_APPEND, config_members(raft)[slot].id);
    if (!msg) return false;
    const uint64_t bytes = fill(raft, slot, msg);
    msg->index = raft->commit;
    peer->commit_sent = raft->commit;
    raft->poked &= ~bit;
    if (peer->progress == TEAK_RAFT_PROBE) peer_forget_flight(peer); /* a probe takes the place of the one before */
    if (msg->count > 0 && peer_has_window(raft, slot)) peer_sent(raft, slot, msg->at.index + msg->count, bytes);
    if (peer->progress == TEAK_RAFT_PROBE)
        raft->paused |= bit;
    else
        peer->next += msg->count;
    return true;
}

void lead_send(struct teak_raft *raft)
{
    for (uint32_t idle = 0; raft->config.count > 0 && idle < raft->config.count;) {
        const uint32_t slot = raft->turn % raft->config.count;
        if (can_send(raft, slot)) {
            if (!send_to(raft, slot)) return;
            idle = 0;
        } else {
            idle++;
        }
        raft->turn = (slot + 1) % raft->config.count;
    }
}

/* -------------------------------------------------------------------------------------------------- what went wrong */

void lead_lost(struct teak_raft *raft, uint32_t slot)
{
    struct peer *peer = peer_at(raft, slot);
    if (raft->role == TEAK_RAFT_LEADER) streams_lost(raft, slot);
    if (raft->role != TEAK_RAFT_LEADER || peer->progress != TEAK_RAFT_REPLICATE) return;
    peer_probe(peer, peer->match + 1);
    raft->paused |= UINT32_C(1) << slot; /* until it is heard of */
}

void lead_room(struct teak_raft *raft, bool has_room)
{
    raft->has_room = has_room;
    if (raft->role != TEAK_RAFT_LEADER || has_room || raft->transfer_to != 0) return;
    /* somebody who has room leads better; where there is nobody it stays, and refuses proposals */
    handoff_start(raft, 0);
}
