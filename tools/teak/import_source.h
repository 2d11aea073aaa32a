/* import_source.h: a log file of another program, read once whole and judged: what it comes to, where its entries lie.
 *
 * wal-db    raft-io's WalLog: records {crc32c u32, bytes u32, payload}, the sum over bytes and payload; payload: a tag,
 *           then 1 entry {term, index, kind u8, bytes u64, data}, 2 hard state {term, has_vote u8, vote}, 3 truncate
 *           {from}, 4 snapshot {index, term, count u64, ids, bytes u64, data}. All little-endian.
 * engenho   "engenho-persistent-log v1\n", then records {index u64, bytes u64, BLAKE3 of the payload, payload}.
 */
#ifndef TEAK_TOOLS_IMPORT_SOURCE_H
#define TEAK_TOOLS_IMPORT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

enum import_format { IMPORT_WAL_DB, IMPORT_ENGENHO };

struct import_place {
    uint64_t offset; /* of the record */
    uint64_t term;
};

struct import_source {
    enum import_format format;
    int file;
    uint64_t bytes;            /* of the file                                     */
    uint8_t *buffer;           /* [from, from + held) of the file                 */
    uint64_t from, held, room;
    uint64_t term;             /* of entries that have none of their own          */
    /* what the file comes to */
    uint64_t base_index, base_term;
    struct import_place *entries; /* base_index + 1 and up                        */
    uint64_t entry_count, entry_room;
    uint64_t hard_term, vote;
    bool has_vote;
    bool has_snapshot;
    uint64_t snapshot_offset;  /* of its record                                   */
    uint64_t records;
    bool is_torn;              /* ends with what was not written whole            */
    uint64_t torn_offset;
    char trouble[200];         /* why it is refused; empty: it is not             */
};

typedef void (*import_progress)(void *context, uint64_t done, uint64_t total);

/* Opens and judges. false: `trouble` says why. */
bool import_source_open(struct import_source *source, const char *path, import_progress progress, void *context);
void import_source_close(struct import_source *source);

struct import_entry {
    uint64_t index, term, bytes;
    const uint8_t *data;
    uint8_t kind;
};

/* The i-th entry that is left, judged again; its data holds until the next call. false: `trouble`. */
bool import_source_entry(struct import_source *source, uint64_t i, struct import_entry *out);

/* The last snapshot; its parts hold until the next call. */
struct import_snapshot {
    uint64_t index, term, id_count, bytes;
    const uint8_t *ids, *data; /* ids: 8 bytes each, little-endian */
};
bool import_source_snapshot(struct import_source *source, struct import_snapshot *out);

#endif
