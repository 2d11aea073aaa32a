/* diskwatch.h: this node's disk has stood still for `disk_stall`.
 *
 * PATH   A job is the oldest in flight: TIMER_STALL runs → it is still the oldest when that has run out: stalled. A
 *        stalled leader hands over to a voter that has durably what this node has not: another disk moves. Where
 *        nobody has, all disks may be one: it stays, and looks again. A stalled node does not campaign: an election
 *        would wait for its disk. → A job becomes durable, or is taken back: not stalled.
 */
#ifndef TEAK_RAFT_DISKWATCH_H
#define TEAK_RAFT_DISKWATCH_H

#include "core/core.h"

void diskwatch_handed_out(struct teak_raft *raft); /* a job                                     */
void diskwatch_moved(struct teak_raft *raft);      /* the oldest job is in flight no more       */
void diskwatch_over(struct teak_raft *raft);       /* TIMER_STALL has run out                   */

#endif
