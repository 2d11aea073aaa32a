/* bench_show_page.c: a benchmark as one HTML file: no script, nothing from elsewhere, light, dark and on paper.
 * PATH   Head, the figures that matter, the charts, tables of settings and machine, and the JSON itself at the end.
 * HOLDS  What is shown as a figure bears its JSON value: data-figure is the path in the JSON, data-value what stands
 *        there. A test compares them. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench_charts.h"
#include "bench_summary.h"
#include "human.h"
#include "store_args.h"
#include "svg.h"

static const char style[] =
    ":root{color-scheme:light dark;--ground:#faf8f5;--card:#fff;--ink:#211e1a;--soft:#6a6259;--line:#e5dfd7;"
    "--teak:#a4541a;--other:#2f6ca8;--disk:#8d96a3;--track:#f1ece5}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#151311;--card:#1e1b18;--ink:#ede8e1;--soft:#a89f94;"
    "--line:#37322c;--teak:#e3934c;--other:#7db2ea;--disk:#7f8894;--track:#2a2622}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "main{max-width:1080px;margin:0 auto;padding:32px 20px 48px}\n"
    "h1{font-size:26px;line-height:1.25;margin:0 0 4px}\n"
    "h2{font-size:17px;margin:0 0 2px}\n"
    "p{margin:0}.soft{color:var(--soft)}.warn{color:var(--teak);font-weight:600;margin-top:8px}\n"
    ".tiles,.charts{display:grid;gap:16px;margin-top:20px}\n"
    ".tiles{grid-template-columns:repeat(auto-fit,minmax(min(100%,200px),1fr))}\n"
    ".charts{grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr))}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px;min-width:0}\n"
    ".tile b{display:block;font-size:clamp(22px,5vw,28px);line-height:1.3;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}\n"
    ".card .soft{font-size:14px}\n"
    "svg{display:block;width:100%;height:auto;margin-top:12px;font-family:inherit}\n"
    "svg text{fill:var(--ink);font-size:13px;font-variant-numeric:tabular-nums}\n"
    "svg .tick,svg .axis{fill:var(--soft);font-size:12px}svg .mark{font-size:12px;paint-order:stroke;"
    "stroke:var(--card);stroke-width:3px}\n"
    ".grid{stroke:var(--line)}.ceiling{stroke:var(--soft);stroke-dasharray:4 4}\n"
    ".line{fill:none;stroke-width:2.5;stroke-linejoin:round}.line.teak{stroke:var(--teak)}"
    ".line.other{stroke:var(--other)}\n"
    ".dot{stroke:var(--card);stroke-width:1.5}.dot.teak,.fill.teak{fill:var(--teak)}.dot.other{fill:var(--other)}\n"
    ".fill.disk{fill:var(--disk)}.track{fill:var(--track)}\n"
    ".key{display:inline-block;width:12px;height:12px;border-radius:3px;margin:0 5px -1px 0}\n"
    ".key.teak{background:var(--teak)}.key.other{background:var(--other)}.key+.key,span+.key{margin-left:14px}\n"
    ".scroll{overflow-x:auto}.wide{grid-column:1/-1}\n"
    ".two{display:grid;gap:8px 28px;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr))}\n"
    ".three{grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr))}\n"
    "table{border-collapse:collapse;width:100%;margin-top:10px;font-size:14px;font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:right;padding:5px 0 5px 14px;border-bottom:1px solid var(--line);vertical-align:top}\n"
    "th:first-child,td:first-child{text-align:left;padding-left:0}\n"
    "th,.scroll td+td{white-space:nowrap}.scroll td:first-child{min-width:110px}\n"
    "th{font-weight:600;color:var(--soft)}tr:last-child td{border-bottom:0}\n"
    "table.pairs td:first-child{color:var(--soft);white-space:nowrap;padding-right:14px}\n"
    "table.pairs td{overflow-wrap:anywhere}\n"
    "footer{margin-top:24px;color:var(--soft);font-size:14px}\n"
    "@media print{:root{color-scheme:light;--ground:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#d4d4d4;"
    "--teak:#8a4412;--other:#1f5488;--disk:#888;--track:#eee}\n"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}@page{margin:14mm}\n"
    "body{font-size:12px}h1{font-size:20px}h2{font-size:14px}.card .soft,table,footer{font-size:11px}"
    ".tile b{font-size:19px}\n"
    "main{padding:0 1px;max-width:none}.card{break-inside:avoid;border-radius:0;padding:10px 12px}"
    ".tiles,.charts{gap:8px;margin-top:8px}\n"
    ".tiles{grid-template-columns:repeat(4,1fr)}.charts,.two{grid-template-columns:1fr 1fr}"
    ".charts.three{grid-template-columns:repeat(3,1fr)}}\n";

struct page {
    FILE *out;
    const struct bench_summary *summary;
};

/* ----------------------------------------------------------------------------------------------------------- pieces */

