/* power_server.h: a power_disk as a file of a FUSE file system, under a loop device.
 *
 * What flies beside a flush is not covered by it. So requests are taken from the kernel as long as there are any, and
 * only then answered, flushes first: a write that had not been answered when the flush was given away comes behind it
 * in the record, and a cut may lose it.
 */
#ifndef TEAK_TESTS_POWER_SERVER_H
#define TEAK_TESTS_POWER_SERVER_H

#include "power_disk.h"

enum { POWER_CANNOT_MOUNT = 77 };

/* Mounts a file system on `mountpoint` that holds the device twice, as "disk", where every request comes here, and as
 * "image", of which the kernel keeps pages until it is opened anew; writes a byte to `ready`, serves until it is
 * unmounted. The exit status of a process. POWER_CANNOT_MOUNT: the reason is on standard output. */
int power_serve(struct power_disk *disk, const char *mountpoint, int ready);

#endif
