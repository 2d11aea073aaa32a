/* cmd_repair.c: teak repair: what damage cost, and, if that is accepted, a store that opens again.
 * OWNS   The store: opened for reading for the plan, for writing only with --accept-loss.
 * PATH   Both are on_damage = quarantine: the plan is what opening found, the repair is its first write.
 * FAILS  A plan that is not accepted is a problem found: exit status 1. Beside a living writer: locked.
 * HOLDS  Without --accept-loss nothing is written. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "teak/engine.h"
#include "teak/inspect.h"

#include "args.h"
#include "command.h"
#include "complain.h"
#include "findings.h"
#include "human.h"
#include "json.h"
#include "store_args.h"

enum { PIECE = 64 }; /* logs and files asked for at a time */

struct repair {
    struct store_args at;
    bool as_json, accept, drops;
    uint64_t drop;
    struct teak_report report;
    struct teak_error error;
    uint64_t hurt;  /* logs that bear a mark */
};

static const char *fate_name(enum teak_repair_fate fate)
{
    switch (fate) {
    case TEAK_REPAIR_COPIED: return "copied to replaced/, an index is written behind what is left";
    case TEAK_REPAIR_SUBSTITUTED: return "copied to replaced/, another file takes its place";
    case TEAK_REPAIR_MADE: return "missing, another file takes its place";
    case TEAK_REPAIR_MOVED: return "moved to replaced/";
    }
    return "unknown";
}

static void show_files(struct teak_store *store, struct json *json)
{
    struct teak_repair_file files[PIECE];
    uint32_t count = PIECE;
    if (json != NULL) json_array(json, "files");
    for (uint64_t from = 0; count == PIECE; from += count) {
        count = teak_repair_files(store, from, files, PIECE);
        for (uint32_t i = 0; i < count; i++) {
            char name[32];
            snprintf(name, sizeof(name), "%016" PRIx64 ".seg", files[i].segment);
            if (json == NULL) {
                printf("file:    %s: %s\n", name, fate_name(files[i].fate));
                continue;
            }
            json_object(json, NULL);
            json_text(json, "file", name);
            json_text(json, "fate", fate_name(files[i].fate));
            json_close(json);
        }
    }
    if (json != NULL) json_close(json);
}

static void show_log(struct repair *run, const struct teak_log *log, struct json *json)
{
    if (log->marks == 0) return;
    run->hurt++;
    if (json == NULL) {
        printf("log:     %" PRIu64 ": entries %" PRIu64 " to %" PRIu64 " can be read; mark: %s\n", log->id, log->first,
               log->last.index, findings_marks(log->marks));
        return;
    }
    json_object(json, NULL);
    json_number(json, "id", log->id);
    json_number(json, "first_index", log->first);
    json_number(json, "last_index", log->last.index);
    findings_marks_json(json, log->marks);
    json_close(json);
}

static void show_logs(struct repair *run, struct teak_store *store, struct json *json)
{
    uint64_t ids[PIECE], after = 0;
    uint32_t count = PIECE;
    if (json != NULL) json_array(json, "logs");
    for (bool from_start = true; count == PIECE; from_start = false) {
        count = teak_logs(store, from_start, after, ids, PIECE);
        for (uint32_t i = 0; i < count; i++) {
            struct teak_log log;
            if (teak_log(store, ids[i], &log, NULL) == TEAK_OK) show_log(run, &log, json);
        }
        if (count > 0) after = ids[count - 1];
    }
    if (json != NULL) json_close(json);
}

static bool is_damaged(const struct repair *run) { return run->report.verdict == TEAK_VERDICT_QUARANTINED; }

static const char *outcome(const struct repair *run, bool done)
{
    if (run->error.status != TEAK_OK) return "failed";
    if (done) return "repaired";
    return is_damaged(run) ? "not accepted" : "nothing to do";
}

/* The plan; behind it what became of it. */
static void show(struct repair *run, struct teak_store *store, struct json *json, bool done)
{
    if (json != NULL) {
        json_text(json, "outcome", outcome(run, done));
        if (store != NULL && !done) show_files(store, json);
        if (store != NULL) show_logs(run, store, json);
        findings_report_json(json, &run->report, run->error.status);
        return;
    }
    findings_damage(stdout, run->report.damage, findings_listed(&run->report), run->report.damage_count);
    if (run->report.logs_may_be_missing) printf("damaged: logs that were created there may be missing\n");
    if (store != NULL && !done) show_files(store, NULL);
    if (store != NULL) show_logs(run, store, NULL);
    printf("%s\n", outcome(run, done));
}

