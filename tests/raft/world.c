/* world.c: see world.h. */
#include "world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/quorum.h"
#include "core/tail.h"
#include "golden/wire_samples.h"

/* ------------------------------------------------------------------------------------------------------------ bytes */

/* A table that only grows: what is in it is found again through it, so nothing is lost. */
const uint8_t *world_intern(const uint8_t *data, uint32_t bytes)
{
    enum { MAX = 1 << 20 };
    static struct {
        uint8_t *data;
        uint32_t bytes;
    } table[MAX];
    uint64_t hash = bytes;
    for (uint32_t i = 0; i < bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, data + i, bytes - i < 8 ? bytes - i : 8);
        hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
        hash ^= hash >> 32;
    }
    uint32_t at = (uint32_t)hash;
    for (uint32_t tries = 0; tries < MAX; tries++, at++) {
        const uint32_t place = at % MAX;
        if (!table[place].data) {
            table[place].data = malloc(bytes + 1);
            if (!table[place].data) abort();
            if (bytes > 0) memcpy(table[place].data, data, bytes);
            table[place].bytes = bytes;
            return table[place].data;
        }
        if (table[place].bytes == bytes && memcmp(table[place].data, data, bytes) == 0) return table[place].data;
    }
    abort();
}

static struct teak_raft_entry kept_entry(struct teak_raft_entry entry)
{
    entry.tag = 0;
    entry.frame = NULL;
    if (entry.bytes > 0) entry.data = world_intern(entry.data, entry.bytes);
    return entry;
}

static struct teak_raft_snapshot kept_name(struct teak_raft_snapshot name)
{
    if (name.config) name.config = world_intern(name.config, name.config_bytes);
    return name;
}

static bool same_name(const struct teak_raft_snapshot *a, const struct teak_raft_snapshot *b)
{
    return a->pos.index == b->pos.index && a->pos.term == b->pos.term && a->born == b->born && a->bytes == b->bytes &&
           a->checksum == b->checksum && a->config_index == b->config_index;
}

