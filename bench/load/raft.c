/* raft.c: entries per second through the Raft core, from proposal to applied.
 *
 *     bench_raft --window 4096                three nodes in this process, one thread, log stores in memory
 *     bench_raft --single --dir D             one node on the engine, beside the engine alone, in turn
 *
 * PATH   Closed loop: so many entries are proposed and not yet applied by the leader; --batch of them in a frame,
 *        copied into it as an application would. Three nodes: what the core hands out goes to the others at once, by
 *        pointer; each node persists and applies everything. Every --keep entries a node says that a snapshot is taken
 *        (of a state machine without a body), so that its log is compacted.
 *        Single: two stores under --dir take the same load in turn, --reps times --seconds each, every second time the
 *        other one first; a ratio is that of two neighbours. The bare engine gets each batch as it comes; the node as
 *        many as it makes of them.
 * FAILS  A node that loses its leader, or an entry that is applied with other bytes than it was proposed with, ends the
 *        program: no figure. What --dir was given is removed again.
 */
#define _GNU_SOURCE
#include <sys/vfs.h>

#include "store_rig.h"
#include "teak/raft.h"
#include "teak/raft_store_memory.h"
#include "teak/raft_store_teak.h"

enum { NODES = 3, REPS_MAX = 64, BATCH_MAX = 4096, DONE_MAX = 64, TMPFS = 0x01021994, LOG = 1, WARM_SEGMENTS = 12 };

static const char *option_dir = ".", *option_backend = "uring";
static uint64_t window = 1024, batch_entries = 64, entry_bytes, reps = 5, keep_entries = 1 << 14;
static double seconds = 1;
static bool is_single;

static _Noreturn void refuse(const char *what, const char *why)
{
    fprintf(stderr, "bench_raft: %s: %s\n", what, why);
    exit(1);
}

static void raft_check(enum teak_raft_status status, const char *what)
{
    if (status != TEAK_RAFT_OK) refuse(what, teak_raft_status_name(status));
}

/* ----------------------------------------------------------------------------------------------------------- frames */

/* A batch's bytes. Frames come from a stack of free ones and go back there: the loop asks the heap only while the
 * window fills for the first time. */
struct payload {
    struct teak_raft_frame frame; /* the first */
    struct payload *next;
    uint8_t bytes[];
};
static struct payload *free_payloads;
static uint64_t payload_count;

static void give_back(struct teak_raft_frame *frame)
{
    struct payload *const payload = (struct payload *)(void *)frame;
    payload->next = free_payloads;
    free_payloads = payload;
}

static struct payload *take_payload(void)
{
    struct payload *payload = free_payloads;
    const size_t bytes = batch_entries * entry_bytes;
    if (payload != NULL) {
        free_payloads = payload->next;
    } else {
        payload = malloc(sizeof *payload + bytes);
        if (payload == NULL) refuse("a frame", "no memory");
        payload_count++;
    }
    payload->frame = (struct teak_raft_frame){.refs = 1, .bytes = (uint32_t)bytes, .free = give_back};
    return payload;
}

/* An entry says which one it is; the rest is there to be copied. */
static void write_entry(uint8_t *bytes, uint64_t number)
{
    memset(bytes, 0x5a, entry_bytes);
    memcpy(bytes, &number, sizeof number);
}

/* ------------------------------------------------------------------------------------------------------------ nodes */

struct node {
    uint64_t id;
    struct teak_raft *raft;
    struct teak_raft_log_store store;
    uint64_t applied, snapshot; /* entries of the application; index of the last snapshot */
    uint64_t index;             /* applied up to here */
};

static struct node nodes[NODES];
static uint32_t node_count;
static uint64_t proposed; /* entries */

static struct node *node_of(uint64_t id) { return &nodes[id - 1]; }

