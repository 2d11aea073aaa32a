/* relocate.h: moves the last live entries of the oldest segment forward, so that it can go.
 *
 * OWNS   The job: one segment at a time, one operation of it at the disk.
 * PATH   too much is held by too little -> the oldest segment's summary -> for each log that still lives there: slots,
 *        payloads (256 KiB at a time), verified under the segment's salt -> still mapped where they were read? ->
 *        REPLACE in the open frame (writer.c). compact.c forgets the segment when that is durable.
 * FAILS  Rot is never moved: what does not sum stays where it is, is counted, and its log is told by teak_lagging. A
 *        read that fails ends the job; it is tried again later. Where the writer has no room the job waits.
 * HOLDS  (1) only entries of sealed segments are moved, which are durable   (2) nothing but the map at the moment of
 *        writing says what is live: what was truncated, compacted or dropped since it was read is not written
 */
#ifndef TEAK_STORE_RELOCATE_H
#define TEAK_STORE_RELOCATE_H

#include <stdbool.h>
#include <stdint.h>

#include "format/segment_id.h"
#include "os/disk.h"
#include "store/flight.h"
#include "store/segment.h"
#include "teak/engine.h"

struct teak_store;

enum relocate_step {
    RELOCATE_IDLE,
    RELOCATE_OPEN, RELOCATE_SUMMARY, /* of the segment            */
    RELOCATE_NEXT,                   /* which entries             */
    RELOCATE_SLOTS, RELOCATE_PAYLOAD,/* of them                   */
    RELOCATE_PUT,                    /* verified, to be written   */
    RELOCATE_CLOSE,
};
enum { RELOCATE_RUN_MAX = 1024, RELOCATE_WINDOW_BYTES = 256 * 1024 };

struct relocate {
    enum errand errand; /* ERRAND_RELOCATE */
    enum relocate_step step;
    bool waiting;       /* an operation is at the disk                                      */
    struct disk_op op;
    char name[NAME_BYTES];
    uint64_t segment;   /* number of the one at hand                                        */
    int32_t file;
    uint8_t *summary;
    uint32_t record, extent; /* where the walk through the summary stands                   */
    uint64_t index;          /* next entry of that extent to look at; 0: its first          */
    uint8_t *slots;     /* RELOCATE_RUN_MAX of them and a block on either side              */
    uint8_t *window;    /* a stretch of the file                                            */
    uint64_t window_room, window_begin, window_end;
    /* the run at hand: entries of one log, one term, one kind */
    uint64_t log, life, first, term;
    uint32_t count, slot;
    uint8_t kind;
    struct teak_bytes entries[RELOCATE_RUN_MAX];
    /* pace */
    uint64_t rate;      /* bytes per second that were asked for; 0: follow the writer       */
    int64_t budget;     /* bytes that may be moved now                                      */
    uint64_t paced_ns, paced_bytes;
    uint64_t retry_ns;  /* not before: the last job did not free its segment                */
    /* counted */
    uint64_t moved_entries, moved_bytes, refused, rotten;
};

void relocate_init(struct relocate *relocate, uint64_t bytes_per_second);
void relocate_fini(struct relocate *relocate);
/* Its descriptor, before the disk is closed. */
void relocate_let_go(struct relocate *relocate, struct disk *disk);

/* Bytes of all the store's segment files, spares too. */
uint64_t relocate_disk_bytes(const struct teak_store *store);

/* Goes on with the job, or begins one where the store holds too much. At most one operation is given to the disk. */
void relocate_step(struct teak_store *store);
void relocate_ended(struct teak_store *store);
/* Does the job hold a segment below that one? It is told to let go. */
bool relocate_holds_below(struct teak_store *store, uint64_t number);

#endif
