/* teak/raft_log_store.h: what a log store does for the Raft core: it carries out jobs, and brings entries back.
 *
 * The core calls nothing. A driver takes a job out of a ready and hands it to a store, does not wait, and tells the
 * core what became of it. This is the store's side, as a table of functions, so that one driver runs on any store. Two
 * come with it: teak/raft_store_memory.h for tests, teak/raft_store_teak.h on the engine.
 *
 *     store.ops->start(store.self, group, &start);            // when a node begins
 *     ...
 *     count = store.ops->collect(store.self, 0, done, 64);    // once a turn, before the tick
 *     for (i = 0; i < count; i++) teak_raft_tell(node_of(done[i].group), &done[i]);
 *     ...
 *     want = store.ops->takes(store.self) ? TEAK_RAFT_ALL : TEAK_RAFT_ALL & ~TEAK_RAFT_PERSIST;
 *     teak_raft_ready(node, want, &ready);
 *     if (ready.job) store.ops->submit(store.self, group, ready.job);
 *     for (each of ready.fetch) store.ops->fetch(store.self, group, &ready.fetch[i]);
 *
 * THE PROMISE  What a completion called DURABLE is there after a power cut, or starting says DAMAGED. A job is there
 *              whole or not at all, and never without those of its group before it.
 *
 * A GROUP'S LOG
 *
 *      base        first                  last
 *     ──┬───────────┬──────────────────────┬──►  index
 *       │ its term  │ entries              │ the next append: last + 1
 *       │ is known  │
 *
 * JOBS     One job is one atomic batch: cut, snapshot, append, hard state, compact, in this order. Jobs of a group
 *          become durable in the order in which they were submitted; one completion stands for all up to its token.
 *          Many groups share one store, and syncs. Of a snapshot the store keeps the name, for start; its body is the
 *          caller's.
 * REFUSED  A store without space answers NO_ROOM with the token of the first job that it refuses. That job and all of
 *          its group behind it are not done and get no answer of their own, until collect has handed the refusal out.
 *          When space is back, ROOM comes once for each group that was refused.
 * WAITS    What may pass, and left nothing written (no memory, no descriptor for a new file), refuses nothing: the job
 *          is kept aside, and done when it has passed.
 * POISONED Nobody knows what is on the medium. It comes with the oldest job that is not known to be durable, and for
 *          each job submitted later. A job that contradicts the log of its group (a gap, a cut beyond the end, another
 *          beginning or end than after_first and after_last, a hard state or snapshot that goes back, clear where the
 *          snapshot stands in the log or not where it does not) is not written and poisons its group alone, until that
 *          is started again.
 *
 * CAVEATS
 *  - One thread drives a store, for all of its groups.
 *  - No call but collect waits, and that no longer than it is told to; close and start may read the medium.
 *
 * Every function lists: Does, Owner, Threads, Durable, Fails.
 */
#ifndef TEAK_RAFT_LOG_STORE_H
#define TEAK_RAFT_LOG_STORE_H

#include "teak/raft.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a group's log stands, with everything that was submitted and is not kept aside. */
struct teak_raft_log_state {
    uint64_t born;                 /* what it was created with                                       */
    struct teak_raft_pos base;     /* before the first entry                                         */
    struct teak_raft_pos last;     /* the base where there are no entries                            */
    struct teak_raft_pos snapshot; /* the newest that a job named; 0: none                           */
    struct teak_raft_hard hard;
};

enum teak_raft_completion_kind {
    TEAK_RAFT_JOB_DONE = 1, /* number: a token. outcome: DURABLE (all up to it), NO_ROOM, POISONED                */
    TEAK_RAFT_FETCH_DONE,   /* number: a ticket. outcome: FETCHED, CORRUPT (one of them, or it is not there, or   *
                             * cannot be read whenever it is tried again)                                         */
    TEAK_RAFT_ROOM          /* a group that was refused may bring entries again                                   */
};

struct teak_raft_completion {
    enum teak_raft_completion_kind kind;
    enum teak_raft_outcome outcome;
    uint64_t group, number;
    uint64_t term_before;                  /* FETCHED: of the entry before the first, 0 before the very first     */
    const struct teak_raft_entry *entries; /* FETCHED; who needs one longer holds its frame                       */
    uint32_t count;
};

struct teak_raft_log_store_ops {
    /* create: a new, empty log for a group.
     * Does      `born` is kept with it and tells it from one of the same id before it: draw it, never 0.
     * Owner     -
     * Threads   The driving one.
     * Durable   When a job submitted later is.
     * Fails     MISUSE (born 0, or there is one of that id) · BUSY (no memory for it now, the system refuses what may
     *           pass, or the one before it is still being dropped: collect, repeat) · NO_SPACE · HALTED (the store is
     *           poisoned) */
    enum teak_raft_status (*create)(void *self, uint64_t group, uint64_t born);

