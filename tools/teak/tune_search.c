/* tune_search.c: see tune_search.h. */
#include "tune_search.h"

#include <math.h>
#include <string.h>

#include "spread.h"

/* LANE_BYTES: below it the engine keeps one frame in flight, whatever is allowed. PARENTS: of what did well in the
 * first round, so many are also tried together. TO_STAY: beside the aims, what tells who stays. */
enum { LANE_BYTES = 512 << 10, PARENTS = 4, CROSSES_MAX = 3, PASSES_LEAST = 2, TO_STAY = AIM_COUNT };
#define RUN_NS_LEAST UINT64_C(20000000)
static const uint32_t passes_of_round[TUNE_ROUNDS] = {3, 4, 6, TUNE_PASSES_MAX};

/* A gain that is not worth another setting, however quiet the machine: p99 is what few runs tell least of. */
static const double least_gain[AIM_COUNT] = {[AIM_RATE] = 0.05, [AIM_P99] = 0.10};
/* How steeply a candidate falls behind with what it is above the limit: twice it counts as a sixteenth of the rate. */
#define LIMIT_STEEPNESS 4.0
/* Of n numbers from a normal distribution: the deviation out of the median distance; the error of the median, which is
 * 1.25 / sqrt(n) of a deviation; and how many of these errors are taken for no chance. */
#define DEVIATION_OF_DISTANCE 1.4826
#define ERROR_OF_MEDIAN 1.2533
#define ERRORS_NEEDED 4.0
#define NEXT_TO_NOTHING 1e-6

/* ------------------------------------------------------------------------------------------------------------- plan */

uint32_t tune_turned(const struct tune_setting *setting)
{
    const bool turned[] = {setting->strategy != TEAK_AUTO, setting->in_flight != 0, setting->group_bytes != 0,
                           setting->linger_ns != 0, setting->segment_bytes != 0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < sizeof(turned) / sizeof(turned[0]); i++) count += turned[i];
    return count;
}

static bool alike(const struct tune_setting *a, const struct tune_setting *b)
{
    return a->strategy == b->strategy && a->in_flight == b->in_flight && a->group_bytes == b->group_bytes &&
           a->linger_ns == b->linger_ns && a->segment_bytes == b->segment_bytes;
}

static void add(struct tune_search *search, struct tune_setting setting)
{
    for (uint32_t i = 0; i < search->count; i++)
        if (alike(&search->candidates[i].setting, &setting)) return;
    if (search->count == TUNE_CANDIDATES_MAX) return;
    search->candidates[search->count++] = (struct tune_candidate){.setting = setting, .alive = true};
}

void tune_plan(const struct tune_load *load, struct tune_search *out)
{
    memset(out, 0, sizeof(*out));
    out->load = *load;
    out->aim = load->is_open ? AIM_P99 : AIM_RATE;
    const double bytes = load->outstanding_bytes;
    add(out, (struct tune_setting){0});
    add(out, load->stored);
    add(out, (struct tune_setting){.strategy = TEAK_DSYNC});
    add(out, (struct tune_setting){.strategy = TEAK_FDATASYNC});
    add(out, (struct tune_setting){.strategy = TEAK_BUFFERED});
    add(out, (struct tune_setting){.linger_ns = 50000});
    add(out, (struct tune_setting){.linger_ns = 200000});
    add(out, (struct tune_setting){.segment_bytes = load->small_segment});
    add(out, (struct tune_setting){.segment_bytes = load->large_segment});
    /* What is outstanding bounds a frame: to cut below that, or to fly more of them, changes nothing. */
    if (bytes > 128 << 10) add(out, (struct tune_setting){.group_bytes = 128 << 10});
    if (bytes <= LANE_BYTES) return;
    add(out, (struct tune_setting){.in_flight = 1}); /* four is what there is without it */
    add(out, (struct tune_setting){.in_flight = 2});
    add(out, (struct tune_setting){.in_flight = 8});
    add(out, (struct tune_setting){.group_bytes = 512 << 10});
    add(out, (struct tune_setting){.in_flight = 2, .group_bytes = 512 << 10});
    add(out, (struct tune_setting){.in_flight = 8, .group_bytes = 512 << 10});
    if (bytes > 2 << 20) add(out, (struct tune_setting){.group_bytes = 1 << 20});
    if (bytes > 4 << 20) add(out, (struct tune_setting){.group_bytes = 8 << 20});
}

