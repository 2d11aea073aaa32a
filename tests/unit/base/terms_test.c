/* terms_test.c: runs of terms against the plain array that they stand for. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/terms.h"
#include "../seeded.h"

enum { MODEL_END = 400 };

/* terms[i] is the term of index i; indexes in [first, end) are known. */
struct model {
    uint64_t terms[MODEL_END];
    uint64_t first, end;
};

static void check_against(const struct terms *terms, const struct model *model)
{
    for (uint64_t index = 0; index < model->end; index++)
        assert_int_equal(terms_at(terms, index), index < model->first ? 0 : model->terms[index]);
    for (uint32_t i = 0; i < terms->count; i++) {
        if (i > 0) assert_true(terms->runs[i - 1].first < terms->runs[i].first);
        if (i > 0) assert_true(terms->runs[i - 1].term < terms->runs[i].term);
    }
    if (terms->count > 0) assert_int_equal(terms->runs[0].first, model->first);
    assert_int_equal(terms->count == 0, model->first == model->end);
}

static void append(struct terms *terms, struct model *model, uint64_t term)
{
    terms_append(terms, model->end, term);
    model->terms[model->end++] = term;
}

/* Stretches are learnt in any order; in the end every index has its term. What is known never changes. */
static void terms_are_learnt_in_any_order(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    for (int round = 0; round < 300; round++) {
        uint64_t truth[64], order[64];
        bool known[65] = {false};
        struct term_run runs[130];
        struct terms terms = {.runs = runs, .capacity = 130};
        uint64_t term = 1;
        for (uint64_t i = 0; i < 64; i++) {
            truth[i] = term += seeded_below(&seeded, 4) == 0;
            order[i] = i;
        }
        for (uint32_t i = 63; i > 0; i--) {
            const uint32_t other = seeded_below(&seeded, i + 1);
            const uint64_t swap = order[i];
            order[i] = order[other];
            order[other] = swap;
        }
        for (uint32_t i = 0; i < 64; i++) {
            uint64_t first = order[i], end = first + 1;
            while (end < 64 && truth[end] == truth[first] && seeded_below(&seeded, 3) > 0) end++;
            for (uint64_t at = first; at < end; at++) known[at] = true;
            assert_true(terms_learn(&terms, 100 + first, 100 + end, truth[first]));
            for (uint64_t at = 0; at < 64; at++)
                if (known[at]) assert_int_equal(terms_at(&terms, 100 + at), truth[at]);
            for (uint32_t run = 1; run < terms.count; run++) {
                assert_true(runs[run - 1].first < runs[run].first);
                assert_true(runs[run - 1].term < runs[run].term);
            }
        }
    }
}

static void terms_that_would_not_ascend_are_not_learnt(void **state)
{
    (void)state;
    struct term_run runs[8] = {{10, 2}, {20, 4}};
    struct terms terms = {.runs = runs, .count = 2, .capacity = 8};
    assert_false(terms_learn(&terms, 12, 15, 1));
    assert_false(terms_learn(&terms, 5, 20, 5));
    assert_false(terms_learn(&terms, 5, 8, 3));
    assert_false(terms_learn(&terms, 30, 40, 3));
    assert_int_equal(terms.count, 2);
    assert_int_equal(terms_at(&terms, 19), 2);
    assert_int_equal(terms_at(&terms, 20), 4);
}

static void an_empty_log_has_no_terms(void **state)
{
    (void)state;
    const struct terms terms = {0};
    assert_int_equal(terms_at(&terms, 0), 0);
    assert_int_equal(terms_at(&terms, 1), 0);
    assert_int_equal(terms_at(&terms, UINT64_MAX), 0);
}

