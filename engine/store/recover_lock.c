/* recover_lock.c: see recover.h: one writer at a time, and none while a dead one's requests may still land. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/failure.h"
#include "store/recover.h"

enum { LOCK_RETRY_NS = 2000000 };

static uint64_t lock_owner(struct teak_store *store)
{
    char text[32] = {0};
    struct disk_op op = {.kind = DISK_READ, .file = store->lock_file, .data = text, .bytes = sizeof text - 1};
    if (disk_run(store->disk, &op) != 0) return 0;
    return strtoull(text, NULL, 10);
}

static enum teak_status open_lock(struct teak_store *store, uint32_t flags, struct teak_error *error)
{
    struct disk_op op = {.kind = DISK_OPEN, .dir = store->directory, .name = "LOCK", .flags = flags};
    const int os_errno = disk_run(store->disk, &op);
    store->lock_file = op.file;
    return os_errno ? fail_errno(error, os_errno, "lock", "LOCK") : TEAK_OK;
}

/* Waits without a lock held by anybody that lives: a dead owner's requests may still be landing. OK: `how` is held.
 * LOCKED: a living process has it. */
static enum teak_status wait_for_lock(struct teak_store *store, enum disk_lock how, uint32_t open_flags,
                                      uint64_t wait_ns, struct teak_error *error)
{
    const uint64_t begin = disk_now(store->disk);
    for (;;) {
        const int os_errno = disk_lock(store->disk, store->lock_file, how);
        bool is_named = false;
        if (os_errno == 0) {
            const int named_errno = disk_is_named(store->disk, store->directory, "LOCK", store->lock_file, &is_named);
            if (named_errno == 0 && is_named) return TEAK_OK;
            disk_close_file(store->disk, &store->lock_file); /* a LOCK that is no longer the file of that name */
            const enum teak_status status = open_lock(store, open_flags, error);
            if (status != TEAK_OK) return status;
            continue;
        }
        if (os_errno != EWOULDBLOCK) return fail_errno(error, os_errno, "lock", "LOCK");
        const uint64_t owner = lock_owner(store);
        const bool is_over = disk_now(store->disk) - begin >= wait_ns;
        if (is_over || (owner != 0 && disk_is_process_alive(store->disk, owner))) {
            fail_file(error, TEAK_LOCKED, "lock", "LOCK", 0);
            if (error) {
                error->expected = owner;
                error->has_offset = 0;
            }
            return TEAK_LOCKED;
        }
        disk_pause(store->disk, LOCK_RETRY_NS);
    }
}

static int write_owner(struct teak_store *store, uint64_t owner)
{
    char text[32];
    snprintf(text, sizeof text, "%-20" PRIu64 "\n", owner);
    struct disk_op op = {.kind = DISK_WRITE, .file = store->lock_file, .data = text, .bytes = strlen(text)};
    return disk_run(store->disk, &op);
}

void recover_unlock(struct teak_store *store)
{
    /* A reader may hold LOCK for a moment when this process opens the store again: nobody that lives owns it then.
     * Where the word cannot be written the pid stays, as a dead process's does. Behind a failed write nothing is
     * written. */
    if (store->has_lock && !store->flight.poisoned) write_owner(store, 0);
}

enum teak_status recover_lock(struct teak_store *store, uint64_t wait_ns, struct teak_report *report,
                              struct teak_error *error)
{
    const uint64_t begin = disk_now(store->disk);
    const uint32_t flags = DISK_WRITABLE | DISK_OR_CREATE;
    enum teak_status status = open_lock(store, flags, error);
    if (status == TEAK_OK) status = wait_for_lock(store, DISK_LOCK_EXCLUSIVE, flags, wait_ns, error);
    report->lock_wait_ns = disk_now(store->disk) - begin;
    if (status != TEAK_OK) return status;
    store->has_lock = true;
    int os_errno = write_owner(store, disk_process_id(store->disk));
    if (!os_errno) os_errno = disk_guard(store->disk, store->lock_file);
    return os_errno ? fail_errno(error, os_errno, "lock", "LOCK") : TEAK_OK;
}

enum teak_status recover_lock_shared(struct teak_store *store, uint64_t wait_ns, struct teak_report *report,
                                     struct teak_error *error)
{
    const uint64_t begin = disk_now(store->disk);
    struct teak_error ignored;
    enum teak_status status = open_lock(store, 0, &ignored);
    if (status != TEAK_OK)
        return ignored.os_errno == ENOENT ? TEAK_OK : fail_errno(error, ignored.os_errno, "lock", "LOCK");
    status = wait_for_lock(store, DISK_LOCK_SHARED, 0, wait_ns, error);
    report->lock_wait_ns = disk_now(store->disk) - begin;
    store->living = status == TEAK_LOCKED;
    return store->living ? TEAK_OK : status;
}
