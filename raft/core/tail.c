/* tail.c: see tail.h. */
#include "core/tail.h"

#include <string.h>

#include "core/jobs.h"
#include "core/members.h"

static uint32_t ring_size(const struct teak_raft *raft) { return raft->options.tail_entries + TAIL_RESERVE; }

static uint32_t ring_count(const struct teak_raft *raft)
{
    return (uint32_t)(raft->last.index + 1 - raft->tail_first);
}

static struct teak_raft_entry *place(const struct teak_raft *raft, uint64_t index)
{
    uint32_t slot = raft->tail_slot + (uint32_t)(index - raft->tail_first);
    if (slot >= ring_size(raft)) slot -= ring_size(raft);
    return (struct teak_raft_entry *)raft_at(raft, raft->tail_at) + slot;
}

const struct teak_raft_entry *tail_at(const struct teak_raft *raft, uint64_t index)
{
    CHECK(index >= raft->tail_first && index <= raft->last.index);
    return place(raft, index);
}

uint64_t tail_term(const struct teak_raft *raft, uint64_t index)
{
    if (index == raft->last.index) return raft->last.term;
    if (index > raft->last.index) return 0;
    const struct terms terms = raft_terms(raft);
    return terms_at(&terms, index);
}

uint64_t tail_last_of_term(const struct teak_raft *raft, uint64_t upto, uint64_t term, uint64_t floor)
{
    const struct terms terms = raft_terms(raft);
    for (uint32_t run = terms.count; run > 0 && upto > floor; run--) {
        if (terms.runs[run - 1].first > upto) continue;
        if (terms.runs[run - 1].term <= term) break;
        upto = terms.runs[run - 1].first - 1;
    }
    return max_index(upto, floor);
}

/* ----------------------------------------------------------------------------------------------------------- frames */

static uint64_t charge(const struct teak_raft_entry *entry)
{
    return entry->frame ? entry->frame->bytes : entry->bytes;
}

static bool shares(const struct teak_raft_entry *entry, const struct teak_raft_entry *neighbour)
{
    return entry->frame && neighbour && neighbour->frame == entry->frame;
}

static void let_go(struct teak_raft *raft, struct teak_raft_entry *entry, const struct teak_raft_entry *neighbour)
{
    if (!shares(entry, neighbour)) {
        raft->tail_bytes -= charge(entry);
        teak_raft_drop(entry->frame);
    }
    memset(entry, 0, sizeof *entry); /* equal nodes are equal bytes */
}

static void forget_first(struct teak_raft *raft)
{
    struct teak_raft_entry *first = place(raft, raft->tail_first);
    const struct teak_raft_entry *next = ring_count(raft) > 1 ? place(raft, raft->tail_first + 1) : NULL;
    let_go(raft, first, next);
    raft->tail_first++;
    raft->tail_slot = raft->tail_slot + 1 == ring_size(raft) ? 0 : raft->tail_slot + 1;
}

static void forget_last(struct teak_raft *raft)
{
    struct teak_raft_entry *last = place(raft, raft->last.index);
    const struct teak_raft_entry *before = ring_count(raft) > 1 ? place(raft, raft->last.index - 1) : NULL;
    let_go(raft, last, before);
    raft->last.index--;
}

void tail_clear(struct teak_raft *raft)
{
    while (ring_count(raft) > 0) forget_first(raft);
}

/* ------------------------------------------------------------------------------------------------------------- room */

/* Entries up to here may be forgotten. */
static uint64_t loose(const struct teak_raft *raft, enum tail_grip grip)
{
    uint64_t upto = raft->durable;
    if (grip <= TAIL_KEEP_FOR_APPLY) upto = min_index(upto, raft->handed);
    if (grip == TAIL_KEEP_FOR_PEERS && raft->role == TEAK_RAFT_LEADER)
        for (uint32_t rest = others(raft); rest != 0; rest &= rest - 1) {
            const struct peer *peer = peer_at(raft, (uint32_t)__builtin_ctz(rest));
            if (peer->progress == TEAK_RAFT_REPLICATE) upto = min_index(upto, peer->next - 1);
        }
    return upto;
}

static bool fits(const struct teak_raft *raft, const struct teak_raft_frame *frame, uint32_t bytes, bool reserved)
{
    const uint32_t places = raft->options.tail_entries + (reserved ? TAIL_RESERVE : 0);
    const uint32_t count = ring_count(raft);
    if (count >= places) return false;
    if (reserved || count == 0 || (frame && place(raft, raft->last.index)->frame == frame)) return true;
    return raft->tail_bytes + (frame ? frame->bytes : bytes) <= raft->options.tail_bytes_max;
}

