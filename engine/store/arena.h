/* arena.h: the ring of memory in which frames are built, from which they are written, and out of which entries are read
 * back until newer frames need the room.
 *
 * OWNS   The memory and which part of which segment lies where in it.
 *
 *   positions grow for ever; position p lies at base[p % bytes]
 *            floor           durable                 head
 *     ──────────┬────────────────┬──────────────────────┬───────►
 *     taken over│ readable,      │ must stay: on its way│ free up to floor + bytes
 *
 * A frame lies in one piece: where the end of the memory is too near it begins anew at base, and the rest is skipped.
 * Frames that follow each other in a segment also do so here, so that one "run" maps thousands of them.
 * HOLDS  durable <= head <= taken <= durable + bytes; what lies below taken - bytes is gone
 */
#ifndef TEAK_STORE_ARENA_H
#define TEAK_STORE_ARENA_H

#include <stdbool.h>
#include <stdint.h>

enum { ARENA_RUNS = 64, ARENA_HUGE_PAGE = 2 << 20 };

struct arena_run {
    uint64_t segment;
    uint64_t position;      /* arena position of file offset `begin`  */
    uint32_t begin, end;    /* file offsets; the newest run grows     */
};

struct arena {
    uint8_t *base;
    uint64_t bytes;
    uint64_t head;                     /* where the next frame begins                          */
    uint64_t taken;                    /* how far the frame being built may grow; else head    */
    uint64_t durable;                  /* below it nothing is still needed by a write          */
    struct arena_run runs[ARENA_RUNS]; /* ring: oldest at run_begin                            */
    uint32_t run_begin, run_count;
};

bool arena_init(struct arena *arena, uint64_t bytes);
void arena_fini(struct arena *arena);

/* Contiguous bytes that a frame beginning now could have at most, and where: skips to the beginning of the memory if
 * that gives `wanted` and staying does not. 0: not `wanted` until more is durable. Nothing is taken. */
uint64_t arena_room(const struct arena *arena, uint64_t wanted, uint64_t *position_out);

/* A frame of segment `segment` begins at `position` (from arena_room) and file offset `offset`: entries in it can be
 * read from now on. `room`: how far it may grow: what lay there before cannot be read any more. */
void arena_begin(struct arena *arena, uint64_t segment, uint32_t offset, uint64_t position, uint64_t room);
/* It ended up with `bytes`. */
void arena_end(struct arena *arena, uint64_t position, uint32_t offset, uint64_t bytes);
static inline uint8_t *arena_at(const struct arena *arena, uint64_t position)
{
    return arena->base + position % arena->bytes;
}

/* The bytes [offset, offset + bytes) of a segment, or NULL if they are not here. */
const uint8_t *arena_find(const struct arena *arena, uint64_t segment, uint32_t offset, uint32_t bytes);

#endif
