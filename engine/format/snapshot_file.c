/* snapshot_file.c: see snapshot_file.h. */
#include "format/snapshot_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a sum in the file is of: `kind` of its identity. */
enum { OF_CHUNK = 0, OF_META = 1 };

uint64_t snapshot_head_end(const struct snapshot_head *head)
{
    return align_up(HEAD_BYTES + (uint64_t)head->meta_bytes, head->block_bytes);
}

uint32_t snapshot_chunk_bytes(uint64_t body_bytes, uint64_t number)
{
    return (uint32_t)min_u64(SNAPSHOT_CHUNK_BODY, body_bytes - number * SNAPSHOT_CHUNK_BODY);
}

uint64_t snapshot_foot_offset(const struct snapshot_head *head, uint64_t body_bytes)
{
    const uint64_t chunks = snapshot_chunk_count(body_bytes);
    if (chunks == 0) return snapshot_head_end(head);
    const uint64_t last = SNAPSHOT_CHUNK_HEAD + (uint64_t)snapshot_chunk_bytes(body_bytes, chunks - 1);
    return snapshot_chunk_offset(head, chunks - 1) + align_up(last, head->block_bytes);
}

/* ------------------------------------------------------------------------------------------------------------ sums */

static uint64_t sum_of(const struct key *key, const struct snapshot_head *head, uint8_t kind, uint64_t number,
                       uint32_t bytes, const void *data)
{
    const struct entry_identity who = {
        .log = head->log, .index = number, .term = head->life, .bytes = bytes, .kind = kind};
    return key_entry_sum(key, &who, data);
}

uint64_t snapshot_meta_sum(const struct key *key, const struct snapshot_head *head, const void *meta)
{
    return sum_of(key, head, OF_META, 0, head->meta_bytes, meta);
}

uint64_t snapshot_chunk_seal(const struct key *key, const struct snapshot_head *head, uint64_t number, uint32_t bytes,
                             uint8_t *chunk)
{
    const uint64_t sum = sum_of(key, head, OF_CHUNK, number, bytes, chunk + SNAPSHOT_CHUNK_HEAD);
    const struct layout_chunk put = {.sum = le64_of(sum), .bytes = le32_of(bytes)};
    memcpy(chunk, &put, sizeof put);
    return sum;
}

bool snapshot_chunk_judge(const struct key *key, const struct snapshot_head *head, uint64_t number, uint32_t bytes,
                          const uint8_t *chunk, uint64_t *sum_out)
{
    struct layout_chunk layout;
    memcpy(&layout, chunk, sizeof layout);
    if (le32_get(layout.bytes) != bytes || le32_get(layout.zero) != 0) return false;
    *sum_out = le64_get(layout.sum);
    return *sum_out == sum_of(key, head, OF_CHUNK, number, bytes, chunk + SNAPSHOT_CHUNK_HEAD);
}

uint64_t snapshot_chain(const struct key *key, uint64_t chain, uint64_t chunk_sum)
{
    const le64 links[2] = {le64_of(chain), le64_of(chunk_sum)};
    return key_sum(key, links, sizeof links);
}

/* ----------------------------------------------------------------------------------------------------------- heads */

static uint64_t checksum_of(const uint8_t *head)
{
    le64 checksum;
    memcpy(&checksum, head + HEAD_BYTES - sizeof checksum, sizeof checksum);
    return le64_get(checksum);
}

uint64_t snapshot_head_encode(const struct snapshot_head *head, const struct key *key, uint8_t *out)
{
    struct layout_snapshot_head put = {
        .magic = le64_of(MAGIC_SNAPSHOT),
        .version = le32_of(FORMAT_VERSION),
        .block_bytes = le32_of(head->block_bytes),
        .file_id = le64_of(head->file_id),
        .log = le64_of(head->log),
        .life = le64_of(head->life),
        .index = le64_of(head->index),
        .term = le64_of(head->term),
        .stream = le64_of(head->stream),
        .body_bytes = le64_of(head->body_bytes),
        .meta_sum = le64_of(head->meta_sum),
        .meta_bytes = le32_of(head->meta_bytes),
    };
    memcpy(put.family, head->family, sizeof put.family);
    memcpy(out, &put, sizeof put);
    key_seal_head(key, out);
    return checksum_of(out);
}

static bool head_makes_sense(const struct snapshot_head *head, const struct layout_snapshot_head *layout)
{
    return head->file_id != 0 && head->index != 0 && head->index != UINT64_MAX &&
           head->meta_bytes <= SNAPSHOT_META_MAX && is_power_of_two(head->block_bytes) &&
           head->block_bytes >= BLOCK_BYTES_MIN && head->block_bytes <= BLOCK_BYTES_MAX &&
           (head->body_bytes <= SNAPSHOT_BODY_MAX || head->body_bytes == SNAPSHOT_BODY_UNKNOWN) &&
           bytes_are_zero(layout->zero, sizeof layout->zero);
}

