/* scan.c: see scan.h. */
#include "store/scan.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/failure.h"

enum { HUGE_PAGE = 2 << 20 };

/* ----------------------------------------------------------------------------------------------------------- files */

static enum teak_status read_exactly(const struct scan_source *source, const struct image *image, uint64_t offset,
                                     void *out, uint64_t bytes, struct teak_error *error)
{
    struct disk_op op = {.kind = DISK_READ, .file = image->file, .data = out, .bytes = bytes, .offset = offset};
    const int os_errno = disk_run(source->disk, &op);
    if (os_errno == 0 && op.done == bytes) return TEAK_OK;
    fail_segment(error, TEAK_IO, "read", image->number, offset);
    if (error) error->os_errno = os_errno;
    return TEAK_IO;
}

static bool footer_under_own_salt(const struct scan_source *source, const struct image *image, const uint8_t *block,
                                  struct key *key, struct footer *out)
{
    struct layout_footer layout;
    memcpy(&layout, block, sizeof layout);
    if (le64_get(layout.magic) != MAGIC_FOOTER) return false;
    key_derive(key, source->family, le64_get(layout.salt));
    return footer_judge(block, key, image->number, image->file_bytes, source->block_bytes, out);
}

/* What the identity block says, and what its failure means. */
static enum teak_status judge_identity(const struct scan_source *source, struct image *image, const uint8_t *block)
{
    struct segment_id id;
    image->identity = segment_id_judge(block, source->family, &id);
    if (image->identity == TEAK_OK) {
        if (id.segment != image->number) { /* of an earlier use, where a write was lost; or the file is another one */
            image->identity = TEAK_FOREIGN_FILE;
            image->is_foreign = true;
            return TEAK_OK;
        }
        if (id.block_bytes != source->block_bytes || id.segment_bytes != source->segment_bytes) return TEAK_BLOCK_SIZE;
        image->has_key = true;
        key_derive(&image->key, source->family, id.salt);
        return TEAK_OK;
    }
    struct layout_identity layout;
    memcpy(&layout, block, sizeof layout);
    if (image->identity == TEAK_VERSION || image->identity == TEAK_FEATURE) return image->identity;
    if (image->identity == TEAK_BAD_MAGIC) return TEAK_OK; /* lost, or never ours: what stands behind it decides */
    image->is_foreign = memcmp(layout.family, source->family, sizeof layout.family) != 0; /* or that is what rotted */
    return TEAK_OK;
}

static enum teak_status open_file(const struct scan_source *source, struct image *image, struct teak_error *error)
{
    char name[NAME_BYTES];
    name_segment(image->number, name);
    struct disk_op op = {.kind = DISK_OPEN, .dir = source->directory, .name = name, .flags = source->open_flags};
    const int os_errno = disk_run(source->disk, &op);
    if (os_errno == ENOENT && source->beside && !source->settled) return TEAK_LOG_GONE;
    if (os_errno == ENOENT) return fail_file(error, TEAK_SEGMENT_MISSING, "open", name, 0);
    if (os_errno) return fail_errno(error, os_errno, "open", name);
    image->file = op.file;
    struct disk_file_info info;
    const int lock_errno = source->beside ? disk_lock(source->disk, image->file, DISK_LOCK_SHARED) : 0;
    if (lock_errno == EWOULDBLOCK) return TEAK_LOG_GONE; /* it is being taken again */
    if (lock_errno) return fail_errno(error, lock_errno, "lock", name);
    const int stat_errno = disk_stat(source->disk, image->file, &info);
    if (stat_errno) return fail_errno(error, stat_errno, "stat", name);
    bool is_named = true; /* the lock may have come when the file was another segment already; from now on it stays */
    const int named_errno =
        source->beside ? disk_is_named(source->disk, source->directory, name, image->file, &is_named) : 0;
    if (named_errno) return fail_errno(error, named_errno, "stat", name);
    if (!is_named) return TEAK_LOG_GONE;
    image->file_bytes = align_down(min_u64(info.bytes, source->segment_bytes), source->block_bytes);
    return TEAK_OK;
}

