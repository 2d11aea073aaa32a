/* turn.c: see turn.h. */
#include "store/turn.h"

#include "base/bytes.h"
#include "base/check.h"
#include "store/compact.h"
#include "store/durable.h"
#include "store/fetch.h"
#include "store/publish.h"
#include "store/store.h"

enum { COLLECT_MAX = 64, LOGS_AHEAD = 16, EFFECTS_AHEAD = 16 };
enum { LAZY_NS = 1000000000, IDLE_NS = 10000000 };
enum { CHORE_SHARE = 4 };

bool turn_has_completion(const struct teak_store *store)
{
    const struct tickets *tickets = &store->tickets;
    if (snapshots_have_ended(store)) return true;
    if (tickets_are_empty(tickets)) return false;
    if (store->flight.poisoned) return true;
    return tickets->ring[tickets->begin & (tickets->capacity - 1)].lsn <= store->flight.durable_lsn;
}

/* ---------------------------------------------------------------------------------------------------------- chores */

/* Memory that admission may need is grown here, ahead of it. */
static void grow_tables(struct teak_store *store)
{
    struct segment *active = segment_active(&store->segments);
    bool grown = true;
    const uint32_t effects_before = active->effect_capacity;
    const bool wanted_logs = logs_need_growth(&store->logs, LOGS_AHEAD);
    if (wanted_logs) grown = logs_grow(&store->logs, LOGS_AHEAD, active);
    const uint32_t wanted = active->effect_count + EFFECTS_AHEAD + store->writer.want_effects;
    if (grown && wanted > active->effect_capacity) {
        grown = segment_grow_effects(active, (uint32_t)max_u64(wanted, 2 * (uint64_t)active->effect_capacity));
        if (grown) store->writer.want_effects = 0;
    }
    if (grown) grown = segments_make_room(&store->segments);
    const uint32_t staged_before = store->writer.staged_capacity;
    if (grown) grown = writer_size_staged(&store->writer, store->segments.newest);
    store->no_memory = !grown;
    if (grown && (wanted_logs || active->effect_capacity != effects_before ||
                  store->writer.staged_capacity > staged_before))
        store->chore_ended = true;
}

/* What a chore may write at a time: a share of what frames have at the disk. Beside a small frame more would be felt in
 * its latency; beside several MiB each operation takes milliseconds, and with less the writer would wait for the next
 * segment (docs/performance.md). Zeros that it waits for already are written as fast as they can be. */
static uint64_t chore_bytes(const struct teak_store *store)
{
    return flight_bytes_flying(&store->flight) / CHORE_SHARE;
}

static void step_pool(struct teak_store *store)
{
    const bool hurry = store->starved && pool_supply(&store->pool, &store->segments) < 2;
    const struct flight *flight = &store->flight; /* an idle mark stays in it until something syncs it */
    const bool idle = flight->in_flight + flight->syncs_busy == 0 && flight->next == flight->end &&
                      !writer_has_work(&store->writer);
    pool_step(&store->pool, store->disk, &store->segments, store->now_ns, hurry || idle ? POOL_FAST : POOL_IN_STEP,
              segment_active(&store->segments)->frames_end, hurry ? UINT64_MAX : chore_bytes(store));
}

static void step_snapshots(struct teak_store *store)
{
    if (snapshots_step(store) != TEAK_FULL) return;
    grow_tables(store); /* what the record's admission lacked */
    (void)snapshots_step(store); /* still FULL: at the next turn again */
}

/* One chore's operation at the disk at a time: never two syncs, never all the workers, never two journal commits in the
 * way of a frame. Snapshots go first every other time; so does the mover; pool and seal take turns. */
