/* raft_log.c: a replicated log. A hundred lines, and the leader crashes after each tenth: every node has the same lines
 * in the end, and each that was committed once.
 */
#include <string.h>

#include "raft_driver.h"

enum { LINES = 100, CRASH_EVERY = 10 };

struct lines {
    uint32_t count;
    char text[4 * LINES][16];
};

static struct lines lines[CLUSTER_MAX];

static void keep(struct replica *replica, const struct teak_raft_entry *entry)
{
    struct lines *is = &lines[replica->id - 1];
    snprintf(is->text[is->count++], sizeof is->text[0], "%.*s", (int)entry->bytes, (const char *)entry->data);
}

static uint64_t wanted;

static bool is_committed(struct cluster *cluster)
{
    const struct replica *leader = cluster_leader(cluster);
    return leader && leader->committed >= wanted;
}

/* A leader in office, that has applied all there was before it. */
static struct replica *leader_of(struct cluster *cluster)
{
    return cluster_run(cluster, cluster_agrees) ? cluster_leader(cluster) : NULL;
}

int main(void)
{
    struct cluster cluster;
    cluster_begin(&cluster, 3, 3, keep);
    for (uint32_t line = 0; line < LINES; line++) {
        char text[16];
        struct replica *leader = leader_of(&cluster);
        if (!leader) return 1;
        if (line % CRASH_EVERY == CRASH_EVERY - 1) {
            const uint64_t id = leader->id;
            cluster_crash(&cluster, id);
            if (!(leader = leader_of(&cluster))) return 1;
            lines[id - 1].count = 0; /* a new run begins with an empty state machine */
            cluster_restart(&cluster, id);
        }
        snprintf(text, sizeof text, "line %u", line);
        wanted = leader->committed + 1;
        if (cluster_propose(&cluster, leader, text) != TEAK_RAFT_OK || !cluster_run(&cluster, is_committed)) return 1;
    }
    if (!leader_of(&cluster)) return 1;
    for (uint32_t node = 1; node < cluster.count; node++)
        if (memcmp(&lines[node], &lines[0], sizeof lines[0]) != 0) return 1;
    printf("%u lines, from \"%s\" to \"%s\", on all of %u nodes\n", lines[0].count, lines[0].text[0],
           lines[0].text[lines[0].count - 1], cluster.count);
    cluster_end(&cluster);
    return 0;
}
