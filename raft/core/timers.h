/* timers.h: the only file that looks at the time, and the only one that draws lots.
 *
 * A timer is a time at which something happens, or TEAK_RAFT_NEVER. What happens is a function of its own, which a
 * model checker calls without any time (teak_raft_fire): what follows from a timer never depends on how late it is.
 */
#ifndef TEAK_RAFT_TIMERS_H
#define TEAK_RAFT_TIMERS_H

#include "core/core.h"

void timer_start(struct teak_raft *raft, enum timer timer, uint64_t after);
void timer_stop(struct teak_raft *raft, enum timer timer);
static inline bool timer_runs(const struct teak_raft *raft, enum timer timer)
{
    return raft->at[timer] != TEAK_RAFT_NEVER;
}

/* Starts TIMER_ELECTION: one to two election timeouts from now, longer after elections that failed. */
void timer_election(struct teak_raft *raft);

/* What happens when it has run out. It does not run when this is called. */
void timer_fire(struct teak_raft *raft, enum timer timer);

/* All that have run out by `now`. */
void timers_tick(struct teak_raft *raft, uint64_t now);

/* The next tick has something to do, whatever the time: what was lent is taken back, a read is judged, a timer that a
 * message started gets its beginning, or the node has halted. */
static inline void timers_wake(struct teak_raft *raft) { raft->next = 0; }

/* When the next one runs out. */
uint64_t timers_next(const struct teak_raft *raft);

#endif
