/* copy_store_test.c: teak_copy beside a store of this process; and the rule that copies stand on: a segment with a
 * second name, or one that is being read, is never written over.
 */
#include "store/backends.h"

static uint64_t fingerprint_of(const char *path)
{
    size_t bytes;
    uint8_t *data = rig_read_path(path, &bytes);
    uint64_t h = bytes;
    for (size_t i = 0; i < bytes; i++) h = (h ^ data[i]) * UINT64_C(1099511628211);
    free(data);
    return h;
}

static void compact(struct teak_store *store, uint64_t index)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = index});
    rig_drain(store);
}

/* ENGINE history 17. Eight segments: the even ones get a second name, the odd ones a reader; all are forgotten, and the
 * store goes on until it has come to use several of them again, or would have. */
static void a_second_name_or_a_reader_keeps_a_segment_from_being_used_again(void **state)
{
    (void)state;
    enum { HELD = 8 };
    const struct rig rig = rig_make("copy"), aside = rig_make("copy.aside");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 60, 1, 10000);
    char held[HELD][2 * RIG_PATH];
    int readers[HELD];
    uint64_t before[HELD];
    for (uint64_t i = 0; i < HELD; i++) {
        char name[64], path[2 * RIG_PATH];
        rig_segment_name(i + 1, name);
        rig_path(&rig, name, path);
        readers[i] = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(readers[i] >= 0);
        snprintf(held[i], sizeof held[i], "/proc/self/fd/%d", readers[i]);
        if (i % 2) {
            rig_path(&aside, name, held[i]);
            assert_int_equal(link(path, held[i]), 0);
        } else {
            assert_int_equal(flock(readers[i], LOCK_SH | LOCK_NB), 0);
        }
        before[i] = fingerprint_of(held[i]);
    }
    compact(store, 50);
    struct teak_stats stats;
    uint64_t first = 61;
    do { /* until held ones came up, and others were used again */
        assert_true(first < 20000);
        rig_append_synced(store, 1, first, first + 9, 1, 10000);
        compact(store, first);
        teak_stats(store, &stats);
        first += 10;
    } while (stats.recycled < 5 || stats.unlinked == 0);
    for (uint64_t i = 0; i < HELD; i++) {
        assert_true(fingerprint_of(held[i]) == before[i]);
        close(readers[i]);
    }
    rig_close(store);
    rig_remove(rig.dir);
    rig_remove(aside.dir);
}

static void copy_ok(const struct rig *from, const struct rig *to, struct teak_copy_result *result)
{
    struct teak_error error = {0};
    rig_ok(teak_copy(from->dir, to->dir, result, NULL, NULL, &error), &error);
}

static uint64_t verify(const struct rig *rig)
{
    struct teak_report report;
    struct teak_store *store = rig_open_read_only(rig, &report);
    struct teak_verify_result result;
    struct teak_error error = {0};
    rig_ok(teak_verify(store, NULL, 0, &result, NULL, NULL, &error), &error);
    rig_close(store);
    return result.entries;
}

/* Durable a moment ago, and no frame behind it says so yet. */
static void a_copy_has_what_was_durable_when_the_call_began(void **state)
{
    (void)state;
    const struct rig rig = rig_make("copy");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    for (uint64_t last = 1; last <= 40; last++) {
        rig_append_synced(store, 1, last, last, 1, (uint32_t)(last * 977 % 9000));
        const struct rig to = rig_make("copy.to");
        struct teak_copy_result result;
        struct teak_stats stats;
        teak_stats(store, &stats);
        copy_ok(&rig, &to, &result);
        assert_true(result.last_lsn >= stats.durable_lsn);
        assert_int_equal(result.logs, 1);
        assert_int_equal(verify(&to), last);
        struct teak_store *other = rig_open(&to, NULL);
        rig_expect_entries(other, 1, 1, last);
        rig_append_synced(other, 1, last + 1, last + 3, 2, 500); /* another history than the origin's */
        rig_close(other);
        other = rig_open(&to, NULL);
        rig_expect_entries(other, 1, 1, last + 3);
        rig_close(other);
        rig_remove(to.dir);
    }
    rig_expect_entries(store, 1, 1, 40);
    rig_close(store);
    assert_int_equal(verify(&rig), 40);
    rig_remove(rig.dir);
}

static void a_copy_answers_what_is_wrong(void **state)
{
    (void)state;
    const struct rig rig = rig_make("copy"), to = rig_make("copy.to");
    struct teak_error error = {0};
    assert_int_equal(teak_copy(NULL, to.dir, NULL, NULL, NULL, &error), TEAK_INVALID);
    assert_int_equal(teak_copy(rig.dir, NULL, NULL, NULL, NULL, &error), TEAK_INVALID);
    assert_int_equal(teak_copy(rig.dir, to.dir, NULL, NULL, NULL, &error), TEAK_NOT_A_STORE);
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 5, 1, 100);
    rig_close(store);
    rig_write(&to, "mine", 0, "x", 1);
    assert_int_equal(teak_copy(rig.dir, to.dir, NULL, NULL, NULL, &error), TEAK_INVALID);
    assert_string_equal(error.file, "mine");
    const int input = fcntl(0, F_GETFD);
    assert_int_equal(teak_copy(rig.dir, "no/such/place", NULL, NULL, NULL, &error), TEAK_NO_DIRECTORY);
    assert_int_equal(fcntl(0, F_GETFD), input); /* it closes what it opened */
    rig_unlink(&to, "mine");
    copy_ok(&rig, &to, NULL);
    assert_int_equal(teak_copy(rig.dir, to.dir, NULL, NULL, NULL, &error), TEAK_INVALID);
    assert_int_equal(verify(&to), 5);
    rig_remove(rig.dir);
    rig_remove(to.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_name_or_a_reader_keeps_a_segment_from_being_used_again),
        cmocka_unit_test(a_copy_has_what_was_durable_when_the_call_began),
        cmocka_unit_test(a_copy_answers_what_is_wrong),
    };
    return backends_run(argc, argv, "copy", tests, sizeof tests / sizeof tests[0]);
}
