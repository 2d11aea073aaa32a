/* invariant.h: what holds between any two calls. A few comparisons always; what costs O(n) with TEAK_DEBUG. */
#ifndef TEAK_RAFT_INVARIANT_H
#define TEAK_RAFT_INVARIANT_H

#include "core/core.h"

void invariant_check(const struct teak_raft *raft);

#endif
