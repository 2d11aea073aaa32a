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
