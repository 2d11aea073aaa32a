/* writer.c: see writer.h. */
#include "store/writer.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/apply.h"
#include "store/durable.h"
#include "store/failure.h"
#include "store/locate.h"
#include "store/store.h"
#include "teak/committer.h"

enum { RESERVE_SLACK = 1024, RESERVE_PART = 2, STAGED_FIRST = 64, AHEAD = 4 };
enum { SLOT_COST = 2 * sizeof(struct layout_slot) }; /* in table and index */

bool writer_init(struct writer *writer, uint32_t table_room)
{
    *writer = (struct writer){.table_room = table_room, .table = heap_take(table_room), .want_staged = STAGED_FIRST};
    return writer->table != NULL && writer_size_staged(writer, 0);
}

bool writer_size_staged(struct writer *writer, uint64_t newest_segment)
{
    uint32_t capacity = writer->want_staged;
    if (newest_segment != writer->staged_since) {
        if (writer->staged_high < writer->staged_capacity / 4)
            capacity = writer->want_staged = (uint32_t)max_u64(2 * (uint64_t)writer->staged_high, STAGED_FIRST);
        writer->staged_high = 0;
        writer->staged_since = newest_segment;
    }
    if (capacity == writer->staged_capacity) return true;
    struct staged *sized = heap_grow(writer->staged, capacity * sizeof *sized);
    if (!sized) return capacity < writer->staged_capacity; /* as it was: large enough then */
    writer->staged = sized;
    writer->staged_capacity = capacity;
    return true;
}

void writer_fini(struct writer *writer)
{
    heap_give(writer->table);
    heap_give(writer->staged);
    *writer = (struct writer){0};
}

/* -------------------------------------------------------------------------------------------------- what is needed */

struct need {
    uint64_t payload, table; /* bytes                                                       */
    uint64_t slots;
    uint64_t effects;        /* at most                                                     */
    uint32_t logs;           /* created                                                     */
    uint64_t records;        /* bytes of a checkpoint after it                              */
    bool grows;              /* entries, or a new log: not out of the reserve                */
    bool has_drop;
};

static uint64_t frame_bytes(uint64_t payload_end, uint64_t table, uint32_t block)
{
    return align_up(payload_end + table, block);
}

static void add_op(struct need *need, const struct teak_op *op)
{
    static const enum op_code code_of[] = {
        [TEAK_OP_CREATE] = OP_CREATE,     [TEAK_OP_ENTRIES] = OP_ENTRIES,   [TEAK_OP_HARD_STATE] = OP_HARD_STATE,
        [TEAK_OP_TRUNCATE] = OP_TRUNCATE, [TEAK_OP_SNAPSHOT] = OP_SNAPSHOT, [TEAK_OP_COMPACT] = OP_COMPACT,
        [TEAK_OP_META] = OP_META,         [TEAK_OP_DROP] = OP_DROP,
    };
    if (op->op < TEAK_OP_CREATE || op->op > TEAK_OP_DROP) return;
    const enum op_code code = code_of[op->op];
    need->table += op_bytes(code, code == OP_ENTRIES ? op->count : code == OP_META ? op->bytes : 0);
    if (code == OP_ENTRIES) {
        need->grows = true;
        need->slots += op->count;
        for (uint32_t i = 0; op->entries && i < op->count; i++)
            need->payload += align_up(op->entries[i].bytes, PAYLOAD_ALIGN);
    }
    need->grows |= code == OP_CREATE;
    if (code != OP_HARD_STATE && code != OP_COMPACT && code != OP_META) need->effects++;
}

uint64_t teak_batch_bytes(const struct teak_batch *batch)
{
    struct need need = {0};
    for (uint32_t i = 0; i < batch->count; i++) add_op(&need, &batch->ops[i]);
    return HEAD_BYTES + need.payload + need.table;
}

/* ------------------------------------------------------------------------------------------------------- admission */

/* The term of an index of a staged log: from this batch if it wrote the entry, else from the map. */
struct staged_terms {
    const struct staged *staged;
    const struct teak_batch *batch;
    uint32_t upto; /* operations before this one */
};

static uint64_t staged_term_at(const void *context, uint64_t index)
{
    const struct staged_terms *terms = context;
    const struct staged *staged = terms->staged;
    if (index == staged->head.base.index) return staged->head.base.term;
    if (staged->ops == 1 && index >= staged->entries->index && index - staged->entries->index < staged->entries->count)
        return staged->entries->term;
    for (uint32_t i = staged->ops > 1 ? terms->upto : 0; i-- > 0;) {
        const struct teak_op *op = &terms->batch->ops[i];
        if (op->op == TEAK_OP_ENTRIES && op->log == staged->log->id && index >= op->index &&
            index - op->index < op->count)
            return op->term;
    }
    return log_term_at(staged->log, index);
}

static uint32_t logs_being_born(const struct teak_batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++) count += batch->ops[i].op == TEAK_OP_CREATE;
    return count;
}

/* What the operations after this one will look at, each step of a look-up some operations before the next: the lines of
 * several logs are waited for together (docs/performance.md). */
static void look_ahead(const struct teak_store *store, const struct teak_batch *batch, uint32_t i)
{
    const struct segment *active = segment_active(&store->segments);
    if (batch->count - i > 3 * AHEAD) logs_foresee_slot(&store->logs, batch->ops[i + 3 * AHEAD].log);
    if (batch->count - i > 2 * AHEAD) logs_foresee_log(&store->logs, batch->ops[i + 2 * AHEAD].log);
    if (batch->count - i <= AHEAD) return;
    const struct log *log = logs_find_near(&store->logs, batch->ops[i + AHEAD].log);
    if (log) map_foresee(log, active);
    const struct log *next = logs_find_near(&store->logs, batch->ops[i + 1].log);
    if (next) map_foresee_slot(next, active);
}

/* For the first operations nothing was looked at ahead. */
static void look_at_first(const struct teak_store *store, const struct teak_batch *batch)
{
    for (uint32_t i = 1; i < batch->count && i < 3 * AHEAD; i++)
        logs_foresee_slot(&store->logs, batch->ops[i].log);
    for (uint32_t i = 1; i < batch->count && i < 2 * AHEAD; i++)
        logs_foresee_log(&store->logs, batch->ops[i].log);
}