static void start_node(struct node *node, const struct teak_raft_options *options)
{
    struct teak_raft_member members[NODES];
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(NODES)];
    struct teak_raft_completion done[DONE_MAX];
    struct teak_raft_options own = *options;
    struct teak_raft_start start = {.applied = 1, .incarnation = 100 + node->id};
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    enum teak_raft_status status;
    for (uint64_t i = 0; i < node_count; i++)
        members[i] = (struct teak_raft_member){.id = i + 1, .roles = TEAK_RAFT_VOTER};
    raft_check(node->store.ops->fits(node->store.self, &own), "fits");
    while ((status = node->store.ops->create(node->store.self, LOG, 10 + node->id)) == TEAK_RAFT_BUSY)
        (void)node->store.ops->collect(node->store.self, 1000000, done, DONE_MAX);
    raft_check(status, "create");
    while ((status = node->store.ops->start(node->store.self, LOG, &start)) == TEAK_RAFT_BUSY)
        (void)node->store.ops->collect(node->store.self, 1000000, done, DONE_MAX);
    raft_check(status, "start");
    raft_check(teak_raft_bootstrap(members, node_count, config, sizeof config, &entry, &job), "bootstrap");
    raft_check(node->store.ops->submit(node->store.self, LOG, &job), "submit");
    while ((status = node->store.ops->start(node->store.self, LOG, &start)) == TEAK_RAFT_BUSY)
        (void)node->store.ops->collect(node->store.self, 1000000, done, DONE_MAX);
    raft_check(status, "start");
    own.id = own.seed = node->id;
    const size_t bytes = teak_raft_size(&own);
    void *const block = rig_memory(bytes);
    raft_check(teak_raft_init(block, bytes, &own, &start, 0, &node->raft), "init");
    node->index = node->snapshot = 1;
}

static void apply(struct node *node, const struct teak_raft_apply *what)
{
    for (uint32_t i = 0; i < what->count; i++) { /* a state machine: it looks at what it is given */
        uint64_t number;
        memcpy(&number, what->entries[i].data, sizeof number);
        if (number != node->applied + i) refuse("an entry", "not the one that was proposed");
    }
    node->applied += what->count;
    node->index = what->upto;
    raft_check(teak_raft_applied(node->raft, what->upto), "applied");
}

static void take_snapshot(struct node *node)
{
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(NODES)];
    struct teak_raft_snapshot snapshot;
    node->snapshot = node->index;
    raft_check(teak_raft_snapshot_point(node->raft, config, sizeof config, &snapshot), "snapshot");
    raft_check(teak_raft_snapshot_taken(node->raft, &snapshot), "snapshot");
}

/* The bytes of a configuration, which its node writes over in time. */
struct copy {
    struct teak_raft_frame frame;
    uint8_t data[];
};

static void free_copy(struct teak_raft_frame *frame) { free((struct copy *)(void *)frame); }

static bool lacks_frame(const struct teak_raft_entry *entry) { return entry->frame == NULL && entry->bytes > 0; }

static void hand_over(const struct teak_raft_msg *msg)
{
    const enum teak_raft_status status = teak_raft_receive(node_of(msg->to)->raft, msg);
    if (status != TEAK_RAFT_OK && status != TEAK_RAFT_DROPPED) raft_check(status, "receive");
}

/* Who receives an entry keeps it: what has no frame gets one. That is a configuration, and rare. */
static void hand_over_copies(struct teak_raft_msg msg)
{
    struct teak_raft_entry *const entries = malloc(msg.count * sizeof *entries);
    if (entries == NULL) refuse("a message", "no memory");
    for (uint32_t i = 0; i < msg.count; i++) {
        struct teak_raft_entry *const entry = &entries[i];
        *entry = msg.entries[i];
        teak_raft_hold(entry->frame);
        if (!lacks_frame(entry)) continue;
        const size_t bytes = sizeof(struct copy) + entry->bytes;
        struct copy *const copy = malloc(bytes);
        if (copy == NULL) refuse("a message", "no memory");
        copy->frame = (struct teak_raft_frame){.refs = 1, .bytes = (uint32_t)bytes, .free = free_copy};
        memcpy(copy->data, entry->data, entry->bytes);
        entry->data = copy->data;
        entry->frame = &copy->frame;
    }
    msg.entries = entries;
    hand_over(&msg);
    for (uint32_t i = 0; i < msg.count; i++) teak_raft_drop(entries[i].frame);
    free(entries);
}

