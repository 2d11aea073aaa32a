/* walk_test.c: long random walks of up to five nodes: losses, repeats, any order, crashes, full disks, changes,
 * transfers, snapshots, disks replaced by copies of what they or others had. The invariants are judged at every step;
 * then all faults end, and the cluster has to elect, to commit and to agree. TEAK_SEED=n walks one seed, TEAK_WALKS=n
 * so many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/seeded.h"
#include "core/core.h"
#include "core/members.h"
#include "world.h"

enum { STEPS = 1500, LOG_LIMIT = WORLD_LOG - 16, TERM_LIMIT = WORLD_TERMS - 8 };

/* What is likely on this walk: of 100. */
struct weather {
    uint32_t loss, repeat, crash, timeouts, full, change, transfer, snapshot, copy;
};

static struct world world;
static uint32_t replaced; /* the node whose log is a copy, born anew, and no voter again yet; 0: none */
static uint64_t read_fates[5], fates[4], walks_led, changes_made, halves_seen, taken, restores, copies, came_back;

static bool has_space(void)
{
    for (uint32_t node = 1; node <= world.node_count; node++) {
        if (!world.up[node - 1]) continue;
        const struct teak_raft *raft = world_node(&world, node);
        if (raft->last.index >= LOG_LIMIT || raft->term >= TERM_LIMIT) return false;
    }
    return true;
}

/* --------------------------------------------------------------------------------------------------------- copies */

static bool is_config(const struct teak_raft_entry *entry, uint64_t index)
{
    return entry->kind == TEAK_RAFT_CONFIG && index > world.committed;
}

/* Might a configuration that is not committed come to be? In memory, on a disk, on its way to one, on its way. */
static bool change_is_open(void)
{
    bool is_open = false;
    for (uint32_t node = 1; node <= world.node_count; node++) {
        const struct disk_model *disk = &world.at[node - 1]->disk;
        if (world.up[node - 1]) is_open = is_open || world_node(&world, node)->config.index > world.committed;
        for (uint32_t i = disk->first; i <= disk->last; i++) is_open = is_open || is_config(&disk->entries[i], i);
        for (uint32_t i = 0; i < disk->flight_count; i++)
            for (uint32_t j = 0; j < disk->flights[i].count; j++)
                is_open = is_open || is_config(&disk->flights[i].entries[j], disk->flights[i].entries[j].index);
    }
    for (uint32_t i = 0; i < world.net_count; i++)
        for (uint32_t j = 0; j < world.net[i].msg.count; j++)
            is_open = is_open || is_config(&world.net[i].entries[j], world.net[i].entries[j].index);
    return is_open;
}

/* The newest that is committed. Returns how many members it has. */
static uint32_t committed_config(struct teak_raft_member *members, struct config *config)
{
    uint64_t index = world.committed;
    while (world.ledger[index].kind != TEAK_RAFT_CONFIG) index--;
    assert_true(members_judge(world.ledger[index].data, world.ledger[index].bytes, members, config));
    return config->count;
}

/* Its disk is replaced by a copy of what it or somebody else had. One at a time, and only where the voters that keep
 * theirs are a majority and stay it: none of them leaves meanwhile. */
static void replace(struct seeded *seeded, uint32_t node)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    bool votes = false;
    if (replaced || change_is_open()) return;
    const uint32_t count = committed_config(members, &config);
    for (uint32_t i = 0; i < count; i++)
        votes = votes || (members[i].id == node && members[i].roles == TEAK_RAFT_VOTER);
    if (config.joint || !votes || __builtin_popcount(config.voters) < 3) return;
    world_copy_log(&world, node, 1 + seeded_below(seeded, world.node_count));
    replaced = node;
    copies++;
}

