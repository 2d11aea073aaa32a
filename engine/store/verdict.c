/* verdict.c: see verdict.h. */
#include "store/verdict.h"

#include <stdint.h>

#include "base/check.h"

enum { ANY = -1, NEVER = -1 };

/* ENGINE histories: 4 (attested, torn, not vouched), 7 (a head vouches though its frame is torn), 9. */
static const struct row {
    int8_t whole, later, vouched;
    int8_t verdict;
} rows[] = {
    {1, 0, 0, VERDICT_KEEP},
    {1, 1, ANY, VERDICT_KEEP},
    {0, 0, 0, VERDICT_CUT},     /* torn, nothing after it                               */
    {0, 1, 0, VERDICT_CUT},     /* flew beside a later frame, and did not land          */
    {0, 1, 1, VERDICT_DAMAGED}, /* somebody was told                                    */
    {ANY, 0, 1, NEVER},         /* only a later frame can vouch                         */
};

static bool matches(int8_t row, bool fact) { return row == ANY || row == (int8_t)fact; }

enum verdict tail_verdict(struct tail_facts facts)
{
    const struct row *found = 0;
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!matches(rows[i].whole, facts.whole) || !matches(rows[i].later, facts.later) ||
            !matches(rows[i].vouched, facts.vouched))
            continue;
        CHECK(found == 0);
        found = &rows[i];
    }
    CHECK(found != 0);
    CHECK(found->verdict != NEVER);
    return (enum verdict)found->verdict;
}
