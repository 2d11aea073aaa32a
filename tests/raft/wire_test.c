/* wire_test.c: messages as bytes and back: the same message, every status, and nothing touched where it is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "golden/wire_samples.h"
#include "unit/seeded.h"
#include "wire/wire_sum.h"

enum { MOST = 64 };

/* What a test writes into and judges. */
static uint8_t bytes[1 << 16];
static struct teak_raft_entry entries[MOST];

/* The sum again, of a message that a test changed. */
static void reseal(size_t count)
{
    struct wire_head head;
    memcpy(&head, bytes, sizeof head);
    const struct teak_raft_span all = {.data = bytes + WIRE_SUM_BYTES, .bytes = count - WIRE_SUM_BYTES};
    head.sum = le64_of(wire_sum(wire_seed(&head), &all, 1));
    memcpy(bytes, &head.sum, sizeof head.sum);
}

static enum teak_raft_status judge(size_t count, struct teak_raft_wire_in *in)
{
    *in = (struct teak_raft_wire_in){.entries = entries, .entry_max = MOST};
    return teak_raft_wire_judge(bytes, count, NULL, in);
}

static enum teak_raft_status judge_only(size_t count)
{
    struct teak_raft_wire_in in;
    return judge(count, &in);
}

static size_t encode_sample(uint8_t type)
{
    const struct teak_raft_msg msg = sample_message(type);
    memset(bytes, 0, SAMPLE_BYTES_MAX);
    const size_t count = sample_encode(&msg, bytes, sizeof bytes);
    assert_true(count > 0);
    return count;
}

static void put16(size_t at, uint16_t value)
{
    const le16 word = le16_of(value);
    memcpy(bytes + at, &word, sizeof word);
}
static void put32(size_t at, uint32_t value)
{
    const le32 word = le32_of(value);
    memcpy(bytes + at, &word, sizeof word);
}
static void put64(size_t at, uint64_t value)
{
    const le64 word = le64_of(value);
    memcpy(bytes + at, &word, sizeof word);
}

#define HEAD(field) offsetof(struct wire_head, field)

/* ---- there and back ---- */

static void every_message_comes_back_the_same(void **state)
{
    (void)state;
    static uint8_t payload[MOST][300];
    static const uint8_t config[TEAK_RAFT_CONFIG_BYTES(31)] = {1};
    struct seeded dice = {.state = 20261122};
    for (uint32_t round = 0; round < 20000; round++) {
        struct teak_raft_entry sent[MOST];
        struct teak_raft_chunk chunk = {.snapshot = {.pos = {seeded_u64(&dice), seeded_u64(&dice)}}};
        struct teak_raft_msg msg = sample_message((uint8_t)(1 + seeded_below(&dice, TEAK_RAFT_MSG_TYPE_COUNT - 1)));
        msg.group = seeded_u64(&dice);
        msg.promise = seeded_u64(&dice);
        msg.round = seeded_u64(&dice);
        msg.force = seeded_below(&dice, 2);
        msg.full = seeded_below(&dice, 2);
        msg.refused = seeded_below(&dice, 2);
        if (msg.type == TEAK_RAFT_APPEND) {
            msg.count = seeded_below(&dice, MOST + 1);
            msg.at = (struct teak_raft_pos){.index = seeded_u64(&dice) >> 2, .term = seeded_below(&dice, 8)};
            msg.term = 100;
            for (uint32_t i = 0; i < msg.count; i++) {
                const uint32_t count = seeded_below(&dice, 4) ? seeded_below(&dice, 40) : seeded_below(&dice, 300);
                sent[i] = (struct teak_raft_entry){.index = msg.at.index + 1 + i, .term = 8 + i, .tag = 77,
                                                   .kind = (uint8_t)seeded_below(&dice, 256), .bytes = count,
                                                   .data = count ? payload[i] : NULL};
                for (uint32_t k = 0; k < count; k++) payload[i][k] = (uint8_t)seeded_u64(&dice);
            }
            msg.entries = sent;
        } else if (msg.type == TEAK_RAFT_SNAPSHOT) {
            chunk.offset = seeded_u64(&dice);
            chunk.bytes = seeded_below(&dice, 300);
            chunk.data = payload[0];
            chunk.snapshot.config = config;
            chunk.snapshot.config_bytes = seeded_below(&dice, sizeof config + 1);
            msg.chunk = &chunk;
        }
        const size_t count = sample_encode(&msg, bytes, sizeof bytes);
        struct teak_raft_wire_in in;
        assert_true(count > 0);
        assert_int_equal(judge(count, &in), TEAK_RAFT_OK);
        assert_true(same_message(&in.msg, &msg));
        for (uint32_t i = 0; i < in.msg.count; i++) assert_int_equal(in.msg.entries[i].tag, 0);
    }
}

