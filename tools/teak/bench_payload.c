/* bench_payload.c: see bench_payload.h. */
#include "bench_payload.h"

#include <stdlib.h>

#include "bench_random.h"

enum { POOL_BYTES = 1 << 16, POOL_STEP = 64 };

bool bench_payload_make(struct bench_payload *payload, const struct bench_sizes *sizes, uint32_t batch, uint64_t seed)
{
    const size_t pool_bytes = POOL_BYTES + (size_t)bench_sizes_max(sizes);
    const size_t count = PAYLOAD_ENTRIES + (size_t)batch;
    payload->pool = malloc(pool_bytes);
    payload->entries = calloc(count, sizeof(payload->entries[0]));
    if (payload->pool == NULL || payload->entries == NULL) return false;
    for (size_t i = 0; i < pool_bytes; i++) payload->pool[i] = (unsigned char)bench_random(&seed);
    for (size_t i = 0; i < count; i++) {
        const size_t at = bench_random(&seed) % (POOL_BYTES / POOL_STEP) * POOL_STEP;
        payload->entries[i] =
            (struct teak_bytes){.data = payload->pool + at, .bytes = bench_sizes_draw(sizes, &seed)};
    }
    return true;
}

void bench_payload_free(struct bench_payload *payload)
{
    free(payload->entries);
    free(payload->pool);
    *payload = (struct bench_payload){0};
}
