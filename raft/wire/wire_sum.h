/* wire_sum.h: the sum of a message: XXH3 with 64 bits, of all its bytes behind the sum, seeded by whom it concerns.
 *
 * It tells what a network, a buffer or a wrong length did. It is no signature: who wants to forge one can.
 */
#ifndef TEAK_WIRE_SUM_H
#define TEAK_WIRE_SUM_H

#include "wire/wire_layout.h"

/* Of cluster, group, from and to, as they stand in a head. */
uint64_t wire_seed(const struct wire_head *head);

/* Of the pieces one behind the other, in whatever pieces. */
uint64_t wire_sum(uint64_t seed, const struct teak_raft_span *spans, uint32_t count);

#endif
