/* spite.h: what the mutators of the fuzzers share: numbers that are likely to hurt, put where a field stands. */
#ifndef TEAK_TESTS_SPITE_H
#define TEAK_TESTS_SPITE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "unit/seeded.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* `unit`: what lengths and offsets are multiples of. */
static inline uint64_t spiteful(struct seeded *dice, uint64_t now, uint32_t unit)
{
    switch (seeded_below(dice, 10)) {
    case 0: return 0;
    case 1: return UINT64_MAX;
    case 2: return UINT64_MAX - 1;
    case 3: return now + 1;
    case 4: return now - 1;
    case 5: return UINT32_MAX;
    case 6: return seeded_below(dice, 200);
    case 7: return (uint64_t)seeded_below(dice, 17) * unit;
    case 8: return UINT64_C(1) << seeded_below(dice, 64);
    default: return now ^ (UINT64_C(1) << seeded_below(dice, 64));
    }
}

/* One field of a structure of `room` bytes. */
static inline void spoil_field(struct seeded *dice, uint8_t *at, size_t room, uint32_t unit)
{
    static const uint8_t widths[] = {1, 4, 8, 8};
    const uint32_t width = widths[seeded_below(dice, 4)];
    if (room < width) return;
    uint8_t *field = at + (size_t)seeded_below(dice, (uint32_t)(room / width)) * width;
    uint64_t value = 0;
    memcpy(&value, field, width);
    value = spiteful(dice, value, unit);
    memcpy(field, &value, width);
}

#endif
