/* locate.h: from (log, index) to a place in a segment.
 *
 * OWNS   Pieces, extents and term runs, and what is live in each segment: every change goes through the functions
 *        below.
 * PATH   piece (binary search over the segments a log lives in) -> extent (over its stretches there) -> slot.
 * HOLDS  (1) a piece names the segment that holds the newest version of every index in it
 *        (2) a segment's effects are its own net effect: only the active one is edited
 * Capacity was seen to before: nothing here allocates, nothing here fails.
 */
#ifndef TEAK_STORE_LOCATE_H
#define TEAK_STORE_LOCATE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/log.h"
#include "store/segment.h"

struct place {
    struct segment *segment;
    uint32_t offset, bytes; /* of the payload in the file */
    uint64_t sum;
    uint64_t term;
    uint8_t kind;
};

/* Piece that holds `index`, or NULL (a hole: only while a store is being opened, or damage). index <= last.index. */
const struct piece *locate_piece(const struct log *log, uint64_t index);

/* Place of an entry. The segment is unsealed, or mapped. false: the map has no such entry. */
bool locate(const struct segments *segments, const struct log *log, uint64_t index, struct place *out);

/* Extents of the log in the segment of `piece`, in index order. The segment is unsealed, or mapped. */
const struct layout_extent *locate_extents(const struct segments *segments, const struct piece *piece,
                                           uint32_t *count_out);

/* The log's effect in `active`, made if there is none. */
struct effect *map_add_effect(struct log *log, struct segment *active);
static inline struct effect *map_effect(struct log *log, struct segment *active)
{
    return log->effect_segment == active->number ? &active->effects[log->effect] : map_add_effect(log, active);
}

static inline void map_foresee_slot(const struct log *log, const struct segment *active)
{
    if (log->effect_segment != active->number) return;
    const struct effect *effect = &active->effects[log->effect];
    __builtin_prefetch(&active->slots[effect->slot], 1);
    if (effect->capacity > 1) __builtin_prefetch(&effect->heap[effect->count - 1], 1);
}

/* Slots of `active` for `count` entries of the log that come next: neighbours of its last ones wherever that can be.
 * Where the logs of a store take turns each would have an extent for every entry; so a log that comes again gets a run,
 * as long as all it had there, or had in the segment before. Needs what map_effect needs. */
uint32_t map_take_slots(struct log *log, struct segment *active, uint32_t count);

/* Brings what an append to the log will look at near. Changes nothing. */
static inline void map_foresee(const struct log *log, const struct segment *active)
{
    if (log->piece_count > 0) __builtin_prefetch(&log->pieces[log->piece_count - 1], 1);
    if (log->effect_segment != active->number) return;
    const struct effect *effect = &active->effects[log->effect];
    __builtin_prefetch(effect, 1);
    __builtin_prefetch((const char *)(effect + 1) - 1, 1);
}

/* Will the next `count` slots be neighbours of the last ones it took there? */
static inline bool map_goes_on(const struct log *log, const struct segment *active, uint32_t count)
{
    const struct effect *effect = &active->effects[log->effect];
    return count <= effect->room || effect->slot + effect->room == active->slots_end;
}

/* Room for `ops` more operations of a batch on this log in `active`. `count` > 0: it is one that brings so many entries
 * behind the last, and it may need no extent of its own. */
bool map_has_room(const struct log *log, const struct segment *active, uint32_t ops, uint64_t term, uint8_t kind,
                  uint32_t count);
/* The same of one operation that goes on where the log ends, in its last term. */
bool map_has_room_behind(const struct log *log, const struct segment *active, uint64_t term, uint8_t kind,
                         uint32_t count);
/* Its extents there are nearly used up. One that lives in `one` is given more only when it needs more: most logs of
 * many never do. */
static inline bool map_is_short(const struct log *log, const struct segment *active)
{
    if (log->effect_segment != active->number) return false;
    const struct effect *effect = &active->effects[log->effect];
    if (effect->count == effect->capacity) return log->taken > 1 && effect->room < LOG_EXTENTS_AHEAD;
    return effect->count > 1 && effect->count + LOG_EXTENTS_AHEAD > effect->capacity;
}

/* Entries of one operation, whose slots are slot .. of the active segment. */
struct map_entries {
    uint64_t first, term;
    uint32_t count, slot;
    uint64_t bytes; /* what they cost: entry_cost of each */
    uint8_t kind;
    bool is_same_term; /* as that of the entry before the first, which is there */
};
static inline uint64_t map_end(const struct map_entries *entries) { return entries->first + entries->count; }
/* What entries in these slots cost. */
uint64_t slots_cost(const struct layout_slot *slots, uint32_t count);

/* They lie in `active` now; everything from `first` on was taken away before. */
void map_append(struct log *log, struct segments *segments, struct segment *active, const struct map_entries *entries);
/* The entries that map_append brought last go on for `count` more, in the slots from `slot` on, which are the next. */
void map_extend(struct log *log, struct segments *segments, struct segment *active, uint32_t slot, uint32_t count,
                uint64_t bytes);
/* The same entries again lie in `active`; where they were they are not live any more. None of them lay in `active`.
 * What is below and above them stays. Needs room for two pieces more. */
void map_replace(struct log *log, struct segments *segments, struct segment *active, const struct map_entries *entries,
                 uint64_t lsn);
/* Only the pieces of that: [piece.first, end) lies where `piece` says. `last`: of the log until now, not below
 * piece.first - 1. What the map did not know becomes a hole. */
void map_splice(struct log *log, struct segments *segments, struct piece piece, uint64_t end, uint64_t last,
                uint64_t lsn);
/* Only the pieces of a truncation. `last`: of the log until now. */
void map_cut(struct log *log, struct segments *segments, uint64_t from, uint64_t last, uint64_t lsn);
/* Only the extents of one effect. */
void map_trim_effect(struct effect *effect, const struct segment *active, uint64_t from);
/* Everything from `from` on goes; the log's head still says where it ended. `lsn`: of the frame that says so. */
void map_truncate(struct log *log, struct segments *segments, struct segment *active, uint64_t from, uint64_t lsn);
/* Everything goes. */
void map_clear(struct log *log, struct segments *segments, struct segment *active, uint64_t lsn);
/* Everything up to `upto` goes. */
void map_compact(struct log *log, struct segments *segments, uint64_t upto, uint64_t last_index, uint64_t lsn);

#endif
