/* raft_persistent.c: a node on the engine, alone in its cluster. It counts: each number is proposed, and printed when
 * it is committed. Kill it as you like: the next run has every number that was printed, and counts on.
 *
 *     raft_persistent DIRECTORY COUNT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "raft_driver.h"
#include "teak/engine.h"
#include "teak/raft_store_teak.h"

static uint64_t counted; /* the state machine */

static void apply(struct replica *replica, const struct teak_raft_entry *entry)
{
    char text[32];
    (void)replica;
    snprintf(text, sizeof text, "%.*s", (int)entry->bytes, (const char *)entry->data);
    counted = strtoull(text, NULL, 10);
}

static void send_nowhere(void *network, const struct teak_raft_msg *msg)
{
    (void)network;
    (void)msg;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now); /* counts suspend */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t draw(void) /* never used before: an incarnation, a birth */
{
    uint64_t number = 0;
    FILE *file = fopen("/dev/urandom", "rb");
    if (!file || fread(&number, sizeof number, 1, file) != 1) number = now_ns();
    if (file) fclose(file);
    return number | 1;
}

/* Makes the log of group 0, the first time. */
static enum teak_raft_status found_once(struct replica *replica)
{
    struct teak_raft_log_state state;
    const struct teak_raft_member self = {.id = 1, .roles = TEAK_RAFT_VOTER}; /* born 0: any */
    const enum teak_raft_status status = replica->store.ops->state(replica->store.self, 0, &state);
    if (status == TEAK_RAFT_OK && state.last.index > 0) return TEAK_RAFT_OK;
    if (status == TEAK_RAFT_OK) replica->store.ops->drop(replica->store.self, 0); /* it died while being founded */
    return replica_found(replica, &self, 1, draw());
}

/* Counts to the end, one at a time. `proposed` is the number that is on its way. */
static void count_on(struct replica *replica, uint64_t end)
{
    uint64_t proposed = 0, printed = 0;
    for (;;) {
        struct teak_raft_view view;
        replica_turn(replica, now_ns() / 1000000, 1000000);
        teak_raft_view(replica->raft, &view);
        if (view.halted) exit(1);
        if (view.role != TEAK_RAFT_LEADER || replica->applied != view.last.index) continue;
        if (printed == 0 && proposed == 0) printf("at %" PRIu64 "\n", counted);
        if (counted == proposed && counted > printed) printf("%" PRIu64 "\n", printed = counted);
        fflush(stdout);
        if (counted >= end) return;
        char text[32];
        proposed = counted + 1;
        snprintf(text, sizeof text, "%" PRIu64, proposed);
        if (replica_propose(replica, text, proposed) != TEAK_RAFT_OK) exit(1);
    }
}

int main(int argc, char **argv)
{
    struct replica replica = {.id = 1, .apply = apply, .send = send_nowhere};
    struct teak_raft_options options = teak_raft_options_default();
    struct teak_options engine_options = teak_options_default();
    struct teak_store *engine;
    struct teak_error error;
    if (argc < 3) return 2;
    engine_options.create = true;
    if (teak_open(argv[1], &engine_options, &engine, NULL, &error) != TEAK_OK) {
        char text[256];
        teak_error_text(&error, text, sizeof text);
        fprintf(stderr, "%s\n", text);
        return 1;
    }
    options.id = 1;
    options.election = 20;
    options.heartbeat = 5;
    if (teak_raft_teak_open(engine, false, &replica.store) != TEAK_RAFT_OK) return 1;
    enum teak_raft_status status = found_once(&replica);
    if (status == TEAK_RAFT_OK) status = replica_start(&replica, &options, now_ns() / 1000000, draw());
    if (status == TEAK_RAFT_OK) count_on(&replica, strtoull(argv[2], NULL, 10));
    if (status != TEAK_RAFT_OK) fprintf(stderr, "%s\n", teak_raft_status_name(status));
    replica_stop(&replica);
    replica.store.ops->close(replica.store.self);
    return teak_close(engine, &error) == TEAK_OK && status == TEAK_RAFT_OK ? 0 : 1;
}
