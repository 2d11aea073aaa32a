/* log.h: one log: where it begins and ends, its hard state, and the rules by which an operation is admitted.
 *
 * OWNS   `head`: the state with everything that was admitted. The map from index to place is written by locate.c.
 * HOLDS  (1) base.index <= last.index   (2) first entry = base.index + 1   (3) term of `last` >= term of any entry
 *        before
 *        (4) a log that is fresh has last == base and may begin at any index
 *        (5) pieces ascend strictly in `first`; the last one ends at last.index. Where entries were moved forward a
 *        later piece may lie in an older segment
 * A batch is judged on copies ("staged") and applied only when all of it was admitted: a refusal leaves no trace.
 */
#ifndef TEAK_STORE_LOG_H
#define TEAK_STORE_LOG_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/terms.h"
#include "format/layout.h"
#include "store/segment.h"
#include "teak/engine.h"

struct log_head {
    bool alive, fresh;
    uint16_t meta_bytes;
    uint32_t marks;                         /* of its record, LOG_FRESH apart; unknown ones are kept */
    struct teak_pos last, base, snapshot;   /* what an append looks at comes first                   */
    uint64_t life;
    uint64_t term, vote, commit;
    uint64_t file_id, file_bytes, file_sum; /* of the snapshot's file; 0: the caller keeps it */
};

/* A stretch of the log that lies in one segment. It ends where the next begins, or at last.index. */
struct piece {
    uint64_t first;
    uint64_t bytes;   /* what its entries cost; of one that was cut short, in proportion    */
    uint32_t segment; /* low 32 bits of its number                                          */
    uint32_t record;  /* position in segment->effects, or offset in its summary once sealed */
};
/* `record` of a piece that is nowhere: while a store is being opened, entries that a later REPLACE brings again. */
enum { PIECE_HOLE = UINT32_MAX };
static inline bool piece_is_hole(const struct piece *piece) { return piece->record == (uint32_t)PIECE_HOLE; }

enum { LOG_NO_EFFECT = UINT32_MAX };

enum { LOG_OWN_PIECES = 5, LOG_OWN_RUNS = 4 };

/* A store has many of them: they are small, and what an append looks at lies together. */
struct log {
    _Alignas(64) uint64_t id;
    uint64_t staged_in;       /* the last batch that was judged with an operation on it                     */
    uint64_t effect_segment;  /* 0: none yet                                                                */
    uint32_t effect;          /* position in effects of segment `effect_segment`                            */
    uint32_t staged_at;       /* in that batch: position in writer->staged                                  */
    uint16_t taken, usual;    /* slots it took in that segment, and in the one before; at most 65,535       */
    bool scattered : 1;       /* pieces may lie in older segments than those before them, or be holes       */
    bool wanted : 1;          /* is in the list of those that should grow                                   */
    bool wants_meta : 1;
    bool frozen : 1;          /* opening: lost frames behind the last checkpoint may have touched it        */
    bool is_told : 1;         /* opening: frozen, but its hard state was written since                      */
    uint32_t piece_count, piece_capacity;
    struct piece *pieces;
    uint64_t changed_lsn;     /* the last frame that held an operation on it                                */
    struct log_head head;
    struct terms terms;       /* of base.index (if known) to last.index                                     */
    struct teak_pos floor;    /* known durable: never above what the map says                               */
    uint64_t doubt_upto;      /* opening: of entries up to here a newer version may be lost; 0: of none     */
    uint64_t base_lsn;        /* frame that last moved the base: with it all before it is durable           */
    uint8_t *meta;            /* META_BYTES_MAX bytes, or NULL                                              */
    struct log *next;         /* in the table's list of free logs, or of logs that should grow              */
    struct layout_extent *ahead; /* memory for the extents of the next effect, or NULL                      */
    uint32_t ahead_capacity;
    uint32_t wants_more;      /* pieces, runs and extents that a refused batch would have needed            */
    struct piece own_pieces[LOG_OWN_PIECES]; /* where `pieces` points until they are too few                */
    struct term_run own_runs[LOG_OWN_RUNS];  /* likewise                                                    */
};
enum { LOG_HOT_BYTES = 128 }; /* of it an append looks at, besides the last piece */
static_assert(offsetof(struct log, head.base) + sizeof(struct teak_pos) <= LOG_HOT_BYTES, "what an append looks at");
static_assert(sizeof(struct log) <= 448, "512 bytes a log, with its places in the table's two arrays");

/* Term of an entry of the log, or of its base. The caller knows base.index <= index <= last.index. */
uint64_t log_term_at(const struct log *log, uint64_t index);