/* Does the operation only bring entries that go on where the log ends, in the term that it ends with? */
static inline bool goes_on(const struct log_head *head, const struct teak_op *op)
{
    return op->op == TEAK_OP_ENTRIES && op->index == head->last.index + 1 && op->term == head->last.term &&
           head->last.index > head->base.index && head->alive && !head->fresh && !(head->marks & LOG_HURT);
}

/* Nearly every operation of nearly every batch: the first one on a log, which goes on where that ends. Its head need
 * not be copied, nor what else the log has be looked at. false: it takes the long way; nothing was changed. */
static bool admit_append(struct teak_store *store, const struct teak_batch *batch, uint32_t i, struct log *log,
                         struct need *need)
{
    struct writer *writer = &store->writer;
    const struct teak_op *op = &batch->ops[i];
    if (log->staged_in == writer->batch || writer->staged_count == writer->staged_capacity) return false;
    if (writer->naming && op->op == TEAK_OP_ENTRIES && op->index == TEAK_INDEX_NEXT)
        writer->naming[i].index = log->head.last.index + 1; /* of a fresh log: 1 */
    if (!goes_on(&log->head, op)) return false;
    if (op->count == 0 || !op->entries || op->index > UINT64_MAX - op->count) return false;
    uint64_t payload = 0;
    for (uint32_t e = 0; e < op->count; e++) {
        const struct teak_bytes *entry = &op->entries[e];
        if (entry->bytes > store->limits.entry_bytes || (entry->bytes > 0 && !entry->data)) return false;
        payload += align_up(entry->bytes, PAYLOAD_ALIGN);
    }
    need->payload += payload;
    need->table += op_bytes(OP_ENTRIES, op->count);
    need->slots += op->count;
    need->effects++;
    need->grows = true;
    log->staged_in = writer->batch;
    log->staged_at = writer->staged_count++;
    struct staged *staged = &writer->staged[log->staged_at];
    staged->log = log;
    staged->entries = op;
    staged->ops = 1;
    staged->is_reshaped = staged->has_head = false;
    return true;
}

/* The log of the operation, as it is within the batch. UNKNOWN_LOG, or FULL: no room for one more. */
static enum teak_status stage(struct teak_store *store, const struct teak_batch *batch, const struct teak_op *op,
                              struct log *log, struct need *need, struct staged **out, struct teak_error *error)
{
    struct writer *writer = &store->writer;
    if (!log) {
        if (op->op != TEAK_OP_CREATE) return fail_log(error, TEAK_UNKNOWN_LOG, op->log);
        if (!logs_has_room(&store->logs, 1)) {
            logs_want_free(&store->logs, (uint32_t)min_u64(batch->count, store->limits.logs), 0, false);
            return fail_log(error, store->no_memory ? TEAK_NO_MEMORY : TEAK_FULL, op->log);
        }
        log = logs_add(&store->logs, op->log); /* not alive: taken out again if the batch is refused */
    }
    if (log->staged_in != writer->batch) {
        if (writer->staged_count == writer->staged_capacity) {
            const uint64_t logs = store->logs.count + (uint64_t)logs_being_born(batch);
            writer->want_staged = writer->staged_high = (uint32_t)min_u64(batch->count, logs);
            return fail_log(error, store->no_memory ? TEAK_NO_MEMORY : TEAK_FULL, op->log);
        }
        log->staged_in = writer->batch;
        log->staged_at = writer->staged_count++;
        writer->staged[log->staged_at] = (struct staged){.head = log->head, .has_head = true, .log = log};
    }
    struct staged *staged = *out = &writer->staged[log->staged_at];
    if (!staged->has_head) { /* admit_append: this operation comes behind that one */
        staged->has_head = true;
        staged->head = log->head;
        log_advance(&staged->head, staged->entries, NULL, NULL);
    }
    if (op->op == TEAK_OP_CREATE && !(*out)->head.alive) {
        need->logs++;
        need->records += log_record_bytes(0);
    }
    return TEAK_OK;
}

static enum teak_status admit_op(struct teak_store *store, const struct teak_batch *batch, uint32_t i,
                                 struct need *need, struct teak_error *error)
{
    const struct teak_op *op = &batch->ops[i];
    struct log *log = logs_find(&store->logs, op->log);
    if (log && admit_append(store, batch, i, log, need)) return TEAK_OK;
    struct staged *staged = NULL;
    enum teak_status status = stage(store, batch, op, log, need, &staged, error);
    if (status != TEAK_OK) return status;
    log = staged->log;
    struct log_head *head = &staged->head;
    if (store->writer.naming && op->op == TEAK_OP_ENTRIES && op->index == TEAK_INDEX_NEXT)
        store->writer.naming[i].index = head->last.index + 1; /* of a fresh log: 1 */
    const uint64_t meta_before = align_up(head->meta_bytes, 8);
    const bool alive_before = head->alive;
    const struct staged_terms terms = {.staged = staged, .batch = batch, .upto = i};
    status = log_judge(head, op->log, op, error);
    if (status != TEAK_OK) return status;
    log_advance(head, op, staged_term_at, &terms);
    need->records += align_up(head->meta_bytes, 8) - meta_before; /* wraps and unwraps: the sum is right */
    if (alive_before && !head->alive) need->records -= log_record_bytes(0);
    need->has_drop |= op->op == TEAK_OP_DROP;
    staged->is_reshaped |= op->op == TEAK_OP_TRUNCATE || op->op == TEAK_OP_SNAPSHOT || op->op == TEAK_OP_DROP;
    if (op->op == TEAK_OP_META && op->bytes > 0 && !log->meta) log->wants_meta = true;
    if (op->op == TEAK_OP_ENTRIES) {
        staged->ops++;
        staged->entries = op;
        for (uint32_t e = 0; e < op->count; e++) {
            if (op->entries[e].bytes > store->limits.entry_bytes)
                return fail_index(error, TEAK_ENTRY_TOO_LARGE, op->log, op->index + e, store->limits.entry_bytes);
            if (op->entries[e].bytes > 0 && !op->entries[e].data) return fail_log(error, TEAK_INVALID, op->log);
        }
    }
    add_op(need, op);
    return TEAK_OK;
}

