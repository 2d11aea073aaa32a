/* raft_bodies.c: see raft_bodies.h. */
#include "raft_bodies.h"

#include "raft_oracle.h"

static void free_body(struct teak_raft_frame *frame)
{
    free((uint8_t *)frame - offsetof(struct body, frame));
}

static struct body *make(const struct teak_raft_snapshot *name)
{
    struct body *body = calloc(1, sizeof *body + name->bytes);
    assert_non_null(body);
    body->frame = (struct teak_raft_frame){.refs = 1, .bytes = (uint32_t)(sizeof *body + name->bytes),
                                           .free = free_body};
    body->name = *name;
    if (name->config_bytes > 0) memcpy(body->config, name->config, name->config_bytes);
    body->name.config = body->config;
    return body;
}

static void drop(struct body **body)
{
    if (*body) teak_raft_drop(&(*body)->frame);
    *body = NULL;
}

static bool is_called(const struct body *body, const struct teak_raft_snapshot *name)
{
    const struct teak_raft_snapshot *is = &body->name;
    return is->pos.index == name->pos.index && is->pos.term == name->pos.term && is->born == name->born &&
           is->bytes == name->bytes && is->checksum == name->checksum;
}

static uint64_t checksum_of(const struct body *body)
{
    uint64_t sum = body->name.bytes;
    for (uint64_t i = 0; i < body->name.bytes; i++) sum = mix(sum, body->data[i]);
    return sum;
}

static uint32_t number_of(const struct fleet_node *node, const struct teak_raft_snapshot *name)
{
    uint32_t number = 0;
    while (number < node->body_count && !is_called(node->bodies[number], name)) number++;
    return number;
}

const struct body *bodies_find(const struct fleet_node *node, const struct teak_raft_snapshot *name)
{
    const uint32_t number = number_of(node, name);
    return number < node->body_count ? node->bodies[number] : NULL;
}

static void keep(struct fleet_node *node, struct body *body)
{
    bodies_sweep(node);
    if (node->body_count == BODIES_MAX) broken("more bodies than were thought are open");
    node->bodies[node->body_count++] = body;
}

static void let_go(struct fleet_node *node, uint32_t number)
{
    drop(&node->bodies[number]);
    node->bodies[number] = node->bodies[--node->body_count];
    node->bodies[node->body_count] = NULL;
}

void bodies_sweep(struct fleet_node *node)
{
    for (uint32_t i = 0; i < node->body_count;) {
        const struct body *body = node->bodies[i];
        if (body->name.pos.index < node->disk.snapshot.index && body->open_for == 0)
            let_go(node, i);
        else
            i++;
    }
}

/* -------------------------------------------------------------------------------------------------------- one's own */

void bodies_take(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    struct teak_raft_snapshot name;
    if (node->saving || node->machine.applied == 0) return;
    const enum teak_raft_status status = teak_raft_snapshot_point(node->raft, config, sizeof config, &name);
    note("takes a snapshot", id, (uint64_t)status, node->machine.applied);
    if (status == TEAK_RAFT_NOT_READY) return;
    if (status != TEAK_RAFT_OK) broken("node %u calls its snapshot %s", id, teak_raft_status_name(status));
    if (name.pos.index != node->machine.applied) broken("node %u takes a snapshot of another time", id);
    name.bytes = sizeof node->machine + below(fleet.shape->body_bytes_max + 1);
    node->saving = make(&name);
    memcpy(node->saving->data, &node->machine, sizeof node->machine);
    seeded_fill(&fleet.dice, node->saving->data + sizeof node->machine, name.bytes - sizeof node->machine);
    node->saving->have = name.bytes;
    node->saving->name.checksum = checksum_of(node->saving);
    node->saving_due = fleet.now + below(below(2) == 0 ? 2 : 200);
}

static void finish_own(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    if (!node->saving || node->saving_due > fleet.now) return;
    if (node->is_full && below(2) == 0) { /* a body needs space, too */
        drop(&node->saving);
        return;
    }
    struct body *body = node->saving;
    node->saving = NULL;
    keep(node, body);
    const enum teak_raft_status status = teak_raft_snapshot_taken(node->raft, &body->name);
    note("took a snapshot", id, (uint64_t)status, body->name.pos.index);
    fleet.totals->snapshots += status == TEAK_RAFT_OK;
    if (status == TEAK_RAFT_OK) return;
    if (status != TEAK_RAFT_STALE && status != TEAK_RAFT_HALTED)
        broken("node %u calls a snapshot %s", id, teak_raft_status_name(status));
    let_go(node, number_of(node, &body->name));
}

