/* raft_fleet_state.h: what the files of a fleet share: its nodes, the dice, what is written down.
 *
 * OWNS   The one fleet there is at a time. What the oracle knows in it is written by raft_oracle.c, what is on its way
 *        by raft_network.c, bodies of snapshots by raft_bodies.c, a node's life by raft_launch.c, the end of a majority
 *        by raft_disaster.c.
 */
#ifndef TEAK_TESTS_SIM_RAFT_FLEET_STATE_H
#define TEAK_TESTS_SIM_RAFT_FLEET_STATE_H

#include "raft_berth.h"
#include "raft_fleet.h"
#include "store/rig.h"
#include "teak/raft_store_teak.h"

enum { NODES = 7, LOG_MAX = 6000, NET_MAX = 4096, JOBS_MAX = 8, SPAN_MAX = 32, READS_MAX = 64, TERMS_MAX = 6000 };
enum { BODIES_MAX = 32, IOS_MAX = 256, GHOSTS_MAX = 8, REALMS = 2 };
enum { ENTRIES_STOP = 3000 }; /* nobody proposes beyond */
enum { ELECTION = 100, HEARTBEAT = 20, SETTLE_MAX = 60000 };
enum { CLIENTS_KIND = TEAK_RAFT_KIND_APPLICATION + 3 }; /* entries of clients.h */
enum { BORN_ANEW = 0 };   /* of a log: its store says what it was born with */
enum { UNIT = 1000 }; /* of a node's clock, in a millisecond of the fleet's */

/* An entry, as the oracle keeps it. */
struct fact {
    uint64_t term, sum;
    uint32_t bytes;
    uint8_t kind;
};

/* A job that was submitted and is not known to be durable. */
struct job_fact {
    uint64_t token, cut_from, first, compact_to;
    struct teak_raft_pos snapshot; /* index 0: none */
    struct teak_raft_hard hard;
    uint32_t count;
    bool clear;
    struct fact entries[SPAN_MAX];
};

/* Entries from base + 1 to last. What is not above the base a snapshot holds, and it is committed. */
struct disk_fact {
    struct teak_raft_hard hard;
    struct teak_raft_pos snapshot;
    uint64_t base, last;
    struct fact entries[LOG_MAX + 1];
};

/* A disk that is gone. What it had it can give to nobody, and it votes for nobody any more. */
struct ghost {
    uint64_t id, born;
    struct disk_fact disk;
};

struct parcel_on_its_way {
    struct teak_raft_frame frame; /* the network has a reference for each time it is on its way */
    struct teak_raft_msg msg;
    struct teak_raft_chunk chunk;
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    struct teak_raft_entry entries[];
};

struct on_its_way {
    uint64_t due;
    struct parcel_on_its_way *parcel;
};

/* A snapshot: what the state machine is, and rubbish behind it. raft_bodies.c */
struct body {
    struct teak_raft_frame frame;
    struct teak_raft_snapshot name;
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    uint64_t have;     /* bytes of name.bytes                                        */
    uint32_t open_for; /* members that it was read for, and no CLOSE came; bit id    */
    uint8_t data[];
};

/* An operation on one, not done yet. */
struct io_on_its_way {
    struct teak_raft_snap_io io;
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    uint64_t due;
};

/* A state machine: which entries it has seen. */
struct machine {
    uint64_t applied, state;
};

/* A disk, as it was once. raft_copies.c */
struct copy {
    struct sim_medium *medium;
    uint64_t born;
    struct disk_fact disk;
    struct job_fact jobs[JOBS_MAX];
    uint32_t job_count, body_count;
    struct machine kept;
    struct body *bodies[BODIES_MAX];
};

struct asked_read {
    uint64_t committed; /* when it was asked, + 1; 0: answered */
    bool by_lease;
};

struct fleet_node {
    struct sim_medium *medium; /* NULL: there is no such node yet, or not any more */
    uint32_t realm;
    uint64_t run; /* its incarnation */
    struct teak_store *engine; /* NULL: it is down */
    struct teak_raft_log_store store;
    struct teak_raft *raft;
    void *block;
    uint64_t born;
    struct disk_fact disk;
    struct job_fact jobs[JOBS_MAX];
    uint32_t job_count;
    struct asked_read reads[READS_MAX]; /* by tag */
    uint32_t open_reads;
    uint64_t commit_seen, term_seen, open;
    struct machine machine, kept; /* now; as its disk has it */
    struct body *bodies[BODIES_MAX], *part, *saving;
    uint32_t body_count, io_count;
    struct io_on_its_way ios[IOS_MAX];
    struct copy *copy; /* NULL: none */
    uint64_t saving_due;
    uint64_t starts_at, wakes_at, disk_wakes_at;
    uint64_t clock_at, clock_from, clock_rate; /* units at the millisecond clock_from, units in a thousand of them */
    bool is_full, is_suspect; /* is_suspect: its disk rotted, it may turn out to be worth nothing                  */
};

/* A leader that counted on entries which its member's disk has no more. */
struct watch {
    uint64_t run, term, had; /* of the leader; had 0: none                               */
    bool is_sent_again;      /* it knows the new process, and sends what that had before */
};

/* Who decided what is committed. */
struct council {
    uint32_t voters, next, count;
    uint64_t ids[NODES], born[NODES];
};

/* One cluster under one name: what was decided in it, and by whom. A recovery begins another one. */
struct realm {
    struct clients *clients;
    uint64_t committed;
    struct council council;
    struct fact ledger[LOG_MAX + 1];
    uint64_t committed_in[LOG_MAX + 1], state_at[LOG_MAX + 1];
    uint32_t led_by[TERMS_MAX];
    uint64_t led_born[TERMS_MAX];
    uint8_t voted_for[TERMS_MAX][NODES];
    struct ghost ghosts[GHOSTS_MAX + NODES];
    uint32_t ghost_count;
};

extern struct fleet {
    uint64_t seed, now, history, runs, tags, logs_born;
    const struct fleet_shape *shape;
    struct fleet_totals *totals;
    struct seeded dice;
    bool is_told, is_calm;
    struct fleet_node nodes[NODES];
    bool cut[NODES][NODES]; /* from, to */
    uint64_t clogged_until[NODES][NODES];
    struct on_its_way net[NET_MAX];
    uint32_t net_count;
    uint32_t seats;         /* ids that there are, from 1 on */
    uint32_t newest;        /* realm */
    struct watch watches[NODES][NODES]; /* leader, member */
    struct realm realms[REALMS];
} fleet;

/* Ends the test, with the seed. */
__attribute__((noreturn, format(printf, 1, 2))) void broken(const char *text, ...);

/* Everything that happens is said here: it makes the history, and the trace. */
void note(const char *what, uint64_t a, uint64_t b, uint64_t c);

static inline uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ (sum >> 29);
}

static inline uint32_t below(uint32_t limit) { return seeded_below(&fleet.dice, limit); }
static inline bool strikes(uint32_t one_in) { return one_in > 0 && !fleet.is_calm && below(one_in) == 0; }
static inline uint64_t min_of(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_of(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline struct fleet_node *node_of(uint64_t id) { return &fleet.nodes[id - 1]; }
static inline struct realm *realm_of(uint64_t id) { return &fleet.realms[node_of(id)->realm]; }

/* What the node's own clock says. */
static inline uint64_t clock_of(const struct fleet_node *node)
{
    return node->clock_at + (fleet.now - node->clock_from) * node->clock_rate / 1000;
}

#endif
