/* bench_mix.c: see bench_mix.h. */
#include "bench_mix.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bench_random.h"

const char *const bench_act_names[] = {"append", "tail", "cold", "term", "truncate", "compact", NULL};
static_assert(sizeof(bench_act_names) / sizeof(char *) == ACT_COUNT + 1, "a name for every act");

enum { WEIGHT_MAX = 1000000 };

static bool take_act(const char **text, struct bench_mix *out)
{
    for (uint32_t act = 0; act < ACT_COUNT; act++) {
        const size_t bytes = strlen(bench_act_names[act]);
        if (strncmp(*text, bench_act_names[act], bytes) != 0 || (*text)[bytes] != '=') continue;
        const char *digits = *text + bytes + 1;
        if (*digits < '0' || *digits > '9' || out->weight[act] != 0) return false;
        char *end;
        const unsigned long weight = strtoul(digits, &end, 10);
        if (weight > WEIGHT_MAX) return false;
        out->weight[act] = (uint32_t)weight;
        out->weights += (uint32_t)weight;
        *text = end;
        return true;
    }
    return false;
}

bool bench_mix_parse(const char *text, struct bench_mix *out)
{
    *out = (struct bench_mix){.replicator = strcmp(text, "replicator") == 0};
    if (out->replicator || strcmp(text, "append") == 0) {
        out->weight[ACT_APPEND] = out->weights = 1;
        return true;
    }
    while (take_act(&text, out)) {
        if (*text == '\0') return out->weight[ACT_APPEND] > 0;
        if (*text++ != ',') return false;
    }
    return false;
}

enum bench_act bench_mix_draw(const struct bench_mix *mix, uint64_t *state)
{
    uint64_t left = bench_random(state) % mix->weights;
    for (uint32_t act = 0; act < ACT_COUNT; act++) {
        if (left < mix->weight[act]) return (enum bench_act)act;
        left -= mix->weight[act];
    }
    return ACT_APPEND;
}
