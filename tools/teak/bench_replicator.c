/* bench_replicator.c: see bench_replicator.h.
 * OWNS   For each group its two logs, a cursor on the leader's, and a ring of batches that are not committed.
 * PATH   lead() appends what is due, follow() carries it over, the store is driven, agree() commits.
 * FAILS  TEAK_FULL puts a thing off until the next turn.
 * HOLDS  committed <= sent <= leader's last; the ring holds the batches behind `committed`, oldest first. */
#include "bench_replicator.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench_logs.h"
#include "bench_pace.h"
#include "bench_payload.h"
#include "human.h"
#include "progress.h"
#include "stop.h"
#include "ticks.h"

/* CHUNK: entries of one message to a follower. GRACE_NS, NAP_NS: as in bench_load.c. */
enum { CHUNK = 256, CHUNK_BYTES = 256 << 10, COMPLETIONS = 4096, RING = 1 << 14, GRACE_NS = 1000000000,
       NAP_NS = 100000000 };

struct proposed {
    uint64_t last; /* index of its last entry */
    uint64_t ns, bytes;
};

struct group {
    struct bench_log leader, follower;
    uint64_t committed;    /* durable in both logs, and noted                 */
    uint64_t batches;      /* since the term began                            */
    struct proposed *ring;
    uint32_t head, tail;   /* numbers; place: number % RING                   */
};

struct run {
    const struct bench_load *load;
    struct teak_store *store;
    struct bench_result *result;
    struct teak_error *error;
    struct group *groups;
    uint32_t turn;
    uint64_t outstanding; /* entries that are not committed */
    uint64_t proposals;
    uint64_t entries, payload_bytes, keep_entries, retain_entries;
    uint64_t now_ns, counted_from_ns, until_ns;
    bool closing; /* nothing new is proposed, no term begins */
    struct bench_pace pace;
    struct bench_payload payload;
    struct progress progress;
    struct teak_completion done[COMPLETIONS];
};

/* OK and FULL are fine; *taken_out says which. */
static bool submit(struct run *run, const struct teak_op *ops, uint32_t count, uint32_t flags, bool *taken_out)
{
    const struct teak_batch batch = {.ops = ops, .count = count, .flags = flags};
    const enum teak_status status = teak_submit(run->store, &batch, run->error);
    *taken_out = status == TEAK_OK;
    return status == TEAK_OK || status == TEAK_FULL;
}

/* ------------------------------------------------------------------------------------------------------ preparation */

static bool prepare_group(struct run *run, uint32_t number)
{
    struct group *group = &run->groups[number];
    struct teak_log state;
    group->ring = calloc(RING, sizeof(group->ring[0]));
    if (group->ring == NULL) {
        *run->error = (struct teak_error){.status = TEAK_NO_MEMORY};
        return false;
    }
    if (!bench_log_prepare(run->store, (uint64_t)number * 2 + 1, &group->leader, run->error) ||
        !bench_log_prepare(run->store, (uint64_t)number * 2 + 2, &group->follower, run->error))
        return false;
    if (teak_drain(run->store, run->error) != TEAK_OK) return false;
    /* A store that was kept: the follower may be behind; what it has is the leader's. */
    if (teak_log(run->store, group->follower.id, &state, run->error) != TEAK_OK) return false;
    group->committed = state.last.index;
    if (group->follower.next > group->leader.next) {
        *run->error = (struct teak_error){.status = TEAK_GAP, .operation = "replicator"};
        return false;
    }
    if (group->follower.term > group->leader.term) group->leader.term = group->follower.term;
    return teak_cursor_open(run->store, group->leader.id, group->follower.next, &group->leader.cursor, run->error) ==
           TEAK_OK;
}

static bool prepare(struct run *run)
{
    const struct bench_load *load = run->load;
    run->groups = calloc(load->logs, sizeof(run->groups[0]));
    if (run->groups == NULL || !bench_payload_make(&run->payload, &load->sizes, load->batch, load->seed)) {
        *run->error = (struct teak_error){.status = TEAK_NO_MEMORY};
        return false;
    }
    run->retain_entries = UINT64_MAX;
    if (load->retain_bytes != 0) {
        run->keep_entries = (uint64_t)((double)load->retain_bytes / bench_sizes_mean(&load->sizes) / load->logs / 2);
        run->retain_entries = run->keep_entries + run->keep_entries / 16 + load->batch;
    }
    for (uint32_t i = 0; i < load->logs; i++)
        if (!prepare_group(run, i)) return false;
    return true;
}

