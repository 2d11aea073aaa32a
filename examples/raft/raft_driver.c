/* raft_driver.c: see raft_driver.h. */
#include "raft_driver.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "teak/raft_store_memory.h"

enum { DONE_MAX = 64, IO_MAX = 64, MINUTE = 60000, DELAY = 5 };

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void must(enum teak_raft_status status, const char *what)
{
    if (status == TEAK_RAFT_OK) return;
    fprintf(stderr, "%s: %s\n", what, teak_raft_status_name(status));
    exit(1);
}

/* -------------------------------------------------------------------------------------------------------- snapshots */

/* The bytes of one, and what it is called. Here they are in memory; elsewhere it would be a file.
 *
 * How long is one to be kept? The next start may name it until the job that names a newer one is durable, and members
 * may still read it: until CLOSE has come for each. */
struct replica_body {
    struct replica_body *next; /* older */
    struct teak_raft_frame frame;
    uint64_t token;            /* of the job that names it; 0: none does yet, or its job was refused */
    bool is_named;             /* ... and that is durable                                            */
    uint32_t reader_count;
    uint64_t readers[TEAK_RAFT_MEMBERS_MAX];
    struct teak_raft_snapshot name;
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    uint64_t have; /* bytes, of name.bytes */
    uint8_t data[];
};

enum { BODY_MAX = 1 << 16 };

static void free_body(struct teak_raft_frame *frame)
{
    free((uint8_t *)frame - offsetof(struct replica_body, frame));
}

static struct replica_body *make_body(const struct teak_raft_snapshot *name, uint64_t bytes)
{
    struct replica_body *body = bytes <= BODY_MAX ? calloc(1, sizeof *body + bytes) : NULL;
    if (!body) return NULL;
    body->frame = (struct teak_raft_frame){.refs = 1, .bytes = (uint32_t)(sizeof *body + bytes), .free = free_body};
    body->name = *name;
    if (name->config) memcpy(body->config, name->config, name->config_bytes);
    body->name.config = body->config;
    return body;
}

static void drop_body(struct replica_body **body)
{
    if (*body) teak_raft_drop(&(*body)->frame);
    *body = NULL;
}

static bool is_called(const struct replica_body *body, const struct teak_raft_snapshot *name)
{
    return body && body->name.pos.index == name->pos.index && body->name.pos.term == name->pos.term &&
           body->name.born == name->born && body->name.bytes == name->bytes && body->name.checksum == name->checksum;
}

