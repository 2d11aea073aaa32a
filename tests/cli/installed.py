"""installed.py: what install_test.py and package_test.py ask of an installed Teak: C and C++ programs build on it, by
pkg-config and by find_package, shared and static, and run."""
import os
import re
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
# A node by itself, on a log store; what a node sends, as bytes.
RAFT_PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <teak/raft_store_memory.h>
#include <teak/raft_wire.h>
int main(int argc, char **argv)
{
    struct teak_raft_options options = teak_raft_options_default();
    struct teak_raft_log_store store;
    static struct teak_raft_msg msg;
    struct teak_raft_span spans[TEAK_RAFT_WIRE_SPANS(1)];
    static uint8_t head[TEAK_RAFT_WIRE_HEAD_BYTES(1)];
    static struct teak_raft_wire_out out;
    (void)argc;
    (void)argv;
    options.id = 1;
    if (teak_raft_size(&options) == 0 || teak_raft_wire_bytes_max(&options, NULL) == 0) return 1;
    if (teak_raft_memory_open(&store) != TEAK_RAFT_OK) return 2;
    if (store.ops->create(store.self, 1, 7) != TEAK_RAFT_OK) return 3;
    store.ops->close(store.self);
    out.head = head;
    out.head_bytes = sizeof head;
    out.spans = spans;
    out.span_max = TEAK_RAFT_WIRE_SPANS(1);
    msg.type = TEAK_RAFT_HEARTBEAT;
    if (teak_raft_wire_encode(&msg, &out) != TEAK_RAFT_OK || out.bytes != TEAK_RAFT_WIRE_HEAD) return 4;
    puts(teak_raft_status_name(TEAK_RAFT_OK));
    return 0;
}
"""
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(user C CXX)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_NO_SYSTEM_FROM_IMPORTED ON) # the library's headers are to be judged as the program is
add_compile_options({warnings})
find_package(teak {version} REQUIRED)
foreach(language c cc)
    add_executable(shared_${{language}} program.${{language}})
    target_link_libraries(shared_${{language}} teak::teak)
    add_executable(static_${{language}} program.${{language}})
    target_link_libraries(static_${{language}} teak::static)
    add_executable(raft_shared_${{language}} raft.${{language}})
    target_link_libraries(raft_shared_${{language}} teak::raft_stores teak::raft)
    add_executable(raft_static_${{language}} raft.${{language}})
    target_link_libraries(raft_static_${{language}} teak::raft_stores_static teak::raft_static)
endforeach()
"""
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
PACKAGES = {"teak": "libteak.a", "teak-raft": "libteak_raft.a", "teak-raft-stores": "libteak_raft_stores.a"}
LANGUAGES = {"c": ["gcc", "-std=c11"], "cc": ["g++", "-std=c++17"]}


def is_unstable(header):
    with open(header, encoding="utf-8") as file:
        return "#ifndef TEAK_UNSTABLE" in file.read()


