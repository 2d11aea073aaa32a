/* log_store.c: see log_store.h. Cases in the order of the contract; a name states a fact.
 * OWNS   The trial that runs, and the memory in which its payloads are made.
 * PATH   log_store_try opens a store in an empty place and calls a case; the first expectation that does not hold
 *        leaves the case by longjmp, with a line that says what was not so.
 * HOLDS  A payload is made of its log, index and term: an entry that came from elsewhere is seen by its bytes. */
#include "conformance/log_store.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conformance/log_store_reference.h"
#include "unit/seeded.h"

enum { ROOM_BYTES = 1 << 20, ENTRIES_MAX = 512, LARGE = 1 << 20 };
static const uint64_t NO_LIMIT = UINT64_MAX;

static struct {
    const struct log_store_subject *subject;
    const struct log_store_ops *ops;
    void *store; /* NULL: not open */
    struct seeded seeded;
    jmp_buf leave;
    char *why;
    struct reference_place *oracle_place; /* of the random case */
    void *oracle;
} trial;

static uint8_t room[ROOM_BYTES], wanted[ROOM_BYTES];

/* ----------------------------------------------------------------------------------------------------- expectations */

__attribute__((noreturn, format(printf, 2, 3))) static void missed(int line, const char *text, ...)
{
    va_list more;
    const int at = snprintf(trial.why, LOG_STORE_WHY_BYTES, "line %d: ", line);
    va_start(more, text);
    vsnprintf(trial.why + at, LOG_STORE_WHY_BYTES - (size_t)at, text, more);
    va_end(more);
    longjmp(trial.leave, 1);
}

static const char *answer_name(enum log_store_answer answer)
{
    static const char *const names[LOG_STORE_ANSWER_COUNT] = {"OK",        "REFUSED", "UNKNOWN",
                                                              "COMPACTED", "BEYOND",  "FAILED"};
    return answer < LOG_STORE_ANSWER_COUNT ? names[answer] : "no answer of the contract";
}

static void expect_number(int line, const char *what, uint64_t is, uint64_t want)
{
    if (is != want) missed(line, "%s is %" PRIu64 ", not %" PRIu64, what, is, want);
}

static void expect_answer(int line, const char *what, enum log_store_answer is, enum log_store_answer want)
{
    if (is != want) missed(line, "%s answers %s, not %s", what, answer_name(is), answer_name(want));
}

#define EXPECT(condition) ((condition) ? (void)0 : missed(__LINE__, "not so: %s", #condition))
#define EXPECT_NUMBER(is, want) expect_number(__LINE__, #is, (uint64_t)(is), (uint64_t)(want))
#define EXPECT_ANSWER(is, want) expect_answer(__LINE__, #is, (is), LOG_STORE_##want)
#define EXPECT_PLACE(is, wants_index, wants_term)                                                                      \
    (expect_number(__LINE__, #is ".index", (is).index, (wants_index)),                                                 \
     expect_number(__LINE__, #is ".term", (is).term, (wants_term)))

/* ------------------------------------------------------------------------------------------------------------ hands */

static void open_store(void) { EXPECT_ANSWER(trial.ops->open(trial.subject->context, &trial.store), OK); }

static void reopen(void)
{
    void *store = trial.store;
    trial.store = NULL;
    EXPECT_ANSWER(trial.ops->close(store), OK);
    open_store();
}

static void crash(void)
{
    trial.ops->crash(trial.store);
    trial.store = NULL;
    open_store();
}

static enum log_store_answer submit(const struct log_store_update *updates, uint32_t count)
{
    return trial.ops->submit(trial.store, updates, count);
}

static enum log_store_answer try(struct log_store_update update) { return submit(&update, 1); }

static void sync_store(void) { EXPECT_ANSWER(trial.ops->sync(trial.store), OK); }

static void fill(uint8_t *out, uint32_t bytes, uint64_t log, uint64_t index, uint64_t term)
{
    struct seeded from = {.state = log * 31 + index * UINT64_C(1000003) + term * UINT64_C(998244353)};
    uint64_t word = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        if (i % 8 == 0) word = seeded_u64(&from);
        out[i] = (uint8_t)(word >> (i % 8 * 8));
    }
}

static uint32_t bytes_of(uint64_t index, uint64_t term) { return (uint32_t)((index * 37 + term * 11) % 200); }
static uint8_t kind_of(uint64_t index) { return (uint8_t)(index % 3); }

static struct log_store_entry entries_made[ENTRIES_MAX];

/* Entries of one term, `at` in the arrays above: an update that appends them. */
static struct log_store_update made(uint32_t at, uint64_t log, uint64_t first, uint32_t count, uint64_t term)
{
    uint32_t offset = at * 200;
    for (uint32_t i = 0; i < count; i++) {
        struct log_store_entry *entry = &entries_made[at + i];
        *entry = (struct log_store_entry){.index = first + i, .term = term, .kind = kind_of(first + i),
                                          .bytes = bytes_of(first + i, term), .data = room + offset};
        fill(room + offset, entry->bytes, log, first + i, term);
        offset += 200;
    }
    return (struct log_store_update){.kind = LOG_STORE_APPEND, .log = log, .index = first, .term = term,
                                     .entries = &entries_made[at], .count = count};
}

static enum log_store_answer try_append(uint64_t log, uint64_t first, uint64_t last, uint64_t term)
{
    return try(made(0, log, first, (uint32_t)(last - first + 1), term));
}

/* Entries first .. last, in batches of up to 16; the payload is overwritten when each has been taken. */
static void append(uint64_t log, uint64_t first, uint64_t last, uint64_t term)
{
    for (uint64_t index = first; index <= last; index += 16) {
        const uint64_t end = index + 15 < last ? index + 15 : last;
        const enum log_store_answer answer = try_append(log, index, end, term);
        if (answer != LOG_STORE_OK) missed(__LINE__, "appending %" PRIu64 " answers %s", index, answer_name(answer));
        memset(room, 0xee, sizeof room);
    }
}

static struct log_store_update an_update(enum log_store_kind kind, uint64_t log, uint64_t index, uint64_t term)
{
    return (struct log_store_update){.kind = kind, .log = log, .index = index, .term = term};
}

static struct log_store_update a_hard(uint64_t log, uint64_t term, uint64_t vote, uint64_t commit)
{
    return (struct log_store_update){.kind = LOG_STORE_HARD, .log = log,
                                     .hard = {.term = term, .vote = vote, .commit = commit}};
}

static enum log_store_answer try_create(uint64_t log) { return try(an_update(LOG_STORE_CREATE, log, 0, 0)); }
static enum log_store_answer try_drop(uint64_t log) { return try(an_update(LOG_STORE_DROP, log, 0, 0)); }
static enum log_store_answer try_truncate(uint64_t log, uint64_t at)
{
    return try(an_update(LOG_STORE_TRUNCATE, log, at, 0));
}
static enum log_store_answer try_compact(uint64_t log, uint64_t at)
{
    return try(an_update(LOG_STORE_COMPACT, log, at, 0));
}
static enum log_store_answer try_snapshot(uint64_t log, uint64_t at, uint64_t term)
{
    return try(an_update(LOG_STORE_SNAPSHOT, log, at, term));
}
static enum log_store_answer try_hard(uint64_t log, uint64_t term, uint64_t vote, uint64_t commit)
{
    return try(a_hard(log, term, vote, commit));
}

static void create(uint64_t log) { EXPECT_ANSWER(try_create(log), OK); }
static void drop(uint64_t log) { EXPECT_ANSWER(try_drop(log), OK); }
static void truncate_from(uint64_t log, uint64_t index) { EXPECT_ANSWER(try_truncate(log, index), OK); }
static void compact(uint64_t log, uint64_t index) { EXPECT_ANSWER(try_compact(log, index), OK); }
static void snapshot(uint64_t log, uint64_t at, uint64_t term) { EXPECT_ANSWER(try_snapshot(log, at, term), OK); }
static void hard(uint64_t log, uint64_t term, uint64_t vote, uint64_t commit)
{
    EXPECT_ANSWER(try_hard(log, term, vote, commit), OK);
}

static struct log_store_state state_of(uint64_t log)
{
    struct log_store_state state;
    memset(&state, 0xee, sizeof state);
    EXPECT_ANSWER(trial.ops->state(trial.store, log, &state), OK);
    EXPECT_NUMBER(state.first, state.base.index + 1);
    EXPECT(state.last.index >= state.base.index);
    EXPECT(state.durable.index <= state.last.index);
    return state;
}

static uint64_t term_at(uint64_t log, uint64_t index)
{
    uint64_t term = UINT64_MAX;
    EXPECT_ANSWER(trial.ops->term_at(trial.store, log, index, &term), OK);
    return term;
}

static enum log_store_answer try_term_at(uint64_t log, uint64_t index)
{
    uint64_t term;
    return trial.ops->term_at(trial.store, log, index, &term);
}

static struct log_store_entry entries_read[ENTRIES_MAX];

static uint32_t read_some(uint64_t log, uint64_t index, uint64_t bytes_max, uint32_t max)
{
    uint32_t count = UINT32_MAX;
    EXPECT_ANSWER(trial.ops->read(trial.store, log, index, bytes_max, entries_read, max, &count), OK);
    EXPECT(count <= max);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_NUMBER(entries_read[i].index, index + i);
        bytes += entries_read[i].bytes;
    }
    EXPECT(count <= 1 || bytes <= bytes_max);
    return count;
}

static enum log_store_answer try_read(uint64_t log, uint64_t index)
{
    uint32_t count;
    return trial.ops->read(trial.store, log, index, NO_LIMIT, entries_read, 1, &count);
}

static uint64_t hash_more(uint64_t hash, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++) hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    return hash;
}