static enum teak_status beyond_limit(struct teak_error *error, enum teak_status status, uint64_t limit)
{
    fail(error, status, "submit");
    if (error) {
        error->expected = limit;
        error->has_expected = 1;
    }
    return status;
}

static enum teak_status admit_limits(struct teak_store *store, const struct need *need, struct teak_error *error)
{
    const struct teak_limits *limits = &store->limits;
    const uint64_t bytes = frame_bytes(HEAD_BYTES + need->payload, need->table, limits->block_bytes);
    if (bytes > limits->batch_bytes) return beyond_limit(error, TEAK_BATCH_TOO_LARGE, limits->batch_bytes);
    /* frame, index and checkpoint of a segment that holds nothing else must fit: a quarter each, identity and mark */
    const uint64_t index = segment_index_bytes(need->slots, need->effects, need->effects, limits->block_bytes);
    const uint64_t fresh = 2 * (uint64_t)limits->block_bytes + limits->checkpoint_bytes + bytes + index;
    if (fresh > limits->segment_bytes) return beyond_limit(error, TEAK_BATCH_TOO_LARGE, limits->batch_bytes);
    const uint64_t checkpoint =
        HEAD_BYTES + sizeof(struct layout_checkpoint) + store->logs.record_bytes + need->records;
    if (need->records != 0 && (int64_t)need->records > 0 && checkpoint > limits->checkpoint_bytes)
        return beyond_limit(error, TEAK_TOO_MANY_LOGS, limits->logs);
    return TEAK_OK;
}

/* Every log of the batch has room in its tables: else it is asked for, and the batch comes again. */
static enum teak_status admit_tables(struct teak_store *store, const struct need *need, struct teak_error *error)
{
    const struct segment *active = segment_active(&store->segments);
    enum teak_status status = TEAK_OK;
    if (active->effect_count + need->effects > active->effect_capacity) {
        store->writer.want_effects = (uint32_t)need->effects;
        status = TEAK_FULL;
    }
    for (uint32_t i = 0; i < store->writer.staged_count; i++) {
        const struct staged *staged = &store->writer.staged[i];
        struct log *log = staged->log;
        const struct teak_op *op = staged->entries;
        if (!staged->has_head && map_has_room_behind(log, active, op->term, op->kind, op->count)) continue;
        const bool lacks_meta = log->wants_meta && !log->meta;
        const uint32_t goes_on = staged->ops == 1 && !staged->is_reshaped ? op->count : 0;
        if (!lacks_meta && (!op || map_has_room(log, active, staged->ops, op->term, op->kind, goes_on))) continue;
        if (log->head.alive) {
            log->wants_more = staged->ops;
            logs_want(&store->logs, log);
        } else {
            logs_want_free(&store->logs, need->logs, staged->ops, lacks_meta);
        }
        status = TEAK_FULL;
    }
    if (status == TEAK_OK) return TEAK_OK;
    return fail(error, store->no_memory ? TEAK_NO_MEMORY : status, "submit");
}

/* ------------------------------------------------------------------------------------------------------ making room */

/* Would a frame that ends there leave room for the segment's index? And for a clean mark: one block more. */
static bool fits_segment(const struct teak_store *store, const struct segment *segment, uint64_t frame_end,
                         const struct need *need)
{
    const uint64_t index =
        segment_index_bytes(segment->slot_count + need->slots, segment->effect_count + need->effects,
                            segment->extent_count + need->effects, store->limits.block_bytes);
    return frame_end + index <= segment->file_bytes;
}

static bool fits_open_frame(const struct teak_store *store, const struct need *need)
{
    const struct writer *writer = &store->writer;
    const uint64_t table = writer->table_bytes + need->table;
    const uint64_t bytes = frame_bytes(writer->payload_end + need->payload, table, store->limits.block_bytes);
    if (bytes > writer->room || table > writer->table_room) return false;
    if (writer->op_count > 0 && bytes > store->limits.group_bytes) return false;
    const uint64_t end = writer->offset + bytes + store->limits.block_bytes;
    return fits_segment(store, segment_active(&store->segments), end, need);
}

/* Begins a frame that can take `need`. FULL: no place in the flight, or in the arena. */
static enum teak_status open_frame(struct teak_store *store, uint64_t bytes)
{
    struct writer *writer = &store->writer;
    if (flight_is_full(&store->flight)) return TEAK_FULL;
    uint64_t position;
    const uint64_t room = arena_room(&store->arena, bytes, &position);
    if (room == 0) return TEAK_FULL;
    const struct segment *active = segment_active(&store->segments);
    writer->is_open = true;
    writer->is_lazy = true;
    writer->is_urgent = false;
    writer->position = position;
    writer->room = align_down(min_u64(room, max_u64(bytes, store->limits.group_bytes)), store->limits.block_bytes);
    writer->frame = arena_at(&store->arena, position);
    writer->offset = active->frames_end;
    writer->payload_end = HEAD_BYTES;
    writer->table_bytes = writer->op_count = writer->entry_count = 0;
    writer->joinable = NULL;
    writer->has_drop = false;
    arena_begin(&store->arena, active->number, writer->offset, position, writer->room);
    return TEAK_OK;
}

/* There is no next segment: it is on its way, or what stopped the last try. */
static enum teak_status no_segment(const struct pool *pool)
{
    if (pool->failure == 0) return TEAK_FULL;
    return pool->failure == ENOMEM ? TEAK_NO_MEMORY : TEAK_IO;
}

/* The last segment is the reserve when space is gone: for hard states, truncation, compaction. Where a store was just
 * created or opened, and nobody knows yet whether there will be another one, what grows leaves half of it. */
static enum teak_status keep_reserve(const struct teak_store *store, const struct need *need, uint64_t bytes)
{
    if (!need->grows || pool_supply(&store->pool, &store->segments) > 0) return TEAK_OK;
    if (store->pool.no_space) return TEAK_NO_SPACE;
    const struct segment *active = segment_active(&store->segments);
    const struct writer *writer = &store->writer;
    const uint64_t open = writer_has_work(writer) ? writer->payload_end + writer->table_bytes : 0;
    if (active->frames_end + open + bytes <= active->file_bytes - active->file_bytes / RESERVE_PART) return TEAK_OK;
    return no_segment(&store->pool);
}

