/* lives_test.c: clients of three to five nodes that read and write, by read index, by lease, at followers, while nodes
 * crash, links are cut, leaders hand over, snapshots are taken and clocks go at different rates. What the clients were
 * told has to be what one store, asked by one client after the other, could have told them: linear.h.
 *
 * That it would show if it were otherwise is shown, too: with clocks that are further off than was said, and with
 * clients that take something wrongly. Everything comes from the seed; there is no clock but the one of the test.
 *
 *   TEAK_SEED=n    that life, and those behind it     TEAK_LIVES=n   so many of each kind
 *   TEAK_TRACE=1   everything that nodes do is printed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/seeded.h"
#include "clients.h"
#include "core/core.h"
#include "world.h"

enum { STEPS = 900, STEP = 250, ELECTION = 10000, HEARTBEAT = 1000, DRIFT_PPM = 50000 };
enum { LOG_LIMIT = WORLD_LOG - 8, TERM_LIMIT = WORLD_TERMS - 4 };

/* How a life is. */
struct manner {
    uint32_t drift_ppm; /* how far the clocks are off, at most; DRIFT_PPM is what the nodes were told */
    bool is_worst;      /* a leader's clock is slow, and those of the others are fast                  */
    bool has_no_leases;
    enum clients_mistake mistake;
};

struct life {
    struct world_ear ear; /* the first: it is handed to the world */
    struct clients *clients;
    struct world *world;
    struct seeded dice;
    uint64_t now, tags, cut_until[WORLD_NODES], starts_at[WORLD_NODES];
    enum cut { CUT_LOSES, CUT_LOSES_FROM, CUT_HOLDS, CUT_HOLDS_FROM, CUT_COUNT } cuts[WORLD_NODES];
    struct {
        uint64_t shown, since, rate; /* what it showed, when its rate was drawn: units in a million */
    } clocks[WORLD_NODES];
    const struct manner *manner;
};

static struct world world;

static uint32_t below(struct life *life, uint32_t limit) { return seeded_below(&life->dice, limit); }

/* ------------------------------------------------------------------------------------------------ what clients hear */

static void hear_applied(struct world_ear *ear, uint32_t node, const struct teak_raft_apply *apply)
{
    clients_apply(((struct life *)ear)->clients, node, apply);
}

static void hear_done(struct world_ear *ear, uint32_t node, const struct teak_raft_done *done)
{
    clients_done(((struct life *)ear)->clients, node, done);
}

static void hear_answer(struct world_ear *ear, uint32_t node, const struct teak_raft_answer *answer)
{
    struct life *life = (struct life *)ear;
    clients_answer(life->clients, node, answer, world_node(life->world, node)->role == TEAK_RAFT_LEADER);
}

/* --------------------------------------------------------------------------------------------------------- one step */

static uint64_t clock_of(const struct life *life, uint32_t node)
{
    const uint64_t since = life->now - life->clocks[node - 1].since;
    return life->clocks[node - 1].shown + since * life->clocks[node - 1].rate / 1000000;
}

/* As far off as may be, in either direction, or right. */
static void draw_rate(struct life *life, uint32_t node)
{
    const uint64_t rates[] = {1000000 - life->manner->drift_ppm, 1000000 + life->manner->drift_ppm, 1000000};
    const bool leads = life->world->up[node - 1] && world_node(life->world, node)->role == TEAK_RAFT_LEADER;
    life->clocks[node - 1].shown = clock_of(life, node);
    life->clocks[node - 1].since = life->now;
    life->clocks[node - 1].rate = rates[life->manner->is_worst ? !leads : below(life, 3)];
}

/* The clock is read when something came, and before anything leaves. */
static void tick(struct life *life, uint32_t node) { world_tick(life->world, node, clock_of(life, node)); }

/* Messages of that link are lost for now, or held up: all of a node, or those that it sends. */
static bool is_cut(const struct life *life, const struct teak_raft_msg *msg, bool is_held)
{
    const enum cut both = is_held ? CUT_HOLDS : CUT_LOSES, from = is_held ? CUT_HOLDS_FROM : CUT_LOSES_FROM;
    const enum cut sender = life->cuts[msg->from - 1], other = life->cuts[msg->to - 1];
    if (life->cut_until[msg->from - 1] > life->now && (sender == both || sender == from)) return true;
    return life->cut_until[msg->to - 1] > life->now && other == both;
}

static bool has_space(const struct life *life)
{
    for (uint32_t node = 1; node <= life->world->node_count; node++) {
        const struct teak_raft *raft = world_node(life->world, node);
        if (life->world->up[node - 1] && (raft->last.index >= LOG_LIMIT || raft->term >= TERM_LIMIT)) return false;
    }
    return true;
}

