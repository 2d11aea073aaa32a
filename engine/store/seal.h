/* seal.h: turns CLOSED segments into SEALED ones, behind the commit path, oldest first.
 *
 * OWNS   The job: one segment at a time, one operation of it at the disk.
 * PATH   slots (one log's lie together) in pieces of 256 KiB, one or some in a write, sync; summary and footer (the
 *        file's last block), sync; cut the file there if the segment ended early. From then on lookups use the index
 *        on disk.
 * HOLDS  (1) begun only when the checkpoint of the successor is durable: so a valid footer proves that every frame of
 *        the segment was durable, and the segments without one are always the newest
 *        (2) what is written is the segment's own net effect, whatever later segments did to it meanwhile
 * FAILS  A write or sync that fails poisons the store like any other.
 */
#ifndef TEAK_STORE_SEAL_H
#define TEAK_STORE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "store/flight.h"
#include "store/log.h"
#include "store/segment.h"

enum seal_step {
    SEAL_IDLE,
    SEAL_SYNC_NEXT,   /* the successor, with its checkpoint; only where nothing else syncs */
    SEAL_SYNC_FRAMES, /* the segment itself; likewise                                      */
    SEAL_SLOTS,
    SEAL_SYNC_SLOTS,
    SEAL_SUMMARY,
    SEAL_SYNC_SUMMARY,
    SEAL_TRUNCATE,
    SEAL_SYNC_SIZE,
};

struct seal {
    enum errand errand; /* ERRAND_SEAL */
    enum seal_step step;
    bool waiting;
    bool is_unsynced;       /* TEAK_NONE: frames were never synced, so a footer must not come before they are     */
    struct disk_op op;
    struct segment *segment;
    uint32_t block_bytes;
    uint8_t *tail;          /* summary and footer block, as they go to the disk           */
    uint64_t tail_bytes;
    uint8_t *pieces;        /* of slots, on their way                                     */
    struct footer footer;
    uint64_t sums[SLOT_PIECES_MAX]; /* of the pieces                               */
    const struct effect **sorted; /* the segment's effects by log, then by age             */
    uint32_t slots_done;
    uint32_t at_effect, at_extent, at_slot; /* where the next slot comes from: position in sorted, extent, slot of it */
    /* counted */
    uint64_t sealed, bytes;
};

bool seal_init(struct seal *seal, uint32_t block_bytes, bool is_unsynced);
void seal_fini(struct seal *seal);

static inline bool seal_is_busy(const struct seal *seal) { return seal->step != SEAL_IDLE; }

/* Is a closed segment there whose successor's checkpoint is durable? */
bool seal_is_due(const struct segments *segments, uint64_t durable_lsn);

/* Is one closed that opening said must not wait (segments->unindexed)? */
bool seal_has_deep(const struct segments *segments);

/* Start the next operation, or the next segment; a write of slots has at most `room` bytes, or is one piece. An errno
 * (ENOMEM) if there is no memory for the summary: try later. */
int seal_step(struct seal *seal, struct disk *disk, const struct segments *segments, uint64_t durable_lsn,
              uint64_t room);
/* The operation ended: 0, or the errno that poisons. `spare` receives the memory of the segment's tables. */
int seal_ended(struct seal *seal, struct disk *disk, const struct segments *segments, struct logs *logs,
               struct spare_tables *spare);

/* Where the file of a closed segment would end behind its index. false: no memory to find out. */
bool seal_fits(const struct segment *segment, uint32_t block_bytes, uint64_t *end_out);

/* The net effect of a segment, as a summary with slot numbers in it. `sorted` has room for effect_count, `out` for as
 * many records and extent_count extents. Returns the bytes; sets the footer's slot_count and log_count. For its test,
 * too. */
uint32_t seal_summarise(const struct segment *segment, const struct effect **sorted, uint8_t *out,
                        struct footer *footer);

#endif
