/* power_place.h: where file systems of a power_disk are mounted: a mount namespace of this process's own, the FUSE file
 * system in it, a loop device on its file. The namespace and the loop device's autoclear flag see to it that nothing
 * is left, whoever is killed.
 */
#ifndef TEAK_TESTS_POWER_PLACE_H
#define TEAK_TESTS_POWER_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "power_disk.h"

struct power_place {
    char served[256];  /* where the FUSE file system is      */
    char mounted[256]; /* where the one on the loop device is */
    char device[64];   /* "/dev/loop3"                       */
    int loop;          /* its descriptor                     */
    const char *filesystem;
};

/* A mount namespace and the two directories. What cannot be had is said on standard output. */
bool power_place_make(struct power_place *place, const char *filesystem);
void power_place_remove(struct power_place *place);

/* A loop device on the served file: for recording, with requests side by side; for replaying, with pages kept from one
 * to the next, so that most of what a mounting reads piece by piece is not asked for. False: there are none here; said
 * on standard output. */
bool power_place_attach(struct power_place *place, bool for_replaying);
/* Closes it, and waits until the kernel has let it go. False: it has not, after many seconds. */
bool power_place_detach(struct power_place *place);

/* A new file system on the device. */
bool power_place_format(const struct power_place *place);

/* After the device's content was exchanged: no page of the one before is left. False: errno. */
bool power_place_refresh(const struct power_place *place);

/* 0, or an errno. */
int power_place_mount(struct power_place *place);
int power_place_unmount(struct power_place *place);

/* Blocks that these file systems rely on their device not to tear; their users' data is never among them but by chance.
 * ext4: the superblock, 1 KiB under one checksum. XFS: its metadata, for log recovery looks into the first sector of a
 * block (its LSN) to see whether the whole of it was written. */
bool power_is_whole_on_ext4(uint64_t offset, const uint8_t *data, uint64_t bytes);
bool power_is_whole_on_xfs(uint64_t offset, const uint8_t *data, uint64_t bytes);

/* Runs a program; its exit status, or 127. Its output is kept from ours. */
int power_run(const char *const words[]);

#endif
