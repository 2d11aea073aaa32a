/* raft_store_wrong.c: the memory store under the suite: as it is, and behind a hand that does one thing wrong, so that
 * a test can show that the suite sees it.
 */
#include <stdlib.h>
#include <string.h>

#include "conformance/raft_store.h"
#include "teak/raft_store_memory.h"

/* X(what it does wrong) */
#define WRONGS(X)                                                                                                      \
    X(nothing)                                                                                                         \
    X(tells_what_is_not_durable)                                                                                       \
    X(tells_a_token_twice)                                                                                             \
    X(tells_a_token_that_was_not_submitted)                                                                            \
    X(tells_nothing)                                                                                                   \
    X(forgets_the_hard_state)                                                                                          \
    X(forgets_the_last_entry)                                                                                          \
    X(forgets_the_cut)                                                                                                 \
    X(forgets_the_kind)                                                                                                \
    X(tears_a_job)                                                                                                     \
    X(takes_jobs_that_end_elsewhere)                                                                                   \
    X(calls_poison_durable)                                                                                            \
    X(stays_poisoned)                                                                                                  \
    X(refuses_each_job_aloud)                                                                                          \
    X(does_jobs_behind_a_refusal)                                                                                      \
    X(tells_nobody_of_space)                                                                                           \
    X(reads_past_the_byte_limit)                                                                                       \
    X(reads_nothing_under_a_small_limit)                                                                               \
    X(knows_no_term_before)                                                                                            \
    X(reads_the_next_entry)                                                                                            \
    X(reads_for_a_run_that_is_over)                                                                                    \
    X(starts_with_one_configuration)                                                                                   \
    X(starts_with_configurations_in_disorder)                                                                          \
    X(starts_without_the_oldest_term)                                                                                  \
    X(starts_before_all_is_durable)                                                                                    \
    X(starts_with_another_birth)                                                                                       \
    X(forgets_the_name_of_a_snapshot)                                                                                  \
    X(compacts_nothing)                                                                                                \
    X(drops_nothing)                                                                                                   \
    X(lists_groups_backwards)

enum wrong_kind {
#define WRONG_ENUM(name) WRONG_##name,
    WRONGS(WRONG_ENUM)
#undef WRONG_ENUM
    WRONG_COUNT
};
static const char *const wrong_names[WRONG_COUNT] = {
#define WRONG_NAME(name) #name,
    WRONGS(WRONG_NAME)
#undef WRONG_NAME
};

enum { OWN_MAX = 256 };

static struct wrong {
    enum wrong_kind kind;
    struct teak_raft_log_store inner;
    bool full, refused, was_poisoned;
    uint64_t births;
    struct teak_raft_completion own[OWN_MAX]; /* of our own making */
    uint32_t own_count;
} wrong;

#define INNER(name, ...) wrong.inner.ops->name(wrong.inner.self, __VA_ARGS__)
static bool is(enum wrong_kind kind) { return wrong.kind == kind; }

static void tell(struct teak_raft_completion completion)
{
    if (wrong.own_count < OWN_MAX) wrong.own[wrong.own_count++] = completion;
}

static enum teak_raft_status wrong_create(void *self, uint64_t group, uint64_t born)
{
    (void)self;
    return INNER(create, group, born);
}

static enum teak_raft_status wrong_drop(void *self, uint64_t group)
{
    (void)self;
    return is(WRONG_drops_nothing) ? TEAK_RAFT_OK : INNER(drop, group);
}

static uint32_t wrong_groups(void *self, bool from_start, uint64_t after, uint64_t *out, uint32_t max)
{
    (void)self;
    const uint32_t count = INNER(groups, from_start, after, out, max);
    for (uint32_t i = 0; is(WRONG_lists_groups_backwards) && i < count / 2; i++) {
        const uint64_t id = out[i];
        out[i] = out[count - 1 - i];
        out[count - 1 - i] = id;
    }
    return count;
}

static enum teak_raft_status wrong_fits(void *self, const struct teak_raft_options *options)
{
    (void)self;
    return INNER(fits, options);
}

static enum teak_raft_status wrong_start(void *self, uint64_t group, struct teak_raft_start *out)
{
    static struct teak_raft_entry pair[2];
    (void)self;
    if (is(WRONG_tells_what_is_not_durable) || is(WRONG_starts_before_all_is_durable))
        teak_raft_memory_complete(&wrong.inner, UINT32_MAX);
    if (is(WRONG_stays_poisoned) && wrong.was_poisoned) return TEAK_RAFT_HALTED;
    if (is(WRONG_reads_for_a_run_that_is_over) && wrong.own_count < OWN_MAX)
        wrong.own_count += INNER(collect, 0, &wrong.own[wrong.own_count], OWN_MAX - wrong.own_count);
    const enum teak_raft_status status = INNER(start, group, out);
    if (status != TEAK_RAFT_OK) return status;
    if (is(WRONG_starts_with_one_configuration) && out->config_count > 1) out->config_count = 1;
    if (is(WRONG_starts_without_the_oldest_term) && out->run_count > 1) out->run_count--, out->runs++;
    if (is(WRONG_forgets_the_name_of_a_snapshot)) out->snapshot = NULL;
    if (is(WRONG_starts_with_another_birth)) out->born += wrong.births++;
    if (is(WRONG_starts_with_configurations_in_disorder) && out->config_count == 2) {
        pair[0] = out->configs[1];
        pair[1] = out->configs[0];
        out->configs = pair;
    }
    return status;
}

