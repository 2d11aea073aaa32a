/* cursor.h: what the store must do for the cursors that are open on it. */
#ifndef TEAK_STORE_CURSOR_H
#define TEAK_STORE_CURSOR_H

struct teak_store;

/* The store goes away: its cursors answer LOG_GONE from now on. */
void cursors_part(struct teak_store *store);

#endif
