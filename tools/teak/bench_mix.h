/* bench_mix.h: what a load does, and how often it does what. */
#ifndef TEAK_TOOLS_BENCH_MIX_H
#define TEAK_TOOLS_BENCH_MIX_H

#include <stdbool.h>
#include <stdint.h>

enum bench_act {
    ACT_APPEND,   /* a batch, until it is durable                                            */
    ACT_TAIL,     /* the newest entries, durable or not                                      */
    ACT_COLD,     /* one entry that is older than what the arena holds                       */
    ACT_TERM,     /* the term of ACT_TERM_LOOKUPS entries at random, timed together          */
    ACT_TRUNCATE, /* the newest batch goes, until that is durable; the next one replaces it  */
    ACT_COMPACT,  /* as many of the oldest as were appended since go, until that is durable   */
    ACT_COUNT
};
enum { ACT_TERM_LOOKUPS = 64, ACT_TAIL_ENTRIES = 16 };

extern const char *const bench_act_names[]; /* by enum bench_act; ends with NULL */

struct bench_mix {
    uint32_t weight[ACT_COUNT];
    uint32_t weights;
    bool replicator; /* not drawn: what a Raft leader and a follower do; bench_replicator.h */
};

/* "append", "replicator", or "append=90,tail=8,cold=1,...": whole numbers, append among them.
 * False: not understood. */
bool bench_mix_parse(const char *text, struct bench_mix *out);

static inline bool bench_mix_only_appends(const struct bench_mix *mix)
{
    return !mix->replicator && mix->weight[ACT_APPEND] == mix->weights;
}

/* `state`: of bench_random. */
enum bench_act bench_mix_draw(const struct bench_mix *mix, uint64_t *state);

#endif
