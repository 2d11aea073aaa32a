/* replay_test.c: what the summaries of a row of segments say again is what was there, whatever was moved forward, and
 * however many of the oldest segments are gone.
 */
#include "os/heap.h"
#include "store/replay.h"
#include "store/seal.h"
#include "unit/store/map_model.h"

enum { SUMMARY = 1 << 16 };

/* Index of one segment, as it lies behind its frames: slots, then the summary. */
static uint8_t *index_of(const struct segment *segment, struct footer *footer)
{
    const struct effect **sorted = calloc(segment->effect_count + 1, sizeof(const struct effect *));
    uint8_t *summary = calloc(1, SUMMARY), *index = calloc(2, SUMMARY);
    assert_true(sorted && summary && index);
    *footer = (struct footer){.segment = segment->number, .file_bytes = MODEL_SEGMENT};
    footer->summary_bytes = seal_summarise(segment, sorted, summary, footer);
    uint32_t slot = 0;
    struct layout_slot *slots = (struct layout_slot *)(void *)index;
    for (uint32_t e = 0; e < segment->effect_count; e++) {
        const struct effect *effect = sorted[e];
        const struct layout_extent *extents = effect->capacity > 1 ? effect->heap : &effect->one;
        for (uint32_t x = 0; x < effect->count; x++)
            for (uint32_t i = 0; i < le32_get(extents[x].count); i++)
                slots[slot++] = segment->slots[le32_get(extents[x].slot) + i];
    }
    assert_int_equal(slot, footer->slot_count);
    footer->summary_offset = (uint32_t)(slot * sizeof *slots);
    assert_true(footer->summary_offset <= SUMMARY && footer->summary_bytes <= SUMMARY);
    memcpy(index + footer->summary_offset, summary, footer->summary_bytes);
    footer->summary_sum = key_sum(&segment->key, summary, footer->summary_bytes);
    assert_true(summary_judge(index + footer->summary_offset, footer, &segment->key));
    free(sorted);
    free(summary);
    return index;
}

/* A store that was given the segments from `oldest` on, all of them sealed, and told of the log's head. */
static struct teak_store *replay_from(const struct map_model *model, uint64_t oldest)
{
    struct teak_store *store = calloc(1, sizeof *store);
    assert_non_null(store);
    assert_true(logs_init(&store->logs) && segments_init(&store->segments));
    store->segments.oldest = oldest;
    store->segments.newest = oldest - 1;
    store->limits.block_bytes = MODEL_FRAME;
    for (uint64_t number = oldest; number <= model->segments.newest; number++) {
        struct segment *segment = segment_new(number);
        assert_true(segment && segments_make_room(&store->segments));
        segment->state = SEGMENT_SEALED;
        segments_push(&store->segments, segment);
        uint8_t *index = index_of(segment_at(&model->segments, number), &segment->footer);
        segment->map = index;
        struct teak_error error = {0};
        assert_int_equal(replay_summary(store, segment, index + segment->footer.summary_offset, &error), TEAK_OK);
    }
    return store;
}

static void let_go(struct teak_store *store)
{
    for (uint64_t number = store->segments.oldest; number <= store->segments.newest; number++) {
        struct segment *segment = segment_at(&store->segments, number);
        free((void *)(uintptr_t)segment->map);
        segment->map = NULL;
    }
    segments_fini(&store->segments, NULL);
    harm_fini(&store->harm);
    logs_fini(&store->logs);
    free(store);
}

