/* linear_test.c: the checker of linear.h itself. Histories by hand, with their verdict; little ones, where every order
 * is tried; long ones of a store that makes no mistake, and the same with one.
 *
 *   TEAK_SEED=n    random histories of that seed alone
 *   TEAK_RUNS=n    so many of each kind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../unit/seeded.h"
#include "linear.h"

enum { STEPS_MAX = 1 << 20, LITTLE = 7, KEYS = 3, LONG_MAX = 300 };

static const char *const model_names[] = {"register", "key-value", "list"};

/* ---------------------------------------------------------------------------------------------------------- by hand */

/* One operation after the other, each "op called-returned;", with ? where nobody was told:
 *     r1.2   a read of 1, 2       w1   a write       a1   an append       s1>2=3   a swap of 1 for 2 that saw 3
 * A word like k2 before says which key. */
static const char *value_from(struct linear_history *history, const char *at, uint32_t *value)
{
    *value = LINEAR_NOTHING;
    while (*at >= '0' && *at <= '9') {
        char *end;
        *value = linear_behind(history, *value, strtoull(at, &end, 10));
        at = *end == '.' ? end + 1 : end;
    }
    return at;
}

static const char *op_from(struct linear_history *history, const char *at, uint64_t key)
{
    struct linear_op op = {.key = key, .returned = LINEAR_OPEN};
    const char letter = *at++;
    char *end;
    op.kind = letter == 'r' ? LINEAR_READ : letter == 'w' ? LINEAR_WRITE : letter == 'a' ? LINEAR_APPEND : LINEAR_SWAP;
    if (op.kind == LINEAR_READ) at = value_from(history, at, &op.seen);
    if (op.kind == LINEAR_SWAP) at = value_from(history, at, &op.expected) + 1;
    if (op.kind != LINEAR_READ) op.item = strtoull(at, &end, 10), at = end;
    if (op.kind == LINEAR_SWAP && *at == '=') at = value_from(history, at + 1, &op.seen);
    op.called = strtoull(at, &end, 10);
    at = end + 1;
    if (*at != '?') op.returned = strtoull(at, &end, 10), at = end - 1;
    op.who = history->count + 1;
    linear_add(history, &op);
    return at + 1;
}

static void read_history(struct linear_history *history, const char *at)
{
    uint64_t key = 1;
    linear_begin(history);
    while (*at != '\0') {
        if (*at == 'k') {
            key = (uint64_t)(at[1] - '0');
            at += 2;
        } else if (*at == ' ' || *at == ';') {
            at++;
        } else {
            at = op_from(history, at, key);
        }
    }
}

