/* subsets_test.c: short lives of small batches, cut at every change, with every subset of the unsynced sectors; where
 * there are too many, all that differ in at most two from none or all, and a sample. So is every recovery that is
 * looked into: sim_life.h.
 */
#include "sim_life.h"

int main(int argc, char **argv)
{
    static const struct life_shape shape = {.name = "subsets",
                                            .steps = 14,
                                            .is_small = true,
                                            .ends_one_in = 10,
                                            .look_one_in = 1,
                                            .all_below = 1025,
                                            .near = 2,
                                            .samples = 16,
                                            .nested_one_in = 48,
                                            .nested_below = 65,
                                            .nested_samples = 4};
    return live_many(&shape, 40000, 0, argc, argv);
}
