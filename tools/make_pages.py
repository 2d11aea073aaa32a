#!/usr/bin/env python3
"""make_pages.py: manual pages and shell completions out of what the command says of itself.

tools/make_pages.py --teak PATH --out DIRECTORY

Writes below DIRECTORY man/teak.1 and man/teak-SUBCOMMAND.1, completions/teak.bash, _teak and teak.fish. `teak help`
names the subcommands, each one's --help its options; the values an option knows are asked for by giving it one that it
cannot know.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

UNKNOWN = "?"  # no option knows this word


class Option:
    """--name WORD, and the lines that explain it."""

    def __init__(self, name, word, text):
        self.name, self.word, self.text = name, word, text
        self.choices = []


class Command:
    """One subcommand, as its --help shows it."""

    def __init__(self, name, text):
        self.name = name
        head, usage, options, *notes = [part.strip("\n") for part in re.split(r"\n\s*\n", text.strip("\n"))]
        match = re.fullmatch(r"teak ([\w ]+): (.*)", head)
        if not match or not usage.strip().startswith("teak " + match.group(1)):
            raise ValueError(f"teak {name} --help begins in a way that is not known: {head!r}")
        self.words = match.group(1).split()  # "bench append": what has to be said before the options
        self.page = "teak-" + "-".join(self.words)
        self.what = match.group(2)
        self.usage = [line.strip() for line in usage.split("\n")]
        self.options = []
        for line in options.split("\n"):
            match = re.fullmatch(r"  --([a-z][a-z0-9-]*)(?: ([^ ]+))?  +(.*)", line)
            if match:
                self.options.append(Option(*match.groups()))
            elif self.options and line.startswith("    "):
                self.options[-1].text += " " + line.strip()
            else:
                raise ValueError(f"teak {name} --help has a line that is no option: {line!r}")
        self.exit_status = [note for note in notes if note.startswith("Exit status:")]
        self.notes = [note for note in notes if note not in self.exit_status]


class Teak:
    """The command that is asked."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.version = self.say("--version").split()[1]
        head = self.say("help")
        listed = re.findall(r"^  teak ([a-z-]+(?: [a-z-]+)?) {2,}(\S.*)$", head, re.M)
        self.summaries = dict(listed)
        self.what = head.split("\n", 1)[0].split(": ", 1)[1]
        self.examples = re.findall(r"^  ((?!teak [a-z-]+(?: [a-z-]+)? {2,}\S.*$).+)$", head, re.M)
        self.examples = [line for line in self.examples if "--" in line]
        self.commands = [Command(name, self.say(*name.split(), "--help")) for name, _ in listed if name != "help"]
        with tempfile.TemporaryDirectory(prefix="teak-pages-") as work:
            for command in self.commands:
                for option in command.options:
                    option.choices = self.choices(command, option, work)

    def run(self, *words, **more):
        return subprocess.run([self.path, *words], capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, **more)

    def say(self, *words):
        run = self.run(*words)
        if run.returncode != 0:
            raise ValueError(f"teak {' '.join(words)}: exit {run.returncode}: {run.stderr}")
        return run.stdout

    def choices(self, command, option, work):
        """The words that an option knows: wrong use names them, and does nothing."""
        if option.word is None or option.word in ("DIRECTORY", "FILE"):
            return []
        said = self.run(*command.words, f"--{option.name}", UNKNOWN, cwd=work).stderr
        match = re.search(rf'--{option.name} "\?" is not known: write --{option.name} (.*)$', said, re.M)
        return re.split(r", | or ", match.group(1)) if match else []


# ------------------------------------------------------------------------------------------------------- manual pages

