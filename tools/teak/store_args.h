/* store_args.h: the options that every subcommand which opens a store has in common. */
#ifndef TEAK_TOOLS_STORE_ARGS_H
#define TEAK_TOOLS_STORE_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/engine.h"

#include "args.h"

struct store_args {
    const char *directory;
    uint32_t strategy, backend; /* positions in the lists, which are the engine's numbers */
    uint64_t segment_bytes, block_bytes;
};

extern const char *const store_strategy_names[]; /* by enum teak_strategy; ends with NULL */
extern const char *const store_backend_names[];  /* by enum teak_backend; ends with NULL  */

/* Rows for a table of options; `at` is the struct store_args they write to. */
#define STORE_ARG_DIR(at)                                                                                              \
    {                                                                                                                  \
        .name = "dir", .type = ARG_TEXT, .required = true, .to.text = &(at).directory, .word = "DIRECTORY",            \
        .help = "the store"                                                                                            \
    }
/* The same as a word of its own: teak stats DIRECTORY. */
#define STORE_ARG_BARE_DIR(at)                                                                                         \
    {                                                                                                                  \
        .name = "dir", .type = ARG_TEXT, .required = true, .bare = true, .to.text = &(at).directory,                   \
        .word = "DIRECTORY", .help = "the store; the name of the option may be left out"                               \
    }
#define STORE_ARG_STRATEGY(at)                                                                                         \
    {                                                                                                                  \
        .name = "strategy", .type = ARG_CHOICE, .to.choice = &(at).strategy, .choices = store_strategy_names,          \
        .word = "S", .help = "how frames become durable: auto (default), dsync, fdatasync, buffered, or\n"             \
                             "none, which promises nothing"                                                            \
    }
#define STORE_ARG_BACKEND(at)                                                                                          \
    {                                                                                                                  \
        .name = "backend", .type = ARG_CHOICE, .to.choice = &(at).backend, .choices = store_backend_names,             \
        .word = "B", .help = "auto (default), uring or posix"                                                          \
    }
#define STORE_ARG_SEGMENT(at)                                                                                          \
    {                                                                                                                  \
        .name = "segment-bytes", .type = ARG_BYTES, .to.number = &(at).segment_bytes, .low = 64 << 10,                 \
        .high = 1 << 30, .word = "N",                                                                                  \
        .help = "of a new store: 64K to 1G, a multiple of 64K; of an old one: what it has"                             \
    }
#define STORE_ARG_BLOCK(at)                                                                                            \
    {                                                                                                                  \
        .name = "block-bytes", .type = ARG_BYTES, .to.number = &(at).block_bytes, .low = 4096, .high = 65536,          \
        .word = "N", .help = "of a new store: 4K to 64K, a power of two; of an old one: what it has"                   \
    }

/* The engine's options out of them. False, with the one line said: a size is not one the engine takes. */
bool store_args_options(const char *command, const struct store_args *args, struct teak_options *out);

/* Say on standard error that io_uring could not be had, and why, if that is so. */
void store_args_notice(const char *command, const struct teak_report *report);

#endif
