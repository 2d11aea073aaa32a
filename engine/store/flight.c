/* flight.c: see flight.h. */
#include "store/flight.h"

#include "base/check.h"
#include "store/failure.h"

void flight_init(struct flight *flight, enum teak_strategy strategy, uint32_t in_flight_max)
{
    *flight = (struct flight){.strategy = strategy, .in_flight_max = in_flight_max};
    CHECK_LE(in_flight_max, FLIGHT_IN_FLIGHT_MAX);
    for (uint32_t i = 0; i < FLIGHT_SYNCS; i++) flight->syncs[i].errand = ERRAND_SYNC;
}

static struct frame *at(struct flight *flight, uint64_t number) { return &flight->ring[number % FLIGHT_FRAMES]; }

struct frame *flight_push(struct flight *flight, uint32_t bytes)
{
    CHECK(!flight_is_full(flight));
    struct frame *frame = at(flight, flight->end++);
    *frame = (struct frame){.errand = ERRAND_FRAME, .state = FRAME_CLOSED, .bytes = bytes};
    flight->waiting_bytes += bytes;
    return frame;
}

bool flight_carries_nobody(const struct flight *flight)
{
    const struct frame *last = &flight->ring[(flight->next - 1) % FLIGHT_FRAMES];
    if (flight->in_flight == 0) return true;
    return flight->in_flight == 1 && last->is_checkpoint && last->state == FRAME_LAUNCHED;
}

uint64_t flight_bytes_flying(const struct flight *flight)
{
    uint64_t bytes = 0;
    uint32_t left = flight->in_flight;
    for (uint64_t i = flight->next; left > 0; i--) {
        const struct frame *frame = &flight->ring[(i - 1) % FLIGHT_FRAMES];
        if (frame->state != FRAME_LAUNCHED) continue;
        bytes += frame->bytes;
        left--;
    }
    return bytes;
}

static struct frame *take_next(struct flight *flight)
{
    struct frame *frame = at(flight, flight->next++);
    flight->waiting_bytes -= frame->bytes;
    return frame;
}

void flight_poison(struct flight *flight, int os_errno, const char *operation, const struct segment *segment,
                   uint64_t offset)
{
    if (flight->poisoned) return; /* the first cause is the one to tell */
    flight->poisoned = true;
    fail_segment(&flight->cause, TEAK_POISONED, operation, segment->number, offset);
    flight->cause.os_errno = os_errno;
}

/* One rule decides, frame by frame. A frame is written with DSYNC: an FSYNC request costs a worker's hop, and the
 * kernel merges the flushes of writes in flight (docs/performance.md). But a DSYNC write vouches for itself alone:
 * where one
 * that landed before still lacks a sync, both share an fdatasync. */
static bool wants_dsync(const struct flight *flight)
{
    switch (flight->strategy) {
    case TEAK_DSYNC: return true;
    case TEAK_AUTO: return flight->unsafe == 0;
    case TEAK_FDATASYNC:
    case TEAK_BUFFERED:
    case TEAK_NONE:
    case TEAK_STRATEGY_COUNT: return false;
    }
    return false;
}

static void launch_frame(struct flight *flight, struct disk *disk, struct frame *frame, uint64_t now_ns)
{
    frame->state = FRAME_LAUNCHED;
    frame->dsync = !frame->is_idle_mark && wants_dsync(flight);
    frame->launched_ns = now_ns;
    frame->op.kind = DISK_WRITE;
    frame->op.flags = frame->dsync ? DISK_DSYNC : 0;
    frame->op.file = frame->segment->file;
    frame->op.bytes = frame->bytes;
    frame->op.offset = frame->offset;
    frame->op.owner = frame;
    flight->in_flight++;
    disk_submit(disk, &frame->op);
}

static void launch_sync(struct flight *flight, struct disk *disk, struct segment *segment, uint64_t now_ns)
{
    uint32_t slot = 0;
    while (flight->syncs[slot].busy) slot++;
    CHECK_LT(slot, FLIGHT_SYNCS);
    struct flight_sync *sync = &flight->syncs[slot];
    sync->busy = true;
    sync->is_slow = false;
    sync->launched_ns = now_ns;
    sync->segment = segment;
    sync->launched_ns = now_ns;
    sync->op = (struct disk_op){.kind = DISK_SYNC, .file = segment->file, .owner = sync};
    flight->syncs_busy++;
    for (uint64_t i = flight->begin; i < flight->next; i++) {
        struct frame *frame = at(flight, i);
        if (frame->state != FRAME_LANDED || frame->segment != segment) continue;
        frame->state = FRAME_SYNCING;
        frame->sync = (uint8_t)slot;
        flight->unsafe--;
    }
    disk_submit(disk, &sync->op);
}

