/* turn.h: the spine: one function that shows how everything moves.
 *
 *   start     chores; close and launch what is due              (calls go down)
 *   collect   the disk: one system call                          (completions come up)
 *   settle    frames landed -> durable -> tickets may be told
 *
 *   hurry     between two turns, with a batch: launch what is large     (no chores, nothing is collected)
 */
#ifndef TEAK_STORE_TURN_H
#define TEAK_STORE_TURN_H

#include <stdbool.h>
#include <stdint.h>

struct teak_store;

/* Drive the store until a completion can be handed out, something a starved caller waits for has moved, somebody woke
 * the disk, or `wait_ns` has passed. `final`: also make an idle mark safe (closing). */
void turn(struct teak_store *store, uint64_t wait_ns, bool final);

/* A frame of so many bytes is worth a write of its own, alone or beside another: splitting what is outstanding into
 * smaller ones costs more than overlapping them gains. store->lane_bytes; tests that want many small ones say less. */
enum { TURN_LANE_BYTES = 512 * 1024 };

/* Closes and launches what may go, while the caller is still submitting: the disk works meanwhile. One system call. */
void turn_hurry(struct teak_store *store);

/* When the next turn is due even if the disk stays silent; UINT64_MAX: not. */
uint64_t turn_deadline(const struct teak_store *store);

/* Operations at the disk: something will come back. Where there is none a store that can be woken does not wait. */
uint32_t turn_at_disk(const struct teak_store *store);

/* Batches in the frame that is being filled. */
uint64_t turn_open_batches(const struct teak_store *store);

/* Frames are on their way, or were a moment ago: where commits come one at a time the disk looks idle between two. */
bool turn_is_beside_frames(const struct teak_store *store);

/* A completion can be handed out. */
bool turn_has_completion(const struct teak_store *store);

#endif