/* What is shown is `shown`; what it is in the JSON stands beside it, written as there. */
static void figure(const struct page *page, const char *tag, const char *path, double value, int decimals,
                   const char *shown)
{
    fprintf(page->out, "<%s data-figure=\"%s\" data-value=\"%.*f\">", tag, path, decimals, value);
    svg_text(page->out, shown);
    fprintf(page->out, "</%s>", tag);
}

static void tile(const struct page *page, const char *name, const char *path, double value, int decimals,
                 const char *shown, const char *note)
{
    fprintf(page->out, "<div class=\"card tile\"><p>%s</p>", name);
    figure(page, "b", path, value, decimals, shown);
    fputs("<p class=\"soft\">", page->out);
    svg_text(page->out, note);
    fputs("</p></div>\n", page->out);
}

static void card_begin(const struct page *page, bool wide, const char *name, const char *note)
{
    fprintf(page->out, "<section class=\"card%s\"><h2>%s</h2>", wide ? " wide" : "", name);
    if (note != NULL) fprintf(page->out, "<p class=\"soft\">%s</p>", note);
    fputc('\n', page->out);
}

static void card_end(const struct page *page) { fputs("</section>\n", page->out); }

__attribute__((format(printf, 3, 4))) static void pair(const struct page *page, const char *name, const char *format,
                                                       ...)
{
    char text[512];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    fprintf(page->out, "<tr><td>%s</td><td>", name);
    svg_text(page->out, text[0] != '\0' ? text : "not known");
    fputs("</td></tr>\n", page->out);
}

/* --------------------------------------------------------------------------------------------------------- the head */

static void load_words(const struct bench_summary *summary, char *out, size_t room)
{
    const struct bench_load *load = summary->load;
    char entries[96], how[96];
    if (load->sizes.kind == SIZES_FIXED)
        snprintf(entries, sizeof(entries), "entries of %s", human_bytes(load->sizes.low).text);
    else
        snprintf(entries, sizeof(entries), "entries of %.64s", summary->sizes_text);
    switch (load->shape) {
    case SHAPE_WINDOW: snprintf(how, sizeof(how), "%s outstanding", human_count(load->window).text); break;
    case SHAPE_RATE: snprintf(how, sizeof(how), "%s a second", human_rate(load->rate).text); break;
    case SHAPE_THREADS:
        snprintf(how, sizeof(how), "%s", human_of(load->threads, "waiting thread", "waiting threads").text);
        break;
    }
    snprintf(out, room, "%s, %s", entries, how);
}

