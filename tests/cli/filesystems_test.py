#!/usr/bin/env python3
"""filesystems_test.py: a store lives on ext4, XFS, btrfs, tmpfs, overlay, ramfs, with both backends and every strategy.

The first three are made in files and mounted through loop devices. That needs root, and each a tool; what cannot be had
is skipped with the reason. Everything is unmounted and removed, whatever happens."""
import ctypes
import ctypes.util
import json
import os
import shutil
import subprocess

import harness

MIB = 1 << 20
CLONE_NEWNS = 0x20000


def has_direct_io(directory):
    """What the kernel says of a file there: it opens with O_DIRECT."""
    path = os.path.join(directory, "probe")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_DIRECT))
        return True
    except OSError:
        return False
    finally:
        if os.path.exists(path):
            os.unlink(path)


class Filesystems(harness.Store):
    @classmethod
    def setUpClass(cls):
        """A mount namespace of its own: what this test mounts nobody else sees, and it ends with the process."""
        libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
        cls.why_not = None
        if os.geteuid() != 0:
            cls.why_not = "mounting needs root"
        elif libc.unshare(CLONE_NEWNS) != 0:
            cls.why_not = f"no mount namespace: {os.strerror(ctypes.get_errno())}"
        else:
            run = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True, timeout=60,
                                 check=False)
            cls.why_not = run.stderr.strip() or None

    def setUp(self):
        super().setUp()
        if self.why_not:
            self.skipTest(self.why_not)
        self.place = os.path.join(self.work, "mounted")
        os.mkdir(self.place)

    def mount(self, *words):
        run = subprocess.run(["mount", *words, self.place], capture_output=True, text=True, timeout=60, check=False)
        if run.returncode != 0:
            self.skipTest(f"mount {' '.join(words)}: {run.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", self.place], timeout=60, check=True)

    def mount_image(self, tool, size, *options, flags=()):
        if not shutil.which(tool):
            self.skipTest(f"no {tool} here")
        image = os.path.join(self.work, "image")
        with open(image, "wb") as file:
            file.truncate(size)
        subprocess.run([tool, "-q", *flags, image], capture_output=True, timeout=120, check=True)
        self.mount("-o", ",".join(["loop", *options]), image)

    def live(self, name, direct_io):
        """The lives, told; `direct_io`: what must have been found."""
        program = os.path.join(os.path.abspath(harness.arguments.build), "tests", "store_life")
        run = subprocess.run([program, self.place], capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        lives = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertEqual(len(lives), 10)
        for life in lives:
            if life.get("skipped"):
                print(f"skipped: no {life['wanted']} here", flush=True)
                continue
            self.assertEqual(life["backend"], life["wanted"])
            self.assertEqual(life["direct_io"], direct_io, life)
            self.assertEqual(life["filesystem"], name, life)
            self.assertGreater(life["segment"], 8, life) # it rotated
            self.assertGreater(life["recycled"], 0, life)
        for life in lives:
            if not life.get("skipped"):
                store = os.path.join(self.place, f"{life['wanted']}-{life['strategy']}")
                self.teak("verify", "--dir", store)
        out, _ = self.teak("inspect", "--dir", os.path.join(self.place, "posix-auto"), "--json")
        self.assertEqual(json.loads(out)["report"]["direct_io"], direct_io)

    def test_ext4(self):
        self.mount_image("mkfs.ext4", 96 * MIB)
        self.live("ext4", True)

    def test_ext4_with_its_data_in_the_journal_says_that_it_has_no_direct_io(self):
        self.mount_image("mkfs.ext4", 96 * MIB, "data=journal")
        if tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 1):
            self.skipTest("before Linux 6.1 nobody can be asked")
        self.live("ext4", False)

    def test_xfs(self):
        self.mount_image("mkfs.xfs", 320 * MIB)
        self.live("xfs", True)

    def test_btrfs_does_not_copy_segments_on_write(self):
        self.mount_image("mkfs.btrfs", 160 * MIB)
        self.live("btrfs", True)
        store = os.path.join(self.place, "posix-auto")
        listed = subprocess.run(["lsattr", store], capture_output=True, text=True, timeout=60, check=True).stdout
        segments = [line.split() for line in listed.splitlines() if line.endswith(".seg")]
        self.assertGreater(len(segments), 1)
        for attributes, path in segments:
            self.assertIn("C", attributes, path)

    def test_tmpfs(self):
        self.mount("-t", "tmpfs", "-o", "size=96m", "tmpfs")
        self.live("tmpfs", has_direct_io(self.place))

    def test_ramfs_has_no_direct_io_and_the_report_says_so(self):
        self.mount("-t", "ramfs", "ramfs")
        self.assertFalse(has_direct_io(self.place))
        self.live("ramfs", False)

    def test_overlay(self):
        for name in ("lower", "upper", "inner"):
            os.mkdir(self.path(name))
        self.mount("-t", "overlay", "-o", f"lowerdir={self.path('lower')},upperdir={self.path('upper')},"
                   f"workdir={self.path('inner')}", "overlay")
        self.live("overlay", has_direct_io(self.place))


if __name__ == "__main__":
    harness.main()
