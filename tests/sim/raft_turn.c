/* raft_turn.c: see raft_turn.h. */
#include "raft_turn.h"

#include "core/core.h"
#include "raft_bodies.h"
#include "raft_fleet_state.h"
#include "raft_network.h"
#include "raft_oracle.h"

enum { DRAIN_MAX = 100000 };

void turn_submit(uint32_t id, const struct teak_raft_job *job)
{
    struct fleet_node *node = node_of(id);
    oracle_submit(id, job);
    fleet.totals->jobs++;
    fleet.totals->compactions += job->compact_to != 0;
    note("job", id, job->token, job->after_last.index);
    if (node->store.ops->submit(node->store.self, 0, job) != TEAK_RAFT_OK) broken("a job of node %u is refused", id);
}

/* What a driver can take now. */
static uint32_t wanted_of(const struct fleet_node *node)
{
    uint32_t want = TEAK_RAFT_ALL;
    if (!node->store.ops->takes(node->store.self)) want &= ~(uint32_t)TEAK_RAFT_PERSIST;
    if (!fleet.shape->wants_less || fleet.is_calm) return want;
    if (below(16) == 0) want &= ~(uint32_t)TEAK_RAFT_APPLY;
    if (below(16) == 0) want &= ~(uint32_t)TEAK_RAFT_PERSIST;
    if (below(16) == 0) want &= ~(uint32_t)TEAK_RAFT_SNAP;
    if (below(16) == 0) want &= ~(uint32_t)TEAK_RAFT_FETCH;
    if (below(16) == 0) want &= ~(uint32_t)TEAK_RAFT_SEND;
    return want;
}

/* Into the state machine; what its disk has of it then depends on what kind it is. */
static void apply(uint32_t id, const struct teak_raft_apply *given)
{
    struct fleet_node *node = node_of(id);
    if (given->restore) {
        const struct body *body = bodies_find(node, given->restore);
        if (!body) broken("node %u restores what is not here, %" PRIu64, id, given->restore->pos.index);
        oracle_restore(id, body);
        fleet.totals->restores++;
        note("restores", id, node->machine.applied, 0);
    }
    oracle_apply(id, given);
    clients_apply(realm_of(id)->clients, id, given);
    const bool is_kept = fleet.shape->memory == FLEET_REMEMBERS ||
                         (fleet.shape->memory == FLEET_CHECKPOINTS && below(16) == 0);
    if (is_kept) node->kept = node->machine;
}

static bool is_empty(const struct teak_raft_ready *ready)
{
    return !ready->job && ready->apply.upto == 0 &&
           ready->send_count + ready->fetch_count + ready->snap_count + ready->done_count + ready->event_count +
                   ready->read_count == 0;
}

static void hand_out(uint32_t id, const struct teak_raft_ready *ready)
{
    const struct fleet_node *node = node_of(id);
    for (uint32_t i = 0; i < ready->event_count; i++) oracle_event(id, &ready->events[i]);
    for (uint32_t i = 0; i < ready->done_count; i++) oracle_done(id, &ready->done[i]);
    for (uint32_t i = 0; i < ready->done_count; i++) clients_done(realm_of(id)->clients, id, &ready->done[i]);
    for (uint32_t i = 0; i < ready->read_count; i++) oracle_read(id, &ready->reads[i]);
    for (uint32_t i = 0; i < ready->read_count; i++)
        clients_answer(realm_of(id)->clients, id, &ready->reads[i], node->raft->role == TEAK_RAFT_LEADER);
    if (ready->job) turn_submit(id, ready->job);
    for (uint32_t i = 0; i < ready->send_count; i++) network_post(&ready->send[i]);
    for (uint32_t i = 0; i < ready->snap_count; i++) bodies_ask(id, &ready->snap[i]);
    for (uint32_t i = 0; i < ready->fetch_count; i++) {
        fleet.totals->fetches++;
        if (node->store.ops->fetch(node->store.self, 0, &ready->fetch[i]) != TEAK_RAFT_OK) broken("no fetch");
    }
    if (ready->apply.upto != 0) apply(id, &ready->apply);
}

void turn_drain(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const uint32_t want = wanted_of(node);
    (void)teak_raft_tick(node->raft, clock_of(node)); /* it says HALTED once more in the node's turn */
    oracle_judge(id);
    for (uint32_t turns = 0; teak_raft_has_ready(node->raft); turns++) {
        struct teak_raft_ready ready;
        if (teak_raft_ready(node->raft, want, &ready) != TEAK_RAFT_OK) broken("node %u has no ready", id);
        if (is_empty(&ready) && want != TEAK_RAFT_ALL) return;
        if (is_empty(&ready) || turns > DRAIN_MAX) broken("node %u is never done", id);
        const bool applies = ready.apply.upto != 0;
        hand_out(id, &ready);
        if (!applies) continue;
        const enum teak_raft_status status = teak_raft_applied(node->raft, node->machine.applied);
        if (status != TEAK_RAFT_OK) broken("node %u calls applied %s", id, teak_raft_status_name(status));
        oracle_judge(id);
    }
}

/* May this disk fail? */
static bool may_fail(const struct fleet_node *node) { return fleet.shape->fail_one_in > 0 || node->is_suspect; }

static void tell(uint32_t id, const struct teak_raft_completion *done)
{
    struct fleet_node *node = node_of(id);
    note("told", id, (uint64_t)done->kind * 10 + (uint64_t)done->outcome, done->number);
    if (done->kind == TEAK_RAFT_JOB_DONE) {
        if (done->outcome == TEAK_RAFT_DURABLE) oracle_durable(id, done->number);
        if (done->outcome == TEAK_RAFT_NO_ROOM) oracle_refused(node, done->number), fleet.totals->refusals++;
        if (done->outcome == TEAK_RAFT_POISONED && !may_fail(node)) broken("node %u is poisoned", id);
    }
    /* A fetch that ends in CORRUPT may be one that nobody wants any more: what it asks for is compacted. Else the node
     * finds its log rotten. */
    const enum teak_raft_status status = teak_raft_tell(node->raft, done);
    if (status != TEAK_RAFT_OK && status != TEAK_RAFT_HALTED)
        broken("node %u calls a completion %s", id, teak_raft_status_name(status));
    bodies_sweep(node);
    oracle_judge(id);
}

static void drive_disk(uint32_t id)
{
    static const uint64_t waits[] = {0, 20000, 200000, 1000000};
    const struct fleet_node *node = node_of(id);
    struct teak_raft_completion done[8];
    berth_pause(node->engine, 1000000); /* its clock goes on, too */
    const uint32_t count = node->store.ops->collect(node->store.self, waits[below(4)], done, 8);
    for (uint32_t i = 0; i < count; i++) tell(id, &done[i]);
    bodies_work(id);
}

enum turn_end turn_take(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    if (node->disk_wakes_at <= fleet.now && (fleet.is_calm || below(fleet.shape->disk_one_in) == 0)) drive_disk(id);
    const enum teak_raft_status status = teak_raft_tick(node->raft, clock_of(node));
    if (status == TEAK_RAFT_HALTED) {
        if (!may_fail(node)) broken("node %u halted", id);
        turn_drain(id); /* what it still has to answer, and a leader's last word */
        fleet.totals->poisoned++;
        return TURN_HALTED;
    }
    turn_drain(id);
    if (!node->raft->rotten) return TURN_DONE;
    if (!may_fail(node)) broken("node %u found its log rotten", id);
    fleet.totals->rotten++; /* a read failed: it leads no more, until somebody starts it again */
    return TURN_ROTTEN;
}
