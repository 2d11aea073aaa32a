/* reads.c: see reads.h. */
#include "core/reads.h"

#include <string.h>

#include "core/lead.h"
#include "core/lease.h"
#include "core/outbox.h"
#include "core/quorum.h"
#include "core/timers.h"

static struct read *reads(const struct teak_raft *raft) { return (struct read *)raft_at(raft, raft->reads_at); }

static bool has_read(const struct teak_raft *raft, enum read_state state)
{
    for (uint32_t i = 0; i < raft->read_count; i++)
        if (reads(raft)[i].state == state && reads(raft)[i].fate == 0 && !reads(raft)[i].is_leased) return true;
    return false;
}

static bool has_batch(const struct teak_raft *raft, enum read_state state)
{
    if (raft->role != TEAK_RAFT_LEADER) return false;
    for (uint32_t slot = 0; slot < raft->config.count; slot++)
        if (peer_at(raft, slot)->read_state == state) return true;
    return false;
}

static void open_up(struct teak_raft *raft)
{
    raft->reads_open = true;
    timers_wake(raft);
}

static void watch(struct teak_raft *raft)
{
    timer_start(raft, TIMER_READ, (raft->options.election + 1) / 2);
}

/* --------------------------------------------------------------------------------------------------------- leaders */

static bool knows_commit(const struct teak_raft *raft)
{
    return raft->role == TEAK_RAFT_LEADER && raft->commit >= raft->lead_first;
}

/* The newest round of heartbeats that a majority has answered; a voter alone needs none. */
static uint64_t answered(const struct teak_raft *raft)
{
    uint64_t rounds[TEAK_RAFT_MEMBERS_MAX];
    for (uint32_t slot = 0; slot < raft->config.count; slot++) rounds[slot] = peer_at(raft, slot)->answered;
    if (raft->config.self) rounds[__builtin_ctz(raft->config.self)] = UINT64_MAX;
    return quorum_index(raft->config.voters, raft->config.next, rounds);
}

/* All that waits belongs to the newest round from now on. */
static void join_round(struct teak_raft *raft)
{
    raft->read_beat = raft->beat_round;
    for (uint32_t i = 0; i < raft->read_count; i++) {
        struct read *read = &reads(raft)[i];
        if (read->state != READ_WAITS || read->fate != 0 || read->is_leased) continue;
        read->state = READ_ASKED;
        read->index = raft->commit;
        read->round = raft->beat_round;
    }
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        struct peer *peer = peer_at(raft, slot);
        if (peer->read_state != READ_WAITS) continue;
        peer->read_state = READ_ASKED;
        peer->read_index = raft->commit;
        peer->read_beat = raft->beat_round;
    }
}

static bool has_open(const struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->read_count; i++)
        if (reads(raft)[i].state == READ_WAITS || reads(raft)[i].state == READ_ASKED) return true;
    return has_batch(raft, READ_WAITS) || has_batch(raft, READ_ASKED);
}

void reads_settle(struct teak_raft *raft)
{
    if (!raft->reads_open || !knows_commit(raft)) return;
    const uint64_t upto = answered(raft);
    if (upto == UINT64_MAX) join_round(raft);
    for (uint32_t i = 0; i < raft->read_count; i++) {
        struct read *read = &reads(raft)[i];
        if (read->state == READ_ASKED && read->round <= upto) read->state = READ_KNOWN;
    }
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        struct peer *peer = peer_at(raft, slot);
        if (peer->read_state == READ_ASKED && peer->read_beat <= upto) peer->read_state = READ_KNOWN;
    }
    raft->reads_open = has_open(raft);
}

/* Nobody has been told of the newest round yet. */
static bool is_round_unsent(const struct teak_raft *raft)
{
    return raft->beating != 0 && raft->beating == others(raft);
}

static bool wants_round(const struct teak_raft *raft)
{
    if (!raft->reads_open || !knows_commit(raft)) return false;
    if (!(has_read(raft, READ_WAITS) || has_batch(raft, READ_WAITS))) return false;
    return is_round_unsent(raft) || answered(raft) >= raft->read_beat;
}

void reads_begin(struct teak_raft *raft)
{
    if (!wants_round(raft)) return;
    if (!is_round_unsent(raft)) lead_beat(raft);
    join_round(raft);
}

/* A batch that is asked for again keeps its place, or its answer: the reply was lost. An older one of the same process
 * came late. */
void reads_on_question(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    if (raft->role != TEAK_RAFT_LEADER || slot == NO_SLOT) {
        outbox_reply(raft, msg, TEAK_RAFT_READ_REPLY, (struct teak_raft_msg){.refused = true});
        return;
    }
    struct peer *peer = peer_at(raft, slot);
    if (peer->read_run == msg->incarnation && msg->round < peer->read_round) return;
    const bool again = peer->read_run == msg->incarnation && msg->round == peer->read_round;
    if (again && peer->read_state == READ_TOLD) peer->read_state = READ_KNOWN;
    if (again && peer->read_state != READ_NONE) return;
    peer->read_run = msg->incarnation;
    peer->read_round = msg->round;
    peer->read_state = READ_WAITS;
    open_up(raft);
    reads_settle(raft);
}

/* ------------------------------------------------------------------------------------------------------- followers */

/* The first one may be the round that the question itself set off; by the second the question, or its answer, is
 * lost. */
void reads_on_heartbeat(struct teak_raft *raft)
{
    if (raft->read_beats < 2) raft->read_beats++;
}

static bool wants_question(const struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_FOLLOWER || raft->leader == 0) return false;
    return has_read(raft, READ_ASKED) ? raft->read_beats == 2 : has_read(raft, READ_WAITS);
}

