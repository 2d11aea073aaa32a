#!/usr/bin/env python3
"""compare.py: the rows of docs/performance.md: Teak beside what it is measured against, alternating run by run.

bench/compare.py                         every row, from build/release, on the disk under the current directory
bench/compare.py --rows 256,1k --reps 9  some rows
bench/compare.py --rows rivals --json F  other logs under the same load; all runs, as JSON, into the file F
bench/compare.py --list                  what there is

Each row's points run one after another, in an order that rotates, --reps times; a ratio is that of two runs of the
same repetition. Before each run the machine is waited for, --patience seconds at most, until its processors are idle;
a row tells how many of its runs found it so. Printed are medians with quartiles, and the best run: what others do to
the machine only ever slows. /proc/diskstats is read around every run: a run after which the device has written less
than the program says it wrote, or flushed less often than it synced on a device without FUA, is marked with !.
In the rows `rivals*` such a run is not counted at all, and who it was is named: somebody told before it was durable.
A program that was not built (tools/install-deps rivals) is skipped and named.
"""
import argparse
import collections
import json
import math
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RETAIN = str(16 << 20)  # payload kept behind the writer: after the warm-up every segment is one that was used before
IDLE_SHARE = 0.9
WORK = "100"  # ns of processor for each KiB: what copying and summing take with entries of 256 B to 4 KiB


def teak(entry, window, batch, *more, retain=True):
    steady = ("--retain-bytes", RETAIN) if retain else ()
    return ("teak", "bench", "append", "--no-ceiling", "--entry-bytes", str(entry), "--window", str(window), "--batch",
            str(batch), *steady, *more)


def ceiling(outstanding):
    return ("teak", "bench", "ceiling", "--outstanding", str(outstanding))


