/* main.c: the command `teak`: which subcommand, and what it may be asked about itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    {"bench append", cmd_bench_append, "a load on a directory, and what came of it"},
    {"bench ceiling", cmd_bench_ceiling, "what a disk can do with no log on it"},
    {"tune", cmd_tune, "the settings that suit a disk and a load, and why"},
};
enum { SUBCOMMANDS = sizeof(subcommands) / sizeof(subcommands[0]) };

static int help(void)
{
    printf("teak: a durable log for Raft, on the command line\n\n");
    for (uint32_t i = 0; i < SUBCOMMANDS; i++) printf("  teak %-13s  %s\n", subcommands[i].name, subcommands[i].what);
    printf("  teak %-13s  this text, or a subcommand's: teak help append\n\n", "help");
    printf("  seq 1000 | teak append --dir data     1,000 durable entries in log 1\n"
           "  teak cat --dir data --from 991        the last ten of them\n"
           "  teak bench append --dir bench --entry-bytes 256 --window 1024\n\n"
           "Every subcommand has --help. Exit status: 0 good, 1 a problem was found, 2 wrong use.\n");
    return complain_flush("help", EXIT_GOOD);
}

/* How many of the words name it: "bench append" is two. 0: they do not. */
static int words_named(const char *name, int argc, char **argv)
{
    const char *space = strchr(name, ' ');
    const size_t first = space != NULL ? (size_t)(space - name) : strlen(name);
    if (strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0) return 0;
    if (space == NULL) return 1;
    return argc > 1 && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

/* A word that begins subcommands of two words, without a second one, or with one that is none of theirs. */
static bool half_named(int argc, char **argv, int *status_out)
{
    const char *seconds[SUBCOMMANDS + 1] = {NULL};
    uint32_t count = 0;
    const size_t first = strlen(argv[0]);
    for (uint32_t i = 0; i < SUBCOMMANDS; i++) {
        const char *name = subcommands[i].name;
        if (strncmp(name, argv[0], first) == 0 && name[first] == ' ') seconds[count++] = name + first + 1;
    }
    if (count == 0) return false;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        for (uint32_t i = 0; i < SUBCOMMANDS; i++)
            if (strncmp(subcommands[i].name, argv[0], first) == 0 && subcommands[i].name[first] == ' ')
                printf("  teak %-13s  %s\n", subcommands[i].name, subcommands[i].what);
        *status_out = complain_flush("help", EXIT_GOOD);
        return true;
    }
    char list[160];
    args_list(seconds, list, sizeof(list));
    if (argc > 1)
        complain("", "there is no subcommand \"%s %s\": write teak %s %s", argv[0], argv[1], argv[0], list);
    else
        complain(argv[0], "what is to be done is missing: write teak %s %s", argv[0], list);
    *status_out = EXIT_WRONG;
    return true;
}

static int run(int argc, char **argv)
{
    int status;
    for (uint32_t i = 0; i < SUBCOMMANDS; i++) {
        const int words = words_named(subcommands[i].name, argc, argv);
        if (words > 0) return subcommands[i].run(argc - words + 1, argv + words - 1);
    }
    if (half_named(argc, argv, &status)) return status;
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

/* Where 0, 1 or 2 was closed, a file of the store would be opened there, and what is said be written into it. What is
 * opened instead can neither be read nor written, so that both fail as they did. */
static bool hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/", O_PATH | O_CLOEXEC) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    static char help_flag[] = "--help";
    if (!hold_standard_files()) return EXIT_PROBLEM;
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
    if (asked) { /* what follows is a name of one word, or of two */
        char *words[] = {argv[2], argc > 3 ? argv[3] : help_flag, help_flag, NULL};
        return run(argc > 3 ? 3 : 2, words);
    }
    if (first[0] == '-') {
        complain("", "there is no option %s before a subcommand: write teak --help or teak --version", first);
        return EXIT_WRONG;
    }
    return run(argc - 1, argv + 1);
}