/* A sum over what is committed up to there. */
static uint64_t sum_of(const struct world *world, uint64_t index, uint64_t born)
{
    uint64_t sum = born;
    for (uint64_t i = 1; i <= index; i++) {
        const struct teak_raft_entry *entry = &world->ledger[i];
        sum = (sum ^ entry->term ^ (uint64_t)entry->kind << 32) * UINT64_C(0x100000001b3);
        for (uint32_t j = 0; j < entry->bytes; j++) sum = (sum ^ entry->data[j]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static const uint8_t *body_of(const struct teak_raft_snapshot *name, uint64_t offset, uint32_t bytes)
{
    uint8_t body[WORLD_BODY];
    for (uint32_t i = 0; i < WORLD_BODY; i++) body[i] = (uint8_t)(name->checksum >> (i % 8 * 8)) ^ (uint8_t)i;
    return world_intern(body + offset, bytes);
}

static bool same_entry(const struct teak_raft_entry *a, const struct teak_raft_entry *b)
{
    return a->term == b->term && a->kind == b->kind && a->bytes == b->bytes &&
           (a->bytes == 0 || a->data == b->data || memcmp(a->data, b->data, a->bytes) == 0);
}

/* ----------------------------------------------------------------------------------------------------------- sums */

struct sum {
    uint64_t a, b;
};

static void put(struct sum *sum, uint64_t value)
{
    sum->a = (sum->a ^ value) * UINT64_C(0x9fb21c651e98df25);
    sum->a ^= sum->a >> 28;
    sum->b = (sum->b + value) * UINT64_C(0xd6e8feb86659fd93);
    sum->b ^= sum->b >> 32;
}

static void put_entries(struct sum *sum, const struct teak_raft_entry *entries, uint32_t count)
{
    put(sum, count);
    for (uint32_t i = 0; i < count; i++) {
        put(sum, entries[i].term);
        put(sum, (uint64_t)entries[i].kind << 32 | entries[i].bytes);
        put(sum, entries[i].bytes > 0 ? (uint64_t)(uintptr_t)entries[i].data : 0); /* interned */
    }
}

static void put_name(struct sum *sum, const struct teak_raft_snapshot *name)
{
    put(sum, name->pos.index);
    if (name->pos.index == 0) return;
    const uint64_t values[] = {name->pos.term, name->born, name->bytes, name->checksum, name->config_index};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(sum, values[i]);
}

static void sum_letter(struct letter *letter)
{
    struct sum sum = {1, 2};
    const struct teak_raft_msg *msg = &letter->msg;
    const uint64_t values[] = {msg->type, msg->from, msg->to, msg->incarnation, msg->term, msg->at.index, msg->at.term,
                               msg->index, msg->round, msg->asked,
                               (uint64_t)msg->refused | (uint64_t)msg->full << 1 | (uint64_t)msg->force << 2,
                               msg->promise};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) put(&sum, values[i]);
    put_entries(&sum, letter->entries, msg->count);
    if (msg->type == TEAK_RAFT_SNAPSHOT) {
        put_name(&sum, &letter->chunk.snapshot);
        put(&sum, letter->chunk.offset << 8 | letter->chunk.bytes);
    }
    letter->sum[0] = sum.a;
    letter->sum[1] = sum.b;
}

static void copy_letter(struct letter *to, const struct letter *from)
{
    memcpy(to, from, offsetof(struct letter, entries) + from->msg.count * sizeof from->entries[0]);
}

/* ------------------------------------------------------------------------------------------------------------ words */

static const char *const type_names[] = {"?", "PRE_VOTE", "PRE_VOTE_REPLY", "VOTE", "VOTE_REPLY", "APPEND",
                                         "APPEND_REPLY", "HEARTBEAT", "HEARTBEAT_REPLY", "TIMEOUT_NOW",
                                         "READ", "READ_REPLY", "SNAPSHOT", "SNAPSHOT_REPLY"};
const char *world_type_name(uint8_t type) { return type_names[type < TEAK_RAFT_MSG_TYPE_COUNT ? type : 0]; }

void world_print_entry(FILE *out, const struct teak_raft_entry *entry)
{
    fprintf(out, "%" PRIu64 "/%" PRIu64, entry->index, entry->term);
    if (entry->kind == TEAK_RAFT_CONFIG) {
        fprintf(out, entry->data[1] ? "=joint" : "=config");
        for (uint32_t at = 4; at < entry->bytes; at += 18)
            fprintf(out, " %u:%u", entry->data[at], entry->data[at + 16]);
    } else if (entry->kind >= TEAK_RAFT_KIND_APPLICATION) {
        fprintf(out, "=%.*s", (int)entry->bytes, (const char *)entry->data);
    }
}

void world_print_msg(FILE *out, const struct teak_raft_msg *msg)
{
    fprintf(out, "%" PRIu64 " -> %" PRIu64 " %s t%" PRIu64, msg->from, msg->to, world_type_name(msg->type), msg->term);
    switch ((enum teak_raft_msg_type)msg->type) {
    case TEAK_RAFT_PRE_VOTE:
    case TEAK_RAFT_VOTE:
        fprintf(out, " last %" PRIu64 "/%" PRIu64 "%s", msg->at.index, msg->at.term, msg->force ? " force" : "");
        break;
    case TEAK_RAFT_PRE_VOTE_REPLY:
    case TEAK_RAFT_VOTE_REPLY: fprintf(out, msg->refused ? " no" : " yes"); break;
    case TEAK_RAFT_APPEND:
        fprintf(out, " after %" PRIu64 "/%" PRIu64 " commit %" PRIu64 " [", msg->at.index, msg->at.term, msg->index);
        for (uint32_t i = 0; i < msg->count; i++) {
            if (i > 0) fprintf(out, ", ");
            world_print_entry(out, &msg->entries[i]);
        }
        fprintf(out, "]");
        break;
    case TEAK_RAFT_APPEND_REPLY:
        if (msg->refused)
            fprintf(out, " refuses %" PRIu64 ", try %" PRIu64 "/%" PRIu64, msg->index, msg->at.index, msg->at.term);
        else
            fprintf(out, " has %" PRIu64, msg->index);
        break;
    case TEAK_RAFT_HEARTBEAT:
        fprintf(out, " commit %" PRIu64, msg->index);
        if (msg->promise) fprintf(out, " promise %" PRIu64, msg->promise);
        break;
    case TEAK_RAFT_HEARTBEAT_REPLY:
        fprintf(out, msg->refused ? " refuses" : " has %" PRIu64, msg->index);
        if (msg->promise) fprintf(out, " promise %" PRIu64, msg->promise);
        break;
    case TEAK_RAFT_READ: fprintf(out, " round %" PRIu64, msg->round); break;
    case TEAK_RAFT_READ_REPLY:
        fprintf(out, " round %" PRIu64, msg->round);
        fprintf(out, msg->refused ? " refuses" : " index %" PRIu64, msg->index);
        break;
    case TEAK_RAFT_SNAPSHOT:
        fprintf(out, " %" PRIu64 "/%" PRIu64 " of %" PRIu64 ", %u bytes at %" PRIu64, msg->chunk->snapshot.pos.index,
                msg->chunk->snapshot.pos.term, msg->chunk->snapshot.born, msg->chunk->bytes, msg->chunk->offset);
        break;
    case TEAK_RAFT_SNAPSHOT_REPLY:
        fprintf(out, " %" PRIu64 "/%" PRIu64 "%s %" PRIu64, msg->at.index, msg->at.term,
                msg->refused ? ", go on at" : " has", msg->index);
        break;
    case TEAK_RAFT_TIMEOUT_NOW:
    case TEAK_RAFT_MSG_TYPE_COUNT: break;
    }
    if (msg->full) fprintf(out, " full");
}

static void print_event(FILE *out, uint32_t node, const struct teak_raft_event *event)
{
    static const char *const names[] = {"?", "TERM", "LEADING", "LEADING_READY", "CONFIG", "PEER_REPLACED",
                                        "PEER_LOST_DATA", "HALTED", "FORGOTTEN", "SNAPSHOT", "SNAPSHOT_FAILED"};
    fprintf(out, "%u event %s %" PRIu64 " %" PRIu64 "\n", node, names[event->type], event->a, event->b);
}

static void print_job(FILE *out, uint32_t node, const struct teak_raft_job *job)
{
    fprintf(out, "%u job: term %" PRIu64 " vote %" PRIu64 " commit %" PRIu64, node, job->hard.term, job->hard.vote,
            job->hard.commit);
    if (job->cut_from) fprintf(out, ", cut %" PRIu64, job->cut_from);
    if (job->snapshot)
        fprintf(out, ", snapshot %" PRIu64 "/%" PRIu64 "%s", job->snapshot->pos.index, job->snapshot->pos.term,
                job->clear ? " instead of the log" : "");
    for (uint32_t i = 0; i < job->count; i++) {
        fprintf(out, i == 0 ? ", append " : ", ");
        world_print_entry(out, &job->entries[i]);
    }
    if (job->compact_to) fprintf(out, ", compact %" PRIu64, job->compact_to);
    fprintf(out, "%s\n", job->urgent ? ", urgent" : "");
}

void world_broken(struct world *world, const char *what, uint64_t a, uint64_t b)
{
    if (!world->hushed)
        fprintf(world->out ? world->out : stderr, "BROKEN: %s (%" PRIu64 ", %" PRIu64 ")\n", what, a, b);
    if (!world->broken) world->broken_by = what;
    world->broken = true;
}

/* ----------------------------------------------------------------------------------------------------------- ledger */

struct teak_raft *world_node(const struct world *world, uint32_t number)
{
    return (struct teak_raft *)(uintptr_t)world->at[number - 1]->block;
}

/* The entry at `index` as the node sees it: in memory, else on its disk, else in its snapshot: then it is what is
 * committed there, or restoring it will be noticed. NULL: it has none. */
static const struct teak_raft_entry *seen(const struct world *world, uint32_t node, uint64_t index)
{
    const struct teak_raft *raft = world_node(world, node);
    if (index > raft->last.index) return NULL;
    if (index >= raft->tail_first) return tail_at(raft, index);
    if (index <= raft->snapshot.name.pos.index) return index <= world->committed ? &world->ledger[index] : NULL;
    const struct disk_model *disk = &world->at[node - 1]->disk;
    return index >= disk->first && index <= disk->last ? &disk->entries[index] : NULL;
}

/* Of the node's log, after so many before it. */
static uint64_t born_of(uint32_t logs, uint32_t node) { return 1000u * (1u + logs) + node; }

static struct gone_log as_gone(const struct disk_model *disk, uint64_t born)
{
    struct gone_log log = {.born = born, .first = disk->first, .last = disk->last,
                           .snapshot = disk->snapshot.pos.index};
    static_assert(WORLD_TERMS <= UINT8_MAX, "a term is a byte");
    for (uint32_t i = disk->first; i <= disk->last; i++) log.terms[i] = (uint8_t)disk->entries[i].term;
    return log;
}

static bool disk_has(const struct disk_model *disk, uint64_t index, uint64_t term)
{
    if (index <= disk->snapshot.pos.index) return true;
    return index >= disk->first && index <= disk->last && disk->entries[index].term == term;
}

/* Did the log that was born so confirm it, before its disk was replaced? */
static bool gone_had(const struct world *world, uint64_t born, uint64_t index, uint64_t term)
{
    for (uint32_t i = 0; i < world->gone_count; i++) {
        const struct gone_log *log = &world->gone[i];
        if (log->born != born) continue;
        return index <= log->snapshot || (index >= log->first && index <= log->last && log->terms[index] == term);
    }
    return false;
}

/* A majority of each half has it durably: how many disks hold (index, term)? Those that were replaced hold what they
 * had, for as long as they are who is a member; who stands in their place holds nothing for them. */
static bool is_on_quorum(const struct world *world, const struct teak_raft *leader, uint64_t index, uint64_t term)
{
    uint32_t have = 0;
    for (uint32_t slot = 0; slot < leader->config.count; slot++) {
        const uint64_t id = config_members(leader)[slot].id, born = config_members(leader)[slot].born;
        if (id == 0 || id > world->node_count) continue;
        const bool is_here = born == 0 || born == born_of(world->logs[id - 1], (uint32_t)id);
        if (is_here ? disk_has(&world->at[id - 1]->disk, index, term) : gone_had(world, born, index, term))
            have |= UINT32_C(1) << slot;
    }
    return quorum_has(leader->config.voters, leader->config.next, have);
}

static void judge_commit(struct world *world, uint32_t node)
{
    const struct teak_raft *raft = world_node(world, node);
    if (raft->commit < world->commit_seen[node - 1]) world_broken(world, "commit went back", node, raft->commit);
    for (uint64_t index = world->commit_seen[node - 1] + 1; index <= raft->commit; index++) {
        const struct teak_raft_entry *entry = seen(world, node, index);
        if (!entry) {
            world_broken(world, "a committed entry is missing", node, index);
            return;
        }
        if (index <= world->committed) {
            if (!same_entry(entry, &world->ledger[index])) world_broken(world, "committed entries differ", node, index);
            continue;
        }
        if (raft->role == TEAK_RAFT_LEADER && !is_on_quorum(world, raft, raft->commit, raft->term))
            world_broken(world, "committed, and not on a majority of disks", node, index);
        world->ledger[index] = kept_entry(*entry);
        world->committed_in[index] = raft->term;
        world->committed = index;
    }
    world->commit_seen[node - 1] = raft->commit;
}

static void judge_leader(struct world *world, uint32_t node)
{
    const struct teak_raft *raft = world_node(world, node);
    if (raft->term < world->term_seen[node - 1]) world_broken(world, "a term went back", node, raft->term);
    world->term_seen[node - 1] = raft->term;
    if (raft->role != TEAK_RAFT_LEADER) return;
    if (raft->term >= WORLD_TERMS) abort();
    if (world->led_by[raft->term] != 0 && world->led_by[raft->term] != node)
        world_broken(world, "two leaders in a term", raft->term, node);
    const bool is_new = world->led_by[raft->term] == 0;
    world->led_by[raft->term] = node;
    const struct teak_raft_hard *hard = &world->at[node - 1]->disk.hard;
    if (hard->term != raft->term || hard->vote != node)
        world_broken(world, "a leader whose term is not durable", node, raft->term);
    for (uint64_t index = 1; is_new && index <= world->committed; index++) {
        /* leader completeness; one of an older term may still find out that it was elected, and can commit nothing */
        if (world->committed_in[index] >= raft->term) continue;
        const struct teak_raft_entry *entry = seen(world, node, index);
        if (!entry || !same_entry(entry, &world->ledger[index]))
            world_broken(world, "a leader lacks what is committed", node, index);
    }
}

/* Equal (index, term): equal bytes, and equal terms before. Nodes as they see themselves, and their disks. */
static void judge_matching(struct world *world, uint32_t node)
{
    const struct teak_raft *raft = world_node(world, node);
    for (uint32_t other = 1; other <= world->node_count; other++) {
        const struct disk_model *disk = &world->at[other - 1]->disk;
        bool agreed = false;
        for (uint64_t index = min_index(raft->last.index, disk->last); index > 0; index--) {
            const struct teak_raft_entry *mine = seen(world, node, index);
            if (!mine || index < disk->first) break;
            const struct teak_raft_entry *its = &disk->entries[index];
            if (agreed || mine->term == its->term) {
                if (!same_entry(mine, its)) world_broken(world, "logs do not match", index, node * 100 + other);
                agreed = true;
            }
        }
    }
}

static void judge(struct world *world, uint32_t node)
{
    if (!world->up[node - 1]) return;
    if (world_node(world, node)->halted && !world->may_halt) world_broken(world, "a node halted", node, 0);
    judge_leader(world, node);
    judge_commit(world, node);
    judge_matching(world, node);
}

/* ----------------------------------------------------------------------------------------------- what is handed out */

static void to_disk(struct world *world, uint32_t node, const struct teak_raft_job *job)
{
    struct disk_model *disk = &world->at[node - 1]->disk;
    if (disk->flight_count == WORLD_FLIGHTS || job->count > WORLD_SPAN) abort();
    struct flight_job *flight = &disk->flights[disk->flight_count++];
    *flight = (struct flight_job){.token = job->token, .cut_from = job->cut_from, .hard = job->hard,
                                  .after = job->after_last, .count = job->count, .compact_to = job->compact_to,
                                  .after_first = job->after_first, .clear = job->clear};
    if (job->snapshot) flight->snapshot = kept_name(*job->snapshot);
    for (uint32_t i = 0; i < job->count; i++) flight->entries[i] = kept_entry(job->entries[i]);
    if (world->out) print_job(world->out, node, job);
}

/* A copy whose bytes are the program's. */
static void keep_letter(struct letter *letter, const struct teak_raft_msg *msg)
{
    letter->msg = *msg;
    if (msg->count > WORLD_SPAN) abort();
    for (uint32_t i = 0; i < msg->count; i++) letter->entries[i] = kept_entry(msg->entries[i]);
    letter->msg.entries = NULL;
    if (msg->chunk) {
        letter->chunk = *msg->chunk;
        letter->chunk.snapshot = kept_name(msg->chunk->snapshot);
        letter->chunk.frame = NULL;
        if (msg->chunk->bytes > 0) letter->chunk.data = world_intern(msg->chunk->data, msg->chunk->bytes);
        letter->msg.chunk = NULL;
    }
}

static void to_net(struct world *world, const struct teak_raft_msg *msg)
{
    if (world->net_count == world->net_max) world_drop(world, 0);
    struct letter *letter = &world->net[world->net_count++];
    keep_letter(letter, msg);
    sum_letter(letter);
    if (!world->out) return;
    world_print_msg(world->out, msg);
    fprintf(world->out, "\n");
}

/* What the state machine is then is what every other one was after that entry. */
static void restore(struct world *world, uint32_t node, const struct teak_raft_snapshot *name, uint64_t upto)
{
    const struct disk_model *disk = &world->at[node - 1]->disk;
    world->restores++;
    if (!same_name(name, &disk->snapshot) || name->pos.index != upto)
        world_broken(world, "restores what is not durably in force", node, upto);
    if (!same_name(name, &disk->body)) world_broken(world, "restores what is not here", node, upto);
    if (upto > world->committed || sum_of(world, upto, name->born) != name->checksum)
        world_broken(world, "restores another state", node, upto);
    if (world->out) fprintf(world->out, "%u restores %" PRIu64 "/%" PRIu64 "\n", node, upto, name->pos.term);
}

static void to_state_machine(struct world *world, uint32_t node, const struct teak_raft_apply *apply)
{
    struct disk_model *disk = &world->at[node - 1]->disk;
    if (apply->upto <= disk->applied) world_broken(world, "applied twice", node, apply->upto);
    disk->applied = apply->upto;
    if (apply->restore) {
        restore(world, node, apply->restore, apply->upto);
        return;
    }
    for (uint32_t i = 0; i < apply->count; i++) {
        const struct teak_raft_entry *entry = &apply->entries[i];
        const uint64_t index = entry->index;
        if (index > world->committed || !same_entry(entry, &world->ledger[index]))
            world_broken(world, "applied what is not committed", node, index);
        if (index < disk->first || index > disk->last || !same_entry(entry, &disk->entries[index]))
            world_broken(world, "applied what is not durable here", node, index);
    }
    if (!world->out) return;
    fprintf(world->out, "%u applies up to %" PRIu64 ":", node, apply->upto);
    for (uint32_t i = 0; i < apply->count; i++) {
        fprintf(world->out, " ");
        world_print_entry(world->out, &apply->entries[i]);
    }
    fprintf(world->out, "\n");
}

static void answer(struct world *world, uint32_t node, struct teak_raft_fetch fetch)
{
    const struct disk_model *disk = &world->at[node - 1]->disk;
    if (world->out)
        fprintf(world->out, "%u fetches %" PRIu64 "..%" PRIu64 "\n", node, fetch.first, fetch.last);
    if (fetch.last > disk->last || fetch.first < disk->first) {
        world_broken(world, "fetches what is not durable", fetch.first, fetch.last);
        return;
    }
    struct teak_raft_entry entries[WORLD_SPAN];
    const uint32_t count = (uint32_t)(fetch.last - fetch.first + 1);
    for (uint32_t i = 0; i < count; i++) entries[i] = disk->entries[fetch.first + i];
    const uint64_t before = fetch.first > 1 ? disk->entries[fetch.first - 1].term : 0;
    const enum teak_raft_status status =
        teak_raft_fetched(world_node(world, node), fetch.ticket, TEAK_RAFT_FETCHED, before, entries, count);
    if (status != TEAK_RAFT_OK) world_broken(world, "a fetch is refused", fetch.first, status);
}

static void write_body(struct world *world, uint32_t node, const struct teak_raft_snap_io *io,
                       enum teak_raft_outcome *outcome)
{
    struct disk_model *disk = &world->at[node - 1]->disk;
    if (disk->refuses_bodies) {
        *outcome = TEAK_RAFT_NO_ROOM;
        return;
    }
    if (!same_name(&disk->part, &io->snapshot) || io->offset != disk->part_bytes)
        world_broken(world, "writes beside what is written", node, io->offset);
    else if (memcmp(io->data, body_of(&io->snapshot, io->offset, io->bytes), io->bytes) != 0)
        world_broken(world, "writes what was not read", node, io->offset);
    disk->part_bytes += io->bytes;
}

/* At once. */
static void do_io(struct world *world, uint32_t node, const struct teak_raft_snap_io *io)
{
    static const char *const names[] = {"?", "read", "close", "begin", "write", "finish", "abort"};
    struct disk_model *disk = &world->at[node - 1]->disk;
    struct teak_raft_blob blob = {.bytes = io->bytes};
    enum teak_raft_outcome outcome = TEAK_RAFT_DONE;
    uint64_t offset = 0;
    if (world->out)
        fprintf(world->out, "%u snapshot %" PRIu64 "/%" PRIu64 " of %" PRIu64 ": %s\n", node, io->snapshot.pos.index,
                io->snapshot.pos.term, io->snapshot.born, names[io->op]);
    switch (io->op) {
    case TEAK_RAFT_SNAP_READ: blob.data = body_of(&io->snapshot, io->offset, io->bytes); break;
    case TEAK_RAFT_SNAP_BEGIN:
        if (!same_name(&disk->part, &io->snapshot)) {
            disk->part = kept_name(io->snapshot);
            disk->part_bytes = 0;
        }
        offset = disk->part_bytes;
        break;
    case TEAK_RAFT_SNAP_WRITE:
        if (disk->hangs) return;
        write_body(world, node, io, &outcome);
        break;
    case TEAK_RAFT_SNAP_FINISH:
        if (!same_name(&disk->part, &io->snapshot) || disk->part_bytes != io->snapshot.bytes)
            world_broken(world, "finishes what is not whole", node, disk->part_bytes);
        disk->body = disk->part;
        break;
    case TEAK_RAFT_SNAP_ABORT:
        if (same_name(&disk->part, &io->snapshot)) {
            disk->part = (struct teak_raft_snapshot){.born = 0};
            disk->part_bytes = 0;
        }
        return;
    case TEAK_RAFT_SNAP_CLOSE: return;
    }
    const enum teak_raft_status status =
        teak_raft_snap_done(world_node(world, node), io->ticket, outcome, offset, &blob);
    if (status != TEAK_RAFT_OK && status != TEAK_RAFT_STALE)
        world_broken(world, "what was done to a body is refused", io->op, status);
}

static void print_done(FILE *out, uint32_t node, const struct teak_raft_done *done)
{
    static const char *const fates[] = {"?", "COMMITTED", "LOST", "UNKNOWN"};
    fprintf(out, "%u done: tags %" PRIu64 "..%" PRIu64 " at %" PRIu64 "/%" PRIu64 " %s\n", node, done->first_tag,
            done->first_tag + done->count - 1, done->first_index, done->term, fates[done->fate]);
}

/* COMMITTED is in the ledger with its term, LOST is there with another, or lies beyond an entry of a later term. */
static void judge_done(struct world *world, uint32_t node, const struct teak_raft_done *done)
{
    world->fates[done->fate] += done->count;
    world->open[node - 1] -= done->count;
    for (uint64_t index = done->first_index; index < done->first_index + done->count; index++) {
        if (done->fate == TEAK_RAFT_UNKNOWN) continue;
        const bool is_beyond = index > world->committed;
        const bool is_there = !is_beyond && world->ledger[index].term == done->term;
        const bool may_come = is_beyond && world->ledger[world->committed].term <= done->term;
        if (may_come || is_there != (done->fate == TEAK_RAFT_COMMITTED))
            world_broken(world, "a fate is not true", index, done->fate);
    }
}

static void print_answer(FILE *out, uint32_t node, const struct teak_raft_answer *answer)
{
    static const char *const fates[] = {"?", "OK", "LOST_LEADER", "TIMEOUT", "HALTED"};
    fprintf(out, "%u read %" PRIu64 ": %s", node, answer->tag, fates[answer->fate]);
    if (answer->fate == TEAK_RAFT_READ_OK) fprintf(out, " %" PRIu64, answer->index);
    fprintf(out, "\n");
}

/* Told once, and OK only when all that was committed when it was asked is applied here. */
static void judge_answer(struct world *world, uint32_t node, const struct teak_raft_answer *told)
{
    uint32_t place = 0;
    struct open_read *open = world->reads[node - 1];
    while (place < world->read_count[node - 1] && open[place].tag != told->tag) place++;
    if (place == world->read_count[node - 1]) {
        world_broken(world, "a read that nobody asked, or that was answered before", node, told->tag);
        return;
    }
    world->answers[told->fate]++;
    if (told->fate == TEAK_RAFT_READ_OK && told->index < open[place].floor && !world->may_be_stale)
        world_broken(world, "a read misses what was committed before it was asked", told->index, open[place].floor);
    if (told->fate == TEAK_RAFT_READ_OK && world->at[node - 1]->disk.applied < told->index)
        world_broken(world, "a read is answered before it is applied here", node, told->index);
    world->read_count[node - 1]--;
    memmove(&open[place], &open[place + 1], (world->read_count[node - 1] - place) * sizeof open[0]);
    memset(&open[world->read_count[node - 1]], 0, sizeof open[0]);
}

/* What a read sees is what was applied before it was answered. */
static void tell_ear(struct world *world, uint32_t node, const struct teak_raft_ready *ready)
{
    struct world_ear *ear = world->ear;
    for (uint32_t i = 0; i < ready->done_count; i++) ear->is_told(ear, node, &ready->done[i]);
    for (uint32_t i = 0; i < ready->read_count; i++) ear->is_answered(ear, node, &ready->reads[i]);
    if (ready->apply.upto) ear->applies(ear, node, &ready->apply);
}

static bool hands_out(const struct teak_raft_ready *ready)
{
    return ready->job || ready->apply.upto != 0 || ready->send_count > 0 || ready->fetch_count > 0 ||
           ready->snap_count > 0 || ready->done_count > 0 || ready->read_count > 0 || ready->event_count > 0;
}

bool world_is_quiet(const struct world *world, uint32_t node)
{
    static _Alignas(16) uint8_t block[WORLD_BLOCK];
    struct teak_raft *twin;
    struct teak_raft_ready ready;
    if (!world->up[node - 1] || teak_raft_has_ready(world_node(world, node))) return false;
    if (teak_raft_clone(block, sizeof block, world_node(world, node), &twin) != TEAK_RAFT_OK) abort();
    if (teak_raft_ready(twin, TEAK_RAFT_ALL, &ready) != TEAK_RAFT_OK) abort();
    const bool is_quiet = !hands_out(&ready);
    teak_raft_fini(twin);
    return is_quiet;
}

void world_drain(struct world *world, uint32_t node)
{
    if (!world->up[node - 1]) return;
    world_touch(world, node);
    struct teak_raft *raft = world_node(world, node);
    judge(world, node);
    uint32_t turns = 0;
    while (teak_raft_has_ready(raft) && !world->broken) {
        struct teak_raft_ready ready;
        struct teak_raft_fetch fetches[4];
        struct teak_raft_snap_io ios[16];
        if (++turns > 1000) {
            world_broken(world, "a node is never done", node, turns);
            return;
        }
        if (teak_raft_ready(raft, TEAK_RAFT_ALL, &ready) != TEAK_RAFT_OK) abort();
        for (uint32_t i = 0; world->out && i < ready.event_count; i++) print_event(world->out, node, &ready.events[i]);
        for (uint32_t i = 0; world->out && i < ready.done_count; i++) print_done(world->out, node, &ready.done[i]);
        for (uint32_t i = 0; i < ready.done_count; i++) judge_done(world, node, &ready.done[i]);
        for (uint32_t i = 0; world->out && i < ready.read_count; i++) print_answer(world->out, node, &ready.reads[i]);
        for (uint32_t i = 0; i < ready.read_count; i++) judge_answer(world, node, &ready.reads[i]);
        if (world->ear) tell_ear(world, node, &ready);
        if (ready.job) to_disk(world, node, ready.job);
        for (uint32_t i = 0; i < ready.send_count; i++) to_net(world, &ready.send[i]);
        if (ready.apply.upto) to_state_machine(world, node, &ready.apply);
        const uint32_t fetch_count = ready.fetch_count;
        for (uint32_t i = 0; i < fetch_count; i++) fetches[i] = ready.fetch[i];
        const uint32_t io_count = ready.snap_count;
        if (io_count > sizeof ios / sizeof ios[0]) abort();
        for (uint32_t i = 0; i < io_count; i++) {
            ios[i] = ready.snap[i];
            ios[i].snapshot = kept_name(ios[i].snapshot);
        }
        for (uint32_t i = 0; i < fetch_count; i++) answer(world, node, fetches[i]);
        for (uint32_t i = 0; i < io_count; i++) do_io(world, node, &ios[i]);
        if (teak_raft_applied(raft, world->at[node - 1]->disk.applied) == TEAK_RAFT_MISUSE)
            world_broken(world, "what was applied is refused", node, 0);
    }
    judge(world, node);
}

/* ------------------------------------------------------------------------------------------------------------ steps */

static void open_letter(struct letter *letter)
{
    letter->msg.entries = letter->entries;
    if (letter->msg.type == TEAK_RAFT_SNAPSHOT) letter->msg.chunk = &letter->chunk;
}

/* Its message as bytes, and back: the same. */
static void pass_wire(struct world *world, struct letter *letter)
{
    uint8_t bytes[SAMPLE_BYTES_MAX];
    struct teak_raft_entry entries[WORLD_SPAN];
    struct teak_raft_wire_in in = {.entries = entries, .entry_max = WORLD_SPAN};
    const size_t count = sample_encode(&letter->msg, bytes, sizeof bytes);
    if (count == 0 || teak_raft_wire_judge(bytes, count, NULL, &in) != TEAK_RAFT_OK ||
        !same_message(&letter->msg, &in.msg)) {
        world_broken(world, "a message is another one behind the wire", letter->msg.type, count);
        return;
    }
    keep_letter(letter, &in.msg); /* from here on it is what came */
    open_letter(letter);
}

enum teak_raft_status world_deliver(struct world *world, uint32_t place, bool keep)
{
    struct letter letter;
    copy_letter(&letter, &world->net[place]);
    open_letter(&letter);
    if (!keep) world_drop(world, place);
    const uint32_t node = (uint32_t)letter.msg.to;
    if (node == 0 || node > world->node_count || !world->up[node - 1]) return TEAK_RAFT_DROPPED;
    world_touch(world, node);
    if (world->by_wire) pass_wire(world, &letter);
    const enum teak_raft_status status = teak_raft_receive(world_node(world, node), &letter.msg);
    if (status == TEAK_RAFT_BAD_MESSAGE || status == TEAK_RAFT_MISUSE)
        world_broken(world, "a message is refused", letter.msg.type, status);
    world_drain(world, node);
    return status;
}

void world_drop(struct world *world, uint32_t place)
{
    world->net_count--;
    for (; place < world->net_count; place++) copy_letter(&world->net[place], &world->net[place + 1]);
}

/* One's own stands in the log that stays; another one has no place in it, whatever the log ends with. */
static void take_snapshot(struct world *world, uint32_t node, const struct flight_job *job)
{
    struct disk_model *disk = &world->at[node - 1]->disk;
    const struct teak_raft_pos pos = job->snapshot.pos;
    const bool stands = pos.index + 1 >= disk->first && pos.index <= disk->last &&
                        disk->entries[pos.index].term == pos.term;
    if (pos.index <= disk->snapshot.pos.index) world_broken(world, "an older snapshot", node, pos.index);
    if (stands == job->clear) world_broken(world, "a snapshot and the log are at odds", node, pos.index);
    disk->snapshot = job->snapshot;
    if (!job->clear) return;
    disk->last = (uint32_t)pos.index;
    disk->first = disk->last + 1;
    disk->entries[disk->last] = (struct teak_raft_entry){.index = pos.index, .term = pos.term};
}

static void store(struct world *world, uint32_t node, const struct flight_job *job)
{
    struct disk_model *disk = &world->at[node - 1]->disk;
    if (job->cut_from != 0 && job->cut_from <= disk->last) disk->last = (uint32_t)job->cut_from - 1;
    if (job->cut_from != 0 && job->cut_from < disk->first) world_broken(world, "a cut before the log", node, 0);
    if (job->snapshot.pos.index != 0) take_snapshot(world, node, job);
    for (uint32_t i = 0; i < job->count; i++) {
        if (job->entries[i].index != disk->last + 1)
            world_broken(world, "a job leaves a hole", node, job->entries[i].index);
        if (disk->last == WORLD_LOG) abort();
        disk->entries[++disk->last] = job->entries[i];
    }
    if (job->hard.term < disk->hard.term) world_broken(world, "the durable term goes back", node, job->hard.term);
    if (job->hard.term == disk->hard.term && disk->hard.vote != 0 && job->hard.vote != disk->hard.vote)
        world_broken(world, "the durable vote changes", node, job->hard.vote);
    disk->hard = job->hard;
    if (job->compact_to > disk->snapshot.pos.index) world_broken(world, "forgets what no snapshot has", node, 0);
    if (job->compact_to >= disk->first) disk->first = (uint32_t)job->compact_to + 1;
    if (job->after_first != disk->first) world_broken(world, "the disk's log begins elsewhere", node, disk->first);
    const uint64_t term = disk->last > 0 ? disk->entries[disk->last].term : 0;
    if (job->after.index != disk->last || job->after.term != term)
        world_broken(world, "the disk's log is not what the job says", job->after.index, disk->last);
}

static void forget_flights(struct disk_model *disk, uint32_t count)
{
    disk->flight_count -= count;
    memmove(disk->flights, disk->flights + count, disk->flight_count * sizeof disk->flights[0]);
}

void world_complete(struct world *world, uint32_t node)
{
    world_touch(world, node);
    struct disk_model *disk = &world->at[node - 1]->disk;
    if (disk->flight_count == 0) return;
    const uint64_t token = disk->flights[0].token;
    if (world->liar != node) store(world, node, &disk->flights[0]);
    forget_flights(disk, 1);
    if (teak_raft_persisted(world_node(world, node), token, TEAK_RAFT_DURABLE) != TEAK_RAFT_OK)
        world_broken(world, "a completion is refused", node, token);
    world_drain(world, node);
}

void world_refuse(struct world *world, uint32_t node)
{
    world_touch(world, node);
    struct disk_model *disk = &world->at[node - 1]->disk;
    if (disk->flight_count == 0) return;
    const uint64_t token = disk->flights[0].token;
    disk->flight_count = 0;
    disk->full = true;
    if (teak_raft_persisted(world_node(world, node), token, TEAK_RAFT_NO_ROOM) != TEAK_RAFT_OK)
        world_broken(world, "a refusal is refused", node, token);
    world_drain(world, node);
}

void world_poison(struct world *world, uint32_t node)
{
    world_touch(world, node);
    struct disk_model *disk = &world->at[node - 1]->disk;
    if (disk->flight_count == 0) return;
    const uint64_t token = disk->flights[0].token;
    disk->flight_count = 0;
    if (teak_raft_persisted(world_node(world, node), token, TEAK_RAFT_POISONED) != TEAK_RAFT_OK)
        world_broken(world, "poison is refused", node, token);
    world_drain(world, node);
}

void world_room(struct world *world, uint32_t node)
{
    world_touch(world, node);
    world->at[node - 1]->disk.full = false;
    teak_raft_room(world_node(world, node), true);
    world_drain(world, node);
}

enum teak_raft_status world_fire(struct world *world, uint32_t node, enum teak_raft_timer timer)
{
    world_touch(world, node);
    const enum teak_raft_status status = teak_raft_fire(world_node(world, node), timer);
    world_drain(world, node);
    return status;
}

void world_crash(struct world *world, uint32_t node, uint32_t kept)
{
    world_touch(world, node);
    struct disk_model *disk = &world->at[node - 1]->disk;
    for (uint32_t i = 0; i < kept && i < disk->flight_count; i++) store(world, node, &disk->flights[i]);
    disk->flight_count = 0;
    world->open[node - 1] = 0;
    world->read_count[node - 1] = 0;
    memset(world->reads[node - 1], 0, sizeof world->reads[0]);
    teak_raft_fini(world_node(world, node));
    memset(world->at[node - 1]->block, 0, WORLD_BLOCK);
    world->up[node - 1] = false;
}

/* What the disk has, as values; `configs` and `runs` are the caller's. */
static struct teak_raft_start start_of(const struct world *world, uint32_t node, struct teak_raft_entry *configs,
                                       struct teak_raft_pos *runs)
{
    const struct disk_model *disk = &world->at[node - 1]->disk;
    struct teak_raft_start start = {.hard = disk->hard, .applied = disk->applied, .configs = configs, .runs = runs,
                                    .born = born_of(world->logs[node - 1], node),
                                    .incarnation = node * 100 + world->starts[node - 1], .first = disk->first,
                                    .can_restore = same_name(&disk->body, &disk->snapshot)};
    if (disk->snapshot.pos.index != 0) start.snapshot = &disk->snapshot;
    for (uint32_t i = disk->first > 1 ? disk->first - 1 : 1; i <= disk->last; i++) { /* the base has a term */
        const struct teak_raft_entry *entry = &disk->entries[i];
        if (i >= disk->first && entry->kind == TEAK_RAFT_CONFIG) configs[start.config_count++] = *entry;
        if (entry->term != start.last.term) runs[start.run_count++] = (struct teak_raft_pos){i, entry->term};
        start.last = (struct teak_raft_pos){i, entry->term};
    }
    return start;
}

static struct teak_raft_options options_of(const struct world *world, uint32_t node)
{
    struct teak_raft_options options = world->options;
    options.id = node;
    options.seed = node;
    options.cluster[0] = world->clusters[node - 1];
    return options;
}

void world_start(struct world *world, uint32_t node)
{
    world_touch(world, node);
    struct disk_model *disk = &world->at[node - 1]->disk;
    struct teak_raft_entry configs[WORLD_LOG];
    struct teak_raft_pos runs[WORLD_LOG + 1];
    const struct teak_raft_options options = options_of(world, node);
    world->starts[node - 1]++;
    const struct teak_raft_start start = start_of(world, node, configs, runs);
    struct teak_raft *raft;
    const enum teak_raft_status status =
        teak_raft_init(world->at[node - 1]->block, WORLD_BLOCK, &options, &start, world->clocks[node - 1], &raft);
    if (status != TEAK_RAFT_OK) {
        world_broken(world, "a node does not start", node, status);
        return;
    }
    world->up[node - 1] = true;
    world->commit_seen[node - 1] = world->term_seen[node - 1] = 0;
    disk->full = false;
    world_drain(world, node);
}

static void lose_log(struct world *world, uint32_t node)
{
    if (world->gone_count == WORLD_GONE) abort();
    const struct disk_model *disk = &world->at[node - 1]->disk;
    world->gone[world->gone_count++] = as_gone(disk, born_of(world->logs[node - 1]++, node));
}

void world_wipe(struct world *world, uint32_t node)
{
    world_touch(world, node);
    lose_log(world, node);
    memset(&world->at[node - 1]->disk, 0, sizeof world->at[node - 1]->disk);
    world->at[node - 1]->disk.first = 1;
}

void world_copy_log(struct world *world, uint32_t node, uint32_t from)
{
    world_touch(world, node);
    lose_log(world, node);
    world->at[node - 1]->disk = world->at[from - 1]->disk;
    world->at[node - 1]->disk.flight_count = 0;
}

enum teak_raft_status world_recover(struct world *world, uint32_t node, const struct teak_raft_member *members,
                                    uint32_t count, struct teak_raft_recovered *report)
{
    struct teak_raft_entry configs[WORLD_LOG], entry;
    struct teak_raft_pos runs[WORLD_LOG + 1];
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(WORLD_NODES)];
    struct teak_raft_job job;
    const struct teak_raft_options options = options_of(world, node);
    const struct teak_raft_start start = start_of(world, node, configs, runs);
    const struct teak_raft_recovery recovery = {.cluster = {(uint8_t)(options.cluster[0] + 1)}, .members = members,
                                                .count = count, .bytes = bytes, .capacity = sizeof bytes};
    const enum teak_raft_status status = teak_raft_recover(&options, &start, &recovery, &entry, &job, report);
    if (status != TEAK_RAFT_OK) return status;
    world_touch(world, node);
    to_disk(world, node, &job);
    store(world, node, &world->at[node - 1]->disk.flights[0]);
    world->at[node - 1]->disk.flight_count = 0;
    world->clusters[node - 1]++;
    return TEAK_RAFT_OK;
}

enum teak_raft_status world_snapshot(struct world *world, uint32_t node)
{
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(WORLD_NODES)];
    struct teak_raft_snapshot name;
    world_touch(world, node);
    enum teak_raft_status status = teak_raft_snapshot_point(world_node(world, node), config, sizeof config, &name);
    if (status != TEAK_RAFT_OK) return status;
    name.bytes = WORLD_BODY;
    name.checksum = sum_of(world, name.pos.index, name.born);
    status = teak_raft_snapshot_taken(world_node(world, node), &name);
    if (status == TEAK_RAFT_OK) world->at[node - 1]->disk.body = kept_name(name);
    world_drain(world, node);
    return status;
}