static void head(const struct page *page)
{
    const struct bench_summary *summary = page->summary;
    char load[256], when[40];
    struct tm broken;
    load_words(summary, load, sizeof(load));
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M UTC", gmtime_r(&summary->when, &broken));
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>Teak: ", page->out);
    svg_text(page->out, load);
    fprintf(page->out, "</title>\n<style>\n%s</style></head>\n<body><main>\n<h1>Teak: ", style);
    svg_text(page->out, load);
    fputs("</h1>\n<p class=\"soft\">", page->out);
    char line[512];
    snprintf(line, sizeof(line), "%s at a time, %s, %s, %.2f s in %s; %s", human_count(summary->load->batch).text,
             human_of(summary->load->logs, "log", "logs").text, summary->mix_text, bench_seconds(summary),
             human_of(summary->reps_count, "repetition", "repetitions").text, when);
    svg_text(page->out, line);
    fputs("</p>\n", page->out);
    if (bench_share(summary) > 1)
        fputs("<p class=\"warn\">Above the ceiling, which cannot be: the disk was slower while the ceiling was "
              "measured. Measure longer.</p>\n", page->out);
    if (bench_verdict(summary) == DISK_DID_LESS)
        fputs("<p class=\"warn\">The device counted less than was claimed: believe nothing of this.</p>\n", page->out);
    if (strcmp(summary->total.stats.filesystem, "tmpfs") == 0 || summary->total.stats.strategy == TEAK_NONE)
        fputs("<p class=\"warn\">Nothing here is durable.</p>\n", page->out);
}

static void tiles(const struct page *page)
{
    const struct bench_summary *summary = page->summary;
    const struct latency *latency = &summary->total.latency;
    const struct spread rate = bench_spread_of(summary, FIELD_RATE);
    const struct spread p50 = bench_spread_of(summary, FIELD_P50), p99 = bench_spread_of(summary, FIELD_P99);
    char note[160];
    fputs("<div class=\"tiles\">\n", page->out);
    snprintf(note, sizeof(note), "%s/s of payload",
             human_bytes((uint64_t)((double)summary->total.payload_bytes / bench_seconds(summary))).text);
    if (summary->reps_count > 1)
        snprintf(note, sizeof(note), "%s to %s: the middle half", svg_count(rate.low).text, svg_count(rate.high).text);
    const double each_second = bench_rate(summary);
    tile(page, "Entries a second", "entries_per_second", each_second, 1,
         each_second < 1e6 ? human_count((uint64_t)each_second).text : human_rate(each_second).text, note);
    snprintf(note, sizeof(note), "half of all entries");
    if (summary->reps_count > 1)
        snprintf(note, sizeof(note), "%s to %s", svg_micros(p50.low).text, svg_micros(p50.high).text);
    tile(page, "Durable within (p50)", "latency_us.p50", bench_micros(latency, 0.5), 3,
         svg_micros(bench_micros(latency, 0.5)).text, note);
    snprintf(note, sizeof(note), "99 of 100");
    if (summary->reps_count > 1)
        snprintf(note, sizeof(note), "%s to %s", svg_micros(p99.low).text, svg_micros(p99.high).text);
    tile(page, "Durable within (p99)", "latency_us.p99", bench_micros(latency, 0.99), 3,
         svg_micros(bench_micros(latency, 0.99)).text, note);
    if (isfinite(bench_share(summary))) {
        char shown[32];
        snprintf(shown, sizeof(shown), "%.0f %%", bench_share(summary) * 100);
        tile(page, "Share of the ceiling", "ceiling.share", bench_share(summary), 4, shown,
             "of what the disk does without a log");
    }
    fputs("</div>\n", page->out);
}

/* ----------------------------------------------------------------------------------------------------------- charts */

static void ceiling_card(const struct page *page)
{
    const struct bench_summary *summary = page->summary;
    struct chart_bar bars[BENCH_CEILING_ROWS + 1] = {{.own = true, .value = bench_rate(summary)}};
    if (bench_ceiling_best(&summary->ceiling) == NULL) return;
    snprintf(bars[0].name, sizeof(bars[0].name), "Teak");
    snprintf(bars[0].note, sizeof(bars[0].note), "%s", svg_count(bars[0].value).text);
    for (uint32_t i = 0; i < summary->ceiling.count; i++) {
        const struct bench_ceiling_row *row = &summary->ceiling.rows[i];
        bars[i + 1].value = bench_ceiling_rate(row);
        snprintf(bars[i + 1].name, sizeof(bars[i + 1].name), "%s, %" PRIu32 " \xC3\x97 %s",
                 row->point.way == CEILING_WRITE_SYNC ? "write + fdatasync" : ceiling_way_names[row->point.way],
                 row->point.in_flight, human_bytes(row->point.write_bytes).text);
        snprintf(bars[i + 1].note, sizeof(bars[i + 1].note), "%s", svg_count(bars[i + 1].value).text);
    }
    card_begin(page, false, "The disk without a log",
               "Entries a second, were the same bytes outstanding written by themselves");
    chart_bars(page->out, bars, summary->ceiling.count + 1, "Entries a second by each way of making writes durable");
    card_end(page);
}

