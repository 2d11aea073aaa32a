/* progress.c: see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ticks.h"

enum { BAR_CELLS = 30, BAR_CELLS_LEAST = 5, LINE_MAX_BYTES = 256 };

/* What fits into a line of the terminal; a line that breaks could not be taken away again. */
static uint32_t columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 79;
    return size.ws_col - 1U;
}

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
    const uint32_t room = columns();
    if (progress->total == 0) {
        char line[LINE_MAX_BYTES];
        snprintf(line, sizeof(line), "%s  %s", progress->label, note);
        fprintf(stderr, "\r\033[K%.*s", (int)room, line);
        return;
    }
    const double share = done >= progress->total ? 1 : (double)done / (double)progress->total;
    char line[LINE_MAX_BYTES], bar[BAR_CELLS + 4] = "";
    const int words = snprintf(line, sizeof(line), "%3.0f %%  %s", share * 100, note);
    const size_t taken = strlen(progress->label) + sizeof(" [] ") - 1 + (words > 0 ? (size_t)words : 0);
    size_t cells = taken < room ? room - taken : 0;
    if (cells > BAR_CELLS) cells = BAR_CELLS;
    if (cells >= BAR_CELLS_LEAST) {
        const size_t full = (size_t)(share * (double)cells);
        bar[0] = '[';
        memset(bar + 1, '#', full);
        memset(bar + 1 + full, '-', cells - full);
        memcpy(bar + 1 + cells, "] ", 3);
    }
    char whole[2 * LINE_MAX_BYTES];
    snprintf(whole, sizeof(whole), "%s %s%s", progress->label, bar, line);
    fprintf(stderr, "\r\033[K%.*s", (int)room, whole);
}

void progress_end(struct progress *progress)
{
    if (progress->drawn) fputs("\r\033[K", stderr);
    progress->on = progress->drawn = false;
}
