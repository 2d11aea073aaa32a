/* committer.c: one store, one thread that drives it, and everybody else in a queue before it.
 *
 * OWNS   The queue, who waits for what, and the thread.
 *
 *     any thread                             the committer's thread
 *     push() ─► pushed ──take()──► waiting ──serve()──► the store ─► sent ──complete()──► answer() ─► tell()
 *       │        (newest first)    (oldest first)                   (in order of submission)      one futex wake for
 *       └─ ring() if it sleeps and has waited for just that                                        all of a frame
 *
 * PATH   drive(): take what came, give it to the store, poll, answer. Waking is what costs: a commit of 64 threads is
 *        64 of them put to sleep and woken. So all that come while one frame is being filled sleep on one word; the
 *        committer is woken only when enough has come for it to do something; threads are woken a few at a time, and
 *        those that come back meanwhile leave with a frame of their own, a part of the crowd in each lane, so that the
 *        disk works while others wake; and where nothing is at the disk the next frame waits a moment for a part that
 *        was just told (gather), for else it would leave with the first of them, and the others would wait for two.
 * FAILS  What the store answers to a batch is the answer to the request; FULL waits at the head until there is room.
 * HOLDS  (1) `taken` is the weight of all that take() has seen; `arrived` counts a request after it was pushed. So
 *            arrived >= taken + 1 means: there is one that take() has not seen. Closing weighs 1, and so does ending
 *        (2) asleep is written before arrived is read, there; arrived before asleep is read, here: one of the two sees
 *            the other
 *        (3) a request that is answered is not touched again: its memory may be gone
 *        (4) while the committer's own code does not run, in a call or a callback, the store is lent: who uses it there
 *            can look and read, but neither submit nor drive
 *        (5) whoever has a foot in the door is counted in `inside`; close frees nothing before the last has left
 */
#include <stdatomic.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/coarse.h"
#include "os/heap.h"
#include "os/thread.h"
#include "store/failure.h"
#include "store/store.h"
#include "store/turn.h"
#include "teak/committer.h"

enum {
    LINE = 64,
    WORDS = 64,           /* to sleep on: one for each frame that is being filled, used in turn; bits of `told`    */
    REQUESTS_DEFAULT = 65536,
    DONE_MAX = 256,
    WEIGHT_BYTES = 4096,  /* a request weighs 1, and 1 more for each of these                                      */
    WEIGHT_LANE = 128,    /* what opens a second lane beside a frame in flight (turn.c): 512 KiB                   */
    SHARE_ALL = 256,
    BACK_OFF_MAX = 63,    /* gathers left out after one in vain, at most: one in 64 is tried                       */
    TYPICAL_PART = 16,
    WAKES_AT_ONCE = 4,    /* in one call into the kernel: 4 x 5 us, and the first are back                          */
    LANES_DEFAULT = 3,    /* frames in flight, where options->in_flight is 0                                        */
    LANE_MIN = 8,         /* requests that are worth a write of their own                                           */
    WAKING_NS = 16000,    /* of a thread, with its sleeping and its way back; measured are 5 to 12 us               */
    LANDINGS_ALONE = 32,  /* to know how long a frame takes alone                                                   */
    LANDINGS_SHARED = 2048, /* between two looks at that                                                            */
};
enum { ALONE, SHARED };
enum { GATHER_DEFAULT_NS = 100000, GATHER_MAX_NS = 1000000000, SPIN_MAX_NS = 1000000000,
       DEAF_WAIT_NS = 1000000, STARVED_WAIT_NS = 1000000 };

enum asleep { AWAKE, IN_BED, IN_RING }; /* in bed: on the word `asleep` itself; in the ring: waiting for the disk */
enum { WAITING = 0, ANSWERED = 1 };     /* teak_request.state */
#define CLOSING (UINT32_C(1) << 31)     /* in `inside` */

struct word {
    _Alignas(LINE) _Atomic uint32_t value;
    _Atomic uint32_t sleepers;
};

struct list {
    struct teak_request *first, *last;
};

