/* twin.c: see teak/raft_check.h: a node copied, summed up, its timers let off. */
#include "teak/raft_check.h"

#include <assert.h>
#include <string.h>

#include "core/install.h"
#include "core/invariant.h"
#include "core/lanes.h"
#include "core/outbox.h"
#include "core/ready.h"
#include "core/tail.h"
#include "core/timers.h"

static_assert((int)TIMER_ELECTION == TEAK_RAFT_TIMER_ELECTION && (int)TIMER_PROMISE == TEAK_RAFT_TIMER_PROMISE &&
                  (int)TIMER_HEARTBEAT == TEAK_RAFT_TIMER_HEARTBEAT && (int)TIMER_QUORUM == TEAK_RAFT_TIMER_QUORUM &&
                  (int)TIMER_TRANSFER == TEAK_RAFT_TIMER_TRANSFER && (int)TIMER_READ == TEAK_RAFT_TIMER_READ &&
                  (int)TIMER_STALL == TEAK_RAFT_TIMER_STALL &&
                  (int)TIMER_COUNT == TEAK_RAFT_TIMER_COUNT,
              "the public timers are the private ones");

/* ------------------------------------------------------------------------------------------------------------ clone */

/* CONFIG entries of the node's own making lie in its block. */
static void rebase(struct teak_raft_entry *entry, const struct teak_raft *from, const struct teak_raft *to)
{
    const uintptr_t at = (uintptr_t)entry->data, begin = (uintptr_t)from;
    if (entry->data && at >= begin && at < begin + from->size) entry->data = (const uint8_t *)to + (at - begin);
}

static void hold_all(struct teak_raft *raft, const struct teak_raft *from)
{
    const struct teak_raft_frame *before = NULL;
    for (uint64_t index = raft->tail_first; index <= raft->last.index; index++) {
        struct teak_raft_entry *entry = (struct teak_raft_entry *)(uintptr_t)tail_at(raft, index);
        rebase(entry, from, raft);
        if (entry->frame && entry->frame != before) teak_raft_hold(entry->frame);
        before = entry->frame;
    }
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) teak_raft_hold(stream_at(raft, i)->frame);
    for (uint32_t i = 0; i < raft->intake.piece_count; i++) teak_raft_hold(piece_at(raft, i)->frame);
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
        for (uint32_t i = 0; i < raft->lanes[lane].count; i++)
            if (raft->lanes[lane].state >= LANE_FILLED) teak_raft_hold(lane_entries(raft, lane)[i].frame);
}

enum teak_raft_status teak_raft_clone(void *block, size_t bytes, const struct teak_raft *raft, struct teak_raft **out)
{
    if (!block || !raft || !out || bytes < raft->size || (uintptr_t)block % 16 != 0) return TEAK_RAFT_MISUSE;
    memcpy(block, raft, raft->size);
    struct teak_raft *copy = (struct teak_raft *)block;
    hold_all(copy, raft);
    *out = copy;
    return TEAK_RAFT_OK;
}

/* ----------------------------------------------------------------------------------------------------------- digest */

struct sum {
    uint64_t a, b;
};

/* One multiplication each, which no value undoes for both: a node is summed up millions of times a second. */
static inline void put(struct sum *sum, uint64_t value)
{
    sum->a = (sum->a ^ value) * UINT64_C(0xd6e8feb86659fd93);
    sum->a ^= sum->a >> 32;
    sum->b = (sum->b + value + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    sum->b ^= sum->b >> 29;
}

static void put_bytes(struct sum *sum, const uint8_t *data, uint32_t bytes)
{
    put(sum, bytes);
    for (uint32_t i = 0; data && i < bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, data + i, bytes - i < 8 ? bytes - i : 8);
        put(sum, word);
    }
}

static void put_entry(struct sum *sum, const struct teak_raft_entry *entry)
{
    put(sum, entry->index);
    put(sum, entry->term);
    put(sum, entry->kind);
    put(sum, entry->tag);
    put(sum, entry->frame ? entry->frame->bytes : 0);
    put_bytes(sum, entry->data, entry->bytes);
}

