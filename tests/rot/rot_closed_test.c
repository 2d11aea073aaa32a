/* rot_closed_test.c: the rot table (rot_walk.h), a full segment without an index: opening reads it whole. */
#include "rot_walk.h"

static void every_byte_of_a_segment_without_an_index(void **state)
{
    (void)state;
    rot_walk(PLACE_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_of_a_segment_without_an_index)};
    return cmocka_run_group_tests(tests, NULL, rot_end);
}
