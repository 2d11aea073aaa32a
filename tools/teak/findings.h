/* findings.h: what opening and verification found, for a person and as JSON. */
#ifndef TEAK_TOOLS_FINDINGS_H
#define TEAK_TOOLS_FINDINGS_H

#include <stdint.h>
#include <stdio.h>

#include "teak/engine.h"

#include "json.h"

/* "clean", "cut", ... */
const char *findings_verdict(enum teak_verdict verdict);

/* One line for each place: its file, the logs and index ranges. `count` may exceed `listed`. */
void findings_damage(FILE *out, const struct teak_damage *damage, uint32_t listed, uint32_t count);

/* "damage": [...], one object for each place, and "damage_count". */
void findings_damage_json(struct json *json, const struct teak_damage *damage, uint32_t listed, uint32_t count);

/* "report": {...}; `answer` is that of the opening it is about, which reached no verdict if it was neither OK nor
 * DAMAGED. */
void findings_report_json(struct json *json, const struct teak_report *report, enum teak_status answer);

/* A log's marks as "marks": [...]. */
void findings_marks_json(struct json *json, uint32_t marks);

/* The report's damage that is listed. */
uint32_t findings_listed(const struct teak_report *report);

#endif
