/* teak/raft.h: the Raft consensus algorithm as a pure core.
 *
 * A node is one replica of one group. It calls nothing: no disk, no socket, no clock, no heap. Inputs go in (messages,
 * proposals, the time), one *ready* comes out (messages to send, a job for the log store, entries to apply, entries
 * wanted back from the store), acknowledgements go back in. The same node runs under a loop of yours, in a simulator
 * and in a model checker.
 *
 * One turn of a driver, for one group or for a thousand:
 *
 *     now = clock();                                     // after the sockets were drained, before anything leaves
 *     for (each message m)           teak_raft_receive(node, &m);
 *     for (each completion c)        teak_raft_persisted(node, c.token, c.outcome);   // or _fetched, _snap_done
 *     teak_raft_tick(node, now);
 *     teak_raft_ready(node, want, &ready);               // want: what can be taken now
 *     if (ready.job)                 submit it to the store, do not wait
 *     for (each of ready.send)       send it, do not wait
 *     if (ready.apply.upto)          restore or apply; then teak_raft_applied(node, ready.apply.upto)
 *     for (each of ready.fetch)      ask the store for the entries
 *     for (each of ready.snap)       read or write a piece of a snapshot; then teak_raft_snap_done
 *     sleep until the earliest of teak_raft_deadline(node), a message, a completion
 *
 * THE PROMISE  An entry that is handed out to be applied is in the log of a majority of voters, durably, and no other
 *              entry will ever be applied at its index, on any node of the cluster.
 *              It holds as long as persisted(DURABLE) is the truth, and no two nodes share an id.
 *
 * GATES  A ready holds only what may leave now. What waits for the disk is state inside the node until it is durable.
 *
 *   message                                    may appear in a ready
 *   -----------------------------------------  -----------------------------------------------------------------
 *   PRE_VOTE, its reply, HEARTBEAT, its reply  at once
 *   READ, its reply                            at once; the reply when a majority has answered a round of heartbeats
 *                                              that was handed out after the READ came
 *   VOTE_REPLY that refuses, APPEND_REPLY
 *     that refuses                             at once
 *   VOTE of term T                             when (T, vote for itself) is durable, and all jobs before it
 *   VOTE_REPLY that grants in term T           when (T, vote for the asker) is durable
 *   APPEND of the leader of T                  when (T, vote for itself) is durable; its entries need not be
 *   APPEND_REPLY that confirms up to m         m = min(durable, verified with the leader of this term)
 *   TIMEOUT_NOW                                when its target has confirmed the leader's last index; of a leader
 *                                              whose store is poisoned at once: the last that it says
 *   SNAPSHOT, SNAPSHOT_REPLY                   at once; that a snapshot is installed says an APPEND_REPLY
 *   own match of a leader                      what is durable
 *   entry i to be applied                      i <= min(commit, durable)
 *   read answered with index i                 i >= all that was committed when it was asked, and i is applied here;
 *                                              by lease: it stands at the `now` of the tick that follows the read
 *   restore of a snapshot                      when the job that puts it in force is durable, behind all that was
 *                                              handed out before
 *
 * OWNERSHIP  Payloads are never copied. An entry points at its bytes, and at the frame that owns them.
 *
 *   field                                      owner              valid until
 *   -----------------------------------------  -----------------  ------------------------------------------------
 *   arrays in teak_raft_ready (send, entries,
 *     fetch, snap, done, reads, events; what   the node           the next call on it that is not const
 *     they point at but for payloads)
 *   entry.data, msg.entries[].data given to
 *     receive, propose, fetched                entry.frame; with  the node holds the frame as long as it has the
 *                                              no frame: caller   entry; with no frame: for ever
 *   chunk.data given to receive, snap_done     chunk.frame        the node holds the frame until it is written, sent
 *   entry.data, chunk.data in a ready          their frame        the next call that is not const; who needs it
 *                                                                 longer holds the frame (teak_raft_hold)
 *     ... of a CONFIG of the node's own making the node: there is   the next call that is not const; who needs it
 *                                              no frame             longer copies the bytes (see below)
 *   configurations of snapshots given to init, caller             the call returns
 *     snapshot_taken, receive
 *   teak_raft_start.configs, .runs             caller             teak_raft_init returns
 *
 * What a ready has without a frame is a NOOP, which has no bytes, a CONFIG of the node's own making, whose bytes are
 * written over in time, or what the caller gave without one. So a driver that queues a message copies the bytes of its
 * entries without a frame; and one that hands it to another node of the process at once does too, into a frame of its
 * own, for that node keeps what it is given.
 *
 * CAVEATS
 *  - One thread per node at a time. Different nodes share nothing but frames, whose count is atomic.
 *  - Times are in a unit of the caller's, from one monotonic clock that counts suspend. 0 is the first valid time.
 *  - What comes from other nodes is judged, never asserted. What contradicts committed state halts this node, never the
 *    process: it answers TEAK_RAFT_HALTED from then on, sends nothing, and its last event names both sides.
 *  - An input that answers anything but TEAK_RAFT_OK or TEAK_RAFT_HALTED has changed nothing that is replicated.
 *    TEAK_RAFT_DROPPED and TEAK_RAFT_BAD_MESSAGE are not errors of the caller's: a network may deliver anything.
 *  - Order of completions: jobs of one node become durable in the order of their tokens.
 *
 * Every function lists: Does, Owner, Threads, Durable, Fails. A status that a card does not list does not come.
 */
