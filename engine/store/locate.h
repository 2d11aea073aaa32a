/* locate.h: from (log, index) to a place in a segment.
 *
 * OWNS   Pieces, extents and term runs: every change of the map goes through the four functions below.
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
struct effect *map_effect(struct log *log, struct segment *active);

/* Room for `ops` more operations of a batch on this log in `active`. */
bool map_has_room(const struct log *log, const struct segment *active, uint32_t ops);
/* Its extents there are nearly used up. */
bool map_is_short(const struct log *log, const struct segment *active);

/* Entries first .. first + count - 1 lie in slots slot .. of `active`; everything from `first` on was taken away
 * before. */
void map_append(struct log *log, struct segment *active, uint64_t first, uint32_t count, uint64_t term, uint8_t kind,
                uint32_t slot);
/* The entries that map_append brought last go on for `count` more, in the slots behind. */
void map_extend(struct log *log, struct segment *active, uint32_t count);
/* Everything from `from` on goes. `lsn`: of the frame that says so. */
void map_truncate(struct log *log, struct segments *segments, struct segment *active, uint64_t from, uint64_t lsn);
/* Everything goes. */
void map_clear(struct log *log, struct segments *segments, struct segment *active, uint64_t lsn);
/* Everything up to `upto` goes. */
void map_compact(struct log *log, struct segments *segments, uint64_t upto, uint64_t last_index, uint64_t lsn);

#endif