static enum teak_status read_ends(const struct scan_source *source, struct image *image, uint8_t *block,
                                  struct teak_error *error)
{
    if (image->file_bytes < 2 * (uint64_t)source->block_bytes)
        return fail_segment(error, TEAK_SEGMENT_SHORT, "open", image->number, image->file_bytes);
    const uint64_t last = image->file_bytes - source->block_bytes;
    enum teak_status status = read_exactly(source, image, last, block, source->block_bytes, error);
    if (status != TEAK_OK) return status;
    struct key key;
    image->has_footer = footer_under_own_salt(source, image, block, &key, &image->footer);
    status = read_exactly(source, image, 0, block, source->block_bytes, error);
    if (status != TEAK_OK) return status;
    status = judge_identity(source, image, block);
    if (status != TEAK_OK) return fail_segment(error, status, "judge", image->number, 0);
    if (image->has_footer && image->has_key && image->footer.salt != image->key.salt) image->has_footer = false;
    if (image->has_footer && !image->has_key) { /* the identity is lost, the footer repeats the salt */
        image->key = key;
        image->has_key = true;
    }
    const bool is_short = !image->has_footer && image->file_bytes < source->segment_bytes;
    image->is_suspect = is_short;
    if (is_short && !source->lenient)
        return fail_segment(error, image->is_foreign ? TEAK_FOREIGN_FILE : TEAK_SEGMENT_SHORT, "open", image->number,
                            image->file_bytes);
    return TEAK_OK;
}

enum teak_status image_open(const struct scan_source *source, uint64_t number, struct image *out,
                            struct teak_error *error)
{
    *out = (struct image){.number = number, .file = DISK_NONE};
    uint8_t *block = heap_take_aligned(65536, BLOCK_BYTES_MAX);
    if (!block) return fail(error, TEAK_NO_MEMORY, "open");
    enum teak_status status = open_file(source, out, error);
    if (status == TEAK_OK) status = read_ends(source, out, block, error);
    heap_give(block);
    if (status != TEAK_OK) image_close(source, out);
    return status;
}

/* The salt that the first valid head of the image holds, where the identity is lost. */
static void repair_key(const struct scan_source *source, struct image *image)
{
    for (uint64_t offset = source->block_bytes; offset < image->file_bytes && !image->has_key;
         offset += source->block_bytes) {
        struct frame_head head;
        const struct frame_place place = {image->number, offset, image->file_bytes, source->block_bytes};
        if (!frame_head_judge_unkeyed(image->bytes + offset, source->family, &place, &head)) continue;
        key_derive(&image->key, source->family, head.salt);
        image->has_key = true;
    }
}

enum teak_status image_load(const struct scan_source *source, struct image *image, struct teak_error *error)
{
    const uint64_t alignment = image->file_bytes >= HUGE_PAGE ? HUGE_PAGE : 65536; /* the disk reads into huge ones */
    if (!image->bytes) image->bytes = heap_take_aligned(alignment, align_up(image->file_bytes, alignment));
    if (!image->bytes) return fail(error, TEAK_NO_MEMORY, "scan");
    const enum teak_status status = read_exactly(source, image, 0, image->bytes, image->file_bytes, error);
    if (status != TEAK_OK) return status;
    if (!image->has_key) repair_key(source, image);
    image->is_suspect |= !image->has_key && image->identity == TEAK_BAD_MAGIC;
    if (!image->has_key && image->identity == TEAK_BAD_MAGIC && !source->lenient)
        return fail_segment(error, TEAK_BAD_MAGIC, "judge", image->number, 0);
    if (!image->has_key && image->is_foreign) return fail_segment(error, TEAK_FOREIGN_FILE, "judge", image->number, 0);
    return TEAK_OK;
}

void image_close(const struct scan_source *source, struct image *image)
{
    heap_give(image->bytes);
    image->bytes = NULL;
    disk_close_file(source->disk, &image->file);
}

enum teak_status image_summary(const struct scan_source *source, const struct image *image, uint8_t **out,
                               struct teak_error *error)
{
    const uint64_t bytes = align_up(image->footer.summary_bytes, source->block_bytes);
    *out = heap_take_aligned(65536, align_up(bytes + 1, 65536));
    if (!*out) return fail(error, TEAK_NO_MEMORY, "scan");
    return bytes == 0 ? TEAK_OK : read_exactly(source, image, image->footer.summary_offset, *out, bytes, error);
}

/* ---------------------------------------------------------------------------------------------------------- frames */

