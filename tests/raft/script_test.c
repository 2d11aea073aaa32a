/* script_test.c: golden scripts, see script.h. tests/raft/scripts/<name>.txt holds commands and what they print.
 * TEAK_REWRITE=1 writes what is printed now into the files: then read the difference. With files as arguments it plays
 * those, prints what they print, and fails if that breaks an invariant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

/* ---------------------------------------------------------------------------------------------------------- files */

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) return NULL;
    char *text = calloc(1, 1 << 20);
    const size_t bytes = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    text[bytes] = 0;
    return text;
}

static const char *line_end(const char *at)
{
    const char *end = strchr(at, '\n');
    return end ? end : at + strlen(at);
}

static void show_difference(const char *want, const char *got)
{
    uint32_t line = 1;
    while (*want && *got) {
        const char *a = line_end(want), *b = line_end(got);
        if (a - want != b - got || memcmp(want, got, (size_t)(a - want)) != 0) break;
        want = *a ? a + 1 : a;
        got = *b ? b + 1 : b;
        line++;
    }
    print_error("line %u\nwanted: %.*s\nis:     %.*s\n", line, (int)(line_end(want) - want), want,
                (int)(line_end(got) - got), got);
}

static void script_prints_what_it_says(void **state)
{
    const char *path = *state;
    char *script = read_all(path);
    assert_non_null(script);
    char *played = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&played, &bytes);
    const char *broken_by = script_play(script, out);
    fclose(out);
    if (strcmp(script, played) != 0 && getenv("TEAK_REWRITE")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(played, file);
        fclose(file);
    } else if (strcmp(script, played) != 0) {
        show_difference(script, played);
        fail_msg("%s prints something else; TEAK_REWRITE=1 writes it into the file", path);
    }
    assert_null(broken_by);
    free(played);
    free(script);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

static int play_files(char **paths)
{
    int failed = 0;
    for (; *paths; paths++) {
        char *script = read_all(*paths);
        if (!script || script_play(script, stdout)) failed = 1;
        free(script);
    }
    return failed;
}

int main(int argc, char **argv)
{
    enum { MAX = 128 };
    static struct CMUnitTest tests[MAX];
    static char paths[MAX][512];
    size_t count = 0;
    if (argc > 1) return play_files(argv + 1);
    const char *folder = TEAK_SOURCE_DIR "/tests/raft/scripts";
    DIR *dir = opendir(folder);
    if (!dir) return 1;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, ".txt")) continue;
        if (count == MAX) abort(); /* make room for more */
        snprintf(paths[count], sizeof paths[count], "%s/%s", folder, entry->d_name);
        tests[count] = (struct CMUnitTest){.name = strrchr(paths[count], '/') + 1,
                                           .test_func = script_prints_what_it_says, .initial_state = paths[count]};
        count++;
    }
    closedir(dir);
    qsort(tests, count, sizeof tests[0], by_name);
    return count == 0 ? 1 : _cmocka_run_group_tests("scripts", tests, count, NULL, NULL);
}
