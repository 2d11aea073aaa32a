/* calls_test.c: the n-th system call of each kind fails, for every n, below the disk's seam: files, directories,
 * mappings, threads, the ring's own calls. What the engine calls is wrapped when this program is linked
 * (-Wl,--wrap, tests/CMakeLists.txt). Each answer is a status that says so; no descriptor, mapping or memory is left;
 * what was acknowledged is there when the store is opened again. A transfer or sync that is only interrupted is done
 * again and nobody hears of it.
 *
 * With the posix backend the workers' calls come in any order: which one is the n-th is then chance, and what must hold
 * does not depend on it. How many calls fail: calls_each.
 */
#include "calls.h"

#include "store/damage.h"
#include "teak/committer.h"
#include "teak/inspect.h"
#include "teak/memory.h"
#include "teak/snapshot.h"

enum { ENTRIES = 60, BYTES = 2500, TRIES_MAX = 20000 };

/* ---- scenes: each goes on as far as it can, and returns the worst that it was told ---- */

static struct {
    struct rig rig, copy;
    uint64_t submitted, acknowledged; /* entries of log 1 */
    bool was_created;
    enum teak_status told;
} scene;

static enum teak_status told(enum teak_status status, const struct teak_error *error)
{
    switch (status) {
    case TEAK_OK:
    case TEAK_FULL:
    case TEAK_PENDING: return status;
    case TEAK_IO:
    case TEAK_NO_MEMORY:
    case TEAK_NO_SPACE:
    case TEAK_POISONED:
    case TEAK_NO_BACKEND:
    case TEAK_LOCKED: break;
    case TEAK_SEGMENT_MISSING: /* EAGAIN is how flock says that a writer is just taking the file again: it is gone */
    case TEAK_COMPACTED:       /* so are its entries */
        if (calls.error == EAGAIN && !strcmp(calls.name, "flock")) break;
        /* fall through */
    default: {
        char text[512];
        teak_error_text(error, text, sizeof text);
        fail_msg("errno %d of %s was told as: %s", calls.error, calls.name, text);
    }
    }
    scene.told = status;
    return status;
}

static void take(struct teak_store *store, uint64_t wait_ns)
{
    struct teak_completion done[16];
    struct teak_error error = {0};
    uint32_t count = 0;
    (void)told(teak_poll(store, wait_ns, done, 16, &count, &error), &error);
    for (uint32_t i = 0; i < count; i++)
        if (done[i].status == TEAK_OK && done[i].tag > scene.acknowledged) scene.acknowledged = done[i].tag;
}

static enum teak_status give(struct teak_store *store, struct teak_op op, uint64_t tag)
{
    struct teak_error error = {0};
    enum teak_status status = TEAK_FULL;
    for (int i = 0; i < TRIES_MAX && status != TEAK_OK; i++) {
        status = told(teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1, .tag = tag}, &error), &error);
        if (status == TEAK_POISONED) return status;
        if (status != TEAK_OK) take(store, 1000000);
        if (status != TEAK_OK && status != TEAK_FULL) usleep(500); /* a failed supply is tried again after a while */
    }
    if (status != TEAK_OK) { /* one call failed, once */
        char text[512];
        teak_error_text(&error, text, sizeof text);
        fail_msg("still: %s", text);
    }
    return status;
}

static void append_all(struct teak_store *store)
{
    uint8_t data[BYTES];
    if (give(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = 1}, 0) != TEAK_OK) return;
    for (uint64_t index = 1; index <= ENTRIES; index++) {
        rig_fill(data, BYTES, 1, index, 1);
        const struct teak_bytes entry = {.data = data, .bytes = BYTES};
        const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = index, .term = 1, .entries = &entry,
                                   .count = 1};
        if (give(store, op, index) != TEAK_OK) return;
        scene.submitted = index;
        if (index % 4 == 0) take(store, 1000000);
    }
    for (int i = 0; i < TRIES_MAX && scene.acknowledged < ENTRIES && scene.told != TEAK_POISONED; i++)
        take(store, 1000000);
}

static void read_back(struct teak_store *store)
{
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    if (scene.acknowledged == 0) return;
    if (told(teak_cursor_open(store, 1, 1, &cursor, &error), &error) != TEAK_OK) return;
    for (uint64_t next = 1; next <= scene.acknowledged;) {
        struct teak_entry entries[8];
        uint32_t count = 0;
        if (told(teak_cursor_read(cursor, 1 << 16, entries, 8, &count, &error), &error) != TEAK_OK || count == 0) break;
        for (uint32_t i = 0; i < count; i++, next++) {
            uint8_t want[BYTES];
            rig_fill(want, BYTES, 1, next, 1);
            assert_memory_equal(entries[i].data, want, BYTES);
        }
    }
    teak_cursor_close(cursor);
}

