#!/usr/bin/env python3
"""rivals_test.py: the rivals that were built run under the common harness and leave nothing behind; bench/compare.py
alternates them, names who is missing, and does not count who did not flush. Nothing here asks how fast anybody is.
"""
import importlib.util
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import harness

RIVALS = ["teak", "pwrite", "uring", "etcd", "raft_uv", "rocksdb", "leveldb", "wiredtiger", "lmdb"]
WAIT_SECONDS = 240


def script():
    return os.path.join(harness.source_path, "bench", "compare.py")


def module():
    spec = importlib.util.spec_from_file_location("compare", script())
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def program(name):
    return os.path.join(harness.arguments.build, "bench", f"rival_{name}")


def built():
    return [name for name in RIVALS if os.path.exists(program(name))]


def sample(**changes):
    """A run of a rival that is beyond doubt."""
    device = {"writes": 2000, "write_bytes": 3 << 20, "flushes": 1000, "write_cache": True, "fua": False}
    device.update(changes.pop("device", {}))
    result = {"rival": "x", "version": "1", "variant": "default", "settings": "s", "advice": "a", "entry_bytes": 256,
              "window": 10, "batch": 1, "seconds": 1.0, "entries": 10000, "commits": 1000,
              "entries_per_second": 10000.0, "payload_bytes_per_second": 2560000.0, "cpu_seconds": 0.5,
              "latency_us": {"p50": 1.0, "p90": 2.0, "p99": 3.0, "p999": 4.0, "max": 5.0}, "device": device}
    result.update(changes)
    return result


