/* store_teak.c: see teak/raft_store_teak.h.
 *
 * OWNS   What every batch given to the engine stands for (the ring of flights, in the order of submission: so do the
 *        engine's completions come), jobs that wait for the engine (FAILS), and fetches under way.
 * PATH   submit → judged against the engine's log → one batch → poll → its flight → news → collect
 * FAILS  FULL, no memory, or an error of the world's that may pass, with nothing written (is_for_later): the job is
 *        copied and waits, all behind it wait too, and takes() says no. NO_SPACE: refused; ROOM when the engine lacks
 *        space no longer. No memory for the copy either: refused, and for a pause takes() says no and there is no ROOM:
 *        a term or a vote needs none, and would come again at once. What else the engine says of a batch that our own
 *        judgement let through, and POISONED: the group is poisoned.
 * HOLDS  (1) flights are told in the order of submission     (2) what waits was submitted behind all flights
 *        (3) the engine's log, which counts what was submitted, is what the next job is judged against
 */
#include "teak/raft_store_teak.h"

#include <string.h>

#include "stores/news.h"
#include "teak/clock.h"
#include "teak/engine.h"
#include "teak/memory.h"

enum { META_BYTES = 24, DONE_MAX = 64, FETCH_MAX = 4096, READ_TRIES = 8 };
enum { CONFIG_BYTES_MAX = TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX) };
enum { LABEL_WORDS = 6, LABEL_BYTES_MAX = 8 * LABEL_WORDS + CONFIG_BYTES_MAX };
#define READ_TRY_NS UINT64_C(1000000000)
#define PAUSE_NS UINT64_C(100000000)
#define LABELS (UINT64_C(1) << 63) /* so far above a group's log is that of its snapshot's name */

/* A job that waits for memory in the engine; its entries and their bytes are behind it. */
struct waiting {
    struct waiting *next;
    struct group *group;
    uint64_t run;
    struct teak_raft_job job;
    struct teak_raft_snapshot snapshot; /* the job's, if it has one */
    uint8_t config[CONFIG_BYTES_MAX];
    struct teak_raft_entry entries[];
};

struct flown {
    struct group *group;
    uint64_t run, token;
    bool is_job, is_drop;
};

struct wanted {
    struct wanted *next;
    struct group *group;
    uint64_t run;
    struct teak_raft_fetch fetch;
    struct teak_cursor *cursor; /* NULL: not open yet */
    uint32_t errors;            /* of the medium, so far, of those in one READ_TRY_NS one */
    uint64_t counted_ns;        /* when the newest of them came                           */
    uint64_t retry_ns;          /* not tried before                                       */
};

struct adapter {
    struct teak_store *engine;
    struct news news;
    struct flown *flights; /* a ring */
    uint64_t flight_first, flight_end;
    uint32_t flight_capacity; /* a power of two */
    struct waiting *wait_first, *wait_last;
    struct wanted *wanted;
    uint64_t pause_ns; /* no job before: there was no memory to let one wait; 0: none such */
    uint64_t retry_ns; /* what waits is not tried before; 0: at once                       */
    bool failed;       /* the engine drives no more                                        */
    /* room to put batches and reads in */
    struct teak_op *ops;
    struct teak_bytes *payloads;
    struct teak_entry *entries;
    uint32_t op_room, payload_room, entry_room;
    /* what start hands out */
    struct teak_raft_pos *runs;
    uint32_t run_room;
    struct teak_raft_entry configs[2];
    uint8_t config_bytes[2][CONFIG_BYTES_MAX];
    struct teak_raft_snapshot snapshot;
    uint8_t label[LABEL_BYTES_MAX]; /* of that, or of a job's */
    struct teak_bytes labelled;     /* that */
};

static uint64_t max_of(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Room for at least `count` things of `size`, in place of `room`, which has room for `have`. NULL: no memory, all stays
 * as it was. */
static void *make_room(void *room, uint32_t *have, uint64_t count, size_t size)
{
    uint64_t want = *have ? *have : 64;
    while (want < count) want *= 2;
    if (room && want == *have) return room;
    void *more = want <= UINT32_MAX ? teak_memory_grow(room, want * size) : NULL;
    if (more) *have = (uint32_t)want;
    return more;
}

/* ----------------------------------------------------------------------------------------------------------- groups */

static uint64_t get64(const uint8_t *from)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < 8; i++) value |= (uint64_t)from[i] << 8 * i;
    return value;
}

