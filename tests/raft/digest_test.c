/* digest_test.c: two nodes of one digest do the same, whatever they are given; and each field of a node counts in its
 * digest, or stands here with the reason why it does not.
 *
 * The first is asked of all states of small searches: a node that has the digest of another one and is not the same,
 * byte for byte, is put into its place in a copy of the world. Every input is given to both worlds, and what they are
 * then has to be the same again: nodes, disks, messages, ledger. So by induction it stays the same for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "explore.h"

enum { KNOWN_MAX = 2048, PAIRS_MAX = 6, TABLE = 1 << 14 };

/* A node, as it was met first. */
struct known {
    uint64_t digest[2];
    struct teak_raft *raft;
    uint32_t pairs; /* others that it was compared with */
};

static struct {
    struct known *table[TABLE];
    struct known known[KNOWN_MAX];
    uint32_t count;
    uint64_t nodes, pairs, inputs, roles[4], joint, streams, intakes, reads, jobs;
} seen;
static struct world one, other;

static struct teak_raft *clone(const struct teak_raft *raft)
{
    struct teak_raft *copy;
    void *block = aligned_alloc(16, (raft->size + 15u) & ~15u);
    assert_non_null(block);
    assert_int_equal(teak_raft_clone(block, raft->size, raft, &copy), TEAK_RAFT_OK);
    return copy;
}

static struct known *find(const struct teak_raft *raft, const uint64_t digest[2])
{
    uint32_t at = (uint32_t)digest[0] % TABLE;
    for (; seen.table[at]; at = (at + 1) % TABLE)
        if (memcmp(seen.table[at]->digest, digest, sizeof seen.known[0].digest) == 0) return seen.table[at];
    if (seen.count == KNOWN_MAX) return NULL;
    struct known *known = seen.table[at] = &seen.known[seen.count++];
    *known = (struct known){.digest = {digest[0], digest[1]}, .raft = clone(raft)};
    return known;
}

/* The input of that number. false: there is none of it. */
static bool give(struct world *world, uint32_t node, uint32_t input)
{
    struct teak_raft *raft = world_node(world, node);
    if (input < WORLD_NET) {
        if (input >= world->net_count || world->net[input].msg.to != node) return false;
        world_deliver(world, input, false);
        return true;
    }
    const uint32_t timer = input - WORLD_NET;
    if (timer < TEAK_RAFT_TIMER_COUNT)
        return teak_raft_runs(raft, (enum teak_raft_timer)timer) &&
               world_fire(world, node, (enum teak_raft_timer)timer) == TEAK_RAFT_OK;
    struct teak_raft_member members[WORLD_NODES];
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < raft->config.count && slot < WORLD_NODES; slot++)
        if (config_members(raft)[slot].id != node)
            members[count++] = (struct teak_raft_member){.id = config_members(raft)[slot].id,
                                                         .roles = TEAK_RAFT_VOTER};
    switch (timer - TEAK_RAFT_TIMER_COUNT) {
    case 0: world_complete(world, node); return true;
    case 1: world_refuse(world, node); return true;
    case 2: world_room(world, node); return true;
    case 3: world_propose(world, node, "p", 900); return true;
    case 4:
        if (world->read_count[node - 1] == WORLD_READS) return false;
        world_read(world, node, 901, TEAK_RAFT_READ_INDEX);
        return true;
    case 5: world_snapshot(world, node); return true;
    case 6:
        teak_raft_transfer(raft, 0);
        world_drain(world, node);
        return true;
    case 7:
        teak_raft_campaign(raft);
        world_drain(world, node);
        return true;
    case 8:
        teak_raft_change(raft, raft->config.index, members, count);
        world_drain(world, node);
        return true;
    case 9:
        teak_raft_unreachable(raft, node % world->node_count + 1);
        world_drain(world, node);
        return true;
    default: return false;
    }
}
enum { INPUTS = WORLD_NET + TEAK_RAFT_TIMER_COUNT + 10 };

/* `world` with that node in place of its own, which has the same digest. Tokens are told by their order. */
static void put_in_place(struct world *to, const struct world *world, uint32_t node, const struct teak_raft *raft)
{
    struct teak_raft *copy;
    world_copy(to, world);
    world_touch(to, node);
    to->hushed = true;
    if (!raft) return;
    teak_raft_fini(world_node(to, node));
    struct place *place = to->at[node - 1];
    assert_int_equal(teak_raft_clone(place->block, WORLD_BLOCK, raft, &copy), TEAK_RAFT_OK);
    assert_int_equal(copy->job_count, place->disk.flight_count);
    for (uint32_t i = 0; i < copy->job_count; i++) {
        const struct work *jobs = (const struct work *)raft_at(copy, copy->jobs_at);
        place->disk.flights[i].token = jobs[(copy->job_first + i) % copy->options.jobs_max].token;
    }
}

