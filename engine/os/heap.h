/* heap.h: the only door to the heap, for this floor and those above: the host may put its own allocator behind it.
 * teak/memory.h opens it to what is built on the library. */
#ifndef TEAK_OS_HEAP_H
#define TEAK_OS_HEAP_H

#include <stddef.h>

void *heap_take(size_t bytes);                             /* NULL: none to be had; any thread, as all of these */
void *heap_take_zeroed(size_t count, size_t bytes);        /* NULL too where the product overflows              */
void *heap_take_aligned(size_t alignment, size_t bytes);   /* not for heap_grow                               */
void *heap_take_huge(size_t bytes); /* for transfers: in huge pages, where the system has them; else as any other */
void *heap_grow(void *memory, size_t bytes);               /* as realloc; NULL: `memory` is as it was           */
void heap_give(void *memory);                              /* NULL is fine                                      */

#endif
