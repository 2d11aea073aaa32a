/* beside_test.c: looking at a store while another process writes, rotates and recycles at full speed. */
#include "store/cold.h"

static struct teak_report report;

enum { RETAINED = 40 };

static void child_writes(const struct rig *rig, int ready)
{
    struct teak_store *store = rig_open(rig, NULL);
    rig_create(store, 7);
    for (uint64_t index = 1;; index++) {
        rig_append(store, 7, index, index, index / 1000 + 1, (uint32_t)(index * 37 % 3000));
        if (index % 16 == 0 && index > RETAINED)
            rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - RETAINED});
        if (index % 64 == 0) rig_drain(store);
        if (index == 256) assert_int_equal(write(ready, "x", 1), 1);
    }
}

/* What can be read is contiguous and right; it may be compacted away under the reader, but never be wrong. */
static uint64_t read_shown(struct teak_store *store)
{
    struct teak_log log;
    struct teak_error error = {0};
    if (teak_log(store, 7, &log, &error) != TEAK_OK) return 0;
    assert_true(log.last.index + 1 >= log.first);
    struct teak_cursor *cursor;
    if (log.first > log.last.index) return log.last.index;
    rig_ok(teak_cursor_open(store, 7, log.first, &cursor, &error), &error);
    for (uint64_t next = log.first; next <= log.last.index;) {
        struct teak_entry entries[32];
        uint32_t count;
        const enum teak_status status = teak_cursor_read(cursor, 1 << 20, entries, 32, &count, &error);
        if (status == TEAK_COMPACTED) { /* its segment was recycled meanwhile */
            rig_ok(teak_cursor_seek(cursor, ++next, &error), &error);
            continue;
        }
        rig_ok(status, &error);
        assert_true(count > 0);
        for (uint32_t i = 0; i < count; i++, next++) {
            assert_int_equal(entries[i].bytes, next * 37 % 3000);
            assert_int_equal(entries[i].term, next / 1000 + 1);
            rig_expect_entry(7, &entries[i], next);
        }
    }
    teak_cursor_close(cursor);
    return log.last.index;
}

/* Histories 11 and 18. */
static void readers_beside_a_writer_see_no_damage(void **state)
{
    (void)state;
    const struct rig rig = rig_make("beside");
    const struct rig_child child = rig_start_child(child_writes, &rig);
    const uint64_t begin = rig_now_ns(), least = UINT64_C(5000000000), most = UINT64_C(120000000000);
    uint32_t opened = 0;
    uint64_t last = 0, first_last = 0;
    for (uint64_t spent = 0; spent < least || ((opened <= 5 || last == first_last) && spent < most);
         spent = rig_now_ns() - begin) {
        struct teak_store *store = rig_open_read_only(&rig, &report);
        struct teak_error error = {0};
        struct teak_store_info info;
        teak_inspect_store(store, &info);
        assert_true(info.living);
        const uint64_t now = read_shown(store);
        assert_true(now >= last); /* what was durable once stays */
        last = now;
        if (!first_last) first_last = now;
        struct teak_damage damage[4];
        struct teak_verify_result result;
        if (opened % 2 == 0) rig_ok(teak_verify(store, damage, 4, &result, NULL, NULL, &error), &error);
        assert_int_equal(teak_create_log(store, 9, 0, &error), TEAK_READ_ONLY);
        rig_close(store);
        opened++;
        struct teak_options options = rig_options();
        if (opened % 16 == 0) assert_int_equal(rig_try_open(&rig, &options, &store, &report, &error), TEAK_LOCKED);
    }
    assert_true(rig_kill_child(&child)); /* the writer never failed by itself */
    printf("opened %u times beside a writer that came to entry %" PRIu64 "\n", opened, last);
    assert_true(opened > 5 && last > first_last);
    struct teak_store *store = rig_open_read_only(&rig, &report); /* waits for the dead owner's lock */
    assert_true(read_shown(store) >= last);
    rig_close(store);
    store = rig_open(&rig, &report);
    const struct teak_log log = rig_log(store, 7);
    assert_true(log.last.index >= last);
    rig_close(store);
    rig_remove(rig.dir);
}

/* A writer that takes a file again does it under a lock: a new identity, synced; another name; then it lets go. */
struct taking {
    const struct rig *rig;
    const char *name;
    bool is_armed;
};

static void take_again(void *context, const struct disk_op *op)
{
    struct taking *taking = context;
    if (!taking->is_armed || op->kind != DISK_OPEN || op->error || strcmp(op->name, taking->name) != 0) return;
    taking->is_armed = false;
    char from[2 * RIG_PATH], to[2 * RIG_PATH];
    static const uint8_t zeros[RIG_SEGMENT]; /* entries, index and all */
    rig_write(taking->rig, taking->name, 0, zeros, sizeof zeros);
    rig_path(taking->rig, taking->name, from);
    rig_path(taking->rig, "0000000000000077.seg", to);
    assert_int_equal(rename(from, to), 0);
}

/* Who opened it by its old name, and got its lock when all that was over, reads it no more. */
static void a_file_taken_again_between_opening_and_locking_is_not_read(void **state)
{
    (void)state;
    const struct rig rig = cold_make("taken");
    struct teak_options options = backend_options();
    struct faulty *faulty;
    options.create = false;
    options.read_only = true;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    struct taking taking = {.rig = &rig, .name = "0000000000000001.seg", .is_armed = true};
    struct teak_cursor *cursor;
    struct teak_entry entry;
    uint32_t count;
    struct teak_error error = {0};
    rig_ok(teak_cursor_open(store, 1, 1, &cursor, &error), &error);
    faulty->watch = take_again;
    faulty->watch_context = &taking;
    assert_int_equal(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), TEAK_COMPACTED);
    assert_int_equal(count, 0);
    assert_false(taking.is_armed);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* A slot fails whose frame could be asked; but the file, forgotten by the writer while we hold it, has no name any
 * more. */
static void what_was_forgotten_while_it_is_held_is_compacted(void **state)
{
    (void)state;
    const struct rig rig = cold_make("held");
    char name[64];
    const struct place place = cold_place(&rig, 7, name);
    rig_flip(&rig, name, place.offset + 5, 0x10);
    struct teak_store *writer = backend_open(&rig);
    struct teak_options options = backend_options();
    options.create = false;
    options.read_only = true;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    struct teak_cursor *cursor;
    struct teak_entry entry;
    uint32_t count;
    struct teak_error error = {0};
    rig_ok(teak_cursor_open(store, 1, 1, &cursor, &error), &error);
    rig_ok(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), &error); /* the file is open, and mapped */
    rig_expect_entry(1, &entry, 1);
    rig_unlink(&rig, name);
    rig_ok(teak_cursor_seek(cursor, 7, &error), &error);
    assert_int_equal(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), TEAK_COMPACTED);
    rig_ok(teak_cursor_seek(cursor, 8, &error), &error);
    rig_ok(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), &error); /* what is whole is read as before */
    rig_expect_entry(1, &entry, 8);
    teak_cursor_close(cursor);
    rig_close(store);
    teak_abandon(writer);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_forgotten_while_it_is_held_is_compacted),
        cmocka_unit_test(a_file_taken_again_between_opening_and_locking_is_not_read),
        cmocka_unit_test(readers_beside_a_writer_see_no_damage),
    };
    return backends_run(argc, argv, "beside", tests, sizeof tests / sizeof tests[0]);
}
