#!/usr/bin/env python3
"""compare.py: the rows of docs/performance.md: Teak beside what it is measured against, alternating run by run.

bench/compare.py                         every row, from build/release, on the disk under the current directory
bench/compare.py --rows 256,1k --reps 9  some rows
bench/compare.py --list                  what there is

Each row's points run one after another, in an order that rotates, --reps times; a ratio is that of two runs of the
same repetition. Before each run the machine is waited for, --patience seconds at most, until its processors are idle;
a row tells how many of its runs found it so. Printed are medians with quartiles, and the best run: what others do to
the machine only ever slows. /proc/diskstats is read around every run: a run after which the device has written less
than the program says it wrote, or flushed less often than it synced on a device without FUA, is marked with !.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RETAIN = str(16 << 20)  # payload kept behind the writer: after the warm-up every segment is one that was used before
IDLE_SHARE = 0.9


def teak(entry, window, batch, *more, retain=True):
    steady = ("--retain-bytes", RETAIN) if retain else ()
    return ("teak", "bench", "append", "--no-ceiling", "--entry-bytes", str(entry), "--window", str(window), "--batch",
            str(batch), *steady, *more)


def prototype(entry, window, *more):
    return ("bench_prototype", "--entry-bytes", str(entry), "--window", str(window), "--in-flight", "1", *more)


def raw(outstanding, parts):
    return ("bench_ceiling", "raw", "--outstanding", str(outstanding), "--bytes", str(outstanding // parts))


# Row -> (title, points); the first point is what ratios are to. A point: its name and its command.
ROWS = collections.OrderedDict([
    ("256", ("256 B, window 1,024", [
        ("prototype", prototype(256, 1024)),
        ("prototype, with a table", prototype(256, 1024, "--table")),
        ("teak, batch 1", teak(256, 1024, 1)),
        ("teak, batch 16", teak(256, 1024, 16)),
        ("teak, batch 1, growing", teak(256, 1024, 1, retain=False)),
        ("teak, batch 16, growing", teak(256, 1024, 16, retain=False)),
        ("teak, batch 16, posix", teak(256, 1024, 16, "--backend", "posix")),
    ])),
    ("16", ("16 B, window 65,536", [
        ("prototype", prototype(16, 65536)),
        ("prototype, with a table", prototype(16, 65536, "--table")),
        ("teak, batch 1", teak(16, 65536, 1)),
        ("teak, batch 64", teak(16, 65536, 64)),
        ("teak, batch 64, growing", teak(16, 65536, 64, retain=False)),
    ])),
    ("1k", ("1 KiB, window 1,024: 1 MiB outstanding", [
        ("raw, one write", raw(1 << 20, 1)),
        ("raw, two halves", raw(1 << 20, 2)),
        ("prototype", prototype(1024, 1024)),
        ("teak, batch 1", teak(1024, 1024, 1)),
        ("teak, batch 16", teak(1024, 1024, 16)),
        ("teak, batch 16, growing", teak(1024, 1024, 16, retain=False)),
    ])),
    ("4k", ("4 KiB, window 1,024: 4 MiB outstanding", [
        ("raw, one write", raw(4 << 20, 1)),
        ("raw, two halves", raw(4 << 20, 2)),
        ("prototype", prototype(4096, 1024)),
        ("teak, batch 1", teak(4096, 1024, 1)),
        ("teak, batch 16", teak(4096, 1024, 16)),
        ("teak, batch 16, growing", teak(4096, 1024, 16, retain=False)),
    ])),
])
SINGLES = collections.OrderedDict([
    ("one", ("one entry at a time", ("bench_commit",))),
    ("one-posix", ("one entry at a time, posix", ("bench_commit", "--backend", "posix"))),
    ("opening", ("opening and dropping 10 GiB", ("bench_opening", "--gib", "10"))),
    ("micro", ("nanoseconds", ("teak_micro",))),
])


# ----------------------------------------------------------------------------------------------------------- machinery

def program(build, name):
    path = build / name if name == "teak" else build / "bench" / name
    if not path.exists():
        sys.exit(f"{path} is missing: cmake --preset release && cmake --build --preset release")
    return str(path)


def device_counters(folder):
    """Bytes written and flushes of the device under `folder`; None where /proc/diskstats does not know it."""
    number = os.stat(folder).st_dev
    with open("/proc/diskstats", encoding="ascii") as stats:
        for line in stats:
            fields = line.split()
            if (int(fields[0]), int(fields[1])) == (os.major(number), os.minor(number)):
                return int(fields[9]) * 512, int(fields[18]) if len(fields) > 18 else 0
    return None


def run(build, command, folder, seconds):
    """One run: the program's JSON, and what the device did meanwhile."""
    with tempfile.TemporaryDirectory(prefix="compare-", dir=folder) as place:
        words = [program(build, command[0]), *command[1:], "--dir", place, "--json", "--seconds", str(seconds)]
        before = device_counters(place)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        after = device_counters(place)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    result = json.loads(done.stdout)
    result["disk"] = None if before is None else (after[0] - before[0], after[1] - before[1])
    return result


def is_doubtful(result):
    """Did the device do less than the program says?"""
    if result["disk"] is None:
        return False
    wrote, flushed = result["disk"]
    said = result.get("bytes_written", result.get("bytes_per_second", 0) * result["seconds"])
    syncs = result.get("syncs", result.get("syncs_per_second", 0) * result["seconds"])
    has_fua = result.get("device", {}).get("fua", False)
    return wrote < 0.98 * said or (not has_fua and 0 < flushed < 0.9 * syncs)