/* The next step of the way back, if the leader can take it: out, in as a learner, a voter. */
static void bring_back(uint32_t leader)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct teak_raft *raft = world_node(&world, leader);
    uint32_t count = 0;
    bool is_in = false, is_learner = false;
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        const struct teak_raft_member *member = &config_members(raft)[slot];
        if (member->id == replaced) {
            is_in = true;
            is_learner = member->roles == TEAK_RAFT_LEARNER;
            continue;
        }
        members[count++] = *member;
    }
    if (!is_in || is_learner) {
        uint32_t at = count++;
        for (; at > 0 && members[at - 1].id > replaced; at--) members[at] = members[at - 1];
        members[at] = (struct teak_raft_member){.id = replaced,
                                                .roles = is_in ? TEAK_RAFT_VOTER : TEAK_RAFT_LEARNER};
    }
    if (teak_raft_change(raft, raft->config.index, members, count) == TEAK_RAFT_OK) changes_made++;
    world_drain(&world, leader);
}

/* It votes again, under the name of the log it has now. */
static bool is_back(void)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    const uint32_t count = committed_config(members, &config);
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == replaced && members[i].roles == TEAK_RAFT_VOTER && !config.joint)
            return world.up[replaced - 1] && members[i].born == world_node(&world, replaced)->born;
    return false;
}

static void look_who_is_back(void)
{
    if (!replaced || !is_back()) return;
    replaced = 0;
    came_back++;
}

/* ---------------------------------------------------------------------------------------------------------- steps */

static void change(struct seeded *seeded, uint32_t node)
{
    struct teak_raft_member members[WORLD_NODES];
    uint32_t count = 0;
    for (uint32_t id = 1; id <= world.node_count; id++) {
        const uint32_t dice = seeded_below(seeded, 8);
        if (dice == 0) continue;
        members[count++] =
            (struct teak_raft_member){.id = id, .roles = dice == 1 ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER};
    }
    struct teak_raft *raft = world_node(&world, node);
    if (teak_raft_change(raft, raft->config.index, members, count) == TEAK_RAFT_OK) changes_made++;
    halves_seen += raft->config.joint;
    world_drain(&world, node);
}

static void read_at(struct seeded *seeded, uint32_t node)
{
    if (world.read_count[node - 1] < WORLD_READS) world_read(&world, node, seeded_u64(seeded), TEAK_RAFT_READ_INDEX);
}

/* Time passes at one node: any timer that runs may run out. */
static void let_time_pass(struct seeded *seeded, uint32_t node)
{
    const enum teak_raft_timer timer = (enum teak_raft_timer)seeded_below(seeded, TEAK_RAFT_TIMER_COUNT);
    if (!teak_raft_runs(world_node(&world, node), timer)) return;
    if (timer == TEAK_RAFT_TIMER_ELECTION && !has_space()) return;
    world_fire(&world, node, timer);
}

static void step_at(struct seeded *seeded, const struct weather *weather, uint32_t node)
{
    struct disk_model *disk = &world.at[node - 1]->disk;
    const struct teak_raft *raft = world_node(&world, node);
    const uint32_t dice = seeded_below(seeded, 100);
    if (dice < weather->crash) {
        world_crash(&world, node, seeded_below(seeded, disk->flight_count + 1));
    } else if (seeded_below(seeded, 100) < weather->snapshot) {
        taken += world_snapshot(&world, node) == TEAK_RAFT_OK;
        disk->refuses_bodies = weather->full > 0 && seeded_below(seeded, 2) == 0;
    } else if (dice < weather->crash + weather->timeouts) {
        let_time_pass(seeded, node);
    } else if (seeded_below(seeded, 8) == 0) {
        read_at(seeded, node);
    } else if (disk->flight_count > 0 && seeded_below(seeded, 100) < weather->full) {
        world_refuse(&world, node);
    } else if (disk->full && seeded_below(seeded, 10) == 0) {
        world_room(&world, node);
    } else if (raft->role == TEAK_RAFT_LEADER && has_space()) {
        if (replaced && seeded_below(seeded, 4) == 0) {
            bring_back(node);
        } else if (!replaced && seeded_below(seeded, 100) < weather->change) {
            change(seeded, node);
        } else if (seeded_below(seeded, 100) < weather->transfer) {
            teak_raft_transfer(world_node(&world, node), 0);
            world_drain(&world, node);
        } else if (seeded_below(seeded, 10) == 0) {
            const char text[2] = {(char)('a' + seeded_below(seeded, 26)), 0};
            world_propose(&world, node, text, seeded_u64(seeded) >> 1);
        } else {
            world_complete(&world, node);
        }
    } else {
        world_complete(&world, node);
    }
}

