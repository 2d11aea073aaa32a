/* raft_network.h: messages on their way: they are lost, repeated, delayed, overtaken, and links are cut.
 *
 * OWNS   The net, and which links are cut.
 */
#ifndef TEAK_TESTS_SIM_RAFT_NETWORK_H
#define TEAK_TESTS_SIM_RAFT_NETWORK_H

#include "teak/raft.h"

/* A message leaves. Its bytes travel along. */
void network_post(const struct teak_raft_msg *msg);

/* Messages that are due go in. */
void network_deliver(void);

/* Links are cut, and healed. */
void network_break(void);

#endif
