/* pwrite_rival.c: what people write by hand: entries gathered behind one another, one pwrite, one fdatasync.
 *
 * A header of 16 bytes before each entry, no checksum, no term, no index, no second file, and nobody could tell a torn
 * tail from a rotten one: it is what durability costs when nothing else is wanted.
 */
#define _GNU_SOURCE
#include "rival.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 16, PIECE = 1 << 20 };
#define FILE_BYTES ((uint64_t)1 << 30) /* of the file that was written before: then from its start again */

static struct {
    int file;
    uint8_t *gathered;
    uint64_t used, at, last;
    uint32_t entry_bytes;
    bool goes_round;
} p;

static void write_all(const uint8_t *data, uint64_t bytes, uint64_t at)
{
    while (bytes > 0) {
        const ssize_t wrote = pwrite(p.file, data, bytes, (off_t)at);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) rival_refuse("pwrite", strerror(errno));
        data += wrote;
        at += (uint64_t)wrote;
        bytes -= (uint64_t)wrote;
    }
}

static void open_rival(const struct rival_load *load)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/log", load->dir);
    p.file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (p.file < 0) rival_refuse(path, strerror(errno));
    p.entry_bytes = load->entry_bytes;
    p.gathered = rival_memory((uint64_t)load->window * (HEADER + (uint64_t)load->entry_bytes));
    p.goes_round = strcmp(load->variant, "written") == 0;
    if (p.goes_round) {
        const uint8_t *const zeros = rival_memory(PIECE);
        for (uint64_t at = 0; at < FILE_BYTES; at += PIECE) write_all(zeros, PIECE, at);
    }
    if (fsync(p.file) != 0) rival_refuse("fsync", strerror(errno));
}

static bool submit(uint64_t first, uint32_t count)
{
    for (uint64_t index = first; index < first + count; index++) {
        const uint64_t head[2] = {p.entry_bytes, index};
        memcpy(p.gathered + p.used, head, HEADER);
        memcpy(p.gathered + p.used + HEADER, rival_payload(index), p.entry_bytes);
        p.used += HEADER + (uint64_t)p.entry_bytes;
    }
    p.last = first + count - 1;
    return true;
}

static uint64_t commit(void)
{
    if (p.goes_round && p.at + p.used > FILE_BYTES) p.at = 0;
    write_all(p.gathered, p.used, p.at);
    if (fdatasync(p.file) != 0) rival_refuse("fdatasync", strerror(errno));
    p.at += p.used;
    p.used = 0;
    return p.last;
}

static void close_rival(void)
{
    if (close(p.file) != 0) rival_refuse("close", strerror(errno));
}

int main(int argc, char **argv)
{
    static const struct rival_variant variants[] = {
        {"growing", "the file grows, each group is one pwrite and one fdatasync",
         "what a loop by hand does; fdatasync(2): for a log its metadata need not be synced"},
        {"written", "each group is one pwrite and one fdatasync, round and round over 1 GiB that was written and "
         "synced before",
         "PostgreSQL 15 manual, wal_init_zero and wal_recycle: files are filled with zeros, and used again"},
        {0}};
    static const struct rival rival = {.name = "pwrite", .version = "by hand", .variants = variants,
                                       .open = open_rival, .submit = submit, .wait = commit, .close = close_rival};
    return rival_main(argc, argv, &rival);
}
