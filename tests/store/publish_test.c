/* publish_test.c: the file STATS: what is written there, when, and that nothing hangs on it. And the table of counters
 * against the struct that it is about. */
#include "store/backends.h"

#include "base/coarse.h"
#include "format/layout.h"
#include "format/stats_record.h"
#include "teak/counters.h"

enum { MS = 1000000 };

/* Another field in struct teak_stats before frame_latency needs a row in TEAK_COUNTER_LIST, and the other way round. */
static void every_counter_has_one_row_in_the_table(void **state)
{
    (void)state;
    uint32_t count;
    const struct teak_counter *table = teak_counters(&count);
    enum { WORDS = offsetof(struct teak_stats, frame_latency) / 8 };
    bool seen[WORDS] = {false};
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(table[i].offset % 8, 0);
        assert_true(table[i].offset / 8 < WORDS);
        if (seen[table[i].offset / 8]) fail_msg("%s stands twice in the table", table[i].name);
        seen[table[i].offset / 8] = true;
        assert_true(strlen(table[i].name) < TEAK_NAME_MAX);
        assert_true(strlen(table[i].help) > 0 && table[i].help[strlen(table[i].help) - 1] != '.');
    }
    for (uint32_t i = 0; i < WORDS; i++)
        if (!seen[i]) fail_msg("word %u of struct teak_stats has no row in TEAK_COUNTER_LIST", i);
}

static struct teak_store *open_publishing(const struct rig *rig, uint64_t interval_ns)
{
    struct teak_options options = backend_options();
    options.stats_interval_ns = interval_ns;
    return rig_open_with(rig, &options, NULL);
}

static enum teak_status look(const struct rig *rig, struct teak_published *out)
{
    return teak_read_stats(rig->dir, out, NULL);
}

static uint64_t number(const struct teak_published *numbers, const char *name)
{
    for (uint32_t i = 0; i < numbers->counter_count; i++)
        if (!strcmp(numbers->counters[i].name, name)) return numbers->counters[i].value;
    fail_msg("no counter %s", name);
    return 0;
}

static void poll_for(struct teak_store *store, uint64_t ns)
{
    for (uint64_t slept = 0; slept < ns; slept += 2 * MS) {
        struct teak_completion done[8];
        uint32_t count;
        struct teak_error error = {0};
        rig_ok(teak_poll(store, 0, done, 8, &count, &error), &error);
        usleep(2000);
    }
}

static struct teak_published numbers; /* 40 KiB */

static bool has_told(struct teak_store *store, void *context)
{
    struct teak_stats stats;
    (void)context;
    teak_stats(store, &stats);
    return stats.published > 0;
}

static bool has_failed(struct teak_store *store, void *context)
{
    struct teak_stats stats;
    (void)context;
    teak_stats(store, &stats);
    return stats.publish_failed > 0;
}

static bool has_told_more(struct teak_store *store, void *context)
{
    struct teak_stats stats;
    teak_stats(store, &stats);
    return stats.published > *(uint64_t *)context;
}

static bool has_published(struct teak_store *store, void *context)
{
    (void)store;
    return look(context, &numbers) == TEAK_OK && number(&numbers, "entries") == 5;
}

