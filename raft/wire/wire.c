/* wire.c: messages as bytes, and back: see teak/raft_wire.h for the contract, wire_layout.h for the bytes.
 *
 * PATH   encode: is it a message → records into the head, payloads into spans → the head → its sum
 *        judge: the prelude → the sum → sizes, against the bytes that are here → the message
 * FAILS  What comes in is judged, never asserted. Nothing is believed before the sum is right, and after it no more: a
 *        sum is made by whoever sends. Lengths are compared with what is left before anything is added to them.
 * HOLDS  (1) what encode takes, judge takes, and it is the same message
 *        (2) judge writes after the last question is asked
 */
#include <string.h>

#include "wire/wire_sum.h"

static const uint8_t zeros[WIRE_ALIGN];

static bool is_type(uint8_t type) { return type >= TEAK_RAFT_PRE_VOTE && type < TEAK_RAFT_MSG_TYPE_COUNT; }

size_t teak_raft_wire_bytes_max(const struct teak_raft_options *options, uint32_t *entries_out)
{
    if (teak_raft_size(options) == 0) return 0;
    const size_t entries = options->tail_entries / 2; /* the most that the core puts into one message */
    const size_t config = TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX);
    /* one entry may exceed message_bytes_max; a CONFIG entry may exceed entry_bytes_max */
    const size_t one = max_u64(max_u64(options->entry_bytes_max, options->message_bytes_max), config);
    const size_t append = entries * (TEAK_RAFT_WIRE_ENTRY + WIRE_ALIGN - 1) + one;
    const size_t piece = sizeof(struct wire_chunk) + config + options->snapshot_chunk_bytes + 2 * WIRE_ALIGN;
    if (entries_out) *entries_out = (uint32_t)entries;
    return align_up(sizeof(struct wire_head) + max_u64(append, piece), WIRE_ALIGN);
}

/* ----------------------------------------------------------------------------------------------------------- encode */

/* What is written so far. Spans that touch are one. */
struct outgoing {
    struct teak_raft_span *spans;
    uint32_t span_count, span_max;
    uint64_t bytes;
    bool fits;
};

static inline void put_span(struct outgoing *out, const uint8_t *data, size_t bytes)
{
    struct teak_raft_span *last = &out->spans[out->span_count - 1];
    out->bytes += bytes;
    if (last->data + last->bytes == data) {
        last->bytes += bytes;
    } else if (out->span_count < out->span_max) {
        last[1] = (struct teak_raft_span){.data = data, .bytes = bytes};
        out->span_count++;
    } else {
        out->fits = false;
    }
}

static inline void put_padded(struct outgoing *out, const uint8_t *data, uint32_t bytes)
{
    if (bytes == 0) return;
    put_span(out, data, bytes);
    if (bytes % WIRE_ALIGN != 0) put_span(out, zeros, WIRE_ALIGN - bytes % WIRE_ALIGN);
}

/* Is it one that a node sends? Its entries are asked one by one, when they are written. */
static bool is_sound(const struct teak_raft_msg *msg)
{
    if (!is_type(msg->type) || (msg->chunk != NULL) != (msg->type == TEAK_RAFT_SNAPSHOT)) return false;
    if (msg->count > 0 && (msg->type != TEAK_RAFT_APPEND || !msg->entries)) return false;
    if (msg->count > UINT64_MAX - msg->at.index) return false;
    if (!msg->chunk) return true;
    const struct teak_raft_chunk *chunk = msg->chunk;
    return (chunk->bytes == 0 || chunk->data) && (chunk->snapshot.config_bytes == 0 || chunk->snapshot.config);
}

static size_t record_bytes(const struct teak_raft_msg *msg)
{
    if (msg->chunk) return sizeof(struct wire_chunk);
    return msg->count > 0 ? sizeof(struct wire_entry) : 0;
}

/* false: an entry that no message has. */
static bool put_entries(struct outgoing *all, const struct teak_raft_msg *msg, uint8_t *at)
{
    struct outgoing out = *all; /* nothing that is written may be it */
    uint64_t index = msg->at.index, term = msg->at.term;
    for (uint32_t i = 0; i < msg->count; i++, at += sizeof(struct wire_entry)) {
        const struct teak_raft_entry *entry = &msg->entries[i];
        if (entry->index != ++index || entry->term < term || entry->term > msg->term) return false;
        if (entry->bytes > 0 && !entry->data) return false;
        term = entry->term;
        wire_put_entry(at, term, entry->bytes, entry->kind);
        put_padded(&out, entry->data, entry->bytes);
    }
    *all = out;
    return true;
}