static enum teak_raft_status wrong_state(void *self, uint64_t group, struct teak_raft_log_state *out)
{
    (void)self;
    return INNER(state, group, out);
}

static bool wrong_takes(void *self)
{
    (void)self;
    return wrong.inner.ops->takes(wrong.inner.self);
}

static struct teak_raft_pos end_of(const struct teak_raft_log_state *state, const struct teak_raft_job *job)
{
    if (job->count > 0) {
        const struct teak_raft_entry *last = &job->entries[job->count - 1];
        return (struct teak_raft_pos){last->index, last->term};
    }
    return job->cut_from != 0 ? job->after_last : state->last;
}

/* First what it appends, then its hard state. */
static enum teak_raft_status tear(uint64_t group, const struct teak_raft_job *job, struct teak_raft_hard hard)
{
    struct teak_raft_job half = *job;
    half.hard = hard;
    const enum teak_raft_status status = INNER(submit, group, &half);
    half = *job;
    half.cut_from = half.count = 0;
    half.snapshot = NULL;
    return status == TEAK_RAFT_OK ? INNER(submit, group, &half) : status;
}

static enum teak_raft_status refuse(uint64_t group, const struct teak_raft_job *job,
                                    const struct teak_raft_log_state *state)
{
    struct teak_raft_job alone = *job;
    if (is(WRONG_refuses_each_job_aloud) || (!wrong.refused && job->count > 0))
        tell((struct teak_raft_completion){.kind = TEAK_RAFT_JOB_DONE, .outcome = TEAK_RAFT_NO_ROOM, .group = group,
                                           .number = job->token});
    wrong.refused = true;
    if (!is(WRONG_does_jobs_behind_a_refusal) || job->count > 0) return TEAK_RAFT_OK;
    alone.after_last = state->last;
    return INNER(submit, group, &alone);
}

static enum teak_raft_status wrong_submit(void *self, uint64_t group, const struct teak_raft_job *given)
{
    static struct teak_raft_entry entries[64];
    struct teak_raft_log_state state;
    (void)self;
    if (!given || INNER(state, group, &state) != TEAK_RAFT_OK) return INNER(submit, group, given);
    struct teak_raft_job job = *given;
    const bool takes_back = is(WRONG_refuses_each_job_aloud) || is(WRONG_does_jobs_behind_a_refusal);
    if (takes_back && wrong.full && (job.count > 0 || wrong.refused)) return refuse(group, &job, &state);
    if (is(WRONG_forgets_the_hard_state)) job.hard = state.hard;
    if (is(WRONG_forgets_the_cut)) job.cut_from = 0;
    if (is(WRONG_compacts_nothing)) {
        job.compact_to = 0;
        job.after_first = (job.clear ? job.snapshot->pos.index : state.base.index) + 1;
    }
    if (is(WRONG_takes_jobs_that_end_elsewhere)) job.after_last = end_of(&state, &job);
    if (is(WRONG_forgets_the_last_entry) && job.count > 1) {
        job.count--;
        job.after_last = end_of(&state, &job);
    }
    if (is(WRONG_forgets_the_kind)) {
        if (job.count > 0) memcpy(entries, job.entries, job.count * sizeof *entries);
        for (uint32_t i = 0; i < job.count; i++) entries[i].kind = TEAK_RAFT_KIND_APPLICATION;
        if (job.count > 0) job.entries = entries;
    }
    if (is(WRONG_tells_what_is_not_durable))
        tell((struct teak_raft_completion){.kind = TEAK_RAFT_JOB_DONE, .outcome = TEAK_RAFT_DURABLE, .group = group,
                                           .number = job.token});
    return is(WRONG_tears_a_job) && job.count > 0 ? tear(group, &job, state.hard) : INNER(submit, group, &job);
}

static enum teak_raft_status wrong_fetch(void *self, uint64_t group, const struct teak_raft_fetch *given)
{
    (void)self;
    struct teak_raft_fetch wanted = *given;
    if (is(WRONG_reads_past_the_byte_limit)) wanted.bytes_max = UINT32_MAX;
    if (is(WRONG_reads_the_next_entry) && wanted.last > wanted.first) wanted.first++;
    return INNER(fetch, group, &wanted);
}

