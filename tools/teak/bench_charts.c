/* bench_charts.c: see bench_charts.h. */
#include "bench_charts.h"

#include <math.h>
#include <string.h>

#include "human.h"
#include "svg.h"

/* Drawn 480 wide: on a telephone letters are then still nine pixels high. */
enum { WIDTH = 480, HEIGHT = 300, LEFT = 58, RIGHT = 452, TOP = 34, BOTTOM = 256 };

static struct svg_axis axis_x(double low, double high, bool log)
{
    return (struct svg_axis){.low = low, .high = high, .from = LEFT, .to = RIGHT, .log = log};
}

static struct svg_axis axis_y(double low, double high, bool log)
{
    return (struct svg_axis){.low = low, .high = high, .from = BOTTOM, .to = TOP, .log = log};
}

static void title(FILE *out, const char *text)
{
    fputs("<title>", out);
    svg_text(out, text);
    fputs("</title>", out);
}

/* --------------------------------------------------------------------------------------- throughput against latency */

static double latency_of(const struct bench_point *point, bool tail) { return tail ? point->p99_us : point->p50_us; }

static void sweep_line(FILE *out, const struct bench_summary *summary, const struct svg_axis *x,
                       const struct svg_axis *y, bool tail)
{
    const char *class = tail ? "other" : "teak", *name = tail ? "p99" : "p50";
    fprintf(out, "<polyline class=\"line %s\" points=\"", class);
    for (uint32_t i = 0; i < summary->sweep_count; i++)
        fprintf(out, "%.1f,%.1f ", svg_place(x, summary->sweep[i].entries_per_second),
                svg_place(y, latency_of(&summary->sweep[i], tail)));
    fputs("\"/>\n", out);
    for (uint32_t i = 0; i < summary->sweep_count; i++) {
        const struct bench_point *point = &summary->sweep[i];
        char says[160];
        const double px = svg_place(x, point->entries_per_second), py = svg_place(y, latency_of(point, tail));
        snprintf(says, sizeof(says), "%s %.0f: %s entries/s, %s %s", bench_shape_names[summary->load->shape],
                 point->setting, svg_count(point->entries_per_second).text, name,
                 svg_micros(latency_of(point, tail)).text);
        fprintf(out, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\">", class, px, py);
        title(out, says);
        fputs("</circle>", out);
    }
}

/* The settings, below their points; what would lie over another is left out, and the one asked for never. */
static void sweep_settings_words(FILE *out, const struct bench_summary *summary, const struct svg_axis *x,
                                 const struct svg_axis *y)
{
    enum { LETTER = 8, LINE = 14, BELOW = 19 };
    double lefts[BENCH_SWEEP_MAX], rights[BENCH_SWEEP_MAX], heights[BENCH_SWEEP_MAX];
    uint32_t count = 0;
    for (uint32_t i = summary->sweep_count; i-- > 0;) {
        const struct bench_point *point = &summary->sweep[i];
        const struct human word = human_count((uint64_t)point->setting);
        const double px = svg_place(x, point->entries_per_second), py = svg_place(y, latency_of(point, false)) + BELOW;
        const double half = (double)strlen(word.text) * LETTER / 2;
        bool free_place = true;
        for (uint32_t j = 0; j < count; j++)
            free_place = free_place && (px + half < lefts[j] || px - half > rights[j] || fabs(py - heights[j]) > LINE);
        if (!free_place) continue;
        lefts[count] = px - half;
        rights[count] = px + half;
        heights[count++] = py;
        fprintf(out, "<text class=\"mark\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", px, py,
                word.text);
    }
}

