/* blake3.h: the BLAKE3 hash, 32 bytes of it, without a key: what engenho writes before each payload. Plain C, made from
 * the specification; fast enough to be read past once. */
#ifndef TEAK_TOOLS_BLAKE3_H
#define TEAK_TOOLS_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

enum { BLAKE3_BYTES = 32 };

void blake3(const void *data, size_t bytes, uint8_t out[BLAKE3_BYTES]);

#endif
