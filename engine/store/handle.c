/* handle.c: readers on other threads. They never use the ring, and never look into the store's tables.
 *
 * OWNS   Each reader's mailbox: a state, and what belongs to whom because of it.
 *
 *      reader's thread                          driving thread, in its turns
 *      IDLE ── "entry i" ──► ASKED ──────────► (index, slots, descriptor: fetch.c) ──► ANSWERED ──► IDLE
 *        ▲                     └─ at the tail: until the log has grown                    │
 *        └──── entries: copies of what is in the arena, or places: read and verified here ┘
 *
 *      A reader that was moved while it asked makes the question RECALLED: it is answered as well, with nothing.
 *
 * PATH   ask() -> [wake of the host's] -> readers_serve() -> answer_with_copies() or answer_with_places() -> take().
 * FAILS  What the medium does is the answer of that read. A store that nobody drives answers nobody: PENDING.
 * HOLDS  (1) what is in a mailbox belongs to the driving thread while the state is ASKED or RECALLED, else to the
 *            reader's
 *        (2) whoever uses the disk on another thread, or calls the host's wake, is counted in the door; the store does
 *            not go away before
 *        (3) a descriptor that a reader has is locked as a reader's: its file is never written over
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/disk_plain.h"
#include "os/heap.h"
#include "os/thread.h"
#include "store/durable.h"
#include "store/failure.h"
#include "store/fetch.h"
#include "store/handle.h"
#include "store/reader.h"
#include "store/store.h"

enum { COPY_BYTES_MAX = 256 << 10, COPIES_MAX = 4096 };
enum mail { MAIL_IDLE, MAIL_ASKED, MAIL_RECALLED, MAIL_ANSWERED };
#define PARTED (UINT32_C(1) << 31)

/* What outlives the store as long as a reader does. */
struct door {
    _Atomic uint32_t refs;
    _Atomic uint32_t inside; /* threads that use the disk; top bit: the store is gone, or waits for them to leave */
    _Atomic bool asked;      /* a mailbox changed since the owner looked. release; acquire in readers_serve() */
    struct disk *disk;
};

/* An entry of an answer. */
struct letter {
    uint64_t sum, term;
    uint64_t at;            /* COPIES: in `copies`. PLACES: in the segment */
    uint32_t bytes;
    uint8_t kind;
};

struct teak_reader {
    _Atomic uint32_t refs;
    _Atomic uint32_t mail;  /* enum mail; the words that travel are written before. Slept on by the reader's thread */
    _Atomic bool is_closed; /* the reader's end                                                           */
    struct door *door;
    uint64_t log, life;
    struct teak_reader_options options;
    /* the reader's thread */
    uint64_t index;         /* the next entry                                                             */
    int32_t file;           /* of segment file_segment; inside the door                                   */
    uint32_t taken;         /* letters handed out                                                         */
    uint8_t *window;        /* PLACES: as they were read                                                  */
    uint64_t window_room;
    bool has_read;          /* the window shows the answer                                                */
    bool is_moved;          /* what was asked, or answered, is of a place where it stands no longer       */
    /* asked */
    uint64_t wanted;
    bool is_judged;         /* it was moved there: beyond the end is an answer, not a tail to wait at     */
    bool asks_table;        /* the places of the last answer did not verify                               */
    /* answered */
    _Atomic bool at_end;    /* the driving thread has looked, and there was no such entry yet             */
    enum teak_status status;
    struct teak_error error;
    uint64_t durable;
    struct letter *letters;
    uint32_t count, letters_room;
    uint8_t *copies;
    uint64_t copies_room;
    bool is_places, from_table;
    int32_t answer_file;    /* a new descriptor, or DISK_NONE: the one there is                           */
    uint64_t file_segment;
    uint64_t begin, end;    /* of the segment, to be read                                                 */
    struct key key;
    /* the driving thread's */
    struct teak_reader *next;
    struct stream *stream;
};

/* ---------------------------------------------------------------------------------------------------- door and ends */

static void door_drop(struct door *door)
{
    if (atomic_fetch_sub_explicit(&door->refs, 1, memory_order_acq_rel) == 1) heap_give(door);
}

