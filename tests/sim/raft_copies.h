/* raft_copies.h: copies of nodes' disks, and what an operator does with them later.
 *
 * OWNS   One copy for each node: its disk, its state machine's, its snapshots, and what the oracle knew of them then.
 * HOLDS  Who comes back from a copy that `teak copy` made is born anew: what the node confirmed and promised since went
 *        with its disk. An operator puts back no copy of a time when the node voted alone, or of one when the
 *        configuration did not name the logs of all (docs/raft.md), so none is made then.
 */
#ifndef TEAK_TESTS_SIM_RAFT_COPIES_H
#define TEAK_TESTS_SIM_RAFT_COPIES_H

#include "raft_fleet_state.h"

/* A copy of the node's disk is made, in place of the one before. */
void copies_take(uint32_t id);

/* The node's disk is gone, and it comes up from its copy: under another birth; `is_raw`: under its own, by other means
 * than `teak copy`. False: it has none. */
bool copies_put_back(uint32_t id, bool is_raw);

void copies_drop(struct fleet_node *node);

#endif
