#define _GNU_SOURCE
/* status.c: names, meanings and the one place where an error becomes text. */
#include "teak/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *teak_status_name(enum teak_status status)
{
    switch (status) {
#define NAME_CASE(number, name, text, meaning) \
    case TEAK_##name: return text;
        TEAK_STATUS_LIST(NAME_CASE)
#undef NAME_CASE
    }
    return "unknown";
}

const char *teak_status_meaning(enum teak_status status)
{
    switch (status) {
#define MEANING_CASE(number, name, text, meaning) \
    case TEAK_##name: return meaning;
        TEAK_STATUS_LIST(MEANING_CASE)
#undef MEANING_CASE
    }
    return "a status this build does not know";
}

struct text {
    char *out;
    size_t room, length; /* length: what was wanted, also beyond the room */
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t left = text->length < text->room ? text->room - text->length : 0;
    const int wrote = vsnprintf(left ? text->out + text->length : NULL, left, format, arguments);
    va_end(arguments);
    if (wrote > 0) text->length += (size_t)wrote;
}

size_t teak_error_text(const struct teak_error *error, char *out, size_t bytes)
{
    struct text text = {.out = out, .room = bytes};
    if (bytes > 0) out[0] = 0;
    text_add(&text, "%s: %s", teak_status_name(error->status), teak_status_meaning(error->status));
    if (error->operation[0]) text_add(&text, "; while: %.16s", error->operation);
    if (error->file[0]) text_add(&text, "; file %.48s", error->file);
    if (error->has_offset) text_add(&text, " at offset %" PRIu64, error->offset);
    if (error->has_log) text_add(&text, "; log %" PRIu64, error->log);
    if (error->index) text_add(&text, " index %" PRIu64, error->index);
    if (error->has_term) text_add(&text, " term %" PRIu64, error->term);
    if (error->has_expected) text_add(&text, "; expected %" PRIu64, error->expected);
    if (error->os_errno) text_add(&text, "; system: %s", strerrordesc_np(error->os_errno));
    return text.length;
}
