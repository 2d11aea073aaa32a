/* uring_rival.c: io_uring as it is often met: for each entry a write and, linked behind it, an fdatasync.
 *
 * All of the window is in flight at once; nothing is grouped. A header of 16 bytes before each entry, as in
 * pwrite_rival.c.
 */
#define _GNU_SOURCE
#include "rival.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 16, RING_MAX = 32768 };

static struct {
    struct io_uring ring;
    int file;
    uint8_t *slots;
    bool *is_synced; /* of the entries outstanding, by index: a ring */
    uint64_t room, durable;
    uint32_t entry_bytes;
} u;

static void open_rival(const struct rival_load *load)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/log", load->dir);
    if (load->window > RING_MAX / 2) rival_refuse("--window", "at most 16384: a ring of two requests for each entry");
    u.file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (u.file < 0) rival_refuse(path, strerror(errno));
    u.entry_bytes = load->entry_bytes;
    u.room = load->window;
    u.slots = rival_memory(u.room * (HEADER + (uint64_t)load->entry_bytes));
    u.is_synced = rival_memory(u.room * sizeof(u.is_synced[0]));
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE, .cq_entries = RING_MAX * 2};
    const int error = io_uring_queue_init_params(load->window * 2, &u.ring, &params);
    if (error != 0) rival_refuse("io_uring_setup", strerror(-error));
}

static struct io_uring_sqe *request(uint64_t tag)
{
    struct io_uring_sqe *const sqe = io_uring_get_sqe(&u.ring);
    if (sqe == NULL) rival_refuse("io_uring_get_sqe", "the ring is full");
    io_uring_sqe_set_data64(sqe, tag);
    return sqe;
}

static bool submit(uint64_t first, uint32_t count)
{
    const uint64_t bytes = HEADER + (uint64_t)u.entry_bytes;
    for (uint64_t index = first; index < first + count; index++) {
        uint8_t *const slot = u.slots + index % u.room * bytes;
        const uint64_t head[2] = {u.entry_bytes, index};
        memcpy(slot, head, HEADER);
        memcpy(slot + HEADER, rival_payload(index), u.entry_bytes);
        u.is_synced[index % u.room] = false;
        struct io_uring_sqe *sqe = request(0);
        io_uring_prep_write(sqe, u.file, slot, (unsigned)bytes, (index - 1) * bytes);
        io_uring_sqe_set_data64(sqe, 0); /* older prep functions clear it */
        sqe->flags = (uint8_t)(sqe->flags | IOSQE_IO_LINK);
        sqe = request(index);
        io_uring_prep_fsync(sqe, u.file, IORING_FSYNC_DATASYNC);
        io_uring_sqe_set_data64(sqe, index);
    }
    return true;
}

static void land(const struct io_uring_cqe *cqe)
{
    const uint64_t index = cqe->user_data;
    if (cqe->res < 0) rival_refuse(index == 0 ? "write" : "fdatasync", strerror(-cqe->res));
    if (index == 0 && cqe->res != (int)(HEADER + u.entry_bytes)) rival_refuse("write", "short");
    if (index != 0) u.is_synced[index % u.room] = true;
}

static uint64_t wait_for_more(void)
{
    const uint64_t before = u.durable;
    while (u.durable == before) {
        struct io_uring_cqe *cqe;
        const int error = io_uring_submit_and_wait(&u.ring, 1);
        if (error < 0 && error != -EINTR) rival_refuse("io_uring_enter", strerror(-error));
        while (io_uring_peek_cqe(&u.ring, &cqe) == 0) {
            land(cqe);
            io_uring_cqe_seen(&u.ring, cqe);
        }
        while (u.is_synced[(u.durable + 1) % u.room]) u.is_synced[++u.durable % u.room] = false;
    }
    return u.durable;
}

static void close_rival(void)
{
    io_uring_queue_exit(&u.ring);
    if (close(u.file) != 0) rival_refuse("close", strerror(errno));
}

int main(int argc, char **argv)
{
    static const struct rival_variant variants[] = {
        {"each", "a write and a linked fdatasync for each entry, all in flight at once",
         "io_uring_enter(2): IOSQE_IO_LINK orders the fsync behind the write"},
        {0}};
    static const struct rival rival = {.name = "uring", .version = "by hand", .variants = variants,
                                       .open = open_rival, .submit = submit, .wait = wait_for_more,
                                       .close = close_rival};
    return rival_main(argc, argv, &rival);
}
