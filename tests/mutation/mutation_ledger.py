#!/usr/bin/env python3
"""mutation_ledger.py: bugs sown into the engine, each of which a test must catch.

Every `*.patch` beside this file is one bug: a small unified diff under a header that names the promise it breaks and
the test, and the case in it, that must catch it:

    Breaks  what a footer vouches for
    Caught  seal_test: a_footer_follows_a_sync_of_its_frames

A patch is applied to a copy of the tree, never to the tree itself; only the named test is built and run. First every
named case has to pass on the copy without a patch: what fails anyway catches nothing. Then it must fail, by its name. A
patch fits if its lines stand in the file exactly once, wherever that is, so that changes elsewhere in a file do not age
it.

mutation_ledger.py --check             do all of them apply, and are they sown where the build looks?
mutation_ledger.py                     the whole ledger
mutation_ledger.py --sample            a few that take a moment
mutation_ledger.py --only WORD...      those whose name has one of the words in it
mutation_ledger.py --jobs N            N build trees side by side (1)
mutation_ledger.py --work DIR          where the copies live; they are kept, so that the next run builds little
mutation_ledger.py --table FILE        the table, as Markdown
"""
import argparse
import concurrent.futures
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MUST_BE_NAMED = 40  # the least that the ledger is worth
# One of each kind, in tests that are built and run in a moment.
SAMPLE = ("flight_any_file_synced", "flight_not_alone", "flight_sync_error_swallowed", "frame_vouches_for_itself",
          "key_without_the_salt", "log_gap_accepted", "ticket_told_too_early", "verdict_cut_instead_of_refused")
HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@")


class Refused(Exception):
    """A patch that says nothing, or does not fit."""


class Patch:
    def __init__(self, path):
        self.name = path.stem
        head, mark, diff = path.read_text(encoding="utf-8").partition("--- a/")
        if not mark:
            raise Refused(f"{path.name}: no diff")
        fields = dict(re.findall(r"^(Breaks|Caught) +(.+(?:\n {8}.+)*)", head, re.M))
        if set(fields) != {"Breaks", "Caught"}:
            raise Refused(f"{path.name}: the header is Breaks and Caught")
        self.breaks = " ".join(fields["Breaks"].split())
        self.test, colon, self.case = fields["Caught"].partition(": ")
        if not colon or not re.fullmatch(r"\w+_test", self.test) or not re.fullmatch(r"\w+( or \w+)*", self.case):
            raise Refused(f"{path.name}: Caught is `test: case`, or `test: case or case` where either may come to it")
        self.cases = set(self.case.split(" or "))
        self.changes = {}
        for part in ("--- a/" + diff).split("--- a/")[1:]:
            lines = part.split("\n")
            target = lines[0].split("\t")[0]
            if not lines[1].startswith("+++ b/" + target):
                raise Refused(f"{path.name}: {target} is renamed")
            self.changes[target] = hunks_of(path.name, lines[2:])

    def applied(self, source):
        """{file: text with the bug}, or Refused."""
        out = {}
        for target, hunks in self.changes.items():
            path = source / target
            if not path.is_file():
                raise Refused(f"{self.name}: there is no {target}")
            text = path.read_text(encoding="utf-8")
            for old, new in hunks:
                count = ("\n" + text).count("\n" + old)
                if count != 1:
                    raise Refused(f"{self.name}: {target}: its lines stand there {count} times:\n{old}")
                text = ("\n" + text).replace("\n" + old, "\n" + new)[1:]
            out[target] = text
        return out


def hunks_of(name, lines):
    hunks, old, new = [], None, None
    for line in lines + ["@@ -0 +0 @@"]:
        if HUNK.match(line) or line.startswith("@@"):
            if old is not None:
                if old == new:
                    raise Refused(f"{name}: a hunk that changes nothing")
                hunks.append(("".join(old), "".join(new)))
            old, new = [], []
        elif old is None or line == "":
            continue
        elif line[0] in " -+":
            if line[0] in " -":
                old.append(line[1:] + "\n")
            if line[0] in " +":
                new.append(line[1:] + "\n")
        elif line[0] != "\\":
            raise Refused(f"{name}: what is `{line}`?")
    if not hunks:
        raise Refused(f"{name}: no hunk")
    return hunks


