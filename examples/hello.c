/* hello.c: appends a hundred entries to log 7, waits until a power cut cannot take them, reads the last ten back. */
#include <inttypes.h>
#include <stdio.h>

#include "teak/engine.h"

int main(int argc, char **argv)
{
    struct teak_options options = teak_options_default();
    struct teak_error error;
    struct teak_store *store;
    struct teak_cursor *cursor;
    struct teak_completion done[64];
    struct teak_entry entries[10];
    struct teak_log log;
    char text[256];
    uint32_t count;

    options.create = true;
    if (teak_open(argc > 1 ? argv[1] : "data", &options, &store, NULL, &error) != TEAK_OK) goto failed;
    if (teak_log(store, 7, &log, NULL) != TEAK_OK && teak_create_log(store, 7, 0, &error) != TEAK_OK) goto failed;
    if (teak_log(store, 7, &log, &error) != TEAK_OK) goto failed;
    const uint64_t last = log.last.index + 100;
    for (uint64_t index = log.last.index + 1; index <= last; index++) {
        enum teak_status status;
        while ((status = teak_append(store, 7, index, 1, "hello", 5, index, &error)) == TEAK_FULL)
            if (teak_poll(store, TEAK_FOREVER, done, 64, &count, &error) != TEAK_OK) goto failed;
        if (status != TEAK_OK) goto failed;
    }
    if (teak_drain(store, &error) != TEAK_OK) goto failed; /* from here on all of it survives a power cut */

    if (teak_cursor_open(store, 7, last - 9, &cursor, &error) != TEAK_OK) goto failed;
    if (teak_cursor_read(cursor, 1 << 20, entries, 10, &count, &error) != TEAK_OK) goto failed;
    for (uint32_t i = 0; i < count; i++)
        printf("%" PRIu64 " %.*s\n", entries[i].index, (int)entries[i].bytes, (const char *)entries[i].data);
    teak_cursor_close(cursor);
    if (teak_close(store, &error) == TEAK_OK) return 0;
failed:
    teak_error_text(&error, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    return 1;
}