/* What grows takes the next segment only if there will be another behind it: made, or about to be forgotten because
 * the active one's predecessor, the last that keeps hard states twice, holds nothing else. */
static enum teak_status keep_next(const struct teak_store *store)
{
    const struct segments *segments = &store->segments;
    if (pool_supply(&store->pool, segments) > 1) return TEAK_OK;
    if (segments->oldest + 1 == segments->newest && segment_at(segments, segments->oldest)->live == 0) return TEAK_OK;
    return store->pool.no_space ? TEAK_NO_SPACE : no_segment(&store->pool);
}

static enum teak_status make_room(struct teak_store *store, const struct need *need)
{
    struct writer *writer = &store->writer;
    const uint64_t bytes = frame_bytes(HEAD_BYTES + need->payload, need->table, store->limits.block_bytes);
    const enum teak_status reserve = keep_reserve(store, need, bytes);
    if (reserve != TEAK_OK) return reserve;
    for (;;) {
        if (writer->is_open) {
            /* a log that ends and begins again gets a frame, and so a number, of its own */
            const bool new_life =
                need->logs > 0 && (writer->has_drop || (need->has_drop && writer->op_count > 0));
            if (!new_life && fits_open_frame(store, need)) return TEAK_OK;
            if (writer->op_count > 0) {
                if (flight_is_full(&store->flight)) return TEAK_FULL;
                writer_close_frame(store);
                continue;
            }
        }
        const struct segment *active = segment_active(&store->segments);
        if (!fits_segment(store, active, active->frames_end + bytes + store->limits.block_bytes, need)) {
            writer->is_open = false; /* empty */
            const enum teak_status status = writer_roll(store, need->grows);
            if (status != TEAK_OK) return status;
            continue;
        }
        writer->is_open = false; /* empty and too small: begin it again */
        const enum teak_status status = open_frame(store, bytes);
        if (status != TEAK_OK) return status;
    }
}

/* -------------------------------------------------------------------------------------------------------- encoding */

static void put_op(struct writer *writer, const struct op *op)
{
    writer->table_bytes += op_put(op, writer->table + writer->table_bytes);
    writer->op_count++;
    writer->joinable = NULL;
}

/* Where entries go in the table: behind the last operation if they go on where it ends, else behind a new head. */
static void begin_entries(struct writer *writer, const struct teak_op *op)
{
    if (writer->joinable && writer->join_log == op->log && writer->join_index == op->index &&
        writer->join_term == op->term && writer->join_kind == op->kind) {
        writer->join_count += op->count;
        writer->join_index += op->count;
        op_set_count(writer->joinable, writer->join_count);
        return;
    }
    uint8_t *at = writer->table + writer->table_bytes;
    writer->table_bytes += op_put_entries(op->log, op->kind, op->count, op->index, op->term, at);
    writer->op_count++;
    writer->joinable = at;
    writer->join_log = op->log;
    writer->join_index = op->index + op->count;
    writer->join_term = op->term;
    writer->join_kind = op->kind;
    writer->join_count = op->count;
    writer->join_room = 0; /* known once this batch is in: measure_join_room */
}

/* Payloads into the frame, slots into its table and the segment's. The loop of the commit path: its state is in
 * locals. Returns the bytes of the payloads. */
static inline uint64_t encode_payloads(struct teak_store *store, const struct teak_op *op, uint32_t slot)
{
    struct writer *writer = &store->writer;
    struct segment *active = segment_active(&store->segments);
    struct entry_identity who = {.log = op->log, .index = op->index, .term = op->term, .kind = op->kind};
    uint8_t *payload = writer->frame + writer->payload_end;
    uint8_t *table = writer->table + writer->table_bytes;
    struct layout_slot *slots = active->slots + slot;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < op->count; i++, who.index++) {
        const struct teak_bytes *entry = &op->entries[i];
        const uint64_t padding = align_up(entry->bytes, PAYLOAD_ALIGN) - entry->bytes;
        if (entry->data != payload && entry->bytes > 0) memcpy(payload, entry->data, entry->bytes);
        if (padding > 0) memset(payload + entry->bytes, 0, padding);
        who.bytes = entry->bytes;
        slot_put(writer->offset + (uint32_t)(payload - writer->frame), entry->bytes,
                 key_entry_sum(&active->key, &who, payload), &slots[i], table);
        table += sizeof *slots;
        payload += entry->bytes + padding;
        bytes += entry->bytes;
    }
    writer->payload_end = (uint32_t)(payload - writer->frame);
    writer->table_bytes = (uint32_t)(table - writer->table);
    writer->entry_count += op->count;
    return bytes;
}

/* Returns the first of their slots. */
static uint32_t encode_entries(struct teak_store *store, struct log *log, const struct teak_op *op)
{
    const uint32_t slot = map_take_slots(log, segment_active(&store->segments), op->count);
    begin_entries(&store->writer, op);
    store->writer.payload_bytes += encode_payloads(store, op, slot);
    store->writer.entries += op->count;
    return slot;
}

static uint64_t term_in_map(const void *context, uint64_t index) { return log_term_at(context, index); }

static enum snapshot_effect snapshot_effect_of(const struct writer *writer, const struct log *log,
                                               const struct teak_op *op)
{
    if (writer->snapshot.id) return writer->snapshot.effect;
    return log_snapshot_effect(&log->head, (struct teak_pos){.index = op->index, .term = op->term}, term_in_map, log);
}

