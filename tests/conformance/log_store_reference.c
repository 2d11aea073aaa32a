/* log_store_reference.c: see log_store_reference.h.
 * OWNS   The place: every batch that was taken, in order, and how many are durable. The store: what they come to.
 * PATH   submit judges and does update after update; a refusal begins anew from the batches taken before. Opening does
 *        the same from the durable ones; a crash forgets the others. There is nothing else.
 * FAILS  It aborts where there is no memory: it is a test's. */
#include "conformance/log_store_reference.h"

#include <stdlib.h>
#include <string.h>

struct batch {
    struct log_store_update *updates;
    uint32_t count;
};

struct reference_place {
    enum reference_fault fault;
    struct batch *batches; /* a struct each, and all that they point at, is the place's own */
    uint32_t count, durable, capacity;
};

struct kept_log {
    uint64_t id;
    bool fresh;
    struct log_store_state state;    /* without `first` */
    struct log_store_entry *entries; /* of base.index + 1 .. last.index */
    uint32_t capacity;
};

struct reference {
    struct reference_place *place;
    struct kept_log *logs;
    uint32_t count;
};

static void *take(void *old, size_t bytes)
{
    void *memory = realloc(old, bytes);
    if (!memory) abort();
    return memory;
}

/* ---- one update ---- */

static struct kept_log *find(const struct reference *store, uint64_t id)
{
    for (uint32_t i = 0; i < store->count; i++)
        if (store->logs[i].id == id) return &store->logs[i];
    return NULL;
}

static struct log_store_entry *entry_at(const struct kept_log *log, uint64_t index)
{
    return &log->entries[index - log->state.base.index - 1];
}

static uint64_t term_of(const struct kept_log *log, uint64_t index)
{
    return index == log->state.base.index ? log->state.base.term : entry_at(log, index)->term;
}

static bool create(struct reference *store, uint64_t id, struct log_store_hard hard)
{
    store->logs = take(store->logs, (store->count + 1) * sizeof *store->logs);
    store->logs[store->count++] = (struct kept_log){.id = id, .fresh = true, .state.hard = hard};
    return true;
}

static bool append(struct kept_log *log, const struct log_store_update *update, enum reference_fault fault)
{
    struct log_store_state *state = &log->state;
    const uint64_t next = state->last.index + 1;
    if (update->count == 0 || update->index == 0 || update->index <= state->snapshot.index) return false;
    if (!log->fresh && update->index > next && fault != REFERENCE_takes_an_entry_behind_a_gap) return false;
    if (!log->fresh && update->index < next) {
        if (fault != REFERENCE_takes_an_entry_over_another || update->index <= state->base.index) return false;
        state->last = (struct log_store_place){.index = update->index - 1, .term = term_of(log, update->index - 1)};
    }
    if (log->fresh) state->base = state->last = (struct log_store_place){.index = update->index - 1};
    log->fresh = false;
    for (uint32_t i = 0; i < update->count; i++) {
        struct log_store_entry entry = update->entries[i];
        if (entry.term < state->last.term && fault != REFERENCE_takes_a_lower_term) return false;
        if (fault == REFERENCE_ignores_the_kind) entry.kind = 0;
        const uint64_t at = state->last.index - state->base.index;
        if (at == log->capacity) {
            log->capacity = log->capacity * 2 + 16;
            log->entries = take(log->entries, log->capacity * sizeof *log->entries);
        }
        state->last = (struct log_store_place){.index = state->last.index + 1, .term = entry.term};
        entry.index = state->last.index;
        log->entries[at] = entry;
    }
    return true;
}

static bool set_hard(struct log_store_hard *hard, struct log_store_hard to, enum reference_fault fault)
{
    if (to.term < hard->term && fault != REFERENCE_lets_a_term_go_back) return false;
    if (to.term == hard->term && hard->vote != 0 && to.vote != hard->vote && fault != REFERENCE_lets_a_vote_change)
        return false;
    if (to.commit < hard->commit && fault != REFERENCE_lets_a_commit_go_back) return false;
    *hard = to;
    return true;
}

