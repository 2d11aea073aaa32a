/* raft_store.c: see raft_store.h. Cases in the order of the contract; a name states a fact.
 * OWNS   The trial that runs.
 * PATH   raft_store_try opens a store and calls a case; the first expectation that does not hold leaves the case by
 *        longjmp, with a line that says what was not so.
 * HOLDS  A payload is made of its group, index and term: an entry that came from elsewhere is seen by its bytes.
 */
#include "conformance/raft_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

enum { BYTES_MAX = 4096, JOB_MAX = 64, TURNS_MAX = 100000, TOLD_MAX = 64 };

static struct {
    const struct raft_store_subject *subject;
    struct teak_raft_log_store store;
    struct seeded seeded;
    jmp_buf leave;
    char *why;
    uint64_t token; /* of the last job that was made */
    uint64_t first; /* where the log of group 7 begins; those of others begin at 1 */
    struct teak_raft_frame *held;
} trial;

/* ----------------------------------------------------------------------------------------------------- expectations */

__attribute__((noreturn, format(printf, 2, 3))) static void missed(int line, const char *text, ...)
{
    va_list more;
    const int at = snprintf(trial.why, RAFT_STORE_WHY_BYTES, "line %d: ", line);
    va_start(more, text);
    vsnprintf(trial.why + at, RAFT_STORE_WHY_BYTES - (size_t)at, text, more);
    va_end(more);
    longjmp(trial.leave, 1);
}

static void expect_number(int line, const char *what, uint64_t is, uint64_t want)
{
    if (is != want) missed(line, "%s is %" PRIu64 ", not %" PRIu64, what, is, want);
}

static void expect_status(int line, const char *what, enum teak_raft_status is, enum teak_raft_status want)
{
    if (is != want) missed(line, "%s answers %s, not %s", what, teak_raft_status_name(is), teak_raft_status_name(want));
}

#define WANT(is, want) expect_number(__LINE__, #is, (uint64_t)(is), (uint64_t)(want))
#define WANT_TRUE(is)                                                                                                  \
    do {                                                                                                               \
        if (!(is)) missed(__LINE__, "not so: %s", #is);                                                                \
    } while (0)
#define ANSWERS(call, want) expect_status(__LINE__, #call, call, TEAK_RAFT_##want)
#define DO(name, ...) trial.store.ops->name(trial.store.self, __VA_ARGS__)

/* ------------------------------------------------------------------------------------------------------------- jobs */

/* The bytes that an entry must have. */
static uint32_t payload_of(uint64_t group, uint64_t index, uint64_t term, uint8_t out[BYTES_MAX])
{
    struct seeded bytes = {.state = group * 31 + index * 7919 + term * 104729};
    const uint32_t count = seeded_below(&bytes, 40);
    seeded_fill(&bytes, out, count);
    return count;
}

struct made {
    struct teak_raft_job job;
    struct teak_raft_entry entries[JOB_MAX];
    uint8_t bytes[JOB_MAX][64];
};

/* A job that puts `count` entries of `term` behind `last`, and says so. */
static struct made *make(uint64_t group, uint64_t last, uint64_t term, uint32_t count)
{
    static struct made made;
    memset(&made, 0, sizeof made);
    made.job.token = ++trial.token;
    made.job.hard = (struct teak_raft_hard){.term = term};
    made.job.entries = count > 0 ? made.entries : NULL;
    made.job.count = count;
    made.job.after_first = group == 7 ? trial.first : 1;
    made.job.after_last = (struct teak_raft_pos){last + count, term};
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bytes[BYTES_MAX];
        struct teak_raft_entry *entry = &made.entries[i];
        *entry = (struct teak_raft_entry){.index = last + 1 + i, .term = term, .kind = TEAK_RAFT_KIND_APPLICATION,
                                          .tag = 77, .data = made.bytes[i]};
        entry->bytes = payload_of(group, entry->index, term, bytes);
        memcpy(made.bytes[i], bytes, entry->bytes);
    }
    return &made;
}

static void append(uint64_t group, uint64_t last, uint64_t term, uint32_t count)
{
    ANSWERS(DO(submit, group, &make(group, last, term, count)->job), OK);
}

/* A CONFIG entry of one member. */
static void append_config(uint64_t group, uint64_t last, uint64_t term)
{
    struct made *made = make(group, last, term, 1);
    made->entries[0].kind = TEAK_RAFT_CONFIG;
    ANSWERS(DO(submit, group, &made->job), OK);
}

/* BUSY: drive it, and ask again. What is told meanwhile stays. */
static bool is_patient(enum teak_raft_status status, int *turns)
{
    if (status != TEAK_RAFT_BUSY || ++*turns == TURNS_MAX) return false;
    DO(collect, 1000000, NULL, 0);
    return true;
}

static enum teak_raft_status create_log(uint64_t group, uint64_t born)
{
    enum teak_raft_status status;
    for (int turns = 0; is_patient(status = DO(create, group, born), &turns);) continue;
    return status;
}

static enum teak_raft_status drop_log(uint64_t group)
{
    enum teak_raft_status status;
    for (int turns = 0; is_patient(status = DO(drop, group), &turns);) continue;
    return status;
}

static void create(uint64_t group) { ANSWERS(create_log(group, group + 1000), OK); }

/* Once nothing of it is in flight. What is told meanwhile is dropped. */
static struct teak_raft_start start(uint64_t group)
{
    struct teak_raft_start out = {.applied = 5, .incarnation = 6};
    struct teak_raft_completion done[TOLD_MAX];
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        const enum teak_raft_status status = DO(start, group, &out);
        if (status == TEAK_RAFT_BUSY) {
            DO(collect, 1000000, done, TOLD_MAX);
            continue;
        }
        expect_status(__LINE__, "start", status, TEAK_RAFT_OK);
        WANT(out.applied, 5);
        WANT(out.incarnation, 6);
        return out;
    }
    missed(__LINE__, "start is busy for ever");
}

static void begin_group(uint64_t group)
{
    create(group);
    (void)start(group);
}

