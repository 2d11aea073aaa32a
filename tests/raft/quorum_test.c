/* quorum_test.c: majorities against their definition, for every configuration of up to five members, joint ones too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/quorum.h"

enum { MEMBERS = 5, SETS = 1 << MEMBERS, VALUES = 3 };

static bool half(uint32_t voters, uint32_t have)
{
    uint32_t all = 0, yes = 0;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        all += voters >> i & 1;
        yes += (voters & have) >> i & 1;
    }
    return all == 0 || 2 * yes > all;
}

static void a_majority_of_each_half_decides(void **state)
{
    (void)state;
    for (uint32_t voters = 0; voters < SETS; voters++)
        for (uint32_t next = 0; next < SETS; next++)
            for (uint32_t have = 0; have < SETS; have++) {
                const bool wanted = (voters | next) != 0 && half(voters, have) && half(next, have);
                assert_int_equal(quorum_has(voters, next, have), wanted);
                /* lost: whatever the others say */
                bool possible = false;
                for (uint32_t more = 0; more < SETS; more++)
                    possible =
                        possible || ((voters | next) != 0 && half(voters, more & ~have) && half(next, more & ~have));
                assert_int_equal(quorum_is_lost(voters, next, have), !possible);
            }
}

/* Any two majorities of one configuration, or of a joint one and of either of its halves, share a member. */
static void majorities_meet(void **state)
{
    (void)state;
    for (uint32_t voters = 1; voters < SETS; voters++)
        for (uint32_t next = 0; next < SETS; next++)
            for (uint32_t a = 0; a < SETS; a++) {
                if (!quorum_has(voters, next, a)) continue;
                for (uint32_t b = 0; b < SETS; b++) {
                    if (quorum_has(voters, 0, b)) assert_true(a & b);
                    if (next && quorum_has(next, 0, b)) assert_true(a & b);
                }
            }
}

static uint64_t highest(uint32_t voters, uint32_t next, const uint64_t *match)
{
    for (uint64_t index = VALUES; index > 0; index--) {
        uint32_t have = 0;
        for (uint32_t i = 0; i < MEMBERS; i++) have |= (uint32_t)(match[i] >= index) << i;
        if ((voters | next) != 0 && half(voters, have) && half(next, have)) return index;
    }
    return 0;
}

static void the_index_is_the_highest_with_a_majority(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 4 * 4 * 4 * 4 * 4; number++) {
        uint64_t match[MEMBERS];
        for (uint32_t i = 0, rest = number; i < MEMBERS; i++, rest /= VALUES + 1) match[i] = rest % (VALUES + 1);
        for (uint32_t voters = 0; voters < SETS; voters++)
            for (uint32_t next = 0; next < SETS; next++)
                assert_int_equal(quorum_index(voters, next, match), highest(voters, next, match));
    }
}

static void thirty_one_members_fit(void **state)
{
    (void)state;
    uint64_t match[31];
    for (uint32_t i = 0; i < 31; i++) match[i] = 100 + (i * 7) % 31; /* 100 .. 130, each once */
    const uint32_t all = (UINT32_C(1) << 31) - 1;
    assert_int_equal(quorum_index(all, 0, match), 115);
    assert_int_equal(quorum_index(all, all, match), 115);
    assert_false(quorum_has(all, 0, 0x7fff));
    assert_true(quorum_has(all, 0, 0xffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_majority_of_each_half_decides),
        cmocka_unit_test(majorities_meet),
        cmocka_unit_test(the_index_is_the_highest_with_a_majority),
        cmocka_unit_test(thirty_one_members_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
