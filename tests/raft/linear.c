/* linear.c: see linear.h.
 *
 * The calls and returns of one key stand in a list in the order of their times. The search begins at its head:
 *
 *     at a call      if the operation is possible now, and this state with these operations done is new: it is done,
 *                    its call and return leave the list, and the search begins at the head again
 *     at a return    an operation that is not done has returned: so the last that was done is taken back, and the
 *                    search goes on behind its call
 *     no return left an order is found
 *
 * An operation that never returned is a call without a return: it may be done, or not. Values that nobody ever saw are
 * one: what can be told of them is that no read comes before the next write.
 */
#include "linear.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNSEEN = UINT32_MAX, CACHE_BYTES_MAX = 1 << 26, TOLD_DONE = 6, TOLD_NEXT = 10, TOLD_ITEMS = 8 };

static const uint32_t kinds_of[LINEAR_MODEL_COUNT] = {
    [LINEAR_REGISTER] = 1u << LINEAR_READ | 1u << LINEAR_WRITE | 1u << LINEAR_SWAP,
    [LINEAR_KEY_VALUE] = 1u << LINEAR_READ | 1u << LINEAR_WRITE | 1u << LINEAR_APPEND,
    [LINEAR_LIST] = 1u << LINEAR_READ | 1u << LINEAR_APPEND,
};

static void *memory(void *old, size_t count, size_t bytes)
{
    void *const given = realloc(old, count > 0 ? count * bytes : 1);
    if (!given) abort();
    return given;
}

static uint64_t mixed(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ (sum >> 29);
}

/* ---------------------------------------------------------------------------------------------------------- history */

void linear_begin(struct linear_history *history)
{
    *history = (struct linear_history){.value_count = 1, .place_count = 64};
    history->values = memory(NULL, 32, sizeof history->values[0]);
    history->values[0] = (struct linear_value){.item = 0};
    history->places = memory(NULL, history->place_count, sizeof history->places[0]);
    memset(history->places, 0, history->place_count * sizeof history->places[0]);
}

void linear_end(struct linear_history *history)
{
    free(history->ops);
    free(history->values);
    free(history->places);
    *history = (struct linear_history){.count = 0};
}

uint32_t linear_add(struct linear_history *history, const struct linear_op *op)
{
    if (history->count == history->capacity) {
        history->capacity = history->capacity ? 2 * history->capacity : 64;
        history->ops = memory(history->ops, history->capacity, sizeof history->ops[0]);
    }
    history->ops[history->count] = *op;
    return history->count++;
}

/* Where the number of that value stands, or is to stand. */
static uint32_t place_of(const struct linear_history *history, uint32_t before, uint64_t item)
{
    uint32_t at = (uint32_t)mixed(mixed(1, before), item) & (history->place_count - 1);
    for (; history->places[at] != 0; at = (at + 1) & (history->place_count - 1)) {
        const struct linear_value *value = &history->values[history->places[at]];
        if (value->before == before && value->item == item) break;
    }
    return at;
}

/* Places are twice as many as values, and values have room up to half of the places. */
static void grow(struct linear_history *history)
{
    history->place_count *= 2;
    history->values = memory(history->values, history->place_count / 2, sizeof history->values[0]);
    history->places = memory(history->places, history->place_count, sizeof history->places[0]);
    memset(history->places, 0, history->place_count * sizeof history->places[0]);
    for (uint32_t i = 1; i < history->value_count; i++)
        history->places[place_of(history, history->values[i].before, history->values[i].item)] = i;
}

/* UNSEEN: it has no number. */
static uint32_t find_behind(const struct linear_history *history, uint32_t value, uint64_t item)
{
    const uint32_t found = value == UNSEEN ? 0 : history->places[place_of(history, value, item)];
    return found != 0 ? found : UNSEEN;
}

uint32_t linear_behind(struct linear_history *history, uint32_t value, uint64_t item)
{
    uint32_t at = place_of(history, value, item);
    if (history->places[at] != 0) return history->places[at];
    if (history->value_count == history->place_count / 2) {
        grow(history);
        at = place_of(history, value, item);
    }
    history->values[history->value_count] =
        (struct linear_value){.item = item, .before = value, .length = history->values[value].length + 1};
    history->places[at] = history->value_count;
    return history->value_count++;
}

const char *linear_verdict_name(enum linear_verdict verdict)
{
    static const char *const names[] = {"fine", "broken", "unknown", "malformed"};
    return names[verdict];
}

