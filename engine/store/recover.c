/* recover.c: see recover.h. */
#include "store/recover.h"

#include "base/bytes.h"
#include "format/segment_id.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/listing.h"
#include "store/recover_salvage.h"
#include "store/recover_tail.h"
#include "store/replay.h"

struct scan_source recover_source(struct teak_store *store)
{
    return (struct scan_source){.disk = store->disk,
                                .directory = store->directory,
                                .open_flags = store->open_flags | (store->phase == STORE_READING ? 0u : DISK_WRITABLE),
                                .block_bytes = store->superblock.block_bytes,
                                .segment_bytes = store->superblock.segment_bytes,
                                .family = store->superblock.family,
                                .beside = store->phase == STORE_READING,
                                .settled = store->settled,
                                .lenient = store->lenient,
                                .harm = &store->harm};
}

/* ----------------------------------------------------------------------------------------------------------- replay */

struct replaying {
    struct teak_store *store;
    struct segment *segment;
};

static enum teak_status visit_frame(void *context, const uint8_t *frame, const struct frame_head *head,
                                    struct teak_error *error)
{
    const struct replaying *replaying = context;
    return replay_frame(replaying->store, replaying->segment, frame, head, error);
}

/* A segment that is scanned: its tables are in memory until it has an index (again). */
static enum teak_status replay_image(struct teak_store *store, struct image *image, uint64_t end,
                                     enum segment_state state, struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    struct segment *segment = replay_add_image(store, image, state, report);
    if (!segment) return fail(error, TEAK_NO_MEMORY, "replay");
    struct replaying replaying = {.store = store, .segment = segment};
    return scan_frames(&source, image, end, visit_frame, &replaying, report, error);
}

static enum teak_status ignore_frame(void *context, const uint8_t *frame, const struct frame_head *head,
                                     struct teak_error *error)
{
    (void)context;
    (void)frame;
    (void)head;
    (void)error;
    return TEAK_OK;
}

/* A segment in the middle of the stream: its summary, or, if that is lost, its frames up to what the next one attests.
 * `last_lsn`: of the one before it; 0: there is none. */
static enum teak_status replay_sealed(struct teak_store *store, uint64_t number, uint64_t *last_lsn,
                                      struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    struct image image;
    enum teak_status status = image_open(&source, number, &image, error);
    if (status == TEAK_SEGMENT_MISSING && recover_passes_over(store, status))
        return recover_lost_segment(store, number, last_lsn, report, error);
    if (recover_passes_over(store, status)) return recover_hurt_segment(store, number, last_lsn, report, error);
    if (status != TEAK_OK) return status;
    uint8_t *summary = NULL;
    if (image.has_footer) status = image_summary(&source, &image, &summary, error);
    const bool usable = status == TEAK_OK && image.has_footer && summary_judge(summary, &image.footer, &image.key);
    if (status == TEAK_OK && usable) {
        struct segment *segment = replay_add_segment(store, number, SEGMENT_SEALED);
        if (!segment) {
            status = fail(error, TEAK_NO_MEMORY, "replay");
        } else {
            segment->key = image.key;
            segment->file_bytes = image.file_bytes;
            segment->is_short = image.file_bytes < store->superblock.segment_bytes;
            segment->footer = image.footer;
            segment->frames_end = image.footer.frames_end;
            segment->first_lsn = image.footer.first_lsn;
            segment->last_lsn = image.footer.last_lsn;
            segment->chain = image.footer.chain;
            report->sealed++;
            status = replay_summary(store, segment, summary, error);
        }
    } else if (status == TEAK_OK) { /* its index is lost: not damage */
        status = recover_load_synced(store, &source, &image, error);
        uint64_t end = 0;
        const uint32_t damage_before = report->damage_count;
        const bool suspect_before = report->hard_states_suspect;
        if (status == TEAK_OK) status = scan_lost_index(&source, &image, &end, report, error);
        if (status == TEAK_OK && store->quarantine)
            status = scan_frames(&source, &image, end, ignore_frame, NULL, report, error);
        if (recover_passes_over(store, status)) {
            heap_give(summary);
            image_close(&source, &image);
            report->damage_count = damage_before;
            report->hard_states_suspect = suspect_before;
            return recover_hurt_segment(store, number, last_lsn, report, error);
        }
        if (status == TEAK_OK) status = replay_image(store, &image, end, SEGMENT_CLOSED, report, error);
        if (status == TEAK_OK) replay_note_unindexed(store, number);
    }
    const struct segment *segment = status == TEAK_OK ? segment_at(&store->segments, number) : NULL;
    if (segment && *last_lsn && segment->first_lsn != *last_lsn + 1) {
        status = scan_gap(&source, number, *last_lsn + 1, segment->first_lsn, report, error);
    }
    if (segment) *last_lsn = segment->last_lsn;
    heap_give(summary);
    image_close(&source, &image);
    return status;
}