enum teak_status snapshot_head_judge(const uint8_t *bytes, const uint8_t family[16], struct key *key_out,
                                     struct snapshot_head *out, uint64_t *chain_out)
{
    struct layout_snapshot_head layout;
    memcpy(&layout, bytes, sizeof layout);
    if (le64_get(layout.magic) != MAGIC_SNAPSHOT) return TEAK_BAD_MAGIC;
    key_derive(key_out, family, le64_get(layout.file_id));
    if (!key_head_is_whole(key_out, bytes)) return TEAK_HASH_MISMATCH;
    if (le32_get(layout.version) != FORMAT_VERSION) return TEAK_VERSION;
    if (memcmp(layout.family, family, sizeof layout.family) != 0) return TEAK_DECODE;
    *out = (struct snapshot_head){
        .file_id = le64_get(layout.file_id),
        .log = le64_get(layout.log),
        .life = le64_get(layout.life),
        .index = le64_get(layout.index),
        .term = le64_get(layout.term),
        .stream = le64_get(layout.stream),
        .body_bytes = le64_get(layout.body_bytes),
        .meta_sum = le64_get(layout.meta_sum),
        .meta_bytes = le32_get(layout.meta_bytes),
        .block_bytes = le32_get(layout.block_bytes),
    };
    memcpy(out->family, layout.family, sizeof out->family);
    *chain_out = checksum_of(bytes);
    return head_makes_sense(out, &layout) ? TEAK_OK : TEAK_DECODE;
}

uint64_t snapshot_foot_encode(const struct snapshot_foot *foot, const struct key *key, uint8_t *out)
{
    const struct layout_snapshot_foot put = {
        .magic = le64_of(MAGIC_SNAPSHOT_FOOT),
        .file_id = le64_of(foot->file_id),
        .file_bytes = le64_of(foot->file_bytes),
        .body_bytes = le64_of(foot->body_bytes),
        .chunk_count = le64_of(foot->chunk_count),
        .chain = le64_of(foot->chain),
    };
    memcpy(out, &put, sizeof put);
    key_seal_head(key, out);
    return checksum_of(out);
}

enum teak_status snapshot_foot_judge(const uint8_t *bytes, const struct key *key, const struct snapshot_head *head,
                                     uint64_t file_bytes, struct snapshot_foot *out, uint64_t *checksum_out)
{
    struct layout_snapshot_foot layout;
    memcpy(&layout, bytes, sizeof layout);
    if (le64_get(layout.magic) != MAGIC_SNAPSHOT_FOOT) return TEAK_BAD_MAGIC;
    if (!key_head_is_whole(key, bytes)) return TEAK_HASH_MISMATCH;
    *out = (struct snapshot_foot){.file_id = le64_get(layout.file_id),
                                  .file_bytes = le64_get(layout.file_bytes),
                                  .body_bytes = le64_get(layout.body_bytes),
                                  .chunk_count = le64_get(layout.chunk_count),
                                  .chain = le64_get(layout.chain)};
    *checksum_out = checksum_of(bytes);
    const bool is_sound =
        out->file_id == head->file_id && out->body_bytes <= SNAPSHOT_BODY_MAX && out->file_bytes == file_bytes &&
        (head->body_bytes == SNAPSHOT_BODY_UNKNOWN || head->body_bytes == out->body_bytes) &&
        out->chunk_count == snapshot_chunk_count(out->body_bytes) &&
        snapshot_file_bytes(head, out->body_bytes) == file_bytes && bytes_are_zero(layout.zero, sizeof layout.zero);
    return is_sound ? TEAK_OK : TEAK_DECODE;
}

/* ----------------------------------------------------------------------------------------------------------- names */

void snapshot_name_put(const struct snapshot_name *name, char out[SNAPSHOT_NAME_BYTES])
{
    if (name->is_part)
        snprintf(out, SNAPSHOT_NAME_BYTES, "%" PRIu64 ".part", name->log);
    else
        snprintf(out, SNAPSHOT_NAME_BYTES, "%" PRIu64 "-%" PRIu64 "-%" PRIu64 "-%016" PRIx64 ".snap", name->log,
                 name->index, name->term, name->file_id);
}

bool snapshot_name_judge(const char *text, struct snapshot_name *out)
{
    if (strlen(text) >= SNAPSHOT_NAME_BYTES) return false;
    char *at;
    *out = (struct snapshot_name){.log = strtoull(text, &at, 10)};
    out->is_part = strcmp(at, ".part") == 0;
    if (!out->is_part) {
        if (*at == '-') out->index = strtoull(at + 1, &at, 10);
        if (*at == '-') out->term = strtoull(at + 1, &at, 10);
        if (*at == '-') out->file_id = strtoull(at + 1, &at, 16);
    }
    char exact[SNAPSHOT_NAME_BYTES];
    snapshot_name_put(out, exact); /* one spelling of each, and nothing behind it */
    return strcmp(exact, text) == 0;
}
