/* import_source.c: see import_source.h.
 * OWNS   The file's descriptor, a window of it, the list of entries.
 * PATH   judge_all goes from record to record and does to a model what the other program did; where a record is wrong
 *        it looks whether a whole one stands behind it.
 * FAILS  One sentence in `trouble`, with the offset.
 * HOLDS  Nothing is taken on trust: no length is used before it fits the file, no memory is taken that the file's size
 *        does not justify (the smallest record of an entry is larger than what is kept of it, twice). */
#include "import_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blake3.h"
#include "crc32c.h"

enum { WINDOW = 1 << 20, WAL_HEAD = 8, WAL_RECORD_MAX = 64 << 20, ENGENHO_HEAD = 48, SUM_BUDGET = 64 << 20 };
static const char engenho_magic[] = "engenho-persistent-log v1\n";
enum { ENGENHO_MAGIC = sizeof(engenho_magic) - 1 };
_Static_assert(ENGENHO_MAGIC == 26, "as its author says");

enum tag { TAG_ENTRY = 1, TAG_HARD_STATE = 2, TAG_TRUNCATE = 3, TAG_SNAPSHOT = 4 };

struct record {
    uint64_t bytes; /* whole */
    enum tag tag;
    uint64_t index, term, vote, count, size;
    const uint8_t *ids, *data;
    uint8_t kind;
    bool has_vote;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct import_source *source, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(source->trouble, sizeof(source->trouble), format, values);
    va_end(values);
    return false;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | at[i];
    return value;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* These bytes of the file, which has them. NULL: trouble. */
static const uint8_t *fetch(struct import_source *source, uint64_t offset, uint64_t bytes)
{
    if (offset >= source->from && offset - source->from <= source->held &&
        bytes <= source->held - (offset - source->from))
        return source->buffer + (offset - source->from);
    const uint64_t left = source->bytes - offset;
    const uint64_t wanted = bytes > WINDOW ? bytes : left < WINDOW ? left : WINDOW;
    if (wanted > source->room) {
        uint8_t *grown = realloc(source->buffer, wanted);
        if (grown == NULL) {
            refuse(source, "no memory for a record at offset %" PRIu64, offset);
            return NULL;
        }
        source->buffer = grown;
        source->room = wanted;
    }
    source->held = 0;
    source->from = offset;
    while (source->held < wanted) {
        const ssize_t got = pread(source->file, source->buffer + source->held, wanted - source->held,
                                  (off_t)(offset + source->held));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            refuse(source, "reading at offset %" PRIu64 ": %s", offset,
                   got < 0 ? strerror(errno) : "the file has become shorter");
            return NULL;
        }
        source->held += (uint64_t)got;
    }
    return source->buffer;
}

/* ---------------------------------------------------------------------------------------------------------- records */

/* The fields of a payload; false: they do not fill it exactly, or make no sense. */
static bool decode(const uint8_t *at, uint64_t bytes, struct record *out)
{
    if (bytes < 1) return false;
    out->tag = (enum tag)at[0];
    switch (out->tag) {
    case TAG_ENTRY:
        if (bytes < 26) return false;
        out->term = get64(at + 1);
        out->index = get64(at + 9);
        out->kind = at[17];
        out->size = get64(at + 18);
        out->data = at + 26;
        return out->size == bytes - 26;
    case TAG_HARD_STATE:
        if (bytes != 18 || at[9] > 1) return false;
        out->term = get64(at + 1);
        out->has_vote = at[9] == 1;
        out->vote = get64(at + 10);
        return true;
    case TAG_TRUNCATE:
        if (bytes != 9) return false;
        out->index = get64(at + 1);
        return true;
    case TAG_SNAPSHOT:
        if (bytes < 33) return false;
        out->index = get64(at + 1);
        out->term = get64(at + 9);
        out->count = get64(at + 17);
        if (out->count > (bytes - 33) / 8) return false;
        out->ids = at + 25;
        out->size = get64(at + 25 + 8 * out->count);
        out->data = at + 33 + 8 * out->count;
        return out->size == bytes - 33 - 8 * out->count;
    }
    return false;
}

