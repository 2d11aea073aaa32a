/* disk_ceiling.h: durable writes with no log on them: what a disk can do at most.
 * Shares no line with the engine that it is compared with. */
#ifndef TEAK_TOOLS_DISK_CEILING_H
#define TEAK_TOOLS_DISK_CEILING_H

#include <stdbool.h>
#include <stdint.h>

#include "disk_count.h"
#include "latency.h"

enum ceiling_way {
    CEILING_DSYNC,      /* each write durable by itself: RWF_DSYNC, or O_DSYNC's flag */
    CEILING_FDATASYNC,  /* writes in flight, an fdatasync for all that landed         */
    CEILING_WRITE_SYNC, /* a write, then an fdatasync; one after the other            */
    CEILING_WAYS
};
extern const char *const ceiling_way_names[]; /* by enum ceiling_way; ends with NULL */

enum { CEILING_BLOCK = 4096, CEILING_FLIGHT_MAX = 64 };

struct ceiling_point {
    enum ceiling_way way;
    bool allocated;         /* blocks merely allocated, each written once; else overwritten again and again */
    uint32_t in_flight;     /* WRITE_SYNC: 1                                                                 */
    uint64_t write_bytes;   /* of each write; a multiple of CEILING_BLOCK                                    */
    uint64_t measure_ns;
};

struct ceiling_result {
    uint64_t ns, writes, syncs;
    struct disk_count did;
    struct latency latency; /* ns, from handing a write over until it is durable */
};

struct ceiling {
    const char *directory;
    uint64_t file_bytes;
    int file;               /* of written blocks; has no name; -1: not there yet */
    bool direct, ring;      /* past the page cache; through io_uring, else by threads */
    uint8_t *memory;        /* CEILING_MEMORY bytes, in huge pages where they are to be had */
    void *mapped;
    uint64_t mapped_bytes;
    char operation[32];     /* what failed, with errno of then in `error` */
    int error;
};
enum { CEILING_MEMORY = 32 << 20 };

/* Scratch files of `file_bytes` go to that directory; they have no name, so nothing can be left behind. The first one
 * is written full. False: operation and error. A wish to stop (stop.h) ends it early with true. */
bool ceiling_open(struct ceiling *ceiling, const char *directory, uint64_t file_bytes);
void ceiling_close(struct ceiling *ceiling);

/* False: operation and error. */
bool ceiling_run(struct ceiling *ceiling, const struct ceiling_point *point, struct ceiling_result *out);

#endif
