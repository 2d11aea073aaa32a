/* store.c: the public calls that change a store or drive it: who may call, then one part is called. */
#include "store/store.h"

#include <errno.h>

#include "base/bytes.h"
#include "store/failure.h"
#include "store/fetch.h"
#include "store/publish.h"
#include "store/reader.h"
#include "store/recover.h"
#include "store/turn.h"

/* ---------------------------------------------------------------------------------------------------------- events */

static const char callback_mark; /* who drives a store while a callback runs: nobody */
static const char lent_mark;     /* and while a committer's caller looks at it: not he   */

/* The mark leads each guard to its refusal, so that the commit path asks for nothing. */
void store_tell(struct teak_store *store)
{
    notice_state(store);
    if (store->events.begin == store->events.end) return;
    const void *thread = store->thread;
    store->thread = &callback_mark;
    events_deliver(&store->events);
    store->thread = thread;
}

/* Turns; a device that hangs is told of while it is waited for. */
static void drive(struct teak_store *store, uint64_t wait_ns, bool final)
{
    for (;;) {
        turn(store, wait_ns, final);
        const bool is_hot = store->events.is_hot;
        store_tell(store);
        if (!is_hot || store->now_ns >= store->until_ns || store->flight.poisoned || turn_has_completion(store) ||
            (store->starved && store->chore_ended) || store->streams.news)
            return;
        wait_ns = store->until_ns == UINT64_MAX ? UINT64_MAX : store->until_ns - store->now_ns;
    }
}

/* ---------------------------------------------------------------------------------------------------------- guards */

static _Thread_local char thread_mark;

enum teak_status store_guard(struct teak_store *store, struct teak_error *error)
{
    if (store->thread == &thread_mark) return TEAK_OK;
    if (store->thread == &callback_mark) return fail(error, TEAK_IN_CALLBACK, "drive");
    if (store->thread == &lent_mark && store->lender == &thread_mark) return TEAK_OK;
    if (store->thread) return fail(error, TEAK_WRONG_THREAD, "drive");
    if (store->phase != STORE_READING) {
        const int os_errno = disk_attach(store->disk);
        if (os_errno == EEXIST) return fail(error, TEAK_WRONG_THREAD, "drive");
        if (os_errno) return fail_errno(error, os_errno, "attach", "");
        /* Pinning touches every page: it belongs to driving, not to opening. */
        store->limits.registered_bytes =
            disk_register_memory(store->disk, store->arena.base, store->arena.bytes);
    }
    store->thread = &thread_mark;
    return TEAK_OK;
}

void store_lend(struct teak_store *store)
{
    store->lender = store->thread;
    store->thread = &lent_mark;
}

void store_take_back(struct teak_store *store) { store->thread = store->lender; }

bool store_is_lent(const struct teak_store *store) { return store->thread == &lent_mark; }

/* As store_guard, for what takes part in a committer's work. */
static enum teak_status guard_driving(struct teak_store *store, const char *operation, struct teak_error *error)
{
    if (store_is_lent(store)) return fail(error, TEAK_IN_CALLBACK, operation);
    return store_guard(store, error);
}

/* RLIMIT_FSIZE may have sunk since the segments were made: a write beyond it would be a failed one, and poison. */
static enum teak_status ask_size_limit(struct teak_store *store, struct teak_error *error)
{
    if (store->device.size_limit >= store->limits.segment_bytes) return TEAK_OK;
    struct disk_device now; /* it may have risen since opening */
    const int os_errno = disk_probe(store->disk, store->directory, &now);
    if (os_errno) return fail_errno(error, os_errno, "probe", "");
    if (now.size_limit < store->limits.segment_bytes) return fail_errno(error, EFBIG, "limit", "");
    store->device.size_limit = now.size_limit;
    return TEAK_OK;
}

/* What opening left to be done. Segments that crashes ended early get their index now: a service that dies young again
 * and again would never come to it, and each life would cost a segment (history 14). */
static enum teak_status begin_writing(struct teak_store *store, struct teak_error *error)
{
    struct teak_error cause = {0};
    enum teak_status status = ask_size_limit(store, &cause);
    if (status == TEAK_OK) status = recover_apply(store, &cause);
    if (status == TEAK_OK)
        publish_open(store);
    else
        notice_begin_failed(store, &cause); /* no turn will: the next batch tries again */
    if (status != TEAK_OK && error) *error = cause;
    struct segments *segments = &store->segments;
    while (status == TEAK_OK && !store->no_memory && !store->flight.poisoned &&
           (segments_closed(segments) > SEGMENTS_CLOSED_MAX || seal_has_deep(segments)))
        turn(store, TEAK_FOREVER, true);
    if (status == TEAK_OK && !seal_has_deep(segments)) segments->unindexed = 0;
    if (status == TEAK_OK && store->flight.poisoned) {
        if (error) *error = store->flight.cause;
        return TEAK_POISONED;
    }
    return status;
}

