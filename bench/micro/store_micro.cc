/* store_micro.cc: nanoseconds of what a store does per entry, on a real directory (TEAK_BENCH_DIR, else the current
 * one) under TEAK_NONE, so that processor is measured and not the disk; and the check that appending allocates nothing.
 */
#include <benchmark/benchmark.h>

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#define _Alignas alignas /* C17 headers, read as C++ */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* in C++ a function may not be called as a struct is without a word */
extern "C" {
#include "store/locate.h"
#include "store/reader.h"
#include "store/store.h"
#include "teak/engine.h"
}
#pragma GCC diagnostic pop

#include "no_allocations.hh"

namespace {

const uint64_t log_id = 7;
const uint32_t chunk = 1024; /* entries between two polls */

[[noreturn]] void refuse(const char *what, const teak_error &error)
{
    char text[512];
    teak_error_text(&error, text, sizeof text);
    fprintf(stderr, "%s: %s\n", what, text);
    exit(1);
}

double now_ns(clockid_t clock)
{
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

struct xorshift {
    uint64_t state = 88172645463325252u;
    uint64_t next()
    {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }
};

/* A store of its own, removed when it goes. */
class bench_store {
public:
    teak_store *store = nullptr;
    uint64_t next = 1;

    bench_store()
    {
        const char *const dir = getenv("TEAK_BENCH_DIR");
        path = std::string(dir != nullptr ? dir : ".") + "/store-micro-XXXXXX";
        if (mkdtemp(path.data()) == nullptr) {
            perror(path.c_str());
            exit(1);
        }
        teak_options options = teak_options_default();
        options.create = true;
        options.strategy = TEAK_NONE;
        teak_error error = {};
        if (teak_open(path.c_str(), &options, &store, nullptr, &error) != TEAK_OK) fail("open", error);
        if (teak_create_log(store, log_id, 0, &error) != TEAK_OK) fail("create", error);
        drain();
        for (size_t i = 0; i < payload.size(); i++) payload[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
    }
    ~bench_store()
    {
        teak_abandon(store);
        remove();
    }
    bench_store(const bench_store &) = delete;
    bench_store &operator=(const bench_store &) = delete;

    /* What is owed is told, and a store without room drives its chores until it has some. */
    void drain()
    {
        teak_error error = {};
        uint32_t none = 0;
        if (is_full && teak_poll(store, TEAK_FOREVER, nullptr, 0, &none, &error) != TEAK_OK) fail("poll", error);
        is_full = false;
        if (teak_drain(store, &error) != TEAK_OK) fail("drain", error);
    }
    /* `count` batches of `batch` entries; what is full is drained. */
    void append(uint32_t count, uint32_t batch, uint32_t bytes)
    {
        std::vector<teak_bytes> entries(batch);
        for (teak_bytes &entry : entries) entry = {payload.data(), bytes};
        for (uint32_t i = 0; i < count; i++)
            while (!submit(entries.data(), batch)) drain();
    }
    bool submit(const teak_bytes *entries, uint32_t batch)
    {
        teak_op op = {};
        op.op = TEAK_OP_ENTRIES;
        op.log = log_id;
        op.index = next;
        op.term = 1;
        op.entries = entries;
        op.count = batch;
        teak_batch whole = {};
        whole.ops = &op;
        whole.count = 1;
        const teak_status status = teak_submit(store, &whole, &error_);
        is_full = status == TEAK_FULL;
        if (is_full) return false;
        if (status != TEAK_OK) fail("submit", error_);
        next += batch;
        return true;
    }
    /* Leaves the newest `keep` entries. */
    void compact(uint64_t keep)
    {
        struct teak_log state = {};
        if (next < keep + 2 || teak_log(store, log_id, &state, nullptr) != TEAK_OK) return;
        teak_op op = {};
        op.op = TEAK_OP_COMPACT;
        op.log = log_id;
        op.index = next - 1 - keep;
        teak_batch whole = {};
        whole.ops = &op;
        whole.count = 1;
        if (op.index < state.first) return;
        teak_status status;
        while ((status = teak_submit(store, &whole, &error_)) == TEAK_FULL) {
            is_full = true;
            drain();
        }
        if (status != TEAK_OK) fail("compact", error_);
    }
    const uint8_t *data() const { return payload.data(); }

private:
    bool is_full = false;
    std::string path;
    std::vector<uint8_t> payload = std::vector<uint8_t>(1 << 16);
    teak_error error_ = {};

    void remove()
    {
        DIR *const listing = opendir(path.c_str());
        if (listing == nullptr) return;
        for (const dirent *entry = readdir(listing); entry != nullptr; entry = readdir(listing))
            (void)unlinkat(dirfd(listing), entry->d_name, 0);
        closedir(listing);
        (void)rmdir(path.c_str());
    }
    [[noreturn]] void fail(const char *what, const teak_error &error)
    {
        remove();
        refuse(what, error);
    }
};

/* ----------------------------------------------------------------------------------------------------------- append */

/* May this batch follow? And the head that the next one is judged by: what admission costs without copying a byte. */
void batch_admit(benchmark::State &state)
{
    std::vector<teak_bytes> entries(static_cast<size_t>(state.range(0)), teak_bytes{"payload", 7});
    log_head head = {};
    head.alive = true;
    head.last = {41, 3};
    head.base = {41, 3};
    teak_op op = {};
    op.op = TEAK_OP_ENTRIES;
    op.log = log_id;
    op.term = 3;
    op.entries = entries.data();
    op.count = static_cast<uint32_t>(entries.size());
    no_allocations none(state);
    none.begin();
    for (auto _ : state) {
        op.index = head.last.index + 1;
        if (log_judge(&head, log_id, &op, nullptr) != TEAK_OK) {
            state.SkipWithError("refused");
            break;
        }
        log_advance(&head, &op, nullptr, nullptr); /* entries ask for no term */
        benchmark::DoNotOptimize(head);
    }
    none.end();
}
BENCHMARK(batch_admit)->ArgName("batch")->Arg(1)->Arg(64);

/* Manual time: submitting alone. What polling takes of the processor stands beside it. */
void submit(benchmark::State &state)
{
    const uint32_t bytes = static_cast<uint32_t>(state.range(0)), batch = static_cast<uint32_t>(state.range(1));
    bench_store bench;
    std::vector<teak_bytes> entries(batch, teak_bytes{bench.data(), bytes});
    bench.append(1 << 12, 64, bytes);
    double poll_ns = 0, submit_ns = 0;
    uint64_t done = 0, since = 0;
    no_allocations none(state);
    for (auto _ : state) {
        const double begun = now_ns(CLOCK_MONOTONIC);
        uint32_t count = 0;
        none.begin();
        while (count < chunk && bench.submit(entries.data(), batch)) count += batch;
        none.end();
        if (count == 0) { /* full at once: not an append */
            bench.drain();
            state.SetIterationTime(0);
            continue;
        }
        const double took = now_ns(CLOCK_MONOTONIC) - begun;
        const double polled = now_ns(CLOCK_THREAD_CPUTIME_ID);
        bench.drain();
        poll_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - polled;
        submit_ns += took;
        done += count;
        since += count;
        state.SetIterationTime(took * 1e-9);
        if (since < 1 << 16) continue;
        since = 0;
        bench.compact(1 << 16);
        bench.drain();
    }
    state.SetItemsProcessed(static_cast<int64_t>(done));
    state.counters["submit_ns_per_entry"] = submit_ns / static_cast<double>(done);
    state.counters["poll_cpu_ns_per_entry"] = poll_ns / static_cast<double>(done);
}
BENCHMARK(submit)
    ->ArgNames({"bytes", "batch"})
    ->ArgsProduct({{16, 256}, {1, 16, 64}})
    ->UseManualTime()
    ->Iterations(2000);

/* Everything is durable; how long until the caller has been told? Per completion. */
void hand_out(benchmark::State &state)
{
    bench_store bench;
    const teak_bytes entry = {bench.data(), 16};
    std::vector<teak_completion> done(chunk);
    double took_ns = 0;
    uint64_t told = 0;
    no_allocations nothing(state);
    for (auto _ : state) {
        for (uint32_t i = 0; i < chunk; i++)
            while (!bench.submit(&entry, 1)) bench.drain();
        struct teak_stats stats = {};
        do {
            uint32_t none = 0;
            (void)teak_poll(bench.store, 1000000, nullptr, 0, &none, nullptr);
            teak_stats(bench.store, &stats);
        } while (stats.durable_lsn < stats.last_lsn);
        uint32_t count = 0;
        nothing.begin();
        const double begun = now_ns(CLOCK_MONOTONIC);
        (void)teak_poll(bench.store, 0, done.data(), chunk, &count, nullptr);
        const double took = now_ns(CLOCK_MONOTONIC) - begun;
        nothing.end();
        state.SetIterationTime(took * 1e-9);
        took_ns += took;
        told += count;
        bench.compact(1 << 16);
        bench.drain();
    }
    state.counters["ns_per_completion"] = took_ns / static_cast<double>(told);
}
BENCHMARK(hand_out)->UseManualTime()->Iterations(500);

/* Appends through many segments while the log is compacted behind the writer, and fails the program if submitting asked
 * for memory even once, or the chores for more than a few pieces a segment. */
void allocations_in_steady_state(benchmark::State &state)
{
    enum { KEEP = 1 << 16, SEGMENTS = 12, PIECES_A_SEGMENT = 32 };
    for (auto _ : state) {
        bench_store bench;
        const teak_bytes entry = {bench.data(), 256};
        struct teak_stats before = {}, after = {};
        uint64_t submitting = 0, begun = 0, entries = 0;
        bool steady = false;
        do {
            const uint64_t asked = allocations;
            uint32_t count = 0;
            while (count < chunk && bench.submit(&entry, 1)) count++;
            if (steady) submitting += allocations - asked;
            if (steady) entries += count;
            bench.drain();
            if (bench.next % (1 << 14) < chunk) bench.compact(KEEP);
            teak_stats(bench.store, &after);
            if (!steady && after.newest_segment > SEGMENTS) {
                steady = true;
                before = after;
                begun = allocations;
            }
        } while (!steady || after.newest_segment < before.newest_segment + SEGMENTS);
        const uint64_t all = allocations - begun;
        state.counters["entries"] = static_cast<double>(entries);
        state.counters["while_submitting"] = static_cast<double>(submitting);
        state.counters["per_segment"] = static_cast<double>(all) / static_cast<double>(SEGMENTS);
        state.counters["filled_bytes"] = static_cast<double>(after.filled_bytes - before.filled_bytes);
        const bool filled = after.filled_bytes != before.filled_bytes;
        if (submitting == 0 && all <= PIECES_A_SEGMENT * SEGMENTS && !filled) continue;
        fprintf(stderr, "steady state: %llu allocations while submitting, %llu in all, %llu bytes filled\n",
                static_cast<unsigned long long>(submitting), static_cast<unsigned long long>(all),
                static_cast<unsigned long long>(after.filled_bytes - before.filled_bytes));
        exit(1);
    }
}
BENCHMARK(allocations_in_steady_state)->Iterations(1)->Unit(benchmark::kMillisecond);

/* ---------------------------------------------------------------------------------------------------------- reading */

/* One store for all that only reads: twenty sealed segments, and one half full. */
bench_store &filled()
{
    static bench_store bench;
    if (bench.next > 1) return bench;
    struct teak_stats stats = {};
    while (stats.newest_segment < 21) {
        bench.append(1 << 10, 64, 256);
        bench.drain();
        teak_stats(bench.store, &stats);
    }
    bench.append(1 << 10, 64, 256);
    bench.drain();
    while (stats.sealed < 20) {
        bench.append(1, 1, 256);
        bench.drain();
        teak_stats(bench.store, &stats);
    }
    for (uint64_t number = bench.store->segments.oldest; number < bench.store->segments.newest; number++) {
        teak_error error = {};
        struct segment *const segment = segment_at(&bench.store->segments, number);
        if (reader_hold(bench.store, segment, &error) != TEAK_OK) refuse("hold", error);
    }
    return bench;
}

struct range {
    uint64_t first, count;
};

/* Of one sealed segment, of all of them, or of the active one. */
enum where { IN_ACTIVE, IN_ONE_SEALED, IN_ALL_SEALED };
range range_of(const struct log *log, int64_t where)
{
    const struct piece *const pieces = log->pieces;
    const uint32_t last = log->piece_count - 1;
    if (where == IN_ACTIVE) return {pieces[last].first, log->head.last.index + 1 - pieces[last].first};
    if (where == IN_ONE_SEALED) return {pieces[last / 2].first, pieces[last / 2 + 1].first - pieces[last / 2].first};
    return {pieces[0].first, pieces[last].first - pieces[0].first};
}

void locate_one(benchmark::State &state)
{
    bench_store &bench = filled();
    const struct log *const log = logs_find(&bench.store->logs, log_id);
    const range range = range_of(log, state.range(0));
    const bool random = state.range(1) != 0;
    std::vector<uint64_t> asked(1 << 16);
    xorshift draw;
    for (size_t i = 0; i < asked.size(); i++) asked[i] = range.first + (random ? draw.next() : i) % range.count;
    struct place place;
    size_t i = 0;
    no_allocations none(state);
    none.begin();
    for (auto _ : state) {
        if (!locate(&bench.store->segments, log, asked[i++ % asked.size()], &place)) state.SkipWithError("not there");
        benchmark::DoNotOptimize(place);
    }
    none.end();
}
BENCHMARK(locate_one)
    ->ArgNames({"where", "random"})
    ->ArgsProduct({{IN_ACTIVE, IN_ONE_SEALED, IN_ALL_SEALED}, {0, 1}});

void term_at_of_store(benchmark::State &state)
{
    bench_store &bench = filled();
    const range range = range_of(logs_find(&bench.store->logs, log_id), IN_ALL_SEALED);
    std::vector<uint64_t> asked(1 << 12);
    xorshift draw;
    for (uint64_t &index : asked) index = range.first + draw.next() % range.count;
    uint64_t term = 0;
    size_t i = 0;
    no_allocations none(state);
    none.begin();
    for (auto _ : state) {
        if (teak_term_at(bench.store, log_id, asked[i++ % asked.size()], &term, nullptr) != TEAK_OK)
            state.SkipWithError("not there");
        benchmark::DoNotOptimize(term);
    }
    none.end();
}
BENCHMARK(term_at_of_store);

/* Per entry, 256 at a call. 0: out of the arena; 1: from the medium, each verified. */
void cursor_read(benchmark::State &state)
{
    bench_store &bench = filled();
    const struct log *const log = logs_find(&bench.store->logs, log_id);
    const range range = range_of(log, state.range(0) == 0 ? IN_ACTIVE : IN_ALL_SEALED);
    const uint64_t count = range.count < 50000 ? range.count : 50000;
    const uint64_t from = state.range(0) == 0 ? range.first + range.count - count : range.first;
    struct teak_cursor *cursor = nullptr;
    std::vector<teak_entry> entries(256);
    if (teak_cursor_open(bench.store, log_id, from, &cursor, nullptr) != TEAK_OK) {
        state.SkipWithError("no cursor");
        return;
    }
    uint64_t read = 0, done = 0, asked = allocations;
    for (auto _ : state) {
        uint32_t got = 0;
        if (teak_cursor_read(cursor, UINT64_MAX, entries.data(), 256, &got, nullptr) != TEAK_OK)
            state.SkipWithError("not read");
        read += got;
        done += got;
        if (done < count && got > 0) continue;
        done = 0;
        (void)teak_cursor_seek(cursor, from, nullptr);
    }
    asked = allocations - asked; /* from the medium: a buffer, once */
    teak_cursor_close(cursor);
    if (state.range(0) == 0 && asked > 0) state.SkipWithError("reading the arena allocated");
    state.counters["allocations"] = static_cast<double>(asked);
    state.SetItemsProcessed(static_cast<int64_t>(read));
    state.counters["per_entry"] = benchmark::Counter(static_cast<double>(read), benchmark::Counter::kIsRate |
                                                                                    benchmark::Counter::kInvert);
}
BENCHMARK(cursor_read)->ArgName("medium")->Arg(0)->Arg(1);

} // namespace
