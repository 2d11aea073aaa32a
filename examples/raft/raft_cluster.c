/* raft_cluster.c: three nodes in one process elect a leader; what it is given is applied by all. */
#include "raft_driver.h"

static void print(struct replica *replica, const struct teak_raft_entry *entry)
{
    printf("node %d applies %d: %.*s\n", (int)replica->id, (int)entry->index, (int)entry->bytes,
           (const char *)entry->data);
}

int main(void)
{
    struct cluster cluster;
    cluster_begin(&cluster, 3, 3, print);
    if (!cluster_run(&cluster, cluster_has_leader)) return 1;
    struct replica *leader = cluster_leader(&cluster);
    struct replica *other = &cluster.nodes[leader->id % 3];
    printf("node %d leads\n", (int)leader->id);
    printf("node %d says %s\n", (int)other->id,
           teak_raft_status_name(cluster_propose(&cluster, other, "to the wrong one")));
    if (cluster_propose(&cluster, leader, "one for all") != TEAK_RAFT_OK) return 1;
    if (!cluster_run(&cluster, cluster_agrees)) return 1;
    printf("%d committed\n", (int)leader->committed);
    cluster_end(&cluster);
    return 0;
}