/* The next completion of a job or of space, of `group` (0: of any). What else comes is passed over. */
static struct teak_raft_completion next(uint64_t group)
{
    struct teak_raft_completion done;
    for (int turn = 0; turn < TURNS_MAX; turn++)
        if (DO(collect, 1000000, &done, 1) == 1 && (group == 0 || done.group == group)) return done;
    missed(__LINE__, "nothing is told");
}

/* Until `token` is durable. What is told ascends, and nothing is told that was not submitted. */
static void wait_for(uint64_t group, uint64_t token)
{
    for (uint64_t told = 0; told < token;) {
        const struct teak_raft_completion done = next(group);
        WANT(done.kind, TEAK_RAFT_JOB_DONE);
        WANT(done.outcome, TEAK_RAFT_DURABLE);
        WANT_TRUE(done.number > told && done.number <= token);
        told = done.number;
    }
}

static void nothing_more_is_told(void)
{
    struct teak_raft_completion done;
    for (int turn = 0; turn < 20; turn++) WANT(DO(collect, 1000, &done, 1), 0);
}

static void crash(void)
{
    trial.subject->crash(trial.subject->context, &trial.store, &trial.seeded);
}

static struct teak_raft_log_state state_of(uint64_t group)
{
    struct teak_raft_log_state state;
    for (int turn = 0; !trial.store.ops->takes(trial.store.self) && turn < TURNS_MAX; turn++)
        DO(collect, 1000000, NULL, 0); /* nothing is kept aside */
    ANSWERS(DO(state, group, &state), OK);
    return state;
}

static struct teak_raft_completion fetch(uint64_t group, uint64_t first, uint64_t last, uint32_t bytes_max)
{
    static uint64_t ticket;
    const struct teak_raft_fetch wanted = {.ticket = ++ticket, .first = first, .last = last, .bytes_max = bytes_max};
    ANSWERS(DO(fetch, group, &wanted), OK);
    for (;;) {
        const struct teak_raft_completion done = next(group);
        if (done.kind != TEAK_RAFT_FETCH_DONE) continue;
        WANT(done.number, ticket);
        return done;
    }
}

/* Entries first to last are there, of `term`, with the bytes they must have. */
static void expect_entries(uint64_t group, uint64_t first, uint64_t last, uint64_t term)
{
    while (first <= last) {
        const struct teak_raft_completion done = fetch(group, first, last, 1000);
        uint8_t bytes[BYTES_MAX];
        WANT(done.outcome, TEAK_RAFT_FETCHED);
        WANT_TRUE(done.count > 0 && done.count <= last - first + 1);
        for (uint32_t i = 0; i < done.count; i++, first++) {
            const struct teak_raft_entry *entry = &done.entries[i];
            WANT(entry->index, first);
            WANT(entry->term, term);
            WANT(entry->tag, 0);
            WANT(entry->bytes, payload_of(group, first, term, bytes));
            WANT(memcmp(entry->data, bytes, entry->bytes), 0);
        }
    }
}

/* ----------------------------------------------------------------------------------------------- creating, starting */

static void a_new_log_is_empty(void)
{
    create(7);
    const struct teak_raft_start is = start(7);
    WANT(is.last.index, 0);
    WANT(is.last.term, 0);
    WANT(is.hard.term, 0);
    WANT(is.hard.vote, 0);
    WANT(is.hard.commit, 0);
    WANT(is.config_count, 0);
    WANT(is.run_count, 0);
    WANT(is.born, 1007);
    WANT(is.verdict, TEAK_RAFT_WHOLE);
}

static void a_group_is_created_once(void)
{
    ANSWERS(create_log(7, 0), MISUSE);
    create(7);
    ANSWERS(create_log(7, 5), MISUSE);
    WANT(start(7).born, 1007);
}

static void an_unknown_group_is_misuse(void)
{
    struct teak_raft_start out;
    struct teak_raft_log_state state;
    const struct teak_raft_fetch wanted = {.ticket = 1, .first = 1, .last = 1, .bytes_max = 1};
    ANSWERS(DO(start, 7, &out), MISUSE);
    ANSWERS(DO(state, 7, &state), MISUSE);
    ANSWERS(DO(submit, 7, &make(7, 0, 1, 1)->job), MISUSE);
    ANSWERS(DO(fetch, 7, &wanted), MISUSE);
    ANSWERS(drop_log(7), MISUSE);
    create(8);
    ANSWERS(DO(submit, 8, &make(8, 0, 1, 1)->job), MISUSE); /* not started */
}

static void groups_are_listed_in_order(void)
{
    static const uint64_t ids[] = {40, 7, 9000, 0, 12};
    uint64_t found[8];
    for (uint32_t i = 0; i < 5; i++) create(ids[i]);
    WANT(DO(groups, true, 0, found, 8), 5);
    WANT_TRUE(found[0] == 0 && found[1] == 7 && found[2] == 12 && found[3] == 40 && found[4] == 9000);
    WANT(DO(groups, false, 12, found, 1), 1);
    WANT(found[0], 40);
}

static void starting_waits_for_what_is_in_flight(void)
{
    struct teak_raft_start out = {.applied = 0};
    if (!trial.subject->hold) longjmp(trial.leave, 2);
    begin_group(7);
    trial.subject->hold(trial.subject->context, &trial.store, true);
    append(7, 0, 1, 1);
    ANSWERS(DO(start, 7, &out), BUSY);
    trial.subject->hold(trial.subject->context, &trial.store, false);
    WANT(start(7).last.index, 1);
}

