/* events.c: see events.h. */
#include "store/events.h"

enum { TEXT_BYTES = 512 };

static enum teak_level level_of(enum teak_event_kind kind)
{
    switch (kind) {
#define LEVEL_CASE(number, name, text, level, meaning) \
    case TEAK_EVENT_##name: return TEAK_LEVEL_##level;
        TEAK_EVENT_LIST(LEVEL_CASE)
#undef LEVEL_CASE
    }
    return TEAK_LEVEL_INFO;
}

void event_put(struct events *events, struct teak_event event)
{
    if (!events_are_wanted(events)) return;
    if (events->end - events->begin == EVENTS_KEPT) {
        events->lost++;
        return;
    }
    event.level = level_of(event.kind);
    event.when_ns = *events->now_ns;
    events->ring[events->end++ % EVENTS_KEPT] = event;
    events->is_hot |= event.kind == TEAK_EVENT_STALL_BEGUN;
}

static void tell(struct events *events, const struct teak_event *event)
{
    if (events->on_event) events->on_event(events->context, event);
    if (events->on_log) {
        char text[TEXT_BYTES];
        teak_event_text(event, text, sizeof text);
        events->on_log(events->context, event->level, text);
    }
    events->told++;
}

void events_deliver(struct events *events)
{
    events->is_hot = false;
    if (events->begin == events->end) return;
    /* Only what is here now: a listener that reads what is rotten would otherwise be told for ever. */
    const uint32_t end = events->end;
    while (events->begin != end) {
        const struct teak_event event = events->ring[events->begin % EVENTS_KEPT];
        events->begin++;
        tell(events, &event);
    }
    const uint64_t lost = events->lost - events->lost_said;
    if (lost > 0) {
        events->lost_said = events->lost;
        tell(events, &(struct teak_event){.kind = TEAK_EVENT_EVENTS_LOST, .level = level_of(TEAK_EVENT_EVENTS_LOST),
                                          .when_ns = *events->now_ns, .count = lost});
    }
}
