/* raft_launch.c: see raft_launch.h. */
#include "raft_launch.h"

#include "core/core.h"
#include "raft_bodies.h"
#include "raft_oracle.h"
#include "raft_turn.h"

/* ---------------------------------------------------------------------------------------------------------- options */

/* Limits of its own, each down to the least there is, and hit at every turn. */
static void tighten(struct teak_raft_options *options, struct seeded *dice)
{
    options->message_bytes_max = seeded_one_of(dice, 1, 300, 2048);
    options->job_bytes_max = seeded_one_of(dice, 1, 1000, 4096);
    options->apply_bytes_max = seeded_one_of(dice, 1, 500, 4096);
    options->window_bytes = seeded_one_of(dice, 1, 2000, 8192);
    options->window_messages = 1 + seeded_below(dice, 4);
    options->tail_entries = seeded_one_of(dice, 8, 16, 2 * SPAN_MAX);
    options->tail_bytes_max = seeded_one_of(dice, 16384, 65536, 1 << 20);
    options->jobs_max = 1 + seeded_below(dice, JOBS_MAX);
    options->reads_max = 1 + seeded_below(dice, 8);
    options->tags_max = seeded_one_of(dice, 1, 4, 64);
    options->term_runs = seeded_one_of(dice, 8, 12, 64);
    options->trailing_entries = seeded_one_of(dice, 0, 5, 100);
    options->retain_entries = options->trailing_entries + seeded_one_of(dice, 0, 50, 100000);
    options->snapshot_streams = 1 + seeded_below(dice, 3);
    options->snapshot_chunk_bytes = seeded_one_of(dice, 16, 200, 1500);
    options->snapshot_window = 1 + seeded_below(dice, 4);
    options->snapshot_beat_bytes = seeded_one_of(dice, 0, 1, 500);
    if (options->promise_max > 0 && seeded_below(dice, 4) == 0) options->promise_max /= 2;
}

void launch_name(uint32_t realm, uint8_t cluster_out[16]) { memset(cluster_out, (int)(7 + realm), 16); }

struct teak_raft_options launch_options(uint32_t id)
{
    struct seeded dice = {.state = mix(fleet.seed, 500 + id)};
    struct teak_raft_options options = teak_raft_options_default();
    options.id = id;
    options.seed = mix(fleet.seed, id);
    launch_name(node_of(id)->realm, options.cluster);
    options.election = ELECTION * UNIT;
    options.heartbeat = HEARTBEAT * UNIT;
    options.disk_stall = seeded_one_of(&dice, 0, 60, 200) * UNIT;
    options.lease_drift_ppm = fleet.shape->drift_ppm;
    options.promise_max = fleet.shape->drift_ppm > 0 ? options.election : 0;
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
    options.trailing_entries = seeded_one_of(&dice, 0, 5, 20);
    options.retain_entries = seeded_one_of(&dice, 20, 50, 1 << 20);
    options.snapshot_chunk_bytes = 300;
    if (fleet.shape->is_tight) tighten(&options, &dice);
    return options;
}

/* ------------------------------------------------------------------------------------------------------------- disk */

static void refuse_space(void *medium) { sim_fail(medium, DISK_ALLOCATE, 1, ENOSPC); }

void launch_full(struct fleet_node *node, bool is_full)
{
    node->is_full = is_full;
    sim_set_hook(node->medium, is_full ? refuse_space : NULL, node->medium);
    sim_fail(node->medium, DISK_ALLOCATE, is_full, ENOSPC);
}

void launch_faults(struct fleet_node *node)
{
    struct sim_faults faults = {.seed = seeded_u64(&fleet.dice)};
    if (!fleet.is_calm) {
        faults.fail_one_in = fleet.shape->fail_one_in;
        faults.shorten_one_in = fleet.shape->shorten_one_in;
        faults.stall_one_in = fleet.shape->linger_one_in;
        faults.stall_ns = 50000000;
    }
    sim_set_faults(node->medium, faults);
}

/* An engine and its adapter on a medium. False: it does not open. */
static bool moor(struct sim_medium *medium, struct teak_store **engine, struct teak_raft_log_store *store,
                 struct teak_error *error)
{
    *engine = berth_open(medium, (enum teak_strategy)fleet.shape->strategy, fleet.shape->in_flight, error);
    if (!*engine) return false;
    assert_int_equal(teak_raft_teak_open(*engine, false, store), TEAK_RAFT_OK);
    return true;
}

/* All that the engine has of the log, by the adapter's way of reading. False: it cannot be read. */
static bool read_all(const struct teak_raft_log_store *store, const struct teak_raft_start *start,
                     struct disk_fact *out)
{
    out->hard = start->hard;
    out->snapshot = start->snapshot ? start->snapshot->pos : (struct teak_raft_pos){0, 0};
    out->base = out->last = start->first - 1;
    while (out->last < start->last.index) {
        const struct teak_raft_fetch fetch = {.ticket = 1, .first = out->last + 1, .last = start->last.index,
                                              .bytes_max = 65536};
        struct teak_raft_completion done;
        assert_int_equal(store->ops->fetch(store->self, 0, &fetch), TEAK_RAFT_OK);
        while (store->ops->collect(store->self, 1000000, &done, 1) == 0) continue;
        if (done.kind != TEAK_RAFT_FETCH_DONE || done.outcome != TEAK_RAFT_FETCHED) return false;
        for (uint32_t i = 0; i < done.count; i++) out->entries[++out->last] = oracle_fact(&done.entries[i]);
    }
    return true;
}

