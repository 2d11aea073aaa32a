/* raft_fleet.c: see raft_fleet.h. */
#include "raft_fleet.h"

#include "core/core.h"
#include "core/members.h"
#include "raft_bodies.h"
#include "raft_copies.h"
#include "raft_disaster.h"
#include "raft_fleet_state.h"
#include "raft_launch.h"
#include "raft_meddle.h"
#include "raft_network.h"
#include "raft_oracle.h"
#include "raft_turn.h"

static void step(void)
{
    fleet.now++;
    network_break();
    network_deliver();
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        struct fleet_node *node = node_of(id);
        if (!node->medium) continue;
        if (!node->raft && (fleet.is_calm || node->starts_at <= fleet.now)) launch_up(id);
        if (!node->raft || node->wakes_at > fleet.now) continue;
        const enum turn_end end = turn_take(id);
        if (end != TURN_DONE) launch_down(id, end == TURN_HALTED && below(2) == 0);
        if (node->raft && !fleet.is_calm) meddle_with(id);
        if (node->raft && (fleet.now + id) % 64 == 0) oracle_judge_matching(id);
    }
    if (strikes(fleet.shape->look_one_in)) launch_look();
    if (fleet.shape->disaster_at > 0 && fleet.shape->disaster_at <= fleet.now && !fleet.is_calm && fleet.newest == 0)
        disaster_strike();
}

/* ----------------------------------------------------------------------------------------------------- a whole life */

static uint32_t find_leader(void)
{
    uint32_t leader = 0;
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        const struct teak_raft *raft = node_of(id)->raft;
        if (!raft || node_of(id)->realm != fleet.newest || raft->role != TEAK_RAFT_LEADER) continue;
        if (leader == 0 || raft->term > node_of(leader)->raft->term) leader = id;
    }
    return leader;
}

/* All members have and have applied what the leader has. `open_out`: reads, and proposals of members, that nobody
 * answered yet. */
static bool is_settled(uint64_t from, uint64_t *open_out)
{
    const uint32_t leader = find_leader();
    *open_out = 0;
    if (leader == 0) return false;
    const struct teak_raft *raft = node_of(leader)->raft;
    if (raft->config.joint || raft->commit < from || raft->commit != raft->last.index) return false;
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        const struct fleet_node *node = node_of(config_members(raft)[slot].id);
        if (!node->raft || node->machine.applied != raft->last.index) return false;
        *open_out += node->open;
    }
    for (uint32_t id = 1; id <= fleet.seats; id++) *open_out += node_of(id)->open_reads; /* members or not */
    return true;
}

static void print_nodes(void)
{
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        const struct fleet_node *node = node_of(id);
        struct teak_raft_view view = {.id = 0};
        struct teak_raft_set set = {.count = 0};
        if (node->raft) teak_raft_view(node->raft, &view), teak_raft_config(node->raft, &set);
        fprintf(stderr,
                "  node %u%s: role %d term %" PRIu64 " leader %" PRIu64 " last %" PRIu64 "/%" PRIu64 " commit %" PRIu64
                " durable %" PRIu64 " applied %" PRIu64 " open %" PRIu64 " jobs %u room %d rotten %d members", id,
                node->raft ? "" : " (down)", (int)view.role, view.term, view.leader, view.last.index, view.last.term,
                view.commit, view.durable, node->machine.applied, node->open, view.jobs, view.has_room, view.rotten);
        for (uint32_t i = 0; i < set.count; i++)
            fprintf(stderr, " %" PRIu64 ":%u", set.members[i].id, set.members[i].roles);
        fprintf(stderr, " at %" PRIu64 "%s\n", set.index, set.joint ? ", joint" : "");
    }
}

static void settle(void)
{
    fleet.is_calm = true;
    network_heal();
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        struct fleet_node *node = node_of(id);
        node->wakes_at = node->disk_wakes_at = 0;
        if (!node->medium) continue;
        launch_full(node, false);
        launch_faults(node);
    }
    const uint64_t began = fleet.now, committed = fleet.realms[fleet.newest].committed, tags = fleet.tags;
    uint64_t open;
    /* A proposal whose entry was cut off is answered when the log has grown beyond its place: so it has to go on. */
    while (!is_settled(committed, &open) || open > 0 || fleet.tags == tags) {
        if (fleet.now - began > SETTLE_MAX) {
            print_nodes();
            broken("it does not settle: %" PRIu64 " are committed", committed);
        }
        const uint32_t leader = find_leader();
        if (leader != 0 && meddle_repair(leader) && is_settled(committed, &open)) meddle_propose(leader);
        step();
    }
    fleet.totals->settling += fleet.now - began;
}

static void end_all(void)
{
    for (uint32_t i = 0; i < fleet.net_count; i++) teak_raft_drop(&fleet.net[i].parcel->frame);
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        if (!node_of(id)->medium) continue;
        if (!node_of(id)->raft) launch_up(id);
        oracle_judge_matching(id);
        launch_down(id, true);
        bodies_clear(node_of(id));
        copies_drop(node_of(id));
        sim_free(node_of(id)->medium);
    }
}

/* What clients were told, one store could have told them. */
static void judge_clients(struct clients *clients)
{
    struct linear_report report;
    const enum linear_verdict verdict = clients_judge(clients, &fleet.totals->clients, &report);
    clients_end(clients);
    const bool may_break = fleet.shape->breaks_bound || fleet.shape->mistake != CLIENTS_RIGHT;
    if (verdict == LINEAR_BROKEN && may_break && fleet.is_told) printf("%s", report.text);
    if (verdict == LINEAR_BROKEN && may_break)
        fleet.totals->broken++;
    else if (verdict != LINEAR_FINE)
        broken("what clients were told is %s\n%s", linear_verdict_name(verdict), report.text);
}

