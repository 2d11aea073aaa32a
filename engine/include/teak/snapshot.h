/* teak/snapshot.h: snapshots as files of the store: streamed in, put in force, streamed out.
 *
 * The engine never looks into a snapshot. It keeps it whole: every 64 KiB of it have a checksum of their own, so that a
 * read at any offset is verified, and a stream that was interrupted goes on behind what is whole, also after a crash.
 * One chunk window of memory (320 KiB) is all that a snapshot of any size takes.
 *
 *     struct teak_snapshot_offer offer = {.log = 7, .pos = {.index = 100, .term = 3}, .stream = 42,
 *                                         .body_bytes = TEAK_SNAPSHOT_UNKNOWN};
 *     struct teak_snapshot_writer *in;
 *     teak_snapshot_begin(store, &offer, &in, NULL);             // driving thread; nothing is read or written yet
 *     teak_snapshot_offset(in, &offset, NULL);                   // any thread: how far an interrupted stream came
 *     while (receive(offset, &data, &bytes))                     // any thread, beside a store that goes on committing
 *         teak_snapshot_write(in, offset, data, bytes, NULL), offset += bytes;
 *     teak_snapshot_install(in, (struct teak_trailing){.entries = 1000, .bytes = UINT64_MAX}, tag, NULL);
 *     // driving thread; the completion comes through teak_poll: with TEAK_OK the snapshot is in force and durable
 *
 * WHO WHERE  begin, install, suspend, abort and open belong to the driving thread. write, offset, read and info may be
 *            called from any one thread at a time: they use plain calls, never the store's ring, and take no part in
 *            its turns. A stream ends before its store does.
 * ONE NAME   `stream` is the caller's name for this very sequence of bytes. A stream that goes on under the same log,
 *            position, name, length and meta goes on behind the bytes that are there; anything else begins anew, and
 *            what was there is gone.
 */
#ifndef TEAK_SNAPSHOT_H
#define TEAK_SNAPSHOT_H

#include "teak/engine.h"