/* --------------------------------------------------------------------------------------------------- one key's part */

/* A call, or a return, in the list. */
struct event {
    uint64_t time;
    uint32_t op, previous, next;
    bool is_return;
};

struct part {
    const struct linear_history *history;
    struct linear_op *ops;   /* of one key; what is open is narrowed down as far as can be                      */
    uint32_t *origins;       /* their places in the history                                                     */
    uint64_t *seen_at;       /* of each value: when a return first showed it; 0: only wanted; LINEAR_OPEN: never */
    uint32_t count, words;   /* of a set of operations                                                          */
    bool has_writes;         /* besides appends and swaps                                                       */
    bool looks_ahead;        /* no order is followed that hides what is still to be seen                        */
    struct event *events;    /* by their time; the list runs through them from events[0], which is none         */
    uint32_t event_count;
    uint32_t *call_of, *return_of; /* events of an operation; 0: it never returned                              */
    uint64_t *done;                /* the set of operations done                                                */
    uint32_t *stack, *values;      /* operations done, and the value before each                                */
    uint32_t depth, value, unreturned;
    uint32_t sights;               /* operations not done that saw a value                                      */
    uint32_t *best, *best_values;  /* the longest order that reached the last return that any order reached     */
    uint32_t best_depth, best_value, best_return;
    uint64_t *cache;               /* sets and values that were reached: records of words + 1 words             */
    uint32_t *slots;               /* of records, + 1; 0: free                                                  */
    uint64_t cached, cache_room;
    uint32_t slot_count;
};

/* The same of an item, wherever it stands. */
static uint64_t item_seen_at(const struct part *part, uint64_t item)
{
    uint64_t first = LINEAR_OPEN;
    for (uint32_t value = 1; value < part->history->value_count; value++)
        if (part->history->values[value].item == item && part->seen_at[value] < first) first = part->seen_at[value];
    return first;
}

/* And so was all of which it is made. */
static void mark_seen(struct part *part, uint32_t value, uint64_t time)
{
    for (; value != LINEAR_NOTHING && part->seen_at[value] > time; value = part->history->values[value].before)
        part->seen_at[value] = time;
}

static bool sees(const struct linear_op *op)
{
    return (op->kind == LINEAR_READ || op->kind == LINEAR_SWAP) && op->returned != LINEAR_OPEN;
}

static void find_seen(struct part *part)
{
    const uint32_t value_count = part->history->value_count;
    part->seen_at = memory(NULL, value_count, sizeof part->seen_at[0]);
    part->seen_at[LINEAR_NOTHING] = 0;
    for (uint32_t value = 1; value < value_count; value++) part->seen_at[value] = LINEAR_OPEN;
    for (uint32_t i = 0; i < part->count; i++) {
        const struct linear_op *op = &part->ops[i];
        part->has_writes |= op->kind == LINEAR_WRITE;
        if (sees(op)) mark_seen(part, op->seen, op->returned);
        if (op->kind == LINEAR_SWAP && !sees(op)) mark_seen(part, op->expected, 0);
    }
}

static bool is_only(const struct part *part, uint32_t op)
{
    for (uint32_t i = 0; i < part->count; i++)
        if (i != op && part->ops[i].kind != LINEAR_READ && part->ops[i].item == part->ops[op].item) return false;
    return true;
}

/* An operation that never returned would be tried at every later place. But
 *   - one whose item nobody saw, and no open swap wants, can as well have had no effect: take it out of an order, with
 *     those open swaps that it kept from having an effect, and all the others see what they saw;
 *   - one whose item was seen, if nobody else brings that item, had its effect before that. */
static void narrow(struct part *part)
{
    for (uint32_t i = 0; i < part->count; i++) {
        struct linear_op *op = &part->ops[i];
        if (op->returned != LINEAR_OPEN) continue;
        const uint64_t first = op->kind == LINEAR_READ ? LINEAR_OPEN : item_seen_at(part, op->item);
        if (first == LINEAR_OPEN)
            op->is_void = true;
        else if (first > op->called && op->kind != LINEAR_SWAP && is_only(part, i))
            op->returned = first;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        if (part->ops[i].is_void) continue;
        part->ops[kept] = part->ops[i];
        part->origins[kept++] = part->origins[i];
    }
    part->count = kept;
}