enum teak_raft_status world_propose(struct world *world, uint32_t node, const char *text, uint64_t tag)
{
    const struct teak_raft_blob blob = {.data = world_intern((const uint8_t *)text, (uint32_t)strlen(text)),
                                        .bytes = (uint32_t)strlen(text), .kind = TEAK_RAFT_KIND_APPLICATION};
    uint32_t taken;
    world_touch(world, node);
    const enum teak_raft_status status = teak_raft_propose(world_node(world, node), &blob, 1, tag, &taken);
    world->open[node - 1] += taken;
    world_drain(world, node);
    return status;
}

enum teak_raft_status world_read(struct world *world, uint32_t node, uint64_t tag, enum teak_raft_read_mode mode)
{
    world_touch(world, node);
    const enum teak_raft_status status = teak_raft_read(world_node(world, node), tag, mode);
    if (status == TEAK_RAFT_OK) {
        if (world->read_count[node - 1] == WORLD_READS) abort(); /* reads_max is less */
        world->reads[node - 1][world->read_count[node - 1]++] =
            (struct open_read){.tag = tag, .floor = world->committed};
    }
    world_drain(world, node);
    return status;
}

void world_tick(struct world *world, uint32_t node, uint64_t now)
{
    world_touch(world, node);
    world->clocks[node - 1] = now;
    if (!world->up[node - 1]) return;
    if (teak_raft_tick(world_node(world, node), now) == TEAK_RAFT_MISUSE)
        world_broken(world, "a clock goes back", node, now);
    world_drain(world, node);
}

