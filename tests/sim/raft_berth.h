/* raft_berth.h: the engine's side of a fleet: a store on a simulated disk. Its private headers and those of the Raft
 * core have a name in common, so it stands in a file of its own.
 */
#ifndef TEAK_TESTS_SIM_RAFT_BERTH_H
#define TEAK_TESTS_SIM_RAFT_BERTH_H

#include "sim_disk.h"
#include "teak/engine.h"

/* The store of that medium. NULL: it does not open, and `error` says why. */
struct teak_store *berth_open(struct sim_medium *medium, enum teak_strategy strategy, uint32_t in_flight,
                              struct teak_error *error);

/* It is what `teak copy` makes of it from now on: the same store under an instance of its own. */
void berth_mark_anew(struct sim_medium *medium, uint64_t seed);

/* Time passes on its disk's clock. */
void berth_pause(struct teak_store *store, uint64_t ns);

#endif
