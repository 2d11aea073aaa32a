/* core.h: the state of a node, all of it, in one block.
 *
 * OWNS   The layout. Each group of fields names the one file that writes it.
 * HOLDS  (1) applied <= handed <= min(commit, durable)      (2) durable <= written <= last, first - 1 <= snapshot
 *        (3) commit <= last, verified <= last               (4) nothing in the block points into the block: arrays are
 *        reached by offsets, so that a copy of the block is a node (twin.c)
 */
#ifndef TEAK_RAFT_CORE_H
#define TEAK_RAFT_CORE_H

#include "base/check.h"
#include "base/terms.h"
#include "teak/raft.h"

enum { NO_SLOT = 255 };

/* Timers; timers.c is the only file that looks at the time. */
enum timer {
    TIMER_ELECTION,  /* nobody leads: campaign                       */
    TIMER_PROMISE,   /* runs: a leader was heard of, no vote against it */
    TIMER_HEARTBEAT, /* the leader's round                           */
    TIMER_QUORUM,    /* the leader counts who was heard              */
    TIMER_TRANSFER,  /* a hand-over is given up                      */
    TIMER_READ,      /* reads without an answer grow old             */
    TIMER_STALL,     /* the oldest job stays in flight               */
    TIMER_COUNT
};

/* A configuration. The members stand in an array beside it, ids ascending; bit s of a set is member s. */
struct config {
    uint64_t index;            /* of its entry; 0: there is none           */
    uint32_t count;
    uint32_t voters;           /* the only half, or the outgoing one       */
    uint32_t next;             /* the incoming half; 0: not joint          */
    uint32_t self;             /* this node's bit, 0: not a member         */
    uint32_t joint;            /* 1: must be left                          */
};

/* What the leader knows of a member; slot s is member s of the newest configuration. peers.c */
struct peer {
    uint64_t match;       /* confirmed up to here, durably there                                        */
    uint64_t next;        /* the next entry to send. Holds: match < next                                */
    uint64_t commit_sent; /* the highest commit index it was told in this term                          */
    uint64_t incarnation; /* of its process, 0: not heard of in this term                               */
    uint64_t born;        /* of its log, 0: as incarnation                                              */
    uint64_t answered;    /* the newest round of heartbeats that it answered: reads count on it         */
    uint64_t former;      /* rounds up to here a former process of it may have answered                 */
    uint64_t promised;    /* ... with the promise that was asked for; lease.c                           */
    uint64_t had;         /* match before its process changed, until its log is known again             */
    uint64_t read_round, read_run;       /* its newest batch of reads, the process that asked; reads.c  */
    uint64_t read_index, read_beat;      /* the answer, the round of heartbeats that it waits for       */
    uint32_t flight_first, flight_count; /* ring of APPENDs on their way                                */
    uint32_t flight_bytes;
    uint8_t progress;     /* enum teak_raft_progress                                                    */
    uint8_t read_state;   /* enum read_state of that batch                                              */
};

/* An APPEND on its way. */
struct parcel {
    uint64_t last;
    uint64_t bytes;
};

/* A job in flight. jobs.c */
struct work {
    uint64_t token;
    uint64_t last;     /* index the log ends at after it; lowered by a later truncation                 */
    uint64_t cut_from; /* of the job, for when it is taken back                                         */
    uint64_t term, vote;
    uint64_t first, snapshot; /* the log begins at, the newest snapshot's index after it                */
};

/* A run of proposals whose fate is not told yet. First `committed` of them are, then `lost`, then `unknown`, the rest
 * is open. commits.c */
struct proposal {
    uint64_t first_tag, first_index, term;
    uint32_t count, committed, lost, unknown;
};

/* Nobody else leads for a while from `at` on, by the answers to `round`, 0: none. lease.c */
struct lease {
    uint64_t round, at;
    uint64_t config; /* index of the one in force when the round began */
};

