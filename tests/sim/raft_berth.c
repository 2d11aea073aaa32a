/* raft_berth.c: see raft_berth.h. */
#include "raft_berth.h"

#include "store/rig.h"
#include "store/store.h"

struct teak_store *berth_open(struct sim_medium *medium, enum teak_strategy strategy, uint32_t in_flight,
                              struct teak_error *error)
{
    struct teak_options options = rig_options();
    struct teak_store *store = NULL;
    options.strategy = strategy;
    options.in_flight = in_flight;
    return store_open_on(sim_open(medium), "store", &options, &store, NULL, error) == TEAK_OK ? store : NULL;
}

void berth_pause(struct teak_store *store, uint64_t ns) { store->disk->ops->pause(store->disk, ns); }
