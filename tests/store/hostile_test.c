/* hostile_test.c: valid stores with bytes changed and checksums repaired: opening, reading, writing on and verifying
 * give a status, never a crash. The sanitizers and the engine's own CHECKs are the judges. TEAK_SEED=n repeats a run.
 */
#include "store/rig.h"

#include "base/bytes.h"
#include "format/key.h"
#include "format/layout.h"
#include "unit/seeded.h"

enum { TRIES = 600, FILES_MAX = 16 };

static struct seeded seeded;

struct file {
    char name[64];
    uint8_t *bytes;
    size_t count;
    bool is_changed;
};

/* A small store: several logs, lives, terms, truncations, snapshots; sealed segments and an open tail. */
static void write_store(const struct rig *rig)
{
    struct teak_store *store = rig_open(rig, NULL);
    for (uint64_t log = 1; log <= 4; log++) rig_create(store, log);
    for (uint64_t round = 0; round < 6; round++) {
        for (uint64_t log = 1; log <= 3; log++)
            rig_append(store, log, round * 10 + 1, round * 10 + 10, round + 1, 900);
        rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = round * 10 + 6});
        rig_append(store, 1, round * 10 + 6, round * 10 + 10, round + 1, 100);
        rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 2, .term = round + 1, .vote = 3,
                                       .commit = round});
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 3, .index = round * 10 + 9});
        rig_do(store, (struct teak_op){.op = TEAK_OP_META, .log = 2, .data = "word", .bytes = 4});
        rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 4, .index = round * 10 + 5, .term = round + 1});
        rig_append(store, 4, round * 10 + 6, round * 10 + 7, round + 2, 10);
        rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 4});
        rig_create(store, 4);
        rig_drain(store);
    }
    teak_abandon(store);
}

static uint32_t load(const struct rig *rig, struct file files[FILES_MAX])
{
    uint64_t first, last;
    uint32_t count = 0;
    rig_segments(rig, &first, &last);
    for (uint64_t number = first; number <= last; number++) {
        struct file *file = &files[count++];
        rig_segment_name(number, file->name);
        file->bytes = rig_read(rig, file->name, &file->count);
        file->is_changed = false;
    }
    snprintf(files[count].name, sizeof files[count].name, "STORE");
    files[count].bytes = rig_read(rig, "STORE", &files[count].count);
    return count + 1;
}

/* A number that is likely to hurt. */
static uint64_t spiteful(uint64_t now)
{
    switch (seeded_below(&seeded, 9)) {
    case 0: return 0;
    case 1: return UINT64_MAX;
    case 2: return UINT64_MAX - 1;
    case 3: return now + 1;
    case 4: return now - 1;
    case 5: return UINT32_MAX;
    case 6: return seeded_below(&seeded, 200);
    case 7: return UINT64_C(1) << seeded_below(&seeded, 64);
    default: return now ^ (UINT64_C(1) << seeded_below(&seeded, 64));
    }
}

static void spoil(uint8_t *at, uint32_t room)
{
    if (room < 8) return;
    const uint32_t width = seeded_below(&seeded, 3);
    const uint32_t bytes = width == 0 ? 1 : width == 1 ? 4 : 8;
    const uint32_t offset = seeded_below(&seeded, room / bytes) * bytes;
    uint64_t value = 0;
    memcpy(&value, at + offset, bytes);
    value = spiteful(value);
    memcpy(at + offset, &value, bytes);
}

/* One change in one structure of a segment, and every sum over it put right. */
static void hurt_segment(struct file *file, const uint8_t family[16])
{
    struct key key;
    uint64_t salt;
    memcpy(&salt, file->bytes + offsetof(struct layout_identity, salt), 8);
    key_derive(&key, family, salt);
    const uint32_t blocks = (uint32_t)(file->count / RIG_BLOCK);
    if (blocks == 0) return; /* cut away by the change before */
    const uint32_t changes = 1 + seeded_below(&seeded, 3);
    for (uint32_t i = 0; i < changes; i++) {
        uint8_t *block = file->bytes + (size_t)seeded_below(&seeded, blocks) * RIG_BLOCK;
        uint64_t magic;
        memcpy(&magic, block, 8);
        if (le64_get(le64_of(magic)) == MAGIC_FRAME) {
            struct layout_frame head;
            memcpy(&head, block, sizeof head);
            const uint32_t table = le32_get(head.table_offset), bytes = le32_get(head.table_bytes);
            const bool is_inside = (size_t)(block - file->bytes) + table + bytes <= file->count;
            if (seeded_below(&seeded, 4) > 0 && bytes > 0 && is_inside) {
                spoil(block + table, bytes);
                head.table_sum = le64_of(key_sum(&key, block + table, bytes));
                memcpy(block, &head, sizeof head);
            } else {
                spoil(block + 16, HEAD_BYTES - 24);
                memcpy(&head, block, sizeof head);
                const uint64_t end = (uint64_t)le32_get(head.table_offset) + le32_get(head.table_bytes);
                if ((size_t)(block - file->bytes) + end <= file->count) {
                    head.table_sum =
                        le64_of(key_sum(&key, block + le32_get(head.table_offset), le32_get(head.table_bytes)));
                    memcpy(block, &head, sizeof head);
                }
            }
            key_seal_head(&key, block);
        } else if (magic == MAGIC_FOOTER) {
            struct layout_footer footer;
            memcpy(&footer, block, sizeof footer);
            const uint64_t summary = le32_get(footer.summary_offset), bytes = le32_get(footer.summary_bytes);
            if (seeded_below(&seeded, 3) > 0 && bytes > 0 && summary + bytes <= file->count)
                spoil(file->bytes + summary, (uint32_t)bytes);
            else
                spoil(block + 16, HEAD_BYTES - 24);
            memcpy(&footer, block, sizeof footer);
            const uint64_t at = le32_get(footer.summary_offset), now = le32_get(footer.summary_bytes);
            if (at + now <= file->count) {
                footer.summary_sum = le64_of(key_sum(&key, file->bytes + at, now));
                memcpy(block, &footer, sizeof footer);
            }
            key_seal_head(&key, block);
        } else if (block == file->bytes) {
            spoil(block + 8, HEAD_BYTES - 16);
            key_seal_head(&key, block);
        } else {
            spoil(block, RIG_BLOCK); /* slots, payloads, zeros */
        }
    }
    if (seeded_below(&seeded, 20) == 0) file->count = (size_t)seeded_below(&seeded, blocks + 1) * RIG_BLOCK;
    file->is_changed = true;
}