/* Of a broken one: `blamed` is the operation that cannot be done in time, counted from 1. */
static const struct hand {
    const char *name;
    enum linear_model model;
    const char *text;
    uint32_t blamed;
} hands[] = {
    {"nothing happened", LINEAR_REGISTER, "", 0},
    {"nothing was written", LINEAR_REGISTER, "r 1-2; r 3-4", 0},
    {"a read sees the write before it", LINEAR_REGISTER, "w1 1-2; r1 3-4", 0},
    {"a read misses the write before it", LINEAR_REGISTER, "w1 1-2; r 3-4", 2},
    {"a read beside a write may miss it, and one behind that may see it", LINEAR_REGISTER, "w1 1-9; r 2-3; r1 4-5", 0},
    {"a write is seen, then unseen", LINEAR_REGISTER, "w1 1-9; r1 2-3; r 4-5", 3},
    {"an overwritten value is seen", LINEAR_REGISTER, "w1 1-2; w2 3-4; r1 5-6", 3},
    {"a newer value is seen, then an older one", LINEAR_REGISTER, "w1 1-2; w2 3-9; r2 4-5; r1 6-7", 4},
    {"a read from the future", LINEAR_REGISTER, "r1 1-2; w1 3-4", 1},
    {"what nobody wrote", LINEAR_REGISTER, "w1 1-2; r2 3-4", 2},
    {"what was called first is done last", LINEAR_REGISTER, "w2 1-9; w1 2-3; r1 4-5; r2 6-7", 0},
    {"two writes beside each other, in one order", LINEAR_REGISTER, "w1 1-9; w2 1-9; r2 2-3; r1 4-5", 0},
    {"two writes beside each other, in two orders", LINEAR_REGISTER, "w1 1-9; w2 1-9; r1 2-3; r2 4-5; r1 6-7", 5},
    {"what returns as another is called is beside it", LINEAR_REGISTER, "w1 1-5; r 5-6", 0},
    {"and a moment later it is not", LINEAR_REGISTER, "w1 1-5; r 6-7", 2},
    {"a write of unknown outcome is done late", LINEAR_REGISTER, "w1 1-?; w2 2-3; r2 4-5; r1 6-7", 0},
    {"a write of unknown outcome is never done", LINEAR_REGISTER, "w1 1-?; r 2-3; r 4-5", 0},
    {"a write of unknown outcome is done twice", LINEAR_REGISTER, "w1 1-?; r1 2-3; w2 4-5; r2 6-7; r1 8-9", 5},
    {"a write of unknown outcome is done before it was called", LINEAR_REGISTER, "r1 1-2; w1 3-?", 1},
    {"a write of unknown outcome is done, then undone", LINEAR_REGISTER, "w2 1-2; w1 3-?; r1 4-5; r2 6-7", 4},
    {"equal items of unknown outcome may do each other's work", LINEAR_REGISTER,
     "w1 1-?; w1 2-?; r1 3-4; w2 5-6; r2 7-8; r1 9-10", 0},
    {"a read without an answer saw anything", LINEAR_REGISTER, "w1 1-2; r7 3-?; r1 4-5", 0},
    {"swaps one behind the other", LINEAR_REGISTER, "s>1= 1-2; s1>2=1 3-4; s1>3=2 5-6; r2 7-8", 0},
    {"an update is lost: two swaps of the same", LINEAR_REGISTER, "s>1= 1-2; s>2= 3-4", 2},
    {"an update is lost: two swaps of the same beside each other", LINEAR_REGISTER, "s>1= 1-8; s>2= 1-9; r2 10-11", 2},
    {"a swap that saw what it wanted had an effect", LINEAR_REGISTER, "w1 1-2; s1>2=1 3-4; r1 5-6", 3},
    {"a swap that saw something else had none", LINEAR_REGISTER, "w1 1-2; s3>2=1 3-4; r2 5-6", 3},
    {"a swap of unknown outcome is done late", LINEAR_REGISTER, "w1 1-2; s1>2 3-?; r1 4-5; r2 6-7", 0},
    {"a swap of unknown outcome of what never was", LINEAR_REGISTER, "w1 1-2; s3>2 3-?; r2 4-5", 3},
    {"a swap needs a write that nobody saw", LINEAR_REGISTER, "w1 1-?; s1>2 2-?; r2 3-4", 0},
    {"a write, and what is behind it", LINEAR_KEY_VALUE, "w1 1-2; a2 3-4; r1.2 5-6; w3 7-8; r3 9-10", 0},
    {"an append is lost", LINEAR_KEY_VALUE, "w1 1-2; a2 3-4; r1 5-6", 3},
    {"an append is done twice", LINEAR_KEY_VALUE, "a1 1-2; r1.1 3-4", 2},
    {"an append before the write beside it", LINEAR_KEY_VALUE, "a1 1-9; w2 1-9; r2 10-11", 0},
    {"an append behind the write beside it", LINEAR_KEY_VALUE, "a1 1-9; w2 1-9; r2.1 10-11", 0},
    {"an append behind a write that came later", LINEAR_KEY_VALUE, "a1 1-2; w2 3-4; r2.1 5-6", 3},
    {"keys have nothing to do with each other", LINEAR_KEY_VALUE, "k1 w1 1-2; k2 r 3-4; k1 r1 5-6", 0},
    {"one of two keys is stale", LINEAR_KEY_VALUE, "k1 w1 1-2; k2 w2 3-4; k1 r1 5-6; k2 r 7-8", 4},
    {"items in the order in which they came", LINEAR_LIST, "a1 1-2; a2 3-4; r1.2 5-6", 0},
    {"items in another order", LINEAR_LIST, "a1 1-2; a2 3-4; r2.1 5-6", 3},
    {"two beside each other come in either order", LINEAR_LIST, "a1 1-9; a2 1-9; r2.1 10-11", 0},
    {"... but in one", LINEAR_LIST, "a1 1-9; a2 1-9; r2.1 10-11; r1.2 12-13", 4},
    {"... and not in both at the same time", LINEAR_LIST, "a1 1-9; a2 1-9; r1 2-3; r2 4-5", 4},
    {"an item of unknown outcome comes late", LINEAR_LIST, "a1 1-?; a2 2-3; r2 4-5; a3 6-7; r2.3.1 8-9", 0},
    {"an item of unknown outcome comes into the middle", LINEAR_LIST, "a1 1-?; a2 2-3; r2 4-5; r1.2 6-7", 4},
    {"a list becomes shorter", LINEAR_LIST, "a1 1-2; a2 3-4; r1.2 5-6; r1 7-8", 4},
};

