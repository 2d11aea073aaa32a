/* disk.c: what is the same for every backend of disk.h. */
#include "os/disk.h"

void disk_close_file(struct disk *disk, int32_t *file)
{
    if (*file == DISK_NONE) return;
    struct disk_op op = {.kind = DISK_CLOSE, .file = *file};
    disk_run(disk, &op);
    *file = DISK_NONE;
}

int disk_sync_all(struct disk *disk, int32_t file)
{
    struct disk_op op = {.kind = DISK_SYNC_ALL, .file = file};
    return disk_run(disk, &op);
}

int disk_sync_directory(struct disk *disk, int32_t dir, const char *path)
{
    struct disk_op open = {.kind = DISK_OPEN, .dir = dir, .name = path, .flags = DISK_DIRECTORY};
    int os_errno = disk_run(disk, &open);
    if (os_errno) return os_errno;
    os_errno = disk_sync_all(disk, open.file);
    disk_close_file(disk, &open.file);
    return os_errno;
}

void disk_landed(const struct disk_op *op, int32_t *file)
{
    if (op->kind == DISK_OPEN) *file = op->error ? DISK_NONE : op->file;
    if (op->kind == DISK_CLOSE) *file = DISK_NONE;
}
