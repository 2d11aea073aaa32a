/* store_says.c: a store's own defaults become those named, for tune_test.py.
 *
 *   store_says DIRECTORY STRATEGY IN_FLIGHT GROUP_BYTES SPARES ARENA_BYTES LINGER_NS
 *
 * Exit status 1: they are not; a line on standard error says why.
 */
#include <stdio.h>
#include <stdlib.h>

#include "teak/engine.h"

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "store_says: a directory and six numbers\n");
        return 1;
    }
    const struct teak_defaults defaults = {
        .strategy = (enum teak_strategy)strtoul(argv[2], NULL, 10),
        .in_flight = (uint32_t)strtoul(argv[3], NULL, 10),
        .group_bytes = (uint32_t)strtoul(argv[4], NULL, 10),
        .spares = (uint32_t)strtoul(argv[5], NULL, 10),
        .arena_bytes = strtoull(argv[6], NULL, 10),
        .linger_ns = strtoull(argv[7], NULL, 10),
    };
    struct teak_error error = {0};
    char text[512];
    if (teak_defaults_set(argv[1], &defaults, &error) == TEAK_OK) return 0;
    teak_error_text(&error, text, sizeof text);
    fprintf(stderr, "store_says: %s\n", text);
    return 1;
}
