#!/usr/bin/env python3
"""copy_test.py: teak copy: of stores at rest and of living ones, linked and by bytes, cut short, and copied again."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import harness

SEGMENT = ["--segment-bytes", "64K"]


def entries_of(first, last, size=600):
    return [(b"%012d." % index) * (size // 13) for index in range(first, last + 1)]


class Copy(harness.Store):
    def setUp(self):
        super().setUp()
        self.to = self.path("copy")

    def append(self, directory, first, last, *words):
        self.teak("append", "--dir", directory, *SEGMENT, *words, data=harness.lines(entries_of(first, last)))

    def expect(self, directory, last, first=1):
        out, _ = self.teak("cat", "--dir", directory)
        self.assertTrue(out == harness.lines(entries_of(first, last)), f"{directory}: not entries {first} to {last}")

    def acked(self):
        try:
            with open(self.path("ack"), encoding="ascii") as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0

    def uuids(self, directory):
        about = json.loads(self.teak("inspect", "--dir", directory, "--json")[0])
        return about["store"]["family"], about["store"]["instance"]

    def report(self, directory):
        return json.loads(self.teak("inspect", "--dir", directory, "--json")[0])["report"]

    def both_go_on(self, last):
        """Written on in both, in different ways, whole in both."""
        self.append(self.dir, last + 1, last + 500)
        self.expect(self.to, last)
        self.append(self.to, last + 1, last + 200)
        self.expect(self.dir, last + 500)
        self.expect(self.to, last + 200)
        self.teak("verify", "--dir", self.dir)
        self.teak("verify", "--dir", self.to)

    def test_leftovers_are_not_copied(self):
        """What a crash or somebody left lies beside the store's files, and means nothing."""
        self.append(self.dir, 1, 1000)
        os.makedirs(os.path.join(self.dir, "snapshots"), exist_ok=True)
        os.mkdir(os.path.join(self.dir, "replaced"))
        names = ["STORE.tmp", "notes.txt", "spare-00000000000000ff.tmp", "spare-00000000000000fe.seg",
                 "snapshots/7.part", "snapshots/notes", "replaced/0000000000000001.seg", "00000000000000FF.seg"]
        for name in names:
            with open(os.path.join(self.dir, name), "wb") as file:
                file.write(b"left" * 1000)
        self.teak("copy", self.dir, self.to)
        for name in names:
            self.assertFalse(os.path.exists(os.path.join(self.to, name)), name)
            with open(os.path.join(self.dir, name), "rb") as file:
                self.assertEqual(file.read(), b"left" * 1000)
        self.expect(self.to, 1000)
        self.teak("verify", "--dir", self.to)

    def test_a_store_at_rest(self):
        self.append(self.dir, 1, 1000)
        out, _ = self.teak("copy", self.dir, self.to, "--json")
        about = json.loads(out)
        self.assertGreater(about["linked"], 5)
        self.assertEqual(about["segments"], about["linked"] + about["copied"])
        self.assertEqual(self.report(self.to)["verdict"], "clean")
        self.teak("verify", "--dir", self.to)
        self.expect(self.to, 1000)
        self.assertEqual(self.uuids(self.dir)[0], self.uuids(self.to)[0])
        self.assertNotEqual(self.uuids(self.dir)[1], self.uuids(self.to)[1])
        self.assertEqual(self.uuids(self.to)[1], about["instance"])
        self.assertFalse(os.path.exists(os.path.join(self.to, "STATS")))
        self.both_go_on(1000)

    def test_an_empty_log_and_a_copy_of_a_copy(self):
        self.teak("append", "--dir", self.dir, *SEGMENT)
        self.teak("copy", self.dir, self.to)
        self.append(self.to, 1, 700)
        self.teak("copy", "--from", self.to, "--to", self.path("third"))
        self.expect(self.path("third"), 700)
        self.assertEqual(len({self.uuids(d)[1] for d in (self.dir, self.to, self.path("third"))}), 3)
        self.append(self.path("third"), 701, 1400)
        self.append(self.to, 701, 900)
        for directory, last in ((self.path("third"), 1400), (self.to, 900)):
            self.teak("verify", "--dir", directory)
            self.expect(directory, last)

    def test_by_bytes_onto_another_file_system(self):
        if os.stat("/dev/shm").st_dev == os.stat(self.work).st_dev:
            self.skipTest("no second file system here")
        other = tempfile.mkdtemp(prefix="teak-copy-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, other, ignore_errors=True)
        self.append(self.dir, 1, 1000)
        self.to = os.path.join(other, "copy")
        about = json.loads(self.teak("copy", self.dir, self.to, "--json")[0])
        self.assertEqual(about["linked"], 0)
        self.expect(self.to, 1000)
        self.both_go_on(1000)

    def test_a_killed_writer(self):
        writer = subprocess.Popen([harness.teak_path, "append", "--dir", self.dir, *SEGMENT, "--ack",
                                   self.path("ack")], stdin=subprocess.PIPE)
        writer.stdin.write(harness.lines(entries_of(1, 2000)))
        writer.stdin.flush()
        while self.acked() < 500:
            time.sleep(0.001)
        writer.send_signal(signal.SIGKILL)
        writer.wait(30)
        acked = self.acked()
        writer.stdin.close()
        self.teak("copy", self.dir, self.to)
        last = json.loads(self.teak("inspect", "--dir", self.to, "--json")[0])["logs"][0]["last_index"]
        self.assertGreaterEqual(last, acked)
        self.teak("verify", "--dir", self.to)
        self.expect(self.to, last)

    def test_beside_a_writer_all_that_was_acknowledged_is_there(self):
        writer = subprocess.Popen([harness.teak_path, "append", "--dir", self.dir, *SEGMENT, "--ack",
                                   self.path("ack")], stdin=subprocess.PIPE)
        self.addCleanup(lambda: (writer.kill(), writer.wait(30), writer.stdin.close()))
        next_index = 1
        for turn in range(12):
            count = self.random.randrange(20, 400)
            writer.stdin.write(harness.lines(entries_of(next_index, next_index + count - 1)))
            writer.stdin.flush()
            next_index += count
            if turn % 2:
                time.sleep(self.random.random() * 0.05)
            acked = self.acked()
            to = self.path(f"copy{turn}")
            _, err = self.teak("copy", self.dir, to, status=None)
            if not os.path.exists(os.path.join(to, "STORE")):
                self.assertEqual(acked, 0, err) # the store itself was not made yet
                continue
            logs = json.loads(self.teak("inspect", "--dir", to, "--json")[0])["logs"]
            last = logs[0]["last_index"] if logs else 0
            self.assertGreaterEqual(last, acked)
            self.teak("verify", "--dir", to)
            if last > 0:
                self.expect(to, last)
            self.append(to, last + 1, last + 50)
            self.expect(to, last + 50)
        writer.stdin.close()
        self.assertEqual(writer.wait(60), 0)
        self.expect(self.dir, next_index - 1)
        self.teak("verify", "--dir", self.dir)

    def test_beside_a_writer_that_recycles_at_full_speed(self):
        seconds = 20
        bench = subprocess.Popen([harness.teak_path, "bench", "append", "--dir", self.dir, "--entry-bytes", "4000",
                                  "--window", "64", "--seconds", str(seconds), "--retain-bytes", "1M", "--keep",
                                  "--segment-bytes", "256K", "--strategy", "buffered", "--no-ceiling"],
                                 stdout=subprocess.DEVNULL)
        self.addCleanup(lambda: (bench.kill(), bench.wait(30)))
        rounds, restarts, end = 0, 0, time.monotonic() + seconds - 4
        while not os.path.exists(os.path.join(self.dir, "STORE")):
            self.assertIsNone(bench.poll())
            time.sleep(0.01)
        while rounds < 4 or time.monotonic() < end:
            to = self.path(f"copy{rounds}")
            about = json.loads(self.teak("copy", self.dir, to, "--json")[0])
            restarts += about["restarts"]
            self.teak("verify", "--dir", to)
            self.teak("append", "--dir", to, "--log", 999999, data=harness.lines(entries_of(1, 100)))
            self.teak("verify", "--dir", to)
            if rounds % 3 == 0:
                shutil.rmtree(to)
            rounds += 1
        self.assertEqual(bench.wait(60), 0)
        for turn in range(rounds):
            if os.path.exists(self.path(f"copy{turn}")): # the origin has recycled ever since
                self.teak("verify", "--dir", self.path(f"copy{turn}"))
        self.teak("verify", "--dir", self.dir)
        print(f"{rounds} copies, {restarts} begun again")

    def test_the_copier_is_killed_anywhere(self):
        self.append(self.dir, 1, 1500)
        shutil.copytree(self.dir, self.path("witness"))
        whole = 0
        for turn in range(25):
            to = self.path(f"killed{turn}")
            copier = subprocess.Popen([harness.teak_path, "copy", self.dir, to], stdout=subprocess.DEVNULL)
            time.sleep(self.random.random() * (0.25 if harness.is_sanitized() else 0.1))
            copier.send_signal(signal.SIGKILL)
            copier.wait(30)
            if os.path.exists(os.path.join(to, "STORE")):
                whole += 1
                self.teak("verify", "--dir", to)
                self.expect(to, 1500)
            elif os.path.exists(to):
                self.teak("verify", "--dir", to, status=1)
                if os.listdir(to):
                    _, err = self.teak("copy", self.dir, to, status=1)
                    self.assert_one_line(err, to, "not empty")
            self.teak("verify", "--dir", self.dir)
        print(f"{whole} of 25 were done before the kill")
        self.expect(self.dir, 1500)
        for name in os.listdir(self.dir): # not a byte of the origin has changed
            if name.endswith(".seg"):
                with open(os.path.join(self.dir, name), "rb") as one, \
                     open(os.path.join(self.path("witness"), name), "rb") as other:
                    self.assertTrue(one.read() == other.read(), name)
        self.append(self.dir, 1501, 3000)
        self.expect(self.dir, 3000)
        self.teak("verify", "--dir", self.dir)

    def test_what_is_there_is_left_alone(self):
        self.append(self.dir, 1, 10)
        os.mkdir(self.to)
        self.teak("copy", self.dir, self.to) # empty: taken
        _, err = self.teak("copy", self.dir, self.to, status=1)
        self.assert_one_line(err, self.to, "not empty")
        self.expect(self.to, 10)
        letter = self.path("letter")
        os.mkdir(letter)
        with open(os.path.join(letter, "dear"), "w", encoding="ascii") as file:
            file.write("x")
        self.assert_one_line(self.teak("copy", self.dir, letter, status=1)[1], "dear")
        self.assertEqual(os.listdir(letter), ["dear"])

    def test_damage_is_refused(self):
        self.append(self.dir, 1, 1000)
        victim = sorted(name for name in os.listdir(self.dir) if name[0] == "0")[3]
        os.unlink(os.path.join(self.dir, victim))
        _, err = self.teak("copy", self.dir, self.to, status=1)
        self.assert_one_line(err, victim)
        self.assertFalse(os.path.exists(os.path.join(self.to, "STORE")))

    def test_wrong_use(self):
        for words, says in (([], "FROM"), ([self.dir], "TO"), ([self.dir, self.to, "x"], "x")):
            self.assert_one_line(self.teak("copy", *words, status=2)[1], says)
        self.assert_one_line(self.teak("copy", self.dir, self.to, status=1)[1], self.dir)
        self.assertFalse(os.path.exists(self.to))
        self.append(self.dir, 1, 10)
        self.assert_one_line(self.teak("copy", self.dir, os.path.join(self.path("no"), "where"), status=1)[1])


if __name__ == "__main__":
    harness.main()