/* Of two buffers for CONFIG entries of the node's own making an entry in memory may lie in the next one, in the other
 * one, or in none of them: 1, 2, 0. The next such entry has to wait until the first of these is forgotten. */
static uint32_t buffer_of(const struct teak_raft *raft, const struct teak_raft_entry *entry)
{
    const uint32_t bytes = TEAK_RAFT_CONFIG_BYTES(raft->members_max);
    const uint8_t *own = (const uint8_t *)raft_at(raft, raft->own_at);
    if (entry->data == own + raft->own_next * bytes) return 1;
    return entry->data == own + (raft->own_next ^ 1) * bytes ? 2 : 0;
}

static void put_config(struct sum *sum, const struct config *config, const struct teak_raft_member *members)
{
    put(sum, config->index);
    put(sum, (uint64_t)config->joint << 32 | config->count);
    for (uint32_t i = 0; i < config->count; i++) {
        put(sum, members[i].id);
        put(sum, members[i].born);
        put(sum, (uint64_t)members[i].roles << 8 | members[i].priority);
    }
}

/* The name, and the bytes of its configuration. */
static void put_snap(struct sum *sum, const struct teak_raft *raft, const struct snap *snap)
{
    const struct teak_raft_snapshot name = snap_name(raft, snap);
    put(sum, name.pos.index);
    if (name.pos.index == 0) return;
    const uint64_t values[] = {name.pos.term, name.born, name.bytes, name.checksum, name.config_index};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(sum, values[i]);
    put_bytes(sum, name.config, name.config_bytes);
}

static void put_log(struct sum *sum, const struct teak_raft *raft)
{
    put(sum, raft->last.index);
    put(sum, raft->last.term);
    put(sum, raft->tail_first);
    put(sum, raft->tail_bytes);
    for (uint64_t index = raft->tail_first; index <= raft->last.index; index++) {
        const struct teak_raft_entry *entry = tail_at(raft, index);
        put_entry(sum, entry);
        if (entry->kind == TEAK_RAFT_CONFIG) put(sum, buffer_of(raft, entry));
    }
    const struct terms terms = raft_terms(raft);
    put(sum, terms.count);
    for (uint32_t i = 0; i < terms.count; i++) {
        put(sum, terms.runs[i].first);
        put(sum, terms.runs[i].term);
    }
    const uint64_t marks[] = {raft->commit,  raft->verified,     raft->written,      raft->durable,
                              raft->handed,  raft->applied,      raft->cut_from,     raft->written_term,
                              raft->written_vote, raft->durable_term, raft->durable_vote, raft->has_room,
                              raft->stalled};
    for (uint32_t i = 0; i < sizeof marks / sizeof marks[0]; i++) put(sum, marks[i]);
    const uint64_t before[] = {raft->first, raft->restore, raft->compact_owed, raft->written_first,
                               raft->durable_first, raft->written_snapshot, raft->durable_snapshot,
                               raft->handed_term, raft->applied_term};
    for (uint32_t i = 0; i < sizeof before / sizeof before[0]; i++) put(sum, before[i]);
    put_snap(sum, raft, &raft->snapshot);
    put_config(sum, &raft->handed_config, handed_members(raft));
    put_config(sum, &raft->applied_config, applied_members(raft));
    put_config(sum, &raft->config, config_members(raft));
    put_config(sum, &raft->previous, previous_members(raft));
}

