/* failure.h: filling in a struct teak_error where the facts are known. */
#ifndef TEAK_STORE_FAILURE_H
#define TEAK_STORE_FAILURE_H

#include <stdint.h>

#include "teak/status.h"

/* Each returns `status`; `error` may be NULL. The first begins the error anew, the others add to it. */
enum teak_status fail(struct teak_error *error, enum teak_status status, const char *operation);
enum teak_status fail_errno(struct teak_error *error, int os_errno, const char *operation, const char *file);
enum teak_status fail_index(struct teak_error *error, enum teak_status status, uint64_t log, uint64_t index,
                            uint64_t expected);
enum teak_status fail_log(struct teak_error *error, enum teak_status status, uint64_t log);
enum teak_status fail_file(struct teak_error *error, enum teak_status status, const char *operation, const char *file,
                           uint64_t offset);
enum teak_status fail_segment(struct teak_error *error, enum teak_status status, const char *operation,
                              uint64_t segment, uint64_t offset);

#endif
