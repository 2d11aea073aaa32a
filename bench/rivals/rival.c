/* rival.c: see rival.h.
 * OWNS   The clock, the window, the latencies, and the directory: what the rival writes lies in one of its own, removed
 *        at the end, also when the end is a signal or a refusal.
 * PATH   Claim a directory, open, warm up, measure, close, remove, print.
 * FAILS  One line and exit 2 for wrong use (a directory in memory too: nothing there is durable), 1 for what the rival
 *        or the machine refuses.
 */
#define _GNU_SOURCE
#include "rival.h"

#include "disk_count.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Buckets: 1,024 for each power of two, so that a latency is told to 0.1 %. TIMED_ENTRIES share a reading of the clock,
 * which takes 25 ns. POOL_BYTES lie in a second-level cache: making up payload costs the loop nothing. */
enum { BUCKETS = 64 << 10, TIMED_ENTRIES = 16, POOL_BYTES = 1 << 16, POOL_STEP = 64, FRACTION_BITS = 10 };
#define GIB ((uint64_t)1 << 30)

static struct {
    const struct rival *rival;
    struct rival_load load;
    double seconds, warm;
    bool as_json;
    char dir[4096];
    bool has_dir;
    char write_cache[32], fua[32]; /* of the device, in the kernel's words; empty: unknown */
    uint8_t *pool;
    uint64_t *begun; /* when each outstanding batch was handed over: a ring by its number */
    uint64_t slots;
    uint64_t submitted, durable, commits; /* entries, entries, waits */
    uint64_t buckets[BUCKETS], total, longest;
} h;

static volatile sig_atomic_t is_stopped;

static void stop(int number)
{
    (void)number;
    is_stopped = 1;
}

bool rival_is_stopped(void) { return is_stopped != 0; }

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* -------------------------------------------------------------------------------------------------------- directory */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    if (remove(path) != 0) fprintf(stderr, "%s is left behind: %s\n", path, strerror(errno));
    return 0;
}

static void leave(void)
{
    if (h.has_dir) nftw(h.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    h.has_dir = false;
}

_Noreturn void rival_refuse(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", h.rival->name, what, why);
    leave();
    exit(1);
}

static _Noreturn void wrong(const char *what, const char *why)
{
    fprintf(stderr, "rival_%s: %s: %s\n", h.rival->name, what, why);
    exit(2);
}

static void claim(const char *parent)
{
    struct statfs kind;
    struct statvfs room;
    if (statfs(parent, &kind) != 0 || statvfs(parent, &room) != 0) wrong(parent, strerror(errno));
    if (kind.f_type == TMPFS_MAGIC || kind.f_type == RAMFS_MAGIC)
        wrong(parent, "lies in memory, where nothing is durable: choose a directory on a disk");
    const uint64_t wanted = GIB + (uint64_t)((h.seconds + h.warm) * (double)GIB / 2);
    if ((uint64_t)room.f_bavail * room.f_frsize < wanted) {
        char why[128];
        snprintf(why, sizeof(why), "%.1f GiB are free, such a run may take %.1f",
                 (double)room.f_bavail * (double)room.f_frsize / (double)GIB, (double)wanted / (double)GIB);
        wrong(parent, why);
    }
    if (snprintf(h.dir, sizeof(h.dir), "%s/rival-%s-%ld", parent, h.rival->name, (long)getpid()) >= (int)sizeof(h.dir))
        wrong(parent, "too long a name");
    if (mkdir(h.dir, 0700) != 0) wrong(h.dir, strerror(errno));
    h.has_dir = true;
    h.load.dir = h.dir;
}

/* A word of /sys/dev/block/<device>[/..]/queue/<name>; empty where there is none. */
static void queue_word(const char *name, char *out, int room)
{
    static const char *const above[] = {"", "../"}; /* a partition has its disk's */
    struct stat info;
    out[0] = '\0';
    for (size_t i = 0; i < 2 && out[0] == '\0' && stat(h.dir, &info) == 0; i++) {
        char path[128];
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s", major(info.st_dev), minor(info.st_dev),
                 above[i], name);
        FILE *const file = fopen(path, "re");
        if (file == NULL) continue;
        if (fgets(out, room, file) == NULL) out[0] = '\0';
        out[strcspn(out, "\n")] = '\0';
        fclose(file);
    }
}

/* ---------------------------------------------------------------------------------------------------------- payload */

void *rival_memory(uint64_t bytes)
{
    void *const memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) rival_refuse("memory", strerror(errno));
    return memory;
}

/* SplitMix64: what nobody can compress. */
static void fill_pool(void)
{
    uint64_t state = 1;
    h.pool = rival_memory(POOL_BYTES + (uint64_t)h.load.entry_bytes);
    for (uint64_t i = 0; i < POOL_BYTES + (uint64_t)h.load.entry_bytes; i++) {
        uint64_t value = state += UINT64_C(0x9E3779B97F4A7C15);
        value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
        h.pool[i] = (uint8_t)(value >> 56);
    }
}

