/* recover_tail.h: the newest segments, down to the first with a footer: opened, synced, judged. */
#ifndef TEAK_STORE_RECOVER_TAIL_H
#define TEAK_STORE_RECOVER_TAIL_H

#include "store/listing.h"
#include "store/scan.h"

/* The whole image, from the medium. */
enum teak_status recover_load_synced(struct teak_store *store, const struct scan_source *source, struct image *image,
                                     struct teak_error *error);

/* What stands before the segments that are scanned. */
struct before {
    bool is_sealed;
    struct footer footer;      /* of the sealed one                                                       */
    enum teak_status status;   /* not OK: file `number` is not that segment. It need not be: one that was forgotten */
    uint64_t number;           /* keeps its name until its next use is ready, whatever it holds                   */
    struct teak_error error;
};

/* Fills `tail`, which is empty: the images, oldest first. What it opened is closed by tail_close(), also where it
 * failed. */
enum teak_status tail_open(struct tail *tail, struct teak_store *store, const struct listing *listing,
                           struct before *before, struct teak_report *report, struct teak_error *error);
void tail_close(struct tail *tail, const struct scan_source *source);

/* Opens and judges the tail as a store has to be: damage is an answer. */
enum teak_status tail_judge(struct tail *tail, struct teak_store *store, const struct listing *listing,
                            struct before *before, struct teak_report *report, struct teak_error *error);

/* Numbers that no writer comes to, under sums that hold: malice. Nothing behind this must fear that they wrap. */
enum teak_status tail_check_sense(const struct tail *tail, struct teak_error *error);

#endif
