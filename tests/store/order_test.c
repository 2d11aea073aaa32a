/* order_test.c: what the engine asks of the disk, in which order. A step left out, or taken too early, loses nothing as
 * long as the power stays: so each order that durability hangs on is looked at itself, step by step.
 */
#include "format/layout.h"
#include "store/backends.h"

enum { STEPS = 40000, NAME = 48 };

struct step {
    enum disk_kind kind;
    uint32_t flags;
    int32_t file, dir;
    uint64_t offset, bytes;
    uint64_t salt; /* of an identity that is written */
    char name[NAME], to[NAME];
};

static struct step steps[STEPS];
static uint32_t step_count;

static void note(void *context, const struct disk_op *op)
{
    (void)context;
    assert_true(step_count < STEPS);
    struct step *step = &steps[step_count++];
    *step = (struct step){.kind = op->kind, .flags = op->flags, .file = op->file, .dir = op->dir, .offset = op->offset,
                          .bytes = op->bytes};
    const bool has_names = op->kind == DISK_OPEN || op->kind == DISK_RENAME || op->kind == DISK_UNLINK;
    if (has_names && op->name) snprintf(step->name, sizeof step->name, "%s", op->name);
    if (op->kind == DISK_RENAME && op->to) snprintf(step->to, sizeof step->to, "%s", op->to);
    if (op->kind != DISK_WRITE || op->offset != 0 || op->bytes != RIG_BLOCK) return;
    struct layout_identity identity;
    memcpy(&identity, op->data, sizeof identity);
    step->salt = le64_get(identity.salt);
}

/* Noted from before the opening on. */
static struct teak_store *open_noted(const struct rig *rig, const struct teak_options *options, struct faulty **out)
{
    step_count = 0;
    struct faulty *faulty = faulty_make(backend_now);
    assert_non_null(faulty);
    faulty->watch = note;
    struct teak_store *store;
    struct teak_error error = {0};
    rig_ok(store_open_on(&faulty->disk, rig->dir, options, &store, NULL, &error), &error);
    if (out) *out = faulty;
    return store;
}

enum { NOT_THERE = UINT32_MAX };

/* The last step of the kind, on the file, in [begin, end). */
static uint32_t last_of(enum disk_kind kind, int32_t file, uint32_t begin, uint32_t end)
{
    while (end-- > begin)
        if (steps[end].kind == kind && steps[end].file == file) return end;
    return NOT_THERE;
}

static uint32_t first_of(enum disk_kind kind, int32_t file, uint32_t begin, uint32_t end)
{
    for (; begin < end; begin++)
        if (steps[begin].kind == kind && steps[begin].file == file) return begin;
    return NOT_THERE;
}

static uint32_t renamed_to(const char *to)
{
    for (uint32_t i = 0; i < step_count; i++)
        if (steps[i].kind == DISK_RENAME && strcmp(steps[i].to, to) == 0) return i;
    fail_msg("nothing was named %s", to);
    return 0;
}

static bool is_segment(const char *name)
{
    const size_t bytes = strlen(name);
    return bytes == 20 && strcmp(name + 16, ".seg") == 0;
}

static bool is_frame(const struct step *step)
{
    return step->kind == DISK_WRITE && !(step->flags & DISK_CHORE) && step->offset >= RIG_BLOCK;
}

/* Segments pass, die and are taken again. */
static void pass_segments(struct teak_store *store)
{
    rig_create(store, 7);
    for (uint64_t index = 1; index <= 150; index++) {
        rig_append(store, 7, index, index, 1, 4000);
        if (index % 8 == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 4});
    }
    rig_drain(store);
}

/* ---- files ---- */

static void a_store_is_created_in_the_one_safe_order(void **state)
{
    (void)state;
    const struct rig rig = rig_make("creation");
    const struct teak_options options = backend_options();
    struct teak_store *store = open_noted(&rig, &options, NULL);
    rig_close(store);
    const uint32_t named = renamed_to("STORE"), begun = renamed_to("0000000000000001.seg");
    uint32_t opened = named;
    while (steps[opened].kind != DISK_OPEN || strcmp(steps[opened].name, "STORE.tmp") != 0) opened--;
    const uint32_t written = last_of(DISK_WRITE, steps[opened].file, opened, named);
    assert_int_not_equal(written, NOT_THERE);
    assert_int_not_equal(first_of(DISK_SYNC_ALL, steps[opened].file, written, named), NOT_THERE);
    assert_int_not_equal(first_of(DISK_SYNC_ALL, steps[named].dir, named, step_count), NOT_THERE);
    /* STORE comes last: the first checkpoint is durable, under a durable name */
    uint32_t checkpoint = begun;
    while (!is_frame(&steps[checkpoint])) checkpoint++;
    assert_int_not_equal(first_of(DISK_SYNC_ALL, steps[begun].dir, begun, checkpoint), NOT_THERE);
    assert_int_not_equal(first_of(DISK_SYNC, steps[checkpoint].file, checkpoint, opened), NOT_THERE);
    rig_remove(rig.dir);
}

