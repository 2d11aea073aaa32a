#!/usr/bin/env python3
"""bench_test.py: loads of every kind: what they count, what they leave behind, what they refuse.

How fast anything is is nobody's business here: what is asserted holds on a machine that stands still half of the time.
"""
import errno
import fcntl
import html.parser
import json
import os
import pty
import re
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import harness


def interruptible(*words):
    """A benchmark that hears SIGINT, even where whoever runs the tests does not."""
    return subprocess.Popen([harness.teak_path, "bench", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def wait_for(path):
    until = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < until:
        time.sleep(0.01)


class Bench(harness.Store):
    def append(self, *words, status=0):
        return self.teak("bench", "append", "--dir", self.dir, *words, status=status)

    def measured(self, *words):
        """The JSON of a run without a ceiling."""
        out, err = self.append("--entry-bytes", 64, "--seconds", "0.1", "--no-ceiling", "--json", *words)
        self.assertEqual(err, b"")
        return json.loads(out)

    def assert_sound(self, result):
        """What holds of every result, whatever was measured."""
        counted = sum(count for _, _, count in result["histogram"])
        unfinished = result.get("open_loop", {}).get("unfinished", 0)
        self.assertEqual(counted, result["entries"] + unfinished)
        latencies = [micros for _, micros in result["quantiles"]]
        self.assertEqual(latencies, sorted(latencies))
        by_share = dict(map(tuple, result["quantiles"]))
        self.assertEqual(by_share[0.5], result["latency_us"]["p50"])
        self.assertEqual(by_share[0.99], result["latency_us"]["p99"])
        self.assertEqual(by_share[1], result["latency_us"]["max"])
        self.assertEqual(sum(run["entries"] for run in result["repetitions"]), result["entries"])
        self.assertEqual(result["load"]["repetitions"], len(result["repetitions"]))
        self.assertIsNot(result["disk"]["did_the_work"], False)
        for spread in result["spread"].values():
            self.assertLessEqual(spread["low"], spread["median"])
            self.assertLessEqual(spread["median"], spread["high"])
        for act in result["operations"]:
            self.assertGreater(act["count"], 0)

    def assert_gone(self):
        self.assertEqual(os.listdir(self.work), [])

    def test_closed_loop_with_repetitions_and_a_sweep(self):
        result = self.measured("--window", 64, "--reps", 3, "--sweep")
        self.assert_sound(result)
        self.assertEqual(len(result["repetitions"]), 3)
        self.assertEqual([point["window"] for point in result["sweep"]], [1, 4, 16, 64])
        for run in result["repetitions"] + result["sweep"]:
            self.assertGreater(run["entries"], 0)
        self.assert_gone()

    def test_open_loop_misses_no_request_however_slow_the_disk(self):
        """0.1 s at 5,000 a second are 500, be they durable in time or not."""
        for arrivals in ("even", "poisson"):
            result = self.measured("--rate", 5000, "--arrivals", arrivals)
            self.assert_sound(result)
            counted = result["entries"] + result["open_loop"]["unfinished"]
            if arrivals == "even":
                self.assertIn(counted, (499, 500, 501))
            else:
                self.assertGreater(counted, 300) # the same seed, always the same; where it begins is not
        self.assert_gone()

    def test_open_loop_beyond_all_reason_says_what_was_not_finished(self):
        result = self.measured("--rate", 100000000, "--entry-bytes", 4096, "--batch", 64, "--retain-bytes", "1M")
        self.assert_sound(result)
        self.assertGreater(result["open_loop"]["unfinished"], 0)
        self.assertGreater(result["latency_us"]["max"], 1e6 - 1) # what is left is as old as it is: a second at least
        self.assertAlmostEqual(result["entries"] + result["open_loop"]["unfinished"], 10000000, delta=64)

    def test_busy_polling_is_told(self):
        for words in (("--window", 4), ("--rate", 1000)):
            result = self.measured(*words, "--busy-poll")
            self.assert_sound(result)
            self.assertTrue(result["load"]["busy_poll"])
            self.assertFalse(self.measured(*words)["load"]["busy_poll"])
        out, _ = self.append("--entry-bytes", 64, "--window", 4, "--seconds", "0.05", "--busy-poll")
        self.assertIn(b"busy polling", out.splitlines()[0])
        self.assert_gone()

    def test_sizes_from_a_distribution(self):
        for text, low, high in (("uniform:16-48", 16, 48), ("exp:64", 0, 1024), ("8*1+16*3", 8, 16)):
            result = self.measured("--window", 64, "--entry-bytes", text, "--keep")
            self.assert_sound(result)
            self.assertEqual(result["load"]["entry_bytes"], text)
            out, _ = self.teak("cat", "--dir", self.dir, "--to", 50, "--framing", "len32")
            sizes = set()
            while out:
                size = int.from_bytes(out[:4], "little")
                sizes.add(size)
                out = out[4 + size:]
            self.assertGreater(len(sizes), 1)
            self.assertTrue(all(low <= size <= high for size in sizes), sizes)
            shutil.rmtree(self.dir)

    def test_a_mix_of_everything(self):
        mix = "append=1,tail=40,cold=40,term=40,truncate=1,compact=1"
        result = self.measured("--window", 64, "--mix", mix, "--keep", "--segment-bytes", "256K", "--preload-bytes",
                               "1M")
        self.assert_sound(result)
        self.assertEqual(result["load"]["mix"], mix)
        names = {act["operation"] for act in result["operations"]}
        self.assertLessEqual({"tail", "cold", "term"}, names)
        self.assertGreater(result["disk_reads"], 0) # what lies behind a megabyte is not in an arena of three quarters
        self.teak("verify", "--dir", self.dir)

    def test_a_replicator_leaves_two_logs_that_are_alike(self):
        for words in (["--window", 64], ["--rate", 2000]):
            result = self.measured("--mix", "replicator", "--batch", 4, "--keep", *words)
            self.assert_sound(result)
            leader, _ = self.teak("cat", "--dir", self.dir, "--log", 1, "--framing", "len32")
            follower, _ = self.teak("cat", "--dir", self.dir, "--log", 2, "--framing", "len32")
            self.assertGreater(len(leader), 0)
            self.assertEqual(leader, follower)
        self.teak("verify", "--dir", self.dir)

    def test_threads_through_a_committer(self):
        result = self.measured("--threads", 4, "--logs", 2, "--batch", 2, "--retain-bytes", "64K", "--keep")
        self.assert_sound(result)
        self.assertGreater(result["entries"], 0)
        logs = json.loads(self.teak("inspect", "--dir", self.dir, "--json")[0])["logs"]
        self.assertEqual(len(logs), 2)
        self.teak("verify", "--dir", self.dir)

    def test_teak_as_a_share_of_the_ceiling(self):
        out, _ = self.append("--entry-bytes", 256, "--window", 16, "--seconds", "0.1", "--json")
        result = json.loads(out)
        ceiling = result["ceiling"]
        share = result["entries_per_second"] / ceiling["entries_per_second"]
        self.assertAlmostEqual(ceiling["share"], share, delta=0.01 * share + 0.001)
        if abs(share - 1) > 0.01: # what is shown is rounded
            self.assertEqual(ceiling["above"], share > 1)
        self.assertEqual(ceiling["entries_per_second"], max(row["entries_per_second"] for row in ceiling["rows"]))
        self.assertEqual({row["way"] for row in ceiling["rows"]}, {"dsync", "fdatasync", "write_fdatasync"})
        for row in ceiling["rows"]:
            self.assertEqual(row["write_bytes"] % 4096, 0)
        self.assertEqual(set(result["machine"]),
                         {"kernel", "processor", "processors", "memory_bytes", "filesystem", "mount_options", "device",
                          "model", "write_cache", "fua", "rotational", "scheduler", "logical_block_bytes",
                          "physical_block_bytes"})
        self.assert_gone()

    def test_a_chart_for_a_terminal(self):
        out, _ = self.append("--entry-bytes", 64, "--window", 16, "--seconds", "0.1", "--sweep")
        text = out.decode()
        self.assertIn("####", text)
        self.assertRegex(text, r"Teak comes to \d+ % of it")
        self.assertRegex(text, r"\n +window +entries/s +p50 +p99\n")
        self.assertLess(max(map(len, text.splitlines())), 130)

    def on_a_terminal(self, columns, *words):
        """What a terminal so wide is sent."""
        main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        run = subprocess.Popen([harness.teak_path, "bench", "append", "--dir", self.dir, "--entry-bytes", "64",
                                "--window", "16", "--seconds", "0.3", "--no-ceiling", *words],
                               stdout=subprocess.DEVNULL, stderr=other)
        os.close(other)
        seen = b""
        while True:
            try:
                piece = os.read(main, 4096)
            except OSError: # the other end is closed: the run is over
                break
            if not piece:
                break
            seen += piece
        os.close(main)
        self.assertEqual(run.wait(60), 0)
        return seen.decode()

    def test_a_live_line_on_a_terminal_and_none_elsewhere(self):
        seen = self.on_a_terminal(0) # nobody knows how wide
        self.assertIn("\r", seen)
        self.assertRegex(seen, r"entries/s, p99 \d")
        _, err = self.append("--entry-bytes", 64, "--window", 16, "--seconds", "0.1", "--no-ceiling", "--json")
        self.assertEqual(err, b"")

    def test_a_live_line_never_breaks(self):
        """It is drawn over itself, and a piece that has gone to the next line would stay."""
        for columns, has_bar in ((30, False), (80, True)):
            lines = self.on_a_terminal(columns, "--reps", "2").replace("\x1b[K", "").split("\r")
            self.assertGreater(len(lines), 1)
            self.assertLess(max(map(len, lines)), columns)
            self.assertEqual(any("]" in line and "entries/s" in line for line in lines), has_bar, lines)

    def test_what_is_no_store_gets_none(self):
        os.mkdir(self.dir)
        with open(os.path.join(self.dir, "letter"), "wb") as file:
            file.write(b"dear")
        _, err = self.append("--entry-bytes", 64, "--window", 4, "--seconds", "0.05", "--keep", status=2)
        self.assert_one_line(err, "neither empty nor a store")
        self.assertEqual(os.listdir(self.dir), ["letter"])

    def test_room_for_a_ceiling_is_wanted_where_there_is_one(self):
        """In a file system of 48 megabytes, where this machine lets us have one."""
        script = ('mount -t tmpfs -o size=48M none "$1" || exit 77; place=$1; shift; "$0" bench append '
                  '--dir "$place/store" --entry-bytes 64 --window 4 --seconds 0.05 --segment-bytes 64K '
                  '--retain-bytes 64K --json "$@"')
        for words, status, says in ((["--no-ceiling"], 0, "nothing there is durable"), ([], 1, "are free")):
            run = subprocess.run(["unshare", "-rm", "sh", "-c", script, harness.teak_path, self.work, *words],
                                 capture_output=True, timeout=120, check=False)
            if run.returncode == 77 or b"unshare" in run.stderr:
                self.skipTest("no mounts of our own here")
            self.assertEqual(run.returncode, status, run.stderr)
            self.assert_one_line(run.stderr, says)

    def test_an_interrupt_leaves_nothing(self):
        for words in (["--window", "16"], ["--rate", "1000"], ["--threads", "3"],
                      ["--window", "16", "--mix", "replicator"]):
            run = interruptible("append", "--dir", self.dir, "--entry-bytes", "64", "--seconds", "600", "--json",
                                *words)
            self.addCleanup(run.kill)
            wait_for(os.path.join(self.dir, "STORE"))
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=60)
            self.assertEqual(out, b"", words)
            self.assertEqual(run.returncode, -signal.SIGINT, err)
            self.assert_one_line(err, "stopped")
            self.assert_gone()

    def test_wrong_use_is_one_line_and_nothing_is_done(self):
        wrong = ((["--window", 4, "--rate", 5], "one of them"), ([], "--window"),
                 (["--window", 4, "--batch", 5], "--batch"), (["--window", 4, "--mix", "reads"], "--mix"),
                 (["--threads", 4, "--mix", "append=1,tail=1"], "--mix"), (["--threads", 2, "--logs", 3], "--logs"),
                 (["--window", 4, "--entry-bytes", "about 9"], "--entry-bytes"),
                 (["--rate", 5, "--arrivals", "late"], "--arrivals"), (["--window", 4, "--seconds", 0], "--seconds"),
                 (["--window", 4, "--preload-bytes", 5, "--mix", "replicator"], "--preload-bytes"),
                 (["--window", 4, "--busy-poll", "--mix", "replicator"], "--busy-poll"),
                 (["--threads", 4, "--busy-poll"], "--busy-poll"),
                 (["--window", 4, "--entry-bytes", 0, "--retain-bytes", 5], "--retain-bytes"),
                 (["--window", 4, "--sweep", "--no-sweep"], "--no-sweep"),
                 (["--window", 4, "--group-bytes", 1], "--group-bytes 4096"),
                 (["--window", 4, "--arena-bytes", 1], "the nearest is --arena-bytes"),
                 (["--window", 4, "--arena-bytes", "2G"], "the nearest is --arena-bytes 1073741824"),
                 (["--window", 4, "--arrivals", "poisson"], "--arrivals"),
                 (["--window", 4, "--segment-bytes", "64K", "--logs", 127], "--logs 126"),
                 (["--window", 4, "--segment-bytes", "64K", "--logs", 64, "--mix", "replicator"], "--logs 63"))
        for words, says in wrong:
            out, err = self.append("--entry-bytes", 64, *words, status=2)
            self.assertEqual(out, b"")
            self.assert_one_line(err, says)
            self.assert_gone()

    def test_too_little_space_is_said_before(self):
        for words in (["--window", 4, "--retain-bytes", "1000000G"], ["--rate", 100000000, "--seconds", 900000]):
            out, err = self.append("--entry-bytes", 4096, *words, status=1)
            self.assertEqual(out, b"")
            self.assert_one_line(err, "are free")
            self.assert_gone()

    def test_what_would_not_fit_is_seen_behind_the_warm_up(self):
        """A thousand times eleven days of it fit nowhere, however slow the disk."""
        for words in (["--window", 4096], ["--window", 4096, "--mix", "replicator"], ["--threads", 4, "--batch", 256]):
            out, err = self.append("--entry-bytes", 4096, "--seconds", 1000000, "--reps", 1000, "--warm-up", "0.05",
                                   "--json", *words, status=1)
            self.assertEqual(out, b"")
            self.assert_one_line(err, "are free", "--retain-bytes")
            self.assert_gone()

    @unittest.skipUnless(os.access("/dev/shm", os.W_OK), "no /dev/shm here")
    def test_memory_is_no_disk(self):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
            if subprocess.run(["stat", "-f", "-c", "%T", work], capture_output=True, check=True).stdout != b"tmpfs\n":
                self.skipTest("/dev/shm is no tmpfs")
            _, err = self.teak("bench", "append", "--dir", os.path.join(work, "store"), "--entry-bytes", 64, "--window",
                               4, "--seconds", "0.05", "--segment-bytes", "64K", "--no-ceiling", "--json")
            self.assert_one_line(err, "nothing there is durable")
            self.assertEqual(os.listdir(work), [])


class Reading(html.parser.HTMLParser):
    """A page: whether its elements close, its figures, what it asks for from elsewhere, and the JSON in it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.figures, self.asks, self.data, self.numbers = [], {}, [], "", []
        self.shown = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if "data-figure" in attrs:
            self.shown = attrs["data-figure"]
            self.figures[self.shown] = [attrs["data-value"], ""]
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            if name in attrs and attrs[name] != "data:,":
                self.asks.append(attrs[name])
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "points", "viewbox"):
            if name in attrs and tag not in ("meta",):
                self.numbers += attrs[name].replace(",", " ").split()

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "link", "br"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")
        self.shown = None

    def handle_data(self, data):
        if self.shown:
            self.figures[self.shown][1] += data
        if self.open and self.open[-1] == "script":
            self.data += data


class Report(harness.Store):
    def report(self, *words):
        """(the page's text, the JSON that was printed)"""
        page = self.path("report.html")
        out, err = self.teak("bench", "append", "--dir", self.dir, "--entry-bytes", 64, "--seconds", "0.1", "--out",
                             page, "--json", *words)
        self.assertEqual(err, b"")
        self.assertEqual(os.listdir(self.work), ["report.html"])
        with open(page, encoding="utf-8") as file:
            text = file.read()
        os.unlink(page)
        return text, json.loads(out)

    def check(self, text, result):
        page = Reading(text)
        self.assertEqual(page.open, [])
        self.assertEqual(page.asks, [])
        self.assertNotRegex(text, r"https?:|@import|url\(")
        self.assertEqual(json.loads(page.data), result)
        for number in page.numbers:
            self.assertRegex(number, r"^-?[0-9.]+$")
        for path, (value, shown) in page.figures.items():
            found = result
            for key in path.split("."):
                found = found[int(key)] if isinstance(found, list) else found[key]
            self.assertEqual(float(value), found, path)
            self.assertRegex(shown, r"^[0-9]", path)
        self.assertLessEqual({"entries_per_second", "latency_us.p50", "latency_us.p99"}, set(page.figures))

    def test_every_figure_is_that_of_the_json(self):
        for words in (["--window", 16, "--reps", 2], ["--rate", 2000], ["--threads", 3], ["--window", 4, "--no-ceiling",
                      "--no-sweep"], ["--window", 16, "--mix", "append=1,tail=9,term=9,compact=1", "--entry-bytes",
                      "16*1+32*1"]):
            self.check(*self.report(*words))

    def test_the_json_cannot_end_its_element(self):
        text, result = self.report("--window", 4, "--no-ceiling", "--no-sweep", "--mix", "append=1,tail=0")
        self.assertEqual(text.count("</script>"), 1)
        self.assertNotIn("<", Reading(text).data)
        self.assertEqual(result["load"]["mix"], "append=1,tail=0")

    def test_no_word_lies_over_another_or_beyond_its_chart(self):
        text, _ = self.report("--rate", 20000, "--no-ceiling")
        sweep = text[text.index("Throughput against latency"):text.index("<h2>Latencies</h2>")]
        marks = re.findall(r'class="mark" x="([0-9.]+)" y="([0-9.]+)" text-anchor="middle">([0-9,]+)<', sweep)
        self.assertIn("20,000", [word for _, _, word in marks])
        for i, (x, y, word) in enumerate(marks):
            for other_x, other_y, other in marks[:i]:
                self.assertTrue(abs(float(x) - float(other_x)) > 3.5 * (len(word) + len(other)) or
                                abs(float(y) - float(other_y)) > 12, (word, other))
        for x, word in re.findall(r'class="mark" x="([0-9.]+)" y="[0-9.]+" text-anchor="start">([^<]+)<', text):
            self.assertLess(float(x) + 6 * len(word), 480, word)

    def test_rivals_stand_beside(self):
        def point(name, rate, times, **more):
            return {"name": name, "rival": name, "counted": 3, "not_counted": [],
                    "summary": {"entries_per_second": {"median": rate}, "times": {"median": times}}, **more}
        points = [point("teak", 1000, 1), point("snail <&>", 100, 9.5, settings="slow & \"safe\""),
                  point("hare", 500, 2.5), {"name": "liar", "summary": None, "not_counted": ["no flush at all"],
                                            "counted": 0}]
        with open(self.path("rivals.json"), "w", encoding="ascii") as file:
            json.dump({"rows": {"rivals": {"title": "64 B, window 4", "points": points}}}, file)
        page = self.path("report.html")
        self.teak("bench", "append", "--dir", self.dir, "--entry-bytes", 64, "--window", 4, "--seconds", "0.05",
                  "--out", page, "--rivals", self.path("rivals.json"), "--no-ceiling", "--no-sweep")
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(Reading(text).open, [])
        self.assertIn("snail &lt;&amp;&gt;", text)
        self.assertIn("100, Teak 9.5 \u00d7", text)
        self.assertIn("500, Teak 2.5 \u00d7", text)
        self.assertIn("not counted: no flush at all", text)

    def test_wrong_use(self):
        with open(self.path("no.json"), "w", encoding="ascii") as file:
            file.write('{"rows": []}')
        base = ["bench", "append", "--dir", self.dir, "--entry-bytes", 64, "--window", 4, "--seconds", "0.05"]
        os.mkdir(self.dir)
        os.mkfifo(self.path("pipe"))
        page = self.path("report.html")
        for words, says in ((["--out", self.work], "--out"), (["--out", self.path("none/report.html")], "--out"),
                            (["--out", os.path.join(self.dir, "report.html")], "elsewhere"),
                            (["--out", self.path("pipe")], "no file"),
                            (["--rivals", self.path("no.json")], "--out"),
                            (["--out", page, "--rivals", self.path("no.json")], "--rivals"),
                            (["--out", page, "--rivals", self.path("none.json")], "--rivals")):
            out, err = self.teak(*base, *words, status=2)
            self.assertEqual(out, b"")
            self.assert_one_line(err, says)
        self.assertEqual(sorted(os.listdir(self.work)), ["no.json", "pipe", "store"])
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("pipe")).st_mode))
        self.assertEqual(os.listdir(self.dir), [])
        with open(page, "wb") as file: # what is printed goes there already
            run = subprocess.run([harness.teak_path, *map(str, base), "--out", page], stdout=file,
                                 stderr=subprocess.PIPE, timeout=120, check=False)
        self.assertEqual(run.returncode, 2)
        self.assert_one_line(run.stderr, "--out", "no file")
        self.assertEqual(os.path.getsize(page), 0)

    def test_what_a_link_leads_to_is_replaced(self):
        with open(self.path("real.html"), "w", encoding="ascii") as file:
            file.write("older")
        os.symlink("real.html", self.path("link.html"))
        self.teak("bench", "append", "--dir", self.dir, "--entry-bytes", 64, "--window", 4, "--seconds", "0.05",
                  "--no-ceiling", "--no-sweep", "--out", self.path("link.html"))
        self.assertEqual(os.readlink(self.path("link.html")), "real.html")
        with open(self.path("real.html"), encoding="utf-8") as file:
            self.assertTrue(file.read().startswith("<!doctype html>"))
        self.assertEqual(sorted(os.listdir(self.work)), ["link.html", "real.html"])

    def test_no_link_leads_into_the_store(self):
        words = ["bench", "append", "--dir", self.dir, "--entry-bytes", 64, "--window", 4, "--seconds", "0.05",
                 "--no-ceiling", "--no-sweep", "--keep"]
        self.teak(*words)
        os.symlink(os.path.join(self.dir, "STORE"), self.path("link.html"))
        out, err = self.teak(*words, "--out", self.path("link.html"), status=2)
        self.assertEqual(out, b"")
        self.assert_one_line(err, "elsewhere")
        self.teak("verify", "--dir", self.dir)

    def test_an_interrupt_leaves_an_older_report_as_it_was(self):
        page = self.path("report.html")
        with open(page, "w", encoding="ascii") as file:
            file.write("older")
        run = interruptible("append", "--dir", self.dir, "--entry-bytes", "64", "--window", "4", "--seconds", "600",
                            "--out", page)
        self.addCleanup(run.kill)
        wait_for(os.path.join(self.dir, "STORE"))
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.communicate(timeout=60)[0], b"")
        self.assertEqual(os.listdir(self.work), ["report.html"])
        with open(page, encoding="ascii") as file:
            self.assertEqual(file.read(), "older")


