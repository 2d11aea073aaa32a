/* cmd_tune.c: teak tune: the settings that suit a disk and a load, and why.
 * OWNS   The directory tune.tmp in the one it is given, with a store for each size of segments in it.
 * PATH   Look at the place; plan; the search, which asks for one run after the other: open with those settings, the
 *        load of teak bench append, close; take all of it away; show what came of it.
 * FAILS  Whatever ends the run, a signal too, what it wrote is removed.
 * HOLDS  A store that lies in the directory is not written to; with --apply its STORE is replaced, at the very end. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "teak/engine.h"

#include "args.h"
#include "bench_load.h"
#include "bench_place.h"
#include "bench_summary.h"
#include "command.h"
#include "complain.h"
#include "human.h"
#include "json.h"
#include "progress.h"
#include "stop.h"
#include "store_args.h"
#include "ticks.h"
#include "tune_search.h"
#include "tune_words.h"

static const char *const who = "tune";

/* SEGMENTS: that a store of a run has at most. RETAINED_PART: of a segment, in payload. LARGE_SPARE: large segments are
 * tried only where so many times what they take is free. WARM_PART: of each run; not counted. OPEN_ENTRIES: of an open
 * loop, in each run at least. SLOW_FRAME_SECONDS: what comes in meanwhile may be a frame. */
enum { WINDOW_MAX = 1 << 24, RATE_MAX = 100000000, ENTRY_MAX = 1 << 30, P99_MAX_US = 1000000000, SECONDS_MAX = 100000,
       SEGMENTS = 8, RETAINED_PART = 4, LARGE_SPARE = 4, WARM_PART = 5, PLACES_MAX = 3, PATH_ROOM = 4096,
       FRAME_ROOM = 4096, SEGMENT_STEP = 4, OPEN_ENTRIES = 10 };
/* BREAK_IN_ENTRIES: in a segment. BREAK_IN_RECYCLED: segments, by when none is filled any more. */
enum { BREAK_IN_ENTRIES = 256, BREAK_IN_WINDOW = 32, BREAK_IN_RECYCLED = 3, BREAK_IN_NS = 20000000 };
#define SECONDS_MIN 0.1
#define LARGE_SECONDS_MIN 10.0
#define SLOW_FRAME_SECONDS 0.02
#define SEGMENT_LEAST (UINT64_C(64) << 10)
#define SEGMENT_MOST (UINT64_C(1) << 30)
#define SEGMENT_BYTES_USUAL (UINT64_C(64) << 20)

/* A directory for the store of one size of segments. */
struct tune_place {
    uint64_t segment_bytes;
    bool is_broken_in;
    char path[PATH_ROOM + 32];
    struct bench_place place;
};

struct tune {
    struct store_args at;
    const char *entry_text;
    uint64_t window, rate, p99_us;
    double seconds;
    bool as_json, apply, reset;
    bool is_applied;
    bool existed, is_store;     /* the directory; what lies in it        */
    struct teak_defaults stored; /* of the store; 0: the engine's         */
    char work[PATH_ROOM];       /* DIRECTORY/tune.tmp                    */
    struct tune_place places[PLACES_MAX];
    uint32_t places_count;
    struct bench_load load;
    struct bench_result *result;
    struct tune_search search;
    struct progress progress;
    uint64_t measure_ns, measured_ns;
    bool looked;                /* the first store was open              */
    struct teak_limits limits;  /* that it had                           */
    int status;                 /* why a measurement was given up        */
};

/* -------------------------------------------------------------------------------------------------------- the place */

static int problem(const char *path)
{
    complain(who, "%s: %s", path, strerror(errno));
    return EXIT_PROBLEM;
}

/* A new or empty directory, or a store: its segments' size is then given. */
static int look_at_directory(struct tune *tune)
{
    struct bench_look found;
    const int status = bench_place_look(who, tune->at.directory, &found);
    if (status != EXIT_GOOD) return status;
    tune->existed = found.existed;
    tune->is_store = found.is_store;
    if (found.empty || found.is_store) return EXIT_GOOD;
    complain(who, "--dir %s is neither empty nor a store: write one that is, or a name that is free",
             tune->at.directory);
    return EXIT_WRONG;
}