/* What is not entries. */
static void encode_op(struct teak_store *store, const struct log *log, const struct teak_op *op)
{
    struct writer *writer = &store->writer;
    struct op value = {.log = op->log};
    switch (op->op) {
    case TEAK_OP_ENTRIES: return;
    case TEAK_OP_CREATE: value.code = OP_CREATE; break;
    case TEAK_OP_DROP: value.code = OP_DROP; break;
    case TEAK_OP_HARD_STATE:
        value.code = OP_HARD_STATE;
        value.hard.term = op->term;
        value.hard.vote = op->vote;
        value.hard.commit = op->commit;
        break;
    case TEAK_OP_TRUNCATE:
        value.code = OP_TRUNCATE;
        value.from = op->index;
        break;
    case TEAK_OP_SNAPSHOT:
        value.code = OP_SNAPSHOT;
        value.kind = (uint8_t)snapshot_effect_of(writer, log, op);
        value.snapshot.index = op->index;
        value.snapshot.term = op->term;
        value.snapshot.file_id = writer->snapshot.id;
        value.snapshot.file_bytes = writer->snapshot.bytes;
        value.snapshot.file_sum = writer->snapshot.sum;
        break;
    case TEAK_OP_COMPACT:
        value.code = OP_COMPACT;
        value.compact.upto = op->index;
        value.compact.term = op->index > log->head.base.index ? log_term_at(log, op->index) : 0;
        break;
    case TEAK_OP_META:
        value.code = OP_META;
        value.count = op->bytes;
        value.meta = op->data;
        break;
    }
    put_op(writer, &value);
}

static struct map_entries entries_at(const struct apply_at *at, const struct teak_op *op, uint32_t slot)
{
    return (struct map_entries){.first = op->index, .term = op->term, .count = op->count, .slot = slot,
                                .bytes = slots_cost(at->active->slots + slot, op->count), .kind = op->kind};
}

/* The operations of a batch come as they were staged: nearly always the log is the one at hand, or the next. */
static struct log *staged_log(struct teak_store *store, uint64_t id, uint32_t *at)
{
    const struct writer *writer = &store->writer;
    if (writer->staged[*at].log->id == id) return writer->staged[*at].log;
    if (*at + 1 < writer->staged_count && writer->staged[*at + 1].log->id == id) return writer->staged[++*at].log;
    struct log *log = logs_find(&store->logs, id);
    *at = log->staged_at;
    return log;
}

/* What goes on where the log ends. */
static void apply_append(struct teak_store *store, const struct apply_at *at, struct log *log,
                         const struct teak_op *op)
{
    const uint32_t begin = store->writer.payload_end;
    const uint32_t slot = encode_entries(store, log, op);
    const uint64_t bytes = store->writer.payload_end - begin + op->count * (uint64_t)SLOT_COST;
    const struct map_entries entries = {.first = op->index, .term = op->term, .count = op->count, .slot = slot,
                                        .bytes = bytes, .kind = op->kind, .is_same_term = true};
    map_append(log, at->segments, at->active, &entries);
    log->head.last.index += op->count;
    log->changed_lsn = at->lsn;
    if (log_is_short_of_pieces(log) || map_is_short(log, at->active)) logs_want(at->logs, log);
}

/* Encode, then let it take effect. Nothing here can fail. */
static void apply_batch(struct teak_store *store, const struct teak_batch *batch)
{
    struct writer *writer = &store->writer;
    const struct apply_at at = {.logs = &store->logs, .segments = &store->segments,
                                .active = segment_active(&store->segments), .lsn = writer->next_lsn};
    for (uint32_t i = 0, staged = 0; i < batch->count; i++) {
        const struct teak_op *op = &batch->ops[i];
        struct log *log = staged_log(store, op->log, &staged);
        if (goes_on(&log->head, op)) {
            apply_append(store, &at, log, op);
            continue;
        }
        encode_op(store, log, op);
        log->changed_lsn = at.lsn;
        switch (op->op) {
        case TEAK_OP_CREATE: apply_create(&at, log); break;
        case TEAK_OP_ENTRIES: {
            struct map_entries entries = entries_at(&at, op, encode_entries(store, log, op));
            entries.is_same_term = log->head.last.index > log->head.base.index && log->head.last.term == op->term;
            apply_entries(&at, log, entries);
            break;
        }
        case TEAK_OP_HARD_STATE: apply_hard_state(log, op->term, op->vote, op->commit); break;
        case TEAK_OP_TRUNCATE: apply_truncate(&at, log, op->index); break;
        case TEAK_OP_SNAPSHOT:
            apply_snapshot(&at, log, (struct teak_pos){.index = op->index, .term = op->term},
                           snapshot_effect_of(writer, log, op),
                           (struct snapshot_file){writer->snapshot.id, writer->snapshot.bytes, writer->snapshot.sum});
            snapshots_note_change(&store->snapshots);
            break;
        case TEAK_OP_COMPACT:
            if (op->index <= log->head.base.index) break;
            durable_of(log, at.segments, &store->flight); /* remembered: the map is about to forget these entries */
            apply_compact(&at, log, op->index, log_term_at(log, op->index));
            break;
        case TEAK_OP_META: apply_meta(&store->logs, log, op->data, op->bytes); break;
        case TEAK_OP_DROP:
            apply_drop(&at, log);
            snapshots_note_change(&store->snapshots);
            writer->has_drop = true;
            break;
        }
        if (log_is_short(log) || map_is_short(log, at.active)) logs_want(&store->logs, log);
    }
}

/* ------------------------------------------------------------------------------------------------------ submitting */

/* Logs that are not alive leave the table: those a refused batch would have created, those a batch dropped. */
static void remove_dead(struct teak_store *store, const struct teak_batch *batch, enum teak_op_kind kind)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->ops[i].op != kind) continue;
        struct log *log = logs_find(&store->logs, batch->ops[i].log);
        if (log && !log->head.alive) logs_remove(&store->logs, log);
    }
}

/* With a reservation open, every payload must lie in it, where it will be written from. */
static bool fits_reservation(const struct teak_store *store, const struct teak_batch *batch, const struct need *need)
{
    const struct writer *writer = &store->writer;
    if (need->payload > writer->reserved_bytes || need->slots > writer->reserved_entries) return false;
    const uint8_t *at = writer->frame + writer->payload_end;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct teak_op *op = &batch->ops[i];
        for (uint32_t e = 0; op->op == TEAK_OP_ENTRIES && e < op->count; e++) {
            if (op->entries[e].bytes > 0 && op->entries[e].data != at) return false;
            at += align_up(op->entries[e].bytes, PAYLOAD_ALIGN);
        }
    }
    return true;
}

