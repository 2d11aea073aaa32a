/* bench_sizes.c: see bench_sizes.h. */
#include "bench_sizes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_random.h"

/* A number with K, M or G behind it, from *text on; *text is moved behind it. */
static bool take_bytes(const char **text, uint32_t max, uint32_t *out)
{
    if (**text < '0' || **text > '9') return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    if (errno != 0) return false;
    const uint32_t shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : 0;
    if (shift != 0) end++;
    if (value > (unsigned long long)max >> shift) return false;
    *out = (uint32_t)(value << shift);
    *text = end;
    return true;
}

static bool take_word(const char **text, const char *word)
{
    const size_t bytes = strlen(word);
    if (strncmp(*text, word, bytes) != 0) return false;
    *text += bytes;
    return true;
}

static bool parse_parts(const char *text, uint32_t max, struct bench_sizes *out)
{
    out->kind = SIZES_PARTS;
    out->low = UINT32_MAX;
    out->high = 0;
    do {
        if (out->parts_count == SIZES_PARTS_MAX) return false;
        uint32_t bytes, weight;
        if (!take_bytes(&text, max, &bytes) || !take_word(&text, "*") || !take_bytes(&text, 1 << 20, &weight))
            return false;
        if (weight == 0) return false;
        out->parts[out->parts_count].bytes = bytes;
        out->parts[out->parts_count++].weight = weight;
        out->weights += weight;
        if (bytes < out->low) out->low = bytes;
        if (bytes > out->high) out->high = bytes;
    } while (take_word(&text, "+"));
    return *text == '\0';
}

bool bench_sizes_parse(const char *text, uint32_t max, struct bench_sizes *out)
{
    memset(out, 0, sizeof(*out));
    const char *at = text;
    if (take_word(&at, "uniform:")) {
        out->kind = SIZES_UNIFORM;
        return take_bytes(&at, max, &out->low) && take_word(&at, "-") && take_bytes(&at, max, &out->high) &&
               *at == '\0' && out->low <= out->high;
    }
    if (take_word(&at, "exp:")) {
        out->kind = SIZES_EXP;
        if (!take_bytes(&at, max, &out->low) || *at != '\0' || out->low == 0) return false;
        out->high = out->low > max / SIZES_EXP_CUT ? max : out->low * SIZES_EXP_CUT;
        return true;
    }
    if (strchr(text, '*') != NULL) return parse_parts(text, max, out);
    out->kind = SIZES_FIXED;
    if (!take_bytes(&at, max, &out->low) || *at != '\0') return false;
    out->high = out->low;
    return true;
}

uint32_t bench_sizes_draw(const struct bench_sizes *sizes, uint64_t *state)
{
    switch (sizes->kind) {
    case SIZES_FIXED: break;
    case SIZES_UNIFORM: return sizes->low + (uint32_t)(bench_random(state) % ((uint64_t)sizes->high - sizes->low + 1));
    case SIZES_EXP: {
        const double drawn = -log(bench_random_share(state)) * sizes->low;
        return drawn >= sizes->high ? sizes->high : (uint32_t)lround(drawn);
    }
    case SIZES_PARTS: {
        uint64_t left = bench_random(state) % sizes->weights;
        for (uint32_t i = 0; i < sizes->parts_count; i++) {
            if (left < sizes->parts[i].weight) return sizes->parts[i].bytes;
            left -= sizes->parts[i].weight;
        }
    }
    }
    return sizes->low;
}

double bench_sizes_mean(const struct bench_sizes *sizes)
{
    double sum = 0;
    switch (sizes->kind) {
    case SIZES_FIXED:
    case SIZES_EXP: return sizes->low;
    case SIZES_UNIFORM: return ((double)sizes->low + sizes->high) / 2;
    case SIZES_PARTS:
        for (uint32_t i = 0; i < sizes->parts_count; i++)
            sum += (double)sizes->parts[i].bytes * sizes->parts[i].weight;
        return sum / sizes->weights;
    }
    return 0;
}

uint32_t bench_sizes_max(const struct bench_sizes *sizes) { return sizes->high; }
