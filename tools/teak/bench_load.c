/* bench_load.c: see bench_load.h.
 * OWNS   The logs' next indexes, the ring of outstanding batches, the payload.
 * PATH   fill() submits batches until the window is full, or as many as are due; collect() polls and counts what became
 *        durable; then again. The two share one clock reading for each poll, and one for each TIMED_ENTRIES entries
 *        submitted.
 * FAILS  TEAK_FULL only ends a fill. Any other answer, a completion that is not TEAK_OK, or one out of its order ends
 *        the run.
 * HOLDS  (1) an append's tag is its number s; it went to log s % logs (2) submitted - completed <= ring
 *        (3) completions come in the order of submission, so `completed` is the tag expected next */
#include "bench_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench_logs.h"
#include "bench_pace.h"
#include "bench_payload.h"
#include "bench_place.h"
#include "bench_replicator.h"
#include "human.h"
#include "progress.h"
#include "stop.h"
#include "ticks.h"

/* TIMED_ENTRIES: 25 ns of clock on 16 entries is 1.6 ns each; the 16th looks some 2 us slower than it was.
 * GRACE_NS: what of an open loop is not durable by then is counted with the age it has. */
enum { COMPLETIONS = 4096, TIMED_ENTRIES = 16, RING_LEAST = 1024, GRACE_NS = 1000000000, NAP_NS = 100000000 };

struct flying {
    uint64_t ns; /* when it was submitted, or was meant to be */
    uint64_t bytes;
};

struct run {
    const struct bench_load *load;
    struct teak_store *store;
    struct bench_result *result;
    struct teak_error *error;
    struct bench_log *logs;
    uint32_t turn;                   /* of the logs: submitted % logs                        */
    uint32_t clock_batches;          /* batches that share a clock reading                   */
    bool only_appends;
    uint64_t submitted, completed;   /* batches                                              */
    uint64_t outstanding;            /* entries                                              */
    uint64_t entries, payload_bytes; /* completed, and counted                               */
    uint64_t retain_entries;         /* of each log, at which it is compacted                */
    uint64_t keep_entries;           /* of each log, that compaction leaves                  */
    struct flying *ring;             /* by batch number                                      */
    uint64_t ring_mask;
    uint64_t now_ns;
    uint64_t counted_from_ns;        /* of an open loop: what was meant to begin before is warm-up */
    uint64_t until_ns;               /* of an open loop: what is meant to begin then is not begun  */
    uint64_t random;
    struct bench_pace pace;
    struct bench_payload payload;
    struct bench_acting acting;
    struct teak_completion done[COMPLETIONS];
    struct progress progress;
};

/* ------------------------------------------------------------------------------------------------------ preparation */

static bool prepare(struct run *run)
{
    const struct bench_load *load = run->load;
    const double mean = bench_sizes_mean(&load->sizes);
    uint64_t ring = RING_LEAST;
    struct teak_limits limits;
    teak_limits(run->store, &limits);
    if (load->shape == SHAPE_WINDOW)
        while (ring < load->window / load->batch + 1) ring *= 2;
    run->ring = calloc(ring, sizeof(run->ring[0]));
    run->ring_mask = ring - 1;
    run->logs = calloc(load->logs, sizeof(run->logs[0]));
    if (run->ring == NULL || run->logs == NULL ||
        !bench_payload_make(&run->payload, &load->sizes, load->batch, load->seed)) {
        *run->error = (struct teak_error){.status = TEAK_NO_MEMORY};
        return false;
    }
    run->random = load->seed;
    run->only_appends = bench_mix_only_appends(&load->mix);
    run->clock_batches = load->batch < TIMED_ENTRIES ? TIMED_ENTRIES / load->batch : 1;
    run->retain_entries = UINT64_MAX;
    if (load->retain_bytes != 0) {
        run->keep_entries = (uint64_t)((double)load->retain_bytes / mean / load->logs);
        /* In steps of a sixteenth, so that compaction is rare beside appending. */
        run->retain_entries = run->keep_entries + run->keep_entries / 16 + load->batch;
    }
    run->acting = (struct bench_acting){
        .store = run->store,
        .hot_entries = (uint64_t)((double)limits.arena_bytes / (mean > 1 ? mean : 1) / load->logs),
        .batch = load->batch,
        .random = &run->random,
        .latency = run->result->acts,
    };
    for (uint32_t i = 0; i < load->logs; i++)
        if (!bench_log_prepare(run->store, (uint64_t)i + 1, &run->logs[i], run->error)) return false;
    return teak_drain(run->store, run->error) == TEAK_OK;
}

