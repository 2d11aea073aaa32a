/* rot_walk.c: see rot_walk.h. */
#include "rot_walk.h"

#include <malloc.h>

#include "store/snapshot_rig.h"

static const char *const verdict_names[] = {"harmless", "covered", "repaired", "told by the read", "cut", "refused"};
static const char *const kind_names[ROT_KIND_COUNT] = {"flip", "zero", "stale", "zero 512", "stale 512", "zero block",
                                                       "stale block"};

enum { LOST = 1 << ROT_STALE_SECTOR | 1 << ROT_STALE_BLOCK }; /* as a lost write leaves it */

/* The table. `is_found`: teak_verify names the place. Of several structures in one sector the worst verdict holds. */
static const struct row {
    enum rot_place place;
    enum rot_structure structure;
    enum rot_verdict verdict;
    bool is_found;
    uint32_t kinds; /* bits; 0: all that no row before takes */
} rows[] = {
    {PLACE_FIRST, IS_PADDING, ROT_HARMLESS, false, 0},
    {PLACE_FIRST, IS_IDENTITY, ROT_REPAIRED, true, 0},          /* the footer repeats the salt                  */
    {PLACE_FIRST, IS_CHECKPOINT_HEAD, ROT_COVERED, true, 0},    /* a newer checkpoint says all it says          */
    {PLACE_FIRST, IS_CHECKPOINT_TABLE, ROT_COVERED, true, 0},
    {PLACE_FIRST, IS_FRAME_HEAD, ROT_COVERED, true, 0},         /* the index says all it says                   */
    {PLACE_FIRST, IS_FRAME_TABLE, ROT_COVERED, true, 0},
    {PLACE_FIRST, IS_LIVE_PAYLOAD, ROT_TOLD, true, 0},          /* the only copy                                */
    {PLACE_FIRST, IS_DEAD_PAYLOAD, ROT_COVERED, true, 0},       /* nobody asks for it                           */
    {PLACE_FIRST, IS_SLOTS, ROT_REPAIRED, true, 0},             /* the frame's table has the same               */
    {PLACE_FIRST, IS_SUMMARY, ROT_REPAIRED, true, 0},           /* the frames say it                            */
    {PLACE_FIRST, IS_FOOTER, ROT_REPAIRED, false, 0},           /* as if the index were not written yet         */
    {PLACE_SEALED, IS_PADDING, ROT_HARMLESS, false, 0},
    {PLACE_SEALED, IS_IDENTITY, ROT_REPAIRED, true, 0},
    {PLACE_SEALED, IS_CHECKPOINT_HEAD, ROT_COVERED, true, 0},
    {PLACE_SEALED, IS_CHECKPOINT_TABLE, ROT_COVERED, true, 0},
    {PLACE_SEALED, IS_FRAME_HEAD, ROT_COVERED, true, 0},
    {PLACE_SEALED, IS_FRAME_TABLE, ROT_COVERED, true, 0},
    {PLACE_SEALED, IS_LIVE_PAYLOAD, ROT_TOLD, true, 0},
    {PLACE_SEALED, IS_DEAD_PAYLOAD, ROT_COVERED, true, 0},
    {PLACE_SEALED, IS_SLOTS, ROT_REPAIRED, true, 0},
    {PLACE_SEALED, IS_SUMMARY, ROT_REPAIRED, true, 0},
    {PLACE_SEALED, IS_FOOTER, ROT_REPAIRED, false, 0},
    {PLACE_CLOSED, IS_PADDING, ROT_HARMLESS, false, 0},
    {PLACE_CLOSED, IS_IDENTITY, ROT_REPAIRED, true, 0},         /* every head repeats the salt                  */
    {PLACE_CLOSED, IS_CHECKPOINT_HEAD, ROT_REFUSED, false, 0},  /* the tail is read whole, and must be whole    */
    {PLACE_CLOSED, IS_CHECKPOINT_TABLE, ROT_REFUSED, false, 0},
    {PLACE_CLOSED, IS_FRAME_HEAD, ROT_REFUSED, false, 0},
    {PLACE_CLOSED, IS_FRAME_TABLE, ROT_REFUSED, false, 0},
    {PLACE_CLOSED, IS_LIVE_PAYLOAD, ROT_REFUSED, false, 0},
    {PLACE_CLOSED, IS_DEAD_PAYLOAD, ROT_REFUSED, false, 0},
    {PLACE_LAST, IS_PADDING, ROT_HARMLESS, false, 0},
    {PLACE_LAST, IS_IDENTITY, ROT_REPAIRED, true, 0},
    {PLACE_LAST, IS_CHECKPOINT_HEAD, ROT_REFUSED, false, 0},
    {PLACE_LAST, IS_CHECKPOINT_TABLE, ROT_REFUSED, false, 0},
    {PLACE_LAST, IS_FRAME_HEAD, ROT_REFUSED, false, 0},         /* the frames behind it vouch for it            */
    {PLACE_LAST, IS_FRAME_TABLE, ROT_REFUSED, false, 0},
    {PLACE_LAST, IS_LIVE_PAYLOAD, ROT_REFUSED, false, 0},
    {PLACE_LAST, IS_DEAD_PAYLOAD, ROT_REFUSED, false, 0},
    {PLACE_LAST, IS_LAST_HEAD, ROT_CUT, false, 0},              /* nobody can tell it from one that was torn    */
    {PLACE_LAST, IS_LAST_TABLE, ROT_CUT, false, 0},
    {PLACE_LAST, IS_LAST_PAYLOAD, ROT_CUT, false, 0},
    {PLACE_NEXT, IS_PADDING, ROT_HARMLESS, false, 0},
    {PLACE_NEXT, IS_IDENTITY_NAME, ROT_REFUSED, false, 0},   /* as a file that lost all it held, or another's */
    {PLACE_NEXT, IS_IDENTITY, ROT_REFUSED, false, LOST},     /* another number, and nothing of this one       */
    {PLACE_NEXT, IS_IDENTITY, ROT_HARMLESS, false, 0},          /* nothing stands in it                         */
    {PLACE_FILE, IS_PADDING, ROT_HARMLESS, false, 0},
    {PLACE_FILE, IS_STORE, ROT_REFUSED, false, 0},
    {PLACE_FILE, IS_STATS, ROT_HARMLESS, false, 0},
    {PLACE_FILE, IS_LOCK, ROT_HARMLESS, false, 0},
    {PLACE_FILE, IS_SNAPSHOT_HEAD, ROT_TOLD, true, 0},
    {PLACE_FILE, IS_SNAPSHOT_META, ROT_TOLD, true, 0},
    {PLACE_FILE, IS_SNAPSHOT_CHUNK, ROT_TOLD, true, 0},
    {PLACE_FILE, IS_SNAPSHOT_BODY, ROT_TOLD, true, 0},
    {PLACE_FILE, IS_SNAPSHOT_FOOT, ROT_TOLD, true, 0},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static uint64_t cases[ROWS][ROT_KIND_COUNT], quarantines, continuations, complaints;

static const struct row *row_of(enum rot_place place, enum rot_structure structure, enum rot_kind kind)
{
    for (uint32_t i = 0; i < ROWS; i++)
        if (rows[i].place == place && rows[i].structure == structure &&
            (rows[i].kinds == 0 || rows[i].kinds >> kind & 1))
            return &rows[i];
    fail_msg("no row for %s, %s", rot_place_names[place], rot_structure_names[structure]);
    return NULL;
}

/* ---- one change ---- */

enum { HURT_MAX = 64 };
struct change {
    const struct rot_file *file;
    enum rot_kind kind;
    uint32_t offset, count;
    const struct row *row;       /* the worst of what it touches */
    bool is_found;
    uint32_t at;                 /* the first byte that the worst is true of */
    uint32_t hurt_count;
    uint32_t hurt[HURT_MAX];     /* live entries some byte of which is another now */
};

static void complain(const struct change *change, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(const struct change *change, const char *format, ...)
{
    if (++complaints > 60) return;
    const struct rot_byte *is = &change->file->is[change->at];
    printf("%s (%s) byte %u, %s, %s, expected %s: ", change->file->name, rot_place_names[change->file->place],
           change->offset, kind_names[change->kind], rot_structure_names[is->structure],
           verdict_names[change->row->verdict]);
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
}

static void complain_of_error(const struct change *change, const char *what, const struct teak_error *error)
{
    char text[300];
    teak_error_text(error, text, sizeof text);
    complain(change, "%s: %s", what, text);
}

/* What the change touches. False: not one byte is another. */
static bool judge_change(struct change *change, const uint8_t *bytes)
{
    const struct rot_file *file = change->file;
    change->row = NULL;
    change->hurt_count = 0;
    change->is_found = false;
    for (uint32_t i = change->offset; i < change->offset + change->count; i++) {
        if (bytes[i - change->offset] == file->pristine[i]) continue;
        const struct row *row = row_of(file->place, (enum rot_structure)file->is[i].structure, change->kind);
        change->is_found |= row->is_found;
        if (!change->row || row->verdict > change->row->verdict) {
            change->row = row;
            change->at = i;
        }
        const uint32_t entry = file->is[i].entry;
        if (file->is[i].structure != IS_LIVE_PAYLOAD) continue;
        if (change->hurt_count > 0 && change->hurt[change->hurt_count - 1] == entry) continue;
        assert_true(change->hurt_count < HURT_MAX);
        change->hurt[change->hurt_count++] = entry;
    }
    if (change->row && change->row->verdict != ROT_TOLD && change->row->verdict < ROT_CUT) change->hurt_count = 0;
    return change->row != NULL;
}

/* ---- opening ---- */

static struct teak_report report;

static enum teak_status try_open(struct sim_medium *medium, bool read_only, enum teak_on_damage on_damage,
                                 struct teak_store **out, struct teak_error *error)
{
    struct teak_options options = rot_options();
    options.create = false;
    options.read_only = read_only;
    options.on_damage = on_damage;
    *out = NULL;
    return store_open_on(sim_open(medium), "store", &options, out, &report, error);
}

/* ---- what it shows against what was written ---- */

static bool is_hurt(const struct change *change, uint64_t log, uint64_t index)
{
    for (uint32_t i = 0; i < change->hurt_count; i++) {
        const struct rot_entry *entry = &rot_store()->entries[change->hurt[i]];
        if (entry->log == log && entry->index == index) return true;
    }
    return false;
}

static bool same_head(const struct teak_log *a, const struct teak_log *b)
{
    return a->id == b->id && a->life == b->life && a->first == b->first && a->last.index == b->last.index &&
           a->last.term == b->last.term && a->base.index == b->base.index && a->base.term == b->base.term &&
           a->snapshot.index == b->snapshot.index && a->snapshot.term == b->snapshot.term &&
           a->hard.term == b->hard.term && a->hard.vote == b->hard.vote && a->hard.commit == b->hard.commit &&
           a->snapshot_file_bytes == b->snapshot_file_bytes && a->meta_bytes == b->meta_bytes && a->marks == b->marks &&
           a->fresh == b->fresh;
}

static bool same_entry(struct teak_store *store, uint64_t log, uint64_t index, const struct teak_entry *entry,
                       const struct truth_log *want)
{
    uint8_t payload[8192];
    uint64_t term;
    const uint64_t at = index - want->log.first;
    if (entry->index != index || entry->term != want->entries[at].term || entry->bytes != want->entries[at].bytes ||
        entry->kind != want->entries[at].kind || teak_term_at(store, log, index, &term, NULL) != TEAK_OK ||
        term != entry->term)
        return false;
    rig_fill(payload, entry->bytes, log, index, entry->term);
    return memcmp(payload, entry->data, entry->bytes) == 0;
}

/* Every entry of the log is read: it is what was written, or it is hurt, and the answer says which one it is. */
static void compare_entries(struct change *change, struct teak_store *store, const struct truth_log *want)
{
    struct teak_error error = {0};
    struct teak_cursor *cursor;
    const uint64_t log = want->log.id;
    uint32_t told = 0, expected = 0;
    for (uint64_t index = want->log.first; index <= want->log.last.index; index++)
        expected += is_hurt(change, log, index);
    if (teak_cursor_open(store, log, want->log.first, &cursor, &error) != TEAK_OK) {
        complain_of_error(change, "a cursor", &error);
        return;
    }
    for (uint64_t next = want->log.first; next <= want->log.last.index;) {
        struct teak_entry entries[32];
        uint32_t count = 0;
        const enum teak_status status = teak_cursor_read(cursor, 1 << 20, entries, 32, &count, &error);
        if (status == TEAK_HASH_MISMATCH && error.has_log && error.log == log && error.index == next &&
            is_hurt(change, log, next)) {
            told++;
            next++;
            if (next <= want->log.last.index && teak_cursor_seek(cursor, next, &error) != TEAK_OK) break;
            continue;
        }
        if (status != TEAK_OK) {
            complain_of_error(change, "a read", &error);
            break;
        }
        if (count == 0) {
            complain(change, "log %" PRIu64 " ends before entry %" PRIu64, log, next);
            break;
        }
        for (uint32_t i = 0; i < count; i++, next++)
            if (!same_entry(store, log, next, &entries[i], want))
                complain(change, "log %" PRIu64 ": entry %" PRIu64 " is not what was written", log, next);
    }
    teak_cursor_close(cursor);
    if (told != expected) complain(change, "log %" PRIu64 ": %u hurt, %u told", log, expected, told);
}

static void compare(struct change *change, struct teak_store *store, const struct truth *truth)
{
    uint64_t ids[ROT_LOGS];
    const uint32_t count = teak_logs(store, true, 0, ids, ROT_LOGS);
    if (count != truth->log_count) complain(change, "%u logs, not %u", count, truth->log_count);
    for (uint32_t i = 0; i < truth->log_count; i++) {
        const struct truth_log *want = &truth->logs[i];
        struct teak_log log;
        uint8_t meta[256];
        uint32_t bytes = 0;
        if (teak_log(store, want->log.id, &log, NULL) != TEAK_OK || !same_head(&log, &want->log)) {
            complain(change, "log %" PRIu64 " is not what it was", want->log.id);
            continue;
        }
        if (teak_meta(store, log.id, meta, sizeof meta, &bytes, NULL) != TEAK_OK ||
            memcmp(meta, want->meta, bytes) != 0)
            complain(change, "log %" PRIu64 ": another META", want->log.id);
        if (log.first <= log.last.index && !log.fresh) compare_entries(change, store, want);
    }
}

/* Reads all of the snapshot: its bytes are right, or the answer is that it is hurt. */
static void compare_snapshot(struct change *change, struct teak_store *store, bool is_hurt_now)
{
    static uint8_t got[ROT_BODY + 1], want[ROT_BODY];
    struct teak_snapshot_reader *reader = NULL;
    struct teak_snapshot_info info;
    struct teak_error error = {0};
    uint64_t bytes = 0;
    enum teak_status status = teak_snapshot_open(store, ROT_SNAPSHOT_LOG, &reader, &error);
    if (status == TEAK_OK) status = teak_snapshot_info(reader, &info, &error);
    if (status == TEAK_OK && (info.meta_bytes != 10 || memcmp(info.meta, "meta of it", 10) != 0))
        complain(change, "another snapshot's meta");
    if (status == TEAK_OK) status = teak_snapshot_read(reader, 0, got, sizeof got, &bytes, &error);
    body_fill(want, 2, 0, ROT_BODY);
    if (status == TEAK_OK && (bytes != ROT_BODY || memcmp(got, want, ROT_BODY) != 0))
        complain(change, "the snapshot is not what was written");
    if ((status == TEAK_HASH_MISMATCH || status == TEAK_DAMAGED) != is_hurt_now ||
        (status != TEAK_OK && !is_hurt_now))
        complain_of_error(change, "the snapshot", &error);
    if (is_hurt_now && status != TEAK_OK && !strstr(change->file->name, error.file))
        complain(change, "the answer names the file %s", error.file);
    teak_snapshot_close(reader);
}

/* ---- each verdict ---- */

static void close_quietly(struct teak_store *store)
{
    struct teak_error error;
    (void)teak_close(store, &error);
}

/* Does the report name the frame, and where its table can be read the log and the entries? */
static void check_place(struct change *change)
{
    const struct rot_byte *is = &change->file->is[change->at];
    if (is->frame == ROT_NONE) return;
    const struct rot_frame *frame = &rot_store()->frames[is->frame];
    const bool names_entries = is->structure == IS_LIVE_PAYLOAD || is->structure == IS_DEAD_PAYLOAD;
    const struct rot_entry *entry = names_entries && change->count == 1 ? &rot_store()->entries[is->entry] : NULL;
    for (uint32_t i = 0; i < report.damage_count && i < TEAK_DAMAGE_MAX; i++) {
        const struct teak_damage *damage = &report.damage[i];
        if (damage->segment != frame->segment || damage->offset != frame->offset || damage->first_lsn > frame->lsn ||
            damage->last_lsn < frame->lsn)
            continue;
        if (!entry) return;
        if (damage->has_log && damage->log == entry->log && damage->first <= entry->index &&
            entry->index <= damage->last)
            return;
    }
    complain(change, "not named: %u places; segment %" PRIu64 " at %" PRIu64 ", LSN %" PRIu64 " to %" PRIu64,
             report.damage_count, report.damage[0].segment, report.damage[0].offset, report.damage[0].first_lsn,
             report.damage[0].last_lsn);
}

/* What a quarantined store shows was written: whole logs, and of those that bear a mark a beginning of entries that
 * were once acknowledged. */
static void compare_quarantined(struct change *change, struct teak_store *store)
{
    const struct rot_store *it = rot_store();
    uint64_t ids[ROT_LOGS];
    struct teak_error error = {0};
    const uint32_t count = teak_logs(store, true, 0, ids, ROT_LOGS);
    for (uint32_t i = 0; i < it->whole.log_count; i++) {
        const struct truth_log *want = &it->whole.logs[i];
        struct teak_log log;
        if (teak_log(store, want->log.id, &log, NULL) != TEAK_OK) {
            if (!report.logs_may_be_missing) complain(change, "log %" PRIu64 " is missing in silence", want->log.id);
            continue;
        }
        if (log.marks == 0) {
            if (!same_head(&log, &want->log))
                complain(change, "log %" PRIu64 " bears no mark and is not what it was", want->log.id);
            else if (log.first <= log.last.index && !log.fresh)
                compare_entries(change, store, want);
            continue;
        }
        const struct teak_hard_state *hard = &log.hard, *was = &want->log.hard;
        if (!(log.marks & TEAK_HARD_STATE_SUSPECT) &&
            (hard->term != was->term || hard->vote != was->vote || hard->commit != was->commit))
            complain(change, "log %" PRIu64 ": another hard state, not suspect", log.id);
        for (uint64_t index = log.first; index <= log.last.index && !log.fresh; index++) {
            struct teak_cursor *cursor;
            struct teak_entry entry;
            uint32_t read = 0;
            bool is_known = false;
            if (teak_cursor_open(store, log.id, index, &cursor, &error) != TEAK_OK ||
                teak_cursor_read(cursor, 1 << 20, &entry, 1, &read, &error) != TEAK_OK || read != 1) {
                complain_of_error(change, "a read under quarantine", &error);
                break;
            }
            for (uint32_t e = 0; e < it->entry_count && !is_known; e++)
                is_known = it->entries[e].log == log.id && it->entries[e].index == index &&
                           it->entries[e].term == entry.term && it->entries[e].bytes == entry.bytes;
            uint8_t payload[8192];
            rig_fill(payload, entry.bytes, log.id, index, entry.term);
            if (!is_known || memcmp(payload, entry.data, entry.bytes) != 0)
                complain(change, "log %" PRIu64 ": entry %" PRIu64 " was never written", log.id, index);
            teak_cursor_close(cursor);
        }
    }
    for (uint32_t i = 0; i < count; i++) { /* nothing comes back that was dropped, without a mark */
        bool is_known = false;
        struct teak_log log;
        for (uint32_t k = 0; k < it->whole.log_count; k++) is_known |= it->whole.logs[k].log.id == ids[i];
        if (!is_known && teak_log(store, ids[i], &log, NULL) == TEAK_OK && log.marks == 0)
            complain(change, "log %" PRIu64 " is back", ids[i]);
    }
}

static void check_refused(struct change *change, enum teak_status status, const struct teak_error *error)
{
    struct teak_store *store;
    struct teak_error other = {0};
    if (change->file->is[change->at].structure == IS_STORE) {
        if ((status != TEAK_HASH_MISMATCH && status != TEAK_BAD_MAGIC) || strcmp(error->file, "STORE") != 0)
            complain_of_error(change, "opening", error);
        return;
    }
    if (change->file->place == PLACE_NEXT) { /* nothing is lost; who looks at the file sees that */
        if ((status != TEAK_FOREIGN_FILE && status != TEAK_BAD_MAGIC) || error->segment != change->file->segment)
            complain_of_error(change, "opening", error);
        return;
    }
    if (status != TEAK_DAMAGED || report.verdict != TEAK_VERDICT_DAMAGED) complain_of_error(change, "opening", error);
    check_place(change);
    quarantines++;
    if (try_open(rot_store()->medium, false, TEAK_QUARANTINE, &store, &other) != TEAK_OK) {
        complain_of_error(change, "opening with quarantine", &other);
        return;
    }
    if (report.verdict != TEAK_VERDICT_QUARANTINED) complain(change, "quarantine's verdict is %d", report.verdict);
    compare_quarantined(change, store);
    teak_abandon(store);
}

/* Who only looks sees the same; and verify finds what there is to be found. */
static void check_verified(struct change *change, const struct truth *truth)
{
    struct teak_store *store;
    struct teak_error error = {0};
    struct teak_damage damage[TEAK_DAMAGE_MAX];
    static struct teak_verify_result result;
    if (try_open(rot_store()->medium, true, TEAK_REFUSE, &store, &error) != TEAK_OK) {
        complain_of_error(change, "opening to read", &error);
        return;
    }
    compare(change, store, truth);
    const enum teak_status status = teak_verify(store, damage, TEAK_DAMAGE_MAX, &result, NULL, NULL, &error);
    if (status != (change->is_found ? TEAK_DAMAGED : TEAK_OK))
        complain(change, "verifying: %s, %u places", teak_status_name(status), result.damage_count);
    for (uint32_t i = 0; i < result.damage_count && i < TEAK_DAMAGE_MAX; i++)
        if (change->file->segment ? damage[i].segment != change->file->segment : !damage[i].is_snapshot)
            complain(change, "verifying names segment %" PRIu64, damage[i].segment);
    close_quietly(store);
}

/* ---- and then life goes on ---- */

/* On a copy: what opened is written on, closed, opened: what was there still is, and nothing refuses. */
static void go_on(struct change *change, const struct truth *truth)
{
    struct seeded seeded = {.state = 1};
    struct sim_medium *copy = sim_cut(rot_store()->medium, SIM_KILL, &seeded);
    struct teak_store *store;
    struct teak_error error = {0};
    continuations++;
    if (try_open(copy, false, TEAK_REFUSE, &store, &error) != TEAK_OK) {
        complain_of_error(change, "opening to go on", &error);
        sim_free(copy);
        return;
    }
    rig_create(store, 99);
    rig_append_synced(store, 99, 1, 40, 1, 3000); /* rotations */
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 99});
    if (teak_close(store, &error) != TEAK_OK) complain_of_error(change, "closing", &error);
    if (try_open(copy, false, TEAK_REFUSE, &store, &error) != TEAK_OK) {
        complain_of_error(change, "opening again", &error);
    } else {
        compare(change, store, truth);
        close_quietly(store);
    }
    sim_free(copy);
}

