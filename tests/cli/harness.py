"""harness.py: what the tests of the command share: running it, input to feed it, --teak and --source."""
import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

teak_path = None
source_path = None
arguments = None


def main():
    """Runs the calling file's TestCases. A file whose tests were all skipped ends with 77."""
    global teak_path, source_path, arguments
    parser = argparse.ArgumentParser()
    parser.add_argument("--teak", required=True, help="the command under test")
    parser.add_argument("--source", required=True, help="the source tree")
    parser.add_argument("--build", help="the build tree")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("tests", nargs="*")
    arguments = parser.parse_args()
    teak_path = os.path.abspath(arguments.teak)
    source_path = os.path.abspath(arguments.source)
    print(f"--seed {arguments.seed}", flush=True)
    program = unittest.main("__main__", argv=[sys.argv[0], *arguments.tests], verbosity=2, exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun > 0 and len(result.skipped) == result.testsRun else 0)


class Store(unittest.TestCase):
    """A test with a directory of its own, on the file system of the build tree."""

    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="cli-", dir=os.getcwd())
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)
        self.dir = os.path.join(self.work, "store")
        self.random = random.Random(f"{arguments.seed} {self.id()}")

    def path(self, name):
        return os.path.join(self.work, name)

    def teak(self, *words, data=b"", status=0, timeout=120):
        """Runs `teak words...`; returns (stdout, stderr) as bytes. None as status: any."""
        run = subprocess.run([teak_path, *map(str, words)], input=data, capture_output=True, timeout=timeout,
                             check=False)
        if status is not None and run.returncode != status:
            self.fail(f"teak {' '.join(map(str, words))}: exit {run.returncode}, not {status}\n"
                      f"{run.stderr.decode(errors='replace')[:2000]}")
        return run.stdout, run.stderr

    def assert_one_line(self, text, *parts):
        """`text` is one line, that names all `parts`."""
        line = text.decode()
        self.assertEqual(line.count("\n"), 1, line)
        self.assertTrue(line.endswith("\n"), line)
        for part in parts:
            self.assertIn(part, line)


def is_sanitized():
    """The command was built with a sanitizer: slow."""
    with open(os.path.join(arguments.build, "CMakeCache.txt"), encoding="utf-8") as file:
        return any(line.startswith("TEAK_SANITIZE:") and line.strip()[-1] != "=" for line in file)


def lines(entries):
    """Entries as --framing lines has them."""
    return b"".join(entry + b"\n" for entry in entries)


def records(entries):
    """Entries as --framing len32 has them."""
    return b"".join(struct.pack("<I", len(entry)) + entry for entry in entries)


def backends():
    """The names of those that can be tried. io_uring may be forbidden here; then `auto` shows the fallback."""
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as work:
        store = os.path.join(work, "probe")
        run = subprocess.run([teak_path, "append", "--dir", store, "--backend", "uring"], input=b"",
                             capture_output=True, timeout=60, check=False)
    return ["uring", "posix"] if run.returncode == 0 else ["auto", "posix"]
