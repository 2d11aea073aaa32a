/* layout.h: every structure on the medium, byte by byte. Twin of docs/format.md, which is normative: a change here is a
 * change there, and the static_asserts and the golden files hold both to the bytes.
 *
 * Sizes in bytes. All integers little-endian. A head is 128 bytes; its last 8 are the checksum of the 120 before.
 *
 *   segment file
 *   | identity block | frame | frame | ... | frame | slots | summary | ... | footer block |
 *   0                B                     ^frames_end (blocks)              ^size - B
 *
 *   frame (blocks)
 *   | head 128 | payload, 8-aligned | payload | ... | table: operation, operation, ... | zeros |
 */
#ifndef TEAK_FORMAT_LAYOUT_H
#define TEAK_FORMAT_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    FORMAT_VERSION = 1,
    HEAD_BYTES = 128,          /* identity, frame head, footer, STORE: the part that means something */
    BLOCK_BYTES_MIN = 4096,
    BLOCK_BYTES_MAX = 65536,
    SEGMENT_BYTES_MIN = 65536, /* 64 KiB, so that tests are small                                     */
    SEGMENT_BYTES_MAX = 1 << 30,
    SEGMENT_BLOCKS_MIN = 4,    /* identity, checkpoint, a frame, footer                               */
    PAYLOAD_ALIGN = 8,
    META_BYTES_MAX = 256,
    SLOT_PIECE = 16384,        /* slots of a sealed segment are written, and summed, in pieces of 256 KiB */
};

/* Sizes that STORE and every identity hold: what they must be for a segment to be one. */
static inline bool layout_sizes_are_sound(uint32_t block_bytes, uint64_t segment_bytes)
{
    return is_power_of_two(block_bytes) && block_bytes >= BLOCK_BYTES_MIN && block_bytes <= BLOCK_BYTES_MAX &&
           segment_bytes >= SEGMENT_BYTES_MIN && segment_bytes <= SEGMENT_BYTES_MAX &&
           segment_bytes % block_bytes == 0 && segment_bytes / block_bytes >= SEGMENT_BLOCKS_MIN;
}

#define MAGIC_STORE UINT64_C(0x524f54534b414554)    /* "TEAKSTOR" */
#define MAGIC_IDENTITY UINT64_C(0x4d4745534b414554) /* "TEAKSEGM" */
#define MAGIC_FOOTER UINT64_C(0x544f4f464b414554)   /* "TEAKFOOT" */
#define MAGIC_FRAME UINT64_C(0x454d52464b414554)    /* "TEAKFRME" */
#define MAGIC_SNAPSHOT UINT64_C(0x50414e534b414554) /* "TEAKSNAP" */
#define MAGIC_SNAPSHOT_FOOT UINT64_C(0x544f46534b414554) /* "TEAKSFOT" */
#define MAGIC_STATS UINT64_C(0x544154534b414554)    /* "TEAKSTAT" */

/* STORE: 4096 bytes, a head of 256 (more defaults will come), then zeros. Checksum: unkeyed XXH3, the root of trust. */
struct layout_store {
    le64 magic;           /* 0   */
    le32 version;         /* 8   */
    le32 block_bytes;     /* 12  */
    le64 segment_bytes;   /* 16  */
    uint8_t family[16];   /* 24  the same in every copy: checksums are keyed by it */
    uint8_t instance[16]; /* 40  new in every copy                                 */
    le64 features_ignore; /* 56  unknown bits: harmless                            */
    le64 features_read;   /* 64  unknown bits: may be read, not written            */
    le64 features_refuse; /* 72  unknown bits: refuse                              */
    le64 arena_bytes;     /* 80  defaults from here on; 0: the engine's own        */
    le64 linger_ns;       /* 88  */
    le32 strategy;        /* 96  enum teak_strategy                                */
    le32 in_flight;       /* 100 */
    le32 group_bytes;     /* 104 */
    le32 spares;          /* 108 */
    uint8_t zero[136];    /* 112 */
    le64 checksum;        /* 248 of bytes 0 to 247                                 */
};
static_assert(sizeof(struct layout_store) == 256, "docs/format.md: STORE");
static_assert(offsetof(struct layout_store, arena_bytes) == 80, "docs/format.md: STORE");
static_assert(offsetof(struct layout_store, checksum) == 248, "docs/format.md: STORE");

