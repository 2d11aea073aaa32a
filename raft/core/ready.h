/* ready.h: what may leave now. The table of gates in teak/raft.h is this file's contract. */
#ifndef TEAK_RAFT_READY_H
#define TEAK_RAFT_READY_H

#include "core/core.h"

/* Every call that is not const begins with this: what the last ready lent is the node's again. */
void ready_take_back(struct teak_raft *raft);

bool ready_has(const struct teak_raft *raft);
void ready_fill(struct teak_raft *raft, uint32_t want, struct teak_raft_ready *out);

#endif
