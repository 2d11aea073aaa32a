/* snapshot_test.c: snapshots streamed in, put in force, streamed out: alone, beside commits, and through crashes. */
#include <pthread.h>
#include <stdatomic.h>

#include "store/snapshot_rig.h"
#include "teak/memory.h"

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

/* The largest blocks and the largest meta: head, last chunk and foot take whole blocks. */
static void blocks_and_meta_may_be_large(void **state)
{
    (void)state;
    static uint8_t meta[TEAK_SNAPSHOT_META_MAX], piece[5 * CHUNK];
    body_fill(meta, 5, 0, sizeof meta);
    const uint64_t sizes[] = {0, 1, CHUNK, 4 * CHUNK + 3};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        const uint64_t bytes = sizes[i / 2];
        const struct rig rig = rig_make("snapshot");
        struct teak_options options = backend_options();
        options.block_bytes = BLOCK_BYTES_MAX;
        options.segment_bytes = 1 << 20;
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        rig_create(store, 1);
        struct teak_snapshot_offer offer = offer_of(1, 20, 1, 42, i % 2 ? bytes : TEAK_SNAPSHOT_UNKNOWN);
        offer.meta = meta;
        offer.meta_bytes = sizeof meta;
        struct teak_snapshot_writer *writer = begin_in(store, &offer);
        write_in(writer, 42, bytes);
        teak_snapshot_suspend(writer);
        writer = begin_in(store, &offer);
        assert_int_equal(offset_in(writer), bytes / CHUNK * CHUNK);
        write_in(writer, 42, bytes);
        install(store, writer, keep_nothing);
        struct teak_snapshot_reader *reader = open_out(store, 1);
        struct teak_snapshot_info info;
        struct teak_error error = {0};
        rig_ok(teak_snapshot_info(reader, &info, &error), &error);
        assert_int_equal(info.meta_bytes, sizeof meta);
        assert_memory_equal(info.meta, meta, sizeof meta);
        uint64_t got;
        rig_ok(teak_snapshot_read(reader, 0, piece, sizeof piece, &got, &error), &error);
        assert_int_equal(got, bytes);
        for (uint64_t at = 0; at < bytes; at++)
            if (piece[at] != body_byte(42, at)) fail_msg("byte %u", (unsigned)at);
        for (uint64_t at = bytes; at-- > 0 && at + 70 > bytes;) { /* backwards, a byte at a time */
            rig_ok(teak_snapshot_read(reader, at, piece, 1, &got, &error), &error);
            assert_int_equal(got, 1);
            assert_int_equal(piece[0], body_byte(42, at));
        }
        rig_ok(teak_snapshot_read(reader, UINT64_MAX, piece, 1, &got, &error), &error);
        assert_int_equal(got, 0);
        teak_snapshot_close(reader);
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

/* What stands behind the whole chunks is of no use, and must not be there when the stream ends before it. */
static void what_an_interrupted_stream_left_behind_is_cut_off(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    const struct teak_snapshot_offer offer = offer_of(1, 50, 1, 9, TEAK_SNAPSHOT_UNKNOWN);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 9, 8 * CHUNK);
    teak_snapshot_suspend(writer);
    rig_flip(&rig, "snapshots/1.part", 4096 + 2 * SNAPSHOT_CHUNK + 5000, 1);
    writer = begin_in(store, &offer);
    assert_int_equal(offset_in(writer), 2 * CHUNK);
    write_in(writer, 9, 3 * CHUNK + 1);
    install(store, writer, keep_nothing);
    expect_snapshot(store, 1, 50, 9, 3 * CHUNK + 1);
    rig_close(store);
    store = backend_open(&rig);
    expect_snapshot(store, 1, 50, 9, 3 * CHUNK + 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- who is refused, and why ---- */

static void refused(struct teak_store *store, struct teak_snapshot_offer offer, enum teak_status wanted)
{
    struct teak_snapshot_writer *writer = NULL;
    struct teak_error error = {0};
    assert_int_equal(teak_snapshot_begin(store, &offer, &writer, &error), wanted);
    assert_int_equal(error.status, wanted);
    assert_null(writer);
}

static void what_cannot_be_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_create(store, 2);
    rig_append(store, 1, 1, 30, 5, 100);
    rig_append(store, 2, 1, 30, 5, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 2, .index = 20});
    put_snapshot(store, 1, 10, 5, 1, 100, keep_all);
    const struct teak_snapshot_offer good = offer_of(1, 20, 5, 1, 100);
    struct teak_snapshot_offer bad = good;
    bad.pos.index = 0;
    refused(store, bad, TEAK_INDEX_ZERO);
    bad.pos.index = UINT64_MAX;
    refused(store, bad, TEAK_INVALID);
    bad = good;
    bad.meta = NULL;
    refused(store, bad, TEAK_INVALID);
    bad = good;
    bad.meta_bytes = TEAK_SNAPSHOT_META_MAX + 1;
    refused(store, bad, TEAK_INVALID);
    bad = good;
    bad.body_bytes = TEAK_SNAPSHOT_BODY_MAX + 1;
    refused(store, bad, TEAK_INVALID);
    refused(store, offer_of(99, 20, 5, 1, 100), TEAK_UNKNOWN_LOG);
    refused(store, offer_of(1, 9, 5, 1, 100), TEAK_BELOW_SNAPSHOT);
    refused(store, offer_of(1, 10, 5, 1, 100), TEAK_BELOW_SNAPSHOT);
    refused(store, offer_of(2, 19, 5, 1, 100), TEAK_BELOW_SNAPSHOT); /* below the base */
    bad = offer_of(1, 10, 6, 1, 100); /* at the boundary, but not the one that is there */
    bad.replace = true;
    refused(store, bad, TEAK_BELOW_SNAPSHOT);

    struct teak_error error = {0};
    struct teak_snapshot_writer *writer = begin_in(store, &good);
    assert_int_equal(teak_snapshot_write(writer, 1, "x", 1, &error), TEAK_GAP);
    assert_int_equal(error.expected, 0);
    assert_int_equal(teak_snapshot_write(writer, 0, NULL, 1, &error), TEAK_INVALID);
    write_in(writer, 1, 60);
    assert_int_equal(teak_snapshot_write(writer, 61, "x", 1, &error), TEAK_GAP);
    assert_int_equal(error.expected, 60);
    uint8_t piece[101];
    body_fill(piece, 1, 0, 101);
    assert_int_equal(teak_snapshot_write(writer, 0, piece, 60, &error), TEAK_OK); /* again */
    assert_int_equal(offset_in(writer), 60);
    assert_int_equal(teak_snapshot_write(writer, 0, piece, 101, &error), TEAK_INVALID); /* longer than announced */
    assert_int_equal(teak_snapshot_write(writer, UINT64_MAX, piece, 1, &error), TEAK_GAP);
    assert_int_equal(teak_snapshot_install(writer, keep_all, 1, &error), TEAK_GAP);
    assert_int_equal(error.expected, 60);
    assert_int_equal(teak_snapshot_write(writer, 30, piece + 30, 70, &error), TEAK_OK); /* partly again */
    assert_int_equal(offset_in(writer), 100);
    install(store, writer, keep_all);
    expect_snapshot(store, 1, 20, 1, 100);

    struct teak_snapshot_reader *reader;
    assert_int_equal(teak_snapshot_open(store, 99, &reader, &error), TEAK_UNKNOWN_LOG);
    assert_int_equal(teak_snapshot_open(store, 2, &reader, &error), TEAK_NOT_FOUND);
    assert_null(reader);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 1, .index = 25, .term = 5}); /* the caller keeps it */
    assert_int_equal(teak_snapshot_open(store, 1, &reader, &error), TEAK_NOT_FOUND);
    rig_drain(store);
    expect_files(store, &rig, 0, 0);
    rig_expect_entries(store, 1, 1, 30);
    rig_close(store);
    store = rig_open_read_only(&rig, NULL);
    refused(store, offer_of(1, 30, 5, 1, 100), TEAK_READ_ONLY);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_snapshot_of_a_former_life_is_gone(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 7);
    const struct teak_snapshot_offer offer = offer_of(7, 20, 5, 1, 3 * CHUNK);
    struct teak_error error = {0};
    /* dropped while it is streamed in */
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 1, 3 * CHUNK);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 7});
    assert_int_equal(teak_snapshot_install(writer, keep_all, 1, &error), TEAK_LOG_GONE);
    rig_create(store, 7);
    assert_int_equal(teak_snapshot_install(writer, keep_all, 1, &error), TEAK_LOG_GONE);
    teak_snapshot_abort(writer);
    expect_files(store, &rig, 0, 0);
    /* dropped, and created anew, while it is installed */
    writer = begin_in(store, &offer);
    write_in(writer, 1, 3 * CHUNK);
    faulty->holds_chores = true;
    rig_ok(teak_snapshot_install(writer, keep_all, 5, &error), &error);
    rig_ok(teak_poll(store, 0, NULL, 0, NULL, &error), &error);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 7});
    rig_create(store, 7);
    faulty_release_all(faulty);
    assert_int_equal(wait_for(store, 5), TEAK_LOG_GONE);
    assert_int_equal(rig_log(store, 7).snapshot.index, 0);
    expect_files(store, &rig, 0, 0);
    /* what was suspended goes when its log does, and a part of the new life is left alone */
    writer = begin_in(store, &offer);
    write_in(writer, 1, 2 * CHUNK);
    teak_snapshot_suspend(writer);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 7});
    rig_drain(store);
    expect_files(store, &rig, 0, 0);
    rig_create(store, 7);
    writer = begin_in(store, &offer);
    write_in(writer, 1, 2 * CHUNK);
    teak_snapshot_suspend(writer);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 7});
    rig_create(store, 7);
    writer = begin_in(store, &offer); /* before the cleaner has come to it */
    assert_int_equal(offset_in(writer), 0);
    write_in(writer, 1, 3 * CHUNK);
    rig_drain(store);
    for (int i = 0; i < 50; i++) rig_ok(teak_poll(store, 1000000, NULL, 0, NULL, &error), &error);
    install(store, writer, keep_all);
    expect_snapshot(store, 7, 20, 1, 3 * CHUNK);
    /* history 24: the cleaner of the DROP comes when the new life has installed one for the same position */
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 7});
    rig_create(store, 7);
    put_snapshot(store, 7, 20, 5, 2, 100, keep_all);
    rig_drain(store);
    expect_files(store, &rig, 1, 0);
    expect_snapshot(store, 7, 20, 2, 100);
    rig_close(store);
    store = backend_open(&rig);
    expect_snapshot(store, 7, 20, 2, 100);
    rig_close(store);
    rig_remove(rig.dir);
}