/* Every segment has LSNs, and they follow each other: the next opening asks, and so does who writes the indexes. */
static enum teak_status check_lsns(const struct teak_store *store, struct teak_error *error)
{
    const struct segments *segments = &store->segments;
    uint64_t before = 0;
    for (uint64_t number = segments->oldest; number <= segments->newest; number++) {
        const struct segment *segment = segment_at(segments, number);
        const bool follows = before == 0 ? segment->first_lsn > 0 : segment->first_lsn == before + 1;
        if (!follows || segment->last_lsn < segment->first_lsn)
            return fail_segment(error, TEAK_DECODE, "salvage", number, 0);
        before = segment->last_lsn;
    }
    return TEAK_OK;
}

/* From the oldest kept to the newest. */
static enum teak_status replay_all(struct teak_store *store, struct tail *tail, struct salvaging *salvaging,
                                   struct teak_report *report, struct teak_error *error)
{
    const uint64_t tail_first = tail->images[0].number;
    uint64_t last_lsn = 0; /* of the segment before; 0: none */
    enum teak_status status = TEAK_OK;
    const uint64_t begin = disk_now(store->disk);
    for (uint64_t number = tail->oldest; number < tail_first && status == TEAK_OK; number++)
        status = replay_sealed(store, number, &last_lsn, report, error);
    report->sealed_ns = disk_now(store->disk) - begin;
    if (salvaging && status == TEAK_OK) {
        if (salvaging->walk.lsn == 0 && last_lsn != 0) salvaging->walk.lsn = last_lsn + 1;
        status = salvaging_replay(salvaging, store, report, error);
        return status == TEAK_OK ? check_lsns(store, error) : status;
    }
    for (uint32_t i = 0; i <= tail->last && status == TEAK_OK; i++) {
        struct image *image = &tail->images[i];
        if (image->number < tail->oldest) continue;
        const bool is_last = i == tail->last;
        struct frame_head head;
        struct op op;
        uint64_t end = tail->end;
        if (!is_last && image_checkpoint(&(struct scan_source){.block_bytes = store->superblock.block_bytes,
                                                               .family = store->superblock.family},
                                         &tail->images[i + 1], &head, &op))
            end = op.checkpoint.end_offset;
        status = replay_image(store, image, end, is_last ? SEGMENT_ACTIVE : SEGMENT_CLOSED, report, error);
    }
    return status == TEAK_OK && store->salvaging ? check_lsns(store, error) : status;
}

/* ------------------------------------------------------------------------------------------------------------- read */

static void fill_report(struct teak_store *store, const struct tail *tail, struct teak_report *report)
{
    report->verdict = tail->is_clean             ? TEAK_VERDICT_CLEAN
                      : tail->later_frames > 0   ? TEAK_VERDICT_CUT
                                                 : TEAK_VERDICT_UNCLEAN;
    if (store->salvaging) report->verdict = TEAK_VERDICT_QUARANTINED;
    report->segments = store->segments.newest - store->segments.oldest + 1;
    report->spares = store->spares_seen;
    report->logs = store->logs.count;
    report->quarantined = 0;
    for (uint32_t i = 0; i < store->logs.count; i++)
        report->quarantined += (store->logs.sorted[i]->head.marks & LOG_HURT) != 0;
    report->last_lsn = tail->lsn - 1;
    report->scanned_frames = tail->frames;
    report->scanned_bytes = tail->bytes;
    if (report->verdict == TEAK_VERDICT_CUT) {
        report->cut_segment = tail->images[tail->last].number;
        report->cut_offset = tail->end;
        report->cut_frames = tail->later_frames;
        report->cut_bytes = tail->later_bytes;
    }
}