static void print_report(const struct linear_report *report) { fprintf(stderr, "%s", report->text); }

static void histories_by_hand(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < sizeof hands / sizeof hands[0]; i++) {
        const struct hand *hand = &hands[i];
        struct linear_history history;
        struct linear_report report;
        read_history(&history, hand->text);
        const enum linear_verdict verdict = linear_check(&history, hand->model, STEPS_MAX, &report);
        const enum linear_verdict wanted = hand->blamed ? LINEAR_BROKEN : LINEAR_FINE;
        if (verdict != wanted || (hand->blamed && report.op + 1 != hand->blamed)) {
            print_report(&report);
            fail_msg("%s: %s, operation %u is blamed", hand->name, linear_verdict_name(verdict), report.op + 1);
        }
        linear_end(&history);
    }
}

static void an_account_names_what_fits_and_what_cannot_come_next(void **state)
{
    (void)state;
    struct linear_history history;
    struct linear_report report;
    read_history(&history, "k2 w1 1-2; w2 3-4; r2 5-6; k7 a1 1-2; a2 3-9; r1.2 4-5; r1 6-8; a3 9-?; r1.2.3 10-11");
    assert_int_equal(linear_check(&history, LINEAR_KEY_VALUE, STEPS_MAX, &report), LINEAR_BROKEN);
    assert_string_equal(report.text, "key 7: an order is found for 3 operations, of which the last are\n"
                                     "  [1, 2] 4 appends 1\n"
                                     "  [3, 9] 5 appends 2\n"
                                     "  [4, 5] 6 reads 1 2\n"
                                     "the value is 1 2. By 8 this has to be done, and cannot be:\n"
                                     "  [6, 8] 7 reads 1\n");
    assert_int_equal(report.key, 7);
    assert_int_equal(report.parts, 2);
    linear_end(&history);
}

static void an_account_tells_a_value_that_nobody_saw(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"a1 1-2; r1 3-4; a2 5-6; a3 7-8; r1 9-10", "the value is 1 2 3, which nobody saw. By 10"},
        {"w1 1-2; r1 3-4; w2 5-6; a3 7-8; r1 9-10", "the value is 2 3, which nobody saw. By 10"},
        {"w1 1-2; w2 3-4; a3 5-6; w4 7-8; r1 9-10", "the value is 4, which nobody saw. By 10"},
        {"a1 1-2; r 3-4", "the value is 1, which nobody saw. By 4"},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct linear_history history;
        struct linear_report report;
        read_history(&history, cases[i].text);
        assert_int_equal(linear_check(&history, LINEAR_KEY_VALUE, STEPS_MAX, &report), LINEAR_BROKEN);
        if (!strstr(report.text, cases[i].line)) fail_msg("%s: %s", cases[i].text, report.text);
        linear_end(&history);
    }
}

/* A register that many write at a time. */
static void a_search_that_is_given_up_is_not_fine(void **state)
{
    (void)state;
    for (uint32_t is_broken = 0; is_broken < 2; is_broken++) {
        struct linear_history history;
        struct linear_report report;
        linear_begin(&history);
        for (uint64_t item = 1; item <= 12; item++)
            linear_add(&history, &(struct linear_op){.kind = LINEAR_WRITE, .item = item, .called = 1, .returned = 100});
        const uint32_t seen = linear_behind(&history, LINEAR_NOTHING, is_broken ? 99 : 1);
        linear_add(&history, &(struct linear_op){.kind = LINEAR_READ, .seen = seen, .called = 101, .returned = 102});
        assert_int_equal(linear_check(&history, LINEAR_REGISTER, 12, &report), LINEAR_UNKNOWN);
        assert_non_null(strstr(report.text, "given up"));
        assert_int_equal(linear_check(&history, LINEAR_REGISTER, STEPS_MAX, &report),
                         is_broken ? LINEAR_BROKEN : LINEAR_FINE);
        assert_true(report.steps > 12);
        linear_end(&history);
    }
}