const void *rival_payload(uint64_t index)
{
    return h.pool + index * 37 % (POOL_BYTES / POOL_STEP) * POOL_STEP;
}

/* ---------------------------------------------------------------------------------------------------------- latency */

static void latency_add(uint64_t ns, uint64_t count)
{
    const uint32_t bits = ns < 1 << FRACTION_BITS ? 0 : 63u - FRACTION_BITS - (uint32_t)__builtin_clzll(ns);
    h.buckets[((uint64_t)bits << FRACTION_BITS) + (ns >> bits)] += count;
    h.total += count;
    if (ns > h.longest) h.longest = ns;
}

/* The middle of the bucket in which `share` of all latencies is reached, us. */
static double latency_us(double share)
{
    const uint64_t wanted = (uint64_t)(share * (double)h.total);
    uint64_t seen = 0;
    if (h.total == 0) return 0;
    for (uint64_t at = 0; at < BUCKETS; at++) {
        seen += h.buckets[at];
        if (h.buckets[at] == 0 || seen < wanted) continue;
        const uint64_t bits = at < 2 << FRACTION_BITS ? 0 : (at >> FRACTION_BITS) - 1;
        const uint64_t low = at - (bits << FRACTION_BITS);
        return ((double)(low << bits) + (double)(UINT64_C(1) << bits) / 2) * 1e-3;
    }
    return (double)h.longest * 1e-3;
}

/* --------------------------------------------------------------------------------------------------------- the loop */

static void fill_window(uint64_t now)
{
    const uint32_t batch = h.load.batch;
    uint32_t untimed = 0;
    while (h.submitted - h.durable + batch <= h.load.window) {
        if (untimed >= TIMED_ENTRIES) {
            now = now_ns();
            untimed = 0;
        }
        if (!h.rival->submit(h.submitted + 1, batch)) break;
        h.begun[h.submitted / batch % h.slots] = now;
        h.submitted += batch;
        untimed += batch;
    }
}

static uint64_t collect(void)
{
    const uint32_t batch = h.load.batch;
    const uint64_t upto = h.rival->wait();
    const uint64_t now = now_ns();
    if (upto <= h.durable || upto > h.submitted)
        rival_refuse("wait", "it covers no new entry, or one that was never handed over");
    while (h.durable < upto) { /* entries of one batch may become durable apart */
        const uint64_t end = (h.durable / batch + 1) * batch, to = end < upto ? end : upto;
        latency_add(now - h.begun[h.durable / batch % h.slots], to - h.durable);
        h.durable = to;
    }
    h.commits++;
    return now;
}

/* Returns when it ended: after at least one wait. */
static uint64_t run_for(double seconds)
{
    uint64_t now = now_ns();
    const uint64_t until = now + (uint64_t)(seconds * 1e9);
    do {
        fill_window(now);
        if (h.submitted == h.durable) rival_refuse("submit", "it has no room though nothing is outstanding");
        now = collect();
    } while (now < until && !is_stopped);
    return now;
}

/* --------------------------------------------------------------------------------------------------------- printing */

static double cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static void print_text(const char *name, const char *text)
{
    printf(", \"%s\": \"", name);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') putchar('\\');
        putchar(*at);
    }
    putchar('"');
}

static void print_device(struct disk_count did)
{
    const char *const cache = h.write_cache, *const fua = h.fua;
    printf(", \"device\": ");
    if (!did.known) {
        printf("null");
        return;
    }
    printf("{\"writes\": %llu, \"write_bytes\": %llu, \"flushes\": %llu",
           (unsigned long long)did.writes, (unsigned long long)did.write_bytes, (unsigned long long)did.flushes);
    printf(", \"write_cache\": %s", cache[0] == '\0' ? "null" : strcmp(cache, "write back") == 0 ? "true" : "false");
    printf(", \"fua\": %s}", fua[0] == '\0' ? "null" : strcmp(fua, "1") == 0 ? "true" : "false");
}

static const struct rival_variant *variant(void)
{
    const struct rival_variant *found = h.rival->variants;
    while (strcmp(found->name, h.load.variant) != 0) found++;
    return found;
}

