/* crc32c.h: CRC-32C (Castagnoli), as wal-db sums its records. Of "123456789" it is 0xe3069283. */
#ifndef TEAK_TOOLS_CRC32C_H
#define TEAK_TOOLS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t bytes);

#endif
