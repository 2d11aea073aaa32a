/* golden_store_test.c: a whole store as version 1 wrote it opens, and says and holds what it said and held.
 *
 * tests/golden/store1/ is its directory, file by file. It was written once; later versions must open it for ever.
 * TEAK_GOLDEN_WRITE=1 makes a new one, with new salts: only for a format that was never released.
 */
#include "../store/rig.h"

#include "hex_file.h"

enum { FIRST_LOG = 7, SECOND_LOG = 900, DROPPED_LOG = 8, FILE_MAX = RIG_SEGMENT };

static uint8_t bytes[FILE_MAX];

/* Two logs, with everything an operation can do to them, over several segments. */
static void write_store(const struct rig *rig)
{
    struct teak_store *store = rig_open(rig, NULL);
    rig_create(store, FIRST_LOG);
    rig_create(store, DROPPED_LOG);
    rig_append_synced(store, DROPPED_LOG, 1, 2, 1, 10);
    rig_append_synced(store, FIRST_LOG, 1, 14, 2, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = FIRST_LOG, .term = 3, .vote = 2, .commit = 9});
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = FIRST_LOG, .index = 12});
    rig_append_synced(store, FIRST_LOG, 12, 20, 3, 60);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = DROPPED_LOG});
    rig_create(store, SECOND_LOG);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = SECOND_LOG, .index = 1000, .term = 5});
    rig_append_synced(store, SECOND_LOG, 1001, 1010, 6, 0);
    rig_do(store, (struct teak_op){.op = TEAK_OP_META, .log = SECOND_LOG, .data = "members: 1 2 3", .bytes = 14});
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = FIRST_LOG, .index = 10, .term = 2});
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = FIRST_LOG, .index = 4});
    rig_drain(store);
    rig_close(store);
}

static void save(const struct rig *rig, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t size;
        char name[128];
        uint8_t *content = rig_read(rig, names[i], &size);
        snprintf(name, sizeof name, "store1/%s", names[i]);
        hex_write(name, content, size);
        free(content);
    }
}

static void restore(const struct rig *rig, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[128];
        snprintf(name, sizeof name, "store1/%s", names[i]);
        const size_t size = hex_read(name, bytes, sizeof bytes);
        rig_write(rig, names[i], 0, bytes, size);
    }
}

static const char *const names[] = {"STORE", "0000000000000001.seg", "0000000000000002.seg", "0000000000000003.seg",
                                    "0000000000000004.seg", "0000000000000005.seg"};
enum { NAMES = sizeof names / sizeof names[0] };

static void expect(struct teak_store *store)
{
    uint64_t ids[4];
    assert_int_equal(teak_logs(store, true, 0, ids, 4), 2);
    assert_int_equal(ids[0], FIRST_LOG);
    assert_int_equal(ids[1], SECOND_LOG);
    rig_expect_entries(store, FIRST_LOG, 5, 20);
    rig_expect_entries(store, SECOND_LOG, 1001, 1010);
    const struct teak_log first = rig_log(store, FIRST_LOG), second = rig_log(store, SECOND_LOG);
    assert_int_equal(first.hard.term, 3);
    assert_int_equal(first.hard.vote, 2);
    assert_int_equal(first.hard.commit, 9);
    assert_int_equal(first.base.index, 4);
    assert_int_equal(first.base.term, 2);
    assert_int_equal(first.last.term, 3);
    assert_int_equal(first.snapshot.index, 10);
    assert_int_equal(second.base.index, 1000);
    assert_int_equal(second.base.term, 5);
    assert_int_equal(second.last.term, 6);
    uint64_t term;
    assert_int_equal(teak_term_at(store, FIRST_LOG, 11, &term, NULL), TEAK_OK);
    assert_int_equal(term, 2);
    assert_int_equal(teak_term_at(store, FIRST_LOG, 12, &term, NULL), TEAK_OK);
    assert_int_equal(term, 3);
    char meta[32];
    uint32_t size;
    assert_int_equal(teak_meta(store, SECOND_LOG, meta, sizeof meta, &size, NULL), TEAK_OK);
    assert_int_equal(size, 14);
    assert_memory_equal(meta, "members: 1 2 3", size);
}

static void a_store_of_version_1_opens(void **state)
{
    (void)state;
    struct rig rig = rig_make("golden_store");
    if (getenv("TEAK_GOLDEN_WRITE")) {
        write_store(&rig);
        save(&rig, names, NAMES);
        rig_remove(rig.dir);
        rig = rig_make("golden_store");
    }
    restore(&rig, names, NAMES);
    struct teak_report report;
    struct teak_store *store = rig_open_read_only(&rig, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
    assert_true(report.sealed >= 1);
    expect(store);
    struct teak_verify_result result;
    struct teak_damage damage[4];
    assert_int_equal(teak_verify(store, damage, 4, &result, NULL, NULL, NULL), TEAK_OK);
    rig_close(store);
    store = rig_open(&rig, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
    expect(store);
    rig_append_synced(store, FIRST_LOG, 21, 30, 4, 50);
    rig_close(store);
    store = rig_open(&rig, NULL);
    rig_expect_entries(store, FIRST_LOG, 5, 30);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_store_of_version_1_opens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
