/* raft_meddle.c: see raft_meddle.h. */
#include "raft_meddle.h"

#include "core/core.h"
#include "raft_fleet_state.h"
#include "raft_launch.h"
#include "raft_oracle.h"
#include "raft_turn.h"

static void free_line(struct teak_raft_frame *frame) { free(frame); }

void meddle_propose(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct line {
        struct teak_raft_frame frame;
        uint8_t bytes[1024];
    };
    if (!node->raft || (fleet.committed > ENTRIES_STOP && !fleet.is_calm)) return;
    struct line *line = malloc(sizeof *line);
    assert_non_null(line);
    line->frame = (struct teak_raft_frame){.refs = 1, .bytes = sizeof *line, .free = free_line};
    const uint32_t bytes = below(8) == 0 ? below(1024) + 1 : below(60);
    seeded_fill(&fleet.dice, line->bytes, bytes);
    struct teak_raft_blob blobs[3];
    const uint32_t count = 1 + below(3);
    for (uint32_t i = 0; i < count; i++)
        blobs[i] = (struct teak_raft_blob){.data = line->bytes, .frame = &line->frame, .bytes = bytes,
                                           .kind = (uint8_t)(TEAK_RAFT_KIND_APPLICATION + i)};
    uint32_t taken = 0;
    const enum teak_raft_status status = teak_raft_propose(node->raft, blobs, count, fleet.tags + 1, &taken);
    teak_raft_drop(&line->frame);
    note("proposes", id, (uint64_t)status, taken);
    if (status == TEAK_RAFT_OK) {
        fleet.tags += taken;
        node->open += taken;
        fleet.totals->proposals += taken;
    }
    oracle_judge(id);
    turn_drain(id);
}

static void ask(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    uint64_t tag = 0;
    while (tag < READS_MAX && node->reads[tag] != 0) tag++;
    if (tag == READS_MAX) return;
    const enum teak_raft_status status = teak_raft_read(node->raft, tag, TEAK_RAFT_READ_INDEX);
    note("asks", id, (uint64_t)status, tag);
    if (status == TEAK_RAFT_OK) {
        node->reads[tag] = fleet.committed + 1;
        node->open_reads++;
        fleet.totals->reads++;
    }
    turn_drain(id);
}

/* Another set than the one in force: somebody comes, votes, or goes. */
static void change(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct teak_raft_member members[NODES];
    struct teak_raft_set set;
    teak_raft_config(node->raft, &set);
    if (set.joint) return;
    const uint32_t who = 1 + below(fleet.shape->nodes);
    uint32_t count = 0;
    bool was_member = false;
    for (uint32_t i = 0; i < set.count; i++) {
        struct teak_raft_member member = set.members[i];
        if (member.id == who) {
            was_member = true;
            if (below(2) == 0) continue; /* it goes */
            member.roles = member.roles == TEAK_RAFT_VOTER ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER;
        }
        members[count++] = member;
    }
    if (!was_member) {
        uint32_t place = count++;
        for (; place > 0 && members[place - 1].id > who; place--) members[place] = members[place - 1];
        members[place] = (struct teak_raft_member){.id = who, .born = 100 + who, .roles = TEAK_RAFT_LEARNER};
    }
    if (count == 0) return;
    const enum teak_raft_status status = teak_raft_change(node->raft, set.index, members, count);
    if (status == TEAK_RAFT_MISUSE || status == TEAK_RAFT_CHANGED) broken("a change is called %d", (int)status);
    fleet.totals->changes += status == TEAK_RAFT_OK;
    note("changes", id, who, (uint64_t)status);
    oracle_judge(id);
    turn_drain(id);
}

void meddle_with(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct fleet_shape *shape = fleet.shape;
    if (strikes(shape->propose_one_in)) meddle_propose(id);
    if (strikes(shape->read_one_in)) ask(id);
    if (strikes(shape->transfer_one_in)) note("hands over", id, (uint64_t)teak_raft_transfer(node->raft, 0), 0);
    if (strikes(shape->campaign_one_in)) note("campaigns", id, (uint64_t)teak_raft_campaign(node->raft), 0);
    if (node->raft->role == TEAK_RAFT_LEADER && strikes(shape->change_one_in)) change(id);
    if (strikes(shape->pause_one_in)) node->wakes_at = fleet.now + below(4 * ELECTION);
    if (strikes(shape->stall_one_in)) node->disk_wakes_at = fleet.now + below(4 * ELECTION);
    if (strikes(shape->fill_one_in)) launch_full(node, !node->is_full);
    if (strikes(shape->cut_power_one_in))
        launch_down(id, true);
    else if (strikes(shape->kill_one_in))
        launch_down(id, false);
}
