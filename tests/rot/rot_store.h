/* rot_store.h: a small store on the simulated disk, with everything known of it: what every byte of every file is, what
 * the files held in an earlier life, and what the store has to show.
 */
#ifndef TEAK_TESTS_ROT_STORE_H
#define TEAK_TESTS_ROT_STORE_H

#include "store/rig.h"

#include "sim/sim_disk.h"
#include "store/store.h"

/* Where a file stands in the row of segments. Opening goes by the index of the first two, and reads the other two. */
enum rot_place {
    PLACE_FIRST,  /* the oldest segment kept, with an index                        */
    PLACE_SEALED, /* one in the middle, with an index                              */
    PLACE_CLOSED, /* full, a checkpoint stands behind it, its index is not written */
    PLACE_LAST,   /* the newest with frames                                        */
    PLACE_NEXT,   /* prepared, nothing written                                     */
    PLACE_FILE,   /* no segment                                                    */
    PLACE_COUNT
};

enum rot_structure {
    IS_PADDING,  /* and what lies behind the frames */
    IS_IDENTITY,
    IS_IDENTITY_NAME, /* magic and family, where nothing else says whose it is    */
    IS_CHECKPOINT_HEAD,
    IS_CHECKPOINT_TABLE,
    IS_FRAME_HEAD,
    IS_FRAME_TABLE,
    IS_LIVE_PAYLOAD,
    IS_DEAD_PAYLOAD, /* of entries that were truncated or compacted since         */
    IS_LAST_HEAD,    /* of the newest frame, for which nobody vouches yet         */
    IS_LAST_TABLE,
    IS_LAST_PAYLOAD,
    IS_SLOTS,
    IS_SUMMARY,
    IS_FOOTER,
    IS_STORE,
    IS_STATS,
    IS_LOCK,
    IS_SNAPSHOT_HEAD,
    IS_SNAPSHOT_META,
    IS_SNAPSHOT_CHUNK,
    IS_SNAPSHOT_BODY,
    IS_SNAPSHOT_FOOT,
    STRUCTURE_COUNT
};

extern const char *const rot_place_names[PLACE_COUNT], *const rot_structure_names[STRUCTURE_COUNT];

/* An entry as it lies in a file. */
struct rot_entry {
    uint64_t log, index, term;
    uint64_t segment;
    uint32_t offset, bytes;
    bool is_live;
};

struct rot_frame {
    uint64_t segment, lsn;
    uint32_t offset, bytes;
};

enum { ROT_NONE = 0xffff };
struct rot_byte {
    uint8_t structure; /* enum rot_structure                                   */
    uint16_t frame;    /* in rot_store.frames, or ROT_NONE                     */
    uint16_t entry;    /* in rot_store.entries, or ROT_NONE: one of its payload */
};

struct rot_file {
    char name[80];
    enum rot_place place;
    uint64_t segment;      /* 0: none                                          */
    uint32_t file;         /* for sim_rot                                      */
    uint32_t count;
    uint8_t *pristine;
    uint8_t *stale;        /* an earlier life of the same file, or NULL        */
    struct rot_byte *is;
};

enum { ROT_LOGS = 8, ROT_ENTRIES = 160, ROT_FILES = 10, ROT_BODY = 66000, ROT_SNAPSHOT_LOG = 13 };

struct truth_log {
    struct teak_log log;
    uint8_t meta[256];
    struct { uint64_t term; uint32_t bytes; uint8_t kind; } entries[ROT_ENTRIES]; /* [0] is log.first */
};

/* What a store shows: taken from the living one that wrote it. */
struct truth {
    uint64_t last_lsn;
    uint32_t log_count;
    struct truth_log logs[ROT_LOGS];
};

struct rot_store {
    struct sim_medium *medium;
    struct truth whole, cut;    /* all of it; without the newest frame */
    struct rot_file files[ROT_FILES];
    uint32_t file_count;
    struct rot_frame frames[256];
    uint32_t frame_count;
    struct rot_entry entries[1024];
    uint32_t entry_count;
};

/* The only one, made at the first call. */
struct rot_store *rot_store(void);
void rot_store_free(void);

struct teak_options rot_options(void);

/* What the living store shows now. */
void truth_take(struct teak_store *store, struct truth *out);

#endif
