/* check.c: see check.h. */
#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static check_hook hook_now; /* set once by the host before threads start, or by a test */

void check_set_hook(check_hook hook) { hook_now = hook; }

static _Noreturn void give_up(const char *text)
{
    if (hook_now)
        hook_now(text);
    else
        fprintf(stderr, "teak: %s\n", text);
    abort();
}

void check_fail(const char *file, int line, const char *text)
{
    char message[256];
    snprintf(message, sizeof message, "%s:%d: check failed: %s", file, line, text);
    give_up(message);
}

void check_fail_pair(const char *file, int line, const char *text, uint64_t a, uint64_t b)
{
    char message[256];
    snprintf(message, sizeof message, "%s:%d: check failed: %s (%" PRIu64 ", %" PRIu64 ")", file, line, text, a, b);
    give_up(message);
}
