#!/usr/bin/env python3
"""stutter.py: lets the processes of a command stand still for a moment, again and again, as a loaded machine does.

    tests/stutter.py [--milliseconds N] [--seed N] COMMAND...

Every process that COMMAND started is stopped and continued at random, each by itself: a pause of up to N milliseconds
(40) at any place. What a test then says that it does not say otherwise is a fault of the test, or a find:

    cd build/release && ../../tests/stutter.py ctest -j 4 -LE 'house|mutation'

A pause is longer than the 10 ms after which an idle mark is written, so that frames, segments and chores stand
elsewhere than on an idle machine.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import time


def below(root):
    """The processes that `root` is an ancestor of."""
    parents = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                parents[int(name)] = int(stat.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it has ended
    found, grown = {root}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(found - {root})


def tell(process, number):
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass  # it has ended


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--milliseconds", type=float, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("no command")
    chance = random.Random(arguments.seed)
    with subprocess.Popen(arguments.command) as command:
        while command.poll() is None:
            processes = below(command.pid)
            if processes:
                process = chance.choice(processes)
                tell(process, signal.SIGSTOP)
                time.sleep(chance.uniform(0, arguments.milliseconds / 1000))
                tell(process, signal.SIGCONT)
            time.sleep(chance.uniform(0, 0.01))
        return command.returncode


if __name__ == "__main__":
    sys.exit(main())
