/* raft_launch.c: see raft_launch.h. */
#include "raft_launch.h"

#include "core/core.h"
#include "raft_fleet_state.h"
#include "raft_oracle.h"
#include "raft_turn.h"

static struct teak_raft_options options_of(uint32_t id)
{
    struct teak_raft_options options = teak_raft_options_default();
    options.id = id;
    options.seed = mix(fleet.seed, id);
    memset(options.cluster, 7, sizeof options.cluster);
    options.election = ELECTION;
    options.heartbeat = HEARTBEAT;
    options.entry_bytes_max = 1024;
    options.message_bytes_max = 2048;
    options.job_bytes_max = 4096;
    options.apply_bytes_max = 1024;
    options.window_bytes = 8192;
    options.window_messages = 4;
    options.tail_entries = 2 * SPAN_MAX;
    options.jobs_max = JOBS_MAX;
    options.members_max = NODES;
    options.reads_max = 8;
    return options;
}

static void refuse_space(void *medium) { sim_fail(medium, DISK_ALLOCATE, 1, ENOSPC); }

void launch_full(struct fleet_node *node, bool is_full)
{
    node->is_full = is_full;
    sim_set_hook(node->medium, is_full ? refuse_space : NULL, node->medium);
    sim_fail(node->medium, DISK_ALLOCATE, is_full, ENOSPC);
}

void launch_faults(struct fleet_node *node)
{
    const uint32_t one_in = fleet.is_calm ? 0 : fleet.shape->fail_one_in;
    sim_set_faults(node->medium, (struct sim_faults){.fail_one_in = one_in, .seed = seeded_u64(&fleet.dice)});
}

static void open_store(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct teak_error error = {0};
    node->engine = berth_open(node->medium, (enum teak_strategy)fleet.shape->strategy, fleet.shape->in_flight, &error);
    if (!node->engine) {
        char text[300];
        teak_error_text(&error, text, sizeof text);
        broken("the store of node %u does not open: %s", id, text);
    }
    assert_int_equal(teak_raft_teak_open(node->engine, false, &node->store), TEAK_RAFT_OK);
}

void launch_up(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct teak_raft_options options = options_of(id);
    struct teak_raft_start start = {.incarnation = ++fleet.runs};
    sim_set_faults(node->medium, (struct sim_faults){.seed = 0});
    open_store(id);
    assert_int_equal(node->store.ops->fits(node->store.self, &options), TEAK_RAFT_OK);
    assert_int_equal(node->store.ops->start(node->store.self, 0, &start), TEAK_RAFT_OK);
    oracle_judge_disk(id, &start);
    if (start.born != 100 + id) broken("node %u was born another time", id);
    if (!fleet.shape->is_remembered) node->applied = 0;
    start.applied = node->applied;
    const size_t bytes = (teak_raft_size(&options) + 15) & ~(size_t)15;
    node->block = aligned_alloc(16, bytes);
    assert_non_null(node->block);
    const enum teak_raft_status status = teak_raft_init(node->block, bytes, &options, &start, fleet.now, &node->raft);
    if (status != TEAK_RAFT_OK) broken("node %u does not start: %s", id, teak_raft_status_name(status));
    node->commit_seen = node->term_seen = node->open = 0;
    node->open_reads = 0;
    memset(node->reads, 0, sizeof node->reads);
    node->wakes_at = node->disk_wakes_at = 0;
    note("up", id, start.last.index, start.hard.term);
    launch_full(node, node->is_full && !fleet.is_calm);
    launch_faults(node);
    oracle_judge(id);
}

void launch_down(uint32_t id, bool is_power)
{
    struct fleet_node *node = node_of(id);
    teak_raft_fini(node->raft);
    free(node->block);
    node->raft = NULL;
    node->store.ops->close(node->store.self);
    struct sim_medium *left = sim_cut(node->medium, is_power ? SIM_POWER : SIM_KILL, &fleet.dice);
    teak_abandon(node->engine);
    node->engine = NULL;
    fleet.history = mix(fleet.history, sim_history(node->medium));
    sim_free(node->medium);
    node->medium = left;
    node->starts_at = fleet.now + 1 + below(below(2) == 0 ? 20 : 1000);
    *(is_power ? &fleet.totals->power_cuts : &fleet.totals->kills) += 1;
    note("down", id, is_power, node->job_count);
}

/* The log of a node: founded, or empty. */
void launch_found(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct teak_raft_member members[NODES];
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(NODES)];
    struct teak_raft_start start = {.applied = 0};
    struct teak_raft_completion done;
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    enum teak_raft_status status;
    for (uint32_t i = 0; i < fleet.shape->voters; i++)
        members[i] = (struct teak_raft_member){.id = i + 1, .born = 101 + i, .roles = TEAK_RAFT_VOTER};
    node->medium = sim_make(mix(fleet.seed, 1000 + id));
    open_store(id);
    while ((status = node->store.ops->create(node->store.self, 0, 100 + id)) == TEAK_RAFT_BUSY)
        node->store.ops->collect(node->store.self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
    while ((status = node->store.ops->start(node->store.self, 0, &start)) == TEAK_RAFT_BUSY)
        node->store.ops->collect(node->store.self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
    if (id <= fleet.shape->voters) {
        assert_int_equal(teak_raft_bootstrap(members, fleet.shape->voters, bytes, sizeof bytes, &entry, &job),
                         TEAK_RAFT_OK);
        turn_submit(id, &job);
        while (node->store.ops->collect(node->store.self, 1000000, &done, 1) == 0) continue;
        assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
        oracle_durable(node, 0);
    }
    node->store.ops->close(node->store.self);
    assert_int_equal(teak_close(node->engine, NULL), TEAK_OK);
    launch_up(id);
}
