/* teak/raft_check.h: what a model checker needs of a node. Unstable: define TEAK_UNSTABLE.
 *
 * A state of a node is its block: it can be copied, compared by a digest, and its timers can run out without any time.
 */
#ifndef TEAK_RAFT_CHECK_H
#define TEAK_RAFT_CHECK_H

#ifndef TEAK_UNSTABLE
#error "teak/raft_check.h is unstable: define TEAK_UNSTABLE to use it"
#endif

#include "teak/raft.h"

#ifdef __cplusplus
extern "C" {
#endif

enum teak_raft_timer {
    TEAK_RAFT_TIMER_ELECTION = 0, /* nobody leads                                  */
    TEAK_RAFT_TIMER_PROMISE,      /* a vote against the leader may be given again  */
    TEAK_RAFT_TIMER_HEARTBEAT,
    TEAK_RAFT_TIMER_QUORUM,       /* the leader counts who was heard               */
    TEAK_RAFT_TIMER_TRANSFER,     /* a hand-over is given up                       */
    TEAK_RAFT_TIMER_READ,         /* reads without an answer grow old              */
    TEAK_RAFT_TIMER_STALL,        /* the oldest job stays in flight                */
    TEAK_RAFT_TIMER_COUNT
};

/* Does      Makes a second node that is equal to `raft`, in `block`, of teak_raft_size. What `raft` has lent stays
 *           lent by both.
 * Owner     The copy holds each frame once more.
 * Threads   The node's.
 * Durable   -
 * Fails     MISUSE (block too small, not aligned to 16) */
TEAK_API enum teak_raft_status teak_raft_clone(void *block, size_t bytes, const struct teak_raft *raft,
                                               struct teak_raft **out);

/* Does      A sum of 128 bits over all that decides what the node will do: two nodes with one digest, given the same
 *           inputs, hand out the same. Tokens, tickets, times and lots count only as far as they do: whether a
 *           timer runs, how many jobs are in flight.
 * Owner     The caller's.   Threads the node's   Durable -   Fails never */
TEAK_API void teak_raft_digest(const struct teak_raft *raft, uint8_t out[16]);

/* Does      true: the timer runs. The time it would run out does not matter to teak_raft_fire.
 * Threads   The node's.   Fails false */
TEAK_API bool teak_raft_runs(const struct teak_raft *raft, enum teak_raft_timer timer);

/* Does      Lets a timer run out now.
 * Threads   The node's.
 * Durable   Nothing.
 * Fails     MISUSE (it does not run) · HALTED */
TEAK_API enum teak_raft_status teak_raft_fire(struct teak_raft *raft, enum teak_raft_timer timer);

#ifdef __cplusplus
}
#endif

#endif
