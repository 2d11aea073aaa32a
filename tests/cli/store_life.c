/* store_life.c: lives of stores in a directory, for filesystems_test.py: one for each backend and strategy.
 *
 *   store_life DIRECTORY
 *
 * Each is created, filled over many segments, compacted until files are used again, left as by a crash, opened, filled
 * again, closed, read back and verified. One line of JSON tells each life; it stays in DIRECTORY/BACKEND-STRATEGY.
 * Exit status 1: something was not as it was written; a line on standard error says what.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "teak/engine.h"
#include "teak/inspect.h"

enum { LOG = 7, ENTRY_BYTES = 1500, ENTRIES = 400, KEPT = 40, DONE_MAX = 64, PATH_BYTES = 4096 };

static const char *doing = "";

static void need(enum teak_status status, const struct teak_error *error)
{
    if (status == TEAK_OK) return;
    char text[512];
    teak_error_text(error, text, sizeof text);
    fprintf(stderr, "%s: %s\n", doing, text);
    exit(1);
}

static void fill(uint8_t *out, uint64_t index)
{
    for (uint32_t i = 0; i < ENTRY_BYTES; i++) out[i] = (uint8_t)(index * 31 + i * (index % 7 + 1));
}

/* Entries first..last; the log is kept at about KEPT entries, so that segments die and are used again. */
static void append(struct teak_store *store, uint64_t first, uint64_t last)
{
    struct teak_error error;
    uint8_t data[ENTRY_BYTES];
    for (uint64_t index = first; index <= last; index++) {
        enum teak_status status;
        fill(data, index);
        while ((status = teak_append(store, LOG, index, 1, data, ENTRY_BYTES, index, &error)) == TEAK_FULL) {
            struct teak_completion done[DONE_MAX];
            uint32_t count;
            need(teak_poll(store, TEAK_FOREVER, done, DONE_MAX, &count, &error), &error);
        }
        need(status, &error);
        if (index % 10 != 0) continue;
        const struct teak_op compact = {.op = TEAK_OP_COMPACT, .log = LOG, .index = index > KEPT ? index - KEPT : 1};
        need(teak_submit(store, &(struct teak_batch){.ops = &compact, .count = 1}, &error), &error);
        need(teak_drain(store, &error), &error);
    }
    need(teak_drain(store, &error), &error);
}

static void read_back(struct teak_store *store, uint64_t last)
{
    struct teak_error error;
    struct teak_cursor *cursor;
    struct teak_log log;
    uint8_t wanted[ENTRY_BYTES];
    need(teak_log(store, LOG, &log, &error), &error);
    uint64_t next = log.first;
    need(teak_cursor_open(store, LOG, next, &cursor, &error), &error);
    for (;;) {
        struct teak_entry entries[16];
        uint32_t count;
        need(teak_cursor_read(cursor, 1 << 20, entries, 16, &count, &error), &error);
        if (count == 0) break;
        for (uint32_t i = 0; i < count; i++, next++) {
            fill(wanted, next);
            if (entries[i].index == next && entries[i].bytes == ENTRY_BYTES &&
                memcmp(entries[i].data, wanted, ENTRY_BYTES) == 0)
                continue;
            fprintf(stderr, "%s: entry %" PRIu64 " is not what was written\n", doing, next);
            exit(1);
        }
    }
    teak_cursor_close(cursor);
    if (next == last + 1 && log.last.index == last) return;
    fprintf(stderr, "%s: entries end at %" PRIu64 ", not %" PRIu64 "\n", doing, next - 1, last);
    exit(1);
}

static void verify(const char *directory, uint64_t last)
{
    struct teak_options options = teak_options_default();
    struct teak_error error;
    struct teak_store *store;
    struct teak_verify_result result;
    struct teak_damage damage[1];
    options.read_only = true;
    need(teak_open(directory, &options, &store, NULL, &error), &error);
    read_back(store, last);
    need(teak_verify(store, damage, 1, &result, NULL, NULL, &error), &error);
    need(teak_close(store, &error), &error);
}

static void live(const char *directory, const char *backend, const char *strategy, struct teak_options options)
{
    struct teak_error error;
    struct teak_report report;
    struct teak_store *store;
    struct teak_stats stats;
    enum teak_status status = teak_open(directory, &options, &store, &report, &error);
    if (status == TEAK_NO_BACKEND) {
        printf("{\"wanted\": \"%s\", \"strategy\": \"%s\", \"skipped\": true}\n", backend, strategy);
        return;
    }
    need(status, &error);
    need(teak_create_log(store, LOG, 0, &error), &error);
    append(store, 1, ENTRIES);
    read_back(store, ENTRIES);
    teak_stats(store, &stats);
    teak_abandon(store);

    options.create = false;
    need(teak_open(directory, &options, &store, &report, &error), &error);
    const enum teak_verdict crashed = report.verdict;
    read_back(store, ENTRIES);
    append(store, ENTRIES + 1, 2 * ENTRIES);
    need(teak_close(store, &error), &error);
    need(teak_open(directory, &options, &store, &report, &error), &error);
    if (report.verdict != TEAK_VERDICT_CLEAN || crashed == TEAK_VERDICT_CLEAN || crashed == TEAK_VERDICT_DAMAGED) {
        fprintf(stderr, "%s: verdicts %d, %d\n", doing, (int)crashed, (int)report.verdict);
        exit(1);
    }
    read_back(store, 2 * ENTRIES);
    need(teak_close(store, &error), &error);
    verify(directory, 2 * ENTRIES);
    printf("{\"wanted\": \"%s\", \"strategy\": \"%s\", \"backend\": \"%s\", \"filesystem\": \"%s\", \"direct_io\": %s,"
           " \"recycled\": %" PRIu64 ", \"segment\": %" PRIu64 "}\n",
           backend, strategy, report.backend, stats.filesystem, report.direct_io ? "true" : "false", stats.recycled,
           stats.newest_segment);
}

int main(int argc, char **argv)
{
    static const char *const backends[TEAK_BACKEND_COUNT] = {"auto", "uring", "posix"};
    static const char *const strategies[TEAK_STRATEGY_COUNT] = {"auto", "dsync", "fdatasync", "buffered", "none"};
    if (argc != 2) return 2;
    for (uint32_t backend = 1; backend < TEAK_BACKEND_COUNT; backend++) {
        for (uint32_t strategy = 0; strategy < TEAK_STRATEGY_COUNT; strategy++) {
            char directory[PATH_BYTES];
            struct teak_options options = teak_options_default();
            snprintf(directory, sizeof directory, "%s/%s-%s", argv[1], backends[backend], strategies[strategy]);
            options.create = true;
            options.segment_bytes = 65536;
            options.backend = (enum teak_backend)backend;
            options.strategy = (enum teak_strategy)strategy;
            doing = directory;
            live(directory, backends[backend], strategies[strategy], options);
        }
    }
    return 0;
}
