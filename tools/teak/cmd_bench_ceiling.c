/* cmd_bench_ceiling.c: teak bench ceiling: what a disk can do with no log on it.
 * OWNS   The scratch files, which have no name.
 * PATH   Each number of bytes outstanding, each way, one after another; then the rows.
 * FAILS  A signal ends it: nothing is reported, and nothing is left. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "bench_place.h"
#include "bench_summary.h"
#include "command.h"
#include "complain.h"
#include "disk_ceiling.h"
#include "human.h"
#include "json.h"
#include "machine.h"
#include "progress.h"
#include "stop.h"
#include "ticks.h"

static const char *const who = "bench ceiling";

enum { ROWS_MAX = 64, OUTSTANDING_MAX = 16 << 20, FILE_LEAST = 64 << 20 };
#define SECONDS_MIN 0.01

struct row {
    struct ceiling_point point;
    uint64_t outstanding, ns, writes, syncs;
    double p50_us, p99_us;
    struct disk_count did;
};

struct probe {
    const char *directory;
    uint64_t outstanding; /* 0: several */
    double seconds;
    bool as_json;
    struct ceiling disk;
    struct ceiling_result *result;
    struct machine machine;
    struct row rows[ROWS_MAX];
    uint32_t count;
    bool made; /* the directory was not there before */
};

static double per_second(uint64_t count, const struct row *row)
{
    return row->ns > 0 ? (double)count / ((double)row->ns / 1e9) : 0;
}

static enum disk_verdict verdict_of(const struct probe *probe, const struct row *row)
{
    return disk_verdict_of(row->did, row->writes * row->point.write_bytes, machine_needs_flushes(&probe->machine));
}

/* ---------------------------------------------------------------------------------------------------------- showing */

static const struct row *best_of(const struct probe *probe, uint64_t outstanding)
{
    const struct row *best = NULL;
    for (uint32_t i = 0; i < probe->count; i++) {
        const struct row *row = &probe->rows[i];
        if (row->outstanding != outstanding || row->point.allocated) continue;
        if (best == NULL || per_second(row->writes * row->point.write_bytes, row) >
                                per_second(best->writes * best->point.write_bytes, best))
            best = row;
    }
    return best;
}

static void show_json(const struct probe *probe)
{
    struct json json;
    json_begin(&json, stdout);
    json_text(&json, "through", probe->disk.ring ? "uring" : "threads");
    json_bool(&json, "direct_io", probe->disk.direct);
    json_array(&json, "rows");
    for (uint32_t i = 0; i < probe->count; i++) {
        const struct row *row = &probe->rows[i];
        const enum disk_verdict verdict = verdict_of(probe, row);
        json_object(&json, NULL);
        json_number(&json, "outstanding_bytes", row->outstanding);
        json_text(&json, "way", ceiling_way_names[row->point.way]);
        json_text(&json, "blocks", row->point.allocated ? "allocated" : "written");
        json_number(&json, "write_bytes", row->point.write_bytes);
        json_number(&json, "in_flight", row->point.in_flight);
        json_real(&json, "seconds", (double)row->ns / 1e9, 6);
        json_number(&json, "writes", row->writes);
        json_real(&json, "writes_per_second", per_second(row->writes, row), 1);
        json_real(&json, "bytes_per_second", per_second(row->writes * row->point.write_bytes, row), 1);
        json_real(&json, "syncs_per_second", per_second(row->syncs, row), 1);
        json_object(&json, "latency_us");
        json_real(&json, "p50", row->p50_us, 3);
        json_real(&json, "p99", row->p99_us, 3);
        json_close(&json);
        json_object(&json, "disk");
        json_number(&json, "writes", row->did.writes);
        json_number(&json, "write_bytes", row->did.write_bytes);
        json_number(&json, "flushes", row->did.flushes);
        if (verdict == DISK_NOT_KNOWN)
            json_null(&json, "did_the_work");
        else
            json_bool(&json, "did_the_work", verdict == DISK_DID_IT);
        json_close(&json);
        json_bool(&json, "best", row == best_of(probe, row->outstanding));
        json_close(&json);
    }
    json_close(&json);
    machine_json(&json, "machine", &probe->machine);
    json_end(&json);
}