static int look_at_store(struct tune *tune)
{
    struct teak_options options;
    struct teak_store *store;
    struct teak_limits limits;
    struct teak_error error = {0};
    if (!store_args_options(who, &tune->at, &options)) return EXIT_WRONG;
    if (!tune->is_store) return EXIT_GOOD;
    options.read_only = true;
    if (teak_open(tune->at.directory, &options, &store, NULL, &error) != TEAK_OK)
        return complain_error(who, tune->at.directory, &error);
    teak_limits(store, &limits);
    teak_abandon(store);
    tune->at.segment_bytes = limits.segment_bytes;
    tune->at.block_bytes = limits.block_bytes;
    if (teak_defaults_get(tune->at.directory, &tune->stored, &error) == TEAK_OK) return EXIT_GOOD;
    return complain_error(who, tune->at.directory, &error);
}

/* Is there a store whose defaults can be changed? */
static int look_for_store(const struct tune *tune)
{
    if ((!tune->apply && !tune->reset) || tune->is_store) return EXIT_GOOD;
    complain(who, "--%s changes the defaults of the store in --dir %s, and there is none: write one that is, or "
             "leave it out", tune->apply ? "apply" : "reset", tune->at.directory);
    return EXIT_WRONG;
}

/* Can they be replaced? Asked before anything is measured, for it takes long. */
static int look_for_writers(const struct tune *tune)
{
    struct teak_options options = teak_options_default();
    struct teak_store *store;
    struct teak_error error = {0};
    if (!tune->apply) return EXIT_GOOD;
    if (teak_open(tune->at.directory, &options, &store, NULL, &error) != TEAK_OK)
        return complain_error(who, tune->at.directory, &error);
    teak_abandon(store); /* nothing was written: a store is left as it was until its first batch */
    return EXIT_GOOD;
}

/* Those of a tuning; arena and spares stay what they are. */
static int apply(struct tune *tune, const struct tune_setting *setting)
{
    struct teak_defaults defaults;
    struct teak_error error = {0};
    enum teak_status status = teak_defaults_get(tune->at.directory, &defaults, &error);
    defaults.strategy = setting->strategy;
    defaults.in_flight = setting->in_flight;
    defaults.group_bytes = setting->group_bytes;
    defaults.linger_ns = setting->linger_ns;
    if (status == TEAK_OK) status = teak_defaults_set(tune->at.directory, &defaults, &error);
    tune->is_applied = status == TEAK_OK;
    return tune->is_applied ? EXIT_GOOD : complain_error(who, tune->at.directory, &error);
}

static struct tune_setting stored_setting(const struct tune *tune)
{
    return (struct tune_setting){.strategy = tune->stored.strategy,
                                 .in_flight = tune->stored.in_flight,
                                 .group_bytes = tune->stored.group_bytes,
                                 .linger_ns = tune->stored.linger_ns};
}

static uint64_t usual_segment(const struct tune *tune)
{
    return tune->at.segment_bytes != 0 ? tune->at.segment_bytes : SEGMENT_BYTES_USUAL;
}

static bool has_space(const struct tune *tune)
{
    uint64_t free_bytes;
    const uint64_t wanted = (SEGMENTS + (uint64_t)tune->stored.spares) * usual_segment(tune);
    if (bench_place_has_space(tune->at.directory, wanted, &free_bytes)) return true;
    complain(who, "%s: this would take %s and %s are free: write another --dir, or smaller --segment-bytes",
             tune->at.directory, human_bytes(wanted).text, human_bytes(free_bytes).text);
    return false;
}

static int begin_work(struct tune *tune)
{
    snprintf(tune->work, sizeof(tune->work), "%s/tune.tmp", tune->at.directory);
    if (!tune->existed && mkdir(tune->at.directory, 0700) != 0) return problem(tune->at.directory);
    if (mkdir(tune->work, 0700) == 0) return EXIT_GOOD;
    if (errno != EEXIST) {
        const int status = problem(tune->work);
        if (!tune->existed) (void)rmdir(tune->at.directory);
        return status;
    }
    complain(who, "%s is there: another teak tune runs, or one was killed: remove it if none runs", tune->work);
    return EXIT_PROBLEM;
}

