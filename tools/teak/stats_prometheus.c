/* stats_prometheus.c: see stats_prometheus.h. Every metric: HELP, TYPE, samples with the label `store`. */
#include "stats_prometheus.h"

#include <inttypes.h>
#include <string.h>

/* Bounds are 2^k - 1: there a bucket of ours ends, so that what is told is exact. The same set each time, so that
 * series go on. Latencies from 8 us to 34 s, sizes from 1 to 64 Mi. */
enum { TIME_FIRST = 13, TIME_LAST = 35, SIZE_FIRST = 1, SIZE_LAST = 26 };

static void put_label(FILE *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            fputs("\\n", out);
        else if (*value == '\\' || *value == '"')
            fprintf(out, "\\%c", *value);
        else
            fputc(*value, out);
    }
}

static void head(FILE *out, const char *name, const char *suffix, const char *help, const char *type)
{
    fprintf(out, "# HELP teak_%s%s %s.\n# TYPE teak_%s%s %s\n", name, suffix, help, name, suffix, type);
}

static void begin_sample(FILE *out, const char *name, const char *suffix, const char *directory)
{
    fprintf(out, "teak_%s%s{store=\"", name, suffix);
    put_label(out, directory);
    fputc('"', out);
}

static void gauge(FILE *out, const char *directory, const char *name, const char *help, double value)
{
    head(out, name, "", help, "gauge");
    begin_sample(out, name, "", directory);
    fprintf(out, "} %.9g\n", value);
}

static void counter(FILE *out, const char *directory, const struct teak_counter *about, uint64_t value)
{
    const bool grows = about->kind == TEAK_COUNTER;
    head(out, about->name, grows ? "_total" : "", about->help, grows ? "counter" : "gauge");
    begin_sample(out, about->name, grows ? "_total" : "", directory);
    fprintf(out, "} %" PRIu64 "\n", value);
}

static void histogram(FILE *out, const char *directory, const char *name, const char *help, bool is_time,
                      const struct teak_histogram *histogram)
{
    const char *suffix = is_time ? "_seconds" : "";
    head(out, name, suffix, help, "histogram");
    uint64_t below = 0;
    uint32_t bucket = 0;
    for (uint32_t k = is_time ? TIME_FIRST : SIZE_FIRST; k <= (is_time ? TIME_LAST : SIZE_LAST); k++) {
        const uint64_t bound = (UINT64_C(1) << k) - 1;
        while (bucket < TEAK_HISTOGRAM_BUCKETS && teak_histogram_top(bucket) <= bound)
            below += histogram->buckets[bucket++];
        begin_sample(out, name, is_time ? "_seconds_bucket" : "_bucket", directory);
        if (is_time)
            fprintf(out, ",le=\"%.9f\"} %" PRIu64 "\n", (double)bound / 1e9, below);
        else
            fprintf(out, ",le=\"%" PRIu64 "\"} %" PRIu64 "\n", bound, below);
    }
    begin_sample(out, name, is_time ? "_seconds_bucket" : "_bucket", directory);
    fprintf(out, ",le=\"+Inf\"} %" PRIu64 "\n", histogram->count);
    begin_sample(out, name, is_time ? "_seconds_sum" : "_sum", directory);
    if (is_time)
        fprintf(out, "} %.9f\n", (double)histogram->sum / 1e9);
    else
        fprintf(out, "} %" PRIu64 "\n", histogram->sum);
    begin_sample(out, name, is_time ? "_seconds_count" : "_count", directory);
    fprintf(out, "} %" PRIu64 "\n", histogram->count);
}

/* Names that this build does not know are left out: without a HELP and a unit they would be guesses. */
static void histograms(FILE *out, const char *directory, const struct teak_published *numbers)
{
    for (uint32_t i = 0; i < numbers->histogram_count; i++) {
        const char *name = numbers->histograms[i].name;
#define STATS_HISTOGRAM(id, field, unit, help)                                                                         \
    if (strcmp(name, #field) == 0)                                                                                     \
        histogram(out, directory, #field, help, strcmp(unit, "ns") == 0, &numbers->histograms[i].histogram);
        TEAK_HISTOGRAM_LIST(STATS_HISTOGRAM)
#undef STATS_HISTOGRAM
    }
}

void stats_prometheus(FILE *out, const char *directory, const struct teak_published *numbers, double age)
{
    gauge(out, directory, "up", "Whether a process has the store open", numbers != NULL && numbers->living);
    if (numbers == NULL) return;
    gauge(out, directory, "stats_age_seconds", "Time since the store wrote these numbers", age);
    gauge(out, directory, "uptime_seconds", "Time from opening to these numbers", (double)numbers->uptime_ns / 1e9);
    head(out, "info", "", "How the store is opened", "gauge");
    begin_sample(out, "info", "", directory);
    for (uint32_t i = 0; i < numbers->label_count; i++) {
        fprintf(out, ",%s=\"", numbers->labels[i].name);
        put_label(out, numbers->labels[i].text);
        fputc('"', out);
    }
    fputs("} 1\n", out);
    uint32_t count;
    const struct teak_counter *table = teak_counters(&count);
    for (uint32_t i = 0; i < numbers->counter_count; i++)
        for (uint32_t k = 0; k < count; k++)
            if (strcmp(table[k].name, numbers->counters[i].name) == 0)
                counter(out, directory, &table[k], numbers->counters[i].value);
    histograms(out, directory, numbers);
}