/* ------------------------------------------------------------------------------------------------------- comparison */

/* The more the better, and a difference is a factor. A run too short for anything to come back is the worst. */
static double score(const struct tune_sample *sample, enum tune_aim aim)
{
    if (sample->entries_per_second <= 0) return log(NEXT_TO_NOTHING);
    return aim == AIM_P99 ? -log(fmax(sample->p99_us, NEXT_TO_NOTHING)) : log(sample->entries_per_second);
}

/* The same, with what is above the limit counted against it: it tells who stays. */
static double score_to_stay(const struct tune_search *search, const struct tune_sample *sample)
{
    const double above =
        search->load.p99_us > 0 ? -score(sample, AIM_P99) - log(search->load.p99_us) : 0;
    return score(sample, search->load.is_open ? AIM_P99 : AIM_RATE) - (above > 0 ? LIMIT_STEEPNESS * above : 0);
}

/* By how much (as a logarithm) it is better than the defaults beside it, by an aim or TO_STAY: in one pass. */
static double lead_in(const struct tune_search *search, uint32_t which, uint32_t pass, uint32_t by)
{
    const struct tune_sample *mine = &search->candidates[which].samples[pass];
    const struct tune_sample *defaults = &search->candidates[0].samples[pass];
    return by == TO_STAY ? score_to_stay(search, mine) - score_to_stay(search, defaults)
                         : score(mine, (enum tune_aim)by) - score(defaults, (enum tune_aim)by);
}

/* The median of the passes. */
static double lead(const struct tune_search *search, uint32_t which, uint32_t passes, uint32_t by)
{
    double leads[TUNE_PASSES_MAX];
    for (uint32_t i = 0; i < passes; i++) leads[i] = lead_in(search, which, i, by);
    return spread_of(leads, passes).median;
}

/* How far the leads of single passes lie from their median, of all that are left: it tells what chance does. The median
 * was drawn from the same numbers, so that they lie nearer to it than they should. */
static void note_chance(struct tune_search *search, uint32_t passes)
{
    const double few = (double)passes / (passes - 1);
    for (uint32_t which = 1; which < search->count; which++) {
        if (!search->candidates[which].alive) continue;
        for (enum tune_aim aim = 0; aim < AIM_COUNT; aim++) {
            const double middle = lead(search, which, passes, aim);
            for (uint32_t i = 0; i < passes; i++)
                search->chance[aim][search->chance_count + i] = few * fabs(lead_in(search, which, i, aim) - middle);
        }
        search->chance_count += passes;
    }
}

static bool keeps_limit(const struct tune_search *search, uint32_t which)
{
    return search->load.p99_us <= 0 || search->candidates[which].typical.p99_us <= search->load.p99_us;
}

static uint32_t alive_count(const struct tune_search *search)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < search->count; i++) count += search->candidates[i].alive;
    return count;
}

/* ----------------------------------------------------------------------------------------------------------- rounds */

/* Those that are left, the best first, without the defaults, which stay anyway. */
static uint32_t ranked(const struct tune_search *search, uint32_t passes, uint32_t *out, double *leads)
{
    uint32_t count = 0;
    for (uint32_t which = 1; which < search->count; which++) {
        if (!search->candidates[which].alive) continue;
        /* a knob that brings less is not worth to be turned */
        const double mine = lead(search, which, passes, TO_STAY) -
                            tune_turned(&search->candidates[which].setting) * log1p(least_gain[search->aim]);
        uint32_t at = count++;
        for (; at > 0 && leads[at - 1] < mine; at--) {
            out[at] = out[at - 1];
            leads[at] = leads[at - 1];
        }
        out[at] = which;
        leads[at] = mine;
    }
    return count;
}