/* ---- the walk ---- */

static uint64_t stride(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    const uint64_t value = given ? strtoull(given, NULL, 0) : otherwise;
    return value > 0 ? value : 1;
}

/* Every byte; under a sanitizer one in so many, and where a structure begins. Every sector and block always. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 61, GO_ON = 199 };
#else
enum { STRIDE = 1, GO_ON = 997 };
#endif

static bool is_untouched(const struct rot_file *hurt)
{
    for (uint32_t i = 0; i < rot_store()->file_count; i++) {
        const struct rot_file *file = &rot_store()->files[i];
        struct sim_view view;
        if (file == hurt || strcmp(file->name, "LOCK") == 0) continue;
        if (!sim_look(rot_store()->medium, file->name, &view) || view.count != file->count ||
            memcmp(view.bytes, file->pristine, file->count) != 0)
            return false;
    }
    return true;
}

static void examine(struct change *change)
{
    const struct rot_store *it = rot_store();
    const bool is_snapshot = strncmp(change->file->name, "snapshots/", 10) == 0;
    struct teak_store *store;
    struct teak_error error = {0};
    static uint64_t number, go_on_every;
    if (go_on_every == 0) go_on_every = stride("TEAK_ROT_GO_ON", GO_ON);
    number++;
    cases[change->row - rows][change->kind]++;
    const enum teak_status status = try_open(it->medium, false, TEAK_REFUSE, &store, &error);
    if (change->row->verdict == ROT_REFUSED) {
        if (store) teak_abandon(store);
        check_refused(change, status, &error);
    } else if (status != TEAK_OK) {
        complain_of_error(change, "opening", &error);
    } else {
        const bool is_cut = change->row->verdict == ROT_CUT;
        if (report.verdict != TEAK_VERDICT_UNCLEAN && !(is_cut && report.verdict == TEAK_VERDICT_CUT))
            complain(change, "the report's verdict is %d", report.verdict);
        compare(change, store, is_cut ? &it->cut : &it->whole);
        if (is_snapshot || number % 64 == 0)
            compare_snapshot(change, store, is_snapshot && change->row->verdict == ROT_TOLD);
        teak_abandon(store);
        const uint8_t structure = change->file->is[change->at].structure;
        const bool is_bulk = structure == IS_PADDING || structure == IS_SNAPSHOT_BODY;
        if (!is_bulk || change->count > 1 || number % 8 == 0) check_verified(change, is_cut ? &it->cut : &it->whole);
        if (number % go_on_every == 0 && !is_snapshot) go_on(change, is_cut ? &it->cut : &it->whole);
    }
    if (number % 64 == 0 && !is_untouched(change->file)) complain(change, "opening wrote");
}

static void try_change(const struct rot_file *file, enum rot_kind kind, uint32_t offset, uint32_t count,
                       const uint8_t *bytes)
{
    struct change change = {.file = file, .kind = kind, .offset = offset, .count = count};
    if (!judge_change(&change, bytes)) return;
    sim_rot(rot_store()->medium, file->file, offset, bytes, count);
    examine(&change);
    sim_rot(rot_store()->medium, file->file, offset, file->pristine + offset, count);
}

static void walk_file(const struct rot_file *file)
{
    static const uint8_t zeros[RIG_BLOCK];
    const uint64_t step = stride("TEAK_ROT_STRIDE", STRIDE);
    for (uint64_t at = 0; at < file->count; at++) {
        const bool is_edge = at == 0 || file->is[at].structure != file->is[at - 1].structure;
        if (at % step != 0 && !is_edge) continue;
        const uint8_t flipped = file->pristine[at] ^ (uint8_t)(1u << at % 8);
        try_change(file, ROT_FLIP, (uint32_t)at, 1, &flipped);
        try_change(file, ROT_ZERO, (uint32_t)at, 1, zeros);
        if (file->stale) try_change(file, ROT_STALE, (uint32_t)at, 1, file->stale + at);
    }
    for (uint32_t at = 0; at + 512 <= file->count; at += 512) {
        try_change(file, ROT_ZERO_SECTOR, at, 512, zeros);
        if (file->stale) try_change(file, ROT_STALE_SECTOR, at, 512, file->stale + at);
    }
    for (uint32_t at = 0; at + RIG_BLOCK <= file->count; at += RIG_BLOCK) {
        try_change(file, ROT_ZERO_BLOCK, at, RIG_BLOCK, zeros);
        if (file->stale) try_change(file, ROT_STALE_BLOCK, at, RIG_BLOCK, file->stale + at);
    }
}

void rot_walk(enum rot_place place)
{
    const struct rot_store *it = rot_store();
    mallopt(M_MMAP_THRESHOLD, 1 << 24); /* a store's memory comes and goes a hundred thousand times */
    mallopt(M_TRIM_THRESHOLD, 1 << 24);
    for (uint32_t i = 0; i < it->file_count; i++)
        if (it->files[i].place == place) walk_file(&it->files[i]);
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t met = 0;
        for (uint32_t k = 0; k < ROT_KIND_COUNT; k++) met += cases[i][k];
        if (rows[i].place == place && met == 0)
            fail_msg("nothing was %s in %s", rot_structure_names[rows[i].structure], rot_place_names[place]);
    }
    if (complaints > 0) fail_msg("%" PRIu64 " times it was not as the table says", complaints);
}