struct teak_committer {
    /* any thread */
    _Alignas(LINE) _Atomic(struct teak_request *) pushed; /* newest first                                    */
    _Atomic uint64_t arrived;                             /* weight of all ever pushed                       */
    _Alignas(LINE) _Atomic uint64_t wanted;               /* arrived that is worth waking the committer for  */
    _Atomic uint32_t asleep;                              /* enum asleep                                     */
    _Atomic uint32_t word;                                /* who comes now sleeps on this one                */
    _Atomic uint32_t bells;                               /* readers that asked to be served                 */
    _Alignas(LINE) _Atomic uint32_t inside;               /* calls in progress, and CLOSING                  */
    _Atomic uint32_t owed;                                /* requests with a callback, not yet answered      */
    _Atomic bool ending;                                  /* the last call has left: finish                  */
    struct word words[WORDS];
    /* the committer's thread */
    _Alignas(LINE) struct teak_store *store;
    uint64_t taken;             /* weight of all that take() has seen                              */
    uint64_t signs;             /* of it: closing and ending                                       */
    struct list waiting, sent;
    struct list installing;     /* snapshots: told by their tag, when it comes                     */
    uint32_t bells_heard;
    uint64_t told;              /* words on which somebody has been answered, and may sleep still  */
    uint64_t unchanged;         /* of these: not changed since                                     */
    uint32_t owing[WORDS];      /* answered on each, and not woken                                 */
    bool can_ring;              /* the disk can be woken                                           */
    bool is_full;               /* the head waits for room                                         */
    bool is_fresh;              /* the open frame has something that was not polled for            */
    struct teak_op *scratch;    /* operations whose TEAK_INDEX_NEXT become indexes                 */
    uint32_t scratch_room;
    /* gather */
    uint64_t gather_ns;         /* the limit; 0: never                                             */
    uint64_t gather_from, gather_to, gather_until; /* arrived then, wanted, and when it is over; to 0: none */
    uint32_t share;             /* of those told, how many come back in time: of SHARE_ALL         */
    uint32_t skip, back_off;    /* gathers to leave out, and how many after the next one in vain   */
    /* lanes */
    uint64_t typical_ns[2];     /* from launch to durable, ALONE and SHARED                        */
    uint64_t part;              /* of the crowd, for each lane; 0: it is not shared out            */
    uint32_t rest, landings;    /* landings to come without sharing; and since with it             */
    uint64_t now_ns;                  /* when something was taken or landed last                   */
    /* who opens and closes */
    struct thread *thread;
    uint32_t owed_max;
    uint64_t spin_ns;
    enum teak_status closed;
    struct teak_error error;
};

static _Thread_local const struct teak_committer *driving; /* whose thread this is */

/* ----------------------------------------------------------------------------------------------------- the doorstep */

static void leave(struct teak_committer *committer)
{
    const uint32_t before = atomic_fetch_sub_explicit(&committer->inside, 1, memory_order_seq_cst);
    if (before == (CLOSING | 1)) thread_wake(&committer->inside, 1); /* the word's memory may be gone: never read */
}

static enum teak_status enter(struct teak_committer *committer, bool waits, const char *operation,
                              struct teak_error *error)
{
    if (waits && driving == committer) return fail(error, TEAK_IN_CALLBACK, operation);
    if (!(atomic_fetch_add_explicit(&committer->inside, 1, memory_order_seq_cst) & CLOSING)) return TEAK_OK;
    leave(committer);
    return fail(error, TEAK_CLOSED, operation);
}

/* HOLDS (2). */
static void ring(struct teak_committer *committer)
{
    switch ((enum asleep)atomic_exchange_explicit(&committer->asleep, AWAKE, memory_order_seq_cst)) {
    case AWAKE: return;
    case IN_BED: thread_wake(&committer->asleep, 1); return;
    case IN_RING:
        if (committer->can_ring) disk_wake(committer->store->disk);
        return;
    }
}

/* What is not to wait for a frame in flight is as heavy as what opens a lane: it wakes the committer anywhere. */
static uint64_t weight_of(const struct teak_request *request)
{
    if (request->call || request->install || (request->batch.flags & TEAK_URGENT)) return WEIGHT_LANE;
    return request->batch.ops ? 1 + teak_batch_bytes(&request->batch) / WEIGHT_BYTES : 1;
}

static void push(struct teak_committer *committer, struct teak_request *request)
{
    const uint64_t weight = weight_of(request);
    request->state = WAITING;
    request->word = atomic_load_explicit(&committer->word, memory_order_relaxed);
    request->next = atomic_load_explicit(&committer->pushed, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&committer->pushed, &request->next, request, memory_order_seq_cst,
                                                  memory_order_relaxed))
        continue;
    /* from here on the request is the committer's */
    const uint64_t arrived = atomic_fetch_add_explicit(&committer->arrived, weight, memory_order_seq_cst) + weight;
    if (driving == committer || arrived < atomic_load_explicit(&committer->wanted, memory_order_seq_cst)) return;
    if (atomic_load_explicit(&committer->asleep, memory_order_seq_cst) != AWAKE) ring(committer);
}

/* A reader on another thread wants to be served: HOLDS (2) is said of `bells`, too. */
static void hear_bell(void *context)
{
    struct teak_committer *committer = context;
    atomic_fetch_add_explicit(&committer->bells, 1, memory_order_seq_cst);
    ring(committer);
}