static uint64_t checksum_of(const uint8_t *data, uint64_t bytes)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (uint64_t i = 0; i < bytes; i++) sum = (sum ^ data[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static struct replica_body *find_body(const struct replica *replica, const struct teak_raft_snapshot *name)
{
    struct replica_body *body = replica->bodies;
    while (body && !is_called(body, name)) body = body->next;
    return body;
}

/* The newest one; who has it already need not have it twice. */
static void keep_body(struct replica *replica, struct replica_body *body)
{
    if (find_body(replica, &body->name)) {
        drop_body(&body);
        return;
    }
    body->next = replica->bodies;
    replica->bodies = body;
}

/* Those behind the newest one that the log was told of, and that nobody reads. */
static void forget_bodies(struct replica *replica)
{
    bool is_older = false;
    for (struct replica_body **link = &replica->bodies; *link;) {
        struct replica_body *body = *link;
        if (is_older && body->reader_count == 0) {
            *link = body->next;
            drop_body(&body);
            continue;
        }
        is_older = is_older || body->is_named;
        link = &body->next;
    }
}

/* The log was told of all up to this job, or of none from it on. */
static void job_is_done(struct replica *replica, uint64_t token, bool durable)
{
    for (struct replica_body *body = replica->bodies; body; body = body->next) {
        if (durable && body->token != 0 && body->token <= token) body->is_named = true;
        if (!durable && body->token >= token) body->token = 0;
    }
    forget_bodies(replica);
}

static void open_for(struct replica_body *body, uint64_t member)
{
    for (uint32_t i = 0; i < body->reader_count; i++)
        if (body->readers[i] == member) return;
    if (body->reader_count == TEAK_RAFT_MEMBERS_MAX) die("more readers than members");
    body->readers[body->reader_count++] = member;
}

static void close_for(struct replica_body *body, uint64_t member)
{
    for (uint32_t i = 0; body && i < body->reader_count; i++)
        if (body->readers[i] == member) body->readers[i--] = body->readers[--body->reader_count];
}

enum teak_raft_status replica_snapshot(struct replica *replica)
{
    struct replica_body *body = make_body(&(struct teak_raft_snapshot){.bytes = 0}, BODY_MAX);
    if (!body) return TEAK_RAFT_NO_SPACE;
    enum teak_raft_status status =
        teak_raft_snapshot_point(replica->raft, body->config, sizeof body->config, &body->name);
    if (status == TEAK_RAFT_OK) {
        body->name.bytes = body->have = replica->save(replica, body->data, BODY_MAX);
        body->name.checksum = checksum_of(body->data, body->have);
        status = teak_raft_snapshot_taken(replica->raft, &body->name);
    }
    if (status == TEAK_RAFT_OK)
        keep_body(replica, body);
    else
        drop_body(&body);
    return status;
}

void replica_forget(struct replica *replica)
{
    while (replica->bodies) {
        struct replica_body *body = replica->bodies;
        replica->bodies = body->next;
        drop_body(&body);
    }
    drop_body(&replica->part);
}

/* What one operation on a body came to. */
struct reply {
    uint64_t ticket, offset;
    enum teak_raft_outcome outcome;
    bool is_owed;
    struct teak_raft_blob blob;
};

static struct reply do_io(struct replica *replica, const struct teak_raft_snap_io *io)
{
    struct reply reply = {.ticket = io->ticket, .outcome = TEAK_RAFT_DONE, .is_owed = true};
    struct replica_body *part = is_called(replica->part, &io->snapshot) ? replica->part : NULL;
    switch (io->op) {
    case TEAK_RAFT_SNAP_READ: {
        struct replica_body *body = find_body(replica, &io->snapshot);
        if (!body) { /* a newer one came before anybody began to read this one: the member gets that */
            reply.outcome = TEAK_RAFT_CORRUPT;
            break;
        }
        open_for(body, io->peer);
        reply.blob = (struct teak_raft_blob){.data = body->data + io->offset, .frame = &body->frame,
                                             .bytes = io->bytes};
        break;
    }
    case TEAK_RAFT_SNAP_BEGIN:
        if (!part) {
            drop_body(&replica->part);
            part = replica->part = make_body(&io->snapshot, io->snapshot.bytes);
        }
        reply.outcome = part ? TEAK_RAFT_DONE : TEAK_RAFT_NO_ROOM;
        reply.offset = part ? part->have : 0;
        break;
    case TEAK_RAFT_SNAP_WRITE:
        if (!part || io->offset != part->have || io->bytes > part->name.bytes - part->have) {
            reply.outcome = TEAK_RAFT_CORRUPT;
            break;
        }
        memcpy(part->data + part->have, io->data, io->bytes);
        part->have += io->bytes;
        break;
    case TEAK_RAFT_SNAP_FINISH:
        if (!part || part->have != part->name.bytes || checksum_of(part->data, part->have) != part->name.checksum) {
            reply.outcome = TEAK_RAFT_CORRUPT;
            break;
        }
        keep_body(replica, part);
        replica->part = NULL;
        break;
    case TEAK_RAFT_SNAP_ABORT: drop_body(&replica->part); reply.is_owed = false; break;
    case TEAK_RAFT_SNAP_CLOSE:
        close_for(find_body(replica, &io->snapshot), io->peer);
        forget_bodies(replica);
        reply.is_owed = false;
        break;
    }
    return reply;
}

/* --------------------------------------------------------------------------------------------------------- one turn */

enum teak_raft_status replica_found(struct replica *replica, const struct teak_raft_member *members, uint32_t count,
                                    uint64_t born)
{
    const struct teak_raft_log_store_ops *ops = replica->store.ops;
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    struct teak_raft_start start = {.applied = 0};
    struct teak_raft_completion done;
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    enum teak_raft_status status;
    while ((status = ops->create(replica->store.self, 0, born)) == TEAK_RAFT_BUSY)
        ops->collect(replica->store.self, 1000000, NULL, 0);
    if (status != TEAK_RAFT_OK || count == 0) return status;
    while ((status = ops->start(replica->store.self, 0, &start)) == TEAK_RAFT_BUSY)
        ops->collect(replica->store.self, 1000000, NULL, 0);
    if (status == TEAK_RAFT_OK) status = teak_raft_bootstrap(members, count, bytes, sizeof bytes, &entry, &job);
    if (status == TEAK_RAFT_OK) status = ops->submit(replica->store.self, 0, &job);
    if (status != TEAK_RAFT_OK) return status;
    while (ops->collect(replica->store.self, 1000000, &done, 1) == 0) continue;
    return done.outcome == TEAK_RAFT_DURABLE ? TEAK_RAFT_OK : TEAK_RAFT_NO_SPACE;
}

/* Of the last run nothing is left but what the log names: it was not told of newer ones, and nobody reads any more. */
static void begin_bodies(struct replica *replica, const struct teak_raft_snapshot *named)
{
    while (replica->bodies && !(named && is_called(replica->bodies, named))) {
        struct replica_body *body = replica->bodies;
        replica->bodies = body->next;
        drop_body(&body);
    }
    for (struct replica_body *body = replica->bodies; body; body = body->next) {
        body->token = 0; /* they begin anew */
        body->reader_count = 0;
        body->is_named = body == replica->bodies;
    }
    forget_bodies(replica);
}

enum teak_raft_status replica_start(struct replica *replica, const struct teak_raft_options *options, uint64_t now,
                                    uint64_t incarnation)
{
    const struct teak_raft_log_store_ops *ops = replica->store.ops;
    struct teak_raft_start start = {.incarnation = incarnation};
    const size_t bytes = teak_raft_size(options);
    enum teak_raft_status status = ops->fits(replica->store.self, options);
    if (status != TEAK_RAFT_OK) return status;
    while ((status = ops->start(replica->store.self, 0, &start)) == TEAK_RAFT_BUSY)
        ops->collect(replica->store.self, 1000000, NULL, 0);
    if (status != TEAK_RAFT_OK) return status;
    begin_bodies(replica, start.snapshot);
    start.can_restore = start.snapshot && find_body(replica, start.snapshot);
    replica->block = aligned_alloc(16, (bytes + 15) & ~(size_t)15);
    if (!replica->block) return TEAK_RAFT_NO_SPACE;
    replica->applied = replica->committed = replica->lost = 0;
    status = teak_raft_init(replica->block, bytes, options, &start, now, &replica->raft);
    if (status != TEAK_RAFT_OK) replica_stop(replica);
    return status;
}

void replica_stop(struct replica *replica)
{
    teak_raft_fini(replica->raft);
    free(replica->block);
    replica->raft = NULL;
    replica->block = NULL;
}

static void apply_all(struct replica *replica, const struct teak_raft_apply *apply)
{
    if (apply->restore) {
        const struct replica_body *body = find_body(replica, apply->restore);
        if (!body) die("a snapshot that is not here");
        replica->restore(replica, body->data, (uint32_t)body->have);
    }
    for (uint32_t i = 0; i < apply->count; i++) replica->apply(replica, &apply->entries[i]);
    replica->applied = apply->upto;
}

static void count_fates(struct replica *replica, const struct teak_raft_ready *ready)
{
    for (uint32_t i = 0; i < ready->done_count; i++) {
        if (ready->done[i].fate == TEAK_RAFT_COMMITTED) replica->committed += ready->done[i].count;
        if (ready->done[i].fate == TEAK_RAFT_LOST) replica->lost += ready->done[i].count;
    }
}

void replica_turn(struct replica *replica, uint64_t now, uint64_t wait_ns)
{
    const struct teak_raft_log_store store = replica->store;
    struct teak_raft_completion done[DONE_MAX];
    const uint32_t count = store.ops->collect(store.self, wait_ns, done, DONE_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (done[i].kind == TEAK_RAFT_JOB_DONE)
            job_is_done(replica, done[i].number, done[i].outcome == TEAK_RAFT_DURABLE);
        teak_raft_tell(replica->raft, &done[i]);
    }
    teak_raft_tick(replica->raft, now);
    while (teak_raft_has_ready(replica->raft)) {
        struct teak_raft_ready ready;
        const uint32_t want = TEAK_RAFT_ALL & ~(store.ops->takes(store.self) ? 0u : (uint32_t)TEAK_RAFT_PERSIST);
        teak_raft_ready(replica->raft, want, &ready);
        if (ready.job) {
            struct replica_body *named = ready.job->snapshot ? find_body(replica, ready.job->snapshot) : NULL;
            if (named) named->token = ready.job->token;
            must(store.ops->submit(store.self, 0, ready.job), "submit");
        }
        for (uint32_t i = 0; i < ready.send_count; i++) replica->send(replica->network, &ready.send[i]);
        for (uint32_t i = 0; i < ready.fetch_count; i++)
            must(store.ops->fetch(store.self, 0, &ready.fetch[i]), "fetch");
        count_fates(replica, &ready);
        struct reply replies[IO_MAX];
        uint32_t reply_count = 0;
        const bool applies = ready.apply.upto > 0;
        if (ready.snap_count > IO_MAX) die("more at a time than there is room for");
        for (; reply_count < ready.snap_count; reply_count++)
            replies[reply_count] = do_io(replica, &ready.snap[reply_count]);
        if (applies) apply_all(replica, &ready.apply);
        /* With the first of these calls the ready ends. */
        for (uint32_t i = 0; i < reply_count; i++)
            if (replies[i].is_owed)
                teak_raft_snap_done(replica->raft, replies[i].ticket, replies[i].outcome, replies[i].offset,
                                    &replies[i].blob);
        if (applies) {
            teak_raft_applied(replica->raft, replica->applied);
        } else if (want != TEAK_RAFT_ALL) {
            break; /* what is left may be the job that the store does not take now */
        }
    }
}

/* The bytes of one proposal, and the frame that owns them: freed when nobody holds it any more. */
struct line {
    struct teak_raft_frame frame;
    uint8_t bytes[];
};

static void free_line(struct teak_raft_frame *frame) { free(frame); }

enum teak_raft_status replica_propose(struct replica *replica, const char *text, uint64_t tag)
{
    const uint32_t bytes = (uint32_t)strlen(text);
    struct line *line = malloc(sizeof *line + bytes);
    if (!line) die("no memory");
    line->frame = (struct teak_raft_frame){.refs = 1, .bytes = (uint32_t)sizeof *line + bytes, .free = free_line};
    memcpy(line->bytes, text, bytes);
    const struct teak_raft_blob blob = {.data = line->bytes, .frame = &line->frame, .bytes = bytes,
                                        .kind = TEAK_RAFT_KIND_APPLICATION};
    uint32_t taken;
    const enum teak_raft_status status = teak_raft_propose(replica->raft, &blob, 1, tag, &taken);
    teak_raft_drop(&line->frame); /* the node holds what it took */
    return status;
}

/* ------------------------------------------------------------------------------------------------------ the network */

struct letter_in_flight {
    struct letter_in_flight *next;
    uint64_t due;
    struct teak_raft_msg msg;
    struct teak_raft_chunk chunk; /* msg.chunk, if there is one */
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(TEAK_RAFT_MEMBERS_MAX)];
    struct teak_raft_entry entries[];
};

/* Memory for the bytes of an entry that has none of its own. */
struct copy {
    struct teak_raft_frame frame;
    uint8_t data[];
};

static void free_copy(struct teak_raft_frame *frame) { free((uint8_t *)frame - offsetof(struct copy, frame)); }

/* An entry that outlives the call that gave it. Who has no frame is a NOOP, or a CONFIG whose bytes its node will write
 * over: here they are copied, for who receives the entry keeps it. */
static void keep_entry(struct teak_raft_entry *entry)
{
    teak_raft_hold(entry->frame);
    if (entry->frame || entry->bytes == 0) return;
    const size_t bytes = sizeof(struct copy) + entry->bytes;
    struct copy *copy = malloc(bytes);
    if (!copy) die("no memory");
    copy->frame = (struct teak_raft_frame){.refs = 1, .bytes = (uint32_t)bytes, .free = free_copy};
    memcpy(copy->data, entry->data, entry->bytes);
    entry->data = copy->data;
    entry->frame = &copy->frame;
}

/* A message outlives the ready that it came from: its entries are copied, their bytes are held. */
static void cluster_send(void *network, const struct teak_raft_msg *msg)
{
    struct cluster *cluster = network;
    if (cluster->cut[msg->from - 1][msg->to - 1]) return;
    struct letter_in_flight *letter = calloc(1, sizeof *letter + msg->count * sizeof letter->entries[0]);
    if (!letter) die("no memory");
    letter->due = cluster->now + DELAY;
    letter->msg = *msg;
    if (msg->count > 0) memcpy(letter->entries, msg->entries, msg->count * sizeof letter->entries[0]);
    letter->msg.entries = letter->entries;
    for (uint32_t i = 0; i < msg->count; i++) keep_entry(&letter->entries[i]);
    if (msg->chunk) {
        letter->chunk = *msg->chunk;
        memcpy(letter->config, msg->chunk->snapshot.config, msg->chunk->snapshot.config_bytes);
        letter->chunk.snapshot.config = letter->config;
        letter->msg.chunk = &letter->chunk;
        teak_raft_hold(letter->chunk.frame);
    }
    if (cluster->first)
        cluster->last->next = letter;
    else
        cluster->first = letter;
    cluster->last = letter;
}

static void throw_away(struct letter_in_flight *letter)
{
    for (uint32_t i = 0; i < letter->msg.count; i++) teak_raft_drop(letter->entries[i].frame);
    teak_raft_drop(letter->chunk.frame);
    free(letter);
}

static void deliver(struct cluster *cluster)
{
    while (cluster->first && cluster->first->due <= cluster->now) {
        struct letter_in_flight *letter = cluster->first;
        struct replica *to = &cluster->nodes[letter->msg.to - 1];
        cluster->first = letter->next;
        if (to->raft && !cluster->cut[letter->msg.from - 1][letter->msg.to - 1])
            teak_raft_receive(to->raft, &letter->msg); /* what it does not want it drops */
        throw_away(letter);
    }
}

/* ------------------------------------------------------------------------------------------------------ the cluster */

static struct teak_raft_options options_of(uint64_t id)
{
    struct teak_raft_options options = teak_raft_options_default();
    options.id = options.seed = id;
    memcpy(options.cluster, "an example, ---", sizeof options.cluster);
    options.entry_bytes_max = options.job_bytes_max = 1 << 16;
    options.tail_entries = 64;
    options.trailing_entries = 8;
    options.snapshot_chunk_bytes = 256;
    options.snapshot_window = 2; /* a transfer takes a while, as one of gigabytes does */
    return options;
}

void cluster_restart(struct cluster *cluster, uint64_t id)
{
    const struct teak_raft_options options = options_of(id);
    must(replica_start(&cluster->nodes[id - 1], &options, cluster->now, ++cluster->runs), "start");
}

void cluster_begin(struct cluster *cluster, uint32_t count, uint32_t voters,
                   void (*apply)(struct replica *replica, const struct teak_raft_entry *entry))
{
    struct teak_raft_member members[CLUSTER_MAX];
    *cluster = (struct cluster){.count = count};
    for (uint32_t i = 0; i < voters; i++) /* a log is born when it is created: node i's at 100 + i */
        members[i] = (struct teak_raft_member){.id = i + 1, .born = 101 + i, .roles = TEAK_RAFT_VOTER};
    for (uint32_t i = 0; i < count; i++) {
        struct replica *node = &cluster->nodes[i];
        *node = (struct replica){.id = i + 1, .apply = apply, .send = cluster_send, .network = cluster};
        must(teak_raft_memory_open(&node->store), "open");
        must(replica_found(node, members, i < voters ? voters : 0, 101 + i), "found");
        cluster_restart(cluster, node->id);
    }
}

void cluster_crash(struct cluster *cluster, uint64_t id)
{
    struct replica *node = &cluster->nodes[id - 1];
    replica_stop(node);
    teak_raft_memory_crash(&node->store, 0);
}

void cluster_end(struct cluster *cluster)
{
    while (cluster->first) {
        struct letter_in_flight *letter = cluster->first;
        cluster->first = letter->next;
        throw_away(letter);
    }
    for (uint32_t i = 0; i < cluster->count; i++) {
        replica_stop(&cluster->nodes[i]);
        cluster->nodes[i].store.ops->close(cluster->nodes[i].store.self);
        replica_forget(&cluster->nodes[i]);
    }
}

void cluster_cut(struct cluster *cluster, uint64_t id, bool is_cut)
{
    for (uint32_t i = 0; i < cluster->count; i++) cluster->cut[id - 1][i] = cluster->cut[i][id - 1] = is_cut;
}

static void step(struct cluster *cluster)
{
    cluster->now++;
    deliver(cluster);
    for (uint32_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].raft) replica_turn(&cluster->nodes[i], cluster->now, 0);
}

