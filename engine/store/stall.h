/* stall.h: a device that does not answer is told of while it hangs, and when it answers.
 *
 * OWNS   Which operations have been out for longer than `stall_ns`, and how many there were.
 * PATH   stall_begin() when something was started; stall_look() after each collect; stall_end() when it came back.
 * HOLDS  A stall is what a turn saw hanging: a host that drives too seldom does not make one of a write that was done
 *        long before it looked.
 */
#ifndef TEAK_STORE_STALL_H
#define TEAK_STORE_STALL_H

#include <stdbool.h>
#include <stdint.h>

struct teak_store;
struct disk_op;

struct stall {
    uint64_t limit_ns;          /* UINT64_MAX: nobody wants to know                                        */
    uint64_t due_ns;            /* nothing can hang too long before; UINT64_MAX: nothing is out, or all told */
    uint64_t chore_since_ns;    /* the one chore's operation that is out                                   */
    bool chore_is_slow;
    uint64_t writes, syncs, others, longest_ns, hanging;
};

/* Something is out since `now_ns`, at the latest. */
static inline void stall_begin(struct stall *stall, uint64_t now_ns)
{
    if (stall->due_ns == UINT64_MAX && stall->limit_ns < UINT64_MAX - now_ns) stall->due_ns = now_ns + stall->limit_ns;
}

/* What hangs too long by now? Needs something out. */
void stall_find(struct teak_store *store);

/* An operation came back: a frame's, a sync's, or a chore's (`segment`: 0 where that is not known). */
void stall_end(struct teak_store *store, const struct disk_op *op, uint64_t since_ns, uint64_t segment);

#endif
