/* inspect.c: looking at a store from outside: what it is made of, and whether every byte of it is what was written. */
#include "teak/inspect.h"

#include <string.h>

#include "base/bytes.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/recover.h"
#include "store/salvage.h"
#include "store/scan.h"

void teak_inspect_store(struct teak_store *store, struct teak_store_info *out)
{
    const struct superblock *super = &store->superblock;
    *out = (struct teak_store_info){.version = FORMAT_VERSION,
                                    .block_bytes = super->block_bytes,
                                    .segment_bytes = super->segment_bytes,
                                    .oldest_segment = store->segments.oldest,
                                    .segment_count = store->segments.newest - store->segments.oldest + 1,
                                    .spare_count = store->spares_seen,
                                    .last_lsn = store->writer.next_lsn - 1,
                                    .durable_lsn = store->flight.durable_lsn,
                                    .living = store->living};
    memcpy(out->family, super->family, sizeof out->family);
    memcpy(out->instance, super->instance, sizeof out->instance);
}

uint32_t teak_inspect_segments(struct teak_store *store, uint64_t from, struct teak_segment_info *out, uint32_t max)
{
    uint32_t count = 0;
    const struct segments *segments = &store->segments;
    for (uint64_t number = segments->oldest + from; number <= segments->newest && count < max; number++) {
        const struct segment *segment = segment_at(segments, number);
        const bool sealed = segment->state == SEGMENT_SEALED;
        out[count++] = (struct teak_segment_info){
            .number = number, .file_bytes = segment->file_bytes, .frames_end = segment->frames_end,
            .first_lsn = segment->first_lsn, .last_lsn = segment->last_lsn,
            .logs = sealed ? segment->footer.log_count : segment->effect_count,
            .state = sealed ? TEAK_SEGMENT_SEALED : TEAK_SEGMENT_OPEN};
    }
    return count;
}

/* ---------------------------------------------------------------------------------------------------------- verify */

struct verifying {
    struct scan_source source;
    struct teak_report report; /* collects what is damaged, of one segment at a time */
    struct harm harm;
    teak_damage_fn told;
    struct teak_verify_result *result;
    teak_progress progress;
    void *context;
    uint64_t done, total;
};

static enum teak_status count_frame(void *context, const uint8_t *frame, const struct frame_head *head,
                                    struct teak_error *error)
{
    (void)frame;
    (void)error;
    struct verifying *verifying = context;
    verifying->result->frames++;
    verifying->result->entries += head->entry_count;
    return TEAK_OK;
}

/* Slots and summary of a loaded image. */
static bool index_is_whole(const struct image *image)
{
    const struct footer *footer = &image->footer;
    uint64_t sums[SLOT_PIECES_MAX];
    uint32_t pieces = 0;
    if (footer->slot_count > (uint32_t)SLOT_PIECES_MAX * SLOT_PIECE) return false; /* no frames hold so many */
    for (uint32_t slot = 0; slot < footer->slot_count; slot += SLOT_PIECE) {
        const uint32_t count = footer->slot_count - slot < SLOT_PIECE ? footer->slot_count - slot : SLOT_PIECE;
        const uint8_t *at = image->bytes + footer->slots_offset + slot * sizeof(struct layout_slot);
        sums[pieces++] = key_sum(&image->key, at, count * sizeof(struct layout_slot));
    }
    return slots_sum_of(&image->key, sums, pieces) == footer->slots_sum &&
           summary_judge(image->bytes + footer->summary_offset, footer, &image->key);
}

static void list_damage(struct verifying *verifying, struct teak_damage damage)
{
    harm_note(&verifying->harm, &verifying->report, damage);
}

static void damage_of_file(struct verifying *verifying, uint64_t number, uint64_t offset)
{
    list_damage(verifying, (struct teak_damage){.segment = number, .offset = offset});
}

/* A salvaged segment: frames of it are lost, and what its index names is all that counts. */
static void verify_salvaged(struct verifying *verifying, const struct image *image)
{
    const struct footer *footer = &image->footer;
    const uint8_t *summary = image->bytes + footer->summary_offset;
    const struct layout_slot *slots = (const struct layout_slot *)(const void *)(image->bytes + footer->slots_offset);
    for (uint32_t record = 0; record < footer->summary_bytes;) {
        struct touched touched;
        record = touched_get(summary, record, &touched);
        for (uint32_t e = 0; e < touched.extent_count; e++) {
            const struct layout_extent *extent = &touched.extents[e];
            for (uint32_t i = 0; i < le32_get(extent->count); i++) {
                const struct layout_slot *slot = &slots[le32_get(extent->slot) + i];
                const uint64_t index = le64_get(extent->first) + i, offset = le32_get(slot->offset);
                const struct entry_identity who = {.log = touched.log, .index = index, .term = le64_get(extent->term),
                                                   .bytes = le32_get(slot->bytes), .kind = extent->kind};
                verifying->result->entries++;
                if (range_fits(offset, who.bytes, footer->frames_end) &&
                    key_entry_sum(&image->key, &who, image->bytes + offset) == le64_get(slot->sum))
                    continue;
                list_damage(verifying, (struct teak_damage){.segment = image->number, .offset = offset,
                                                            .log = touched.log, .first = index, .last = index,
                                                            .has_log = true});
            }
        }
    }
}

