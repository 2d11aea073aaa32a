#!/usr/bin/env python3
"""command_test.py: the command's contract: help, exit statuses, wrong use, what inspect, verify and bench say."""
import json
import os
import re
import subprocess
import time

import harness

SUBCOMMANDS = ["append", "cat", "inspect", "verify", "stats", "copy", "import", "bench"]
BENCH_FIELDS = {"when", "load", "entries", "seconds", "entries_per_second", "payload_bytes_per_second", "frames",
                "syncs", "bytes_written", "write_amplification", "cpu_seconds", "max_rss_bytes", "stalls",
                "arena_reads", "disk_reads", "latency_us", "operations", "repetitions", "spread", "sweep", "ceiling",
                "disk", "quantiles", "histogram", "strategy", "backend", "in_flight", "group_bytes", "linger_ns",
                "arena_bytes", "segment_bytes", "block_bytes", "device", "machine"}
LATENCY_FIELDS = {"p50", "p90", "p99", "p999", "max"}
DEVICE_FIELDS = {"filesystem", "fua", "write_cache", "direct_io"}


class Help(harness.Store):
    def test_every_subcommand_has_help(self):
        for words in [[], *([name] for name in SUBCOMMANDS), ["bench", "append"]]:
            out, err = self.teak(*words, "--help")
            self.assertIn(b"teak", out)
            self.assertEqual(err, b"")

    def test_the_head_names_every_subcommand(self):
        out, _ = self.teak("--help")
        for name in SUBCOMMANDS:
            self.assertRegex(out.decode(), rf"\b{name}\b")

    def test_help_names_the_options_of_the_contract(self):
        contract = {("append",): "dir log framing batch ack", ("cat",): "dir log from to framing",
                    ("inspect",): "dir json", ("verify",): "dir json",
                    ("bench", "append"): "dir entry-bytes window batch logs seconds strategy in-flight group-bytes "
                                         "linger-us retain-bytes backend keep json"}
        for words, options in contract.items():
            out, _ = self.teak(*words, "--help")
            for option in options.split():
                self.assertIn(f"--{option}", out.decode(), words)


class WrongUse(harness.Store):
    def wrong(self, *words, says=()):
        out, err = self.teak(*words, status=2)
        self.assertEqual(out, b"")
        self.assert_one_line(err, *says)

    def test_no_subcommand(self):
        self.wrong()

    def test_unknown_subcommand(self):
        self.wrong("apend", says=["append"])

    def test_missing_dir(self):
        for words in (["append"], ["cat"], ["inspect"], ["verify"], ["bench", "append"]):
            self.wrong(*words, says=["--dir"])

    def test_unknown_option(self):
        self.wrong("cat", "--dir", self.dir, "--frm", "1", says=["--from"])

    def test_a_word_too_many(self):
        self.wrong("cat", "--dir", self.dir, "more")

    def test_values_out_of_range(self):
        for words in (["append", "--batch", "0"], ["append", "--batch", "x"], ["append", "--framing", "csv"],
                      ["append", "--log", "-1"], ["cat", "--from", "1x"], ["bench", "append", "--window", "0"],
                      ["bench", "append", "--strategy", "fast"], ["bench", "append", "--backend", "sync"]):
            count = 2 if words[0] == "bench" else 1
            self.wrong(*words[:count], "--dir", self.dir, *words[count:], says=[words[count]])
        self.assertFalse(os.path.exists(self.dir))

    def test_a_value_is_missing(self):
        self.wrong("cat", "--dir", says=["--dir"])

    def test_bench_of_what(self):
        self.wrong("bench", says=["append or ceiling"])
        self.wrong("bench", "cat", says=["no subcommand \"bench cat\"", "append or ceiling"])
        out, _ = self.teak("bench", "--help")
        self.assertEqual(len(out.splitlines()), 2)
        self.assertEqual(self.teak("help", "bench", "append"), self.teak("bench", "append", "--help"))