static void compare(const struct world *world, uint32_t node, const struct teak_raft *twin)
{
    uint8_t a[16], b[16];
    for (uint32_t input = 0; input < INPUTS; input++) {
        put_in_place(&one, world, node, NULL);
        put_in_place(&other, world, node, twin);
        const bool given = give(&one, node, input), given_too = give(&other, node, input);
        assert_int_equal(given, given_too);
        world_digest(&one, a);
        world_digest(&other, b);
        if (memcmp(a, b, sizeof a) != 0) fail_msg("input %u to node %u tells twins apart", input, node);
        assert_int_equal(one.broken, other.broken);
        seen.inputs += given;
        world_end(&one);
        world_end(&other);
    }
}

static void look(void *context, const struct world *world)
{
    (void)context;
    for (uint32_t node = 1; node <= world->node_count; node++) {
        if (!world->up[node - 1]) continue;
        const struct teak_raft *raft = world_node(world, node);
        uint64_t digest[2];
        teak_raft_digest(raft, (uint8_t *)digest);
        struct known *known = find(raft, digest);
        seen.nodes++;
        if (!known || known->pairs == PAIRS_MAX || memcmp(raft, known->raft, raft->size) == 0) continue;
        known->pairs++;
        seen.pairs++;
        seen.roles[raft->role]++;
        seen.joint += raft->config.joint;
        seen.intakes += raft->intake.state != INTAKE_NONE;
        seen.streams += stream_at(raft, 0)->to != 0;
        seen.reads += raft->read_count > 0;
        seen.jobs += raft->job_count > 0;
        compare(world, node, known->raft);
    }
}

static void forget(void)
{
    for (uint32_t i = 0; i < seen.count; i++) {
        teak_raft_fini(seen.known[i].raft);
        free(seen.known[i].raft);
    }
    memset(seen.table, 0, sizeof seen.table);
    seen.count = 0;
}

static void nodes_of_one_digest_do_the_same(void **state)
{
    (void)state;
    static const struct explore searches[] = {
        {.name = "an election and a crash", .nodes = 3, .net_max = 3, .budget = {.elections = 1, .crashes = 1}},
        {.name = "truncation", .nodes = 3, .net_max = 3, .setup = "leader",
         .budget = {.elections = 1, .promises = 1, .proposals = 1}},
        {.name = "a change", .nodes = 3, .learners = 1, .net_max = 3, .setup = "leader",
         .budget = {.changes = 1, .elections = 1}},
        {.name = "reads", .nodes = 2, .net_max = 3, .setup = "leader",
         .budget = {.reads = 2, .drops = 1, .heartbeats = 2, .old_reads = 2}},
        {.name = "no space", .nodes = 2, .net_max = 3, .setup = "leader",
         .budget = {.refusals = 1, .proposals = 2, .elections = 1}},
        {.name = "a snapshot", .nodes = 2, .learners = 1, .net_max = 3, .setup = "behind",
         .budget = {.drops = 1, .dups = 1, .heartbeats = 1}},
        {.name = "a snapshot, a crash", .nodes = 2, .learners = 1, .net_max = 3, .setup = "behind",
         .budget = {.proposals = 1, .snapshots = 1, .crashes = 1}},
    };
    for (size_t i = 0; i < sizeof searches / sizeof searches[0]; i++) {
        struct explore explore = searches[i];
        explore.states_max = 30000; /* as many as that are looked at */
        explore.visit = look;
        explore_run(&explore);
        assert_false(explore.broken);
        forget();
    }
    printf("%" PRIu64 " nodes, %" PRIu64 " pairs of one digest that are not the same bytes (%" PRIu64 " followers, "
           "%" PRIu64 " pre-candidates, %" PRIu64 " candidates, %" PRIu64 " leaders; %" PRIu64 " in a joint "
           "configuration, %" PRIu64 " send a snapshot, %" PRIu64 " get one, %" PRIu64 " with reads, %" PRIu64
           " with jobs), %" PRIu64 " inputs\n",
           seen.nodes, seen.pairs, seen.roles[0], seen.roles[1], seen.roles[2], seen.roles[3], seen.joint,
           seen.streams, seen.intakes, seen.reads, seen.jobs, seen.inputs);
    for (uint32_t role = 0; role < 4; role++) assert_true(seen.roles[role] > 0);
    assert_true(seen.joint > 0 && seen.streams > 0 && seen.intakes > 0 && seen.reads > 0 && seen.jobs > 0);
}

