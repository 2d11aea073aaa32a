/* quarantine_test.c: on_damage = quarantine: what opens although it is damaged, what its logs show, and what the first
 * write makes of it.
 */
#include "store/damage.h"

#include "teak/memory.h"

static struct teak_report report;
static char what[160]; /* is being tried, for whoever reads that it failed */

static struct teak_options quarantine_options(void)
{
    struct teak_options options = backend_options();
    options.create = false;
    options.on_damage = TEAK_QUARANTINE;
    return options;
}

static enum teak_status try_quarantine(const struct rig *rig, struct teak_store **out, struct teak_error *error)
{
    const struct teak_options options = quarantine_options();
    return rig_try_open(rig, &options, out, &report, error);
}

static struct teak_store *open_quarantine(const struct rig *rig)
{
    const struct teak_options options = quarantine_options();
    return rig_open_with(rig, &options, &report);
}

static enum teak_status try_refuse(const struct rig *rig, struct teak_error *error)
{
    struct teak_options options = backend_options();
    options.create = false;
    struct teak_store *store;
    const enum teak_status status = rig_try_open(rig, &options, &store, &report, error);
    if (store) teak_abandon(store);
    return status;
}

static void flip(const struct rig *rig, uint64_t segment, uint64_t offset)
{
    char name[64];
    rig_segment_name(segment, name);
    rig_flip(rig, name, offset, 0x40);
}

/* The whole store, read-only: every sum of it. */
static void expect_verified(const struct rig *rig)
{
    struct teak_store *store = rig_open_read_only(rig, &report);
    struct teak_damage damage[8];
    struct teak_verify_result result;
    struct teak_error error = {0};
    if (teak_verify(store, damage, 8, &result, NULL, NULL, &error) != TEAK_OK)
        fail_msg("%s: verify: segment %" PRIu64 " at %" PRIu64 ", log %" PRIu64 ", entry %" PRIu64, what,
                 damage[0].segment, damage[0].offset, damage[0].log, damage[0].first);
    rig_close(store);
}

/* The frame that holds entry `index` of the log, as the only entry in it. */
static struct found_frame frame_of(const struct rig *rig, uint64_t lsn)
{
    uint64_t first, last;
    rig_segments(rig, &first, &last);
    for (uint64_t segment = first; segment <= last; segment++) {
        struct found_frame frames[16];
        const uint32_t count = damage_frames(rig, segment, frames, 16);
        for (uint32_t i = 0; i < count; i++)
            if (frames[i].lsn == lsn) return frames[i];
    }
    fail_msg("no frame %" PRIu64, lsn);
    return (struct found_frame){0};
}

/* ---- who is hurt ---- */

static void a_rotten_payload_hurts_its_log_alone(void **state)
{
    (void)state;
    const struct rig rig = rig_make("payload"), before = rig_make("payload0");
    struct teak_store *store = backend_open(&rig);
    for (uint64_t log = 7; log <= 8; log++) rig_create(store, log);
    rig_drain(store);
    for (uint64_t index = 1; index <= 6; index++) { /* both logs in one frame */
        uint8_t data[2][100];
        struct teak_bytes entries[2];
        struct teak_op ops[4];
        for (uint64_t i = 0; i < 2; i++) {
            rig_fill(data[i], sizeof data[i], 7 + i, index, 1);
            entries[i] = (struct teak_bytes){.data = data[i], .bytes = sizeof data[i]};
            ops[i] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 7 + i, .index = index, .term = 1,
                                      .entries = &entries[i], .count = 1};
            ops[2 + i] = (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 7 + i, .term = 1, .vote = 3,
                                          .commit = index};
        }
        rig_ok(rig_submit(store, &(struct teak_batch){.ops = ops, .count = 4}, NULL), NULL);
        rig_drain(store);
    }
    const uint64_t newest = 1 + 1 + 6;
    teak_abandon(store);
    const struct found_frame frame = frame_of(&rig, newest - 2); /* entries 4 */
    assert_int_equal(frame.entries, 2);
    flip(&rig, frame.segment, frame.offset + HEAD_BYTES + 50);
    rig_copy(&rig, &before);

    struct teak_error error = {0};
    assert_int_equal(try_refuse(&rig, &error), TEAK_DAMAGED);
    const uint64_t fingerprint = rig_fingerprint(&rig);
    store = open_quarantine(&rig);
    assert_int_equal(report.verdict, TEAK_VERDICT_QUARANTINED);
    assert_int_equal(report.quarantined, 1);
    assert_false(report.hard_states_suspect);
    assert_false(report.logs_may_be_missing);
    const struct teak_log hurt = rig_log(store, 7), healthy = rig_log(store, 8);
    assert_int_equal(hurt.marks, TEAK_TAIL_LOST);
    assert_int_equal(hurt.hard.commit, 6); /* the table can be read: nothing is suspect */
    assert_int_equal(healthy.marks, 0);
    rig_expect_entries(store, 7, 1, frame.lsn - 3);
    rig_expect_entries(store, 8, 1, 6);
    teak_abandon(store);
    assert_int_equal(rig_fingerprint(&rig), fingerprint);

    store = open_quarantine(&rig);
    rig_append_synced(store, 8, 7, 9, 2, 100); /* the first write */
    assert_int_equal(rig_op(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 7, .term = 9}, &error),
                     TEAK_QUARANTINED);
    assert_int_equal(error.log, 7);
    rig_close(store);
    char name[64], kept[128];
    size_t bytes, kept_bytes;
    rig_segment_name(frame.segment, name);
    snprintf(kept, sizeof kept, "replaced/%s", name);
    uint8_t *was = rig_read(&before, name, &bytes), *is = rig_read(&rig, kept, &kept_bytes);
    assert_int_equal(bytes, kept_bytes);
    assert_memory_equal(was, is, bytes);
    free(was);
    free(is);
    expect_verified(&rig);

    store = backend_open(&rig); /* refuse: there is nothing to refuse any more */
    assert_int_equal(rig_log(store, 7).marks, TEAK_TAIL_LOST);
    rig_expect_entries(store, 7, 1, frame.lsn - 3);
    rig_expect_entries(store, 8, 1, 9);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 7});
    rig_create(store, 7);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 7, .index = 100, .term = 5});
    rig_append_synced(store, 7, 101, 103, 5, 50);
    rig_close(store);
    store = backend_open(&rig);
    assert_int_equal(rig_log(store, 7).marks, 0);
    rig_expect_entries(store, 7, 101, 103);
    rig_expect_entries(store, 8, 1, 9);
    rig_close(store);
    rig_remove(rig.dir);
    rig_remove(before.dir);
}

