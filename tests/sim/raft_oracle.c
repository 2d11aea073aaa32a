/* raft_oracle.c: see raft_oracle.h. */
#include "raft_oracle.h"

#include <unistd.h>

#include "core/core.h"
#include "core/peers.h"
#include "core/quorum.h"
#include "core/tail.h"

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

static uint64_t state_after(uint64_t state, uint64_t index, const struct fact *fact)
{
    return fact->kind < TEAK_RAFT_KIND_APPLICATION ? state : mix(mix(state, index), fact->sum);
}

/* --------------------------------------------------------------------------------------------- the oracle of a disk */

static void put_on_disk(struct disk_fact *disk, const struct job_fact *job)
{
    if (job->cut_from != 0) disk->last = min_of(disk->last, job->cut_from - 1);
    if (job->snapshot.index != 0) disk->snapshot = job->snapshot;
    if (job->clear) disk->base = disk->last = job->snapshot.index;
    for (uint32_t i = 0; i < job->count; i++) {
        if (job->first + i != disk->last + 1) broken("a job leaves a hole at %" PRIu64, job->first + i);
        if (disk->last == LOG_MAX) broken("the log is longer than was thought");
        disk->entries[++disk->last] = job->entries[i];
    }
    disk->base = max_of(disk->base, job->compact_to);
    if (disk->base > disk->snapshot.index) broken("a job lets go of what no snapshot holds, to %" PRIu64, disk->base);
    disk->hard = job->hard;
}

static void forget_jobs(struct fleet_node *node, uint32_t count)
{
    node->job_count -= count;
    memmove(node->jobs, node->jobs + count, node->job_count * sizeof node->jobs[0]);
}

/* A snapshot stands for what is committed. */
static void judge_snapshot(uint32_t id, struct teak_raft_pos pos)
{
    const struct realm *realm = realm_of(id);
    if (pos.index > realm->committed || realm->ledger[pos.index].term != pos.term)
        broken("node %u has a snapshot of what is not committed, at %" PRIu64, id, pos.index);
}

void oracle_submit(uint32_t id, const struct teak_raft_job *job)
{
    struct fleet_node *node = node_of(id);
    if (node->job_count == JOBS_MAX || job->count > SPAN_MAX) broken("node %u hands out too much", id);
    struct job_fact *fact = &node->jobs[node->job_count++];
    *fact = (struct job_fact){.token = job->token, .cut_from = job->cut_from, .hard = job->hard, .count = job->count,
                              .first = job->count > 0 ? job->entries[0].index : 0, .clear = job->clear,
                              .compact_to = job->compact_to};
    if (job->snapshot) judge_snapshot(id, fact->snapshot = job->snapshot->pos);
    for (uint32_t i = 0; i < job->count; i++) fact->entries[i] = oracle_fact(&job->entries[i]);
}

void oracle_durable(uint32_t id, uint64_t token)
{
    struct fleet_node *node = node_of(id);
    bool loses = false;
    while (node->job_count > 0 && node->jobs[0].token <= token) {
        loses |= node->jobs[0].cut_from != 0 || node->jobs[0].clear;
        put_on_disk(&node->disk, &node->jobs[0]);
        forget_jobs(node, 1);
    }
    if (loses) oracle_judge_disks(realm_of(id), "a log was cut");
}

void oracle_refused(struct fleet_node *node, uint64_t token)
{
    uint32_t kept = 0;
    while (kept < node->job_count && node->jobs[kept].token < token) kept++;
    node->job_count = kept;
}

static bool is_same_disk(const struct disk_fact *a, const struct disk_fact *b)
{
    if (memcmp(&a->hard, &b->hard, sizeof a->hard) != 0 || a->base != b->base || a->last != b->last) return false;
    if (memcmp(&a->snapshot, &b->snapshot, sizeof a->snapshot) != 0) return false;
    for (uint64_t index = a->base + 1; index <= a->last; index++)
        if (!is_same(&a->entries[index], &b->entries[index])) return false;
    return true;
}

uint32_t oracle_judge_disk(uint32_t id, const struct disk_fact *found)
{
    static struct disk_fact told;
    const struct fleet_node *node = node_of(id);
    told = node->disk;
    for (uint32_t jobs = 0;; jobs++) {
        if (is_same_disk(found, &told)) return jobs;
        if (jobs == node->job_count) break;
        put_on_disk(&told, &node->jobs[jobs]);
    }
    if (node->is_suspect) return UINT32_MAX;
    broken("the disk of node %u lost something: it is %" PRIu64 " to %" PRIu64 ", and was %" PRIu64 " to %" PRIu64, id,
           found->base, found->last, node->disk.base, node->disk.last);
}

