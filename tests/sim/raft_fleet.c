/* raft_fleet.c: see raft_fleet.h. */
#include "raft_fleet.h"

#include "core/core.h"
#include "core/members.h"
#include "core/quorum.h"
#include "core/tail.h"
#include "raft_berth.h"
#include "store/rig.h"
#include "teak/raft_store_teak.h"

enum { NODES = 7, LOG_MAX = 6000, NET_MAX = 4096, JOBS_MAX = 8, SPAN_MAX = 32, READS_MAX = 64, TERMS_MAX = 6000 };
enum { ENTRIES_STOP = 3000 }; /* nobody proposes beyond */
enum { ELECTION = 100, HEARTBEAT = 20, SETTLE_MAX = 60000 };
enum { DRIVEN = TEAK_RAFT_SEND | TEAK_RAFT_PERSIST | TEAK_RAFT_APPLY | TEAK_RAFT_FETCH };

/* An entry, as the oracle keeps it. */
struct fact {
    uint64_t term, sum;
    uint32_t bytes;
    uint8_t kind;
};

/* A job that was submitted and is not known to be durable. */
struct job_fact {
    uint64_t token, cut_from, first;
    struct teak_raft_hard hard;
    uint32_t count;
    struct fact entries[SPAN_MAX];
};

struct disk_fact {
    struct teak_raft_hard hard;
    uint64_t last;
    struct fact entries[LOG_MAX + 1];
};

struct parcel_on_its_way {
    struct teak_raft_frame frame; /* the network has a reference for each time it is on its way */
    struct teak_raft_msg msg;
    struct teak_raft_entry entries[];
};

struct on_its_way {
    uint64_t due;
    struct parcel_on_its_way *parcel;
};

struct fleet_node {
    struct sim_medium *medium;
    struct teak_store *engine; /* NULL: it is down */
    struct teak_raft_log_store store;
    struct teak_raft *raft;
    void *block;
    struct disk_fact disk;
    struct job_fact jobs[JOBS_MAX];
    uint32_t job_count;
    uint64_t reads[READS_MAX]; /* what was committed when read tag % READS_MAX was asked, + 1; 0: answered */
    uint32_t open_reads;
    uint64_t commit_seen, term_seen, applied, open;
    uint64_t starts_at, wakes_at, disk_wakes_at;
    bool is_full;
};

static struct fleet {
    uint64_t seed, now, history, runs, tags;
    const struct fleet_shape *shape;
    struct fleet_totals *totals;
    struct seeded dice;
    bool is_told, is_calm;
    struct fleet_node nodes[NODES];
    bool cut[NODES][NODES]; /* from, to */
    struct on_its_way net[NET_MAX];
    uint32_t net_count;
    uint64_t committed;
    struct fact ledger[LOG_MAX + 1];
    uint64_t committed_in[LOG_MAX + 1];
    uint32_t led_by[TERMS_MAX];
} fleet;

/* --------------------------------------------------------------------------------------------- what is written down */

__attribute__((noreturn, format(printf, 1, 2))) static void broken(const char *text, ...)
{
    va_list more;
    fprintf(stderr, "TEAK_SEED=%" PRIu64 ", at %" PRIu64 " ms: ", fleet.seed, fleet.now);
    va_start(more, text);
    vfprintf(stderr, text, more);
    va_end(more);
    fprintf(stderr, "\n");
    fail();
    abort();
}

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ (sum >> 29);
}

