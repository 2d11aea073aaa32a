/* format_fuzz.c: any bytes, to one decoder of the format: built once for each, as <decoder>_fuzz, with FUZZ_DECODER its
 * function.
 *
 * Where the first byte's highest bit is set magic, place and checksums are made good first: random bytes never have
 * them, malice does, and behind them is where lengths are believed. What a decoder accepts is walked to its last byte,
 * in memory that ends where the input ends, so that a sanitizer sees the first byte too many. The mutator knows that
 * structures are made of aligned fields, and tables of operations in steps of eight bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "format/descriptor.h"
#include "format/frame.h"
#include "format/segment_id.h"
#include "format/segment_index.h"
#include "format/snapshot_file.h"
#include "format/stats_record.h"
#include "format/superblock.h"
#include "spite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

enum { REPAIR = 0x80, BLOCK = 128 /* small blocks, small inputs: the decoders take any */ };

static const uint8_t family[16] = {0xfa};
static const struct key *shared_key(void)
{
    static struct key key;
    if (key.salt == 0) key_derive(&key, family, 0x5a17);
    return &key;
}

static volatile uint64_t seen; /* so that no read is optimised away */

static void read_all(const uint8_t *bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) seen += bytes[i];
}

static void put64(uint8_t *at, uint64_t value)
{
    const le64 bytes = le64_of(value);
    memcpy(at, &bytes, sizeof bytes);
}

static void put32(uint8_t *at, uint32_t value)
{
    const le32 bytes = le32_of(value);
    memcpy(at, &bytes, sizeof bytes);
}

static uint32_t get32(const uint8_t *at)
{
    le32 bytes;
    memcpy(&bytes, at, sizeof bytes);
    return le32_get(bytes);
}

/* ---- one function per decoder ---- */

__attribute__((unused)) static void fuzz_superblock(uint8_t *bytes, size_t size, bool repair)
{
    struct superblock out;
    if (repair && size >= sizeof(struct layout_store)) {
        put64(bytes, MAGIC_STORE);
        put64(bytes + offsetof(struct layout_store, checksum),
              plain_sum(bytes, offsetof(struct layout_store, checksum)));
    }
    uint8_t whole[SUPERBLOCK_BYTES] = {0};
    memcpy(whole, bytes, min_u64(size, sizeof whole));
    seen += superblock_judge(bytes, size, 0, &out);
    seen += superblock_judge(whole, sizeof whole, 1, &out);
}

__attribute__((unused)) static void fuzz_identity(uint8_t *bytes, size_t size, bool repair)
{
    struct segment_id out;
    if (size < HEAD_BYTES) return;
    if (repair) {
        put64(bytes, MAGIC_IDENTITY);
        put64(bytes + offsetof(struct layout_identity, salt), shared_key()->salt);
        key_seal_head(shared_key(), bytes);
    }
    seen += segment_id_judge(bytes, family, &out);
}

static void walk_table(const uint8_t *frame, const struct frame_head *head)
{
    struct op op;
    uint32_t cursor = 0;
    while (table_next(frame, head, &cursor, &op)) {
        if (op.code == OP_META) read_all(op.meta, op.count);
        for (uint32_t i = 0; op_has_entries(op.code) && i < op.count; i++) {
            const struct layout_slot *slot = &op.entries.slots[i];
            read_all(frame + (le32_get(slot->offset) - head->offset), le32_get(slot->bytes));
        }
        const uint8_t *at = op.code == OP_CHECKPOINT ? op.checkpoint.records : NULL;
        for (uint32_t i = 0; at && i < op.count; i++) {
            struct log_record record;
            at += log_record_get(at, &record);
            read_all(record.meta, record.meta_bytes);
        }
    }
    if (cursor != head->table_bytes) abort(); /* a judged table is walked to its end */
}