void oracle_begin(uint32_t id, uint32_t jobs_found)
{
    struct fleet_node *node = node_of(id);
    for (uint32_t i = 0; i < jobs_found; i++) put_on_disk(&node->disk, &node->jobs[i]);
    node->job_count = 0;
    node->commit_seen = node->term_seen = node->open = 0;
    node->open_reads = 0;
    memset(node->reads, 0, sizeof node->reads);
    fleet.totals->jobs_found += jobs_found;
}

/* ---------------------------------------------------------------------------------------------------------- quorums */

/* Is it who was born so, and in that realm? born 0: any will do. */
static bool is_it(const struct realm *realm, uint64_t id, uint64_t born)
{
    const struct fleet_node *node = node_of(id);
    return node->medium && realm_of(id) == realm && (born == 0 || node->born == born);
}

/* The disk of a member, or what it had when it went. */
static const struct disk_fact *disk_of(const struct realm *realm, const struct disk_fact *const disks[NODES],
                                       uint64_t id, uint64_t born)
{
    if (is_it(realm, id, born)) return disks[id - 1];
    for (uint32_t i = realm->ghost_count; i-- > 0;)
        if (realm->ghosts[i].id == id && (born == 0 || realm->ghosts[i].born == born)) return &realm->ghosts[i].disk;
    broken("node %" PRIu64 " was never born so", id);
}

static void all_disks(const struct disk_fact *out[NODES])
{
    for (uint32_t i = 0; i < NODES; i++) out[i] = &fleet.nodes[i].disk;
}

static bool has_entry(const struct realm *realm, const struct disk_fact *disk, uint64_t index)
{
    if (index <= disk->base) return true; /* judge_snapshot */
    return index <= disk->last && is_same(&disk->entries[index], &realm->ledger[index]);
}

void oracle_judge_quorum(const struct realm *realm, const struct disk_fact *const disks[NODES], const char *when)
{
    const struct council *council = &realm->council;
    for (uint64_t index = realm->committed; index > 0; index--) {
        uint32_t have = 0;
        for (uint32_t slot = 0; slot < council->count; slot++)
            if (has_entry(realm, disk_of(realm, disks, council->ids[slot], council->born[slot]), index))
                have |= UINT32_C(1) << slot;
        if (!quorum_has(council->voters, council->next, have))
            broken("%s: what is committed at %" PRIu64 " is not on a majority of disks", when, index);
    }
}

void oracle_judge_disks(const struct realm *realm, const char *when)
{
    const struct disk_fact *disks[NODES];
    all_disks(disks);
    oracle_judge_quorum(realm, disks, when);
}

static void seat(struct realm *realm, const struct teak_raft *leader)
{
    realm->council = (struct council){.voters = leader->config.voters, .next = leader->config.next,
                                     .count = leader->config.count};
    for (uint32_t slot = 0; slot < leader->config.count; slot++) {
        realm->council.ids[slot] = config_members(leader)[slot].id;
        realm->council.born[slot] = config_members(leader)[slot].born;
    }
}

/* A member that can be counted on: its disk is the one that it was made a member with, and sound. */
static bool is_sound(const struct realm *realm, uint64_t id, uint64_t born, uint32_t without)
{
    return id != without && is_it(realm, id, born) && !node_of(id)->is_suspect;
}

static bool has_enough(const struct realm *realm, const struct config *config,
                       const struct teak_raft_member *members, uint32_t without)
{
    uint32_t sound = 0;
    for (uint32_t slot = 0; slot < config->count; slot++) {
        if (members[slot].born == 0) return false; /* whoever has the id counts */
        if (is_sound(realm, members[slot].id, members[slot].born, without)) sound |= UINT32_C(1) << slot;
    }
    return config->count == 0 || quorum_has(config->voters, config->next, sound);
}

bool oracle_may_lose(uint32_t id)
{
    const struct realm *realm = realm_of(id);
    uint32_t gone = realm->ghost_count;
    for (uint32_t i = 1; i <= fleet.seats; i++) gone += node_of(i)->is_suspect;
    if (gone >= GHOSTS_MAX) return false;
    for (uint32_t i = 1; i <= fleet.seats; i++) {
        const struct teak_raft *raft = node_of(i)->raft;
        if (!node_of(i)->medium || realm_of(i) != realm) continue;
        if (!raft || !has_enough(realm, &raft->config, config_members(raft), id) ||
            !has_enough(realm, &raft->previous, previous_members(raft), id))
            return false;
    }
    return true;
}

