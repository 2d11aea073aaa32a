/* teak/clock.h: the clock of a store, by which teak_deadline speaks. For what is built on a store and has to know how
 * much time has passed; where the store's disk is a simulated one, so is its clock. */
#ifndef TEAK_CLOCK_H
#define TEAK_CLOCK_H

#include "teak/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct teak_store;

/* teak_now: the time.
 * Does      CLOCK_MONOTONIC nanoseconds, as it is now.
 * Owner     -
 * Threads   The driving thread.
 * Durable   Nothing.
 * Fails     Never. */
TEAK_API uint64_t teak_now(const struct teak_store *store);

#ifdef __cplusplus
}
#endif
#endif