/* Files above the newest segment: behind a cut, or behind one that is missing. */
static void note_cut(struct teak_store *store, const struct numbers *numbers)
{
    uint64_t i = numbers->count;
    while (i > 0 && numbers->list[i - 1] > store->segments.newest) i--;
    store->cut_first = i < numbers->count ? numbers->list[i] : 0;
    store->cut_end = i < numbers->count ? numbers->list[numbers->count - 1] + 1 : 0;
}

/* The state of writer, flight and pool, as if everything that was read had just become durable. */
static enum teak_status take_over(struct teak_store *store, const struct listing *listing, const struct tail *tail,
                                  struct teak_error *error)
{
    struct writer *writer = &store->writer;
    if (tail->lsn - 1 >= UINT64_MAX / 2) /* never given: one frame a nanosecond takes 292 years */
        return fail_segment(error, TEAK_DECODE, "judge", store->segments.newest, tail->end);
    writer->next_lsn = tail->lsn;
    writer->data_lsn = tail->lsn - 1;
    writer->chain = tail->chain;
    writer->ends_in_mark = true; /* nothing was written yet that an idle mark could vouch for */
    writer->oldest = max_u64(writer->oldest, tail->oldest);
    struct flight *flight = &store->flight;
    flight->durable_lsn = flight->vouched_lsn = tail->lsn - 1;
    flight->durable_segment = store->segments.newest;
    flight->durable_offset = (uint32_t)tail->end;
    store->forgot_at = store->segments.newest;
    store->continues = tail->is_clean && !store->salvaging;
    note_cut(store, &listing->segments);
    store->spares_seen = listing->spares.count;
    if (store->phase == STORE_READING) return TEAK_OK;
    bool enough = true;
    for (uint64_t i = 0; i < listing->spares.count; i++)
        enough &= pool_add(&store->pool, (struct stock){.is_spare = true, .number = listing->spares.list[i]});
    for (uint64_t i = 0; i < listing->segments.count && listing->segments.list[i] < store->segments.oldest; i++)
        enough &= pool_add(&store->pool, (struct stock){.number = listing->segments.list[i]});
    for (uint64_t i = 0; i < listing->temporaries.count; i++)
        store->pool.next_spare = max_u64(store->pool.next_spare, listing->temporaries.list[i] + 1);
    store->leftover_count = (uint32_t)min_u64(listing->temporaries.count + listing->has_store_temporary, UINT32_MAX);
    return enough ? TEAK_OK : fail(error, TEAK_NO_MEMORY, "open");
}

/* Numbers from the oldest kept to the tail are all there. */
static enum teak_status check_row(const struct listing *listing, const struct tail *tail, struct teak_error *error)
{
    const struct numbers *numbers = &listing->segments;
    uint64_t expected = tail->images[0].number;
    for (uint64_t i = numbers->count; i-- > 0 && expected > tail->oldest;) {
        if (numbers->list[i] >= expected) continue;
        if (numbers->list[i] != expected - 1) break;
        expected--;
    }
    if (expected <= tail->oldest) return TEAK_OK;
    char name[NAME_BYTES];
    name_segment(expected - 1, name);
    fail_file(error, TEAK_SEGMENT_MISSING, "list", name, 0);
    if (error) error->segment = expected - 1;
    return TEAK_SEGMENT_MISSING;
}

/* So many files that are not there are not made up for. */
static bool is_too_thin(const struct listing *listing, const struct tail *tail)
{
    enum { MISSING_MAX = 64 };
    const uint64_t needed = tail->images[0].number - min_u64(tail->oldest, tail->images[0].number);
    return needed > listing->segments.count + MISSING_MAX;
}