void chart_sweep(FILE *out, const struct bench_summary *summary)
{
    if (summary->sweep_count < 2) return;
    double slow = INFINITY, fast = 0, least = INFINITY, most = 0;
    for (uint32_t i = 0; i < summary->sweep_count; i++) {
        const struct bench_point *point = &summary->sweep[i];
        if (point->entries <= 0) return; /* nothing came back: there is no latency to show */
        slow = fmin(slow, point->entries_per_second);
        fast = fmax(fast, point->entries_per_second);
        least = fmin(least, point->p50_us);
        most = fmax(most, point->p99_us);
    }
    const double ceiling = bench_ceiling_entries(summary);
    const bool has_ceiling = isfinite(ceiling) && ceiling > 0;
    const struct svg_axis x = axis_x(slow / 1.5, fmax(fast, has_ceiling ? ceiling : 0) * 1.4, true);
    const struct svg_axis y = axis_y(fmax(0.1, least / 2), fmax(most, 1) * 1.5, true);
    svg_begin(out, WIDTH, HEIGHT, "Latency at p50 and p99 against entries a second");
    svg_axis_x(out, &x, &y, svg_count, "entries a second");
    svg_axis_y(out, &y, &x, svg_micros, "latency");
    if (has_ceiling) {
        const double at = svg_place(&x, ceiling);
        fprintf(out, "<line class=\"ceiling\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", at, BOTTOM, at, TOP);
        fprintf(out, "<text class=\"mark\" x=\"%.1f\" y=\"%d\" text-anchor=\"end\">ceiling</text>\n", at - 5,
                TOP + 12);
    }
    sweep_line(out, summary, &x, &y, true);
    sweep_line(out, summary, &x, &y, false);
    sweep_settings_words(out, summary, &x, &y);
    svg_end(out);
}

/* -------------------------------------------------------------------------------------------------------- latencies */

static void quantile_mark(FILE *out, const struct bench_summary *summary, const struct svg_axis *x, double share,
                          const char *name, double dy)
{
    const double at = svg_place(x, bench_micros(&summary->total.latency, share));
    const bool right = at > (LEFT + RIGHT) / 2.0 + 120;
    fprintf(out, "<line class=\"ceiling\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\"/>", at, BOTTOM, at, TOP + dy);
    fprintf(out, "<text class=\"mark\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s %s</text>\n",
            at + (right ? -5 : 5), TOP + dy + 9, right ? "end" : "start", name,
            svg_micros(bench_micros(&summary->total.latency, share)).text);
}

void chart_histogram(FILE *out, const struct bench_summary *summary)
{
    const struct latency *latency = &summary->total.latency;
    uint32_t first = LATENCY_BARS, last = 0;
    double most = 0;
    for (uint32_t i = 0; i < LATENCY_BARS; i++) {
        const struct latency_bar bar = latency_bar(latency, i);
        if (bar.count == 0) continue;
        if (first == LATENCY_BARS) first = i;
        last = i;
        most = fmax(most, 100.0 * (double)bar.count / (double)latency->total);
    }
    if (first == LATENCY_BARS) return;
    const double low = fmax(0.001, (double)latency_bar(latency, first).low / 1e3);
    const double high = (double)latency_bar(latency, last).high / 1e3;
    const struct svg_axis x = axis_x(low / 1.1, high * 1.1, true), y = axis_y(0, most * 1.25, false);
    svg_begin(out, WIDTH, HEIGHT, "How many entries met which latency");
    svg_axis_x(out, &x, &y, svg_micros, "latency");
    svg_axis_y(out, &y, &x, svg_share, "of all entries");
    for (uint32_t i = first; i <= last; i++) {
        const struct latency_bar bar = latency_bar(latency, i);
        if (bar.count == 0) continue;
        const double share = 100.0 * (double)bar.count / (double)latency->total;
        const double left = svg_place(&x, (double)bar.low / 1e3), right = svg_place(&x, (double)bar.high / 1e3);
        const double top = fmin(svg_place(&y, share), BOTTOM - 0.75); /* a single entry is still to be seen */
        char says[120];
        snprintf(says, sizeof(says), "%s to %s: %.3g %%", svg_micros((double)bar.low / 1e3).text,
                 svg_micros((double)bar.high / 1e3).text, share);
        fprintf(out, "<rect class=\"fill teak\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\">", left, top,
                fmax(1, right - left - 0.6), BOTTOM - top);
        title(out, says);
        fputs("</rect>\n", out);
    }
    quantile_mark(out, summary, &x, 0.5, "p50", 0);
    quantile_mark(out, summary, &x, 0.99, "p99", 16);
    svg_end(out);
}