static void a_broken_key_is_told_beside_one_that_was_given_up(void **state)
{
    (void)state;
    struct linear_history history;
    struct linear_report report;
    read_history(&history, "k1 w1 1-9; w2 1-9; w3 1-9; w4 1-9; r1 10-11; k2 r5 1-2; k3 r 1-2");
    assert_int_equal(linear_check(&history, LINEAR_REGISTER, 5, &report), LINEAR_BROKEN);
    assert_int_equal(report.key, 2);
    assert_int_equal(report.op, 5);
    linear_end(&history);
}

static void what_is_no_history_of_the_model_is_malformed(void **state)
{
    (void)state;
    static const struct {
        enum linear_model model;
        struct linear_op op;
    } bad[] = {
        {LINEAR_REGISTER, {.kind = LINEAR_APPEND, .called = 1, .returned = 2}},
        {LINEAR_KEY_VALUE, {.kind = LINEAR_SWAP, .called = 1, .returned = 2}},
        {LINEAR_LIST, {.kind = LINEAR_WRITE, .called = 1, .returned = 2}},
        {LINEAR_LIST, {.kind = LINEAR_SWAP, .called = 1, .returned = 2}},
        {LINEAR_REGISTER, {.kind = (enum linear_kind)9, .called = 1, .returned = 2}},
        {LINEAR_MODEL_COUNT, {.kind = LINEAR_READ, .called = 1, .returned = 2}},
        {LINEAR_REGISTER, {.kind = LINEAR_READ, .called = 2, .returned = 1}},
        {LINEAR_REGISTER, {.kind = LINEAR_READ, .called = LINEAR_OPEN, .returned = LINEAR_OPEN}},
        {LINEAR_REGISTER, {.kind = LINEAR_READ, .called = 1, .returned = 2, .seen = 1}},
        {LINEAR_REGISTER, {.kind = LINEAR_SWAP, .called = 1, .returned = 2, .expected = 1}},
    };
    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct linear_history history;
        struct linear_report report;
        linear_begin(&history);
        linear_add(&history, &(struct linear_op){.kind = LINEAR_READ, .called = 1, .returned = 2});
        linear_add(&history, &bad[i].op);
        assert_int_equal(linear_check(&history, bad[i].model, STEPS_MAX, &report), LINEAR_MALFORMED);
        assert_true(report.text[0] != '\0');
        linear_end(&history);
    }
}

/* ------------------------------------------------------------------------------------------------------ every order */

/* The values of all keys, plainly. */
struct plain {
    uint64_t items[KEYS][LITTLE];
    uint32_t counts[KEYS];
};

static bool is_value(const struct linear_history *history, uint32_t value, const struct plain *plain, uint64_t key)
{
    if (history->values[value].length != plain->counts[key]) return false;
    for (uint32_t at = plain->counts[key]; at-- > 0; value = history->values[value].before)
        if (history->values[value].item != plain->items[key][at]) return false;
    return true;
}

static bool plainly_done(const struct linear_history *history, const struct linear_op *op, struct plain *plain)
{
    const bool is_told = op->returned != LINEAR_OPEN, sees = op->kind == LINEAR_READ || op->kind == LINEAR_SWAP;
    if (sees && is_told && !is_value(history, op->seen, plain, op->key)) return false;
    if (op->kind == LINEAR_READ) return true;
    if (op->kind == LINEAR_SWAP && !is_value(history, op->expected, plain, op->key)) return true;
    if (op->kind != LINEAR_APPEND) plain->counts[op->key] = 0;
    plain->items[op->key][plain->counts[op->key]++] = op->item;
    return true;
}

/* Is there an order that begins with what is done, whose result is `plain`? */
static bool has_order(const struct linear_history *history, uint32_t done, struct plain plain)
{
    bool is_left = false;
    for (uint32_t i = 0; i < history->count; i++)
        is_left |= !(done >> i & 1) && history->ops[i].returned != LINEAR_OPEN;
    if (!is_left) return true;
    for (uint32_t i = 0; i < history->count; i++) {
        bool is_first = !(done >> i & 1);
        for (uint32_t j = 0; j < history->count && is_first; j++)
            is_first = (done >> j & 1) || history->ops[j].returned >= history->ops[i].called;
        struct plain then = plain;
        if (is_first && plainly_done(history, &history->ops[i], &then) && has_order(history, done | 1u << i, then))
            return true;
    }
    return false;
}

