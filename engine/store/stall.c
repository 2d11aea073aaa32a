/* stall.c: see stall.h. */
#include "store/stall.h"

#include <string.h>

#include "base/bytes.h"
#include "store/store.h"

static const char *name_of(enum disk_kind kind)
{
    switch (kind) {
    case DISK_WRITE: return "write";
    case DISK_READ: return "read";
    case DISK_SYNC:
    case DISK_SYNC_ALL: return "sync";
    case DISK_OPEN: return "open";
    case DISK_CLOSE: return "close";
    case DISK_ALLOCATE: return "allocate";
    case DISK_TRUNCATE: return "truncate";
    case DISK_RENAME: return "rename";
    case DISK_UNLINK: return "unlink";
    case DISK_MKDIR: return "mkdir";
    case DISK_LINK: return "link";
    case DISK_POPULATE: return "populate";
    case DISK_KIND_COUNT: break;
    }
    return "";
}

static void put(struct teak_store *store, enum teak_event_kind kind, const struct disk_op *op, uint64_t since_ns,
                uint64_t segment)
{
    struct teak_event event = {.kind = kind, .segment = segment, .offset = op->offset, .bytes = op->bytes,
                               .duration_ns = store->now_ns - since_ns};
    const enum errand errand = *(const enum errand *)op->owner;
    if (errand == ERRAND_FRAME) event.lsn = ((const struct frame *)op->owner)->lsn;
    const char *name = name_of(op->kind);
    memcpy(event.operation, name, min_u64(strlen(name), sizeof event.operation - 1));
    event_put(&store->events, event);
}

/* One operation that is out. */
static void look_at(struct teak_store *store, const struct disk_op *op, uint64_t since_ns, bool *is_slow,
                    uint64_t segment)
{
    struct stall *stall = &store->stall;
    if (*is_slow) return;
    if (store->now_ns - since_ns < stall->limit_ns) {
        stall->due_ns = min_u64(stall->due_ns, since_ns + stall->limit_ns);
        return;
    }
    *is_slow = true;
    stall->hanging++;
    if (op->kind == DISK_WRITE)
        stall->writes++;
    else if (op->kind == DISK_SYNC || op->kind == DISK_SYNC_ALL)
        stall->syncs++;
    else
        stall->others++;
    put(store, TEAK_EVENT_STALL_BEGUN, op, since_ns, segment);
}

void stall_find(struct teak_store *store)
{
    struct flight *flight = &store->flight;
    struct stall *stall = &store->stall;
    stall->due_ns = UINT64_MAX;
    for (uint64_t i = flight->begin; i < flight->next; i++) {
        struct frame *frame = &flight->ring[i % FLIGHT_FRAMES];
        if (frame->state == FRAME_LAUNCHED)
            look_at(store, &frame->op, frame->launched_ns, &frame->is_slow, frame->segment->number);
    }
    for (uint32_t i = 0; i < FLIGHT_SYNCS; i++) {
        struct flight_sync *sync = &flight->syncs[i];
        if (sync->busy) look_at(store, &sync->op, sync->launched_ns, &sync->is_slow, sync->segment->number);
    }
    if (store->pool.waiting) look_at(store, &store->pool.op, stall->chore_since_ns, &stall->chore_is_slow, 0);
    if (store->snapshots.waiting)
        look_at(store, &store->snapshots.op, stall->chore_since_ns, &stall->chore_is_slow, 0);
    if (store->seal.waiting)
        look_at(store, &store->seal.op, stall->chore_since_ns, &stall->chore_is_slow, store->seal.segment->number);
}

void stall_end(struct teak_store *store, const struct disk_op *op, uint64_t since_ns, uint64_t segment)
{
    struct stall *stall = &store->stall;
    stall->hanging--;
    stall->longest_ns = max_u64(stall->longest_ns, store->now_ns - since_ns);
    put(store, TEAK_EVENT_STALL_ENDED, op, since_ns, segment);
}
