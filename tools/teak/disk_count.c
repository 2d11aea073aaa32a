/* disk_count.c: see disk_count.h. */
#include "disk_count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { SECTOR = 512 };

/* Fields behind the name: Documentation/admin-guide/iostats.rst; writes are the 5th, their sectors the 7th, flushes the
 * 16th. */
static bool row_of(const char *text, unsigned major_wanted, unsigned minor_wanted, struct disk_count *out)
{
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        unsigned major_is, minor_is;
        unsigned long long writes, sectors, flushes = 0;
        const int fields = sscanf(line, "%u %u %*s %*u %*u %*u %*u %llu %*u %llu %*u %*u %*u %*u %*u %*u %*u %*u %llu",
                                  &major_is, &minor_is, &writes, &sectors, &flushes);
        if (fields < 4 || major_is != major_wanted || minor_is != minor_wanted) continue;
        *out = (struct disk_count){
            .known = true, .writes = writes, .write_bytes = (uint64_t)sectors * SECTOR, .flushes = flushes};
        return true;
    }
    return false;
}

struct disk_count disk_count_of(const char *diskstats, unsigned major, unsigned minor, unsigned whole_major,
                                unsigned whole_minor)
{
    struct disk_count own = {0}, whole = {0};
    if (!row_of(diskstats, major, minor, &own)) return own;
    if (row_of(diskstats, whole_major, whole_minor, &whole)) own.flushes = whole.flushes;
    return own;
}

/* The whole file: how long it is is not known before. The caller frees it. */
static char *text_of(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return NULL;
    size_t room = 1 << 16, used = 0;
    char *text = malloc(room);
    while (text != NULL) {
        const size_t got = fread(text + used, 1, room - 1 - used, file);
        used += got;
        text[used] = '\0';
        if (got == 0) break;
        if (used < room - 1) continue;
        char *wide = realloc(text, room *= 2);
        if (wide == NULL) free(text);
        text = wide;
    }
    fclose(file);
    return text;
}

struct disk_count disk_count_read(const char *directory)
{
    struct stat info;
    if (stat(directory, &info) != 0) return (struct disk_count){0};
    const unsigned own_major = major(info.st_dev), own_minor = minor(info.st_dev);
    unsigned whole_major = own_major, whole_minor = own_minor;
    char path[96];
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", own_major, own_minor);
    if (stat(path, &info) == 0) {
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", own_major, own_minor);
        FILE *file = fopen(path, "re");
        unsigned a, b;
        if (file != NULL && fscanf(file, "%u:%u", &a, &b) == 2) {
            whole_major = a;
            whole_minor = b;
        }
        if (file != NULL) fclose(file);
    }
    char *text = text_of("/proc/diskstats");
    if (text == NULL) return (struct disk_count){0};
    const struct disk_count count = disk_count_of(text, own_major, own_minor, whole_major, whole_minor);
    free(text);
    return count;
}

struct disk_count disk_count_difference(struct disk_count before, struct disk_count after)
{
    return (struct disk_count){
        .known = before.known && after.known,
        .writes = after.writes - before.writes,
        .write_bytes = after.write_bytes - before.write_bytes,
        .flushes = after.flushes - before.flushes,
    };
}

enum disk_verdict disk_verdict_of(struct disk_count did, uint64_t bytes, bool needs_flushes)
{
    if (!did.known) return DISK_NOT_KNOWN;
    if (did.write_bytes < bytes) return DISK_DID_LESS;
    return needs_flushes && did.flushes == 0 ? DISK_DID_LESS : DISK_DID_IT;
}
