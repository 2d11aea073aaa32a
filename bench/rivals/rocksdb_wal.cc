/* rocksdb_wal.cc: RocksDB's write-ahead log as a rival: many threads, each putting one value at a time with
 * sync = true.
 *
 * Set up in its favour, as its wiki advises for such a load (WAL performance; write stalls): log files are recycled and
 * preallocated, writes are pipelined, nothing is compressed, the memtable is a vector that does no sorting and is large
 * enough that no flush falls into the run, and no compaction runs. Prints one JSON object, as bench_threads does.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <rocksdb/db.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/options.h>
#include <rocksdb/statistics.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Device {
    unsigned long long writes = 0, write_bytes = 0, flushes = 0;
};

/* As rig_device_read of bench/load/raw_rig.h. */
Device ReadDevice(const std::string &dir)
{
    Device device;
    struct stat info;
    if (stat(dir.c_str(), &info) != 0) return device;
    FILE *const file = std::fopen("/proc/diskstats", "re");
    char line[512];
    while (file != nullptr && std::fgets(line, sizeof(line), file) != nullptr) {
        unsigned major_number, minor_number;
        unsigned long long writes, sectors, flushes = 0;
        const int fields =
            std::sscanf(line, "%u %u %*s %*u %*u %*u %*u %llu %*u %llu %*u %*u %*u %*u %*u %*u %*u %*u %llu",
                        &major_number, &minor_number, &writes, &sectors, &flushes);
        if (fields >= 4 && major_number == major(info.st_dev) && minor_number == minor(info.st_dev))
            device = Device{writes, sectors * 512, flushes};
    }
    if (file != nullptr) std::fclose(file);
    return device;
}

void Check(const rocksdb::Status &status, const char *what)
{
    if (status.ok()) return;
    std::fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
    std::exit(1);
}

rocksdb::Options OptionsFor(uint64_t memory)
{
    rocksdb::Options options;
    options.create_if_missing = true;
    options.error_if_exists = true;
    options.compression = rocksdb::kNoCompression;
    options.write_buffer_size = memory;
    options.max_write_buffer_number = 4;
    options.memtable_factory = std::make_shared<rocksdb::VectorRepFactory>();
    options.allow_concurrent_memtable_write = false; /* the vector cannot */
    options.enable_pipelined_write = true;
    options.recycle_log_file_num = 4;
    options.wal_bytes_per_sync = 0;
    options.manual_wal_flush = false;
    options.disable_auto_compactions = true;
    options.stats_dump_period_sec = 0;
    options.statistics = rocksdb::CreateDBStatistics();
    return options;
}

double Quantile(const std::vector<uint64_t> &sorted, double share)
{
    if (sorted.empty()) return 0;
    const size_t at = static_cast<size_t>(share * static_cast<double>(sorted.size() - 1));
    return static_cast<double>(sorted[at]) * 1e-3;
}

uint64_t Now()
{
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch()).count());
}

struct Run {
    std::string dir = ".";
    uint64_t threads = 64, entry_bytes = 256;
    double seconds = 2, warm = 0.5;
};

Run Parse(int argc, char **argv)
{
    Run run;
    for (int i = 1; i < argc; i++) {
        const std::string name = argv[i];
        const char *const value = i + 1 < argc ? argv[++i] : nullptr;
        if (name == "--dir" && value) run.dir = value;
        else if (name == "--threads" && value) run.threads = std::strtoull(value, nullptr, 10);
        else if (name == "--entry-bytes" && value) run.entry_bytes = std::strtoull(value, nullptr, 10);
        else if (name == "--seconds" && value) run.seconds = std::atof(value);
        else if (name == "--warm" && value) run.warm = std::atof(value);
        else run.threads = 0;
    }
    if (run.threads == 0 || run.seconds <= 0) {
        std::fprintf(stderr, "usage: bench_rocksdb [--dir D] [--threads N] [--entry-bytes N] [--seconds S] "
                             "[--warm S]\n");
        std::exit(2);
    }
    return run;
}

} // namespace

int main(int argc, char **argv)
{
    const Run run = Parse(argc, argv);
    const std::string dir = run.dir + "/bench_rocksdb." + std::to_string(getpid());
    const rocksdb::Options options = OptionsFor(uint64_t{1} << 30);
    rocksdb::DB *db = nullptr;
    Check(rocksdb::DB::Open(options, dir, &db), "open");
    std::atomic<bool> counting{false}, stop{false};
    std::vector<std::vector<uint64_t>> latencies(run.threads);
    std::vector<std::thread> threads;
    for (uint64_t number = 0; number < run.threads; number++)
        threads.emplace_back([&, number] {
            const std::string value(run.entry_bytes, 'Z');
            rocksdb::WriteOptions how;
            how.sync = true;
            for (uint64_t i = 0; !stop.load(std::memory_order_relaxed); i++) {
                char key[16]; /* what a log on it would use: log and index */
                std::memcpy(key, &number, 8);
                std::memcpy(key + 8, &i, 8);
                const bool counts = counting.load(std::memory_order_relaxed);
                const uint64_t begun = counts ? Now() : 0;
                Check(db->Put(how, rocksdb::Slice(key, sizeof(key)), value), "put");
                if (counts) latencies[number].push_back(Now() - begun);
            }
        });
    std::this_thread::sleep_for(std::chrono::duration<double>(run.warm));
    const uint64_t syncs_before = options.statistics->getTickerCount(rocksdb::WAL_FILE_SYNCED);
    const Device before = ReadDevice(run.dir);
    const uint64_t begun = Now();
    counting = true;
    std::this_thread::sleep_for(std::chrono::duration<double>(run.seconds));
    counting = false;
    const double took = static_cast<double>(Now() - begun) * 1e-9;
    const Device after = ReadDevice(run.dir);
    const uint64_t syncs = options.statistics->getTickerCount(rocksdb::WAL_FILE_SYNCED) - syncs_before;
    stop = true;
    for (std::thread &thread : threads) thread.join();
    std::vector<uint64_t> all;
    for (const std::vector<uint64_t> &some : latencies) all.insert(all.end(), some.begin(), some.end());
    std::sort(all.begin(), all.end());
    std::printf("{\"threads\": %llu, \"entry_bytes\": %llu, \"entries\": %zu, \"seconds\": %.3f, "
                "\"entries_per_second\": %.0f, \"syncs\": %llu, \"latency_us\": {\"p50\": %.1f, \"p99\": %.1f}, "
                "\"device\": {\"writes\": %llu, \"write_bytes\": %llu, \"flushes\": %llu}}\n",
                static_cast<unsigned long long>(run.threads), static_cast<unsigned long long>(run.entry_bytes),
                all.size(), took, static_cast<double>(all.size()) / took, static_cast<unsigned long long>(syncs),
                Quantile(all, 0.5), Quantile(all, 0.99), after.writes - before.writes,
                after.write_bytes - before.write_bytes, after.flushes - before.flushes);
    delete db;
    Check(rocksdb::DestroyDB(dir, options), "destroy");
    return 0;
}
