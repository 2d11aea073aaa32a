/* args.h: the options of a subcommand as a table: parsing, messages and --help come from the same rows. */
#ifndef TEAK_TOOLS_ARGS_H
#define TEAK_TOOLS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

enum arg_type {
    ARG_FLAG,    /* no value                                                       */
    ARG_TEXT,    /* anything but nothing                                           */
    ARG_NUMBER,  /* low..high                                                      */
    ARG_BYTES,   /* low..high; K, M and G behind the number mean KiB, MiB, GiB     */
    ARG_SECONDS, /* low..high, with a fraction                                     */
    ARG_CHOICE,  /* one of `choices`; the value is its position                    */
};

struct arg {
    const char *name; /* without its dashes */
    enum arg_type type;
    bool required;
    bool bare;  /* TEXT: may also be given as a word without its name; such rows take words in order */
    bool given; /* written by args_parse */
    union {
        bool *flag;
        const char **text;
        uint64_t *number; /* NUMBER, BYTES */
        double *seconds;
        uint32_t *choice;
    } to;                       /* written where the option is given, else left as it is   */
    uint64_t low, high;         /* inclusive                                                */
    const char *const *choices; /* CHOICE: ends with NULL                                   */
    const char *word;           /* what stands for the value in a text: "DIRECTORY"         */
    const char *help;           /* lines after the first are indented                       */
};

struct arg_command {
    const char *name;  /* "append" */
    const char *what;  /* one sentence, for the head of --help */
    const char *notes; /* below the options of --help; may be NULL */
    struct arg *args;
    uint32_t count;
};

enum args_answer {
    ARGS_GO,
    ARGS_HELPED, /* --help was asked for and is on standard output: flush it, then EXIT_GOOD */
    ARGS_WRONG,  /* one line on standard error said what to write instead: EXIT_WRONG         */
};

/* Reads argv[1..]; argv[0] is the subcommand's name. */
enum args_answer args_parse(const struct arg_command *command, int argc, char **argv);

/* "a, b or c" out of a list that ends with NULL. */
void args_list(const char *const *words, char *out, uint32_t room);

/* The candidate that was probably meant by `word`, or NULL. */
const char *args_nearest(const char *word, const char *const *candidates);

#endif
