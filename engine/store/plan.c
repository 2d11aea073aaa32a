/* plan.c: a repair as a value: made, looked at, done.
 *
 * PATH   make: opened for reading as a repair would open it; what opening found becomes the plan -> apply: opened for
 *        writing the same way; if it is still the same, the first write (repair.h) is the repair.
 * HOLDS  What is done is what was shown: both openings see the same numbers, or nothing is done.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "os/heap.h"
#include "store/failure.h"
#include "store/store.h"
#include "teak/inspect.h"

enum { PIECE = 64, LINE_BYTES = 256 };

/* -------------------------------------------------------------------------------------------------- what it is like */

static void mix(uint64_t *sum, uint64_t value)
{
    *sum = (*sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    *sum ^= *sum >> 29;
}

static void mix_segment(uint64_t *sum, const struct segment *segment)
{
    mix(sum, segment->number);
    mix(sum, segment->key.salt);
    mix(sum, segment->file_bytes);
    mix(sum, segment->frames_end);
    mix(sum, segment->first_lsn);
    mix(sum, segment->last_lsn);
    mix(sum, segment->chain);
    mix(sum, (uint64_t)segment->is_salvaged << 3 | (uint64_t)segment->is_lost << 2 |
                 (uint64_t)segment->is_missing << 1 | (uint64_t)segment->is_cut_short);
}

static void mix_log(uint64_t *sum, const struct log *log)
{
    const struct log_head *head = &log->head;
    mix(sum, log->id);
    mix(sum, head->life);
    mix(sum, head->term);
    mix(sum, head->vote);
    mix(sum, head->commit);
    mix(sum, head->base.index);
    mix(sum, head->last.index);
    mix(sum, head->last.term);
    mix(sum, head->snapshot.index);
    mix(sum, head->marks);
}

static void mix_damage(uint64_t *sum, const struct teak_damage *damage)
{
    mix(sum, damage->segment);
    mix(sum, damage->offset);
    mix(sum, damage->first_lsn);
    mix(sum, damage->last_lsn);
    mix(sum, damage->log);
    mix(sum, damage->first);
    mix(sum, damage->last);
}

/* Everything that opening found and a repair builds on, as one number. */
static uint64_t likeness_of(const struct teak_store *store)
{
    uint64_t sum = store->store_lost;
    uint64_t part;
    if (!store->store_lost) {
        memcpy(&part, store->superblock.instance, sizeof part);
        mix(&sum, part);
    }
    memcpy(&part, store->superblock.family, sizeof part);
    mix(&sum, part);
    mix(&sum, store->writer.next_lsn);
    mix(&sum, store->cut_first);
    mix(&sum, store->cut_end);
    mix(&sum, store->segments.oldest);
    mix(&sum, store->segments.newest);
    for (uint64_t number = store->segments.oldest; number <= store->segments.newest; number++)
        mix_segment(&sum, segment_at(&store->segments, number));
    for (uint32_t i = 0; i < store->logs.count; i++) mix_log(&sum, store->logs.sorted[i]);
    for (uint32_t i = 0; i < store->harm_count && !store->harm.no_memory; i++) mix_damage(&sum, &store->harm.all[i]);
    return sum;
}

/* ----------------------------------------------------------------------------------------------------------- making */

static enum teak_status open_it(const char *directory, const struct teak_options *options, bool for_reading,
                                struct teak_store **out, struct teak_report *report, struct teak_error *error)
{
    struct teak_options own = options ? *options : teak_options_default();
    own.create = false;
    own.read_only = for_reading;
    own.on_damage = TEAK_QUARANTINE;
    own.stats_interval_ns = TEAK_FOREVER;
    return store_open_mending(directory, &own, out, report, error);
}

static bool take_files(struct teak_store *store, struct teak_repair_plan *plan)
{
    uint32_t count = PIECE;
    while (count == PIECE) {
        struct teak_repair_file *grown = heap_grow(plan->files, (plan->file_count + PIECE) * sizeof *grown);
        if (!grown) return false;
        plan->files = grown;
        count = teak_repair_files(store, plan->file_count, grown + plan->file_count, PIECE);
        plan->file_count += count;
    }
    return true;
}

static bool take_logs(struct teak_store *store, struct teak_repair_plan *plan)
{
    uint64_t hurt = 0;
    for (uint32_t i = 0; i < store->logs.count; i++) hurt += (store->logs.sorted[i]->head.marks & LOG_HURT) != 0;
    plan->logs = heap_take_zeroed(hurt + 1, sizeof *plan->logs);
    if (!plan->logs) return false;
    for (uint32_t i = 0; i < store->logs.count; i++) {
        const struct log *log = store->logs.sorted[i];
        if (!(log->head.marks & LOG_HURT)) continue;
        plan->logs[plan->log_count++] =
            (struct teak_repair_log){.log = log->id, .first = log->head.base.index + 1, .last = log->head.last.index,
                                     .marks = log->head.marks & LOG_HURT};
    }
    return true;
}

static bool take_damages(struct teak_store *store, struct teak_repair_plan *plan)
{
    if (store->harm.no_memory) return false;
    plan->damages = heap_take_zeroed((uint64_t)store->harm_count + 1, sizeof *plan->damages);
    if (!plan->damages) return false;
    plan->damage_count = teak_damages(store, 0, plan->damages, store->harm_count);
    return true;
}

enum teak_status teak_repair_plan_make(const char *directory, const struct teak_options *options,
                                       struct teak_repair_plan **out, struct teak_report *report,
                                       struct teak_error *error)
{
    *out = NULL;
    struct teak_repair_plan *plan = heap_take_zeroed(1, sizeof *plan);
    if (!plan) return fail(error, TEAK_NO_MEMORY, "plan");
    struct teak_store *store;
    enum teak_status status = open_it(directory, options, true, &store, &plan->report, error);
    if (report) *report = plan->report;
    if (status == TEAK_OK && !(take_files(store, plan) && take_logs(store, plan) && take_damages(store, plan)))
        status = fail(error, TEAK_NO_MEMORY, "plan");
    if (status == TEAK_OK) {
        plan->rebuilds_store = store->store_lost;
        plan->is_damaged = store->salvaging;
        memcpy(plan->family, store->superblock.family, sizeof plan->family);
        plan->likeness = likeness_of(store);
        *out = plan;
    }
    if (store) teak_abandon(store);
    if (status != TEAK_OK) teak_repair_plan_free(plan);
    return status;
}

void teak_repair_plan_free(struct teak_repair_plan *plan)
{
    if (!plan) return;
    heap_give(plan->files);
    heap_give(plan->logs);
    heap_give(plan->damages);
    heap_give(plan);
}

/* ------------------------------------------------------------------------------------------------------------ doing */

enum teak_status teak_repair_plan_apply(const char *directory, const struct teak_options *options,
                                        const struct teak_repair_plan *plan, struct teak_error *error)
{
    struct teak_report *report = heap_take_zeroed(1, sizeof *report);
    if (!report) return fail(error, TEAK_NO_MEMORY, "repair");
    struct teak_store *store;
    enum teak_status status = open_it(directory, options, false, &store, report, error);
    heap_give(report);
    if (status != TEAK_OK) return status;
    if (likeness_of(store) != plan->likeness) status = fail(error, TEAK_CHANGED, "repair");
    const bool has_work = plan->is_damaged || plan->rebuilds_store;
    if (status == TEAK_OK && has_work) status = teak_barrier(store, 0, error); /* the first write */
    if (status == TEAK_OK && has_work) status = teak_drain(store, error);
    if (status != TEAK_OK || !has_work) {
        teak_abandon(store);
        return status;
    }
    return teak_close(store, error);
}

/* ---------------------------------------------------------------------------------------------------------- telling */

const char *teak_repair_fate_text(enum teak_repair_fate fate)
{
    switch (fate) {
    case TEAK_REPAIR_COPIED: return "copied to replaced/, an index is written behind what is left";
    case TEAK_REPAIR_SUBSTITUTED: return "copied to replaced/, another file takes its place";
    case TEAK_REPAIR_MADE: return "missing, another file takes its place";
    case TEAK_REPAIR_MOVED: return "moved to replaced/";
    }
    return "unknown";
}

const char *teak_marks_text(uint32_t marks)
{
    const bool tail = marks & TEAK_TAIL_LOST, hard = marks & TEAK_HARD_STATE_SUSPECT;
    if (tail && hard) return "tail lost, hard state suspect";
    if (tail) return "tail lost";
    return hard ? "hard state suspect" : "";
}

size_t teak_damage_text(const struct teak_damage *damage, char *out, size_t bytes)
{
    char place[LINE_BYTES / 2], what[LINE_BYTES / 2];
    if (damage->is_snapshot) {
        const int wanted = snprintf(out, bytes, "the snapshot of log %" PRIu64 " up to index %" PRIu64
                                    ", its file at %" PRIu64, damage->log, damage->last, damage->offset);
        return wanted < 0 ? 0 : (size_t)wanted;
    }
    snprintf(place, sizeof place, "%016" PRIx64 ".seg at %" PRIu64, damage->segment, damage->offset);
    if (damage->has_log && damage->first == damage->last)
        snprintf(what, sizeof what, "log %" PRIu64 ", entry %" PRIu64, damage->log, damage->first);
    else if (damage->has_log)
        snprintf(what, sizeof what, "log %" PRIu64 ", entries %" PRIu64 " to %" PRIu64, damage->log, damage->first,
                 damage->last);
    else
        snprintf(what, sizeof what, "which logs is not known");
    char frames[LINE_BYTES / 4] = "";
    if (damage->last_lsn != 0)
        snprintf(frames, sizeof frames, " (frames %" PRIu64 " to %" PRIu64 ")", damage->first_lsn, damage->last_lsn);
    const int wanted = snprintf(out, bytes, "%s: %s%s", place, what, frames);
    return wanted < 0 ? 0 : (size_t)wanted;
}

void teak_repair_plan_print(const struct teak_repair_plan *plan, teak_line_fn print, void *context)
{
    char line[LINE_BYTES], text[LINE_BYTES - 16];
    for (uint64_t i = 0; i < plan->damage_count; i++) {
        teak_damage_text(&plan->damages[i], text, sizeof text);
        snprintf(line, sizeof line, "damaged: %s", text);
        print(context, line);
    }
    if (plan->report.logs_may_be_missing) print(context, "damaged: logs that were created there may be missing");
    if (plan->rebuilds_store)
        print(context, "file:    STORE: made anew out of the segments; what is left of it goes to replaced/. The "
                       "store's instance is another one from then on");
    for (uint64_t i = 0; i < plan->file_count; i++) {
        snprintf(line, sizeof line, "file:    %016" PRIx64 ".seg: %s", plan->files[i].segment,
                 teak_repair_fate_text(plan->files[i].fate));
        print(context, line);
    }
    for (uint64_t i = 0; i < plan->log_count; i++) {
        const struct teak_repair_log *log = &plan->logs[i];
        snprintf(line, sizeof line, "log:     %" PRIu64 ": entries %" PRIu64 " to %" PRIu64 " can be read; mark: %s",
                 log->log, log->first, log->last, teak_marks_text(log->marks));
        print(context, line);
    }
}
