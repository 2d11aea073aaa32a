/* writer.h: forms frames: admits batches, encodes them once, straight into the arena, and rolls to the next segment.
 *
 * OWNS   The open frame: the one that is being built. And the next LSN and the chain.
 * PATH   admit (on copies) -> room (close the frame? roll?) -> encode and apply -> close -> flight.
 * FAILS  A batch is refused whole and without trace: everything that can fail comes before `apply`.
 *        Where there is no room yet the answer is TEAK_FULL; the chores make it.
 * HOLDS  (1) the commit path allocates nothing and touches no name   (2) frame + index of the segment always fit the
 *        file
 *        (3) the first frame of a segment is a checkpoint of everything admitted before it
 */
#ifndef TEAK_STORE_WRITER_H
#define TEAK_STORE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "format/descriptor.h"
#include "store/log.h"
#include "teak/engine.h"

struct teak_store;

/* What a SNAPSHOT of the engine's own says, beside what teak_op has room for. id 0: the caller keeps the file. */
struct writer_snapshot {
    enum snapshot_effect effect;
    uint64_t id, bytes, sum;
};

/* A log as it will be when the operations of the batch that were judged so far are applied. */
struct staged {
    struct log *log;
    const struct teak_op *entries; /* the last operation that brings entries; NULL: none       */
    uint32_t ops;                  /* that bring entries                                       */
    bool is_reshaped;              /* entries do not go on where the last one in the map ends  */
    bool has_head;                 /* false: `entries` is the only operation so far and goes on where the log ends */
    struct log_head head;
};

struct writer {
    /* the open frame */
    bool is_open;
    bool is_lazy;           /* everything in it may wait                              */
    bool is_urgent;         /* no linger                                              */
    bool has_drop;          /* a log ended in it: none begins in it, so that a life has a number of its own */
    uint8_t *frame;         /* in the arena                                           */
    uint64_t position;      /* of it in the arena                                     */
    uint64_t room;          /* bytes it may grow to                                   */
    uint32_t offset;        /* in the active segment                                  */
    uint32_t payload_end;   /* bytes from the frame's beginning; 8-aligned            */
    uint64_t opened_ns;     /* when its first batch came                              */
    uint8_t *table;         /* its table, copied behind the payloads when it closes   */
    uint32_t table_bytes, table_room;
    uint32_t op_count, entry_count;
    /* the last operation of the table, if entries can join it */
    uint8_t *joinable;
    uint64_t join_log, join_index, join_term;
    uint32_t join_count;
    uint8_t join_kind;
    struct log *join_to;    /* the log they belong to                                 */
    uint64_t join_room;     /* bytes of payload, table and index that surely still fit */
    /* the stream */
    uint64_t next_lsn;      /* of the open frame                                      */
    uint64_t data_lsn;      /* last frame that holds more than an idle mark           */
    uint64_t chain;
    bool alone;             /* the next frame flies alone: it stands behind a clean mark */
    bool ends_in_mark;      /* the last frame is a mark                               */
    uint64_t oldest;        /* oldest segment kept, as the last FORGET or checkpoint says */
    /* reservation */
    bool reserved;
    uint32_t reserved_bytes, reserved_entries;
    /* judging */
    uint64_t batch;         /* number of the batch being judged                       */
    struct staged *staged;  /* the logs it has operations on                          */
    uint32_t staged_count, staged_capacity;
    uint32_t want_staged;   /* capacity that a refused batch would have needed        */
    uint32_t staged_high;   /* most logs in a batch since `staged_since` was the newest segment */
    uint64_t staged_since;
    struct writer_snapshot snapshot; /* the batch at hand installs a file                     */
    uint32_t want_effects;  /* effects that a refused batch would have needed         */
    struct teak_op *naming; /* the batch's operations, if TEAK_INDEX_NEXT in them is to become an index; else NULL */
    /* counted */
    uint64_t batches, entries, payload_bytes, frames, frame_bytes, padding_bytes, full, stalls;
};

bool writer_init(struct writer *writer, uint32_t table_room);
void writer_fini(struct writer *writer);
/* Chores: room for the logs of a batch that was refused for want of it; and less where a whole segment has seen no such
 * batch. false: no memory. */
bool writer_size_staged(struct writer *writer, uint64_t newest_segment);

enum teak_status writer_submit(struct teak_store *store, const struct teak_batch *batch, struct teak_error *error);
enum teak_status writer_reserve(struct teak_store *store, uint32_t bytes, uint32_t entries, void **out,
                                struct teak_error *error);

static inline bool writer_has_work(const struct writer *writer) { return writer->is_open && writer->op_count > 0; }
/* Ends the open frame and hands it to the flight. Needs writer_has_work and a place in the flight. */
void writer_close_frame(struct teak_store *store);
/* A mark, or FORGET, as an operation of the engine's own. false: no room now. */
bool writer_put_mark(struct teak_store *store, enum mark mark);
bool writer_put_forget(struct teak_store *store, uint64_t oldest);
/* Entries of the log, durable and verified, once more. Returns what they cost; 0: no room yet, what lacks was asked
 * for. */
struct moved_entries {
    uint64_t log, first, term;
    const struct teak_bytes *entries;
    uint32_t count;
    uint8_t kind;
};
uint64_t writer_put_replace(struct teak_store *store, const struct moved_entries *moved);
/* Entries of that log will be moved soon: what lacks for it is asked for. */
void writer_foresee_replace(struct teak_store *store, uint64_t id);
/* The active segment is closed, `ready` takes over and gets its checkpoint. */
enum teak_status writer_roll(struct teak_store *store, bool grows);
/* Only the checkpoint: the active segment has no frame yet (creation, and opening after a cut). Closed, not
 * launched. */
enum teak_status writer_put_checkpoint(struct teak_store *store);

#endif
