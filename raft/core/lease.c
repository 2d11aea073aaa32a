/* lease.c: see lease.h. */
#include "core/lease.h"

#include "core/quorum.h"

uint64_t lease_asks(const struct teak_raft *raft)
{
    return raft->options.lease_drift_ppm > 0 ? raft->options.election : 0;
}

uint64_t lease_promise(const struct teak_raft *raft, uint64_t asked)
{
    return min_index(asked, raft->options.promise_max);
}

/* Rounded down: what is lost to drift is rounded up. */
static uint64_t length(const struct teak_raft *raft)
{
    const uint64_t million = 1000000, twice = 2 * (uint64_t)raft->options.lease_drift_ppm;
    const uint64_t promise = lease_asks(raft);
    return promise - (promise / million * twice + (promise % million * twice + million - 1) / million);
}

void lease_begin(struct teak_raft *raft)
{
    raft->lease = raft->lease_next = (struct lease){.round = 0};
    raft->lease_over = false;
}

void lease_end(struct teak_raft *raft) { raft->lease_over = true; }

/* One round at a time is waited for. That a later one is answered says the same of it. */
void lease_beat(struct teak_raft *raft)
{
    if (lease_asks(raft) == 0) return;
    if (raft->lease_next.round != 0 && raft->lease_next.config == raft->config.index) return;
    raft->lease_next = (struct lease){.round = raft->beat_round, .at = raft->now, .config = raft->config.index};
}

void lease_count(struct teak_raft *raft)
{
    if (raft->lease_next.round == 0 || raft->lease_next.config != raft->config.index) return;
    uint64_t rounds[TEAK_RAFT_MEMBERS_MAX];
    for (uint32_t slot = 0; slot < raft->config.count; slot++) rounds[slot] = peer_at(raft, slot)->promised;
    if (raft->config.self) rounds[__builtin_ctz(raft->config.self)] = UINT64_MAX;
    if (quorum_index(raft->config.voters, raft->config.next, rounds) < raft->lease_next.round) return;
    raft->lease = raft->lease_next;
    raft->lease_next = (struct lease){.round = 0};
}

bool lease_stands(const struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_LEADER || raft->lease.round == 0 || raft->commit < raft->lead_first) return false;
    if (raft->lease_over || raft->transfer_to != 0 || raft->lease.config != raft->config.index) return false;
    return raft->now - raft->lease.at < length(raft);
}
