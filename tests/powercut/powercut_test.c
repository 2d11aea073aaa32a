/* powercut_test.c: real power cuts on a real file system. A store lives on ext4 or XFS, on a loop device whose every
 * write and flush is kept; then, for many moments and many subsets of what no flush had covered, the device becomes
 * what a power cut then could have left, is mounted (which runs the file system's own recovery) and opened. What was
 * acknowledged is there; it is a state of the model from the last acknowledged batch to the last submitted one; opened
 * again it is the same; now and then the power goes again while it recovers.
 *
 *      powercut_test ext4|xfs      TEAK_IMAGES=n: so many images      TEAK_SEED=n: the same workload and cuts (what the
 *                                  file system does in the background it does by the clock, so not the same record)
 *
 * Three processes: one serves the device, one uses it, and one waits for them and takes down what they built. A process
 * that waits for its own FUSE file system could not even be killed.
 */
#define MODEL_STATES 4096

#include "power_place.h"
#include "power_server.h"

#include "store/model_drive.h"

enum { EXTRA_LOG = 77, IMAGES = 1000, LIVES = 4, BATCHES_MIN = 200, BATCHES_MAX = 2000, RECYCLED_MIN = 3 };

static struct {
    struct power_disk *disk;
    struct power_place place;
    struct seeded seeded; /* the cuts'                                             */
    struct power_cut cut, again;
    bool is_twice;
    uint64_t images, lost, empty, second_cuts, opened, behind;
} cutting;

static uint64_t moment_now(void) { return power_disk_moment(cutting.disk); }

static uint32_t cuts_below(uint64_t limit) { return (uint32_t)(seeded_u64(&cutting.seeded) % limit); }

static void attach(bool for_replaying)
{
    if (!power_place_detach(&cutting.place)) fail_msg("%s is still in use", cutting.place.device);
    assert_true(power_place_attach(&cutting.place, for_replaying));
}

static void mount_it(void)
{
    const int error = power_place_mount(&cutting.place);
    if (error) fail_msg("mounting: %s", strerror(error));
}

/* A moment's patience: who has just closed a file may still be let go of by the kernel. */
static void unmount_it(void)
{
    int error = EBUSY;
    for (int i = 0; i < 3000 && error == EBUSY; i++) {
        error = power_place_unmount(&cutting.place);
        if (error == EBUSY) usleep(10000);
    }
    if (error) fail_msg("unmounting: %s", strerror(error));
}

static struct teak_store *open_it(void)
{
    char directory[RIG_PATH];
    snprintf(directory, sizeof directory, "%s/store", cutting.place.mounted);
    struct teak_store *store;
    static struct teak_report report;
    struct teak_error error = {0};
    const enum teak_status status = teak_open(directory, &run.options, &store, &report, &error);
    if (status != TEAK_OK) {
        char text[512];
        teak_error_text(&error, text, sizeof text);
        fail_msg("opening: %s", text);
    }
    assert_int_equal(report.snapshots_missing, 0);
    cutting.opened++;
    return store;
}

/* ---- a life, recorded ---- */

static void begin_session(void)
{
    drive_options();
    run.options.backend = below(2) ? TEAK_BACKEND_AUTO : TEAK_BACKEND_POSIX;
    run.store = open_it();
    const uint64_t found = find_state(run.store);
    run.submitted = found;
    drive_acknowledged(found);
}

static void end_session(bool is_clean)
{
    if (is_clean) {
        rig_close(run.store);
        drive_acknowledged(run.submitted);
    } else {
        teak_abandon(run.store);
    }
    if (below(2) == 0) return;
    unmount_it();
    mount_it();
}

static uint64_t recycled(void)
{
    struct teak_stats stats;
    teak_stats(run.store, &stats);
    return stats.recycled;
}

/* Begins with a new file system, ends when every kind of work was done: batches, sessions, rotation, files used again.
 * Returns its last batch. */
static uint64_t live(void)
{
    attach(false);
    assert_true(power_place_format(&cutting.place));
    memset(&run.states[0], 0, sizeof run.states[0]);
    memset(&marks, 0, sizeof marks);
    run.submitted = run.acknowledged = 0;
    mount_it();
    power_disk_record(cutting.disk);
    marks.now = moment_now;
    begin_session();
    uint64_t again = 0;
    for (uint32_t i = 0; i < BATCHES_MIN || again + recycled() < RECYCLED_MIN; i++) {
        assert_true(i < BATCHES_MAX);
        if (below(12) == 0)
            drive_snapshot();
        else
            drive_batch();
        if (below(6) == 0) drive_take(below(2) * 20000000);
        if (below(60) != 0) continue;
        again += recycled();
        end_session(below(2) == 0);
        begin_session();
    }
    drive_drain();
    const uint64_t last = run.submitted;
    rig_close(run.store);
    unmount_it();
    attach(true);
    return last;
}

/* ---- what a cut leaves ---- */

