/* lied_to_test.c: what the lies of the simulated disk found, made by hand: a frame of a sealed segment that is not
 * there does not bring back what it replaced; what is refused names LSNs in their order.
 */
#include "store/damage.h"
#include "store/store.h"

enum { OLD_BYTES = 100, NEW_BYTES = 200, FRAMES_MAX = 64 };

/* Entries 1 to 3 of log 1, and others in their place, of the same term or a higher one; then another log fills the
 * segment and the next ones. Where the replacing frame lies. */
static struct found_frame make_replaced(const struct rig *rig, uint64_t term)
{
    struct teak_store *store = backend_open(rig);
    rig_create(store, 1);
    rig_create(store, 2);
    rig_append_synced(store, 1, 1, 3, 1, OLD_BYTES);
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 1});
    rig_append(store, 1, 1, 3, term, NEW_BYTES);
    rig_drain(store);
    rig_append_synced(store, 2, 1, 60, 1, 1000);
    rig_close(store);
    struct found_frame frames[FRAMES_MAX];
    const uint32_t count = damage_frames(rig, 1, frames, FRAMES_MAX);
    uint32_t at = 0;
    while (at < count && frames[at].entries != 3) at++;
    assert_true(at < count);
    return frames[at];
}

static void expect_rot(const struct rig *rig)
{
    struct teak_store *store = backend_open(rig);
    struct teak_cursor *cursor;
    struct teak_entry entries[8];
    struct teak_error error = {0};
    uint32_t count;
    assert_int_equal(segment_at(&store->segments, 1)->state, SEGMENT_SEALED);
    rig_ok(teak_cursor_open(store, 1, 1, &cursor, &error), &error);
    assert_int_equal(teak_cursor_read(cursor, 1 << 20, entries, 8, &count, &error), TEAK_HASH_MISMATCH);
    assert_int_equal(error.log, 1);
    assert_int_equal(error.index, 1);
    teak_cursor_close(cursor);
    rig_expect_entries(store, 2, 1, 60);
    teak_abandon(store);
}

static void what_was_replaced_does_not_come_back(void **state)
{
    (void)state;
    for (uint64_t term = 1; term <= 2; term++) {
        const struct rig rig = rig_make("lied_to");
        const struct found_frame frame = make_replaced(&rig, term);
        char name[64];
        rig_segment_name(frame.segment, name);
        rig_zero(&rig, name, frame.offset + frame.table_offset, frame.table_bytes);
        struct teak_store *store = backend_open(&rig); /* the payloads are there: slots alone say where */
        rig_expect_entries(store, 1, 1, 3);
        teak_abandon(store);
        rig_zero(&rig, name, frame.offset, frame.bytes); /* the write was lost */
        expect_rot(&rig);
        rig_remove(rig.dir);
    }
}

static void a_lost_checkpoint_is_named_by_its_lsn(void **state)
{
    (void)state;
    const struct rig rig = rig_make("lied_to");
    (void)make_replaced(&rig, 1);
    uint64_t first, last;
    char name[64];
    rig_segments(&rig, &first, &last);
    struct found_frame frames[FRAMES_MAX];
    while (last > first && damage_frames(&rig, last, frames, FRAMES_MAX) == 0) last--; /* the next one is ready */
    assert_true(last > first);
    rig_segment_name(last, name);
    rig_zero(&rig, name, RIG_BLOCK, RIG_SEGMENT - RIG_BLOCK); /* nothing is left that could vouch */
    static struct teak_report report;
    struct teak_error error = {0};
    struct teak_store *store;
    const struct teak_options options = backend_options();
    assert_int_equal(rig_try_open(&rig, &options, &store, &report, &error), TEAK_DAMAGED);
    assert_int_equal(report.damage_count, 1);
    assert_int_equal(report.damage[0].segment, last);
    assert_int_equal(report.damage[0].first_lsn, frames[0].lsn);
    assert_int_equal(report.damage[0].last_lsn, frames[0].lsn);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_replaced_does_not_come_back),
        cmocka_unit_test(a_lost_checkpoint_is_named_by_its_lsn),
    };
    return backends_run(argc, argv, "lied_to", tests, sizeof tests / sizeof tests[0]);
}
