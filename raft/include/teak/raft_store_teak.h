/* teak/raft_store_teak.h: the log store on Teak's engine. One engine store holds the logs of all groups of a node; a
 * group's id is its log's.
 *
 *     struct teak_options options = teak_options_default();
 *     options.create = true;
 *     teak_open("data", &options, &engine, &report, &error);
 *     teak_raft_teak_open(engine, false, &store);
 *     ...
 *     store.ops->close(store.self);
 *     teak_close(engine, &error);
 *
 * CAVEATS
 *  - From open to close nobody else submits to the engine or polls it: completions are the adapter's. teak_event_fd and
 *    teak_deadline say when to collect; cursors and statistics may be used beside it.
 *  - While a fetch is not answered, or takes says no, collect once a second at least: a read that met an error of the
 *    medium is tried again there, a tenth of a second later at the earliest, and so is a job for which memory was
 *    lacking, or a file that the engine could not make; nothing else wakes a driver for them.
 *  - What the engine refuses for the system's sake, with nothing written (EMFILE, EIO, EACCES of a new file), poisons
 *    nobody: the job waits, those of all groups behind it wait too, and create and drop say BUSY, however long that
 *    takes. Why stands in TEAK_EVENT_SUPPLY_FAILED, how often it was tried in supply_failures of teak_stats.
 *  - A log bears 24 bytes of META: "TKRF", version 1, zeros, what it was born with, and the two halves of the store's
 *    instance XORed, little-endian. A store that was copied by teak_copy or saved by teak_salvage has another instance,
 *    and its logs are born anew: what they promised may have gone on elsewhere. Copies of its files made by other means
 *    cannot be told from it: never run one under an old id. Other META, 16 bytes of builds before the first release
 *    among them, is not a group's: starting says DAMAGED.
 *  - The name of a group's snapshot is the one entry of a log of its own, 2^63 above the group's, which begins with the
 *    first snapshot: index, term, born, bytes, checksum and config_index, 8 bytes each, little-endian, then the
 *    configuration. So a group's id is below 2^63.
 */
#ifndef TEAK_RAFT_STORE_TEAK_H
#define TEAK_RAFT_STORE_TEAK_H

#include "teak/raft_log_store.h"

#ifdef __cplusplus
extern "C" {
#endif

struct teak_store;

/* Does      Puts the adapter over an open engine store.
 * Owner     The adapter is the caller's until out->ops->close. The engine store stays the caller's: closed after it.
 * Threads   The engine's driving one, here and in all calls.
 * Durable   -
 * Fails     MISUSE (NULL; a store of strategy TEAK_NONE, which keeps no promise, unless `is_volatile` says that its
 *           groups may be forgotten) · NO_SPACE (no memory) */
TEAK_API enum teak_raft_status teak_raft_teak_open(struct teak_store *engine, bool is_volatile,
                                                   struct teak_raft_log_store *out);

#ifdef __cplusplus
}
#endif

#endif
