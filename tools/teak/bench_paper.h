/* bench_paper.h: the file that a report goes to: there when it is whole, or not at all. */
#ifndef TEAK_TOOLS_BENCH_PAPER_H
#define TEAK_TOOLS_BENCH_PAPER_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

struct bench_paper {
    char path[PATH_MAX];
    char part[PATH_MAX]; /* its name while it is written */
    FILE *file;          /* NULL: none is wanted         */
};

/* Begin it before the work, so that what is wrong with the place is said before. False: errno; ENOTSUP where a
 * device or a pipe lies, or what standard output goes to: these are not replaced. */
bool bench_paper_begin(struct bench_paper *paper, const char *path);

/* Put it in its place. False: errno; nothing is left. */
bool bench_paper_finish(struct bench_paper *paper);

/* Take it away, unless it is finished. */
void bench_paper_drop(struct bench_paper *paper);

#endif