static enum teak_status guard_writing(struct teak_store *store, struct teak_error *error)
{
    if (store->thread != &thread_mark || store->phase != STORE_WRITING || store->flight.poisoned) {
        if (store->phase == STORE_READING) return fail(error, TEAK_READ_ONLY, "submit");
        enum teak_status status = guard_driving(store, "submit", error);
        if (status != TEAK_OK) return status;
        if (store->flight.poisoned) {
            if (error) *error = store->flight.cause;
            return TEAK_POISONED;
        }
        if (store->phase == STORE_OPENED) return begin_writing(store, error);
    }
    return TEAK_OK;
}

enum teak_status store_guard_writing(struct teak_store *store, struct teak_error *error)
{
    if (!store_is_lent(store)) return guard_writing(store, error);
    enum teak_status status = store_guard(store, error); /* is it the one that it was lent to? */
    if (status != TEAK_OK) return status;
    store_take_back(store);
    status = guard_writing(store, error);
    store_lend(store);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- batches */

/* Is there a free lane, and enough to be worth a write? */
static bool should_hurry(const struct teak_store *store)
{
    const struct flight *flight = &store->flight;
    const struct writer *writer = &store->writer;
    const uint64_t bytes = flight->waiting_bytes + writer->payload_end + writer->table_bytes;
    return bytes >= store->lane_bytes && flight->in_flight < flight->in_flight_max && !writer->is_lazy &&
           store->linger_ns == 0;
}

enum teak_status teak_submit(struct teak_store *store, const struct teak_batch *batch, struct teak_error *error)
{
    enum teak_status status = guard_writing(store, error);
    if (status == TEAK_OK) status = writer_submit(store, batch, error);
    if (status == TEAK_OK && should_hurry(store)) turn_hurry(store);
    return status;
}

enum teak_status teak_append(struct teak_store *store, uint64_t log, uint64_t index, uint64_t term, const void *data,
                             uint32_t bytes, uint64_t tag, struct teak_error *error)
{
    const struct teak_bytes entry = {.data = data, .bytes = bytes};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = term, .entries = &entry,
                               .count = 1};
    return teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1, .tag = tag}, error);
}

enum teak_status teak_create_log(struct teak_store *store, uint64_t log, uint64_t tag, struct teak_error *error)
{
    const struct teak_op op = {.op = TEAK_OP_CREATE, .log = log};
    return teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1, .tag = tag}, error);
}

enum teak_status teak_reserve(struct teak_store *store, uint32_t bytes, uint32_t entries, void **out,
                              struct teak_error *error)
{
    const enum teak_status status = guard_writing(store, error);
    return status == TEAK_OK ? writer_reserve(store, bytes, entries, out, error) : status;
}

void teak_release(struct teak_store *store) { store->writer.reserved = false; }

enum teak_status teak_barrier(struct teak_store *store, uint64_t tag, struct teak_error *error)
{
    const enum teak_status status = guard_writing(store, error);
    if (status != TEAK_OK) return status;
    if (tickets_are_full(&store->tickets)) return fail(error, TEAK_FULL, "barrier");
    if (writer_has_work(&store->writer)) store->writer.is_urgent = true;
    ticket_put(&store->tickets, tag, store->writer.data_lsn);
    return TEAK_OK;
}

/* --------------------------------------------------------------------------------------------------------- driving */

static enum teak_status poll_once(struct teak_store *store, uint64_t wait_ns, struct teak_completion *out, uint32_t max,
                                  uint32_t *count_out, struct teak_error *error)
{
    if (count_out) *count_out = 0;
    enum teak_status status = guard_driving(store, "poll", error);
    if (status != TEAK_OK) return status;
    struct flight *flight = &store->flight;
    const bool reads = streams_are_busy(&store->streams) || readers_have_asked(&store->readers);
    if ((!flight->poisoned && store->phase == STORE_WRITING) || reads)
        drive(store, wait_ns, false);
    else
        store_tell(store);
    uint32_t count = 0;
    struct ticket ticket;
    while (count < max && ticket_take(&store->tickets, flight->poisoned ? UINT64_MAX : flight->durable_lsn, &ticket))
        out[count++] = (struct teak_completion){
            .tag = ticket.tag,
            .lsn = ticket.lsn,
            .status = ticket.lsn <= flight->durable_lsn ? TEAK_OK : TEAK_POISONED};
    while (count < max && snapshots_take_ended(store, &out[count])) count++;
    if (count_out) *count_out = count;
    if (count > 0 || !flight->poisoned) return TEAK_OK;
    if (error) *error = flight->cause;
    return TEAK_POISONED;
}

enum teak_status teak_poll(struct teak_store *store, uint64_t wait_ns, struct teak_completion *out, uint32_t max,
                           uint32_t *count_out, struct teak_error *error)
{
    const enum teak_status status = poll_once(store, wait_ns, out, max, count_out, error);
    const bool has_driven = status != TEAK_WRONG_THREAD && status != TEAK_IN_CALLBACK;
    if (has_driven) store->streams.news = false; /* told by returning */
    return status;
}

