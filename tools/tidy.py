#!/usr/bin/env python3
"""tidy.py: the rules of the house that no compiler knows, as an ordinary test. Prints `file:line: what`.

tools/tidy.py                judges the tree it lies in
tools/tidy.py --self-test    shows each rule a bad tree, and fails if the rule does not see it
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

COLUMNS = 120
SKIPPED = {".git", "__pycache__", ".cache", "node_modules"}

# Who may include whom: folder -> folders under engine/ (by first path element) besides its own, or headers. None: all.
MAY_INCLUDE = {
    "engine/include/teak": {"teak"},
    "engine/base": {"teak", "base"},
    "engine/format": {"teak", "base", "format"},
    "engine/os": {"teak", "base", "os"},
    "engine/store": {"teak", "base", "format", "os", "store"},
    "raft/include/teak": {"teak"},
    "raft/core": {"teak", "base", "core"},
    "raft/wire": {"teak", "base", "wire"},
    "tools/teak": {"teak"},
    "bench/load": {"teak", "disk_count.h"},
    "examples": {"teak"},
}
FLOORS = {"teak", "base", "format", "os", "store", "core", "wire"}

# Folders whose .c files the build takes by pattern; elsewhere a CMakeLists.txt has to name the file.
BUILT = re.compile(r"^(engine/(base|format|os|store)|tools/teak|bench/(load|micro)|tests/unit/\w+"
                   r"|raft/(core|wire|stores)"
                   r"|tests/(conformance|raft|store|golden|sim|fault|rot|powercut|fuzz|support))/[^/]+\.(c|cc)$")
# Found by their names: by people, by git, by CMake, by editors.
KNOWN = re.compile(r"^(README\.md|CHANGELOG\.md|CONTRIBUTING\.md|LICENSE|(.*/)?CMakeLists\.txt|CMakePresets\.json"
                   r"|(.*/)?\.(gitignore|gitattributes|clang-format|clang-tidy|editorconfig)|\.ci/run|(.*/)?README\.md"
                   r"|tests/cli/\w+_test\.py)$")
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
FORBIDDEN = re.compile(r"\bas an " r"AI\b|\bthis " r"session\b|(?<![\w.}])/wo" r"rk/|\bde" r"b\.debian\.org", re.I)


class Tree:
    """The files of a folder, read once."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.complaints = []
        self.texts = {}
        self.others = set()
        for folder, names, files in os.walk(self.root):
            names[:] = sorted(n for n in names if n not in SKIPPED and not n.startswith("build"))
            for name in sorted(files):
                path = pathlib.Path(folder, name)
                key = path.relative_to(self.root).as_posix()
                if path.is_symlink() or not path.is_file() or name in SKIPPED:  # .git of a worktree is a file
                    continue
                data = path.read_bytes()
                try:
                    if b"\0" in data:
                        raise ValueError
                    self.texts[key] = data.decode("utf-8")
                except ValueError:
                    self.others.add(key)

    def complain(self, path, line, what):
        self.complaints.append(f"{path}:{line}: {what}")

    def having(self, *suffixes):
        return [path for path in self.texts if path.endswith(suffixes)]

    def lines(self, path):
        return enumerate(self.texts[path].split("\n"), 1)


def is_script(text):
    return text.startswith("#!")


def is_shell(path, text):
    return path.endswith(".sh") or bool(re.match(r"#!.*\b(ba)?sh\b", text))


def check_text(tree):
    """Blanks, ends, columns, words."""
    for path, text in tree.texts.items():
        c_like = path.endswith((".c", ".h", ".cc"))
        narrow = c_like or path.endswith((".py", ".cmake", "CMakeLists.txt")) or is_shell(path, text)
        itself = path == "tools/tidy.py"
        if "\r" in text:
            tree.complain(path, 1, "carriage returns")
        if text and not text.endswith("\n") and not path.endswith((".hex", ".json")):
            tree.complain(path, text.count("\n") + 1, "no newline at the end")
        for number, line in tree.lines(path):
            if line != line.rstrip(" \t") and not path.endswith(".diff"):
                tree.complain(path, number, "trailing blanks")
            if narrow and len(line) > COLUMNS:
                tree.complain(path, number, f"{len(line)} columns, more than {COLUMNS}")
            if c_like and "\t" in line:
                tree.complain(path, number, "a tab: indent with 4 spaces")
            for pattern in () if itself else (LEFTOVER, FORBIDDEN):
                match = pattern.search(line)
                if match:
                    tree.complain(path, number, f"'{match.group()}' has no place in the tree")