enum answer { RECORD_GOOD, RECORD_BAD, RECORD_SENSELESS, RECORD_FAILED };

static enum answer wal_record(struct import_source *source, uint64_t offset, struct record *out)
{
    const uint64_t left = source->bytes - offset;
    if (left < WAL_HEAD) return RECORD_BAD;
    const uint8_t *head = fetch(source, offset, WAL_HEAD);
    if (head == NULL) return RECORD_FAILED;
    const uint64_t bytes = get32(head + 4);
    if (bytes > WAL_RECORD_MAX || bytes > left - WAL_HEAD) return RECORD_BAD;
    const uint8_t *record = fetch(source, offset, WAL_HEAD + bytes);
    if (record == NULL) return RECORD_FAILED;
    if (crc32c(record + 4, 4 + bytes) != get32(record)) return RECORD_BAD;
    *out = (struct record){.bytes = WAL_HEAD + bytes};
    return decode(record + WAL_HEAD, bytes, out) ? RECORD_GOOD : RECORD_SENSELESS;
}

static enum answer engenho_record(struct import_source *source, uint64_t offset, struct record *out)
{
    const uint64_t left = source->bytes - offset;
    if (left < ENGENHO_HEAD) return RECORD_BAD;
    const uint8_t *head = fetch(source, offset, ENGENHO_HEAD);
    if (head == NULL) return RECORD_FAILED;
    const uint64_t bytes = get64(head + 8);
    if (bytes > left - ENGENHO_HEAD) return RECORD_BAD;
    const uint8_t *record = fetch(source, offset, ENGENHO_HEAD + bytes);
    if (record == NULL) return RECORD_FAILED;
    uint8_t sum[BLAKE3_BYTES];
    blake3(record + ENGENHO_HEAD, bytes, sum);
    if (memcmp(sum, record + 16, sizeof(sum)) != 0) return RECORD_BAD;
    *out = (struct record){.bytes = ENGENHO_HEAD + bytes, .tag = TAG_ENTRY, .index = get64(record),
                           .term = source->term, .size = bytes, .data = record + ENGENHO_HEAD};
    return out->index > 0 ? RECORD_GOOD : RECORD_SENSELESS;
}

static enum answer record_at(struct import_source *source, uint64_t offset, struct record *out)
{
    return source->format == IMPORT_WAL_DB ? wal_record(source, offset, out) : engenho_record(source, offset, out);
}

/* Could a record stand here? Asked of bytes at any offset before a sum is taken over what they claim. */
static bool looks_like_record(struct import_source *source, uint64_t offset, uint64_t *cost_out)
{
    const uint64_t least = source->format == IMPORT_WAL_DB ? WAL_HEAD + 9 : ENGENHO_HEAD, left = source->bytes - offset;
    if (left < least) return false;
    const uint64_t peek = left < 64 ? left : 64;
    const uint8_t *at = fetch(source, offset, peek);
    if (at == NULL) return false;
    if (source->format == IMPORT_ENGENHO) {
        const uint64_t index = get64(at), last = source->base_index + source->entry_count;
        *cost_out = get64(at + 8);
        return *cost_out <= left - ENGENHO_HEAD && index > last && index - last <= source->bytes / ENGENHO_HEAD + 1;
    }
    const uint64_t bytes = get32(at + 4);
    *cost_out = bytes;
    if (bytes > WAL_RECORD_MAX || bytes > left - WAL_HEAD) return false;
    switch ((enum tag)at[8]) {
    case TAG_ENTRY: return bytes >= 26 && peek >= WAL_HEAD + 26 && get64(at + WAL_HEAD + 18) == bytes - 26;
    case TAG_HARD_STATE: return bytes == 18;
    case TAG_TRUNCATE: return bytes == 9;
    case TAG_SNAPSHOT: return bytes >= 33;
    }
    return false;
}

