/* reader.h: segments that are read: descriptors and mappings as a bounded cache, and entries from the medium, verified.
 *
 * HOLDS  No page of a mapping is touched before it was populated: a bad sector is an error, never a signal. What
 *        eviction and a bad sector together can still do is in docs/durability.md.
 */
#ifndef TEAK_STORE_READER_H
#define TEAK_STORE_READER_H

#include "store/locate.h"
#include "store/store.h"

enum { READER_OPEN_MAX = 64 }; /* sealed segments with a descriptor */

/* The segment has a descriptor and, if sealed, a mapped index whose summary is in memory. COMPACTED: its file vanished
 * (beside a writer). */
enum teak_status reader_hold(struct teak_store *store, struct segment *segment, struct teak_error *error);
/* The segment is about to be freed. */
void reader_let_go(struct teak_store *store, struct segment *segment);

/* Slots of entries first .. first + count - 1 of the log in the sealed segment of `piece` are in memory. */
enum teak_status reader_populate(struct teak_store *store, const struct piece *piece, uint64_t first, uint64_t count,
                                 struct teak_error *error);

/* Bytes [offset, offset + bytes) of a segment, block-aligned, into aligned memory. */
enum teak_status reader_read(struct teak_store *store, struct segment *segment, uint64_t offset, void *out,
                             uint64_t bytes, struct teak_error *error);

/* Is this payload the entry that was written? */
bool reader_is_whole(const struct log *log, uint64_t index, const struct place *place, const void *payload);

/* The slot was wrong: what does the frame's table say? NOT_FOUND: the same. Reads the whole segment: rare. */
enum teak_status reader_ask_table(struct teak_store *store, const struct log *log, uint64_t index, struct place *place,
                                  struct teak_error *error);

#endif
