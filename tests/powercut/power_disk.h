/* power_disk.h: a block device that remembers. Every write and every flush is kept, in order; later the device can
 * become what a power cut at any of those moments may have left, as often as one likes, without copying it.
 *
 * It lies in memory that the process which serves it and the one that uses it share. What may happen at a cut:
 *   - a write that ended before a flush began is there;
 *   - of any other each 512-byte sector is there or not, on its own; but see power_disk_keep_whole.
 * What is written to it after a cut is kept too: that can be cut once more, as a recovery that loses its power.
 */
#ifndef TEAK_TESTS_POWER_DISK_H
#define TEAK_TESTS_POWER_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum { POWER_SECTOR = 512 };

struct power_disk;

/* A device of zeros. NULL: no memory. To be called before the processes part. */
struct power_disk *power_disk_make(uint64_t bytes);

/* ---- who serves it ---- */

uint64_t power_disk_bytes(const struct power_disk *disk);
bool power_disk_is_recording(const struct power_disk *disk);
void power_disk_read(struct power_disk *disk, uint64_t offset, void *out, uint64_t bytes);
void power_disk_write(struct power_disk *disk, uint64_t offset, const void *data, uint64_t bytes);
void power_disk_flush(struct power_disk *disk);

/* ---- who uses it; nothing is being written in all but power_disk_moment ---- */

/* What is there now is where the record begins. */
void power_disk_record(struct power_disk *disk);

/* Events since the record began; after the first cut: since the last one. Any time. */
uint64_t power_disk_moment(const struct power_disk *disk);

/* The record is complete: from here on the device is cut. Returns its events. */
uint64_t power_disk_replay(struct power_disk *disk);

/* A write of which `whole` says so is there or not, but never torn: a file system may take for granted that its device
 * does not tear blocks of its own. */
typedef bool (*power_whole_fn)(uint64_t offset, const uint8_t *data, uint64_t bytes);
void power_disk_keep_whole(struct power_disk *disk, power_whole_fn whole);

/* From here on no flush of the record counts: the device had lied. */
void power_disk_lie(struct power_disk *disk);

/* Which of the writes that no flush covers are there. */
enum power_subset {
    POWER_ALL,
    POWER_NONE,
    POWER_PREFIX,      /* the first ones               */
    POWER_TORN_PREFIX, /* and some sectors of the next */
    POWER_WRITES,      /* some                         */
    POWER_ALL_BUT_ONE,
    POWER_SECTORS,     /* some sectors of each         */
    POWER_SUBSET_COUNT,
};

/* A cut when `moment` events had happened. The moments of successive cuts do not go back. */
struct power_cut {
    uint64_t moment;
    enum power_subset subset;
    uint64_t seed;
};

/* The device becomes what `first` left. Returns how many writes no flush had covered. */
uint64_t power_disk_cut(struct power_disk *disk, struct power_cut first);

/* The device becomes what was left when, after the last power_disk_cut, the power went again. */
uint64_t power_disk_cut_again(struct power_disk *disk, struct power_cut second);

/* The next moment of the record, from `moment` on, at which the most can be lost: before a flush, or its end. */
uint64_t power_disk_worst(const struct power_disk *disk, uint64_t moment);

struct power_counts {
    uint64_t writes, write_bytes, flushes; /* of the record */
};
struct power_counts power_disk_counts(const struct power_disk *disk);

#endif
