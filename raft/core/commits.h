/* commits.h: how far the log is committed, and the fate of proposals.
 *
 * OWNS   commit, the runs of proposals.
 * HOLDS  Commit never goes back and never passes the log. A leader counts only for an entry of its own term (5.4.2): an
 *        older one on a majority can still be lost to a leader that never saw it.
 */
#ifndef TEAK_RAFT_COMMITS_H
#define TEAK_RAFT_COMMITS_H

#include "core/core.h"

/* The leader: what has a majority got durably? */
void commits_count(struct teak_raft *raft);

/* Committed up to `index` at least. */
void commits_to(struct teak_raft *raft, uint64_t index);

/* A snapshot holds all up to `index` and hides what stood there. */
void commits_jump(struct teak_raft *raft, uint64_t index);

/* How many of `count` proposals, with tags from `tag` on, may follow the end of the log? */
uint32_t commits_places(const struct teak_raft *raft, uint64_t tag, uint32_t count);

/* They are at the end of the log: no more than there were places. */
void commits_open(struct teak_raft *raft, uint64_t tag, uint32_t count);

/* Fates that were not told yet: whether, and tell them. */
bool commits_has_done(const struct teak_raft *raft);
uint32_t commits_tell(struct teak_raft *raft, struct teak_raft_done *out);

#endif
