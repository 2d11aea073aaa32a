#!/usr/bin/env python3
"""pages_test.py: manual pages and completions say what --help says, are clean, and complete what is typed."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import harness


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"no {tool} here")


class Pages(harness.Store):
    def setUp(self):
        super().setUp()
        run = subprocess.run([sys.executable, os.path.join(harness.source_path, "tools", "make_pages.py"), "--teak",
                              harness.teak_path, "--out", self.work], capture_output=True, text=True, timeout=120,
                             check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.man = pathlib.Path(self.work, "man")
        self.completions = pathlib.Path(self.work, "completions")
        self.help = self.teak("help")[0].decode()
        listed = re.findall(r"^  teak ([a-z-]+(?: [a-z-]+)?) {2,}", self.help, re.M)
        self.subcommands = [name for name in listed if name != "help"]
        self.assertGreaterEqual(len(self.subcommands), 5)

    def options(self, name):
        """What --help lists: {option: its word or ""}."""
        text = self.teak(*name.split(), "--help")[0].decode()
        found = dict(re.findall(r"^  (--[a-z0-9-]+)(?: ([^ ]+))?  ", text, re.M))
        self.assertIn("--help", found)
        return found

    def following(self, *words):
        """What may follow these words, options aside."""
        paths = [name.split() for name in self.subcommands]
        return {path[len(words)] for path in paths if path[:len(words)] == list(words) and len(path) > len(words)}

    def test_each_subcommand_has_its_page_and_nothing_else_has(self):
        names = {path.name for path in self.man.iterdir()}
        self.assertEqual(names, {"teak.1"} | {f"teak-{name.replace(' ', '-')}.1" for name in self.subcommands})

    @needs("groff")
    def test_pages_are_clean_and_name_every_option_with_its_text(self):
        for path in sorted(self.man.iterdir()):
            run = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-c", "-rLL=110n", path], capture_output=True,
                                 timeout=60, check=False)
            self.assertEqual(run.returncode, 0)
            self.assertEqual(run.stderr, b"", path.name)
            text = " ".join(re.sub(r".\x08|\x1b\[[0-9;]*m", "", run.stdout.decode()).replace("‐\n", "").split())
            if path.name == "teak.1":
                for name in self.subcommands:
                    self.assertIn(f"teak-{name.replace(' ', '-')}(1)", text)
                continue
            name = path.stem[len("teak-"):].replace("-", " ")
            options = self.options(name)
            section = text.split(" OPTIONS ", 1)[1].split(" EXIT STATUS ", 1)[0]
            for option, word in options.items():
                self.assertIn(f"{option} {word}".strip() + " ", section)
            shown = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", section)) # a text may name others; each is one
            self.assertEqual(shown - set(options), set(), path.name)
            helped = " ".join(self.teak(*name.split(), "--help")[0].decode().split())
            for sentence in re.findall(r"EXIT STATUS (.*?) SEE ALSO", text):
                self.assertIn(sentence, helped)

    def test_what_was_built_is_what_the_command_says(self):
        built = pathlib.Path(harness.arguments.build, "pages")
        if not built.is_dir():
            self.skipTest("this build makes no pages: a sanitizer's, or no Python")
        for folder in ("man", "completions"):
            for path in pathlib.Path(self.work, folder).iterdir():
                self.assertEqual((built / folder / path.name).read_bytes(), path.read_bytes(), path.name)

    def bash(self, *words):
        """What bash offers when the last of `words` is being typed."""
        script = f"""
            set -u
            compopt() {{ :; }} # outside of a completion it complains
            source "{self.completions / 'teak.bash'}"
            COMP_WORDS=("$@")
            COMP_CWORD=$(($# - 1))
            _teak
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        run = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, timeout=60,
                             check=False, cwd=self.work)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stderr, "")
        return set(run.stdout.split())

    def test_bash_completes(self):
        script = f"source '{self.completions / 'teak.bash'}' && complete -p teak"
        run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stdout), (0, "complete -F _teak teak\n"), run.stderr)
        self.assertEqual(self.bash("teak", "ins"), {"inspect"})
        self.assertEqual(self.bash("teak", ""), self.following() | {"help", "--help", "--version"})
        self.assertEqual(self.bash("teak", "help", ""), self.following())
        self.assertEqual(self.following("bench"), {"append", "ceiling"})
        self.assertEqual(self.bash("teak", "help", "bench", ""), self.following("bench"))
        for name in self.subcommands:
            words = name.split()
            for depth in range(1, len(words)):
                self.assertEqual(self.bash("teak", *words[:depth], ""), self.following(*words[:depth]))
            self.assertEqual(self.bash("teak", *words, ""), set(self.options(name)))
        self.assertEqual(self.bash("teak", "append", "--backend", ""), {"auto", "uring", "posix"})
        self.assertEqual(self.bash("teak", "append", "--strategy", "f"), {"fdatasync"})
        self.assertEqual(self.bash("teak", "append", "--dir", "./man"), {"./man"})
        self.assertEqual(self.bash("teak", "append", "--term", ""), set())

    @needs("fish")
    def test_fish_completes(self):
        def offered(line):
            script = f"source {self.completions / 'teak.fish'}; complete -C '{line}'"
            environment = os.environ | {"HOME": self.work, "PATH": self.work + ":" + os.environ["PATH"]}
            run = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=60,
                                 check=False, env=environment)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            return {row.split("\t")[0] for row in run.stdout.splitlines()}
        self.assertEqual(offered("teak ins"), {"inspect"})
        for name in self.subcommands:
            self.assertEqual(offered(f"teak {name} --"), set(self.options(name)))
        self.assertEqual(offered("teak help "), self.following())
        self.assertEqual(offered("teak bench "), self.following("bench"))
        self.assertEqual(offered("teak append --backend "), {"auto", "uring", "posix"})

    @needs("zsh")
    def test_zsh_takes_its_file(self):
        script = f"autoload -U compinit; compinit -D -u; source {self.completions / '_teak'}; print $_comps[teak]"
        run = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "_teak\n", ""))


if __name__ == "__main__":
    harness.main()