static void step(struct seeded *seeded, const struct weather *weather)
{
    const uint32_t node = 1 + seeded_below(seeded, world.node_count);
    if (world.net_count > 0 && seeded_below(seeded, 2) == 0) {
        const uint32_t place = seeded_below(seeded, seeded_below(seeded, 2) ? 1 : world.net_count);
        if (seeded_below(seeded, 100) < weather->loss)
            world_drop(&world, place);
        else
            world_deliver(&world, place, seeded_below(seeded, 100) < weather->repeat);
    } else if (!world.up[node - 1]) {
        if (seeded_below(seeded, 100) < weather->copy && has_space()) replace(seeded, node);
        if (seeded_below(seeded, 4) == 0) world_start(&world, node);
    } else {
        step_at(seeded, weather, node);
        if (world.up[node - 1] && !world_is_quiet(&world, node)) world_broken(&world, "a ready is not due", node, 0);
    }
    look_who_is_back();
}

static uint32_t leader(void)
{
    uint32_t found = 0;
    for (uint32_t node = 1; node <= world.node_count; node++) {
        const struct teak_raft *raft = world_node(&world, node);
        if (raft->role == TEAK_RAFT_LEADER && (!found || raft->term > world_node(&world, found)->term)) found = node;
    }
    return found;
}

/* The leader has committed all it has, in a configuration that is not joint, and every member has applied it. */
static bool is_settled(void)
{
    const uint32_t node = leader();
    if (!node || replaced) return false;
    const struct teak_raft *raft = world_node(&world, node);
    if (raft->commit != raft->last.index || raft->config.joint || raft->transfer_to != 0) return false;
    for (uint32_t slot = 0; slot < raft->config.count; slot++)
        if (world.at[config_members(raft)[slot].id - 1]->disk.applied != raft->commit) return false;
    return true;
}

/* All faults end: everybody runs, has space, is heard. */
static void settle(struct seeded *seeded)
{
    for (uint32_t node = 1; node <= world.node_count; node++) {
        if (!world.up[node - 1]) world_start(&world, node);
        if (world.at[node - 1]->disk.full) world_room(&world, node);
        world.at[node - 1]->disk.refuses_bodies = false;
    }
    world_stabilize(&world);
    for (uint32_t round = 0; round < 100 && !is_settled() && !world.broken; round++) {
        const uint32_t node = leader();
        if (node && round % 4 != 3) {
            if (replaced) bring_back(node);
            world_fire(&world, node, TEAK_RAFT_TIMER_HEARTBEAT);
            world_stabilize(&world);
            look_who_is_back();
            continue;
        }
        for (uint32_t all = 1; all <= world.node_count; all++) { /* a timeout without a word, for everybody */
            struct teak_raft *raft = world_node(&world, all);
            if (teak_raft_runs(raft, TEAK_RAFT_TIMER_PROMISE)) world_fire(&world, all, TEAK_RAFT_TIMER_PROMISE);
            if (teak_raft_runs(raft, TEAK_RAFT_TIMER_TRANSFER)) world_fire(&world, all, TEAK_RAFT_TIMER_TRANSFER);
            if (teak_raft_runs(raft, TEAK_RAFT_TIMER_QUORUM)) world_fire(&world, all, TEAK_RAFT_TIMER_QUORUM);
            if (teak_raft_runs(raft, TEAK_RAFT_TIMER_READ)) world_fire(&world, all, TEAK_RAFT_TIMER_READ);
        }
        const uint32_t who = 1 + seeded_below(seeded, world.node_count);
        if (teak_raft_runs(world_node(&world, who), TEAK_RAFT_TIMER_ELECTION))
            world_fire(&world, who, TEAK_RAFT_TIMER_ELECTION);
        world_stabilize(&world);
    }
}

