#!/usr/bin/env python3
"""roundtrip_test.py: what goes in by `teak append` comes out by `teak cat`, byte for byte."""
import os
import subprocess
import time

import harness


class RoundTrip(harness.Store):
    def entries(self, count, bytes_max, alphabet=None):
        made = [self.random.randbytes(self.random.randrange(bytes_max + 1)) for _ in range(count)]
        return [entry.replace(b"\n", b".") for entry in made] if alphabet == "lines" else made

    def cat(self, *words):
        out, err = self.teak("cat", "--dir", self.dir, *words)
        self.assertEqual(err, b"")
        return out

    def test_lines(self):
        data = harness.lines(self.entries(5000, 300, "lines"))
        out, err = self.teak("append", "--dir", self.dir, data=data)
        self.assertEqual((out, err), (b"", b""))
        self.assertEqual(self.cat(), data)

    def test_empty_lines_are_empty_entries(self):
        data = b"\n\nmiddle\n\n\nend\n\n"
        self.teak("append", "--dir", self.dir, data=data)
        self.assertEqual(self.cat(), data)
        self.assertEqual(self.cat("--framing", "len32"), harness.records([b"", b"", b"middle", b"", b"", b"end", b""]))

    def test_a_last_line_without_newline_is_an_entry(self):
        self.teak("append", "--dir", self.dir, data=b"one\ntwo")
        self.assertEqual(self.cat(), b"one\ntwo\n")

    def test_no_input_makes_a_store_without_entries(self):
        self.teak("append", "--dir", self.dir)
        self.assertEqual(self.cat(), b"")

    def test_records_of_any_bytes(self):
        entries = [b"", b"\n", b"\0" * 100, b"a\nb", *self.entries(2000, 2000)]
        self.teak("append", "--dir", self.dir, "--framing", "len32", data=harness.records(entries))
        self.assertEqual(self.cat("--framing", "len32"), harness.records(entries))

    def test_large_entries(self):
        entries = [self.random.randbytes(size) for size in (4095, 4096, 4097, 65535, 65536, 300000, 900001)]
        self.teak("append", "--dir", self.dir, "--framing", "len32", data=harness.records(entries))
        self.assertEqual(self.cat("--framing", "len32"), harness.records(entries))

    def test_a_second_run_appends_behind_the_first(self):
        whole = b""
        for turn in range(5):
            data = harness.lines(self.entries(200 + turn, 100, "lines"))
            self.teak("append", "--dir", self.dir, data=data)
            whole += data
            self.assertEqual(self.cat(), whole)

    def test_ranges(self):
        entries = [b"entry %d" % i for i in range(1, 1001)]
        self.teak("append", "--dir", self.dir, data=harness.lines(entries))
        for first, last in ((1, 1), (1, 1000), (500, 500), (999, 1000), (17, 423)):
            self.assertEqual(self.cat("--from", first, "--to", last), harness.lines(entries[first - 1:last]))
        self.assertEqual(self.cat("--from", 990), harness.lines(entries[989:]))
        self.assertEqual(self.cat("--to", 10), harness.lines(entries[:10]))

    def test_logs_do_not_mix(self):
        made = {log: harness.lines(self.entries(300, 80, "lines")) for log in (1, 2, 0xFFFFFFFFFFFFFFFF)}
        for log, data in made.items():
            self.teak("append", "--dir", self.dir, "--log", log, data=data)
        for log, data in made.items():
            self.assertEqual(self.cat("--log", log), data)

    def test_batches_segments_backends_and_strategies(self):
        data = harness.lines(self.entries(3000, 200, "lines"))
        for number, words in enumerate([["--batch", 1, "--strategy", "none"], ["--batch", 7], ["--batch", 5000],
                                        ["--segment-bytes", 65536], ["--backend", "posix"], ["--strategy", "dsync"],
                                        ["--strategy", "fdatasync"], ["--strategy", "buffered"],
                                        ["--segment-bytes", 65536, "--backend", "posix", "--strategy", "buffered"]]):
            store = self.path(f"store{number}")
            self.teak("append", "--dir", store, *words, data=data)
            out, _ = self.teak("cat", "--dir", store)
            self.assertEqual(out, data, words)
            self.teak("verify", "--dir", store)

    def test_many_small_segments(self):
        """Some hundred rotations, in two runs."""
        entries = self.entries(16000, 2000, "lines")
        self.teak("append", "--dir", self.dir, "--segment-bytes", 65536, data=harness.lines(entries[:9000]))
        self.teak("append", "--dir", self.dir, data=harness.lines(entries[9000:]))
        self.assertEqual(self.cat(), harness.lines(entries))
        self.teak("verify", "--dir", self.dir)

    def test_the_witness_says_all(self):
        witness = self.path("ack")
        with open(witness, "w", encoding="ascii") as file:
            file.write("99999999999999\n")
        self.teak("append", "--dir", self.dir, "--ack", witness, data=b"x\n" * 1234)
        with open(witness, encoding="ascii") as file:
            self.assertEqual(file.read(), "1234\n")

    def told(self, witness):
        if not os.path.exists(witness):
            return b""
        with open(witness, "rb") as file:
            return file.read()

    def test_slow_input_is_durable_at_once(self):
        """A line that has arrived does not wait for the next one."""
        witness = self.path("ack")
        run = subprocess.Popen([harness.teak_path, "append", "--dir", self.dir, "--ack", witness, "--batch", "100",
                                "--quiet"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            for count in (1, 2, 3):
                run.stdin.write(b"line\n")
                run.stdin.flush()
                deadline = time.monotonic() + 30
                while self.told(witness) != b"%d\n" % count:
                    self.assertLess(time.monotonic(), deadline, f"after {count} lines")
                    time.sleep(0.01)
            run.stdin.close()
            self.assertEqual(run.wait(60), 0)
            self.assertEqual(run.stderr.read(), b"")
        finally:
            run.kill()
            run.wait()
            run.stderr.close()

    def test_looking_beside_a_living_writer(self):
        witness = self.path("ack")
        run = subprocess.Popen([harness.teak_path, "append", "--dir", self.dir, "--ack", witness],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.stdin.write(b"first\n" * 1000)
            run.stdin.flush()
            deadline = time.monotonic() + 30
            while self.told(witness) != b"1000\n":
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.teak("inspect", "--dir", self.dir, "--json")
            self.teak("verify", "--dir", self.dir)
            self.assertEqual(self.cat()[:6000], b"first\n" * 1000)
            _, err = self.teak("append", "--dir", self.dir, data=b"second writer\n", status=1)
            self.assert_one_line(err)
            run.stdin.write(b"last\n")
            run.stdin.close()
            self.assertEqual(run.wait(60), 0)
        finally:
            run.kill()
            run.wait()
        self.assertEqual(self.cat(), b"first\n" * 1000 + b"last\n")


if __name__ == "__main__":
    harness.main()