static void starting_knows_terms_and_configurations(void)
{
    begin_group(7);
    append_config(7, 0, 1);
    append(7, 1, 1, 3);
    append_config(7, 4, 2);
    append(7, 5, 2, 2);
    append_config(7, 7, 5);
    append(7, 8, 5, 1);
    wait_for(7, trial.token);
    crash();
    const struct teak_raft_start is = start(7);
    WANT(is.last.index, 9);
    WANT(is.last.term, 5);
    WANT(is.hard.term, 5);
    WANT(is.run_count, 3);
    WANT_TRUE(is.runs[0].index == 1 && is.runs[0].term == 1 && is.runs[1].index == 5 && is.runs[1].term == 2);
    WANT_TRUE(is.runs[2].index == 8 && is.runs[2].term == 5);
    WANT(is.config_count, 2);
    WANT(is.configs[0].index, 5);
    WANT(is.configs[1].index, 8);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t bytes[BYTES_MAX];
        const struct teak_raft_entry *config = &is.configs[i];
        WANT(config->kind, TEAK_RAFT_CONFIG);
        WANT(config->bytes, payload_of(7, config->index, config->term, bytes));
        WANT(memcmp(config->data, bytes, config->bytes), 0);
    }
}

static void a_cut_takes_terms_and_configurations_along(void)
{
    begin_group(7);
    append_config(7, 0, 1);
    append(7, 1, 2, 2);
    append_config(7, 3, 3);
    struct made *made = make(7, 1, 4, 1);
    made->job.cut_from = 2;
    ANSWERS(DO(submit, 7, &made->job), OK);
    wait_for(7, trial.token);
    const struct teak_raft_start is = start(7);
    WANT(is.last.index, 2);
    WANT(is.run_count, 2);
    WANT_TRUE(is.runs[0].term == 1 && is.runs[1].index == 2 && is.runs[1].term == 4);
    WANT(is.config_count, 1);
    WANT(is.configs[0].index, 1);
}

/* ------------------------------------------------------------------------------------------------------------- jobs */

static void what_is_told_is_there_after_a_crash(void)
{
    begin_group(7);
    append(7, 0, 1, 5);
    struct made *made = make(7, 5, 3, 2);
    made->job.hard = (struct teak_raft_hard){.term = 4, .vote = 2, .commit = 6};
    ANSWERS(DO(submit, 7, &made->job), OK);
    wait_for(7, trial.token);
    crash();
    const struct teak_raft_start is = start(7);
    WANT(is.last.index, 7);
    WANT(is.hard.term, 4);
    WANT(is.hard.vote, 2);
    WANT(is.hard.commit, 6);
    WANT(is.born, 1007);
    expect_entries(7, 1, 5, 1);
    expect_entries(7, 6, 7, 3);
}

/* Ten jobs of three entries each, that say how many they are: what is left is so many whole ones. */
static void a_crash_leaves_whole_jobs_and_a_prefix(void)
{
    begin_group(7);
    uint64_t told = 0;
    for (uint64_t job = 1; job <= 10; job++) {
        struct made *made = make(7, 3 * job - 3, 1, 3);
        made->job.hard = (struct teak_raft_hard){.term = 1, .vote = 9, .commit = job};
        ANSWERS(DO(submit, 7, &made->job), OK);
        struct teak_raft_completion done;
        if (seeded_below(&trial.seeded, 3) == 0 && DO(collect, 0, &done, 1) == 1) {
            WANT(done.outcome, TEAK_RAFT_DURABLE);
            WANT_TRUE(done.number > told && done.number <= trial.token);
            told = done.number - (trial.token - job);
        }
    }
    crash();
    const struct teak_raft_start is = start(7);
    WANT(is.last.index, 3 * is.hard.commit);
    WANT_TRUE(is.hard.commit >= told && is.hard.commit <= 10);
    expect_entries(7, 1, is.last.index, 1);
}

/* Nothing is told before it is durable: what was told when all is held must be there. */
static void nothing_is_told_early(void)
{
    struct teak_raft_completion done;
    if (!trial.subject->hold) longjmp(trial.leave, 2);
    begin_group(7);
    append(7, 0, 1, 2);
    wait_for(7, trial.token);
    trial.subject->hold(trial.subject->context, &trial.store, true);
    append(7, 2, 1, 2);
    for (int turn = 0; turn < 50; turn++) WANT(DO(collect, 0, &done, 1), 0);
    trial.subject->hold(trial.subject->context, &trial.store, false);
    wait_for(7, trial.token);
}

static void each_token_is_told_once(void)
{
    begin_group(7);
    for (uint64_t i = 0; i < 50; i++) append(7, i, 1, 1);
    wait_for(7, trial.token);
    nothing_more_is_told();
}

static void a_job_cuts_then_appends(void)
{
    begin_group(7);
    append(7, 0, 1, 8);
    struct made *made = make(7, 3, 2, 2);
    made->job.cut_from = 4;
    ANSWERS(DO(submit, 7, &made->job), OK);
    expect_entries(7, 1, 3, 1);
    expect_entries(7, 4, 5, 2);
    append(7, 5, 2, 1);
    made = make(7, 0, 2, 0); /* a cut alone, of everything */
    made->job.cut_from = 1;
    made->job.after_last = (struct teak_raft_pos){0, 0};
    ANSWERS(DO(submit, 7, &made->job), OK);
    append(7, 0, 3, 2);
    wait_for(7, trial.token);
    crash();
    WANT(start(7).last.index, 2);
    expect_entries(7, 1, 2, 3);
    WANT(fetch(7, 3, 3, 100).outcome, TEAK_RAFT_CORRUPT);
}

static void a_hard_state_alone_is_a_job(void)
{
    begin_group(7);
    append(7, 0, 1, 1);
    struct made *made = make(7, 1, 1, 0);
    made->job.hard = (struct teak_raft_hard){.term = 9, .vote = 3, .commit = 1};
    made->job.urgent = true;
    ANSWERS(DO(submit, 7, &made->job), OK);
    wait_for(7, trial.token);
    crash();
    const struct teak_raft_start is = start(7);
    WANT_TRUE(is.hard.term == 9 && is.hard.vote == 3 && is.hard.commit == 1 && is.last.index == 1);
}

static void a_token_of_zero_is_a_token(void)
{
    begin_group(7);
    struct made *made = make(7, 0, 1, 1);
    made->job.token = 0;
    ANSWERS(DO(submit, 7, &made->job), OK);
    const struct teak_raft_completion done = next(7);
    WANT(done.kind, TEAK_RAFT_JOB_DONE);
    WANT(done.outcome, TEAK_RAFT_DURABLE);
    WANT(done.number, 0);
}