static void dispose(struct run *run)
{
    if (run->logs != NULL)
        for (uint32_t i = 0; i < run->load->logs; i++) teak_cursor_close(run->logs[i].cursor);
    bench_payload_free(&run->payload);
    free(run->logs);
    free(run->ring);
    free(run);
}

/* --------------------------------------------------------------------------------------------------------- the loop */

/* An open loop may have any number outstanding: what the store has room for. */
static bool ring_has_room(struct run *run)
{
    if (run->submitted - run->completed <= run->ring_mask) return true;
    const uint64_t old = run->ring_mask + 1;
    struct flying *wide = calloc(old * 2, sizeof(*wide));
    if (wide == NULL) {
        *run->error = (struct teak_error){.status = TEAK_NO_MEMORY};
        return false;
    }
    for (uint64_t s = run->completed; s != run->submitted; s++)
        wide[s & (old * 2 - 1)] = run->ring[s & (old - 1)];
    free(run->ring);
    run->ring = wide;
    run->ring_mask = old * 2 - 1;
    return true;
}

/* What is drawn until the next append: on the log that was appended to last. */
static bool act(struct run *run)
{
    struct bench_log *log = &run->logs[(run->turn == 0 ? run->load->logs : run->turn) - 1];
    enum bench_act drawn;
    while (!run->only_appends && (drawn = bench_mix_draw(&run->load->mix, &run->random)) != ACT_APPEND)
        if (!bench_act(&run->acting, drawn, log, run->error)) return false;
    return true;
}

/* One batch of entries to the log whose turn it is. FULL: not now. */
static enum teak_status append(struct run *run, uint64_t since_ns)
{
    const uint32_t count = run->load->batch;
    struct bench_log *log = &run->logs[run->turn];
    const struct teak_bytes *entries = bench_payload_at(&run->payload, run->submitted * count);
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = log->id, .index = log->next, .term = log->term,
                               .entries = entries, .count = count};
    const struct teak_batch batch = {.ops = &op, .count = 1, .tag = run->submitted};
    const enum teak_status status = teak_submit(run->store, &batch, run->error);
    if (status != TEAK_OK) return status;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += entries[i].bytes;
    run->ring[run->submitted & run->ring_mask] = (struct flying){.ns = since_ns, .bytes = bytes};
    run->submitted++;
    run->outstanding += count;
    log->next += count;
    if (++run->turn == run->load->logs) run->turn = 0;
    return TEAK_OK;
}

/* Behind a log that holds more than is to be retained. */
static bool compact(struct run *run)
{
    struct bench_log *log = &run->logs[run->turn];
    return log->next - log->first <= run->retain_entries ||
           bench_log_compact(run->store, log, log->next - 1 - run->keep_entries, run->now_ns, run->error);
}

static bool fill_window(struct run *run)
{
    uint64_t now_ns = run->now_ns;
    uint32_t untimed = 0;
    while (run->outstanding + run->load->batch <= run->load->window) {
        if (!compact(run)) return false;
        const enum teak_status status = append(run, now_ns);
        if (status == TEAK_FULL) return true;
        if (status != TEAK_OK || !act(run)) return false;
        if (run->only_appends && ++untimed < run->clock_batches) continue;
        untimed = 0;
        now_ns = ticks_ns();
    }
    return true;
}

