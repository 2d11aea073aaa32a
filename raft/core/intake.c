/* intake.c: see intake.h. */
#include "core/intake.h"

#include <string.h>

#include "core/commits.h"
#include "core/follow.h"
#include "core/install.h"
#include "core/outbox.h"
#include "core/role.h"
#include "core/tail.h"

/* ------------------------------------------------------------------------------------------------------------- over */

static void drop_pieces(struct teak_raft *raft)
{
    struct intake *intake = &raft->intake;
    for (uint32_t i = 0; i < intake->piece_count; i++) {
        teak_raft_drop(piece_at(raft, i)->frame);
        *piece_at(raft, i) = (struct piece){.ticket = 0};
    }
    intake->piece_first = intake->piece_count = 0;
}

void intake_clear(struct teak_raft *raft) { drop_pieces(raft); }

/* What came stays with the caller: a transfer of the same name goes on there. */
static void suspend(struct teak_raft *raft)
{
    drop_pieces(raft);
    snap_drop(raft, &raft->intake.snap);
    raft->intake = (struct intake){.snap = raft->intake.snap};
}

static bool abort_is_owed(const struct teak_raft *raft) { return raft->aborted.name.pos.index != 0; }

static void give_up(struct teak_raft *raft)
{
    const struct teak_raft_snapshot name = snap_name(raft, &raft->intake.snap);
    CHECK(!abort_is_owed(raft));
    snap_keep(raft, &raft->aborted, &name);
    raft->aborted_from = raft->intake.from;
    suspend(raft);
}

void intake_sift(struct teak_raft *raft)
{
    if (raft->intake.state != INTAKE_NONE && raft->intake.snap.name.pos.index <= raft->commit && !abort_is_owed(raft))
        give_up(raft);
}

/* ---------------------------------------------------------------------------------------------------------- replies */

static void reply(struct teak_raft *raft, bool refused, uint64_t index)
{
    const struct intake *intake = &raft->intake;
    const struct teak_raft_msg request = {.from = intake->from, .incarnation = intake->asked, .round = intake->round};
    outbox_reply(raft, &request, TEAK_RAFT_SNAPSHOT_REPLY,
                 (struct teak_raft_msg){.at = intake->snap.name.pos, .index = index, .refused = refused});
}

/* --------------------------------------------------------------------------------------------------------- messages */

static bool is_same(const struct teak_raft_snapshot *a, const struct teak_raft_snapshot *b)
{
    return a->pos.index == b->pos.index && a->pos.term == b->pos.term && a->born == b->born && a->bytes == b->bytes &&
           a->checksum == b->checksum;
}

/* Nothing to install: the log holds it. The leader is told how far it is confirmed. */
static bool is_here(struct teak_raft *raft, struct teak_raft_pos pos)
{
    if (pos.index > raft->commit && tail_term(raft, pos.index) != pos.term) return false;
    commits_to(raft, pos.index);
    raft->confirm_owed = true;
    return true;
}

static void open_for(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    struct intake *intake = &raft->intake;
    if (intake->state != INTAKE_NONE && !is_same(&intake->snap.name, &msg->chunk->snapshot)) {
        if (abort_is_owed(raft)) return; /* one at a time: the leader asks again */
        give_up(raft);
    }
    if (intake->state == INTAKE_NONE) {
        snap_keep(raft, &intake->snap, &msg->chunk->snapshot);
        intake->state = INTAKE_BEGIN;
    }
    const bool same = intake->from == msg->from && intake->asked == msg->incarnation;
    intake->round = same ? max_index(intake->round, msg->round) : msg->round;
    intake->from = msg->from;
    intake->asked = msg->incarnation;
}

static void take_piece(struct teak_raft *raft, const struct teak_raft_chunk *chunk)
{
    struct intake *intake = &raft->intake;
    if (chunk->bytes == 0 || chunk->offset > intake->taken) {
        reply(raft, true, intake->taken);
    } else if (chunk->offset < intake->taken) { /* again */
        reply(raft, false, intake->written);
    } else if (intake->piece_count < raft->options.snapshot_window) { /* else it is lost, as on a network */
        *piece_at(raft, intake->piece_count++) = (struct piece){
            .offset = chunk->offset, .data = chunk->data, .frame = chunk->frame, .bytes = chunk->bytes};
        teak_raft_hold(chunk->frame);
        intake->taken += chunk->bytes;
    }
}

void intake_take(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    const struct teak_raft_pos pos = msg->chunk->snapshot.pos;
    if (!follow_hears(raft, msg)) return;
    const bool is_snapshot = snap_judge(&msg->chunk->snapshot, &config, members);
    CHECK(is_snapshot); /* judged when it came in */
    if (follow_contradicts(raft, pos)) {
        role_halt(raft, TEAK_RAFT_HALT_COMMITTED_DIFFERS, pos.index);
        return;
    }
    if (config.count > raft->members_max) {
        role_halt(raft, TEAK_RAFT_HALT_MEMBERS, config.index);
        return;
    }
    if (is_here(raft, pos) || raft->restore != 0) return; /* one at a time: the leader asks again */
    open_for(raft, msg);
    if (raft->intake.state == INTAKE_OPEN && is_same(&raft->intake.snap.name, &msg->chunk->snapshot))
        take_piece(raft, msg->chunk);
}

/* ----------------------------------------------------------------------------------------------- what is to be done */

