/* log.c: see log.h. */
#include "store/log.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "format/descriptor.h"
#include "os/heap.h"
#include "store/failure.h"

uint64_t log_term_at(const struct log *log, uint64_t index)
{
    return index == log->head.base.index ? log->head.base.term : terms_at(&log->terms, index);
}

static enum teak_status judge_entries(const struct log_head *head, uint64_t id, const struct teak_op *op,
                                      struct teak_error *error)
{
    const uint64_t next = head->last.index + 1;
    if (op->index == 0) return fail_index(error, TEAK_INDEX_ZERO, id, 0, next);
    if (op->count == 0 || !op->entries || op->index > UINT64_MAX - op->count) return fail_log(error, TEAK_INVALID, id);
    if (op->index <= head->snapshot.index) return fail_index(error, TEAK_BELOW_SNAPSHOT, id, op->index, next);
    if (!head->fresh && op->index > next) return fail_index(error, TEAK_GAP, id, op->index, next);
    if (!head->fresh && op->index < next) return fail_index(error, TEAK_OVERLAP, id, op->index, next);
    if (op->term < head->last.term) return fail_index(error, TEAK_TERM_BACKWARDS, id, op->index, head->last.term);
    return TEAK_OK;
}

static enum teak_status judge_hard_state(const struct log_head *head, uint64_t id, const struct teak_op *op,
                                         struct teak_error *error)
{
    if (op->term < head->term) return fail_index(error, TEAK_TERM_BACKWARDS, id, 0, head->term);
    if (op->term == head->term && head->vote != 0 && op->vote != head->vote)
        return fail_index(error, TEAK_VOTE_CHANGED, id, 0, head->vote);
    if (op->commit < head->commit) return fail_index(error, TEAK_COMMIT_BACKWARDS, id, 0, head->commit);
    return TEAK_OK;
}

static enum teak_status judge_truncate(const struct log_head *head, uint64_t id, const struct teak_op *op,
                                       struct teak_error *error)
{
    if (op->index == 0) return fail_index(error, TEAK_INDEX_ZERO, id, 0, head->base.index + 1);
    if (op->index <= head->snapshot.index)
        return fail_index(error, TEAK_BELOW_SNAPSHOT, id, op->index, head->snapshot.index + 1);
    if (op->index <= head->base.index) return fail_index(error, TEAK_COMPACTED, id, op->index, head->base.index + 1);
    if (op->index > head->last.index + 1) return fail_index(error, TEAK_BEYOND, id, op->index, head->last.index + 1);
    return TEAK_OK;
}

static enum teak_status judge_compact(const struct log_head *head, uint64_t id, const struct teak_op *op,
                                      struct teak_error *error)
{
    if (op->index == 0) return fail_index(error, TEAK_INDEX_ZERO, id, 0, head->base.index + 1);
    if (op->index > head->last.index) return fail_index(error, TEAK_BEYOND, id, op->index, head->last.index);
    return TEAK_OK;
}

static enum teak_status judge_snapshot(uint64_t id, const struct teak_op *op, struct teak_error *error)
{
    if (op->index == 0) return fail_index(error, TEAK_INDEX_ZERO, id, 0, 1);
    return op->index == UINT64_MAX ? fail_log(error, TEAK_INVALID, id) : TEAK_OK;
}

static enum teak_status judge_meta(uint64_t id, const struct teak_op *op, struct teak_error *error)
{
    if (op->bytes > META_BYTES_MAX) return fail_log(error, TEAK_META_TOO_LARGE, id);
    return op->bytes > 0 && !op->data ? fail_log(error, TEAK_INVALID, id) : TEAK_OK;
}

enum teak_status log_judge(const struct log_head *head, uint64_t id, const struct teak_op *op, struct teak_error *error)
{
    if (op->op == TEAK_OP_CREATE) return head->alive ? fail_log(error, TEAK_LOG_EXISTS, id) : TEAK_OK;
    if (!head->alive) return fail_log(error, TEAK_UNKNOWN_LOG, id);
    if ((head->marks & LOG_HURT) && op->op != TEAK_OP_DROP) return fail_log(error, TEAK_QUARANTINED, id);
    switch (op->op) {
    case TEAK_OP_ENTRIES: return judge_entries(head, id, op, error);
    case TEAK_OP_HARD_STATE: return judge_hard_state(head, id, op, error);
    case TEAK_OP_TRUNCATE: return judge_truncate(head, id, op, error);
    case TEAK_OP_SNAPSHOT: return judge_snapshot(id, op, error);
    case TEAK_OP_COMPACT: return judge_compact(head, id, op, error);
    case TEAK_OP_META: return judge_meta(id, op, error);
    case TEAK_OP_DROP: return TEAK_OK;
    case TEAK_OP_CREATE: break;
    }
    return fail_log(error, TEAK_INVALID, id);
}