bool oracle_may_have(const struct realm *realm, const struct teak_raft_member *members, uint32_t count)
{
    uint32_t voters = 0, sound = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].roles != TEAK_RAFT_VOTER) continue;
        voters++;
        sound += members[i].born == 0 || is_sound(realm, members[i].id, members[i].born, 0);
    }
    return sound > voters / 2;
}

static void become_ghost(uint32_t id)
{
    const struct fleet_node *node = node_of(id);
    struct realm *realm = realm_of(id);
    realm->ghosts[realm->ghost_count++] = (struct ghost){.id = id, .born = node->born, .disk = node->disk};
}

void oracle_lose(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct realm *realm = realm_of(id);
    become_ghost(id);
    memset(&node->disk, 0, sizeof node->disk);
    node->job_count = node->open_reads = 0;
    node->machine = node->kept = (struct machine){.applied = 0};
    for (uint32_t term = 0; term < TERMS_MAX; term++) realm->voted_for[term][id - 1] = 0;
}

/* Are those left a majority of who decided? */
static bool are_enough(const struct realm *realm, uint32_t left)
{
    const struct council *council = &realm->council;
    uint32_t have = 0;
    for (uint32_t slot = 0; slot < council->count; slot++)
        if (left >> council->ids[slot] & 1 && is_it(realm, council->ids[slot], council->born[slot]))
            have |= UINT32_C(1) << slot;
    return quorum_has(council->voters, council->next, have);
}

void oracle_refound(uint32_t id, uint32_t left, uint64_t known)
{
    struct fleet_node *node = node_of(id);
    const struct realm *old = realm_of(id);
    struct realm *realm = &fleet.realms[1];
    const bool are_many = are_enough(old, left);
    become_ghost(id);
    node->realm = 1;
    for (uint64_t index = 1; index <= node->disk.last; index++) {
        const struct fact *fact = index <= node->disk.base ? &old->ledger[index] : &node->disk.entries[index];
        realm->ledger[index] = *fact;
        realm->state_at[index] = state_after(realm->state_at[index - 1], index, fact);
        realm->committed_in[index] = node->disk.hard.term;
    }
    realm->committed = node->disk.last;
    realm->council = (struct council){.voters = 1, .count = 1, .ids = {id}, .born = {node->born}};
    for (uint64_t index = 1; index <= old->committed; index++) {
        if (index < realm->committed && is_same(&realm->ledger[index], &old->ledger[index])) continue;
        if (index <= known) broken("lost is what was known to be committed, at %" PRIu64, index);
        if (are_many) broken("%" PRIu64 " is lost, and a majority is left", index);
        fleet.totals->forgotten++;
    }
    note("goes on", id, realm->committed, node->disk.hard.term);
}

/* Was there ever one of that id born so in that realm? Whoever was recovered went on in another one. */
static bool was_born(const struct realm *realm, uint64_t id, uint64_t born)
{
    if (node_of(id)->born == born) return true;
    for (uint32_t i = 0; i < realm->ghost_count; i++)
        if (realm->ghosts[i].id == id && realm->ghosts[i].born == born) return true;
    return false;
}

uint64_t oracle_new_birth(uint32_t id, uint64_t born)
{
    if (born == BORN_ANEW || was_born(realm_of(id), id, born))
        broken("node %u comes back from a copy as who it was", id);
    return born;
}

/* ------------------------------------------------------------------------------------------------------- invariants */

/* The entry at `index` as the node sees it. What is not in memory is durable, what the log does not keep committed. */
static bool seen(uint32_t id, uint64_t index, struct fact *out)
{
    const struct fleet_node *node = node_of(id);
    const struct realm *realm = realm_of(id);
    if (index > node->raft->last.index) return false;
    if (index < node->raft->first) {
        *out = realm->ledger[index];
        return index <= realm->committed;
    }
    if (index < node->raft->tail_first) {
        *out = node->disk.entries[index];
        return index <= node->disk.last && index > node->disk.base;
    }
    *out = oracle_fact(tail_at(node->raft, index));
    return true;
}