/* History 19. */
static void a_file_is_made_in_the_one_safe_order(void **state)
{
    (void)state;
    const struct rig rig = rig_make("made");
    const struct teak_options options = backend_options();
    struct teak_store *store = open_noted(&rig, &options, NULL);
    pass_segments(store);
    rig_close(store);
    uint32_t made = 0;
    for (uint32_t i = 0; i < step_count; i++) {
        const struct step *named = &steps[i];
        const char *end = strrchr(named->name, '.');
        if (named->kind != DISK_RENAME || !end || strcmp(end, ".tmp") != 0 || strncmp(named->name, "spare-", 6) != 0)
            continue;
        made++;
        uint32_t opened = i;
        while (steps[opened].kind != DISK_OPEN || strcmp(steps[opened].name, named->name) != 0) opened--;
        uint64_t filled = 0;
        uint32_t last = opened;
        for (uint32_t k = opened; k < i; k++) {
            if (steps[k].kind != DISK_WRITE || steps[k].file != named->file) continue;
            assert_int_equal(steps[k].offset, filled);
            filled += steps[k].bytes;
            last = k;
        }
        assert_int_equal(filled, RIG_SEGMENT);
        assert_int_not_equal(first_of(DISK_SYNC_ALL, named->file, last, i), NOT_THERE);
        const uint32_t synced = first_of(DISK_SYNC_ALL, named->dir, i, step_count);
        for (uint32_t k = i; k < synced; k++) /* nobody takes it up before */
            assert_false(steps[k].kind == DISK_OPEN && strcmp(steps[k].name, named->to) == 0);
    }
    assert_true(made > 0);
    rig_remove(rig.dir);
}

/* History 16. */
static void a_file_is_taken_again_in_the_one_safe_order(void **state)
{
    (void)state;
    const struct rig rig = rig_make("taken");
    const struct teak_options options = backend_options();
    struct teak_store *store = open_noted(&rig, &options, NULL);
    pass_segments(store);
    rig_close(store);
    uint32_t taken = 0;
    for (uint32_t i = 0; i < step_count; i++) {
        const struct step *named = &steps[i];
        if (named->kind != DISK_RENAME || !is_segment(named->to)) continue;
        taken++;
        const uint32_t identity = last_of(DISK_WRITE, named->file, 0, i);
        assert_int_not_equal(identity, NOT_THERE);
        assert_int_equal(steps[identity].offset, 0);
        assert_int_not_equal(first_of(DISK_SYNC, named->file, identity, i), NOT_THERE);
        uint32_t frame = i;
        while (frame < step_count && !(is_frame(&steps[frame]) && steps[frame].file == named->file)) frame++;
        if (frame == step_count) continue; /* prepared, never used */
        assert_int_not_equal(first_of(DISK_SYNC_ALL, named->dir, i, frame), NOT_THERE);
    }
    assert_true(taken >= 4);
    rig_remove(rig.dir);
}

static void no_salt_is_used_twice(void **state)
{
    (void)state;
    const struct rig rig = rig_make("salts");
    const struct teak_options options = backend_options();
    struct teak_store *store = open_noted(&rig, &options, NULL);
    pass_segments(store);
    rig_close(store);
    uint32_t identities = 0;
    for (uint32_t i = 0; i < step_count; i++) {
        if (steps[i].salt == 0) continue;
        identities++;
        for (uint32_t k = 0; k < i; k++) assert_true(steps[k].salt != steps[i].salt);
    }
    assert_true(identities >= 4);
    rig_remove(rig.dir);
}