def cells():
    """Each number of bytes outstanding: what the disk does with it and no log, the same behind as much work as a log
    has, and Teak with entries of three sizes."""
    points = []
    for name, outstanding in (("256 KiB", 256 << 10), ("1 MiB", 1 << 20), ("4 MiB", 4 << 20)):
        points.append((f"{name}, the disk", ceiling(outstanding)))
        points += [(f"{name}, with work, {parts} at a time", (*raw(outstanding, parts), "--work", WORK))
                   for parts in (1, 2, 4)]
        points.append((f"{name}, 256 B, busy polling",
                       teak(256, outstanding // 256, 16, "--warm-up", "0.5", "--busy-poll")))
        points += [(f"{name}, {words}", teak(entry, outstanding // entry, 16, "--warm-up", "0.5"))
                   for words, entry in (("256 B", 256), ("1 KiB", 1024), ("4 KiB", 4096))]
    return points


def tails():
    """Each window of 256 B: a bare write of what its frames hold, and Teak, recycling and while the filler works."""
    points = []
    for window, batch, frame in ((1, 1, 4 << 10), (64, 1, 20 << 10), (1024, 16, 280 << 10)):
        points += [(f"the disk, {frame >> 10} KiB", raw(frame, 1)),
                   (f"window {window}", teak(256, window, batch, "--preload-bytes", "512M")),
                   (f"window {window}, growing", teak(256, window, batch, "--preload-bytes", "128M", retain=False))]
    return points


def prototype(entry, window, *more):
    return ("bench_prototype", "--entry-bytes", str(entry), "--window", str(window), "--in-flight", "1", *more)


def raw(outstanding, parts):
    return ("bench_ceiling", "raw", "--outstanding", str(outstanding), "--bytes", str(outstanding // parts))


def rival(name, entry, window, batch, variant=None):
    return (f"rival_{name}", "--entry-bytes", str(entry), "--window", str(window), "--batch", str(batch),
            *(("--variant", variant) if variant else ()))


def rivals(entry, window, batch):
    """Everybody under one load, each as its documentation advises; what is tried in two ways is there twice."""
    everybody = [("Teak", "teak", None), ("Teak, posix", "teak", "posix"), ("Teak, growing", "teak", "uring-growing"),
                 ("pwrite, fdatasync", "pwrite", None), ("pwrite, written before", "pwrite", "written"),
                 ("io_uring, a sync each", "uring", None), ("etcd WAL", "etcd", None),
                 ("libraft uv", "raft_uv", None), ("libraft uv, 64 MiB", "raft_uv", "segments-64m"),
                 ("RocksDB", "rocksdb", None), ("LevelDB", "leveldb", None), ("WiredTiger", "wiredtiger", None),
                 ("LMDB", "lmdb", None), ("LMDB, writemap", "lmdb", "writemap")]
    return [(name, rival(program, entry, window, batch, variant)) for name, program, variant in everybody]


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
    ("ceiling", ("Teak as a share of the ceiling", cells())),
    ("tail", ("p99.9, 256 B", tails())),
    ("rivals", ("256 B, window 1,024, 16 handed over at a time", rivals(256, 1024, 16))),
    ("rivals-1", ("256 B, one entry at a time", rivals(256, 1, 1))),
    ("rivals-4k", ("4 KiB, window 256, 16 handed over at a time", rivals(4096, 256, 16))),
    ("threads", ("64 threads that wait, 256 B", [
        ("one thread, window 64", ("bench_threads", "--threads", "0", "--window", "64")),
        ("committer, 64 threads", ("bench_threads", "--threads", "64")),
        ("the same, spinning", ("bench_threads", "--threads", "64", "--spin-us", "1000")),
        ("the same, not gathering", ("bench_threads", "--threads", "64", "--no-gather")),
        ("RocksDB, 64 threads, sync", ("bench_rocksdb", "--threads", "64")),
    ])),
])
SINGLES = collections.OrderedDict([
    ("one", ("one entry at a time", ("bench_commit",))),
    ("one-posix", ("one entry at a time, posix", ("bench_commit", "--backend", "posix"))),
    ("opening", ("opening and dropping 10 GiB", ("bench_opening", "--gib", "10"))),
    ("micro", ("nanoseconds", ("teak_micro",))),
])


# ----------------------------------------------------------------------------------------------------------- machinery

def place_of(build, name):
    return build / name if name == "teak" else build / "bench" / name


def program(build, name):
    path = place_of(build, name)
    if not path.exists():
        sys.exit(f"{path} is missing: cmake --preset release && cmake --build --preset release")
    return str(path)


def is_optional(command):
    """Does its library belong to others, so that it may be missing?"""
    return command[0].startswith("rival_") or command[0] == "bench_rocksdb"


def device_counters(folder):
    """Bytes written and flushes of the device under `folder`; None where /proc/diskstats does not know it."""
    number = os.stat(folder).st_dev
    with open("/proc/diskstats", encoding="ascii") as stats:
        for line in stats:
            fields = line.split()
            if (int(fields[0]), int(fields[1])) == (os.major(number), os.minor(number)):
                return int(fields[9]) * 512, int(fields[18]) if len(fields) > 18 else 0
    return None


class Failed(Exception):
    """A program that did not measure."""


def run(build, command, folder, seconds):
    """One run: the program's JSON, and what the device did meanwhile."""
    with tempfile.TemporaryDirectory(prefix="compare-", dir=folder) as place:
        is_ceiling = command[2:3] == ("ceiling",)  # its seconds are those of each of eight ways
        words = [program(build, command[0]), *command[1:], "--dir", place, "--seconds",
                 str(seconds / 8 if is_ceiling else seconds)]
        words += [] if command[0] in ("bench_rocksdb", "bench_threads") else ["--json"]
        before = device_counters(place)
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60 + 20 * seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(words)}: does not come to an end") from None
        after = device_counters(place)
    os.sync()  # what was removed is discarded now, and not while the next one runs
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr.strip()}")
    result = json.loads(done.stdout)
    result["disk"] = None if before is None else (after[0] - before[0], after[1] - before[1])
    return result


def judge_rival(result):
    """What the device says against a run of a rival: "" for nothing, None where nobody can tell.

    No flush can cover more entries than were outstanding. So where the device has a cache that only a flush empties,
    `entries / window` flushes are the least; elsewhere as many writes are.
    """
    device = result["device"]
    if device is None:
        return None
    least = 0.98 * result["entries"] / result["window"]
    if device["write_bytes"] < 0.98 * result["entries"] * result["entry_bytes"]:
        return "the device has written less than what is said to be durable"
    if device["write_cache"] is None:
        return None
    if device["write_cache"] and not device["fua"] and device["flushes"] < least:
        return f"{device['flushes']} flushes for {result['entries']} entries: not durable when it said so"
    if device["writes"] < least:
        return f"{device['writes']} writes for {result['entries']} entries: not durable when it said so"
    return ""


def is_doubtful(result):
    """Did the device do less than the program says?"""
    if result["disk"] is None:
        return False
    wrote, flushed = result["disk"]
    said = result.get("bytes_written", result.get("bytes_per_second", 0) * result["seconds"])
    syncs = result.get("syncs", result.get("syncs_per_second", 0) * result["seconds"])
    syncs /= result.get("at_a_time", 1)  # bare writes that are on their way together may share a flush
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
    heads = ["", "million/s", "best", "MB/s", "ratio", "of the best", "p50 us", "p99 / p50",
             "p99.9 / p50", "processor ns", "written / payload", "RSS MiB", "disk", "idle"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), file=out)
    for name, command in points:
        runs = results[name]
        entries = [r.get("entries_per_second", r.get("writes_per_second")) for r in runs]
        payload = [payload_rate(r) for r in runs]
        counts = [r.get("entries", r.get("writes_per_second", 0) * r["seconds"]) for r in runs]
        cpu = [r["cpu_seconds"] * 1e9 / n for r, n in zip(runs, counts)]
        tail = [r["latency_us"]["p99"] / r["latency_us"]["p50"] for r in runs]
        far_tail = [r["latency_us"]["p999"] / r["latency_us"]["p50"] for r in runs if "p999" in r["latency_us"]]
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
            spread(far_tail) if far_tail else "",
            spread(cpu, 1, 0),
            f"{statistics.median(amplification):.3f}" if amplification else "",
            f"{statistics.median(memory):.0f}" if memory else "",
            f"{doubtful} of {len(runs)} !" if doubtful else "ok",
            f"{sum(r['is_idle'] for r in runs)} of {len(runs)}",
        ]
        print("| " + " | ".join(cells) + " |", file=out, flush=True)


def summary_of(runs, base):
    """Medians and quartiles of a rival's runs; `times`: how many times the first point is faster. What others do to the
    machine only ever slows: of the best run of each, too."""
    series = {
        "entries_per_second": [r["entries_per_second"] for r in runs],
        "p50_us": [r["latency_us"]["p50"] for r in runs],
        "p99_us": [r["latency_us"]["p99"] for r in runs],
        "cpu_ns_per_entry": [r["cpu_seconds"] * 1e9 / r["entries"] for r in runs],
        "entries_per_commit": [r["entries"] / r["commits"] for r in runs],
        "times": [b["entries_per_second"] / r["entries_per_second"] for r, b in zip(runs, base) if b is not None],
        "flushes_per_commit": [r["device"]["flushes"] / r["commits"] for r in runs if r["device"]],
        "written_per_payload": [r["device"]["write_bytes"] / (r["entries"] * r["entry_bytes"]) for r in runs
                                if r["device"]],
    }
    words = ("median", "low", "high")
    summary = {name: dict(zip(words, quartiles(values))) for name, values in series.items() if values}
    best = max(series["entries_per_second"])
    bases = [b["entries_per_second"] for b in base if b is not None]
    return {**summary, "best_entries_per_second": best, "times_of_best": max(bases) / best if bases else None}


def rival_rows(points, results):
    """[(name, runs that count, summary or None, what the device says against it)], in the order of `points`."""
    counted = {name: [None if run is None or judge_rival(run) else run for run in results[name]] for name, _ in points}
    rows = []
    for name, _ in points:
        pairs = [(run, base) for run, base in zip(counted[name], counted[points[0][0]]) if run is not None]
        complaints = sorted({judge_rival(run) for run in results[name] if run is not None and judge_rival(run)})
        good = [run for run, _ in pairs]
        rows.append((name, good, summary_of(good, [base for _, base in pairs]) if good else None, complaints))
    return rows


def rival_table(title, points, results, out):
    print(f"\n### {title}\n", file=out)
    heads = ["", "thousand/s", "Teak is times", "best", "of the best", "p50 us", "p99 us", "processor ns",
             "entries a commit", "flushes a commit", "written / payload", "runs"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), file=out)
    columns = [("entries_per_second", 1e-3, 1), ("times", 1, 2), ("p50_us", 1, 0), ("p99_us", 1, 0),
               ("cpu_ns_per_entry", 1, 0), ("entries_per_commit", 1, 0), ("flushes_per_commit", 1, 2),
               ("written_per_payload", 1, 2)]
    rows = rival_rows(points, results)
    for name, good, summary, _ in rows:
        cells = [name]
        for column, scale, digits in columns:
            of = summary.get(column) if summary else None
            cells.append("" if of is None else f"{of['median'] * scale:.{digits}f} [{of['low'] * scale:.{digits}f}, "
                                               f"{of['high'] * scale:.{digits}f}]")
        best = ["", ""]
        if summary:
            best = [f"{summary['best_entries_per_second'] / 1e3:.1f}",
                    f"{summary['times_of_best']:.2f}" if summary["times_of_best"] else ""]
        cells[3:3] = best
        print("| " + " | ".join(cells + [f"{len(good)} of {len(results[name])}"]) + " |", file=out)
    print(file=out)
    for name, good, _, complaints in rows:
        for complaint in complaints:
            print(f"NOT COUNTED: {name}: {complaint}", file=out)
        if good:
            one = good[0]
            unchecked = "; nobody knows whether it flushed" if judge_rival(one) is None else ""
            print(f"- {name}: {one['rival']} {one['version']}, {one['settings']} ({one['advice']}){unchecked}",
                  file=out)
    out.flush()


