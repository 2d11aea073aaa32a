/* countdown_disk.h: everything that the engine asks of its disk and of its heap, counted in one row; the n-th fails.
 *
 * A door to another disk: what it is asked goes on to that one, unless it is its turn. What was opened, mapped and
 * allocated is counted, so that nothing is left when the store is gone.
 */
#ifndef TEAK_TESTS_COUNTDOWN_DISK_H
#define TEAK_TESTS_COUNTDOWN_DISK_H

#include "os/disk.h"

/* Which call was failed. */
struct countdown_call {
    const char *name;     /* "run", "submit", "map", "allocate", ... ; NULL: none yet */
    enum disk_kind kind;  /* of run and submit                                     */
    bool is_chore;
    char file[24];        /* its name, where the call bears one                    */
};

/* From now on calls are counted, and the n-th fails with `error`; with `for_good` all behind it too. `lands`: a
 * write, sync, allocation or truncation that fails has had its effect. n 0: none fails. */
void countdown_begin(uint64_t n, int error, bool for_good, bool lands);
/* No call fails any more. Returns how often one did. */
uint64_t countdown_end(void);

struct countdown_call countdown_struck(void); /* the first */
uint64_t countdown_calls(void);               /* since begin */
int64_t countdown_mapped(void);               /* mappings that are out     */
int64_t countdown_allocated(void);            /* pieces of memory that are */

/* The engine's memory is counted from here on; every store is closed. */
void countdown_take_heap(void);

/* Around `real`, which it owns; for store_open_on. */
struct disk *countdown_disk(struct disk *real);

#endif
