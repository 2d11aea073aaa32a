/* raft_launch.h: a node is founded, goes down, and comes up again from what its disk has. */
#ifndef TEAK_TESTS_SIM_RAFT_LAUNCH_H
#define TEAK_TESTS_SIM_RAFT_LAUNCH_H

#include "raft_fleet_state.h"

/* The log of a node: founded, or empty. It is up then. */
void launch_found(uint32_t id);
void launch_up(uint32_t id);

/* A power cut, or a kill. */
void launch_down(uint32_t id, bool is_power);

/* What its disk does from now on. */
void launch_full(struct fleet_node *node, bool is_full);
void launch_faults(struct fleet_node *node);

#endif
