/* thread.h: a thread, and words to sleep on. */
#ifndef TEAK_OS_THREAD_H
#define TEAK_OS_THREAD_H

#include <stdatomic.h>
#include <stdint.h>

struct thread;

/* Runs run(context) on a thread of its own with all signals blocked: the host's handlers run on the host's threads.
 * 0, or an errno. */
int thread_start(const char *name, void (*run)(void *context), void *context, struct thread **out);

/* Waits for its end, and frees it. */
void thread_join(struct thread *thread);

/* Sleeps while *word == value: until thread_wake, or CLOCK_MONOTONIC `until_ns` (UINT64_MAX: for ever). May return for
 * no reason. Any thread. */
void thread_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t until_ns);

/* Lets others run that can. And CLOCK_MONOTONIC, ns. Any thread. */
void thread_yield(void);
uint64_t thread_now(void);

/* Wakes up to `count` of those that sleep on `word`, the longest asleep first. Returns how many. Any thread. */
uint32_t thread_wake(_Atomic uint32_t *word, uint32_t count);

#endif