void world_stabilize(struct world *world)
{
    for (uint32_t turns = 0; turns < 2000 && !world->broken; turns++) {
        bool moved = false;
        for (uint32_t node = 1; node <= world->node_count; node++)
            while (world->up[node - 1] && world->at[node - 1]->disk.flight_count > 0 && !world->broken) {
                if (world->out) fprintf(world->out, "- complete %u\n", node);
                world_complete(world, node);
                moved = true;
            }
        if (world->net_count > 0) {
            if (world->out) {
                struct teak_raft_msg msg = world->net[0].msg;
                msg.entries = world->net[0].entries;
                msg.chunk = &world->net[0].chunk;
                fprintf(world->out, "- deliver ");
                world_print_msg(world->out, &msg);
                fprintf(world->out, "\n");
            }
            world_deliver(world, 0, false);
            moved = true;
        }
        if (!moved) return;
    }
    world_broken(world, "it never becomes quiet", 0, 0);
}

/* ------------------------------------------------------------------------------------------------------------- life */

struct teak_raft_options world_options(void)
{
    struct teak_raft_options options = teak_raft_options_default();
    options.tail_entries = 2 * WORLD_SPAN;
    options.window_messages = 4;
    options.jobs_max = WORLD_FLIGHTS;
    options.tags_max = 4;
    options.reads_max = WORLD_READS;
    options.term_runs = 8;
    options.members_max = WORLD_NODES;
    options.trailing_entries = 1;
    options.retain_entries = 4;
    options.snapshot_chunk_bytes = 8;
    options.snapshot_window = 2;
    options.election = 100;
    options.heartbeat = 10;
    options.group = 1;
    return options;
}