static void dispose(struct run *run)
{
    for (uint32_t i = 0; run->groups != NULL && i < run->load->logs; i++) {
        teak_cursor_close(run->groups[i].leader.cursor);
        free(run->groups[i].ring);
    }
    bench_payload_free(&run->payload);
    free(run->groups);
    free(run);
}

/* -------------------------------------------------------------------------------------------------------- the roles */

static bool propose(struct run *run, struct group *group, uint64_t since_ns, bool *taken_out)
{
    const uint32_t count = run->load->batch;
    struct bench_log *log = &group->leader;
    const struct teak_bytes *entries = bench_payload_at(&run->payload, run->proposals * count);
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = log->id, .index = log->next, .term = log->term,
                               .entries = entries, .count = count};
    *taken_out = false;
    if (group->tail - group->head == RING) return true;
    if (!submit(run, &op, 1, 0, taken_out)) return false;
    if (!*taken_out) return true;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += entries[i].bytes;
    log->next += count;
    group->ring[group->tail++ % RING] = (struct proposed){.last = log->next - 1, .ns = since_ns, .bytes = bytes};
    group->batches++;
    run->proposals++;
    run->outstanding += count;
    return true;
}

/* What clients bring: until the window is full, or all that is due. */
static bool lead(struct run *run)
{
    const struct bench_load *load = run->load;
    for (bool taken = true; taken && !run->closing;) {
        uint64_t since_ns = run->now_ns;
        if (load->shape == SHAPE_RATE) {
            since_ns = bench_pace_next(&run->pace);
            if (since_ns > run->now_ns || since_ns >= run->until_ns) break;
        } else if (run->outstanding + load->batch > load->window) {
            break;
        }
        if (!propose(run, &run->groups[run->turn], since_ns, &taken)) return false;
        if (!taken) break;
        if (++run->turn == load->logs) run->turn = 0;
        if (load->shape != SHAPE_RATE) continue;
        (void)bench_pace_take(&run->pace);
        if (since_ns >= run->counted_from_ns) latency_add(&run->result->late, run->now_ns - since_ns, 1);
    }
    return true;
}

/* A message fits where the terms before it are alike on both sides: Raft's own check. */
static bool terms_match(struct run *run, struct group *group)
{
    uint64_t ours = 0, theirs = 0;
    const uint64_t before = group->follower.next - 1;
    if (before < group->leader.first || before < group->follower.first) return true; /* the base, or nothing at all */
    if (teak_term_at(run->store, group->leader.id, before, &ours, run->error) != TEAK_OK ||
        teak_term_at(run->store, group->follower.id, before, &theirs, run->error) != TEAK_OK)
        return false;
    if (ours == theirs) return true;
    *run->error = (struct teak_error){.status = TEAK_DECODE, .operation = "match terms",
                                      .log = group->follower.id, .index = before};
    return false;
}

/* The tail is carried over, one term at a time. */
static bool follow(struct run *run, struct group *group)
{
    struct teak_entry read[CHUNK];
    struct teak_bytes bytes[CHUNK];
    while (group->follower.next < group->leader.next) {
        uint32_t count = 0, same = 0;
        bool taken;
        if (teak_cursor_seek(group->leader.cursor, group->follower.next, run->error) != TEAK_OK ||
            teak_cursor_read(group->leader.cursor, CHUNK_BYTES, read, CHUNK, &count, run->error) != TEAK_OK)
            return false;
        for (; same < count && read[same].term == read[0].term; same++)
            bytes[same] = (struct teak_bytes){.data = read[same].data, .bytes = read[same].bytes};
        if (same == 0) return true;
        const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = group->follower.id, .index = read[0].index,
                                   .term = read[0].term, .entries = bytes, .count = same};
        if (!terms_match(run, group) || !submit(run, &op, 1, 0, &taken)) return false;
        if (!taken) return true;
        group->follower.next += same;
    }
    return true;
}

