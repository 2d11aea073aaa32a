/* harm.h: every place that is damaged: the report lists the first of them, this one all.
 *
 * OWNS   The list. Its length is the report's damage_count: who takes that back has taken the places back.
 * FAILS  Without memory a place is counted, and not listed: `no_memory`.
 */
#ifndef TEAK_STORE_HARM_H
#define TEAK_STORE_HARM_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/engine.h"

struct harm {
    struct teak_damage *all;
    uint32_t room;
    bool no_memory;
};

void harm_fini(struct harm *harm);

/* One more place, into the report and, where there is one, into `harm`. */
void harm_note(struct harm *harm, struct teak_report *report, struct teak_damage damage);

#endif
