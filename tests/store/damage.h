/* damage.h: a store with a known content over several segments, hands that hurt each of its structures, and what may be
 * found in it afterwards.
 */
#ifndef TEAK_TESTS_DAMAGE_H
#define TEAK_TESTS_DAMAGE_H

#include "store/backends.h"

#include "format/layout.h"

/* ---- frames as they lie in a file ---- */

struct found_frame {
    uint64_t segment, offset;
    uint32_t bytes, table_offset, table_bytes, entries;
    uint64_t lsn;
};

/* All frames of a segment, by their magic. Returns how many. */
static inline uint32_t damage_frames(const struct rig *rig, uint64_t segment, struct found_frame *out, uint32_t max)
{
    char name[64];
    size_t bytes;
    rig_segment_name(segment, name);
    uint8_t *file = rig_read(rig, name, &bytes);
    uint32_t count = 0;
    for (size_t at = RIG_BLOCK; at + RIG_BLOCK <= bytes && count < max;) {
        struct layout_frame head;
        memcpy(&head, file + at, sizeof head);
        if (le64_get(head.magic) != MAGIC_FRAME || le32_get(head.offset) != at || le64_get(head.segment) != segment) {
            at += RIG_BLOCK;
            continue;
        }
        out[count++] = (struct found_frame){.segment = segment, .offset = at, .bytes = le32_get(head.bytes),
                                            .table_offset = le32_get(head.table_offset),
                                            .table_bytes = le32_get(head.table_bytes),
                                            .entries = le32_get(head.entry_count), .lsn = le64_get(head.lsn)};
        at += le32_get(head.bytes);
    }
    free(file);
    return count;
}

/* ---- a store and what it holds ---- */

enum { DAMAGE_LOGS = 4, DAMAGE_FIRST_LOG = 1, DAMAGE_QUIET_LOG = 4 };

struct damage_model {
    uint64_t last[DAMAGE_LOGS + 1];   /* by log; entries 1 to last, term 1 */
    uint64_t commit[DAMAGE_LOGS + 1];
};

/* The next one is ready, and all but the active one are sealed: only a footer attests what stood behind it, and how far
 * the filler and the sealer came is a matter of time. */
static inline bool damage_is_complete(struct teak_store *store, void *context)
{
    (void)context;
    const struct segments *segments = &store->segments;
    const bool is_first = segments->newest == segments->oldest;
    return segments->ready && (is_first || segment_at(segments, segments->newest - 1)->state == SEGMENT_SEALED);
}

/* The newest segment with frames. Above it stands the one that was made ready, if it still does. */
static inline uint64_t damage_newest(const struct rig *rig)
{
    uint64_t first, last;
    struct found_frame frames[16];
    rig_segments(rig, &first, &last);
    while (damage_frames(rig, last, frames, 16) == 0) last--;
    return last;
}

/* Log 1, 2 or 3 gets its next entry, and a hard state. */
static inline void damage_append(struct teak_store *store, struct damage_model *model, uint64_t log, uint32_t bytes)
{
    const uint64_t index = model->last[log] + 1;
    uint8_t *data = malloc(bytes + 1);
    assert_non_null(data);
    rig_fill(data, bytes, log, index, 1);
    const struct teak_bytes entry = {.data = data, .bytes = bytes};
    const struct teak_op ops[] = {
        {.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = 1, .entries = &entry, .count = 1},
        {.op = TEAK_OP_HARD_STATE, .log = log, .term = 1, .vote = log, .commit = index}};
    struct teak_error error = {0};
    rig_ok(rig_submit(store, &(struct teak_batch){.ops = ops, .count = 2}, &error), &error);
    rig_drain(store);
    model->last[log] = model->commit[log] = index;
    free(data);
}

static inline uint64_t damage_newest_count(const struct teak_store *store)
{
    const struct segment *newest = segment_active(&store->segments);
    return newest->first_lsn == 0 ? 0 : newest->last_lsn - newest->first_lsn + 1;
}

/* Logs 1 to 3 take turns; log 4 got two entries at the beginning and nothing since. `rounds` of three frames, and as
 * many more as it takes until the newest segment holds `newest` frames, its checkpoint among them (0: as it comes).
 * `is_slow`: an idle mark stands before each of them, else nothing is known of where these stand. Not closed; the next
 * segment is ready. */
static inline struct damage_model damage_make_ending(const struct rig *rig, uint64_t rounds, uint32_t bytes,
                                                     uint64_t newest, bool is_slow)
{
    struct damage_model model = {{0}, {0}};
    struct teak_store *store = backend_open(rig);
    for (uint64_t log = 1; log <= DAMAGE_LOGS; log++) rig_create(store, log);
    rig_append_synced(store, DAMAGE_QUIET_LOG, 1, 2, 1, bytes);
    model.last[DAMAGE_QUIET_LOG] = 2;
    for (uint64_t i = 0; i < 3 * rounds || (newest && damage_newest_count(store) != newest); i++) {
        if (is_slow) rig_settle(store);
        damage_append(store, &model, 1 + i % 3, bytes);
    }
    rig_drive_until(store, damage_is_complete, NULL);
    teak_abandon(store);
    return model;
}

static inline struct damage_model damage_make(const struct rig *rig, uint64_t rounds, uint32_t bytes)
{
    return damage_make_ending(rig, rounds, bytes, 0, false);
}

/* What the store shows is what was acknowledged, or a marked log's beginning of it. Returns how many logs bear a mark.
 * `may_lack`: a log may be missing altogether. */
static inline uint32_t damage_expect(struct teak_store *store, const struct damage_model *model, bool may_lack)
{
    uint32_t marked = 0;
    for (uint64_t id = 1; id <= DAMAGE_LOGS; id++) {
        struct teak_log log;
        const enum teak_status status = teak_log(store, id, &log, NULL);
        if (status == TEAK_UNKNOWN_LOG && may_lack) continue;
        assert_int_equal(status, TEAK_OK);
        marked += log.marks != 0;
        if (!(log.marks & TEAK_TAIL_LOST)) assert_int_equal(log.last.index, model->last[id]);
        if (!(log.marks & TEAK_HARD_STATE_SUSPECT)) assert_int_equal(log.hard.commit, model->commit[id]);
        assert_true(log.last.index <= model->last[id]);
        rig_expect_entries(store, id, log.first, log.last.index);
    }
    return marked;
}

#endif