def idle_share(seconds=0.25):
    """Of all processors, over `seconds`."""
    def ticks():
        with open("/proc/stat", encoding="ascii") as stat:
            fields = [int(field) for field in stat.readline().split()[1:]]
        return fields[3], sum(fields[:8])
    idle, whole = ticks()
    time.sleep(seconds)
    idle_after, whole_after = ticks()
    return (idle_after - idle) / max(1, whole_after - whole)


def wait_until_idle(patience):
    """False: others were at work all the time."""
    until = time.monotonic() + patience
    while idle_share() < IDLE_SHARE:
        if time.monotonic() >= until:
            return False
    return True


def quartiles(values):
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def payload_rate(result):
    return result.get("payload_bytes_per_second", result.get("bytes_per_second"))


def spread(values, scale=1.0, digits=2):
    middle, low, high = (value * scale for value in quartiles(values))
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def row_table(title, points, results, out):
    base = [payload_rate(result) for result in results[points[0][0]]]
    print(f"\n### {title}\n", file=out)
    heads = ["", "million/s", "best", "MB/s", "ratio", "of the best", "p50 us", "p99 / p50", "processor ns",
             "written / payload", "RSS MiB", "disk", "idle"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), file=out)
    for name, command in points:
        runs = results[name]
        entries = [r.get("entries_per_second", r.get("writes_per_second")) for r in runs]
        payload = [payload_rate(r) for r in runs]
        counts = [r.get("entries", r.get("writes_per_second", 0) * r["seconds"]) for r in runs]
        cpu = [r["cpu_seconds"] * 1e9 / n for r, n in zip(runs, counts)]
        tail = [r["latency_us"]["p99"] / r["latency_us"]["p50"] for r in runs]
        amplification = [r["bytes_written"] / (r["seconds"] * p) for r, p in zip(runs, payload) if "bytes_written" in r]
        memory = [r["max_rss_bytes"] / (1 << 20) for r in runs if "max_rss_bytes" in r]
        doubtful = sum(is_doubtful(r) for r in runs)
        digits = 4 if command[0] == "bench_ceiling" else 2
        cells = [
            name,
            spread(entries, 1e-6, digits),
            f"{max(entries) * 1e-6:.{digits}f}",
            spread(payload, 1e-6, 0),
            spread([p / b for p, b in zip(payload, base)]),
            f"{max(payload) / max(base):.2f}",
            spread([r["latency_us"]["p50"] for r in runs], 1, 0),
            spread(tail),
            spread(cpu, 1, 0),
            f"{statistics.median(amplification):.3f}" if amplification else "",
            f"{statistics.median(memory):.0f}" if memory else "",
            f"{doubtful} of {len(runs)} !" if doubtful else "ok",
            f"{sum(r['is_idle'] for r in runs)} of {len(runs)}",
        ]
        print("| " + " | ".join(cells) + " |", file=out, flush=True)


def compare(build, key, args):
    title, points = ROWS[key]
    results = collections.defaultdict(list)
    for repetition in range(args.reps):
        turn = repetition % len(points)
        for name, command in points[turn:] + points[:turn]:
            is_idle = wait_until_idle(args.patience)
            results[name].append(run(build, command, args.dir, args.seconds))
            results[name][-1]["is_idle"] = is_idle
    row_table(title, points, results, sys.stdout)


def flat(value, path=""):
    if isinstance(value, dict) and set(value) == {"median", "low", "high"}:
        yield path, f"{value['median']:.4g} [{value['low']:.4g}, {value['high']:.4g}]"
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from flat(below, f"{path} {name}".strip())
    else:
        yield path, f"{value:,}" if isinstance(value, int) else str(value)


def single(build, key, args):
    title, command = SINGLES[key]
    state = "idle" if wait_until_idle(args.patience) else "busy"
    print(f"\n### {title}\n\nThe machine was {state} when it began.\n", flush=True)
    place = pathlib.Path(tempfile.mkdtemp(prefix="compare-", dir=args.dir))
    try:
        if key == "micro":
            environment = dict(os.environ, TEAK_BENCH_DIR=str(place))
            subprocess.run([program(build, command[0])], check=True, env=environment)
            return
        words = [program(build, command[0]), *command[1:], "--reps", str(args.reps), "--dir", str(place / "store")]
        if key != "opening":
            words[-1] = str(place)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr}")
        print("| | |\n|---|---|")
        for name, value in flat(json.loads(done.stdout)):
            print(f"| {name} | {value} |", flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    everything = [*ROWS, *SINGLES]
    parser.add_argument("--rows", default=",".join(everything), help="comma-separated; --list tells which")
    parser.add_argument("--reps", type=int, default=7, help="repetitions [7]")
    parser.add_argument("--seconds", type=float, default=3, help="of each run [3]")
    parser.add_argument("--patience", type=float, default=2, help="seconds to wait for an idle machine [2]")
    parser.add_argument("--dir", default=".", help="on the disk to be measured [.]")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="[build/release]")
    parser.add_argument("--list", action="store_true", help="name the rows and their commands")
    args = parser.parse_args()
    rows = args.rows.split(",")
    unknown = [row for row in rows if row not in everything]
    if unknown or args.reps < 1:
        parser.error(f"--rows: {', '.join(unknown)}: there is {', '.join(everything)}" if unknown else "--reps 1 up")
    for row in rows:
        if args.list:
            points = ROWS[row][1] if row in ROWS else [("", SINGLES[row][1])]
            print("\n".join(f"{row:10} {name:26} {' '.join(command)}" for name, command in points))
        elif row in ROWS:
            compare(args.build, row, args)
        else:
            single(args.build, row, args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
