/* teak/inspect.h: look at a store from outside, for tools. UNSTABLE: define TEAK_UNSTABLE to use it.
 *
 * Works on a directory, beside a living writer too. Waits for a dead owner's last writes as opening does.
 */
#ifndef TEAK_INSPECT_H
#define TEAK_INSPECT_H

#ifndef TEAK_UNSTABLE
#error "teak/inspect.h is unstable: define TEAK_UNSTABLE to use it"
#endif

#include "teak/counters.h"
#include "teak/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

enum teak_segment_state { TEAK_SEGMENT_SEALED = 0, TEAK_SEGMENT_OPEN = 1, TEAK_SEGMENT_EMPTY = 2 };

struct teak_segment_info {
    uint64_t number;
    uint64_t file_bytes, frames_end; /* frames_end: bytes up to the end of the last frame */
    uint64_t first_lsn, last_lsn;
    uint64_t logs;                   /* touched; known for sealed segments                */
    enum teak_segment_state state;
};

struct teak_store_info {
    uint32_t version, block_bytes;
    uint64_t segment_bytes;
    uint8_t family[16], instance[16];
    uint64_t oldest_segment, segment_count, spare_count;
    uint64_t last_lsn, durable_lsn;
    bool living;                     /* a writer has it open */
};

/* teak_inspect_store: what a store opened with read_only is made of. Threads: driving. Fails: never. */
TEAK_API void teak_inspect_store(struct teak_store *store, struct teak_store_info *out);

/* teak_inspect_segments: its segments, oldest first, from position `from`. Returns how many were written. */
TEAK_API uint32_t teak_inspect_segments(struct teak_store *store, uint64_t from, struct teak_segment_info *out,
                                        uint32_t max);

/* Called as verification goes on; `done` and `total` are bytes. */
typedef void (*teak_progress)(void *context, uint64_t done, uint64_t total);

struct teak_verify_result {
    uint64_t segments, frames, entries, bytes;
    uint64_t snapshots;    /* files of snapshots */
    uint32_t damage_count; /* may exceed the room that was given */
};

/* teak_verify: read every frame and every index of a store opened with read_only, and check every sum.
 * Does      Snapshot files are read too. Lists what is damaged: files, logs, index ranges. Only what is invalid twice
 *           under one salt is damaged. What the writer recycles meanwhile is passed over.
 * Threads   The driving thread.
 * Fails     DAMAGED (damage was found; the list says what) · IO · NO_MEMORY. */
TEAK_API enum teak_status teak_verify(struct teak_store *store, struct teak_damage *damage, uint32_t room,
                                      struct teak_verify_result *out, teak_progress progress, void *context,
                                      struct teak_error *error);

/* Told of one damaged place. */
typedef void (*teak_damage_fn)(void *context, const struct teak_damage *damage);

/* teak_verify_each: as teak_verify, and tells of every damaged place, however many there are, as it goes.
 * Does      Of a store that was opened with TEAK_QUARANTINE first what opening found.
 * Owner     `context` is handed to both callbacks, each of which may be NULL. They must not use the store.
 * Threads   The driving thread.
 * Fails     As teak_verify. */
TEAK_API enum teak_status teak_verify_each(struct teak_store *store, teak_damage_fn told,
                                           struct teak_verify_result *out, teak_progress progress, void *context,
                                           struct teak_error *error);

/* teak_damages: what opening found damaged, also beyond the places that the report lists.
 * Does      Up to `max` from position `from` on. Returns how many were written.
 * Threads   The driving thread. Fails: never. */
TEAK_API uint32_t teak_damages(const struct teak_store *store, uint64_t from, struct teak_damage *out, uint32_t max);

/* What a repair does with a file. */
enum teak_repair_fate {
    TEAK_REPAIR_COPIED = 0,      /* a copy in replaced/, and an index behind what is left of it       */
    TEAK_REPAIR_SUBSTITUTED = 1, /* a copy in replaced/; nothing of it can be read, another file
                                  * takes its place                                                   */
    TEAK_REPAIR_MADE = 2,        /* it is missing: another file takes its place                       */
    TEAK_REPAIR_MOVED = 3,       /* moved to replaced/: it lies behind everything that can be read    */
};

struct teak_repair_file {
    uint64_t segment;
    enum teak_repair_fate fate;
};

/* teak_repair_files: what the first write to a store that was opened with TEAK_QUARANTINE does with its files.
 * Does      Tells the plan; nothing is done. None: there is nothing to repair, or it was done.
 *           Up to `max` from position `from` on, oldest first. Returns how many were written.
 * Threads   The driving thread. Fails: never. */
TEAK_API uint32_t teak_repair_files(struct teak_store *store, uint64_t from, struct teak_repair_file *out,
                                    uint32_t max);

