/* kill_life.c: writers that are killed with SIGKILL, again and again, with a witness; for kill_life_test.py, and by
 * hand for thousands.
 *
 *   kill_life --dir DIR --kind writer|committer --backend uring|posix [--kills 25] [--actors 8] [--seed N] [--ack FILE]
 *             [--lie N]
 *
 * ACTORS   Each has a log of its own, and does one batch after the other: its number s stands in the batch's hard state
 *          as the commit index, and what else is in it, entries, truncation, compaction, META, is drawn from the seed,
 *          the actor and s. So a log's commit index says which batches it has seen, and what it must hold because of
 *          that, to the byte. Every second batch appends to a log that all share, too.
 *          `committer`: an actor is a thread that waits for each batch. `writer`: one thread, which submits for the
 *          actors in turn and keeps a window of batches outstanding.
 * WITNESS  --ack: a file, mapped by the one who is killed: of each actor the last batch that it was told is durable.
 *          The page cache keeps it; it outlives the process, as the promise has to.
 *          --lie: say N more than is true; the oracle has to see it.
 * KILLS    At a number of acknowledgements, at a random time behind the start, so that opening and recovering are
 *          killed, too, and right behind the first acknowledgement.
 * ORACLE   After each kill, at once: of each actor k batches are there, not fewer than acknowledged, not more than were
 *          submitted; its log is what k batches make of it; of the shared log every entry is of a batch that is there
 *          as well, in order, and none is missing in between; of a writer the batches of all actors are a prefix of
 *          what it submitted. And whoever opens the store next to write finds the same as the one who only looked.
 * FAILS    Exit 1 and a line that says what, with the seed. 77: no such backend here.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "teak/committer.h"

enum {
    ACTORS_MAX = 64, WINDOW = 24, KEPT = 256, ENTRY_MAX = 700, BATCH_ENTRIES = 4, OPS_MAX = 6, SHARED = 1000,
    SHARED_KEPT = 400, META_MAX = 64, DONE_MAX = 64, SEGMENT_BYTES = 128 << 10, READ_MAX = 64, PATIENCE_S = 60,
};

/* ------------------------------------------------------------------------------------------------------------ model */

struct entry {
    uint64_t s, term;
    uint32_t which; /* of the batch's */
};

/* What an actor's log holds after `s` batches. Entry i stands at i % KEPT. */
struct model {
    uint64_t s, base, base_term, last, term;
    struct entry entries[KEPT];
};

struct witness {
    atomic_ullong acked[ACTORS_MAX];
    atomic_ullong lives;           /* that came to write                          */
    uint64_t there[ACTORS_MAX];    /* batches found after the last kill           */
    uint64_t shared_base;          /* compacted up to, at least                   */
    bool is_made;                  /* the store was seen                          */
    uint64_t cut, beyond;          /* recoveries that cut; batches there that nobody was told of */
    struct model models[ACTORS_MAX];
};

static const char *dir, *kind = "committer", *backend = "uring", *ack;
static uint64_t kills = 25, actors = 8, seed, lie;
static struct witness *witness;

