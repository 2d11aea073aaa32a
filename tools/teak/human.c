/* human.c: see human.h. */
#include "human.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct human human_count(uint64_t count)
{
    char digits[24];
    const uint32_t length = (uint32_t)snprintf(digits, sizeof(digits), "%" PRIu64, count);
    struct human out = {{0}};
    uint32_t at = 0;
    for (uint32_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) out.text[at++] = ',';
        out.text[at++] = digits[i];
    }
    return out;
}

struct human human_rate(double each)
{
    struct human out;
    if (each >= 1e6)
        snprintf(out.text, sizeof(out.text), "%.2f million", each / 1e6);
    else if (each >= 1e4)
        snprintf(out.text, sizeof(out.text), "%.1f thousand", each / 1e3);
    else
        snprintf(out.text, sizeof(out.text), "%.0f", each);
    return out;
}

struct human human_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct human out;
    double value = (double)bytes;
    uint32_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    snprintf(out.text, sizeof(out.text), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

struct human human_micros(double micros)
{
    struct human out;
    if (micros < 10)
        snprintf(out.text, sizeof(out.text), "%.2f us", micros);
    else if (micros < 1000)
        snprintf(out.text, sizeof(out.text), "%.0f us", micros);
    else if (micros < 1e6)
        snprintf(out.text, sizeof(out.text), "%.2f ms", micros / 1e3);
    else
        snprintf(out.text, sizeof(out.text), "%.2f s", micros / 1e6);
    return out;
}

struct human human_of(uint64_t count, const char *one, const char *many)
{
    struct human out;
    snprintf(out.text, sizeof(out.text), "%.27s %.27s", human_count(count).text, count == 1 ? one : many);
    return out;
}
