/* raft_turn.h: a node's driver: what its disk tells goes in, the time goes in, what comes out is done. */
#ifndef TEAK_TESTS_SIM_RAFT_TURN_H
#define TEAK_TESTS_SIM_RAFT_TURN_H

#include "teak/raft.h"

/* What a turn came to. */
enum turn_end {
    TURN_DONE,
    TURN_HALTED, /* the node is to be started anew */
    TURN_ROTTEN  /* ... so that it may lead again  */
};

enum turn_end turn_take(uint32_t id);

/* All that the node has to hand out. */
void turn_drain(uint32_t id);

/* A job goes to the node's disk. */
void turn_submit(uint32_t id, const struct teak_raft_job *job);

#endif
