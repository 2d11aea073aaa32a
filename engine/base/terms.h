/* terms.h: the term of every index of one log, as runs of equal terms.
 *
 * OWNS   The order of the runs. The memory is the owner's: base allocates nothing.
 * HOLDS  (1) runs ascend strictly in `first` and in `term`   (2) the first run begins at the first known index
 * A log that lives through ten elections has ten runs, whatever its length: `terms_at` is a few nanoseconds.
 */
#ifndef TEAK_BASE_TERMS_H
#define TEAK_BASE_TERMS_H

#include <stdbool.h>
#include <stdint.h>

struct term_run {
    uint64_t first; /* index at which the run begins          */
    uint64_t term;  /* term of every index up to the next run */
};

struct terms {
    struct term_run *runs; /* `capacity` of them, the owner's memory    */
    uint32_t count;        /* runs in use                               */
    uint32_t capacity;     /* runs there is memory for                  */
};

/* Term of `index`. 0 where the index lies before the first run. The caller knows that index <= last. */
uint64_t terms_at(const struct terms *terms, uint64_t index);

/* True if terms_append of a new term could lack memory. */
static inline bool terms_is_full(const struct terms *terms) { return terms->count == terms->capacity; }

/* The entry at `index` has `term`. Needs memory only where the term is a new one: ask terms_is_full first. */
void terms_append(struct terms *terms, uint64_t index, uint64_t term);

/* Entries first .. end - 1 have `term`; what is known of others stays, and what was not known between reads as a
 * neighbour's. false: terms would not ascend (nothing changed). Needs memory for two runs more. */
bool terms_learn(struct terms *terms, uint64_t first, uint64_t end, uint64_t term);

/* Forget every index at or above `from`. */
void terms_truncate(struct terms *terms, uint64_t from);

/* Forget every index below `first`. */
void terms_compact(struct terms *terms, uint64_t first);

/* Continue in larger memory; the old memory is returned to be freed. capacity >= count. */
struct term_run *terms_move(struct terms *terms, struct term_run *memory, uint32_t capacity);

#endif