static bool is_answered(const struct teak_request *request)
{
    return __atomic_load_n(&request->state, __ATOMIC_ACQUIRE) == ANSWERED; /* pairs with answer() */
}

/* The word is read before the state: whoever answers changes the state first. And sleepers are counted before both:
 * whoever changed the word looks at that. */
static void wait(struct teak_committer *committer, struct teak_request *request)
{
    struct word *word = &committer->words[request->word];
    if (committer->spin_ns > 0) {
        const uint64_t until_ns = thread_now() + committer->spin_ns;
        while (!is_answered(request) && thread_now() < until_ns) thread_yield();
    }
    if (is_answered(request)) return;
    atomic_fetch_add_explicit(&word->sleepers, 1, memory_order_seq_cst);
    for (;;) {
        const uint32_t value = atomic_load_explicit(&word->value, memory_order_seq_cst);
        if (is_answered(request)) break;
        thread_sleep(&word->value, value, UINT64_MAX);
    }
    atomic_fetch_sub_explicit(&word->sleepers, 1, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------------------------------------- answers */

static void list_put(struct list *list, struct teak_request *request)
{
    request->next = NULL;
    *(list->first ? &list->last->next : &list->first) = request;
    list->last = request;
}

static struct teak_request *list_take(struct list *list)
{
    struct teak_request *request = list->first;
    list->first = request->next;
    return request;
}

/* The one that this is the tag of, out of the middle. NULL: none. */
static struct teak_request *list_pick(struct list *list, uint64_t tag)
{
    struct teak_request *before = NULL, *request = list->first;
    for (; request && (uintptr_t)request != tag; request = request->next) before = request;
    if (!request) return NULL;
    *(before ? &before->next : &list->first) = request->next;
    if (list->last == request) list->last = before;
    return request;
}

static void answer(struct teak_committer *committer, struct teak_request *request, enum teak_status status)
{
    struct crowd *crowd = &committer->store->crowd;
    request->status = status;
    crowd->requests++;
    coarse_add(&crowd->request_wait, committer->now_ns - request->taken_ns);
    if (request->done) {
        atomic_fetch_sub_explicit(&committer->owed, 1, memory_order_relaxed);
        store_lend(committer->store);
        request->done(request, request->context);
        store_take_back(committer->store);
        return;
    }
    committer->told |= UINT64_C(1) << request->word;
    committer->unchanged |= UINT64_C(1) << request->word;
    committer->owing[request->word]++;
    __atomic_store_n(&request->state, ANSWERED, __ATOMIC_RELEASE); /* pairs with wait(); HOLDS (3) */
}

/* Wakes some of those that were answered. Each call into the kernel takes as long as there are threads to be woken by
 * it: between two of them the first ones come back, on other processors. The last call on a word wakes all that are
 * left there; threads that sleep on it for a later frame wake with them, look, and sleep again. */
static void tell_some(struct teak_committer *committer)
{
    const uint32_t at = (uint32_t)__builtin_ctzll(committer->told);
    const uint64_t bit = UINT64_C(1) << at;
    struct word *word = &committer->words[at];
    if (committer->unchanged & bit) atomic_fetch_add_explicit(&word->value, 1, memory_order_seq_cst);
    committer->unchanged &= ~bit;
    const bool is_last = committer->owing[at] <= WAKES_AT_ONCE;
    const bool sleeps = atomic_load_explicit(&word->sleepers, memory_order_seq_cst) > 0;
    if (sleeps) committer->store->crowd.woken += thread_wake(&word->value, is_last ? UINT32_MAX : WAKES_AT_ONCE);
    if (!is_last && sleeps) {
        committer->owing[at] -= WAKES_AT_ONCE;
        return;
    }
    committer->owing[at] = 0;
    committer->told &= ~bit;
}

/* ----------------------------------------------------------------------------------------------------- to the store */

static bool is_closing(struct teak_committer *committer)
{
    return atomic_load_explicit(&committer->inside, memory_order_seq_cst) & CLOSING;
}

static bool is_ending(struct teak_committer *committer)
{
    return atomic_load_explicit(&committer->ending, memory_order_seq_cst);
}

/* Oldest first, behind those that wait already. */
static void take(struct teak_committer *committer)
{
    const uint64_t signs = (uint64_t)is_closing(committer) + is_ending(committer);
    committer->taken += signs - committer->signs;
    committer->signs = signs;
    committer->bells_heard = atomic_load_explicit(&committer->bells, memory_order_seq_cst);
    if (!atomic_load_explicit(&committer->pushed, memory_order_relaxed)) return;
    struct teak_request *newest = atomic_exchange_explicit(&committer->pushed, NULL, memory_order_seq_cst);
    struct list came = {.last = newest};
    committer->now_ns = disk_now(committer->store->disk);
    while (newest) {
        struct teak_request *older = newest->next;
        newest->taken_ns = committer->now_ns;
        newest->next = came.first;
        came.first = newest;
        committer->taken += weight_of(newest);
        newest = older;
    }
    if (!came.first) return;
    *(committer->waiting.first ? &committer->waiting.last->next : &committer->waiting.first) = came.first;
    committer->waiting.last = came.last;
}

static bool wants_index(const struct teak_batch *batch)
{
    for (uint32_t i = 0; batch->ops && i < batch->count; i++)
        if (batch->ops[i].op == TEAK_OP_ENTRIES && batch->ops[i].index == TEAK_INDEX_NEXT) return true;
    return false;
}

/* The caller's operations are not to be written: the indexes go into a copy. Grows as the largest batch does. */
static bool copy_ops(struct teak_committer *committer, const struct teak_batch *batch)
{
    if (batch->count > committer->scratch_room) {
        const uint64_t room = max_u64(batch->count, 2 * (uint64_t)committer->scratch_room);
        struct teak_op *grown = heap_grow(committer->scratch, room * sizeof *grown);
        if (!grown) return false;
        committer->scratch = grown;
        committer->scratch_room = (uint32_t)room;
    }
    memcpy(committer->scratch, batch->ops, batch->count * sizeof *batch->ops);
    return true;
}

static void tell_indexes(struct teak_request *request, const struct teak_op *ops)
{
    request->index = 0;
    for (uint32_t i = request->batch.count; i-- > 0;) {
        const bool has = ops[i].op == TEAK_OP_ENTRIES;
        if (has) request->index = ops[i].index;
        if (request->indexes) request->indexes[i] = has ? ops[i].index : 0;
    }
}

static enum teak_status submit(struct teak_committer *committer, struct teak_request *request)
{
    struct teak_store *store = committer->store;
    struct teak_batch batch = request->batch;
    batch.tag = (uintptr_t)request;
    if (wants_index(&batch)) {
        if (!copy_ops(committer, &batch)) return fail(&request->error, TEAK_NO_MEMORY, "submit");
        batch.ops = store->writer.naming = committer->scratch;
    }
    const enum teak_status status = teak_submit(store, &batch, &request->error);
    store->writer.naming = NULL;
    if (status == TEAK_OK) tell_indexes(request, batch.ops);
    return status;
}

/* Begun; its end comes with its tag. What is refused here and can never be put in force is forgotten, what can be gone
 * on with stays in its file; only where the stream is not complete it stays the caller's. */
static void install(struct teak_committer *committer, struct teak_request *request)
{
    struct teak_snapshot_writer *writer = request->install;
    const enum teak_status status =
        writer->store == committer->store
            ? teak_snapshot_install(writer, request->keep, (uintptr_t)request, &request->error)
            : fail(&request->error, TEAK_INVALID, "install");
    if (status == TEAK_OK) {
        list_put(&committer->installing, request);
        return;
    }
    if (status == TEAK_LOG_GONE || status == TEAK_BELOW_SNAPSHOT || status == TEAK_IO)
        teak_snapshot_abort(writer);
    else if (status != TEAK_GAP && status != TEAK_INVALID)
        teak_snapshot_suspend(writer);
    answer(committer, request, status);
}

/* What is no batch. */
static void serve_other(struct teak_committer *committer, struct teak_request *request)
{
    if (request->install) {
        install(committer, request);
        return;
    }
    store_lend(committer->store);
    request->call(committer->store, request->context);
    store_take_back(committer->store);
    answer(committer, request, TEAK_OK);
}

/* As many as the store takes. */
static void serve(struct teak_committer *committer)
{
    const bool was_full = committer->is_full;
    committer->is_full = false;
    while (committer->waiting.first) {
        struct teak_request *request = committer->waiting.first;
        if (request->call || request->install) {
            list_take(&committer->waiting);
            serve_other(committer, request);
            continue;
        }
        const enum teak_status status = submit(committer, request);
        committer->is_full = status == TEAK_FULL;
        if (committer->is_full && !was_full) committer->store->crowd.waits_for_room++;
        if (committer->is_full) break;
        list_take(&committer->waiting);
        if (status == TEAK_OK) {
            list_put(&committer->sent, request);
            committer->is_fresh = true;
        } else {
            answer(committer, request, status);
        }
    }
}

/* ----------------------------------------------------------------------------------------------------------- gather */

/* Threads are about to be told. With nothing at the disk, what `wanted` of them bring goes with one frame. */
static void gather_begin(struct teak_committer *committer, uint64_t wanted, uint64_t now_ns)
{
    committer->gather_to = 0;
    if (committer->gather_ns == 0 || wanted == 0 || committer->store->flight.in_flight > 0) return;
    if (committer->skip > 0) {
        committer->skip--;
        return;
    }
    committer->gather_from = atomic_load_explicit(&committer->arrived, memory_order_relaxed);
    committer->gather_to = committer->gather_from + max_u64(1, wanted * committer->share / SHARE_ALL);
    committer->gather_until = now_ns + min_u64(committer->gather_ns, committer->typical_ns[ALONE] / 2);
    committer->store->crowd.gathers++;
}

/* Whether they came is learnt: most of them, and next time that many are waited for; few, and some gathers are left
 * out, more each time. */
static void gather_end(struct teak_committer *committer)
{
    const uint64_t came = atomic_load_explicit(&committer->arrived, memory_order_relaxed) - committer->gather_from;
    const uint64_t wanted = committer->gather_to - committer->gather_from;
    committer->gather_to = 0;
    if (came >= wanted) {
        committer->back_off = 0;
        committer->share = (uint32_t)min_u64(SHARE_ALL, committer->share + 1);
    } else if (came >= wanted / 2 && wanted > 1) {
        committer->share = (uint32_t)max_u64(1, committer->share * came / wanted);
    } else {
        committer->store->crowd.gathers_vain++;
        committer->back_off = (uint32_t)min_u64(BACK_OFF_MAX, 2 * committer->back_off + 1);
        committer->skip = committer->back_off;
    }
}

static bool gathers(struct teak_committer *committer)
{
    if (committer->gather_to == 0) return false;
    const bool is_over = committer->store->writer.is_urgent || committer->is_full || is_closing(committer) ||
                         atomic_load_explicit(&committer->arrived, memory_order_relaxed) >= committer->gather_to ||
                         disk_now(committer->store->disk) >= committer->gather_until;
    if (is_over) gather_end(committer);
    return !is_over;
}

/* ------------------------------------------------------------------------------------------------------------ drive */

/* False: what it would sleep for is there. */
static bool lie_down(struct teak_committer *committer, enum asleep how, uint64_t wanted)
{
    atomic_store_explicit(&committer->wanted, wanted, memory_order_seq_cst);
    atomic_store_explicit(&committer->asleep, how, memory_order_seq_cst);
    if (atomic_load_explicit(&committer->arrived, memory_order_seq_cst) < wanted &&
        atomic_load_explicit(&committer->bells, memory_order_seq_cst) == committer->bells_heard)
        return true;
    atomic_store_explicit(&committer->asleep, AWAKE, memory_order_seq_cst);
    return false;
}

static void sleep_in_bed(struct teak_committer *committer, uint64_t wanted, uint64_t until_ns)
{
    if (!lie_down(committer, IN_BED, wanted)) return;
    thread_sleep(&committer->asleep, IN_BED, until_ns);
    atomic_store_explicit(&committer->asleep, AWAKE, memory_order_seq_cst);
}

/* Batches in the order of submission, installations whenever they end; the weight of the threads among the former. */
static uint64_t complete(struct teak_committer *committer, const struct teak_completion *done, uint32_t count)
{
    uint64_t told = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct teak_request *request = committer->sent.first;
        if (request && done[i].tag == (uintptr_t)request)
            list_take(&committer->sent);
        else
            request = list_pick(&committer->installing, done[i].tag);
        CHECK(request != NULL); /* nobody else submits */
        request->lsn = done[i].lsn;
        if (done[i].status == TEAK_POISONED)
            request->error = committer->store->flight.cause;
        else if (done[i].status != TEAK_OK)
            fail(&request->error, done[i].status, "install");
        if (!request->done && !request->install) told += weight_of(request);
        answer(committer, request, done[i].status);
    }
    return told;
}

/* ------------------------------------------------------------------------------------------------------------ lanes */

static uint64_t flying(const struct teak_store *store)
{
    return store->tickets.end - store->tickets.begin - turn_open_batches(store);
}

/* So many open another lane, while there is one: as many as fly in each of those that are taken. */
static uint64_t lane_of(const struct teak_committer *committer)
{
    const struct teak_store *store = committer->store;
    if (store->flight.in_flight == 0) return max_u64(LANE_MIN, committer->part);
    return max_u64(LANE_MIN, flying(store) / store->flight.in_flight);
}

/* While threads are still being woken: are enough back for a frame of their own? */
static bool may_leave(const struct teak_committer *committer)
{
    const struct teak_store *store = committer->store;
    return committer->part > 0 && store->flight.in_flight < store->flight.in_flight_max &&
           turn_open_batches(store) >= lane_of(committer);
}

/* Weight that has to come before something can leave, if what is open does or does not at once. */
static uint64_t lane_to_wait_for(const struct teak_committer *committer)
{
    const struct teak_store *store = committer->store;
    const uint64_t open = turn_open_batches(store), in_flight = store->flight.in_flight;
    if (committer->part == 0) return WEIGHT_LANE;
    const bool goes = in_flight == 0 || open >= store->lane_batches;
    if (in_flight + goes >= store->flight.in_flight_max) return WEIGHT_LANE;
    return min_u64(WEIGHT_LANE, goes ? max_u64(LANE_MIN, open) : store->lane_batches - open);
}

/* As many frames took longer as did not. */
static void typical_add(uint64_t *typical_ns, uint64_t ns)
{
    const uint64_t step = *typical_ns / TYPICAL_PART + 1;
    *typical_ns = ns > *typical_ns ? *typical_ns + step : *typical_ns - min_u64(step, *typical_ns);
}

/* The crowd is shared out over the lanes where waking it takes about as long as the disk takes: then some are woken
 * while others are written. Where the disk is slow beside that they all go with one frame; and where it writes one
 * frame after the other whatever it is given, which is found out by comparing, now and then. */
static bool pays(struct teak_committer *committer, uint64_t crowd)
{
    const uint64_t lanes = committer->store->flight.in_flight_max, alone_ns = committer->typical_ns[ALONE];
    if (lanes == 1 || crowd < 2 * LANE_MIN || alone_ns >= crowd * WAKING_NS) return false;
    if (committer->rest > 0) {
        committer->rest--;
        return false;
    }
    if (committer->typical_ns[SHARED] > alone_ns * (lanes + 1) / 2) {
        committer->typical_ns[SHARED] = alone_ns; /* next time may be better */
        committer->rest = LANDINGS_SHARED;
    } else if (++committer->landings >= LANDINGS_SHARED) {
        committer->landings = 0;
        committer->rest = LANDINGS_ALONE;
    }
    return true;
}

static void share_out(struct teak_committer *committer, uint64_t told)
{
    const struct teak_store *store = committer->store;
    typical_add(&committer->typical_ns[committer->part > 0 ? SHARED : ALONE], store->flight.latest_ns);
    const uint64_t crowd = told + turn_open_batches(store) + flying(store);
    committer->part = told > 0 && pays(committer, crowd) ? crowd / store->flight.in_flight_max : 0;
}

/* A frame has landed: all that it held are answered before anybody is woken. */
static void land(struct teak_committer *committer, struct teak_completion *done, uint32_t count)
{
    struct teak_store *store = committer->store;
    const uint64_t now_ns = committer->now_ns = disk_now(store->disk);
    store->crowd.groups++;
    uint64_t told = complete(committer, done, count);
    while (turn_has_completion(store) && teak_poll(store, 0, done, DONE_MAX, &count, NULL) == TEAK_OK)
        told += complete(committer, done, count);
    share_out(committer, told);
    const uint64_t open = turn_open_batches(store);
    if (committer->part == 0)
        gather_begin(committer, told < 2 ? 0 : told, now_ns);
    else
        gather_begin(committer, committer->part > open ? committer->part - open : 0, now_ns);
}

/* Polls, sleeping in the ring or, where nothing is at the disk, in bed. */
static void poll_store(struct teak_committer *committer, bool waits)
{
    struct teak_store *store = committer->store;
    struct teak_completion done[DONE_MAX];
    struct teak_error error;
    uint32_t count = 0;
    if (is_closing(committer) && writer_has_work(&store->writer)) store->writer.is_urgent = true;
    /* with a frame in flight only a lane's worth can leave; one that lingers flies with whoever comes */
    const bool leaves = committer->is_fresh && !store->writer.is_lazy && store->linger_ns == 0;
    const bool flies = leaves || store->flight.in_flight > 0;
    if (committer->is_fresh) {
        committer->is_fresh = false;
        const uint32_t word = atomic_load_explicit(&committer->word, memory_order_relaxed);
        atomic_store_explicit(&committer->word, (word + 1) % WORDS, memory_order_relaxed);
    }
    store->lane_batches = committer->part > 0 ? lane_of(committer) : 0;
    const uint64_t wanted = committer->taken + (flies ? lane_to_wait_for(committer) : 1);
    const uint64_t patience = committer->can_ring ? TEAK_FOREVER : DEAF_WAIT_NS;
    const uint64_t wait_ns = waits && lie_down(committer, IN_RING, wanted) ? patience : 0;
    const enum teak_status status = teak_poll(store, wait_ns, done, DONE_MAX, &count, &error);
    atomic_store_explicit(&committer->asleep, AWAKE, memory_order_seq_cst);
    if (count > 0) land(committer, done, count);
    if (!waits || count > 0 || (status == TEAK_OK && turn_at_disk(store) > 0)) return;
    uint64_t until_ns = status == TEAK_OK ? teak_deadline(store) : TEAK_NO_DEADLINE;
    if (committer->is_full) until_ns = min_u64(until_ns, disk_now(store->disk) + STARVED_WAIT_NS);
    sleep_in_bed(committer, committer->taken + 1, until_ns);
}

static bool is_over(struct teak_committer *committer)
{
    return is_ending(committer) && !committer->told && !committer->waiting.first && !committer->installing.first &&
           !committer->sent.first && !atomic_load_explicit(&committer->pushed, memory_order_seq_cst);
}

static void drive(void *context)
{
    struct teak_committer *committer = context;
    struct teak_store *store = committer->store;
    driving = committer;
    store->can_be_woken = true;
    if (teak_poll(store, 0, NULL, 0, NULL, NULL) == TEAK_OK) committer->can_ring = disk_listen(store->disk) == 0;
    while (!is_over(committer)) {
        take(committer);
        serve(committer);
        if (committer->told) {
            tell_some(committer);
            if (may_leave(committer)) poll_store(committer, false);
        } else if (gathers(committer)) {
            sleep_in_bed(committer, committer->gather_to, committer->gather_until);
        } else {
            poll_store(committer, true);
        }
    }
    store->can_be_woken = false;
    committer->closed = teak_close(store, &committer->error);
}

/* --------------------------------------------------------------------------------------------------- open and close */

static enum teak_status check(const struct teak_options *options, const struct teak_committer_options *own,
                              struct teak_error *error)
{
    if (options && options->read_only) return fail(error, TEAK_OPTIONS, "read_only");
    if (own->gather_ns > GATHER_MAX_NS) return fail(error, TEAK_OPTIONS, "gather_ns");
    if (own->spin_ns > SPIN_MAX_NS) return fail(error, TEAK_OPTIONS, "spin_ns");
    if (own->requests_max >= CLOSING) return fail(error, TEAK_OPTIONS, "requests_max");
    return TEAK_OK;
}

static struct teak_committer *make(struct teak_store *store, const struct teak_committer_options *own)
{
    struct teak_committer *committer = heap_take_aligned(LINE, sizeof *committer);
    if (!committer) return NULL;
    *committer = (struct teak_committer){
        .store = store,
        .owed_max = own->requests_max ? own->requests_max : REQUESTS_DEFAULT,
        .gather_ns = own->never_gather ? 0 : own->gather_ns ? own->gather_ns : GATHER_DEFAULT_NS,
        .spin_ns = own->spin_ns,
        .share = SHARE_ALL,
        .typical_ns = {2 * GATHER_DEFAULT_NS, 2 * GATHER_DEFAULT_NS},
        .rest = LANDINGS_ALONE,
    };
    return committer;
}

enum teak_status committer_open_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                   const struct teak_committer_options *own, struct teak_committer **out,
                                   struct teak_report *report, struct teak_error *error)
{
    static const struct teak_committer_options defaults;
    struct teak_store *store;
    *out = NULL;
    if (!own) own = &defaults;
    enum teak_status status = check(options, own, error);
    if (status != TEAK_OK) {
        if (disk) disk_close(disk);
        return status;
    }
    status = store_open_flying_on(disk, directory, options, LANES_DEFAULT, &store, report, error);
    if (status != TEAK_OK) return status;
    struct teak_committer *committer = make(store, own);
    const int os_errno = committer ? thread_start("teak", drive, committer, &committer->thread) : 0;
    if (committer && !os_errno) {
        *out = committer;
        return TEAK_OK;
    }
    heap_give(committer);
    teak_abandon(store);
    if (os_errno) fail_errno(error, os_errno, "thread", "");
    if (!os_errno) fail(error, TEAK_NO_MEMORY, "open");
    if (error) error->status = TEAK_NO_MEMORY;
    return TEAK_NO_MEMORY;
}

