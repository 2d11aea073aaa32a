/* crash_test.c: long lives of stores; at some of their changes the power goes, and a sample of what that may leave is
 * opened and judged: sim_life.h. */
#include "sim_life.h"

int main(int argc, char **argv)
{
    static const struct life_shape shape = {.name = "crash",
                                            .steps = 240,
                                            .ends_one_in = 60,
                                            .look_one_in = 2,
                                            .all_below = 17,
                                            .near = 0,
                                            .samples = 10,
                                            .nested_one_in = 64,
                                            .nested_samples = 1};
    return live_many(&shape, 130000, 0, argc, argv);
}
