/* teak/raft_store_memory.h: a log store in memory, for tests, simulations, and groups that may be forgotten.
 *
 * It keeps two things apart: what is durable, and the jobs in flight. A crash forgets the second. On request it lets
 * jobs wait, refuses them, poisons, or finds an entry rotten: whatever may happen to a store happens when a test says
 * so.
 */
#ifndef TEAK_RAFT_STORE_MEMORY_H
#define TEAK_RAFT_STORE_MEMORY_H

#include "teak/raft_log_store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Does      Makes a store without groups. Each job is durable at the next collect.
 * Owner     The caller's until out->ops->close.
 * Threads   Any; from then on one at a time.
 * Durable   As long as the store lives: a crash is teak_raft_memory_crash.
 * Fails     MISUSE (NULL) · NO_SPACE (no memory) */
TEAK_API enum teak_raft_status teak_raft_memory_open(struct teak_raft_log_store *out);

/* Does      From now on jobs wait for teak_raft_memory_complete; or do so no longer.
 * Owner, Durable  -   Threads the store's   Fails never */
TEAK_API void teak_raft_memory_hold(struct teak_raft_log_store *store, bool on);

/* Does      Makes the oldest `count` things in flight durable: jobs, and what else is done to logs, of all groups in
 * the
 *           order in which they were submitted. Returns how many there were.
 * Owner     -   Threads the store's   Durable them   Fails never */
TEAK_API uint32_t teak_raft_memory_complete(struct teak_raft_log_store *store, uint32_t count);

/* Returns how many things are in flight. Threads: the store's. Fails: never. */
TEAK_API uint32_t teak_raft_memory_in_flight(const struct teak_raft_log_store *store);

/* Does      From now on jobs that bring entries are refused for want of space; or no longer, which is told to each
 * group
 *           that was refused.
 * Owner, Durable  -   Threads the store's   Fails never */
TEAK_API void teak_raft_memory_full(struct teak_raft_log_store *store, bool on);

/* Does      Poisons the store: what is in flight is answered POISONED, and all that comes. `kept` of the oldest things
 * in
 *           flight were done nevertheless. After a crash the store is as good as new.
 * Owner, Durable  -   Threads the store's   Fails never */
TEAK_API void teak_raft_memory_poison(struct teak_raft_log_store *store, uint32_t kept);

/* Does      As if the process had died and begun anew: `kept` of the oldest things in flight were done, the others are
 *           forgotten, with all completions that nobody has collected. Groups have to be started again.
 * Owner     Frames that were handed out stay.   Durable what was   Threads the store's   Fails never */
TEAK_API void teak_raft_memory_crash(struct teak_raft_log_store *store, uint32_t kept);

/* Does      An entry cannot be read any more: a fetch that begins there is answered CORRUPT, another one ends before
 * it.
 *           Index 0: none.
 * Owner, Durable  -   Threads the store's   Fails MISUSE (no such group) */
TEAK_API enum teak_raft_status teak_raft_memory_rot(struct teak_raft_log_store *store, uint64_t group, uint64_t index);

#ifdef __cplusplus
}
#endif

#endif