/* Everything that happens is said here: it makes the history, and the trace. */
static void note(const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    fleet.history = mix(mix(mix(mix(fleet.history, fleet.now), a), b), c);
    for (const char *at = what; *at != '\0'; at++) fleet.history = mix(fleet.history, (uint8_t)*at);
    if (fleet.is_told)
        printf("%6" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", fleet.now, what, a, b, c);
}

static bool strikes(uint32_t one_in) { return one_in > 0 && !fleet.is_calm && seeded_below(&fleet.dice, one_in) == 0; }
static uint32_t below(uint32_t limit) { return seeded_below(&fleet.dice, limit); }
static uint64_t min_of(uint64_t a, uint64_t b) { return a < b ? a : b; }
static struct fleet_node *node_of(uint64_t id) { return &fleet.nodes[id - 1]; }

static struct fact fact_of(const struct teak_raft_entry *entry)
{
    uint64_t sum = entry->bytes;
    for (uint32_t i = 0; i < entry->bytes; i++) sum = mix(sum, entry->data[i]);
    return (struct fact){.term = entry->term, .sum = sum, .bytes = entry->bytes, .kind = entry->kind};
}

static bool is_same(const struct fact *a, const struct fact *b)
{
    return a->term == b->term && a->sum == b->sum && a->bytes == b->bytes && a->kind == b->kind;
}

/* --------------------------------------------------------------------------------------------- the oracle of a disk */

static void put_on_disk(struct disk_fact *disk, const struct job_fact *job)
{
    if (job->cut_from != 0) disk->last = min_of(disk->last, job->cut_from - 1);
    for (uint32_t i = 0; i < job->count; i++) {
        if (job->first + i != disk->last + 1) broken("a job leaves a hole at %" PRIu64, job->first + i);
        if (disk->last == LOG_MAX) broken("the log is longer than was thought");
        disk->entries[++disk->last] = job->entries[i];
    }
    disk->hard = job->hard;
}

static void forget_jobs(struct fleet_node *node, uint32_t count)
{
    node->job_count -= count;
    memmove(node->jobs, node->jobs + count, node->job_count * sizeof node->jobs[0]);
}

static void on_durable(struct fleet_node *node, uint64_t token)
{
    while (node->job_count > 0 && node->jobs[0].token <= token) {
        put_on_disk(&node->disk, &node->jobs[0]);
        forget_jobs(node, 1);
    }
}

static void on_refused(struct fleet_node *node, uint64_t token)
{
    uint32_t kept = 0;
    while (kept < node->job_count && node->jobs[kept].token < token) kept++;
    node->job_count = kept;
}

/* ------------------------------------------------------------------------------------------------------- invariants */

/* The entry at `index` as the node sees it. What is not in memory is durable. */
static bool seen(uint32_t id, uint64_t index, struct fact *out)
{
    const struct fleet_node *node = node_of(id);
    if (index > node->raft->last.index) return false;
    if (index < node->raft->tail_first) {
        *out = node->disk.entries[index];
        return index <= node->disk.last;
    }
    *out = fact_of(tail_at(node->raft, index));
    return true;
}

static bool is_on_quorum(const struct teak_raft *leader, uint64_t index, uint64_t term)
{
    uint32_t have = 0;
    for (uint32_t slot = 0; slot < leader->config.count; slot++) {
        const uint64_t id = config_members(leader)[slot].id;
        const struct disk_fact *disk = &node_of(id)->disk;
        if (index <= disk->last && disk->entries[index].term == term) have |= UINT32_C(1) << slot;
    }
    return quorum_has(leader->config.voters, leader->config.next, have);
}

static void judge_commit(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct teak_raft *raft = node->raft;
    if (raft->commit < node->commit_seen) broken("commit of node %u went back to %" PRIu64, id, raft->commit);
    for (uint64_t index = node->commit_seen + 1; index <= raft->commit; index++) {
        struct fact fact;
        if (!seen(id, index, &fact)) broken("node %u lacks what is committed at %" PRIu64, id, index);
        if (index <= fleet.committed) {
            if (!is_same(&fact, &fleet.ledger[index]))
                broken("node %u committed another entry at %" PRIu64, id, index);
            continue;
        }
        if (raft->role == TEAK_RAFT_LEADER && !is_on_quorum(raft, raft->commit, raft->term))
            broken("node %u committed %" PRIu64 ", which is not on a majority of disks", id, raft->commit);
        fleet.ledger[index] = fact;
        fleet.committed_in[index] = raft->term;
        fleet.committed = index;
        note("committed", id, index, fact.term);
    }
    node->commit_seen = raft->commit;
}

static void judge_leader(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct teak_raft *raft = node->raft;
    if (raft->term < node->term_seen) broken("the term of node %u went back to %" PRIu64, id, raft->term);
    node->term_seen = raft->term;
    if (raft->role != TEAK_RAFT_LEADER) return;
    if (raft->term >= TERMS_MAX) broken("more terms than were thought");
    const bool is_new = fleet.led_by[raft->term] == 0;
    if (!is_new && fleet.led_by[raft->term] != id)
        broken("nodes %u and %u led term %" PRIu64, fleet.led_by[raft->term], id, raft->term);
    if (node->disk.hard.term != raft->term || node->disk.hard.vote != id)
        broken("node %u leads term %" PRIu64 ", which is not durable there", id, raft->term);
    if (!is_new) return;
    fleet.led_by[raft->term] = id;
    fleet.totals->elections++;
    note("leads", id, raft->term, raft->last.index);
    for (uint64_t index = 1; index <= fleet.committed; index++) {
        struct fact fact;
        if (fleet.committed_in[index] >= raft->term) continue; /* of an older term; it can commit nothing any more */
        if (!seen(id, index, &fact) || !is_same(&fact, &fleet.ledger[index]))
            broken("node %u leads term %" PRIu64 " and lacks %" PRIu64, id, raft->term, index);
    }
}

/* Equal (index, term): equal bytes, and equal entries before. */
static void judge_matching(uint32_t id)
{
    for (uint32_t other = 1; other <= fleet.shape->nodes; other++) {
        const struct disk_fact *disk = &node_of(other)->disk;
        bool agreed = false;
        for (uint64_t index = min_of(node_of(id)->raft->last.index, disk->last); index > 0; index--) {
            struct fact mine;
            if (!seen(id, index, &mine)) broken("node %u has a hole at %" PRIu64, id, index);
            agreed |= mine.term == disk->entries[index].term;
            if (agreed && !is_same(&mine, &disk->entries[index]))
                broken("nodes %u and %u do not match at %" PRIu64, id, other, index);
        }
    }
}

static void judge(uint32_t id)
{
    if (!node_of(id)->raft || node_of(id)->raft->halted) return;
    judge_leader(id);
    judge_commit(id);
}

/* ------------------------------------------------------------------------------------------------------ the network */

static void free_parcel(struct teak_raft_frame *frame) { free(frame); }

/* The bytes travel along. */
static struct parcel_on_its_way *wrap(const struct teak_raft_msg *msg)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < msg->count; i++) bytes += msg->entries[i].bytes;
    const uint64_t head = sizeof(struct parcel_on_its_way) + msg->count * sizeof(struct teak_raft_entry);
    struct parcel_on_its_way *parcel = malloc(head + bytes);
    assert_non_null(parcel);
    *parcel = (struct parcel_on_its_way){
        .frame = {.refs = 1, .bytes = (uint32_t)(head + bytes), .free = free_parcel}, .msg = *msg};
    uint8_t *to = (uint8_t *)parcel + head;
    for (uint32_t i = 0; i < msg->count; i++) {
        parcel->entries[i] = msg->entries[i];
        parcel->entries[i].tag = 0;
        parcel->entries[i].frame = &parcel->frame;
        parcel->entries[i].data = to;
        if (msg->entries[i].bytes > 0) memcpy(to, msg->entries[i].data, msg->entries[i].bytes);
        to += msg->entries[i].bytes;
    }
    parcel->msg.entries = msg->count > 0 ? parcel->entries : NULL;
    return parcel;
}

