/* store_memory.c: see teak/raft_store_memory.h.
 *
 * OWNS   For each group what is durable (struct shelf), and what is in flight: one queue over all groups (struct deed).
 * PATH   submit: judged against what the log will be, copied → queue → complete: put on the shelf → collect
 *        A read looks through the group's deeds in flight, newest first, then at the shelf.
 * FAILS  No memory for a copy: refused as for want of space. Room on the shelf is taken when a job is submitted, so
 *        that completing never fails.
 * HOLDS  (1) shelf + deeds in flight, in order = what state() says     (2) the queue is in the order of submission
 */
#include "teak/raft_store_memory.h"

#include <stddef.h>
#include <string.h>

#include "stores/news.h"
#include "teak/memory.h"

enum deed_kind { DEED_CREATE, DEED_DROP, DEED_JOB };

/* The name of a snapshot, with its configuration. pos.index 0: none. */
struct label {
    struct teak_raft_snapshot name;
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
};

/* Something in flight. A job's entries have their bytes behind them, in one frame of their own. */
struct deed {
    struct deed *next;
    struct shelf *shelf;
    enum deed_kind kind;
    uint64_t run, token, cut_from, compact_to;
    struct label label;
    bool clears;
    struct teak_raft_hard hard;
    uint32_t count;
    struct teak_raft_entry *entries;
};

/* What is durable of a group, and where it will be when all in flight is. */
struct shelf {
    struct group group; /* the first: news.h */
    bool exists;        /* durably           */
    bool ends;          /* a drop is in flight */
    struct teak_raft_log_state now, durable;
    struct label label; /* durable */
    struct teak_raft_entry *entries; /* those behind durable.base */
    uint64_t capacity;
    uint64_t coming; /* entries of jobs in flight */
    uint64_t rotten;
};

/* The bytes of one job's entries. */
struct parcel_of_bytes {
    struct teak_raft_frame frame;
    uint8_t bytes[];
};

struct memory {
    struct news news;
    struct deed *first, *last;
    uint32_t in_flight;
    bool holds, full, poisoned;
    struct teak_raft_pos *runs; /* start hands these out */
    uint32_t run_capacity;
    struct teak_raft_entry config_pair[2];
};

static uint64_t max_of(uint64_t a, uint64_t b) { return a > b ? a : b; }

static struct memory *memory_of(const struct teak_raft_log_store *store) { return store->self; }

static struct shelf *shelf_of(const struct memory *memory, uint64_t id)
{
    struct shelf *shelf = (struct shelf *)news_find(&memory->news, id);
    return shelf && !shelf->ends ? shelf : NULL;
}

/* ------------------------------------------------------------------------------------------------------------ shelf */

static uint64_t shelf_count(const struct shelf *shelf) { return shelf->durable.last.index - shelf->durable.base.index; }

static void shelf_cut(struct shelf *shelf, uint64_t from)
{
    const struct teak_raft_log_state *durable = &shelf->durable;
    for (uint64_t i = from; i <= durable->last.index; i++)
        teak_raft_drop(shelf->entries[i - durable->base.index - 1].frame);
    if (from > durable->last.index) return;
    shelf->durable.last = from - 1 == durable->base.index
                              ? durable->base
                              : (struct teak_raft_pos){from - 1, shelf->entries[from - 2 - durable->base.index].term};
}

static void shelf_compact(struct shelf *shelf, uint64_t upto)
{
    struct teak_raft_log_state *durable = &shelf->durable;
    if (upto <= durable->base.index) return;
    const uint64_t gone = upto - durable->base.index, stays = shelf_count(shelf) - gone;
    const uint64_t term = shelf->entries[gone - 1].term;
    for (uint64_t i = 0; i < gone; i++) teak_raft_drop(shelf->entries[i].frame);
    memmove(shelf->entries, shelf->entries + gone, stays * sizeof *shelf->entries);
    durable->base = (struct teak_raft_pos){upto, term};
}

static bool shelf_grow(struct shelf *shelf, uint64_t count)
{
    if (count <= shelf->capacity) return true;
    const uint64_t capacity = max_of(count, shelf->capacity * 2);
    struct teak_raft_entry *entries = teak_memory_grow(shelf->entries, capacity * sizeof *entries);
    if (!entries) return false;
    shelf->entries = entries;
    shelf->capacity = capacity;
    return true;
}

