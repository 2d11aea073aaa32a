/* disk_count_test.c: what a device says it did, and what follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../tools/teak/disk_count.h"

static const char text[] =
    " 254       0 vda 1000 1 2000 30 4000 5 6000 70 0 8 9 10 11 12 13 14 15\n"
    " 254       1 vda1 900 1 1800 30 400 5 600 70 0 8 9 10 11 12 13 0 0\n"
    "   8       0 sda 1 1 2 3 40 5 60 7 0 8 9\n";

static void a_whole_disk_is_read(void **state)
{
    (void)state;
    const struct disk_count count = disk_count_of(text, 254, 0, 254, 0);
    assert_true(count.known);
    assert_int_equal(count.writes, 4000);
    assert_int_equal(count.write_bytes, 6000 * 512);
    assert_int_equal(count.flushes, 14);
}

static void flushes_of_a_part_are_those_of_the_whole(void **state)
{
    (void)state;
    const struct disk_count count = disk_count_of(text, 254, 1, 254, 0);
    assert_int_equal(count.writes, 400);
    assert_int_equal(count.write_bytes, 600 * 512);
    assert_int_equal(count.flushes, 14);
}

static void an_old_kernel_tells_no_flushes(void **state)
{
    (void)state;
    const struct disk_count count = disk_count_of(text, 8, 0, 8, 0);
    assert_true(count.known);
    assert_int_equal(count.write_bytes, 60 * 512);
    assert_int_equal(count.flushes, 0);
}

static void what_is_not_listed_is_not_known(void **state)
{
    (void)state;
    assert_false(disk_count_of(text, 0, 27, 0, 27).known);
    assert_false(disk_count_of("", 254, 0, 254, 0).known);
    assert_false(disk_count_of("\n\n  \nnonsense", 254, 0, 254, 0).known);
}

static void a_claim_above_what_was_counted_is_seen(void **state)
{
    (void)state;
    const struct disk_count before = disk_count_of(text, 254, 0, 254, 0);
    struct disk_count after = before;
    after.write_bytes += 8192;
    struct disk_count did = disk_count_difference(before, after);
    assert_int_equal(disk_verdict_of(did, 8192, false), DISK_DID_IT);
    assert_int_equal(disk_verdict_of(did, 8193, false), DISK_DID_LESS);
    assert_int_equal(disk_verdict_of(did, 8192, true), DISK_DID_LESS); /* not one flush */
    did.flushes = 1;
    assert_int_equal(disk_verdict_of(did, 8192, true), DISK_DID_IT);
    after.known = false;
    assert_int_equal(disk_verdict_of(disk_count_difference(before, after), 0, false), DISK_NOT_KNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_disk_is_read),
        cmocka_unit_test(flushes_of_a_part_are_those_of_the_whole),
        cmocka_unit_test(an_old_kernel_tells_no_flushes),
        cmocka_unit_test(what_is_not_listed_is_not_known),
        cmocka_unit_test(a_claim_above_what_was_counted_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
