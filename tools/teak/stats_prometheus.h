/* stats_prometheus.h: published numbers in the text format that Prometheus scrapes (version 0.0.4). */
#ifndef TEAK_TOOLS_STATS_PROMETHEUS_H
#define TEAK_TOOLS_STATS_PROMETHEUS_H

#include <stdio.h>

#include "teak/inspect.h"

/* `numbers` NULL: none were published; only teak_up says so. Latencies are in seconds, as the convention wants it. */
void stats_prometheus(FILE *out, const char *directory, const struct teak_published *numbers, double age);

#endif