static void shelf_free(struct group *group)
{
    struct shelf *shelf = (struct shelf *)group;
    shelf_cut(shelf, shelf->durable.base.index + 1);
    teak_memory_give(shelf->entries);
    teak_memory_give(shelf);
}

/* ------------------------------------------------------------------------------------------------------------ deeds */

static void release_bytes(struct teak_raft_frame *frame) { teak_memory_give(frame); }

static struct deed *make_deed(struct shelf *shelf, enum deed_kind kind, uint32_t count)
{
    struct deed *deed = teak_memory_take(sizeof *deed + count * sizeof(struct teak_raft_entry));
    if (!deed) return NULL;
    *deed = (struct deed){.shelf = shelf, .kind = kind, .run = shelf->group.run,
                          .entries = (struct teak_raft_entry *)(deed + 1)};
    return deed;
}

static void free_deed(struct deed *deed)
{
    for (uint32_t i = 0; i < deed->count; i++) teak_raft_drop(deed->entries[i].frame);
    teak_memory_give(deed);
}

/* Payloads side by side in one piece; what lies so already, as a batch in one frame does, is copied as one. */
static void copy_payloads(uint8_t *to, struct teak_raft_entry *entries, uint32_t count, struct teak_raft_frame *frame)
{
    for (uint32_t i = 0; i < count;) {
        const uint8_t *const from = entries[i].data;
        size_t bytes = 0;
        do {
            bytes += entries[i].bytes;
            entries[i].data = to + bytes - entries[i].bytes;
            entries[i].frame = frame;
            entries[i++].tag = 0;
        } while (i < count && from && entries[i].data == from + bytes);
        if (bytes > 0) memcpy(to, from, bytes);
        to += bytes;
    }
}

/* Copies a job. NULL: no memory. */
static struct deed *copy_job(struct shelf *shelf, const struct teak_raft_job *job)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < job->count; i++) bytes += job->entries[i].bytes;
    struct deed *deed = make_deed(shelf, DEED_JOB, job->count);
    struct parcel_of_bytes *parcel = deed && job->count > 0 ? teak_memory_take(sizeof *parcel + bytes) : NULL;
    if (!deed || (job->count > 0 && !parcel)) {
        teak_memory_give(deed);
        return NULL;
    }
    deed->token = job->token;
    deed->cut_from = job->cut_from;
    deed->compact_to = job->compact_to;
    deed->hard = job->hard;
    if (job->snapshot) {
        deed->clears = job->clear;
        deed->label.name = *job->snapshot;
        memcpy(deed->label.config, job->snapshot->config, job->snapshot->config_bytes);
    }
    deed->count = job->count;
    if (job->count == 0) return deed;
    parcel->frame = (struct teak_raft_frame){.refs = job->count, .bytes = (uint32_t)(sizeof *parcel + bytes),
                                             .free = release_bytes};
    memcpy(deed->entries, job->entries, job->count * sizeof *job->entries);
    copy_payloads(parcel->bytes, deed->entries, job->count, &parcel->frame);
    return deed;
}

static void launch(struct memory *memory, struct deed *deed)
{
    if (memory->first)
        memory->last->next = deed;
    else
        memory->first = deed;
    memory->last = deed;
    memory->in_flight++;
    deed->shelf->group.in_flight++;
    deed->shelf->coming += deed->count;
}

static struct deed *take_oldest(struct memory *memory)
{
    struct deed *deed = memory->first;
    memory->first = deed->next;
    memory->in_flight--;
    deed->shelf->group.in_flight--;
    deed->shelf->coming -= deed->count;
    return deed;
}

static void put_on_shelf(struct deed *deed)
{
    struct shelf *shelf = deed->shelf;
    struct teak_raft_log_state *durable = &shelf->durable;
    switch (deed->kind) {
    case DEED_CREATE: shelf->exists = true; return;
    case DEED_DROP: shelf->exists = false; return;
    case DEED_JOB: break;
    }
    if (deed->cut_from != 0) shelf_cut(shelf, deed->cut_from);
    if (deed->label.name.pos.index != 0) {
        shelf->label = deed->label;
        durable->snapshot = deed->label.name.pos;
        if (deed->clears) {
            shelf_cut(shelf, durable->base.index + 1);
            durable->base = durable->last = durable->snapshot;
        }
    }
    if (deed->count > 0) {
        const struct teak_raft_entry *last = &deed->entries[deed->count - 1];
        memcpy(shelf->entries + shelf_count(shelf), deed->entries, deed->count * sizeof *deed->entries);
        durable->last = (struct teak_raft_pos){last->index, last->term};
    }
    durable->hard = deed->hard;
    shelf_compact(shelf, deed->compact_to);
    deed->count = 0; /* the frames are the shelf's now */
}