static void show_text(const struct probe *probe)
{
    const struct machine *machine = &probe->machine;
    printf("%s: %s%s%s%s%s, %s, through %s\n", probe->directory,
           machine->filesystem[0] != '\0' ? machine->filesystem : "?",
           machine->device[0] != '\0' ? " on " : "", machine->device, machine->write_cache[0] != '\0' ? ", " : "",
           machine->write_cache, probe->disk.direct ? "direct I/O" : "no direct I/O",
           probe->disk.ring ? "io_uring" : "threads");
    uint64_t outstanding = 0;
    bool less = false;
    for (uint32_t i = 0; i < probe->count; i++) {
        const struct row *row = &probe->rows[i];
        char name[128];
        if (row->outstanding != outstanding)
            printf("\n  %-40s %10s %12s %9s %9s %9s\n", human_bytes(row->outstanding).text, "writes/s", "bytes/s",
                   "syncs/s", "p50", "p99");
        outstanding = row->outstanding;
        snprintf(name, sizeof(name), "%s%s, %" PRIu32 " x %s", ceiling_way_names[row->point.way],
                 row->point.allocated ? ", merely allocated" : "", row->point.in_flight,
                 human_bytes(row->point.write_bytes).text);
        printf("%s %-40s %10s %12s %9s %9s %9s\n", row == best_of(probe, outstanding) ? "*" : " ", name,
               human_count((uint64_t)per_second(row->writes, row)).text,
               human_bytes((uint64_t)per_second(row->writes * row->point.write_bytes, row)).text,
               human_count((uint64_t)per_second(row->syncs, row)).text, human_micros(row->p50_us).text,
               human_micros(row->p99_us).text);
        less = less || verdict_of(probe, row) == DISK_DID_LESS;
    }
    printf("\n* the best of those outstanding; the ceiling for a log with as much outstanding\n");
    if (less) printf("the device counted LESS than was claimed: believe nothing of this\n");
}

/* ---------------------------------------------------------------------------------------------------------- running */

static void add(struct probe *probe, uint64_t outstanding, enum ceiling_way way, bool allocated, uint32_t parts)
{
    const uint64_t each = outstanding / parts;
    if (each < CEILING_BLOCK || probe->count == ROWS_MAX) return;
    probe->rows[probe->count++] = (struct row){
        .outstanding = outstanding,
        .point = {.way = way, .allocated = allocated, .in_flight = parts,
                  .write_bytes = each / CEILING_BLOCK * CEILING_BLOCK,
                  .measure_ns = (uint64_t)(probe->seconds * 1e9)},
    };
}

static void plan(struct probe *probe)
{
    static const uint64_t usual[] = {4096, 65536, 262144, 1 << 20, 4 << 20};
    const uint32_t count = probe->outstanding != 0 ? 1 : sizeof(usual) / sizeof(usual[0]);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t outstanding = probe->outstanding != 0 ? probe->outstanding : usual[i];
        add(probe, outstanding, CEILING_WRITE_SYNC, false, 1);
        for (uint32_t parts = 1; parts <= 4; parts *= 2) add(probe, outstanding, CEILING_DSYNC, false, parts);
        for (uint32_t parts = 1; parts <= 4; parts *= 2) add(probe, outstanding, CEILING_FDATASYNC, false, parts);
        add(probe, outstanding, CEILING_DSYNC, true, 1);
    }
}

static int failed(const struct probe *probe)
{
    complain(who, "%s: %s: %s", probe->directory, probe->disk.operation, strerror(probe->disk.error));
    return EXIT_PROBLEM;
}

static int measure(struct probe *probe)
{
    struct progress progress;
    if (!ceiling_open(&probe->disk, probe->directory, FILE_LEAST)) return failed(probe);
    progress_begin(&progress, "ceiling", probe->count, true);
    bool good = true;
    for (uint32_t i = 0; good && i < probe->count && !stop_asked(); i++) {
        struct row *row = &probe->rows[i];
        progress_show(&progress, ticks_ns(), i, ceiling_way_names[row->point.way]);
        good = ceiling_run(&probe->disk, &row->point, probe->result);
        row->ns = probe->result->ns;
        row->writes = probe->result->writes;
        row->syncs = probe->result->syncs;
        row->did = probe->result->did;
        row->p50_us = bench_micros(&probe->result->latency, 0.5);
        row->p99_us = bench_micros(&probe->result->latency, 0.99);
    }
    progress_end(&progress);
    ceiling_close(&probe->disk);
    return good ? EXIT_GOOD : failed(probe);
}

