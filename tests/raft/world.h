/* world.h: a few nodes, their disks and the network between them, in one piece of memory, for scripts and for the model
 * checker. Nothing happens by itself: each step is a call. After each step the invariants are judged.
 *
 * OWNS   Disks (what is durable, and the jobs in flight), the network (messages in the order they were sent), the
 *        ledger (which entry was committed at which index, who led which term).
 * PATH   an input to a node → world_drain: everything it hands out goes to the disk, the network, the state machine.
 *        Fetches are answered at once, from the disk; so is what concerns the bodies of snapshots. A body is made of
 *        the ledger up to its index and of the log it was taken on, so that a wrong one is seen wherever it comes by.
 * FAILS  A broken invariant calls world_broken, which prints it and, where there is one, how it came to be.
 */
#ifndef TEAK_TESTS_RAFT_WORLD_H
#define TEAK_TESTS_RAFT_WORLD_H

#include <stdio.h>

#include "teak/raft_check.h"

enum {
    WORLD_NODES = 5,
    WORLD_LOG = 48,
    WORLD_SPAN = 4,     /* most entries in a message or a job: half of tail_entries */
    WORLD_FLIGHTS = 4,  /* jobs in flight */
    WORLD_NET = 64,
    WORLD_TERMS = 24,
    WORLD_READS = 4,    /* of a node, not answered */
    WORLD_BODY = 10,    /* bytes of every snapshot: two chunks of 8 */
    WORLD_GONE = 16,    /* disks that were replaced */
    WORLD_BLOCK = 16384
};

struct flight_job {
    uint64_t token, cut_from, compact_to;
    struct teak_raft_hard hard;
    uint64_t after_first;
    struct teak_raft_pos after;
    struct teak_raft_snapshot snapshot; /* pos.index 0: none */
    uint32_t count;
    bool clear;
    struct teak_raft_entry entries[WORLD_SPAN];
};

struct disk_model {
    struct teak_raft_hard hard;
    uint32_t first, last; /* entries[first .. last]; entries[first - 1] has the term of the base */
    uint32_t flight_count;
    uint64_t applied;
    struct teak_raft_snapshot snapshot; /* that the log was told of                       */
    struct teak_raft_snapshot part;     /* that comes in, and how much of it is written   */
    struct teak_raft_snapshot body;     /* that is complete                               */
    uint64_t part_bytes;
    bool full;
    bool refuses_bodies;                /* no space for those either                      */
    bool hangs;                         /* nobody hears what became of a write of those   */
    struct teak_raft_entry entries[WORLD_LOG + 1];
    struct flight_job flights[WORLD_FLIGHTS];
};

/* A read that is not answered, and what was committed when it was asked. */
struct open_read {
    uint64_t tag, floor;
};

/* A log whose disk was replaced, and what it had. */
struct gone_log {
    uint64_t born;
    uint32_t first, last;
    uint64_t snapshot; /* its index */
    uint8_t terms[WORLD_LOG + 1];
};

struct letter {
    uint64_t sum[2]; /* of what follows */
    struct teak_raft_msg msg;
    struct teak_raft_chunk chunk;
    struct teak_raft_entry entries[WORLD_SPAN];
};

/* Who hears what nodes hand out, after it was judged. The first member of something larger. */
struct world_ear {
    void (*applies)(struct world_ear *ear, uint32_t node, const struct teak_raft_apply *apply);
    void (*is_told)(struct world_ear *ear, uint32_t node, const struct teak_raft_done *done);
    void (*is_answered)(struct world_ear *ear, uint32_t node, const struct teak_raft_answer *answer);
};

/* A node and its disk. Copies of a world share it until one of them goes on: world_touch. */
struct place {
    uint64_t sum[2]; /* of all that follows, and of what the world knows of the node */
    bool is_summed;
    struct disk_model disk;
    _Alignas(16) uint8_t block[WORLD_BLOCK];
};

