/* raft_disaster.c: see raft_disaster.h. */
#include "raft_disaster.h"

#include "raft_bodies.h"
#include "raft_copies.h"
#include "raft_launch.h"
#include "raft_oracle.h"
#include "raft_turn.h"

enum fate { LEFT, LOST, THOUGHT_DEAD };

/* What an operator finds out about one that is left. */
struct finding {
    struct teak_raft_recovered report;
    uint64_t term_of_commit;
};

static uint64_t term_at(const struct disk_fact *disk, uint64_t index)
{
    if (index == 0) return 0;
    if (index == disk->snapshot.index) return disk->snapshot.term;
    return index > disk->base && index <= disk->last ? disk->entries[index].term : 0;
}

/* The job by which a node would go on, with some of the new ones as learners. */
static enum teak_raft_status plan(uint32_t id, const uint64_t *born, uint32_t learners, uint8_t *bytes,
                                  struct teak_raft_entry *entry, struct teak_raft_job *job,
                                  struct teak_raft_recovered *report)
{
    const struct fleet_node *node = node_of(id);
    struct teak_raft_member members[NODES];
    struct teak_raft_start start = {.applied = node->kept.applied, .incarnation = ++fleet.runs};
    const struct teak_raft_options options = launch_options(id);
    members[0] = (struct teak_raft_member){.id = id, .born = node->born, .roles = TEAK_RAFT_VOTER};
    for (uint32_t i = 0; i < learners; i++)
        members[1 + i] = (struct teak_raft_member){
            .id = fleet.seats + 1 + i, .born = born[i], .roles = TEAK_RAFT_LEARNER};
    struct teak_raft_recovery recovery = {.members = members, .count = 1 + learners, .bytes = bytes,
                                          .capacity = TEAK_RAFT_CONFIG_BYTES(NODES)};
    launch_name(1, recovery.cluster);
    assert_int_equal(node->store.ops->start(node->store.self, 0, &start), TEAK_RAFT_OK);
    return teak_raft_recover(&options, &start, &recovery, entry, job, report);
}

/* It is down from now on. False: there is nothing in its log. */
static bool look_into(uint32_t id, struct finding *out)
{
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(NODES)];
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    if (node_of(id)->raft) launch_down(id, below(2) == 0);
    launch_open(id);
    const enum teak_raft_status status = plan(id, NULL, 0, bytes, &entry, &job, &out->report);
    const bool is_empty = node_of(id)->disk.last == 0;
    if (status != (is_empty ? TEAK_RAFT_DAMAGED : TEAK_RAFT_OK))
        broken("node %u cannot be recovered: %s", id, teak_raft_status_name(status));
    launch_close(id);
    if (is_empty) return false;
    out->term_of_commit = term_at(&node_of(id)->disk, out->report.committed);
    return true;
}

static bool has(uint32_t id, uint64_t index, uint64_t term)
{
    const struct disk_fact *disk = &node_of(id)->disk;
    return index <= disk->base || term_at(disk, index) == term;
}

static bool is_ahead(struct teak_raft_pos a, struct teak_raft_pos b)
{
    return a.term > b.term || (a.term == b.term && a.index > b.index);
}

/* Of those that have what any of them knows to be committed, the one with the highest last term, and of these the one
 * with the longest log. 0: none. */
static uint32_t choose(const enum fate *fates, struct finding *findings)
{
    uint32_t wisest = 0, best = 0;
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        if (fates[id] != LEFT || !look_into(id, &findings[id])) continue;
        if (wisest == 0 || findings[id].report.committed > findings[wisest].report.committed) wisest = id;
    }
    for (uint32_t id = 1; id <= fleet.seats && wisest != 0; id++) {
        const struct finding *known = &findings[wisest];
        if (fates[id] != LEFT || node_of(id)->disk.last == 0) continue;
        if (!fleet.shape->takes_worst && !has(id, known->report.committed, known->term_of_commit)) continue;
        const bool is_better = best == 0 || is_ahead(findings[id].report.last, findings[best].report.last);
        if (best == 0 || is_better != fleet.shape->takes_worst) best = id;
    }
    return best;
}

/* It is done when it is durable. If the power goes before, the operator looks, and does it again where it is not. */
static void recover(uint32_t id, const uint64_t *born, uint32_t learners)
{
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(NODES)];
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    struct teak_raft_recovered report;
    struct fleet_node *node = node_of(id);
    const uint64_t last = node->disk.last;
    for (uint32_t tries = 0; node->disk.last == last; tries++) {
        launch_open(id);
        if (node->disk.last == last) {
            assert_int_equal(plan(id, born, learners, bytes, &entry, &job, &report), TEAK_RAFT_OK);
            turn_submit(id, &job);
            if (tries < 3 && below(2) == 0) {
                launch_down(id, true);
                fleet.totals->again++;
                continue;
            }
            launch_finish(id);
        }
        launch_close(id);
    }
}

/* The sound ones of them are left, or nobody is. */
static void draw_fates(enum fate *fates)
{
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        const uint32_t throw = below(4);
        fates[id] = throw == 0 ? THOUGHT_DEAD : throw == 1 || node_of(id)->is_suspect ? LOST : LEFT;
    }
}

/* Of a disk that is lost there may be a copy, with something in it. */
static void put_copies_back(enum fate *fates)
{
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        const struct copy *copy = node_of(id)->copy;
        if (fates[id] == LOST && copy && copy->disk.last > 0 && below(2) == 0 && copies_put_back(id, false))
            fates[id] = LEFT;
    }
}

/* They come with empty logs, under new ids. */
static void join(const uint64_t *born)
{
    const uint32_t old = fleet.seats;
    fleet.seats = NODES;
    for (uint32_t id = old + 1; id <= NODES; id++) {
        node_of(id)->realm = 1;
        launch_join(id, born[id - old - 1]);
    }
}

void disaster_strike(void)
{
    enum fate fates[NODES + 1];
    struct finding findings[NODES + 1];
    uint64_t born[NODES];
    draw_fates(fates);
    put_copies_back(fates);
    const uint32_t best = choose(fates, findings);
    if (best == 0) return;
    note("a majority is gone", best, findings[best].report.last.index, findings[best].report.committed);
    for (uint32_t i = 0; i < NODES; i++) born[i] = 1000 + ++fleet.logs_born;
    uint32_t left = 0;
    uint64_t known = 0;
    for (uint32_t id = 1; id <= fleet.seats; id++) {
        if (fates[id] != LEFT) continue;
        left |= UINT32_C(1) << id;
        if (node_of(id)->disk.last > 0) known = max_of(known, findings[id].report.committed);
    }
    recover(best, born, below(NODES - fleet.seats + 1));
    oracle_refound(best, left, known);
    copies_drop(node_of(best));
    fleet.realms[1].clients =
        clients_begin(mix(fleet.seed, 79), (enum linear_model)(fleet.seed % LINEAR_MODEL_COUNT), CLIENTS_KIND + 1,
                      fleet.realms[1].committed, fleet.shape->mistake);
    for (uint32_t id = 1; id <= fleet.seats; id++)
        if (fates[id] != THOUGHT_DEAD && id != best) {
            copies_drop(node_of(id));
            launch_lose(id);
        }
    fleet.newest = 1;
    fleet.totals->disasters++;
    join(born);
}
