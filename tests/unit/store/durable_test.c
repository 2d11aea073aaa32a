/* durable_test.c: how far a log is durable, whatever was truncated, written again, compacted or cleared meanwhile. */
#include "store/durable.h"
#include "unit/store/map_model.h"

static void set_durable(const struct map_model *model, struct flight *flight, uint64_t lsn)
{
    flight->durable_lsn = lsn;
    flight->durable_segment = model->frames[lsn].segment;
    flight->durable_offset = model->frames[lsn].end;
}

static bool is_safe(const struct map_model *model, const struct flight *flight, uint64_t index)
{
    return model->entries[index].lsn <= flight->durable_lsn;
}

static void check_durable(const char *name, bool moves)
{
    struct map_model *model = model_begin(name);
    model->moves = moves;
    static struct flight flight;
    flight = (struct flight){0};
    set_durable(model, &flight, 0);
    flight.durable_segment = 1;
    while (model_step(model)) {
        const uint32_t behind = (uint32_t)(model->lsn - flight.durable_lsn);
        if (seeded_below(&model->seeded, 3) == 0)
            set_durable(model, &flight, flight.durable_lsn + seeded_below(&model->seeded, behind + 1));
        model->safe_lsn = flight.durable_lsn;
        if (seeded_below(&model->seeded, 4) == 0) continue; /* nobody asks at some steps */
        const struct teak_pos is = durable_of(model->log, &model->segments, &flight);
        uint64_t safe = model->last;
        while (safe > model->base && !is_safe(model, &flight, safe)) safe--;
        if (safe > model->base) {
            assert_int_equal(is.index, safe);
            assert_int_equal(is.term, model->entries[safe].term);
        } else {
            assert_true(is.index <= model->base);
            if (model->log->base_lsn <= flight.durable_lsn) assert_int_equal(is.index, model->log->head.base.index);
        }
    }
    set_durable(model, &flight, model->lsn);
    assert_int_equal(durable_of(model->log, &model->segments, &flight).index, model->last);
    model_end(model);
}

/* History 25. */
static void durable_counts_what_the_map_holds_and_nothing_that_was_replaced(void **state)
{
    (void)state;
    check_durable("durable_counts_what_the_map_holds_and_nothing_that_was_replaced", false);
}

/* History 22: low indexes lie in newer frames, and are as durable as they were. */
static void durable_does_not_fall_back_for_what_is_moved(void **state)
{
    (void)state;
    check_durable("durable_does_not_fall_back_for_what_is_moved", true);
}

static void after_poison_the_map_ends_where_durable_does(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct map_model *model = model_begin("after_poison_the_map_ends_where_durable_does");
        model->seeded.state += (uint64_t)round;
        static struct flight flight;
        flight = (struct flight){0};
        for (int step = 0; step < 60; step++) assert_true(model_step(model));
        model->safe_lsn = model->lsn;
        model->moves = round % 2 == 0; /* their copies may be on their way when it happens */
        for (int step = 0; step < 40; step++) assert_true(model_step(model));
        set_durable(model, &flight, model->lsn - seeded_below(&model->seeded, 20));
        const struct teak_pos safe = durable_of(model->log, &model->segments, &flight);
        durable_fall_back(&model->logs, &model->segments, &flight);
        const struct log_head *head = &model->log->head;
        assert_int_equal(head->last.index, safe.index > head->base.index ? safe.index : head->base.index);
        for (uint64_t index = head->base.index + 1; index <= head->last.index; index++) {
            struct place place;
            assert_true(locate(&model->segments, model->log, index, &place));
            assert_true(is_safe(model, &flight, index));
        }
        model_end(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durable_counts_what_the_map_holds_and_nothing_that_was_replaced),
        cmocka_unit_test(durable_does_not_fall_back_for_what_is_moved),
        cmocka_unit_test(after_poison_the_map_ends_where_durable_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
