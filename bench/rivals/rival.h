/* rival.h: one harness for everything that Teak is measured against, and for Teak.
 *
 * A rival is four functions; one program each. All are driven by the same closed loop (rival.c): while there is room in
 * the window, `submit` hands over the next batch; `wait` then returns the last entry that survives a power cut. So
 * for each of them:
 *
 * OUTSTANDING  Entries submitted and not known to be durable: never more than the window, and as near to it as whole
 *              batches allow before each wait.
 * LATENCY      Of an entry, from before its batch is handed over until the `wait` that covers it returns.
 * THROUGHPUT   Entries that `wait` covered while the clock ran, for each second of it.
 *
 * A rival whose interface is synchronous gathers in `submit` and commits all of it in `wait`: one group commit of the
 * whole window, the best that a caller can do with it.
 */
#ifndef TEAK_BENCH_RIVAL_H
#define TEAK_BENCH_RIVAL_H

#include <stdbool.h>
#include <stdint.h>

/* One way to set a rival up. */
struct rival_variant {
    const char *name;
    const char *settings; /* what was set, in the rival's own words            */
    const char *advice;   /* where its documentation advises that; its default */
};

struct rival_load {
    const char *dir; /* new and empty; the harness removes it with all that is in it */
    const char *variant;
    uint32_t entry_bytes, window, batch;
};

struct rival {
    const char *name;
    const char *version;
    const struct rival_variant *variants; /* the first is the default; ends with a NULL name */
    void (*open)(const struct rival_load *load);
    /* Entries first..first + count - 1; the first ever is 1. False: no room until some that are outstanding are
     * durable: `wait` and repeat. */
    bool (*submit)(uint64_t first, uint32_t count);
    /* Waits until one more entry is durable. Returns the last of those without a hole before it. */
    uint64_t (*wait)(void);
    void (*close)(void);
};

/* Runs it as its command line says and prints what came of it. Returns the exit status. */
int rival_main(int argc, char **argv, const struct rival *rival);

/* The entry's payload, entry_bytes of it; the same for each rival. It stays there. */
const void *rival_payload(uint64_t index);

/* Memory of the harness's own, zeroed and present; for as long as the program runs. */
void *rival_memory(uint64_t bytes);

/* Was the program told to end? Whoever prepares for long asks. */
bool rival_is_stopped(void);

/* Ends the program with one line, exit 1, and leaves nothing behind. */
_Noreturn void rival_refuse(const char *what, const char *why);

#endif