class Ceiling(harness.Store):
    def ceiling(self, *words):
        return self.teak("bench", "ceiling", "--dir", self.dir, "--seconds", "0.02", *words)

    def test_rows(self):
        out, err = self.ceiling("--outstanding", "64K", "--json")
        self.assertEqual(err, b"")
        rows = json.loads(out)["rows"]
        self.assertEqual(len(rows), 8)
        self.assertEqual(sum(row["best"] for row in rows), 1)
        self.assertEqual({row["blocks"] for row in rows}, {"written", "allocated"})
        for row in rows:
            self.assertEqual(row["write_bytes"] * row["in_flight"], 65536)
            self.assertGreater(row["writes"], 0)
            self.assertIsNot(row["disk"]["did_the_work"], False)
            self.assertLessEqual(row["latency_us"]["p50"], row["latency_us"]["p99"])
        self.assertEqual(os.listdir(self.work), []) # nor the directory, which was not there

    def test_for_people_and_beside_what_is_there(self):
        os.mkdir(self.dir)
        with open(os.path.join(self.dir, "letter.txt"), "w", encoding="ascii") as file:
            file.write("dear disk\n")
        out, _ = self.ceiling("--outstanding", "4K")
        self.assertIn("write_fdatasync, 1 x 4.0 KiB", out.decode())
        self.assertEqual(os.listdir(self.dir), ["letter.txt"])

    def test_without_io_uring_threads_do_it(self):
        tool = os.path.join(harness.arguments.build, "tests", "without_io_uring")
        run = subprocess.run([tool, str(errno.EPERM), harness.teak_path, "bench", "ceiling", "--dir", self.dir,
                              "--seconds", "0.02", "--outstanding", "64K", "--json"], capture_output=True, timeout=120,
                             check=False)
        if run.returncode == 77:
            self.skipTest("no seccomp filter to be had here")
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        self.assertEqual(json.loads(run.stdout)["through"], "threads")

    def test_wrong_use(self):
        for words in (["--outstanding", "1K"], ["--outstanding", "1G"], ["--seconds", "0"], ["--ways", "1"]):
            out, err = self.teak("bench", "ceiling", "--dir", self.dir, *words, status=2)
            self.assertEqual(out, b"")
            self.assert_one_line(err)
        self.assertEqual(os.listdir(self.work), [])

    def test_an_interrupt_leaves_nothing(self):
        run = interruptible("ceiling", "--dir", self.dir, "--seconds", "600")
        self.addCleanup(run.kill)
        wait_for(self.dir)
        run.send_signal(signal.SIGINT)
        self.assertEqual(run.communicate(timeout=60)[0], b"")
        self.assertEqual(run.returncode, -signal.SIGINT)
        self.assertEqual(os.listdir(self.work), [])


if __name__ == "__main__":
    harness.main()