/* A value that may well have been there: of few items, which several operations may bring. */
static uint32_t some_value(struct linear_history *history, struct seeded *dice, enum linear_model model,
                           uint32_t items)
{
    uint32_t value = LINEAR_NOTHING;
    const uint32_t length = seeded_below(dice, model == LINEAR_REGISTER ? 2 : 4);
    for (uint32_t i = 0; i < length; i++) value = linear_behind(history, value, 1 + seeded_below(dice, items));
    return value;
}

static enum linear_kind some_kind(struct seeded *dice, enum linear_model model)
{
    static const enum linear_kind kinds[][4] = {
        [LINEAR_REGISTER] = {LINEAR_READ, LINEAR_READ, LINEAR_WRITE, LINEAR_SWAP},
        [LINEAR_KEY_VALUE] = {LINEAR_READ, LINEAR_READ, LINEAR_WRITE, LINEAR_APPEND},
        [LINEAR_LIST] = {LINEAR_READ, LINEAR_READ, LINEAR_APPEND, LINEAR_APPEND},
    };
    return kinds[model][seeded_below(dice, 4)];
}

static void make_little(struct linear_history *history, struct seeded *dice, enum linear_model model)
{
    const uint32_t count = 1 + seeded_below(dice, LITTLE), keys = 1 + seeded_below(dice, 2);
    const uint32_t span = 4 + seeded_below(dice, 12), open = seeded_below(dice, 4);
    const bool is_unique = seeded_below(dice, 2) == 0;
    const uint32_t items = is_unique ? count : 1 + seeded_below(dice, 3);
    linear_begin(history);
    for (uint32_t i = 0; i < count; i++) {
        struct linear_op op = {.kind = some_kind(dice, model), .key = seeded_below(dice, keys), .who = i};
        op.item = is_unique ? i + 1 : 1 + seeded_below(dice, items);
        op.seen = some_value(history, dice, model, items);
        op.expected = seeded_below(dice, 2) == 0 ? op.seen : some_value(history, dice, model, items);
        op.called = seeded_below(dice, span);
        op.returned = seeded_below(dice, 8) < open ? LINEAR_OPEN : op.called + seeded_below(dice, span / 2);
        linear_add(history, &op);
    }
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    return given ? strtoull(given, NULL, 0) : otherwise;
}

static void little_histories_get_the_verdict_of_all_their_orders(void **state)
{
    (void)state;
    const uint64_t first = number_of("TEAK_SEED", 1), runs = number_of("TEAK_RUNS", getenv("TEAK_SEED") ? 1 : 30000);
    uint64_t verdicts[LINEAR_MODEL_COUNT][2] = {{0}};
    for (uint64_t seed = first; seed < first + runs; seed++) {
        struct seeded dice = {.state = seed};
        struct linear_history history;
        struct linear_report report;
        const enum linear_model model = (enum linear_model)(seed % LINEAR_MODEL_COUNT);
        make_little(&history, &dice, model);
        const bool is_fine = has_order(&history, 0, (struct plain){.counts = {0}});
        const enum linear_verdict verdict = linear_check(&history, model, STEPS_MAX, &report);
        if (verdict != (is_fine ? LINEAR_FINE : LINEAR_BROKEN)) {
            print_report(&report);
            fail_msg("TEAK_SEED=%" PRIu64 ": a %s history is called %s, and all orders say the contrary", seed,
                     model_names[model], linear_verdict_name(verdict));
        }
        verdicts[model][is_fine]++;
        linear_end(&history);
    }
    for (uint32_t model = 0; model < LINEAR_MODEL_COUNT; model++) {
        printf("%s: %" PRIu64 " fine, %" PRIu64 " broken\n", model_names[model], verdicts[model][1],
               verdicts[model][0]);
        if (runs >= 30000) assert_true(verdicts[model][0] > 500 && verdicts[model][1] > 500);
    }
}

/* ---------------------------------------------------------------------------------------- a store without a mistake */

/* Operations under way: called, done or not, not returned. */
struct under_way {
    uint32_t places[LONG_MAX], count;
    bool is_done[LONG_MAX];
};

