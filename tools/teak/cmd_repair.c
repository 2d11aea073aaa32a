/* cmd_repair.c: teak repair: what damage cost, and, if that is accepted, a store that opens again; or what can be read,
 * in a store of its own.
 * OWNS   The plan: made by an opening for reading. With --accept-loss it is applied, as it was shown.
 * FAILS  A plan that is not accepted is a problem found: exit status 1. Beside a living writer: locked.
 * HOLDS  Without --accept-loss nothing is written into the store. */
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

struct repair {
    struct store_args at;
    bool as_json, accept, drops;
    const char *salvage;
    uint64_t drop;
    struct json *json; /* NULL: for a person */
    struct teak_options options;
    struct teak_repair_plan *plan;
    struct teak_report report;
    struct teak_error error;
};

/* -------------------------------------------------------------------------------------------------------- the plan */

static bool has_work(const struct repair *run)
{
    return run->plan != NULL && (run->plan->is_damaged || run->plan->rebuilds_store);
}

static const char *outcome(const struct repair *run, bool done)
{
    if (run->error.status != TEAK_OK) return "failed";
    if (done) return "repaired";
    return has_work(run) ? "not accepted" : "nothing to do";
}

static void show_json(struct repair *run, bool done)
{
    const struct teak_repair_plan *plan = run->plan;
    struct json *json = run->json;
    json_text(json, "outcome", outcome(run, done));
    json_bool(json, "rebuilds_store", plan != NULL && plan->rebuilds_store);
    json_array(json, "files");
    for (uint64_t i = 0; plan != NULL && i < plan->file_count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%016" PRIx64 ".seg", plan->files[i].segment);
        json_object(json, NULL);
        json_text(json, "file", name);
        json_text(json, "fate", teak_repair_fate_text(plan->files[i].fate));
        json_close(json);
    }
    json_close(json);
    json_array(json, "logs");
    for (uint64_t i = 0; plan != NULL && i < plan->log_count; i++) {
        json_object(json, NULL);
        json_number(json, "id", plan->logs[i].log);
        json_number(json, "first_index", plan->logs[i].first);
        json_number(json, "last_index", plan->logs[i].last);
        findings_marks_json(json, plan->logs[i].marks);
        json_close(json);
    }
    json_close(json);
    const uint32_t places = plan != NULL ? (uint32_t)plan->damage_count : 0;
    if (plan != NULL) findings_damage_json(json, plan->damages, places, places);
    findings_report_json(json, &run->report, run->error.status);
}

static void print_line(void *context, const char *line)
{
    (void)context;
    printf("%s\n", line);
}

static void show(struct repair *run, bool done)
{
    if (run->json != NULL) {
        show_json(run, done);
        return;
    }
    if (run->plan != NULL)
        teak_repair_plan_print(run->plan, print_line, NULL);
    else
        findings_damage(stdout, run->report.damage, findings_listed(&run->report), run->report.damage_count);
    printf("%s\n", outcome(run, done));
}

/* A log that is whole is not dropped here, by a slip of the pen. */
static int check_drop(struct repair *run)
{
    if (!run->drops) return EXIT_GOOD;
    for (uint64_t i = 0; i < run->plan->log_count; i++)
        if (run->plan->logs[i].log == run->drop) return EXIT_GOOD;
    complain("repair", "log %" PRIu64 " bears no mark: only one that does is dropped here", run->drop);
    return EXIT_WRONG;
}

static enum teak_status drop(struct repair *run)
{
    struct teak_store *store;
    const struct teak_op op = {.op = TEAK_OP_DROP, .log = run->drop};
    enum teak_status status = teak_open(run->at.directory, &run->options, &store, NULL, &run->error);
    if (status != TEAK_OK) return status;
    do {
        status = teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1}, &run->error);
        if (status == TEAK_FULL && teak_drain(store, &run->error) != TEAK_OK) break;
    } while (status == TEAK_FULL);
    if (status == TEAK_OK) status = teak_drain(store, &run->error);
    struct teak_error error;
    const enum teak_status closed = teak_close(store, status == TEAK_OK ? &run->error : &error);
    return status == TEAK_OK ? closed : status;
}

static int repair(struct repair *run)
{
    if (teak_repair_plan_make(run->at.directory, &run->options, &run->plan, &run->report, &run->error) != TEAK_OK) {
        show(run, false);
        return complain_error("repair", run->at.directory, &run->error);
    }
    int status = check_drop(run);
    if (status != EXIT_GOOD) return status;
    const bool is_due = has_work(run) || run->drops;
    if (run->accept && is_due) {
        enum teak_status answer =
            teak_repair_plan_apply(run->at.directory, &run->options, run->plan, &run->error);
        if (answer == TEAK_OK && run->drops) answer = drop(run);
        if (answer != TEAK_OK) status = complain_error("repair", run->at.directory, &run->error);
    }
    const bool done = run->accept && is_due && status == EXIT_GOOD;
    show(run, done);
    return is_due && !done ? EXIT_PROBLEM : status;
}