static bool is_on_quorum(const struct realm *realm, const struct teak_raft *leader, uint64_t index, uint64_t term)
{
    const struct disk_fact *disks[NODES];
    uint32_t have = 0;
    all_disks(disks);
    for (uint32_t slot = 0; slot < leader->config.count; slot++) {
        const struct teak_raft_member *member = &config_members(leader)[slot];
        const struct disk_fact *disk = disk_of(realm, disks, member->id, member->born);
        if (index > disk->base && index <= disk->last && disk->entries[index].term == term)
            have |= UINT32_C(1) << slot;
    }
    return quorum_has(leader->config.voters, leader->config.next, have);
}

static void judge_commit(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct realm *realm = realm_of(id);
    const struct teak_raft *raft = node->raft;
    if (raft->commit < node->commit_seen) broken("commit of node %u went back to %" PRIu64, id, raft->commit);
    for (uint64_t index = node->commit_seen + 1; index <= raft->commit; index++) {
        struct fact fact;
        if (!seen(id, index, &fact)) broken("node %u lacks what is committed at %" PRIu64, id, index);
        if (index <= realm->committed) {
            if (!is_same(&fact, &realm->ledger[index]))
                broken("node %u committed another entry at %" PRIu64, id, index);
            continue;
        }
        if (raft->role == TEAK_RAFT_LEADER && !is_on_quorum(realm, raft, raft->commit, raft->term))
            broken("node %u committed %" PRIu64 ", which is not on a majority of disks", id, raft->commit);
        if (raft->role == TEAK_RAFT_LEADER || index == 1) seat(realm, raft);
        realm->ledger[index] = fact;
        realm->committed_in[index] = raft->term;
        realm->state_at[index] = state_after(realm->state_at[index - 1], index, &fact);
        realm->committed = index;
        note("committed", id, index, fact.term);
    }
    node->commit_seen = raft->commit;
}

static void judge_leader(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct realm *realm = realm_of(id);
    const struct teak_raft *raft = node->raft;
    if (raft->term < node->term_seen) broken("the term of node %u went back to %" PRIu64, id, raft->term);
    node->term_seen = raft->term;
    if (raft->role != TEAK_RAFT_LEADER) return;
    if (raft->term >= TERMS_MAX) broken("more terms than were thought");
    const bool is_new = realm->led_by[raft->term] == 0;
    if (!is_new && (realm->led_by[raft->term] != id || realm->led_born[raft->term] != node->born))
        broken("nodes %u and %u led term %" PRIu64, realm->led_by[raft->term], id, raft->term);
    if (node->disk.hard.term != raft->term || node->disk.hard.vote != id)
        broken("node %u leads term %" PRIu64 ", which is not durable there", id, raft->term);
    if (!is_new) return;
    realm->led_by[raft->term] = id;
    realm->led_born[raft->term] = node->born;
    fleet.totals->elections++;
    note("leads", id, raft->term, raft->last.index);
    for (uint64_t index = 1; index <= realm->committed; index++) {
        struct fact fact;
        if (realm->committed_in[index] >= raft->term) continue; /* of an older term; it can commit nothing any more */
        if (!seen(id, index, &fact) || !is_same(&fact, &realm->ledger[index]))
            broken("node %u leads term %" PRIu64 " and lacks %" PRIu64, id, raft->term, index);
    }
}

/* Each (index, term) that a leader has, it has appended and never changed: of its own term. */
void oracle_judge_matching(uint32_t id)
{
    const struct teak_raft *raft = node_of(id)->raft;
    for (uint32_t other = 1; other <= fleet.seats; other++) {
        if (realm_of(other) != realm_of(id)) continue;
        const struct disk_fact *disk = &node_of(other)->disk;
        const uint64_t floor = max_of(raft->first - 1, disk->base);
        bool agreed = false;
        for (uint64_t index = min_of(raft->last.index, disk->last); index > floor; index--) {
            struct fact mine;
            if (!seen(id, index, &mine)) broken("node %u has a hole at %" PRIu64, id, index);
            agreed |= mine.term == disk->entries[index].term;
            if (agreed && !is_same(&mine, &disk->entries[index]))
                broken("nodes %u and %u do not match at %" PRIu64, id, other, index);
        }
    }
}

static struct watch *watch_of(uint32_t leader, uint64_t id) { return &fleet.watches[leader - 1][id - 1]; }