static void payloads_are_pointed_at_and_bear_the_frame(void **state)
{
    (void)state;
    struct teak_raft_frame frame = {.refs = 1};
    struct teak_raft_wire_in in = {.entries = entries, .entry_max = MOST};
    size_t count = encode_sample(TEAK_RAFT_APPEND);
    assert_int_equal(teak_raft_wire_judge(bytes, count, &frame, &in), TEAK_RAFT_OK);
    assert_int_equal(frame.refs, 1); /* who keeps an entry holds it */
    for (uint32_t i = 0; i < in.msg.count; i++) {
        assert_ptr_equal(entries[i].frame, &frame);
        if (entries[i].bytes == 0) {
            assert_null(entries[i].data);
            continue;
        }
        assert_true(entries[i].data >= bytes && entries[i].data + entries[i].bytes <= bytes + count);
        assert_int_equal((entries[i].data - bytes) % 8, 0);
    }
    count = encode_sample(TEAK_RAFT_SNAPSHOT);
    assert_int_equal(teak_raft_wire_judge(bytes, count, &frame, &in), TEAK_RAFT_OK);
    assert_ptr_equal(in.msg.chunk, &in.chunk);
    assert_ptr_equal(in.chunk.frame, &frame);
    assert_true(in.chunk.data > bytes && in.chunk.data < bytes + count);
}

static void spans_point_at_payloads_and_are_an_iovec(void **state)
{
    (void)state;
    const struct teak_raft_msg msg = sample_message(TEAK_RAFT_APPEND);
    uint8_t head[TEAK_RAFT_WIRE_HEAD_BYTES(SAMPLE_ENTRIES)];
    struct teak_raft_span spans[TEAK_RAFT_WIRE_SPANS(SAMPLE_ENTRIES)];
    struct teak_raft_wire_out out = {.head = head, .head_bytes = sizeof head, .spans = spans,
                                     .span_max = TEAK_RAFT_WIRE_SPANS(SAMPLE_ENTRIES)};
    assert_int_equal(teak_raft_wire_encode(&msg, &out), TEAK_RAFT_OK);
    assert_ptr_equal(spans[0].data, head);
    size_t all = 0;
    bool oak = false;
    for (uint32_t i = 0; i < out.span_count; i++) {
        all += spans[i].bytes;
        oak = oak || spans[i].data == sample_entries[2].data;
    }
    assert_true(oak);
    assert_int_equal(all, out.bytes);
    assert_int_equal(sizeof(struct teak_raft_span), sizeof(struct iovec));
    assert_int_equal(offsetof(struct teak_raft_span, data), offsetof(struct iovec, iov_base));
    assert_int_equal(offsetof(struct teak_raft_span, bytes), offsetof(struct iovec, iov_len));
}

static void payloads_that_touch_are_one_span(void **state)
{
    (void)state;
    static const uint8_t whole[64] = "two entries of one proposal, side by side, of 32 bytes each.";
    const struct teak_raft_entry pair[2] = {
        {.index = 41, .term = 7, .kind = 16, .data = whole, .bytes = 32},
        {.index = 42, .term = 7, .kind = 16, .data = whole + 32, .bytes = 32}};
    struct teak_raft_msg msg = sample_message(TEAK_RAFT_APPEND);
    uint8_t head[TEAK_RAFT_WIRE_HEAD_BYTES(2)];
    struct teak_raft_span spans[2];
    struct teak_raft_wire_out out = {.head = head, .head_bytes = sizeof head, .spans = spans, .span_max = 2};
    msg.entries = pair;
    msg.count = 2;
    assert_int_equal(teak_raft_wire_encode(&msg, &out), TEAK_RAFT_OK);
    assert_int_equal(out.span_count, 2);
    assert_ptr_equal(spans[1].data, whole);
    assert_int_equal(spans[1].bytes, 64);
}