enum teak_status teak_committer_open(const char *directory, const struct teak_options *options,
                                     const struct teak_committer_options *own, struct teak_committer **out,
                                     struct teak_report *report, struct teak_error *error)
{
    return committer_open_on(NULL, directory, options, own, out, report, error);
}

static void sign(struct teak_committer *committer)
{
    atomic_fetch_add_explicit(&committer->arrived, 1, memory_order_seq_cst); /* HOLDS (1) */
    ring(committer);
}

/* First nobody comes in any more, and those inside get their answers and leave; then the thread is told to end, which
 * answers what is left: requests with callbacks. */
enum teak_status teak_committer_stop(struct teak_committer *committer, struct teak_error *error)
{
    if (driving == committer) return fail(error, TEAK_IN_CALLBACK, "stop");
    if (committer->thread) {
        atomic_fetch_or_explicit(&committer->inside, CLOSING, memory_order_seq_cst);
        sign(committer);
        for (;;) {
            const uint32_t inside = atomic_load_explicit(&committer->inside, memory_order_seq_cst);
            if (inside == CLOSING) break;
            thread_sleep(&committer->inside, inside, UINT64_MAX);
        }
        atomic_store_explicit(&committer->ending, true, memory_order_seq_cst);
        sign(committer);
        thread_join(committer->thread);
        committer->thread = NULL;
    }
    if (committer->closed != TEAK_OK && error) *error = committer->error;
    return committer->closed;
}

