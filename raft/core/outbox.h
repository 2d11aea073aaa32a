/* outbox.h: replies that may leave at once, and events, until the next ready takes them. Both are bounded: a reply
 * for which there is no room is lost, as on a network; of events the oldest go, and are counted. */
#ifndef TEAK_RAFT_OUTBOX_H
#define TEAK_RAFT_OUTBOX_H

#include "core/core.h"

static inline struct teak_raft_msg *outbox(const struct teak_raft *raft)
{
    return (struct teak_raft_msg *)raft_at(raft, raft->send_at);
}

/* A message of `type` to `to`, with everything that all messages bear. NULL: no room. */
struct teak_raft_msg *outbox_add(struct teak_raft *raft, enum teak_raft_msg_type type, uint64_t to);

/* The reply to a request. One of the same type to the same node that still waits is replaced: the newer says more. */
void outbox_reply(struct teak_raft *raft, const struct teak_raft_msg *request, enum teak_raft_msg_type type,
                  struct teak_raft_msg values);

void outbox_event(struct teak_raft *raft, enum teak_raft_event_type type, uint64_t a, uint64_t b);

#endif
