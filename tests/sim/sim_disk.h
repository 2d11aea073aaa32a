/* sim_disk.h: a disk in memory under the production engine, which forgets what a real one may forget, and can be told
 * to fail and to lie.
 *
 * A `sim_medium` is what a power cut leaves something of: files, names, and for each what is durable and what only the
 * volatile cache knows. A `struct disk` made on it is one process's door to it. Everything random (outcomes of cuts,
 * faults, order of completions, time, and the entropy that salts and uuids are drawn from) comes from seeds: the same
 * calls give the same bytes, and sim_history sums up all that the disk saw.
 *
 * What may happen at a cut, and nothing else
 *   bytes   each 512-byte sector on its own is what was durable, or any version that was written to it since, in flight
 *           or completed, whatever the order
 *   sizes   the durable size, or the one of now
 *   names   of each directory on its own: the changes since its last sync, up to any point of their order
 * A sync covers the writes of its file that had completed when it was submitted, and the size. Only a directory's own
 * sync makes its names durable.
 *
 * What a fault does (sim_faults)
 *   fail        the operation answers EIO or ENOSPC. A write leaves any subset of its sectors; a sync makes some of
 *               what it covers durable and drops the rest for ever, and the next one succeeds: with direct I/O the
 *               medium is read again, else the page cache shows what was dropped until it is told to forget
 *               (drop_cache)
 *   shorten     a write is done in two parts, and the power may go between
 *   stall       an operation takes long, by the disk's own clock
 *   lose        a write is acknowledged, and synced, and never done
 *   misdirect   a write is done somewhere else
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

/* ---- ends ---- */

enum sim_end {
    SIM_POWER, /* the cache is lost                                                        */
    SIM_KILL,  /* only the process is: what was completed stays in the cache               */
};
/* What is left of `medium` if it ends now: one legal outcome, drawn from `seeded`. */
struct sim_medium *sim_cut(const struct sim_medium *medium, enum sim_end end, struct seeded *seeded);

/* The questions that a power cut now decides: answers[i] is how many answers the i-th has, the first being "as it was".
 * Returns how many there are, which may be more than `room`. */
uint32_t sim_questions(const struct sim_medium *medium, uint16_t *answers, uint32_t room);
/* What is left where they are answered so; those behind `count` with 0. */
struct sim_medium *sim_cut_by(const struct sim_medium *medium, const uint16_t *answer, uint32_t count);

/* What is durable under names, but for LOCK, as one number: two media with the same one are the same to who opens. */
uint64_t sim_fingerprint(const struct sim_medium *medium);
/* All operations that were submitted, with their bytes, and how and when each ended, as one number. */
uint64_t sim_history(const struct sim_medium *medium);
uint64_t sim_operations(const struct sim_medium *medium);

/* A process's door; for store_open_on. The medium outlives it. */
struct disk *sim_open(struct sim_medium *medium);

/* ---- faults ---- */

/* One of so many operations (of writes, where it says so); 0: none. */
struct sim_faults {
    uint32_t fail_one_in, shorten_one_in, stall_one_in; /* operations, writes, operations                    */
    uint32_t lose_one_in, misdirect_one_in;             /* writes of files of the store, LOCK excepted       */
    uint32_t lies_max;                                  /* of both together, as long as the medium lives     */
    uint64_t lies_from;                                 /* bytes; what is written below is written           */
    uint64_t stall_ns;                                  /* at most                                           */
    uint64_t seed;
};
void sim_set_faults(struct sim_medium *medium, struct sim_faults faults);

/* How often each happened on this medium. */
struct sim_hits {
    uint64_t failed, failed_syncs, dropped_sectors, shortened, stalled, lost, misdirected;
};
struct sim_hits sim_hits(const struct sim_medium *medium);

/* So much time goes by, in which nobody asks anything of the disk. */
void sim_pass(struct sim_medium *medium, uint64_t ns);

/* A switch for those who test the tests: syncs answer at once and make nothing durable. */
void sim_let_syncs_lie(struct sim_medium *medium);

/* The n-th operation of `kind` from now on fails with `error`, and has no effect. 0: none. */
void sim_fail(struct sim_medium *medium, enum disk_kind kind, uint64_t nth, int error);
bool sim_fail_is_over(const struct sim_medium *medium); /* it has come */

/* One sector of one file of the store (LOCK excepted) changes: a bit, all of it, or into another sector of that file.
 * False: nothing changed, for what it would have become was there. */
struct sim_decay {
    char name[64];
    uint64_t offset;
    const char *how;
};
bool sim_decay(struct sim_medium *medium, struct seeded *seeded, struct sim_decay *out);

/* ---- past the engine: what is there, and what time makes of it ---- */

struct sim_view {
    const uint8_t *bytes; /* as they are now; until it is looked at again */
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