static void do_it(struct linear_history *history, uint32_t place, uint32_t *values)
{
    struct linear_op *op = &history->ops[place];
    uint32_t *value = &values[op->key];
    op->seen = *value;
    if (op->kind == LINEAR_APPEND) *value = linear_behind(history, *value, op->item);
    if (op->kind == LINEAR_WRITE || (op->kind == LINEAR_SWAP && *value == op->expected))
        *value = linear_behind(history, LINEAR_NOTHING, op->item);
}

/* Calls come, have their effects and return, in any order; some never return, and have theirs at any time. */
static void make_long(struct linear_history *history, struct seeded *dice, enum linear_model model, uint32_t calls)
{
    const uint32_t keys = 1 + seeded_below(dice, KEYS), most = 1 + seeded_below(dice, 8);
    const uint32_t lost = seeded_below(dice, 2) * 20;
    uint32_t values[KEYS] = {LINEAR_NOTHING}, open = 0;
    struct under_way way = {.count = 0};
    linear_begin(history);
    for (uint64_t now = 1; history->count < calls || way.count > open; now++) {
        const uint32_t which = way.count > 0 ? seeded_below(dice, way.count) : 0;
        const uint32_t place = way.places[which];
        if (history->count < calls && way.count < most + open && seeded_below(dice, 2) == 0) {
            struct linear_op op = {.kind = some_kind(dice, model), .key = seeded_below(dice, keys), .called = now,
                                   .returned = LINEAR_OPEN, .item = 1000 + history->count, .who = history->count};
            op.expected = seeded_below(dice, 2) == 0 ? values[op.key] : LINEAR_NOTHING;
            way.is_done[way.count] = false;
            way.places[way.count++] = linear_add(history, &op);
        } else if (way.count == 0) {
            continue;
        } else if (!way.is_done[which]) {
            if (history->ops[place].who != UINT32_MAX && seeded_below(dice, 1000) < lost) {
                history->ops[place].who = UINT32_MAX; /* nobody will be told */
                open++;
            } else if (history->ops[place].who != UINT32_MAX || seeded_below(dice, 20) == 0) {
                do_it(history, place, values);
                way.is_done[which] = true;
            }
        } else if (history->ops[place].who != UINT32_MAX) {
            history->ops[place].returned = now;
            way.count--;
            way.places[which] = way.places[way.count];
            way.is_done[which] = way.is_done[way.count];
        }
    }
}

static bool is_read(const struct linear_op *op) { return op->kind == LINEAR_READ && op->returned != LINEAR_OPEN; }

/* `before` returned before `after` was called, and they are of one key. */
static bool is_behind(const struct linear_op *before, const struct linear_op *after)
{
    return before->key == after->key && before->returned < after->called;
}

/* Mistakes of which each makes any history broken, for items come once. They get three operations, and say whether they
 * could be made; the last one is a read that returned. */
static bool sees_less_than_another(struct linear_history *history, const struct linear_op *a, const struct linear_op *b,
                                   struct linear_op *read)
{
    (void)b;
    if (!is_read(a) || !is_behind(a, read) || a->seen == LINEAR_NOTHING) return false;
    read->seen = history->values[a->seen].before;
    return true;
}

static bool sees_the_future(struct linear_history *history, const struct linear_op *a, const struct linear_op *b,
                            struct linear_op *read)
{
    (void)b;
    if (a->kind == LINEAR_READ || !is_behind(read, a)) return false;
    read->seen = linear_behind(history, a->kind == LINEAR_APPEND ? read->seen : LINEAR_NOTHING, a->item);
    return true;
}

static bool sees_an_item_twice(struct linear_history *history, const struct linear_op *a, const struct linear_op *b,
                               struct linear_op *read)
{
    (void)a;
    (void)b;
    if (read->seen == LINEAR_NOTHING) return false;
    read->seen = linear_behind(history, read->seen, history->values[read->seen].item);
    return true;
}

static bool sees_what_was_overwritten(struct linear_history *history, const struct linear_op *a,
                                      const struct linear_op *b, struct linear_op *read)
{
    if (a->kind != LINEAR_WRITE || b->kind != LINEAR_WRITE || b->returned == LINEAR_OPEN) return false;
    if (!is_behind(a, b) || !is_behind(b, read)) return false;
    read->seen = linear_behind(history, LINEAR_NOTHING, a->item);
    return true;
}

