/* sim_lie_test.c: a disk that lies once: a write is acknowledged and never done, or done elsewhere, or a sector rots.
 * Everything was acknowledged and the store closed; then it either opens with all that there was, or refuses and says
 * where, or the read of just that entry says so. Under quarantine unhurt logs keep everything: sim_life.h.
 */
#include "sim_life.h"

int main(int argc, char **argv)
{
    static const struct life_shape shape = {.name = "lies", .steps = 60, .ends_one_in = 30, .look_one_in = 1,
                                            .nested_one_in = 1, .has_lies = true};
    return live_many(&shape, 0, 4000, argc, argv);
}
