/* raft_fleet.h: a cluster of Raft nodes, each on the real engine over a disk of its own that forgets what a power cut
 * may make it forget, with clocks that differ, a network that loses, repeats, delays and reorders, and a hand that
 * breaks things.
 *
 * OWNS   Nodes: disk, engine, adapter, core, snapshots, clock. The network: messages on their way, with their bytes.
 *        The oracle: for each node which entries its disk has by what it was told, and the jobs in flight; for all
 *        which entry is committed at which index, and who led which term.
 * PATH   fleet_step: the clock goes on a millisecond; what breaks is drawn; messages that are due go in; each node has
 *        its turn. After each input of a node the invariants are judged.
 * HOLDS  Everything that happens comes from the seed: a seed repeats a life byte for byte, and `history` sums it up.
 * FAILS  A broken invariant is told with the seed, and ends the test; where an operator breaks the rules, the
 *        process, with FLEET_BROKEN, or with FLEET_UNSEEN where a leader had to see it and did not.
 */
#ifndef TEAK_TESTS_SIM_RAFT_FLEET_H
#define TEAK_TESTS_SIM_RAFT_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "raft/clients.h"

enum { FLEET_BROKEN = 7, FLEET_UNSEEN = 8 };

/* What a state machine knows when its process begins again. */
enum fleet_memory {
    FLEET_FORGETS,    /* nothing                                              */
    FLEET_REMEMBERS,  /* all that was applied                                 */
    FLEET_CHECKPOINTS /* what was applied at some time before                 */
};

/* How a life is; drawn from its seed. */
struct fleet_shape {
    uint32_t nodes, voters;       /* voters found the cluster                                       */
    uint32_t lose, repeat;        /* messages of a thousand                                         */
    uint32_t delay_max;           /* milliseconds                                                   */
    uint32_t propose_one_in;      /* milliseconds; so are all below, 0: never                       */
    uint32_t cut_power_one_in, kill_one_in, pause_one_in, stall_one_in, cut_link_one_in, heal_one_in, clog_one_in;
    uint32_t read_one_in;
    uint32_t client_one_in;       /* a client comes to a node: clients.h                            */
    uint32_t transfer_one_in, change_one_in, fill_one_in, campaign_one_in;
    uint32_t snapshot_one_in;     /* a node takes one                                               */
    uint32_t wipe_one_in;         /* a node's disk is replaced by an empty one                      */
    uint32_t disaster_at;         /* millisecond in which a majority goes, 0: never                 */
    uint32_t copy_one_in, put_back_one_in; /* a node's disk is copied, replaced by its copy              */
    uint32_t rot_one_in;          /* a sector of a node's disk changes                              */
    uint32_t look_one_in;         /* the power is cut on copies of all disks, and what is left read */
    uint32_t fail_one_in, shorten_one_in, linger_one_in; /* operations of a disk                    */
    uint32_t disk_one_in;         /* milliseconds in which a store is driven                        */
    uint32_t body_bytes_max;      /* of a snapshot                                                  */
    uint32_t drift_ppm;           /* the bound on clocks that nodes are told; 0: no leases          */
    uint32_t skew_ppm;            /* how far they are off in truth                                  */
    uint32_t drift_one_in;        /* a leader's clock becomes the slowest, another's the fastest    */
    bool puts_back_raw;           /* disks are put back under their own name                                    */
    bool takes_worst;             /* of those that are left the one with least is recovered                     */
    bool breaks_bound;            /* more than that is wanted, and stale reads are counted, no fault */
    enum clients_mistake mistake; /* of clients; so is what they break                              */
    enum fleet_memory memory;
    bool wants_less;              /* now and then a driver takes no jobs, or applies nothing        */
    bool is_tight;                /* each node's limits are drawn, down to the least there are      */
    bool knows_born;              /* the founding configuration names the logs                      */
    bool has_priorities;
    uint32_t strategy, in_flight; /* of the engines                                                 */
};

struct fleet_totals {
    uint64_t lives, milliseconds, messages, lost, repeated, jobs, committed, proposals, answered, reads, served;
    uint64_t leased, stale;       /* reads that were asked for by lease, and served; that missed something */
    uint64_t power_cuts, kills, poisoned, rotten, refusals, elections, changes, fetches, jobs_found;
    uint64_t snapshots, chunks, resumed, restores, compactions, wipes, decayed, unreadable, transfers, looks;
    uint64_t copies, put_back, strangers, losses; /* losses: PEER_LOST_DATA                                   */
    uint64_t disasters, again, forgotten, foreign; /* forgotten: entries that were committed                  */
    struct clients_totals clients;
    uint64_t broken;              /* histories of clients, where that is no fault                   */
    uint64_t settling;            /* milliseconds, of all lives, until all agreed again             */
};

struct fleet_shape fleet_draw(uint64_t seed);

/* One life: `milliseconds` of faults, then none, until all agree. Returns its history: the same for the same arguments.
 * */
uint64_t fleet_live(uint64_t seed, const struct fleet_shape *shape, uint32_t milliseconds, bool is_told,
                    struct fleet_totals *totals);

#endif