/* What is on a disk, judged. UINT32_MAX: the store cannot give what it should; else how many jobs it has that nobody
 * was told of. */
static uint32_t survey(uint32_t id, const struct teak_raft_log_store *store, struct teak_raft_start *start,
                       struct disk_fact *found)
{
    struct fleet_node *node = node_of(id);
    const enum teak_raft_status status = store->ops->start(store->self, 0, start);
    const bool is_whole = status == TEAK_RAFT_OK && start->verdict == TEAK_RAFT_WHOLE;
    if (is_whole && node->born == BORN_ANEW) node->born = oracle_new_birth(id, start->born);
    if (is_whole && start->born != node->born) broken("node %u was born another time", id);
    if (is_whole && read_all(store, start, found)) return oracle_judge_disk(id, found);
    if (!node->is_suspect)
        broken("the log of node %u is not there: %s, %d", id, teak_raft_status_name(status), (int)start->verdict);
    return UINT32_MAX;
}

static void say_why(uint32_t id, const struct teak_error *error)
{
    char text[300];
    teak_error_text(error, text, sizeof text);
    broken("the store of node %u does not open: %s", id, text);
}

/* ------------------------------------------------------------------------------------------------ up and down again */

static void start_clock(struct fleet_node *node)
{
    const uint32_t skew = fleet.shape->skew_ppm;
    node->clock_at = below(1000000000);
    node->clock_from = fleet.now;
    node->clock_rate = UNIT * 1000 - skew + (skew > 0 ? below(2 * skew + 1) : 0);
}

void launch_drift(struct fleet_node *node)
{
    const uint32_t skew = fleet.shape->skew_ppm;
    node->clock_at = clock_of(node);
    node->clock_from = fleet.now;
    node->clock_rate = node->raft->role == TEAK_RAFT_LEADER ? UNIT * 1000 - skew : UNIT * 1000 + skew;
}

/* False: its disk cannot give its log. */
static bool begin(uint32_t id)
{
    static struct disk_fact found;
    struct fleet_node *node = node_of(id);
    const struct teak_raft_options options = launch_options(id);
    struct teak_raft_start start = {.incarnation = ++fleet.runs};
    assert_int_equal(node->store.ops->fits(node->store.self, &options), TEAK_RAFT_OK);
    const uint32_t jobs_found = survey(id, &node->store, &start, &found);
    if (jobs_found == UINT32_MAX) return false;
    oracle_begin(id, jobs_found);
    bodies_begin(node, start.snapshot);
    start.can_restore = start.snapshot != NULL;
    if (fleet.shape->memory == FLEET_FORGETS) node->kept = (struct machine){.applied = 0};
    node->machine = node->kept;
    start.applied = node->machine.applied;
    node->run = start.incarnation;
    clients_start(realm_of(id)->clients, id, start.applied);
    start_clock(node);
    const size_t bytes = (teak_raft_size(&options) + 15) & ~(size_t)15;
    node->block = aligned_alloc(16, bytes);
    assert_non_null(node->block);
    const enum teak_raft_status status =
        teak_raft_init(node->block, bytes, &options, &start, clock_of(node), &node->raft);
    if (status != TEAK_RAFT_OK)
        broken("node %u does not start: %s; entries %" PRIu64 " to %" PRIu64 ", commit %" PRIu64 ", snapshot %" PRIu64
               ", applied %" PRIu64 ", %u configurations, %u runs", id, teak_raft_status_name(status), start.first,
               start.last.index, start.hard.commit, found.snapshot.index, start.applied, start.config_count,
               start.run_count);
    note("up", id, start.last.index, start.hard.term);
    return true;
}

static void close_store(struct fleet_node *node)
{
    node->store.ops->close(node->store.self);
    teak_abandon(node->engine);
    node->engine = NULL;
}

void launch_open(uint32_t id)
{
    static struct disk_fact found;
    struct fleet_node *node = node_of(id);
    struct teak_raft_start start = {.applied = 0};
    struct teak_error error = {0};
    launch_full(node, false);
    sim_set_faults(node->medium, (struct sim_faults){.seed = 0});
    if (!moor(node->medium, &node->engine, &node->store, &error)) say_why(id, &error);
    oracle_begin(id, survey(id, &node->store, &start, &found));
}

void launch_close(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    node->store.ops->close(node->store.self);
    assert_int_equal(teak_close(node->engine, NULL), TEAK_OK);
    node->engine = NULL;
}

