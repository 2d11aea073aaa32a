/* bench_place.h: the directory a benchmark works in: may it, and leaving it as it was found. */
#ifndef TEAK_TOOLS_BENCH_PLACE_H
#define TEAK_TOOLS_BENCH_PLACE_H

#include <stdbool.h>
#include <stdint.h>

struct bench_place {
    const char *who; /* which command, where there is something to complain of */
    const char *directory;
    bool existed; /* it was there before, and empty unless `kept` */
    bool kept;    /* what is written there stays                  */
};

/* What lies there. */
struct bench_look {
    bool existed, empty, is_store; /* where nothing is: empty */
};

/* EXIT_GOOD, else one line was said: it is no directory, or it cannot be read. */
int bench_place_look(const char *who, const char *directory, struct bench_look *out);

/* May a benchmark run there? EXIT_GOOD, else one line was said. The place must be new or empty, or
 * with `keep` a store. */
int bench_place_claim(const char *who, const char *directory, bool keep, struct bench_place *out);

/* Unless it is to be kept: remove every file in it, and the directory if it was not there before. Close the store
 * first. EXIT_GOOD, else one line was said. */
int bench_place_clear(const struct bench_place *place);

/* Are `wanted` bytes free on the file system of that directory, or of its parent where it is not there yet? Where that
 * cannot be known: yes. */
bool bench_place_has_space(const char *directory, uint64_t wanted, uint64_t *free_out);

#endif
