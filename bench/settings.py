#!/usr/bin/env python3
"""settings.py: does any fixed setting beat the defaults? Loads of many shapes, each setting beside the defaults.

For each size of entries and each window all settings run in turn, there and back, several times over, in one store that
recycles its segments. Shown is the median, and in brackets the middle half, of entries a second divided by what the
defaults did in the same pass; and the same of p99. On a machine that does other things too only these ratios mean
anything.
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
OUTSTANDING_MAX = 1 << 30  # more lies nowhere: the arena is full long before
LANE = 512 << 10           # below it one frame flies, whatever is allowed
ANYWHERE = (("--linger-us", "50"), ("--strategy", "fdatasync"))
MANY = (("--in-flight", "1"), ("--in-flight", "4"), ("--in-flight", "8"),
        ("--in-flight", "4", "--group-bytes", "524288"))


def run(options, size, window, setting):
    words = [options.teak, "bench", "append", "--dir", options.dir, "--entry-bytes", str(size), "--window", str(window),
             "--seconds", str(options.seconds), "--retain-bytes", "16M", "--no-ceiling", "--keep", "--json", *setting]
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    result = json.loads(done.stdout)
    return result["entries_per_second"], result["latency_us"]["p99"]


def spread(ratios):
    ordered = sorted(ratios)
    quarter = (len(ordered) - 1) // 4
    return f"{statistics.median(ordered):5.2f} ({ordered[quarter]:.2f} to {ordered[-1 - quarter]:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teak", default="build/release/teak")
    parser.add_argument("--dir", required=True, help="a name that is free, on the disk in question")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each run")
    parser.add_argument("--passes", type=int, default=9)
    options = parser.parse_args()
    if os.path.exists(options.dir):
        sys.exit(f"{options.dir} is there: give a name that is free")
    try:
        for _ in range(4):  # until segments are recycled
            run(argparse.Namespace(**{**vars(options), "seconds": 1}), 65536, 32, ())
        print(f"{'bytes':>6} {'window':>6}  {'setting':40} {'entries/s':>22} {'p99':>22}")
        for size in SIZES:
            for window in WINDOWS:
                if size * window > OUTSTANDING_MAX:
                    continue
                settings = [(), *ANYWHERE, *(MANY if size * window > LANE else ())]
                rates, p99s = [[] for _ in settings], [[] for _ in settings]
                for number in range(options.passes):
                    got = {}
                    order = range(len(settings)) if number % 2 == 0 else reversed(range(len(settings)))
                    for which in order:
                        got[which] = run(options, size, window, settings[which])
                    for which in range(len(settings)):
                        rates[which].append(got[which][0] / got[0][0])
                        p99s[which].append(got[which][1] / got[0][1])
                for which in range(1, len(settings)):
                    print(f"{size:6} {window:6}  {' '.join(settings[which]):40} {spread(rates[which]):>22} "
                          f"{spread(p99s[which]):>22}", flush=True)
    finally:
        shutil.rmtree(options.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