static struct svg_word nines(double value)
{
    struct svg_word word;
    const int digits = (int)lround(log10(value));
    if (digits <= 0)
        snprintf(word.text, sizeof(word.text), "0");
    else
        snprintf(word.text, sizeof(word.text), "%.*f", digits > 2 ? digits - 2 : 0, 100 - 100 / value);
    return word;
}

void chart_quantiles(FILE *out, const struct bench_summary *summary)
{
    const struct latency *latency = &summary->total.latency;
    if (latency->total < 2) return;
    const double longest = fmin(1e5, fmax(100, (double)latency->total)); /* 1 in so many */
    const double low = fmax(0.001, bench_micros(latency, 0)), high = fmax(low, (double)latency->max / 1e3);
    const struct svg_axis x = axis_x(1, longest, true), y = axis_y(low / 1.3, high * 1.3, true);
    svg_begin(out, WIDTH, HEIGHT, "Latency that a share of all entries did not exceed");
    svg_axis_x(out, &x, &y, nines, "% of all entries");
    svg_axis_y(out, &y, &x, svg_micros, "latency, at most");
    fputs("<polyline class=\"line teak\" points=\"", out);
    for (uint32_t i = 0; i < bench_quantiles_count; i++) {
        const double share = bench_quantiles[i], odds = share < 1 ? 1 / (1 - share) : longest;
        if (odds > longest) continue;
        fprintf(out, "%.1f,%.1f ", svg_place(&x, odds), svg_place(&y, bench_micros(latency, share)));
    }
    fputs("\"/>\n", out);
    static const struct {
        double share;
        const char *name;
    } marks[] = {{0.5, "p50"}, {0.99, "p99"}, {0.999, "p99.9"}};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (1 / (1 - marks[i].share) > longest) continue;
        const double px = svg_place(&x, 1 / (1 - marks[i].share)), us = bench_micros(latency, marks[i].share);
        fprintf(out, "<circle class=\"dot teak\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>", px, svg_place(&y, us));
        const bool right = px > RIGHT - 80; /* there is no room beside it */
        fprintf(out, "<text class=\"mark\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s %s</text>\n",
                px + (right ? -7 : 7), svg_place(&y, us) + 17, right ? "end" : "start", marks[i].name,
                svg_micros(us).text);
    }
    svg_end(out);
}

/* ------------------------------------------------------------------------------------------------------------- bars */

void chart_bars(FILE *out, const struct chart_bar *bars, uint32_t count, const char *label)
{
    enum { ROW = 40, BAR = 12 };
    double most = 0;
    for (uint32_t i = 0; i < count; i++) most = fmax(most, bars[i].value);
    if (!(most > 0)) return;
    svg_begin(out, WIDTH, count * ROW + 4, label);
    for (uint32_t i = 0; i < count; i++) {
        const double top = i * ROW + 4, width = fmax(1, bars[i].value / most * WIDTH);
        fprintf(out, "<text class=\"label\" x=\"0\" y=\"%.1f\">", top + 13);
        svg_text(out, bars[i].name);
        fprintf(out, "</text><text class=\"label\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", WIDTH, top + 13);
        svg_text(out, bars[i].note);
        fprintf(out, "</text><rect class=\"track\" x=\"0\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"2\"/>", top + 19,
                WIDTH, BAR);
        fprintf(out, "<rect class=\"fill %s\" x=\"0\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n",
                bars[i].own ? "teak" : "disk", top + 19, width, BAR);
    }
    svg_end(out);
}