static void chores(struct teak_store *store, bool final)
{
    struct snapshots *snapshots = &store->snapshots;
    grow_tables(store);
    compact_step(store);
    if (!store->pool.waiting && !store->seal.waiting && !snapshots->waiting) {
        if (store->notice.space_due) notice_space(store);
        store->stall.chore_since_ns = store->now_ns;
        store->stall.chore_is_slow = false;
    }
    const bool admits = snapshots->step == SNAPSHOT_ADMIT;
    const bool is_due = snapshots_are_due(store);
    if (is_due) snapshots->goes_first = !snapshots->goes_first;
    if (admits || (is_due && snapshots->goes_first && !store->pool.waiting && !store->seal.waiting &&
                   !store->relocate.waiting))
        step_snapshots(store);
    if (store->pool.waiting || store->seal.waiting || snapshots->waiting || store->relocate.waiting) return;
    store->moves_turn = !store->moves_turn && store->segments.ready; /* a segment that is waited for comes first */
    if (relocate_lets_go(&store->relocate) || (!final && store->moves_turn)) relocate_step(store);
    if (store->relocate.waiting) return;
    const bool seal_due =
        seal_is_busy(&store->seal) || seal_is_due(&store->segments, store->flight.durable_lsn);
    pool_settle(&store->pool, &store->segments);
    const bool pool_due = pool_is_busy(&store->pool) || pool_has_work(&store->pool, &store->segments);
    store->chores_turn = !store->chores_turn;
    if (pool_due && !(seal_due && store->chores_turn)) step_pool(store);
    if (seal_due && !store->pool.waiting &&
        seal_step(&store->seal, store->disk, &store->segments, store->flight.durable_lsn,
                  chore_bytes(store)) != 0)
        store->no_memory = true;
    if (is_due && !snapshots->goes_first && !store->pool.waiting && !store->seal.waiting) step_snapshots(store);
    if (!final && !store->moves_turn && !store->pool.waiting && !store->seal.waiting &&
        !snapshots->waiting)
        relocate_step(store);
}

/* ------------------------------------------------------------------------------------------------- close and launch */

static uint64_t open_frame_due_ns(const struct teak_store *store)
{
    const struct writer *writer = &store->writer;
    if (writer->is_urgent || store->starved) return 0; /* nothing can join it while the caller waits for room */
    return writer->opened_ns + (writer->is_lazy ? LAZY_NS : store->linger_ns);
}

uint64_t turn_open_batches(const struct teak_store *store)
{
    return store->writer.batches - store->publish.batches_before;
}

/* May the open frame go? The first at once, with all that is waiting. One beside it only if it is large: splitting
 * what is outstanding into small frames costs more than overlapping them gains (docs/performance.md). A checkpoint is
 * not waited for: what it is written for would be as late as it. */
static bool has_lane(const struct teak_store *store)
{
    const struct flight *flight = &store->flight;
    const struct writer *writer = &store->writer;
    if (flight->next != flight->end || flight->in_flight >= flight->in_flight_max) return false;
    return flight_carries_nobody(flight) || writer->payload_end + writer->table_bytes >= store->lane_bytes ||
           (store->lane_batches > 0 && turn_open_batches(store) >= store->lane_batches);
}

static void launch(struct teak_store *store, bool final)
{
    struct writer *writer = &store->writer;
    struct flight *flight = &store->flight;
    if (flight->next != flight->end) flight_launch(flight, store->disk, store->now_ns, false); /* a checkpoint, maybe */
    if (writer_has_work(writer) && !writer->reserved && has_lane(store) && !flight_is_full(flight) &&
        (final || store->now_ns >= open_frame_due_ns(store)))
        writer_close_frame(store);
    flight_launch(flight, store->disk, store->now_ns, final);
}

void turn_hurry(struct teak_store *store)
{
    const uint64_t sent = store->flight.next;
    store->now_ns = disk_now(store->disk);
    launch(store, false);
    if (store->flight.next != sent) disk_start(store->disk);
    if (turn_at_disk(store) > 0) stall_begin(&store->stall, store->now_ns);
}

static bool everything_is_durable(const struct teak_store *store)
{
    return store->writer.data_lsn <= store->flight.durable_lsn && !writer_has_work(&store->writer);
}

