/* cmd_copy.c: teak copy: a store of its own out of another one, also while that is written.
 * PATH   teak_copy does it all.
 * FAILS  What a copy that failed left behind is no store; it is said what to remove.
 * HOLDS  Never writes into the origin, never over anything. */
#include <inttypes.h>
#include <stdio.h>

#include "teak/engine.h"
#include "teak/inspect.h"

#include "args.h"
#include "command.h"
#include "complain.h"
#include "human.h"
#include "json.h"
#include "progress.h"
#include "ticks.h"

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    struct progress *progress = context;
    const uint64_t now_ns = ticks_ns();
    if (!progress_is_due(progress, now_ns)) return;
    progress->total = total;
    progress_show(progress, now_ns, done, human_of(done, "file", "files").text);
}

static void show_json(const struct teak_copy_result *result)
{
    struct json json;
    json_begin(&json, stdout);
    json_text(&json, "status", "ok");
    json_hex(&json, "instance", result->instance, sizeof(result->instance));
    json_number(&json, "segments", result->segments);
    json_number(&json, "linked", result->linked);
    json_number(&json, "copied", result->copied);
    json_number(&json, "copied_bytes", result->copied_bytes);
    json_number(&json, "snapshots", result->snapshots);
    json_number(&json, "restarts", result->restarts);
    json_number(&json, "last_lsn", result->last_lsn);
    json_number(&json, "logs", result->logs);
    json_end(&json);
}

int cmd_copy(int argc, char **argv)
{
    const char *from = NULL, *to = NULL;
    bool as_json = false;
    struct arg rows[] = {
        {.name = "from", .type = ARG_TEXT, .required = true, .bare = true, .to.text = &from, .word = "FROM",
         .help = "the store; the name of the option may be left out"},
        {.name = "to", .type = ARG_TEXT, .required = true, .bare = true, .to.text = &to, .word = "TO",
         .help = "a directory that is missing or empty; likewise"},
        {.name = "json", .type = ARG_FLAG, .to.flag = &as_json, .help = "one JSON object"},
    };
    const struct arg_command command = {
        .name = "copy", .what = "a store of its own out of another one, also while that is written", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "The copy has all that was acknowledged when the command began. Segments that are full get a second\n"
                 "name (a hard link) where TO is on the same file system, so that they cost nothing; neither store\n"
                 "changes what the other holds. The copy has an instance of its own and is written on like any store.\n"
                 "A Raft replica must not run from two copies at once: whoever starts the second one has to give it\n"
                 "another node id. A copy that failed has no STORE, is no store, and can be removed.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("copy", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);

    struct teak_copy_result result;
    struct teak_error error = {0};
    struct progress progress;
    const uint64_t begin_ns = ticks_ns();
    progress_begin(&progress, "copy", 1, true);
    const enum teak_status status = teak_copy(from, to, &result, on_progress, &progress, &error);
    progress_end(&progress);
    if (status == TEAK_INVALID) {
        complain("copy", "%s is not empty (%s is there): write a directory that is missing or empty", to, error.file);
        return EXIT_PROBLEM;
    }
    if (status != TEAK_OK) {
        char text[COMPLAIN_TEXT_BYTES];
        teak_error_text(&error, text, sizeof(text));
        complain("copy", "%s to %s: %s; what is in %s is no store: remove it before the next try", from, to, text, to);
        return EXIT_PROBLEM;
    }
    if (as_json)
        show_json(&result);
    else
        printf("%s: %s (%" PRIu64 " linked, %" PRIu64 " copied, %s), %s, up to lsn %" PRIu64 ", in %.2f s\n", to,
               human_of(result.segments, "segment", "segments").text, result.linked, result.copied,
               human_bytes(result.copied_bytes).text, human_of(result.logs, "log", "logs").text, result.last_lsn,
               (double)(ticks_ns() - begin_ns) / 1e9);
    return complain_flush("copy", EXIT_GOOD);
}