static int by_time(const void *a, const void *b)
{
    const struct event *one = a, *other = b;
    if (one->time != other->time) return one->time < other->time ? -1 : 1;
    if (one->is_return != other->is_return) return one->is_return ? 1 : -1;
    return one->op < other->op ? -1 : one->op > other->op;
}

static void make_list(struct part *part)
{
    part->events = memory(NULL, 2 * (size_t)part->count + 1, sizeof part->events[0]);
    part->events[0] = (struct event){.time = 0};
    part->event_count = 1;
    for (uint32_t i = 0; i < part->count; i++) {
        part->events[part->event_count++] = (struct event){.time = part->ops[i].called, .op = i};
        if (part->ops[i].returned == LINEAR_OPEN) continue;
        part->events[part->event_count++] = (struct event){.time = part->ops[i].returned, .op = i, .is_return = true};
        part->unreturned++;
    }
    qsort(part->events + 1, part->event_count - 1, sizeof part->events[0], by_time);
    for (uint32_t at = 0; at < part->event_count; at++) {
        part->events[at].previous = at > 0 ? at - 1 : part->event_count - 1;
        part->events[at].next = at + 1 < part->event_count ? at + 1 : 0;
        if (at > 0) (part->events[at].is_return ? part->return_of : part->call_of)[part->events[at].op] = at;
    }
}

static void unlink_event(struct part *part, uint32_t at)
{
    part->events[part->events[at].previous].next = part->events[at].next;
    part->events[part->events[at].next].previous = part->events[at].previous;
}

static void relink_event(struct part *part, uint32_t at)
{
    part->events[part->events[at].previous].next = at;
    part->events[part->events[at].next].previous = at;
}

/* ----------------------------------------------------------------------------------------------------------- search */

/* All values that nobody saw are one, and so is what is made of them: nothing is seen of which not all is seen. */
static uint32_t put_behind(const struct part *part, uint32_t value, uint64_t item)
{
    const uint32_t next = find_behind(part->history, value, item);
    return next == UNSEEN || part->seen_at[next] == LINEAR_OPEN ? UNSEEN : next;
}

/* Is it possible with that value, and what is the value then? A value that nobody saw ends with a write, or never. */
static bool is_possible(const struct part *part, const struct linear_op *op, uint32_t value, uint32_t *value_out)
{
    if (sees(op) && op->seen != value) return false;
    *value_out = value;
    if (op->kind == LINEAR_WRITE || (op->kind == LINEAR_SWAP && op->expected == value))
        *value_out = put_behind(part, LINEAR_NOTHING, op->item);
    if (op->kind == LINEAR_APPEND) *value_out = put_behind(part, value, op->item);
    return *value_out != UNSEEN || part->has_writes || !part->looks_ahead || part->sights == (sees(op) ? 1 : 0);
}

static uint64_t sum_of_record(const uint64_t *record, uint32_t words)
{
    uint64_t sum = 1;
    for (uint32_t i = 0; i <= words; i++) sum = mixed(sum, record[i]);
    return sum ^ sum >> 32;
}

static uint32_t slot_of_record(const struct part *part, const uint64_t *record)
{
    const size_t bytes = (part->words + 1) * sizeof record[0];
    uint32_t slot = (uint32_t)sum_of_record(record, part->words) & (part->slot_count - 1);
    for (; part->slots[slot] != 0; slot = (slot + 1) & (part->slot_count - 1))
        if (memcmp(part->cache + (part->slots[slot] - 1) * (uint64_t)(part->words + 1), record, bytes) == 0) break;
    return slot;
}

static void grow_cache(struct part *part)
{
    part->slot_count *= 2;
    part->slots = memory(part->slots, part->slot_count, sizeof part->slots[0]);
    memset(part->slots, 0, part->slot_count * sizeof part->slots[0]);
    part->cache_room = part->slot_count / 2;
    part->cache = memory(part->cache, part->cache_room * (part->words + 1), sizeof part->cache[0]);
    for (uint32_t i = 0; i < part->cached; i++)
        part->slots[slot_of_record(part, part->cache + i * (uint64_t)(part->words + 1))] = i + 1;
}

/* The operations done, and the value: were they met before? If not, they are from now on. */
static bool is_new(struct part *part, uint32_t value)
{
    if (part->cached == part->cache_room) grow_cache(part);
    uint64_t *record = part->cache + part->cached * (part->words + 1);
    memcpy(record, part->done, part->words * sizeof record[0]);
    record[part->words] = value;
    const uint32_t slot = slot_of_record(part, record);
    if (part->slots[slot] != 0) return false;
    part->slots[slot] = (uint32_t)++part->cached;
    return true;
}

