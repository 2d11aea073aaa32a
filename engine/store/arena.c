/* arena.c: see arena.h. */
#include "store/arena.h"

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"

struct arena_memory {
    _Atomic uint32_t refs;               /* the arena, and holds; the last one frees it. acq_rel             */
    _Atomic uint32_t pins[ARENA_CHUNKS]; /* up: the driving thread. Down: any, with release, after its last look at
                                          * the bytes; the acquire it pairs with is in arena_is_pinned()     */
    uint8_t *base;
};

bool arena_init(struct arena *arena, uint64_t bytes, uint32_t block)
{
    *arena = (struct arena){.bytes = bytes};
    const uint64_t alignment = bytes >= ARENA_HUGE_PAGE ? ARENA_HUGE_PAGE : 65536;
    struct arena_memory *memory = heap_take(sizeof *memory);
    if (!memory) return false;
    *memory = (struct arena_memory){.refs = 1, .base = heap_take_aligned(alignment, align_up(bytes, alignment))};
    if (!memory->base) {
        heap_give(memory);
        return false;
    }
    arena->memory = memory;
    arena->base = memory->base;
    /* a frame that begins behind a chunk must begin at a block; in the few shapes where it would not holds copy */
    if (bytes % ((uint64_t)ARENA_CHUNKS * block) == 0) arena->chunk_bytes = bytes / ARENA_CHUNKS;
    return true;
}

void arena_fini(struct arena *arena)
{
    arena_drop(arena->memory);
    *arena = (struct arena){0};
}

/* ------------------------------------------------------------------------------------------------------------ pins */

bool arena_is_pinned(const struct arena *arena, uint32_t chunk)
{
    /* acquire: pairs with the release in arena_unpin: the holder has looked for the last time */
    return atomic_load_explicit(&arena->memory->pins[chunk], memory_order_acquire) > 0;
}

/* Of the chunk that holds this offset: a chunk is no power of two. */
static uint64_t chunk_begin(const struct arena *arena, uint64_t at) { return at - at % arena->chunk_bytes; }

uint32_t arena_chunks_of(const struct arena *arena, const void *data, uint64_t bytes)
{
    const uint64_t begin = (uint64_t)((const uint8_t *)data - arena->base);
    uint32_t chunks = 0;
    if (arena->chunk_bytes == 0) return UINT32_MAX;
    for (uint64_t at = chunk_begin(arena, begin); at < begin + bytes; at += arena->chunk_bytes)
        chunks |= 1u << (at / arena->chunk_bytes);
    return chunks;
}

bool arena_may_pin(const struct arena *arena, uint32_t chunks)
{
    if (arena->chunk_bytes == 0) return false;
    for (uint32_t i = 0; i < ARENA_CHUNKS; i++)
        if (arena_is_pinned(arena, i)) chunks |= 1u << i;
    for (uint32_t first = 0; first < ARENA_CHUNKS; first++) {
        const uint32_t span = ((1u << ARENA_PINNED_MAX) - 1) << first;
        const uint32_t round = (span | span >> ARENA_CHUNKS) & ((1u << ARENA_CHUNKS) - 1);
        if ((chunks & ~round) == 0) return true;
    }
    return false;
}

void arena_pin(struct arena *arena, const void *data, uint64_t bytes, uint32_t *chunks)
{
    const uint64_t begin = (uint64_t)((const uint8_t *)data - arena->base), end = begin + bytes;
    for (uint64_t at = chunk_begin(arena, begin); at < end; at += arena->chunk_bytes) {
        const uint32_t chunk = (uint32_t)(at / arena->chunk_bytes);
        const uint64_t top = min_u64(end, at + arena->chunk_bytes);
        arena->pin_top[chunk] = arena_is_pinned(arena, chunk) ? max_u64(top, arena->pin_top[chunk]) : top;
        if (*chunks & 1u << chunk) continue;
        *chunks |= 1u << chunk;
        atomic_fetch_add_explicit(&arena->memory->pins[chunk], 1, memory_order_relaxed);
    }
}

struct arena_memory *arena_share(struct arena *arena)
{
    atomic_fetch_add_explicit(&arena->memory->refs, 1, memory_order_relaxed);
    return arena->memory;
}

void arena_unpin(struct arena_memory *memory, uint32_t chunks)
{
    for (uint32_t i = 0; i < ARENA_CHUNKS; i++)
        if (chunks & 1u << i) atomic_fetch_sub_explicit(&memory->pins[i], 1, memory_order_release);
}

void arena_drop(struct arena_memory *memory)
{
    if (!memory || atomic_fetch_sub_explicit(&memory->refs, 1, memory_order_acq_rel) > 1) return;
    heap_give(memory->base);
    heap_give(memory);
}

/* ------------------------------------------------------------------------------------------------------------ room */

/* The first position from `start` on that is not pinned. Where only bytes before `start` are pinned in its chunk, they
 * were written in this lap, and `start` itself is free. */
