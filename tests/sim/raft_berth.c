/* raft_berth.c: see raft_berth.h. */
#include "raft_berth.h"

#include "format/superblock.h"
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

void berth_mark_anew(struct sim_medium *medium, uint64_t seed)
{
    struct sim_view view;
    struct superblock superblock;
    struct seeded dice = {.state = seed};
    uint8_t bytes[SUPERBLOCK_BYTES];
    assert_true(sim_look(medium, "STORE", &view));
    assert_int_equal(superblock_judge(view.bytes, view.count, true, &superblock), TEAK_OK);
    seeded_fill(&dice, superblock.instance, sizeof superblock.instance);
    superblock_encode(&superblock, bytes);
    sim_rot(medium, view.file, 0, bytes, sizeof bytes);
}

void berth_pause(struct teak_store *store, uint64_t ns) { store->disk->ops->pause(store->disk, ns); }