/* Not all of its frames are whole: which. Where the walk does not get through, the first. */
static void list_damaged_frames(struct verifying *verifying, const struct segment *segment, const struct image *image,
                                uint32_t before)
{
    struct teak_report *report = &verifying->report;
    if (verifying->harm.no_memory) return;
    const uint32_t found = report->damage_count;
    const struct teak_damage first = verifying->harm.all[before];
    struct tail *tail = heap_take_zeroed(1, sizeof *tail);
    if (!tail) return;
    tail->images[0] = *image;
    tail->count = 1;
    uint32_t hurt;
    report->damage_count = before;
    const bool is_walked = salvage_plan(&verifying->source, tail, segment->first_lsn, false, &hurt, report, NULL) ==
                               TEAK_OK && report->damage_count >= found;
    heap_give(tail);
    if (is_walked) return;
    report->damage_count = before;
    list_damage(verifying, first);
}

/* Everything in one segment. Its own report: what is found is counted only if it is found again. */
static enum teak_status verify_image(struct verifying *verifying, const struct segment *segment, struct image *image,
                                     struct teak_error *error)
{
    enum teak_status status = image_open(&verifying->source, segment->number, image, error);
    if (status == TEAK_OK) status = image_load(&verifying->source, image, error);
    if (status != TEAK_OK) return status;
    if (image->has_key && image->key.salt != segment->key.salt) return TEAK_LOG_GONE; /* another use already */
    if (image->identity != TEAK_OK) damage_of_file(verifying, segment->number, 0);
    const bool is_salvaged = image->has_footer && (image->footer.flags & FOOTER_SALVAGED);
    const uint32_t before = verifying->report.damage_count;
    if (!is_salvaged)
        status = scan_frames(&verifying->source, image, segment->frames_end, count_frame, verifying,
                             &verifying->report, error);
    if (status == TEAK_DAMAGED) {
        list_damaged_frames(verifying, segment, image, before);
        status = TEAK_OK; /* it is in the report */
    }
    if (is_salvaged && index_is_whole(image)) verify_salvaged(verifying, image);
    if (image->has_footer && !index_is_whole(image))
        damage_of_file(verifying, segment->number, image->footer.slots_offset);
    else if (!image->has_footer && segment->state == SEGMENT_SEALED)
        damage_of_file(verifying, segment->number, image->file_bytes - verifying->source.block_bytes);
    return status;
}

static enum teak_status verify_segment(struct verifying *verifying, const struct segment *segment,
                                       struct teak_error *error)
{
    struct image image = {.file = DISK_NONE};
    const uint32_t before = verifying->report.damage_count;
    const struct teak_verify_result counted = *verifying->result;
    enum teak_status status = verify_image(verifying, segment, &image, error);
    if (verifying->source.beside && status != TEAK_LOG_GONE &&
        (status != TEAK_OK || verifying->report.damage_count != before)) {
        image_close(&verifying->source, &image); /* what a writer is just writing is not damaged: look again */
        verifying->report.damage_count = before;
        *verifying->result = counted;
        status = verify_image(verifying, segment, &image, error);
    }
    verifying->result->segments++;
    verifying->result->bytes += segment->frames_end;
    image_close(&verifying->source, &image);
    return status == TEAK_LOG_GONE ? TEAK_OK : status;
}

/* The snapshot of a log. Beside a writer its file may have been superseded since the store was opened. */
static enum teak_status verify_snapshot(struct verifying *verifying, struct teak_store *store, const struct log *log,
                                        struct teak_error *error)
{
    struct teak_error why = {0};
    uint64_t bytes;
    if (log->head.file_id == 0) return TEAK_OK;
    const enum teak_status status = snapshot_verify(store, log, &bytes, &why);
    if (status == TEAK_DAMAGED && why.os_errno != 0 && store->living) return TEAK_OK;
    verifying->result->snapshots++;
    verifying->result->bytes += bytes;
    verifying->done += log->head.file_bytes;
    if (status == TEAK_OK) return TEAK_OK;
    if (status != TEAK_DAMAGED && status != TEAK_HASH_MISMATCH) {
        if (error) *error = why;
        return status;
    }
    list_damage(verifying, (struct teak_damage){.offset = why.offset, .log = log->id,
                                                .last = log->head.snapshot.index, .has_log = true,
                                                .is_snapshot = true});
    return TEAK_OK;
}

