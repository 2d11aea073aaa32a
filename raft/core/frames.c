/* frames.c: who holds the memory of entries. The count is all that nodes share, so it is atomic. */
#include "base/check.h"
#include "teak/raft.h"

void teak_raft_hold(struct teak_raft_frame *frame)
{
    if (!frame) return;
    const uint32_t before = __atomic_fetch_add(&frame->refs, 1, __ATOMIC_RELAXED);
    CHECK_LT(0, before); /* it was freed */
}

void teak_raft_drop(struct teak_raft_frame *frame)
{
    if (!frame) return;
    const uint32_t before = __atomic_fetch_sub(&frame->refs, 1, __ATOMIC_ACQ_REL);
    CHECK_LT(0, before);
    if (before == 1) frame->free(frame);
}
