/* tune_words.h: a tuning's outcome, as a person reads it, as C and as options of a command. */
#ifndef TEAK_TOOLS_TUNE_WORDS_H
#define TEAK_TOOLS_TUNE_WORDS_H

#include <stdint.h>

#include "tune_search.h"

enum { TUNE_WORDS_BYTES = 160, TUNE_WHY_BYTES = 1024, TUNE_LINES_MAX = 8, TUNE_LINE_BYTES = 96 };

/* "fdatasync, 4 in flight, groups of 512 KiB"; "the defaults". */
struct tune_words {
    char text[TUNE_WORDS_BYTES];
};
struct tune_words tune_words_of(const struct tune_setting *setting);

/* Why this one: sentences. */
void tune_why(const struct tune_search *search, char out[TUNE_WHY_BYTES]);

/* Lines of text, in order. */
struct tune_lines {
    uint32_t count;
    char line[TUNE_LINES_MAX][TUNE_LINE_BYTES];
};
/* struct teak_options, as C. */
void tune_c(const struct tune_setting *setting, struct tune_lines *out);
/* Words of `teak bench append`, each option and each value one of them. */
enum { TUNE_FLAGS_MAX = 10 };
struct tune_flags {
    uint32_t count;
    char word[TUNE_FLAGS_MAX][32];
};
void tune_flags(const struct tune_setting *setting, struct tune_flags *out);

#endif