static void one_that_became_stale_changes_nothing(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_append(store, 1, 1, 40, 1, 100);
    const struct teak_snapshot_offer offer = offer_of(1, 20, 1, 1, CHUNK);
    struct teak_error error = {0};
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 1, CHUNK);
    faulty->holds_chores = true;
    rig_ok(teak_snapshot_install(writer, keep_nothing, 5, &error), &error);
    rig_ok(teak_poll(store, 0, NULL, 0, NULL, &error), &error);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 1, .index = 30, .term = 1});
    faulty_release_all(faulty);
    assert_int_equal(wait_for(store, 5), TEAK_BELOW_SNAPSHOT);
    rig_expect_entries(store, 1, 1, 40);
    assert_int_equal(rig_log(store, 1).snapshot.index, 30);
    expect_files(store, &rig, 0, 0);
    /* drain says what it dropped */
    const struct teak_snapshot_offer later = offer_of(1, 35, 1, 1, CHUNK);
    writer = begin_in(store, &later);
    write_in(writer, 1, CHUNK);
    rig_ok(teak_snapshot_install(writer, keep_nothing, 6, &error), &error);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 1, .index = 36, .term = 1});
    assert_int_equal(teak_drain(store, &error), TEAK_BELOW_SNAPSHOT);
    assert_int_equal(teak_drain(store, &error), TEAK_OK);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- what goes, and when ---- */