static void numbers_of_a_living_store_can_be_read(void **state)
{
    (void)state;
    struct rig rig = rig_make("publish");
    struct teak_store *store = open_publishing(&rig, 20 * MS);
    assert_int_equal(look(&rig, &numbers), TEAK_NOT_FOUND); /* nothing is written yet */
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 5, 1, 100);
    rig_drive_until(store, has_published, &rig);
    assert_true(numbers.living);
    assert_false(numbers.closed);
    assert_int_equal(numbers.pid, (uint64_t)getpid());
    assert_int_equal(number(&numbers, "payload_bytes"), 500);
    assert_int_equal(number(&numbers, "logs"), 1);
    assert_int_equal(numbers.histogram_count, TEAK_HISTOGRAM_COUNT);
    rig_drive_until(store, has_told, NULL); /* it could be read before its completion was collected */
    struct teak_stats stats;
    teak_stats(store, &stats);
    assert_true(stats.published > 0);
    assert_int_equal(stats.publish_failed, 0);
    struct teak_histogram entries, latency, syncs;
    teak_histogram(store, TEAK_HISTOGRAM_FRAME_ENTRIES, &entries);
    assert_int_equal(entries.sum, 5);
    assert_true(entries.count >= 5); /* the creation may share a frame */
    teak_histogram(store, TEAK_HISTOGRAM_FRAME_LATENCY, &latency);
    assert_int_equal(latency.count, stats.frame_latency.count);
    teak_histogram(store, TEAK_HISTOGRAM_SYNC_LATENCY, &syncs);
    assert_true(syncs.count >= 5);
    rig_close(store);
    assert_int_equal(look(&rig, &numbers), TEAK_OK);
    assert_true(numbers.closed);
    assert_false(numbers.living);
    rig_remove(rig.dir);
}

static void an_idle_store_publishes_once_more_and_sleeps(void **state)
{
    (void)state;
    struct rig rig = rig_make("publish");
    struct teak_store *store = open_publishing(&rig, 20 * MS);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 5, 1, 100);
    assert_true(teak_deadline(store) != TEAK_NO_DEADLINE);
    rig_settle(store);
    struct teak_stats before, after;
    teak_stats(store, &before);
    assert_int_equal(teak_deadline(store), TEAK_NO_DEADLINE);
    poll_for(store, 100 * MS);
    teak_stats(store, &after);
    assert_int_equal(before.published, after.published);
    assert_int_equal(look(&rig, &numbers), TEAK_OK);
    assert_int_equal(number(&numbers, "last_lsn"), after.last_lsn);
    rig_close(store);
    rig_remove(rig.dir);
}

static void never_means_no_file(void **state)
{
    (void)state;
    struct rig rig = rig_make("publish");
    struct teak_store *store = open_publishing(&rig, TEAK_FOREVER);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 5, 1, 100);
    rig_close(store);
    assert_false(rig_has(&rig, "STATS"));
    rig_remove(rig.dir);
}

/* The writes of frames are let through: a publication is a chore's write, and the pool has come to rest. */
static void a_failed_write_is_counted_and_harmless(void **state)
{
    (void)state;
    struct rig rig = rig_make("publish");
    struct teak_options options = backend_options();
    options.stats_interval_ns = 10 * MS;
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 3, 1, 100);
    rig_settle(store);
    struct teak_stats stats;
    teak_stats(store, &stats);
    uint64_t published = stats.published;
    assert_true(published > 0);
    rig_append_synced(store, 1, 4, 4, 1, 100); /* something to tell */
    faulty->fails_chores = ENOSPC;
    rig_drive_until(store, has_failed, NULL);
    faulty->fails_chores = 0;
    rig_append_synced(store, 1, 5, 5, 1, 100);
    rig_drive_until(store, has_told_more, &published);
    rig_close(store);
    store = rig_open(&rig, NULL);
    rig_expect_entries(store, 1, 1, 5);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_poisoned_store_publishes_nothing(void **state)
{
    (void)state;
    struct rig rig = rig_make("publish");
    struct teak_options options = backend_options();
    options.stats_interval_ns = 10 * MS;
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 3, 1, 100);
    rig_drive_until(store, has_told, NULL);
    faulty->stands_ns = disk_now(faulty->real); /* no other one comes due, however slow this machine is */
    assert_int_equal(look(&rig, &numbers), TEAK_OK);
    const uint64_t sequence = numbers.sequence;
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
    rig_append(store, 1, 4, 4, 1, 100);
    assert_int_equal(teak_drain(store, NULL), TEAK_POISONED);
    faulty->nth = 0;
    for (int i = 0; i < 50; i++) {
        uint32_t count;
        struct teak_completion done[8];
        (void)teak_poll(store, 0, done, 8, &count, NULL);
        usleep(1000);
    }
    assert_int_equal(teak_close(store, NULL), TEAK_POISONED);
    assert_int_equal(look(&rig, &numbers), TEAK_OK);
    assert_true(numbers.sequence <= sequence + 1); /* one may have been on its way */
    assert_false(numbers.closed);
    rig_remove(rig.dir);
}

