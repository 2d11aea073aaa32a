/* jobs.h: what is at the disk, and what is known to be durable.
 *
 * OWNS   written, durable, the hard states of both, the jobs in flight.
 * PATH   jobs_build() makes the next job of all that no job has carried; jobs_durable() moves durable on; jobs_cut()
 *        lowers what jobs in flight will have made durable; jobs_take_back() makes refused jobs never have been.
 * HOLDS  A token names a job, and a job knows how far the log is durable after it *now*: a truncation lowers that,
 *        and a later append at the same index does not raise it again. So a completion is never taken for another's,
 *        whatever (index, term) they share:
 *          1. job 7 appends 5(t2)   2. job 8 cuts 5, appends 5(t3)   3. job 9 cuts 5, appends 5(t2) again
 *          Completions of 7 and 9 both say "5(t2)". By the cut in 8 job 7 stands for 4.
 */
#ifndef TEAK_RAFT_JOBS_H
#define TEAK_RAFT_JOBS_H

#include "core/core.h"

/* True if there is something to store and a job may be made. */
bool jobs_wants(const struct teak_raft *raft);

/* Makes it, in raft->job. */
void jobs_build(struct teak_raft *raft);

/* All jobs up to `token` are durable. false: no such job in flight. */
bool jobs_durable(struct teak_raft *raft, uint64_t token);

/* Job `token` and all behind it were refused. false: no such job in flight. */
bool jobs_take_back(struct teak_raft *raft, uint64_t token);

/* The log was emptied by a snapshot: what is durable behind `upto` stands for nothing any more. */
void jobs_clear(struct teak_raft *raft, uint64_t upto);

/* The log was truncated: entries from `from` on are gone. */
void jobs_cut(struct teak_raft *raft, uint64_t from);

/* True if the vote of this term, whoever has it, is durable. */
static inline bool jobs_vote_is_durable(const struct teak_raft *raft)
{
    return raft->vote != 0 && raft->durable_term == raft->term && raft->durable_vote == raft->vote;
}

#endif
