/* raft_oracle.h: what is known of all nodes at once, and what has to hold of them.
 *
 * OWNS   Of each node: what its disk has by what was told, the jobs in flight. Of all: which entry is committed at
 *        which index, who led which term, what is asked and not answered.
 * FAILS  What does not hold ends the test.
 */
#ifndef TEAK_TESTS_SIM_RAFT_ORACLE_H
#define TEAK_TESTS_SIM_RAFT_ORACLE_H

#include "raft_fleet_state.h"

struct fact oracle_fact(const struct teak_raft_entry *entry);

/* A completion: jobs up to `token` are durable; none from it on is done. */
void oracle_durable(struct fleet_node *node, uint64_t token);
void oracle_refused(struct fleet_node *node, uint64_t token);

/* After each input of a node. */
void oracle_judge(uint32_t id);

/* Equal (index, term): equal bytes, and equal entries before; in memory here, and on all disks. */
void oracle_judge_matching(uint32_t id);

/* What a ready hands out. */
void oracle_apply(uint32_t id, const struct teak_raft_apply *given);
void oracle_done(uint32_t id, const struct teak_raft_done *done);
void oracle_read(uint32_t id, const struct teak_raft_answer *read);

/* A node begins: what is there is what was told, and of the jobs in flight a prefix, whole. */
void oracle_judge_disk(uint32_t id, const struct teak_raft_start *start);

#endif