static void nothing_in_the_file_matters_to_opening(void **state)
{
    (void)state;
    struct rig rig = rig_make("publish");
    struct teak_store *store = open_publishing(&rig, 10 * MS);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 3, 1, 100);
    rig_close(store);
    const size_t size = 300;
    uint8_t *rubbish = malloc(size);
    assert_non_null(rubbish);
    for (size_t i = 0; i < size; i++) rubbish[i] = (uint8_t)(i * 7);
    rig_write(&rig, "STATS", 0, rubbish, size);
    assert_int_equal(look(&rig, &numbers), TEAK_BAD_MAGIC);
    struct teak_report report;
    store = rig_open(&rig, &report);
    assert_int_equal(report.unknown_count, 0);
    rig_expect_entries(store, 1, 1, 3);
    rig_close(store);
    rig_unlink(&rig, "STATS");
    assert_int_equal(look(&rig, &numbers), TEAK_NOT_FOUND);
    free(rubbish);
    rig_remove(rig.dir);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct rig rig = rig_make("publish");
    struct teak_error error;
    assert_int_equal(teak_read_stats("no/such/place", &numbers, &error), TEAK_NO_DIRECTORY);
    assert_int_equal(teak_read_stats(NULL, &numbers, &error), TEAK_INVALID);
    assert_int_equal(teak_read_stats(rig.dir, &numbers, &error), TEAK_NOT_A_STORE);
    struct teak_store *store = open_publishing(&rig, 10 * MS);
    rig_create(store, 1);
    rig_close(store);
    assert_int_equal(look(&rig, &numbers), TEAK_OK);
    const struct rig other = rig_make("publish.other"); /* its numbers, brought by hand */
    store = open_publishing(&other, TEAK_FOREVER);
    rig_create(store, 1);
    rig_close(store);
    char from[2 * RIG_PATH], to[2 * RIG_PATH];
    rig_path(&rig, "STATS", from);
    rig_path(&other, "STATS", to);
    rig_copy_file(from, to);
    assert_int_equal(look(&other, &numbers), TEAK_NOT_FOUND);
    rig_flip(&other, "STORE", 60, 1);
    assert_int_equal(look(&other, &numbers), TEAK_HASH_MISMATCH);
    rig_remove(rig.dir);
    rig_remove(other.dir);
}

/* ---- the record ---- */

static void fill_record(struct teak_published *record)
{
    memset(record, 0, sizeof *record);
    record->closed = true;
    record->pid = 77;
    record->sequence = 5;
    record->uptime_ns = 12345;
    memset(record->instance, 9, sizeof record->instance);
    record->counter_count = 2;
    strcpy(record->counters[0].name, "frames");
    record->counters[0].value = UINT64_MAX;
    strcpy(record->counters[1].name, "logs");
    record->counters[1].kind = TEAK_GAUGE;
    record->label_count = 1;
    strcpy(record->labels[0].name, "backend");
    strcpy(record->labels[0].text, "uring");
    record->histogram_count = 1;
    strcpy(record->histograms[0].name, "frame_latency");
    for (uint64_t value = 1; value < UINT64_C(1) << 60; value *= 3)
        coarse_add(&record->histograms[0].histogram, value);
}