static const struct {
    const char *name;
    size_t offset, bytes;
} option_names[] = {
#define OPTION(name) {#name, offsetof(struct teak_raft_options, name), sizeof ((struct teak_raft_options *)0)->name}
    OPTION(election), OPTION(heartbeat), OPTION(promise_max), OPTION(disk_stall), OPTION(lease_drift_ppm),
    OPTION(tail_entries), OPTION(window_messages), OPTION(window_bytes), OPTION(message_bytes_max),
    OPTION(job_bytes_max), OPTION(apply_bytes_max), OPTION(tail_bytes_max), OPTION(entry_bytes_max),
    OPTION(trailing_entries), OPTION(retain_entries), OPTION(snapshot_streams), OPTION(snapshot_window),
    OPTION(snapshot_chunk_bytes), OPTION(snapshot_beat_bytes), OPTION(jobs_max), OPTION(tags_max), OPTION(reads_max),
    OPTION(term_runs), OPTION(members_max)
#undef OPTION
};

static uint64_t option_of(const struct teak_raft_options *options, size_t which)
{
    uint64_t value = 0;
    memcpy(&value, (const uint8_t *)options + option_names[which].offset, option_names[which].bytes);
    return value;
}

bool world_set_option(struct teak_raft_options *options, const char *name, uint64_t value)
{
    for (size_t i = 0; i < sizeof option_names / sizeof option_names[0]; i++) {
        if (strcmp(option_names[i].name, name) != 0) continue;
        memcpy((uint8_t *)options + option_names[i].offset, &value, option_names[i].bytes);
        return true;
    }
    return false;
}

