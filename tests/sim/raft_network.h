/* raft_network.h: messages on their way: they are lost, repeated, delayed, overtaken, held up in a link and let go all
 * at once, and links are cut.
 *
 * OWNS   The net, and which links are cut or clogged.
 */
#ifndef TEAK_TESTS_SIM_RAFT_NETWORK_H
#define TEAK_TESTS_SIM_RAFT_NETWORK_H

#include "teak/raft.h"

/* A message leaves. Its bytes travel along. */
void network_post(const struct teak_raft_msg *msg);

/* Messages that are due go in. */
void network_deliver(void);

/* Links are cut, clogged, and healed. */
void network_break(void);
void network_heal(void);

#endif