/* A sync for each file in which something landed and none is on its way: what lands meanwhile shares the next one. */
static void launch_syncs(struct flight *flight, struct disk *disk, uint64_t now_ns, bool final)
{
    for (uint64_t i = flight->begin; i < flight->next && flight->unsafe > 0; i++) {
        const struct frame *frame = at(flight, i);
        if (frame->state != FRAME_LANDED) continue;
        const struct frame *behind = i + 1 < flight->next ? at(flight, i + 1) : NULL;
        if (frame->is_idle_mark && !final && (!behind || (!behind->dsync && behind->state < FRAME_LANDED)))
            continue; /* shares the sync of the frame behind it; beside one that syncs itself it gets its own at once */
        bool under_way = flight->syncs_busy == FLIGHT_SYNCS;
        for (uint32_t s = 0; s < FLIGHT_SYNCS; s++)
            under_way |= flight->syncs[s].busy && flight->syncs[s].segment == frame->segment;
        if (!under_way) launch_sync(flight, disk, frame->segment, now_ns);
    }
}

void flight_launch(struct flight *flight, struct disk *disk, uint64_t now_ns, bool final)
{
    if (flight->poisoned) return;
    while (flight->next < flight->end && flight->in_flight < flight->in_flight_max) {
        if (flight->next > flight->begin && at(flight, flight->next - 1)->alone) break;
        launch_frame(flight, disk, take_next(flight), now_ns);
    }
    if (flight->unsafe > 0) launch_syncs(flight, disk, now_ns, final);
}

int flight_land_now(struct flight *flight, struct disk *disk)
{
    CHECK_EQ(flight->begin, flight->next);
    while (flight->next < flight->end) {
        struct frame *frame = take_next(flight);
        struct disk_op write = {.kind = DISK_WRITE, .file = frame->segment->file, .data = frame->op.data,
                                .bytes = frame->bytes, .offset = frame->offset};
        struct disk_op sync = {.kind = DISK_SYNC, .file = frame->segment->file};
        int error = disk_run(disk, &write);
        if (!error) error = disk_run(disk, &sync);
        if (error) {
            flight_poison(flight, error, "write", frame->segment, frame->offset);
            return error;
        }
        frame->state = FRAME_SAFE;
        frame->launched_ns = disk_now(disk);
    }
    return 0;
}

void flight_frame_ended(struct flight *flight, struct frame *frame)
{
    CHECK_EQ(frame->state, FRAME_LAUNCHED);
    flight->in_flight--;
    if (frame->op.error) {
        flight_poison(flight, frame->op.error, "write", frame->segment, frame->offset);
        return;
    }
    if (frame->dsync || flight->strategy == TEAK_NONE) {
        frame->state = FRAME_SAFE;
        return;
    }
    frame->state = FRAME_LANDED;
    flight->unsafe++;
}

void flight_sync_ended(struct flight *flight, struct flight_sync *sync)
{
    sync->busy = false;
    flight->syncs_busy--;
    if (sync->op.error) {
        flight_poison(flight, sync->op.error, "sync", sync->segment, 0);
        return;
    }
    const uint8_t slot = (uint8_t)(sync - flight->syncs);
    for (uint64_t i = flight->begin; i < flight->next; i++) {
        struct frame *frame = at(flight, i);
        if (frame->state == FRAME_SYNCING && frame->sync == slot) frame->state = FRAME_SAFE;
    }
}

bool flight_advance(struct flight *flight, uint64_t now_ns, uint64_t *position_out)
{
    if (flight->poisoned) return false; /* what lands after the failure is unknown, like the rest */
    const uint64_t before = flight->begin;
    while (flight->begin < flight->next && at(flight, flight->begin)->state == FRAME_SAFE) {
        const struct frame *frame = at(flight, flight->begin);
        CHECK_EQ(frame->lsn, flight->durable_lsn + 1);
        flight->durable_lsn = frame->lsn;
        flight->durable_segment = frame->segment->number;
        flight->durable_offset = frame->offset + frame->bytes;
        *position_out = frame->position + frame->bytes;
        flight->latest_ns = now_ns - frame->launched_ns;
        hist_add(&flight->latency, flight->latest_ns);
        flight->begin++;
    }
    if (flight->strategy != TEAK_NONE) flight->vouched_lsn = flight->durable_lsn;
    return flight->begin != before;
}