static void an_old_file_goes_when_the_new_record_is_durable_and_who_reads_it_reads_on(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    put_snapshot(store, 1, 10, 1, 1, 6 * CHUNK, keep_nothing);
    struct teak_snapshot_reader *reader = open_out(store, 1);
    const struct teak_snapshot_offer offer = offer_of(1, 20, 1, 2, 100);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 2, 100);
    faulty->holds_writes = true; /* frames do not land; chores do */
    struct teak_error error = {0};
    rig_ok(teak_snapshot_install(writer, keep_nothing, 5, &error), &error);
    for (struct rig_patience patience = {0}; rig_log(store, 1).snapshot.index != 20 && rig_waits(&patience);)
        rig_ok(teak_poll(store, 1000000, NULL, 0, NULL, &error), &error);
    for (int i = 0; i < 50; i++) rig_ok(teak_poll(store, 1000000, NULL, 0, NULL, &error), &error);
    assert_int_equal(rig_log(store, 1).snapshot.index, 20); /* admitted, not durable */
    assert_int_equal(files_in(&rig, ".snap", NULL), 2);
    faulty_release_all(faulty);
    assert_int_equal(wait_for(store, 5), TEAK_OK);
    expect_files(store, &rig, 1, 0);
    expect_body(reader, 1, 6 * CHUNK);
    expect_snapshot(store, 1, 20, 2, 100);
    teak_snapshot_close(reader);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 1});
    rig_drain(store);
    expect_files(store, &rig, 0, 0);
    struct teak_stats stats;
    teak_stats(store, &stats);
    assert_int_equal(stats.snapshots_installed, 2);
    assert_int_equal(stats.snapshot_files, 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void opening_removes_nothing_and_the_first_chores_what_no_record_names(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    for (uint64_t log = 1; log <= 4; log++) rig_create(store, log);
    put_snapshot(store, 1, 10, 1, 1, 100, keep_nothing);
    for (uint64_t log = 2; log <= 4; log++) { /* parts: of 2 to go on, of 3 as far as the log, of 4 dropped */
        const struct teak_snapshot_offer offer = offer_of(log, 20, 1, 1, 3 * CHUNK);
        struct teak_snapshot_writer *writer = begin_in(store, &offer);
        write_in(writer, 1, 2 * CHUNK);
        teak_snapshot_suspend(writer);
    }
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 3, .index = 20, .term = 1});
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 4});
    rig_submit(store, &(struct teak_batch){0}, NULL); /* EMPTY_BATCH: nothing */
    teak_drain(store, NULL);
    teak_abandon(store);
    const char *const strays[] = {"snapshots/1-9-1-00000000000000aa.snap", "snapshots/9-9-1-00000000000000aa.snap",
                                  "snapshots/77.part", "snapshots/3.part", "snapshots/4.part"};
    for (int i = 0; i < 5; i++)
        if (!rig_has(&rig, strays[i])) rig_write(&rig, strays[i], 0, "stray", 5);
    rig_write(&rig, "snapshots/README", 0, "not ours", 8);
    store = backend_open(&rig);
    for (int i = 0; i < 5; i++) assert_true(rig_has(&rig, strays[i]));
    rig_create(store, 5);
    rig_drain(store);
    expect_files(store, &rig, 1, 1);
    assert_true(rig_has(&rig, "snapshots/2.part"));
    assert_true(rig_has(&rig, "snapshots/README"));
    expect_snapshot(store, 1, 10, 1, 100);
    rig_close(store);
    rig_remove(rig.dir);
}

static void who_waits_for_a_removal_is_driven_on_without_taking_completions(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_drain(store);
    rig_settle(store);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 1, CHUNK);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 1, CHUNK);
    teak_snapshot_abort(writer);
    faulty->holds_chores = true;
    for (struct rig_patience patience = {0}; store->snapshots.step != SNAPSHOT_REMOVE && rig_waits(&patience);)
        teak_poll(store, 1000000, NULL, 0, NULL, NULL);
    assert_int_equal(teak_snapshot_begin(store, &offer, &writer, NULL), TEAK_FULL);
    rig_append(store, 1, 1, 1, 1, 100);
    /* its completion stays there */
    for (struct rig_patience patience = {0}; rig_log(store, 1).durable.index == 0 && rig_waits(&patience);)
        teak_poll(store, 1000000, NULL, 0, NULL, NULL);
    assert_int_equal(rig_log(store, 1).durable.index, 1);
    faulty_release_all(faulty);
    enum teak_status status = TEAK_FULL;
    for (struct rig_patience patience = {0}; status == TEAK_FULL && rig_waits(&patience);) {
        teak_poll(store, 1000000, NULL, 0, NULL, NULL); /* does not wait: there is something to be told */
        usleep(200);
        status = teak_snapshot_begin(store, &offer, &writer, NULL);
    }
    assert_int_equal(status, TEAK_OK);
    teak_snapshot_abort(writer);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- rot ---- */

