/* jobs.c: see jobs.h. */
#include "core/jobs.h"

#include "core/install.h"
#include "core/tail.h"

static struct work *work_at(const struct teak_raft *raft, uint32_t number)
{
    return (struct work *)raft_at(raft, raft->jobs_at) + (raft->job_first + number) % raft->options.jobs_max;
}

static bool hard_changed(const struct teak_raft *raft)
{
    return raft->written_term != raft->term || raft->written_vote != raft->vote;
}

bool jobs_wants(const struct teak_raft *raft)
{
    if (raft->job_count == raft->options.jobs_max) return false;
    return hard_changed(raft) || raft->cut_from != 0 || install_wants_job(raft) ||
           (raft->has_room && raft->written < raft->last.index);
}

void jobs_build(struct teak_raft *raft)
{
    struct teak_raft_job job = {.token = ++raft->token, .cut_from = raft->cut_from, .urgent = hard_changed(raft)};
    install_fill_job(raft, &job);
    if (raft->has_room) {
        uint64_t bytes;
        job.entries = tail_span(raft, raft->written + 1, raft->last.index, UINT32_MAX, raft->options.job_bytes_max,
                                &job.count, &bytes);
    }
    raft->written += job.count;
    job.after_first = raft->written_first;
    job.after_last = (struct teak_raft_pos){raft->written, tail_term(raft, raft->written)};
    job.hard = (struct teak_raft_hard){raft->term, raft->vote, min_index(raft->commit, raft->written)};
    *work_at(raft, raft->job_count++) = (struct work){.token = job.token, .last = raft->written, .term = raft->term,
                                                      .vote = raft->vote, .cut_from = raft->cut_from,
                                                      .first = raft->written_first,
                                                      .snapshot = raft->written_snapshot};
    raft->cut_from = 0;
    raft->written_term = raft->term;
    raft->written_vote = raft->vote;
    raft->job = job;
}

/* Number of the job in flight, or job_count. Tokens ascend. */
static uint32_t find(const struct teak_raft *raft, uint64_t token)
{
    uint32_t number = 0;
    while (number < raft->job_count && work_at(raft, number)->token != token) number++;
    return number;
}

bool jobs_durable(struct teak_raft *raft, uint64_t token)
{
    const uint32_t number = find(raft, token);
    if (number == raft->job_count) return false;
    const struct work done = *work_at(raft, number);
    CHECK_LE(done.last, raft->last.index);
    raft->durable = max_index(raft->durable, done.last);
    raft->durable_term = done.term;
    raft->durable_vote = done.vote;
    raft->durable_first = done.first;
    raft->durable_snapshot = done.snapshot;
    for (uint32_t i = 0; i <= number; i++) *work_at(raft, i) = (struct work){.token = 0};
    raft->job_first = (raft->job_first + number + 1) % raft->options.jobs_max;
    raft->job_count -= number + 1;
    return true;
}

bool jobs_take_back(struct teak_raft *raft, uint64_t token)
{
    const uint32_t number = find(raft, token);
    if (number == raft->job_count) return false;
    for (uint32_t i = number; i < raft->job_count; i++) {
        const uint64_t cut = work_at(raft, i)->cut_from;
        if (cut != 0 && (raft->cut_from == 0 || cut < raft->cut_from)) raft->cut_from = cut;
        *work_at(raft, i) = (struct work){.token = 0};
    }
    raft->job_count = number;
    const struct work *before = number > 0 ? work_at(raft, number - 1) : NULL;
    raft->written = before ? before->last : raft->durable;
    raft->written_term = before ? before->term : raft->durable_term;
    raft->written_vote = before ? before->vote : raft->durable_vote;
    raft->written_first = before ? before->first : raft->durable_first;
    raft->written_snapshot = before ? before->snapshot : raft->durable_snapshot;
    if (raft->written_first < raft->first) raft->compact_owed = true;
    /* The disk ends at `written`, or beyond it where a cut lowered that; a cut that begins later has nothing to cut. */
    if (raft->cut_from > raft->written + 1) raft->cut_from = 0;
    return true;
}

void jobs_clear(struct teak_raft *raft, uint64_t upto)
{
    raft->durable = min_index(raft->durable, upto);
    raft->written = min_index(raft->written, upto);
    for (uint32_t i = 0; i < raft->job_count; i++) work_at(raft, i)->last = min_index(work_at(raft, i)->last, upto);
}

void jobs_cut(struct teak_raft *raft, uint64_t from)
{
    if (raft->written >= from) { /* else no job, and no disk, has seen what is gone */
        if (raft->cut_from == 0 || from < raft->cut_from) raft->cut_from = from;
        raft->written = from - 1;
    }
    raft->durable = min_index(raft->durable, from - 1);
    for (uint32_t i = 0; i < raft->job_count; i++) work_at(raft, i)->last = min_index(work_at(raft, i)->last, from - 1);
}
