#!/usr/bin/env python3
"""examples_test.py: the programs of examples/ do what they say, and the README shows the one that is there."""
import os
import re
import subprocess

import harness


class Examples(harness.Store):
    def example(self, name, *words):
        program = os.path.join(os.path.abspath(harness.arguments.build), "examples", name)
        run = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(run.returncode, 0, f"{name}: {run.stdout}{run.stderr}")
        return run.stdout

    def test_the_readme_shows_hello_byte_for_byte(self):
        with open(os.path.join(harness.source_path, "README.md"), encoding="utf-8") as file:
            shown = re.findall(r"^```c\n(.*?)^```$", file.read(), re.S | re.M)
        with open(os.path.join(harness.source_path, "examples", "hello.c"), encoding="utf-8") as file:
            self.assertEqual(shown, [file.read()])

    def test_what_the_guide_quotes_stands_in_the_program(self):
        """Behind "From it:" stands a piece of the example that was linked last."""
        with open(os.path.join(harness.source_path, "docs", "embedding.md"), encoding="utf-8") as file:
            text = file.read()
        quotes = list(re.finditer(r"From it:\n\n```c\n(.*?)^```$", text, re.S | re.M))
        self.assertGreaterEqual(len(quotes), 1)
        for quote in quotes:
            linked = re.findall(r"\(\.\./(examples/\w+\.c)\)", text[:quote.start()])[-1]
            with open(os.path.join(harness.source_path, linked), encoding="utf-8") as file:
                self.assertIn(quote.group(1), file.read(), linked)

    def test_hello_goes_on_where_it_ended(self):
        for run in (1, 2, 3):
            lines = self.example("hello", self.dir).splitlines()
            self.assertEqual(lines, [f"{run * 100 - 9 + i} hello" for i in range(10)])
        out, _ = self.teak("cat", "--dir", self.dir, "--log", 7)
        self.assertEqual(out, b"hello\n" * 300)
        self.teak("verify", "--dir", self.dir)

    def test_an_epoll_loop_hears_of_every_batch(self):
        for run in (1, 2):
            self.assertEqual(self.example("epoll_loop", self.dir, 200), "200 batches durable\n")
            out, _ = self.teak("cat", "--dir", self.dir)
            self.assertEqual(out, b"tick\n" * 1600 * run)

    def test_threads_share_a_log(self):
        for run in (1, 2):
            self.assertEqual(self.example("many_threads", self.dir, 8, 50), "400 lines and 32 posted ones durable\n")
            out, _ = self.teak("cat", "--dir", self.dir)
            self.assertEqual(sorted(out.splitlines()), [b"line"] * 400 * run + [b"posted"] * 32 * run)

    def test_a_libuv_loop_hears_of_every_batch(self):
        if not os.path.exists(os.path.join(harness.arguments.build, "examples", "libuv_loop")):
            self.skipTest("no libuv here when this was built")
        for run in (1, 2):
            self.assertEqual(self.example("libuv_loop", self.dir, 200), "200 batches durable\n")
            out, _ = self.teak("cat", "--dir", self.dir)
            self.assertEqual(out, b"tick\n" * 1600 * run)
        program = os.path.join(os.path.abspath(harness.arguments.build), "examples", "libuv_loop")
        run = subprocess.run([program, os.path.join(self.work, "no", "such")], capture_output=True, text=True,
                             timeout=120, check=False)
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertTrue(run.stderr.startswith("no_directory: "), run.stderr)

    def raft(self, name):
        """What an example of the Raft core prints. Its clock is its own: the same each time."""
        return self.example(os.path.join("raft", name)).splitlines()

    def test_a_raft_node_alone(self):
        self.assertEqual(self.raft("raft_single"), ["node 1 applies 3: hello", "node 1 applies 4: world"])

    def test_three_raft_nodes_agree(self):
        leads, refused, *applied, committed = self.raft("raft_cluster")
        self.assertRegex(leads, r"^node [123] leads$")
        self.assertRegex(refused, r"^node [123] says not_leader$")
        self.assertEqual(sorted(applied), [f"node {node} applies 3: one for all" for node in (1, 2, 3)])
        self.assertEqual(committed, "1 committed")

    def test_a_replicated_log_survives_its_leaders(self):
        self.assertEqual(self.raft("raft_log"), ['100 lines, from "line 0" to "line 99", on all of 3 nodes'])

    def test_a_partition_heals(self):
        lines = self.raft("raft_partition")
        self.assertEqual(lines[0], "the others have a leader")
        self.assertEqual(lines[-1], "2 of the old leader's proposals are lost, none is in doubt")
        self.assertEqual(sorted(line for line in lines if "applies" in line),
                         [f"node {node} applies: life goes on" for node in range(1, 6)])

    def test_who_was_away_catches_up_by_a_snapshot(self):
        self.assertEqual(self.raft("raft_snapshot"), [
            "the leader's log has forgotten its first entries: yes",
            'who was away was restored 1 time, and has 231 lines, the last "later"'])

    def test_members_come_and_go(self):
        self.assertEqual(self.raft("raft_members"), ["members: 1 2 3 4+ 5+", "members: 1 2 3 4 5", "members: 3 4 5",
                                                     "a leader among them: yes"])

    def test_a_key_value_store(self):
        self.assertEqual(self.raft("raft_kv"),
                         [f"node {node}: wood teak, rope hemp, mast (none)" for node in (1, 2, 3)])

    def test_a_raft_node_on_the_engine_counts_on_after_it_was_killed(self):
        program = os.path.join(os.path.abspath(harness.arguments.build), "examples", "raft", "raft_persistent")
        printed = 0
        for _ in range(5):
            with subprocess.Popen([program, self.dir, "1000000000"], stdout=subprocess.PIPE, text=True) as run:
                try:
                    first = run.stdout.readline()
                    found = int(re.fullmatch(r"at (\d+)\n", first).group(1))
                    self.assertIn(found, (printed, printed + 1))  # one may have been committed and not printed
                    for number in range(found + 1, found + 20):
                        self.assertEqual(run.stdout.readline(), f"{number}\n")
                finally:
                    run.kill()
                rest = run.stdout.read().splitlines(keepends=True)  # a last line may be cut short
                numbers = [int(line) for line in rest if line.endswith("\n")]
                self.assertEqual(numbers, list(range(found + 20, found + 20 + len(numbers))))
                printed = found + 19 + len(numbers)
        lines = self.example(os.path.join("raft", "raft_persistent"), self.dir, printed + 3).splitlines()
        found = int(lines[0].split()[1])
        self.assertIn(found, (printed, printed + 1))
        self.assertEqual(lines[1:], [str(number) for number in range(found + 1, printed + 4)])
        self.teak("verify", "--dir", self.dir)

    def test_what_fails_is_said_in_a_line(self):
        program = os.path.join(os.path.abspath(harness.arguments.build), "examples", "hello")
        run = subprocess.run([program, os.path.join(self.work, "no", "such")], capture_output=True, text=True,
                             timeout=120, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertTrue(run.stderr.startswith("no_directory: "), run.stderr)


if __name__ == "__main__":
    harness.main()
