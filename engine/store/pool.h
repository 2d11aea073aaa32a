/* pool.h: the supply of segments: zero-filled once, then recycled for ever; the next one always ready.
 *
 * OWNS   The files that are nobody's: spares, forgotten segments. One job at a time, one operation of it at the disk.
 *
 *   make     create spare-N.tmp, allocate, zero-fill in pieces, sync, rename to spare-N.seg, sync the directory
 *            set aside, half filled, while one in stock has to be prepared; given up where enough came back meanwhile
 *   prepare  take a file; nobody else's?; identity with new number and salt, sync; rename to the number, never over
 *            another file; sync the directory; only now the writer may know it
 *   remove   unlink what is not needed
 *
 * FAILS  No space: the half-made file goes, one that was being prepared stays in stock, `no_space` is set, and it is
 *        tried again every second and when files come back. No descriptor, or no memory, to open a file: what is
 *        in stock stays there, tried again alike. Another error: the file goes, `failure` keeps the cause until a try
 *        succeeds.
 * HOLDS  Nothing is written into a file whose name is not durable; a file with a second link, or locked by a reader, is
 *        unlinked, never recycled; a filled file never passes for one unless all of it was written and synced.
 */
#ifndef TEAK_STORE_POOL_H
#define TEAK_STORE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "format/segment_id.h"
#include "os/disk.h"
#include "store/flight.h"
#include "store/segment.h"

enum pool_step {
    POOL_IDLE,
    POOL_MAKE_OPEN, POOL_MAKE_ALLOCATE, POOL_MAKE_FILL, POOL_MAKE_SYNC, POOL_MAKE_RENAME, POOL_MAKE_SYNC_NAME,
    POOL_PREPARE_OPEN, POOL_PREPARE_IDENTITY, POOL_PREPARE_SYNC, POOL_PREPARE_RENAME, POOL_PREPARE_SYNC_NAME,
    POOL_GIVE_UP_CLOSE, POOL_GIVE_UP_UNLINK, POOL_GIVE_BACK_CLOSE, POOL_CLOSE, POOL_REMOVE,
};

/* A file that is nobody's. */
struct stock {
    bool is_spare;   /* named spare-N.seg; else N.seg, a segment that was forgotten */
    uint64_t number;
};

struct pool {
    enum errand errand; /* ERRAND_POOL */
    enum pool_step step;
    bool waiting;       /* an operation is at the disk            */
    struct disk_op op;
    struct stock job;   /* the file at hand                       */
    bool is_making;     /* it is new                              */
    int32_t file;       /* of it, open                            */
    struct stock half;  /* filled in part, set aside while another file is prepared */
    int32_t half_file;  /* of it, open; DISK_NONE: there is none  */
    char name[NAME_BYTES], to[NAME_BYTES];
    int32_t directory;
    uint32_t open_flags;    /* DISK_DIRECT, where there is one      */
    uint32_t block_bytes;
    uint64_t segment_bytes;
    uint8_t family[16];
    uint8_t *zeros;         /* the largest piece, never written     */
    uint8_t *identity;      /* one block                            */
    uint64_t salt;          /* drawn for the file being prepared    */
    uint64_t filled;        /* bytes of the file that is being made */
    struct stock *stock;
    uint32_t stock_count, stock_capacity;
    uint32_t spares;        /* stock to fill up to                  */
    uint32_t keep;          /* stock beyond that is unlinked        */
    uint32_t coming;        /* stock as soon as the FORGET that was written is durable */
    uint64_t next_spare;    /* number for the next new file         */
    struct spare_tables tables; /* of a sealed segment, for the next */
    bool no_space;
    int failure;            /* errno of the last try, 0: it was fine */
    uint64_t retry_ns;      /* not before                            */
    /* counted */
    uint64_t made, made_bytes, recycled, unlinked, failures;
};

enum { POOL_PIECE_BYTES = 128 * 1024, POOL_PIECE_BYTES_MAX = 1024 * 1024 };

bool pool_init(struct pool *pool, int32_t directory, uint32_t open_flags, const struct segment_id *shape,
               uint32_t spares);
void pool_fini(struct pool *pool, struct disk *disk);

/* A file that is nobody's any more. false: no memory (the file stays where it is, and is found at the next open). */
bool pool_add(struct pool *pool, struct stock stock);

/* How the filler may behave: as fast as it can, in step with the writer, or not at all. */
enum pool_pace { POOL_FAST, POOL_IN_STEP, POOL_REST };

/* Start the next operation, if one is due and none is at the disk. `used`: bytes of the active segment. `room`: of
 * zeros that may be written at a time, within the bounds above. */
void pool_step(struct pool *pool, struct disk *disk, struct segments *segments, uint64_t now_ns, enum pool_pace pace,
               uint64_t used, uint64_t room);
/* The operation ended. */
void pool_ended(struct pool *pool, struct disk *disk, struct segments *segments, uint64_t now_ns);
static inline bool pool_is_busy(const struct pool *pool)
{
    return pool->step != POOL_IDLE || pool->half_file != DISK_NONE;
}
/* What was forgotten or prepared may be all that was wanting: then no new file is tried, and space is not lacking any
 * more. */
void pool_settle(struct pool *pool, const struct segments *segments);
/* Due without waiting for the disk or the clock? */
bool pool_has_work(const struct pool *pool, const struct segments *segments);
/* How many segments beyond the active one are certain to come: what is ready, in stock or being prepared, and the new
 * file once its blocks are its own. */
static inline uint32_t pool_supply(const struct pool *pool, const struct segments *segments)
{
    const bool has_blocks =
        (pool->step >= POOL_MAKE_FILL && pool->step <= POOL_MAKE_SYNC_NAME) || pool->half_file != DISK_NONE;
    const bool is_prepared = pool->step >= POOL_PREPARE_OPEN && pool->step <= POOL_PREPARE_SYNC_NAME;
    return pool->stock_count + (segments->ready != NULL) + has_blocks + is_prepared;
}

/* The same jobs by plain calls, for opening: makes a file if there is none in stock, prepares it as segment `number`.
 * 0 and a READY segment, or an errno. */
int pool_prepare_now(struct pool *pool, struct disk *disk, uint64_t number, struct segment **out);

#endif
