/* teak/engine.h: a durable log store for Raft.
 *
 * A store is one directory. It holds any number of logs, each the log of one Raft group: contiguous entries {index,
 * term, kind, bytes}, a hard state {term, vote, commit}, a base and a snapshot boundary. Batches of operations on any
 * logs go in; each becomes durable whole or not at all; completions come back in the order of submission.
 *
 *     struct teak_options options = teak_options_default();
 *     struct teak_store *store;
 *     struct teak_completion done[64];
 *     uint32_t count;
 *     options.create = true;
 *     if (teak_open("data", &options, &store, NULL, NULL) != TEAK_OK) return 1;
 *     teak_create_log(store, 7, 0, NULL);
 *     for (uint64_t index = 1; index <= 100; index++)
 *         while (teak_append(store, 7, index, 1, "hello", 5, index, NULL) == TEAK_FULL)
 *             teak_poll(store, TEAK_FOREVER, done, 64, &count, NULL);
 *     teak_drain(store, NULL);                        // all of it survives a power cut from here on
 *     teak_close(store, NULL);
 *
 * THE PROMISE  A batch whose completion said TEAK_OK is there after a crash or a power cut, or opening says
 *              TEAK_DAMAGED.
 *
 * CAVEATS, before the calls
 *  - One thread drives a store: it submits, polls and reads. Only the first call that drives decides which thread it
 *    is.
 *  - Payloads are copied before teak_submit returns. What a read returns points into the store's memory and holds until
 *    the next call that drives the store or uses the same cursor.
 *  - Entries can be read before they are durable. teak_log says how far they are.
 *  - After TEAK_POISONED nothing more is written. Durable entries can still be read. Close, reopen, look.
 *  - A strategy of TEAK_NONE makes no promise at all.
 *  - Times are nanoseconds, sizes bytes.
 *
 * Every function lists: Does, Owner, Threads, Durable, Fails. `error` may be NULL everywhere; where it is not it is
 * filled if, and only if, the call does not answer TEAK_OK.
 */
#ifndef TEAK_ENGINE_H
#define TEAK_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "teak/event.h"
#include "teak/status.h"

