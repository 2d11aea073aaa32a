/* log_store_engine_test.c: the engine under the suite for log stores: both backends, every strategy that promises
 * something, segments of 64 KiB. `program CASE` runs one case. TEAK_TEST_DIR names the directory to work in.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/log_store.h"
#include "teak/engine.h"

enum { PATH_BYTES = 400, OPS_MAX = 64, DONE_MAX = 64 };

struct place {
    char dir[PATH_BYTES];
    struct teak_options options;
};

struct engine {
    struct teak_store *store;
    struct teak_cursor *cursor; /* holds what the last read answered; NULL: none */
    struct teak_error error;
};

/* What the suite does not expect ends the case with FAILED: this says on the console why. */
static enum log_store_answer failed(const struct teak_error *error)
{
    char text[512];
    teak_error_text(error, text, sizeof text);
    printf("    %s\n", text);
    return LOG_STORE_FAILED;
}

static enum log_store_answer answer(enum teak_status status, const struct teak_error *error)
{
    switch (status) {
    case TEAK_OK: return LOG_STORE_OK;
    case TEAK_UNKNOWN_LOG: return LOG_STORE_UNKNOWN;
    case TEAK_INVALID: case TEAK_INDEX_ZERO: case TEAK_GAP: case TEAK_OVERLAP: case TEAK_TERM_BACKWARDS:
    case TEAK_LOG_EXISTS: case TEAK_COMMIT_BACKWARDS: case TEAK_VOTE_CHANGED: case TEAK_BELOW_SNAPSHOT:
    case TEAK_COMPACTED: case TEAK_BEYOND: return LOG_STORE_REFUSED;
    default: return failed(error);
    }
}

static enum log_store_answer read_answer(enum teak_status status, const struct teak_error *error)
{
    if (status == TEAK_COMPACTED) return LOG_STORE_COMPACTED;
    return status == TEAK_BEYOND ? LOG_STORE_BEYOND : answer(status, error);
}

static void remove_all(const char *dir)
{
    DIR *list = opendir(dir);
    if (!list) return;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
    (void)rmdir(dir);
}

static void engine_begin(void *context)
{
    const struct place *place = context;
    remove_all(place->dir);
}

static void engine_end(void *context) { engine_begin(context); }

static enum log_store_answer engine_open(void *context, void **store_out)
{
    const struct place *place = context;
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) return LOG_STORE_FAILED;
    const enum teak_status status = teak_open(place->dir, &place->options, &engine->store, NULL, &engine->error);
    if (status == TEAK_OK) {
        *store_out = engine;
        return LOG_STORE_OK;
    }
    (void)failed(&engine->error);
    free(engine);
    return LOG_STORE_FAILED;
}

static void close_cursor(struct engine *engine)
{
    teak_cursor_close(engine->cursor);
    engine->cursor = NULL;
}

static enum log_store_answer engine_close(void *store)
{
    struct engine *engine = store;
    close_cursor(engine);
    const enum log_store_answer is = answer(teak_close(engine->store, &engine->error), &engine->error);
    free(engine);
    return is;
}

static void engine_crash(void *store)
{
    struct engine *engine = store;
    close_cursor(engine);
    teak_abandon(engine->store);
    free(engine);
}

/* An operation of the engine holds entries of one term and kind: a run of them each. Returns how many runs. */
static uint32_t put_runs(const struct log_store_update *update, struct teak_op *ops, struct teak_bytes *payloads)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < update->count; i++) {
        const struct log_store_entry *entry = &update->entries[i];
        payloads[i] = (struct teak_bytes){.data = entry->data, .bytes = entry->bytes};
        if (runs > 0 && ops[runs - 1].term == entry->term && ops[runs - 1].kind == entry->kind) {
            ops[runs - 1].count++;
            continue;
        }
        ops[runs++] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = update->log, .index = update->index + i,
                                       .term = entry->term, .kind = entry->kind, .entries = &payloads[i], .count = 1};
    }
    if (update->count == 0) ops[runs++] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = update->log,
                                                           .index = update->index, .term = 1};
    return runs;
}

