/* progress.h: a bar on standard error while something long goes on. On a terminal only. */
#ifndef TEAK_TOOLS_PROGRESS_H
#define TEAK_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *label;
    uint64_t total;    /* 0: unknown, no bar but the note alone            */
    uint64_t shown_ns; /* when it was drawn last: ten times a second at most */
    bool on, drawn;
};

/* `wanted`: the caller's own say. It stays off where standard error is no terminal. */
void progress_begin(struct progress *progress, const char *label, uint64_t total, bool wanted);

/* Is it time to draw again? For callers whose note costs something. */
bool progress_is_due(const struct progress *progress, uint64_t now_ns);

void progress_show(struct progress *progress, uint64_t now_ns, uint64_t done, const char *note);

/* Take the line away again; say what there is to say after it. */
void progress_end(struct progress *progress);

#endif
