/* scan.h: reads segments and judges them. Writes nothing, changes nothing: what comes out is a value, the plan.
 *
 * PATH   image_open (identity, footer) -> image_load (all of it) -> scan_tail: from frame to frame until the first
 *        invalid place X; then every later head is asked whether it vouches for X (verdict.h).
 * FAILS  A read that fails is an I/O error and opens nothing: invalid means read without error and judged false.
 */
#ifndef TEAK_STORE_SCAN_H
#define TEAK_STORE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "format/descriptor.h"
#include "format/segment_id.h"
#include "format/segment_index.h"
#include "os/disk.h"
#include "store/harm.h"
#include "store/verdict.h"
#include "teak/engine.h"

/* A segment file as it lies on the medium. */
struct image {
    uint64_t number;
    int32_t file;
    uint64_t file_bytes;
    enum teak_status identity; /* how the identity block was judged                                    */
    bool is_suspect;           /* only a lenient source took it: too short, or nothing in it is ours   */
    bool is_foreign;           /* it names another family, under a wrong checksum, or another number   */
    bool has_key;              /* the salt is known: from the identity, or from what repeats it        */
    struct key key;
    bool has_footer;           /* sealed                                                               */
    struct footer footer;
    uint8_t *bytes;            /* all of the file, once loaded                                         */
    uint64_t room;
};

struct scan_source {
    struct disk *disk;
    int32_t directory;
    uint32_t open_flags;       /* DISK_DIRECT, DISK_WRITABLE                                           */
    uint32_t block_bytes;
    uint64_t segment_bytes;
    const uint8_t *family;
    bool beside;               /* a writer lives: files may vanish, and change under our hands         */
    bool settled;              /* but not now: one that is not there is missing                       */
    bool lenient;              /* a short file, or one without a beginning, is read as far as it goes  */
    struct harm *harm;         /* damaged places are listed there too; NULL: in the report alone       */
};

/* Opens the file and reads identity and footer. LOG_GONE: the file vanished, or is being recycled (beside a writer).
 * Fails: SEGMENT_MISSING, SEGMENT_SHORT, BAD_MAGIC, FOREIGN_FILE, BLOCK_SIZE, VERSION, FEATURE, NO_MEMORY, IO. */
enum teak_status image_open(const struct scan_source *source, uint64_t number, struct image *out,
                            struct teak_error *error);
/* Reads all of it; a lost identity is repaired from frame heads. */
enum teak_status image_load(const struct scan_source *source, struct image *image, struct teak_error *error);
/* Frees the bytes; closes the file unless it was taken over (image->file set to DISK_NONE). NULL bytes are fine. */
void image_close(const struct scan_source *source, struct image *image);
/* Reads the summary of a sealed segment into `out`, allocated; freed by the caller. */
enum teak_status image_summary(const struct scan_source *source, const struct image *image, uint8_t **out,
                               struct teak_error *error);

/* Head of a loaded image at `offset`; false: none that is valid and names this place. */
bool image_head(const struct scan_source *source, const struct image *image, uint64_t offset, struct frame_head *out);
/* The first frame, if it is a checkpoint. */
bool image_checkpoint(const struct scan_source *source, const struct image *image, struct frame_head *head,
                      struct op *op);

enum { SCAN_TAIL_MAX = 5 };

/* The plan for the newest segments, those without a footer. */
struct tail {
    struct image images[SCAN_TAIL_MAX]; /* oldest first                                            */
    uint32_t count;
    uint32_t last;              /* image that holds the last whole frame                           */
    uint64_t end;               /* X: offset in it behind the last whole frame                     */
    uint64_t lsn;               /* that a frame at X would have                                    */
    uint64_t chain;             /* checksum of the last whole frame's head                         */
    enum verdict verdict;       /* of X: CUT or DAMAGED                                            */
    bool is_clean;              /* the last whole frame is a clean mark, and nothing is behind it  */
    uint64_t oldest;            /* oldest segment kept, as checkpoints and FORGETs say             */
    uint64_t vouched;           /* highest durable LSN that any valid head says                    */
    uint64_t frames, bytes;     /* whole                                                           */
    uint64_t later_frames, later_bytes; /* valid heads behind X, and what they say they span       */
};

/* One that is empty; heap_give takes it. NULL: no memory. */
struct tail *tail_new(void);

/* Judges loaded images. `before`: the sealed segment before the first, or NULL. `shown`: beside a writer no frame above
 * this LSN is looked at (UINT64_MAX: all). Fails: DAMAGED with the place in `error`, and in the report what is hurt. */
enum teak_status scan_tail(const struct scan_source *source, struct tail *tail, const struct footer *before,
                           uint64_t shown, struct teak_report *report, struct teak_error *error);

/* Highest durable LSN that the valid heads of a loaded image say, 0 if there are none. */
uint64_t image_vouched(const struct scan_source *source, const struct image *image);

/* Walks the frames of a loaded image that must all be whole up to `end`; for one in the middle of the stream whose
 * index is lost. Calls `visit` for each. Fails: DAMAGED, and what visit says. */
typedef enum teak_status (*scan_visit)(void *context, const uint8_t *frame, const struct frame_head *head,
                                       struct teak_error *error);
enum teak_status scan_frames(const struct scan_source *source, const struct image *image, uint64_t end,
                             scan_visit visit, void *context, struct teak_report *report, struct teak_error *error);

/* Where the frames of a segment end whose index is lost: what its successor attests. Fails: DAMAGED, and as
 * image_load. */
enum teak_status scan_lost_index(const struct scan_source *source, const struct image *image, uint64_t *end_out,
                                 struct teak_report *report, struct teak_error *error);

/* The segment does not begin with the LSN that the one before it leads to. DAMAGED. */
enum teak_status scan_gap(const struct scan_source *source, uint64_t segment, uint64_t expected, uint64_t found,
                          struct teak_report *report, struct teak_error *error);

/* Names what a damaged place holds: entries, where its table can be read, else LSNs. */
void scan_describe(const struct scan_source *source, const struct image *image, uint64_t offset, uint64_t first_lsn,
                   uint64_t last_lsn, struct teak_report *report);

#endif