static int end_work(struct tune *tune)
{
    int status = EXIT_GOOD;
    for (uint32_t i = 0; i < tune->places_count; i++) {
        const int cleared = bench_place_clear(&tune->places[i].place);
        if (cleared != EXIT_GOOD) status = cleared;
    }
    if (status == EXIT_GOOD && rmdir(tune->work) != 0) status = problem(tune->work);
    if (status == EXIT_GOOD && !tune->existed && rmdir(tune->at.directory) != 0) status = problem(tune->at.directory);
    return status;
}

/* Where stores of that size lie. NULL: one line was said. */
static struct tune_place *place_of(struct tune *tune, uint64_t segment_bytes)
{
    for (uint32_t i = 0; i < tune->places_count; i++)
        if (tune->places[i].segment_bytes == segment_bytes) return &tune->places[i];
    if (tune->places_count == PLACES_MAX) abort(); /* the plan has sizes that were not counted */
    struct tune_place *place = &tune->places[tune->places_count];
    place->segment_bytes = segment_bytes;
    snprintf(place->path, sizeof(place->path), "%s/%" PRIu64, tune->work, segment_bytes);
    if (bench_place_claim(who, place->path, false, &place->place) != EXIT_GOOD) return NULL;
    tune->places_count++;
    return place;
}

/* -------------------------------------------------------------------------------------------------------- measuring */

static void look_once(struct tune *tune, struct teak_store *store, const struct teak_report *report)
{
    struct teak_stats stats;
    if (tune->looked) return;
    tune->looked = true;
    teak_stats(store, &stats);
    teak_limits(store, &tune->limits);
    if (strcmp(stats.filesystem, "tmpfs") == 0 || strcmp(stats.filesystem, "ramfs") == 0)
        complain(who, "warning: %s lies in memory (%s): nothing there is durable", tune->at.directory,
                 stats.filesystem);
    if (!tune->as_json) store_args_notice(who, report);
}

/* A load on an open store. False: one line was said. */
static bool run_load(struct tune *tune, const struct tune_place *place, struct teak_store *store,
                     struct bench_load load, uint64_t run_ns)
{
    struct teak_error error = {0};
    load.directory = place->path;
    load.retain_bytes = place->segment_bytes / RETAINED_PART;
    load.warm_ns = run_ns / WARM_PART;
    load.measure_ns = load.rest_ns = run_ns - load.warm_ns;
    if (bench_load_run(&load, store, tune->result, &error)) return true;
    tune->status = complain_error(who, place->path, &error);
    return false;
}

/* A new store fills segments with zeros beside its load, and an old one recycles those it has: that is how it runs most
 * of its life, and what is measured. Large entries bring it there soon, whatever the load is. */
static bool break_in(struct tune *tune, struct tune_place *place, struct teak_store *store)
{
    struct bench_load load = tune->load;
    const uint32_t entry = (uint32_t)(place->segment_bytes / BREAK_IN_ENTRIES);
    load.shape = SHAPE_WINDOW;
    load.window = BREAK_IN_WINDOW;
    load.sizes = (struct bench_sizes){.kind = SIZES_FIXED, .low = entry, .high = entry};
    struct teak_stats stats;
    teak_stats(store, &stats);
    const uint64_t enough = stats.bytes_written + 2 * SEGMENTS * place->segment_bytes;
    while (stats.recycled < BREAK_IN_RECYCLED && stats.bytes_written < enough && !stop_asked()) {
        if (!run_load(tune, place, store, load, BREAK_IN_NS)) return false;
        teak_stats(store, &stats);
    }
    place->is_broken_in = true;
    return true;
}

