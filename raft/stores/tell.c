/* tell.c: a completion goes to its node. */
#include "teak/raft_log_store.h"

enum teak_raft_status teak_raft_tell(struct teak_raft *raft, const struct teak_raft_completion *completion)
{
    if (!raft || !completion) return TEAK_RAFT_MISUSE;
    switch (completion->kind) {
    case TEAK_RAFT_JOB_DONE: return teak_raft_persisted(raft, completion->number, completion->outcome);
    case TEAK_RAFT_ROOM: return teak_raft_room(raft, true);
    case TEAK_RAFT_FETCH_DONE: {
        const enum teak_raft_status status =
            teak_raft_fetched(raft, completion->number, completion->outcome, completion->term_before,
                              completion->entries, completion->count);
        return status == TEAK_RAFT_STALE ? TEAK_RAFT_OK : status;
    }
    }
    return TEAK_RAFT_MISUSE;
}
