/* lead.h: the leader: proposals, replication, heartbeats. Section 5.3 of the paper.
 *
 * Its own disk works beside the network: an APPEND does not wait for it, and its own match is what is durable.
 */
#ifndef TEAK_RAFT_LEAD_H
#define TEAK_RAFT_LEAD_H

#include "core/core.h"

/* Elected: probe everybody, with an entry of this term, which commits what is older. */
void lead_begin(struct teak_raft *raft);

enum teak_raft_status lead_propose(struct teak_raft *raft, const struct teak_raft_blob *blobs, uint32_t count,
                                   uint64_t first_tag, uint32_t *taken_out);

/* An entry of the node's own making. false: no room. */
bool lead_append(struct teak_raft *raft, struct teak_raft_entry entry);

void lead_beat(struct teak_raft *raft);  /* the next round of heartbeats                           */
void lead_count(struct teak_raft *raft); /* no majority heard since the last count: it steps down  */

/* Replies of member `slot` in this term. false: no node of this version says that. */
bool lead_on_append_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg);
bool lead_on_snapshot_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg);
bool lead_on_heartbeat_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg);

/* Is the reply one of the process that member `slot` is now? Another process may have another log: what this one
 * knew of it begins anew. Which of two came later their numbers do not tell; that one answers a round that began
 * when the other had been heard does. So no late word of the former one brings it back, and none makes the living one
 * a stranger for ever. */
bool lead_knows(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg);

/* What was sent to it is lost. */
void lead_lost(struct teak_raft *raft, uint32_t slot);

/* The store has space for entries, or has none. */
void lead_room(struct teak_raft *raft, bool has_room);

/* True if an APPEND may go to `slot` and there is a reason for one, be its entries in memory or not. */
bool lead_may_send(const struct teak_raft *raft, uint32_t slot);

/* A member whose next entries have to be fetched first, or NO_SLOT. */
uint32_t lead_wants_fetch(const struct teak_raft *raft);

/* True if lead_send would. */
bool lead_has_message(const struct teak_raft *raft);

/* APPENDs, in turn, into the outbox until it is full or there is none. */
void lead_send(struct teak_raft *raft);

#endif
