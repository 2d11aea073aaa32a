/* listing.h: the names in a store's directory, told apart by what they mean. */
#ifndef TEAK_STORE_LISTING_H
#define TEAK_STORE_LISTING_H

#include "store/store.h"

struct numbers {
    uint64_t *list;
    uint64_t count, capacity;
};

/* Segments are in ascending order; the others as the directory gives them. */
struct listing {
    struct numbers segments, spares, temporaries;
    bool has_store_temporary;
    struct teak_report *report; /* unknown names go there */
    bool no_memory;
};

/* Names that are nobody's go to `report`. Fails: NO_MEMORY · what the directory answers. `listing` may be freed either
 * way. */
enum teak_status listing_read(struct listing *listing, struct teak_store *store, struct teak_report *report,
                              struct teak_error *error);
void listing_free(struct listing *listing);

#endif
