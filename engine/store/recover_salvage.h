/* recover_salvage.h: opening a store with on_damage = quarantine: what is lost is passed over, and what is left becomes
 * segments and logs again.
 *
 * HOLDS  every segment from the oldest kept to the newest is in the row, one of which nothing can be read too; each has
 *        LSNs of its own
 */
#ifndef TEAK_STORE_RECOVER_SALVAGE_H
#define TEAK_STORE_RECOVER_SALVAGE_H

#include "store/recover_tail.h"
#include "store/salvage.h"

struct salvaging {
    struct salvage walk;
    uint32_t added, upto;  /* images that have a segment; images to replay       */
    uint32_t hurt;         /* a bit for each that lost something                 */
    uint64_t skipped_lsn;  /* for an image without a frame                       */
    bool knows_state;      /* the state at its beginning is known, or will be    */
    enum segment_state newest;
};

/* Answers of reading that on_damage = quarantine does not stop at. */
bool recover_passes_over(const struct teak_store *store, enum teak_status status);

/* Damage is passed over: the tail is opened again, as far as it can be read, and planned anew. */
enum teak_status salvaging_plan(struct salvaging *salvaging, struct teak_store *store, const struct listing *listing,
                                struct tail *tail, struct teak_report *report, struct teak_error *error);

/* Replays what the walk finds in the first `upto` images. */
enum teak_status salvaging_replay(struct salvaging *salvaging, struct teak_store *store, struct teak_report *report,
                                  struct teak_error *error);

/* A segment below the tail of which nothing can be read; one without an index, in which frames are lost. `last_lsn`: of
 * the segment before it, 0: there is none; then of this one. */
enum teak_status recover_lost_segment(struct teak_store *store, uint64_t number, uint64_t *last_lsn,
                                      struct teak_report *report, struct teak_error *error);
enum teak_status recover_hurt_segment(struct teak_store *store, uint64_t number, uint64_t *last_lsn,
                                      struct teak_report *report, struct teak_error *error);

#endif
