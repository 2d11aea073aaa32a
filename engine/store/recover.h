/* recover.h: from a directory to a store that can be used, and what that takes.
 *
 * PATH   lock -> STORE -> list -> open the segments, newest first, down to the first sealed one -> sync what will be
 *        scanned -> scan (plan) -> sealed summaries, then scanned frames (replay) -> every index found?
 *        Nothing is written. What has to change is changed by recover_apply, before the first batch:
 *        segments behind the cut become spares, newest first, a directory sync each; a fresh segment takes the number
 *        behind the cut; its checkpoint, which attests the cut, is the one write that makes it final. Without space for
 *        one: what looks like a frame behind the cut becomes zeros, synced, and the segment is written on.
 * FILES  recover.c: reading, as a whole; recover_tail.c and recover_salvage.c: its parts. recover_lock.c: LOCK.
 *        recover_begin.c: STORE, and a new store. recover_apply.c: what has to change.
 * HOLDS  until that checkpoint is durable, the next open judges again, and alike.
 */
#ifndef TEAK_STORE_RECOVER_H
#define TEAK_STORE_RECOVER_H

#include "store/scan.h"
#include "store/store.h"

/* How this store's segments are read. */
struct scan_source recover_source(struct teak_store *store);

/* Takes LOCK: for a writer exclusively, waiting for a dead owner's last requests. */
enum teak_status recover_lock(struct teak_store *store, uint64_t wait_ns, struct teak_report *report,
                              struct teak_error *error);
/* The owner is gone: said in LOCK before its descriptor is closed. */
void recover_unlock(struct teak_store *store);
/* For a reader: shared, for the time of looking; store->living says that a writer has it. */
enum teak_status recover_lock_shared(struct teak_store *store, uint64_t wait_ns, struct teak_report *report,
                                     struct teak_error *error);

/* Fills an opened store (directory, superblock, limits, empty tables) from its segments. */
enum teak_status recover_read(struct teak_store *store, struct teak_report *report, struct teak_error *error);

/* Does what opening left to be done; then the store may write. Plain calls. May be tried again where it failed;
 * POISONED: a name was changed and its directory could not be synced, or the first write failed. */
enum teak_status recover_apply(struct teak_store *store, struct teak_error *error);

/* STORE: TEAK_NOT_A_STORE where there is none. If store->mends, what the segments repeat of it, and store_lost is
 * set. */
enum teak_status recover_superblock(struct teak_store *store, struct teak_error *error);

/* STORE as store->superblock says, durable, in place of none; of what is left of it if store->store_lost. */
enum teak_status recover_write_superblock(struct teak_store *store, struct teak_error *error);

/* STORE with the defaults that store->superblock has, and all else as it is there, durable, in place of the old one.
 * LOCK is held. */
enum teak_status recover_replace_defaults(struct teak_store *store, struct teak_error *error);

/* Names in the store's directory are durable. */
enum teak_status recover_sync_directory(struct teak_store *store, struct teak_error *error);

/* A new store in an open directory: first segment, then STORE. */
enum teak_status recover_create(struct teak_store *store, struct teak_error *error);

/* True, and STORE_LOST in `error`, if a directory without STORE holds segments. */
bool recover_has_segments(struct teak_store *store, struct teak_error *error);

/* A directory without STORE that a store is to be created in: STORE_LOST if it holds a segment that was ever used. A
 * creation that was cut short leaves at most a first segment without a log; that is taken away. */
enum teak_status recover_virgin(struct teak_store *store, struct teak_error *error);

#endif
