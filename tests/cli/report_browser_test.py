#!/usr/bin/env python3
"""report_browser_test.py: a benchmark's report in a browser: no error, the figures, light, dark, narrow, on paper."""
import json
import os
import re
import shutil
import struct
import subprocess
import unittest
import zlib

import harness

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pixels(path):
    """The rows of a PNG of 8 bits a channel, as Chromium writes them, each a list of (r, g, b)."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
            assert depth == 8 and colour in (2, 6)
            channels = 3 if colour == 2 else 4
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    raw, stride, before, rows = zlib.decompress(packed), width * channels, bytes(width * channels), []
    for y in range(height):
        filtered = raw[y * (stride + 1)]
        row = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride):
            left = row[x - channels] if x >= channels else 0
            corner = before[x - channels] if x >= channels else 0
            up = before[x]
            if filtered == 1:
                row[x] = (row[x] + left) & 255
            elif filtered == 2:
                row[x] = (row[x] + up) & 255
            elif filtered == 3:
                row[x] = (row[x] + (left + up) // 2) & 255
            elif filtered == 4:
                guess = left + up - corner
                near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))
                row[x] = (row[x] + near[2]) & 255
        before = bytes(row)
        rows.append([tuple(row[x:x + 3]) for x in range(0, stride, channels)])
    return rows


@unittest.skipUnless(CHROMIUM, "no Chromium here: tools/install-deps check brings it")
class Browser(harness.Store):
    def setUp(self):
        super().setUp()
        self.page = self.path("report.html")
        if harness.is_sanitized():
            self.skipTest("a browser shows the same page under every sanitizer")
        if not self.works():
            self.skipTest(f"{CHROMIUM} does not run here")
        out, _ = self.teak("bench", "append", "--dir", self.dir, "--entry-bytes", 64, "--window", 64, "--seconds",
                           "0.1", "--reps", 2, "--out", self.page, "--json")
        self.result = json.loads(out)

    def works(self):
        """Does it show a page of one word? In some containers it cannot even begin."""
        with open(self.path("word.html"), "w", encoding="ascii") as file:
            file.write("<!doctype html><title>word</title><p>timber")
        try:
            run = self.start(self.path("word.html"), "--dump-dom")
        except subprocess.TimeoutExpired:
            return False
        return run.returncode == 0 and b"timber" in run.stdout

    def browse(self, page, *words):
        run = self.start(page, *words)
        self.assertEqual(run.returncode, 0, run.stderr.decode(errors="replace")[-2000:])
        return run

    def start(self, page, *words):
        return subprocess.run([CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                               "--hide-scrollbars", "--no-first-run", "--disable-extensions", "--enable-logging=stderr",
                               f"--user-data-dir={self.path('profile')}", *words, "file://" + page],
                              capture_output=True, timeout=180, check=False, env=os.environ | {"HOME": self.work})

    def spoken(self, page):
        """(what the page became, what the console said)"""
        run = self.browse(page, "--dump-dom")
        return run.stdout.decode(), re.findall(r".*CONSOLE.*", run.stderr.decode(errors="replace"))

    def test_no_error_and_the_figures_of_the_json(self):
        with open(self.path("bad.html"), "w", encoding="ascii") as file:
            file.write("<!doctype html><title>bad</title><script>nobody_knows_this()</script>")
        self.assertEqual(len(self.spoken(self.path("bad.html"))[1]), 1) # an error would be seen
        text, console = self.spoken(self.page)
        self.assertEqual(console, [])
        figures = re.findall(r'data-figure="([^"]+)" data-value="([^"]+)">([^<]+)<', text)
        self.assertGreater(len(figures), 20)
        for path, value, _ in figures:
            found = self.result
            for key in path.split("."):
                found = found[int(key)] if isinstance(found, list) else found[key]
            self.assertEqual(float(value), found, path)
        data = re.search(r'<script type="application/json" id="teak-bench">(.*?)</script>', text, re.S).group(1)
        self.assertEqual(json.loads(data), self.result)
        self.assertGreaterEqual(text.count("<svg"), 4)

    def test_light_dark_and_nothing_wider_than_a_narrow_window(self):
        with open(self.page, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count("@media(prefers-color-scheme:dark)"), 1)
        with open(self.path("dark.html"), "w", encoding="utf-8") as file: # as a reader's dark system sees it
            file.write(text.replace("@media(prefers-color-scheme:dark)", "@media all"))
        for page, is_light in ((self.page, True), (self.path("dark.html"), False)):
            picture = self.path(f"light-{is_light}.png")
            self.browse(page, "--window-size=600,500", f"--screenshot={picture}")
            rows = pixels(picture)
            self.assertEqual(sum(rows[2][2]) > 600, is_light, rows[2][2])
            self.assertGreater(len({pixel for row in rows for pixel in row}), 20) # letters, lines, colours
        measure = ("<script>document.title = 'wide ' + document.documentElement.scrollWidth + ' of ' + innerWidth"
                   "</script></body>")
        with open(self.path("measured.html"), "w", encoding="utf-8") as file:
            file.write(text.replace("</body>", measure))
        run = self.browse(self.path("measured.html"), "--window-size=500,900", "--dump-dom")
        wide, window = map(int, re.search(r"<title>wide (\d+) of (\d+)", run.stdout.decode()).groups())
        self.assertLessEqual(wide, window)

    def test_on_paper(self):
        paper = self.path("report.pdf")
        self.browse(self.page, f"--print-to-pdf={paper}", "--no-pdf-header-footer")
        with open(paper, "rb") as file:
            data = file.read()
        self.assertTrue(data.startswith(b"%PDF"))
        pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", data))
        self.assertTrue(1 <= pages <= 4, pages)


if __name__ == "__main__":
    harness.main()
