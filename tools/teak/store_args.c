/* store_args.c: see store_args.h. */
#include "store_args.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "complain.h"

const char *const store_strategy_names[] = {"auto", "dsync", "fdatasync", "buffered", "none", NULL};
const char *const store_backend_names[] = {"auto", "uring", "posix", NULL};
static_assert(sizeof(store_strategy_names) / sizeof(char *) == TEAK_STRATEGY_COUNT + 1, "a name for every strategy");
static_assert(sizeof(store_backend_names) / sizeof(char *) == TEAK_BACKEND_COUNT + 1, "a name for every backend");

enum { SEGMENT_UNIT = 64 << 10 };

bool store_args_options(const char *command, const struct store_args *args, struct teak_options *out)
{
    if (args->segment_bytes % SEGMENT_UNIT != 0) {
        complain(command, "--segment-bytes %" PRIu64 " is no multiple of 64K: write --segment-bytes %" PRIu64,
                 args->segment_bytes, args->segment_bytes / SEGMENT_UNIT * SEGMENT_UNIT);
        return false;
    }
    if ((args->block_bytes & (args->block_bytes - 1)) != 0) {
        complain(command, "--block-bytes %" PRIu64 " is no power of two: write --block-bytes 4096", args->block_bytes);
        return false;
    }
    *out = teak_options_default();
    out->strategy = (enum teak_strategy)args->strategy;
    out->backend = (enum teak_backend)args->backend;
    if (args->segment_bytes != 0) out->segment_bytes = args->segment_bytes;
    if (args->block_bytes != 0) out->block_bytes = (uint32_t)args->block_bytes;
    return true;
}

void store_args_notice(const char *command, const struct teak_report *report)
{
    if (!report->backend_fell_back) return;
    complain(command, "notice: no io_uring here (%s): through %s instead", strerror(report->backend_errno),
             report->backend);
}
