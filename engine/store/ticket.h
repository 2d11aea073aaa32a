/* ticket.h: who is owed a completion, in order of submission. LSNs never go down along the ring. */
#ifndef TEAK_STORE_TICKET_H
#define TEAK_STORE_TICKET_H

#include <stdbool.h>
#include <stdint.h>

struct ticket {
    uint64_t tag, lsn;
};

struct tickets {
    struct ticket *ring;
    uint32_t capacity; /* power of two                         */
    uint64_t begin, end; /* [begin, end) are owed              */
};

/* 131,072 outstanding batches: a window of 65,536 single entries with room to spare; 2 MiB, touched as used. */
enum { TICKETS = 1 << 17 };

bool tickets_init(struct tickets *tickets, uint32_t capacity);
void tickets_fini(struct tickets *tickets);

static inline bool tickets_are_full(const struct tickets *tickets)
{
    return tickets->end - tickets->begin == tickets->capacity;
}
static inline bool tickets_are_empty(const struct tickets *tickets) { return tickets->begin == tickets->end; }

static inline void ticket_put(struct tickets *tickets, uint64_t tag, uint64_t lsn)
{
    tickets->ring[tickets->end++ & (tickets->capacity - 1)] = (struct ticket){.tag = tag, .lsn = lsn};
}
/* The oldest ticket if its frame is at or below `lsn`. */
static inline bool ticket_take(struct tickets *tickets, uint64_t lsn, struct ticket *out)
{
    if (tickets_are_empty(tickets)) return false;
    *out = tickets->ring[tickets->begin & (tickets->capacity - 1)];
    if (out->lsn > lsn) return false;
    tickets->begin++;
    return true;
}

#endif