enum snapshot_effect log_snapshot_effect(const struct log_head *head, struct teak_pos at, log_term_fn term_at,
                                         const void *context)
{
    if (at.index <= head->snapshot.index || at.index < head->base.index) return SNAPSHOT_STALE;
    if (!head->fresh && at.index <= head->last.index && term_at(context, at.index) == at.term) return SNAPSHOT_KEEPS;
    return SNAPSHOT_CLEARS;
}

static void advance_snapshot(struct log_head *head, struct teak_pos at, log_term_fn term_at, const void *context)
{
    const enum snapshot_effect effect = log_snapshot_effect(head, at, term_at, context);
    if (effect == SNAPSHOT_STALE) return;
    head->snapshot = at;
    if (effect == SNAPSHOT_KEEPS) return;
    head->base = head->last = at;
    head->fresh = false;
}

void log_advance(struct log_head *head, const struct teak_op *op, log_term_fn term_at, const void *context)
{
    switch (op->op) {
    case TEAK_OP_CREATE: *head = (struct log_head){.alive = true, .fresh = true}; return;
    case TEAK_OP_DROP: *head = (struct log_head){0}; return;
    case TEAK_OP_ENTRIES:
        if (head->fresh) head->base = (struct teak_pos){.index = op->index - 1};
        head->fresh = false;
        head->last = (struct teak_pos){.index = op->index + op->count - 1, .term = op->term};
        return;
    case TEAK_OP_HARD_STATE:
        head->term = op->term;
        head->vote = op->vote;
        head->commit = op->commit;
        return;
    case TEAK_OP_TRUNCATE:
        if (op->index <= head->last.index)
            head->last = (struct teak_pos){.index = op->index - 1, .term = term_at(context, op->index - 1)};
        return;
    case TEAK_OP_SNAPSHOT:
        advance_snapshot(head, (struct teak_pos){.index = op->index, .term = op->term}, term_at, context);
        return;
    case TEAK_OP_COMPACT:
        if (op->index > head->base.index)
            head->base = (struct teak_pos){.index = op->index, .term = term_at(context, op->index)};
        return;
    case TEAK_OP_META: head->meta_bytes = (uint16_t)op->bytes; return;
    }
}

/* ------------------------------------------------------------------------------------------------------------ table */

enum { SLAB_LOGS = 64, CAPACITY_FIRST = 64, CACHE_LINE = 64 };

static uint32_t slot_of(const struct logs *logs, uint64_t id)
{
    return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (logs->capacity - 1);
}

bool logs_init(struct logs *logs)
{
    *logs = (struct logs){0};
    return logs_grow(logs, 4, NULL);
}

static void give_pieces(struct log *log)
{
    if (log->pieces != log->own_pieces) heap_give(log->pieces);
}

static void give_runs(const struct log *log, struct term_run *runs)
{
    if (runs != log->own_runs) heap_give(runs);
}

void logs_fini(struct logs *logs)
{
    for (uint32_t slab = 0; slab < logs->slab_count; slab++) {
        struct log *log = logs->slabs[slab];
        for (uint32_t i = 0; i < SLAB_LOGS; i++) {
            give_pieces(&log[i]);
            give_runs(&log[i], log[i].terms.runs);
            heap_give(log[i].meta);
            heap_give(log[i].ahead);
        }
        heap_give(log);
    }
    heap_give(logs->slabs);
    heap_give(logs->slots);
    heap_give(logs->sorted);
    *logs = (struct logs){0};
}

struct log *logs_find(struct logs *logs, uint64_t id)
{
    if (logs->recent && logs->recent->id == id) return logs->recent;
    for (uint32_t slot = slot_of(logs, id); logs->slots[slot]; slot = (slot + 1) & (logs->capacity - 1))
        if (logs->slots[slot]->id == id) return logs->recent = logs->slots[slot];
    return NULL;
}

/* A look-up among thousands of logs waits for one line of memory after the other; those of several logs can be waited
 * for together. */
void logs_foresee_slot(const struct logs *logs, uint64_t id) { __builtin_prefetch(&logs->slots[slot_of(logs, id)]); }

void logs_foresee_log(const struct logs *logs, uint64_t id)
{
    const struct log *log = logs->slots[slot_of(logs, id)];
    for (uint32_t line = 0; log && line < LOG_HOT_BYTES; line += CACHE_LINE)
        __builtin_prefetch((const char *)log + line, 1);
}

const struct log *logs_find_near(const struct logs *logs, uint64_t id)
{
    const struct log *log = logs->slots[slot_of(logs, id)];
    return log && log->id == id ? log : NULL;
}

