/* ticket.c: see ticket.h. */
#include "store/ticket.h"


#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"

bool tickets_init(struct tickets *tickets, uint32_t capacity)
{
    CHECK(is_power_of_two(capacity));
    *tickets = (struct tickets){.capacity = capacity, .ring = heap_take(capacity * sizeof(struct ticket))};
    return tickets->ring != NULL;
}

void tickets_fini(struct tickets *tickets)
{
    heap_give(tickets->ring);
    *tickets = (struct tickets){0};
}