/* What waits to be written, read, sent. Of rounds it counts how they compare with the newest. */
static void put_transfers(struct sum *sum, const struct teak_raft *raft)
{
    const struct intake *intake = &raft->intake;
    put(sum, intake->state);
    if (intake->state != INTAKE_NONE) {
        const uint64_t values[] = {intake->from, intake->asked, intake->round, intake->written, intake->taken,
                                   intake->ticket != 0, intake->piece_count};
        for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(sum, values[i]);
        put_snap(sum, raft, &intake->snap);
    }
    for (uint32_t i = 0; i < intake->piece_count; i++) {
        const struct piece *piece = piece_at(raft, i);
        put(sum, piece->offset << 1 | (piece->ticket != 0));
        put_bytes(sum, piece->data, piece->bytes);
    }
    put_snap(sum, raft, &raft->aborted);
    if (raft->aborted.name.pos.index != 0) put(sum, raft->aborted_from);
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) {
        const struct stream *stream = stream_at(raft, i);
        const uint64_t values[] = {stream->to, stream->opened_for, stream->sent, stream->acked, stream->read,
                                   stream->read_at, stream->greeted, stream->offer_owed, stream->moved,
                                   stream->stays};
        for (uint32_t j = 0; j < sizeof values / sizeof values[0]; j++) put(sum, values[j]);
        put_bytes(sum, stream->data, stream->bytes);
        if (stream->to == 0) continue;
        put(sum, stream->first_round);
        put(sum, stream->round);
        put_snap(sum, raft, &stream->snap);
    }
    put(sum, raft->snap_round);
    put(sum, raft->stream_turn);
    if (raft->options.snapshot_beat_bytes > 0 && raft->role == TEAK_RAFT_LEADER) put(sum, raft->beat_bytes);
}

static void put_jobs(struct sum *sum, const struct teak_raft *raft)
{
    put(sum, raft->job_count);
    for (uint32_t i = 0; i < raft->job_count; i++) {
        const struct work *work = (const struct work *)raft_at(raft, raft->jobs_at) +
                                  (raft->job_first + i) % raft->options.jobs_max;
        put(sum, work->last);
        put(sum, work->cut_from);
        put(sum, work->term);
        put(sum, work->vote);
        put(sum, work->first);
        put(sum, work->snapshot);
    }
    for (uint32_t i = 0; i < raft->proposal_count; i++) {
        const struct proposal *run = (const struct proposal *)raft_at(raft, raft->proposals_at) + i;
        const uint64_t values[] = {run->first_tag, run->first_index, run->term, run->count, run->committed, run->lost,
                                   run->unknown};
        for (uint32_t j = 0; j < 7; j++) put(sum, values[j]);
    }
}

static void put_role(struct sum *sum, const struct teak_raft *raft)
{
    const uint64_t values[] = {raft->term, raft->vote, raft->leader, raft->role, raft->halted, raft->last_word,
                               raft->rotten,
                               raft->apply_stops, raft->asking, raft->granted, raft->denied, raft->forced,
                               raft->grant_owed, raft->confirmed, raft->confirm_owed};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(sum, values[i]);
    if (raft->grant_owed) {
        put(sum, raft->grant_round);
        put(sum, raft->grant_asked);
    }
    put(sum, raft->vote_round);
    put(sum, raft->born);
    if (raft->leader != 0) put(sum, raft->leader_incarnation); /* what a confirmation answers to */
    for (int timer = 0; timer < TIMER_COUNT; timer++) put(sum, timer_runs(raft, (enum timer)timer));
    put(sum, raft->backoff);
}

/* What only a leader looks at counts on a leader only. */
static void put_peers(struct sum *sum, const struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_LEADER) return;
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        const struct peer *peer = peer_at(raft, slot);
        const uint64_t values[] = {peer->match,    peer->next,         peer->commit_sent, peer->had,
                                   peer->born,     peer->progress,     peer->flight_count,
                                   peer->incarnation, peer->answered,  peer->former};
        for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(sum, values[i]);
        for (uint32_t i = 0; i < peer->flight_count; i++) {
            const uint32_t window = raft->options.window_messages;
            const struct parcel *parcel = (const struct parcel *)raft_at(raft, raft->parcels_at) + slot * window +
                                          (peer->flight_first + i) % window;
            put(sum, parcel->last);
            put(sum, parcel->bytes);
        }
    }
    const uint64_t values[] = {raft->beat_round, raft->beating,     raft->heard,         raft->heard_before,
                               raft->paused,     raft->poked,       raft->full,          raft->lead_first,
                               raft->turn,       raft->transfer_to, raft->transfer_owed, raft->transfer_told,
                               raft->calm,       raft->calm_tries};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(sum, values[i]);
}

