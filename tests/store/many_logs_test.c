/* many_logs_test.c: ten thousand logs in one store: what each of them holds in memory, by the heap's own count.
 */
#include "store/backends.h"
#include "teak/memory.h"

enum { MANY = 10000, SEGMENT = 8 << 20, PART = 500, BUSY = 1, FIRST = 100, ROUNDS = 3, LOG_BYTES = 512 };

/* ---- a heap that counts bytes ---- */

static struct {
    uint64_t bytes, pieces;
} heap;

struct piece_head {
    size_t alignment, bytes;
};
_Static_assert(sizeof(struct piece_head) == 16, "stands right before what it is about");

static void *count_allocate(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    if (alignment < sizeof(struct piece_head)) alignment = sizeof(struct piece_head);
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, alignment + bytes) != 0) return NULL;
    struct piece_head *head = (struct piece_head *)(void *)((uint8_t *)memory + alignment) - 1;
    *head = (struct piece_head){.alignment = alignment, .bytes = bytes};
    heap.bytes += bytes;
    heap.pieces++;
    return head + 1;
}

static void count_release(void *context, void *memory)
{
    (void)context;
    const struct piece_head *head = (const struct piece_head *)memory - 1;
    heap.bytes -= head->bytes;
    heap.pieces--;
    free((uint8_t *)memory - head->alignment);
}

static void *count_reallocate(void *context, void *memory, size_t bytes)
{
    void *grown = count_allocate(context, sizeof(struct piece_head), bytes);
    if (!grown || !memory) return grown;
    const size_t had = ((const struct piece_head *)memory - 1)->bytes;
    memcpy(grown, memory, had < bytes ? had : bytes);
    count_release(context, memory);
    return grown;
}

static void count_begin(void)
{
    const struct teak_allocator hooks = {.allocate = count_allocate, .reallocate = count_reallocate,
                                         .release = count_release};
    assert_int_equal(teak_set_allocator(&hooks), TEAK_OK);
}

static void count_end(void)
{
    assert_int_equal(heap.pieces, 0);
    assert_int_equal(heap.bytes, 0);
    assert_int_equal(teak_set_allocator(NULL), TEAK_OK);
}

/* ---- many logs ---- */

static uint64_t id_of(uint64_t which) { return (FIRST + which) * UINT64_C(0x9e3779b97f4a7c15); }

static struct teak_options many_options(void)
{
    struct teak_options options = backend_options();
    options.segment_bytes = SEGMENT;
    options.strategy = TEAK_NONE;
    return options;
}

static void create_many(struct teak_store *store, uint64_t logs)
{
    static struct teak_op ops[MANY];
    struct teak_error error = {0};
    for (uint64_t i = 0; i < logs; i++) ops[i] = (struct teak_op){.op = TEAK_OP_CREATE, .log = id_of(i)};
    rig_ok(rig_submit(store, &(struct teak_batch){.ops = ops, .count = (uint32_t)logs}, &error), &error);
}

/* The next entry of each log, PART of them in a batch. */
static void append_many(struct teak_store *store, uint64_t logs, uint64_t index, uint64_t term, uint32_t bytes)
{
    static struct teak_op ops[PART];
    static struct teak_bytes entries[PART];
    static uint8_t data[PART][64];
    struct teak_error error = {0};
    assert_true(bytes <= sizeof data[0]);
    for (uint64_t begin = 0; begin < logs; begin += PART) {
        uint32_t count = 0;
        for (uint64_t i = begin; i < logs && count < PART; i++, count++) {
            rig_fill(data[count], bytes, id_of(i), index, term);
            entries[count] = (struct teak_bytes){data[count], bytes};
            ops[count] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = id_of(i), .index = index, .term = term,
                                          .entries = &entries[count], .count = 1};
        }
        rig_ok(rig_submit(store, &(struct teak_batch){.ops = ops, .count = count}, &error), &error);
    }
}

static uint64_t newest_segment(struct teak_store *store)
{
    struct teak_stats stats;
    teak_stats(store, &stats);
    return stats.newest_segment;
}

/* One log fills segments until the newest is that one. */
static void fill_upto(struct teak_store *store, uint64_t *index, uint64_t segment)
{
    while (newest_segment(store) < segment) {
        rig_append(store, BUSY, *index, *index, 9, 1 << 20);
        ++*index;
        rig_drain(store);
    }
}

