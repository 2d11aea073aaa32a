/* bench_ceiling.c: see bench_ceiling.h. */
#include "bench_ceiling.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_MAX = 4 << 20 };

/* `parts` writes outstanding, that carry everything between them. */
static void add_row(struct bench_ceiling *ceiling, enum ceiling_way way, uint32_t parts, double entries, double bytes,
                    uint64_t measure_ns)
{
    const double each = ceil(bytes / parts / CEILING_BLOCK) * CEILING_BLOCK;
    uint64_t write_bytes = each < WRITE_MAX ? (uint64_t)each : WRITE_MAX;
    if (write_bytes == 0) write_bytes = CEILING_BLOCK;
    uint64_t in_flight = way == CEILING_WRITE_SYNC ? 1 : (uint64_t)ceil(bytes / (double)write_bytes);
    if (in_flight > CEILING_MEMORY / write_bytes) in_flight = CEILING_MEMORY / write_bytes;
    if (in_flight > CEILING_FLIGHT_MAX) in_flight = CEILING_FLIGHT_MAX;
    if (in_flight < parts && way != CEILING_WRITE_SYNC) in_flight = parts;
    const double share = fmin(1, (double)write_bytes / bytes); /* of what is outstanding, in one write */
    struct bench_ceiling_row *row = &ceiling->rows[ceiling->count++];
    free(row->latency);
    *row = (struct bench_ceiling_row){
        .point = {.way = way, .in_flight = (uint32_t)in_flight, .write_bytes = write_bytes, .measure_ns = measure_ns},
        .entries_each = fmin(entries * share, entries / parts),
    };
}

void bench_ceiling_plan(struct bench_ceiling *ceiling, double entries_outstanding, double entry_bytes, double copies,
                        uint64_t measure_ns)
{
    const double bytes = fmax(1, entries_outstanding * entry_bytes * copies);
    ceiling->count = 0;
    add_row(ceiling, CEILING_WRITE_SYNC, 1, entries_outstanding, bytes, measure_ns);
    for (uint32_t parts = 1; parts <= 4; parts *= 2) {
        if (parts > 1 && entries_outstanding < parts) break;
        add_row(ceiling, CEILING_DSYNC, parts, entries_outstanding, bytes, measure_ns);
        add_row(ceiling, CEILING_FDATASYNC, parts, entries_outstanding, bytes, measure_ns);
    }
}

static bool no_memory(struct bench_ceiling *ceiling)
{
    ceiling->disk.error = ENOMEM;
    return false;
}

bool bench_ceiling_run(struct bench_ceiling *ceiling, const char *directory)
{
    if (!ceiling->open) {
        ceiling->scratch = malloc(sizeof(*ceiling->scratch));
        if (ceiling->scratch == NULL) return no_memory(ceiling);
        if (!ceiling_open(&ceiling->disk, directory, BENCH_CEILING_FILE)) return false;
        ceiling->open = true;
    }
    for (uint32_t i = 0; i < ceiling->count; i++) {
        struct bench_ceiling_row *row = &ceiling->rows[i];
        if (!ceiling_run(&ceiling->disk, &row->point, ceiling->scratch)) return false;
        if (row->latency == NULL) row->latency = calloc(1, sizeof(*row->latency));
        if (row->latency == NULL) return no_memory(ceiling);
        latency_merge(row->latency, &ceiling->scratch->latency);
        row->did = (struct disk_count){
            .known = ceiling->scratch->did.known,
            .writes = row->did.writes + ceiling->scratch->did.writes,
            .write_bytes = row->did.write_bytes + ceiling->scratch->did.write_bytes,
            .flushes = row->did.flushes + ceiling->scratch->did.flushes,
        };
        row->ns += ceiling->scratch->ns;
        row->writes += ceiling->scratch->writes;
        row->syncs += ceiling->scratch->syncs;
    }
    return true;
}

void bench_ceiling_close(struct bench_ceiling *ceiling)
{
    if (ceiling->open) ceiling_close(&ceiling->disk);
    for (uint32_t i = 0; i < BENCH_CEILING_ROWS; i++) free(ceiling->rows[i].latency);
    free(ceiling->scratch);
    memset(ceiling, 0, sizeof(*ceiling));
}

double bench_ceiling_rate(const struct bench_ceiling_row *row)
{
    return row->ns > 0 ? (double)row->writes * row->entries_each / ((double)row->ns / 1e9) : 0;
}

const struct bench_ceiling_row *bench_ceiling_best(const struct bench_ceiling *ceiling)
{
    const struct bench_ceiling_row *best = NULL;
    for (uint32_t i = 0; i < ceiling->count; i++) {
        const double rate = bench_ceiling_rate(&ceiling->rows[i]);
        if (rate > 0 && (best == NULL || rate > bench_ceiling_rate(best))) best = &ceiling->rows[i];
    }
    return best;
}