/* Alters what is told. False: it is not told. */
static bool alter(struct teak_raft_completion *done)
{
    const bool is_durable = done->kind == TEAK_RAFT_JOB_DONE && done->outcome == TEAK_RAFT_DURABLE;
    wrong.was_poisoned |= done->kind == TEAK_RAFT_JOB_DONE && done->outcome == TEAK_RAFT_POISONED;
    if (is_durable && is(WRONG_tells_a_token_twice)) tell(*done);
    if (is_durable && is(WRONG_tells_a_token_that_was_not_submitted)) done->number++;
    if (is(WRONG_calls_poison_durable) && done->outcome == TEAK_RAFT_POISONED) done->outcome = TEAK_RAFT_DURABLE;
    if (done->kind == TEAK_RAFT_FETCH_DONE && done->outcome == TEAK_RAFT_FETCHED) {
        if (is(WRONG_knows_no_term_before)) done->term_before = 0;
        if (is(WRONG_reads_nothing_under_a_small_limit) && done->count == 1) done->count = 0;
    }
    if (done->kind == TEAK_RAFT_ROOM && is(WRONG_tells_nobody_of_space)) return false;
    return !is_durable || !(is(WRONG_tells_nothing) || is(WRONG_tells_what_is_not_durable));
}

static uint32_t wrong_collect(void *self, uint64_t wait_ns, struct teak_raft_completion *out, uint32_t max)
{
    (void)self;
    if (wrong.own_count > 0 && max > 0) {
        *out = wrong.own[0];
        memmove(wrong.own, wrong.own + 1, --wrong.own_count * sizeof *wrong.own);
        wrong.refused = false;
        return 1;
    }
    uint32_t count = 0;
    const uint32_t found = INNER(collect, wait_ns, out, max);
    for (uint32_t i = 0; i < found; i++)
        if (alter(&out[i])) out[count++] = out[i];
    return count;
}

static void wrong_close(void *self)
{
    (void)self;
    wrong.inner.ops->close(wrong.inner.self);
}

static const struct teak_raft_log_store_ops wrong_ops = {
    .create = wrong_create, .drop = wrong_drop, .groups = wrong_groups, .fits = wrong_fits, .start = wrong_start,
    .state = wrong_state, .takes = wrong_takes, .submit = wrong_submit,
    .fetch = wrong_fetch, .collect = wrong_collect, .close = wrong_close,
};

/* --------------------------------------------------------------------------------------------------------- subjects */

/* The memory store, whether it stands alone or behind the hand. */
static struct teak_raft_log_store *memory_in(struct teak_raft_log_store *store)
{
    return store->ops == &wrong_ops ? &wrong.inner : store;
}

static void memory_begin(void *context, struct teak_raft_log_store *out)
{
    const enum wrong_kind *kind = context;
    struct teak_raft_log_store store;
    if (teak_raft_memory_open(&store) != TEAK_RAFT_OK) abort();
    *out = store;
    if (!kind) return;
    wrong = (struct wrong){.kind = *kind, .inner = store};
    *out = (struct teak_raft_log_store){.ops = &wrong_ops, .self = &wrong};
    if (is(WRONG_tells_what_is_not_durable)) teak_raft_memory_hold(&wrong.inner, true);
}

static void memory_end(void *context, struct teak_raft_log_store *store)
{
    (void)context;
    store->ops->close(store->self);
}

static void memory_crash(void *context, struct teak_raft_log_store *store, struct seeded *seeded)
{
    (void)context;
    struct teak_raft_log_store *memory = memory_in(store);
    teak_raft_memory_crash(memory, seeded_below(seeded, teak_raft_memory_in_flight(memory) + 1));
    wrong.own_count = 0;
    wrong.full = wrong.refused = wrong.was_poisoned = false;
}

static void memory_full(void *context, struct teak_raft_log_store *store, bool on)
{
    (void)context;
    wrong.full = on;
    teak_raft_memory_full(memory_in(store), on);
}

static void memory_poison(void *context, struct teak_raft_log_store *store)
{
    (void)context;
    teak_raft_memory_poison(memory_in(store), 1);
}

static void memory_hold(void *context, struct teak_raft_log_store *store, bool on)
{
    (void)context;
    teak_raft_memory_hold(memory_in(store), on);
}

struct raft_store_subject raft_store_memory_subject(void)
{
    return (struct raft_store_subject){.name = "memory", .begin = memory_begin, .end = memory_end,
                                       .crash = memory_crash, .full = memory_full, .poison = memory_poison,
                                       .hold = memory_hold};
}

uint32_t raft_store_wrong_count(void) { return WRONG_COUNT; }

struct raft_store_subject raft_store_wrong_subject(uint32_t which)
{
    static enum wrong_kind kind;
    struct raft_store_subject subject = raft_store_memory_subject();
    kind = (enum wrong_kind)which;
    subject.name = wrong_names[which];
    subject.context = &kind;
    return subject;
}