static void rivals_table(const struct page *page, const struct rivals *rivals, uint32_t load)
{
    fputs("<div class=\"scroll\"><table><tr><th>rival</th><th>p99</th><th>runs</th></tr>\n", page->out);
    for (uint32_t i = 0; i < rivals->count; i++) {
        const struct rival *rival = &rivals->rows[i];
        if (rival->load != load) continue;
        fputs("<tr><td>", page->out);
        svg_text(page->out, rival->name);
        fputs(" <span class=\"soft\">", page->out);
        svg_text(page->out, rival->version);
        if (rival->settings[0] != '\0') fputs("<br>", page->out);
        svg_text(page->out, rival->settings);
        if (rival->complaint[0] != '\0') {
            fputs("<br>not counted: ", page->out);
            svg_text(page->out, rival->complaint);
        }
        fprintf(page->out, "</span></td><td>%s</td><td>%" PRIu32 "</td></tr>\n",
                isnan(rival->p99_us) ? "?" : svg_micros(rival->p99_us).text, rival->runs);
    }
    fputs("</table></div>\n", page->out);
}

/* One card for each load; ratios are those that were taken pair by pair. */
static void rivals_card(const struct page *page, const struct rivals *rivals, uint32_t load)
{
    struct chart_bar bars[RIVALS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < rivals->count; i++) {
        const struct rival *rival = &rivals->rows[i];
        if (rival->load != load || isnan(rival->rate)) continue;
        struct chart_bar *bar = &bars[count++];
        *bar = (struct chart_bar){.value = rival->rate, .own = rival->is_teak};
        snprintf(bar->name, sizeof(bar->name), "%s", rival->name);
        if (rival->is_teak || isnan(rival->times))
            snprintf(bar->note, sizeof(bar->note), "%s", svg_count(rival->rate).text);
        else
            snprintf(bar->note, sizeof(bar->note), "%s, Teak %.1f \xC3\x97", svg_count(rival->rate).text, rival->times);
    }
    card_begin(page, true, "Rivals", NULL);
    fputs("<p class=\"soft\">Entries a second: ", page->out);
    svg_text(page->out, rivals->loads[load]);
    fputs("; each with the settings that its own documentation advises</p>\n<div class=\"two\"><div>", page->out);
    chart_bars(page->out, bars, count, "Entries a second of Teak and of others");
    fputs("</div>", page->out);
    rivals_table(page, rivals, load);
    fputs("</div>\n", page->out);
    card_end(page);
}

static void charts(const struct page *page, const struct rivals *rivals)
{
    static const char *const settings[] = {"entries outstanding", "the rate asked for", "threads"};
    const struct bench_summary *summary = page->summary;
    char note[320];
    fputs("<div class=\"charts\">\n", page->out);
    if (summary->sweep_count >= 2) {
        snprintf(note, sizeof(note), "<span class=\"key teak\"></span><span>p50</span><span class=\"key other\"></span>"
                 "<span>p99</span>; at each point %s", settings[summary->load->shape]);
        card_begin(page, false, "Throughput against latency", note);
        chart_sweep(page->out, summary);
        card_end(page);
    }
    card_begin(page, false, "Latencies", "Entries by how long it took until they were durable");
    chart_histogram(page->out, summary);
    card_end(page);
    card_begin(page, false, "Latencies, the tail", "Which share of all entries was durable within which time");
    chart_quantiles(page->out, summary);
    card_end(page);
    ceiling_card(page);
    for (uint32_t load = 0; rivals != NULL && load < rivals->loads_count; load++) rivals_card(page, rivals, load);
    fputs("</div>\n", page->out);
}

/* ----------------------------------------------------------------------------------------------------------- tables */