/* Every entry is there, says who it is, and is what was appended under that index and term. Returns a sum over it. */
static uint64_t expect_whole(uint64_t log, uint64_t first, uint64_t last)
{
    struct log_store_state state = state_of(log);
    EXPECT_NUMBER(state.first, first);
    EXPECT_NUMBER(state.last.index, last);
    EXPECT_NUMBER(term_at(log, last), state.last.term);
    memset(&state.durable, 0, sizeof state.durable);
    uint64_t hash = hash_more(UINT64_C(14695981039346656037), &state, sizeof state);
    for (uint64_t index = first; index <= last;) {
        const uint32_t count = read_some(log, index, 3000, 16);
        EXPECT(count >= 1);
        for (uint32_t i = 0; i < count; i++, index++) {
            const struct log_store_entry *entry = &entries_read[i];
            EXPECT_NUMBER(entry->bytes, bytes_of(index, entry->term));
            EXPECT_NUMBER(entry->kind, kind_of(index));
            fill(wanted, entry->bytes, log, index, entry->term);
            if (entry->bytes > 0 && memcmp(wanted, entry->data, entry->bytes) != 0)
                missed(__LINE__, "entry %" PRIu64 " of term %" PRIu64 " has other bytes", index, entry->term);
            hash = hash_more(hash, &entry->term, sizeof entry->term);
        }
        for (uint32_t i = 0; i < count; i++)
            EXPECT_NUMBER(term_at(log, index - count + i), entries_read[i].term);
    }
    EXPECT_NUMBER(read_some(log, last + 1, NO_LIMIT, 4), 0);
    return hash;
}

/* The entries there all have that term. */
static void expect_term(uint64_t log, uint64_t first, uint64_t last, uint64_t term)
{
    for (uint64_t index = first; index <= last; index++) EXPECT_NUMBER(term_at(log, index), term);
}

static uint64_t expect_unchanged_sum(uint64_t log)
{
    const struct log_store_state state = state_of(log);
    return expect_whole(log, state.first, state.last.index);
}

static void expect_no_log(uint64_t log)
{
    struct log_store_state state;
    EXPECT_ANSWER(trial.ops->state(trial.store, log, &state), UNKNOWN);
}

static void expect_hard(uint64_t log, uint64_t term, uint64_t vote, uint64_t commit)
{
    const struct log_store_hard is = state_of(log).hard;
    EXPECT_NUMBER(is.term, term);
    EXPECT_NUMBER(is.vote, vote);
    EXPECT_NUMBER(is.commit, commit);
}

/* What is said in the braces is refused, and log 7 is afterwards what it was. */
#define EXPECT_REFUSED(call)                                                                                           \
    do {                                                                                                               \
        const uint64_t sum_before = expect_unchanged_sum(7);                                                           \
        EXPECT_ANSWER(call, REFUSED);                                                                                  \
        if (expect_unchanged_sum(7) != sum_before) missed(__LINE__, "%s was refused but changed the log", #call);      \
    } while (0)

/* ------------------------------------------------------------------------------------------------------ logs, state */

static void a_new_store_has_no_logs(void)
{
    uint64_t ids[4];
    EXPECT_NUMBER(trial.ops->logs(trial.store, ids, 4), 0);
}

static void what_is_asked_of_an_unknown_log_is_told(void)
{
    create(1);
    expect_no_log(7);
    EXPECT_ANSWER(try_read(7, 1), UNKNOWN);
    EXPECT_ANSWER(try_term_at(7, 0), UNKNOWN);
    EXPECT_ANSWER(try_append(7, 1, 1, 1), UNKNOWN);
    EXPECT_ANSWER(try_hard(7, 1, 1, 0), UNKNOWN);
    EXPECT_ANSWER(try_truncate(7, 1), UNKNOWN);
    EXPECT_ANSWER(try_snapshot(7, 1, 1), UNKNOWN);
    EXPECT_ANSWER(try_compact(7, 1), UNKNOWN);
    EXPECT_ANSWER(try_drop(7), UNKNOWN);
    expect_no_log(7);
}

static void a_new_log_is_empty(void)
{
    create(7);
    const struct log_store_state state = state_of(7);
    EXPECT_NUMBER(state.first, 1);
    EXPECT_PLACE(state.last, 0, 0);
    EXPECT_PLACE(state.snapshot, 0, 0);
    EXPECT_PLACE(state.durable, 0, 0);
    expect_hard(7, 0, 0, 0);
    EXPECT_NUMBER(read_some(7, 1, NO_LIMIT, 4), 0);
}

static void a_new_log_begins_anywhere(void)
{
    create(7);
    append(7, 1000, 1020, 5);
    expect_whole(7, 1000, 1020);
    EXPECT_NUMBER(term_at(7, 999), 0);
    EXPECT_ANSWER(try_read(7, 999), COMPACTED);
}

static void a_log_is_created_once(void)
{
    create(7);
    append(7, 1, 3, 1);
    EXPECT_REFUSED(try_create(7));
}

static void every_number_is_a_log_id(void)
{
    const uint64_t ids[] = {0, 1, UINT64_C(1) << 63, UINT64_MAX};
    uint64_t told[8] = {0};
    for (uint32_t i = 0; i < 4; i++) {
        create(ids[i]);
        append(ids[i], 1, 1 + i, 1);
    }
    EXPECT_NUMBER(trial.ops->logs(trial.store, told, 8), 4);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t found = 0;
        for (uint32_t j = 0; j < 4; j++) found += told[j] == ids[i];
        EXPECT_NUMBER(found, 1);
        expect_whole(ids[i], 1, 1 + i);
    }
}

