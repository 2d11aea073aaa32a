/* bench_load.c: see bench_load.h.
 * OWNS   The logs' next indexes, the ring of submission times, the payload.
 * PATH   fill() submits batches until the window is full; collect() polls and counts what became durable; then again.
 *        The two share one clock reading for each poll, and one for each TIMED_ENTRIES entries submitted.
 * FAILS  TEAK_FULL only ends a fill. Any other answer, a completion that is not TEAK_OK, or one out of its order ends
 *        the run.
 * HOLDS  (1) a batch's tag is its number s; it went to log s % logs (2) submitted - completed < times + 1
 *        (3) completions come in the order of submission, so `completed` is the tag expected next */
#include "bench_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "human.h"
#include "progress.h"
#include "stop.h"
#include "ticks.h"

/* POOL_BYTES lies in a second-level cache, so that making up payload costs the measured loop nothing.
 * TIMED_ENTRIES: 25 ns of clock on 16 entries is 1.6 ns each; the 16th looks some 2 us slower than it was. */
enum { COMPLETIONS = 4096, POOL_BYTES = 1 << 16, POOL_STEP = 64, POOL_ENTRIES = 1024, TIMED_ENTRIES = 16 };
#define TAG_COMPACT UINT64_MAX

struct load_log {
    uint64_t id, term;
    uint64_t start; /* last index before the load                   */
    uint64_t first; /* below it everything was handed to compaction */
    uint64_t next;
};

struct run {
    const struct bench_load *load;
    struct teak_store *store;
    struct bench_result *result;
    struct teak_error *error;
    struct load_log *logs;
    uint32_t turn;                   /* of the logs: submitted % logs                        */
    uint32_t clock_batches;          /* batches that share a clock reading                   */
    uint64_t submitted, completed;   /* batches                                              */
    uint64_t outstanding;            /* entries                                              */
    uint64_t retain_entries;         /* of each log, at which it is compacted                */
    uint64_t keep_entries;           /* of each log, that compaction leaves                  */
    uint64_t *times;                 /* of submission; ring, by batch number                 */
    uint64_t times_mask;
    uint64_t now_ns;
    unsigned char *pool;
    struct teak_bytes *entries;      /* POOL_ENTRIES + batch, at random places of the pool   */
    struct teak_completion done[COMPLETIONS];
    struct progress progress;
};

/* ------------------------------------------------------------------------------------------------------ preparation */

/* SplitMix64. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

static bool prepare_payload(struct run *run)
{
    uint64_t seed = 1;
    const size_t pool_bytes = POOL_BYTES + (size_t)run->load->entry_bytes;
    const size_t count = POOL_ENTRIES + (size_t)run->load->batch;
    run->pool = malloc(pool_bytes);
    run->entries = calloc(count, sizeof(run->entries[0]));
    if (run->pool == NULL || run->entries == NULL) return false;
    for (size_t i = 0; i < pool_bytes; i++) run->pool[i] = (unsigned char)random_next(&seed);
    for (size_t i = 0; i < count; i++) {
        const size_t at = random_next(&seed) % (POOL_BYTES / POOL_STEP) * POOL_STEP;
        run->entries[i] = (struct teak_bytes){.data = run->pool + at, .bytes = run->load->entry_bytes};
    }
    return true;
}

static bool prepare_log(struct run *run, struct load_log *log)
{
    struct teak_log state;
    enum teak_status status = teak_log(run->store, log->id, &state, run->error);
    if (status == TEAK_UNKNOWN_LOG) {
        while ((status = teak_create_log(run->store, log->id, 0, run->error)) == TEAK_FULL)
            if ((status = teak_drain(run->store, run->error)) != TEAK_OK) return false;
        if (status == TEAK_OK) status = teak_log(run->store, log->id, &state, run->error);
    }
    if (status != TEAK_OK) return false;
    log->term = state.last.term > 0 ? state.last.term : 1;
    log->start = state.last.index;
    log->first = state.first;
    log->next = state.last.index + 1;
    return true;
}

static bool prepare(struct run *run)
{
    const struct bench_load *load = run->load;
    uint64_t ring = 1;
    while (ring < load->window / load->batch + 1) ring *= 2;
    run->times = calloc(ring, sizeof(run->times[0]));
    run->times_mask = ring - 1;
    run->logs = calloc(load->logs, sizeof(run->logs[0]));
    if (run->times == NULL || run->logs == NULL || !prepare_payload(run)) {
        *run->error = (struct teak_error){.status = TEAK_NO_MEMORY};
        return false;
    }
    run->clock_batches = load->batch < TIMED_ENTRIES ? TIMED_ENTRIES / load->batch : 1;
    run->retain_entries = UINT64_MAX;
    if (load->retain_bytes != 0) {
        run->keep_entries = load->retain_bytes / load->entry_bytes / load->logs;
        /* In steps of a sixteenth, so that compaction is rare beside appending. */
        run->retain_entries = run->keep_entries + run->keep_entries / 16 + load->batch;
    }
    for (uint32_t i = 0; i < load->logs; i++) {
        run->logs[i].id = (uint64_t)i + 1;
        if (!prepare_log(run, &run->logs[i])) return false;
    }
    return teak_drain(run->store, run->error) == TEAK_OK;
}