/* A log that bears a mark, and what can be read of it. */
struct teak_repair_log {
    uint64_t log, first, last; /* last < first: no entry                                     */
    uint32_t marks;            /* enum teak_mark                                             */
};

/* What a repair of a store would do, and what damage cost. A value: nothing was done, nothing is held. */
struct teak_repair_plan {
    bool is_damaged;           /* damage would be passed over; else, and without the next, nothing is to be done */
    bool rebuilds_store;       /* STORE is lost or rotten: made anew out of what the segments repeat of it */
    uint8_t family[16];
    uint64_t damage_count, file_count, log_count;
    struct teak_damage *damages;     /* every place                                                     */
    struct teak_repair_file *files;  /* what becomes of files                                           */
    struct teak_repair_log *logs;    /* that bear a mark then                                           */
    struct teak_report report;       /* of the opening that it was made by                              */
    uint64_t likeness;               /* what the store was like: an apply compares it                   */
};

/* teak_repair_plan_make: find out what a repair would do.
 * Does      Opens for reading as with TEAK_QUARANTINE, and also where STORE is lost or rotten and the identities of the
 *           segments agree on what it said; its defaults are then the engine's, and its instance a new one. A store
 *           that needs nothing gives a plan of nothing.
 * Owner     The plan is the caller's until teak_repair_plan_free. `report` may be NULL; it is filled on failure too. Of
 *           `options` (NULL: the engine's) the backend and the wait for the lock count.
 * Threads   Any.
 * Fails     As teak_open with read_only. Damage is none, but beside a living writer. */
TEAK_API enum teak_status teak_repair_plan_make(const char *directory, const struct teak_options *options,
                                                struct teak_repair_plan **out, struct teak_report *report,
                                                struct teak_error *error);

/* teak_repair_plan_apply: do what a plan says.
 * Does      Opens for writing, compares, and makes the first write of a quarantined store: STORE first where it is made
 *           anew, then what docs/recovery.md says. What it replaces is in replaced/ before anything changes. A plan of
 *           nothing does nothing.
 * Threads   Any.
 * Durable   With TEAK_OK. Cut short anywhere it can be planned and done again.
 * Fails     As teak_open; CHANGED (the store is not what the plan was made of: nothing was done) · NO_SPACE · POISONED
 *           · IO. */
TEAK_API enum teak_status teak_repair_plan_apply(const char *directory, const struct teak_options *options,
                                                 const struct teak_repair_plan *plan, struct teak_error *error);

/* Told one line, without its end. */
typedef void (*teak_line_fn)(void *context, const char *line);

/* teak_repair_plan_print: the plan for a person, line by line. Threads: any. Fails: never. */
TEAK_API void teak_repair_plan_print(const struct teak_repair_plan *plan, teak_line_fn print, void *context);

/* teak_repair_plan_free: NULL is fine. Threads: any. Fails: never. */
TEAK_API void teak_repair_plan_free(struct teak_repair_plan *plan);

/* teak_repair_fate_text: what becomes of a file, for a person. Threads: any. Owner: a constant. Fails: never. */
TEAK_API const char *teak_repair_fate_text(enum teak_repair_fate fate);

/* teak_marks_text: what a log's marks mean, "" without any. Threads: any. Owner: a constant. Fails: never. */
TEAK_API const char *teak_marks_text(uint32_t marks);

/* teak_damage_text: a damaged place as one line for a person; the length it wanted to write. Threads: any. Fails:
 * never. */
TEAK_API size_t teak_damage_text(const struct teak_damage *damage, char *out, size_t bytes);

/* ------------------------------------------------------------------------------------------------------- salvaging */

/* What became of one log. */
struct teak_salvaged {
    uint64_t log;
    uint64_t first, last;           /* entries that are in the new store; last < first: none            */
    uint64_t lost_first, lost_last; /* entries that are not. lost_first 0: none are known to be missing.
                                     * lost_last 0: from lost_first on, nobody knows how far            */
    uint32_t marks;                 /* enum teak_mark, that it bears in the new store                   */
    bool snapshot_lost;             /* its snapshot's file is missing or damaged                        */
};
typedef void (*teak_salvaged_fn)(void *context, const struct teak_salvaged *salvaged);

struct teak_salvage_result {
    uint64_t logs, hurt;              /* in the new store; of them with a mark                          */
    uint64_t entries, bytes;          /* payloads                                                       */
    uint64_t snapshots, snapshots_lost;
    uint64_t lost_entries;            /* that are known to be missing                                   */
    uint8_t instance[16];             /* of the new store                                               */
};