static void damaged(struct teak_store *store, enum teak_status wanted, uint64_t bytes)
{
    struct teak_snapshot_reader *reader;
    struct teak_error error = {0};
    enum teak_status status = teak_snapshot_open(store, 1, &reader, &error);
    static uint8_t piece[PIECE];
    for (uint64_t offset = 0, got = 1; status == TEAK_OK && got > 0; offset += got)
        status = teak_snapshot_read(reader, offset, piece, PIECE, &got, &error);
    (void)bytes;
    assert_int_equal(status, wanted);
    if (status != TEAK_OK) {
        assert_non_null(strstr(error.file, "1-10-1-"));
        assert_true(error.has_log && error.log == 1);
    }
    teak_snapshot_close(reader);
}

static void expect_verified(const struct rig *rig, bool is_whole)
{
    struct teak_store *store = rig_open_read_only(rig, NULL);
    struct teak_damage damage[4];
    struct teak_verify_result result;
    struct teak_error error = {0};
    const enum teak_status status = teak_verify(store, damage, 4, &result, NULL, NULL, &error);
    assert_int_equal(status, is_whole ? TEAK_OK : TEAK_DAMAGED);
    assert_int_equal(result.snapshots, 1);
    assert_int_equal(result.damage_count, is_whole ? 0 : 1);
    if (!is_whole) assert_true(damage[0].is_snapshot && damage[0].has_log && damage[0].log == 1);
    rig_close(store);
}

static void rot_is_told_wherever_it_is(void **state)
{
    (void)state;
    const uint64_t bytes = 2 * CHUNK + 1000;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    put_snapshot(store, 1, 10, 1, 1, bytes, keep_nothing);
    char name[280];
    assert_int_equal(files_in(&rig, ".snap", name), 1);
    const uint64_t foot = 4096 + 2 * SNAPSHOT_CHUNK + 4096;
    const struct { uint64_t offset; bool counts; } rows[] = {
        {0, true}, {9, true}, {33, true}, {47, true}, {81, true}, {100, true}, {127, true}, {128, true}, {137, true},
        {138, false}, {4095, false}, /* padding behind the meta */
        {4096, true}, {4104, true}, {4108, true}, {4112, true}, {4096 + 65535, true}, {4096 + 65536, true},
        {4096 + 2 * 65536 + 16 + 999, true}, {4096 + 2 * 65536 + 16 + 1000, false}, {foot - 1, false},
        {foot, true}, {foot + 8, true}, {foot + 47, true}, {foot + 60, true}, {foot + 127, true}, {foot + 128, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_flip(&rig, name, rows[i].offset, 0x40);
        damaged(store, rows[i].counts ? TEAK_HASH_MISMATCH : TEAK_OK, bytes);
        rig_flip(&rig, name, rows[i].offset, 0x40);
    }
    damaged(store, TEAK_OK, bytes);
    rig_close(store);
    expect_verified(&rig, true);
    rig_flip(&rig, name, 4096 + 70000, 1);
    expect_verified(&rig, false);
    rig_flip(&rig, name, 4096 + 70000, 1);

    /* another snapshot's file, whole, in its place */
    struct rig other = rig_make("snapshot.other");
    struct teak_store *second = backend_open(&other);
    rig_create(second, 1);
    put_snapshot(second, 1, 10, 1, 1, bytes, keep_nothing);
    rig_close(second);
    char others_name[280], from[2 * RIG_PATH], to[2 * RIG_PATH];
    assert_int_equal(files_in(&other, ".snap", others_name), 1);
    rig_path(&other, others_name, from);
    rig_path(&rig, name, to);
    size_t count;
    uint8_t *own = rig_read(&rig, name, &count);
    rig_copy_file(from, to);
    store = backend_open(&rig);
    damaged(store, TEAK_HASH_MISMATCH, bytes);
    /* cut anywhere, or longer */
    for (uint64_t cut = 0; cut < count; cut += cut < 8192 ? 1024 : 16384) {
        rig_write(&rig, name, 0, own, count);
        rig_truncate(&rig, name, cut);
        damaged(store, TEAK_DAMAGED, bytes);
    }
    rig_write(&rig, name, 0, own, count);
    rig_write(&rig, name, count, "more", 4);
    damaged(store, TEAK_DAMAGED, bytes);
    rig_truncate(&rig, name, count);
    damaged(store, TEAK_OK, bytes);
    rig_close(store);

    /* gone */
    rig_unlink(&rig, name);
    struct teak_report report;
    const struct teak_options options = backend_options();
    store = rig_open_with(&rig, &options, &report);
    assert_int_equal(report.snapshot_files, 1);
    assert_int_equal(report.snapshots_missing, 1);
    assert_int_equal(report.snapshot_missing_of[0], 1);
    damaged(store, TEAK_DAMAGED, bytes);
    /* healed: by the same from a peer */
    struct teak_snapshot_offer offer = offer_of(1, 10, 1, 1, bytes);
    refused(store, offer, TEAK_BELOW_SNAPSHOT);
    offer.replace = true;
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 1, bytes);
    rig_append(store, 1, 11, 12, 1, 10);
    install(store, writer, keep_all);
    expect_snapshot(store, 1, 10, 1, bytes);
    rig_close(store);
    store = rig_open_with(&rig, &options, &report);
    assert_int_equal(report.snapshots_missing, 0);
    expect_snapshot(store, 1, 10, 1, bytes);
    rig_expect_entries(store, 1, 11, 12);
    rig_close(store);
    free(own);
    rig_remove(other.dir);
    rig_remove(rig.dir);
}