enum teak_status teak_committer_close(struct teak_committer *committer, struct teak_error *error)
{
    if (driving == committer) return fail(error, TEAK_IN_CALLBACK, "close");
    const enum teak_status status = teak_committer_stop(committer, error);
    heap_give(committer->scratch);
    heap_give(committer);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- requests */

enum teak_status teak_committer_submit(struct teak_committer *committer, struct teak_request *request,
                                       struct teak_error *error)
{
    const bool wants = request->call || request->install || request->batch.count > 0;
    if (!request->done || !wants) return fail(error, TEAK_INVALID, "submit");
    enum teak_status status = enter(committer, false, "submit", error);
    if (status != TEAK_OK) return status;
    if (atomic_fetch_add_explicit(&committer->owed, 1, memory_order_relaxed) < committer->owed_max) {
        push(committer, request);
    } else {
        atomic_fetch_sub_explicit(&committer->owed, 1, memory_order_relaxed);
        status = fail(error, TEAK_FULL, "submit");
    }
    leave(committer);
    return status;
}

/* The request lies on the caller's stack. */
static enum teak_status ask(struct teak_committer *committer, struct teak_request *request, const char *operation,
                            struct teak_error *error)
{
    const enum teak_status status = enter(committer, true, operation, error);
    if (status != TEAK_OK) return status;
    push(committer, request);
    wait(committer, request);
    leave(committer);
    if (request->status != TEAK_OK && error) *error = request->error;
    return request->status;
}

enum teak_status teak_committer_commit(struct teak_committer *committer, const struct teak_batch *batch,
                                       uint64_t *lsn_out, struct teak_error *error)
{
    struct teak_request request = {.batch = *batch};
    const enum teak_status status = ask(committer, &request, "commit", error);
    if (status == TEAK_OK && lsn_out) *lsn_out = request.lsn;
    return status;
}

enum teak_status teak_committer_append(struct teak_committer *committer, uint64_t log, uint64_t index, uint64_t term,
                                       const void *data, uint32_t bytes, uint64_t *index_out, struct teak_error *error)
{
    const struct teak_bytes entry = {.data = data, .bytes = bytes};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = term, .entries = &entry,
                               .count = 1};
    struct teak_request request = {.batch = {.ops = &op, .count = 1}};
    const enum teak_status status = ask(committer, &request, "append", error);
    if (status == TEAK_OK && index_out) *index_out = request.index;
    return status;
}

