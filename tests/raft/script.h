/* script.h: a small language for the world. A script has blocks of commands; after a line of ---- stands what they
 * print, up to an empty line.
 *
 *   nodes 3 [members=1,2,3] [learners=4] [priorities=012] [unnamed=yes] [OPTION=VALUE]...     nodes 1 .. 3, of which
 *                                  those found the cluster; unnamed: they do not know each other's logs; what is not
 *                                  given is as world_options has it
 *   campaign N · propose N WORD... · transfer N TO · change N 1 2@BORN 4:learner · unreachable N PEER
 *   read N TAG [lease]             asks; the answer says OK and the index
 *   fire N TIMER                   election, promise, heartbeat, quorum, transfer, read, stall
 *   tick N TIME                    its clock shows that
 *   net                            what is on its way, by place
 *   deliver PLACE | deliver [to=N] [from=N] [type=T]     all that fit, in order, of what is on its way now
 *   drop, dup (delivers, and keeps)                      the same
 *   complete N [COUNT] · refuse N · poison N · room N    the disk's oldest jobs
 *   crash N [kept=COUNT] · start N · wipe N · recover N 1 4:learner      of a node that is down
 *   copy N FROM                    of a node that is down: its log is a copy of what FROM's disk has, born anew
 *   snapshot N · snapshots N       take one of what is applied; its configuration
 *   bodies N refuses|takes|hangs   space for those that come in; hangs: what is written meanwhile is never answered
 *   stabilize                      deliver and complete until all is quiet, from the lowest node, from the oldest
 *   message state N · log N · disk N · peers N
 *   forge FROM TO TYPE term=.. after=I/T index=.. [entry=I/T=word]...    a message that nobody sent
 *   quiet COMMAND...               without its trace
 *   repeat N COMMAND...; COMMAND...
 *   may-halt · net-max N           more on its way: the oldest are lost
 *   liar N                         its disk confirms from now on what it does not write
 */
#ifndef TEAK_TESTS_RAFT_SCRIPT_H
#define TEAK_TESTS_RAFT_SCRIPT_H

#include <stdio.h>

/* Plays it, and writes it as it would be written now. Returns the invariant that was broken, NULL: none. */
const char *script_play(const char *script, FILE *out);

#endif