static void complete(struct memory *memory, uint32_t count, bool is_told)
{
    while (count-- > 0 && memory->first) {
        struct deed *deed = take_oldest(memory);
        struct shelf *shelf = deed->shelf;
        put_on_shelf(deed);
        if (is_told && deed->kind == DEED_JOB && deed->run == shelf->group.run)
            news_durable(&shelf->group, deed->token);
        if (deed->kind == DEED_DROP) {
            news_remove(&memory->news, &shelf->group);
            shelf_free(&shelf->group);
        }
        free_deed(deed);
    }
}

/* The entry at `index` of the log as it will be; NULL: none. */
static const struct teak_raft_entry *entry_at(const struct memory *memory, const struct shelf *shelf, uint64_t index)
{
    const struct teak_raft_entry *found = NULL;
    if (index <= shelf->now.base.index || index > shelf->now.last.index) return NULL;
    if (index > shelf->durable.base.index && index <= shelf->durable.last.index)
        found = &shelf->entries[index - shelf->durable.base.index - 1];
    for (const struct deed *deed = memory->in_flight > 0 ? memory->first : NULL; deed; deed = deed->next)
        if (deed->shelf == shelf && deed->count > 0 && index >= deed->entries[0].index &&
            index - deed->entries[0].index < deed->count)
            found = &deed->entries[index - deed->entries[0].index];
    return found;
}

static uint64_t term_at(const struct memory *memory, const struct shelf *shelf, uint64_t index)
{
    if (index == shelf->now.base.index) return shelf->now.base.term;
    const struct teak_raft_entry *entry = entry_at(memory, shelf, index);
    return entry ? entry->term : 0;
}

/* ------------------------------------------------------------------------------------------------------------- logs */

static enum teak_raft_status memory_create(void *self, uint64_t id, uint64_t born)
{
    struct memory *memory = self;
    if (born == 0 || shelf_of(memory, id)) return TEAK_RAFT_MISUSE;
    if (memory->poisoned) return TEAK_RAFT_HALTED;
    if (news_find(&memory->news, id)) return TEAK_RAFT_BUSY;
    struct shelf *shelf = teak_memory_take(sizeof *shelf);
    struct deed *deed = shelf ? make_deed(shelf, DEED_CREATE, 0) : NULL;
    if (deed) *shelf = (struct shelf){.group = {.id = id, .born = born}, .now.born = born, .durable.born = born};
    if (!deed || !news_add(&memory->news, &shelf->group)) {
        teak_memory_give(deed);
        teak_memory_give(shelf);
        return TEAK_RAFT_NO_SPACE;
    }
    launch(memory, deed);
    return TEAK_RAFT_OK;
}

static enum teak_raft_status memory_drop(void *self, uint64_t id)
{
    struct memory *memory = self;
    struct shelf *shelf = shelf_of(memory, id);
    if (!shelf) return TEAK_RAFT_MISUSE;
    if (memory->poisoned) return TEAK_RAFT_HALTED;
    if (shelf->group.in_flight > 0) return TEAK_RAFT_BUSY;
    struct deed *deed = make_deed(shelf, DEED_DROP, 0);
    if (!deed) return TEAK_RAFT_NO_SPACE;
    shelf->ends = true;
    news_start(&shelf->group);
    shelf->group.started = false;
    launch(memory, deed);
    return TEAK_RAFT_OK;
}

static uint32_t memory_groups(void *self, bool from_start, uint64_t after, uint64_t *out, uint32_t max)
{
    const struct memory *memory = self;
    uint32_t count = 0;
    for (uint32_t i = 0; i < memory->news.count && count < max; i++) {
        const struct shelf *shelf = (struct shelf *)memory->news.groups[i];
        if ((from_start || shelf->group.id > after) && !shelf->ends) out[count++] = shelf->group.id;
    }
    return count;
}

