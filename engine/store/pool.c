/* pool.c: see pool.h. */
#include "store/pool.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"

enum { RETRY_NS = 1000000000 };

bool pool_init(struct pool *pool, int32_t directory, uint32_t open_flags, const struct segment_id *shape,
               uint32_t spares)
{
    *pool = (struct pool){.errand = ERRAND_POOL,
                          .file = DISK_NONE,
                          .half_file = DISK_NONE,
                          .directory = directory,
                          .open_flags = open_flags,
                          .block_bytes = shape->block_bytes,
                          .segment_bytes = shape->segment_bytes,
                          .spares = spares,
                          .keep = spares};
    memcpy(pool->family, shape->family, sizeof pool->family);
    const uint64_t zeros = min_u64(POOL_PIECE_BYTES_MAX, align_up(shape->segment_bytes, POOL_PIECE_BYTES));
    pool->zeros = heap_take_aligned(65536, zeros);
    pool->identity = heap_take_aligned(65536, BLOCK_BYTES_MAX);
    if (!pool->zeros || !pool->identity) return false;
    memset(pool->zeros, 0, zeros);
    return true;
}

void pool_fini(struct pool *pool, struct disk *disk)
{
    if (pool->waiting) disk_landed(&pool->op, &pool->file);
    if (disk) disk_close_file(disk, &pool->file);
    if (disk) disk_close_file(disk, &pool->half_file);
    heap_give(pool->zeros);
    heap_give(pool->identity);
    heap_give(pool->stock);
    spare_tables_fini(&pool->tables);
    *pool = (struct pool){.file = DISK_NONE, .half_file = DISK_NONE};
}

bool pool_add(struct pool *pool, struct stock stock)
{
    if (pool->stock_count == pool->stock_capacity) {
        const uint32_t capacity = pool->stock_capacity ? pool->stock_capacity * 2 : 16;
        struct stock *grown = heap_grow(pool->stock, capacity * sizeof *grown);
        if (!grown) return false;
        pool->stock = grown;
        pool->stock_capacity = capacity;
    }
    if (stock.is_spare && stock.number >= pool->next_spare) pool->next_spare = stock.number + 1;
    pool->stock[pool->stock_count++] = stock;
    pool->retry_ns = 0; /* something came back: space may have, too */
    return true;
}

static void name_stock(const struct stock *stock, char name[NAME_BYTES])
{
    if (stock->is_spare)
        name_spare(stock->number, name);
    else
        name_segment(stock->number, name);
}

/* Is a new one wanted besides what there is and what is about to come back? */
static bool lacks_file(const struct pool *pool, const struct segments *segments)
{
    return pool->stock_count + pool->coming < pool->spares || (!segments->ready && pool->coming == 0);
}

bool pool_has_work(const struct pool *pool, const struct segments *segments)
{
    return lacks_file(pool, segments) || (!segments->ready && pool->stock_count > 0) || pool->stock_count > pool->keep;
}

void pool_settle(struct pool *pool, const struct segments *segments)
{
    if (!pool->no_space || pool->step != POOL_IDLE || !segments->ready || pool->stock_count < pool->spares) return;
    pool->no_space = false;
    pool->failure = 0;
}

/* --------------------------------------------------------------------------------- one step: fill in the operation */

/* What a step asks of the disk; zeros by the `piece`. The same for the job that runs by and by and for the one
 * that runs at opening. */
static struct disk_op operation_of(struct pool *pool, uint64_t number, uint64_t piece)
{
    struct disk_op op = {.flags = DISK_CHORE, .file = pool->file, .dir = pool->directory, .name = pool->name,
                         .to = pool->to, .owner = pool};
    switch (pool->step) {
    case POOL_MAKE_OPEN:
        op.kind = DISK_OPEN;
        op.flags |= DISK_CREATE | DISK_WRITABLE | DISK_NO_COW | pool->open_flags;
        break;
    case POOL_MAKE_ALLOCATE:
        op.kind = DISK_ALLOCATE;
        op.bytes = pool->segment_bytes;
        break;
    case POOL_MAKE_FILL:
        op.kind = DISK_WRITE;
        op.data = pool->zeros;
        op.offset = pool->filled;
        op.bytes = min_u64(piece, pool->segment_bytes - pool->filled);
        break;
    case POOL_MAKE_SYNC: op.kind = DISK_SYNC_ALL; break;
    case POOL_MAKE_RENAME:
        op.kind = DISK_RENAME;
        name_stock(&pool->job, pool->to);
        break;
    case POOL_MAKE_SYNC_NAME:
    case POOL_PREPARE_SYNC_NAME:
        op.kind = DISK_SYNC_ALL;
        op.file = pool->directory;
        break;
    case POOL_PREPARE_OPEN:
        op.kind = DISK_OPEN;
        op.flags |= DISK_WRITABLE | pool->open_flags;
        break;
    case POOL_PREPARE_IDENTITY: {
        struct segment_id id = {.segment = number, .salt = pool->salt, .block_bytes = pool->block_bytes,
                                .segment_bytes = pool->segment_bytes};
        memcpy(id.family, pool->family, sizeof id.family);
        segment_id_encode(&id, pool->identity);
        op.kind = DISK_WRITE;
        op.data = pool->identity;
        op.bytes = pool->block_bytes;
        break;
    }
    case POOL_PREPARE_SYNC: op.kind = DISK_SYNC; break;
    case POOL_PREPARE_RENAME:
        op.kind = DISK_RENAME;
        name_segment(number, pool->to);
        break;
    case POOL_GIVE_UP_CLOSE:
    case POOL_GIVE_BACK_CLOSE:
    case POOL_CLOSE: op.kind = DISK_CLOSE; break;
    case POOL_GIVE_UP_UNLINK:
    case POOL_REMOVE: op.kind = DISK_UNLINK; break;
    case POOL_IDLE: CHECK(pool->step != POOL_IDLE);
    }
    return op;
}