static void frame_repair(uint8_t *bytes, size_t size)
{
    const uint32_t table_offset = get32(bytes + offsetof(struct layout_frame, table_offset));
    const uint32_t table_bytes = get32(bytes + offsetof(struct layout_frame, table_bytes));
    put64(bytes, MAGIC_FRAME);
    put64(bytes + offsetof(struct layout_frame, salt), shared_key()->salt);
    put64(bytes + offsetof(struct layout_frame, segment), 7);
    put32(bytes + offsetof(struct layout_frame, offset), BLOCK);
    memset(bytes + offsetof(struct layout_frame, zero), 0, sizeof ((struct layout_frame *)0)->zero);
    if (range_fits(table_offset, table_bytes, size))
        put64(bytes + offsetof(struct layout_frame, table_sum),
              key_sum(shared_key(), bytes + table_offset, table_bytes));
    key_seal_head(shared_key(), bytes);
}

static void judge_and_walk(const uint8_t *frame, const struct frame_head *head)
{
    struct op bad_op;
    uint64_t bad_index;
    const enum frame_verdict verdict = frame_judge(frame, head, shared_key(), &bad_op, &bad_index);
    const bool table_is_whole = verdict == FRAME_WHOLE || verdict == FRAME_TORN_ENTRY;
    if (table_is_whole) walk_table(frame, head);
    if ((verdict == FRAME_TORN_ENTRY) != (bad_index != 0)) abort();
    if ((frame_judge_table(frame, head, shared_key()) == FRAME_WHOLE) != table_is_whole) abort();
}

__attribute__((unused)) static void fuzz_frame(uint8_t *bytes, size_t size, bool repair)
{
    if (size < HEAD_BYTES) return;
    if (repair) frame_repair(bytes, size);
    const struct frame_place place = {
        .segment = 7, .offset = BLOCK, .segment_bytes = BLOCK + size, .block_bytes = BLOCK};
    struct frame_head head;
    const bool keyed = frame_head_judge(bytes, shared_key(), &place, &head);
    if (keyed) judge_and_walk(bytes, &head);
    if (keyed && !frame_head_judge_unkeyed(bytes, family, &place, &head)) abort();
}

/* The input says how many payload bytes, operations and entries there are; then come payloads and table. The head is
 * made to fit, so that operations are reached without guessing one. */
__attribute__((unused)) static void fuzz_table(uint8_t *bytes, size_t size, bool repair)
{
    if (size < 8) return;
    const uint32_t payload_bytes = (uint32_t)align_down(min_u64(bytes[0], size - 8), 8);
    const uint32_t table_bytes = (uint32_t)(size - 8 - payload_bytes);
    const size_t frame_bytes = HEAD_BYTES + size - 8;
    uint8_t *frame = calloc(1, frame_bytes);
    if (!frame) abort();
    memcpy(frame + HEAD_BYTES, bytes + 8, size - 8);
    struct frame_head head = {.offset = BLOCK, .bytes = (uint32_t)frame_bytes, .table_bytes = table_bytes,
                              .table_offset = HEAD_BYTES + payload_bytes, .op_count = bytes[1],
                              .entry_count = bytes[2], .lsn = 1};
    if (repair) head.table_sum = key_sum(shared_key(), frame + head.table_offset, table_bytes);
    judge_and_walk(frame, &head);
    free(frame);
}

__attribute__((unused)) static void fuzz_footer(uint8_t *bytes, size_t size, bool repair)
{
    struct footer out;
    if (size < HEAD_BYTES) return;
    le64 file_bytes;
    memcpy(&file_bytes, bytes + offsetof(struct layout_footer, file_bytes), sizeof file_bytes);
    if (repair) {
        put64(bytes, MAGIC_FOOTER);
        put64(bytes + offsetof(struct layout_footer, salt), shared_key()->salt);
        put64(bytes + offsetof(struct layout_footer, segment), 7);
        key_seal_head(shared_key(), bytes);
    }
    if (!footer_judge(bytes, shared_key(), 7, le64_get(file_bytes), BLOCK, &out)) return;
    if (!range_fits(out.summary_offset, out.summary_bytes, out.file_bytes)) abort();
    if (!range_fits(out.slots_offset, UINT64_C(16) * out.slot_count, out.summary_offset)) abort();
}

