/* map_model.h: one log in a row of segments in memory, grown as chores would, and a naive model of it. */
#ifndef TEAK_TESTS_MAP_MODEL_H
#define TEAK_TESTS_MAP_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/apply.h"
#include "store/locate.h"
#include "unit/seeded.h"

enum { MODEL_INDEXES = 3000, MODEL_FRAME = 4096, MODEL_SEGMENT = 1 << 20, MODEL_COST = 40 /* of one byte */ };

struct model_place {
    uint64_t segment, term;
    uint64_t lsn; /* of the frame that appended it */
    uint32_t offset;
    uint8_t kind;
};

struct map_model {
    struct seeded seeded;
    struct logs logs;
    struct log *log;
    struct segments segments;
    uint64_t lsn;
    bool moves;  /* entries are moved forward too; only durable ones, so not beyond: */
    uint64_t safe_lsn;
    struct { uint64_t segment; uint32_t end; } frames[MODEL_INDEXES]; /* by lsn */
    uint64_t term, base, last;
    struct model_place entries[MODEL_INDEXES];
};

static inline void model_roll(struct map_model *model)
{
    struct segments *segments = &model->segments;
    if (segments->newest >= segments->oldest) segment_move(segment_active(segments), SEGMENT_CLOSED);
    assert_true(segments_make_room(segments));
    struct segment *segment = segment_new(segments->newest + 1);
    assert_non_null(segment);
    assert_true(segment_make_tables(segment, MODEL_SEGMENT));
    segment->frames_end = MODEL_FRAME;
    segment_move(segment, SEGMENT_ACTIVE);
    segments_push(segments, segment);
}

static inline struct map_model *model_begin(const char *name)
{
    struct map_model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->seeded = seeded_begin(name);
    model->term = 1;
    assert_true(logs_init(&model->logs) && segments_init(&model->segments));
    model_roll(model);
    model->log = logs_add(&model->logs, 9);
    model->log->head = (struct log_head){.alive = true, .fresh = true};
    return model;
}

static inline void model_end(struct map_model *model)
{
    segments_fini(&model->segments, NULL);
    logs_fini(&model->logs);
    free(model);
}

/* Some entries of one term and kind, none of them in the active segment, all of them durable, once more. */
static inline void model_move(struct map_model *model, const struct apply_at *at)
{
    const uint64_t live = model->last - model->base;
    const uint64_t first = model->base + 1 + seeded_below(&model->seeded, (uint32_t)live);
    uint32_t count = 0;
    const struct model_place *is = &model->entries[first];
    while (count < 8 && first + count <= model->last && is[count].segment != at->active->number &&
           is[count].lsn <= model->safe_lsn && is[count].term == is->term && is[count].kind == is->kind)
        count++;
    if (count == 0) return;
    const uint32_t slot = map_take_slots(model->log, at->active, count);
    for (uint32_t i = 0; i < count; i++) {
        struct model_place *entry = &model->entries[first + i];
        entry->segment = at->active->number;
        entry->offset = at->active->frames_end + 128 + i;
        at->active->slots[slot + i] = (struct layout_slot){
            .offset = le32_of(entry->offset), .bytes = le32_of(1), .sum = le64_of(first + i)};
    }
    const struct map_entries entries = {.first = first, .term = is->term, .count = count, .slot = slot,
                                        .bytes = MODEL_COST * count, .kind = is->kind};
    apply_replace(at, model->log, &entries);
}

/* One more frame with one operation in it; false when the model is full. */
static inline bool model_step(struct map_model *model)
{
    struct seeded *seeded = &model->seeded;
    if (model->lsn + 2 >= MODEL_INDEXES || model->last + 20 >= MODEL_INDEXES) return false;
    if (seeded_below(seeded, 25) == 0) model_roll(model);
    struct segment *active = segment_active(&model->segments);
    model->log->wants_more = 2;
    logs_want(&model->logs, model->log);
    assert_true(logs_grow(&model->logs, 4, active));
    assert_true(segment_grow_effects(active, active->effect_count + 4));
    const struct apply_at at = {.logs = &model->logs, .segments = &model->segments, .active = active,
                                .lsn = ++model->lsn};
    const uint64_t live = model->last - model->base;
    const uint32_t what = seeded_below(seeded, 12);
    if (what == 0 && live > 0) {
        const uint64_t from = model->last + 1 - seeded_below(seeded, (uint32_t)(live < 30 ? live : 30)) - 1;
        apply_truncate(&at, model->log, from);
        model->last = from - 1;
    } else if (what == 1 && live > 0) {
        const uint64_t upto = model->base + 1 + seeded_below(seeded, (uint32_t)live);
        apply_compact(&at, model->log, upto, model->entries[upto].term);
        model->base = upto;
    } else if (what == 2 && seeded_below(seeded, 6) == 0) {
        model->base = model->last = model->last + 1 + seeded_below(seeded, 3);
        model->entries[model->base].term = model->term;
        apply_snapshot(&at, model->log, (struct teak_pos){model->base, model->term}, SNAPSHOT_CLEARS,
                       (struct snapshot_file){0});
    } else if (what >= 9 && model->moves && live > 0) {
        model_move(model, &at);
    } else {
        const uint32_t count = 1 + seeded_below(seeded, 6), slot = map_take_slots(model->log, active, count);
        const uint8_t kind = (uint8_t)seeded_below(seeded, 2);
        model->term += seeded_below(seeded, 5) == 0;
        for (uint32_t i = 0; i < count; i++) {
            const uint64_t index = model->last + 1 + i;
            const uint32_t offset = active->frames_end + 128 + i;
            model->entries[index] = (struct model_place){active->number, model->term, model->lsn, offset, kind};
            active->slots[slot + i] = (struct layout_slot){
                .offset = le32_of(offset), .bytes = le32_of(1), .sum = le64_of(index)};
        }
        apply_entries(&at, model->log, (struct map_entries){.first = model->last + 1, .term = model->term,
                                                            .count = count, .slot = slot, .bytes = MODEL_COST * count,
                                                            .kind = kind});
        model->last += count;
    }
    active->frames_end += MODEL_FRAME;
    model->frames[model->lsn].segment = active->number;
    model->frames[model->lsn].end = active->frames_end;
    return active->frames_end + 2 * MODEL_FRAME < MODEL_SEGMENT || (model_roll(model), true);
}

#endif
