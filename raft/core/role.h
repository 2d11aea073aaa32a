/* role.h: which role the node has, and its term.
 *
 *                 nobody leads            a majority would          a majority votes
 *      FOLLOWER ──────────────► PRE_CANDIDATE ─────────► CANDIDATE ────────────────► LEADER
 *          ▲                           │                     │                          │
 *          └───────────────────────────┴─────────────────────┴──────────────────────────┘
 *            a newer term, a leader of this one, a majority that refuses, no majority heard
 *
 * OWNS   term, vote, leader, role, halted.
 * HOLDS  The term never goes back. In one term the vote changes once, from nobody to somebody.
 */
#ifndef TEAK_RAFT_ROLE_H
#define TEAK_RAFT_ROLE_H

#include "core/core.h"

/* A follower from now on, in `term`, of `leader` (0: not known). */
void role_follow(struct teak_raft *raft, uint64_t term, uint64_t leader);

/* A candidate in the next term, with its own vote. Not a candidate in public before that is durable: elect.c. */
void role_stand(struct teak_raft *raft);

/* The leader of this term. */
void role_lead(struct teak_raft *raft);

/* What it met contradicts what it knows to be committed or confirmed, or nobody knows what its disk holds. It says
 * nothing more to anybody. */
void role_halt(struct teak_raft *raft, enum teak_raft_halt why, uint64_t what);

/* True if its configuration names another log under its id: nobody counts it, and it does not count itself. Who votes
 * alone is believed: nobody else has a promise from it. */
bool role_is_stranger(const struct teak_raft *raft);

/* True if it may try to become leader: no stranger may. A voter of the newest configuration may; and of the one before
 * as long as the newest is not known to be committed:
 *   1. {A, B}: A leads and removes itself   2. A appends {B} and crashes before B has it
 *   3. B, whose log is shorter, gets no vote from A   4. so A, no longer a member in its own eyes, has to lead once
 *   more */
bool role_may_lead(struct teak_raft *raft);

#endif
