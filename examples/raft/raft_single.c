/* raft_single.c: one node, alone: it elects itself, and what it is given is committed. */
#include "raft_driver.h"

static void print(struct replica *replica, const struct teak_raft_entry *entry)
{
    printf("node %d applies %d: %.*s\n", (int)replica->id, (int)entry->index, (int)entry->bytes,
           (const char *)entry->data);
}

int main(void)
{
    struct cluster cluster;
    cluster_begin(&cluster, 1, 1, print);
    if (!cluster_run(&cluster, cluster_has_leader)) return 1;
    cluster_propose(&cluster, cluster_leader(&cluster), "hello");
    cluster_propose(&cluster, cluster_leader(&cluster), "world");
    if (!cluster_run(&cluster, cluster_agrees)) return 1;
    cluster_end(&cluster);
    return 0;
}
