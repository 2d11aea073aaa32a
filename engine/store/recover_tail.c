/* recover_tail.c: see recover_tail.h. */
#include "store/recover_tail.h"

#include "base/bytes.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/recover.h"
#include "store/salvage.h"

/* What is scanned is first synced: a killed writer's bytes may be in a cache, and what is decided must not hang on
 * that. */
enum teak_status recover_load_synced(struct teak_store *store, const struct scan_source *source, struct image *image,
                                     struct teak_error *error)
{
    if (store->phase != STORE_READING) {
        struct disk_op sync = {.kind = DISK_SYNC, .file = image->file};
        int os_errno = disk_run(store->disk, &sync);
        if (!os_errno && !(store->open_flags & DISK_DIRECT)) os_errno = disk_drop_cache(store->disk, image->file);
        if (os_errno) {
            fail_segment(error, TEAK_IO, "sync", image->number, 0);
            if (error) error->os_errno = os_errno;
            return TEAK_IO;
        }
    }
    return image_load(source, image, error);
}

static bool is_judgement(enum teak_status status)
{
    return status == TEAK_FOREIGN_FILE || status == TEAK_BAD_MAGIC || status == TEAK_SEGMENT_SHORT ||
           status == TEAK_BLOCK_SIZE || status == TEAK_LOG_GONE;
}

enum teak_status tail_open(struct tail *tail, struct teak_store *store, const struct listing *listing,
                           struct before *before, struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    const struct numbers *numbers = &listing->segments;
    struct image found[SCAN_TAIL_MAX];
    enum teak_status status = TEAK_OK;
    for (uint64_t i = numbers->count; i-- > 0 && tail->count < SCAN_TAIL_MAX && status == TEAK_OK;) {
        if (i + 1 < numbers->count && numbers->list[i] + 1 != numbers->list[i + 1]) break;
        struct image *image = &found[tail->count];
        struct teak_error why = {0};
        status = image_open(&source, numbers->list[i], image, &why);
        if (status == TEAK_OK && !image->has_footer) {
            const uint64_t begin = disk_now(store->disk);
            status = recover_load_synced(store, &source, image, &why);
            report->sync_ns += disk_now(store->disk) - begin;
            if (status != TEAK_OK) image_close(&source, image);
        }
        if (status == TEAK_LOG_GONE && tail->count == 0) {
            status = TEAK_OK; /* beside a writer: it is being prepared, nothing stands in it yet; or forgotten since */
            continue;
        }
        if (status != TEAK_OK) {
            if (error) *error = why;
            if (tail->count == 0 || !is_judgement(status)) break;
            *before = (struct before){.status = status, .number = numbers->list[i], .error = why};
            status = TEAK_OK;
            break;
        }
        if (image->has_footer) {
            before->footer = image->footer;
            before->is_sealed = true;
            image_close(&source, image);
            break;
        }
        tail->count++;
    }
    for (uint32_t i = 0; i < tail->count; i++) tail->images[i] = found[tail->count - 1 - i];
    return status;
}

void tail_close(struct tail *tail, const struct scan_source *source)
{
    for (uint32_t i = 0; i < tail->count; i++) image_close(source, &tail->images[i]);
}

enum teak_status tail_check_sense(const struct tail *tail, struct teak_error *error)
{
    enum { NUMBERS_BITS = 62 };
    const struct image *last = &tail->images[tail->last];
    if (tail->oldest > 0 && tail->oldest <= last->number && last->number >> NUMBERS_BITS == 0 &&
        tail->lsn >> NUMBERS_BITS == 0)
        return TEAK_OK;
    return fail_segment(error, TEAK_DECODE, "scan", last->number, tail->end);
}

/* The first damaged place decides; the report names all of the tail. Where it cannot be walked, the first. */
static void list_all_damage(struct teak_store *store, const struct tail *tail, const struct before *before,
                            struct teak_report *report)
{
    const struct scan_source source = recover_source(store);
    const uint64_t lsn = before->is_sealed ? before->footer.last_lsn + 1 : tail->images[0].number == 1 ? 1 : 0;
    const struct teak_report first = *report;
    struct tail *walked = heap_take(sizeof *walked);
    if (!walked) return;
    *walked = *tail;
    uint32_t hurt;
    report->damage_count = 0;
    const bool is_walked = salvage_plan(&source, walked, lsn, false, &hurt, report, NULL) == TEAK_OK;
    heap_give(walked);
    report->logs_may_be_missing = first.logs_may_be_missing;
    report->hard_states_suspect |= first.hard_states_suspect;
    if (is_walked && report->damage_count >= first.damage_count) return;
    *report = first;
    report->damage_count = 0;
    for (uint32_t i = 0; i < first.damage_count && i < TEAK_DAMAGE_MAX; i++)
        harm_note(&store->harm, report, first.damage[i]);
    report->damage_count = first.damage_count;
}

enum teak_status tail_judge(struct tail *tail, struct teak_store *store, const struct listing *listing,
                            struct before *before, struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    enum teak_status status = tail_open(tail, store, listing, before, report, error);
    if (status != TEAK_OK) return status;
    if (tail->count == 0) /* a sealed segment always has a successor */
        return fail_segment(error, TEAK_SEGMENT_MISSING, "list", before->footer.segment + 1, 0);
    uint64_t shown = UINT64_MAX;
    if (store->living) {
        shown = before->is_sealed ? before->footer.last_lsn + 1 : 0;
        for (uint32_t i = 0; i < tail->count; i++) shown = max_u64(shown, image_vouched(&source, &tail->images[i]));
    }
    status = scan_tail(&source, tail, before->is_sealed ? &before->footer : NULL, shown, report, error);
    if (status == TEAK_DAMAGED && before->status != TEAK_OK && tail->frames == 0 &&
        image_vouched(&source, &tail->images[0]) == 0) { /* not one frame behind the file that is wrong */
        report->damage_count = 0;
        report->hard_states_suspect = false;
        status = before->status;
        if (error) *error = before->error;
    }
    if (status == TEAK_DAMAGED) list_all_damage(store, tail, before, report);
    if (status == TEAK_OK) status = tail_check_sense(tail, error);
    if (status == TEAK_OK && before->status != TEAK_OK && before->number >= tail->oldest) {
        status = before->status;
        if (error) *error = before->error;
    }
    return status;
}
