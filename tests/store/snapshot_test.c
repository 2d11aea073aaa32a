/* snapshot_test.c: snapshots streamed in, put in force, streamed out: alone, beside commits, and through crashes. */
#include "store/snapshot_rig.h"

static void a_snapshot_comes_in_pieces_and_goes_out_whole(void **state)
{
    (void)state;
    const uint64_t sizes[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 4 * CHUNK + 1, 9 * CHUNK + 777};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct rig rig = rig_make("snapshot");
        struct teak_store *store = backend_open(&rig);
        rig_create(store, 1);
        rig_append(store, 1, 1, 20, 1, 100);
        put_snapshot(store, 1, 20, 1, 42, sizes[i], keep_nothing);
        expect_snapshot(store, 1, 20, 42, sizes[i]);
        assert_int_equal(rig_log(store, 1).first, 21);
        rig_close(store);
        struct teak_report report;
        const struct teak_options options = backend_options();
        store = rig_open_with(&rig, &options, &report);
        assert_int_equal(report.snapshot_files, 1);
        assert_int_equal(report.snapshots_missing, 0);
        expect_snapshot(store, 1, 20, 42, sizes[i]);
        assert_true(rig_log(store, 1).snapshot_file_bytes > sizes[i]);
        rig_close(store);
        store = rig_open_read_only(&rig, NULL);
        expect_snapshot(store, 1, 20, 42, sizes[i]);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

static void what_is_ahead_empties_the_log_and_what_matches_keeps_its_tail(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    for (uint64_t log = 1; log <= 3; log++) {
        rig_create(store, log);
        rig_append(store, log, 1, 20, 2, 100);
    }
    put_snapshot(store, 1, 100, 3, 1, 5000, keep_all); /* ahead */
    assert_int_equal(rig_log(store, 1).first, 101);
    assert_int_equal(rig_log(store, 1).last.index, 100);
    assert_int_equal(rig_log(store, 1).last.term, 3);
    put_snapshot(store, 2, 15, 2, 2, 5000, keep_nothing); /* matches */
    assert_int_equal(rig_log(store, 2).first, 16);
    assert_int_equal(rig_log(store, 2).last.index, 20);
    put_snapshot(store, 3, 15, 1, 3, 5000, keep_all); /* another term there: another history */
    assert_int_equal(rig_log(store, 3).first, 16);
    assert_int_equal(rig_log(store, 3).last.index, 15);
    rig_append(store, 1, 101, 105, 3, 100);
    rig_append(store, 3, 16, 18, 3, 100);
    rig_close(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 1, 101, 105);
    rig_expect_entries(store, 2, 16, 20);
    rig_expect_entries(store, 3, 16, 18);
    for (uint64_t log = 1; log <= 3; log++)
        expect_snapshot(store, log, log == 1 ? 100 : 15, log, 5000);
    rig_close(store);
    rig_remove(rig.dir);
}

static void trailing_entries_stay_by_count_and_by_bytes(void **state)
{
    (void)state;
    const struct { struct teak_trailing keep; uint64_t first; } rows[] = {
        {{0, UINT64_MAX}, 41},      {{7, UINT64_MAX}, 34}, {{100, UINT64_MAX}, 1}, {{UINT64_MAX, 1000}, 31},
        {{UINT64_MAX, 1099}, 31},   {{3, 1000}, 38},       {{20, 1000}, 31},       {{UINT64_MAX, 0}, 41},
        {{UINT64_MAX, UINT64_MAX}, 1}, {{UINT64_MAX, 1 << 20}, 1},
    };
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    for (uint64_t log = 1; log <= sizeof rows / sizeof rows[0]; log++) {
        rig_create(store, log);
        rig_append(store, log, 1, 50, 1, 100);
        uint64_t index;
        struct teak_error error = {0};
        rig_ok(teak_trailing_index(store, log, 40, rows[log - 1].keep, &index, &error), &error);
        assert_int_equal(index + 1, rows[log - 1].first);
        put_snapshot(store, log, 40, 1, log, 100, rows[log - 1].keep);
        rig_expect_entries(store, log, rows[log - 1].first, 50);
    }
    uint64_t index;
    assert_int_equal(teak_trailing_index(store, 99, 1, keep_all, &index, NULL), TEAK_UNKNOWN_LOG);
    assert_int_equal(teak_trailing_index(store, 1, 51, keep_all, &index, NULL), TEAK_BEYOND);
    assert_int_equal(teak_trailing_index(store, 1, 12, keep_all, &index, NULL), TEAK_OK);
    assert_int_equal(index, 40); /* below the base there is nothing to compact */
    rig_close(store);
    rig_remove(rig.dir);
}

static void an_interrupted_stream_goes_on(void **state)
{
    (void)state;
    const uint64_t bytes = 10 * CHUNK + 5;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    const struct teak_snapshot_offer offer = offer_of(1, 50, 1, 9, bytes);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    assert_int_equal(offset_in(writer), 0);
    write_in(writer, 9, 3 * CHUNK + 100);
    teak_snapshot_suspend(writer); /* and on in the same opening */
    writer = begin_in(store, &offer);
    assert_int_equal(offset_in(writer), 3 * CHUNK);
    write_in(writer, 9, 7 * CHUNK + 1);
    teak_snapshot_suspend(writer);
    rig_close(store);
    store = backend_open(&rig); /* and in the next one */
    rig_append(store, 1, 1, 10, 1, 100);
    rig_drain(store);
    expect_files(store, &rig, 0, 1);
    writer = begin_in(store, &offer);
    assert_int_equal(offset_in(writer), 7 * CHUNK);
    write_in(writer, 9, bytes);
    install(store, writer, keep_nothing);
    expect_snapshot(store, 1, 50, 9, bytes);
    expect_files(store, &rig, 1, 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void another_name_position_length_or_meta_begins_anew(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    const struct teak_snapshot_offer first = offer_of(1, 50, 1, 9, TEAK_SNAPSHOT_UNKNOWN);
    struct teak_snapshot_offer others[6];
    for (int i = 0; i < 6; i++) others[i] = first;
    others[0].stream = 10;
    others[1].pos.index = 51;
    others[2].pos.term = 2;
    others[3].body_bytes = 20 * CHUNK;
    others[4].meta = "other meta";
    others[5].meta_bytes = 9;
    for (int i = 0; i < 6; i++) {
        struct teak_snapshot_writer *writer = begin_in(store, &first);
        assert_int_equal(offset_in(writer), 0);
        write_in(writer, 9, 5 * CHUNK);
        teak_snapshot_suspend(writer);
        writer = begin_in(store, &first);
        assert_int_equal(offset_in(writer), 5 * CHUNK);
        teak_snapshot_suspend(writer);
        writer = begin_in(store, &others[i]);
        assert_int_equal(offset_in(writer), 0);
        teak_snapshot_abort(writer);
        expect_files(store, &rig, 0, 0);
    }
    /* one that was aborted is not gone on with, even if its file is still there */
    struct teak_snapshot_writer *writer = begin_in(store, &first);
    write_in(writer, 9, 5 * CHUNK);
    teak_snapshot_abort(writer);
    writer = begin_in(store, &first);
    assert_int_equal(offset_in(writer), 0);
    teak_snapshot_abort(writer);
    expect_files(store, &rig, 0, 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void crashed_at_every_operation_either_snapshot_is_in_force_and_whole(void **state)
{
    (void)state;
    const uint64_t bytes = 5 * CHUNK + 99;
    bool was_old = false, was_new = false;
    for (uint64_t n = 0;; n++) {
        const struct rig rig = rig_make("snapshot");
        struct teak_store *store = open_dying(&rig);
        rig_create(store, 1);
        rig_append(store, 1, 1, 30, 1, 100);
        put_snapshot(store, 1, 10, 1, 1, 70000, keep_nothing);
        rig_drain(store);
        die_after(n);
        const struct teak_snapshot_offer offer = offer_of(1, 20, 1, 2, bytes);
        struct teak_snapshot_writer *writer;
        enum teak_status status = teak_snapshot_begin(store, &offer, &writer, NULL);
        if (status == TEAK_OK) status = try_write_in(writer, 2, bytes);
        if (status == TEAK_OK)
            status = try_install(store, writer, keep_nothing);
        else if (writer)
            teak_snapshot_suspend(writer);
        for (int i = 0; i < 20 && !dying.is_dead; i++) teak_poll(store, 1000000, NULL, 0, NULL, NULL);
        const bool is_over = !dying.is_dead;
        teak_abandon(store);

        store = backend_open(&rig);
        const bool is_new = rig_log(store, 1).snapshot.index == 20;
        if (status == TEAK_OK) assert_true(is_new);
        was_old |= !is_new;
        was_new |= is_new;
        expect_snapshot(store, 1, is_new ? 20 : 10, is_new ? 2 : 1, is_new ? bytes : 70000);
        rig_expect_entries(store, 1, is_new ? 21 : 11, 30);
        rig_append(store, 1, 31, 31, 1, 100);
        rig_drain(store);
        if (!is_new) { /* it goes on where it was, and comes to the same end */
            writer = begin_in(store, &offer);
            assert_int_equal(offset_in(writer) % CHUNK, 0);
            write_in(writer, 2, bytes);
            install(store, writer, keep_nothing);
            expect_snapshot(store, 1, 20, 2, bytes);
        }
        expect_files(store, &rig, 1, 0);
        rig_close(store);
        rig_remove(rig.dir);
        if (is_over) break;
        assert_in_range(n, 0, 200);
    }
    assert_true(was_old && was_new);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_comes_in_pieces_and_goes_out_whole),
        cmocka_unit_test(what_is_ahead_empties_the_log_and_what_matches_keeps_its_tail),
        cmocka_unit_test(trailing_entries_stay_by_count_and_by_bytes),
        cmocka_unit_test(an_interrupted_stream_goes_on),
        cmocka_unit_test(another_name_position_length_or_meta_begins_anew),
        cmocka_unit_test(crashed_at_every_operation_either_snapshot_is_in_force_and_whole),
    };
    return backends_run(argc, argv, "snapshot", tests, sizeof tests / sizeof tests[0]);
}
