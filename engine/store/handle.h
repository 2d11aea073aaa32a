/* handle.h: readers on other threads: the driving thread's side. */
#ifndef TEAK_STORE_HANDLE_H
#define TEAK_STORE_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

struct teak_store;
struct teak_reader;
struct door;

/* All readers of a store. */
struct readers {
    struct teak_reader *all;  /* linked by next                                                    */
    struct door *door;        /* NULL: there never was one                                         */
    uint32_t asking;          /* of those: asked, and not answered yet                             */
};

/* Somebody waits for an answer, or may. */
bool readers_have_asked(const struct readers *readers);
/* Since the last turn. */
bool readers_just_asked(const struct readers *readers);
/* Answers what can be answered, a bounded amount of work for each reader that has asked. The turn's. */
void readers_serve(struct teak_store *store);
/* The store goes away: its readers answer LOG_GONE from now on. Waits for those that are just reading. */
void readers_part(struct teak_store *store);

#endif