static void put64(uint8_t *to, uint64_t value)
{
    for (uint32_t i = 0; i < 8; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* The store's instance, in short. */
static uint64_t mark_of(const struct teak_store *engine)
{
    struct teak_limits limits;
    teak_limits(engine, &limits);
    return get64(limits.instance) ^ get64(limits.instance + 8);
}

/* In a copy of the store that created it, a log was born anew: what it promised went on elsewhere. */
static bool read_meta(struct teak_store *engine, uint64_t id, uint64_t *born_out)
{
    static const uint8_t head[8] = {'T', 'K', 'R', 'F', 1};
    uint8_t meta[META_BYTES];
    uint32_t bytes;
    *born_out = 0;
    if (teak_meta(engine, id, meta, sizeof meta, &bytes, NULL) != TEAK_OK) return false;
    if (bytes != META_BYTES || memcmp(meta, head, sizeof head) != 0) return false;
    const uint64_t born = get64(meta + 8), moved = born ^ get64(meta + 16) ^ mark_of(engine);
    if (born != 0) *born_out = moved != 0 ? moved : 1;
    return born != 0;
}

static void write_meta(uint8_t meta[META_BYTES], uint64_t born, uint64_t mark)
{
    memset(meta, 0, META_BYTES);
    memcpy(meta, "TKRF\1", 5);
    put64(meta + 8, born);
    put64(meta + 16, mark);
}

static void free_group(struct group *group) { teak_memory_give(group); }

static struct group *add_group(struct adapter *adapter, uint64_t id)
{
    struct group *group = teak_memory_take(sizeof *group);
    if (!group) return NULL;
    *group = (struct group){.id = id};
    if (news_add(&adapter->news, group)) return group;
    teak_memory_give(group);
    return NULL;
}

static bool engine_has(const struct adapter *adapter, uint64_t id)
{
    struct teak_log log;
    return teak_log(adapter->engine, id, &log, NULL) == TEAK_OK;
}

static bool adapter_takes(void *self)
{
    const struct adapter *adapter = self;
    return !adapter->wait_first && adapter->pause_ns == 0;
}

/* --------------------------------------------------------------------------------------------------------- flights */

/* Room for one more: taken before the engine is given anything. */
static bool flight_room(struct adapter *adapter)
{
    if (adapter->flight_end - adapter->flight_first < adapter->flight_capacity) return true;
    const uint32_t capacity = adapter->flight_capacity ? adapter->flight_capacity * 2 : 64;
    struct flown *flights = teak_memory_take(capacity * sizeof *flights);
    if (!flights) return false;
    for (uint64_t i = adapter->flight_first; i != adapter->flight_end; i++)
        flights[i & (capacity - 1)] = adapter->flights[i & (adapter->flight_capacity - 1)];
    teak_memory_give(adapter->flights);
    adapter->flights = flights;
    adapter->flight_capacity = capacity;
    return true;
}

static enum teak_status give(struct adapter *adapter, const struct teak_batch *batch, struct flown flown)
{
    if (!flight_room(adapter)) return TEAK_NO_MEMORY;
    const enum teak_status status = teak_submit(adapter->engine, batch, NULL);
    if (status != TEAK_OK) return status;
    adapter->flights[adapter->flight_end++ & (adapter->flight_capacity - 1)] = flown;
    flown.group->in_flight++;
    return TEAK_OK;
}

static void land(struct adapter *adapter, enum teak_status status)
{
    const struct flown flown = adapter->flights[adapter->flight_first++ & (adapter->flight_capacity - 1)];
    struct group *group = flown.group;
    group->in_flight--;
    if (status != TEAK_OK) adapter->failed = true;
    if (flown.is_job && flown.run == group->run) {
        if (status == TEAK_OK)
            news_durable(group, flown.token);
        else
            news_refuse(group, flown.token, TEAK_RAFT_POISONED);
    }
    if (!flown.is_drop || status != TEAK_OK) return;
    news_remove(&adapter->news, group);
    teak_memory_give(group);
}

/* ------------------------------------------------------------------------------------------------------------ logs */

/* Did the world say no, and not the log? Nothing was written, and the same can be done later: the engine makes its next
 * segment at another try, or begins to write at the next batch. */
static bool is_for_later(enum teak_status status)
{
    switch (status) {
    case TEAK_FULL: case TEAK_NO_MEMORY: case TEAK_IO: case TEAK_DENIED: case TEAK_READ_ONLY_FS: return true;
    default: return false;
    }
}

/* Then there is a pause, but where the engine is only full: its first batch makes a file at each try. */
static bool comes_later(struct adapter *adapter, enum teak_status status)
{
    if (!is_for_later(status)) return false;
    adapter->retry_ns = status == TEAK_FULL ? 0 : teak_now(adapter->engine) + PAUSE_NS;
    return true;
}

static bool is_paused(const struct adapter *adapter)
{
    return adapter->retry_ns != 0 && !adapter->failed && teak_now(adapter->engine) < adapter->retry_ns;
}

/* What a change of a log that is no job answers. */
static enum teak_raft_status answer(struct adapter *adapter, enum teak_status status)
{
    switch (status) {
    case TEAK_OK: return TEAK_RAFT_OK;
    case TEAK_NO_SPACE: case TEAK_TOO_MANY_LOGS: return TEAK_RAFT_NO_SPACE;
    case TEAK_LOG_EXISTS: case TEAK_UNKNOWN_LOG: case TEAK_INDEX_ZERO: case TEAK_BEYOND: return TEAK_RAFT_MISUSE;
    default: return comes_later(adapter, status) ? TEAK_RAFT_BUSY : TEAK_RAFT_HALTED;
    }
}

static enum teak_raft_status adapter_create(void *self, uint64_t id, uint64_t born)
{
    struct adapter *adapter = self;
    uint8_t meta[META_BYTES];
    if (born == 0 || id >= LABELS) return TEAK_RAFT_MISUSE;
    if (engine_has(adapter, id)) return TEAK_RAFT_MISUSE;
    if (adapter->failed) return TEAK_RAFT_HALTED;
    if (!adapter_takes(self) || is_paused(adapter) || news_find(&adapter->news, id)) return TEAK_RAFT_BUSY;
    struct group *group = add_group(adapter, id);
    if (!group) return TEAK_RAFT_BUSY;
    write_meta(meta, born, mark_of(adapter->engine));
    group->born = born;
    const struct teak_op ops[] = {{.op = TEAK_OP_CREATE, .log = id},
                                  {.op = TEAK_OP_META, .log = id, .data = meta, .bytes = sizeof meta}};
    const struct teak_batch batch = {.ops = ops, .count = 2};
    const enum teak_raft_status status = answer(adapter, give(adapter, &batch, (struct flown){.group = group}));
    if (status == TEAK_RAFT_OK) return status;
    news_remove(&adapter->news, group);
    teak_memory_give(group);
    return status;
}

/* All of a group's, or those that are for the same purpose as `like`. */
static void forget_fetches(struct adapter *adapter, const struct group *group, const struct teak_raft_fetch *like)
{
    for (struct wanted **link = &adapter->wanted; *link;) {
        struct wanted *wanted = *link;
        if (wanted->group != group || (like && wanted->fetch.to_apply != like->to_apply)) {
            link = &wanted->next;
            continue;
        }
        *link = wanted->next;
        teak_cursor_close(wanted->cursor);
        teak_memory_give(wanted);
    }
}

static enum teak_raft_status adapter_drop(void *self, uint64_t id)
{
    struct adapter *adapter = self;
    if (id >= LABELS || !engine_has(adapter, id)) return TEAK_RAFT_MISUSE;
    if (adapter->failed) return TEAK_RAFT_HALTED;
    struct group *group = news_find(&adapter->news, id);
    if (!group) group = add_group(adapter, id);
    if (!group || !adapter_takes(self) || is_paused(adapter) || group->in_flight > 0) return TEAK_RAFT_BUSY;
    const struct teak_op ops[] = {{.op = TEAK_OP_DROP, .log = id}, {.op = TEAK_OP_DROP, .log = id + LABELS}};
    const struct teak_batch batch = {.ops = ops, .count = engine_has(adapter, id + LABELS) ? 2 : 1};
    const enum teak_raft_status status =
        answer(adapter, give(adapter, &batch, (struct flown){.group = group, .is_drop = true}));
    if (status != TEAK_RAFT_OK) return status;
    forget_fetches(adapter, group, NULL);
    news_start(group);
    group->started = false;
    return status;
}

static uint32_t adapter_groups(void *self, bool from_start, uint64_t after, uint64_t *out, uint32_t max)
{
    uint32_t count = teak_logs(((struct adapter *)self)->engine, from_start, after, out, max);
    while (count > 0 && out[count - 1] >= LABELS) count--; /* they come last */
    return count;
}

/* The largest job: job_bytes_max of payload or one entry, whichever is more, in as many entries as a job may have, each
 * of another term or kind than the one before. */
static enum teak_raft_status adapter_fits(void *self, const struct teak_raft_options *options)
{
    struct teak_limits limits;
    teak_limits(((struct adapter *)self)->engine, &limits);
    const struct teak_bytes one = {.data = "", .bytes = 1}; /* and what it is padded with */
    const struct teak_op ops[] = {{.op = TEAK_OP_TRUNCATE, .index = 1},
                                  {.op = TEAK_OP_HARD_STATE},
                                  {.op = TEAK_OP_ENTRIES, .index = 1, .term = 1, .entries = &one, .count = 1}};
    const uint64_t least = teak_batch_bytes(&(struct teak_batch){.ops = ops, .count = 2});
    const uint64_t entry = teak_batch_bytes(&(struct teak_batch){.ops = ops, .count = 3}) - least;
    const uint64_t payload = max_of(options->job_bytes_max, options->entry_bytes_max);
    /* A snapshot, its name, compaction: five operations, none larger than an entry's. */
    const uint64_t most = least + payload + (options->tail_entries / 2 + 5) * entry + LABEL_BYTES_MAX;
    return options->entry_bytes_max <= limits.entry_bytes && most <= limits.batch_bytes ? TEAK_RAFT_OK
                                                                                        : TEAK_RAFT_TOO_LARGE;
}

static struct teak_raft_pos pos_of(struct teak_pos pos) { return (struct teak_raft_pos){pos.index, pos.term}; }

static enum teak_raft_status adapter_state(void *self, uint64_t id, struct teak_raft_log_state *out)
{
    struct adapter *adapter = self;
    struct teak_log log;
    if (id >= LABELS || teak_log(adapter->engine, id, &log, NULL) != TEAK_OK) return TEAK_RAFT_MISUSE;
    *out = (struct teak_raft_log_state){.base = pos_of(log.base), .last = pos_of(log.last),
                                        .snapshot = pos_of(log.snapshot),
                                        .hard = {log.hard.term, log.hard.vote, log.hard.commit}};
    (void)read_meta(adapter->engine, id, &out->born); /* 0: not ours, and start says so */
    return TEAK_RAFT_OK;
}

/* ------------------------------------------------------------------------------------------------------------ start */

/* All runs, the oldest first. The engine's begin above the base of a compacted log; the commit index may be the base,
 * and its term is to be known. */
static enum teak_raft_status find_runs(struct adapter *adapter, uint64_t id, struct teak_pos base,
                                       struct teak_raft_start *out)
{
    struct teak_pos newest_first[64], *found = newest_first;
    uint32_t room = 64, count = 64;
    while (teak_term_runs(adapter->engine, id, found, room, &count, NULL) == TEAK_OK && count == room) {
        struct teak_pos *more = teak_memory_grow(found == newest_first ? NULL : found, 2 * room * sizeof *found);
        if (!more) break; /* count == room: there are older ones */
        found = more;
        room *= 2;
    }
    struct teak_raft_pos *runs =
        count < room ? make_room(adapter->runs, &adapter->run_room, (uint64_t)count + 1, sizeof *runs) : NULL;
    if (runs) adapter->runs = runs;
    out->run_count = 0;
    if (runs && base.index > 0) runs[out->run_count++] = pos_of(base);
    for (uint32_t i = runs ? count : 0; i-- > 0;) {
        if (found[i].index <= base.index || found[i].term == 0) continue; /* it says no more than the base */
        if (out->run_count == 0 || runs[out->run_count - 1].term != found[i].term)
            runs[out->run_count++] = pos_of(found[i]);
    }
    if (found != newest_first) teak_memory_give(found);
    out->runs = runs;
    return runs ? TEAK_RAFT_OK : TEAK_RAFT_NO_SPACE;
}

/* What start answers where reading ended so. */
static enum teak_raft_status unreadable(enum teak_status status)
{
    return status == TEAK_NO_MEMORY ? TEAK_RAFT_NO_SPACE : TEAK_RAFT_DAMAGED;
}

static enum teak_raft_status read_config(struct adapter *adapter, uint64_t id, struct teak_pos at, uint32_t place)
{
    struct teak_cursor *cursor;
    struct teak_entry entry;
    uint32_t count = 0;
    enum teak_status status = teak_cursor_open(adapter->engine, id, at.index, &cursor, NULL);
    if (status != TEAK_OK) return unreadable(status);
    status = teak_cursor_read(cursor, 1, &entry, 1, &count, NULL);
    const bool fits = status == TEAK_OK && count == 1 && entry.kind == TEAK_RAFT_CONFIG &&
                      entry.bytes <= sizeof adapter->config_bytes[place];
    if (fits) {
        memcpy(adapter->config_bytes[place], entry.data, entry.bytes);
        adapter->configs[place] = (struct teak_raft_entry){.index = entry.index, .term = entry.term,
                                                           .kind = entry.kind, .bytes = entry.bytes,
                                                           .data = adapter->config_bytes[place]};
    }
    teak_cursor_close(cursor);
    return fits ? TEAK_RAFT_OK : unreadable(status);
}

/* The two newest CONFIG entries, ascending. */
static enum teak_raft_status find_configs(struct adapter *adapter, uint64_t id, uint64_t last,
                                          struct teak_raft_start *out)
{
    struct teak_pos found[2];
    uint32_t count = 0;
    enum teak_status status = TEAK_OK;
    while (count < 2 && last > 0) {
        status = teak_last_of_kind(adapter->engine, id, TEAK_RAFT_CONFIG, last, &found[count], NULL);
        if (status != TEAK_OK) break;
        last = found[count++].index - 1;
    }
    if (status != TEAK_OK && status != TEAK_NOT_FOUND) return unreadable(status);
    for (uint32_t i = 0; i < count; i++) {
        const enum teak_raft_status is = read_config(adapter, id, found[count - 1 - i], i);
        if (is != TEAK_RAFT_OK) return is;
    }
    out->configs = adapter->configs;
    out->config_count = count;
    return TEAK_RAFT_OK;
}

/* The name of the snapshot at `at`: the last entry of the log above the group's. */
static enum teak_raft_status find_snapshot(struct adapter *adapter, uint64_t id, struct teak_pos at,
                                           struct teak_raft_start *out)
{
    struct teak_cursor *cursor;
    struct teak_entry entry = {.bytes = 0};
    struct teak_log log;
    uint32_t count = 0;
    out->snapshot = NULL;
    if (at.index == 0) return TEAK_RAFT_OK;
    if (teak_log(adapter->engine, id + LABELS, &log, NULL) != TEAK_OK) return TEAK_RAFT_DAMAGED;
    enum teak_status status = teak_cursor_open(adapter->engine, id + LABELS, log.last.index, &cursor, NULL);
    if (status != TEAK_OK) return unreadable(status);
    status = teak_cursor_read(cursor, LABEL_BYTES_MAX, &entry, 1, &count, NULL);
    const bool fits =
        status == TEAK_OK && count == 1 && entry.bytes >= 8 * LABEL_WORDS && entry.bytes <= LABEL_BYTES_MAX;
    if (fits) memcpy(adapter->label, entry.data, entry.bytes);
    teak_cursor_close(cursor);
    if (!fits) return unreadable(status);
    const uint8_t *label = adapter->label;
    adapter->snapshot = (struct teak_raft_snapshot){
        .pos = {get64(label), get64(label + 8)}, .born = get64(label + 16), .bytes = get64(label + 24),
        .checksum = get64(label + 32), .config_index = get64(label + 40), .config = label + 8 * LABEL_WORDS,
        .config_bytes = entry.bytes - 8 * LABEL_WORDS};
    out->snapshot = &adapter->snapshot;
    const struct teak_raft_pos pos = adapter->snapshot.pos;
    return pos.index == at.index && pos.term == at.term ? TEAK_RAFT_OK : TEAK_RAFT_DAMAGED;
}

static bool waits(const struct adapter *adapter, const struct group *group)
{
    for (const struct waiting *waiting = adapter->wait_first; waiting; waiting = waiting->next)
        if (waiting->group == group) return true;
    return false;
}

static enum teak_raft_status adapter_start(void *self, uint64_t id, struct teak_raft_start *out)
{
    struct adapter *adapter = self;
    struct teak_log log;
    uint64_t born;
    if (id >= LABELS || teak_log(adapter->engine, id, &log, NULL) != TEAK_OK) return TEAK_RAFT_MISUSE;
    if (adapter->failed) return TEAK_RAFT_HALTED;
    struct group *group = news_find(&adapter->news, id);
    if (group && (group->in_flight > 0 || waits(adapter, group))) return TEAK_RAFT_BUSY;
    if (!read_meta(adapter->engine, id, &born)) return TEAK_RAFT_DAMAGED;
    if (!group) group = add_group(adapter, id);
    if (!group) return TEAK_RAFT_NO_SPACE;
    enum teak_raft_status status = find_runs(adapter, id, log.base, out);
    if (status == TEAK_RAFT_OK) status = find_configs(adapter, id, log.last.index, out);
    if (status == TEAK_RAFT_OK) status = find_snapshot(adapter, id, log.snapshot, out);
    if (status != TEAK_RAFT_OK) return status;
    out->first = log.base.index + 1;
    out->hard = (struct teak_raft_hard){log.hard.term, log.hard.vote, log.hard.commit};
    out->last = pos_of(log.last);
    out->born = group->born = born;
    out->verdict = log.marks != 0 ? TEAK_RAFT_TAIL_LOST : TEAK_RAFT_WHOLE;
    news_start(group);
    return TEAK_RAFT_OK;
}

/* ------------------------------------------------------------------------------------------------------------- jobs */

static bool hard_goes_on(const struct teak_hard_state *was, const struct teak_raft_hard *is)
{
    if (is->term < was->term || is->commit < was->commit) return false;
    return is->term > was->term || was->vote == 0 || is->vote == was->vote;
}

/* A snapshot comes: one's own stands in the log, which stays; another one clears it. That is what the engine does with
 * it, and what the job has to say. `log` ends where the job has cut it. */
static bool judge_snapshot(const struct adapter *adapter, const struct teak_raft_job *job, struct teak_log *log)
{
    const struct teak_raft_pos at = job->snapshot->pos;
    uint64_t term = 0;
    if (at.index <= log->snapshot.index) return false;
    const bool is_there = at.index >= log->base.index && at.index <= log->last.index &&
                          teak_term_at(adapter->engine, log->id, at.index, &term, NULL) == TEAK_OK;
    if (job->clear == (is_there && term == at.term)) return false;
    log->snapshot = (struct teak_pos){at.index, at.term};
    if (job->clear) log->base = log->last = log->snapshot;
    return true;
}

/* Does the job go on where the log is, and begin and end where it says? And does its hard state say something new? */
static bool judge(const struct adapter *adapter, uint64_t id, const struct teak_raft_job *job, bool *says_hard_out)
{
    struct teak_log log;
    if (teak_log(adapter->engine, id, &log, NULL) != TEAK_OK || log.marks != 0) return false;
    *says_hard_out = log.hard.term != job->hard.term || log.hard.vote != job->hard.vote ||
                     log.hard.commit != job->hard.commit;
    if (job->cut_from != 0) {
        const uint64_t floor = max_of(log.base.index, log.snapshot.index);
        if (job->cut_from > log.last.index + 1 || job->cut_from <= floor) return false;
        log.last.index = job->cut_from - 1;
        if (teak_term_at(adapter->engine, id, log.last.index, &log.last.term, NULL) != TEAK_OK) return false;
    }
    if (job->snapshot && !judge_snapshot(adapter, job, &log)) return false;
    for (uint32_t i = 0; i < job->count; i++) {
        const struct teak_raft_entry *entry = &job->entries[i];
        if (entry->index != log.last.index + 1 || entry->term < log.last.term) return false;
        log.last = (struct teak_pos){entry->index, entry->term};
    }
    if (!hard_goes_on(&log.hard, &job->hard) || job->compact_to > log.snapshot.index) return false;
    return job->after_first == max_of(log.base.index, job->compact_to) + 1 &&
           log.last.index == job->after_last.index && log.last.term == job->after_last.term;
}

/* The snapshot's mark, and its name in place of the one before. Returns how many operations. */
static uint32_t build_snapshot(struct adapter *adapter, uint64_t id, const struct teak_raft_snapshot *snapshot,
                               struct teak_op *ops)
{
    const uint64_t words[LABEL_WORDS] = {snapshot->pos.index, snapshot->pos.term, snapshot->born, snapshot->bytes,
                                         snapshot->checksum, snapshot->config_index};
    uint32_t count = 0;
    struct teak_log labels = {.last = {0, 1}};
    for (uint32_t i = 0; i < LABEL_WORDS; i++) put64(adapter->label + 8 * i, words[i]);
    memcpy(adapter->label + 8 * LABEL_WORDS, snapshot->config, snapshot->config_bytes);
    adapter->labelled = (struct teak_bytes){.data = adapter->label, .bytes = 8 * LABEL_WORDS + snapshot->config_bytes};
    ops[count++] = (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = id, .index = snapshot->pos.index,
                                    .term = snapshot->pos.term};
    const bool is_there = teak_log(adapter->engine, id + LABELS, &labels, NULL) == TEAK_OK;
    if (!is_there) ops[count++] = (struct teak_op){.op = TEAK_OP_CREATE, .log = id + LABELS};
    const uint64_t index = is_there ? labels.last.index + 1 : 1;
    ops[count++] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = id + LABELS, .index = index, .term = 1,
                                    .entries = &adapter->labelled, .count = 1};
    if (index > 1) ops[count++] = (struct teak_op){.op = TEAK_OP_COMPACT, .log = id + LABELS, .index = index - 1};
    return count;
}

/* An operation of the engine holds entries of one term and kind: a run of them each. A hard state that the log has is
 * left out, unless nothing else is to be done. False: no memory. */
static bool build(struct adapter *adapter, uint64_t id, const struct teak_raft_job *job, bool says_hard,
                  uint32_t *count_out)
{
    struct teak_op *ops = make_room(adapter->ops, &adapter->op_room, (uint64_t)job->count + 8, sizeof *ops);
    struct teak_bytes *payloads =
        ops ? make_room(adapter->payloads, &adapter->payload_room, job->count, sizeof *payloads) : NULL;
    if (ops) adapter->ops = ops;
    if (!payloads) return false;
    adapter->payloads = payloads;
    struct teak_op *run = NULL;
    uint32_t count = 0;
    if (job->cut_from != 0) ops[count++] = (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = id, .index = job->cut_from};
    if (job->snapshot) count += build_snapshot(adapter, id, job->snapshot, &ops[count]);
    for (uint32_t i = 0; i < job->count; i++) {
        const struct teak_raft_entry *entry = &job->entries[i];
        payloads[i] = (struct teak_bytes){.data = entry->data, .bytes = entry->bytes};
        if (run && run->term == entry->term && run->kind == entry->kind) {
            run->count++;
            continue;
        }
        run = &ops[count++];
        *run = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = id, .index = entry->index, .term = entry->term,
                                .kind = entry->kind, .entries = &payloads[i], .count = 1};
    }
    if (says_hard || count == 0)
        ops[count++] = (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = id, .term = job->hard.term,
                                        .vote = job->hard.vote, .commit = job->hard.commit};
    if (job->compact_to != 0) ops[count++] = (struct teak_op){.op = TEAK_OP_COMPACT, .log = id,
                                                              .index = job->compact_to};
    *count_out = count;
    return true;
}