/* 10 ms after the last frame became durable a mark says so, once: evidence, should that frame rot. */
static void mark_idle(struct teak_store *store)
{
    struct writer *writer = &store->writer;
    if (!everything_is_durable(store) || store->flight.strategy == TEAK_NONE) {
        store->idle_since_ns = 0;
        return;
    }
    if (store->idle_since_ns == 0) store->idle_since_ns = store->now_ns;
    if (writer->ends_in_mark || writer->reserved || store->now_ns - store->idle_since_ns < IDLE_NS) return;
    if (!writer_put_mark(store, MARK_IDLE))
        writer->ends_in_mark = true; /* no room: the next segment's checkpoint says it */
}

bool turn_is_beside_frames(const struct teak_store *store)
{
    const struct flight *flight = &store->flight;
    if (store->phase != STORE_WRITING || flight->poisoned) return false;
    /* an idle mark that has landed waits for no sync, and is in nobody's way */
    if (flight->in_flight > 0 || flight->syncs_busy > 0 || flight->next != flight->end) return true;
    if (writer_has_work(&store->writer)) return true;
    const bool is_idle = store->idle_since_ns && store->now_ns - store->idle_since_ns >= IDLE_NS;
    return flight->strategy != TEAK_NONE && !is_idle;
}

uint32_t turn_at_disk(const struct teak_store *store)
{
    return store->flight.in_flight + store->flight.syncs_busy + store->pool.waiting + store->seal.waiting +
           store->snapshots.waiting + store->streams.out + store->relocate.waiting + store->publish.waiting;
}

/* ---------------------------------------------------------------------------------------------------------- settle */

static void dispatch(struct teak_store *store, struct disk_op *op)
{
    struct stall *stall = &store->stall;
    switch (*(const enum errand *)op->owner) {
    case ERRAND_FRAME: {
        struct frame *frame = op->owner;
        if (frame->is_slow) stall_end(store, op, frame->launched_ns, frame->segment->number);
        if (frame->dsync && !op->error) publish_sync(&store->publish, store->now_ns - frame->launched_ns);
        flight_frame_ended(&store->flight, frame);
        return;
    }
    case ERRAND_SYNC: {
        struct flight_sync *sync = op->owner;
        if (sync->is_slow) stall_end(store, op, sync->launched_ns, sync->segment->number);
        if (!op->error) publish_sync(&store->publish, store->now_ns - sync->launched_ns);
        flight_sync_ended(&store->flight, sync);
        return;
    }
    case ERRAND_PUBLISH: publish_ended(&store->publish); return;
    case ERRAND_READ: fetch_ended(op->owner); return;
    case ERRAND_POOL:
        if (stall->chore_is_slow) stall_end(store, op, stall->chore_since_ns, 0);
        pool_ended(&store->pool, store->disk, &store->segments, store->now_ns);
        notice_pool(store);
        store->chore_ended = true;
        return;
    case ERRAND_RELOCATE:
        relocate_ended(store);
        store->chore_ended = true;
        return;
    case ERRAND_SEAL: {
        const struct segment *segment = store->seal.segment;
        if (stall->chore_is_slow) stall_end(store, op, stall->chore_since_ns, segment->number);
        const int error = seal_ended(&store->seal, store->disk, &store->segments, &store->logs, &store->pool.tables);
        if (error) flight_poison(&store->flight, error, "seal", segment, segment->frames_end);
        notice_seal(store, segment->number);
        store->chore_ended = true;
        return;
    }
    case ERRAND_SNAPSHOT:
        if (stall->chore_is_slow) stall_end(store, op, stall->chore_since_ns, 0);
        snapshots_ended(store);
        store->chore_ended = true;
        return;
    }
}

static void settle(struct teak_store *store, struct disk_op **done, uint32_t count)
{
    const bool was_poisoned = store->flight.poisoned;
    store->unstarted |= count > 0;
    for (uint32_t i = 0; i < count; i++) dispatch(store, done[i]);
    if (count > 0) readers_serve(store);
    uint64_t position;
    if (flight_advance(&store->flight, store->now_ns, &position)) store->arena.durable = position;
    if (store->flight.poisoned && !was_poisoned) durable_fall_back(&store->logs, &store->segments, &store->flight);
    if (turn_at_disk(store) == 0)
        store->stall.due_ns = UINT64_MAX;
    else if (store->now_ns >= store->stall.due_ns)
        stall_find(store);
}

