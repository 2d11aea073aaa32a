/* store_fuzz.c: any bytes as a whole store (store_parts.h), on the simulated disk: opened, read, verified, written on,
 * closed and opened again.
 *
 * Beside the sanitizers and the engine's own CHECKs these judge: what is opened twice says and shows the same; reading
 * only shows what opening for writing shows; and what was written on and closed opens again, and shows what it showed
 * before it was closed (not under quarantine: there a status is enough). The mutator knows the format: it hurts a
 * field, a structure or a block, moves blocks and files
 * about, and then mostly puts every sum right, because bytes under wrong sums come no further than a checksum.
 */
#include "spite.h"
#include "store_parts.h"

#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>

#include "sim/sim_disk.h"
#include "store/store.h"
#include "teak/inspect.h"
#include "teak/memory.h"
#include "teak/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size,
                                 uint8_t *out, size_t max_size, unsigned int seed);

enum { HOW_QUARANTINE = 1, HOW_BUFFERED = 2, HOW_MOVES = 4, SEGMENT_MAX = 256 << 10 };

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "not so: %s\n", #condition);                                                               \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* ---- memory ---- */

/* Large pieces are kept and given again: what the sanitizer does for each new one takes longer than all else here. Who
 * uses one that was given back is still seen. */
enum { LARGE = 48 << 10, LARGE_MAX = 64 };
static struct large {
    void *memory;
    size_t alignment, bytes;
    bool is_free;
} large[LARGE_MAX];

static void *take_memory(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    struct large *place = NULL;
    for (uint32_t i = 0; bytes >= LARGE && i < LARGE_MAX; i++) {
        if (!large[i].memory) place = &large[i];
        if (!large[i].is_free || large[i].alignment != alignment || large[i].bytes != bytes) continue;
        large[i].is_free = false;
        ASAN_UNPOISON_MEMORY_REGION(large[i].memory, bytes);
        return large[i].memory;
    }
    void *memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (place) *place = (struct large){.memory = memory, .alignment = alignment, .bytes = bytes};
    return memory;
}

static void *grow_memory(void *context, void *memory, size_t bytes)
{
    for (uint32_t i = 0; memory && i < LARGE_MAX; i++) {
        if (large[i].memory != memory) continue;
        void *grown = take_memory(context, 16, bytes);
        memcpy(grown, memory, bytes < large[i].bytes ? bytes : large[i].bytes);
        large[i].is_free = true;
        ASAN_POISON_MEMORY_REGION(memory, large[i].bytes);
        return grown;
    }
    return realloc(memory, bytes);
}

static void give_memory(void *context, void *memory)
{
    (void)context;
    for (uint32_t i = 0; memory && i < LARGE_MAX; i++) {
        if (large[i].memory != memory) continue;
        large[i].is_free = true;
        ASAN_POISON_MEMORY_REGION(memory, large[i].bytes);
        return;
    }
    free(memory);
}

/* Refused while a piece is out: a leak. */
static void check_memory(void)
{
    static const struct teak_allocator allocator = {.allocate = take_memory, .reallocate = grow_memory,
                                                    .release = give_memory};
    const bool is_all_back = teak_set_allocator(&allocator) == TEAK_OK;
    if (!is_all_back) __lsan_do_leak_check(); /* it says which, where leaks are looked for */
    EXPECT(is_all_back);
}

/* ---- the store that the input is ---- */

static struct sim_medium *make_medium(const struct parts *parts)
{
    struct sim_medium *medium = sim_make(7);
    char name[SNAPSHOT_NAME_BYTES + 16];
    if (parts->files[0].bytes > 0) sim_put(medium, "STORE", parts->files[0].data, parts->files[0].bytes);
    for (uint32_t i = 1; i < PARTS_SNAPSHOT; i++) {
        if (parts->files[i].bytes == 0) continue;
        snprintf(name, sizeof name, "%016x.seg", i);
        sim_put(medium, name, parts->files[i].data, parts->files[i].bytes);
    }
    const struct parts_file *file = &parts->files[PARTS_SNAPSHOT];
    if (file->bytes == 0) return medium;
    struct layout_snapshot_head head;
    memcpy(&head, file->data, sizeof head);
    const struct snapshot_name is = {.log = le64_get(head.log), .index = le64_get(head.index),
                                     .term = le64_get(head.term), .file_id = le64_get(head.file_id)};
    strcpy(name, "snapshots/");
    snapshot_name_put(&is, name + strlen(name));
    if (strlen(name) < 60) sim_put(medium, name, file->data, file->bytes); /* longer ones the simulated disk has not */
    return medium;
}

