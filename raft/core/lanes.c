/* lanes.c: see lanes.h. */
#include "core/lanes.h"

#include <string.h>

#include "core/lead.h"
#include "core/role.h"
#include "core/tail.h"

void lane_void(struct teak_raft *raft, uint32_t number)
{
    struct lane *lane = &raft->lanes[number];
    for (uint32_t i = 0; i < lane->count; i++) teak_raft_drop(lane_entries(raft, number)[i].frame);
    memset(lane_entries(raft, number), 0, lane->count * sizeof(struct teak_raft_entry));
    *lane = (struct lane){.entries_at = lane->entries_at};
}

/* Filled for a member that is no longer at that place, or that gets nothing now. */
static bool is_stale(const struct teak_raft *raft)
{
    const struct lane *lane = &raft->lanes[LANE_PEER];
    return lane->state == LANE_FILLED &&
           (!lead_may_send(raft, lane->slot) || peer_at(raft, lane->slot)->next != lane->first);
}

void lane_sift(struct teak_raft *raft)
{
    if (is_stale(raft)) lane_void(raft, LANE_PEER);
}

void lane_take_back(struct teak_raft *raft)
{
    for (uint32_t number = 0; number < LANE_COUNT; number++)
        if (raft->lanes[number].state == LANE_LENT) lane_void(raft, number);
}

static bool is_free(const struct teak_raft *raft, uint32_t number)
{
    return raft->lanes[number].state == LANE_IDLE || (number == LANE_PEER && is_stale(raft));
}

static bool apply_wants(const struct teak_raft *raft)
{
    return is_free(raft, LANE_APPLY) && !raft->apply_stops && raft->handed >= raft->restore &&
           raft->handed + 1 < raft->tail_first &&
           raft->handed < min_index(raft->commit, raft->durable);
}

static bool peer_wants(const struct teak_raft *raft)
{
    return is_free(raft, LANE_PEER) && !raft->rotten && lead_wants_fetch(raft) != NO_SLOT;
}

bool lane_wants(const struct teak_raft *raft) { return apply_wants(raft) || peer_wants(raft); }

static struct teak_raft_fetch ask(struct teak_raft *raft, uint32_t number, uint32_t slot, uint64_t first, uint64_t last)
{
    struct lane *lane = &raft->lanes[number];
    lane->ticket = ++raft->ticket;
    lane->state = LANE_ASKED;
    lane->slot = (uint8_t)slot;
    lane->first = first;
    lane->last = min_index(last, first + raft->part_max - 1);
    return (struct teak_raft_fetch){
        .ticket = lane->ticket, .first = first, .last = lane->last, .to_apply = number == LANE_APPLY,
        .bytes_max = number == LANE_PEER ? raft->options.message_bytes_max : raft->options.apply_bytes_max};
}

uint32_t lane_ask(struct teak_raft *raft, struct teak_raft_fetch *out)
{
    uint32_t count = 0;
    if (peer_wants(raft)) {
        lane_sift(raft);
        const uint32_t slot = lead_wants_fetch(raft);
        out[count++] = ask(raft, LANE_PEER, slot, peer_at(raft, slot)->next, raft->durable);
    }
    if (apply_wants(raft))
        out[count++] = ask(raft, LANE_APPLY, 0, raft->handed + 1, min_index(raft->commit, raft->durable));
    return count;
}

/* Shape first: the store's adapter is the caller's. */
static bool is_answer(const struct lane *lane, const struct teak_raft_entry *entries, uint32_t count)
{
    if (!entries || count == 0 || count > lane->last - lane->first + 1) return false;
    for (uint32_t i = 0; i < count; i++)
        if (entries[i].index != lane->first + i || (entries[i].bytes > 0 && !entries[i].data)) return false;
    return true;
}

/* Terms of what is known by heart are the same. Returns the first index that differs, 0: none. */
static uint64_t differs(const struct teak_raft *raft, uint64_t term_before, const struct teak_raft_entry *entries,
                        uint32_t count)
{
    const uint64_t before = entries[0].index - 1;
    if (before > 0 && tail_knows(raft, before) && tail_term(raft, before) != term_before) return before;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t known = tail_term(raft, entries[i].index);
        if (entries[i].term < term_before || (known != 0 && known != entries[i].term)) return entries[i].index;
        term_before = entries[i].term;
    }
    return 0;
}

enum teak_raft_status lane_fetched(struct teak_raft *raft, uint64_t ticket, enum teak_raft_outcome outcome,
                                   uint64_t term_before, const struct teak_raft_entry *entries, uint32_t count)
{
    if (outcome != TEAK_RAFT_FETCHED && outcome != TEAK_RAFT_CORRUPT) return TEAK_RAFT_MISUSE;
    uint32_t number = 0;
    while (number < LANE_COUNT && (raft->lanes[number].state != LANE_ASKED || raft->lanes[number].ticket != ticket))
        number++;
    if (number == LANE_COUNT) return TEAK_RAFT_STALE;
    struct lane *lane = &raft->lanes[number];
    if (outcome == TEAK_RAFT_CORRUPT) {
        raft->rotten = true;
        if (number == LANE_APPLY) raft->apply_stops = true;
        lane_void(raft, number);
        if (raft->role != TEAK_RAFT_FOLLOWER) role_follow(raft, raft->term, 0);
        return TEAK_RAFT_OK;
    }
    if (!is_answer(lane, entries, count) || (lane->first == 1 && term_before != 0)) return TEAK_RAFT_MISUSE;
    const uint64_t wrong = differs(raft, term_before, entries, count);
    if (wrong != 0) {
        role_halt(raft, TEAK_RAFT_HALT_STORE, wrong);
        return TEAK_RAFT_HALTED;
    }
    for (uint32_t i = 0; i < count; i++) {
        lane_entries(raft, number)[i] = entries[i];
        teak_raft_hold(entries[i].frame);
    }
    lane->state = LANE_FILLED;
    lane->count = count;
    lane->before = term_before;
    return TEAK_RAFT_OK;
}