static void put_chunk(struct outgoing *out, const struct teak_raft_chunk *chunk, uint8_t *at)
{
    const struct teak_raft_snapshot *snapshot = &chunk->snapshot;
    const struct wire_chunk record = {
        .pos_index = le64_of(snapshot->pos.index),
        .pos_term = le64_of(snapshot->pos.term),
        .born = le64_of(snapshot->born),
        .body_bytes = le64_of(snapshot->bytes),
        .checksum = le64_of(snapshot->checksum),
        .config_index = le64_of(snapshot->config_index),
        .offset = le64_of(chunk->offset),
        .config_bytes = le32_of(snapshot->config_bytes),
        .piece_bytes = le32_of(chunk->bytes),
    };
    memcpy(at, &record, sizeof record);
    put_padded(out, snapshot->config, snapshot->config_bytes);
    put_padded(out, chunk->data, chunk->bytes);
}

static struct wire_head head_of(const struct teak_raft_msg *msg, uint32_t bytes)
{
    struct wire_head head = {
        .magic = le32_of(WIRE_MAGIC),
        .bytes = le32_of(bytes),
        .version = WIRE_VERSION,
        .level = WIRE_LEVEL,
        .type = msg->type,
        .head_bytes = le16_of(sizeof(struct wire_head)),
        .flags = le16_of((uint16_t)((msg->refused ? WIRE_REFUSED : 0) | (msg->full ? WIRE_FULL : 0) |
                                    (msg->force ? WIRE_FORCE : 0))),
        .group = le64_of(msg->group),
        .from = le64_of(msg->from),
        .to = le64_of(msg->to),
        .born = le64_of(msg->born),
        .incarnation = le64_of(msg->incarnation),
        .term = le64_of(msg->term),
        .at_index = le64_of(msg->at.index),
        .at_term = le64_of(msg->at.term),
        .index = le64_of(msg->index),
        .round = le64_of(msg->round),
        .asked = le64_of(msg->asked),
        .promise = le64_of(msg->promise),
        .count = le32_of(msg->chunk ? 1 : msg->count),
        .record_bytes = le32_of((uint32_t)record_bytes(msg)),
    };
    memcpy(head.cluster, msg->cluster, sizeof head.cluster);
    return head;
}

enum teak_raft_status teak_raft_wire_encode(const struct teak_raft_msg *msg, struct teak_raft_wire_out *out)
{
    if (!msg || !out) return TEAK_RAFT_MISUSE;
    out->span_count = 0;
    out->bytes = 0;
    if (!out->head || !out->spans || !is_sound(msg)) return TEAK_RAFT_MISUSE;
    const size_t front = sizeof(struct wire_head) + record_bytes(msg) * (msg->chunk ? 1 : msg->count);
    if (front > out->head_bytes || out->span_max == 0) return TEAK_RAFT_TOO_LARGE;
    struct outgoing all = {.spans = out->spans, .span_count = 1, .span_max = out->span_max, .bytes = front,
                           .fits = true};
    uint8_t *records = out->head + sizeof(struct wire_head);
    all.spans[0] = (struct teak_raft_span){.data = zeros}; /* the head's place: nothing goes on where that ends */
    if (msg->chunk)
        put_chunk(&all, msg->chunk, records);
    else if (!put_entries(&all, msg, records))
        return TEAK_RAFT_MISUSE;
    if (!all.fits || all.bytes > UINT32_MAX) return TEAK_RAFT_TOO_LARGE;

    struct wire_head head = head_of(msg, (uint32_t)all.bytes);
    memcpy(out->head, &head, sizeof head);
    all.spans[0] = (struct teak_raft_span){.data = out->head + WIRE_SUM_BYTES, .bytes = front - WIRE_SUM_BYTES};
    head.sum = le64_of(wire_sum(wire_seed(&head), all.spans, all.span_count));
    memcpy(out->head, &head.sum, sizeof head.sum);
    all.spans[0] = (struct teak_raft_span){.data = out->head, .bytes = front};
    out->span_count = all.span_count;
    out->bytes = (size_t)all.bytes;
    return TEAK_RAFT_OK;
}

/* ------------------------------------------------------------------------------------------------------------ judge */

/* Where the parts of a message are. */
struct incoming {
    const uint8_t *bytes;
    uint32_t records, stride, count; /* offset of the first, bytes from one to the next, how many */
    uint32_t body, end;              /* offset of what is behind them; of the end of all          */
};

