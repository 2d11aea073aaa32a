/* sim_life.h: lives of stores on the simulated disk, the power cuts that end them, and the oracle.
 *
 * A life is a list of steps; each step's dice come from the seed and its number alone, so any part of the list is a
 * life too: that is how one that fails is shrunk. At every change that the store makes, what a cut may leave is opened
 * and judged:
 *   - it is in a state from the last acknowledged batch to the last submitted one: batches whole, a legal prefix of
 *     every log, no hard state older than what was acknowledged, every entry with its bytes, snapshots with theirs
 *   - opening has changed nothing on the medium, and a second one finds the same
 *   - where it is written on, and the power goes again during that recovery, the next opening finds the same
 * Each life is lived in a child process, so that a failed CHECK or a sanitizer's word is a failure like any other.
 *
 *   TEAK_SEED=n            other lives than the usual ones
 *   TEAK_RUNS=n            so many of them; --long: until somebody ends it
 *   TEAK_TRACE=shape:seed:steps   one life again, with every step told
 */
#ifndef TEAK_TESTS_SIM_LIFE_H
#define TEAK_TESTS_SIM_LIFE_H

#include <stdbool.h>
#include <stdint.h>

/* How lives look. */
struct life_shape {
    const char *name;
    uint32_t steps;
    bool is_small;        /* batches and payloads of few bytes, so that few sectors are open                   */
    uint32_t ends_one_in; /* steps that end the session: closed, killed, cut                                   */
    uint32_t look_one_in; /* changes at which the power goes                                                   */
    uint32_t all_below;   /* fewer outcomes than that are all looked at                                        */
    uint32_t near;        /* else: all that differ in up to so many sectors from none or all (0, 1, 2)         */
    uint32_t samples;     /* and so many of the rest                                                           */
    uint32_t nested_one_in; /* states that are gone on from, with cuts in recovery                             */
    uint32_t nested_below;  /* there, fewer outcomes than that are all looked at                               */
    uint32_t nested_samples;
    uint32_t fail_one_in, shorten_one_in, stall_one_in; /* faults of the disk while it lives: sim_disk.h       */
    bool has_lies;        /* one lost or misdirected write, or rot: then closed, and opened                    */
    bool syncs_lie;       /* a switch for those who test the tests                                             */
};

struct life_totals {
    uint64_t lives, steps, batches, operations;
    uint64_t cut_points, exhausted, outcomes, states; /* points; of them with all outcomes; outcomes; different ones */
    uint64_t kills, nested_states, sessions;
    uint64_t faults, failed_syncs, dropped_sectors, short_writes, stalls, deaths;
    uint64_t lies, refused, harmless, told_by_reads;
    uint64_t history; /* sum over what the disks saw */
};

/* Lives of `shape` until `states` different ones were opened (0: `runs` lives): for a test's main. `argv`: --long.
 * Returns an exit status. */
int live_many(const struct life_shape *shape, uint64_t states, uint32_t runs, int argc, char **argv);

/* One life, `steps` NULL: all; in a child. Its totals are added. False: it failed. */
bool live_once(const struct life_shape *shape, uint64_t seed, const uint32_t *steps, uint32_t count, bool is_told,
               struct life_totals *totals);

/* A life that fails: the fewest of its steps that still do. `steps` has room for shape->steps. Returns how many. */
uint32_t shrink_life(const struct life_shape *shape, uint64_t seed, uint32_t *steps);

#endif