/* Block 0 of a segment. Keyed by family and the salt it holds. The rest of the block is zeros. */
struct layout_identity {
    le64 magic;           /* 0   */
    le32 version;         /* 8   */
    le32 block_bytes;     /* 12  */
    le64 segment_bytes;   /* 16  size of the file when it was prepared             */
    uint8_t family[16];   /* 24  */
    le64 segment;         /* 40  the number in the file's name                     */
    le64 salt;            /* 48  random, drawn at each use                         */
    le64 features_ignore; /* 56  */
    le64 features_read;   /* 64  */
    le64 features_refuse; /* 72  */
    uint8_t zero[40];     /* 80  */
    le64 checksum;        /* 120 */
};
static_assert(sizeof(struct layout_identity) == HEAD_BYTES, "docs/format.md: identity");

/* Judged by these bytes alone, and only at the offset that it names. */
struct layout_frame {
    le64 magic;         /* 0   */
    le64 salt;          /* 8   in clear: the head can be judged without the identity   */
    le64 segment;       /* 16  */
    le32 offset;        /* 24  in the file                                             */
    le32 bytes;         /* 28  of the whole frame, blocks                              */
    le64 lsn;           /* 32  */
    le64 durable_lsn;   /* 40  every frame up to it was safe when this one was built   */
    le64 chain;         /* 48  checksum of the frame head before, also across segments */
    le32 table_offset;  /* 56  in the frame; 8-aligned; = end of the payloads          */
    le32 table_bytes;   /* 60  */
    le64 table_sum;     /* 64  */
    le32 op_count;      /* 72  operations in the table                                 */
    le32 entry_count;   /* 76  entries in the table                                    */
    uint8_t zero[40];   /* 80  */
    le64 checksum;      /* 120 */
};
static_assert(sizeof(struct layout_frame) == HEAD_BYTES, "docs/format.md: frame");
static_assert(offsetof(struct layout_frame, durable_lsn) == 40, "docs/format.md: frame");
static_assert(offsetof(struct layout_frame, table_sum) == 64, "docs/format.md: frame");

/* Where an entry lies. The same 16 bytes in a frame's table, in memory, and in a sealed segment's index. */
struct layout_slot {
    le32 offset; /* of the payload in the segment file, 8-aligned */
    le32 bytes;  /* of the payload                                */
    le64 sum;    /* of the payload and of who it is               */
};
static_assert(sizeof(struct layout_slot) == 16, "docs/format.md: slot");

/* What an entry takes of a segment: its payload with padding, its slot in the table, its slot in the index. */
static inline uint64_t entry_cost(uint32_t bytes)
{
    return align_up(bytes, PAYLOAD_ALIGN) + 2 * sizeof(struct layout_slot);
}

/* One slot to two places, in two stores each: what is stored in halves cannot be read back whole at once. */
static inline void slot_put(uint32_t offset, uint32_t bytes, uint64_t sum, void *one, void *other)
{
    const le64 words[2] = {le64_of((uint64_t)bytes << 32 | offset), le64_of(sum)};
    memcpy(one, &words[0], 8);
    memcpy((uint8_t *)one + 8, &words[1], 8);
    memcpy(other, &words[0], 8);
    memcpy((uint8_t *)other + 8, &words[1], 8);
}

/* Operations. Every one begins with this head; `bytes_of(op)` follows from code and count. Codes up to 63 and all bits
 * of `flags` are of the kind that refuses: a reader that does not know one must not go on. */
