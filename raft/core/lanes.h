/* lanes.h: entries that left memory come back: one lane for members that lag, one for the state machine.
 *
 *      IDLE ──► ASKED ──► FILLED ──► LENT ──► IDLE
 *               a ticket  frames     in a     the next call
 *               is out    are held   ready
 *
 * What was fetched goes to whom it was fetched for, not into the tail. A ticket that is void is answered STALE.
 */
#ifndef TEAK_RAFT_LANES_H
#define TEAK_RAFT_LANES_H

#include "core/core.h"

static inline struct teak_raft_entry *lane_entries(const struct teak_raft *raft, uint32_t lane)
{
    return (struct teak_raft_entry *)raft_at(raft, raft->lanes[lane].entries_at);
}

/* Whatever is on its way, or has come, is not wanted any more. */
void lane_void(struct teak_raft *raft, uint32_t lane);

/* What came for a member that has moved on is void. */
void lane_sift(struct teak_raft *raft);

/* What the last ready lent is taken back. */
void lane_take_back(struct teak_raft *raft);

/* True if lane_ask would. */
bool lane_wants(const struct teak_raft *raft);

/* Fetches to be made now, at most LANE_COUNT. */
uint32_t lane_ask(struct teak_raft *raft, struct teak_raft_fetch *out);

enum teak_raft_status lane_fetched(struct teak_raft *raft, uint64_t ticket, enum teak_raft_outcome outcome,
                                   uint64_t term_before, const struct teak_raft_entry *entries, uint32_t count);

#endif
