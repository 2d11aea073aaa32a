/* raft_meddle.c: see raft_meddle.h. */
#include "raft_meddle.h"

#include "core/core.h"
#include "raft_bodies.h"
#include "raft_copies.h"
#include "raft_fleet_state.h"
#include "raft_launch.h"
#include "raft_oracle.h"
#include "raft_turn.h"

struct line {
    struct teak_raft_frame frame;
    uint8_t bytes[1024];
};

static void free_line(struct teak_raft_frame *frame) { free(frame); }

static struct line *make_line(void)
{
    struct line *line = malloc(sizeof *line);
    assert_non_null(line);
    line->frame = (struct teak_raft_frame){.refs = 1, .bytes = sizeof *line, .free = free_line};
    return line;
}

void meddle_propose(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    if (!node->raft || (realm_of(id)->committed > ENTRIES_STOP && !fleet.is_calm)) return;
    struct line *line = make_line();
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
    while (tag < READS_MAX && node->reads[tag].committed != 0) tag++;
    if (tag == READS_MAX) return;
    const bool by_lease = below(2) == 0 || fleet.shape->breaks_bound; /* others wait where a leader is cut off */
    const enum teak_raft_status status =
        teak_raft_read(node->raft, tag, by_lease ? TEAK_RAFT_READ_LEASE : TEAK_RAFT_READ_INDEX);
    note("asks", id, (uint64_t)status, tag);
    if (status == TEAK_RAFT_OK) {
        node->reads[tag] = (struct asked_read){.committed = realm_of(id)->committed + 1, .by_lease = by_lease};
        node->open_reads++;
        fleet.totals->reads++;
    }
    if (below(4) != 0) turn_drain(id); /* else the time goes on before it is told, and maybe the process stands still */
}

static enum teak_raft_status propose_text(struct teak_raft *raft, uint32_t realm, const struct clients_call *call)
{
    struct line *line = make_line();
    uint32_t taken = 0;
    memcpy(line->bytes, call->text, strlen(call->text));
    const struct teak_raft_blob blob = {.data = line->bytes, .frame = &line->frame,
                                        .bytes = (uint32_t)strlen(call->text), .kind = (uint8_t)(CLIENTS_KIND + realm)};
    const enum teak_raft_status status = teak_raft_propose(raft, &blob, 1, call->tag, &taken);
    teak_raft_drop(&line->frame);
    return status;
}

static void come(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct clients_call call;
    const bool leads = node->raft->role == TEAK_RAFT_LEADER && realm_of(id)->committed <= ENTRIES_STOP;
    if (!clients_come(realm_of(id)->clients, id, leads, fleet.tags + 1, &call) || call.is_over) return;
    const enum teak_raft_status status =
        call.is_read ? teak_raft_read(node->raft, call.tag, call.mode) : propose_text(node->raft, node->realm, &call);
    note(call.is_read ? "a client asks" : "a client writes", id, (uint64_t)status, call.tag);
    if (status != TEAK_RAFT_OK) {
        clients_refused(realm_of(id)->clients, &call);
    } else if (call.is_read) {
        node->open_reads++;
    } else {
        fleet.tags++;
        node->open++;
        fleet.totals->proposals++;
    }
    oracle_judge(id);
    turn_drain(id);
}

/* ------------------------------------------------------------------------------------------------------- membership */

/* Somebody comes, votes, or goes. */
static uint32_t turn_over(uint32_t who, struct teak_raft_member *members, uint32_t count)
{
    uint32_t at = 0;
    while (at < count && members[at].id < who) at++;
    const bool is_member = at < count && members[at].id == who;
    if (!is_member) {
        memmove(members + at + 1, members + at, (count - at) * sizeof members[0]);
        members[at] = (struct teak_raft_member){.id = who, .born = node_of(who)->born, .roles = TEAK_RAFT_LEARNER};
        return count + 1;
    }
    const bool is_another = members[at].born != 0 && members[at].born != node_of(who)->born;
    if (!is_another && below(2) == 0) {
        members[at].roles = members[at].roles == TEAK_RAFT_VOTER ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER;
        return count;
    }
    memmove(members + at, members + at + 1, (count - at - 1) * sizeof members[0]);
    return count - 1;
}

