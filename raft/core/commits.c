/* commits.c: see commits.h. */
#include "core/commits.h"

#include <string.h>

#include "core/change.h"
#include "core/jobs.h"
#include "core/outbox.h"
#include "core/quorum.h"
#include "core/reads.h"
#include "core/tail.h"

static struct proposal *proposals(const struct teak_raft *raft)
{
    return (struct proposal *)raft_at(raft, raft->proposals_at);
}

/* ------------------------------------------------------------------------------------------------------------ fates */

/* The run that a proposal with this tag at `index` goes on, or NULL. */
static struct proposal *open_run(const struct teak_raft *raft, uint64_t index, uint64_t tag)
{
    struct proposal *run = raft->proposal_count > 0 ? &proposals(raft)[raft->proposal_count - 1] : NULL;
    return run && run->term == raft->term && run->first_index + run->count == index &&
                   run->first_tag + run->count == tag ? run : NULL;
}

uint32_t commits_places(const struct teak_raft *raft, uint64_t tag, uint32_t count)
{
    if (raft->proposal_count < raft->options.tags_max) return count;
    const struct proposal *run = open_run(raft, raft->last.index + 1, tag);
    return run ? (uint32_t)min_index(count, UINT32_MAX - run->count) : 0;
}

void commits_open(struct teak_raft *raft, uint64_t tag, uint32_t count)
{
    uint64_t first = raft->last.index + 1 - count;
    struct proposal *run = open_run(raft, first, tag);
    if (run) {
        const uint32_t more = (uint32_t)min_index(count, UINT32_MAX - run->count);
        run->count += more;
        first += more;
        tag += more;
        count -= more;
    }
    if (count == 0) return;
    CHECK_LT(raft->proposal_count, raft->options.tags_max);
    proposals(raft)[raft->proposal_count++] = (struct proposal){
        .first_tag = tag, .first_index = first, .term = raft->term, .count = count};
}

/* Indexes up to `to` are decided now. A run is of one term: what of it is committed comes first, and from the first
 * place where another term stands it is lost: a later one, or an earlier one that a later leader committed. Where `to`
 * is of a later term, what lies beyond is lost, too: terms do not fall along a log, and all logs to come hold `to`.
 * That must be told, for else:
 *   1. a leader proposes up to 50, is cut off, and its entries from 5 on are replaced   2. it leads again, its log ends
 *   at 6   3. as many runs are open as there may be, it refuses what would let the log grow to 50: for ever */
static void decide(struct teak_raft *raft, uint64_t to)
{
    const uint64_t term = tail_term(raft, to);
    for (uint32_t i = 0; i < raft->proposal_count; i++) {
        struct proposal *run = &proposals(raft)[i];
        const uint64_t open = run->first_index + run->committed + run->lost + run->unknown;
        const uint64_t end = run->first_index + run->count, known = min_index(to + 1, end);
        const uint64_t told = run->term < term ? end : known;
        if (open >= told) continue;
        if (run->unknown > 0) { /* fates are told in order, and this one may be */
            run->unknown += (uint32_t)(told - open);
            continue;
        }
        uint64_t kept = open - 1;
        if (run->lost == 0 && open < known && tail_term(raft, open) == run->term)
            kept = tail_last_of_term(raft, known - 1, run->term, open - 1);
        run->committed += (uint32_t)(kept - (open - 1));
        run->lost += (uint32_t)(told - 1 - kept);
    }
}

bool commits_has_done(const struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->proposal_count; i++)
        if (raft->halted || proposals(raft)[i].committed + proposals(raft)[i].lost + proposals(raft)[i].unknown > 0)
            return true;
    return false;
}

static void tell(struct proposal *run, uint32_t count, enum teak_raft_fate fate, struct teak_raft_done **out)
{
    if (count == 0) return;
    *(*out)++ = (struct teak_raft_done){.first_tag = run->first_tag, .first_index = run->first_index,
                                        .term = run->term, .count = count, .fate = fate};
    run->first_tag += count;
    run->first_index += count;
    run->count -= count;
}

uint32_t commits_tell(struct teak_raft *raft, struct teak_raft_done *out)
{
    struct teak_raft_done *end = out;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < raft->proposal_count; i++) {
        struct proposal run = proposals(raft)[i];
        tell(&run, run.committed, TEAK_RAFT_COMMITTED, &end);
        tell(&run, run.lost, TEAK_RAFT_LOST, &end);
        tell(&run, run.unknown, TEAK_RAFT_UNKNOWN, &end);
        run.committed = run.lost = run.unknown = 0;
        if (raft->halted) tell(&run, run.count, TEAK_RAFT_UNKNOWN, &end);
        if (run.count > 0) proposals(raft)[kept++] = run;
    }
    memset(proposals(raft) + kept, 0, (raft->proposal_count - kept) * sizeof(struct proposal));
    raft->proposal_count = kept;
    return (uint32_t)(end - out);
}

/* ----------------------------------------------------------------------------------------------------------- commit */

void commits_to(struct teak_raft *raft, uint64_t index)
{
    if (index <= raft->commit) return;
    CHECK_LE(index, raft->last.index);
    const uint64_t before = raft->commit;
    decide(raft, index);
    raft->commit = index;
    raft->verified = max_index(raft->verified, index);
    if (raft->role != TEAK_RAFT_LEADER) return;
    if (before < raft->lead_first && index >= raft->lead_first)
        outbox_event(raft, TEAK_RAFT_EVENT_LEADING_READY, raft->term, raft->lead_first);
    reads_settle(raft);
    change_go_on(raft);
}

void commits_jump(struct teak_raft *raft, uint64_t index)
{
    CHECK_LT(raft->commit, index);
    for (uint32_t i = 0; i < raft->proposal_count; i++) {
        struct proposal *run = &proposals(raft)[i];
        const uint64_t open = run->first_index + run->committed + run->lost + run->unknown;
        const uint64_t end = min_index(index + 1, run->first_index + run->count);
        if (open < end) run->unknown += (uint32_t)(end - open);
    }
    raft->commit = raft->verified = index;
}

void commits_count(struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_LEADER) return;
    uint64_t match[TEAK_RAFT_MEMBERS_MAX];
    for (uint32_t slot = 0; slot < raft->config.count; slot++) match[slot] = peer_at(raft, slot)->match;
    if (raft->config.self) match[__builtin_ctz(raft->config.self)] = raft->durable;
    const uint64_t index = quorum_index(raft->config.voters, raft->config.next, match);
    if (index > raft->commit && tail_term(raft, index) == raft->term) commits_to(raft, index);
}