class Installed(unittest.TestCase):
    """A test that installs Teak somewhere and then calls check()."""

    def setUp(self):
        if harness.is_sanitized():
            self.skipTest("a sanitizer's library needs the sanitizer's program")
        self.work = tempfile.mkdtemp(prefix="installed-", dir=os.getcwd())
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)

    def run_it(self, *words, **more):
        run = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, **more)
        self.assertEqual(run.returncode, 0, f"{words}\n{run.stdout}{run.stderr}")
        return run.stdout

    def check(self, prefix):
        """`prefix` is an installation: everything is there, and can be built on."""
        self.prefix, self.found = prefix, {}
        for folder, _, files in os.walk(prefix):
            self.found.update({name: folder for name in files})
        for name in ("libteak_raft.a", "libteak_raft.so.0", "libteak_raft_stores.a", "libteak_raft_stores.so.0",
                     "teak-raft.pc", "teak-raft-stores.pc", "raft.h", "raft_wire.h", "raft_driver.h", "raft_kv.c"):
            self.assertIn(name, [*self.found, *os.listdir(self.found["libteak.a"])])
        for name in ("libteak.a", "libteak.so.0", "teak.pc", "teakConfig.cmake", "teakConfigVersion.cmake", "engine.h",
                     "status.h", "teak", "teak.1", "teak-append.1", "LICENSE", "README.md", "embedding.md", "hello.c"):
            self.assertTrue(name in self.found or os.path.islink(os.path.join(self.found["libteak.a"], name)), name)
        for name in ("layout.h", "disk.h", "core.h", "wire_layout.h"): # what is not public
            self.assertNotIn(name, self.found)
        self.libraries = self.found["libteak.a"]
        self.environment = os.environ | {"PKG_CONFIG_PATH": self.found["teak.pc"], "LD_LIBRARY_PATH": self.libraries}
        self.command = os.path.join(prefix, "bin", "teak")
        self.version = self.run_it(self.command, "--version").split()[1]
        self.check_pages()
        self.write_programs()
        self.check_pkg_config()
        self.check_find_package()

    def check_pages(self):
        """Each subcommand has its page, and completion knows it."""
        path = os.path.join(self.prefix, "share", "bash-completion", "completions", "teak")
        with open(path, encoding="utf-8") as file:
            completion = file.read()
        subcommands = re.findall(r"^  teak ([a-z-]+) {2,}", self.run_it(self.command, "help"), re.M)
        self.assertGreaterEqual(len(subcommands), 6)
        for name in subcommands:
            self.assertIn(f"{name} ", completion)
            if name != "help":
                self.assertIn(f"teak-{name}.1", self.found)

    def write_programs(self):
        """The same program as C and as C++, on every public header."""
        headers = os.path.join(self.prefix, "include", "teak")
        names = sorted(os.listdir(headers))
        includes = "#define TEAK_UNSTABLE\n" + "".join(f"#include <teak/{name}>\n" for name in names)
        self.assertTrue(any(is_unstable(os.path.join(headers, name)) for name in names))
        for suffix in LANGUAGES:
            with open(os.path.join(self.work, "program." + suffix), "w", encoding="ascii") as file:
                file.write(includes + PROGRAM)
            with open(os.path.join(self.work, "raft." + suffix), "w", encoding="ascii") as file:
                file.write(RAFT_PROGRAM)

    def check_program(self, program, name, is_shared):
        store = os.path.join(self.work, "store-" + name)
        self.assertEqual(self.run_it(program, store, env=self.environment), "ok\n")
        self.assertEqual(self.run_it(self.command, "cat", "--log", "7", "--dir", store), "hello\n" * 100)
        needed = self.run_it("ldd", program, env=self.environment)
        self.assertEqual("libteak.so.0" in needed, is_shared)
        self.assertNotIn("jemalloc", needed)
        if is_shared:
            self.assertIn(self.libraries, needed)

    def check_raft_program(self, program, is_shared):
        self.assertEqual(self.run_it(program, env=self.environment), "ok\n")
        needed = self.run_it("ldd", program, env=self.environment)
        for name in ("libteak_raft.so.0", "libteak_raft_stores.so.0"):
            self.assertEqual(name in needed, is_shared, needed)

    def check_raft_pkg_config(self, kind, compiler, suffix):
        flags = self.run_it("pkg-config", "--cflags", "--libs", *(["--static"] if kind == "static" else []),
                            "teak-raft-stores", env=self.environment).split()
        if kind == "static":
            archives = {"-l" + name[3:-2]: os.path.join(self.libraries, name) for name in PACKAGES.values()}
            flags = [archives.get(flag, flag) for flag in flags]
        program = os.path.join(self.work, f"pc-raft-{kind}-{suffix}")
        self.run_it(*compiler, *WARNINGS, "-o", program, os.path.join(self.work, "raft." + suffix), *flags)
        self.check_raft_program(program, kind == "shared")

    def check_pkg_config(self):
        for name in PACKAGES:
            version = self.run_it("pkg-config", "--modversion", name, env=self.environment).strip()
            self.assertEqual(version, self.version)
        for kind in ("shared", "static"):
            flags = self.run_it("pkg-config", "--cflags", "--libs", *(["--static"] if kind == "static" else []), "teak",
                                env=self.environment).split()
            for flag in flags: # the installation's own, wherever it lies
                if flag.startswith(("-I", "-L")):
                    self.assertTrue(os.path.realpath(flag[2:]).startswith(os.path.realpath(self.prefix)), flags)
            self.assertEqual("-luring" in flags, kind == "static")
            if kind == "static":
                flags = [os.path.join(self.libraries, "libteak.a") if flag == "-lteak" else flag for flag in flags]
            for suffix, compiler in LANGUAGES.items():
                program = os.path.join(self.work, f"pc-{kind}-{suffix}")
                self.run_it(*compiler, *WARNINGS, "-o", program, os.path.join(self.work, "program." + suffix), *flags)
                self.check_program(program, f"pc-{kind}-{suffix}", kind == "shared")
                self.check_raft_pkg_config(kind, compiler, suffix)

    def check_find_package(self):
        with open(os.path.join(self.work, "CMakeLists.txt"), "w", encoding="ascii") as file:
            file.write(PROJECT.format(warnings=" ".join(WARNINGS), version=self.version))
        build = os.path.join(self.work, "build")
        self.run_it("cmake", "-G", "Ninja", "-S", self.work, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        self.run_it("cmake", "--build", build)
        for suffix in LANGUAGES:
            for kind in ("shared", "static"):
                self.check_program(os.path.join(build, f"{kind}_{suffix}"), f"cmake-{kind}-{suffix}", kind == "shared")
                self.check_raft_program(os.path.join(build, f"raft_{kind}_{suffix}"), kind == "shared")
