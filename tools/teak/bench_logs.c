/* bench_logs.c: see bench_logs.h. */
#include "bench_logs.h"

#include "bench_random.h"
#include "ticks.h"

bool bench_log_prepare(struct teak_store *store, uint64_t id, struct bench_log *out, struct teak_error *error)
{
    struct teak_log state;
    enum teak_status status = teak_log(store, id, &state, error);
    if (status == TEAK_UNKNOWN_LOG) {
        while ((status = teak_create_log(store, id, 0, error)) == TEAK_FULL)
            if ((status = teak_drain(store, error)) != TEAK_OK) return false;
        if (status == TEAK_OK) status = teak_log(store, id, &state, error);
    }
    if (status != TEAK_OK) return false;
    const uint64_t term = state.last.term > state.hard.term ? state.last.term : state.hard.term;
    *out = (struct bench_log){
        .id = id,
        .term = term > 0 ? term : 1,
        .first = state.first,
        .next = state.last.index + 1,
        .settled = state.last.index + 1,
    };
    return true;
}

/* FULL is no failure: the next act of its kind asks again. */
static bool submit_one(struct teak_store *store, const struct teak_op *op, uint64_t tag, bool *done_out,
                       struct teak_error *error)
{
    const struct teak_batch batch = {.ops = op, .count = 1, .tag = tag};
    const enum teak_status status = teak_submit(store, &batch, error);
    *done_out = status == TEAK_OK;
    return status == TEAK_OK || status == TEAK_FULL;
}

bool bench_log_compact(struct teak_store *store, struct bench_log *log, uint64_t last, uint64_t now_ns,
                       struct teak_error *error)
{
    struct teak_log state;
    if (teak_log(store, log->id, &state, error) != TEAK_OK) return false;
    if (last > state.durable.index) last = state.durable.index;
    if (last < log->first) return true;
    const struct teak_op op = {.op = TEAK_OP_COMPACT, .log = log->id, .index = last};
    bool done;
    if (!submit_one(store, &op, bench_tag(ACT_COMPACT, now_ns), &done, error)) return false;
    if (done) log->first = last + 1;
    return true;
}

static bool truncate(const struct bench_acting *acting, struct bench_log *log, uint64_t now_ns,
                     struct teak_error *error)
{
    if (log->next - log->first <= acting->batch) return true;
    const struct teak_op op = {.op = TEAK_OP_TRUNCATE, .log = log->id, .index = log->next - acting->batch};
    bool done;
    if (!submit_one(acting->store, &op, bench_tag(ACT_TRUNCATE, now_ns), &done, error)) return false;
    if (done) log->next = op.index;
    return true;
}

static bool read_at(const struct bench_acting *acting, enum bench_act act, struct bench_log *log, uint64_t index,
                    uint32_t max, struct teak_error *error)
{
    struct teak_entry entries[ACT_TAIL_ENTRIES];
    uint32_t count = 0;
    const uint64_t begin_ns = ticks_ns();
    if (log->cursor == NULL) {
        if (teak_cursor_open(acting->store, log->id, index, &log->cursor, error) != TEAK_OK) return false;
    } else if (teak_cursor_seek(log->cursor, index, error) != TEAK_OK) {
        return false;
    }
    if (teak_cursor_read(log->cursor, UINT64_MAX, entries, max, &count, error) != TEAK_OK) return false;
    latency_add(&acting->latency[act], ticks_ns() - begin_ns, 1);
    return true;
}

static bool look_up_terms(const struct bench_acting *acting, struct bench_log *log, struct teak_error *error)
{
    const uint64_t count = log->next - log->first, begin_ns = ticks_ns();
    for (uint32_t i = 0; i < ACT_TERM_LOOKUPS; i++) {
        uint64_t term;
        const uint64_t index = log->first + bench_random(acting->random) % count;
        if (teak_term_at(acting->store, log->id, index, &term, error) != TEAK_OK) return false;
    }
    latency_add(&acting->latency[ACT_TERM], ticks_ns() - begin_ns, 1);
    return true;
}

/* As many of the oldest as were appended since the last time: the log keeps its length. Half of it at most. */
static bool compact(const struct bench_acting *acting, struct bench_log *log, struct teak_error *error)
{
    const uint64_t count = log->next - log->first;
    uint64_t going = log->next > log->settled ? log->next - log->settled : 0;
    if (going > count / 2) going = count / 2;
    log->settled = log->next;
    return bench_log_compact(acting->store, log, log->first + going - 1, ticks_ns(), error);
}

bool bench_act(const struct bench_acting *acting, enum bench_act act, struct bench_log *log, struct teak_error *error)
{
    const uint64_t count = log->next - log->first;
    if (count == 0) return true;
    switch (act) {
    case ACT_TAIL:
        return read_at(acting, act, log, log->next - (count < ACT_TAIL_ENTRIES ? count : ACT_TAIL_ENTRIES),
                       ACT_TAIL_ENTRIES, error);
    case ACT_COLD:
        if (count <= acting->hot_entries) return true;
        return read_at(acting, act, log, log->first + bench_random(acting->random) % (count - acting->hot_entries), 1,
                       error);
    case ACT_TERM: return look_up_terms(acting, log, error);
    case ACT_TRUNCATE: return truncate(acting, log, ticks_ns(), error);
    case ACT_COMPACT: return compact(acting, log, error);
    case ACT_APPEND:
    case ACT_COUNT: break;
    }
    return true;
}
