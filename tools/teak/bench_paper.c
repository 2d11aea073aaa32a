/* bench_paper.c: see bench_paper.h. */
#include "bench_paper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool bench_paper_begin(struct bench_paper *paper, const char *path)
{
    struct stat info;
    *paper = (struct bench_paper){0};
    if (path == NULL) return true;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return false;
    }
    const int wrote = snprintf(paper->part, sizeof(paper->part), "%s.%ld.part", path, (long)getpid());
    if (wrote < 0 || (size_t)wrote >= sizeof(paper->part)) {
        errno = ENAMETOOLONG;
        return false;
    }
    const int file = open(paper->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) return false;
    paper->file = fdopen(file, "w");
    paper->path = path;
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
