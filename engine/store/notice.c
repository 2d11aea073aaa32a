/* notice.c: see notice.h. */
#include "store/notice.h"

#include <errno.h>
#include <string.h>

#include "store/store.h"

static void put(struct teak_store *store, struct teak_event event) { event_put(&store->events, event); }

static bool is_space(int os_errno) { return os_errno == ENOSPC || os_errno == EDQUOT || os_errno == EFBIG; }

void notice_opened(struct teak_store *store, const struct teak_report *report)
{
    struct notice *notice = &store->notice;
    notice->oldest = store->segments.oldest;
    notice->newest = store->segments.newest;
    notice->cut_bytes = report->cut_bytes;
    notice->cut_frames = report->cut_frames;
    notice->free_bytes = store->device.free_bytes;
    notice->made = store->pool.made;
    notice->space_due = true;
    if (report->backend_fell_back)
        put(store, (struct teak_event){.kind = TEAK_EVENT_FELL_BACK, .os_errno = report->backend_errno});
    if (!report->direct_io) put(store, (struct teak_event){.kind = TEAK_EVENT_NO_DIRECT_IO});
    if (report->verdict == TEAK_VERDICT_CUT)
        put(store, (struct teak_event){.kind = TEAK_EVENT_TAIL_CUT, .segment = report->cut_segment,
                                       .offset = report->cut_offset, .bytes = report->cut_bytes,
                                       .count = report->cut_frames});
    put(store, (struct teak_event){.kind = TEAK_EVENT_OPENED, .lsn = report->last_lsn, .count = report->segments,
                                   .duration_ns = report->total_ns});
}

static void notice_segments(struct teak_store *store)
{
    struct notice *notice = &store->notice;
    const struct segments *segments = &store->segments;
    for (; notice->oldest < segments->oldest; notice->oldest++)
        put(store, (struct teak_event){.kind = TEAK_EVENT_SEGMENT_DROPPED, .segment = notice->oldest});
    while (notice->newest < segments->newest) {
        notice->newest++;
        const uint64_t number = notice->newest;
        const uint64_t lsn = number >= segments->oldest ? segment_at(segments, number)->first_lsn : 0;
        put(store, (struct teak_event){.kind = TEAK_EVENT_SEGMENT_BEGUN, .segment = number, .lsn = lsn});
    }
}

void notice_begin_failed(struct teak_store *store, const struct teak_error *cause)
{
    struct notice *notice = &store->notice;
    const int told = notice->failure;
    notice_pool(store);
    if (store->flight.poisoned || store->pool.failure != 0 || store->pool.no_space) return; /* that told it */
    store->pool.failures++;
    notice->failure = cause->os_errno;
    if (cause->os_errno != told)
        put(store, (struct teak_event){.kind = TEAK_EVENT_SUPPLY_FAILED, .os_errno = cause->os_errno,
                                       .status = cause->status});
}

void notice_pool(struct teak_store *store)
{
    struct notice *notice = &store->notice;
    const struct pool *pool = &store->pool;
    const struct segment *ready = store->segments.ready;
    notice_segments(store);
    if (pool->made != notice->made)
        put(store, (struct teak_event){.kind = TEAK_EVENT_SEGMENT_MADE, .count = pool->next_spare - 1,
                                       .bytes = pool->segment_bytes});
    if (ready && ready->number != notice->ready)
        put(store, (struct teak_event){.kind = pool->recycled != notice->recycled ? TEAK_EVENT_SEGMENT_RECYCLED
                                                                                  : TEAK_EVENT_SEGMENT_READY,
                                       .segment = ready->number});
    if (pool->unlinked != notice->unlinked)
        put(store, (struct teak_event){.kind = TEAK_EVENT_FILE_REMOVED, .segment = pool->job.number});
    if (pool->failure != notice->failure && pool->failure != 0 && !is_space(pool->failure)) {
        struct teak_event event = {.kind = TEAK_EVENT_SUPPLY_FAILED, .os_errno = pool->failure,
                                   .status = pool->failure == ENOMEM ? TEAK_NO_MEMORY : TEAK_IO};
        put(store, event);
    }
    if (pool->made != notice->made || pool->recycled != notice->recycled || pool->unlinked != notice->unlinked)
        notice->space_due = true;
    notice->made = pool->made;
    notice->recycled = pool->recycled;
    notice->unlinked = pool->unlinked;
    notice->failure = pool->failure;
    if (ready) notice->ready = ready->number;
}

void notice_seal(struct teak_store *store, uint64_t number)
{
    if (store->seal.sealed == store->notice.sealed) return;
    store->notice.sealed = store->seal.sealed;
    notice_segments(store);
    const struct segment *segment = segment_at(&store->segments, number);
    put(store, (struct teak_event){.kind = TEAK_EVENT_SEGMENT_SEALED, .segment = number, .lsn = segment->last_lsn,
                                   .bytes = segment->file_bytes - segment->frames_end,
                                   .count = segment->footer.slot_count});
}

void notice_read(struct teak_store *store, enum teak_status status, const struct teak_error *error)
{
    if (status != TEAK_HASH_MISMATCH) return;
    store->notice.damaged_reads++;
    struct teak_event event = {.kind = TEAK_EVENT_DAMAGE, .segment = error->segment, .offset = error->offset,
                               .log = error->log, .index = error->index, .term = error->term, .status = status,
                               .os_errno = error->os_errno};
    memcpy(event.operation, error->operation, sizeof event.operation);
    put(store, event);
}

void notice_state(struct teak_store *store)
{
    struct notice *notice = &store->notice;
    notice_segments(store);
    if (store->pool.no_space != notice->no_space) {
        notice->no_space = store->pool.no_space;
        put(store, notice->no_space ? (struct teak_event){.kind = TEAK_EVENT_NO_SPACE, .status = TEAK_NO_SPACE,
                                                          .os_errno = store->pool.failure}
                                    : (struct teak_event){.kind = TEAK_EVENT_SPACE_BACK, .bytes = notice->free_bytes});
    }
    if (store->flight.poisoned && !notice->poisoned) {
        const struct teak_error *cause = &store->flight.cause;
        notice->poisoned = true;
        struct teak_event event = {.kind = TEAK_EVENT_POISONED, .status = TEAK_POISONED, .os_errno = cause->os_errno,
                                   .segment = cause->segment, .offset = cause->offset};
        memcpy(event.operation, cause->operation, sizeof event.operation);
        put(store, event);
    }
}

/* Low is said once, and again only after a segment more than that was free. */
void notice_space(struct teak_store *store)
{
    struct notice *notice = &store->notice;
    notice->space_due = false;
    uint64_t free_bytes;
    if (disk_room(store->disk, store->directory, &free_bytes) != 0) return; /* then nobody knows; the next file tells */
    notice->free_bytes = free_bytes;
    if (free_bytes < notice->space_low_bytes && !notice->space_is_low) {
        notice->space_is_low = true;
        put(store, (struct teak_event){.kind = TEAK_EVENT_SPACE_LOW, .bytes = free_bytes});
    } else if (notice->space_is_low && free_bytes >= store->limits.segment_bytes &&
               free_bytes - store->limits.segment_bytes >= notice->space_low_bytes) {
        notice->space_is_low = false;
    }
}

void notice_closed(struct teak_store *store)
{
    notice_state(store);
    put(store, (struct teak_event){.kind = TEAK_EVENT_CLOSED, .lsn = store->flight.durable_lsn,
                                   .count = store->writer.frames, .bytes = store->writer.frame_bytes,
                                   .status = store->flight.poisoned ? TEAK_POISONED : TEAK_OK});
}
