/* wire_layout.h: every structure of a message on its way, byte by byte. Twin of docs/raft.md, section Wire, which is
 * normative: a change here is a change there, and the static_asserts and the golden files hold both to the bytes.
 *
 * Sizes in bytes. All integers little-endian. Every part begins at a multiple of 8 from the beginning of the message.
 *
 *   | head 144 | record 16 | record 16 | ... | payload, pad | payload, pad | ...      APPEND
 *   | head 144 | record 64 | configuration, pad | piece, pad |                        SNAPSHOT
 *   | head 144 |                                                                      all others
 *
 * Within a version head, records and the whole may become longer: who does not know what is behind passes over it.
 */
#ifndef TEAK_WIRE_LAYOUT_H
#define TEAK_WIRE_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "teak/raft_wire.h"

#define WIRE_MAGIC UINT32_C(0x4d524b54) /* "TKRM" */

enum {
    WIRE_VERSION = 1,    /* of what is written                               */
    WIRE_LEVEL = 1,      /* the highest version that is read                 */
    WIRE_ALIGN = 8,
    WIRE_SUM_BYTES = 8   /* the sum itself, which is of all the bytes behind */
};

/* Bits 0 to 7 may be passed over by who does not know them; a message with an unknown one of 8 to 15 is dropped. */
enum wire_flag {
    WIRE_REFUSED = 1 << 0,
    WIRE_FULL = 1 << 1,
    WIRE_FORCE = 1 << 2,
    WIRE_MUST_UNDERSTAND = 0xff00
};

struct wire_head {
    le64 sum;            /* 0   of bytes 8 to the end, see wire_sum.h      */
    le32 magic;          /* 8                                              */
    le32 bytes;          /* 12  of the whole message, a multiple of 8      */
    uint8_t version;     /* 16  by whose rules it is written               */
    uint8_t level;       /* 17  the highest version that its sender reads  */
    uint8_t type;        /* 18  enum teak_raft_msg_type                    */
    uint8_t zero;        /* 19                                             */
    le16 head_bytes;     /* 20  of the head, a multiple of 8, 144 or more  */
    le16 flags;          /* 22  enum wire_flag                             */
    uint8_t cluster[16]; /* 24                                             */
    le64 group;          /* 40                                             */
    le64 from;           /* 48                                             */
    le64 to;             /* 56                                             */
    le64 born;           /* 64                                             */
    le64 incarnation;    /* 72                                             */
    le64 term;           /* 80                                             */
    le64 at_index;       /* 88                                             */
    le64 at_term;        /* 96                                             */
    le64 index;          /* 104                                            */
    le64 round;          /* 112                                            */
    le64 asked;          /* 120                                            */
    le64 promise;        /* 128                                            */
    le32 count;          /* 136 of records                                 */
    le32 record_bytes;   /* 140 of each, a multiple of 8; 0 if count is 0  */
};
static_assert(sizeof(struct wire_head) == TEAK_RAFT_WIRE_HEAD, "docs/raft.md: Wire, head");
static_assert(offsetof(struct wire_head, magic) == WIRE_SUM_BYTES, "docs/raft.md: Wire, head");
static_assert(offsetof(struct wire_head, version) == 16, "docs/raft.md: Wire, head");
static_assert(offsetof(struct wire_head, flags) == 22, "docs/raft.md: Wire, head");
static_assert(offsetof(struct wire_head, cluster) == 24, "docs/raft.md: Wire, head");
static_assert(offsetof(struct wire_head, to) == 56, "docs/raft.md: Wire, head");
static_assert(offsetof(struct wire_head, term) == 80, "docs/raft.md: Wire, head");
static_assert(offsetof(struct wire_head, promise) == 128, "docs/raft.md: Wire, head");
static_assert(offsetof(struct wire_head, record_bytes) == 140, "docs/raft.md: Wire, head");

/* APPEND: one of each entry. Its index is at_index + 1 + its number. Its payload comes behind the records, in order. */
struct wire_entry {
    le64 term;       /* 0  */
    le32 bytes;      /* 8  of the payload */
    uint8_t kind;    /* 12 */
    uint8_t zero[3]; /* 13 */
};
static_assert(sizeof(struct wire_entry) == TEAK_RAFT_WIRE_ENTRY, "docs/raft.md: Wire, entry");
static_assert(offsetof(struct wire_entry, kind) == 12, "docs/raft.md: Wire, entry");

/* In two stores: bytes put together one by one are slower to write, and to be read back for the sum. */
static inline void wire_put_entry(uint8_t *at, uint64_t term, uint32_t bytes, uint8_t kind)
{
    const le64 words[2] = {le64_of(term), le64_of((uint64_t)kind << 32 | bytes)};
    memcpy(at, words, sizeof words);
}

/* SNAPSHOT: the one record. Configuration and piece come behind it. */
struct wire_chunk {
    le64 pos_index;    /* 0  */
    le64 pos_term;     /* 8  */
    le64 born;         /* 16 */
    le64 body_bytes;   /* 24 of the whole body          */
    le64 checksum;     /* 32                            */
    le64 config_index; /* 40                            */
    le64 offset;       /* 48 of the piece in the body   */
    le32 config_bytes; /* 56                            */
    le32 piece_bytes;  /* 60                            */
};
static_assert(sizeof(struct wire_chunk) == 64, "docs/raft.md: Wire, chunk");
static_assert(offsetof(struct wire_chunk, config_bytes) == 56, "docs/raft.md: Wire, chunk");
static_assert(TEAK_RAFT_WIRE_HEAD_BYTES(0) == sizeof(struct wire_head) + sizeof(struct wire_chunk), "raft_wire.h");

#endif
