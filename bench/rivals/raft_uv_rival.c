/* raft_uv_rival.c: libraft's log on libuv, what dqlite stands on: its raft_io, driven without the Raft above it.
 *
 * Appends are asynchronous, as Teak's are: what arrives while one is written goes out with the next write. The
 * transport is one that never connects.
 */
#include "rival.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <raft.h>
#include <raft/uv.h>

enum { SEGMENT_BYTES = 64 << 20 };

struct append {
    struct raft_io_append request;
    struct raft_entry *entries;
    uint64_t first;
    uint32_t count;
};

static struct {
    struct uv_loop_s loop;
    struct raft_uv_transport transport;
    struct raft_io io;
    struct append *appends; /* a ring by batch */
    uint64_t slots, batches, durable;
    uint32_t entry_bytes, batch;
    bool is_closed;
} u;

static void check(int error, const char *what)
{
    if (error == 0) return;
    char why[2 * RAFT_ERRMSG_BUF_SIZE];
    snprintf(why, sizeof(why), "%s: %s", raft_strerror(error), u.io.errmsg);
    rival_refuse(what, why);
}

static int transport_init(struct raft_uv_transport *transport, raft_id id, const char *address)
{
    (void)transport;
    (void)id;
    (void)address;
    return 0;
}

static int transport_listen(struct raft_uv_transport *transport, raft_uv_accept_cb accept)
{
    (void)transport;
    (void)accept;
    return 0;
}

static int transport_connect(struct raft_uv_transport *transport, struct raft_uv_connect *request, raft_id id,
                             const char *address, raft_uv_connect_cb connected)
{
    (void)transport;
    (void)request;
    (void)id;
    (void)address;
    (void)connected;
    return RAFT_NOCONNECTION;
}

static void transport_close(struct raft_uv_transport *transport, raft_uv_transport_close_cb closed)
{
    closed(transport);
}

static void ticked(struct raft_io *io) { (void)io; }

static void received(struct raft_io *io, struct raft_message *message)
{
    (void)io;
    (void)message;
}

static void open_rival(const struct rival_load *load)
{
    raft_term term;
    raft_id voted_for;
    struct raft_snapshot *snapshot;
    raft_index start;
    struct raft_entry *entries;
    size_t count;
    u.entry_bytes = load->entry_bytes;
    u.batch = load->batch;
    u.slots = load->window / load->batch + 1;
    u.appends = rival_memory(u.slots * sizeof(u.appends[0]));
    struct raft_entry *const room = rival_memory(u.slots * load->batch * sizeof(room[0]));
    for (uint64_t i = 0; i < u.slots; i++) u.appends[i].entries = room + i * load->batch;
    u.transport = (struct raft_uv_transport){.init = transport_init, .listen = transport_listen,
                                             .connect = transport_connect, .close = transport_close};
    if (uv_loop_init(&u.loop) != 0) rival_refuse("uv_loop_init", "it failed");
    if (load->entry_bytes % 8 != 0) rival_refuse("--entry-bytes", "libraft takes multiples of 8");
    check(raft_uv_init(&u.io, &u.loop, load->dir, &u.transport), "raft_uv_init");
    if (strcmp(load->variant, "segments-64m") == 0) raft_uv_set_segment_size(&u.io, SEGMENT_BYTES);
    check(u.io.init(&u.io, 1, "1"), "init");
    check(u.io.load(&u.io, &term, &voted_for, &snapshot, &start, &entries, &count), "load");
    check(u.io.start(&u.io, 1000, ticked, received), "start");
    check(u.io.set_term(&u.io, 1), "set_term");
}

static void appended(struct raft_io_append *request, int status)
{
    const struct append *const append = request->data;
    check(status, "append");
    if (append->first != u.durable + 1) rival_refuse("append", "out of its order");
    u.durable += append->count;
}

static bool submit(uint64_t first, uint32_t count)
{
    struct append *const append = &u.appends[u.batches++ % u.slots];
    append->first = first;
    append->count = count;
    append->request.data = append;
    for (uint32_t i = 0; i < count; i++)
        append->entries[i] = (struct raft_entry){
            .term = 1, .type = RAFT_COMMAND,
            .buf = {.base = (void *)(uintptr_t)rival_payload(first + i), .len = u.entry_bytes}};
    check(u.io.append(&u.io, &append->request, append->entries, count, appended), "append");
    return true;
}

static uint64_t wait_for_more(void)
{
    const uint64_t before = u.durable;
    while (u.durable == before) uv_run(&u.loop, UV_RUN_ONCE);
    return u.durable;
}

static void closed(struct raft_io *io)
{
    (void)io;
    u.is_closed = true;
}

static void close_rival(void)
{
    u.io.close(&u.io, closed);
    while (!u.is_closed) uv_run(&u.loop, UV_RUN_ONCE);
    raft_uv_close(&u.io);
    uv_run(&u.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&u.loop) != 0) rival_refuse("uv_loop_close", "something is left in the loop");
}

int main(int argc, char **argv)
{
    static const struct rival_variant variants[] = {
        {"default", "raft_uv, segments of 8 MiB prepared ahead, direct and asynchronous writes where it finds them",
         "raft/uv.h: all as by default, which is how dqlite uses it"},
        {"segments-64m",
         "raft_uv, segments of 64 MiB prepared ahead, direct and asynchronous writes where it finds them",
         "raft/uv.h: raft_uv_set_segment_size"},
        {0}};
    static const struct rival rival = {.name = "raft_uv", .version = RAFT_UV_VERSION, .variants = variants,
                                       .open = open_rival, .submit = submit, .wait = wait_for_more,
                                       .close = close_rival};
    return rival_main(argc, argv, &rival);
}
