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
    /* Who has the last reference shares it with nobody, and no other can come of none: no need to lock the bus. Acquire
     * pairs with the release of who dropped the one before. */
    if (__atomic_load_n(&frame->refs, __ATOMIC_ACQUIRE) == 1) {
        __atomic_store_n(&frame->refs, 0, __ATOMIC_RELAXED);
        frame->free(frame);
        return;
    }
    const uint32_t before = __atomic_fetch_sub(&frame->refs, 1, __ATOMIC_ACQ_REL);
    CHECK_LT(0, before);
    if (before == 1) frame->free(frame);
}