/* false: the store is gone. */
static bool enter(struct door *door)
{
    if ((atomic_fetch_add_explicit(&door->inside, 1, memory_order_acq_rel) & PARTED) == 0) return true;
    atomic_fetch_sub_explicit(&door->inside, 1, memory_order_release);
    return false;
}

static void leave(struct door *door)
{
    const uint32_t before = atomic_fetch_sub_explicit(&door->inside, 1, memory_order_acq_rel);
    if (before == (PARTED | 1)) thread_wake(&door->inside, UINT32_MAX);
}

static bool is_parted(const struct door *door)
{
    return atomic_load_explicit(&door->inside, memory_order_acquire) & PARTED;
}

static void reader_drop(struct teak_reader *reader)
{
    if (atomic_fetch_sub_explicit(&reader->refs, 1, memory_order_acq_rel) > 1) return;
    door_drop(reader->door);
    heap_give(reader->letters);
    heap_give(reader->copies);
    heap_give(reader->window);
    heap_give(reader);
}

static struct door *door_of(struct teak_store *store)
{
    if (store->readers.door) return store->readers.door;
    struct door *door = heap_take_zeroed(1, sizeof *door);
    if (!door) return NULL;
    atomic_init(&door->refs, 1);
    door->disk = store->disk;
    return store->readers.door = door;
}

/* ---------------------------------------------------------------------------------------------- the driving thread */

enum teak_status teak_reader_open(struct teak_store *store, uint64_t log_id, uint64_t index,
                                  const struct teak_reader_options *options, struct teak_reader **out,
                                  struct teak_error *error)
{
    *out = NULL;
    if (store->phase == STORE_READING) return fail(error, TEAK_READ_ONLY, "reader");
    const enum teak_status status = store_guard(store, error);
    if (status != TEAK_OK) return status;
    const struct log *log = logs_find(&store->logs, log_id);
    if (!log) return fail_log(error, TEAK_UNKNOWN_LOG, log_id);
    const struct log_head *head = &log->head;
    if (!head->fresh && index <= head->base.index)
        return fail_index(error, TEAK_COMPACTED, log_id, index, head->base.index + 1);
    if (!head->fresh && index > head->last.index + 1)
        return fail_index(error, TEAK_BEYOND, log_id, index, head->last.index + 1);
    struct door *door = door_of(store);
    struct teak_reader *reader = heap_take_aligned(64, align_up(sizeof *reader, 64)); /* its key is */
    struct stream *stream = stream_open(store, log_id, head->life, index);
    if (!door || !reader || !stream) {
        heap_give(reader);
        stream_close(stream);
        return fail(error, TEAK_NO_MEMORY, "reader");
    }
    memset(reader, 0, sizeof *reader);
    stream->only_places = true;
    atomic_init(&reader->refs, 2);
    atomic_fetch_add_explicit(&door->refs, 1, memory_order_relaxed);
    reader->door = door;
    reader->log = log_id;
    reader->life = head->life;
    reader->index = index;
    reader->file = reader->answer_file = DISK_NONE;
    if (options) reader->options = *options;
    reader->stream = stream;
    reader->next = store->readers.all;
    store->readers.all = reader;
    *out = reader;
    return TEAK_OK;
}

static void answer(struct teak_reader *reader, enum teak_status status)
{
    reader->status = status;
    atomic_store_explicit(&reader->mail, MAIL_ANSWERED, memory_order_release);
    thread_wake(&reader->mail, 1);
}

/* Room for one more letter and `bytes` more of copies. */
static bool make_room(struct teak_reader *reader, uint64_t used, uint64_t bytes)
{
    if (reader->count == reader->letters_room) {
        const uint32_t room = reader->letters_room ? reader->letters_room * 2 : 64;
        struct letter *grown = heap_grow(reader->letters, room * sizeof *grown);
        if (!grown) return false;
        reader->letters = grown;
        reader->letters_room = room;
    }
    if (used + bytes > reader->copies_room) {
        const uint64_t room = max_u64(used + bytes, COPY_BYTES_MAX);
        uint8_t *grown = heap_grow(reader->copies, room);
        if (!grown) return false;
        reader->copies = grown;
        reader->copies_room = room;
    }
    return true;
}

/* Where entry `index` lies, if that is known without asking the disk. */
static bool find_place(struct teak_reader *reader, const struct teak_store *store, const struct log *log,
                       uint64_t index, struct place *out)
{
    const struct piece *piece = locate_piece(log, index);
    if (!piece) return false;
    out->segment = segment_of_piece(&store->segments, piece->segment);
    if (out->segment->state != SEGMENT_SEALED) return locate(&store->segments, log, index, out);
    struct fetch *fetch = stream_find(reader->stream, index);
    if (!fetch || !fetch->was_sealed || fetch->noted != out->segment->number || fetch->salt != out->segment->key.salt)
        return false;
    const struct spot *spot = &fetch->spots[index - fetch->index];
    out->offset = spot->offset;
    out->bytes = spot->bytes;
    out->sum = spot->sum;
    out->term = spot->term;
    out->kind = spot->kind;
    return true;
}

/* The entries from `wanted` on that are in the arena: a bounded piece. false: not even the first, or no memory. */
static bool answer_with_copies(struct teak_reader *reader, struct teak_store *store, struct log *log)
{
    uint64_t used = 0;
    reader->count = 0;
    for (uint64_t index = reader->wanted; index <= log->head.last.index && reader->count < COPIES_MAX; index++) {
        struct place place;
        if (!find_place(reader, store, log, index, &place)) break;
        const uint8_t *payload = arena_find(&store->arena, place.segment->number, place.offset, place.bytes);
        if (!payload || (used > 0 && used + place.bytes > COPY_BYTES_MAX)) break;
        if (!make_room(reader, used, place.bytes)) {
            if (reader->count > 0) break;
            answer(reader, fail(&reader->error, TEAK_NO_MEMORY, "reader"));
            return true;
        }
        if (place.bytes > 0) memcpy(reader->copies + used, payload, place.bytes);
        reader->letters[reader->count++] =
            (struct letter){.term = place.term, .at = used, .bytes = place.bytes, .kind = place.kind};
        used += align_up(place.bytes, 8);
    }
    if (reader->count == 0) return false;
    store->arena_reads += reader->count;
    reader->is_places = false;
    answer(reader, TEAK_OK);
    return true;
}

/* What was fetched for it: places, and a descriptor unless it has one. */
static bool answer_with_places(struct teak_reader *reader, struct teak_store *store, const struct log *log)
{
    struct stream *stream = reader->stream;
    struct fetch *fetch = stream_find(stream, reader->wanted);
    const struct piece *piece = locate_piece(log, reader->wanted);
    if (!fetch || !piece || reader->asks_table) return false;
    const struct segment *segment = segment_of_piece(&store->segments, piece->segment);
    const bool has_file = fetch->own != DISK_NONE ||
                          (stream->own_segment == segment->number && stream->own_salt == segment->key.salt);
    const bool is_right = fetch->noted == segment->number && fetch->salt == segment->key.salt && has_file &&
                          fetch->was_sealed == (segment->state == SEGMENT_SEALED) &&
                          fetch->index == reader->wanted && fetch->window.end > fetch->window.begin;
    if (!is_right) {
        fetch_reset(fetch);
        return false;
    }
    reader->count = 0;
    for (uint32_t i = 0; i < fetch->count; i++) {
        if (!make_room(reader, 0, 0)) break;
        const struct spot *spot = &fetch->spots[i];
        reader->letters[reader->count++] = (struct letter){.sum = spot->sum, .term = spot->term, .at = spot->offset,
                                                           .bytes = spot->bytes, .kind = spot->kind};
    }
    if (reader->count == 0) {
        answer(reader, fail(&reader->error, TEAK_NO_MEMORY, "reader"));
        return true;
    }
    store->disk_reads += reader->count;
    reader->is_places = true;
    reader->from_table = fetch->asks_table;
    reader->answer_file = fetch->own;
    fetch->own = DISK_NONE;
    reader->file_segment = stream->own_segment = segment->number;
    stream->own_salt = segment->key.salt;
    reader->begin = fetch->window.begin;
    reader->end = fetch->window.end;
    reader->key = segment->key;
    fetch_reset(fetch);
    answer(reader, TEAK_OK);
    return true;
}

static void serve(struct teak_reader *reader, struct teak_store *store)
{
    struct log *log = logs_find(&store->logs, reader->log);
    const uint64_t wanted = reader->wanted;
    reader->count = 0;
    if (!log || log->head.life != reader->life) {
        answer(reader, fail_log(&reader->error, TEAK_LOG_GONE, reader->log));
        return;
    }
    const struct log_head *head = &log->head;
    if (!head->fresh && wanted <= head->base.index) {
        answer(reader, fail_index(&reader->error, TEAK_COMPACTED, log->id, wanted, head->base.index + 1));
        return;
    }
    if (!head->fresh && reader->is_judged && wanted > head->last.index + 1) {
        answer(reader, fail_index(&reader->error, TEAK_BEYOND, log->id, wanted, head->last.index + 1));
        return;
    }
    reader->is_judged = false;
    if (head->fresh || wanted > head->last.index) { /* until it has grown */
        if (!atomic_exchange_explicit(&reader->at_end, true, memory_order_release)) thread_wake(&reader->mail, 1);
        return;
    }
    stream_move(reader->stream, wanted);
    reader->durable = durable_of(log, &store->segments, &store->flight).index;
    if (!reader->asks_table && answer_with_copies(reader, store, log)) return;
    if (answer_with_places(reader, store, log)) return;
    if (reader->asks_table) {
        reader->asks_table = !stream_ask(reader->stream, wanted);
        return;
    }
    const enum teak_status status = stream_want(reader->stream, wanted, &reader->error);
    if (status != TEAK_OK) answer(reader, status);
}

/* Nothing that it has not taken yet stands in its mailbox: what was fetched for it stays in its stream. */
static void recall(struct teak_reader *reader)
{
    reader->count = 0;
    reader->is_places = false;
    answer(reader, TEAK_OK);
}

/* Taken out of the row; what the disk still has of it ends by itself. */
static void forget(struct teak_reader *reader, struct disk *disk)
{
    disk_close_file(disk, &reader->answer_file);
    stream_close(reader->stream);
    reader_drop(reader);
}

/* Each turn that has nothing to do with readers costs one look at `asked`. Those that wait at a tail are looked at each
 * turn: as many as there are. */
bool readers_just_asked(const struct readers *readers)
{
    return readers->all && atomic_load_explicit(&readers->door->asked, memory_order_relaxed);
}

bool readers_have_asked(const struct readers *readers)
{
    return readers->asking > 0 || readers_just_asked(readers);
}

void readers_serve(struct teak_store *store)
{
    struct readers *readers = &store->readers;
    if (!readers_have_asked(readers)) return;
    atomic_exchange_explicit(&readers->door->asked, false, memory_order_acquire);
    readers->asking = 0;
    struct teak_reader **link = &readers->all;
    while (*link) {
        struct teak_reader *reader = *link;
        if (atomic_load_explicit(&reader->is_closed, memory_order_acquire)) {
            *link = reader->next;
            forget(reader, store->disk);
            continue;
        }
        const uint32_t mail = atomic_load_explicit(&reader->mail, memory_order_acquire);
        if (mail == MAIL_RECALLED) recall(reader);
        if (mail == MAIL_ASKED) {
            serve(reader, store);
            readers->asking += atomic_load_explicit(&reader->mail, memory_order_relaxed) != MAIL_ANSWERED;
        }
        link = &reader->next;
    }
}

void readers_part(struct teak_store *store)
{
    struct readers *readers = &store->readers;
    struct door *door = readers->door;
    if (!door) return;
    atomic_fetch_or_explicit(&door->inside, PARTED, memory_order_acq_rel);
    for (uint32_t inside; (inside = atomic_load_explicit(&door->inside, memory_order_acquire)) != PARTED;)
        thread_sleep(&door->inside, inside, UINT64_MAX);
    while (readers->all) {
        struct teak_reader *reader = readers->all;
        readers->all = reader->next;
        disk_close_file(store->disk, &reader->file);
        thread_wake(&reader->mail, UINT32_MAX);
        forget(reader, store->disk);
    }
    door_drop(door);
    *readers = (struct readers){0};
}

/* --------------------------------------------------------------------------------------------- the reader's thread */