static void put_on_its_way(struct parcel_on_its_way *parcel)
{
    if (fleet.net_count == NET_MAX) { /* the network is full: the oldest is lost */
        teak_raft_drop(&fleet.net[0].parcel->frame);
        memmove(fleet.net, fleet.net + 1, --fleet.net_count * sizeof fleet.net[0]);
    }
    teak_raft_hold(&parcel->frame);
    fleet.net[fleet.net_count++] =
        (struct on_its_way){.due = fleet.now + 1 + below(fleet.is_calm ? 3 : fleet.shape->delay_max), .parcel = parcel};
}

static void post(const struct teak_raft_msg *msg)
{
    if (msg->to == 0 || msg->to > fleet.shape->nodes) broken("a message to nobody");
    fleet.totals->messages++;
    note("sends", msg->from * 10 + msg->to, (uint64_t)msg->type * 1000 + msg->count, msg->index);
    if (fleet.cut[msg->from - 1][msg->to - 1]) return;
    if (!fleet.is_calm && below(1000) < fleet.shape->lose) {
        fleet.totals->lost++;
        return;
    }
    struct parcel_on_its_way *parcel = wrap(msg);
    put_on_its_way(parcel);
    if (!fleet.is_calm && below(1000) < fleet.shape->repeat) {
        fleet.totals->repeated++;
        put_on_its_way(parcel);
    }
    teak_raft_drop(&parcel->frame);
}

static void drain(uint32_t id);

static void deliver(void)
{
    for (uint32_t i = 0; i < fleet.net_count;) {
        const struct on_its_way one = fleet.net[i];
        struct fleet_node *to = node_of(one.parcel->msg.to);
        if (one.due > fleet.now || (to->raft && to->wakes_at > fleet.now)) {
            i++;
            continue;
        }
        memmove(fleet.net + i, fleet.net + i + 1, (--fleet.net_count - i) * sizeof fleet.net[0]);
        const uint32_t id = (uint32_t)one.parcel->msg.to;
        if (to->raft && !fleet.cut[one.parcel->msg.from - 1][id - 1]) {
            const enum teak_raft_status status = teak_raft_receive(to->raft, &one.parcel->msg);
            if (status != TEAK_RAFT_OK && status != TEAK_RAFT_DROPPED && status != TEAK_RAFT_HALTED)
                broken("node %u calls a message %s", id, teak_raft_status_name(status));
            judge(id);
            drain(id);
        }
        teak_raft_drop(&one.parcel->frame);
    }
}

/* --------------------------------------------------------------------------------------------------- a node's turn */

static void apply(uint32_t id, const struct teak_raft_apply *given)
{
    struct fleet_node *node = node_of(id);
    for (uint32_t i = 0; i < given->count; i++) {
        const struct teak_raft_entry *entry = &given->entries[i];
        const struct fact fact = fact_of(entry);
        if (entry->index > fleet.committed || !is_same(&fact, &fleet.ledger[entry->index]))
            broken("node %u applies what is not committed at %" PRIu64, id, entry->index);
        if (entry->index > node->disk.last || !is_same(&fact, &node->disk.entries[entry->index]))
            broken("node %u applies what is not durable there at %" PRIu64, id, entry->index);
        if (entry->index <= node->applied) broken("node %u applies %" PRIu64 " twice", id, entry->index);
        node->applied = entry->index;
    }
    if (given->upto < node->applied) broken("node %u applies beyond what it says", id);
    node->applied = given->upto;
}

static void judge_done(uint32_t id, const struct teak_raft_done *done)
{
    struct fleet_node *node = node_of(id);
    if (done->count > node->open) broken("node %u answers what nobody proposed", id);
    node->open -= done->count;
    fleet.totals->answered += done->count;
    for (uint64_t index = done->first_index; index < done->first_index + done->count; index++) {
        if (done->fate == TEAK_RAFT_UNKNOWN) continue;
        const bool is_there = index <= fleet.committed && fleet.ledger[index].term == done->term;
        if (index > fleet.committed || is_there != (done->fate == TEAK_RAFT_COMMITTED))
            broken("node %u tells a fate that is not true of %" PRIu64, id, index);
    }
}