/* May the operation follow on `head`? OK, or why not. Changes nothing. */
enum teak_status log_judge(const struct log_head *head, uint64_t id, const struct teak_op *op,
                           struct teak_error *error);

/* Change `head` as an operation that was judged does. `term_at` answers the term of an index of that very log (earlier
 * operations of the batch included). Only the head: no map, no memory. */
typedef uint64_t (*log_term_fn)(const void *context, uint64_t index);
void log_advance(struct log_head *head, const struct teak_op *op, log_term_fn term_at, const void *context);

/* What a snapshot at `at` does to a log. */
enum snapshot_effect log_snapshot_effect(const struct log_head *head, struct teak_pos at, log_term_fn term_at,
                                         const void *context);

/* -- the table of all logs of a store -- */

struct logs {
    struct log **slots;      /* open addressing by id; capacity a power of two, at most half full        */
    uint32_t capacity;
    struct log **sorted;     /* by id, ascending: the order of a checkpoint                              */
    uint32_t count, sorted_capacity;
    struct log *free;        /* linked by next                                                      */
    uint32_t free_count;
    void **slabs;
    uint32_t slab_count;
    struct log *want;        /* logs to grow; linked by next                                        */
    uint32_t want_free;      /* logs a refused batch would have created                                  */
    uint32_t want_free_more; /* what the neediest of them wants in its tables                            */
    bool want_free_meta;     /* one of them wants META                                                   */
    uint64_t record_bytes;   /* of all logs in a checkpoint                                              */
    struct log *recent;      /* the one found last                                                       */
    uint64_t memory_bytes;
};

bool logs_init(struct logs *logs);
void logs_fini(struct logs *logs);

struct log *logs_find(struct logs *logs, uint64_t id); /* NULL: none */
/* Brings what logs_find and an append will look at near: of an operation far ahead, and of a nearer one. */
void logs_foresee_slot(const struct logs *logs, uint64_t id);
void logs_foresee_log(const struct logs *logs, uint64_t id);
const struct log *logs_find_near(const struct logs *logs, uint64_t id); /* where a look-up begins; NULL: not there */
/* Position in `sorted` of the first log with an id above `after` (from_start: of the first). */
uint32_t logs_first_above(const struct logs *logs, bool from_start, uint64_t after);
/* Takes a free log and puts it into the table, its head not yet alive. Needs logs_has_room(1). */
struct log *logs_add(struct logs *logs, uint64_t id);
/* Takes it out; the log is free again. Its pieces must be gone. */
void logs_remove(struct logs *logs, struct log *log);
static inline bool logs_has_room(const struct logs *logs, uint32_t more)
{
    return logs->free_count >= more && logs->count + more <= logs->sorted_capacity &&
           2 * (uint64_t)(logs->count + more) <= logs->capacity;
}

/* The log's tables are nearly full, or a batch was refused for want of room: grow it at the next chores. */
void logs_want(struct logs *logs, struct log *log);
/* A batch that would have created `count` logs was refused, for one of them lacks `more` in its tables, or META. Those
 * logs are free again: the next `count` free ones get it, and the batch, when it comes again, finds it in them. */
void logs_want_free(struct logs *logs, uint32_t count, uint32_t more, bool meta);
/* Chores: grow what is wanted, keep `free` logs at hand. `active` may be NULL: then extents are not grown. false: no
 * memory (nothing is lost, the next try may do). */
bool logs_grow(struct logs *logs, uint32_t free, struct segment *active);

enum { LOG_PIECES_AHEAD = 2, LOG_RUNS_AHEAD = 2, LOG_EXTENTS_AHEAD = 2 };
static inline bool log_is_short_of_pieces(const struct log *log)
{
    return log->piece_count + LOG_PIECES_AHEAD > log->piece_capacity;
}
static inline bool log_is_short(const struct log *log)
{
    return log_is_short_of_pieces(log) || log->terms.count + LOG_RUNS_AHEAD > log->terms.capacity ||
           (log->wants_meta && !log->meta);
}
/* Of the first `free` free logs one has less than a log just created needs. */
static inline bool logs_free_is_short(const struct logs *logs, uint32_t free)
{
    const struct log *log = logs->free;
    for (uint32_t i = 0; i < free && log; i++, log = log->next)
        if (log_is_short(log)) return true;
    return false;
}
static inline bool logs_need_growth(const struct logs *logs, uint32_t free)
{
    return logs->want || logs->want_free || !logs_has_room(logs, free) || logs_free_is_short(logs, free);
}

#endif
