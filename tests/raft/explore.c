/* explore.c: see explore.h. Depth first, on a stack of whole worlds. */
#include "explore.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
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
    COPY,
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

/* Of each state one half of its 128 bits; the other half says where to look for it. Two states are taken for one with a
 * chance of a few in 2^64 for each step. */
struct seen {
    uint64_t *slots; /* 0: free */
    uint64_t size, count;
};

static void seen_begin(struct seen *seen, uint64_t states_max)
{
    seen->size = states_max + states_max / 4 + 64;
    seen->count = 0;
    seen->slots = mmap(NULL, seen->size * sizeof seen->slots[0], PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (seen->slots == MAP_FAILED) abort();
    madvise(seen->slots, seen->size * sizeof seen->slots[0], MADV_HUGEPAGE); /* faster, where there are any */
}

static void seen_end(struct seen *seen) { munmap(seen->slots, seen->size * sizeof seen->slots[0]); }

/* true: it was not there. */
static bool seen_add(struct seen *seen, const uint64_t key[2])
{
    const uint64_t half = key[1] ? key[1] : 1;
    uint64_t at = (uint64_t)((unsigned __int128)key[0] * seen->size >> 64);
    while (seen->slots[at] != 0) {
        if (seen->slots[at] == half) return false;
        at = at + 1 == seen->size ? 0 : at + 1;
    }
    seen->slots[at] = half;
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
        for (uint32_t from = 1; frame->left.copies > 0 && from <= world->node_count; from++)
            add(frame, COPY, node, from);
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
    case COPY:
        left->copies--;
        world_crash(world, node, 0);
        world_copy_log(world, node, action.what);
        world_start(world, node);
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
    case COPY:
        fprintf(out, "crash %u\ncopy %u %u\nstart %u\n", action.node, action.node, action.what, action.node);
        return;
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

/* The search that runs, for when an assertion of the core ends it. */
static struct {
    const struct explore *explore;
    const struct frame *stack;
    const char *prelude; /* the commands that lead to the first frame */
    uint32_t depth;
} running;

static void print_way(FILE *out)
{
    fprintf(out, "%s", running.prelude);
    for (uint32_t i = 1; i <= running.depth; i++) print_action(out, &running.stack[i - 1], running.stack[i].taken);
}

static void an_assertion_failed(const char *text)
{
    printf("%s: %s\n%s: a counter-example, as a script\n\n", running.explore->name, text, running.explore->name);
    print_way(stdout);
    printf("\n");
    fflush(stdout);
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
    if (explore->visit) explore->visit(explore->context, world);
}

static bool offers(const struct world *world)
{
    for (uint32_t i = 0; i < world->net_count; i++)
        if (world->net[i].msg.type == TEAK_RAFT_SNAPSHOT) return true;
    return false;
}

/* What is done before the search, and the commands for it. */
static void say_propose(struct world *world, FILE *say, const char *word)
{
    fprintf(say, "propose 1 %s\n", word);
    world_propose(world, 1, word, 1);
}

static void say_stabilize(struct world *world, FILE *say)
{
    fprintf(say, "stabilize\n");
    world_stabilize(world);
}

static void say_fire(struct world *world, FILE *say, uint32_t node, enum teak_raft_timer timer)
{
    fprintf(say, "fire %u %s\n", node, timer == TEAK_RAFT_TIMER_PROMISE ? "promise" : "heartbeat");
    if (world_fire(world, node, timer) != TEAK_RAFT_OK) abort();
}

/* The last node was away while entries were committed, and forgotten behind a snapshot. */
static void fall_behind(struct world *world, FILE *say)
{
    const uint32_t node = world->node_count;
    fprintf(say, "crash %u\n", node);
    world_crash(world, node, 0);
    say_propose(world, say, "x");
    say_propose(world, say, "y");
    say_stabilize(world, say);
    fprintf(say, "snapshot 1\nstart %u\n", node);
    if (world_snapshot(world, 1) != TEAK_RAFT_OK) abort();
    world_start(world, node);
    say_fire(world, say, 1, TEAK_RAFT_TIMER_HEARTBEAT);
    fprintf(say, "complete 1\n");
    world_complete(world, 1);
    while (!offers(world)) {
        if (world->net_count == 0) abort();
        fprintf(say, "deliver 1\n");
        world_deliver(world, 0, false);
    }
}

static bool is_set_up(const struct explore *explore, const char *how)
{
    return explore->setup && strcmp(explore->setup, how) == 0;
}

static void begin(const struct explore *explore, struct frame *root, FILE *say)
{
    struct teak_raft_member members[WORLD_NODES];
    for (uint32_t i = 0; i < explore->nodes; i++)
        members[i] = (struct teak_raft_member){
            .id = i + 1, .roles = i + explore->learners < explore->nodes ? TEAK_RAFT_VOTER : TEAK_RAFT_LEARNER};
    struct teak_raft_options options = explore->options.election ? explore->options : world_options();
    if (is_set_up(explore, "behind")) options.trailing_entries = options.retain_entries = 0;
    root->rates = explore->rates;
    fprintf(say, "nodes %u", explore->nodes);
    if (explore->learners) fprintf(say, " learners=");
    for (uint32_t i = 0; i < explore->learners; i++) fprintf(say, "%u,", explore->nodes - i);
    world_print_options(say, &options);
    fprintf(say, "\n");
    struct world *world = &root->world;
    world_begin(world, options, explore->nodes, members, explore->nodes, NULL);
    for (uint32_t node = 1; options.promise_max > 0 && node <= explore->nodes; node++)
        say_fire(world, say, node, TEAK_RAFT_TIMER_PROMISE); /* to the leader of before the start */
    if (explore->setup) {
        fprintf(say, "campaign 1\n");
        if (teak_raft_campaign(world_node(world, 1)) != TEAK_RAFT_OK) abort();
        world_drain(world, 1);
        say_stabilize(world, say);
    }
    if (is_set_up(explore, "behind")) fall_behind(world, say);
    if (is_set_up(explore, "leader, heard")) {
        say_fire(world, say, 1, TEAK_RAFT_TIMER_HEARTBEAT);
        say_stabilize(world, say);
    }
    if (is_set_up(explore, "leader, back")) {
        say_fire(world, say, 1, TEAK_RAFT_TIMER_HEARTBEAT);
        fprintf(say, "drop 2\ncrash 2\nstart 2\n");
        world_drop(world, 1);
        world_crash(world, 2, 0);
        world_start(world, 2);
    }
    if (explore->liar) fprintf(say, "liar %u\n", explore->liar);
    world->liar = explore->liar;
    fprintf(say, "net-max %u\n", explore->net_max);
    world->net_max = explore->net_max;
    root->left = explore->budget;
    list_actions(root);
}

/* One step on from `top`, in the frame above it. */
static struct frame *go(const struct explore *explore, struct frame *top, struct action action)
{
    struct frame *next = top + 1;
    world_copy(&next->world, &top->world);
    next->left = top->left;
    next->rates = explore->rates;
    next->taken = action;
    act(next, action);
    return next;
}

/* ------------------------------------------------------------------------------------------------- a shorter way */

static bool is_listed(const struct frame *frame, struct action action)
{
    for (uint32_t i = 0; i < frame->count; i++)
        if (memcmp(&frame->actions[i], &action, sizeof action) == 0) return true;
    return false;
}

/* Goes that way from the first frame, as far as it goes. Returns where the same invariant is broken, 0: nowhere. */
static uint32_t replay(const struct explore *explore, struct frame *stack, const struct action *way, uint32_t count)
{
    running.depth = 0;
    for (uint32_t i = 0; i < count && is_listed(&stack[i], way[i]); i++) {
        struct frame *next = go(explore, &stack[i], way[i]);
        running.depth = i + 1;
        if (next->world.broken)
            return strcmp(next->world.broken_by, explore->broken_by) == 0 ? running.depth : 0;
        list_actions(next);
    }
    return 0;
}

static void end_frames(struct frame *stack)
{
    for (; running.depth > 0; running.depth--) world_end(&stack[running.depth].world);
}

/* Leaves out what can be left out, one step after the other, until no single one can. */
static void shorten(const struct explore *explore, struct frame *stack)
{
    struct action way[DEPTH_MAX], shorter[DEPTH_MAX];
    uint32_t count = running.depth;
    if (count == 0) return; /* it begins broken */
    for (uint32_t i = 0; i < count; i++) way[i] = stack[i + 1].taken;
    end_frames(stack);
    stack[0].world.hushed = true;
    for (uint32_t i = count; i-- > 0;) {
        memcpy(shorter, way, i * sizeof way[0]);
        memcpy(shorter + i, way + i + 1, (count - i - 1) * sizeof way[0]);
        const uint32_t broken_at = replay(explore, stack, shorter, count - 1);
        end_frames(stack);
        if (broken_at == 0) continue;
        memcpy(way, shorter, broken_at * sizeof way[0]);
        i = count = broken_at;
    }
    if (replay(explore, stack, way, count) == 0) abort();
}

static void tell(struct explore *explore, struct frame *stack)
{
    size_t bytes;
    explore->broken = true;
    explore->broken_by = stack[running.depth].world.broken_by;
    shorten(explore, stack);
    FILE *out = open_memstream(&explore->script, &bytes);
    if (!out) abort();
    print_way(out);
    fclose(out);
    if (!explore->quiet) printf("%s: a counter-example, as a script\n\n%s\n", explore->name, explore->script);
}

/* -------------------------------------------------------------------------------------------------------- all ways */

/* false: there was no room to go on. */
static bool search(struct explore *explore, struct frame *stack, struct seen *seen)
{
    uint64_t key[2];
    for (running.depth = 0;;) {
        struct frame *top = &stack[running.depth];
        if (top->next == top->count) {
            if (running.depth == 0) return true;
            world_end(&top->world);
            running.depth--;
            continue;
        }
        if (running.depth + 1 == DEPTH_MAX || explore->states >= explore->states_max) return false;
        running.depth++; /* an assertion that fails in the step tells of it */
        top[1].taken = top->actions[top->next++];
        struct frame *next = go(explore, top, top[1].taken);
        explore->steps++;
        if (next->world.broken) {
            tell(explore, stack);
            return true;
        }
        key_of(next, key);
        if (!seen_add(seen, key)) {
            world_end(&next->world);
            running.depth--;
            continue;
        }
        note(explore, &next->world, running.depth);
        list_actions(next);
    }
}

void explore_run(struct explore *explore)
{
    struct seen seen;
    struct frame *stack = calloc(DEPTH_MAX, sizeof *stack);
    if (!stack) abort();
    seen_begin(&seen, explore->states_max);
    char *prelude;
    size_t bytes;
    uint64_t key[2];
    FILE *say = open_memstream(&prelude, &bytes);
    if (!say) abort();
    begin(explore, &stack[0], say);
    fclose(say);
    key_of(&stack[0], key);
    seen_add(&seen, key);
    note(explore, &stack[0].world, 0);
    running.explore = explore;
    running.stack = stack;
    running.prelude = prelude;
    running.depth = 0;
    check_set_hook(an_assertion_failed);
    if (stack[0].world.broken)
        tell(explore, stack);
    else
        explore->exhausted = search(explore, stack, &seen) && !explore->broken;
    check_set_hook(NULL);
    end_frames(stack);
    world_end(&stack[0].world);
    free(prelude);
    free(stack);
    seen_end(&seen);
}
