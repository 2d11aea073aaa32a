/* rot_store.c: see rot_store.h. */
#include "rot_store.h"

#include "format/layout.h"
#include "store/snapshot_rig.h"

const char *const rot_place_names[] = {"first", "sealed", "closed", "last", "next", "file"};
const char *const rot_structure_names[] = {
    "padding",       "identity",     "magic, family",  "checkpoint head", "checkpoint table", "frame head",
    "frame table",   "live payload", "dead payload",   "newest head",     "newest table",     "newest payload",
    "slots",         "summary",      "footer",         "STORE",           "STATS",            "LOCK",
    "snapshot head", "snapshot meta", "chunk head",    "snapshot body",   "snapshot foot"};
_Static_assert(sizeof rot_place_names / sizeof *rot_place_names == PLACE_COUNT, "a name for each");
_Static_assert(sizeof rot_structure_names / sizeof *rot_structure_names == STRUCTURE_COUNT, "a name for each");

static struct rot_store it;

struct teak_options rot_options(void)
{
    struct teak_options options = rig_options();
    options.spares = 8;
    return options;
}

static struct teak_store *open_writing(uint64_t stats_interval_ns)
{
    struct teak_store *store;
    struct teak_error error = {0};
    struct teak_options options = rot_options();
    options.stats_interval_ns = stats_interval_ns;
    rig_ok(store_open_on(sim_open(it.medium), "store", &options, &store, NULL, &error), &error);
    return store;
}

/* ---- an earlier life of the files ---- */

enum { EARLIER_MAX = 32 };
static struct {
    uint32_t count;
    struct { uint32_t file; uint64_t bytes; uint8_t *data; } list[EARLIER_MAX];
    uint8_t *snapshot;
    uint64_t snapshot_bytes;
} earlier;

/* What a segment's file, or STATS, holds now; instead of what it held before that. */
static void keep_earlier(void *context, const char *name)
{
    (void)context;
    struct sim_view view;
    if (strncmp(name, "0000", 4) != 0 && strcmp(name, "STATS") != 0) return;
    assert_true(sim_look(it.medium, name, &view));
    uint32_t at = 0;
    while (at < earlier.count && earlier.list[at].file != view.file) at++;
    assert_true(at < EARLIER_MAX);
    if (at == earlier.count) earlier.list[earlier.count++].file = view.file;
    free(earlier.list[at].data);
    earlier.list[at].data = malloc(view.count);
    earlier.list[at].bytes = view.count;
    assert_non_null(earlier.list[at].data);
    memcpy(earlier.list[at].data, view.bytes, view.count);
}

static bool spares_are_back(struct teak_store *store, void *context)
{
    (void)context;
    sim_pass(it.medium, 10000000); /* what was forgotten last is said at leisure */
    struct teak_stats stats;
    teak_stats(store, &stats);
    return stats.spares >= 8;
}

/* Segments full of a log that is dropped, again and again: their files are spares, and none is new. */
static void live_before(void)
{
    struct teak_store *store = open_writing(1);
    struct teak_error error = {0};
    for (uint64_t life = 1; life <= 8; life++) {
        rig_create(store, 1);
        for (uint64_t index = 1; index <= 40; index += 4) {
            rig_append_synced(store, 1, index, index + 3, life, 3000);
            sim_names(it.medium, NULL, keep_earlier, NULL);
        }
        rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 1});
        rig_ok(teak_drain(store, &error), &error);
    }
    rig_drive_until(store, spares_are_back, NULL);
    rig_close(store);
}

/* ---- what is written ---- */

