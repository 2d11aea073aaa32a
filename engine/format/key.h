/* key.h: the checksums of the format, keyed by store family and segment use.
 *
 * secret = XXH3_generateSecret(family, salt), once per use of a segment. Head = XXH3_64bits_withSecret(bytes).
 * Entry = mix(XXH3_withSecret(payload), XXH3_withSecret({log, index, term, kind, bytes})). Never `withSecretandSeed`:
 * it ignores the secret up to 240 bytes and the seed beyond. A stale entry of a recycled file has another secret; a
 * misplaced one has another identity.
 */
#ifndef TEAK_FORMAT_KEY_H
#define TEAK_FORMAT_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_SECRET_BYTES = 192 };

struct key {
    _Alignas(64) uint8_t secret[KEY_SECRET_BYTES];
    uint64_t salt;
};

struct entry_identity {
    uint64_t log, index, term;
    uint32_t bytes;
    uint8_t kind;
};

void key_derive(struct key *key, const uint8_t family[16], uint64_t salt);

/* Sum of bytes that say themselves what they are (heads, tables, slots, summaries). */
uint64_t key_sum(const struct key *key, const void *bytes, size_t count);

/* Sum of a payload, bound to who it is. */
uint64_t key_entry_sum(const struct key *key, const struct entry_identity *who, const void *payload);

/* Write, and judge, the checksum in the last 8 of HEAD_BYTES bytes. */
void key_seal_head(const struct key *key, void *head);
bool key_head_is_whole(const struct key *key, const void *head);

/* Sum without a key: STORE, which names the key's other half. */
uint64_t plain_sum(const void *bytes, size_t count);

#endif