static bool misses_what_returned(struct linear_history *history, const struct linear_op *a, const struct linear_op *b,
                                 struct linear_op *read)
{
    (void)b;
    if (a->kind != LINEAR_APPEND || !is_behind(a, read)) return false;
    uint64_t items[LONG_MAX];
    uint32_t count = 0;
    for (uint32_t value = read->seen; value != LINEAR_NOTHING; value = history->values[value].before)
        items[count++] = history->values[value].item;
    for (read->seen = LINEAR_NOTHING; count > 0; count--)
        if (items[count - 1] != a->item) read->seen = linear_behind(history, read->seen, items[count - 1]);
    return true;
}

static const struct mistake {
    const char *name;
    uint32_t models; /* in which it is one */
    bool (*make)(struct linear_history *, const struct linear_op *, const struct linear_op *, struct linear_op *);
} mistakes[] = {
    {"a read sees less than another one before it", 1u << LINEAR_LIST, sees_less_than_another},
    {"a read sees what comes later", 7, sees_the_future},
    {"a read sees an item twice", 7, sees_an_item_twice},
    {"a read sees what was overwritten", 1u << LINEAR_REGISTER | 1u << LINEAR_KEY_VALUE, sees_what_was_overwritten},
    {"a read misses an append that returned", 1u << LINEAR_LIST, misses_what_returned},
};

static bool makes(const struct mistake *mistake, struct linear_history *history, struct seeded *dice)
{
    for (uint32_t tries = 0; tries < 200; tries++) {
        struct linear_op *read = &history->ops[seeded_below(dice, history->count)];
        const struct linear_op *a = &history->ops[seeded_below(dice, history->count)];
        const struct linear_op *b = &history->ops[seeded_below(dice, history->count)];
        if (is_read(read) && mistake->make(history, a, b, read)) return true;
    }
    return false;
}

static void expect_verdict(struct linear_history *history, enum linear_model model, enum linear_verdict wanted,
                           uint64_t seed, const char *what)
{
    struct linear_report report;
    const enum linear_verdict verdict = linear_check(history, model, STEPS_MAX, &report);
    if (verdict == wanted) return;
    print_report(&report);
    fail_msg("TEAK_SEED=%" PRIu64 ": a %s history, %s, is called %s", seed, model_names[model], what,
             linear_verdict_name(verdict));
}

static void a_store_without_a_mistake_is_fine_and_one_with_a_mistake_is_broken(void **state)
{
    (void)state;
    enum { MISTAKES = sizeof mistakes / sizeof mistakes[0] };
    const uint64_t first = number_of("TEAK_SEED", 1), runs = number_of("TEAK_RUNS", getenv("TEAK_SEED") ? 1 : 3000);
    uint64_t made[MISTAKES] = {0};
    for (uint64_t seed = first; seed < first + runs; seed++) {
        struct seeded dice = {.state = seed};
        struct linear_history history;
        const enum linear_model model = (enum linear_model)(seed % LINEAR_MODEL_COUNT);
        const struct mistake *mistake = &mistakes[seeded_below(&dice, MISTAKES)];
        make_long(&history, &dice, model, 10 + seeded_below(&dice, LONG_MAX - 10));
        expect_verdict(&history, model, LINEAR_FINE, seed, "without a mistake");
        if ((mistake->models >> model & 1) && makes(mistake, &history, &dice)) {
            expect_verdict(&history, model, LINEAR_BROKEN, seed, mistake->name);
            made[mistake - mistakes]++;
        }
        linear_end(&history);
    }
    for (uint32_t i = 0; i < MISTAKES; i++) {
        printf("%5" PRIu64 " times %s\n", made[i], mistakes[i].name);
        if (runs >= 3000) assert_true(made[i] > 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_by_hand),
        cmocka_unit_test(an_account_names_what_fits_and_what_cannot_come_next),
        cmocka_unit_test(an_account_tells_a_value_that_nobody_saw),
        cmocka_unit_test(a_search_that_is_given_up_is_not_fine),
        cmocka_unit_test(a_broken_key_is_told_beside_one_that_was_given_up),
        cmocka_unit_test(what_is_no_history_of_the_model_is_malformed),
        cmocka_unit_test(little_histories_get_the_verdict_of_all_their_orders),
        cmocka_unit_test(a_store_without_a_mistake_is_fine_and_one_with_a_mistake_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