bool tail_has_room(struct teak_raft *raft, const struct teak_raft_frame *frame, uint32_t bytes, enum tail_grip grip,
                   bool reserved)
{
    if (fits(raft, frame, bytes, reserved)) return true;
    const uint64_t upto = loose(raft, grip);
    while (raft->tail_first <= upto && ring_count(raft) > 0) {
        forget_first(raft);
        if (fits(raft, frame, bytes, reserved)) return true;
    }
    return false;
}

bool tail_forget_one(struct teak_raft *raft)
{
    if (ring_count(raft) == 0 || raft->tail_first > raft->durable) return false;
    forget_first(raft);
    return true;
}

bool tail_has_run(struct teak_raft *raft, uint64_t term)
{
    struct terms terms = raft_terms(raft);
    if (!terms_is_full(&terms) || (terms.count > 0 && terms.runs[terms.count - 1].term == term)) return true;
    terms_compact(&terms, min_index(raft->commit, raft->durable));
    raft->run_count = terms.count;
    return !terms_is_full(&terms);
}

/* ------------------------------------------------------------------------------------------------------ append, cut */

bool tail_append(struct teak_raft *raft, const struct teak_raft_entry *entry)
{
    CHECK_EQ(entry->index, raft->last.index + 1);
    CHECK_LE(raft->last.term, entry->term);
    CHECK_LT(ring_count(raft), ring_size(raft));
    struct terms terms = raft_terms(raft);
    terms_append(&terms, entry->index, entry->term);
    raft->run_count = terms.count;
    const struct teak_raft_entry *before = ring_count(raft) > 0 ? place(raft, raft->last.index) : NULL;
    if (!shares(entry, before)) {
        raft->tail_bytes += charge(entry);
        teak_raft_hold(entry->frame);
    }
    *place(raft, entry->index) = *entry;
    raft->last = (struct teak_raft_pos){entry->index, entry->term};
    return entry->kind != TEAK_RAFT_CONFIG || members_adopt(raft, entry);
}

void tail_truncate(struct teak_raft *raft, uint64_t from)
{
    CHECK_LT(raft->commit, from);
    CHECK_LE(from, raft->last.index);
    struct terms terms = raft_terms(raft);
    const uint64_t last_term = from == 1 ? 0 : terms_at(&terms, from - 1);
    CHECK(from == 1 || last_term != 0);
    while (raft->last.index >= from && ring_count(raft) > 0) forget_last(raft);
    if (raft->last.index >= from) { /* the rest was not in memory */
        raft->tail_first = from;
        raft->last.index = from - 1;
    }
    raft->last.term = last_term;
    terms_truncate(&terms, from);
    raft->run_count = terms.count;
    jobs_cut(raft, from);
    members_roll_back(raft, from);
}

void tail_reset(struct teak_raft *raft, struct teak_raft_pos pos)
{
    tail_clear(raft);
    struct terms terms = raft_terms(raft);
    terms.count = 0;
    terms_append(&terms, pos.index, pos.term);
    raft->run_count = terms.count;
    raft->last = pos;
    raft->tail_first = pos.index + 1;
}

void tail_begin(struct teak_raft *raft, uint64_t first)
{
    while (raft->tail_first < first && ring_count(raft) > 0) forget_first(raft);
    struct terms terms = raft_terms(raft);
    terms_compact(&terms, first - 1);
    raft->run_count = terms.count;
}

/* ------------------------------------------------------------------------------------------------------------ spans */

/* What lies at the beginning of the ring and follows its end is copied behind the end: a span is one array. The ring
 * has span_max places more for that, and what is in them is true until an entry changes, which no const call does. */
static void unroll(const struct teak_raft *raft, uint32_t slot, uint32_t count)
{
    struct teak_raft_entry *ring = (struct teak_raft_entry *)raft_at(raft, raft->tail_at);
    if (slot + count <= ring_size(raft)) return;
    memcpy(ring + ring_size(raft), ring, (slot + count - ring_size(raft)) * sizeof *ring);
}

const struct teak_raft_entry *tail_span(const struct teak_raft *raft, uint64_t first, uint64_t last, uint32_t count_max,
                                        uint32_t bytes_max, uint32_t *count_out, uint64_t *bytes_out)
{
    CHECK_LE(raft->tail_first, first);
    CHECK_LE(last, raft->last.index);
    uint64_t bytes = 0;
    uint32_t count = 0;
    if (count_max > raft->span_max) count_max = raft->span_max;
    for (uint64_t index = first; index <= last && count < count_max; index++, count++) {
        const uint32_t more = place(raft, index)->bytes;
        if (count > 0 && bytes + more > bytes_max) break;
        bytes += more;
    }
    *count_out = count;
    *bytes_out = bytes;
    if (count == 0) return NULL;
    const struct teak_raft_entry *span = place(raft, first);
    unroll(raft, (uint32_t)(span - (struct teak_raft_entry *)raft_at(raft, raft->tail_at)), count);
    return span;
}