/* A read, or a member's batch of them. reads.c */
enum read_state {
    READ_NONE,
    READ_WAITS, /* for the next round: of heartbeats on a leader, of questions on a follower */
    READ_ASKED, /* in a round that is not answered                                           */
    READ_KNOWN, /* its index is known                                                        */
    READ_TOLD   /* a batch: the member was told                                               */
};
struct read {
    uint64_t tag, index, round;
    uint8_t state;
    uint8_t fate;  /* enum teak_raft_read_fate, 0: open                                     */
    bool is_old;   /* open since before TIMER_READ began to run                             */
    bool is_leased; /* waits for the next tick, which says whether the lease stands         */
};

/* Entries that are no longer in memory, on their way in: one lane for members, one for the state machine. lanes.c */
enum lane_state { LANE_IDLE, LANE_WANTED, LANE_ASKED, LANE_FILLED, LANE_LENT };
enum { LANE_PEER, LANE_APPLY, LANE_COUNT };
struct lane {
    uint64_t ticket;
    uint64_t first, last, before; /* range asked for; LANE_FILLED: what came, and the term before it    */
    uint32_t entries_at, count;
    uint8_t state, slot;
};

/* The name of a snapshot; name.config is NULL, the bytes of the configuration lie at config_at. install.c */
struct snap {
    struct teak_raft_snapshot name; /* pos.index 0: there is none */
    uint32_t config_at;
};

/* A snapshot on its way to a member. streams.c */
struct stream {
    struct snap snap;
    uint64_t to;                 /* 0: free                                                                    */
    uint64_t sent, acked;        /* bytes of the body: sent, written there                                     */
    uint64_t first_round, round; /* of the messages; replies to rounds before first_round are another stream's */
    uint64_t ticket, read_at;    /* of the piece that is read, or to be sent                                   */
    const uint8_t *data;
    struct teak_raft_frame *frame;
    uint32_t bytes;
    uint8_t read;                /* enum lane_state: IDLE, ASKED, FILLED, LENT                                 */
    bool greeted;                /* the member said where to go on                                             */
    bool offer_owed;             /* it is to be asked in the next ready                                        */
    bool moved;                  /* it wrote something since it was heard of before                            */
    bool stays;                  /* what was sent went again, and neither is more written nor was it heard of  */
    uint64_t opened_for;         /* the member for which a READ was handed out: a CLOSE has to follow; 0: none */
};

/* The snapshot that comes in, one at a time. intake.c */
enum intake_state { INTAKE_NONE, INTAKE_BEGIN, INTAKE_OPEN, INTAKE_FINISH };
struct piece {
    uint64_t ticket; /* 0: not handed out */
    uint64_t offset;
    const uint8_t *data;
    struct teak_raft_frame *frame;
    uint32_t bytes;
};
struct intake {
    struct snap snap;
    uint64_t from, asked, round; /* who sends it: id, incarnation, its newest message                         */
    uint64_t written, taken;     /* bytes: written; written or waiting in pieces                              */
    uint64_t ticket;             /* of BEGIN or FINISH; 0: not handed out                                     */
    uint32_t piece_first, piece_count;
    uint8_t state;
};

enum { EVENTS_MAX = 16 };

struct teak_raft {
    /* what a tick looks at where nothing is due, side by side: of ten thousand groups most are idle */
    uint64_t now, next;            /* timers.c: before `next` a tick has nothing to do; 0: it has to look   */
    uint32_t fresh;                /* timers.c: those that a message started: they count from the next tick */
    bool halted;                   /* role.c                                                                */
    bool lent;                     /* ready.c: a ready was handed out since the last call                   */
    bool reads_open;               /* reads.c: false: no read waits for anything, and no member's batch     */
    bool receiving;                /* timers.c: a message is being taken                                    */

