/* bench_payload.h: what entries are made of: bytes that do not compress, of sizes drawn beforehand, at places of a pool
 * that lies in a second-level cache, so that making them up costs the measured loop nothing. */
#ifndef TEAK_TOOLS_BENCH_PAYLOAD_H
#define TEAK_TOOLS_BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/engine.h"

#include "bench_sizes.h"

enum { PAYLOAD_ENTRIES = 4096 }; /* then they come again */

struct bench_payload {
    unsigned char *pool;
    struct teak_bytes *entries; /* PAYLOAD_ENTRIES and `batch` more, so that a batch may begin at each */
};

/* False: no memory. */
bool bench_payload_make(struct bench_payload *payload, const struct bench_sizes *sizes, uint32_t batch, uint64_t seed);
void bench_payload_free(struct bench_payload *payload);

/* The entries from number `entry` on. */
static inline const struct teak_bytes *bench_payload_at(const struct bench_payload *payload, uint64_t entry)
{
    return payload->entries + (entry & (PAYLOAD_ENTRIES - 1));
}

#endif