/* ----------------------------------------------------------------------------------------------- sent, and received */

struct reply {
    enum teak_raft_outcome outcome;
    uint64_t offset;
    struct teak_raft_blob blob;
    bool is_astray; /* only what the core does not want any more may be so */
};

static struct reply read_piece(struct fleet_node *node, const struct teak_raft_snap_io *io)
{
    const uint32_t number = number_of(node, &io->snapshot);
    if (number == node->body_count || (fleet.shape->fail_one_in > 0 && strikes(100)))
        return (struct reply){.outcome = TEAK_RAFT_CORRUPT};
    struct body *body = node->bodies[number];
    if (io->bytes == 0 || io->bytes > body->name.bytes - io->offset) broken("a read beyond a body");
    fleet.totals->chunks++;
    return (struct reply){.outcome = TEAK_RAFT_DONE,
                          .blob = {.data = body->data + io->offset, .frame = &body->frame, .bytes = io->bytes}};
}

static struct reply begin(struct fleet_node *node, const struct teak_raft_snap_io *io)
{
    if (node->part && !is_called(node->part, &io->snapshot)) drop(&node->part);
    if (bodies_find(node, &io->snapshot)) /* all of it came before, and was not put in force */
        return (struct reply){.outcome = TEAK_RAFT_DONE, .offset = io->snapshot.bytes};
    if (!node->part) node->part = make(&io->snapshot);
    fleet.totals->resumed += node->part->have > 0;
    return (struct reply){.outcome = TEAK_RAFT_DONE, .offset = node->part->have};
}

static struct reply write_piece(struct fleet_node *node, const struct teak_raft_snap_io *io)
{
    struct body *part = node->part;
    if (!part || !is_called(part, &io->snapshot) || io->offset != part->have ||
        io->bytes > part->name.bytes - part->have)
        return (struct reply){.outcome = TEAK_RAFT_CORRUPT, .is_astray = true};
    if (node->is_full && below(4) == 0) return (struct reply){.outcome = TEAK_RAFT_NO_ROOM};
    memcpy(part->data + part->have, io->data, io->bytes);
    part->have += io->bytes;
    return (struct reply){.outcome = TEAK_RAFT_DONE};
}

static struct reply finish(struct fleet_node *node, const struct teak_raft_snap_io *io)
{
    struct body *part = node->part;
    if (bodies_find(node, &io->snapshot)) return (struct reply){.outcome = TEAK_RAFT_DONE};
    if (!part || !is_called(part, &io->snapshot) || part->have != part->name.bytes)
        return (struct reply){.outcome = TEAK_RAFT_CORRUPT, .is_astray = true};
    node->part = NULL;
    if (checksum_of(part) != part->name.checksum) {
        drop(&part);
        return (struct reply){.outcome = TEAK_RAFT_CORRUPT};
    }
    keep(node, part);
    return (struct reply){.outcome = TEAK_RAFT_DONE};
}

/* ABORT, CLOSE: nobody waits for them. */
static void give_up(struct fleet_node *node, const struct teak_raft_snap_io *io)
{
    const uint32_t number = number_of(node, &io->snapshot);
    if (io->op == TEAK_RAFT_SNAP_CLOSE) {
        if (number == node->body_count) return;
        node->bodies[number]->open_for &= ~(UINT32_C(1) << io->peer);
        bodies_sweep(node);
        return;
    }
    if (node->part && is_called(node->part, &io->snapshot)) drop(&node->part);
}

