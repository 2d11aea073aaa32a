/* cmd_inspect.c: teak inspect: what a store is made of.
 * OWNS   The store, opened for reading.
 * PATH   The same facts, gathered in the same order, go to a table for a person or into one JSON object.
 * FAILS  A store that does not open still has a report: JSON gets it, with "store" null; a person gets the damage.
 * HOLDS  Works beside a living writer. */
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

enum { PIECE = 64 }; /* segments and logs asked for at a time */

static const char *state_name(enum teak_segment_state state)
{
    switch (state) {
    case TEAK_SEGMENT_SEALED: return "sealed";
    case TEAK_SEGMENT_OPEN: return "open";
    case TEAK_SEGMENT_EMPTY: return "empty";
    }
    return "unknown";
}

/* ------------------------------------------------------------------------------------------------------------- JSON */

static void store_json(struct json *json, const struct teak_store_info *info)
{
    json_object(json, "store");
    json_number(json, "version", info->version);
    json_number(json, "block_bytes", info->block_bytes);
    json_number(json, "segment_bytes", info->segment_bytes);
    json_hex(json, "family", info->family, sizeof(info->family));
    json_hex(json, "instance", info->instance, sizeof(info->instance));
    json_bool(json, "living", info->living);
    json_number(json, "oldest_segment", info->oldest_segment);
    json_number(json, "segment_count", info->segment_count);
    json_number(json, "spare_count", info->spare_count);
    json_number(json, "last_lsn", info->last_lsn);
    json_number(json, "durable_lsn", info->durable_lsn);
    json_close(json);
}

static void segment_json(struct json *json, const struct teak_segment_info *segment)
{
    char file[32];
    snprintf(file, sizeof(file), "%016" PRIx64 ".seg", segment->number);
    json_object(json, NULL);
    json_number(json, "number", segment->number);
    json_text(json, "file", file);
    json_text(json, "state", state_name(segment->state));
    json_number(json, "file_bytes", segment->file_bytes);
    json_number(json, "frames_end", segment->frames_end);
    json_number(json, "first_lsn", segment->first_lsn);
    json_number(json, "last_lsn", segment->last_lsn);
    json_number(json, "logs", segment->logs);
    json_close(json);
}

static void pos_json(struct json *json, const char *key, const struct teak_pos *pos)
{
    json_object(json, key);
    json_number(json, "index", pos->index);
    json_number(json, "term", pos->term);
    json_close(json);
}

static void log_json(struct json *json, const struct teak_log *log)
{
    json_object(json, NULL);
    json_number(json, "id", log->id);
    json_number(json, "first_index", log->first);
    json_number(json, "last_index", log->last.index);
    json_number(json, "last_term", log->last.term);
    json_object(json, "hard_state");
    json_number(json, "term", log->hard.term);
    json_number(json, "vote", log->hard.vote);
    json_number(json, "commit", log->hard.commit);
    json_close(json);
    if (log->snapshot.index != 0)
        pos_json(json, "snapshot", &log->snapshot);
    else
        json_null(json, "snapshot");
    json_number(json, "snapshot_file_bytes", log->snapshot_file_bytes);
    pos_json(json, "base", &log->base);
    pos_json(json, "durable", &log->durable);
    json_number(json, "life", log->life);
    json_bool(json, "fresh", log->fresh);
    json_number(json, "meta_bytes", log->meta_bytes);
    findings_marks_json(json, log->marks);
    json_close(json);
}

/* ---------------------------------------------------------------------------------------------------------- a table */

static void store_table(const char *directory, const struct teak_store_info *info, const struct teak_report *report)
{
    printf("%s: a store, format %" PRIu32 ", %s\n", directory, info->version,
           info->living ? "open in a living process" : findings_verdict(report->verdict));
    printf("  segments   %" PRIu64 " of %s from number %" PRIx64 " on, %" PRIu64 " spare; blocks of %s\n",
           info->segment_count, human_bytes(info->segment_bytes).text, info->oldest_segment, info->spare_count,
           human_bytes(info->block_bytes).text);
    printf("  frames     last lsn %" PRIu64 ", durable %" PRIu64 "\n", info->last_lsn, info->durable_lsn);
    printf("  opening    %.2f ms, %s of tail read in %s\n", (double)report->total_ns / 1e6,
           human_bytes(report->scanned_bytes).text, human_of(report->scanned_frames, "frame", "frames").text);
    if (report->verdict == TEAK_VERDICT_CUT)
        printf("  cut        %s in %s that nobody was told of, in %016" PRIx64 ".seg at %" PRIu64 "\n",
               human_bytes(report->cut_bytes).text, human_of(report->cut_frames, "frame", "frames").text,
               report->cut_segment, report->cut_offset);
    if (report->snapshot_files > 0)
        printf("  snapshots  %s, %" PRIu32 " missing\n", human_of(report->snapshot_files, "file", "files").text,
               report->snapshots_missing);
    if (report->unknown_count > 0)
        printf("  unknown    %s in the directory, %s first\n",
               human_of(report->unknown_count, "foreign name", "foreign names").text, report->unknown[0]);
}

static void segment_table(const struct teak_segment_info *segment)
{
    const double full =
        segment->file_bytes > 0 ? 100.0 * (double)segment->frames_end / (double)segment->file_bytes : 0;
    printf("%016" PRIx64 ".seg  %-6s  %10s  %5.1f %%  %14" PRIu64 "  %14" PRIu64 "  ", segment->number,
           state_name(segment->state), human_bytes(segment->file_bytes).text, full, segment->first_lsn,
           segment->last_lsn);
    if (segment->state == TEAK_SEGMENT_SEALED)
        printf("%6" PRIu64 "\n", segment->logs);
    else
        printf("%6s\n", "-");
}

