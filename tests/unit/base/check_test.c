/* check_test.c: a CHECK that cannot fire is worse than none, so each is made to fire. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

static jmp_buf back;
static char said[256];

static void note_and_return(const char *text)
{
    snprintf(said, sizeof said, "%s", text);
    longjmp(back, 1);
}

static int hook_set(void **state)
{
    (void)state;
    said[0] = '\0';
    check_set_hook(note_and_return);
    return 0;
}

static int hook_unset(void **state)
{
    (void)state;
    check_set_hook(NULL);
    return 0;
}

static void a_true_check_is_silent(void **state)
{
    (void)state;
    if (setjmp(back) != 0) fail();
    CHECK(1 < 2);
    CHECK_EQ(2, 2);
    CHECK_LE(2, 2);
    CHECK_LT(1, 2);
    assert_string_equal(said, "");
}

static void a_false_check_names_the_place_and_the_condition(void **state)
{
    (void)state;
    if (setjmp(back) == 0) {
        CHECK(1 > 2);
        fail_msg("CHECK did not fire");
    }
    assert_non_null(strstr(said, "check_test.c:"));
    assert_non_null(strstr(said, "1 > 2"));
}

static void a_false_check_of_two_values_prints_both(void **state)
{
    (void)state;
    const uint64_t durable = 7;
    const uint64_t written = UINT64_MAX;
    if (setjmp(back) == 0) {
        CHECK_EQ(durable, written);
        fail_msg("CHECK_EQ did not fire");
    }
    assert_non_null(strstr(said, "durable == written (7, 18446744073709551615)"));
}

static void order_is_checked_at_its_edges(void **state)
{
    (void)state;
    volatile uint32_t fired = 0;
    if (setjmp(back) == 0)
        CHECK_LT(2, 2);
    else
        fired++;
    if (setjmp(back) == 0)
        CHECK_LE(3, 2);
    else
        fired++;
    assert_int_equal(fired, 2);
}

static void operands_are_evaluated_once(void **state)
{
    (void)state;
    uint64_t count = 0;
    CHECK_EQ(++count, 1);
    CHECK_LE(++count, 2);
    assert_int_equal(count, 2);
}

static void debug_checks_fire_in_debug_builds_only(void **state)
{
    (void)state;
    volatile int fired = 0;
    if (setjmp(back) == 0)
        DCHECK(1 > 2);
    else
        fired = 1;
#ifdef TEAK_DEBUG
    assert_int_equal(fired, 1);
#else
    assert_int_equal(fired, 0);
#endif
}

/* In a process of its own: what happens to a host that set no hook, or whose hook returns. */
static int status_of_failing(check_hook hook)
{
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        check_set_hook(hook);
        check_fail("here.c", 1, "nothing");
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void only_look(const char *text) { (void)text; }

static void without_a_hook_the_process_aborts(void **state)
{
    (void)state;
    const int status = status_of_failing(NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void a_hook_that_returns_does_not_save_the_process(void **state)
{
    (void)state;
    const int status = status_of_failing(only_look);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_true_check_is_silent, hook_set, hook_unset),
        cmocka_unit_test_setup_teardown(a_false_check_names_the_place_and_the_condition, hook_set, hook_unset),
        cmocka_unit_test_setup_teardown(a_false_check_of_two_values_prints_both, hook_set, hook_unset),
        cmocka_unit_test_setup_teardown(order_is_checked_at_its_edges, hook_set, hook_unset),
        cmocka_unit_test_setup_teardown(operands_are_evaluated_once, hook_set, hook_unset),
        cmocka_unit_test_setup_teardown(debug_checks_fire_in_debug_builds_only, hook_set, hook_unset),
        cmocka_unit_test_setup_teardown(without_a_hook_the_process_aborts, hook_set, hook_unset),
        cmocka_unit_test_setup_teardown(a_hook_that_returns_does_not_save_the_process, hook_set, hook_unset),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