static void carry(struct life *life)
{
    for (uint32_t place = 0; place < life->world->net_count && !life->world->broken;) {
        const struct teak_raft_msg *msg = &life->world->net[place].msg;
        const uint32_t to = (uint32_t)msg->to;
        if (is_cut(life, msg, false) || !life->world->up[to - 1]) {
            world_drop(life->world, place);
        } else if (!is_cut(life, msg, true) && below(life, 2) == 0) {
            const bool keep = below(life, 20) == 0;
            tick(life, to);
            world_deliver(life->world, place, keep);
            place += keep;
        } else {
            place++;
        }
    }
}

static void come(struct life *life, uint32_t node)
{
    const bool leads = world_node(life->world, node)->role == TEAK_RAFT_LEADER;
    struct clients_call call;
    if (!clients_come(life->clients, node, leads && has_space(life), ++life->tags, &call) || call.is_over) return;
    const enum teak_raft_status status = call.is_read ? world_read(life->world, node, call.tag, call.mode)
                                                      : world_propose(life->world, node, call.text, call.tag);
    if (status != TEAK_RAFT_OK) clients_refused(life->clients, &call);
    tick(life, node);
}

static void meddle(struct life *life, uint32_t node)
{
    const struct disk_model *disk = &life->world->at[node - 1]->disk;
    struct teak_raft *raft = world_node(life->world, node);
    const bool leads = raft->role == TEAK_RAFT_LEADER;
    if (disk->flight_count > 0 && below(life, 2) == 0) world_complete(life->world, node);
    if (below(life, leads ? 4 : 12) == 0) come(life, node);
    if (below(life, 100) == 0) world_snapshot(life->world, node);
    if (below(life, leads ? 150 : 1000) == 0) {
        life->cut_until[node - 1] = life->now + STEP * (20 + below(life, 150));
        life->cuts[node - 1] = (enum cut)below(life, CUT_COUNT);
    }
    if (below(life, leads ? 200 : 400) == 0) {
        if (leads)
            teak_raft_transfer(raft, 0);
        else
            teak_raft_campaign(raft);
        world_drain(life->world, node);
    }
    if (below(life, 500) != 0) return;
    clients_down(life->clients, node);
    world_crash(life->world, node, below(life, disk->flight_count + 1));
    life->starts_at[node - 1] = life->now + STEP * below(life, 100);
}

static void step(struct life *life)
{
    life->now += STEP;
    for (uint32_t node = 1; node <= life->world->node_count; node++) {
        if (below(life, 20) == 0) draw_rate(life, node);
        tick(life, node);
    }
    carry(life);
    for (uint32_t node = 1; node <= life->world->node_count && !life->world->broken; node++) {
        if (life->world->up[node - 1]) {
            meddle(life, node);
        } else if (life->starts_at[node - 1] <= life->now) {
            clients_start(life->clients, node, life->world->at[node - 1]->disk.applied);
            world_start(life->world, node);
        }
    }
}

/* ----------------------------------------------------------------------------------------------------------- a life */

static void begin(struct life *life, uint64_t seed, const struct manner *manner)
{
    struct teak_raft_member members[WORLD_NODES];
    struct teak_raft_options options = world_options();
    *life = (struct life){.ear = {hear_applied, hear_done, hear_answer}, .world = &world, .dice = {.state = seed}};
    life->clients = clients_begin(seed + 1, (enum linear_model)(seed % LINEAR_MODEL_COUNT),
                                  TEAK_RAFT_KIND_APPLICATION, 0, manner->mistake);
    const uint32_t nodes = 3 + 2 * below(life, 2);
    life->manner = manner;
    for (uint32_t i = 0; i < nodes; i++) {
        members[i] = (struct teak_raft_member){.id = i + 1, .roles = TEAK_RAFT_VOTER};
        life->clocks[i].shown = below(life, ELECTION);
        life->clocks[i].rate = 1000000;
    }
    options.election = options.promise_max = ELECTION;
    options.heartbeat = HEARTBEAT;
    options.lease_drift_ppm = DRIFT_PPM;
    if (manner->has_no_leases) options.lease_drift_ppm = 0, options.promise_max = 0;
    options.term_runs = WORLD_TERMS;
    world_begin(&world, options, nodes, members, nodes, getenv("TEAK_TRACE") ? stdout : NULL);
    world.ear = &life->ear;
    for (uint32_t node = 1; node <= nodes; node++) /* the founding configuration, which nobody heard of */
        clients_apply(life->clients, node, &(struct teak_raft_apply){.upto = world.at[node - 1]->disk.applied});
    world.may_be_stale = true; /* the checker is to find it */
}