def check_indent(tree):
    """The first line inside a body that opens at column 0 stands at column 4."""
    for path in tree.having(".c", ".h", ".cc"):
        opened = False
        for number, line in tree.lines(path):
            if opened and line.strip() and not line.startswith(("#", "}", " *", "/*")):
                indent = len(line) - len(line.lstrip(" "))
                if indent != 4 and not re.match(r"\s*(\w+:|/\*)", line):
                    tree.complain(path, number, f"indented by {indent}, not by 4")
            opened = line.endswith("{") and not line.startswith((" ", "#", "/", "extern", "}", "namespace"))


def strip_comments(text):
    """Comments become blanks of the same number of lines."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: "\n" * m.group().count("\n") or " ", text, flags=re.S)


def check_guards(tree):
    seen = {}
    for path in tree.having(".h"):
        code = [(n, line) for n, line in enumerate(strip_comments(tree.texts[path]).split("\n"), 1) if line.strip()]
        first = re.fullmatch(r"#ifndef (\w+)", code[0][1].strip()) if code else None
        if not first or len(code) < 3 or code[1][1].strip() != f"#define {first.group(1)}":
            tree.complain(path, code[0][0] if code else 1, "no header guard: #ifndef X, #define X before anything else")
        elif code[-1][1].strip() != "#endif":
            tree.complain(path, code[-1][0], "something follows the header guard's #endif")
        elif not re.fullmatch(r"TEAK_\w+_H", first.group(1)):
            tree.complain(path, code[0][0], f"header guard {first.group(1)}: want TEAK_..._H")
        elif first.group(1) in seen:
            tree.complain(path, code[0][0], f"header guard {first.group(1)} is that of {seen[first.group(1)]}")
        else:
            seen[first.group(1)] = path


def includes(tree, path):
    for number, line in enumerate(strip_comments(tree.texts[path]).split("\n"), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def resolve(tree, path, name):
    """The file that #include "name" in `path` means, or None."""
    for base in (os.path.dirname(path), "engine", "engine/include", "raft", "raft/include", "tests", "tools/teak"):
        candidate = os.path.normpath(os.path.join(base, name))
        if candidate in tree.texts:
            return candidate
    return None


def check_includes(tree):
    for path in tree.having(".c", ".h", ".cc"):
        folder = os.path.dirname(path)
        allowed = MAY_INCLUDE.get(folder)
        for number, quoted, name in includes(tree, path):
            first = name.split("/")[0] if "/" in name else None
            if not quoted:
                if first in FLOORS and resolve(tree, path, name):
                    tree.complain(path, number, f'<{name}>: our own headers are included with "..."')
                continue
            if ".." in name.split("/") and not path.startswith("tests/"):
                tree.complain(path, number, f'"{name}": no .. in an include')
            target = resolve(tree, path, name)
            if not target:
                tree.complain(path, number, f'"{name}": no such file')
            elif allowed is not None and os.path.dirname(target) != folder and not {first, name} & allowed:
                tree.complain(path, number, f'"{name}": {folder} must not include it')


def check_names(tree):
    seen = {}
    for path in sorted(tree.having(".c", ".h", ".cc")):
        name = os.path.basename(path)
        if name in seen:
            tree.complain(path, 1, f"{seen[name]} has the same file name")
        seen.setdefault(name, path)


def check_dead(tree):
    """Every file is built, included, run or named by another one."""
    included = {resolve(tree, path, name)
                for path in tree.having(".c", ".h", ".cc") for _, _, name in includes(tree, path)}
    words = {}
    for path, text in tree.texts.items():
        for word in set(re.findall(r"[\w.*-]+", text)):
            words.setdefault(word.rstrip("."), set()).add(path)
    for path in sorted(tree.texts.keys() | tree.others):
        name = os.path.basename(path)
        stem, extension = os.path.splitext(name)
        names = [name] + ([stem] if extension == ".py" else [])
        if not path.endswith((".c", ".h", ".cc", ".py", ".md")):  # data: its kind may be named instead, or its folder
            names += ["*" + extension] if extension else []
            names += [os.path.basename(os.path.dirname(path))] if "/" in path and path.startswith("tests/") else []
        public = path.startswith(("engine/include/", "raft/include/"))
        if not (BUILT.match(path) or KNOWN.match(path) or path in included or public
                or any(words.get(word, set()) - {path} for word in names)):
            tree.complain(path, 1, "nothing includes, builds or names this file")


