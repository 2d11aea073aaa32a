/* clients.c: see clients.h. A write is a text in the log: a letter, key:item, and for a swap what is to be there. */
#include "clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/seeded.h"

enum { KEYS = 3, NODES = 8, PENDING = 64, BESIDE = 4, STEPS_MAX = 1 << 21 };

struct machine_values {
    uint32_t of[KEYS];
    bool is_known;
};

/* A call that is not answered. */
struct pending {
    uint64_t tag, index; /* index: of a swap that is committed and not applied here; 0: not known */
    uint32_t op, node;
};

struct clients {
    struct linear_history history;
    struct seeded dice;
    enum linear_model model;
    enum clients_mistake mistake;
    uint8_t kind; /* of the entries */
    uint64_t now; /* events so far: their order is all that counts */
    struct machine_values machines[NODES];
    uint64_t applied[NODES];
    struct machine_values *at; /* by index: what every state machine is there */
    uint64_t at_room;
    struct pending pending[PENDING];
    uint32_t pending_count;
    struct clients_totals totals;
};

static void complain(const char *what, uint64_t a, uint64_t b)
{
    fprintf(stderr, "clients: %s: %" PRIu64 ", %" PRIu64 "\n", what, a, b);
    abort();
}

static struct machine_values *values_at(struct clients *clients, uint64_t index)
{
    if (index >= clients->at_room) {
        const uint64_t room = 2 * index + 64;
        clients->at = realloc(clients->at, room * sizeof clients->at[0]);
        if (!clients->at) abort();
        memset(clients->at + clients->at_room, 0, (room - clients->at_room) * sizeof clients->at[0]);
        clients->at_room = room;
    }
    return &clients->at[index];
}

struct clients *clients_begin(uint64_t seed, enum linear_model model, uint8_t kind, uint64_t from,
                              enum clients_mistake mistake)
{
    struct clients *clients = calloc(1, sizeof *clients);
    if (!clients) abort();
    linear_begin(&clients->history);
    clients->dice.state = seed;
    clients->model = model;
    clients->kind = kind;
    clients->mistake = mistake;
    for (uint64_t index = 1; index <= from; index++) values_at(clients, index)->is_known = true;
    return clients;
}

void clients_end(struct clients *clients)
{
    linear_end(&clients->history);
    free(clients->at);
    free(clients);
}

/* ------------------------------------------------------------------------------------------------------------ calls */

static struct linear_op *op_of(struct clients *clients, uint32_t place) { return &clients->history.ops[place]; }

static void forget(struct clients *clients, uint32_t at)
{
    clients->pending[at] = clients->pending[--clients->pending_count];
}

/* Reads do not wait for writes that hang. */
static uint32_t count_beside(const struct clients *clients, uint64_t key, bool is_read)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < clients->pending_count; i++) {
        const struct linear_op *op = &clients->history.ops[clients->pending[i].op];
        count += op->key == key && (op->kind == LINEAR_READ) == is_read;
    }
    return count;
}

static enum linear_kind draw_write(struct clients *clients)
{
    if (clients->model == LINEAR_LIST) return LINEAR_APPEND;
    const bool is_write = seeded_below(&clients->dice, 3) == 0;
    if (clients->model == LINEAR_REGISTER) return is_write ? LINEAR_WRITE : LINEAR_SWAP;
    return is_write ? LINEAR_WRITE : LINEAR_APPEND;
}

static void write_text(const struct clients *clients, const struct linear_op *op, char *text)
{
    static const char letters[] = {[LINEAR_WRITE] = 'w', [LINEAR_APPEND] = 'a', [LINEAR_SWAP] = 's'};
    snprintf(text, CLIENTS_TEXT, "%c%" PRIu64 ":%" PRIu64 "?%" PRIu64, letters[op->kind], op->key, op->item,
             clients->history.values[op->expected].item);
}