bool image_head(const struct scan_source *source, const struct image *image, uint64_t offset, struct frame_head *out)
{
    if (!image->has_key || offset + HEAD_BYTES > image->file_bytes) return false;
    const struct frame_place place = {image->number, offset, image->file_bytes, source->block_bytes};
    return frame_head_judge(image->bytes + offset, &image->key, &place, out);
}

/* The whole frame at `offset` is valid. */
static bool image_frame(const struct scan_source *source, const struct image *image, uint64_t offset,
                        struct frame_head *out)
{
    struct op bad;
    uint64_t bad_index;
    return image_head(source, image, offset, out) &&
           frame_judge(image->bytes + offset, out, &image->key, &bad, &bad_index) == FRAME_WHOLE;
}

bool image_checkpoint(const struct scan_source *source, const struct image *image, struct frame_head *head,
                      struct op *op)
{
    uint32_t cursor = 0;
    return image_frame(source, image, source->block_bytes, head) &&
           table_next(image->bytes + source->block_bytes, head, &cursor, op) && op->code == OP_CHECKPOINT;
}

/* Valid heads from `offset` on. */
static void later_heads(const struct scan_source *source, const struct image *image, uint64_t offset, struct tail *tail)
{
    for (; offset < image->file_bytes; offset += source->block_bytes) {
        struct frame_head head;
        if (!image_head(source, image, offset, &head)) continue;
        tail->later_frames++;
        tail->later_bytes += head.bytes;
        tail->vouched = max_u64(tail->vouched, head.durable_lsn);
    }
}

uint64_t image_vouched(const struct scan_source *source, const struct image *image)
{
    struct tail tail = {0};
    later_heads(source, image, source->block_bytes, &tail);
    return tail.vouched;
}

/* Does the checkpoint attest exactly what the scan found? */
static bool attests(const struct op *op, const struct tail *tail, const struct image *image)
{
    return op->checkpoint.segment == image->number && op->checkpoint.salt == image->key.salt &&
           op->checkpoint.end_offset == tail->end && op->checkpoint.last_lsn + 1 == tail->lsn &&
           op->checkpoint.chain == tail->chain;
}

/* ---------------------------------------------------------------------------------------------------------- damage */

void scan_describe(const struct scan_source *source, const struct image *image, uint64_t offset, uint64_t first_lsn,
                   uint64_t last_lsn, struct teak_report *report)
{
    const struct teak_damage place = {.segment = image->number, .offset = offset, .first_lsn = first_lsn,
                                      .last_lsn = last_lsn};
    struct frame_head head;
    uint32_t named = 0;
    if (image_head(source, image, offset, &head) &&
        frame_judge_table(image->bytes + offset, &head, &image->key) == FRAME_WHOLE) {
        uint32_t cursor = 0;
        struct op op;
        while (table_next(image->bytes + offset, &head, &cursor, &op)) {
            if (!op_has_entries(op.code))
                report->hard_states_suspect |= op.code == OP_HARD_STATE || op.code == OP_CHECKPOINT;
            if (!op_has_entries(op.code)) continue;
            struct teak_damage damage = place;
            damage.has_log = true;
            damage.log = op.log;
            damage.first = op.entries.first;
            damage.last = op.entries.first + op.count - 1;
            harm_note(source->harm, report, damage);
            named++;
        }
    } else {
        report->hard_states_suspect = true; /* any log may lack a hard state or a truncation */
    }
    if (named == 0) harm_note(source->harm, report, place);
}

enum teak_status scan_gap(const struct scan_source *source, uint64_t segment, uint64_t expected, uint64_t found,
                          struct teak_report *report, struct teak_error *error)
{
    report->hard_states_suspect = true;
    harm_note(source->harm, report,
              (struct teak_damage){.segment = segment, .first_lsn = expected,
                                   .last_lsn = found > expected ? found - 1 : expected});
    return fail_segment(error, TEAK_DAMAGED, "scan", segment, 0);
}

static enum teak_status damaged(const struct scan_source *source, const struct image *image, uint64_t offset,
                                uint64_t first_lsn, uint64_t last_lsn, struct teak_report *report,
                                struct teak_error *error)
{
    scan_describe(source, image, offset, first_lsn, last_lsn, report);
    return fail_segment(error, TEAK_DAMAGED, "scan", image->number, offset);
}

/* ------------------------------------------------------------------------------------------------------------ tail */

