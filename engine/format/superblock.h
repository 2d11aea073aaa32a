/* superblock.h: the STORE file as a value. */
#ifndef TEAK_FORMAT_SUPERBLOCK_H
#define TEAK_FORMAT_SUPERBLOCK_H

#include <stdint.h>

#include "teak/status.h"

enum { SUPERBLOCK_BYTES = 4096 };

struct superblock {
    uint32_t block_bytes;
    uint64_t segment_bytes;
    uint8_t family[16];
    uint8_t instance[16];
    /* defaults of this store; 0: the engine's own */
    uint64_t arena_bytes, linger_ns;
    uint32_t strategy, in_flight, group_bytes, spares;
};

/* Writes SUPERBLOCK_BYTES. */
void superblock_encode(const struct superblock *superblock, uint8_t *out);

/* The defaults of `superblock`, and the sum, into the bytes of a STORE; all else stays, known or not. */
void superblock_put_defaults(const struct superblock *superblock, uint8_t *bytes);

/* TEAK_OK · TEAK_BAD_MAGIC · TEAK_HASH_MISMATCH · TEAK_VERSION · TEAK_FEATURE · TEAK_DECODE (sizes out of range, or
 * fewer bytes than a STORE has). `writable`: also unknown features_read bits are TEAK_FEATURE. */
enum teak_status superblock_judge(const uint8_t *bytes, uint64_t count, int writable, struct superblock *out);

#endif
