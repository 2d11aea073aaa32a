/* seal_test.c: a footer says that every frame of its segment, and the checkpoint behind, is durable: so what comes
 * before it on its way to the disk is asked for in that order. Judged by what the engine asked of the disk.
 * / */
#include "backends.h"
#include "faulty_disk.h"
#include "rig.h"

enum { TRACE = 20000, ENTRIES = 400, ENTRY_BYTES = 900 };

static struct faulty_trace trace[TRACE];

static bool is_footer(const struct faulty_trace *op)
{
    const bool is_fill = op->offset == 0;
    return op->kind == DISK_WRITE && (op->flags & DISK_CHORE) && !is_fill && op->offset + op->bytes == RIG_SEGMENT;
}

static bool is_frame(const struct faulty_trace *op) { return op->kind == DISK_WRITE && !(op->flags & DISK_CHORE); }

static bool is_sync_of(const struct faulty_trace *op, int32_t file)
{
    return op->kind == DISK_SYNC && op->file == file;
}

/* Position of the last frame of `file` before `end`; UINT32_MAX: none. */
static uint32_t last_frame(int32_t file, uint32_t end)
{
    while (end-- > 0)
        if (is_frame(&trace[end]) && trace[end].file == file) return end;
    return UINT32_MAX;
}

static bool is_synced_between(int32_t file, uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin + 1; i < end; i++)
        if (is_sync_of(&trace[i], file)) return true;
    return false;
}

/* Every footer of the run stands behind a sync of its frames, and, where frames do not sync themselves, of the file
 * into which the writer had rolled. */
static void expect_order(uint32_t count, bool frames_sync_themselves)
{
    uint32_t footers = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_footer(&trace[i])) continue;
        footers++;
        const uint32_t last = last_frame(trace[i].file, i);
        assert_true(last != UINT32_MAX); /* descriptors are not used again before the footer */
        assert_true(is_synced_between(trace[i].file, last, i));
        if (frames_sync_themselves) continue;
        uint32_t next = last + 1; /* the first frame behind it, in another file: the successor's checkpoint */
        while (next < i && !(is_frame(&trace[next]) && trace[next].file != trace[i].file)) next++;
        assert_true(next < i);
        assert_true(is_synced_between(trace[next].file, next, i));
    }
    assert_true(footers >= 3);
}

static void seals_in_order(enum teak_strategy strategy)
{
    struct rig rig = rig_make("seal");
    struct teak_options options = rig_options();
    options.strategy = strategy;
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    faulty->trace = trace;
    faulty->trace_room = TRACE;
    rig_create(store, 1);
    rig_append(store, 1, 1, ENTRIES, 1, ENTRY_BYTES);
    rig_drain(store);
    const uint32_t count = faulty->trace_count;
    assert_true(count < TRACE);
    expect_order(count, strategy != TEAK_NONE);
    rig_close(store);
    store = rig_open(&rig, NULL);
    rig_expect_entries(store, 1, 1, ENTRIES);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 2. */
static void a_footer_follows_a_sync_of_its_frames(void **state)
{
    (void)state;
    seals_in_order(TEAK_AUTO);
    seals_in_order(TEAK_FDATASYNC);
}

/* History 12: without it a power cut could leave a footer without its frames, or without the checkpoint behind. */
static void without_syncs_a_footer_makes_its_own_first(void **state)
{
    (void)state;
    seals_in_order(TEAK_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_footer_follows_a_sync_of_its_frames),
        cmocka_unit_test(without_syncs_a_footer_makes_its_own_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