/* A chunk that was whole once, of the same file and place, but not the one that the stream ended with. */
static void a_chunk_of_an_earlier_attempt_is_found_out_by_the_chain(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 1, TEAK_SNAPSHOT_UNKNOWN);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 1, 2 * CHUNK);
    teak_snapshot_suspend(writer);
    size_t count;
    uint8_t *before = rig_read(&rig, "snapshots/1.part", &count);
    rig_truncate(&rig, "snapshots/1.part", 4096 + SNAPSHOT_CHUNK); /* as a crash could */
    writer = begin_in(store, &offer);
    assert_int_equal(offset_in(writer), CHUNK);
    static uint8_t other[CHUNK];
    memset(other, 7, sizeof other);
    assert_int_equal(teak_snapshot_write(writer, CHUNK, other, CHUNK, NULL), TEAK_OK);
    install(store, writer, keep_all);
    char name[280];
    assert_int_equal(files_in(&rig, ".snap", name), 1);
    damaged(store, TEAK_OK, 2 * CHUNK);
    rig_write(&rig, name, 4096 + SNAPSHOT_CHUNK, before + 4096 + SNAPSHOT_CHUNK, SNAPSHOT_CHUNK);
    damaged(store, TEAK_HASH_MISMATCH, 2 * CHUNK);
    free(before);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- the disk says no ---- */

static void without_space_a_stream_waits_and_goes_on(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_drain(store);
    rig_settle(store);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 1, 9 * CHUNK + 1);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    faulty_arm(faulty, DISK_OPEN, 2, ENOSPC); /* the first looks for what an interrupted stream left */
    uint64_t offset;
    struct teak_error error = {0};
    assert_int_equal(teak_snapshot_offset(writer, &offset, &error), TEAK_NO_SPACE);
    assert_int_equal(error.os_errno, ENOSPC);
    faulty_arm(faulty, DISK_WRITE, 1, ENOSPC);
    assert_int_equal(teak_snapshot_offset(writer, &offset, &error), TEAK_NO_SPACE);
    assert_int_equal(offset_in(writer), 0);
    faulty_arm(faulty, DISK_WRITE, 1, EFBIG);
    assert_int_equal(try_write_in(writer, 1, 9 * CHUNK), TEAK_NO_SPACE);
    offset = offset_in(writer);
    assert_in_range(offset, 4 * CHUNK, 5 * CHUNK);
    write_in(writer, 1, 9 * CHUNK + 1);
    faulty->chores_too = true;
    faulty_arm(faulty, DISK_WRITE, 1, ENOSPC); /* what is left, at the installation */
    rig_ok(teak_snapshot_install(writer, keep_nothing, 5, &error), &error);
    assert_int_equal(wait_for(store, 5), TEAK_NO_SPACE);
    assert_int_equal(rig_log(store, 1).snapshot.index, 0);
    rig_append(store, 1, 1, 5, 1, 100); /* the store does not mind */
    rig_drain(store);
    writer = begin_in(store, &offer);
    assert_int_equal(offset_in(writer), 8 * CHUNK); /* two windows had been written */
    write_in(writer, 1, 9 * CHUNK + 1);
    install(store, writer, keep_nothing);
    expect_snapshot(store, 1, 10, 1, 9 * CHUNK + 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* Each operation of a stream and its installation fails once: nothing changed, and the store goes on. */
static void one_failure_ends_the_stream_and_nothing_else(void **state)
{
    (void)state;
    const enum disk_kind kinds[] = {DISK_MKDIR, DISK_OPEN, DISK_WRITE, DISK_SYNC, DISK_SYNC_ALL, DISK_RENAME,
                                    DISK_TRUNCATE, DISK_UNLINK};
    const uint64_t bytes = 5 * CHUNK + 99;
    uint32_t failed = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (uint64_t nth = 1;; nth++) {
            const struct rig rig = rig_make("snapshot");
            struct teak_options options = backend_options();
            options.strategy = TEAK_FDATASYNC;
            struct faulty *faulty;
            struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
            rig_create(store, 1);
            rig_append(store, 1, 1, 20, 1, 100);
            rig_drain(store);
            rig_settle(store);
            const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 1, bytes);
            faulty->chores_too = true;
            faulty_arm(faulty, kinds[k], nth, EIO);
            struct teak_snapshot_writer *writer;
            enum teak_status status = teak_snapshot_begin(store, &offer, &writer, NULL);
            if (status == TEAK_OK) status = try_write_in(writer, 1, 3 * CHUNK);
            if (status == TEAK_OK) {
                teak_snapshot_suspend(writer);
                status = teak_snapshot_begin(store, &offer, &writer, NULL);
            }
            if (status == TEAK_OK) status = try_write_in(writer, 1, bytes);
            if (status == TEAK_OK)
                status = try_install(store, writer, keep_nothing);
            else
                teak_snapshot_abort(writer);
            const bool struck = faulty->struck > 0;
            faulty_arm(faulty, kinds[k], 0, 0);
            if (store->flight.poisoned) { /* it was the record's own frame */
                assert_int_equal(status, TEAK_POISONED);
                teak_abandon(store);
                store = backend_open(&rig);
            } else if (status != TEAK_OK) {
                assert_int_equal(status, TEAK_IO);
                assert_int_equal(rig_log(store, 1).snapshot.index, 0);
                rig_expect_entries(store, 1, 1, 20);
                failed++;
            }
            rig_append(store, 1, 21, 21, 1, 100);
            rig_drain(store);
            rig_close(store);
            store = backend_open(&rig);
            const bool is_there = rig_log(store, 1).snapshot.index == 10;
            if (status == TEAK_OK) assert_true(is_there);
            if (is_there) expect_snapshot(store, 1, 10, 1, bytes);
            rig_append(store, 1, 22, 22, 1, 100);
            rig_drain(store);
            expect_files(store, &rig, is_there, 0);
            rig_close(store);
            rig_remove(rig.dir);
            if (!struck) break;
            assert_in_range(nth, 1, 60);
        }
    }
    assert_in_range(failed, 8, 100);
}