#ifndef TEAK_RAFT_H
#define TEAK_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#if defined(__GNUC__) /* a function and a struct of one name are two things: teak_raft_ready, teak_raft_view */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
extern "C" {
#endif

#ifndef TEAK_API
#if defined(__GNUC__)
#define TEAK_API __attribute__((visibility("default")))
#else
#define TEAK_API
#endif
#endif

struct teak_raft;

#define TEAK_RAFT_NEVER UINT64_MAX /* no deadline */
enum { TEAK_RAFT_MEMBERS_MAX = 31 }; /* a constant of the protocol: sets of members are words of 32 bits */

/* X(number, ENUMERATOR, "stable_name", "what it means") */
#define TEAK_RAFT_STATUS_LIST(X)                                                                                       \
    X(0, OK, "ok", "it was done")                                                                                      \
    X(1, MISUSE, "misuse", "an argument or the order of calls is wrong")                                               \
    X(2, NOT_LEADER, "not_leader", "only the leader takes this; the view names it where it is known")                  \
    X(3, BUSY, "busy", "a limit is reached; it clears by itself")                                                      \
    X(4, TOO_LARGE, "too_large", "the entry exceeds entry_bytes_max")                                                  \
    X(5, NO_SPACE, "no_space", "the store has no space for entries")                                                   \
    X(6, LEADER_ALIVE, "leader_alive", "a leader was heard of within the election timeout")                            \
    X(7, NOT_VOTER, "not_voter", "this node has no vote in its configuration, or must not lead")                       \
    X(8, DROPPED, "dropped", "a message of another cluster, group or node, or of a former run")                        \
    X(9, BAD_MESSAGE, "bad_message", "a message that no node of this version sends")                                   \
    X(10, STALE, "stale", "a token or ticket that is not, or no longer, in flight")                                    \
    X(11, DAMAGED, "damaged", "what the store gives cannot be this node's log")                                        \
    X(12, HALTED, "halted", "the node has stopped: see its events")                                                    \
    X(13, TRANSFERRING, "transferring", "leadership is being handed over")                                             \
    X(14, UNKNOWN_MEMBER, "unknown_member", "no such member, or not a voter that could lead")                          \
    X(15, NOT_READY, "not_ready", "the leader has not committed an entry of its own term yet")                         \
    X(16, CHANGE_IN_FLIGHT, "change_in_flight", "a change of membership is not finished")                              \
    X(17, CHANGED, "changed", "the configuration is not the one that the change was computed from")                    \
    X(18, BEHIND, "behind", "a member must have caught up first")                                                      \
    X(19, NO_VOTERS, "no_voters", "a configuration needs a voter")                                                     \
    X(20, APPLIED_TOO_OLD, "applied_too_old", "the state machine lacks entries that only a snapshot has")

enum teak_raft_status {
#define X(number, enumerator, name, text) TEAK_RAFT_##enumerator = (number),
    TEAK_RAFT_STATUS_LIST(X)
#undef X
    TEAK_RAFT_STATUS_COUNT
};

/* The stable name of a status; "unknown" of a number that is none. Threads: any. */
TEAK_API const char *teak_raft_status_name(enum teak_raft_status status);

/* ----------------------------------------------------------------------------------------------- entries and frames */

struct teak_raft_pos {
    uint64_t index, term;
};

/* What must not be forgotten. vote 0: none in this term. commit may lag behind the truth, and never leads it. */
struct teak_raft_hard {
    uint64_t term, vote, commit;
};

/* Memory that entries point into, of one message's or one proposal's entries and sized to them: limits count frames. */
struct teak_raft_frame {
    uint32_t refs;  /* changed by teak_raft_hold and teak_raft_drop only; who makes a frame sets 1      */
    uint32_t bytes; /* of memory that the frame keeps from being freed                                  */
    void (*free)(struct teak_raft_frame *frame); /* called when refs becomes 0, on the thread that dropped */
};

/* Does: one reference more. Threads: any. Durable: nothing. Fails: never; NULL is fine. */
TEAK_API void teak_raft_hold(struct teak_raft_frame *frame);

/* Does: one reference less; the last one frees it. Threads: any. Durable: nothing. Fails: never; NULL is fine. */
TEAK_API void teak_raft_drop(struct teak_raft_frame *frame);

/* Kinds 0 to 15 are Raft's own; from 16 on they are the application's and travel untouched. */
enum { TEAK_RAFT_NOOP = 0, TEAK_RAFT_CONFIG = 1, TEAK_RAFT_KIND_APPLICATION = 16 };

struct teak_raft_entry {
    uint64_t index, term;
    uint64_t tag; /* of the proposal, on the node where it was proposed; 0 elsewhere */
    const uint8_t *data;
    struct teak_raft_frame *frame; /* owns data; NULL: given to a node, data lives as long as it; in a ready, *
                                    * data holds until the next call that is not const: see OWNERSHIP         */
    uint32_t bytes;
    uint8_t kind;
};

/* What is proposed. */
struct teak_raft_blob {
    const uint8_t *data;
    struct teak_raft_frame *frame;
    uint32_t bytes;
    uint8_t kind; /* TEAK_RAFT_KIND_APPLICATION or above */
};

/* ---------------------------------------------------------------------------------------------------------- members */

/* Roles of a member, as bits. A configuration is joint while any member has TEAK_RAFT_VOTER_NEXT or a VOTER is to go:
 * then a decision needs a majority of the VOTERs and one of the VOTER_NEXTs. */
enum {
    TEAK_RAFT_VOTER = 1,      /* votes; in a joint configuration: in the outgoing half           */
    TEAK_RAFT_VOTER_NEXT = 2, /* votes in the incoming half of a joint configuration             */
    TEAK_RAFT_LEARNER = 4     /* receives the log; with VOTER: becomes a learner on leaving joint */
};

struct teak_raft_member {
    uint64_t id;   /* not 0 */
    uint64_t born; /* drawn when its log was created; 0: not known, any will do: a leader fills in that of voters */
    uint8_t roles;
    uint8_t priority; /* who has not the highest of all voters gives way at elections, by one timeout; who leads hands *
                       * over to a higher one that has been fit to lead for four                                    */
};

struct teak_raft_set {
    uint64_t index; /* of its entry; 0: the node has no configuration */
    uint32_t count;
    bool joint;
    const struct teak_raft_member *members; /* ids ascend */
};

/* Bytes of a CONFIG entry of n members. */
#define TEAK_RAFT_CONFIG_BYTES(n) (4u + 18u * (n))

/* -------------------------------------------------------------------------------------------------------- snapshots */

/* A state machine at one position of the log. The core never sees its body, it only names it: the same born, pos,
 * bytes and checksum are the same body, on whatever node. */
struct teak_raft_snapshot {
    struct teak_raft_pos pos;    /* of the last entry that it holds                                             */
    uint64_t born;               /* of the log on which it was taken                                            */
    uint64_t bytes, checksum;    /* of the body; the checksum is the caller's, over all of it                   */
    uint64_t config_index;       /* of the configuration in force at pos                                        */
    const uint8_t *config;       /* ... as bytes of a CONFIG entry                                              */
    uint32_t config_bytes;
};

/* A piece of one. */
struct teak_raft_chunk {
    struct teak_raft_snapshot snapshot;
    uint64_t offset;
    const uint8_t *data;
    struct teak_raft_frame *frame; /* owns data; NULL: data lives as long as the node                           */
    uint32_t bytes;                /* 0: an offer. Where is it to go on?                                        */
};

/* --------------------------------------------------------------------------------------------------------- messages */

enum teak_raft_msg_type {
    TEAK_RAFT_PRE_VOTE = 1,    /* would you vote for me in `term`? at: my last position                          */
    TEAK_RAFT_PRE_VOTE_REPLY,  /* refused or not                                                                 */
    TEAK_RAFT_VOTE,            /* vote for me in `term`. at: my last position                                    */
    TEAK_RAFT_VOTE_REPLY,      /* refused or not                                                                 */
    TEAK_RAFT_APPEND,          /* at: what precedes the entries; index: commit                                   */
    TEAK_RAFT_APPEND_REPLY,    /* index: confirmed up to; refused: `index` precedes what is refused, at: try this */
    TEAK_RAFT_HEARTBEAT,       /* index: commit, no more than the receiver has confirmed; promise: no vote so long */
    TEAK_RAFT_HEARTBEAT_REPLY, /* index: confirmed up to; refused: your term is over; promise: so long           */
    TEAK_RAFT_TIMEOUT_NOW,     /* campaign at once, I hand over                                                  */
    TEAK_RAFT_READ,            /* a follower's reads: how far is what is committed now?                          */
    TEAK_RAFT_READ_REPLY,      /* index: so far; refused: I do not lead                                          */
    TEAK_RAFT_SNAPSHOT,        /* chunk: a piece of one, or an offer                                             */
    TEAK_RAFT_SNAPSHOT_REPLY,  /* at: its position; index: bytes that are written; refused: go on at `index`     */
    TEAK_RAFT_MSG_TYPE_COUNT
};

struct teak_raft_msg {
    uint8_t cluster[16];          /* of all nodes of a cluster the same                                         */
    uint64_t group, from, to;
    uint64_t born, incarnation;   /* of the sender: its log, its process                                        */
    uint64_t term;                /* the sender's; PRE_VOTE: the one it would campaign in                       */
    struct teak_raft_pos at;
    uint64_t index;
    uint64_t round;               /* of who asks; a reply repeats it                                            */
    uint64_t asked;               /* replies: the incarnation of who asked                                      */
    uint64_t promise;             /* HEARTBEAT, its reply: time for which no vote is granted to others; 0: none */
    const struct teak_raft_entry *entries; /* APPEND: contiguous, the first at at.index + 1                     */
    const struct teak_raft_chunk *chunk;   /* SNAPSHOT; else NULL                                               */
    uint32_t count;
    uint8_t type;                 /* enum teak_raft_msg_type                                                    */
    bool refused;
    bool full;                    /* replies: the sender's store has no space for entries                       */
    bool force;                   /* VOTE: the leader asked for this election                                   */
};

/* ------------------------------------------------------------------------------------------------------------- life */

struct teak_raft_options {
    uint64_t id;                    /* this node, not 0                                                        */
    uint8_t cluster[16];            /* drawn when the cluster was founded                                      */
    uint64_t group;                 /* of many on the same nodes                                               */
    uint64_t seed;                  /* of the random election timeouts: another one on each node               */
    uint64_t election;              /* shortest election timeout, longest is twice that; > heartbeat           */
    uint64_t heartbeat;             /* between two rounds of heartbeats, > 0                                   */
    uint64_t disk_stall;            /* a job older than that: the disk is stalled, see docs/raft.md; 0: never  */
    uint64_t promise_max;           /* longest promise to a leader, at most election; 0: none. Lower it only   *
                                     * after the node was down, or leads nobody by lease, for the old one      */
    uint32_t lease_drift_ppm;       /* bound on how far a clock's rate is off, below 500,000; 0: no leases     */
    uint32_t entry_bytes_max;       /* the same on all nodes                                                   */
    uint32_t message_bytes_max;     /* payload in an APPEND; one entry may exceed it                           */
    uint32_t job_bytes_max;         /* payload in a job; one entry may exceed it                               */
    uint32_t apply_bytes_max;       /* payload handed out at a time; one entry may exceed it                   */
    uint32_t tail_bytes_max;        /* of frames held by entries in memory                                     */
    uint32_t window_bytes;          /* sent to a member and not confirmed                                      */
    uint32_t window_messages;       /* APPENDs sent to a member and not confirmed, at least 1                  */
    uint32_t tail_entries;          /* entries in memory, at least 8; what is older is fetched                 */
    uint32_t jobs_max;              /* jobs in flight, at least 1                                              */
    uint32_t reads_max;             /* reads that are not answered, at least 1                                 */
    uint32_t tags_max;              /* runs of proposals whose fate is open, at least 1                        */
    uint32_t term_runs;             /* changes of term that are known by heart, at least 8: a node whose log    *
                                     * has as many above the commit index does not campaign                    */
    uint32_t members_max;           /* 1 to TEAK_RAFT_MEMBERS_MAX; a larger configuration halts the node       */
    uint32_t trailing_entries;      /* kept below a snapshot, for members that lag a little                    */
    uint32_t retain_entries;        /* at most so many are kept for members that lag and for transfers; not    *
                                     * less than trailing_entries                                              */
    uint32_t snapshot_streams;      /* members that get a snapshot at a time, at least 1                       */
    uint32_t snapshot_chunk_bytes;  /* of one message                                                          */
    uint32_t snapshot_window;       /* chunks sent to a member and not written there, 1 to 64                  */
    uint32_t snapshot_beat_bytes;   /* sent to all members in `heartbeat`, which is a rate; the last chunk may *
                                     * exceed it; 0: no bound                                                  */
};

/* Does      Options that suit a group of up to 7 on a local network, time in milliseconds; id, seed, cluster are 0.
 * Owner, Durable  -   Threads any   Fails never */
TEAK_API struct teak_raft_options teak_raft_options_default(void);

enum teak_raft_verdict {
    TEAK_RAFT_WHOLE = 0, /* the store has all that it ever confirmed                                             */
    TEAK_RAFT_TAIL_LOST, /* it may lack what it confirmed: the node must not start, see docs/raft.md             */
    TEAK_RAFT_ROT        /* entries in the middle cannot be read: it votes and follows, but does not lead        */
};

/* What the log store knows. */
struct teak_raft_start {
    struct teak_raft_hard hard;
    uint64_t first;                        /* of the entries that are there; last + 1: none. 0 counts as 1        */
    struct teak_raft_pos last;             /* {0, 0}: an empty log; with no entries the snapshot's or the base's  */
    const struct teak_raft_snapshot *snapshot; /* that the log was told of last; NULL: none                      */
    bool can_restore;                      /* its body is here                                                   */
    uint64_t applied;                      /* by the state machine, durably; 0: it begins anew                   */
    const struct teak_raft_entry *configs; /* the two newest CONFIG entries of the log, ascending, or all        */
    uint32_t config_count;
    const struct teak_raft_pos *runs;      /* the newest places where the term changes, ascending: at least all  */
    uint32_t run_count;                    /* above the commit index, and the one that begins at or below it; of *
                                            * a compacted log the first may be {first - 1, its term}             */
    uint64_t born;                         /* drawn when this log was created, not 0                             */
    uint64_t incarnation;                  /* drawn now, not 0: never used before by any run of this node        */
    enum teak_raft_verdict verdict;
};

/* Does      Says how much memory a node with these options needs. 0: options are not valid.
 * Owner, Durable  -   Threads any   Fails 0 */
TEAK_API size_t teak_raft_size(const struct teak_raft_options *options);

/* Does      Makes a node, a follower, of `block`. Its election timer starts at `now`. A state machine that is behind
 *           the snapshot is restored from it first.
 * Owner     The block is the caller's and the node's until teak_raft_fini. 16-byte aligned. It holds no frames yet.
 * Threads   Any.
 * Durable   Nothing.
 * Fails     MISUSE (options, NULL, block too small, born or incarnation 0) · DAMAGED (verdict TAIL_LOST; applied or
 *           commit beyond the log; a gap between snapshot and first; terms, configurations that no log holds) ·
 *           APPLIED_TOO_OLD (applied is below the snapshot, and its body is not here) */
TEAK_API enum teak_raft_status teak_raft_init(void *block, size_t bytes, const struct teak_raft_options *options,
                                              const struct teak_raft_start *start, uint64_t now,
                                              struct teak_raft **raft_out);

/* Does      Lets go of every frame. The block is the caller's again.   Threads the node's   Fails never */
TEAK_API void teak_raft_fini(struct teak_raft *raft);

/* ----------------------------------------------------------------------------------------------------------- output */

/* What to do at the store, as one atomic batch, in this order: cut, snapshot, append, compact, with the hard state. */
struct teak_raft_job {
    uint64_t token; /* ascends; persisted() repeats it */
    struct teak_raft_hard hard;
    uint64_t cut_from; /* 0, or: forget entries from this index on, first */
    const struct teak_raft_snapshot *snapshot; /* NULL, or: the newest from now on, teak_raft_init wants it     */
    bool clear;                      /* the snapshot came from elsewhere: no entry stays, the log goes on behind it */
    const struct teak_raft_entry *entries;
    uint32_t count;
    uint64_t compact_to;             /* 0, or: entries up to this index may be forgotten               */
    bool urgent;                     /* it carries a new term or vote: do not let it linger            */
    uint64_t after_first;            /* no entry from here to after_last may be missing afterwards     */
    struct teak_raft_pos after_last; /* the log must end here afterwards                               */
};

struct teak_raft_apply {
    const struct teak_raft_snapshot *restore; /* not NULL: replace the state machine by this, nothing else          */
    const struct teak_raft_entry *entries;    /* kinds of the application only                                      */
    uint32_t count;
    uint64_t upto; /* 0: nothing to apply; else all up to here is handed out, Raft's own entries included */
};

/* What to do with the body of a snapshot. Answered by teak_raft_snap_done, each operation of a member in order, but for
 * ABORT and CLOSE, which need no answer. */
enum teak_raft_snap_op {
    TEAK_RAFT_SNAP_READ = 1, /* `bytes` at `offset` of this node's snapshot, for member `peer`                  */
    TEAK_RAFT_SNAP_CLOSE,    /* no more of it is read for `peer`                                                */
    TEAK_RAFT_SNAP_BEGIN,    /* this snapshot comes in: how many bytes of it are here, of an earlier time?      */
    TEAK_RAFT_SNAP_WRITE,    /* `bytes` at `offset`, where the last write ended                                 */
    TEAK_RAFT_SNAP_FINISH,   /* all is written: verify the checksum, make it durable; it is not in force yet    */
    TEAK_RAFT_SNAP_ABORT     /* it is not wanted any more: what came of it may be removed                       */
};

struct teak_raft_snap_io {
    uint64_t ticket;
    enum teak_raft_snap_op op;
    uint64_t peer;                     /* READ, CLOSE: for whom; else: from whom */
    struct teak_raft_snapshot snapshot;
    uint64_t offset;
    const uint8_t *data;
    struct teak_raft_frame *frame;
    uint32_t bytes;
};

/* Entries wanted back. Answered by teak_raft_fetched. */
struct teak_raft_fetch {
    uint64_t ticket, first, last;
    uint32_t bytes_max; /* of payload; one entry may exceed it                                              */
    bool to_apply;      /* for the state machine, else for a member. For an older one of the same kind that *
                         * was not answered nobody waits any more                                           */
};

enum teak_raft_fate {
    TEAK_RAFT_COMMITTED = 1, /* it will be applied everywhere                                                   */
    TEAK_RAFT_LOST,          /* it will never be: another entry is committed in its place, or one of a later term *
                              * before it                                                                       */
    TEAK_RAFT_UNKNOWN        /* the node halted, or a snapshot hides its place: it may be committed, or never   */
};

/* What became of proposals: tags first_tag .. first_tag + count - 1, at first_index and on. */
struct teak_raft_done {
    uint64_t first_tag, first_index, term;
    uint32_t count;
    enum teak_raft_fate fate;
};

enum teak_raft_read_fate {
    TEAK_RAFT_READ_OK = 1,      /* serve it now: what was committed when it was asked is applied here           */
    TEAK_RAFT_READ_LOST_LEADER, /* who was asked leads no more                                                  */
    TEAK_RAFT_READ_TIMEOUT,     /* no answer, or not applied here, within an election timeout                   */
    TEAK_RAFT_READ_HALTED       /* the node halted                                                              */
};

/* What became of a read. Each is answered once. */
struct teak_raft_answer {
    uint64_t tag;
    uint64_t index; /* READ_OK: what is applied here reaches it; else 0 */
    enum teak_raft_read_fate fate;
};

enum teak_raft_event_type {
    TEAK_RAFT_EVENT_TERM = 1,       /* a: term, b: leader of it, 0 while there is none known                    */
    TEAK_RAFT_EVENT_LEADING,        /* a: term. Elected: fence others off with it                               */
    TEAK_RAFT_EVENT_LEADING_READY,  /* a: term, b: index. An entry of its own is committed: all before is known */
    TEAK_RAFT_EVENT_CONFIG,         /* a: index, b: members. In force from now on                               */
    TEAK_RAFT_EVENT_PEER_REPLACED,  /* a: id, b: born. It is not the member of that id: it does not count.      *
                                     * Its own id, when it hears of no leader: a committed configuration lets   *
                                     * it vote, and names another log. Who is being brought back may find that  *
                                     * in what it is sent of older times                                        */
    TEAK_RAFT_EVENT_PEER_LOST_DATA, /* a: id, b: what it lacks of what it had confirmed begins here             */
    TEAK_RAFT_EVENT_HALTED,         /* a: why (enum teak_raft_halt), b: the index, term or id it is about       */
    TEAK_RAFT_EVENT_FORGOTTEN,      /* a: so many events were not fetched in time                               */
    TEAK_RAFT_EVENT_SNAPSHOT,       /* a: index, b: its sender. A snapshot is about to be put in force          */
    TEAK_RAFT_EVENT_SNAPSHOT_FAILED /* a: index, b: id of the other node. A body cannot be read, or written     */
};

enum teak_raft_halt {
    TEAK_RAFT_HALT_POISONED = 1,      /* the store said so                                                      */
    TEAK_RAFT_HALT_TWO_LEADERS,       /* b: id of the second leader of one term                                 */
    TEAK_RAFT_HALT_COMMITTED_DIFFERS, /* b: index of an entry that contradicts what is committed or confirmed   */
    TEAK_RAFT_HALT_MEMBERS,           /* b: index of a configuration of more members than members_max           */
    TEAK_RAFT_HALT_STORE              /* b: index that the store answers with something else than it was given  */
};

struct teak_raft_event {
    enum teak_raft_event_type type;
    uint64_t a, b;
};

/* What the caller can take now. What is not wanted stays, and grows together into fewer, larger pieces. */
enum {
    TEAK_RAFT_SEND = 1,
    TEAK_RAFT_PERSIST = 2, /* want it only when the store takes job_bytes_max */
    TEAK_RAFT_APPLY = 4,
    TEAK_RAFT_FETCH = 8,
    TEAK_RAFT_SNAP = 16,
    TEAK_RAFT_ALL = 31
};

struct teak_raft_ready {
    const struct teak_raft_msg *send;
    const struct teak_raft_job *job; /* NULL: none */
    struct teak_raft_apply apply;
    const struct teak_raft_fetch *fetch;
    const struct teak_raft_snap_io *snap;
    const struct teak_raft_done *done;     /* always */
    const struct teak_raft_answer *reads;  /* always */
    const struct teak_raft_event *events;  /* always */
    uint32_t send_count, fetch_count, snap_count, done_count, read_count, event_count;
};

/* Does      Says whether teak_raft_ready is to be called. false: with TEAK_RAFT_ALL it would hand out nothing. true: it
 *           hands something out, or, seldom, finds out that what was wanted is not any more; then this is false.
 * Owner, Durable  -   Threads the node's   Fails never */
TEAK_API bool teak_raft_has_ready(const struct teak_raft *raft);

/* Does      Hands out what may leave now and is wanted, once. Call again while teak_raft_has_ready: arrays are bounded.
 * Owner     The node's, valid until the next call on it that is not const.
 * Threads   The node's.
 * Durable   What it hands out depends on nothing that is not durable: see the table of gates.
 * Fails     MISUSE (unknown bits in want, NULL) */
TEAK_API enum teak_raft_status teak_raft_ready(struct teak_raft *raft, uint32_t want, struct teak_raft_ready *out);

/* Does      The time at which teak_raft_tick is to be called at the latest, TEAK_RAFT_NEVER: no timer runs.
 * Owner, Durable  -   Threads the node's   Fails never */
TEAK_API uint64_t teak_raft_deadline(const struct teak_raft *raft);

/* ----------------------------------------------------------------------------------------------------------- inputs */

/* Does      Tells the time. Timers that have run out do what they are for. What was received since the last tick counts
 *           as received now: a promise never ends before its time.
 * Owner     -
 * Threads   The node's.
 * Durable   Nothing.
 * Fails     MISUSE (now goes back) · HALTED */
TEAK_API enum teak_raft_status teak_raft_tick(struct teak_raft *raft, uint64_t now);

/* Does      Takes a message of another node.
 * Owner     The message is the caller's. Frames of entries that are kept are held.
 * Threads   The node's.
 * Durable   Nothing.
 * Fails     DROPPED (not for this node, or from a former run) · BAD_MESSAGE · MISUSE (NULL) · HALTED (it is, or the
 *           message made it) */
TEAK_API enum teak_raft_status teak_raft_receive(struct teak_raft *raft, const struct teak_raft_msg *msg);

/* Does      Appends blobs to the leader's log: a prefix of `count`, as many as limits allow. The fate of tags
 *           first_tag, first_tag + 1, ... comes in `done`.
 * Owner     Frames of what is taken are held; those of the rest are not touched.
 * Threads   The node's.
 * Durable   When the fate is COMMITTED, on a majority.
 * Fails     NOT_LEADER · BUSY (none fits now) · TOO_LARGE (the first) · NO_SPACE · TRANSFERRING · MISUSE (no blob, or
 *           a kind below TEAK_RAFT_KIND_APPLICATION) · HALTED */
TEAK_API enum teak_raft_status teak_raft_propose(struct teak_raft *raft, const struct teak_raft_blob *blobs,
                                                 uint32_t count, uint64_t first_tag, uint32_t *taken_out);

enum teak_raft_read_mode {
    TEAK_RAFT_READ_INDEX = 0, /* a round of heartbeats confirms it                                               */
    TEAK_RAFT_READ_LEASE      /* on a leader whose lease stands at the next tick: at once; else as READ_INDEX     */
};

/* Does      Asks how far this node has to have applied for a read to see all that was committed before. The answer
 *           comes in `reads` of a ready, when it has: see enum teak_raft_read_fate. A leader asks a majority by a round
 *           of heartbeats, one for all reads that came before it; any other member asks the leader. A leader that has
 *           not committed an entry of its term yet keeps it waiting. READ_LEASE is judged by the `now` of the next
 *           teak_raft_tick: that clock has to be read after the read came.
 * Owner     -
 * Threads   The node's.
 * Durable   Nothing: reads change nothing.
 * Fails     NOT_LEADER (no leader is known) · BUSY (reads_max) · HALTED · MISUSE (NULL, mode) */
TEAK_API enum teak_raft_status teak_raft_read(struct teak_raft *raft, uint64_t tag, enum teak_raft_read_mode mode);

/* Does      Campaigns now, without waiting for the timer: a pre-vote, then a vote.
 * Owner     -
 * Threads   The node's.
 * Durable   Nothing.
 * Fails     LEADER_ALIVE · NOT_VOTER (not in its configuration, or named there with another log; rotten, stalled, no
 *           room for a leader's first entry) · BUSY (its vote of an election that runs is not durable yet) · HALTED */
TEAK_API enum teak_raft_status teak_raft_campaign(struct teak_raft *raft);

/* Does      Hands leadership to a voter, 0: the one that is furthest. It is told to campaign when it has the whole
 *           log; until then, or an election timeout, proposals are refused.
 * Owner     -
 * Threads   The node's.
 * Durable   Nothing.
 * Fails     NOT_LEADER · UNKNOWN_MEMBER (not another voter) · TRANSFERRING (already) · BEHIND (not heard of of late) ·
 *           HALTED */
TEAK_API enum teak_raft_status teak_raft_transfer(struct teak_raft *raft, uint64_t to);

/* Does      Appends a change of membership: the whole wanted set, computed from the configuration at `seen`. Roles
 *           wanted are TEAK_RAFT_VOTER or TEAK_RAFT_LEARNER. One step where voters stay the same; else joint, and left
 *           by itself.
 * Owner     Members are copied.
 * Threads   The node's.
 * Durable   When the configuration is committed: see the view.
 * Fails     NOT_LEADER · NOT_READY · CHANGE_IN_FLIGHT · CHANGED (not `seen`) · NO_VOTERS · BEHIND (a new voter has to
 *           be a learner that has caught up) · BUSY (limits) · NO_SPACE · TRANSFERRING · MISUSE (ids do not ascend,
 *           roles, too many, born is neither 0 nor the one that is known: what the configuration says, else of the log
 *           that this leader hears from) · HALTED */
TEAK_API enum teak_raft_status teak_raft_change(struct teak_raft *raft, uint64_t seen,
                                                const struct teak_raft_member *members, uint32_t count);

/* Does      Says that messages to a member get lost: what is on its way is sent anew after the next sign of life.
 * Owner     -
 * Threads   The node's.
 * Durable   Nothing.
 * Fails     UNKNOWN_MEMBER · HALTED */
TEAK_API enum teak_raft_status teak_raft_unreachable(struct teak_raft *raft, uint64_t peer);

/* ------------------------------------------------------------------------------------------------- acknowledgements */

enum teak_raft_outcome {
    TEAK_RAFT_DURABLE = 1, /* persisted: this job and all before it                                             */
    TEAK_RAFT_NO_ROOM,     /* persisted: no space; neither this job nor a later one was or will be done         */
    TEAK_RAFT_POISONED,    /* persisted: nobody knows what is on the medium                                     */
    TEAK_RAFT_FETCHED,     /* fetched: here they are                                                            */
    TEAK_RAFT_CORRUPT,     /* fetched: one of them cannot be read; the node leads no more. snap_done: a body    *
                            * cannot be read or written, or its checksum is wrong: begin anew                   */
    TEAK_RAFT_DONE         /* snap_done: it is done                                                             */
};

/* Does      Tells what became of a job. DURABLE: all up to `token`. NO_ROOM: this job and those behind it are taken
 *           back, and until teak_raft_room no job has entries. POISONED: the node halts; a leader asks the best
 *           voter to campaign.
 * Owner     -
 * Threads   The node's.
 * Durable   It says so.
 * Fails     STALE (no such job in flight) · MISUSE (an outcome that is not for jobs) · HALTED */
TEAK_API enum teak_raft_status teak_raft_persisted(struct teak_raft *raft, uint64_t token,
                                                   enum teak_raft_outcome outcome);

/* Does      Tells that the store has space for entries again, or has none.
 * Owner, Durable  -   Threads the node's   Fails HALTED */
TEAK_API enum teak_raft_status teak_raft_room(struct teak_raft *raft, bool has_room);

/* Does      Tells that all up to `index` is applied. To be called for each apply that was handed out, in any
 *           granularity.
 * Owner, Durable  -   Threads the node's
 * Fails     MISUSE (beyond what was handed out, or back) · HALTED */
TEAK_API enum teak_raft_status teak_raft_applied(struct teak_raft *raft, uint64_t index);

/* Does      Answers a fetch: entries from its first on, at least one, and the term of the entry before (0 of index 0).
 * Owner     Frames are held as long as the node needs them.
 * Threads   The node's.
 * Durable   Nothing.
 * Fails     STALE (the ticket is no longer wanted: fine) · MISUSE (not what was asked for; an outcome that is not for
 *           fetches) · HALTED (it is, or the entries contradict what the node knows) */
TEAK_API enum teak_raft_status teak_raft_fetched(struct teak_raft *raft, uint64_t ticket,
                                                 enum teak_raft_outcome outcome, uint64_t term_before,
                                                 const struct teak_raft_entry *entries, uint32_t count);

/* Does      Tells that an operation on a body is done. READ: DONE with `data`, all that was asked for. BEGIN: DONE with
 *           the offset at which to go on, what is below it is here. WRITE, FINISH: DONE; NO_ROOM: what came stays, and
 *           the leader tries again. Any: CORRUPT.
 * Owner     The frame of `data` is held until it was sent.
 * Threads   The node's.
 * Durable   FINISH: the body is, by the caller's word.
 * Fails     STALE (not wanted any more: fine) · MISUSE (an outcome that is not for this operation; not what was asked
 *           for; not the oldest of the open writes) · HALTED */
TEAK_API enum teak_raft_status teak_raft_snap_done(struct teak_raft *raft, uint64_t ticket,
                                                   enum teak_raft_outcome outcome, uint64_t offset,
                                                   const struct teak_raft_blob *data);

/* ------------------------------------------------------------------------------------------- snapshots of one's own */

/* Does      Says what a snapshot of the state machine holds if it is taken now: position and configuration at
 *           `applied`. bytes and checksum of the body are the caller's to fill in.
 * Owner     out->config points at `config`, which is the caller's; TEAK_RAFT_CONFIG_BYTES(members_max) suffice.
 * Threads   The node's.
 * Durable   Nothing.
 * Fails     NOT_READY (nothing is applied, or its term is not known by heart: after the next applied()) · MISUSE
 *           (NULL, capacity) · HALTED */
TEAK_API enum teak_raft_status teak_raft_snapshot_point(const struct teak_raft *raft, uint8_t *config, size_t capacity,
                                                        struct teak_raft_snapshot *out);

/* Does      Tells that a snapshot is taken, and its body durable. The log is told in the next job, and forgets what no
 *           member needs; whoever needs what is forgotten gets the snapshot. It is to be readable until the job that
 *           names a newer one is durable, for the next start may name it, and CLOSE has come for each member it was
 *           read for.
 * Owner     Copied.
 * Threads   The node's.
 * Durable   The body is, by the caller's word.
 * Fails     STALE (not newer than the one there is) · MISUSE (beyond what is applied; a position, a configuration that
 *           is none; more members than members_max) · HALTED */
TEAK_API enum teak_raft_status teak_raft_snapshot_taken(struct teak_raft *raft,
                                                        const struct teak_raft_snapshot *snapshot);

/* --------------------------------------------------------------------------------------------------------- founding */

/* Does      Makes the first entry of a new log, the founding configuration at (1, term 1), and the job that stores it.
 *           The same on every founding voter, only into an empty log; then teak_raft_init with what the store has.
 * Owner     `bytes` (TEAK_RAFT_CONFIG_BYTES(count)) and `entry` are the caller's; the job points at them.
 * Threads   Any.
 * Durable   When the store has done the job.
 * Fails     MISUSE (no members, too many, ids do not ascend, roles other than VOTER and LEARNER, capacity) ·
 *           NO_VOTERS */
TEAK_API enum teak_raft_status teak_raft_bootstrap(const struct teak_raft_member *members, uint32_t count,
                                                   uint8_t *bytes, size_t capacity, struct teak_raft_entry *entry,
                                                   struct teak_raft_job *job_out);

/* Does      Names a cluster after its founding configuration: nodes that were founded with different members are
 *           strangers, and drop each other's messages. Another salt, another name.
 * Owner     The caller's.
 * Threads   Any.
 * Durable   Nothing: the caller keeps it and gives it to teak_raft_init in the options.
 * Fails     as teak_raft_bootstrap */
TEAK_API enum teak_raft_status teak_raft_name_cluster(const struct teak_raft_member *members, uint32_t count,
                                                      uint64_t salt, uint8_t cluster_out[16]);

/* How a survivor goes on. */
struct teak_raft_recovery {
    uint8_t cluster[16];                    /* the new name, another one than options.cluster                    */
    const struct teak_raft_member *members; /* of the new configuration; this node is a voter among them         */
    uint32_t count;
    uint8_t *bytes;                         /* TEAK_RAFT_CONFIG_BYTES(count), for the entry                      */
    size_t capacity;
};

/* What that means: entries from committed + 1 to last were not known to be committed, and are now. */
struct teak_raft_recovered {
    struct teak_raft_pos last;
    uint64_t committed;
    bool may_lack; /* the store may have lost what this node had confirmed: committed entries may be gone */
};

/* Does      For a cluster whose majority is gone for ever: the entry and the job by which one survivor goes on, in
 *           a new configuration, a new term and a new cluster. All that is in its log is committed by that. Offline, on
 *           one survivor, never on two. On which: the report says of each, before anything is done, what it knows to be
 *           committed; of those whose logs have the entry at the highest such index, the one with the highest
 *           last.term, and of those the highest last.index. Write the new name down before the store gets the job.
 *           Whoever else comes back begins with an empty log, under an id that was not used before. When the store has
 *           done the job: teak_raft_init with the new name in the options.
 * Owner     bytes and `entry` are the caller's; the job points at them.
 * Threads   Any.
 * Durable   When the store has done the job.
 * Fails     MISUSE (NULL; members as in teak_raft_bootstrap, or more than members_max; this node is no voter among
 *           them, or another born; the old name; capacity) · NO_VOTERS · DAMAGED (an empty log, rot, or a start that no
 *           log gives) */
TEAK_API enum teak_raft_status teak_raft_recover(const struct teak_raft_options *options,
                                                 const struct teak_raft_start *start,
                                                 const struct teak_raft_recovery *recovery,
                                                 struct teak_raft_entry *entry, struct teak_raft_job *job_out,
                                                 struct teak_raft_recovered *report_out);

/* ---------------------------------------------------------------------------------------------------------- looking */

enum teak_raft_role { TEAK_RAFT_FOLLOWER = 0, TEAK_RAFT_PRE_CANDIDATE, TEAK_RAFT_CANDIDATE, TEAK_RAFT_LEADER };

struct teak_raft_view {
    enum teak_raft_role role;
    bool halted, has_room, rotten;
    bool stalled;                               /* its oldest job is older than disk_stall                       */
    bool leased;                                /* a leader whose lease stands at the last tick                  */
    uint64_t id, term, vote, leader;            /* 0: none known                                                 */
    uint64_t first;                             /* of the entries that the log keeps                             */
    struct teak_raft_pos last, snapshot;        /* the newest; {0, 0}: none                                      */
    uint64_t commit, durable, verified;         /* verified: known to agree with the leader of this term         */
    uint64_t handed, applied;                   /* to the state machine                                          */
    uint64_t durable_term, durable_vote;
    uint64_t tail_first;                        /* entries in memory begin here                                  */
    uint64_t tail_bytes;                        /* of frames held by them                                        */
    uint64_t config_index;                      /* of the configuration in force                                 */
    uint64_t vote_round;                        /* of its elections                                              */
    uint64_t transferring;                      /* to this member, 0: no                                         */
    uint32_t jobs, proposals, reads;            /* in flight; runs whose fate is open; not answered              */
};

enum teak_raft_progress {
    TEAK_RAFT_PROBE = 0, /* one APPEND at a time, until the logs are known to agree            */
    TEAK_RAFT_REPLICATE, /* a window of APPENDs                                                */
    TEAK_RAFT_NEEDS_SNAPSHOT /* the log does not reach back to where it is                     */
};

struct teak_raft_peer_view {
    struct teak_raft_member member;
    enum teak_raft_progress progress;
    uint64_t match, next;
    uint32_t in_flight, in_flight_bytes;
    bool paused; /* a probe is on its way   */
    bool full;   /* its store has no space  */
    bool heard;  /* since the last count    */
};

/* Does      Fills in what there is to see of the node.   Owner the caller's   Threads the node's   Fails never */
TEAK_API void teak_raft_view(const struct teak_raft *raft, struct teak_raft_view *out);

/* Does      The same of member number `slot`, itself included; what is replicated is known on a leader only.
 * Owner     The caller's.   Threads the node's   Fails false: no such slot */
TEAK_API bool teak_raft_peer(const struct teak_raft *raft, uint32_t slot, struct teak_raft_peer_view *out);

/* Does      The configuration in force.   Owner the node's, until the next call that is not const   Threads the node's
 * Fails     never */
TEAK_API void teak_raft_config(const struct teak_raft *raft, struct teak_raft_set *out);

/* Does      The term of the entry at `index`. 0: not known by heart, or no such entry.   Threads any   Fails 0 */
TEAK_API uint64_t teak_raft_term_at(const struct teak_raft *raft, uint64_t index);

#ifdef __cplusplus
}
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#endif

#endif