static void deliver(const struct teak_raft_ready *ready)
{
    for (uint32_t i = 0; i < ready->send_count; i++) {
        const struct teak_raft_msg *const msg = &ready->send[i];
        uint32_t whole = 0;
        while (whole < msg->count && !lacks_frame(&msg->entries[whole])) whole++;
        if (whole == msg->count)
            hand_over(msg);
        else
            hand_over_copies(*msg);
    }
}

/* What the store has done, and the time. */
static void tell(struct node *node, uint64_t now, uint64_t wait_ns)
{
    struct teak_raft_completion done[DONE_MAX];
    const uint32_t count = node->store.ops->collect(node->store.self, wait_ns, done, DONE_MAX);
    for (uint32_t i = 0; i < count; i++) raft_check(teak_raft_tell(node->raft, &done[i]), "tell");
    raft_check(teak_raft_tick(node->raft, now), "tick");
}

/* What it sends is another node's at once, and what it lent stays until its own next call. */
static void hand_out(struct node *node)
{
    struct teak_raft_ready ready;
    while (teak_raft_has_ready(node->raft)) {
        const bool takes = node->store.ops->takes(node->store.self);
        const uint32_t want = takes ? TEAK_RAFT_ALL : TEAK_RAFT_ALL & ~(uint32_t)TEAK_RAFT_PERSIST;
        raft_check(teak_raft_ready(node->raft, want, &ready), "ready");
        if (ready.job != NULL) raft_check(node->store.ops->submit(node->store.self, LOG, ready.job), "submit");
        deliver(&ready);
        for (uint32_t i = 0; i < ready.fetch_count; i++)
            raft_check(node->store.ops->fetch(node->store.self, LOG, &ready.fetch[i]), "fetch");
        for (uint32_t i = 0; i < ready.done_count; i++)
            if (ready.done[i].fate != TEAK_RAFT_COMMITTED) refuse("a proposal", "lost");
        const bool applies = ready.apply.upto != 0;
        if (applies) apply(node, &ready.apply);
        if (!takes && !applies && ready.send_count == 0) break; /* the job waits for the store */
    }
    if (node->index - node->snapshot >= keep_entries) take_snapshot(node);
}

static void turn(struct node *node, uint64_t now, uint64_t wait_ns)
{
    tell(node, now, wait_ns);
    hand_out(node);
}

static bool leads(const struct node *node)
{
    struct teak_raft_view view;
    teak_raft_view(node->raft, &view);
    return view.role == TEAK_RAFT_LEADER;
}

static uint64_t begun_ms, begun_ns; /* the nodes' clock, and ours, when somebody led */

static uint64_t milliseconds(uint64_t now_ns) { return begun_ms + (now_ns - begun_ns) / 1000000; }

/* By a clock that runs as fast as they like. */
static struct node *elect(void)
{
    for (;; begun_ms += 10)
        for (uint32_t i = 0; i < node_count; i++) {
            begun_ns = rig_now();
            if (leads(&nodes[i])) return &nodes[i];
            turn(&nodes[i], begun_ms, 100000);
        }
}

/* A batch in a frame, as far as the window leaves it. false: it leaves none, or the node takes none. */
static bool propose(struct node *leader)
{
    static struct teak_raft_blob blobs[BATCH_MAX];
    const uint64_t left = window - (proposed - leader->applied);
    const uint32_t count = (uint32_t)(left < batch_entries ? left : batch_entries);
    if (count == 0) return false;
    struct payload *const payload = take_payload();
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *const bytes = payload->bytes + i * entry_bytes;
        write_entry(bytes, proposed + i);
        blobs[i] = (struct teak_raft_blob){.data = bytes, .frame = &payload->frame, .bytes = (uint32_t)entry_bytes,
                                           .kind = TEAK_RAFT_KIND_APPLICATION};
    }
    const enum teak_raft_status status = teak_raft_propose(leader->raft, blobs, count, proposed, &taken);
    teak_raft_drop(&payload->frame);
    proposed += taken;
    if (status != TEAK_RAFT_BUSY) raft_check(status, "propose");
    return taken == count;
}