def thread_table(title, points, results, out):
    print(f"\n### {title}\n", file=out)
    print("| | thousand/s | ratio | p50 us | p99 us | entries a sync | flushes a sync |\n|---|---|---|---|---|---|---|",
          file=out)
    base = results[points[0][0]]
    for name, _ in points:
        runs = results[name]
        flushes = [run["device"]["flushes"] / max(1, run["syncs"]) for run in runs]
        cells = [name + ("" if all(flushes) else " !"),
                 spread([run["entries_per_second"] for run in runs], 1e-3, 1),
                 spread([run["entries_per_second"] / other["entries_per_second"] for run, other in zip(runs, base)]),
                 spread([run["latency_us"]["p50"] for run in runs], 1, 0),
                 spread([run["latency_us"]["p99"] for run in runs], 1, 0),
                 spread([run["entries"] / max(1, run["syncs"]) for run in runs], 1, 1), spread(flushes)]
        print("| " + " | ".join(cells) + " |", file=out, flush=True)


def ceiling_table(title, points, results, out):
    """The ceiling is the way of writing that is best by its median; a share is of that way in the same repetition."""
    print(f"\n### {title}\n", file=out)
    print("| | MB/s | share | of the best | p50 us | p99 / p50 | p99.9 / p50 | processor ns | disk | idle |\n"
          "|" + "---|" * 10, file=out)
    top = []
    for name, command in points:
        runs = results[name]
        idle = f"{sum(run['is_idle'] for run in runs)} of {len(runs)}"
        if "ceiling" in command:
            ways = zip(*([row for row in run["rows"] if row["blocks"] == "written"] for run in runs))
            best = max(ways, key=lambda way: statistics.median(row["bytes_per_second"] for row in way))
            top = [row["bytes_per_second"] for row in best]
            cells_of = [f"{name}: {best[0]['way']}, {best[0]['in_flight']} at a time", spread(top, 1e-6, 0), "", "",
                        spread([row["latency_us"]["p50"] for row in best], 1, 0),
                        spread([row["latency_us"]["p99"] / row["latency_us"]["p50"] for row in best]), "", "",
                        "ok" if all(row["disk"]["did_the_work"] is not False for row in best) else "!", idle]
        else:
            rates = [payload_rate(run) for run in runs]
            latency = [run["latency_us"] for run in runs]
            doubtful = sum(is_doubtful(run) for run in runs)
            cells_of = [name, spread(rates, 1e-6, 0), spread([rate / most for rate, most in zip(rates, top)]),
                        f"{max(rates) / max(top):.2f}", spread([of["p50"] for of in latency], 1, 0),
                        spread([of["p99"] / of["p50"] for of in latency]),
                        spread([of["p999"] / of["p50"] for of in latency]),
                        spread([run["cpu_seconds"] * 1e9 / run["entries"] for run in runs], 1, 0)
                        if "entries" in runs[0] else "",
                        f"{doubtful} of {len(runs)} !" if doubtful else "ok", idle]
        print("| " + " | ".join(cells_of) + " |", file=out, flush=True)


