/* explore.c: see explore.h. Depth first, on a stack of whole worlds. */
#include "explore.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

enum { DEPTH_MAX = 220, ACTIONS_MAX = 256 };

enum action_type {
    DELIVER,
    COMPLETE,
    DROP,
    DUP,
    FIRE,
    CRASH,
    PROPOSE,
    REFUSE,
    ROOM,
    CHANGE,
    TRANSFER,
    READ,
    SNAPSHOT,
    TIME
};

struct action {
    uint8_t type, node, what;
};

struct frame {
    struct world world;
    struct budget left;
    struct action taken; /* leads to this frame */
    struct action actions[ACTIONS_MAX];
    uint32_t count, next;
    const uint16_t *rates;
};

struct seen {
    uint64_t (*slots)[2];
    uint64_t size, count;
};

/* true: it was not there. */
static bool seen_add(struct seen *seen, const uint64_t key[2])
{
    if (seen->count * 2 >= seen->size) {
        struct seen larger = {.size = seen->size ? seen->size * 2 : 1 << 16};
        larger.slots = calloc(larger.size, sizeof larger.slots[0]);
        if (!larger.slots) abort();
        for (uint64_t i = 0; i < seen->size; i++)
            if (seen->slots[i][0] | seen->slots[i][1]) seen_add(&larger, seen->slots[i]);
        free(seen->slots);
        *seen = larger;
    }
    uint64_t at = key[0] & (seen->size - 1);
    while (seen->slots[at][0] | seen->slots[at][1]) {
        if (seen->slots[at][0] == key[0] && seen->slots[at][1] == key[1]) return false;
        at = (at + 1) & (seen->size - 1);
    }
    seen->slots[at][0] = key[0];
    seen->slots[at][1] = key[1];
    seen->count++;
    return true;
}

/* With clocks, how much of each time is left decides too. */
static uint64_t times_left(const struct world *world)
{
    uint64_t sum = 0;
    for (uint32_t node = 1; node <= world->node_count; node++) {
        const struct teak_raft *raft = world_node(world, node);
        for (uint32_t timer = 0; timer < TEAK_RAFT_TIMER_COUNT; timer++) {
            const uint64_t left = raft->at[timer] == TEAK_RAFT_NEVER ? 0 : 1 + raft->at[timer] - raft->now;
            sum = (sum ^ left) * UINT64_C(0x9fb21c651e98df25) + (sum >> 29);
        }
        const uint64_t rest[] = {raft->random, raft->fresh, raft->now - raft->lease.at,
                                 raft->now - raft->lease_next.at};
        for (uint32_t i = 0; i < 4; i++) sum = (sum ^ rest[i]) * UINT64_C(0x9fb21c651e98df25) + (sum >> 29);
    }
    return sum;
}

static void key_of(const struct frame *frame, uint64_t key[2])
{
    uint64_t left = 0;
    world_digest(&frame->world, (uint8_t *)key);
    uint64_t words[2] = {0, 0};
    static_assert(sizeof frame->left <= sizeof words, "it is told apart by two words");
    memcpy(words, &frame->left, sizeof frame->left);
    for (uint32_t i = 0; i < 2; i++) {
        left = (left ^ words[i]) * UINT64_C(0x9fb21c651e98df25);
        left ^= left >> 32;
    }
    if (frame->rates[0] != 0) key[1] ^= times_left(&frame->world);
    key[0] ^= left * UINT64_C(0x9e3779b97f4a7c15);
    key[1] += left;
}

/* ---------------------------------------------------------------------------------------------------------- actions */

static void add(struct frame *frame, enum action_type type, uint32_t node, uint32_t what)
{
    if (frame->count == ACTIONS_MAX) abort();
    frame->actions[frame->count++] =
        (struct action){.type = (uint8_t)type, .node = (uint8_t)node, .what = (uint8_t)what};
}

static void list_timers(struct frame *frame, uint32_t node)
{
    const uint8_t left[] = {frame->left.elections, frame->left.promises, frame->left.heartbeats, frame->left.quorums,
                            frame->left.transfers, frame->left.old_reads};
    const struct teak_raft *raft = world_node(&frame->world, node);
    for (uint32_t timer = 0; timer < sizeof left; timer++) {
        if (left[timer] == 0 || !teak_raft_runs(raft, (enum teak_raft_timer)timer)) continue;
        /* with clocks, no election timeout is shorter than a promise that began with it */
        const bool waits = frame->rates[0] != 0 && teak_raft_runs(raft, TEAK_RAFT_TIMER_PROMISE);
        if (timer != TEAK_RAFT_TIMER_ELECTION || !waits) add(frame, FIRE, node, timer);
    }
}

