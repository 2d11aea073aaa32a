/* rot_next_test.c: the rot table (rot_walk.h), the segment that was prepared for what comes next. */
#include "rot_walk.h"

static void every_byte_of_the_segment_that_comes_next(void **state)
{
    (void)state;
    rot_walk(PLACE_NEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_of_the_segment_that_comes_next)};
    return cmocka_run_group_tests(tests, NULL, rot_end);
}
