/* power_disk.c: three layers. `durable` is what the flushes of the record made so, up to where the last cut was. `top`
 * lies over it, page by page: what was written besides. A cut takes `top` away and applies the writes that it chose.
 *
 *      record   w w F w w w F w | w w        | the cut: all up to the second F is in `durable`,
 *                           ^ durable          of the three writes behind it some are applied to `top`
 *
 * Nothing is copied for a cut but those few writes.
 */
#include "power_disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "unit/seeded.h"

enum { PAGE = 4096, EVENTS_MAX = 1 << 19 };
static const uint64_t DATA_MAX = UINT64_C(1) << 31; /* bytes of address space; memory as it is used */

struct event {
    uint64_t offset, bytes, data; /* bytes 0: a flush */
};

struct trace {
    struct event *events;
    uint8_t *data;
    uint64_t data_bytes;
    _Atomic uint64_t count;
};

enum state { IDLE, RECORDING, REPLAYING };

struct power_disk {
    pthread_mutex_t lock;
    uint64_t bytes;
    _Atomic enum state state;
    bool is_lying;
    power_whole_fn whole;
    uint8_t *durable, *top;
    uint8_t *is_on_top;              /* by page                                           */
    uint32_t *touched, touched_count; /* those pages                                      */
    struct trace record, again;      /* of the workload; of what came after the last cut  */
    uint64_t applied;                /* events of the record that are in `durable`        */
    struct power_cut first;
    struct power_counts counts;
};

