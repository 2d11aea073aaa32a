/* tune_search.h: which settings suit a disk and a load: the search, apart from any disk. Who calls it measures.
 *
 * PATH   plan: the defaults, and what could be better for this load, each with few knobs turned. Then rounds of
 *        successive halving: all that are left run in turn, there and back, several times over, so that a drift of
 *        the machine meets all alike; the worse half goes; behind the first round what did well is also tried
 *        together. In the last round four are left, the defaults always among them.
 * HOLDS  (1) settings are compared within a pass, run beside run, never across passes.
 *        (2) chosen is the setting with the fewest knobs turned of those that the best one does not beat by more than
 *            what could be chance, so the defaults unless something is plainly better. */
#ifndef TEAK_TOOLS_TUNE_SEARCH_H
#define TEAK_TOOLS_TUNE_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/engine.h"

/* 0 in a knob: as it is without tuning. */
struct tune_setting {
    enum teak_strategy strategy;
    uint32_t in_flight, group_bytes;
    uint64_t linger_ns, segment_bytes;
};

enum { TUNE_CANDIDATES_MAX = 32, TUNE_PASSES_MAX = 9, TUNE_ROUNDS = 4, TUNE_FINALISTS = 4,
       TUNE_CHANCE_MAX = 2 * TUNE_CANDIDATES_MAX * TUNE_PASSES_MAX };

struct tune_sample {
    double entries_per_second, p99_us;
};

struct tune_candidate {
    struct tune_setting setting;
    bool alive;
    uint32_t rounds; /* that it took part in                                                     */
    struct tune_sample samples[TUNE_PASSES_MAX]; /* of its last round                           */
    struct tune_sample typical; /* that round's: what the defaults did in the last round, times the median of what it
                                 * did more or less than they did beside it                     */
    bool on_frontier;           /* no other has both more entries a second and a lower p99      */
};

/* Of what is wanted: entries a second, the more the better; or a p99, the less the better. */
enum tune_aim { AIM_RATE, AIM_P99, AIM_COUNT };

struct tune_load {
    bool is_open;              /* a rate is given, so that only p99 is left to be won            */
    double rate;               /* that one, in entries a second                                  */
    double outstanding_bytes;  /* payload; of an open loop: what may come in while a frame flies  */
    double p99_us;             /* the limit; 0: none                                             */
    uint64_t run_ns_least;     /* what a run has to last to tell anything; 0: that is for tune_search.c to say */
    uint64_t small_segment, large_segment; /* sizes that are tried too; 0: none                   */
    struct tune_setting stored; /* what the store says now: tried, too                            */
};

struct tune_search {
    struct tune_load load;
    struct tune_candidate candidates[TUNE_CANDIDATES_MAX]; /* the first: the defaults                          */
    uint32_t count;
    uint32_t chosen;
    bool is_met;      /* the limit, by the chosen one; true where there is none                                */
    enum tune_aim aim; /* by which was chosen: p99 also where no finalist keeps the limit                      */
    double noise;     /* share by which two runs of one pass differ by chance: that of a single pair           */
    double needed;    /* share by which another has to be better                                               */
    double gain;      /* share by which the chosen one is better than the defaults                             */
    double chance[AIM_COUNT][TUNE_CHANCE_MAX]; /* how far leads lay from their medians, in the last two rounds       */
    uint32_t chance_count;
    uint32_t best;    /* of the finalists that may be chosen                                                   */
    double best_gain; /* share by which it is better than the defaults                                         */
};

/* Run the load with that setting for so long. False: no answer, and the search ends. */
typedef bool (*tune_measure_fn)(void *context, const struct tune_setting *setting, uint64_t run_ns,
                                struct tune_sample *out);

void tune_plan(const struct tune_load *load, struct tune_search *out);

/* The measuring that the plan needs, for runs of run_ns_least. */
uint64_t tune_least_ns(const struct tune_search *search);

/* All rounds, `measure_ns` of measuring together. False: `measure` said so. */
bool tune_run(struct tune_search *search, uint64_t measure_ns, tune_measure_fn measure, void *context);

/* How many knobs are turned. */
uint32_t tune_turned(const struct tune_setting *setting);

#endif
