/* prototype.c: the append path with everything left out that makes it a log: what the engine is measured against.
 *
 * One thread keeps --window entries outstanding. An entry is copied into a frame, summed (XXH3, keyed) and gets a
 * 16-byte slot; a frame is one write into blocks written before; it is durable by its own RWF_DSYNC or by one fdatasync
 * for all frames that were written when that began. An entry counts when its frame and all earlier ones are durable. No
 * recovery, no terms, no reads, no second file.
 */
#define _GNU_SOURCE
#define XXH_INLINE_ALL 1 /* as in the engine */
#include <xxhash.h>

#include "raw_rig.h"

enum { HEAD = 128, FRAMES_MAX = 64, TAG_SYNC = FRAMES_MAX, SECRET_BYTES = 192, SOURCE_BYTES = 1 << 16 };

struct slot {
    uint32_t offset, bytes;
    uint64_t sum;
};

enum frame_state { FRAME_WRITING, FRAME_WRITTEN, FRAME_SYNCING, FRAME_DURABLE };

struct frame {
    enum frame_state state;
    uint64_t entries, bytes, begun_ns;
};

static const char *option_dir = ".";
static const char *option_how = "dsync";
static uint64_t entry_bytes = 256, window = 1024, in_flight = 2, group_bytes = 0;
static uint64_t arena_bytes = 16 << 20, file_bytes = 256 << 20;
static double seconds = 2;
static bool with_table, as_json;

static struct {
    struct io_uring ring;
    bool registered, by_sync, syncing;
    uint8_t *arena, *source, secret[SECRET_BYTES];
    struct slot *slots;
    uint64_t slot_mask, entry_room, group_entries, frame_room;
    struct frame frames[FRAMES_MAX]; /* of frame number n: n % FRAMES_MAX          */
    uint64_t oldest, next;           /* frames in flight: [oldest, next)           */
    uint64_t outstanding, entries, written, syncs, arena_at, file_at;
    struct rig_tally tally;
} p;

static uint64_t blocks(uint64_t bytes) { return (bytes + RIG_BLOCK - 1) & ~(uint64_t)(RIG_BLOCK - 1); }

static uint64_t frame_bytes(uint64_t entries)
{
    return blocks(HEAD + entries * (p.entry_room + (with_table ? sizeof(struct slot) : 0)));
}

static void frame_launch(uint64_t count)
{
    const uint64_t bytes = frame_bytes(count);
    if (p.arena_at + bytes > arena_bytes) p.arena_at = 0;
    if (p.file_at + bytes > file_bytes) p.file_at = 0;
    struct frame *const frame = &p.frames[p.next % FRAMES_MAX];
    *frame = (struct frame){FRAME_WRITING, count, bytes, rig_now()};
    uint8_t *const head = p.arena + p.arena_at;
    uint8_t *at = head + HEAD;
    struct slot *const table = (struct slot *)(void *)(at + count * p.entry_room);
    for (uint64_t i = 0; i < count; i++, at += p.entry_room) {
        const uint64_t number = p.entries + p.outstanding + i;
        memcpy(at, p.source + (number * 64) % SOURCE_BYTES, entry_bytes);
        const struct slot slot = {(uint32_t)(p.file_at + (uint64_t)(at - head)), (uint32_t)entry_bytes,
                                  XXH3_64bits_withSecret(at, entry_bytes, p.secret, SECRET_BYTES)};
        p.slots[number & p.slot_mask] = slot;
        if (with_table) table[i] = slot;
    }
    memcpy(head, &p.next, sizeof(p.next));
    const uint64_t sum = XXH3_64bits_withSecret(head, HEAD - 8, p.secret, SECRET_BYTES);
    memcpy(head + HEAD - 8, &sum, sizeof(sum));
    rig_write(&p.ring, p.registered, head, bytes, p.file_at, p.by_sync ? 0 : RWF_DSYNC, p.next % FRAMES_MAX);
    p.arena_at += bytes;
    p.file_at += bytes;
    p.outstanding += count;
    p.next++;
}

static void frames_move(enum frame_state from, enum frame_state to)
{
    for (uint64_t n = p.oldest; n < p.next; n++)
        if (p.frames[n % FRAMES_MAX].state == from) p.frames[n % FRAMES_MAX].state = to;
}

static void sync_start(void)
{
    bool any = false;
    for (uint64_t n = p.oldest; n < p.next; n++) any = any || p.frames[n % FRAMES_MAX].state == FRAME_WRITTEN;
    if (!any || p.syncing) return;
    frames_move(FRAME_WRITTEN, FRAME_SYNCING);
    rig_fdatasync(&p.ring, TAG_SYNC);
    p.syncing = true;
    p.syncs++;
}

static void land(const struct io_uring_cqe *cqe)
{
    if (cqe->res < 0) rig_refuse("write or sync", -cqe->res);
    if (cqe->user_data == TAG_SYNC) {
        frames_move(FRAME_SYNCING, FRAME_DURABLE);
        p.syncing = false;
        return;
    }
    struct frame *const frame = &p.frames[cqe->user_data];
    if ((uint64_t)cqe->res != frame->bytes) rig_refuse("short write", EIO);
    frame->state = p.by_sync ? FRAME_WRITTEN : FRAME_DURABLE;
    p.written += frame->bytes;
}

static void advance(void)
{
    const uint64_t now = rig_now();
    for (; p.oldest < p.next && p.frames[p.oldest % FRAMES_MAX].state == FRAME_DURABLE; p.oldest++) {
        const struct frame *const frame = &p.frames[p.oldest % FRAMES_MAX];
        rig_tally_add(&p.tally, now - frame->begun_ns, frame->entries);
        p.entries += frame->entries;
        p.outstanding -= frame->entries;
    }
}

static void turn(bool launching)
{
    while (launching && p.outstanding < window && p.next - p.oldest < in_flight) {
        const uint64_t room = window - p.outstanding;
        frame_launch(room < p.group_entries ? room : p.group_entries);
    }
    if (p.by_sync) sync_start();
    const int error = io_uring_submit_and_wait(&p.ring, 1);
    if (error < 0 && error != -EINTR) rig_refuse("io_uring_enter", -error);
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&p.ring, &cqe) == 0) {
        land(cqe);
        io_uring_cqe_seen(&p.ring, cqe);
    }
    advance();
}

static void prepare(void)
{
    p.by_sync = strcmp(option_how, "fdatasync") == 0;
    if ((!p.by_sync && strcmp(option_how, "dsync") != 0) || entry_bytes == 0 || entry_bytes > SOURCE_BYTES ||
        window == 0 || in_flight == 0 || in_flight >= FRAMES_MAX) {
        fprintf(stderr, "--how dsync or fdatasync, --entry-bytes 1 to 65536, --in-flight 1 to 63, --window 1 up\n");
        exit(2);
    }
    p.entry_room = (entry_bytes + 7) & ~UINT64_C(7);
    p.group_entries = (window + in_flight - 1) / in_flight;
    if (group_bytes != 0 && group_bytes / p.entry_room < p.group_entries)
        p.group_entries = group_bytes < p.entry_room ? 1 : group_bytes / p.entry_room;
    p.frame_room = frame_bytes(p.group_entries);
    arena_bytes = blocks(arena_bytes);
    if (arena_bytes < (in_flight + 1) * p.frame_room) arena_bytes = (in_flight + 1) * p.frame_room;
    file_bytes = blocks(file_bytes);
    if (file_bytes < (in_flight + 1) * p.frame_room) file_bytes = (in_flight + 1) * p.frame_room;
    uint64_t slots = 1; /* what a segment of 64 MiB holds */
    while (slots * p.entry_room < 64 << 20) slots *= 2;
    p.slot_mask = slots - 1;
    p.slots = (struct slot *)(void *)rig_memory(slots * sizeof(struct slot));
    p.arena = rig_memory(arena_bytes);
    p.source = rig_memory(2 * SOURCE_BYTES);
    for (uint64_t i = 0, x = 1; i < 2 * SOURCE_BYTES; i++, x = x * 6364136223846793005u + 1442695040888963407u)
        p.source[i] = (uint8_t)(x >> 56);
    XXH3_generateSecret(p.secret, SECRET_BYTES, "prototype", 9);
    rig_tally_init(&p.tally);
}

