/* log_store.h: what a log store under Raft has to do, as a contract of functions, and the suite that asks it of one.
 *
 * It knows nothing of Teak and needs the C library alone. To put a store under it: fill in a `struct log_store_ops`,
 * describe the store in a `struct log_store_subject`, call log_store_run (docs/testing.md has a page on it).
 *
 * THE MODEL  A store holds logs, told apart by a 64-bit id. A log holds entries {term, kind, bytes} at contiguous
 *            indexes, a hard state, a base and a snapshot boundary. Updates come in batches. One thread calls.
 *
 *      base        first                 durable        last
 *     ──┬───────────┬──────────────────────┬─────────────┬──►  index
 *       │ its term  │ entries              │ entries     │ the next append: last + 1
 *       │ is known  │ a crash leaves these │ a crash may │
 *                                            take these
 */
#ifndef TEAK_TESTS_CONFORMANCE_LOG_STORE_H
#define TEAK_TESTS_CONFORMANCE_LOG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_store_answer {
    LOG_STORE_OK = 0,
    LOG_STORE_REFUSED,   /* the caller's mistake: nothing changed                               */
    LOG_STORE_UNKNOWN,   /* no log of that id: nothing changed                                  */
    LOG_STORE_COMPACTED, /* reads: the index is below what is kept                              */
    LOG_STORE_BEYOND,    /* reads: the index is above what is there                             */
    LOG_STORE_FAILED,    /* the world: disk, memory. The suite never expects it                 */
    LOG_STORE_ANSWER_COUNT
};

struct log_store_place {
    uint64_t index, term;
};

struct log_store_hard {
    uint64_t term, vote, commit; /* vote 0: none */
};

struct log_store_entry {
    uint64_t index, term;
    const void *data;
    uint32_t bytes;
    uint8_t kind;
};

/* What can be done to a log. */
enum log_store_kind {
    /* Begins a log. It is fresh: its first entry may have any index but 0, its base is then the index before, with term
     * 0. Refused where there is one of that id. Of a former life of the id nothing is left. */
    LOG_STORE_CREATE,

    /* Appends entries[0..count), the first of them at `index`; the indexes in the entries are not looked at. Refused:
     * none at all; index 0, or not last + 1 in a log that is not fresh; at or below the snapshot boundary; a term lower
     * than that of the entry before. */
    LOG_STORE_APPEND,

    /* Replaces the hard state. Refused: a lower term; another vote within a term that has one; a lower commit. A new
     * term may come with no vote. */
    LOG_STORE_HARD,

    /* Removes the entry at `index` and all behind it. last + 1 removes nothing. Refused: 0; beyond last + 1; at or
     * below the base or the snapshot boundary. A log without entries goes on at base + 1. */
    LOG_STORE_TRUNCATE,

    /* The caller holds a snapshot of everything up to {index, term}. At or below the boundary, or below the base: no
     * change. Where the log has that entry, or that base, the boundary moves and the entries stay. Else all entries go;
     * base and last become {index, term}. Refused: index 0. */
    LOG_STORE_SNAPSHOT,

    /* Entries up to `index` go; the base becomes the last of them. At or below the base: no change. Refused: 0; beyond
     * the last entry. Says nothing of the boundary. */
    LOG_STORE_COMPACT,

    /* Ends the log. */
    LOG_STORE_DROP,
    LOG_STORE_KIND_COUNT
};

struct log_store_update {
    enum log_store_kind kind;
    uint64_t log;
    uint64_t index;                        /* APPEND, TRUNCATE, SNAPSHOT, COMPACT */
    uint64_t term;                         /* SNAPSHOT                            */
    struct log_store_hard hard;            /* HARD                                */
    const struct log_store_entry *entries; /* APPEND                              */
    uint32_t count;                        /* APPEND                              */
};

struct log_store_state {
    uint64_t first;                 /* base.index + 1                                               */
    struct log_store_place last;    /* the base where there are no entries                          */
    struct log_store_place base;
    struct log_store_place snapshot; /* 0, 0: none                                                  */
    struct log_store_place durable; /* all up to there survives a crash. Never above last; falls back when what it
                                     * counted is truncated                                         */
    struct log_store_hard hard;
};