#if defined(__cplusplus) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* a struct and a function of one name; see teak/engine.h */
#endif
#ifdef __cplusplus
extern "C" {
#endif

#define TEAK_SNAPSHOT_UNKNOWN UINT64_MAX      /* length of a body that is not known yet */
#define TEAK_SNAPSHOT_BODY_MAX (UINT64_C(1) << 62)
enum { TEAK_SNAPSHOT_META_MAX = 65536 };

struct teak_snapshot_writer;
struct teak_snapshot_reader;

/* A snapshot that is to be streamed in. */
struct teak_snapshot_offer {
    uint64_t log;
    struct teak_pos pos;  /* of the last entry that it holds                                           */
    uint64_t stream;      /* the caller's name for these bytes; see above                              */
    uint64_t body_bytes;  /* or TEAK_SNAPSHOT_UNKNOWN                                                  */
    const void *meta;     /* the caller's, kept with it: configuration, sizes, a hash of its own       */
    uint32_t meta_bytes;  /* <= TEAK_SNAPSHOT_META_MAX                                                 */
    bool replace;         /* also for the position of the snapshot in force: its file takes the place of
                           * one that is damaged, or of one that the caller keeps                      */
};

/* Entries at or below a snapshot that are kept, for followers that lag: not more than either limit allows.
 * {0, anything}: none. {n, UINT64_MAX}: by count. {UINT64_MAX, n}: by bytes. {UINT64_MAX, UINT64_MAX}: all. */
struct teak_trailing {
    uint64_t entries, bytes; /* bytes: of payloads */
};

/* -------------------------------------------------------------------------------------------------------- stream in */

/* teak_snapshot_begin: a snapshot will come.
 * Does      Checks that it can be of use. The first one in the life of a store makes the directory `snapshots` and
 *           syncs the store's; nothing else is read or written here. One stream in per log at a time.
 * Owner     The writer is the caller's until install, suspend or abort. Meta is copied.
 * Threads   The driving thread.
 * Fails     INVALID (lengths) · INDEX_ZERO · UNKNOWN_LOG · BELOW_SNAPSHOT (stale) · BUSY (another stream into this log
 *           is open, or being installed) · FULL (its file is just being removed) · READ_ONLY · WRONG_THREAD · POISONED
 *           · NO_SPACE · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_snapshot_begin(struct teak_store *store, const struct teak_snapshot_offer *offer,
                                              struct teak_snapshot_writer **out, struct teak_error *error);

/* teak_snapshot_offset: bytes of the body that are here: where to go on.
 * Does      The first call of this or of write opens the file, reads what an interrupted stream left, verifies it and
 *           goes on behind the last whole 65,520 bytes of it.
 * Threads   Any one at a time.
 * Durable   Nothing is before install; but what is written goes on to the disk.
 * Fails     NO_SPACE (repeat when there is some) · NO_MEMORY · IO (the stream is over: abort). */
TEAK_API enum teak_status teak_snapshot_offset(struct teak_snapshot_writer *writer, uint64_t *offset_out,
                                               struct teak_error *error);

/* teak_snapshot_write: the next bytes of the body.
 * Does      Takes what is beyond the bytes that are here already; what is below is passed over unseen, so that a chunk
 *           that is sent twice does no harm.
 * Owner     Copied before return.
 * Threads   Any one at a time.
 * Fails     GAP (begins beyond teak_snapshot_offset; it stands in `expected`) · INVALID (longer than announced) ·
 *           NO_SPACE (part of it may have been taken: repeat it when there is some) · NO_MEMORY · IO (the stream is
 *           over: abort). */
TEAK_API enum teak_status teak_snapshot_write(struct teak_snapshot_writer *writer, uint64_t offset, const void *data,
                                              uint64_t bytes, struct teak_error *error);

/* teak_snapshot_install: the body is complete; put the snapshot in force.
 * Does      File, name and directory become durable, then the log's record, as a batch of the store's own behind all
 *           that was submitted when that is done. A log whose entry at pos has pos.term keeps the entries behind it,
 *           and of those up to it what `keep` says; another one is cleared and goes on at pos.index + 1. The file that
 *           was in force before goes when the record is durable; who reads it reads on.
 *           The completion brings `tag`. TEAK_OK: in force and durable. Else nothing changed: LOG_GONE (dropped
 *           meanwhile) · BELOW_SNAPSHOT (a newer one came first) · NO_SPACE (what was streamed in stays: begin again
 *           goes on there) · NO_MEMORY · IO · POISONED (unknown).
 * Owner     With TEAK_OK the writer is the store's, and gone. Else it stays the caller's.
 * Threads   The driving thread; no other uses the writer any more.
 * Fails     GAP (shorter than announced) · LOG_GONE · BELOW_SNAPSHOT · READ_ONLY · WRONG_THREAD · IN_CALLBACK (the
 *           store is a committer's: teak_committer_install) · POISONED · NO_SPACE · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_snapshot_install(struct teak_snapshot_writer *writer, struct teak_trailing keep,
                                                uint64_t tag, struct teak_error *error);

/* teak_snapshot_suspend: stop here, keep what came: a later begin goes on, also after the store was closed, for as long
 * as the log lives and has no newer snapshot. Owner: the writer is gone. Threads: driving. NULL is fine. Fails: never;
 * what does not fill 65,520 bytes, or cannot be written, is lost. */
TEAK_API void teak_snapshot_suspend(struct teak_snapshot_writer *writer);

/* teak_snapshot_abort: forget it; its file goes with the next chores, or with teak_close. A crash before that leaves it
 * as a suspended one. Owner: the writer is gone. Threads: driving. NULL is fine. Fails: never. */
TEAK_API void teak_snapshot_abort(struct teak_snapshot_writer *writer);

/* ------------------------------------------------------------------------------------------------------- stream out */

struct teak_snapshot_info {
    uint64_t log, life;
    struct teak_pos pos;
    uint64_t stream;
    uint64_t body_bytes;
    uint64_t file_bytes;
    const void *meta;    /* holds until the reader is closed */
    uint32_t meta_bytes;
};

/* teak_snapshot_open: a stream of the snapshot in force.
 * Does      Opens its file. A newer snapshot that is installed meanwhile takes nothing from this stream: the file lives
 *           on without its name until the stream is closed.
 * Owner     The reader is the caller's until teak_snapshot_close; close it before the store.
 * Threads   The driving thread.
 * Fails     UNKNOWN_LOG · NOT_FOUND (there is no snapshot, or the caller keeps it) · DAMAGED (the file is not there, or
 *           of another size) · WRONG_THREAD · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_snapshot_open(struct teak_store *store, uint64_t log, struct teak_snapshot_reader **out,
                                             struct teak_error *error);

/* teak_snapshot_info: what it is. Threads: any one at a time. Fails: as teak_snapshot_read. */
TEAK_API enum teak_status teak_snapshot_info(struct teak_snapshot_reader *reader, struct teak_snapshot_info *out,
                                             struct teak_error *error);

/* teak_snapshot_read: bytes of the body, from any offset.
 * Does      Every byte is verified before it is handed out. Read from beginning to end, the whole is verified besides.
 *           Fewer than `bytes` only at the end of the body; 0 behind it.
 * Threads   Any one at a time.
 * Fails     HASH_MISMATCH (file and offset in the error) · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_snapshot_read(struct teak_snapshot_reader *reader, uint64_t offset, void *out,
                                             uint64_t bytes, uint64_t *bytes_out, struct teak_error *error);

/* teak_snapshot_close: NULL is fine. Threads: any one at a time. Fails: never. */
TEAK_API void teak_snapshot_close(struct teak_snapshot_reader *reader);

/* --------------------------------------------------------------------------------------------------------- trailing */

/* teak_trailing_index: where to compact to, so that `keep` of the entries up to `index` stay: for those who keep their
 * snapshots elsewhere, beside TEAK_OP_SNAPSHOT, as a TEAK_OP_COMPACT.
 * Does      Answers from the index. By bytes it walks the entries that stay. The answer is not below the base: then
 *           there is nothing to compact.
 * Threads   The driving thread.
 * Fails     UNKNOWN_LOG · BEYOND · HASH_MISMATCH · NO_MEMORY · IO. */
TEAK_API enum teak_status teak_trailing_index(struct teak_store *store, uint64_t log, uint64_t index,
                                              struct teak_trailing keep, uint64_t *index_out, struct teak_error *error);

#ifdef __cplusplus
}
#endif
#if defined(__cplusplus) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif
