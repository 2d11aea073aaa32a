/* streams.h: the leader sends snapshots, in chunks, to members that its log does not reach back to.
 *
 *      an offer ──► the member says where it is ──► READ ──► SNAPSHOT ──► written there ──► READ ...
 *                              ▲                                │
 *                              └── a gap, or nothing heard: go back to what is written, in a new round
 *
 * OWNS   The streams, at most snapshot_streams, one for a member.
 * HOLDS  acked <= sent <= bytes; sent - acked is at most the window and a chunk. A stream is one as long as its member
 *        needs it: streams_sift ends it when it does not, and the caller is told (CLOSE).
 * FAILS  A body that cannot be read ends the stream; the next sign of life of the member begins another.
 */
#ifndef TEAK_RAFT_STREAMS_H
#define TEAK_RAFT_STREAMS_H

#include "core/core.h"

/* Begins and ends streams, as members need them. */
void streams_sift(struct teak_raft *raft);

/* Bodies to be read, streams that ended; at most two for each stream. */
bool streams_want(const struct teak_raft *raft);
uint32_t streams_ask(struct teak_raft *raft, struct teak_raft_snap_io *out);

/* What was read. false: no such ticket. */
bool streams_done(struct teak_raft *raft, uint64_t ticket, enum teak_raft_outcome outcome,
                  const struct teak_raft_blob *data, enum teak_raft_status *status_out);

/* Offers and chunks, into the outbox. */
bool streams_have_message(const struct teak_raft *raft);
void streams_send(struct teak_raft *raft);
void streams_take_back(struct teak_raft *raft);

/* The member replied to a stream; false: no node of this version says that. It gave another sign of life. What was sent
 * to it is lost. */
bool streams_on_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg);
void streams_heard(struct teak_raft *raft, uint32_t slot);
void streams_lost(struct teak_raft *raft, uint32_t slot);

/* The next heartbeat interval begins, by the clock: rounds that reads ask for are none. */
void streams_refill(struct teak_raft *raft);

/* Who was not heard of between two counts gives up its place. */
void streams_count(struct teak_raft *raft);

/* Lets go of all frames. */
void streams_clear(struct teak_raft *raft);

#endif
