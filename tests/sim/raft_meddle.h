/* raft_meddle.h: what befalls a node: clients, administrators, accidents. */
#ifndef TEAK_TESTS_SIM_RAFT_MEDDLE_H
#define TEAK_TESTS_SIM_RAFT_MEDDLE_H

#include <stdbool.h>
#include <stdint.h>

/* A client proposes something. */
void meddle_propose(uint32_t id);

/* An administrator removes members whose disks are gone, by this leader. True: there are none. */
bool meddle_repair(uint32_t id);

/* A millisecond's worth of it. */
void meddle_with(uint32_t id);

#endif
