/* cold.h: a store most of whose entries lie on the medium alone: for the tests of every way to read them. */
#ifndef TEAK_TESTS_COLD_H
#define TEAK_TESTS_COLD_H

#include "format/layout.h"
#include "store/backends.h"
#include "store/locate.h"

enum { LAST = 300, BYTES = 500 }; /* about four segments */

/* A closed store whose log 1 fills several sealed segments. */
static inline struct rig cold_make(const char *name)
{
    const struct rig rig = rig_make(name);
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append(store, 1, 1, LAST, 1, BYTES);
    rig_create(store, 2);
    rig_append(store, 2, 1, 20, 3, 100);
    rig_close(store);
    return rig;
}

static inline struct teak_store *cold_open_faulty(const struct rig *rig, struct faulty **faulty)
{
    struct teak_options options = backend_options();
    options.create = false;
    return backend_open_faulty(rig, &options, faulty);
}

/* A place in a sealed segment: of entry `index` of log 1. */
static inline struct place cold_place(const struct rig *rig, uint64_t index, char name[64])
{
    struct teak_store *store = backend_open(rig);
    struct teak_cursor *cursor;
    struct teak_entry entry;
    uint32_t count;
    struct teak_error error = {0};
    rig_ok(teak_cursor_open(store, 1, index, &cursor, &error), &error);
    rig_ok(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), &error); /* maps it */
    struct place place;
    assert_true(locate(&store->segments, logs_find(&store->logs, 1), index, &place));
    assert_int_equal(place.segment->state, SEGMENT_SEALED);
    rig_segment_name(place.segment->number, name);
    teak_cursor_close(cursor);
    rig_close(store);
    return place;
}

/* History 15: a slot of a sealed segment rots, in every field of it; `read_all` finds every entry all the same, for the
 * frame's own table knows better. */
static inline void cold_rot_a_slot(void (*read_all)(struct teak_store *store, uint64_t log, uint64_t first,
                                                    uint64_t last))
{
    static const struct {
        uint32_t byte;
        uint8_t mask;
    } flips[] = {{0, 8}, {1, 0x10}, {3, 0x7f}, {4, 1}, {6, 1}, {7, 0x7f}, {8, 1}, {15, 0x80}};
    const struct rig rig = cold_make("rotten_slot");
    struct teak_store *store = backend_open(&rig);
    const struct segment *first = segment_at(&store->segments, store->segments.oldest);
    assert_int_equal(first->state, SEGMENT_SEALED);
    const uint64_t third = first->footer.slots_offset + 2 * sizeof(struct layout_slot);
    char name[64];
    rig_segment_name(first->number, name);
    rig_close(store);
    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
        rig_flip(&rig, name, third + flips[i].byte, flips[i].mask);
        store = backend_open(&rig);
        read_all(store, 1, 1, LAST);
        rig_close(store);
        rig_flip(&rig, name, third + flips[i].byte, flips[i].mask);
    }
    rig_remove(rig.dir);
}

#endif