void truth_take(struct teak_store *store, struct truth *out)
{
    uint64_t ids[ROT_LOGS];
    struct teak_stats stats;
    struct teak_error error = {0};
    teak_stats(store, &stats);
    out->last_lsn = stats.last_lsn;
    out->log_count = teak_logs(store, true, 0, ids, ROT_LOGS);
    assert_true(out->log_count < ROT_LOGS);
    for (uint32_t i = 0; i < out->log_count; i++) {
        struct truth_log *log = &out->logs[i];
        uint32_t meta_bytes;
        rig_ok(teak_log(store, ids[i], &log->log, &error), &error);
        rig_ok(teak_meta(store, ids[i], log->meta, sizeof log->meta, &meta_bytes, &error), &error);
        if (log->log.fresh || log->log.first > log->log.last.index) continue;
        assert_true(log->log.last.index - log->log.first < ROT_ENTRIES);
        struct teak_cursor *cursor;
        rig_ok(teak_cursor_open(store, ids[i], log->log.first, &cursor, &error), &error);
        for (uint64_t index = log->log.first; index <= log->log.last.index; index++) {
            struct teak_entry entry;
            uint32_t count;
            uint8_t want[8192];
            rig_ok(teak_cursor_read(cursor, 1 << 20, &entry, 1, &count, &error), &error);
            assert_int_equal(count, 1);
            rig_fill(want, entry.bytes, ids[i], index, entry.term); /* as it was written */
            assert_memory_equal(want, entry.data, entry.bytes);
            log->entries[index - log->log.first].term = entry.term;
            log->entries[index - log->log.first].bytes = entry.bytes;
            log->entries[index - log->log.first].kind = entry.kind;
        }
        teak_cursor_close(cursor);
    }
}

/* A batch of operations in a frame of its own, durable before the next one. */
struct frame_of_ops {
    struct teak_op ops[8];
    struct teak_bytes entries[8];
    uint8_t payload[8][6000];
    uint32_t op_count, entry_count;
};

static void add_entries(struct frame_of_ops *frame, uint64_t log, uint64_t index, uint64_t term, uint8_t kind,
                        uint32_t count, uint32_t bytes)
{
    frame->ops[frame->op_count++] =
        (struct teak_op){.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = term, .kind = kind,
                         .entries = &frame->entries[frame->entry_count], .count = count};
    for (uint32_t i = 0; i < count; i++, frame->entry_count++) {
        rig_fill(frame->payload[frame->entry_count], bytes, log, index + i, term);
        frame->entries[frame->entry_count] =
            (struct teak_bytes){.data = frame->payload[frame->entry_count], .bytes = bytes};
    }
}

static void write_frame(struct teak_store *store, struct frame_of_ops *frame)
{
    struct teak_error error = {0};
    rig_ok(rig_submit(store, &(struct teak_batch){.ops = frame->ops, .count = frame->op_count}, &error), &error);
    rig_ok(teak_drain(store, &error), &error);
    *frame = (struct frame_of_ops){0};
    it.cut = it.whole;
    truth_take(store, &it.whole);
}

/* Nine frames with every operation: log 11 grows, 12 is truncated, 13 compacted, 14 comes and goes, 15 stays short. */
static void write_round(struct teak_store *store, uint64_t round)
{
    static struct frame_of_ops frame;
    const uint64_t at11 = 4 * (round - 1) + 1, at12 = 3 * (round - 1) + 1, at13 = rig_log(store, 13).last.index + 1;
    add_entries(&frame, 11, at11, round, 0, 3, 40);
    frame.ops[frame.op_count++] = (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 11, .term = round, .vote = 3,
                                                   .commit = at11 - 1};
    add_entries(&frame, 12, at12, 2 * round, 1, 2, 301);
    write_frame(store, &frame);
    add_entries(&frame, 11, at11 + 3, round, 2, 1, 4500);
    write_frame(store, &frame);
    frame.ops[frame.op_count++] = (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 12, .index = at12 + 1};
    add_entries(&frame, 12, at12 + 1, 2 * round + 1, 1, 2, 77);
    write_frame(store, &frame);
    add_entries(&frame, 13, at13, round, 0, 3, round % 2 ? 0 : 1000);
    write_frame(store, &frame);
    frame.ops[frame.op_count++] = (struct teak_op){.op = TEAK_OP_COMPACT, .log = 13, .index = at13 + 1};
    frame.ops[frame.op_count++] = (struct teak_op){.op = TEAK_OP_META, .log = 13, .data = "word of its own",
                                                   .bytes = 9 + (uint32_t)round % 6};
    write_frame(store, &frame);
    frame.ops[frame.op_count++] = (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 11, .index = at11, .term = round};
    frame.ops[frame.op_count++] = (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 12, .term = round, .vote = round,
                                                   .commit = at12};
    write_frame(store, &frame);
    frame.ops[frame.op_count++] = (struct teak_op){.op = round % 2 ? TEAK_OP_DROP : TEAK_OP_CREATE, .log = 14};
    if (round % 2 == 0) add_entries(&frame, 14, 1, 1, 0, 1, 20);
    write_frame(store, &frame);
    add_entries(&frame, 15, round, 1, 0, 1, 200); /* the newest frame is one of these */
    frame.ops[frame.op_count++] = (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 15, .term = round, .vote = 2,
                                                   .commit = round - 1};
    write_frame(store, &frame);
}

