/* model_test.c: random batches over several logs, random ends of sessions, against a model that knows nothing of disks.
 * TEAK_SEED=n repeats a run; TEAK_ROUNDS=n makes it longer.
 */
#include "store/model.h"

static struct rig home;

/* ---- driving ---- */

static void take_completions(uint64_t wait_ns)
{
    struct teak_completion done[64];
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(teak_poll(run.store, wait_ns, done, 64, &count, &error), &error);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(done[i].status, TEAK_OK);
        assert_int_equal(done[i].tag, run.acknowledged + 1);
        run.acknowledged++;
    }
}

static void submit_random(void)
{
    static struct scratch scratch;
    const struct teak_batch batch = random_batch(&scratch);
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = teak_submit(run.store, &batch, &error)) == TEAK_FULL) take_completions(100000000);
    rig_ok(status, &error);
    run.submitted++;
}

static void reopen(void)
{
    run.store = rig_open_with(&home, &run.options, NULL);
    run.submitted = run.acknowledged = find_state(run.store);
}

/* What a crash at this moment would leave is opened beside, recovered, written to, and crashes again. */
static void crash_beside(const struct rig *copy, const struct rig *again)
{
    rig_copy(&home, copy);
    struct teak_store *store = rig_open_with(copy, &run.options, NULL);
    const uint64_t batch = find_state(store);
    rig_do(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = 77});
    rig_drain(store);
    rig_copy(copy, again);
    teak_abandon(store);
    store = rig_open_with(again, &run.options, NULL);
    assert_true(same_state(store, state_of(batch)));
    (void)rig_log(store, 77);
    rig_close(store);
    store = rig_open_read_only(again, NULL);
    struct teak_error error = {0};
    struct teak_verify_result result;
    rig_ok(teak_verify(store, NULL, 0, &result, NULL, NULL, &error), &error);
    rig_close(store);
}

static void the_store_is_always_in_a_legal_state(void **state)
{
    (void)state;
    const char *rounds_given = getenv("TEAK_ROUNDS");
    const uint32_t rounds = rounds_given ? (uint32_t)atoi(rounds_given) : 60;
    run.seeded = seeded_begin("model");
    home = rig_make("model");
    run.options = rig_options();
    const struct rig copy = rig_make("modelcopy"), again = rig_make("modelagain");
    run.store = rig_open_with(&home, &run.options, NULL);
    for (uint32_t round = 0; round < rounds; round++) {
        const uint32_t batches = 1 + below(150);
        for (uint32_t i = 0; i < batches; i++) {
            submit_random();
            if (below(8) == 0 || run.submitted - run.acknowledged > STATES - 8) take_completions(below(2) * 2000000);
            if (run.submitted - run.acknowledged > STATES - 8) {
                struct teak_error error = {0};
                rig_ok(teak_barrier(run.store, run.submitted + 1, &error), &error);
                while (run.acknowledged != run.submitted + 1) take_completions(1000000000);
                run.submitted++;
                *state_of(run.submitted) = *state_of(run.submitted - 1);
            }
            if (below(40) == 0) crash_beside(&copy, &again);
        }
        assert_true(same_state(run.store, state_of(run.submitted)));
        if (below(2)) {
            const uint64_t all = run.submitted;
            rig_close(run.store);
            reopen();
            assert_true(same_state(run.store, state_of(all)));
        } else {
            teak_abandon(run.store);
            reopen();
        }
        random_options();
        run.options.backend = below(3) ? TEAK_BACKEND_AUTO : TEAK_BACKEND_POSIX;
        run.options.move_bytes_per_second = RIG_MOVES == 0 || below(2) ? 0 : TEAK_FOREVER;
    }
    rig_close(run.store);
    rig_remove(home.dir);
    rig_remove(copy.dir);
    rig_remove(again.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_store_is_always_in_a_legal_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