static void do_op(struct part *part, uint32_t op, uint32_t value)
{
    part->stack[part->depth] = op;
    part->values[part->depth++] = part->value;
    part->value = value;
    part->sights -= sees(&part->ops[op]);
    unlink_event(part, part->call_of[op]);
    if (part->return_of[op] == 0) return;
    unlink_event(part, part->return_of[op]);
    part->unreturned--;
}

/* The event behind its call. */
static uint32_t take_back(struct part *part)
{
    const uint32_t op = part->stack[--part->depth];
    part->value = part->values[part->depth];
    part->sights += sees(&part->ops[op]);
    part->done[op / 64] &= ~(UINT64_C(1) << op % 64);
    if (part->return_of[op] != 0) {
        relink_event(part, part->return_of[op]);
        part->unreturned++;
    }
    relink_event(part, part->call_of[op]);
    return part->events[part->call_of[op]].next;
}

/* No order gets beyond that return; this one did as much as any before it. */
static void remember_best(struct part *part, uint32_t at)
{
    if (at < part->best_return || (at == part->best_return && part->depth <= part->best_depth)) return;
    part->best_return = at;
    part->best_depth = part->depth;
    part->best_value = part->value;
    memcpy(part->best, part->stack, part->depth * sizeof part->best[0]);
    memcpy(part->best_values, part->values, part->depth * sizeof part->values[0]);
}

static enum linear_verdict search(struct part *part, uint64_t steps_max, uint64_t *steps)
{
    uint32_t at = part->events[0].next, value;
    while (part->unreturned > 0) {
        if (++*steps > steps_max || part->cached * (part->words + 1) * 8 > CACHE_BYTES_MAX) return LINEAR_UNKNOWN;
        const uint32_t op = part->events[at].op;
        if (part->events[at].is_return) {
            remember_best(part, at);
            if (part->depth == 0) return LINEAR_BROKEN;
            at = take_back(part);
            continue;
        }
        at = part->events[at].next;
        if (!is_possible(part, &part->ops[op], part->value, &value)) continue;
        part->done[op / 64] |= UINT64_C(1) << op % 64;
        if (is_new(part, value)) {
            do_op(part, op, value);
            at = part->events[0].next;
        } else {
            part->done[op / 64] &= ~(UINT64_C(1) << op % 64);
        }
    }
    return LINEAR_FINE;
}

/* ---------------------------------------------------------------------------------------------------------- account */

__attribute__((format(printf, 2, 3))) static void tell(struct linear_report *report, const char *text, ...)
{
    const size_t used = strlen(report->text);
    va_list more;
    va_start(more, text);
    vsnprintf(report->text + used, sizeof report->text - used, text, more);
    va_end(more);
}

/* Its last items. */
static void tell_value(const struct part *part, uint32_t value, struct linear_report *report)
{
    uint64_t items[TOLD_ITEMS];
    uint32_t count = 0;
    if (value == LINEAR_NOTHING) tell(report, " nothing");
    const uint32_t length = part->history->values[value].length;
    for (; value != 0 && count < TOLD_ITEMS; value = part->history->values[value].before)
        items[count++] = part->history->values[value].item;
    if (count < length) tell(report, " (%u items) ..", length);
    while (count > 0) tell(report, " %" PRIu64, items[--count]);
}

/* What nobody saw has no number: what hid the last value that was seen, and what is behind it, say what it is. */
static void tell_best_value(const struct part *part, struct linear_report *report)
{
    uint32_t at = part->best_depth;
    if (part->best_value != UNSEEN) {
        tell_value(part, part->best_value, report);
        return;
    }
    do at--;
    while (part->best_values[at] == UNSEEN && part->ops[part->best[at]].kind != LINEAR_WRITE);
    if (part->ops[part->best[at]].kind == LINEAR_APPEND && part->best_values[at] != LINEAR_NOTHING)
        tell_value(part, part->best_values[at], report);
    tell(report, " %" PRIu64, part->ops[part->best[at]].item);
    while (++at < part->best_depth)
        if (part->ops[part->best[at]].kind == LINEAR_APPEND) tell(report, " %" PRIu64, part->ops[part->best[at]].item);
    tell(report, ", which nobody saw");
}