/* A job, and what waits of its group: that is behind it, or before it where the job itself could not be kept. Then the
 * refusal bears the token of the oldest: none is done without those before it. */
static void refuse(struct adapter *adapter, struct group *group, uint64_t token, enum teak_raft_outcome outcome)
{
    for (struct waiting *waiting = adapter->wait_first; waiting; waiting = waiting->next) {
        if (waiting->group != group || waiting->run != group->run) continue;
        if (waiting->job.token < token) token = waiting->job.token;
        waiting->run = 0; /* runs begin at 1 */
    }
    news_refuse(group, token, outcome);
}

/* Where it does not, and answers NO_SPACE all the same, ROOM would come at once: a limit of the process on the size of
 * files, say, which the engine meets before it begins to write. */
static bool lacks_space(const struct adapter *adapter)
{
    struct teak_stats stats;
    teak_stats(adapter->engine, &stats);
    return stats.lacks_space;
}

/* False: the engine is full, or the world says no; nothing was done. */
static bool try_job(struct adapter *adapter, struct group *group, const struct teak_raft_job *job)
{
    uint32_t count;
    bool says_hard;
    if (adapter->failed || group->poisoned || !judge(adapter, group->id, job, &says_hard)) {
        refuse(adapter, group, job->token, TEAK_RAFT_POISONED);
        return true;
    }
    enum teak_status status = TEAK_NO_MEMORY;
    if (build(adapter, group->id, job, says_hard, &count)) {
        const struct teak_batch batch = {.ops = adapter->ops, .count = count, .tag = job->token,
                                         .flags = job->urgent ? TEAK_URGENT : 0};
        status = give(adapter, &batch, (struct flown){.group = group, .run = group->run, .token = job->token,
                                                      .is_job = true});
    }
    if (status == TEAK_NO_SPACE && !lacks_space(adapter)) status = TEAK_IO;
    if (comes_later(adapter, status)) return false;
    if (status == TEAK_NO_SPACE)
        refuse(adapter, group, job->token, TEAK_RAFT_NO_ROOM);
    else if (status != TEAK_OK)
        refuse(adapter, group, job->token, TEAK_RAFT_POISONED);
    return true;
}

