/* listing.c: see listing.h. */
#include "store/listing.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/segment_id.h"
#include "os/heap.h"
#include "store/failure.h"

static void numbers_add(struct listing *listing, struct numbers *numbers, uint64_t number)
{
    if (numbers->count == numbers->capacity) {
        const uint64_t capacity = numbers->capacity ? numbers->capacity * 2 : 64;
        uint64_t *grown = heap_grow(numbers->list, capacity * sizeof *grown);
        if (!grown) {
            listing->no_memory = true;
            return;
        }
        numbers->list = grown;
        numbers->capacity = capacity;
    }
    numbers->list[numbers->count++] = number;
}

static void take_name(void *context, const char *name)
{
    struct listing *listing = context;
    uint64_t number = 0;
    switch (name_judge(name, &number)) {
    case NAME_SEGMENT: numbers_add(listing, &listing->segments, number); return;
    case NAME_SPARE: numbers_add(listing, &listing->spares, number); return;
    case NAME_STORE_TEMPORARY: listing->has_store_temporary = true; return;
    case NAME_TEMPORARY: numbers_add(listing, &listing->temporaries, number); return;
    case NAME_STORE:
    case NAME_LOCK:
    case NAME_STATS:
    case NAME_SNAPSHOTS:
    case NAME_REPLACED: return;
    case NAME_OTHER: break;
    }
    struct teak_report *report = listing->report;
    if (report->unknown_count < TEAK_UNKNOWN_NAMES_MAX)
        snprintf(report->unknown[report->unknown_count], sizeof report->unknown[0], "%s", name);
    report->unknown_count++;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum teak_status listing_read(struct listing *listing, struct teak_store *store, struct teak_report *report,
                              struct teak_error *error)
{
    *listing = (struct listing){.report = report};
    report->unknown_count = 0;
    const int os_errno = disk_list(store->disk, store->directory, take_name, listing);
    if (os_errno) return fail_errno(error, os_errno, "list", ".");
    if (listing->no_memory) return fail(error, TEAK_NO_MEMORY, "list");
    if (listing->segments.count > 1)
        qsort(listing->segments.list, listing->segments.count, sizeof(uint64_t), ascending);
    return TEAK_OK;
}

void listing_free(struct listing *listing)
{
    heap_give(listing->segments.list);
    heap_give(listing->spares.list);
    heap_give(listing->temporaries.list);
}