static void tell_op(const struct part *part, const struct linear_op *op, struct linear_report *report)
{
    tell(report, "  [%" PRIu64 ", ", op->called);
    if (op->returned == LINEAR_OPEN)
        tell(report, "open] %u", op->who);
    else
        tell(report, "%" PRIu64 "] %u", op->returned, op->who);
    switch (op->kind) {
    case LINEAR_READ: tell(report, " reads"); break;
    case LINEAR_WRITE: tell(report, " writes %" PRIu64, op->item); break;
    case LINEAR_APPEND: tell(report, " appends %" PRIu64, op->item); break;
    case LINEAR_SWAP:
        tell(report, " swaps in %" PRIu64 " for", op->item);
        tell_value(part, op->expected, report);
        if (op->returned != LINEAR_OPEN) tell(report, ", and sees");
        break;
    }
    if (op->kind == LINEAR_READ || (op->kind == LINEAR_SWAP && op->returned != LINEAR_OPEN))
        tell_value(part, op->seen, report);
    tell(report, "\n");
}

/* After the longest order all that was called and is not done: one of them would have to come next. */
static void tell_account(struct part *part, uint64_t upto, struct linear_report *report)
{
    const struct linear_op *ops = part->history->ops;
    const uint32_t stuck = part->origins[part->events[part->best_return].op];
    if (ops[stuck].returned == upto) report->op = stuck;
    tell(report, "key %" PRIu64 ": an order is found for %u operations", report->key, part->best_depth);
    if (part->best_depth > 0) tell(report, ", of which the last are");
    tell(report, "\n");
    for (uint32_t i = part->best_depth > TOLD_DONE ? part->best_depth - TOLD_DONE : 0; i < part->best_depth; i++)
        tell_op(part, &ops[part->origins[part->best[i]]], report);
    tell(report, "the value is");
    tell_best_value(part, report);
    tell(report, ". By %" PRIu64 " this has to be done, and cannot be:\n", upto);
    tell_op(part, &ops[report->op], report);
    uint32_t told = 0;
    memset(part->done, 0, part->words * sizeof part->done[0]);
    for (uint32_t i = 0; i < part->best_depth; i++) part->done[part->best[i] / 64] |= UINT64_C(1) << part->best[i] % 64;
    for (uint32_t op = 0; op < part->count; op++) {
        if (part->origins[op] == report->op || (part->done[op / 64] >> op % 64 & 1)) continue;
        if (told++ == 0) tell(report, "and beside it there is, which does not help:\n");
        if (told <= TOLD_NEXT) tell_op(part, &ops[part->origins[op]], report);
    }
    if (told > TOLD_NEXT) tell(report, "  and %u more\n", told - TOLD_NEXT);
}

/* -------------------------------------------------------------------------------------------------------- the whole */

/* Operations of one key, by their places in the history. */
struct of_key {
    const struct linear_history *history;
    const uint32_t *places;
    uint32_t count;
    uint64_t steps_max;
};

/* What was called up to that time; what returned later, nobody knows of yet. */
static void load(struct part *part, const struct of_key *of, uint64_t upto)
{
    part->history = of->history;
    part->ops = memory(NULL, of->count, sizeof part->ops[0]);
    part->origins = memory(NULL, of->count, sizeof part->origins[0]);
    for (uint32_t i = 0; i < of->count; i++) {
        const struct linear_op *op = &of->history->ops[of->places[i]];
        if (op->called > upto) continue;
        part->ops[part->count] = *op;
        part->origins[part->count] = of->places[i];
        if (op->returned > upto) part->ops[part->count].returned = LINEAR_OPEN;
        part->count++;
    }
    find_seen(part);
    narrow(part);
    for (uint32_t i = 0; i < part->count; i++) part->sights += sees(&part->ops[i]);
}

static void *zeros(size_t count, size_t bytes)
{
    return memset(memory(NULL, count, bytes), 0, count * bytes);
}