static void stream_in(struct teak_store *store)
{
    const struct teak_snapshot_offer offer = {
        .log = 1, .stream = 1, .pos = {.index = 5, .term = 1}, .body_bytes = BYTES};
    struct teak_snapshot_writer *writer;
    struct teak_error error = {0};
    uint8_t body[BYTES];
    rig_fill(body, BYTES, 1, 5, 1);
    enum teak_status status = told(teak_snapshot_begin(store, &offer, &writer, &error), &error);
    if (status != TEAK_OK) return;
    status = told(teak_snapshot_write(writer, 0, body, BYTES, &error), &error);
    const struct teak_trailing all = {UINT64_MAX, UINT64_MAX};
    if (status == TEAK_OK) status = told(teak_snapshot_install(writer, all, 0, &error), &error);
    if (status != TEAK_OK)
        teak_snapshot_abort(writer);
    else
        (void)teak_drain(store, &error); /* what it says of this one snapshot nobody waits for */
}

static bool open_scene(struct teak_store **out)
{
    const struct teak_options options = backend_options();
    struct teak_error error = {0};
    return told(rig_try_open(&scene.rig, &options, out, NULL, &error), &error) == TEAK_OK;
}

/* From nothing to a closed store, and once more, reading from the medium. */
static void a_life(void)
{
    struct teak_store *store;
    struct teak_error error = {0};
    int event;
    if (!open_scene(&store)) return;
    scene.was_created = true;
    (void)told(teak_event_fd(store, &event, &error), &error);
    append_all(store);
    if (scene.told != TEAK_POISONED && scene.acknowledged == ENTRIES) {
        stream_in(store);
        read_back(store);
    }
    (void)told(teak_close(store, &error), &error);
    if (!open_scene(&store)) return;
    read_back(store);
    (void)told(teak_close(store, &error), &error);
}

/* Made before, without faults. */
static void looked_at_and_copied(void)
{
    struct teak_options options = backend_options();
    struct teak_store *store;
    struct teak_error error = {0};
    options.create = false;
    options.read_only = true;
    if (told(rig_try_open(&scene.rig, &options, &store, NULL, &error), &error) == TEAK_OK) {
        struct teak_verify_result result;
        (void)told(teak_verify(store, NULL, 0, &result, NULL, NULL, &error), &error);
        rig_close(store);
    }
    struct teak_copy_result copied;
    (void)told(teak_copy(scene.rig.dir, scene.copy.dir, &copied, NULL, NULL, &error), &error);
}

/* The committer's threads start, work and stop. */
static void many_threads(void)
{
    const struct teak_options options = backend_options();
    struct teak_committer *committer;
    struct teak_error error = {0};
    uint8_t data[BYTES];
    if (told(teak_committer_open(scene.rig.dir, &options, NULL, &committer, NULL, &error), &error) != TEAK_OK) return;
    for (uint64_t index = ENTRIES + 1; index <= ENTRIES + 20; index++) {
        rig_fill(data, BYTES, 1, index, 1);
        enum teak_status status = TEAK_IO;
        for (int i = 0; i < 3 && status != TEAK_OK && status != TEAK_POISONED; i++)
            status = told(teak_committer_append(committer, 1, index, 1, data, BYTES, NULL, &error), &error);
        if (status == TEAK_POISONED) scene.submitted = index;
        if (status != TEAK_OK) break;
        scene.submitted = scene.acknowledged = index;
    }
    (void)told(teak_committer_close(committer, &error), &error);
}

static uint64_t hurt_from; /* the entry of the store that a scene begins with that cannot be read; 0: none */

/* What can be read goes into a new store; then the store itself is planned and mended. */
static void salvaged_and_mended(void)
{
    struct teak_options options = backend_options();
    struct teak_error error = {0};
    struct teak_repair_plan *plan = NULL;
    options.create = false;
    scene.acknowledged = 0; /* of what cannot be read nobody knows; check_store says how far */
    (void)told(teak_salvage(scene.rig.dir, scene.copy.dir, &options, NULL, NULL, NULL, NULL, &error), &error);
    if (told(teak_repair_plan_make(scene.rig.dir, &options, &plan, NULL, &error), &error) != TEAK_OK) return;
    (void)told(teak_repair_plan_apply(scene.rig.dir, &options, plan, &error), &error);
    teak_repair_plan_free(plan);
}

/* ---- what must hold ---- */

static void check_store(void)
{
    struct teak_options options = backend_options();
    if (hurt_from > 0) options.on_damage = TEAK_QUARANTINE;
    struct teak_store *store = rig_open_with(&scene.rig, &options, NULL);
    struct teak_log log = {0};
    struct teak_error error = {0};
    const enum teak_status status = teak_log(store, 1, &log, &error);
    if (status != TEAK_OK) {
        assert_int_equal(status, TEAK_UNKNOWN_LOG);
        assert_int_equal(scene.acknowledged, 0);
    } else {
        if (hurt_from > 0)
            assert_int_equal(log.last.index, hurt_from - 1);
        else
            assert_in_range(log.last.index, scene.acknowledged, scene.submitted + 1);
        if (log.last.index >= log.first) rig_expect_entries(store, 1, log.first, log.last.index);
    }
    rig_close(store);
}