static bool is_watched(uint32_t leader, uint32_t id)
{
    const struct teak_raft *raft = node_of(leader)->raft;
    const struct watch *watch = watch_of(leader, id);
    return watch->had != 0 && raft && watch->run == raft->incarnation && watch->term == raft->term &&
           raft->role == TEAK_RAFT_LEADER && slot_of(raft, id) != NO_SLOT;
}

/* The same leader counts on it again, and has not said that it was gone. */
static void judge_watches(uint32_t leader)
{
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        if (!is_watched(leader, id)) continue;
        const struct peer *peer = peer_at(node_of(leader)->raft, slot_of(node_of(leader)->raft, id));
        if (peer->incarnation == node_of(id)->run && peer->match >= watch_of(leader, id)->had) _exit(FLEET_UNSEEN);
    }
}

/* Does its disk have the leader's entries up to there? */
static bool has_all(uint32_t id, uint32_t leader, uint64_t upto)
{
    const struct disk_fact *disk = &node_of(id)->disk;
    struct fact its;
    if (disk->last < upto) return false;
    for (uint64_t index = upto; index > disk->base; index--)
        if (!seen(leader, index, &its) || !is_same(&its, &disk->entries[index])) return false;
    return true;
}

/* What its leader sent before it knew the new process may bring that all that is gone: then nothing is gone that could
 * be seen. What it sends again when it knows is no such thing: it has to say that this was gone. */
static void settle_watches(uint32_t id)
{
    for (uint32_t leader = 1; leader <= fleet.seats; leader++) {
        struct watch *watch = watch_of(leader, id);
        if (is_watched(leader, id) && !watch->is_sent_again && has_all(id, leader, watch->had)) watch->had = 0;
    }
}

static void watch_append(const struct teak_raft_msg *msg)
{
    const uint32_t leader = (uint32_t)msg->from;
    struct watch *watch = watch_of(leader, msg->to);
    if (msg->count == 0 || !is_watched(leader, (uint32_t)msg->to) || msg->at.index >= watch->had) return;
    const struct teak_raft *raft = node_of(leader)->raft;
    watch->is_sent_again |= peer_at(raft, slot_of(raft, msg->to))->incarnation == node_of(msg->to)->run;
}

void oracle_goes_back(uint32_t id)
{
    for (uint32_t leader = 1; leader <= fleet.seats; leader++) {
        const struct teak_raft *raft = node_of(leader)->raft;
        if (!raft || raft->role != TEAK_RAFT_LEADER || slot_of(raft, id) == NO_SLOT) continue;
        const struct peer *peer = peer_at(raft, slot_of(raft, id));
        const uint64_t had = max_of(peer->match, peer->had);
        *watch_of(leader, id) = (struct watch){.run = raft->incarnation, .term = raft->term,
                                               .had = has_all(id, leader, had) ? 0 : had};
    }
}

void oracle_judge(uint32_t id)
{
    if (!node_of(id)->raft || node_of(id)->raft->halted) return;
    settle_watches(id);
    judge_watches(id);
    judge_leader(id);
    judge_commit(id);
}

/* A vote that is told is durable, and the only one of its term. */
void oracle_judge_message(const struct teak_raft_msg *msg)
{
    const struct fleet_node *node = node_of(msg->from);
    if (msg->type == TEAK_RAFT_APPEND) watch_append(msg);
    if (msg->type != TEAK_RAFT_VOTE_REPLY || msg->refused) return;
    if (msg->term >= TERMS_MAX) broken("more terms than were thought");
    if (node->disk.hard.term != msg->term || node->disk.hard.vote != msg->to)
        broken("node %" PRIu64 " tells a vote of term %" PRIu64 " that is not durable", msg->from, msg->term);
    uint8_t *vote = &realm_of(msg->from)->voted_for[msg->term][msg->from - 1];
    if (*vote != 0 && *vote != msg->to) broken("node %" PRIu64 " votes twice in %" PRIu64, msg->from, msg->term);
    *vote = (uint8_t)msg->to;
}

/* ------------------------------------------------------------------------------------------- what a ready hands out */

static void judge_machine(uint32_t id)
{
    const struct machine *machine = &node_of(id)->machine;
    const struct realm *realm = realm_of(id);
    if (machine->applied > realm->committed || machine->state != realm->state_at[machine->applied])
        broken("the state machine of node %u is not what it should be at %" PRIu64, id, machine->applied);
}

/* Who is said to be another is: this node itself, or somebody of that id. Nobody loses what it confirmed, but where an
 * older disk comes back under the same birth. */