static enum linear_verdict check_upto(const struct of_key *of, uint64_t upto, bool is_told,
                                      struct linear_report *report)
{
    uint64_t steps = 0;
    struct part part = {.looks_ahead = !is_told, .slot_count = 32};
    load(&part, of, upto);
    part.words = (part.count + 63) / 64;
    part.call_of = zeros(part.count, sizeof part.call_of[0]);
    part.return_of = zeros(part.count, sizeof part.return_of[0]);
    part.stack = zeros(part.count, sizeof part.stack[0]);
    part.values = zeros(part.count, sizeof part.values[0]);
    part.best = zeros(part.count, sizeof part.best[0]);
    part.best_values = zeros(part.count, sizeof part.best_values[0]);
    part.done = zeros(part.words, sizeof part.done[0]);
    grow_cache(&part);
    make_list(&part);
    const enum linear_verdict verdict = search(&part, of->steps_max, &steps);
    report->steps += steps;
    if (is_told) tell_account(&part, upto, report);
    void *const all[] = {part.ops, part.origins, part.seen_at, part.call_of, part.return_of, part.stack,
                         part.values, part.best, part.best_values, part.done, part.cache, part.slots, part.events};
    for (uint32_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
    return verdict;
}

/* A history that is broken is so from some return on: that operation is blamed. The return is looked for by halves. */
static void blame(const struct of_key *of, struct linear_report *report)
{
    uint64_t fine = 0, broken = LINEAR_OPEN;
    while (true) {
        uint32_t between = 0;
        uint64_t seed = report->steps, upto = 0;
        for (uint32_t i = 0; i < of->count; i++) { /* any of those that are left, by lot */
            const uint64_t returned = of->history->ops[of->places[i]].returned;
            if (returned <= fine || returned >= broken) continue;
            seed = mixed(seed, i);
            if (seed % ++between == 0) upto = returned;
        }
        if (between == 0) break;
        if (check_upto(of, upto, false, report) == LINEAR_BROKEN)
            broken = upto;
        else
            fine = upto;
    }
    for (uint32_t i = of->count; i-- > 0;)
        if (of->history->ops[of->places[i]].returned == broken) report->op = of->places[i];
    check_upto(of, broken, true, report);
}

static bool is_wellformed(const struct linear_history *history, enum linear_model model, struct linear_report *report)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct linear_op *op = &history->ops[i];
        report->op = i;
        if ((uint32_t)op->kind > LINEAR_SWAP || !(kinds_of[model] >> op->kind & 1)) return false;
        if (op->called == LINEAR_OPEN || op->returned < op->called) return false;
        if (op->seen >= history->value_count || op->expected >= history->value_count) return false;
    }
    report->op = 0;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct linear_op *one = *(const struct linear_op *const *)a, *other = *(const struct linear_op *const *)b;
    if (one->key != other->key) return one->key < other->key ? -1 : 1;
    return one < other ? -1 : one > other;
}

/* Places of what happened, those of one key beside each other. */
static uint32_t *sort_by_key(const struct linear_history *history, uint32_t *count_out)
{
    const struct linear_op **sorted = memory(NULL, history->count, sizeof(const struct linear_op *));
    uint32_t *places = memory(NULL, history->count, sizeof places[0]), count = 0;
    for (uint32_t i = 0; i < history->count; i++)
        if (!history->ops[i].is_void) sorted[count++] = &history->ops[i];
    qsort(sorted, count, sizeof sorted[0], by_key);
    for (uint32_t i = 0; i < count; i++) places[i] = (uint32_t)(sorted[i] - history->ops);
    free(sorted);
    *count_out = count;
    return places;
}

/* A key that is broken is told even if another was given up. */
enum linear_verdict linear_check(const struct linear_history *history, enum linear_model model, uint64_t steps_max,
                                 struct linear_report *report)
{
    *report = (struct linear_report){.steps = 0};
    if ((uint32_t)model >= LINEAR_MODEL_COUNT || !is_wellformed(history, model, report)) {
        tell(report, "operation %u is none of that model\n", report->op);
        return LINEAR_MALFORMED;
    }
    enum linear_verdict verdict = LINEAR_FINE;
    uint32_t count;
    uint32_t *places = sort_by_key(history, &count);
    for (uint32_t first = 0, end; first < count && verdict != LINEAR_BROKEN; first = end) {
        const uint64_t key = history->ops[places[first]].key;
        for (end = first; end < count && history->ops[places[end]].key == key; end++) continue;
        const struct of_key of = {
            .history = history, .places = places + first, .count = end - first, .steps_max = steps_max};
        const enum linear_verdict one = check_upto(&of, LINEAR_OPEN - 1, false, report);
        report->parts++;
        if (one == LINEAR_FINE) continue;
        verdict = one;
        report->key = key;
        if (one == LINEAR_BROKEN)
            blame(&of, report);
        else
            tell(report, "key %" PRIu64 ": given up, with %u operations\n", key, end - first);
    }
    free(places);
    return verdict;
}
