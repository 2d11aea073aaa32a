/* teak/committer.h: one store for many threads.
 *
 * A committer owns a store and the thread that drives it. Any thread hands it batches, waiting until they are durable
 * or hearing of it in a callback; what many threads hand over at a time becomes durable with one write.
 *
 *     struct teak_options options = teak_options_default();
 *     struct teak_committer *committer;
 *     options.create = true;
 *     if (teak_committer_open("data", &options, NULL, &committer, NULL, NULL) != TEAK_OK) return 1;
 *     // any thread, any number of them:
 *     uint64_t index;
 *     teak_committer_append(committer, 7, TEAK_INDEX_NEXT, term, "hello", 5, &index, NULL); // durable
 *     // in the end, one thread:
 *     teak_committer_close(committer, NULL);
 *
 * ORDER      First come, first served: no request is passed by one that was handed over later. A batch for which there
 *            is no room yet waits at the head; nobody overtakes it.
 * CALLBACKS  Run on the committer's thread, between two turns of the store, with no lock held. They may hand over more
 *            requests. What would wait, or close, or use the store itself for more than looking and reading, is refused
 *            from there with TEAK_IN_CALLBACK. While one runs nothing is committed: let it be short.
 * MEMORY     The committer allocates nothing for a request: it is linked into the committer's lists by itself.
 */
#ifndef TEAK_COMMITTER_H
#define TEAK_COMMITTER_H

#include "teak/engine.h"
#include "teak/snapshot.h"

