#include "countdown_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "teak/memory.h"

struct countdown {
    struct disk disk;
    struct disk *real;
    struct disk_op *failed[DISK_SUBMITTED_MAX];
    uint32_t failed_count;
};

static struct {
    uint64_t n, calls, strikes;
    int error;
    bool for_good, lands, is_running;
    struct countdown_call struck;
    int64_t mapped, allocated;
} count;

void countdown_begin(uint64_t n, int error, bool for_good, bool lands)
{
    count.n = n;
    count.calls = count.strikes = 0;
    count.error = error;
    count.for_good = for_good;
    count.lands = lands;
    count.is_running = true;
    count.struck = (struct countdown_call){0};
}

uint64_t countdown_end(void)
{
    count.is_running = false;
    return count.strikes;
}

struct countdown_call countdown_struck(void) { return count.struck; }
uint64_t countdown_calls(void) { return count.calls; }
int64_t countdown_mapped(void) { return count.mapped; }
int64_t countdown_allocated(void) { return count.allocated; }

static bool strikes(const char *name, const struct disk_op *op)
{
    if (!count.is_running) return false;
    count.calls++;
    if (count.n == 0 || count.calls < count.n || (count.calls > count.n && !count.for_good)) return false;
    if (count.strikes++ > 0) return true;
    count.struck = (struct countdown_call){.name = name};
    if (!op) return true;
    count.struck.kind = op->kind;
    count.struck.is_chore = op->flags & DISK_CHORE;
    if (op->name) snprintf(count.struck.file, sizeof count.struck.file, "%s", op->name);
    return true;
}

static int fails(const char *name) { return strikes(name, NULL) ? count.error : 0; }

static struct countdown *countdown_of(struct disk *disk) { return (struct countdown *)(void *)disk; }
static struct disk *real_of(struct disk *disk) { return countdown_of(disk)->real; }

/* ---- operations ---- */

/* Closing cannot fail to close; and a name that could not be changed was not. */
static void fail(struct disk *real, struct disk_op *op)
{
    const bool is_bytes = op->kind == DISK_WRITE || op->kind == DISK_SYNC || op->kind == DISK_SYNC_ALL ||
                          op->kind == DISK_ALLOCATE || op->kind == DISK_TRUNCATE;
    if (op->kind == DISK_CLOSE || (count.lands && is_bytes)) (void)disk_run(real, op);
    op->error = count.error;
    op->done = 0;
    if (op->kind == DISK_OPEN) op->file = DISK_NONE;
}

static int counted_run(struct disk *disk, struct disk_op *op)
{
    if (strikes("run", op))
        fail(real_of(disk), op);
    else
        (void)disk_run(real_of(disk), op);
    disk->counters = real_of(disk)->counters;
    return op->error;
}

static void counted_submit(struct disk *disk, struct disk_op *op)
{
    struct countdown *countdown = countdown_of(disk);
    if (!strikes("submit", op)) {
        disk_submit(countdown->real, op);
        return;
    }
    CHECK_LT(countdown->failed_count, DISK_SUBMITTED_MAX);
    fail(countdown->real, op);
    countdown->failed[countdown->failed_count++] = op;
}

static uint32_t counted_collect(struct disk *disk, struct disk_op **done, uint32_t max, uint64_t wait_ns)
{
    struct countdown *countdown = countdown_of(disk);
    uint32_t taken = 0;
    while (taken < max && taken < countdown->failed_count) {
        done[taken] = countdown->failed[taken];
        taken++;
    }
    countdown->failed_count -= taken;
    memmove(countdown->failed, countdown->failed + taken, countdown->failed_count * sizeof(countdown->failed[0]));
    const uint32_t got = disk_collect(countdown->real, done + taken, max - taken, taken > 0 ? 0 : wait_ns);
    disk->counters = countdown->real->counters;
    disk->woken = countdown->real->woken;
    countdown->real->woken = false;
    return taken + got;
}

/* ---- what is no operation ---- */

static int counted_attach(struct disk *disk)
{
    const int error = fails("attach");
    return error ? error : disk_attach(real_of(disk));
}

static int counted_list(struct disk *disk, int32_t dir, disk_name_fn fn, void *context)
{
    const int error = fails("list");
    return error ? error : disk_list(real_of(disk), dir, fn, context);
}

static int counted_stat(struct disk *disk, int32_t file, struct disk_file_info *out)
{
    const int error = fails("stat");
    return error ? error : disk_stat(real_of(disk), file, out);
}

static int counted_probe(struct disk *disk, int32_t dir, struct disk_device *out)
{
    const int error = fails("probe");
    return error ? error : disk_probe(real_of(disk), dir, out);
}