static void judge_read(uint32_t id, const struct teak_raft_answer *read)
{
    struct fleet_node *node = node_of(id);
    uint64_t *asked = &node->reads[read->tag % READS_MAX];
    if (*asked == 0) broken("node %u answers a read that nobody asked for", id);
    note("read", id, (uint64_t)read->fate, read->index);
    if (read->fate == TEAK_RAFT_READ_OK) {
        fleet.totals->served++;
        if (node->applied < *asked - 1 || read->index > node->applied)
            broken("node %u serves a read at %" PRIu64 ", and %" PRIu64 " was committed", id, node->applied,
                   *asked - 1);
    }
    *asked = 0;
    node->open_reads--;
}

static void submit(uint32_t id, const struct teak_raft_job *job)
{
    struct fleet_node *node = node_of(id);
    if (node->job_count == JOBS_MAX || job->count > SPAN_MAX) broken("node %u hands out too much", id);
    struct job_fact *fact = &node->jobs[node->job_count++];
    *fact = (struct job_fact){.token = job->token, .cut_from = job->cut_from, .hard = job->hard, .count = job->count,
                              .first = job->count > 0 ? job->entries[0].index : 0};
    for (uint32_t i = 0; i < job->count; i++) fact->entries[i] = fact_of(&job->entries[i]);
    fleet.totals->jobs++;
    note("job", id, job->token, job->after_last.index);
    if (node->store.ops->submit(node->store.self, 0, job) != TEAK_RAFT_OK) broken("a job of node %u is refused", id);
}

static void drain(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    uint32_t want = DRIVEN;
    if (!node->store.ops->takes(node->store.self)) want &= ~(uint32_t)TEAK_RAFT_PERSIST;
    if (fleet.shape->wants_less && !fleet.is_calm) want &= ~(below(16) == 0 ? (uint32_t)TEAK_RAFT_APPLY : 0u);
    if (fleet.shape->wants_less && !fleet.is_calm) want &= ~(below(16) == 0 ? (uint32_t)TEAK_RAFT_PERSIST : 0u);
    for (uint32_t turns = 0; teak_raft_has_ready(node->raft); turns++) {
        struct teak_raft_ready ready;
        if (teak_raft_ready(node->raft, want, &ready) != TEAK_RAFT_OK) broken("node %u has no ready", id);
        const bool is_empty = !ready.job && ready.send_count + ready.fetch_count + ready.done_count == 0 &&
                              ready.event_count + ready.read_count == 0 && ready.apply.upto == 0;
        if (is_empty && want != DRIVEN) return;
        if (is_empty || turns > 1000) broken("node %u is never done", id);
        for (uint32_t i = 0; i < ready.done_count; i++) judge_done(id, &ready.done[i]);
        for (uint32_t i = 0; i < ready.read_count; i++) judge_read(id, &ready.reads[i]);
        if (ready.job) submit(id, ready.job);
        for (uint32_t i = 0; i < ready.send_count; i++) post(&ready.send[i]);
        for (uint32_t i = 0; i < ready.fetch_count; i++) {
            fleet.totals->fetches++;
            if (node->store.ops->fetch(node->store.self, 0, &ready.fetch[i]) != TEAK_RAFT_OK) broken("no fetch");
        }
        if (ready.apply.upto == 0) continue;
        apply(id, &ready.apply);
        const enum teak_raft_status status = teak_raft_applied(node->raft, node->applied);
        if (status != TEAK_RAFT_OK) broken("node %u calls applied %s", id, teak_raft_status_name(status));
        judge(id);
    }
}

static void tell(uint32_t id, const struct teak_raft_completion *done)
{
    struct fleet_node *node = node_of(id);
    note("told", id, (uint64_t)done->kind * 10 + (uint64_t)done->outcome, done->number);
    if (done->kind == TEAK_RAFT_JOB_DONE) {
        if (done->outcome == TEAK_RAFT_DURABLE) on_durable(node, done->number);
        if (done->outcome == TEAK_RAFT_NO_ROOM) on_refused(node, done->number), fleet.totals->refusals++;
        if (done->outcome == TEAK_RAFT_POISONED && fleet.shape->fail_one_in == 0) broken("node %u is poisoned", id);
    }
    if (done->kind == TEAK_RAFT_FETCH_DONE && done->outcome == TEAK_RAFT_CORRUPT && fleet.shape->fail_one_in == 0)
        broken("node %u cannot read its log", id);
    const enum teak_raft_status status = teak_raft_tell(node->raft, done);
    if (status != TEAK_RAFT_OK && status != TEAK_RAFT_HALTED)
        broken("node %u calls a completion %s", id, teak_raft_status_name(status));
    judge(id);
}

static void bring_down(uint32_t id, bool is_power);

