/* verdict_test.c: all inputs of the table that tells torn from rotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/verdict.h"

static void every_input_has_one_answer(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 8; bits++) {
        const struct tail_facts facts = {.whole = bits & 1, .later = bits & 2, .vouched = bits & 4};
        if (facts.vouched && !facts.later) continue; /* only a later frame can vouch: the caller's bug, a CHECK */
        const enum verdict expected = facts.whole     ? VERDICT_KEEP
                                      : facts.vouched ? VERDICT_DAMAGED
                                                      : VERDICT_CUT;
        assert_int_equal(tail_verdict(facts), expected);
    }
}

static void every_input_has_one_loss(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 64; bits++) {
        const struct loss_facts facts = {.blind = bits & 1, .born = bits & 2, .told = bits & 4, .touched = bits & 8,
                                         .covered = bits & 16, .gap = bits & 32};
        enum loss expected = LOSS_NONE;
        if (facts.blind && !facts.born)
            expected = facts.told ? LOSS_TAIL : LOSS_TAIL_AND_HARD_STATE;
        else if (facts.gap || (!facts.blind && facts.touched && !facts.covered))
            expected = LOSS_TAIL;
        assert_int_equal(loss_verdict(facts), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_input_has_one_answer),
                                       cmocka_unit_test(every_input_has_one_loss)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
