/* cmd_cat.c: teak cat: entries of a log onto standard output.
 * OWNS   The store, opened for reading, and a cursor.
 * PATH   The log's bounds are asked once, then a cursor is read in large pieces up to the last index wanted.
 * FAILS  A rotten entry ends the output before it, with its log and index on standard error.
 * HOLDS  Works beside a living writer, and waits for a dead owner's last writes as opening does. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "teak/engine.h"

#include "args.h"
#include "command.h"
#include "complain.h"
#include "framing.h"
#include "human.h"
#include "progress.h"
#include "store_args.h"
#include "ticks.h"

enum { READ_ENTRIES = 1024, READ_BYTES = 1 << 20, OUT_BYTES = 1 << 20 };

struct cat {
    struct store_args at;
    uint64_t log;
    uint64_t from, to; /* inclusive; as given, then filled in from the log */
    bool from_given, to_given;
    uint32_t framing;
    struct teak_store *store;
};

static void show(struct progress *progress, uint64_t done)
{
    const uint64_t now_ns = ticks_ns();
    if (!progress_is_due(progress, now_ns)) return;
    progress_show(progress, now_ns, done, human_of(done, "entry", "entries").text);
}

/* Copy up to cat->to; false with *error filled or with the stream's error set. */
static bool copy(struct cat *cat, struct teak_cursor *cursor, struct progress *progress, struct teak_error *error)
{
    struct teak_entry entries[READ_ENTRIES];
    for (uint64_t next = cat->from; next <= cat->to;) {
        const uint64_t left = cat->to - next + 1;
        const uint32_t most = left < READ_ENTRIES ? (uint32_t)left : READ_ENTRIES;
        uint32_t count = 0;
        if (teak_cursor_read(cursor, READ_BYTES, entries, most, &count, error) != TEAK_OK) return false;
        if (count == 0) break; /* the log was cut back since its bounds were asked */
        for (uint32_t i = 0; i < count; i++)
            if (!framing_put(stdout, (enum framing_kind)cat->framing, entries[i].data, entries[i].bytes)) return false;
        next += count;
        show(progress, next - cat->from);
    }
    return true;
}

/* The log's bounds, and what was asked of them. `beyond_out`: entries were asked for that do not exist. */
static enum teak_status bounds(struct cat *cat, bool *beyond_out, struct teak_error *error)
{
    struct teak_log log;
    const enum teak_status status = teak_log(cat->store, cat->log, &log, error);
    if (status != TEAK_OK) return status;
    if (!cat->from_given) cat->from = log.first;
    *beyond_out = cat->to_given && cat->to > log.last.index;
    if (!cat->to_given || *beyond_out) cat->to = log.last.index;
    if (*beyond_out)
        *error = (struct teak_error){.status = TEAK_BEYOND, .operation = "read", .log = cat->log, .has_log = 1,
                                     .index = log.last.index + 1};
    return TEAK_OK;
}

static int run(struct cat *cat)
{
    struct teak_error error = {0}, beyond_error = {0};
    struct teak_cursor *cursor = NULL;
    struct progress progress;
    bool beyond = false, copied = false;
    int status = EXIT_GOOD;
    enum teak_status answer = bounds(cat, &beyond, &beyond_error);
    if (answer != TEAK_OK) return complain_error("cat", cat->at.directory, &beyond_error);
    answer = teak_cursor_open(cat->store, cat->log, cat->from, &cursor, &error);
    if (answer != TEAK_OK) return complain_error("cat", cat->at.directory, &error);

    progress_begin(&progress, "cat", cat->to >= cat->from ? cat->to - cat->from + 1 : 0, isatty(STDOUT_FILENO) == 0);
    copied = copy(cat, cursor, &progress, &error);
    const int why = errno;
    progress_end(&progress);
    errno = why;
    status = complain_flush("cat", status);
    if (!copied && error.status != TEAK_OK)
        status = complain_error("cat", cat->at.directory, &error);
    else if (copied && beyond && status == EXIT_GOOD)
        status = complain_error("cat", cat->at.directory, &beyond_error);
    teak_cursor_close(cursor);
    return status;
}

int cmd_cat(int argc, char **argv)
{
    struct cat cat = {.log = 1};
    enum { ROW_FROM = 2, ROW_TO = 3 };
    struct arg rows[] = {
        STORE_ARG_DIR(cat.at),
        {.name = "log", .type = ARG_NUMBER, .to.number = &cat.log, .high = UINT64_MAX, .word = "ID",
         .help = "default 1"},
        [ROW_FROM] = {.name = "from", .type = ARG_NUMBER, .to.number = &cat.from, .low = 1, .high = UINT64_MAX,
                      .word = "INDEX", .help = "the first entry wanted; default: the log's first"},
        [ROW_TO] = {.name = "to", .type = ARG_NUMBER, .to.number = &cat.to, .low = 1, .high = UINT64_MAX,
                    .word = "INDEX", .help = "the last entry wanted; default: the log's last"},
        {.name = "framing", .type = ARG_CHOICE, .to.choice = &cat.framing, .choices = framing_names, .word = "F",
         .help = "lines (default): a newline behind each entry\nlen32: a 4-byte little-endian length before each"},
        STORE_ARG_BACKEND(cat.at),
    };
    const struct arg_command command = {
        .name = "cat", .what = "entries of a log onto standard output", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "Safe beside a living writer: shows what was there when it looked. Entries that were asked for and\n"
                 "do not exist are a problem, said after those that do.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("cat", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);
    cat.from_given = rows[ROW_FROM].given;
    cat.to_given = rows[ROW_TO].given;
    if (cat.from_given && cat.to_given && cat.from > cat.to) {
        complain("cat", "--from %" PRIu64 " is behind --to %" PRIu64 ": write --from %" PRIu64 " --to %" PRIu64,
                 cat.from, cat.to, cat.to, cat.from);
        return EXIT_WRONG;
    }

    struct teak_options options;
    struct teak_error error = {0};
    if (!store_args_options("cat", &cat.at, &options)) return EXIT_WRONG;
    options.read_only = true;
    setvbuf(stdout, NULL, _IOFBF, OUT_BYTES); /* where it fails the default buffer does */
    if (teak_open(cat.at.directory, &options, &cat.store, NULL, &error) != TEAK_OK)
        return complain_error("cat", cat.at.directory, &error);
    int status = run(&cat);
    if (teak_close(cat.store, &error) != TEAK_OK && status == EXIT_GOOD)
        status = complain_error("cat", cat.at.directory, &error);
    return status;
}