static void note_frame(struct tail *tail, const uint8_t *frame, const struct frame_head *head)
{
    tail->is_clean = false;
    uint32_t cursor = 0;
    struct op op;
    while (table_next(frame, head, &cursor, &op)) {
        if (op.code == OP_FORGET) tail->oldest = max_u64(tail->oldest, op.oldest);
        if (op.code == OP_CHECKPOINT) tail->oldest = max_u64(tail->oldest, op.checkpoint.oldest);
        if (op.code == OP_MARK) tail->is_clean = op.kind == MARK_CLEAN;
    }
    tail->end = head->offset + head->bytes;
    tail->lsn = head->lsn + 1;
    tail->chain = head->checksum;
    tail->vouched = max_u64(tail->vouched, head->durable_lsn);
    tail->frames++;
    tail->bytes += head->bytes;
}

/* From `tail->end` on, whole frames of the image, up to `limit` (what the successor attests). */
static void walk(const struct scan_source *source, struct tail *tail, const struct image *image, uint64_t limit,
                 uint64_t shown)
{
    struct frame_head head;
    while (tail->end < limit && tail->lsn <= shown && image_frame(source, image, tail->end, &head) &&
           head.lsn == tail->lsn && head.chain == tail->chain && tail->end + head.bytes <= limit)
        note_frame(tail, image->bytes + tail->end, &head);
}

/* Was the frame that is missing the first of the next segment? Then its head says so, or the one behind it. */
static bool was_first_frame(const struct scan_source *source, const struct tail *tail, const struct image *next)
{
    for (uint64_t offset = source->block_bytes; offset < next->file_bytes; offset += source->block_bytes) {
        struct frame_head head;
        if (!image_head(source, next, offset, &head)) continue;
        return head.lsn == tail->lsn + (offset > source->block_bytes);
    }
    return false;
}

/* A frame whose sums hold but which this build does not understand is not torn: it is never cut. It may stand where the
 * walk stopped, or first in the next segment. */
static enum teak_status judge_sense(const struct scan_source *source, const struct tail *tail,
                                    const struct image *image, struct teak_error *error)
{
    for (uint32_t i = 0; i < 2 && tail->last + i < tail->count; i++, image++) {
        const uint64_t offset = i == 0 ? tail->end : source->block_bytes;
        struct frame_head head;
        struct op bad;
        uint64_t bad_index;
        if (!image_head(source, image, offset, &head) || head.lsn != tail->lsn || head.chain != tail->chain) continue;
        const enum frame_verdict verdict = frame_judge(image->bytes + offset, &head, &image->key, &bad, &bad_index);
        if (verdict == FRAME_UNKNOWN) return fail_segment(error, TEAK_FEATURE, "scan", image->number, offset);
        if (verdict == FRAME_SENSELESS) return fail_segment(error, TEAK_DECODE, "scan", image->number, offset);
    }
    return TEAK_OK;
}

/* X is where the walk stopped: cut, or damage. */
static enum teak_status judge_tail(const struct scan_source *source, struct tail *tail, uint64_t shown,
                                   struct teak_report *report, struct teak_error *error)
{
    const struct image *image = &tail->images[tail->last];
    if (tail->lsn > shown) { /* beside a writer: what is behind is not durable yet */
        tail->verdict = VERDICT_CUT;
        return TEAK_OK;
    }
    const enum teak_status refused = judge_sense(source, tail, image, error);
    if (refused != TEAK_OK) return refused;
    later_heads(source, image, tail->end, tail);
    for (uint32_t i = tail->last + 1; i < tail->count; i++)
        later_heads(source, &tail->images[i], source->block_bytes, tail);
    const bool vouched = tail->vouched >= tail->lsn;
    tail->verdict = tail_verdict((struct tail_facts){.later = tail->later_frames > 0, .vouched = vouched});
    tail->is_clean = tail->is_clean && tail->later_frames == 0;
    if (tail->verdict != VERDICT_DAMAGED) return TEAK_OK;
    const struct image *next = tail->last + 1 < tail->count ? image + 1 : NULL;
    if (next && was_first_frame(source, tail, next))
        return damaged(source, next, source->block_bytes, tail->lsn, tail->vouched, report, error);
    return damaged(source, image, tail->end, tail->lsn, tail->vouched, report, error);
}

