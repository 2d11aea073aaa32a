/* store_look.c: public calls whose answer is in memory: they read tables and change nothing. */
#include <string.h>

#include "base/bytes.h"
#include "store/durable.h"
#include "store/failure.h"
#include "store/locate.h"
#include "store/reader.h"
#include "store/store.h"
#include "teak/clock.h"

uint64_t teak_now(const struct teak_store *store) { return disk_now(store->disk); }

void teak_limits(const struct teak_store *store, struct teak_limits *out)
{
    *out = store->limits;
    memcpy(out->instance, store->superblock.instance, sizeof out->instance);
}

static enum teak_status find(struct teak_store *store, uint64_t id, struct log **out, struct teak_error *error)
{
    *out = logs_find(&store->logs, id);
    return *out ? TEAK_OK : fail_log(error, TEAK_UNKNOWN_LOG, id);
}

enum teak_status teak_log(struct teak_store *store, uint64_t id, struct teak_log *out, struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    const struct log_head *head = &log->head;
    *out = (struct teak_log){.id = id,
                             .life = head->life,
                             .first = head->base.index + 1,
                             .last = head->last,
                             .base = head->base,
                             .snapshot = head->snapshot,
                             .durable = durable_of(log, &store->segments, &store->flight),
                             .hard = {.term = head->term, .vote = head->vote, .commit = head->commit},
                             .meta_bytes = head->meta_bytes,
                             .snapshot_file_bytes = head->file_bytes,
                             .fresh = head->fresh,
                             .marks = head->marks & LOG_HURT};
    return TEAK_OK;
}

static_assert((int)TEAK_TAIL_LOST == (int)LOG_TAIL_LOST &&
                  (int)TEAK_HARD_STATE_SUSPECT == (int)LOG_HARD_STATE_SUSPECT, "marks are told as they lie on disk");

uint32_t teak_logs(struct teak_store *store, bool from_start, uint64_t after, uint64_t *out, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = logs_first_above(&store->logs, from_start, after); i < store->logs.count && count < max; i++)
        out[count++] = store->logs.sorted[i]->id;
    return count;
}

enum teak_status teak_meta(struct teak_store *store, uint64_t id, void *out, uint32_t room, uint32_t *bytes_out,
                           struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    *bytes_out = log->head.meta_bytes;
    if (room < log->head.meta_bytes) return fail_log(error, TEAK_INVALID, id);
    if (log->head.meta_bytes > 0) memcpy(out, log->meta, log->head.meta_bytes);
    return TEAK_OK;
}

enum teak_status teak_term_at(struct teak_store *store, uint64_t id, uint64_t index, uint64_t *term_out,
                              struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    const struct log_head *head = &log->head;
    if (index < head->base.index) return fail_index(error, TEAK_COMPACTED, id, index, head->base.index);
    if (index > head->last.index) return fail_index(error, TEAK_BEYOND, id, index, head->last.index);
    *term_out = log_term_at(log, index);
    return TEAK_OK;
}

enum teak_status teak_last_of_kind(struct teak_store *store, uint64_t id, uint8_t kind, uint64_t index,
                                   struct teak_pos *out, struct teak_error *error)
{
    struct log *log;
    enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    index = min_u64(index, log->head.last.index);
    for (uint32_t i = log->piece_count; i-- > 0;) {
        const struct piece *piece = &log->pieces[i];
        if (piece->first > index || piece_is_hole(piece)) continue;
        status = reader_hold(store, segment_of_piece(&store->segments, piece->segment), error);
        if (status != TEAK_OK) return status;
        uint32_t count;
        const struct layout_extent *extents = locate_extents(&store->segments, piece, &count);
        while (count-- > 0) {
            const struct layout_extent *extent = &extents[count];
            const uint64_t first = le64_get(extent->first);
            if (extent->kind != kind || first > index) continue;
            const uint64_t last = min_u64(index, first + le32_get(extent->count) - 1);
            if (last <= log->head.base.index) break;
            *out = (struct teak_pos){.index = last, .term = le64_get(extent->term)};
            return TEAK_OK;
        }
        if (piece->first > 0) index = min_u64(index, piece->first - 1); /* older pieces end where newer ones begin */
    }
    return fail_log(error, TEAK_NOT_FOUND, id);
}

enum teak_status teak_term_runs(struct teak_store *store, uint64_t id, struct teak_pos *out, uint32_t max,
                                uint32_t *count_out, struct teak_error *error)
{
    struct log *log;
    *count_out = 0;
    const enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    const struct terms *terms = &log->terms;
    for (uint32_t i = terms->count; i-- > 0 && *count_out < max;)
        out[(*count_out)++] = (struct teak_pos){.index = terms->runs[i].first, .term = terms->runs[i].term};
    return TEAK_OK;
}

uint32_t teak_lagging(struct teak_store *store, struct teak_lagging *out, uint32_t max)
{
    uint32_t count = 0;
    const uint32_t oldest = (uint32_t)store->segments.oldest;
    for (uint32_t i = 0; i < store->logs.count && count < max; i++) {
        const struct log *log = store->logs.sorted[i];
        struct teak_lagging lagging = {.log = log->id, .segment = store->segments.oldest};
        for (uint32_t p = 0; p < log->piece_count; p++) {
            const struct piece *piece = &log->pieces[p];
            if (piece_is_hole(piece) || piece->segment != oldest) continue;
            lagging.entries += (p + 1 < log->piece_count ? piece[1].first : log->head.last.index + 1) - piece->first;
            lagging.bytes += piece->bytes;
        }
        if (lagging.entries > 0) out[count++] = lagging;
    }
    return count;
}

