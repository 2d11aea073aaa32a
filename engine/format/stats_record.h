/* stats_record.h: the file STATS as a value: the numbers of a living store, as it writes them once in a while.
 *
 * It describes itself, by names, so that another version's numbers can be shown. It may be torn, old, or lost at any
 * time: nothing is decided by it.
 */
#ifndef TEAK_FORMAT_STATS_RECORD_H
#define TEAK_FORMAT_STATS_RECORD_H

#include "teak/inspect.h"

/* What the largest record takes, whole blocks of 4096. */
enum { STATS_RECORD_MAX = 64 * 1024 };

/* Writes the record; returns its bytes, a multiple of 8. `out` has STATS_RECORD_MAX bytes. */
uint32_t stats_record_encode(const struct teak_published *published, uint8_t *out);

/* TEAK_OK · TEAK_BAD_MAGIC · TEAK_VERSION · TEAK_HASH_MISMATCH (torn: read again) · TEAK_DECODE (fewer bytes than a
 * head, or sums that hold over what makes no sense). Fills what the record says: not `living`, `written_unix_ns`. */
enum teak_status stats_record_judge(const uint8_t *bytes, uint64_t count, struct teak_published *out);

#endif
