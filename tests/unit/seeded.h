/* seeded.h: numbers that look random and repeat. Every run prints its seed; TEAK_SEED=n runs it again. */
#ifndef TEAK_TESTS_SEEDED_H
#define TEAK_TESTS_SEEDED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct seeded {
    uint64_t state;
};

static inline struct seeded seeded_begin(const char *test)
{
    const char *given = getenv("TEAK_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("%s: TEAK_SEED=%" PRIu64 "\n", test, seed);
    return (struct seeded){.state = seed};
}

static inline uint64_t seeded_u64(struct seeded *seeded) /* SplitMix64 */
{
    uint64_t z = seeded->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint32_t seeded_below(struct seeded *seeded, uint32_t limit) /* limit > 0 */
{
    return (uint32_t)(seeded_u64(seeded) % limit);
}

static inline uint32_t seeded_one_of(struct seeded *seeded, uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t values[] = {a, b, c};
    return values[seeded_below(seeded, 3)];
}

static inline void seeded_fill(struct seeded *seeded, uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = (uint8_t)seeded_u64(seeded);
}

#endif