    uint32_t size, members_max, span_max; /* span_max: most entries in one message, job or apply            */
    uint32_t part_max;                    /* most entries in a fetch, and in a span behind the ring's end   */
    uint32_t config_at, previous_at;      /* members of `config`, of `previous`                             */
    uint32_t peers_at, parcels_at, tail_at, runs_at, jobs_at, proposals_at, send_at, fetch_at, done_at;
    uint32_t reads_at, answers_at;
    uint32_t own_at;                      /* two buffers for CONFIG entries of this node's own making       */
    uint32_t handed_at, applied_at;       /* members of `handed_config`, `applied_config`                   */
    uint32_t streams_at, chunks_at, pieces_at, ios_at, stream_configs_at;
    struct teak_raft_options options;
    uint64_t born, incarnation;

    /* role.c */
    uint64_t term, vote, leader;
    uint64_t leader_incarnation;
    uint8_t role;
    bool last_word;                /* ... a leader, and the one message in its outbox may still leave        */
    bool rotten;                   /* the store lost entries in the middle: it must not lead                */
    bool apply_stops;              /* ... and the next one to apply is among them                           */

    /* timers.c */
    uint64_t at[TIMER_COUNT];      /* TEAK_RAFT_NEVER: does not run */
    uint64_t random;
    uint32_t backoff;              /* failed elections in a row: the next timeout is 2^backoff longer       */

    /* elect.c: sets of members */
    uint64_t vote_round;
    uint32_t asking;               /* to be asked for a (pre-)vote in the next ready                        */
    uint32_t granted, denied;
    bool forced;                   /* the leader asked for this election                                    */
    bool grant_owed;               /* a vote was given and not told: leaves when durable                    */
    uint64_t grant_round, grant_asked;

    /* tail.c: the log */
    struct teak_raft_pos last;
    uint64_t tail_first;           /* entries tail_first .. last.index are in memory                        */
    uint64_t tail_bytes;           /* of frames they hold                                                   */
    uint32_t tail_slot;            /* where tail_first stands in the ring                                   */
    uint32_t run_count;
    uint64_t commit, verified;
    struct config config, previous;
    uint32_t own_next;

    /* jobs.c: the disk */
    uint64_t written, durable;     /* last index that is part of a job; that is durable                     */
    uint64_t cut_from;             /* 0, or a truncation that no job has carried yet                        */
    uint64_t written_term, written_vote, durable_term, durable_vote;
    uint64_t written_first, durable_first, written_snapshot, durable_snapshot;
    uint64_t token;                /* of the newest job                                                     */
    uint32_t job_first, job_count;
    bool has_room;
    bool stalled;                  /* diskwatch.c: the oldest job is older than disk_stall                      */

    /* follow.c */
    uint64_t confirmed;            /* the leader of this term was told                                      */
    bool confirm_owed;             /* ... and wants to hear it again                                        */

    /* lead.c: sets of members */
    uint32_t beating;              /* get a heartbeat in the next ready                                     */
    uint32_t heard, heard_before;  /* gave a sign of life since the last count; before it                   */
    uint32_t paused;               /* have a probe on its way                                               */
    uint32_t poked;                /* get an APPEND even if it is empty                                     */
    uint32_t full;                 /* have no space                                                         */
    uint64_t beat_round;
    uint64_t lead_first;           /* index of the entry it began its term with                             */
    uint32_t turn;                 /* the member that is served first next time                             */
    uint64_t transfer_to;          /* 0: leadership stays                                                   */
    bool transfer_owed;            /* the target is to be told in the next ready                            */
    bool transfer_told;            /* ... and was, since the last round of heartbeats                       */
    uint32_t calm, calm_tries;     /* counts in a row at which somebody of higher priority could lead; how  *
                                    * often it was asked to, in this term                                   */

    /* commit and apply: commits.c, ready.c */
    uint64_t handed, applied;
    uint64_t handed_term, applied_term; /* of the entries there; 0: not known                               */
    struct config handed_config, applied_config; /* in force there; handed_config.index 0: as applied       */
    uint32_t proposal_count;

    /* lease.c */
    struct lease lease, lease_next; /* that was won last; that is being won                                  */
    bool lease_over;                /* in this term                                                          */

