/* terms.c: see terms.h. */
#include "base/terms.h"

#include <string.h>

#include "base/check.h"

/* Position of the run that holds `index`, or UINT32_MAX if it lies before all. The tail is asked most: look there
 * first. */
static uint32_t run_of(const struct terms *terms, uint64_t index)
{
    uint32_t end = terms->count;
    if (end == 0 || index < terms->runs[0].first) return UINT32_MAX;
    if (index >= terms->runs[end - 1].first) return end - 1;
    uint32_t begin = 0; /* runs[begin].first <= index < runs[end].first */
    end -= 1;
    while (end - begin > 1) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (terms->runs[middle].first <= index)
            begin = middle;
        else
            end = middle;
    }
    return begin;
}

uint64_t terms_at(const struct terms *terms, uint64_t index)
{
    const uint32_t run = run_of(terms, index);
    return run == UINT32_MAX ? 0 : terms->runs[run].term;
}

void terms_append(struct terms *terms, uint64_t index, uint64_t term)
{
    if (terms->count > 0) {
        const struct term_run last = terms->runs[terms->count - 1];
        CHECK_LE(last.first, index);
        if (last.term == term) return;
        CHECK_LT(last.term, term);
        CHECK_LT(last.first, index);
    }
    CHECK_LT(terms->count, terms->capacity);
    terms->runs[terms->count++] = (struct term_run){.first = index, .term = term};
}

/* Runs that begin before `index`. */
static uint32_t runs_before(const struct terms *terms, uint64_t index)
{
    uint32_t begin = 0, end = terms->count;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (terms->runs[middle].first < index)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

bool terms_learn(struct terms *terms, uint64_t first, uint64_t end, uint64_t term)
{
    const uint32_t low = runs_before(terms, first);
    uint32_t high = runs_before(terms, end);
    struct term_run *runs = terms->runs;
    if (low > 0 && runs[low - 1].term > term) return false;
    if (high < terms->count && runs[high].term < term) return false;
    const bool is_followed = high < terms->count && runs[high].first == end;
    struct term_run put[2];
    uint32_t count = 0;
    if (low == 0 || runs[low - 1].term != term) put[count++] = (struct term_run){.first = first, .term = term};
    if (high > 0 && !is_followed && runs[high - 1].term > term)
        put[count++] = (struct term_run){.first = end, .term = runs[high - 1].term};
    else if (high < terms->count && runs[high].term == term)
        high++; /* it begins earlier now */
    const uint32_t behind = terms->count - high;
    CHECK_LE(low + count + behind, terms->capacity);
    memmove(runs + low + count, runs + high, behind * sizeof *runs);
    memcpy(runs + low, put, count * sizeof *runs);
    terms->count = low + count + behind;
    return true;
}

void terms_truncate(struct terms *terms, uint64_t from)
{
    while (terms->count > 0 && terms->runs[terms->count - 1].first >= from) terms->count--;
}

void terms_compact(struct terms *terms, uint64_t first)
{
    const uint32_t run = run_of(terms, first);
    if (run == UINT32_MAX) return;
    terms->runs[run].first = first;
    if (run == 0) return;
    terms->count -= run;
    memmove(terms->runs, terms->runs + run, terms->count * sizeof(terms->runs[0]));
}

struct term_run *terms_move(struct terms *terms, struct term_run *memory, uint32_t capacity)
{
    CHECK_LE(terms->count, capacity);
    if (terms->count > 0) memcpy(memory, terms->runs, terms->count * sizeof(memory[0]));
    struct term_run *old = terms->runs;
    terms->runs = memory;
    terms->capacity = capacity;
    return old;
}
