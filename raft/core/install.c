/* install.c: see install.h. */
#include "core/install.h"

#include <string.h>

#include "core/commits.h"
#include "core/jobs.h"
#include "core/lanes.h"
#include "core/members.h"
#include "core/outbox.h"
#include "core/tail.h"

/* ------------------------------------------------------------------------------------------------------------ names */

void snap_keep(struct teak_raft *raft, struct snap *snap, const struct teak_raft_snapshot *name)
{
    CHECK_LE(name->config_bytes, TEAK_RAFT_CONFIG_BYTES(raft->members_max));
    memcpy(raft_at(raft, snap->config_at), name->config, name->config_bytes);
    snap->name = *name;
    snap->name.config = NULL;
}

void snap_drop(struct teak_raft *raft, struct snap *snap)
{
    memset(raft_at(raft, snap->config_at), 0, TEAK_RAFT_CONFIG_BYTES(raft->members_max));
    snap->name = (struct teak_raft_snapshot){.born = 0};
}

bool snap_judge(const struct teak_raft_snapshot *name, struct config *config_out, struct teak_raft_member *members)
{
    const uint64_t limit = UINT64_C(1) << 62;
    if (name->pos.index == 0 || name->pos.index >= limit) return false;
    if (name->pos.term == 0 || name->pos.term >= limit) return false;
    if (name->config_index == 0 || name->config_index > name->pos.index || !name->config) return false;
    if (name->bytes >= limit || !members_judge(name->config, name->config_bytes, members, config_out)) return false;
    config_out->index = name->config_index;
    return true;
}

/* ------------------------------------------------------------------------------------------------ the state machine */

static void hand_members(struct teak_raft *raft, struct config config, const struct teak_raft_member *members)
{
    raft->handed_config = config;
    memset(handed_members(raft), 0, raft->members_max * sizeof members[0]);
    memcpy(handed_members(raft), members, config.count * sizeof members[0]);
}

void install_hand_config(struct teak_raft *raft, const struct teak_raft_entry *entry)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    const bool is_config = members_judge(entry->data, entry->bytes, members, &config);
    CHECK(is_config && config.count <= raft->members_max); /* judged when it came in */
    config.index = entry->index;
    hand_members(raft, config, members);
}

const struct teak_raft_snapshot *install_hand_restore(struct teak_raft *raft)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    raft->lent_snapshot = snap_name(raft, &raft->snapshot);
    const bool is_snapshot = snap_judge(&raft->lent_snapshot, &config, members);
    CHECK(is_snapshot && raft->lent_snapshot.pos.index == raft->restore);
    if (config.index > raft->applied) hand_members(raft, config, members);
    raft->handed = raft->restore;
    raft->handed_term = raft->lent_snapshot.pos.term;
    return &raft->lent_snapshot;
}

void install_applied(struct teak_raft *raft, uint64_t index)
{
    if (index == raft->applied) return;
    raft->applied_term = index == raft->handed ? raft->handed_term : tail_term(raft, index);
    raft->applied = index;
    if (index >= raft->restore) raft->restore = 0;
    if (raft->handed_config.index == 0 || index < raft->handed_config.index) return;
    raft->applied_config = raft->handed_config;
    memcpy(applied_members(raft), handed_members(raft), raft->members_max * sizeof(struct teak_raft_member));
    raft->handed_config = (struct config){.index = 0};
    memset(handed_members(raft), 0, raft->members_max * sizeof(struct teak_raft_member));
}

/* -------------------------------------------------------------------------------------------------------- one's own */

enum teak_raft_status teak_raft_snapshot_point(const struct teak_raft *raft, uint8_t *config, size_t capacity,
                                               struct teak_raft_snapshot *out)
{
    if (!raft || !config || !out) return TEAK_RAFT_MISUSE;
    if (raft->halted) return TEAK_RAFT_HALTED;
    if (raft->applied_term == 0 || raft->applied_config.index == 0) return TEAK_RAFT_NOT_READY;
    const struct config *applied = &raft->applied_config;
    if (capacity < TEAK_RAFT_CONFIG_BYTES(applied->count)) return TEAK_RAFT_MISUSE;
    *out = (struct teak_raft_snapshot){
        .pos = {raft->applied, raft->applied_term}, .born = raft->born, .config_index = applied->index,
        .config = config,
        .config_bytes = members_encode(applied_members(raft), applied->count, applied->joint, config)};
    return TEAK_RAFT_OK;
}