static void point_row(const struct page *page, const char *list, uint32_t number, const char *name,
                      const struct bench_point *point)
{
    char path[64];
    const double values[] = {point->p50_us, point->p90_us, point->p99_us, point->p999_us, point->max_us};
    static const char *const names[] = {"p50", "p90", "p99", "p999", "max"};
    fprintf(page->out, "<tr><td>%s</td>", name);
    snprintf(path, sizeof(path), "%s.%" PRIu32 ".entries_per_second", list, number);
    figure(page, "td", path, point->entries_per_second, 1, svg_count(point->entries_per_second).text);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(path, sizeof(path), "%s.%" PRIu32 ".latency_us.%s", list, number, names[i]);
        figure(page, "td", path, values[i], 3, svg_micros(values[i]).text);
    }
    fputs("</tr>\n", page->out);
}

static void runs_card(const struct page *page)
{
    const struct bench_summary *summary = page->summary;
    char name[48];
    card_begin(page, true, "Runs", NULL);
    fputs("<div class=\"scroll\"><table><tr><th>run</th><th>entries/s</th><th>p50</th><th>p90</th><th>p99</th>"
          "<th>p99.9</th><th>max</th></tr>\n", page->out);
    for (uint32_t i = 0; i < summary->reps_count; i++) {
        snprintf(name, sizeof(name), "repetition %" PRIu32, i + 1);
        point_row(page, "repetitions", i, name, &summary->reps[i]);
    }
    for (uint32_t i = 0; i < summary->sweep_count; i++) {
        snprintf(name, sizeof(name), "%.10s %.30s", bench_shape_names[summary->load->shape],
                 human_count((uint64_t)summary->sweep[i].setting).text);
        point_row(page, "sweep", i, name, &summary->sweep[i]);
    }
    for (uint32_t i = 0, shown = 0; i < ACT_COUNT; i++) {
        const struct latency *latency = &summary->total.acts[i];
        if (latency->total == 0) continue;
        static const double shares[] = {0.5, 0.9, 0.99, 0.999, 1};
        static const char *const names[] = {"p50", "p90", "p99", "p999", "max"};
        char path[64];
        fprintf(page->out, "<tr><td>%s</td>", bench_act_names[i]);
        fprintf(page->out, "<td>%s/s</td>", svg_count((double)latency->total / bench_seconds(summary)).text);
        for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
            const double us = shares[k] < 1 ? bench_micros(latency, shares[k]) : (double)latency->max / 1e3;
            snprintf(path, sizeof(path), "operations.%" PRIu32 ".latency_us.%s", shown, names[k]);
            figure(page, "td", path, us, 3, svg_micros(us).text);
        }
        fputs("</tr>\n", page->out);
        shown++;
    }
    fputs("</table></div>\n", page->out);
    card_end(page);
}

static void counts_card(const struct page *page)
{
    const struct bench_result *total = &page->summary->total;
    const double payload = (double)total->payload_bytes, entries = (double)total->entries;
    card_begin(page, false, "What it took", NULL);
    fputs("<table class=\"pairs\">\n", page->out);
    pair(page, "entries", "%s", human_count(total->entries).text);
    pair(page, "frames", "%s, %.1f entries in each", human_count(total->frames).text,
         total->frames > 0 ? entries / (double)total->frames : 0);
    pair(page, "syncs", "%s", human_count(total->syncs).text);
    pair(page, "written", "%s, %.2f for each byte of payload", human_bytes(total->bytes_written).text,
         payload > 0 ? (double)total->bytes_written / payload : 0);
    pair(page, "processor", "%.2f s, %.0f ns for each entry", total->cpu_seconds,
         entries > 0 ? total->cpu_seconds * 1e9 / entries : 0);
    pair(page, "memory", "%s at most", human_bytes(total->rss_bytes_max).text);
    pair(page, "stalls", "%s", human_count(total->stalls).text);
    if (page->summary->load->shape == SHAPE_RATE)
        pair(page, "unfinished", "%s; begun %s late at p99", human_count(total->unfinished).text,
             svg_micros(bench_micros(&total->late, 0.99)).text);
    if (page->summary->did.known)
        pair(page, "the device counted", "%s written, %s", human_bytes(page->summary->did.write_bytes).text,
             human_of(page->summary->did.flushes, "flush", "flushes").text);
    else
        pair(page, "the device counted", "nothing: it is not known what it did");
    fputs("</table>\n", page->out);
    card_end(page);
}

