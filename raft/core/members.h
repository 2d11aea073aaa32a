/* members.h: configurations as bytes and as sets.
 *
 * A CONFIG entry: version u8 = 1, joint u8, count u16, then per member id u64, born u64, roles u8, priority u8; little
 * endian. Bytes come from other nodes and from the disk: they are judged.
 */
#ifndef TEAK_RAFT_MEMBERS_H
#define TEAK_RAFT_MEMBERS_H

#include "core/core.h"

/* The members in `bytes`, at most TEAK_RAFT_MEMBERS_MAX, into `members`. false: no configuration. */
bool members_judge(const uint8_t *data, uint32_t bytes, struct teak_raft_member *members, struct config *config_out);

/* The other way round; returns the length. */
uint32_t members_encode(const struct teak_raft_member *members, uint32_t count, bool joint, uint8_t *out);

/* True if this is a configuration: ids ascend and are not 0, roles fit, somebody votes. Fills in the sets. */
bool members_form(const struct teak_raft_member *members, uint32_t count, bool joint, struct config *config_out);

/* True if another voter has a higher priority than this node, which then gives way to it at elections. */
bool members_outrank(const struct teak_raft *raft);

/* A wanted set as a caller gives it: OK, MISUSE or NO_VOTERS. */
enum teak_raft_status members_wanted(const struct teak_raft_member *members, uint32_t count);

/* A CONFIG entry has come into the log: it is in force at once. false: more members than the block has room for. */
bool members_adopt(struct teak_raft *raft, const struct teak_raft_entry *entry);

/* A snapshot's configuration is in force, and there is none before it. */
void members_replace(struct teak_raft *raft, struct config config, const struct teak_raft_member *members);

/* The log ends before `from` now: is the newest configuration gone, the one before is in force again. */
void members_roll_back(struct teak_raft *raft, uint64_t from);

#endif
