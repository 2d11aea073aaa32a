/* segment.h: one segment's life, and the row of segments that are the stream.
 *
 * OWNS   Which segment is in which state; the slots and the net effects ("touched") of those without an index on disk.
 *
 *            take over          rotate            footer durable       forgotten
 *     READY ───────────► ACTIVE ───────► CLOSED ────────────────► SEALED ─────────► (a spare with a name)
 *                                          └─────────────────────────────────────────▲
 * PATH   pool.c makes READY; writer.c fills ACTIVE; seal.c turns CLOSED into SEALED; compact.c forgets.
 * HOLDS  (1) numbers are contiguous, oldest to newest   (2) one ACTIVE, all behind it CLOSED or SEALED, CLOSED are the
 *        newest
 *        (3) live == pieces of all logs that point here, live_bytes what their entries cost
 *        (4) `touched` describes this segment alone: later ones never edit it
 */
#ifndef TEAK_STORE_SEGMENT_H
#define TEAK_STORE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "format/frame.h"
#include "format/key.h"
#include "format/layout.h"
#include "format/segment_index.h"
#include "os/disk.h"

enum segment_state { SEGMENT_READY, SEGMENT_ACTIVE, SEGMENT_CLOSED, SEGMENT_SEALED, SEGMENT_STATE_COUNT };

/* What this segment does to one log. Extents are kept as they lie on disk: one lookup serves both. */
struct effect {
    uint64_t log;
    uint64_t removed_from;       /* as in struct layout_touched                                     */
    uint64_t bytes;              /* what its entries cost                                           */
    uint32_t flags;
    uint32_t count, capacity;    /* extents; capacity 1: `one` holds it, more: `heap`               */
    uint32_t slot, room;         /* where its next slots go if they fit there: map_take_slots       */
    union {
        struct layout_extent one;
        struct layout_extent *heap;
    };
};

struct segment {
    struct key key;
    uint64_t number;
    enum segment_state state;
    int32_t file;                /* DISK_NONE: not open                                             */
    uint64_t file_bytes;
    bool is_short;               /* the file was cut behind its footer: unlinked when dead          */
    bool is_salvaged;            /* frames of it are lost: its index says so                        */
    bool is_lost;                /* nothing of it can be read: another file takes its place         */
    bool is_missing;             /* and there is no file                                            */
    bool is_cut_short;           /* the file must be brought back to its size before it is sealed   */
    uint32_t frames_end;         /* bytes; end of the last frame that was closed                    */
    uint64_t first_lsn, last_lsn;/* 0: no frame                                                     */
    uint64_t chain;              /* checksum of the last frame's head                               */
    /* until it is sealed */
    struct layout_slot *slots;   /* a log's lie together in runs                                    */
    uint32_t slot_count, slot_capacity; /* in use                                                   */
    uint32_t slots_end;          /* behind the last that is in use, or kept for a log               */
    struct effect *effects;
    uint32_t effect_count, effect_capacity;
    uint32_t extent_count;       /* ever added: bounds the summary                                  */
    /* once it is sealed */
    struct footer footer;
    const uint8_t *map;          /* slots and summary; NULL: not mapped                             */
    uint64_t map_bytes;
    uint64_t used;               /* tick of the last read: the least recent is closed first         */
    uint64_t mapped_at;          /* tick of its mapping                                             */
    /* reading */
    uint32_t pins;               /* fetches at work on it: descriptor and mapping stay. reader.c    */
    bool is_retired;             /* forgotten meanwhile: freed when the last pin goes               */
    struct segment *next_retired;
    /* liveness */
    uint64_t live;               /* pieces that point here                                          */
    uint64_t live_bytes;         /* what their entries cost; those of a piece cut short, in proportion */
    uint64_t released_lsn;       /* frame that took the last of them away                           */
};

struct segments {
    struct segment **row;        /* row[number & (capacity - 1)]                                    */
    uint64_t capacity;           /* power of two                                                    */
    uint64_t oldest, newest;     /* newest: the ACTIVE one                                          */
    struct segment *ready;       /* the next one, or NULL                                           */
    uint64_t live_bytes;         /* of all of them                                                  */
    uint64_t unindexed;          /* the lowest that gets its index before the first batch; 0: none  */
    uint64_t tick;
};

static inline struct segment *segment_at(const struct segments *segments, uint64_t number)
{
    return segments->row[number & (segments->capacity - 1)];
}
/* By the low 32 bits of its number: what a piece keeps. */
static inline struct segment *segment_of_piece(const struct segments *segments, uint32_t low)
{
    return segment_at(segments, segments->oldest + (uint32_t)(low - (uint32_t)segments->oldest));
}
static inline struct segment *segment_active(const struct segments *segments)
{
    return segment_at(segments, segments->newest);
}

/* Bytes of index that this many slots, effects and extents need behind the frames, footer included. */
uint64_t segment_index_bytes(uint64_t slots, uint64_t effects, uint64_t extents, uint32_t block_bytes);

void segment_move(struct segment *segment, enum segment_state to);

/* Extents of an effect, wherever they lie. */
static inline struct layout_extent *effect_extents(struct effect *effect)
{
    return effect->capacity > 1 ? effect->heap : &effect->one;
}

/* Tables of a segment that does not need them any more: their memory is warm, and the next one's go there. */
struct spare_tables {
    struct layout_slot *slots;
    struct effect *effects;
    uint32_t slot_capacity, effect_capacity;
};
/* What `spare` has not got yet is put there; effects only if most of their memory was used. The rest is given back. */
void segment_keep_tables(struct segment *segment, struct spare_tables *spare);
/* The other way round, into a segment that has none. */
void segment_take_tables(struct segment *segment, struct spare_tables *spare);
void spare_tables_fini(struct spare_tables *spare);

/* Beside as many slots as entries find room for: one for so many of them. */
enum { SEGMENT_SPARE_SLOTS = 8 };
/* Memory for what a segment without an index needs. false: no memory. */
bool segment_make_tables(struct segment *segment, uint64_t segment_bytes);
void segment_drop_tables(struct segment *segment);
bool segment_grow_effects(struct segment *segment, uint32_t capacity);
bool effect_grow(struct effect *effect, uint32_t capacity);
/* A new effect on `log`, empty; returns its position. Needs room in effects. */
uint32_t segment_add_effect(struct segment *segment, uint64_t log);

struct segment *segment_new(uint64_t number);
void segment_free(struct segment *segment, struct disk *disk); /* unmaps and closes too; NULL is fine */

bool segments_init(struct segments *segments);
void segments_fini(struct segments *segments, struct disk *disk);
/* Room for one more beyond newest (the row doubles). Off the commit path. */
bool segments_make_room(struct segments *segments);
/* How many of the newest wait for their index: at most SEGMENTS_CLOSED_MAX while the store writes. */
enum { SEGMENTS_CLOSED_MAX = 2 };
uint32_t segments_closed(const struct segments *segments);
/* `segment` becomes the newest. Needs room. */
void segments_push(struct segments *segments, struct segment *segment);

#endif
