/* tail.h: the log as the node knows it: where it ends, its terms by heart, its newest entries in memory.
 *
 *      1                 tail_first                  durable        written       last
 *      ├──── fetched ────┼─────── in memory ─────────┼── in jobs ───┼── no job ───┤
 *
 * OWNS   last, the ring, the runs of terms, tail_bytes.
 * HOLDS  What is not durable is in memory. Terms from min(commit, durable) on are known. One reference is held for
 *        each stretch of neighbouring entries that share a frame, and its bytes are counted once.
 * FAILS  Never: who appends has asked for room before.
 */
#ifndef TEAK_RAFT_TAIL_H
#define TEAK_RAFT_TAIL_H

#include "core/core.h"
#include "core/members.h"

/* The ring has so many places more than the option says, for entries of the node's own: the one a leader begins
 * with, the one that leaves a joint configuration. */
enum { TAIL_RESERVE = 2 };

/* Term of the entry at `index`; 0 of index 0, of what lies beyond, of what is not known by heart. */
uint64_t tail_term(const struct teak_raft *raft, uint64_t index);
static inline bool tail_knows(const struct teak_raft *raft, uint64_t index)
{
    return index == 0 || tail_term(raft, index) != 0;
}

/* The last index at or below `upto`, and not below `floor`, whose term is at most `term`. Where terms are not known
 * by heart it stops: `upto` or a neighbour of what is known. */
uint64_t tail_last_of_term(const struct teak_raft *raft, uint64_t upto, uint64_t term, uint64_t floor);

/* What may be forgotten to make room. */
enum tail_grip {
    TAIL_KEEP_FOR_PEERS, /* nothing that a member still needs: proposals, first try */
    TAIL_KEEP_FOR_APPLY, /* nothing that is not handed out to be applied            */
    TAIL_KEEP_DURABLE    /* only what the disk does not have                        */
};

static inline uint32_t tail_count(const struct teak_raft *raft)
{
    return (uint32_t)(raft->last.index + 1 - raft->tail_first);
}

static inline struct teak_raft_entry *tail_ring(const struct teak_raft *raft)
{
    return (struct teak_raft_entry *)raft_at(raft, raft->tail_at);
}

/* The place of an entry in memory, or of the one to be appended. */
static inline struct teak_raft_entry *tail_place(const struct teak_raft *raft, uint64_t index)
{
    const uint32_t size = raft->options.tail_entries + TAIL_RESERVE;
    uint32_t slot = raft->tail_slot + (uint32_t)(index - raft->tail_first);
    if (slot >= size) slot -= size;
    return tail_ring(raft) + slot;
}

/* What an entry takes of tail_bytes_max, and whether its neighbour has taken that already. */
static inline uint64_t tail_charge(const struct teak_raft_entry *entry)
{
    return entry->frame ? entry->frame->bytes : entry->bytes;
}
static inline bool tail_shares(const struct teak_raft_entry *entry, const struct teak_raft_entry *neighbour)
{
    return entry->frame && neighbour && neighbour->frame == entry->frame;
}

/* Room for an entry with this frame and so many bytes as things are? */
static inline bool tail_fits(const struct teak_raft *raft, const struct teak_raft_frame *frame, uint32_t bytes,
                             bool reserved)
{
    const uint32_t places = raft->options.tail_entries + (reserved ? TAIL_RESERVE : 0);
    const uint32_t count = tail_count(raft);
    if (count >= places) return false;
    if (reserved || count == 0 || (frame && tail_place(raft, raft->last.index)->frame == frame)) return true;
    return raft->tail_bytes + (frame ? frame->bytes : bytes) <= raft->options.tail_bytes_max;
}

/* ... or where some are forgotten from the front, as far as `grip` allows? */
bool tail_make_room(struct teak_raft *raft, const struct teak_raft_frame *frame, uint32_t bytes, enum tail_grip grip,
                    bool reserved);

/* Room for an entry with this frame and so many bytes? Forgets from the front, as far as `grip` allows. `reserved`: the
 * places that are kept for the node's own entries count too. */
static inline bool tail_has_room(struct teak_raft *raft, const struct teak_raft_frame *frame, uint32_t bytes,
                                 enum tail_grip grip, bool reserved)
{
    return tail_fits(raft, frame, bytes, reserved) || tail_make_room(raft, frame, bytes, grip, reserved);
}

/* Forgets the first entry in memory. false: the disk does not have it. */
bool tail_forget_one(struct teak_raft *raft);

/* Room for a new term? Forgets terms of what is committed. */
bool tail_make_run(struct teak_raft *raft);
static inline bool tail_has_run(struct teak_raft *raft, uint64_t term)
{
    return term == raft->last.term || tail_make_run(raft);
}

/* Appends `entry`, whose index and term follow the last one's. Holds its frame. A CONFIG is in force at once; false: it
 * has too many members. Called, and not a part of the loop that makes the entry, it costs 2 ns more: the entry is built
 * on the stack and copied. */
void tail_begin_term(struct teak_raft *raft, uint64_t index, uint64_t term);
__attribute__((always_inline)) static inline bool tail_push(struct teak_raft *raft, const struct teak_raft_entry *entry)
{
    const uint32_t count = tail_count(raft);
    CHECK_EQ(entry->index, raft->last.index + 1);
    CHECK_LE(raft->last.term, entry->term);
    CHECK_LT(count, raft->options.tail_entries + TAIL_RESERVE);
    if (entry->term != raft->last.term) tail_begin_term(raft, entry->index, entry->term);
    if (!tail_shares(entry, count > 0 ? tail_place(raft, raft->last.index) : NULL)) {
        raft->tail_bytes += tail_charge(entry);
        teak_raft_hold(entry->frame);
    }
    struct teak_raft_entry *place = tail_place(raft, entry->index);
    *place = *entry;
    raft->last = (struct teak_raft_pos){entry->index, entry->term};
    return entry->kind != TEAK_RAFT_CONFIG || members_adopt(raft, place);
}

/* Forgets entries from `from` on; `from` > commit. */
void tail_truncate(struct teak_raft *raft, uint64_t from);

/* The log is empty and ends at `pos`: a snapshot holds all up to there. */
void tail_reset(struct teak_raft *raft, struct teak_raft_pos pos);

/* The log begins at `first`: what is in memory before it, and its terms but the last, are forgotten. All of it is
 * durable and applied. */
void tail_begin(struct teak_raft *raft, uint64_t first);

/* Entries from `first` on, side by side: as many as there are up to `last`, in memory, within count_max and
 * bytes_max (the first always). */
const struct teak_raft_entry *tail_span(const struct teak_raft *raft, uint64_t first, uint64_t last, uint32_t count_max,
                                        uint32_t bytes_max, uint32_t *count_out, uint64_t *bytes_out);

/* The entry at `index`, which is in memory. */
const struct teak_raft_entry *tail_at(const struct teak_raft *raft, uint64_t index);

/* Lets go of all frames. */
void tail_clear(struct teak_raft *raft);

#endif