static struct teak_raft_options bench_options(void)
{
    struct teak_raft_options options = teak_raft_options_default();
    options.election = 10000; /* ms: a stalled machine is not what is measured */
    options.heartbeat = 1000;
    options.tail_entries = (uint32_t)(window + window / 4 + 256); /* what is undecided, and a little */
    options.trailing_entries = 1024;
    options.retain_entries = 1 << 20;
    options.members_max = NODES;
    return options;
}

/* ---------------------------------------------------------------------------------------------- three nodes, memory */

static void run_cluster(void)
{
    static double rate[REPS_MAX], cpu_rate[REPS_MAX];
    const struct teak_raft_options options = bench_options();
    node_count = NODES;
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i] = (struct node){.id = i + 1};
        raft_check(teak_raft_memory_open(&nodes[i].store), "open");
        start_node(&nodes[i], &options);
    }
    struct node *const leader = elect();
    size_t done = 0;
    for (; done < reps + 1 && !rig_stopped; done++) { /* the first one warms */
        const uint64_t begun = rig_now(), before = leader->applied;
        const double cpu_before = rig_cpu_seconds();
        uint64_t now = begun;
        for (uint32_t i = 0; now - begun < (uint64_t)(seconds * 1e9) && !rig_stopped; i++) {
            while (propose(leader)) continue;
            now = rig_now();
            for (uint32_t n = 0; n < NODES; n++) turn(&nodes[n], milliseconds(now), 0);
        }
        const double entries = (double)(leader->applied - before);
        if (done == 0) continue;
        rate[done - 1] = entries / ((double)(now - begun) * 1e-9) * 1e-6;
        cpu_rate[done - 1] = entries / (rig_cpu_seconds() - cpu_before) * 1e-6;
    }
    if (done < 2 || rig_stopped || !leads(leader)) refuse("the run", "stopped, or another leader");
    for (uint32_t n = 0; n < NODES; n++)
        if (nodes[n].applied + 2 * window < leader->applied) refuse("a node", "far behind");
    printf("{\"nodes\": %d, \"window\": %llu, \"batch\": %llu, \"entry_bytes\": %llu, \"repetitions\": %zu, ", NODES,
           (unsigned long long)window, (unsigned long long)batch_entries, (unsigned long long)entry_bytes, done - 1);
    store_print_spread("million_per_second", rate, done - 1, stdout);
    printf(", ");
    store_print_spread("million_per_processor_second", cpu_rate, done - 1, stdout); /* on a busy machine more */
    printf(", \"frames\": %llu}\n", (unsigned long long)payload_count);
    for (uint32_t n = 0; n < NODES; n++) {
        teak_raft_fini(nodes[n].raft);
        nodes[n].store.ops->close(nodes[n].store.self);
    }
}

/* -------------------------------------------------------------------------------------- one node, beside the engine */

static struct {
    struct teak_store *bare, *under;
    uint64_t index, durable, compacted; /* of the bare one */
    uint64_t sizes[1 << 16];            /* entries of the batch with that tag */
    uint64_t tag;
} engine;

static char dir[2][4096];
static void remove_dirs(void)
{
    for (int i = 0; i < 2; i++)
        if (dir[i][0] != '\0') store_remove(dir[i]);
}

static struct teak_store *open_store(const char *at)
{
    struct teak_options options = teak_options_default();
    struct teak_error error = {0};
    struct teak_store *store = NULL;
    options.create = true;
    options.backend = store_backend(option_backend);
    store_check(teak_open(at, &options, &store, NULL, &error), at, &error);
    return store;
}

