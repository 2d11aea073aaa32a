/* fuzz_corpus.c: the seeds of store_fuzz, made of the golden store: bytes that an older Teak wrote, so that they stay
 * what they are. fuzz_corpus DIRECTORY writes them there.
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

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_corpus DIRECTORY\n");
        return 2;
    }
    directory = argv[1];
    stores();
    return 0;
}