static void turn(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    if (node->disk_wakes_at <= fleet.now && (fleet.is_calm || below(fleet.shape->disk_one_in) == 0)) {
        struct teak_raft_completion done[8];
        berth_pause(node->engine, 1000000); /* its clock goes on, too */
        static const uint64_t waits[] = {0, 20000, 200000, 1000000};
        const uint32_t count = node->store.ops->collect(node->store.self, waits[below(4)], done, 8);
        for (uint32_t i = 0; i < count; i++) tell(id, &done[i]);
    }
    const enum teak_raft_status status = teak_raft_tick(node->raft, fleet.now);
    if (status == TEAK_RAFT_HALTED) {
        if (fleet.shape->fail_one_in == 0) broken("node %u halted", id);
        fleet.totals->poisoned++;
        bring_down(id, below(2) == 0);
        return;
    }
    judge(id);
    drain(id);
    if (!node->raft->rotten) return;
    if (fleet.shape->fail_one_in == 0) broken("node %u found its log rotten", id);
    fleet.totals->rotten++; /* a read failed: it leads no more, until somebody starts it again */
    bring_down(id, false);
}

/* ----------------------------------------------------------------------------------------------- up, and down again */

static struct teak_raft_options options_of(uint32_t id)
{
    struct teak_raft_options options = teak_raft_options_default();
    options.id = id;
    options.seed = mix(fleet.seed, id);
    memset(options.cluster, 7, sizeof options.cluster);
    options.election = ELECTION;
    options.heartbeat = HEARTBEAT;
    options.entry_bytes_max = 1024;
    options.message_bytes_max = 2048;
    options.job_bytes_max = 4096;
    options.apply_bytes_max = 1024;
    options.window_bytes = 8192;
    options.window_messages = 4;
    options.tail_entries = 2 * SPAN_MAX;
    options.jobs_max = JOBS_MAX;
    options.members_max = NODES;
    options.reads_max = 8;
    return options;
}

static void refuse_space(void *medium) { sim_fail(medium, DISK_ALLOCATE, 1, ENOSPC); }

static void set_full(struct fleet_node *node, bool is_full)
{
    node->is_full = is_full;
    sim_set_hook(node->medium, is_full ? refuse_space : NULL, node->medium);
    sim_fail(node->medium, DISK_ALLOCATE, is_full, ENOSPC);
}

static void set_faults(struct fleet_node *node)
{
    const uint32_t one_in = fleet.is_calm ? 0 : fleet.shape->fail_one_in;
    sim_set_faults(node->medium, (struct sim_faults){.fail_one_in = one_in, .seed = seeded_u64(&fleet.dice)});
}

static void open_store(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct teak_error error = {0};
    node->engine = berth_open(node->medium, (enum teak_strategy)fleet.shape->strategy, fleet.shape->in_flight, &error);
    if (!node->engine) {
        char text[300];
        teak_error_text(&error, text, sizeof text);
        broken("the store of node %u does not open: %s", id, text);
    }
    assert_int_equal(teak_raft_teak_open(node->engine, false, &node->store), TEAK_RAFT_OK);
}

/* All that the engine has of the log, by the adapter's way of reading. */
static void read_all(uint32_t id, const struct teak_raft_start *start, struct disk_fact *out)
{
    const struct teak_raft_log_store *store = &node_of(id)->store;
    out->hard = start->hard;
    out->last = 0;
    while (out->last < start->last.index) {
        const struct teak_raft_fetch fetch = {.ticket = 1, .first = out->last + 1, .last = start->last.index,
                                              .bytes_max = 65536};
        struct teak_raft_completion done;
        assert_int_equal(store->ops->fetch(store->self, 0, &fetch), TEAK_RAFT_OK);
        while (store->ops->collect(store->self, 1000000, &done, 1) == 0) continue;
        if (done.outcome != TEAK_RAFT_FETCHED) broken("node %u cannot read %" PRIu64, id, fetch.first);
        for (uint32_t i = 0; i < done.count; i++) out->entries[++out->last] = fact_of(&done.entries[i]);
    }
}

static bool is_same_disk(const struct disk_fact *a, const struct disk_fact *b)
{
    if (memcmp(&a->hard, &b->hard, sizeof a->hard) != 0 || a->last != b->last) return false;
    for (uint64_t index = 1; index <= a->last; index++)
        if (!is_same(&a->entries[index], &b->entries[index])) return false;
    return true;
}

/* What is there is what was told, and of the jobs in flight a prefix, whole. */
static void judge_disk(uint32_t id, const struct teak_raft_start *start)
{
    static struct disk_fact found;
    struct fleet_node *node = node_of(id);
    read_all(id, start, &found);
    while (!is_same_disk(&found, &node->disk)) {
        if (node->job_count == 0)
            broken("the disk of node %u lost something: it ends at %" PRIu64 ", and ended at %" PRIu64, id, found.last,
                   node->disk.last);
        put_on_disk(&node->disk, &node->jobs[0]);
        forget_jobs(node, 1);
        fleet.totals->jobs_found++;
    }
    node->job_count = 0;
}

