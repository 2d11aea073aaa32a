/* harm.c: see harm.h. */
#include "store/harm.h"

#include "os/heap.h"

void harm_fini(struct harm *harm)
{
    heap_give(harm->all);
    *harm = (struct harm){0};
}

static bool make_room(struct harm *harm, uint32_t count)
{
    enum { FIRST = 64 };
    if (count < harm->room) return true;
    const uint32_t room = harm->room ? harm->room * 2 : FIRST;
    struct teak_damage *grown = heap_grow(harm->all, room * sizeof *grown);
    if (!grown) return false;
    harm->all = grown;
    harm->room = room;
    return true;
}

void harm_note(struct harm *harm, struct teak_report *report, struct teak_damage damage)
{
    const uint32_t position = report->damage_count++;
    if (position < TEAK_DAMAGE_MAX) report->damage[position] = damage;
    if (!harm || harm->no_memory) return;
    if (make_room(harm, position))
        harm->all[position] = damage;
    else
        harm->no_memory = true;
}