void world_print_options(FILE *out, const struct teak_raft_options *options)
{
    const struct teak_raft_options usual = world_options();
    for (size_t i = 0; i < sizeof option_names / sizeof option_names[0]; i++)
        if (option_of(options, i) != option_of(&usual, i))
            fprintf(out, " %s=%" PRIu64, option_names[i].name, option_of(options, i));
}

void world_begin(struct world *world, struct teak_raft_options options, uint32_t count,
                 const struct teak_raft_member *members, uint32_t member_count, FILE *out)
{
    memset(world, 0, sizeof *world);
    world->out = out;
    world->options = options;
    world->node_count = count;
    world->net_max = WORLD_NET;
    for (uint32_t node = 0; node < WORLD_NODES; node++) world->at[node] = &world->own[node];
    if (teak_raft_size(&(struct teak_raft_options){.id = 0}) != 0) abort();
    struct teak_raft_options any = options;
    any.id = 1;
    if (teak_raft_size(&any) == 0 || teak_raft_size(&any) > WORLD_BLOCK) abort();
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    struct teak_raft_member founders[WORLD_NODES]; /* who know each other's logs, of which each begins with its first */
    for (uint32_t i = 0; i < member_count; i++) {
        founders[i] = members[i];
        founders[i].born = members[i].born == WORLD_UNNAMED ? 0 : born_of(0, (uint32_t)members[i].id);
    }
    if (teak_raft_bootstrap(founders, member_count, bytes, sizeof bytes, &entry, &job) != TEAK_RAFT_OK) abort();
    world->ledger[1] = kept_entry(entry);
    world->committed = 1;
    for (uint32_t node = 1; node <= count; node++) {
        bool founds = false;
        world->at[node - 1]->disk.first = 1;
        for (uint32_t i = 0; i < member_count; i++) founds = founds || members[i].id == node;
        if (founds) {
            struct disk_model *disk = &world->at[node - 1]->disk;
            disk->entries[1] = kept_entry(entry);
            disk->last = 1;
            disk->hard = job.hard;
        }
        world_start(world, node);
    }
}

