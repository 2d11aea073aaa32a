/* stop.c: see stop.h. The handler only sets a flag and signals an eventfd: both are async-signal-safe. */
#include "stop.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

volatile sig_atomic_t stop_signal;
static int wake_fd = -1;

static void on_signal(int number)
{
    const int before = errno;
    const uint64_t one = 1;
    stop_signal = number;
    const ssize_t wrote = write(wake_fd, &one, sizeof(one)); /* it can only fail where it is readable already */
    (void)wrote;
    errno = before;
}

bool stop_init(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) return false;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) != 0) return false;
        if (before.sa_handler == SIG_IGN) continue; /* nohup, or a background job: the caller wants it to run on */
        if (sigaction(numbers[i], &action, NULL) != 0) return false;
    }
    return true;
}

int stop_fd(void) { return wake_fd; }

void stop_obey(void)
{
    if (stop_signal == 0) return;
    signal(stop_signal, SIG_DFL);
    raise(stop_signal);
}
