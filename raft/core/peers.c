/* peers.c: see peers.h. */
#include "core/peers.h"

static struct parcel *parcel_at(const struct teak_raft *raft, uint32_t slot, uint32_t number)
{
    const uint32_t window = raft->options.window_messages;
    const struct peer *peer = peer_at(raft, slot);
    const uint32_t at = peer->flight_first + number; /* number <= window */
    return (struct parcel *)raft_at(raft, raft->parcels_at) + slot * window + (at < window ? at : at - window);
}

void peer_forget_flight(struct peer *peer) { peer->flight_first = peer->flight_count = peer->flight_bytes = 0; }

void peer_probe(struct peer *peer, uint64_t next)
{
    peer->progress = TEAK_RAFT_PROBE;
    peer->next = max_index(next, peer->match + 1);
    peer_forget_flight(peer);
}

void peer_needs_snapshot(struct peer *peer)
{
    peer_probe(peer, peer->next);
    peer->progress = TEAK_RAFT_NEEDS_SNAPSHOT;
}

bool peer_has_window(const struct teak_raft *raft, uint32_t slot)
{
    const struct peer *peer = peer_at(raft, slot);
    return peer->flight_count < raft->options.window_messages && peer->flight_bytes < raft->options.window_bytes;
}

void peer_sent(struct teak_raft *raft, uint32_t slot, uint64_t last, uint64_t bytes)
{
    struct peer *peer = peer_at(raft, slot);
    CHECK_LT(peer->flight_count, raft->options.window_messages);
    /* a sum of 32 bits: each addend but the last keeps it below window_bytes, and one is at most a message */
    const uint64_t most = UINT32_MAX - peer->flight_bytes;
    const uint64_t counted = min_index(bytes, most);
    *parcel_at(raft, slot, peer->flight_count++) = (struct parcel){.last = last, .bytes = counted};
    peer->flight_bytes += (uint32_t)counted;
}

void peer_confirmed(struct teak_raft *raft, uint32_t slot, uint64_t match)
{
    struct peer *peer = peer_at(raft, slot);
    if (peer->progress == TEAK_RAFT_NEEDS_SNAPSHOT && match + 1 < raft->first) { /* some, and not enough */
        peer->match = max_index(peer->match, match);
        peer->next = max_index(peer->next, peer->match + 1);
        return;
    }
    while (peer->flight_count > 0) {
        const struct parcel *parcel = parcel_at(raft, slot, 0);
        if (parcel->last > match) break;
        peer->flight_bytes -= (uint32_t)parcel->bytes;
        peer->flight_first = peer->flight_first + 1 == raft->options.window_messages ? 0 : peer->flight_first + 1;
        peer->flight_count--;
    }
    uint64_t sent = match; /* what is still on its way need not go again */
    if (peer->flight_count > 0) sent = parcel_at(raft, slot, peer->flight_count - 1)->last;
    peer->match = max_index(peer->match, match);
    peer->next = max_index(peer->next, max_index(sent, peer->match) + 1);
    peer->progress = TEAK_RAFT_REPLICATE;
}
