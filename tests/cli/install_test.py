#!/usr/bin/env python3
"""install_test.py: what `cmake --install` leaves is enough to build C and C++ programs on, wherever it lies."""
import os
import shutil
import subprocess

import harness
from installed import Installed


class Install(Installed):
    def test_programs_build_and_run_on_what_is_installed(self):
        prefix = os.path.join(self.work, "prefix")
        self.run_it("cmake", "--install", harness.arguments.build, "--prefix", prefix)
        self.check(prefix)

    def test_what_is_installed_can_be_moved(self):
        first, second = os.path.join(self.work, "first"), os.path.join(self.work, "second")
        self.run_it("cmake", "--install", harness.arguments.build, "--prefix", first)
        shutil.move(first, second)
        self.check(second)

    def test_another_minor_version_is_refused(self):
        prefix = os.path.join(self.work, "prefix")
        self.run_it("cmake", "--install", harness.arguments.build, "--prefix", prefix, "--component", "development")
        with open(os.path.join(self.work, "CMakeLists.txt"), "w", encoding="ascii") as file:
            file.write("cmake_minimum_required(VERSION 3.25)\nproject(user C)\nfind_package(teak 0.999 REQUIRED)\n")
        run = subprocess.run(["cmake", "-G", "Ninja", "-S", self.work, "-B", os.path.join(self.work, "build"),
                              f"-DCMAKE_PREFIX_PATH={prefix}"], capture_output=True, text=True, timeout=120,
                             check=False)
        self.assertNotEqual(run.returncode, 0)
        self.assertRegex(run.stderr, r"that is compatible\s+with requested version")


if __name__ == "__main__":
    harness.main()
