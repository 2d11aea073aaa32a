/* complain.h: what the command says when something is wrong: one line on standard error, and an exit status. */
#ifndef TEAK_TOOLS_COMPLAIN_H
#define TEAK_TOOLS_COMPLAIN_H

#include "teak/status.h"

/* Room for the text of any teak_error. */
enum { COMPLAIN_TEXT_BYTES = 512 };

/* `teak COMMAND: ...` on standard error. */
__attribute__((format(printf, 2, 3))) void complain(const char *command, const char *format, ...);

/* The same for an answer of the engine, about a directory. Returns the exit status that goes with it: wrong options are
 * wrong use, all else is a problem. */
int complain_error(const char *command, const char *directory, const struct teak_error *error);

/* Flush standard output. Returns `status`, or EXIT_PROBLEM, with a line said, if the bytes could not be written.
 * A reader that has gone away (EPIPE) wanted no more: that is no problem. Where a write failed before, errno still has
 * its reason. */
int complain_flush(const char *command, int status);

#endif