static uint64_t mix(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t z = seed ^ a * UINT64_C(0x9e3779b97f4a7c15) ^ b * UINT64_C(0xbf58476d1ce4e5b9) ^
                 c * UINT64_C(0x94d049bb133111eb);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t payload(uint64_t actor, uint64_t s, uint32_t which, uint8_t *out)
{
    uint64_t x = mix(actor, s, 100 + which);
    const uint32_t bytes = (uint32_t)(x % ENTRY_MAX);
    for (uint32_t i = 0; i < bytes; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        out[i] = (uint8_t)(x >> 56);
    }
    return bytes;
}

static uint32_t meta_of(uint64_t actor, uint64_t s, uint8_t *out)
{
    const uint32_t bytes = (uint32_t)(mix(actor, s, 7) % META_MAX);
    for (uint32_t i = 0; i < bytes; i++) out[i] = (uint8_t)(mix(actor, s, 8) + i);
    return bytes;
}

/* A batch, with room for all that it points to. */
struct plan {
    struct teak_op ops[OPS_MAX];
    struct teak_bytes entries[BATCH_ENTRIES], shared;
    uint8_t bytes[BATCH_ENTRIES][ENTRY_MAX], meta[META_MAX];
    uint64_t shared_word[2];
    struct teak_batch batch;
};

static void model_append(struct model *model, uint64_t actor, struct plan *plan)
{
    const uint32_t count = 1 + (uint32_t)(mix(actor, model->s, 1) % BATCH_ENTRIES);
    plan->ops[plan->batch.count++] =
        (struct teak_op){.op = TEAK_OP_ENTRIES, .log = actor + 1, .index = model->last + 1, .term = model->term,
                         .entries = plan->entries, .count = count};
    for (uint32_t i = 0; i < count; i++) {
        plan->entries[i] = (struct teak_bytes){plan->bytes[i], payload(actor, model->s, i, plan->bytes[i])};
        model->entries[++model->last % KEPT] = (struct entry){.s = model->s, .term = model->term, .which = i};
    }
}

static void model_truncate(struct model *model, uint64_t actor, struct plan *plan)
{
    const uint64_t length = model->last - model->base;
    if (length == 0) return;
    const uint64_t from = model->last - mix(actor, model->s, 2) % (length < 20 ? length : 20);
    plan->ops[plan->batch.count++] = (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = actor + 1, .index = from};
    model->last = from - 1;
}

static void model_compact(struct model *model, uint64_t actor, struct plan *plan, uint64_t keep)
{
    if (model->last - model->base <= keep) return;
    const uint64_t upto = model->last - keep;
    plan->ops[plan->batch.count++] = (struct teak_op){.op = TEAK_OP_COMPACT, .log = actor + 1, .index = upto};
    model->base_term = model->entries[upto % KEPT].term;
    model->base = upto;
}

/* The next batch of an actor: into the model, and into `plan`. */
static void model_step(struct model *model, uint64_t actor, struct plan *plan)
{
    const uint64_t s = ++model->s, draw = mix(actor, s, 0) % 100;
    memset(&plan->batch, 0, sizeof plan->batch);
    plan->batch.ops = plan->ops;
    if (s == 1) plan->ops[plan->batch.count++] = (struct teak_op){.op = TEAK_OP_CREATE, .log = actor + 1};
    if (s % 50 == 0 || model->term == 0) model->term++;
    plan->ops[plan->batch.count++] = (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = actor + 1, .term = model->term,
                                                      .vote = 1 + model->term % 3, .commit = s};
    if (draw < 8) model_truncate(model, actor, plan);
    if (draw >= 8 && draw < 12) {
        const uint32_t bytes = meta_of(actor, s, plan->meta);
        plan->ops[plan->batch.count++] =
            (struct teak_op){.op = TEAK_OP_META, .log = actor + 1, .data = plan->meta, .bytes = bytes};
    } else {
        model_append(model, actor, plan);
    }
    model_compact(model, actor, plan, draw < 20 ? 30 : KEPT - BATCH_ENTRIES);
    if (draw == 50) plan->batch.flags = TEAK_URGENT;
    if (draw == 51) plan->batch.flags = TEAK_LAZY;
    if (s % 2 == 0) return;
    plan->shared_word[0] = actor;
    plan->shared_word[1] = s;
    plan->shared = (struct teak_bytes){plan->shared_word, sizeof plan->shared_word};
    plan->ops[plan->batch.count++] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = SHARED, .index = TEAK_INDEX_NEXT,
                                                      .term = 1, .entries = &plan->shared, .count = 1};
}

/* ---------------------------------------------------------------------------------------------------------- helpers */

static void refuse(const char *what, uint64_t actor, uint64_t is, uint64_t right)
{
    fprintf(stderr, "kill_life --kind %s --backend %s --actors %" PRIu64 " --seed %" PRIu64 ": %s: actor %" PRIu64
            ", is %" PRIu64 ", should be %" PRIu64 "\n", kind, backend, actors, seed, what, actor, is, right);
    _exit(1);
}

