/* raft_wire_micro.cc: nanoseconds of a message of Raft into bytes and back, per entry: its sum included, twice. */
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <vector>

extern "C" {
#include "teak/raft_wire.h"
}

namespace {

/* An APPEND of `count` entries of `bytes`, whose payloads lie in one piece or each somewhere. */
struct sample {
    std::vector<std::vector<uint8_t>> payloads;
    std::vector<teak_raft_entry> entries;
    teak_raft_msg msg = {};

    sample(uint32_t count, uint32_t bytes, bool scattered)
    {
        payloads.reserve(2 * count);
        if (!scattered) payloads.emplace_back(static_cast<size_t>(count) * bytes, uint8_t{0x5a});
        for (uint32_t i = 0; i < count; i++) {
            if (scattered) {
                payloads.emplace_back(bytes, uint8_t{0x5a});
                payloads.emplace_back(64 + 8 * i % 56); /* so that two never touch */
            }
            teak_raft_entry entry = {};
            entry.index = 1001 + i;
            entry.term = 7;
            entry.kind = TEAK_RAFT_KIND_APPLICATION;
            entry.bytes = bytes;
            entry.data = scattered ? payloads[2 * i].data() : payloads[0].data() + static_cast<size_t>(i) * bytes;
            entries.push_back(entry);
        }
        msg.type = TEAK_RAFT_APPEND;
        msg.from = 1;
        msg.to = 2;
        msg.term = 7;
        msg.at = {1000, 7};
        msg.index = 990;
        msg.incarnation = 1;
        msg.entries = entries.data();
        msg.count = count;
    }
};

struct wire {
    std::vector<uint8_t> head;
    std::vector<teak_raft_span> spans;
    teak_raft_wire_out out = {};

    explicit wire(uint32_t count)
        : head(TEAK_RAFT_WIRE_HEAD_BYTES(count)), spans(TEAK_RAFT_WIRE_SPANS(count))
    {
        out.head = head.data();
        out.head_bytes = head.size();
        out.spans = spans.data();
        out.span_max = static_cast<uint32_t>(spans.size());
    }

    std::vector<uint8_t> gathered() const
    {
        std::vector<uint8_t> bytes;
        for (uint32_t i = 0; i < out.span_count; i++)
            bytes.insert(bytes.end(), out.spans[i].data, out.spans[i].data + out.spans[i].bytes);
        return bytes;
    }
};

/* A message as it came in. */
struct received {
    std::vector<uint8_t> bytes;
    std::vector<teak_raft_entry> entries;
    teak_raft_wire_in in = {};

    received(const sample &from, wire &to, uint32_t count) : entries(count)
    {
        teak_raft_wire_encode(&from.msg, &to.out);
        bytes = to.gathered();
        in.entries = entries.data();
        in.entry_max = count;
    }
    bool is_judged() { return teak_raft_wire_judge(bytes.data(), bytes.size(), nullptr, &in) == TEAK_RAFT_OK; }
};

/* {entries, bytes of each, scattered}; seconds are per entry. */
void per_entry(benchmark::State &state)
{
    state.SetItemsProcessed(state.iterations() * state.range(0));
    state.counters["per_entry"] =
        benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(state.range(0)),
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void raft_wire_encode(benchmark::State &state)
{
    const uint32_t count = static_cast<uint32_t>(state.range(0));
    const sample from(count, static_cast<uint32_t>(state.range(1)), state.range(2) != 0);
    wire to(count);
    for (auto _ : state)
        if (teak_raft_wire_encode(&from.msg, &to.out) != TEAK_RAFT_OK) state.SkipWithError("encode");
    per_entry(state);
}

void raft_wire_judge(benchmark::State &state)
{
    const uint32_t count = static_cast<uint32_t>(state.range(0));
    const sample from(count, static_cast<uint32_t>(state.range(1)), state.range(2) != 0);
    wire to(count);
    received back(from, to, count);
    for (auto _ : state)
        if (!back.is_judged()) state.SkipWithError("judge");
    per_entry(state);
}

/* There and back: the copy between is the network's, and not counted with it. */
void raft_wire_both(benchmark::State &state)
{
    const uint32_t count = static_cast<uint32_t>(state.range(0));
    const sample from(count, static_cast<uint32_t>(state.range(1)), state.range(2) != 0);
    wire to(count);
    received back(from, to, count);
    for (auto _ : state) {
        if (teak_raft_wire_encode(&from.msg, &to.out) != TEAK_RAFT_OK) state.SkipWithError("encode");
        if (!back.is_judged()) state.SkipWithError("judge");
    }
    per_entry(state);
}

#define SHAPES ->Args({64, 256, 0})->Args({64, 256, 1})->Args({64, 16, 1})->Args({1, 256, 1})->Args({0, 0, 0})
BENCHMARK(raft_wire_encode) SHAPES;
BENCHMARK(raft_wire_judge) SHAPES;
BENCHMARK(raft_wire_both) SHAPES;

} // namespace
