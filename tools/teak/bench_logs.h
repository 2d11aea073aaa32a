/* bench_logs.h: the logs that a load writes to, and what it does with them besides appending. */
#ifndef TEAK_TOOLS_BENCH_LOGS_H
#define TEAK_TOOLS_BENCH_LOGS_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/engine.h"

#include "bench_mix.h"
#include "latency.h"

struct bench_log {
    uint64_t id, term;
    uint64_t first; /* below it everything was handed to compaction */
    uint64_t next;  /* index of the next entry                      */
    uint64_t settled; /* `next` as it was at the last ACT_COMPACT   */
    struct teak_cursor *cursor; /* NULL until the log is read       */
};

/* The log, created where it is not there. False: *error. */
bool bench_log_prepare(struct teak_store *store, uint64_t id, struct bench_log *out, struct teak_error *error);

/* Batches of such acts bear the act and when they were handed over, in a tag that no append has. */
#define BENCH_TAG_ACT (UINT64_C(1) << 63)
static inline uint64_t bench_tag(enum bench_act act, uint64_t now_ns)
{
    return BENCH_TAG_ACT | (uint64_t)act << 59 | (now_ns & ((UINT64_C(1) << 59) - 1));
}
static inline enum bench_act bench_tag_act(uint64_t tag) { return (enum bench_act)(tag >> 59 & 7); }
static inline uint64_t bench_tag_ns(uint64_t tag) { return tag & ((UINT64_C(1) << 59) - 1); }

/* Entries up to `last` may go, as far as they are durable; not before the store has room: then it is asked again. */
bool bench_log_compact(struct teak_store *store, struct bench_log *log, uint64_t last, uint64_t now_ns,
                       struct teak_error *error);

/* What all acts but appending need to know. */
struct bench_acting {
    struct teak_store *store;
    uint64_t hot_entries; /* of a log: so many of its newest may lie in the arena */
    uint32_t batch;       /* entries that a truncation takes                      */
    uint64_t *random;
    struct latency *latency; /* by act; reads and look-ups are noted at once, others when their tag comes back */
};

/* Do it, on that log; where there is nothing to do it on (no entry yet) nothing is done. False: *error. */
bool bench_act(const struct bench_acting *acting, enum bench_act act, struct bench_log *log, struct teak_error *error);

#endif
