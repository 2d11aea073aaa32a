/* sim_shrink.h: the shortest list of steps that still fails, by delta debugging. */
#ifndef TEAK_TESTS_SIM_SHRINK_H
#define TEAK_TESTS_SIM_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

/* Does this part of the steps fail too? */
typedef bool (*shrink_fails)(void *context, const uint32_t *steps, uint32_t count);

/* Takes away from `steps`, which fail, what can go: in the end no single one can, unless `tries_max` was reached.
 * Returns how many are left. */
uint32_t shrink(uint32_t *steps, uint32_t count, shrink_fails fails, void *context, uint32_t tries_max);

#endif