static bool measure(void *context, const struct tune_setting *setting, uint64_t run_ns, struct tune_sample *out)
{
    struct tune *tune = context;
    struct teak_options options;
    struct teak_report report = {0};
    struct teak_error error = {0};
    struct teak_store *store;
    const uint64_t segment = setting->segment_bytes != 0 ? setting->segment_bytes : usual_segment(tune);
    struct tune_place *place = place_of(tune, segment);
    tune->status = EXIT_PROBLEM;
    if (place == NULL || !store_args_options(who, &tune->at, &options)) return false;
    options.create = true;
    options.strategy = setting->strategy;
    options.in_flight = setting->in_flight;
    options.group_bytes = setting->group_bytes;
    options.linger_ns = setting->linger_ns;
    options.segment_bytes = segment;
    options.arena_bytes = tune->stored.arena_bytes;
    options.spares = tune->stored.spares;
    if (teak_open(place->path, &options, &store, &report, &error) != TEAK_OK) {
        tune->status = complain_error(who, place->path, &error);
        return false;
    }
    look_once(tune, store, &report);
    if ((!place->is_broken_in && !break_in(tune, place, store)) ||
        !run_load(tune, place, store, tune->load, run_ns)) {
        teak_abandon(store);
        return false;
    }
    if (teak_close(store, &error) != TEAK_OK) {
        tune->status = complain_error(who, place->path, &error);
        return false;
    }
    const struct bench_point point = bench_point_of(tune->result, 0);
    *out = (struct tune_sample){.entries_per_second = point.entries_per_second, .p99_us = point.p99_us};
    tune->measured_ns += run_ns;
    progress_show(&tune->progress, ticks_ns(), tune->measured_ns, tune_words_of(setting).text);
    return !stop_asked();
}

/* Another size of segments, if entries fit into such segments and there is room for their files. 0: none. */
static uint64_t other_size(const struct tune *tune, uint64_t segment_bytes, uint64_t room)
{
    uint64_t free_bytes;
    if (tune->is_store || segment_bytes < SEGMENT_LEAST || segment_bytes > SEGMENT_MOST) return 0;
    if (bench_sizes_max(&tune->load.sizes) + FRAME_ROOM > segment_bytes / 4) return 0;
    return bench_place_has_space(tune->at.directory, room * segment_bytes, &free_bytes) ? segment_bytes : 0;
}

static void plan(struct tune *tune)
{
    const double mean = bench_sizes_mean(&tune->load.sizes);
    const uint64_t usual = usual_segment(tune);
    struct tune_load load = {
        .is_open = tune->rate != 0,
        .rate = (double)tune->rate,
        .outstanding_bytes = mean * (tune->rate != 0 ? (double)tune->rate * SLOW_FRAME_SECONDS : (double)tune->window),
        .p99_us = (double)tune->p99_us,
        .small_segment = other_size(tune, usual / SEGMENT_STEP, SEGMENTS),
        .stored = stored_setting(tune),
    };
    if (tune->seconds >= LARGE_SECONDS_MIN)
        load.large_segment = other_size(tune, usual * SEGMENT_STEP, LARGE_SPARE * SEGMENTS);
    if (load.is_open) load.run_ns_least = (uint64_t)(OPEN_ENTRIES * 1e9 / (double)tune->rate);
    tune_plan(&load, &tune->search);
}

/* An open loop that hardly sees an entry in a run has nothing to tell. */
static bool lasts_long_enough(const struct tune *tune)
{
    const uint64_t least_ns = tune_least_ns(&tune->search);
    if (tune->measure_ns >= least_ns) return true;
    complain(who, "--seconds %g is too short for --rate %" PRIu64 ": write --seconds %.0f", tune->seconds, tune->rate,
             ceil((double)least_ns / 1e9));
    return false;
}

/* ---------------------------------------------------------------------------------------------------------- showing */

/* What has to be written to get it: a size of segments that was asked for belongs to it. */
static struct tune_setting outcome(const struct tune *tune)
{
    struct tune_setting setting = tune->search.candidates[tune->search.chosen].setting;
    if (setting.segment_bytes == 0 && !tune->is_store) setting.segment_bytes = tune->at.segment_bytes;
    return setting;
}

/* The words of a `teak bench append` that runs with it: where a store lies, beside it. */
struct bench_words {
    uint32_t count;
    const char *word[TUNE_FLAGS_MAX + 12];
    struct tune_flags flags;
    char number[32], arena[32];
    char directory[PATH_ROOM];
};