static enum teak_raft_status memory_fits(void *self, const struct teak_raft_options *options)
{
    (void)self;
    (void)options;
    return TEAK_RAFT_OK;
}

static enum teak_raft_status memory_state(void *self, uint64_t id, struct teak_raft_log_state *out)
{
    const struct shelf *shelf = shelf_of(self, id);
    if (!shelf) return TEAK_RAFT_MISUSE;
    *out = shelf->now;
    return TEAK_RAFT_OK;
}

/* Nothing is in flight: the shelf is all there is. */
static bool find_runs(struct memory *memory, const struct shelf *shelf, struct teak_raft_start *out)
{
    const struct teak_raft_log_state *is = &shelf->durable;
    uint64_t term = 0;
    out->run_count = 0;
    for (uint64_t i = is->base.index; i <= is->last.index; i++) {
        const uint64_t next = i == is->base.index ? is->base.term : shelf->entries[i - is->base.index - 1].term;
        if (i == 0 || next == term) continue;
        term = next;
        if (out->run_count == memory->run_capacity) {
            const uint32_t capacity = memory->run_capacity ? memory->run_capacity * 2 : 16;
            struct teak_raft_pos *runs = teak_memory_grow(memory->runs, capacity * sizeof *runs);
            if (!runs) return false;
            memory->runs = runs;
            memory->run_capacity = capacity;
        }
        memory->runs[out->run_count++] = (struct teak_raft_pos){i, term};
    }
    out->runs = memory->runs;
    return true;
}

static void find_configs(struct memory *memory, const struct shelf *shelf, struct teak_raft_start *out)
{
    struct teak_raft_entry *pair = memory->config_pair;
    uint32_t count = 0;
    for (uint64_t i = shelf_count(shelf); i-- > 0 && count < 2;)
        if (shelf->entries[i].kind == TEAK_RAFT_CONFIG) pair[count++] = shelf->entries[i];
    if (count == 2) {
        const struct teak_raft_entry newest = pair[0];
        pair[0] = pair[1];
        pair[1] = newest;
    }
    out->configs = pair;
    out->config_count = count;
}

static enum teak_raft_status memory_start(void *self, uint64_t id, struct teak_raft_start *out)
{
    struct memory *memory = self;
    struct shelf *shelf = shelf_of(memory, id);
    if (!shelf) return TEAK_RAFT_MISUSE;
    if (memory->poisoned) return TEAK_RAFT_HALTED;
    if (shelf->group.in_flight > 0) return TEAK_RAFT_BUSY;
    if (!find_runs(memory, shelf, out)) return TEAK_RAFT_NO_SPACE;
    find_configs(memory, shelf, out);
    out->hard = shelf->durable.hard;
    out->last = shelf->durable.last;
    out->first = shelf->durable.base.index + 1;
    shelf->label.name.config = shelf->label.config;
    out->snapshot = shelf->label.name.pos.index != 0 ? &shelf->label.name : NULL;
    out->born = shelf->group.born;
    out->verdict = TEAK_RAFT_WHOLE;
    news_start(&shelf->group);
    return TEAK_RAFT_OK;
}

/* ------------------------------------------------------------------------------------------------------------- jobs */

static bool is_well_formed(const struct teak_raft_job *job)
{
    for (uint32_t i = 0; i < job->count; i++)
        if (job->entries[i].index != job->entries[0].index + i ||
            (job->entries[i].bytes > 0 && !job->entries[i].data))
            return false;
    const struct teak_raft_snapshot *snapshot = job->snapshot;
    if (snapshot && (!snapshot->config || snapshot->config_bytes > sizeof((struct label *)NULL)->config)) return false;
    return job->count == 0 || job->entries;
}

static bool hard_goes_on(const struct teak_raft_hard *was, const struct teak_raft_hard *is)
{
    if (is->term < was->term || is->commit < was->commit) return false;
    return is->term > was->term || was->vote == 0 || is->vote == was->vote;
}

/* A snapshot comes: one's own stands in the log, which stays; another one clears it. */
static bool judge_snapshot(const struct memory *memory, const struct shelf *shelf, const struct teak_raft_job *job,
                           struct teak_raft_log_state *after)
{
    const struct teak_raft_pos at = job->snapshot->pos;
    const bool is_there = at.index >= after->base.index && at.index <= after->last.index;
    if (at.index <= after->snapshot.index) return false;
    if (job->clear == (is_there && term_at(memory, shelf, at.index) == at.term)) return false;
    after->snapshot = at;
    if (job->clear) after->base = after->last = at;
    return true;
}

