/* members_test.c: configurations as bytes: what is encoded is read, and nothing else is taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/members.h"

static const struct teak_raft_member three[] = {
    {.id = 1, .born = 0x0102030405060708, .roles = TEAK_RAFT_VOTER, .priority = 9},
    {.id = 5, .roles = TEAK_RAFT_VOTER},
    {.id = 256, .roles = TEAK_RAFT_LEARNER}};

static void bytes_are_what_the_header_says(void **state)
{
    (void)state;
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(3)];
    const uint8_t wanted[] = {1, 0, 3, 0,                                           /* version, joint, count */
                              1, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 1, 9, /* id, born, roles, priority */
                              5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
                              0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0};
    assert_int_equal(members_encode(three, 3, false, bytes), sizeof bytes);
    assert_memory_equal(bytes, wanted, sizeof wanted);
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    assert_true(members_judge(bytes, sizeof bytes, members, &config));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(members[i].id, three[i].id);
        assert_int_equal(members[i].born, three[i].born);
        assert_int_equal(members[i].roles, three[i].roles);
        assert_int_equal(members[i].priority, three[i].priority);
    }
    assert_int_equal(config.voters, 3);
    assert_int_equal(config.next, 0);
    assert_int_equal(config.joint, 0);
}

static void a_joint_configuration_has_two_halves(void **state)
{
    (void)state;
    struct teak_raft_member members[] = {{.id = 1, .roles = TEAK_RAFT_VOTER},
                                         {.id = 2, .roles = TEAK_RAFT_VOTER | TEAK_RAFT_VOTER_NEXT},
                                         {.id = 3, .roles = TEAK_RAFT_VOTER_NEXT},
                                         {.id = 4, .roles = TEAK_RAFT_VOTER | TEAK_RAFT_LEARNER}};
    struct config config;
    assert_true(members_form(members, 4, true, &config));
    assert_int_equal(config.voters, 0xb);
    assert_int_equal(config.next, 0x6);
    assert_false(members_form(members, 4, false, &config)); /* roles of a joint one */
    members[1].roles = TEAK_RAFT_VOTER;
    members[2].roles = TEAK_RAFT_LEARNER;
    assert_false(members_form(members, 4, true, &config)); /* nobody votes in the incoming half */
}

/* Every way to cut it short, to make it longer, to change one byte: no crash, and what is accepted encodes to
 * itself. */
static void hostile_bytes_are_judged(void **state)
{
    (void)state;
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(3)];
    const uint32_t length = members_encode(three, 3, false, bytes);
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    for (uint32_t cut = 0; cut < length; cut++) {
        uint8_t *copy = malloc(cut + 1); /* its end is where a sanitizer looks */
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        assert_false(members_judge(copy, cut, members, &config));
        free(copy);
    }
    for (uint32_t at = 0; at < length; at++)
        for (uint32_t value = 0; value < 256; value++) {
            uint8_t changed[TEAK_RAFT_CONFIG_BYTES(3)], again[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
            memcpy(changed, bytes, length);
            changed[at] = (uint8_t)value;
            if (!members_judge(changed, length, members, &config)) continue;
            assert_int_equal(members_encode(members, config.count, config.joint, again), length);
            assert_memory_equal(again, changed, length);
        }
}

static void wanted_sets_are_judged(void **state)
{
    (void)state;
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX + 1];
    for (uint32_t i = 0; i <= TEAK_RAFT_MEMBERS_MAX; i++)
        members[i] = (struct teak_raft_member){.id = i + 1, .roles = TEAK_RAFT_VOTER};
    assert_int_equal(members_wanted(members, TEAK_RAFT_MEMBERS_MAX), TEAK_RAFT_OK);
    assert_int_equal(members_wanted(members, TEAK_RAFT_MEMBERS_MAX + 1), TEAK_RAFT_MISUSE);
    assert_int_equal(members_wanted(members, 0), TEAK_RAFT_MISUSE);
    assert_int_equal(members_wanted(NULL, 1), TEAK_RAFT_MISUSE);
    members[0].roles = TEAK_RAFT_LEARNER;
    assert_int_equal(members_wanted(members, 1), TEAK_RAFT_NO_VOTERS);
    members[0].id = 0;
    assert_int_equal(members_wanted(members, 1), TEAK_RAFT_MISUSE);
    members[0].id = 2; /* not ascending */
    assert_int_equal(members_wanted(members, 2), TEAK_RAFT_MISUSE);
    members[0] = (struct teak_raft_member){.id = 1, .roles = TEAK_RAFT_VOTER_NEXT};
    assert_int_equal(members_wanted(members, 2), TEAK_RAFT_MISUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_what_the_header_says),
        cmocka_unit_test(a_joint_configuration_has_two_halves),
        cmocka_unit_test(hostile_bytes_are_judged),
        cmocka_unit_test(wanted_sets_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
