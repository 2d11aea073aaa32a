/* human.h: numbers as a person reads them. By value: human_bytes(n).text holds to the end of the whole expression. */
#ifndef TEAK_TOOLS_HUMAN_H
#define TEAK_TOOLS_HUMAN_H

#include <stdint.h>

struct human {
    char text[64];
};

struct human human_count(uint64_t count);  /* 1,234,567                      */
struct human human_rate(double each);      /* 950, 12.3 thousand, 4.4 million */
struct human human_bytes(uint64_t bytes);  /* 512 B, 4.0 KiB, 1.2 GiB        */
struct human human_micros(double micros);  /* 215 us, 1.23 ms, 2.10 s        */

/* "1 entry", "2 entries": the count with its word. */
struct human human_of(uint64_t count, const char *one, const char *many);

#endif