static void check_replay(const struct map_model *model, uint64_t oldest)
{
    struct teak_store *store = replay_from(model, oldest);
    struct log *log = logs_find(&store->logs, model->log->id);
    if (model->last > model->base) assert_non_null(log);
    if (log) {
        if (model->last > model->base) assert_int_equal(log->head.last.index, model->last);
        log->head = model->log->head;
        struct teak_report report = {0};
        struct teak_error error = {0};
        assert_int_equal(replay_finish(store, &report, &error), TEAK_OK);
        for (uint64_t index = model->base + 1; index <= model->last; index++) {
            struct place place;
            assert_true(locate(&store->segments, log, index, &place));
            const struct model_place *is = &model->entries[index];
            assert_int_equal(place.segment->number, is->segment);
            assert_int_equal(place.offset, is->offset);
            assert_int_equal(place.sum, index);
            assert_int_equal(place.term, is->term);
            assert_int_equal(place.kind, is->kind);
            assert_int_equal(log_term_at(log, index), is->term);
        }
        assert_int_equal(store->segments.live_bytes, (model->last - model->base) * MODEL_COST);
        for (uint64_t number = oldest; number <= store->segments.newest; number++)
            assert_int_equal(segment_at(&store->segments, number)->live_bytes,
                             segment_at(&model->segments, number)->live_bytes);
    }
    let_go(store);
}

/* History 22. */
static void what_was_moved_is_found_again_when_the_oldest_are_gone(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct map_model *model = model_begin("what_was_moved_is_found_again_when_the_oldest_are_gone");
        model->seeded.state += (uint64_t)round;
        model->moves = true;
        uint32_t step = 0;
        while (model_step(model) && step < 900) {
            model->safe_lsn = model->lsn;
            if (step++ % 60 != 0) continue;
            uint64_t oldest = model->segments.oldest;
            check_replay(model, oldest);
            while (oldest < model->segments.newest && segment_at(&model->segments, oldest)->live == 0)
                check_replay(model, ++oldest);
        }
        model_end(model);
    }
}

/* A segment that still holds something is gone: that is a hole, and it is named. */
static void check_holes(struct map_model *model)
{
    model->moves = true;
    uint32_t holes = 0;
    for (uint32_t step = 0; model_step(model) && step < 1500; step++) {
        model->safe_lsn = model->lsn;
        if (step % 40 != 0) continue;
        uint64_t oldest = model->segments.oldest;
        while (oldest < model->segments.newest && segment_at(&model->segments, oldest)->live == 0) oldest++;
        if (oldest == model->segments.newest || model->last == model->base) continue;
        struct teak_store *store = replay_from(model, oldest + 1);
        struct log *log = logs_find(&store->logs, model->log->id);
        if (log) {
            /* that the log goes on behind what the summaries know is what a checkpoint says, and there is none here;
             * but it never ends below its base */
            const uint64_t known = min_u64(log->head.last.index, model->last), last = max_u64(known, model->base);
            log->head = model->log->head;
            log->head.last.index = last;
            uint64_t missing = 0, named = 0;
            for (uint64_t index = model->base + 1; index <= last; index++)
                missing += model->entries[index].segment <= oldest;
            struct teak_report report = {0};
            struct teak_error error = {0};
            assert_int_equal(replay_finish(store, &report, &error), missing > 0 ? TEAK_DAMAGED : TEAK_OK);
            assert_int_equal(report.damage_count > 0, missing > 0);
            for (uint32_t i = 0; i < report.damage_count && i < TEAK_DAMAGE_MAX; i++)
                named += report.damage[i].last - report.damage[i].first + 1;
            if (report.damage_count <= TEAK_DAMAGE_MAX) assert_int_equal(named, missing);
            holes += report.damage_count;
        }
        let_go(store);
    }
    assert_true(holes > 0);
    model_end(model);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    check_holes(model_begin("what_is_missing_is_named"));
}

/* What the summaries know of the log ends below the base that a compaction left: none of it is missing. */
static void what_lies_below_the_base_is_not_missing(void **state)
{
    (void)state;
    struct map_model *model = model_begin("what_lies_below_the_base_is_not_missing");
    model->seeded.state = 1795360984;
    check_holes(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_moved_is_found_again_when_the_oldest_are_gone),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(what_lies_below_the_base_is_not_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