static void payloads_are_copied(void)
{
    begin_group(7);
    struct made *made = make(7, 0, 1, 3);
    ANSWERS(DO(submit, 7, &made->job), OK);
    memset(made->bytes, 0xee, sizeof made->bytes);
    expect_entries(7, 1, 3, 1);
    wait_for(7, trial.token);
    crash();
    (void)start(7);
    expect_entries(7, 1, 3, 1);
}

static void many_groups_share_a_store(void)
{
    enum { GROUPS = 40 };
    uint64_t tokens[GROUPS] = {0}, told[GROUPS] = {0};
    for (uint64_t group = 0; group < GROUPS; group++) create(group);
    for (uint64_t group = 0; group < GROUPS; group++) (void)start(group);
    for (uint64_t round = 0; round < 5; round++)
        for (uint64_t group = 0; group < GROUPS; group++) {
            append(group, 2 * round, round + 1, 2);
            tokens[group] = trial.token;
        }
    for (uint32_t missing = GROUPS; missing > 0;) {
        const struct teak_raft_completion done = next(0);
        WANT(done.outcome, TEAK_RAFT_DURABLE);
        WANT_TRUE(done.group < GROUPS && done.number > told[done.group] && done.number <= tokens[done.group]);
        told[done.group] = done.number;
        missing -= done.number == tokens[done.group];
    }
    crash();
    for (uint64_t group = 0; group < GROUPS; group++) {
        WANT(start(group).last.index, 10);
        expect_entries(group, 9, 10, 5);
    }
}

/* More at once than any store has memory for frames: what takes() refuses is taken nevertheless, in its order. */
static void more_is_submitted_than_is_taken(void)
{
    static uint8_t bytes[12000];
    begin_group(7);
    const uint64_t before = trial.token;
    for (uint64_t index = 1; index <= 200; index++) {
        struct made *made = make(7, index - 1, 1, 1);
        memset(bytes, (int)index, sizeof bytes);
        made->entries[0].data = bytes;
        made->entries[0].bytes = sizeof bytes;
        ANSWERS(DO(submit, 7, &made->job), OK);
    }
    for (uint64_t told = before; told < trial.token;) {
        const struct teak_raft_completion done = next(7);
        WANT(done.outcome, TEAK_RAFT_DURABLE);
        WANT_TRUE(done.number > told);
        told = done.number;
    }
    WANT_TRUE(trial.store.ops->takes(trial.store.self));
    crash();
    WANT(start(7).last.index, 200);
    for (uint64_t index = 1; index <= 200; index += 37) {
        const struct teak_raft_completion done = fetch(7, index, index, 1);
        WANT(done.outcome, TEAK_RAFT_FETCHED);
        WANT(done.entries[0].bytes, sizeof bytes);
        WANT_TRUE(done.entries[0].data[0] == (uint8_t)index && done.entries[0].data[11999] == (uint8_t)index);
    }
}

/* --------------------------------------------------------------------------------------------------- contradictions */

enum wrong_job { WRONG_GAP, WRONG_OVERLAP, WRONG_END, WRONG_END_TERM, WRONG_CUT, WRONG_TERM, WRONG_HARD, WRONG_VOTE,
                 WRONG_COMMIT, WRONG_COUNT };

static struct made *wrong_job(enum wrong_job which)
{
    struct made *made = make(7, which == WRONG_GAP ? 6 : which == WRONG_OVERLAP ? 4 : 5, 3, 1);
    made->job.hard = (struct teak_raft_hard){.term = 3, .vote = 2, .commit = 4};
    if (which == WRONG_END) made->job.after_last.index = 7;
    if (which == WRONG_END_TERM) made->job.after_last.term = 2;
    if (which == WRONG_CUT) made->job.cut_from = 7;
    if (which == WRONG_TERM) made->entries[0].term = made->job.after_last.term = 2;
    if (which == WRONG_HARD) made->job.hard.term = 2;
    if (which == WRONG_VOTE) made->job.hard.vote = 1;
    if (which == WRONG_COMMIT) made->job.hard.commit = 3;
    return made;
}

static void a_job_that_contradicts_the_log_poisons_its_group(void)
{
    begin_group(7);
    begin_group(8);
    struct made *made = make(7, 0, 3, 5);
    made->job.hard = (struct teak_raft_hard){.term = 3, .vote = 2, .commit = 4};
    ANSWERS(DO(submit, 7, &made->job), OK);
    wait_for(7, trial.token);
    for (enum wrong_job which = WRONG_GAP; which < WRONG_COUNT; which++) {
        ANSWERS(DO(submit, 7, &wrong_job(which)->job), OK);
        struct teak_raft_completion done = next(7);
        if (done.outcome != TEAK_RAFT_POISONED || done.number != trial.token)
            missed(__LINE__, "contradiction %d is told as outcome %d of %" PRIu64, (int)which, (int)done.outcome,
                   done.number);
        made = make(7, 5, 3, 1); /* a right one, too late */
        made->job.hard = (struct teak_raft_hard){.term = 3, .vote = 2, .commit = 4};
        ANSWERS(DO(submit, 7, &made->job), OK);
        done = next(7);
        WANT(done.outcome, TEAK_RAFT_POISONED);
        WANT(done.number, trial.token);
        const struct teak_raft_start is = start(7);
        WANT_TRUE(is.last.index == 5 && is.last.term == 3 && is.hard.term == 3 && is.hard.vote == 2);
        WANT(is.hard.commit, 4);
    }
    append(8, 0, 1, 1);
    wait_for(8, trial.token);
    made = make(7, 5, 3, 1);
    made->job.hard = (struct teak_raft_hard){.term = 3, .vote = 2, .commit = 5};
    ANSWERS(DO(submit, 7, &made->job), OK);
    wait_for(7, trial.token);
}

static void entries_that_do_not_ascend_are_misuse(void)
{
    begin_group(7);
    struct made *made = make(7, 0, 1, 3);
    made->entries[1].index = 5;
    ANSWERS(DO(submit, 7, &made->job), MISUSE);
    ANSWERS(DO(submit, 7, NULL), MISUSE);
    append(7, 0, 1, 3);
    wait_for(7, trial.token);
}

