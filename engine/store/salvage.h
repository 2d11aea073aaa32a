/* salvage.h: what can still be read of segments that are damaged, in the order it was written, and what is missing
 * between.
 *
 * PATH   Asked only where scan.h says that acknowledged data is damaged. From frame to frame like a scan; where no
 *        whole frame stands, the next valid head behind says which LSNs are lost.
 * HOLDS  (1) two walks over the same images say the same: one plans, one replays
 *        (2) behind the last LSN that anybody vouches for, the first invalid place is a cut, as ever
 * OWNS   Nothing: the images are the tail's.
 */
#ifndef TEAK_STORE_SALVAGE_H
#define TEAK_STORE_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/scan.h"

enum salvage_item {
    SALVAGE_END,       /* nothing behind this was acknowledged, or nothing is there                        */
    SALVAGE_WHOLE,     /* a whole frame                                                                    */
    SALVAGE_ROTTEN,    /* its table is right, at least one payload is not                                  */
    SALVAGE_LOST,      /* frames first_lsn to last_lsn: nobody knows what they held                        */
    SALVAGE_SENSELESS, /* sums hold, and it makes no sense: never passed over                              */
    SALVAGE_UNKNOWN,   /* an operation of a later version: never passed over                               */
};

struct salvage {
    struct scan_source source;
    const struct tail *tail;
    bool is_open_ended;       /* a whole file is missing behind the last image                             */
    uint64_t vouched;         /* highest durable LSN that any valid head or footer says                    */
    uint32_t reached;         /* image of the last item that was told, and where that ended                */
    uint64_t reached_offset;
    uint32_t next_image;
    uint64_t next_offset;
    uint64_t lsn;             /* that the next frame should have; 0: not known                             */
    uint64_t chain;
    bool has_chain;           /* false behind what is lost                                                 */
    /* the item */
    uint32_t image;
    uint64_t offset, end;     /* where it stands, and ends; LOST: end is where it was passed over          */
    struct frame_head head;   /* WHOLE, ROTTEN                                                             */
    uint64_t first_lsn, last_lsn;
    bool is_checkpoint;       /* LOST: only the checkpoint of a segment, which holds nothing that is new   */
};

/* `lsn`: of the first frame of the first image; 0: not known. */
void salvage_begin(struct salvage *walk, const struct scan_source *source, const struct tail *tail, uint64_t lsn,
                   bool is_open_ended);
enum salvage_item salvage_next(struct salvage *walk);

/* Entries of a ROTTEN frame: is this one's payload what was written? */
bool salvage_entry_is_whole(const struct salvage *walk, const struct op *op, uint32_t entry);

/* Walks all of it and fills the plan in `tail` (last, end, lsn, chain, oldest, frames, bytes), the report's damage, and
 * `hurt`: a bit for each image in which something is lost or rotten. Fails: DECODE, FEATURE. */
enum teak_status salvage_plan(const struct scan_source *source, struct tail *tail, uint64_t lsn, bool is_open_ended,
                              uint32_t *hurt_out, struct teak_report *report, struct teak_error *error);

#endif