class RealRivals(harness.Store):
    def run_rival(self, name, *words):
        return subprocess.run([program(name), "--dir", self.work, *words], capture_output=True, text=True,
                              timeout=WAIT_SECONDS, check=False)

    def needs(self, *names):
        some = [name for name in names or RIVALS if name in built()]
        if not some:
            self.skipTest("no rival was built")
        free = os.statvfs(self.work)
        if free.f_bavail * free.f_frsize < 6 << 30:
            self.skipTest("less than 6 GiB are free")
        if subprocess.run(["stat", "-f", "-c", "%T", self.work], capture_output=True, text=True,
                          check=True).stdout.strip() in ("tmpfs", "ramfs"):
            self.skipTest("the build lies in memory, where rivals refuse to run")
        return some

    def test_each_rival_runs_and_leaves_nothing(self):
        for name in self.needs():
            if name == "teak":
                continue  # it prepares some hundred MiB first: below, without
            run = self.run_rival(name, "--seconds", "0.05", "--warm", "0", "--window", "64", "--json")
            if name == "uring" and "io_uring_setup" in run.stderr:
                continue  # forbidden here
            self.assertEqual(run.returncode, 0, name + run.stderr)
            result = json.loads(run.stdout)
            self.assertGreater(result["entries"], 0)
            self.assertGreaterEqual(result["entries"], result["commits"])
            self.assertLessEqual(result["entries"], result["commits"] * result["window"], "more than was outstanding")
            self.assertEqual((result["entry_bytes"], result["window"], result["batch"]), (256, 64, 16))
            self.assertEqual(self.device_is_known(), (result["device"] or {}).get("write_cache") is not None, name)
            latency = result["latency_us"]
            self.assertTrue(0 < latency["p50"] <= latency["p99"] <= latency["max"] * 1.001, latency)
            self.assertTrue(result["settings"] and result["advice"] and result["version"])
            self.assertEqual(os.listdir(self.work), [], name)

    def device_is_known(self):
        """Does the kernel tell of a cache, and count what the device does?"""
        number = os.stat(self.work).st_dev
        device = f"{os.major(number)}:{os.minor(number)}"
        with open("/proc/diskstats", encoding="ascii") as stats:
            counted = any(line.split()[:2] == device.split(":") for line in stats)
        return counted and any(os.path.exists(f"/sys/dev/block/{device}/{above}queue/write_cache")
                               for above in ("", "../"))

    def test_teak_runs_under_the_same_harness(self):
        self.needs("teak")
        probe = self.run_rival("uring", "--seconds", "0", "--warm", "0", "--window", "1", "--batch", "1")
        has_ring = "io_uring_setup" not in probe.stderr
        for variant in ("posix-growing",) + (("uring-growing",) if has_ring else ()):
            run = self.run_rival("teak", "--seconds", "0.05", "--warm", "0", "--variant", variant, "--json")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertGreater(json.loads(run.stdout)["entries"], 0)
            self.assertEqual(os.listdir(self.work), [])

    def test_a_window_of_one_is_one_entry_a_commit(self):
        self.needs("pwrite")
        run = self.run_rival("pwrite", "--seconds", "0.05", "--warm", "0", "--window", "1", "--batch", "1", "--json")
        result = json.loads(run.stdout)
        self.assertEqual(result["entries"], result["commits"])

    def test_a_signal_leaves_nothing(self):
        for name in self.needs("pwrite", "etcd"):
            with subprocess.Popen([program(name), "--dir", self.work, "--seconds", "5"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as child:
                while not any(self.deep_files()) and child.poll() is None:
                    time.sleep(0.01)
                child.send_signal(signal.SIGTERM)
                _, err = child.communicate(timeout=WAIT_SECONDS)
                self.assertIn(child.returncode, (0, 1), err)  # 0: it came to its end before the signal did
            self.assertEqual(os.listdir(self.work), [], name)

    def deep_files(self):
        """Files of which one was written: the loop is running, and signals are minded."""
        for folder, _, names in os.walk(self.work):
            for name in names:
                try:
                    if os.stat(os.path.join(folder, name)).st_size > 0 and not name.endswith(".tmp"):
                        yield name
                except FileNotFoundError:
                    pass

    def test_memory_is_refused(self):
        if subprocess.run(["stat", "-f", "-c", "%T", "/dev/shm"], capture_output=True, text=True,
                          check=False).stdout.strip() != "tmpfs" or not os.access("/dev/shm", os.W_OK):
            self.skipTest("no tmpfs here")
        for name in self.needs():
            run = subprocess.run([program(name), "--dir", "/dev/shm"], capture_output=True, text=True,
                                 timeout=WAIT_SECONDS, check=False)
            self.assertEqual(run.returncode, 2, name)
            self.assertIn("nothing is durable", run.stderr)
            self.assertEqual(run.stderr.count("\n"), 1)

    def test_wrong_use_is_one_line(self):
        for name in self.needs():
            for words in (("--variant", "fastest"), ("--batch", "2", "--window", "1")):
                run = self.run_rival(name, *words)
                self.assertEqual(run.returncode, 2, name + run.stderr)
                self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        for name in self.needs():
            if name != "etcd":
                for words in (("--seconds", "fast"), ("--window", "0"), ("--what",), ("--dir",)):
                    self.assertEqual(self.run_rival(name, *words).returncode, 2, name)


class Judging(unittest.TestCase):
    def setUp(self):
        self.compare = module()

    def test_who_flushed_often_enough_counts(self):
        self.assertEqual(self.compare.judge_rival(sample()), "")

    def test_who_did_not_flush_does_not(self):
        self.assertIn("flushes", self.compare.judge_rival(sample(device={"flushes": 900})))
        self.assertIn("flushes", self.compare.judge_rival(sample(device={"flushes": 0})))

    def test_who_wrote_too_little_does_not(self):
        self.assertIn("written less", self.compare.judge_rival(sample(device={"write_bytes": 2 << 20})))

    def test_without_a_cache_or_with_fua_writes_are_what_counts(self):
        for change in ({"write_cache": False, "flushes": 0}, {"fua": True, "flushes": 0}):
            self.assertEqual(self.compare.judge_rival(sample(device=change)), "")
            self.assertIn("writes", self.compare.judge_rival(sample(device={**change, "writes": 100})))

    def test_an_unknown_device_is_told_as_such(self):
        self.assertIsNone(self.compare.judge_rival({**sample(), "device": None}))
        self.assertIsNone(self.compare.judge_rival(sample(device={"write_cache": None, "fua": None})))

    def test_rows_leave_out_what_does_not_count(self):
        points = [("a", ()), ("b", ()), ("c", ())]
        lying = sample(device={"flushes": 1}, entries_per_second=1e9)
        results = {"a": [sample(), sample(entries_per_second=20000.0)],
                   "b": [sample(entries_per_second=5000.0), sample(entries_per_second=10000.0)], "c": [lying, None]}
        rows = {row[0]: row for row in self.compare.rival_rows(points, results)}
        self.assertEqual(rows["b"][2]["times"], {"median": 2.0, "low": 2.0, "high": 2.0})
        self.assertEqual(rows["b"][2]["best_entries_per_second"], 10000.0)
        self.assertEqual(rows["b"][2]["times_of_best"], 2.0)
        self.assertEqual((rows["c"][1], rows["c"][2]), ([], None))
        out = io.StringIO()
        self.compare.rival_table("T", points, results, out)
        self.assertIn("NOT COUNTED: c: 1 flushes", out.getvalue())
        self.assertNotIn("1000000", out.getvalue())


FAKE = """#!/usr/bin/env python3
import json, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if {fails!r}:
    sys.exit("it does not work")
with open({trace!r}, "a") as file:
    file.write({name!r} + "\\n")
print(json.dumps({result!r}))
"""


class Driver(harness.Store):
    """compare.py over programs that only say that they measured."""

    def fake(self, name, result, fails=False):
        path = os.path.join(self.path("build"), "bench", f"rival_{name}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(FAKE.format(name=name, result=result, fails=fails, trace=self.path("trace")))
        os.chmod(path, stat.S_IRWXU)

    def drive(self, *words, status=0):
        run = subprocess.run([sys.executable, script(), "--rows", "rivals", "--build", self.path("build"), "--dir",
                              self.work, "--reps", "3", "--seconds", "0.01", "--patience", "0", "--json",
                              self.path("told"), *words], capture_output=True, text=True, timeout=WAIT_SECONDS,
                             check=False)
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run.stdout, run.stderr

    def test_rivals_alternate_are_named_and_told(self):
        self.fake("teak", sample())
        self.fake("pwrite", sample(entries_per_second=2500.0))
        self.fake("etcd", sample(device={"flushes": 3}))
        self.fake("lmdb", sample(), fails=True)
        out, err = self.drive()
        self.assertIn("skipped, not built", out)
        self.assertIn("RocksDB", out.split("\n")[1])
        self.assertIn("NOT COUNTED: etcd WAL", out)
        self.assertIn("LMDB failed", err)
        with open(self.path("told"), encoding="utf-8") as file:
            told = json.load(file)
        row = told["rows"]["rivals"]
        points = {point["name"]: point for point in row["points"]}
        self.assertEqual(points["pwrite, fdatasync"]["summary"]["times"]["median"], 4.0)
        self.assertEqual(points["pwrite, fdatasync"]["settings"], "s")
        self.assertIsNone(points["etcd WAL"]["summary"])
        self.assertIsNone(points["LMDB"]["summary"])
        self.assertIn("WiredTiger", row["skipped"])
        self.assertIn("kernel", told["machine"])
        with open(self.path("trace"), encoding="utf-8") as file:
            order = file.read().split()
        third = len(order) // 3
        self.assertEqual(sorted(order[:third]), sorted(order[third:2 * third]))
        self.assertNotEqual(order[:third], order[third:2 * third], "the order rotates")

    def test_wrong_use_is_said_before_anything_runs(self):
        self.fake("teak", sample())
        os.mkdir(self.path("folder"))
        for words, says in ((["--rows", "no"], "--rows: no"), (["--reps", "0"], "--reps"),
                            (["--seconds", "-1"], "--seconds"), (["--seconds", "nan"], "--seconds"),
                            (["--patience", "-1"], "--patience"), (["--dir", self.path("none")], "--dir"),
                            (["--dir", script()], "--dir"), (["--json", self.path("folder")], "--json"),
                            (["--json", self.path("none/told")], "--json")):
            out, err = self.drive(*words, status=2)
            self.assertEqual(out, "")
            self.assertIn(f"error: {says}", err)
            self.assertNotIn("Traceback", err)
        self.assertFalse(os.path.exists(self.path("trace")))

    def test_what_is_said_of_a_rival_holds_wherever_it_stands(self):
        """A report has them by their speed: "the same" would be the same as whoever came before it."""
        for name, _ in module().rivals(256, 1024, 16):
            self.assertNotIn("the same", name)
        for name in built():
            run = subprocess.run([program(name), "--help"], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(run.returncode, 0)
            self.assertNotIn("the same", run.stdout)

    @unittest.skipUnless(os.access("/dev/shm", os.W_OK), "no /dev/shm here")
    def test_memory_is_no_disk(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
            if subprocess.run(["stat", "-f", "-c", "%T", work], capture_output=True, check=True).stdout != b"tmpfs\n":
                self.skipTest("/dev/shm is no tmpfs")
            self.fake("teak", sample())
            self.assertIn("nothing there is durable", self.drive("--dir", work)[1])
            probe = os.path.join(harness.arguments.build, "bench", "bench_ceiling")
            if os.path.exists(probe):
                run = subprocess.run([probe, "raw", "--dir", work, "--seconds", "0.01"], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, timeout=60, check=False)
                self.assert_one_line(run.stderr, "nothing there is durable")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            run = subprocess.run([sys.executable, script(), "--list"], stdout=full, stderr=subprocess.PIPE, timeout=60,
                                 check=False)
        self.assertEqual(run.returncode, 1)
        self.assert_one_line(run.stderr, "No space left")
        reader, writer = os.pipe()
        os.close(reader)
        run = subprocess.run([sys.executable, script(), "--list"], stdout=writer, stderr=subprocess.PIPE, timeout=60,
                             check=False)
        os.close(writer)
        self.assertEqual((run.returncode, run.stderr), (1, b""))
        run = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', sys.executable, script(), "--list"], timeout=60,
                             stderr=subprocess.PIPE, check=False)
        self.assertEqual(run.returncode, 1)
        self.assert_one_line(run.stderr, "standard output is closed")

    def test_teak_itself_has_to_work(self):
        self.fake("teak", sample(), fails=True)
        self.assertIn("it does not work", self.drive(status=1)[1])


if __name__ == "__main__":
    harness.main()
