/* args.c: see args.h.
 * OWNS   Nothing; getopt's globals are its own.
 * PATH   args_parse builds getopt's table out of the rows and stores each value through its row.
 * FAILS  Every wrong use ends in exactly one line that names the option and says what to write instead.
 * HOLDS  An option's getopt value is OPTION_BASE plus its row, so that an error can be traced back to the row. */
#include "args.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "complain.h"

enum { OPTION_BASE = 256, OPTION_MAX = 32, OPTION_HELP = 'h', WORD_MAX = 32 };

void args_list(const char *const *words, char *out, uint32_t room)
{
    uint32_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; words[i] != NULL && at < room; i++) {
        const char *glue = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
        const int wrote = snprintf(out + at, room - at, "%s%s", glue, words[i]);
        if (wrote > 0) at += (uint32_t)wrote;
    }
}

/* Levenshtein's distance; words longer than WORD_MAX are as far away as can be. */
static uint32_t distance(const char *a, const char *b)
{
    const size_t a_bytes = strlen(a), b_bytes = strlen(b);
    if (a_bytes > WORD_MAX || b_bytes > WORD_MAX) return UINT32_MAX;
    uint32_t row[WORD_MAX + 1];
    for (uint32_t j = 0; j <= b_bytes; j++) row[j] = j;
    for (uint32_t i = 1; i <= a_bytes; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_bytes; j++) {
            const uint32_t above = row[j];
            uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[b_bytes];
}

const char *args_nearest(const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    uint32_t least = 4; /* more wrong letters than 3 are another word */
    for (uint32_t i = 0; candidates[i] != NULL; i++) {
        const uint32_t far = distance(word, candidates[i]);
        if (far < least && far < strlen(candidates[i])) {
            least = far;
            nearest = candidates[i];
        }
    }
    return nearest;
}

/* ------------------------------------------------------------------------------------------------------------- help */

static void print_help(const struct arg_command *command)
{
    printf("teak %s: %s\n\n  teak %s", command->name, command->what, command->name);
    size_t column = 0;
    for (uint32_t i = 0; i < command->count; i++) {
        const struct arg *arg = &command->args[i];
        if (arg->required && arg->bare)
            printf(" %s", arg->word);
        else if (arg->required)
            printf(" --%s %s", arg->name, arg->word);
        const size_t wide = strlen(arg->name) + (arg->word != NULL ? strlen(arg->word) + 1 : 0);
        if (wide > column) column = wide;
    }
    printf(" [options]\n\n");
    for (uint32_t i = 0; i < command->count; i++) {
        const struct arg *arg = &command->args[i];
        char left[96];
        snprintf(left, sizeof(left), "%s%s%s", arg->name, arg->word != NULL ? " " : "",
                 arg->word != NULL ? arg->word : "");
        printf("  --%-*s  ", (int)column, left);
        for (const char *line = arg->help; line != NULL;) {
            const char *next = strchr(line, '\n');
            printf("%.*s\n", next != NULL ? (int)(next - line) : (int)strlen(line), line);
            line = next != NULL ? next + 1 : NULL;
            if (line != NULL) printf("%*s", (int)column + 6, "");
        }
    }
    printf("  --%-*s  this text\n", (int)column, "help");
    if (command->notes != NULL) printf("\n%s\n", command->notes);
    printf("\nExit status: 0 good, 1 a problem was found, 2 wrong use.\n");
}

/* ---------------------------------------------------------------------------------------------------------- parsing */

static bool number_of(const char *text, bool units, uint64_t *out)
{
    if (text[0] < '0' || text[0] > '9') return false;
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0) return false;
    uint32_t shift = 0;
    if (units && *end != '\0') {
        shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' || *end == 'g' ? 30 : 0;
        if (shift == 0) return false;
        end++;
    }
    if (*end != '\0' || value > UINT64_MAX >> shift) return false;
    *out = (uint64_t)value << shift;
    return true;
}

static bool wrong_range(const struct arg_command *command, const struct arg *arg, const char *text)
{
    const char *what = arg->type == ARG_BYTES ? "a number of bytes" : arg->type == ARG_SECONDS ? "seconds" : "a number";
    if (arg->high == UINT64_MAX)
        complain(command->name, "--%s \"%s\" is not understood: write --%s and %s, %" PRIu64 " or more", arg->name,
                 text, arg->name, what, arg->low);
    else
        complain(command->name, "--%s \"%s\" is out of range: write --%s and %s from %" PRIu64 " to %" PRIu64,
                 arg->name, text, arg->name, what, arg->low, arg->high);
    return false;
}

static bool take_number(const struct arg_command *command, const struct arg *arg, const char *text)
{
    uint64_t value;
    if (!number_of(text, arg->type == ARG_BYTES, &value) || value < arg->low || value > arg->high)
        return wrong_range(command, arg, text);
    *arg->to.number = value;
    return true;
}

