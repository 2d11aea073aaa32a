/* flight.h: frames between "closed" and "durable".
 *
 * OWNS   The ring of closed frames, the syncs on their way, and the durable LSN. Nobody else writes them.
 *
 *            durable             launched             closed
 *     ─────────┬────────────────────┬───────────────────┬──────► lsn
 *       safe   │ landed or not,     │ waits for its turn│ writer.c builds
 *              │ in any order       │
 *
 * PATH   flight_push() takes a closed frame; flight_launch() starts writes and syncs; flight_frame_ended() and
 *        flight_sync_ended() mark what the disk hands back; flight_advance() moves `durable_lsn` over the safe frames
 *        without a hole.
 * FAILS  A write or sync that fails poisons the store, once and for good: after a failed fdatasync the kernel may drop
 *        the pages and call the next one a success, so asking again could report "safe" for bytes that are gone.
 * HOLDS  (1) launched in LSN order, landed in any   (2) a frame is SAFE when its own DSYNC write has completed, or a
 *        sync of its file that was queued after its write had been collected has succeeded   (3) durable_lsn never goes
 *        back
 */
#ifndef TEAK_STORE_FLIGHT_H
#define TEAK_STORE_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hist.h"
#include "os/disk.h"
#include "store/segment.h"
#include "teak/engine.h"

/* Who an operation that comes back from the disk belongs to: the first member of each owner. */
enum errand {
    ERRAND_FRAME, ERRAND_SYNC, ERRAND_POOL, ERRAND_SEAL, ERRAND_SNAPSHOT, ERRAND_READ, ERRAND_RELOCATE, ERRAND_PUBLISH,
};

enum { FLIGHT_FRAMES = 256, FLIGHT_SYNCS = 4, FLIGHT_IN_FLIGHT_MAX = 64 };

enum frame_state { FRAME_CLOSED, FRAME_LAUNCHED, FRAME_LANDED, FRAME_SYNCING, FRAME_SAFE };

struct frame {
    enum errand errand; /* ERRAND_FRAME                                     */
    enum frame_state state;
    bool dsync;         /* its own write makes it durable                   */
    bool alone;         /* nothing is launched behind it before it is safe  */
    bool is_idle_mark;  /* evidence: is no reason for a sync                */
    bool is_checkpoint; /* that a segment begins with                       */
    uint8_t sync;       /* SYNCING: which of the syncs                      */
    uint64_t lsn;
    struct segment *segment;
    uint32_t offset, bytes;
    uint64_t position;  /* in the arena                                     */
    uint64_t launched_ns;
    bool is_slow;       /* stall.c                                          */
    struct disk_op op;
};

struct flight_sync {
    enum errand errand; /* ERRAND_SYNC */
    bool busy;
    bool is_slow;       /* stall.c */
    uint64_t launched_ns;
    struct segment *segment;
    struct disk_op op;
};

struct flight {
    struct frame ring[FLIGHT_FRAMES];
    uint64_t begin, next, end;  /* [begin, next) launched, [next, end) closed      */
    uint64_t waiting_bytes;     /* of [next, end)                                  */
    uint32_t in_flight;         /* launched and not landed                         */
    uint32_t unsafe;            /* landed and not safe, nor being synced           */
    struct flight_sync syncs[FLIGHT_SYNCS];
    uint32_t syncs_busy;
    uint64_t durable_lsn;       /* every frame up to it survives power loss        */
    uint64_t vouched_lsn;       /* what a frame head may say of it: under TEAK_NONE a sync's last word */
    uint64_t durable_segment;   /* end of the durable frames: segment and offset   */
    uint32_t durable_offset;
    enum teak_strategy strategy;
    uint32_t in_flight_max;
    bool poisoned;
    struct teak_error cause;    /* of the poison                                   */
    struct hist latency;        /* launch to durable, ns                           */
    uint64_t latest_ns;         /* of the last frame that became durable           */
};

static inline bool flight_is_full(const struct flight *flight) { return flight->end - flight->begin == FLIGHT_FRAMES; }
static inline bool flight_is_idle(const struct flight *flight)
{
    return flight->begin == flight->end && flight->syncs_busy == 0;
}

void flight_init(struct flight *flight, enum teak_strategy strategy, uint32_t in_flight_max);

/* Nothing is on its way, or only what a segment begins with, which no caller waits for. */
bool flight_carries_nobody(const struct flight *flight);

/* Bytes of the frames that are launched and have not landed. */
uint64_t flight_bytes_flying(const struct flight *flight);

/* The next slot, of a frame of so many bytes, to be filled in (lsn, segment, offset, position, flags, op.data). Needs
 * !flight_is_full. */
struct frame *flight_push(struct flight *flight, uint32_t bytes);

/* Start what may start: writes in order, syncs where something landed that needs one. `final`: an idle mark is to be
 * made safe as well. */
void flight_launch(struct flight *flight, struct disk *disk, uint64_t now_ns, bool final);

/* Write every closed frame and sync its file, by plain calls: creation, and what opening left to be done. 0, or the
 * errno that poisoned the store. Needs an idle disk. */
int flight_land_now(struct flight *flight, struct disk *disk);

/* The disk handed back a frame's or a sync's operation. */
void flight_frame_ended(struct flight *flight, struct frame *frame);
void flight_sync_ended(struct flight *flight, struct flight_sync *sync);

/* Move durable_lsn over the safe frames; true if it moved. `position_out`: arena position that is free up to. */
bool flight_advance(struct flight *flight, uint64_t now_ns, uint64_t *position_out);

void flight_poison(struct flight *flight, int os_errno, const char *operation, const struct segment *segment,
                   uint64_t offset);

#endif
