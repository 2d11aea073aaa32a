/* svg.c: see svg.h. */
#include "svg.h"

#include <math.h>

void svg_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out);
        }
    }
}

double svg_place(const struct svg_axis *axis, double value)
{
    double share;
    if (axis->log)
        share = (log10(fmax(value, axis->low)) - log10(axis->low)) / (log10(axis->high) - log10(axis->low));
    else
        share = (value - axis->low) / (axis->high - axis->low);
    return axis->from + fmin(1, fmax(0, share)) * (axis->to - axis->from);
}

static void add_tick(const struct svg_axis *axis, struct svg_ticks *ticks, double value)
{
    const double slack = (axis->high - axis->low) * 1e-9;
    if (value < axis->low - slack || value > axis->high + slack || ticks->count == SVG_TICKS_MAX) return;
    ticks->at[ticks->count++] = value;
}

struct svg_ticks svg_ticks_of(const struct svg_axis *axis)
{
    struct svg_ticks ticks = {.count = 0};
    if (axis->log) {
        const int first = (int)floor(log10(axis->low)), last = (int)ceil(log10(axis->high));
        const double decades = log10(axis->high / axis->low);
        for (int power = first; power <= last; power++) {
            if (decades > 6 && power % 2 != 0) continue;
            add_tick(axis, &ticks, pow(10, power));
            if (decades <= 2) add_tick(axis, &ticks, 2 * pow(10, power));
            if (decades <= 2.5) add_tick(axis, &ticks, 5 * pow(10, power));
        }
        return ticks;
    }
    const double rough = (axis->high - axis->low) / 5, power = pow(10, floor(log10(rough)));
    const double step = rough / power <= 1 ? power : rough / power <= 2 ? 2 * power : rough / power <= 5 ? 5 * power :
                        10 * power;
    for (double value = ceil(axis->low / step) * step; value <= axis->high * (1 + 1e-9); value += step)
        add_tick(axis, &ticks, value);
    return ticks;
}

/* Three digits at most, and none that say nothing. */
static struct svg_word word_of(double value, const char *unit)
{
    struct svg_word word;
    snprintf(word.text, sizeof(word.text), "%.3g%s", value, unit);
    return word;
}

struct svg_word svg_count(double value)
{
    if (value >= 999.5e6) return word_of(value / 1e9, "G");
    if (value >= 999.5e3) return word_of(value / 1e6, "M");
    if (value >= 999.5) return word_of(value / 1e3, "k");
    return word_of(value, "");
}

struct svg_word svg_micros(double value)
{
    if (value >= 999.5e3) return word_of(value / 1e6, " s");
    if (value >= 999.5) return word_of(value / 1e3, " ms");
    return word_of(value, " \xC2\xB5s");
}

struct svg_word svg_share(double value) { return word_of(value, " %"); }

void svg_begin(FILE *out, double width, double height, const char *label)
{
    fprintf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", width, height);
    svg_text(out, label);
    fputs("\">\n", out);
}

void svg_end(FILE *out) { fputs("</svg>\n", out); }

void svg_axis_x(FILE *out, const struct svg_axis *x, const struct svg_axis *y, svg_word_fn word, const char *what)
{
    const struct svg_ticks ticks = svg_ticks_of(x);
    for (uint32_t i = 0; i < ticks.count; i++) {
        const double at = svg_place(x, ticks.at[i]);
        fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", at, y->from, at, y->to);
        fprintf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", at, y->from + 18,
                word(ticks.at[i]).text);
    }
    fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", x->to, y->from + 37);
    svg_text(out, what);
    fputs("</text>\n", out);
}

void svg_axis_y(FILE *out, const struct svg_axis *y, const struct svg_axis *x, svg_word_fn word, const char *what)
{
    const struct svg_ticks ticks = svg_ticks_of(y);
    for (uint32_t i = 0; i < ticks.count; i++) {
        const double at = svg_place(y, ticks.at[i]);
        fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x->from, at, x->to, at);
        fprintf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", x->from - 7, at + 4,
                word(ticks.at[i]).text);
    }
    fprintf(out, "<text class=\"axis\" x=\"0\" y=\"%.1f\">", y->to - 10);
    svg_text(out, what);
    fputs("</text>\n", out);
}