/* A proposal is open only where nothing is committed at its index yet, as far as the node knows. */
static bool owes_an_answer(uint32_t node)
{
    const struct teak_raft *raft = world_node(&world, node);
    uint64_t open = 0;
    bool owes = false;
    for (uint32_t i = 0; i < raft->proposal_count; i++) {
        const struct proposal *run = (const struct proposal *)raft_at(raft, raft->proposals_at) + i;
        owes = owes || run->first_index <= raft->commit;
        open += run->count;
    }
    return owes || open != world.open[node - 1];
}

/* Nobody waits for ever: what is open has been answered when its timer has run out twice. */
static bool times_out(uint32_t node)
{
    for (uint32_t round = 0; round < 2; round++)
        if (teak_raft_runs(world_node(&world, node), TEAK_RAFT_TIMER_READ))
            world_fire(&world, node, TEAK_RAFT_TIMER_READ);
    return world.read_count[node - 1] == 0;
}

/* One read at `node`, with heartbeats until it is answered: a round, or a question, of before may be lost. A leader
 * that finds out that it was deposed answers nothing. */
static bool answers(uint32_t node)
{
    const uint32_t asked = leader();
    if (world_read(&world, node, 1, TEAK_RAFT_READ_INDEX) != TEAK_RAFT_OK) return false;
    world_stabilize(&world);
    for (uint32_t beat = 0; beat < 3 && leader() == asked && world.read_count[node - 1] > 0; beat++) {
        world_fire(&world, asked, TEAK_RAFT_TIMER_HEARTBEAT);
        world_stabilize(&world);
    }
    return world.read_count[node - 1] == 0 || (leader() != asked && times_out(node));
}

static bool answers_reads(void)
{
    for (uint32_t node = 1; node <= world.node_count; node++) {
        if (!times_out(node)) return false;
        if (leader() && world_node(&world, node)->leader == leader() &&
            slot_of(world_node(&world, leader()), node) != NO_SLOT && !answers(node))
            return false;
    }
    return true;
}

