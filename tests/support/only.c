/* only.c: linked to every test program. TEAK_TEST_ONLY=PATTERN, with * and ?, runs the tests of that name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void run_only_these(void)
{
    cmocka_set_test_filter(getenv("TEAK_TEST_ONLY")); /* NULL: all */
}