static void a_record_survives_encoding_and_no_flipped_bit(void **state)
{
    (void)state;
    static struct teak_published record, back;
    static uint8_t bytes[STATS_RECORD_MAX];
    fill_record(&record);
    const uint32_t count = stats_record_encode(&record, bytes);
    assert_int_equal(stats_record_judge(bytes, count, &back), TEAK_OK);
    assert_memory_equal(&record, &back, sizeof record);
    for (uint32_t cut = 0; cut < count; cut++) {
        uint8_t *exact = malloc(cut + 1);
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        assert_int_not_equal(stats_record_judge(exact, cut, &back), TEAK_OK);
        free(exact);
    }
    for (uint32_t bit = 0; bit < count * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(stats_record_judge(bytes, count, &back), TEAK_OK);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Whoever makes good sums over nonsense gets DECODE: names, kinds, counts, buckets. */
static void senseless_records_with_good_sums_are_refused(void **state)
{
    (void)state;
    static struct teak_published record, back;
    static uint8_t bytes[STATS_RECORD_MAX];
    const size_t name_at = HEAD_BYTES, kind_at = HEAD_BYTES + 40, text_at = HEAD_BYTES + 2 * 48 + 32;
    const size_t histogram_at = HEAD_BYTES + 3 * 48;
    const struct { size_t at; uint8_t value; } wrong[] = {
        {name_at, 0}, {name_at, '"'}, {name_at + 31, 'x'}, {kind_at, 2}, {text_at + 15, 'x'}, {histogram_at + 32, 0},
        {histogram_at + 57, 0xff}, {histogram_at + 56, 1}, {histogram_at + 64, 0xff}, {histogram_at + 80, 1},
        {60, 200}, {64, 200}, {68, 200}, {60, 1}, {68, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fill_record(&record);
        const uint32_t count = stats_record_encode(&record, bytes);
        if (wrong[i].at == name_at + 31) memset(bytes + name_at, 'x', 31);
        bytes[wrong[i].at] = wrong[i].value;
        const le64 body = le64_of(plain_sum(bytes + HEAD_BYTES, count - HEAD_BYTES));
        memcpy(bytes + 72, &body, 8);
        const le64 sum = le64_of(plain_sum(bytes, 120));
        memcpy(bytes + 120, &sum, 8);
        if (stats_record_judge(bytes, count, &back) != TEAK_DECODE) fail_msg("case %zu was let through", i);
    }
}

/* ---- histograms ---- */

static void fewer_digits_of_the_same_values_agree(void **state)
{
    (void)state;
    struct hist *fine = calloc(1, sizeof *fine);
    static struct teak_histogram direct, folded;
    assert_non_null(fine);
    memset(&direct, 0, sizeof direct);
    uint64_t value = 1;
    for (int i = 0; i < 5000; i++) {
        value = value * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const uint64_t sample = value >> (value % 60);
        hist_add(fine, sample);
        coarse_add(&direct, sample);
    }
    coarse_of(fine, &folded);
    assert_memory_equal(direct.buckets, folded.buckets, sizeof direct.buckets);
    assert_int_equal(folded.count, 5000);
    for (uint32_t bucket = 1; bucket < TEAK_HISTOGRAM_BUCKETS; bucket++)
        assert_true(teak_histogram_top(bucket) > teak_histogram_top(bucket - 1));
    assert_true(teak_histogram_top(TEAK_HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
    for (double share = 0.1; share < 1; share += 0.1) {
        const uint64_t exact = hist_quantile(fine, share), near = teak_histogram_quantile(&direct, share);
        assert_true(near >= exact && near - exact <= exact / 8 + 1);
    }
    memset(&folded, 0, sizeof folded);
    assert_int_equal(teak_histogram_quantile(&folded, 0.5), 0);
    free(fine);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_has_one_row_in_the_table),
        cmocka_unit_test(numbers_of_a_living_store_can_be_read),
        cmocka_unit_test(an_idle_store_publishes_once_more_and_sleeps),
        cmocka_unit_test(never_means_no_file),
        cmocka_unit_test(a_failed_write_is_counted_and_harmless),
        cmocka_unit_test(a_poisoned_store_publishes_nothing),
        cmocka_unit_test(nothing_in_the_file_matters_to_opening),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(a_record_survives_encoding_and_no_flipped_bit),
        cmocka_unit_test(senseless_records_with_good_sums_are_refused),
        cmocka_unit_test(fewer_digits_of_the_same_values_agree),
    };
    return backends_run(argc, argv, "publish", tests, sizeof tests / sizeof tests[0]);
}