static void list_actions(struct frame *frame)
{
    const struct world *world = &frame->world;
    frame->count = frame->next = 0;
    if (frame->left.times > 0) add(frame, TIME, 0, 0);
    for (uint32_t i = 0; i < world->net_count; i++) {
        add(frame, DELIVER, 0, i);
        if (frame->left.drops > 0) add(frame, DROP, 0, i);
        if (frame->left.dups > 0) add(frame, DUP, 0, i);
    }
    for (uint32_t node = 1; node <= world->node_count; node++) {
        const struct disk_model *disk = &world->at[node - 1]->disk;
        const struct teak_raft *raft = world_node(world, node);
        if (disk->flight_count > 0) add(frame, COMPLETE, node, 0);
        list_timers(frame, node);
        for (uint32_t kept = 0; frame->left.crashes > 0 && kept <= disk->flight_count; kept++)
            add(frame, CRASH, node, kept);
        if (disk->flight_count > 0 && frame->left.refusals > 0) add(frame, REFUSE, node, 0);
        if (disk->full) add(frame, ROOM, node, 0);
        if (frame->left.reads > 0 && raft->leader != 0) add(frame, READ, node, 0);
        if (frame->left.snapshots > 0 && raft->applied > raft->snapshot.name.pos.index) add(frame, SNAPSHOT, node, 0);
        if (raft->role != TEAK_RAFT_LEADER) continue;
        if (frame->left.proposals > 0) add(frame, PROPOSE, node, 0);
        for (uint32_t which = 0; frame->left.changes > 0 && which < 2; which++) add(frame, CHANGE, node, which);
        if (frame->left.transfers > 0) add(frame, TRANSFER, node, 0);
    }
}

/* Two changes: the leader goes, or the last node is the other thing: a voter, a learner. */
static uint32_t wanted(const struct world *world, uint32_t node, uint32_t which, struct teak_raft_member *members)
{
    uint32_t count = 0;
    for (uint32_t id = 1; id <= world->node_count; id++) {
        const uint32_t slot = slot_of(world_node(world, node), id);
        uint8_t roles = slot == NO_SLOT ? TEAK_RAFT_LEARNER : config_members(world_node(world, node))[slot].roles;
        if (which == 0 && id == node) continue;
        if (which == 1 && id == world->node_count)
            roles = roles == TEAK_RAFT_VOTER ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER;
        members[count++] = (struct teak_raft_member){.id = id, .roles = roles};
    }
    return count;
}

static void act(struct frame *frame, struct action action)
{
    struct world *world = &frame->world;
    struct budget *left = &frame->left;
    struct teak_raft_member members[WORLD_NODES];
    const uint32_t node = action.node;
    uint8_t *const timers[] = {&left->elections, &left->promises, &left->heartbeats, &left->quorums,
                               &left->transfers, &left->old_reads};
    switch ((enum action_type)action.type) {
    case DELIVER: world_deliver(world, action.what, false); return;
    case COMPLETE: world_complete(world, node); return;
    case DROP:
        left->drops--;
        world_drop(world, action.what);
        return;
    case DUP:
        left->dups--;
        world_deliver(world, action.what, true);
        return;
    case FIRE:
        --*timers[action.what];
        world_fire(world, node, (enum teak_raft_timer)action.what);
        return;
    case CRASH:
        left->crashes--;
        world_crash(world, node, action.what);
        world_start(world, node);
        return;
    case PROPOSE: {
        const char text[2] = {(char)('a' + left->proposals), 0};
        left->proposals--;
        world_propose(world, node, text, 100u + left->proposals);
        return;
    }
    case REFUSE:
        left->refusals--;
        world_refuse(world, node);
        return;
    case ROOM: world_room(world, node); return;
    case SNAPSHOT:
        left->snapshots--;
        world_snapshot(world, node);
        return;
    case CHANGE:
        left->changes--;
        world_touch(world, node);
        teak_raft_change(world_node(world, node), world_node(world, node)->config.index, members,
                         wanted(world, node, action.what, members));
        world_drain(world, node);
        return;
    case TRANSFER:
        left->transfers--;
        world_touch(world, node);
        teak_raft_transfer(world_node(world, node), 0);
        world_drain(world, node);
        return;
    case READ:
        left->reads--;
        world_read(world, node, 200u + left->reads, frame->rates[0] ? TEAK_RAFT_READ_LEASE : TEAK_RAFT_READ_INDEX);
        if (frame->rates[0]) world_tick(world, node, world->clocks[node - 1]);
        return;
    case TIME:
        left->times--;
        for (uint32_t each = 1; each <= world->node_count; each++)
            world_tick(world, each, world->clocks[each - 1] + frame->rates[each - 1]);
        return;
    }
}