/* Is it? Then why. */
static enum teak_status poisoned(const struct teak_store *store, struct teak_error *error)
{
    if (!store->flight.poisoned) return TEAK_OK;
    if (error) *error = store->flight.cause;
    return TEAK_POISONED;
}

enum teak_status teak_drain(struct teak_store *store, struct teak_error *error)
{
    enum teak_status status = guard_driving(store, "drain", error);
    if (status != TEAK_OK) return status;
    if (store->phase != STORE_WRITING) return poisoned(store, error);
    if (store->writer.reserved) return fail(error, TEAK_RESERVED, "drain");
    if (store->starved) status = poll_once(store, 0, NULL, 0, NULL, error); /* room is made, though nothing is owed */
    if (writer_has_work(&store->writer)) store->writer.is_urgent = true;
    enum { DROPPED_MAX = 64 };
    struct teak_completion dropped[DROPPED_MAX];
    enum teak_status not_installed = TEAK_OK;
    uint32_t count = 0;
    store->streams.are_mute = true;
    while ((!tickets_are_empty(&store->tickets) || snapshots_are_installing(&store->snapshots) ||
            snapshots_have_ended(store)) &&
           status == TEAK_OK) {
        status = poll_once(store, TEAK_FOREVER, dropped, DROPPED_MAX, &count, error);
        for (uint32_t i = 0; i < count; i++)
            if (dropped[i].status != TEAK_OK && not_installed == TEAK_OK) not_installed = dropped[i].status;
        if (writer_has_work(&store->writer)) store->writer.is_urgent = true;
    }
    store->streams.are_mute = false;
    if (status == TEAK_OK) status = poisoned(store, error); /* each time: what was dropped before is not known either */
    return status == TEAK_OK && not_installed != TEAK_OK ? fail(error, not_installed, "install") : status;
}

enum teak_status teak_event_fd(struct teak_store *store, int *out, struct teak_error *error)
{
    if (store->phase == STORE_READING) return fail(error, TEAK_READ_ONLY, "event_fd");
    const enum teak_status status = guard_driving(store, "event_fd", error);
    if (status != TEAK_OK) return status;
    *out = disk_event_fd(store->disk);
    return *out >= 0 ? TEAK_OK : fail_errno(error, -*out, "event_fd", "");
}

uint64_t teak_deadline(const struct teak_store *store)
{
    if (turn_has_completion(store) || store->streams.news || readers_just_asked(&store->readers)) return 0;
    return turn_deadline(store);
}

/* Something must still come to the disk before the store can be marked clean. An index for which there is no memory is
 * not waited for: the next open scans that segment instead. */
static bool has_unfinished(const struct teak_store *store)
{
    const uint64_t durable = store->flight.durable_lsn;
    /* an installation cannot end while nobody takes completions, and none more fits */
    const bool installs = snapshots_are_installing(&store->snapshots) && !tickets_are_full(&store->tickets);
    return writer_has_work(&store->writer) || durable < store->writer.data_lsn || seal_is_busy(&store->seal) ||
           installs || snapshots_are_due(store) ||
           (seal_is_due(&store->segments, durable) && !store->no_memory);
}

/* Waits for indexes that are being written, then says that nothing is behind. */
static void finish_writing(struct teak_store *store)
{
    struct writer *writer = &store->writer;
    struct flight *flight = &store->flight;
    writer->reserved = false;
    while (!flight->poisoned && has_unfinished(store)) drive(store, TEAK_FOREVER, true);
    const bool wrote = !store->continues || writer->frames > 0;
    if (flight->poisoned || !wrote || !writer_put_mark(store, MARK_CLEAN)) return;
    store->closing = true;
    while (!flight->poisoned && flight->durable_lsn < writer->data_lsn) drive(store, TEAK_FOREVER, true);
}

enum teak_status teak_close(struct teak_store *store, struct teak_error *error)
{
    struct teak_error refusal;
    enum teak_status status = guard_driving(store, "close", &refusal);
    if (status == TEAK_WRONG_THREAD || status == TEAK_IN_CALLBACK) {
        if (error) *error = refusal;
        return status;
    }
    status = TEAK_OK; /* else: what cannot be driven now never was, and there is nothing to bring to an end */
    if (store->phase == STORE_WRITING && !store->flight.poisoned) finish_writing(store);
    store->publish.is_last = !store->flight.poisoned;
    if (store->flight.poisoned) {
        status = TEAK_POISONED;
        if (error) *error = store->flight.cause;
    }
    notice_closed(store);
    store_tell(store);
    store_destroy(store);
    return status;
}

void teak_abandon(struct teak_store *store)
{
    if (store->thread != &callback_mark && store->thread != &lent_mark) store_destroy(store);
}
