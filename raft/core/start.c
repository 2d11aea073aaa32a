/* start.c: a node begins: the layout of its block, options and what the store has judged. Founding a cluster. */
#include <string.h>

#include "core/install.h"
#include "core/intake.h"
#include "core/lanes.h"
#include "core/members.h"
#include "core/streams.h"
#include "core/tail.h"
#include "core/timers.h"

struct teak_raft_options teak_raft_options_default(void)
{
    return (struct teak_raft_options){
        .election = 300, .heartbeat = 60, .entry_bytes_max = 1 << 20, .message_bytes_max = 256 << 10,
        .job_bytes_max = 1 << 20, .apply_bytes_max = 256 << 10, .tail_bytes_max = 32 << 20, .window_bytes = 4 << 20,
        .window_messages = 64, .tail_entries = 8192, .jobs_max = 16, .reads_max = 64, .tags_max = 64,
        .term_runs = 64, .members_max = 7, .trailing_entries = 1024, .retain_entries = 1 << 20,
        .snapshot_streams = 1, .snapshot_chunk_bytes = 256 << 10, .snapshot_window = 8};
}

static bool options_are_valid(const struct teak_raft_options *options)
{
    if (options->id == 0 || options->heartbeat == 0 || options->election <= options->heartbeat) return false;
    if (options->election > UINT64_C(1) << 56) return false; /* times 2, times 8, and no overflow */
    if (options->entry_bytes_max == 0 || options->message_bytes_max == 0 || options->job_bytes_max == 0) return false;
    if (options->apply_bytes_max == 0 || options->tail_bytes_max == 0 || options->window_bytes == 0) return false;
    if (options->window_messages == 0 || options->window_messages > 1 << 16) return false;
    if (options->tail_entries < 8 || options->tail_entries > 1 << 22) return false;
    if (options->jobs_max == 0 || options->jobs_max > 1 << 16 || options->tags_max == 0 || options->tags_max > 1 << 20)
        return false;
    if (options->promise_max > options->election || options->lease_drift_ppm >= 500000) return false;
    if (options->disk_stall > UINT64_C(1) << 56) return false;
    if (options->reads_max == 0 || options->reads_max > 1 << 20) return false;
    if (options->retain_entries < options->trailing_entries) return false;
    if (options->snapshot_streams == 0 || options->snapshot_streams > TEAK_RAFT_MEMBERS_MAX) return false;
    if (options->snapshot_chunk_bytes == 0 || options->snapshot_window == 0 || options->snapshot_window > 64)
        return false;
    if (options->term_runs < 8 || options->term_runs > 1 << 20) return false;
    return options->members_max > 0 && options->members_max <= TEAK_RAFT_MEMBERS_MAX;
}

static uint32_t take(size_t *end, size_t bytes)
{
    const size_t at = *end;
    *end = (at + bytes + 15) & ~(size_t)15;
    return (uint32_t)at;
}

static size_t lay_out_snapshots(const struct teak_raft_options *options, struct teak_raft *raft, size_t end)
{
    const uint32_t streams = options->snapshot_streams, config = TEAK_RAFT_CONFIG_BYTES(options->members_max);
    raft->streams_at = take(&end, streams * sizeof(struct stream));
    raft->chunks_at = take(&end, streams * sizeof(struct teak_raft_chunk));
    raft->pieces_at = take(&end, options->snapshot_window * sizeof(struct piece));
    raft->ios_at = take(&end, (streams + options->snapshot_window + 2) * sizeof(struct teak_raft_snap_io));
    raft->snapshot.config_at = take(&end, config);
    raft->intake.snap.config_at = take(&end, config);
    raft->aborted.config_at = take(&end, config);
    raft->stream_configs_at = take(&end, (size_t)streams * config);
    return end;
}

/* Where everything lies; returns the size. The largest options stay below 4 GiB. */
static size_t lay_out(const struct teak_raft_options *options, struct teak_raft *raft)
{
    size_t end = 0;
    const uint32_t members = options->members_max;
    take(&end, sizeof *raft);
    raft->members_max = members;
    raft->span_max = options->tail_entries / 2;
    raft->part_max = options->tail_entries / 8 > 4 ? options->tail_entries / 8 : 4;
    raft->send_max = 5 * members + 2;
    raft->config_at = take(&end, members * sizeof(struct teak_raft_member));
    raft->previous_at = take(&end, members * sizeof(struct teak_raft_member));
    raft->peers_at = take(&end, members * sizeof(struct peer));
    raft->parcels_at = take(&end, (size_t)members * options->window_messages * sizeof(struct parcel));
    raft->tail_at =
        take(&end, (options->tail_entries + TAIL_RESERVE + raft->part_max) * sizeof(struct teak_raft_entry));
    raft->runs_at = take(&end, options->term_runs * sizeof(struct term_run));
    raft->jobs_at = take(&end, options->jobs_max * sizeof(struct work));
    raft->proposals_at = take(&end, options->tags_max * sizeof(struct proposal));
    raft->send_at = take(&end, raft->send_max * sizeof(struct teak_raft_msg));
    raft->handed_at = take(&end, members * sizeof(struct teak_raft_member));
    raft->applied_at = take(&end, members * sizeof(struct teak_raft_member));
    raft->fetch_at = take(&end, LANE_COUNT * sizeof(struct teak_raft_fetch));
    raft->done_at = take(&end, 3 * (size_t)options->tags_max * sizeof(struct teak_raft_done));
    raft->reads_at = take(&end, options->reads_max * sizeof(struct read));
    raft->answers_at = take(&end, options->reads_max * sizeof(struct teak_raft_answer));
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++)
        raft->lanes[lane].entries_at = take(&end, raft->part_max * sizeof(struct teak_raft_entry));
    raft->own_at = take(&end, 2 * TEAK_RAFT_CONFIG_BYTES(members));
    end = lay_out_snapshots(options, raft, end);
    raft->size = (uint32_t)end;
    return end;
}