void bodies_ask(uint32_t id, const struct teak_raft_snap_io *io)
{
    struct fleet_node *node = node_of(id);
    note("body", id, (uint64_t)io->op * 10 + io->peer, io->offset);
    if (node->io_count == IOS_MAX) broken("node %u asks for too much of bodies", id);
    const uint32_t number = number_of(node, &io->snapshot);
    if (io->op == TEAK_RAFT_SNAP_READ && number < node->body_count)
        node->bodies[number]->open_for |= UINT32_C(1) << io->peer;
    struct io_on_its_way *slot = &node->ios[node->io_count++];
    *slot = (struct io_on_its_way){.io = *io, .due = fleet.now + below(fleet.is_calm ? 2 : below(8) == 0 ? 300 : 4)};
    memcpy(slot->config, io->snapshot.config, io->snapshot.config_bytes);
    slot->io.snapshot.config = NULL; /* slots move: see do_first */
    teak_raft_hold(slot->io.frame);
}

static void do_first(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct io_on_its_way one = node->ios[0];
    struct reply reply = {.outcome = TEAK_RAFT_DONE};
    memmove(node->ios, node->ios + 1, --node->io_count * sizeof node->ios[0]);
    one.io.snapshot.config = one.config;
    bool is_owed = true;
    switch (one.io.op) {
    case TEAK_RAFT_SNAP_READ: reply = read_piece(node, &one.io); break;
    case TEAK_RAFT_SNAP_BEGIN: reply = begin(node, &one.io); break;
    case TEAK_RAFT_SNAP_WRITE: reply = write_piece(node, &one.io); break;
    case TEAK_RAFT_SNAP_FINISH: reply = finish(node, &one.io); break;
    case TEAK_RAFT_SNAP_ABORT:
    case TEAK_RAFT_SNAP_CLOSE: give_up(node, &one.io); is_owed = false; break;
    }
    if (is_owed) {
        const enum teak_raft_status status =
            teak_raft_snap_done(node->raft, one.io.ticket, reply.outcome, reply.offset, &reply.blob);
        note("body done", id, (uint64_t)one.io.op * 10 + (uint64_t)reply.outcome, (uint64_t)status);
        if (status != TEAK_RAFT_OK && status != TEAK_RAFT_STALE && status != TEAK_RAFT_HALTED)
            broken("node %u calls what became of a body %s", id, teak_raft_status_name(status));
        if (reply.is_astray && status == TEAK_RAFT_OK) broken("node %u writes a body in the wrong order", id);
    }
    teak_raft_drop(one.io.frame);
    oracle_judge(id);
}

void bodies_work(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    finish_own(id);
    while (node->io_count > 0 && node->ios[0].due <= fleet.now) do_first(id);
}

/* ----------------------------------------------------------------------------------------------- end, and beginning */

/* Of a part some is lost with the power, and now and then what is there is something else: its checksum tells. */
void bodies_crash(struct fleet_node *node, bool is_power)
{
    drop(&node->saving);
    while (node->io_count > 0) teak_raft_drop(node->ios[--node->io_count].io.frame);
    for (uint32_t i = 0; i < node->body_count; i++) node->bodies[i]->open_for = 0;
    if (!is_power || !node->part) return;
    node->part->have = below((uint32_t)node->part->have + 1);
    if (node->part->have > 0 && below(8) == 0) node->part->data[below((uint32_t)node->part->have)] ^= 1;
}

void bodies_clear(struct fleet_node *node)
{
    bodies_crash(node, false);
    drop(&node->part);
    while (node->body_count > 0) let_go(node, node->body_count - 1);
}

uint32_t bodies_copy(struct body *const *from, uint32_t count, struct body **to)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = make(&from[i]->name);
        to[i]->have = from[i]->have;
        memcpy(to[i]->data, from[i]->data, from[i]->name.bytes);
    }
    return count;
}

void bodies_drop(struct body **bodies, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) drop(&bodies[i]);
}

void bodies_begin(struct fleet_node *node, const struct teak_raft_snapshot *name)
{
    for (uint32_t i = 0; i < node->body_count;) {
        if (name && is_called(node->bodies[i], name)) {
            i++;
        } else if (!node->part && below(2) == 0) { /* it came, and the log was not told: a part that is whole */
            node->part = node->bodies[i];
            node->bodies[i] = node->bodies[--node->body_count];
            node->bodies[node->body_count] = NULL;
        } else {
            let_go(node, i);
        }
    }
    if (name && node->body_count != 1) broken("the snapshot that the log names is not here");
}
