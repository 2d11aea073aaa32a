/* thread.c: see thread.h. Sleeping is a futex: futex(2). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os/thread.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "os/heap.h"

/* By default a thread that sleeps for a time is woken up to 50 us later: as long as half a commit takes. */
enum { TIMER_SLACK_NS = 1000 };

struct thread {
    pthread_t id;
    const char *name;
    void (*run)(void *context);
    void *context;
};

static void *begin(void *argument)
{
    const struct thread *thread = argument;
    (void)prctl(PR_SET_NAME, thread->name, 0, 0, 0);
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    thread->run(thread->context);
    return NULL;
}

int thread_start(const char *name, void (*run)(void *context), void *context, struct thread **out)
{
    struct thread *thread = heap_take(sizeof *thread);
    *out = NULL;
    if (!thread) return ENOMEM;
    *thread = (struct thread){.name = name, .run = run, .context = context};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited */
    const int error = pthread_create(&thread->id, NULL, begin, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        heap_give(thread);
        return error;
    }
    *out = thread;
    return 0;
}

void thread_join(struct thread *thread)
{
    const int error = pthread_join(thread->id, NULL);
    CHECK_EQ(error, 0);
    heap_give(thread);
}

static_assert(sizeof(_Atomic uint32_t) == sizeof(uint32_t), "a futex is a plain word");

void thread_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t until_ns)
{
    enum { NS = 1000000000 };
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NS), .tv_nsec = (long)(until_ns % NS)};
    const long result = syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_BITSET_PRIVATE, value,
                                until_ns == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    CHECK(result == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
}

void thread_yield(void) { (void)sched_yield(); }

uint64_t thread_now(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint32_t thread_wake(_Atomic uint32_t *word, uint32_t count)
{
    const int most = count > INT_MAX ? INT_MAX : (int)count;
    const long result = syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
    CHECK(result >= 0);
    return (uint32_t)result;
}
