/* raft_fleet_state.h: what the files of a fleet share: its nodes, the dice, what is written down.
 *
 * OWNS   The one fleet there is at a time. What the oracle knows in it is written by raft_oracle.c, what is on its way
 *        by raft_network.c, a node's life by raft_launch.c.
 */
#ifndef TEAK_TESTS_SIM_RAFT_FLEET_STATE_H
#define TEAK_TESTS_SIM_RAFT_FLEET_STATE_H

#include "raft_berth.h"
#include "raft_fleet.h"
#include "store/rig.h"
#include "teak/raft_store_teak.h"

enum { NODES = 7, LOG_MAX = 6000, NET_MAX = 4096, JOBS_MAX = 8, SPAN_MAX = 32, READS_MAX = 64, TERMS_MAX = 6000 };
enum { ENTRIES_STOP = 3000 }; /* nobody proposes beyond */
enum { ELECTION = 100, HEARTBEAT = 20, SETTLE_MAX = 60000 };
enum { DRIVEN = TEAK_RAFT_SEND | TEAK_RAFT_PERSIST | TEAK_RAFT_APPLY | TEAK_RAFT_FETCH };

/* An entry, as the oracle keeps it. */
struct fact {
    uint64_t term, sum;
    uint32_t bytes;
    uint8_t kind;
};

/* A job that was submitted and is not known to be durable. */
struct job_fact {
    uint64_t token, cut_from, first;
    struct teak_raft_hard hard;
    uint32_t count;
    struct fact entries[SPAN_MAX];
};

struct disk_fact {
    struct teak_raft_hard hard;
    uint64_t last;
    struct fact entries[LOG_MAX + 1];
};

struct parcel_on_its_way {
    struct teak_raft_frame frame; /* the network has a reference for each time it is on its way */
    struct teak_raft_msg msg;
    struct teak_raft_entry entries[];
};

struct on_its_way {
    uint64_t due;
    struct parcel_on_its_way *parcel;
};

struct fleet_node {
    struct sim_medium *medium;
    struct teak_store *engine; /* NULL: it is down */
    struct teak_raft_log_store store;
    struct teak_raft *raft;
    void *block;
    struct disk_fact disk;
    struct job_fact jobs[JOBS_MAX];
    uint32_t job_count;
    uint64_t reads[READS_MAX]; /* what was committed when read tag % READS_MAX was asked, + 1; 0: answered */
    uint32_t open_reads;
    uint64_t commit_seen, term_seen, applied, open;
    uint64_t starts_at, wakes_at, disk_wakes_at;
    bool is_full;
};

extern struct fleet {
    uint64_t seed, now, history, runs, tags;
    const struct fleet_shape *shape;
    struct fleet_totals *totals;
    struct seeded dice;
    bool is_told, is_calm;
    struct fleet_node nodes[NODES];
    bool cut[NODES][NODES]; /* from, to */
    struct on_its_way net[NET_MAX];
    uint32_t net_count;
    uint64_t committed;
    struct fact ledger[LOG_MAX + 1];
    uint64_t committed_in[LOG_MAX + 1];
    uint32_t led_by[TERMS_MAX];
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
static inline struct fleet_node *node_of(uint64_t id) { return &fleet.nodes[id - 1]; }

#endif
