#!/usr/bin/env python3
"""floor_test.py: what a floor's objects call. Only engine_os may call the kernel.

Reads `nm` of the floor's objects. A name that neither the floor nor one below it defines comes from outside, and has to
be on the floor's list. So a pwrite in the store fails a test, whoever included what.
"""
import argparse
import re
import subprocess
import sys

# Bytes and arithmetic: no state, no kernel.
PURE = set("""
    memcpy memmove memset memcmp memchr strlen strcmp strncmp strchr strrchr strnlen strtoull bcmp __ctype_b_loc
    snprintf __snprintf vsnprintf abort qsort bsearch
""".split())
# Which instructions the processor has: a word of the compiler's own library.
PROCESSOR = set("__cpu_model __cpu_indicator_init".split())
# check.c says why it stops.
LAST_WORDS = set("fprintf fputs fputc fwrite stderr".split())
# The names of errors: a table in libc.
WORDS = set("strerror strerrordesc_np strerrorname_np".split())

ALLOWED = {
    "engine_base": PURE | LAST_WORDS | WORDS,
    "engine_format": PURE | PROCESSOR,
    "engine_os": None,
    "engine_store": PURE,
    "raft_core": PURE,
    "raft_wire": PURE | PROCESSOR,
    "raft_stores": PURE,
}
# What a floor may call of the libraries below it: what they export.
OFFERED = {"raft_stores": re.compile(r"teak_\w+"), "raft_wire": re.compile(r"teak_raft_\w+")}
# What compilers add by themselves.
IGNORED = re.compile(r"^(__asan_|__lsan_|__ubsan_|__tsan_|__msan_|__sancov_|__sanitizer|__stack_chk_|__tls_get_addr"
                     r"|_GLOBAL_OFFSET_TABLE_|__gcov|__llvm_|__start_|__stop_|\.)")


def plain(name):
    """pwrite64@GLIBC -> pwrite64; __memcpy_chk -> memcpy; __isoc99_sscanf -> sscanf."""
    name = name.split("@")[0]
    match = re.fullmatch(r"__(\w+)_chk", name)
    return match.group(1) if match else re.sub(r"^__isoc\d\d_", "", name)


def symbols(text):
    """(defined, {undefined: object}) of `nm -A` output: 'x.o:0000 T name' or 'x.o: U name'."""
    defined, undefined = set(), {}
    for line in text.splitlines():
        match = re.match(r"(.*\.o):\s*([0-9a-fA-F]*)\s+(\w)\s+(\S+)$", line)
        if not match:
            continue
        where, _, kind, name = match.groups()
        if kind in "Uwv":
            undefined.setdefault(name, where)
        else:
            defined.add(name)
    return defined, undefined


def judge(floor, defined, undefined):
    """Complaints about one floor."""
    allowed = ALLOWED[floor]
    if allowed is None:
        return []
    return [f"{where}: {floor} must not call {plain(name)}"
            for name, where in sorted(undefined.items())
            if name not in defined and not IGNORED.match(name) and plain(name) not in allowed
            and not (floor in OFFERED and OFFERED[floor].fullmatch(name))]


def nm(tool, objects):
    return subprocess.run([tool, "-A", *objects], check=True, capture_output=True, text=True).stdout if objects else ""


def self_test():
    above = "a.o:0000 T pool_take\na.o: U pool_helper\na.o: U memcpy@GLIBC_2.14\na.o: U malloc\n" \
            "a.o: U __asan_report_load8\n"
    below = "b.o:0000 T pool_helper\n"
    defined = symbols(above)[0] | symbols(below)[0]
    cases = [("engine_store", above, 1), ("engine_base", above, 1), ("engine_os", above, 0),
             ("raft_stores", above + "a.o: U teak_submit\na.o: U teak_memory_take\na.o: U pwrite64\n", 2),
             ("raft_core", "a.o: U teak_submit\n", 1),
             ("raft_wire", "a.o: U teak_submit\na.o: U teak_raft_size\na.o: U __cpu_model\n", 1),
             ("engine_store", above + "a.o: U pwrite64\n", 2), ("engine_store", above + "a.o: U clock_gettime\n", 2),
             ("engine_format", "a.o: U __memcpy_chk\n", 0),
             ("engine_format", "a.o: U syscall\na.o: U io_uring_submit\n", 2)]
    for floor, text, want in cases:
        got = judge(floor, defined, symbols(text)[1])
        if len(got) != want:
            sys.exit(f"floor_test.py: self-test: {floor}: wanted {want} complaints, got {got}")
    print(f"floor_test.py: {len(cases)} cases as expected")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--floor", choices=sorted(ALLOWED))
    parser.add_argument("--objects", nargs="*", default=[], help="the floor's own")
    parser.add_argument("--lower", nargs="*", default=[], help="those of the floors it stands on")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    if not args.objects:
        sys.exit(f"{args.floor}: no objects")
    own, undefined = symbols(nm(args.nm, args.objects))
    below, _ = symbols(nm(args.nm, args.lower))
    complaints = judge(args.floor, own | below, undefined)
    print("\n".join(complaints) or f"{args.floor}: {len(args.objects)} objects, {len(undefined)} names, all allowed")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
