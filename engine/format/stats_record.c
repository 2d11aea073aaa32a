/* stats_record.c: see stats_record.h. */
#include "format/stats_record.h"

#include "format/key.h"
#include "format/layout.h"

static_assert((int)STATS_NAME_BYTES == (int)TEAK_NAME_MAX, "a name of the file fits the field that shows it");
static_assert(HEAD_BYTES + TEAK_PUBLISHED_COUNTERS * 48 + TEAK_PUBLISHED_LABELS * 48 +
                  TEAK_PUBLISHED_HISTOGRAMS * (64 + TEAK_HISTOGRAM_BUCKETS * 16) <= STATS_RECORD_MAX,
              "the largest record fits");

enum { FLAG_CLOSED = 1 };

static uint64_t head_sum(const struct layout_stats *head)
{
    return plain_sum(head, offsetof(struct layout_stats, checksum));
}

static uint32_t put_histogram(const char *name, const struct teak_histogram *histogram, uint8_t *out)
{
    struct layout_stats_histogram head = {.count = le64_of(histogram->count), .sum = le64_of(histogram->sum),
                                          .max = le64_of(histogram->max)};
    memcpy(head.name, name, sizeof head.name);
    uint32_t at = sizeof head, buckets = 0;
    for (uint32_t i = 0; i < TEAK_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] == 0) continue;
        const struct layout_stats_bucket bucket = {.bucket = le32_of(i), .count = le64_of(histogram->buckets[i])};
        memcpy(out + at, &bucket, sizeof bucket);
        at += sizeof bucket;
        buckets++;
    }
    head.buckets = le32_of(buckets);
    memcpy(out, &head, sizeof head);
    return at;
}

uint32_t stats_record_encode(const struct teak_published *published, uint8_t *out)
{
    uint32_t at = HEAD_BYTES;
    for (uint32_t i = 0; i < published->counter_count; i++, at += sizeof(struct layout_stats_counter)) {
        struct layout_stats_counter counter = {.value = le64_of(published->counters[i].value),
                                               .kind = le32_of(published->counters[i].kind)};
        memcpy(counter.name, published->counters[i].name, sizeof counter.name);
        memcpy(out + at, &counter, sizeof counter);
    }
    for (uint32_t i = 0; i < published->label_count; i++, at += sizeof(struct layout_stats_label)) {
        struct layout_stats_label label;
        memcpy(label.name, published->labels[i].name, sizeof label.name);
        memcpy(label.text, published->labels[i].text, sizeof label.text);
        memcpy(out + at, &label, sizeof label);
    }
    for (uint32_t i = 0; i < published->histogram_count; i++)
        at += put_histogram(published->histograms[i].name, &published->histograms[i].histogram, out + at);
    struct layout_stats head = {.magic = le64_of(MAGIC_STATS),
                                .version = le32_of(FORMAT_VERSION),
                                .flags = le32_of(published->closed ? FLAG_CLOSED : 0),
                                .pid = le64_of(published->pid),
                                .sequence = le64_of(published->sequence),
                                .uptime_ns = le64_of(published->uptime_ns),
                                .bytes = le32_of(at),
                                .counters = le32_of(published->counter_count),
                                .labels = le32_of(published->label_count),
                                .histograms = le32_of(published->histogram_count),
                                .body_sum = le64_of(plain_sum(out + HEAD_BYTES, at - HEAD_BYTES))};
    memcpy(head.instance, published->instance, sizeof head.instance);
    head.checksum = le64_of(head_sum(&head));
    memcpy(out, &head, sizeof head);
    return at;
}

