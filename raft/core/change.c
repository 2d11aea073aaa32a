/* change.c: see change.h. */
#include "core/change.h"

#include <string.h>

#include "core/handoff.h"
#include "core/lead.h"
#include "core/members.h"
#include "core/role.h"
#include "core/tail.h"

/* Bytes of CONFIG entries of the node's own making lie in the block: two buffers in turn. The one to use next is
 * free when the entry that used it last has left memory. */
static uint8_t *own_buffer(const struct teak_raft *raft)
{
    return (uint8_t *)raft_at(raft, raft->own_at + raft->own_next * TEAK_RAFT_CONFIG_BYTES(raft->members_max));
}

static bool is_used(const struct teak_raft *raft, const uint8_t *buffer)
{
    for (uint64_t index = raft->last.index; index >= raft->tail_first; index--)
        if (tail_at(raft, index)->data == buffer) return true;
    return false;
}

static bool append(struct teak_raft *raft, const struct teak_raft_member *members, uint32_t count, bool joint)
{
    uint8_t *buffer = own_buffer(raft);
    while (is_used(raft, buffer))
        if (!tail_forget_one(raft)) return false;
    const uint32_t bytes = TEAK_RAFT_CONFIG_BYTES(count);
    /* room first: what is in the buffer is an entry's only from then on */
    members_encode(members, count, joint, buffer);
    const struct teak_raft_entry entry = {.kind = TEAK_RAFT_CONFIG, .data = buffer, .bytes = bytes};
    if (!lead_append(raft, entry)) return false;
    raft->own_next ^= 1;
    return true;
}

/* ----------------------------------------------------------------------------------------------------------- plan */

struct plan {
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    uint32_t count;
    bool joint;
};

static const struct teak_raft_member *find(const struct teak_raft_member *members, uint32_t count, uint64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == id) return &members[i];
    return NULL;
}

/* A new voter is a learner that has nearly everything, the configuration above all, and was heard of late. Without it
 * its log may end with an older one that is not committed and names another log under its id: then it gives no vote. */
static bool is_ready(const struct teak_raft *raft, const struct teak_raft_member *before, uint64_t id)
{
    if (!before) return false;
    const uint32_t slot = slot_of(raft, id);
    const uint64_t match = peer_at(raft, slot)->match;
    return ((raft->heard | raft->heard_before) >> slot & 1) && match >= raft->config.index &&
           match + raft->span_max >= raft->last.index;
}

/* A member's log: what the configuration says, else the one that the leader hears from, 0: not known. Its own it knows,
 * whatever is said: who votes alone goes on from a copy of its log. */
static uint64_t born_at(const struct teak_raft *raft, uint32_t slot)
{
    const uint64_t named = config_members(raft)[slot].born;
    if (raft->config.self >> slot & 1) return raft->born;
    return named ? named : peer_at(raft, slot)->born;
}

/* The same of anybody. */
static uint64_t known_born(const struct teak_raft *raft, uint64_t id)
{
    const uint32_t slot = slot_of(raft, id);
    if (slot != NO_SLOT) return born_at(raft, slot);
    return id == raft->options.id ? raft->born : 0;
}

/* Where the caller leaves it open: the one that is known. From then on nobody else counts under that id. */
static uint64_t born_of(const struct teak_raft *raft, const struct teak_raft_member *wanted)
{
    return wanted->born != 0 ? wanted->born : known_born(raft, wanted->id);
}

static enum teak_raft_status judge(const struct teak_raft *raft, const struct teak_raft_member *wanted, uint32_t count,
                                   bool *same_voters_out)
{
    const struct teak_raft_member *old = config_members(raft);
    bool same = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct teak_raft_member *before = find(old, raft->config.count, wanted[i].id);
        const uint64_t known = known_born(raft, wanted[i].id);
        if (known != 0 && wanted[i].born != 0 && known != wanted[i].born) return TEAK_RAFT_MISUSE;
        if (wanted[i].roles == TEAK_RAFT_VOTER && !(before && before->roles == TEAK_RAFT_VOTER)) {
            same = false;
            if (!is_ready(raft, before, wanted[i].id)) return TEAK_RAFT_BEHIND;
        }
    }
    for (uint32_t i = 0; i < raft->config.count; i++) {
        const struct teak_raft_member *after = find(wanted, count, old[i].id);
        if (old[i].roles == TEAK_RAFT_VOTER && !(after && after->roles == TEAK_RAFT_VOTER)) same = false;
    }
    *same_voters_out = same;
    return TEAK_RAFT_OK;
}

static struct teak_raft_member joined(const struct teak_raft_member *before, const struct teak_raft_member *after)
{
    struct teak_raft_member member = after ? *after : *before;
    if (member.born == 0 && before) member.born = before->born;
    member.roles = 0;
    if (before && before->roles == TEAK_RAFT_VOTER) member.roles |= TEAK_RAFT_VOTER;
    if (after) member.roles |= after->roles == TEAK_RAFT_VOTER ? TEAK_RAFT_VOTER_NEXT : TEAK_RAFT_LEARNER;
    return member;
}

/* Old and new, by ascending id. A learner that goes, goes at once: nobody counts it. false: more than a word of
 * members. */