/* A copy that waits. False: no memory. */
static bool keep_aside(struct adapter *adapter, struct group *group, const struct teak_raft_job *job)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < job->count; i++) bytes += job->entries[i].bytes;
    struct waiting *waiting = teak_memory_take(sizeof *waiting + job->count * sizeof waiting->entries[0] + bytes);
    if (!waiting) return false;
    *waiting = (struct waiting){.group = group, .run = group->run, .job = *job};
    uint8_t *to = (uint8_t *)&waiting->entries[job->count];
    for (uint32_t i = 0; i < job->count; i++) {
        waiting->entries[i] = job->entries[i];
        waiting->entries[i].data = to;
        if (job->entries[i].bytes > 0) memcpy(to, job->entries[i].data, job->entries[i].bytes);
        to += job->entries[i].bytes;
    }
    waiting->job.entries = waiting->entries;
    if (job->snapshot) {
        waiting->snapshot = *job->snapshot;
        memcpy(waiting->config, job->snapshot->config, job->snapshot->config_bytes);
        waiting->snapshot.config = waiting->config;
        waiting->job.snapshot = &waiting->snapshot;
    }
    if (adapter->wait_first)
        adapter->wait_last->next = waiting;
    else
        adapter->wait_first = waiting;
    adapter->wait_last = waiting;
    return true;
}