/* -------------------------------------------------------------------------------------- what a step's end leads to */

static void begin_make(struct pool *pool)
{
    pool->is_making = true;
    pool->job = (struct stock){.is_spare = true, .number = pool->next_spare++};
    name_spare_temporary(pool->job.number, pool->name);
    pool->filled = 0;
    pool->step = POOL_MAKE_OPEN;
}

/* The writer may be waiting for the next segment: filling one takes a hundred times as long as preparing another. */
static void set_aside(struct pool *pool)
{
    pool->half = pool->job;
    pool->half_file = pool->file;
    pool->file = DISK_NONE;
    pool->step = POOL_IDLE;
}

static void go_on_with_half(struct pool *pool)
{
    pool->is_making = true;
    pool->job = pool->half;
    pool->file = pool->half_file;
    pool->half_file = DISK_NONE;
    name_spare_temporary(pool->job.number, pool->name);
    pool->step = POOL_MAKE_FILL;
}

/* Any file will do; but one that bears the number already must be taken: no other could be given its name. */
static void begin_prepare(struct pool *pool, uint64_t number)
{
    uint32_t at = pool->stock_count - 1;
    for (uint32_t i = 0; i < pool->stock_count; i++)
        if (!pool->stock[i].is_spare && pool->stock[i].number == number) at = i;
    pool->is_making = false;
    pool->job = pool->stock[at];
    pool->stock[at] = pool->stock[--pool->stock_count];
    name_stock(&pool->job, pool->name);
    pool->step = POOL_PREPARE_OPEN;
}

static void begin_remove(struct pool *pool)
{
    pool->is_making = false;
    pool->job = pool->stock[--pool->stock_count];
    name_stock(&pool->job, pool->name);
    pool->step = POOL_REMOVE;
}