/* A batch as the window leaves it; the same bytes are made as for the node. false: full, or the window is. */
static bool submit_bare(uint8_t *bytes)
{
    static struct teak_bytes entries[BATCH_MAX];
    struct teak_error error = {0};
    const uint64_t left = window - (engine.index - engine.durable);
    const uint32_t count = (uint32_t)(left < batch_entries ? left : batch_entries);
    if (count == 0) return false;
    for (uint32_t i = 0; i < count; i++) {
        write_entry(bytes + i * entry_bytes, engine.index + i);
        entries[i] = (struct teak_bytes){bytes + i * entry_bytes, (uint32_t)entry_bytes};
    }
    struct teak_op ops[2] = {{.op = TEAK_OP_ENTRIES, .log = LOG, .index = engine.index + 1, .term = 1,
                              .kind = TEAK_RAFT_KIND_APPLICATION, .entries = entries, .count = count}};
    struct teak_batch batch = {.ops = ops, .count = 1, .tag = engine.tag};
    const bool compacts = engine.durable - engine.compacted >= 2 * keep_entries;
    if (compacts)
        ops[batch.count++] =
            (struct teak_op){.op = TEAK_OP_COMPACT, .log = LOG, .index = engine.durable - keep_entries};
    const enum teak_status status = teak_submit(engine.bare, &batch, &error);
    if (status == TEAK_FULL) return false;
    store_check(status, "submit", &error);
    if (compacts) engine.compacted = engine.durable - keep_entries;
    engine.sizes[engine.tag++ % (sizeof engine.sizes / sizeof engine.sizes[0])] = count;
    engine.index += count;
    return true;
}

static uint64_t run_bare(uint64_t until)
{
    static struct teak_completion done[BATCH_MAX];
    uint8_t *const bytes = take_payload()->bytes;
    struct teak_error error = {0};
    const uint64_t before = engine.durable;
    do {
        uint32_t count = 0;
        while (submit_bare(bytes)) continue;
        store_check(teak_poll(engine.bare, TEAK_FOREVER, done, BATCH_MAX, &count, &error), "poll", &error);
        for (uint32_t i = 0; i < count; i++) {
            if (done[i].status != TEAK_OK) refuse("a completion", teak_status_name(done[i].status));
            engine.durable += engine.sizes[done[i].tag % (sizeof engine.sizes / sizeof engine.sizes[0])];
        }
    } while (rig_now() < until && !rig_stopped);
    const uint64_t entries = engine.durable - before;
    while (engine.durable < engine.index) { /* nothing of it is in flight while the other one is measured */
        uint32_t count = 0;
        store_check(teak_poll(engine.bare, TEAK_FOREVER, done, BATCH_MAX, &count, &error), "poll", &error);
        for (uint32_t i = 0; i < count; i++)
            engine.durable += engine.sizes[done[i].tag % (sizeof engine.sizes / sizeof engine.sizes[0])];
    }
    give_back(&((struct payload *)(void *)(bytes - offsetof(struct payload, bytes)))->frame);
    return entries;
}

static uint64_t run_node(uint64_t until)
{
    struct node *const node = &nodes[0];
    const uint64_t before = node->applied;
    uint64_t now;
    do {
        while (propose(node)) hand_out(node); /* the disk begins with what there is */
        now = rig_now();
        turn(node, milliseconds(now), 1000000000);
    } while (now < until && !rig_stopped);
    const uint64_t entries = node->applied - before;
    while (node->applied < proposed) turn(node, milliseconds(rig_now()), 1000000000);
    return entries;
}

/* Million entries per second; and what one cost in processor time, the kernel's workers included. */
static double rate_of(bool bare, double *cpu_ns_out)
{
    const uint64_t begun = rig_now(), until = begun + (uint64_t)(seconds * 1e9);
    const double cpu = rig_cpu_seconds();
    const uint64_t entries = bare ? run_bare(until) : run_node(until);
    *cpu_ns_out = (rig_cpu_seconds() - cpu) * 1e9 / (double)entries;
    return (double)entries / seconds * 1e-6;
}

