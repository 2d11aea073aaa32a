/* bench_threads.c: see bench_threads.h.
 * OWNS   The threads, and for each a histogram that nobody else writes.
 * PATH   The calling thread begins and ends the phases, and draws the bar; the others append.
 * FAILS  The first thread that fails keeps its error, and all end.
 * HOLDS  A batch counts where it was begun and durable within the measured phase. */
#include "bench_threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_logs.h"
#include "bench_payload.h"
#include "human.h"
#include "progress.h"
#include "stop.h"
#include "ticks.h"

enum { NAP_NS = 50000000 };
enum phase { PHASE_WARM, PHASE_MEASURE, PHASE_END };

struct team {
    const struct bench_load *load;
    struct teak_committer *committer;
    struct bench_log *logs;
    uint64_t keep_entries;
    _Atomic int phase;                /* enum phase; written by the calling thread; relaxed: a batch more or less */
    _Atomic uint64_t entries;         /* counted, for the bar                                                    */
    _Atomic uint64_t batches;         /* durable, counted or not                                                 */
    _Atomic uint64_t bars[LATENCY_BARS]; /* coarse latencies, for the bar                                        */
    pthread_mutex_t failing;
    bool failed;                      /* under `failing`, and so is the error */
    struct teak_error error;
};

struct member {
    struct team *team;
    struct bench_log *log;
    pthread_t thread;
    struct bench_payload payload;
    uint64_t entries, payload_bytes;
    uint64_t compact_each, uncompacted; /* entries of its own between two compactions; 0: it does not compact */
    struct latency latency;
};

static void fail(struct team *team, const struct teak_error *error)
{
    pthread_mutex_lock(&team->failing);
    if (!team->failed) team->error = *error;
    team->failed = true;
    pthread_mutex_unlock(&team->failing);
    atomic_store(&team->phase, PHASE_END);
}

struct looked {
    uint64_t log;
    struct teak_log state;
    enum teak_status status;
    struct teak_error error;
};

static void look(struct teak_store *store, void *context)
{
    struct looked *looked = context;
    looked->status = teak_log(store, looked->log, &looked->state, &looked->error);
}

static bool compact(struct member *member, struct teak_error *error)
{
    struct team *team = member->team;
    struct looked looked = {.log = member->log->id};
    member->uncompacted = 0;
    if (teak_committer_call(team->committer, look, &looked, error) != TEAK_OK) return false;
    if (looked.status != TEAK_OK) {
        *error = looked.error;
        return false;
    }
    const uint64_t durable = looked.state.durable.index;
    if (durable < looked.state.first + team->keep_entries) return true;
    const struct teak_op op = {.op = TEAK_OP_COMPACT, .log = member->log->id, .index = durable - team->keep_entries};
    const struct teak_batch batch = {.ops = &op, .count = 1, .flags = TEAK_LAZY};
    return teak_committer_commit(team->committer, &batch, NULL, error) == TEAK_OK;
}

static void *work(void *context)
{
    struct member *member = context;
    struct team *team = member->team;
    const uint32_t count = team->load->batch;
    struct teak_error error = {0};
    struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = member->log->id, .index = TEAK_INDEX_NEXT,
                         .term = member->log->term, .count = count};
    const struct teak_batch batch = {.ops = &op, .count = 1};
    for (uint64_t turn = 0;; turn++) {
        const int phase = atomic_load_explicit(&team->phase, memory_order_relaxed);
        if (phase == PHASE_END) return NULL;
        op.entries = bench_payload_at(&member->payload, turn * count);
        const uint64_t begin_ns = ticks_ns();
        if (teak_committer_commit(team->committer, &batch, NULL, &error) != TEAK_OK) break;
        const uint64_t took_ns = ticks_ns() - begin_ns;
        member->uncompacted += count;
        atomic_fetch_add_explicit(&team->batches, 1, memory_order_relaxed);
        if (member->compact_each != 0 && member->uncompacted >= member->compact_each && !compact(member, &error)) break;
        if (phase != PHASE_MEASURE || atomic_load_explicit(&team->phase, memory_order_relaxed) != PHASE_MEASURE)
            continue;
        latency_add(&member->latency, took_ns, count);
        member->entries += count;
        for (uint32_t i = 0; i < count; i++) member->payload_bytes += op.entries[i].bytes;
        atomic_fetch_add_explicit(&team->entries, count, memory_order_relaxed);
        atomic_fetch_add_explicit(&team->bars[latency_bar_of(took_ns)], count, memory_order_relaxed);
    }
    fail(team, &error);
    return NULL;
}

/* To an eighth of a power of two: for the bar. */
static double coarse_p99_us(const struct team *team)
{
    uint64_t total = 0, seen = 0;
    for (uint32_t i = 0; i < LATENCY_BARS; i++) total += atomic_load_explicit(&team->bars[i], memory_order_relaxed);
    for (uint32_t i = 0; i < LATENCY_BARS; i++) {
        seen += atomic_load_explicit(&team->bars[i], memory_order_relaxed);
        if ((double)seen >= 0.99 * (double)total) return (double)latency_bar_high(i) / 1e3;
    }
    return 0;
}

