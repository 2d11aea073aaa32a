/* log_store_reference_test.c: the suite passes on a store that is right, and sees each fault of one that is not.
 * `program fault` shows which cases see that one.
 */
#include <stdio.h>
#include <string.h>

#include "conformance/log_store_reference.h"

static const char *const fault_names[REFERENCE_FAULT_COUNT] = {
#define REFERENCE_FAULT_NAME(name) #name,
    REFERENCE_FAULTS(REFERENCE_FAULT_NAME)
#undef REFERENCE_FAULT_NAME
};

static struct log_store_subject subject_with(enum reference_fault fault)
{
    return (struct log_store_subject){.name = fault_names[fault], .ops = &reference_ops,
                                      .context = reference_place_make(fault), .entry_bytes_max = 1 << 20};
}

/* How many cases see it. */
static uint32_t seen_by(enum reference_fault fault, bool aloud)
{
    const struct log_store_subject subject = subject_with(fault);
    uint32_t seen = 0;
    for (uint32_t which = 0; which < log_store_case_count(); which++) {
        char why[LOG_STORE_WHY_BYTES];
        if (log_store_try(&subject, which, which, why) != LOG_STORE_MISSED) continue;
        if (aloud) printf("    %s: %s\n", log_store_case_name(which), why);
        seen++;
    }
    reference_place_free(subject.context);
    return seen;
}

/* In memory for good: nothing to open again, no kinds to be found. */
static uint32_t run_poorer(void)
{
    struct log_store_ops ops = reference_ops;
    ops.last_of_kind = NULL;
    struct log_store_subject subject = subject_with(REFERENCE_nothing);
    subject.name = "reference that forgets";
    subject.ops = &ops;
    subject.forgets = true;
    const uint32_t missed = log_store_run(&subject, NULL);
    reference_place_free(subject.context);
    return missed;
}

int main(int argc, char **argv)
{
    for (int fault = 1; argc > 1 && fault < REFERENCE_FAULT_COUNT; fault++)
        if (strcmp(argv[1], fault_names[fault]) == 0) return seen_by((enum reference_fault)fault, true) > 0 ? 0 : 1;
    struct log_store_subject subject = subject_with(REFERENCE_nothing);
    subject.name = "reference";
    uint32_t bad = log_store_run(&subject, NULL) + run_poorer();
    reference_place_free(subject.context);
    for (int fault = 1; fault < REFERENCE_FAULT_COUNT; fault++) {
        const uint32_t seen = seen_by((enum reference_fault)fault, false);
        printf("%-8s a store that %s, by %u of %u cases\n", seen > 0 ? "seen" : "NOT SEEN", fault_names[fault], seen,
               log_store_case_count());
        bad += seen == 0;
    }
    return bad == 0 ? 0 : 1;
}
