/* main.c: the command `teak`: which subcommand, and what it may be asked about itself. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "teak/engine.h"

#include "args.h"
#include "command.h"
#include "complain.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} subcommands[] = {
    {"append", cmd_append, "entries from standard input into a log"},
    {"cat", cmd_cat, "entries of a log onto standard output"},
    {"inspect", cmd_inspect, "what a store is made of"},
    {"verify", cmd_verify, "read everything and check every sum"},
    {"repair", cmd_repair, "what damage cost, and a store that opens again"},
    {"stats", cmd_stats, "counters and latencies of a store, also while it is written"},
    {"copy", cmd_copy, "a store of its own out of another one, also while that is written"},
    {"import", cmd_import, "a log of raft-io or engenho into a log of its own"},
    {"bench", cmd_bench, "bench append: a load of appends on a directory"},
};
enum { SUBCOMMANDS = sizeof(subcommands) / sizeof(subcommands[0]) };

static int help(void)
{
    printf("teak: a durable log for Raft, on the command line\n\n");
    for (uint32_t i = 0; i < SUBCOMMANDS; i++) printf("  teak %-8s  %s\n", subcommands[i].name, subcommands[i].what);
    printf("  teak %-8s  this text, or a subcommand's: teak help append\n\n", "help");
    printf("  seq 1000 | teak append --dir data     1,000 durable entries in log 1\n"
           "  teak cat --dir data --from 991        the last ten of them\n"
           "  teak bench append --dir bench --entry-bytes 256 --window 1024\n\n"
           "Every subcommand has --help. Exit status: 0 good, 1 a problem was found, 2 wrong use.\n");
    return complain_flush("help", EXIT_GOOD);
}

static int run(int argc, char **argv)
{
    for (uint32_t i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(argv[0], subcommands[i].name) == 0) return subcommands[i].run(argc, argv);
    const char *names[SUBCOMMANDS + 2] = {NULL};
    for (uint32_t i = 0; i < SUBCOMMANDS; i++) names[i] = subcommands[i].name;
    names[SUBCOMMANDS] = "help";
    const char *nearest = args_nearest(argv[0], names);
    char list[160];
    args_list(names, list, sizeof(list));
    if (nearest != NULL)
        complain("", "there is no subcommand \"%s\": write teak %s", argv[0], nearest);
    else
        complain("", "there is no subcommand \"%s\": write teak and then %s", argv[0], list);
    return EXIT_WRONG;
}

int main(int argc, char **argv)
{
    static char help_flag[] = "--help";
    if (argc < 2) {
        complain("", "a subcommand is missing: write teak help to see them");
        return EXIT_WRONG;
    }
    const char *first = argv[1];
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        printf("teak %d.%d.%d\n", TEAK_VERSION_MAJOR, TEAK_VERSION_MINOR, TEAK_VERSION_PATCH);
        return complain_flush("--version", EXIT_GOOD);
    }
    const bool asked = strcmp(first, "help") == 0;
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || (asked && argc == 2)) return help();
    if (asked) {
        char *words[] = {argv[2], help_flag, NULL};
        return run(2, words);
    }
    if (first[0] == '-') {
        complain("", "there is no option %s before a subcommand: write teak --help or teak --version", first);
        return EXIT_WRONG;
    }
    return run(argc - 1, argv + 1);
}