/* Segments of a size that can be filled in a moment; else it is only looked at. */
static bool may_be_written(const struct parts *parts)
{
    struct layout_store layout;
    memcpy(&layout, parts->files[0].data, sizeof layout);
    return le64_get(layout.segment_bytes) <= SEGMENT_MAX;
}

static bool is_told; /* TEAK_VERBOSE: for whoever looks at one input */

static void tell_error(const char *what, const struct teak_error *error)
{
    char text[300];
    teak_error_text(error, text, sizeof text);
    fprintf(stderr, "%s: %s\n", what, text);
}

static void tell_log(const struct teak_log *log)
{
    fprintf(stderr,
            "  log %" PRIu64 " life %" PRIu64 ", first %" PRIu64 ", last %" PRIu64 "/%" PRIu64 ", base %" PRIu64
            "/%" PRIu64 ", snapshot %" PRIu64 "/%" PRIu64 " of %" PRIu64 " bytes, hard %" PRIu64 " %" PRIu64 " %" PRIu64
            ", marks %u, fresh %d\n", log->id, log->life, log->first, log->last.index, log->last.term, log->base.index,
            log->base.term, log->snapshot.index, log->snapshot.term, log->snapshot_file_bytes, log->hard.term,
            log->hard.vote, log->hard.commit, log->marks, log->fresh);
}

static enum teak_status open_store(struct sim_medium *medium, uint8_t how, bool read_only, struct teak_store **out)
{
    static struct teak_report report;
    struct teak_error error = {0};
    struct teak_options options = teak_options_default();
    options.read_only = read_only;
    options.on_damage = how & HOW_QUARANTINE ? TEAK_QUARANTINE : TEAK_REFUSE;
    options.strategy = how & HOW_BUFFERED ? TEAK_BUFFERED : TEAK_DSYNC;
    options.move_bytes_per_second = how & HOW_MOVES ? 0 : TEAK_FOREVER;
    options.arena_bytes = SEGMENT_MAX; /* enough for the largest here */
    options.in_flight = 2;
    options.spares = 1;
    options.stats_interval_ns = TEAK_FOREVER;
    *out = NULL;
    const enum teak_status status = store_open_on(sim_open(medium), "store", &options, out, &report, &error);
    if (is_told) {
        fprintf(stderr, "opened%s: verdict %d, last LSN %" PRIu64 "\n", read_only ? " to look" : "", report.verdict,
                report.last_lsn);
        tell_error("opening", &error);
    }
    EXPECT((status == TEAK_OK) == (*out != NULL));
    EXPECT(status == error.status);
    EXPECT(status != TEAK_DAMAGED || report.verdict == TEAK_VERDICT_DAMAGED);
    return status;
}

/* ---- all that it shows, as one number ---- */

static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix_word(uint64_t hash, uint64_t word) { return mix(hash, &word, sizeof word); }

