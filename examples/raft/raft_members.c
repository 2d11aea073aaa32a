/* raft_members.c: a cluster of three grows to five and shrinks to three others, one of them without ever having been
 * there at the beginning. New members come as learners, and vote when they have caught up.
 */
#include <stdlib.h>
#include <string.h>

#include "raft_driver.h"

static void ignore(struct replica *replica, const struct teak_raft_entry *entry)
{
    (void)replica;
    (void)entry;
}

/* The wanted set, in the form "1 2 3 4+ 5+": + is a learner. */
static uint32_t parse(const char *text, struct teak_raft_member *members)
{
    uint32_t count = 0;
    for (char *end; *text != '\0'; text = end + (*end == ' ')) {
        const uint64_t id = strtoull(text, &end, 10);
        members[count] = (struct teak_raft_member){.id = id, .born = 100 + id, .roles = TEAK_RAFT_VOTER};
        if (*end == '+') members[count].roles = TEAK_RAFT_LEARNER, end++;
        count++;
    }
    return count;
}

static bool is_settled(struct cluster *cluster)
{
    struct replica *leader = cluster_leader(cluster);
    struct teak_raft_view view;
    struct teak_raft_set set;
    if (!leader) return false;
    teak_raft_view(leader->raft, &view);
    teak_raft_config(leader->raft, &set);
    bool is_member = false;
    for (uint32_t i = 0; i < set.count; i++) is_member |= set.members[i].id == leader->id;
    return is_member && !set.joint && view.commit == view.last.index;
}

/* Asks until it is done: BEHIND, while a learner has not caught up; CHANGE_IN_FLIGHT, while the last one is not over.
 * */
static bool change(struct cluster *cluster, const char *text)
{
    struct teak_raft_member members[CLUSTER_MAX];
    const uint32_t count = parse(text, members);
    for (int tries = 0; tries < 1000; tries++) {
        struct replica *leader = cluster_run(cluster, is_settled) ? cluster_leader(cluster) : NULL;
        struct teak_raft_set set;
        if (!leader) return false;
        teak_raft_config(leader->raft, &set);
        const enum teak_raft_status status = teak_raft_change(leader->raft, set.index, members, count);
        if (status == TEAK_RAFT_OK) break;
        if (status != TEAK_RAFT_BEHIND && status != TEAK_RAFT_CHANGE_IN_FLIGHT && status != TEAK_RAFT_NOT_READY)
            return false;
        cluster_pass(cluster, 10);
    }
    cluster_pass(cluster, 100);
    if (!cluster_run(cluster, is_settled)) return false;
    struct teak_raft_set set;
    teak_raft_config(cluster_leader(cluster)->raft, &set);
    printf("members:");
    for (uint32_t i = 0; i < set.count; i++)
        printf(" %d%s", (int)set.members[i].id, set.members[i].roles == TEAK_RAFT_LEARNER ? "+" : "");
    printf("\n");
    return true;
}

int main(void)
{
    struct cluster cluster;
    cluster_begin(&cluster, 5, 3, ignore); /* 4 and 5 run, with empty logs: nobody knows them yet */
    if (!change(&cluster, "1 2 3 4+ 5+") || !change(&cluster, "1 2 3 4 5")) return 1;
    if (!change(&cluster, "3 4 5")) return 1;
    cluster_crash(&cluster, 1); /* nobody needs them any more */
    cluster_crash(&cluster, 2);
    cluster_propose(&cluster, cluster_leader(&cluster), "still here");
    if (!cluster_run(&cluster, cluster_agrees)) return 1;
    printf("a leader among them: %s\n", cluster_leader(&cluster)->id >= 3 ? "yes" : "no");
    cluster_end(&cluster);
    return 0;
}
