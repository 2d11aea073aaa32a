#define FUSE_USE_VERSION 31
#include "power_server.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DISK_INODE = 2, IMAGE_INODE = 3, TAKEN_MAX = 32, TRANSFER_MAX = 1 << 20, FLUSH_NS = 500000 };

static struct power_disk *disk_of(fuse_req_t request) { return fuse_req_userdata(request); }

static void init(void *context, struct fuse_conn_info *connection)
{
    (void)context;
    connection->max_write = TRANSFER_MAX;
    connection->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
}

static bool describe(fuse_req_t request, fuse_ino_t inode, struct stat *out)
{
    *out = (struct stat){.st_ino = inode, .st_nlink = 1};
    if (inode == FUSE_ROOT_ID) {
        out->st_mode = S_IFDIR | 0700;
    } else if (inode == DISK_INODE || inode == IMAGE_INODE) {
        out->st_mode = S_IFREG | 0600;
        out->st_size = (off_t)power_disk_bytes(disk_of(request));
    } else {
        return false;
    }
    return true;
}

static void look_up(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {.attr_timeout = 3600, .entry_timeout = 3600};
    entry.ino = strcmp(name, "disk") == 0 ? DISK_INODE : strcmp(name, "image") == 0 ? IMAGE_INODE : 0;
    if (parent != FUSE_ROOT_ID || !describe(request, entry.ino, &entry.attr))
        fuse_reply_err(request, ENOENT);
    else
        fuse_reply_entry(request, &entry);
}

static void get_attributes(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)info;
    struct stat stat;
    if (describe(request, inode, &stat))
        fuse_reply_attr(request, &stat, 3600);
    else
        fuse_reply_err(request, ENOENT);
}

/* Opening without keep_cache drops what the kernel has of the file. */
static void open_file(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    info->direct_io = inode == DISK_INODE;
    if (inode == DISK_INODE || inode == IMAGE_INODE)
        fuse_reply_open(request, info);
    else
        fuse_reply_err(request, EISDIR);
}

static void read_file(fuse_req_t request, fuse_ino_t inode, size_t bytes, off_t offset, struct fuse_file_info *info)
{
    (void)inode, (void)info;
    static uint8_t buffer[2 * TRANSFER_MAX];
    const uint64_t all = power_disk_bytes(disk_of(request)), at = (uint64_t)offset;
    if (bytes > sizeof buffer) bytes = sizeof buffer;
    if (at >= all) bytes = 0;
    if (bytes > all - at) bytes = all - at;
    power_disk_read(disk_of(request), at, buffer, bytes);
    fuse_reply_buf(request, (const char *)buffer, bytes);
}

static void write_file(fuse_req_t request, fuse_ino_t inode, const char *data, size_t bytes, off_t offset,
                       struct fuse_file_info *info)
{
    (void)inode, (void)info;
    power_disk_write(disk_of(request), (uint64_t)offset, data, bytes);
    fuse_reply_write(request, bytes);
}

static void sync_file(fuse_req_t request, fuse_ino_t inode, int data_only, struct fuse_file_info *info)
{
    (void)inode, (void)data_only, (void)info;
    power_disk_flush(disk_of(request));
    fuse_reply_err(request, 0);
}

static bool is_sync(const struct fuse_buf *buffer)
{
    return ((const struct fuse_in_header *)buffer->mem)->opcode == FUSE_FSYNC;
}

/* While a workload is recorded a flush takes as long as on a fast device: others come meanwhile. */
static bool is_another_there(struct fuse_session *session, const struct fuse_buf *last, struct power_disk *disk)
{
    struct pollfd wait = {.fd = fuse_session_fd(session), .events = POLLIN};
    return is_sync(last) && power_disk_is_recording(disk) &&
           ppoll(&wait, 1, &(struct timespec){.tv_nsec = FLUSH_NS}, NULL) == 1;
}

/* Takes what is there, answers flushes first. False: the file system was unmounted, or it cannot go on. */
static bool serve_some(struct fuse_session *session, struct fuse_buf taken[TAKEN_MAX], struct power_disk *disk)
{
    struct pollfd wait = {.fd = fuse_session_fd(session), .events = POLLIN};
    if (poll(&wait, 1, -1) < 0) return errno == EINTR;
    int count = 0, got = 0;
    do {
        while (count < TAKEN_MAX && (got = fuse_session_receive_buf(session, &taken[count])) > 0) count++;
    } while (count > 0 && count < TAKEN_MAX && got == -EAGAIN && is_another_there(session, &taken[count - 1], disk));
    for (int syncs = 1; syncs >= 0; syncs--)
        for (int i = 0; i < count; i++)
            if (is_sync(&taken[i]) == (syncs == 1)) fuse_session_process_buf(session, &taken[i]);
    return !fuse_session_exited(session) && (count == TAKEN_MAX || got == -EAGAIN || got == -EINTR);
}

int power_serve(struct power_disk *disk, const char *mountpoint, int ready)
{
    static const struct fuse_lowlevel_ops ops = {
        .init = init, .lookup = look_up, .getattr = get_attributes, .open = open_file, .read = read_file,
        .write = write_file, .fsync = sync_file,
    };
    static struct fuse_buf taken[TAKEN_MAX];
    char program[] = "power_disk", option[] = "-o", name[] = "fsname=power_disk";
    char *words[] = {program, option, name};
    struct fuse_args args = FUSE_ARGS_INIT(3, words);
    struct fuse_session *session = fuse_session_new(&args, &ops, sizeof ops, disk);
    if (!session || fuse_session_mount(session, mountpoint) != 0) {
        printf("skipped: no FUSE file system can be mounted here\n");
        return POWER_CANNOT_MOUNT;
    }
    const int fd = fuse_session_fd(session);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 || write(ready, "r", 1) != 1) return 1;
    while (serve_some(session, taken, disk)) continue;
    fuse_session_unmount(session);
    fuse_session_destroy(session);
    for (int i = 0; i < TAKEN_MAX; i++) free(taken[i].mem);
    return 0;
}