static void hurt_superblock(struct file *file)
{
    spoil(file->bytes + 8, 112);
    const le64 sum = le64_of(plain_sum(file->bytes, 248));
    memcpy(file->bytes + 248, &sum, sizeof sum);
    file->is_changed = true;
}

static void read_all(struct teak_store *store)
{
    uint64_t ids[64];
    const uint32_t logs = teak_logs(store, true, 0, ids, 64);
    for (uint32_t i = 0; i < logs; i++) {
        struct teak_log log;
        struct teak_cursor *cursor;
        if (teak_log(store, ids[i], &log, NULL) != TEAK_OK) continue;
        struct teak_pos found;
        (void)teak_last_of_kind(store, ids[i], 0, UINT64_MAX, &found, NULL);
        if (teak_cursor_open(store, ids[i], log.first, &cursor, NULL) != TEAK_OK) continue;
        for (uint32_t reads = 0; reads < 200; reads++) {
            struct teak_entry entries[32];
            uint32_t count;
            if (teak_cursor_read(cursor, 1 << 16, entries, 32, &count, NULL) != TEAK_OK || count == 0) break;
            for (uint32_t e = 0; e < count; e++) {
                uint64_t term;
                (void)teak_term_at(store, ids[i], entries[e].index, &term, NULL);
                assert_true(entries[e].bytes == 0 || entries[e].data);
            }
        }
        teak_cursor_close(cursor);
    }
}

/* Whatever opened must bear being written to, sealed, forgotten. */
static void write_on(struct teak_store *store)
{
    uint64_t ids[64];
    const uint32_t logs = teak_logs(store, true, 0, ids, 64);
    static uint8_t payload[3000];
    const struct teak_bytes entry = {.data = payload, .bytes = sizeof payload};
    for (uint32_t round = 0; round < 12; round++) {
        for (uint32_t i = 0; i < logs && i < 5; i++) {
            struct teak_log log;
            if (teak_log(store, ids[i], &log, NULL) != TEAK_OK) continue;
            const uint64_t next = log.fresh ? 1 : log.last.index + 1;
            (void)rig_op(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = ids[i], .index = next,
                                                 .term = log.last.term, .entries = &entry, .count = 1}, NULL);
            if (round % 4 == 3)
                (void)rig_op(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = ids[i], .index = next}, NULL);
            if (round % 4 == 1)
                (void)rig_op(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = ids[i], .index = next}, NULL);
        }
    }
    struct teak_error error;
    (void)teak_drain(store, &error);
}

static void hostile_bytes_give_a_status(void **state)
{
    (void)state;
    static struct teak_report report;
    static struct teak_verify_result result;
    seeded = seeded_begin("hostile");
    const struct rig rig = rig_make("hostile"), copy = rig_make("hostilecopy");
    write_store(&rig);
    uint8_t family[16];
    uint32_t opened = 0, statuses[256] = {0};
    for (uint32_t i = 0; i < TRIES; i++) {
        struct file files[FILES_MAX];
        const uint64_t seed = seeded.state;
        const uint32_t count = load(&rig, files);
        memcpy(family, files[count - 1].bytes + 24, sizeof family);
        if (seeded_below(&seeded, 30) == 0)
            hurt_superblock(&files[count - 1]);
        else
            for (uint32_t n = 1 + seeded_below(&seeded, 2); n > 0; n--)
                hurt_segment(&files[seeded_below(&seeded, count - 1)], family);
        if (i == 0) rig_copy(&rig, &copy);
        rig_remove(copy.dir);
        assert_int_equal(mkdir(copy.dir, 0700), 0);
        for (uint32_t f = 0; f < count; f++) {
            rig_write(&copy, files[f].name, 0, files[f].bytes, files[f].count);
            free(files[f].bytes);
        }
        if (getenv("TEAK_VERBOSE")) printf("try %u: state %" PRIu64 "\n", i, seed);
        struct teak_error error = {0};
        struct teak_store *store;
        struct teak_options options = rig_options();
        options.create = options.read_only = false;
        options.backend = TEAK_BACKEND_POSIX;
        options.block_bytes = 0;
        options.segment_bytes = 0;
        options.read_only = i % 2;
        const enum teak_status status = rig_try_open(&copy, &options, &store, &report, &error);
        statuses[status]++;
        if (status != TEAK_OK) {
            assert_int_equal(error.status, status);
            assert_null(store);
            continue;
        }
        opened++;
        read_all(store);
        if (options.read_only)
            (void)teak_verify(store, NULL, 0, &result, NULL, NULL, &error);
        else
            write_on(store);
        (void)teak_close(store, &error);
    }
    for (uint32_t i = 0; i < 256; i++)
        if (statuses[i]) printf("  %s: %u\n", teak_status_name((enum teak_status)i), statuses[i]);
    assert_true(opened > 0 && opened < TRIES);
    rig_remove(rig.dir);
    rig_remove(copy.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_bytes_give_a_status)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
