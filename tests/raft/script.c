/* script.c: see script.h. */
#include "script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/tail.h"
#include "world.h"

static struct world world; /* 200 KB: not for a stack */
static bool begun;
static uint64_t next_tag;
static struct teak_raft_options options;

/* ------------------------------------------------------------------------------------------------------ arguments */

enum { WORDS_MAX = 24 };

struct line {
    char text[512];
    char *words[WORDS_MAX];
    uint32_t count;
};

static void split(struct line *line, const char *text, size_t bytes)
{
    if (bytes >= sizeof line->text) abort();
    memcpy(line->text, text, bytes);
    line->text[bytes] = 0;
    line->count = 0;
    for (char *save, *word = strtok_r(line->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (line->count == WORDS_MAX) abort();
        line->words[line->count++] = word;
    }
}

static uint32_t number(const struct line *line, uint32_t word)
{
    return word < line->count ? (uint32_t)strtoul(line->words[word], NULL, 10) : 0;
}

/* The value of key=value, NULL: not given. */
static const char *value(const struct line *line, const char *key)
{
    const size_t length = strlen(key);
    for (uint32_t i = 1; i < line->count; i++)
        if (strncmp(line->words[i], key, length) == 0 && line->words[i][length] == '=')
            return line->words[i] + length + 1;
    return NULL;
}

static uint32_t node_of(const struct line *line, FILE *out)
{
    const uint32_t node = number(line, 1);
    if (begun && node >= 1 && node <= world.node_count) return node;
    fprintf(out, "no such node\n");
    return 0;
}

static void answer(FILE *out, enum teak_raft_status status)
{
    if (status != TEAK_RAFT_OK) fprintf(out, "%s\n", teak_raft_status_name(status));
}

/* ------------------------------------------------------------------------------------------------------- commands */

static void do_nodes(const struct line *line, FILE *out)
{
    struct teak_raft_member members[WORLD_NODES];
    const uint32_t count = number(line, 1);
    const char *founders = value(line, "members"), *learners = value(line, "learners");
    const char *priorities = value(line, "priorities"); /* a digit each */
    const char *unnamed = value(line, "unnamed");       /* founders do not know each other's logs */
    uint32_t member_count = 0;
    for (uint32_t id = 1; id <= count; id++) {
        char digit[2] = {(char)('0' + id), 0};
        const bool learns = learners && strstr(learners, digit);
        if (founders && !strstr(founders, digit) && !learns) continue;
        members[member_count++] =
            (struct teak_raft_member){.id = id, .roles = learns ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER};
        if (unnamed) members[member_count - 1].born = WORLD_UNNAMED;
        if (priorities && strlen(priorities) >= id)
            members[member_count - 1].priority = (uint8_t)(priorities[id - 1] - '0');
    }
    options = world_options();
    for (uint32_t i = 2; i < line->count; i++) {
        char *equals = strchr(line->words[i], '=');
        if (!equals) continue;
        *equals = 0; /* not one of those above, if there is no such option */
        world_set_option(&options, line->words[i], strtoull(equals + 1, NULL, 10));
        *equals = '=';
    }
    if (begun) world_end(&world);
    begun = true;
    next_tag = 1;
    world_begin(&world, options, count, members, member_count, out);
}

static bool fits(const struct letter *letter, const struct line *line)
{
    const char *to = value(line, "to"), *from = value(line, "from"), *type = value(line, "type");
    return (!to || strtoull(to, NULL, 10) == letter->msg.to) &&
           (!from || strtoull(from, NULL, 10) == letter->msg.from) &&
           (!type || strcmp(type, world_type_name(letter->msg.type)) == 0);
}

static void do_letters(const struct line *line, FILE *out)
{
    const bool drop = strcmp(line->words[0], "drop") == 0, keep = strcmp(line->words[0], "dup") == 0;
    uint32_t place = 0, left = world.net_count;
    const bool one = line->count > 1 && !strchr(line->words[1], '=');
    if (one) {
        place = number(line, 1) - 1;
        left = 1;
    }
    for (bool any = false;; left--) {
        while (!one && left > 0 && !fits(&world.net[place], line)) {
            place++;
            left--;
        }
        if (left == 0 || place >= world.net_count) {
            if (!any) fprintf(out, "nothing\n");
            return;
        }
        any = true;
        if (drop) {
            world_drop(&world, place);
            continue;
        }
        answer(out, world_deliver(&world, place, keep));
        place += keep;
    }
}

static void do_net(FILE *out)
{
    for (uint32_t i = 0; i < world.net_count; i++) {
        struct teak_raft_msg msg = world.net[i].msg;
        msg.entries = world.net[i].entries;
        msg.chunk = &world.net[i].chunk;
        fprintf(out, "%u: ", i + 1);
        world_print_msg(out, &msg);
        fprintf(out, "\n");
    }
}

static void do_state(uint32_t node, FILE *out)
{
    static const char *const roles[] = {"follower", "pre-candidate", "candidate", "leader"};
    struct teak_raft_view view;
    if (!world.up[node - 1]) {
        fprintf(out, "down\n");
        return;
    }
    teak_raft_view(world_node(&world, node), &view);
    fprintf(out, "%s term %" PRIu64 " vote %" PRIu64 " leader %" PRIu64 " last %" PRIu64 "/%" PRIu64 " commit %" PRIu64
                 " durable %" PRIu64 " verified %" PRIu64 " applied %" PRIu64 " config %" PRIu64 " jobs %u%s%s%s%s%s\n",
            roles[view.role], view.term, view.vote, view.leader, view.last.index, view.last.term, view.commit,
            view.durable, view.verified, view.applied, view.config_index, view.jobs, view.halted ? " halted" : "",
            view.has_room ? "" : " full", view.transferring ? " transferring" : "",
            view.leased ? " leased" : "", view.stalled ? " stalled" : "");
    if (view.snapshot.index > 0)
        fprintf(out, "  begins at %" PRIu64 ", snapshot %" PRIu64 "/%" PRIu64 "\n", view.first, view.snapshot.index,
                view.snapshot.term);
}

static void do_peers(uint32_t node, FILE *out)
{
    static const char *const names[] = {"probe", "replicate", "needs a snapshot"};
    struct teak_raft_peer_view view;
    for (uint32_t slot = 0; teak_raft_peer(world_node(&world, node), slot, &view); slot++)
        fprintf(out, "%" PRIu64 " roles %u %s match %" PRIu64 " next %" PRIu64 " in flight %u%s%s%s\n", view.member.id,
                view.member.roles, names[view.progress], view.match, view.next,
                view.in_flight, view.paused ? " paused" : "", view.full ? " full" : "", view.heard ? " heard" : "");
}

static void do_log(uint32_t node, FILE *out)
{
    const struct teak_raft *raft = world_node(&world, node);
    for (uint64_t index = raft->tail_first; index <= raft->last.index; index++) {
        fprintf(out, index > raft->tail_first ? ", " : "");
        world_print_entry(out, tail_at(raft, index));
    }
    fprintf(out, "\n");
}

static void do_disk(uint32_t node, FILE *out)
{
    const struct disk_model *disk = &world.at[node - 1]->disk;
    fprintf(out, "term %" PRIu64 " vote %" PRIu64 " commit %" PRIu64 ":", disk->hard.term, disk->hard.vote,
            disk->hard.commit);
    if (disk->snapshot.pos.index > 0)
        fprintf(out, " snapshot %" PRIu64 "/%" PRIu64, disk->snapshot.pos.index, disk->snapshot.pos.term);
    for (uint32_t i = disk->first; i <= disk->last; i++) {
        fprintf(out, " ");
        world_print_entry(out, &disk->entries[i]);
    }
    fprintf(out, ", %u jobs in flight\n", disk->flight_count);
}

static uint32_t members_of(const struct line *line, struct teak_raft_member *members)
{
    uint32_t count = 0;
    for (uint32_t i = 2; i < line->count && count < WORLD_NODES; i++) {
        const char *word = line->words[i], *born = strchr(word, '@');
        if (strchr(word, '=')) continue;
        members[count++] =
            (struct teak_raft_member){.id = number(line, i), .born = born ? strtoull(born + 1, NULL, 10) : 0,
                                      .roles = strstr(word, ":learner") ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER};
    }
    return count;
}

static void do_recover(const struct line *line, uint32_t node, FILE *out)
{
    struct teak_raft_member members[WORLD_NODES];
    struct teak_raft_recovered report;
    const enum teak_raft_status status = world_recover(&world, node, members, members_of(line, members), &report);
    answer(out, status);
    if (status == TEAK_RAFT_OK)
        fprintf(out, "committed %" PRIu64 ", and now all up to %" PRIu64 "/%" PRIu64 "\n", report.committed,
                report.last.index, report.last.term);
}

static void do_change(const struct line *line, uint32_t node, FILE *out)
{
    struct teak_raft_member members[WORLD_NODES];
    const uint32_t count = members_of(line, members);
    const char *given = value(line, "seen");
    const uint64_t seen = given ? strtoull(given, NULL, 10) : world_node(&world, node)->config.index;
    answer(out, teak_raft_change(world_node(&world, node), seen, members, count));
    world_drain(&world, node);
}

/* The configuration of the newest snapshot, as an entry. */
static void do_snapshots(uint32_t node, FILE *out)
{
    const struct teak_raft_snapshot *name = &world.at[node - 1]->disk.body;
    const struct teak_raft_entry entry = {.index = name->config_index, .kind = TEAK_RAFT_CONFIG, .data = name->config,
                                          .bytes = name->config_bytes};
    fprintf(out, "snapshot %" PRIu64 "/%" PRIu64 ": ", name->pos.index, name->pos.term);
    world_print_entry(out, &entry);
    fprintf(out, "\n");
}

static struct teak_raft_pos pos_of(const char *text)
{
    struct teak_raft_pos pos = {0, 0};
    char *end = NULL;
    if (text) pos.index = strtoull(text, &end, 10);
    if (end && *end == '/') pos.term = strtoull(end + 1, NULL, 10);
    return pos;
}

static void do_forge(const struct line *line, FILE *out)
{
    struct letter letter = {.msg = {.group = 1, .from = number(line, 1), .to = number(line, 2)}};
    struct teak_raft_msg *msg = &letter.msg;
    for (uint8_t type = 1; line->count > 3 && type < TEAK_RAFT_MSG_TYPE_COUNT; type++)
        if (strcmp(world_type_name(type), line->words[3]) == 0) msg->type = type;
    const uint32_t from = (uint32_t)msg->from;
    msg->born = 1000 + msg->from; /* of its first log */
    msg->incarnation = msg->from * 100 + (from <= WORLD_NODES ? world.starts[from - 1] : 1);
    const char *round = value(line, "round");
    const char *term = value(line, "term"), *index = value(line, "index"), *run = value(line, "incarnation");
    if (term) msg->term = strtoull(term, NULL, 10);
    if (index) msg->index = strtoull(index, NULL, 10);
    if (run) msg->incarnation = strtoull(run, NULL, 10);
    if (value(line, "born")) msg->born = strtoull(value(line, "born"), NULL, 10);
    if (value(line, "group")) msg->group = strtoull(value(line, "group"), NULL, 10);
    msg->at = pos_of(value(line, "after"));
    msg->asked = world_node(&world, (uint32_t)msg->to)->incarnation;
    msg->round = world_node(&world, (uint32_t)msg->to)->vote_round;
    if (round) msg->round = strtoull(round, NULL, 10);
    msg->refused = value(line, "refused") != NULL;
    for (uint32_t i = 4; i < line->count && msg->count < WORLD_SPAN; i++) {
        if (strncmp(line->words[i], "entry=", 6) != 0) continue;
        const struct teak_raft_pos pos = pos_of(line->words[i] + 6);
        const char *word = strchr(line->words[i] + 6, '=');
        letter.entries[msg->count++] =
            (struct teak_raft_entry){.index = pos.index,
                                     .term = pos.term,
                                     .kind = TEAK_RAFT_KIND_APPLICATION,
                                     .bytes = (uint32_t)strlen(word + 1),
                                     .data = world_intern((const uint8_t *)word + 1, (uint32_t)strlen(word + 1))};
    }
    msg->entries = letter.entries;
    if (value(line, "snapshot")) { /* of the ledger's configuration 1, and nothing else that would fit */
        letter.chunk.snapshot = (struct teak_raft_snapshot){
            .pos = pos_of(value(line, "snapshot")), .born = msg->born, .bytes = WORLD_BODY, .config_index = 1,
            .config = world.ledger[1].data, .config_bytes = world.ledger[1].bytes};
        msg->chunk = &letter.chunk;
    }
    answer(out, teak_raft_receive(world_node(&world, (uint32_t)msg->to), msg));
    world_drain(&world, (uint32_t)msg->to);
}

static void do_fire(const struct line *line, uint32_t node, FILE *out)
{
    static const char *const names[] = {"election", "promise", "heartbeat", "quorum", "transfer", "read", "stall"};
    for (uint32_t timer = 0; timer < TEAK_RAFT_TIMER_COUNT; timer++)
        if (line->count > 2 && strcmp(names[timer], line->words[2]) == 0) {
            const enum teak_raft_status status = world_fire(&world, node, (enum teak_raft_timer)timer);
            fprintf(out, status == TEAK_RAFT_MISUSE ? "it does not run\n" : "");
        }
}

static void do_one(const struct line *line, uint32_t node, FILE *out)
{
    const char *verb = line->words[0];
    struct teak_raft *raft = world_node(&world, node);
    if (strcmp(verb, "campaign") == 0) {
        answer(out, teak_raft_campaign(raft));
        world_drain(&world, node);
    } else if (strcmp(verb, "propose") == 0) {
        for (uint32_t i = 2; i < line->count; i++) answer(out, world_propose(&world, node, line->words[i], next_tag++));
    } else if (strcmp(verb, "transfer") == 0) {
        answer(out, teak_raft_transfer(raft, number(line, 2)));
        world_drain(&world, node);
    } else if (strcmp(verb, "read") == 0) {
        answer(out, world_read(&world, node, number(line, 2),
                               line->count > 3 ? TEAK_RAFT_READ_LEASE : TEAK_RAFT_READ_INDEX));
    } else if (strcmp(verb, "tick") == 0) {
        world_tick(&world, node, number(line, 2));
    } else if (strcmp(verb, "unreachable") == 0) {
        answer(out, teak_raft_unreachable(raft, number(line, 2)));
        world_drain(&world, node);
    } else if (strcmp(verb, "change") == 0) {
        do_change(line, node, out);
    } else if (strcmp(verb, "fire") == 0) {
        do_fire(line, node, out);
    } else if (strcmp(verb, "complete") == 0) {
        for (uint32_t left = line->count > 2 ? number(line, 2) : 1; left > 0; left--) world_complete(&world, node);
    } else if (strcmp(verb, "refuse") == 0) {
        world_refuse(&world, node);
    } else if (strcmp(verb, "poison") == 0) {
        world_poison(&world, node);
    } else if (strcmp(verb, "room") == 0) {
        world_room(&world, node);
    } else if (strcmp(verb, "crash") == 0) {
        const char *kept = value(line, "kept");
        world_crash(&world, node, kept ? (uint32_t)strtoul(kept, NULL, 10) : 0);
    } else if (strcmp(verb, "snapshot") == 0) {
        answer(out, world_snapshot(&world, node));
    } else if (strcmp(verb, "snapshots") == 0) {
        do_snapshots(node, out);
    } else if (strcmp(verb, "bodies") == 0) {
        world.at[node - 1]->disk.refuses_bodies = line->count > 2 && strcmp(line->words[2], "refuses") == 0;
        world.at[node - 1]->disk.hangs = line->count > 2 && strcmp(line->words[2], "hangs") == 0;
    } else if (strcmp(verb, "start") == 0) {
        world_start(&world, node);
    } else if (strcmp(verb, "wipe") == 0) {
        world_wipe(&world, node);
    } else if (strcmp(verb, "copy") == 0) {
        world_copy_log(&world, node, number(line, 2));
    } else if (strcmp(verb, "recover") == 0) {
        do_recover(line, node, out);
    } else if (strcmp(verb, "state") == 0) {
        do_state(node, out);
    } else if (strcmp(verb, "peers") == 0) {
        do_peers(node, out);
    } else if (strcmp(verb, "log") == 0) {
        do_log(node, out);
    } else if (strcmp(verb, "disk") == 0) {
        do_disk(node, out);
    } else {
        fprintf(out, "no such command: %s\n", verb);
    }
}

static void run_line(struct line *line, FILE *out)
{
    FILE *trace = out;
    if (strcmp(line->words[0], "quiet") == 0) {
        trace = NULL;
        line->count--;
        memmove(line->words, line->words + 1, line->count * sizeof line->words[0]);
    }
    const char *verb = line->words[0];
    world.out = trace;
    if (strcmp(verb, "nodes") == 0) {
        do_nodes(line, trace);
    } else if (strcmp(verb, "net") == 0) {
        do_net(out);
    } else if (strcmp(verb, "may-halt") == 0) {
        world.may_halt = true;
    } else if (strcmp(verb, "net-max") == 0) {
        world.net_max = number(line, 1);
    } else if (strcmp(verb, "liar") == 0) {
        world.liar = number(line, 1);
    } else if (strcmp(verb, "stabilize") == 0) {
        world_stabilize(&world);
    } else if (strcmp(verb, "forge") == 0) {
        do_forge(line, out);
    } else if (strcmp(verb, "deliver") == 0 || strcmp(verb, "drop") == 0 || strcmp(verb, "dup") == 0) {
        do_letters(line, out);
    } else {
        const uint32_t node = node_of(line, out);
        if (node) do_one(line, node, out);
    }
}

/* ----------------------------------------------------------------------------------------------------------- play */

static const char *line_end(const char *at)
{
    const char *end = strchr(at, '\n');
    return end ? end : at + strlen(at);
}

/* One command, or `repeat N` of several, with semicolons between. */
static void run_text(const char *text, size_t bytes, FILE *out)
{
    struct line line;
    char *begin = NULL;
    uint32_t times = strncmp(text, "repeat ", 7) == 0 ? (uint32_t)strtoul(text + 7, &begin, 10) : 0;
    if (!begin) {
        split(&line, text, bytes);
        run_line(&line, out);
    }
    for (; times > 0; times--)
        for (const char *at = begin, *end = text + bytes; at < end;) {
            const char *next = memchr(at, ';', (size_t)(end - at));
            split(&line, at, (size_t)((next ? next : end) - at));
            run_line(&line, out);
            at = next ? next + 1 : end;
        }
}

static void play(const char *script, FILE *out)
{
    bool printing = false; /* below ----: what stands there is left out, up to an empty line */
    for (const char *at = script; *at;) {
        const char *end = line_end(at);
        const size_t bytes = (size_t)(end - at);
        if (printing) {
            if (bytes == 0) {
                printing = false;
                fprintf(out, "\n");
            }
        } else if (bytes == 4 && memcmp(at, "----", 4) == 0) {
            printing = true;
        } else if (bytes == 0 || *at == '#') {
            fprintf(out, "%.*s\n", (int)bytes, at);
        } else { /* a block of commands, then ---- , then all that they print */
            char *printed = NULL;
            size_t printed_bytes = 0;
            FILE *stream = open_memstream(&printed, &printed_bytes);
            const char *next = at;
            while (*next && *next != '\n' && strncmp(next, "----\n", 5) != 0) {
                const char *stop = line_end(next);
                fprintf(out, "%.*s\n", (int)(stop - next), next);
                run_text(next, (size_t)(stop - next), stream);
                next = *stop ? stop + 1 : stop;
            }
            fclose(stream);
            fprintf(out, "----\n%s", printed);
            free(printed);
            at = next;
            if (!*at) fprintf(out, "\n"); /* a new block at the end */
            continue;
        }
        at = *end ? end + 1 : end;
    }
}

const char *script_play(const char *script, FILE *out)
{
    world.broken = world.may_halt = false;
    world.broken_by = NULL;
    play(script, out);
    if (begun) world_end(&world);
    begun = false;
    return world.broken ? world.broken_by : NULL;
}