__attribute__((unused)) static void fuzz_summary(uint8_t *bytes, size_t size, bool repair)
{
    if (size < 8) return;
    const struct footer footer = {.slot_count = get32(bytes), .log_count = get32(bytes + 4),
                                  .summary_bytes = (uint32_t)(size - 8),
                                  .summary_sum = repair ? key_sum(shared_key(), bytes + 8, size - 8) : 0};
    const uint8_t *summary = bytes + 8;
    if (!summary_judge(summary, &footer, shared_key())) return;
    uint32_t at = 0;
    for (uint32_t i = 0; i < footer.log_count; i++) {
        struct touched touched;
        at = touched_get(summary, at, &touched);
        for (uint32_t k = 0; k < touched.extent_count; k++)
            if (extent_find(touched.extents, touched.extent_count, le64_get(touched.extents[k].first)) !=
                &touched.extents[k])
                abort();
    }
    if (at != footer.summary_bytes) abort();
}

/* Head and meta, one chunk whose length the input says, and the foot of a file as long as the foot says. */
__attribute__((unused)) static void fuzz_snapshot(uint8_t *bytes, size_t size, bool repair)
{
    if (size < 2 * HEAD_BYTES + SNAPSHOT_CHUNK_HEAD) return;
    uint8_t *foot_bytes = bytes + HEAD_BYTES, *chunk = bytes + 2 * HEAD_BYTES;
    struct snapshot_head head;
    struct snapshot_foot foot;
    struct key key;
    uint64_t sum;
    if (repair) {
        put64(bytes, MAGIC_SNAPSHOT);
        put32(bytes + offsetof(struct layout_snapshot_head, version), FORMAT_VERSION);
        memcpy(bytes + offsetof(struct layout_snapshot_head, family), family, sizeof family);
        memset(bytes + offsetof(struct layout_snapshot_head, zero), 0, sizeof ((struct layout_snapshot_head *)0)->zero);
        put64(bytes + offsetof(struct layout_snapshot_head, file_id), shared_key()->salt);
        put64(foot_bytes, MAGIC_SNAPSHOT_FOOT);
        key_seal_head(shared_key(), bytes);
        key_seal_head(shared_key(), foot_bytes);
    }
    if (snapshot_head_judge(bytes, family, &key, &head, &sum) != TEAK_OK) return;
    if (snapshot_head_end(&head) < HEAD_BYTES + (uint64_t)head.meta_bytes) abort();
    le64 file_bytes;
    memcpy(&file_bytes, foot_bytes + offsetof(struct layout_snapshot_foot, file_bytes), sizeof file_bytes);
    if (snapshot_foot_judge(foot_bytes, &key, &head, le64_get(file_bytes), &foot, &sum) == TEAK_OK &&
        (foot.body_bytes > foot.file_bytes || snapshot_foot_offset(&head, foot.body_bytes) >= foot.file_bytes))
        abort();
    const uint32_t most = (uint32_t)min_u64(SNAPSHOT_CHUNK_BODY, size - 2 * HEAD_BYTES - SNAPSHOT_CHUNK_HEAD);
    seen += snapshot_chunk_judge(&key, &head, 0, most, chunk, &sum);
}

__attribute__((unused)) static void fuzz_snapshot_name(uint8_t *bytes, size_t size, bool repair)
{
    (void)repair;
    if (size == 0) return;
    bytes[size - 1] = '\0';
    struct snapshot_name name;
    char again[SNAPSHOT_NAME_BYTES];
    if (!snapshot_name_judge((const char *)bytes, &name)) return;
    snapshot_name_put(&name, again);
    if (strcmp((const char *)bytes, again) != 0) abort();
}

