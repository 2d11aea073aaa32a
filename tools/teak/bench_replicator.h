/* bench_replicator.h: what the stores of a Raft leader and of its follower do, both logs in one store.
 *
 * For each group: the leader appends what clients bring; the newest entries are read, durable or not, and appended to
 * the follower's log behind a look at the terms on either side; what is durable in both logs is committed, and that is
 * noted, lazily, in both hard states. Every some thousand batches there is a new term: an urgent hard state, and the
 * follower's log loses what is not committed and gets it again. */
#ifndef TEAK_TOOLS_BENCH_REPLICATOR_H
#define TEAK_TOOLS_BENCH_REPLICATOR_H

#include "bench_load.h"

enum { REPLICATOR_TERM_BATCHES = 4096 };

/* As bench_load_run. A latency is that of an entry from the leader's append to its commit. */
bool bench_replicator_run(const struct bench_load *load, struct teak_store *store, struct bench_result *out,
                          struct teak_error *error);

#endif