    /* reads.c */
    uint32_t read_count;
    uint32_t read_beats;           /* heartbeats since the question that is on its way, at most two         */
    uint64_t read_round;           /* a follower's newest batch                                             */
    uint64_t read_beat;            /* a leader's newest round of heartbeats that reads wait for             */
    /* install.c: what lies before the log */
    uint64_t first;                /* entries before it are, or are to be, forgotten                        */
    struct snap snapshot;          /* the newest, from here or from elsewhere                               */
    uint64_t restore;              /* index of the snapshot that has yet to replace the state machine, or 0 */
    bool compact_owed;             /* even if there is no other reason for a job                            */
    struct teak_raft_snapshot lent_snapshot;

    /* streams.c, intake.c: snapshots on their way */
    uint64_t snap_round;           /* the newest of any stream                                              */
    uint64_t beat_bytes;           /* of bodies, asked for in this heartbeat interval, to be sent           */
    uint32_t stream_turn;          /* the stream that is asked for first next time                          */
    struct intake intake;
    struct snap aborted;           /* to be told with ABORT                                                 */
    uint64_t aborted_from;

    struct lane lanes[LANE_COUNT];
    uint64_t ticket;

    /* outbox.c, ready.c: what the last ready lent; enter() takes it back */
    uint32_t send_max, send_count; /* replies that wait for the next ready                                  */
    bool send_lent;
    struct teak_raft_job job;
    uint32_t event_count, events_forgotten;
    bool events_lent;
    struct teak_raft_event events[EVENTS_MAX + 1];
};

static inline void *raft_at(const struct teak_raft *raft, uint32_t offset)
{
    return (uint8_t *)(uintptr_t)raft + offset;
}
static inline struct teak_raft_member *config_members(const struct teak_raft *raft)
{
    return (struct teak_raft_member *)raft_at(raft, raft->config_at);
}
static inline struct teak_raft_member *previous_members(const struct teak_raft *raft)
{
    return (struct teak_raft_member *)raft_at(raft, raft->previous_at);
}
static inline struct teak_raft_member *handed_members(const struct teak_raft *raft)
{
    return (struct teak_raft_member *)raft_at(raft, raft->handed_at);
}
static inline struct teak_raft_member *applied_members(const struct teak_raft *raft)
{
    return (struct teak_raft_member *)raft_at(raft, raft->applied_at);
}
static inline struct peer *peer_at(const struct teak_raft *raft, uint32_t slot)
{
    return (struct peer *)raft_at(raft, raft->peers_at) + slot;
}
static inline struct stream *stream_at(const struct teak_raft *raft, uint32_t number)
{
    return (struct stream *)raft_at(raft, raft->streams_at) + number;
}
static inline struct piece *piece_at(const struct teak_raft *raft, uint32_t number)
{
    const uint32_t window = raft->options.snapshot_window;
    return (struct piece *)raft_at(raft, raft->pieces_at) + (raft->intake.piece_first + number) % window;
}
static inline struct terms raft_terms(const struct teak_raft *raft)
{
    return (struct terms){.runs = (struct term_run *)raft_at(raft, raft->runs_at), .count = raft->run_count,
                          .capacity = raft->options.term_runs};
}
static inline uint64_t min_index(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_index(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* May that log be the member's? While its log is not known, any may. */
static inline bool fits_born(const struct teak_raft_member *member, uint64_t born)
{
    return member->born == 0 || member->born == born;
}

/* Slot of a member of the newest configuration, NO_SLOT: none. */
static inline uint32_t slot_of(const struct teak_raft *raft, uint64_t id)
{
    const struct teak_raft_member *members = config_members(raft);
    for (uint32_t slot = 0; slot < raft->config.count; slot++)
        if (members[slot].id == id) return slot;
    return NO_SLOT;
}

/* Everybody but this node. */
static inline uint32_t others(const struct teak_raft *raft)
{
    return ((UINT32_C(1) << raft->config.count) - 1) & ~raft->config.self;
}
static inline uint32_t all_voters(const struct teak_raft *raft) { return raft->config.voters | raft->config.next; }

#endif