static void need_equal(const char *what, uint64_t actor, uint64_t is, uint64_t right)
{
    if (is != right) refuse(what, actor, is, right);
}

static void need(enum teak_status status, const char *what, const struct teak_error *error)
{
    if (status == TEAK_OK) return;
    char text[512];
    teak_error_text(error, text, sizeof text);
    fprintf(stderr, "kill_life --kind %s --backend %s --seed %" PRIu64 ": %s: %s\n", kind, backend, seed, what, text);
    _exit(1);
}

static struct teak_options options_here(void)
{
    struct teak_options options = teak_options_default();
    options.create = true;
    options.backend = strcmp(backend, "posix") == 0 ? TEAK_BACKEND_POSIX : TEAK_BACKEND_URING;
    options.segment_bytes = SEGMENT_BYTES;
    return options;
}

/* ----------------------------------------------------------------------------------------------------- what is told */

/* Of the whole store: is it what was found after the kill? */
static void compare_with_last_look(struct teak_store *store)
{
    for (uint64_t actor = 0; actor < actors; actor++) {
        const struct model *model = &witness->models[actor];
        struct teak_log log = {0};
        const enum teak_status status = teak_log(store, actor + 1, &log, NULL);
        need_equal("opened: log there", actor, status == TEAK_OK, model->s > 0);
        if (model->s == 0) continue;
        need_equal("opened: batches", actor, log.hard.commit, model->s);
        need_equal("opened: last entry", actor, log.last.index, model->last);
    }
}

static void told(uint64_t actor, uint64_t s)
{
    atomic_store_explicit(&witness->acked[actor], s, memory_order_release);
}

/* -------------------------------------------------------------------------------------------------- a writer's life */

static void writer_take(struct teak_store *store, uint64_t wait_ns, uint64_t *outstanding)
{
    struct teak_completion done[DONE_MAX];
    struct teak_error error = {0};
    uint32_t count;
    need(teak_poll(store, wait_ns, done, DONE_MAX, &count, &error), "poll", &error);
    for (uint32_t i = 0; i < count; i++) {
        need(done[i].status, "completion", &(struct teak_error){.status = done[i].status});
        if (done[i].tag == 0) continue;
        told((done[i].tag - 1) % actors, (done[i].tag - 1) / actors + 1 + lie);
        --*outstanding;
    }
}

static void writer_submit(struct teak_store *store, const struct teak_batch *batch, uint64_t *outstanding)
{
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = teak_submit(store, batch, &error)) == TEAK_FULL) writer_take(store, 1000000, outstanding);
    need(status, "submit", &error);
}

static void live_as_writer(uint64_t batches)
{
    struct teak_store *store;
    struct teak_error error = {0};
    const struct teak_options options = options_here();
    need(teak_open(dir, &options, &store, NULL, &error), "open", &error);
    compare_with_last_look(store);
    atomic_fetch_add(&witness->lives, 1);
    static struct model models[ACTORS_MAX];
    static struct plan plan;
    struct teak_log shared = {0};
    uint64_t g = 0, outstanding = 0;
    for (uint64_t actor = 0; actor < actors; actor++) {
        models[actor] = witness->models[actor];
        g += models[actor].s;
    }
    if (teak_log(store, SHARED, &shared, NULL) == TEAK_UNKNOWN_LOG) {
        const struct teak_op create = {.op = TEAK_OP_CREATE, .log = SHARED};
        writer_submit(store, &(struct teak_batch){.ops = &create, .count = 1}, &outstanding);
    }
    uint64_t next = shared.last.index + 1, compacted = shared.base.index;
    for (; batches > 0; batches--, g++) {
        model_step(&models[g % actors], g % actors, &plan);
        for (uint32_t i = 0; i < plan.batch.count; i++)
            if (plan.ops[i].index == TEAK_INDEX_NEXT) plan.ops[i].index = next++;
        plan.batch.tag = g + 1;
        outstanding++;
        writer_submit(store, &plan.batch, &outstanding);
        if (next > compacted + 2 * SHARED_KEPT) {
            const struct teak_op compact = {.op = TEAK_OP_COMPACT, .log = SHARED, .index = next - 1 - SHARED_KEPT};
            writer_submit(store, &(struct teak_batch){.ops = &compact, .count = 1}, &outstanding);
            compacted = compact.index;
        }
        while (outstanding >= WINDOW) writer_take(store, TEAK_FOREVER, &outstanding);
    }
    while (outstanding > 0) writer_take(store, TEAK_FOREVER, &outstanding);
    need(teak_close(store, &error), "close", &error);
}