static void bring_up(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct teak_raft_options options = options_of(id);
    struct teak_raft_start start = {.incarnation = ++fleet.runs};
    sim_set_faults(node->medium, (struct sim_faults){.seed = 0});
    open_store(id);
    assert_int_equal(node->store.ops->fits(node->store.self, &options), TEAK_RAFT_OK);
    assert_int_equal(node->store.ops->start(node->store.self, 0, &start), TEAK_RAFT_OK);
    judge_disk(id, &start);
    if (start.born != 100 + id) broken("node %u was born another time", id);
    if (!fleet.shape->is_remembered) node->applied = 0;
    start.applied = node->applied;
    const size_t bytes = (teak_raft_size(&options) + 15) & ~(size_t)15;
    node->block = aligned_alloc(16, bytes);
    assert_non_null(node->block);
    const enum teak_raft_status status = teak_raft_init(node->block, bytes, &options, &start, fleet.now, &node->raft);
    if (status != TEAK_RAFT_OK) broken("node %u does not start: %s", id, teak_raft_status_name(status));
    node->commit_seen = node->term_seen = node->open = 0;
    node->open_reads = 0;
    memset(node->reads, 0, sizeof node->reads);
    node->wakes_at = node->disk_wakes_at = 0;
    note("up", id, start.last.index, start.hard.term);
    set_full(node, node->is_full && !fleet.is_calm);
    set_faults(node);
    judge(id);
}

static void bring_down(uint32_t id, bool is_power)
{
    struct fleet_node *node = node_of(id);
    teak_raft_fini(node->raft);
    free(node->block);
    node->raft = NULL;
    node->store.ops->close(node->store.self);
    struct sim_medium *left = sim_cut(node->medium, is_power ? SIM_POWER : SIM_KILL, &fleet.dice);
    teak_abandon(node->engine);
    node->engine = NULL;
    fleet.history = mix(fleet.history, sim_history(node->medium));
    sim_free(node->medium);
    node->medium = left;
    node->starts_at = fleet.now + 1 + below(below(2) == 0 ? 20 : 1000);
    *(is_power ? &fleet.totals->power_cuts : &fleet.totals->kills) += 1;
    note("down", id, is_power, node->job_count);
}