/* Within the door: what the host wakes with it lives as long as the store, or longer. */
static void call_for_service(struct teak_reader *reader)
{
    atomic_store_explicit(&reader->door->asked, true, memory_order_seq_cst);
    if (!reader->options.wake || !enter(reader->door)) return;
    reader->options.wake(reader->options.context);
    leave(reader->door);
}

static void ask(struct teak_reader *reader)
{
    reader->wanted = reader->index;
    if (reader->is_moved) {
        reader->is_judged = true;
        reader->asks_table = false;
        reader->is_moved = false;
    }
    atomic_store_explicit(&reader->at_end, false, memory_order_relaxed);
    atomic_store_explicit(&reader->mail, MAIL_ASKED, memory_order_release);
    call_for_service(reader);
}

/* It was moved while it waited for an answer. Where the answer comes at this moment there is nothing to recall. */
static void take_back(struct teak_reader *reader)
{
    uint32_t mail = MAIL_ASKED;
    if (atomic_compare_exchange_strong_explicit(&reader->mail, &mail, MAIL_RECALLED, memory_order_acq_rel,
                                                memory_order_acquire))
        call_for_service(reader);
}

static enum teak_status rotten(const struct teak_reader *reader, const struct letter *letter, struct teak_error *error)
{
    fail_segment(error, TEAK_HASH_MISMATCH, "read", reader->file_segment, letter->at);
    if (error) {
        error->log = reader->log;
        error->has_log = 1;
        error->index = reader->index;
        error->term = letter->term;
        error->has_term = 1;
    }
    return TEAK_HASH_MISMATCH;
}

/* A descriptor that came with the answer is the reader's from here on, read from or not: so it was noted. */
static void keep_file(struct teak_reader *reader)
{
    if (reader->answer_file == DISK_NONE) return;
    disk_close_file(reader->door->disk, &reader->file);
    reader->file = reader->answer_file;
    reader->answer_file = DISK_NONE;
}

/* The bytes of the answer, from the medium. LOG_GONE: the store is. */
static enum teak_status fill(struct teak_reader *reader, struct teak_error *error)
{
    const uint64_t bytes = reader->end - reader->begin;
    if (bytes > reader->window_room) {
        heap_give(reader->window);
        reader->window_room = align_up(max_u64(bytes, WINDOW_BYTES), WINDOW_MARGIN);
        reader->window = heap_take_huge(reader->window_room);
        if (!reader->window) {
            reader->window_room = 0;
            return fail(error, TEAK_NO_MEMORY, "reader");
        }
    }
    if (!enter(reader->door)) return fail_log(error, TEAK_LOG_GONE, reader->log);
    keep_file(reader);
    struct disk_op op = {.kind = DISK_READ, .file = reader->file, .data = reader->window, .bytes = bytes,
                         .offset = reader->begin};
    const int os_errno = disk_run(reader->door->disk, &op);
    leave(reader->door);
    if (os_errno == 0 && op.done == bytes) {
        reader->has_read = true;
        return TEAK_OK;
    }
    fail_segment(error, TEAK_IO, "read", reader->file_segment, reader->begin);
    if (error) error->os_errno = os_errno;
    return TEAK_IO;
}

static bool is_whole(const struct teak_reader *reader, const struct letter *letter, const uint8_t *payload)
{
    const struct entry_identity who = {.log = reader->log, .index = reader->index, .term = letter->term,
                                       .bytes = letter->bytes, .kind = letter->kind};
    return key_entry_sum(&reader->key, &who, payload) == letter->sum;
}

/* Back to where the next thing to do is to ask. */
static void done_with_answer(struct teak_reader *reader)
{
    reader->taken = 0;
    reader->count = 0;
    reader->has_read = false;
    atomic_store_explicit(&reader->mail, MAIL_IDLE, memory_order_relaxed);
}

/* The answer is for where it stood before. */
static enum teak_status drop_answer(struct teak_reader *reader, struct teak_error *error)
{
    if (!enter(reader->door)) return fail_log(error, TEAK_LOG_GONE, reader->log);
    if (reader->status == TEAK_OK) keep_file(reader);
    leave(reader->door);
    done_with_answer(reader);
    return TEAK_OK;
}