/* ----------------------------------------------------------------------------------------------- no space, poisoned */

static void full(bool on)
{
    if (!trial.subject->full) longjmp(trial.leave, 2);
    trial.subject->full(trial.subject->context, &trial.store, on);
}

/* Appends until one is refused. Returns the last index that was not. */
static uint64_t fill_up(uint64_t group)
{
    static uint8_t bytes[4000];
    append(group, 0, 1, 1);
    wait_for(group, trial.token);
    full(true);
    for (uint64_t index = 2; index < 5000; index++) {
        struct made *made = make(group, index - 1, 1, 1);
        made->entries[0].data = bytes;
        made->entries[0].bytes = sizeof bytes;
        const uint64_t token = trial.token;
        ANSWERS(DO(submit, group, &made->job), OK);
        const struct teak_raft_completion done = next(group);
        WANT(done.kind, TEAK_RAFT_JOB_DONE);
        WANT(done.number, token);
        if (done.outcome == TEAK_RAFT_NO_ROOM) return index - 1;
        WANT(done.outcome, TEAK_RAFT_DURABLE);
    }
    missed(__LINE__, "it is never full");
}

static void a_store_without_space_refuses_and_tells_when_there_is(void)
{
    begin_group(7);
    const uint64_t last = fill_up(7);
    WANT(state_of(7).last.index, last);
    full(false);
    const struct teak_raft_completion done = next(7);
    WANT(done.kind, TEAK_RAFT_ROOM);
    append(7, last, 1, 1);
    wait_for(7, trial.token);
    nothing_more_is_told();
}

static void a_hard_state_is_taken_without_space(void)
{
    begin_group(7);
    const uint64_t last = fill_up(7);
    struct made *made = make(7, last, 1, 0);
    made->job.hard = (struct teak_raft_hard){.term = 5, .vote = 3};
    ANSWERS(DO(submit, 7, &made->job), OK);
    wait_for(7, trial.token);
    crash();
    const struct teak_raft_start is = start(7);
    WANT_TRUE(is.hard.term == 5 && is.hard.vote == 3 && is.last.index == last);
}

/* The refusal is on its way when the next jobs come: they go with it, and are not told. */
static void jobs_behind_a_refusal_are_passed_over(void)
{
    static uint8_t bytes[4000];
    begin_group(7);
    const uint64_t last = fill_up(7);
    const uint64_t refused = trial.token + 1;
    for (uint64_t i = 0; i < 3; i++) {
        struct made *made = make(7, last + i, 1, 1);
        made->entries[0].data = bytes;
        made->entries[0].bytes = sizeof bytes;
        ANSWERS(DO(submit, 7, &made->job), OK);
    }
    struct made *made = make(7, last, 1, 0); /* a hard state alone could be done: but not out of its order */
    made->job.hard.term = 8;
    made->job.after_last = (struct teak_raft_pos){last + 3, 1};
    ANSWERS(DO(submit, 7, &made->job), OK);
    const struct teak_raft_completion done = next(7);
    WANT(done.outcome, TEAK_RAFT_NO_ROOM);
    WANT(done.number, refused);
    nothing_more_is_told();
    WANT(state_of(7).hard.term, 1);
    append(7, last, 1, 0);
    wait_for(7, trial.token);
}

static void poison_is_told_for_the_oldest_and_for_all_that_come(void)
{
    if (!trial.subject->poison) longjmp(trial.leave, 2);
    begin_group(7);
    append(7, 0, 1, 1);
    wait_for(7, trial.token);
    const uint64_t durable = trial.token;
    for (uint64_t i = 1; i < 4; i++) append(7, i, 1, 1);
    trial.subject->poison(trial.subject->context, &trial.store);
    append(7, 4, 1, 1);
    struct teak_raft_completion done = next(7);
    while (done.outcome == TEAK_RAFT_DURABLE) { /* what was faster than the poison */
        WANT_TRUE(done.number > durable);
        done = next(7);
    }
    WANT(done.outcome, TEAK_RAFT_POISONED);
    WANT_TRUE(done.number > durable && done.number <= trial.token);
    append(7, 5, 1, 1);
    done = next(7);
    WANT(done.outcome, TEAK_RAFT_POISONED);
    WANT(done.number, trial.token);
    struct teak_raft_start out = {.applied = 0};
    ANSWERS(DO(start, 7, &out), HALTED);
    ANSWERS(create_log(9, 1), HALTED);
    crash();
    WANT_TRUE(start(7).last.index >= 1);
    expect_entries(7, 1, 1, 1);
}

/* ---------------------------------------------------------------------------------------------------------- reading */

static void a_fetch_knows_the_term_before(void)
{
    begin_group(7);
    append(7, 0, 2, 3);
    append(7, 3, 5, 3);
    WANT(fetch(7, 1, 1, 100).term_before, 0);
    WANT(fetch(7, 2, 6, 100).term_before, 2);
    WANT(fetch(7, 4, 6, 100).term_before, 2);
    WANT(fetch(7, 5, 6, 100).term_before, 5);
    const struct teak_raft_completion done = fetch(7, 7, 6, 100); /* the term alone */
    WANT(done.outcome, TEAK_RAFT_FETCHED);
    WANT(done.count, 0);
    WANT(done.term_before, 5);
}

static void a_fetch_keeps_to_its_bytes(void)
{
    static uint8_t bytes[1000];
    begin_group(7);
    for (uint64_t index = 1; index <= 5; index++) {
        struct made *made = make(7, index - 1, 1, 1);
        made->entries[0].data = bytes;
        made->entries[0].bytes = sizeof bytes;
        ANSWERS(DO(submit, 7, &made->job), OK);
    }
    WANT(fetch(7, 1, 5, 1).count, 1);
    WANT(fetch(7, 2, 5, 2000).count, 2);
    WANT(fetch(7, 2, 5, 1999).count, 1);
    WANT_TRUE(fetch(7, 1, 5, 100000).count <= 5);
    WANT_TRUE(fetch(7, 1, 3, 100000).count <= 3);
}

