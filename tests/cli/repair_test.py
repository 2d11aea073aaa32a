#!/usr/bin/env python3
"""repair_test.py: teak repair: a plan, nothing without --accept-loss, and a store that opens again."""
import json
import os
import struct

import harness

BLOCK = 4096


def frames(path):
    """Where the frames of a segment stand, and their tables in them."""
    with open(path, "rb") as file:
        data = file.read()
    at, found = BLOCK, []
    while at + 128 <= len(data):
        if data[at:at + 8] != b"TEAKFRME":
            at += BLOCK
            continue
        found.append((at, struct.unpack_from("<I", data, at + 56)[0]))
        at += struct.unpack_from("<I", data, at + 28)[0]
    return found


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x40]))


def fingerprint(directory):
    found = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if name != "LOCK" and os.path.isfile(path):
            with open(path, "rb") as file:
                found[name] = file.read()
    return found


class Repair(harness.Store):
    """A store of two appends, each closed cleanly: the second is hurt, and the mark behind it vouches for it."""

    def setUp(self):
        super().setUp()
        for log in (1, 2):
            self.teak("append", "--dir", self.dir, "--log", log, data=b"one\ntwo\nthree\n")
        self.segment = os.path.join(self.dir, "0000000000000001.seg")

    def hurt(self, part):
        """The frame before the last, in its payload or its table."""
        at, table = frames(self.segment)[-2]
        flip(self.segment, at + (table + 4 if part == "table" else 128))

    def repair(self, *words, status):
        out, err = self.teak("repair", "--dir", self.dir, "--json", *words, status=status)
        return json.loads(out), err

    def test_a_whole_store_needs_nothing(self):
        before = fingerprint(self.dir)
        for words in ((), ("--accept-loss",)):
            plan, err = self.repair(*words, status=0)
            self.assertEqual((plan["outcome"], plan["files"], plan["logs"], err), ("nothing to do", [], [], b""))
        self.assertEqual(fingerprint(self.dir), before)

    def test_a_plan_changes_nothing(self):
        self.hurt("payload")
        before = fingerprint(self.dir)
        plan, _ = self.repair(status=1)
        self.assertEqual(plan["outcome"], "not accepted")
        self.assertEqual([log["marks"] for log in plan["logs"]], [["tail lost"]])
        self.assertEqual([file["file"] for file in plan["files"]], ["0000000000000001.seg"])
        out, _ = self.teak("repair", "--dir", self.dir, status=1)
        self.assertIn(b"log:     2: entries 1 to 0 can be read; mark: tail lost\n", out)
        self.assertIn(b"not accepted\n", out)
        self.assertEqual(fingerprint(self.dir), before)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "replaced")))

    def test_accepted_the_store_opens_and_what_was_is_kept(self):
        self.hurt("payload")
        before = fingerprint(self.dir)["0000000000000001.seg"]
        self.teak("verify", "--dir", self.dir, status=1)
        done, _ = self.repair("--accept-loss", status=0)
        self.assertEqual(done["outcome"], "repaired")
        with open(os.path.join(self.dir, "replaced", "0000000000000001.seg"), "rb") as file:
            self.assertEqual(file.read(), before)
        self.teak("verify", "--dir", self.dir)
        self.assertEqual(self.teak("cat", "--dir", self.dir, "--log", 1)[0], b"one\ntwo\nthree\n")
        seen = json.loads(self.teak("inspect", "--dir", self.dir, "--json")[0])
        self.assertEqual({log["id"]: log["marks"] for log in seen["logs"]}, {1: [], 2: ["tail lost"]})
        out, err = self.teak("append", "--dir", self.dir, "--log", 2, data=b"more\n", status=1)
        self.assertIn(b"quarantined", err)
        again, _ = self.repair("--accept-loss", status=0)
        self.assertEqual(again["outcome"], "nothing to do")

    def test_a_hurt_log_is_dropped_a_whole_one_is_not(self):
        self.hurt("table")
        plan, _ = self.repair(status=1)
        self.assertEqual({log["id"]: log["marks"] for log in plan["logs"]}[1], ["tail lost", "hard state suspect"])
        self.assertTrue(plan["report"]["logs_may_be_missing"])
        self.repair("--accept-loss", "--drop", 1, status=0)
        self.teak("append", "--dir", self.dir, "--log", 1, data=b"anew\n")
        self.assertEqual(self.teak("cat", "--dir", self.dir, "--log", 1)[0], b"anew\n")
        self.teak("repair", "--dir", self.dir, "--accept-loss", "--drop", 1, status=2)

    def test_wrong_use(self):
        self.teak("repair", status=2)
        self.teak("repair", "--dir", self.dir, "--nonsense", status=2)
        self.teak("repair", "--dir", self.path("nowhere"), status=1)
        self.teak("repair", "--help")


if __name__ == "__main__":
    harness.main()