bool cluster_run(struct cluster *cluster, bool (*until)(struct cluster *cluster))
{
    const uint64_t end = cluster->now + MINUTE;
    while (cluster->now < end && !until(cluster)) step(cluster);
    return until(cluster);
}

void cluster_pass(struct cluster *cluster, uint64_t milliseconds)
{
    while (milliseconds-- > 0) step(cluster);
}

struct replica *cluster_leader(struct cluster *cluster)
{
    struct replica *leader = NULL;
    uint64_t term = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct teak_raft_view view;
        if (!cluster->nodes[i].raft) continue;
        teak_raft_view(cluster->nodes[i].raft, &view);
        if (view.role != TEAK_RAFT_LEADER || view.term <= term) continue;
        term = view.term;
        leader = &cluster->nodes[i];
    }
    return leader;
}

bool cluster_has_leader(struct cluster *cluster) { return cluster_leader(cluster) != NULL; }

bool cluster_agrees(struct cluster *cluster)
{
    const struct replica *leader = cluster_leader(cluster);
    if (!leader) return false;
    struct teak_raft_view view;
    teak_raft_view(leader->raft, &view);
    for (uint32_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].raft && cluster->nodes[i].applied != view.last.index) return false;
    return true;
}

enum teak_raft_status cluster_propose(struct cluster *cluster, struct replica *replica, const char *text)
{
    enum teak_raft_status status;
    while ((status = replica_propose(replica, text, ++cluster->tags)) == TEAK_RAFT_BUSY) step(cluster);
    return status;
}