struct world {
    uint32_t node_count;
    uint32_t net_count;
    uint32_t net_max; /* more than that: the oldest are lost */
    uint32_t starts[WORLD_NODES]; /* runs of each node's process so far: incarnations are told apart by it */
    uint8_t clusters[WORLD_NODES], logs[WORLD_NODES]; /* its name's first byte; logs it has had: told apart by born */
    uint64_t clocks[WORLD_NODES]; /* what each node is told */
    bool up[WORLD_NODES];
    bool broken;
    const char *broken_by; /* the invariant */
    bool hushed;           /* says nothing of it */
    uint32_t liar; /* this node's disk confirms what it does not have, 0: none: a test of the tests */
    bool may_halt; /* a halted node is what the script is about */
    bool may_be_stale; /* reads are judged by somebody else     */
    struct world_ear *ear; /* NULL: nobody                      */
    bool by_wire;  /* each message is delivered as bytes */
    uint64_t committed;
    uint64_t led_by[WORLD_TERMS];
    uint64_t commit_seen[WORLD_NODES], term_seen[WORLD_NODES];
    uint64_t fates[4];          /* told, by kind                          */
    uint64_t restores, transfers_failed;
    uint64_t open[WORLD_NODES]; /* proposals of this run of a node, untold */
    uint64_t answers[5];        /* reads told, by kind                    */
    uint32_t read_count[WORLD_NODES];
    struct open_read reads[WORLD_NODES][WORLD_READS];
    FILE *out; /* a trace of everything; NULL: none */
    struct teak_raft_options options;
    uint32_t gone_count;
    struct place *at[WORLD_NODES]; /* one of `own`, or of the world that this is a copy of */
    /* the ledger: what is committed, and the term of the leader that committed it */
    struct teak_raft_entry ledger[WORLD_LOG + 1];
    uint64_t committed_in[WORLD_LOG + 1];
    struct gone_log gone[WORLD_GONE];
    struct letter net[WORLD_NET];
    struct place own[WORLD_NODES];
};

/* Small limits, so that they are met. */
struct teak_raft_options world_options(void);
/* By name, as scripts have them. false: there is none of that name. */
bool world_set_option(struct teak_raft_options *options, const char *name, uint64_t value);
void world_print_options(FILE *out, const struct teak_raft_options *options); /* that are not those of above */

/* A founder whose log the founders do not know. */
#define WORLD_UNNAMED UINT64_MAX

/* Nodes 1 .. count; the members are the founding configuration, of which each node has the first entry. A member's born
 * is that of its first log, whatever it says, but for WORLD_UNNAMED. */
void world_begin(struct world *world, struct teak_raft_options options, uint32_t count,
                 const struct teak_raft_member *members, uint32_t member_count, FILE *out);
void world_end(struct world *world);

/* The copy shares nodes with `from`, which has to stay as it is, and where it is, for as long. */
void world_copy(struct world *to, const struct world *from);
/* Before anything is done to a node but by one of the steps below. */
void world_touch(struct world *world, uint32_t node);
void world_digest(const struct world *world, uint8_t out[16]);

struct teak_raft *world_node(const struct world *world, uint32_t number); /* 1 .. node_count */

/* Steps. Each drains the node it concerns, and judges. */
void world_drain(struct world *world, uint32_t node);
enum teak_raft_status world_deliver(struct world *world, uint32_t place, bool keep);
void world_drop(struct world *world, uint32_t place);
void world_complete(struct world *world, uint32_t node);             /* the oldest job in flight is durable  */
void world_refuse(struct world *world, uint32_t node);               /* it, and all behind it, are refused   */
void world_poison(struct world *world, uint32_t node);               /* nobody knows what it has         */
void world_room(struct world *world, uint32_t node);
enum teak_raft_status world_fire(struct world *world, uint32_t node, enum teak_raft_timer timer);
void world_crash(struct world *world, uint32_t node, uint32_t kept); /* so many jobs in flight made it       */
void world_start(struct world *world, uint32_t node);
void world_wipe(struct world *world, uint32_t node);                 /* of a node that is down: another log  */
/* The same, of a log that has what is durable at `from`, which may be the node itself. */
void world_copy_log(struct world *world, uint32_t node, uint32_t from);
/* The node, which is down, goes on without those that are no members: another cluster. */
enum teak_raft_status world_recover(struct world *world, uint32_t node, const struct teak_raft_member *members,
                                    uint32_t count, struct teak_raft_recovered *report);
enum teak_raft_status world_snapshot(struct world *world, uint32_t node); /* of what is applied */
enum teak_raft_status world_propose(struct world *world, uint32_t node, const char *text, uint64_t tag);
enum teak_raft_status world_read(struct world *world, uint32_t node, uint64_t tag, enum teak_raft_read_mode mode);
void world_tick(struct world *world, uint32_t node, uint64_t now); /* its clock shows that */
void world_stabilize(struct world *world);                           /* deliver and complete until all is quiet */

/* Of a node that is drained: nothing is due, and a ready that is asked for all the same has nothing. */
bool world_is_quiet(const struct world *world, uint32_t node);

/* Bytes that live as long as the program; equal bytes are one. */
const uint8_t *world_intern(const uint8_t *data, uint32_t bytes);

void world_print_msg(FILE *out, const struct teak_raft_msg *msg);
void world_print_entry(FILE *out, const struct teak_raft_entry *entry);
const char *world_type_name(uint8_t type);

/* Called when an invariant is broken; world.out, or standard error, has the words. */
void world_broken(struct world *world, const char *what, uint64_t a, uint64_t b);

#endif