static struct teak_op op_of(const struct log_store_update *update)
{
    static const enum teak_op_kind kinds[LOG_STORE_KIND_COUNT] = {
        [LOG_STORE_CREATE] = TEAK_OP_CREATE, [LOG_STORE_APPEND] = TEAK_OP_ENTRIES,
        [LOG_STORE_HARD] = TEAK_OP_HARD_STATE, [LOG_STORE_TRUNCATE] = TEAK_OP_TRUNCATE,
        [LOG_STORE_SNAPSHOT] = TEAK_OP_SNAPSHOT, [LOG_STORE_COMPACT] = TEAK_OP_COMPACT, [LOG_STORE_DROP] = TEAK_OP_DROP,
    };
    const bool is_hard = update->kind == LOG_STORE_HARD;
    return (struct teak_op){.op = kinds[update->kind], .log = update->log, .index = update->index,
                            .term = is_hard ? update->hard.term : update->term, .vote = update->hard.vote,
                            .commit = update->hard.commit};
}

static enum log_store_answer engine_submit(void *store, const struct log_store_update *updates, uint32_t count)
{
    struct engine *engine = store;
    struct teak_op ops[OPS_MAX];
    struct teak_bytes payloads[OPS_MAX];
    uint32_t op_count = 0, payload_count = 0;
    close_cursor(engine);
    for (uint32_t i = 0; i < count; i++) {
        const bool appends = updates[i].kind == LOG_STORE_APPEND;
        if (op_count + (appends ? updates[i].count + 1 : 1) > OPS_MAX) abort(); /* the suite's batches are small */
        if (appends) {
            op_count += put_runs(&updates[i], &ops[op_count], &payloads[payload_count]);
            payload_count += updates[i].count;
        } else {
            ops[op_count++] = op_of(&updates[i]);
        }
    }
    const struct teak_batch batch = {.ops = ops, .count = op_count};
    for (;;) {
        const enum teak_status status = teak_submit(engine->store, &batch, &engine->error);
        if (status != TEAK_FULL) return answer(status, &engine->error);
        struct teak_completion done[DONE_MAX];
        uint32_t done_count;
        if (teak_poll(engine->store, TEAK_FOREVER, done, DONE_MAX, &done_count, &engine->error) != TEAK_OK)
            return failed(&engine->error);
    }
}

static enum log_store_answer engine_sync(void *store)
{
    struct engine *engine = store;
    close_cursor(engine);
    return answer(teak_drain(engine->store, &engine->error), &engine->error);
}

static struct log_store_place place_of(struct teak_pos pos)
{
    return (struct log_store_place){.index = pos.index, .term = pos.term};
}

static enum log_store_answer engine_state(void *store, uint64_t log, struct log_store_state *out)
{
    struct engine *engine = store;
    struct teak_log is;
    const enum teak_status status = teak_log(engine->store, log, &is, &engine->error);
    if (status != TEAK_OK) return answer(status, &engine->error);
    *out = (struct log_store_state){
        .first = is.first, .last = place_of(is.last), .base = place_of(is.base), .snapshot = place_of(is.snapshot),
        .durable = place_of(is.durable),
        .hard = {.term = is.hard.term, .vote = is.hard.vote, .commit = is.hard.commit},
    };
    return LOG_STORE_OK;
}

static enum log_store_answer engine_term_at(void *store, uint64_t log, uint64_t index, uint64_t *term_out)
{
    struct engine *engine = store;
    return read_answer(teak_term_at(engine->store, log, index, term_out, &engine->error), &engine->error);
}

