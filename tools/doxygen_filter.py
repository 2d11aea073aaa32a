#!/usr/bin/env python3
"""doxygen_filter.py: the comments of a public header as Doxygen wants them; line for line, so that numbers stay right.

Doxygen runs it on each header (docs/Doxyfile, INPUT_FILTER) and reads what it prints. The headers stay as they are: a
comment that begins a line belongs to what follows, one behind a declaration to that; `name: ` at the head of a card
goes, and the words of a card (Does, Owner, Threads, Durable, Fails) begin lines of their own."""
import os
import re
import sys

CARD = re.compile(r"^( \* )(Does|Owner|Threads|Durable|Fails) {2,}(?=\S)")
RULER = re.compile(r"^/\* -{3,}.*-{3,} \*/$")


def head_of(line, name):
    """The first line of a comment that begins a line; `name`: of the file, if it is the file's own."""
    if name:
        return line.replace(f"/* teak/{name}: ", f"/** @file {name} @brief ", 1)
    return re.sub(r"/\* (?:\w+: )?", "/** ", line, count=1)


def translate(text, name):
    lines, is_open, first = [], False, name
    for line in text.split("\n"):
        if is_open:
            line = CARD.sub(r"\1<br><b>\2</b>: ", line)
            is_open = "*/" not in line
        elif not line.lstrip().startswith("#") and "/*" in line and not RULER.match(line):
            begin = line.index("/*")
            is_open = "*/" not in line[begin:]
            if line[:begin].strip():
                line = line[:begin] + "/**<" + line[begin + 2:]
            else:
                line = head_of(line, first)
                first = None
        lines.append(line)
    return "\n".join(lines)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(translate(file.read(), os.path.basename(sys.argv[1])))


if __name__ == "__main__":
    main()
