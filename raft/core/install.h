/* install.h: what lies before the log: the newest snapshot, where the log begins, and what the state machine holds.
 *
 *      1          first          snapshot         applied      handed         commit      last
 *      ├ forgotten ┼── trailing ──┼────────────────┼────────────┼──────────────┼───────────┤
 *
 * OWNS   first, snapshot, restore, the configurations handed out and applied.
 * PATH   One's own: install_point → the caller stores a body → install_taken → the next job tells the log,
 *        and compacts.
 *        From elsewhere: intake.c has the body → install_begin: the log is emptied, in memory → a job behind all in
 *        flight (clear) → durable: confirmed to the leader, and only now handed out to be restored → applied.
 * HOLDS  (1) first - 1 <= snapshot   (2) While install_is_pending no entry is handed out: those before the snapshot are
 *        gone, those behind it come after it   (3) handed_config is the only configuration between applied and handed:
 *        the next one waits, so that a snapshot taken at `applied` always knows its own
 */
#ifndef TEAK_RAFT_INSTALL_H
#define TEAK_RAFT_INSTALL_H

#include "core/core.h"

/* A name with the pointer to its configuration. */
static inline struct teak_raft_snapshot snap_name(const struct teak_raft *raft, const struct snap *snap)
{
    struct teak_raft_snapshot name = snap->name;
    name.config = (const uint8_t *)raft_at(raft, snap->config_at);
    return name;
}

/* Keeps a name; its configuration has at most members_max members. */
void snap_keep(struct teak_raft *raft, struct snap *snap, const struct teak_raft_snapshot *name);
void snap_drop(struct teak_raft *raft, struct snap *snap);

/* True if it can be a snapshot: a position, a configuration at or below it. */
bool snap_judge(const struct teak_raft_snapshot *name, struct config *config_out, struct teak_raft_member *members);

enum teak_raft_status install_taken(struct teak_raft *raft, const struct teak_raft_snapshot *snapshot);

/* The intake is complete and newer than the log: it takes the log's place. */
void install_begin(struct teak_raft *raft);

/* A snapshot from elsewhere has emptied the log, and that is not durable yet. */
static inline bool install_is_pending(const struct teak_raft *raft) { return raft->restore > raft->durable_snapshot; }

/* The state machine is to be replaced in the next ready. */
static inline bool install_may_restore(const struct teak_raft *raft)
{
    return raft->handed < raft->restore && !install_is_pending(raft) && raft->handed_config.index == 0;
}
const struct teak_raft_snapshot *install_hand_restore(struct teak_raft *raft);

/* A CONFIG entry is next to be handed out: may it? And it is. */
static inline bool install_may_hand_config(const struct teak_raft *raft) { return raft->handed_config.index == 0; }
void install_hand_config(struct teak_raft *raft, const struct teak_raft_entry *entry);

void install_applied(struct teak_raft *raft, uint64_t index);

/* Reasons for a job, and its part of it. */
bool install_wants_job(const struct teak_raft *raft);
void install_fill_job(struct teak_raft *raft, struct teak_raft_job *job);

#endif
