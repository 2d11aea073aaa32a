/* heap.c: see heap.h.
 *
 * OWNS   Whose allocator it is, and how many pieces are out: an allocator is changed only when none is.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os/heap.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "teak/memory.h"

enum { ALIGNMENT = 16, HUGE_PAGE = 2 << 20 };

static struct teak_allocator host;   /* allocate NULL: the C library */
static _Atomic uint64_t pieces_out;  /* relaxed: only compared with 0, when by contract nobody else is here */

enum teak_status teak_set_allocator(const struct teak_allocator *allocator)
{
    if (atomic_load_explicit(&pieces_out, memory_order_relaxed) != 0) return TEAK_INVALID;
    if (allocator && !(allocator->allocate && allocator->reallocate && allocator->release)) return TEAK_INVALID;
    host = allocator ? *allocator : (struct teak_allocator){0};
    return TEAK_OK;
}

static void *counted(void *memory)
{
    if (memory) atomic_fetch_add_explicit(&pieces_out, 1, memory_order_relaxed);
    return memory;
}

void *heap_take(size_t bytes)
{
    if (bytes == 0) bytes = 1;
    return counted(host.allocate ? host.allocate(host.context, ALIGNMENT, bytes) : malloc(bytes));
}

void *heap_take_zeroed(size_t count, size_t bytes)
{
    if (!host.allocate) return counted(calloc(count ? count : 1, bytes ? bytes : 1));
    size_t product;
    if (__builtin_mul_overflow(count, bytes, &product)) return NULL;
    void *memory = heap_take(product);
    if (memory) memset(memory, 0, product);
    return memory;
}

void *heap_take_aligned(size_t alignment, size_t bytes)
{
    if (bytes == 0) bytes = alignment;
    return counted(host.allocate ? host.allocate(host.context, alignment, bytes) : aligned_alloc(alignment, bytes));
}

/* One request of the device takes a limited number of pieces: 1 MiB of small pages is cut in two, from huge ones it is
 * one. Reads of 1 MiB are three times as fast (docs/performance.md). */
void *heap_take_huge(size_t bytes)
{
    const size_t room = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = heap_take_aligned(HUGE_PAGE, room);
    if (memory) (void)madvise(memory, room, MADV_HUGEPAGE); /* where there are none nothing is lost */
    return memory;
}

void *heap_grow(void *memory, size_t bytes)
{
    if (bytes == 0) bytes = 1;
    void *grown = host.allocate ? host.reallocate(host.context, memory, bytes) : realloc(memory, bytes);
    return memory ? grown : counted(grown);
}

void heap_give(void *memory)
{
    if (!memory) return;
    atomic_fetch_sub_explicit(&pieces_out, 1, memory_order_relaxed);
    if (host.allocate)
        host.release(host.context, memory);
    else
        free(memory);
}

void *teak_memory_take(size_t bytes) { return heap_take(bytes); }

void *teak_memory_grow(void *memory, size_t bytes) { return heap_grow(memory, bytes); }

void teak_memory_give(void *memory) { heap_give(memory); }