static enum teak_status read_once(struct teak_store *store, struct teak_report *report, struct teak_error *error)
{
    struct scan_source source = recover_source(store);
    struct listing listing;
    struct tail *tail = tail_new();
    if (!tail) return fail(error, TEAK_NO_MEMORY, "open");
    const uint64_t begin = disk_now(store->disk);
    enum teak_status status = listing_read(&listing, store, report, error);
    report->list_ns = disk_now(store->disk) - begin;
    if (status == TEAK_OK && listing.segments.count == 0) {
        char name[NAME_BYTES];
        name_segment(1, name);
        status = fail_file(error, TEAK_SEGMENT_MISSING, "list", name, 0);
    }
    struct before before = {.status = TEAK_OK};
    struct salvaging salvaging = {.hurt = 0};
    const uint64_t scan_begin = disk_now(store->disk);
    if (status == TEAK_OK) {
        status = tail_judge(tail, store, &listing, &before, report, error);
        if (recover_passes_over(store, status))
            status = salvaging_plan(&salvaging, store, &listing, tail, report, error);
    }
    if (status == TEAK_OK && (!recover_passes_over(store, TEAK_SEGMENT_MISSING) || is_too_thin(&listing, tail)))
        status = check_row(&listing, tail, error);
    if (status == TEAK_OK)
        status = replay_all(store, tail, salvaging.upto > 0 ? &salvaging : NULL, report, error);
    report->scan_ns = disk_now(store->disk) - scan_begin - report->sealed_ns;
    if (status == TEAK_OK) status = replay_finish(store, report, error);
    if (status == TEAK_OK) status = take_over(store, &listing, tail, error);
    if (status == TEAK_OK) status = snapshots_load(store, report, error);
    if (status == TEAK_OK) fill_report(store, tail, report);
    source.lenient = store->lenient;
    tail_close(tail, &source);
    store->lenient = false;
    heap_give(tail);
    listing_free(&listing);
    return status;
}

/* Beside a writer files vanish, and bytes are read before they land. What is told twice in a row of one place is so; a
 * file that is gone is looked for in a new listing, for a while. */
enum teak_status recover_read(struct teak_store *store, struct teak_report *report, struct teak_error *error)
{
    enum { PAUSE_NS = 2000000 };
    const uint64_t until = disk_now(store->disk) + UINT64_C(5000000000);
    struct teak_error why = {0}, before = {0};
    enum teak_status status;
    store->settled = store->phase == STORE_READING && !store->living; /* LOCK is held, or nobody ever opened it */
    for (;;) {
        report->damage_count = 0;
        report->hard_states_suspect = report->logs_may_be_missing = false;
        store->salvaging = store->lenient = false;
        replay_forget_losses(store);
        report->scanned = report->sealed = report->sealed_ns = report->sync_ns = 0;
        why = (struct teak_error){0};
        status = read_once(store, report, &why);
        if (status == TEAK_OK || store->phase != STORE_READING) break;
        if (!store->living && status != TEAK_LOG_GONE) break;
        const bool is_gone = status == TEAK_LOG_GONE || status == TEAK_SEGMENT_MISSING;
        const bool is_same_place = why.segment == before.segment && why.offset == before.offset;
        if (!is_gone && why.status == before.status && is_same_place) break;
        if (disk_now(store->disk) >= until) break;
        before = why;
        segments_fini(&store->segments, store->disk);
        logs_fini(&store->logs);
        snapshots_fini(&store->snapshots, store->disk);
        if (!segments_init(&store->segments) || !logs_init(&store->logs)) return fail(error, TEAK_NO_MEMORY, "open");
        disk_pause(store->disk, PAUSE_NS);
    }
    store->settled = false;
    store->harm_count = report->damage_count;
    if (status == TEAK_DAMAGED) report->verdict = TEAK_VERDICT_DAMAGED;
    if (status == TEAK_LOG_GONE) return fail(error, TEAK_SEGMENT_MISSING, "open");
    if (status != TEAK_OK && error) *error = why;
    return status;
}
