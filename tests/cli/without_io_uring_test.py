#!/usr/bin/env python3
"""without_io_uring_test.py: where io_uring is forbidden or unknown, auto takes posix, says so, and loses nothing."""
import errno
import json
import os
import subprocess

import harness


class WithoutIoUring(harness.Store):
    def setUp(self):
        super().setUp()
        self.wrapper = os.path.join(os.path.abspath(harness.arguments.build), "tests", "without_io_uring")
        if self.run_without(errno.EPERM, "--help").returncode == 77:
            self.skipTest("no seccomp filter to be had here")

    def run_without(self, answer, *words, data=b""):
        return subprocess.run([self.wrapper, str(answer), harness.teak_path, *map(str, words)], input=data,
                              capture_output=True, timeout=120, check=False)

    def test_auto_takes_posix_with_a_notice(self):
        lines = b"".join(b"line %d\n" % i for i in range(20000))
        for answer in (errno.EPERM, errno.ENOSYS):
            with self.subTest(answer=errno.errorcode[answer]):
                self.dir = self.path(f"store-{answer}")
                run = self.run_without(answer, "append", "--dir", self.dir, data=lines)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assert_one_line(run.stderr, "notice", "io_uring", "posix", os.strerror(answer))
                for words in (["cat"], ["verify"], ["inspect"]):  # reading says nothing of how
                    run = self.run_without(answer, *words, "--dir", self.dir)
                    self.assertEqual((run.returncode, run.stderr), (0, b""))
                self.assertEqual(self.teak("cat", "--dir", self.dir)[0], lines)

    def test_it_goes_on_where_the_other_backend_ended(self):
        self.teak("append", "--dir", self.dir, data=b"before\n")
        run = self.run_without(errno.EPERM, "append", "--dir", self.dir, "--quiet", data=b"without\n")
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        self.teak("append", "--dir", self.dir, data=b"after\n")
        self.assertEqual(self.teak("cat", "--dir", self.dir)[0], b"before\nwithout\nafter\n")

    def test_posix_on_request_is_no_news(self):
        run = self.run_without(errno.EPERM, "append", "--dir", self.dir, "--backend", "posix", data=b"x\n")
        self.assertEqual((run.returncode, run.stderr), (0, b""))

    def test_uring_on_request_is_refused(self):
        run = self.run_without(errno.EPERM, "append", "--dir", self.dir, "--backend", "uring", data=b"x\n")
        self.assertEqual(run.returncode, 1)
        self.assert_one_line(run.stderr, "no_backend", "uring")
        self.assertFalse(os.path.exists(self.dir))

    def test_bench_says_what_it_measured(self):
        words = ("bench", "append", "--dir", self.dir, "--entry-bytes", 256, "--window", 64, "--seconds", "0.3")
        run = self.run_without(errno.EPERM, *words, "--json")
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        self.assertEqual(json.loads(run.stdout)["backend"], "posix")
        run = self.run_without(errno.EPERM, *words)
        self.assertEqual(run.returncode, 0)
        self.assertIn(b"through posix", run.stdout)
        self.assert_one_line(run.stderr, "notice")


if __name__ == "__main__":
    harness.main()
