/* elect.h: from follower to leader. Section 5.2 and 5.4.1 of the paper; 9.6 of the thesis (pre-vote), 4.2.3 (promise).
 *
 * PATH   elect_start: pre-vote, which binds nobody → elect_stand: the next term, a vote for itself, at the disk →
 *        elect_durable: only now it asks for votes, and only now its own counts → role_lead.
 *
 * Why it asks only then:
 *   1. A asks B and C for term 5 before its vote for itself is durable   2. both grant, durably; A leads, B has (1,5)=x
 *   3. A crashes, forgets term 5, asks for it again, and C grants again: it voted for A in 5   4. A and C commit
 *   (1,5)=y
 */
#ifndef TEAK_RAFT_ELECT_H
#define TEAK_RAFT_ELECT_H

#include "core/core.h"

/* A pre-vote among all voters, if the node may lead at all. */
void elect_start(struct teak_raft *raft);

/* The election itself; `forced`: a leader asked for it, promises to it do not hold. */
void elect_stand(struct teak_raft *raft, bool forced);

/* Jobs became durable: is its own vote among them? */
void elect_durable(struct teak_raft *raft);

/* True while requests may be sent to raft->asking. */
bool elect_may_ask(const struct teak_raft *raft);

void elect_on_pre_vote(struct teak_raft *raft, const struct teak_raft_msg *msg);
void elect_on_vote(struct teak_raft *raft, const struct teak_raft_msg *msg);

/* A reply of member `slot` to either. */
void elect_on_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg);

#endif
