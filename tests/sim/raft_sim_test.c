/* raft_sim_test.c: lives of clusters of one to seven, on the real engine over simulated disks, with a faulty network:
 * raft_fleet.h. A fixed number of them; one of them twice, to see that a seed repeats it.
 *
 *   TEAK_SEED=n    that one, and those behind it
 *   TEAK_RUNS=n    so many lives
 *   TEAK_TRACE=1   every event is printed
 */
#include "raft_fleet.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/rig.h"

enum { LIVES = 100, MILLISECONDS = 2500, FIRST_SEED = 1 };

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    return given ? strtoull(given, NULL, 0) : otherwise;
}

static void print(const struct fleet_totals *totals)
{
    const struct {
        const char *what;
        uint64_t count;
    } lines[] = {
        {"lives", totals->lives}, {"milliseconds of their clocks", totals->milliseconds},
        {"of these until all agreed again", totals->settling}, {"messages", totals->messages},
        {"lost", totals->lost}, {"repeated", totals->repeated}, {"elections", totals->elections},
        {"changes of membership", totals->changes}, {"proposals", totals->proposals}, {"answered", totals->answered},
        {"entries committed", totals->committed}, {"reads", totals->reads}, {"served", totals->served},
        {"jobs", totals->jobs}, {"refused for want of space", totals->refusals}, {"fetches", totals->fetches},
        {"power cuts", totals->power_cuts}, {"kills", totals->kills}, {"nodes poisoned", totals->poisoned},
        {"nodes rotten", totals->rotten}, {"jobs found that nobody was told of", totals->jobs_found},
        {"reads by lease served", totals->leased}, {"snapshots taken", totals->snapshots},
        {"chunks of them read", totals->chunks}, {"transfers resumed", totals->resumed},
        {"restored from one", totals->restores}, {"logs compacted", totals->compactions},
        {"leadership handed over", totals->transfers}, {"disks rotten", totals->decayed},
        {"of these given up", totals->unreadable}, {"disks replaced", totals->wipes},
        {"copies made of disks", totals->copies}, {"put back in place of disks", totals->put_back},
        {"strangers seen", totals->strangers}, {"majorities gone", totals->disasters},
        {"recoveries begun anew", totals->again}, {"committed entries lost with them", totals->forgotten},
        {"messages of the other cluster", totals->foreign}, {"copies cut and looked at", totals->looks},
        {"calls of clients", totals->clients.calls},
        {"of these written", totals->clients.written}, {"read at leaders and followers", totals->clients.reads},
        {"read at followers", totals->clients.elsewhere}, {"lost", totals->clients.lost},
        {"never told", totals->clients.open}, {"steps to find an order for them", totals->clients.steps},
    };
    for (uint32_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        printf("%12" PRIu64 " %s\n", lines[i].count, lines[i].what);
}

static void lives_keep_what_holds_and_settle(void **state)
{
    (void)state;
    struct fleet_totals totals = {0};
    const uint64_t first = number_of("TEAK_SEED", FIRST_SEED), runs = number_of("TEAK_RUNS", LIVES);
    const bool is_told = getenv("TEAK_TRACE") != NULL;
    printf("seeds %" PRIu64 " to %" PRIu64 "\n", first, first + runs - 1);
    for (uint64_t seed = first; seed < first + runs; seed++) {
        const struct fleet_shape shape = fleet_draw(seed);
        (void)fleet_live(seed, &shape, MILLISECONDS, is_told, &totals);
    }
    print(&totals);
    assert_true(totals.committed > 0);
    if (runs < LIVES) return;
    assert_true(totals.clients.written > 0 && totals.clients.elsewhere > 0);
    assert_true(totals.put_back > 0 && totals.strangers > 0 && totals.disasters > 0 && totals.foreign > 0);
}

/* Lives that once found a fault, as docs/testing.md tells. */
static void lives_that_found_something(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {
        1571, 1762,       /* open tags refused the proposals that would have answered them           */
        2352, 2972, 5164, /* what was forgotten was all that was wanting, and nobody told who waited */
    };
    struct fleet_totals totals = {0};
    for (uint32_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        struct fleet_shape shape = fleet_draw(seeds[i]);
        shape.client_one_in = shape.drift_one_in = 0; /* there was none of it yet */
        shape.copy_one_in = shape.put_back_one_in = shape.disaster_at = 0;
        (void)fleet_live(seeds[i], &shape, MILLISECONDS, false, &totals);
    }
    const struct fleet_shape late = fleet_draw(118401); /* a late answer brought a member's former run back */
    (void)fleet_live(118401, &late, MILLISECONDS, false, &totals);
}

/* A test of the test: where clocks are off by more than nodes are told, a read by lease misses what was committed, and
 * nothing else breaks. It needs a slow leader that is cut off from two fast ones: most lives have none. */
static void clocks_beyond_the_bound_are_seen(void **state)
{
    (void)state;
    enum { FIRST = 26, LAST = 1000 };
    static const struct fleet_shape shape = {
        .nodes = 3, .voters = 3, .delay_max = 3, .propose_one_in = 2, .read_one_in = 1, .cut_link_one_in = 250,
        .heal_one_in = 300, .transfer_one_in = 800, .disk_one_in = 1, .in_flight = 4, .strategy = TEAK_DSYNC,
        .memory = FLEET_REMEMBERS, .drift_ppm = 1000, .skew_ppm = 550000, .breaks_bound = true, .knows_born = true};
    struct fleet_totals totals = {0};
    for (uint64_t seed = FIRST; totals.stale == 0 && seed <= LAST; seed++)
        (void)fleet_live(seed, &shape, MILLISECONDS, false, &totals);
    printf("%" PRIu64 " of %" PRIu64 " reads by lease are stale\n", totals.stale, totals.leased);
    assert_true(totals.stale > 0);
}

/* Older disks are put back, and a survivor is recovered. */
static struct fleet_shape draw_disaster_among_copies(uint64_t seed)
{
    struct fleet_shape shape = fleet_draw(seed);
    shape.nodes = shape.voters = (uint32_t)(3 + seed % 3);
    shape.copy_one_in = 60;
    shape.put_back_one_in = 100;
    shape.disaster_at = 300;
    return shape;
}

static void a_disaster_among_copies_is_survived(void **state)
{
    (void)state;
    struct fleet_totals totals = {0};
    for (uint64_t seed = 6; seed < 36; seed++) {
        const struct fleet_shape shape = draw_disaster_among_copies(seed);
        (void)fleet_live(seed, &shape, 600, false, &totals);
    }
    assert_true(totals.put_back > 0 && totals.strangers > 0 && totals.disasters == 30);
}

static void a_seed_repeats_a_life(void **state)
{
    (void)state;
    struct fleet_totals totals = {0};
    for (uint64_t seed = 3; seed < 6; seed++) {
        const struct fleet_shape shape = draw_disaster_among_copies(seed);
        const uint64_t once = fleet_live(seed, &shape, 600, false, &totals);
        assert_int_equal(fleet_live(seed, &shape, 600, false, &totals), once);
        assert_int_not_equal(fleet_live(seed + 1000, &shape, 600, false, &totals), once);
    }
    assert_true(totals.put_back > 0 && totals.disasters == 9);
}

/* How a life ends whose operator breaks the rules: it has a process of its own. */
static int live_apart(uint64_t seed, const struct fleet_shape *shape, struct fleet_totals *totals)
{
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)fleet_live(seed, shape, MILLISECONDS, false, totals);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status)) fail_msg("life %" PRIu64 " ends by signal %d", seed, WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* A disk that is put back by other means than `teak copy` comes back under the name that it confirmed and voted with.
 * That is forbidden, for nothing can tell: here is what breaks. What is promised: a leader that counted on what is gone
 * says so before it counts on it again, and no process ends. */
static void a_disk_put_back_under_its_own_name_breaks_what_holds(void **state)
{
    (void)state;
    enum { FIRST = 40 };
    static const uint64_t found_something[] = {
        143,  /* the disk comes back as long, and with other entries                                    */
        1116, /* what was on its way brings all back when the leader knows already: nothing to be said */
    };
    const uint64_t lives = FIRST + sizeof found_something / sizeof found_something[0];
    const struct fleet_shape shape = {
        .nodes = 3, .voters = 3, .delay_max = 10, .propose_one_in = 5, .cut_power_one_in = 1500, .cut_link_one_in = 400,
        .heal_one_in = 300, .copy_one_in = 400, .put_back_one_in = 600, .puts_back_raw = true, .knows_born = true,
        .memory = FLEET_REMEMBERS, .strategy = TEAK_DSYNC, .disk_one_in = 1, .in_flight = 4};
    uint32_t broken = 0;
    struct fleet_totals *totals = mmap(NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(totals != MAP_FAILED);
    memset(totals, 0, sizeof *totals);
    for (uint64_t life = 1; life <= lives; life++) {
        const uint64_t seed = life <= FIRST ? life : found_something[life - FIRST - 1];
        const int end = live_apart(seed, &shape, totals);
        if (end == FLEET_UNSEEN) fail_msg("life %" PRIu64 ": a leader does not see that entries are gone", seed);
        if (end != 0 && end != FLEET_BROKEN) fail_msg("life %" PRIu64 " ends with %d", seed, end);
        broken += end == FLEET_BROKEN;
    }
    printf("%u of %" PRIu64 " lives are broken; %" PRIu64 " disks were put back, %" PRIu64 " losses seen\n", broken,
           lives, totals->put_back, totals->losses);
    assert_true(broken > 0 && totals->losses > 0);
    assert_int_equal(munmap(totals, sizeof *totals), 0);
}

/* Three nodes whose leaders are cut off again and again, and clients that come often. */
static struct fleet_shape draw_cut_off(void)
{
    return (struct fleet_shape){.nodes = 3, .voters = 3, .delay_max = 3, .cut_link_one_in = 300, .heal_one_in = 300,
                                .client_one_in = 6, .drift_ppm = 10000, .skew_ppm = 10000, .drift_one_in = 30,
                                .knows_born = true, .memory = FLEET_REMEMBERS, .strategy = TEAK_AUTO, .disk_one_in = 1,
                                .in_flight = 2};
}

/* Of those that are left the one with least is recovered: what others know to be committed, or a majority has, is
 * lost. */
static void another_survivor_than_the_best_loses_what_was_committed(void **state)
{
    (void)state;
    struct fleet_shape shape = draw_cut_off();
    struct fleet_totals totals = {0};
    uint32_t broken = 0;
    shape.nodes = shape.voters = 5;
    shape.propose_one_in = 5;
    shape.client_one_in = 0;
    shape.disaster_at = 1500;
    shape.takes_worst = true;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const int end = live_apart(seed, &shape, &totals);
        if (end != 0 && end != FLEET_BROKEN) fail_msg("life %" PRIu64 " ends with %d", seed, end);
        broken += end == FLEET_BROKEN;
    }
    printf("%u of 20 lives are broken\n", broken);
    assert_true(broken > 0);
}

/* Lives of that shape, until what clients were told is broken. */
static void expect_that_it_shows(const char *what, const struct fleet_shape *shape, struct fleet_totals *totals)
{
    for (uint64_t seed = 1; seed <= LIVES && totals->broken == 0; seed++)
        (void)fleet_live(seed, shape, MILLISECONDS, getenv("TEAK_TRACE") != NULL, totals);
    printf("%s: broken in life %" PRIu64 "\n", what, totals->lives);
    if (totals->broken == 0) fail_msg("%s, and nothing shows", what);
}

/* A leader that is cut off answers by a lease that the others' clocks have ended. Nothing but the clients' history says
 * so. As far off as was said, in the lives above, it shows nothing. */
static void clocks_beyond_the_bound_are_caught(void **state)
{
    (void)state;
    struct fleet_totals totals = {0};
    struct fleet_shape shape = draw_cut_off();
    shape.skew_ppm = 700000;
    shape.breaks_bound = true;
    expect_that_it_shows("clocks are further off than was said", &shape, &totals);
}

static void what_clients_take_wrongly_shows(void **state)
{
    (void)state;
    static const char *const names[CLIENTS_MISTAKE_COUNT] = {
        [CLIENTS_READ_HERE] = "a read is what this node has applied",
        [CLIENTS_BELIEVE_LEADERS] = "a read is what who thinks to lead has applied",
        [CLIENTS_ANSWER_EARLY] = "a write is over when it is proposed",
    };
    for (enum clients_mistake mistake = CLIENTS_READ_HERE; mistake <= CLIENTS_ANSWER_EARLY; mistake++) {
        struct fleet_totals totals = {0};
        struct fleet_shape shape = draw_cut_off();
        shape.mistake = mistake;
        expect_that_it_shows(names[mistake], &shape, &totals);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_keep_what_holds_and_settle),
        cmocka_unit_test(lives_that_found_something),
        cmocka_unit_test(clocks_beyond_the_bound_are_seen),
        cmocka_unit_test(a_disk_put_back_under_its_own_name_breaks_what_holds),
        cmocka_unit_test(another_survivor_than_the_best_loses_what_was_committed),
        cmocka_unit_test(a_disaster_among_copies_is_survived),
        cmocka_unit_test(a_seed_repeats_a_life),
        cmocka_unit_test(clocks_beyond_the_bound_are_caught),
        cmocka_unit_test(what_clients_take_wrongly_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