size_t teak_raft_size(const struct teak_raft_options *options)
{
    struct teak_raft layout;
    return options && options_are_valid(options) ? lay_out(options, &layout) : 0;
}

/* ----------------------------------------------------------------------------------------------- what the store has */

/* Terms ascend, and all from min(commit, last) on are covered. */
static bool take_runs(struct teak_raft *raft, const struct teak_raft_start *start)
{
    if (start->last.index == 0) return start->last.term == 0 && start->run_count == 0;
    if (start->run_count == 0 || !start->runs || start->last.term == 0) return false;
    uint32_t skip = start->run_count > raft->options.term_runs ? start->run_count - raft->options.term_runs : 0;
    struct teak_raft_pos before = {0, 0};
    for (uint32_t i = 0; i < start->run_count; i++) {
        const struct teak_raft_pos run = start->runs[i];
        if (run.index <= before.index || run.term <= before.term || run.index > start->last.index) return false;
        before = run;
        if (i < skip) continue;
        struct terms terms = raft_terms(raft);
        terms_append(&terms, run.index, run.term);
        raft->run_count = terms.count;
    }
    return before.term == start->last.term && start->runs[skip].index <= max_index(raft->commit, 1);
}

/* In force from now on; and for a snapshot to be taken, where the state machine has it. */
static void take_config(struct teak_raft *raft, const struct teak_raft_entry *entry, struct config config,
                        const struct teak_raft_member *members)
{
    if (entry->index <= raft->applied) {
        raft->applied_config = config;
        raft->applied_config.index = entry->index;
        memcpy(applied_members(raft), members, config.count * sizeof members[0]);
    }
    members_adopt(raft, entry);
}

static bool judge_config(const struct teak_raft *raft, const struct teak_raft_entry *entry, struct config *config,
                         struct teak_raft_member *members)
{
    return entry->kind == TEAK_RAFT_CONFIG && entry->data &&
           members_judge(entry->data, entry->bytes, members, config) && config->count <= raft->members_max;
}

/* The snapshot's stands among those of the log, or before them. */
static bool take_configs(struct teak_raft *raft, const struct teak_raft_start *start)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    const struct teak_raft_snapshot *snapshot = start->snapshot;
    struct teak_raft_entry held = {.kind = TEAK_RAFT_CONFIG};
    uint64_t before = 0;
    if (snapshot) {
        held.index = snapshot->config_index;
        held.data = snapshot->config;
        held.bytes = snapshot->config_bytes;
    }
    if (start->config_count > 0 && !start->configs) return false;
    for (uint32_t i = 0; i < start->config_count; i++) {
        const struct teak_raft_entry *entry = &start->configs[i];
        if (entry->index <= before || entry->index > start->last.index) return false;
        if (held.index != 0 && held.index <= entry->index) {
            if (!judge_config(raft, &held, &config, members)) return false;
            take_config(raft, &held, config, members);
            if (held.index == entry->index) before = held.index;
            held.index = 0;
        }
        if (!judge_config(raft, entry, &config, members)) return false;
        if (entry->index != before) take_config(raft, entry, config, members);
        before = entry->index;
    }
    if (held.index != 0) {
        if (!judge_config(raft, &held, &config, members)) return false;
        take_config(raft, &held, config, members);
    }
    raft->event_count = raft->events_forgotten = 0; /* nobody was told of them: none of them is news */
    return true;
}

/* No gap between the snapshot and the log; the state machine is not behind both. */
static enum teak_raft_status take_snapshot(struct teak_raft *raft, const struct teak_raft_start *start)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    const struct teak_raft_snapshot *snapshot = start->snapshot;
    raft->first = raft->written_first = raft->durable_first = max_index(start->first, 1);
    if (raft->first > start->last.index + 1) return TEAK_RAFT_DAMAGED;
    if (!snapshot) return raft->first == 1 ? TEAK_RAFT_OK : TEAK_RAFT_DAMAGED;
    const uint64_t index = snapshot->pos.index;
    if (!snap_judge(snapshot, &config, members) || config.count > raft->members_max) return TEAK_RAFT_DAMAGED;
    if (raft->first > index + 1 || index > start->last.index || snapshot->pos.term > start->last.term)
        return TEAK_RAFT_DAMAGED;
    if (index == start->last.index && snapshot->pos.term != start->last.term) return TEAK_RAFT_DAMAGED;
    snap_keep(raft, &raft->snapshot, snapshot);
    raft->written_snapshot = raft->durable_snapshot = index;
    if (start->applied >= index) return TEAK_RAFT_OK;
    raft->restore = index;
    return start->can_restore ? TEAK_RAFT_OK : TEAK_RAFT_APPLIED_TOO_OLD;
}