static void entries_of_one_term_take_one_run(void **state)
{
    (void)state;
    struct term_run runs[1];
    struct terms terms = {.runs = runs, .capacity = 1};
    assert_false(terms_is_full(&terms));
    for (uint64_t index = 5; index < 100; index++) terms_append(&terms, index, 3);
    assert_int_equal(terms.count, 1);
    assert_true(terms_is_full(&terms));
    assert_int_equal(terms_at(&terms, 4), 0);
    assert_int_equal(terms_at(&terms, 5), 3);
    assert_int_equal(terms_at(&terms, 99), 3);
}

static void truncating_at_a_run_forgets_it_whole(void **state)
{
    (void)state;
    struct term_run runs[4];
    struct terms terms = {.runs = runs, .capacity = 4};
    terms_append(&terms, 1, 1);
    terms_append(&terms, 10, 2);
    terms_truncate(&terms, 10);
    assert_int_equal(terms.count, 1);
    terms_append(&terms, 10, 7);
    assert_int_equal(terms_at(&terms, 9), 1);
    assert_int_equal(terms_at(&terms, 10), 7);
}

static void compacting_keeps_the_term_of_the_first_index_left(void **state)
{
    (void)state;
    struct term_run runs[4];
    struct terms terms = {.runs = runs, .capacity = 4};
    terms_append(&terms, 1, 1);
    terms_append(&terms, 10, 2);
    terms_append(&terms, 20, 3);
    terms_compact(&terms, 15);
    assert_int_equal(terms.count, 2);
    assert_int_equal(terms_at(&terms, 14), 0);
    assert_int_equal(terms_at(&terms, 15), 2);
    assert_int_equal(terms_at(&terms, 20), 3);
    terms_compact(&terms, 3); /* below the first: nothing to forget */
    assert_int_equal(terms_at(&terms, 15), 2);
}

static void moving_keeps_every_run(void **state)
{
    (void)state;
    struct term_run small[2];
    struct term_run large[4];
    struct terms terms = {.runs = small, .capacity = 2};
    terms_append(&terms, 1, 1);
    terms_append(&terms, 2, 2);
    assert_true(terms_is_full(&terms));
    assert_ptr_equal(terms_move(&terms, large, 4), small);
    assert_false(terms_is_full(&terms));
    terms_append(&terms, 3, 3);
    for (uint64_t index = 1; index <= 3; index++) assert_int_equal(terms_at(&terms, index), index);
}

static void runs_answer_as_a_plain_array_does(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    for (uint32_t round = 0; round < 200; round++) {
        struct term_run runs[MODEL_END];
        struct terms terms = {.runs = runs, .capacity = MODEL_END};
        const uint64_t begin = 1 + seeded_below(&seeded, 20);
        struct model model = {.first = begin, .end = begin};
        uint64_t term = 1;
        for (uint32_t step = 0; step < 100 && model.end < MODEL_END; step++) {
            const uint32_t known = (uint32_t)(model.end - model.first);
            const uint32_t dice = seeded_below(&seeded, 20);
            if (dice == 0 && known > 0) {
                model.end = model.first + seeded_below(&seeded, known);
                terms_truncate(&terms, model.end);
            } else if (dice == 1 && known > 1) {
                model.first += seeded_below(&seeded, known);
                terms_compact(&terms, model.first);
            } else {
                term += seeded_below(&seeded, 4) == 0;
                append(&terms, &model, term);
            }
            check_against(&terms, &model);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_are_learnt_in_any_order),
        cmocka_unit_test(terms_that_would_not_ascend_are_not_learnt),
        cmocka_unit_test(an_empty_log_has_no_terms),
        cmocka_unit_test(entries_of_one_term_take_one_run),
        cmocka_unit_test(truncating_at_a_run_forgets_it_whole),
        cmocka_unit_test(compacting_keeps_the_term_of_the_first_index_left),
        cmocka_unit_test(moving_keeps_every_run),
        cmocka_unit_test(runs_answer_as_a_plain_array_does),
    };
    return cmocka_run_group_tests_name("terms", tests, NULL, NULL);
}