/* The sum is of the bytes, not of how they are cut into spans. */
static void the_sum_does_not_depend_on_the_spans(void **state)
{
    (void)state;
    struct seeded dice = {.state = 7};
    for (size_t i = 0; i < 5000; i++) bytes[i] = (uint8_t)seeded_u64(&dice);
    for (uint32_t round = 0; round < 3000; round++) {
        struct teak_raft_span spans[40];
        uint32_t count = 0;
        size_t at = 0;
        const size_t all = seeded_below(&dice, 5000);
        while (at < all && count < 39) {
            const size_t piece = seeded_below(&dice, 3) ? seeded_below(&dice, 30) : seeded_below(&dice, 900);
            spans[count++] = (struct teak_raft_span){.data = bytes + at, .bytes = piece < all - at ? piece : all - at};
            at += spans[count - 1].bytes;
        }
        spans[count++] = (struct teak_raft_span){.data = bytes + at, .bytes = all - at};
        const struct teak_raft_span whole = {.data = bytes, .bytes = all};
        const uint64_t seed = seeded_u64(&dice);
        assert_true(wire_sum(seed, spans, count) == wire_sum(seed, &whole, 1));
    }
}

/* ---- what is no message ---- */

static void every_changed_bit_is_seen(void **state)
{
    (void)state;
    const uint8_t types[] = {TEAK_RAFT_HEARTBEAT, TEAK_RAFT_APPEND, TEAK_RAFT_SNAPSHOT};
    for (size_t k = 0; k < sizeof types; k++) {
        const size_t count = encode_sample(types[k]);
        for (size_t bit = 0; bit < 8 * count; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(judge_only(count), TEAK_RAFT_BAD_MESSAGE);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(judge_only(count), TEAK_RAFT_OK);
    }
}

static void every_other_length_is_refused(void **state)
{
    (void)state;
    const size_t count = encode_sample(TEAK_RAFT_APPEND);
    for (size_t length = 0; length < count + 40; length++)
        assert_int_equal(judge_only(length), length == count ? TEAK_RAFT_OK : TEAK_RAFT_BAD_MESSAGE);
}

/* Good sums do not make a message: every field in turn is something else, and nothing is read beyond the bytes, which
 * is what a sanitizer sees here, nor written. */
static void hostile_lengths_are_refused_and_nothing_is_touched(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 7, 8, 9, 15, 16, 63, 64, 143, 144, 151, 152, 255, 256, 1 << 16, 1u << 31,
                                      UINT32_MAX - 7, UINT32_MAX};
    static const uint8_t types[] = {TEAK_RAFT_APPEND, TEAK_RAFT_SNAPSHOT, TEAK_RAFT_READ};
    static uint8_t untouched[sizeof entries];
    struct teak_raft_wire_in in, before;
    uint32_t refused = 0;
    memset(untouched, 0xee, sizeof untouched);
    for (size_t k = 0; k < sizeof types; k++) {
        const size_t count = encode_sample(types[k]);
        for (size_t at = WIRE_SUM_BYTES; at + 4 <= count; at += 2) {
            for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
                encode_sample(types[k]);
                put32(at, values[v]);
                reseal(count);
                uint8_t *exact = malloc(count); /* what is behind it is not ours */
                assert_non_null(exact);
                memcpy(exact, bytes, count);
                memset(&in, 0xee, sizeof in);
                memset(entries, 0xee, sizeof entries);
                in.entries = entries;
                in.entry_max = MOST;
                before = in;
                if (teak_raft_wire_judge(exact, count, NULL, &in) != TEAK_RAFT_OK) {
                    refused++;
                    assert_memory_equal(&in, &before, sizeof in);
                    assert_memory_equal(entries, untouched, sizeof entries);
                }
                free(exact);
            }
        }
    }
    assert_true(refused > 1000);
}

static void entries_have_terms_that_do_not_go_back(void **state)
{
    (void)state;
    const size_t first = TEAK_RAFT_WIRE_HEAD, second = first + TEAK_RAFT_WIRE_ENTRY;
    size_t count = encode_sample(TEAK_RAFT_APPEND);
    put64(first, 4); /* below that of the entry before, 5 */
    reseal(count);
    assert_int_equal(judge_only(count), TEAK_RAFT_BAD_MESSAGE);
    count = encode_sample(TEAK_RAFT_APPEND);
    put64(second, 8); /* above the message's, 7 */
    reseal(count);
    assert_int_equal(judge_only(count), TEAK_RAFT_BAD_MESSAGE);
    count = encode_sample(TEAK_RAFT_APPEND);
    put64(HEAD(at_index), UINT64_MAX - 3); /* four entries: the last would be 0 */
    reseal(count);
    assert_int_equal(judge_only(count), TEAK_RAFT_BAD_MESSAGE);
    put64(HEAD(at_index), UINT64_MAX - 4);
    reseal(count);
    assert_int_equal(judge_only(count), TEAK_RAFT_OK);
}

