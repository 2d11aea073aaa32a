/* rot_walk.h: the rot table. What every byte of every structure, in every place, may do to a store when it rots, and
 * the walk that shows it.
 *
 * The verdicts, from harmless to worst. Never: an entry that was not written, one that is missing in silence, a crash.
 */
#ifndef TEAK_TESTS_ROT_WALK_H
#define TEAK_TESTS_ROT_WALK_H

#include "rot_store.h"

enum rot_verdict {
    ROT_HARMLESS, /* the store shows everything; nothing is wrong with it                                  */
    ROT_COVERED,  /* it shows everything: what rotted is not needed while its copy is whole                */
    ROT_REPAIRED, /* it shows everything: opening, or the read, took what rotted from elsewhere            */
    ROT_TOLD,     /* it opens; reading exactly what is hurt is answered with its log and index             */
    ROT_CUT,      /* it opens without the newest frame, for which nobody vouched                           */
    ROT_REFUSED,  /* opening refuses, writes nothing, says where; quarantine shows nothing that is wrong   */
};

enum rot_kind {
    ROT_FLIP,         /* one bit of the byte                        */
    ROT_ZERO,         /* the byte is 0                              */
    ROT_STALE,        /* the byte of the file's earlier life        */
    ROT_ZERO_SECTOR,  /* 512 bytes                                  */
    ROT_STALE_SECTOR,
    ROT_ZERO_BLOCK,   /* a block                                    */
    ROT_STALE_BLOCK,
    ROT_KIND_COUNT
};

/* Walks the files of that place: every byte of each (TEAK_ROT_STRIDE=n: one in n), every sector, every block. Fails
 * behind the last if any was not as the table says. One in a thousand (TEAK_ROT_GO_ON=n: in n) is written on and opened
 * again. */
void rot_walk(enum rot_place place);
/* Teardown of the group: prints the rows that were met, as docs/testing.md has them. */
int rot_end(void **state);

#endif