static uint64_t show_entries(struct teak_store *store, const struct teak_log *log, uint64_t hash)
{
    struct teak_cursor *cursor;
    enum teak_status status = teak_cursor_open(store, log->id, log->first, &cursor, NULL);
    if (status != TEAK_OK) return mix_word(hash, status);
    uint64_t next = log->first;
    for (uint32_t reads = 0; reads < 300; reads++) {
        struct teak_entry entries[32];
        uint32_t count = 0;
        struct teak_error error = {0};
        status = teak_cursor_read(cursor, 1 << 16, entries, 32, &count, &error);
        if (status != TEAK_OK) hash = mix_word(mix_word(hash, status), error.index);
        if (status != TEAK_OK && is_told) tell_error("    a read", &error);
        if (status == TEAK_OK && is_told) fprintf(stderr, "    %u entries from %" PRIu64 "\n", count, next);
        if (status == TEAK_HASH_MISMATCH && next < log->last.index) { /* pass over it */
            if (teak_cursor_seek(cursor, ++next, NULL) == TEAK_OK) continue;
        }
        if (status != TEAK_OK || count == 0) break;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t term = 0;
            struct teak_pos found = {0};
            EXPECT(entries[i].index == next);
            EXPECT(entries[i].bytes == 0 || entries[i].data != NULL);
            EXPECT(teak_term_at(store, log->id, next, &term, NULL) == TEAK_OK && term == entries[i].term);
            if (teak_last_of_kind(store, log->id, entries[i].kind, next, &found, NULL) == TEAK_OK)
                EXPECT(found.index == next);
            hash = mix_word(mix_word(hash, next), entries[i].kind);
            hash = mix(mix_word(hash, entries[i].term), entries[i].data, entries[i].bytes);
            next++;
        }
    }
    teak_cursor_close(cursor);
    return hash;
}

static uint64_t show_snapshot(struct teak_store *store, uint64_t log, uint64_t hash)
{
    struct teak_snapshot_reader *reader;
    struct teak_snapshot_info info;
    static uint8_t body[4096];
    enum teak_status status = teak_snapshot_open(store, log, &reader, NULL);
    if (status != TEAK_OK) return mix_word(hash, status);
    status = teak_snapshot_info(reader, &info, NULL);
    if (status == TEAK_OK) hash = mix(hash, info.meta, info.meta_bytes);
    uint64_t bytes = 1;
    for (uint64_t offset = 0; status == TEAK_OK && bytes > 0 && offset < 64 * sizeof body; offset += bytes) {
        status = teak_snapshot_read(reader, offset, body, sizeof body, &bytes, NULL);
        if (status == TEAK_OK) hash = mix(hash, body, bytes);
    }
    teak_snapshot_close(reader);
    return mix_word(hash, status);
}

static uint64_t show(struct teak_store *store)
{
    uint64_t ids[64], hash = UINT64_C(14695981039346656037);
    const uint32_t count = teak_logs(store, true, 0, ids, 64);
    for (uint32_t i = 0; i < count; i++) {
        struct teak_log log;
        uint8_t meta[META_BYTES_MAX];
        uint32_t meta_bytes = 0;
        EXPECT(teak_log(store, ids[i], &log, NULL) == TEAK_OK);
        EXPECT(teak_meta(store, ids[i], meta, sizeof meta, &meta_bytes, NULL) == TEAK_OK);
        EXPECT(log.fresh || log.first == log.base.index + 1);
        EXPECT(log.fresh || log.last.index >= log.base.index);
        const uint64_t words[] = {log.id,          log.life,       log.first,          log.last.index,
                                  log.last.term,   log.base.index, log.base.term,      log.snapshot.index,
                                  log.snapshot.term, log.hard.term, log.hard.vote,     log.hard.commit,
                                  log.marks,       log.fresh,      log.snapshot_file_bytes};
        hash = mix(mix(hash, words, sizeof words), meta, meta_bytes);
        if (is_told) tell_log(&log);
        if (!log.fresh && log.last.index >= log.first) hash = show_entries(store, &log, hash);
        hash = show_snapshot(store, log.id, hash);
    }
    return hash;
}

/* ---- and what may be done with it ---- */

static bool drain(struct teak_store *store) { return teak_drain(store, NULL) == TEAK_OK; }

static void submit(struct teak_store *store, struct teak_op op)
{
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1}, &error)) == TEAK_FULL)
        if (teak_poll(store, UINT64_C(1000000000), NULL, 0, NULL, NULL) != TEAK_OK || !drain(store)) return;
    if (is_told && status != TEAK_OK) tell_error("  submitting", &error);
}

