/* cmd_import.c: teak import: a log of another program into a log of its own.
 * OWNS   The file that is read and the store it goes to.
 * PATH   The file is judged whole before anything is written. CREATE and a word in META that says so, the snapshot,
 *        entries, at last the hard state and an empty META, in one batch.
 * FAILS  What was begun is dropped again. Where even that could not be (a kill), the word in META says so, and the next
 *        import of that log drops it and begins anew: a log without the word was imported whole.
 * HOLDS  Never writes into a log that is there. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "teak/engine.h"
#include "teak/snapshot.h"

#include "args.h"
#include "command.h"
#include "complain.h"
#include "human.h"
#include "import_source.h"
#include "json.h"
#include "progress.h"
#include "store_args.h"
#include "ticks.h"

enum { BATCH_ENTRIES = 256, BATCH_BYTES = 1 << 20 };
static const char unfinished[] = "teak import: incomplete";
static const char *const formats[] = {"wal-db", "engenho", NULL};

struct import {
    struct store_args at;
    const char *path, *snapshots_to;
    uint64_t log, term, node_zero;
    uint32_t format;
    bool allow_torn, as_json, node_zero_given;
    struct teak_store *store;
    struct import_source source;
    struct progress progress;
    struct teak_error error;
    bool begun;    /* the log is ours and not finished                            */
    bool has_file; /* the snapshot has bytes or members: it is a file of the store */
    uint64_t written;
    uint8_t *gathered;
    size_t gathered_room;
};

static void show(void *context, uint64_t done, uint64_t total)
{
    struct progress *progress = context;
    const uint64_t now_ns = ticks_ns();
    if (!progress_is_due(progress, now_ns)) return;
    progress->total = total;
    char note[136];
    snprintf(note, sizeof(note), "%s of %s", human_bytes(done).text, human_bytes(total).text);
    progress_show(progress, now_ns, done, note);
}

static enum teak_status submit(struct import *run, const struct teak_op *ops, uint32_t count)
{
    const struct teak_batch batch = {.ops = ops, .count = count};
    enum teak_status status;
    while ((status = teak_submit(run->store, &batch, &run->error)) == TEAK_FULL) {
        struct teak_completion done[64];
        uint32_t ended;
        status = teak_poll(run->store, TEAK_FOREVER, done, 64, &ended, &run->error);
        if (status != TEAK_OK) return status;
    }
    return status;
}

/* --------------------------------------------------------------------------------------------------------- snapshot */

static bool write_all(int file, const uint8_t *at, uint64_t bytes)
{
    while (bytes > 0) {
        const ssize_t wrote = write(file, at, bytes);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        at += wrote;
        bytes -= (uint64_t)wrote;
    }
    return true;
}

/* Has the file just these bytes? An import that failed, or was killed, behind them left it. */
static bool has_bytes(int file, const uint8_t *at, uint64_t bytes)
{
    uint8_t part[4096];
    ssize_t got;
    while ((got = read(file, part, sizeof(part))) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 || (uint64_t)got > bytes || memcmp(part, at, (size_t)got) != 0) return false;
        at += got;
        bytes -= (uint64_t)got;
    }
    return bytes == 0;
}

