/* options.c: see options.h. */
#include "store/options.h"

#include "base/bytes.h"
#include "base/check.h"
#include "store/failure.h"

enum {
    SPARES_MAX = 1024,
    QUARTERS = 4, /* largest batch and largest checkpoint are a quarter of a segment each */
    LINGER_MAX_NS = 1000000000,
};
#define LOCK_WAIT_DEFAULT_NS UINT64_C(10000000000)
#define ARENA_MAX (UINT64_C(1) << 30)

struct teak_options teak_options_default(void)
{
    return (struct teak_options){.lock_wait_ns = LOCK_WAIT_DEFAULT_NS};
}

static enum teak_status bad_option(struct teak_error *error, const char *which, uint64_t right)
{
    fail(error, TEAK_OPTIONS, which);
    if (error && right) {
        error->expected = right;
        error->has_expected = 1;
    }
    return TEAK_OPTIONS;
}

static enum teak_status other_shape(struct teak_error *error, const char *which, uint64_t is)
{
    bad_option(error, which, is);
    if (error) error->status = TEAK_BLOCK_SIZE;
    return TEAK_BLOCK_SIZE;
}

enum teak_status options_check(const struct teak_options *o, struct teak_error *error)
{
    if ((unsigned)o->backend >= TEAK_BACKEND_COUNT) return bad_option(error, "backend", 0);
    if ((unsigned)o->strategy >= TEAK_STRATEGY_COUNT) return bad_option(error, "strategy", 0);
    if (o->block_bytes && (!is_power_of_two(o->block_bytes) || o->block_bytes < BLOCK_BYTES_MIN ||
                           o->block_bytes > BLOCK_BYTES_MAX))
        return bad_option(error, "block_bytes", BLOCK_DEFAULT);
    if (o->segment_bytes && (o->segment_bytes < SEGMENT_BYTES_MIN || o->segment_bytes > SEGMENT_BYTES_MAX ||
                             o->segment_bytes % SEGMENT_BYTES_MIN != 0))
        return bad_option(error, "segment_bytes", SEGMENT_DEFAULT);
    if (o->create && !layout_sizes_are_sound(o->block_bytes ? o->block_bytes : BLOCK_DEFAULT,
                                             o->segment_bytes ? o->segment_bytes : SEGMENT_DEFAULT))
        return bad_option(error, "block_bytes", BLOCK_DEFAULT);
    if (o->in_flight > FLIGHT_IN_FLIGHT_MAX) return bad_option(error, "in_flight", IN_FLIGHT_DEFAULT);
    if (o->linger_ns > LINGER_MAX_NS) return bad_option(error, "linger_ns", 0);
    if (o->spares > SPARES_MAX) return bad_option(error, "spares", SPARES_DEFAULT);
    if (o->arena_bytes > ARENA_MAX) return bad_option(error, "arena_bytes", ARENA_MAX);
    if ((unsigned)o->on_damage >= TEAK_ON_DAMAGE_COUNT) return bad_option(error, "on_damage", 0);
    if (o->create && o->read_only) return bad_option(error, "read_only", 0);
    return TEAK_OK;
}

uint64_t options_pick(uint64_t asked, uint64_t stored, uint64_t engine)
{
    return asked ? asked : stored ? stored : engine;
}

/* The defaults in STORE are judged as options are: whoever made its checksum may be no writer of ours. */
static enum teak_status check_defaults(const struct superblock *super, struct teak_error *error)
{
    if (super->strategy < TEAK_STRATEGY_COUNT && super->in_flight <= FLIGHT_IN_FLIGHT_MAX &&
        super->linger_ns <= LINGER_MAX_NS && super->spares <= SPARES_MAX && super->arena_bytes <= ARENA_MAX)
        return TEAK_OK;
    return fail_file(error, TEAK_DECODE, "judge", "STORE", 0);
}

enum teak_status options_settle(struct teak_store *store, const struct teak_options *options, struct teak_error *error)
{
    const struct superblock *super = &store->superblock;
    const enum teak_status status = check_defaults(super, error);
    if (status != TEAK_OK) return status;
    if (options->block_bytes && options->block_bytes != super->block_bytes)
        return other_shape(error, "block_bytes", super->block_bytes);
    if (options->segment_bytes && options->segment_bytes != super->segment_bytes)
        return other_shape(error, "segment_bytes", super->segment_bytes);
    struct teak_limits *limits = &store->limits;
    const uint64_t quarter = align_down(super->segment_bytes / QUARTERS, super->block_bytes);
    const uint64_t least_arena = align_up(3 * quarter + super->block_bytes, 65536);
    limits->block_bytes = super->block_bytes;
    limits->segment_bytes = super->segment_bytes;
    limits->batch_bytes = (uint32_t)quarter;
    limits->entry_bytes = (uint32_t)(quarter - HEAD_BYTES - sizeof(struct layout_entries) - sizeof(struct layout_slot));
    limits->checkpoint_bytes = (uint32_t)quarter;
    limits->logs = (uint32_t)((quarter - HEAD_BYTES - sizeof(struct layout_checkpoint)) / sizeof(struct layout_log));
    limits->meta_bytes = META_BYTES_MAX;
    limits->strategy = (enum teak_strategy)options_pick(options->strategy, super->strategy, TEAK_AUTO);
    limits->in_flight = (uint32_t)options_pick(options->in_flight, super->in_flight, store->in_flight_usual);
    const uint64_t group_bytes = options_pick(options->group_bytes, super->group_bytes, GROUP_DEFAULT);
    limits->group_bytes = (uint32_t)min_u64(group_bytes, quarter);
    const uint64_t arena_default = max_u64(least_arena, SEGMENT_BYTES_MIN);
    limits->arena_bytes = options_pick(options->arena_bytes, super->arena_bytes, arena_default);
    if (limits->group_bytes < super->block_bytes) return bad_option(error, "group_bytes", super->block_bytes);
    if (limits->arena_bytes < least_arena) return bad_option(error, "arena_bytes", least_arena);
    limits->arena_bytes = align_up(limits->arena_bytes, 65536);
    CHECK(arena_is_sound(limits->arena_bytes, quarter)); /* 3/8 of (3 quarters and a block) is more than one */
    store->linger_ns = options_pick(options->linger_ns, super->linger_ns, 0);
    return TEAK_OK;
}