/* A name is letters, digits and _, ends with a zero inside its field, and is not empty. */
static bool name_is_sound(const char name[STATS_NAME_BYTES])
{
    uint32_t i = 0;
    for (; i < STATS_NAME_BYTES && name[i]; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9' && i > 0) || name[i] == '_'))
            return false;
    return i > 0 && i < STATS_NAME_BYTES;
}

static bool take_counters(const uint8_t *bytes, uint64_t limit, uint64_t *at, struct teak_published *out)
{
    for (uint32_t i = 0; i < out->counter_count; i++, *at += sizeof(struct layout_stats_counter)) {
        struct layout_stats_counter counter;
        if (!range_fits(*at, sizeof counter, limit)) return false;
        memcpy(&counter, bytes + *at, sizeof counter);
        if (!name_is_sound(counter.name) || le32_get(counter.kind) > TEAK_GAUGE) return false;
        memcpy(out->counters[i].name, counter.name, sizeof counter.name);
        out->counters[i].kind = (enum teak_counter_kind)le32_get(counter.kind);
        out->counters[i].value = le64_get(counter.value);
    }
    for (uint32_t i = 0; i < out->label_count; i++, *at += sizeof(struct layout_stats_label)) {
        struct layout_stats_label label;
        if (!range_fits(*at, sizeof label, limit)) return false;
        memcpy(&label, bytes + *at, sizeof label);
        if (!name_is_sound(label.name) || label.text[STATS_TEXT_BYTES - 1] != '\0') return false;
        memcpy(out->labels[i].name, label.name, sizeof label.name);
        memcpy(out->labels[i].text, label.text, sizeof label.text);
    }
    return true;
}

/* Buckets ascend, and their counts are together the histogram's. */
static bool take_histogram(const uint8_t *bytes, uint64_t limit, uint64_t *at, char *name, struct teak_histogram *out)
{
    struct layout_stats_histogram head;
    if (!range_fits(*at, sizeof head, limit)) return false;
    memcpy(&head, bytes + *at, sizeof head);
    *at += sizeof head;
    if (!name_is_sound(head.name) || le32_get(head.buckets) > TEAK_HISTOGRAM_BUCKETS) return false;
    memcpy(name, head.name, sizeof head.name);
    out->count = le64_get(head.count);
    out->sum = le64_get(head.sum);
    out->max = le64_get(head.max);
    uint64_t total = 0, next = 0;
    for (uint32_t i = 0; i < le32_get(head.buckets); i++, *at += sizeof(struct layout_stats_bucket)) {
        struct layout_stats_bucket bucket;
        if (!range_fits(*at, sizeof bucket, limit)) return false;
        memcpy(&bucket, bytes + *at, sizeof bucket);
        const uint32_t number = le32_get(bucket.bucket);
        if (number < next || number >= TEAK_HISTOGRAM_BUCKETS) return false;
        if (!add_fits(total, le64_get(bucket.count), &total)) return false;
        out->buckets[number] = le64_get(bucket.count);
        next = (uint64_t)number + 1;
    }
    return total == out->count;
}

enum teak_status stats_record_judge(const uint8_t *bytes, uint64_t count, struct teak_published *out)
{
    if (count < HEAD_BYTES) return TEAK_DECODE;
    struct layout_stats head;
    memcpy(&head, bytes, sizeof head);
    if (le64_get(head.magic) != MAGIC_STATS) return TEAK_BAD_MAGIC;
    if (le64_get(head.checksum) != head_sum(&head)) return TEAK_HASH_MISMATCH;
    if (le32_get(head.version) != FORMAT_VERSION) return TEAK_VERSION;
    const uint64_t limit = le32_get(head.bytes);
    if (limit < HEAD_BYTES || limit > STATS_RECORD_MAX) return TEAK_DECODE;
    if (limit > count || le64_get(head.body_sum) != plain_sum(bytes + HEAD_BYTES, limit - HEAD_BYTES))
        return TEAK_HASH_MISMATCH;
    memset(out, 0, sizeof *out);
    out->closed = (le32_get(head.flags) & FLAG_CLOSED) != 0;
    out->pid = le64_get(head.pid);
    out->sequence = le64_get(head.sequence);
    out->uptime_ns = le64_get(head.uptime_ns);
    memcpy(out->instance, head.instance, sizeof out->instance);
    out->counter_count = le32_get(head.counters);
    out->label_count = le32_get(head.labels);
    out->histogram_count = le32_get(head.histograms);
    uint64_t at = HEAD_BYTES;
    bool good = out->counter_count <= TEAK_PUBLISHED_COUNTERS && out->label_count <= TEAK_PUBLISHED_LABELS &&
                out->histogram_count <= TEAK_PUBLISHED_HISTOGRAMS && take_counters(bytes, limit, &at, out);
    for (uint32_t i = 0; good && i < out->histogram_count; i++)
        good = take_histogram(bytes, limit, &at, out->histograms[i].name, &out->histograms[i].histogram);
    return good && at == limit ? TEAK_OK : TEAK_DECODE;
}