void oracle_event(uint32_t id, const struct teak_raft_event *event)
{
    if (event->type == TEAK_RAFT_EVENT_PEER_REPLACED) {
        if (!was_born(realm_of(id), event->a, event->b)) broken("node %u tells of a log that nobody had", id);
        fleet.totals->strangers++;
        note("a stranger", id, event->a, event->b);
    }
    if (event->type != TEAK_RAFT_EVENT_PEER_LOST_DATA) return;
    fleet.totals->losses++;
    watch_of(id, event->a)->had = 0;
    if (!fleet.shape->puts_back_raw)
        broken("node %u says that %" PRIu64 " lost what it has, from %" PRIu64 " on", id, event->a, event->b);
}

void oracle_apply(uint32_t id, const struct teak_raft_apply *given)
{
    struct fleet_node *node = node_of(id);
    struct machine *machine = &node->machine;
    const struct realm *realm = realm_of(id);
    for (uint32_t i = 0; i < given->count; i++) {
        const struct teak_raft_entry *entry = &given->entries[i];
        const struct fact fact = oracle_fact(entry);
        if (entry->index > realm->committed || !is_same(&fact, &realm->ledger[entry->index]))
            broken("node %u applies what is not committed at %" PRIu64, id, entry->index);
        if (entry->index <= node->disk.base || entry->index > node->disk.last ||
            !is_same(&fact, &node->disk.entries[entry->index]))
            broken("node %u applies what is not durable there at %" PRIu64, id, entry->index);
        if (entry->index <= machine->applied) broken("node %u applies %" PRIu64 " twice", id, entry->index);
        machine->applied = entry->index;
        machine->state = state_after(machine->state, entry->index, &fact);
    }
    if (given->upto < machine->applied) broken("node %u applies beyond what it says", id);
    machine->applied = given->upto;
    judge_machine(id);
}

void oracle_restore(uint32_t id, const struct body *body)
{
    struct fleet_node *node = node_of(id);
    if (node->disk.snapshot.index < body->name.pos.index)
        broken("node %u restores what is not in force at %" PRIu64, id, body->name.pos.index);
    if (body->name.pos.index <= node->machine.applied) broken("node %u restores what it has", id);
    memcpy(&node->machine, body->data, sizeof node->machine);
    if (node->machine.applied != body->name.pos.index) broken("node %u restores something else", id);
    judge_machine(id);
}

void oracle_done(uint32_t id, const struct teak_raft_done *done)
{
    struct fleet_node *node = node_of(id);
    const struct realm *realm = realm_of(id);
    if (done->count > node->open) broken("node %u answers what nobody proposed", id);
    node->open -= done->count;
    fleet.totals->answered += done->count;
    for (uint64_t index = done->first_index; index < done->first_index + done->count; index++) {
        if (done->fate == TEAK_RAFT_UNKNOWN) continue;
        const bool is_beyond = index > realm->committed;
        const bool is_there = !is_beyond && realm->ledger[index].term == done->term;
        const bool may_come = is_beyond && realm->ledger[realm->committed].term <= done->term;
        if (may_come || is_there != (done->fate == TEAK_RAFT_COMMITTED))
            broken("node %u tells a fate that is not true of %" PRIu64, id, index);
    }
}

void oracle_read(uint32_t id, const struct teak_raft_answer *read)
{
    struct fleet_node *node = node_of(id);
    struct asked_read *asked = &node->reads[read->tag % READS_MAX];
    if (read->tag >= CLIENTS_READS) { /* what it may see is judged at the end, by what others saw */
        note("client reads", id, (uint64_t)read->fate, read->index);
        node->open_reads--;
        return;
    }
    if (asked->committed == 0) broken("node %u answers a read that nobody asked for", id);
    note("read", id, (uint64_t)read->fate, read->index);
    if (read->fate == TEAK_RAFT_READ_OK) {
        fleet.totals->served++;
        fleet.totals->leased += asked->by_lease;
        const bool is_stale = node->machine.applied < asked->committed - 1;
        fleet.totals->stale += is_stale;
        if ((is_stale && !fleet.shape->breaks_bound) || read->index > node->machine.applied)
            broken("node %u serves a read at %" PRIu64 ", and %" PRIu64 " was committed", id, node->machine.applied,
                   asked->committed - 1);
    }
    asked->committed = 0;
    node->open_reads--;
}