/* All that is due. One that there is no room for stays due: it keeps its time. */
static bool fill_due(struct run *run)
{
    uint32_t untimed = 0;
    for (uint64_t meant_ns; (meant_ns = bench_pace_next(&run->pace)) <= run->now_ns && meant_ns < run->until_ns;) {
        if (!ring_has_room(run) || !compact(run)) return false;
        const enum teak_status status = append(run, meant_ns);
        if (status == TEAK_FULL) return true;
        if (status != TEAK_OK || !act(run)) return false;
        (void)bench_pace_take(&run->pace);
        if (meant_ns >= run->counted_from_ns) latency_add(&run->result->late, run->now_ns - meant_ns, 1);
        if (++untimed < run->clock_batches) continue;
        untimed = 0;
        run->now_ns = ticks_ns();
    }
    return true;
}

static void take_act(struct run *run, uint64_t tag)
{
    latency_add(&run->result->acts[bench_tag_act(tag)], run->now_ns - bench_tag_ns(tag), 1);
}

static bool is_sound(struct run *run, const struct teak_completion *done)
{
    const bool expected = done->tag == run->completed || (done->tag & BENCH_TAG_ACT) != 0;
    if (done->status == TEAK_OK && expected) return true;
    /* Out of order is the engine's bug; "decode": what came back makes no sense. */
    const enum teak_status what = done->status != TEAK_OK ? done->status : TEAK_DECODE;
    *run->error = (struct teak_error){.status = what, .operation = "completion"};
    return false;
}

static bool collect(struct run *run, uint64_t wait_ns)
{
    const uint32_t batch = run->load->batch;
    uint32_t count = 0;
    const enum teak_status status = teak_poll(run->store, wait_ns, run->done, COMPLETIONS, &count, run->error);
    run->now_ns = ticks_ns();
    uint64_t since_ns = 0, together = 0; /* neighbours submitted at the same reading are counted in one go */
    for (uint32_t i = 0; i < count; i++) {
        const struct teak_completion *done = &run->done[i];
        if (!is_sound(run, done)) return false;
        if ((done->tag & BENCH_TAG_ACT) != 0) {
            take_act(run, done->tag);
            continue;
        }
        const struct flying landed = run->ring[run->completed++ & run->ring_mask];
        run->outstanding -= batch;
        if (landed.ns < run->counted_from_ns) continue;
        run->entries += batch;
        run->payload_bytes += landed.bytes;
        if (landed.ns != since_ns && together > 0) {
            latency_add(&run->result->latency, run->now_ns - since_ns, together);
            together = 0;
        }
        since_ns = landed.ns;
        together += batch;
    }
    if (together > 0) latency_add(&run->result->latency, run->now_ns - since_ns, together);
    return status == TEAK_OK;
}

void bench_sleep_until(uint64_t until_ns)
{
    const struct timespec at = {.tv_sec = (time_t)(until_ns / TICKS_PER_SECOND),
                                .tv_nsec = (long)(until_ns % TICKS_PER_SECOND)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL); /* a signal ends it early, and so it should */
}

/* Collect what there is; wait no longer than until the next is due. */
static bool collect_until_due(struct run *run)
{
    uint64_t due_ns = bench_pace_next(&run->pace);
    if (due_ns > run->until_ns) due_ns = run->until_ns;
    const uint64_t now_ns = ticks_ns();
    const uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    if (run->load->busy_poll || wait_ns == 0) return collect(run, 0);
    if (run->outstanding > 0) return collect(run, wait_ns < NAP_NS ? wait_ns : NAP_NS);
    if (!collect(run, 0)) return false;
    bench_sleep_until(due_ns < now_ns + NAP_NS ? due_ns : now_ns + NAP_NS); /* an idle store does not wait in poll */
    run->now_ns = ticks_ns();
    return true;
}

static bool step(struct run *run)
{
    const uint64_t wait_ns = run->load->busy_poll ? 0 : TEAK_FOREVER;
    if (run->load->shape == SHAPE_WINDOW) return fill_window(run) && collect(run, wait_ns);
    return fill_due(run) && collect_until_due(run);
}

