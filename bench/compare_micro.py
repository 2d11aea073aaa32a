#!/usr/bin/env python3
"""compare_micro.py: two runs of teak_micro: what is faster, what is slower, and what is noise.

teak_micro --benchmark_repetitions=15 --benchmark_enable_random_interleaving=true \\
           --benchmark_out=before.json --benchmark_out_format=json
(the same after a change, into after.json)
bench/compare_micro.py before.json after.json

Of each benchmark: the medians, the change with an interval of 95 %, and whether it is more than noise. That it is if a
Mann-Whitney test over the repetitions says so at --alpha, corrected for how many benchmarks there are (Holm), and the
change is --least percent or more. The interval is that of Hodges and Lehmann: of the ratios of all pairs of
repetitions.

A test of ranks asks nothing of how times are distributed; but neither it nor any other knows that the machine was
busier in one of the two runs: let them alternate, and see a change twice before you believe it.

Exit status: 0, or 1 with --gate if something is slower, 2 for wrong use.
"""
import argparse
import collections
import functools
import json
import math
import pathlib
import statistics
import sys

EXACT_MAX = 25  # repetitions of each run, up to which the distribution of U is counted out


@functools.lru_cache(maxsize=None)
def ways(n, m, u):
    """In how many orders of n and m things does U come to u?"""
    if u < 0:
        return 0
    if n == 0 or m == 0:
        return 1 if u == 0 else 0
    return ways(n - 1, m, u - m) + ways(n, m - 1, u)


def mann_whitney(before, after):
    """(U of `before`, two-sided p): exact for few repetitions without ties, else the normal approximation."""
    n, m = len(before), len(after)
    u = sum((b > a) + (b == a) / 2 for b in before for a in after)
    counts = collections.Counter([*before, *after])
    if max(counts.values()) == 1 and max(n, m) <= EXACT_MAX:
        low = int(min(u, n * m - u))
        below = sum(ways(n, m, k) for k in range(low + 1))
        return u, min(1.0, 2 * below / math.comb(n + m, n))
    whole = n + m
    ties = sum(count ** 3 - count for count in counts.values())
    variance = n * m / 12 * (whole + 1 - ties / (whole * (whole - 1)))
    if variance <= 0:
        return u, 1.0  # all of them are the same
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return u, math.erfc(z / math.sqrt(2))


def interval(before, after, z=1.96):
    """(estimate, low, high) of after / before: the median of all pairs' ratios, and its interval by ranks."""
    ratios = sorted(a / b for a in after for b in before)
    n, m = len(before), len(after)
    skip = int(n * m / 2 - z * math.sqrt(n * m * (n + m + 1) / 12))
    if skip < 0:
        skip = 0
    return statistics.median(ratios), ratios[skip], ratios[-1 - skip]


def holm(values):
    """p-values, each as it is among so many."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    corrected, least = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, values[i] * (len(values) - rank)))
        corrected[i] = least
    return corrected


def load(path):
    """{benchmark: its repetitions' times}: processor time, or the manual time of those that measure by hand."""
    try:
        told = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        found = collections.OrderedDict()
        for one in told["benchmarks"]:
            if one.get("run_type") == "aggregate" or one.get("error_occurred"):
                continue
            name = one.get("run_name", one["name"])
            time = one["real_time"] if "manual_time" in name else one["cpu_time"]
            found.setdefault(name, []).append(float(time))
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{path}: not what --benchmark_out writes as JSON: {error}", file=sys.stderr)
        sys.exit(2)


def compare(before, after, alpha, least):
    """[{name, before, after, ratio, low, high, p, verdict}] of the benchmarks in both runs."""
    names = [name for name in before if name in after]
    rows = []
    for name in names:
        ratio, low, high = interval(before[name], after[name])
        rows.append({"name": name, "before": statistics.median(before[name]), "after": statistics.median(after[name]),
                     "ratio": ratio, "low": low, "high": high, "raw_p": mann_whitney(before[name], after[name])[1]})
    for row, p in zip(rows, holm([row["raw_p"] for row in rows])):
        row["p"] = p
        is_change = p < alpha and abs(row["ratio"] - 1) * 100 >= least
        row["verdict"] = "noise" if not is_change else "faster" if row["ratio"] < 1 else "slower"
    return rows


def few(before, after, count, alpha):
    """Can so few repetitions show anything? If not, why."""
    n = min((min(len(before[name]), len(after[name])) for name in before if name in after), default=0)
    best = 2 / math.comb(2 * n, n) * count if n > 0 else 1
    if best < alpha:
        return ""
    return f"{n} repetitions cannot show a change among {count} benchmarks: use --benchmark_repetitions=15"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a run, as JSON")
    parser.add_argument("after", help="another")
    parser.add_argument("--alpha", type=float, default=0.05, help="chance of one false alarm in the table [0.05]")
    parser.add_argument("--least", type=float, default=2, help="percent; less is called noise [2]")
    parser.add_argument("--gate", action="store_true", help="exit 1 if something is slower")
    parser.add_argument("--json", action="store_true", help="the rows as JSON")
    args = parser.parse_args()
    before, after = load(args.before), load(args.after)
    rows = compare(before, after, args.alpha, args.least)
    if not rows:
        print("the two runs have no benchmark in common", file=sys.stderr)
        return 2
    warning = few(before, after, len(rows), args.alpha)
    if warning:
        print(warning, file=sys.stderr)
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        width = max(len(row["name"]) for row in rows)
        print(f"{'':{width}}  {'before':>11}  {'after':>11}  {'change':>8}  {'95 %':>19}  {'p':>7}")
        for row in rows:
            change, low, high = ((row[key] - 1) * 100 for key in ("ratio", "low", "high"))
            print(f"{row['name']:{width}}  {row['before']:8.2f} ns  {row['after']:8.2f} ns  {change:+7.1f}%  "
                  f"[{low:+7.1f}%, {high:+7.1f}%]  {row['p']:7.4f}  {row['verdict']}")
        for name in [name for name in {**before, **after} if (name in before) != (name in after)]:
            print(f"{name}: only in {'the first' if name in before else 'the second'}")
    return 1 if args.gate and any(row["verdict"] == "slower" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
