/* json_read_test.c: what is JSON is read as it is meant, what is none is refused; rivals are found in it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../tools/teak/bench_rivals.h"
#include "../../../tools/teak/json_read.h"

static void a_document_is_a_tree(void **state)
{
    (void)state;
    struct json_tree tree;
    assert_true(json_read(" {\"a\": [1, -2.5e1, true, false, null], \"b\": {\"c\": \"x\"}, \"d\": []} ", &tree));
    const struct json_node *root = &tree.nodes[0];
    const struct json_node *a = json_member(&tree, root, "a", JSON_ARRAY);
    assert_non_null(a);
    static const enum json_kind kinds[] = {JSON_NUMBER, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL};
    uint32_t count = 0;
    for (uint32_t i = a->first; i != 0; i = tree.nodes[i].next) assert_int_equal(tree.nodes[i].kind, kinds[count++]);
    assert_int_equal(count, 5);
    assert_true(tree.nodes[tree.nodes[a->first].next].number == -25);
    const struct json_node *b = json_member(&tree, root, "b", JSON_OBJECT);
    assert_string_equal(json_member(&tree, b, "c", JSON_TEXT)->text, "x");
    assert_null(json_member(&tree, b, "c", JSON_NUMBER));
    assert_null(json_member(&tree, a, "c", JSON_TEXT));
    assert_int_equal(json_member(&tree, root, "d", JSON_ARRAY)->first, 0);
    json_read_end(&tree);
}

static void escapes_are_what_they_mean(void **state)
{
    (void)state;
    struct json_tree tree;
    assert_true(json_read("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00 \xC3\xA9\"", &tree));
    assert_string_equal(tree.nodes[0].text, "\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 \xC3\xA9");
    json_read_end(&tree);
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " ", "{", "[", "]", "{}x", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "'x'", "\"", "\"x",
        "\"\\x\"", "\"\\u12\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "01", "1.",
        ".5", "-", "+1", "1e", "1e+", "1e999", "nul", "truee", "NaN", "[1 2]", "{\"a\":1 \"b\":2}", "\"\\"};
    struct json_tree tree;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(json_read(bad[i], &tree));
        assert_null(tree.nodes);
    }
}

static void too_deep_is_refused_and_long_is_not(void **state)
{
    (void)state;
    enum { DEEP = 1 << 20, LONG = 20000 };
    struct json_tree tree;
    char *text = malloc(DEEP + 1);
    assert_non_null(text);
    memset(text, '[', DEEP);
    text[DEEP] = '\0';
    assert_false(json_read(text, &tree));
    for (uint32_t i = 0; i < LONG; i++) memcpy(text + i * 2, i == 0 ? "[1" : ",1", 2);
    memcpy(text + LONG * 2, "]", 2);
    assert_true(json_read(text, &tree));
    assert_int_equal(tree.count, LONG + 1);
    json_read_end(&tree);
    free(text);
}

static void rivals_are_found_load_by_load(void **state)
{
    (void)state;
    static struct rivals rivals;
    assert_true(rivals_read(
        "{\"machine\": {}, \"rows\": {\"one\": {\"title\": \"the first load\", \"runs\": {\"a\": [{\"rival\": \"a\"}]},"
        "\"points\": [{\"name\": \"liar\", \"summary\": null, \"not_counted\": [\"no flush\"], \"counted\": 0},"
        "{\"name\": \"a, sync\", \"rival\": \"a\", \"settings\": \"s\", \"version\": \"1\", \"counted\": 3,"
        "\"summary\": {\"entries_per_second\": {\"median\": 10, \"low\": 1}, \"p99_us\": {\"median\": 7},"
        "\"times\": {\"median\": 5.5}}},"
        "{\"name\": \"teak, batch\", \"rival\": \"teak\", \"summary\": {\"entries_per_second\": {\"median\": 50}}}]},"
        "\"two\": {\"title\": \"another\", \"points\": [{\"name\": \"b\", \"summary\": {}}]},"
        "\"three\": {\"title\": \"nobody\", \"points\": []}, \"four\": {\"points\": [{\"name\": \"c\"}]}}}", &rivals));
    assert_int_equal(rivals.loads_count, 2);
    assert_string_equal(rivals.loads[0], "the first load");
    assert_int_equal(rivals.count, 4);
    assert_true(rivals.rows[0].is_teak && rivals.rows[0].rate == 50 && isnan(rivals.rows[0].times));
    assert_string_equal(rivals.rows[1].name, "a, sync");
    assert_true(rivals.rows[1].rate == 10 && rivals.rows[1].p99_us == 7 && rivals.rows[1].times == 5.5);
    assert_int_equal(rivals.rows[1].runs, 3);
    assert_string_equal(rivals.rows[1].settings, "s");
    assert_string_equal(rivals.rows[2].complaint, "no flush");
    assert_true(isnan(rivals.rows[2].rate));
    assert_int_equal(rivals.rows[3].load, 1);
    assert_false(rivals_read("{\"rows\": {}}", &rivals));
    assert_false(rivals_read("no", &rivals));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_a_tree),
        cmocka_unit_test(escapes_are_what_they_mean),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(too_deep_is_refused_and_long_is_not),
        cmocka_unit_test(rivals_are_found_load_by_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
