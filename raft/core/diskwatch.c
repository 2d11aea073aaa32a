/* diskwatch.c: see diskwatch.h. */
#include "core/diskwatch.h"

#include "core/handoff.h"
#include "core/timers.h"

void diskwatch_handed_out(struct teak_raft *raft)
{
    if (raft->options.disk_stall == 0 || timer_runs(raft, TIMER_STALL)) return;
    timer_start(raft, TIMER_STALL, raft->options.disk_stall);
}

void diskwatch_moved(struct teak_raft *raft)
{
    raft->stalled = false;
    timer_stop(raft, TIMER_STALL);
    if (raft->job_count > 0) diskwatch_handed_out(raft);
}

void diskwatch_over(struct teak_raft *raft)
{
    CHECK_LT(0, raft->job_count);
    raft->stalled = true;
    diskwatch_handed_out(raft);
    handoff_from_stall(raft);
}