static void bench_words_of(const struct tune *tune, struct bench_words *out)
{
    struct tune_setting setting = outcome(tune);
    if (tune->is_store) setting.segment_bytes = tune->at.segment_bytes;
    tune_flags(&setting, &out->flags);
    snprintf(out->number, sizeof(out->number), "%" PRIu64, tune->rate != 0 ? tune->rate : tune->window);
    int length = (int)strlen(tune->at.directory);
    while (length > 1 && tune->at.directory[length - 1] == '/') length--;
    snprintf(out->directory, sizeof(out->directory), "%.*s%s", length, tune->at.directory,
             tune->is_store ? ".bench" : "");
    const char *const head[] = {"teak", "bench", "append", "--dir", out->directory, "--entry-bytes",
                                tune->entry_text, tune->rate != 0 ? "--rate" : "--window", out->number};
    out->count = 0;
    for (uint32_t i = 0; i < sizeof(head) / sizeof(head[0]); i++) out->word[out->count++] = head[i];
    for (uint32_t i = 0; i < out->flags.count; i++) out->word[out->count++] = out->flags.word[i];
    if (tune->stored.arena_bytes == 0) return;
    snprintf(out->arena, sizeof(out->arena), "%" PRIu64, tune->stored.arena_bytes);
    out->word[out->count++] = "--arena-bytes";
    out->word[out->count++] = out->arena;
}

/* A word as a shell reads it. */
static void put_word(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:@%,=";
    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        printf(" %s", word);
        return;
    }
    printf(" '");
    for (; *word != '\0'; word++)
        if (*word == '\'')
            printf("'\\''");
        else
            putchar(*word);
    putchar('\'');
}

