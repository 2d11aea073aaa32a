/* spread.c: see spread.h. */
#include "spread.h"

#include <math.h>
#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread spread_of(double *values, uint32_t count)
{
    if (count == 0) return (struct spread){NAN, NAN, NAN};
    qsort(values, count, sizeof(values[0]), by_size);
    return (struct spread){
        .median = (values[(count - 1) / 2] + values[count / 2]) / 2,
        .low = values[(count - 1) / 4],
        .high = values[count - 1 - (count - 1) / 4],
    };
}