/* Both, where they turn different knobs. */
static bool cross(const struct tune_setting *a, const struct tune_setting *b, struct tune_setting *out)
{
    *out = (struct tune_setting){
        .strategy = a->strategy != TEAK_AUTO ? a->strategy : b->strategy,
        .in_flight = a->in_flight != 0 ? a->in_flight : b->in_flight,
        .group_bytes = a->group_bytes != 0 ? a->group_bytes : b->group_bytes,
        .linger_ns = a->linger_ns != 0 ? a->linger_ns : b->linger_ns,
        .segment_bytes = a->segment_bytes != 0 ? a->segment_bytes : b->segment_bytes,
    };
    return tune_turned(out) == tune_turned(a) + tune_turned(b);
}

/* What is left of n: half, no fewer than the finalists. */
static uint32_t halved(uint32_t count) { return count / 2 > TUNE_FINALISTS ? count / 2 : TUNE_FINALISTS; }

static uint32_t left_behind(uint32_t round, uint32_t count)
{
    return round + 2 == TUNE_ROUNDS ? TUNE_FINALISTS : halved(count);
}

static void drop_the_worse(struct tune_search *search, uint32_t round, uint32_t passes)
{
    uint32_t order[TUNE_CANDIDATES_MAX];
    double leads[TUNE_CANDIDATES_MAX];
    struct tune_setting both;
    const uint32_t others = ranked(search, passes, order, leads);
    const uint32_t stay = left_behind(round, others + 1) - 1;
    for (uint32_t i = stay; i < others; i++) search->candidates[order[i]].alive = false;
    if (round > 0) return;
    uint32_t crosses = 0;
    for (uint32_t i = 0; i < stay && i < PARENTS; i++)
        for (uint32_t j = 0; j < i && leads[i] > 0 && crosses < CROSSES_MAX; j++)
            if (cross(&search->candidates[order[j]].setting, &search->candidates[order[i]].setting, &both)) {
                add(search, both);
                crosses++;
            }
}

/* Each round has the same time; short runs are fewer rather than shorter. */
static uint32_t passes_of(const struct tune_search *search, uint32_t round, uint64_t round_ns)
{
    const uint64_t alive = alive_count(search);
    const uint64_t run_ns = search->load.run_ns_least > RUN_NS_LEAST ? search->load.run_ns_least : RUN_NS_LEAST;
    uint32_t passes = passes_of_round[round];
    while (passes > PASSES_LEAST && round_ns / (alive * passes) < run_ns) passes--;
    return passes;
}

uint64_t tune_least_ns(const struct tune_search *search)
{
    return (uint64_t)TUNE_ROUNDS * PASSES_LEAST * search->count * search->load.run_ns_least;
}

/* There and back in turn: what gets slower from run to run is as often first as last. */
static bool run_pass(struct tune_search *search, uint32_t pass, uint64_t run_ns, tune_measure_fn measure,
                     void *context)
{
    for (uint32_t i = 0; i < search->count; i++) {
        struct tune_candidate *candidate = &search->candidates[pass % 2 == 0 ? i : search->count - 1 - i];
        if (!candidate->alive) continue;
        if (!measure(context, &candidate->setting, run_ns, &candidate->samples[pass])) return false;
    }
    return true;
}

/* Until the last round says what the defaults did, a lead is all there is. */
static void note_typical(struct tune_search *search, uint32_t passes)
{
    for (uint32_t which = 0; which < search->count; which++) {
        struct tune_candidate *candidate = &search->candidates[which];
        if (!candidate->alive) continue;
        candidate->rounds++;
        candidate->typical = (struct tune_sample){.entries_per_second = exp(lead(search, which, passes, AIM_RATE)),
                                                  .p99_us = exp(-lead(search, which, passes, AIM_P99))};
    }
}

