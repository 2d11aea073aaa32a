/* compact.c: see compact.h. */
#include "store/compact.h"

#include "base/bytes.h"
#include "base/check.h"
#include "store/reader.h"
#include "store/store.h"

enum { BREATH = 2 }; /* segments */

static bool is_dead(const struct teak_store *store, const struct segment *segment)
{
    const uint64_t durable = store->flight.durable_lsn;
    const struct segment *successor = segment_at(&store->segments, segment->number + 1);
    return segment->live == 0 && segment->released_lsn <= durable && segment->last_lsn <= durable &&
           successor->first_lsn != 0 && successor->first_lsn <= durable && store->seal.segment != segment;
}

/* The first segment to keep. */
static uint64_t plan(const struct teak_store *store)
{
    uint64_t kept = store->segments.oldest;
    while (kept + 1 < store->segments.newest && is_dead(store, segment_at(&store->segments, kept))) kept++;
    return kept;
}

/* What was filled since the last time will be needed until the next: so a steady state recycles and never fills. */
static void set_keep(struct teak_store *store)
{
    const uint64_t live = store->segments.newest - store->forget_upto + 1;
    const uint64_t rolled = store->segments.newest - store->forgot_at;
    /* the most of late: it sinks by one each time, so that one quiet stretch does not give away what the next needs */
    store->rolled_high = max_u64(rolled, store->rolled_high - (store->rolled_high > 0));
    store->want_keep = store->pool.spares + min_u64(store->rolled_high, live + 1);
    store->forgot_at = store->segments.newest;
}

/* But never more than the row and the ready one leave of 2 x live + 4 segments, now: dropping much gives the space
 * back, and so does a row that grew. While frames are written the row breathes, by as much as is filled until the
 * chores of a segment have ended: what it leaves when it is short it takes back when it is long. */
static void bound_keep(struct teak_store *store)
{
    const struct segments *segments = &store->segments;
    const bool is_writing = store->flight.in_flight + store->flight.syncs_busy > 0;
    const uint64_t most =
        2 * segments->live_bytes / store->limits.segment_bytes + 4 + (is_writing ? BREATH : 0);
    const uint64_t taken = segments->newest - segments->oldest + 1 + 1;
    const uint64_t left = most > taken ? most - taken : 0;
    store->pool.keep = (uint32_t)max_u64(store->pool.spares, min_u64(store->want_keep, left));
}

static void hand_over(struct teak_store *store)
{
    struct segments *segments = &store->segments;
    if (store->seal.segment && store->seal.segment->number < store->forget_upto) return; /* it is just being sealed */
    if (relocate_holds_below(store, store->forget_upto)) return;
    set_keep(store);
    for (; segments->oldest < store->forget_upto; segments->oldest++) {
        struct segment *segment = segment_at(segments, segments->oldest);
        CHECK_EQ(segment->live, 0);
        /* where there is no memory for the note the file stays, and the next open finds it below the oldest kept */
        pool_add(&store->pool, (struct stock){.number = segment->number});
        reader_forget(store, segment);
        store->forgotten++;
    }
    store->forget_lsn = 0;
}

static void forget(struct teak_store *store)
{
    if (store->forget_lsn) {
        if (store->forget_lsn <= store->flight.durable_lsn) hand_over(store);
        return;
    }
    const uint64_t kept = plan(store);
    if (kept == store->segments.oldest || !writer_put_forget(store, kept)) return;
    store->forget_lsn = store->writer.next_lsn;
    store->forget_upto = kept;
}

void compact_step(struct teak_store *store)
{
    bound_keep(store);
    forget(store);
    /* what is still held behind that, by the mover or the seal, comes when they let go: that may be late */
    bool is_coming = store->forget_lsn > store->flight.durable_lsn;
    /* under none a cut may take the FORGET back: with a new file at hand the old one is not written over at once */
    if (store->flight.strategy == TEAK_NONE) is_coming = false;
    store->pool.coming = is_coming ? (uint32_t)(store->forget_upto - store->segments.oldest) : 0;
}
