/* fuzz_corpus.c: seeds made of golden files: bytes that an older Teak wrote, so that they stay what they are.
 * fuzz_corpus DIRECTORY store writes there those of store_fuzz; with the name of a decoder those of that decoder.
 */
#include "golden/hex_file.h"

#include "store_parts.h"

static const char *directory;

static void keep(const char *name, const uint8_t *bytes, size_t count)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
        fprintf(stderr, "cannot write %s\n", path);
        exit(1);
    }
}

/* The golden store whole, and as crashes and rot would leave it: without its newest segments, without an index, with a
 * block that was never written. */
static void stores(void)
{
    static struct parts parts, changed;
    static uint8_t seed[1 << 16];
    struct parts_file *files = changed.files;
    parts.files[0].bytes = (uint32_t)hex_read("store1/STORE", parts.files[0].data, sizeof parts.files[0].data);
    for (uint32_t i = 1; i <= 5; i++) {
        char name[64];
        snprintf(name, sizeof name, "store1/%016x.seg", i);
        parts.files[i].bytes = (uint32_t)hex_read(name, parts.files[i].data, sizeof parts.files[i].data);
    }
    for (uint32_t way = 0; way < 12; way++) {
        char name[8];
        changed = parts;
        changed.how = (uint8_t)(way % 8);
        for (uint32_t i = 5; i > 5 - way % 5; i--) files[i].bytes = 0;
        struct parts_file *last = &files[5 - way % 5];
        if (way >= 5) memset(last->data + last->bytes - PARTS_BLOCK, 0, PARTS_BLOCK);
        if (way >= 10) memset(last->data + 3 * PARTS_BLOCK, 0, PARTS_BLOCK);
        snprintf(name, sizeof name, "%u", way);
        const size_t count = parts_write(&changed, seed, sizeof seed);
        assert_true(count < sizeof seed - 5000); /* nothing was left out */
        keep(name, seed, count);
    }
    files[1].bytes = files[2].bytes = 0;
    files[PARTS_SNAPSHOT].bytes =
        (uint32_t)hex_read("snapshot", files[PARTS_SNAPSHOT].data, sizeof files[PARTS_SNAPSHOT].data);
    keep("snapshot", seed, parts_write(&changed, seed, sizeof seed));
}

/* A golden structure, once as it is and once to be made good: family and salt of the decoders are others. */
static void structure(const char *golden, uint32_t from, uint32_t bytes, uint32_t head)
{
    static uint8_t file[1 << 17];
    const size_t count = hex_read(golden, file, sizeof file);
    if (from >= count) return;
    if (bytes > count - from) bytes = (uint32_t)(count - from);
    static uint8_t seed[1 + 64 + sizeof file];
    memset(seed, 0, 1 + 64);
    memcpy(seed + 1 + head, file + from, bytes);
    for (uint32_t repair = 0; repair < 2; repair++) {
        char name[160];
        snprintf(name, sizeof name, "%s-%u-%u", golden, from, repair);
        seed[0] = repair ? 0x84 : 0x04;
        keep(name, seed, 1 + head + bytes);
    }
}

static bool decoder(const char *name)
{
    static const struct {
        const char *decoder, *golden;
        uint32_t from, bytes, head; /* `head`: bytes of the decoder's own before them */
    } seeds[] = {
        {"superblock", "store", 0, 4096, 0},       {"identity", "identity", 0, 4096, 0},
        {"frame", "frame", 0, 65536, 0},           {"frame", "checkpoint", 0, 65536, 0},
        {"table", "frame", 128, 65536, 8},         {"table", "checkpoint", 128, 65536, 8},
        {"footer", "index", 8192, 4096, 0},        {"footer", "index", 4096, 4096, 0},
        {"summary", "index", 4096, 4096, 8},       {"summary", "index", 0, 4096, 8},
        {"snapshot", "snapshot", 0, 65536, 0},     {"stats", "stats", 0, 65536, 0},
        {"raft_wire", "raft_pre_vote", 0, 4096, 0},    {"raft_wire", "raft_vote", 0, 4096, 0},
        {"raft_wire", "raft_append", 0, 4096, 0},      {"raft_wire", "raft_append_reply", 0, 4096, 0},
        {"raft_wire", "raft_heartbeat", 0, 4096, 0},   {"raft_wire", "raft_heartbeat_reply", 0, 4096, 0},
        {"raft_wire", "raft_timeout_now", 0, 4096, 0}, {"raft_wire", "raft_read_reply", 0, 4096, 0},
        {"raft_wire", "raft_snapshot", 0, 4096, 0},    {"raft_wire", "raft_snapshot_reply", 0, 4096, 0},
    };
    bool found = false;
    for (uint32_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        if (strcmp(seeds[i].decoder, name) != 0) continue;
        structure(seeds[i].golden, seeds[i].from, seeds[i].bytes, seeds[i].head);
        found = true;
    }
    if (!strcmp(name, "name")) keep("spare", (const uint8_t *)"\0spare-0000000000000003.seg", 27);
    if (!strcmp(name, "snapshot_name")) {
        char text[1 + SNAPSHOT_NAME_BYTES] = "";
        snapshot_name_put(&(struct snapshot_name){.log = 7, .index = 10, .term = 2, .file_id = 5}, text + 1);
        keep("file", (const uint8_t *)text, 2 + strlen(text + 1));
    }
    return found || !strcmp(name, "name") || !strcmp(name, "snapshot_name");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: fuzz_corpus DIRECTORY store|DECODER\n");
        return 2;
    }
    directory = argv[1];
    if (!strcmp(argv[2], "store")) {
        stores();
    } else if (!decoder(argv[2])) {
        fprintf(stderr, "no decoder: %s\n", argv[2]);
        return 2;
    }
    return 0;
}
