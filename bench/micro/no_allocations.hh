/* no_allocations.hh: what a benchmark asks the allocator for. The linker wraps its functions: CMakeLists.txt. */
#ifndef TEAK_BENCH_NO_ALLOCATIONS_H
#define TEAK_BENCH_NO_ALLOCATIONS_H

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern uint64_t allocations; /* since the program began */

/* Every benchmark of what must not allocate tells how often it did, and fails the program where it did. */
class no_allocations {
public:
    explicit no_allocations(benchmark::State &whose) : state(whose) {}
    void begin() { begun = allocations; }
    void end() { count += allocations - begun; }
    ~no_allocations()
    {
        state.counters["allocations"] = static_cast<double>(count);
        if (count == 0) return;
        fprintf(stderr, "%llu allocations where there must be none\n", static_cast<unsigned long long>(count));
        exit(1);
    }
    no_allocations(const no_allocations &) = delete;
    no_allocations &operator=(const no_allocations &) = delete;

private:
    benchmark::State &state;
    uint64_t begun = 0, count = 0;
};

#endif