/* First position in `sorted` whose id is not below `id`. */
static uint32_t sorted_position(const struct logs *logs, uint64_t id)
{
    uint32_t begin = 0, end = logs->count;
    if (end > 0 && logs->sorted[end - 1]->id < id) return end;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (logs->sorted[middle]->id < id)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

uint32_t logs_first_above(const struct logs *logs, bool from_start, uint64_t after)
{
    if (from_start) return 0;
    return after == UINT64_MAX ? logs->count : sorted_position(logs, after + 1);
}

struct log *logs_add(struct logs *logs, uint64_t id)
{
    CHECK(logs_has_room(logs, 1));
    struct log *log = logs->free;
    logs->free = log->next;
    logs->free_count--;
    const struct log fresh = {.id = id, .pieces = log->pieces, .piece_capacity = log->piece_capacity, .meta = log->meta,
                              .terms = {.runs = log->terms.runs, .capacity = log->terms.capacity},
                              .effect = LOG_NO_EFFECT, .ahead = log->ahead, .ahead_capacity = log->ahead_capacity};
    *log = fresh;
    uint32_t slot = slot_of(logs, id);
    while (logs->slots[slot]) slot = (slot + 1) & (logs->capacity - 1);
    logs->slots[slot] = log;
    const uint32_t at = sorted_position(logs, id);
    memmove(logs->sorted + at + 1, logs->sorted + at, (logs->count - at) * sizeof *logs->sorted);
    logs->sorted[at] = log;
    logs->count++;
    return log;
}

void logs_remove(struct logs *logs, struct log *log)
{
    CHECK_EQ(log->piece_count, 0);
    log->terms.count = 0;
    log->wants_more = 0;
    log->wants_meta = false;
    if (logs->recent == log) logs->recent = NULL;
    uint32_t hole = slot_of(logs, log->id);
    while (logs->slots[hole] != log) hole = (hole + 1) & (logs->capacity - 1);
    /* close the hole: move back every follower that a search would no longer reach */
    const uint32_t mask = logs->capacity - 1;
    for (uint32_t slot = (hole + 1) & mask; logs->slots[slot]; slot = (slot + 1) & mask) {
        const uint32_t home = slot_of(logs, logs->slots[slot]->id);
        if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
        logs->slots[hole] = logs->slots[slot];
        hole = slot;
    }
    logs->slots[hole] = NULL;
    const uint32_t at = sorted_position(logs, log->id);
    CHECK(logs->sorted[at] == log);
    logs->count--;
    memmove(logs->sorted + at, logs->sorted + at + 1, (logs->count - at) * sizeof *logs->sorted);
    if (log->wanted) { /* leave that list before joining the other */
        struct log **link = &logs->want;
        while (*link != log) link = &(*link)->next;
        *link = log->next;
        log->wanted = false;
    }
    log->next = logs->free;
    logs->free = log;
    logs->free_count++;
}

void logs_want(struct logs *logs, struct log *log)
{
    if (log->wanted) return;
    log->wanted = true;
    log->next = logs->want;
    logs->want = log;
}

void logs_want_free(struct logs *logs, uint32_t count, uint32_t more, bool meta)
{
    logs->want_free = (uint32_t)max_u64(logs->want_free, count);
    logs->want_free_more = (uint32_t)max_u64(logs->want_free_more, more);
    logs->want_free_meta |= meta;
}

/* Extents for the effect that the log has not got yet in the active segment. */
static bool grow_ahead(struct logs *logs, struct log *log, uint32_t capacity)
{
    if (capacity < 2 || capacity <= log->ahead_capacity) return true; /* an effect holds one itself */
    struct layout_extent *grown = heap_take(capacity * sizeof *grown);
    if (!grown) return false;
    logs->memory_bytes += (capacity - log->ahead_capacity) * sizeof *grown;
    heap_give(log->ahead);
    log->ahead = grown;
    log->ahead_capacity = capacity;
    return true;
}

static bool grow_log(struct logs *logs, struct log *log)
{
    const uint32_t pieces = log->piece_count + LOG_PIECES_AHEAD + log->wants_more;
    const uint32_t runs = log->terms.count + LOG_RUNS_AHEAD + log->wants_more;
    if (pieces > log->piece_capacity) {
        const uint32_t capacity = (uint32_t)max_u64(pieces, log->piece_capacity * 2);
        struct piece *grown = heap_take(capacity * sizeof *grown);
        if (!grown) return false;
        memcpy(grown, log->pieces, log->piece_count * sizeof *grown);
        const uint32_t own = log->pieces == log->own_pieces ? 0 : log->piece_capacity;
        logs->memory_bytes += (capacity - own) * sizeof *grown;
        give_pieces(log);
        log->pieces = grown;
        log->piece_capacity = capacity;
    }
    if (runs > log->terms.capacity) {
        const uint32_t capacity = (uint32_t)max_u64(runs, log->terms.capacity * 2);
        struct term_run *grown = heap_take(capacity * sizeof *grown);
        if (!grown) return false;
        const uint32_t own = log->terms.runs == log->own_runs ? 0 : log->terms.capacity;
        logs->memory_bytes += (capacity - own) * sizeof *grown;
        give_runs(log, terms_move(&log->terms, grown, capacity));
    }
    if (log->wants_meta && !log->meta) {
        log->meta = heap_take(META_BYTES_MAX);
        if (!log->meta) return false;
        logs->memory_bytes += META_BYTES_MAX;
    }
    return true;
}

/* The table for `count` logs. */
static bool grow_table(struct logs *logs, uint32_t count)
{
    if (count > logs->sorted_capacity) {
        const uint32_t capacity = count < CAPACITY_FIRST ? CAPACITY_FIRST : count + count / 2;
        struct log **sorted = heap_grow(logs->sorted, capacity * sizeof *sorted);
        if (!sorted) return false;
        logs->memory_bytes += (capacity - logs->sorted_capacity) * sizeof *sorted;
        logs->sorted = sorted;
        logs->sorted_capacity = capacity;
    }
    if (2 * (uint64_t)count > logs->capacity) {
        uint32_t capacity = CAPACITY_FIRST;
        while (capacity < 2 * (uint64_t)count) capacity *= 2;
        struct log **slots = heap_take_zeroed(capacity, sizeof *slots);
        if (!slots) return false;
        logs->memory_bytes += (capacity - logs->capacity) * sizeof *slots;
        heap_give(logs->slots);
        logs->slots = slots;
        logs->capacity = capacity;
        for (uint32_t i = 0; i < logs->count; i++) {
            uint32_t slot = slot_of(logs, logs->sorted[i]->id);
            while (slots[slot]) slot = (slot + 1) & (capacity - 1);
            slots[slot] = logs->sorted[i];
        }
    }
    return true;
}

static bool add_slab(struct logs *logs)
{
    void **slabs = heap_grow(logs->slabs, (logs->slab_count + 1) * sizeof *slabs);
    if (!slabs) return false;
    logs->slabs = slabs;
    struct log *log = heap_take_aligned(CACHE_LINE, SLAB_LOGS * sizeof *log);
    if (!log) return false;
    memset(log, 0, SLAB_LOGS * sizeof *log);
    logs->slabs[logs->slab_count++] = log;
    logs->memory_bytes += SLAB_LOGS * sizeof *log;
    for (uint32_t i = 0; i < SLAB_LOGS; i++) {
        log[i].pieces = log[i].own_pieces;
        log[i].piece_capacity = LOG_OWN_PIECES;
        log[i].terms = (struct terms){.runs = log[i].own_runs, .capacity = LOG_OWN_RUNS};
        log[i].next = logs->free;
        logs->free = &log[i];
        logs->free_count++;
    }
    return true;
}

/* What a refused batch lacked the first few free logs get, so that a log just created has room. */
static bool grow_free(struct logs *logs, uint32_t free)
{
    struct log *log = logs->free;
    for (uint32_t i = 0; i < free && log; i++, log = log->next) {
        const bool is_wanted = i < logs->want_free;
        log->wants_more = is_wanted ? logs->want_free_more : 0;
        log->wants_meta = is_wanted && logs->want_free_meta;
        const bool grown = grow_log(logs, log) && grow_ahead(logs, log, log->wants_more);
        log->wants_more = 0;
        log->wants_meta = false;
        if (!grown) return false;
    }
    return true;
}

/* Twice the extents, or what a refused batch asked for: of its effect in `active`, or of the one it will get there. */
static bool grow_extents(struct logs *logs, struct log *log, struct segment *active)
{
    const uint32_t more = log->wants_more;
    if (log->effect_segment != active->number) {
        if (!grow_ahead(logs, log, more)) return false;
    } else {
        struct effect *effect = &active->effects[log->effect];
        const uint32_t wanted = effect->count + (uint32_t)max_u64(more, LOG_EXTENTS_AHEAD);
        const uint32_t twice = 2 * effect->capacity;
        if (wanted > effect->capacity && !effect_grow(effect, wanted > twice ? wanted : twice)) return false;
    }
    log->wants_more = 0;
    return true;
}

bool logs_grow(struct logs *logs, uint32_t free, struct segment *active)
{
    if (logs->want_free > free) free = logs->want_free;
    if (!logs_has_room(logs, free)) {
        if (!grow_table(logs, logs->count + free)) return false;
        while (logs->free_count < free)
            if (!add_slab(logs)) return false;
    }
    if (!grow_free(logs, free)) return false;
    logs->want_free = logs->want_free_more = 0;
    logs->want_free_meta = false;
    while (logs->want) {
        struct log *log = logs->want;
        if (!grow_log(logs, log) || (active && !grow_extents(logs, log, active))) return false;
        logs->want = log->next;
        log->wanted = false;
    }
    return true;
}