static void after_a_failed_sync_of_the_directory_nothing_is_installed(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_append(store, 1, 1, 20, 1, 100);
    put_snapshot(store, 1, 5, 1, 1, 100, keep_nothing);
    rig_settle(store);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 2, 100);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 2, 100);
    faulty->chores_too = true;
    faulty_arm(faulty, DISK_SYNC_ALL, 2, EIO); /* the file's, then the directory's */
    assert_int_equal(try_install(store, writer, keep_nothing), TEAK_IO);
    assert_int_equal(faulty->struck, 1);
    refused(store, offer, TEAK_IO);
    rig_append(store, 1, 21, 30, 1, 100);
    rig_drain(store);
    expect_files(store, &rig, 1, 0);
    expect_snapshot(store, 1, 5, 1, 100);
    rig_close(store);
    store = backend_open(&rig);
    put_snapshot(store, 1, 10, 1, 2, 100, keep_nothing);
    expect_snapshot(store, 1, 10, 2, 100);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_poisoned_store_installs_nothing(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_create(store, 2);
    put_snapshot(store, 1, 5, 1, 1, 5000, keep_nothing);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 2, 100), other = offer_of(2, 10, 1, 2, 100);
    struct teak_snapshot_writer *writer = begin_in(store, &offer), *left = begin_in(store, &other);
    write_in(writer, 2, 100);
    write_in(left, 2, 100);
    struct teak_error error = {0};
    faulty->holds_chores = true;
    rig_ok(teak_snapshot_install(writer, keep_nothing, 5, &error), &error);
    rig_ok(teak_poll(store, 0, NULL, 0, NULL, &error), &error);
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
    rig_append(store, 1, 6, 6, 1, 100);
    struct teak_completion done[8];
    uint32_t count = 0;
    bool poisoned = false, told = false;
    for (struct rig_patience patience = {0}; !(poisoned && told) && rig_waits(&patience);) {
        if (teak_poll(store, 1000000, done, 8, &count, &error) == TEAK_POISONED) break;
        for (uint32_t at = 0; at < count; at++) {
            poisoned |= done[at].tag == 0 && done[at].status == TEAK_POISONED;
            told |= done[at].tag == 5 && done[at].status == TEAK_POISONED;
        }
    }
    assert_true(poisoned && told);
    assert_int_equal(teak_snapshot_install(left, keep_nothing, 6, &error), TEAK_POISONED);
    refused(store, other, TEAK_POISONED);
    teak_snapshot_suspend(left);
    expect_snapshot(store, 1, 5, 1, 5000); /* what was durable is read */
    assert_int_equal(teak_close(store, &error), TEAK_POISONED);
    store = backend_open(&rig);
    expect_snapshot(store, 1, 5, 1, 5000);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- order ---- */

/* What was asked of the disk, in order, one letter each: what a power cut may have reached. */
static char asked[4096];
static uint32_t asked_count;

static void note(const struct disk_op *op)
{
    const char *name = op->name ? op->name : "";
    const bool is_part = strstr(name, ".part") != NULL, is_snap = strstr(name, ".snap") != NULL;
    char letter = 0;
    switch (op->kind) {
    case DISK_WRITE: letter = op->flags & DISK_CHORE ? 'w' : 'F'; break; /* chunk or chore; frame, or chunk */
    case DISK_SYNC_ALL: letter = 's'; break;
    case DISK_RENAME: letter = is_part ? 'R' : 0; break;
    case DISK_UNLINK: letter = is_snap ? 'U' : 0; break;
    default: break;
    }
    if (letter && asked_count + 1 < sizeof asked) asked[asked_count++] = letter;
}

static void noting_submit(struct disk *disk, struct disk_op *op)
{
    note(op);
    faulty_submit(disk, op);
}

static void sync_rename_sync_record_and_only_then_unlink(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    put_snapshot(store, 1, 5, 1, 1, 100, keep_nothing);
    rig_drain(store);
    rig_settle(store);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 2, 100);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 2, 100);
    static struct disk_ops ops;
    ops = *faulty->disk.ops;
    ops.submit = noting_submit;
    faulty->disk.ops = &ops;
    asked_count = 0;
    install(store, writer, keep_nothing);
    expect_files(store, &rig, 1, 0);
    asked[asked_count < 6 ? asked_count : 6] = 0; /* an idle mark may follow */
    /* the rest of the file, its sync, the name, the directory's sync, the record's frame, the old file */
    assert_string_equal(asked, "wsRsFU");
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- beside other work ---- */

struct stream_thread {
    struct teak_snapshot_writer *writer;
    struct teak_snapshot_reader *reader;
    uint64_t stream, bytes;
    enum teak_status status;
    _Atomic bool is_done;
};

static void *stream_in(void *context)
{
    struct stream_thread *thread = context;
    uint8_t piece[10000];
    thread->status = TEAK_OK;
    for (uint64_t offset = 0; thread->status == TEAK_OK && offset < thread->bytes; offset += sizeof piece) {
        const uint64_t left = thread->bytes - offset, bytes = left < sizeof piece ? left : sizeof piece;
        body_fill(piece, thread->stream, offset, bytes);
        thread->status = teak_snapshot_write(thread->writer, offset, piece, bytes, NULL);
    }
    atomic_store(&thread->is_done, true);
    return NULL;
}