static void show(struct run *run, uint64_t begin_ns, uint64_t until_ns)
{
    if (!progress_is_due(&run->progress, run->now_ns)) return;
    const uint64_t gone_ns = run->now_ns - begin_ns;
    char note[160] = "";
    if (gone_ns > 0 && run->entries > 0)
        snprintf(note, sizeof(note), "%s entries/s, p99 %s",
                 human_rate((double)run->entries / ((double)gone_ns / 1e9)).text,
                 human_micros((double)latency_quantile(&run->result->latency, 0.99) / 1e3).text);
    run->progress.total = until_ns - begin_ns;
    progress_show(&run->progress, run->now_ns, gone_ns, note);
}

/* Of a closed loop: at least until one batch has come back, however slow the disk. */
static bool load_until(struct run *run, uint64_t until_ns)
{
    const uint64_t begin_ns = run->now_ns;
    const bool closed = run->load->shape == SHAPE_WINDOW;
    run->until_ns = until_ns;
    while ((run->now_ns < until_ns || (closed && run->entries == 0)) && !stop_asked()) {
        if (!step(run)) return false;
        show(run, begin_ns, until_ns);
    }
    return true;
}

/* A closed loop until the logs hold so much. */
static bool preload(struct run *run)
{
    struct bench_load closed = *run->load;
    closed.shape = SHAPE_WINDOW;
    closed.mix = (struct bench_mix){.weight = {[ACT_APPEND] = 1}, .weights = 1};
    if (closed.window < 1024) closed.window = 1024;
    if (closed.window < closed.batch) closed.window = closed.batch;
    const struct bench_load *const whole = run->load;
    const bool only_appends = run->only_appends;
    progress_begin(&run->progress, "preload", whole->preload_bytes, whole->progress);
    run->load = &closed;
    run->only_appends = true;
    bool good = true;
    while (good && run->payload_bytes < whole->preload_bytes && !stop_asked()) {
        while (good && run->submitted - run->completed + 1 < run->ring_mask) {
            if (run->outstanding + closed.batch > closed.window || !(good = compact(run))) break;
            const enum teak_status status = append(run, run->now_ns);
            if (status == TEAK_FULL) break;
            good = status == TEAK_OK;
        }
        good = good && collect(run, TEAK_FOREVER);
        progress_show(&run->progress, run->now_ns, run->payload_bytes, "");
    }
    while (good && run->outstanding > 0) good = collect(run, TEAK_FOREVER);
    run->load = whole;
    run->only_appends = only_appends;
    return good;
}

/* ------------------------------------------------------------------------------------------------------ measurement */

static double seconds_of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

void bench_mark_take(struct teak_store *store, uint64_t now_ns, struct bench_mark *out)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage); /* cannot fail for RUSAGE_SELF and a valid pointer */
    teak_stats(store, &out->stats);
    out->cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    out->rss_bytes_max = (uint64_t)usage.ru_maxrss * 1024;
    out->ns = now_ns;
}

void bench_mark_difference(const struct bench_mark *before, const struct bench_mark *after, struct bench_result *out)
{
    const struct teak_stats *from = &before->stats, *to = &after->stats;
    out->ns = after->ns - before->ns;
    out->frames = to->frames - from->frames;
    out->frame_bytes = to->frame_bytes - from->frame_bytes;
    out->syncs = to->syncs - from->syncs;
    out->bytes_written = to->bytes_written - from->bytes_written;
    out->stalls = to->stalls - from->stalls;
    out->arena_reads = to->arena_reads - from->arena_reads;
    out->disk_reads = to->disk_reads - from->disk_reads;
    out->cpu_seconds = after->cpu_seconds - before->cpu_seconds;
    out->rss_bytes_max = after->rss_bytes_max;
    out->stats = *to;
}

