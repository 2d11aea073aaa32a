/* sim_fault_test.c: lives on a disk whose operations fail now and then (a failed sync drops what it covered, and the
 * next one succeeds), write short, and stall; with power cuts besides. What was acknowledged is there, whatever failed,
 * and nothing else than what was submitted: sim_life.h.
 */
#include "sim_life.h"

int main(int argc, char **argv)
{
    static const struct life_shape shape = {.name = "faults",
                                            .steps = 160,
                                            .ends_one_in = 40,
                                            .look_one_in = 8,
                                            .all_below = 9,
                                            .samples = 4,
                                            .nested_one_in = 64,
                                            .nested_samples = 1,
                                            .fail_one_in = 80,
                                            .shorten_one_in = 10,
                                            .stall_one_in = 200};
    return live_many(&shape, 40000, 0, argc, argv);
}