/* ----------------------------------------------------------------------------------------------- a committer's life */

struct thread_life {
    pthread_t id;
    struct teak_committer *committer;
    uint64_t actor, batches;
    struct model model;
    struct plan plan;
};

static void call_compare(struct teak_store *store, void *context)
{
    (void)context;
    compare_with_last_look(store);
}

static void call_shared(struct teak_store *store, void *context) { (void)teak_log(store, SHARED, context, NULL); }

/* It is the work of one of them to keep the shared log short. */
static void compact_shared(struct teak_committer *committer)
{
    struct teak_log shared = {0};
    struct teak_error error = {0};
    need(teak_committer_call(committer, call_shared, &shared, &error), "call", &error);
    if (shared.last.index < shared.base.index + 2 * SHARED_KEPT) return;
    const struct teak_op compact = {.op = TEAK_OP_COMPACT, .log = SHARED, .index = shared.last.index - SHARED_KEPT};
    need(teak_committer_commit(committer, &(struct teak_batch){.ops = &compact, .count = 1}, NULL, &error), "compact",
         &error);
}

static void *live_as_thread(void *context)
{
    struct thread_life *life = context;
    for (; life->batches > 0; life->batches--) {
        struct teak_error error = {0};
        model_step(&life->model, life->actor, &life->plan);
        need(teak_committer_commit(life->committer, &life->plan.batch, NULL, &error), "commit", &error);
        told(life->actor, life->model.s + lie);
        if (life->actor == 0 && life->model.s % 64 == 0) compact_shared(life->committer);
    }
    return NULL;
}

static void live_as_committer(uint64_t batches)
{
    static struct thread_life lives[ACTORS_MAX];
    struct teak_committer *committer;
    struct teak_error error = {0};
    const struct teak_options options = options_here();
    need(teak_committer_open(dir, &options, NULL, &committer, NULL, &error), "open", &error);
    need(teak_committer_call(committer, call_compare, NULL, &error), "call", &error);
    atomic_fetch_add(&witness->lives, 1);
    const struct teak_op create = {.op = TEAK_OP_CREATE, .log = SHARED};
    const enum teak_status status =
        teak_committer_commit(committer, &(struct teak_batch){.ops = &create, .count = 1}, NULL, &error);
    if (status != TEAK_LOG_EXISTS) need(status, "create", &error);
    for (uint64_t actor = 0; actor < actors; actor++) {
        lives[actor] = (struct thread_life){.committer = committer, .actor = actor, .batches = batches / actors,
                                            .model = witness->models[actor]};
        if (pthread_create(&lives[actor].id, NULL, live_as_thread, &lives[actor])) _exit(1);
    }
    for (uint64_t actor = 0; actor < actors; actor++) pthread_join(lives[actor].id, NULL);
    need(teak_committer_close(committer, &error), "close", &error);
}

static void live(uint64_t batches)
{
    if (strcmp(kind, "writer") == 0)
        live_as_writer(batches);
    else
        live_as_committer(batches);
    _exit(0);
}

/* ----------------------------------------------------------------------------------------------------------- oracle */

