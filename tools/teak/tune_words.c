/* tune_words.c: see tune_words.h. */
#include "tune_words.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "human.h"
#include "store_args.h"

/* So much more that is needed is nothing that a disk in peace would ask for. */
#define NOISY 0.3
/* By so much what comes may fall short of a rate: of a low one a run holds ten entries, and the last is on its way. */
#define CARRIED_LESS 0.25

/* Behind what stands in `out` already; what has no room is left out. */
__attribute__((format(printf, 3, 4))) static void say(char *out, uint32_t room, const char *format, ...)
{
    uint32_t at = 0;
    while (at < room && out[at] != '\0') at++;
    va_list values;
    va_start(values, format);
    vsnprintf(out + at, room - at, format, values);
    va_end(values);
}

struct tune_words tune_words_of(const struct tune_setting *setting)
{
    struct tune_words words = {.text = ""};
    char *out = words.text;
    const char *glue = "";
    if (tune_turned(setting) == 0) say(out, TUNE_WORDS_BYTES, "the defaults");
    if (setting->strategy != TEAK_AUTO) {
        say(out, TUNE_WORDS_BYTES, "%s", store_strategy_names[setting->strategy]);
        glue = ", ";
    }
    if (setting->in_flight != 0) {
        say(out, TUNE_WORDS_BYTES, "%s%" PRIu32 " in flight", glue, setting->in_flight);
        glue = ", ";
    }
    if (setting->group_bytes != 0) {
        say(out, TUNE_WORDS_BYTES, "%sgroups of %s", glue, human_bytes(setting->group_bytes).text);
        glue = ", ";
    }
    if (setting->linger_ns != 0) {
        say(out, TUNE_WORDS_BYTES, "%slinger %s", glue, human_micros((double)setting->linger_ns / 1e3).text);
        glue = ", ";
    }
    if (setting->segment_bytes != 0)
        say(out, TUNE_WORDS_BYTES, "%ssegments of %s", glue, human_bytes(setting->segment_bytes).text);
    return words;
}

/* -------------------------------------------------------------------------------------------------------------- why */

/* What p99 falls by is less than what the score rises by. */
static double in_percent(enum tune_aim aim, double gain)
{
    return 100 * (aim == AIM_P99 ? 1 - 1 / (1 + gain) : gain);
}

/* A share by which a score is better, in the words of its aim. */
static struct human better(enum tune_aim aim, double gain)
{
    struct human out;
    if (aim == AIM_P99)
        snprintf(out.text, sizeof(out.text), "a p99 %.1f %% lower", in_percent(aim, gain));
    else
        snprintf(out.text, sizeof(out.text), "%.1f %% more entries a second", in_percent(aim, gain));
    return out;
}

static void say_bar(const struct tune_search *search, char *out)
{
    say(out, TUNE_WHY_BYTES,
        " Two runs side by side differ by %.1f %% here by chance; after all passes %.1f %% is what another setting has "
        "to be better by.", 100 * search->noise, in_percent(search->aim, search->needed));
    if (search->needed > NOISY)
        say(out, TUNE_WHY_BYTES, " That is much: something else is busy with the disk or the processor, and more "
            "--seconds or a quieter hour tell more.");
}

static void why_defaults(const struct tune_search *search, char *out)
{
    const uint32_t others = search->count - 1;
    if (search->best == 0) {
        say(out, TUNE_WHY_BYTES, "None of %" PRIu32 " other settings is better than the defaults.", others);
    } else {
        const struct tune_words best = tune_words_of(&search->candidates[search->best].setting);
        say(out, TUNE_WHY_BYTES, "Of %" PRIu32 " other settings \"%s\" came out best, with %s than the defaults, and "
            "that is too little to tell from chance or to be worth it.", others, best.text,
            better(search->aim, search->best_gain).text);
    }
    say_bar(search, out);
}