static char snapshot_file[80]; /* in force */

static void take_snapshot_file(void *context, const char *name)
{
    (void)context;
    char path[80];
    snprintf(path, sizeof path, "snapshots/%.60s", name);
    if (!strstr(name, ".snap") || strcmp(path, snapshot_file) == 0) return;
    struct sim_view view;
    if (snapshot_file[0] && sim_look(it.medium, snapshot_file, &view)) {
        free(earlier.snapshot);
        earlier.snapshot = malloc(view.count);
        earlier.snapshot_bytes = view.count;
        assert_non_null(earlier.snapshot);
        memcpy(earlier.snapshot, view.bytes, view.count);
    }
    strcpy(snapshot_file, path);
}

/* Of all that the log holds. What the file before it held is what a lost write would leave. */
static void write_snapshot(struct teak_store *store, uint64_t stream)
{
    const struct teak_pos last = rig_log(store, ROT_SNAPSHOT_LOG).last;
    const struct teak_snapshot_offer offer = offer_of(ROT_SNAPSHOT_LOG, last.index, last.term, stream, ROT_BODY);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, stream, ROT_BODY);
    install(store, writer, keep_all);
    sim_names(it.medium, "snapshots", take_snapshot_file, NULL);
}

static uint64_t first_of_interest; /* the segment that everything of interest begins with */

static uint64_t newest_segment(struct teak_store *store)
{
    struct teak_stats stats;
    teak_stats(store, &stats);
    return stats.newest_segment;
}

static void live(void)
{
    struct teak_store *store = open_writing(TEAK_FOREVER);
    struct teak_stats stats;
    for (uint64_t log = 11; log <= 15; log++) rig_create(store, log);
    rig_append_synced(store, ROT_SNAPSHOT_LOG, 1, 2, 1, 50);
    write_snapshot(store, 1);
    rig_append_synced(store, ROT_SNAPSHOT_LOG, 3, 4, 1, 50);
    write_snapshot(store, 2);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = ROT_SNAPSHOT_LOG, .index = 4});
    first_of_interest = newest_segment(store) + 1;
    rig_create(store, 3); /* until a segment begins */
    for (uint64_t index = 1; newest_segment(store) < first_of_interest; index++)
        rig_append_synced(store, 3, index, index, 1, 3000);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 3});
    rig_drain(store);
    for (uint64_t round = 1; newest_segment(store) < first_of_interest + 3; round++) write_round(store, round);
    struct sim_view view;
    char next[64];
    rig_segment_name(first_of_interest + 4, next);
    struct teak_error error = {0};
    for (int i = 0; i < 3000 && !sim_look(it.medium, next, &view); i++) /* not as long as an idle mark takes */
        rig_ok(teak_poll(store, 0, NULL, 0, NULL, &error), &error);
    teak_stats(store, &stats);
    assert_int_equal(stats.oldest_segment, first_of_interest);
    assert_int_equal(stats.newest_segment, first_of_interest + 3);
    assert_int_equal(stats.last_lsn, it.whole.last_lsn);
    teak_abandon(store);
}