static void settings_card(const struct page *page)
{
    const struct bench_summary *summary = page->summary;
    const struct teak_limits *limits = &summary->limits;
    card_begin(page, false, "Settings", NULL);
    fputs("<table class=\"pairs\">\n", page->out);
    const enum teak_strategy strategy = summary->total.stats.strategy;
    pair(page, "strategy", "%s", strategy < TEAK_STRATEGY_COUNT ? store_strategy_names[strategy] : "");
    pair(page, "through", "%s, %s", summary->total.stats.backend,
         summary->total.stats.direct_io ? "direct I/O" : "no direct I/O");
    pair(page, "in flight", "%s", human_of(limits->in_flight, "frame", "frames").text);
    pair(page, "group", "%s", human_bytes(limits->group_bytes).text);
    pair(page, "linger", "%s", summary->linger_ns > 0 ? svg_micros((double)summary->linger_ns / 1e3).text : "none");
    pair(page, "arena", "%s", human_bytes(limits->arena_bytes).text);
    pair(page, "segment, block", "%s, %s", human_bytes(limits->segment_bytes).text,
         human_bytes(limits->block_bytes).text);
    pair(page, "waiting", "%s", summary->load->busy_poll ? "busy polling" : "asleep");
    pair(page, "retained", "%s", summary->load->retain_bytes > 0 ? human_bytes(summary->load->retain_bytes).text
                                                                 : "everything: the store grows");
    fputs("</table>\n", page->out);
    card_end(page);
}

static void machine_card(const struct page *page)
{
    const struct machine *machine = &page->summary->machine;
    card_begin(page, false, "Machine", NULL);
    fputs("<table class=\"pairs\">\n", page->out);
    pair(page, "kernel", "%s", machine->kernel);
    pair(page, "processors", "%" PRIu32 "%s%s", machine->processors, machine->processor[0] != '\0' ? ", " : "",
         machine->processor);
    pair(page, "memory", "%s", human_bytes(machine->memory_bytes).text);
    pair(page, "file system", "%s", machine->filesystem);
    pair(page, "mounted", "%s", machine->mount_options);
    pair(page, "device", "%s%s%s", machine->device, machine->model[0] != '\0' ? ", " : "", machine->model);
    pair(page, "its cache", "%s", machine->write_cache);
    pair(page, "FUA", "%s", machine->fua < 0 ? "" : machine->fua == 1 ? "yes" : "no");
    pair(page, "scheduler", "%s", machine->scheduler);
    fputs("</table>\n", page->out);
    card_end(page);
}

/* The JSON, in a form that cannot end the element it stands in. */
static bool data(const struct page *page)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    if (memory == NULL) return false;
    bench_show_json(page->summary, memory);
    const bool good = fclose(memory) == 0;
    fputs("<script type=\"application/json\" id=\"teak-bench\">", page->out);
    for (size_t i = 0; good && i < bytes; i++) {
        if (text[i] == '<')
            fputs("\\u003c", page->out);
        else
            fputc(text[i], page->out);
    }
    fputs("</script>\n", page->out);
    free(text);
    return good;
}

bool bench_show_page(const struct bench_summary *summary, const struct rivals *rivals, FILE *out)
{
    const struct page page = {.out = out, .summary = summary};
    head(&page);
    tiles(&page);
    charts(&page, rivals);
    fputs("<div class=\"charts three\">\n", out);
    runs_card(&page);
    counts_card(&page);
    settings_card(&page);
    machine_card(&page);
    fputs("</div>\n<footer>Latencies are kept to three digits; each counts until its entry is durable. All figures, as "
          "JSON, stand in this file: the element <code>teak-bench</code>.</footer>\n", out);
    const bool good = data(&page);
    fputs("</main></body></html>\n", out);
    return good;
}