static void ask_for(uint32_t id, uint64_t seen, const struct teak_raft_member *members, uint32_t count)
{
    if (count == 0 || !oracle_may_have(realm_of(id), members, count)) return;
    const enum teak_raft_status status = teak_raft_change(node_of(id)->raft, seen, members, count);
    if (status == TEAK_RAFT_MISUSE || status == TEAK_RAFT_CHANGED) broken("a change is called %d", (int)status);
    fleet.totals->changes += status == TEAK_RAFT_OK;
    note("changes", id, count, (uint64_t)status);
    oracle_judge(id);
    turn_drain(id);
}

/* Another set than the one in force, by one member or several. */
static void change(uint32_t id)
{
    struct teak_raft_member members[NODES + 1];
    struct teak_raft_set set;
    teak_raft_config(node_of(id)->raft, &set);
    if (set.joint) return;
    uint32_t count = set.count, first = below(fleet.seats);
    memcpy(members, set.members, count * sizeof members[0]);
    const uint32_t others = below(4) == 0 ? 1 + below(3) : 1;
    for (uint32_t i = 0; i < others && i < fleet.seats; i++) {
        const uint32_t who = 1 + (first + i) % fleet.seats;
        if (node_of(who)->medium && realm_of(who) == realm_of(id)) count = turn_over(who, members, count);
    }
    ask_for(id, set.index, members, count);
}

bool meddle_repair(uint32_t id)
{
    struct teak_raft_member members[NODES];
    struct teak_raft_set set;
    uint32_t count = 0;
    teak_raft_config(node_of(id)->raft, &set);
    for (uint32_t i = 0; i < set.count; i++) {
        const uint64_t born = set.members[i].born;
        if (born == 0 || born == node_of(set.members[i].id)->born) members[count++] = set.members[i];
    }
    if (count == set.count) return true;
    if (!set.joint) ask_for(id, set.index, members, count);
    return false;
}

/* -------------------------------------------------------------------------------------------------------- accidents */

static void rot(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct sim_decay decay = {.offset = 0};
    if (node->is_suspect || !oracle_may_lose(id) || !sim_decay(node->medium, &fleet.dice, &decay)) return;
    node->is_suspect = true;
    fleet.totals->decayed++;
    note("rots", id, decay.offset, 0);
}

void meddle_with(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct fleet_shape *shape = fleet.shape;
    if (strikes(shape->propose_one_in)) meddle_propose(id);
    if (strikes(shape->read_one_in)) ask(id);
    if (strikes(shape->client_one_in)) come(id);
    if (strikes(shape->drift_one_in)) launch_drift(node);
    if (strikes(shape->snapshot_one_in)) bodies_take(id);
    if (strikes(shape->transfer_one_in)) {
        const enum teak_raft_status status = teak_raft_transfer(node->raft, below(fleet.seats + 1));
        fleet.totals->transfers += status == TEAK_RAFT_OK;
        note("hands over", id, (uint64_t)status, 0);
    }
    if (strikes(shape->campaign_one_in)) note("campaigns", id, (uint64_t)teak_raft_campaign(node->raft), 0);
    if (node->raft->role == TEAK_RAFT_LEADER && strikes(shape->change_one_in)) change(id);
    if (strikes(shape->pause_one_in)) node->wakes_at = fleet.now + below(4 * ELECTION);
    if (strikes(shape->stall_one_in)) node->disk_wakes_at = fleet.now + below(4 * ELECTION);
    if (strikes(shape->fill_one_in)) launch_full(node, !node->is_full);
    if (strikes(shape->rot_one_in)) rot(id);
    if (strikes(shape->wipe_one_in) && oracle_may_lose(id)) launch_wipe(id);
    if (strikes(shape->copy_one_in)) copies_take(id);
    if (strikes(shape->put_back_one_in) && (shape->puts_back_raw || oracle_may_lose(id)))
        (void)copies_put_back(id, shape->puts_back_raw);
    if (strikes(shape->cut_power_one_in))
        launch_down(id, true);
    else if (strikes(shape->kill_one_in))
        launch_down(id, false);
}