static bool truncate_from(struct kept_log *log, uint64_t index, enum reference_fault fault)
{
    struct log_store_state *state = &log->state;
    if (index <= state->base.index || index <= state->snapshot.index || index > state->last.index + 1) return false;
    if (index == state->last.index + 1) return true;
    if (fault == REFERENCE_truncates_one_entry_too_few) index++;
    state->last = (struct log_store_place){.index = index - 1, .term = term_of(log, index - 1)};
    if (fault != REFERENCE_keeps_durable_over_a_truncation && state->durable.index > state->last.index)
        state->durable = state->last;
    return true;
}

static bool move_base(struct kept_log *log, uint64_t index, uint64_t term)
{
    struct log_store_state *state = &log->state;
    const uint64_t gone = index - state->base.index, left = state->last.index - index;
    memmove(log->entries, log->entries + gone, left * sizeof *log->entries);
    state->base = (struct log_store_place){.index = index, .term = term};
    return true;
}

static bool install(struct kept_log *log, struct log_store_place at, enum reference_fault fault)
{
    struct log_store_state *state = &log->state;
    if (at.index == 0) return false;
    const bool stale = at.index <= state->snapshot.index || at.index < state->base.index;
    if (stale && fault != REFERENCE_lets_a_stale_snapshot_win) return true;
    state->snapshot = at;
    const bool is_there = !log->fresh && at.index >= state->base.index && at.index <= state->last.index;
    const bool matches = is_there && term_of(log, at.index) == at.term;
    if (matches && fault != REFERENCE_clears_a_tail_that_matches_a_snapshot) return true;
    if (is_there && fault == REFERENCE_keeps_a_tail_that_contradicts_a_snapshot) return true;
    state->base = state->last = at;
    state->durable = (struct log_store_place){0};
    log->fresh = false;
    return true;
}

static bool compact(struct kept_log *log, uint64_t index, enum reference_fault fault)
{
    if (index == 0 || index > log->state.last.index) return false;
    if (index <= log->state.base.index) return true;
    return move_base(log, index, fault == REFERENCE_forgets_the_term_of_the_base ? 0 : term_of(log, index));
}

static enum log_store_answer apply(struct reference *store, const struct log_store_update *update)
{
    const enum reference_fault fault = store->place->fault;
    static struct log_store_hard left_over; /* of the log dropped last */
    struct kept_log *log = find(store, update->log);
    bool done = false;
    if (!log && update->kind != LOG_STORE_CREATE) return LOG_STORE_UNKNOWN;
    switch (update->kind) {
    case LOG_STORE_CREATE:
        if (fault != REFERENCE_keeps_the_hard_state_of_a_dropped_log) left_over = (struct log_store_hard){0};
        done = !log && create(store, update->log, left_over);
        break;
    case LOG_STORE_APPEND: done = append(log, update, fault); break;
    case LOG_STORE_HARD: done = set_hard(&log->state.hard, update->hard, fault); break;
    case LOG_STORE_TRUNCATE: done = truncate_from(log, update->index, fault); break;
    case LOG_STORE_SNAPSHOT:
        done = install(log, (struct log_store_place){.index = update->index, .term = update->term}, fault);
        break;
    case LOG_STORE_COMPACT: done = compact(log, update->index, fault); break;
    case LOG_STORE_DROP:
        left_over = log->state.hard;
        free(log->entries);
        *log = store->logs[--store->count];
        done = true;
        break;
    case LOG_STORE_KIND_COUNT: break;
    }
    return done ? LOG_STORE_OK : LOG_STORE_REFUSED;
}

/* ---- the place ---- */

/* Leaves the first `kept` updates of the batch. */
static void cut_batch(struct batch *batch, uint32_t kept, bool copies)
{
    while (batch->count > kept) {
        const struct log_store_update *update = &batch->updates[--batch->count];
        for (uint32_t i = 0; i < update->count && copies; i++) free((void *)update->entries[i].data);
        free((void *)update->entries);
    }
}