/* ---------------------------------------------------------------------------------------------------- every field */

enum kind {
    SHOWS,  /* a digest is another one when it is, on some node that was met                   */
    LOWERS, /* the same; only lowered, so that nothing is read that is not there               */
    RAISES, /* ... only raised                                                                 */
    QUIET,  /* never: it decides nothing, or not without time, or something else says the same */
    PLACE   /* where something lies, or what all nodes of a group have alike: not varied       */
};

struct field {
    const char *name;
    size_t at, bytes;
    enum kind kind;
    const char *why;
};

struct structure {
    const char *name;
    size_t bytes;
    const struct field *fields;
    uint32_t count;
};

#define F(field, kind, why) {#field, offsetof(struct OF, field), sizeof ((struct OF *)0)->field, kind, why}

#define OF teak_raft
static const struct field of_raft[] = {
    F(now, QUIET, "time"), F(next, QUIET, "time"), F(fresh, QUIET, "time"), F(halted, SHOWS, ""),
    F(lent, QUIET, "a ready was handed out"), F(reads_open, QUIET, "whether there are reads"),
    F(receiving, QUIET, "within a call"), F(size, PLACE, ""), F(members_max, PLACE, ""), F(span_max, PLACE, ""),
    F(part_max, PLACE, ""),
    F(config_at, PLACE, ""),
    F(previous_at, PLACE, ""), F(peers_at, PLACE, ""), F(parcels_at, PLACE, ""), F(tail_at, PLACE, ""),
    F(runs_at, PLACE, ""), F(jobs_at, PLACE, ""), F(proposals_at, PLACE, ""), F(send_at, PLACE, ""),
    F(fetch_at, PLACE, ""), F(done_at, PLACE, ""), F(reads_at, PLACE, ""), F(answers_at, PLACE, ""),
    F(own_at, PLACE, ""), F(handed_at, PLACE, ""), F(applied_at, PLACE, ""), F(streams_at, PLACE, ""),
    F(chunks_at, PLACE, ""), F(pieces_at, PLACE, ""), F(ios_at, PLACE, ""), F(stream_configs_at, PLACE, ""),
    F(options, PLACE, "alike"), F(born, SHOWS, ""), F(incarnation, SHOWS, ""),
    F(term, SHOWS, ""), F(vote, SHOWS, ""), F(leader, SHOWS, ""), F(leader_incarnation, SHOWS, ""),
    F(role, SHOWS, ""), F(last_word, SHOWS, ""), F(rotten, SHOWS, ""), F(apply_stops, SHOWS, ""),
    F(at, PLACE, "time; whether one runs counts: below"), F(random, QUIET, "time"),
    F(backoff, SHOWS, ""),
    F(vote_round, SHOWS, ""), F(asking, SHOWS, ""), F(granted, SHOWS, ""), F(denied, SHOWS, ""), F(forced, SHOWS, ""),
    F(grant_owed, SHOWS, ""), F(grant_round, SHOWS, ""), F(grant_asked, SHOWS, ""),
    F(last, LOWERS, "its index; the term: an entry"), F(tail_first, RAISES, ""), F(tail_bytes, SHOWS, ""),
    F(tail_slot, PLACE, "of a ring"), F(run_count, SHOWS, ""), F(commit, SHOWS, ""), F(verified, SHOWS, ""),
    F(config, PLACE, "a structure"), F(previous, PLACE, "a structure"), F(own_next, SHOWS, ""),
    F(written, SHOWS, ""), F(durable, SHOWS, ""), F(cut_from, SHOWS, ""), F(written_term, SHOWS, ""),
    F(written_vote, SHOWS, ""), F(durable_term, SHOWS, ""), F(durable_vote, SHOWS, ""), F(written_first, SHOWS, ""),
    F(durable_first, SHOWS, ""), F(written_snapshot, SHOWS, ""), F(durable_snapshot, SHOWS, ""),
    F(token, QUIET, "a name"), F(job_first, PLACE, "of a ring"), F(job_count, SHOWS, ""), F(has_room, SHOWS, ""),
    F(stalled, SHOWS, ""), F(confirmed, SHOWS, ""), F(confirm_owed, SHOWS, ""), F(beating, SHOWS, ""),
    F(heard, SHOWS, ""), F(heard_before, SHOWS, ""), F(paused, SHOWS, ""), F(poked, SHOWS, ""), F(full, SHOWS, ""),
    F(beat_round, SHOWS, ""), F(lead_first, SHOWS, ""), F(turn, SHOWS, ""), F(transfer_to, SHOWS, ""),
    F(transfer_owed, SHOWS, ""), F(transfer_told, SHOWS, ""),
    F(calm, SHOWS, ""), F(calm_tries, SHOWS, ""), F(handed, SHOWS, ""), F(applied, SHOWS, ""),
    F(handed_term, SHOWS, ""), F(applied_term, SHOWS, ""), F(handed_config, PLACE, "a structure"),
    F(applied_config, PLACE, "a structure"), F(proposal_count, SHOWS, ""), F(lease, PLACE, "a structure"),
    F(lease_next, PLACE, "a structure"), F(lease_over, SHOWS, ""), F(read_count, SHOWS, ""), F(read_beats, SHOWS, ""),
    F(read_round, SHOWS, ""), F(read_beat, SHOWS, ""), F(first, SHOWS, ""), F(snapshot, PLACE, "a structure"),
    F(restore, SHOWS, ""), F(compact_owed, SHOWS, ""), F(lent_snapshot, QUIET, "lent"), F(snap_round, SHOWS, ""),
    F(beat_bytes, SHOWS, ""), F(stream_turn, SHOWS, ""), F(intake, PLACE, "a structure"),
    F(aborted, PLACE, "a structure"),
    F(aborted_from, PLACE, "what waits is handed out at once here"), F(lanes, PLACE, "structures"),
    F(ticket, QUIET, "a name"), F(send_max, PLACE, ""),
    F(send_count, PLACE, "what waits is handed out at once here"), F(send_lent, PLACE, "the same"),
    F(job, QUIET, "lent"), F(event_count, PLACE, "what waits is handed out at once here"),
    F(events_forgotten, PLACE, "the same"), F(events_lent, PLACE, "the same"), F(events, PLACE, "the same"),
};
#undef OF
#define OF peer
static const struct field of_peer[] = {
    F(match, SHOWS, ""), F(next, SHOWS, ""), F(commit_sent, SHOWS, ""), F(incarnation, SHOWS, ""), F(born, SHOWS, ""),
    F(answered, SHOWS, ""), F(former, SHOWS, ""), F(promised, SHOWS, ""), F(had, SHOWS, ""),
    F(read_round, SHOWS, ""), F(read_run, SHOWS, ""), F(read_index, SHOWS, ""), F(read_beat, SHOWS, ""),
    F(flight_first, PLACE, "of a ring"), F(flight_count, SHOWS, ""), F(flight_bytes, QUIET, "the parcels' sum"),
    F(progress, SHOWS, ""), F(read_state, SHOWS, ""),
};
#undef OF
#define OF work
static const struct field of_work[] = {
    F(token, QUIET, "a name"), F(last, SHOWS, ""), F(cut_from, SHOWS, ""), F(term, SHOWS, ""), F(vote, SHOWS, ""),
    F(first, SHOWS, ""), F(snapshot, SHOWS, ""),
};
#undef OF
#define OF proposal
static const struct field of_proposal[] = {
    F(first_tag, SHOWS, ""), F(first_index, SHOWS, ""), F(term, SHOWS, ""), F(count, SHOWS, ""),
    F(committed, SHOWS, ""),
    F(lost, SHOWS, ""), F(unknown, SHOWS, ""),
};
#undef OF
#define OF read
static const struct field of_read[] = {
    F(tag, SHOWS, ""), F(index, SHOWS, ""), F(round, SHOWS, ""), F(state, SHOWS, ""), F(fate, SHOWS, ""),
    F(is_old, SHOWS, ""), F(is_leased, SHOWS, ""),
};
#undef OF
#define OF stream
static const struct field of_stream[] = {
    F(snap, PLACE, "a structure"), F(to, SHOWS, ""), F(sent, SHOWS, ""), F(acked, SHOWS, ""), F(first_round, SHOWS, ""),
    F(round, SHOWS, ""), F(ticket, QUIET, "a name"), F(read_at, SHOWS, ""), F(data, PLACE, "a pointer"),
    F(frame, PLACE, "a pointer"), F(bytes, SHOWS, ""), F(read, SHOWS, ""), F(greeted, SHOWS, ""),
    F(offer_owed, SHOWS, ""),
    F(moved, SHOWS, ""), F(stays, SHOWS, ""), F(opened_for, SHOWS, ""),
};
#undef OF
#define OF intake
static const struct field of_intake[] = {
    F(snap, PLACE, "a structure"), F(from, SHOWS, ""), F(asked, SHOWS, ""), F(round, SHOWS, ""), F(written, SHOWS, ""),
    F(taken, SHOWS, ""), F(ticket, PLACE, "a name; whether there is one counts"), F(piece_first, PLACE, "of a ring"),
    F(piece_count, PLACE, "pieces are written at once here"), F(state, SHOWS, ""),
};
#undef OF
#define OF config
static const struct field of_config[] = {
    F(index, SHOWS, ""), F(count, LOWERS, ""), F(voters, QUIET, "the members' roles"), F(next, QUIET, "the same"),
    F(self, QUIET, "the same"), F(joint, SHOWS, ""),
};
#undef OF
#define OF snap
static const struct field of_snap[] = {
    F(name.pos.index, SHOWS, ""), F(name.pos.term, SHOWS, ""), F(name.born, SHOWS, ""), F(name.bytes, SHOWS, ""),
    F(name.checksum, SHOWS, ""), F(name.config_index, SHOWS, ""), F(name.config, PLACE, "a pointer"),
    F(name.config_bytes, LOWERS, ""), F(config_at, PLACE, ""),
};
#undef OF