static void a_rotten_table_makes_every_log_suspect_but_those_born_behind_it(void **state)
{
    (void)state;
    const struct rig rig = rig_make("table");
    struct teak_store *store = backend_open(&rig);
    for (uint64_t log = 7; log <= 8; log++) rig_create(store, log);
    rig_append(store, 7, 1, 3, 1, 100);
    rig_drain(store);
    rig_do(store, (struct teak_op){.op = TEAK_OP_META, .log = 8, .data = "w", .bytes = 1});
    rig_drain(store);
    struct teak_stats stats;
    teak_stats(store, &stats);
    const uint64_t hurt = stats.last_lsn;
    rig_append_synced(store, 7, 4, 5, 1, 100);
    rig_create(store, 9);
    rig_append(store, 9, 1, 4, 1, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 8, .term = 4, .vote = 2});
    rig_drain(store);
    teak_abandon(store);
    const struct found_frame frame = frame_of(&rig, hurt);
    flip(&rig, frame.segment, frame.offset + frame.table_offset + 8);
    store = open_quarantine(&rig);
    assert_true(report.hard_states_suspect);
    assert_true(report.logs_may_be_missing);
    assert_int_equal(rig_log(store, 7).marks, TEAK_TAIL_LOST | TEAK_HARD_STATE_SUSPECT);
    assert_int_equal(rig_log(store, 8).marks, TEAK_TAIL_LOST); /* its hard state was written behind it */
    assert_int_equal(rig_log(store, 8).hard.term, 4);
    assert_int_equal(rig_log(store, 9).marks, 0);
    rig_expect_entries(store, 7, 1, 3); /* 4 and 5 stand behind what may have been a truncation */
    rig_expect_entries(store, 9, 1, 4);
    rig_append_synced(store, 9, 5, 30, 1, 5000); /* rotations */
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 9, .index = 29});
    rig_close(store);
    store = backend_open(&rig);
    assert_int_equal(rig_log(store, 7).marks, TEAK_TAIL_LOST | TEAK_HARD_STATE_SUSPECT);
    assert_int_equal(rig_log(store, 8).marks, TEAK_TAIL_LOST);
    rig_expect_entries(store, 7, 1, 3);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 7});
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 8});
    rig_close(store);
    store = backend_open(&rig);
    assert_int_equal(teak_log(store, 7, &(struct teak_log){0}, NULL), TEAK_UNKNOWN_LOG);
    rig_close(store);
    rig_remove(rig.dir);
}

/* A lost frame truncated the log and wrote the same index under the same term anew. A checkpoint behind it says the
 * same last index and term as before: only the LSN of the log's last change tells. */