/* A new leader, as it happens to be the old one: the follower drops what is not committed. */
static bool begin_term(struct run *run, struct group *group)
{
    const uint64_t term = group->leader.term + 1, cut = group->committed + 1;
    const struct teak_op ops[] = {
        {.op = TEAK_OP_HARD_STATE, .log = group->leader.id, .term = term, .vote = 1, .commit = group->committed},
        {.op = TEAK_OP_HARD_STATE, .log = group->follower.id, .term = term, .vote = 1, .commit = group->committed},
        {.op = TEAK_OP_TRUNCATE, .log = group->follower.id, .index = cut},
    };
    bool taken;
    const bool cuts = cut < group->follower.next;
    if (!submit(run, ops, cuts ? 3 : 2, TEAK_URGENT, &taken)) return false;
    if (!taken) return true;
    group->batches = 0;
    group->leader.term = term;
    run->result->elections++;
    if (!cuts) return true;
    run->result->resent += group->follower.next - cut;
    group->follower.next = cut;
    return true;
}

static bool note_commit(struct run *run, struct group *group)
{
    const struct bench_log *leader = &group->leader, *follower = &group->follower;
    const struct teak_op ops[] = {
        {.op = TEAK_OP_HARD_STATE, .log = leader->id, .term = leader->term, .vote = 1, .commit = group->committed},
        {.op = TEAK_OP_HARD_STATE, .log = follower->id, .term = leader->term, .vote = 1, .commit = group->committed},
    };
    bool taken;
    if (!submit(run, ops, 2, TEAK_LAZY, &taken)) return false; /* where it is not taken the next one says more */
    run->result->commits += taken;
    return true;
}

static bool compact(struct run *run, struct group *group)
{
    const uint64_t first = group->leader.first;
    if (group->committed < first || group->committed - first < run->retain_entries) return true;
    const uint64_t last = group->committed - run->keep_entries;
    return bench_log_compact(run->store, &group->leader, last, run->now_ns, run->error) &&
           bench_log_compact(run->store, &group->follower, last, run->now_ns, run->error);
}

/* What is durable on both sides is committed. */
static bool agree(struct run *run, struct group *group)
{
    const uint32_t batch = run->load->batch;
    struct teak_log leader, follower;
    if (teak_log(run->store, group->leader.id, &leader, run->error) != TEAK_OK ||
        teak_log(run->store, group->follower.id, &follower, run->error) != TEAK_OK)
        return false;
    const uint64_t both = leader.durable.index < follower.durable.index ? leader.durable.index : follower.durable.index;
    if (both <= group->committed) return true;
    group->committed = both;
    for (; group->head != group->tail && group->ring[group->head % RING].last <= both; group->head++) {
        const struct proposed *proposed = &group->ring[group->head % RING];
        run->outstanding -= batch;
        if (proposed->ns < run->counted_from_ns) continue;
        latency_add(&run->result->latency, run->now_ns - proposed->ns, batch);
        run->entries += batch;
        run->payload_bytes += proposed->bytes;
    }
    return note_commit(run, group) && compact(run, group);
}

/* --------------------------------------------------------------------------------------------------------- the loop */

static bool drive(struct run *run, uint64_t wait_ns)
{
    uint32_t count = 0;
    const enum teak_status status = teak_poll(run->store, wait_ns, run->done, COMPLETIONS, &count, run->error);
    run->now_ns = ticks_ns();
    if (status != TEAK_OK) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (run->done[i].status != TEAK_OK) {
            *run->error = (struct teak_error){.status = run->done[i].status, .operation = "completion"};
            return false;
        }
        if ((run->done[i].tag & BENCH_TAG_ACT) != 0)
            latency_add(&run->result->acts[ACT_COMPACT], run->now_ns - bench_tag_ns(run->done[i].tag), 1);
    }
    return true;
}

/* How long the store may be waited for. */
static uint64_t wait_of(const struct run *run)
{
    if (run->load->shape != SHAPE_RATE || run->closing) return NAP_NS;
    uint64_t due_ns = bench_pace_next(&run->pace);
    if (due_ns > run->until_ns) due_ns = run->until_ns;
    const uint64_t now_ns = ticks_ns();
    const uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    return wait_ns < NAP_NS ? wait_ns : NAP_NS;
}

static bool step(struct run *run)
{
    if (!lead(run)) return false;
    for (uint32_t i = 0; i < run->load->logs; i++)
        if (!follow(run, &run->groups[i])) return false;
    const uint64_t wait_ns = wait_of(run);
    if (run->outstanding == 0 && wait_ns > 0) {
        if (!drive(run, 0)) return false;
        bench_sleep_until(ticks_ns() + wait_ns);
        run->now_ns = ticks_ns();
    } else if (!drive(run, wait_ns)) {
        return false;
    }
    for (uint32_t i = 0; i < run->load->logs; i++) {
        struct group *group = &run->groups[i];
        if (!agree(run, group)) return false;
        if (!run->closing && group->batches >= REPLICATOR_TERM_BATCHES && !begin_term(run, group)) return false;
    }
    return true;
}

