/* role.c: see role.h. */
#include "core/role.h"

#include "core/lanes.h"
#include "core/outbox.h"
#include "core/reads.h"
#include "core/tail.h"
#include "core/timers.h"

static void enter_term(struct teak_raft *raft, uint64_t term, uint64_t vote)
{
    CHECK_LT(raft->term, term);
    raft->term = term;
    raft->vote = vote;
    raft->grant_owed = false;
    raft->verified = raft->commit; /* all that is known to agree with whoever leads this term */
    raft->confirmed = raft->commit;
    raft->confirm_owed = false;
}

static void stop_leading(struct teak_raft *raft)
{
    timer_stop(raft, TIMER_HEARTBEAT);
    timer_stop(raft, TIMER_QUORUM);
    timer_stop(raft, TIMER_TRANSFER);
    raft->transfer_to = 0;
    raft->transfer_owed = raft->transfer_told = false;
    raft->beating = raft->poked = raft->paused = raft->heard = raft->heard_before = raft->full = 0;
    raft->turn = raft->stream_turn = 0;
    lane_void(raft, LANE_PEER);
    timer_election(raft);
}

void role_follow(struct teak_raft *raft, uint64_t term, uint64_t leader)
{
    const bool is_news = raft->term != term || raft->leader != leader;
    if (raft->role == TEAK_RAFT_LEADER) stop_leading(raft);
    /* a candidate whose vote is not durable yet has no timer that runs */
    if (raft->role == TEAK_RAFT_CANDIDATE) timer_election(raft);
    if (raft->term != term) enter_term(raft, term, 0);
    raft->role = TEAK_RAFT_FOLLOWER;
    raft->leader = leader;
    raft->asking = raft->granted = raft->denied = 0;
    raft->forced = false;
    if (is_news) reads_lose(raft);
    if (is_news) outbox_event(raft, TEAK_RAFT_EVENT_TERM, term, leader);
}

void role_stand(struct teak_raft *raft)
{
    CHECK(raft->role != TEAK_RAFT_LEADER);
    enter_term(raft, raft->term + 1, raft->options.id);
    raft->role = TEAK_RAFT_CANDIDATE;
    raft->leader = 0;
    reads_lose(raft);
    outbox_event(raft, TEAK_RAFT_EVENT_TERM, raft->term, 0);
}

void role_lead(struct teak_raft *raft)
{
    CHECK_EQ(raft->role, TEAK_RAFT_CANDIDATE);
    raft->role = TEAK_RAFT_LEADER;
    raft->leader = raft->options.id;
    raft->leader_incarnation = raft->incarnation;
    raft->asking = raft->granted = raft->denied = 0;
    raft->forced = false;
    timer_stop(raft, TIMER_ELECTION);
    timer_stop(raft, TIMER_PROMISE);
    outbox_event(raft, TEAK_RAFT_EVENT_LEADING, raft->term, 0);
}

void role_halt(struct teak_raft *raft, enum teak_raft_halt why, uint64_t what)
{
    if (raft->halted) return;
    raft->halted = true;
    timers_wake(raft);
    for (int timer = 0; timer < TIMER_COUNT; timer++) timer_stop(raft, (enum timer)timer);
    raft->send_count = 0;
    outbox_event(raft, TEAK_RAFT_EVENT_HALTED, why, what);
}

bool role_is_stranger(const struct teak_raft *raft)
{
    if (raft->config.self == 0 || all_voters(raft) == raft->config.self) return false;
    return !fits_born(&config_members(raft)[__builtin_ctz(raft->config.self)], raft->born);
}

bool role_may_lead(struct teak_raft *raft)
{
    if (raft->rotten || raft->stalled || role_is_stranger(raft)) return false;
    const bool votes = raft->config.self & all_voters(raft);
    const bool voted = raft->config.index > raft->commit &&
                       (raft->previous.self & (raft->previous.voters | raft->previous.next));
    if (!votes && !voted) return false;
    /* the entry that a leader begins with needs a place, and its term a run */
    return tail_has_room(raft, NULL, 0, TAIL_KEEP_DURABLE, true) && tail_has_run(raft, raft->term + 1);
}