void launch_up(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct teak_error error = {0};
    sim_set_faults(node->medium, (struct sim_faults){.seed = 0});
    const bool opens = moor(node->medium, &node->engine, &node->store, &error);
    if (!opens && !node->is_suspect) say_why(id, &error);
    if (!opens || !begin(id)) {
        fleet.totals->unreadable++;
        if (opens) close_store(node);
        launch_wipe(id);
        return;
    }
    node->wakes_at = node->disk_wakes_at = 0;
    launch_full(node, node->is_full && !fleet.is_calm);
    launch_faults(node);
    oracle_judge(id);
}

void launch_down(uint32_t id, bool is_power)
{
    struct fleet_node *node = node_of(id);
    clients_down(realm_of(id)->clients, id);
    teak_raft_fini(node->raft);
    free(node->block);
    node->block = node->raft = NULL;
    bodies_crash(node, is_power);
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

/* ------------------------------------------------------------------------------------------------- other, new disks */

static void wait_for(const struct teak_raft_log_store *store, enum teak_raft_status status)
{
    if (status == TEAK_RAFT_BUSY)
        store->ops->collect(store->self, 1000000, NULL, 0);
    else
        assert_int_equal(status, TEAK_RAFT_OK);
}

void launch_finish(uint32_t id)
{
    const struct fleet_node *node = node_of(id);
    struct teak_raft_completion done;
    while (node->store.ops->collect(node->store.self, 1000000, &done, 1) == 0) continue;
    assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
    oracle_durable(id, 0);
}

static void bootstrap(uint32_t id)
{
    struct teak_raft_member members[NODES];
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(NODES)];
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    for (uint32_t i = 0; i < fleet.shape->voters; i++)
        members[i] = (struct teak_raft_member){
            .id = i + 1, .born = fleet.shape->knows_born ? 101 + i : 0, .roles = TEAK_RAFT_VOTER,
            .priority = fleet.shape->has_priorities ? (uint8_t)(mix(fleet.seed, 900 + i) % 3) : 0};
    assert_int_equal(teak_raft_bootstrap(members, fleet.shape->voters, bytes, sizeof bytes, &entry, &job),
                     TEAK_RAFT_OK);
    turn_submit(id, &job);
    launch_finish(id);
}

static void make_log(uint32_t id, uint64_t born, bool is_founder)
{
    struct fleet_node *node = node_of(id);
    struct teak_raft_start start = {.applied = 0};
    struct teak_error error = {0};
    enum teak_raft_status status = TEAK_RAFT_BUSY;
    node->born = born;
    node->medium = sim_make(mix(mix(fleet.seed, 1000 + id), born));
    if (!moor(node->medium, &node->engine, &node->store, &error)) say_why(id, &error);
    const struct teak_raft_log_store *store = &node->store;
    while (status == TEAK_RAFT_BUSY) wait_for(store, status = store->ops->create(store->self, 0, born));
    status = TEAK_RAFT_BUSY;
    while (status == TEAK_RAFT_BUSY) wait_for(store, status = store->ops->start(store->self, 0, &start));
    if (is_founder) bootstrap(id);
    launch_close(id);
    launch_up(id);
}

void launch_join(uint32_t id, uint64_t born) { make_log(id, born, false); }

void launch_found(uint32_t id) { make_log(id, 100 + id, id <= fleet.shape->voters); }

void launch_lose(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    if (node->raft) launch_down(id, false);
    oracle_lose(id);
    bodies_clear(node);
    sim_free(node->medium);
    node->medium = NULL;
    node->is_full = node->is_suspect = false;
}

void launch_wipe(uint32_t id)
{
    launch_lose(id);
    fleet.totals->wipes++;
    note("wiped", id, node_of(id)->born, 0);
    make_log(id, 1000 + ++fleet.logs_born, false);
}

/* ---------------------------------------------------------------------------------------------------------- looking */

/* What a power cut now leaves of its disk; what rotted may not be worth anything: then it is as if it was gone. */
static const struct disk_fact *look_at(uint32_t id, struct disk_fact *found)
{
    const struct fleet_node *node = node_of(id);
    struct teak_raft_start start = {.incarnation = 1};
    struct teak_raft_log_store store;
    struct teak_store *engine;
    struct teak_error error = {0};
    struct sim_medium *copy = sim_cut(node->medium, SIM_POWER, &fleet.dice);
    bool is_read = false;
    if (moor(copy, &engine, &store, &error)) {
        is_read = survey(id, &store, &start, found) != UINT32_MAX;
        store.ops->close(store.self);
        teak_abandon(engine);
    } else if (!node->is_suspect) {
        say_why(id, &error);
    }
    sim_free(copy);
    return is_read ? found : &node->disk;
}

void launch_look(void)
{
    static struct disk_fact found[NODES];
    const struct disk_fact *disks[NODES] = {NULL};
    for (uint32_t id = 1; id <= fleet.seats; id++)
        if (node_of(id)->medium) disks[id - 1] = look_at(id, &found[id - 1]);
    for (uint32_t i = 0; i <= fleet.newest; i++) {
        oracle_judge_quorum(&fleet.realms[i], disks, "the power is cut on copies");
        note("looked", fleet.realms[i].committed, 0, 0);
    }
    fleet.totals->looks++;
}