static void logs_do_not_mix(void)
{
    create(1);
    create(2);
    for (uint64_t index = 1; index <= 60; index++) {
        append(1, index, index, 1);
        append(2, index + 100, index + 100, 2);
    }
    hard(1, 1, 8, 30);
    truncate_from(2, 131);
    expect_whole(1, 1, 60);
    expect_whole(2, 101, 130);
    expect_hard(2, 0, 0, 0);
}

static void a_dropped_log_is_gone(void)
{
    create(7);
    create(8);
    append(7, 1, 5, 1);
    append(8, 1, 5, 1);
    drop(7);
    expect_no_log(7);
    EXPECT_ANSWER(try_read(7, 1), UNKNOWN);
    expect_whole(8, 1, 5);
    uint64_t ids[2];
    EXPECT_NUMBER(trial.ops->logs(trial.store, ids, 2), 1);
    EXPECT_NUMBER(ids[0], 8);
}

static void a_log_created_again_has_nothing_of_its_former_life(void)
{
    create(7);
    append(7, 1, 9, 4);
    hard(7, 4, 2, 9);
    snapshot(7, 5, 4);
    drop(7);
    create(7);
    expect_hard(7, 0, 0, 0);
    EXPECT_PLACE(state_of(7).snapshot, 0, 0);
    append(7, 3, 4, 1);
    expect_whole(7, 3, 4);
}

/* ----------------------------------------------------------------------------------------------------------- append */

static void entries_come_back_as_they_were_given(void)
{
    create(7);
    append(7, 1, 40, 1);
    append(7, 41, 80, 3);
    expect_whole(7, 1, 80);
    expect_term(7, 1, 40, 1);
    expect_term(7, 41, 80, 3);
}

static void a_batch_of_entries_may_hold_several_terms(void)
{
    create(7);
    struct log_store_update update = made(0, 7, 1, 4, 1);
    (void)made(4, 7, 5, 4, 2);
    (void)made(8, 7, 9, 4, 7);
    update.count = 12;
    EXPECT_ANSWER(try(update), OK);
    expect_whole(7, 1, 12);
    expect_term(7, 5, 8, 2);
    EXPECT_PLACE(state_of(7).last, 12, 7);
}

static void every_kind_is_kept(void)
{
    create(7);
    for (uint32_t kind = 0; kind < 256; kind++) {
        const struct log_store_entry entry = {.term = 1, .kind = (uint8_t)kind, .data = &kind, .bytes = 1};
        EXPECT_ANSWER(try((struct log_store_update){.kind = LOG_STORE_APPEND, .log = 7, .index = kind + 1,
                                                    .entries = &entry, .count = 1}), OK);
    }
    for (uint32_t kind = 0; kind < 256; kind++) {
        EXPECT_NUMBER(read_some(7, kind + 1, NO_LIMIT, 1), 1);
        EXPECT_NUMBER(entries_read[0].kind, kind);
    }
}

static void an_entry_may_be_empty(void)
{
    create(7);
    const struct log_store_entry entries[2] = {{.term = 1, .data = "", .bytes = 0},
                                               {.term = 1, .data = "x", .bytes = 1}};
    EXPECT_ANSWER(try((struct log_store_update){.kind = LOG_STORE_APPEND, .log = 7, .index = 1, .entries = entries,
                                                .count = 2}), OK);
    EXPECT(read_some(7, 1, NO_LIMIT, 2) >= 1);
    EXPECT_NUMBER(entries_read[0].bytes, 0);
    EXPECT_NUMBER(read_some(7, 2, NO_LIMIT, 2), 1);
    EXPECT_NUMBER(entries_read[0].bytes, 1);
}

static void the_largest_entry_comes_back(void)
{
    const uint32_t bytes = trial.subject->entry_bytes_max < LARGE ? trial.subject->entry_bytes_max : LARGE;
    create(7);
    for (uint64_t index = 1; index <= 5; index++) {
        fill(room, bytes, 7, index, 1);
        const struct log_store_entry entry = {.term = 1, .data = room, .bytes = bytes};
        EXPECT_ANSWER(try((struct log_store_update){.kind = LOG_STORE_APPEND, .log = 7, .index = index,
                                                    .entries = &entry, .count = 1}), OK);
    }
    for (uint64_t index = 1; index <= 5; index++) {
        EXPECT_NUMBER(read_some(7, index, 0, 4), 1);
        EXPECT_NUMBER(entries_read[0].bytes, bytes);
        fill(wanted, bytes, 7, index, 1);
        EXPECT(memcmp(wanted, entries_read[0].data, bytes) == 0);
    }
}

static void the_caller_may_reuse_its_memory_at_once(void)
{
    create(7);
    for (uint64_t index = 1; index <= 30; index++) {
        EXPECT_ANSWER(try_append(7, index, index, 1), OK);
        memset(room, 0x55, 400);
    }
    sync_store();
    expect_whole(7, 1, 30);
}

static void a_gap_is_refused(void)
{
    create(7);
    append(7, 1, 5, 1);
    EXPECT_REFUSED(try_append(7, 7, 7, 1));
    EXPECT_REFUSED(try_append(7, UINT64_C(1) << 40, UINT64_C(1) << 40, 1));
}

static void an_entry_where_there_is_one_is_refused(void)
{
    create(7);
    append(7, 1, 5, 1);
    EXPECT_REFUSED(try_append(7, 5, 5, 2));
    EXPECT_REFUSED(try_append(7, 3, 8, 1));
    EXPECT_REFUSED(try_append(7, 5, 5, 1)); /* the very same again: it is the caller who compares */
}

static void index_zero_is_refused(void)
{
    create(7);
    EXPECT_REFUSED(try_append(7, 0, 0, 1));
    append(7, 1, 5, 1);
    EXPECT_REFUSED(try_append(7, 0, 0, 1));
    EXPECT_REFUSED(try_truncate(7, 0));
    EXPECT_REFUSED(try_compact(7, 0));
    EXPECT_REFUSED(try_snapshot(7, 0, 1));
}

static void a_term_lower_than_the_last_is_refused(void)
{
    create(7);
    append(7, 1, 5, 4);
    EXPECT_REFUSED(try_append(7, 6, 6, 3));
    struct log_store_update update = made(0, 7, 6, 2, 6);
    (void)made(2, 7, 8, 1, 5);
    update.count = 3;
    EXPECT_REFUSED(try(update));
    append(7, 6, 6, 4);
}

static void entries_in_the_wrong_order_are_refused(void)
{
    create(7);
    append(7, 1, 5, 1);
    const struct log_store_update updates[2] = {made(0, 7, 7, 1, 1), made(1, 7, 6, 1, 1)};
    EXPECT_REFUSED(submit(updates, 2));
}

static void an_append_of_nothing_is_refused(void)
{
    create(7);
    append(7, 1, 5, 1);
    EXPECT_REFUSED(try(made(0, 7, 6, 0, 1)));
}

static void thousands_of_entries_are_there(void)
{
    create(7);
    for (uint64_t term = 1; term <= 6; term++) append(7, term * 500 - 499, term * 500, term);
    expect_whole(7, 1, 3000);
    for (uint64_t term = 1; term <= 6; term++) expect_term(7, term * 500 - 499, term * 500, term);
}

/* ------------------------------------------------------------------------------------------------------------ reads */

static void a_read_begins_where_it_is_told(void)
{
    create(7);
    append(7, 1, 50, 1);
    EXPECT(read_some(7, 23, NO_LIMIT, 8) >= 1);
    EXPECT_NUMBER(entries_read[0].index, 23);
    EXPECT_NUMBER(read_some(7, 50, NO_LIMIT, 8), 1);
}

static void a_read_keeps_to_its_limits(void)
{
    create(7);
    append(7, 1, 50, 1);
    for (uint64_t bytes = 0; bytes < 1000; bytes += 90)
        for (uint32_t max = 1; max <= 9; max += 4) EXPECT(read_some(7, 11, bytes, max) >= 1); /* which looks at both */
}

