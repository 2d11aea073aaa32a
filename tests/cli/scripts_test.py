#!/usr/bin/env python3
"""scripts_test.py: the scripts that a newcomer runs first: their help, wrong use, and that they never guess."""
import os
import shutil
import subprocess
import tempfile
import unittest

import harness

SCRIPTS = ["tools/check", "tools/quickstart"]


class Scripts(unittest.TestCase):
    def script(self, name, *words, status=0):
        run = subprocess.run([os.path.join(harness.source_path, name), *words], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run.stdout, run.stderr

    def test_help_says_how(self):
        for name in SCRIPTS:
            out, err = self.script(name, "--help")
            self.assertIn(f"usage: {name}", out)
            self.assertEqual(err, "")

    def test_wrong_use_is_one_line(self):
        for name in SCRIPTS + ["tools/install-deps"]:
            out, err = self.script(name, "--qick", status=2)
            self.assertEqual(out, "")
            self.assertEqual(err.count("\n"), 1)

    def test_quickstart_wants_whole_seconds(self):
        for words in (["--seconds", "fast"], ["--seconds", "0"], ["--seconds"], ["--dir"]):
            self.assertEqual(self.script("tools/quickstart", *words, status=2)[1].count("\n"), 1)

    def test_quickstart_keeps_its_word(self):
        if harness.is_sanitized():
            self.skipTest("it builds a release of its own: once is enough")
        work = tempfile.mkdtemp(prefix="quickstart-", dir=os.getcwd())
        self.addCleanup(shutil.rmtree, work, ignore_errors=True)
        place = os.path.join(work, "place")
        run = subprocess.run([os.path.join(harness.source_path, "tools/quickstart"), "--no-install", "--seconds", "1",
                              "--dir", place], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280,
                             env=os.environ | {"TEAK_BUILD_DIR": os.path.join(work, "build")}, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertEqual(run.stderr, "")
        self.assertNotIn("\x1b", run.stdout)
        self.assertIn("SIGKILL", run.stdout)
        self.assertIn("the same as the input", run.stdout)
        self.assertIn("All as promised", run.stdout)
        self.assertEqual(os.listdir(place), [])

    def test_ci_calls_check(self):
        with open(os.path.join(harness.source_path, ".ci/run"), encoding="utf-8") as file:
            self.assertIn("tools/check", file.read())


if __name__ == "__main__":
    harness.main()
