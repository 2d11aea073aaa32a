/* refound.c: a cluster begins anew: its name, and the way on for one survivor when a majority is gone for ever. Both
 * are made of values, before there is a node.
 */
#include <string.h>

#include "core/members.h"

static uint64_t scramble(uint64_t x)
{
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ (x >> 29)) * UINT64_C(0xff51afd7ed558ccd);
    return x ^ (x >> 32);
}

/* Two sums over the same bytes that have nothing in common. */
static void name(const uint8_t *bytes, uint32_t count, uint64_t salt, uint8_t cluster_out[16])
{
    uint64_t a = scramble(salt + 1), b = scramble(~salt);
    for (uint32_t i = 0; i < count; i++) {
        a = scramble(a ^ bytes[i]) + UINT64_C(0x9e3779b97f4a7c15);
        b = scramble(b + bytes[i] * UINT64_C(0xc2b2ae3d27d4eb4f)) ^ UINT64_C(0x165667b19e3779f9);
    }
    for (uint32_t i = 0; i < 8; i++) {
        cluster_out[i] = (uint8_t)(a >> (8 * i));
        cluster_out[8 + i] = (uint8_t)(b >> (8 * i));
    }
}

enum teak_raft_status teak_raft_name_cluster(const struct teak_raft_member *members, uint32_t count, uint64_t salt,
                                             uint8_t cluster_out[16])
{
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    if (!cluster_out) return TEAK_RAFT_MISUSE;
    const enum teak_raft_status status = members_wanted(members, count);
    if (status != TEAK_RAFT_OK) return status;
    name(bytes, members_encode(members, count, false, bytes), salt, cluster_out);
    return TEAK_RAFT_OK;
}

/* --------------------------------------------------------------------------------------------------------- recovery */

/* This node votes from now on, and is who it is. */
static bool is_in(const struct teak_raft_member *members, uint32_t count, uint64_t id, uint64_t born)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == id)
            return members[i].roles == TEAK_RAFT_VOTER && fits_born(&members[i], born);
    return false;
}

/* What the store says can be a log that goes on. Rot stays rot: a node that cannot read its entries cannot lead. */
static bool can_go_on(const struct teak_raft_start *start)
{
    const uint64_t limit = UINT64_C(1) << 61;
    if (start->verdict == TEAK_RAFT_ROT || start->last.index == 0 || start->last.term == 0) return false;
    if (start->last.index >= limit || start->hard.term >= limit || start->hard.term < start->last.term) return false;
    if (start->hard.commit > start->last.index || start->applied > start->last.index) return false;
    if (start->first > start->last.index + 1) return false;
    return !start->snapshot || start->snapshot->pos.index <= start->last.index;
}

enum teak_raft_status teak_raft_recover(const struct teak_raft_options *options, const struct teak_raft_start *start,
                                        const struct teak_raft_recovery *recovery, struct teak_raft_entry *entry,
                                        struct teak_raft_job *job_out, struct teak_raft_recovered *report_out)
{
    if (!options || !start || !recovery || !recovery->bytes || !entry || !job_out || !report_out)
        return TEAK_RAFT_MISUSE;
    const enum teak_raft_status status = members_wanted(recovery->members, recovery->count);
    if (status != TEAK_RAFT_OK) return status;
    if (recovery->count > options->members_max || recovery->capacity < TEAK_RAFT_CONFIG_BYTES(recovery->count))
        return TEAK_RAFT_MISUSE;
    if (!is_in(recovery->members, recovery->count, options->id, start->born)) return TEAK_RAFT_MISUSE;
    if (memcmp(recovery->cluster, options->cluster, sizeof options->cluster) == 0) return TEAK_RAFT_MISUSE;
    if (!can_go_on(start)) return TEAK_RAFT_DAMAGED;
    const struct teak_raft_pos at = {start->last.index + 1, start->hard.term + 1};
    uint64_t committed = start->hard.commit > start->applied ? start->hard.commit : start->applied;
    if (start->snapshot && start->snapshot->pos.index > committed) committed = start->snapshot->pos.index;
    *entry = (struct teak_raft_entry){
        .index = at.index, .term = at.term, .kind = TEAK_RAFT_CONFIG, .data = recovery->bytes,
        .bytes = members_encode(recovery->members, recovery->count, false, recovery->bytes)};
    *job_out = (struct teak_raft_job){.hard = {.term = at.term, .commit = at.index}, .entries = entry, .count = 1,
                                      .urgent = true, .after_first = start->first > 1 ? start->first : 1,
                                      .after_last = at};
    *report_out = (struct teak_raft_recovered){.last = start->last, .committed = committed,
                                               .may_lack = start->verdict == TEAK_RAFT_TAIL_LOST};
    return TEAK_RAFT_OK;
}
