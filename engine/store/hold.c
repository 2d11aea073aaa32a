/* hold.c: entries that stay where they are beyond the next drive of the store, until any thread lets go of them.
 *
 * OWNS   Nothing of its own but copies: a hold has a part in the arena's memory, in windows, or in both.
 * PATH   classify by address: arena -> pin its chunks, or copy where that is refused; window -> one more part in it.
 * HOLDS  (1) everything that can fail comes before the first pin
 *        (2) the driving thread alone pins; anybody lets go, by atomics alone
 */
#include <string.h>

#include "base/bytes.h"
#include "os/heap.h"
#include "store/cursor.h"
#include "store/failure.h"
#include "store/fetch.h"
#include "store/store.h"

enum { WINDOWS = sizeof((struct cursor_lent){0}).windows / sizeof(struct window_memory *) };

struct teak_hold {
    struct arena_memory *arena; /* NULL: no part in it */
    uint32_t chunks;            /* pinned there, once each */
    struct window_memory *windows[WINDOWS];
    uint8_t *copy;
};

/* What the entries are made of. */
struct parts {
    uint32_t chunks;       /* of the arena                   */
    uint64_t arena_bytes;  /* that a copy would take         */
    bool windows[WINDOWS];
};

static bool is_in_window(const struct window_memory *memory, const struct teak_entry *entry)
{
    const uintptr_t at = (uintptr_t)entry->data, begin = memory ? (uintptr_t)memory->data : 0;
    return memory && at >= begin && at - begin + entry->bytes <= memory->room;
}

/* false: these are not entries that the last read handed out. */
static bool classify(const struct cursor_lent *lent, const struct teak_entry *entries, uint32_t count,
                     struct parts *out)
{
    const struct arena *arena = &lent->store->arena;
    *out = (struct parts){0};
    const uint64_t first = entries[0].index;
    if (first < lent->first || first - lent->first + count > lent->count) return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct teak_entry *entry = &entries[i];
        if (entry->index != first + i) return false;
        if (entry->bytes == 0) continue;
        if (arena_owns(arena, entry->data)) {
            if ((uintptr_t)entry->data - (uintptr_t)arena->base + entry->bytes > arena->bytes) return false;
            out->chunks |= arena_chunks_of(arena, entry->data, entry->bytes);
            out->arena_bytes += align_up(entry->bytes, 8);
            continue;
        }
        uint32_t which = 0;
        while (which < WINDOWS && !is_in_window(lent->windows[which], entry)) which++;
        if (which == WINDOWS) return false;
        out->windows[which] = true;
    }
    return true;
}

static void copy_out(struct teak_hold *hold, const struct arena *arena, struct teak_entry *entries, uint32_t count)
{
    uint8_t *at = hold->copy;
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].bytes == 0 || !arena_owns(arena, entries[i].data)) continue;
        memcpy(at, entries[i].data, entries[i].bytes);
        entries[i].data = at;
        at += align_up(entries[i].bytes, 8);
    }
}

enum teak_status teak_cursor_hold(struct teak_cursor *cursor, struct teak_entry *entries, uint32_t count,
                                  struct teak_hold **out, struct teak_error *error)
{
    *out = NULL;
    struct cursor_lent lent;
    struct parts parts;
    if (count == 0 || !entries || !cursor_lent(cursor, &lent) || !classify(&lent, entries, count, &parts))
        return fail(error, TEAK_INVALID, "hold");
    struct arena *arena = &lent.store->arena;
    const bool copies = parts.arena_bytes > 0 && !arena_may_pin(arena, parts.chunks);
    struct teak_hold *hold = heap_take_zeroed(1, sizeof *hold);
    uint8_t *copy = copies ? heap_take(parts.arena_bytes) : NULL;
    if (!hold || (copies && !copy)) {
        heap_give(hold);
        heap_give(copy);
        return fail(error, TEAK_NO_MEMORY, "hold");
    }
    hold->copy = copy;
    if (copies) {
        copy_out(hold, arena, entries, count);
    } else if (parts.arena_bytes > 0) {
        hold->arena = arena_share(arena);
        for (uint32_t i = 0; i < count; i++)
            if (entries[i].bytes > 0 && arena_owns(arena, entries[i].data))
                arena_pin(arena, entries[i].data, entries[i].bytes, &hold->chunks);
    }
    for (uint32_t i = 0; i < WINDOWS; i++) {
        if (!parts.windows[i]) continue;
        hold->windows[i] = lent.windows[i];
        atomic_fetch_add_explicit(&hold->windows[i]->refs, 1, memory_order_relaxed);
    }
    *out = hold;
    return TEAK_OK;
}

void teak_hold_end(struct teak_hold *hold)
{
    if (!hold) return;
    if (hold->arena) arena_unpin(hold->arena, hold->chunks);
    arena_drop(hold->arena);
    for (uint32_t i = 0; i < WINDOWS; i++) window_memory_drop(hold->windows[i]);
    heap_give(hold->copy);
    heap_give(hold);
}
