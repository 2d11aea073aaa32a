/* disk_case.c: the places in which the cases of the disk seam run: see disk_case.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "disk_case.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk_case now;

int disk_case_open(struct disk **out) { return now.uring ? disk_uring_open(out) : disk_posix_open(3, out); }

int disk_case_set_up(void **state)
{
    (void)state;
    snprintf(now.path, sizeof now.path, "%s/case", now.root);
    assert_int_equal(mkdir(now.path, 0700), 0);
    now.dir = open(now.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(now.dir >= 0);
    assert_int_equal(disk_case_open(&now.disk), 0);
    struct disk_device device;
    assert_int_equal(disk_probe(now.disk, now.dir, &device), 0);
    now.direct_io = device.direct_io && strcmp(device.filesystem, "tmpfs") != 0;
    return 0;
}

static void remove_name(void *context, const char *name)
{
    const int *dir = context;
    if (unlinkat(*dir, name, 0) != 0) (void)unlinkat(*dir, name, AT_REMOVEDIR);
}

int disk_case_tear_down(void **state)
{
    (void)state;
    /* A test that failed half-way may have left readers of a pipe waiting, which closing would wait for in turn. */
    const int fifo = openat(now.dir, "fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    disk_list(now.disk, now.dir, remove_name, &now.dir);
    if (now.disk) disk_close(now.disk);
    if (fifo >= 0) close(fifo);
    close(now.dir);
    return rmdir(now.path);
}

/* ---- both backends, two file systems ---- */

static int run_on(const char *root, bool uring, const struct CMUnitTest *tests, size_t count)
{
    char name[320];
    now.uring = uring;
    snprintf(name, sizeof name, "%s on %s", uring ? "uring" : "posix", root);
    snprintf(now.root, sizeof now.root, "%s/teak-disk-XXXXXX", root);
    if (!mkdtemp(now.root)) {
        printf("skipped: %s: %s\n", now.root, strerror(errno));
        return -1;
    }
    struct disk *trial = NULL;
    const int error = disk_case_open(&trial);
    int failed = -1;
    if (error != 0) {
        printf("skipped: %s: %s\n", name, strerror(error));
    } else {
        disk_close(trial);
        failed = _cmocka_run_group_tests(name, tests, count, NULL, NULL);
    }
    rmdir(now.root);
    return failed;
}

int disk_case_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
    const char *given = getenv("TEAK_TEST_DIR");
    const char *const roots[] = {given ? given : ".", "/dev/shm"};
    int ran = 0, failed = 0;
    for (int i = 0; i < 2; i++) {
        for (int uring = 0; uring < 2; uring++) {
            if (argc > 1 && strcmp(argv[1], uring ? "uring" : "posix") != 0) continue;
            const int result = run_on(roots[i], uring, tests, count);
            if (result >= 0) ran++;
            if (result > 0) failed += result;
        }
    }
    if (ran == 0) return 77;
    return failed > 0 ? 1 : 0;
}