static int counted_room(struct disk *disk, int32_t dir, uint64_t *free_out)
{
    const int error = fails("room");
    return error ? error : disk_room(real_of(disk), dir, free_out);
}

static int counted_lock(struct disk *disk, int32_t file, enum disk_lock how)
{
    const int error = how == DISK_UNLOCK ? 0 : fails("lock");
    return error ? error : disk_lock(real_of(disk), file, how);
}

static int counted_guard(struct disk *disk, int32_t file)
{
    const int error = fails("guard");
    return error ? error : disk_guard(real_of(disk), file);
}

static int counted_is_named(struct disk *disk, int32_t dir, const char *name, int32_t file, bool *out)
{
    const int error = fails("is_named");
    return error ? error : disk_is_named(real_of(disk), dir, name, file, out);
}

static int counted_map(struct disk *disk, int32_t file, uint64_t offset, uint64_t bytes, void **out)
{
    int error = fails("map");
    if (!error) error = disk_map(real_of(disk), file, offset, bytes, out);
    if (!error) count.mapped++;
    return error;
}

static void counted_unmap(struct disk *disk, void *data, uint64_t bytes)
{
    count.mapped--;
    disk_unmap(real_of(disk), data, bytes);
}

static uint64_t counted_register(struct disk *disk, void *data, uint64_t bytes)
{
    return fails("register") ? 0 : disk_register_memory(real_of(disk), data, bytes);
}

static int counted_drop_cache(struct disk *disk, int32_t file)
{
    const int error = fails("drop_cache");
    return error ? error : disk_drop_cache(real_of(disk), file);
}

static int counted_event_fd(struct disk *disk)
{
    const int error = fails("event_fd");
    return error ? -error : disk_event_fd(real_of(disk));
}

static int counted_listen(struct disk *disk)
{
    const int error = fails("listen");
    return error ? error : disk_listen(real_of(disk));
}

static int counted_entropy(struct disk *disk, void *out, size_t bytes)
{
    const int error = fails("entropy");
    return error ? error : disk_entropy(real_of(disk), out, bytes);
}

static void counted_wake(struct disk *disk) { disk_wake(real_of(disk)); }
static uint64_t counted_now(struct disk *disk) { return disk_now(real_of(disk)); }
static void counted_pause(struct disk *disk, uint64_t ns) { disk_pause(real_of(disk), ns); }
static bool counted_is_alive(struct disk *disk, uint64_t pid) { return disk_is_process_alive(real_of(disk), pid); }
static uint64_t counted_process_id(struct disk *disk) { return disk_process_id(real_of(disk)); }

static void counted_close(struct disk *disk)
{
    CHECK_EQ(countdown_of(disk)->failed_count, 0);
    disk_close(real_of(disk));
    free(disk);
}

struct disk *countdown_disk(struct disk *real)
{
    static const struct disk_ops ops = {
        .name = "countdown", .run = counted_run, .submit = counted_submit, .collect = counted_collect,
        .attach = counted_attach, .list = counted_list, .stat = counted_stat, .probe = counted_probe,
        .room = counted_room, .lock = counted_lock, .guard = counted_guard, .is_named = counted_is_named,
        .map = counted_map, .unmap = counted_unmap, .register_memory = counted_register,
        .drop_cache = counted_drop_cache, .event_fd = counted_event_fd, .listen = counted_listen,
        .wake = counted_wake, .now = counted_now, .pause = counted_pause, .entropy = counted_entropy,
        .is_process_alive = counted_is_alive, .process_id = counted_process_id, .close = counted_close,
    };
    struct countdown *countdown = calloc(1, sizeof *countdown);
    CHECK(countdown != NULL);
    countdown->disk.ops = &ops;
    countdown->real = real;
    return &countdown->disk;
}

/* ---- the heap ---- */

static void *counted_allocate(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    void *memory = NULL;
    if (strikes("allocate", NULL) || posix_memalign(&memory, alignment, bytes) != 0) return NULL;
    count.allocated++;
    return memory;
}

static void *counted_reallocate(void *context, void *memory, size_t bytes)
{
    (void)context;
    if (strikes("allocate", NULL)) return NULL;
    count.allocated += memory == NULL;
    return realloc(memory, bytes);
}

static void counted_release(void *context, void *memory)
{
    (void)context;
    count.allocated -= memory != NULL;
    free(memory);
}

void countdown_take_heap(void)
{
    const struct teak_allocator allocator = {
        .allocate = counted_allocate, .reallocate = counted_reallocate, .release = counted_release};
    CHECK_EQ(teak_set_allocator(&allocator), TEAK_OK);
}