static void run_single(void)
{
    static double bare[REPS_MAX], node[REPS_MAX], ratio[REPS_MAX], cpu[2][REPS_MAX];
    struct statfs where;
    struct teak_error error = {0};
    struct teak_raft_options options = bench_options();
    struct teak_stats before, after;
    if (statfs(option_dir, &where) != 0) rig_refuse(option_dir, errno);
    if (where.f_type == TMPFS) refuse(option_dir, "is in memory: nothing is durable there");
    for (int i = 0; i < 2; i++)
        snprintf(dir[i], sizeof dir[i], "%s/bench-raft-%ld-%d", option_dir, (long)getpid(), i);
    atexit(remove_dirs); /* whatever ends it */
    engine.bare = open_store(dir[0]);
    store_check(teak_create_log(engine.bare, LOG, 0, &error), "create", &error);
    store_await(engine.bare, 1);
    engine.under = open_store(dir[1]);
    node_count = 1;
    nodes[0] = (struct node){.id = 1};
    options.trailing_entries = (uint32_t)keep_entries; /* as many as the bare one keeps */
    raft_check(teak_raft_teak_open(engine.under, false, &nodes[0].store), "open");
    start_node(&nodes[0], &options);
    (void)elect();
    do { /* until both write into files that were compacted away */
        (void)rate_of(true, &cpu[0][0]);
        (void)rate_of(false, &cpu[1][0]);
        teak_stats(engine.bare, &before);
        teak_stats(engine.under, &after);
    } while ((before.newest_segment < WARM_SEGMENTS || after.newest_segment < WARM_SEGMENTS) && !rig_stopped);
    const uint64_t filled = before.filled_bytes + after.filled_bytes;
    size_t done = 0;
    for (; done < reps && !rig_stopped; done++) {
        const bool first = done % 2 == 0;
        const double a = rate_of(first, &cpu[first ? 0 : 1][done]), b = rate_of(!first, &cpu[first ? 1 : 0][done]);
        bare[done] = first ? a : b;
        node[done] = first ? b : a;
        ratio[done] = node[done] / bare[done];
    }
    teak_stats(engine.bare, &before);
    teak_stats(engine.under, &after);
    if (done > 0 && !rig_stopped) {
        printf("{\"nodes\": 1, \"window\": %llu, \"batch\": %llu, \"entry_bytes\": %llu, \"backend\": \"%s\", "
               "\"repetitions\": %zu, \"filled_bytes\": %llu, ",
               (unsigned long long)window, (unsigned long long)batch_entries, (unsigned long long)entry_bytes,
               after.backend, done, (unsigned long long)(before.filled_bytes + after.filled_bytes - filled));
        store_print_spread("bare_million_per_second", bare, done, stdout);
        printf(", ");
        store_print_spread("node_million_per_second", node, done, stdout);
        printf(", ");
        store_print_spread("ratio", ratio, done, stdout);
        printf(", ");
        store_print_spread("bare_cpu_ns", cpu[0], done, stdout);
        printf(", ");
        store_print_spread("node_cpu_ns", cpu[1], done, stdout);
        printf("}\n");
    }
    teak_raft_fini(nodes[0].raft);
    nodes[0].store.ops->close(nodes[0].store.self);
    teak_abandon(engine.under);
    teak_abandon(engine.bare);
}

int main(int argc, char **argv)
{
    const struct rig_option options[] = {
        {.name = "--single", .flag = &is_single, .help = "one node on the engine, beside the engine"},
        {.name = "--dir", .text = &option_dir, .help = "single: where the stores are made, and removed [.]"},
        {.name = "--backend", .text = &option_backend, .help = "single: uring or posix [uring]"},
        {.name = "--window", .number = &window, .help = "entries proposed and not applied [1024]"},
        {.name = "--batch", .number = &batch_entries, .help = "entries of a proposal, at most [64]"},
        {.name = "--entry-bytes", .number = &entry_bytes, .help = "bytes of one entry, 8 or more [16; single 256]"},
        {.name = "--keep", .number = &keep_entries, .help = "entries between two snapshots [16k]"},
        {.name = "--seconds", .seconds = &seconds, .help = "of each repetition [1]"},
        {.name = "--reps", .number = &reps, .help = "repetitions, 1 to 63 [5]"},
        {.name = NULL}};
    rig_parse(argc, argv, options);
    if (entry_bytes == 0) entry_bytes = is_single ? 256 : 16;
    if (reps == 0 || reps >= REPS_MAX || window == 0 || window > 1 << 16 || batch_entries == 0 ||
        batch_entries > BATCH_MAX || entry_bytes < 8 || entry_bytes > 1 << 16 || keep_entries < 1024) {
        fprintf(stderr, "--reps 1 to %d, --window 1 to 65536, --batch 1 to %d, --entry-bytes 8 to 65536, "
                        "--keep from 1024\n", REPS_MAX - 1, BATCH_MAX);
        return 2;
    }
    rig_catch_signals();
    if (is_single)
        run_single();
    else
        run_cluster();
    return rig_stopped ? 1 : 0;
}
