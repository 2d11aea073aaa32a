/* peers.h: the progress of one member, as the leader sees it.
 *
 *              confirmed                    refused, unreachable, another process
 *      PROBE ─────────────► REPLICATE ─────────────► PROBE
 *      one APPEND, then     a window of them,
 *      wait                 `next` runs ahead
 *        │  ▲                       ▲ │
 *        │  │ another process       │ │ `next` lies before the log
 *        ▼  │             confirmed │ ▼ up to the log
 *      NEEDS_SNAPSHOT ──────────────┘
 *      streams.c
 *
 * HOLDS  match < next. The window holds what was sent and not confirmed, ascending.
 */
#ifndef TEAK_RAFT_PEERS_H
#define TEAK_RAFT_PEERS_H

#include "core/core.h"

/* What was sent counts no more. */
void peer_forget_flight(struct peer *peer);

/* Back to one APPEND at a time, from `next` on or from what is confirmed. */
void peer_probe(struct peer *peer, uint64_t next);

/* The log does not reach back to `next`. */
void peer_needs_snapshot(struct peer *peer);

/* An APPEND up to `last` leaves. */
void peer_sent(struct teak_raft *raft, uint32_t slot, uint64_t last, uint64_t bytes);

/* True if another APPEND may leave. */
bool peer_has_window(const struct teak_raft *raft, uint32_t slot);

/* Everything up to `match` is confirmed. */
void peer_confirmed(struct teak_raft *raft, uint32_t slot, uint64_t match);

#endif