/* ---- what every byte is ---- */

static void mark(struct rot_file *file, uint64_t from, uint64_t bytes, enum rot_structure structure, uint32_t frame,
                 uint32_t entry)
{
    assert_true(from + bytes <= file->count);
    for (uint64_t i = from; i < from + bytes; i++)
        file->is[i] = (struct rot_byte){.structure = (uint8_t)structure, .frame = (uint16_t)frame,
                                        .entry = (uint16_t)entry};
}

static void end_of_entries(uint64_t log, uint64_t from)
{
    for (uint32_t i = 0; i < it.entry_count; i++)
        if (it.entries[i].log == log && it.entries[i].index >= from) it.entries[i].is_live = false;
}

/* The operations of a frame, as a replay takes them: which payloads count in the end? */
static void note_operations(struct rot_file *file, uint32_t number, const struct layout_frame *head)
{
    const uint8_t *at = file->pristine + it.frames[number].offset + le32_get(head->table_offset);
    const uint8_t *end = at + le32_get(head->table_bytes);
    while (at < end) {
        struct layout_entries op;
        memcpy(&op, at, 16);
        const uint64_t log = le64_get(op.op.log);
        const uint32_t count = le32_get(op.op.count);
        uint64_t words[5];
        memcpy(words, at + 16, sizeof words);
        switch (op.op.code) {
        case OP_ENTRIES:
            end_of_entries(log, words[0]);
            for (uint32_t i = 0; i < count; i++) {
                struct layout_slot slot;
                memcpy(&slot, at + 32 + 16 * (size_t)i, sizeof slot);
                assert_true(it.entry_count < 1024);
                it.entries[it.entry_count++] =
                    (struct rot_entry){.log = log, .index = words[0] + i, .term = words[1], .segment = file->segment,
                                       .offset = le32_get(slot.offset), .bytes = le32_get(slot.bytes), .is_live = true};
            }
            at += 32 + 16 * (size_t)count;
            break;
        case OP_TRUNCATE:
            end_of_entries(log, words[0]);
            at += 24;
            break;
        case OP_COMPACT:
            for (uint32_t i = 0; i < it.entry_count; i++)
                if (it.entries[i].log == log && it.entries[i].index <= words[0]) it.entries[i].is_live = false;
            at += 32;
            break;
        case OP_DROP:
            end_of_entries(log, 0);
            at += 16;
            break;
        case OP_CREATE:
        case OP_MARK: at += 16; break;
        case OP_FORGET: at += 24; break;
        case OP_HARD_STATE: at += 40; break;
        case OP_SNAPSHOT: at += 56; break;
        case OP_META: at += 16 + (count + 7) / 8 * 8; break;
        case OP_CHECKPOINT: return;
        default: fail_msg("operation %u", op.op.code);
        }
    }
    assert_ptr_equal(at, end);
}

static void note_frames(struct rot_file *file)
{
    uint64_t end = RIG_BLOCK;
    while (end + RIG_BLOCK <= file->count) {
        struct layout_frame head;
        memcpy(&head, file->pristine + end, sizeof head);
        struct layout_identity identity;
        memcpy(&identity, file->pristine, sizeof identity);
        if (le64_get(head.magic) != MAGIC_FRAME || le64_get(head.salt) != le64_get(identity.salt) ||
            le32_get(head.offset) != end)
            break;
        const uint32_t number = it.frame_count++;
        it.frames[number] = (struct rot_frame){.segment = file->segment, .lsn = le64_get(head.lsn),
                                               .offset = (uint32_t)end, .bytes = le32_get(head.bytes)};
        const bool is_checkpoint = end == RIG_BLOCK, is_last = le64_get(head.lsn) == it.whole.last_lsn;
        mark(file, end, it.frames[number].bytes, IS_PADDING, number, ROT_NONE);
        mark(file, end, HEAD_BYTES, is_checkpoint ? IS_CHECKPOINT_HEAD : is_last ? IS_LAST_HEAD : IS_FRAME_HEAD, number,
             ROT_NONE);
        mark(file, end + le32_get(head.table_offset), le32_get(head.table_bytes),
             is_checkpoint ? IS_CHECKPOINT_TABLE : is_last ? IS_LAST_TABLE : IS_FRAME_TABLE, number, ROT_NONE);
        note_operations(file, number, &head);
        end += it.frames[number].bytes;
    }
}

