#!/usr/bin/env python3
"""export_test.py: shared libraries export what their public headers declare TEAK_API, all of it and nothing else."""
import argparse
import pathlib
import re
import subprocess
import sys

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def declared(text):
    """Names that follow TEAK_API: up to the first parenthesis, or to the semicolon of a variable."""
    names = set()
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", COMMENT.sub("", text), flags=re.M)
    for declaration in re.findall(r"\bTEAK_API\b([^;{]*)", text):
        match = re.search(r"(\w+)\s*(?:\(|\[|$)", declaration.strip())
        if match:
            names.add(match.group(1))
    return names


def exported(text):
    """Names of `nm -D --defined-only`."""
    fields = [line.split() for line in text.splitlines()]
    return {field[2].split("@")[0] for field in fields if len(field) == 3 and field[1] in "TDBRVWi"}


def compare(headers, library):
    foreign = [name for name in sorted(library) if not name.startswith("teak_")]
    return [f"{name}: exported, but its name does not begin with teak_" for name in foreign] + \
           [f"{name}: exported, but no public header declares it TEAK_API" for name in sorted(library - headers)] + \
           [f"{name}: declared TEAK_API, but not exported" for name in sorted(headers - library)]


def self_test():
    header = "#define TEAK_API x\n/* TEAK_API not_this(void); */\nTEAK_API const char *teak_a(int x);\n" \
             "TEAK_API extern int teak_v;\nTEAK_API struct teak_s\nteak_b(void (*f)(int));\n"
    library = "0000 T teak_a\n0000 D teak_v@@V1\n0000 T teak_b\n                 U memcpy\n"
    assert declared(header) == {"teak_a", "teak_v", "teak_b"}, declared(header)
    assert compare(declared(header), exported(library)) == []
    assert len(compare(declared(header), exported(library + "0000 T teak_c\n"))) == 1
    assert len(compare(declared(header), exported(library + "0000 T pool_take\n"))) == 2
    assert len(compare(declared(header), exported("0000 T teak_a\n"))) == 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--library", required=True, nargs="+", help="one, or those that the headers are of together")
    parser.add_argument("--headers", required=True, type=pathlib.Path)
    args = parser.parse_args()
    self_test()
    headers = set().union(*(declared(path.read_text()) for path in sorted(args.headers.glob("*.h"))))
    text = "".join(subprocess.run([args.nm, "-D", "--defined-only", library], check=True, capture_output=True,
                                  text=True).stdout for library in args.library)
    # Sanitizers export names of their own from whatever they instrument.
    library = {name for name in exported(text)
               if not re.match(r"__(asan|ubsan|tsan|lsan|sanitizer|odr_asan|sancov|start_|stop_)|_init$|_fini$", name)}
    complaints = compare(headers, library)
    print("\n".join(complaints) or f"{len(library)} names, each declared and exported")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
