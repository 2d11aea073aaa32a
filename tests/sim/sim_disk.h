/* sim_disk.h: a disk in memory under the production engine, which forgets what a real one may forget.
 *
 * A `sim_medium` is what a power cut leaves something of: files, names, and for each what is durable and what only the
 * volatile cache knows. A `struct disk` made on it is one process's door to it. Everything random comes from one seed:
 * the same calls give the same bytes.
 *
 * What may happen at a cut, and nothing else
 *   bytes   each 512-byte sector on its own is what was durable, or any version that was written to it since, in flight
 *           or completed, whatever the order
 *   sizes   the durable size, or the one of now
 *   names   of each directory on its own: the changes since its last sync, up to any point of their order
 * A sync covers the writes of its file that had completed when it was submitted, and the size. Only a directory's own
 * sync makes its names durable.
 */
#ifndef TEAK_TESTS_SIM_DISK_H
#define TEAK_TESTS_SIM_DISK_H

#include "os/disk.h"
#include "unit/seeded.h"

struct sim_medium;

/* An empty medium with the directory "store" in its root. */
struct sim_medium *sim_make(uint64_t seed);
void sim_free(struct sim_medium *medium);

/* Called before anything changes: whatever a cut at this moment leaves is a legal medium. */
typedef void (*sim_hook)(void *context);
void sim_set_hook(struct sim_medium *medium, sim_hook hook, void *context);

enum sim_end {
    SIM_POWER, /* the cache is lost                                                        */
    SIM_KILL,  /* only the process is: what was completed stays in the cache               */
};
/* What is left of `medium` if it ends now: one legal outcome, drawn from `seeded`. */
struct sim_medium *sim_cut(const struct sim_medium *medium, enum sim_end end, struct seeded *seeded);

/* What is durable, as one number: two media with the same one are the same to whoever opens them. */
uint64_t sim_fingerprint(const struct sim_medium *medium);

/* How many ways a power cut can end now; UINT64_MAX: more than that. */
uint64_t sim_outcomes(const struct sim_medium *medium);
/* The n-th of them. */
struct sim_medium *sim_cut_nth(const struct sim_medium *medium, uint64_t n);

/* A process's door; for store_open_on. The medium outlives it. */
struct disk *sim_open(struct sim_medium *medium);

/* From now on the n-th operation of `kind` fails with `error`, and has no effect. 0: none. */
void sim_fail(struct sim_medium *medium, enum disk_kind kind, uint64_t nth, int error);

/* ---- past the engine: what is there, and what time makes of it ---- */

struct sim_view {
    const uint8_t *bytes; /* as they are now; until the file changes */
    uint64_t count;
    uint32_t file;        /* the same whatever its name is           */
};
/* The file `name` of the directory "store", or "snapshots/..." below it. False: there is none. */
bool sim_look(const struct sim_medium *medium, const char *name, struct sim_view *out);
/* Bytes of it are others from now on, on the medium and in every cache. */
void sim_rot(struct sim_medium *medium, uint32_t file, uint64_t offset, const void *bytes, uint64_t count);
/* A whole file from elsewhere, durable; its directory is made. */
void sim_put(struct sim_medium *medium, const char *name, const void *bytes, uint64_t count);
/* Names in "store", or in the directory `below` of it. */
void sim_names(const struct sim_medium *medium, const char *below, disk_name_fn each, void *context);

#endif