enum op_code {
    OP_CREATE = 1,     /* head                                                                       */
    OP_ENTRIES = 2,    /* head {kind, flags, count} first term, then count slots                     */
    OP_HARD_STATE = 3, /* head term vote commit                                                      */
    OP_TRUNCATE = 4,   /* head from                                                                  */
    OP_SNAPSHOT = 5,   /* head {kind = enum snapshot_effect} index term file_id file_bytes file_sum
                        * (file_id 0: the caller keeps it)                                         */
    OP_COMPACT = 6,    /* head upto term                                                             */
    OP_META = 7,       /* head {count = bytes}, bytes padded with zeros to 8                         */
    OP_DROP = 8,       /* head                                                                       */
    OP_FORGET = 9,     /* head {log = 0} oldest segment kept                                         */
    OP_MARK = 10,      /* head {kind = enum mark, log = 0}                                           */
    OP_CHECKPOINT = 11,/* head {count = logs} oldest, attestation (5), then count records            */
    OP_REPLACE = 12,   /* as ENTRIES: the same entries again, bytes elsewhere                        */
    OP_CODE_COUNT,
};
enum mark { MARK_CLEAN = 1, MARK_IDLE = 2 };
/* `kind` of a SNAPSHOT: what it did. Written down, because the terms that decided it may be forgotten before a
 * replay. */
enum snapshot_effect { SNAPSHOT_STALE = 0, SNAPSHOT_KEEPS = 1, SNAPSHOT_CLEARS = 2 };

struct layout_op {
    uint8_t code;
    uint8_t kind;
    uint8_t flags; /* 0: none is defined; kept for compression and encryption */
    uint8_t zero;
    le32 count;
    le64 log;
};
static_assert(sizeof(struct layout_op) == 16, "docs/format.md: operation");

struct layout_entries { struct layout_op op; le64 first, term; };
struct layout_hard_state { struct layout_op op; le64 term, vote, commit; };
struct layout_truncate { struct layout_op op; le64 from; };
struct layout_snapshot { struct layout_op op; le64 index, term, file_id, file_bytes, file_sum; };
struct layout_compact { struct layout_op op; le64 upto, term; };
struct layout_forget { struct layout_op op; le64 oldest; };
struct layout_checkpoint {
    struct layout_op op;
    le64 oldest;                                      /* oldest segment kept                         */
    le64 segment, salt, last_lsn, end_offset, chain;  /* the predecessor's end; all 0 in the first   */
};
static_assert(sizeof(struct layout_entries) == 32, "docs/format.md: ENTRIES");
static_assert(sizeof(struct layout_hard_state) == 40, "docs/format.md: HARD_STATE");
static_assert(sizeof(struct layout_truncate) == 24, "docs/format.md: TRUNCATE");
static_assert(sizeof(struct layout_snapshot) == 56, "docs/format.md: SNAPSHOT");
static_assert(sizeof(struct layout_compact) == 32, "docs/format.md: COMPACT");
static_assert(sizeof(struct layout_forget) == 24, "docs/format.md: FORGET");
static_assert(sizeof(struct layout_checkpoint) == 64, "docs/format.md: CHECKPOINT");

/* One log in a checkpoint: 128 bytes, then META padded with zeros to 8. */
struct layout_log {
    le64 log, life;                 /* life: LSN of the frame that created it             */
    le64 term, vote, commit;        /* hard state                                         */
    le64 base_index, base_term;     /* before the first entry; first = base_index + 1     */
    le64 last_index, last_term;
    le64 snapshot_index, snapshot_term;
    le64 file_id, file_bytes, file_sum;
    le64 changed_lsn;               /* the last frame that held an operation on it        */
    le32 marks;                     /* enum log_mark                                      */
    le32 meta_bytes;                /* <= 256                                             */
};
static_assert(sizeof(struct layout_log) == 128, "docs/format.md: log record");
enum log_mark {
    LOG_FRESH = 1 << 0,              /* nothing appended yet: the first entry may have any index        */
    LOG_TAIL_LOST = 1 << 1,          /* entries that were acknowledged may be missing behind its last   */
    LOG_HARD_STATE_SUSPECT = 1 << 2, /* a newer hard state may have been acknowledged                   */
};
/* A log with one of these takes no operation but DROP. */
enum { LOG_HURT = LOG_TAIL_LOST | LOG_HARD_STATE_SUSPECT };

