/* raft_copies.c: see raft_copies.h. */
#include "raft_copies.h"

#include "core/core.h"
#include "core/peers.h"
#include "raft_bodies.h"
#include "raft_launch.h"
#include "raft_oracle.h"

static bool has_named_all(const struct config *config, const struct teak_raft_member *members)
{
    for (uint32_t slot = 0; slot < config->count; slot++)
        if (members[slot].born == 0) return false;
    return true;
}

static bool votes_alone(const struct config *config)
{
    return config->self != 0 && (config->voters | config->next) == config->self;
}

static bool may_copy(const struct fleet_node *node)
{
    const struct teak_raft *raft = node->raft;
    return !node->is_suspect && !raft->halted && raft->config.index <= raft->durable &&
           has_named_all(&raft->config, config_members(raft)) && !votes_alone(&raft->config) &&
           has_named_all(&raft->previous, previous_members(raft)) && !votes_alone(&raft->previous);
}

void copies_take(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    if (!may_copy(node)) return;
    copies_drop(node);
    struct copy *copy = calloc(1, sizeof *copy);
    assert_non_null(copy);
    copy->medium = sim_cut(node->medium, SIM_POWER, &fleet.dice);
    copy->disk = node->disk;
    copy->born = node->born;
    copy->kept = node->kept;
    copy->job_count = node->job_count;
    memcpy(copy->jobs, node->jobs, sizeof copy->jobs);
    copy->body_count = bodies_copy(node->bodies, node->body_count, copy->bodies);
    node->copy = copy;
    fleet.totals->copies++;
    note("is copied", id, node->disk.last, node->disk.hard.term);
}

bool copies_put_back(uint32_t id, bool is_raw)
{
    struct fleet_node *node = node_of(id);
    const struct copy *copy = node->copy;
    if (!copy || realm_of(id)->ghost_count == GHOSTS_MAX) return false;
    launch_lose(id);
    node->medium = sim_cut(copy->medium, SIM_POWER, &fleet.dice);
    if (!is_raw) berth_mark_anew(node->medium, mix(fleet.seed, ++fleet.logs_born));
    node->born = is_raw ? copy->born : BORN_ANEW;
    node->disk = copy->disk;
    node->kept = copy->kept;
    node->job_count = copy->job_count;
    memcpy(node->jobs, copy->jobs, sizeof node->jobs);
    node->body_count = bodies_copy(copy->bodies, copy->body_count, node->bodies);
    fleet.totals->put_back++;
    note("is put back", id, node->disk.last, node->disk.hard.term);
    launch_up(id);
    if (is_raw) oracle_goes_back(id);
    return true;
}

void copies_drop(struct fleet_node *node)
{
    if (!node->copy) return;
    sim_free(node->copy->medium);
    bodies_drop(node->copy->bodies, node->copy->body_count);
    free(node->copy);
    node->copy = NULL;
}
