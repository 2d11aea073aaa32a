/* cursor.h: what others must know of cursors: the store that goes away, and holds. */
#ifndef TEAK_STORE_CURSOR_H
#define TEAK_STORE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

struct teak_store;
struct teak_cursor;
struct window_memory;

/* The store goes away: its cursors answer LOG_GONE from now on. */
void cursors_part(struct teak_store *store);

/* What a cursor's last read handed out. */
struct cursor_lent {
    struct teak_store *store;
    uint64_t first;                     /* entries first .. first + count - 1                   */
    uint32_t count;
    struct window_memory *windows[3];   /* where those lie that are not in the arena; NULL: none */
};

/* false: nothing, or it does not hold any more. */
bool cursor_lent(const struct teak_cursor *cursor, struct cursor_lent *out);

#endif