/* ---- other versions ---- */

static void what_is_not_known_here_is_dropped(void **state)
{
    (void)state;
    size_t count = encode_sample(TEAK_RAFT_APPEND);
    bytes[HEAD(version)] = 2;
    bytes[HEAD(level)] = 2;
    reseal(count);
    assert_int_equal(judge_only(count), TEAK_RAFT_DROPPED);
    const uint8_t strangers[] = {0, TEAK_RAFT_MSG_TYPE_COUNT, 255};
    for (size_t i = 0; i < sizeof strangers; i++) {
        count = encode_sample(TEAK_RAFT_APPEND);
        bytes[HEAD(type)] = strangers[i];
        reseal(count);
        assert_int_equal(judge_only(count), TEAK_RAFT_DROPPED);
    }
    for (uint32_t bit = 3; bit < 16; bit++) {
        count = encode_sample(TEAK_RAFT_APPEND);
        put16(HEAD(flags), (uint16_t)(1u << bit));
        reseal(count);
        assert_int_equal(judge_only(count), bit < 8 ? TEAK_RAFT_OK : TEAK_RAFT_DROPPED);
    }
}

static void a_level_is_told(void **state)
{
    (void)state;
    struct teak_raft_wire_in in;
    size_t count = encode_sample(TEAK_RAFT_VOTE);
    bytes[HEAD(level)] = 3;
    reseal(count);
    assert_int_equal(judge(count, &in), TEAK_RAFT_OK);
    assert_int_equal(in.level, 3);
    bytes[HEAD(level)] = 0; /* it does not read what it writes? */
    reseal(count);
    assert_int_equal(judge_only(count), TEAK_RAFT_BAD_MESSAGE);
}

/* A sender of a later make within this version: a longer head, longer records, something behind them. */
static void what_is_behind_is_passed_over(void **state)
{
    (void)state;
    enum { MORE_HEAD = 16, MORE_RECORD = 24, BEHIND = 8 };
    const uint8_t types[] = {TEAK_RAFT_APPEND, TEAK_RAFT_SNAPSHOT, TEAK_RAFT_READ};
    static uint8_t old[SAMPLE_BYTES_MAX];
    for (size_t k = 0; k < sizeof types; k++) {
        const struct teak_raft_msg msg = sample_message(types[k]);
        const size_t count = sample_encode(&msg, old, sizeof old);
        const uint32_t records = msg.chunk ? 1 : msg.count;
        const uint32_t stride = msg.chunk ? 64 : msg.count ? TEAK_RAFT_WIRE_ENTRY : 0;
        size_t from = TEAK_RAFT_WIRE_HEAD, to = TEAK_RAFT_WIRE_HEAD + MORE_HEAD;
        memset(bytes, 0xab, SAMPLE_BYTES_MAX); /* what is new */
        memcpy(bytes, old, TEAK_RAFT_WIRE_HEAD);
        for (uint32_t i = 0; i < records; i++, from += stride, to += stride + MORE_RECORD)
            memcpy(bytes + to, old + from, stride);
        memcpy(bytes + to, old + from, count - from);
        to += count - from + BEHIND;
        put16(HEAD(head_bytes), TEAK_RAFT_WIRE_HEAD + MORE_HEAD);
        put32(HEAD(record_bytes), records ? stride + MORE_RECORD : 0);
        put32(HEAD(bytes), (uint32_t)to);
        reseal(to);
        struct teak_raft_wire_in in;
        assert_int_equal(judge(to, &in), TEAK_RAFT_OK);
        assert_true(same_message(&in.msg, &msg));
    }
}

/* ---- the other statuses ---- */

