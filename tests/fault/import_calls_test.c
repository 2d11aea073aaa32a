/* import_calls_test.c: an import of which any call fails, its own and the engine's: of files, directories, mappings,
 * threads, and of memory. It ends with a status and says why; no descriptor, mapping or memory is left; the store
 * opens, and has the log whole, not at all, or with the word in META that it is incomplete; the next import comes
 * through, unless the log is there already, whole. How many calls fail: calls_each.
 */
#include "calls.h"

#include "../../tools/teak/command.h"
#include "../../tools/teak/crc32c.h"

#include "store/backends.h"
#include "teak/inspect.h"
#include "teak/memory.h"
#include "teak/snapshot.h"

enum { LOG = 7, OTHER = 3, BASE = 5, LAST = 40, BYTES = 900, TERM = 2, VOTE = 9, BODY = 3000,
       INPUT_MAX = 128 << 10, TOLD_MAX = 4096 };

WRAP(ssize_t, read, (int fd, void *out, size_t bytes), (fd, out, bytes), -1)
WRAP(ssize_t, pread, (int fd, void *out, size_t bytes, off_t at), (fd, out, bytes, at), -1)
WRAP(ssize_t, write, (int fd, const void *from, size_t bytes), (fd, from, bytes), -1)
WRAP(void *, malloc, (size_t bytes), (bytes), NULL)
WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes), NULL)
WRAP(void *, realloc, (void *at, size_t bytes), (at, bytes), NULL)
WRAP(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes), NULL)

int __real_open(const char *name, int how, ...);
int __wrap_open(const char *name, int how, ...);
int __wrap_open(const char *name, int how, ...)
{
    va_list rest;
    va_start(rest, how);
    const mode_t mode = how & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return strikes("open") && set_errno(calls.error) ? -1 : __real_open(name, how, mode);
}

/* ---- the file that is imported: a snapshot with two members, entries behind it, some of them written twice ---- */

struct input {
    uint8_t bytes[INPUT_MAX];
    size_t count;
};

static void put(struct input *input, const void *from, size_t bytes)
{
    assert_true(input->count + bytes <= INPUT_MAX);
    memcpy(input->bytes + input->count, from, bytes);
    input->count += bytes;
}

static void put64(struct input *input, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (8 * i));
    put(input, bytes, 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static size_t begin_record(struct input *input)
{
    const size_t at = input->count;
    put64(input, 0);
    return at;
}

static void end_record(struct input *input, size_t at)
{
    put32(input->bytes + at + 4, (uint32_t)(input->count - at - 8));
    put32(input->bytes + at, crc32c(input->bytes + at + 4, input->count - at - 4));
}

static void put_snapshot(struct input *input)
{
    uint8_t body[BODY];
    const size_t at = begin_record(input);
    rig_fill(body, BODY, LOG, BASE, 1);
    put(input, &(uint8_t){4}, 1);
    put64(input, BASE);
    put64(input, 1);
    put64(input, 2);
    put64(input, 11);
    put64(input, 12);
    put64(input, BODY);
    put(input, body, BODY);
    end_record(input, at);
}

static void put_entry(struct input *input, uint64_t index)
{
    uint8_t data[BYTES];
    const size_t at = begin_record(input);
    rig_fill(data, BYTES, LOG, index, TERM);
    put(input, &(uint8_t){1}, 1);
    put64(input, TERM);
    put64(input, index);
    put(input, &(uint8_t){0}, 1);
    put64(input, BYTES);
    put(input, data, BYTES);
    end_record(input, at);
}

static void put_truncation(struct input *input, uint64_t from)
{
    const size_t at = begin_record(input);
    put(input, &(uint8_t){3}, 1);
    put64(input, from);
    end_record(input, at);
}

static void put_hard_state(struct input *input)
{
    const size_t at = begin_record(input);
    put(input, &(uint8_t){2}, 1);
    put64(input, TERM);
    put(input, &(uint8_t){1}, 1);
    put64(input, VOTE);
    end_record(input, at);
}

static void make_input(const char *path)
{
    static struct input input;
    input.count = 0;
    put_snapshot(&input);
    for (uint64_t index = BASE + 1; index <= LAST; index++) put_entry(&input, index);
    put_truncation(&input, LAST - 3);
    for (uint64_t index = LAST - 3; index <= LAST; index++) put_entry(&input, index);
    put_hard_state(&input);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, input.bytes, input.count), (ssize_t)input.count);
    close(file);
}