/* A struct and a function may bear one name, as stat does; g++ -Wshadow would say so of each. */
#if defined(__cplusplus) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#ifdef __cplusplus
extern "C" {
#endif

#define TEAK_VERSION_MAJOR 0
#define TEAK_VERSION_MINOR 1
#define TEAK_VERSION_PATCH 0

struct teak_store;
struct teak_cursor;
struct teak_hold;
struct teak_reader;

#define TEAK_FOREVER UINT64_MAX
#define TEAK_NO_DEADLINE UINT64_MAX

/* An entry's place in a log. */
struct teak_pos {
    uint64_t index, term;
};

/* ------------------------------------------------------------------------------------------------- options and open */

/* How frames become durable; docs/tuning.md, docs/durability.md. */
enum teak_strategy {
    TEAK_AUTO = 0,      /* a choice per frame: DSYNC, or a sync shared with one that still lacks it    */
    TEAK_DSYNC = 1,     /* each frame is one O_DIRECT write with RWF_DSYNC                             */
    TEAK_FDATASYNC = 2, /* O_DIRECT writes in flight, one fdatasync per file for all that completed    */
    TEAK_BUFFERED = 3,  /* writes through the page cache and fdatasync                                 */
    TEAK_NONE = 4,      /* no sync at all: for tests and throw-away stores                             */
    TEAK_STRATEGY_COUNT
};

enum teak_backend {
    TEAK_BACKEND_AUTO = 0, /* uring, else posix with a notice in the report */
    TEAK_BACKEND_URING = 1,
    TEAK_BACKEND_POSIX = 2,
    TEAK_BACKEND_COUNT
};

/* What opening does where acknowledged data is damaged; docs/recovery.md. */
enum teak_on_damage {
    TEAK_REFUSE = 0,     /* answer TEAK_DAMAGED and leave everything as it is                           */
    TEAK_QUARANTINE = 1, /* open: logs that are or may be hurt bear a mark until they are dropped, are
                          * read up to the last whole entry and take nothing but DROP; the others live  */
    TEAK_ON_DAMAGE_COUNT
};

/* 0 in a size or count means: the store's default, else the engine's. */
struct teak_options {
    bool create;             /* begin a store where there is none                                       */
    bool read_only;          /* look, beside a living writer too; write nothing                         */
    enum teak_backend backend;
    enum teak_strategy strategy;
    uint32_t block_bytes;    /* at creation: 4096 to 65536, power of two. Later: must match, or 0       */
    uint64_t segment_bytes;  /* at creation: 64 KiB to 1 GiB, multiple of 64 KiB. Later: match, or 0    */
    uint64_t arena_bytes;    /* memory that frames are built in and read back from; see teak_limits     */
    uint32_t in_flight;      /* frames written at a time, 1 to 64; 4, and 3 under a committer           */
    uint32_t group_bytes;    /* a frame is closed when it reaches this size                             */
    uint64_t linger_ns;      /* a frame waits this long for siblings; 0 to 1 s                          */
    uint32_t spares;         /* zero-filled segments kept ready besides the next one, 1 to 1024         */
    uint64_t lock_wait_ns;   /* how long to wait for a dead owner's last writes; default 10 s           */
    enum teak_on_damage on_damage;
    uint64_t move_bytes_per_second; /* at most so much is moved out of old segments; 0: twice what is written,
                              * TEAK_FOREVER: nothing is                                               */
    uint64_t stall_ns;       /* a write or sync that takes longer is an event; 0: 1 s; TEAK_FOREVER: none */
    uint64_t space_low_bytes; /* less free space than this is an event; 0: four segments                 */
    teak_event_fn on_event;  /* told what happens: teak/event.h; NULL: nobody                           */
    teak_log_fn on_log;      /* told the same as a line of text                                         */
    void *event_context;     /* of both                                                                 */
    uint64_t stats_interval_ns; /* between two writes of the numbers into the file STATS, for `teak stats`,
                              * 0: a second, TEAK_FOREVER: never                                       */
};

/* The engine's defaults. Threads: any. */
TEAK_API struct teak_options teak_options_default(void);

/* What a store says where an opening says 0; 0 here: the engine's own. An opening cannot ask for the engine's own where
 * the store has another: it names it (TEAK_DSYNC is nearest to TEAK_AUTO, a linger of 1 ns is none). */
struct teak_defaults {
    enum teak_strategy strategy; /* any but TEAK_NONE */
    uint32_t in_flight, group_bytes, spares;
    uint64_t arena_bytes, linger_ns;
};

/* teak_defaults_get: what a store's defaults are.
 * Does      Looks as a read-only opening does, beside a living writer too.
 * Owner     Copied out.
 * Threads   Any.
 * Durable   Says nothing of it.
 * Fails     INVALID · as teak_open with read_only. */
TEAK_API enum teak_status teak_defaults_get(const char *directory, struct teak_defaults *out, struct teak_error *error);

/* teak_defaults_set: a store's defaults become these.
 * Does      Opens the store as a writer does, and replaces the file STORE. They hold from the next opening on. Block
 *           and segment size are no defaults: they are fixed for the store's life.
 * Owner     Nothing is kept.
 * Threads   Any.
 * Durable   When it answers TEAK_OK. A crash before leaves the old ones or the new ones.
 * Fails     INVALID · OPTIONS (one is out of its range, or does not go with the store's segments) · LOCKED (a writer
 *           has it open) · as teak_open; then nothing was changed. With IO, NO_SPACE or NO_MEMORY the old ones hold,
 *           or, where only the last sync failed, the new ones, which a power cut may undo: repeat it. */
TEAK_API enum teak_status teak_defaults_set(const char *directory, const struct teak_defaults *defaults,
                                            struct teak_error *error);

enum teak_verdict {
    TEAK_VERDICT_CREATED = 0, /* a new store                                                            */
    TEAK_VERDICT_CLEAN = 1,   /* closed by teak_close                                                   */
    TEAK_VERDICT_UNCLEAN = 2, /* not closed, nothing incomplete at the end                              */
    TEAK_VERDICT_CUT = 3,     /* not closed; frames that nobody was told of were cut: information       */
    TEAK_VERDICT_DAMAGED = 4, /* the answer is TEAK_DAMAGED, the ranges say what is hurt                */
    TEAK_VERDICT_QUARANTINED = 5, /* opened although damaged: the ranges say where, the logs' marks whom */
};

/* A place that is damaged. log 0 and first 0: no table could be read, only LSNs are known. */
struct teak_damage {
    uint64_t segment, offset;    /* where the damage was met                              */
    uint64_t first_lsn, last_lsn;
    uint64_t log, first, last;   /* entries of one log that are hurt or missing           */
    bool has_log;
    bool is_snapshot;            /* of the log's snapshot file: `last` is its index, `offset` is in it */
};
enum { TEAK_DAMAGE_MAX = 32, TEAK_UNKNOWN_NAMES_MAX = 8, TEAK_SNAPSHOTS_MISSING_MAX = 8 };

/* What opening found. A torn tail is information, not an error. */
struct teak_report {
    enum teak_verdict verdict;
    uint64_t segments, sealed, scanned, spares;    /* files                                             */
    uint64_t logs;
    uint64_t last_lsn;                             /* of the last whole frame                           */
    uint64_t scanned_frames, scanned_bytes;
    uint64_t cut_segment, cut_offset, cut_bytes, cut_frames; /* verdict CUT: where, and what was discarded   */
    bool backend_fell_back;                        /* uring was wanted, posix is what there is           */
    int backend_errno;                             /* why                                                */
    char backend[8];                               /* "uring", "posix"                                   */
    bool direct_io;                                /* false: the file system has no O_DIRECT             */
    uint64_t lock_wait_ns, list_ns, sync_ns, sealed_ns, scan_ns, total_ns;
    uint32_t damage_count;                         /* may exceed TEAK_DAMAGE_MAX: the first are listed   */
    struct teak_damage damage[TEAK_DAMAGE_MAX];
    bool hard_states_suspect;                      /* what is damaged may have held a newer hard state   */
    uint32_t snapshot_files;                       /* that records name                                  */
    uint32_t snapshots_missing;                    /* of them not there: acknowledged data is lost. The store opens:
                                                    * a newer snapshot from a peer heals the log, teak/snapshot.h */
    uint64_t snapshot_missing_of[TEAK_SNAPSHOTS_MISSING_MAX]; /* logs, the first few                      */
    uint64_t quarantined;                          /* logs that bear a mark, of this damage or earlier   */
    bool logs_may_be_missing;                      /* what is damaged may have created logs              */
    uint32_t unknown_count;                        /* names in the directory that mean nothing to Teak   */
    char unknown[TEAK_UNKNOWN_NAMES_MAX][48];
};

/* teak_open: open a store, or create one where options->create says so.
 * Does      Takes the lock; syncs and reads what a crash may have left; decides what is whole (docs/recovery.md).
 *           Writes nothing into an existing store before the first batch.
 * Owner     The store is the caller's until teak_close or teak_abandon. `report` may be NULL; it is filled on failure
 *           too.
 * Threads   Any; the store then belongs to the first thread that drives it.
 * Durable   A store just created is durable when the call returns.
 * Fails     OPTIONS · NO_DIRECTORY (its parent is missing) · NOT_A_STORE · STORE_LOST · BAD_MAGIC · HASH_MISMATCH ·
 *           VERSION · FEATURE · BLOCK_SIZE · LOCKED · READ_ONLY_FS · FOREIGN_FILE · SEGMENT_MISSING · SEGMENT_SHORT ·
 *           DAMAGED · DECODE · NO_SPACE · NO_BACKEND · DENIED · NO_MEMORY · IO. Nothing was written, except by a
 *           creation that failed half-way. */
TEAK_API enum teak_status teak_open(const char *directory, const struct teak_options *options, struct teak_store **out,
                                    struct teak_report *report, struct teak_error *error);

/* teak_close: make everything durable, mark the store clean, free it.
 * Does      Completes what is pending (its completions are not reported: drain first to see them), indexes closed
 *           segments.
 * Owner     The store is gone whatever the answer, but for WRONG_THREAD and IN_CALLBACK.
 * Threads   The driving thread.
 * Durable   With TEAK_OK everything that was submitted is.
 * Fails     POISONED (pending batches may or may not be there) · WRONG_THREAD · IN_CALLBACK. A poisoned store is closed
 *           writing nothing. */
TEAK_API enum teak_status teak_close(struct teak_store *store, struct teak_error *error);

/* teak_abandon: free the store as a crash would leave it: nothing more is written.
 * Threads   The driving thread. Owner: the store is gone. Durable: what was. Fails: never. */
TEAK_API void teak_abandon(struct teak_store *store);

/* What a store accepts; fixed at its creation. */
struct teak_limits {
    uint32_t block_bytes;
    uint64_t segment_bytes;
    uint32_t batch_bytes;      /* largest batch as it lies in a frame: teak_batch_bytes         */
    uint32_t entry_bytes;      /* largest payload                                               */
    uint32_t checkpoint_bytes; /* bounds the number of logs: 128 bytes each, and their META     */
    uint32_t logs;             /* that fit if none has META                                     */
    uint64_t arena_bytes;      /* in force                                                      */
    uint64_t registered_bytes; /* of it with io_uring, as far as RLIMIT_MEMLOCK goes; known once driven */
    uint32_t in_flight, group_bytes;
    uint32_t meta_bytes;
    enum teak_strategy strategy;
    uint8_t instance[16];      /* of this store: teak_copy, teak_salvage and a lost STORE give another one */
};

/* teak_limits: what this store accepts. Threads: driving. Fails: never. */
TEAK_API void teak_limits(const struct teak_store *store, struct teak_limits *out);

/* -------------------------------------------------------------------------------------------------------- batches */

enum teak_op_kind {
    TEAK_OP_CREATE = 1,     /* log: a new life begins; its first entry may have any index              */
    TEAK_OP_ENTRIES = 2,    /* log, index (of the first), term, kind, entries, count                   */
    TEAK_OP_HARD_STATE = 3, /* log, term, vote, commit                                                 */
    TEAK_OP_TRUNCATE = 4,   /* log, index: this entry and all behind it go                             */
    TEAK_OP_SNAPSHOT = 5,   /* log, index, term: the caller holds a snapshot of all up to there (the
                             * store can hold it instead: teak/snapshot.h).
                             * A tail whose entry at `index` has `term` is kept, another is cleared, the
                             * log then goes on at index + 1; one at or below the boundary is a no-op.
                             * Does not drop entries by itself where the tail is kept: compact does.   */
    TEAK_OP_COMPACT = 6,    /* log, index: entries up to it may go                                     */
    TEAK_OP_META = 7,       /* log, data, bytes: a word of the caller's own, <= 256 bytes              */
    TEAK_OP_DROP = 8,       /* log: ends its life                                                      */
};

struct teak_bytes {
    const void *data;
    uint32_t bytes;
};

struct teak_op {
    enum teak_op_kind op;
    uint8_t kind;                     /* ENTRIES: the caller's word, kept with each entry             */
    uint32_t count;                   /* ENTRIES                                                      */
    uint64_t log;
    uint64_t index;                   /* ENTRIES, TRUNCATE, SNAPSHOT, COMPACT                         */
    uint64_t term;                    /* ENTRIES, HARD_STATE, SNAPSHOT                                */
    uint64_t vote, commit;            /* HARD_STATE                                                   */
    const struct teak_bytes *entries; /* ENTRIES                                                      */
    const void *data;                 /* META                                                         */
    uint32_t bytes;                   /* META                                                         */
};

enum teak_batch_flag {
    TEAK_URGENT = 1 << 0, /* no linger: a term or a vote                                              */
    TEAK_LAZY = 1 << 1,   /* rides with the next frame that must be durable, or leaves after a second */
};

struct teak_batch {
    const struct teak_op *ops; /* in order                                             */
    uint32_t count;
    uint32_t flags;            /* enum teak_batch_flag                                 */
    uint64_t tag;              /* comes back with the completion                       */
};

/* teak_submit: hand a batch to the store.
 * Does      Checks every operation, then takes the batch whole, or refuses it whole and without trace.
 *           Hard state: the term never goes back, the vote never changes within a term, commit never goes back; judged
 *           where each operation stands. The first batch since opening begins the writing: what was cut short is
 *           mended, files are opened, and it may wait for them. After that it makes no system call, but where 512 KiB
 *           are waiting, fewer than `in_flight` frames on their way, and nothing lingers: they leave at once, by one
 *           call, and one more where teak_event_fd has something to say.
 * Owner     Everything is copied before return.
 * Threads   The driving thread.
 * Durable   Not yet: when teak_poll returns its completion with TEAK_OK. Readable at once.
 * Fails     FULL (poll, repeat) · NO_SPACE · EMPTY_BATCH · INVALID · INDEX_ZERO · GAP · OVERLAP · TERM_BACKWARDS ·
 *           ENTRY_TOO_LARGE · BATCH_TOO_LARGE · UNKNOWN_LOG · LOG_EXISTS · TOO_MANY_LOGS · META_TOO_LARGE ·
 *           COMMIT_BACKWARDS · VOTE_CHANGED · BELOW_SNAPSHOT · BEYOND · COMPACTED · QUARANTINED · READ_ONLY ·
 *           WRONG_THREAD · POISONED · NO_MEMORY · IO (both: the next segment could not be had; nothing that was
 *           promised changed, it is tried again within a second) · DENIED, READ_ONLY_FS, NO_DIRECTORY (as IO, of the
 *           first batch since opening, which is tried again when somebody submits again). */
TEAK_API enum teak_status teak_submit(struct teak_store *store, const struct teak_batch *batch,
                                      struct teak_error *error);

/* teak_append: one entry as a batch of its own. As teak_submit with a single TEAK_OP_ENTRIES of kind 0. */
TEAK_API enum teak_status teak_append(struct teak_store *store, uint64_t log, uint64_t index, uint64_t term,
                                      const void *data, uint32_t bytes, uint64_t tag, struct teak_error *error);

/* teak_create_log: a TEAK_OP_CREATE as a batch of its own. As teak_submit. */
TEAK_API enum teak_status teak_create_log(struct teak_store *store, uint64_t log, uint64_t tag,
                                          struct teak_error *error);

/* teak_batch_bytes: what a batch takes in a frame, to compare with teak_limits. Threads: any. Fails: never. */
TEAK_API uint64_t teak_batch_bytes(const struct teak_batch *batch);

/* teak_reserve: memory to serialise entries in, so that submitting them copies nothing.
 * Does      Gives `bytes` bytes inside the next frame, for at most `entries` entries. Serialise the payloads there one
 *           behind another, each beginning at a multiple of 8 from the start, and submit one batch whose entries point
 *           at them in that order: the payloads stay where they are. A batch that is taken ends the reservation, used
 *           up or not. Until then nothing newer is written, what was submitted before and has not left yet waits with
 *           it, and payloads from elsewhere are refused.
 * Owner     The memory is the caller's until teak_submit answers TEAK_OK, or teak_release.
 * Threads   The driving thread; one reservation at a time.
 * Fails     FULL · NO_SPACE · BATCH_TOO_LARGE · RESERVED · READ_ONLY · WRONG_THREAD · POISONED · IO. */
TEAK_API enum teak_status teak_reserve(struct teak_store *store, uint32_t bytes, uint32_t entries, void **out,
                                       struct teak_error *error);

/* teak_release: give an open reservation back unused. Threads: driving. Fails: never; without a reservation it does
 * nothing. */
TEAK_API void teak_release(struct teak_store *store);

/* teak_barrier: a completion without data.
 * Does      Its completion comes when everything submitted before it, lazy batches too, is durable.
 * Threads   The driving thread.
 * Fails     FULL · WRONG_THREAD · READ_ONLY · POISONED. */
TEAK_API enum teak_status teak_barrier(struct teak_store *store, uint64_t tag, struct teak_error *error);

/* ---------------------------------------------------------------------------------------------------------- driving */

struct teak_completion {
    uint64_t tag;            /* the batch's                                                                    */
    uint64_t lsn;            /* of the frame it went out with; 0: a snapshot that was not installed            */
    enum teak_status status; /* TEAK_OK: durable. TEAK_POISONED: unknown, it may be there after reopening.
                              * Others: why a snapshot was not installed, teak/snapshot.h; it changed nothing  */
};

/* teak_poll: drive the store.
 * Does      Collects what the disk has finished, starts what is due, hands out completions in the order of submission.
 *           Waits up to `wait_ns` for the first completion if there is none and work is pending, or a cursor was told
 *           PENDING; returns too when such a cursor is worth asking again. `out` may be NULL with max 0: then
 *           completions stay for a later call. One system call in the usual case.
 * Owner     The completions are copied out.
 * Threads   The driving thread; the first call decides which that is.
 * Fails     POISONED once every completion has been handed out · WRONG_THREAD · IO (what opening left to be done
 *           failed). */
TEAK_API enum teak_status teak_poll(struct teak_store *store, uint64_t wait_ns, struct teak_completion *out,
                                    uint32_t max, uint32_t *count_out, struct teak_error *error);

/* teak_drain: poll until everything submitted is durable, dropping the completions.
 * Threads: driving. Durable: all of it, with TEAK_OK. Fails: as teak_poll, and RESERVED; and what the completion of the
 * first snapshot that was not installed said. POISONED each time, once the store is. */
TEAK_API enum teak_status teak_drain(struct teak_store *store, struct teak_error *error);

/* teak_event_fd: a descriptor for epoll, libuv or an io_uring loop: readable when teak_poll has something to collect.
 * Does      Read it empty (8 bytes) or use it edge-triggered, then teak_poll(store, 0, ...). The store owns it.
 * Threads   The driving thread.
 * Fails     WRONG_THREAD · READ_ONLY · IO. */
TEAK_API enum teak_status teak_event_fd(struct teak_store *store, int *out, struct teak_error *error);

/* teak_deadline: when to call teak_poll at the latest even if the descriptor stays silent.
 * Does      CLOCK_MONOTONIC nanoseconds, or TEAK_NO_DEADLINE; a time that has passed means: now.
 * Threads   The driving thread. Fails: never. */
TEAK_API uint64_t teak_deadline(const struct teak_store *store);

/* ---------------------------------------------------------------------------------------------------------- looking */

struct teak_hard_state {
    uint64_t term, vote, commit;
};

struct teak_log {
    uint64_t id;
    uint64_t life;            /* LSN of its creation: tells a log from one of the same id before it     */
    uint64_t first;           /* index of the first entry; last + 1 if there is none                    */
    struct teak_pos last;     /* last entry, or the base if there is none                               */
    struct teak_pos base;     /* before the first entry                                                 */
    struct teak_pos snapshot; /* 0: none                                                                */
    struct teak_pos durable;  /* every entry up to it survives a power cut                              */
    struct teak_hard_state hard;
    uint64_t snapshot_file_bytes; /* of the snapshot's file, teak/snapshot.h; 0: the caller keeps it    */
    uint32_t meta_bytes;
    uint32_t marks;           /* enum teak_mark; not 0: quarantined, it takes nothing but DROP          */
    bool fresh;               /* nothing appended yet: the first entry may have any index               */
};

/* What damage may have cost a log. Marks stay until it is dropped. */
enum teak_mark {
    TEAK_TAIL_LOST = 1 << 1,          /* entries that were acknowledged may be missing behind its last  */
    TEAK_HARD_STATE_SUSPECT = 1 << 2, /* a newer hard state may have been acknowledged                  */
};

/* teak_log: a log's state, with everything that was submitted.
 * Threads   The driving thread.
 * Fails     UNKNOWN_LOG. */
TEAK_API enum teak_status teak_log(struct teak_store *store, uint64_t log, struct teak_log *out,
                                   struct teak_error *error);

/* teak_logs: ids of all logs, ascending; up to `max` above `after` (or from the lowest with from_start).
 * Threads: driving. Fails: never. Returns how many were written. */
TEAK_API uint32_t teak_logs(struct teak_store *store, bool from_start, uint64_t after, uint64_t *out, uint32_t max);

/* teak_meta: copies the log's META. Threads: driving. Fails: UNKNOWN_LOG · INVALID (room too small; bytes_out says how
 * much). */
TEAK_API enum teak_status teak_meta(struct teak_store *store, uint64_t log, void *out, uint32_t room,
                                    uint32_t *bytes_out, struct teak_error *error);

/* teak_term_at: the term of an entry, or of the base.
 * Does      Answers from memory in a few nanoseconds, whatever the log's length.
 * Threads   The driving thread.
 * Fails     UNKNOWN_LOG · COMPACTED (below the base) · BEYOND. */
TEAK_API enum teak_status teak_term_at(struct teak_store *store, uint64_t log, uint64_t index, uint64_t *term_out,
                                       struct teak_error *error);

/* teak_last_of_kind: the newest entry of `kind` at or below `index`.
 * Does      Answers from the index without reading entries.
 * Threads   The driving thread.
 * Fails     UNKNOWN_LOG · NOT_FOUND · HASH_MISMATCH · IO · NO_MEMORY. */
TEAK_API enum teak_status teak_last_of_kind(struct teak_store *store, uint64_t log, uint8_t kind, uint64_t index,
                                            struct teak_pos *out, struct teak_error *error);

/* teak_term_runs: where terms begin, newest first: up to `max` positions. Threads: driving. Fails: UNKNOWN_LOG. */
TEAK_API enum teak_status teak_term_runs(struct teak_store *store, uint64_t log, struct teak_pos *out, uint32_t max,
                                         uint32_t *count_out, struct teak_error *error);

/* ---------------------------------------------------------------------------------------------------------- reading */

struct teak_entry {
    uint64_t index, term;
    const void *data;
    uint32_t bytes;
    uint8_t kind;
    bool durable; /* it survives a power cut: known when it was read */
};

/* teak_cursor_open: a reader of one log, from `index` on (first..last + 1).
 * Does      Reads any entry and then follows the tail. Holds one read buffer, grown to the largest entry it meets.
 * Owner     The cursor is the caller's until teak_cursor_close. One that is open when its store is closed answers
 *           LOG_GONE, and can only be closed.
 * Threads   The driving thread.
 * Fails     UNKNOWN_LOG · COMPACTED · BEYOND · NO_MEMORY. */
TEAK_API enum teak_status teak_cursor_open(struct teak_store *store, uint64_t log, uint64_t index,
                                           struct teak_cursor **out, struct teak_error *error);

/* teak_cursor_read: the next entries, up to `max` of them and `bytes_max` bytes (at least one entry).
 * Does      From the arena without a copy, else from the medium, every entry verified. 0 entries: the end, for now.
 *           After COMPACTED, GONE or HASH_MISMATCH the cursor stands where it stood; teak_cursor_seek moves it.
 * Owner     The entries hold until the next call that drives the store, or uses or closes this cursor.
 * Threads   The driving thread.
 * Fails     COMPACTED (the place was compacted away) · LOG_GONE · HASH_MISMATCH (log and index in the error; the store
 *           goes on) · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_cursor_read(struct teak_cursor *cursor, uint64_t bytes_max, struct teak_entry *out,
                                           uint32_t max, uint32_t *count_out, struct teak_error *error);

/* teak_cursor_try_read: as teak_cursor_read, but never waits for the medium.
 * Does      Answers from memory: the arena, and what was brought from the medium before. Where nothing is there yet it
 *           answers PENDING and has it brought while the store is driven: teak_poll returns when it is worth asking
 *           again, the event fd becomes readable, teak_deadline says when at the latest. What lies behind is brought
 *           ahead: two windows of 1 MiB for each cursor. An error of the medium is told once, by the call that would
 *           have answered the entry; the next one asks again. A store opened read-only has no ring: there this is
 *           teak_cursor_read.
 * Owner     As teak_cursor_read. Closing the cursor while something is on its way is fine.
 * Threads   The driving thread; the first call decides which that is.
 * Fails     PENDING · WRONG_THREAD · COMPACTED · LOG_GONE · HASH_MISMATCH (log, index and term in the error; the store
 *           goes on) · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_cursor_try_read(struct teak_cursor *cursor, uint64_t bytes_max, struct teak_entry *out,
                                               uint32_t max, uint32_t *count_out, struct teak_error *error);

/* teak_cursor_hold: keep entries that the last read of this cursor handed out.
 * Does      The payloads of the `count` entries, neighbours among those, stay until teak_hold_end, whatever drives the
 *           store meanwhile, and beyond the end of the cursor and of the store. Bytes in the arena stay where they are
 *           and are pinned there, as long as all that is pinned lies within a quarter of it, so that the writer never
 *           waits; where a pin would break that they are copied, and `data` of these entries is set to the copy. Bytes
 *           that came from the medium stay where they are.
 * Owner     The hold is the caller's until teak_hold_end.
 * Threads   The driving thread.
 * Fails     INVALID (not what the last read handed out, or handed out too long ago: the store was driven since) ·
 *           NO_MEMORY (nothing is held, nothing was changed). */
TEAK_API enum teak_status teak_cursor_hold(struct teak_cursor *cursor, struct teak_entry *entries, uint32_t count,
                                           struct teak_hold **out, struct teak_error *error);

/* teak_hold_end: let go of them. NULL is fine. Threads: any. Fails: never. */
TEAK_API void teak_hold_end(struct teak_hold *hold);

/* teak_cursor_seek: go on at `index`. Threads: driving. Fails: LOG_GONE · COMPACTED · BEYOND. */
TEAK_API enum teak_status teak_cursor_seek(struct teak_cursor *cursor, uint64_t index, struct teak_error *error);

/* teak_cursor_close: NULL is fine. Threads: driving. Fails: never. */
TEAK_API void teak_cursor_close(struct teak_cursor *cursor);

/* -------------------------------------------------------------------------------------- reading on other threads */

/* `wake` is called, on the reader's thread, when the store should be driven soon for a reader's sake: write to the
 * eventfd that the driving thread waits on, or what else wakes it. It must not use the store. The end of the store
 * waits for it: after that it is not called any more. NULL: the reader is served when the store is next driven
 * anyway. */
struct teak_reader_options {
    void (*wake)(void *context);
    void *context;
};

/* teak_reader_open: a handle with which one other thread reads a log, from `index` on (first..last + 1).
 * Does      What the reader asks for is answered by the driving thread in its turns (teak_poll): a bounded amount of
 *           work for each reader. Entries in the arena are copied for it, up to 256 KiB at a time; of those on the
 *           medium it gets the places and a descriptor, and reads and verifies them itself. The file that a reader is
 *           at is not recycled meanwhile.
 * Owner     The reader is the caller's until teak_reader_close. `options` may be NULL; they are copied.
 * Threads   The driving thread.
 * Fails     UNKNOWN_LOG · COMPACTED · BEYOND · WRONG_THREAD · READ_ONLY · NO_MEMORY. */
TEAK_API enum teak_status teak_reader_open(struct teak_store *store, uint64_t log, uint64_t index,
                                           const struct teak_reader_options *options, struct teak_reader **out,
                                           struct teak_error *error);

/* teak_reader_read: the next entries, up to `max` of them and `bytes_max` bytes (at least one entry).
 * Does      Waits up to `wait_ns` (TEAK_FOREVER: as long as it takes) for the first one. 0 entries: the end, for now: a
 *           reader that waits there is woken when the log has grown and the store is driven. After COMPACTED or
 *           HASH_MISMATCH it stands where it stood.
 * Owner     The entries hold until the next call with this reader, also beyond the end of the store.
 * Threads   Any, one at a time.
 * Fails     PENDING (nobody has driven the store within `wait_ns`, or the medium is slow: repeat) · COMPACTED ·
 *           BEYOND (teak_reader_seek put it there) · LOG_GONE (the log, or the store: it was closed) · HASH_MISMATCH
 *           (log, index and term in the error) · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_reader_read(struct teak_reader *reader, uint64_t wait_ns, uint64_t bytes_max,
                                           struct teak_entry *out, uint32_t max, uint32_t *count_out,
                                           struct teak_error *error);

/* teak_reader_seek: go on at `index`.
 * Does      Notes it, and waits for nobody: the next teak_reader_read is the one that asks, and answers COMPACTED or
 *           BEYOND if there is no such place (last + 1 is one: there it waits for the tail to grow). The reader then
 *           stands there until it is moved again.
 * Owner     What the last read handed out stays, as it would: until the next read.
 * Threads   Any, one at a time.
 * Fails     Never. */
TEAK_API void teak_reader_seek(struct teak_reader *reader, uint64_t index);

/* teak_reader_close: NULL is fine; not while another thread is in teak_reader_read. Before or after the store's end.
 * Threads   Any. Fails: never. */
TEAK_API void teak_reader_close(struct teak_reader *reader);

/* ------------------------------------------------------------------------------------------------------- statistics */

struct teak_latency {
    uint64_t count, p50, p90, p99, p999, max; /* ns */
};

struct teak_stats {
    uint64_t batches, entries, payload_bytes;       /* taken                                                    */
    uint64_t frames, frame_bytes, padding_bytes;    /* closed                                                   */
    uint64_t syncs, writes, bytes_written;          /* completed by the disk, chores too                        */
    uint64_t enters;                                /* system calls of the ring                                 */
    uint64_t short_transfers, retries;
    uint64_t durable_lsn, last_lsn;
    uint64_t frames_in_flight, frames_waiting;
    uint64_t full, stalls;                          /* answers TEAK_FULL; rotations that waited for a segment   */
    uint64_t segments, oldest_segment, newest_segment, spares;
    uint64_t filled, recycled, sealed, forgotten, unlinked; /* segments                                         */
    uint64_t filled_bytes, index_bytes;
    uint64_t arena_reads, disk_reads, disk_read_bytes; /* entries, entries, bytes                               */
    uint64_t snapshot_files;                        /* in `snapshots`, parts too                                */
    uint64_t snapshots_installed, snapshots_removed;
    uint64_t logs;
    uint64_t memory_bytes;                          /* of the store's own tables, without arena                 */
    uint64_t live_bytes;                            /* what live entries take: payloads and their slots          */
    uint64_t disk_bytes;                            /* of the segments' files, spares too                       */
    uint64_t moved_entries, moved_bytes;            /* out of old segments, so that these could go              */
    uint64_t moves_refused, moves_rotten;           /* gone before they were written; not whole, so left there  */
    uint64_t published, publish_failed;             /* writes of these numbers into the file STATS              */
    /* How the disk behaves. A stall is what a turn saw hanging for longer than stall_ns. */
    uint64_t slow_writes, slow_syncs, slow_others;  /* stalls, by what hung                                     */
    uint64_t longest_stall_ns;                      /* of those that ended                                      */
    uint64_t stalled_now;                           /* that hang at this moment                                 */
    uint64_t worker_ops;                            /* operations that surely ran on another thread than the driving
                                                     * one: see docs/tuning.md                                  */
    uint64_t no_space;                              /* answers TEAK_NO_SPACE                                    */
    uint64_t supply_failures;                       /* tries to make or prepare a segment that failed           */
    uint64_t free_bytes;                            /* of the file system, when it was asked last               */
    uint64_t cut_bytes, cut_frames;                 /* discarded by this opening                                */
    uint64_t damaged_reads;                         /* reads that met a wrong checksum                          */
    uint64_t events, events_lost;                   /* handed to a callback; not kept                           */
    /* of a committer, teak/committer.h; how large its groups are tells the histogram frame_batches */
    uint64_t requests, request_groups;              /* answered; times that those of a landing were told        */
    uint64_t threads_woken;                         /* that slept when their answer was there                   */
    uint64_t waits_for_room;                        /* times that the first in the queue had to                 */
    uint64_t gathers, gathers_vain;                 /* waits for threads just told; that too few came back in   */
    struct teak_latency frame_latency;              /* from launch to durable                                   */
    bool lacks_space, poisoned;                     /* no other segment can be had; out of service              */
    enum teak_strategy strategy;
    char backend[8];
    char filesystem[16];
    bool direct_io, device_known, write_cache, fua;
};

/* A log that holds the oldest segment: how much of it lies there. */
struct teak_lagging {
    uint64_t log;
    uint64_t segment; /* the oldest */
    uint64_t entries, bytes;
};

/* teak_lagging: the logs that hold the oldest segment, by id; up to `max`.
 * Does      Walks all logs. Their entries are moved forward when the store takes more than 2 x live bytes + 4 segments,
 *           or two more while frames are written, which go when the store is driven at rest, in teak_poll; one that
 *           stays named here while stats.moves_rotten grows is damaged there.
 * Owner     Copied out.
 * Threads   The driving thread.
 * Durable   Says nothing of it.
 * Fails     Never. Returns how many were written. */
TEAK_API uint32_t teak_lagging(struct teak_store *store, struct teak_lagging *out, uint32_t max);

/* teak_stats: counters since opening; teak/counters.h has them as a table. Threads: driving. Fails: never. */
TEAK_API void teak_stats(struct teak_store *store, struct teak_stats *out);

#ifdef __cplusplus
}
#endif
#if defined(__cplusplus) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif
