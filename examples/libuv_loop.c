/* libuv_loop.c: a store driven from libuv: a uv_poll on its descriptor, a uv_timer for its deadline. Each tick of
 * another timer submits a batch; the loop goes on while the disk works, and hears of each batch when it is durable.
 *
 *   libuv_loop DIRECTORY [TICKS]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "teak/engine.h"

enum { LOG = 1, PER_TICK = 8, DONE_MAX = 64 };

struct host {
    struct teak_store *store;
    struct teak_error error;
    enum teak_status status; /* what ended the loop */
    int file;                /* the store's descriptor */
    uint64_t ticks, due, submitted, durable;
    uv_poll_t readable;
    uv_timer_t deadline, tick;
};

/* One batch of entries behind the last one. FULL: again with the next turn of the loop. */
static enum teak_status submit(struct host *host, uint64_t tag)
{
    struct teak_bytes entries[PER_TICK];
    struct teak_log log;
    const enum teak_status status = teak_log(host->store, LOG, &log, &host->error);
    if (status != TEAK_OK) return status;
    for (int i = 0; i < PER_TICK; i++) entries[i] = (struct teak_bytes){"tick", 4};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = LOG, .index = log.last.index + 1, .term = 1,
                               .entries = entries, .count = PER_TICK};
    return teak_submit(host->store, &(struct teak_batch){.ops = &op, .count = 1, .tag = tag}, &host->error);
}

static void stop(struct host *host, enum teak_status status)
{
    host->status = status;
    if (host->error.status == TEAK_OK) host->error.status = status; /* a completion says no more than its status */
    uv_close((uv_handle_t *)&host->readable, NULL);
    uv_close((uv_handle_t *)&host->deadline, NULL);
    uv_close((uv_handle_t *)&host->tick, NULL);
}

static void at_deadline(uv_timer_t *timer);

/* When to come back at the latest. Milliseconds, rounded up: early would be in vain. */
static void set_deadline(struct host *host)
{
    const uint64_t deadline = teak_deadline(host->store), now = uv_hrtime(); /* both CLOCK_MONOTONIC, ns */
    if (deadline == TEAK_NO_DEADLINE)
        uv_timer_stop(&host->deadline);
    else
        uv_timer_start(&host->deadline, at_deadline, deadline <= now ? 0 : (deadline - now + 999999) / 1000000, 0);
}

/* After whatever happened: submit what is due, drive the store, take what has become durable. */
static void turn(struct host *host)
{
    enum teak_status status = TEAK_OK;
    while (status == TEAK_OK && host->submitted < host->ticks && host->submitted < host->due) {
        status = submit(host, host->submitted + 1);
        if (status == TEAK_OK) host->submitted++;
    }
    if (status != TEAK_OK && status != TEAK_FULL) {
        stop(host, status);
        return;
    }
    struct teak_completion done[DONE_MAX];
    uint32_t count = 0;
    status = teak_poll(host->store, 0, done, DONE_MAX, &count, &host->error);
    for (uint32_t i = 0; i < count && status == TEAK_OK; i++) {
        status = done[i].status;
        if (done[i].tag > 0) host->durable = done[i].tag; /* 0: the log's creation */
    }
    if (status != TEAK_OK || host->durable == host->ticks)
        stop(host, status);
    else
        set_deadline(host);
}

static void at_readable(uv_poll_t *poll, int status, int events)
{
    struct host *host = poll->data;
    uint64_t times;
    (void)events;
    if (status < 0 || read(host->file, &times, sizeof times) != (ssize_t)sizeof times) return; /* nothing is lost */
    turn(host);
}

static void at_deadline(uv_timer_t *timer) { turn(timer->data); }

static void at_tick(uv_timer_t *timer)
{
    struct host *host = timer->data;
    host->due++;
    turn(host);
}

static int fail(const struct teak_error *error)
{
    char text[256];
    teak_error_text(error, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    struct host host = {.ticks = argc > 2 ? strtoull(argv[2], NULL, 10) : 100};
    struct teak_options options = teak_options_default();
    struct teak_log log;
    options.create = true;
    if (teak_open(argv[1], &options, &host.store, NULL, &host.error) != TEAK_OK) return fail(&host.error);
    if (teak_log(host.store, LOG, &log, NULL) != TEAK_OK &&
        teak_create_log(host.store, LOG, 0, &host.error) != TEAK_OK)
        return fail(&host.error);
    if (teak_event_fd(host.store, &host.file, &host.error) != TEAK_OK) return fail(&host.error);

    uv_loop_t *loop = uv_default_loop();
    if (uv_poll_init(loop, &host.readable, host.file) != 0) return 1;
    uv_timer_init(loop, &host.deadline);
    uv_timer_init(loop, &host.tick);
    host.readable.data = host.deadline.data = host.tick.data = &host;
    uv_poll_start(&host.readable, UV_READABLE, at_readable);
    uv_timer_start(&host.tick, at_tick, 1, 1);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);

    if (host.status != TEAK_OK) return fail(&host.error);
    printf("%" PRIu64 " batches durable\n", host.durable);
    return teak_close(host.store, &host.error) == TEAK_OK ? 0 : fail(&host.error);
}