static void note_index(struct rot_file *file)
{
    struct layout_footer footer;
    memcpy(&footer, file->pristine + file->count - RIG_BLOCK, sizeof footer);
    assert_int_equal(le64_get(footer.magic), MAGIC_FOOTER);
    mark(file, le32_get(footer.slots_offset), le32_get(footer.slot_count) * sizeof(struct layout_slot), IS_SLOTS,
         ROT_NONE, ROT_NONE);
    mark(file, le32_get(footer.summary_offset), le32_get(footer.summary_bytes), IS_SUMMARY, ROT_NONE, ROT_NONE);
    mark(file, file->count - RIG_BLOCK, HEAD_BYTES, IS_FOOTER, ROT_NONE, ROT_NONE);
}

/* As a crash leaves it between the successor's checkpoint and the index. */
static void take_index_away(const struct rot_file *file)
{
    struct layout_footer footer;
    static const uint8_t zeros[RIG_SEGMENT];
    memcpy(&footer, file->pristine + file->count - RIG_BLOCK, sizeof footer);
    assert_int_equal(file->count, RIG_SEGMENT);
    if (le64_get(footer.magic) != MAGIC_FOOTER) return; /* a crash did */
    const uint32_t end = le32_get(footer.frames_end);
    sim_rot(it.medium, file->file, end, zeros, file->count - end);
    memset(file->pristine + end, 0, file->count - end);
}

/* What the file held before, or, where it was made ready and no more, another one that was a segment. NULL: nothing. */
static uint8_t *earlier_of(const struct rot_file *file)
{
    static const uint8_t none[8];
    uint8_t *other = NULL;
    for (uint32_t i = 0; i < earlier.count; i++) {
        uint8_t *data = earlier.list[i].data;
        if (earlier.list[i].bytes < file->count) continue;
        const bool had_frames = file->count >= RIG_SEGMENT && memcmp(data + RIG_BLOCK, none, sizeof none) != 0;
        if (earlier.list[i].file == file->file && (had_frames || file->count < RIG_SEGMENT)) return data;
        if (had_frames) other = data;
    }
    return other;
}

static struct rot_file *add_file(const char *name, enum rot_place place, uint64_t segment)
{
    struct sim_view view;
    struct rot_file *file = &it.files[it.file_count++];
    assert_true(it.file_count <= ROT_FILES);
    if (!sim_look(it.medium, name, &view)) fail_msg("no file %s", name);
    snprintf(file->name, sizeof file->name, "%s", name);
    file->place = place;
    file->segment = segment;
    file->file = view.file;
    file->count = (uint32_t)view.count;
    file->pristine = malloc(file->count);
    file->is = calloc(file->count, sizeof *file->is);
    assert_true(file->pristine && file->is);
    memcpy(file->pristine, view.bytes, file->count);
    mark(file, 0, file->count, IS_PADDING, ROT_NONE, ROT_NONE);
    file->stale = earlier_of(file);
    return file;
}

static void add_segment_file(uint64_t segment, enum rot_place place)
{
    char name[64];
    rig_segment_name(segment, name);
    struct rot_file *file = add_file(name, place, segment);
    assert_true(file->stale && memcmp(file->stale + RIG_BLOCK, (uint8_t[8]){0}, 8) != 0);
    if (place == PLACE_CLOSED) take_index_away(file);
    mark(file, 0, HEAD_BYTES, IS_IDENTITY, ROT_NONE, ROT_NONE);
    if (place != PLACE_NEXT) {
        note_frames(file);
    } else {
        mark(file, 0, 8, IS_IDENTITY_NAME, ROT_NONE, ROT_NONE);
        mark(file, offsetof(struct layout_identity, family), 16, IS_IDENTITY_NAME, ROT_NONE, ROT_NONE);
    }
    if (place == PLACE_FIRST || place == PLACE_SEALED) note_index(file);
}

