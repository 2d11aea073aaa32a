/* complain.c: see complain.h. */
#include "complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

void complain(const char *command, const char *format, ...)
{
    char text[COMPLAIN_TEXT_BYTES * 2];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    /* One call, one line: parallel writers to the same terminal or file do not tear it. */
    fprintf(stderr, "teak%s%s: %s\n", command[0] != '\0' ? " " : "", command, text);
}

int complain_error(const char *command, const char *directory, const struct teak_error *error)
{
    char text[COMPLAIN_TEXT_BYTES];
    teak_error_text(error, text, sizeof(text));
    if (error->status == TEAK_DAMAGED && strcmp(command, "verify") != 0)
        complain(command, "%s: %s (teak verify --dir %s names it all)", directory, text, directory);
    else
        complain(command, "%s: %s", directory, text);
    return error->status == TEAK_OPTIONS ? EXIT_WRONG : EXIT_PROBLEM;
}

int complain_flush(const char *command, int status)
{
    const int before = errno; /* of the write that failed, if one did */
    const bool failed = ferror(stdout) != 0;
    const int why = fflush(stdout) != 0 ? errno : before;
    if (!failed && !ferror(stdout)) return status;
    if (why == EPIPE) return status;
    complain(command, "standard output: %s", strerror(why));
    return EXIT_PROBLEM;
}