    /* drop: ends a group's log.
     * Threads   The driving one.
     * Durable   When a job submitted later, of any group, is.
     * Fails     MISUSE (no such group) · BUSY (as create, or something of it is in flight) · NO_SPACE · HALTED */
    enum teak_raft_status (*drop)(void *self, uint64_t group);

    /* groups: the ids of all groups above `after`, ascending, up to `max`; of all from the lowest on with from_start.
     * Threads   The driving one.   Fails never. Returns how many were written. */
    uint32_t (*groups)(void *self, bool from_start, uint64_t after, uint64_t *out, uint32_t max);

    /* fits: can jobs of nodes with these options be stored?
     * Threads   The driving one.   Fails TOO_LARGE */
    enum teak_raft_status (*fits)(void *self, const struct teak_raft_options *options);

    /* start: what teak_raft_init wants to know of a group's log.
     * Does      Fills in all but `applied`, `can_restore` and `incarnation`, which stay as they are. Reads no entries
     *           but CONFIGs: it takes as long for forty million of them. What the run before asked for and was not told
     *           is forgotten.
     * Owner     The store's, valid until the next start, or close.
     * Threads   The driving one.
     * Durable   All of it.
     * Fails     MISUSE (no such group) · BUSY (jobs of it are in flight, so nobody knows yet: collect, repeat) ·
     *           DAMAGED (not a log that create made, or a CONFIG or the name of the snapshot cannot be read) · NO_SPACE
     *           (no memory) · HALTED (poisoned) */
    enum teak_raft_status (*start)(void *self, uint64_t group, struct teak_raft_start *out);

    /* state: where a group's log stands.   Threads the driving one   Fails MISUSE (no such group) */
    enum teak_raft_status (*state)(void *self, uint64_t group, struct teak_raft_log_state *out);

    /* takes: can jobs be taken without waiting for memory? Want TEAK_RAFT_PERSIST only then.
     * Does      A job that is submitted nevertheless is kept aside, and done in its order; until then it shows neither
     *           in state nor in what is fetched.
     * Threads   The driving one.   Fails never */
    bool (*takes)(void *self);

    /* submit: a job.
     * Owner     Copied before return.
     * Threads   The driving one.
     * Durable   When collect says so.
     * Fails     MISUSE (a group that was not started; entries that do not ascend, a snapshot without a
     *           configuration). All else is a completion. */
    enum teak_raft_status (*submit)(void *self, uint64_t group, const struct teak_raft_job *job);

    /* fetch: entries are wanted back.
     * Does      From first on, up to last, at least one, at most bytes_max bytes if more than one. last < first: only
     *           the term before `first`. Answers in collect, in any order, also entries that are not durable yet. An
     *           older one of the group, for the same purpose (to_apply), may stay without an answer.
     * Owner     Copied.
     * Threads   The driving one.
     * Durable   Says nothing of it.
     * Fails     MISUSE (not started, first 0) · BUSY (no memory: ask again) */
    enum teak_raft_status (*fetch)(void *self, uint64_t group, const struct teak_raft_fetch *fetch);

    /* collect: drives the store, and says what is done.
     * Does      Where there is none and something is under way, waits up to `wait_ns` for the first; where nothing
     *           is, it returns at once: a driver sleeps elsewhere. Of a group, DURABLE comes before a refusal.
     * Owner     What a completion points at holds until the next collect, or close. Who holds a frame keeps it longer.
     * Threads   The driving one.
     * Durable   It says so.
     * Fails     Never. Returns how many were written: up to `max`. 0: what there is to tell stays for a later call. */
    uint32_t (*collect)(void *self, uint64_t wait_ns, struct teak_raft_completion *out, uint32_t max);

    /* close: ends the store's side of it. What is in flight may or may not be done. NULL is fine.
     * Owner     Frames that were handed out and are held stay.   Threads the driving one   Fails never */
    void (*close)(void *self);
};

struct teak_raft_log_store {
    const struct teak_raft_log_store_ops *ops;
    void *self;
};

/* teak_raft_tell: hands a completion to the node of its group.
 * Does      teak_raft_persisted, teak_raft_fetched or teak_raft_room. That a ticket is not wanted any more is fine.
 * Owner     Frames are held as far as the node needs them.
 * Threads   The node's.
 * Durable   As the completion says.
 * Fails     STALE (a token that is not in flight) · MISUSE (no such kind; as the three do) · HALTED */
TEAK_API enum teak_raft_status teak_raft_tell(struct teak_raft *raft, const struct teak_raft_completion *completion);

#ifdef __cplusplus
}
#endif

#endif