static void one_entry_comes_whatever_the_limit(void)
{
    create(7);
    append(7, 1, 20, 1);
    for (uint64_t index = 1; index <= 20; index++) EXPECT(read_some(7, index, 0, 5) >= 1);
}

static void the_end_is_empty_until_an_entry_comes(void)
{
    create(7);
    append(7, 1, 5, 1);
    EXPECT_NUMBER(read_some(7, 6, NO_LIMIT, 5), 0);
    append(7, 6, 6, 1);
    EXPECT_NUMBER(read_some(7, 6, NO_LIMIT, 5), 1);
    EXPECT_NUMBER(read_some(7, 7, NO_LIMIT, 5), 0);
}

static void a_read_beyond_the_end_is_told(void)
{
    create(7);
    append(7, 1, 5, 1);
    EXPECT_ANSWER(try_read(7, 7), BEYOND);
    EXPECT_ANSWER(try_read(7, UINT64_MAX), BEYOND);
    EXPECT_ANSWER(try_term_at(7, 6), BEYOND);
    EXPECT_ANSWER(try_term_at(7, UINT64_MAX), BEYOND);
}

static void a_read_below_the_first_is_told(void)
{
    create(7);
    append(7, 1, 9, 1);
    compact(7, 4);
    EXPECT_ANSWER(try_read(7, 4), COMPACTED);
    EXPECT_ANSWER(try_read(7, 0), COMPACTED);
    EXPECT_ANSWER(try_term_at(7, 3), COMPACTED);
    EXPECT_NUMBER(term_at(7, 4), 1);
}

static void the_newest_of_a_kind_is_found(void)
{
    create(7);
    append(7, 1, 300, 1); /* kinds go 1 2 0 1 2 0 ... */
    struct log_store_place at;
    uint32_t count;
    EXPECT_ANSWER(trial.ops->last_of_kind(trial.store, 7, 2, 300, &at, &count), OK);
    EXPECT_NUMBER(count, 1);
    EXPECT_PLACE(at, 299, 1);
    EXPECT_ANSWER(trial.ops->last_of_kind(trial.store, 7, 2, 4, &at, &count), OK);
    EXPECT_PLACE(at, 2, 1);
    EXPECT_ANSWER(trial.ops->last_of_kind(trial.store, 7, 9, 300, &at, &count), OK);
    EXPECT_NUMBER(count, 0);
    truncate_from(7, 299);
    compact(7, 200);
    EXPECT_ANSWER(trial.ops->last_of_kind(trial.store, 7, 2, 298, &at, &count), OK);
    EXPECT_PLACE(at, 296, 1);
    EXPECT_ANSWER(trial.ops->last_of_kind(trial.store, 7, 2, 202, &at, &count), OK);
    EXPECT_NUMBER(count * at.index, 0 + count * 200 * (at.index == 200)); /* below the base there is nothing */
    EXPECT_ANSWER(trial.ops->last_of_kind(trial.store, 8, 2, 298, &at, &count), UNKNOWN);
}

/* ------------------------------------------------------------------------------------------------------- hard state */

static void a_hard_state_comes_back(void)
{
    create(7);
    hard(7, 3, 2, 0);
    expect_hard(7, 3, 2, 0);
    append(7, 1, 5, 3);
    hard(7, 3, 2, 4);
    expect_hard(7, 3, 2, 4);
    EXPECT_NUMBER(state_of(7).last.index, 5);
}

static void a_term_never_goes_back(void)
{
    create(7);
    hard(7, 3, 0, 0);
    EXPECT_REFUSED(try_hard(7, 2, 0, 0));
    EXPECT_REFUSED(try_hard(7, 0, 0, 0));
}

static void a_vote_stands_for_its_term(void)
{
    create(7);
    hard(7, 3, 0, 0);
    hard(7, 3, 2, 0);
    hard(7, 3, 2, 0);
    EXPECT_REFUSED(try_hard(7, 3, 1, 0));
    EXPECT_REFUSED(try_hard(7, 3, 0, 0));
    hard(7, 4, 1, 0);
    hard(7, 5, 0, 0);
    expect_hard(7, 5, 0, 0);
}

static void a_commit_never_goes_back(void)
{
    create(7);
    append(7, 1, 9, 1);
    hard(7, 1, 1, 5);
    EXPECT_REFUSED(try_hard(7, 1, 1, 4));
    EXPECT_REFUSED(try_hard(7, 2, 0, 0));
    hard(7, 2, 0, 5);
}

/* --------------------------------------------------------------------------------------------------------- truncate */

static void truncation_takes_the_entry_and_all_behind_it(void)
{
    create(7);
    append(7, 1, 20, 1);
    append(7, 21, 30, 2);
    truncate_from(7, 15);
    expect_whole(7, 1, 14);
    EXPECT_PLACE(state_of(7).last, 14, 1);
    EXPECT_ANSWER(try_term_at(7, 15), BEYOND);
    EXPECT_ANSWER(try_read(7, 16), BEYOND);
}

static void what_is_appended_after_a_truncation_replaces_it(void)
{
    create(7);
    append(7, 1, 10, 1);
    append(7, 11, 20, 5);
    truncate_from(7, 11);
    append(7, 11, 14, 3); /* lower than what is gone, not lower than what is there */
    expect_whole(7, 1, 14);
    expect_term(7, 11, 14, 3);
    truncate_from(7, 8);
    append(7, 8, 30, 6);
    expect_whole(7, 1, 30);
    expect_term(7, 1, 7, 1);
    expect_term(7, 8, 30, 6);
}

static void a_log_truncated_to_nothing_goes_on_where_it_began(void)
{
    create(7);
    append(7, 5, 9, 2);
    truncate_from(7, 5);
    EXPECT_NUMBER(state_of(7).first, 5);
    EXPECT_NUMBER(state_of(7).last.index, 4);
    EXPECT_REFUSED(try_append(7, 6, 6, 2));
    EXPECT_REFUSED(try_append(7, 1, 1, 2));
    append(7, 5, 6, 1);
    expect_whole(7, 5, 6);
}

static void truncating_behind_the_last_removes_nothing(void)
{
    create(7);
    append(7, 1, 5, 1);
    truncate_from(7, 6);
    expect_whole(7, 1, 5);
    EXPECT_REFUSED(try_truncate(7, 7));
    EXPECT_REFUSED(try_truncate(7, UINT64_MAX));
}

static void truncating_what_was_compacted_is_refused(void)
{
    create(7);
    append(7, 1, 9, 1);
    compact(7, 5);
    EXPECT_REFUSED(try_truncate(7, 5));
    EXPECT_REFUSED(try_truncate(7, 1));
    truncate_from(7, 6);
    EXPECT_PLACE(state_of(7).last, 5, 1);
}

static void truncating_into_a_snapshot_is_refused(void)
{
    create(7);
    append(7, 1, 9, 1);
    snapshot(7, 5, 1);
    EXPECT_REFUSED(try_truncate(7, 5));
    EXPECT_REFUSED(try_truncate(7, 2));
    truncate_from(7, 6);
    expect_whole(7, 1, 5);
}

static void truncations_and_appends_alternate(void)
{
    create(7);
    append(7, 1, 100, 1);
    for (uint64_t round = 1; round <= 60; round++) {
        truncate_from(7, 100 - round);
        append(7, 100 - round, 101, 1 + round);
        EXPECT_PLACE(state_of(7).last, 101, 1 + round);
    }
    expect_whole(7, 1, 101);
    expect_term(7, 1, 39, 1);
    expect_term(7, 40, 101, 61);
}

