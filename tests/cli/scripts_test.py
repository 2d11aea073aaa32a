#!/usr/bin/env python3
"""scripts_test.py: the scripts that a newcomer runs first: their help, wrong use, and that they never guess."""
import os
import subprocess
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

    def test_ci_calls_check(self):
        with open(os.path.join(harness.source_path, ".ci/run"), encoding="utf-8") as file:
            self.assertIn("tools/check", file.read())


if __name__ == "__main__":
    harness.main()
