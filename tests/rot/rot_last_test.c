/* rot_last_test.c: the rot table (rot_walk.h), the newest segment. */
#include "rot_walk.h"

static void every_byte_of_the_newest_segment(void **state)
{
    (void)state;
    rot_walk(PLACE_LAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_of_the_newest_segment)};
    return cmocka_run_group_tests(tests, NULL, rot_end);
}