/* ---- a run of the command, in this process ---- */

static struct {
    struct rig rig, beside;        /* the store; where the snapshot goes, too */
    char input[RIG_PATH + 8];
    char told[TOLD_MAX];           /* what it said on standard error          */
} scene;

static int import(void)
{
    char log[] = "--log", number[] = "7", from[] = "--from", format[] = "wal-db", segment[] = "--segment-bytes",
         bytes[] = "64K", beside[] = "--snapshots-to", backend[] = "--backend", name[] = "import";
    char which[8];
    snprintf(which, sizeof which, "%s", backend_now == TEAK_BACKEND_URING ? "uring" : "posix");
    char *words[] = {name, from, format, log, number, segment, bytes, beside, scene.beside.dir, backend, which,
                     scene.input, scene.rig.dir, NULL};
    return cmd_import(sizeof words / sizeof words[0] - 1, words);
}

/* With `n`, the n-th call fails. What it says is kept. */
static int run_import(uint64_t n, int error)
{
    fflush(NULL);
    const int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), said = memfd_create("said", MFD_CLOEXEC);
    assert_true(out >= 0 && err >= 0 && said >= 0);
    assert_int_equal(dup2(said, STDERR_FILENO), STDERR_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(dup2(nowhere, STDOUT_FILENO), STDOUT_FILENO);
    const uint64_t before = open_descriptors();
    if (n > 0) calls_arm(n, error);
    const int status = import();
    atomic_store(&calls.is_running, false);
    const uint64_t after = open_descriptors();
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    const ssize_t bytes = pread(said, scene.told, sizeof scene.told - 1, 0);
    assert_true(bytes >= 0);
    scene.told[bytes] = '\0';
    close(out);
    close(err);
    close(said);
    close(nowhere);
    assert_int_equal(after, before);
    assert_int_equal(calls.mapped, 0);
    assert_int_equal(teak_set_allocator(NULL), TEAK_OK); /* INVALID while any memory is out */
    return status;
}

/* ---- what must hold ---- */

enum found { FOUND_NOTHING, FOUND_BEGUN, FOUND_WHOLE };

static void expect_whole(struct teak_store *store)
{
    const struct teak_log log = rig_log(store, LOG);
    assert_int_equal(log.first, BASE + 1);
    assert_int_equal(log.last.index, LAST);
    assert_int_equal(log.snapshot.index, BASE);
    assert_int_equal(log.hard.term, TERM);
    assert_int_equal(log.hard.vote, VOTE);
    rig_expect_entries(store, LOG, BASE + 1, LAST);
}

/* What the store has; the log that was there before the import is there in any case. */
static enum found look(bool had_other)
{
    struct teak_options options = backend_options();
    struct teak_error error = {0};
    struct teak_store *store;
    struct teak_log log;
    char meta[64];
    uint32_t bytes = 0;
    options.create = false;
    const enum teak_status opened = rig_try_open(&scene.rig, &options, &store, NULL, &error);
    if (opened == TEAK_NOT_A_STORE || opened == TEAK_NO_DIRECTORY ||
        opened == TEAK_STORE_LOST) { /* a creation that was cut short: the next one goes on */
        assert_false(had_other);
        return FOUND_NOTHING;
    }
    rig_ok(opened, &error);
    if (had_other) rig_expect_entries(store, OTHER, 1, 5);
    enum found found = FOUND_NOTHING;
    if (teak_log(store, LOG, &log, &error) == TEAK_OK) {
        rig_ok(teak_meta(store, LOG, meta, sizeof meta, &bytes, &error), &error);
        found = bytes > 0 ? FOUND_BEGUN : FOUND_WHOLE;
        if (found == FOUND_BEGUN) assert_memory_equal(meta, "teak import: incomplete", bytes);
        if (found == FOUND_WHOLE) expect_whole(store);
    }
    rig_close(store);
    return found;
}

static void expect_file(const char *name, const void *want, size_t bytes)
{
    size_t has;
    uint8_t *is = rig_read(&scene.beside, name, &has);
    assert_int_equal(has, bytes);
    assert_memory_equal(is, want, bytes);
    free(is);
}

static const struct rig *made; /* a store that is there before; NULL: none */

