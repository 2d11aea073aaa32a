/* committer_rig.h: a committer to test: opened on the backend of the moment, on a real disk or on one that fails.
 */
#ifndef TEAK_TESTS_COMMITTER_RIG_H
#define TEAK_TESTS_COMMITTER_RIG_H

#include <stdatomic.h>

#include "store/backends.h"
#include "teak/committer.h"

static inline struct teak_options options_here(void)
{
    struct teak_options options = backend_options();
    options.segment_bytes = 1 << 20;
    return options;
}

static inline struct teak_committer *open_over(const struct rig *rig, uint32_t lanes,
                                               const struct teak_committer_options *own)
{
    struct teak_options options = options_here();
    options.in_flight = lanes;
    struct teak_committer *committer;
    struct teak_error error = {0};
    rig_ok(teak_committer_open(rig->dir, &options, own, &committer, NULL, &error), &error);
    return committer;
}

static inline struct teak_committer *open_with(const struct rig *rig, const struct teak_committer_options *own)
{
    return open_over(rig, 0, own);
}

static inline struct teak_committer *open_faulty(const struct rig *rig, const struct teak_committer_options *own,
                                                 struct faulty **out)
{
    const struct teak_options options = options_here();
    struct teak_committer *committer;
    struct teak_error error = {0};
    *out = faulty_make(backend_now);
    assert_non_null(*out);
    rig_ok(committer_open_on(&(*out)->disk, rig->dir, &options, own, &committer, NULL, &error), &error);
    return committer;
}

static inline void close_it(struct teak_committer *committer)
{
    struct teak_error error = {0};
    rig_ok(teak_committer_close(committer, &error), &error);
}

static inline enum teak_status commit_op(struct teak_committer *committer, struct teak_op op, struct teak_error *error)
{
    return teak_committer_commit(committer, &(struct teak_batch){.ops = &op, .count = 1}, NULL, error);
}

static inline void create(struct teak_committer *committer, uint64_t log)
{
    struct teak_error error = {0};
    rig_ok(commit_op(committer, (struct teak_op){.op = TEAK_OP_CREATE, .log = log}, &error), &error);
}

/* A callback, and a call. */
static inline void set(struct teak_request *of, void *context)
{
    (void)of;
    atomic_store((atomic_bool *)context, true);
}

static inline void look(struct teak_store *store, void *context) { teak_stats(store, context); }

static inline struct teak_store *reopen(const struct rig *rig)
{
    const struct teak_options options = options_here();
    return rig_open_with(rig, &options, NULL);
}

#endif