static void print_result(double took, double cpu, struct disk_count did)
{
    const double rate = (double)h.total / took;
    const struct rival_variant *const how = variant();
    if (!h.as_json) {
        printf("%s %s, %s (%s)\n", h.rival->name, h.rival->version, how->settings, how->advice);
        printf("%.0f entries/s, p50 %.0f us, p99 %.0f us, %.1f entries a commit", rate, latency_us(0.5),
               latency_us(0.99), (double)h.total / (double)h.commits);
        if (did.known) printf(", %.2f flushes a commit", (double)did.flushes / (double)h.commits);
        printf("\n");
        return;
    }
    printf("{\"rival\": \"%s\"", h.rival->name);
    print_text("version", h.rival->version);
    print_text("variant", how->name);
    print_text("settings", how->settings);
    print_text("advice", how->advice);
    printf(", \"entry_bytes\": %u, \"window\": %u, \"batch\": %u, \"seconds\": %.6f, \"entries\": %llu, "
           "\"commits\": %llu, \"entries_per_second\": %.1f, \"payload_bytes_per_second\": %.1f, "
           "\"cpu_seconds\": %.6f", h.load.entry_bytes, h.load.window, h.load.batch, took,
           (unsigned long long)h.total, (unsigned long long)h.commits, rate, rate * h.load.entry_bytes, cpu);
    printf(", \"latency_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}",
           latency_us(0.5), latency_us(0.9), latency_us(0.99), latency_us(0.999), (double)h.longest * 1e-3);
    print_device(did);
    printf("}\n");
}

/* ----------------------------------------------------------------------------------------------------- command line */

static void usage(FILE *out)
{
    fprintf(out, "usage: rival_%s [--dir D] [--entry-bytes N] [--window N] [--batch N] [--seconds S] [--warm S]\n"
                 "       [--variant V] [--json]\nvariants:\n", h.rival->name);
    for (const struct rival_variant *v = h.rival->variants; v->name != NULL; v++)
        fprintf(out, "  %-14s %s (%s)\n", v->name, v->settings, v->advice);
}

static uint32_t whole(const char *name, const char *text, uint32_t max)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (end != text && *end == '\0' && *text != '-' && errno == 0 && value >= 1 && value <= max) return (uint32_t)value;
    char why[64];
    snprintf(why, sizeof(why), "a whole number, 1 to %u, is wanted", max);
    wrong(name, why);
}

static double real(const char *name, const char *text)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value < 1e6)) wrong(name, "seconds are wanted, for example 2.5");
    return value;
}

static const char *parse(int argc, char **argv)
{
    const char *parent = ".";
    h.load = (struct rival_load){.variant = h.rival->variants[0].name, .entry_bytes = 256, .window = 1024, .batch = 16};
    h.seconds = 2;
    h.warm = 0.5;
    for (int i = 1; i < argc; i++) {
        const char *const name = argv[i], *const value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(name, "--help") == 0) {
            usage(stdout);
            exit(0);
        }
        if (strcmp(name, "--json") == 0) {
            h.as_json = true;
            continue;
        }
        if (value == NULL) wrong(name, "unknown, or without its value; --help tells");
        i++;
        if (strcmp(name, "--dir") == 0) parent = value;
        else if (strcmp(name, "--entry-bytes") == 0) h.load.entry_bytes = whole(name, value, 1 << 20);
        else if (strcmp(name, "--window") == 0) h.load.window = whole(name, value, 1 << 16);
        else if (strcmp(name, "--batch") == 0) h.load.batch = whole(name, value, 1 << 16);
        else if (strcmp(name, "--seconds") == 0) h.seconds = real(name, value);
        else if (strcmp(name, "--warm") == 0) h.warm = real(name, value);
        else if (strcmp(name, "--variant") == 0) h.load.variant = value;
        else wrong(name, "unknown; --help tells what there is");
    }
    const struct rival_variant *v = h.rival->variants;
    while (v->name != NULL && strcmp(v->name, h.load.variant) != 0) v++;
    if (v->name == NULL) wrong(h.load.variant, "no such variant; --help tells what there is");
    if (h.load.batch > h.load.window) wrong("--batch", "more than the window");
    return parent;
}

int rival_main(int argc, char **argv, const struct rival *rival)
{
    const struct sigaction action = {.sa_handler = stop};
    h.rival = rival;
    const char *const parent = parse(argc, argv);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    claim(parent);
    queue_word("write_cache", h.write_cache, sizeof(h.write_cache));
    queue_word("fua", h.fua, sizeof(h.fua));
    fill_pool();
    h.slots = h.load.window / h.load.batch + 1;
    h.begun = rival_memory(h.slots * sizeof(h.begun[0]));
    rival->open(&h.load);
    if (!is_stopped) (void)run_for(h.warm);
    memset(h.buckets, 0, sizeof(h.buckets));
    h.total = h.commits = h.longest = 0;
    const struct disk_count before = disk_count_read(h.dir);
    const double cpu = cpu_seconds();
    const uint64_t begun = now_ns();
    const double took = (double)(run_for(h.seconds) - begun) * 1e-9;
    const double cpu_taken = cpu_seconds() - cpu;
    const struct disk_count did = disk_count_difference(before, disk_count_read(h.dir));
    while (h.durable < h.submitted) (void)collect(); /* nothing is outstanding when it is closed */
    rival->close();
    leave();
    if (is_stopped) return 1;
    print_result(took, cpu_taken, did);
    return 0;
}
