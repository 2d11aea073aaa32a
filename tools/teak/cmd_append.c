/* cmd_append.c: teak append: standard input into a log.
 * OWNS   The store while it runs, the input buffer, the ack file.
 * PATH   feed() takes whole entries out of the buffer and submits them; settle() drives the store and acknowledges;
 *        await_input() waits for input and the store together, so that slow input is durable at once and not when a
 *        batch has become full.
 * FAILS  The first trouble is kept, the reading stops, everything submitted before it is made durable and acknowledged,
 *        then it is said, with how far the log is durable.
 * HOLDS  The ack file never names an index that is not durable. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "teak/engine.h"

#include "args.h"
#include "command.h"
#include "complain.h"
#include "framing.h"
#include "human.h"
#include "progress.h"
#include "stop.h"
#include "store_args.h"
#include "ticks.h"

/* AUTO_BATCH: entries that share a batch where nobody says otherwise; a batch costs about as much as 5 entries. */
enum { AUTO_BATCH = 256, BATCH_MAX = 65536, COMPLETIONS = 256 };

struct append {
    struct store_args at;
    uint64_t log, term;
    uint64_t batch; /* entries in a batch; 0: what one read gave, up to AUTO_BATCH */
    const char *ack_path;
    uint32_t kind; /* enum framing_kind */
    bool quiet;

    struct teak_store *store;
    struct teak_limits limits;
    struct framing framing;
    struct teak_bytes *gathered; /* room for one batch                                        */
    uint64_t next;               /* index of the next entry                                   */
    uint64_t durable;            /* as the log says; never goes back here: nothing truncates   */
    uint64_t entries;            /* taken by the store                                        */
    uint64_t pending;            /* batches without a completion                              */
    int ack_fd, event_fd;        /* -1: none                                                  */
    bool dead;                   /* the store has left service: driving it makes no sense      */
    struct progress progress;
    char trouble[COMPLAIN_TEXT_BYTES]; /* the first one; empty: none                           */
    enum teak_status trouble_status;
};

static bool in_trouble(const struct append *run) { return run->trouble[0] != '\0'; }

__attribute__((format(printf, 2, 3))) static bool trouble_text(struct append *run, const char *format, ...)
{
    if (in_trouble(run)) return false;
    va_list values;
    va_start(values, format);
    vsnprintf(run->trouble, sizeof(run->trouble), format, values);
    va_end(values);
    run->trouble_status = TEAK_IO;
    return false;
}

static bool trouble(struct append *run, const struct teak_error *error)
{
    if (error->status == TEAK_POISONED) run->dead = true;
    if (in_trouble(run)) return false;
    teak_error_text(error, run->trouble, sizeof(run->trouble));
    run->trouble_status = error->status;
    return false;
}

/* ---------------------------------------------------------------------------------------------------- acknowledging */

static bool ack_write(struct append *run, uint32_t *bytes_out)
{
    char text[32];
    const int length = snprintf(text, sizeof(text), "%" PRIu64 "\n", run->durable);
    const ssize_t wrote = pwrite(run->ack_fd, text, (size_t)length, 0);
    if (wrote != length)
        return trouble_text(run, "--ack %s: %s", run->ack_path, wrote < 0 ? strerror(errno) : "short write");
    if (bytes_out != NULL) *bytes_out = (uint32_t)length;
    return true;
}