/* --------------------------------------------------------------------------------------------- compact and snapshot */

static void compaction_takes_the_entry_and_all_before_it(void)
{
    create(7);
    append(7, 1, 10, 1);
    append(7, 11, 20, 2);
    compact(7, 12);
    expect_whole(7, 13, 20);
    EXPECT_PLACE(state_of(7).base, 12, 2);
    EXPECT_NUMBER(term_at(7, 12), 2);
    EXPECT_ANSWER(try_term_at(7, 11), COMPACTED);
    compact(7, 12);
    compact(7, 3);
    expect_whole(7, 13, 20);
}

static void a_log_compacted_to_nothing_goes_on_behind_its_last(void)
{
    create(7);
    append(7, 1, 20, 3);
    compact(7, 20);
    EXPECT_NUMBER(state_of(7).first, 21);
    EXPECT_PLACE(state_of(7).last, 20, 3);
    EXPECT_REFUSED(try_append(7, 22, 22, 3));
    EXPECT_REFUSED(try_append(7, 20, 20, 3));
    EXPECT_REFUSED(try_append(7, 21, 21, 2));
    append(7, 21, 25, 3);
    expect_whole(7, 21, 25);
}

static void compacting_beyond_the_last_is_refused(void)
{
    create(7);
    EXPECT_REFUSED(try_compact(7, 1));
    append(7, 1, 20, 3);
    EXPECT_REFUSED(try_compact(7, 21));
    EXPECT_REFUSED(try_compact(7, UINT64_MAX));
}

static void a_snapshot_inside_the_log_keeps_the_entries(void)
{
    create(7);
    append(7, 1, 20, 1);
    snapshot(7, 12, 1);
    EXPECT_PLACE(state_of(7).snapshot, 12, 1);
    expect_whole(7, 1, 20);
    compact(7, 12);
    expect_whole(7, 13, 20);
    snapshot(7, 20, 1);
    expect_whole(7, 13, 20);
}

static void a_snapshot_ahead_of_the_log_clears_it(void)
{
    create(7);
    append(7, 1, 20, 1);
    snapshot(7, 100, 4);
    const struct log_store_state state = state_of(7);
    EXPECT_NUMBER(state.first, 101);
    EXPECT_PLACE(state.last, 100, 4);
    EXPECT_PLACE(state.snapshot, 100, 4);
    EXPECT_NUMBER(term_at(7, 100), 4);
    EXPECT_ANSWER(try_read(7, 20), COMPACTED);
    EXPECT_REFUSED(try_append(7, 21, 21, 4));
    EXPECT_REFUSED(try_append(7, 102, 102, 4));
    EXPECT_REFUSED(try_append(7, 101, 101, 3));
    append(7, 101, 110, 4);
    expect_whole(7, 101, 110);
}

static void a_snapshot_of_another_term_clears_the_tail(void)
{
    create(7);
    append(7, 1, 20, 1);
    snapshot(7, 12, 2);
    EXPECT_NUMBER(state_of(7).first, 13);
    EXPECT_PLACE(state_of(7).last, 12, 2);
    append(7, 13, 14, 2);
    expect_whole(7, 13, 14);
}

static void a_stale_snapshot_changes_nothing(void)
{
    create(7);
    append(7, 1, 20, 1);
    snapshot(7, 12, 1);
    compact(7, 15);
    const uint64_t sum = expect_unchanged_sum(7);
    snapshot(7, 12, 1);
    snapshot(7, 12, 9);
    snapshot(7, 5, 1);
    snapshot(7, 14, 1); /* above the boundary, but below the base: what it covers is gone already */
    EXPECT(expect_unchanged_sum(7) == sum);
}

static void a_snapshot_begins_a_new_log(void)
{
    create(7);
    snapshot(7, 50, 3);
    EXPECT_NUMBER(state_of(7).first, 51);
    EXPECT_REFUSED(try_append(7, 1, 1, 3));
    append(7, 51, 60, 3);
    expect_whole(7, 51, 60);
}

/* ---------------------------------------------------------------------------------------------------------- batches */

static void updates_are_judged_behind_those_before_them(void)
{
    const struct log_store_update updates[] = {
        an_update(LOG_STORE_CREATE, 7, 0, 0), made(0, 7, 1, 10, 1), an_update(LOG_STORE_TRUNCATE, 7, 6, 0),
        made(10, 7, 6, 3, 2), a_hard(7, 2, 1, 0), a_hard(7, 2, 1, 6), an_update(LOG_STORE_COMPACT, 7, 3, 0),
    };
    EXPECT_ANSWER(submit(updates, 7), OK);
    expect_whole(7, 4, 8);
    expect_term(7, 6, 8, 2);
    expect_hard(7, 2, 1, 6);
}

static void a_batch_reaches_several_logs(void)
{
    const struct log_store_update updates[] = {
        an_update(LOG_STORE_CREATE, 1, 0, 0), an_update(LOG_STORE_CREATE, 2, 0, 0), made(0, 2, 5, 4, 1),
        made(4, 1, 1, 4, 1), a_hard(2, 1, 1, 1),
    };
    EXPECT_ANSWER(submit(updates, 5), OK);
    expect_whole(1, 1, 4);
    expect_whole(2, 5, 8);
    expect_hard(2, 1, 1, 1);
}

static void a_refused_batch_leaves_no_trace(void)
{
    create(7);
    create(8);
    append(7, 1, 10, 1);
    append(8, 1, 10, 1);
    const uint64_t sum = expect_unchanged_sum(8);
    const struct log_store_update updates[] = {
        made(0, 7, 11, 5, 2), a_hard(7, 9, 3, 2), an_update(LOG_STORE_TRUNCATE, 8, 4, 0),
        an_update(LOG_STORE_CREATE, 9, 0, 0), an_update(LOG_STORE_COMPACT, 7, 2, 0), made(5, 8, 99, 1, 1),
    };
    EXPECT_REFUSED(submit(updates, 6));
    EXPECT(expect_unchanged_sum(8) == sum);
    expect_no_log(9);
    EXPECT_ANSWER(submit(updates, 5), OK);
    expect_whole(7, 3, 15);
    expect_whole(8, 1, 3);
}

static void a_log_is_dropped_and_created_in_one_batch(void)
{
    create(7);
    append(7, 1, 10, 5);
    hard(7, 5, 1, 9);
    const struct log_store_update updates[] = {
        an_update(LOG_STORE_DROP, 7, 0, 0), an_update(LOG_STORE_CREATE, 7, 0, 0), made(0, 7, 40, 2, 1),
    };
    EXPECT_ANSWER(submit(updates, 3), OK);
    expect_whole(7, 40, 41);
    expect_hard(7, 0, 0, 0);
}

/* ---------------------------------------------------------------------------------------------------------- durable */

static void entries_are_read_before_they_are_durable(void)
{
    create(7);
    sync_store();
    append(7, 1, 20, 1);
    expect_whole(7, 1, 20);
    sync_store();
    expect_whole(7, 1, 20);
}

static void after_a_sync_everything_is_durable(void)
{
    sync_store();
    create(7);
    append(7, 1, 20, 1);
    sync_store();
    EXPECT_PLACE(state_of(7).durable, 20, 1);
    append(7, 21, 30, 2);
    EXPECT(state_of(7).durable.index >= 20);
    sync_store();
    EXPECT_PLACE(state_of(7).durable, 30, 2);
    sync_store();
}

static void durable_falls_back_over_a_truncation(void)
{
    create(7);
    append(7, 1, 20, 1);
    sync_store();
    const struct log_store_update updates[] = {an_update(LOG_STORE_TRUNCATE, 7, 11, 0), made(0, 7, 11, 15, 2)};
    EXPECT_ANSWER(submit(updates, 2), OK);
    const struct log_store_place durable = state_of(7).durable;
    EXPECT(durable.index <= 10 || durable.term == 2); /* 20 of term 1 is not there any more */
    sync_store();
    EXPECT_PLACE(state_of(7).durable, 25, 2);
}