static bool all_have_indexes(struct teak_store *store, void *context)
{
    (void)context;
    return segments_closed(&store->segments) == 0 && store->segments.ready && !seal_is_busy(&store->seal);
}

/* Bytes of a store in which `logs` logs rest that lie in three segments, with two terms: while it lives, and when it
 * was opened anew. */
static void measure(uint64_t logs, uint64_t *living_out, uint64_t *opened_out)
{
    const struct rig rig = rig_make("manylogs");
    const struct teak_options options = many_options();
    count_begin();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    uint64_t busy = 1;
    rig_create(store, BUSY);
    create_many(store, logs);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        append_many(store, logs, 2 * round - 1, 1 + round / 2, 40);
        append_many(store, logs, 2 * round, 1 + round / 2, 30);
        rig_drain(store);
        fill_upto(store, &busy, newest_segment(store) + 1);
    }
    fill_upto(store, &busy, newest_segment(store) + 4);
    rig_drive_until(store, all_have_indexes, NULL);
    *living_out = heap.bytes;
    rig_close(store);
    assert_int_equal(heap.bytes, 0);
    store = rig_open_with(&rig, &options, NULL);
    rig_append(store, BUSY, busy, busy, 9, 10);
    rig_drain(store);
    rig_drive_until(store, all_have_indexes, NULL);
    *opened_out = heap.bytes;
    struct teak_stats stats;
    teak_stats(store, &stats);
    assert_int_equal(stats.logs, logs + 1);
    for (uint64_t i = 0; i < logs; i += 997) rig_expect_entries(store, id_of(i), 1, 2 * ROUNDS);
    rig_close(store);
    count_end();
    rig_remove(rig.dir);
}

static void a_log_at_rest_holds_512_bytes(void **state)
{
    (void)state;
    uint64_t living[2], opened[2];
    measure(1, &living[0], &opened[0]);
    measure(MANY, &living[1], &opened[1]);
    printf("a log at rest: %" PRIu64 " bytes, %" PRIu64 " in a store just opened\n",
           (living[1] - living[0]) / (MANY - 1), (opened[1] - opened[0]) / (MANY - 1));
    assert_true(living[1] >= living[0] && living[1] - living[0] <= (uint64_t)LOG_BYTES * (MANY - 1));
    assert_true(opened[1] >= opened[0] && opened[1] - opened[0] <= (uint64_t)LOG_BYTES * (MANY - 1));
}

static bool has_next(struct teak_store *store, void *context)
{
    (void)context;
    return store->segments.ready != NULL;
}

/* Slots that were kept for a log come to an end in the midst of a frame that it has for itself. */
static void a_log_goes_on_alone_after_others_took_turns(void **state)
{
    (void)state;
    enum { OTHER = 2, TURNS = 21, ALONE = 100 };
    const struct rig rig = rig_make("alone");
    const struct teak_options options = backend_options();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    uint64_t last[2] = {0};
    rig_create(store, BUSY);
    rig_create(store, OTHER);
    for (uint64_t again = 0; again < 6; again++) {
        for (uint64_t turn = 0; turn < TURNS; turn++)
            for (uint64_t log = 0; log < 2; log++) {
                rig_append(store, BUSY + log, last[log] + 1, last[log] + 1, 1, 8);
                last[log]++;
            }
        rig_drain(store);
        rig_drive_until(store, has_next, NULL);
        rig_append(store, BUSY + again % 2, last[again % 2] + 1, last[again % 2] + ALONE, 1, 8);
        last[again % 2] += ALONE;
    }
    for (uint64_t log = 0; log < 2; log++) rig_expect_entries(store, BUSY + log, 1, last[log]);
    teak_abandon(store);
    store = rig_open_with(&rig, &options, NULL);
    for (uint64_t log = 0; log < 2; log++) {
        assert_true(rig_log(store, BUSY + log).last.index + ALONE >= last[log]);
        rig_expect_entries(store, BUSY + log, 1, rig_log(store, BUSY + log).last.index);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

int main(void)
{
    backend_now = TEAK_BACKEND_POSIX;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_at_rest_holds_512_bytes),
        cmocka_unit_test(a_log_goes_on_alone_after_others_took_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
