/* blake3.c: see blake3.h. Chunks of 1024 bytes are the leaves of a binary tree whose left side is always full. */
#include "blake3.h"

#include <string.h>

enum { BLOCK = 64, CHUNK = 1024, WORDS = 8 };
enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };

static const uint32_t initial[WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t rotate(uint32_t value, int by) { return value >> by | value << (32 - by); }

static void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 7);
}

/* The first half of the output: the next chaining value, or the hash. */
static void compress(const uint32_t chain[WORDS], const uint32_t block[16], uint64_t counter, uint32_t bytes,
                     uint32_t flags, uint32_t out[WORDS])
{
    static const uint8_t order[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
    uint32_t m[16], moved[16];
    uint32_t v[16] = {chain[0], chain[1], chain[2], chain[3], chain[4], chain[5], chain[6], chain[7],
                      initial[0], initial[1], initial[2], initial[3],
                      (uint32_t)counter, (uint32_t)(counter >> 32), bytes, flags};
    memcpy(m, block, sizeof(m));
    for (int round = 0; round < 7; round++) {
        mix(v, 0, 4, 8, 12, m[0], m[1]);
        mix(v, 1, 5, 9, 13, m[2], m[3]);
        mix(v, 2, 6, 10, 14, m[4], m[5]);
        mix(v, 3, 7, 11, 15, m[6], m[7]);
        mix(v, 0, 5, 10, 15, m[8], m[9]);
        mix(v, 1, 6, 11, 12, m[10], m[11]);
        mix(v, 2, 7, 8, 13, m[12], m[13]);
        mix(v, 3, 4, 9, 14, m[14], m[15]);
        for (int i = 0; i < 16; i++) moved[i] = m[order[i]];
        memcpy(m, moved, sizeof(m));
    }
    for (int i = 0; i < WORDS; i++) out[i] = v[i] ^ v[i + 8];
}

static void load(const uint8_t *at, size_t bytes, uint32_t block[16])
{
    uint8_t padded[BLOCK] = {0};
    if (bytes > 0) memcpy(padded, at, bytes);
    for (int i = 0; i < 16; i++)
        block[i] = (uint32_t)padded[4 * i] | (uint32_t)padded[4 * i + 1] << 8 | (uint32_t)padded[4 * i + 2] << 16 |
                   (uint32_t)padded[4 * i + 3] << 24;
}

static void leaf(const uint8_t *at, size_t bytes, uint64_t counter, uint32_t root, uint32_t out[WORDS])
{
    memcpy(out, initial, sizeof(initial));
    for (size_t done = 0;;) {
        const size_t piece = bytes - done < BLOCK ? bytes - done : BLOCK;
        uint32_t block[16];
        load(at + done, piece, block);
        const uint32_t begins = done == 0 ? CHUNK_START : 0;
        const uint32_t ends = done + piece == bytes ? CHUNK_END | root : 0;
        compress(out, block, counter, (uint32_t)piece, begins | ends, out);
        done += piece;
        if (done == bytes) return;
    }
}

/* As deep as the logarithm of the chunks. */
static void tree(const uint8_t *at, size_t bytes, uint64_t counter, uint32_t root, uint32_t out[WORDS])
{
    if (bytes <= CHUNK) {
        leaf(at, bytes, counter, root, out);
        return;
    }
    size_t left = CHUNK; /* the largest full tree that leaves something for the right side */
    while (left * 2 < bytes) left *= 2;
    uint32_t both[16];
    tree(at, left, counter, 0, both);
    tree(at + left, bytes - left, counter + left / CHUNK, 0, both + WORDS);
    compress(initial, both, 0, BLOCK, PARENT | root, out);
}

void blake3(const void *data, size_t bytes, uint8_t out[BLAKE3_BYTES])
{
    uint32_t words[WORDS];
    tree(data, bytes, 0, ROOT, words);
    for (int i = 0; i < BLAKE3_BYTES; i++) out[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
}
