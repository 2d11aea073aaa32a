/* cmd_verify.c: teak verify: read everything, check every sum, name what is hurt.
 * OWNS   The store, opened for reading, and the list of damage.
 * PATH   Opening judges the tail and the checkpoints; teak_verify_each then reads every frame and every index.
 * FAILS  Damage is an answer, not an accident: it is listed, all of it, and the exit status is 1. Where opening
 *        refuses, the store is opened once more, for reading, as a repair would open it, to find the rest.
 * HOLDS  Writes nothing; works beside a living writer. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "teak/engine.h"
#include "teak/inspect.h"

#include "args.h"
#include "command.h"
#include "complain.h"
#include "findings.h"
#include "human.h"
#include "json.h"
#include "progress.h"
#include "store_args.h"
#include "ticks.h"

struct verify {
    struct store_args at;
    bool as_json;
    enum teak_status open_answer;
    struct teak_report report;
    struct teak_verify_result result;
    struct teak_damage *damage; /* all that was found                            */
    uint32_t listed, room, count; /* count: more than listed where memory was lacking */
    struct teak_error error; /* of opening or of verifying; status OK: whole */
    struct progress progress;
    uint64_t begin_ns;
};

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    struct verify *run = context;
    const uint64_t now_ns = ticks_ns();
    if (!progress_is_due(&run->progress, now_ns)) return;
    run->progress.total = total;
    char note[136];
    snprintf(note, sizeof(note), "%s of %s", human_bytes(done).text, human_bytes(total).text);
    progress_show(&run->progress, now_ns, done, note);
}

static void on_damage(void *context, const struct teak_damage *damage)
{
    enum { FIRST = 64 };
    struct verify *run = context;
    run->count++;
    if (run->listed == run->room) {
        const uint32_t room = run->room > 0 ? 2 * run->room : FIRST;
        struct teak_damage *grown = realloc(run->damage, room * sizeof(*grown));
        if (grown == NULL) return;
        run->damage = grown;
        run->room = room;
    }
    run->damage[run->listed++] = *damage;
}

static void show_json(const struct verify *run)
{
    char text[COMPLAIN_TEXT_BYTES];
    struct json json;
    json_begin(&json, stdout);
    json_text(&json, "status", teak_status_name(run->error.status));
    if (run->error.status == TEAK_OK) {
        json_null(&json, "error");
    } else {
        teak_error_text(&run->error, text, sizeof(text));
        json_text(&json, "error", text);
    }
    json_number(&json, "segments", run->result.segments);
    json_number(&json, "frames", run->result.frames);
    json_number(&json, "entries", run->result.entries);
    json_number(&json, "snapshots", run->result.snapshots);
    json_number(&json, "bytes", run->result.bytes);
    findings_damage_json(&json, run->damage, run->listed, run->count);
    findings_report_json(&json, &run->report, run->open_answer);
    json_end(&json);
}

static void show_text(const struct verify *run)
{
    findings_damage(stdout, run->damage, run->listed, run->count);
    if (run->report.hard_states_suspect) printf("damaged: any hard state may be an old one\n");
    if (run->error.status != TEAK_OK) return;
    const double seconds = (double)(ticks_ns() - run->begin_ns) / 1e9;
    printf("whole: %s, %s, %s, %s in %.2f s\n", human_of(run->result.segments, "segment", "segments").text,
           human_of(run->result.frames, "frame", "frames").text,
           human_of(run->result.entries, "entry", "entries").text, human_bytes(run->result.bytes).text, seconds);
    if (run->result.snapshots > 0)
        printf("whole: %s\n", human_of(run->result.snapshots, "snapshot", "snapshots").text);
}

/* Opening refused, and said why. What else is damaged is looked for in what a repair would make of it. */
static void look_further(struct verify *run, struct teak_options options)
{
    struct teak_store *store = NULL;
    struct teak_error error;
    static struct teak_report report;
    options.on_damage = TEAK_QUARANTINE;
    const enum teak_status answer = teak_open(run->at.directory, &options, &store, &report, &error);
    if (answer == TEAK_OK) {
        (void)teak_verify_each(store, on_damage, &run->result, on_progress, run, &error); /* the answer is known */
        (void)teak_close(store, &error);
    }
    if (run->count > 0) return;
    for (uint32_t i = 0; i < findings_listed(&run->report); i++) on_damage(run, &run->report.damage[i]);
    run->count = run->report.damage_count;
}

/* Fills everything of `run` that is shown. Returns the exit status. */
static int look(struct verify *run)
{
    struct teak_options options;
    struct teak_store *store = NULL;
    int status = EXIT_GOOD;
    if (!store_args_options("verify", &run->at, &options)) return EXIT_WRONG;
    options.read_only = true;
    run->open_answer = teak_open(run->at.directory, &options, &store, &run->report, &run->error);
    progress_begin(&run->progress, "verify", 1, true);
    if (run->open_answer != TEAK_OK) {
        look_further(run, options);
        progress_end(&run->progress);
        return complain_error("verify", run->at.directory, &run->error);
    }
    const enum teak_status answer =
        teak_verify_each(store, on_damage, &run->result, on_progress, run, &run->error);
    progress_end(&run->progress);
    if (answer != TEAK_OK)
        status = complain_error("verify", run->at.directory, &run->error);
    else
        run->error = (struct teak_error){.status = TEAK_OK};
    struct teak_error error;
    if (teak_close(store, &error) != TEAK_OK && status == EXIT_GOOD) {
        run->error = error;
        status = complain_error("verify", run->at.directory, &error);
    }
    return status;
}

int cmd_verify(int argc, char **argv)
{
    struct verify run = {.begin_ns = ticks_ns()};
    struct arg rows[] = {
        STORE_ARG_DIR(run.at),
        {.name = "json", .type = ARG_FLAG, .to.flag = &run.as_json, .help = "one JSON object"},
        STORE_ARG_BACKEND(run.at),
    };
    const struct arg_command command = {
        .name = "verify", .what = "read everything in a store and check every sum", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "Names the files, logs and index ranges that are damaged. Writes nothing; safe beside a living\n"
                 "writer. A torn end, as a crash leaves it, is no damage: nobody was told that it is durable.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("verify", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);

    const int status = look(&run);
    if (status != EXIT_WRONG) {
        if (run.as_json)
            show_json(&run);
        else
            show_text(&run);
    }
    free(run.damage);
    return complain_flush("verify", status);
}
