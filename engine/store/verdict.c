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

/* ENGINE histories: 6, 9, 10, 15. Sound for any caller: nothing is concluded from an index and a term, which lost
 * frames may have truncated and written anew; only from the LSN of a log's last change. */
static const struct loss_row {
    int8_t blind, born, told, touched, covered, gap;
    int8_t loss;
} loss_rows[] = {
    {1, 0, 0, ANY, ANY, ANY, LOSS_TAIL_AND_HARD_STATE}, /* anything may have happened to it                   */
    {1, 0, 1, ANY, ANY, ANY, LOSS_TAIL},                /* but its hard state came later                      */
    {0, ANY, ANY, ANY, ANY, 1, LOSS_TAIL},              /* a checkpoint told the rest                         */
    {1, 1, ANY, ANY, ANY, 1, LOSS_TAIL},                /* all of it is known, one of its payloads is rotten  */
    {0, ANY, ANY, 1, 0, 0, LOSS_TAIL},                  /* every index is there, some may be of another entry */
    {0, ANY, ANY, 1, 1, 0, LOSS_NONE},
    {0, ANY, ANY, 0, ANY, 0, LOSS_NONE},                /* the lost frames did not touch it                   */
    {1, 1, ANY, ANY, ANY, 0, LOSS_NONE},                /* nor could they                                     */
};

enum loss loss_verdict(struct loss_facts facts)
{
    const struct loss_row *found = 0;
    for (uint32_t i = 0; i < sizeof loss_rows / sizeof loss_rows[0]; i++) {
        const struct loss_row *row = &loss_rows[i];
        if (!matches(row->blind, facts.blind) || !matches(row->born, facts.born) || !matches(row->told, facts.told) ||
            !matches(row->touched, facts.touched) || !matches(row->covered, facts.covered) ||
            !matches(row->gap, facts.gap))
            continue;
        CHECK(found == 0);
        found = row;
    }
    CHECK(found != 0);
    return (enum loss)found->loss;
}
