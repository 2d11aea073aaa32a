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
/* The segment was forgotten: it is freed, now or, where fetches are at work on it, when the last of them has ended.
 * Until then its file is locked as a reader's, so that the pool unlinks it and never writes it over. */
void reader_forget(struct teak_store *store, struct segment *segment);
/* A fetch that was at work on it has ended. */
void reader_unpin(struct teak_store *store, struct segment *segment);
/* Those that were forgotten and are still there. */
void reader_fini(struct teak_store *store);

/* Room for one more descriptor: the segment that was read longest ago is closed. */
void reader_make_place(struct teak_store *store);
/* `map` becomes the segment's: its summary is in memory and was judged. */
void reader_take_map(struct teak_store *store, struct segment *segment, const void *map, uint64_t bytes);

/* How far the segment may be read: what is durable in it. */
uint64_t reader_end(const struct teak_store *store, const struct segment *segment);

/* HASH_MISMATCH, with all that is known of the entry. */
enum teak_status reader_rotten(const struct log *log, uint64_t index, const struct segment *segment, uint64_t offset,
                               struct teak_error *error);

/* Slots of entries first .. first + count - 1 of the log in the sealed segment of `piece` are in memory. */
enum teak_status reader_populate(struct teak_store *store, const struct piece *piece, uint64_t first, uint64_t count,
                                 struct teak_error *error);

/* Bytes [offset, offset + bytes) of a segment, block-aligned, into aligned memory. */
enum teak_status reader_read(struct teak_store *store, struct segment *segment, uint64_t offset, void *out,
                             uint64_t bytes, struct teak_error *error);

/* Is this payload the entry that was written? */
bool reader_is_whole(const struct log *log, uint64_t index, const struct place *place, const void *payload);

/* The slot was wrong: what does the frame's table say of the entry of that term and kind? NOT_FOUND: the same.
 * Reads the whole segment: rare. */
enum teak_status reader_ask_table(struct teak_store *store, const struct log *log, uint64_t index, struct place *place,
                                  struct teak_error *error);
/* The same of the segment's first `count` bytes, which were read already. false: the tables say the same as the slot,
 * or nothing. */
bool reader_ask_bytes(struct teak_store *store, const struct log *log, uint64_t index, uint8_t *bytes, uint64_t count,
                      struct place *place);

#endif
