/* intake.h: a follower receives a snapshot: one at a time, in order, written by the caller piece by piece.
 *
 *             an offer, a chunk        it goes on at ...            all is written         verified, durable
 *      NONE ───────────────────► BEGIN ─────────────────────► OPEN ──────────────────► FINISH ──────────────► install.c
 *        ▲                                                     │
 *        └─ another name, or the log got there by itself: ABORT; no space, or it may lead: kept for later ─────┘
 *
 * OWNS   The intake, its pieces, what is to be aborted.
 * HOLDS  written <= taken <= bytes. Only the same name goes on where another transfer ended: two snapshots of one
 *        position are seldom the same bytes. Nothing of it is in force before install.c makes it.
 */
#ifndef TEAK_RAFT_INTAKE_H
#define TEAK_RAFT_INTAKE_H

#include "core/core.h"

/* A SNAPSHOT message of this term's leader. */
void intake_take(struct teak_raft *raft, const struct teak_raft_msg *msg);

/* The log got there by itself: the intake is over. */
void intake_sift(struct teak_raft *raft);

bool intake_wants(const struct teak_raft *raft);
uint32_t intake_ask(struct teak_raft *raft, struct teak_raft_snap_io *out); /* at most the window and 2 */

/* An operation is done. false: no such ticket. */
bool intake_done(struct teak_raft *raft, uint64_t ticket, enum teak_raft_outcome outcome, uint64_t offset,
                 enum teak_raft_status *status_out);

/* Lets go of all frames. */
void intake_clear(struct teak_raft *raft);

#endif
