/* teak/counters.h: the numbers of struct teak_stats as a table, for whoever prints or exports them; and histograms.
 *
 * The table is the one place that names them: `teak stats` prints from it, as text, as JSON and for Prometheus, and the
 * store publishes from it. A field of struct teak_stats without a row here, or a row without a field, fails a test.
 */
#ifndef TEAK_COUNTERS_H
#define TEAK_COUNTERS_H

#include "teak/engine.h"

#if defined(__cplusplus) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* a struct and a function of one name; see teak/engine.h */
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* X(kind, field, unit, help). kind: COUNTER grows from opening on; GAUGE is what it is now. */
#define TEAK_COUNTER_LIST(X)                                                                                           \
    X(COUNTER, batches, "batches", "Batches that the store took")                                                      \
    X(COUNTER, entries, "entries", "Entries that the store took")                                                      \
    X(COUNTER, payload_bytes, "bytes", "Bytes of these entries")                                                       \
    X(COUNTER, frames, "frames", "Group commits that were formed")                                                     \
    X(COUNTER, frame_bytes, "bytes", "Bytes of these frames, padding too")                                             \
    X(COUNTER, padding_bytes, "bytes", "Bytes of padding in these frames")                                             \
    X(COUNTER, syncs, "syncs", "Syncs and synced writes that the disk completed")                                      \
    X(COUNTER, writes, "writes", "Writes that the disk completed")                                                     \
    X(COUNTER, bytes_written, "bytes", "Bytes that the disk wrote, background work too")                               \
    X(COUNTER, enters, "calls", "System calls of the ring, or hand-overs to workers")                                  \
    X(COUNTER, short_transfers, "transfers", "Reads and writes that moved less than was asked, and were finished")     \
    X(COUNTER, retries, "retries", "Operations that were started again behind EINTR or EAGAIN")                        \
    X(GAUGE, durable_lsn, "lsn", "Last frame that survives power loss")                                                \
    X(GAUGE, last_lsn, "lsn", "Last frame that was formed")                                                            \
    X(GAUGE, frames_in_flight, "frames", "Frames being written")                                                       \
    X(GAUGE, frames_waiting, "frames", "Frames formed and not yet being written")                                      \
    X(COUNTER, full, "answers", "Batches that were answered TEAK_FULL")                                                \
    X(COUNTER, stalls, "stalls", "Rotations that had to wait for a segment")                                           \
    X(GAUGE, segments, "segments", "Segments of the store")                                                            \
    X(GAUGE, oldest_segment, "number", "Number of the oldest segment")                                                 \
    X(GAUGE, newest_segment, "number", "Number of the newest segment")                                                 \
    X(GAUGE, spares, "files", "Spare files ready to become segments")                                                  \
    X(COUNTER, filled, "segments", "Segments that were filled with zeros")                                             \
    X(COUNTER, recycled, "segments", "Segments that were used again")                                                  \
    X(COUNTER, sealed, "segments", "Segments that got their index")                                                    \
    X(COUNTER, forgotten, "segments", "Segments that were forgotten")                                                  \
    X(COUNTER, unlinked, "files", "Files that were removed")                                                           \
    X(COUNTER, filled_bytes, "bytes", "Zeros written to fill segments")                                                \
    X(COUNTER, index_bytes, "bytes", "Bytes of indexes written")                                                       \
    X(COUNTER, arena_reads, "entries", "Entries read from memory")                                                     \
    X(COUNTER, disk_reads, "entries", "Entries read from the medium")                                                  \
    X(COUNTER, disk_read_bytes, "bytes", "Bytes of entries read from the medium")                                      \
    X(GAUGE, snapshot_files, "files", "Snapshot files, parts too")                                                     \
    X(COUNTER, snapshots_installed, "snapshots", "Snapshots that were streamed in and installed")                      \
    X(COUNTER, snapshots_removed, "files", "Snapshot files that were removed")                                         \
    X(GAUGE, logs, "logs", "Logs in the store")                                                                        \
    X(GAUGE, memory_bytes, "bytes", "Memory of the store's tables, without the arena")                                 \
    X(COUNTER, published, "writes", "Times that these numbers were written to the file STATS")                         \
    X(COUNTER, publish_failed, "writes", "Times that they could not be written there, which is harmless")              \
    X(GAUGE, live_bytes, "bytes", "What live entries take, payloads and their slots")                                  \
    X(GAUGE, disk_bytes, "bytes", "Bytes of the files of segments and spares")                                         \
    X(COUNTER, moved_entries, "entries", "Entries moved out of old segments, so that these can go")                    \
    X(COUNTER, moved_bytes, "bytes", "Bytes of these entries")                                                         \
    X(COUNTER, moves_refused, "entries", "Entries that were gone before they were moved")                              \
    X(COUNTER, moves_rotten, "entries", "Entries that were not moved because they are damaged")                        \
    X(COUNTER, slow_writes, "stalls", "Writes that took longer than stall_ns")                                         \
    X(COUNTER, slow_syncs, "stalls", "Syncs that took longer than stall_ns")                                           \
    X(COUNTER, slow_others, "stalls", "Other operations that took longer than stall_ns")                               \
    X(GAUGE, longest_stall_ns, "ns", "The longest of the stalls that ended")                                           \
    X(GAUGE, stalled_now, "operations", "Operations that hang at this moment")                                         \
    X(COUNTER, worker_ops, "operations", "Operations that surely ran on another thread than the driving one")          \
    X(COUNTER, no_space, "answers", "Batches that were answered TEAK_NO_SPACE")                                        \
    X(COUNTER, supply_failures, "tries", "Tries to make or prepare a segment that failed")                             \
    X(GAUGE, free_bytes, "bytes", "Free bytes of the file system, when it was asked last")                             \
    X(COUNTER, cut_bytes, "bytes", "Bytes that this opening discarded")                                                \
    X(COUNTER, cut_frames, "frames", "Frames that this opening discarded")                                             \
    X(COUNTER, damaged_reads, "reads", "Reads that met a wrong checksum")                                              \
    X(COUNTER, events, "events", "Events that were handed to a callback")                                              \
    X(COUNTER, events_lost, "events", "Events that were not kept")                                                     \
    X(COUNTER, requests, "requests", "Requests that a committer answered")                                             \
    X(COUNTER, request_groups, "groups", "Times that a committer told all whose requests had landed together")         \
    X(COUNTER, threads_woken, "threads", "Threads that a committer woke")                                              \
    X(COUNTER, waits_for_room, "waits", "Times that a request waited at the head of a committer's queue for room")     \
    X(COUNTER, gathers, "waits", "Times that a committer waited for the threads that it had just told")                \
    X(COUNTER, gathers_vain, "waits", "Times of these that too few came back")

