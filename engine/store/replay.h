/* replay.h: rebuilds logs from what stands in segments: frames of those that were scanned, summaries of the sealed
 * ones.
 *
 * PATH   oldest to newest. A sealed segment gives only the map; a scanned one begins with a checkpoint, which gives the
 *        rest. At the end every index from first to last of every log must be there.
 * FAILS  DECODE: the sums hold and it still makes no sense: a bug or malice. NO_MEMORY.
 * May allocate: nobody commits yet.
 */
#ifndef TEAK_STORE_REPLAY_H
#define TEAK_STORE_REPLAY_H

#include "format/descriptor.h"
#include "store/scan.h"
#include "store/store.h"

/* The next segment of the row, or its first. NULL: no memory. */
struct segment *replay_add_segment(struct teak_store *store, uint64_t number, enum segment_state state);
/* One that is scanned: with tables in memory until it has an index (again). The descriptor goes on with it, but for who
 * only looks. NULL: no memory. */
struct segment *replay_add_image(struct teak_store *store, struct image *image, enum segment_state state,
                                 struct teak_report *report);
/* It gets its index before the first batch. */
void replay_note_unindexed(struct teak_store *store, uint64_t number);

/* The net effect of a sealed segment, from its judged summary. */
enum teak_status replay_summary(struct teak_store *store, struct segment *segment, const uint8_t *summary,
                                struct teak_error *error);

/* One judged frame of a segment that has tables. */
enum teak_status replay_frame(struct teak_store *store, struct segment *segment, const uint8_t *frame,
                              const struct frame_head *head, struct teak_error *error);

/* Frames from `first_lsn` on are lost, and with them whatever they held. Only where damage is passed over. */
void replay_lost(struct teak_store *store, uint64_t first_lsn);
/* The last checkpoint is lost and nothing before it was replayed frame by frame: logs that the map knows, and nothing
 * else knows, are there all the same. */
enum teak_status replay_revive(struct teak_store *store, uint64_t lsn, struct teak_error *error);
/* A payload is rotten in a frame that is replayed. */
enum teak_status replay_rotten(struct teak_store *store, const struct rotten *rotten, struct teak_error *error);
/* How the logs stood where `op` was written: for a segment that is lost, what the next one's checkpoint says. */
enum teak_status replay_checkpoint(struct teak_store *store, struct segment *segment, const struct op *op,
                                   struct teak_error *error);

/* What was noted of losses is forgotten: opening begins anew, or failed. */
void replay_forget_losses(struct teak_store *store);

/* After the last one: forget what lies below the bases, find every index. Holes go into the report; where damage is
 * passed over, logs that are hurt are cut and marked instead. */
enum teak_status replay_finish(struct teak_store *store, struct teak_report *report, struct teak_error *error);

#endif