static void an_entry_that_a_lost_frame_replaced_is_not_taken_for_whole(void **state)
{
    (void)state;
    const struct rig rig = rig_make("same");
    struct teak_store *store = backend_open(&rig);
    for (uint64_t log = 7; log <= 9; log++) rig_create(store, log);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    rig_append_synced(store, 8, 1, 3, 1, 100);
    uint8_t other[100];
    memset(other, 0xee, sizeof other);
    const struct teak_bytes entry = {.data = other, .bytes = sizeof other};
    const struct teak_op ops[] = {
        {.op = TEAK_OP_TRUNCATE, .log = 7, .index = 3},
        {.op = TEAK_OP_ENTRIES, .log = 7, .index = 3, .term = 1, .entries = &entry, .count = 1}};
    rig_ok(rig_submit(store, &(struct teak_batch){.ops = ops, .count = 2}, NULL), NULL);
    rig_drain(store);
    struct teak_stats stats;
    teak_stats(store, &stats);
    const uint64_t hurt = stats.last_lsn;
    rig_append_synced(store, 9, 1, 12, 1, 5000); /* a rotation: a checkpoint */
    rig_close(store);
    const struct found_frame frame = frame_of(&rig, hurt);
    uint64_t first, last;
    rig_segments(&rig, &first, &last);
    assert_int_equal(frame.segment, first);
    char name[64];
    rig_segment_name(first, name);
    rig_flip(&rig, name, RIG_SEGMENT - RIG_BLOCK + 20, 1); /* its index is lost: it is scanned */
    flip(&rig, frame.segment, frame.offset + frame.table_offset + 8);
    struct teak_error error = {0};
    assert_int_equal(try_refuse(&rig, &error), TEAK_DAMAGED);
    store = open_quarantine(&rig);
    assert_int_equal(rig_log(store, 7).marks, TEAK_TAIL_LOST);
    assert_int_equal(rig_log(store, 8).marks, 0);
    rig_expect_entries(store, 8, 1, 3);
    assert_false(report.hard_states_suspect && rig_log(store, 7).marks == 0);
    teak_abandon(store);
    rig_remove(rig.dir);
}

/* Frames are lost whose operations nobody knows. A log that was born behind them, of which a payload rotted besides,
 * lacks what is behind that, and nothing else. */
static void a_log_born_behind_what_is_lost_is_hurt_by_its_own_rot_alone(void **state)
{
    (void)state;
    const struct rig rig = rig_make("born");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 8);
    rig_drain(store);
    rig_do(store, (struct teak_op){.op = TEAK_OP_META, .log = 8, .data = "w", .bytes = 1});
    rig_drain(store);
    struct teak_stats stats;
    teak_stats(store, &stats);
    const uint64_t lost = stats.last_lsn;
    uint64_t rotten = 0;
    rig_create(store, 9);
    rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 9, .term = 4, .vote = 2});
    for (uint64_t index = 1; index <= 4; index++) {
        rig_append_synced(store, 9, index, index, 1, 100);
        teak_stats(store, &stats);
        if (index == 3) rotten = stats.last_lsn;
    }
    rig_do(store, (struct teak_op){.op = TEAK_OP_META, .log = 9, .data = "w", .bytes = 1});
    rig_drain(store);
    teak_abandon(store);
    const struct found_frame frame = frame_of(&rig, lost), other = frame_of(&rig, rotten);
    flip(&rig, frame.segment, frame.offset + frame.table_offset + 8);
    assert_int_equal(other.entries, 1);
    flip(&rig, other.segment, other.offset + HEAD_BYTES + 50);
    store = open_quarantine(&rig);
    rig_ok(teak_barrier(store, 1, NULL), NULL);
    rig_close(store);
    for (uint32_t opening = 0; opening < 2; opening++) { /* the mark stays */
        store = backend_open(&rig);
        assert_int_equal(rig_log(store, 9).marks, TEAK_TAIL_LOST);
        assert_int_equal(rig_log(store, 9).hard.term, 4);
        rig_expect_entries(store, 9, 1, 2);
        rig_create(store, 20 + opening);
        rig_close(store);
    }
    store = backend_open(&rig);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 9}); /* until it is dropped */
    rig_create(store, 9);
    assert_int_equal(rig_log(store, 9).marks, 0);
    rig_close(store);
    rig_remove(rig.dir);
}

