/* bench_charts.h: the pictures of a benchmark's report. Each says what it shows; one without data draws nothing. */
#ifndef TEAK_TOOLS_BENCH_CHARTS_H
#define TEAK_TOOLS_BENCH_CHARTS_H

#include <stdio.h>

#include "bench_summary.h"

void chart_sweep(FILE *out, const struct bench_summary *summary);     /* throughput against latency */
void chart_histogram(FILE *out, const struct bench_summary *summary);
void chart_quantiles(FILE *out, const struct bench_summary *summary);

/* A row of a chart of bars. */
struct chart_bar {
    char name[96], note[64];
    double value;
    bool own; /* Teak's */
};
void chart_bars(FILE *out, const struct chart_bar *bars, uint32_t count, const char *label);

#endif