static enum teak_raft_status adapter_submit(void *self, uint64_t id, const struct teak_raft_job *job)
{
    struct adapter *adapter = self;
    struct group *group = news_find(&adapter->news, id);
    if (!group || !group->started || !job || (job->count > 0 && !job->entries)) return TEAK_RAFT_MISUSE;
    if (job->snapshot && (!job->snapshot->config || job->snapshot->config_bytes > CONFIG_BYTES_MAX))
        return TEAK_RAFT_MISUSE;
    for (uint32_t i = 0; i < job->count; i++)
        if (job->entries[i].index != job->entries[0].index + i || (job->entries[i].bytes > 0 && !job->entries[i].data))
            return TEAK_RAFT_MISUSE;
    if (news_passes_over(group)) return TEAK_RAFT_OK;
    if (!adapter->wait_first && try_job(adapter, group, job)) return TEAK_RAFT_OK;
    if (keep_aside(adapter, group, job)) return TEAK_RAFT_OK;
    adapter->pause_ns = teak_now(adapter->engine) + PAUSE_NS;
    refuse(adapter, group, job->token, TEAK_RAFT_NO_ROOM);
    return TEAK_RAFT_OK;
}

/* Jobs that waited, as far as the engine takes them. Where it met an error there is a pause between tries: the first of
 * an engine that has not begun to write makes a file each, and a busy driver collects all the time. */
