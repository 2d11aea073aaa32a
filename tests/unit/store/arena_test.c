/* arena_test.c: frames go round in the arena; what it still says it has is what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/arena.h"
#include "unit/seeded.h"

enum { BLOCK = 4096, ARENA = 65536, FRAMES = 4000 };

struct written {
    uint64_t segment, position, bytes;
    uint32_t offset;
    uint8_t fill;
};

static void room_is_what_nothing_still_needs(void **state)
{
    (void)state;
    struct arena arena;
    assert_true(arena_init(&arena, ARENA, BLOCK));
    uint64_t position;
    assert_int_equal(arena_room(&arena, ARENA, &position), ARENA);
    assert_int_equal(position, 0);
    arena_begin(&arena, 1, BLOCK, 0, 40960);
    arena_end(&arena, 0, BLOCK, 40960);
    assert_int_equal(arena_room(&arena, BLOCK, &position), ARENA - 40960);
    assert_int_equal(arena_room(&arena, 28672, &position), 0); /* neither here nor, before more is durable, in front */
    arena.durable = 20480;
    assert_int_equal(arena_room(&arena, 28672, &position), 0);
    arena.durable = 40960;
    assert_int_equal(arena_room(&arena, 28672, &position), 40960);
    assert_int_equal(position, ARENA); /* the rest behind 40960 is skipped */
    arena_fini(&arena);
}

/* History 39. Random frames in random segments, made durable at random; every byte that arena_find answers is the
 * one written. */
static void what_is_found_is_what_was_written(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin("what_is_found_is_what_was_written");
    struct arena arena;
    assert_true(arena_init(&arena, ARENA, BLOCK));
    static struct written all[FRAMES];
    uint32_t count = 0, durable = 0, found = 0;
    uint64_t segment = 1;
    uint32_t offset = BLOCK;
    while (count < FRAMES) {
        const uint64_t wanted = (uint64_t)BLOCK * (1 + seeded_below(&seeded, 4));
        uint64_t position;
        const uint64_t room = arena_room(&arena, wanted, &position);
        if (room == 0) {
            assert_true(durable < count);
            durable += 1 + seeded_below(&seeded, count - durable);
            arena.durable = all[durable - 1].position + all[durable - 1].bytes;
            continue;
        }
        assert_true(room >= wanted);
        if (seeded_below(&seeded, 12) == 0) {
            segment++;
            offset = BLOCK;
        }
        arena_begin(&arena, segment, offset, position, wanted);
        if (seeded_below(&seeded, 10) == 0) continue; /* given up, and begun again */
        const uint8_t fill = (uint8_t)seeded_u64(&seeded);
        memset(arena_at(&arena, position), fill, wanted);
        arena_end(&arena, position, offset, wanted);
        all[count++] = (struct written){segment, position, wanted, offset, fill};
        offset += (uint32_t)wanted;
        for (uint32_t i = durable; i < count; i++) /* what is not durable is always there */
            assert_non_null(arena_find(&arena, all[i].segment, all[i].offset, (uint32_t)all[i].bytes));
        const struct written *any = &all[count - 1 - seeded_below(&seeded, count < 40 ? count : 40)];
        const uint32_t at = seeded_below(&seeded, (uint32_t)any->bytes);
        const uint8_t *byte = arena_find(&arena, any->segment, any->offset + at, 1);
        if (!byte) continue;
        found++;
        assert_int_equal(*byte, any->fill);
    }
    assert_true(found > FRAMES / 20);
    assert_null(arena_find(&arena, segment + 1, BLOCK, 1));
    arena_fini(&arena);
}

/* A chunk of 13 blocks, say: its size is no power of two. */
static void room_ends_with_the_memory_whatever_the_chunks(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin("room_ends_with_the_memory_whatever_the_chunks");
    for (uint32_t blocks = 3; blocks < 40; blocks++) {
        struct arena arena;
        const uint64_t bytes = (uint64_t)blocks * ARENA_CHUNKS * BLOCK;
        assert_true(arena_init(&arena, bytes, BLOCK));
        assert_int_equal(arena.chunk_bytes, blocks * BLOCK);
        uint32_t pinned = 0, offset = BLOCK;
        for (uint32_t i = 0; i < 400; i++) {
            uint64_t position;
            const uint64_t wanted = (1 + seeded_below(&seeded, blocks)) * (uint64_t)BLOCK;
            const uint64_t room = arena_room(&arena, wanted, &position);
            assert_true(room == 0 || room >= wanted);
            assert_true(position % bytes + room <= bytes);
            if (room == 0) {
                arena.durable = arena.head;
                continue;
            }
            arena_begin(&arena, 1, offset, position, room);
            arena_end(&arena, position, offset, wanted);
            offset += (uint32_t)wanted;
            if (seeded_below(&seeded, 4) == 0) arena.durable = arena.head;
            const uint8_t *data = arena_at(&arena, position);
            const uint32_t chunks = arena_chunks_of(&arena, data, wanted);
            for (uint32_t chunk = 0; chunk < ARENA_CHUNKS; chunk++) {
                const uint64_t begin = chunk * arena.chunk_bytes, at = position % bytes;
                const bool touches = begin < at + wanted && at < begin + arena.chunk_bytes;
                assert_int_equal((chunks >> chunk) & 1, touches);
            }
            if (pinned) arena_unpin(arena.memory, pinned);
            pinned = 0;
            if (arena_may_pin(&arena, chunks)) arena_pin(&arena, data, wanted, &pinned);
        }
        if (pinned) arena_unpin(arena.memory, pinned);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_what_nothing_still_needs),
        cmocka_unit_test(what_is_found_is_what_was_written),
        cmocka_unit_test(room_ends_with_the_memory_whatever_the_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
