/* model_drive.h: a store that is driven through random batches and snapshots, its model beside it, and a mark at each
 * submission and acknowledgement, so that for any moment in the past it is known what a crash then may have left.
 */
#ifndef TEAK_TESTS_MODEL_DRIVE_H
#define TEAK_TESTS_MODEL_DRIVE_H

#include "store/model.h"

/* Moments of batch n, by a clock of the test's own; NULL: nobody asks. */
static struct {
    uint64_t (*now)(void);
    uint64_t submitted[STATES];    /* read before it was given away: whatever happened later may hold it   */
    uint64_t acknowledged[STATES]; /* read after the answer: whatever had happened before makes it durable */
} marks;

static inline void drive_acknowledged(uint64_t batch)
{
    const uint64_t now = marks.now ? marks.now() : 0;
    while (run.acknowledged < batch) marks.acknowledged[++run.acknowledged % STATES] = now;
}

static inline void drive_submitted(void)
{
    run.submitted++;
    marks.submitted[run.submitted % STATES] = marks.now ? marks.now() : 0;
}

static inline void drive_take(uint64_t wait_ns)
{
    struct teak_completion done[64];
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(teak_poll(run.store, wait_ns, done, 64, &count, &error), &error);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(done[i].status, TEAK_OK);
        assert_int_equal(done[i].tag, run.acknowledged + 1);
        drive_acknowledged(done[i].tag);
    }
}

static inline void drive_drain(void)
{
    struct teak_error error = {0};
    rig_ok(teak_drain(run.store, &error), &error);
    drive_acknowledged(run.submitted);
}

static inline void drive_batch(void)
{
    static struct scratch scratch;
    struct teak_batch batch = {0};
    if (below(20) == 0) batch = compaction_batch(&scratch);
    if (batch.count == 0) batch = random_batch(&scratch);
    struct teak_error error = {0};
    enum teak_status status;
    drive_submitted();
    while ((status = teak_submit(run.store, &batch, &error)) == TEAK_FULL) drive_take(100000000);
    rig_ok(status, &error);
}

/* A snapshot with a file of its own: streamed in, and in force when its completion comes. */
static inline void drive_snapshot(void)
{
    drive_drain();
    struct teak_snapshot_offer offer;
    uint8_t body[BODY_MAX];
    if (!random_snapshot(&offer, body)) return;
    struct teak_snapshot_writer *writer;
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = teak_snapshot_begin(run.store, &offer, &writer, &error)) == TEAK_FULL) drive_drain();
    rig_ok(status, &error);
    rig_ok(teak_snapshot_write(writer, 0, body, offer.body_bytes, &error), &error);
    drive_submitted();
    rig_ok(teak_snapshot_install(writer, (struct teak_trailing){0}, run.submitted, &error), &error);
    while (run.acknowledged < run.submitted) drive_take(100000000);
}

static inline void drive_options(void)
{
    random_options();
    if (below(2)) run.options.move_bytes_per_second = 0;
}

/* ---- the question ---- */

/* State, entries and files are those after `batch`. */
static inline bool is_whole(struct teak_store *store, uint64_t batch)
{
    const struct model *model = state_of(batch);
    if (!same_state(store, model)) return false;
    for (uint32_t i = 0; i < LOGS; i++)
        if (model->logs[i].alive && !same_file(store, i * 1000 + 1, &model->logs[i])) return false;
    return true;
}

/* What a crash may have left when the marks' clock stood at `moment`: from run.acknowledged to run.submitted. */
static inline void drive_look_back(uint64_t moment, uint64_t last)
{
    uint64_t acknowledged = 0, submitted = last;
    while (acknowledged < last && marks.acknowledged[(acknowledged + 1) % STATES] <= moment) acknowledged++;
    while (submitted > 0 && marks.submitted[submitted % STATES] >= moment) submitted--;
    run.acknowledged = acknowledged;
    run.submitted = submitted > acknowledged ? submitted : acknowledged;
}

#endif
