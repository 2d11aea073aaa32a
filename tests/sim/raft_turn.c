/* raft_turn.c: see raft_turn.h. */
#include "raft_turn.h"

#include "core/core.h"
#include "raft_fleet_state.h"
#include "raft_network.h"
#include "raft_oracle.h"

void turn_submit(uint32_t id, const struct teak_raft_job *job)
{
    struct fleet_node *node = node_of(id);
    if (node->job_count == JOBS_MAX || job->count > SPAN_MAX) broken("node %u hands out too much", id);
    struct job_fact *fact = &node->jobs[node->job_count++];
    *fact = (struct job_fact){.token = job->token, .cut_from = job->cut_from, .hard = job->hard, .count = job->count,
                              .first = job->count > 0 ? job->entries[0].index : 0};
    for (uint32_t i = 0; i < job->count; i++) fact->entries[i] = oracle_fact(&job->entries[i]);
    fleet.totals->jobs++;
    note("job", id, job->token, job->after_last.index);
    if (node->store.ops->submit(node->store.self, 0, job) != TEAK_RAFT_OK) broken("a job of node %u is refused", id);
}

void turn_drain(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    uint32_t want = DRIVEN;
    if (!node->store.ops->takes(node->store.self)) want &= ~(uint32_t)TEAK_RAFT_PERSIST;
    if (fleet.shape->wants_less && !fleet.is_calm) want &= ~(below(16) == 0 ? (uint32_t)TEAK_RAFT_APPLY : 0u);
    if (fleet.shape->wants_less && !fleet.is_calm) want &= ~(below(16) == 0 ? (uint32_t)TEAK_RAFT_PERSIST : 0u);
    for (uint32_t turns = 0; teak_raft_has_ready(node->raft); turns++) {
        struct teak_raft_ready ready;
        if (teak_raft_ready(node->raft, want, &ready) != TEAK_RAFT_OK) broken("node %u has no ready", id);
        const bool is_empty = !ready.job && ready.send_count + ready.fetch_count + ready.done_count == 0 &&
                              ready.event_count + ready.read_count == 0 && ready.apply.upto == 0;
        if (is_empty && want != DRIVEN) return;
        if (is_empty || turns > 1000) broken("node %u is never done", id);
        for (uint32_t i = 0; i < ready.done_count; i++) oracle_done(id, &ready.done[i]);
        for (uint32_t i = 0; i < ready.read_count; i++) oracle_read(id, &ready.reads[i]);
        if (ready.job) turn_submit(id, ready.job);
        for (uint32_t i = 0; i < ready.send_count; i++) network_post(&ready.send[i]);
        for (uint32_t i = 0; i < ready.fetch_count; i++) {
            fleet.totals->fetches++;
            if (node->store.ops->fetch(node->store.self, 0, &ready.fetch[i]) != TEAK_RAFT_OK) broken("no fetch");
        }
        if (ready.apply.upto == 0) continue;
        oracle_apply(id, &ready.apply);
        const enum teak_raft_status status = teak_raft_applied(node->raft, node->applied);
        if (status != TEAK_RAFT_OK) broken("node %u calls applied %s", id, teak_raft_status_name(status));
        oracle_judge(id);
    }
}

static void tell(uint32_t id, const struct teak_raft_completion *done)
{
    struct fleet_node *node = node_of(id);
    note("told", id, (uint64_t)done->kind * 10 + (uint64_t)done->outcome, done->number);
    if (done->kind == TEAK_RAFT_JOB_DONE) {
        if (done->outcome == TEAK_RAFT_DURABLE) oracle_durable(node, done->number);
        if (done->outcome == TEAK_RAFT_NO_ROOM) oracle_refused(node, done->number), fleet.totals->refusals++;
        if (done->outcome == TEAK_RAFT_POISONED && fleet.shape->fail_one_in == 0) broken("node %u is poisoned", id);
    }
    if (done->kind == TEAK_RAFT_FETCH_DONE && done->outcome == TEAK_RAFT_CORRUPT && fleet.shape->fail_one_in == 0)
        broken("node %u cannot read its log", id);
    const enum teak_raft_status status = teak_raft_tell(node->raft, done);
    if (status != TEAK_RAFT_OK && status != TEAK_RAFT_HALTED)
        broken("node %u calls a completion %s", id, teak_raft_status_name(status));
    oracle_judge(id);
}
enum turn_end turn_take(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    if (node->disk_wakes_at <= fleet.now && (fleet.is_calm || below(fleet.shape->disk_one_in) == 0)) {
        struct teak_raft_completion done[8];
        berth_pause(node->engine, 1000000); /* its clock goes on, too */
        static const uint64_t waits[] = {0, 20000, 200000, 1000000};
        const uint32_t count = node->store.ops->collect(node->store.self, waits[below(4)], done, 8);
        for (uint32_t i = 0; i < count; i++) tell(id, &done[i]);
    }
    const enum teak_raft_status status = teak_raft_tick(node->raft, fleet.now);
    if (status == TEAK_RAFT_HALTED) {
        if (fleet.shape->fail_one_in == 0) broken("node %u halted", id);
        fleet.totals->poisoned++;
        return TURN_HALTED;
    }
    oracle_judge(id);
    turn_drain(id);
    if (!node->raft->rotten) return TURN_DONE;
    if (fleet.shape->fail_one_in == 0) broken("node %u found its log rotten", id);
    fleet.totals->rotten++; /* a read failed: it leads no more, until somebody starts it again */
    return TURN_ROTTEN;
}
