/* locate_test.c: the map from index to place against a model that remembers every entry. */
#include "unit/store/map_model.h"

static void check_live_counts(const struct map_model *model)
{
    uint64_t live = 0, bytes = 0;
    for (uint64_t number = model->segments.oldest; number <= model->segments.newest; number++) {
        live += segment_at(&model->segments, number)->live;
        bytes += segment_at(&model->segments, number)->live_bytes;
    }
    assert_int_equal(live, model->log->piece_count);
    assert_int_equal(bytes, model->segments.live_bytes);
    assert_int_equal(bytes, (model->last - model->base) * MODEL_COST); /* all entries cost the same: exact */
}

static void check_every_entry(const char *name, bool moves)
{
    struct map_model *model = model_begin(name);
    model->moves = moves;
    uint64_t step = 0;
    while (model_step(model)) {
        const struct log *log = model->log;
        assert_int_equal(log->head.last.index, model->last);
        assert_int_equal(log->head.base.index, log->head.fresh ? 0 : model->base);
        model->safe_lsn = model->lsn;
        if (step++ % 10 != 0) continue;
        for (uint64_t index = model->base + 1; index <= model->last; index++) {
            struct place place;
            assert_true(locate(&model->segments, log, index, &place));
            const struct model_place *is = &model->entries[index];
            assert_int_equal(place.segment->number, is->segment);
            assert_int_equal(place.offset, is->offset);
            assert_int_equal(place.term, is->term);
            assert_int_equal(place.kind, is->kind);
            assert_int_equal(place.sum, index);
            assert_int_equal(log_term_at(log, index), is->term);
        }
        assert_int_equal(log->head.last.term, model->last > model->base || model->base > 0
                                                  ? log_term_at(log, model->last) : 0);
        check_live_counts(model);
    }
    model_end(model);
}

static void every_entry_is_where_the_model_says(void **state)
{
    (void)state;
    check_every_entry("every_entry_is_where_the_model_says", false);
}

static void entries_that_were_moved_are_where_they_were_moved_to(void **state)
{
    (void)state;
    check_every_entry("entries_that_were_moved_are_where_they_were_moved_to", true);
}

static void extents_join_where_nothing_lies_between(void **state)
{
    (void)state;
    struct map_model *model = model_begin("extents_join_where_nothing_lies_between");
    struct segment *active = segment_active(&model->segments);
    const struct apply_at at = {.logs = &model->logs, .segments = &model->segments, .active = active, .lsn = 1};
    for (uint32_t i = 0; i < 50; i++) {
        const uint32_t slot = map_take_slots(model->log, active, 1);
        assert_int_equal(slot, i);
        apply_entries(&at, model->log, (struct map_entries){.first = 5 + i, .term = 3, .count = 1, .slot = slot});
    }
    assert_int_equal(model->log->piece_count, 1);
    assert_int_equal(active->effect_count, 1);
    assert_int_equal(active->effects[0].count, 1);
    assert_int_equal(model->log->terms.count, 1);
    assert_null(locate_piece(model->log, 4));
    model_end(model);
}

/* Entries of many logs in turn: each log's slots lie together in runs, so that it needs few extents, and slots are
 * never more than entries find room for. */
static void logs_in_turn_have_few_extents(void **state)
{
    (void)state;
    enum { LOGS = 20, ROUNDS = 40, ENTRY = 400 };
    struct map_model *model = model_begin("logs_in_turn_have_few_extents");
    uint32_t most[2] = {0};
    for (uint64_t id = 100; id < 100 + LOGS; id++) {
        assert_true(logs_grow(&model->logs, 4, NULL));
        logs_add(&model->logs, id)->head = (struct log_head){.alive = true, .fresh = true};
    }
    for (uint64_t index = 1; index <= 2 * ROUNDS; index++) {
        if (index == ROUNDS + 1) model_roll(model); /* where they come again it is known how many there will be */
        struct segment *active = segment_active(&model->segments);
        const struct apply_at at = {.logs = &model->logs, .segments = &model->segments, .active = active, .lsn = 1};
        for (uint64_t id = 100; id < 100 + LOGS; id++) {
            struct log *log = logs_find(&model->logs, id);
            log->wants_more = 1;
            logs_want(&model->logs, log);
            assert_true(segment_grow_effects(active, LOGS) && logs_grow(&model->logs, 4, active));
            const uint32_t slot = map_take_slots(log, active, 1);
            active->slots[slot] = (struct layout_slot){.bytes = le32_of(1), .sum = le64_of(id * 1000 + index)};
            active->frames_end += ENTRY;
            apply_entries(&at, log, (struct map_entries){.first = index, .term = 1, .count = 1, .slot = slot});
            const struct effect *effect = &active->effects[log->effect];
            most[index > ROUNDS] = (uint32_t)max_u64(most[index > ROUNDS], effect->count);
            assert_true(active->slots_end <= active->slot_capacity);
        }
        assert_true(active->slot_count == LOGS * (index > ROUNDS ? index - ROUNDS : index));
    }
    printf("extents a log: %u, then %u\n", most[0], most[1]);
    assert_true(most[0] <= 8 && most[1] <= 3);
    for (uint64_t id = 100; id < 100 + LOGS; id++)
        for (uint64_t index = 1; index <= 2 * ROUNDS; index++) {
            struct place place;
            assert_true(locate(&model->segments, logs_find(&model->logs, id), index, &place));
            assert_int_equal(place.sum, id * 1000 + index);
        }
    model_end(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_where_the_model_says),
        cmocka_unit_test(entries_that_were_moved_are_where_they_were_moved_to),
        cmocka_unit_test(extents_join_where_nothing_lies_between),
        cmocka_unit_test(logs_in_turn_have_few_extents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