/* ----------------------------------------------------------------------------------------------------------- choice */

static void scale_to_defaults(struct tune_search *search, uint32_t passes)
{
    double rates[TUNE_PASSES_MAX], p99s[TUNE_PASSES_MAX];
    for (uint32_t i = 0; i < passes; i++) {
        rates[i] = search->candidates[0].samples[i].entries_per_second;
        p99s[i] = search->candidates[0].samples[i].p99_us;
    }
    const double rate = spread_of(rates, passes).median, p99 = spread_of(p99s, passes).median;
    for (uint32_t i = 0; i < search->count; i++) {
        search->candidates[i].typical.entries_per_second *= rate;
        search->candidates[i].typical.p99_us *= p99;
    }
}

static void find_frontier(struct tune_search *search)
{
    for (uint32_t i = 0; i < search->count; i++) {
        const struct tune_sample *mine = &search->candidates[i].typical;
        bool beaten = false;
        for (uint32_t j = 0; j < search->count && !beaten; j++) {
            const struct tune_sample *other = &search->candidates[j].typical;
            beaten = other->entries_per_second >= mine->entries_per_second && other->p99_us <= mine->p99_us &&
                     (other->entries_per_second > mine->entries_per_second || other->p99_us < mine->p99_us);
        }
        search->candidates[i].on_frontier = !beaten;
    }
}

static bool may_be_chosen(const struct tune_search *search, uint32_t which)
{
    return search->candidates[which].alive && (!search->is_met || keeps_limit(search, which));
}

static void choose(struct tune_search *search, uint32_t passes)
{
    search->is_met = false;
    for (uint32_t i = 0; i < search->count; i++)
        search->is_met = search->is_met || (search->candidates[i].alive && keeps_limit(search, i));
    if (!search->is_met) search->aim = AIM_P99; /* as near to the limit as can be had */
    const enum tune_aim aim = search->aim;
    const double noise = DEVIATION_OF_DISTANCE * spread_of(search->chance[aim], search->chance_count).median;
    const double chance = ERRORS_NEEDED * ERROR_OF_MEDIAN * noise / sqrt(passes);
    const double needed = fmax(log1p(least_gain[aim]), chance);
    double best = -INFINITY;
    for (uint32_t i = 0; i < search->count; i++) {
        if (!may_be_chosen(search, i) || lead(search, i, passes, aim) <= best) continue;
        best = lead(search, i, passes, aim);
        search->best = i;
    }
    search->chosen = search->best;
    for (uint32_t i = 0; i < search->count; i++)
        if (may_be_chosen(search, i) && best - lead(search, i, passes, aim) <= needed &&
            tune_turned(&search->candidates[i].setting) <
                tune_turned(&search->candidates[search->chosen].setting))
            search->chosen = i;
    search->noise = expm1(noise);
    search->needed = expm1(needed);
    search->best_gain = expm1(best);
    search->gain = expm1(lead(search, search->chosen, passes, aim));
}

bool tune_run(struct tune_search *search, uint64_t measure_ns, tune_measure_fn measure, void *context)
{
    const uint64_t round_ns = measure_ns / TUNE_ROUNDS;
    uint32_t passes = 0;
    for (uint32_t round = 0; round < TUNE_ROUNDS; round++) {
        passes = passes_of(search, round, round_ns);
        const uint64_t run_ns = round_ns / ((uint64_t)alive_count(search) * passes);
        for (uint32_t pass = 0; pass < passes; pass++)
            if (!run_pass(search, pass, run_ns, measure, context)) return false;
        note_typical(search, passes);
        if (round + 2 >= TUNE_ROUNDS) note_chance(search, passes);
        if (round + 1 < TUNE_ROUNDS) drop_the_worse(search, round, passes);
    }
    scale_to_defaults(search, passes);
    choose(search, passes);
    find_frontier(search);
    return true;
}
