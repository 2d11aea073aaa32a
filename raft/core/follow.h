/* follow.h: the follower's side of replication. Section 5.3 of the paper.
 *
 * OWNS   verified, confirmed.
 * HOLDS  What it confirms is min(durable, verified): a durable tail of another leader's is not confirmed, and
 *        neither is what came but is not on the disk. Within a term a log is only appended to, but for the first
 *        conflict.
 */
#ifndef TEAK_RAFT_FOLLOW_H
#define TEAK_RAFT_FOLLOW_H

#include "core/core.h"

/* Both: the message is of this term. */
void follow_append(struct teak_raft *raft, const struct teak_raft_msg *msg);
void follow_heartbeat(struct teak_raft *raft, const struct teak_raft_msg *msg);

/* The sender leads this term; what it says goes for this node. false: it has halted, there is another leader. */
bool follow_hears(struct teak_raft *raft, const struct teak_raft_msg *msg);

/* True if what a message says of `pos` cannot be, as what is committed or confirmed there has another term. */
bool follow_contradicts(const struct teak_raft *raft, struct teak_raft_pos pos);

/* True if the leader is to be told how far it is confirmed. */
bool follow_owes(const struct teak_raft *raft);

#endif
