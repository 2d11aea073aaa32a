/* every_cut.h: a store on the simulated disk, and a judge: at every change that the store makes the power goes, in
 * several ways, and what is left is opened and judged, twice. The case says in `promised` what it was promised by then.
 */
#ifndef TEAK_TESTS_EVERY_CUT_H
#define TEAK_TESTS_EVERY_CUT_H

#include "sim_disk.h"

#include "store/rig.h"
#include "store/store.h"

enum { WAYS = 3 };

static struct scene {
    struct sim_medium *medium;
    struct seeded seeded; /* the cuts' */
    struct teak_options options;
    void (*judge)(struct teak_store *store);
    uint64_t looked;
    uint64_t promised; /* of what the case promises: its own measure */
} scene;

static inline struct teak_store *open_medium(struct sim_medium *medium)
{
    struct teak_store *store;
    struct teak_error error = {0};
    static struct teak_report report;
    const enum teak_status status =
        store_open_on(sim_open(medium), "store", &scene.options, &store, &report, &error);
    if (status != TEAK_OK) {
        char text[512];
        teak_error_text(&error, text, sizeof text);
        fail_msg("opening: %s", text);
    }
    return store;
}

static inline void look_at_a_cut(void)
{
    struct sim_medium *image = sim_cut(scene.medium, SIM_POWER, &scene.seeded);
    for (int twice = 0; twice < 2; twice++) { /* and a second opening finds the same */
        struct teak_store *store = open_medium(image);
        scene.judge(store);
        teak_abandon(store);
    }
    sim_free(image);
    scene.looked++;
}

static inline void on_change(void *context)
{
    (void)context;
    for (uint32_t i = 0; i < WAYS; i++) look_at_a_cut();
}

static inline struct teak_store *begin(const char *name)
{
    scene = (struct scene){.medium = sim_make(1), .options = rig_options(), .seeded = seeded_begin(name)};
    return open_medium(scene.medium);
}

/* From now on, at every change. */
static inline void watch(void (*judge)(struct teak_store *store))
{
    scene.judge = judge;
    sim_set_hook(scene.medium, on_change, NULL);
}

static inline void end(struct teak_store *store)
{
    sim_set_hook(scene.medium, NULL, NULL);
    assert_true(scene.looked > 0);
    for (uint32_t i = 0; i < 8; i++) look_at_a_cut();
    teak_abandon(store);
    store = open_medium(scene.medium);
    scene.judge(store);
    rig_close(store);
    sim_free(scene.medium);
}

#endif