enum { FIELDS_MAX = 160 };
static uint64_t shown[9][FIELDS_MAX];
static struct structure structures[] = {
#define S(name, type) \
    {#type, sizeof(struct type), name, sizeof name / sizeof name[0]}
    S(of_raft, teak_raft), S(of_peer, peer), S(of_work, work), S(of_proposal, proposal), S(of_read, read),
    S(of_stream, stream), S(of_intake, intake), S(of_config, config), S(of_snap, snap),
#undef S
};
enum { OF_RAFT, OF_PEER, OF_WORK, OF_PROPOSAL, OF_READ, OF_STREAM, OF_INTAKE, OF_CONFIG, OF_SNAP };

static bool vary(uint8_t *at, const struct field *field, const struct teak_raft *raft)
{
    uint64_t value = 0;
    memcpy(&value, at, field->bytes > 8 ? 8 : field->bytes);
    switch (field->kind) {
    case SHOWS:
    case QUIET: value ^= 1; break;
    case LOWERS:
        if (value == 0 || (at == (const uint8_t *)&raft->last && value <= raft->tail_first)) return false;
        value--;
        break;
    case RAISES:
        if (value > raft->last.index) return false;
        value++;
        break;
    case PLACE: return false;
    }
    memcpy(at, &value, field->bytes > 8 ? 8 : field->bytes);
    return true;
}

/* Each field of the structure that stands at `at` in the node. */
static void vary_all(struct teak_raft *raft, uint32_t which, const void *at, const uint64_t digest[2])
{
    const struct structure *structure = &structures[which];
    for (uint32_t i = 0; i < structure->count; i++) {
        const struct field *field = &structure->fields[i];
        uint8_t *place = (uint8_t *)(uintptr_t)at + field->at;
        uint64_t was[2], now[2];
        memcpy(was, place, field->bytes > 16 ? 16 : field->bytes);
        if (!vary(place, field, raft)) continue;
        teak_raft_digest(raft, (uint8_t *)now);
        memcpy(place, was, field->bytes > 16 ? 16 : field->bytes);
        const bool differs = memcmp(digest, now, sizeof now) != 0;
        if (differs && field->kind == QUIET)
            fail_msg("%s of %s is said to count in no digest", field->name, structure->name);
        shown[which][i] += differs;
    }
}

static void vary_node(void *context, const struct world *world)
{
    (void)context;
    for (uint32_t node = 1; node <= world->node_count; node++) {
        if (!world->up[node - 1]) continue;
        uint64_t digest[2];
        teak_raft_digest(world_node(world, node), (uint8_t *)digest);
        const struct known *known = find(world_node(world, node), digest);
        if (!known || known->digest[0] == 0 || known != &seen.known[seen.count - 1] || known->pairs) continue;
        seen.known[seen.count - 1].pairs = 1; /* each once */
        struct teak_raft *raft = known->raft;
        vary_all(raft, OF_RAFT, raft, digest);
        for (uint32_t slot = 0; slot < raft->config.count; slot++) vary_all(raft, OF_PEER, peer_at(raft, slot), digest);
        for (uint32_t i = 0; i < raft->job_count; i++)
            vary_all(raft, OF_WORK, (struct work *)raft_at(raft, raft->jobs_at) +
                                        (raft->job_first + i) % raft->options.jobs_max, digest);
        for (uint32_t i = 0; i < raft->proposal_count; i++)
            vary_all(raft, OF_PROPOSAL, (struct proposal *)raft_at(raft, raft->proposals_at) + i, digest);
        for (uint32_t i = 0; i < raft->read_count; i++)
            vary_all(raft, OF_READ, (struct read *)raft_at(raft, raft->reads_at) + i, digest);
        for (uint32_t i = 0; i < raft->options.snapshot_streams; i++)
            vary_all(raft, OF_STREAM, stream_at(raft, i), digest);
        vary_all(raft, OF_INTAKE, &raft->intake, digest);
        const struct config *const configs[] = {&raft->config, &raft->previous, &raft->handed_config,
                                                &raft->applied_config};
        for (uint32_t i = 0; i < 4; i++) vary_all(raft, OF_CONFIG, configs[i], digest);
        vary_all(raft, OF_SNAP, &raft->snapshot, digest);
        if (raft->intake.state != INTAKE_NONE) vary_all(raft, OF_SNAP, &raft->intake.snap, digest);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct field *x = *(const struct field *const *)a, *y = *(const struct field *const *)b;
    return (x->at > y->at) - (x->at < y->at);
}

/* A row for every field: what stands between two of them is no more than padding. */
static void judge_rows(const struct structure *structure)
{
    const struct field *rows[FIELDS_MAX];
    size_t end = 0;
    for (uint32_t i = 0; i < structure->count; i++) rows[i] = &structure->fields[i];
    qsort(rows, structure->count, sizeof rows[0], by_place);
    for (uint32_t i = 0; i < structure->count; i++) {
        if (rows[i]->at < end || rows[i]->at - end >= 8)
            fail_msg("%s: no row for what stands before %s", structure->name, rows[i]->name);
        end = rows[i]->at + rows[i]->bytes;
    }
    if (structure->bytes - end >= 8) fail_msg("%s: no row for what stands last", structure->name);
}

static void every_field_counts_or_has_a_reason_not_to(void **state)
{
    (void)state;
    struct teak_raft_options options = world_options();
    options.promise_max = 100;
    options.lease_drift_ppm = 100;
    struct teak_raft_options slow = world_options();
    slow.snapshot_beat_bytes = 4;
    const struct explore searches[] = {
        {.name = "an election", .nodes = 3, .net_max = 3, .budget = {.elections = 1, .heartbeats = 1}},
        {.name = "a refusal, a read", .nodes = 2, .net_max = 3, .setup = "leader",
         .budget = {.refusals = 1, .proposals = 1, .elections = 1, .reads = 1, .heartbeats = 1}},
        {.name = "leases", .nodes = 3, .net_max = 3, .setup = "leader", .options = options,
         .budget = {.reads = 1, .heartbeats = 1, .quorums = 1, .transfers = 1}},
        {.name = "a change", .nodes = 2, .learners = 1, .net_max = 3, .setup = "leader", .budget = {.changes = 1}},
        {.name = "a snapshot", .nodes = 2, .learners = 1, .net_max = 3, .setup = "behind", .options = slow,
         .budget = {.drops = 1, .heartbeats = 1, .snapshots = 1, .proposals = 1}},
    };
    for (size_t i = 0; i < sizeof structures / sizeof structures[0]; i++) judge_rows(&structures[i]);
    for (size_t i = 0; i < sizeof searches / sizeof searches[0]; i++) {
        struct explore explore = searches[i];
        explore.states_max = 8000;
        explore.visit = vary_node;
        explore_run(&explore);
        assert_false(explore.broken);
        forget();
    }
    uint32_t missing = 0;
    for (size_t i = 0; i < sizeof structures / sizeof structures[0]; i++)
        for (uint32_t j = 0; j < structures[i].count; j++) {
            const struct field *field = &structures[i].fields[j];
            if (field->kind == QUIET || field->kind == PLACE || shown[i][j] > 0) continue;
            print_error("%s of %s changes no digest\n", field->name, structures[i].name);
            missing++;
        }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_of_one_digest_do_the_same),
        cmocka_unit_test(every_field_counts_or_has_a_reason_not_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
