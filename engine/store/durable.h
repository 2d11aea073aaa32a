/* durable.h: how far one log is durable.
 *
 * An entry is durable if it lies before the end of the durable frames. Positions grow with the index in what the map
 * holds, and the map holds only the newest version of an entry: so an entry that was replaced is never counted, and a
 * truncation makes the answer fall back, without a list of what is on its way.
 * Entries that were moved forward are the exception: only durable ones are, and moving raises the floor to the last of
 * them. Above the floor positions grow with the index.
 */
#ifndef TEAK_STORE_DURABLE_H
#define TEAK_STORE_DURABLE_H

#include "store/flight.h"
#include "store/log.h"
#include "store/segment.h"

/* Index and term up to which the log survives a power cut. Raises log->floor. */
struct teak_pos durable_of(struct log *log, const struct segments *segments, const struct flight *flight);

/* After the store was poisoned: what is not durable is taken off the map, so that reads and `last` tell what will be
 * there at least. */
void durable_fall_back(struct logs *logs, struct segments *segments, const struct flight *flight);

#endif
