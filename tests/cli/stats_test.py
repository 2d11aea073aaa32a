#!/usr/bin/env python3
"""stats_test.py: teak stats: the three forms of the numbers of a store, living or not open anywhere."""
import json
import math
import os
import re
import select
import signal
import subprocess
import time

import harness

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')


def number(text):
    return {"+Inf": math.inf, "-Inf": -math.inf, "NaN": math.nan}.get(text) if text[-1] in "fN" else float(text)


def check_prometheus(text):
    """Judges the text format 0.0.4; returns {(name, labels): value}. Raises AssertionError with what is wrong."""
    assert text.endswith("\n"), "the last line does not end"
    samples, types, helps, current, finished = {}, {}, set(), None, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, about = line[7:].partition(" ")
            assert name not in helps and about, f"HELP of {name} twice, or empty"
            helps.add(name)
            continue
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name in helps and name not in types, f"TYPE of {name}: no HELP before it, or twice"
            assert kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
            if current:
                finished.add(current)
            current = name
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"no sample: {line}"
        name, labels, value = match.groups()
        family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        assert types.get(family) and family == current and family not in finished, f"{name} stands under {current}"
        assert (family != name) == (types[family] == "histogram"), line
        assert types[family] != "counter" or name.endswith("_total"), f"a counter ends with _total: {name}"
        key = name, tuple(sorted(LABEL.findall(labels or "")))
        assert key not in samples, f"twice: {key}"
        samples[key] = number(value)
        assert not math.isnan(samples[key]), line
    for family in (name for name, kind in types.items() if kind == "histogram"):
        buckets = [(number(dict(labels)["le"]), value) for (name, labels), value in samples.items()
                   if name == family + "_bucket"]
        assert [le for le, _ in buckets] == sorted({le for le, _ in buckets}), f"{family}: le does not ascend"
        assert [count for _, count in buckets] == sorted(count for _, count in buckets), f"{family}: not cumulative"
        count, = (value for (name, _), value in samples.items() if name == family + "_count")
        total, = (value for (name, _), value in samples.items() if name == family + "_sum")
        assert buckets[-1] == (math.inf, count) and total >= 0, f"{family}: +Inf is not the count"
    return samples


class Checker(harness.Store):
    def test_the_checker_can_fail(self):
        head = "# HELP a_total x\n# TYPE a_total counter\n"
        check_prometheus(head + 'a_total{store="\\"x\\\\"} 1\n')
        histogram = '# HELP h x\n# TYPE h histogram\nh_bucket{le="1"} %d\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count %d\n'
        check_prometheus(histogram % (1, 2))
        for wrong in (head + "a_total one\n", head + "b_total 1\n", head + "a_total 1\na_total 1\n", "a_total 1\n",
                      head + "a_total 1", head.replace("a_total", "a") + "a 1\n", histogram % (3, 2),
                      histogram % (1, 3), head + 'a_total{store="x} 1\n'):
            with self.assertRaises((AssertionError, KeyError, ValueError, TypeError), msg=wrong):
                check_prometheus(wrong)