enum teak_raft_status install_taken(struct teak_raft *raft, const struct teak_raft_snapshot *snapshot)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    if (!snap_judge(snapshot, &config, members) || config.count > raft->members_max) return TEAK_RAFT_MISUSE;
    const uint64_t index = snapshot->pos.index, term = tail_term(raft, index);
    if (index <= raft->snapshot.name.pos.index) return TEAK_RAFT_STALE;
    if (index > raft->applied || (term != 0 && term != snapshot->pos.term)) return TEAK_RAFT_MISUSE;
    snap_keep(raft, &raft->snapshot, snapshot);
    raft->compact_owed = true;
    return TEAK_RAFT_OK;
}

/* ------------------------------------------------------------------------------------------------------- compaction */

static uint64_t below(uint64_t index, uint64_t by) { return index > by ? index - by : 0; }

/* Up to here the log may be forgotten: below the snapshot, less what trails it. A leader also keeps what those who are
 * near need, and what comes behind a snapshot on its way: without that a slow transfer would be followed by the next
 * for ever. But not more than retain_entries. */
static uint64_t forgettable(const struct teak_raft *raft)
{
    const uint64_t upto = below(raft->snapshot.name.pos.index, raft->options.trailing_entries);
    if (raft->role != TEAK_RAFT_LEADER) return upto;
    uint64_t held = upto;
    for (uint32_t rest = others(raft) & (raft->heard | raft->heard_before); rest != 0; rest &= rest - 1) {
        const struct peer *peer = peer_at(raft, (uint32_t)__builtin_ctz(rest));
        if (peer->progress != TEAK_RAFT_NEEDS_SNAPSHOT) held = min_index(held, peer->match);
    }
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) {
        const struct stream *stream = stream_at(raft, i);
        if (stream->to != 0) held = min_index(held, stream->snap.name.pos.index);
    }
    return max_index(held, min_index(upto, below(raft->last.index, raft->options.retain_entries)));
}

static void forget(struct teak_raft *raft, uint64_t upto)
{
    if (upto < raft->first) return;
    raft->first = upto + 1;
    tail_begin(raft, raft->first);
    const struct lane *lane = &raft->lanes[LANE_PEER];
    if (lane->state != LANE_IDLE && lane->first < raft->first) lane_void(raft, LANE_PEER);
}

/* ---------------------------------------------------------------------------------------------------------- the job */

bool install_wants_job(const struct teak_raft *raft)
{
    if (raft->written_snapshot < raft->snapshot.name.pos.index) return true;
    return raft->compact_owed && max_index(forgettable(raft) + 1, raft->first) > raft->written_first;
}

void install_fill_job(struct teak_raft *raft, struct teak_raft_job *job)
{
    const uint64_t index = raft->snapshot.name.pos.index;
    if (raft->written_snapshot < index) {
        raft->lent_snapshot = snap_name(raft, &raft->snapshot);
        job->snapshot = &raft->lent_snapshot;
        job->clear = raft->restore == index;
        raft->written_snapshot = index;
    }
    if (job->clear) { /* whatever the disk has then, it has nothing but this */
        raft->written = index;
        raft->written_first = index + 1;
    }
    forget(raft, forgettable(raft));
    if (raft->written_first < raft->first) job->compact_to = raft->first - 1;
    raft->written_first = raft->first;
    raft->compact_owed = false;
}

/* --------------------------------------------------------------------------------------------------- from elsewhere */

/* What agrees with the leader up to the snapshot is committed, as the snapshot is; of the rest nobody here can say what
 * stood there. What the disk has beyond what agrees is not confirmed any more from now on, nor what jobs on their way
 * add to it: min(durable, verified) must not reach the snapshot before its own job is durable. */
void install_begin(struct teak_raft *raft)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    const struct teak_raft_snapshot name = snap_name(raft, &raft->intake.snap);
    const bool is_snapshot = snap_judge(&name, &config, members);
    CHECK(is_snapshot && raft->commit < name.pos.index);
    commits_to(raft, min_index(raft->verified, name.pos.index));
    CHECK_LT(raft->commit, name.pos.index); /* else it agrees, and nothing is installed */
    jobs_clear(raft, raft->verified);
    lane_void(raft, LANE_APPLY);
    tail_reset(raft, name.pos);
    commits_jump(raft, name.pos.index);
    snap_keep(raft, &raft->snapshot, &name);
    members_replace(raft, config, members);
    raft->first = name.pos.index + 1;
    raft->restore = name.pos.index;
    raft->rotten = raft->apply_stops = false; /* what could not be read is gone */
    outbox_event(raft, TEAK_RAFT_EVENT_SNAPSHOT, name.pos.index, raft->intake.from);
}
