#!/usr/bin/env python3
"""repair_test.py: teak repair: a plan, nothing without --accept-loss, and a store that opens again."""
import json
import os
import struct
import subprocess

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

    def salvage(self, *words, status=0):
        out, err = self.teak("repair", "--dir", self.dir, "--salvage", self.path("new"), "--json", *words,
                             status=status)
        return json.loads(out), err

    def test_salvage_takes_what_can_be_read_and_leaves_the_rest(self):
        self.hurt("payload")
        before = fingerprint(self.dir)
        done, _ = self.salvage()
        self.assertEqual(done["outcome"], "salvaged")
        self.assertEqual([(log["id"], log["first_index"], log["last_index"], log["lost_first"], log["marks"])
                          for log in done["logs"]], [(1, 1, 3, 0, []), (2, 1, 0, 1, ["tail lost"])])
        self.assertEqual(fingerprint(self.dir), before)
        new = self.path("new")
        self.teak("verify", "--dir", new)
        self.assertEqual(self.teak("cat", "--dir", new, "--log", 1)[0], b"one\ntwo\nthree\n")
        self.teak("append", "--dir", new, "--log", 1, data=b"four\n")
        self.assertIn(b"quarantined", self.teak("append", "--dir", new, "--log", 2, data=b"x\n", status=1)[1])
        self.assertFalse(os.path.exists(new + ".unfinished"))
        self.assertIn(b"is not empty", self.salvage(status=1)[1])
        self.teak("repair", "--dir", new, "--accept-loss", "--drop", 2)
        self.teak("append", "--dir", new, "--log", 2, data=b"anew\n")

    def test_salvage_for_a_person(self):
        self.hurt("payload")
        out, _ = self.teak("repair", "--dir", self.dir, "--salvage", self.path("new"))
        self.assertIn(b"log:     1: entries 1 to 3\n", out)
        self.assertIn(b"log:     2: entries 1 to 0; lost: what there was from 1 on; mark: tail lost\n", out)
        self.assertIn(b"2 logs, 1 of them hurt; 3 entries", out)

    def test_a_salvage_that_was_killed_is_done_again(self):
        """Killed at any moment: there is no NEWDIR, or it is whole. Then done again."""
        self.teak("append", "--dir", self.dir, "--log", 3, data=harness.lines([b"x" * 1000] * 3000))
        self.hurt("payload")
        new, killed = self.path("new"), 0
        for attempt in range(12):
            run = subprocess.Popen([harness.teak_path, "repair", "--dir", self.dir, "--salvage", new],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                run.wait(0.002 * 2 ** attempt)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
            if os.path.exists(new):
                break
            killed += 1
            self.teak("inspect", "--dir", new, status=1)
        if not os.path.exists(new):
            self.salvage()
        print(f"killed {killed} times", flush=True)
        self.teak("verify", "--dir", new)
        seen = json.loads(self.teak("inspect", "--dir", new, "--json")[0])
        self.assertEqual([log["id"] for log in seen["logs"]], [1, 2, 3])
        self.assertFalse(os.path.exists(new + ".unfinished"))

    def test_a_foreign_file_in_the_way_stays(self):
        self.hurt("payload")
        os.mkdir(self.path("new.unfinished"))
        with open(self.path("new.unfinished/mine"), "wb") as file:
            file.write(b"mine")
        self.assertIn(b"mine", self.salvage(status=1)[1])
        self.assertTrue(os.path.exists(self.path("new.unfinished/mine")))
        self.salvage("--accept-loss", status=2)
        self.salvage("--drop", 1, status=2)

    def test_a_lost_store_file_is_made_anew(self):
        """History 15: missing, cut short, rotten anywhere that means something."""
        path = os.path.join(self.dir, "STORE")
        with open(path, "rb") as file:
            whole = file.read()
        for what in ("missing", "empty", "short", 0, 9, 30, 250):
            with open(path, "wb") as file:
                if isinstance(what, int):
                    file.write(whole[:what] + bytes([whole[what] ^ 1]) + whole[what + 1:])
                elif what == "short":
                    file.write(whole[:100])
            if what == "missing":
                os.remove(path)
            self.teak("cat", "--dir", self.dir, "--log", 1, status=1)
            before = fingerprint(self.dir)
            plan, _ = self.repair(status=1)
            self.assertEqual((plan["outcome"], plan["rebuilds_store"]), ("not accepted", True))
            self.assertEqual(fingerprint(self.dir), before)
            done, _ = self.repair("--accept-loss", status=0)
            self.assertEqual(done["outcome"], "repaired")
            for log in (1, 2):
                self.assertEqual(self.teak("cat", "--dir", self.dir, "--log", log)[0], b"one\ntwo\nthree\n")
            self.teak("verify", "--dir", self.dir)
            with open(path, "rb") as file:
                now = file.read()
            self.assertEqual(now[:40], whole[:40])  # sizes and family
            self.assertNotEqual(now[40:56], whole[40:56])  # the instance is another one
        kept = sorted(os.listdir(os.path.join(self.dir, "replaced")))
        self.assertEqual(kept, ["STORE", "STORE.1", "STORE.2", "STORE.3", "STORE.4", "STORE.5"])

    def test_segments_of_two_stores_make_no_store(self):
        other = self.path("other")
        self.teak("append", "--dir", other, "--log", 1, data=b"x\n")
        os.remove(os.path.join(self.dir, "STORE"))
        os.rename(os.path.join(other, "0000000000000001.seg"), os.path.join(self.dir, "0000000000000002.seg"))
        _, err = self.repair("--accept-loss", status=1)
        self.assertIn(b"foreign_file", err)

    def test_leftovers_stay_where_they_are(self):
        self.hurt("payload")
        os.mkdir(os.path.join(self.dir, "snapshots"))
        names = ["snapshots/2.part", "snapshots/mine", "notes.txt"]
        for name in names:
            with open(os.path.join(self.dir, name), "wb") as file:
                file.write(b"left")
        self.repair(status=1)
        for name in names:
            self.assertTrue(os.path.exists(os.path.join(self.dir, name)))
        self.salvage()
        self.assertEqual([name for name in os.listdir(self.path("new")) if name in ("snapshots", "notes.txt")], [])

    def test_wrong_use(self):
        self.teak("repair", status=2)
        self.teak("repair", "--dir", self.dir, "--nonsense", status=2)
        self.teak("repair", "--dir", self.path("nowhere"), status=1)
        self.teak("repair", "--help")


if __name__ == "__main__":
    harness.main()