/* A record at `offset` is not whole. If a whole one stands behind it, it was whole once: that is damage, and no tail
 * that a crash has torn. Bytes that pretend to be records may not make this long: then it is refused as well. */
static bool judge_tail(struct import_source *source, uint64_t offset)
{
    uint64_t budget = 4 * source->bytes + SUM_BUDGET;
    for (uint64_t at = offset + 1; at < source->bytes; at++) {
        uint64_t cost;
        struct record record;
        if (!looks_like_record(source, at, &cost)) {
            if (source->trouble[0] != '\0') return false;
            continue;
        }
        if (cost > budget)
            return refuse(source, "the record at offset %" PRIu64 " is damaged, and what follows looks like records",
                          offset);
        budget -= cost;
        const enum answer answer = record_at(source, at, &record);
        if (answer == RECORD_FAILED) return false;
        if (answer == RECORD_GOOD)
            return refuse(source, "the record at offset %" PRIu64 " is damaged: a whole one stands behind it, at %"
                          PRIu64, offset, at);
    }
    source->is_torn = true;
    source->torn_offset = offset;
    return true;
}

/* ------------------------------------------------------------------------------------------------------------ model */

static bool add_entry(struct import_source *source, uint64_t offset, const struct record *record)
{
    const uint64_t last = source->base_index + source->entry_count;
    const uint64_t last_term =
        source->entry_count > 0 ? source->entries[source->entry_count - 1].term : source->base_term;
    if (source->format == IMPORT_ENGENHO && source->records == 0)
        source->base_index = record->index - 1;
    else if (record->index == 0 || record->index - 1 != last)
        return refuse(source, "at offset %" PRIu64 " stands entry %" PRIu64 ", not %" PRIu64, offset, record->index,
                      last + 1);
    if (record->index == UINT64_MAX) return refuse(source, "at offset %" PRIu64 " stands an index no log has", offset);
    if (record->term < last_term)
        return refuse(source, "at offset %" PRIu64 " the term goes back from %" PRIu64 " to %" PRIu64, offset,
                      last_term, record->term);
    if (source->entry_count == source->entry_room) {
        const uint64_t room = source->entry_room > 0 ? source->entry_room * 2 : 16;
        struct import_place *grown = realloc(source->entries, room * sizeof(*grown));
        if (grown == NULL) return refuse(source, "no memory for %" PRIu64 " entries", room);
        source->entries = grown;
        source->entry_room = room;
    }
    source->entries[source->entry_count++] = (struct import_place){.offset = offset, .term = record->term};
    return true;
}

static bool set_hard_state(struct import_source *source, uint64_t offset, const struct record *record)
{
    if (record->term < source->hard_term)
        return refuse(source, "at offset %" PRIu64 " the hard state's term goes back", offset);
    const bool same = record->has_vote == source->has_vote && (!record->has_vote || record->vote == source->vote);
    if (record->term == source->hard_term && source->has_vote && !same)
        return refuse(source, "at offset %" PRIu64 " the vote changes within term %" PRIu64, offset, record->term);
    source->hard_term = record->term;
    source->has_vote = record->has_vote;
    source->vote = record->has_vote ? record->vote : 0;
    return true;
}

static bool truncate_from(struct import_source *source, uint64_t offset, uint64_t from)
{
    if (from <= source->base_index)
        return refuse(source, "at offset %" PRIu64 " a truncation from %" PRIu64 " reaches below the snapshot", offset,
                      from);
    const uint64_t kept = from - source->base_index - 1;
    if (kept < source->entry_count) source->entry_count = kept;
    return true;
}