/* What is shared ends with the world that it is of. */
void world_end(struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++)
        if (world->up[i] && world->at[i] == &world->own[i]) teak_raft_fini(world_node(world, i + 1));
}

void world_copy(struct world *to, const struct world *from)
{
    memcpy(to, from, offsetof(struct world, ledger));
    memcpy(to->ledger + 1, from->ledger + 1, from->committed * sizeof to->ledger[0]);
    memcpy(to->committed_in + 1, from->committed_in + 1, from->committed * sizeof to->committed_in[0]);
    memcpy(to->gone, from->gone, from->gone_count * sizeof to->gone[0]);
    for (uint32_t i = 0; i < from->net_count; i++) copy_letter(&to->net[i], &from->net[i]);
}

void world_touch(struct world *world, uint32_t node)
{
    const struct place *from = world->at[node - 1];
    struct place *to = &world->own[node - 1];
    to->is_summed = false;
    if (from == to) return;
    const struct disk_model *disk = &from->disk;
    memcpy(&to->disk, disk, offsetof(struct disk_model, entries));
    memcpy(to->disk.entries, disk->entries, (disk->last + 1) * sizeof disk->entries[0]);
    memcpy(to->disk.flights, disk->flights, disk->flight_count * sizeof disk->flights[0]);
    struct teak_raft *raft;
    if (!world->up[node - 1])
        memset(to->block, 0, WORLD_BLOCK);
    else if (teak_raft_clone(to->block, WORLD_BLOCK, world_node(world, node), &raft) != TEAK_RAFT_OK)
        abort();
    world->at[node - 1] = to;
}

