/* progress.c: see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ticks.h"

enum { BAR_CELLS = 30 };

void progress_begin(struct progress *progress, const char *label, uint64_t total, bool wanted)
{
    *progress = (struct progress){.label = label, .total = total, .on = wanted && isatty(STDERR_FILENO) == 1};
}

bool progress_is_due(const struct progress *progress, uint64_t now_ns)
{
    return progress->on && now_ns - progress->shown_ns >= TICKS_PER_SECOND / 10;
}

void progress_show(struct progress *progress, uint64_t now_ns, uint64_t done, const char *note)
{
    if (!progress_is_due(progress, now_ns)) return;
    progress->shown_ns = now_ns;
    progress->drawn = true;
    if (progress->total == 0) {
        fprintf(stderr, "\r\033[K%s  %s", progress->label, note);
        return;
    }
    const double share = done >= progress->total ? 1 : (double)done / (double)progress->total;
    char bar[BAR_CELLS + 1];
    const size_t full = (size_t)(share * BAR_CELLS);
    memset(bar, '#', full);
    memset(bar + full, '-', BAR_CELLS - full);
    bar[BAR_CELLS] = '\0';
    fprintf(stderr, "\r\033[K%s [%s] %3.0f %%  %s", progress->label, bar, share * 100, note);
}

void progress_end(struct progress *progress)
{
    if (progress->drawn) fputs("\r\033[K", stderr);
    progress->on = progress->drawn = false;
}