/* The log of a node: founded, or empty. */
static void found(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct teak_raft_member members[NODES];
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(NODES)];
    struct teak_raft_start start = {.applied = 0};
    struct teak_raft_completion done;
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    enum teak_raft_status status;
    for (uint32_t i = 0; i < fleet.shape->voters; i++)
        members[i] = (struct teak_raft_member){.id = i + 1, .born = 101 + i, .roles = TEAK_RAFT_VOTER};
    node->medium = sim_make(mix(fleet.seed, 1000 + id));
    open_store(id);
    while ((status = node->store.ops->create(node->store.self, 0, 100 + id)) == TEAK_RAFT_BUSY)
        node->store.ops->collect(node->store.self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
    while ((status = node->store.ops->start(node->store.self, 0, &start)) == TEAK_RAFT_BUSY)
        node->store.ops->collect(node->store.self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
    if (id <= fleet.shape->voters) {
        assert_int_equal(teak_raft_bootstrap(members, fleet.shape->voters, bytes, sizeof bytes, &entry, &job),
                         TEAK_RAFT_OK);
        submit(id, &job);
        while (node->store.ops->collect(node->store.self, 1000000, &done, 1) == 0) continue;
        assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
        on_durable(node, 0);
    }
    node->store.ops->close(node->store.self);
    assert_int_equal(teak_close(node->engine, NULL), TEAK_OK);
    bring_up(id);
}

/* ----------------------------------------------------------------------------------------------------- what is done */

static void free_line(struct teak_raft_frame *frame) { free(frame); }

static void propose(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct line {
        struct teak_raft_frame frame;
        uint8_t bytes[1024];
    };
    if (!node->raft || (fleet.committed > ENTRIES_STOP && !fleet.is_calm)) return;
    struct line *line = malloc(sizeof *line);
    assert_non_null(line);
    line->frame = (struct teak_raft_frame){.refs = 1, .bytes = sizeof *line, .free = free_line};
    const uint32_t bytes = below(8) == 0 ? below(1024) + 1 : below(60);
    seeded_fill(&fleet.dice, line->bytes, bytes);
    struct teak_raft_blob blobs[3];
    const uint32_t count = 1 + below(3);
    for (uint32_t i = 0; i < count; i++)
        blobs[i] = (struct teak_raft_blob){.data = line->bytes, .frame = &line->frame, .bytes = bytes,
                                           .kind = (uint8_t)(TEAK_RAFT_KIND_APPLICATION + i)};
    uint32_t taken = 0;
    const enum teak_raft_status status = teak_raft_propose(node->raft, blobs, count, fleet.tags + 1, &taken);
    teak_raft_drop(&line->frame);
    note("proposes", id, (uint64_t)status, taken);
    if (status == TEAK_RAFT_OK) {
        fleet.tags += taken;
        node->open += taken;
        fleet.totals->proposals += taken;
    }
    judge(id);
    drain(id);
}

static void ask(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    uint64_t tag = 0;
    while (tag < READS_MAX && node->reads[tag] != 0) tag++;
    if (tag == READS_MAX) return;
    const enum teak_raft_status status = teak_raft_read(node->raft, tag, TEAK_RAFT_READ_INDEX);
    note("asks", id, (uint64_t)status, tag);
    if (status == TEAK_RAFT_OK) {
        node->reads[tag] = fleet.committed + 1;
        node->open_reads++;
        fleet.totals->reads++;
    }
    drain(id);
}

/* Another set than the one in force: somebody comes, votes, or goes. */
static void change(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    struct teak_raft_member members[NODES];
    struct teak_raft_set set;
    teak_raft_config(node->raft, &set);
    if (set.joint) return;
    const uint32_t who = 1 + below(fleet.shape->nodes);
    uint32_t count = 0;
    bool was_member = false;
    for (uint32_t i = 0; i < set.count; i++) {
        struct teak_raft_member member = set.members[i];
        if (member.id == who) {
            was_member = true;
            if (below(2) == 0) continue; /* it goes */
            member.roles = member.roles == TEAK_RAFT_VOTER ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER;
        }
        members[count++] = member;
    }
    if (!was_member) {
        uint32_t place = count++;
        for (; place > 0 && members[place - 1].id > who; place--) members[place] = members[place - 1];
        members[place] = (struct teak_raft_member){.id = who, .born = 100 + who, .roles = TEAK_RAFT_LEARNER};
    }
    if (count == 0) return;
    const enum teak_raft_status status = teak_raft_change(node->raft, set.index, members, count);
    if (status == TEAK_RAFT_MISUSE || status == TEAK_RAFT_CHANGED) broken("a change is called %d", (int)status);
    fleet.totals->changes += status == TEAK_RAFT_OK;
    note("changes", id, who, (uint64_t)status);
    judge(id);
    drain(id);
}

static void break_links(void)
{
    const uint32_t nodes = fleet.shape->nodes;
    if (strikes(fleet.shape->cut_link_one_in)) {
        const uint32_t who = below(nodes), way = below(3);
        note("cut", who + 1, way, 0);
        for (uint32_t i = 0; i < nodes; i++) { /* one way, both ways, or a single link */
            if (way == 2 && i != fleet.now % nodes) continue;
            fleet.cut[who][i] = true;
            if (way == 1) fleet.cut[i][who] = true;
        }
    }
    if (strikes(fleet.shape->heal_one_in)) memset(fleet.cut, 0, sizeof fleet.cut);
}

static void meddle(uint32_t id)
{
    struct fleet_node *node = node_of(id);
    const struct fleet_shape *shape = fleet.shape;
    if (strikes(shape->propose_one_in)) propose(id);
    if (strikes(shape->read_one_in)) ask(id);
    if (strikes(shape->transfer_one_in)) note("hands over", id, (uint64_t)teak_raft_transfer(node->raft, 0), 0);
    if (strikes(shape->campaign_one_in)) note("campaigns", id, (uint64_t)teak_raft_campaign(node->raft), 0);
    if (node->raft->role == TEAK_RAFT_LEADER && strikes(shape->change_one_in)) change(id);
    if (strikes(shape->pause_one_in)) node->wakes_at = fleet.now + below(4 * ELECTION);
    if (strikes(shape->stall_one_in)) node->disk_wakes_at = fleet.now + below(4 * ELECTION);
    if (strikes(shape->fill_one_in)) set_full(node, !node->is_full);
    if (strikes(shape->cut_power_one_in))
        bring_down(id, true);
    else if (strikes(shape->kill_one_in))
        bring_down(id, false);
}

static void step(void)
{
    fleet.now++;
    break_links();
    deliver();
    for (uint32_t id = 1; id <= fleet.shape->nodes; id++) {
        struct fleet_node *node = node_of(id);
        if (!node->raft && (fleet.is_calm || node->starts_at <= fleet.now)) bring_up(id);
        if (!node->raft || node->wakes_at > fleet.now) continue;
        turn(id);
        if (node->raft && !fleet.is_calm) meddle(id);
        if (node->raft && (fleet.now + id) % 64 == 0) judge_matching(id);
    }
}

/* ----------------------------------------------------------------------------------------------------- a whole life */

static uint32_t find_leader(void)
{
    uint32_t leader = 0;
    for (uint32_t id = 1; id <= fleet.shape->nodes; id++) {
        const struct teak_raft *raft = node_of(id)->raft;
        if (raft && raft->role == TEAK_RAFT_LEADER && (leader == 0 || raft->term > node_of(leader)->raft->term))
            leader = id;
    }
    return leader;
}

/* All members have and have applied what the leader has. `open_out`: reads, and proposals of members, that nobody
 * answered yet. */
static bool is_settled(uint64_t from, uint64_t *open_out)
{
    const uint32_t leader = find_leader();
    *open_out = 0;
    if (leader == 0) return false;
    const struct teak_raft *raft = node_of(leader)->raft;
    if (raft->config.joint || raft->commit < from || raft->commit != raft->last.index) return false;
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        const struct fleet_node *node = node_of(config_members(raft)[slot].id);
        if (!node->raft || node->applied != raft->last.index) return false;
        *open_out += node->open;
    }
    for (uint32_t id = 1; id <= fleet.shape->nodes; id++) *open_out += node_of(id)->open_reads; /* members or not */
    return true;
}

