/* check.h: assertions that stay on in release. A failed CHECK is a bug in Teak, never a caller's or a disk's fault. */
#ifndef TEAK_BASE_CHECK_H
#define TEAK_BASE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* Called with the text of the failed check before the process aborts; may log or longjmp (tests). NULL: abort at
 * once. */
typedef void (*check_hook)(const char *text);
void check_set_hook(check_hook hook);

_Noreturn void check_fail(const char *file, int line, const char *text);
_Noreturn void check_fail_pair(const char *file, int line, const char *text, uint64_t a, uint64_t b);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (__builtin_expect(!(condition), 0)) check_fail(__FILE__, __LINE__, #condition);                             \
    } while (0)

#define CHECK_PAIR(a, operation, b)                                                                                    \
    do {                                                                                                               \
        const uint64_t check_a = (uint64_t)(a);                                                                        \
        const uint64_t check_b = (uint64_t)(b);                                                                        \
        if (__builtin_expect(!(check_a operation check_b), 0))                                                         \
            check_fail_pair(__FILE__, __LINE__, #a " " #operation " " #b, check_a, check_b);                           \
    } while (0)
#define CHECK_EQ(a, b) CHECK_PAIR(a, ==, b)
#define CHECK_LE(a, b) CHECK_PAIR(a, <=, b)
#define CHECK_LT(a, b) CHECK_PAIR(a, <, b)

/* O(n) checks: on in debug builds, tests and the simulator. */
#ifdef TEAK_DEBUG
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) ((void)sizeof(condition))
#endif

#endif