static enum log_store_answer engine_read(void *store, uint64_t log, uint64_t index, uint64_t bytes_max,
                                         struct log_store_entry *out, uint32_t max, uint32_t *count_out)
{
    struct engine *engine = store;
    struct teak_entry entries[DONE_MAX];
    *count_out = 0;
    close_cursor(engine);
    enum teak_status status = teak_cursor_open(engine->store, log, index, &engine->cursor, &engine->error);
    if (status != TEAK_OK) {
        engine->cursor = NULL;
        return read_answer(status, &engine->error);
    }
    status = teak_cursor_read(engine->cursor, bytes_max, entries, max < DONE_MAX ? max : DONE_MAX, count_out,
                              &engine->error);
    for (uint32_t i = 0; status == TEAK_OK && i < *count_out; i++)
        out[i] = (struct log_store_entry){.index = entries[i].index, .term = entries[i].term, .data = entries[i].data,
                                          .bytes = entries[i].bytes, .kind = entries[i].kind};
    return read_answer(status, &engine->error);
}

static uint32_t engine_logs(void *store, uint64_t *out, uint32_t max)
{
    const struct engine *engine = store;
    return teak_logs(engine->store, true, 0, out, max);
}

static enum log_store_answer engine_last_of_kind(void *store, uint64_t log, uint8_t kind, uint64_t index,
                                                 struct log_store_place *out, uint32_t *count_out)
{
    struct engine *engine = store;
    struct teak_pos pos = {0};
    const enum teak_status status = teak_last_of_kind(engine->store, log, kind, index, &pos, &engine->error);
    *count_out = status == TEAK_OK;
    if (status == TEAK_NOT_FOUND) return LOG_STORE_OK;
    *out = place_of(pos);
    return answer(status, &engine->error);
}

static const struct log_store_ops engine_ops = {
    .begin = engine_begin, .end = engine_end, .open = engine_open, .close = engine_close, .crash = engine_crash,
    .submit = engine_submit, .sync = engine_sync, .state = engine_state, .term_at = engine_term_at,
    .read = engine_read, .logs = engine_logs, .last_of_kind = engine_last_of_kind,
};

static bool has_uring(const struct place *like)
{
    struct place place = *like;
    void *store;
    engine_begin(&place);
    place.options.backend = TEAK_BACKEND_URING;
    if (engine_open(&place, &store) != LOG_STORE_OK) return false;
    engine_crash(store);
    engine_end(&place);
    return true;
}

static uint32_t entry_bytes_max(struct place *place)
{
    void *store;
    struct teak_limits limits = {0};
    engine_begin(place);
    if (engine_open(place, &store) != LOG_STORE_OK) return 0;
    teak_limits(((struct engine *)store)->store, &limits);
    engine_crash(store);
    return limits.entry_bytes;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum teak_backend backend;
        enum teak_strategy strategy;
    } kinds[] = {
        {"engine, io_uring, auto", TEAK_BACKEND_URING, TEAK_AUTO},
        {"engine, io_uring, dsync", TEAK_BACKEND_URING, TEAK_DSYNC},
        {"engine, io_uring, fdatasync", TEAK_BACKEND_URING, TEAK_FDATASYNC},
        {"engine, io_uring, buffered", TEAK_BACKEND_URING, TEAK_BUFFERED},
        {"engine, posix, auto", TEAK_BACKEND_POSIX, TEAK_AUTO},
        {"engine, posix, fdatasync", TEAK_BACKEND_POSIX, TEAK_FDATASYNC},
    };
    struct place place = {.options = teak_options_default()};
    const char *base = getenv("TEAK_TEST_DIR");
    snprintf(place.dir, sizeof place.dir, "%s/log_store.%d", base ? base : ".", (int)getpid());
    place.options.create = true;
    place.options.segment_bytes = 65536;
    place.options.spares = 1;
    const bool uring = has_uring(&place);
    uint32_t missed = 0;
    for (uint32_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].backend == TEAK_BACKEND_URING && !uring) {
            printf("skipped: %s: no io_uring here\n", kinds[i].name);
            continue;
        }
        place.options.backend = kinds[i].backend;
        place.options.strategy = kinds[i].strategy;
        const struct log_store_subject subject = {.name = kinds[i].name, .ops = &engine_ops, .context = &place,
                                                  .entry_bytes_max = entry_bytes_max(&place)};
        missed += log_store_run(&subject, argc > 1 ? argv[1] : NULL);
    }
    return missed == 0 ? 0 : 1;
}
