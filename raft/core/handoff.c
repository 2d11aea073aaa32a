/* handoff.c: see handoff.h. */
#include "core/handoff.h"

#include "core/change.h"
#include "core/elect.h"
#include "core/outbox.h"
#include "core/role.h"
#include "core/timers.h"

/* Who may lead when the configuration in force is left. */
static uint32_t heirs(const struct teak_raft *raft)
{
    return (raft->config.next ? raft->config.next : raft->config.voters) & others(raft);
}

static uint32_t alive(const struct teak_raft *raft) { return (raft->heard | raft->heard_before) & ~raft->full; }

/* Of `among`: by priority, then by what it has. */
static uint32_t best(const struct teak_raft *raft, uint32_t among)
{
    uint32_t found = NO_SLOT;
    for (uint32_t rest = among & heirs(raft) & alive(raft); rest != 0; rest &= rest - 1) {
        const uint32_t slot = (uint32_t)__builtin_ctz(rest);
        if (found != NO_SLOT) {
            const uint8_t mine = config_members(raft)[slot].priority, its = config_members(raft)[found].priority;
            if (mine < its || (mine == its && peer_at(raft, slot)->match <= peer_at(raft, found)->match)) continue;
        }
        found = slot;
    }
    return found;
}

enum teak_raft_status handoff_start(struct teak_raft *raft, uint64_t to)
{
    const uint32_t slot = to ? slot_of(raft, to) : best(raft, UINT32_MAX);
    if (slot == NO_SLOT) return to || heirs(raft) == 0 ? TEAK_RAFT_UNKNOWN_MEMBER : TEAK_RAFT_BEHIND;
    if (!(heirs(raft) >> slot & 1)) return TEAK_RAFT_UNKNOWN_MEMBER;
    if (raft->transfer_to != 0) return TEAK_RAFT_TRANSFERRING;
    if (!(alive(raft) >> slot & 1)) return TEAK_RAFT_BEHIND;
    raft->transfer_to = config_members(raft)[slot].id;
    raft->transfer_told = false;
    timer_start(raft, TIMER_TRANSFER, raft->options.election);
    handoff_check(raft);
    return TEAK_RAFT_OK;
}

static bool is_caught_up(const struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_LEADER || raft->transfer_to == 0) return false;
    const uint32_t slot = slot_of(raft, raft->transfer_to);
    return slot != NO_SLOT && peer_at(raft, slot)->match == raft->last.index;
}

void handoff_check(struct teak_raft *raft)
{
    if (!raft->transfer_told && is_caught_up(raft)) raft->transfer_owed = true;
}

void handoff_remind(struct teak_raft *raft)
{
    raft->transfer_told = false;
    handoff_check(raft);
}

void handoff_from_stall(struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_LEADER || raft->transfer_to != 0) return;
    uint32_t moving = 0;
    for (uint32_t slot = 0; slot < raft->config.count; slot++)
        if (peer_at(raft, slot)->match > raft->durable) moving |= UINT32_C(1) << slot;
    const uint32_t slot = best(raft, moving);
    if (slot != NO_SLOT) (void)handoff_start(raft, config_members(raft)[slot].id);
}

/* Of higher priority than this node, with all that is committed. */
static uint32_t outranking(const struct teak_raft *raft)
{
    uint32_t found = 0;
    if (raft->config.self == 0 || raft->config.joint || raft->config.index > raft->commit) return 0;
    const uint8_t mine = config_members(raft)[__builtin_ctz(raft->config.self)].priority;
    for (uint32_t slot = 0; slot < raft->config.count; slot++)
        if (config_members(raft)[slot].priority > mine && peer_at(raft, slot)->match >= raft->commit)
            found |= UINT32_C(1) << slot;
    return found;
}

/* Who was asked to campaign may be unfit in a way that only it knows: rot, a disk that stands still. Each try ends the
 * lease of the term, so after a few the leader stays. */
void handoff_count(struct teak_raft *raft)
{
    enum { CALM_COUNTS = 4, TRIES_MAX = 3 };
    if (raft->calm_tries == TRIES_MAX) return;
    const uint32_t slot = raft->transfer_to == 0 ? best(raft, outranking(raft)) : NO_SLOT;
    if (slot == NO_SLOT) {
        raft->calm = 0;
        return;
    }
    if (++raft->calm < (uint32_t)CALM_COUNTS << raft->calm_tries) return;
    raft->calm = 0;
    raft->calm_tries++;
    (void)handoff_start(raft, config_members(raft)[slot].id); /* it lives: best() says so */
}

void handoff_last_word(struct teak_raft *raft)
{
    const uint32_t slot = raft->role == TEAK_RAFT_LEADER ? best(raft, UINT32_MAX) : NO_SLOT;
    if (slot == NO_SLOT) return;
    CHECK(raft->halted && raft->send_count == 0);
    outbox_add(raft, TEAK_RAFT_TIMEOUT_NOW, config_members(raft)[slot].id);
    raft->last_word = true;
}

void handoff_give_up(struct teak_raft *raft)
{
    raft->transfer_to = 0;
    raft->transfer_owed = raft->transfer_told = false;
    if (change_is_out(raft)) role_follow(raft, raft->term, 0); /* it leads no longer, whoever comes next */
}

void handoff_on_timeout_now(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    if (raft->role != TEAK_RAFT_FOLLOWER || raft->leader != msg->from || !role_may_lead(raft)) return;
    elect_stand(raft, true);
}
