/* repair.h: what the first write does where damage was passed over: every damaged file is kept in replaced/ before
 * anything changes.
 *
 * PATH   Opening left it in the segments: is_salvaged (frames are lost: a copy goes to replaced/, then an index behind
 *        the frames says what counts), is_lost (nothing is left: another file takes its place), is_cut_short (brought
 *        back to its size). What lies behind the cut is moved away. Then recover_apply goes on: a fresh segment, whose
 *        checkpoint holds the marks, and the indexes.
 * HOLDS  (1) each step leaves a directory that the next opening judges alike, until the last index is durable
 *        (2) nothing is written over before its copy is durable, under its name in replaced/
 */
#ifndef TEAK_STORE_REPAIR_H
#define TEAK_STORE_REPAIR_H

#include "store/store.h"

/* Fails: NO_SPACE · IO · NO_MEMORY. May be tried again where it failed. */
enum teak_status repair_keep_damaged(struct teak_store *store, struct teak_error *error);

/* STORE is made anew: what is left of it goes to replaced/ first. Fails: NO_SPACE · IO · NO_MEMORY. May be tried
 * again. */
enum teak_status repair_make_store(struct teak_store *store, struct teak_error *error);

/* The file of that name goes to replaced/; both directories synced. Fails: IO; `moved_out` says whether it has its new
 * name nevertheless. */
enum teak_status repair_move_away(struct teak_store *store, const char *name, bool *moved_out,
                                  struct teak_error *error);

#endif