/* Sealed segment: the net effect of the segment on one log, extents behind it. Records ascend in log id. */
struct layout_touched {
    le64 log;
    le64 removed_from;  /* lowest index it removed from before; UINT64_MAX: none; 0: everything                    */
    le32 flags;         /* enum touched_flag                                                                       */
    le32 extent_count;
    le64 bytes;         /* what its entries here cost: entry_cost of each                                         */
};
static_assert(sizeof(struct layout_touched) == 32, "docs/format.md: summary record");
static_assert(offsetof(struct layout_touched, bytes) == 24, "docs/format.md: summary record");
enum touched_flag {
    TOUCHED_CREATED = 1 << 0, /* nothing of the log from before belongs to it */
    TOUCHED_DROPPED = 1 << 1, /* the log ended here                           */
};

/* Entries with contiguous indexes, contiguous slots, one term and one kind.
 *
 *   a log's extents in one segment, by index:
 *   | REPLACES  |    | REPLACES | |   own        |   own     |
 *   100      110      140    150   900        950 951      990
 *   the same entries as before, gaps between   what the segment removes from before ends where they begin
 */
struct layout_extent {
    le64 first, term;
    le32 count, slot;   /* slot of `first` in the segment's slots */
    uint8_t kind, flags, zero[6];
};
static_assert(sizeof(struct layout_extent) == 32, "docs/format.md: extent");
static_assert(offsetof(struct layout_extent, flags) == 25, "docs/format.md: extent");
enum extent_flag {
    EXTENT_REPLACES = 1 << 0, /* from REPLACE: entries that were there before; what lies above them stays */
};

/* First 128 bytes of the file's last block. Valid only if all before it is durable. */
struct layout_footer {
    le64 magic;          /* 0   */
    le64 salt;           /* 8   */
    le64 segment;        /* 16  */
    le64 first_lsn;      /* 24  */
    le64 last_lsn;       /* 32  */
    le64 chain;          /* 40  checksum of the last frame head                 */
    le64 slots_sum;      /* 48  of the sums of its pieces of SLOT_PIECE slots   */
    le64 summary_sum;    /* 56  */
    le32 frames_end;     /* 64  */
    le32 slots_offset;   /* 68  = frames_end                                    */
    le32 slot_count;     /* 72  */
    le32 summary_offset; /* 76  blocks                                          */
    le32 summary_bytes;  /* 80  */
    le32 log_count;      /* 84  records in the summary                          */
    le64 file_bytes;     /* 88  size of the file: the footer is its last block  */
    le32 flags;          /* 96  enum footer_flag                                */
    uint8_t zero[20];    /* 100 */
    le64 checksum;       /* 120 */
};
static_assert(sizeof(struct layout_footer) == HEAD_BYTES, "docs/format.md: footer");
enum footer_flag {
    FOOTER_SALVAGED = 1 << 0, /* frames were lost and the loss was accepted: only what the index names counts */
};

/* Snapshot file:
 *
 *   | head 128 | meta | pad | chunk 65536 | chunk 65536 | ... | last chunk | pad | foot 128 | pad |
 *   0                 blocks                                   blocks             size - B
 *
 * Keyed by family and file_id, which is drawn for each file. Only the foot makes it whole. */
enum {
    SNAPSHOT_META_MAX = 65536,
    SNAPSHOT_CHUNK = 65536,              /* a full chunk in the file                             */
    SNAPSHOT_CHUNK_HEAD = 16,
    SNAPSHOT_CHUNK_BODY = SNAPSHOT_CHUNK - SNAPSHOT_CHUNK_HEAD,
};
#define SNAPSHOT_BODY_MAX (UINT64_C(1) << 62)
#define SNAPSHOT_BODY_UNKNOWN UINT64_MAX