/* A matching tail stays, another goes; one that is not ahead of the last changes nothing. */
static void take_snapshot(struct import_source *source, uint64_t offset, const struct record *record)
{
    if (record->index <= source->base_index) return;
    const uint64_t covered = record->index - source->base_index;
    const bool keeps = covered <= source->entry_count && source->entries[covered - 1].term == record->term;
    const uint64_t gone = keeps ? covered : source->entry_count;
    if (gone > 0)
        memmove(source->entries, source->entries + gone, (source->entry_count - gone) * sizeof(source->entries[0]));
    source->entry_count -= gone;
    source->base_index = record->index;
    source->base_term = record->term;
    source->has_snapshot = true;
    source->snapshot_offset = offset;
}

static bool apply(struct import_source *source, uint64_t offset, const struct record *record)
{
    switch (record->tag) {
    case TAG_ENTRY: return add_entry(source, offset, record);
    case TAG_HARD_STATE: return set_hard_state(source, offset, record);
    case TAG_TRUNCATE: return truncate_from(source, offset, record->index);
    case TAG_SNAPSHOT:
        if (record->index == UINT64_MAX)
            return refuse(source, "at offset %" PRIu64 " stands an index no log has", offset);
        take_snapshot(source, offset, record);
        return true;
    }
    return false;
}

static bool judge_all(struct import_source *source, import_progress progress, void *context)
{
    uint64_t offset = 0;
    if (source->format == IMPORT_ENGENHO) {
        const uint64_t least = source->bytes < ENGENHO_MAGIC ? source->bytes : ENGENHO_MAGIC;
        const uint8_t *magic = least > 0 ? fetch(source, 0, least) : (const uint8_t *)"";
        if (magic == NULL) return false;
        if (least < ENGENHO_MAGIC || memcmp(magic, engenho_magic, ENGENHO_MAGIC) != 0)
            return refuse(source, "does not begin with \"engenho-persistent-log v1\" and a newline");
        offset = ENGENHO_MAGIC;
    }
    while (offset < source->bytes) {
        struct record record;
        switch (record_at(source, offset, &record)) {
        case RECORD_GOOD: break;
        case RECORD_BAD: return judge_tail(source, offset);
        case RECORD_SENSELESS:
            return refuse(source, "the record at offset %" PRIu64 " has a good sum and makes no sense", offset);
        case RECORD_FAILED: return false;
        }
        if (!apply(source, offset, &record)) return false;
        source->records++;
        offset += record.bytes;
        progress(context, offset, source->bytes);
    }
    return true;
}

bool import_source_open(struct import_source *source, const char *path, import_progress progress, void *context)
{
    struct stat about;
    source->file = open(path, O_RDONLY | O_CLOEXEC);
    if (source->file < 0) return refuse(source, "%s", strerror(errno));
    if (fstat(source->file, &about) != 0) return refuse(source, "%s", strerror(errno));
    if (!S_ISREG(about.st_mode)) return refuse(source, "is not a file");
    source->bytes = (uint64_t)about.st_size;
    return judge_all(source, progress, context);
}

void import_source_close(struct import_source *source)
{
    if (source->file >= 0) close(source->file);
    free(source->buffer);
    free(source->entries);
}

bool import_source_entry(struct import_source *source, uint64_t i, struct import_entry *out)
{
    struct record record;
    const uint64_t offset = source->entries[i].offset;
    if (record_at(source, offset, &record) != RECORD_GOOD || record.index != source->base_index + 1 + i)
        return refuse(source, "has changed at offset %" PRIu64, offset);
    *out = (struct import_entry){.index = record.index, .term = record.term, .kind = record.kind,
                                 .bytes = record.size, .data = record.data};
    return true;
}

bool import_source_snapshot(struct import_source *source, struct import_snapshot *out)
{
    struct record record;
    if (record_at(source, source->snapshot_offset, &record) != RECORD_GOOD || record.tag != TAG_SNAPSHOT)
        return refuse(source, "has changed at offset %" PRIu64, source->snapshot_offset);
    *out = (struct import_snapshot){.index = record.index, .term = record.term, .id_count = record.count,
                                    .ids = record.ids, .bytes = record.size, .data = record.data};
    return true;
}