/* The file may hold more digits than the first number, from another store: cut once. From then on the number grows. */
static bool ack_open(struct append *run)
{
    uint32_t bytes = 0;
    if (run->ack_path == NULL) return true;
    run->ack_fd = open(run->ack_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (run->ack_fd < 0) return trouble_text(run, "--ack %s: %s", run->ack_path, strerror(errno));
    if (!ack_write(run, &bytes)) return false;
    struct stat about;
    if (fstat(run->ack_fd, &about) != 0) return trouble_text(run, "--ack %s: %s", run->ack_path, strerror(errno));
    if (S_ISREG(about.st_mode) && ftruncate(run->ack_fd, (off_t)bytes) != 0)
        return trouble_text(run, "--ack %s: %s", run->ack_path, strerror(errno));
    return true;
}

static bool acknowledge(struct append *run)
{
    struct teak_log log;
    struct teak_error error;
    if (teak_log(run->store, run->log, &log, &error) != TEAK_OK) return trouble(run, &error);
    if (log.durable.index == run->durable) return true;
    run->durable = log.durable.index;
    return run->ack_fd < 0 || ack_write(run, NULL);
}

/* Drive the store: launch what is due, collect what is done. */
static bool settle(struct append *run, uint64_t wait_ns)
{
    struct teak_completion done[COMPLETIONS];
    struct teak_error error;
    uint32_t count;
    bool good = true;
    do {
        count = 0;
        if (teak_poll(run->store, wait_ns, done, COMPLETIONS, &count, &error) != TEAK_OK) {
            run->dead = true; /* whatever it was, asking again cannot make the pending ones durable */
            return trouble(run, &error);
        }
        for (uint32_t i = 0; i < count; i++) {
            run->pending--;
            if (done[i].status == TEAK_OK) continue;
            good = trouble(run, &(struct teak_error){.status = done[i].status, .log = run->log, .has_log = 1});
        }
        if (count > 0 && good) good = acknowledge(run);
        wait_ns = 0;
    } while (good && count == COMPLETIONS);
    return good;
}

/* ---------------------------------------------------------------------------------------------------------- feeding */

/* Submit all of `count` gathered entries, in as many batches as the store's limit asks for. */
static bool submit(struct append *run, uint32_t count)
{
    struct teak_error error;
    for (uint32_t first = 0; first < count;) {
        struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = run->log, .index = run->next, .term = run->term,
                             .entries = run->gathered + first, .count = count - first};
        const struct teak_batch batch = {.ops = &op, .count = 1, .tag = run->next};
        while (op.count > 1 && teak_batch_bytes(&batch) > run->limits.batch_bytes) op.count = (op.count + 1) / 2;
        const enum teak_status status = teak_submit(run->store, &batch, &error);
        if (status == TEAK_FULL) {
            if (!settle(run, TEAK_FOREVER)) return false;
            continue;
        }
        if (status != TEAK_OK) return trouble(run, &error);
        run->pending++;
        run->next += op.count;
        run->entries += op.count;
        first += op.count;
    }
    return true;
}