bool clients_come(struct clients *clients, uint32_t node, bool leads, uint64_t tag, struct clients_call *call)
{
    const uint64_t key = seeded_below(&clients->dice, KEYS);
    const bool is_read = !leads || seeded_below(&clients->dice, 2) == 0;
    if (clients->pending_count == PENDING || count_beside(clients, key, is_read) >= BESIDE) return false;
    struct linear_op op = {.called = ++clients->now, .returned = LINEAR_OPEN, .key = key, .who = node};
    *call = (struct clients_call){.is_read = is_read, .tag = is_read ? CLIENTS_READS + clients->history.count : tag};
    if (is_read) {
        op.kind = LINEAR_READ;
        call->mode = seeded_below(&clients->dice, 4) == 0 ? TEAK_RAFT_READ_INDEX : TEAK_RAFT_READ_LEASE;
    } else {
        op.kind = draw_write(clients);
        op.item = clients->history.count + 1;
        if (op.kind == LINEAR_SWAP) op.expected = clients->machines[node].of[key];
        write_text(clients, &op, call->text);
    }
    clients->totals.calls++;
    if (is_read && (clients->mistake == CLIENTS_READ_HERE || (clients->mistake == CLIENTS_BELIEVE_LEADERS && leads))) {
        op.seen = clients->machines[node].of[key];
        op.returned = ++clients->now;
        call->is_over = true;
    }
    const uint32_t place = linear_add(&clients->history, &op);
    if (call->is_over) return true;
    clients->pending[clients->pending_count++] = (struct pending){.tag = call->tag, .op = place, .node = node};
    if (clients->mistake == CLIENTS_ANSWER_EARLY && !is_read && op.kind != LINEAR_SWAP)
        op_of(clients, place)->returned = ++clients->now;
    return true;
}

void clients_refused(struct clients *clients, const struct clients_call *call)
{
    for (uint32_t i = clients->pending_count; i-- > 0;) {
        if (clients->pending[i].tag != call->tag) continue;
        op_of(clients, clients->pending[i].op)->is_void = true;
        clients->totals.refused++;
        forget(clients, i);
    }
}

/* -------------------------------------------------------------------------------------------------- what is applied */

/* Who has proposed it here waits for no more. */
static void tell_result(struct clients *clients, uint32_t node, uint32_t place, uint32_t found)
{
    for (uint32_t i = clients->pending_count; i-- > 0;) {
        if (clients->pending[i].op != place || clients->pending[i].node != node) continue;
        op_of(clients, place)->seen = found;
        op_of(clients, place)->returned = ++clients->now;
        clients->totals.written++;
        forget(clients, i);
    }
}

static void apply_text(struct clients *clients, uint32_t node, const char *text)
{
    uint64_t key, item, expected;
    char letter;
    if (sscanf(text, "%c%" SCNu64 ":%" SCNu64 "?%" SCNu64, &letter, &key, &item, &expected) != 4 || key >= KEYS)
        complain("a text that nobody wrote", node, 0);
    uint32_t *value = &clients->machines[node].of[key];
    const uint32_t found = *value;
    const bool fits = expected == 0 ? found == LINEAR_NOTHING : clients->history.values[found].item == expected;
    if (letter == 'a') *value = linear_behind(&clients->history, found, item);
    if (letter == 'w' || (letter == 's' && fits)) *value = linear_behind(&clients->history, LINEAR_NOTHING, item);
    if (letter == 's') tell_result(clients, node, (uint32_t)(item - 1), found);
}

/* Swaps that a snapshot hides had their effect, and nobody will ever know what they saw. */
static void give_up_hidden(struct clients *clients, uint32_t node)
{
    for (uint32_t i = clients->pending_count; i-- > 0;) {
        const struct pending *one = &clients->pending[i];
        if (one->node != node || one->index == 0 || one->index > clients->applied[node]) continue;
        clients->totals.open++;
        forget(clients, i);
    }
}

/* Whoever restores a snapshot has what the others had there. */
void clients_apply(struct clients *clients, uint32_t node, const struct teak_raft_apply *apply)
{
    struct machine_values *machine = &clients->machines[node], *at = values_at(clients, apply->upto);
    clients->applied[node] = apply->upto;
    if (apply->restore) {
        if (!at->is_known) complain("a snapshot of what nobody was", node, apply->upto);
        *machine = *at;
        give_up_hidden(clients, node);
        return;
    }
    for (uint32_t i = 0; i < apply->count; i++) {
        const struct teak_raft_entry *entry = &apply->entries[i];
        char text[CLIENTS_TEXT] = "";
        if (entry->kind != clients->kind) continue;
        if (entry->bytes >= sizeof text) complain("an entry that nobody wrote", node, entry->index);
        memcpy(text, entry->data, entry->bytes);
        apply_text(clients, node, text);
    }
    if (at->is_known && memcmp(at->of, machine->of, sizeof at->of) != 0 && clients->mistake != CLIENTS_FORGET_A_KEY)
        complain("state machines are not alike", node, apply->upto);
    if (!at->is_known) memcpy(at->of, machine->of, sizeof at->of);
    at->is_known = true;
}