static enum teak_status admit_batch(struct teak_store *store, const struct teak_batch *batch, struct teak_error *error)
{
    struct writer *writer = &store->writer;
    struct need need = {0};
    writer->batch++;
    writer->staged_count = 0;
    if (batch->count > AHEAD) look_at_first(store, batch);
    for (uint32_t i = 0; i < batch->count; i++) {
        look_ahead(store, batch, i);
        const enum teak_status status = admit_op(store, batch, i, &need, error);
        if (status != TEAK_OK) return status;
    }
    writer->staged_high = (uint32_t)max_u64(writer->staged_high, writer->staged_count);
    enum teak_status status = admit_limits(store, &need, error);
    if (status != TEAK_OK) return status;
    if (writer->reserved) {
        if (!fits_reservation(store, batch, &need)) return fail(error, TEAK_INVALID, "submit");
        if (!fits_open_frame(store, &need)) return fail(error, TEAK_BATCH_TOO_LARGE, "submit");
    } else {
        status = make_room(store, &need);
        if (status != TEAK_OK) {
            fail(error, status, "submit");
            if (error && status != TEAK_FULL) error->os_errno = store->pool.failure;
            return status;
        }
    }
    return admit_tables(store, &need, error);
}

/* Linger and a lazy batch's second count from now, not from the last turn, which may be long ago. */
static uint64_t begin_of_wait(const struct teak_store *store, const struct teak_batch *batch)
{
    return store->linger_ns > 0 || (batch->flags & TEAK_LAZY) ? disk_now(store->disk) : store->now_ns;
}

/* The batch is in the open frame: when that must go, and who is owed a completion. */
static void take_in(struct teak_store *store, const struct teak_batch *batch)
{
    struct writer *writer = &store->writer;
    store->starved = false;
    writer->reserved = false;
    writer->batches++;
    writer->data_lsn = writer->next_lsn;
    if (!(batch->flags & TEAK_LAZY) && writer->is_lazy) {
        writer->is_lazy = false;
        writer->opened_ns = begin_of_wait(store, batch); /* linger counts from the first that must be durable */
    }
    if (batch->flags & TEAK_URGENT) writer->is_urgent = true;
    ticket_put(&store->tickets, batch->tag, writer->next_lsn);
}

/* How much can join before the long way must look: what frame and segment have left, less what rounding may take. */
static void measure_join_room(struct teak_store *store, struct log *log)
{
    struct writer *writer = &store->writer;
    const struct segment *active = segment_active(&store->segments);
    const uint64_t block = store->limits.block_bytes;
    const uint64_t used = align_up(writer->payload_end + writer->table_bytes, block);
    const uint64_t frame = min_u64(min_u64(writer->room, store->limits.group_bytes), writer->table_room);
    const uint64_t index = segment_index_bytes(active->slot_count, active->effect_count, active->extent_count,
                                               store->limits.block_bytes);
    const uint64_t taken = writer->offset + used + index + 3 * block; /* frame and slots round up; the clean mark */
    writer->join_to = log;
    writer->join_room =
        frame > used && active->file_bytes > taken ? min_u64(frame - used, active->file_bytes - taken) : 0;
}

/* Nearly every batch: entries that go on where the last operation of the open frame ended. What the long way looks at
 * is looked at here for this one case; where anything is out of the ordinary the answer is false, nothing changed. */
static bool join(struct teak_store *store, const struct teak_batch *batch)
{
    struct writer *writer = &store->writer;
    const struct teak_op *op = batch->ops;
    if (batch->count != 1 || op->op != TEAK_OP_ENTRIES || !writer->joinable || writer->reserved) return false;
    if (writer->naming && op->log == writer->join_log && op->index == TEAK_INDEX_NEXT)
        writer->naming->index = writer->join_index;
    if (op->log != writer->join_log || op->index != writer->join_index || op->term != writer->join_term ||
        op->kind != writer->join_kind)
        return false;
    if (op->count == 0 || !op->entries || op->index > UINT64_MAX - op->count) return false;
    uint64_t bytes = op->count * (uint64_t)SLOT_COST;
    for (uint32_t i = 0; i < op->count; i++) {
        const struct teak_bytes *entry = &op->entries[i];
        if (entry->bytes > store->limits.entry_bytes || (entry->bytes > 0 && !entry->data)) return false;
        bytes += align_up(entry->bytes, PAYLOAD_ALIGN);
    }
    if (bytes > writer->join_room || !store->segments.ready) return false;
    if (!map_goes_on(writer->join_to, segment_active(&store->segments), op->count)) return false;
    writer->join_room -= bytes;
    const uint32_t slot = encode_entries(store, writer->join_to, op);
    map_extend(writer->join_to, &store->segments, segment_active(&store->segments), slot, op->count, bytes);
    writer->join_to->head.last.index += op->count;
    take_in(store, batch);
    return true;
}

enum teak_status writer_submit(struct teak_store *store, const struct teak_batch *batch, struct teak_error *error)
{
    struct writer *writer = &store->writer;
    if (batch->count == 0 || !batch->ops) return fail(error, TEAK_EMPTY_BATCH, "submit");
    if (tickets_are_full(&store->tickets)) {
        writer->full++;
        store->starved = store->unstarted = true;
        return fail(error, TEAK_FULL, "submit");
    }
    if (join(store, batch)) return TEAK_OK;
    const enum teak_status status = admit_batch(store, batch, error);
    if (status != TEAK_OK) {
        remove_dead(store, batch, TEAK_OP_CREATE);
        if (status == TEAK_FULL || status == TEAK_NO_SPACE) {
            writer->full += status == TEAK_FULL;
            store->notice.no_space_answers += status == TEAK_NO_SPACE;
            store->starved = store->unstarted = true;
        }
        return status;
    }
    if (writer->op_count == 0) writer->opened_ns = begin_of_wait(store, batch);
    apply_batch(store, batch);
    if (writer->has_drop) remove_dead(store, batch, TEAK_OP_DROP);
    if (writer->joinable) measure_join_room(store, logs_find(&store->logs, writer->join_log));
    take_in(store, batch);
    return TEAK_OK;
}

