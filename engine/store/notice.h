/* notice.h: what is worth telling: the parts go on as if nobody listened, and the spine looks at what has changed.
 *
 * OWNS   What was told of the store's state.
 * HOLDS  A part knows nothing of events; each is made here, or where only the part can know (stall.c, cursor.c).
 */
#ifndef TEAK_STORE_NOTICE_H
#define TEAK_STORE_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/status.h"

struct teak_store;
struct teak_report;

struct notice {
    uint64_t oldest, newest;   /* segments                                 */
    bool no_space, poisoned;
    bool space_is_low;
    bool space_due;            /* the file system is to be asked again     */
    int failure;               /* of the supply                            */
    uint64_t space_low_bytes;
    uint64_t free_bytes;       /* as it said last                          */
    uint64_t no_space_answers; /* to submits and reservations              */
    uint64_t made, recycled, unlinked, sealed;
    uint64_t cut_bytes, cut_frames, damaged_reads;
    uint64_t ready;            /* number of the one that was told of last  */
};

/* The store was opened. */
void notice_opened(struct teak_store *store, const struct teak_report *report);
/* The first batch since opening was answered so: by the pool, or by what comes before it is asked. */
void notice_begin_failed(struct teak_store *store, const struct teak_error *cause);
/* An operation of the pool, of the sealer, has ended and was looked at. */
void notice_pool(struct teak_store *store);
void notice_seal(struct teak_store *store, uint64_t segment);
/* A read ended; is it one that met rot? */
void notice_read(struct teak_store *store, enum teak_status status, const struct teak_error *error);
/* Before events are delivered. */
void notice_state(struct teak_store *store);
/* How much space is left? A chore. */
void notice_space(struct teak_store *store);
void notice_closed(struct teak_store *store);

#endif