static void judge_log(struct teak_store *store, uint64_t actor, const struct model *model, const struct teak_log *log)
{
    static uint8_t right[ENTRY_MAX];
    struct teak_error error = {0};
    need_equal("base", actor, log->base.index, model->base);
    need_equal("term of the base", actor, log->base.term, model->base_term);
    need_equal("last entry", actor, log->last.index, model->last);
    need_equal("term of the hard state", actor, log->hard.term, model->term);
    need_equal("vote", actor, log->hard.vote, 1 + model->term % 3);
    struct teak_cursor *cursor;
    need(teak_cursor_open(store, actor + 1, model->base + 1, &cursor, &error), "cursor", &error);
    for (uint64_t index = model->base + 1; index <= model->last;) {
        struct teak_entry entries[READ_MAX];
        uint32_t count;
        need(teak_cursor_read(cursor, 1 << 20, entries, READ_MAX, &count, &error), "read", &error);
        need_equal("entries to read", actor, count > 0, true);
        for (uint32_t i = 0; i < count; i++, index++) {
            const struct entry *entry = &model->entries[index % KEPT];
            need_equal("index", actor, entries[i].index, index);
            need_equal("term", actor, entries[i].term, entry->term);
            need_equal("length", actor, entries[i].bytes, payload(actor, entry->s, entry->which, right));
            need_equal("bytes differ", actor, memcmp(entries[i].data, right, entries[i].bytes) != 0, false);
        }
    }
    teak_cursor_close(cursor);
}

/* Its newest META is of the last batch that had one; which was that? */
static void judge_meta(struct teak_store *store, uint64_t actor, uint64_t k)
{
    uint8_t right[META_MAX], is[256];
    struct teak_error error = {0};
    uint32_t bytes, wanted = 0;
    for (; k > 0; k--) {
        const uint64_t draw = mix(actor, k, 0) % 100;
        if (draw < 8 || draw >= 12) continue;
        wanted = meta_of(actor, k, right);
        break;
    }
    need(teak_meta(store, actor + 1, is, sizeof is, &bytes, &error), "meta", &error);
    need_equal("bytes of META", actor, bytes, wanted);
    need_equal("META differs", actor, memcmp(is, right, bytes) != 0, false);
}

static void judge_actor(struct teak_store *store, uint64_t actor)
{
    static struct plan plan;
    struct model *model = &witness->models[actor];
    const uint64_t acked = atomic_load_explicit(&witness->acked[actor], memory_order_acquire);
    const uint64_t more = strcmp(kind, "writer") == 0 ? WINDOW : 1;
    struct teak_log log = {0};
    if (teak_log(store, actor + 1, &log, NULL) == TEAK_UNKNOWN_LOG) {
        need_equal("acknowledged batches are missing, and the log", actor, 0, acked);
        return;
    }
    const uint64_t k = log.hard.commit;
    if (k < acked) refuse("acknowledged batches are missing", actor, k, acked);
    if (k > acked + more) refuse("batches that nobody submitted", actor, k, acked + more);
    witness->beyond += k - acked;
    while (model->s < k) model_step(model, actor, &plan);
    need_equal("batches went back", actor, model->s, k);
    judge_log(store, actor, model, &log);
    judge_meta(store, actor, k);
    witness->there[actor] = k;
    told(actor, k);
}

/* Of a writer: is it a prefix of what was submitted? */
static void judge_prefix(void)
{
    uint64_t sum = 0;
    for (uint64_t actor = 0; actor < actors; actor++) sum += witness->there[actor];
    for (uint64_t actor = 0; actor < actors; actor++)
        need_equal("a prefix of all batches", actor, witness->there[actor],
                   sum / actors + (actor < sum % actors ? 1 : 0));
}