/* A follower's batches are counted, and so are a leader's rounds: both leave the node in messages. */
static void put_reads(struct sum *sum, const struct teak_raft *raft)
{
    put(sum, raft->read_count);
    put(sum, raft->read_beats);
    put(sum, raft->read_round);
    for (uint32_t i = 0; i < raft->read_count; i++) {
        const struct read *read = (const struct read *)raft_at(raft, raft->reads_at) + i;
        put(sum, read->tag);
        put(sum, read->index);
        put(sum, read->round);
        put(sum, (uint64_t)read->state << 16 | (uint64_t)read->fate << 8 | (uint64_t)read->is_leased << 1 |
                     read->is_old);
    }
    for (uint32_t slot = 0; raft->role == TEAK_RAFT_LEADER && slot < raft->config.count; slot++) {
        const struct peer *peer = peer_at(raft, slot);
        const uint64_t values[] = {peer->read_state, peer->read_round, peer->read_run, peer->read_index,
                                   peer->read_beat};
        for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(sum, values[i]);
    }
    if (raft->role == TEAK_RAFT_LEADER) put(sum, raft->read_beat);
}

/* Whether there is a lease, not until when: who lets timers off without a time asks for none. */
static void put_lease(struct sum *sum, const struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_LEADER || raft->options.lease_drift_ppm == 0) return;
    const uint64_t values[] = {raft->lease.round, raft->lease.config, raft->lease_next.round, raft->lease_next.config,
                               raft->lease_over};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(sum, values[i]);
    for (uint32_t slot = 0; slot < raft->config.count; slot++) put(sum, peer_at(raft, slot)->promised);
}

static void put_waiting(struct sum *sum, const struct teak_raft *raft)
{
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        put(sum, raft->lanes[lane].state);
        put(sum, raft->lanes[lane].slot);
        put(sum, raft->lanes[lane].first);
        put(sum, raft->lanes[lane].last);
        put(sum, raft->lanes[lane].count);
        if (raft->lanes[lane].state != LANE_FILLED) continue;
        put(sum, raft->lanes[lane].before);
        for (uint32_t i = 0; i < raft->lanes[lane].count; i++) put_entry(sum, &lane_entries(raft, lane)[i]);
    }
    if (!raft->events_lent) {
        put(sum, raft->event_count);
        put(sum, raft->events_forgotten);
        for (uint32_t i = 0; i < raft->event_count; i++) {
            put(sum, raft->events[i].type);
            put(sum, raft->events[i].a);
            put(sum, raft->events[i].b);
        }
    }
    const uint32_t waiting = raft->send_lent ? 0 : raft->send_count;
    put(sum, waiting);
    for (uint32_t i = 0; i < waiting; i++) {
        const struct teak_raft_msg *msg = &outbox(raft)[i];
        const uint64_t values[] = {msg->type, msg->to, msg->term, msg->index, msg->at.index, msg->at.term, msg->round,
                                   msg->asked, msg->refused, msg->full, msg->promise};
        for (uint32_t j = 0; j < 11; j++) put(sum, values[j]);
    }
}

void teak_raft_digest(const struct teak_raft *raft, uint8_t out[16])
{
    struct sum sum = {.a = raft->options.id, .b = raft->incarnation};
    put_role(&sum, raft);
    put_log(&sum, raft);
    put_jobs(&sum, raft);
    put_peers(&sum, raft);
    put_reads(&sum, raft);
    put_transfers(&sum, raft);
    put_lease(&sum, raft);
    put_waiting(&sum, raft);
    memcpy(out, &sum.a, 8);
    memcpy(out + 8, &sum.b, 8);
}

/* ----------------------------------------------------------------------------------------------------------- timers */

bool teak_raft_runs(const struct teak_raft *raft, enum teak_raft_timer timer)
{
    return timer < TEAK_RAFT_TIMER_COUNT && timer_runs(raft, (enum timer)timer);
}

enum teak_raft_status teak_raft_fire(struct teak_raft *raft, enum teak_raft_timer timer)
{
    if (!raft || timer >= TEAK_RAFT_TIMER_COUNT || !timer_runs(raft, (enum timer)timer)) return TEAK_RAFT_MISUSE;
    ready_take_back(raft);
    if (raft->halted) return TEAK_RAFT_HALTED;
    timer_stop(raft, (enum timer)timer);
    timer_fire(raft, (enum timer)timer);
    invariant_check(raft);
    return TEAK_RAFT_OK;
}
