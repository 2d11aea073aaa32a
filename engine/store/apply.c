/* apply.c: see apply.h. */
#include "store/apply.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "format/descriptor.h"
#include "store/locate.h"

void apply_create(const struct apply_at *at, struct log *log)
{
    CHECK(!log->head.alive);
    log->head = (struct log_head){.alive = true, .fresh = true, .life = at->lsn};
    map_effect(log, at->active)->flags = TOUCHED_CREATED; /* what may have ended here before does not count any more */
    at->logs->record_bytes += log_record_bytes(0);
}

void apply_truncate(const struct apply_at *at, struct log *log, uint64_t from)
{
    from = max_u64(from, log->head.base.index + 1);
    if (from > log->head.last.index) return;
    const struct teak_pos last = {.index = from - 1, .term = log_term_at(log, from - 1)};
    map_truncate(log, at->segments, at->active, from, at->lsn);
    log->head.last = last;
    if (log->floor.index >= from) log->floor = last;
}

void apply_entries(const struct apply_at *at, struct log *log, struct map_entries entries)
{
    struct log_head *head = &log->head;
    if (head->fresh) {
        head->base = head->last = (struct teak_pos){.index = entries.first - 1};
        head->fresh = false;
        log->base_lsn = at->lsn;
    }
    apply_truncate(at, log, entries.first);
    if (entries.first <= head->base.index) { /* replay only: what lies at or below the base is gone already */
        const uint64_t below = head->base.index + 1 - entries.first;
        if (below >= entries.count) return;
        entries.bytes -= slots_cost(at->active->slots + entries.slot, (uint32_t)below);
        entries.first += below;
        entries.count -= (uint32_t)below;
        entries.slot += (uint32_t)below;
    }
    CHECK_EQ(entries.first, head->last.index + 1);
    map_append(log, at->segments, at->active, &entries);
    head->last = (struct teak_pos){.index = map_end(&entries) - 1, .term = entries.term};
}

/* Only durable entries are moved, and they stay so while the copy is on its way: where they were is kept until it is
 * durable. But positions do not grow with the index any more, so it is the floor that says it from here on. */
void apply_replace(const struct apply_at *at, struct log *log, const struct map_entries *entries)
{
    CHECK_LT(log->head.base.index, entries->first);
    CHECK_LE(map_end(entries) - 1, log->head.last.index);
    map_replace(log, at->segments, at->active, entries, at->lsn);
    if (log->floor.index < map_end(entries) - 1)
        log->floor = (struct teak_pos){.index = map_end(entries) - 1, .term = entries->term};
}

void apply_hard_state(struct log *log, uint64_t term, uint64_t vote, uint64_t commit)
{
    log->head.term = term;
    log->head.vote = vote;
    log->head.commit = commit;
}

void apply_snapshot(const struct apply_at *at, struct log *log, struct teak_pos pos, enum snapshot_effect effect,
                    struct snapshot_file file)
{
    struct log_head *head = &log->head;
    if (effect == SNAPSHOT_STALE) return;
    head->snapshot = pos;
    head->file_id = file.id;
    head->file_bytes = file.bytes;
    head->file_sum = file.sum;
    if (effect == SNAPSHOT_KEEPS) return;
    map_clear(log, at->segments, at->active, at->lsn);
    head->base = head->last = pos;
    head->fresh = false;
    log->floor = (struct teak_pos){0};
    log->base_lsn = at->lsn;
}

void apply_compact(const struct apply_at *at, struct log *log, uint64_t upto, uint64_t term)
{
    if (upto <= log->head.base.index) return;
    map_compact(log, at->segments, upto, log->head.last.index, at->lsn);
    log->head.base = (struct teak_pos){.index = upto, .term = term};
    log->base_lsn = at->lsn;
}

void apply_meta(struct logs *logs, struct log *log, const void *data, uint32_t bytes)
{
    CHECK(bytes == 0 || log->meta);
    if (bytes > 0) memcpy(log->meta, data, bytes);
    logs->record_bytes += align_up(bytes, 8) - align_up(log->head.meta_bytes, 8);
    log->head.meta_bytes = (uint16_t)bytes;
}

void apply_drop(const struct apply_at *at, struct log *log)
{
    map_clear(log, at->segments, at->active, at->lsn);
    struct effect *effect = map_effect(log, at->active);
    effect->flags |= TOUCHED_DROPPED;
    at->logs->record_bytes -= log_record_bytes(log->head.meta_bytes);
    log->head = (struct log_head){0};
    log->floor = (struct teak_pos){0};
    log->base_lsn = 0;
}