static void judge_shared(struct teak_store *store)
{
    uint64_t last_of[ACTORS_MAX] = {0};
    struct teak_log log = {0};
    struct teak_error error = {0};
    struct teak_cursor *cursor;
    if (teak_log(store, SHARED, &log, NULL) != TEAK_OK) return; /* then no actor has done anything */
    need(teak_cursor_open(store, SHARED, log.base.index + 1, &cursor, &error), "cursor", &error);
    for (uint64_t index = log.base.index + 1; index <= log.last.index;) {
        struct teak_entry entries[READ_MAX];
        uint32_t count;
        need(teak_cursor_read(cursor, 1 << 20, entries, READ_MAX, &count, &error), "read", &error);
        need_equal("shared entries to read", SHARED, count > 0, true);
        for (uint32_t i = 0; i < count; i++, index++) {
            uint64_t word[2];
            need_equal("shared: bytes", SHARED, entries[i].bytes, sizeof word);
            memcpy(word, entries[i].data, sizeof word);
            need_equal("shared: an actor", word[0], word[0] < actors, true);
            if (word[1] > witness->there[word[0]])
                refuse("shared: half a batch", word[0], word[1], witness->there[word[0]]);
            uint64_t *last = &last_of[word[0]];
            need_equal("shared: the actor's next", word[0], word[1], *last ? *last + 2 : word[1] | 1);
            if (*last == 0 && log.base.index == 0) need_equal("shared: the actor's first", word[0], word[1], 1);
            *last = word[1];
        }
    }
    teak_cursor_close(cursor);
    for (uint64_t actor = 0; actor < actors; actor++) {
        const uint64_t k = witness->there[actor], right = k % 2 ? k : k - (k > 0);
        if (last_of[actor] || log.base.index == 0) need_equal("shared: the other half", actor, last_of[actor], right);
    }
}

/* Looks without writing. */
static void judge(void)
{
    struct teak_store *store;
    struct teak_error error = {0};
    static struct teak_report report;
    struct teak_options options = options_here();
    options.create = false;
    options.read_only = true;
    const enum teak_status status = teak_open(dir, &options, &store, &report, &error);
    const bool is_nothing =
        status == TEAK_NO_DIRECTORY || status == TEAK_NOT_A_STORE || status == TEAK_STORE_LOST; /* but for STORE */
    if (is_nothing && !witness->is_made && atomic_load(&witness->lives) == 0) _exit(0); /* killed while it was made */
    need(status, "open after a kill", &error);
    witness->is_made = true;
    witness->cut += report.verdict == TEAK_VERDICT_CUT;
    for (uint64_t actor = 0; actor < actors; actor++) judge_actor(store, actor);
    if (strcmp(kind, "writer") == 0) judge_prefix();
    judge_shared(store);
    need(teak_close(store, &error), "close", &error);
    _exit(0);
}

/* ------------------------------------------------------------------------------------------------------------ kills */

static uint64_t all_acked(void)
{
    uint64_t sum = 0;
    for (uint64_t actor = 0; actor < actors; actor++) sum += atomic_load(&witness->acked[actor]);
    return sum;
}