enum teak_raft_status teak_raft_wire_measure(const uint8_t *bytes, size_t count, size_t limit, size_t *bytes_out)
{
    if (!bytes || !bytes_out) return TEAK_RAFT_MISUSE;
    if (count < TEAK_RAFT_WIRE_PRELUDE) return TEAK_RAFT_BUSY;
    struct wire_head head;
    memcpy(&head, bytes, TEAK_RAFT_WIRE_PRELUDE);
    const uint32_t whole = le32_get(head.bytes);
    if (le32_get(head.magic) != WIRE_MAGIC || head.version == 0) return TEAK_RAFT_BAD_MESSAGE;
    if (whole < sizeof(struct wire_head) || whole % WIRE_ALIGN != 0) return TEAK_RAFT_BAD_MESSAGE;
    if (whole > limit) return TEAK_RAFT_TOO_LARGE;
    *bytes_out = whole;
    return TEAK_RAFT_OK;
}

static bool is_whole(const struct wire_head *head, const uint8_t *bytes, size_t count)
{
    const struct teak_raft_span all = {.data = bytes + WIRE_SUM_BYTES, .bytes = count - WIRE_SUM_BYTES};
    return le64_get(head->sum) == wire_sum(wire_seed(head), &all, 1);
}

/* How far it can be read: what a later version may change is asked first, and only that which all of them agree on. */
static enum teak_raft_status judge_head(const uint8_t *bytes, size_t count, struct wire_head *head)
{
    size_t whole;
    if (count < sizeof *head || teak_raft_wire_measure(bytes, count, count, &whole) != TEAK_RAFT_OK || whole != count)
        return TEAK_RAFT_BAD_MESSAGE;
    memcpy(head, bytes, sizeof *head);
    if (!is_whole(head, bytes, count)) return TEAK_RAFT_BAD_MESSAGE;
    if (head->version > WIRE_VERSION || (le16_get(head->flags) & WIRE_MUST_UNDERSTAND) || !is_type(head->type))
        return TEAK_RAFT_DROPPED;
    if (head->level < head->version) return TEAK_RAFT_BAD_MESSAGE;
    return TEAK_RAFT_OK;
}

/* false: the parts do not fit into what is here, or are not what the type has. */
static bool place_parts(const struct wire_head *head, const uint8_t *bytes, uint32_t whole, struct incoming *in)
{
    const uint32_t head_bytes = le16_get(head->head_bytes);
    *in = (struct incoming){.bytes = bytes, .records = head_bytes, .stride = le32_get(head->record_bytes),
                            .count = le32_get(head->count), .end = whole};
    if (head_bytes < sizeof *head || head_bytes % WIRE_ALIGN != 0 || head_bytes > whole) return false;
    uint32_t least = 0;
    if (head->type == TEAK_RAFT_APPEND && in->count > 0) least = sizeof(struct wire_entry);
    if (head->type == TEAK_RAFT_SNAPSHOT) least = sizeof(struct wire_chunk);
    if (least == 0 && in->count != 0) return false;
    if (head->type == TEAK_RAFT_SNAPSHOT && in->count != 1) return false;
    if (least > 0 && (in->stride < least || in->stride % WIRE_ALIGN != 0)) return false;
    if (in->count > 0 && in->count > (whole - head_bytes) / in->stride) return false;
    in->body = head_bytes + in->count * (least > 0 ? in->stride : 0);
    return true;
}

static struct wire_entry record_at(const struct incoming *in, uint32_t number)
{
    struct wire_entry record;
    memcpy(&record, in->bytes + in->records + (size_t)in->stride * number, sizeof record);
    return record;
}

/* The next `bytes` of the body, padded, from *at on. false: they are not here. */
static bool pass_over(const struct incoming *in, uint64_t *at, uint32_t bytes)
{
    const uint64_t padded = align_up(bytes, WIRE_ALIGN);
    if (padded > in->end - *at) return false;
    *at += padded;
    return true;
}

static bool judge_entries(const struct incoming *in, const struct wire_head *head)
{
    uint64_t at = in->body, term = le64_get(head->at_term);
    const uint64_t last_term = le64_get(head->term);
    if (in->count > UINT64_MAX - le64_get(head->at_index)) return false;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct wire_entry record = record_at(in, i);
        if (le64_get(record.term) < term || le64_get(record.term) > last_term) return false;
        if (!pass_over(in, &at, le32_get(record.bytes))) return false;
        term = le64_get(record.term);
    }
    return true;
}