static void log_table(const struct teak_log *log)
{
    char snapshot[48] = "-";
    if (log->snapshot.index != 0) snprintf(snapshot, sizeof(snapshot), "%" PRIu64, log->snapshot.index);
    printf("%20" PRIu64 "  %12" PRIu64 "  %12" PRIu64 "  %12" PRIu64 "  %8" PRIu64 "  %10s   term %" PRIu64
           ", vote %" PRIu64 ", commit %" PRIu64,
           log->id, log->first, log->last.index, log->durable.index, log->last.term, snapshot, log->hard.term,
           log->hard.vote, log->hard.commit);
    if (log->snapshot_file_bytes > 0) printf(", snapshot of %s", human_bytes(log->snapshot_file_bytes).text);
    printf("%s%s\n", log->marks != 0 ? "   quarantined: " : "", teak_marks_text(log->marks));
}

/* -------------------------------------------------------------------------------------------------------- gathering */

/* `json` NULL: the table. */
static void segments(struct teak_store *store, struct json *json)
{
    struct teak_segment_info piece[PIECE];
    if (json == NULL)
        printf("\n%-20s  %-6s  %10s  %7s  %14s  %14s  %6s\n", "segment", "state", "size", "full", "first lsn",
               "last lsn", "logs");
    for (uint64_t from = 0;;) {
        const uint32_t count = teak_inspect_segments(store, from, piece, PIECE);
        for (uint32_t i = 0; i < count; i++) {
            if (json != NULL)
                segment_json(json, &piece[i]);
            else
                segment_table(&piece[i]);
        }
        if (count < PIECE) return;
        from += count;
    }
}

static int logs(const char *directory, struct teak_store *store, struct json *json)
{
    uint64_t ids[PIECE], after = 0;
    bool from_start = true;
    int status = EXIT_GOOD;
    if (json == NULL)
        printf("\n%20s  %12s  %12s  %12s  %8s  %10s   %s\n", "log", "first", "last", "durable", "term", "snapshot",
               "hard state");
    for (;;) {
        const uint32_t count = teak_logs(store, from_start, after, ids, PIECE);
        for (uint32_t i = 0; i < count; i++) {
            struct teak_log log;
            struct teak_error error;
            if (teak_log(store, ids[i], &log, &error) != TEAK_OK)
                status = complain_error("inspect", directory, &error);
            else if (json != NULL)
                log_json(json, &log);
            else
                log_table(&log);
        }
        if (count < PIECE) return status;
        after = ids[count - 1];
        from_start = false;
    }
}

static int inspect_json(const char *directory, struct teak_store *store, const struct teak_report *report,
                        const struct teak_error *error)
{
    struct json json;
    struct teak_store_info info = {0};
    int status = EXIT_GOOD;
    json_begin(&json, stdout);
    json_text(&json, "status", store != NULL ? "ok" : teak_status_name(error->status));
    if (store == NULL) {
        json_null(&json, "store");
    } else {
        teak_inspect_store(store, &info);
        store_json(&json, &info);
        json_array(&json, "segments");
        segments(store, &json);
        json_close(&json);
        json_number(&json, "spares", info.spare_count);
        json_array(&json, "logs");
        status = logs(directory, store, &json);
        json_close(&json);
    }
    findings_report_json(&json, report, error->status);
    json_end(&json);
    return status;
}

static int inspect_table(const char *directory, struct teak_store *store, const struct teak_report *report)
{
    struct teak_store_info info = {0};
    if (store == NULL) {
        findings_damage(stdout, report->damage, findings_listed(report), report->damage_count);
        if (report->hard_states_suspect) printf("damaged: any hard state may be an old one\n");
        return EXIT_GOOD;
    }
    teak_inspect_store(store, &info);
    store_table(directory, &info, report);
    segments(store, NULL);
    return logs(directory, store, NULL);
}

int cmd_inspect(int argc, char **argv)
{
    struct store_args at = {0};
    bool as_json = false;
    struct arg rows[] = {
        STORE_ARG_DIR(at),
        {.name = "json", .type = ARG_FLAG, .to.flag = &as_json, .help = "one JSON object"},
        STORE_ARG_BACKEND(at),
    };
    const struct arg_command command = {
        .name = "inspect", .what = "what a store is made of: its segments, spares and logs", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "Safe beside a living writer: shows what was there when it looked.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("inspect", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);

    struct teak_options options;
    struct teak_store *store = NULL;
    struct teak_report report = {0};
    struct teak_error error = {0};
    if (!store_args_options("inspect", &at, &options)) return EXIT_WRONG;
    options.read_only = true;
    int status = EXIT_GOOD;
    if (teak_open(at.directory, &options, &store, &report, &error) != TEAK_OK) {
        store = NULL;
        status = complain_error("inspect", at.directory, &error);
    }
    const int shown = as_json ? inspect_json(at.directory, store, &report, &error)
                              : inspect_table(at.directory, store, &report);
    if (status == EXIT_GOOD) status = shown;
    if (store != NULL && teak_close(store, &error) != TEAK_OK)
        status = complain_error("inspect", at.directory, &error);
    return complain_flush("inspect", status);
}