/* History 16: FORGET is submitted, and not durable: the files stay what they are. */
static void a_segment_is_forgotten_when_forget_is_durable(void **state)
{
    (void)state;
    const struct rig rig = rig_make("forget");
    struct teak_options options = backend_options();
    options.strategy = TEAK_DSYNC;
    struct faulty *faulty;
    struct teak_store *store = open_noted(&rig, &options, &faulty);
    rig_create(store, 7);
    rig_append(store, 7, 1, 60, 1, 3000);
    rig_drain(store);
    const uint64_t oldest = rig_stats(store).oldest_segment;
    assert_true(rig_stats(store).newest_segment > oldest + 2);
    faulty->holds_writes = true;
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = 60});
    for (uint64_t turns = 0; store->forget_lsn == 0; turns++) {
        assert_true(turns < 20000);
        rig_poll(store);
        faulty_release(faulty, 1); /* what died is durable; the next frame will be FORGET's */
    }
    faulty_release(faulty, faulty->held_count);
    for (struct rig_patience patience = {0}; faulty->held_count == 0 && rig_waits(&patience);) rig_poll(store);
    assert_true(faulty->held_count > 0);
    for (int i = 0; i < 100; i++) rig_poll(store);
    assert_int_equal(rig_stats(store).oldest_segment, oldest);
    faulty_release_all(faulty);
    for (struct rig_patience patience = {0}; rig_stats(store).oldest_segment == oldest && rig_waits(&patience);)
        rig_poll(store);
    assert_true(rig_stats(store).oldest_segment > oldest);
    rig_close(store);
    rig_remove(rig.dir);
}

enum hold { HOLD_BY_LOCK, HOLD_BY_NAME };

/* Every segment that will be forgotten is held by somebody: so whichever is taken again first, it is one of those. */
static void hold_all(enum hold how)
{
    enum { HELD_MAX = 32 };
    static uint8_t before[HELD_MAX][RIG_SEGMENT], after[RIG_SEGMENT];
    const struct rig rig = rig_make("readers");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append(store, 7, 1, 100, 1, 3000);
    rig_drain(store);
    const uint64_t newest = rig_stats(store).newest_segment;
    assert_true(newest > 4 && newest <= HELD_MAX);
    int held[HELD_MAX];
    for (uint64_t i = 0; i < newest; i++) {
        char name[64], path[2 * RIG_PATH], second[2 * RIG_PATH + 8];
        rig_segment_name(i + 1, name);
        rig_path(&rig, name, path);
        snprintf(second, sizeof second, "%s.kept", path);
        held[i] = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(held[i] >= 0);
        if (how == HOLD_BY_LOCK)
            assert_int_equal(flock(held[i], LOCK_SH), 0);
        else
            assert_int_equal(link(path, second), 0);
        if (i + 1 < newest) assert_int_equal(pread(held[i], before[i], RIG_SEGMENT, 0), RIG_SEGMENT);
    }
    for (uint64_t last = 100; last < 300; last += 20) {
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = last - 1});
        rig_append(store, 7, last + 1, last + 20, 1, 3000);
        rig_drain(store);
    }
    rig_close(store);
    for (uint64_t i = 0; i < newest; i++) {
        if (i + 2 < newest) { /* those behind had no index yet */
            assert_int_equal(pread(held[i], after, RIG_SEGMENT, 0), RIG_SEGMENT);
            assert_memory_equal(before[i], after, RIG_BLOCK); /* identity */
        }
        close(held[i]);
    }
    rig_remove(rig.dir);
}

/* History 17: under a reader's lock, or with a second name. */
static void what_somebody_holds_is_never_written_over(void **state)
{
    (void)state;
    hold_all(HOLD_BY_LOCK);
    hold_all(HOLD_BY_NAME);
}

/* History 19: the only spare there is has another size. */
static void a_spare_of_another_size_is_never_used(void **state)
{
    (void)state;
    const struct rig rig = rig_make("size");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    const uint64_t newest = rig_stats(store).newest_segment;
    teak_abandon(store);
    DIR *list = opendir(rig.dir);
    assert_non_null(list);
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL)
        if (strncmp(entry->d_name, "spare-", 6) == 0) rig_unlink(&rig, entry->d_name);
    closedir(list);
    rig_zero(&rig, "spare-0000000000000aaa.seg", 0, RIG_SEGMENT / 2);
    store = backend_open(&rig);
    rig_append_synced(store, 7, 4, 4, 1, 100); /* a fresh segment is prepared */
    char name[64];
    size_t bytes;
    rig_segment_name(newest + 1, name);
    free(rig_read(&rig, name, &bytes));
    assert_int_equal(bytes, RIG_SEGMENT);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- sealing ---- */

