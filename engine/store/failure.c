/* failure.c: see failure.h. */
#include "store/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "format/segment_id.h"

enum teak_status fail(struct teak_error *error, enum teak_status status, const char *operation)
{
    if (error) {
        *error = (struct teak_error){.status = status};
        snprintf(error->operation, sizeof error->operation, "%s", operation);
    }
    return status;
}

/* What an errno means to an embedder; everything without a meaning of its own is an I/O error. */
static enum teak_status status_of(int os_errno)
{
    switch (os_errno) {
    case 0: return TEAK_OK;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return TEAK_NO_SPACE;
    case EROFS: return TEAK_READ_ONLY_FS;
    case EACCES:
    case EPERM: return TEAK_DENIED;
    case ENOMEM: return TEAK_NO_MEMORY;
    case ENOENT:
    case ENOTDIR: return TEAK_NO_DIRECTORY;
    default: return TEAK_IO;
    }
}

enum teak_status fail_errno(struct teak_error *error, int os_errno, const char *operation, const char *file)
{
    const enum teak_status status = fail(error, status_of(os_errno), operation);
    if (error) {
        error->os_errno = os_errno;
        snprintf(error->file, sizeof error->file, "%s", file ? file : "");
    }
    return status;
}

enum teak_status fail_index(struct teak_error *error, enum teak_status status, uint64_t log, uint64_t index,
                            uint64_t expected)
{
    fail_log(error, status, log);
    if (error) {
        error->index = index;
        error->expected = expected;
        error->has_expected = 1;
    }
    return status;
}

enum teak_status fail_log(struct teak_error *error, enum teak_status status, uint64_t log)
{
    if (error) {
        *error = (struct teak_error){.status = status, .log = log, .has_log = 1};
    }
    return status;
}

enum teak_status fail_file(struct teak_error *error, enum teak_status status, const char *operation, const char *file,
                           uint64_t offset)
{
    fail(error, status, operation);
    if (error) {
        snprintf(error->file, sizeof error->file, "%s", file);
        error->offset = offset;
        error->has_offset = 1;
    }
    return status;
}

enum teak_status fail_segment(struct teak_error *error, enum teak_status status, const char *operation,
                              uint64_t segment, uint64_t offset)
{
    char name[NAME_BYTES];
    name_segment(segment, name);
    fail_file(error, status, operation, name, offset);
    if (error) error->segment = segment;
    return status;
}