static bool is_space(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

/* The process or the machine lacks it, whichever file is asked for: that says nothing of the file. */
static bool is_shortage(int error) { return error == ENOMEM || error == EMFILE || error == ENFILE; }

static void give_up(struct pool *pool, int error, uint64_t now_ns)
{
    pool->no_space = is_space(error);
    pool->failure = error;
    pool->retry_ns = now_ns + RETRY_NS;
    pool->step = pool->file != DISK_NONE ? POOL_GIVE_UP_CLOSE : POOL_GIVE_UP_UNLINK;
}

/* No space for a file's new identity (copy on write), or for its new name: it is whole as what it was, and maybe the
 * last that is left. */
static void give_back(struct pool *pool, int error, uint64_t now_ns)
{
    pool->no_space = true;
    pool->failure = error;
    pool->retry_ns = now_ns + RETRY_NS;
    pool->step = POOL_GIVE_BACK_CLOSE;
}

static void back_into_stock(struct pool *pool)
{
    pool->file = DISK_NONE;
    pool->stock[pool->stock_count++] = pool->job; /* it came out of there: there is room */
    pool->step = POOL_IDLE;
}

/* May the opened file be written over? Nobody reads it, one link, the right size: else it is unlinked instead. The lock
 * comes first: who links the file after that asks for a lock itself, and is told that it is too late. */
static bool is_ours_alone(struct pool *pool, struct disk *disk)
{
    struct disk_file_info info;
    return disk_lock(disk, pool->file, DISK_LOCK_EXCLUSIVE) == 0 && disk_stat(disk, pool->file, &info) == 0 &&
           info.links == 1 && info.bytes == pool->segment_bytes;
}

static struct segment *prepared_segment(struct pool *pool, struct disk *disk, uint64_t number)
{
    disk_lock(disk, pool->file, DISK_UNLOCK); /* readers may look at it as the segment that it is now */
    struct segment *segment = segment_new(number);
    if (!segment) return NULL;
    segment_take_tables(segment, &pool->tables);
    if (!segment_make_tables(segment, pool->segment_bytes)) {
        segment_free(segment, disk);
        return NULL;
    }
    key_derive(&segment->key, pool->family, pool->salt);
    segment->file = pool->file;
    segment->file_bytes = pool->segment_bytes;
    segment->frames_end = pool->block_bytes;
    pool->file = DISK_NONE;
    return segment;
}

/* The step succeeded: what comes next. Returns an errno if it cannot go on, else 0. */
static int step_done(struct pool *pool, struct disk *disk, uint64_t number, const struct disk_op *op,
                     struct segment **out)
{
    switch (pool->step) {
    case POOL_MAKE_OPEN:
        pool->file = op->file;
        pool->step = POOL_MAKE_ALLOCATE;
        return 0;
    case POOL_MAKE_ALLOCATE: pool->step = POOL_MAKE_FILL; return 0;
    case POOL_MAKE_FILL:
        pool->filled += op->done;
        pool->made_bytes += op->done;
        if (pool->filled == pool->segment_bytes) pool->step = POOL_MAKE_SYNC;
        return 0;
    case POOL_MAKE_SYNC: pool->step = POOL_MAKE_RENAME; return 0;
    case POOL_MAKE_RENAME: pool->step = POOL_MAKE_SYNC_NAME; return 0;
    case POOL_MAKE_SYNC_NAME:
        pool->made++;
        pool->no_space = false;
        pool->failure = 0;
        if (!pool_add(pool, pool->job)) return ENOMEM;
        pool->step = POOL_CLOSE;
        return 0;
    case POOL_PREPARE_OPEN:
        pool->file = op->file;
        if (!is_ours_alone(pool, disk)) { /* somebody's backup, or being read: it lives on without its name */
            pool->step = POOL_GIVE_UP_CLOSE;
            return 0;
        }
        pool->step = POOL_PREPARE_IDENTITY;
        return disk_entropy(disk, &pool->salt, sizeof pool->salt);
    case POOL_PREPARE_IDENTITY: pool->step = POOL_PREPARE_SYNC; return 0;
    case POOL_PREPARE_SYNC: /* it bears the number already if memory was lacking for the segment that it had become */
        pool->step = pool->job.is_spare || pool->job.number != number ? POOL_PREPARE_RENAME : POOL_PREPARE_SYNC_NAME;
        return 0;
    case POOL_PREPARE_RENAME: pool->step = POOL_PREPARE_SYNC_NAME; return 0;
    case POOL_PREPARE_SYNC_NAME:
        *out = prepared_segment(pool, disk, number);
        if (!*out) { /* the file now bears the number; it is found there at the next try */
            disk_close_file(disk, &pool->file);
            pool->step = POOL_IDLE;
            (void)pool_add(pool, (struct stock){.number = number}); /* it came out of there: there is room */
            return ENOMEM;
        }
        pool->recycled += !pool->job.is_spare;
        if (!pool->no_space) pool->failure = 0;
        pool->step = POOL_IDLE;
        return 0;
    case POOL_GIVE_UP_CLOSE:
        pool->file = DISK_NONE;
        pool->step = POOL_GIVE_UP_UNLINK;
        return 0;
    case POOL_GIVE_BACK_CLOSE: back_into_stock(pool); return 0;
    case POOL_CLOSE:
        pool->file = DISK_NONE;
        pool->step = POOL_IDLE;
        return 0;
    case POOL_GIVE_UP_UNLINK:
    case POOL_REMOVE:
        pool->unlinked += !pool->is_making;
        pool->step = POOL_IDLE;
        return 0;
    case POOL_IDLE: break;
    }
    CHECK(pool->step != POOL_IDLE);
    return EINVAL;
}

/* The step failed. */
static void step_failed(struct pool *pool, int error, uint64_t now_ns)
{
    pool->failures += pool->step < POOL_GIVE_UP_CLOSE;
    switch (pool->step) {
    case POOL_IDLE: /* no memory for the segment that was prepared */
        pool->failure = error;
        pool->retry_ns = now_ns + RETRY_NS;
        return;
    case POOL_GIVE_UP_CLOSE: pool->file = DISK_NONE; pool->step = POOL_GIVE_UP_UNLINK; return;
    case POOL_GIVE_BACK_CLOSE: back_into_stock(pool); return;
    case POOL_CLOSE: pool->file = DISK_NONE; pool->step = POOL_IDLE; return;
    case POOL_GIVE_UP_UNLINK:
    case POOL_REMOVE: /* the file stays, a name that means nothing; the next open finds it */
        pool->step = POOL_IDLE;
        return;
    case POOL_PREPARE_OPEN:
        if (is_shortage(error)) { /* it is whole, and so is all the stock: none would open */
            pool->failure = error;
            pool->retry_ns = now_ns + RETRY_NS;
            back_into_stock(pool);
            return;
        }
        /* not a file, or no longer there: another will do, it does not mean that none can be had */
        pool->step = POOL_GIVE_UP_UNLINK;
        return;
    case POOL_PREPARE_IDENTITY:
    case POOL_PREPARE_RENAME:
        if (is_space(error))
            give_back(pool, error, now_ns);
        else
            give_up(pool, error, now_ns);
        return;
    case POOL_MAKE_SYNC_NAME:
    case POOL_PREPARE_SYNC_NAME: /* it has its new name already */
        memcpy(pool->name, pool->to, sizeof pool->name);
        give_up(pool, error, now_ns);
        return;
    default: give_up(pool, error, now_ns); return;
    }
}

void pool_step(struct pool *pool, struct disk *disk, struct segments *segments, uint64_t now_ns, enum pool_pace pace,
               uint64_t used, uint64_t room)
{
    if (pool->waiting) return;
    const bool may_try = (!is_shortage(pool->failure) && !pool->no_space) || now_ns >= pool->retry_ns;
    const bool can_prepare = !segments->ready && pool->stock_count > 0 && may_try;
    if (pool->step == POOL_MAKE_FILL && can_prepare) set_aside(pool);
    if (pool->step == POOL_IDLE) {
        if (can_prepare)
            begin_prepare(pool, segments->newest + 1);
        else if (pool->half_file != DISK_NONE)
            go_on_with_half(pool);
        else if (pool->stock_count > pool->keep)
            begin_remove(pool);
        else if (lacks_file(pool, segments) && now_ns >= pool->retry_ns)
            begin_make(pool);
        else
            return;
    }
    /* what would only be unlinked again is not worth its zeros */
    if (pool->step == POOL_MAKE_FILL && pool->stock_count >= pool->keep) pool->step = POOL_GIVE_UP_CLOSE;
    if (pool->step == POOL_MAKE_FILL && pace != POOL_FAST) {
        /* In step: done when the active segment is four fifths full, a third where nothing else is ready. */
        const uint64_t due = segments->ready ? used + used / 4 : used * 3;
        if (pace == POOL_REST || pool->filled > due) return;
    }
    const uint64_t piece = max_u64(POOL_PIECE_BYTES, align_down(min_u64(room, POOL_PIECE_BYTES_MAX), POOL_PIECE_BYTES));
    pool->op = operation_of(pool, segments->newest + 1, piece);
    pool->waiting = true;
    disk_submit(disk, &pool->op);
}

void pool_ended(struct pool *pool, struct disk *disk, struct segments *segments, uint64_t now_ns)
{
    pool->waiting = false;
    struct segment *made = NULL;
    const int error =
        pool->op.error ? pool->op.error : step_done(pool, disk, segments->newest + 1, &pool->op, &made);
    if (error) step_failed(pool, error, now_ns);
    if (made) {
        CHECK(!segments->ready);
        segments->ready = made;
    }
    pool_settle(pool, segments);
}

int pool_prepare_now(struct pool *pool, struct disk *disk, uint64_t number, struct segment **out)
{
    CHECK_EQ(pool->step, POOL_IDLE);
    *out = NULL;
    int make_error = 0, last_error = EIO;
    uint32_t made = 0;
    bool gave_back = false;
    while (!*out) {
        if (pool->step == POOL_IDLE) {
            if (gave_back) return last_error;
            if (make_error) return make_error;
            if (pool->stock_count > 0)
                begin_prepare(pool, number);
            else if (made++ == 0)
                begin_make(pool);
            else
                return last_error; /* not even a file just made can be prepared */
        }
        const bool is_make = pool->step >= POOL_MAKE_OPEN && pool->step <= POOL_MAKE_SYNC_NAME;
        struct disk_op op = operation_of(pool, number, POOL_PIECE_BYTES_MAX);
        int error = disk_run(disk, &op);
        if (!error) error = step_done(pool, disk, number, &op, out);
        if (error) last_error = error;
        if (error && is_make) make_error = error;
        if (error) step_failed(pool, error, 0);
        gave_back |= pool->step == POOL_GIVE_BACK_CLOSE;
        if (error && pool->step == POOL_IDLE && is_shortage(error)) return error;
    }
    return 0;
}