void clients_start(struct clients *clients, uint32_t node, uint64_t applied)
{
    if (applied > 0 && !values_at(clients, applied)->is_known) complain("it was never so far", node, applied);
    clients->applied[node] = applied;
    clients->machines[node] = applied > 0 ? *values_at(clients, applied) : (struct machine_values){.of = {0}};
    if (clients->mistake == CLIENTS_FORGET_A_KEY && applied > 0) clients->machines[node].of[0] = LINEAR_NOTHING;
}

/* ----------------------------------------------------------------------------------------------------- what is told */

static void end_write(struct clients *clients, struct linear_op *op, enum teak_raft_fate fate)
{
    const bool is_lost = fate == TEAK_RAFT_LOST ||
                         (fate == TEAK_RAFT_UNKNOWN && clients->mistake == CLIENTS_UNKNOWN_IS_LOST);
    const bool is_done = fate == TEAK_RAFT_COMMITTED || (is_lost && clients->mistake == CLIENTS_LOST_IS_DONE);
    if (is_done && op->returned == LINEAR_OPEN) op->returned = ++clients->now;
    if (is_lost && !is_done) op->is_void = true;
    clients->totals.written += fate == TEAK_RAFT_COMMITTED;
    clients->totals.lost += fate == TEAK_RAFT_LOST;
    clients->totals.open += fate == TEAK_RAFT_UNKNOWN;
}

/* A swap that is committed is over only when it is applied here, and is told what it saw. */
void clients_done(struct clients *clients, uint32_t node, const struct teak_raft_done *done)
{
    for (uint32_t i = clients->pending_count; i-- > 0;) {
        struct pending *one = &clients->pending[i];
        if (one->node != node || one->tag < done->first_tag || one->tag - done->first_tag >= done->count) continue;
        struct linear_op *op = op_of(clients, one->op);
        if (op->kind == LINEAR_SWAP && done->fate == TEAK_RAFT_COMMITTED) {
            one->index = done->first_index + (one->tag - done->first_tag);
            continue;
        }
        if (op->kind == LINEAR_SWAP && clients->mistake == CLIENTS_LOST_IS_DONE) op->seen = op->expected;
        end_write(clients, op, done->fate);
        forget(clients, i);
    }
    give_up_hidden(clients, node);
}

void clients_answer(struct clients *clients, uint32_t node, const struct teak_raft_answer *answer, bool leads)
{
    if (answer->tag < CLIENTS_READS) return; /* somebody else's */
    for (uint32_t i = clients->pending_count; i-- > 0;) {
        if (clients->pending[i].tag != answer->tag || clients->pending[i].node != node) continue;
        struct linear_op *op = op_of(clients, clients->pending[i].op);
        forget(clients, i);
        if (answer->fate != TEAK_RAFT_READ_OK) {
            op->is_void = true;
            clients->totals.unanswered++;
            continue;
        }
        op->seen = clients->machines[node].of[op->key];
        op->returned = ++clients->now;
        clients->totals.reads++;
        clients->totals.elsewhere += !leads;
    }
}

void clients_down(struct clients *clients, uint32_t node)
{
    for (uint32_t i = clients->pending_count; i-- > 0;) {
        if (clients->pending[i].node != node) continue;
        struct linear_op *op = op_of(clients, clients->pending[i].op);
        forget(clients, i);
        if (op->kind == LINEAR_READ)
            clients->totals.unanswered++;
        else
            end_write(clients, op, TEAK_RAFT_UNKNOWN);
    }
}

enum linear_verdict clients_judge(struct clients *clients, struct clients_totals *totals,
                                  struct linear_report *report)
{
    const enum linear_verdict verdict = linear_check(&clients->history, clients->model, STEPS_MAX, report);
    clients->totals.steps += report->steps;
    const uint64_t *from = (const uint64_t *)&clients->totals;
    for (uint32_t i = 0; totals && i < sizeof *totals / sizeof *from; i++) ((uint64_t *)totals)[i] += from[i];
    return verdict;
}