static bool run_until(struct run *run, uint64_t until_ns, const char *label)
{
    const uint64_t begin_ns = run->now_ns;
    run->until_ns = until_ns;
    run->progress.label = label;
    const bool closed = run->load->shape == SHAPE_WINDOW; /* then at least one batch is waited for */
    while ((run->now_ns < until_ns || (closed && run->entries == 0)) && !stop_asked()) {
        if (!step(run)) return false;
        const uint64_t gone_ns = run->now_ns - begin_ns;
        if (!progress_is_due(&run->progress, run->now_ns) || gone_ns == 0) continue;
        char note[160];
        snprintf(note, sizeof(note), "%s entries/s, p99 %s",
                 human_rate((double)run->entries / ((double)gone_ns / 1e9)).text,
                 human_micros((double)latency_quantile(&run->result->latency, 0.99) / 1e3).text);
        run->progress.total = until_ns - begin_ns;
        progress_show(&run->progress, run->now_ns, gone_ns, note);
    }
    return true;
}

/* Of an open loop: what began is waited for, a second at most. What is not committed then counts with its age. */
static bool finish(struct run *run)
{
    const uint64_t grace_ns = run->now_ns + GRACE_NS;
    const uint32_t batch = run->load->batch;
    while (run->now_ns < grace_ns && !stop_asked()) {
        if (run->outstanding == 0 && bench_pace_next(&run->pace) >= run->until_ns) return true;
        if (!step(run)) return false;
    }
    for (uint32_t i = 0; i < run->load->logs; i++) {
        struct group *group = &run->groups[i];
        for (uint32_t at = group->head; at != group->tail; at++) {
            if (group->ring[at % RING].ns < run->counted_from_ns) continue;
            latency_add(&run->result->latency, run->now_ns - group->ring[at % RING].ns, batch);
            run->result->unfinished += batch;
        }
    }
    for (uint64_t ns; (ns = bench_pace_next(&run->pace)) < run->until_ns; (void)bench_pace_take(&run->pace)) {
        if (ns < run->counted_from_ns) continue;
        latency_add(&run->result->latency, run->now_ns - ns, batch);
        run->result->unfinished += batch;
    }
    return true;
}

/* Everything proposed is committed: the next repetition begins with logs that are alike. */
static bool settle(struct run *run)
{
    run->closing = true;
    while (run->outstanding > 0)
        if (!step(run)) return false;
    return teak_drain(run->store, run->error) == TEAK_OK;
}

static bool measure(struct run *run)
{
    const struct bench_load *load = run->load;
    struct bench_mark begin, before, after;
    struct bench_result *result = run->result;
    run->now_ns = ticks_ns();
    bench_mark_take(run->store, run->now_ns, &begin);
    if (load->shape == SHAPE_RATE)
        bench_pace_begin(&run->pace, load->rate / load->batch, load->poisson, run->now_ns, load->seed);
    progress_begin(&run->progress, "warm-up", 1, load->progress);
    if (!run_until(run, run->now_ns + load->warm_ns, "warm-up")) return false;
    bench_mark_take(run->store, run->now_ns, &before);
    if (!bench_load_has_space(load, &begin, &before, result)) return settle(run);
    latency_reset(&result->latency);
    latency_reset(&result->late);
    latency_reset(&result->acts[ACT_COMPACT]);
    run->entries = run->payload_bytes = result->commits = result->elections = result->resent = 0;
    if (load->shape == SHAPE_RATE) run->counted_from_ns = run->until_ns;
    const uint64_t from_ns = load->shape == SHAPE_RATE ? run->until_ns : run->now_ns;
    if (!run_until(run, from_ns + load->measure_ns, load->label)) return false;
    if (load->shape == SHAPE_RATE && !finish(run)) return false;
    bench_mark_take(run->store, run->now_ns, &after);
    bench_mark_difference(&before, &after, result);
    result->entries = run->entries;
    result->payload_bytes = run->payload_bytes;
    return settle(run);
}

bool bench_replicator_run(const struct bench_load *load, struct teak_store *store, struct bench_result *out,
                          struct teak_error *error)
{
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