static void keep_batch(struct reference_place *place, const struct log_store_update *updates, uint32_t count)
{
    if (place->count == place->capacity) {
        place->capacity = place->capacity * 2 + 64;
        place->batches = take(place->batches, place->capacity * sizeof *place->batches);
    }
    struct batch *batch = &place->batches[place->count++];
    *batch = (struct batch){.updates = take(NULL, count * sizeof *updates), .count = count};
    memcpy(batch->updates, updates, count * sizeof *updates);
    for (uint32_t i = 0; i < count; i++) {
        if (updates[i].kind != LOG_STORE_APPEND) batch->updates[i].count = 0;
        const uint32_t entries = batch->updates[i].count;
        struct log_store_entry *copy = take(NULL, (entries + 1) * sizeof *copy);
        batch->updates[i].entries = copy;
        for (uint32_t j = 0; j < entries; j++) {
            copy[j] = updates[i].entries[j];
            if (place->fault == REFERENCE_reads_without_copying) continue;
            copy[j].data = take(NULL, copy[j].bytes + 1);
            if (copy[j].bytes > 0) memcpy((void *)copy[j].data, updates[i].entries[j].data, copy[j].bytes);
        }
    }
}

static void forget_batches(struct reference_place *place, uint32_t kept)
{
    while (place->count > kept) {
        struct batch *batch = &place->batches[--place->count];
        cut_batch(batch, 0, place->fault != REFERENCE_reads_without_copying);
        free(batch->updates);
    }
    if (place->durable > kept) place->durable = kept;
}

struct reference_place *reference_place_make(enum reference_fault fault)
{
    struct reference_place *place = take(NULL, sizeof *place);
    *place = (struct reference_place){.fault = fault};
    return place;
}

void reference_place_free(struct reference_place *place)
{
    forget_batches(place, 0);
    free(place->batches);
    free(place);
}

/* ---- the operations ---- */

static void reference_begin(void *context) { forget_batches(context, 0); }
static void reference_end(void *context) { forget_batches(context, 0); }

static void empty(struct reference *store)
{
    for (uint32_t i = 0; i < store->count; i++) free(store->logs[i].entries);
    free(store->logs);
    store->logs = NULL;
    store->count = 0;
}

static void all_is_durable(struct reference *store)
{
    for (uint32_t i = 0; i < store->count; i++) store->logs[i].state.durable = store->logs[i].state.last;
}

/* The store becomes what the place's batches come to. */
static void replay(struct reference *store, bool opening)
{
    empty(store);
    for (uint32_t i = 0; i < store->place->count; i++) {
        const struct batch *batch = &store->place->batches[i];
        for (uint32_t j = 0; j < batch->count; j++) {
            const bool passed_over = opening && batch->updates[j].kind == LOG_STORE_TRUNCATE &&
                                     store->place->fault == REFERENCE_brings_truncated_entries_back_when_opened;
            if (!passed_over && apply(store, &batch->updates[j]) != LOG_STORE_OK && store->place->fault == 0) abort();
        }
        if (i + 1 == store->place->durable) all_is_durable(store);
    }
}

static enum log_store_answer reference_open(void *context, void **store_out)
{
    struct reference *store = take(NULL, sizeof *store);
    *store = (struct reference){.place = context};
    replay(store, true);
    *store_out = store;
    return LOG_STORE_OK;
}

static void reference_crash(void *opaque)
{
    struct reference *store = opaque;
    struct reference_place *place = store->place;
    uint32_t kept = place->durable;
    if (place->fault == REFERENCE_loses_what_was_synced && kept > 0) kept--;
    if (place->fault == REFERENCE_tears_a_batch_in_a_crash && kept < place->count) {
        cut_batch(&place->batches[kept++], 1, true);
    }
    forget_batches(place, kept);
    empty(store);
    free(store);
}

static enum log_store_answer reference_sync(void *opaque)
{
    struct reference *store = opaque;
    store->place->durable = store->place->count;
    all_is_durable(store);
    return LOG_STORE_OK;
}

static enum log_store_answer reference_close(void *opaque)
{
    struct reference *store = opaque;
    if (store->place->fault != REFERENCE_loses_what_was_not_synced_when_closed) (void)reference_sync(store);
    reference_crash(store);
    return LOG_STORE_OK;
}