/* A question that is asked again is the same question: what came since waits for the next. */
static void send_question(struct teak_raft *raft)
{
    struct teak_raft_msg *msg = wants_question(raft) ? outbox_add(raft, TEAK_RAFT_READ, raft->leader) : NULL;
    if (!msg) return;
    if (!has_read(raft, READ_ASKED)) {
        raft->read_round++;
        for (uint32_t i = 0; i < raft->read_count; i++)
            if (reads(raft)[i].state == READ_WAITS) reads(raft)[i].state = READ_ASKED;
    }
    msg->round = raft->read_round;
    raft->read_beats = 0;
}

void reads_on_reply(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    if (raft->role != TEAK_RAFT_FOLLOWER || raft->leader != msg->from || msg->term != raft->term) return;
    if (msg->round != raft->read_round) return; /* to an older question */
    for (uint32_t i = 0; i < raft->read_count; i++) {
        struct read *read = &reads(raft)[i];
        if (read->state != READ_ASKED || read->fate != 0) continue;
        read->state = READ_KNOWN;
        read->index = msg->index;
        if (msg->refused) read->fate = TEAK_RAFT_READ_LOST_LEADER;
    }
}

/* ------------------------------------------------------------------------------------------------------------ both */

/* Asked of a lease that is over when its answer leaves, another leader may have committed more:
 *   1. the lease stands at the last tick   2. the process is stopped for a minute   3. the read comes
 * So the time of a clock that was read after it came says whether it stands. */
void reads_judge_lease(struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->read_count; i++) {
        struct read *read = &reads(raft)[i];
        if (!read->is_leased) continue;
        read->is_leased = false;
        if (read->fate != 0 || !lease_stands(raft)) continue;
        read->state = READ_KNOWN;
        read->index = raft->commit;
    }
    reads_settle(raft);
}

enum teak_raft_status reads_ask(struct teak_raft *raft, uint64_t tag, bool by_lease)
{
    if (raft->leader == 0) return TEAK_RAFT_NOT_LEADER;
    if (raft->read_count == raft->options.reads_max) return TEAK_RAFT_BUSY;
    if (!timer_runs(raft, TIMER_READ)) watch(raft);
    reads(raft)[raft->read_count++] = (struct read){
        .tag = tag, .state = READ_WAITS,
        .is_leased = by_lease && raft->role == TEAK_RAFT_LEADER && lease_asks(raft) > 0};
    open_up(raft);
    reads_settle(raft);
    return TEAK_RAFT_OK;
}

bool reads_has_message(const struct teak_raft *raft)
{
    return wants_question(raft) || wants_round(raft) || has_batch(raft, READ_KNOWN);
}

void reads_send(struct teak_raft *raft)
{
    send_question(raft);
    if (!has_batch(raft, READ_KNOWN)) return;
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        struct peer *peer = peer_at(raft, slot);
        if (peer->read_state != READ_KNOWN) continue;
        struct teak_raft_msg *msg = outbox_add(raft, TEAK_RAFT_READ_REPLY, config_members(raft)[slot].id);
        if (!msg) return;
        msg->round = peer->read_round;
        msg->asked = peer->read_run;
        msg->index = peer->read_index;
        peer->read_state = READ_TOLD;
    }
}

/* What is known stays known, whoever leads: it was committed. */
void reads_lose(struct teak_raft *raft)
{
    raft->read_beats = 0;
    for (uint32_t i = 0; i < raft->read_count; i++) {
        struct read *read = &reads(raft)[i];
        if (read->state != READ_KNOWN && read->fate == 0) read->fate = TEAK_RAFT_READ_LOST_LEADER;
    }
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        struct peer *peer = peer_at(raft, slot);
        peer->read_state = READ_NONE;
        peer->read_round = peer->read_run = peer->read_index = peer->read_beat = 0;
    }
    raft->reads_open = raft->read_count > 0; /* false: the next tick finds out */
}

void reads_grow_old(struct teak_raft *raft)
{
    bool any = false;
    for (uint32_t i = 0; i < raft->read_count; i++) {
        struct read *read = &reads(raft)[i];
        if (read->is_old && read->fate == 0) read->fate = TEAK_RAFT_READ_TIMEOUT;
        read->is_old = true;
        any = any || read->fate == 0;
    }
    if (any) watch(raft);
}

/* 0: not yet. */
static enum teak_raft_read_fate fate_of(const struct teak_raft *raft, const struct read *read)
{
    if (read->fate != 0) return (enum teak_raft_read_fate)read->fate;
    if (read->state == READ_KNOWN && raft->applied >= read->index) return TEAK_RAFT_READ_OK;
    return raft->halted ? TEAK_RAFT_READ_HALTED : (enum teak_raft_read_fate)0;
}

bool reads_has_answer(const struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->read_count; i++)
        if (fate_of(raft, &reads(raft)[i]) != 0) return true;
    return false;
}

uint32_t reads_tell(struct teak_raft *raft, struct teak_raft_answer *out)
{
    uint32_t kept = 0, told = 0;
    for (uint32_t i = 0; i < raft->read_count; i++) {
        const struct read read = reads(raft)[i];
        const enum teak_raft_read_fate fate = fate_of(raft, &read);
        if (fate == 0)
            reads(raft)[kept++] = read;
        else
            out[told++] = (struct teak_raft_answer){
                .tag = read.tag, .index = fate == TEAK_RAFT_READ_OK ? read.index : 0, .fate = fate};
    }
    if (told == 0) return 0;
    memset(reads(raft) + kept, 0, told * sizeof(struct read));
    raft->read_count = kept;
    if (kept == 0) timer_stop(raft, TIMER_READ);
    if (kept == 0 && raft->role != TEAK_RAFT_LEADER) raft->reads_open = false;
    return told;
}
