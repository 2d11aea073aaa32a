#define _GNU_SOURCE
/* event_text.c: names and meanings of events, and the one place where an event becomes text. */
#include "teak/event.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *teak_event_name(enum teak_event_kind kind)
{
    switch (kind) {
#define NAME_CASE(number, name, text, level, meaning) \
    case TEAK_EVENT_##name: return text;
        TEAK_EVENT_LIST(NAME_CASE)
#undef NAME_CASE
    }
    return "unknown";
}

static const char *meaning_of(enum teak_event_kind kind)
{
    switch (kind) {
#define MEANING_CASE(number, name, text, level, meaning) \
    case TEAK_EVENT_##name: return meaning;
        TEAK_EVENT_LIST(MEANING_CASE)
#undef MEANING_CASE
    }
    return "an event this build does not know";
}

struct line {
    char *out;
    size_t room, length; /* length: what was wanted, also beyond the room */
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t left = line->length < line->room ? line->room - line->length : 0;
    const int wrote = vsnprintf(left ? line->out + line->length : NULL, left, format, arguments);
    va_end(arguments);
    if (wrote > 0) line->length += (size_t)wrote;
}

static void add_time(struct line *line, uint64_t ns)
{
    enum { US_NS = 1000, MS_NS = 1000000 };
    add(line, "; %" PRIu64 ".%03" PRIu64 " ms", ns / MS_NS, ns % MS_NS / US_NS);
}

size_t teak_event_text(const struct teak_event *event, char *out, size_t bytes)
{
    struct line line = {.out = out, .room = bytes};
    if (bytes > 0) out[0] = 0;
    add(&line, "%s: %s", teak_event_name(event->kind), meaning_of(event->kind));
    if (event->operation[0]) add(&line, "; while: %.16s", event->operation);
    if (event->segment) add(&line, "; segment %" PRIu64, event->segment);
    if (event->offset) add(&line, " at offset %" PRIu64, event->offset);
    if (event->index) add(&line, "; log %" PRIu64 " index %" PRIu64 " term %" PRIu64, event->log, event->index,
                          event->term);
    if (event->lsn) add(&line, "; lsn %" PRIu64, event->lsn);
    if (event->bytes) add(&line, "; %" PRIu64 " bytes", event->bytes);
    if (event->count) add(&line, "; count %" PRIu64, event->count);
    if (event->duration_ns) add_time(&line, event->duration_ns);
    if (event->status != TEAK_OK) add(&line, "; status %s", teak_status_name(event->status));
    if (event->os_errno) add(&line, "; system: %s", strerrordesc_np(event->os_errno));
    return line.length;
}
