/* framing.c: see framing.h.
 * OWNS   The input buffer. It grows only where one entry, or what a caller rewound, does not fit.
 * PATH   framing_fill moves the rest to the front and reads behind it; framing_next hands out from the front.
 * FAILS  An entry larger than the limit is noticed as soon as more than the limit is buffered: the buffer stays bounded
 *        whatever the input holds.
 * HOLDS  begin <= looked <= end <= room. */
#include "framing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM_BYTES = 1 << 20, LEN32_BYTES = 4 };

const char *const framing_names[] = {"lines", "len32", NULL};

bool framing_init(struct framing *framing, int fd, enum framing_kind kind, uint32_t entry_bytes_max)
{
    *framing = (struct framing){.fd = fd, .kind = kind, .entry_bytes_max = entry_bytes_max, .room = ROOM_BYTES};
    framing->buffer = malloc(framing->room);
    return framing->buffer != NULL;
}

void framing_fini(struct framing *framing)
{
    free(framing->buffer);
    framing->buffer = NULL;
}

static enum framing_answer hand_out(struct framing *framing, size_t from, size_t bytes, size_t next,
                                    struct teak_bytes *out)
{
    if (bytes > framing->entry_bytes_max) return FRAMING_TOO_LARGE;
    *out = (struct teak_bytes){.data = framing->buffer + from, .bytes = (uint32_t)bytes};
    framing->begin = framing->looked = next;
    return FRAMING_ENTRY;
}

static enum framing_answer next_line(struct framing *framing, struct teak_bytes *out)
{
    const unsigned char *newline = NULL;
    if (framing->looked < framing->end)
        newline = memchr(framing->buffer + framing->looked, '\n', framing->end - framing->looked);
    if (newline != NULL) {
        const size_t at = (size_t)(newline - framing->buffer);
        return hand_out(framing, framing->begin, at - framing->begin, at + 1, out);
    }
    framing->looked = framing->end;
    const size_t rest = framing->end - framing->begin;
    if (rest > framing->entry_bytes_max) return FRAMING_TOO_LARGE;
    if (!framing->ended) return FRAMING_MORE;
    if (rest == 0) return FRAMING_END;
    return hand_out(framing, framing->begin, rest, framing->end, out);
}

static enum framing_answer next_record(struct framing *framing, struct teak_bytes *out)
{
    const size_t rest = framing->end - framing->begin;
    const unsigned char *at = framing->buffer + framing->begin;
    if (rest < LEN32_BYTES) return !framing->ended ? FRAMING_MORE : rest == 0 ? FRAMING_END : FRAMING_TORN;
    const size_t bytes = (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (bytes > framing->entry_bytes_max) return FRAMING_TOO_LARGE;
    if (rest - LEN32_BYTES < bytes) return framing->ended ? FRAMING_TORN : FRAMING_MORE;
    const size_t from = framing->begin + LEN32_BYTES;
    return hand_out(framing, from, bytes, from + bytes, out);
}

enum framing_answer framing_next(struct framing *framing, struct teak_bytes *out)
{
    return framing->kind == FRAMING_LINES ? next_line(framing, out) : next_record(framing, out);
}

void framing_rewind(struct framing *framing, const struct teak_bytes *entry)
{
    framing->begin = (size_t)((const unsigned char *)entry->data - framing->buffer);
    if (framing->kind == FRAMING_LEN32) framing->begin -= LEN32_BYTES;
    framing->looked = framing->begin;
}

int framing_fill(struct framing *framing)
{
    if (framing->begin > 0) {
        memmove(framing->buffer, framing->buffer + framing->begin, framing->end - framing->begin);
        framing->end -= framing->begin;
        framing->looked -= framing->begin;
        framing->begin = 0;
    }
    if (framing->end == framing->room) {
        unsigned char *larger = realloc(framing->buffer, framing->room * 2);
        if (larger == NULL) return ENOMEM;
        framing->buffer = larger;
        framing->room *= 2;
    }
    const ssize_t got = read(framing->fd, framing->buffer + framing->end, framing->room - framing->end);
    if (got < 0) return errno == EINTR || errno == EAGAIN ? 0 : errno;
    if (got == 0) framing->ended = true;
    framing->end += (size_t)got;
    framing->bytes += (uint64_t)got;
    return 0;
}

bool framing_put(FILE *out, enum framing_kind kind, const void *data, uint32_t bytes)
{
    if (kind == FRAMING_LEN32) {
        const unsigned char length[LEN32_BYTES] = {(unsigned char)bytes, (unsigned char)(bytes >> 8),
                                                   (unsigned char)(bytes >> 16), (unsigned char)(bytes >> 24)};
        if (fwrite_unlocked(length, 1, LEN32_BYTES, out) != LEN32_BYTES) return false;
    }
    if (bytes > 0 && fwrite_unlocked(data, 1, bytes, out) != bytes) return false;
    return kind != FRAMING_LINES || putc_unlocked('\n', out) != EOF;
}
