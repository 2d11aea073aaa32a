/* lone_node.h: one node by itself, driven by hand: for what a call answers, and what a ready has, at one moment. */
#ifndef TEAK_TESTS_RAFT_LONE_NODE_H
#define TEAK_TESTS_RAFT_LONE_NODE_H

#include <string.h>

#include "teak/raft_check.h"

enum { LONE_BLOCK = 65536, LONE_MEMBERS = 3 };

/* Small limits, so that they are met. */
static inline struct teak_raft_options lone_options(void)
{
    struct teak_raft_options options = teak_raft_options_default();
    options.id = 1;
    options.tail_entries = 8;
    options.window_messages = 4;
    options.jobs_max = 4;
    options.tags_max = 2;
    options.term_runs = 8;
    options.members_max = LONE_MEMBERS;
    options.entry_bytes_max = 64;
    options.tail_bytes_max = 1024;
    return options;
}

/* Node 1 of a cluster of `count`, founded, of log 5 and run 6, started at time 100; its log is of term 1 throughout,
 * and applied up to hard.commit. The logs of 2 and 3 are 52 and 53, as the founders knew. NULL: it is refused. */
static inline struct teak_raft *lone_node_with(void *block, uint32_t count, struct teak_raft_options options,
                                               struct teak_raft_hard hard, uint64_t last)
{
    static uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(LONE_MEMBERS)];
    static struct teak_raft_entry entry;
    struct teak_raft_member members[LONE_MEMBERS];
    struct teak_raft_job job;
    struct teak_raft *raft = NULL;
    for (uint32_t i = 0; i < LONE_MEMBERS; i++)
        members[i] =
            (struct teak_raft_member){.id = i + 1, .born = i == 0 ? 5 : 51 + i, .roles = TEAK_RAFT_VOTER};
    if (teak_raft_bootstrap(members, count, bytes, sizeof bytes, &entry, &job) != TEAK_RAFT_OK) return NULL;
    const struct teak_raft_pos run = {1, 1};
    const struct teak_raft_start start = {.hard = hard, .last = {last, 1}, .configs = &entry, .config_count = 1,
                                          .runs = &run, .run_count = 1, .born = 5, .incarnation = 6,
                                          .applied = hard.commit};
    return teak_raft_init(block, LONE_BLOCK, &options, &start, 100, &raft) == TEAK_RAFT_OK ? raft : NULL;
}

/* Just founded. */
static inline struct teak_raft *lone_node(void *block, uint32_t count, struct teak_raft_options options)
{
    return lone_node_with(block, count, options, (struct teak_raft_hard){.term = 1, .commit = 1}, 1);
}

#endif