/* What may have been lost lies below the log's base by now: it lacks nothing. */
static void what_was_compacted_since_is_no_loss(void **state)
{
    (void)state;
    const struct rig rig = rig_make("covered");
    struct teak_store *store = backend_open(&rig);
    for (uint64_t log = 7; log <= 9; log++) rig_create(store, log);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    rig_append_synced(store, 8, 1, 3, 1, 100);
    struct teak_stats stats;
    for (uint64_t log = 7; log <= 8; log++) rig_append(store, log, 4, 4, 1, 100); /* both in the frame that is lost */
    rig_drain(store);
    teak_stats(store, &stats);
    const uint64_t hurt = stats.last_lsn;
    rig_append_synced(store, 9, 1, 12, 1, 5000); /* a rotation: a checkpoint */
    rig_append_synced(store, 7, 5, 6, 1, 100);
    rig_append_synced(store, 8, 5, 6, 1, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = 4});
    rig_drain(store);
    rig_close(store);
    const struct found_frame frame = frame_of(&rig, hurt);
    char name[64];
    rig_segment_name(frame.segment, name);
    rig_flip(&rig, name, RIG_SEGMENT - RIG_BLOCK + 20, 1); /* its index is lost: it is scanned */
    flip(&rig, frame.segment, frame.offset + frame.table_offset + 8);
    store = open_quarantine(&rig);
    assert_int_equal(rig_log(store, 7).marks, 0);
    assert_int_equal(rig_log(store, 8).marks, TEAK_TAIL_LOST);
    assert_int_equal(rig_log(store, 9).marks, TEAK_TAIL_LOST); /* what stands behind the loss may have been removed */
    rig_expect_entries(store, 7, 5, 6);
    rig_expect_entries(store, 8, 1, 3);
    rig_append_synced(store, 7, 7, 7, 1, 100);
    rig_close(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 7, 5, 7);
    assert_int_equal(rig_log(store, 8).marks, TEAK_TAIL_LOST);
    rig_close(store);
    rig_remove(rig.dir);
}

/* The newest segment follows one that has an index: its checkpoint was durable, and what else stood in it nobody
 * knows. */
static void a_newest_segment_of_which_no_frame_is_left_hurts_every_log(void **state)
{
    (void)state;
    const struct rig rig = rig_make("mute");
    const struct damage_model model = damage_make(&rig, 8, 3000);
    struct teak_store *store = backend_open(&rig); /* the index of the one before */
    rig_create(store, 50);
    rig_close(store);
    uint64_t newest = 0;
    for (uint64_t number = 1; rig_has_segment(&rig, number); number++) {
        struct found_frame frames[16];
        if (damage_frames(&rig, number, frames, 16) > 0) newest = number;
    }
    assert_true(newest > 1);
    char name[64];
    rig_segment_name(newest, name);
    rig_zero(&rig, name, RIG_BLOCK, RIG_SEGMENT - RIG_BLOCK);
    struct teak_error error = {0};
    assert_int_equal(try_refuse(&rig, &error), TEAK_DAMAGED);
    store = open_quarantine(&rig);
    assert_int_equal(report.verdict, TEAK_VERDICT_QUARANTINED);
    assert_true(report.logs_may_be_missing);
    for (uint64_t id = 1; id <= DAMAGE_LOGS; id++)
        assert_int_equal(rig_log(store, id).marks, TEAK_TAIL_LOST | TEAK_HARD_STATE_SUSPECT);
    damage_expect(store, &model, true);
    teak_abandon(store);
    rig_remove(rig.dir);
}

/* Both the summary and a frame of one segment: nothing is left over of the look at the summary. */
static void a_rotten_summary_and_a_rotten_frame_in_one_segment(void **state)
{
    (void)state;
    const struct rig rig = rig_make("both");
    const struct damage_model model = damage_make(&rig, 12, 3000);
    struct found_frame frames[16];
    char name[64];
    size_t bytes;
    assert_true(damage_frames(&rig, 1, frames, 16) > 4);
    rig_segment_name(1, name);
    uint8_t *file = rig_read(&rig, name, &bytes);
    struct layout_footer footer;
    memcpy(&footer, file + bytes - RIG_BLOCK, sizeof footer);
    free(file);
    assert_int_equal(le64_get(footer.magic), MAGIC_FOOTER);
    flip(&rig, 1, le32_get(footer.summary_offset) + 3);
    flip(&rig, 1, frames[3].offset + frames[3].table_offset + 4);
    struct teak_store *store = open_quarantine(&rig);
    assert_int_equal(report.verdict, TEAK_VERDICT_QUARANTINED);
    damage_expect(store, &model, report.logs_may_be_missing);
    teak_abandon(store);
    assert_int_equal(teak_set_allocator(NULL), TEAK_OK); /* refused while memory is out */
    rig_remove(rig.dir);
}

/* ---- everything, everywhere ---- */

enum structure { HEAD, TABLE, PAYLOAD, IDENTITY, SUMMARY, FOOTER, TRUNCATED, REMOVED, STRUCTURES };
static const char *const structure_names[] = {"head", "table", "payload", "identity", "summary", "footer",
                                              "truncated file", "removed file"};

