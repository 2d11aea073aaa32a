/* log_store_reference.h: the contract of log_store.h in memory, as plainly as it can be said: an oracle for the suite's
 * random cases, and the proof that the suite is about log stores. It can be told to do one thing wrong, so that a test
 * can show that the suite sees it.
 */
#ifndef TEAK_TESTS_CONFORMANCE_LOG_STORE_REFERENCE_H
#define TEAK_TESTS_CONFORMANCE_LOG_STORE_REFERENCE_H

#include "conformance/log_store.h"

/* X(what it does wrong) */
#define REFERENCE_FAULTS(X)                                                                                            \
    X(nothing)                                                                                                         \
    X(truncates_one_entry_too_few)                                                                                     \
    X(brings_truncated_entries_back_when_opened)                                                                       \
    X(lets_a_commit_go_back)                                                                                           \
    X(lets_a_vote_change)                                                                                              \
    X(lets_a_term_go_back)                                                                                             \
    X(takes_an_entry_over_another)                                                                                     \
    X(takes_an_entry_behind_a_gap)                                                                                     \
    X(takes_a_lower_term)                                                                                              \
    X(keeps_what_a_refused_batch_did)                                                                                  \
    X(loses_what_was_synced)                                                                                           \
    X(loses_what_was_not_synced_when_closed)                                                                           \
    X(tears_a_batch_in_a_crash)                                                                                        \
    X(calls_everything_durable)                                                                                        \
    X(keeps_durable_over_a_truncation)                                                                                 \
    X(clears_a_tail_that_matches_a_snapshot)                                                                           \
    X(keeps_a_tail_that_contradicts_a_snapshot)                                                                        \
    X(lets_a_stale_snapshot_win)                                                                                       \
    X(forgets_the_term_of_the_base)                                                                                    \
    X(keeps_the_hard_state_of_a_dropped_log)                                                                           \
    X(reads_past_the_byte_limit)                                                                                       \
    X(reads_nothing_under_a_small_limit)                                                                               \
    X(reads_without_copying)                                                                                           \
    X(ignores_the_kind)

enum reference_fault {
#define REFERENCE_FAULT_ENUM(name) REFERENCE_##name,
    REFERENCE_FAULTS(REFERENCE_FAULT_ENUM)
#undef REFERENCE_FAULT_ENUM
    REFERENCE_FAULT_COUNT
};

struct reference_place; /* what a crash leaves */

extern const struct log_store_ops reference_ops; /* its context is a struct reference_place */

struct reference_place *reference_place_make(enum reference_fault fault);
void reference_place_free(struct reference_place *place);

#endif