/* An interrupted transfer or sync is done again. */
static bool must_be_unheard(void)
{
    static const char *const names[] = {"preadv", "pwritev", "pwritev2", "fdatasync", "fsync"};
    if (calls.error != EINTR && calls.error != EAGAIN) return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(calls.name, names[i])) return true;
    return false;
}

static const struct rig *made; /* a store that the scene begins with; NULL: none */
static void (*play)(void);     /* the scene                                     */

static bool run_once(uint64_t n, int error)
{
    rig_remove(scene.copy.dir);
    if (made) {
        rig_copy(made, &scene.rig);
    } else {
        rig_remove(scene.rig.dir);
        assert_int_equal(mkdir(scene.rig.dir, 0700), 0);
    }
    scene.submitted = scene.acknowledged = made ? ENTRIES : 0;
    scene.told = TEAK_OK;
    const uint64_t before = open_descriptors();
    calls.is_under_way = true;
    calls_arm(n, error);
    play();
    atomic_store(&calls.is_running, false);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(calls.mapped, 0);
    assert_int_equal(teak_set_allocator(NULL), TEAK_OK); /* INVALID while any memory is out */
    if (must_be_unheard()) assert_int_equal(scene.told, TEAK_OK);
    check_store();
    calls.is_under_way = false;
    return calls.was_struck;
}

static void remove_unfinished(void)
{
    char path[sizeof scene.copy.dir + 16];
    snprintf(path, sizeof path, "%s.unfinished", scene.copy.dir);
    rig_remove(path);
}

static void run_all(const char *name, void (*scene_played)(void))
{
    play = scene_played;
    assert_true(calls_each(name, run_once) > 20);
}

static void begin(void)
{
    scene.rig = rig_make("calls");
    scene.copy = rig_make("copy");
    rig_remove(scene.copy.dir);
}

static void end(void)
{
    rig_remove(scene.rig.dir);
    rig_remove(scene.copy.dir);
}

static void any_call_may_fail_in_a_life(void **state)
{
    (void)state;
    begin();
    run_all("a life", a_life);
    end();
}

static struct rig make_store(void)
{
    const struct rig rig = rig_make("made");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append(store, 1, 1, ENTRIES, 1, BYTES);
    rig_drain(store);
    rig_close(store);
    return rig;
}

static void any_call_may_fail_of_who_looks_and_copies(void **state)
{
    (void)state;
    const struct rig rig = make_store();
    begin();
    made = &rig;
    run_all("looked at and copied", looked_at_and_copied);
    made = NULL;
    end();
    rig_remove(rig.dir);
}

/* A rotten payload in the newest segment: what stands before it is kept, and is there whatever fails. */
static void any_call_may_fail_of_who_salvages_and_mends(void **state)
{
    (void)state;
    const struct rig rig = make_store();
    struct found_frame frames[16];
    char name[64];
    const uint64_t newest = damage_newest(&rig);
    const uint32_t count = damage_frames(&rig, newest, frames, 16);
    uint32_t which = count;
    while (which > 0 && frames[which - 1].entries == 0) which--;
    assert_true(which > 1);
    rig_segment_name(newest, name);
    rig_flip(&rig, name, frames[which - 1].offset + HEAD_BYTES + 5, 0x10);
    struct teak_options options = backend_options();
    options.on_damage = TEAK_QUARANTINE;
    options.read_only = true;
    options.create = false;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    hurt_from = rig_log(store, 1).last.index + 1;
    assert_in_range(hurt_from, 2, ENTRIES);
    rig_close(store);
    begin();
    made = &rig;
    run_all("salvaged and mended", salvaged_and_mended);
    made = NULL;
    hurt_from = 0;
    remove_unfinished();
    end();
    rig_remove(rig.dir);
}

static void any_call_may_fail_under_a_committer(void **state)
{
    (void)state;
    const struct rig rig = make_store();
    begin();
    made = &rig;
    run_all("many threads", many_threads);
    made = NULL;
    end();
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    /* Syncs cost nothing in memory, and there are a great many. */
    if (!getenv("TEAK_TEST_DIR") && access("/dev/shm", W_OK | X_OK) == 0) setenv("TEAK_TEST_DIR", "/dev/shm", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(any_call_may_fail_in_a_life, calls_tell),
        cmocka_unit_test_teardown(any_call_may_fail_of_who_looks_and_copies, calls_tell),
        cmocka_unit_test_teardown(any_call_may_fail_of_who_salvages_and_mends, calls_tell),
        cmocka_unit_test_teardown(any_call_may_fail_under_a_committer, calls_tell),
    };
    return backends_run(argc, argv, "calls", tests, sizeof tests / sizeof tests[0]);
}