class Stats(harness.Store):
    def json(self, *words):
        return json.loads(self.teak("stats", self.dir, "--json", *words)[0])

    def samples(self):
        text = self.teak("stats", self.dir, "--prometheus")[0].decode()
        return {name: value for (name, _), value in check_prometheus(text).items()}, text

    def begin_writer(self):
        """A writer that goes on until its input is closed; returned when its first numbers are there."""
        writer = subprocess.Popen([harness.teak_path, "append", "--dir", self.dir, "--quiet"], stdin=subprocess.PIPE)
        self.addCleanup(self.end_writer, writer)
        writer.stdin.write(b"hello\n" * 1000)
        writer.stdin.flush()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            out, _ = self.teak("stats", self.dir, "--json", status=None)
            if out and json.loads(out)["living"] and json.loads(out)["numbers"]["counters"]["entries"] == 1000:
                return writer
            time.sleep(0.05)
        self.fail("no numbers came")

    @staticmethod
    def end_writer(writer):
        if not writer.stdin.closed:
            writer.stdin.close()
        return writer.wait(30)

    def test_beside_a_writer(self):
        writer = self.begin_writer()
        about = self.json()
        self.assertEqual(about["numbers"]["pid"], writer.pid)
        self.assertFalse(about["numbers"]["old"])
        self.assertIsNone(about["store"])
        counters = about["numbers"]["counters"]
        self.assertEqual((counters["entries"], counters["payload_bytes"], counters["logs"]), (1000, 5000, 1))
        entries = about["numbers"]["histograms"]["frame_entries"]
        self.assertEqual(entries["sum"], 1000)
        self.assertEqual(sum(count for _, count in entries["buckets"]), entries["count"])
        text = self.teak("stats", "--dir", self.dir)[0].decode()
        self.assertIn("open in a living process", text)
        for name in counters:
            self.assertRegex(text, rf"(?m)^{name} ")
        samples, text = self.samples()
        self.assertEqual((samples["teak_up"], samples["teak_entries_total"], samples["teak_logs"]), (1, 1000, 1))
        self.assertEqual(samples["teak_frame_entries_sum"], 1000)
        self.assertGreater(samples["teak_frame_latency_seconds_sum"], 0)
        self.assertLess(samples["teak_frame_latency_seconds_sum"], 60)
        for name in counters:
            self.assertTrue(f"teak_{name}" in samples or f"teak_{name}_total" in samples, name)
        self.assertEqual(self.end_writer(writer), 0)
        self.assertFalse(self.json()["living"])

    def test_nobody_has_it_open(self):
        self.teak("append", "--dir", self.dir, "--log", 4, data=b"x\n" * 100)
        self.teak("append", "--dir", self.dir, "--log", 5, data=b"x\n" * 10)
        about = self.json()
        self.assertEqual((about["living"], about["numbers"]["old"], about["numbers"]["closed"]), (False, True, True))
        self.assertEqual(about["store"]["logs"], 2)
        self.assertEqual(about["numbers"]["counters"]["entries"], 10) # since that opening
        self.assertIn("OLD", self.teak("stats", self.dir)[0].decode())
        self.assertEqual(self.samples()[0]["teak_up"], 0)

    def test_a_killed_writer_leaves_old_numbers(self):
        writer = self.begin_writer()
        writer.send_signal(signal.SIGKILL)
        writer.wait(30)
        about = self.json()
        self.assertEqual((about["living"], about["numbers"]["old"], about["numbers"]["closed"]), (False, True, False))
        self.assertEqual(about["store"]["logs"], 1)

    def test_no_numbers(self):
        self.teak("append", "--dir", self.dir, data=b"x\n")
        os.unlink(os.path.join(self.dir, "STATS"))
        self.assertIsNone(self.json()["numbers"])
        self.assertEqual(self.json()["store"]["logs"], 1)
        self.assertIn("no numbers", self.teak("stats", self.dir)[0].decode())
        self.assertEqual(set(self.samples()[0]), {"teak_up"})

    def test_rubbish_is_a_problem_and_no_crash(self):
        self.teak("append", "--dir", self.dir, data=b"x\n")
        path = os.path.join(self.dir, "STATS")
        with open(path, "rb") as file:
            good = file.read()
        for _ in range(30):
            bad = bytearray(good)
            for _ in range(self.random.randrange(1, 20)):
                bad[self.random.randrange(len(bad))] ^= 1 << self.random.randrange(8)
            with open(path, "wb") as file:
                file.write(bad[:self.random.randrange(1, len(bad) + 1)])
            if bad != good:
                _, err = self.teak("stats", self.dir, status=1)
                self.assert_one_line(err, "STATS")
        self.teak("verify", "--dir", self.dir)

    def test_a_name_that_has_to_be_quoted(self):
        self.dir = self.path('a "quoted\\name"\nof two lines')
        self.teak("append", "--dir", self.dir, data=b"x\n")
        text = self.teak("stats", self.dir, "--prometheus")[0].decode()
        labels = {value for _, labels in check_prometheus(text) for name, value in labels if name == "store"}
        self.assertEqual(labels, {self.dir.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")})

    def test_watch(self):
        writer = self.begin_writer()
        watch = subprocess.Popen([harness.teak_path, "stats", self.dir, "--watch", "0.1"], stdout=subprocess.PIPE)
        self.addCleanup(lambda: (watch.kill(), watch.wait(30), watch.stdout.close()))
        deadline, out = time.monotonic() + 60, b""
        while out.count(b"\n") < 2:
            self.assertLess(time.monotonic(), deadline, out)
            writer.stdin.write(b"hello\n" * 1000)
            writer.stdin.flush()
            if select.select([watch.stdout], [], [], 0.1)[0]:
                out += os.read(watch.stdout.fileno(), 4096)
        watch.send_signal(signal.SIGINT)
        self.assertEqual(watch.wait(60), -signal.SIGINT)
        self.assertIn("entries/s", out.decode().splitlines()[0])
        self.assertEqual(self.end_writer(writer), 0)

    def test_wrong_use(self):
        for words, says in (([], "DIRECTORY"), ([self.dir, "--json", "--prometheus"], "--json"),
                            ([self.dir, "--prometheus", "--watch", "1"], "--watch"),
                            ([self.dir, "--watch", "0.001"], "--watch"), ([self.dir, "more"], "more")):
            out, err = self.teak("stats", *words, status=2)
            self.assertEqual(out, b"")
            self.assert_one_line(err, says)

    def test_no_store(self):
        _, err = self.teak("stats", self.dir, status=1)
        self.assert_one_line(err, self.dir)


if __name__ == "__main__":
    harness.main()
