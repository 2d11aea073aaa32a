/* hex_file.h: bytes as text that a person can read and a review can show: tests/golden/<name>.hex.
 * A line is an offset, 16 bytes and what they look like; lines of zeros are left out; the last line is the length.
 */
#ifndef TEAK_TESTS_HEX_FILE_H
#define TEAK_TESTS_HEX_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

#ifndef TEAK_SOURCE_DIR
#define TEAK_SOURCE_DIR "."
#endif

static inline FILE *hex_open(const char *name, const char *mode)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/%s.hex", TEAK_SOURCE_DIR, name);
    FILE *file = fopen(path, mode);
    if (!file) fail_msg("cannot open %s", path);
    return file;
}

static inline void hex_write_line(FILE *file, const uint8_t *line, size_t offset, size_t count)
{
    fprintf(file, "%08zx ", offset);
    for (size_t i = 0; i < 16; i++)
        if (i < count)
            fprintf(file, "%s%02x", i == 8 ? "  " : " ", line[i]);
        else
            fprintf(file, "%s  ", i == 8 ? "  " : " ");
    fprintf(file, "  |");
    for (size_t i = 0; i < count; i++) fputc(line[i] >= 0x20 && line[i] < 0x7f ? line[i] : '.', file);
    fprintf(file, "|\n");
}

static inline void hex_write(const char *name, const uint8_t *bytes, size_t count)
{
    FILE *file = hex_open(name, "w");
    for (size_t at = 0; at < count; at += 16) {
        const size_t line = count - at < 16 ? count - at : 16;
        if (!bytes_are_zero(bytes + at, line)) hex_write_line(file, bytes + at, at, line);
    }
    fprintf(file, "%08zx\n", count);
    assert_int_equal(fclose(file), 0);
}

/* Fills `out`, which has room for `room` bytes; returns how many the file holds. */
static inline size_t hex_read(const char *name, uint8_t *out, size_t room)
{
    FILE *file = hex_open(name, "r");
    char line[128];
    size_t offset = 0;
    memset(out, 0, room);
    while (fgets(line, sizeof line, file)) {
        char *at;
        offset = strtoul(line, &at, 16);
        for (size_t i = 0; i < 16 && offset + i < room; i++) {
            char *next;
            const unsigned long byte = strtoul(at, &next, 16);
            if (next == at) break; /* the letters: they begin with | */
            out[offset + i] = (uint8_t)byte;
            at = next;
        }
    }
    fclose(file);
    assert_in_range(offset, 1, room);
    return offset;
}

#endif
