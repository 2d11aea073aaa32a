/* ceiling.c: what the disk gives without any log on it.
 *
 *   raw    --outstanding bytes in writes of --bytes each, durable one by one or by an fdatasync for all that landed;
 *          with --work the processor is busy before each, as a log is that copies and sums what came
 *   one    one block at a time, five ways interleaved op by op, so that noise falls on all alike
 *   fill   a zero-filler: --bytes per write, one outstanding, at --pace MiB/s; to be run beside something else
 *   names  what a rename with its directory sync costs, and an fdatasync with nothing to do; --every ms
 */
#define _GNU_SOURCE
#include "raw_rig.h"

enum { OUT_MAX = 256, TAG_SYNC = OUT_MAX, WAYS = 5, IDLE_CLASS = 3 << 13 /* IOPRIO_CLASS_IDLE */ };

static const char *option_dir = ".";
static const char *option_how = "dsync";
static uint64_t write_bytes = 4096, outstanding = 4096, file_bytes = 256 << 20, pace = 0, every_ms = 0, work_ns = 0;
static double seconds = 2;
static bool only_allocated, idle_class;

static struct io_uring ring;
static bool registered;
static uint8_t *memory;
static int file;
static struct disk_count device_before;

static void prepare(uint64_t memory_bytes)
{
    if (write_bytes == 0 || write_bytes % RIG_BLOCK != 0 || outstanding < write_bytes ||
        outstanding / write_bytes > OUT_MAX || file_bytes < outstanding) {
        fprintf(stderr, "--bytes: blocks of 4096; --outstanding: 1 to 256 times as much, and within --file-bytes\n");
        exit(2);
    }
    file_bytes -= file_bytes % write_bytes;
    memory = rig_memory(memory_bytes);
    memset(memory, 0x5a, memory_bytes);
    file = rig_scratch(option_dir, file_bytes, !only_allocated);
    registered = rig_ring(&ring, OUT_MAX + 1, file, memory, memory_bytes);
    device_before = disk_count_read(option_dir);
}

static void pause_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)}, NULL);
}

/* Waits for one completion; its tag is returned and its result must be `wanted` bytes. */
static uint64_t collect_one(int wanted)
{
    struct io_uring_cqe *cqe = NULL;
    do { /* a signal ends the wait with a good result (what was submitted) and nothing to collect */
        const int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR) rig_refuse("io_uring_enter", -error);
    } while (io_uring_peek_cqe(&ring, &cqe) != 0);
    const uint64_t tag = cqe->user_data;
    const int result = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    if (result < 0) rig_refuse("write or sync", -result);
    if (tag != TAG_SYNC && result != wanted) rig_refuse("short write", EIO);
    return tag;
}

static void report(double took, uint64_t writes, uint64_t syncs, double cpu, struct rig_tally *tally)
{
    printf("{\"seconds\": %.3f, \"writes_per_second\": %.0f, \"bytes_per_second\": %.0f, \"syncs_per_second\": %.0f, "
           "\"cpu_seconds\": %.3f, \"registered\": %s, \"at_a_time\": %llu, ",
           took, (double)writes / took, (double)(writes * write_bytes) / took, (double)syncs / took, cpu,
           registered ? "true" : "false", (unsigned long long)(outstanding / write_bytes));
    rig_tally_print(tally, stdout);
    printf(", ");
    rig_device_print(device_before, disk_count_read(option_dir), stdout);
    printf("}\n");
}

/* What a log does with the bytes of a write before it can send it. */
static void work(void)
{
    const uint64_t until = rig_now() + work_ns * write_bytes / 1024;
    while (rig_now() < until) continue;
}

