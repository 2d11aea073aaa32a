/* raft_partition.c: the leader is cut off with proposals that nobody else has. The others elect one of theirs and go
 * on; when the network heals, the old leader learns that its proposals are lost, and has what the others have.
 */
#include "raft_driver.h"

static void print(struct replica *replica, const struct teak_raft_entry *entry)
{
    printf("node %d applies: %.*s\n", (int)replica->id, (int)entry->bytes, (const char *)entry->data);
}

static struct replica *old;

static bool another_leads(struct cluster *cluster)
{
    return cluster_leader(cluster) && cluster_leader(cluster) != old;
}

static bool proposal_is_committed(struct cluster *cluster) { return cluster_leader(cluster)->committed > 0; }

static bool proposals_are_lost(struct cluster *cluster) { return old->lost == 2 && cluster_agrees(cluster); }

int main(void)
{
    struct cluster cluster;
    cluster_begin(&cluster, 5, 5, print);
    if (!cluster_run(&cluster, cluster_agrees)) return 1;
    old = cluster_leader(&cluster);
    cluster_cut(&cluster, old->id, true);
    cluster_propose(&cluster, old, "heard by nobody");
    cluster_propose(&cluster, old, "nor is this");
    if (!cluster_run(&cluster, another_leads)) return 1;
    printf("the others have a leader\n");
    cluster_propose(&cluster, cluster_leader(&cluster), "life goes on");
    if (!cluster_run(&cluster, proposal_is_committed)) return 1;
    printf("the network heals\n");
    cluster_cut(&cluster, old->id, false);
    if (!cluster_run(&cluster, proposals_are_lost)) return 1;
    printf("%d of the old leader's proposals are lost, none is in doubt\n", (int)old->lost);
    cluster_end(&cluster);
    return 0;
}