static bool asks_step(const struct intake *intake)
{
    return (intake->state == INTAKE_BEGIN || intake->state == INTAKE_FINISH) && intake->ticket == 0;
}

bool intake_wants(const struct teak_raft *raft)
{
    const struct intake *intake = &raft->intake;
    if (abort_is_owed(raft) || asks_step(intake)) return true;
    if (intake->state != INTAKE_NONE && intake->snap.name.pos.index <= raft->commit) return true;
    return intake->piece_count > 0 && piece_at(raft, intake->piece_count - 1)->ticket == 0;
}

static struct teak_raft_snap_io ask(struct teak_raft *raft, enum teak_raft_snap_op op, const struct snap *snap,
                                    uint64_t from)
{
    return (struct teak_raft_snap_io){
        .ticket = ++raft->ticket, .op = op, .peer = from, .snapshot = snap_name(raft, snap)};
}

uint32_t intake_ask(struct teak_raft *raft, struct teak_raft_snap_io *out)
{
    struct intake *intake = &raft->intake;
    uint32_t count = 0;
    if (abort_is_owed(raft)) {
        out[count++] = ask(raft, TEAK_RAFT_SNAP_ABORT, &raft->aborted, raft->aborted_from);
        raft->aborted.name = (struct teak_raft_snapshot){.born = 0}; /* its configuration is lent */
        raft->aborted_from = 0;
    }
    if (asks_step(intake)) {
        const enum teak_raft_snap_op op =
            intake->state == INTAKE_BEGIN ? TEAK_RAFT_SNAP_BEGIN : TEAK_RAFT_SNAP_FINISH;
        out[count] = ask(raft, op, &intake->snap, intake->from);
        intake->ticket = out[count++].ticket;
    }
    for (uint32_t i = 0; i < intake->piece_count; i++) {
        struct piece *piece = piece_at(raft, i);
        if (piece->ticket != 0) continue;
        out[count] = ask(raft, TEAK_RAFT_SNAP_WRITE, &intake->snap, intake->from);
        out[count].offset = piece->offset;
        out[count].data = piece->data;
        out[count].frame = piece->frame;
        out[count].bytes = piece->bytes;
        piece->ticket = out[count++].ticket;
    }
    return count;
}

/* ----------------------------------------------------------------------------------------------------- what is done */

static void go_on(struct teak_raft *raft, bool refused)
{
    struct intake *intake = &raft->intake;
    intake->state = intake->written == intake->snap.name.bytes ? INTAKE_FINISH : INTAKE_OPEN;
    reply(raft, refused, intake->written);
}

/* A candidate goes on with the log that it asked votes for; the next leader offers it again. What was verified since
 * the first piece came may contradict the snapshot, as what was verified before it may. */
static void finish(struct teak_raft *raft)
{
    const struct teak_raft_pos pos = raft->intake.snap.name.pos;
    if (is_here(raft, pos)) {
        give_up(raft);
    } else if (follow_contradicts(raft, pos)) {
        role_halt(raft, TEAK_RAFT_HALT_COMMITTED_DIFFERS, pos.index);
    } else {
        if (raft->role == TEAK_RAFT_FOLLOWER) install_begin(raft);
        suspend(raft);
    }
}

static void fail(struct teak_raft *raft)
{
    outbox_event(raft, TEAK_RAFT_EVENT_SNAPSHOT_FAILED, raft->intake.snap.name.pos.index, raft->intake.from);
    reply(raft, true, 0);
    give_up(raft);
}

static bool step_done(struct teak_raft *raft, uint64_t offset)
{
    struct intake *intake = &raft->intake;
    if (intake->state == INTAKE_BEGIN) {
        if (offset > intake->snap.name.bytes) return false;
        intake->ticket = 0;
        intake->written = intake->taken = offset;
        go_on(raft, true);
    } else {
        intake->ticket = 0;
        finish(raft);
    }
    return true;
}

static void piece_done(struct teak_raft *raft)
{
    struct intake *intake = &raft->intake;
    struct piece *piece = piece_at(raft, 0);
    intake->written += piece->bytes;
    teak_raft_drop(piece->frame);
    *piece = (struct piece){.ticket = 0};
    intake->piece_first = (intake->piece_first + 1) % raft->options.snapshot_window;
    intake->piece_count--;
    go_on(raft, false);
}

/* Number of the piece with that ticket, or piece_count. */
static uint32_t find(const struct teak_raft *raft, uint64_t ticket)
{
    uint32_t number = 0;
    while (number < raft->intake.piece_count && piece_at(raft, number)->ticket != ticket) number++;
    return number;
}

bool intake_done(struct teak_raft *raft, uint64_t ticket, enum teak_raft_outcome outcome, uint64_t offset,
                 enum teak_raft_status *status_out)
{
    struct intake *intake = &raft->intake;
    const bool is_step = ticket != 0 && intake->ticket == ticket;
    const uint32_t number = find(raft, ticket);
    if (ticket == 0 || (!is_step && number == intake->piece_count)) return false;
    *status_out = TEAK_RAFT_OK;
    if (outcome == TEAK_RAFT_CORRUPT)
        fail(raft);
    else if (outcome == TEAK_RAFT_NO_ROOM)
        suspend(raft);
    else if (outcome != TEAK_RAFT_DONE || (!is_step && number > 0) || (is_step && !step_done(raft, offset)))
        *status_out = TEAK_RAFT_MISUSE;
    else if (!is_step)
        piece_done(raft);
    return true;
}
