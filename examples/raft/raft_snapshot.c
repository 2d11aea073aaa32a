/* raft_snapshot.c: a node is away while the others forget what they have in a snapshot: it catches up with that, in
 * pieces over the network, and with the entries behind it.
 */
#include <string.h>

#include "raft_driver.h"

enum { LINES = 200, LATER = 30, LINE_BYTES = 16 };

/* The state machine: all lines. */
struct machine {
    uint32_t count, restored;
    char lines[LINES + 1 + LATER][LINE_BYTES];
};

static struct machine machines[CLUSTER_MAX];

static void keep(struct replica *replica, const struct teak_raft_entry *entry)
{
    struct machine *machine = &machines[replica->id - 1];
    snprintf(machine->lines[machine->count++], LINE_BYTES, "%.*s", (int)entry->bytes, (const char *)entry->data);
}

static uint32_t save(struct replica *replica, uint8_t *out, uint32_t room)
{
    const struct machine *machine = &machines[replica->id - 1];
    const uint32_t bytes = machine->count * LINE_BYTES;
    if (bytes > room) return 0;
    memcpy(out, machine->lines, bytes);
    return bytes;
}

static void restore(struct replica *replica, const uint8_t *data, uint32_t bytes)
{
    struct machine *machine = &machines[replica->id - 1];
    machine->restored++;
    machine->count = bytes / LINE_BYTES;
    memcpy(machine->lines, data, bytes);
}

int main(void)
{
    struct cluster cluster;
    cluster_begin(&cluster, 3, 3, keep);
    for (uint32_t i = 0; i < cluster.count; i++) {
        cluster.nodes[i].save = save;
        cluster.nodes[i].restore = restore;
    }
    if (!cluster_run(&cluster, cluster_agrees)) return 1;
    struct replica *leader = cluster_leader(&cluster);
    const uint64_t away = leader->id % 3 + 1;
    cluster_crash(&cluster, away);
    for (uint32_t line = 0; line < LINES; line++) {
        char text[LINE_BYTES];
        snprintf(text, sizeof text, "line %u", line);
        if (cluster_propose(&cluster, leader, text) != TEAK_RAFT_OK) return 1;
    }
    if (!cluster_run(&cluster, cluster_agrees)) return 1;
    for (uint32_t i = 0; i < cluster.count; i++)
        if (cluster.nodes[i].raft && replica_snapshot(&cluster.nodes[i]) != TEAK_RAFT_OK) return 1;
    cluster_pass(&cluster, 1000);
    struct teak_raft_log_state log;
    if (leader->store.ops->state(leader->store.self, 0, &log) != TEAK_RAFT_OK) return 1;
    printf("the leader's log has forgotten its first entries: %s\n", log.base.index > LINES / 2 ? "yes" : "no");
    if (cluster_propose(&cluster, leader, "one more") != TEAK_RAFT_OK) return 1;
    cluster_restart(&cluster, away);
    for (uint32_t later = 0; later < LATER; later++) { /* the leader goes on, and has newer ones before that is there */
        if (cluster_propose(&cluster, leader, "later") != TEAK_RAFT_OK) return 1;
        cluster_pass(&cluster, 8);
        const enum teak_raft_status status = replica_snapshot(leader);
        if (status != TEAK_RAFT_OK && status != TEAK_RAFT_STALE) return 1; /* STALE: nothing new */
    }
    if (!cluster_run(&cluster, cluster_agrees)) return 1;
    const struct machine *machine = &machines[away - 1];
    printf("who was away was restored %u time, and has %u lines, the last \"%s\"\n", machine->restored, machine->count,
           machine->lines[machine->count - 1]);
    cluster_end(&cluster);
    return machine->count == LINES + 1 + LATER ? 0 : 1;
}
