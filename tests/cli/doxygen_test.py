#!/usr/bin/env python3
"""doxygen_test.py: Doxygen understands the cards of the public headers, every function's, without a warning."""
import glob
import os
import re
import shutil
import subprocess
import unittest
import xml.etree.ElementTree as elements

import harness


@unittest.skipUnless(shutil.which("doxygen"), "no doxygen here")
class Doxygen(harness.Store):
    def doxygen(self, *settings):
        with open(os.path.join(harness.source_path, "docs", "Doxyfile"), encoding="utf-8") as file:
            config = file.read() + f"\nOUTPUT_DIRECTORY = {self.work}\nGENERATE_HTML = NO\n" + "\n".join(settings)
        return subprocess.run(["doxygen", "-"], input=config, capture_output=True, text=True, timeout=120, check=False,
                              cwd=harness.source_path)

    def described(self):
        """{function: its text} of what was made."""
        found = {}
        for path in glob.glob(os.path.join(self.work, "xml", "*_8h.xml")):
            for member in elements.parse(path).getroot().iter("memberdef"):
                if member.get("kind") == "function":
                    parts = [" ".join("".join(member.find(part).itertext()).split())
                             for part in ("briefdescription", "detaileddescription")]
                    found[member.find("name").text] = parts
        return found

    def test_every_public_function_has_its_card(self):
        run = self.doxygen()
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        headers = glob.glob(os.path.join(harness.source_path, "*", "include", "teak", "*.h"))
        wanted = set()
        for path in headers:
            with open(path, encoding="utf-8") as file:
                wanted |= set(re.findall(r"^TEAK_API [^;]*?\b(teak_\w+)\(", file.read(), re.M))
        self.assertGreater(len(wanted), 30)
        found = self.described()
        self.assertEqual(wanted - set(found), set())
        for name in wanted:
            brief, text = found[name]
            self.assertGreater(len(brief), 8, name)
            self.assertNotIn(name + ":", brief)
            self.assertRegex(brief + " " + text, r"Threads|Returns|[Aa]s teak_", name)

    def test_a_comment_that_makes_no_sense_is_seen(self):
        header = self.path("bad.h")
        with open(header, "w", encoding="ascii") as file:
            file.write("/* teak/bad.h: a header. */\n/* teak_bad: does @nonsense. */\nint teak_bad(void);\n")
        run = self.doxygen(f"INPUT = {header}")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("nonsense", run.stderr)


if __name__ == "__main__":
    harness.main()