enum teak_status writer_reserve(struct teak_store *store, uint32_t bytes, uint32_t entries, void **out,
                                struct teak_error *error)
{
    struct writer *writer = &store->writer;
    if (writer->reserved) return fail(error, TEAK_RESERVED, "reserve");
    const struct need need = {.payload = align_up(bytes, PAYLOAD_ALIGN),
                              .table = op_bytes(OP_ENTRIES, entries) + (uint64_t)RESERVE_SLACK,
                              .slots = entries,
                              .effects = RESERVE_SLACK / 16,
                              .grows = true};
    enum teak_status status = admit_limits(store, &need, error);
    if (status != TEAK_OK) return status;
    status = make_room(store, &need);
    if (status != TEAK_OK) {
        writer->full += status == TEAK_FULL;
        store->notice.no_space_answers += status == TEAK_NO_SPACE;
        store->starved = store->unstarted = true;
        return fail(error, status, "reserve");
    }
    writer->reserved = true;
    writer->reserved_bytes = (uint32_t)need.payload;
    writer->reserved_entries = entries;
    /* the caller may write all of it, and submit less, or nothing */
    const uint64_t upto = writer->position + writer->payload_end + need.payload;
    store->arena.spoiled = max_u64(store->arena.spoiled, upto);
    *out = writer->frame + writer->payload_end;
    return TEAK_OK;
}

/* --------------------------------------------------------------------------------------------- frames and segments */

static void finish_frame(struct teak_store *store, uint32_t table_bytes, bool is_idle_mark)
{
    struct writer *writer = &store->writer;
    struct segment *active = segment_active(&store->segments);
    const uint32_t used = writer->payload_end + table_bytes;
    const uint32_t bytes = (uint32_t)align_up(used, store->limits.block_bytes);
    CHECK_LE(bytes, writer->room);
    memset(writer->frame + used, 0, bytes - used);
    const struct frame_head head = {.salt = active->key.salt,
                                    .segment = active->number,
                                    .lsn = writer->next_lsn,
                                    .durable_lsn = store->flight.vouched_lsn,
                                    .chain = writer->chain,
                                    .table_sum =
                                        key_sum(&active->key, writer->frame + writer->payload_end, table_bytes),
                                    .offset = writer->offset,
                                    .bytes = bytes,
                                    .table_offset = writer->payload_end,
                                    .table_bytes = table_bytes,
                                    .op_count = writer->op_count,
                                    .entry_count = writer->entry_count};
    CHECK_LT(head.durable_lsn, head.lsn);
    writer->chain = frame_head_encode(&head, &active->key, writer->frame);
    arena_end(&store->arena, writer->position, writer->offset, bytes);
    struct frame *frame = flight_push(&store->flight, bytes);
    frame->lsn = writer->next_lsn;
    frame->segment = active;
    frame->offset = writer->offset;
    frame->position = writer->position;
    frame->alone = writer->alone;
    frame->is_idle_mark = is_idle_mark;
    frame->is_checkpoint = active->first_lsn == 0;
    frame->op.data = writer->frame;
    active->frames_end = writer->offset + bytes;
    if (active->first_lsn == 0) active->first_lsn = writer->next_lsn;
    active->last_lsn = writer->next_lsn;
    active->chain = writer->chain;
    writer->alone = false;
    writer->next_lsn++;
    writer->is_open = false;
    writer->joinable = NULL;
    writer->op_count = 0;
    writer->frames++;
    writer->frame_bytes += bytes;
    writer->padding_bytes += bytes - used;
}

void writer_close_frame(struct teak_store *store)
{
    struct writer *writer = &store->writer;
    CHECK(writer_has_work(writer) && !writer->reserved);
    const uint64_t frame_bytes = writer->frame_bytes, entries = writer->entry_count;
    memcpy(writer->frame + writer->payload_end, writer->table, writer->table_bytes);
    writer->ends_in_mark = false;
    finish_frame(store, writer->table_bytes, false);
    publish_group(&store->publish, writer->batches, entries, writer->frame_bytes - frame_bytes);
}

bool writer_put_mark(struct teak_store *store, enum mark mark)
{
    struct writer *writer = &store->writer;
    const struct op op = {.code = OP_MARK, .kind = (uint8_t)mark};
    const struct need need = {.table = op_bytes(OP_MARK, 0)};
    CHECK(!writer_has_work(writer));
    const struct segment *active = segment_active(&store->segments);
    const uint32_t block = store->limits.block_bytes;
    /* not worth a new segment; an idle one leaves the room that is kept for the clean one */
    if (!fits_segment(store, active, active->frames_end + (mark == MARK_IDLE ? 2 : 1) * block, &need)) return false;
    writer->is_open = false;
    if (open_frame(store, block) != TEAK_OK) return false;
    put_op(writer, &op);
    memcpy(writer->frame + writer->payload_end, writer->table, writer->table_bytes);
    if (mark == MARK_CLEAN) writer->data_lsn = writer->next_lsn;
    writer->ends_in_mark = true;
    finish_frame(store, writer->table_bytes, mark == MARK_IDLE);
    return true;
}

bool writer_put_forget(struct teak_store *store, uint64_t oldest)
{
    struct writer *writer = &store->writer;
    const struct need need = {.table = op_bytes(OP_FORGET, 0)};
    if (writer->reserved || make_room(store, &need) != TEAK_OK) return false;
    if (writer->op_count == 0) writer->opened_ns = store->now_ns;
    put_op(writer, &(struct op){.code = OP_FORGET, .oldest = oldest});
    writer->data_lsn = writer->next_lsn;
    writer->oldest = oldest;
    return true;
}

/* Room in the tables for a REPLACE; what lacks is asked for. */
static bool has_room_to_replace(struct teak_store *store, struct log *log)
{
    const struct segment *active = segment_active(&store->segments);
    if (active->effect_count == active->effect_capacity) {
        store->writer.want_effects = (uint32_t)max_u64(store->writer.want_effects, 1);
        return false;
    }
    const bool has_effect = log->effect_segment == active->number;
    const struct effect *effect = has_effect ? &active->effects[log->effect] : NULL;
    if (log->piece_count + LOG_PIECES_AHEAD <= log->piece_capacity && (!effect || effect->count < effect->capacity))
        return true;
    log->wants_more = (uint32_t)max_u64(log->wants_more, 1);
    logs_want(&store->logs, log);
    return false;
}

