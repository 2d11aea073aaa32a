/* segment_id.h: the identity block at the head of a segment, and the names files have. */
#ifndef TEAK_FORMAT_SEGMENT_ID_H
#define TEAK_FORMAT_SEGMENT_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/status.h"

struct segment_id {
    uint8_t family[16];
    uint64_t segment; /* number                    */
    uint64_t salt;    /* of this use               */
    uint32_t block_bytes;
    uint64_t segment_bytes;
};

/* Writes one whole block of id->block_bytes: head, then zeros. */
void segment_id_encode(const struct segment_id *id, uint8_t *out);

/* TEAK_OK · TEAK_BAD_MAGIC · TEAK_HASH_MISMATCH (also: another family's, since the key is the family's) · TEAK_VERSION
 * · TEAK_FEATURE · TEAK_DECODE. Needs HEAD_BYTES bytes. Judged under `family` and the salt it holds itself. */
enum teak_status segment_id_judge(const uint8_t *bytes, const uint8_t family[16], struct segment_id *out);

/* Names in the store's directory. */
enum { NAME_BYTES = 32 };
enum name_kind {
    NAME_STORE,
    NAME_STORE_TEMPORARY,
    NAME_LOCK,
    NAME_STATS,
    NAME_SEGMENT,
    NAME_SPARE,
    NAME_TEMPORARY,
    NAME_SNAPSHOTS,
    NAME_REPLACED,
    NAME_OTHER,
};

void name_segment(uint64_t segment, char out[NAME_BYTES]);     /* 0000000000000007.seg (16 hex digits)             */
void name_spare(uint64_t number, char out[NAME_BYTES]);        /* spare-0000000000000003.seg                       */
void name_spare_temporary(uint64_t number, char out[NAME_BYTES]); /* spare-0000000000000003.tmp                    */
/* What a name is, and its number where it has one. Anything not written exactly like the above is NAME_OTHER. */
enum name_kind name_judge(const char *name, uint64_t *number_out);

#endif