def run_or_name(build, name, command, args):
    """A run; None for a rival that failed, which is named. What is ours has to work."""
    try:
        return run(build, command, args.dir, args.seconds)
    except Failed as failure:
        if not is_optional(command) or command[0] == "rival_teak":
            sys.exit(str(failure))
        print(f"{name} failed: {failure}", file=sys.stderr)
        return None


def compare(build, key, args):
    """Runs a row and prints it. Returns what --json tells of it."""
    title, points = ROWS[key]
    missing = [name for name, command in points if is_optional(command) and not place_of(build, command[0]).exists()]
    points = [(name, command) for name, command in points if name not in missing]
    print(f"\nskipped, not built (tools/install-deps rivals): {', '.join(missing)}" if missing else "", flush=True)
    results = collections.defaultdict(list)
    for repetition in range(args.reps):
        turn = repetition % len(points)
        for name, command in points[turn:] + points[:turn]:
            is_idle = wait_until_idle(args.patience)
            result = run_or_name(build, name, command, args)
            if result is not None:
                result["is_idle"] = is_idle
            results[name].append(result)
    told = {"title": title, "skipped": missing, "commands": {name: list(command) for name, command in points},
            "runs": results}
    if key.startswith("rivals"):
        rival_table(title, points, results, sys.stdout)
        told["points"] = [{"name": name, "summary": summary, "not_counted": complaints, "counted": len(good),
                           **({word: good[0][word] for word in ("rival", "version", "variant", "settings", "advice")}
                              if good else {})} for name, good, summary, complaints in rival_rows(points, results)]
    elif key == "threads":
        thread_table(title, points, results, sys.stdout)
    elif key == "ceiling":
        ceiling_table(title, points, results, sys.stdout)
    else:
        row_table(title, points, results, sys.stdout)
    return told


