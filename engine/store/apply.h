/* apply.h: what an admitted operation does to a log. One truth for the writer, which has judged it, and for replay,
 * which meets it again on the medium. Capacity was seen to before; nothing here fails. */
#ifndef TEAK_STORE_APPLY_H
#define TEAK_STORE_APPLY_H

#include "store/locate.h"
#include "store/log.h"
#include "store/segment.h"

struct apply_at {
    struct logs *logs;
    struct segments *segments;
    struct segment *active; /* the segment that the frame stands in */
    uint64_t lsn;           /* of the frame                         */
};

void apply_create(const struct apply_at *at, struct log *log);
/* Entries at `first` remove everything at or above it, also below the snapshot boundary. */
void apply_entries(const struct apply_at *at, struct log *log, struct map_entries entries);
/* The same entries again: all of them are in the log, durable, and none in the active segment. */
void apply_replace(const struct apply_at *at, struct log *log, const struct map_entries *entries);
void apply_hard_state(struct log *log, uint64_t term, uint64_t vote, uint64_t commit);
void apply_truncate(const struct apply_at *at, struct log *log, uint64_t from);
/* `effect` as it was judged when the snapshot was admitted. */
struct snapshot_file {
    uint64_t id, bytes, sum;
};
void apply_snapshot(const struct apply_at *at, struct log *log, struct teak_pos pos, enum snapshot_effect effect,
                    struct snapshot_file file);
void apply_compact(const struct apply_at *at, struct log *log, uint64_t upto, uint64_t term);
/* The log has memory for it. */
void apply_meta(struct logs *logs, struct log *log, const void *data, uint32_t bytes);
/* The log's life ends. It stays in the table with its memory, for the batch may begin another: whoever applies the
 * frame takes out with logs_remove what is not alive in the end. */
void apply_drop(const struct apply_at *at, struct log *log);

#endif
