/* store_parts.h: a whole store as one short input: a byte that says how it is opened, then the parts of its files that
 * are not zeros. And the sums over it put right, as malice would.
 *
 * A part: file (1) · block (1) · offset in the block (2) · bytes (2) · the bytes. A part with offset 0xffff makes the
 * file as long as `block` blocks. File 0 is STORE, 1 to 8 are segments of these numbers, 9 is a snapshot: its head says
 * its name.
 */
#ifndef TEAK_TESTS_STORE_PARTS_H
#define TEAK_TESTS_STORE_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/key.h"
#include "format/layout.h"
#include "format/segment_index.h"
#include "format/snapshot_file.h"

enum { PARTS_BLOCK = 4096, PARTS_BLOCKS = 20, PARTS_FILES = 10, PARTS_SNAPSHOT = 9, PARTS_HEAD = 6 };
enum { PARTS_SIZE = 0xffff };

struct parts_file {
    uint32_t bytes; /* 0: there is none */
    uint8_t data[PARTS_BLOCKS * PARTS_BLOCK];
};

struct parts {
    uint8_t how;
    struct parts_file files[PARTS_FILES];
};

static inline uint32_t parts_get16(const uint8_t *at) { return at[0] | (uint32_t)at[1] << 8; }

static inline void parts_grow(struct parts_file *file, uint32_t bytes)
{
    if (bytes <= file->bytes) return;
    memset(file->data + file->bytes, 0, bytes - file->bytes);
    file->bytes = bytes;
}

/* Whatever does not fit is left out. */
static inline void parts_read(struct parts *parts, const uint8_t *input, size_t size)
{
    for (uint32_t i = 0; i < PARTS_FILES; i++) parts->files[i].bytes = 0;
    memset(parts->files[0].data, 0, sizeof(struct layout_store)); /* the family is read even where there is no STORE */
    parts->how = size > 0 ? input[0] : 0;
    for (size_t at = 1; at + PARTS_HEAD <= size;) {
        const uint8_t *head = input + at;
        struct parts_file *file = &parts->files[head[0] % PARTS_FILES];
        const uint32_t block = head[1] % (PARTS_BLOCKS + 1), offset = parts_get16(head + 2);
        uint32_t bytes = parts_get16(head + 4);
        at += PARTS_HEAD;
        if (offset == PARTS_SIZE) {
            parts_grow(file, block * PARTS_BLOCK);
            continue;
        }
        bytes = bytes < size - at ? bytes : (uint32_t)(size - at);
        if (block < PARTS_BLOCKS && range_fits(offset, bytes, PARTS_BLOCK)) {
            parts_grow(file, (block + 1) * PARTS_BLOCK);
            memcpy(file->data + block * PARTS_BLOCK + offset, input + at, bytes);
        }
        at += bytes;
    }
}

static inline size_t parts_put(uint8_t *out, size_t at, size_t room, uint32_t file, uint32_t block, uint32_t offset,
                               const uint8_t *data, uint32_t bytes)
{
    if (at + PARTS_HEAD + bytes > room) return at;
    const uint8_t head[PARTS_HEAD] = {(uint8_t)file,           (uint8_t)block, (uint8_t)offset,
                                      (uint8_t)(offset >> 8), (uint8_t)bytes, (uint8_t)(bytes >> 8)};
    memcpy(out + at, head, sizeof head);
    if (bytes > 0) memcpy(out + at + PARTS_HEAD, data, bytes);
    return at + PARTS_HEAD + bytes;
}

/* Runs of bytes that are not zeros, with gaps of a few zeros in them. Returns how many bytes; what does not fit is left
 * out. */
static inline size_t parts_write(const struct parts *parts, uint8_t *out, size_t room)
{
    enum { GAP = 24 };
    if (room == 0) return 0;
    size_t at = 0;
    out[at++] = parts->how;
    for (uint32_t i = 0; i < PARTS_FILES; i++) {
        const struct parts_file *file = &parts->files[i];
        const uint32_t blocks = (file->bytes + PARTS_BLOCK - 1) / PARTS_BLOCK;
        if (blocks > 0) at = parts_put(out, at, room, i, blocks, PARTS_SIZE, NULL, 0);
        for (uint32_t block = 0; block < blocks; block++) {
            const uint8_t *data = file->data + block * PARTS_BLOCK;
            for (uint32_t from = 0; from < PARTS_BLOCK;) {
                if (data[from] == 0) {
                    from++;
                    continue;
                }
                uint32_t end = from + 1, zeros = 0;
                for (uint32_t next = end; next < PARTS_BLOCK && zeros < GAP; next++) {
                    zeros = data[next] == 0 ? zeros + 1 : 0;
                    if (zeros == 0) end = next + 1;
                }
                at = parts_put(out, at, room, i, block, from, data + from, end - from);
                from = end;
            }
        }
    }
    return at;
}

/* ---- sums ---- */

static inline void parts_repair_store(struct parts_file *file)
{
    if (file->bytes < sizeof(struct layout_store)) return;
    const le64 sum = le64_of(plain_sum(file->data, offsetof(struct layout_store, checksum)));
    memcpy(file->data + offsetof(struct layout_store, checksum), &sum, sizeof sum);
}