def machine_of(folder):
    """What the figures depend on, as far as the kernel tells."""
    def word(path):
        try:
            return pathlib.Path(path).read_text(encoding="utf-8").strip()
        except OSError:
            return None
    number = os.stat(folder).st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    model = re.search(r"^model name\s*: (.*)$", word("/proc/cpuinfo") or "", re.M)
    mount = next((line for line in (word("/proc/self/mountinfo") or "").split("\n") if f" {device} " in line), "")
    left, _, right = mount.partition(" - ")
    queue = next((path for path in (f"/sys/dev/block/{device}/queue", f"/sys/dev/block/{device}/../queue")
                  if os.path.isdir(path)), "")
    return {"processor": model.group(1) if model else platform.machine(), "processors": os.cpu_count(),
            "kernel": platform.release(), "filesystem": right.split(" ")[0] or None,
            "mount_options": left.split(" ")[5] if left else None, "write_cache": word(f"{queue}/write_cache"),
            "fua": word(f"{queue}/fua"), "idle_share": round(idle_share(), 3), "load": list(os.getloadavg())}


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


def wrong_use(args, unknown, everything):
    """What would otherwise be found out in the middle, or when hours of measuring are to be written down."""
    if unknown:
        return f"--rows: {', '.join(unknown)}: there is {', '.join(everything)}"
    if args.reps < 1:
        return "--reps 1 up"
    if not 0 < args.seconds < math.inf:
        return "--seconds more than 0"
    if not 0 <= args.patience < math.inf:
        return "--patience 0 up"
    if not args.list and not (os.path.isdir(args.dir) and os.access(args.dir, os.W_OK)):
        return f"--dir {args.dir}: no directory that can be written to"
    if args.json and (args.json.is_dir() or not os.access(args.json if args.json.exists() else args.json.parent,
                                                          os.W_OK)):
        return f"--json {args.json}: no file that can be written"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    everything = [*ROWS, *SINGLES]
    mine = [row for row in everything if not row.startswith("rivals")]
    parser.add_argument("--rows", default=",".join(mine), help="[all but rivals*] comma-separated; --list tells which")
    parser.add_argument("--reps", type=int, default=7, help="repetitions [7]")
    parser.add_argument("--seconds", type=float, default=3, help="of each run [3]")
    parser.add_argument("--patience", type=float, default=2, help="seconds to wait for an idle machine [2]")
    parser.add_argument("--dir", default=".", help="on the disk to be measured [.]")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="[build/release]")
    parser.add_argument("--json", type=pathlib.Path, help="a file for every run, as JSON")
    parser.add_argument("--list", action="store_true", help="name the rows and their commands")
    args = parser.parse_args()
    rows = args.rows.split(",")
    unknown = [row for row in rows if row not in everything]
    wrong = wrong_use(args, unknown, everything)
    if wrong:
        parser.error(wrong)
    told = {"machine": machine_of(args.dir), "rows": {}}
    if told["machine"]["filesystem"] in ("tmpfs", "ramfs") and not args.list:
        print(f"compare.py: warning: {args.dir} lies in memory: nothing there is durable", file=sys.stderr)
    for row in rows:
        if args.list:
            points = ROWS[row][1] if row in ROWS else [("", SINGLES[row][1])]
            print("\n".join(f"{row:10} {name:26} {' '.join(command)}" for name, command in points))
        elif row in ROWS:
            told["rows"][row] = compare(args.build, row, args)
        else:
            single(args.build, row, args)
    if args.json:
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def told_in_one_line():
    if sys.stdout is None:
        print("compare.py: standard output is closed", file=sys.stderr)
        return 1
    try:
        status = main()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        why = ""  # who reads has seen enough
    except KeyboardInterrupt:
        why = "stopped before the end: nothing more is reported"
    except OSError as error:
        why = str(error)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it is not tried again
    if why:
        print(f"compare.py: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(told_in_one_line())