/* false: this segment has no such thing. */
static bool hurt(const struct rig *rig, uint64_t segment, enum structure structure, uint32_t which, bool with_index)
{
    struct found_frame frames[16];
    char name[64];
    size_t bytes;
    rig_segment_name(segment, name);
    const uint32_t count = damage_frames(rig, segment, frames, 16);
    free(rig_read(rig, name, &bytes));
    if (count == 0) return false;
    const struct found_frame *frame = &frames[which == 0 ? 0 : which == 1 ? count / 2 : count - 1];
    if (with_index) rig_flip(rig, name, bytes - RIG_BLOCK + 20, 1);
    switch (structure) {
    case HEAD: flip(rig, segment, frame->offset + 33); return true;
    case TABLE: flip(rig, segment, frame->offset + frame->table_offset + 4); return true;
    case PAYLOAD:
        if (frame->entries == 0) return false;
        flip(rig, segment, frame->offset + HEAD_BYTES + 3);
        return true;
    case IDENTITY: flip(rig, segment, 50); return which == 0;
    case SUMMARY: flip(rig, segment, bytes - 2 * RIG_BLOCK + 3); return which == 0;
    case FOOTER: flip(rig, segment, bytes - RIG_BLOCK + 20); return which == 0;
    case TRUNCATED: rig_truncate(rig, name, frame->offset + RIG_BLOCK); return true;
    case REMOVED: rig_unlink(rig, name); return which == 0;
    case STRUCTURES: break;
    }
    return false;
}

/* Marks and lasts of all logs, to compare two openings. */
static uint64_t state_of(struct teak_store *store)
{
    uint64_t sum = 0;
    for (uint64_t id = 1; id <= DAMAGE_LOGS; id++) {
        struct teak_log log;
        if (teak_log(store, id, &log, NULL) != TEAK_OK) continue;
        sum = (sum * 1000003) ^ (log.last.index * 31 + log.marks * 7 + log.hard.commit * 131 + log.first);
    }
    return sum;
}

/* Opens what was hurt, twice; writes; opens again as any store; drops what is marked. */
static void live_with_it(const struct rig *rig, const struct damage_model *model)
{
    struct teak_store *store;
    struct teak_error error = {0};
    if (getenv("TEAK_TEST_SAY")) print_message("%s\n", what);
    const uint64_t fingerprint = rig_fingerprint(rig);
    const enum teak_status refused = try_refuse(rig, &error);
    const enum teak_status status = try_quarantine(rig, &store, &error);
    if (status != TEAK_OK) {
        char text[512];
        teak_error_text(&error, text, sizeof text);
        fail_msg("%s: quarantine says %s (refuse: %s)", what, text, teak_status_name(refused));
    }
    const bool may_lack = report.logs_may_be_missing;
    if (refused == TEAK_OK) assert_int_not_equal(report.verdict, TEAK_VERDICT_QUARANTINED);
    if (refused != TEAK_OK) assert_int_equal(report.verdict, TEAK_VERDICT_QUARANTINED);
    const uint64_t seen = state_of(store);
    teak_abandon(store);
    assert_int_equal(rig_fingerprint(rig), fingerprint);
    if (refused == TEAK_OK) return; /* recovery_test has these */
    if (strstr(what, " file")) { /* short or gone: who only looks sees the same */
        struct teak_options looking = quarantine_options();
        looking.read_only = true;
        store = rig_open_with(rig, &looking, &report);
        assert_int_equal(state_of(store), seen);
        damage_expect(store, model, may_lack);
        rig_close(store);
    }
    store = open_quarantine(rig);
    assert_int_equal(state_of(store), seen);
    const uint32_t marked = damage_expect(store, model, may_lack);
    assert_int_equal(marked, report.quarantined);
    rig_create(store, 99);
    rig_append_synced(store, 99, 1, 3, 1, 200);
    const uint64_t written = state_of(store);
    assert_int_equal(written, seen);
    teak_abandon(store);
    if (try_refuse(rig, &error) != TEAK_OK) {
        char text[512];
        teak_error_text(&error, text, sizeof text);
        fail_msg("%s: after the first write: %s", what, text);
    }
    store = backend_open(rig);
    assert_int_equal(state_of(store), seen);
    damage_expect(store, model, may_lack);
    rig_expect_entries(store, 99, 1, 3);
    for (uint64_t id = 1; id <= DAMAGE_LOGS; id++) {
        struct teak_log log;
        if (teak_log(store, id, &log, NULL) != TEAK_OK || log.marks == 0) continue;
        rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = id});
        rig_create(store, id);
    }
    rig_append_synced(store, 99, 4, 30, 1, 5000);
    rig_close(store);
    expect_verified(rig);
    store = backend_open(rig);
    for (uint64_t id = 1; id <= DAMAGE_LOGS; id++) {
        struct teak_log log;
        if (teak_log(store, id, &log, NULL) == TEAK_OK) assert_int_equal(log.marks, 0);
    }
    rig_expect_entries(store, 99, 1, 30);
    rig_close(store);
}