static void *stream_out(void *context)
{
    struct stream_thread *thread = context;
    uint8_t piece[10000];
    uint64_t got = 1;
    thread->status = TEAK_OK;
    for (uint64_t offset = 0; thread->status == TEAK_OK && got > 0; offset += got) {
        thread->status = teak_snapshot_read(thread->reader, offset, piece, sizeof piece, &got, NULL);
        for (uint64_t i = 0; i < got; i++)
            if (piece[i] != body_byte(thread->stream, offset + i)) thread->status = TEAK_DECODE;
    }
    teak_snapshot_close(thread->reader);
    atomic_store(&thread->is_done, true);
    return NULL;
}

static void streams_on_other_threads_go_beside_commits(void **state)
{
    (void)state;
    const uint64_t bytes = 40 * CHUNK + 11;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    for (uint64_t log = 1; log <= 4; log++) rig_create(store, log);
    put_snapshot(store, 3, 10, 1, 3, bytes, keep_nothing);
    struct stream_thread threads[3] = {{.stream = 11, .bytes = bytes}, {.stream = 12, .bytes = bytes}, {.stream = 3}};
    for (uint64_t i = 0; i < 2; i++) {
        const struct teak_snapshot_offer offer = offer_of(i + 1, 10, 1, 11 + i, bytes);
        threads[i].writer = begin_in(store, &offer);
    }
    threads[2].reader = open_out(store, 3);
    pthread_t ids[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, i < 2 ? stream_in : stream_out, &threads[i]), 0);
    uint64_t last = 0;
    bool replaced = false;
    while (last < 300 || !atomic_load(&threads[0].is_done) || !atomic_load(&threads[1].is_done) ||
           !atomic_load(&threads[2].is_done)) {
        last++;
        rig_append(store, 4, last, last, 1, 200);
        if (last % 10 == 0) rig_drain(store);
        if (last == 50 && !replaced) { /* the one that is being read is superseded */
            put_snapshot(store, 3, 20, 1, 4, 1000, keep_nothing);
            replaced = true;
        }
        if (last % 200 == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 4, .index = last - 100});
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(ids[i], NULL);
        assert_int_equal(threads[i].status, TEAK_OK);
    }
    struct teak_error error = {0}; /* both at once */
    rig_ok(teak_snapshot_install(threads[0].writer, keep_nothing, 1001, &error), &error);
    rig_ok(teak_snapshot_install(threads[1].writer, keep_nothing, 1002, &error), &error);
    rig_drain(store);
    expect_snapshot(store, 1, 10, 11, bytes);
    expect_snapshot(store, 2, 10, 12, bytes);
    expect_snapshot(store, 3, 20, 4, 1000);
    expect_files(store, &rig, 3, 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void an_open_reservation_is_waited_for_and_close_finishes(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_drain(store);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 2, 100);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 2, 100);
    struct teak_error error = {0};
    void *room;
    rig_ok(teak_reserve(store, 64, 1, &room, &error), &error);
    rig_ok(teak_snapshot_install(writer, keep_nothing, 5, &error), &error);
    for (int i = 0; i < 50; i++) rig_ok(teak_poll(store, 1000000, NULL, 0, NULL, &error), &error);
    assert_int_equal(rig_log(store, 1).snapshot.index, 0);
    memset(room, 'x', 64);
    const struct teak_bytes entry = {.data = room, .bytes = 64};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = 10, .term = 1, .entries = &entry, .count = 1};
    rig_ok(teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1}, &error), &error);
    rig_close(store); /* without another poll */
    store = backend_open(&rig);
    expect_snapshot(store, 1, 10, 2, 100);
    assert_int_equal(rig_log(store, 1).last.index, 10);
    writer = begin_in(store, &(struct teak_snapshot_offer){.log = 1, .pos = {.index = 20, .term = 1}, .stream = 3,
                                                           .body_bytes = 0});
    rig_ok(teak_snapshot_install(writer, keep_nothing, 5, &error), &error);
    teak_abandon(store); /* whatever is under way */
    store = backend_open(&rig);
    rig_create(store, 2);
    rig_close(store);
    rig_remove(rig.dir);
}

static void stream_until_killed(const struct rig *rig, int ready)
{
    struct teak_store *store = backend_open(rig);
    rig_create(store, 1);
    rig_drain(store);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 6, 64 * CHUNK);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, 6, 20 * CHUNK);
    if (write(ready, "x", 1) != 1) _exit(1);
    try_write_in(writer, 6, 64 * CHUNK);
    for (;;) pause();
}

static void a_stream_that_was_killed_goes_on(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    rig_run_killed(stream_until_killed, &rig);
    struct teak_store *store = backend_open(&rig);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 6, 64 * CHUNK);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    const uint64_t offset = offset_in(writer);
    assert_in_range(offset, 16 * CHUNK, 64 * CHUNK);
    assert_int_equal(offset % CHUNK, 0);
    write_in(writer, 6, 64 * CHUNK);
    install(store, writer, keep_nothing);
    expect_snapshot(store, 1, 10, 6, 64 * CHUNK);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- larger than memory ---- */

static _Atomic uint64_t heap_now, heap_most;

static void heap_add(size_t bytes)
{
    const uint64_t now = atomic_fetch_add(&heap_now, bytes) + bytes;
    if (now > atomic_load(&heap_most)) atomic_store(&heap_most, now);
}