/* At least until one batch is durable, while it is measured until one was counted, however slow the disk. */
static void wait_until(struct team *team, struct progress *progress, uint64_t begin_ns, uint64_t until_ns)
{
    for (uint64_t now_ns = ticks_ns(); !stop_asked(); now_ns = ticks_ns()) {
        const int phase = atomic_load(&team->phase);
        if (phase == PHASE_END) return;
        const uint64_t done = atomic_load(phase == PHASE_WARM ? &team->batches : &team->entries);
        if (now_ns >= until_ns && done > 0) return;
        if (now_ns >= until_ns) until_ns = now_ns + NAP_NS;
        bench_sleep_until(until_ns < now_ns + NAP_NS ? until_ns : now_ns + NAP_NS);
        now_ns = ticks_ns();
        if (!progress_is_due(progress, now_ns)) continue;
        const uint64_t entries = atomic_load(&team->entries), gone_ns = now_ns - begin_ns;
        char note[160] = "";
        if (entries > 0 && gone_ns > 0)
            snprintf(note, sizeof(note), "%s entries/s, p99 %s",
                     human_rate((double)entries / ((double)gone_ns / 1e9)).text,
                     human_micros(coarse_p99_us(team)).text);
        progress->total = until_ns - begin_ns;
        progress_show(progress, now_ns, gone_ns, note);
    }
}

static void take_mark(struct teak_store *store, void *context) { bench_mark_take(store, ticks_ns(), context); }

/* The phases, while the threads work. False: *error, or a thread's own. */
static bool conduct(struct team *team, struct bench_result *out, struct teak_error *error)
{
    const struct bench_load *load = team->load;
    struct bench_mark begin, before, after;
    struct progress progress;
    uint64_t begin_ns = ticks_ns();
    if (teak_committer_call(team->committer, take_mark, &begin, error) != TEAK_OK) return false;
    progress_begin(&progress, "warm-up", 1, load->progress);
    wait_until(team, &progress, begin_ns, begin_ns + load->warm_ns);
    bool good = teak_committer_call(team->committer, take_mark, &before, error) == TEAK_OK;
    if (good && bench_load_has_space(load, &begin, &before, out)) {
        int warm = PHASE_WARM; /* a thread that failed has ended it all */
        atomic_compare_exchange_strong(&team->phase, &warm, PHASE_MEASURE);
        progress.label = load->label;
        begin_ns = ticks_ns();
        wait_until(team, &progress, begin_ns, begin_ns + load->measure_ns);
        good = teak_committer_call(team->committer, take_mark, &after, error) == TEAK_OK;
        if (good) bench_mark_difference(&before, &after, out);
    }
    progress_end(&progress);
    return good;
}

static bool prepare_logs(struct team *team, struct teak_error *error)
{
    for (uint32_t i = 0; i < team->load->logs; i++) {
        const struct teak_op op = {.op = TEAK_OP_CREATE, .log = (uint64_t)i + 1};
        const struct teak_batch batch = {.ops = &op, .count = 1};
        const enum teak_status status = teak_committer_commit(team->committer, &batch, NULL, error);
        if (status != TEAK_OK && status != TEAK_LOG_EXISTS) return false;
        struct looked looked = {.log = op.log};
        if (teak_committer_call(team->committer, look, &looked, error) != TEAK_OK) return false;
        if (looked.status != TEAK_OK) {
            *error = looked.error;
            return false;
        }
        const uint64_t term = looked.state.last.term;
        team->logs[i] = (struct bench_log){.id = op.log, .term = term > 0 ? term : 1};
    }
    return true;
}

/* How many of them run, which is all unless one could not be had. */
static uint32_t start(struct team *team, struct member *members, struct teak_error *error)
{
    const struct bench_load *load = team->load;
    const uint32_t each_log = (load->threads + load->logs - 1) / load->logs;
    for (uint32_t i = 0; i < load->threads; i++) {
        struct member *member = &members[i];
        member->team = team;
        member->log = &team->logs[i % load->logs];
        if (load->retain_bytes != 0 && i < load->logs)
            member->compact_each = team->keep_entries / 16 / each_log + load->batch;
        if (!bench_payload_make(&member->payload, &load->sizes, load->batch, load->seed + i) ||
            pthread_create(&member->thread, NULL, work, member) != 0) {
            *error = (struct teak_error){.status = TEAK_NO_MEMORY, .operation = "thread"};
            return i;
        }
    }
    return load->threads;
}

bool bench_threads_run(const struct bench_load *load, struct teak_committer *committer, struct bench_result *out,
                       struct teak_error *error)
{
    memset(out, 0, sizeof(*out));
    struct team *team = calloc(1, sizeof(*team));
    struct member *members = calloc(load->threads, sizeof(*members));
    struct bench_log *logs = calloc(load->logs, sizeof(*logs));
    bool good = team != NULL && members != NULL && logs != NULL;
    if (!good) *error = (struct teak_error){.status = TEAK_NO_MEMORY};
    if (good) {
        team->load = load;
        team->committer = committer;
        team->logs = logs;
        team->keep_entries = (uint64_t)((double)load->retain_bytes / bench_sizes_mean(&load->sizes) / load->logs);
        pthread_mutex_init(&team->failing, NULL);
        good = prepare_logs(team, error);
        const uint32_t running = good ? start(team, members, error) : 0;
        good = good && running == load->threads && conduct(team, out, error);
        atomic_store(&team->phase, PHASE_END);
        for (uint32_t i = 0; i < running; i++) {
            pthread_join(members[i].thread, NULL);
            latency_merge(&out->latency, &members[i].latency);
            out->entries += members[i].entries;
            out->payload_bytes += members[i].payload_bytes;
        }
        if (good && team->failed) {
            *error = team->error;
            good = false;
        }
        pthread_mutex_destroy(&team->failing);
        for (uint32_t i = 0; i < load->threads; i++) bench_payload_free(&members[i].payload);
    }
    free(logs);
    free(members);
    free(team);
    return good;
}