static void *shared(uint64_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool trace_make(struct trace *trace)
{
    trace->events = shared(EVENTS_MAX * sizeof(struct event));
    trace->data = shared(DATA_MAX);
    return trace->events && trace->data;
}

struct power_disk *power_disk_make(uint64_t bytes)
{
    struct power_disk *disk = shared(sizeof *disk);
    pthread_mutexattr_t attributes;
    if (!disk || pthread_mutexattr_init(&attributes) != 0) return NULL;
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&disk->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    disk->bytes = bytes;
    disk->durable = shared(bytes);
    disk->top = shared(bytes);
    disk->is_on_top = shared(bytes / PAGE);
    disk->touched = shared(bytes / PAGE * sizeof(uint32_t));
    const bool is_made = disk->durable && disk->top && disk->is_on_top && disk->touched;
    return is_made && trace_make(&disk->record) && trace_make(&disk->again) ? disk : NULL;
}

uint64_t power_disk_bytes(const struct power_disk *disk) { return disk->bytes; }

bool power_disk_is_recording(const struct power_disk *disk) { return disk->state == RECORDING; }

/* A record that is not complete proves nothing: better none. */
static void must(bool is_so, const char *what)
{
    if (is_so) return;
    fprintf(stderr, "power_disk: %s\n", what);
    abort();
}

/* ---- layers ---- */

static void put_on_top(struct power_disk *disk, uint64_t offset, const uint8_t *data, uint64_t bytes)
{
    while (bytes > 0) {
        const uint64_t page = offset / PAGE, at = offset % PAGE, count = bytes < PAGE - at ? bytes : PAGE - at;
        if (!disk->is_on_top[page]) {
            disk->is_on_top[page] = 1;
            disk->touched[disk->touched_count++] = (uint32_t)page;
            memcpy(disk->top + page * PAGE, disk->durable + page * PAGE, PAGE);
        }
        memcpy(disk->top + offset, data, count);
        offset += count, data += count, bytes -= count;
    }
}

static void clear_top(struct power_disk *disk)
{
    while (disk->touched_count > 0) disk->is_on_top[disk->touched[--disk->touched_count]] = 0;
}

static void trace_add(struct trace *trace, uint64_t offset, const void *data, uint64_t bytes)
{
    must(trace->count < EVENTS_MAX && trace->data_bytes + bytes <= DATA_MAX, "more was written than can be kept");
    trace->events[trace->count] = (struct event){.offset = offset, .bytes = bytes, .data = trace->data_bytes};
    if (bytes > 0) memcpy(trace->data + trace->data_bytes, data, bytes);
    trace->data_bytes += bytes;
    atomic_fetch_add(&trace->count, 1);
}

static void trace_clear(struct trace *trace)
{
    trace->count = 0;
    trace->data_bytes = 0;
}

/* ---- who serves it ---- */

void power_disk_read(struct power_disk *disk, uint64_t offset, void *out, uint64_t bytes)
{
    uint8_t *to = out;
    pthread_mutex_lock(&disk->lock);
    while (bytes > 0) {
        const uint64_t page = offset / PAGE, at = offset % PAGE, count = bytes < PAGE - at ? bytes : PAGE - at;
        memcpy(to, (disk->is_on_top[page] ? disk->top : disk->durable) + offset, count);
        offset += count, to += count, bytes -= count;
    }
    pthread_mutex_unlock(&disk->lock);
}

static void keep(struct power_disk *disk, uint64_t offset, const void *data, uint64_t bytes)
{
    if (disk->state == RECORDING) {
        trace_add(&disk->record, offset, data, bytes);
        disk->counts.writes += bytes > 0;
        disk->counts.flushes += bytes == 0;
        disk->counts.write_bytes += bytes;
    } else if (disk->state == REPLAYING) {
        trace_add(&disk->again, offset, data, bytes);
    }
}

void power_disk_write(struct power_disk *disk, uint64_t offset, const void *data, uint64_t bytes)
{
    must(offset % POWER_SECTOR == 0 && bytes % POWER_SECTOR == 0, "a write of less than a sector");
    must(offset <= disk->bytes && bytes <= disk->bytes - offset, "a write beyond the end");
    if (bytes == 0) return;
    pthread_mutex_lock(&disk->lock);
    put_on_top(disk, offset, data, bytes);
    keep(disk, offset, data, bytes);
    pthread_mutex_unlock(&disk->lock);
}

void power_disk_flush(struct power_disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    keep(disk, 0, NULL, 0);
    pthread_mutex_unlock(&disk->lock);
}

/* ---- who uses it ---- */

void power_disk_record(struct power_disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    for (uint32_t i = 0; i < disk->touched_count; i++) {
        const uint64_t at = (uint64_t)disk->touched[i] * PAGE;
        memcpy(disk->durable + at, disk->top + at, PAGE);
    }
    clear_top(disk);
    trace_clear(&disk->record);
    trace_clear(&disk->again);
    disk->applied = 0;
    disk->counts = (struct power_counts){0};
    disk->is_lying = false;
    disk->state = RECORDING;
    pthread_mutex_unlock(&disk->lock);
}

uint64_t power_disk_moment(const struct power_disk *disk)
{
    return atomic_load(disk->state == REPLAYING ? &disk->again.count : &disk->record.count);
}

uint64_t power_disk_replay(struct power_disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    must(disk->state == RECORDING, "nothing was recorded");
    disk->state = REPLAYING;
    clear_top(disk);
    pthread_mutex_unlock(&disk->lock);
    return disk->record.count;
}

void power_disk_lie(struct power_disk *disk) { disk->is_lying = true; }

void power_disk_keep_whole(struct power_disk *disk, power_whole_fn whole) { disk->whole = whole; }

static void apply_some(struct power_disk *disk, const struct trace *trace, const struct event *event, bool all,
                       struct seeded *seeded)
{
    if (!all && disk->whole && disk->whole(event->offset, trace->data + event->data, event->bytes)) {
        if (seeded_below(seeded, 2)) return;
        all = true;
    }
    for (uint64_t at = 0; at < event->bytes; at += POWER_SECTOR)
        if (all || seeded_below(seeded, 2))
            put_on_top(disk, event->offset + at, trace->data + event->data + at, POWER_SECTOR);
}

/* Of the writes from `begin` to the cut, which no flush covers, those that it chose. */
static void apply_subset(struct power_disk *disk, const struct trace *trace, uint64_t begin,
                         const struct power_cut *cut)
{
    struct seeded seeded = {.state = cut->seed};
    const uint64_t count = cut->moment - begin;
    const uint64_t place = count > 0 ? seeded_u64(&seeded) % count : 0;
    for (uint64_t i = 0; i < count; i++) {
        const struct event *event = &trace->events[begin + i];
        switch (cut->subset) {
        case POWER_ALL: apply_some(disk, trace, event, true, &seeded); break;
        case POWER_NONE: break;
        case POWER_PREFIX:
            if (i < place) apply_some(disk, trace, event, true, &seeded);
            break;
        case POWER_TORN_PREFIX:
            if (i <= place) apply_some(disk, trace, event, i < place, &seeded);
            break;
        case POWER_WRITES:
            if (seeded_below(&seeded, 2)) apply_some(disk, trace, event, true, &seeded);
            break;
        case POWER_ALL_BUT_ONE:
            if (i != place) apply_some(disk, trace, event, true, &seeded);
            break;
        case POWER_SECTORS: apply_some(disk, trace, event, false, &seeded); break;
        case POWER_SUBSET_COUNT: must(false, "no subset");
        }
    }
}

/* Behind the last flush before `moment`. */
static uint64_t uncovered(const struct trace *trace, uint64_t begin, uint64_t moment)
{
    while (moment > begin && trace->events[moment - 1].bytes > 0) moment--;
    return moment;
}

static void apply_first(struct power_disk *disk)
{
    const uint64_t moment = disk->first.moment;
    const uint64_t begin = disk->is_lying ? disk->applied : uncovered(&disk->record, disk->applied, moment);
    clear_top(disk);
    for (; disk->applied < begin; disk->applied++) {
        const struct event *event = &disk->record.events[disk->applied];
        memcpy(disk->durable + event->offset, disk->record.data + event->data, event->bytes);
    }
    apply_subset(disk, &disk->record, disk->applied, &disk->first);
}

uint64_t power_disk_cut(struct power_disk *disk, struct power_cut first)
{
    pthread_mutex_lock(&disk->lock);
    must(disk->state == REPLAYING, "cut while it is recorded");
    must(first.moment >= disk->applied && first.moment <= disk->record.count, "a cut goes back");
    disk->first = first;
    apply_first(disk);
    trace_clear(&disk->again);
    const uint64_t lost = first.moment - disk->applied;
    pthread_mutex_unlock(&disk->lock);
    return lost;
}

uint64_t power_disk_cut_again(struct power_disk *disk, struct power_cut second)
{
    pthread_mutex_lock(&disk->lock);
    must(disk->state == REPLAYING && second.moment <= disk->again.count, "a cut beyond the end");
    const uint64_t begin = uncovered(&disk->again, 0, second.moment);
    struct seeded all = {0};
    apply_first(disk);
    for (uint64_t i = 0; i < begin; i++) apply_some(disk, &disk->again, &disk->again.events[i], true, &all);
    apply_subset(disk, &disk->again, begin, &second);
    pthread_mutex_unlock(&disk->lock);
    return second.moment - begin;
}

uint64_t power_disk_worst(const struct power_disk *disk, uint64_t moment)
{
    while (moment < disk->record.count && disk->record.events[moment].bytes > 0) moment++;
    return moment;
}

struct power_counts power_disk_counts(const struct power_disk *disk) { return disk->counts; }