enum teak_status teak_committer_call(struct teak_committer *committer, teak_call_fn fn, void *context,
                                     struct teak_error *error)
{
    if (!fn) return fail(error, TEAK_INVALID, "call");
    struct teak_request request = {.call = fn, .context = context};
    return ask(committer, &request, "call", error);
}

enum teak_status teak_committer_install(struct teak_committer *committer, struct teak_snapshot_writer *writer,
                                        struct teak_trailing keep, struct teak_error *error)
{
    if (!writer) return fail(error, TEAK_INVALID, "install");
    struct teak_request request = {.install = writer, .keep = keep};
    return ask(committer, &request, "install", error);
}

/* ---------------------------------------------------------------------------------------------------------- readers */

struct reader_wish {
    struct teak_committer *committer;
    uint64_t log, index;
    struct teak_reader *reader;
    enum teak_status status;
    struct teak_error *error;
};

static void open_reader(struct teak_store *store, void *context)
{
    struct reader_wish *wish = context;
    const struct teak_reader_options options = {.wake = hear_bell, .context = wish->committer};
    wish->status = teak_reader_open(store, wish->log, wish->index, &options, &wish->reader, wish->error);
}

enum teak_status teak_committer_reader_open(struct teak_committer *committer, uint64_t log, uint64_t index,
                                            struct teak_reader **out, struct teak_error *error)
{
    struct reader_wish wish = {.committer = committer, .log = log, .index = index, .error = error};
    *out = NULL;
    const enum teak_status status = teak_committer_call(committer, open_reader, &wish, error);
    if (status != TEAK_OK) return status;
    *out = wish.reader;
    return wish.status;
}
