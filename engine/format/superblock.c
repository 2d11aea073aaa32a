/* superblock.c: see superblock.h. */
#include "format/superblock.h"

#include "format/key.h"
#include "format/layout.h"

static uint64_t store_sum(const struct layout_store *store)
{
    return plain_sum(store, offsetof(struct layout_store, checksum));
}

void superblock_encode(const struct superblock *superblock, uint8_t *out)
{
    struct layout_store store = {
        .magic = le64_of(MAGIC_STORE),
        .version = le32_of(FORMAT_VERSION),
        .block_bytes = le32_of(superblock->block_bytes),
        .segment_bytes = le64_of(superblock->segment_bytes),
    };
    memcpy(store.family, superblock->family, sizeof store.family);
    memcpy(store.instance, superblock->instance, sizeof store.instance);
    memset(out, 0, SUPERBLOCK_BYTES);
    memcpy(out, &store, sizeof store);
    superblock_put_defaults(superblock, out);
}

void superblock_put_defaults(const struct superblock *superblock, uint8_t *bytes)
{
    struct layout_store store;
    memcpy(&store, bytes, sizeof store);
    store.arena_bytes = le64_of(superblock->arena_bytes);
    store.linger_ns = le64_of(superblock->linger_ns);
    store.strategy = le32_of(superblock->strategy);
    store.in_flight = le32_of(superblock->in_flight);
    store.group_bytes = le32_of(superblock->group_bytes);
    store.spares = le32_of(superblock->spares);
    store.checksum = le64_of(store_sum(&store));
    memcpy(bytes, &store, sizeof store);
}

/* Version 1 knows no feature, so every bit that is set is an unknown one. */
static bool features_are_known(const struct layout_store *store, int writable)
{
    if (le64_get(store->features_refuse) != 0) return false;
    return !writable || le64_get(store->features_read) == 0;
}

enum teak_status superblock_judge(const uint8_t *bytes, uint64_t count, int writable, struct superblock *out)
{
    if (count < SUPERBLOCK_BYTES) return TEAK_DECODE;
    struct layout_store store;
    memcpy(&store, bytes, sizeof store);
    if (le64_get(store.magic) != MAGIC_STORE) return TEAK_BAD_MAGIC;
    if (le64_get(store.checksum) != store_sum(&store)) return TEAK_HASH_MISMATCH;
    if (le32_get(store.version) != FORMAT_VERSION) return TEAK_VERSION;
    if (!features_are_known(&store, writable)) return TEAK_FEATURE;
    *out = (struct superblock){
        .block_bytes = le32_get(store.block_bytes),
        .segment_bytes = le64_get(store.segment_bytes),
        .arena_bytes = le64_get(store.arena_bytes),
        .linger_ns = le64_get(store.linger_ns),
        .strategy = le32_get(store.strategy),
        .in_flight = le32_get(store.in_flight),
        .group_bytes = le32_get(store.group_bytes),
        .spares = le32_get(store.spares),
    };
    memcpy(out->family, store.family, sizeof out->family);
    memcpy(out->instance, store.instance, sizeof out->instance);
    return layout_sizes_are_sound(out->block_bytes, out->segment_bytes) ? TEAK_OK : TEAK_DECODE;
}
