#include "power_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RACES_MAX = 50, WAIT_MS = 30000 };

int power_run(const char *const words[])
{
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0) return 127;
    if (child == 0) {
        const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        execvp(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static bool cannot(const char *what)
{
    printf("skipped: %s: %s\n", what, strerror(errno));
    return false;
}

bool power_place_make(struct power_place *place, const char *filesystem)
{
    *place = (struct power_place){.loop = -1, .filesystem = filesystem};
    snprintf(place->served, sizeof place->served, "served.%d", (int)getpid());
    snprintf(place->mounted, sizeof place->mounted, "mounted.%d", (int)getpid());
    if (unshare(CLONE_NEWNS) != 0) return cannot("no mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return cannot("mounts cannot be made private");
    if (mkdir(place->served, 0700) != 0 || mkdir(place->mounted, 0700) != 0) return cannot("no directory");
    return true;
}

void power_place_remove(struct power_place *place)
{
    (void)umount2(place->mounted, MNT_DETACH);
    (void)umount2(place->served, MNT_DETACH);
    (void)rmdir(place->mounted);
    (void)rmdir(place->served);
}

static int configure(struct power_place *place, int file, uint32_t flags)
{
    const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) return errno;
    int error = EBUSY;
    for (int i = 0; i < RACES_MAX && error == EBUSY; i++) { /* somebody may be faster than us */
        const int number = ioctl(control, LOOP_CTL_GET_FREE);
        error = number < 0 ? errno : 0;
        if (error) break;
        snprintf(place->device, sizeof place->device, "/dev/loop%d", number);
        place->loop = open(place->device, O_RDWR | O_CLOEXEC);
        if (place->loop < 0) {
            error = errno;
            break;
        }
        struct loop_config config = {.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR | flags};
        memcpy(config.info.lo_file_name, place->served, LO_NAME_SIZE - 1);
        if (ioctl(place->loop, LOOP_CONFIGURE, &config) == 0) break;
        error = errno;
        close(place->loop);
        place->loop = -1;
    }
    close(control);
    return error;
}

static int open_served(const struct power_place *place, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", place->served, name);
    return open(path, O_RDWR | O_CLOEXEC);
}

bool power_place_attach(struct power_place *place, bool for_replaying)
{
    const int file = open_served(place, for_replaying ? "image" : "disk");
    if (file < 0) return cannot("the served file does not open");
    errno = configure(place, file, for_replaying ? 0 : LO_FLAGS_DIRECT_IO);
    const bool is_there = errno == 0;
    if (!is_there) cannot("no loop device");
    close(file);
    return is_there;
}

bool power_place_refresh(const struct power_place *place)
{
    const int file = open_served(place, "image");
    if (file < 0) return false;
    close(file);
    return ioctl(place->loop, BLKFLSBUF, 0) == 0;
}

bool power_place_detach(struct power_place *place)
{
    if (place->loop < 0) return true;
    close(place->loop);
    place->loop = -1;
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += 10) {
        struct loop_info64 info;
        const int loop = open(place->device, O_RDONLY | O_CLOEXEC);
        const bool is_free = loop < 0 || ioctl(loop, LOOP_GET_STATUS64, &info) != 0 ||
                             strncmp((const char *)info.lo_file_name, place->served, LO_NAME_SIZE - 1) != 0;
        if (loop >= 0) close(loop);
        if (is_free) return true;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return false;
}

/* Nothing is left for the background: what it does later would stand in the record of somebody else's doing. */
bool power_place_format(const struct power_place *place)
{
    const char *const ext4[] = {"mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4", "-E",
                                "lazy_itable_init=0,lazy_journal_init=0,nodiscard", place->device, NULL};
    const char *const xfs[] = {"mkfs.xfs", "-q", "-f", "-K", place->device, NULL};
    return power_run(strcmp(place->filesystem, "xfs") == 0 ? xfs : ext4) == 0 && fsync(place->loop) == 0;
}

int power_place_mount(struct power_place *place)
{
    return mount(place->device, place->mounted, place->filesystem, 0, NULL) == 0 ? 0 : errno;
}

int power_place_unmount(struct power_place *place) { return umount2(place->mounted, 0) == 0 ? 0 : errno; }

bool power_is_whole_on_ext4(uint64_t offset, const uint8_t *data, uint64_t bytes)
{
    (void)data, (void)bytes;
    return offset < 4096;
}

/* By what a sector begins with: blocks of a header of their own, inodes, and blocks of directories and attributes whose
 * magic number stands behind two links. */
static bool is_xfs_metadata(const uint8_t *sector)
{
    static const char magics[][5] = {"XFSB", "XAGF", "XAGI", "XAFL", "AB3B", "AB3C", "IAB3", "FIB3", "RMB3",
                                     "R3FC", "BMA3", "XDB3", "XDD3", "XDF3", "XSLM", "XARM"};
    static const uint8_t behind_links[][2] = {{0x3d, 0xf1}, {0x3d, 0xff}, {0x3e, 0xbe}, {0x3b, 0xee}};
    bool is_one = memcmp(sector, "IN", 2) == 0;
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) is_one |= memcmp(sector, magics[i], 4) == 0;
    for (size_t i = 0; i < sizeof behind_links / sizeof behind_links[0]; i++)
        is_one |= memcmp(sector + 8, behind_links[i], 2) == 0;
    return is_one;
}

bool power_is_whole_on_xfs(uint64_t offset, const uint8_t *data, uint64_t bytes)
{
    (void)offset;
    for (uint64_t at = 0; at < bytes; at += POWER_SECTOR)
        if (is_xfs_metadata(data + at)) return true;
    return false;
}