/* The sums of the entries in a frame's table, as far as their places lie in the file. */
static inline void parts_repair_entries(struct parts_file *file, const struct key *key, uint8_t *at, const uint8_t *end)
{
    while (end - at >= 32) {
        struct layout_entries op;
        memcpy(&op, at, sizeof op);
        const uint32_t count = le32_get(op.op.count);
        static const uint8_t bytes_of[] = {[OP_CREATE] = 16, [OP_HARD_STATE] = 40, [OP_TRUNCATE] = 24,
                                           [OP_SNAPSHOT] = 56, [OP_COMPACT] = 32, [OP_DROP] = 16, [OP_FORGET] = 24,
                                           [OP_MARK] = 16, [OP_REPLACE] = 32, [OP_ENTRIES] = 32};
        if (op.op.code == OP_META && count <= META_BYTES_MAX) {
            at += 16 + align_up(count, 8);
            continue;
        }
        if (op.op.code >= sizeof bytes_of || bytes_of[op.op.code] == 0) return;
        at += bytes_of[op.op.code];
        if (op.op.code != OP_ENTRIES && op.op.code != OP_REPLACE) continue;
        for (uint32_t i = 0; i < count && end - at >= (ptrdiff_t)sizeof(struct layout_slot); i++, at += 16) {
            struct layout_slot slot;
            memcpy(&slot, at, sizeof slot);
            const struct entry_identity who = {.log = le64_get(op.op.log), .index = le64_get(op.first) + i,
                                               .term = le64_get(op.term), .bytes = le32_get(slot.bytes),
                                               .kind = op.op.kind};
            if (!range_fits(le32_get(slot.offset), who.bytes, file->bytes)) continue;
            slot.sum = le64_of(key_entry_sum(key, &who, file->data + le32_get(slot.offset)));
            memcpy(at, &slot, sizeof slot);
        }
    }
}

static inline void parts_repair_footer(struct parts_file *file, const struct key *key, uint8_t *block)
{
    struct layout_footer footer;
    memcpy(&footer, block, sizeof footer);
    const uint64_t slots = le32_get(footer.slots_offset), count = le32_get(footer.slot_count);
    const uint64_t summary = le32_get(footer.summary_offset), bytes = le32_get(footer.summary_bytes);
    if (range_fits(slots, 16 * count, file->bytes) && count <= SLOT_PIECE) { /* one piece: a file here has no more */
        const uint64_t sum = key_sum(key, file->data + slots, 16 * count);
        footer.slots_sum = le64_of(slots_sum_of(key, &sum, count > 0 ? 1 : 0));
    }
    if (range_fits(summary, bytes, file->bytes))
        footer.summary_sum = le64_of(key_sum(key, file->data + summary, bytes));
    memcpy(block, &footer, sizeof footer);
    key_seal_head(key, block);
}

/* Every sum of a segment. `chain`: of the frame before, and then of the last one here; with `links` every frame gets it
 * and the next LSN. */
static inline void parts_repair_segment(struct parts_file *file, const uint8_t of_family[16], bool links,
                                        uint64_t *chain, uint64_t *lsn)
{
    struct layout_identity identity;
    struct key key;
    if (file->bytes < 2 * PARTS_BLOCK) return;
    memcpy(&identity, file->data, sizeof identity);
    key_derive(&key, of_family, le64_get(identity.salt));
    if (le64_get(identity.magic) == MAGIC_IDENTITY) key_seal_head(&key, file->data);
    for (uint32_t offset = PARTS_BLOCK; offset + PARTS_BLOCK <= file->bytes; offset += PARTS_BLOCK) {
        uint8_t *block = file->data + offset;
        struct layout_frame head;
        memcpy(&head, block, sizeof head);
        if (le64_get(head.magic) == MAGIC_FOOTER) parts_repair_footer(file, &key, block);
        if (le64_get(head.magic) != MAGIC_FRAME) continue;
        const uint64_t table = (uint64_t)offset + le32_get(head.table_offset), bytes = le32_get(head.table_bytes);
        if (links) {
            head.chain = le64_of(*chain);
            if (*lsn != 0) head.lsn = le64_of(*lsn);
        }
        if (range_fits(table, bytes, file->bytes)) {
            parts_repair_entries(file, &key, file->data + table, file->data + table + bytes);
            head.table_sum = le64_of(key_sum(&key, file->data + table, bytes));
        }
        memcpy(block, &head, sizeof head);
        key_seal_head(&key, block);
        memcpy(&head, block, sizeof head);
        *chain = le64_get(head.checksum);
        *lsn = le64_get(head.lsn) + 1;
    }
}

static inline void parts_repair_snapshot(struct parts_file *file, const uint8_t of_family[16])
{
    struct layout_snapshot_head head;
    struct key key;
    if (file->bytes < 2 * PARTS_BLOCK) return;
    memcpy(&head, file->data, sizeof head);
    key_derive(&key, of_family, le64_get(head.file_id));
    key_seal_head(&key, file->data);
    key_seal_head(&key, file->data + file->bytes - PARTS_BLOCK);
}

/* All of them. */
static inline void parts_repair(struct parts *parts, bool links)
{
    uint8_t of_family[16];
    uint64_t chain = 0, lsn = 0;
    memcpy(of_family, parts->files[0].data + offsetof(struct layout_store, family), sizeof of_family);
    parts_repair_store(&parts->files[0]);
    for (uint32_t i = 1; i < PARTS_SNAPSHOT; i++)
        parts_repair_segment(&parts->files[i], of_family, links, &chain, &lsn);
    parts_repair_snapshot(&parts->files[PARTS_SNAPSHOT], of_family);
}

#endif