static void write_on(struct teak_store *store)
{
    struct teak_error error = {0};
    const struct teak_op op = {.op = TEAK_OP_CREATE, .log = EXTRA_LOG};
    const enum teak_status status = rig_op(store, op, &error);
    if (status != TEAK_LOG_EXISTS) rig_ok(status, &error);
    rig_ok(teak_drain(store, &error), &error);
}

/* Opened twice it is the same, and takes more. */
static void examine(uint64_t *batch, bool is_known)
{
    assert_true(power_place_refresh(&cutting.place));
    mount_it();
    run.options.backend = cuts_below(2) ? TEAK_BACKEND_AUTO : TEAK_BACKEND_POSIX;
    struct teak_store *store = open_it();
    if (!is_known) *batch = find_state(store);
    assert_true(is_whole(store, *batch));
    if (cuts_below(2)) write_on(store);
    teak_abandon(store);
    store = open_it();
    assert_true(is_whole(store, *batch));
    if (cuts_below(4) == 0)
        rig_close(store);
    else
        teak_abandon(store);
    unmount_it();
}

static struct power_cut random_cut(uint64_t moment)
{
    return (struct power_cut){.moment = moment, .subset = (enum power_subset)cuts_below(POWER_SUBSET_COUNT),
                              .seed = seeded_u64(&cutting.seeded)};
}

static void cut_once(uint64_t moment, uint64_t last)
{
    uint64_t batch = 0;
    cutting.cut = random_cut(moment);
    cutting.is_twice = false;
    drive_look_back(moment, last);
    const uint64_t lost = power_disk_cut(cutting.disk, cutting.cut);
    cutting.images++;
    cutting.lost += lost;
    cutting.empty += lost == 0;
    cutting.behind += run.acknowledged < run.submitted;
    examine(&batch, false);
    if (cuts_below(5) != 0) return;
    const uint64_t events = power_disk_moment(cutting.disk);
    cutting.again = random_cut(cuts_below(events + 1));
    cutting.is_twice = true;
    power_disk_cut_again(cutting.disk, cutting.again);
    cutting.images++;
    cutting.second_cuts++;
    examine(&batch, true);
}

static int compare_moments(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A third just when a batch had been acknowledged, when the most was promised; a third just before a flush, when the
 * most can be lost. */
static uint64_t *choose_moments(uint64_t count, uint64_t events, uint64_t last)
{
    uint64_t *moments = calloc(count + 1, sizeof *moments);
    assert_non_null(moments);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t any = cuts_below(events + 1);
        const uint64_t choices[] = {any, power_disk_worst(cutting.disk, any), marks.acknowledged[1 + cuts_below(last)]};
        moments[i] = choices[cuts_below(3)];
    }
    qsort(moments, count, sizeof *moments, compare_moments);
    return moments;
}

/* The oracle sees a loss: of a device that had let nothing through but said so, nothing acknowledged is left. */
static void a_device_that_lied_is_found_out(void **state)
{
    (void)state;
    run.seeded = seeded_begin("lying");
    const uint64_t last = live(), events = power_disk_replay(cutting.disk);
    power_disk_lie(cutting.disk);
    cutting.cut = (struct power_cut){.moment = events, .subset = POWER_NONE};
    power_disk_cut(cutting.disk, cutting.cut);
    drive_look_back(events, last);
    assert_int_equal(run.acknowledged, last);
    assert_true(power_place_refresh(&cutting.place));
    mount_it();
    struct teak_store *store = open_it();
    assert_false(is_whole(store, last));
    teak_abandon(store);
    unmount_it();
}

static uint64_t images_wanted(void)
{
    const char *given = getenv("TEAK_IMAGES");
    return given ? strtoull(given, NULL, 0) : IMAGES;
}

static void what_a_power_cut_leaves_is_a_legal_state(void **state)
{
    (void)state;
    run.seeded = seeded_begin(cutting.place.filesystem);
    cutting.seeded.state = run.seeded.state ^ UINT64_C(0xc4a54);
    uint64_t writes = 0, flushes = 0, bytes = 0, batches = 0;
    const uint64_t wanted = images_wanted();
    for (uint64_t life = 0; life < LIVES || cutting.images < wanted; life++) {
        const uint64_t last = live(), events = power_disk_replay(cutting.disk);
        const struct power_counts counts = power_disk_counts(cutting.disk);
        writes += counts.writes, flushes += counts.flushes, bytes += counts.write_bytes, batches += last;
        const uint64_t share = wanted / LIVES + 1, until = cutting.images + share;
        uint64_t *moments = choose_moments(share, events, last);
        for (uint64_t i = 0; i < share && cutting.images < until; i++) cut_once(moments[i], last);
        free(moments);
    }
    printf("powercut on %s: %" PRIu64 " images, %" PRIu64 " of them cut again during recovery; recorded %" PRIu64
           " writes (%" PRIu64 " MiB), %" PRIu64 " flushes, %" PRIu64 " batches; a cut met %.1f writes that no flush"
           " covered, none in %" PRIu64 "; in %" PRIu64 " more than one state was legal\n",
           cutting.place.filesystem, cutting.images, cutting.second_cuts, writes, bytes >> 20, flushes, batches,
           (double)cutting.lost / (double)(cutting.images - cutting.second_cuts), cutting.empty, cutting.behind);
    assert_true(cutting.images >= wanted);
}

