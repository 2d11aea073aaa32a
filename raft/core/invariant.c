/* invariant.c: see invariant.h. */
#include "core/invariant.h"

#include "core/install.h"
#include "core/jobs.h"
#include "core/tail.h"
#include "core/timers.h"

static void check_log(const struct teak_raft *raft)
{
    CHECK_LE(raft->applied, raft->handed);
    CHECK_LE(raft->handed, min_index(raft->commit, raft->durable));
    CHECK_LE(raft->durable, raft->written);
    CHECK_LE(raft->written, raft->last.index);
    CHECK_LE(raft->verified, raft->last.index);
    /* what is not durable is in memory, or in a snapshot that is about to be */
    CHECK_LE(raft->tail_first, (install_is_pending(raft) ? raft->restore : raft->durable) + 1);
    CHECK_LE(raft->first, raft->snapshot.name.pos.index + 1);
    CHECK_LE(raft->first, raft->tail_first); /* nothing that the log forgot is in memory */
    CHECK_LE(raft->durable_snapshot, raft->written_snapshot);
    CHECK_LE(raft->snapshot.name.pos.index, max_index(raft->applied, raft->restore));
    CHECK_LE(raft->last.term, raft->term);
}

static void check_role(const struct teak_raft *raft)
{
    switch ((enum teak_raft_role)raft->role) {
    case TEAK_RAFT_LEADER:
        CHECK(jobs_vote_is_durable(raft) && raft->vote == raft->options.id);
        CHECK_EQ(raft->leader, raft->options.id);
        CHECK(raft->halted || (timer_runs(raft, TIMER_HEARTBEAT) && timer_runs(raft, TIMER_QUORUM)));
        return;
    case TEAK_RAFT_CANDIDATE:
        CHECK_EQ(raft->vote, raft->options.id);
        CHECK_EQ(raft->leader, 0);
        return;
    case TEAK_RAFT_PRE_CANDIDATE:
    case TEAK_RAFT_FOLLOWER:
        CHECK(raft->leader != raft->options.id);
        CHECK(raft->halted || timer_runs(raft, TIMER_ELECTION)); /* nobody waits for ever */
        return;
    }
    CHECK(false);
}

#ifdef TEAK_DEBUG
static void check_peers(const struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_LEADER) return;
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        const struct peer *peer = peer_at(raft, slot);
        CHECK_LT(peer->match, peer->next);
        CHECK_LE(peer->match, raft->last.index);
        CHECK_LE(peer->next, raft->last.index + 1);
    }
}

static void check_terms(const struct teak_raft *raft)
{
    const struct terms terms = raft_terms(raft);
    for (uint32_t i = 1; i < terms.count; i++) {
        CHECK_LT(terms.runs[i - 1].first, terms.runs[i].first);
        CHECK_LT(terms.runs[i - 1].term, terms.runs[i].term);
    }
    for (uint64_t index = raft->tail_first; index <= raft->last.index; index++) {
        CHECK_EQ(tail_at(raft, index)->index, index);
        const uint64_t known = tail_term(raft, index);
        CHECK(known == tail_at(raft, index)->term || (known == 0 && index < raft->commit));
    }
}

static void check_snapshots(const struct teak_raft *raft)
{
    CHECK_LE(raft->intake.written, raft->intake.taken);
    CHECK_LE(raft->intake.taken, raft->intake.snap.name.bytes);
    CHECK(raft->intake.state == INTAKE_NONE || raft->restore == 0); /* one at a time */
    CHECK(raft->handed_config.index == 0 ||
          (raft->applied < raft->handed_config.index && raft->handed_config.index <= raft->handed));
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) {
        const struct stream *stream = stream_at(raft, i);
        CHECK_LE(stream->acked, stream->sent);
        CHECK_LE(stream->sent, stream->snap.name.bytes);
    }
}

/* At most one configuration that is not committed: else one to roll back to would be missing. */
static void check_configs(const struct teak_raft *raft)
{
    if (raft->role == TEAK_RAFT_LEADER) CHECK(raft->previous.index <= raft->commit || raft->config.index == 0);
    CHECK(raft->config.index <= raft->last.index);
}
#endif

void invariant_check(const struct teak_raft *raft)
{
    check_log(raft);
    check_role(raft);
#ifdef TEAK_DEBUG
    check_peers(raft);
    check_terms(raft);
    check_configs(raft);
    check_snapshots(raft);
#endif
}
