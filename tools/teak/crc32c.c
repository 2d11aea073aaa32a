/* crc32c.c: see crc32c.h. The instruction where the processor has it, else a table. */
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>

static const uint32_t POLYNOMIAL = 0x82f63b78; /* 0x1edc6f41, bits reversed */

static uint32_t by_table(uint32_t crc, const uint8_t *at, size_t bytes)
{
    static uint32_t table[256];
    static bool made;
    for (uint32_t i = 0; i < 256 && !made; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? POLYNOMIAL : 0);
        table[i] = value;
    }
    made = true;
    for (size_t i = 0; i < bytes; i++) crc = crc >> 8 ^ table[(crc ^ at[i]) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *at, size_t bytes)
{
    uint64_t wide = crc;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
    }
    return by_table((uint32_t)wide, at, bytes);
}
#endif

uint32_t crc32c(const void *data, size_t bytes)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~by_instruction(UINT32_MAX, data, bytes);
#endif
    return ~by_table(UINT32_MAX, data, bytes);
}