/* What the log is after the job; false: it contradicts the log. */
static bool judge(const struct memory *memory, const struct shelf *shelf, const struct teak_raft_job *job,
                  struct teak_raft_log_state *after)
{
    *after = shelf->now;
    if (job->cut_from != 0) {
        if (job->cut_from > after->last.index + 1 || job->cut_from <= max_of(after->base.index, after->snapshot.index))
            return false;
        after->last = (struct teak_raft_pos){job->cut_from - 1, term_at(memory, shelf, job->cut_from - 1)};
    }
    if (job->snapshot && !judge_snapshot(memory, shelf, job, after)) return false;
    for (uint32_t i = 0; i < job->count; i++) {
        const struct teak_raft_entry *entry = &job->entries[i];
        if (entry->index != after->last.index + 1 || entry->term < after->last.term) return false;
        after->last = (struct teak_raft_pos){entry->index, entry->term};
    }
    if (!hard_goes_on(&after->hard, &job->hard)) return false;
    after->hard = job->hard;
    if (job->compact_to > after->base.index) {
        if (job->compact_to > after->snapshot.index) return false;
        after->base = (struct teak_raft_pos){job->compact_to, term_at(memory, shelf, job->compact_to)};
    }
    return job->after_first == after->base.index + 1 && after->last.index == job->after_last.index &&
           after->last.term == job->after_last.term;
}

static enum teak_raft_status memory_submit(void *self, uint64_t id, const struct teak_raft_job *job)
{
    struct memory *memory = self;
    struct shelf *shelf = shelf_of(memory, id);
    struct teak_raft_log_state after;
    if (!shelf || !shelf->group.started || !job || !is_well_formed(job)) return TEAK_RAFT_MISUSE;
    if (news_passes_over(&shelf->group)) return TEAK_RAFT_OK;
    if (memory->poisoned || shelf->group.poisoned || !judge(memory, shelf, job, &after)) {
        news_refuse(&shelf->group, job->token, TEAK_RAFT_POISONED);
        return TEAK_RAFT_OK;
    }
    struct deed *deed = memory->full && job->count > 0 ? NULL : copy_job(shelf, job);
    if (!deed || !shelf_grow(shelf, shelf_count(shelf) + shelf->coming + job->count)) {
        if (deed) free_deed(deed);
        news_refuse(&shelf->group, job->token, TEAK_RAFT_NO_ROOM);
        return TEAK_RAFT_OK;
    }
    shelf->now = after;
    launch(memory, deed);
    return TEAK_RAFT_OK;
}

/* ---------------------------------------------------------------------------------------------------------- reading */

/* How many entries from fetch->first on it may have, and their bytes. */
static uint32_t measure(const struct memory *memory, const struct shelf *shelf, const struct teak_raft_fetch *fetch,
                        uint64_t *bytes_out)
{
    uint32_t count = 0;
    *bytes_out = 0;
    for (uint64_t i = fetch->first; i <= fetch->last && i != shelf->rotten && count < UINT32_MAX; i++) {
        const struct teak_raft_entry *entry = entry_at(memory, shelf, i);
        if (!entry || (count > 0 && *bytes_out + entry->bytes > fetch->bytes_max)) break;
        *bytes_out += entry->bytes;
        count++;
    }
    return count;
}

static enum teak_raft_status memory_fetch(void *self, uint64_t id, const struct teak_raft_fetch *fetch)
{
    struct memory *memory = self;
    struct shelf *shelf = shelf_of(memory, id);
    if (!shelf || !shelf->group.started || !fetch || fetch->first == 0) return TEAK_RAFT_MISUSE;
    uint64_t bytes;
    const uint32_t count = measure(memory, shelf, fetch, &bytes);
    struct answer *answer = news_make_answer(&shelf->group, fetch->ticket, count, bytes);
    if (!answer) return TEAK_RAFT_BUSY;
    for (uint32_t i = 0; i < count; i++) news_put_entry(answer, entry_at(memory, shelf, fetch->first + i));
    const bool knows_before = fetch->first - 1 >= shelf->now.base.index && fetch->first - 1 <= shelf->now.last.index;
    answer->term_before = knows_before ? term_at(memory, shelf, fetch->first - 1) : 0;
    if (!knows_before || (count == 0 && fetch->last >= fetch->first)) answer->outcome = TEAK_RAFT_CORRUPT;
    news_answer(&memory->news, answer);
    return TEAK_RAFT_OK;
}

