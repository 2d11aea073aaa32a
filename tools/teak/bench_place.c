/* bench_place.c: see bench_place.h. A store is a flat directory: only files are removed, never a folder within. */
#include "bench_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "command.h"
#include "complain.h"

/* The next name that is not the directory itself or its parent; NULL at the end, with errno 0, or where it failed. */
static const char *next_name(DIR *listing)
{
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(listing)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return entry->d_name;
    return NULL;
}

static int problem(const char *who, const char *directory, const char *what)
{
    complain(who, "%s: %s: %s", directory, what, strerror(errno));
    return EXIT_PROBLEM;
}

int bench_place_look(const char *who, const char *directory, struct bench_look *out)
{
    *out = (struct bench_look){.empty = true};
    DIR *listing = opendir(directory);
    if (listing == NULL && errno == ENOENT) return EXIT_GOOD;
    if (listing == NULL && errno == ENOTDIR) {
        complain(who, "--dir %s is no directory: write one that is, or a name that is free", directory);
        return EXIT_WRONG;
    }
    if (listing == NULL) return problem(who, directory, "open directory");
    out->existed = true;
    for (const char *name; (name = next_name(listing)) != NULL;) {
        out->empty = false;
        out->is_store = out->is_store || strcmp(name, "STORE") == 0;
    }
    const int failed = errno;
    closedir(listing);
    errno = failed;
    return failed == 0 ? EXIT_GOOD : problem(who, directory, "read directory");
}

int bench_place_claim(const char *who, const char *directory, bool keep, struct bench_place *out)
{
    struct bench_look found;
    const int status = bench_place_look(who, directory, &found);
    *out = (struct bench_place){.who = who, .directory = directory, .existed = found.existed, .kept = keep};
    if (status != EXIT_GOOD || found.empty || (keep && found.is_store)) return status;
    if (keep) {
        complain(who, "--dir %s is neither empty nor a store: write one that is, or a name that is free", directory);
        return EXIT_WRONG;
    }
    complain(who, "--dir %s is not empty: write --keep to append behind the store in it, or an empty directory",
             directory);
    return EXIT_WRONG;
}

int bench_place_clear(const struct bench_place *place)
{
    if (place->kept) return EXIT_GOOD;
    DIR *listing = opendir(place->directory);
    if (listing == NULL) return errno == ENOENT ? EXIT_GOOD : problem(place->who, place->directory, "open directory");
    const char *name;
    int status = EXIT_GOOD;
    while ((name = next_name(listing)) != NULL)
        if (unlinkat(dirfd(listing), name, 0) != 0 && errno != ENOENT)
            status = problem(place->who, place->directory, name);
    if (errno != 0 && status == EXIT_GOOD) status = problem(place->who, place->directory, "read directory");
    closedir(listing);
    if (!place->existed && status == EXIT_GOOD && rmdir(place->directory) != 0)
        status = problem(place->who, place->directory, "remove directory");
    return status;
}

bool bench_place_has_space(const char *directory, uint64_t wanted, uint64_t *free_out)
{
    struct statvfs info;
    char parent[4096];
    *free_out = UINT64_MAX;
    if (statvfs(directory, &info) != 0) {
        const int wrote = snprintf(parent, sizeof(parent), "%s/..", directory);
        char *slash = strrchr(directory, '/') != NULL ? parent + (strrchr(directory, '/') - directory) : NULL;
        if (wrote < 0 || (size_t)wrote >= sizeof(parent)) return true;
        if (slash == NULL)
            snprintf(parent, sizeof(parent), ".");
        else
            slash[slash == parent ? 1 : 0] = '\0';
        if (statvfs(parent, &info) != 0) return true;
    }
    *free_out = (uint64_t)info.f_bavail * info.f_frsize;
    return wanted <= *free_out;
}
