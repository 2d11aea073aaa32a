/* quorum.h: what a majority has. Pure arithmetic over sets of members; bit s is member s.
 *
 * A decision in a joint configuration needs a majority of each half. An empty half decides nothing and hinders nothing,
 * so that one formula serves both; no configuration has two empty halves.
 */
#ifndef TEAK_RAFT_QUORUM_H
#define TEAK_RAFT_QUORUM_H

#include <stdbool.h>
#include <stdint.h>

/* True if `have` holds a majority of each half that is not empty. */
bool quorum_has(uint32_t voters, uint32_t next, uint32_t have);

/* True if `denied` leaves no majority to be had. */
bool quorum_is_lost(uint32_t voters, uint32_t next, uint32_t denied);

/* The highest index that a majority of each half has reached; match[s] is that of member s. */
uint64_t quorum_index(uint32_t voters, uint32_t next, const uint64_t *match);

#endif
