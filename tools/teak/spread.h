/* spread.h: what many numbers of the same thing come to. */
#ifndef TEAK_TOOLS_SPREAD_H
#define TEAK_TOOLS_SPREAD_H

#include <stdint.h>

struct spread {
    double median, low, high; /* the quartiles; of none: NAN */
};

/* Sorts them. */
struct spread spread_of(double *values, uint32_t count);

#endif
