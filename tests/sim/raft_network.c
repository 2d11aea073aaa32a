/* raft_network.c: see raft_network.h. */
#include "raft_network.h"

#include "core/core.h"
#include "core/peers.h"
#include "raft_fleet_state.h"
#include "raft_oracle.h"
#include "raft_turn.h"

static void free_parcel(struct teak_raft_frame *frame) { free(frame); }

static uint8_t *take_along(uint8_t *to, const uint8_t **data, uint32_t bytes)
{
    if (bytes > 0) memcpy(to, *data, bytes);
    *data = to;
    return to + bytes;
}

/* The bytes travel along. */
static struct parcel_on_its_way *wrap(const struct teak_raft_msg *msg)
{
    uint64_t bytes = msg->chunk ? msg->chunk->bytes : 0;
    for (uint32_t i = 0; i < msg->count; i++) bytes += msg->entries[i].bytes;
    const uint64_t head = sizeof(struct parcel_on_its_way) + msg->count * sizeof(struct teak_raft_entry);
    struct parcel_on_its_way *parcel = malloc(head + bytes);
    assert_non_null(parcel);
    *parcel = (struct parcel_on_its_way){
        .frame = {.refs = 1, .bytes = (uint32_t)(head + bytes), .free = free_parcel}, .msg = *msg};
    uint8_t *to = (uint8_t *)parcel + head;
    for (uint32_t i = 0; i < msg->count; i++) {
        parcel->entries[i] = msg->entries[i];
        parcel->entries[i].tag = 0;
        parcel->entries[i].frame = &parcel->frame;
        to = take_along(to, &parcel->entries[i].data, msg->entries[i].bytes);
    }
    parcel->msg.entries = msg->count > 0 ? parcel->entries : NULL;
    if (!msg->chunk) return parcel;
    parcel->msg.chunk = &parcel->chunk;
    parcel->chunk = *msg->chunk;
    parcel->chunk.frame = &parcel->frame;
    (void)take_along(to, &parcel->chunk.data, msg->chunk->bytes);
    memcpy(parcel->config, msg->chunk->snapshot.config, msg->chunk->snapshot.config_bytes);
    parcel->chunk.snapshot.config = parcel->config;
    return parcel;
}

static void put_on_its_way(struct parcel_on_its_way *parcel)
{
    if (fleet.net_count == NET_MAX) { /* the network is full: the oldest is lost */
        teak_raft_drop(&fleet.net[0].parcel->frame);
        memmove(fleet.net, fleet.net + 1, --fleet.net_count * sizeof fleet.net[0]);
    }
    teak_raft_hold(&parcel->frame);
    fleet.net[fleet.net_count++] =
        (struct on_its_way){.due = fleet.now + 1 + below(fleet.is_calm ? 3 : fleet.shape->delay_max), .parcel = parcel};
}

void network_post(const struct teak_raft_msg *msg)
{
    if (msg->to == 0 || msg->to > fleet.seats) broken("a message to nobody");
    oracle_judge_message(msg);
    fleet.totals->messages++;
    note("sends", msg->from * 10 + msg->to, (uint64_t)msg->type * 1000 + msg->count, msg->index);
    if (fleet.cut[msg->from - 1][msg->to - 1]) return;
    if (!fleet.is_calm && below(1000) < fleet.shape->lose) {
        fleet.totals->lost++;
        return;
    }
    struct parcel_on_its_way *parcel = wrap(msg);
    put_on_its_way(parcel);
    if (!fleet.is_calm && below(1000) < fleet.shape->repeat) {
        fleet.totals->repeated++;
        put_on_its_way(parcel);
    }
    teak_raft_drop(&parcel->frame);
}

/* Of another cluster: nobody listens. */
static bool is_foreign(const struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    return memcmp(msg->cluster, raft->options.cluster, sizeof msg->cluster) != 0;
}

/* Under an id of its configuration comes another log: it has to say so. */
static bool is_another(const struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    const uint32_t slot = slot_of(raft, msg->from);
    return !raft->halted && !is_foreign(raft, msg) && slot != NO_SLOT && config_members(raft)[slot].born != 0 &&
           config_members(raft)[slot].born != msg->born;
}

static void give(const struct teak_raft_msg *msg)
{
    const uint32_t id = (uint32_t)msg->to;
    struct fleet_node *to = node_of(id);
    if (!to->raft || fleet.cut[msg->from - 1][id - 1]) return;
    const uint64_t strangers = fleet.totals->strangers + is_another(to->raft, msg);
    const enum teak_raft_status status = teak_raft_receive(to->raft, msg);
    if (status != TEAK_RAFT_OK && status != TEAK_RAFT_DROPPED && status != TEAK_RAFT_HALTED)
        broken("node %u calls a message of type %u %s", id, msg->type, teak_raft_status_name(status));
    fleet.totals->foreign += is_foreign(to->raft, msg);
    if (is_foreign(to->raft, msg) && status == TEAK_RAFT_OK) broken("node %u listens to another cluster", id);
    oracle_judge(id);
    turn_drain(id);
    if (fleet.totals->strangers < strangers) broken("node %u does not see that %" PRIu64 " is another", id, msg->from);
}

/* It waits in a link that is clogged, and before a process that stands still. */
static bool waits(const struct on_its_way *one)
{
    const struct teak_raft_msg *msg = &one->parcel->msg;
    const struct fleet_node *to = node_of(msg->to);
    return max_of(one->due, fleet.clogged_until[msg->from - 1][msg->to - 1]) > fleet.now ||
           (to->raft && to->wakes_at > fleet.now);
}

void network_deliver(void)
{
    for (uint32_t i = 0; i < fleet.net_count;) {
        const struct on_its_way one = fleet.net[i];
        if (waits(&one)) {
            i++;
            continue;
        }
        memmove(fleet.net + i, fleet.net + i + 1, (--fleet.net_count - i) * sizeof fleet.net[0]);
        give(&one.parcel->msg);
        teak_raft_drop(&one.parcel->frame);
    }
}

void network_heal(void)
{
    memset(fleet.cut, 0, sizeof fleet.cut);
    memset(fleet.clogged_until, 0, sizeof fleet.clogged_until);
}

void network_break(void)
{
    const uint32_t nodes = fleet.seats;
    if (strikes(fleet.shape->cut_link_one_in)) {
        const uint32_t who = below(nodes), way = below(3);
        note("cut", who + 1, way, 0);
        for (uint32_t i = 0; i < nodes; i++) { /* one way, both ways, or a single link */
            if (way == 2 && i != fleet.now % nodes) continue;
            fleet.cut[who][i] = true;
            if (way == 1) fleet.cut[i][who] = true;
        }
    }
    if (strikes(fleet.shape->clog_one_in)) {
        const uint32_t from = below(nodes), to = below(nodes);
        fleet.clogged_until[from][to] = fleet.now + below(4 * ELECTION);
        note("clogged", from + 1, to + 1, fleet.clogged_until[from][to]);
    }
    if (strikes(fleet.shape->heal_one_in)) network_heal();
}