static void write_on(struct teak_store *store)
{
    static uint8_t payload[5000];
    uint64_t ids[64];
    const struct teak_bytes entry = {.data = payload, .bytes = sizeof payload};
    const uint32_t logs = teak_logs(store, true, 0, ids, 64);
    for (uint32_t round = 0; round < 6; round++)
        for (uint32_t i = 0; i < logs && i < 4; i++) {
            struct teak_log log;
            if (teak_log(store, ids[i], &log, NULL) != TEAK_OK) continue;
            const uint64_t next = log.fresh ? 1 : log.last.index + 1;
            submit(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = ids[i], .index = next, .term = log.last.term,
                                           .entries = &entry, .count = 1});
            if (round == 1) submit(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = ids[i], .index = next});
            if (round == 3) submit(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = ids[i], .index = next - 1});
            if (round == 4) submit(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = ids[i], .index = next,
                                                           .term = log.last.term});
        }
    submit(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = 77});
    submit(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 77, .index = 5, .term = 1, .entries = &entry,
                                   .count = 1});
    if (logs > 2) submit(store, (struct teak_op){.op = TEAK_OP_DROP, .log = ids[logs - 1]});
}

static void look(struct sim_medium *medium, uint8_t how, enum teak_status *status_out, uint64_t *shown_out)
{
    struct teak_store *store;
    static struct teak_verify_result result;
    struct teak_damage damage[4];
    *shown_out = 0;
    *status_out = open_store(medium, how, true, &store);
    if (*status_out != TEAK_OK) return;
    *shown_out = show(store);
    struct teak_segment_info segments[16];
    (void)teak_inspect_segments(store, 0, segments, 16);
    (void)teak_verify(store, damage, 4, &result, NULL, NULL, NULL);
    EXPECT(teak_close(store, NULL) == TEAK_OK);
}