static void add_snapshot_file(void)
{
    const struct teak_log *log = NULL;
    for (uint32_t i = 0; i < it.whole.log_count; i++)
        if (it.whole.logs[i].log.id == ROT_SNAPSHOT_LOG) log = &it.whole.logs[i].log;
    assert_true(log && log->snapshot_file_bytes > 0 && snapshot_file[0]);
    struct rot_file *file = add_file(snapshot_file, PLACE_FILE, 0);
    file->stale = earlier.snapshot;
    assert_true(file->stale && earlier.snapshot_bytes == file->count);
    mark(file, 0, HEAD_BYTES, IS_SNAPSHOT_HEAD, ROT_NONE, ROT_NONE);
    mark(file, HEAD_BYTES, 10, IS_SNAPSHOT_META, ROT_NONE, ROT_NONE);
    uint64_t at = RIG_BLOCK;
    for (uint64_t left = ROT_BODY; left > 0;) {
        const uint64_t bytes = left < SNAPSHOT_CHUNK_BODY ? left : SNAPSHOT_CHUNK_BODY;
        mark(file, at, SNAPSHOT_CHUNK_HEAD, IS_SNAPSHOT_CHUNK, ROT_NONE, ROT_NONE);
        mark(file, at + SNAPSHOT_CHUNK_HEAD, bytes, IS_SNAPSHOT_BODY, ROT_NONE, ROT_NONE);
        at += SNAPSHOT_CHUNK_HEAD + bytes;
        left -= bytes;
    }
    mark(file, file->count - RIG_BLOCK, HEAD_BYTES, IS_SNAPSHOT_FOOT, ROT_NONE, ROT_NONE);
}

struct rot_store *rot_store(void)
{
    if (it.medium) return &it;
    it.medium = sim_make(20240229);
    live_before();
    live();
    for (uint64_t i = 0; i < 4; i++) add_segment_file(first_of_interest + i, (enum rot_place)i);
    add_segment_file(first_of_interest + 4, PLACE_NEXT);
    for (uint32_t i = 0; i < it.entry_count; i++) {
        const struct rot_entry *entry = &it.entries[i];
        struct rot_file *file = &it.files[entry->segment - first_of_interest];
        const struct rot_byte *was = &file->is[entry->offset];
        const bool is_newest = it.frames[was->frame].lsn == it.whole.last_lsn;
        mark(file, entry->offset, entry->bytes,
             is_newest ? IS_LAST_PAYLOAD : entry->is_live ? IS_LIVE_PAYLOAD : IS_DEAD_PAYLOAD, was->frame, i);
    }
    mark(add_file("STORE", PLACE_FILE, 0), 0, 256, IS_STORE, ROT_NONE, ROT_NONE);
    struct rot_file *stats = add_file("STATS", PLACE_FILE, 0), *lock = add_file("LOCK", PLACE_FILE, 0);
    mark(stats, 0, stats->count, IS_STATS, ROT_NONE, ROT_NONE);
    mark(lock, 0, lock->count, IS_LOCK, ROT_NONE, ROT_NONE);
    add_snapshot_file();
    return &it;
}

void rot_store_free(void)
{
    for (uint32_t i = 0; i < it.file_count; i++) {
        free(it.files[i].pristine);
        free(it.files[i].is);
    }
    for (uint32_t i = 0; i < earlier.count; i++) free(earlier.list[i].data);
    free(earlier.snapshot);
    sim_free(it.medium);
    memset(&it, 0, sizeof it);
    memset(&earlier, 0, sizeof earlier);
}