/* ---------------------------------------------------------------------------------------------------- the way there */

static void print_action(FILE *out, const struct frame *before, struct action action)
{
    static const char *const timers[] = {"election", "promise", "heartbeat", "quorum", "transfer", "read"};
    struct teak_raft_member members[WORLD_NODES];
    switch ((enum action_type)action.type) {
    case DELIVER: fprintf(out, "deliver %u\n", action.what + 1); return;
    case COMPLETE: fprintf(out, "complete %u\n", action.node); return;
    case DROP: fprintf(out, "drop %u\n", action.what + 1); return;
    case DUP: fprintf(out, "dup %u\n", action.what + 1); return;
    case FIRE: fprintf(out, "fire %u %s\n", action.node, timers[action.what]); return;
    case CRASH: fprintf(out, "crash %u kept=%u\nstart %u\n", action.node, action.what, action.node); return;
    case PROPOSE: fprintf(out, "propose %u %c\n", action.node, 'a' + before->left.proposals); return;
    case REFUSE: fprintf(out, "refuse %u\n", action.node); return;
    case ROOM: fprintf(out, "room %u\n", action.node); return;
    case SNAPSHOT: fprintf(out, "snapshot %u\n", action.node); return;
    case CHANGE: {
        fprintf(out, "change %u", action.node);
        const uint32_t count = wanted(&before->world, action.node, action.what, members);
        for (uint32_t i = 0; i < count; i++)
            fprintf(out, " %" PRIu64 "%s", members[i].id, members[i].roles == TEAK_RAFT_LEARNER ? ":learner" : "");
        fprintf(out, "\n");
        return;
    }
    case TRANSFER: fprintf(out, "transfer %u 0\n", action.node); return;
    case READ:
        fprintf(out, "read %u %u", action.node, 199u + before->left.reads);
        if (before->rates[0])
            fprintf(out, " lease\ntick %u %" PRIu64, action.node, before->world.clocks[action.node - 1]);
        fprintf(out, "\n");
        return;
    case TIME:
        for (uint32_t node = 1; node <= before->world.node_count; node++)
            fprintf(out, "tick %u %" PRIu64 "\n", node, before->world.clocks[node - 1] + before->rates[node - 1]);
        return;
    }
}

static bool has_heard(const struct explore *explore)
{
    return explore->setup && strcmp(explore->setup, "leader, heard") == 0;
}

static void print_way(const struct explore *explore, const struct frame *stack, uint32_t depth)
{
    printf("%s: a counter-example, as a script\n\nnodes %u", explore->name, explore->nodes);
    if (explore->setup && strcmp(explore->setup, "behind") == 0) printf(" trailing_entries=0 retain_entries=0");
    if (explore->learners) {
        printf(" learners=");
        for (uint32_t i = explore->nodes - explore->learners + 1; i <= explore->nodes; i++) printf("%u,", i);
    }
    if (explore->options.promise_max > 0)
        printf(" election=%" PRIu64 " heartbeat=%" PRIu64 " promise_max=%" PRIu64 " lease_drift_ppm=%u",
               explore->options.election, explore->options.heartbeat, explore->options.promise_max,
               explore->options.lease_drift_ppm);
    printf("\n");
    for (uint32_t node = 1; explore->options.promise_max > 0 && node <= explore->nodes; node++)
        printf("fire %u promise\n", node);
    if (explore->setup) printf("campaign 1\nstabilize\n");
    if (explore->setup && strcmp(explore->setup, "behind") == 0)
        printf("crash %u\npropose 1 x y\nstabilize\nsnapshot 1\nstart %u\nfire 1 heartbeat\n"
               "# complete 1, deliver 1, until an offer is on its way\n",
               explore->nodes, explore->nodes);
    if (has_heard(explore)) printf("fire 1 heartbeat\nstabilize\n");
    for (uint32_t i = 1; i <= depth; i++) print_action(stdout, &stack[i - 1], stack[i].taken);
    printf("\n");
}

/* ----------------------------------------------------------------------------------------------------------- search */

