/* raft_fleet_state.c: see raft_fleet_state.h. */
#include "raft_fleet_state.h"

#include <unistd.h>

struct fleet fleet;

void broken(const char *text, ...)
{
    va_list more;
    const bool breaks_rules = fleet.shape->puts_back_raw || fleet.shape->takes_worst;
    if (breaks_rules && !fleet.is_told) _exit(FLEET_BROKEN);
    fprintf(stderr, "TEAK_SEED=%" PRIu64 ", at %" PRIu64 " ms: ", fleet.seed, fleet.now);
    va_start(more, text);
    vfprintf(stderr, text, more);
    va_end(more);
    fprintf(stderr, "\n");
    fail();
    abort();
}

void note(const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    fleet.history = mix(mix(mix(mix(fleet.history, fleet.now), a), b), c);
    for (const char *at = what; *at != '\0'; at++) fleet.history = mix(fleet.history, (uint8_t)*at);
    if (fleet.is_told)
        printf("%6" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", fleet.now, what, a, b, c);
}