static enum teak_status open_it(struct repair *run, bool for_reading, struct teak_store **out)
{
    struct teak_options options;
    if (!store_args_options("repair", &run->at, &options)) return TEAK_OPTIONS;
    options.read_only = for_reading;
    options.on_damage = TEAK_QUARANTINE;
    return teak_open(run->at.directory, &options, out, &run->report, &run->error);
}

/* The first write of a quarantined store, the drop that was asked for, and a clean end. */
static enum teak_status apply(struct repair *run, struct teak_store *store)
{
    enum teak_status status = teak_barrier(store, 0, &run->error);
    if (status == TEAK_OK) status = teak_drain(store, &run->error);
    if (status == TEAK_OK && run->drops) {
        const struct teak_op op = {.op = TEAK_OP_DROP, .log = run->drop};
        do {
            status = teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1}, &run->error);
            if (status == TEAK_FULL && teak_drain(store, &run->error) != TEAK_OK) break;
        } while (status == TEAK_FULL);
        if (status == TEAK_OK) status = teak_drain(store, &run->error);
    }
    return status;
}

/* A log that is whole is not dropped here, by a slip of the pen. */
static int check_drop(struct repair *run, struct teak_store *store)
{
    struct teak_log log;
    if (!run->drops) return EXIT_GOOD;
    if (teak_log(store, run->drop, &log, &run->error) != TEAK_OK)
        return complain_error("repair", run->at.directory, &run->error);
    run->error = (struct teak_error){.status = TEAK_OK};
    if (log.marks != 0) return EXIT_GOOD;
    complain("repair", "log %" PRIu64 " is whole: only a log that bears a mark is dropped here", run->drop);
    return EXIT_WRONG;
}

static int work(struct repair *run, struct json *json)
{
    struct teak_store *store = NULL;
    const bool for_reading = !run->accept;
    if (open_it(run, for_reading, &store) != TEAK_OK) {
        if (run->error.status == TEAK_OK) return EXIT_WRONG; /* an option: it was said */
        show(run, NULL, json, false);
        return complain_error("repair", run->at.directory, &run->error);
    }
    int status = check_drop(run, store);
    const bool has_work = is_damaged(run) || run->drops;
    bool done = false;
    if (status == EXIT_GOOD && run->accept && has_work) {
        if (apply(run, store) != TEAK_OK) status = complain_error("repair", run->at.directory, &run->error);
        done = status == EXIT_GOOD;
    }
    if (status != EXIT_WRONG) show(run, store, json, done);
    struct teak_error error;
    if (teak_close(store, &error) != TEAK_OK && status == EXIT_GOOD) {
        run->error = error;
        status = complain_error("repair", run->at.directory, &error);
    }
    return status == EXIT_GOOD && has_work && !done ? EXIT_PROBLEM : status;
}

int cmd_repair(int argc, char **argv)
{
    struct repair run = {.hurt = 0};
    struct arg rows[] = {
        STORE_ARG_DIR(run.at),
        {.name = "accept-loss", .type = ARG_FLAG, .to.flag = &run.accept,
         .help = "do what the plan says; without it nothing is written"},
        {.name = "drop", .type = ARG_NUMBER, .to.number = &run.drop, .low = 0, .high = UINT64_MAX, .word = "LOG",
         .help = "and drop this log, which bears a mark"},
        {.name = "json", .type = ARG_FLAG, .to.flag = &run.as_json, .help = "one JSON object"},
        STORE_ARG_BACKEND(run.at),
    };
    const struct arg_command command = {
        .name = "repair", .what = "say what damage cost, and get the store back if that is accepted", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "Prints a plan: what is damaged, which logs are hurt and how far they can be read, which files go to\n"
                 "replaced/. With --accept-loss the store opens again; logs that are or may be hurt bear a mark until\n"
                 "they are dropped, and take nothing else. Exit status 1: there is a plan, and it was not accepted.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("repair", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, "drop") == 0) run.drops = rows[i].given;
    struct json json;
    if (run.as_json) json_begin(&json, stdout);
    const int status = work(&run, run.as_json ? &json : NULL);
    if (run.as_json) json_end(&json);
    return complain_flush("repair", status);
}