/* What was found since the last time. */
static void tell_damage(struct verifying *verifying)
{
    const uint32_t count = verifying->report.damage_count;
    for (uint32_t i = 0; verifying->told && i < count && !verifying->harm.no_memory; i++)
        verifying->told(verifying->context, &verifying->harm.all[i]);
    verifying->result->damage_count += count;
    verifying->report.damage_count = 0;
}

static enum teak_status verify_all(struct verifying *verifying, struct teak_store *store, struct teak_error *error)
{
    const struct segments *segments = &store->segments;
    enum teak_status status = TEAK_OK;
    for (uint32_t i = 0; store->salvaging && i < store->harm_count && !store->harm.no_memory; i++)
        list_damage(verifying, store->harm.all[i]);
    tell_damage(verifying);
    for (uint64_t number = segments->oldest; number <= segments->newest && status == TEAK_OK; number++) {
        const struct segment *segment = segment_at(segments, number);
        if (!segment->is_salvaged) status = verify_segment(verifying, segment, error);
        verifying->done += segment->frames_end;
        tell_damage(verifying);
        if (verifying->progress) verifying->progress(verifying->context, verifying->done, verifying->total);
    }
    for (uint32_t i = 0; i < store->logs.count && status == TEAK_OK; i++) {
        status = verify_snapshot(verifying, store, store->logs.sorted[i], error);
        tell_damage(verifying);
        if (verifying->progress) verifying->progress(verifying->context, verifying->done, verifying->total);
    }
    if (status == TEAK_OK && (verifying->harm.no_memory || (store->salvaging && store->harm.no_memory)))
        return fail(error, TEAK_NO_MEMORY, "verify");
    return status;
}

enum teak_status teak_verify_each(struct teak_store *store, teak_damage_fn told, struct teak_verify_result *out,
                                  teak_progress progress, void *context, struct teak_error *error)
{
    *out = (struct teak_verify_result){0};
    struct verifying *verifying = heap_take_zeroed(1, sizeof *verifying);
    if (!verifying) return fail(error, TEAK_NO_MEMORY, "verify");
    verifying->source = recover_source(store);
    verifying->source.harm = &verifying->harm;
    verifying->told = told;
    verifying->result = out;
    verifying->progress = progress;
    verifying->context = context;
    for (uint64_t number = store->segments.oldest; number <= store->segments.newest; number++)
        verifying->total += segment_at(&store->segments, number)->frames_end;
    for (uint32_t i = 0; i < store->logs.count; i++) verifying->total += store->logs.sorted[i]->head.file_bytes;
    const enum teak_status status = verify_all(verifying, store, error);
    harm_fini(&verifying->harm);
    heap_give(verifying);
    if (status != TEAK_OK || out->damage_count == 0) return status;
    return fail(error, TEAK_DAMAGED, "verify");
}

/* The first so many, in the caller's room. */
struct collecting {
    struct teak_damage *damage;
    uint32_t room, count;
    teak_progress progress;
    void *context;
};

static void collect_damage(void *context, const struct teak_damage *damage)
{
    struct collecting *collecting = context;
    if (collecting->count < collecting->room) collecting->damage[collecting->count++] = *damage;
}

static void hand_on_progress(void *context, uint64_t done, uint64_t total)
{
    const struct collecting *collecting = context;
    if (collecting->progress) collecting->progress(collecting->context, done, total);
}

enum teak_status teak_verify(struct teak_store *store, struct teak_damage *damage, uint32_t room,
                             struct teak_verify_result *out, teak_progress progress, void *context,
                             struct teak_error *error)
{
    struct collecting collecting = {.damage = damage, .room = room, .progress = progress, .context = context};
    return teak_verify_each(store, collect_damage, out, hand_on_progress, &collecting, error);
}

uint32_t teak_damages(const struct teak_store *store, uint64_t from, struct teak_damage *out, uint32_t max)
{
    const uint64_t there = store->harm.no_memory ? 0 : store->harm_count;
    uint32_t count = 0;
    while (from < there && count < max) out[count++] = store->harm.all[from++];
    return count;
}
