/* raft_driver.h: what the examples of the Raft core share: one turn of a replica, and a network and a clock in memory.
 *
 * replica_turn is the loop at the head of teak/raft.h, for one group on any log store; a program takes it as it is, and
 * puts its own network and clock around it. The rest is such a program: every replica in one process, messages that
 * take a few milliseconds of a clock that only cluster_run moves. So the examples print the same each time.
 */
#ifndef TEAK_EXAMPLES_RAFT_RAFT_DRIVER_H
#define TEAK_EXAMPLES_RAFT_RAFT_DRIVER_H

#include <stdio.h>

#include "teak/raft_log_store.h"

struct replica_body; /* of a snapshot */

struct replica {
    uint64_t id;
    struct teak_raft *raft;           /* NULL: it does not run                              */
    void *block;                      /* the memory it lives in                             */
    struct teak_raft_log_store store; /* survives its crashes                               */
    uint64_t applied;                 /* by the state machine, which begins anew each time  */
    uint64_t committed, lost;         /* proposals of this run whose fate is known          */

    /* What the program does with entries; what it keeps. */
    void (*apply)(struct replica *replica, const struct teak_raft_entry *entry);
    void *machine;
    /* Where there are snapshots: all of the state machine as bytes, at most `room`; and the state machine anew. */
    uint32_t (*save)(struct replica *replica, uint8_t *out, uint32_t room);
    void (*restore)(struct replica *replica, const uint8_t *data, uint32_t bytes);
    struct replica_body *bodies, *part; /* that may be needed, the newest first; what comes in. They survive crashes */

    /* Where messages go: copied before return. */
    void (*send)(void *network, const struct teak_raft_msg *msg);
    void *network;
};

/* Does      Begins a run of a node on what its store has. `incarnation` has never been used before.
 * Fails     As create, start of the store and teak_raft_init do. */
enum teak_raft_status replica_start(struct replica *replica, const struct teak_raft_options *options, uint64_t now,
                                    uint64_t incarnation);

/* Does      Creates the log of group 0, and founds a cluster of these members in it. Once in a replica's life, the same
 * on
 *           each of them; one that joins later is founded with none. */
enum teak_raft_status replica_found(struct replica *replica, const struct teak_raft_member *members, uint32_t count,
                                    uint64_t born);

/* Does      One turn: what the store has done, the time, and all that the node hands out. Messages were given to it by
 *           teak_raft_receive before. Waits up to `wait_ns` for the store. */
void replica_turn(struct replica *replica, uint64_t now, uint64_t wait_ns);

/* Does      Proposes a line, copied into a frame of its own. What becomes of it is counted in the replica.
 * Fails     As teak_raft_propose. */
enum teak_raft_status replica_propose(struct replica *replica, const char *text, uint64_t tag);

/* Does      Takes a snapshot of what is applied, so that the log may forget it.
 * Fails     As teak_raft_snapshot_point and teak_raft_snapshot_taken; NO_SPACE (no memory). */
enum teak_raft_status replica_snapshot(struct replica *replica);

/* The end of what survives crashes: call it after replica_stop and the store's close. */
void replica_forget(struct replica *replica);

/* Ends a run. The log stays. */
void replica_stop(struct replica *replica);

/* ----------------------------------------------------------------------------------------- a cluster in one process */

enum { CLUSTER_MAX = 7 };

struct letter_in_flight;

struct cluster {
    struct replica nodes[CLUSTER_MAX]; /* node i has id i + 1 */
    uint32_t count;
    uint64_t now, runs, tags;
    bool cut[CLUSTER_MAX][CLUSTER_MAX]; /* from, to: what is sent that way is lost */
    struct letter_in_flight *first, *last;
};

/* `count` replicas on memory stores; the first `voters` of them found the cluster. All run. */
void cluster_begin(struct cluster *cluster, uint32_t count, uint32_t voters,
                   void (*apply)(struct replica *replica, const struct teak_raft_entry *entry));
void cluster_end(struct cluster *cluster);

void cluster_crash(struct cluster *cluster, uint64_t id);   /* what is not durable is forgotten */
void cluster_restart(struct cluster *cluster, uint64_t id);
void cluster_cut(struct cluster *cluster, uint64_t id, bool is_cut); /* from all the others     */

/* Lets time pass until `until` says so; false: it has not within a minute. */
bool cluster_run(struct cluster *cluster, bool (*until)(struct cluster *cluster));
void cluster_pass(struct cluster *cluster, uint64_t milliseconds);

/* The leader of the newest term; NULL: none. */
struct replica *cluster_leader(struct cluster *cluster);
bool cluster_has_leader(struct cluster *cluster);
/* All that run have applied all that the leader has in its log. */
bool cluster_agrees(struct cluster *cluster);

/* Proposes a line to that node; while it is full, time passes. */
enum teak_raft_status cluster_propose(struct cluster *cluster, struct replica *replica, const char *text);

#endif
