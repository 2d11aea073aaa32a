/* fetch.h: brings entries from the medium to a cursor without anybody waiting for them.
 *
 * OWNS   For each cursor that reads like this a stream: two windows, each with one operation at the disk at most. And
 *        the order in which streams get their turn.
 *
 *   open the file ──► map the index, populate its summary ──► populate the slots ──► note the places ──► read a window
 *      (skipped where it is open, mapped, populated)              │ (the arena has them: done)
 *                                                                 └─ a slot is rotten: read the segment, ask its tables
 *
 * PATH   stream_want() notes an index; the turn starts what may start (streams_start), and hands back what the disk has
 *        ended (fetch_ended), which leads to the next step in the same turn. While one window is read, or consumed, the
 *        other one is fetched ahead.
 * FAILS  An error is the answer of the read that meets it, for that cursor alone; the next try asks again.
 * HOLDS  (1) op, buffer and name belong to the disk from submit to collect: a stream outlives its cursor until then
 *        (2) a segment with a fetch at work is pinned: its descriptor and mapping stay, whatever happens to it
 *        (3) the places in a window were read from an index that was populated just before: consuming one touches no
 *            page that may fault
 */
#ifndef TEAK_STORE_FETCH_H
#define TEAK_STORE_FETCH_H

#include <stdatomic.h>

#include "format/segment_id.h"
#include "store/locate.h"
#include "store/store.h"

enum { WINDOW_BYTES = 1 << 20, WINDOW_MARGIN = 65536, SPOTS_MAX = 8192, SLOTS_AHEAD = 65536 };

/* Bytes that a hold may keep longer than the window they came with. */
struct window_memory {
    _Atomic uint32_t refs; /* the window, and holds; the last one frees it, on whatever thread. acq_rel */
    uint64_t room;
    uint8_t *data;
};

/* A stretch of a segment as it was read from the medium. */
struct window {
    struct window_memory *memory; /* NULL: none yet          */
    uint64_t segment, salt;       /* what it shows           */
    uint64_t begin, end;          /* offsets in the segment  */
};

/* Memory for `bytes`, nobody else's; what the window showed is gone. false: no memory. */
bool window_make_room(struct window *window, uint64_t bytes);
void window_memory_drop(struct window_memory *memory); /* any thread; NULL is fine */
static inline bool window_has(const struct window *window, const struct segment *segment, uint32_t offset,
                              uint32_t bytes)
{
    return window->segment == segment->number && window->salt == segment->key.salt && offset >= window->begin &&
           (uint64_t)offset + bytes <= window->end;
}
static inline const uint8_t *window_at(const struct window *window, uint32_t offset)
{
    return window->memory->data + (offset - window->begin);
}

/* Where an entry of a window lies: its slot, with what the extent says of it. */
struct spot {
    uint64_t sum, term;
    uint32_t offset, bytes;
    uint8_t kind;
};

enum fetch_step {
    FETCH_IDLE,    /* nothing to do, nothing to show          */
    FETCH_BEGIN,   /* asked for                               */
    FETCH_OPEN, FETCH_SUMMARY, FETCH_SLOTS, FETCH_READ, FETCH_TABLE,
    FETCH_OWN,     /* a descriptor for somebody else, who reads the window himself */
    FETCH_ENDED,   /* `status` says how; OK: spots and window */
};

struct stream;
struct fetch {
    enum errand errand;      /* ERRAND_READ */
    enum fetch_step step;
    bool at_disk;            /* the operation is out                                          */
    bool asks_table;         /* the slot did not verify: ask the frame that holds the entry   */
    struct stream *stream;
    struct fetch *next;      /* in the store's queue                                          */
    uint64_t index;          /* wanted                                                        */
    struct segment *segment; /* pinned, from the first step to the end                        */
    struct disk_op op;
    char name[NAME_BYTES];
    void *map;               /* mapped, its summary not judged yet                            */
    uint64_t map_bytes;
    struct spot *spots;      /* SPOTS_MAX of them, or NULL                                    */
    uint32_t count;          /* entries index .. index + count - 1 have spots                 */
    uint64_t noted, salt;    /* segment that the spots are of                                 */
    bool was_sealed;         /* so they hold as long as the log's map names it                */
    struct window window;
    uint64_t slots_tick, slots_begin, slots_end; /* SLOTS: which are on their way             */
    uint8_t *table;          /* the whole segment, while its tables are asked                 */
    int32_t own;             /* a descriptor of the segment, locked as a reader's; or DISK_NONE */
    enum teak_status status;
    struct teak_error error;
};

struct stream {
    struct teak_store *store;
    struct stream *before, *behind; /* all of the store's                                 */
    uint64_t log, life;
    uint64_t at;                    /* the cursor's next entry                            */
    bool is_awaited;                /* somebody was told PENDING                          */
    bool is_orphan;                 /* the cursor is closed: gone when the disk lets go   */
    struct fetch fetches[2];
    uint64_t fills;                 /* windows that were filled anew                          */
    bool only_places;               /* for a reader on another thread: places and a descriptor, no window */
    uint64_t own_segment, own_salt; /* it has a descriptor of this one                        */
    /* slots that are known to be in memory */
    uint64_t ready_segment, ready_tick, ready_begin, ready_end; /* slot numbers           */
};

/* NULL: no memory. */
struct stream *stream_open(struct teak_store *store, uint64_t log, uint64_t life, uint64_t index);
/* Gone at once, or when the disk has let go of it. */
void stream_close(struct stream *stream);
/* The cursor stands at `index`. */
void stream_move(struct stream *stream, uint64_t index);
/* What has been fetched of entry `index`, or NULL. */
struct fetch *stream_find(struct stream *stream, uint64_t index);
/* Fetch entry `index`. OK: it is under way, and the poll that waits returns when it has come. Else the answer of the
 * last try, told once. */
enum teak_status stream_want(struct stream *stream, uint64_t index, struct teak_error *error);
/* Fetch entry `index` by asking its frame's table: the slot, or the bytes at its place, did not verify. false: not
 * now. */
bool stream_ask(struct stream *stream, uint64_t index);
/* While the one that holds `at` is consumed, bring the next. */
void stream_read_ahead(struct stream *stream);
/* What was fetched is of no use: the entry lies elsewhere by now. */
void fetch_reset(struct fetch *fetch);
/* The spot of `index`, or the bytes there, did not verify: ask the frame's table. */
void fetch_ask_table(struct fetch *fetch, uint64_t index);

/* -- the turn's -- */

static inline bool streams_are_busy(const struct streams *streams) { return streams->out > 0 || streams->first; }

/* Start what may start. */
void streams_start(struct teak_store *store);
/* The disk handed back a fetch's operation. */
void fetch_ended(struct fetch *fetch);
/* All that is left of streams whose store goes away. The disk has let go of everything. */
void streams_fini(struct teak_store *store);

#endif
