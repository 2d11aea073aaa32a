/* svg.h: the few pieces that charts are drawn of. Colours are classes: the page's style knows light, dark and paper. */
#ifndef TEAK_TOOLS_SVG_H
#define TEAK_TOOLS_SVG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Text with &, <, > and quotes as HTML wants them. */
void svg_text(FILE *out, const char *text);

struct svg_axis {
    double low, high; /* values            */
    double from, to;  /* where they stand  */
    bool log;
};
double svg_place(const struct svg_axis *axis, double value);

enum { SVG_TICKS_MAX = 24 };
struct svg_ticks {
    double at[SVG_TICKS_MAX];
    uint32_t count;
};

/* Round values within the axis: 1, 2 or 5 times powers of ten; of a logarithmic axis as many as stay apart. */
struct svg_ticks svg_ticks_of(const struct svg_axis *axis);

/* How a value is written beside a tick. */
struct svg_word {
    char text[24];
};
struct svg_word svg_count(double value);  /* 850, 12k, 1.5M   */
struct svg_word svg_micros(double value); /* 85 µs, 1.2 ms, 2 s */
struct svg_word svg_share(double value);  /* 12 %             */

typedef struct svg_word (*svg_word_fn)(double value);

/* A picture of that size, which its container scales. `label` says what it shows to who cannot see it. */
void svg_begin(FILE *out, double width, double height, const char *label);
void svg_end(FILE *out);

/* Lines across at the ticks, with their words; what the axis shows is written at its end. */
void svg_axis_x(FILE *out, const struct svg_axis *x, const struct svg_axis *y, svg_word_fn word, const char *what);
void svg_axis_y(FILE *out, const struct svg_axis *y, const struct svg_axis *x, svg_word_fn word, const char *what);

#endif
