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

/* A loop device on the served file. False: there are none here; said on standard output. */
bool power_place_attach(struct power_place *place);
/* Closes it, and waits until the kernel has let it go. False: it has not, after many seconds. */
bool power_place_detach(struct power_place *place);

/* A new file system on the device. */
bool power_place_format(const struct power_place *place);

/* 0, or an errno. Between unmounting and mounting the device's content may have been exchanged. */
int power_place_mount(struct power_place *place);
int power_place_unmount(struct power_place *place);

/* Runs a program; its exit status, or 127. Its output is kept from ours. */
int power_run(const char *const words[]);

#endif