static enum teak_raft_status take_start(struct teak_raft *raft, const struct teak_raft_start *start)
{
    if (start->verdict == TEAK_RAFT_TAIL_LOST || start->hard.term < start->last.term) return TEAK_RAFT_DAMAGED;
    if (start->hard.commit > start->last.index || start->applied > start->last.index) return TEAK_RAFT_DAMAGED;
    raft->term = raft->written_term = raft->durable_term = start->hard.term;
    raft->vote = raft->written_vote = raft->durable_vote = start->hard.vote;
    raft->last = start->last;
    raft->tail_first = start->last.index + 1;
    raft->written = raft->durable = start->last.index;
    raft->handed = raft->applied = start->applied;
    raft->commit = max_index(start->hard.commit, start->applied);
    if (start->snapshot) raft->commit = max_index(raft->commit, start->snapshot->pos.index);
    raft->rotten = start->verdict == TEAK_RAFT_ROT;
    const enum teak_raft_status status = take_snapshot(raft, start);
    if (status != TEAK_RAFT_OK) return status;
    raft->verified = raft->confirmed = raft->commit;
    if (!take_runs(raft, start) || !take_configs(raft, start)) return TEAK_RAFT_DAMAGED;
    raft->applied_term = raft->handed_term = tail_term(raft, raft->applied);
    return TEAK_RAFT_OK;
}

/* Its former self may have promised a leader not to vote for others, a moment before it ended. A voter alone promised
 * itself. */
static void keep_promise(struct teak_raft *raft)
{
    if (raft->options.promise_max == 0) return;
    if (raft->config.self != 0 && (raft->config.voters | raft->config.next) == raft->config.self) return;
    timer_start(raft, TIMER_PROMISE, raft->options.promise_max);
}

enum teak_raft_status teak_raft_init(void *block, size_t bytes, const struct teak_raft_options *options,
                                     const struct teak_raft_start *start, uint64_t now, struct teak_raft **raft_out)
{
    const size_t size = teak_raft_size(options);
    if (!block || !start || !raft_out || size == 0 || bytes < size || (uintptr_t)block % 16 != 0)
        return TEAK_RAFT_MISUSE;
    if (start->born == 0 || start->incarnation == 0 || now >= TEAK_RAFT_NEVER) return TEAK_RAFT_MISUSE;
    memset(block, 0, size);
    struct teak_raft *raft = (struct teak_raft *)block;
    lay_out(options, raft);
    for (uint32_t i = 0; i < options->snapshot_streams; i++)
        stream_at(raft, i)->snap.config_at =
            raft->stream_configs_at + i * TEAK_RAFT_CONFIG_BYTES(options->members_max);
    raft->options = *options;
    raft->born = start->born;
    raft->incarnation = start->incarnation;
    raft->now = now;
    raft->random = options->seed;
    raft->has_room = true;
    for (int timer = 0; timer < TIMER_COUNT; timer++) timer_stop(raft, (enum timer)timer);
    const enum teak_raft_status status = take_start(raft, start);
    if (status != TEAK_RAFT_OK) return status;
    timer_election(raft);
    keep_promise(raft);
    *raft_out = raft;
    return TEAK_RAFT_OK;
}

void teak_raft_fini(struct teak_raft *raft)
{
    if (!raft) return;
    tail_clear(raft);
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) lane_void(raft, lane);
    streams_clear(raft);
    intake_clear(raft);
}

/* --------------------------------------------------------------------------------------------------------- founding */

enum teak_raft_status teak_raft_bootstrap(const struct teak_raft_member *members, uint32_t count, uint8_t *bytes,
                                          size_t capacity, struct teak_raft_entry *entry,
                                          struct teak_raft_job *job_out)
{
    if (!bytes || !entry || !job_out) return TEAK_RAFT_MISUSE;
    const enum teak_raft_status status = members_wanted(members, count);
    if (status != TEAK_RAFT_OK) return status;
    if (capacity < TEAK_RAFT_CONFIG_BYTES(count)) return TEAK_RAFT_MISUSE;
    *entry = (struct teak_raft_entry){.index = 1, .term = 1, .kind = TEAK_RAFT_CONFIG, .data = bytes,
                                      .bytes = members_encode(members, count, false, bytes)};
    *job_out = (struct teak_raft_job){.hard = {.term = 1, .commit = 1}, .entries = entry, .count = 1, .urgent = true,
                                      .after_first = 1, .after_last = {1, 1}};
    return TEAK_RAFT_OK;
}
