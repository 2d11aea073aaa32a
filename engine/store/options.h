/* options.h: what may be asked of a store that is opened, and what becomes of it. */
#ifndef TEAK_STORE_OPTIONS_H
#define TEAK_STORE_OPTIONS_H

#include "store/store.h"

enum {
    BLOCK_DEFAULT = 4096,
    SEGMENT_DEFAULT = 64 << 20,
    IN_FLIGHT_DEFAULT = 4,
    GROUP_DEFAULT = 2 << 20,
    SPARES_DEFAULT = 1,
};

/* Is each in its range? Fails: OPTIONS. */
enum teak_status options_check(const struct teak_options *options, struct teak_error *error);

/* Fills limits and linger_ns: the limits follow from the superblock; the rest from options, the store's defaults, the
 * engine's. Fails: DECODE · BLOCK_SIZE · OPTIONS. */
enum teak_status options_settle(struct teak_store *store, const struct teak_options *options,
                                struct teak_error *error);

/* The first of the three that is not 0. */
uint64_t options_pick(uint64_t asked, uint64_t stored, uint64_t engine);

#endif