static void what_is_not_there_is_corrupt(void)
{
    begin_group(7);
    append(7, 0, 1, 3);
    WANT(fetch(7, 4, 9, 100).outcome, TEAK_RAFT_CORRUPT);
    const struct teak_raft_completion done = fetch(7, 3, 9, 100);
    WANT(done.outcome, TEAK_RAFT_FETCHED);
    WANT(done.count, 1);
    const struct teak_raft_fetch wanted = {.ticket = 1, .first = 0, .last = 3, .bytes_max = 100};
    ANSWERS(DO(fetch, 7, &wanted), MISUSE);
}

static void a_frame_that_is_held_outlives_the_store(void)
{
    struct teak_raft_completion next_one;
    begin_group(7);
    append(7, 0, 1, 4);
    const struct teak_raft_completion done = fetch(7, 4, 4, 100);
    WANT(done.count, 1);
    WANT_TRUE(done.entries[0].frame != NULL);
    const struct teak_raft_entry kept = done.entries[0];
    trial.held = kept.frame; /* dropped when the case ends */
    teak_raft_hold(kept.frame);
    DO(collect, 0, &next_one, 1);
    append(7, 4, 1, 4);
    wait_for(7, trial.token);
    crash();
    uint8_t bytes[BYTES_MAX];
    WANT(kept.bytes, payload_of(7, 4, 1, bytes));
    WANT(memcmp(kept.data, bytes, kept.bytes), 0);
}

static void a_run_is_not_told_what_the_one_before_asked_for(void)
{
    struct teak_raft_completion done;
    begin_group(7);
    append(7, 0, 1, 2);
    wait_for(7, trial.token);
    const struct teak_raft_fetch wanted = {.ticket = 9999, .first = 1, .last = 2, .bytes_max = 100};
    ANSWERS(DO(fetch, 7, &wanted), OK);
    struct teak_raft_start out = {.applied = 0};
    ANSWERS(DO(start, 7, &out), OK);
    for (int turn = 0; turn < 100; turn++) WANT(DO(collect, 1000, &done, 1), 0);
    expect_entries(7, 1, 2, 1);
}

/* ----------------------------------------------------------------------------------- snapshots, compaction, the end */

static struct teak_raft_pos pos(uint64_t index, uint64_t term) { return (struct teak_raft_pos){index, term}; }

static void expect_state(uint64_t base, uint64_t base_term, uint64_t last, uint64_t snapshot)
{
    const struct teak_raft_log_state is = state_of(7);
    WANT(is.base.index, base);
    WANT(is.base.term, base_term);
    WANT(is.last.index, last);
    WANT(is.snapshot.index, snapshot);
}

