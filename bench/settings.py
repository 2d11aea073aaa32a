#!/usr/bin/env python3
"""settings.py: does any fixed setting beat the defaults? Loads of many shapes, each setting beside the defaults.

Closed loops: for each size of entries and each window all settings run in turn, there and back, several times over, in
one store that recycles its segments. Open loops: what the defaults do with several MiB outstanding is measured first,
then 10, 50 and 90 % of it are asked for. Shown, as tables in Markdown, is the median, and in brackets the middle half,
of what a setting did divided by what the defaults did in the same pass: entries a second, and p99. On a machine that
does other things too only these ratios mean anything.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

SIZES = (16, 256, 4096, 65536)
WINDOWS = (1, 16, 1024, 65536)
SHARES = (10, 50, 90)      # per cent of what the closed loop did
OUTSTANDING_MAX = 1 << 30  # more lies nowhere: the arena is full long before
OPEN_BYTES = 4 << 20       # outstanding, where the most is measured: a window of 1,024 at most
LANE = 512 << 10           # below it one frame flies, whatever is allowed
ANYWHERE = (("--strategy", "fdatasync"), ("--linger-us", "50"))
MANY = (("--in-flight", "1"), ("--in-flight", "2"), ("--in-flight", "4"), ("--in-flight", "8"),
        ("--in-flight", "4", "--group-bytes", "524288"))
SETTINGS = ((),) + ANYWHERE + MANY


def run(options, size, load, setting):
    words = [options.teak, "bench", "append", "--dir", options.dir, "--entry-bytes", str(size), *load,
             "--seconds", str(options.seconds), "--retain-bytes", "16M", "--no-ceiling", "--keep", "--json", *setting]
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    result = json.loads(done.stdout)
    return result["entries_per_second"], result["latency_us"]["p99"]


def compared(options, size, load, settings):
    """For each setting but the defaults: its shares of their entries a second and of their p99, one for each pass."""
    shares = {setting: ([], []) for setting in settings[1:]}
    for number in range(options.passes):
        order = settings if number % 2 == 0 else settings[::-1]
        got = {setting: run(options, size, load, setting) for setting in order}
        for setting, (rates, p99s) in shares.items():
            rates.append(got[setting][0] / got[()][0])
            p99s.append(got[setting][1] / got[()][1])
    return shares


def spread(ratios):
    ordered = sorted(ratios)
    quarter = (len(ordered) - 1) // 4
    return f"{statistics.median(ordered):.2f} ({ordered[quarter]:.2f} to {ordered[-1 - quarter]:.2f})"


def show(title, rows, which, best):
    print(f"\n{title}\n\n| entries | load | best | " + " | ".join(f"`{' '.join(s)}`" for s in SETTINGS[1:]) + " |")
    print("|---|---|---|" + "---|" * len(SETTINGS[1:]))
    for size, load, shares in rows:
        cells = [spread(shares[s][which]) if s in shares else "" for s in SETTINGS[1:]]
        first = best(statistics.median(share[which]) for share in shares.values())
        print(f"| {size} B | {load} | {first:.2f} | " + " | ".join(cells) + " |", flush=True)


def closed_loops(options):
    for size in SIZES:
        for window in WINDOWS:
            if size * window <= OUTSTANDING_MAX:
                settings = SETTINGS if size * window > LANE else ((),) + ANYWHERE
                yield size, f"{window:,}", compared(options, size, ("--window", str(window)), settings)


def open_loops(options):
    for size in SIZES:
        window = ("--window", str(min(1024, OPEN_BYTES // size)))
        most = statistics.median(run(options, size, window, ())[0] for _ in range(3))
        for share in SHARES:
            rate = max(1, int(most * share / 100))
            yield size, f"{share} %: {rate:,}/s", compared(options, size, ("--rate", str(rate)), SETTINGS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teak", default="build/release/teak")
    parser.add_argument("--dir", required=True, help="a name that is free, on the disk in question")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each run")
    parser.add_argument("--passes", type=int, default=9)
    parser.add_argument("--loops", choices=("closed", "open", "both"), default="both")
    options = parser.parse_args()
    if os.path.exists(options.dir):
        sys.exit(f"{options.dir} is there: give a name that is free")
    try:
        for _ in range(4):  # until segments are recycled
            run(argparse.Namespace(**{**vars(options), "seconds": 1}), 65536, ("--window", "32"), ())
        for name, loops in (("closed", closed_loops), ("open", open_loops)):
            if options.loops in (name, "both"):
                rows = list(loops(options))
                show(f"Entries a second, {name} loops:", rows, 0, max)
                show(f"p99, {name} loops:", rows, 1, min)
    finally:
        shutil.rmtree(options.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