/* With and without a segment that stands ready behind the newest frame: that says nothing of where the log ends. */
static void every_structure_everywhere(void **state)
{
    (void)state;
    const struct rig origin = rig_make("matrix0"), rig = rig_make("matrix");
    const struct damage_model model = damage_make(&origin, 9, 5000);
    uint64_t first, ready;
    rig_segments(&origin, &first, &ready);
    const uint64_t last = damage_newest(&origin);
    assert_int_equal(ready, last + 1);
    assert_true(last - first >= 3);
    const uint32_t places = backend_now == TEAK_BACKEND_URING ? 1 : 3; /* what is read decides, not who reads it */
    for (uint64_t segment = first; segment <= last; segment++)
        for (enum structure structure = HEAD; structure < STRUCTURES; structure++)
            for (uint32_t which = 0; which < places; which++)
                for (uint32_t variant = 0; variant < 4; variant++) {
                    const bool with_index = variant & 1, is_ready = variant & 2;
                    if (with_index && structure > PAYLOAD) continue;
                    if (is_ready && segment + 1 < last) continue;
                    rig_copy(&origin, &rig);
                    char name[64];
                    rig_segment_name(ready, name);
                    if (!is_ready) rig_unlink(&rig, name);
                    if (!hurt(&rig, segment, structure, which, with_index)) continue;
                    snprintf(what, sizeof what, "%s %u of segment %" PRIu64 "%s%s", structure_names[structure], which,
                             segment, with_index ? ", index lost" : "", is_ready ? ", the next one ready" : "");
                    live_with_it(&rig, &model);
                }
    rig_remove(origin.dir);
    rig_remove(rig.dir);
}

/* Wherever in its segment the newest frame stands, and whether it went to the disk together with the checkpoint before
 * it: then only the footer before them says that the checkpoint was durable. */
static void the_newest_frame_at_every_place(void **state)
{
    (void)state;
    if (backend_now == TEAK_BACKEND_URING) return; /* what is read decides, not who reads it */
    for (uint32_t i = 0; i < 6; i++) {
        const bool is_slow = i >= 4;
        const uint64_t frames = is_slow ? 2 * (i - 3) : i + 2;
        const struct rig origin = rig_make("place0"), rig = rig_make("place");
        const struct damage_model model = damage_make_ending(&origin, 4, 5000, frames, is_slow);
        const uint64_t last = damage_newest(&origin);
        for (uint64_t segment = last - 1; segment <= last; segment++)
            for (enum structure structure = HEAD; structure < STRUCTURES; structure++)
                for (uint32_t which = 0; which < 3; which++) {
                    rig_copy(&origin, &rig);
                    if (!hurt(&rig, segment, structure, which, false)) continue;
                    snprintf(what, sizeof what, "%" PRIu64 " frames%s, %s %u of segment %" PRIu64, frames,
                             is_slow ? " and marks" : "", structure_names[structure], which, segment);
                    live_with_it(&rig, &model);
                }
        rig_remove(origin.dir);
        rig_remove(rig.dir);
    }
}

/* Whole segments go: the file; every frame and the index; the end of the file with the index. */
enum ruin { RUIN_REMOVED, RUIN_MUTE, RUIN_SHORT, RUINS };

static void ruin(const struct rig *rig, uint64_t segment, enum ruin how)
{
    struct found_frame frames[16];
    char name[64];
    const uint32_t count = damage_frames(rig, segment, frames, 16);
    assert_true(count > 0);
    rig_segment_name(segment, name);
    switch (how) {
    case RUIN_REMOVED: rig_unlink(rig, name); return;
    case RUIN_MUTE: rig_zero(rig, name, RIG_BLOCK, RIG_SEGMENT - RIG_BLOCK); return;
    case RUIN_SHORT: rig_truncate(rig, name, frames[count - 1].offset + frames[count - 1].bytes); return;
    case RUINS: break;
    }
}

/* Each pair of segments, each in every way: what lies between two that are lost, and who attests whose end. */
static void two_segments_at_once(void **state)
{
    (void)state;
    if (backend_now == TEAK_BACKEND_URING) return; /* what is read decides, not who reads it */
    const struct rig origin = rig_make("pairs0"), rig = rig_make("pairs");
    const struct damage_model model = damage_make(&origin, 9, 5000);
    uint64_t first, ready;
    rig_segments(&origin, &first, &ready);
    const uint64_t last = damage_newest(&origin);
    assert_true(last - first >= 3);
    for (uint64_t one = first; one < last; one++)
        for (uint64_t other = one + 1; other <= last; other++)
            for (uint32_t ways = 0; ways < RUINS * RUINS; ways++) {
                rig_copy(&origin, &rig);
                snprintf(what, sizeof what, "segments %" PRIu64 " and %" PRIu64 " file, ways %u and %u", one, other,
                         ways % RUINS, ways / RUINS);
                ruin(&rig, one, (enum ruin)(ways % RUINS));
                ruin(&rig, other, (enum ruin)(ways / RUINS));
                live_with_it(&rig, &model);
            }
    rig_remove(origin.dir);
    rig_remove(rig.dir);
}

