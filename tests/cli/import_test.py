#!/usr/bin/env python3
"""import_test.py: teak import: files of both formats, made here; torn, damaged and hostile ones."""
import glob
import json
import os
import shutil
import struct
import subprocess

import harness

MAGIC = b"engenho-persistent-log v1\n"
CRC_TABLE = []
for value in range(256):
    for _ in range(8):
        value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    CRC_TABLE.append(value)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


IV = (0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def compress(chain, block, counter, size, flags):
    v = [*chain, *IV[:4], counter & 0xffffffff, counter >> 32, size, flags]
    m = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(COLUMNS):
            for word, first, second in ((m[2 * i], 16, 12), (m[2 * i + 1], 8, 7)):
                v[a] = (v[a] + v[b] + word) & 0xffffffff
                x = v[d] ^ v[a]
                v[d] = (x >> first | x << 32 - first) & 0xffffffff
                v[c] = (v[c] + v[d]) & 0xffffffff
                x = v[b] ^ v[c]
                v[b] = (x >> second | x << 32 - second) & 0xffffffff
        m = [m[i] for i in ORDER]
    return [v[i] ^ v[i + 8] for i in range(8)]


def blake3_words(data, counter, root):
    if len(data) <= 1024:
        chain = IV
        blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
        for i, block in enumerate(blocks):
            flags = (i == 0) | (2 | root if i + 1 == len(blocks) else 0)
            chain = compress(chain, block, counter, len(block), flags)
        return chain
    left = 1024
    while left * 2 < len(data):
        left *= 2
    both = blake3_words(data[:left], counter, 0) + blake3_words(data[left:], counter + left // 1024, 0)
    return compress(IV, struct.pack("<16I", *both), 0, 64, 4 | root)


def blake3(data):
    return struct.pack("<8I", *blake3_words(data, 0, 8))


def wal(*payloads):
    return b"".join(struct.pack("<II", crc32c(struct.pack("<I", len(p)) + p), len(p)) + p for p in payloads)


def entry(term, index, data, kind=0):
    return struct.pack("<BQQBQ", 1, term, index, kind, len(data)) + data


def hard_state(term, vote=None):
    return struct.pack("<BQBQ", 2, term, vote is not None, vote or 0)


def truncate(start):
    return struct.pack("<BQ", 3, start)


def snapshot(index, term, ids, data):
    return struct.pack(f"<BQQQ{len(ids)}QQ", 4, index, term, len(ids), *ids, len(data)) + data


def engenho(*records):
    return MAGIC + b"".join(struct.pack("<QQ", index, len(data)) + blake3(data) + data for index, data in records)


class Import(harness.Store):
    count = 0

    def run_import(self, form, data, *words, status=0, log=7):
        path = self.path("input")
        with open(path, "wb") as file:
            file.write(data)
        return self.teak("import", "--from", form, "--log", log, path, self.dir, "--segment-bytes", "256K", *words,
                         status=status)

    def cat(self, log=7):
        return self.teak("cat", "--dir", self.dir, "--log", log)[0].split(b"\n")[:-1]

    def log(self, log=7):
        about = json.loads(self.teak("inspect", "--dir", self.dir, "--json")[0])
        return next((each for each in about["logs"] if each["id"] == log), None)

    def refused(self, form, data, *says):
        _, err = self.run_import(form, data, status=1)
        self.assert_one_line(err, *says)
        if os.path.exists(self.dir):
            self.assertIsNone(self.log())

    def test_the_sums_are_the_known_ones(self):
        self.assertEqual(crc32c(b"123456789"), 0xe3069283)
        for size, begins in ((0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
                             (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
                             (1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"),
                             (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
                             (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444")):
            self.assertEqual(blake3(bytes(i % 251 for i in range(size))).hex(), begins, size)

    def test_engenho_of_many_lengths(self):
        sizes = sorted({0, 1, 63, 64, 65, 127, 128, 1023, 1024, 1025, 2048, 2049, 3072, 4096, 4097, 8192, 8193, 10000,
                        *(self.random.randrange(10000) for _ in range(40))})
        records = [(5 + i, bytes(65 + (k * 7 + i) % 25 for k in range(size))) for i, size in enumerate(sizes)]
        self.run_import("engenho", engenho(*records), "--term", 3)
        self.assertEqual(self.cat(), [data for _, data in records])
        log = self.log()
        self.assertEqual((log["first_index"], log["last_index"], log["last_term"], log["meta_bytes"]),
                         (5, 4 + len(sizes), 3, 0))
        self.teak("verify", "--dir", self.dir)

    def test_wal_db_with_everything(self):
        data = wal(hard_state(1, 3), *(entry(1, i, b"old%d" % i, 2) for i in range(1, 21)), truncate(15), truncate(99),
                   hard_state(2), *(entry(2, i, b"new%d" % i) for i in range(15, 31)),
                   snapshot(10, 1, [1, 2, 3], b"state"), snapshot(8, 1, [9], b"stale"), hard_state(4, 2),
                   entry(4, 31, b""), entry(4, 32, b"x" * 50000))
        os.mkdir(self.path("snapshots"))
        self.run_import("wal-db", data, "--snapshots-to", self.path("snapshots"))
        want = [b"old%d" % i for i in range(11, 15)] + [b"new%d" % i for i in range(15, 31)] + [b"", b"x" * 50000]
        self.assertEqual(self.cat(), want)
        log = self.log()
        self.assertEqual((log["first_index"], log["last_index"], log["last_term"]), (11, 32, 4))
        self.assertEqual(log["hard_state"], {"term": 4, "vote": 2, "commit": 0})
        self.assertEqual(log["snapshot"], {"index": 10, "term": 1})
        with open(self.path("snapshots/7-10-1.snapshot"), "rb") as file:
            self.assertEqual(file.read(), b"state")
        with open(self.path("snapshots/7-10-1.members"), "rb") as file:
            self.assertEqual(file.read(), b"1\n2\n3\n")
        self.assertEqual(self.snapshot_file("7-10-1"), (b"1\n2\n3\n", b"state"))
        self.teak("append", "--dir", self.dir, "--log", 7, data=b"goes on\n")
        self.teak("verify", "--dir", self.dir)

    def test_a_snapshot_that_does_not_match_clears(self):
        data = wal(entry(1, 1, b"a"), entry(1, 2, b"b"), snapshot(9, 5, [], b""), entry(5, 10, b"c"))
        self.run_import("wal-db", data)
        self.assertEqual(self.cat(), [b"c"])
        self.assertEqual(self.log()["first_index"], 10)

    def snapshot_file(self, begins):
        """Meta and body of a snapshot of less than a chunk, as docs/format.md has them."""
        found = glob.glob(os.path.join(self.dir, "snapshots", begins + "-*.snap"))
        self.assertEqual(len(found), 1)
        with open(found[0], "rb") as file:
            data = file.read()
        meta_bytes = struct.unpack_from("<I", data, 96)[0]
        end = (128 + meta_bytes + 4095) // 4096 * 4096
        size = struct.unpack_from("<I", data, end + 8)[0] if data[end:end + 8] != b"TEAKSFOT" else 0
        return data[128:128 + meta_bytes], data[end + 16:end + 16 + size]

    def test_a_snapshot_becomes_the_logs(self):
        body = bytes(self.random.randrange(256) for _ in range(200000))
        self.run_import("wal-db", wal(snapshot(9, 5, [4, 1 << 60], body), entry(5, 10, b"c")))
        self.assertEqual(self.cat(), [b"c"])
        self.assertEqual(self.log()["snapshot"], {"index": 9, "term": 5})
        self.teak("verify", "--dir", self.dir)
        meta, first = self.snapshot_file("7-9-5")
        self.assertEqual(meta, b"4\n%d\n" % (1 << 60))
        self.assertEqual(first, body[:len(first)])
        self.assertEqual(len(first), 65520)
        self.run_import("wal-db", wal(snapshot(3, 1, [], b"x")), log=8)
        self.assertEqual(self.snapshot_file("8-3-1"), (b"", b"x"))
        self.run_import("wal-db", wal(snapshot(3, 1, [6], b"")), log=9)
        self.assertEqual(self.snapshot_file("9-3-1"), (b"6\n", b""))

    def test_members_that_do_not_fit_leave_no_log(self):
        self.refused("wal-db", wal(snapshot(9, 5, list(range(10 ** 18, 10 ** 18 + 4000)), b"x")), "meta_too_large")

    def test_the_sums_are_those_of_b3sum(self):
        """An implementation by others, from a package: its sums are written into the file that is imported."""
        if shutil.which("b3sum") is None:
            self.skipTest("no b3sum here")
        records, out = [], bytearray(MAGIC)
        for index, size in enumerate((0, 1, 64, 1023, 1024, 1025, 3000, 65536, 65537, 100001), 1):
            data = self.random.randbytes(size).replace(b"\n", b".")
            sum_of = subprocess.run(["b3sum", "--raw"], input=data, capture_output=True, check=True, timeout=60).stdout
            self.assertEqual(len(sum_of), 32)
            records.append(data)
            out += struct.pack("<QQ", index, size) + sum_of + data
        self.run_import("engenho", bytes(out), "--segment-bytes", "1M")
        self.assertEqual(self.cat(), records)

    def test_killed_at_any_moment_it_is_done_again(self):
        """Between, the log is not there, or says of itself that it is incomplete; or all of it is there."""
        many = [b"%06d" % i + b"." * 200 for i in range(1, 3001)]
        data = wal(snapshot(5, 1, [1], b"s" * 100000), *(entry(1, 5 + i, each) for i, each in enumerate(many, 1)))
        path = self.path("input")
        with open(path, "wb") as file:
            file.write(data)
        words = [harness.teak_path, "import", "--from", "wal-db", "--log", "7", path, self.dir, "--segment-bytes",
                 "256K"]
        killed = 0
        for attempt in range(14):
            run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                run.wait(0.001 * 2 ** attempt)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
            if run.returncode == 0:
                break
            killed += 1
            if not os.path.exists(os.path.join(self.dir, "STORE")):
                continue
            log = self.log()
            if log and log["meta_bytes"] == 0 and log["last_index"] > 0:  # killed behind its last word
                break
        else:
            self.run_import("wal-db", data)
        print(f"killed {killed} times", flush=True)
        self.assertEqual(self.cat(), many)
        self.assertEqual((self.log()["meta_bytes"], self.log()["snapshot"]), (0, {"index": 5, "term": 1}))
        self.teak("append", "--dir", self.dir, "--log", 9, data=b"x\n")  # the chores take away what no record names
        self.assertEqual(len(glob.glob(os.path.join(self.dir, "snapshots", "7-*.snap"))), 1)
        self.teak("verify", "--dir", self.dir)

    def test_nothing_and_many(self):
        self.run_import("wal-db", b"", log=1)
        self.run_import("engenho", MAGIC, log=2)
        many = [b"entry %d" % i for i in range(1, 5001)]
        self.run_import("wal-db", wal(*(entry(1 + i // 1000, i + 1, data) for i, data in enumerate(many))), log=3)
        self.assertEqual(self.cat(3), many)
        out, _ = self.run_import("engenho", engenho((1, b"a")), "--json", log=4)
        self.assertEqual(json.loads(out)["entries"], 1)

    def test_a_vote_for_node_zero(self):
        data = wal(hard_state(2, 0))
        self.refused("wal-db", data, "--node-zero-as")
        self.run_import("wal-db", data, "--node-zero-as", 77)
        self.assertEqual(self.log()["hard_state"]["vote"], 77)

    def test_a_log_that_is_there(self):
        self.teak("append", "--dir", self.dir, "--segment-bytes", "256K", "--log", 7, data=b"mine\n")
        _, err = self.run_import("engenho", engenho((1, b"a")), status=1)
        self.assert_one_line(err, "log_exists")
        self.assertEqual(self.cat(), [b"mine"])

    def test_what_is_too_large_leaves_no_log(self):
        self.refused("wal-db", wal(entry(1, 1, b"a"), entry(1, 2, b"x" * 200000)), "entry_too_large")
        self.run_import("wal-db", wal(entry(1, 1, b"a")))
        self.assertEqual(self.cat(), [b"a"])

    def test_torn_tails(self):
        for form, whole in (("wal-db", wal(*(entry(1, i, b"entry%d" % i) for i in range(1, 6)))),
                            ("engenho", engenho(*((i, b"entry%d" % i) for i in range(1, 6))))):
            last = len(whole) - (len(wal(entry(1, 5, b"entry5"))) if form == "wal-db" else 48 + 6)
            for cut in sorted({last + 1, last + 7, last + 9, len(whole) - 1}):
                self.count += 1
                _, err = self.run_import(form, whole[:cut], status=1, log=self.count)
                self.assert_one_line(err, f"offset {last}")
                self.assertEqual(len(self.cat(self.count)), 4)
            self.count += 1
            self.run_import(form, whole[:last] + b"\0" * 500, "--allow-torn-tail", log=self.count)
            self.assertEqual(len(self.cat(self.count)), 4)

    def test_damage_in_the_middle_is_refused_with_its_place(self):
        for form, whole, size in (("wal-db", wal(*(entry(1, i, b"entry%d" % i) for i in range(1, 6))), 8 + 26 + 6),
                                  ("engenho", engenho(*((i, b"entry%d" % i) for i in range(1, 6))), 48 + 6)):
            base = len(MAGIC) if form == "engenho" else 0
            for at in (base + size, base + size + 5, base + 3 * size - 1):
                bad = bytearray(whole)
                bad[at] ^= 0x40
                self.refused(form, bytes(bad), f"offset {base + (at - base) // size * size}")

    def test_nonsense_under_good_sums(self):
        for payload in (b"", b"\x05", b"\x01short", struct.pack("<BQQBQ", 1, 1, 1, 0, 1 << 63), b"\x03" + b"\0" * 7,
                        struct.pack("<BQBQ", 2, 1, 2, 1), struct.pack("<BQQQQ", 4, 1, 1, 1 << 61, 0),
                        struct.pack("<BQQQQ", 4, 1, 1, 0, 1 << 63), entry(1, 1, b"x") + b"y"):
            self.refused("wal-db", wal(payload, entry(1, 1, b"x")), "offset 0")
        for payloads in ((entry(1, 2, b""),), (entry(2, 1, b""), entry(1, 2, b"")), (entry(1, 0, b""),),
                         (truncate(0),), (hard_state(2), hard_state(1)), (hard_state(2, 1), hard_state(2, 5)),
                         (entry(1, 1, b""), entry(1, 1, b"")), (snapshot(5, 1, [], b""), truncate(5)),
                         (snapshot((1 << 64) - 1, 1, [], b""),)):
            self.refused("wal-db", wal(*payloads), "offset")
        self.refused("engenho", engenho((1, b"a"), (3, b"b")), "entry 3")
        self.refused("engenho", engenho((0, b"a"), (1, b"b")), "offset")
        self.refused("engenho", b"engenho-persistent-log v2\n", "engenho-persistent-log v1")
        self.refused("engenho", b"", "engenho-persistent-log v1")
        self.refused("engenho", MAGIC + struct.pack("<QQ", 1, 1 << 63) + engenho((1, b"a"))[26:], "offset 26")

    def test_every_truncation_and_many_flips_end_in_order(self):
        """No crash, no hang; what is imported is a prefix."""
        whole = {"wal-db": wal(entry(1, 1, b"one"), hard_state(1, 2), entry(1, 2, b"two"), truncate(2)),
                 "engenho": engenho((1, b"one"), (2, b"two"))}
        for form, data in whole.items():
            cases = [data[:cut] for cut in self.random.sample(range(len(data)), 25)]
            for _ in range(40):
                bad = bytearray(data)
                bad[self.random.randrange(len(bad))] ^= 1 << self.random.randrange(8)
                cases.append(bytes(bad))
            for case in cases:
                self.count += 1
                _, err = self.run_import(form, case, status=None, log=self.count)
                self.assertNotIn(b"Sanitizer", err)
                log = self.log(self.count)
                if log:
                    self.assertEqual(log["meta_bytes"], 0)
                    self.assertIn(self.cat(self.count), ([], [b"one"], [b"one", b"two"]))

    def test_bytes_that_pretend_do_not_take_for_ever(self):
        fake = struct.pack("<II", 1, 4 << 20) + b"\x04" + b"\0" * 8
        data = wal(entry(1, 1, b"x")) + fake * (4 << 20 >> 3)
        self.refused("wal-db", data, "offset")

    def test_wrong_use(self):
        for words, says in (([], "--from"), (["--from", "wal-db"], "--log"),
                            (["--from", "csv", "--log", 1, "a", "b"], "wal-db"),
                            (["--from", "wal-db", "--log", 1], "FILE"), (["--from", "wal-db", "--log", 1, "a"], "DIR")):
            self.assert_one_line(self.teak("import", *words, status=2)[1], says)
        _, err = self.teak("import", "--from", "wal-db", "--log", 1, self.path("none"), self.dir, status=1)
        self.assert_one_line(err, "none")
        self.assertFalse(os.path.exists(self.dir))


if __name__ == "__main__":
    harness.main()
