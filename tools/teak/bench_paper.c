/* bench_paper.c: see bench_paper.h. */
#include "bench_paper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Standard output or error goes there, by /dev/stdout or by a name of its own. */
static bool is_spoken_to(const struct stat *info)
{
    struct stat spoken;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &spoken) == 0 && spoken.st_dev == info->st_dev && spoken.st_ino == info->st_ino) return true;
    return false;
}

bool bench_paper_begin(struct bench_paper *paper, const char *path)
{
    struct stat info;
    *paper = (struct bench_paper){0};
    if (path == NULL) return true;
    if (stat(path, &info) == 0) { /* what is there is replaced, and not a link to it */
        if (!S_ISREG(info.st_mode) || is_spoken_to(&info)) {
            errno = S_ISDIR(info.st_mode) ? EISDIR : ENOTSUP;
            return false;
        }
        if (realpath(path, paper->path) == NULL) return false;
    } else if (snprintf(paper->path, sizeof(paper->path), "%s", path) >= (int)sizeof(paper->path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    const int wrote = snprintf(paper->part, sizeof(paper->part), "%s.%ld.part", paper->path, (long)getpid());
    if (wrote < 0 || (size_t)wrote >= sizeof(paper->part)) {
        errno = ENAMETOOLONG;
        return false;
    }
    const int file = open(paper->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) return false;
    paper->file = fdopen(file, "w");
    if (paper->file != NULL) return true;
    const int why = errno;
    close(file);
    unlink(paper->part);
    errno = why;
    return false;
}

bool bench_paper_finish(struct bench_paper *paper)
{
    if (paper->file == NULL) return true;
    errno = 0;
    const bool failed = ferror(paper->file) != 0;
    bool good = fclose(paper->file) == 0 && !failed;
    paper->file = NULL;
    good = good && rename(paper->part, paper->path) == 0;
    if (good) return true;
    const int why = errno != 0 ? errno : EIO;
    unlink(paper->part);
    errno = why;
    return false;
}

void bench_paper_drop(struct bench_paper *paper)
{
    if (paper->file == NULL) return;
    fclose(paper->file);
    paper->file = NULL;
    unlink(paper->part);
}