/* ---- three processes ---- */

/* Told after a failure: with these numbers the cut can be made again from the same record. */
static void tell_cut(void)
{
    const struct power_cut *cut = &cutting.cut;
    print_error("image %" PRIu64 ", cut at event %" PRIu64 ", subset %d, seed %" PRIu64 "\n", cutting.images,
                cut->moment, (int)cut->subset, cut->seed);
    print_error("batches %" PRIu64 " to %" PRIu64 " are legal\n", run.acknowledged, run.submitted);
    if (cutting.is_twice)
        print_error("cut again at event %" PRIu64 ", subset %d, seed %" PRIu64 "\n", cutting.again.moment,
                    (int)cutting.again.subset, cutting.again.seed);
}

/* A container may have loop devices and not be allowed to mount them; a kernel may not know the file system. */
static bool can_mount(void)
{
    const int error = power_place_format(&cutting.place) ? power_place_mount(&cutting.place) : EIO;
    if (error) printf("skipped: %s cannot be mounted here: %s\n", cutting.place.filesystem, strerror(error));
    return !error && power_place_unmount(&cutting.place) == 0;
}

static int use(void)
{
    if (!power_place_attach(&cutting.place, false) || !can_mount()) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_lied_is_found_out),
        cmocka_unit_test(what_a_power_cut_leaves_is_a_legal_state),
    };
    const int failed = cmocka_run_group_tests_name(cutting.place.filesystem, tests, NULL, NULL);
    if (failed) {
        tell_cut();
        return 1; /* what is open closes now, and with it the device */
    }
    if (!power_place_detach(&cutting.place)) {
        print_error("%s is still in use\n", cutting.place.device);
        return 1;
    }
    return 0;
}

static volatile sig_atomic_t children[2]; /* who serves, who uses */

static void end_all(int signal_number)
{
    (void)signal_number;
    for (int i = 1; i >= 0; i--)
        if (children[i] > 0) kill(children[i], SIGKILL);
}

static pid_t part(void)
{
    fflush(NULL);
    const pid_t parent = getpid(), child = fork();
    if (child != 0) return child;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    return 0;
}

static int wait_for(int which)
{
    int status;
    while (waitpid(children[which], &status, 0) < 0)
        if (errno != EINTR) return 1;
    children[which] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int serve_and_use(void)
{
    int ready[2];
    if (pipe(ready) != 0) return 1;
    children[0] = part();
    if (children[0] == 0) {
        close(ready[0]);
        exit(power_serve(cutting.disk, cutting.place.served, ready[1]));
    }
    close(ready[1]);
    char byte;
    if (read(ready[0], &byte, 1) != 1) return wait_for(0);
    close(ready[0]);
    children[1] = part();
    if (children[1] == 0) exit(use());
    const int status = wait_for(1);
    power_place_remove(&cutting.place); /* ends who serves */
    const int served = wait_for(0);
    return status ? status : served;
}

static bool is_possible(const char *filesystem)
{
    char tool[32];
    snprintf(tool, sizeof tool, "mkfs.%s", filesystem);
    const char *const look[] = {tool, "-V", NULL};
    const char *why = NULL;
    if (geteuid() != 0)
        why = "mounting needs root";
    else if (access("/dev/fuse", R_OK | W_OK) != 0)
        why = "no /dev/fuse here";
    else if (access("/dev/loop-control", R_OK | W_OK) != 0)
        why = "no loop devices here";
    else if (power_run(look) == 127)
        why = "no mkfs of this file system here";
    if (why) printf("skipped: %s\n", why);
    return !why;
}

int main(int argc, char **argv)
{
    const char *filesystem = argc > 1 ? argv[1] : "ext4";
    if (strcmp(filesystem, "ext4") != 0 && strcmp(filesystem, "xfs") != 0) {
        fprintf(stderr, "usage: powercut_test ext4|xfs\n");
        return 2;
    }
    if (!is_possible(filesystem)) return 77;
    cutting.disk = power_disk_make((filesystem[0] == 'x' ? UINT64_C(320) : UINT64_C(64)) << 20);
    if (!cutting.disk) return 1;
    power_disk_keep_whole(cutting.disk, filesystem[0] == 'x' ? power_is_whole_on_xfs : power_is_whole_on_ext4);
    if (!power_place_make(&cutting.place, filesystem)) return 77;
    signal(SIGTERM, end_all);
    signal(SIGINT, end_all);
    const int status = serve_and_use();
    power_place_remove(&cutting.place);
    return status;
}