/* ------------------------------------------------------------------------------------------------------ statistics */

static uint64_t table_bytes(const struct teak_store *store)
{
    uint64_t bytes = sizeof *store + store->logs.memory_bytes + store->segments.capacity * sizeof(struct segment *);
    for (uint64_t number = store->segments.oldest; number <= store->segments.newest; number++) {
        const struct segment *segment = segment_at(&store->segments, number);
        bytes += sizeof *segment + segment->slots_end * sizeof(struct layout_slot) +
                 segment->effect_capacity * sizeof(struct effect);
    }
    return bytes;
}

void teak_stats(struct teak_store *store, struct teak_stats *out)
{
    const struct writer *writer = &store->writer;
    const struct flight *flight = &store->flight;
    const struct disk_counters *disk = &store->disk->counters;
    const struct hist *latency = &flight->latency;
    *out = (struct teak_stats){.batches = writer->batches,
                               .entries = writer->entries,
                               .payload_bytes = writer->payload_bytes,
                               .frames = writer->frames,
                               .frame_bytes = writer->frame_bytes,
                               .padding_bytes = writer->padding_bytes,
                               .syncs = disk->syncs,
                               .writes = disk->writes,
                               .bytes_written = disk->write_bytes,
                               .enters = disk->enters,
                               .short_transfers = disk->short_transfers,
                               .retries = disk->retries,
                               .durable_lsn = flight->durable_lsn,
                               .last_lsn = writer->next_lsn - 1,
                               .frames_in_flight = flight->in_flight,
                               .frames_waiting = flight->end - flight->next,
                               .full = writer->full,
                               .stalls = writer->stalls,
                               .segments = store->segments.newest - store->segments.oldest + 1,
                               .oldest_segment = store->segments.oldest,
                               .newest_segment = store->segments.newest,
                               .spares = store->pool.stock_count,
                               .filled = store->pool.made,
                               .recycled = store->pool.recycled,
                               .sealed = store->seal.sealed,
                               .forgotten = store->forgotten,
                               .unlinked = store->pool.unlinked,
                               .filled_bytes = store->pool.made_bytes,
                               .index_bytes = store->seal.bytes,
                               .arena_reads = store->arena_reads,
                               .disk_reads = store->disk_reads,
                               .disk_read_bytes = store->disk_read_bytes,
                               .snapshot_files = store->snapshots.count,
                               .snapshots_installed = store->snapshots.installed,
                               .snapshots_removed = store->snapshots.removed,
                               .logs = store->logs.count,
                               .memory_bytes = table_bytes(store),
                               .live_bytes = store->segments.live_bytes,
                               .disk_bytes = relocate_disk_bytes(store),
                               .moved_entries = store->relocate.moved_entries,
                               .moved_bytes = store->relocate.moved_bytes,
                               .moves_refused = store->relocate.refused,
                               .moves_rotten = store->relocate.rotten,
                               .published = store->publish.written,
                               .publish_failed = store->publish.failed,
                               .frame_latency = {.count = latency->total,
                                                 .p50 = hist_quantile(latency, 0.5),
                                                 .p90 = hist_quantile(latency, 0.9),
                                                 .p99 = hist_quantile(latency, 0.99),
                                                 .p999 = hist_quantile(latency, 0.999),
                                                 .max = latency->max},
                               .slow_writes = store->stall.writes,
                               .slow_syncs = store->stall.syncs,
                               .slow_others = store->stall.others,
                               .longest_stall_ns = store->stall.longest_ns,
                               .stalled_now = store->stall.hanging,
                               .worker_ops = disk->worker_ops,
                               .no_space = store->notice.no_space_answers,
                               .supply_failures = store->pool.failures,
                               .free_bytes = store->notice.free_bytes,
                               .cut_bytes = store->notice.cut_bytes,
                               .cut_frames = store->notice.cut_frames,
                               .damaged_reads = store->notice.damaged_reads,
                               .events = store->events.told,
                               .events_lost = store->events.lost,
                               .requests = store->crowd.requests,
                               .request_groups = store->crowd.groups,
                               .threads_woken = store->crowd.woken,
                               .waits_for_room = store->crowd.waits_for_room,
                               .gathers = store->crowd.gathers,
                               .gathers_vain = store->crowd.gathers_vain,
                               .lacks_space = store->pool.no_space,
                               .poisoned = flight->poisoned,
                               .strategy = store->limits.strategy,
                               .direct_io = store->device.direct_io,
                               .device_known = store->device.known,
                               .write_cache = store->device.write_cache,
                               .fua = store->device.fua};
    memcpy(out->backend, store->disk->ops->name, min_u64(strlen(store->disk->ops->name), sizeof out->backend - 1));
    memcpy(out->filesystem, store->device.filesystem, sizeof out->filesystem);
}