def roff(text):
    """Text as it is, whatever roff thinks of its characters."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^\.", r"\\&.", text, flags=re.M)


def page_head(teak, name, what):
    return [f'.TH {name.upper()} 1 "" "teak {teak.version}" "Teak"', ".SH NAME", f"{roff(name)} \\- {roff(what)}"]


def command_page(teak, command):
    lines = page_head(teak, command.page, command.what)
    lines += [".SH SYNOPSIS"]
    for usage in command.usage:
        lines += [".B " + roff(usage).replace(" [options]", " \\fR[options]"), ".br"]
    lines.pop()
    if command.notes:
        lines += [".SH DESCRIPTION"]
        for note in command.notes:
            lines += [".PP", roff("\n".join(line.strip() for line in note.split("\n")))]
    lines += [".SH OPTIONS"]
    for option in command.options:
        word = f" \\fI{roff(option.word)}\\fR" if option.word else ""
        lines += [".TP", f"\\fB\\-\\-{roff(option.name)}\\fR{word}", roff(option.text)]
    lines += [".SH EXIT STATUS", *(roff(text.split(": ", 1)[1]) for text in command.exit_status)]
    others = [other.page for other in teak.commands if other is not command]
    lines += [".SH SEE ALSO", ".BR teak (1),"]
    lines += [f".BR {roff(page)} (1)" + ("," if page != others[-1] else "") for page in others]
    return "\n".join(lines) + "\n"


def main_page(teak):
    lines = page_head(teak, "teak", teak.what)
    lines += [".SH SYNOPSIS", ".B teak", ".I subcommand", "[options]", ".br", ".B teak help",
              "[\\fIsubcommand\\fR]", ".br", ".B teak \\-\\-version"]
    lines += [".SH DESCRIPTION", roff("A store is a directory that holds logs: entries with indexes and terms, as Raft "
                                      "writes them. This command looks into stores, and feeds them.")]
    lines += [".SH SUBCOMMANDS"]
    for command in teak.commands:
        lines += [".TP", f".BR {roff(command.page)} (1)", roff(teak.summaries[command.name])]
    if teak.examples:
        lines += [".SH EXAMPLES", ".EX", *(roff(line) for line in teak.examples), ".EE"]
    lines += [".SH EXIT STATUS", roff("0 good, 1 a problem was found, 2 wrong use."), ".SH SEE ALSO"]
    lines += [f".BR {roff(command.page)} (1)" + ("," if command is not teak.commands[-1] else "")
              for command in teak.commands]
    return "\n".join(lines) + "\n"


# -------------------------------------------------------------------------------------------------------- completions

def kind_of(option):
    """What completes the value: "dir", "file", a list of words, or nothing."""
    if option.choices:
        return option.choices
    return {"DIRECTORY": "dir", "FILE": "file"}.get(option.word)


def paths(teak):
    """What may follow the words typed so far, options aside: {"": ["append", "bench", ...], "bench": [...]}."""
    rows = {"": []}
    for command in teak.commands:
        for depth, word in enumerate(command.words):
            row = rows.setdefault(" ".join(command.words[:depth]), [])
            if word not in row:
                row.append(word)
    return rows


def bash(teak):
    lines = ["# bash completion for teak: made by tools/make_pages.py from what the command says of itself.",
             "_teak()", "{",
             '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}" path="" i',
             "    COMPREPLY=()",
             "    for ((i = 1; i < COMP_CWORD; i++)); do", '        case "${COMP_WORDS[i]}" in -*) break ;; esac',
             '        path+="${path:+ }${COMP_WORDS[i]}"', "    done", '    case "$path $before" in']
    for command in teak.commands:
        for option in command.options:
            kind, label = kind_of(option), f'        "{" ".join(command.words)} --{option.name}")'
            if kind in ("dir", "file"):
                lines += [label, "            compopt -o filenames",
                          f'            mapfile -t COMPREPLY < <(compgen -{kind[0]} -- "$word")']
            elif kind:
                lines += [label, f'            mapfile -t COMPREPLY < <(compgen -W "{" ".join(kind)}" -- "$word")']
            elif option.word:
                lines += [label]
            else:
                continue
            lines += ["            return", "            ;;"]
    lines += ["    esac", '    case "$path" in']
    rows = paths(teak)
    rows |= {f"help {path}".strip(): words for path, words in rows.items()}
    rows[""] = rows[""] + ["help", "--help", "--version"]
    for command in teak.commands:
        rows[" ".join(command.words)] = [f"--{option.name}" for option in command.options]
    for path, words in rows.items():
        lines += [f'        "{path}")',
                  f'            mapfile -t COMPREPLY < <(compgen -W "{" ".join(words)}" -- "$word")', "            ;;"]
    lines += ["    esac", "}", "complete -F _teak teak"]
    return "\n".join(lines) + "\n"


def quoted(text):
    return text.replace("'", "").replace("[", "(").replace("]", ")").replace(":", ";")


def zsh(teak):
    lines = ["#compdef teak", "# made by tools/make_pages.py from what the command says of itself.", "_teak()", "{",
             "    local -a subcommands", "    subcommands=("]
    rows = paths(teak)
    what = {command.words[0]: teak.summaries[command.name] for command in reversed(teak.commands)}
    lines += [f"        '{word}:{quoted(what[word] if word not in rows else ', '.join(rows[word]))}'"
              for word in rows[""]]
    lines += ["        'help:how to use it'", "    )", "    if (( CURRENT == 2 )); then",
              "        _describe subcommand subcommands", "        return", "    fi"]
    for path, words in rows.items():
        if path:
            lines += [f'    if [[ "${{words[2,CURRENT-1]}}" == "{path}" ]]; then', f"        compadd {' '.join(words)}",
                      "        return", "    fi"]
    lines += ['    case "$words[2] $words[3]" in']
    for command in teak.commands:
        pattern = '"' + " ".join(command.words) + ('"' if len(command.words) > 1 else ' "*')
        lines += [f"        {pattern})", "            _arguments \\"]
        for option in command.options:
            kind = kind_of(option)
            action = {"dir": "_directories", "file": "_files"}.get(kind, "") if not isinstance(kind, list) else \
                f"({' '.join(kind)})"
            value = f":{option.word}:{action}" if option.word else ""
            lines += [f"                '--{option.name}[{quoted(option.text)}]{value}' \\"]
        lines += ["                '*:: :'", "            ;;"]
    lines += ['        "help "*)', "            _describe subcommand subcommands", "            ;;", "    esac", "}",
              '[ "$funcstack[1]" = _teak ] && _teak "$@"', "compdef _teak teak"]
    return "\n".join(lines) + "\n"


def fish(teak):
    def words(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = ["# fish completion for teak: made by tools/make_pages.py from what the command says of itself.",
             "# Were these words typed behind teak, and, with -l, no more of them?", "function __teak_typed",
             "    set -l typed (commandline -opc)", '    set -l last no', '    if test "$argv[1]" = -l',
             "        set last yes", "        set -e argv[1]", "    end", "    set -l end (math (count $argv) + 1)",
             '    test (count $typed) -ge $end; and test "$typed[2..$end]" = "$argv"',
             '    and test \\( $last = no -o (count $typed) -eq $end \\)', "end", "complete -c teak -f"]
    rows = paths(teak)
    for word in rows[""]:
        summary = words(teak.summaries.get(word) or ", ".join(rows[word]))
        lines += [f"complete -c teak -n __fish_use_subcommand -a {word} -d {summary}"]
    lines += ["complete -c teak -n __fish_use_subcommand -a help -d 'how to use it'"]
    for path, following in rows.items():
        for typed in ([path] if path else []) + [f"help {path}".strip()]:
            lines += [f"complete -c teak -n '__teak_typed -l {typed}' -a '{' '.join(following)}'"]
    for command in teak.commands:
        seen = f"-n '__teak_typed {' '.join(command.words)}'"
        for option in command.options:
            kind = kind_of(option)
            value = ""
            if option.word:
                value = " -x"
                if kind == "dir":
                    value = " -x -a '(__fish_complete_directories)'"
                elif kind == "file":
                    value = " -r -F"
                elif kind:
                    value = f" -x -a {words(' '.join(kind))}"
            lines += [f"complete -c teak {seen} -l {option.name}{value} -d {words(option.text)}"]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--teak", required=True, help="the command")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    args = parser.parse_args()
    teak = Teak(args.teak)
    man, completions = args.out / "man", args.out / "completions"
    man.mkdir(parents=True, exist_ok=True)
    completions.mkdir(parents=True, exist_ok=True)
    for old in man.glob("teak*.1"):
        old.unlink()
    (man / "teak.1").write_text(main_page(teak), encoding="utf-8")
    for command in teak.commands:
        (man / f"{command.page}.1").write_text(command_page(teak, command), encoding="utf-8")
    (completions / "teak.bash").write_text(bash(teak), encoding="utf-8")
    (completions / "_teak").write_text(zsh(teak), encoding="utf-8")
    (completions / "teak.fish").write_text(fish(teak), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