/* The size stands before what is given out, at the alignment's distance. */
static void *counting_allocate(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    uint8_t *memory = aligned_alloc(alignment, (bytes + 2 * alignment - 1) / alignment * alignment);
    if (!memory) return NULL;
    memory += alignment;
    ((size_t *)(void *)memory)[-1] = bytes;
    ((size_t *)(void *)memory)[-2] = alignment;
    heap_add(bytes);
    return memory;
}

static void counting_release(void *context, void *memory)
{
    (void)context;
    if (!memory) return;
    const size_t bytes = ((size_t *)memory)[-1], alignment = ((size_t *)memory)[-2];
    atomic_fetch_sub(&heap_now, bytes);
    free((uint8_t *)memory - alignment);
}

static void *counting_reallocate(void *context, void *memory, size_t bytes)
{
    void *grown = counting_allocate(context, 16, bytes);
    if (!grown || !memory) return grown;
    const size_t before = ((size_t *)memory)[-1];
    memcpy(grown, memory, before < bytes ? before : bytes);
    counting_release(context, memory);
    return grown;
}

static void a_snapshot_larger_than_memory_takes_a_window(void **state)
{
    (void)state;
    const char *asked_bytes = getenv("TEAK_TEST_SNAPSHOT_BYTES");
    const uint64_t bytes = asked_bytes ? strtoull(asked_bytes, NULL, 10) : UINT64_C(192) << 20;
    const struct teak_allocator counting = {counting_allocate, counting_reallocate, counting_release, NULL};
    assert_int_equal(teak_set_allocator(&counting), TEAK_OK);
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_drain(store);
    const uint64_t before = atomic_load(&heap_now);
    atomic_store(&heap_most, before);
    const struct teak_snapshot_offer offer = offer_of(1, 10, 1, 1, TEAK_SNAPSHOT_UNKNOWN);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    static uint8_t piece[1 << 20]; /* each MiB begins with its number */
    for (uint64_t offset = 0; offset < bytes; offset += sizeof piece) {
        memcpy(piece, &offset, sizeof offset);
        assert_int_equal(teak_snapshot_write(writer, offset, piece, sizeof piece, NULL), TEAK_OK);
    }
    teak_snapshot_suspend(writer); /* also what is there already is verified in a window */
    writer = begin_in(store, &offer);
    for (uint64_t offset = offset_in(writer); offset < bytes;) {
        const uint64_t begin = offset / sizeof piece * sizeof piece;
        memcpy(piece, &begin, sizeof begin);
        assert_int_equal(teak_snapshot_write(writer, begin, piece, sizeof piece, NULL), TEAK_OK);
        offset = begin + sizeof piece;
    }
    install(store, writer, keep_nothing);
    struct teak_snapshot_reader *reader = open_out(store, 1);
    for (uint64_t offset = 0; offset < bytes; offset += sizeof piece) {
        uint64_t got, number;
        assert_int_equal(teak_snapshot_read(reader, offset, piece, sizeof piece, &got, NULL), TEAK_OK);
        assert_int_equal(got, sizeof piece);
        memcpy(&number, piece, sizeof number);
        assert_int_equal(number, offset);
    }
    teak_snapshot_close(reader);
    assert_in_range(atomic_load(&heap_most) - before, 1, 1 << 20);
    rig_close(store);
    assert_int_equal(atomic_load(&heap_now), 0);
    assert_int_equal(teak_set_allocator(NULL), TEAK_OK);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_comes_in_pieces_and_goes_out_whole),
        cmocka_unit_test(blocks_and_meta_may_be_large),
        cmocka_unit_test(what_is_ahead_empties_the_log_and_what_matches_keeps_its_tail),
        cmocka_unit_test(trailing_entries_stay_by_count_and_by_bytes),
        cmocka_unit_test(an_interrupted_stream_goes_on),
        cmocka_unit_test(another_name_position_length_or_meta_begins_anew),
        cmocka_unit_test(crashed_at_every_operation_either_snapshot_is_in_force_and_whole),
        cmocka_unit_test(what_an_interrupted_stream_left_behind_is_cut_off),
        cmocka_unit_test(what_cannot_be_is_refused_and_changes_nothing),
        cmocka_unit_test(a_snapshot_of_a_former_life_is_gone),
        cmocka_unit_test(one_that_became_stale_changes_nothing),
        cmocka_unit_test(an_old_file_goes_when_the_new_record_is_durable_and_who_reads_it_reads_on),
        cmocka_unit_test(opening_removes_nothing_and_the_first_chores_what_no_record_names),
        cmocka_unit_test(who_waits_for_a_removal_is_driven_on_without_taking_completions),
        cmocka_unit_test(rot_is_told_wherever_it_is),
        cmocka_unit_test(a_chunk_of_an_earlier_attempt_is_found_out_by_the_chain),
        cmocka_unit_test(without_space_a_stream_waits_and_goes_on),
        cmocka_unit_test(one_failure_ends_the_stream_and_nothing_else),
        cmocka_unit_test(after_a_failed_sync_of_the_directory_nothing_is_installed),
        cmocka_unit_test(a_poisoned_store_installs_nothing),
        cmocka_unit_test(sync_rename_sync_record_and_only_then_unlink),
        cmocka_unit_test(streams_on_other_threads_go_beside_commits),
        cmocka_unit_test(an_open_reservation_is_waited_for_and_close_finishes),
        cmocka_unit_test(a_stream_that_was_killed_goes_on),
        cmocka_unit_test(a_snapshot_larger_than_memory_takes_a_window),
    };
    return backends_run(argc, argv, "snapshot", tests, sizeof tests / sizeof tests[0]);
}
