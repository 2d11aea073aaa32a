/* raft_oracle.c: see raft_oracle.h. */
#include "raft_oracle.h"

#include "core/core.h"
#include "core/quorum.h"
#include "core/tail.h"
#include "raft_fleet_state.h"

struct fact oracle_fact(const struct teak_raft_entry *entry)
{
    uint64_t sum = entry->bytes;
    for (uint32_t i = 0; i < entry->bytes; i++) sum = mix(sum, entry->data[i]);
    return (struct fact){.term = entry->term, .sum = sum, .bytes = entry->bytes, .kind = entry->kind};
}

static bool is_same(const struct fact *a, const struct fact *b)
{
    return a->term == b->term && a->sum == b->sum && a->bytes == b->bytes && a->kind == b->kind;
}

/* --------------------------------------------------------------------------------------------- the oracle of a disk */

static void put_on_disk(struct disk_fact *disk, const struct job_fact *job)
{
    if (job->cut_from != 0) disk->last = min_of(disk->last, job->cut_from - 1);
    for (uint32_t i = 0; i < job->count; i++) {
        if (job->first + i != disk->last + 1) broken("a job leaves a hole at %" PRIu64, job->first + i);
        if (disk->last == LOG_MAX) broken("the log is longer than was thought");
        disk->entries[++disk->last] = job->entries[i];
    }
    disk->hard = job->hard;
}

static void forget_jobs(struct fleet_node *node, uint32_t count)
{
    node->job_count -= count;
    memmove(node->jobs, node->jobs + count, node->job_count * sizeof node->jobs[0]);
}

void oracle_durable(struct fleet_node *node, uint64_t token)
{
    while (node->job_count > 0 && node->jobs[0].token <= token) {
        put_on_disk(&node->disk, &node->jobs[0]);
        forget_jobs(node, 1);
    }
}

void oracle_refused(struct fleet_node *node, uint64_t token)
{
    uint32_t kept = 0;
    while (kept < node->job_count && node->jobs[kept].token < token) kept++;
    node->job_count = kept;
}

/* ------------------------------------------------------------------------------------------------------- invariants */

/* The entry at `index` as the node sees it. What is not in memory is durable. */
static bool seen(uint32_t id, uint64_t index, struct fact *out)
{
    const struct fleet_node *node = node_of(id);
    if (index > node->raft->last.index) return false;
    if (index < node->raft->tail_first) {
        *out = node->disk.entries[index];
        return index <= node->disk.last;
    }
    *out = oracle_fact(tail_at(node->raft, index));
    return true;
}

static bool is_on_quorum(const struct teak_raft *leader, uint64_t index, uint64_t term)
{
    uint32_t have = 0;
    for (uint32_t slot = 0; slot < leader->config.count; slot++) {
        const uint64_t id = config_members(leader)[slot].id;
        const struct disk_fact *disk = &node_of(id)->disk;
        if (index <= disk->last && disk->entries[index].term == term) have |= UINT32_C(1) << slot;
    }
    return quorum_has(leader->config.voters, leader->config.next, have);
}

static void judge_commit(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct teak_raft *raft = node->raft;
    if (raft->commit < node->commit_seen) broken("commit of node %u went back to %" PRIu64, id, raft->commit);
    for (uint64_t index = node->commit_seen + 1; index <= raft->commit; index++) {
        struct fact fact;
        if (!seen(id, index, &fact)) broken("node %u lacks what is committed at %" PRIu64, id, index);
        if (index <= fleet.committed) {
            if (!is_same(&fact, &fleet.ledger[index]))
                broken("node %u committed another entry at %" PRIu64, id, index);
            continue;
        }
        if (raft->role == TEAK_RAFT_LEADER && !is_on_quorum(raft, raft->commit, raft->term))
            broken("node %u committed %" PRIu64 ", which is not on a majority of disks", id, raft->commit);
        fleet.ledger[index] = fact;
        fleet.committed_in[index] = raft->term;
        fleet.committed = index;
        note("committed", id, index, fact.term);
    }
    node->commit_seen = raft->commit;
}

static void judge_leader(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct teak_raft *raft = node->raft;
    if (raft->term < node->term_seen) broken("the term of node %u went back to %" PRIu64, id, raft->term);
    node->term_seen = raft->term;
    if (raft->role != TEAK_RAFT_LEADER) return;
    if (raft->term >= TERMS_MAX) broken("more terms than were thought");
    const bool is_new = fleet.led_by[raft->term] == 0;
    if (!is_new && fleet.led_by[raft->term] != id)
        broken("nodes %u and %u led term %" PRIu64, fleet.led_by[raft->term], id, raft->term);
    if (node->disk.hard.term != raft->term || node->disk.hard.vote != id)
        broken("node %u leads term %" PRIu64 ", which is not durable there", id, raft->term);
    if (!is_new) return;
    fleet.led_by[raft->term] = id;
    fleet.totals->elections++;
    note("leads", id, raft->term, raft->last.index);
    for (uint64_t index = 1; index <= fleet.committed; index++) {
        struct fact fact;
        if (fleet.committed_in[index] >= raft->term) continue; /* of an older term; it can commit nothing any more */
        if (!seen(id, index, &fact) || !is_same(&fact, &fleet.ledger[index]))
            broken("node %u leads term %" PRIu64 " and lacks %" PRIu64, id, raft->term, index);
    }
}

