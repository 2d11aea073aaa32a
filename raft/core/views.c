/* views.c: a node looked at from outside. */
#include "core/jobs.h"
#include "core/lease.h"
#include "core/tail.h"

const char *teak_raft_status_name(enum teak_raft_status status)
{
    switch (status) {
#define X(number, enumerator, name, text)                                                                              \
    case TEAK_RAFT_##enumerator: return name;
        TEAK_RAFT_STATUS_LIST(X)
#undef X
    case TEAK_RAFT_STATUS_COUNT: break;
    }
    return "unknown";
}

void teak_raft_view(const struct teak_raft *raft, struct teak_raft_view *out)
{
    *out = (struct teak_raft_view){
        .role = (enum teak_raft_role)raft->role, .halted = raft->halted, .has_room = raft->has_room,
        .rotten = raft->rotten, .stalled = raft->stalled, .leased = lease_stands(raft),
        .id = raft->options.id, .term = raft->term, .vote = raft->vote,
        .leader = raft->leader, .first = raft->first, .last = raft->last,
        .snapshot = raft->snapshot.name.pos, .commit = raft->commit, .durable = raft->durable,
        .verified = raft->verified, .handed = raft->handed, .applied = raft->applied,
        .durable_term = raft->durable_term, .durable_vote = raft->durable_vote, .tail_first = raft->tail_first,
        .tail_bytes = raft->tail_bytes, .config_index = raft->config.index, .vote_round = raft->vote_round,
        .transferring = raft->transfer_to, .jobs = raft->job_count, .proposals = raft->proposal_count,
        .reads = raft->read_count};
}

bool teak_raft_peer(const struct teak_raft *raft, uint32_t slot, struct teak_raft_peer_view *out)
{
    if (slot >= raft->config.count) return false;
    const struct peer *peer = peer_at(raft, slot);
    const uint32_t bit = UINT32_C(1) << slot;
    *out = (struct teak_raft_peer_view){
        .member = config_members(raft)[slot], .progress = (enum teak_raft_progress)peer->progress,
        .match = raft->config.self & bit ? raft->durable : peer->match,
        .next = raft->config.self & bit ? raft->last.index + 1 : peer->next,
        .in_flight = peer->flight_count, .in_flight_bytes = peer->flight_bytes, .paused = raft->paused & bit,
        .full = raft->full & bit, .heard = raft->heard & bit};
    return true;
}

void teak_raft_config(const struct teak_raft *raft, struct teak_raft_set *out)
{
    *out = (struct teak_raft_set){.index = raft->config.index, .count = raft->config.count,
                                  .joint = raft->config.joint, .members = config_members(raft)};
}

uint64_t teak_raft_term_at(const struct teak_raft *raft, uint64_t index) { return tail_term(raft, index); }