/* What a snapshot at `at` is called; its configuration is large. */
static struct teak_raft_snapshot name_of(struct teak_raft_pos at)
{
    static uint8_t config[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    memset(config, (int)at.index, sizeof config);
    return (struct teak_raft_snapshot){.pos = at, .born = at.index * 3, .bytes = at.index * 5, .checksum = at.index * 7,
                                       .config_index = at.index, .config = config, .config_bytes = sizeof config};
}

/* A job for the snapshot at `at`, and behind it `count` entries of its term. */
static struct made *snapshot_job(struct teak_raft_pos at, bool clear, uint64_t compact_to, uint32_t count)
{
    static struct teak_raft_snapshot name;
    const struct teak_raft_log_state is = state_of(7);
    const uint64_t last = clear ? at.index : is.last.index;
    if (clear) trial.first = at.index + 1;
    if (compact_to >= trial.first) trial.first = compact_to + 1;
    struct made *made = make(7, last, clear || count > 0 ? at.term : is.last.term, count);
    name = name_of(at);
    made->job.snapshot = &name;
    made->job.clear = clear;
    made->job.compact_to = compact_to;
    made->job.hard = is.hard;
    if (is.hard.term < at.term) made->job.hard = (struct teak_raft_hard){.term = at.term, .commit = is.hard.commit};
    return made;
}

/* The name, as the next start has it. */
static void expect_name(const struct teak_raft_start *start, struct teak_raft_pos at)
{
    const struct teak_raft_snapshot *is = start->snapshot;
    WANT_TRUE(is != NULL);
    const struct teak_raft_snapshot want = name_of(at);
    WANT_TRUE(is->pos.index == at.index && is->pos.term == at.term && is->born == want.born);
    WANT_TRUE(is->bytes == want.bytes && is->checksum == want.checksum && is->config_index == want.config_index);
    WANT(is->config_bytes, want.config_bytes);
    WANT(memcmp(is->config, want.config, want.config_bytes), 0);
}

static void a_snapshot_of_its_own_keeps_the_tail(void)
{
    begin_group(7);
    append(7, 0, 1, 10);
    append(7, 10, 2, 10);
    ANSWERS(DO(submit, 7, &snapshot_job(pos(12, 2), false, 0, 0)->job), OK);
    expect_state(0, 0, 20, 12);
    ANSWERS(DO(submit, 7, &snapshot_job(pos(15, 2), false, 10, 0)->job), OK);
    expect_state(10, 1, 20, 15);
    append(7, 20, 2, 1);
    struct made *made = make(7, 21, 2, 0); /* what may go goes by itself, too */
    made->job.compact_to = 12;
    made->job.after_first = trial.first = 13;
    ANSWERS(DO(submit, 7, &made->job), OK);
    wait_for(7, trial.token);
    crash();
    const struct teak_raft_start is = start(7);
    WANT(is.first, 13);
    expect_name(&is, pos(15, 2));
    expect_state(12, 2, 21, 15);
    expect_entries(7, 13, 21, 2);
    WANT(fetch(7, 12, 21, 100).outcome, TEAK_RAFT_CORRUPT);
    WANT(fetch(7, 13, 13, 100).term_before, 2);
}

static void a_snapshot_from_elsewhere_clears_the_tail(void)
{
    begin_group(7);
    append(7, 0, 1, 5);
    ANSWERS(DO(submit, 7, &snapshot_job(pos(100, 4), true, 0, 3)->job), OK); /* beyond the end */
    expect_state(100, 4, 103, 100);
    ANSWERS(DO(submit, 7, &snapshot_job(pos(102, 6), true, 0, 0)->job), OK); /* another term than the entry there */
    expect_state(102, 6, 102, 102);
    append(7, 102, 6, 1);
    wait_for(7, trial.token);
    crash();
    const struct teak_raft_start is = start(7);
    WANT(is.last.index, 103);
    WANT(is.first, 103);
    WANT_TRUE(is.run_count > 0 && is.runs[is.run_count - 1].term == 6);
    expect_name(&is, pos(102, 6));
    expect_state(102, 6, 103, 102);
    expect_entries(7, 103, 103, 6);
}

/* What is committed may be all that was compacted: its term has to be known by the next start. */
static void a_compacted_log_starts_with_the_term_of_its_base(void)
{
    begin_group(7);
    append(7, 0, 1, 4);
    append(7, 4, 2, 6);
    ANSWERS(DO(submit, 7, &snapshot_job(pos(7, 2), false, 7, 0)->job), OK);
    wait_for(7, trial.token);
    crash();
    struct teak_raft_start is = start(7);
    WANT(is.first, 8);
    WANT(is.run_count, 1);
    WANT_TRUE(is.runs[0].index <= 7 && is.runs[0].term == 2);
    append(7, 10, 5, 2);
    ANSWERS(DO(submit, 7, &snapshot_job(pos(12, 5), false, 12, 0)->job), OK);
    wait_for(7, trial.token);
    crash();
    is = start(7);
    WANT(is.first, 13);
    WANT(is.last.index, 12);
    WANT(is.run_count, 1);
    WANT_TRUE(is.runs[0].index <= 12 && is.runs[0].term == 5);
}

static void a_log_without_a_snapshot_has_no_name(void)
{
    begin_group(7);
    append(7, 0, 1, 5);
    wait_for(7, trial.token);
    const struct teak_raft_start is = start(7);
    WANT_TRUE(is.snapshot == NULL);
    WANT(is.first, 1);
    struct made *made = snapshot_job(pos(3, 1), false, 0, 0);
    struct teak_raft_snapshot name = *made->job.snapshot;
    name.config = NULL;
    made->job.snapshot = &name;
    ANSWERS(DO(submit, 7, &made->job), MISUSE);
}

/* Each job on a log of ten entries with a snapshot at 5, begun anew. */
static void expect_poison(const struct made *made)
{
    ANSWERS(DO(submit, 7, &made->job), OK);
    struct teak_raft_completion done = next(7);
    while (done.outcome == TEAK_RAFT_DURABLE) done = next(7); /* what came before */
    WANT(done.outcome, TEAK_RAFT_POISONED);
    WANT(done.number, trial.token);
    trial.first = start(7).first;
    expect_state(3, 1, 10, 5);
}

static void a_snapshot_that_contradicts_the_log_poisons_its_group(void)
{
    begin_group(7);
    append(7, 0, 1, 10);
    ANSWERS(DO(submit, 7, &snapshot_job(pos(5, 1), false, 3, 0)->job), OK);
    expect_poison(snapshot_job(pos(5, 1), false, 0, 0));  /* not newer                              */
    expect_poison(snapshot_job(pos(7, 1), true, 0, 0));   /* it stands in the log: that has to stay */
    expect_poison(snapshot_job(pos(7, 2), false, 0, 0));  /* it does not                            */
    expect_poison(snapshot_job(pos(20, 1), false, 0, 0)); /* nor does that                          */
    expect_poison(snapshot_job(pos(7, 1), false, 8, 0));  /* more goes than it holds                */
    struct made *made = make(7, 10, 1, 0);
    made->job.after_first = 3;
    expect_poison(made);
    made = make(7, 3, 2, 1); /* cut below a snapshot */
    made->job.cut_from = 4;
    expect_poison(made);
    append(7, 10, 1, 1);
    wait_for(7, trial.token);
}

static void a_dropped_group_is_gone(void)
{
    uint64_t found[4];
    begin_group(7);
    begin_group(8);
    append(7, 0, 1, 3);
    ANSWERS(DO(submit, 7, &snapshot_job(pos(2, 1), false, 0, 0)->job), OK);
    wait_for(7, trial.token);
    WANT(DO(groups, true, 0, found, 4), 2);
    ANSWERS(drop_log(7), OK);
    ANSWERS(drop_log(7), MISUSE);
    WANT(DO(groups, true, 0, found, 4), 1);
    append(8, 0, 1, 1);
    wait_for(8, trial.token);
    crash();
    WANT(DO(groups, true, 0, found, 4), 1);
    ANSWERS(create_log(7, 55), OK);
    trial.first = 1;
    const struct teak_raft_start is = start(7);
    WANT_TRUE(is.born == 55 && is.last.index == 0 && is.hard.term == 0 && is.snapshot == NULL);
}

/* ------------------------------------------------------------------------------------------- random, with an oracle */

/* The log as it must be, kept as plainly as can be: terms[i] of entry i. */
struct oracle {
    uint64_t terms[400], base, last, commit, term;
};

static void random_job(struct oracle *oracle)
{
    if (seeded_below(&trial.seeded, 3) == 0) oracle->term++;
    const uint64_t floor = oracle->base > oracle->commit ? oracle->base : oracle->commit;
    uint64_t cut = 0, snapshot = 0;
    if (seeded_below(&trial.seeded, 10) == 0 && oracle->commit > oracle->base)
        snapshot = oracle->base + 1 + seeded_below(&trial.seeded, (uint32_t)(oracle->commit - oracle->base));
    if (oracle->last > floor && seeded_below(&trial.seeded, 4) == 0)
        cut = oracle->last - seeded_below(&trial.seeded, (uint32_t)(oracle->last - floor));
    if (cut != 0) oracle->last = cut - 1;
    const uint32_t count = oracle->last < 380 ? seeded_below(&trial.seeded, 6) : 0;
    struct made *made = make(7, oracle->last, oracle->term, count);
    static struct teak_raft_snapshot name;
    if (snapshot != 0) {
        name = name_of((struct teak_raft_pos){snapshot, oracle->terms[snapshot]});
        made->job.snapshot = &name;
        made->job.compact_to = oracle->base = snapshot;
        made->job.after_first = trial.first = snapshot + 1;
    }
    made->job.cut_from = cut;
    for (uint32_t i = 0; i < count; i++) oracle->terms[++oracle->last] = oracle->term;
    if (seeded_below(&trial.seeded, 3) == 0 && oracle->last > oracle->commit)
        oracle->commit += seeded_below(&trial.seeded, (uint32_t)(oracle->last - oracle->commit) + 1);
    made->job.hard.commit = oracle->commit;
    made->job.after_last = (struct teak_raft_pos){oracle->last, oracle->last > 0 ? oracle->terms[oracle->last] : 0};
    ANSWERS(DO(submit, 7, &made->job), OK);
}

static void expect_oracle(const struct oracle *oracle)
{
    const struct teak_raft_log_state is = state_of(7);
    WANT(is.last.index, oracle->last);
    WANT(is.base.index, oracle->base);
    WANT(is.hard.commit, oracle->commit);
    for (uint64_t index = oracle->base + 1; index <= oracle->last; index++)
        if (seeded_below(&trial.seeded, 8) == 0) expect_entries(7, index, index, oracle->terms[index]);
}

static void random_jobs_do_what_they_say(void)
{
    struct oracle oracle = {.term = 1};
    begin_group(7);
    for (uint32_t step = 0; step < 120; step++) {
        random_job(&oracle);
        if (seeded_below(&trial.seeded, 12) == 0) expect_oracle(&oracle);
        if (seeded_below(&trial.seeded, 15) != 0) continue;
        (void)start(7); /* until nothing is in flight */
        crash();
        const struct teak_raft_start is = start(7);
        WANT(is.hard.term, oracle.term);
        WANT(is.first, oracle.base + 1);
        if (oracle.base > 0) expect_name(&is, pos(oracle.base, oracle.terms[oracle.base]));
        expect_oracle(&oracle);
    }
}

/* ---------------------------------------------------------------------------------------------------------- running */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
#define CASE(name) {#name, name}
    CASE(a_new_log_is_empty),
    CASE(a_group_is_created_once),
    CASE(an_unknown_group_is_misuse),
    CASE(groups_are_listed_in_order),
    CASE(starting_waits_for_what_is_in_flight),
    CASE(starting_knows_terms_and_configurations),
    CASE(a_cut_takes_terms_and_configurations_along),
    CASE(what_is_told_is_there_after_a_crash),
    CASE(a_crash_leaves_whole_jobs_and_a_prefix),
    CASE(nothing_is_told_early),
    CASE(each_token_is_told_once),
    CASE(a_job_cuts_then_appends),
    CASE(a_hard_state_alone_is_a_job),
    CASE(a_token_of_zero_is_a_token),
    CASE(payloads_are_copied),
    CASE(many_groups_share_a_store),
    CASE(more_is_submitted_than_is_taken),
    CASE(a_job_that_contradicts_the_log_poisons_its_group),
    CASE(entries_that_do_not_ascend_are_misuse),
    CASE(a_store_without_space_refuses_and_tells_when_there_is),
    CASE(a_hard_state_is_taken_without_space),
    CASE(jobs_behind_a_refusal_are_passed_over),
    CASE(poison_is_told_for_the_oldest_and_for_all_that_come),
    CASE(a_fetch_knows_the_term_before),
    CASE(a_fetch_keeps_to_its_bytes),
    CASE(what_is_not_there_is_corrupt),
    CASE(a_frame_that_is_held_outlives_the_store),
    CASE(a_run_is_not_told_what_the_one_before_asked_for),
    CASE(a_snapshot_of_its_own_keeps_the_tail),
    CASE(a_snapshot_from_elsewhere_clears_the_tail),
    CASE(a_compacted_log_starts_with_the_term_of_its_base),
    CASE(a_log_without_a_snapshot_has_no_name),
    CASE(a_snapshot_that_contradicts_the_log_poisons_its_group),
    CASE(a_dropped_group_is_gone),
    CASE(random_jobs_do_what_they_say),
#undef CASE
};