static bool run_once(uint64_t n, int error)
{
    rig_remove(scene.beside.dir);
    assert_int_equal(mkdir(scene.beside.dir, 0700), 0);
    if (made)
        rig_copy(made, &scene.rig);
    else
        rig_remove(scene.rig.dir);
    calls.is_under_way = true;
    int status = run_import(n, error);
    const bool was_struck = calls.was_struck;
    assert_true(status == EXIT_GOOD || (status == EXIT_PROBLEM && was_struck));
    if (status == EXIT_PROBLEM) assert_true(strncmp(scene.told, "teak import: ", 13) == 0);
    const enum found found = look(made != NULL);
    if (status == EXIT_GOOD) assert_int_equal(found, FOUND_WHOLE);
    if (found != FOUND_WHOLE) {
        status = run_import(0, 0);
        if (status != EXIT_GOOD) fail_msg("and the next one: %s", scene.told);
        assert_int_equal(look(made != NULL), FOUND_WHOLE);
    }
    uint8_t body[BODY];
    rig_fill(body, BODY, LOG, BASE, 1);
    expect_file("7-5-1.members", "11\n12\n", 6);
    expect_file("7-5-1.snapshot", body, BODY);
    uint64_t files = 0;
    DIR *list = opendir(scene.beside.dir);
    assert_non_null(list);
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) files += entry->d_name[0] != '.';
    closedir(list);
    assert_int_equal(files, 2);
    calls.is_under_way = false;
    return was_struck;
}

static void run_all(const char *name) { assert_true(calls_each(name, run_once) > 100); }

static int tell_run(void **state)
{
    calls_tell(state);
    if (calls.is_under_way) print_error("it said: %s\n", scene.told);
    return 0;
}

static void begin(void)
{
    scene.rig = rig_make("import");
    scene.beside = rig_make("beside");
    snprintf(scene.input, sizeof scene.input, "%s.wal", scene.beside.dir);
    make_input(scene.input);
}

static void end(void)
{
    rig_remove(scene.rig.dir);
    rig_remove(scene.beside.dir);
    unlink(scene.input);
}

static void any_call_may_fail_of_an_import_into_a_new_store(void **state)
{
    (void)state;
    begin();
    run_all("into a new store");
    end();
}

static void any_call_may_fail_of_an_import_into_a_store_that_is_there(void **state)
{
    (void)state;
    const struct rig rig = rig_make("made");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, OTHER);
    rig_append(store, OTHER, 1, 5, 1, 100);
    /* and an import that was cut short before */
    rig_create(store, LOG);
    rig_do(store, (struct teak_op){.op = TEAK_OP_META, .log = LOG, .data = "teak import: incomplete", .bytes = 23});
    rig_append(store, LOG, 1, 3, 1, 100);
    rig_close(store);
    begin();
    made = &rig;
    run_all("into a store that is there");
    made = NULL;
    end();
    rig_remove(rig.dir);
}

/* Of the command and of the plain calls of the engine. */
static void where_the_system_knows_no_renameat2_it_is_done_without(void **state)
{
    (void)state;
    static const int errors[] = {EINVAL, ENOSYS};
    begin();
    calls.lacking = "renameat2";
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        rig_remove(scene.rig.dir);
        rig_remove(scene.beside.dir);
        assert_int_equal(mkdir(scene.beside.dir, 0700), 0);
        if (run_import(1, errors[i]) != EXIT_GOOD) fail_msg("%s: %s", strerror(errors[i]), scene.told);
        assert_true(calls.was_struck);
        assert_int_equal(look(false), FOUND_WHOLE);
    }
    calls.lacking = NULL;
    end();
}

int main(int argc, char **argv)
{
    /* Syncs cost nothing in memory, and there are a great many. */
    if (!getenv("TEAK_TEST_DIR") && access("/dev/shm", W_OK | X_OK) == 0) setenv("TEAK_TEST_DIR", "/dev/shm", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(any_call_may_fail_of_an_import_into_a_new_store, tell_run),
        cmocka_unit_test_teardown(any_call_may_fail_of_an_import_into_a_store_that_is_there, tell_run),
        cmocka_unit_test_teardown(where_the_system_knows_no_renameat2_it_is_done_without, tell_run),
    };
    return backends_run(argc, argv, "import", tests, sizeof tests / sizeof tests[0]);
}
