/* stop.h: SIGINT and SIGTERM as a wish to stop, so that the work can end in order. */
#ifndef TEAK_TOOLS_STOP_H
#define TEAK_TOOLS_STOP_H

#include <signal.h>
#include <stdbool.h>

/* The signal that came, or 0. Written by the handler only. */
extern volatile sig_atomic_t stop_signal;

static inline bool stop_asked(void) { return stop_signal != 0; }

/* Catch them from here on; a second one kills at once. False: errno says why. */
bool stop_init(void);

/* Readable once a signal came, for poll(2). */
int stop_fd(void);

/* End as the signal that came would have ended the program. Does nothing if none came. */
void stop_obey(void);

#endif
