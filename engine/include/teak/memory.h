/* teak/memory.h: where Teak gets its memory from. */
#ifndef TEAK_MEMORY_H
#define TEAK_MEMORY_H

#include "teak/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The host's allocator. All three are given, are called from any thread, and must not call Teak. */
struct teak_allocator {
    /* `bytes` bytes at a multiple of `alignment` (a power of two, at least 16), or NULL. bytes is never 0. */
    void *(*allocate)(void *context, size_t alignment, size_t bytes);
    /* As realloc: the memory was allocated with an alignment of 16, or is NULL. NULL: the old memory stays. */
    void *(*reallocate)(void *context, void *memory, size_t bytes);
    /* Takes back what the others gave; NULL is fine. */
    void (*release)(void *context, void *memory);
    void *context;
};

/* teak_set_allocator: have all of Teak's memory from the host.
 * Does      Holds for the process, for stores and for the log stores of Raft alike. NULL: back to the C library's.
 * Owner     The struct is copied; its context stays the caller's.
 * Threads   Before the first call of any other function that takes or makes a store, or after the last.
 * Fails     INVALID: a function is missing, or memory is still out. */
TEAK_API enum teak_status teak_set_allocator(const struct teak_allocator *allocator);

/* teak_memory_take: memory from where Teak has its own, for what is built on it: the log stores of Raft.
 * Does      As malloc, of whoever is the allocator; aligned to 16. What is out keeps it from being changed, as a store
 *           does.
 * Owner     The caller's until it is given back.
 * Threads   Any.
 * Fails     NULL: none is to be had. */
TEAK_API void *teak_memory_take(size_t bytes);

/* teak_memory_grow: as realloc, of what teak_memory_take handed out.
 * Owner     The caller's; NULL may be grown.
 * Threads   Any.
 * Fails     NULL: none is to be had, and what was to grow is as it was. */
TEAK_API void *teak_memory_grow(void *memory, size_t bytes);

/* teak_memory_give: as free, of what teak_memory_take or teak_memory_grow handed out.
 * Owner     Teak's allocator's again; NULL may be given.
 * Threads   Any.
 * Fails     Never. */
TEAK_API void teak_memory_give(void *memory);

#ifdef __cplusplus
}
#endif
#endif