int main(int argc, char **argv)
{
    const struct rig_option options[] = {
        {.name = "--dir", .text = &option_dir, .help = "where the scratch file lives [.]"},
        {.name = "--entry-bytes", .number = &entry_bytes, .help = "bytes of one entry [256]"},
        {.name = "--window", .number = &window, .help = "entries outstanding [1024]"},
        {.name = "--seconds", .seconds = &seconds, .help = "how long [2]"},
        {.name = "--in-flight", .number = &in_flight, .help = "frames in flight, each a share of the window [2]"},
        {.name = "--group-bytes", .number = &group_bytes, .help = "largest payload of a frame [window / in-flight]"},
        {.name = "--how", .text = &option_how, .help = "dsync: write by write; fdatasync: one for all written [dsync]"},
        {.name = "--arena-bytes", .number = &arena_bytes, .help = "memory the frames cycle through [16m]"},
        {.name = "--file-bytes", .number = &file_bytes, .help = "written blocks the frames cycle through [256m]"},
        {.name = "--table", .flag = &with_table, .help = "write the slots behind the payloads too"},
        {.name = "--small-pages", .flag = &rig_small_pages, .help = "memory without huge pages"},
        {.name = "--json", .flag = &as_json, .help = "one JSON object"},
        {.name = NULL}};
    rig_parse(argc, argv, options);
    rig_warn_of_memory(option_dir);
    rig_catch_signals();
    prepare();
    const int file = rig_scratch(option_dir, file_bytes, true);
    p.registered = rig_ring(&p.ring, 128, file, p.arena, arena_bytes);
    const struct disk_count before = disk_count_read(option_dir);
    const double cpu_begun = rig_cpu_seconds();
    const uint64_t begun = rig_now();
    while (!rig_stopped && rig_now() - begun < (uint64_t)(seconds * 1e9)) turn(true);
    while (p.oldest < p.next) turn(false);
    const double took = (double)(rig_now() - begun) * 1e-9;
    const double cpu = rig_cpu_seconds() - cpu_begun;
    const struct disk_count after = disk_count_read(option_dir);
    const double rate = (double)p.entries / took;
    if (!as_json)
        printf("%.3f million durable entries/s, %.1f MB/s of payload, %.0f ns of processor per entry\n", rate * 1e-6,
               rate * (double)entry_bytes * 1e-6, cpu * 1e9 / (double)p.entries);
    printf("{\"entries\": %llu, \"seconds\": %.3f, \"entries_per_second\": %.0f, \"payload_bytes_per_second\": %.0f, "
           "\"frames\": %llu, \"syncs\": %llu, \"bytes_written\": %llu, \"cpu_seconds\": %.3f, \"how\": \"%s\", "
           "\"in_flight\": %llu, \"registered\": %s, ",
           (unsigned long long)p.entries, took, rate, rate * (double)entry_bytes, (unsigned long long)p.next,
           (unsigned long long)(p.by_sync ? p.syncs : p.next), (unsigned long long)p.written, cpu, option_how,
           (unsigned long long)in_flight, p.registered ? "true" : "false");
    rig_tally_print(&p.tally, stdout);
    printf(", ");
    rig_device_print(before, after, stdout);
    printf("}\n");
    io_uring_queue_exit(&p.ring);
    close(file);
    return 0;
}
