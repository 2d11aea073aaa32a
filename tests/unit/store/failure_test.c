#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/failure.h" /* before cmocka, which has a macro of the name */

#include <cmocka.h>

static void each_answers_the_status_it_was_given(void **state)
{
    (void)state;
    assert_int_equal((fail)(NULL, TEAK_GAP, "x"), TEAK_GAP);
    assert_int_equal(fail_index(NULL, TEAK_GAP, 1, 2, 3), TEAK_GAP);
    assert_int_equal(fail_log(NULL, TEAK_LOG_GONE, 1), TEAK_LOG_GONE);
    assert_int_equal(fail_file(NULL, TEAK_LOCKED, "x", "y", 0), TEAK_LOCKED);
    assert_int_equal(fail_segment(NULL, TEAK_IO, "x", 7, 0), TEAK_IO);
    assert_int_equal(fail_errno(NULL, EIO, "x", NULL), TEAK_IO);
}

static void an_errno_has_a_status_of_its_own(void **state)
{
    (void)state;
    static const struct {
        int number;
        enum teak_status status;
    } cases[] = {
        {ENOSPC, TEAK_NO_SPACE}, {EDQUOT, TEAK_NO_SPACE}, {EFBIG, TEAK_NO_SPACE},     {EROFS, TEAK_READ_ONLY_FS},
        {EACCES, TEAK_DENIED},   {EPERM, TEAK_DENIED},    {ENOMEM, TEAK_NO_MEMORY},   {EIO, TEAK_IO},
        {EMFILE, TEAK_IO},       {ENOTDIR, TEAK_NO_DIRECTORY}, {ENOENT, TEAK_NO_DIRECTORY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct teak_error error = {.log = 9, .has_log = 1};
        assert_int_equal(fail_errno(&error, cases[i].number, "open", "LOCK"), cases[i].status);
        assert_int_equal(error.status, cases[i].status);
        assert_int_equal(error.os_errno, cases[i].number);
        assert_int_equal(error.has_log, 0); /* nothing of an older error is left */
        assert_string_equal(error.file, "LOCK");
    }
}

static void the_text_says_file_offset_log_and_index(void **state)
{
    (void)state;
    struct teak_error error;
    char text[300];
    fail_segment(&error, TEAK_HASH_MISMATCH, "read", 0x1f, 8192);
    error.log = 17;
    error.has_log = 1;
    error.index = 5;
    error.os_errno = EIO;
    teak_error_text(&error, text, sizeof text);
    assert_non_null(strstr(text, "hash_mismatch"));
    assert_non_null(strstr(text, "file 000000000000001f.seg at offset 8192"));
    assert_non_null(strstr(text, "log 17 index 5"));
    assert_int_equal(error.segment, 0x1f);
    fail_index(&error, TEAK_GAP, 0, 9, 4);
    const size_t wanted = teak_error_text(&error, text, sizeof text);
    assert_int_equal(wanted, strlen(text));
    assert_non_null(strstr(text, "log 0 index 9; expected 4"));
    char little[10];
    assert_int_equal(teak_error_text(&error, little, sizeof little), wanted);
    assert_int_equal(strlen(little), sizeof little - 1);
    assert_int_equal(teak_error_text(&error, NULL, 0), wanted);
}

static void long_names_are_cut_not_overrun(void **state)
{
    (void)state;
    struct teak_error error;
    char name[500];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    fail_errno(&error, EIO, name, name);
    assert_int_equal(strlen(error.operation), sizeof error.operation - 1);
    assert_int_equal(strlen(error.file), sizeof error.file - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answers_the_status_it_was_given),
        cmocka_unit_test(an_errno_has_a_status_of_its_own),
        cmocka_unit_test(the_text_says_file_offset_log_and_index),
        cmocka_unit_test(long_names_are_cut_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
