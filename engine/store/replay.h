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
#include "store/store.h"

/* The net effect of a sealed segment, from its judged summary. */
enum teak_status replay_summary(struct teak_store *store, struct segment *segment, const uint8_t *summary,
                                struct teak_error *error);

/* One judged frame of a segment that has tables. */
enum teak_status replay_frame(struct teak_store *store, struct segment *segment, const uint8_t *frame,
                              const struct frame_head *head, struct teak_error *error);

/* After the last one: forget what lies below the bases, find every index. Holes go into the report. */
enum teak_status replay_finish(struct teak_store *store, struct teak_report *report, struct teak_error *error);

#endif