static void take_entries(const struct incoming *in, const struct wire_head *head, struct teak_raft_frame *frame,
                         struct teak_raft_entry *entries)
{
    const uint8_t *at = in->bytes + in->body;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct wire_entry record = record_at(in, i);
        const uint32_t bytes = le32_get(record.bytes);
        entries[i] = (struct teak_raft_entry){.index = le64_get(head->at_index) + 1 + i,
                                              .term = le64_get(record.term),
                                              .data = bytes > 0 ? at : NULL,
                                              .frame = frame,
                                              .bytes = bytes,
                                              .kind = record.kind};
        at += align_up(bytes, WIRE_ALIGN);
    }
}

static bool judge_chunk(const struct incoming *in, struct teak_raft_frame *frame, struct teak_raft_chunk *chunk)
{
    struct wire_chunk record;
    memcpy(&record, in->bytes + in->records, sizeof record);
    const uint32_t config_bytes = le32_get(record.config_bytes), piece_bytes = le32_get(record.piece_bytes);
    uint64_t piece = in->body;
    if (!pass_over(in, &piece, config_bytes)) return false;
    uint64_t end = piece;
    if (!pass_over(in, &end, piece_bytes)) return false;
    *chunk = (struct teak_raft_chunk){
        .snapshot = {.pos = {.index = le64_get(record.pos_index), .term = le64_get(record.pos_term)},
                     .born = le64_get(record.born),
                     .bytes = le64_get(record.body_bytes),
                     .checksum = le64_get(record.checksum),
                     .config_index = le64_get(record.config_index),
                     .config = config_bytes > 0 ? in->bytes + in->body : NULL,
                     .config_bytes = config_bytes},
        .offset = le64_get(record.offset),
        .data = piece_bytes > 0 ? in->bytes + piece : NULL,
        .frame = frame,
        .bytes = piece_bytes};
    return true;
}

static struct teak_raft_msg msg_of(const struct wire_head *head)
{
    const uint16_t flags = le16_get(head->flags);
    struct teak_raft_msg msg = {
        .group = le64_get(head->group),
        .from = le64_get(head->from),
        .to = le64_get(head->to),
        .born = le64_get(head->born),
        .incarnation = le64_get(head->incarnation),
        .term = le64_get(head->term),
        .at = {.index = le64_get(head->at_index), .term = le64_get(head->at_term)},
        .index = le64_get(head->index),
        .round = le64_get(head->round),
        .asked = le64_get(head->asked),
        .promise = le64_get(head->promise),
        .type = head->type,
        .refused = flags & WIRE_REFUSED,
        .full = flags & WIRE_FULL,
        .force = flags & WIRE_FORCE,
    };
    memcpy(msg.cluster, head->cluster, sizeof msg.cluster);
    return msg;
}

enum teak_raft_status teak_raft_wire_judge(const uint8_t *bytes, size_t count, struct teak_raft_frame *frame,
                                           struct teak_raft_wire_in *in)
{
    struct wire_head head;
    struct incoming parts;
    struct teak_raft_chunk chunk;
    if (!bytes || !in || (in->entry_max > 0 && !in->entries)) return TEAK_RAFT_MISUSE;
    const enum teak_raft_status status = judge_head(bytes, count, &head);
    if (status != TEAK_RAFT_OK) return status;
    if (!place_parts(&head, bytes, (uint32_t)count, &parts)) return TEAK_RAFT_BAD_MESSAGE;
    if (head.type == TEAK_RAFT_APPEND && !judge_entries(&parts, &head)) return TEAK_RAFT_BAD_MESSAGE;
    if (head.type == TEAK_RAFT_SNAPSHOT && !judge_chunk(&parts, frame, &chunk)) return TEAK_RAFT_BAD_MESSAGE;
    if (head.type == TEAK_RAFT_APPEND && parts.count > in->entry_max) return TEAK_RAFT_TOO_LARGE;

    in->level = head.level;
    in->msg = msg_of(&head);
    if (head.type == TEAK_RAFT_APPEND) {
        take_entries(&parts, &head, frame, in->entries);
        in->msg.count = parts.count;
        in->msg.entries = parts.count > 0 ? in->entries : NULL;
    } else if (head.type == TEAK_RAFT_SNAPSHOT) {
        in->chunk = chunk;
        in->msg.chunk = &in->chunk;
    }
    return TEAK_RAFT_OK;
}
