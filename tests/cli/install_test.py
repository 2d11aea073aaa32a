#!/usr/bin/env python3
"""install_test.py: what `cmake --install` leaves is enough to build a program on: static, shared, by pkg-config."""
import os
import shutil
import subprocess
import tempfile
import unittest

import harness

PROGRAM = r"""
#include <stdio.h>
#include <teak/engine.h>
int main(int argc, char **argv)
{
    struct teak_options options = teak_options_default();
    struct teak_store *store;
    struct teak_error error;
    options.create = true;
    if (argc != 2 || teak_open(argv[1], &options, &store, NULL, &error) != TEAK_OK) return 1;
    if (teak_create_log(store, 7, 0, &error) != TEAK_OK) return 2;
    for (uint64_t index = 1; index <= 100; index++)
        while (teak_append(store, 7, index, 1, "hello", 5, index, &error) == TEAK_FULL)
            teak_poll(store, TEAK_FOREVER, NULL, 0, NULL, NULL);
    if (teak_drain(store, &error) != TEAK_OK) return 3;
    if (teak_close(store, &error) != TEAK_OK) return 4;
    puts(teak_status_name(TEAK_OK));
    return 0;
}
"""


class Install(unittest.TestCase):
    def run_it(self, *words, **more):
        run = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, **more)
        self.assertEqual(run.returncode, 0, f"{words}\n{run.stdout}{run.stderr}")
        return run.stdout

    def test_a_program_builds_and_runs_on_what_is_installed(self):
        with open(os.path.join(harness.arguments.build, "CMakeCache.txt"), encoding="utf-8") as file:
            if any(line.startswith("TEAK_SANITIZE:") and line.strip()[-1] != "=" for line in file):
                self.skipTest("a sanitizer's library needs the sanitizer's program")
        work = tempfile.mkdtemp(prefix="install-", dir=os.getcwd())
        self.addCleanup(shutil.rmtree, work, ignore_errors=True)
        prefix = os.path.join(work, "prefix")
        self.run_it("cmake", "--install", harness.arguments.build, "--prefix", prefix)
        found = {}
        for folder, _, files in os.walk(prefix):
            found.update({name: folder for name in files})
        for name in ("libteak.a", "teak.pc", "engine.h", "status.h", "teak"):
            self.assertIn(name, found)
        self.assertNotIn("layout.h", found)
        source = os.path.join(work, "program.c")
        with open(source, "w", encoding="ascii") as file:
            file.write(PROGRAM)
        libraries = found["libteak.a"]
        pkg_config = ["pkg-config", f"--define-variable=prefix={prefix}"]
        environment = os.environ | {"PKG_CONFIG_PATH": found["teak.pc"], "LD_LIBRARY_PATH": libraries}
        for kind in ("shared", "static"):
            flags = self.run_it(*pkg_config, "--cflags", "--libs", *(["--static"] if kind == "static" else []), "teak",
                                env=environment).split()
            if kind == "static":
                flags = [os.path.join(libraries, "libteak.a") if flag == "-lteak" else flag for flag in flags]
            program = os.path.join(work, kind)
            self.run_it("gcc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", program, source, *flags)
            out = self.run_it(program, os.path.join(work, f"store-{kind}"), env=environment)
            self.assertEqual(out, "ok\n")
            out = self.run_it(os.path.join(found["teak"], "teak"), "cat", "--log", "7", "--dir",
                              os.path.join(work, f"store-{kind}"))
            self.assertEqual(out, "hello\n" * 100)
            needed = self.run_it("ldd", program, env=environment)
            self.assertEqual("libteak.so.0" in needed, kind == "shared")
            self.assertNotIn("jemalloc", needed)


if __name__ == "__main__":
    harness.main()
