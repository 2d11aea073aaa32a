/* raft_store.h: the contract of teak/raft_log_store.h as a program: the suite that asks it of a store.
 *
 * To put a store under it: fill in a `struct raft_store_subject` and call raft_store_run. Cases that need what a
 * subject cannot do are skipped, and say so.
 */
#ifndef TEAK_TESTS_CONFORMANCE_RAFT_STORE_H
#define TEAK_TESTS_CONFORMANCE_RAFT_STORE_H

#include "teak/raft_log_store.h"
#include "unit/seeded.h"

struct raft_store_subject {
    const char *name;
    void *context;
    /* begin: a store in an empty place. end: it goes, and the place with it; also one that crashed or is poisoned. */
    void (*begin)(void *context, struct teak_raft_log_store *out);
    void (*end)(void *context, struct teak_raft_log_store *store);
    /* crash: the process ends. All that was told durable is there, and of the rest what a power cut may leave, drawn
     * from `seeded`. Opened again, `store` is another one. */
    void (*crash)(void *context, struct teak_raft_log_store *store, struct seeded *seeded);
    /* full: from now on there is no space for entries; or there is again. NULL: skipped. */
    void (*full)(void *context, struct teak_raft_log_store *store, bool on);
    /* poison: what is in flight, and all that comes, fails, and nobody knows how far it came. NULL: skipped. */
    void (*poison)(void *context, struct teak_raft_log_store *store);
    /* hold: nothing becomes durable until this is called with false. NULL: cannot; what needs it is not looked at. */
    void (*hold)(void *context, struct teak_raft_log_store *store, bool on);
};

enum raft_store_result { RAFT_STORE_PASSED, RAFT_STORE_MISSED, RAFT_STORE_SKIPPED };
enum { RAFT_STORE_WHY_BYTES = 400 };

uint32_t raft_store_case_count(void);
const char *raft_store_case_name(uint32_t which);

/* One case in a place of its own. `why` gets a line where it did not pass. */
enum raft_store_result raft_store_try(const struct raft_store_subject *subject, uint32_t which, uint64_t seed,
                                      char why[RAFT_STORE_WHY_BYTES]);

/* Every case, or `only` that one, with a line each. Returns how many missed, and at least 1 if nothing was run. */
uint32_t raft_store_run(const struct raft_store_subject *subject, const char *only);

/* The memory store as a subject. */
struct raft_store_subject raft_store_memory_subject(void);

/* It again, with something wrong: number `which` of raft_store_wrong_count(), as its name says. */
uint32_t raft_store_wrong_count(void);
struct raft_store_subject raft_store_wrong_subject(uint32_t which);

#endif