uint32_t raft_store_case_count(void) { return sizeof cases / sizeof cases[0]; }
const char *raft_store_case_name(uint32_t which) { return cases[which].name; }

enum raft_store_result raft_store_try(const struct raft_store_subject *subject, uint32_t which, uint64_t seed,
                                      char why[RAFT_STORE_WHY_BYTES])
{
    trial.subject = subject;
    trial.seeded = (struct seeded){.state = seed};
    trial.why = why;
    trial.token = 0;
    trial.held = NULL;
    trial.first = 1;
    why[0] = '\0';
    subject->begin(subject->context, &trial.store);
    const int left = setjmp(trial.leave);
    if (left == 0) cases[which].run();
    subject->end(subject->context, &trial.store);
    teak_raft_drop(trial.held);
    return left == 0 ? RAFT_STORE_PASSED : left == 1 ? RAFT_STORE_MISSED : RAFT_STORE_SKIPPED;
}

uint32_t raft_store_run(const struct raft_store_subject *subject, const char *only)
{
    const struct seeded seeded = seeded_begin(subject->name);
    uint32_t missed_count = 0, run = 0;
    for (uint32_t which = 0; which < raft_store_case_count(); which++) {
        char why[RAFT_STORE_WHY_BYTES];
        if (only && strcmp(only, cases[which].name) != 0) continue;
        const enum raft_store_result result = raft_store_try(subject, which, seeded.state + which, why);
        static const char *const words[] = {"passed", "MISSED", "skipped"};
        printf("%-8s %s: %s%s%s\n", words[result], subject->name, cases[which].name, why[0] ? ": " : "", why);
        missed_count += result == RAFT_STORE_MISSED;
        run += result != RAFT_STORE_SKIPPED;
    }
    return run == 0 ? 1 : missed_count;
}
