/* publish.h: writes the store's numbers into its file STATS once in a while, for who looks from outside; reads them.
 *
 * OWNS   The file, the record on its way, and the histograms that only it shows.
 * PATH   publish_open (with the first write, off the commit path) -> publish_step: where the interval is over and
 *        something has changed, one write without a sync, as a chore -> publish_close: the last numbers.
 * FAILS  Nothing hangs on it: a write that fails is counted, and the next one tried in its time. A poisoned store
 *        publishes no more.
 * HOLDS  An idle store publishes once more and then sleeps. No page of the file is ever mapped: a shared mapping of it
 *        could end the host with SIGBUS where the disk is full.
 */
#ifndef TEAK_STORE_PUBLISH_H
#define TEAK_STORE_PUBLISH_H

#include "os/disk.h"
#include "store/flight.h"
#include "teak/counters.h"

struct teak_store;

struct publish {
    enum errand errand;     /* ERRAND_PUBLISH                                        */
    bool waiting;           /* the write is at the disk                              */
    bool is_last;           /* closed in order: the last numbers are to be written   */
    struct disk_op op;
    int32_t file;           /* DISK_NONE: nothing is published                       */
    uint64_t interval_ns;   /* TEAK_FOREVER: never                                   */
    uint64_t opened_ns, next_ns;
    uint64_t change;        /* publish_change() when it was published last           */
    uint64_t sequence;
    uint8_t *record;        /* STATS_RECORD_MAX bytes                                */
    struct teak_published *numbers;
    struct teak_histogram sync_latency, frame_batches, frame_entries, frame_size;
    uint64_t batches_before; /* taken before the open frame                          */
    /* counted */
    uint64_t written, failed;
};

void publish_init(struct publish *publish, uint64_t interval_ns);
void publish_fini(struct publish *publish);

/* Makes or opens the file, by plain calls. Where that fails nothing is published. */
void publish_open(struct teak_store *store);
/* Start a write, if one is due. */
void publish_step(struct teak_store *store);
void publish_ended(struct publish *publish);
/* When publish_step wants to be called; UINT64_MAX: nothing has changed, or a write is on its way. */
uint64_t publish_due_ns(const struct teak_store *store);
/* With nothing at the disk: the last numbers, if the store is closed in order. Closes the file. */
void publish_close(struct teak_store *store);

/* A sync, or a synced write, took so long. */
void publish_sync(struct publish *publish, uint64_t ns);
/* A frame was closed; `batches`: all that were ever taken. */
void publish_group(struct publish *publish, uint64_t batches, uint64_t entries, uint64_t bytes);

#endif