void writer_foresee_replace(struct teak_store *store, uint64_t id)
{
    struct log *log = logs_find(&store->logs, id);
    const struct segment *active = segment_active(&store->segments);
    if (!log || !log->head.alive) return;
    (void)has_room_to_replace(store, log);
    store->writer.want_effects += log->effect_segment != active->number;
}

uint64_t writer_put_replace(struct teak_store *store, const struct moved_entries *moved)
{
    struct writer *writer = &store->writer;
    struct need need = {.table = op_bytes(OP_REPLACE, moved->count), .slots = moved->count, .effects = 1,
                        .grows = true};
    for (uint32_t i = 0; i < moved->count; i++) need.payload += align_up(moved->entries[i].bytes, PAYLOAD_ALIGN);
    if (writer->reserved || make_room(store, &need) != TEAK_OK) return 0;
    struct log *log = logs_find(&store->logs, moved->log);
    if (!has_room_to_replace(store, log)) return 0;
    if (writer->op_count == 0) writer->opened_ns = store->now_ns;
    const struct apply_at at = {.logs = &store->logs, .segments = &store->segments,
                                .active = segment_active(&store->segments), .lsn = writer->next_lsn};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = moved->log, .index = moved->first, .term = moved->term,
                               .kind = moved->kind, .count = moved->count, .entries = moved->entries};
    const uint32_t slot = map_take_slots(log, at.active, moved->count);
    put_op(writer, &(struct op){.code = OP_REPLACE, .kind = moved->kind, .count = moved->count, .log = moved->log,
                                .entries = {.first = moved->first, .term = moved->term}});
    encode_payloads(store, &op, slot);
    const struct map_entries entries = entries_at(&at, &op, slot);
    apply_replace(&at, log, &entries);
    if (log_is_short(log) || map_is_short(log, at.active)) logs_want(&store->logs, log);
    writer->data_lsn = writer->next_lsn;
    return entries.bytes;
}

static uint32_t put_records(const struct teak_store *store, uint8_t *out)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < store->logs.count; i++) {
        const struct log *log = store->logs.sorted[i];
        const struct log_head *head = &log->head;
        if (!head->alive) continue; /* being created by the batch that made the segment roll */
        const struct log_record record = {
            .log = log->id, .life = head->life, .term = head->term, .vote = head->vote, .commit = head->commit,
            .base_index = head->base.index, .base_term = head->base.term, .last_index = head->last.index,
            .last_term = head->last.term, .snapshot_index = head->snapshot.index, .snapshot_term = head->snapshot.term,
            .file_id = head->file_id, .file_bytes = head->file_bytes, .file_sum = head->file_sum,
            .changed_lsn = log->changed_lsn, .marks = head->marks | (head->fresh ? LOG_FRESH : 0),
            .meta_bytes = head->meta_bytes, .meta = log->meta};
        bytes += log_record_put(&record, out + bytes);
    }
    return bytes;
}

static uint32_t alive_logs(const struct teak_store *store)
{
    uint32_t alive = 0;
    for (uint32_t i = 0; i < store->logs.count; i++) alive += store->logs.sorted[i]->head.alive;
    return alive;
}

enum teak_status writer_put_checkpoint(struct teak_store *store)
{
    struct writer *writer = &store->writer;
    struct segment *active = segment_active(&store->segments);
    CHECK_EQ(active->first_lsn, 0);
    const uint64_t table = sizeof(struct layout_checkpoint) + store->logs.record_bytes;
    const enum teak_status status = open_frame(store, frame_bytes(HEAD_BYTES, table, store->limits.block_bytes));
    if (status != TEAK_OK) return status;
    struct op op = {.code = OP_CHECKPOINT, .count = alive_logs(store), .checkpoint = {.oldest = writer->oldest}};
    if (active->number > store->segments.oldest) {
        const struct segment *before = segment_at(&store->segments, active->number - 1);
        op.checkpoint.segment = before->number;
        op.checkpoint.salt = before->key.salt;
        op.checkpoint.last_lsn = before->last_lsn;
        op.checkpoint.end_offset = before->frames_end;
        op.checkpoint.chain = before->chain;
    }
    uint8_t *at = writer->frame + HEAD_BYTES; /* no payload: the table stands where it will be written from */
    uint32_t bytes = op_put(&op, at);
    bytes += put_records(store, at + bytes);
    CHECK_EQ(bytes, table);
    writer->op_count = 1;
    writer->data_lsn = writer->next_lsn;
    writer->ends_in_mark = false;
    finish_frame(store, bytes, false);
    return TEAK_OK;
}

enum teak_status writer_roll(struct teak_store *store, bool grows)
{
    struct segments *segments = &store->segments;
    CHECK(!writer_has_work(&store->writer));
    if (!segments->ready) {
        store->writer.stalls += !store->starved;
        const bool is_coming = pool_supply(&store->pool, segments) > 0;
        if (store->pool.no_space) return is_coming ? TEAK_FULL : TEAK_NO_SPACE;
        return no_segment(&store->pool);
    }
    if (grows) {
        const enum teak_status status = keep_next(store);
        store->writer.stalls += status == TEAK_FULL && !store->starved;
        if (status != TEAK_OK) return status;
    }
    if (segments_closed(segments) >= SEGMENTS_CLOSED_MAX ||
        segments->newest + 2 - segments->oldest > segments->capacity) {
        store->writer.stalls += !store->starved;
        return store->no_memory ? TEAK_NO_MEMORY : TEAK_FULL;
    }
    const uint64_t table = sizeof(struct layout_checkpoint) + store->logs.record_bytes;
    uint64_t position;
    const uint64_t bytes = frame_bytes(HEAD_BYTES, table, store->limits.block_bytes);
    if (flight_is_full(&store->flight) || arena_room(&store->arena, bytes, &position) == 0) return TEAK_FULL;
    segment_move(segment_active(segments), SEGMENT_CLOSED);
    struct segment *next = segments->ready;
    segments->ready = NULL;
    segment_move(next, SEGMENT_ACTIVE);
    segments_push(segments, next);
    const enum teak_status status = writer_put_checkpoint(store);
    CHECK_EQ(status, TEAK_OK);
    return TEAK_OK;
}