static void go_on(struct adapter *adapter)
{
    if (!adapter->wait_first) return;
    if (is_paused(adapter)) return;
    while (adapter->wait_first) {
        struct waiting *waiting = adapter->wait_first;
        if (waiting->run == waiting->group->run && !news_passes_over(waiting->group) &&
            !try_job(adapter, waiting->group, &waiting->job))
            return;
        adapter->wait_first = waiting->next;
        teak_memory_give(waiting);
    }
}

/* ---------------------------------------------------------------------------------------------------------- reading */

static enum teak_raft_status adapter_fetch(void *self, uint64_t id, const struct teak_raft_fetch *fetch)
{
    struct adapter *adapter = self;
    struct group *group = news_find(&adapter->news, id);
    if (!group || !group->started || !fetch || fetch->first == 0) return TEAK_RAFT_MISUSE;
    struct wanted *wanted = teak_memory_take(sizeof *wanted);
    if (!wanted) return TEAK_RAFT_BUSY;
    *wanted = (struct wanted){.group = group, .run = group->run, .fetch = *fetch};
    forget_fetches(adapter, group, fetch);
    wanted->next = adapter->wanted;
    adapter->wanted = wanted;
    return TEAK_RAFT_OK;
}

/* How a try to answer a fetch ended. */
enum attempt { ATTEMPT_LATER, ATTEMPT_ANSWERED, ATTEMPT_CORRUPT };

