/* disk_plain.h: what every real backend shares: each kind of operation by plain system calls, and the calls that are
 * not operations. Private to engine/os.
 */
#ifndef TEAK_OS_DISK_PLAIN_H
#define TEAK_OS_DISK_PLAIN_H

#include "os/disk.h"

#define PLAIN_HUGE_PAGE (UINT64_C(2) << 20)

enum {
    PLAIN_FILE_MODE = 0600,      /* a log holds its host's data: nobody else's business */
    PLAIN_DIRECTORY_MODE = 0700,
    PLAIN_PIECE_MAX = 1 << 30,   /* bytes of one transfer: below the kernel's 2 GiB - 4 KiB, a multiple of any block */
};

/* What the counters are to learn of operations done by plain calls; whoever owns the counters adds it there. */
struct plain_tally {
    uint64_t short_transfers;
    uint64_t retries;
    uint64_t worker_ops; /* of the posix backend: run by a worker */
};

/* Do `op` now: fills error, done and (OPEN) file; returns the error. Any thread. Never raises SIGXFSZ, SIGBUS. */
int plain_run(struct disk_op *op, struct plain_tally *tally);

/* An errno if `op` must not even be started: offsets no file has, or bytes beyond RLIMIT_FSIZE (`size_limit`). */
int plain_refusal(const struct disk_op *op, uint64_t size_limit);

/* RLIMIT_FSIZE; UINT64_MAX if there is none. */
uint64_t plain_size_limit(void);

/* Bytes the next transfer of `op` should ask for. */
uint32_t plain_piece(const struct disk_op *op);

/* A READ or WRITE that has moved op->done bytes was answered with `error`: what that means for the whole. 0: done. */
int plain_transfer_error(const struct disk_op *op, int error);

/* The flags of open(2) for an OPEN; and what is left to do once it was answered with `error`. */
int plain_open_flags(const struct disk_op *op);
void plain_open_end(const struct disk_op *op, int error);

/* The pages that `op`, a POPULATE, has still to bring in, widened to whole pages. */
void *plain_populate_from(const struct disk_op *op, uint64_t *bytes_out);

/* Count an operation that is about to be handed back. Owner thread. */
void plain_count(struct disk_counters *counters, const struct disk_op *op);

/* The rest of struct disk_ops, each as disk.h says. The disk is not looked at. */
int plain_list(struct disk *disk, int32_t dir, disk_name_fn fn, void *context);
int plain_stat(struct disk *disk, int32_t file, struct disk_file_info *out);
int plain_lock(struct disk *disk, int32_t file, enum disk_lock how);
int plain_is_named(struct disk *disk, int32_t dir, const char *name, int32_t file, bool *out);
int plain_map(struct disk *disk, int32_t file, uint64_t offset, uint64_t bytes, void **out);
void plain_unmap(struct disk *disk, void *data, uint64_t bytes);
int plain_drop_cache(struct disk *disk, int32_t file);
uint64_t plain_now(struct disk *disk);
void plain_pause(struct disk *disk, uint64_t ns);
int plain_entropy(struct disk *disk, void *out, size_t bytes);
bool plain_is_process_alive(struct disk *disk, uint64_t pid);
uint64_t plain_process_id(struct disk *disk);

/* probe.c */
int plain_probe(struct disk *disk, int32_t dir, struct disk_device *out);
int plain_room(struct disk *disk, int32_t dir, uint64_t *free_out);

#endif