/* All that is left is a file that nothing was written into yet: that is no store without logs. */
static void what_was_only_made_ready_is_no_store(void **state)
{
    (void)state;
    const struct rig rig = rig_make("ready");
    (void)damage_make(&rig, 9, 5000);
    uint64_t first, ready;
    rig_segments(&rig, &first, &ready);
    assert_int_equal(ready, damage_newest(&rig) + 1);
    for (uint64_t number = first; number < ready; number++) {
        char name[64];
        rig_segment_name(number, name);
        rig_unlink(&rig, name);
    }
    const uint64_t fingerprint = rig_fingerprint(&rig);
    struct teak_store *store;
    struct teak_error error = {0};
    assert_int_equal(try_quarantine(&rig, &store, &error), TEAK_SEGMENT_MISSING);
    assert_null(store);
    assert_int_equal(rig_fingerprint(&rig), fingerprint);
    rig_remove(rig.dir);
}

/* Every operation of the first write fails in its turn, and the process ends there: the next opening shows the same,
 * and its first write gets through. */
static void a_repair_cut_short_is_begun_again(void **state)
{
    (void)state;
    const struct rig origin = rig_make("cut0"), rig = rig_make("cut");
    const struct damage_model model = damage_make_ending(&origin, 5, 5000, 4, false);
    uint64_t first, last;
    rig_segments(&origin, &first, &last);
    last = damage_newest(&origin);
    static const enum disk_kind kinds[] = {DISK_WRITE,  DISK_SYNC,     DISK_SYNC_ALL,
                                           DISK_RENAME, DISK_ALLOCATE, DISK_MKDIR};
    for (int shape = 0; shape < (backend_now == TEAK_BACKEND_URING ? 1 : 3); shape++)
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            bool struck = true;
            for (uint64_t nth = 1; struck && nth < 64; nth++) {
                snprintf(what, sizeof what, "shape %d, operation kind %d, number %" PRIu64, shape, (int)kinds[k], nth);
                rig_remove(rig.dir);
                rig_copy(&origin, &rig);
                if (shape == 0) assert_true(hurt(&rig, last, TABLE, 1, false)); /* not the last frame: no cut */
                if (shape == 1) assert_true(hurt(&rig, first, REMOVED, 0, false));
                if (shape == 2) assert_true(hurt(&rig, last - 1, TRUNCATED, 1, false));
                const struct teak_options options = quarantine_options();
                struct faulty *faulty;
                struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
                const uint64_t seen = state_of(store);
                faulty->chores_too = true;
                faulty_arm(faulty, kinds[k], nth, EIO);
                struct teak_error error = {0};
                const enum teak_status status = teak_barrier(store, 1, &error);
                struck = faulty->struck > 0;
                if (struck && status == TEAK_OK) struck = nth < 3; /* a chore of the pool: it is tried again */
                teak_abandon(store);
                store = open_quarantine(&rig);
                assert_int_equal(state_of(store), seen);
                damage_expect(store, &model, report.logs_may_be_missing);
                rig_ok(teak_barrier(store, 2, &error), &error);
                rig_close(store);
                store = backend_open(&rig);
                assert_int_equal(state_of(store), seen);
                rig_close(store);
                expect_verified(&rig);
            }
        }
    rig_remove(origin.dir);
    rig_remove(rig.dir);
}

/* ---- all of it is told ---- */

struct told {
    struct teak_damage list[256];
    uint32_t count;
};

static void on_damage(void *context, const struct teak_damage *damage)
{
    struct told *told = context;
    assert_true(told->count < sizeof told->list / sizeof told->list[0]);
    told->list[told->count++] = *damage;
}

static bool was_told(const struct told *told, const struct found_frame *frame)
{
    for (uint32_t i = 0; i < told->count; i++)
        if (told->list[i].segment == frame->segment && told->list[i].offset == frame->offset) return true;
    return false;
}

/* Payloads of the frames [1, count - 2) of a segment that hold an entry; adds them to `hurt`. */
static uint32_t hurt_segment(const struct rig *rig, uint64_t segment, struct found_frame *hurt)
{
    struct found_frame frames[16];
    const uint32_t count = damage_frames(rig, segment, frames, 16);
    uint32_t done = 0;
    for (uint32_t i = 1; i + 2 < count; i++) {
        if (frames[i].entries == 0) continue;
        flip(rig, segment, frames[i].offset + HEAD_BYTES + 9);
        hurt[done++] = frames[i];
    }
    return done;
}

