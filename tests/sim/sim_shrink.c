/* sim_shrink.c: see sim_shrink.h. Pieces are taken away, large ones first; what fails without one is gone on with. */
#include "sim_shrink.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

uint32_t shrink(uint32_t *steps, uint32_t count, shrink_fails fails, void *context, uint32_t tries_max)
{
    uint32_t *rest = malloc((count + 1) * sizeof *rest);
    CHECK(rest != NULL);
    for (uint32_t piece = (count + 1) / 2, tries = 0; count > 0 && piece > 0 && tries < tries_max;) {
        bool has_shrunk = false;
        for (uint32_t end = count; end > 0 && tries < tries_max;) { /* from the back: what came last matters least */
            const uint32_t begin = end > piece ? end - piece : 0, left = count - (end - begin);
            memcpy(rest, steps, begin * sizeof *rest);
            memcpy(rest + begin, steps + end, (count - end) * sizeof *rest);
            tries++;
            if (fails(context, rest, left)) {
                memcpy(steps, rest, left * sizeof *steps);
                count = left;
                has_shrunk = true;
            }
            end = begin;
        }
        if (!has_shrunk) piece /= 2;
        if (piece > count) piece = (count + 1) / 2;
    }
    free(rest);
    return count;
}
