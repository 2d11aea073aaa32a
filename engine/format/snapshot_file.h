/* snapshot_file.h: a snapshot file as values: head, chunks, foot, and its name.
 *
 * Every chunk is judged alone, so that a read at any offset is verified and a stream that was cut short goes on behind
 * its last whole chunk. The foot, at the end that it names, makes the file whole: one that was cut has none.
 */
#ifndef TEAK_FORMAT_SNAPSHOT_FILE_H
#define TEAK_FORMAT_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "format/key.h"
#include "format/layout.h"
#include "teak/status.h"

struct snapshot_head {
    uint8_t family[16];
    uint64_t file_id;    /* not 0                                   */
    uint64_t log, life, index, term, stream;
    uint64_t body_bytes; /* announced, or SNAPSHOT_BODY_UNKNOWN     */
    uint64_t meta_sum;
    uint32_t meta_bytes;
    uint32_t block_bytes;
};

struct snapshot_foot {
    uint64_t file_id, file_bytes, body_bytes, chunk_count, chain;
};

/* ---- places; all of them follow from the head and the length of the body ---- */

uint64_t snapshot_head_end(const struct snapshot_head *head); /* where the first chunk stands */
static inline uint64_t snapshot_chunk_count(uint64_t body_bytes)
{
    return body_bytes / SNAPSHOT_CHUNK_BODY + (body_bytes % SNAPSHOT_CHUNK_BODY != 0);
}
static inline uint64_t snapshot_chunk_offset(const struct snapshot_head *head, uint64_t number)
{
    return snapshot_head_end(head) + number * SNAPSHOT_CHUNK;
}
/* Bytes of the body in a chunk of a body of that length. */
uint32_t snapshot_chunk_bytes(uint64_t body_bytes, uint64_t number);
uint64_t snapshot_foot_offset(const struct snapshot_head *head, uint64_t body_bytes);
static inline uint64_t snapshot_file_bytes(const struct snapshot_head *head, uint64_t body_bytes)
{
    return snapshot_foot_offset(head, body_bytes) + head->block_bytes;
}

/* ---- bytes ---- */

/* Sum of the meta under the file's key. */
uint64_t snapshot_meta_sum(const struct key *key, const struct snapshot_head *head, const void *meta);

/* Writes HEAD_BYTES. Returns the checksum: where the chain begins. */
uint64_t snapshot_head_encode(const struct snapshot_head *head, const struct key *key, uint8_t *out);

/* Needs HEAD_BYTES. BAD_MAGIC · HASH_MISMATCH (another family's, too) · VERSION · DECODE. `key_out` becomes the file's,
 * `chain_out` where the chain begins. */
enum teak_status snapshot_head_judge(const uint8_t *bytes, const uint8_t family[16], struct key *key_out,
                                     struct snapshot_head *out, uint64_t *chain_out);

/* The 16 bytes before `bytes` bytes of body. Returns the chunk's sum. */
uint64_t snapshot_chunk_seal(const struct key *key, const struct snapshot_head *head, uint64_t number, uint32_t bytes,
                             uint8_t *chunk);

/* Is that chunk `number`, with `bytes` bytes of body? Reads 16 + `bytes` bytes. */
bool snapshot_chunk_judge(const struct key *key, const struct snapshot_head *head, uint64_t number, uint32_t bytes,
                          const uint8_t *chunk, uint64_t *sum_out);

/* The chain, one chunk further. */
uint64_t snapshot_chain(const struct key *key, uint64_t chain, uint64_t chunk_sum);

/* Writes HEAD_BYTES. Returns the checksum: file_sum. */
uint64_t snapshot_foot_encode(const struct snapshot_foot *foot, const struct key *key, uint8_t *out);

/* Needs HEAD_BYTES, from the last block of a file of `file_bytes` bytes that begins with `head`. BAD_MAGIC ·
 * HASH_MISMATCH · DECODE. */
enum teak_status snapshot_foot_judge(const uint8_t *bytes, const struct key *key, const struct snapshot_head *head,
                                     uint64_t file_bytes, struct snapshot_foot *out, uint64_t *checksum_out);

/* ---- names in snapshots/ ---- */

enum { SNAPSHOT_NAME_BYTES = 96 };
struct snapshot_name {
    uint64_t log, index, term, file_id;
    bool is_part; /* of that log; the rest is 0 */
};

/* 7-100-3-000000000000002a.snap, 7.part */
void snapshot_name_put(const struct snapshot_name *name, char out[SNAPSHOT_NAME_BYTES]);
/* false: not spelled exactly like that. */
bool snapshot_name_judge(const char *text, struct snapshot_name *out);

#endif
