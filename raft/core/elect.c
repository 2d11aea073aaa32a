/* elect.c: see elect.h. */
#include "core/elect.h"

#include "core/jobs.h"
#include "core/lead.h"
#include "core/outbox.h"
#include "core/quorum.h"
#include "core/reads.h"
#include "core/role.h"
#include "core/timers.h"

static void ask_all(struct teak_raft *raft)
{
    raft->vote_round++;
    raft->granted = raft->denied = 0;
    raft->asking = all_voters(raft) & ~raft->config.self;
}

static bool is_elected(const struct teak_raft *raft)
{
    return quorum_has(raft->config.voters, raft->config.next, raft->granted);
}

/* Would stand, but that somebody else is meant: a learner would not, and what is not committed may never be. */
static bool is_replaced(const struct teak_raft *raft)
{
    return (raft->config.self & all_voters(raft)) && raft->config.index <= raft->commit && role_is_stranger(raft);
}

void elect_start(struct teak_raft *raft)
{
    if (is_replaced(raft)) outbox_event(raft, TEAK_RAFT_EVENT_PEER_REPLACED, raft->options.id, raft->born);
    if (!role_may_lead(raft)) return;
    raft->role = TEAK_RAFT_PRE_CANDIDATE;
    raft->leader = 0;
    reads_lose(raft);
    ask_all(raft);
    raft->granted = raft->config.self & all_voters(raft);
    if (is_elected(raft)) elect_stand(raft, false);
}

void elect_stand(struct teak_raft *raft, bool forced)
{
    role_stand(raft);
    raft->forced = forced;
    ask_all(raft);
    timer_stop(raft, TIMER_ELECTION); /* on a slow disk it would start another before this one began */
}

bool elect_may_ask(const struct teak_raft *raft)
{
    return raft->role == TEAK_RAFT_PRE_CANDIDATE || (raft->role == TEAK_RAFT_CANDIDATE && jobs_vote_is_durable(raft));
}

void elect_durable(struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_CANDIDATE || timer_runs(raft, TIMER_ELECTION) || !jobs_vote_is_durable(raft)) return;
    timer_election(raft);
    raft->granted |= raft->config.self & all_voters(raft);
    if (is_elected(raft)) lead_begin(raft);
}

static bool is_up_to_date(const struct teak_raft *raft, struct teak_raft_pos candidate)
{
    return candidate.term > raft->last.term ||
           (candidate.term == raft->last.term && candidate.index >= raft->last.index);
}

static bool has_promised(const struct teak_raft *raft)
{
    return raft->role == TEAK_RAFT_LEADER || timer_runs(raft, TIMER_PROMISE);
}

/* Its log names another one under its id, by an entry that may not be committed: a candidate without that entry would
 * count a vote of who may have forgotten what it promised. Once it is committed, whoever is up to date has it, and does
 * not count it by itself; and who came back under its old id, and has its own old name before its new one, votes. */
static bool is_void(const struct teak_raft *raft)
{
    return raft->config.index > raft->commit && role_is_stranger(raft);
}

/* Else granted by term, log and promise alone: what the voter believes of anybody's membership may be old news. */
void elect_on_pre_vote(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    const bool granted =
        !has_promised(raft) && msg->term > raft->term && is_up_to_date(raft, msg->at) && !is_void(raft);
    outbox_reply(raft, msg, TEAK_RAFT_PRE_VOTE_REPLY, (struct teak_raft_msg){.refused = !granted});
}

void elect_on_vote(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    const bool again = msg->term == raft->term && raft->vote == msg->from;
    const bool promised = has_promised(raft) && !msg->force && !again;
    /* a promise keeps the term too: who is cut off must not depose a leader by coming back */
    if (msg->term > raft->term && !promised) role_follow(raft, msg->term, 0);
    const bool granted = !promised && msg->term == raft->term && (raft->vote == 0 || raft->vote == msg->from) &&
                         is_up_to_date(raft, msg->at) && !is_void(raft);
    if (!granted) {
        outbox_reply(raft, msg, TEAK_RAFT_VOTE_REPLY, (struct teak_raft_msg){.refused = true});
        return;
    }
    if (raft->role == TEAK_RAFT_PRE_CANDIDATE) role_follow(raft, raft->term, 0);
    raft->vote = msg->from;
    raft->grant_owed = true; /* it leaves when it is durable: ready.c */
    raft->grant_round = msg->round;
    raft->grant_asked = msg->incarnation;
    timer_election(raft);
}

void elect_on_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    const bool is_pre = msg->type == TEAK_RAFT_PRE_VOTE_REPLY;
    if (raft->role != (is_pre ? TEAK_RAFT_PRE_CANDIDATE : TEAK_RAFT_CANDIDATE) || msg->round != raft->vote_round)
        return;
    if (!elect_may_ask(raft)) return; /* to a question that was not asked yet */
    const uint32_t bit = UINT32_C(1) << slot & all_voters(raft);
    if (msg->refused)
        raft->denied |= bit & ~raft->granted;
    else
        raft->granted |= bit;
    if (is_elected(raft)) {
        if (is_pre)
            elect_stand(raft, false);
        else
            lead_begin(raft);
    } else if (quorum_is_lost(raft->config.voters, raft->config.next, raft->denied)) {
        role_follow(raft, raft->term, 0);
    }
}