static void a_message_is_measured_by_its_prelude(void **state)
{
    (void)state;
    size_t whole = 0;
    const size_t count = encode_sample(TEAK_RAFT_APPEND);
    assert_int_equal(teak_raft_wire_measure(NULL, count, count, &whole), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_wire_measure(bytes, count, count, NULL), TEAK_RAFT_MISUSE);
    for (size_t have = 0; have < TEAK_RAFT_WIRE_PRELUDE; have++)
        assert_int_equal(teak_raft_wire_measure(bytes, have, count, &whole), TEAK_RAFT_BUSY);
    assert_int_equal(teak_raft_wire_measure(bytes, TEAK_RAFT_WIRE_PRELUDE, count - 1, &whole), TEAK_RAFT_TOO_LARGE);
    assert_int_equal(whole, 0);
    assert_int_equal(teak_raft_wire_measure(bytes, TEAK_RAFT_WIRE_PRELUDE, count, &whole), TEAK_RAFT_OK);
    assert_int_equal(whole, count);
    const uint32_t lengths[] = {0, 8, 136, 143, 145, 147, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        put32(HEAD(bytes), lengths[i]);
        assert_int_equal(teak_raft_wire_measure(bytes, 24, SIZE_MAX, &whole), TEAK_RAFT_BAD_MESSAGE);
    }
    put32(HEAD(bytes), 144);
    bytes[HEAD(magic)] ^= 1;
    assert_int_equal(teak_raft_wire_measure(bytes, 24, SIZE_MAX, &whole), TEAK_RAFT_BAD_MESSAGE);
}

static void what_does_not_fit_is_too_large(void **state)
{
    (void)state;
    const struct teak_raft_msg msg = sample_message(TEAK_RAFT_APPEND);
    uint8_t head[TEAK_RAFT_WIRE_HEAD_BYTES(SAMPLE_ENTRIES)];
    struct teak_raft_span spans[TEAK_RAFT_WIRE_SPANS(SAMPLE_ENTRIES)];
    struct teak_raft_wire_out out = {.head = head, .spans = spans, .span_max = TEAK_RAFT_WIRE_SPANS(SAMPLE_ENTRIES)};
    for (out.head_bytes = 0; out.head_bytes < TEAK_RAFT_WIRE_HEAD + SAMPLE_ENTRIES * TEAK_RAFT_WIRE_ENTRY;
         out.head_bytes++)
        assert_int_equal(teak_raft_wire_encode(&msg, &out), TEAK_RAFT_TOO_LARGE);
    assert_int_equal(teak_raft_wire_encode(&msg, &out), TEAK_RAFT_OK);
    const uint32_t needed = out.span_count;
    for (out.span_max = 0; out.span_max < needed; out.span_max++) {
        assert_int_equal(teak_raft_wire_encode(&msg, &out), TEAK_RAFT_TOO_LARGE);
        assert_true(out.bytes == 0 && out.span_count == 0);
    }
    assert_int_equal(teak_raft_wire_encode(&msg, &out), TEAK_RAFT_OK);

    const size_t count = encode_sample(TEAK_RAFT_APPEND);
    struct teak_raft_wire_in in = {.entries = entries};
    for (in.entry_max = 0; in.entry_max < SAMPLE_ENTRIES; in.entry_max++)
        assert_int_equal(teak_raft_wire_judge(bytes, count, NULL, &in), TEAK_RAFT_TOO_LARGE);
    assert_int_equal(teak_raft_wire_judge(bytes, count, NULL, &in), TEAK_RAFT_OK);

    struct teak_raft_entry huge[2] = {
        {.index = 41, .term = 7, .kind = 16, .data = bytes, .bytes = UINT32_MAX},
        {.index = 42, .term = 7, .kind = 16, .data = bytes, .bytes = UINT32_MAX}};
    struct teak_raft_msg large = msg;
    large.entries = huge;
    large.count = 2;
    assert_int_equal(teak_raft_wire_encode(&large, &out), TEAK_RAFT_TOO_LARGE); /* 4 GiB are not summed first */
}

