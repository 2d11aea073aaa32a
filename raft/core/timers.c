/* timers.c: see timers.h. */
#include "core/timers.h"

#include "core/elect.h"
#include "core/handoff.h"
#include "core/lead.h"
#include "core/members.h"
#include "core/reads.h"
#include "core/streams.h"
#include "core/diskwatch.h"

enum { BACKOFF_MAX = 3 }; /* 2^3: eight times */

void timer_start(struct teak_raft *raft, enum timer timer, uint64_t after)
{
    const uint64_t latest = TEAK_RAFT_NEVER - 1;
    if (raft->receiving) {
        raft->fresh |= UINT32_C(1) << timer;
        timers_wake(raft);
    } else {
        raft->fresh &= ~(UINT32_C(1) << timer);
    }
    raft->at[timer] = after < latest - min_index(raft->now, latest) ? raft->now + after : latest;
    raft->next = min_index(raft->next, raft->at[timer]);
}

void timer_stop(struct teak_raft *raft, enum timer timer) { raft->at[timer] = TEAK_RAFT_NEVER; }

uint64_t timers_next(const struct teak_raft *raft)
{
    uint64_t next = TEAK_RAFT_NEVER;
    for (int timer = 0; timer < TIMER_COUNT; timer++) next = min_index(next, raft->at[timer]);
    return next;
}

static uint64_t draw(struct teak_raft *raft, uint64_t limit) /* SplitMix64; below limit > 0 */
{
    uint64_t z = raft->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % limit;
}

void timer_election(struct teak_raft *raft)
{
    const uint64_t election = raft->options.election;
    /* who has not the highest priority waits until those who have it have had their time */
    const uint64_t way = members_outrank(raft) ? election : 0;
    const uint64_t after = way + ((election + draw(raft, election + 1)) << raft->backoff);
    timer_start(raft, TIMER_ELECTION, after);
}

/* An election that did not end: the next one waits longer, so that on slow disks or links one gets the time it
 * needs. */
static void election_over(struct teak_raft *raft)
{
    if (raft->role == TEAK_RAFT_CANDIDATE && raft->backoff < BACKOFF_MAX) raft->backoff++;
    timer_election(raft);
    elect_start(raft);
}

void timer_fire(struct teak_raft *raft, enum timer timer)
{
    CHECK(!timer_runs(raft, timer));
    switch (timer) {
    case TIMER_ELECTION: election_over(raft); return;
    case TIMER_PROMISE: return;
    case TIMER_HEARTBEAT:
        timer_start(raft, TIMER_HEARTBEAT, raft->options.heartbeat);
        streams_refill(raft);
        lead_beat(raft);
        return;
    case TIMER_QUORUM:
        timer_start(raft, TIMER_QUORUM, raft->options.election);
        lead_count(raft);
        return;
    case TIMER_TRANSFER: handoff_give_up(raft); return;
    case TIMER_READ: reads_grow_old(raft); return;
    case TIMER_STALL: diskwatch_over(raft); return;
    case TIMER_COUNT: break;
    }
    CHECK(false);
}

void timers_tick(struct teak_raft *raft, uint64_t now)
{
    const uint64_t late = now - raft->now;
    for (uint32_t rest = raft->fresh; rest != 0; rest &= rest - 1) { /* what started them came until now */
        uint64_t *at = &raft->at[__builtin_ctz(rest)];
        if (*at < TEAK_RAFT_NEVER - 1 - late) *at += late;
    }
    raft->fresh = 0;
    raft->now = now;
    for (int timer = 0; timer < TIMER_COUNT; timer++) {
        if (raft->at[timer] > now) continue;
        raft->at[timer] = TEAK_RAFT_NEVER;
        timer_fire(raft, (enum timer)timer);
        if (raft->halted) return;
    }
    raft->next = raft->reads_open ? 0 : timers_next(raft);
}