static uint64_t skip_pinned(const struct arena *arena, uint64_t start)
{
    for (uint32_t i = 0; arena->chunk_bytes > 0 && i < ARENA_CHUNKS; i++) {
        const uint64_t at = start % arena->bytes;
        const uint32_t chunk = (uint32_t)(at / arena->chunk_bytes);
        if (!arena_is_pinned(arena, chunk) || arena->pin_top[chunk] <= at) break;
        start += arena->chunk_bytes - at % arena->chunk_bytes;
    }
    return start;
}

/* Bytes in one piece from `start`, which is free, to the end of the memory or to what is pinned next. */
static uint64_t stretch(const struct arena *arena, uint64_t start)
{
    const uint64_t at = start % arena->bytes;
    if (arena->chunk_bytes == 0) return arena->bytes - at;
    uint64_t end = chunk_begin(arena, at) + arena->chunk_bytes;
    while (end < arena->bytes && !arena_is_pinned(arena, (uint32_t)(end / arena->chunk_bytes)))
        end += arena->chunk_bytes;
    return end - at;
}

static uint64_t find_room(const struct arena *arena, uint64_t wanted, bool is_idle, uint64_t *position_out)
{
    const uint64_t lap_end = arena->head + arena->bytes;
    for (uint64_t start = skip_pinned(arena, arena->head); start < lap_end;) {
        const uint64_t limit = (is_idle ? start : arena->durable) + arena->bytes; /* must not be written */
        if (start >= limit) return 0;
        const uint64_t whole = stretch(arena, start), room = min_u64(whole, limit - start);
        if (room >= wanted) {
            *position_out = start;
            return room;
        }
        start = skip_pinned(arena, start + whole);
    }
    return 0;
}

uint64_t arena_room(const struct arena *arena, uint64_t wanted, uint64_t *position_out)
{
    *position_out = arena->head;
    const uint64_t room = find_room(arena, wanted, false, position_out);
    /* with nothing on its way even what was written last may be taken over: only pins can make that necessary */
    if (room > 0 || arena->durable != arena->head) return room;
    return find_room(arena, wanted, true, position_out);
}

static struct arena_run *newest(struct arena *arena)
{
    return &arena->runs[(arena->run_begin + arena->run_count - 1) % ARENA_RUNS];
}

void arena_begin(struct arena *arena, uint64_t segment, uint32_t offset, uint64_t position, uint64_t room)
{
    CHECK_LE(arena->head, position);
    if (arena->durable == arena->head) arena->durable = position; /* nothing is on its way */
    arena->head = position;
    arena->generation++;
    CHECK_LE(position + room, arena->durable + arena->bytes);
    /* runs that lie wholly in memory that is taken over now can be forgotten; arena_find bounds the rest */
    arena->taken = max_u64(position + room, arena->spoiled);
    const uint64_t floor = arena->taken > arena->bytes ? arena->taken - arena->bytes : 0;
    while (arena->run_count > 0) {
        const struct arena_run *oldest = &arena->runs[arena->run_begin];
        const bool gone = oldest->position + (oldest->end - oldest->begin) <= floor;
        if (!gone && arena->run_count < ARENA_RUNS) break;
        arena->run_begin = (arena->run_begin + 1) % ARENA_RUNS;
        arena->run_count--;
    }
    if (arena->run_count > 0) {
        struct arena_run *run = newest(arena);
        if (run->begin == run->end) { /* a frame that was given up */
            *run = (struct arena_run){.segment = segment, .position = position, .begin = offset, .end = offset};
            return;
        }
        const uint64_t end = run->position + (run->end - run->begin);
        if (run->segment == segment && run->end == offset && end == position) return;
    }
    arena->run_count++;
    *newest(arena) = (struct arena_run){.segment = segment, .position = position, .begin = offset, .end = offset};
}

void arena_end(struct arena *arena, uint64_t position, uint32_t offset, uint64_t bytes)
{
    struct arena_run *run = newest(arena);
    CHECK_EQ(run->end, offset);
    CHECK_EQ(run->position + (run->end - run->begin), position);
    run->end = (uint32_t)(offset + bytes);
    CHECK_LE(position + bytes, arena->taken);
    CHECK_EQ(arena->head, position);
    arena->head = position + bytes;
    arena->taken = max_u64(arena->head, arena->spoiled);
}

const uint8_t *arena_find(const struct arena *arena, uint64_t segment, uint32_t offset, uint32_t bytes)
{
    for (uint32_t back = 1; back <= arena->run_count; back++) {
        const struct arena_run *run = &arena->runs[(arena->run_begin + arena->run_count - back) % ARENA_RUNS];
        if (run->segment != segment || offset < run->begin) continue;
        const bool is_open = back == 1; /* the newest run grows with the frame that is being built */
        if (!is_open && (uint64_t)offset + bytes > run->end) return NULL;
        const uint64_t position = run->position + (offset - run->begin);
        return position + arena->bytes >= arena->taken ? arena_at(arena, position) : NULL;
    }
    return NULL;
}
