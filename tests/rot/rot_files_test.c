/* rot_files_test.c: the rot table (rot_walk.h), STORE, STATS, LOCK and a snapshot. */
#include "rot_walk.h"

static void every_byte_of_the_other_files(void **state)
{
    (void)state;
    rot_walk(PLACE_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_of_the_other_files)};
    return cmocka_run_group_tests(tests, NULL, rot_end);
}