static enum linear_verdict live(uint64_t seed, const struct manner *manner, struct clients_totals *totals,
                                struct linear_report *report)
{
    struct life life;
    begin(&life, seed, manner);
    for (uint32_t i = 0; i < STEPS && has_space(&life) && !world.broken; i++) step(&life);
    if (world.broken) fail_msg("TEAK_SEED=%" PRIu64 ": an invariant is broken", seed);
    const enum linear_verdict verdict = clients_judge(life.clients, totals, report);
    world_end(&world);
    clients_end(life.clients);
    return verdict;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    return given ? strtoull(given, NULL, 0) : otherwise;
}

static void print_totals(uint64_t lives, const struct clients_totals *totals)
{
    printf("%" PRIu64 " lives: %" PRIu64 " calls, %" PRIu64 " refused; %" PRIu64 " written, %" PRIu64 " lost, %" PRIu64
           " open; %" PRIu64 " reads, %" PRIu64 " of them at followers, %" PRIu64 " without an answer; %" PRIu64
           " steps of the checker\n",
           lives, totals->calls, totals->refused, totals->written, totals->lost, totals->open, totals->reads,
           totals->elsewhere, totals->unanswered, totals->steps);
}

static void what_clients_are_told_a_single_store_could_have_told(void **state)
{
    (void)state;
    enum { MANNERS = 3 };
    static const struct manner manners[MANNERS] = {
        {.drift_ppm = DRIFT_PPM}, {.drift_ppm = DRIFT_PPM, .is_worst = true},
        {.drift_ppm = 500000, .is_worst = true, .has_no_leases = true},
    };
    const uint64_t first = number_of("TEAK_SEED", 1), lives = number_of("TEAK_LIVES", 600);
    struct clients_totals totals = {0};
    for (uint64_t seed = first; seed < first + lives; seed++) {
        struct linear_report report;
        const enum linear_verdict verdict = live(seed, &manners[seed / LINEAR_MODEL_COUNT % MANNERS], &totals, &report);
        if (verdict == LINEAR_FINE) continue;
        fail_msg("TEAK_SEED=%" PRIu64 ": the history is %s\n%s", seed, linear_verdict_name(verdict), report.text);
    }
    print_totals(lives, &totals);
    /* it was a life */
    if (lives >= 600) assert_true(totals.written > 1000 && totals.lost > 10 && totals.open > 100);
    if (lives >= 600) assert_true(totals.reads > 1000 && totals.elsewhere > 100 && totals.unanswered > 100);
}

/* Lives of that manner, until one is broken. All others are fine. */
static void expect_that_it_shows(const char *what, const struct manner *manner)
{
    const uint64_t first = number_of("TEAK_SEED", 1), lives = number_of("TEAK_LIVES", 600);
    for (uint64_t seed = first; seed < first + lives; seed++) {
        struct linear_report report;
        const enum linear_verdict verdict = live(seed, manner, NULL, &report);
        if (verdict == LINEAR_FINE) continue;
        if (verdict != LINEAR_BROKEN)
            fail_msg("TEAK_SEED=%" PRIu64 ": the history is %s", seed, linear_verdict_name(verdict));
        printf("%s: TEAK_SEED=%" PRIu64 ", %s", what, seed, report.text);
        return;
    }
    fail_msg("%s, and nothing shows", what);
}

/* A leader whose clock goes at half speed is cut off, and answers by its lease when the others have long chosen
 * another. With clocks that are as far off as was said, the lives above, the same way, show nothing. */
static void clocks_beyond_the_bound_are_caught(void **state)
{
    (void)state;
    const struct manner beyond = {.drift_ppm = 500000, .is_worst = true};
    expect_that_it_shows("clocks are further off than was said", &beyond);
}

static void mistakes_of_clients_are_caught(void **state)
{
    (void)state;
    static const char *const names[CLIENTS_MISTAKE_COUNT] = {
        [CLIENTS_READ_HERE] = "a read is what this node has applied",
        [CLIENTS_BELIEVE_LEADERS] = "a read is what who thinks to lead has applied",
        [CLIENTS_ANSWER_EARLY] = "a write is over when it is proposed",
        [CLIENTS_UNKNOWN_IS_LOST] = "what nobody knows of did not happen",
        [CLIENTS_LOST_IS_DONE] = "what was lost is told as if it were there",
        [CLIENTS_FORGET_A_KEY] = "a state machine that starts again has lost a key",
    };
    for (enum clients_mistake mistake = CLIENTS_RIGHT + 1; mistake < CLIENTS_MISTAKE_COUNT; mistake++) {
        const struct manner manner = {.drift_ppm = DRIFT_PPM, .mistake = mistake};
        expect_that_it_shows(names[mistake], &manner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_clients_are_told_a_single_store_could_have_told),
        cmocka_unit_test(clocks_beyond_the_bound_are_caught),
        cmocka_unit_test(mistakes_of_clients_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