struct layout_snapshot_head {
    le64 magic;         /* 0   */
    le32 version;       /* 8   */
    le32 block_bytes;   /* 12  head with meta, last chunk and foot each end at a multiple */
    uint8_t family[16]; /* 16  */
    le64 file_id;       /* 32  random, drawn for each file: the salt of its sums          */
    le64 log;           /* 40  */
    le64 life;          /* 48  of the log: LSN of its CREATE                              */
    le64 index, term;   /* 56  of the last entry that the snapshot holds                  */
    le64 stream;        /* 72  the caller's name of this snapshot                         */
    le64 body_bytes;    /* 80  as announced; 2^64 - 1: not known when the stream began    */
    le64 meta_sum;      /* 88  */
    le32 meta_bytes;    /* 96  <= 65536                                                   */
    uint8_t zero[20];   /* 100 */
    le64 checksum;      /* 120 */
};
static_assert(sizeof(struct layout_snapshot_head) == HEAD_BYTES, "docs/format.md: snapshot head");
static_assert(offsetof(struct layout_snapshot_head, file_id) == 32, "docs/format.md: snapshot head");
static_assert(offsetof(struct layout_snapshot_head, body_bytes) == 80, "docs/format.md: snapshot head");
static_assert(offsetof(struct layout_snapshot_head, checksum) == 120, "docs/format.md: snapshot head");

struct layout_chunk {
    le64 sum;   /* of the bytes behind it, and of log, life, chunk number, length */
    le32 bytes; /* of the body; 65520 in all but the last                         */
    le32 zero;
};
static_assert(sizeof(struct layout_chunk) == SNAPSHOT_CHUNK_HEAD, "docs/format.md: chunk");

/* First 128 bytes of the file's last block. */
struct layout_snapshot_foot {
    le64 magic;       /* 0   */
    le64 file_id;     /* 8   */
    le64 file_bytes;  /* 16  size of the file                                          */
    le64 body_bytes;  /* 24  as it came to be                                          */
    le64 chunk_count; /* 32  */
    le64 chain;       /* 40  over the head's checksum and the sums of all chunks       */
    uint8_t zero[72]; /* 48  */
    le64 checksum;    /* 120 = file_sum in the log's record                            */
};
static_assert(sizeof(struct layout_snapshot_foot) == HEAD_BYTES, "docs/format.md: snapshot foot");

/* STATS: a head, then counters, labels and histograms. Unkeyed sums; worth nothing but to be shown. */
struct layout_stats {
    le64 magic;           /* 0   */
    le32 version;         /* 8   */
    le32 flags;           /* 12  bit 0: written by teak_close                    */
    uint8_t instance[16]; /* 16  of the store                                    */
    le64 pid;             /* 32  */
    le64 sequence;        /* 40  of this writing, from 1 at each opening         */
    le64 uptime_ns;       /* 48  since opening                                   */
    le32 bytes;           /* 56  of head and all behind it                       */
    le32 counters;        /* 60  */
    le32 labels;          /* 64  */
    le32 histograms;      /* 68  */
    le64 body_sum;        /* 72  of the bytes behind the head                    */
    uint8_t zero[40];     /* 80  */
    le64 checksum;        /* 120 of bytes 0 to 119                               */
};
static_assert(sizeof(struct layout_stats) == HEAD_BYTES, "docs/format.md: STATS");

enum { STATS_NAME_BYTES = 32, STATS_TEXT_BYTES = 16 };
struct layout_stats_counter { char name[STATS_NAME_BYTES]; le64 value; le32 kind; le32 zero; };
struct layout_stats_label { char name[STATS_NAME_BYTES]; char text[STATS_TEXT_BYTES]; };
struct layout_stats_histogram { char name[STATS_NAME_BYTES]; le64 count, sum, max; le32 buckets, zero; };
struct layout_stats_bucket { le32 bucket, zero; le64 count; };
static_assert(sizeof(struct layout_stats_counter) == 48, "docs/format.md: STATS");
static_assert(sizeof(struct layout_stats_label) == 48, "docs/format.md: STATS");
static_assert(sizeof(struct layout_stats_histogram) == 64, "docs/format.md: STATS");
static_assert(sizeof(struct layout_stats_bucket) == 16, "docs/format.md: STATS");

#endif