static void what_is_called_durable_survives_a_crash(void)
{
    create(7);
    for (uint64_t index = 1; index <= 30; index++) append(7, index, index, 1);
    const struct log_store_place durable = state_of(7).durable;
    crash();
    struct log_store_state state;
    if (trial.ops->state(trial.store, 7, &state) == LOG_STORE_UNKNOWN) {
        EXPECT_NUMBER(durable.index, 0);
        return;
    }
    EXPECT(state.last.index >= durable.index);
}

/* ---------------------------------------------------------------------------------------------------- opening again */

static void everything_is_there_when_opened_again(void)
{
    create(7);
    create(8);
    append(7, 1, 400, 1);
    append(7, 401, 900, 4);
    hard(7, 4, 2, 700);
    snapshot(7, 300, 1);
    compact(7, 200);
    append(8, 17, 40, 2);
    const uint64_t sum = expect_whole(7, 201, 900), other = expect_whole(8, 17, 40);
    for (int round = 0; round < 3; round++) {
        reopen();
        EXPECT(expect_whole(7, 201, 900) == sum);
        EXPECT(expect_whole(8, 17, 40) == other);
        EXPECT_NUMBER(term_at(7, 200), 1);
        EXPECT_PLACE(state_of(7).durable, 900, 4);
        EXPECT_PLACE(state_of(7).snapshot, 300, 1);
        expect_hard(7, 4, 2, 700);
    }
}

static void an_empty_store_opens_again(void)
{
    reopen();
    a_new_store_has_no_logs();
    create(7);
    reopen();
    reopen();
    EXPECT_PLACE(state_of(7).last, 0, 0);
    append(7, 33, 34, 1); /* still new: it begins anywhere */
    expect_whole(7, 33, 34);
}

static void a_log_goes_on_after_opening_again(void)
{
    create(7);
    for (uint64_t round = 0; round < 5; round++) {
        append(7, round * 50 + 1, round * 50 + 50, round + 1);
        reopen();
        EXPECT_REFUSED(try_append(7, round * 50 + 50, round * 50 + 50, round + 1));
        EXPECT_REFUSED(try_append(7, round * 50 + 52, round * 50 + 52, round + 1));
    }
    expect_whole(7, 1, 250);
}

static void rules_of_the_hard_state_hold_after_opening_again(void)
{
    create(7);
    hard(7, 5, 2, 9);
    reopen();
    EXPECT_REFUSED(try_hard(7, 4, 2, 9));
    EXPECT_REFUSED(try_hard(7, 5, 1, 9));
    EXPECT_REFUSED(try_hard(7, 5, 2, 8));
    hard(7, 6, 1, 9);
    reopen();
    expect_hard(7, 6, 1, 9);
}

static void truncated_entries_stay_away(void)
{
    create(7);
    append(7, 1, 100, 1);
    truncate_from(7, 51);
    reopen();
    expect_whole(7, 1, 50);
    append(7, 51, 60, 2);
    reopen();
    expect_whole(7, 1, 60);
    expect_term(7, 51, 60, 2);
    truncate_from(7, 1);
    reopen();
    EXPECT_PLACE(state_of(7).last, 0, 0);
    EXPECT_NUMBER(state_of(7).first, 1);
}

static void a_dropped_log_stays_away(void)
{
    create(7);
    append(7, 1, 100, 1);
    reopen();
    drop(7);
    reopen();
    expect_no_log(7);
    create(7);
    append(7, 60, 61, 1);
    reopen();
    expect_whole(7, 60, 61);
}

static void an_emptied_log_goes_on_after_opening_again(void)
{
    create(1);
    create(2);
    append(1, 1, 20, 3);
    append(2, 1, 20, 3);
    compact(1, 20);
    snapshot(2, 90, 7);
    reopen();
    EXPECT_PLACE(state_of(1).base, 20, 3);
    EXPECT_PLACE(state_of(2).last, 90, 7);
    EXPECT_PLACE(state_of(2).snapshot, 90, 7);
    append(1, 21, 22, 3);
    append(2, 91, 92, 7);
    reopen();
    expect_whole(1, 21, 22);
    expect_whole(2, 91, 92);
}

/* ---------------------------------------------------------------------------------------------------------- crashes */

static void what_was_synced_survives_a_crash(void)
{
    create(7);
    append(7, 1, 200, 1);
    hard(7, 3, 2, 150);
    truncate_from(7, 181);
    append(7, 181, 190, 2);
    snapshot(7, 100, 1);
    compact(7, 90);
    const uint64_t sum = expect_whole(7, 91, 190);
    sync_store();
    crash();
    EXPECT(expect_whole(7, 91, 190) == sum);
    EXPECT_NUMBER(term_at(7, 90), 1);
    crash();
    EXPECT(expect_whole(7, 91, 190) == sum);
}

static void a_vote_is_durable_before_it_is_given(void)
{
    create(7);
    for (uint64_t term = 1; term <= 8; term++) {
        hard(7, term, term % 3 + 1, 0);
        sync_store();
        crash();
        expect_hard(7, term, term % 3 + 1, 0);
        EXPECT_REFUSED(try_hard(7, term, 9, 0));
    }
}

static void of_what_was_not_synced_a_prefix_is_left(void)
{
    create(7);
    append(7, 1, 10, 1);
    sync_store();
    for (uint64_t index = 11; index <= 60; index++) {
        append(7, index, index, index);
        hard(7, index, 1, index);
    }
    crash();
    const struct log_store_state state = state_of(7);
    EXPECT(state.last.index >= 10 && state.last.index <= 60);
    expect_whole(7, 1, state.last.index);
    for (uint64_t index = 11; index <= state.last.index; index++) EXPECT_NUMBER(term_at(7, index), index);
    const uint64_t commit = state.hard.commit, last = state.last.index;
    EXPECT(commit == (last == 10 ? 0 : last) || commit == (last == 11 ? 0 : last - 1));
}

static void a_batch_is_there_whole_or_not_at_all(void)
{
    create(1);
    create(2);
    sync_store();
    for (uint64_t round = 1; round <= 12; round++) {
        const uint64_t first = state_of(1).last.index + 1;
        const struct log_store_update updates[] = {
            made(0, 1, first, 6, round), a_hard(1, round, 1, first),
            made(6, 2, first, 6, round), a_hard(2, round, 1, first),
        };
        EXPECT_ANSWER(submit(updates, 4), OK);
        if (round % 4 == 0) sync_store();
        crash();
        const struct log_store_state one = state_of(1), two = state_of(2);
        EXPECT_NUMBER(one.last.index, two.last.index);
        EXPECT_NUMBER(one.hard.term, two.hard.term);
        EXPECT_NUMBER(one.last.term, one.hard.term);
        EXPECT(one.last.index + 1 == first || one.last.index == first + 5);
        EXPECT(round % 4 != 0 || one.last.index == first + 5);
    }
}

static void what_a_crash_took_never_comes_back(void)
{
    create(7);
    append(7, 1, 10, 1);
    sync_store();
    for (uint64_t round = 2; round <= 6; round++) {
        append(7, state_of(7).last.index + 1, state_of(7).last.index + 30, round);
        crash();
        if (state_of(7).last.index > 10) truncate_from(7, 11);
        append(7, 11, 15, round);
        sync_store();
        crash();
        expect_whole(7, 1, 15);
        expect_term(7, 11, 15, round);
        truncate_from(7, 11);
    }
}

