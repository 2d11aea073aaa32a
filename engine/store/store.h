/* store.h: the parts of a store, put together. Only the upper files of this floor see all of it. */
#ifndef TEAK_STORE_STORE_H
#define TEAK_STORE_STORE_H

#include "format/superblock.h"
#include "os/disk.h"
#include "store/arena.h"
#include "store/events.h"
#include "store/flight.h"
#include "store/harm.h"
#include "store/handle.h"
#include "store/log.h"
#include "store/notice.h"
#include "store/pool.h"
#include "store/relocate.h"
#include "store/publish.h"
#include "store/seal.h"
#include "store/segment.h"
#include "store/snapshots.h"
#include "store/stall.h"
#include "store/ticket.h"
#include "store/writer.h"
#include "teak/committer.h"
#include "teak/engine.h"

/* A payload that is not what was written, in a frame whose table is. */
struct rotten {
    uint64_t log, index, segment;
    uint32_t offset;
};

/* What replay met that is missing (replay.c). */
struct losses {
    bool is_blind;      /* behind the last checkpoint, frames are lost whose operations nobody knows */
    uint64_t first_lsn; /* the first that was lost since the last checkpoint; 0: none                */
    struct rotten *rotten;
    uint32_t rotten_count, rotten_capacity;
};

enum store_phase {
    STORE_READING, /* read-only: never more                                               */
    STORE_OPENED,  /* read and judged; what opening has to change waits for the first batch */
    STORE_WRITING,
};

struct stream;
struct fetch;
struct teak_cursor;

/* Reads that nobody waits for (fetch.c). */
struct streams {
    struct stream *all;
    struct fetch *first, *last; /* wait for their turn; linked by next. `last` means nothing if there is none */
    uint32_t out;               /* at work: each has one operation at the disk                                */
    uint32_t awaited;           /* streams whose cursor was told PENDING                                      */
    bool news;                  /* one of them can be asked again: the poll that waits returns                */
    bool are_mute;              /* a drain waits for completions alone                                        */
};

/* What a committer counts; all zero where there is none. */
struct crowd {
    uint64_t requests, groups, woken, waits_for_room, gathers, gathers_vain;
    struct teak_histogram request_wait;
};

struct teak_store {
    struct disk *disk;
    int32_t directory, lock_file;
    bool has_lock;                    /* LOCK is held exclusively, with our pid in it              */
    uint32_t open_flags;              /* DISK_DIRECT where there is one                    */
    struct superblock superblock;
    struct teak_limits limits;
    uint64_t linger_ns;
    struct disk_device device;
    enum store_phase phase;
    const void *thread;               /* who drives it: the address of a mark of its own thread; NULL: nobody yet */
    const void *lender;               /* while it is lent: who drives it otherwise                       */
    struct logs logs;
    struct segments segments;
    struct arena arena;
    struct tickets tickets;
    struct flight flight;
    struct pool pool;
    struct seal seal;
    struct snapshots snapshots;
    struct relocate relocate;
    struct writer writer;
    struct events events;
    struct notice notice;
    struct stall stall;
    struct publish publish;
    struct crowd crowd;
    /* what opening leaves to be done (recover_apply.c) */
    bool continues;                   /* behind a clean mark: the newest segment is written on    */
    uint64_t cut_first, cut_end;      /* files behind the cut: their numbers, [first, end)        */
    uint32_t leftover_count;          /* half-made spares and STOREs to remove                    */
    bool quarantine;                  /* options->on_damage                                       */
    bool settled;                     /* opening to look, and nobody writes: no file vanishes        */
    bool lenient;                     /* opening: files are read as far as they go                */
    bool salvaging;                   /* damage was passed over: the first write keeps it in replaced/ */
    bool mends;                       /* opening: STORE may be made anew out of the segments      */
    uint32_t in_flight_usual;         /* frames, where neither the opening nor STORE says         */
    bool store_lost;                  /* it was: the first write writes it                        */
    struct losses losses;             /* meaningful while opening                                 */
    struct harm harm;                 /* what opening found damaged                               */
    uint32_t harm_count;              /* so many places                                           */
    /* forgetting (compact.c) */
    uint64_t forget_lsn, forget_upto; /* frame that says FORGET; 0: none under way                */
    uint64_t forgot_at;               /* the newest segment when that was done last               */
    uint64_t rolled_high;             /* segments filled between two of those, of late            */
    uint64_t want_keep;               /* files for the pool to keep, were there no bound            */
    uint64_t forgotten;
    /* turn.c */
    uint64_t now_ns;
    uint64_t until_ns;                /* the turn at hand, or the last, waits so long             */
    uint64_t idle_since_ns;           /* everything durable since; 0: not idle                    */
    bool chores_turn;                 /* whose turn it is: pool or seal                           */
    bool moves_turn;                  /* every second time the mover comes before both            */
    bool starved;                     /* a batch was answered TEAK_FULL since the last success    */
    bool chore_ended;                 /* in this turn, or tables have grown                        */
    bool unstarted;                   /* since the last start something came that may let more start */
    bool no_memory;                   /* the chores could not grow what admission needs           */
    uint32_t lane_bytes;              /* a frame of so many is worth a write beside another: TURN_LANE_BYTES      */
    uint64_t lane_batches;            /* a committer's: so many open a second lane, too; 0: none do           */
    bool can_be_woken;                /* a committer's: polling waits though nothing is awaited, until disk_wake */
    bool closing;                     /* the clean mark is written: nothing may come behind it    */
    /* reader.c */
    uint32_t open_sealed;             /* sealed segments with a descriptor                        */
    struct segment *retired;          /* forgotten while fetches were at work on them             */
    struct streams streams;           /* fetch.c                                                  */
    struct teak_cursor *cursors;      /* all that are open                                        */
    struct readers readers;           /* handle.c                                                 */
    uint64_t arena_reads, disk_reads, disk_read_bytes;
    /* inspection (read-only) */
    bool living;                      /* a writer has it open                                     */
    uint64_t spares_seen;
};

