/* change.h: membership. Section 6 of the paper, chapter 4 of the thesis.
 *
 * A configuration is in force when it is in the log. One that keeps the voters takes one step. Any other goes through a
 * joint one, in which both halves decide, and which whoever leads leaves as soon as it is committed:
 *
 *      {1,2,3} ──► {1,2,3} and {1,2,4}, committed by both ──► {1,2,4}, committed by itself ──► 3 is out
 *
 * HOLDS  A leader appends a configuration only when the newest is committed, and an entry of its own term: so of
 *        those in any log all but the newest are committed.
 */
#ifndef TEAK_RAFT_CHANGE_H
#define TEAK_RAFT_CHANGE_H

#include "core/core.h"

enum teak_raft_status change_start(struct teak_raft *raft, uint64_t seen, const struct teak_raft_member *members,
                                   uint32_t count);

/* The leader's commit moved, or there is room again: leave a joint configuration; a leader that is out hands over. */
void change_go_on(struct teak_raft *raft);

/* True of a leader that the committed configuration does not let vote. */
bool change_is_out(const struct teak_raft *raft);

#endif