struct log_store_ops {
    /* begin: an empty place for one store, in which nothing of an earlier case is left.
     * end: what begin made goes. Both are called with no store open. */
    void (*begin)(void *context);
    void (*end)(void *context);

    /* open: the store of that place; a new one where there is none. Fails: FAILED. */
    enum log_store_answer (*open)(void *context, void **store_out);

    /* close: everything that was submitted is durable, then the store is let go. Fails: FAILED. */
    enum log_store_answer (*close)(void *store);

    /* crash: lets the store go as a crash would. The next open finds all that was durable, and of the rest whole
     * batches, a prefix in the order of submission (it may be all, or none). Never fails. */
    void (*crash)(void *store);

    /* submit: a batch of updates.
     * Does      Judges each where it stands, behind those before it; takes the batch whole, or refuses it whole. A
     *           batch is durable whole or not at all. What was taken can be read at once.
     * Owner     Everything is copied before return.
     * Fails     REFUSED · UNKNOWN · FAILED. */
    enum log_store_answer (*submit)(void *store, const struct log_store_update *updates, uint32_t count);

    /* sync: returns when everything submitted so far is durable. Fails: FAILED. */
    enum log_store_answer (*sync)(void *store);

    /* state: where a log stands, with everything that was submitted. Fails: UNKNOWN. */
    enum log_store_answer (*state)(void *store, uint64_t log, struct log_store_state *out);

    /* term_at: the term of an entry, or of the base. Fails: UNKNOWN · COMPACTED (below the base) · BEYOND. */
    enum log_store_answer (*term_at)(void *store, uint64_t log, uint64_t index, uint64_t *term_out);

    /* read: entries from `index` on, in order.
     * Does      At most `max` of them and `bytes_max` bytes of payload, but at least one where there is one; fewer than
     *           both allow is fine. None at last + 1.
     * Owner     What they point at holds until the next call of any kind.
     * Fails     UNKNOWN · COMPACTED (at or below the base) · BEYOND (above last + 1) · FAILED. */
    enum log_store_answer (*read)(void *store, uint64_t log, uint64_t index, uint64_t bytes_max,
                                  struct log_store_entry *out, uint32_t max, uint32_t *count_out);

    /* logs: the ids of all logs, in any order, up to `max`. Returns how many were written. */
    uint32_t (*logs)(void *store, uint64_t *out, uint32_t max);

    /* last_of_kind: the newest entry of `kind` at or below `index`; count_out says 1 or 0. NULL where a store does not
     * offer it: its cases are skipped. Fails: UNKNOWN · FAILED. */
    enum log_store_answer (*last_of_kind)(void *store, uint64_t log, uint8_t kind, uint64_t index,
                                          struct log_store_place *out, uint32_t *count_out);
};

struct log_store_subject {
    const char *name;
    const struct log_store_ops *ops;
    void *context;
    uint32_t entry_bytes_max; /* the largest payload that one entry may have: at least 4,096 */
    bool forgets;             /* in memory: open always begins anew; cases that open again are skipped */
};

enum log_store_result { LOG_STORE_PASSED, LOG_STORE_MISSED, LOG_STORE_SKIPPED };
enum { LOG_STORE_WHY_BYTES = 400 };

uint32_t log_store_case_count(void);
const char *log_store_case_name(uint32_t which);

/* log_store_try: one case, in a place of its own. `seed` feeds the random ones. `why` gets one line, where it did not
 * pass. */
enum log_store_result log_store_try(const struct log_store_subject *subject, uint32_t which, uint64_t seed,
                                    char why[LOG_STORE_WHY_BYTES]);

/* log_store_run: every case, or `only` that one; prints a line each. Returns how many did not pass, and at least 1 if
 * there was nothing to run. The seed is that of TEAK_SEED, else drawn; it is printed. */
uint32_t log_store_run(const struct log_store_subject *subject, const char *only);

#endif
