/* bench_ceiling.h: what the disk would give a load that had no log: the same bytes outstanding, in the same frames. */
#ifndef TEAK_TOOLS_BENCH_CEILING_H
#define TEAK_TOOLS_BENCH_CEILING_H

#include "bench_load.h"
#include "disk_ceiling.h"

/* The file is written round and round: large enough that a cache in the device does not hold it by chance. */
enum { BENCH_CEILING_ROWS = 7, BENCH_CEILING_FILE = 64 << 20 };

struct bench_ceiling_row {
    struct ceiling_point point;
    double entries_each; /* entries that one write would carry */
    uint64_t ns, writes, syncs;
    struct disk_count did;
    struct latency *latency;
};

struct bench_ceiling {
    struct ceiling disk;
    bool open;
    struct bench_ceiling_row rows[BENCH_CEILING_ROWS];
    uint32_t count;
    struct ceiling_result *scratch;
};

/* How many entries are on their way at a time: of an open loop, what its frames were seen to hold.
 * `copies`: how often each entry is written. */
void bench_ceiling_plan(struct bench_ceiling *ceiling, double entries_outstanding, double entry_bytes, double copies,
                        uint64_t measure_ns);

/* Every row once; what it brings is added to what the row has. Opens the disk the first time. False: disk.operation and
 * disk.error say why. */
bool bench_ceiling_run(struct bench_ceiling *ceiling, const char *directory);
void bench_ceiling_close(struct bench_ceiling *ceiling);

/* Entries a second that the row would carry; 0 where it was not measured. */
double bench_ceiling_rate(const struct bench_ceiling_row *row);

/* The row that carries most; NULL where none was measured. */
const struct bench_ceiling_row *bench_ceiling_best(const struct bench_ceiling *ceiling);

#endif