static enum log_store_answer reference_submit(void *opaque, const struct log_store_update *updates, uint32_t count)
{
    struct reference *store = opaque;
    keep_batch(store->place, updates, count);
    const struct batch *batch = &store->place->batches[store->place->count - 1];
    for (uint32_t i = 0; i < count; i++) {
        const enum log_store_answer answer = apply(store, &batch->updates[i]);
        if (answer == LOG_STORE_OK) continue;
        if (store->place->fault != REFERENCE_keeps_what_a_refused_batch_did) {
            forget_batches(store->place, store->place->count - 1);
            replay(store, false);
        }
        return answer;
    }
    return LOG_STORE_OK;
}

static enum log_store_answer reference_state(void *opaque, uint64_t id, struct log_store_state *out)
{
    const struct reference *store = opaque;
    const struct kept_log *log = find(store, id);
    if (!log) return LOG_STORE_UNKNOWN;
    *out = log->state;
    out->first = log->state.base.index + 1;
    if (store->place->fault == REFERENCE_calls_everything_durable) out->durable = out->last;
    return LOG_STORE_OK;
}

static enum log_store_answer reference_term_at(void *opaque, uint64_t id, uint64_t index, uint64_t *term_out)
{
    const struct kept_log *log = find(opaque, id);
    if (!log) return LOG_STORE_UNKNOWN;
    if (index < log->state.base.index) return LOG_STORE_COMPACTED;
    if (index > log->state.last.index) return LOG_STORE_BEYOND;
    *term_out = term_of(log, index);
    return LOG_STORE_OK;
}

static enum log_store_answer reference_read(void *opaque, uint64_t id, uint64_t index, uint64_t bytes_max,
                                            struct log_store_entry *out, uint32_t max, uint32_t *count_out)
{
    const struct reference *store = opaque;
    const struct kept_log *log = find(store, id);
    *count_out = 0;
    if (!log) return LOG_STORE_UNKNOWN;
    if (index <= log->state.base.index) return LOG_STORE_COMPACTED;
    if (index > log->state.last.index + 1) return LOG_STORE_BEYOND;
    uint64_t bytes = 0;
    for (; index <= log->state.last.index && *count_out < max; index++) {
        const struct log_store_entry *entry = entry_at(log, index);
        bytes += entry->bytes;
        const bool first = *count_out == 0 && store->place->fault != REFERENCE_reads_nothing_under_a_small_limit;
        if (bytes > bytes_max && !first && store->place->fault != REFERENCE_reads_past_the_byte_limit) break;
        out[(*count_out)++] = *entry;
    }
    return LOG_STORE_OK;
}

static uint32_t reference_logs(void *opaque, uint64_t *out, uint32_t max)
{
    const struct reference *store = opaque;
    const uint32_t count = store->count < max ? store->count : max;
    for (uint32_t i = 0; i < count; i++) out[i] = store->logs[i].id;
    return count;
}

static enum log_store_answer reference_last_of_kind(void *opaque, uint64_t id, uint8_t kind, uint64_t index,
                                                    struct log_store_place *out, uint32_t *count_out)
{
    const struct kept_log *log = find(opaque, id);
    *count_out = 0;
    if (!log) return LOG_STORE_UNKNOWN;
    if (index > log->state.last.index) index = log->state.last.index;
    for (uint64_t at = index; at > log->state.base.index; at--) {
        const struct log_store_entry *entry = entry_at(log, at);
        if (entry->kind != kind) continue;
        *out = (struct log_store_place){.index = at, .term = entry->term};
        *count_out = 1;
        break;
    }
    return LOG_STORE_OK;
}

const struct log_store_ops reference_ops = {
    .begin = reference_begin, .end = reference_end, .open = reference_open, .close = reference_close,
    .crash = reference_crash, .submit = reference_submit, .sync = reference_sync, .state = reference_state,
    .term_at = reference_term_at, .read = reference_read, .logs = reference_logs,
    .last_of_kind = reference_last_of_kind,
};
