#!/usr/bin/env python3
"""tune_test.py: what teak tune tries, says, leaves behind and refuses.

What it chooses is nobody's business here: that depends on the machine. Disks that are made up are in
tests/unit/teak/tune_search_test.c.
"""
import json
import os
import shlex
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import harness


class Tune(harness.Store):
    """Small segments: a tuning breaks in a store for each size of them."""

    def tune(self, *words, status=0):
        return self.teak("tune", "--dir", self.dir, "--seconds", "0.1", *words, status=status)

    def tuned(self, *words, status=0):
        out, err = self.tune("--segment-bytes", "256K", "--json", *words, status=status)
        if status == 0: # nothing but what is said of a build tree in memory
            self.assertEqual([line for line in err.splitlines() if b"nothing there is durable" not in line], [])
        return json.loads(out)

    def assert_sound(self, result):
        settings = result["settings"]
        chosen = [row for row in settings if row["chosen"]]
        self.assertEqual(len(chosen), 1)
        self.assertEqual(settings[0]["setting"]["words"], "the defaults")
        self.assertEqual(settings[0]["rounds"], 4)
        self.assertIn(chosen[0]["rounds"], (3, 4))  # 3: two that did well, tried together
        self.assertEqual(len({json.dumps(row["setting"]) for row in settings}), len(settings))
        for row in settings:
            self.assertGreaterEqual(row["entries_per_second"], 0)
            self.assertNotEqual(row["setting"]["strategy"], "none")
            beaten = any(other["entries_per_second"] > row["entries_per_second"] and other["p99_us"] < row["p99_us"]
                         for other in settings)
            self.assertFalse(row["frontier"] and beaten)
        self.assertTrue(any(row["frontier"] for row in settings))
        self.assertTrue(result["why"])
        self.assertEqual(result["c"][0], "struct teak_options options = teak_options_default();")

    def assert_runs(self, words):
        """The command that it prints."""
        self.assertEqual(words[:3], ["teak", "bench", "append"])
        out, _ = self.teak(*words[1:], "--seconds", "0.02", "--no-ceiling", "--json")
        return json.loads(out)

    def test_a_closed_loop(self):
        result = self.tuned("--window", 16)
        self.assert_sound(result)
        self.assertEqual(result["load"], {"entry_bytes": "256", "window": 16})
        words = [row["setting"]["words"] for row in result["settings"]]
        self.assertLessEqual({"fdatasync", "buffered", "dsync", "linger 50 us", "segments of 64.0 KiB"}, set(words))
        self.assertEqual(os.listdir(self.work), [])
        self.assertIn(result["chosen"]["segment_bytes"], (65536, 262144)) # one was asked for, so it is named
        ran = self.assert_runs(result["command"])
        self.assertEqual(ran["load"]["window"], 16)
        self.assertEqual(os.listdir(self.work), [])

    def test_an_open_loop(self):
        result = self.tuned("--rate", 20000, "--entry-bytes", "uniform:16-512")
        self.assert_sound(result)
        self.assertEqual(result["aim"], "p99")
        self.assertEqual(result["load"], {"entry_bytes": "uniform:16-512", "rate": 20000})
        self.assert_runs(result["command"])
        self.assertEqual(os.listdir(self.work), [])

    def test_an_outcome_for_people(self):
        out, _ = self.tune("--segment-bytes", "256K", "--window", 16) # where there is no io_uring it is told
        text = out.decode()
        self.assertRegex(text, r"(?m)^\*")
        self.assertRegex(text, r"\n +setting +entries/s +p99 +rounds\n")
        self.assertEqual(text.count("  chosen\n"), 1)
        self.assertIn("  struct teak_options options = teak_options_default();\n", text)
        line = [line for line in text.splitlines() if line.startswith("  teak bench append ")]
        self.assertEqual(len(line), 1)
        self.assert_runs(shlex.split(line[0]))

    def test_a_name_that_a_shell_would_tear(self):
        self.dir = self.path("it's a $store")
        out, _ = self.tune("--segment-bytes", "256K", "--window", 4)
        line = [line for line in out.decode().splitlines() if line.startswith("  teak bench append ")]
        words = shlex.split(line[0])
        self.assertEqual(words[words.index("--dir") + 1], self.dir)

    def test_a_limit(self):
        result = self.tuned("--window", 16, "--p99-us", 1000000000)
        self.assertTrue(result["limit_is_kept"])
        out, err = self.tune("--segment-bytes", "256K", "--window", 16, "--p99-us", 1, "--json", status=1)
        result = json.loads(out)
        self.assertFalse(result["limit_is_kept"])
        self.assertIn("No setting keeps p99 within 1.00 us", result["why"])
        self.assert_one_line(err, "no setting keeps p99 within 1.00 us")
        self.assertEqual(os.listdir(self.work), [])

    def files(self):
        found = {}
        for name in sorted(os.listdir(self.dir)):
            with open(os.path.join(self.dir, name), "rb") as file:
                found[name] = file.read()
        return found

    def test_a_store_that_lies_there_is_left_alone(self):
        self.teak("append", "--dir", self.dir, "--segment-bytes", "256K", data=b"one\ntwo\n")
        before = self.files()
        out, _ = self.tune("--window", 16, "--json")
        result = json.loads(out)
        self.assert_sound(result)
        self.assertEqual(self.files(), before)
        for row in result["settings"]:
            self.assertEqual(row["setting"]["segment_bytes"], 0) # it has the ones that it has
        self.assertEqual(result["command"][result["command"].index("--dir") + 1], self.dir + ".bench")
        self.assert_runs(result["command"])
        self.assertEqual(os.listdir(self.work), ["store"])

    def defaults(self):
        """What STORE says of strategy, frames in flight, size of groups, linger: docs/format.md."""
        return self.stored()[:4]

    def stored(self):
        """And of spares and the arena."""
        with open(os.path.join(self.dir, "STORE"), "rb") as file:
            store = file.read()
        arena_bytes, linger, strategy, in_flight, group_bytes, spares = struct.unpack_from("<QQIIII", store, 80)
        return [strategy, in_flight, group_bytes, linger, spares, arena_bytes]

    def store_that_says(self, strategy, in_flight, group_bytes, linger_ns, spares, arena_bytes):
        self.teak("append", "--dir", self.dir, "--segment-bytes", "256K", data=b"one\ntwo\n")
        program = os.path.join(os.path.abspath(harness.arguments.build), "tests", "store_says")
        subprocess.run([program, self.dir, *map(str, (strategy, in_flight, group_bytes, spares, arena_bytes,
                                                      linger_ns))], check=True, timeout=60)
        self.assertEqual(self.stored(), [strategy, in_flight, group_bytes, linger_ns, spares, arena_bytes])

    def test_what_was_chosen_is_applied_and_taken_back(self):
        """Behind defaults that no search comes to, so that they are seen to go; arena and spares are none of it."""
        strategies = ["auto", "dsync", "fdatasync", "buffered"]
        self.store_that_says(2, 61, 16384, 100000000, 3, 1 << 20)
        before = self.files()
        out, err = self.tune("--window", 16, "--json", "--apply")
        self.assertEqual(err, b"")
        result = json.loads(out)
        self.assertTrue(result["applied"])
        chosen = result["chosen"]
        self.assertNotEqual(chosen["linger_ns"], 100000000)
        wanted = [strategies.index(chosen["strategy"]), chosen["in_flight"], chosen["group_bytes"],
                  chosen["linger_ns"]]
        self.assertEqual(self.stored(), [*wanted, 3, 1 << 20])
        after = self.files()
        self.assertEqual({name: after[name] for name in after if name not in ("STORE", "LOCK")},
                         {name: before[name] for name in before if name not in ("STORE", "LOCK")})
        self.assertEqual(self.teak("cat", "--dir", self.dir)[0], b"one\ntwo\n")
        self.teak("append", "--dir", self.dir, data=b"three\n")
        self.teak("verify", "--dir", self.dir)

    def test_what_a_store_says_is_taken_back(self):
        self.store_that_says(1, 5, 65536, 200000, 3, 1 << 20)
        out, err = self.tune("--reset")
        self.assertEqual((out, err), (b"", b""))
        self.assertEqual(self.stored(), [0, 0, 0, 0, 3, 1 << 20])
        self.assertEqual(self.teak("cat", "--dir", self.dir)[0], b"one\ntwo\n")

    def test_the_defaults_are_the_engines_and_not_the_stores(self):
        self.store_that_says(1, 5, 65536, 200000, 3, 1 << 20)
        out, _ = self.tune("--window", 16, "--json")
        result = json.loads(out)
        stored = result["stored_defaults"]
        self.assertEqual(stored["setting"]["words"], "dsync, 5 in flight, groups of 64.0 KiB, linger 200 us")
        self.assertEqual((stored["arena_bytes"], stored["spares"]), (1 << 20, 3))
        self.assertIn(stored["setting"], [row["setting"] for row in result["settings"]])
        self.assertEqual(result["settings"][0]["setting"]["words"], "the defaults")
        command = result["command"]
        self.assertEqual(command[command.index("--arena-bytes") + 1], str(1 << 20))
        self.assert_runs(command)
        text = self.tune("--window", 16)[0].decode()
        self.assertIn(f'The defaults are the engine\'s. What {self.dir} has where an opening says 0 is "dsync, 5 in ',
                      text)
        self.assertIn(f"the arena that {self.dir} says, 1.0 MiB", text)
        self.assertIn(f"as many spares as {self.dir} says, 3", text)
        self.assertIsNone(json.loads(self.tune("--segment-bytes", "256K", "--json", "--window", 16, "--dir",
                                               self.path("new"))[0])["stored_defaults"])

    def test_what_keeps_no_limit_is_not_applied(self):
        self.teak("append", "--dir", self.dir, "--segment-bytes", "256K", data=b"one\n")
        out, err = self.tune("--window", 16, "--json", "--apply", "--p99-us", 1, status=1)
        self.assertFalse(json.loads(out)["applied"])
        self.assert_one_line(err, "no setting keeps")
        self.assertEqual(self.defaults(), [0, 0, 0, 0])

    def test_nothing_is_applied_beside_a_writer(self):
        writer = subprocess.Popen([harness.teak_path, "append", "--dir", self.dir, "--segment-bytes", "256K"],
                                  stdin=subprocess.PIPE)
        try:
            until = time.monotonic() + 60
            while not os.path.exists(os.path.join(self.dir, "STORE")) and time.monotonic() < until:
                time.sleep(0.01)
            for word in ("--apply", "--reset"):
                out, err = self.tune(word, status=1)
                self.assertEqual(out, b"")
                self.assert_one_line(err, self.dir)
            self.assertEqual(self.defaults(), [0, 0, 0, 0])
        finally:
            writer.stdin.close()
            self.assertEqual(writer.wait(60), 0)

    def test_there_is_nothing_to_apply_it_to(self):
        for word in ("--apply", "--reset"):
            out, err = self.tune(word, status=2)
            self.assertEqual(out, b"")
            self.assert_one_line(err, word, "there is none")
            self.assertEqual(os.listdir(self.work), [])

    def test_an_empty_directory_stays_and_is_empty(self):
        os.mkdir(self.dir)
        self.tuned("--window", 16)
        self.assertEqual(os.listdir(self.dir), [])

    def test_wrong_use_is_one_line_and_nothing_is_done(self):
        wrong = ((["--window", 4, "--rate", 5], "one of them"), (["--entry-bytes", 0], "--entry-bytes"),
                 (["--entry-bytes", "about 9"], "--entry-bytes"), (["--seconds", 0], "--seconds"),
                 (["--seconds", "soon"], "--seconds"), (["--window", 0], "--window"), (["--rate", "x"], "--rate"),
                 (["--p99-us", 0], "--p99-us"), (["--segment-bytes", 100000], "--segment-bytes"),
                 (["--segment-bytes", "64K", "--entry-bytes", "16K"], "--entry-bytes"),
                 (["--apply", "--reset"], "--reset"),
                 (["--rate", 10], "--seconds"), (["--windows", 4], "--window"), (["more"], "more"))
        for words, says in wrong:
            out, err = self.tune(*words, status=2)
            self.assertEqual(out, b"")
            self.assert_one_line(err, says)
            self.assertEqual(os.listdir(self.work), [])

    def test_a_place_that_is_somebody_elses(self):
        os.mkdir(self.dir)
        with open(os.path.join(self.dir, "letter"), "wb") as file:
            file.write(b"dear")
        _, err = self.tune(status=2)
        self.assert_one_line(err, "neither empty nor a store")
        self.assertEqual(os.listdir(self.dir), ["letter"])
        self.dir = os.path.join(self.dir, "letter")
        _, err = self.tune(status=2)
        self.assert_one_line(err, "no directory")

    def test_another_tuning_there(self):
        self.teak("append", "--dir", self.dir, "--segment-bytes", "64K", data=b"one\n")
        os.mkdir(os.path.join(self.dir, "tune.tmp"))
        _, err = self.tune(status=1)
        self.assert_one_line(err, "tune.tmp is there")
        self.assertEqual(os.listdir(os.path.join(self.dir, "tune.tmp")), [])

    def test_an_interrupt_leaves_nothing(self):
        run = subprocess.Popen([harness.teak_path, "tune", "--dir", self.dir, "--seconds", "600", "--segment-bytes",
                                "256K", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(run.kill)
        until = time.monotonic() + 60
        begun = os.path.join(self.dir, "tune.tmp", "262144", "STORE")
        while not os.path.exists(begun) and time.monotonic() < until:
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
        self.assertEqual(out, b"")
        self.assertEqual(run.returncode, -signal.SIGINT, err)
        self.assert_one_line(err, "stopped")
        self.assertEqual(os.listdir(self.work), [])

    def test_too_little_space_is_said_before(self):
        """In a file system of a megabyte, where this machine lets us have one."""
        script = ('mount -t tmpfs -o size=1M none "$1" || exit 77; "$2" tune --dir "$1/store" --seconds 0.1; '
                  'status=$?; ls "$1"; exit $status')
        run = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", self.work, harness.teak_path],
                             capture_output=True, timeout=120, check=False)
        if run.returncode != 1 or b"unshare" in run.stderr:
            self.skipTest("no mounts of our own here")
        self.assert_one_line(run.stderr, "are free")
        self.assertEqual(run.stdout, b"")

    @unittest.skipUnless(os.access("/dev/shm", os.W_OK), "no /dev/shm here")
    def test_memory_is_no_disk(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
            if subprocess.run(["stat", "-f", "-c", "%T", work], capture_output=True, check=True).stdout != b"tmpfs\n":
                self.skipTest("/dev/shm is no tmpfs")
            _, err = self.teak("tune", "--dir", os.path.join(work, "store"), "--seconds", "0.1", "--segment-bytes",
                               "64K", "--json", "--window", 4)
            self.assert_one_line(err, "nothing there is durable")
            self.assertEqual(os.listdir(work), [])


if __name__ == "__main__":
    harness.main()
