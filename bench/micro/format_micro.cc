/* format_micro.cc: nanoseconds of what the append path does per entry and per frame, and of a term's look-up. */
#include <benchmark/benchmark.h>

#include <assert.h>

#include <cstdint>
#include <cstring>
#include <vector>

#define _Alignas alignas /* C17 headers, read as C++ */
extern "C" {
#include "base/hist.h"
#include "base/terms.h"
#include "format/descriptor.h"
#include "format/frame.h"
#include "format/key.h"
#include "format/layout.h"
}

namespace {

const uint8_t family[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

struct xorshift {
    uint64_t state = 88172645463325252u;
    uint64_t next()
    {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }
};

frame_head sample_head(const key &key)
{
    frame_head head = {};
    head.salt = key.salt;
    head.segment = 7;
    head.lsn = 41;
    head.durable_lsn = 40;
    head.offset = 4096;
    head.bytes = 8192;
    head.table_offset = 4096;
    head.table_bytes = 64;
    head.op_count = 1;
    head.entry_count = 1;
    return head;
}

void entry_sum(benchmark::State &state)
{
    key key;
    key_derive(&key, family, 42);
    std::vector<uint8_t> payload(static_cast<size_t>(state.range(0)), 0x5a);
    entry_identity who = {};
    who.log = 1;
    who.term = 3;
    who.bytes = static_cast<uint32_t>(payload.size());
    for (auto _ : state) {
        who.index++;
        benchmark::DoNotOptimize(key_entry_sum(&key, &who, payload.data()));
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(entry_sum)->Arg(16)->Arg(256)->Arg(4096);

void key_derivation(benchmark::State &state)
{
    key key;
    uint64_t salt = 0;
    for (auto _ : state) {
        key_derive(&key, family, salt++);
        benchmark::DoNotOptimize(key);
    }
}
BENCHMARK(key_derivation);

void head_encode(benchmark::State &state)
{
    key key;
    key_derive(&key, family, 42);
    frame_head head = sample_head(key);
    uint8_t bytes[HEAD_BYTES];
    for (auto _ : state) {
        head.lsn++;
        head.chain = frame_head_encode(&head, &key, bytes);
        benchmark::DoNotOptimize(bytes);
    }
}
BENCHMARK(head_encode);

void head_judge(benchmark::State &state)
{
    key key;
    key_derive(&key, family, 42);
    const frame_head head = sample_head(key);
    const frame_place place = {7, 4096, 1 << 20, 4096};
    uint8_t bytes[HEAD_BYTES];
    (void)frame_head_encode(&head, &key, bytes);
    frame_head out;
    if (!frame_head_judge(bytes, &key, &place, &out)) state.SkipWithError("the sample is refused");
    for (auto _ : state) {
        benchmark::DoNotOptimize(frame_head_judge(bytes, &key, &place, &out));
        benchmark::ClobberMemory();
    }
}
BENCHMARK(head_judge);

/* A frame of `count` entries of `bytes` each, as the writer builds one: payloads behind the head, then the table. */
struct sample_frame {
    key secret;
    frame_head head = {};
    std::vector<uint8_t> bytes, payload;

    sample_frame(uint32_t count, uint32_t size) : payload(size, 0x5a), entries(count)
    {
        const uint64_t whole = HEAD_BYTES + count * align_up(size, PAYLOAD_ALIGN) + op_bytes(OP_ENTRIES, count);
        key_derive(&secret, family, 42);
        head = sample_head(secret);
        head.entry_count = count;
        bytes.resize(align_up(whole, 4096));
        head.bytes = static_cast<uint32_t>(bytes.size());
        encode();
    }
    void encode()
    {
        const uint32_t size = static_cast<uint32_t>(payload.size());
        const uint32_t stride = static_cast<uint32_t>(align_up(size, PAYLOAD_ALIGN));
        head.table_offset = HEAD_BYTES + entries * stride;
        uint8_t *const table = bytes.data() + head.table_offset;
        head.table_bytes = op_put_entries(1, 0, entries, 1, 3, table);
        for (uint32_t i = 0; i < entries; i++) {
            const uint32_t at = HEAD_BYTES + i * stride;
            const entry_identity who = {1, 1 + i, 3, size, 0};
            std::memcpy(bytes.data() + at, payload.data(), size);
            slot_put(static_cast<uint32_t>(head.offset) + at, size, key_entry_sum(&secret, &who, bytes.data() + at),
                     table + head.table_bytes, beside);
            head.table_bytes += static_cast<uint32_t>(sizeof(layout_slot));
        }
        head.table_sum = key_sum(&secret, table, head.table_bytes);
        head.checksum = frame_head_encode(&head, &secret, bytes.data());
    }

private:
    uint32_t entries;
    uint8_t beside[sizeof(layout_slot)]; /* the writer puts each slot into the index too */
};

void frame_encode(benchmark::State &state)
{
    const uint32_t count = static_cast<uint32_t>(state.range(1));
    sample_frame frame(count, static_cast<uint32_t>(state.range(0)));
    for (auto _ : state) {
        frame.head.lsn++;
        frame.encode();
        benchmark::DoNotOptimize(frame.bytes.data());
    }
    state.counters["per_entry"] = benchmark::Counter(static_cast<double>(state.iterations() * count),
                                                     benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(frame_encode)->ArgNames({"bytes", "entries"})->ArgsProduct({{16, 256}, {1, 64}});

/* What opening does with each frame that it finds. */
void frame_judge_whole(benchmark::State &state)
{
    const uint32_t count = static_cast<uint32_t>(state.range(1));
    sample_frame frame(count, static_cast<uint32_t>(state.range(0)));
    const frame_place place = {7, 4096, 1 << 20, 4096};
    frame_head out;
    op bad_op;
    uint64_t bad_index = 0;
    for (auto _ : state) {
        if (!frame_head_judge(frame.bytes.data(), &frame.secret, &place, &out) ||
            frame_judge(frame.bytes.data(), &out, &frame.secret, &bad_op, &bad_index) != FRAME_WHOLE) {
            state.SkipWithError("the sample is refused");
            break;
        }
        benchmark::ClobberMemory();
    }
    state.counters["per_entry"] = benchmark::Counter(static_cast<double>(state.iterations() * count),
                                                     benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(frame_judge_whole)->ArgNames({"bytes", "entries"})->ArgsProduct({{16, 256}, {1, 64}});

/* An index drawn anew each time: the branch predictor learns nothing. */
void term_at(benchmark::State &state)
{
    const uint32_t runs = static_cast<uint32_t>(state.range(0));
    std::vector<term_run> memory(runs);
    terms terms = {};
    terms.runs = memory.data();
    terms.capacity = runs;
    for (uint32_t i = 0; i < runs; i++) terms_append(&terms, 1 + UINT64_C(1000) * i, 1 + i);
    std::vector<uint64_t> asked(4096);
    xorshift random;
    for (uint64_t &index : asked) index = 1 + random.next() % (UINT64_C(1000) * runs);
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(terms_at(&terms, asked[i++ % asked.size()]));
}
BENCHMARK(term_at)->Arg(1)->Arg(10)->Arg(1000);

/* What a replicator asks most: the term of the newest entry. */
void term_at_newest(benchmark::State &state)
{
    const uint32_t runs = static_cast<uint32_t>(state.range(0));
    std::vector<term_run> memory(runs);
    terms terms = {};
    terms.runs = memory.data();
    terms.capacity = runs;
    for (uint32_t i = 0; i < runs; i++) terms_append(&terms, 1 + UINT64_C(1000) * i, 1 + i);
    uint64_t index = UINT64_C(1000) * runs;
    for (auto _ : state) benchmark::DoNotOptimize(terms_at(&terms, index++));
}
BENCHMARK(term_at_newest)->Arg(1)->Arg(10)->Arg(1000);

void histogram_add(benchmark::State &state)
{
    static hist hist;
    hist_reset(&hist);
    xorshift random;
    std::vector<uint64_t> values(1024);
    for (uint64_t &value : values) value = 100000 + random.next() % 400000;
    size_t i = 0;
    for (auto _ : state) hist_add(&hist, values[i++ % values.size()]);
    benchmark::DoNotOptimize(hist_quantile(&hist, 0.99));
}
BENCHMARK(histogram_add);

} // namespace