def slug(heading):
    """The anchor a heading gets."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip()).lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def without_fences(text):
    """Markdown without fenced blocks, its lines kept."""
    return re.sub(r"^(```|~~~).*?^\1[^\n]*", lambda m: "\n" * m.group().count("\n"), text, flags=re.S | re.M)


def check_links(tree):
    for path in tree.having(".md"):
        for number, line in enumerate(re.sub(r"`[^`\n]*`", "", without_fences(tree.texts[path])).split("\n"), 1):
            for link in re.findall(r"\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)", line):
                if re.match(r"[a-z]+:", link):
                    continue
                target, _, anchor = link.partition("#")
                full = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
                if not (tree.root / full).exists():
                    tree.complain(path, number, f"link to {link}: no such file")
                elif anchor and full in tree.texts and full.endswith(".md"):
                    headings = re.findall(r"^#+ +(.*)$", without_fences(tree.texts[full]), re.M)
                    if anchor not in {slug(heading) for heading in headings}:
                        tree.complain(path, number, f"link to {link}: no such heading")


def check_cases(tree):
    """`some_test: a_case` names a case that there is; `a_ca...` one that begins so. Suites have theirs beside them."""
    programs = {re.sub(r"\.\w+$", "", os.path.basename(path)): path for path in tree.texts
                if path.startswith("tests/") and re.search(r"_test\.(c|py)$", path)}
    for path in tree.having(".md"):
        for number, line in tree.lines(path):
            for program, case, more in re.findall(r"`(?:\w+/)*(\w+_test): (\w+)(\.\.\.)?`", line):
                where = programs.get(program)
                if where is None:
                    tree.complain(path, number, f"{program}: no such test")
                    continue
                folder = os.path.dirname(where) + "/"
                sources = [where] if folder != "tests/conformance/" else tree.having(".c")
                rest = r"\w*" if more else ""
                case_of = re.compile(rf"^(?:static \w+ |    def |class |[A-Z]+\(){case}{rest}[(),]", re.M)
                if not any(case_of.search(tree.texts[source]) for source in sources
                           if source == where or source.startswith(folder)):
                    tree.complain(path, number, f"{program} has no case {case}{more}")


def check_scripts(tree):
    for path, text in tree.texts.items():
        full = tree.root / path
        if is_script(text) and not os.access(full, os.X_OK):
            tree.complain(path, 1, "begins with #! but is not executable")
        if is_shell(path, text):
            run = subprocess.run(["bash", "-n", str(full)], capture_output=True, text=True, check=False)
            if run.returncode:
                tree.complain(path, 1, "bash -n: " + run.stderr.strip().split("\n")[0])
        if path.endswith(".py"):
            try:
                compile(text, path, "exec")
            except SyntaxError as error:
                tree.complain(path, error.lineno or 1, f"python: {error.msg}")


def check_headers(tree, cc):
    """Each header compiles alone, twice; a public one also as C++ where the compiler knows that."""
    folders = ("engine", "engine/include", "raft", "raft/include", "tests", "tools/teak")
    flags = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-DTEAK_UNSTABLE"] + \
            [f"-I{tree.root / folder}" for folder in folders]
    probe = subprocess.run([cc, "-x", "c++", "-fsyntax-only", "-"], input="#include <cstdint>\n", capture_output=True,
                           text=True, check=False)
    for path in tree.having(".h"):
        text = f'#include "{tree.root / path}"\n' * 2 + "int main(void) { return 0; }\n"
        languages = [["-x", "c", "-std=gnu17"]]
        if "/include/" in path and probe.returncode == 0:
            languages.append(["-x", "c++", "-std=c++17"])
        for language in languages:
            run = subprocess.run([cc, *flags, *language, "-"], input=text, capture_output=True, text=True, check=False)
            if run.returncode:
                first = next((line for line in run.stderr.split("\n") if "error" in line), run.stderr.strip())
                tree.complain(path, 1, f"not self-contained ({language[1]}): {first.strip()}")


def judge(root, cc):
    tree = Tree(root)
    for check in (check_text, check_indent, check_guards, check_includes, check_names, check_dead, check_links,
                  check_cases, check_scripts):
        check(tree)
    check_headers(tree, cc)
    return tree


GOOD = {
    "README.md": "# Small\n[more](docs/more.md#a-head) `one_test: a_ca...`\n",
    "tests/store/one_test.c": "static void a_case(void **state)\n{\n    (void)state;\n}\n",
    "docs/more.md": "# A head\ntext\n",
    "engine/base/one.h": "/* one.h */\n#ifndef TEAK_BASE_ONE_H\n#define TEAK_BASE_ONE_H\nint one(void);\n#endif\n",
    "engine/base/one.c": '#include "base/one.h"\nint one(void)\n{\n    return 1;\n}\n',
    "engine/store/two.c": '#include "base/one.h"\nint two(void)\n{\n    return one() + one();\n}\n',
}
# (what the complaint has to contain, files that make it)
BAD = [
    ("trailing blanks", {"engine/base/b.c": "int b; \n"}),
    ("columns, more than", {"engine/base/b.c": "/* " + "x" * 120 + " */\n"}),
    ("a tab", {"engine/base/b.c": "int b(void)\n{\n\treturn 1;\n}\n"}),
    ("indented by 2", {"engine/base/b.c": "int b(void)\n{\n  return 1;\n}\n"}),
    ("no newline at the end", {"engine/base/b.c": "int b;"}),
    ("carriage returns", {"engine/base/b.c": "int b;\r\n"}),
    ("has no place", {"engine/base/b.c": "/* TO" "DO later */\n"}),
    ("has no place", {"engine/base/b.c": "/* X" "XX */\n"}),
    ("has no place", {"docs/more.md": "# A head\nsee /wo" "rk/here\n"}),
    ("has no place", {"docs/more.md": "# A head\nAs an A" "I, text\n"}),
    ("no header guard", {"engine/base/one.h": "int one(void);\n"}),
    ("follows the header guard", {"engine/base/one.h": GOOD["engine/base/one.h"] + "int more;\n"}),
    ("want TEAK_", {"engine/base/one.h": GOOD["engine/base/one.h"].replace("TEAK_BASE_ONE_H", "ONE_H")}),
    ("is that of", {"engine/store/two.h": GOOD["engine/base/one.h"],
                    "engine/store/two.c": '#include "store/two.h"\n'}),
    ("must not include it", {"engine/base/b.c": '#include "store/two.h"\n', "engine/store/two.h":
                             "#ifndef TEAK_STORE_TWO_H\n#define TEAK_STORE_TWO_H\nint two(void);\n#endif\n"}),
    ("must not include it", {"tools/teak/main.c": '#include "base/one.h"\n'}),
    ("must not include it", {"engine/format/b.c": '#include "os/o.h"\n', "engine/os/o.h":
                             "#ifndef TEAK_OS_O_H\n#define TEAK_OS_O_H\nint o(void);\n#endif\n"}),
    ("no such file", {"engine/base/b.c": '#include "base/none.h"\n'}),
    ("no .. in an include", {"engine/base/b.c": '#include "../base/one.h"\n'}),
    ("are included with", {"engine/base/b.c": "#include <base/one.h>\n"}),
    ("has the same file name", {"engine/store/one.c": "int b;\n"}),
    ("nothing includes", {"engine/base/b.h": "#ifndef TEAK_BASE_B_H\n#define TEAK_BASE_B_H\n#endif\n"}),
    ("nothing includes", {"engine/stray.c": "int b;\n"}),
    ("nothing includes", {"tools/forgotten.py": "print()\n"}),
    ("nothing includes", {"docs/lonely.md": "text\n"}),
    ("no such file", {"README.md": "# Small\n[more](docs/gone.md) docs/more.md\n"}),
    ("no such heading", {"README.md": "# Small\n[more](docs/more.md#b-head)\n"}),
    ("a_test has no case b", {"README.md": GOOD["README.md"] + "`a_test: b`\n", "tests/store/a_test.c":
                              "static void bb(void **state)\n{\n    (void)state;\n}\n"}),
    ("a_test has no case c...", {"README.md": GOOD["README.md"] + "`store/a_test: c...`, `a_test: b...`\n",
                                 "tests/store/a_test.c": "static void bb(void **state)\n{\n    (void)state;\n}\n"}),
    ("a_test: no such test", {"README.md": GOOD["README.md"] + "`a_test: b`\n"}),
    ("not executable", {"tools/run": "#!/bin/bash\nexit\n", "README.md": GOOD["README.md"] + "tools/run\n"}),
    ("bash -n", {"tools/run.sh": "if true\n", "README.md": GOOD["README.md"] + "tools/run.sh\n"}),
    ("python:", {"tools/run.py": "def\n", "README.md": GOOD["README.md"] + "tools/run.py\n"}),
    ("not self-contained", {"engine/base/one.h": GOOD["engine/base/one.h"].replace("int one", "uint64_t one")}),
    ("not self-contained", {"engine/base/one.h": GOOD["engine/base/one.h"].replace("int one(v", "size_t one(v")}),
]


def judge_files(files, cc):
    with tempfile.TemporaryDirectory(prefix="teak-tidy-") as root:
        for path, text in files.items():
            full = pathlib.Path(root, path)
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text, encoding="utf-8", newline="")
        return judge(root, cc).complaints


def self_test(cc):
    failed = 0
    complaints = judge_files(GOOD, cc)
    if complaints:
        failed += 1
        print("self-test: a good tree, but:", *complaints, sep="\n  ")
    for want, files in BAD:
        complaints = judge_files(GOOD | files, cc)
        if not any(want in complaint for complaint in complaints):
            failed += 1
            print(f"self-test: nobody saw '{want}' in {files}: {complaints}")
    print(f"tidy.py: {len(BAD) + 1 - failed} of {len(BAD) + 1} trees judged as expected")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"), help="the C compiler that tries the headers")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return self_test(args.cc)
    tree = judge(args.root, args.cc)
    print("\n".join(sorted(tree.complaints)) or f"tidy.py: {len(tree.texts)} files, nothing to say")
    return 1 if tree.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