static void print_nodes(void)
{
    for (uint32_t id = 1; id <= fleet.shape->nodes; id++) {
        const struct fleet_node *node = node_of(id);
        struct teak_raft_view view = {.id = 0};
        struct teak_raft_set set = {.count = 0};
        if (node->raft) teak_raft_view(node->raft, &view), teak_raft_config(node->raft, &set);
        fprintf(stderr,
                "  node %u%s: role %d term %" PRIu64 " leader %" PRIu64 " last %" PRIu64 "/%" PRIu64 " commit %" PRIu64
                " durable %" PRIu64 " applied %" PRIu64 " open %" PRIu64 " jobs %u room %d rotten %d members", id,
                node->raft ? "" : " (down)", (int)view.role, view.term, view.leader, view.last.index, view.last.term,
                view.commit, view.durable, node->applied, node->open, view.jobs, view.has_room, view.rotten);
        for (uint32_t i = 0; i < set.count; i++)
            fprintf(stderr, " %" PRIu64 ":%u", set.members[i].id, set.members[i].roles);
        fprintf(stderr, " at %" PRIu64 "%s\n", set.index, set.joint ? ", joint" : "");
    }
}

static void settle(void)
{
    fleet.is_calm = true;
    memset(fleet.cut, 0, sizeof fleet.cut);
    for (uint32_t id = 1; id <= fleet.shape->nodes; id++) {
        struct fleet_node *node = node_of(id);
        node->wakes_at = node->disk_wakes_at = 0;
        set_full(node, false);
        set_faults(node);
    }
    const uint64_t began = fleet.now, committed = fleet.committed, tags = fleet.tags;
    uint64_t open;
    /* A proposal whose entry was cut off is answered when the log has grown beyond its place: so it has to go on. */
    while (!is_settled(committed, &open) || open > 0 || fleet.tags == tags) {
        if (fleet.now - began > SETTLE_MAX) {
            print_nodes();
            broken("it does not settle: %" PRIu64 " are committed", fleet.committed);
        }
        if (is_settled(committed, &open)) propose(find_leader());
        step();
    }
    fleet.totals->settling += fleet.now - began;
}

static void end(void)
{
    for (uint32_t i = 0; i < fleet.net_count; i++) teak_raft_drop(&fleet.net[i].parcel->frame);
    for (uint32_t id = 1; id <= fleet.shape->nodes; id++) {
        judge_matching(id);
        bring_down(id, true);
        sim_free(node_of(id)->medium);
    }
}

uint64_t fleet_live(uint64_t seed, const struct fleet_shape *shape, uint32_t milliseconds, bool is_told,
                    struct fleet_totals *totals)
{
    memset(&fleet, 0, sizeof fleet);
    fleet.seed = seed;
    fleet.shape = shape;
    fleet.totals = totals;
    fleet.is_told = is_told;
    fleet.dice = (struct seeded){.state = seed};
    for (uint32_t id = 1; id <= shape->nodes; id++) found(id);
    while (fleet.now < milliseconds) step();
    settle();
    totals->lives++;
    totals->milliseconds += fleet.now;
    totals->committed += fleet.committed;
    end();
    return fleet.history;
}

static uint32_t one_of(struct seeded *dice, uint32_t a, uint32_t b, uint32_t c)
{
    const uint32_t values[] = {a, b, c};
    return values[seeded_below(dice, 3)];
}

struct fleet_shape fleet_draw(uint64_t seed)
{
    struct seeded dice = {.state = mix(seed, 77)};
    struct fleet_shape shape = {.nodes = 1 + seeded_below(&dice, NODES)};
    shape.voters = 1 + seeded_below(&dice, shape.nodes);
    shape.lose = one_of(&dice, 0, 20, 200);
    shape.repeat = one_of(&dice, 0, 20, 200);
    shape.delay_max = one_of(&dice, 1, 10, 60);
    shape.propose_one_in = one_of(&dice, 4, 10, 60);
    shape.read_one_in = one_of(&dice, 0, 20, 100);
    shape.cut_power_one_in = one_of(&dice, 0, 5000, 800);
    shape.kill_one_in = one_of(&dice, 0, 5000, 1500);
    shape.pause_one_in = one_of(&dice, 0, 3000, 600);
    shape.stall_one_in = one_of(&dice, 0, 3000, 600);
    shape.cut_link_one_in = one_of(&dice, 0, 1000, 200);
    shape.heal_one_in = 500;
    shape.transfer_one_in = one_of(&dice, 0, 2000, 300);
    shape.change_one_in = one_of(&dice, 0, 400, 60);
    shape.fill_one_in = one_of(&dice, 0, 0, 1000);
    shape.campaign_one_in = one_of(&dice, 0, 0, 500);
    shape.fail_one_in = one_of(&dice, 0, 0, 3000);
    shape.is_remembered = seeded_below(&dice, 2) == 0;
    shape.wants_less = seeded_below(&dice, 2) == 0;
    shape.strategy = one_of(&dice, TEAK_AUTO, TEAK_DSYNC, TEAK_FDATASYNC);
    shape.disk_one_in = one_of(&dice, 1, 3, 15);
    shape.in_flight = 1 + seeded_below(&dice, 4);
    return shape;
}
