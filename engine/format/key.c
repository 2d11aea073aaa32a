/* key.c: see key.h. XXH3 is compiled in: a call into a library costs more than the sum of a small payload does. */
#include "format/key.h"

#define XXH_INLINE_ALL 1
#include <xxhash.h>

#include "base/check.h"
#include "format/layout.h"

/* What the secret is made from, and what is summed for an entry's identity: fixed bytes, the same on every machine. */
struct secret_seed {
    uint8_t family[16];
    le64 salt;
};
struct packed_identity {
    le64 log, index, term;
    le64 bytes_kind; /* bytes in the low 32 bits, kind in the next 8: one store, so that it is read back at once */
};
static_assert(sizeof(struct secret_seed) == 24, "docs/format.md: key");
static_assert(sizeof(struct packed_identity) == 32, "docs/format.md: entry sum");

void key_derive(struct key *key, const uint8_t family[16], uint64_t salt)
{
    struct secret_seed seed = {.salt = le64_of(salt)};
    memcpy(seed.family, family, sizeof seed.family);
    const XXH_errorcode made = XXH3_generateSecret(key->secret, sizeof key->secret, &seed, sizeof seed);
    CHECK(made == XXH_OK);
    key->salt = salt;
}

#ifdef TEAK_HAVE_AVX2
uint64_t key_sum_avx2(const struct key *key, const void *bytes, size_t count); /* key_avx2.c */
#endif

uint64_t key_sum(const struct key *key, const void *bytes, size_t count)
{
#ifdef TEAK_HAVE_AVX2
    enum { LONG_BYTES = 240 }; /* XXH3 works in lanes beyond this */
    if (count > LONG_BYTES && __builtin_cpu_supports("avx2")) return key_sum_avx2(key, bytes, count);
#endif
    return XXH3_64bits_withSecret(bytes, count, key->secret, sizeof key->secret);
}

/* A bijection of each side while the other stands still: a changed payload, or a changed identity, is caught exactly as
 * often as its own sum catches it. Without the factor a payload that equals its own identity would sum to 0. */
static uint64_t mix(uint64_t payload_sum, uint64_t identity_sum)
{
    return payload_sum ^ identity_sum * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t key_entry_sum(const struct key *key, const struct entry_identity *who, const void *payload)
{
    const struct packed_identity packed = {
        .log = le64_of(who->log),
        .index = le64_of(who->index),
        .term = le64_of(who->term),
        .bytes_kind = le64_of((uint64_t)who->kind << 32 | who->bytes),
    };
    const uint64_t identity_sum = key_sum(key, &packed, sizeof packed);
    return mix(key_sum(key, payload, who->bytes), identity_sum);
}

static uint64_t head_sum(const struct key *key, const void *head)
{
    return key_sum(key, head, HEAD_BYTES - sizeof(le64));
}

void key_seal_head(const struct key *key, void *head)
{
    const le64 checksum = le64_of(head_sum(key, head));
    memcpy((uint8_t *)head + HEAD_BYTES - sizeof checksum, &checksum, sizeof checksum);
}

bool key_head_is_whole(const struct key *key, const void *head)
{
    le64 checksum;
    memcpy(&checksum, (const uint8_t *)head + HEAD_BYTES - sizeof checksum, sizeof checksum);
    return le64_get(checksum) == head_sum(key, head);
}

uint64_t plain_sum(const void *bytes, size_t count) { return XXH3_64bits(bytes, count); }
