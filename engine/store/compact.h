/* compact.h: which segments are dead, and the order of forgetting them.
 *
 * PATH   plan: the oldest segments in which nothing is live, the records that made it so and the successor's checkpoint
 *        durable. FORGET {oldest kept} rides with the next frame. When it is durable the files are nobody's: pool.c
 *        recycles.
 * HOLDS  the predecessor of the active segment is never dropped: so every hard state stands twice.
 */
#ifndef TEAK_STORE_COMPACT_H
#define TEAK_STORE_COMPACT_H

#include <stdbool.h>

struct teak_store;

/* Plan, write FORGET, or hand over what was forgotten. */
void compact_step(struct teak_store *store);

#endif