/* X(ENUMERATOR, name, unit, help) */
#define TEAK_HISTOGRAM_LIST(X)                                                                                         \
    X(FRAME_LATENCY, frame_latency, "ns", "From the launch of a frame until it is durable")                            \
    X(SYNC_LATENCY, sync_latency, "ns", "From the launch of a sync, or of a synced write, until it ended")             \
    X(FRAME_BATCHES, frame_batches, "batches", "Batches that share a frame")                                           \
    X(FRAME_ENTRIES, frame_entries, "entries", "Entries that share a frame")                                           \
    X(FRAME_BYTES, frame_size, "bytes", "Bytes of a frame that holds batches")                                         \
    X(REQUEST_WAIT, request_wait, "ns", "From when a committer took a request until it answered it")

enum teak_counter_kind { TEAK_COUNTER = 0, TEAK_GAUGE = 1 };

struct teak_counter {
    const char *name; /* the field's */
    const char *unit;
    const char *help; /* one sentence, without a full stop */
    enum teak_counter_kind kind;
    uint32_t offset;  /* of the field in struct teak_stats */
};

/* teak_counters: the table, in its order. Owner: a constant. Threads: any. Fails: never. */
TEAK_API const struct teak_counter *teak_counters(uint32_t *count_out);

enum teak_histogram_id {
#define TEAK_HISTOGRAM_ENUM(id, name, unit, help) TEAK_HISTOGRAM_##id,
    TEAK_HISTOGRAM_LIST(TEAK_HISTOGRAM_ENUM)
#undef TEAK_HISTOGRAM_ENUM
        TEAK_HISTOGRAM_COUNT
};

/* Eight buckets for each power of two: none is wider than an eighth of its values; below 8 each value has its own. */
enum { TEAK_HISTOGRAM_SUB_BITS = 3, TEAK_HISTOGRAM_BUCKETS = (64 - TEAK_HISTOGRAM_SUB_BITS + 1) << 3 };

struct teak_histogram {
    uint64_t count, sum, max;
    uint64_t buckets[TEAK_HISTOGRAM_BUCKETS];
};

/* teak_histogram: one of them, since opening. Threads: driving. Fails: never. */
TEAK_API void teak_histogram(const struct teak_store *store, enum teak_histogram_id id, struct teak_histogram *out);

/* teak_histogram_top: the largest value that falls into a bucket. Threads: any. Fails: never. */
TEAK_API uint64_t teak_histogram_top(uint32_t bucket);

/* teak_histogram_quantile: the least value, to a bucket, that at least `share` (0 to 1) of all do not exceed; 0 where
 * there is none. Threads: any. Fails: never. */
TEAK_API uint64_t teak_histogram_quantile(const struct teak_histogram *histogram, double share);

#ifdef __cplusplus
}
#endif
#if defined(__cplusplus) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif
