/* epoll_loop.c: a store driven from a host's own epoll loop. Each tick of a timer submits a batch; the loop goes on
 * while the disk works, and hears of each batch when it is durable.
 *
 *   epoll_loop DIRECTORY [TICKS]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "teak/engine.h"

enum { LOG = 1, PER_TICK = 8, DONE_MAX = 64 };

/* What the store wants of epoll_wait: -1 for ever, 0 at once, else milliseconds, rounded up: early would be in vain. */
static int wait_ms(const struct teak_store *store)
{
    const uint64_t deadline = teak_deadline(store);
    struct timespec now;
    if (deadline == TEAK_NO_DEADLINE) return -1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return deadline <= now_ns ? 0 : (int)((deadline - now_ns + 999999) / 1000000);
}

static void watch(int epoll, int file)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = file};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event) != 0) exit(1);
}

static uint64_t read_counter(int file) /* an eventfd or a timerfd */
{
    uint64_t times = 0;
    return read(file, &times, sizeof times) == (ssize_t)sizeof times ? times : 0;
}

/* One batch of entries behind the last one. FULL: the caller polls, and tries again with the next turn of the loop. */
static enum teak_status submit(struct teak_store *store, uint64_t tag, struct teak_error *error)
{
    struct teak_bytes entries[PER_TICK];
    struct teak_log log;
    enum teak_status status = teak_log(store, LOG, &log, error);
    if (status != TEAK_OK) return status;
    for (int i = 0; i < PER_TICK; i++) entries[i] = (struct teak_bytes){"tick", 4};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = LOG, .index = log.last.index + 1, .term = 1,
                               .entries = entries, .count = PER_TICK};
    return teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1, .tag = tag}, error);
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
    const uint64_t ticks = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    struct teak_options options = teak_options_default();
    struct teak_error error;
    struct teak_store *store;
    struct teak_log log;
    options.create = true;
    if (teak_open(argv[1], &options, &store, NULL, &error) != TEAK_OK) return fail(&error);
    if (teak_log(store, LOG, &log, NULL) != TEAK_OK && teak_create_log(store, LOG, 0, &error) != TEAK_OK)
        return fail(&error);

    int done_fd;
    if (teak_event_fd(store, &done_fd, &error) != TEAK_OK) return fail(&error);
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    const struct itimerspec each_ms = {.it_interval.tv_nsec = 1000000, .it_value.tv_nsec = 1000000};
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &each_ms, NULL) != 0) return 1;
    watch(epoll, done_fd);
    watch(epoll, timer);

    uint64_t due = 0, submitted = 0, durable = 0;
    while (durable < ticks) {
        struct epoll_event events[4];
        const int ready = epoll_wait(epoll, events, 4, wait_ms(store));
        for (int i = 0; i < ready; i++) {
            const uint64_t times = read_counter(events[i].data.fd);
            if (events[i].data.fd == timer) due += times;
        }
        enum teak_status status = TEAK_OK;
        while (submitted < ticks && submitted < due && status == TEAK_OK) {
            status = submit(store, submitted + 1, &error);
            if (status == TEAK_OK) submitted++;
        }
        if (status != TEAK_OK && status != TEAK_FULL) return fail(&error);

        struct teak_completion done[DONE_MAX]; /* every turn: it starts what was submitted and takes what has landed */
        uint32_t count;
        if (teak_poll(store, 0, done, DONE_MAX, &count, &error) != TEAK_OK) return fail(&error);
        for (uint32_t i = 0; i < count; i++) {
            if (done[i].status != TEAK_OK) return 1;
            if (done[i].tag > 0) durable = done[i].tag; /* 0: the log's creation */
        }
    }
    printf("%" PRIu64 " batches durable\n", durable);
    close(epoll);
    close(timer);
    return teak_close(store, &error) == TEAK_OK ? 0 : fail(&error);
}