static void a_long_life_with_crashes_keeps_what_it_promised(void)
{
    create(7);
    uint64_t first = 1, last = 0;
    for (uint64_t round = 1; round <= 40; round++) {
        append(7, last + 1, last + 150, round);
        last += 150;
        if (round % 3 == 0) {
            snapshot(7, last - 60, round);
            compact(7, last - 80);
            first = last - 79;
        }
        if (round % 5 == 0) hard(7, round, round % 2 + 1, last);
        sync_store();
        if (round % 4 == 0) crash();
        if (round % 7 == 0) reopen();
    }
    expect_whole(7, first, last);
    expect_hard(7, 40, 1, last);
}

/* ----------------------------------------------------------------------------------------------------------- random */

enum { RANDOM_LOGS = 4, RANDOM_OPS = 4, RANDOM_ENTRIES = 6, UNSYNCED_MAX = 6 };

struct planned {
    struct log_store_update updates[RANDOM_OPS];
    uint32_t count;
};

/* Any update, mostly one that is right: indexes lie around where the log stands, by what the oracle says. */
static struct log_store_update random_update(uint32_t at)
{
    struct seeded *seeded = &trial.seeded;
    const uint64_t log = 1 + seeded_below(seeded, RANDOM_LOGS);
    struct log_store_state state = {0};
    const bool is_there = reference_ops.state(trial.oracle, log, &state) == LOG_STORE_OK;
    const uint64_t held = state.last.index - state.base.index;
    const uint64_t inside = state.base.index + seeded_below(seeded, (uint32_t)held + 3);
    const uint32_t dice = seeded_below(seeded, 40);
    if (!is_there && dice != 0) return an_update(LOG_STORE_CREATE, log, 0, 0);
    const uint64_t term = state.last.term + (seeded_below(seeded, 5) == 0);
    switch (dice) {
    case 0: return an_update(LOG_STORE_DROP, log, 0, 0);
    case 1: return an_update(LOG_STORE_CREATE, log, 0, 0);
    case 2: return made(at, log, state.last.index + seeded_below(seeded, 4), 1, term);
    case 3: return made(at, log, state.last.index + 1, 2, term > 1 ? term - 1 : 1);
    case 4: case 5: case 6: case 7: case 8: {
        const struct log_store_hard *hard = &state.hard;
        return a_hard(log, hard->term + seeded_below(seeded, 2), seeded_below(seeded, 3),
                      hard->commit + seeded_below(seeded, 9) - (hard->commit > 0 && seeded_below(seeded, 4) == 0));
    }
    case 9: case 10: case 11: case 12: return an_update(LOG_STORE_TRUNCATE, log, inside, 0);
    case 13: case 14: case 15: return an_update(LOG_STORE_COMPACT, log, inside, 0);
    case 16: case 17: case 18: {
        uint64_t there = term;
        if (seeded_below(seeded, 3) != 0) (void)reference_ops.term_at(trial.oracle, log, inside, &there);
        return an_update(LOG_STORE_SNAPSHOT, log, inside, there == 0 ? 1 : there);
    }
    default: return made(at, log, state.last.index + 1, 1 + seeded_below(seeded, RANDOM_ENTRIES), term == 0 ? 1 : term);
    }
}

static void expect_as_the_oracle(void)
{
    for (uint64_t log = 1; log <= RANDOM_LOGS; log++) {
        struct log_store_state is, want;
        const enum log_store_answer answer = reference_ops.state(trial.oracle, log, &want);
        const enum log_store_answer told = trial.ops->state(trial.store, log, &is);
        if (told != answer) missed(__LINE__, "state of log %" PRIu64 " answers %s", log, answer_name(told));
        if (answer != LOG_STORE_OK) continue;
        EXPECT_PLACE(is.base, want.base.index, want.base.term);
        EXPECT_PLACE(is.last, want.last.index, want.last.term);
        EXPECT_PLACE(is.snapshot, want.snapshot.index, want.snapshot.term);
        EXPECT(memcmp(&is.hard, &want.hard, sizeof is.hard) == 0);
        expect_whole(log, want.base.index + 1, want.last.index);
        for (uint64_t index = want.base.index; index <= want.last.index; index++) {
            uint64_t term = 0;
            (void)reference_ops.term_at(trial.oracle, log, index, &term);
            EXPECT_NUMBER(term_at(log, index), term);
        }
    }
}

static bool is_as_the_oracle(void)
{
    for (uint64_t log = 1; log <= RANDOM_LOGS; log++) {
        struct log_store_state is, want;
        const enum log_store_answer answer = reference_ops.state(trial.oracle, log, &want);
        if (trial.ops->state(trial.store, log, &is) != answer) return false;
        memset(&is.durable, 0, sizeof is.durable);
        memset(&want.durable, 0, sizeof want.durable);
        if (answer == LOG_STORE_OK && memcmp(&is, &want, sizeof is) != 0) return false;
    }
    return true;
}

/* One random batch to both: they answer alike. Kept in `plan`, with its payloads made again when it is needed. */
static enum log_store_answer random_batch(struct planned *plan)
{
    plan->count = 1 + seeded_below(&trial.seeded, RANDOM_OPS);
    for (uint32_t i = 0; i < plan->count; i++) plan->updates[i] = random_update(i * (RANDOM_ENTRIES + 2));
    const enum log_store_answer want = reference_ops.submit(trial.oracle, plan->updates, plan->count);
    const enum log_store_answer is = submit(plan->updates, plan->count);
    if (is != want) missed(__LINE__, "a random batch answers %s, not %s", answer_name(is), answer_name(want));
    return want;
}

static void random_batches_agree_with_the_reference(void)
{
    struct planned plan;
    for (uint32_t round = 0; round < 1500; round++) {
        (void)random_batch(&plan);
        if (round % 50 == 0) expect_as_the_oracle();
        if (round % 100 == 99 && !trial.subject->forgets) reopen();
    }
    expect_as_the_oracle();
}

/* The oracle loses what was not synced, and takes batch after batch of it again, until it is what the crash left. */
static void catch_up(struct planned *plans, uint32_t count)
{
    reference_ops.crash(trial.oracle);
    (void)reference_ops.open(trial.oracle_place, &trial.oracle);
    for (uint32_t i = 0; !is_as_the_oracle(); i++) {
        if (i == count) missed(__LINE__, "a crash left what is no prefix of what was submitted");
        for (uint32_t op = 0; op < plans[i].count; op++) {
            struct log_store_update *update = &plans[i].updates[op];
            if (update->kind != LOG_STORE_APPEND) continue;
            *update = made(op * (RANDOM_ENTRIES + 2), update->log, update->index, update->count, update->term);
        }
        (void)reference_ops.submit(trial.oracle, plans[i].updates, plans[i].count);
    }
}

static void random_crashes_leave_a_prefix(void)
{
    for (uint32_t round = 0; round < 60; round++) {
        struct planned plans[UNSYNCED_MAX];
        for (uint32_t i = seeded_below(&trial.seeded, 12); i > 0; i--) (void)random_batch(&plans[0]);
        sync_store();
        (void)reference_ops.sync(trial.oracle);
        const uint32_t unsynced = seeded_below(&trial.seeded, UNSYNCED_MAX + 1);
        for (uint32_t i = 0; i < unsynced; i++)
            while (random_batch(&plans[i]) != LOG_STORE_OK) continue;
        crash();
        catch_up(plans, unsynced);
        expect_as_the_oracle();
        (void)reference_ops.sync(trial.oracle); /* what was found when opening is there for good */
        sync_store();
    }
}

/* ----------------------------------------------------------------------------------------------------------- runner */

enum needs { ANY, OPENS_AGAIN, FINDS_KINDS, ORACLE, ORACLE_CRASHES };

