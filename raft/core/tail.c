/* tail.c: see tail.h. */
#include "core/tail.h"

#include <string.h>

#include "core/jobs.h"
#include "core/members.h"

static uint32_t ring_size(const struct teak_raft *raft) { return raft->options.tail_entries + TAIL_RESERVE; }

const struct teak_raft_entry *tail_at(const struct teak_raft *raft, uint64_t index)
{
    CHECK(index >= raft->tail_first && index <= raft->last.index);
    return tail_place(raft, index);
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

static void let_go(struct teak_raft *raft, struct teak_raft_entry *entry, const struct teak_raft_entry *neighbour)
{
    if (!tail_shares(entry, neighbour)) {
        raft->tail_bytes -= tail_charge(entry);
        teak_raft_drop(entry->frame);
    }
    *entry = (struct teak_raft_entry){.index = 0}; /* equal nodes are equal bytes */
}

/* The first `count` of those in memory. */
static void forget_front(struct teak_raft *raft, uint32_t count)
{
    struct teak_raft_entry *const ring = tail_ring(raft);
    const uint32_t size = ring_size(raft), all = tail_count(raft);
    uint32_t slot = raft->tail_slot;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t next = slot + 1 == size ? 0 : slot + 1;
        let_go(raft, ring + slot, i + 1 < all ? ring + next : NULL);
        slot = next;
    }
    raft->tail_first += count;
    raft->tail_slot = slot;
}

static void forget_last(struct teak_raft *raft)
{
    struct teak_raft_entry *last = tail_place(raft, raft->last.index);
    const struct teak_raft_entry *before = tail_count(raft) > 1 ? tail_place(raft, raft->last.index - 1) : NULL;
    let_go(raft, last, before);
    raft->last.index--;
}

void tail_clear(struct teak_raft *raft)
{
    forget_front(raft, tail_count(raft));
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

/* What nobody needs goes in stretches, for finding out costs more than forgetting; of all else as little as will do. */
bool tail_make_room(struct teak_raft *raft, const struct teak_raft_frame *frame, uint32_t bytes, enum tail_grip grip,
                    bool reserved)
{
    const uint64_t upto = min_index(loose(raft, grip), raft->last.index);
    bool fits = false;
    while (!fits && raft->tail_first <= upto) {
        forget_front(raft, 1);
        fits = tail_fits(raft, frame, bytes, reserved);
    }
    if (fits && grip == TAIL_KEEP_FOR_PEERS)
        forget_front(raft, (uint32_t)min_index(raft->options.tail_entries / 64, upto + 1 - raft->tail_first));
    return fits;
}

bool tail_forget_one(struct teak_raft *raft)
{
    if (tail_count(raft) == 0 || raft->tail_first > raft->durable) return false;
    forget_front(raft, 1);
    return true;
}

bool tail_make_run(struct teak_raft *raft)
{
    struct terms terms = raft_terms(raft);
    if (!terms_is_full(&terms)) return true;
    terms_compact(&terms, min_index(raft->commit, raft->durable));
    raft->run_count = terms.count;
    return !terms_is_full(&terms);
}

/* ------------------------------------------------------------------------------------------------------ append, cut */

void tail_begin_term(struct teak_raft *raft, uint64_t index, uint64_t term)
{
    struct terms terms = raft_terms(raft);
    terms_append(&terms, index, term);
    raft->run_count = terms.count;
}

void tail_truncate(struct teak_raft *raft, uint64_t from)
{
    CHECK_LT(raft->commit, from);
    CHECK_LE(from, raft->last.index);
    struct terms terms = raft_terms(raft);
    const uint64_t last_term = from == 1 ? 0 : terms_at(&terms, from - 1);
    CHECK(from == 1 || last_term != 0);
    while (raft->last.index >= from && tail_count(raft) > 0) forget_last(raft);
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
    if (raft->tail_first < first) forget_front(raft, (uint32_t)min_index(first - raft->tail_first, tail_count(raft)));
    struct terms terms = raft_terms(raft);
    terms_compact(&terms, first - 1);
    raft->run_count = terms.count;
}

/* ------------------------------------------------------------------------------------------------------------ spans */

/* How many of `count` entries side by side have no more than bytes_max, with `*bytes` of those before. */
static uint32_t within(const struct teak_raft_entry *entries, uint32_t count, uint64_t bytes_max, uint64_t *bytes)
{
    uint64_t sum = *bytes;
    uint32_t i = 0;
    for (; i < count && sum + entries[i].bytes <= bytes_max; i++) sum += entries[i].bytes;
    *bytes = sum;
    return i;
}

/* What lies at the beginning of the ring and follows its end is copied behind the end: a span is one array. The ring
 * has part_max places more for that, of which a span takes no more, and what is in them is true until an entry changes,
 * which no const call does. */
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
    *count_out = 0;
    *bytes_out = 0;
    if (first > last || count_max == 0) return NULL;
    const struct teak_raft_entry *ring = tail_ring(raft), *span = tail_place(raft, first);
    const uint32_t most = (uint32_t)min_index(last - first + 1, min_index(count_max, raft->span_max));
    const uint32_t slot = (uint32_t)(span - ring), to_end = (uint32_t)min_index(most, ring_size(raft) - slot);
    uint64_t bytes = span->bytes;
    uint32_t count = 1 + within(span + 1, to_end - 1, bytes_max, &bytes);
    if (count == to_end) count += within(ring, (uint32_t)min_index(most - to_end, raft->part_max), bytes_max, &bytes);
    unroll(raft, slot, count);
    *count_out = count;
    *bytes_out = bytes;
    return span;
}