class Problems(harness.Store):
    def test_no_store_there(self):
        for name in ("cat", "inspect", "verify"):
            out, err = self.teak(name, "--dir", self.dir, status=1)
            self.assertEqual(out, b"")
            self.assert_one_line(err, self.dir)
            self.assertFalse(os.path.exists(self.dir))

    def test_parent_is_missing(self):
        _, err = self.teak("append", "--dir", os.path.join(self.dir, "deeper", "store"), data=b"x\n", status=1)
        self.assert_one_line(err)

    def test_files_of_somebody_else_are_left_alone(self):
        os.mkdir(self.dir)
        with open(os.path.join(self.dir, "letter.txt"), "w", encoding="ascii") as file:
            file.write("dear store\n")
        self.teak("append", "--dir", self.dir, data=b"x\n")
        self.teak("verify", "--dir", self.dir)
        with open(os.path.join(self.dir, "letter.txt"), encoding="ascii") as file:
            self.assertEqual(file.read(), "dear store\n")

    def test_unknown_log(self):
        self.teak("append", "--dir", self.dir, data=b"x\n")
        _, err = self.teak("cat", "--dir", self.dir, "--log", 9, status=1)
        self.assert_one_line(err, "9")

    def test_beyond_the_end(self):
        self.teak("append", "--dir", self.dir, data=b"x\n")
        _, err = self.teak("cat", "--dir", self.dir, "--from", 1, "--to", 2, status=1)
        self.assert_one_line(err)

    def test_output_that_cannot_be_written(self):
        self.teak("append", "--dir", self.dir, data=b"x\n" * 10)
        with open("/dev/full", "wb") as full:
            run = harness.subprocess.run([harness.teak_path, "cat", "--dir", self.dir], stdout=full,
                                         stderr=harness.subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(run.returncode, 1)
        self.assert_one_line(run.stderr)

    def test_no_file_of_a_store_is_taken_for_standard_error(self):
        """Where 0, 1 or 2 is closed, the next file that is opened would get the number, and what is said with it."""
        run = subprocess.Popen(["sh", "-c", 'exec "$0" append --dir "$1" 2>&-', harness.teak_path, self.dir],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 60
            while not os.path.exists(os.path.join(self.dir, "STORE")) and time.monotonic() < until:
                time.sleep(0.01)
            self.assertEqual(os.readlink(f"/proc/{run.pid}/fd/2"), "/")
        finally:
            run.stdin.close()
            self.assertEqual(run.wait(60), 0)
        run = subprocess.run(["sh", "-c", '"$0" bench append --dir "$1" --entry-bytes 64 --window 4 --seconds 0.05 '
                              '--no-ceiling >&-', harness.teak_path, self.path("bench")], stderr=subprocess.PIPE,
                             timeout=120, check=False)
        self.assertEqual(run.returncode, 1)
        self.assert_one_line(run.stderr, "standard output: Bad file descriptor")

    def test_input_that_ends_inside_a_record(self):
        data = harness.records([b"whole", b"torn"])[:-1]
        _, err = self.teak("append", "--dir", self.dir, "--framing", "len32", data=data, status=1)
        self.assert_one_line(err)
        out, _ = self.teak("cat", "--dir", self.dir)
        self.assertEqual(out, b"whole\n")


class Inspect(harness.Store):
    def test_json_has_the_fields(self):
        self.teak("append", "--dir", self.dir, "--log", 3, data=b"a\nb\n")
        self.teak("append", "--dir", self.dir, "--log", 5, data=b"c\n")
        out, err = self.teak("inspect", "--dir", self.dir, "--json")
        self.assertEqual(err, b"")
        about = json.loads(out)
        self.assertLessEqual({"store", "segments", "spares", "logs"}, about.keys())
        self.assertEqual([log["id"] for log in about["logs"]], [3, 5])
        for log, last in zip(about["logs"], (2, 1)):
            self.assertLessEqual({"id", "first_index", "last_index", "last_term", "hard_state", "snapshot"}, log.keys())
            self.assertEqual((log["first_index"], log["last_index"]), (1, last))

    def test_for_people_too(self):
        self.teak("append", "--dir", self.dir, data=b"a\n")
        out, err = self.teak("inspect", "--dir", self.dir)
        self.assertTrue(out)
        self.assertEqual(err, b"")

    def test_looking_changes_nothing(self):
        self.teak("append", "--dir", self.dir, data=b"a\nb\n")

        def contents():
            result = {}
            for folder, _, files in os.walk(self.dir):
                for name in files:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        result[path] = file.read()
            return result
        before = contents()
        self.teak("inspect", "--dir", self.dir)
        self.teak("verify", "--dir", self.dir)
        self.teak("cat", "--dir", self.dir)
        self.assertEqual(before, contents())


class Verify(harness.Store):
    def largest(self):
        """Files, the one with the most bytes that are not zero first."""
        found = []
        for folder, _, files in os.walk(self.dir):
            for name in files:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    data = file.read()
                found.append((len(data) - data.count(0), path))
        return [path for _, path in sorted(found, reverse=True)]

    def test_good(self):
        self.teak("append", "--dir", self.dir, data=b"a\n" * 1000)
        self.teak("verify", "--dir", self.dir)
        out, _ = self.teak("verify", "--dir", self.dir, "--json")
        self.assertIsInstance(json.loads(out), dict)

    def test_a_flipped_byte_is_found_and_named(self):
        entries = [b"needle %06d" % i for i in range(1, 20001)]
        self.teak("append", "--dir", self.dir, data=harness.lines(entries))
        path = self.largest()[0]
        with open(path, "r+b") as file:
            data = file.read()
            at = data.index(b"needle 010000") + 8
            file.seek(at)
            file.write(b"X")
        out, err = self.teak("verify", "--dir", self.dir, status=1)
        self.assertIn(os.path.basename(path), (out + err).decode())
        out, _ = self.teak("verify", "--dir", self.dir, "--json", status=1)
        self.assertIn(os.path.basename(path), json.dumps(json.loads(out)))
        # What is not hurt is still read, and nothing that is wrong ever is.
        out, _ = self.teak("cat", "--dir", self.dir, status=None)
        read = out.split(b"\n")[:-1]
        self.assertEqual(read, entries[:len(read)])


class Bench(harness.Store):
    def bench(self, *words):
        return self.teak("bench", "append", "--dir", self.dir, "--entry-bytes", 256, "--window", 64,
                         "--seconds", "0.3", *words)

    def test_json_has_exactly_the_fields(self):
        out, err = self.bench("--json")
        self.assertEqual(err, b"")
        result = json.loads(out)
        self.assertEqual(result.keys(), BENCH_FIELDS)
        self.assertEqual(result["latency_us"].keys(), LATENCY_FIELDS)
        self.assertEqual(result["device"].keys(), DEVICE_FIELDS)
        self.assertGreater(result["entries"], 0)
        self.assertGreater(result["entries_per_second"], 0)
        latency = [result["latency_us"][name] for name in ("p50", "p90", "p99", "p999", "max")]
        self.assertEqual(latency, sorted(latency))
        self.assertGreaterEqual(result["bytes_written"], result["entries"] * 256)
        self.assertGreaterEqual(result["write_amplification"], 1.0)

    def test_what_it_wrote_is_removed(self):
        self.bench("--json")
        self.assertFalse(os.path.exists(self.dir) and os.listdir(self.dir))
        self.assertEqual(os.listdir(self.work), [] if not os.path.exists(self.dir) else ["store"])

    def test_nothing_of_others_is_removed(self):
        self.teak("append", "--dir", self.dir, data=b"precious\n")
        self.teak("bench", "append", "--dir", self.dir, "--seconds", "0.2", status=None)
        out, _ = self.teak("cat", "--dir", self.dir, "--log", 1, "--from", 1, "--to", 1)
        self.assertEqual(out, b"precious\n")

    def test_keep_keeps_and_goes_on(self):
        self.bench("--keep", "--json")
        before = json.loads(self.teak("inspect", "--dir", self.dir, "--json")[0])["logs"]
        self.bench("--keep", "--json")
        after = json.loads(self.teak("inspect", "--dir", self.dir, "--json")[0])["logs"]
        self.assertGreater(max(log["last_index"] for log in after), max(log["last_index"] for log in before))
        self.teak("verify", "--dir", self.dir)

    def test_retain_bytes_compacts_behind_the_writer(self):
        self.bench("--keep", "--retain-bytes", "1048576", "--json")
        logs = json.loads(self.teak("inspect", "--dir", self.dir, "--json")[0])["logs"]
        for log in logs:
            if (log["last_index"]) * 256 > 64 << 20:
                self.assertGreater(log["first_index"], 1)

    def test_no_progress_bar_in_a_pipe(self):
        for words in ([], ["--json"]):
            out, err = self.bench(*words)
            self.assertNotIn(b"\r", out + err)
            self.assertNotIn(b"\x1b", out + err)

    def test_for_people_too(self):
        out, _ = self.bench()
        self.assertTrue(re.search(rb"\d", out))

    def test_strategies_and_backends(self):
        for words in (["--strategy", "fdatasync"], ["--strategy", "buffered"], ["--strategy", "none"],
                      ["--backend", "posix"], ["--logs", 3, "--batch", 8], ["--linger-us", 100, "--in-flight", 2]):
            result = json.loads(self.bench("--json", *words)[0])
            self.assertGreater(result["entries"], 0, words)
            if words[0] == "--strategy":
                self.assertEqual(result["strategy"], words[1])
            if words[0] == "--backend":
                self.assertEqual(result["backend"], words[1])


if __name__ == "__main__":
    harness.main()
