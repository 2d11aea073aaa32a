/* teak/event.h: what a store tells without being asked.
 *
 * Events are kept while the store moves, and handed out when every part of it is whole again: at the end of teak_open,
 * teak_poll, teak_drain and teak_close, on the thread that called. Inside the callback the store may be looked at
 * (teak_log, teak_stats, teak_limits, teak_term_at, ...) and read; what would drive it answers TEAK_IN_CALLBACK, and
 * teak_abandon does nothing.
 * The callbacks are in struct teak_options. Teak itself prints nothing.
 */
#ifndef TEAK_EVENT_H
#define TEAK_EVENT_H

#include "teak/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum teak_level {
    TEAK_LEVEL_INFO = 0,    /* the store at work                                       */
    TEAK_LEVEL_WARNING = 1, /* somebody should look before it becomes an error         */
    TEAK_LEVEL_ERROR = 2,   /* something was refused, or is hurt                       */
};

/* X(number, ENUMERATOR, "stable_name", LEVEL, "what it means, for a person"). Numbers and names are stable.
 * Above each: the fields it fills in besides kind, level and when_ns. */
#define TEAK_EVENT_LIST(X)                                                                                             \
    /* lsn: last whole frame · count: segments · duration_ns: of opening */                                            \
    X(1, OPENED, "opened", INFO, "the store was opened")                                                               \
    /* segment, offset: where · bytes, count: frames discarded. Nobody was told of them */                             \
    X(2, TAIL_CUT, "tail_cut", INFO, "frames that were in flight at a crash were cut")                                 \
    /* os_errno: why not io_uring */                                                                                   \
    X(3, FELL_BACK, "fell_back", WARNING, "io_uring cannot be had: plain calls on threads are used")                   \
    X(4, NO_DIRECT_IO, "no_direct_io", WARNING, "the file system has no O_DIRECT: writes go through the page cache")   \
    /* status: OK or POISONED · lsn: last durable frame · count: frames written · bytes: of them */                    \
    X(5, CLOSED, "closed", INFO, "the store was closed")                                                               \
    /* count: number of the spare · bytes */                                                                           \
    X(10, SEGMENT_MADE, "segment_made", INFO, "a new file was filled with zeros")                                      \
    /* segment */                                                                                                      \
    X(11, SEGMENT_READY, "segment_ready", INFO, "a spare became the next segment")                                     \
    X(12, SEGMENT_RECYCLED, "segment_recycled", INFO, "a forgotten segment became the next one")                       \
    /* segment · lsn: of its first frame */                                                                            \
    X(13, SEGMENT_BEGUN, "segment_begun", INFO, "writing went on in the next segment")                                 \
    /* segment · lsn: of its last frame · bytes: of the index · count: entries */                                      \
    X(14, SEGMENT_SEALED, "segment_sealed", INFO, "a full segment got its index")                                      \
    /* segment */                                                                                                      \
    X(15, SEGMENT_DROPPED, "segment_dropped", INFO, "nothing in a segment is needed any more")                         \
    X(16, FILE_REMOVED, "file_removed", INFO, "a file beyond what is kept was unlinked")                               \
    /* operation · status, os_errno: why. Tried again within a second */                                               \
    X(17, SUPPLY_FAILED, "supply_failed", WARNING, "the next segment could not be made or prepared")                   \
    /* operation · segment · lsn (a frame's write) · offset, bytes · duration_ns: so far, in all */                    \
    X(20, STALL_BEGUN, "stall_begun", WARNING, "the device has not answered for longer than stall_ns")                 \
    X(21, STALL_ENDED, "stall_ended", WARNING, "the device has answered")                                              \
    /* bytes: free on the file system */                                                                               \
    X(30, SPACE_LOW, "space_low", WARNING, "the file system has little space left")                                    \
    /* status, os_errno */                                                                                             \
    X(31, NO_SPACE, "no_space", ERROR, "there is no space for another segment: appends are refused when those at hand "\
      "are full")                                                                                                      \
    /* bytes: free, as asked last */                                                                                   \
    X(32, SPACE_BACK, "space_back", INFO, "segments can be had again")                                                 \
    /* status, os_errno, operation, segment, offset */                                                                 \
    X(40, POISONED, "poisoned", ERROR, "a write or sync failed: nothing more is written")                              \
    /* status, os_errno, operation, segment, offset, log, index, term: as far as they are known */                     \
    X(41, DAMAGE, "damage", ERROR, "a read met bytes that are not the ones that were written")                         \
    /* count */                                                                                                        \
    X(50, EVENTS_LOST, "events_lost", WARNING, "more happened between two turns than is kept")

enum teak_event_kind {
#define TEAK_EVENT_ENUM(number, name, text, level, meaning) TEAK_EVENT_##name = number,
    TEAK_EVENT_LIST(TEAK_EVENT_ENUM)
#undef TEAK_EVENT_ENUM
};

/* A field that a kind does not fill in is 0 or empty. */
struct teak_event {
    enum teak_event_kind kind;
    enum teak_level level;
    uint64_t when_ns;     /* CLOCK_MONOTONIC, when the store noticed */
    uint64_t segment, offset;
    uint64_t log, index, term;
    uint64_t lsn;
    uint64_t bytes, count;
    uint64_t duration_ns;
    enum teak_status status;
    int os_errno;
    char operation[16];   /* "write", "sync", "allocate", ... */
};

typedef void (*teak_event_fn)(void *context, const struct teak_event *event);
typedef void (*teak_log_fn)(void *context, enum teak_level level, const char *text);

/* teak_event_name: the stable name of a kind, "unknown" for a number outside the list. Threads: any. */
TEAK_API const char *teak_event_name(enum teak_event_kind kind);

/* teak_event_text: the whole event as one line for a person.
 * Does      Writes at most `bytes` bytes including the terminating zero; returns the length it wanted to write.
 * Threads   Any. */
TEAK_API size_t teak_event_text(const struct teak_event *event, char *out, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