/* ----------------------------------------------------------------------------------------------------------- digest */

static void sum_place(const struct world *world, uint32_t node)
{
    struct place *place = world->at[node - 1];
    const struct disk_model *disk = &place->disk;
    struct sum sum = {5, 6};
    put(&sum, (uint64_t)world->starts[node - 1] << 1 | world->up[node - 1]);
    if (world->up[node - 1]) {
        const struct teak_raft *raft = world_node(world, node);
        uint64_t of_node[2];
        teak_raft_digest(raft, (uint8_t *)of_node);
        put(&sum, of_node[0]);
        put(&sum, of_node[1]);
        put(&sum, raft->vote_round);
    }
    put(&sum, world->read_count[node - 1]);
    for (uint32_t i = 0; i < world->read_count[node - 1]; i++) put(&sum, world->reads[node - 1][i].floor);
    put(&sum, disk->hard.term);
    put(&sum, disk->hard.vote);
    put(&sum, disk->hard.commit);
    put(&sum, disk->applied << 1 | disk->full);
    put(&sum, disk->first);
    put(&sum, disk->entries[disk->first - 1].term);
    put_entries(&sum, disk->entries + disk->first, disk->last + 1 - disk->first);
    put_name(&sum, &disk->snapshot);
    put_name(&sum, &disk->body);
    put_name(&sum, &disk->part);
    put(&sum, disk->part_bytes);
    put(&sum, disk->flight_count);
    for (uint32_t i = 0; i < disk->flight_count; i++) {
        const struct flight_job *job = &disk->flights[i];
        put(&sum, job->cut_from);
        put(&sum, job->hard.term);
        put(&sum, job->hard.vote);
        put(&sum, job->hard.commit);
        put(&sum, job->after.index);
        put(&sum, job->after_first << 1 | job->clear);
        put(&sum, job->compact_to);
        put_name(&sum, &job->snapshot);
        put_entries(&sum, job->entries, job->count);
    }
    place->sum[0] = sum.a;
    place->sum[1] = sum.b;
    place->is_summed = true;
}

void world_digest(const struct world *world, uint8_t out[16])
{
    struct sum sum = {3, 4}, net = {0, 0};
    for (uint32_t i = 0; i < world->net_count; i++) { /* the network has no order */
        const uint64_t *one = world->net[i].sum;
        net.a += one[0] * (one[1] | 1);
        net.b += (one[1] ^ one[0] >> 17) * (one[0] | 1);
    }
    put(&sum, net.a);
    put(&sum, net.b);
    put(&sum, world->net_count);
    for (uint32_t node = 1; node <= world->node_count; node++) {
        const struct place *place = world->at[node - 1];
        if (!place->is_summed) sum_place(world, node);
        put(&sum, place->sum[0]);
        put(&sum, place->sum[1]);
    }
    put_entries(&sum, world->ledger + 1, (uint32_t)world->committed);
    for (uint64_t i = 1; i <= world->committed; i++) put(&sum, world->committed_in[i]);
    for (uint32_t i = 0; i < world->gone_count; i++) { /* what will be judged by it */
        const struct gone_log *log = &world->gone[i];
        put(&sum, log->born);
        put(&sum, (uint64_t)log->first << 32 | log->last);
        put(&sum, log->snapshot);
        for (uint32_t index = log->first; index <= log->last; index++) put(&sum, log->terms[index]);
    }
    for (uint32_t term = 0; term < WORLD_TERMS; term += 8) { /* a byte each is enough */
        uint64_t leaders = 0;
        for (uint32_t i = 0; i < 8; i++) leaders |= world->led_by[term + i] << i * 8;
        put(&sum, leaders);
    }
    memcpy(out, &sum.a, 8);
    memcpy(out + 8, &sum.b, 8);
}