/* The file under another name: either it is there whole, or it is not there. */
static bool write_new(const char *path, const uint8_t *at, uint64_t bytes)
{
    char begun[1032];
    snprintf(begun, sizeof(begun), "%s.tmp", path);
    const int file = open(begun, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = file >= 0 && write_all(file, at, bytes) && fsync(file) == 0;
    if (file >= 0 && close(file) != 0) good = false;
    if (good)
        good = renameat2(AT_FDCWD, begun, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ||
               ((errno == EINVAL || errno == ENOSYS) && rename(begun, path) == 0); /* it is not known here */
    if (good) return true;
    const int why = errno;
    if (file >= 0) (void)unlink(begun);
    errno = why;
    return false;
}

static bool sync_directory(const char *path)
{
    const int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool good = directory >= 0 && fsync(directory) == 0;
    const int why = errno;
    if (directory >= 0) close(directory);
    errno = why;
    return good;
}

/* Durable before the log names it; another one that is there is not written over. */
static bool put_file(const struct import *run, const char *name, const uint8_t *at, uint64_t bytes)
{
    char path[1024];
    if (snprintf(path, sizeof(path), "%s/%s", run->snapshots_to, name) >= (int)sizeof(path)) {
        complain("import", "--snapshots-to %s is too long", run->snapshots_to);
        return false;
    }
    const int there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0 && errno != ENOENT) {
        complain("import", "%s: %s", path, strerror(errno));
        return false;
    }
    if (there >= 0) errno = 0;
    bool good = there < 0 ? write_new(path, at, bytes) : has_bytes(there, at, bytes) && fsync(there) == 0;
    if (good) good = sync_directory(run->snapshots_to);
    if (!good && errno == 0) errno = EEXIST;
    if (!good) complain("import", "%s: %s", path, strerror(errno));
    if (there >= 0) close(there);
    return good;
}

/* The members, one id a line. NULL: no memory. */
static char *members_text(const struct import_snapshot *snapshot, size_t *bytes_out)
{
    char *text = malloc(snapshot->id_count * 21 + 1); /* 20 digits and a newline for 8 bytes that are there */
    size_t at = 0;
    for (uint64_t i = 0; text != NULL && i < snapshot->id_count; i++) {
        uint64_t id = 0;
        for (int byte = 7; byte >= 0; byte--) id = id << 8 | snapshot->ids[8 * i + (uint64_t)byte];
        at += (size_t)sprintf(text + at, "%" PRIu64 "\n", id);
    }
    *bytes_out = at;
    return text;
}

static bool put_beside(struct import *run, const struct import_snapshot *snapshot, const char *members, size_t bytes)
{
    char name[96];
    snprintf(name, sizeof(name), "%" PRIu64 "-%" PRIu64 "-%" PRIu64 ".members", run->log, snapshot->index,
             snapshot->term);
    if (snapshot->id_count > 0 && !put_file(run, name, (const uint8_t *)members, bytes)) return false;
    snprintf(name, sizeof(name), "%" PRIu64 "-%" PRIu64 "-%" PRIu64 ".snapshot", run->log, snapshot->index,
             snapshot->term);
    return put_file(run, name, snapshot->data, snapshot->bytes);
}

/* The last snapshot, looked at before anything is written: beside the store if that was asked for. */
static bool save_snapshot(struct import *run)
{
    struct import_snapshot snapshot;
    size_t bytes;
    if (!run->source.has_snapshot) return true;
    if (!import_source_snapshot(&run->source, &snapshot)) {
        complain("import", "%s: %s", run->path, run->source.trouble);
        return false;
    }
    run->has_file = snapshot.bytes > 0 || snapshot.id_count > 0;
    if (run->snapshots_to == NULL || !run->has_file) return true;
    char *members = members_text(&snapshot, &bytes);
    if (members == NULL) complain("import", "%s", teak_status_meaning(TEAK_NO_MEMORY));
    const bool good = members != NULL && put_beside(run, &snapshot, members, bytes);
    free(members);
    return good;
}

/* A file of the store, with the members as its meta. */
static enum teak_status stream_snapshot(struct import *run, const struct import_snapshot *snapshot,
                                        const char *members, size_t bytes)
{
    if (bytes > TEAK_SNAPSHOT_META_MAX) {
        run->error = (struct teak_error){.status = TEAK_META_TOO_LARGE, .log = run->log, .has_log = 1};
        return TEAK_META_TOO_LARGE;
    }
    const struct teak_snapshot_offer offer = {.log = run->log, .pos = {.index = snapshot->index,
                                              .term = snapshot->term}, .body_bytes = snapshot->bytes,
                                              .meta = members, .meta_bytes = (uint32_t)bytes};
    struct teak_snapshot_writer *writer;
    enum teak_status status = teak_snapshot_begin(run->store, &offer, &writer, &run->error);
    if (status != TEAK_OK) return status;
    status = teak_snapshot_write(writer, 0, snapshot->data, snapshot->bytes, &run->error);
    if (status == TEAK_OK)
        status = teak_snapshot_install(writer, (struct teak_trailing){.entries = 0}, 0, &run->error);
    if (status != TEAK_OK)
        teak_snapshot_abort(writer);
    else
        status = teak_drain(run->store, &run->error);
    return status;
}

static enum teak_status put_snapshot(struct import *run)
{
    struct import_snapshot snapshot;
    size_t bytes;
    if (!import_source_snapshot(&run->source, &snapshot)) return TEAK_IO; /* the source has its trouble */
    char *members = members_text(&snapshot, &bytes);
    if (members == NULL) {
        run->error = (struct teak_error){.status = TEAK_NO_MEMORY};
        return TEAK_NO_MEMORY;
    }
    const enum teak_status status = stream_snapshot(run, &snapshot, members, bytes);
    free(members);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------- writing */

/* The log must not be there, unless an import of it was cut short. */
static enum teak_status make_way(struct import *run)
{
    struct teak_log log;
    char meta[256];
    uint32_t bytes = 0;
    if (teak_log(run->store, run->log, &log, &run->error) != TEAK_OK) return TEAK_OK;
    const enum teak_status status = teak_meta(run->store, run->log, meta, sizeof(meta), &bytes, &run->error);
    if (status != TEAK_OK) return status;
    if (bytes != sizeof(unfinished) - 1 || memcmp(meta, unfinished, bytes) != 0) {
        run->error = (struct teak_error){.status = TEAK_LOG_EXISTS, .log = run->log, .has_log = 1};
        return TEAK_LOG_EXISTS;
    }
    return submit(run, &(struct teak_op){.op = TEAK_OP_DROP, .log = run->log}, 1);
}

static enum teak_status begin_log(struct import *run)
{
    const struct import_source *source = &run->source;
    const struct teak_op ops[] = {
        {.op = TEAK_OP_CREATE, .log = run->log},
        {.op = TEAK_OP_META, .log = run->log, .data = unfinished, .bytes = sizeof(unfinished) - 1},
        {.op = TEAK_OP_SNAPSHOT, .log = run->log, .index = source->base_index, .term = source->base_term},
    };
    enum teak_status status = submit(run, ops, source->has_snapshot && !run->has_file ? 3 : 2);
    if (status == TEAK_OK) run->begun = true;
    if (status == TEAK_OK && run->has_file) status = teak_drain(run->store, &run->error);
    return status == TEAK_OK && run->has_file ? put_snapshot(run) : status;
}

/* As many of the next entries as share a term and a kind and fit a batch. 0: trouble in the source or in `error`. */
static uint64_t put_entries(struct import *run, uint64_t from, uint64_t bytes_max)
{
    struct teak_bytes entries[BATCH_ENTRIES];
    struct import_entry entry, first = {0};
    uint32_t count = 0;
    size_t at = 0;
    for (; count < BATCH_ENTRIES && from + count < run->source.entry_count; count++) {
        if (!import_source_entry(&run->source, from + count, &entry)) return 0;
        if (count == 0) first = entry;
        if (count > 0 && (entry.term != first.term || entry.kind != first.kind || at + entry.bytes > bytes_max)) break;
        if (at + entry.bytes > run->gathered_room) {
            uint8_t *grown = realloc(run->gathered, at + entry.bytes); /* of one large entry: no pointer is kept yet */
            if (grown == NULL) {
                run->error = (struct teak_error){.status = TEAK_NO_MEMORY};
                return 0;
            }
            run->gathered = grown;
            run->gathered_room = at + entry.bytes;
        }
        if (entry.bytes > UINT32_MAX) {
            run->error = (struct teak_error){.status = TEAK_ENTRY_TOO_LARGE, .log = run->log, .has_log = 1,
                                             .index = entry.index};
            return 0;
        }
        if (entry.bytes > 0) memcpy(run->gathered + at, entry.data, entry.bytes);
        entries[count] = (struct teak_bytes){.data = run->gathered + at, .bytes = (uint32_t)entry.bytes};
        at += entry.bytes;
    }
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = run->log, .index = first.index, .term = first.term,
                               .kind = first.kind, .entries = entries, .count = count};
    return submit(run, &op, 1) == TEAK_OK ? count : 0;
}

static enum teak_status end_log(struct import *run)
{
    const struct import_source *source = &run->source;
    const uint64_t vote = !source->has_vote ? 0 : source->vote == 0 ? run->node_zero : source->vote;
    const struct teak_op ops[] = {
        {.op = TEAK_OP_META, .log = run->log, .data = "", .bytes = 0},
        {.op = TEAK_OP_HARD_STATE, .log = run->log, .term = source->hard_term, .vote = vote},
    };
    enum teak_status status = submit(run, ops, source->hard_term > 0 || source->has_vote ? 2 : 1);
    if (status == TEAK_OK) status = teak_drain(run->store, &run->error);
    if (status == TEAK_OK) run->begun = false;
    return status;
}

static bool write_log(struct import *run)
{
    struct teak_limits limits;
    teak_limits(run->store, &limits);
    const uint64_t half = limits.batch_bytes / 2 < BATCH_BYTES ? limits.batch_bytes / 2 : BATCH_BYTES;
    run->gathered_room = BATCH_BYTES;
    run->gathered = malloc(run->gathered_room);
    if (run->gathered == NULL) {
        run->error = (struct teak_error){.status = TEAK_NO_MEMORY};
        return false;
    }
    if (make_way(run) != TEAK_OK || begin_log(run) != TEAK_OK) return false;
    while (run->written < run->source.entry_count) {
        const uint64_t count = put_entries(run, run->written, half > 8192 ? half - 4096 : half);
        if (count == 0) return false;
        run->written += count;
        show(&run->progress, run->written, run->source.entry_count);
    }
    return end_log(run) == TEAK_OK;
}

/* ---------------------------------------------------------------------------------------------------- start and end */

static void tell(const struct import *run)
{
    const struct import_source *source = &run->source;
    if (run->as_json) {
        struct json json;
        json_begin(&json, stdout);
        json_text(&json, "status", source->is_torn ? "torn" : "ok");
        json_number(&json, "log", run->log);
        json_number(&json, "records", source->records);
        json_number(&json, "entries", source->entry_count);
        json_number(&json, "first_index", source->base_index + 1);
        json_number(&json, "last_index", source->base_index + source->entry_count);
        json_number(&json, "snapshot_index", source->has_snapshot ? source->base_index : 0);
        json_number(&json, "term", source->hard_term);
        json_number(&json, "torn_bytes", source->is_torn ? source->bytes - source->torn_offset : 0);
        json_end(&json);
        return;
    }
    printf("%s: log %" PRIu64 ", %s from %s, indexes %" PRIu64 " to %" PRIu64 ", term %" PRIu64 "\n", run->at.directory,
           run->log, human_of(source->entry_count, "entry", "entries").text,
           human_of(source->records, "record", "records").text, source->base_index + 1,
           source->base_index + source->entry_count, source->hard_term);
}

/* The file is judged, and nothing is written yet. */
static bool judge(struct import *run)
{
    struct import_source *source = &run->source;
    progress_begin(&run->progress, "import", 1, true);
    const bool good = import_source_open(source, run->path, show, &run->progress);
    progress_end(&run->progress);
    if (!good) {
        complain("import", "%s: %s", run->path, source->trouble);
        return false;
    }
    if (source->has_vote && source->vote == 0 && !run->node_zero_given) {
        complain("import", "%s: the vote is for node 0, which means nobody in a store: write --node-zero-as ID",
                 run->path);
        return false;
    }
    return true;
}

static int run_import(struct import *run)
{
    struct teak_options options;
    if (!store_args_options("import", &run->at, &options)) return EXIT_WRONG;
    options.create = true;
    if (!judge(run)) return EXIT_PROBLEM;
    if (teak_open(run->at.directory, &options, &run->store, NULL, &run->error) != TEAK_OK)
        return complain_error("import", run->at.directory, &run->error);
    int status = save_snapshot(run) ? EXIT_GOOD : EXIT_PROBLEM;
    progress_begin(&run->progress, "import", 1, true);
    const bool good = status == EXIT_GOOD && write_log(run);
    progress_end(&run->progress);
    if (status == EXIT_GOOD && !good) {
        if (run->source.trouble[0] != '\0')
            complain("import", "%s: %s", run->path, run->source.trouble);
        else
            complain_error("import", run->at.directory, &run->error);
        status = EXIT_PROBLEM;
    }
    if (run->begun && submit(run, &(struct teak_op){.op = TEAK_OP_DROP, .log = run->log}, 1) != TEAK_OK)
        complain("import", "%s: log %" PRIu64 " may be incomplete; then its META says so, and the next import of it "
                 "begins anew", run->at.directory, run->log);
    if (teak_close(run->store, &run->error) != TEAK_OK && status == EXIT_GOOD)
        status = complain_error("import", run->at.directory, &run->error);
    if (status != EXIT_GOOD) return status;
    tell(run);
    if (!run->source.is_torn) return EXIT_GOOD;
    complain("import", "%s: what begins at offset %" PRIu64 ", %s, was not written whole and is left out", run->path,
             run->source.torn_offset, human_bytes(run->source.bytes - run->source.torn_offset).text);
    return run->allow_torn ? EXIT_GOOD : EXIT_PROBLEM;
}

int cmd_import(int argc, char **argv)
{
    struct import run = {.term = 1, .source = {.file = -1}};
    enum { ROW_ZERO = 7 };
    struct arg rows[] = {
        {.name = "from", .type = ARG_CHOICE, .required = true, .to.choice = &run.format, .choices = formats,
         .word = "FORMAT", .help = "wal-db: a file of raft-io's WalLog\nengenho: a file of engenho's persistent log"},
        {.name = "log", .type = ARG_NUMBER, .required = true, .to.number = &run.log, .high = UINT64_MAX, .word = "ID",
         .help = "the log to make; it must not be there yet"},
        {.name = "file", .type = ARG_TEXT, .required = true, .bare = true, .to.text = &run.path, .word = "FILE",
         .help = "what to read; the name of the option may be left out"},
        STORE_ARG_BARE_DIR(run.at),
        {.name = "term", .type = ARG_NUMBER, .to.number = &run.term, .low = 1, .high = UINT64_MAX, .word = "T",
         .help = "of engenho's entries, which have none; default 1"},
        {.name = "allow-torn-tail", .type = ARG_FLAG, .to.flag = &run.allow_torn,
         .help = "a record at the end that was not written whole is no problem"},
        {.name = "snapshots-to", .type = ARG_TEXT, .to.text = &run.snapshots_to, .word = "DIRECTORY",
         .help = "where the bytes of the last snapshot go besides: LOG-INDEX-TERM.snapshot, and\n"
                 "its members, one id a line: LOG-INDEX-TERM.members"},
        [ROW_ZERO] = {.name = "node-zero-as", .type = ARG_NUMBER, .to.number = &run.node_zero, .low = 1,
                      .high = UINT64_MAX, .word = "ID",
                      .help = "what a vote for node 0 becomes: in a store 0 is nobody"},
        {.name = "json", .type = ARG_FLAG, .to.flag = &run.as_json, .help = "one JSON object"},
        STORE_ARG_SEGMENT(run.at),
        STORE_ARG_BACKEND(run.at),
    };
    const struct arg_command command = {
        .name = "import", .what = "a log of another program into a log of its own", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "The file is read whole and judged first. Damage in its middle is named, with its offset, and\n"
                 "refused; what a crash left at its end is told, left out, and a problem (status 1) unless\n"
                 "--allow-torn-tail. Indexes, terms and kinds are kept; truncations and snapshots are obeyed; term\n"
                 "and vote become the hard state, with commit 0. The last snapshot becomes the log's, its members,\n"
                 "one id a line, its meta. A failed import leaves no log. The store is made where it is missing.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("import", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);
    run.node_zero_given = rows[ROW_ZERO].given;
    run.source.format = (enum import_format)run.format;
    run.source.term = run.term;
    const int status = run_import(&run);
    import_source_close(&run.source);
    free(run.gathered);
    return complain_flush("import", status);
}