/* The directory, made if it is not there. */
static int claim(struct probe *probe)
{
    struct bench_look found;
    uint64_t free_bytes;
    const int status = bench_place_look(who, probe->directory, &found);
    if (status != EXIT_GOOD) return status;
    if (!bench_place_has_space(probe->directory, UINT64_C(2) * FILE_LEAST, &free_bytes)) {
        complain(who, "%s: this takes %s and %s are free: write another --dir", probe->directory,
                 human_bytes(UINT64_C(2) * FILE_LEAST).text, human_bytes(free_bytes).text);
        return EXIT_PROBLEM;
    }
    probe->made = mkdir(probe->directory, 0777) == 0;
    if (probe->made || errno == EEXIST) return EXIT_GOOD;
    complain(who, "%s: %s", probe->directory, strerror(errno));
    return EXIT_PROBLEM;
}

static int run(struct probe *probe)
{
    if (!stop_init()) { /* before anything is made that an interrupt could leave behind */
        complain(who, "%s", strerror(errno));
        return EXIT_PROBLEM;
    }
    int status = claim(probe);
    if (status != EXIT_GOOD) return status;
    machine_look(probe->directory, &probe->machine);
    if (strcmp(probe->machine.filesystem, "tmpfs") == 0 || strcmp(probe->machine.filesystem, "ramfs") == 0)
        complain(who, "warning: %s lies in memory (%s): nothing there is durable", probe->directory,
                 probe->machine.filesystem);
    plan(probe);
    probe->result = calloc(1, sizeof(*probe->result));
    if (probe->result == NULL) {
        complain(who, "%s", strerror(errno));
        status = EXIT_PROBLEM;
    } else {
        status = measure(probe);
    }
    free(probe->result);
    if (probe->made && rmdir(probe->directory) != 0 && status == EXIT_GOOD) {
        complain(who, "%s: remove directory: %s", probe->directory, strerror(errno));
        status = EXIT_PROBLEM;
    }
    if (stop_asked()) {
        complain(who, "stopped before the end: nothing is reported");
        return status;
    }
    if (status != EXIT_GOOD) return status;
    if (probe->as_json)
        show_json(probe);
    else
        show_text(probe);
    return status;
}

static const char notes[] =
    "Durable writes of what is outstanding in one, two and four writes: by dsync (each write durable by\n"
    "itself), by fdatasync (for all that landed), by a write and then an fdatasync; and dsync into blocks that\n"
    "are merely allocated, as a log meets them that does not prepare its files. The device's own counters say\n"
    "whether it did the work.\n"
    "The scratch files have no names: nothing can be left behind.";

int cmd_bench_ceiling(int argc, char **argv)
{
    static struct probe probe = {.seconds = 0.5};
    struct arg rows[] = {
        {.name = "dir", .type = ARG_TEXT, .required = true, .to.text = &probe.directory, .word = "DIRECTORY",
         .help = "where scratch files of 64 MiB go"},
        {.name = "outstanding", .type = ARG_BYTES, .to.number = &probe.outstanding, .low = CEILING_BLOCK,
         .high = OUTSTANDING_MAX, .word = "N",
         .help = "bytes on their way at a time; default 4K, 64K, 256K, 1M and 4M"},
        {.name = "seconds", .type = ARG_SECONDS, .to.seconds = &probe.seconds, .high = 1000000, .word = "S",
         .help = "for each row; default 0.5"},
        {.name = "json", .type = ARG_FLAG, .to.flag = &probe.as_json, .help = "one JSON object"},
    };
    const struct arg_command command = {.name = who, .what = "what a disk can do with no log on it", .args = rows,
                                        .count = sizeof(rows) / sizeof(rows[0]), .notes = notes};
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush(who, answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);
    if (probe.seconds < SECONDS_MIN) {
        complain(who, "--seconds %g is too short to measure: write --seconds %g or more", probe.seconds, SECONDS_MIN);
        return EXIT_WRONG;
    }
    const int status = complain_flush(who, run(&probe));
    stop_obey();
    return status;
}
