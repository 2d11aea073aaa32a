/* defaults.c: what a store's own defaults are: read from STORE, and STORE replaced by one that says others.
 * PATH   set: open as a writer does (LOCK; what is there is whole) -> judge the new ones -> STORE's bytes with other
 *        defaults in them -> STORE.tmp, sync, rename, sync of the directory.
 * FAILS  Up to the rename STORE is the old one. Behind it STORE is the new one; a power cut before the directory is
 *        synced may bring the old one back. Either is whole, and no byte of a segment depends on which it is.
 * HOLDS  What STORE says that this version does not know stays in it. */
#include <string.h>

#include "format/superblock.h"
#include "store/failure.h"
#include "store/options.h"
#include "store/recover.h"

static struct teak_defaults defaults_of(const struct superblock *super)
{
    return (struct teak_defaults){.strategy = (enum teak_strategy)super->strategy,
                                  .in_flight = super->in_flight,
                                  .group_bytes = super->group_bytes,
                                  .spares = super->spares,
                                  .arena_bytes = super->arena_bytes,
                                  .linger_ns = super->linger_ns};
}

enum teak_status store_defaults_get_on(struct disk *disk, const char *directory, struct teak_defaults *out,
                                       struct teak_error *error)
{
    struct teak_options options = teak_options_default();
    options.read_only = true;
    options.backend = TEAK_BACKEND_POSIX; /* plain calls are all that is made */
    struct teak_store *store;
    const enum teak_status status = store_open_on(disk, directory, &options, &store, NULL, error);
    if (status != TEAK_OK) return status;
    *out = defaults_of(&store->superblock);
    teak_abandon(store);
    return TEAK_OK;
}

enum teak_status teak_defaults_get(const char *directory, struct teak_defaults *out, struct teak_error *error)
{
    if (!out) return fail(error, TEAK_INVALID, "defaults");
    return store_defaults_get_on(NULL, directory, out, error);
}

/* ------------------------------------------------------------------------------------------------------------- set */

/* As options they would have to be good. NONE promises nothing, and nobody who opens the store would have said so. */
static enum teak_status judge(const struct teak_defaults *defaults, struct teak_error *error)
{
    struct teak_options options = teak_options_default();
    options.strategy = defaults->strategy;
    options.in_flight = defaults->in_flight;
    options.group_bytes = defaults->group_bytes;
    options.spares = defaults->spares;
    options.arena_bytes = defaults->arena_bytes;
    options.linger_ns = defaults->linger_ns;
    if (defaults->strategy == TEAK_NONE) return fail(error, TEAK_OPTIONS, "strategy");
    return options_check(&options, error);
}

static enum teak_status replace_in(struct teak_store *store, const struct teak_defaults *defaults,
                                   struct teak_error *error)
{
    const struct teak_options options = teak_options_default();
    store->superblock.strategy = (uint32_t)defaults->strategy;
    store->superblock.in_flight = defaults->in_flight;
    store->superblock.group_bytes = defaults->group_bytes;
    store->superblock.spares = defaults->spares;
    store->superblock.arena_bytes = defaults->arena_bytes;
    store->superblock.linger_ns = defaults->linger_ns;
    const enum teak_status status = options_settle(store, &options, error); /* do they go with its segments? */
    return status == TEAK_OK ? recover_replace_defaults(store, error) : status;
}

enum teak_status store_defaults_set_on(struct disk *disk, const char *directory, const struct teak_defaults *defaults,
                                       struct teak_error *error)
{
    struct teak_options options = teak_options_default();
    options.backend = TEAK_BACKEND_POSIX;
    struct teak_store *store;
    enum teak_status status = store_open_on(disk, directory, &options, &store, NULL, error);
    if (status != TEAK_OK) return status;
    status = replace_in(store, defaults, error);
    teak_abandon(store);
    return status;
}

enum teak_status teak_defaults_set(const char *directory, const struct teak_defaults *defaults,
                                   struct teak_error *error)
{
    if (!defaults) return fail(error, TEAK_INVALID, "defaults");
    const enum teak_status status = judge(defaults, error);
    return status == TEAK_OK ? store_defaults_set_on(NULL, directory, defaults, error) : status;
}
