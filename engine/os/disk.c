/* disk.c: what is the same for every backend of disk.h. */
#include "os/disk.h"

void disk_close_file(struct disk *disk, int32_t *file)
{
    if (*file == DISK_NONE) return;
    struct disk_op op = {.kind = DISK_CLOSE, .file = *file};
    disk_run(disk, &op);
    *file = DISK_NONE;
}

void disk_landed(const struct disk_op *op, int32_t *file)
{
    if (op->kind == DISK_OPEN) *file = op->error ? DISK_NONE : op->file;
    if (op->kind == DISK_CLOSE) *file = DISK_NONE;
}
