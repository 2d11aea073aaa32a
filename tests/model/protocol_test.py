#!/usr/bin/env python3
"""protocol_test.py: spin walks every state of commit_protocol.pml at small sizes.

The right model must have no error, at every size below; each bug that is sown into it must be found. A guard that can
be taken away alone without an error, because another one stands behind it, is listed as such, with the pair whose loss
is found: so a change that makes one of them count is seen too. And every function that README.md names must be there.

protocol_test.py                the sizes of every day, under a minute
protocol_test.py --long         larger sizes, some minutes and some GiB
protocol_test.py --only WORD    the runs with that word in their name
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().parent / "commit_protocol.pml"
SKIP = 77

# Sizes. Each is the least at which what it is for can happen.
ROTATE = "OP_APPEND LSNS=6 CRASHES=2"                       # segments, files taken again, a cut and one in recovery
FORGET = "OP_APPEND OP_COMPACT LSNS=8 CRASHES=1"            # segments die
KILL = ROTATE + " KILLS"                                    # a cache that outlives the process
IN_PLACE = "OP_APPEND FILES=2 SLOTS=5 LSNS=6 CRASHES=2 CLOSES=1"
TRUNCATE = "OP_APPEND OP_TRUNCATE OP_COMPACT FILES=2 SLOTS=7 LSNS=7 CRASHES=1 FLY=1"
FULL = "OP_APPEND FILES=2 SLOTS=5 LSNS=5 CRASHES=2 FULL"       # a cut is written on behind
HARD = "OP_APPEND OP_HARD OP_COMPACT LSNS=8 CRASHES=1"
ROT = "OP_APPEND SLOTS=3 LSNS=5 CRASHES=0 ROT"

RIGHT = {"rotate": KILL, "forget": FORGET, "in place": IN_PLACE, "full disk": FULL, "truncate": TRUNCATE,
         "hard state": HARD, "rot": ROT}
LONG = {"rotate": "OP_APPEND OP_COMPACT LSNS=9 CRASHES=3 KILLS", "fly": "OP_APPEND SLOTS=4 LSNS=7 CRASHES=2 FLY=3",
        "in place": "OP_APPEND FILES=2 SLOTS=6 LSNS=8 CRASHES=3 CLOSES=2",
        "truncate": "OP_APPEND OP_TRUNCATE OP_COMPACT SLOTS=3 LSNS=8 CRASHES=1 FLY=2",
        "full disk": "OP_APPEND FILES=3 SLOTS=4 LSNS=7 CRASHES=3 FULL",
        "hard state": "OP_APPEND OP_HARD OP_COMPACT LSNS=9 CRASHES=2", "rot": "OP_APPEND SLOTS=4 LSNS=6 CRASHES=1 ROT"}

BUGS = {
    "NO_SALT": ROTATE, "NO_DURABLE_LSN": ROT, "VOUCHES_FOR_FLYING": ROTATE, "ANY_LATER_HEAD_REFUSES": ROTATE,
    "TOLD_WHEN_LANDED": ROTATE, "SYNC_COVERS_THE_LATE": ROTATE, "SYNC_OF_ANY_FILE": ROTATE,
    "FORGET_NOT_DURABLE": FORGET, "FORGETS_WHAT_LIVES": FORGET, "USED_BEFORE_DIRECTORY_SYNC": ROTATE,
    "IDENTITY_NOT_SYNCED": ROTATE, "TORN_FRAMES_PASS": ROTATE, "OLDEST_FIRST_BEHIND_THE_CUT": ROTATE,
    "SCANS_UNSYNCED": KILL, "GOES_ON_WITHOUT_A_MARK": IN_PLACE, "CHECKPOINT_WITHOUT_HARD_STATE": HARD,
    "NOT_CLEARED": FULL, "CLEAR_NOT_SYNCED": FULL,
    "TRUNCATION_BELOW_BASE_IGNORED": TRUNCATE, "NOT_ALONE BUG_CLEAN_THOUGH_FRAMES_FOLLOW": IN_PLACE,
}
# One of several guards: away alone it costs nothing against power cuts and kills.
GUARDS = {"NO_CHAIN": IN_PLACE, "NOT_ALONE": IN_PLACE, "CLEAN_THOUGH_FRAMES_FOLLOW": IN_PLACE}


class Run:
    def __init__(self, kind, name, options, wants_error):
        self.kind, self.name, self.options, self.wants_error = kind, name, options, wants_error

    def go(self, seconds):
        """(is as it should be, states, what is said)"""
        with tempfile.TemporaryDirectory(prefix="protocol.", dir=".") as place:
            defines = [f"-D{word}" for word in self.options.split()]
            call(["spin", "-a", *defines, str(MODEL)], place, 60)
            # what is found is found soon: no time is spent on making the search fast
            speed = "-O0" if self.wants_error else "-O1"
            call([os.environ.get("CC", "cc"), speed, "-w", "-DSAFETY", "-DNOREDUCE", "-DCOLLAPSE", "-DVECTORSZ=2048",
                  "-o", "pan", "pan.c"], place, 120)
            text = call(["./pan", "-E", "-m2000000", "-w20"], place, seconds)
        errors, states = re.search(r"errors: (\d+)", text), re.search(r"(\d+) states, stored", text)
        if not errors or not states or "max search depth too small" in text or "out of memory" in text:
            return False, 0, "the search did not end:\n" + text[-600:]
        violated = re.search(r"assertion violated (.*) \(at depth", text)
        found = int(errors.group(1)) > 0
        said = f"finds: {violated.group(1)}" if violated else "an error that is no assertion" if found else "no error"
        return found == self.wants_error and (not found or bool(violated)), int(states.group(1)), said


def missing_functions():
    """Functions of README.md that the engine does not have: a map of what is gone misleads."""
    engine = MODEL.parents[2] / "engine" / "store"
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted(engine.glob("*.[ch]")))
    named = sorted(set(re.findall(r"`(\w+)\(\)`", (MODEL.parent / "README.md").read_text(encoding="utf-8"))))
    if len(named) < 20:
        return ["README.md names no functions"]
    return [name for name in named if not re.search(rf"\b{name}\(", code)]


def call(command, place, seconds):
    done = subprocess.run(command, cwd=place, timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, check=False)
    if done.returncode != 0 and "pan:" not in done.stdout:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout[-2000:]}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    missing = missing_functions()
    if missing:
        print("README.md names what the engine has not:", ", ".join(missing))
        return 1
    if not shutil.which("spin"):
        print("skipped: there is no spin here (Debian: apt-get install spin)")
        return SKIP
    runs = [Run("right", name, options, False) for name, options in (LONG if arguments.long else RIGHT).items()]
    runs += [Run("guard", name, f"{options} BUG_{name}", False) for name, options in GUARDS.items()]
    runs += [Run("bug", name, f"{options} BUG_{name}", True) for name, options in BUGS.items()]
    runs = [run for run in runs if arguments.only in run.name]
    bad, visited = 0, 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(run.go, 7200 if arguments.long else 500) for run in runs]
        for run, end in zip(runs, ends):
            is_good, states, said = end.result()
            bad += not is_good
            visited += states
            print(f"{'ok ' if is_good else 'BAD'} {run.kind:5} {run.name:42} {states:9} states  {said}", flush=True)
    print(f"{len(runs)} runs, {visited} states, {bad} bad")
    return 1 if bad or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