/* ---------------------------------------------------------------------------------------------------------- driving */

static bool memory_takes(void *self)
{
    (void)self;
    return true;
}

/* Nothing here takes time: there is nothing to wait for. */
static uint32_t memory_collect(void *self, uint64_t wait_ns, struct teak_raft_completion *out, uint32_t max)
{
    struct memory *memory = self;
    (void)wait_ns;
    news_forget_lent(&memory->news);
    if (!memory->holds) complete(memory, memory->in_flight, true);
    if (!memory->full) news_room(&memory->news);
    return news_collect(&memory->news, out, max);
}

static void forget_flights(struct memory *memory)
{
    while (memory->in_flight > 0) free_deed(take_oldest(memory));
}

static void memory_close(void *self)
{
    struct memory *memory = self;
    if (!memory) return;
    forget_flights(memory);
    news_fini(&memory->news, shelf_free);
    teak_memory_give(memory->runs);
    teak_memory_give(memory);
}

static const struct teak_raft_log_store_ops memory_ops = {
    .create = memory_create, .drop = memory_drop, .groups = memory_groups, .fits = memory_fits, .start = memory_start,
    .state = memory_state, .takes = memory_takes, .submit = memory_submit, .fetch = memory_fetch,
    .collect = memory_collect, .close = memory_close,
};

enum teak_raft_status teak_raft_memory_open(struct teak_raft_log_store *out)
{
    if (!out) return TEAK_RAFT_MISUSE;
    struct memory *memory = teak_memory_take(sizeof *memory);
    if (!memory) return TEAK_RAFT_NO_SPACE;
    *memory = (struct memory){.in_flight = 0};
    *out = (struct teak_raft_log_store){.ops = &memory_ops, .self = memory};
    return TEAK_RAFT_OK;
}

/* ----------------------------------------------------------------------------------------------- what tests ask for */

void teak_raft_memory_hold(struct teak_raft_log_store *store, bool on) { memory_of(store)->holds = on; }

void teak_raft_memory_full(struct teak_raft_log_store *store, bool on) { memory_of(store)->full = on; }

uint32_t teak_raft_memory_in_flight(const struct teak_raft_log_store *store) { return memory_of(store)->in_flight; }

uint32_t teak_raft_memory_complete(struct teak_raft_log_store *store, uint32_t count)
{
    struct memory *memory = memory_of(store);
    const uint32_t before = memory->in_flight;
    complete(memory, count, true);
    return before - memory->in_flight;
}

void teak_raft_memory_poison(struct teak_raft_log_store *store, uint32_t kept)
{
    struct memory *memory = memory_of(store);
    for (; memory->in_flight > 0; kept -= kept > 0) {
        const struct deed *deed = memory->first;
        struct group *group = &deed->shelf->group;
        if (deed->kind == DEED_JOB && deed->run == group->run) news_refuse(group, deed->token, TEAK_RAFT_POISONED);
        if (kept > 0)
            complete(memory, 1, false);
        else
            free_deed(take_oldest(memory));
    }
    memory->poisoned = true;
}

void teak_raft_memory_crash(struct teak_raft_log_store *store, uint32_t kept)
{
    struct memory *memory = memory_of(store);
    complete(memory, kept, false);
    forget_flights(memory);
    memory->holds = memory->full = memory->poisoned = false;
    for (uint32_t i = memory->news.count; i-- > 0;) {
        struct shelf *shelf = (struct shelf *)memory->news.groups[i];
        news_start(&shelf->group);
        shelf->group.started = shelf->ends = false;
        shelf->now = shelf->durable;
        if (shelf->exists) continue;
        news_remove(&memory->news, &shelf->group);
        shelf_free(&shelf->group);
    }
}

enum teak_raft_status teak_raft_memory_rot(struct teak_raft_log_store *store, uint64_t group, uint64_t index)
{
    struct shelf *shelf = shelf_of(memory_of(store), group);
    if (!shelf) return TEAK_RAFT_MISUSE;
    shelf->rotten = index;
    return TEAK_RAFT_OK;
}
