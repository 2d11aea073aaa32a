/* many_threads.c: many threads share a store, and a log in it. Each appends its lines and waits for each until a power
 * cut cannot take it; one more submits without waiting, and is called when they are durable.
 *
 *   many_threads DIRECTORY [THREADS] [LINES]
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "teak/committer.h"

enum { LOG = 1, THREADS_MAX = 256, POSTED = 32 };

static struct teak_committer *committer;
static uint64_t lines;

/* The committer gives each entry the log's next index, whoever comes first. */
static void *append_lines(void *failed)
{
    for (uint64_t i = 0; i < lines; i++) {
        struct teak_error error;
        uint64_t index;
        if (teak_committer_append(committer, LOG, TEAK_INDEX_NEXT, 1, "line", 4, &index, &error) == TEAK_OK) continue;
        char text[256];
        teak_error_text(&error, text, sizeof text);
        fprintf(stderr, "%s\n", text);
        *(int *)failed = 1;
        break;
    }
    return NULL;
}

/* On the committer's thread: short, and never waiting. */
static void count_durable(struct teak_request *request, void *counter)
{
    if (request->status == TEAK_OK) ++*(uint64_t *)counter;
}

static void read_log(struct teak_store *store, void *log) { teak_log(store, LOG, log, NULL); }

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 16;
    lines = argc > 3 ? strtoull(argv[3], NULL, 10) : 100;
    if (count > THREADS_MAX) return 2;
    struct teak_options options = teak_options_default();
    struct teak_error error;
    struct teak_log log = {0};
    char text[256];
    options.create = true;
    if (teak_committer_open(argv[1], &options, NULL, &committer, NULL, &error) != TEAK_OK) goto failed;
    /* whatever else a store can be asked goes this way */
    if (teak_committer_call(committer, read_log, &log, &error) != TEAK_OK) goto failed;
    const struct teak_op create = {.op = TEAK_OP_CREATE, .log = LOG};
    if (log.id != LOG &&
        teak_committer_commit(committer, &(struct teak_batch){.ops = &create, .count = 1}, NULL, &error) != TEAK_OK)
        goto failed;

    pthread_t threads[THREADS_MAX];
    int went_wrong[THREADS_MAX] = {0};
    for (uint64_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, append_lines, &went_wrong[i]) != 0) return 1;

    /* Without waiting: request, operation and payload stay where they are until the callback. */
    const struct teak_bytes entry = {"posted", 6};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = LOG, .index = TEAK_INDEX_NEXT, .term = 1,
                               .entries = &entry, .count = 1};
    struct teak_request requests[POSTED];
    uint64_t durable = 0;
    for (int i = 0; i < POSTED; i++) {
        requests[i] = (struct teak_request){.batch = {.ops = &op, .count = 1}, .done = count_durable,
                                            .context = &durable};
        if (teak_committer_submit(committer, &requests[i], &error) != TEAK_OK) goto failed;
    }
    int wrong = 0;
    for (uint64_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        wrong |= went_wrong[i];
    }
    if (teak_committer_close(committer, &error) != TEAK_OK) goto failed; /* every callback has been called */
    printf("%" PRIu64 " lines and %" PRIu64 " posted ones durable\n", count * lines, durable);
    return wrong;
failed:
    teak_error_text(&error, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    return 1;
}