static bool input_is_ready(const struct append *run)
{
    struct pollfd input = {.fd = run->framing.fd, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

/* Submit every whole entry that is buffered. With --batch N a batch that is not full yet waits for input that is there
 * already, but never for input that is not. */
static enum framing_answer feed(struct append *run)
{
    const uint32_t most = run->batch != 0 ? (uint32_t)run->batch : AUTO_BATCH;
    uint32_t count = 0;
    for (;;) {
        const enum framing_answer answer = framing_next(&run->framing, &run->gathered[count]);
        if (answer == FRAMING_ENTRY && ++count < most) continue;
        if (answer == FRAMING_MORE && count > 0 && run->batch != 0 && input_is_ready(run) &&
            (size_t)(run->framing.buffer + run->framing.end - (const unsigned char *)run->gathered[0].data) <
                run->limits.batch_bytes) {
            framing_rewind(&run->framing, &run->gathered[0]);
            return FRAMING_MORE;
        }
        if (count > 0 && !submit(run, count)) return FRAMING_END;
        count = 0;
        if (answer != FRAMING_ENTRY) return answer;
    }
}

static int wait_ms(const struct append *run)
{
    const uint64_t deadline_ns = teak_deadline(run->store);
    if (deadline_ns == TEAK_NO_DEADLINE) return -1;
    const uint64_t now_ns = ticks_ns();
    if (deadline_ns <= now_ns) return 0;
    const uint64_t left_ms = (deadline_ns - now_ns + 999999) / 1000000;
    return left_ms < 60000 ? (int)left_ms : 60000;
}

static void show(struct append *run)
{
    const uint64_t now_ns = ticks_ns();
    if (!progress_is_due(&run->progress, now_ns)) return;
    char note[136];
    snprintf(note, sizeof(note), "%s, %s", human_of(run->entries, "entry", "entries").text,
             human_bytes(run->framing.bytes).text);
    progress_show(&run->progress, now_ns, run->framing.bytes, note);
}

/* Until there is input, or its end; false: trouble, or a signal asks to stop. */
static bool await_input(struct append *run)
{
    for (;;) {
        struct pollfd fds[3] = {{.fd = run->framing.fd, .events = POLLIN},
                                {.fd = stop_fd(), .events = POLLIN},
                                {.fd = run->event_fd, .events = POLLIN}};
        show(run);
        if (poll(fds, 3, wait_ms(run)) < 0 && errno != EINTR) return trouble_text(run, "poll: %s", strerror(errno));
        if (stop_asked()) return false;
        if ((fds[2].revents & POLLIN) != 0) {
            uint64_t ignored;
            if (read(run->event_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN && errno != EINTR)
                return trouble_text(run, "event descriptor: %s", strerror(errno));
        }
        /* With nothing pending, too: there are chores, and the mark that vouches for an idle log's tail. */
        if (!settle(run, 0)) return false;
        if (fds[0].revents != 0) return true;
    }
}

static void pump(struct append *run)
{
    enum framing_answer answer = FRAMING_MORE;
    while (!in_trouble(run)) {
        answer = feed(run);
        if (answer != FRAMING_MORE || in_trouble(run)) break;
        if (!settle(run, 0) || !await_input(run)) break;
        const int failed = framing_fill(&run->framing);
        if (failed != 0) trouble_text(run, "standard input: %s", strerror(failed));
    }
    struct teak_error error = {.log = run->log, .has_log = 1, .index = run->next, .operation = "input"};
    if (answer == FRAMING_TORN) {
        error.status = TEAK_ENCODE;
        trouble(run, &error);
    } else if (answer == FRAMING_TOO_LARGE) {
        error.status = TEAK_ENTRY_TOO_LARGE;
        error.expected = run->limits.entry_bytes;
        error.has_expected = 1;
        trouble(run, &error);
    }
    while (run->pending > 0 && !run->dead) settle(run, TEAK_FOREVER);
}

/* ---------------------------------------------------------------------------------------------------- start and end */

static bool find_log(struct append *run)
{
    struct teak_log log;
    struct teak_error error;
    enum teak_status status = teak_log(run->store, run->log, &log, &error);
    if (status == TEAK_UNKNOWN_LOG) {
        while ((status = teak_create_log(run->store, run->log, 0, &error)) == TEAK_FULL)
            if (!settle(run, TEAK_FOREVER)) return false;
        if (status != TEAK_OK) return trouble(run, &error);
        run->pending++;
        status = teak_log(run->store, run->log, &log, &error);
    }
    if (status != TEAK_OK) return trouble(run, &error);
    run->next = log.last.index + 1;
    run->durable = log.durable.index;
    if (log.last.term > run->term) run->term = log.last.term;
    return true;
}

static uint64_t input_bytes(void)
{
    struct stat about;
    if (fstat(STDIN_FILENO, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
    const off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    return at >= 0 && at < about.st_size ? (uint64_t)(about.st_size - at) : 0;
}

static void work(struct append *run)
{
    struct teak_error error;
    const size_t room = run->batch != 0 ? (size_t)run->batch : AUTO_BATCH;
    teak_limits(run->store, &run->limits);
    run->gathered = calloc(room, sizeof(run->gathered[0]));
    if (!framing_init(&run->framing, STDIN_FILENO, (enum framing_kind)run->kind, run->limits.entry_bytes) ||
        run->gathered == NULL) {
        trouble(run, &(struct teak_error){.status = TEAK_NO_MEMORY});
        return;
    }
    if (!stop_init()) {
        trouble_text(run, "signals: %s", strerror(errno));
        return;
    }
    if (!find_log(run) || !ack_open(run)) return;
    if (teak_event_fd(run->store, &run->event_fd, &error) != TEAK_OK) {
        trouble(run, &error);
        return;
    }
    progress_begin(&run->progress, "append", input_bytes(), !run->quiet);
    pump(run);
    progress_end(&run->progress);
}

static int run_append(struct append *run)
{
    const uint64_t begin_ns = ticks_ns();
    struct teak_error error = {0};
    work(run);
    if (teak_close(run->store, &error) != TEAK_OK) trouble(run, &error);
    if (run->ack_fd >= 0 && close(run->ack_fd) != 0) trouble_text(run, "--ack %s: %s", run->ack_path, strerror(errno));
    free(run->gathered);
    framing_fini(&run->framing);
    if (in_trouble(run)) {
        complain("append", "%s: %s; log %" PRIu64 " is durable up to index %" PRIu64, run->at.directory, run->trouble,
                 run->log, run->durable);
        return run->trouble_status == TEAK_OPTIONS ? EXIT_WRONG : EXIT_PROBLEM;
    }
    if (!run->quiet && isatty(STDERR_FILENO) == 1) {
        const double seconds = (double)(ticks_ns() - begin_ns) / 1e9;
        fprintf(stderr, "%s, %s in %.2f s: %s entries/s; log %" PRIu64 " is durable up to index %" PRIu64 "\n",
                human_of(run->entries, "entry", "entries").text, human_bytes(run->framing.bytes).text, seconds,
                human_rate((double)run->entries / seconds).text, run->log, run->durable);
    }
    stop_obey();
    return EXIT_GOOD;
}

int cmd_append(int argc, char **argv)
{
    struct append run = {.log = 1, .term = 1, .ack_fd = -1, .event_fd = -1};
    struct arg rows[] = {
        STORE_ARG_DIR(run.at),
        {.name = "log", .type = ARG_NUMBER, .to.number = &run.log, .high = UINT64_MAX, .word = "ID",
         .help = "default 1; created if missing"},
        {.name = "term", .type = ARG_NUMBER, .to.number = &run.term, .low = 1, .high = UINT64_MAX, .word = "T",
         .help = "of the entries; default 1. Where the log's last term is higher, that"},
        {.name = "framing", .type = ARG_CHOICE, .to.choice = &run.kind, .choices = framing_names, .word = "F",
         .help = "lines (default): each line, without its newline, is an entry\n"
                 "len32: each entry stands behind its 4-byte little-endian length"},
        {.name = "batch", .type = ARG_NUMBER, .to.number = &run.batch, .low = 1, .high = BATCH_MAX, .word = "N",
         .help = "entries in a batch, which is durable whole or not at all; default: what one\n"
                 "read gave, up to 256. A batch never waits for input that is not there yet"},
        {.name = "ack", .type = ARG_TEXT, .to.text = &run.ack_path, .word = "FILE",
         .help = "keep the durable index in FILE, as decimal text and a newline"},
        STORE_ARG_STRATEGY(run.at),
        STORE_ARG_BACKEND(run.at),
        STORE_ARG_SEGMENT(run.at),
        STORE_ARG_BLOCK(run.at),
        {.name = "quiet", .type = ARG_FLAG, .to.flag = &run.quiet, .help = "no progress, no summary, no notice"},
    };
    const struct arg_command command = {
        .name = "append", .what = "entries from standard input into a log", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "Creates the store and its directory where there is none. A second run appends behind the first.\n"
                 "Exit status 0 says that every entry is durable.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("append", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);

    struct teak_options options;
    struct teak_report report;
    struct teak_error error = {0};
    if (!store_args_options("append", &run.at, &options)) return EXIT_WRONG;
    options.create = true;
    if (teak_open(run.at.directory, &options, &run.store, &report, &error) != TEAK_OK)
        return complain_error("append", run.at.directory, &error);
    if (!run.quiet) store_args_notice("append", &report);
    return run_append(&run);
}
