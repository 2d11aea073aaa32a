/* golden_wire_test.c: one message of each type encodes to exactly the bytes in tests/golden/raft_*.hex, these are what
 * docs/raft.md shows, and they decode to exactly the message.
 *
 * What a version wrote, all later ones read: these files stay. A change of the bytes is a new version, with files of
 * its own. TEAK_GOLDEN_WRITE=1 writes them where they are not there yet.
 */
#include "hex_file.h"

#include "wire_samples.h"

static const char *name_of(uint8_t type, char name[64])
{
    snprintf(name, 64, "raft_%s", sample_names[type]);
    return name;
}

static void each_type_is_these_bytes(void **state)
{
    (void)state;
    for (uint8_t type = TEAK_RAFT_PRE_VOTE; type < TEAK_RAFT_MSG_TYPE_COUNT; type++) {
        char name[64];
        uint8_t bytes[SAMPLE_BYTES_MAX], golden[SAMPLE_BYTES_MAX];
        const struct teak_raft_msg msg = sample_message(type);
        const size_t count = sample_encode(&msg, bytes, sizeof bytes);
        assert_true(count > 0);
        if (getenv("TEAK_GOLDEN_WRITE")) hex_write(name_of(type, name), bytes, count);
        assert_int_equal(hex_read(name_of(type, name), golden, sizeof golden), count);
        for (size_t i = 0; i < count; i++)
            if (bytes[i] != golden[i]) fail_msg("%s.hex differs first at offset 0x%zx", name, i);

        struct teak_raft_entry entries[SAMPLE_ENTRIES];
        struct teak_raft_wire_in in = {.entries = entries, .entry_max = SAMPLE_ENTRIES};
        assert_int_equal(teak_raft_wire_judge(golden, count, NULL, &in), TEAK_RAFT_OK);
        assert_true(same_message(&in.msg, &msg));
        assert_int_equal(in.level, 1);
    }
}

/* Behind the line ```hex NAME the document has the lines of the file, then ``` . */
static void the_document_shows_these_bytes(void **state)
{
    (void)state;
    for (uint8_t type = TEAK_RAFT_PRE_VOTE; type < TEAK_RAFT_MSG_TYPE_COUNT; type++) {
        char name[64], mark[96], line[256], wanted[256];
        snprintf(mark, sizeof mark, "```hex %s\n", name_of(type, name));
        FILE *document = fopen(TEAK_SOURCE_DIR "/docs/raft.md", "r");
        assert_non_null(document);
        bool found = false;
        while (!found && fgets(line, sizeof line, document)) found = strcmp(line, mark) == 0;
        if (!found) fail_msg("docs/raft.md has no bytes of %s", name);
        FILE *file = hex_open(name, "r");
        while (fgets(wanted, sizeof wanted, file)) {
            assert_non_null(fgets(line, sizeof line, document));
            assert_string_equal(line, wanted);
        }
        assert_non_null(fgets(line, sizeof line, document));
        assert_string_equal(line, "```\n");
        fclose(file);
        fclose(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_these_bytes),
        cmocka_unit_test(the_document_shows_these_bytes),
    };
    return cmocka_run_group_tests_name("golden_wire", tests, NULL, NULL);
}
