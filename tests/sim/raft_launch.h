/* raft_launch.h: a node is founded, goes down, and comes up again from what its disk has; or gets another disk. */
#ifndef TEAK_TESTS_SIM_RAFT_LAUNCH_H
#define TEAK_TESTS_SIM_RAFT_LAUNCH_H

#include "raft_fleet_state.h"

/* The log of a node: founded, or empty. It is up then. */
void launch_found(uint32_t id);

/* An empty log, of a node that was not there before. */
void launch_join(uint32_t id, uint64_t born);

struct teak_raft_options launch_options(uint32_t id);
void launch_name(uint32_t realm, uint8_t cluster_out[16]);

/* Its store, while it is down, on a disk that does its best; the one job that was submitted to it is waited for; closed
 * again. */
void launch_open(uint32_t id);
void launch_finish(uint32_t id);
void launch_close(uint32_t id);

/* It comes up from its disk; from an empty one where that rotted, and is worth nothing. */
void launch_up(uint32_t id);

/* A power cut, or a kill. */
void launch_down(uint32_t id, bool is_power);

/* It goes down, and its disk is gone: there is no such node any more. */
void launch_lose(uint32_t id);

/* An empty disk in place of its own. It is up then, another one under the same id. */
void launch_wipe(uint32_t id);

/* The power is cut on copies of all disks: is what has to be there still there? */
void launch_look(void);

/* What its disk does from now on. */
void launch_full(struct fleet_node *node, bool is_full);
void launch_faults(struct fleet_node *node);

/* Its clock goes the worst way from now on: slowly where it leads, else fast. */
void launch_drift(struct fleet_node *node);

#endif