static void wrong_use_is_a_status(void **state)
{
    (void)state;
    uint8_t head[TEAK_RAFT_WIRE_HEAD_BYTES(SAMPLE_ENTRIES)];
    struct teak_raft_span spans[TEAK_RAFT_WIRE_SPANS(SAMPLE_ENTRIES)];
    struct teak_raft_wire_out none = {.head = NULL};
    struct teak_raft_wire_out out = {.head = head, .head_bytes = sizeof head, .spans = spans,
                                     .span_max = TEAK_RAFT_WIRE_SPANS(SAMPLE_ENTRIES)};
    const struct teak_raft_msg good = sample_message(TEAK_RAFT_APPEND);
    assert_int_equal(teak_raft_wire_encode(NULL, &out), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_wire_encode(&good, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_wire_encode(&good, &none), TEAK_RAFT_MISUSE);

    struct teak_raft_entry list[SAMPLE_ENTRIES];
    struct teak_raft_msg bad[12];
    uint32_t count = 0;
    for (uint32_t i = 0; i < 12; i++) bad[i] = good;
    bad[count++].type = 0;
    bad[count++].type = TEAK_RAFT_MSG_TYPE_COUNT;
    bad[count++].type = TEAK_RAFT_VOTE;       /* with entries                      */
    bad[count++].entries = NULL;
    bad[count++].chunk = &sample_chunk;       /* another type                      */
    bad[count++].at.index = 41;               /* a gap                             */
    bad[count++].at.index = UINT64_MAX;       /* they would wrap                   */
    bad[count++].at.term = 6;                 /* the first goes back               */
    bad[count++].term = 6;                    /* the last is beyond                */
    memcpy(list, sample_entries, sizeof list);
    list[3].data = NULL;
    bad[count++].entries = list;
    bad[count] = sample_message(TEAK_RAFT_SNAPSHOT);
    bad[count++].chunk = NULL;
    struct teak_raft_chunk chunk = sample_chunk;
    chunk.data = NULL;
    bad[count] = sample_message(TEAK_RAFT_SNAPSHOT);
    bad[count++].chunk = &chunk;
    for (uint32_t i = 0; i < count; i++) {
        out.bytes = 1;
        assert_int_equal(teak_raft_wire_encode(&bad[i], &out), TEAK_RAFT_MISUSE);
        assert_true(out.bytes == 0 && out.span_count == 0);
    }
    struct teak_raft_wire_in in = {.entry_max = 1};
    const size_t length = encode_sample(TEAK_RAFT_VOTE);
    assert_int_equal(teak_raft_wire_judge(NULL, length, NULL, &in), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_wire_judge(bytes, length, NULL, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_wire_judge(bytes, length, NULL, &in), TEAK_RAFT_MISUSE); /* entries NULL */
    in.entry_max = 0;
    assert_int_equal(teak_raft_wire_judge(bytes, length, NULL, &in), TEAK_RAFT_OK);
}

static void the_largest_message_is_known_before(void **state)
{
    (void)state;
    struct teak_raft_options options = teak_raft_options_default();
    uint32_t most = 0;
    assert_int_equal(teak_raft_wire_bytes_max(&options, &most), 0); /* id 0 */
    options.id = 1;
    const size_t limit = teak_raft_wire_bytes_max(&options, &most);
    assert_int_equal(most, options.tail_entries / 2);
    assert_int_equal(teak_raft_wire_bytes_max(&options, NULL), limit);
    /* all entries with the worst padding, and a payload of the largest size in all */
    assert_true(limit >= TEAK_RAFT_WIRE_HEAD + (size_t)most * (TEAK_RAFT_WIRE_ENTRY + 7) + options.message_bytes_max);
    options.message_bytes_max = 1;
    options.entry_bytes_max = 1;
    options.snapshot_chunk_bytes = 1;
    assert_true(teak_raft_wire_bytes_max(&options, NULL) >= 144 + 64 + 568 + 8);
    options.snapshot_chunk_bytes = 1 << 20;
    assert_true(teak_raft_wire_bytes_max(&options, NULL) >= 144 + 64 + 568 + (1 << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_the_same),
        cmocka_unit_test(payloads_are_pointed_at_and_bear_the_frame),
        cmocka_unit_test(spans_point_at_payloads_and_are_an_iovec),
        cmocka_unit_test(payloads_that_touch_are_one_span),
        cmocka_unit_test(the_sum_does_not_depend_on_the_spans),
        cmocka_unit_test(every_changed_bit_is_seen),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(hostile_lengths_are_refused_and_nothing_is_touched),
        cmocka_unit_test(entries_have_terms_that_do_not_go_back),
        cmocka_unit_test(what_is_not_known_here_is_dropped),
        cmocka_unit_test(a_level_is_told),
        cmocka_unit_test(what_is_behind_is_passed_over),
        cmocka_unit_test(a_message_is_measured_by_its_prelude),
        cmocka_unit_test(what_does_not_fit_is_too_large),
        cmocka_unit_test(wrong_use_is_a_status),
        cmocka_unit_test(the_largest_message_is_known_before),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