uint64_t fleet_live(uint64_t seed, const struct fleet_shape *shape, uint32_t milliseconds, bool is_told,
                    struct fleet_totals *totals)
{
    memset(&fleet, 0, sizeof fleet);
    fleet.seed = seed;
    fleet.shape = shape;
    fleet.totals = totals;
    fleet.is_told = is_told;
    fleet.dice = (struct seeded){.state = seed};
    fleet.seats = shape->nodes;
    fleet.realms[0].clients = clients_begin(mix(seed, 78), (enum linear_model)(seed % LINEAR_MODEL_COUNT),
                                            CLIENTS_KIND, 0, shape->mistake);
    for (uint32_t id = 1; id <= shape->nodes; id++) launch_found(id);
    while (fleet.now < milliseconds) step();
    settle();
    totals->lives++;
    totals->milliseconds += fleet.now;
    end_all();
    for (uint32_t i = 0; i <= fleet.newest; i++) {
        totals->committed += fleet.realms[i].committed;
        judge_clients(fleet.realms[i].clients);
    }
    return fleet.history;
}

/* Each life has some kinds of trouble and lacks others: what never comes alone hides what it would do alone. */
static void draw_trouble(struct seeded *dice, struct fleet_shape *shape)
{
    shape->lose = seeded_one_of(dice, 0, 20, 200);
    shape->repeat = seeded_one_of(dice, 0, 20, 200);
    shape->delay_max = seeded_one_of(dice, 1, 10, 60);
    shape->cut_power_one_in = seeded_one_of(dice, 0, 5000, 800);
    shape->kill_one_in = seeded_one_of(dice, 0, 5000, 1500);
    shape->pause_one_in = seeded_one_of(dice, 0, 3000, 600);
    shape->stall_one_in = seeded_one_of(dice, 0, 3000, 600);
    shape->cut_link_one_in = seeded_one_of(dice, 0, 1000, 200);
    shape->clog_one_in = seeded_one_of(dice, 0, 0, 100);
    shape->heal_one_in = 500;
    shape->fill_one_in = seeded_one_of(dice, 0, 0, 1000);
    shape->fail_one_in = seeded_one_of(dice, 0, 0, 3000);
    shape->shorten_one_in = seeded_one_of(dice, 0, 0, 100);
    shape->linger_one_in = seeded_one_of(dice, 0, 0, 200);
    shape->wipe_one_in = seeded_one_of(dice, 0, 0, 2000);
    shape->rot_one_in = seeded_one_of(dice, 0, 0, 600);
    shape->look_one_in = 700;
}

static void draw_work(struct seeded *dice, struct fleet_shape *shape)
{
    shape->propose_one_in = seeded_one_of(dice, 4, 10, 60);
    shape->read_one_in = seeded_one_of(dice, 0, 20, 100);
    shape->transfer_one_in = seeded_one_of(dice, 0, 2000, 300);
    shape->change_one_in = seeded_one_of(dice, 0, 400, 60);
    shape->campaign_one_in = seeded_one_of(dice, 0, 0, 500);
    shape->snapshot_one_in = seeded_one_of(dice, 0, 600, 100);
    shape->body_bytes_max = seeded_one_of(dice, 0, 300, 3000);
    shape->memory = (enum fleet_memory)seeded_below(dice, 3);
    shape->drift_ppm = seeded_one_of(dice, 0, 10000, 150000);
    shape->skew_ppm = shape->drift_ppm > 0 ? shape->drift_ppm : seeded_one_of(dice, 0, 1000, 200000);
    shape->wants_less = seeded_below(dice, 2) == 0;
    shape->is_tight = seeded_below(dice, 2) == 0;
    shape->knows_born = seeded_below(dice, 4) != 0;
    shape->has_priorities = seeded_below(dice, 4) == 0;
    shape->strategy = seeded_one_of(dice, TEAK_AUTO, TEAK_DSYNC, TEAK_FDATASYNC);
    shape->disk_one_in = seeded_one_of(dice, 1, 3, 15);
    shape->in_flight = 1 + seeded_below(dice, 4);
    shape->client_one_in = seeded_one_of(dice, 0, 15, 60);
    shape->drift_one_in = seeded_one_of(dice, 0, 0, 30);
}

static void draw_disasters(struct seeded *dice, struct fleet_shape *shape)
{
    shape->copy_one_in = seeded_one_of(dice, 0, 300, 60);
    shape->put_back_one_in = seeded_one_of(dice, 0, 2000, 700);
    const uint32_t at = seeded_one_of(dice, 0, 0, 500 + seeded_below(dice, 1500));
    if (shape->nodes < NODES - 1) shape->disaster_at = at; /* there are ids for those that come then */
}

struct fleet_shape fleet_draw(uint64_t seed)
{
    struct seeded dice = {.state = mix(seed, 77)};
    struct fleet_shape shape = {.nodes = 1 + seeded_below(&dice, NODES)};
    shape.voters = 1 + seeded_below(&dice, shape.nodes);
    draw_trouble(&dice, &shape);
    draw_work(&dice, &shape);
    draw_disasters(&dice, &shape);
    return shape;
}