static void note(struct explore *explore, const struct world *world, uint32_t depth)
{
    uint64_t leaders = 0;
    for (uint32_t term = 0; term < WORLD_TERMS; term++) leaders += world->led_by[term] != 0;
    if (leaders > explore->leaders) explore->leaders = leaders;
    if (world->committed > explore->commits) explore->commits = world->committed;
    if (world->restores > explore->restores) explore->restores = world->restores;
    if (depth > explore->depth) explore->depth = depth;
    if (world->answers[TEAK_RAFT_READ_OK] > explore->reads) explore->reads = world->answers[TEAK_RAFT_READ_OK];
    explore->states++;
}

static bool offers(const struct world *world)
{
    for (uint32_t i = 0; i < world->net_count; i++)
        if (world->net[i].msg.type == TEAK_RAFT_SNAPSHOT) return true;
    return false;
}

/* The last node was away while entries were committed, and forgotten behind a snapshot. */
static void fall_behind(struct world *world)
{
    const uint32_t node = world->node_count;
    world_crash(world, node, 0);
    world_propose(world, 1, "x", 1);
    world_propose(world, 1, "y", 2);
    world_stabilize(world);
    if (world_snapshot(world, 1) != TEAK_RAFT_OK) abort();
    world_start(world, node);
    world_fire(world, 1, TEAK_RAFT_TIMER_HEARTBEAT);
    world_complete(world, 1);
    while (!offers(world)) {
        if (world->net_count == 0) abort();
        world_deliver(world, 0, false);
    }
}

static void begin(struct explore *explore, struct frame *root)
{
    struct teak_raft_member members[WORLD_NODES];
    for (uint32_t i = 0; i < explore->nodes; i++)
        members[i] = (struct teak_raft_member){
            .id = i + 1, .roles = i + explore->learners < explore->nodes ? TEAK_RAFT_VOTER : TEAK_RAFT_LEARNER};
    struct teak_raft_options options = explore->options.election ? explore->options : world_options();
    if (explore->setup && strcmp(explore->setup, "behind") == 0) options.trailing_entries = options.retain_entries = 0;
    root->rates = explore->rates;
    world_begin(&root->world, options, explore->nodes, members, explore->nodes, NULL);
    for (uint32_t node = 1; explore->options.promise_max > 0 && node <= explore->nodes; node++)
        world_fire(&root->world, node, TEAK_RAFT_TIMER_PROMISE); /* to the leader of before the start */
    if (explore->setup) {
        teak_raft_campaign(world_node(&root->world, 1));
        world_drain(&root->world, 1);
        world_stabilize(&root->world);
        if (strcmp(explore->setup, "behind") == 0) fall_behind(&root->world);
    }
    if (has_heard(explore)) {
        world_fire(&root->world, 1, TEAK_RAFT_TIMER_HEARTBEAT);
        world_stabilize(&root->world);
    }
    root->world.net_max = explore->net_max;
    root->left = explore->budget;
    list_actions(root);
}

void explore_run(struct explore *explore)
{
    struct seen seen = {.size = 0};
    struct frame *stack = calloc(DEPTH_MAX, sizeof *stack);
    if (!stack) abort();
    uint64_t key[2];
    uint32_t depth = 0;
    begin(explore, &stack[0]);
    key_of(&stack[0], key);
    seen_add(&seen, key);
    note(explore, &stack[0].world, 0);
    explore->broken = stack[0].world.broken;
    explore->exhausted = true;
    while (!explore->broken) {
        struct frame *top = &stack[depth];
        if (top->next == top->count) {
            if (depth == 0) break;
            world_end(&top->world);
            depth--;
            continue;
        }
        if (depth + 1 == DEPTH_MAX || explore->states >= explore->states_max) {
            explore->exhausted = false;
            break;
        }
        struct frame *next = &stack[depth + 1];
        world_copy(&next->world, &top->world);
        next->left = top->left;
        next->rates = explore->rates;
        next->taken = top->actions[top->next++];
        act(next, next->taken);
        explore->steps++;
        depth++;
        if (next->world.broken) {
            explore->broken = true;
            if (!explore->quiet) print_way(explore, stack, depth);
            break;
        }
        key_of(next, key);
        if (!seen_add(&seen, key)) {
            world_end(&next->world);
            depth--;
            continue;
        }
        note(explore, &next->world, depth);
        list_actions(next);
    }
    for (uint32_t i = 0; i <= depth; i++) world_end(&stack[i].world);
    free(stack);
    free(seen.slots);
}