/* Entries of the answer that was not handed out yet. PENDING: ask again, the frame's table has to be looked at. */
static enum teak_status take(struct teak_reader *reader, uint64_t bytes_max, struct teak_entry *out, uint32_t max,
                             uint32_t *count_out, struct teak_error *error)
{
    if (reader->status != TEAK_OK) {
        const enum teak_status status = reader->status;
        if (error) *error = reader->error;
        done_with_answer(reader);
        return status;
    }
    if (reader->is_places && !reader->has_read) {
        const enum teak_status status = fill(reader, error);
        if (status != TEAK_OK) return status; /* the answer stays: the next call reads again */
    }
    uint32_t count = 0;
    for (uint64_t bytes = 0; count < max && reader->taken < reader->count; count++, reader->taken++, reader->index++) {
        const struct letter *letter = &reader->letters[reader->taken];
        const uint8_t *payload =
            reader->is_places ? reader->window + (letter->at - reader->begin) : reader->copies + letter->at;
        bytes += letter->bytes;
        if (count > 0 && bytes > bytes_max) break;
        if (reader->is_places && !is_whole(reader, letter, payload)) {
            if (count > 0) break; /* alone, at the next call */
            reader->asks_table = !reader->from_table;
            const enum teak_status status = reader->from_table ? rotten(reader, letter, error) : TEAK_PENDING;
            done_with_answer(reader);
            return status;
        }
        out[count] = (struct teak_entry){.index = reader->index, .term = letter->term, .data = payload,
                                         .bytes = letter->bytes, .kind = letter->kind,
                                         .durable = reader->index <= reader->durable};
    }
    *count_out = count;
    return TEAK_OK;
}

enum teak_status teak_reader_read(struct teak_reader *reader, uint64_t wait_ns, uint64_t bytes_max,
                                  struct teak_entry *out, uint32_t max, uint32_t *count_out, struct teak_error *error)
{
    *count_out = 0;
    const uint64_t begin = plain_now(NULL); /* asks no disk */
    const uint64_t until = wait_ns > UINT64_MAX - begin ? UINT64_MAX : begin + wait_ns;
    if (atomic_load_explicit(&reader->mail, memory_order_acquire) == MAIL_ANSWERED && reader->status == TEAK_OK &&
        reader->taken == reader->count)
        done_with_answer(reader); /* all of it is handed out, and holds no longer */
    for (;;) {
        if (is_parted(reader->door)) return fail_log(error, TEAK_LOG_GONE, reader->log);
        const uint32_t mail = atomic_load_explicit(&reader->mail, memory_order_acquire);
        if (mail == MAIL_IDLE) {
            ask(reader);
        } else if (mail == MAIL_ANSWERED && reader->is_moved) {
            const enum teak_status status = drop_answer(reader, error);
            if (status != TEAK_OK) return status;
        } else if (mail == MAIL_ANSWERED) {
            const enum teak_status status = take(reader, bytes_max, out, max, count_out, error);
            if (status != TEAK_PENDING) return status;
        } else if (mail == MAIL_ASKED && reader->is_moved) {
            take_back(reader);
        } else if (plain_now(NULL) >= until) {
            const bool is_end = mail == MAIL_ASKED && atomic_load_explicit(&reader->at_end, memory_order_acquire);
            if (is_end) return TEAK_OK; /* the end, for now */
            return fail_index(error, TEAK_PENDING, reader->log, reader->index, 0);
        } else {
            thread_sleep(&reader->mail, mail, until);
        }
    }
}

void teak_reader_seek(struct teak_reader *reader, uint64_t index)
{
    reader->index = index;
    reader->is_moved = true;
}

void teak_reader_close(struct teak_reader *reader)
{
    if (!reader) return;
    struct door *door = reader->door;
    if (enter(door)) {
        disk_close_file(door->disk, &reader->file);
        const uint32_t mail = atomic_load_explicit(&reader->mail, memory_order_acquire);
        if (mail != MAIL_ASKED && mail != MAIL_RECALLED) disk_close_file(door->disk, &reader->answer_file);
        atomic_store_explicit(&reader->is_closed, true, memory_order_release);
        atomic_store_explicit(&door->asked, true, memory_order_release);
        if (reader->options.wake) reader->options.wake(reader->options.context);
        leave(door);
    }
    reader_drop(reader);
}