uint64_t turn_deadline(const struct teak_store *store)
{
    const bool only_reads = store->phase != STORE_WRITING || store->flight.poisoned;
    const bool reads = streams_are_busy(&store->streams) || store->readers.asking > 0; /* also of what just ended */
    if (store->unstarted && (!only_reads || reads)) return 0;
    if (only_reads) return UINT64_MAX;
    /* while pool or seal are at the disk the turn is theirs: their end wakes whoever waits */
    if (snapshots_are_due(store) && !store->pool.waiting && !store->seal.waiting && !store->closing) return 0;
    uint64_t deadline = UINT64_MAX;
    if (writer_has_work(&store->writer) && !store->writer.reserved && has_lane(store))
        deadline = open_frame_due_ns(store);
    if (store->idle_since_ns && !store->writer.ends_in_mark)
        deadline = min_u64(deadline, store->idle_since_ns + IDLE_NS);
    if (store->pool.retry_ns > store->now_ns) deadline = min_u64(deadline, store->pool.retry_ns);
    deadline = min_u64(deadline, publish_due_ns(store));
    return min_u64(deadline, store->stall.due_ns);
}

/* Everything that may start, starts. */
static void start(struct teak_store *store, bool final)
{
    store->unstarted = false;
    readers_serve(store);
    const bool writes = store->phase == STORE_WRITING && !store->flight.poisoned;
    if (writes) launch(store, final);
    streams_start(store); /* behind the frame, not before it */
    if (!writes || store->closing) return;
    mark_idle(store);
    launch(store, final);
    chores(store, final);
    publish_step(store);
    if (turn_at_disk(store) > 0) stall_begin(&store->stall, store->now_ns);
}

/* Frames are launched when the caller begins to wait, not when one lands: between the two it reacts to what became
 * durable, and what it submits then belongs into the next frame. Only 512 KiB and more leave before: turn_hurry(). */
void turn(struct teak_store *store, uint64_t wait_ns, bool final)
{
    struct disk_op *done[COLLECT_MAX];
    store->now_ns = disk_now(store->disk);
    const uint64_t until = wait_ns > UINT64_MAX - store->now_ns ? UINT64_MAX : store->now_ns + wait_ns;
    store->until_ns = until;
    store->chore_ended = false;
    const bool can_tell = turn_has_completion(store) && !final;
    if (can_tell && !store->starved) return;
    for (;;) {
        start(store, final);
        const uint64_t deadline = min_u64(until, turn_deadline(store));
        const bool will_move = turn_at_disk(store) > 0 || deadline <= store->now_ns;
        if (!will_move && (deadline == UINT64_MAX || store->can_be_woken)) return; /* not by waiting here */
        const bool reads_count = !store->streams.are_mute && !final;
        const bool has_read = reads_count && store->streams.news;
        const bool is_awaited = !tickets_are_empty(&store->tickets) || store->starved || final ||
                                store->can_be_woken || snapshots_are_installing(&store->snapshots) ||
                                (reads_count && store->streams.awaited > 0);
        const bool has_moved = can_tell || has_read || (store->starved && store->chore_ended);
        const bool is_over = store->now_ns >= until || !is_awaited || has_moved;
        const uint64_t pause = is_over || deadline <= store->now_ns ? 0 : deadline - store->now_ns;
        uint32_t count = 0;
        if (turn_at_disk(store) > 0)
            count = disk_collect(store->disk, done, COLLECT_MAX, pause);
        else if (pause > 0)
            disk_pause(store->disk, pause); /* with nothing out the disk would not wait */
        store->now_ns = disk_now(store->disk);
        settle(store, done, count);
        const bool was_woken = store->disk->woken;
        store->disk->woken = false;
        if (was_woken) store->until_ns = 0; /* the wait is over, whatever is to be told */
        if (is_over || was_woken || store->flight.poisoned || (final ? count > 0 : turn_has_completion(store))) return;
        if (reads_count && store->streams.news) return;
        if (store->events.is_hot) return; /* told first, then waited for again */
        if (store->starved && store->chore_ended) return;
    }
}
