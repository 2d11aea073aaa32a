/* reads.h: reads that see all that was committed before they were asked. Section 6.4 of the thesis.
 *
 * PATH   On a leader: reads_ask → READ_WAITS → reads_begin: a round of heartbeats leaves, the index is what is
 *        committed now → reads_settle: a majority has answered that round, so nobody else led when it was asked →
 *        applied here: reads_tell. On any other member: reads_ask → reads_send: READ to the leader, where it waits as
 *        one of the leader's own → READ_REPLY → applied here: reads_tell.
 * OWNS   The table of reads, what peers know of members' reads.
 * HOLDS  (1) An index is taken after the read came, and only when an entry of this term is committed: before, a
 *        leader may not know all that is. (2) The round that confirms it is handed out after that. (3) One round at a
 *        time, and one question: what comes meanwhile shares the next. (4) Each read is told once.
 * FAILS  Who was asked leads no more: READ_LOST_LEADER. No answer: READ_TIMEOUT, after half to one election timeout.
 */
#ifndef TEAK_RAFT_READS_H
#define TEAK_RAFT_READS_H

#include "core/core.h"

/* OK, NOT_LEADER (none is known), BUSY. */
enum teak_raft_status reads_ask(struct teak_raft *raft, uint64_t tag, bool by_lease);

/* Member `slot` asks, NO_SLOT: somebody who is none. */
void reads_on_question(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg);
void reads_on_heartbeat(struct teak_raft *raft);
void reads_on_reply(struct teak_raft *raft, const struct teak_raft_msg *msg);

/* Heartbeats are about to be handed out, and will be where reads wait for a round. */
void reads_begin(struct teak_raft *raft);

/* A leader heard an answer, or its commit moved: what is confirmed now? */
void reads_settle(struct teak_raft *raft);

/* The time was told: reads by lease go out at once, or wait for a round like all others. */
void reads_judge_lease(struct teak_raft *raft);

/* Who was asked, this node or another, leads no more. */
void reads_lose(struct teak_raft *raft);

/* TIMER_READ has run out. */
void reads_grow_old(struct teak_raft *raft);

/* Questions and replies: whether there are any, and send them. */
bool reads_has_message(const struct teak_raft *raft);
void reads_send(struct teak_raft *raft);

/* Answers that were not told yet: whether, and tell them. */
bool reads_has_answer(const struct teak_raft *raft);
uint32_t reads_tell(struct teak_raft *raft, struct teak_raft_answer *out);

#endif
