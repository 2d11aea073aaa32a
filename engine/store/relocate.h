/* relocate.h: moves the last live entries of the oldest segment forward, so that it can go.
 *
 * OWNS   The job: one segment at a time, one operation of it at the disk.
 * PATH   too much is held by too little -> the oldest segment's summary -> its slots, in large pieces: each live entry
 *        is noted under the window of the file where it lies -> window after window: one read, all entries of all logs
 *        in it, verified under the segment's salt -> still mapped where they were read? -> REPLACE in the open frame
 *        (writer.c). compact.c forgets the segment when that is durable.
 *        So a segment is read once, front to back, however many logs took turns in it; where it has more entries than
 *        are noted at a time, once for each so many.
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
    RELOCATE_OPEN, RELOCATE_SUMMARY, /* of the segment                   */
    RELOCATE_NOTE, RELOCATE_SLOTS,   /* which entries live, and where    */
    RELOCATE_NEXT, RELOCATE_WINDOW,  /* the next window, its bytes       */
    RELOCATE_PUT,                    /* its entries, verified            */
    RELOCATE_CLOSE,
};
enum {
    RELOCATE_RUN_MAX = 1024,             /* entries in one REPLACE                                     */
    RELOCATE_WINDOW_BYTES = 256 * 1024,  /* read at a time                                             */
    RELOCATE_SLOTS_MAX = 16 * 1024,      /* likewise                                                   */
    RELOCATE_NOTES_MAX = 128 * 1024,     /* entries noted at a time: 5 MiB while a job lasts           */
};

/* An entry that was live when it was noted. */
struct note {
    uint64_t index, sum;
    uint32_t offset, bytes;
    uint32_t record, extent; /* in the summary: whose it is, its term and kind      */
    uint32_t next;           /* of the same window, in the order of noting; NO_NOTE */
};

struct window_notes {
    uint32_t first, last;    /* NO_NOTE: none */
};

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
    bool is_walked;          /* to its end                                                  */
    uint8_t *slots;          /* RELOCATE_SLOTS_MAX of them and a block on either side       */
    uint32_t slots_begin, slots_end; /* which                                               */
    struct note *notes;
    uint32_t note_count, notes_max;
    struct window_notes *windows;
    uint32_t window_count, window;   /* of the file; the one at hand                        */
    uint32_t note;           /* of that window: the next to be written                      */
    uint8_t *bytes;          /* of that window                                              */
    uint64_t room, begin, end;
    struct teak_bytes entries[RELOCATE_RUN_MAX];
    /* pace */
    uint64_t rate;      /* bytes per second that were asked for; 0: follow the writer       */
    int64_t budget;     /* bytes that may be moved now                                      */
    uint64_t paced_ns, paced_bytes;
    uint64_t retry_ns;  /* not before: the last job did not free its segment                */
    /* counted */
    uint64_t moved_entries, moved_bytes, refused, rotten, reads;
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
/* All that is left of the job is to close its file, which somebody may wait for. */
static inline bool relocate_lets_go(const struct relocate *relocate) { return relocate->step == RELOCATE_CLOSE; }

#endif
