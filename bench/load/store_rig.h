/* store_rig.h: what the probes that drive a whole store share.
 *
 * FAILS  A store that refuses ends the probe with its own words, exit 1; what the probe made is removed by its caller.
 */
#ifndef TEAK_BENCH_STORE_RIG_H
#define TEAK_BENCH_STORE_RIG_H

#include <dirent.h>

#include "raw_rig.h"
#include "teak/engine.h"

/* Everything in `dir`, then itself. Only for directories that the probe has made. */
static inline void store_remove(const char *dir)
{
    DIR *const listing = opendir(dir);
    if (listing == NULL) return;
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing))
        (void)unlinkat(dirfd(listing), entry->d_name, 0); /* . and .. refuse, and so they should */
    closedir(listing);
    if (rmdir(dir) != 0) fprintf(stderr, "%s is left behind: %s\n", dir, strerror(errno));
}

static const char *store_to_remove; /* if the probe ends early */

static inline _Noreturn void store_refuse(const char *what, const struct teak_error *error)
{
    char text[512];
    teak_error_text(error, text, sizeof(text));
    fprintf(stderr, "%s: %s\n", what, text);
    if (store_to_remove != NULL) store_remove(store_to_remove);
    exit(1);
}

static inline void store_check(enum teak_status status, const char *what, const struct teak_error *error)
{
    if (status != TEAK_OK) store_refuse(what, error);
}

static inline enum teak_backend store_backend(const char *name)
{
    if (strcmp(name, "uring") == 0) return TEAK_BACKEND_URING;
    if (strcmp(name, "posix") == 0) return TEAK_BACKEND_POSIX;
    fprintf(stderr, "--backend uring or posix, not '%s'\n", name);
    exit(2);
}

/* Until `batches` completions have come. */
static inline void store_await(struct teak_store *store, uint64_t batches)
{
    enum { MANY = 4096 };
    static struct teak_completion done[MANY];
    struct teak_error error = {0};
    while (batches > 0) {
        uint32_t count = 0;
        const uint32_t max = batches < MANY ? (uint32_t)batches : MANY;
        store_check(teak_poll(store, TEAK_FOREVER, done, max, &count, &error), "poll", &error);
        for (uint32_t i = 0; i < count; i++)
            if (done[i].status != TEAK_OK) store_refuse("completion", &(struct teak_error){.status = done[i].status});
        batches -= count;
    }
}

/* Until it is taken. */
static inline void store_submit(struct teak_store *store, const struct teak_batch *batch)
{
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = teak_submit(store, batch, &error)) == TEAK_FULL)
        store_check(teak_poll(store, TEAK_FOREVER, NULL, 0, NULL, &error), "poll", &error);
    store_check(status, "submit", &error);
}

/* Polls until the store has the spares it wants, so that filling them is not in what is measured. */
static inline void store_settle(struct teak_store *store, uint64_t spares)
{
    struct teak_error error = {0};
    struct teak_stats stats = {0};
    for (uint32_t i = 0; i < 5000 && !rig_stopped; i++) {
        uint32_t count = 0;
        store_check(teak_poll(store, 0, NULL, 0, &count, &error), "poll", &error);
        teak_stats(store, &stats);
        if (stats.spares >= spares) return;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

/* A line of /proc/self/status, in bytes; 0 if it is not there. `name`: with its colon. */
static inline uint64_t store_memory(const char *name)
{
    FILE *const file = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long kib = 0;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) sscanf(line + strlen(name), "%llu", &kib);
    if (file != NULL) fclose(file);
    return kib * 1024;
}

static inline int store_number_order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints "name": {"median": .., "low": .., "high": ..}, low and high the quartiles. Sorts `values`. */
static inline void store_print_spread(const char *name, double *values, size_t count, FILE *out)
{
    qsort(values, count, sizeof(values[0]), store_number_order);
    const double median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    fprintf(out, "\"%s\": {\"median\": %.3f, \"low\": %.3f, \"high\": %.3f}", name, median, values[(count - 1) / 4],
            values[count - 1 - (count - 1) / 4]);
}

#endif
