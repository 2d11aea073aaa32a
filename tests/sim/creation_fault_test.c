/* creation_fault_test.c: the n-th operation of a creation fails, for every kind and n; then the m-th of the next
 * attempt. Each says whose fault it was, and the one without a fault creates the store.
 */
#include "sim_disk.h"
#include "store/rig.h"
#include "store/store.h"

enum { NTH_MAX = 64 };

static enum teak_status attempt(struct sim_medium *medium, struct teak_store **out)
{
    static struct teak_report report;
    struct teak_options options = rig_options();
    struct teak_error error = {0};
    *out = NULL;
    const enum teak_status status = store_open_on(sim_open(medium), "store", &options, out, &report, &error);
    if (status != TEAK_OK && status != TEAK_IO) rig_ok(status, &error);
    return status;
}

/* False: the n-th never came. */
static bool fails_at(struct sim_medium *medium, enum disk_kind kind, uint64_t nth)
{
    struct teak_store *store;
    sim_fail(medium, kind, nth, EIO);
    const enum teak_status status = attempt(medium, &store);
    const bool has_come = sim_fail_is_over(medium);
    sim_fail(medium, kind, 0, 0);
    if (store) teak_abandon(store);
    assert_true(status == TEAK_OK || has_come);
    return has_come;
}

static void every_failure_is_told_and_repeated(void **state)
{
    (void)state;
    uint64_t pairs = 0;
    for (int first = 0; first < DISK_KIND_COUNT; first++)
        for (uint64_t nth = 1; nth < NTH_MAX; nth++) {
            bool has_come = true;
            for (int second = 0; second < DISK_KIND_COUNT; second++)
                for (uint64_t mth = 1; mth < NTH_MAX; mth++) {
                    struct sim_medium *medium = sim_make(nth * 1000 + mth);
                    struct teak_store *store;
                    has_come = fails_at(medium, (enum disk_kind)first, nth);
                    const bool goes_on = has_come && fails_at(medium, (enum disk_kind)second, mth);
                    pairs += goes_on;
                    assert_int_equal(attempt(medium, &store), TEAK_OK);
                    teak_abandon(store);
                    sim_free(medium);
                    if (!goes_on) break;
                }
            if (!has_come) break;
        }
    print_message("%d pairs of failures\n", (int)pairs);
    assert_true(pairs > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_failure_is_told_and_repeated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
