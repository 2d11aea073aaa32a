/* raft_oracle.h: what is known of all nodes at once, and what has to hold of them.
 *
 * OWNS   Of each node: what its disk has by what was told, the jobs in flight. Of all: which entry is committed at
 *        which index, and what a state machine is then; who led which term, who voted for whom; what is asked and not
 *        answered.
 * FAILS  What does not hold ends the test.
 */
#ifndef TEAK_TESTS_SIM_RAFT_ORACLE_H
#define TEAK_TESTS_SIM_RAFT_ORACLE_H

#include "raft_fleet_state.h"

struct fact oracle_fact(const struct teak_raft_entry *entry);

/* A job is handed out; a completion: jobs up to `token` are durable; none from it on is done. */
void oracle_submit(uint32_t id, const struct teak_raft_job *job);
void oracle_durable(uint32_t id, uint64_t token);
void oracle_refused(struct fleet_node *node, uint64_t token);

/* After each input of a node. */
void oracle_judge(uint32_t id);

/* Equal (index, term): equal bytes, and equal entries before; in memory here, and on all disks. */
void oracle_judge_matching(uint32_t id);

/* A message leaves. */
void oracle_judge_message(const struct teak_raft_msg *msg);

/* What a ready hands out. `body`: what is to be restored. */
void oracle_event(uint32_t id, const struct teak_raft_event *event);
void oracle_apply(uint32_t id, const struct teak_raft_apply *given);
void oracle_restore(uint32_t id, const struct body *body);
void oracle_done(uint32_t id, const struct teak_raft_done *done);
void oracle_read(uint32_t id, const struct teak_raft_answer *read);

/* What is there is what was told, and of the jobs in flight a prefix, whole: whose length is returned. UINT32_MAX: not
 * so; where that is a fault, it ends the test. */
uint32_t oracle_judge_disk(uint32_t id, const struct disk_fact *found);

/* A node begins with what is there. */
void oracle_begin(uint32_t id, uint32_t jobs_found);

/* `born` is what the log of a copy says: nobody of that id was. */
uint64_t oracle_new_birth(uint32_t id, uint64_t born);

/* Its disk is gone. Are there enough without it, as any node sees the members? */
bool oracle_may_lose(uint32_t id);
void oracle_lose(uint32_t id);

/* Would there be with this set of members, all of them voters at once? */
bool oracle_may_have(const struct realm *realm, const struct teak_raft_member *members, uint32_t count);

/* Its disk is an older one, under the birth that it had. */
void oracle_goes_back(uint32_t id);

/* `id` was recovered: from now on it is in a realm of its own, in which all of its log is committed. `left`: bits of
 * the ids whose disks are there still; `known`: how far one of them knows what is committed. */
void oracle_refound(uint32_t id, uint32_t left, uint64_t known);

/* What is committed is on a quorum of these disks: of each node one, and those that are gone. */
void oracle_judge_quorum(const struct realm *realm, const struct disk_fact *const disks[NODES], const char *when);
void oracle_judge_disks(const struct realm *realm, const char *when);

#endif