/* Most entries a second first. */
static void by_rate(const struct tune_search *search, uint32_t *order)
{
    for (uint32_t i = 0; i < search->count; i++) {
        const double mine = search->candidates[i].typical.entries_per_second;
        uint32_t at = i;
        for (; at > 0 && search->candidates[order[at - 1]].typical.entries_per_second < mine; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static void show_table(const struct tune *tune)
{
    const struct tune_search *search = &tune->search;
    const struct tune_sample *defaults = &search->candidates[0].typical;
    uint32_t order[TUNE_CANDIDATES_MAX];
    by_rate(search, order);
    printf("  %-44s %20s %8s %12s %8s  rounds\n", "setting", "entries/s", "", "p99", "");
    for (uint32_t i = 0; i < search->count; i++) {
        const struct tune_candidate *candidate = &search->candidates[order[i]];
        const struct tune_sample *typical = &candidate->typical;
        printf("%c %-44s %20s %+6.1f %% %12s %+6.1f %%  %" PRIu32 "%s\n", candidate->on_frontier ? '*' : ' ',
               tune_words_of(&candidate->setting).text, human_rate(typical->entries_per_second).text,
               100 * (typical->entries_per_second / defaults->entries_per_second - 1),
               human_micros(typical->p99_us).text, 100 * (typical->p99_us / defaults->p99_us - 1), candidate->rounds,
               order[i] == search->chosen ? "  chosen" : "");
    }
    printf("\n  *: no other has both more entries a second and a lower p99. In %%: beside the defaults.\n\n");
}

/* What "the defaults" are, where the store has some of its own. */
static void show_stored(const struct tune *tune)
{
    const struct tune_setting setting = stored_setting(tune);
    const struct teak_defaults *stored = &tune->stored;
    if (tune_turned(&setting) != 0)
        printf("\n  The defaults are the engine's. What %s %s where an opening says 0 is \"%s\"%s.\n",
               tune->at.directory, tune->is_applied ? "had" : "has", tune_words_of(&setting).text,
               tune->is_applied ? "" : "; --apply and --reset replace it");
    if (stored->arena_bytes != 0)
        printf("\n  All runs had the arena that %s says, %s.\n", tune->at.directory,
               human_bytes(tune->limits.arena_bytes).text);
    if (stored->spares != 0)
        printf("\n  All runs had as many spares as %s says, %" PRIu32 ".\n", tune->at.directory, stored->spares);
}

static void show_text(const struct tune *tune)
{
    char why[TUNE_WHY_BYTES];
    struct tune_lines lines;
    struct bench_words words;
    const struct tune_setting setting = outcome(tune);
    const bool fixed = tune->load.sizes.kind == SIZES_FIXED;
    printf("%s in each entry, ", fixed ? human_bytes(tune->load.sizes.low).text : tune->entry_text);
    if (tune->rate != 0)
        printf("%s a second", human_count(tune->rate).text);
    else
        printf("%s outstanding", human_count(tune->window).text);
    printf(", %" PRIu32 " settings, %.1f s of measuring\n\n", tune->search.count, (double)tune->measured_ns / 1e9);
    show_table(tune);
    tune_why(&tune->search, why);
    printf("%s\n\n", why);
    tune_c(&setting, &lines);
    for (uint32_t i = 0; i < lines.count; i++) printf("  %s\n", lines.line[i]);
    bench_words_of(tune, &words);
    printf("\n ");
    for (uint32_t i = 0; i < words.count; i++) put_word(words.word[i]);
    printf("\n");
    if (tune->is_applied)
        printf("\n  These are now the defaults of %s.\n", tune->at.directory);
    show_stored(tune);
    if (tune->is_store)
        printf("\n  Segments of %s are what the store has; only a new one can have others.\n",
               human_bytes(tune->at.segment_bytes).text);
}

static void json_setting(struct json *json, const char *key, const struct tune_setting *setting)
{
    json_object(json, key);
    json_text(json, "words", tune_words_of(setting).text);
    json_text(json, "strategy", store_strategy_names[setting->strategy]);
    json_number(json, "in_flight", setting->in_flight);
    json_number(json, "group_bytes", setting->group_bytes);
    json_number(json, "linger_ns", setting->linger_ns);
    json_number(json, "segment_bytes", setting->segment_bytes);
    json_close(json);
}

/* Of a store: what it said before, where an opening says 0; 0: the engine's. */
static void json_stored(struct json *json, const struct tune *tune)
{
    const struct tune_setting setting = stored_setting(tune);
    if (!tune->is_store) {
        json_null(json, "stored_defaults");
        return;
    }
    json_object(json, "stored_defaults");
    json_setting(json, "setting", &setting);
    json_number(json, "spares", tune->stored.spares); /* runs have as many, and that arena */
    json_number(json, "arena_bytes", tune->stored.arena_bytes == 0 ? 0 : tune->limits.arena_bytes);
    json_close(json);
}

static void json_candidates(struct json *json, const struct tune_search *search)
{
    json_array(json, "settings");
    for (uint32_t i = 0; i < search->count; i++) {
        const struct tune_candidate *candidate = &search->candidates[i];
        json_object(json, NULL);
        json_setting(json, "setting", &candidate->setting);
        json_real(json, "entries_per_second", candidate->typical.entries_per_second, 1);
        json_real(json, "p99_us", candidate->typical.p99_us, 3);
        json_number(json, "rounds", candidate->rounds);
        json_bool(json, "frontier", candidate->on_frontier);
        json_bool(json, "chosen", i == search->chosen);
        json_close(json);
    }
    json_close(json);
}

static void show_json(const struct tune *tune)
{
    const struct tune_search *search = &tune->search;
    const struct tune_setting setting = outcome(tune);
    char why[TUNE_WHY_BYTES];
    struct tune_lines lines;
    struct bench_words words;
    struct json json;
    json_begin(&json, stdout);
    json_object(&json, "load");
    json_text(&json, "entry_bytes", tune->entry_text);
    if (tune->rate != 0)
        json_number(&json, "rate", tune->rate);
    else
        json_number(&json, "window", tune->window);
    json_close(&json);
    if (tune->p99_us != 0)
        json_number(&json, "p99_limit_us", tune->p99_us);
    else
        json_null(&json, "p99_limit_us");
    json_bool(&json, "limit_is_kept", search->is_met);
    json_real(&json, "seconds", (double)tune->measured_ns / 1e9, 3);
    json_real(&json, "noise", search->noise, 4);
    json_real(&json, "needed", search->needed, 4);
    json_real(&json, "gain", search->gain, 4);
    json_text(&json, "aim", search->aim == AIM_P99 ? "p99" : "entries_per_second");
    json_setting(&json, "chosen", &setting);
    tune_why(search, why);
    json_text(&json, "why", why);
    json_candidates(&json, search);
    json_stored(&json, tune);
    tune_c(&setting, &lines);
    json_array(&json, "c");
    for (uint32_t i = 0; i < lines.count; i++) json_text(&json, NULL, lines.line[i]);
    json_close(&json);
    bench_words_of(tune, &words);
    json_bool(&json, "applied", tune->is_applied);
    json_array(&json, "command");
    for (uint32_t i = 0; i < words.count; i++) json_text(&json, NULL, words.word[i]);
    json_close(&json);
    json_end(&json);
}

static int show(const struct tune *tune)
{
    if (tune->as_json)
        show_json(tune);
    else
        show_text(tune);
    if (tune->search.is_met) return EXIT_GOOD;
    complain(who, "no setting keeps p99 within %s", human_micros((double)tune->p99_us).text);
    return EXIT_PROBLEM;
}

/* -------------------------------------------------------------------------------------------------------- the whole */

static int search_all(struct tune *tune)
{
    progress_begin(&tune->progress, "tune", tune->measure_ns, true);
    const bool done = tune_run(&tune->search, tune->measure_ns, measure, tune);
    progress_end(&tune->progress);
    return done ? EXIT_GOOD : tune->status;
}

static int tune_it(struct tune *tune)
{
    int status = look_at_directory(tune);
    if (status == EXIT_GOOD) status = look_for_store(tune);
    if (status == EXIT_GOOD && tune->reset) return apply(tune, &(const struct tune_setting){0});
    if (status == EXIT_GOOD) status = look_at_store(tune);
    if (status == EXIT_GOOD) status = look_for_writers(tune);
    if (status != EXIT_GOOD) return status;
    if (!has_space(tune)) return EXIT_PROBLEM;
    const uint64_t entry_most = usual_segment(tune) / 4 - FRAME_ROOM;
    if (bench_sizes_max(&tune->load.sizes) > entry_most) {
        complain(who, "--entry-bytes %s is more than a store with such segments takes: write --entry-bytes %" PRIu64
                 " or less", tune->entry_text, entry_most);
        return EXIT_WRONG;
    }
    plan(tune);
    if (!lasts_long_enough(tune)) return EXIT_WRONG;
    tune->result = calloc(1, sizeof(*tune->result));
    if (tune->result == NULL || !stop_init()) {
        complain(who, "%s", strerror(errno));
        return EXIT_PROBLEM;
    }
    status = begin_work(tune);
    if (status != EXIT_GOOD) return status;
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* an open loop wakes when it is due, not 50 us later */
    status = search_all(tune);
    const int cleared = end_work(tune);
    if (stop_asked()) {
        complain(who, "stopped before the end: nothing is reported");
        return EXIT_PROBLEM;
    }
    if (status == EXIT_GOOD) status = cleared;
    if (status != EXIT_GOOD) return status;
    int applied = EXIT_GOOD; /* what was found is shown all the same */
    if (tune->apply && tune->search.is_met)
        applied = apply(tune, &tune->search.candidates[tune->search.chosen].setting);
    const int shown = show(tune);
    return applied != EXIT_GOOD ? applied : shown;
}

/* -------------------------------------------------------------------------------------------------------- arguments */

static bool sensible(struct tune *tune)
{
    if (!bench_sizes_parse(tune->entry_text, ENTRY_MAX, &tune->load.sizes) ||
        bench_sizes_mean(&tune->load.sizes) < 1) {
        complain(who, "--entry-bytes \"%s\" is not understood: write --entry-bytes 256, uniform:16-4096, exp:256 or "
                 "256*90+4K*10", tune->entry_text);
        return false;
    }
    if (tune->window != 0 && tune->rate != 0) {
        complain(who, "--window and --rate are two kinds of load: write one of them");
        return false;
    }
    if (tune->apply && tune->reset) {
        complain(who, "--apply and --reset are contrary: write one of them");
        return false;
    }
    struct teak_options options;
    if (!store_args_options(who, &tune->at, &options)) return false;
    if (tune->seconds < SECONDS_MIN) {
        complain(who, "--seconds %g is too short to measure: write --seconds %g or more", tune->seconds, SECONDS_MIN);
        return false;
    }
    if (strlen(tune->at.directory) + sizeof("/tune.tmp") > PATH_ROOM) {
        complain(who, "--dir is too long: write a shorter one");
        return false;
    }
    if (tune->window == 0 && tune->rate == 0) tune->window = 1024;
    tune->load.shape = tune->rate != 0 ? SHAPE_RATE : SHAPE_WINDOW;
    tune->load.mix = (struct bench_mix){.weight = {[ACT_APPEND] = 1}, .weights = 1};
    tune->load.window = (uint32_t)tune->window;
    tune->load.rate = (double)tune->rate;
    tune->load.batch = tune->load.logs = 1;
    tune->load.seed = 1;
    tune->load.label = who;
    tune->measure_ns = (uint64_t)(tune->seconds * 1e9);
    return true;
}

static const char notes[] =
    "Tried are the defaults and what could be better for this load: strategies, frames in flight, sizes of groups,\n"
    "lingering, sizes of segments. All run in turn, there and back, several times over; the worse half goes, three\n"
    "times; what did well is also tried together. A setting is compared with the defaults beside it, and chosen only\n"
    "if it is better by more than two runs differ here by chance, and by 5 % of the entries a second or 10 % of p99.\n"
    "\n"
    "With --window the most entries a second win, with --rate the lowest p99. With --p99-us what keeps it comes\n"
    "first; exit status 1 says that nothing did. The seconds are those of the runs; opening and closing take about as\n"
    "long again. What is written lies in DIRECTORY/tune.tmp and is removed at the end; a store in DIRECTORY is left\n"
    "alone. Its size of segments is then the only one tried, runs have the arena and the spares that it says, and\n"
    "what else it says is tried beside the engine's defaults.";

static enum args_answer parse(struct tune *tune, int argc, char **argv)
{
    struct arg rows[] = {
        {.name = "dir", .type = ARG_TEXT, .required = true, .to.text = &tune->at.directory, .word = "DIRECTORY",
         .help = "on the disk in question: a store, or a place for one"},
        {.name = "entry-bytes", .type = ARG_TEXT, .to.text = &tune->entry_text, .word = "N",
         .help = "payload of each entry, as of teak bench append; default 256"},
        {.name = "window", .type = ARG_NUMBER, .to.number = &tune->window, .low = 1, .high = WINDOW_MAX, .word = "W",
         .help = "entries outstanding; default 1024"},
        {.name = "rate", .type = ARG_NUMBER, .to.number = &tune->rate, .low = 1, .high = RATE_MAX, .word = "R",
         .help = "entries a second, instead of a window"},
        {.name = "p99-us", .type = ARG_NUMBER, .to.number = &tune->p99_us, .low = 1, .high = P99_MAX_US, .word = "L",
         .help = "99 of 100 are to be durable within so many microseconds"},
        {.name = "seconds", .type = ARG_SECONDS, .to.seconds = &tune->seconds, .high = SECONDS_MAX, .word = "S",
         .help = "measured time, of all runs together; default 30"},
        {.name = "segment-bytes", .type = ARG_BYTES, .to.number = &tune->at.segment_bytes, .low = 64 << 10,
         .high = 1 << 30, .word = "N",
         .help = "sizes of segments tried are this one and a quarter of it, and four\n"
                 "times it from 10 seconds on; default 64M; of a store: what it has"},
        {.name = "apply", .type = ARG_FLAG, .to.flag = &tune->apply,
         .help = "what was chosen becomes what the store in --dir has where an\n"
                 "opening says nothing; not where no setting keeps --p99-us"},
        {.name = "reset", .type = ARG_FLAG, .to.flag = &tune->reset,
         .help = "take back what --apply did, and measure nothing"},
        {.name = "json", .type = ARG_FLAG, .to.flag = &tune->as_json, .help = "one JSON object"},
    };
    const struct arg_command command = {.name = who, .what = "the settings that suit a disk and a load, and why",
                                        .args = rows, .count = sizeof(rows) / sizeof(rows[0]), .notes = notes};
    return args_parse(&command, argc, argv);
}

int cmd_tune(int argc, char **argv)
{
    struct tune *tune = calloc(1, sizeof(*tune));
    if (tune == NULL) {
        complain(who, "%s", strerror(errno));
        return EXIT_PROBLEM;
    }
    tune->entry_text = "256";
    tune->seconds = 30;
    const enum args_answer answer = parse(tune, argc, argv);
    int status = EXIT_WRONG;
    if (answer == ARGS_HELPED) status = EXIT_GOOD;
    if (answer == ARGS_GO && sensible(tune)) status = tune_it(tune);
    status = complain_flush(who, status);
    free(tune->result);
    free(tune);
    stop_obey();
    return status;
}