/* --------------------------------------------------------------------------------------------------------- the loop */

/* Everything but the newest keep_entries goes, as far as it is durable. */
static bool compact(struct run *run, struct load_log *log)
{
    const uint64_t logs = run->load->logs;
    const uint64_t durable = log->start + (run->completed + logs - log->id) / logs * run->load->batch;
    uint64_t last = log->next - 1 - run->keep_entries;
    if (last > durable) last = durable;
    if (last < log->first) return true;
    const struct teak_op op = {.op = TEAK_OP_COMPACT, .log = log->id, .index = last};
    const struct teak_batch batch = {.ops = &op, .count = 1, .tag = TAG_COMPACT};
    const enum teak_status status = teak_submit(run->store, &batch, run->error);
    if (status == TEAK_FULL) return true; /* the next batch of this log asks again */
    if (status != TEAK_OK) return false;
    log->first = last + 1;
    return true;
}

static bool fill(struct run *run)
{
    const uint32_t count = run->load->batch, logs = run->load->logs, window = run->load->window;
    struct teak_op op = {.op = TEAK_OP_ENTRIES, .count = count};
    struct teak_batch batch = {.ops = &op, .count = 1};
    uint64_t now_ns = run->now_ns;
    uint32_t untimed = 0;
    while (run->outstanding + count <= window) {
        struct load_log *log = &run->logs[run->turn];
        if (log->next - log->first > run->retain_entries && !compact(run, log)) return false;
        op.log = log->id;
        op.term = log->term;
        op.index = log->next;
        op.entries = run->entries + (run->submitted * count & (POOL_ENTRIES - 1));
        batch.tag = run->submitted;
        const enum teak_status status = teak_submit(run->store, &batch, run->error);
        if (status == TEAK_FULL) return true;
        if (status != TEAK_OK) return false;
        run->times[run->submitted & run->times_mask] = now_ns;
        run->submitted++;
        run->outstanding += count;
        log->next += count;
        if (++run->turn == logs) run->turn = 0;
        if (++untimed < run->clock_batches) continue;
        untimed = 0;
        now_ns = ticks_ns();
    }
    return true;
}

static bool collect(struct run *run)
{
    const uint32_t batch = run->load->batch;
    uint32_t count = 0;
    const enum teak_status status =
        teak_poll(run->store, TEAK_FOREVER, run->done, COMPLETIONS, &count, run->error);
    run->now_ns = ticks_ns();
    uint64_t since_ns = 0, together = 0; /* neighbours submitted at the same reading are counted in one go */
    for (uint32_t i = 0; i < count; i++) {
        const struct teak_completion *done = &run->done[i];
        if (done->status != TEAK_OK || (done->tag != run->completed && done->tag != TAG_COMPACT)) {
            /* Out of order is the engine's bug; "decode": what came back makes no sense. */
            const enum teak_status what = done->status != TEAK_OK ? done->status : TEAK_DECODE;
            *run->error = (struct teak_error){.status = what, .operation = "completion"};
            return false;
        }
        if (done->tag == TAG_COMPACT) continue;
        const uint64_t at_ns = run->times[run->completed++ & run->times_mask];
        run->outstanding -= batch;
        if (at_ns != since_ns && together > 0) {
            latency_add(&run->result->latency, run->now_ns - since_ns, together);
            together = 0;
        }
        since_ns = at_ns;
        together += batch;
    }
    if (together > 0) latency_add(&run->result->latency, run->now_ns - since_ns, together);
    return status == TEAK_OK;
}

