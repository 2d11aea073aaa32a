#!/usr/bin/env python3
"""kill_life_test.py: writers and committers with many threads are killed again and again, over both backends; what
their witness says was acknowledged is there, whole, and nothing else is but what was on its way.

TEAK_KILLS=1000 makes it so many kills of each kind.
"""
import json
import os
import subprocess

import harness


class KillLife(harness.Store):
    def run_life(self, kind, backend, kills, *words):
        """One store through all its kills."""
        program = os.path.join(os.path.abspath(harness.arguments.build), "tests", "kill_life")
        command = [program, "--dir", self.path(f"{kind}-{backend}"), "--kind", kind, "--backend", backend, "--kills",
                   str(kills), "--seed", str(self.random.randrange(1 << 63)), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120 + 3 * kills, check=False)

    def survive(self, kind):
        kills = int(os.environ.get("TEAK_KILLS", "8" if harness.is_sanitized() else "25"))
        for backend in ("uring", "posix"):
            with self.subTest(backend=backend):
                run = self.run_life(kind, backend, kills, "--actors", str(self.random.randrange(1, 25)))
                print(run.stdout, flush=True)
                if run.returncode == 77:
                    continue
                self.assertEqual(run.returncode, 0, run.stderr)
                told = json.loads(run.stdout.splitlines()[-1])
                self.assertEqual(told["kills"], kills)
                self.assertGreater(told["behind_acknowledgements"], 0)

    def test_a_writer(self):
        self.survive("writer")

    def test_a_committer(self):
        self.survive("committer")

    def test_a_witness_that_lies_is_found_out(self):
        """The oracle can fail."""
        for kind in ("writer", "committer"):
            run = self.run_life(kind, "posix", 8, "--lie", "100")
            self.assertEqual(run.returncode, 1, run.stdout)
            self.assertIn("acknowledged batches are missing", run.stderr)


if __name__ == "__main__":
    harness.main()
