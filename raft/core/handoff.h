/* handoff.h: leadership goes to another voter. Section 3.10 of the thesis.
 *
 * PATH   handoff_start: proposals are refused from now on → handoff_check: the target has the whole log, durably
 *        (this node need not: its store may be why it hands over): TIMEOUT_NOW, again with each round of heartbeats
 *        → the target campaigns, no promise hinders it.
 * FAILS  The target does not answer within an election timeout: handoff_give_up, proposals are taken again.
 */
#ifndef TEAK_RAFT_HANDOFF_H
#define TEAK_RAFT_HANDOFF_H

#include "core/core.h"

/* To member `to`, 0: the best one. OK, UNKNOWN_MEMBER, TRANSFERRING, BEHIND. */
enum teak_raft_status handoff_start(struct teak_raft *raft, uint64_t to);

/* The target has more: is it to be told? */
void handoff_check(struct teak_raft *raft);

/* A round of heartbeats begins: it is told again. */
void handoff_remind(struct teak_raft *raft);

/* This node's disk is stalled: to a voter that has durably what this node has not, if there is one. */
void handoff_from_stall(struct teak_raft *raft);

/* The quorum is counted: has somebody of higher priority been fit to lead for a while? The next try of a term waits
 * twice as long, and after the third there is none. */
void handoff_count(struct teak_raft *raft);

void handoff_give_up(struct teak_raft *raft);

/* A leader whose disk is gone for ever has halted: the best voter need not wait for its own timeout. */
void handoff_last_word(struct teak_raft *raft);

/* The leader asked this node to campaign. */
void handoff_on_timeout_now(struct teak_raft *raft, const struct teak_raft_msg *msg);

#endif