static const struct {
    const char *name;
    void (*run)(void);
    enum needs needs;
} cases[] = {
#define CASE(name) {#name, name, ANY}
#define CASE_NEEDS(name, needs) {#name, name, needs}
    CASE(a_new_store_has_no_logs),
    CASE(what_is_asked_of_an_unknown_log_is_told),
    CASE(a_new_log_is_empty),
    CASE(a_new_log_begins_anywhere),
    CASE(a_log_is_created_once),
    CASE(every_number_is_a_log_id),
    CASE(logs_do_not_mix),
    CASE(a_dropped_log_is_gone),
    CASE(a_log_created_again_has_nothing_of_its_former_life),
    CASE(entries_come_back_as_they_were_given),
    CASE(a_batch_of_entries_may_hold_several_terms),
    CASE(every_kind_is_kept),
    CASE(an_entry_may_be_empty),
    CASE(the_largest_entry_comes_back),
    CASE(the_caller_may_reuse_its_memory_at_once),
    CASE(a_gap_is_refused),
    CASE(an_entry_where_there_is_one_is_refused),
    CASE(index_zero_is_refused),
    CASE(a_term_lower_than_the_last_is_refused),
    CASE(entries_in_the_wrong_order_are_refused),
    CASE(an_append_of_nothing_is_refused),
    CASE(thousands_of_entries_are_there),
    CASE(a_read_begins_where_it_is_told),
    CASE(a_read_keeps_to_its_limits),
    CASE(one_entry_comes_whatever_the_limit),
    CASE(the_end_is_empty_until_an_entry_comes),
    CASE(a_read_beyond_the_end_is_told),
    CASE(a_read_below_the_first_is_told),
    CASE_NEEDS(the_newest_of_a_kind_is_found, FINDS_KINDS),
    CASE(a_hard_state_comes_back),
    CASE(a_term_never_goes_back),
    CASE(a_vote_stands_for_its_term),
    CASE(a_commit_never_goes_back),
    CASE(truncation_takes_the_entry_and_all_behind_it),
    CASE(what_is_appended_after_a_truncation_replaces_it),
    CASE(a_log_truncated_to_nothing_goes_on_where_it_began),
    CASE(truncating_behind_the_last_removes_nothing),
    CASE(truncating_what_was_compacted_is_refused),
    CASE(truncating_into_a_snapshot_is_refused),
    CASE(truncations_and_appends_alternate),
    CASE(compaction_takes_the_entry_and_all_before_it),
    CASE(a_log_compacted_to_nothing_goes_on_behind_its_last),
    CASE(compacting_beyond_the_last_is_refused),
    CASE(a_snapshot_inside_the_log_keeps_the_entries),
    CASE(a_snapshot_ahead_of_the_log_clears_it),
    CASE(a_snapshot_of_another_term_clears_the_tail),
    CASE(a_stale_snapshot_changes_nothing),
    CASE(a_snapshot_begins_a_new_log),
    CASE(updates_are_judged_behind_those_before_them),
    CASE(a_batch_reaches_several_logs),
    CASE(a_refused_batch_leaves_no_trace),
    CASE(a_log_is_dropped_and_created_in_one_batch),
    CASE(entries_are_read_before_they_are_durable),
    CASE(after_a_sync_everything_is_durable),
    CASE(durable_falls_back_over_a_truncation),
    CASE_NEEDS(what_is_called_durable_survives_a_crash, OPENS_AGAIN),
    CASE_NEEDS(everything_is_there_when_opened_again, OPENS_AGAIN),
    CASE_NEEDS(an_empty_store_opens_again, OPENS_AGAIN),
    CASE_NEEDS(a_log_goes_on_after_opening_again, OPENS_AGAIN),
    CASE_NEEDS(rules_of_the_hard_state_hold_after_opening_again, OPENS_AGAIN),
    CASE_NEEDS(truncated_entries_stay_away, OPENS_AGAIN),
    CASE_NEEDS(a_dropped_log_stays_away, OPENS_AGAIN),
    CASE_NEEDS(an_emptied_log_goes_on_after_opening_again, OPENS_AGAIN),
    CASE_NEEDS(what_was_synced_survives_a_crash, OPENS_AGAIN),
    CASE_NEEDS(a_vote_is_durable_before_it_is_given, OPENS_AGAIN),
    CASE_NEEDS(of_what_was_not_synced_a_prefix_is_left, OPENS_AGAIN),
    CASE_NEEDS(a_batch_is_there_whole_or_not_at_all, OPENS_AGAIN),
    CASE_NEEDS(what_a_crash_took_never_comes_back, OPENS_AGAIN),
    CASE_NEEDS(a_long_life_with_crashes_keeps_what_it_promised, OPENS_AGAIN),
    CASE_NEEDS(random_batches_agree_with_the_reference, ORACLE),
    CASE_NEEDS(random_crashes_leave_a_prefix, ORACLE_CRASHES),
#undef CASE_NEEDS
#undef CASE
};

uint32_t log_store_case_count(void) { return sizeof cases / sizeof cases[0]; }

const char *log_store_case_name(uint32_t which) { return cases[which].name; }

static void end_trial(void)
{
    if (trial.store) trial.ops->crash(trial.store);
    trial.ops->end(trial.subject->context);
    if (trial.oracle) reference_ops.crash(trial.oracle);
    if (trial.oracle_place) reference_place_free(trial.oracle_place);
}

enum log_store_result log_store_try(const struct log_store_subject *subject, uint32_t which, uint64_t seed,
                                    char why[LOG_STORE_WHY_BYTES])
{
    const enum needs needs = cases[which].needs;
    why[0] = '\0';
    if (subject->forgets && (needs == OPENS_AGAIN || needs == ORACLE_CRASHES)) {
        snprintf(why, LOG_STORE_WHY_BYTES, "the store keeps nothing when it is closed");
        return LOG_STORE_SKIPPED;
    }
    if (!subject->ops->last_of_kind && needs == FINDS_KINDS) {
        snprintf(why, LOG_STORE_WHY_BYTES, "the store does not offer last_of_kind");
        return LOG_STORE_SKIPPED;
    }
    trial.subject = subject;
    trial.ops = subject->ops;
    trial.store = trial.oracle = NULL;
    trial.oracle_place = NULL;
    trial.seeded = (struct seeded){.state = seed};
    trial.why = why;
    subject->ops->begin(subject->context);
    if (setjmp(trial.leave) == 0) {
        if (needs == ORACLE || needs == ORACLE_CRASHES) {
            trial.oracle_place = reference_place_make(REFERENCE_nothing);
            (void)reference_ops.open(trial.oracle_place, &trial.oracle);
        }
        open_store();
        cases[which].run();
    }
    end_trial();
    return why[0] == '\0' ? LOG_STORE_PASSED : LOG_STORE_MISSED;
}

uint32_t log_store_run(const struct log_store_subject *subject, const char *only)
{
    static const char *const words[] = {[LOG_STORE_PASSED] = "passed", [LOG_STORE_MISSED] = "MISSED",
                                        [LOG_STORE_SKIPPED] = "skipped"};
    const struct seeded seed = seeded_begin(subject->name);
    uint32_t counts[3] = {0};
    for (uint32_t which = 0; which < log_store_case_count(); which++) {
        if (only && strcmp(only, cases[which].name) != 0) continue;
        char why[LOG_STORE_WHY_BYTES];
        const enum log_store_result result = log_store_try(subject, which, seed.state + which, why);
        printf("%-8s %s%s%s\n", words[result], cases[which].name, why[0] ? ": " : "", why);
        fflush(stdout);
        counts[result]++;
    }
    printf("%s: %u passed, %u missed, %u skipped\n", subject->name, counts[0], counts[1], counts[2]);
    return counts[0] + counts[1] == 0 ? 1 : counts[1];
}