__attribute__((unused)) static void fuzz_name(uint8_t *bytes, size_t size, bool repair)
{
    (void)repair;
    if (size == 0) return;
    bytes[size - 1] = '\0';
    uint64_t number;
    char again[NAME_BYTES] = "";
    const enum name_kind kind = name_judge((const char *)bytes, &number);
    if (kind == NAME_SEGMENT) name_segment(number, again);
    if (kind == NAME_SPARE) name_spare(number, again);
    if (kind == NAME_TEMPORARY) name_spare_temporary(number, again);
    if (again[0] != '\0' && strcmp((const char *)bytes, again) != 0) abort(); /* one spelling each */
}

/* What the judge takes is written again, and means the same then. */
__attribute__((unused)) static void fuzz_stats(uint8_t *bytes, size_t size, bool repair)
{
    static struct teak_published out, again;
    static uint8_t record[STATS_RECORD_MAX];
    if (repair && size >= HEAD_BYTES) {
        const uint32_t claimed = get32(bytes + offsetof(struct layout_stats, bytes));
        const uint32_t most = (uint32_t)min_u64(size, STATS_RECORD_MAX);
        const uint32_t whole = claimed < HEAD_BYTES || claimed > most ? most : claimed;
        put64(bytes, MAGIC_STATS);
        put32(bytes + offsetof(struct layout_stats, version), FORMAT_VERSION);
        put32(bytes + offsetof(struct layout_stats, bytes), whole);
        put64(bytes + offsetof(struct layout_stats, body_sum), plain_sum(bytes + HEAD_BYTES, whole - HEAD_BYTES));
        put64(bytes + offsetof(struct layout_stats, checksum),
              plain_sum(bytes, offsetof(struct layout_stats, checksum)));
    }
    if (stats_record_judge(bytes, size, &out) != TEAK_OK) return;
    for (uint32_t i = 0; i < out.counter_count; i++) seen += strlen(out.counters[i].name) + out.counters[i].value;
    for (uint32_t i = 0; i < out.label_count; i++) seen += strlen(out.labels[i].name) + strlen(out.labels[i].text);
    for (uint32_t i = 0; i < out.histogram_count; i++)
        seen += teak_histogram_quantile(&out.histograms[i].histogram, 0.99);
    const uint32_t bytes_again = stats_record_encode(&out, record);
    if (stats_record_judge(record, bytes_again, &again) != TEAK_OK) abort();
    if (again.counter_count != out.counter_count || again.sequence != out.sequence || again.closed != out.closed ||
        memcmp(again.counters, out.counters, out.counter_count * sizeof out.counters[0]) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    uint8_t *bytes = malloc(size > 1 ? size - 1 : 1);
    if (!bytes) abort();
    memcpy(bytes, data + 1, size - 1);
    FUZZ_DECODER(bytes, size - 1, data[0] & REPAIR);
    free(bytes);
    return 0;
}

/* ---- mutations ---- */

/* A stretch of whole words goes, or comes twice: operations and records do. Returns the size. */
static size_t move_words(struct seeded *dice, uint8_t *bytes, size_t size, size_t room)
{
    const size_t from = 8 * (size_t)seeded_below(dice, (uint32_t)(size / 8) + 1);
    size_t count = 8 * (1 + (size_t)seeded_below(dice, 8));
    if (count > size - from) count = size - from;
    if (seeded_below(dice, 2)) {
        memmove(bytes + from, bytes + from + count, size - from - count);
        return size - count;
    }
    if (count > room - size) count = (room - size) & ~(size_t)7;
    memmove(bytes + from + count, bytes + from, size - from);
    return size + count;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct seeded dice = {.state = seed};
    if (size < 9 || max_size < 9 || seeded_below(&dice, 3) == 0) return LLVMFuzzerMutate(data, size, max_size);
    for (uint32_t n = 1 + seeded_below(&dice, 4); n > 0; n--) {
        if (seeded_below(&dice, 4) == 0 && size >= 9)
            size = 1 + move_words(&dice, data + 1, size - 1, max_size - 1);
        else
            spoil_field(&dice, data + 1, size - 1, 8);
    }
    data[0] = seeded_below(&dice, 4) ? data[0] | REPAIR : data[0] & (uint8_t)~REPAIR; /* mostly with good sums */
    return size;
}
