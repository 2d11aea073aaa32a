/* events.h: what happened, kept until it can be told.
 *
 * OWNS   The queue of events: of fixed size, filled by the parts, emptied by events_deliver() between two changes.
 * PATH   event_put() while something moves; events_deliver() at the end of the public calls that drive.
 * FAILS  Where the queue is full an event is not kept, but counted, and the count is told.
 * HOLDS  (1) nobody is called while a structure is half-changed   (2) nothing is allocated   (3) without a listener
 *        nothing is kept
 */
#ifndef TEAK_STORE_EVENT_H
#define TEAK_STORE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/event.h"

enum { EVENTS_KEPT = 128 };

struct events {
    teak_event_fn on_event;
    teak_log_fn on_log;
    void *context;
    const uint64_t *now_ns;  /* the store's clock                                   */
    bool is_hot;             /* one of those kept should not wait for a completion  */
    uint32_t begin, end;     /* of the ring; they grow for ever                     */
    uint64_t told, lost;     /* in all                                              */
    uint64_t lost_said;      /* of the lost ones                                    */
    struct teak_event ring[EVENTS_KEPT];
};

static inline bool events_are_wanted(const struct events *events) { return events->on_event || events->on_log; }

/* Fills in level and time. */
void event_put(struct events *events, struct teak_event event);
/* Hands out what is kept. Only where every structure is whole, and not from within a callback. */
void events_deliver(struct events *events);

#endif