/* The first image must begin with a checkpoint that goes on where the sealed segment before it ended. */
static enum teak_status begin_tail(const struct scan_source *source, struct tail *tail, const struct footer *before,
                                   struct teak_report *report, struct teak_error *error)
{
    const struct image *image = &tail->images[0];
    struct frame_head head;
    struct op op;
    bool good = image_checkpoint(source, image, &head, &op);
    if (good && before)
        good = head.lsn == before->last_lsn + 1 && head.chain == before->chain &&
               op.checkpoint.segment == before->segment && op.checkpoint.salt == before->salt &&
               op.checkpoint.end_offset == before->frames_end && op.checkpoint.chain == before->chain &&
               op.checkpoint.last_lsn == before->last_lsn;
    if (!good) {
        const uint64_t first = before ? before->last_lsn + 1 : 0; /* durable, or that one had no index yet */
        tail->verdict = VERDICT_DAMAGED;
        return damaged(source, image, source->block_bytes, first, max_u64(first, image_vouched(source, image)), report,
                       error);
    }
    tail->end = source->block_bytes;
    note_frame(tail, image->bytes + tail->end, &head);
    return TEAK_OK;
}

struct tail *tail_new(void)
{
    struct tail *tail = heap_take_aligned(_Alignof(struct tail), sizeof *tail); /* its images' keys ask for that */
    if (tail) *tail = (struct tail){0};
    return tail;
}

enum teak_status scan_tail(const struct scan_source *source, struct tail *tail, const struct footer *before,
                           uint64_t shown, struct teak_report *report, struct teak_error *error)
{
    enum teak_status status = begin_tail(source, tail, before, report, error);
    if (status != TEAK_OK) return status;
    for (tail->last = 0;; tail->last++) {
        const struct image *image = &tail->images[tail->last];
        const struct image *next = tail->last + 1 < tail->count ? &tail->images[tail->last + 1] : NULL;
        struct frame_head head;
        struct op op;
        const bool has_end = next && image_checkpoint(source, next, &head, &op) &&
                             op.checkpoint.segment == image->number && op.checkpoint.salt == image->key.salt;
        walk(source, tail, image, has_end ? op.checkpoint.end_offset : image->file_bytes, shown);
        if (!has_end || tail->end != op.checkpoint.end_offset || tail->lsn > shown) break;
        if (!attests(&op, tail, image) || head.lsn != tail->lsn || head.chain != tail->chain) {
            tail->verdict = VERDICT_DAMAGED; /* two truths about one end, both under good sums */
            return damaged(source, next, source->block_bytes, tail->lsn, head.lsn, report, error);
        }
        note_frame(tail, next->bytes + source->block_bytes, &head);
    }
    return judge_tail(source, tail, shown, report, error);
}

enum teak_status scan_frames(const struct scan_source *source, const struct image *image, uint64_t end,
                             scan_visit visit, void *context, struct teak_report *report, struct teak_error *error)
{
    uint64_t lsn = 0, chain = 0; /* that the next frame must have; 0: the first one */
    for (uint64_t offset = source->block_bytes; offset < end;) {
        struct frame_head head;
        if (!image_frame(source, image, offset, &head) || (lsn && (head.lsn != lsn || head.chain != chain)))
            return damaged(source, image, offset, lsn, lsn, report, error);
        lsn = head.lsn + 1;
        chain = head.checksum;
        const enum teak_status status = visit(context, image->bytes + offset, &head, error);
        if (status != TEAK_OK) return status;
        offset += head.bytes;
    }
    return TEAK_OK;
}

enum teak_status scan_lost_index(const struct scan_source *source, const struct image *image, uint64_t *end_out,
                                 struct teak_report *report, struct teak_error *error)
{
    if (!image->has_key) return damaged(source, image, source->block_bytes, 0, 0, report, error);
    struct image next;
    enum teak_status status = image_open(source, image->number + 1, &next, error);
    if (status != TEAK_OK) return status;
    status = image_load(source, &next, error);
    struct frame_head head;
    struct op op;
    if (status == TEAK_OK && image_checkpoint(source, &next, &head, &op) && op.checkpoint.segment == image->number &&
        op.checkpoint.salt == image->key.salt)
        *end_out = min_u64(op.checkpoint.end_offset, image->file_bytes);
    else if (status == TEAK_OK)
        status = damaged(source, &next, source->block_bytes, 0, 0, report, error);
    image_close(source, &next);
    return status;
}
