#!/usr/bin/env python3
"""kill_append_test.py: a writer is killed again and again; what its witness says was acknowledged is always there.

One store lives through all kills of a test. After each: `teak verify` and `teak cat` at once, while the kernel may
still be landing the dead owner's writes; the store holds a prefix of the input, not shorter than the witness.
"""
import os
import signal
import subprocess
import threading
import time

import harness

KILLS = 12


class Kill(harness.Store):
    def feed(self, run, data):
        """Into the writer's pipe in pieces of odd sizes, until it is gone."""
        at = 0
        try:
            while at < len(data):
                piece = self.random.randrange(1, 20000)
                run.stdin.write(data[at:at + piece])
                run.stdin.flush()
                at += piece
                if self.random.random() < 0.2:
                    time.sleep(self.random.random() * 0.004)
            run.stdin.close()
        except (BrokenPipeError, ValueError, OSError):
            pass

    def told(self, witness):
        if not os.path.exists(witness):
            return 0
        with open(witness, "rb") as file:
            return int(file.read().split(b"\n")[0] or b"0")

    def survive(self, *words, entry_bytes=200, kills=KILLS):
        if harness.is_sanitized():
            kills = (kills + 1) // 2
        entries = []
        written = 0  # entries known to be in the store
        landed_in_the_middle = 0
        witness = self.path("ack")
        for turn in range(kills):
            # The input goes on where the store ended. Each entry says which one it is.
            while len(entries) < written + 8000:
                fill = b"x" * self.random.randrange(entry_bytes)
                entries.append(b"%d %s" % (len(entries) + 1, fill))
            run = subprocess.Popen([harness.teak_path, "append", "--dir", self.dir, "--ack", witness, *map(str, words)],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            data = harness.lines(entries[written:])
            feeder = threading.Thread(target=self.feed, args=(run, data))
            feeder.start()
            # Most kills land behind the first acknowledgements; some before, while the store is being opened.
            patience = self.random.random() * 0.02 if turn % 4 == 3 else None
            goal = written + self.random.randrange(1, 6000)
            deadline = time.monotonic() + (patience if patience is not None else 60)
            while time.monotonic() < deadline and run.poll() is None and self.told(witness) < goal:
                time.sleep(0.0005)
            run.send_signal(signal.SIGKILL)
            status = run.wait()
            told = self.told(witness)
            feeder.join()
            try:
                run.stdin.close()
            except OSError:
                pass
            said = run.stderr.read().decode(errors="replace")
            run.stderr.close()
            self.assertIn(status, (-signal.SIGKILL, 0), said)
            if status != 0 and written < told < len(entries):
                landed_in_the_middle += 1
            if not os.path.exists(self.dir):
                continue
            at_once = subprocess.run([harness.teak_path, "verify", "--dir", self.dir], capture_output=True, timeout=120,
                                     check=False)
            if at_once.returncode != 0 and told == 0:
                continue  # killed before the store had come to be; the next writer has to make it
            self.assertEqual(at_once.returncode, 0, at_once.stderr.decode(errors="replace"))
            out, err = self.teak("cat", "--dir", self.dir, status=None)
            if told == 0 and not out:
                continue
            there = out.split(b"\n")[:-1]
            self.assertEqual(err, b"")
            self.assertGreaterEqual(len(there), told, f"turn {turn}: acknowledged entries are missing")
            self.assertEqual(there, entries[:len(there)], f"turn {turn}: not a prefix of the input")
            written = len(there)
        self.assertGreaterEqual(landed_in_the_middle, kills // 3, "the kills came too early or too late")
        # And it still takes the rest.
        rest = entries[written:]
        self.teak("append", "--dir", self.dir, "--ack", witness, *words, data=harness.lines(rest))
        self.assertEqual(self.teak("cat", "--dir", self.dir)[0], harness.lines(entries))
        self.assertEqual(self.told(witness), len(entries))
        self.teak("verify", "--dir", self.dir)

    def test_every_backend(self):
        for backend in harness.backends():
            with self.subTest(backend=backend):
                self.dir = self.path(f"store-{backend}")
                self.survive("--backend", backend)
                os.unlink(self.path("ack"))

    def test_every_strategy(self):
        for strategy in ("dsync", "fdatasync", "buffered"):
            with self.subTest(strategy=strategy):
                self.dir = self.path(f"store-{strategy}")
                self.survive("--strategy", strategy, kills=6)
                os.unlink(self.path("ack"))

    def test_small_segments(self):
        """Kills around rotations, fills and seals."""
        for backend in harness.backends():
            with self.subTest(backend=backend):
                self.dir = self.path(f"store-{backend}")
                self.survive("--backend", backend, "--segment-bytes", 65536, entry_bytes=400)
                os.unlink(self.path("ack"))

    def test_batches_are_whole_or_absent(self):
        """With --batch 1 each line stands alone; with a large one a kill never leaves the order."""
        for batch in (1, 1000):
            with self.subTest(batch=batch):
                self.dir = self.path(f"store-{batch}")
                self.survive("--batch", batch, kills=5)
                os.unlink(self.path("ack"))


if __name__ == "__main__":
    harness.main()