static void every_damaged_place_is_told(void **state)
{
    (void)state;
    const struct rig rig = rig_make("told");
    struct found_frame hurt[256], frames[16];
    (void)damage_make(&rig, 40, 2000);
    uint64_t first, newest, next = 41;
    struct teak_store *store = backend_open(&rig);
    do { /* the newest one gets frames enough */
        rig_append_synced(store, 1, next, next, 1, 2000);
        next++;
        rig_segments(&rig, &first, &newest);
        while (damage_frames(&rig, newest, frames, 16) == 0) newest--; /* made ready, not begun */
    } while (damage_frames(&rig, newest, frames, 16) < 8);
    teak_abandon(store);
    static struct teak_segment_info segments[64];
    store = rig_open_read_only(&rig, &report);
    const uint32_t segment_count = teak_inspect_segments(store, 0, segments, 64);
    rig_close(store);
    uint32_t hurt_count = 0;
    for (uint32_t i = 0; i < segment_count; i++)
        if (segments[i].state == TEAK_SEGMENT_SEALED)
            hurt_count += hurt_segment(&rig, segments[i].number, hurt + hurt_count);
    assert_true(hurt_count > TEAK_DAMAGE_MAX);
    struct teak_error error = {0};
    struct teak_verify_result result;
    struct told *told = calloc(1, sizeof *told);
    assert_non_null(told);
    store = rig_open_read_only(&rig, &report);
    assert_int_equal(teak_verify_each(store, on_damage, &result, NULL, told, &error), TEAK_DAMAGED);
    assert_int_equal(told->count, hurt_count);
    assert_int_equal(result.damage_count, hurt_count);
    for (uint32_t i = 0; i < hurt_count; i++) assert_true(was_told(told, &hurt[i]));
    assert_int_equal(teak_verify(store, told->list, 256, &result, NULL, NULL, &error), TEAK_DAMAGED);
    for (uint32_t i = 0; i < hurt_count; i++) assert_true(was_told(told, &hurt[i]));
    rig_close(store);
    /* in the tail an opening meets them: it names all, not the first */
    const uint32_t in_tail = hurt_segment(&rig, newest, hurt + hurt_count);
    assert_true(in_tail > 1);
    assert_int_equal(try_refuse(&rig, &error), TEAK_DAMAGED);
    assert_int_equal(error.offset, hurt[hurt_count].offset);
    assert_int_equal(report.damage_count, in_tail);
    struct told *listed = calloc(1, sizeof *listed);
    assert_non_null(listed);
    for (uint32_t i = 0; i < in_tail; i++) on_damage(listed, &report.damage[i]);
    for (uint32_t i = 0; i < in_tail; i++) assert_true(was_told(listed, &hurt[hurt_count + i]));
    struct teak_options options = quarantine_options();
    options.read_only = true;
    store = rig_open_with(&rig, &options, &report);
    struct teak_damage page[3];
    listed->count = 0;
    for (uint32_t got; (got = teak_damages(store, listed->count, page, 3)) > 0;)
        for (uint32_t i = 0; i < got; i++) on_damage(listed, &page[i]);
    assert_int_equal(listed->count, report.damage_count);
    for (uint32_t i = 0; i < in_tail; i++) assert_true(was_told(listed, &hurt[hurt_count + i]));
    told->count = 0;
    assert_int_equal(teak_verify_each(store, on_damage, &result, NULL, told, &error), TEAK_DAMAGED);
    for (uint32_t i = 0; i < hurt_count + in_tail; i++) assert_true(was_told(told, &hurt[i]));
    rig_close(store);
    free(listed);
    free(told);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newest_segment_of_which_no_frame_is_left_hurts_every_log),
        cmocka_unit_test(a_rotten_summary_and_a_rotten_frame_in_one_segment),
        cmocka_unit_test(a_rotten_payload_hurts_its_log_alone),
        cmocka_unit_test(a_rotten_table_makes_every_log_suspect_but_those_born_behind_it),
        cmocka_unit_test(an_entry_that_a_lost_frame_replaced_is_not_taken_for_whole),
        cmocka_unit_test(a_log_born_behind_what_is_lost_is_hurt_by_its_own_rot_alone),
        cmocka_unit_test(what_was_compacted_since_is_no_loss),
        cmocka_unit_test(every_damaged_place_is_told),
        cmocka_unit_test(every_structure_everywhere),
        cmocka_unit_test(the_newest_frame_at_every_place),
        cmocka_unit_test(two_segments_at_once),
        cmocka_unit_test(what_was_only_made_ready_is_no_store),
        cmocka_unit_test(a_repair_cut_short_is_begun_again),
    };
    return backends_run(argc, argv, "quarantine", tests, sizeof tests / sizeof tests[0]);
}