static enum attempt put_answer(struct adapter *adapter, const struct wanted *wanted, uint32_t count,
                               uint64_t term_before)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += adapter->entries[i].bytes;
    struct answer *is = news_make_answer(wanted->group, wanted->fetch.ticket, count, bytes);
    if (!is) return ATTEMPT_LATER;
    is->term_before = term_before;
    for (uint32_t i = 0; i < count; i++) {
        const struct teak_entry *entry = &adapter->entries[i];
        news_put_entry(is, &(struct teak_raft_entry){.index = entry->index, .term = entry->term, .kind = entry->kind,
                                                     .data = entry->data, .bytes = entry->bytes});
    }
    news_answer(&adapter->news, is);
    return ATTEMPT_ANSWERED;
}

/* An error of the medium may pass, where a path to it fails over: rot is a wrong sum. Who is told CORRUPT leads no more
 * until it is started anew, so it is asked again, after a pause: a busy driver collects all the time. Errors that come
 * at once say nothing new: of those in one second one counts. Not for ever: a node that cannot read what others need is
 * not to lead. */
static bool may_pass(const struct adapter *adapter, struct wanted *wanted)
{
    const uint64_t now_ns = teak_now(adapter->engine);
    wanted->retry_ns = now_ns + PAUSE_NS;
    if (wanted->errors > 0 && now_ns - wanted->counted_ns < READ_TRY_NS) return true;
    wanted->counted_ns = now_ns;
    return ++wanted->errors < READ_TRIES;
}

static enum attempt try_fetch(struct adapter *adapter, struct wanted *wanted)
{
    const struct teak_raft_fetch *fetch = &wanted->fetch;
    uint64_t term_before = 0;
    if (wanted->errors > 0 && teak_now(adapter->engine) < wanted->retry_ns) return ATTEMPT_LATER;
    if (teak_term_at(adapter->engine, wanted->group->id, fetch->first - 1, &term_before, NULL) != TEAK_OK)
        return ATTEMPT_CORRUPT;
    if (fetch->last < fetch->first) return put_answer(adapter, wanted, 0, term_before);
    const uint64_t most = fetch->last - fetch->first + 1;
    const uint32_t max = most < FETCH_MAX ? (uint32_t)most : FETCH_MAX;
    struct teak_entry *entries = make_room(adapter->entries, &adapter->entry_room, max, sizeof *entries);
    if (!entries) return ATTEMPT_LATER;
    adapter->entries = entries;
    enum teak_status status = TEAK_OK;
    uint32_t count = 0;
    if (!wanted->cursor)
        status = teak_cursor_open(adapter->engine, wanted->group->id, fetch->first, &wanted->cursor, NULL);
    if (status == TEAK_OK)
        status = teak_cursor_try_read(wanted->cursor, fetch->bytes_max, entries, max, &count, NULL);
    if (status == TEAK_PENDING || status == TEAK_NO_MEMORY) return ATTEMPT_LATER;
    if (status == TEAK_IO && may_pass(adapter, wanted)) return ATTEMPT_LATER;
    if (status != TEAK_OK || count == 0) return ATTEMPT_CORRUPT;
    const enum attempt attempt = put_answer(adapter, wanted, count, term_before);
    if (attempt != ATTEMPT_LATER) return attempt;
    (void)teak_cursor_seek(wanted->cursor, fetch->first, NULL); /* what was read is read again; else CORRUPT follows */
    return ATTEMPT_LATER;
}