static void why_other(const struct tune_search *search, char *out)
{
    const struct tune_words chosen = tune_words_of(&search->candidates[search->chosen].setting);
    const struct tune_words best = tune_words_of(&search->candidates[search->best].setting);
    if (search->load.p99_us > 0 && search->is_met && search->candidates[0].typical.p99_us > search->load.p99_us)
        say(out, TUNE_WHY_BYTES, "The defaults have a p99 of %s, above the limit of %s. \"%s\" keeps it, at %s.",
            human_micros(search->candidates[0].typical.p99_us).text, human_micros(search->load.p99_us).text,
            chosen.text, human_micros(search->candidates[search->chosen].typical.p99_us).text);
    else
        say(out, TUNE_WHY_BYTES, "\"%s\" has %s than the defaults.", chosen.text,
            better(search->aim, search->gain).text);
    if (search->best != search->chosen)
        say(out, TUNE_WHY_BYTES, " \"%s\" came out a little better, not by more than could be chance, and turns more "
            "knobs.", best.text);
    say_bar(search, out);
}

/* Then each p99 is that of a queue which grows as long as a run lasts. */
static void say_what_is_carried(const struct tune_search *search, char *out)
{
    double most = 0;
    for (uint32_t i = 0; i < search->count; i++)
        if (search->candidates[i].typical.entries_per_second > most)
            most = search->candidates[i].typical.entries_per_second;
    if (!search->load.is_open || most > search->load.rate * (1 - CARRIED_LESS)) return;
    say(out, TUNE_WHY_BYTES, "No setting carries %s entries a second here, the best %s: p99 only says how the queue "
        "grew. Try a lower --rate. ", human_rate(search->load.rate).text, human_rate(most).text);
}

void tune_why(const struct tune_search *search, char out[TUNE_WHY_BYTES])
{
    out[0] = '\0';
    say_what_is_carried(search, out);
    if (!search->is_met)
        say(out, TUNE_WHY_BYTES, "No setting keeps p99 within %s: what comes nearest has %s. ",
            human_micros(search->load.p99_us).text,
            human_micros(search->candidates[search->chosen].typical.p99_us).text);
    if (search->chosen == 0)
        why_defaults(search, out);
    else
        why_other(search, out);
}

/* --------------------------------------------------------------------------------------------------------- settings */

__attribute__((format(printf, 2, 3))) static void line(struct tune_lines *lines, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(lines->line[lines->count++], TUNE_LINE_BYTES, format, values);
    va_end(values);
}

void tune_c(const struct tune_setting *setting, struct tune_lines *out)
{
    static const char *const strategy_words[] = {"TEAK_AUTO", "TEAK_DSYNC", "TEAK_FDATASYNC", "TEAK_BUFFERED",
                                                 "TEAK_NONE"};
    out->count = 0;
    line(out, "struct teak_options options = teak_options_default();");
    if (setting->strategy != TEAK_AUTO) line(out, "options.strategy = %s;", strategy_words[setting->strategy]);
    if (setting->in_flight != 0) line(out, "options.in_flight = %" PRIu32 ";", setting->in_flight);
    if (setting->group_bytes != 0) line(out, "options.group_bytes = %" PRIu32 ";", setting->group_bytes);
    if (setting->linger_ns != 0) line(out, "options.linger_ns = %" PRIu64 ";", setting->linger_ns);
    if (setting->segment_bytes != 0)
        line(out, "options.segment_bytes = %" PRIu64 "; /* of a new store */", setting->segment_bytes);
}

static void flag(struct tune_flags *flags, const char *name, uint64_t value)
{
    snprintf(flags->word[flags->count++], sizeof(flags->word[0]), "--%s", name);
    snprintf(flags->word[flags->count++], sizeof(flags->word[0]), "%" PRIu64, value);
}

void tune_flags(const struct tune_setting *setting, struct tune_flags *out)
{
    out->count = 0;
    if (setting->strategy != TEAK_AUTO) {
        snprintf(out->word[out->count++], sizeof(out->word[0]), "--strategy");
        snprintf(out->word[out->count++], sizeof(out->word[0]), "%s", store_strategy_names[setting->strategy]);
    }
    if (setting->in_flight != 0) flag(out, "in-flight", setting->in_flight);
    if (setting->group_bytes != 0) flag(out, "group-bytes", setting->group_bytes);
    if (setting->linger_ns != 0) flag(out, "linger-us", (setting->linger_ns + 999) / 1000);
    if (setting->segment_bytes != 0) flag(out, "segment-bytes", setting->segment_bytes);
}
