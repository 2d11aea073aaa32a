/* lease.h: for how long nobody else can lead, by this node's clock. Section 6.4.1 of the thesis.
 *
 *      round begins       majority answered                    lease ends      first promise ends
 *      ────┬───────────────────┬───────────────────────────────────┬──────────────────┬────► time
 *          └─ counted from here, whenever the answer comes ────────┘ promise x (1 - 2 x drift)
 *
 * A HEARTBEAT states the promise it asks for. Who answers grants no vote for that long, from when it came, and says how
 * long that is. What a follower promises is at most its promise_max, which is at most its election timeout, so that it
 * does not campaign itself either; and a node that starts promises promise_max to whoever may have heard its former
 * self.
 *
 * HOLDS  A lease stands only: with an entry of this term committed; on answers of a majority of the configuration in
 *        force, to a round that began under it; never while leadership is being handed over, and in a term in which
 *        TIMEOUT_NOW was sent never again: who was told may campaign at any time, and promises do not bind it.
 *        Drift: L by the leader's clock is at most L / (1 - d) in truth, a promise P at least P / (1 + d), and
 *        (1 - d) / (1 + d) >= 1 - 2d.
 */
#ifndef TEAK_RAFT_LEASE_H
#define TEAK_RAFT_LEASE_H

#include "core/core.h"

/* The promise that a leader asks for; 0: it wants no lease. */
uint64_t lease_asks(const struct teak_raft *raft);

/* What this node promises to who asks for `asked`. */
uint64_t lease_promise(const struct teak_raft *raft, uint64_t asked);

void lease_begin(struct teak_raft *raft); /* elected: there is none   */
void lease_beat(struct teak_raft *raft);  /* a round begins           */
void lease_count(struct teak_raft *raft); /* a round was answered     */
void lease_end(struct teak_raft *raft);   /* TIMEOUT_NOW leaves       */

/* At raft->now. */
bool lease_stands(const struct teak_raft *raft);

#endif