#ifdef __cplusplus
extern "C" {
#endif

struct teak_committer;
struct teak_request;

/* As the index of TEAK_OP_ENTRIES in a batch for a committer: behind what the log holds when the batch's turn comes. */
#define TEAK_INDEX_NEXT UINT64_MAX

/* 0 means: the default. */
struct teak_committer_options {
    uint32_t requests_max; /* submitted with a callback and not yet answered; more get FULL. Default 65,536        */
    uint64_t gather_ns;    /* longest wait for threads that have just been told, and are likely to come back with
                            * their next batch, before a frame leaves without them. Default 100 us; at most 1 s    */
    bool never_gather;     /* a frame leaves with what is there                                                    */
    uint64_t spin_ns;      /* a thread that waits offers the processor to others for so long before it sleeps:
                            * saves its waking, and burns what nobody else wants. At most 1 s                      */
};

/* teak_committer_open: open a store, as teak_open does, and start the thread that drives it.
 * Does      `own` may be NULL: the defaults. Where neither options->in_flight nor the store says a number there are up
 *           to three frames in flight, over which a crowd of threads is shared out while the disk gains by it.
 * Owner     The committer is the caller's until teak_committer_close; the store is the committer's.
 * Threads   Any.
 * Durable   As teak_open.
 * Fails     OPTIONS (one of `own` is out of range, or options->read_only) · as teak_open · NO_MEMORY (no thread to be
 *           had). Nothing is left open. */
TEAK_API enum teak_status teak_committer_open(const char *directory, const struct teak_options *options,
                                              const struct teak_committer_options *own, struct teak_committer **out,
                                              struct teak_report *report, struct teak_error *error);

/* teak_committer_stop: answer everybody, close the store, end the thread.
 * Does      What was handed over before is answered as if nothing had happened: those that wait return, callbacks are
 *           called, lazy batches do not wait any longer. Whoever comes from now on gets CLOSED, for as long as the
 *           committer is not closed: so a host stops it, ends its threads as each of them hears that, and closes it.
 * Threads   Any one, but no callback.
 * Durable   With OK all that was answered with OK, and the store is marked clean.
 * Fails     IN_CALLBACK · POISONED, as teak_close. Called again it gives the same answer. */
TEAK_API enum teak_status teak_committer_stop(struct teak_committer *committer, struct teak_error *error);

/* teak_committer_close: stop it, if that was not done, and free it.
 * Owner     The committer is gone whatever the answer, but for IN_CALLBACK. No other call may be in progress, or come.
 * Threads   Any one, but no callback.
 * Durable   As teak_committer_stop.
 * Fails     As teak_committer_stop. */
TEAK_API enum teak_status teak_committer_close(struct teak_committer *committer, struct teak_error *error);

/* What runs on the committer's thread. */
typedef void (*teak_call_fn)(struct teak_store *store, void *context);
typedef void (*teak_request_fn)(struct teak_request *request, void *context);

/* Something handed over. Zeroed, then filled in by the caller. */
struct teak_request {
    /* what is wanted */
    struct teak_batch batch;  /* `tag` is the caller's and comes back untouched                                       */
    teak_call_fn call;        /* in place of a batch: run this; see teak_committer_call                               */
    struct teak_snapshot_writer *install; /* or: put this in force; see teak_committer_install                        */
    struct teak_trailing keep; /* with it                                                                             */
    teak_request_fn done;     /* called once, when all below is filled in; the request is then the caller's again     */
    void *context;            /* for both                                                                             */
    uint64_t *indexes;        /* NULL, or room for batch.count: the index each ENTRIES began at, 0 for others         */
    /* the answer */
    enum teak_status status;  /* OK: durable. POISONED: unknown, it may be there after reopening                      */
    uint64_t lsn;             /* of the frame it went out with; 0: none                                               */
    uint64_t index;           /* of the first entry of the batch's first ENTRIES, where it was taken                  */
    struct teak_error error;  /* filled unless OK                                                                     */
    /* the committer's own */
    struct teak_request *next;
    uint64_t taken_ns;
    uint32_t state, word;
};

/* teak_committer_submit: hand a request over; its callback tells when it is durable, or why not.
 * Does      Never waits. All that teak_submit checks is checked later, and told in request->status.
 * Owner     The request, its batch and all that points to stay the caller's memory, and must not be touched until the
 *           callback is called. Payloads are not copied before that.
 * Threads   Any; callbacks too.
 * Durable   When the callback is called with status OK.
 * Fails     INVALID (no callback; neither operations nor a call nor a snapshot) · FULL (requests_max) · CLOSED. The
 *           request was not taken, its callback is not called. */
TEAK_API enum teak_status teak_committer_submit(struct teak_committer *committer, struct teak_request *request,
                                                struct teak_error *error);

/* teak_committer_commit: a batch, until it is durable.
 * Does      Waits. `lsn_out` may be NULL.
 * Owner     Everything stays the caller's.
 * Threads   Any, but no callback.
 * Durable   With OK.
 * Fails     As teak_submit but for FULL and WRONG_THREAD (it waits for room) · POISONED (unknown, it may be there after
 *           reopening) · IN_CALLBACK · CLOSED. */
TEAK_API enum teak_status teak_committer_commit(struct teak_committer *committer, const struct teak_batch *batch,
                                                uint64_t *lsn_out, struct teak_error *error);

/* teak_committer_append: one entry of kind 0 as a batch of its own, until it is durable. `index` may be
 * TEAK_INDEX_NEXT; `index_out`, which may be NULL, tells where it went. As teak_committer_commit. */
TEAK_API enum teak_status teak_committer_append(struct teak_committer *committer, uint64_t log, uint64_t index,
                                                uint64_t term, const void *data, uint32_t bytes, uint64_t *index_out,
                                                struct teak_error *error);

/* teak_committer_call: run fn(store, context) on the committer's thread, and wait until it has returned.
 * Does      The way to whatever else a store can be asked: its logs, entries, statistics. It runs behind everything
 *           that was handed over before it, which is then taken by the store but may not be durable yet. fn may look,
 *           read, open cursors, readers and streams of snapshots. To submit, reserve, install, poll, drain and close is
 *           the committer's part: in fn these answer IN_CALLBACK and change nothing, and teak_abandon does nothing.
 * Threads   Any, but no callback (there the store is at hand through a request with `call`).
 * Fails     INVALID (no fn) · IN_CALLBACK · CLOSED. */
TEAK_API enum teak_status teak_committer_call(struct teak_committer *committer, teak_call_fn fn, void *context,
                                              struct teak_error *error);

/* teak_committer_install: put a snapshot that was streamed in in force, and wait until it is, durably.
 * Does      What teak_snapshot_install does, and its completion. The stream is begun with teak_snapshot_begin in a
 *           teak_committer_call, and written on any thread. Others are served meanwhile. A stream ends before its
 *           committer is stopped: installed here, or suspended or aborted in a call.
 * Owner     The writer is the committer's, and gone, whatever the answer, but for GAP, INVALID, IN_CALLBACK and
 *           CLOSED. What is refused as NO_SPACE, NO_MEMORY or POISONED stays in its file, and a stream begun again goes
 *           on there.
 * Threads   Any, but no callback (there: teak_committer_submit of a request with `install`).
 * Durable   With OK.
 * Fails     INVALID (no writer, or of another store) · GAP (shorter than announced) · LOG_GONE · BELOW_SNAPSHOT ·
 *           NO_SPACE · NO_MEMORY · IO · POISONED (unknown, it may be in force after reopening) · IN_CALLBACK ·
 *           CLOSED. */
TEAK_API enum teak_status teak_committer_install(struct teak_committer *committer, struct teak_snapshot_writer *writer,
                                                 struct teak_trailing keep, struct teak_error *error);

/* teak_committer_reader_open: a handle with which one thread reads a log beside the commits, from `index` on.
 * Does      As teak_reader_open; whoever reads wakes the committer where that is asleep, and is woken when what it
 *           waits for is there: teak_reader_read with TEAK_FOREVER follows the tail.
 * Owner     The reader is the caller's until teak_reader_close, before or after the end of the committer.
 * Threads   Any, but no callback (there: teak_reader_open in a request with `call`, and a `wake` of the host's own).
 * Fails     UNKNOWN_LOG · COMPACTED · BEYOND · NO_MEMORY · IN_CALLBACK · CLOSED. */
TEAK_API enum teak_status teak_committer_reader_open(struct teak_committer *committer, uint64_t log, uint64_t index,
                                                     struct teak_reader **out, struct teak_error *error);

#ifdef __cplusplus
}
#endif
#endif