/* ------------------------------------------------------------------------------------------------------ measurement */

struct mark {
    uint64_t ns, completed;
    struct teak_stats stats;
    struct rusage usage;
};

static void take_mark(struct run *run, struct mark *out)
{
    teak_stats(run->store, &out->stats);
    getrusage(RUSAGE_SELF, &out->usage); /* cannot fail for RUSAGE_SELF and a valid pointer */
    out->completed = run->completed;
    out->ns = run->now_ns;
}

static double seconds_of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

static void show(struct run *run, uint64_t begin_ns, uint64_t until_ns)
{
    if (!progress_is_due(&run->progress, run->now_ns)) return;
    const uint64_t gone_ns = run->now_ns - begin_ns;
    char note[80];
    const double entries = (double)run->result->latency.total;
    if (gone_ns > 0)
        snprintf(note, sizeof(note), "%s entries/s", human_rate(entries / ((double)gone_ns / 1e9)).text);
    else
        note[0] = '\0';
    run->progress.total = until_ns - begin_ns;
    progress_show(&run->progress, run->now_ns, gone_ns, note);
}

static bool load_until(struct run *run, uint64_t until_ns)
{
    const uint64_t begin_ns = run->now_ns;
    while (run->now_ns < until_ns && !stop_asked()) {
        if (!fill(run) || !collect(run)) return false;
        show(run, begin_ns, until_ns);
    }
    return true;
}

static bool measure(struct run *run)
{
    struct bench_result *result = run->result;
    struct mark before, after;
    uint64_t warm_ns = run->load->measure_ns / BENCH_WARM_SHARE;
    if (warm_ns > BENCH_WARM_NS_MAX) warm_ns = BENCH_WARM_NS_MAX;
    run->now_ns = ticks_ns();
    progress_begin(&run->progress, "warm-up", 1, run->load->progress);
    if (!load_until(run, run->now_ns + warm_ns)) return false;
    latency_reset(&result->latency);
    take_mark(run, &before);
    run->progress.label = "bench";
    if (!load_until(run, run->now_ns + run->load->measure_ns)) return false;
    take_mark(run, &after);

    result->entries = (after.completed - before.completed) * run->load->batch;
    result->ns = after.ns - before.ns;
    result->frames = after.stats.frames - before.stats.frames;
    result->syncs = after.stats.syncs - before.stats.syncs;
    result->bytes_written = after.stats.bytes_written - before.stats.bytes_written;
    result->stalls = after.stats.stalls - before.stats.stalls;
    result->cpu_seconds = seconds_of(after.usage.ru_utime) - seconds_of(before.usage.ru_utime) +
                          seconds_of(after.usage.ru_stime) - seconds_of(before.usage.ru_stime);
    result->rss_bytes_max = (uint64_t)after.usage.ru_maxrss * 1024;
    result->stats = after.stats;
    return teak_drain(run->store, run->error) == TEAK_OK; /* not counted */
}

bool bench_load_run(const struct bench_load *load, struct teak_store *store, struct bench_result *out,
                    struct teak_error *error)
{
    memset(out, 0, sizeof(*out));
    struct run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        *error = (struct teak_error){.status = TEAK_NO_MEMORY};
        return false;
    }
    run->load = load;
    run->store = store;
    run->result = out;
    run->error = error;
    const bool good = prepare(run) && measure(run);
    progress_end(&run->progress);
    free(run->entries);
    free(run->pool);
    free(run->logs);
    free(run->times);
    free(run);
    return good;
}