static int run_raw(void)
{
    const bool by_sync = strcmp(option_how, "fdatasync") == 0, by_nothing = strcmp(option_how, "none") == 0;
    if (!by_sync && !by_nothing && strcmp(option_how, "dsync") != 0) {
        fprintf(stderr, "--how dsync, fdatasync or none\n");
        return 2;
    }
    prepare(outstanding);
    struct rig_tally tally;
    rig_tally_init(&tally);
    const uint32_t depth = (uint32_t)(outstanding / write_bytes);
    uint32_t idle[OUT_MAX], idle_count = 0, landed[OUT_MAX], landed_count = 0, covered[OUT_MAX], covered_count = 0;
    uint64_t begun_ns[OUT_MAX], at = 0, writes = 0, syncs = 0, flying = 0;
    for (uint32_t i = 0; i < depth; i++) idle[idle_count++] = i;
    const double cpu_begun = rig_cpu_seconds();
    const uint64_t begun = rig_now();
    bool going = true;
    while (going || flying > 0) {
        going = !rig_stopped && rig_now() - begun < (uint64_t)(seconds * 1e9) &&
                !(only_allocated && at + outstanding > file_bytes);
        while (going && idle_count > 0) {
            const uint32_t i = idle[--idle_count];
            if (work_ns > 0) work();
            begun_ns[i] = rig_now();
            const int rw_flags = by_sync || by_nothing ? 0 : RWF_DSYNC;
            rig_write(&ring, registered, memory + i * write_bytes, write_bytes, at, rw_flags, i);
            at = at + 2 * write_bytes > file_bytes && !only_allocated ? 0 : at + write_bytes;
            flying++;
            if (work_ns > 0) (void)io_uring_submit(&ring); /* it leaves before the next is worked at */
        }
        if (covered_count == 0 && landed_count > 0) {
            memcpy(covered, landed, landed_count * sizeof(landed[0]));
            covered_count = landed_count;
            landed_count = 0;
            rig_fdatasync(&ring, TAG_SYNC);
            flying++;
            syncs++;
        }
        if (flying == 0) break;
        for (uint64_t ready = 1; ready > 0; ready = io_uring_cq_ready(&ring)) {
            const uint64_t tag = collect_one((int)write_bytes);
            flying--;
            if (tag != TAG_SYNC && by_sync) {
                landed[landed_count++] = (uint32_t)tag;
                continue;
            }
            if (tag != TAG_SYNC) covered[covered_count++] = (uint32_t)tag;
            const uint64_t now = rig_now();
            while (covered_count > 0) {
                const uint32_t i = covered[--covered_count];
                rig_tally_add(&tally, now - begun_ns[i], 1);
                idle[idle_count++] = i;
                writes++;
            }
        }
    }
    report((double)(rig_now() - begun) * 1e-9, writes, by_sync ? syncs : writes, rig_cpu_seconds() - cpu_begun, &tally);
    return 0;
}

/* One durable block, way 0 to 4. */
static void write_once(uint32_t way, uint64_t at)
{
    const struct iovec vector = {.iov_base = memory, .iov_len = write_bytes};
    ssize_t done = (ssize_t)write_bytes;
    switch (way) {
    case 0:
    case 2:
    case 3:
        rig_write(&ring, registered, memory, write_bytes, at, way == 0 ? RWF_DSYNC : 0, 0);
        (void)collect_one((int)write_bytes);
        if (way == 0) return;
        if (way == 3) break;
        rig_fdatasync(&ring, TAG_SYNC);
        (void)collect_one(0);
        return;
    case 1:
        done = pwritev2(file, &vector, 1, (off_t)at, RWF_DSYNC);
        if (done != (ssize_t)write_bytes) rig_refuse("pwritev2", done < 0 ? errno : EIO);
        return;
    default:
        done = pwrite(file, memory, write_bytes, (off_t)at);
    }
    if (done != (ssize_t)write_bytes || fdatasync(file) != 0) rig_refuse("write and fdatasync", errno);
}

static int run_one(void)
{
    static const char *const names[WAYS] = {"ring_dsync", "pwritev2_dsync", "ring_write_ring_fsync",
                                            "ring_write_fdatasync", "pwrite_fdatasync"};
    struct rig_tally tally[WAYS];
    outstanding = write_bytes;
    prepare(write_bytes);
    for (uint32_t way = 0; way < WAYS; way++) rig_tally_init(&tally[way]);
    const uint64_t begun = rig_now();
    for (uint64_t at = 0; !rig_stopped && rig_now() - begun < (uint64_t)(seconds * 1e9);) {
        for (uint32_t way = 0; way < WAYS; way++) {
            const uint64_t start = rig_now();
            write_once(way, at);
            rig_tally_add(&tally[way], rig_now() - start, 1);
            at = at + 2 * write_bytes > file_bytes ? 0 : at + write_bytes;
        }
    }
    printf("{");
    for (uint32_t way = 0; way < WAYS; way++) {
        printf("\"%s\": {\"writes\": %llu, ", names[way], (unsigned long long)tally[way].total);
        rig_tally_print(&tally[way], stdout);
        printf("}, ");
    }
    rig_device_print(device_before, disk_count_read(option_dir), stdout);
    printf("}\n");
    return 0;
}

