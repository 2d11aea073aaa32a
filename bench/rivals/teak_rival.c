/* teak_rival.c: Teak itself, by its public interface, with nothing set but the backend.
 *
 * The steady state is that of a replicator: what lies RETAIN bytes behind is compacted, so segments are used again and
 * none is filled with zeros. It is reached before the clock starts: STEADY segments in a row took no new one.
 */
#include "rival.h"

#include <stdio.h>
#include <string.h>

#include "teak/engine.h"

enum { LOG = 1, DONE = 4096, RETAIN = 16 << 20, STEADY = 4, BATCH_MAX = 1 << 16, PREPARED_BATCH = 1 << 20 };
#define TAG_COMPACT UINT64_MAX
#define PREPARED_MAX ((uint64_t)3 << 30) /* bytes; a machine on which it takes more measures the filling too */

static struct {
    struct teak_store *store;
    struct teak_bytes entries[BATCH_MAX];
    struct teak_completion done[DONE];
    uint32_t entry_bytes;
    bool compacts;
    uint64_t shift; /* the log's index of the harness's entry 0 */
    uint64_t first; /* everything below was handed to compaction */
    uint64_t durable;
} t;

static _Noreturn void refuse(const char *what, const struct teak_error *error)
{
    char text[512];
    teak_error_text(error, text, sizeof(text));
    rival_refuse(what, text);
}

static void check(enum teak_status status, const char *what, const struct teak_error *error)
{
    if (status != TEAK_OK) refuse(what, error);
}

static void compact(uint64_t next)
{
    const uint64_t keep = RETAIN / t.entry_bytes;
    if (!t.compacts || next - t.first < keep + keep / 16) return;
    const uint64_t last = next - 1 - keep < t.durable + t.shift ? next - 1 - keep : t.durable + t.shift;
    if (last < t.first) return;
    const struct teak_op op = {.op = TEAK_OP_COMPACT, .log = LOG, .index = last};
    const struct teak_batch batch = {.ops = &op, .count = 1, .tag = TAG_COMPACT};
    struct teak_error error = {0};
    const enum teak_status status = teak_submit(t.store, &batch, &error);
    if (status == TEAK_FULL) return; /* the next batch asks again */
    check(status, "compact", &error);
    t.first = last + 1;
}

static bool submit(uint64_t first, uint32_t count)
{
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = LOG, .index = t.shift + first, .term = 1,
                               .entries = t.entries, .count = count};
    const struct teak_batch batch = {.ops = &op, .count = 1, .tag = first + count - 1};
    struct teak_error error = {0};
    compact(t.shift + first);
    for (uint32_t i = 0; i < count; i++)
        t.entries[i] = (struct teak_bytes){.data = rival_payload(first + i), .bytes = t.entry_bytes};
    enum teak_status status;
    while ((status = teak_submit(t.store, &batch, &error)) == TEAK_FULL) {
        if (t.durable + 1 < first) return false;
        check(teak_poll(t.store, TEAK_FOREVER, NULL, 0, NULL, &error), "poll", &error); /* it waits for a segment */
    }
    check(status, "submit", &error);
    return true;
}

static uint64_t wait_for_more(void)
{
    const uint64_t before = t.durable;
    while (t.durable == before) {
        struct teak_error error = {0};
        uint32_t count = 0;
        check(teak_poll(t.store, TEAK_FOREVER, t.done, DONE, &count, &error), "poll", &error);
        for (uint32_t i = 0; i < count; i++) {
            if (t.done[i].status != TEAK_OK) refuse("completion", &(struct teak_error){.status = t.done[i].status});
            if (t.done[i].tag == TAG_COMPACT) continue;
            if (t.done[i].tag <= t.durable) rival_refuse("completion", "out of its order");
            t.durable = t.done[i].tag;
        }
    }
    return t.durable;
}

/* Entries are appended and compacted until segments come back; in large batches, whatever the load's are. */
static void reach_steady_state(void)
{
    struct teak_stats stats = {0};
    uint64_t next = 1, filled = 0, since = 0;
    const uint32_t batch = t.entry_bytes < PREPARED_BATCH / 1024 ? 1024 : PREPARED_BATCH / t.entry_bytes;
    while (stats.newest_segment < since + STEADY && stats.payload_bytes < PREPARED_MAX && !rival_is_stopped()) {
        for (uint32_t i = 0; i < 4 && submit(next, batch); i++) next += batch;
        while (t.durable < next - 1) (void)wait_for_more();
        teak_stats(t.store, &stats);
        if (stats.filled_bytes != filled || stats.recycled == 0) since = stats.newest_segment;
        filled = stats.filled_bytes;
    }
    if (stats.recycled == 0 && !rival_is_stopped()) rival_refuse("steady state", "no segment was recycled");
    t.shift = next - 1;
    t.durable = 0;
}

static void open_rival(const struct rival_load *load)
{
    struct teak_options options = teak_options_default();
    struct teak_error error = {0};
    options.create = true;
    options.backend = strncmp(load->variant, "posix", 5) == 0 ? TEAK_BACKEND_POSIX : TEAK_BACKEND_URING;
    t.compacts = strstr(load->variant, "growing") == NULL;
    t.entry_bytes = load->entry_bytes;
    t.first = 1;
    check(teak_open(load->dir, &options, &t.store, NULL, &error), "open", &error);
    check(teak_create_log(t.store, LOG, 0, &error), "create", &error);
    check(teak_drain(t.store, &error), "drain", &error);
    if (t.compacts) reach_steady_state();
}

static void close_rival(void)
{
    struct teak_error error = {0};
    check(teak_close(t.store, &error), "close", &error);
}

int main(int argc, char **argv)
{
    static const char defaults[] = "docs/tuning.md: the defaults are right for most";
    static const struct rival_variant variants[] = {
        {"uring", "io_uring, strategy auto, recycled segments of 64 MiB", defaults},
        {"posix", "posix backend, strategy auto, recycled segments of 64 MiB", defaults},
        {"uring-growing", "io_uring, strategy auto, nothing compacted: each segment is zero-filled first", defaults},
        {"posix-growing", "posix backend, strategy auto, nothing compacted", defaults},
        {0}};
    static char version[32];
    static const struct rival rival = {.name = "teak", .version = version, .variants = variants, .open = open_rival,
                                       .submit = submit, .wait = wait_for_more, .close = close_rival};
    snprintf(version, sizeof(version), "%d.%d.%d", TEAK_VERSION_MAJOR, TEAK_VERSION_MINOR, TEAK_VERSION_PATCH);
    return rival_main(argc, argv, &rival);
}