static void print_row(const struct row *row, const uint64_t counts[ROT_KIND_COUNT])
{
    printf("| %s | %s%s | %s | %s |", rot_place_names[row->place], rot_structure_names[row->structure],
           row->kinds == LOST ? ", lost write" : "", verdict_names[row->verdict], row->is_found ? "yes" : "");
    for (uint32_t k = 0; k < ROT_KIND_COUNT; k++)
        if (counts[k] > 0)
            printf(" %" PRIu64 " |", counts[k]);
        else
            printf(" |");
    printf("\n");
}

int rot_end(void **state)
{
    (void)state;
    printf("| place | structure | verdict | verify finds it |");
    for (uint32_t k = 0; k < ROT_KIND_COUNT; k++) printf(" %s |", kind_names[k]);
    printf("\n|---|---|---|---|");
    for (uint32_t k = 0; k < ROT_KIND_COUNT; k++) printf("--:|");
    printf("\n");
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t met = 0;
        for (uint32_t k = 0; k < ROT_KIND_COUNT; k++) met += cases[i][k];
        sum += met;
        if (met > 0) print_row(&rows[i], cases[i]);
    }
    printf("rot: %" PRIu64 " cases, one byte in %" PRIu64 "; %" PRIu64 " opened with quarantine, %" PRIu64
           " written on\n", sum, stride("TEAK_ROT_STRIDE", STRIDE), quarantines, continuations);
    rot_store_free();
    return 0;
}