/* Merely allocated blocks, as a filler meets them; a sync behind every 64 MiB, as a finished segment gets one. */
static int run_fill(void)
{
    only_allocated = true;
    outstanding = write_bytes;
    prepare(write_bytes);
    memset(memory, 0, write_bytes);
    struct rig_tally tally;
    rig_tally_init(&tally);
    const double cpu_begun = rig_cpu_seconds();
    const uint64_t begun = rig_now();
    uint64_t at = 0, writes = 0, syncs = 0;
    while (!rig_stopped && rig_now() - begun < (uint64_t)(seconds * 1e9) && at + write_bytes <= file_bytes) {
        const uint64_t start = rig_now();
        rig_write(&ring, registered, memory, write_bytes, at, 0, 0)->ioprio = idle_class ? IDLE_CLASS : 0;
        (void)collect_one((int)write_bytes);
        rig_tally_add(&tally, rig_now() - start, 1);
        writes++;
        at += write_bytes;
        if (at % (64 << 20) == 0) {
            rig_fdatasync(&ring, TAG_SYNC);
            (void)collect_one(0);
            syncs++;
        }
        const uint64_t due = pace == 0 ? 0 : begun + (uint64_t)((double)at * 1e9 / ((double)pace * (1 << 20)));
        const uint64_t now = rig_now();
        if (due > now) pause_ns(due - now);
    }
    report((double)(rig_now() - begun) * 1e-9, writes, syncs, rig_cpu_seconds() - cpu_begun, &tally);
    return 0;
}

static int run_names(void)
{
    static const char *const names[3] = {"rename", "directory_fsync", "idle_fdatasync"};
    struct rig_tally tally[3];
    outstanding = write_bytes;
    prepare(write_bytes);
    for (uint32_t i = 0; i < 3; i++) rig_tally_init(&tally[i]);
    char path[2][4096];
    const int dir = open(option_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (uint32_t i = 0; i < 2; i++) snprintf(path[i], sizeof(path[i]), "rename-%ld-%u", (long)getpid(), i);
    const int named = openat(dir, path[0], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (dir < 0 || named < 0) rig_refuse(option_dir, errno);
    const uint64_t begun = rig_now();
    uint32_t i = 0;
    for (; !rig_stopped && rig_now() - begun < (uint64_t)(seconds * 1e9); i++) {
        uint64_t t[4] = {rig_now()};
        bool bad = renameat(dir, path[i % 2], dir, path[(i + 1) % 2]) != 0;
        t[1] = rig_now();
        bad = bad || fsync(dir) != 0;
        t[2] = rig_now();
        bad = bad || fdatasync(file) != 0;
        t[3] = rig_now();
        if (bad) break;
        for (uint32_t k = 0; k < 3; k++) rig_tally_add(&tally[k], t[k + 1] - t[k], 1);
        if (every_ms > 0) pause_ns(every_ms * 1000000u);
    }
    unlinkat(dir, path[i % 2], 0);
    printf("{");
    for (uint32_t k = 0; k < 3; k++) {
        printf("\"%s\": {\"times\": %llu, ", names[k], (unsigned long long)tally[k].total);
        rig_tally_print(&tally[k], stdout);
        printf("}, ");
    }
    rig_device_print(device_before, disk_count_read(option_dir), stdout);
    printf("}\n");
    close(named);
    close(dir);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct { const char *name; int (*run)(void); } modes[] = {
        {"raw", run_raw}, {"one", run_one}, {"fill", run_fill}, {"names", run_names}};
    bool as_json = false; /* it always is */
    const struct rig_option options[] = {
        {.name = "--dir", .text = &option_dir, .help = "where the scratch file lives [.]"},
        {.name = "--bytes", .number = &write_bytes, .help = "bytes of one write [4096]"},
        {.name = "--outstanding", .number = &outstanding, .help = "raw: bytes in flight [4096]"},
        {.name = "--how", .text = &option_how, .help = "raw: dsync, fdatasync (for all that landed) or none [dsync]"},
        {.name = "--work", .number = &work_ns, .help = "raw: ns of processor for each KiB before it leaves [0]"},
        {.name = "--fallocated", .flag = &only_allocated, .help = "raw: blocks merely allocated, each written once"},
        {.name = "--pace", .number = &pace, .help = "fill: MiB a second, 0 for as fast as it goes [0]"},
        {.name = "--every", .number = &every_ms, .help = "names: milliseconds between two renames [0]"},
        {.name = "--idle-class", .flag = &idle_class, .help = "fill: in the scheduler's idle class"},
        {.name = "--file-bytes", .number = &file_bytes, .help = "size of the scratch file [256m]"},
        {.name = "--seconds", .seconds = &seconds, .help = "how long [2]"},
        {.name = "--small-pages", .flag = &rig_small_pages, .help = "memory without huge pages"},
        {.name = "--json", .flag = &as_json, .help = "one JSON object, as always"},
        {.name = NULL}};
    rig_catch_signals();
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) != 0) continue;
        rig_parse(argc - 1, argv + 1, options);
        rig_warn_of_memory(option_dir);
        const int code = modes[i].run();
        if (code == 0) io_uring_queue_exit(&ring);
        return code;
    }
    fprintf(argc > 1 && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
            "usage: bench_ceiling raw|one|fill|names [options]; bench_ceiling raw --help\n");
    return argc > 1 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
}