static struct teak_options many_frames(void)
{
    struct teak_options options = backend_options();
    options.strategy = TEAK_DSYNC;
    options.in_flight = 32;
    options.group_bytes = RIG_BLOCK;
    options.arena_bytes = 1 << 20;
    return options;
}

/* Appends while nothing lands, until the segment of that number is begun. Returns the next index. */
static uint64_t append_until(struct teak_store *store, uint64_t next, uint64_t number)
{
    uint8_t data[3000];
    struct teak_error error = {0};
    for (struct rig_patience patience = {0}; rig_stats(store).newest_segment < number && rig_waits(&patience);) {
        rig_fill(data, sizeof data, 7, next, 1);
        const enum teak_status status = teak_append(store, 7, next, 1, data, sizeof data, next, &error);
        if (status == TEAK_OK) next++;
        if (status != TEAK_OK) assert_int_equal(status, TEAK_FULL);
        rig_poll(store);
    }
    assert_int_equal(rig_stats(store).newest_segment, number);
    return next;
}

/* History 2: at most two wait for their index; they get it oldest first; a footer is synced before its file goes. */
static void a_segment_is_sealed_in_the_one_safe_order(void **state)
{
    (void)state;
    const struct rig rig = rig_make("sealed");
    const struct teak_options options = many_frames();
    struct faulty *faulty;
    struct teak_store *store = open_noted(&rig, &options, &faulty);
    rig_create(store, 7);
    rig_drain(store);
    faulty->holds_writes = true;
    uint64_t next = append_until(store, 1, 3);
    /* the next segment is ready, and is not begun while two wait for their index */
    for (struct rig_patience patience = {0}; !store->segments.ready && rig_waits(&patience);) rig_poll(store);
    assert_non_null(store->segments.ready);
    uint8_t data[3000];
    struct teak_error error = {0};
    uint32_t full = 0;
    for (int i = 0; i < 200; i++) {
        rig_fill(data, sizeof data, 7, next, 1);
        const enum teak_status status = teak_append(store, 7, next, 1, data, sizeof data, next, &error);
        next += status == TEAK_OK;
        full += status == TEAK_FULL;
        rig_poll(store);
    }
    assert_true(full > 0);
    assert_int_equal(rig_stats(store).newest_segment, 3);
    assert_int_equal(rig_stats(store).sealed, 0);
    int32_t files[2] = {segment_at(&store->segments, 1)->file, segment_at(&store->segments, 2)->file};
    const uint32_t begin = step_count;
    faulty_release_all(faulty);
    for (struct rig_patience patience = {0}; rig_stats(store).sealed < 2 && rig_waits(&patience);) rig_poll(store);
    uint32_t sealed = 0;
    for (uint32_t i = begin; i < step_count && sealed < 2; i++) {
        const bool is_footer = steps[i].kind == DISK_WRITE && (steps[i].flags & DISK_CHORE) && steps[i].offset > 0 &&
                               steps[i].offset + steps[i].bytes == RIG_SEGMENT;
        if (!is_footer) continue;
        assert_int_equal(steps[i].file, files[sealed++]);
        const uint32_t closed = first_of(DISK_CLOSE, steps[i].file, i, step_count);
        assert_int_not_equal(closed, NOT_THERE);
        assert_int_not_equal(first_of(DISK_SYNC, steps[i].file, i, closed), NOT_THERE);
    }
    assert_int_equal(sealed, 2);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_failed_sync_of_an_index_poisons(void **state)
{
    (void)state;
    const struct rig rig = rig_make("index");
    const struct teak_options options = many_frames(); /* every frame syncs itself: no other sync is asked for */
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 7);
    rig_append(store, 7, 1, 3, 1, 3000);
    rig_drain(store);
    struct faulty_index fault;
    faulty_arm_at_index(faulty, DISK_SYNC, &fault);
    uint8_t data[3000];
    struct teak_error error = {0};
    enum teak_status status = TEAK_OK;
    uint64_t next = 4;
    for (struct rig_patience patience = {0}; status != TEAK_POISONED && rig_waits(&patience);) {
        rig_fill(data, sizeof data, 7, next, 1);
        status = teak_append(store, 7, next, 1, data, sizeof data, next, &error);
        next += status == TEAK_OK;
        struct teak_completion done[16];
        uint32_t count;
        if (status != TEAK_POISONED) status = teak_poll(store, 1000000, done, 16, &count, &error);
        if (status == TEAK_OK && count == 0) usleep(200);
    }
    assert_true(fault.is_armed);
    assert_int_equal(faulty->struck, 1);
    assert_int_equal(status, TEAK_POISONED);
    assert_int_equal(error.os_errno, EIO);
    teak_abandon(store);
    store = backend_open(&rig);
    assert_true(rig_log(store, 7).last.index >= 3);
    rig_expect_entries(store, 7, 1, rig_log(store, 7).last.index);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- opening ---- */

static void what_is_judged_was_synced_first(void **state)
{
    (void)state;
    const struct rig rig = rig_make("judged");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append(store, 7, 1, 30, 1, 3000);
    rig_drain(store);
    teak_abandon(store);
    const struct teak_options options = backend_options();
    store = open_noted(&rig, &options, NULL);
    uint32_t scanned = 0;
    for (uint32_t i = 0; i < step_count; i++) {
        if (steps[i].kind != DISK_READ || steps[i].bytes <= RIG_BLOCK || steps[i].offset != 0) continue;
        scanned++;
        const uint32_t opened = last_of(DISK_OPEN, steps[i].file, 0, i);
        assert_int_not_equal(opened, NOT_THERE);
        assert_int_not_equal(first_of(DISK_SYNC, steps[i].file, opened, i), NOT_THERE);
    }
    assert_true(scanned > 0);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 1. */
static void the_lock_is_guarded_by_the_disk(void **state)
{
    (void)state;
    const struct rig rig = rig_make("guarded");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = open_noted(&rig, &options, &faulty);
    uint32_t lock = 0;
    while (lock < step_count && (steps[lock].kind != DISK_OPEN || strcmp(steps[lock].name, "LOCK") != 0)) lock++;
    assert_true(lock < step_count);
    assert_int_equal(faulty->guarded, 1);
    assert_int_equal(faulty->guarded_file, steps[lock].file);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 3: at every moment what is there is contiguous. */
static void what_lies_behind_a_cut_goes_newest_first(void **state)
{
    (void)state;
    const struct rig rig = rig_make("behind");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append(store, 7, 1, 60, 1, 3000);
    rig_drain(store);
    const uint64_t newest = rig_stats(store).newest_segment;
    teak_abandon(store);
    assert_true(newest >= 4);
    /* the two newest were begun, and nothing of them landed; the one before has no index yet */
    char name[64];
    for (uint64_t number = newest - 1; number <= newest; number++) {
        rig_segment_name(number, name);
        rig_zero(&rig, name, RIG_BLOCK, RIG_SEGMENT - RIG_BLOCK);
    }
    rig_segment_name(newest - 2, name);
    rig_zero(&rig, name, RIG_SEGMENT - RIG_BLOCK, RIG_BLOCK);
    const struct teak_options options = backend_options();
    store = open_noted(&rig, &options, NULL);
    for (uint32_t i = 0; i < step_count; i++) assert_true(steps[i].kind != DISK_RENAME); /* opening only reads */
    rig_create(store, 9);
    rig_drain(store);
    uint64_t before = UINT64_MAX;
    uint32_t discarded = 0, last = 0;
    for (uint32_t i = 0; i < step_count; i++) {
        if (steps[i].kind != DISK_RENAME || !is_segment(steps[i].name)) continue;
        const uint64_t number = strtoull(steps[i].name, NULL, 16);
        assert_true(number < before);
        if (discarded > 0) assert_int_not_equal(first_of(DISK_SYNC_ALL, steps[i].dir, last, i), NOT_THERE);
        before = number;
        last = i;
        discarded++;
    }
    assert_true(discarded >= 2);
    assert_int_equal(before, newest - 1);
    const uint64_t kept = rig_log(store, 7).last.index;
    assert_true(kept > 0);
    rig_expect_entries(store, 7, 1, kept);
    rig_close(store);
    rig_remove(rig.dir);
}

/* A process that was killed may have named what no directory sync covered: STORE itself, for one. Where a fresh segment
 * is taken its own directory sync comes in between; where there is no space for one it must come all the same. */
static void on_a_full_disk_names_are_synced_before_the_first_frame(void **state)
{
    (void)state;
    const struct rig rig = rig_make("fullnames");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    teak_abandon(store);
    char name[64];
    for (uint64_t number = 0; number < 4; number++) { /* nothing is in stock */
        rig_segment_name(number + 2, name);
        if (rig_has(&rig, name)) rig_unlink(&rig, name);
        snprintf(name, sizeof name, "spare-%016" PRIx64 ".seg", number);
        if (rig_has(&rig, name)) rig_unlink(&rig, name);
    }
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    store = open_noted(&rig, &options, &faulty);
    faulty->chores_too = faulty->for_good = true;
    faulty_arm(faulty, DISK_ALLOCATE, 1, ENOSPC);
    rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 7, .term = 5});
    rig_drain(store);
    assert_true(faulty->struck > 0);
    assert_int_equal(rig_stats(store).newest_segment, 1);
    uint32_t frame = 0;
    while (frame < step_count && !is_frame(&steps[frame])) frame++;
    assert_true(frame < step_count);
    assert_int_not_equal(last_of(DISK_SYNC_ALL, store->directory, 0, frame), NOT_THERE);
    teak_abandon(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 7, 1, 3);
    assert_int_equal(rig_log(store, 7).hard.term, 5);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 8. */
static void the_first_frame_of_a_session_flies_alone(void **state)
{
    (void)state;
    const struct rig rig = rig_make("alone");
    const struct teak_options options = many_frames();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 7);
    rig_close(store); /* a clean mark: the segment is written on */
    struct faulty *faulty;
    store = backend_open_faulty(&rig, &options, &faulty);
    for (uint32_t session = 0; session < 2; session++) {
        faulty->holds_writes = true;
        rig_append(store, 7, 1 + session * 3, 3 + session * 3, 1, 3000); /* two frames closed, a third open */
        for (int i = 0; i < 50; i++) rig_poll(store);
        if (session == 0)
            assert_int_equal(faulty->held_count, 1);
        else
            assert_true(faulty->held_count > 1); /* from then on they fly together */
        faulty_release_all(faulty);
        rig_drain(store);
    }
    assert_int_equal(rig_stats(store).newest_segment, 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 5: a read that ends early says nothing about what was not read. */
static void a_read_that_is_short_opens_nothing(void **state)
{
    (void)state;
    const struct rig rig = rig_make("short");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append(store, 7, 1, 60, 1, 3000);
    rig_drain(store);
    teak_abandon(store);
    uint32_t refused = 0;
    for (uint64_t nth = 1;; nth++) {
        struct faulty *faulty = faulty_make(backend_now);
        assert_non_null(faulty);
        faulty->lands_anyway = true; /* the bytes are there; that they are all is not said */
        faulty_arm(faulty, DISK_READ, nth, 0);
        const struct teak_options options = backend_options();
        struct teak_error error = {0};
        const enum teak_status status = store_open_on(&faulty->disk, rig.dir, &options, &store, NULL, &error);
        if (status == TEAK_OK && faulty->struck == 0) {
            faulty->nth = 0;
            break;
        }
        assert_int_not_equal(status, TEAK_OK);
        assert_true(status == TEAK_IO || strcmp(error.file, "STORE") == 0);
        refused++;
    }
    assert_true(refused > 4);
    rig_expect_entries(store, 7, 1, 60);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_is_created_in_the_one_safe_order),
        cmocka_unit_test(a_file_is_made_in_the_one_safe_order),
        cmocka_unit_test(a_file_is_taken_again_in_the_one_safe_order),
        cmocka_unit_test(no_salt_is_used_twice),
        cmocka_unit_test(a_segment_is_forgotten_when_forget_is_durable),
        cmocka_unit_test(what_somebody_holds_is_never_written_over),
        cmocka_unit_test(a_spare_of_another_size_is_never_used),
        cmocka_unit_test(a_segment_is_sealed_in_the_one_safe_order),
        cmocka_unit_test(a_failed_sync_of_an_index_poisons),
        cmocka_unit_test(what_is_judged_was_synced_first),
        cmocka_unit_test(the_lock_is_guarded_by_the_disk),
        cmocka_unit_test(what_lies_behind_a_cut_goes_newest_first),
        cmocka_unit_test(on_a_full_disk_names_are_synced_before_the_first_frame),
        cmocka_unit_test(the_first_frame_of_a_session_flies_alone),
        cmocka_unit_test(a_read_that_is_short_opens_nothing),
    };
    return backends_run(argc, argv, "order", tests, sizeof tests / sizeof tests[0]);
}