static bool take_seconds(const struct arg_command *command, const struct arg *arg, const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < (double)arg->low || value > (double)arg->high)
        return wrong_range(command, arg, text);
    *arg->to.seconds = value;
    return true;
}

static bool take_choice(const struct arg_command *command, const struct arg *arg, const char *text)
{
    for (uint32_t i = 0; arg->choices[i] != NULL; i++) {
        if (strcmp(text, arg->choices[i]) != 0) continue;
        *arg->to.choice = i;
        return true;
    }
    char list[160];
    args_list(arg->choices, list, sizeof(list));
    complain(command->name, "--%s \"%s\" is not known: write --%s %s", arg->name, text, arg->name, list);
    return false;
}

static bool take(const struct arg_command *command, struct arg *arg, const char *text)
{
    arg->given = true;
    switch (arg->type) {
    case ARG_FLAG: *arg->to.flag = true; return true;
    case ARG_TEXT:
        if (text[0] == '\0') {
            complain(command->name, "--%s is empty: write --%s %s", arg->name, arg->name, arg->word);
            return false;
        }
        *arg->to.text = text;
        return true;
    case ARG_NUMBER:
    case ARG_BYTES: return take_number(command, arg, text);
    case ARG_SECONDS: return take_seconds(command, arg, text);
    case ARG_CHOICE: return take_choice(command, arg, text);
    }
    return false;
}

/* `word` is the argument that getopt could not place. */
static void wrong_option(const struct arg_command *command, const char *word)
{
    const char *names[OPTION_MAX + 1];
    for (uint32_t i = 0; i < command->count; i++) names[i] = command->args[i].name;
    names[command->count] = NULL;
    char bare[WORD_MAX + 1];
    snprintf(bare, sizeof(bare), "%s", word + strspn(word, "-"));
    bare[strcspn(bare, "=")] = '\0';
    const char *nearest = args_nearest(bare, names);
    if (nearest != NULL)
        complain(command->name, "there is no option %s: write --%s", word, nearest);
    else
        complain(command->name, "there is no option %s: write one that teak %s --help lists", word, command->name);
}

static bool take_all(const struct arg_command *command, const struct option *table, int argc, char **argv,
                     bool *help_out)
{
    int found;
    optind = 0; /* glibc: begin anew */
    while ((found = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
        if (found == OPTION_HELP) {
            *help_out = true;
            return true;
        }
        if (found >= OPTION_BASE) {
            if (!take(command, &command->args[found - OPTION_BASE], optarg)) return false;
            continue;
        }
        const struct arg *arg = optopt >= OPTION_BASE ? &command->args[optopt - OPTION_BASE] : NULL;
        if (found == ':' && arg != NULL)
            complain(command->name, "--%s needs a value: write --%s %s", arg->name, arg->name, arg->word);
        else if (arg != NULL)
            complain(command->name, "--%s takes no value: write --%s alone", arg->name, arg->name);
        else
            wrong_option(command, argv[optind - 1]);
        return false;
    }
    return true;
}

enum args_answer args_parse(const struct arg_command *command, int argc, char **argv)
{
    struct option table[OPTION_MAX + 2] = {0};
    if (command->count > OPTION_MAX) abort(); /* a table in this program is too long */
    for (uint32_t i = 0; i < command->count; i++) {
        const struct arg *arg = &command->args[i];
        table[i] = (struct option){.name = arg->name,
                                   .has_arg = arg->type == ARG_FLAG ? no_argument : required_argument,
                                   .val = OPTION_BASE + (int)i};
    }
    table[command->count] = (struct option){.name = "help", .has_arg = no_argument, .val = OPTION_HELP};

    bool help = false;
    if (!take_all(command, table, argc, argv, &help)) return ARGS_WRONG;
    if (help) {
        print_help(command);
        return ARGS_HELPED;
    }
    for (uint32_t i = 0; i < command->count && optind < argc; i++) {
        struct arg *arg = &command->args[i];
        if (arg->bare && !arg->given && !take(command, arg, argv[optind++])) return ARGS_WRONG;
    }
    if (optind < argc && command->args[0].bare) {
        complain(command->name, "\"%s\" is a word too many: write what teak %s --help shows", argv[optind],
                 command->name);
        return ARGS_WRONG;
    }
    if (optind < argc) {
        complain(command->name, "\"%s\" belongs to no option: write --%s %s", argv[optind], command->args[0].name,
                 command->args[0].word);
        return ARGS_WRONG;
    }
    for (uint32_t i = 0; i < command->count; i++) {
        const struct arg *arg = &command->args[i];
        if (!arg->required || arg->given) continue;
        if (arg->bare)
            complain(command->name, "%s is missing: write teak %s %s, or --%s %s", arg->word, command->name,
                     arg->word, arg->name, arg->word);
        else
            complain(command->name, "--%s is missing: write --%s %s", arg->name, arg->name, arg->word);
        return ARGS_WRONG;
    }
    return ARGS_GO;
}