static void answer_fetches(struct adapter *adapter)
{
    for (struct wanted **link = &adapter->wanted; *link;) {
        struct wanted *wanted = *link;
        const bool is_old = wanted->run != wanted->group->run;
        const enum attempt attempt = is_old ? ATTEMPT_ANSWERED : try_fetch(adapter, wanted);
        struct answer *corrupt = attempt == ATTEMPT_CORRUPT
                                     ? news_make_answer(wanted->group, wanted->fetch.ticket, 0, 0) : NULL;
        if (attempt == ATTEMPT_LATER || (attempt == ATTEMPT_CORRUPT && !corrupt)) {
            link = &wanted->next;
            continue;
        }
        if (corrupt) {
            corrupt->outcome = TEAK_RAFT_CORRUPT;
            news_answer(&adapter->news, corrupt);
        }
        *link = wanted->next;
        teak_cursor_close(wanted->cursor);
        teak_memory_give(wanted);
    }
}

/* ---------------------------------------------------------------------------------------------------------- driving */

/* The engine will complete nothing any more. */
static void give_up(struct adapter *adapter)
{
    adapter->failed = true;
    while (adapter->flight_first != adapter->flight_end) land(adapter, TEAK_POISONED);
}

static void drive(struct adapter *adapter, uint64_t wait_ns)
{
    struct teak_completion done[DONE_MAX];
    uint32_t count = DONE_MAX;
    while (count == DONE_MAX) {
        const enum teak_status status = teak_poll(adapter->engine, wait_ns, done, DONE_MAX, &count, NULL);
        for (uint32_t i = 0; i < count; i++) land(adapter, done[i].status);
        if (status != TEAK_OK) {
            give_up(adapter);
            break;
        }
        wait_ns = 0;
    }
    go_on(adapter);
    answer_fetches(adapter);
    if (adapter->pause_ns != 0 && teak_now(adapter->engine) >= adapter->pause_ns) adapter->pause_ns = 0;
    bool is_refused = false;
    for (uint32_t i = 0; i < adapter->news.count && !is_refused; i++)
        is_refused = adapter->news.groups[i]->wants_room;
    if (is_refused && adapter->pause_ns == 0 && !lacks_space(adapter)) news_room(&adapter->news);
}

static uint32_t adapter_collect(void *self, uint64_t wait_ns, struct teak_raft_completion *out, uint32_t max)
{
    struct adapter *adapter = self;
    news_forget_lent(&adapter->news);
    drive(adapter, 0);
    if (wait_ns > 0 && !news_has(&adapter->news)) drive(adapter, wait_ns);
    return news_collect(&adapter->news, out, max);
}

static void adapter_close(void *self)
{
    struct adapter *adapter = self;
    if (!adapter) return;
    while (adapter->wait_first) {
        struct waiting *waiting = adapter->wait_first;
        adapter->wait_first = waiting->next;
        teak_memory_give(waiting);
    }
    while (adapter->wanted) {
        struct wanted *wanted = adapter->wanted;
        adapter->wanted = wanted->next;
        teak_cursor_close(wanted->cursor);
        teak_memory_give(wanted);
    }
    news_fini(&adapter->news, free_group);
    teak_memory_give(adapter->flights);
    teak_memory_give(adapter->ops);
    teak_memory_give(adapter->payloads);
    teak_memory_give(adapter->entries);
    teak_memory_give(adapter->runs);
    teak_memory_give(adapter);
}

static const struct teak_raft_log_store_ops adapter_ops = {
    .create = adapter_create, .drop = adapter_drop, .groups = adapter_groups, .fits = adapter_fits,
    .start = adapter_start, .state = adapter_state, .takes = adapter_takes, .submit = adapter_submit,
    .fetch = adapter_fetch, .collect = adapter_collect, .close = adapter_close,
};

enum teak_raft_status teak_raft_teak_open(struct teak_store *engine, bool is_volatile, struct teak_raft_log_store *out)
{
    struct teak_limits limits;
    if (!engine || !out) return TEAK_RAFT_MISUSE;
    teak_limits(engine, &limits);
    if (limits.strategy == TEAK_NONE && !is_volatile) return TEAK_RAFT_MISUSE;
    struct adapter *adapter = teak_memory_take(sizeof *adapter);
    if (!adapter) return TEAK_RAFT_NO_SPACE;
    *adapter = (struct adapter){.engine = engine};
    *out = (struct teak_raft_log_store){.ops = &adapter_ops, .self = adapter};
    return TEAK_RAFT_OK;
}
