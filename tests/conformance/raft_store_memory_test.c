/* raft_store_memory_test.c: the suite passes on the memory store, and sees each fault of one that is not right.
 * `program CASE` runs one case; `program FAULT` shows which cases see that one.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/raft_store.h"

/* How many cases see it. */
static uint32_t seen_by(const struct raft_store_subject *subject, bool aloud)
{
    uint32_t seen = 0;
    for (uint32_t which = 0; which < raft_store_case_count(); which++) {
        char why[RAFT_STORE_WHY_BYTES];
        if (raft_store_try(subject, which, which, why) != RAFT_STORE_MISSED) continue;
        if (aloud) printf("    %s: %s\n", raft_store_case_name(which), why);
        seen++;
    }
    return seen;
}

int main(int argc, char **argv)
{
    for (uint32_t which = 1; argc > 1 && which < raft_store_wrong_count(); which++) {
        const struct raft_store_subject subject = raft_store_wrong_subject(which);
        if (strcmp(argv[1], subject.name) == 0) return seen_by(&subject, true) > 0 ? 0 : 1;
    }
    const struct raft_store_subject right = raft_store_memory_subject();
    uint32_t bad = raft_store_run(&right, argc > 1 ? argv[1] : NULL);
    for (uint32_t which = 0; which < raft_store_wrong_count(); which++) {
        const struct raft_store_subject subject = raft_store_wrong_subject(which);
        const uint32_t seen = seen_by(&subject, which == 0);
        const bool is_right = which == 0 ? seen == 0 : seen > 0;
        printf("%-8s a store that does this wrong: %s, by %u of %u cases\n", is_right ? "seen" : "NOT SEEN",
               subject.name, seen, raft_store_case_count());
        bad += !is_right;
    }
    return bad == 0 ? 0 : 1;
}
