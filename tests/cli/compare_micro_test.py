#!/usr/bin/env python3
"""compare_micro_test.py: bench/compare_micro.py tells change from noise: by tables, by counting, on samples."""
import importlib.util
import itertools
import json
import os
import random
import subprocess
import sys
import unittest

import harness


def script():
    return os.path.join(harness.source_path, "bench", "compare_micro.py")


def module():
    spec = importlib.util.spec_from_file_location("compare_micro", script())
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def told(times):
    """What google-benchmark writes: repetitions, and an aggregate that is not one."""
    found = []
    for name, values in times.items():
        found += [{"name": name, "run_name": name, "run_type": "iteration", "cpu_time": value, "real_time": value * 9}
                  for value in values]
        found.append({"name": name + "_mean", "run_name": name, "run_type": "aggregate", "cpu_time": 1e9,
                      "real_time": 1e9})
    return json.dumps({"context": {}, "benchmarks": found})


class CompareMicro(harness.Store):
    def setUp(self):
        super().setUp()
        self.micro = module()

    def run_on(self, before, after, *words, status=0):
        for name, times in (("before", before), ("after", after)):
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(times if isinstance(times, str) else told(times))
        run = subprocess.run([sys.executable, script(), self.path("before"), self.path("after"), *words],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run.stdout, run.stderr

    def test_u_agrees_with_the_tables(self):
        # Two-sided 5 %: the largest U that is significant (Mann and Whitney 1947; any textbook's table).
        for n, m, critical in ((4, 4, 0), (5, 5, 2), (7, 7, 8), (10, 10, 23), (8, 12, 22), (15, 15, 64)):
            whole = sum(self.micro.ways(n, m, u) for u in range(n * m + 1))
            tail = [2 * sum(self.micro.ways(n, m, u) for u in range(k + 1)) / whole for k in (critical, critical + 1)]
            self.assertLessEqual(tail[0], 0.05)
            self.assertGreater(tail[1], 0.05)

    def test_exact_p_is_what_counting_every_order_gives(self):
        values = [3.0, 1.5, 9.0, 4.25, 7.0, 2.0, 8.5, 6.0]
        before, after = values[:3], values[3:]
        u, p = self.micro.mann_whitney(before, after)
        centre = len(before) * len(after) / 2
        orders = list(itertools.combinations(values, len(before)))
        as_far = 0
        for some in orders:
            others = [value for value in values if value not in some]
            as_far += abs(sum(b > a for b in some for a in others) - centre) >= abs(u - centre)
        self.assertAlmostEqual(p, as_far / len(orders))

    def test_normal_approximation_is_near_the_exact_one(self):
        draw = random.Random(1)
        before = [draw.gauss(100, 5) for _ in range(20)]
        after = [draw.gauss(103, 5) for _ in range(20)]
        exact = self.micro.mann_whitney(before, after)[1]
        limit, self.micro.EXACT_MAX = self.micro.EXACT_MAX, 0
        self.addCleanup(setattr, self.micro, "EXACT_MAX", limit)
        self.assertAlmostEqual(self.micro.mann_whitney(before, after)[1], exact, delta=0.005)

    def test_ties_and_sameness_are_noise(self):
        self.assertEqual(self.micro.mann_whitney([5.0] * 9, [5.0] * 9)[1], 1.0)
        self.assertGreater(self.micro.mann_whitney([1, 1, 2, 2, 3] * 3, [1, 2, 2, 3, 3] * 3)[1], 0.1)

    def test_holm_corrects_as_its_paper_does(self):
        corrected = self.micro.holm([0.01, 0.04, 0.03, 0.005])
        for value, wanted in zip(corrected, [0.03, 0.06, 0.06, 0.02]):
            self.assertAlmostEqual(value, wanted)

    def test_a_change_is_seen_and_its_interval_holds_it(self):
        draw = random.Random(2)
        before = {"a": [draw.gauss(50, 1) for _ in range(15)], "b": [draw.gauss(50, 1) for _ in range(15)],
                  "c": [draw.gauss(50, 1) for _ in range(15)]}
        after = {"a": [draw.gauss(50, 1) for _ in range(15)], "b": [draw.gauss(60, 1) for _ in range(15)],
                 "c": [draw.gauss(40, 1) for _ in range(15)]}
        rows = {row["name"]: row for row in json.loads(self.run_on(before, after, "--json")[0])}
        self.assertEqual({name: row["verdict"] for name, row in rows.items()},
                         {"a": "noise", "b": "slower", "c": "faster"})
        self.assertTrue(rows["b"]["low"] < 1.2 < rows["b"]["high"])
        self.assertTrue(rows["c"]["low"] < 0.8 < rows["c"]["high"])
        self.assertIn("slower", self.run_on(before, after, "--gate", status=1)[0])

    def test_noise_rarely_makes_an_alarm(self):
        """Twenty benchmarks that did not change, forty times: at 5 % two alarms are to be expected, ten are not."""
        draw = random.Random(3)
        alarms = 0
        for _ in range(40):
            before, after = ({f"n{i}": [draw.lognormvariate(4, 0.1) for _ in range(10)] for i in range(20)}
                             for _ in range(2))
            alarms += any(row["verdict"] != "noise" for row in self.micro.compare(before, after, 0.05, 0))
        self.assertLess(alarms, 10)

    def test_a_small_change_that_is_certain_is_still_called_noise(self):
        before = {"a": [100 + i / 1000 for i in range(15)]}
        after = {"a": [101 + i / 1000 for i in range(15)]}
        self.assertEqual(self.micro.compare(self.micro_times(before), self.micro_times(after), 0.05, 2)[0]["verdict"],
                         "noise")
        self.assertEqual(self.micro.compare(self.micro_times(before), self.micro_times(after), 0.05, 0.5)[0]["verdict"],
                         "slower")

    def micro_times(self, times):
        """As load() reads them back."""
        with open(self.path("times"), "w", encoding="utf-8") as file:
            file.write(told(times))
        return self.micro.load(self.path("times"))

    def test_manual_time_is_what_counts_where_there_is_one(self):
        self.assertEqual(self.micro_times({"submit/manual_time": [2.0], "other": [2.0]}),
                         {"submit/manual_time": [18.0], "other": [2.0]})

    def test_too_few_repetitions_are_said(self):
        out, err = self.run_on({"a": [1.0, 1.1]}, {"a": [2.0, 2.1]})
        self.assertIn("noise", out)
        self.assertIn("2 repetitions cannot show", err)

    def test_wrong_use_is_one_line(self):
        for before, after in (("no json", {"a": [1.0]}), ("{}", {"a": [1.0]}), ({"a": [1.0]}, {"b": [1.0]})):
            self.assertEqual(self.run_on(before, after, status=2)[1].count("\n"), 1)


if __name__ == "__main__":
    harness.main()
