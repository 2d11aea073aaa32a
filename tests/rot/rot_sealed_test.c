/* rot_sealed_test.c: the rot table (rot_walk.h), a segment in the middle, with its index. */
#include "rot_walk.h"

static void every_byte_of_a_sealed_segment(void **state)
{
    (void)state;
    rot_walk(PLACE_SEALED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_of_a_sealed_segment)};
    return cmocka_run_group_tests(tests, NULL, rot_end);
}
