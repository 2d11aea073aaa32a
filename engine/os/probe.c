/* probe.c: what is known of the file system and the device behind a directory.
 * OWNS   Nothing. Opening only, any thread.
 * PATH   statfs names the file system; a nameless file tells of O_DIRECT and its alignment; sysfs tells of the device.
 * FAILS  Only if the directory itself cannot be asked. Whatever else is not told is reported as not known.
 * HOLDS  Facts, not promises: a device that lies about its cache is believed here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "os/disk_plain.h"

enum { ALIGNMENT_UNKNOWN = 4096 };

static const struct {
    uint32_t magic;
    char name[16];
} filesystems[] = {
    /* include/uapi/linux/magic.h, where no other file is named */
    {EXT4_SUPER_MAGIC, "ext4"}, /* and ext2, ext3 */
    {XFS_SUPER_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {TMPFS_MAGIC, "tmpfs"},
    {RAMFS_MAGIC, "ramfs"},
    {OVERLAYFS_SUPER_MAGIC, "overlay"},
    {NFS_SUPER_MAGIC, "nfs"},
    {MSDOS_SUPER_MAGIC, "vfat"},
    {V9FS_MAGIC, "9p"},
    {0x65735546, "fuse"},     /* fs/fuse/inode.c    */
    {0x2fc12fc1, "zfs"},      /* OpenZFS zfs_vfsops.h */
    {0xca451a4e, "bcachefs"}, /* fs/bcachefs/bcachefs_format.h */
    {0xff534d42, "cifs"},     /* fs/smb/client/cifsfs.c */
};

static void name_filesystem(uint32_t magic, struct disk_device *out)
{
    for (size_t i = 0; i < sizeof filesystems / sizeof filesystems[0]; i++) {
        if (filesystems[i].magic != magic) continue;
        memcpy(out->filesystem, filesystems[i].name, sizeof out->filesystem);
        return;
    }
    snprintf(out->filesystem, sizeof out->filesystem, "0x%x", magic);
}

/* A file without a name where the file system has them, else one whose name is gone at once. -1: none to be had. */
static int open_nameless_direct(int dir)
{
    const int nameless = openat(dir, ".", O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, (mode_t)PLAIN_FILE_MODE);
    if (nameless >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) return nameless;
    char name[40];
    snprintf(name, sizeof name, "probe-%ld.tmp", (long)getpid());
    const int file = openat(dir, name, O_CREAT | O_EXCL | O_RDWR | O_DIRECT | O_CLOEXEC, (mode_t)PLAIN_FILE_MODE);
    if (file >= 0 || errno == EINVAL) (void)unlinkat(dir, name, 0); /* EINVAL: created before O_DIRECT was refused */
    return file;
}

/* A file system may let O_DIRECT pass at open and still say, by alignments of 0, that this file has none. */
static void ask_direct_io(int dir, struct disk_device *out)
{
    out->direct_alignment = ALIGNMENT_UNKNOWN;
    const int file = open_nameless_direct(dir);
    if (file < 0) return;
    out->direct_io = true;
#ifdef STATX_DIOALIGN /* Linux 6.1 */
    struct statx info;
    if (statx(file, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 && (info.stx_mask & STATX_DIOALIGN)) {
        const uint32_t memory = info.stx_dio_mem_align;
        const uint32_t offset = info.stx_dio_offset_align;
        out->direct_io = memory > 0 && offset > 0;
        if (out->direct_io) out->direct_alignment = memory > offset ? memory : offset;
    }
#endif
    close(file);
}

/* One line of a file of a block device's queue/; of the whole disk's where `device` is a partition. */
static bool read_queue(dev_t device, const char *attribute, char line[32])
{
    static const char *const places[] = {"queue", "../queue"};
    for (size_t i = 0; i < 2; i++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s/%s", major(device), minor(device), places[i], attribute);
        const int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) continue;
        const ssize_t got = read(file, line, 31);
        close(file);
        if (got <= 0) continue;
        line[got] = '\0';
        line[strcspn(line, "\n")] = '\0';
        return true;
    }
    return false;
}

/* Major 0 is no device: tmpfs, overlay, NFS, and btrfs, which may lie on several. */
static void ask_device(int dir, struct disk_device *out)
{
    struct stat info;
    char line[32];
    if (fstatat(dir, ".", &info, 0) != 0 || major(info.st_dev) == 0) return;
    if (!read_queue(info.st_dev, "write_cache", line)) return;
    out->known = true;
    out->write_cache = strcmp(line, "write back") == 0;
    out->fua = read_queue(info.st_dev, "fua", line) && strcmp(line, "1") == 0;
}

int plain_probe(struct disk *disk, int32_t dir, struct disk_device *out)
{
    (void)disk;
    *out = (struct disk_device){.size_limit = plain_size_limit()};
    const int self = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* there is no fstatfsat */
    if (self < 0) return errno;
    struct statfs type;
    struct statvfs space;
    int error = 0;
    if (fstatfs(self, &type) != 0 || fstatvfs(self, &space) != 0) {
        error = errno;
    } else {
        name_filesystem((uint32_t)type.f_type, out);
        out->read_only = (space.f_flag & ST_RDONLY) != 0;
        out->free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
        ask_direct_io(self, out);
        ask_device(self, out);
    }
    close(self);
    return error;
}

int plain_room(struct disk *disk, int32_t dir, uint64_t *free_out)
{
    (void)disk;
    struct statvfs space;
    if (fstatvfs(dir, &space) != 0) return errno;
    *free_out = (uint64_t)space.f_bavail * space.f_frsize;
    return 0;
}