def load(words):
    patches = [Patch(path) for path in sorted(HERE.glob("*.patch"))]
    if words:
        patches = [patch for patch in patches if any(word in patch.name for word in words)]
    return patches


def check(source, patches):
    """Every patch applies, and its test and case exist. Returns the complaints."""
    tests = {path.stem: path.read_text(encoding="utf-8") for path in source.glob("tests/**/*_test.c")}
    complaints = []
    for patch in patches:
        try:
            patch.applied(source)
        except Refused as why:
            complaints.append(str(why))
        if any(not target.startswith("engine/") for target in patch.changes):
            complaints.append(f"{patch.name}: a bug belongs into the engine")
        if patch.test not in tests:
            complaints.append(f"{patch.name}: there is no {patch.test}")
        else:
            for case in patch.cases:
                if not re.search(rf"\b{case}\b", tests[patch.test]):
                    complaints.append(f"{patch.name}: {patch.test} has no case {case}")
    return complaints


# ------------------------------------------------------------------------------------------------------------- a tree


def run(command, seconds, **keywords):
    """(exit status, output); None for the status: it was killed because it took too long. Its children go with it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               start_new_session=True, **keywords)
    try:
        output, _ = process.communicate(timeout=seconds)
        return process.returncode, output.decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, output.decode(errors="replace")


class BuildTree:
    """A copy of the sources and a build tree of its own."""

    def __init__(self, source, work, arguments):
        self.source, self.work, self.arguments = source, work, arguments
        self.copy, self.build = work / "tree", work / "build"

    def prepare(self):
        self.copy.mkdir(parents=True, exist_ok=True)
        wanted = set()
        for start in self.source.iterdir():
            if start.name.startswith((".", "build")):
                continue
            for path in [start] if start.is_file() else start.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    wanted.add(path.relative_to(self.source))
        for path in [path for path in self.copy.rglob("*") if path.is_file()]:
            if path.relative_to(self.copy) not in wanted:
                path.unlink()
        for name in wanted:
            self.write(name, (self.source / name).read_bytes())
        command = ["cmake", "-S", str(self.copy), "-B", str(self.build), "-DCMAKE_BUILD_TYPE=Debug", "-DTEAK_TOOLS=OFF",
                   "-DTEAK_BENCH=OFF", f"-DCMAKE_C_COMPILER={self.arguments.cc}"]
        if shutil.which("ninja"):
            command += ["-G", "Ninja"]
        if shutil.which("ccache"):
            command.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
        status, output = run(command, 300)
        if status != 0:
            sys.exit(f"cmake does not configure {self.copy}:\n{output[-3000:]}")

    def write(self, name, data):
        """Only what differs is written, so that little is built."""
        path = self.copy / name
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def make(self, tests):
        return run(["cmake", "--build", str(self.build), "-j", str(self.arguments.build_jobs), "--target", *tests],
                   self.arguments.build_seconds)

    def test(self, name):
        directory = self.work / "run" / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        environment = dict(os.environ, TEAK_SEED="1", LC_ALL="C.UTF-8")
        environment.pop("TEAK_TEST_DIR", None)
        began = time.monotonic()
        status, output = run([str(self.build / "tests" / name)], self.arguments.seconds, cwd=directory,
                             env=environment, preexec_fn=no_core)
        return status, output, time.monotonic() - began


def no_core():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def failed_cases(status, output):
    """What cmocka says has failed, and the case that was running when the process ended."""
    failed = set(re.findall(r"^\[ +FAILED +\] ([a-z]\w+)", output, re.M))
    if status is None or status < 0:
        running = re.findall(r"^\[ RUN +\] (\w+)", output, re.M)
        if running:
            failed.add(running[-1])
    return failed


def judge(tree, patch):
    """(verdict, detail, seconds). `caught` is the only good one."""
    changed = patch.applied(tree.source)
    for name, text in changed.items():
        tree.write(name, text.encode())
    try:
        status, output = tree.make([patch.test])
        if status != 0:
            return "does not build", output[-1500:], 0.0
        status, output, seconds = tree.test(patch.test)
    finally:
        for name in changed:
            tree.write(name, (tree.source / name).read_bytes())
    if status == 0:
        return "SURVIVED", f"{patch.test} passes", seconds
    if status == 77:
        return "skipped", output[-300:], seconds
    failed = failed_cases(status, output)
    if not patch.cases & failed:
        return "MISSED", f"{patch.case} does not fail; failed: {', '.join(sorted(failed)) or status}", seconds
    how = "by hanging" if status is None else f"by signal {-status}" if status < 0 else ""
    return "caught", how, seconds


def work_through(source, patches, arguments):
    trees = queue.Queue()
    first = None
    for number in range(arguments.jobs):
        tree = BuildTree(source, arguments.work / str(number), arguments)
        tree.prepare()
        trees.put(tree)
        first = first or tree
    tests = sorted({patch.test for patch in patches})
    status, output = first.make(tests)
    if status != 0:
        sys.exit(f"the tree does not build:\n{output[-3000:]}")
    able = {}
    for test in tests:
        status, output, seconds = first.test(test)
        bad = failed_cases(status, output) & set().union(*(patch.cases for patch in patches if patch.test == test))
        able[test] = status != 77
        print(f"without a bug  {test:24} {'skipped' if status == 77 else 'FAILS' if bad else 'passes'}"
              f" {seconds:6.1f} s", flush=True)
        if bad:
            sys.exit(f"{', '.join(bad)} fails without a bug: it can catch nothing\n{output[-3000:]}")

    def one(patch):
        if not able[patch.test]:
            return patch, "skipped", f"{patch.test} cannot run here", 0.0
        tree = trees.get()
        try:
            return (patch, *judge(tree, patch))
        finally:
            trees.put(tree)

    results = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for result in pool.map(one, patches):
            patch, verdict, detail, seconds = result
            print(f"{verdict:14} {patch.name:44} {patch.test} {seconds:.1f} s {detail}", flush=True)
            results.append(result)
    return results


def table_of(results):
    lines = ["| bug | breaks | caught by | how |", "|---|---|---|---|"]
    for patch, verdict, detail, _ in results:
        how = verdict if verdict != "caught" else f"caught {detail}".strip()
        lines.append(f"| `{patch.name}` | {patch.breaks} | `{patch.test}: {patch.case}` | {how} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, default=HERE.parents[1])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--build-jobs", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=120, help="a test that takes longer hangs")
    parser.add_argument("--build-seconds", type=int, default=1200)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--table", type=pathlib.Path)
    arguments = parser.parse_args()
    source = arguments.source.resolve()
    arguments.work = (arguments.work or source / "build" / "mutation").resolve()
    if arguments.sample:
        arguments.only = list(SAMPLE)
    try:
        patches = load(arguments.only)
    except Refused as why:
        sys.exit(str(why))
    if not patches or (not arguments.only and len(patches) < MUST_BE_NAMED):
        sys.exit(f"{len(patches)} bugs: the ledger is not whole")
    complaints = check(source, patches)
    if complaints:
        sys.exit("\n".join(complaints))
    if arguments.check:
        print(f"{len(patches)} bugs apply")
        return 0
    results = work_through(source, patches, arguments)
    if arguments.table:
        arguments.table.write_text(table_of(results), encoding="utf-8")
    count = {}
    for _, verdict, _, _ in results:
        count[verdict] = count.get(verdict, 0) + 1
    print(", ".join(f"{number} {verdict}" for verdict, number in sorted(count.items())))
    if set(count) <= {"caught"}:
        return 0
    return 77 if set(count) <= {"caught", "skipped"} else 1


if __name__ == "__main__":
    sys.exit(main())
