#!/usr/bin/env python3
"""compare_threads.py: 64 threads that wait for each entry, beside one thread with 64 outstanding, and beside RocksDB.

bench/compare_threads.py [--reps 5] [--seconds 2] [--threads 64] [--entry-bytes 256] [--dir .] [--build build/release]

The points run one after another, in an order that rotates, --reps times; a ratio is that of two runs of the same
repetition, to the first point. Printed are medians with quartiles. Flushes are those the device counted; a row is
marked with ! where a run of it shows none. Without bench_rocksdb (librocksdb-dev) its row is left out, and said so.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys


def points(build, threads):
    mine = [str(build / "bench" / "bench_threads")]
    rival = build / "bench" / "bench_rocksdb"
    found = [("one thread, window %d" % threads, mine + ["--threads", "0", "--window", str(threads)]),
             ("committer, %d threads" % threads, mine + ["--threads", str(threads)]),
             ("the same, spinning", mine + ["--threads", str(threads), "--spin-us", "1000"]),
             ("the same, not gathering", mine + ["--threads", str(threads), "--no-gather"])]
    if rival.exists():
        found.append(("RocksDB, %d threads, sync" % threads, [str(rival), "--threads", str(threads)]))
    else:
        print(f"skipped: RocksDB ({rival} was not built: librocksdb-dev)")
    return found


def spread(values, form):
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return f"{form % statistics.median(values)} [{form % quartiles[0]}, {form % quartiles[2]}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--seconds", default="2")
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--entry-bytes", default="256")
    parser.add_argument("--dir", default=".")
    parser.add_argument("--build", type=pathlib.Path, default=root / "build" / "release")
    args = parser.parse_args()
    table = points(args.build, args.threads)
    runs = {name: [] for name, _ in table}
    for rep in range(args.reps):
        for i in range(len(table)):
            name, command = table[(i + rep) % len(table)]
            command = command + ["--dir", args.dir, "--seconds", args.seconds, "--entry-bytes", args.entry_bytes]
            run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            if run.returncode != 0:
                sys.exit(f"{' '.join(command)}: {run.stderr}")
            runs[name].append(json.loads(run.stdout))
    first = runs[table[0][0]]
    print("| | thousand/s | ratio | p50 us | p99 us | entries a sync | flushes a sync |")
    print("|---|---|---|---|---|---|---|")
    for name, _ in table:
        mine = runs[name]
        rate = [run["entries_per_second"] / 1e3 for run in mine]
        ratio = [run["entries_per_second"] / other["entries_per_second"] for run, other in zip(mine, first)]
        flushes = [run["device"]["flushes"] / max(1, run["syncs"]) for run in mine]
        mark = "" if all(flushes) else " !"
        print(f"| {name}{mark} | {spread(rate, '%.1f')} | {spread(ratio, '%.2f')} |"
              f" {spread([run['latency_us']['p50'] for run in mine], '%.0f')} |"
              f" {spread([run['latency_us']['p99'] for run in mine], '%.0f')} |"
              f" {spread([run['entries'] / max(1, run['syncs']) for run in mine], '%.1f')} |"
              f" {spread(flushes, '%.2f')} |")


if __name__ == "__main__":
    main()