/* teak_open on a disk that the caller made, whatever options->backend says: the door for disks that are not real. The
 * store's from here on, whatever the answer. NULL: makes one. */
enum teak_status store_open_on(struct disk *disk, const char *directory, const struct teak_options *options,
                               struct teak_store **out, struct teak_report *report, struct teak_error *error);

/* The same with other frames in flight than the engine's where neither the options nor STORE says. */
enum teak_status store_open_flying_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                      uint32_t in_flight_usual, struct teak_store **out, struct teak_report *report,
                                      struct teak_error *error);

/* teak_open for a repair: where STORE is lost or rotten it is what the segments repeat of it (history 15), until the
 * first write makes it so. */
enum teak_status store_open_mending(const char *directory, const struct teak_options *options, struct teak_store **out,
                                    struct teak_report *report, struct teak_error *error);
enum teak_status store_open_mending_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                       struct teak_store **out, struct teak_report *report, struct teak_error *error);

/* The end of one that was opened, or came half of the way: what is out lands, and the disk lets go, before the memory
 * it is written from is freed. */
void store_destroy(struct teak_store *store);

/* Events that wait are told to the host. Every structure must be whole. */
void store_tell(struct teak_store *store);

/* The calling thread drives the store, or becomes the one that does; and the store may write. For public calls. */
enum teak_status store_guard(struct teak_store *store, struct teak_error *error);
enum teak_status store_guard_writing(struct teak_store *store, struct teak_error *error);

/* A committer's store in the hands of a caller, on its own thread: he may look, read, and begin streams. Whatever would
 * take part in the committer's work, submitting, polling, closing, is refused with IN_CALLBACK. */
void store_lend(struct teak_store *store);
void store_take_back(struct teak_store *store);
bool store_is_lent(const struct teak_store *store);

/* teak_committer_open on such a disk. */
enum teak_status committer_open_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                   const struct teak_committer_options *own, struct teak_committer **out,
                                   struct teak_report *report, struct teak_error *error);

/* teak_defaults_get, and _set with defaults that were judged, on such a disk. */
enum teak_status store_defaults_get_on(struct disk *disk, const char *directory, struct teak_defaults *out,
                                       struct teak_error *error);
enum teak_status store_defaults_set_on(struct disk *disk, const char *directory, const struct teak_defaults *defaults,
                                       struct teak_error *error);

/* A store to be made of files that come from elsewhere, for copy.c: its directory, made where it is missing, what will
 * stand in its STORE, and LOCK. Reads only, until teak_abandon; recover_read may be asked what the files are. */
enum teak_status store_begin_bare(const char *directory, const struct superblock *superblock, struct teak_store **out,
                                  struct teak_error *error);

#endif
