/* arena.h: the ring of memory in which frames are built, from which they are written, and out of which entries are read
 * back until newer frames need the room.
 *
 * OWNS   The memory and which part of which segment lies where in it; and what of it is pinned.
 *
 *   positions grow for ever; position p lies at base[p % bytes]
 *            floor           durable                 head
 *     ──────────┬────────────────┬──────────────────────┬───────►
 *     taken over│ readable,      │ must stay: on its way│ free up to floor + bytes
 *
 * A frame lies in one piece: where the end of the memory, or a pinned chunk, is too near it begins behind it, and the
 * rest is skipped. Frames that follow each other in a segment also do so here, so that one "run" maps thousands of
 * them.
 *
 * Pins: the memory is cut into sixteen chunks. A hold on entries (hold.h) pins the chunks that they lie in; a pinned
 * chunk is skipped, never waited for. What is pinned lies, all together, in four neighbouring chunks: a pin that would
 * break this is refused, and the hold copies. So when nothing is on its way three quarters are free in one stretch, in
 * two where the end of the memory cuts it: the larger one is at least 3/8 of the arena, which is more than the largest
 * frame (arena_is_sound).
 * HOLDS  (1) durable <= head <= taken <= durable + bytes; what lies below taken - bytes is gone
 *        (2) a byte below `pin_top` of a chunk with a pin is never taken over
 */
#ifndef TEAK_STORE_ARENA_H
#define TEAK_STORE_ARENA_H

#include <stdbool.h>
#include <stdint.h>

enum { ARENA_RUNS = 64, ARENA_HUGE_PAGE = 2 << 20, ARENA_CHUNKS = 16, ARENA_PINNED_MAX = ARENA_CHUNKS / 4 };

struct arena_run {
    uint64_t segment;
    uint64_t position;      /* arena position of file offset `begin`  */
    uint32_t begin, end;    /* file offsets; the newest run grows     */
};

struct arena_memory; /* outlives the arena as long as something in it is held */

struct arena {
    uint8_t *base;
    uint64_t bytes;
    uint64_t head;                     /* where the next frame begins                          */
    uint64_t taken;                    /* how far the frame being built may grow; else head    */
    uint64_t durable;                  /* below it nothing is still needed by a write          */
    uint64_t spoiled;                  /* a reservation may have been written up to here       */
    uint64_t generation;               /* grows when something is taken over                   */
    uint64_t chunk_bytes;              /* 0: nothing can be pinned                             */
    uint64_t pin_top[ARENA_CHUNKS];    /* offsets: what is pinned in a chunk lies below it     */
    struct arena_memory *memory;
    struct arena_run runs[ARENA_RUNS]; /* ring: oldest at run_begin                            */
    uint32_t run_begin, run_count;
};

/* Frames begin at multiples of `block`. */
bool arena_init(struct arena *arena, uint64_t bytes, uint32_t block);
void arena_fini(struct arena *arena);

/* Whatever is pinned, a frame of `largest` bytes finds room when nothing is on its way. */
static inline bool arena_is_sound(uint64_t bytes, uint64_t largest) { return bytes / 8 * 3 >= largest; }

/* Contiguous bytes that a frame beginning now could have at most, and where: skips what is pinned, and to the beginning
 * of the memory, if that gives `wanted` and staying does not. 0: not `wanted` until more is durable. Nothing is
 * taken. */
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

static inline bool arena_owns(const struct arena *arena, const void *data)
{
    const uintptr_t at = (uintptr_t)data, base = (uintptr_t)arena->base;
    return at >= base && at - base < arena->bytes;
}
/* Chunks that these bytes lie in, as bits. They are readable now. */
uint32_t arena_chunks_of(const struct arena *arena, const void *data, uint64_t bytes);
bool arena_is_pinned(const struct arena *arena, uint32_t chunk);
/* May these be pinned besides what is? */
bool arena_may_pin(const struct arena *arena, uint32_t chunks);
/* These readable bytes stay where they are until arena_unpin. `chunks`: of the same holder, more come to them; each is
 * pinned once. */
void arena_pin(struct arena *arena, const void *data, uint64_t bytes, uint32_t *chunks);
/* Takes part in the memory for as long as something is pinned. */
struct arena_memory *arena_share(struct arena *arena);
void arena_unpin(struct arena_memory *memory, uint32_t chunks); /* any thread */
void arena_drop(struct arena_memory *memory);                   /* any thread; NULL is fine */

#endif