/* teak_salvage: what can be read of a damaged store, into a new one.
 * Does      Reads `from` as a repair would make it, STORE made up where it is lost, and verifies every entry. Each log
 *           goes over with its base, its entries up to the first that cannot be read, hard state, META and snapshot;
 *           one that lost something bears its mark in the new store until it is dropped there. `from` stays as it is.
 *           The new store is one of its own: another family, another instance, other lives and LSNs.
 * Owner     `to` must be missing, or an empty directory. It is made as `to`.unfinished beside it and becomes `to` when
 *           it is whole and durable. `told` is called for each log; `out`, `told`, `report` (of opening `from`) may be
 *           NULL. Of `options` (NULL: the engine's) the backend and the wait for the lock count.
 * Threads   Any.
 * Durable   With TEAK_OK, name and all. Cut short anywhere there is no `to`; the next call empties `to`.unfinished.
 * Fails     As teak_open of `from` with read_only, but for damage; LOCKED (a living process has it, or one is at
 *           `to`.unfinished) · INVALID (`to` is not empty, or a foreign name is in `to`.unfinished: the error names it)
 *           · NO_SPACE · POISONED · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_salvage(const char *from, const char *to, const struct teak_options *options,
                                       struct teak_salvage_result *out, teak_salvaged_fn told, void *context,
                                       struct teak_report *report, struct teak_error *error);

/* -------------------------------------------------------------------------------------------------------- copying */

struct teak_copy_result {
    uint64_t segments, linked, copied; /* files of segments: in all, second names, bytes moved                   */
    uint64_t copied_bytes;             /* of segments and snapshots                                              */
    uint64_t snapshots;                /* snapshot files                                                         */
    uint64_t restarts;                 /* times that the writer forgot faster than this could follow             */
    uint64_t last_lsn, logs;           /* of the copy                                                            */
    uint8_t instance[16];
};

/* teak_copy: a store of its own out of another one, also while that is written.
 * Does      Sealed segments get a second name where the file system allows it, else their bytes are copied; of the
 *           newest ones the frames are, judged, up to the last whole one without a hole: what an opening would find
 *           were the power cut now. So every batch whose completion came before this call is there. The copy is judged
 *           as opening judges, then its STORE is written, with an instance of its own and the family of its origin.
 *           Neither store changes what the other holds: a file with a second name is never written over.
 * Owner     `to` must be missing, or an empty directory. `progress` may be NULL.
 * Threads   Any.
 * Durable   With TEAK_OK: the whole copy, and its name.
 * Fails     As teak_open with read_only of `from`, DAMAGED too; INVALID (`to` is not empty: the error names a file) ·
 *           SEGMENT_MISSING (the writer forgot segments faster than they could be copied, again and again) · NOT_FOUND
 *           (a snapshot was superseded while it was copied: once more) · NO_SPACE
 *           · READ_ONLY_FS · LOCKED · DENIED · NO_MEMORY · IO. `to` then has no STORE and is no store: remove it. */
TEAK_API enum teak_status teak_copy(const char *from, const char *to, struct teak_copy_result *out,
                                    teak_progress progress, void *context, struct teak_error *error);

/* ------------------------------------------------------------------------------------- numbers of a living store */

enum { TEAK_NAME_MAX = 32, TEAK_PUBLISHED_COUNTERS = 128, TEAK_PUBLISHED_LABELS = 16, TEAK_PUBLISHED_HISTOGRAMS = 6 };

/* What a store wrote into its file STATS: as of then, and by names, so that another version's can be shown too. */
struct teak_published {
    bool living;              /* a process has the store open now                               */
    bool closed;              /* the last numbers of a store that was closed                    */
    uint8_t instance[16];
    uint64_t pid;             /* of the process that wrote them                                 */
    uint64_t sequence;        /* of this writing, from 1 at each opening                        */
    uint64_t uptime_ns;       /* since that opening                                             */
    uint64_t written_unix_ns; /* when, by the machine's clock                                   */
    uint32_t counter_count, label_count, histogram_count;
    struct {
        char name[TEAK_NAME_MAX];
        enum teak_counter_kind kind;
        uint64_t value;
    } counters[TEAK_PUBLISHED_COUNTERS];
    struct {
        char name[TEAK_NAME_MAX];
        char text[16];
    } labels[TEAK_PUBLISHED_LABELS];
    struct {
        char name[TEAK_NAME_MAX];
        struct teak_histogram histogram;
    } histograms[TEAK_PUBLISHED_HISTOGRAMS];
};

/* teak_read_stats: what a store published last, without opening it.
 * Does      Reads STATS until it is whole, and asks LOCK whether anybody has the store open.
 * Threads   Any.
 * Fails     INVALID · NO_DIRECTORY · NOT_A_STORE · BAD_MAGIC · HASH_MISMATCH · VERSION · FEATURE · DECODE (the file
 *           in the error: STORE or STATS) · NOT_FOUND (nothing was published, or by another store) · DENIED ·
 *           NO_MEMORY · IO. */
TEAK_API enum teak_status teak_read_stats(const char *directory, struct teak_published *out, struct teak_error *error);

#ifdef __cplusplus
}
#endif
#endif
