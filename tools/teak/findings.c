/* findings.c: see findings.h. */
#include "findings.h"

#include <inttypes.h>

#include "teak/inspect.h"

#include "human.h"

/* A segment's file name: its number in 16 hexadecimal digits (docs/format.md). */
#define SEGMENT_NAME "%016" PRIx64 ".seg"
enum { SEGMENT_NAME_BYTES = 16 + 4 + 1 };

const char *findings_verdict(enum teak_verdict verdict)
{
    switch (verdict) {
    case TEAK_VERDICT_CREATED: return "created";
    case TEAK_VERDICT_CLEAN: return "clean";
    case TEAK_VERDICT_UNCLEAN: return "unclean";
    case TEAK_VERDICT_CUT: return "cut";
    case TEAK_VERDICT_DAMAGED: return "damaged";
    case TEAK_VERDICT_QUARANTINED: return "quarantined";
    }
    return "unknown";
}

uint32_t findings_listed(const struct teak_report *report)
{
    return report->damage_count < TEAK_DAMAGE_MAX ? report->damage_count : TEAK_DAMAGE_MAX;
}

void findings_damage(FILE *out, const struct teak_damage *damage, uint32_t listed, uint32_t count)
{
    for (uint32_t i = 0; i < listed; i++) {
        char text[256];
        teak_damage_text(&damage[i], text, sizeof(text));
        fprintf(out, "damaged: %s\n", text);
    }
    if (count > listed) fprintf(out, "damaged: and %s more\n", human_of(count - listed, "place", "places").text);
}

void findings_damage_json(struct json *json, const struct teak_damage *damage, uint32_t listed, uint32_t count)
{
    json_number(json, "damage_count", count);
    json_array(json, "damage");
    for (uint32_t i = 0; i < listed; i++) {
        const struct teak_damage *at = &damage[i];
        char file[SEGMENT_NAME_BYTES];
        snprintf(file, sizeof(file), SEGMENT_NAME, at->segment);
        json_object(json, NULL);
        if (at->is_snapshot)
            json_null(json, "file");
        else
            json_text(json, "file", file);
        json_bool(json, "snapshot", at->is_snapshot);
        json_number(json, "offset", at->offset);
        json_number(json, "first_lsn", at->first_lsn);
        json_number(json, "last_lsn", at->last_lsn);
        if (at->has_log) {
            json_number(json, "log", at->log);
            json_number(json, "first_index", at->first);
            json_number(json, "last_index", at->last);
        } else {
            json_null(json, "log");
            json_null(json, "first_index");
            json_null(json, "last_index");
        }
        json_close(json);
    }
    json_close(json);
}

void findings_report_json(struct json *json, const struct teak_report *report, enum teak_status answer)
{
    json_object(json, "report");
    if (answer == TEAK_OK || answer == TEAK_DAMAGED)
        json_text(json, "verdict", findings_verdict(report->verdict));
    else
        json_null(json, "verdict");
    json_number(json, "segments", report->segments);
    json_number(json, "sealed", report->sealed);
    json_number(json, "scanned", report->scanned);
    json_number(json, "spares", report->spares);
    json_number(json, "logs", report->logs);
    json_number(json, "last_lsn", report->last_lsn);
    json_number(json, "scanned_frames", report->scanned_frames);
    json_number(json, "scanned_bytes", report->scanned_bytes);
    if (report->verdict == TEAK_VERDICT_CUT) {
        json_object(json, "cut");
        json_number(json, "segment", report->cut_segment);
        json_number(json, "offset", report->cut_offset);
        json_number(json, "bytes", report->cut_bytes);
        json_number(json, "frames", report->cut_frames);
        json_close(json);
    } else {
        json_null(json, "cut");
    }
    json_text(json, "backend", report->backend);
    json_bool(json, "backend_fell_back", report->backend_fell_back);
    json_bool(json, "direct_io", report->direct_io);
    json_object(json, "ns");
    json_number(json, "lock_wait", report->lock_wait_ns);
    json_number(json, "list", report->list_ns);
    json_number(json, "sync", report->sync_ns);
    json_number(json, "sealed", report->sealed_ns);
    json_number(json, "scan", report->scan_ns);
    json_number(json, "total", report->total_ns);
    json_close(json);
    findings_damage_json(json, report->damage, findings_listed(report), report->damage_count);
    json_bool(json, "hard_states_suspect", report->hard_states_suspect);
    json_number(json, "quarantined", report->quarantined);
    json_bool(json, "logs_may_be_missing", report->logs_may_be_missing);
    json_number(json, "unknown_count", report->unknown_count);
    json_array(json, "unknown");
    const uint32_t names =
        report->unknown_count < TEAK_UNKNOWN_NAMES_MAX ? report->unknown_count : TEAK_UNKNOWN_NAMES_MAX;
    for (uint32_t i = 0; i < names; i++) json_text(json, NULL, report->unknown[i]);
    json_close(json);
    json_close(json);
}

void findings_marks_json(struct json *json, uint32_t marks)
{
    json_array(json, "marks");
    if (marks & TEAK_TAIL_LOST) json_text(json, NULL, "tail lost");
    if (marks & TEAK_HARD_STATE_SUSPECT) json_text(json, NULL, "hard state suspect");
    json_close(json);
}
