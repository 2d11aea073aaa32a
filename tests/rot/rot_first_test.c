/* rot_first_test.c: the rot table (rot_walk.h), the oldest segment kept. */
#include "rot_walk.h"

static void every_byte_of_the_oldest_segment(void **state)
{
    (void)state;
    rot_walk(PLACE_FIRST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_of_the_oldest_segment)};
    return cmocka_run_group_tests(tests, NULL, rot_end);
}
