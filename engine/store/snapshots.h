/* snapshots.h: snapshot files: which there are, which go, and how one is put in force.
 *
 * OWNS   The directory `snapshots` and the notes: one for each file in it that is ours. One operation at the disk.
 *
 *   stream in   N.part, written by whoever streams, on its own thread          (snapshot_in.c)
 *   install     the rest and the foot -> sync -> rename -> sync the directory -> SNAPSHOT as a batch of its own
 *   remove      what no log's record names any more, once the record that says so is durable
 *
 * FAILS  What goes wrong before the batch ends the installation, and nothing changed. After a failed sync of the
 *        directory nothing is installed until the store is opened again: a later sync could call lost names safe.
 * HOLDS  (1) no record names a file before file, name and directory are durable
 *        (2) a file that a durable record may name is never removed  (3) a part that has a writer is the writer's
 */
#ifndef TEAK_STORE_SNAPSHOTS_H
#define TEAK_STORE_SNAPSHOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "format/snapshot_file.h"
#include "os/disk.h"
#include "store/flight.h"
#include "teak/snapshot.h"

struct teak_store;
struct log;

/* A file in `snapshots`. */
struct snapshot_note {
    struct snapshot_name name;  /* of a part only the log counts                                        */
    uint64_t life, index;       /* PART: whom it is for                                                 */
    uint64_t dead_lsn;          /* it goes when that is durable; UINT64_MAX: nobody said that it should */
    bool is_aborted;            /* PART: not to be gone on with                                         */
    struct teak_snapshot_writer *writer; /* PART: who is writing it, or NULL                            */
};

enum snapshot_step {
    SNAPSHOT_IDLE, SNAPSHOT_WRITE, SNAPSHOT_SYNC, SNAPSHOT_RENAME, SNAPSHOT_SYNC_NAME, SNAPSHOT_ADMIT, SNAPSHOT_REMOVE,
};

struct snapshots {
    enum errand errand;         /* ERRAND_SNAPSHOT                                                  */
    enum snapshot_step step;
    bool waiting;               /* an operation is at the disk                                      */
    bool changed;               /* a log's record has moved: look who is named still. Set by the writer, too */
    bool goes_first;            /* before pool and seal, every other time                           */
    bool is_synced;             /* the directory's own name is durable                              */
    int failure;                /* errno of a failed sync of the directory                          */
    int32_t directory;          /* DISK_NONE: there is none yet                                     */
    struct disk_op op;
    char name[SNAPSHOT_NAME_BYTES], to[SNAPSHOT_NAME_BYTES];
    struct snapshot_note *notes;
    uint32_t count, capacity;
    uint32_t unmarked;          /* notes still to be looked at, from the first                      */
    uint32_t dead;              /* notes with a dead_lsn                                            */
    uint64_t earliest;          /* no dead_lsn of theirs is lower                                   */
    uint64_t removing;          /* log whose file is being removed                                  */
    bool removes_part;
    struct teak_snapshot_writer *queue, *queue_last; /* to be installed, in order                   */
    struct teak_snapshot_writer *ended, *ended_last; /* could not be: the caller has still to hear  */
    /* counted */
    uint64_t installed, removed, installed_bytes;
};

struct snapshot_key_head {      /* what both directions of a stream share: aligned for the key */
    struct key key;
    struct snapshot_head head;
    uint64_t chain;             /* over the chunks [0, chained) */
    uint64_t chained;
};

struct teak_snapshot_writer {
    struct snapshot_key_head file_key;
    struct teak_store *store;
    struct disk *disk;
    int32_t directory, file;
    uint32_t open_flags;
    bool is_prepared, is_broken, begins_anew, replaces;
    int broken_errno;
    uint64_t body;              /* bytes accepted                                 */
    uint64_t window_first;      /* chunk that `window` begins with                */
    uint64_t unsynced;          /* bytes in the page cache                        */
    uint8_t *window;            /* WINDOW_CHUNKS of them, then room for the foot  */
    uint8_t *meta;
    /* installation */
    uint64_t tag, file_bytes, file_sum;
    struct teak_trailing keep;
    enum teak_status status;
    bool is_told;
    struct teak_snapshot_writer *next;
};

enum { SNAPSHOT_WINDOW_CHUNKS = 4, SNAPSHOT_WINDOW_BYTES = SNAPSHOT_WINDOW_CHUNKS * SNAPSHOT_CHUNK };

/* Opening: what is there? Reads only. Fills in the report what is missing. */
enum teak_status snapshots_load(struct teak_store *store, struct teak_report *report, struct teak_error *error);
void snapshots_fini(struct snapshots *snapshots, struct disk *disk);

/* Chores: start the next operation, or admit what is ready for it, if anything is due. FULL: it could not be admitted
 * yet. */
enum teak_status snapshots_step(struct teak_store *store);
void snapshots_ended(struct teak_store *store);
/* Something could be done now, without waiting for the disk. */
bool snapshots_are_due(const struct teak_store *store);
static inline bool snapshots_are_installing(const struct snapshots *snapshots) { return snapshots->queue != NULL; }

/* The caller can be told of an installation that failed. */
bool snapshots_have_ended(const struct teak_store *store);
bool snapshots_take_ended(struct teak_store *store, struct teak_completion *out);

/* A log's record names another file from now on, or the log is gone. */
static inline void snapshots_note_change(struct snapshots *snapshots) { snapshots->changed |= snapshots->count > 0; }

/* Would a snapshot there do nothing? `replaces`: at the very place of the one in force it does something. */
bool snapshot_is_stale(const struct log *log, struct teak_pos pos, bool replaces);

/* snapshot_in.c: the window's rest, sealed, with the foot behind it: what is left to write. Returns its bytes;
 * `offset_out`: where it goes. */
uint64_t snapshot_in_finish(struct teak_snapshot_writer *writer, uint64_t *offset_out);
void snapshot_in_free(struct teak_snapshot_writer *writer);
/* Room for `more` notes. */
bool snapshots_make_room(struct snapshots *snapshots, uint32_t more);
struct snapshot_note *snapshots_part_of(struct snapshots *snapshots, uint64_t log);

/* snapshot_out.c: read the snapshot file of a log from beginning to end. NOT_FOUND: it has none. */
enum teak_status snapshot_verify(struct teak_store *store, const struct log *log, uint64_t *bytes_out,
                                 struct teak_error *error);
/* Head of the part of `log`: whom is it for? */
bool snapshot_in_peek(struct disk *disk, int32_t directory, uint64_t log, const uint8_t family[16],
                      struct snapshot_head *out);

#endif
