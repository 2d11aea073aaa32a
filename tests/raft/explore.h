/* explore.h: explicit-state model checking of the production core. Every order of deliveries, losses, timeouts,
 * completions and crashes within a budget is tried on copies of the real nodes; a state that was seen before is not
 * gone into again.
 *
 * HOLDS  A search either exhausts its budget or says that it did not. A broken invariant ends it, with the way there
 *        as a script that script_test plays.
 */
#ifndef TEAK_TESTS_RAFT_EXPLORE_H
#define TEAK_TESTS_RAFT_EXPLORE_H

#include "world.h"

/* How often each may happen on one path. Deliveries and completions are free. */
struct budget {
    uint8_t elections;  /* the election timer of any node runs out     */
    uint8_t promises;   /* ... the promise                             */
    uint8_t heartbeats;
    uint8_t quorums;
    uint8_t transfers;  /* are asked for, and given up                 */
    uint8_t drops, dups, crashes, proposals, refusals, changes;
    uint8_t reads;      /* are asked: of any node that knows a leader  */
    uint8_t old_reads;  /* their timer                                 */
    uint8_t snapshots;  /* of what is applied, by any node */
    uint8_t times;      /* all clocks go on, see rates                 */
    uint8_t copies;     /* a disk is replaced by a copy of any as it is */
};

struct explore {
    const char *name;
    uint32_t nodes;                        /* all are voters, but for the learners */
    uint32_t learners;                     /* the last so many                     */
    uint32_t net_max;
    struct budget budget;
    struct teak_raft_options options;      /* election 0: those of world_options   */
    uint16_t rates[WORLD_NODES];           /* by how much each clock goes on at a time; not 0: reads by lease, and who
                                            * has promised a leader lets no election timer run out           */
    bool quiet;                            /* a counter-example is what is wanted  */
    void (*visit)(void *context, const struct world *world); /* each state once, NULL: nobody */
    void *context;
    const char *setup;                     /* "leader": node 1 leads already; "leader, heard": and all have answered
                                            * a round of its heartbeats; "leader, back": node 2 began anew, and a round
                                            * of heartbeats is on its way; "behind": and the last node is about to get
                                            * a snapshot, as it was away: an offer is on its way */
    uint32_t liar;                         /* this node's disk confirms what it does not have; 0: none */
    uint64_t states_max;                   /* more: give up                        */
    /* out */
    uint64_t states, steps, depth, leaders, commits, reads, restores;
    bool exhausted; /* no state is left that was not gone into */
    bool broken;
    const char *broken_by; /* the invariant                                                          */
    char *script;          /* how it came to that, as short as leaving steps out makes it: free() it */
};

void explore_run(struct explore *explore);

#endif