/* Equal (index, term): equal bytes, and equal entries before. */
void oracle_judge_matching(uint32_t id)
{
    for (uint32_t other = 1; other <= fleet.shape->nodes; other++) {
        const struct disk_fact *disk = &node_of(other)->disk;
        bool agreed = false;
        for (uint64_t index = min_of(node_of(id)->raft->last.index, disk->last); index > 0; index--) {
            struct fact mine;
            if (!seen(id, index, &mine)) broken("node %u has a hole at %" PRIu64, id, index);
            agreed |= mine.term == disk->entries[index].term;
            if (agreed && !is_same(&mine, &disk->entries[index]))
                broken("nodes %u and %u do not match at %" PRIu64, id, other, index);
        }
    }
}

void oracle_judge(uint32_t id)
{
    if (!node_of(id)->raft || node_of(id)->raft->halted) return;
    judge_leader(id);
    judge_commit(id);
}

void oracle_apply(uint32_t id, const struct teak_raft_apply *given)
{
    struct fleet_node *node = node_of(id);
    for (uint32_t i = 0; i < given->count; i++) {
        const struct teak_raft_entry *entry = &given->entries[i];
        const struct fact fact = oracle_fact(entry);
        if (entry->index > fleet.committed || !is_same(&fact, &fleet.ledger[entry->index]))
            broken("node %u applies what is not committed at %" PRIu64, id, entry->index);
        if (entry->index > node->disk.last || !is_same(&fact, &node->disk.entries[entry->index]))
            broken("node %u applies what is not durable there at %" PRIu64, id, entry->index);
        if (entry->index <= node->applied) broken("node %u applies %" PRIu64 " twice", id, entry->index);
        node->applied = entry->index;
    }
    if (given->upto < node->applied) broken("node %u applies beyond what it says", id);
    node->applied = given->upto;
}

void oracle_done(uint32_t id, const struct teak_raft_done *done)
{
    struct fleet_node *node = node_of(id);
    if (done->count > node->open) broken("node %u answers what nobody proposed", id);
    node->open -= done->count;
    fleet.totals->answered += done->count;
    for (uint64_t index = done->first_index; index < done->first_index + done->count; index++) {
        if (done->fate == TEAK_RAFT_UNKNOWN) continue;
        const bool is_there = index <= fleet.committed && fleet.ledger[index].term == done->term;
        if (index > fleet.committed || is_there != (done->fate == TEAK_RAFT_COMMITTED))
            broken("node %u tells a fate that is not true of %" PRIu64, id, index);
    }
}

void oracle_read(uint32_t id, const struct teak_raft_answer *read)
{
    struct fleet_node *node = node_of(id);
    uint64_t *asked = &node->reads[read->tag % READS_MAX];
    if (*asked == 0) broken("node %u answers a read that nobody asked for", id);
    note("read", id, (uint64_t)read->fate, read->index);
    if (read->fate == TEAK_RAFT_READ_OK) {
        fleet.totals->served++;
        if (node->applied < *asked - 1 || read->index > node->applied)
            broken("node %u serves a read at %" PRIu64 ", and %" PRIu64 " was committed", id, node->applied,
                   *asked - 1);
    }
    *asked = 0;
    node->open_reads--;
}

/* All that the engine has of the log, by the adapter's way of reading. */
static void read_all(uint32_t id, const struct teak_raft_start *start, struct disk_fact *out)
{
    const struct teak_raft_log_store *store = &node_of(id)->store;
    out->hard = start->hard;
    out->last = 0;
    while (out->last < start->last.index) {
        const struct teak_raft_fetch fetch = {.ticket = 1, .first = out->last + 1, .last = start->last.index,
                                              .bytes_max = 65536};
        struct teak_raft_completion done;
        assert_int_equal(store->ops->fetch(store->self, 0, &fetch), TEAK_RAFT_OK);
        while (store->ops->collect(store->self, 1000000, &done, 1) == 0) continue;
        if (done.outcome != TEAK_RAFT_FETCHED) broken("node %u cannot read %" PRIu64, id, fetch.first);
        for (uint32_t i = 0; i < done.count; i++) out->entries[++out->last] = oracle_fact(&done.entries[i]);
    }
}

static bool is_same_disk(const struct disk_fact *a, const struct disk_fact *b)
{
    if (memcmp(&a->hard, &b->hard, sizeof a->hard) != 0 || a->last != b->last) return false;
    for (uint64_t index = 1; index <= a->last; index++)
        if (!is_same(&a->entries[index], &b->entries[index])) return false;
    return true;
}

/* What is there is what was told, and of the jobs in flight a prefix, whole. */
void oracle_judge_disk(uint32_t id, const struct teak_raft_start *start)
{
    static struct disk_fact found;
    struct fleet_node *node = node_of(id);
    read_all(id, start, &found);
    while (!is_same_disk(&found, &node->disk)) {
        if (node->job_count == 0)
            broken("the disk of node %u lost something: it ends at %" PRIu64 ", and ended at %" PRIu64, id, found.last,
                   node->disk.last);
        put_on_disk(&node->disk, &node->jobs[0]);
        forget_jobs(node, 1);
        fleet.totals->jobs_found++;
    }
    node->job_count = 0;
}
