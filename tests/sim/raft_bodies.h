/* raft_bodies.h: snapshots on a node's disk: the driver's side of them.
 *
 * OWNS   Bodies that are whole and durable, the one that is being taken, the part of one that comes in; operations on
 *        them that are not done yet, done in their order.
 * HOLDS  A body stays as long as the core may want it: until the job that names a newer one is durable, and CLOSE has
 *        come for each member that it was read for. Not longer: whoever wants it then gets CORRUPT.
 */
#ifndef TEAK_TESTS_SIM_RAFT_BODIES_H
#define TEAK_TESTS_SIM_RAFT_BODIES_H

#include "raft_fleet_state.h"

/* A snapshot of the state machine is begun; it is told when its body is durable. */
void bodies_take(uint32_t id);

/* What a ready asks for: done later. */
void bodies_ask(uint32_t id, const struct teak_raft_snap_io *io);

/* What is due is done, and told. */
void bodies_work(uint32_t id);

/* NULL: it is not here. */
const struct body *bodies_find(const struct fleet_node *node, const struct teak_raft_snapshot *name);

/* What the core may not want any more goes. */
void bodies_sweep(struct fleet_node *node);

/* The process ends; the disk is gone. */
void bodies_crash(struct fleet_node *node, bool is_power);
void bodies_clear(struct fleet_node *node);

/* Others with the same bytes; returns how many. */
uint32_t bodies_copy(struct body *const *from, uint32_t count, struct body **to);
void bodies_drop(struct body **bodies, uint32_t count);

/* It begins, and its log names `name`, NULL: none. */
void bodies_begin(struct fleet_node *node, const struct teak_raft_snapshot *name);

#endif