static void pause_us(uint64_t us)
{
    nanosleep(&(struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static pid_t begin(bool writes, uint64_t batches)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(1);
    }
    if (child > 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (writes) live(batches);
    judge();
    return 0;
}

static void end_well(pid_t child, const char *what)
{
    int status;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    fprintf(stderr, "kill_life --kind %s --backend %s --seed %" PRIu64 ": %s: status %x\n", kind, backend, seed, what,
            (unsigned)status);
    exit(1);
}

/* Waits for the moment of the turn, while the child lives. How long a child may be silent is bounded, generously. */
static void wait_for_moment(pid_t child, uint64_t turn)
{
    const uint64_t acked = all_acked(), lives = atomic_load(&witness->lives), until = now_us() + PATIENCE_S * 1000000u;
    const uint64_t draw = mix(turn, 1, 1000), more = mix(turn, 2, 1000), begun = now_us();
    const uint64_t goal = acked + (draw % 4 == 0 ? 1 : 1 + more % 600);
    if (draw % 4 == 3) { /* at any time, opening too */
        pause_us(more % 25000);
        return;
    }
    while (all_acked() < goal) {
        int status;
        if (waitpid(child, &status, WNOHANG) == child) {
            fprintf(stderr, "kill_life: the %s ended by itself: status %x, turn %" PRIu64 "\n", kind, (unsigned)status,
                    turn);
            exit(1);
        }
        if (now_us() > until) {
            fprintf(stderr, "kill_life: no %" PRIu64 " acknowledgements in %d s; lives %" PRIu64 " to %" PRIu64
                    ", begun %" PRIu64 "\n", goal - acked, PATIENCE_S, lives, (uint64_t)atomic_load(&witness->lives),
                    begun);
            exit(1);
        }
        pause_us(50);
    }
    pause_us(mix(turn, 3, 1000) % 500);
}

static void map_witness(void)
{
    const int file = open(ack, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *witness) != 0) {
        perror(ack);
        exit(1);
    }
    witness = mmap(NULL, sizeof *witness, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (witness == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    close(file);
}

/* 77: the backend that was asked for cannot be had here. */
static void try_backend(void)
{
    char probe[4096];
    struct teak_store *store;
    struct teak_error error = {0};
    const pid_t child = fork();
    if (child == 0) {
        const struct teak_options options = options_here();
        snprintf(probe, sizeof probe, "%s.probe", dir);
        const enum teak_status status = teak_open(probe, &options, &store, NULL, &error);
        if (status == TEAK_NO_BACKEND) _exit(77);
        need(status, "open", &error);
        need(teak_close(store, &error), "close", &error);
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) exit(1);
    if (WEXITSTATUS(status) == 77) printf("skipped: no %s here\n", backend);
    if (WEXITSTATUS(status) != 0) exit(WEXITSTATUS(status));
}

static uint64_t number(const char *text) { return strtoull(text, NULL, 0); }

static void parse(int argc, char **argv)
{
    seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--dir") == 0) dir = argv[i + 1];
        else if (strcmp(argv[i], "--kind") == 0) kind = argv[i + 1];
        else if (strcmp(argv[i], "--backend") == 0) backend = argv[i + 1];
        else if (strcmp(argv[i], "--ack") == 0) ack = argv[i + 1];
        else if (strcmp(argv[i], "--kills") == 0) kills = number(argv[i + 1]);
        else if (strcmp(argv[i], "--actors") == 0) actors = number(argv[i + 1]);
        else if (strcmp(argv[i], "--lie") == 0) lie = number(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0) seed = number(argv[i + 1]);
        else dir = NULL, i = argc;
    }
    const bool known = (strcmp(kind, "writer") == 0 || strcmp(kind, "committer") == 0) &&
                       (strcmp(backend, "uring") == 0 || strcmp(backend, "posix") == 0);
    if (dir && known && argc % 2 == 1 && actors >= 1 && actors <= ACTORS_MAX) return;
    fprintf(stderr, "kill_life --dir DIR --kind writer|committer --backend uring|posix [--kills 25] [--actors 8, up to "
            "%d] [--seed N] [--ack FILE] [--lie N]\n", ACTORS_MAX);
    exit(2);
}

int main(int argc, char **argv)
{
    char ack_here[4096];
    parse(argc, argv);
    snprintf(ack_here, sizeof ack_here, "%s.ack", dir);
    if (!ack) ack = ack_here;
    printf("kill_life --kind %s --backend %s --actors %" PRIu64 " --seed %" PRIu64 "\n", kind, backend, actors, seed);
    try_backend();
    map_witness();
    uint64_t killed_at_work = 0;
    for (uint64_t turn = 0; turn < kills; turn++) {
        const uint64_t acked = all_acked();
        const pid_t child = begin(true, UINT64_MAX);
        wait_for_moment(child, turn);
        kill(child, SIGKILL);
        int status;
        if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
            fprintf(stderr, "kill_life: the %s was not killed: status %x\n", kind, (unsigned)status);
            return 1;
        }
        killed_at_work += all_acked() > acked;
        end_well(begin(false, 0), "what is left after a kill");
        if (turn % 16 == 0) end_well(begin(false, 0), "looking again"); /* looking changes nothing */
    }
    end_well(begin(true, 500), "a life that nobody ends");
    end_well(begin(false, 0), "what it leaves");
    printf("{\"kills\": %" PRIu64 ", \"behind_acknowledgements\": %" PRIu64 ", \"batches\": %" PRIu64
           ", \"not_told_but_there\": %" PRIu64 ", \"cut\": %" PRIu64 "}\n", kills, killed_at_work, all_acked(),
           witness->beyond, witness->cut);
    return 0;
}