static bool join(const struct teak_raft *raft, const struct teak_raft_member *wanted, uint32_t count, struct plan *plan)
{
    const struct teak_raft_member *old = config_members(raft);
    for (uint32_t a = 0, b = 0; a < raft->config.count || b < count;) {
        const uint64_t id =
            b == count || (a < raft->config.count && old[a].id < wanted[b].id) ? old[a].id : wanted[b].id;
        const struct teak_raft_member *before = a < raft->config.count && old[a].id == id ? &old[a++] : NULL;
        const struct teak_raft_member *after = b < count && wanted[b].id == id ? &wanted[b++] : NULL;
        const struct teak_raft_member member = joined(before, after);
        if (member.roles == 0) continue;
        if (plan->count == raft->members_max) return false;
        plan->members[plan->count++] = member;
    }
    plan->joint = true;
    return true;
}

enum teak_raft_status change_start(struct teak_raft *raft, uint64_t seen, const struct teak_raft_member *members,
                                   uint32_t count)
{
    const enum teak_raft_status wanted = members_wanted(members, count);
    if (wanted != TEAK_RAFT_OK) return wanted;
    if (count > raft->members_max) return TEAK_RAFT_MISUSE;
    if (raft->role != TEAK_RAFT_LEADER) return TEAK_RAFT_NOT_LEADER;
    if (raft->transfer_to != 0) return TEAK_RAFT_TRANSFERRING;
    if (!raft->has_room) return TEAK_RAFT_NO_SPACE;
    if (raft->commit < raft->lead_first) return TEAK_RAFT_NOT_READY;
    if (raft->config.index > raft->commit || raft->config.joint) return TEAK_RAFT_CHANGE_IN_FLIGHT;
    if (seen != raft->config.index) return TEAK_RAFT_CHANGED;
    bool same_voters = false;
    const enum teak_raft_status status = judge(raft, members, count, &same_voters);
    if (status != TEAK_RAFT_OK) return status;
    struct plan plan = {.count = 0};
    struct teak_raft_member named[TEAK_RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        named[i] = members[i];
        named[i].born = born_of(raft, &members[i]);
    }
    if (!same_voters) {
        if (!join(raft, named, count, &plan)) return TEAK_RAFT_MISUSE;
    } else {
        memcpy(plan.members, named, count * sizeof named[0]);
        plan.count = count;
    }
    return append(raft, plan.members, plan.count, plan.joint) ? TEAK_RAFT_OK : TEAK_RAFT_BUSY;
}

/* ---------------------------------------------------------------------------------------------------------- leaving */

static void leave(struct teak_raft *raft)
{
    struct plan plan = {.count = 0};
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        struct teak_raft_member member = config_members(raft)[slot];
        if (!(member.roles & (TEAK_RAFT_VOTER_NEXT | TEAK_RAFT_LEARNER))) continue;
        member.roles = member.roles & TEAK_RAFT_VOTER_NEXT ? TEAK_RAFT_VOTER : TEAK_RAFT_LEARNER;
        plan.members[plan.count++] = member;
    }
    append(raft, plan.members, plan.count, false); /* no room: again with the next commit, or what becomes durable */
}

/* A voter whose log is known, and named nowhere. A learner is named when it is promoted. */
static bool is_unnamed(const struct teak_raft *raft, uint32_t slot)
{
    const struct teak_raft_member *member = &config_members(raft)[slot];
    return member->roles == TEAK_RAFT_VOTER && born_at(raft, slot) != member->born;
}

static bool are_named(const struct teak_raft *raft)
{
    for (uint32_t slot = 0; slot < raft->config.count; slot++)
        if (is_unnamed(raft, slot)) return false;
    return true;
}

/* A founder did not know which logs the other voters have. Who leads hears from them, and writes it down: from then on
 * a replaced disk under the same id counts for nothing. The voters stay the same, so it takes one step; who was not
 * heard of yet is named with a later commit. */
static void name_logs(struct teak_raft *raft)
{
    struct teak_raft_member named[TEAK_RAFT_MEMBERS_MAX];
    if (raft->config.joint || raft->transfer_to != 0 || !raft->has_room || are_named(raft)) return;
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        named[slot] = config_members(raft)[slot];
        if (is_unnamed(raft, slot)) named[slot].born = born_at(raft, slot);
    }
    (void)append(raft, named, raft->config.count, false); /* no room: with the next commit */
}

bool change_is_out(const struct teak_raft *raft)
{
    return raft->role == TEAK_RAFT_LEADER && !raft->config.joint && raft->config.index <= raft->commit &&
           !(raft->config.self & raft->config.voters);
}

void change_go_on(struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_LEADER || raft->config.index > raft->commit || raft->commit < raft->lead_first) return;
    if (raft->config.joint) {
        leave(raft);
        return;
    }
    /* out: it leads until it has handed over, or nobody is there to be handed to */
    if (change_is_out(raft)) {
        if (raft->transfer_to == 0 && handoff_start(raft, 0) != TEAK_RAFT_OK) role_follow(raft, raft->term, 0);
        return;
    }
    name_logs(raft);
}