static void walk(uint64_t seed)
{
    struct seeded seeded = {.state = seed};
    struct teak_raft_member members[WORLD_NODES];
    const uint32_t nodes = 1 + seeded_below(&seeded, WORLD_NODES);
    const bool unnamed = seeded_below(&seeded, 2) == 0, outrank = seeded_below(&seeded, 2) == 0;
    const struct weather weather = {
        .loss = seeded_below(&seeded, 30), .repeat = seeded_below(&seeded, 30), .crash = seeded_below(&seeded, 4),
        .timeouts = 5 + seeded_below(&seeded, 30), .full = seeded_below(&seeded, 3) == 0 ? 10 : 0,
        .change = seeded_below(&seeded, 2) ? 10 : 0, .transfer = seeded_below(&seeded, 2) ? 5 : 0,
        .snapshot = seeded_below(&seeded, 3) ? seeded_below(&seeded, 12) : 0,
        .copy = !unnamed && seeded_below(&seeded, 2) ? 50 : 0}; /* who has no name yet is not told from a copy */
    for (uint32_t i = 0; i < nodes; i++)
        members[i] = (struct teak_raft_member){
            .id = i + 1, .born = unnamed ? WORLD_UNNAMED : 0,
            .priority = (uint8_t)(outrank ? seeded_below(&seeded, 3) : 0),
            .roles = i > 0 && seeded_below(&seeded, 5) == 0 ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER};
    struct teak_raft_options options = world_options();
    options.trailing_entries = seeded_below(&seeded, 4);
    options.retain_entries = options.trailing_entries + seeded_below(&seeded, 6);
    options.snapshot_streams = 1 + seeded_below(&seeded, 2);
    options.snapshot_chunk_bytes = 1 + seeded_below(&seeded, WORLD_BODY);
    options.snapshot_window = 1 + seeded_below(&seeded, 3);
    options.snapshot_beat_bytes = seeded_below(&seeded, 2) ? 0 : 4 + seeded_below(&seeded, WORLD_BODY);
    options.term_runs = WORLD_TERMS; /* as many leaders may fail to commit anything, one after the other */
    world_begin(&world, options, nodes, members, nodes, getenv("TEAK_TRACE") ? stdout : NULL);
    replaced = 0;
    world.net_max = 4 + seeded_below(&seeded, WORLD_NET - 4);
    world.by_wire = seeded_below(&seeded, 2);
    for (uint32_t i = 0; i < STEPS && !world.broken; i++) step(&seeded, &weather);
    world.net_max = WORLD_NET;
    if (!world.broken) settle(&seeded);
    if (world.broken || !is_settled())
        fail_msg("TEAK_SEED=%" PRIu64 ": %s", seed, world.broken ? "an invariant is broken" : "it does not settle");
    if (!answers_reads() || world.broken) fail_msg("TEAK_SEED=%" PRIu64 ": a read is not answered", seed);
    for (uint32_t fate = 1; fate < 5; fate++) read_fates[fate] += world.answers[fate];
    for (uint32_t term = 0; term < WORLD_TERMS; term++) walks_led += world.led_by[term] != 0;
    restores += world.restores;
    for (uint32_t fate = 1; fate < 4; fate++) fates[fate] += world.fates[fate];
    for (uint32_t node = 1; node <= nodes; node++)
        if (owes_an_answer(node)) fail_msg("TEAK_SEED=%" PRIu64 ": a proposal of node %u is not answered", seed, node);
    world_end(&world);
}

static void walks_keep_what_holds_and_settle(void **state)
{
    (void)state;
    const char *one = getenv("TEAK_SEED"), *many = getenv("TEAK_WALKS");
    const uint64_t count = many ? strtoull(many, NULL, 10) : 400;
    if (one) {
        walk(strtoull(one, NULL, 0));
        return;
    }
    for (uint64_t seed = 1; seed <= count; seed++) walk(seed);
    printf("%" PRIu64 " walks: %" PRIu64 " leaders, %" PRIu64 " committed, %" PRIu64 " lost, %" PRIu64
           " unknown, %" PRIu64 " changes, joint %" PRIu64 " times, %" PRIu64 " snapshots, %" PRIu64
           " restored; %" PRIu64 " disks replaced, %" PRIu64 " vote again; reads: %" PRIu64 " answered, %" PRIu64
           " lost their leader, %" PRIu64 " timed out\n",
           count, walks_led, fates[TEAK_RAFT_COMMITTED], fates[TEAK_RAFT_LOST], fates[TEAK_RAFT_UNKNOWN], changes_made,
           halves_seen, taken, restores, copies, came_back, read_fates[TEAK_RAFT_READ_OK],
           read_fates[TEAK_RAFT_READ_LOST_LEADER],
           read_fates[TEAK_RAFT_READ_TIMEOUT]);
    /* it was a walk, and not a stand */
    assert_true(walks_led > count && fates[TEAK_RAFT_COMMITTED] > count && changes_made > 0 && halves_seen > 0);
    assert_true(taken > count && restores > count / 20);
    assert_true(copies > count / 20 && came_back == copies);
    assert_true(read_fates[TEAK_RAFT_READ_OK] > count && read_fates[TEAK_RAFT_READ_LOST_LEADER] > 0 &&
                read_fates[TEAK_RAFT_READ_TIMEOUT] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(walks_keep_what_holds_and_settle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