/* ----------------------------------------------------------------------------------------------------- a new store */

static void show_lost(const struct teak_salvaged *log)
{
    if (log->lost_first > 0 && log->lost_last >= log->lost_first)
        printf("; lost: entries %" PRIu64 " to %" PRIu64, log->lost_first, log->lost_last);
    else if (log->lost_first > 0)
        printf("; lost: what there was from %" PRIu64 " on", log->lost_first);
    if (log->snapshot_lost) printf("; lost: its snapshot");
    if (log->marks != 0) printf("; mark: %s", teak_marks_text(log->marks));
}

static void on_salvaged(void *context, const struct teak_salvaged *log)
{
    struct repair *run = context;
    if (run->json == NULL) {
        printf("log:     %" PRIu64 ": entries %" PRIu64 " to %" PRIu64, log->log, log->first, log->last);
        show_lost(log);
        printf("\n");
        return;
    }
    json_object(run->json, NULL);
    json_number(run->json, "id", log->log);
    json_number(run->json, "first_index", log->first);
    json_number(run->json, "last_index", log->last);
    json_number(run->json, "lost_first", log->lost_first);
    json_number(run->json, "lost_last", log->lost_last);
    json_bool(run->json, "snapshot_lost", log->snapshot_lost);
    findings_marks_json(run->json, log->marks);
    json_close(run->json);
}

static int salvage(struct repair *run)
{
    struct teak_salvage_result result;
    struct json *json = run->json;
    if (json != NULL) json_array(json, "logs");
    const enum teak_status answer = teak_salvage(run->at.directory, run->salvage, &run->options, &result, on_salvaged,
                                                 run, &run->report, &run->error);
    if (json != NULL) {
        json_close(json);
        json_text(json, "outcome", answer == TEAK_OK ? "salvaged" : "failed");
        json_number(json, "hurt", result.hurt);
        json_number(json, "entries", result.entries);
        json_number(json, "lost_entries", result.lost_entries);
        json_number(json, "snapshots", result.snapshots);
        json_number(json, "snapshots_lost", result.snapshots_lost);
        findings_report_json(json, &run->report, run->error.status);
    } else if (answer == TEAK_OK) {
        if (run->report.logs_may_be_missing) printf("damaged: logs that were created there may be missing\n");
        printf("salvaged into %s: %s, %" PRIu64 " of them hurt; %s, %s\n", run->salvage,
               human_of(result.logs, "log", "logs").text, result.hurt,
               human_of(result.entries, "entry", "entries").text, human_bytes(result.bytes).text);
    }
    if (answer == TEAK_OK) return EXIT_GOOD;
    if (answer == TEAK_INVALID) {
        complain("repair", "%s is not empty (%s is there): name a directory that is missing or empty", run->salvage,
                 run->error.file);
        return EXIT_PROBLEM;
    }
    return complain_error("repair", run->at.directory, &run->error);
}

static int work(struct repair *run)
{
    if (!store_args_options("repair", &run->at, &run->options)) return EXIT_WRONG;
    if (run->salvage == NULL) return repair(run);
    if (!run->accept && !run->drops) return salvage(run);
    complain("repair", "--salvage leaves the store as it is: not with --accept-loss, nor with --drop");
    return EXIT_WRONG;
}

int cmd_repair(int argc, char **argv)
{
    struct repair run = {.salvage = NULL};
    struct arg rows[] = {
        STORE_ARG_DIR(run.at),
        {.name = "accept-loss", .type = ARG_FLAG, .to.flag = &run.accept,
         .help = "do what the plan says; without it nothing is written"},
        {.name = "drop", .type = ARG_NUMBER, .to.number = &run.drop, .low = 0, .high = UINT64_MAX, .word = "LOG",
         .help = "and drop this log, which bears a mark"},
        {.name = "salvage", .type = ARG_TEXT, .to.text = &run.salvage, .word = "NEWDIR",
         .help = "leave the store as it is, and make a new one there of what can be read"},
        {.name = "json", .type = ARG_FLAG, .to.flag = &run.as_json, .help = "one JSON object"},
        STORE_ARG_BACKEND(run.at),
    };
    const struct arg_command command = {
        .name = "repair", .what = "say what damage cost, and get the store back if that is accepted", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "Prints a plan: what is damaged, which logs are hurt and how far they can be read, which files go to\n"
                 "replaced/. With --accept-loss the store opens again; logs that are or may be hurt bear a mark until\n"
                 "they are dropped, and take nothing else. Exit status 1: there is a plan, and it was not accepted.\n"
                 "A STORE that is lost is made anew out of the segments. --salvage names what is lost, log by log;\n"
                 "NEWDIR is there when it is whole, until then it is NEWDIR.unfinished.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("repair", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, "drop") == 0) run.drops = rows[i].given;
    struct json json;
    if (run.as_json) json_begin(&json, stdout);
    run.json = run.as_json ? &json : NULL;
    const int status = work(&run);
    if (run.as_json) json_end(&json);
    teak_repair_plan_free(run.plan);
    return complain_flush("repair", status);
}
