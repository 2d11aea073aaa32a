/* durable.c: see durable.h. */
#include "store/durable.h"

#include "base/bytes.h"
#include "base/check.h"
#include "store/apply.h"
#include "store/locate.h"

static bool is_safe(const struct log *log, const struct segments *segments, const struct flight *flight, uint64_t index)
{
    const struct piece *piece = locate_piece(log, index);
    CHECK(piece != NULL);
    const uint64_t number = segment_of_piece(segments, piece->segment)->number;
    if (number != flight->durable_segment) return number < flight->durable_segment;
    struct place place;
    CHECK(locate(segments, log, index, &place));
    return place.offset < flight->durable_offset;
}

struct teak_pos durable_of(struct log *log, const struct segments *segments, const struct flight *flight)
{
    const struct log_head *head = &log->head;
    if (head->last.index == head->base.index) {
        if (log->base_lsn <= flight->durable_lsn) log->floor = head->base;
        return log->floor;
    }
    if (is_safe(log, segments, flight, head->last.index)) return log->floor = head->last;
    /* low is durable (or the base, below everything); high is not */
    uint64_t low = max_u64(head->base.index, log->floor.index), high = head->last.index;
    /* a batch after the other, and nothing landed between: one look instead of a search */
    if (high - low > 1 && !is_safe(log, segments, flight, low + 1)) high = low + 1;
    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        if (is_safe(log, segments, flight, middle))
            low = middle;
        else
            high = middle;
    }
    if (low > head->base.index)
        log->floor = (struct teak_pos){.index = low, .term = log_term_at(log, low)};
    else if (log->base_lsn <= flight->durable_lsn)
        log->floor = head->base;
    return log->floor;
}

void durable_fall_back(struct logs *logs, struct segments *segments, const struct flight *flight)
{
    const struct apply_at at = {.logs = logs, .segments = segments, .active = segment_active(segments),
                                .lsn = flight->durable_lsn + 1};
    /* nothing is committed any more: memory may be asked for, and where there is none only `last` falls back */
    (void)segment_grow_effects(at.active, at.active->effect_count + logs->count);
    for (uint32_t i = 0; i < logs->count; i++) {
        struct log *log = logs->sorted[i];
        const struct teak_pos safe = durable_of(log, segments, flight);
        if (log->effect_segment != at.active->number && at.active->effect_count == at.active->effect_capacity)
            log->head.last = safe.index > log->head.base.index ? safe : log->head.base;
        else
            apply_truncate(&at, log, safe.index + 1);
    }
}