bool bench_load_has_space(const struct bench_load *load, const struct bench_mark *begin, const struct bench_mark *warm,
                          struct bench_result *out)
{
    if (load->retain_bytes != 0 || warm->ns <= begin->ns) return true;
    const uint64_t bytes = warm->stats.frame_bytes - begin->stats.frame_bytes;
    const double projected = (double)bytes / (double)(warm->ns - begin->ns) * (double)load->rest_ns;
    const uint64_t wanted = projected < 1e18 ? (uint64_t)projected : UINT64_C(1000000000000000000);
    if (bench_place_has_space(load->directory, wanted, &out->space_free)) return true;
    out->space_wanted = wanted;
    return false;
}

/* Of an open loop: wait for what began, a second at most; what has not come by then is as old as it is. */
static bool finish(struct run *run)
{
    const uint64_t grace_ns = run->now_ns + GRACE_NS;
    const uint32_t batch = run->load->batch;
    while (run->now_ns < grace_ns && !stop_asked()) {
        if (!fill_due(run)) return false;
        if (run->outstanding == 0 && bench_pace_next(&run->pace) >= run->until_ns) return true;
        if (!collect(run, grace_ns - run->now_ns)) return false;
    }
    for (uint64_t s = run->completed; s != run->submitted; s++) {
        const uint64_t ns = run->ring[s & run->ring_mask].ns;
        if (ns < run->counted_from_ns) continue;
        latency_add(&run->result->latency, run->now_ns - ns, batch);
        run->result->unfinished += batch;
    }
    for (uint64_t ns; (ns = bench_pace_next(&run->pace)) < run->until_ns; (void)bench_pace_take(&run->pace)) {
        if (ns < run->counted_from_ns) continue;
        latency_add(&run->result->latency, run->now_ns - ns, batch);
        latency_add(&run->result->late, run->now_ns - ns, 1);
        run->result->unfinished += batch;
    }
    return true;
}

static void forget_warm_up(struct run *run)
{
    latency_reset(&run->result->latency);
    latency_reset(&run->result->late);
    for (uint32_t i = 0; i < ACT_COUNT; i++) latency_reset(&run->result->acts[i]);
    run->entries = run->payload_bytes = 0;
}

static bool measure(struct run *run)
{
    const struct bench_load *load = run->load;
    struct bench_mark begin, before, after;
    run->now_ns = ticks_ns();
    if (load->preload_bytes > 0 && !preload(run)) return false;
    bench_mark_take(run->store, run->now_ns, &begin);
    if (load->shape == SHAPE_RATE)
        bench_pace_begin(&run->pace, load->rate / load->batch, load->poisson, run->now_ns, load->seed);
    progress_begin(&run->progress, "warm-up", 1, load->progress);
    if (!load_until(run, run->now_ns + load->warm_ns)) return false;
    bench_mark_take(run->store, run->now_ns, &before);
    if (!bench_load_has_space(load, &begin, &before, run->result))
        return teak_drain(run->store, run->error) == TEAK_OK;
    forget_warm_up(run);
    if (load->shape == SHAPE_RATE) run->counted_from_ns = run->until_ns; /* to the nanosecond, whatever the time is */
    run->progress.label = load->label;
    if (!load_until(run, (load->shape == SHAPE_RATE ? run->until_ns : run->now_ns) + load->measure_ns)) return false;
    if (load->shape == SHAPE_RATE && !finish(run)) return false;
    bench_mark_take(run->store, run->now_ns, &after);
    bench_mark_difference(&before, &after, run->result);
    run->result->entries = run->entries;
    run->result->payload_bytes = run->payload_bytes;
    return teak_drain(run->store, run->error) == TEAK_OK; /* not counted */
}

bool bench_load_run(const struct bench_load *load, struct teak_store *store, struct bench_result *out,
                    struct teak_error *error)
{
    memset(out, 0, sizeof(*out));
    if (load->mix.replicator) return bench_replicator_run(load, store, out, error);
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
    dispose(run);
    return good;
}
