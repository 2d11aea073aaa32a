/* bench_threads.h: threads that append to one store through a committer, each waiting until its batch is durable. */
#ifndef TEAK_TOOLS_BENCH_THREADS_H
#define TEAK_TOOLS_BENCH_THREADS_H

#include "teak/committer.h"

#include "bench_load.h"

/* As bench_load_run; all threads have ended when it returns. */
bool bench_threads_run(const struct bench_load *load, struct teak_committer *committer, struct bench_result *out,
                       struct teak_error *error);

#endif
