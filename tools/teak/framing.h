/* framing.h: entries out of a byte stream and into one: lines, or records behind a 4-byte little-endian length. */
#ifndef TEAK_TOOLS_FRAMING_H
#define TEAK_TOOLS_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "teak/engine.h"

enum framing_kind {
    FRAMING_LINES = 0, /* an entry is a line without its newline; the last line may lack one  */
    FRAMING_LEN32 = 1,
};
extern const char *const framing_names[]; /* by kind; ends with NULL */

enum framing_answer {
    FRAMING_ENTRY,     /* one more                                                  */
    FRAMING_MORE,      /* what is buffered holds no whole entry: fill               */
    FRAMING_END,       /* the input has ended behind a whole entry                  */
    FRAMING_TORN,      /* the input has ended inside a record                       */
    FRAMING_TOO_LARGE, /* the next entry exceeds the limit                          */
};

struct framing {
    int fd;
    enum framing_kind kind;
    uint32_t entry_bytes_max;
    unsigned char *buffer;
    size_t room;
    size_t begin, end; /* what was read and not yet handed out                            */
    size_t looked;     /* LINES: no newline in [begin, looked). Holds: begin <= looked <= end */
    bool ended;        /* the input has                                                   */
    uint64_t bytes;    /* read so far                                                     */
};

/* False: no memory. */
bool framing_init(struct framing *framing, int fd, enum framing_kind kind, uint32_t entry_bytes_max);
void framing_fini(struct framing *framing);

/* The next entry that is buffered whole; it points into the buffer until framing_fill. */
enum framing_answer framing_next(struct framing *framing, struct teak_bytes *out);

/* Hand out again from `entry` on, which framing_next gave since the last fill. */
void framing_rewind(struct framing *framing, const struct teak_bytes *entry);

/* One read(2), as large as there is room. Answers 0 or an errno value. An interrupted or empty-handed read is 0. */
int framing_fill(struct framing *framing);

/* One entry onto a stream. False: the stream says why. */
bool framing_put(FILE *out, enum framing_kind kind, const void *data, uint32_t bytes);

#endif