static void live(struct sim_medium *medium, uint8_t how)
{
    struct teak_store *store;
    enum teak_status looked, first, second;
    uint64_t looked_at, shown[2] = {0, 0};
    look(medium, how, &looked, &looked_at);
    first = open_store(medium, how, false, &store);
    if (first == TEAK_OK) {
        shown[0] = show(store);
        teak_abandon(store);
    }
    second = open_store(medium, how, false, &store);
    EXPECT(first == second);
    if (second != TEAK_OK) return;
    shown[1] = show(store);
    EXPECT(shown[0] == shown[1]);
    if (looked == TEAK_OK) EXPECT(looked_at == shown[0]);
    write_on(store);
    const bool is_drained = drain(store);
    const uint64_t before = show(store);
    if (teak_close(store, NULL) != TEAK_OK || !is_drained) return;
    EXPECT(open_store(medium, how, false, &store) == TEAK_OK);
    EXPECT(show(store) == before);
    (void)teak_close(store, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct parts parts;
    is_told = getenv("TEAK_VERBOSE") != NULL;
    check_memory();
    parts_read(&parts, data, size);
    struct sim_medium *medium = make_medium(&parts);
    if (may_be_written(&parts)) {
        live(medium, parts.how);
    } else {
        enum teak_status status;
        uint64_t shown;
        look(medium, parts.how, &status, &shown);
    }
    sim_free(medium);
    check_memory();
    return 0;
}

/* ---- mutations ---- */

static struct seeded dice;

static void spoil_bytes(uint8_t *at, uint32_t room)
{
    uint8_t some[256];
    const uint32_t bytes = room < sizeof some ? room : (uint32_t)sizeof some;
    uint8_t *from = at + seeded_below(&dice, room - bytes + 1);
    memcpy(some, from, bytes);
    const size_t got = LLVMFuzzerMutate(some, bytes, bytes);
    memcpy(from, some, got);
}

/* The part of a block that is a structure: a frame's table, a head, or what it holds at all. */
static uint8_t *choose_structure(struct parts_file *file, uint32_t block, uint32_t *room_out)
{
    uint8_t *at = file->data + block * PARTS_BLOCK;
    uint32_t used = PARTS_BLOCK;
    while (used > 16 && at[used - 1] == 0) used--;
    used = (used + 15) / 16 * 16;
    struct layout_frame head;
    memcpy(&head, at, sizeof head);
    const uint64_t table = (uint64_t)block * PARTS_BLOCK + le32_get(head.table_offset);
    const uint64_t bytes = le32_get(head.table_bytes);
    const uint32_t choice = seeded_below(&dice, 4);
    if (le64_get(head.magic) == MAGIC_FRAME && choice < 2 && bytes > 0 && range_fits(table, bytes, file->bytes)) {
        *room_out = (uint32_t)bytes;
        return file->data + table;
    }
    *room_out = choice == 2 && used > 120 ? 120 : used;
    return at;
}

static struct parts_file *choose_file(struct parts *parts)
{
    for (uint32_t tries = 0; tries < 40; tries++) {
        struct parts_file *file = &parts->files[seeded_below(&dice, PARTS_FILES)];
        if (file->bytes > 0 && (file != &parts->files[0] || seeded_below(&dice, 4) == 0)) return file;
    }
    return &parts->files[0];
}

static uint32_t choose_block(const struct parts_file *file)
{
    const uint32_t blocks = file->bytes / PARTS_BLOCK;
    uint32_t block = 0;
    for (uint32_t tries = 0; tries < 20; tries++) {
        block = seeded_below(&dice, blocks);
        if (!bytes_are_zero(file->data + block * PARTS_BLOCK, PARTS_BLOCK)) break;
    }
    return block;
}

static void mutate(struct parts *parts)
{
    struct parts_file *file = choose_file(parts), *other = choose_file(parts);
    if (file->bytes < PARTS_BLOCK || other->bytes < PARTS_BLOCK) {
        spoil_field(&dice, parts->files[0].data, sizeof(struct layout_store), PARTS_BLOCK);
        parts_grow(&parts->files[0], PARTS_BLOCK);
        return;
    }
    const uint32_t block = choose_block(file);
    uint32_t room;
    uint8_t *at = choose_structure(file, block, &room);
    static struct parts_file kept;
    switch (seeded_below(&dice, 16)) {
    case 0: parts->how = (uint8_t)seeded_below(&dice, 8); break;
    case 1: memset(file->data + block * PARTS_BLOCK, 0, PARTS_BLOCK); break;
    case 2: /* a write that went astray */
        memcpy(file->data + block * PARTS_BLOCK, other->data + choose_block(other) * PARTS_BLOCK, PARTS_BLOCK);
        break;
    case 3: /* shorter or longer */
        room = seeded_below(&dice, PARTS_BLOCKS + 1) * PARTS_BLOCK;
        parts_grow(file, room);
        file->bytes = room;
        break;
    case 4: /* one file under another's name */
        kept = *file;
        *file = *other;
        if (seeded_below(&dice, 2)) *other = kept;
        break;
    case 5:
        if (seeded_below(&dice, 4) == 0) file->bytes = 0;
        break;
    case 6: memset(at, 0, room); break;
    case 7:
    case 8:
    case 9: spoil_bytes(at, room); break;
    default: spoil_field(&dice, at, room, PARTS_BLOCK); break;
    }
}

static size_t end_mutation(struct parts *parts, uint8_t *out, size_t max_size)
{
    const uint32_t care = seeded_below(&dice, 8);
    if (care > 0) parts_repair(parts, care > 4);
    return parts_write(parts, out, max_size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    static struct parts parts;
    dice.state = seed;
    if (seeded_below(&dice, 50) == 0) return LLVMFuzzerMutate(data, size, max_size);
    parts_read(&parts, data, size);
    for (uint32_t n = 1 + seeded_below(&dice, 3); n > 0; n--) mutate(&parts);
    return end_mutation(&parts, data, max_size);
}

/* Each file from one of two stores. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size,
                                 uint8_t *out, size_t max_size, unsigned int seed)
{
    static struct parts parts, more;
    dice.state = seed;
    parts_read(&parts, one, one_size);
    parts_read(&more, other, other_size);
    for (uint32_t i = 1; i < PARTS_FILES; i++)
        if (seeded_below(&dice, 3) == 0) parts.files[i] = more.files[i];
    return end_mutation(&parts, out, max_size);
}
