/* bytes.h: little-endian bytes, alignment, arithmetic that cannot wrap unseen. */
#ifndef TEAK_BASE_BYTES_H
#define TEAK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Integers as they lie on the medium: no alignment, no host order. The compiler makes one load or store of each. */
typedef struct { uint8_t b[2]; } le16;
typedef struct { uint8_t b[4]; } le32;
typedef struct { uint8_t b[8]; } le64;

static inline uint16_t le16_get(le16 v) { return (uint16_t)(v.b[0] | v.b[1] << 8); }
static inline le16 le16_of(uint16_t v) { return (le16){{(uint8_t)v, (uint8_t)(v >> 8)}}; }

static inline uint32_t le32_get(le32 v)
{
    return (uint32_t)v.b[0] | (uint32_t)v.b[1] << 8 | (uint32_t)v.b[2] << 16 | (uint32_t)v.b[3] << 24;
}

static inline uint64_t le64_get(le64 v)
{
    return (uint64_t)v.b[0] | (uint64_t)v.b[1] << 8 | (uint64_t)v.b[2] << 16 | (uint64_t)v.b[3] << 24 |
           (uint64_t)v.b[4] << 32 | (uint64_t)v.b[5] << 40 | (uint64_t)v.b[6] << 48 | (uint64_t)v.b[7] << 56;
}

static inline le32 le32_of(uint32_t v)
{
    return (le32){{(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)}};
}

static inline le64 le64_of(uint64_t v)
{
    return (le64){{(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24), (uint8_t)(v >> 32),
                   (uint8_t)(v >> 40), (uint8_t)(v >> 48), (uint8_t)(v >> 56)}};
}

static inline bool is_power_of_two(uint64_t v) { return v != 0 && (v & (v - 1)) == 0; }

/* `unit` is a power of two; `v` is far from the end of its range wherever these are used on trusted sizes. */
static inline uint64_t align_up(uint64_t v, uint64_t unit) { return (v + unit - 1) & ~(unit - 1); }
static inline uint64_t align_down(uint64_t v, uint64_t unit) { return v & ~(unit - 1); }

/* True and the sum, or false where it would wrap. For sizes that come from outside. */
static inline bool add_fits(uint64_t a, uint64_t b, uint64_t *sum_out)
{
    return !__builtin_add_overflow(a, b, sum_out);
}
static inline bool mul_fits(uint64_t a, uint64_t b, uint64_t *product_out)
{
    return !__builtin_mul_overflow(a, b, product_out);
}

/* [offset, offset + bytes) lies inside [0, limit). */
static inline bool range_fits(uint64_t offset, uint64_t bytes, uint64_t limit)
{
    return offset <= limit && bytes <= limit - offset;
}

/* Reserved bytes of a structure: a version that knows no meaning for them wants them to have none. */
static inline bool bytes_are_zero(const uint8_t *bytes, size_t count)
{
    uint8_t seen = 0;
    for (size_t i = 0; i < count; i++) seen |= bytes[i];
    return seen == 0;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

#endif
