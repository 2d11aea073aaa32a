/* disk_count.h: what the device below a directory says it has done: the proof that a disk did the work. */
#ifndef TEAK_TOOLS_DISK_COUNT_H
#define TEAK_TOOLS_DISK_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct disk_count {
    bool known; /* false: no block device below it, or the kernel does not tell */
    uint64_t writes, write_bytes, flushes;
};

/* Since the device was there; others' work counts too. */
struct disk_count disk_count_read(const char *directory);

/* What came in between. Known if both are. */
struct disk_count disk_count_difference(struct disk_count before, struct disk_count after);

/* The same out of the text of /proc/diskstats. Flushes are counted by the whole disk only, of which the device may be a
 * part: (whole_major, whole_minor), which may be alike. */
struct disk_count disk_count_of(const char *diskstats, unsigned major, unsigned minor, unsigned whole_major,
                                unsigned whole_minor);

enum disk_verdict {
    DISK_DID_IT,
    DISK_NOT_KNOWN, /* nobody counts there */
    DISK_DID_LESS,  /* fewer bytes than were claimed, or no flush where the device has a cache that needs them */
};

/* Did the device write `bytes`, and flush where it must? */
enum disk_verdict disk_verdict_of(struct disk_count did, uint64_t bytes, bool needs_flushes);

#endif
