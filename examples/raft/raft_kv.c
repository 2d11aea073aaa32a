/* raft_kv.c: a key-value store: commands are entries, each node applies them to its own table, in one order. */
#include <string.h>

#include "raft_driver.h"

enum { KEYS = 16, TEXT = 32 };

struct table {
    uint32_t count;
    char keys[KEYS][TEXT], values[KEYS][TEXT];
};

static struct table tables[CLUSTER_MAX];

static const char *get(const struct table *table, const char *key)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (strcmp(table->keys[i], key) == 0) return table->values[i];
    return "(none)";
}

/* "set KEY VALUE" or "delete KEY". The same entries in the same order make the same table. */
static void apply(struct replica *replica, const struct teak_raft_entry *entry)
{
    struct table *table = &tables[replica->id - 1];
    char text[100], verb[TEXT], key[TEXT], value[TEXT] = "";
    snprintf(text, sizeof text, "%.*s", (int)entry->bytes, (const char *)entry->data);
    if (sscanf(text, "%31s %31s %31s", verb, key, value) < 2) return;
    uint32_t place = 0;
    while (place < table->count && strcmp(table->keys[place], key) != 0) place++;
    if (strcmp(verb, "delete") == 0) {
        if (place == table->count) return;
        table->count--;
        memcpy(table->keys[place], table->keys[table->count], TEXT);
        memcpy(table->values[place], table->values[table->count], TEXT);
        return;
    }
    if (place == KEYS) return;
    if (place == table->count) memcpy(table->keys[table->count++], key, TEXT);
    memcpy(table->values[place], value, TEXT);
}

int main(void)
{
    static const char *const commands[] = {"set wood oak", "set rope hemp", "set mast pine", "set wood teak",
                                           "delete mast"};
    struct cluster cluster;
    cluster_begin(&cluster, 3, 3, apply);
    if (!cluster_run(&cluster, cluster_has_leader)) return 1;
    for (uint32_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (cluster_propose(&cluster, cluster_leader(&cluster), commands[i]) != TEAK_RAFT_OK) return 1;
    if (!cluster_run(&cluster, cluster_agrees)) return 1;
    for (uint32_t i = 0; i < cluster.count; i++)
        printf("node %u: wood %s, rope %s, mast %s\n", i + 1, get(&tables[i], "wood"), get(&tables[i], "rope"),
               get(&tables[i], "mast"));
    cluster_end(&cluster);
    return 0;
}
