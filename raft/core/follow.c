/* follow.c: see follow.h. */
#include "core/follow.h"

#include "core/commits.h"
#include "core/lease.h"
#include "core/outbox.h"
#include "core/reads.h"
#include "core/role.h"
#include "core/tail.h"
#include "core/timers.h"

bool follow_hears(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    if (raft->role == TEAK_RAFT_LEADER || (raft->leader != 0 && raft->leader != msg->from)) {
        role_halt(raft, TEAK_RAFT_HALT_TWO_LEADERS, msg->from);
        return false;
    }
    if (raft->role != TEAK_RAFT_FOLLOWER || raft->leader == 0) role_follow(raft, raft->term, msg->from);
    raft->leader_incarnation = msg->incarnation;
    raft->backoff = 0;
    timer_election(raft);
    timer_start(raft, TIMER_PROMISE, raft->options.election);
    return true;
}

bool follow_owes(const struct teak_raft *raft)
{
    if (raft->role != TEAK_RAFT_FOLLOWER || raft->leader == 0) return false;
    const uint64_t sure = min_index(raft->durable, raft->verified);
    return sure > raft->confirmed || (raft->confirm_owed && sure == raft->verified);
}

/* Where the logs may agree: the highest place before `at` with a term no higher. One round for each term that
 * differs. */
static void reject(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    const uint64_t upto = min_index(msg->at.index - 1, raft->last.index);
    struct teak_raft_pos hint = {.index = tail_last_of_term(raft, upto, msg->at.term, raft->commit)};
    hint.term = tail_term(raft, hint.index);
    outbox_reply(raft, msg, TEAK_RAFT_APPEND_REPLY,
                 (struct teak_raft_msg){.index = msg->at.index, .at = hint, .refused = true});
}

bool follow_contradicts(const struct teak_raft *raft, struct teak_raft_pos pos)
{
    if (pos.index > raft->verified) return false;
    const uint64_t term = tail_term(raft, pos.index);
    return term != 0 && term != pos.term;
}

/* Who leads appends a configuration when the one before is committed, and says so with it. A second one that could be
 * cut off would leave none to go back to. */
static bool is_too_early(const struct teak_raft *raft, const struct teak_raft_msg *msg,
                         const struct teak_raft_entry *entry)
{
    return entry->kind == TEAK_RAFT_CONFIG && raft->config.index > max_index(raft->commit, msg->index);
}

/* Appends from entries[from] on, as many as there is room for. Returns the number of those that are in the log then. */
static uint32_t take(struct teak_raft *raft, const struct teak_raft_msg *msg, uint32_t from)
{
    for (; from < msg->count && raft->has_room; from++) {
        struct teak_raft_entry entry = msg->entries[from];
        if (is_too_early(raft, msg, &entry)) break;
        if (!tail_has_run(raft, entry.term)) break;
        if (!tail_has_room(raft, entry.frame, entry.bytes, TAIL_KEEP_FOR_PEERS, false) &&
            !tail_has_room(raft, entry.frame, entry.bytes, TAIL_KEEP_DURABLE, false))
            break;
        entry.tag = 0;
        if (tail_push(raft, &entry)) continue;
        role_halt(raft, TEAK_RAFT_HALT_MEMBERS, entry.index);
        break;
    }
    return from;
}

void follow_append(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    if (!follow_hears(raft, msg)) return;
    if (follow_contradicts(raft, msg->at)) {
        role_halt(raft, TEAK_RAFT_HALT_COMMITTED_DIFFERS, msg->at.index);
        return;
    }
    /* at or below commit the logs agree: all leaders have what is committed */
    if (msg->at.index > raft->commit && tail_term(raft, msg->at.index) != msg->at.term) {
        reject(raft, msg);
        return;
    }
    uint32_t same = 0;
    for (; same < msg->count; same++) {
        const struct teak_raft_entry *entry = &msg->entries[same];
        if (follow_contradicts(raft, (struct teak_raft_pos){entry->index, entry->term})) {
            role_halt(raft, TEAK_RAFT_HALT_COMMITTED_DIFFERS, entry->index);
            return;
        }
        if (entry->index > raft->commit && tail_term(raft, entry->index) != entry->term) break;
    }
    const uint64_t next = msg->at.index + same + 1;
    if (same < msg->count && next <= raft->last.index &&
        raft->has_room) { /* a conflict: what is here was not committed */
        if (raft->config.index >= next && raft->previous.index >= next) {
            role_halt(raft, TEAK_RAFT_HALT_COMMITTED_DIFFERS, raft->previous.index);
            return;
        }
        tail_truncate(raft, next);
    }
    if (next == raft->last.index + 1) same = take(raft, msg, same);
    if (raft->halted) return;
    raft->verified = max_index(raft->verified, msg->at.index + same);
    raft->confirm_owed = true;
    commits_to(raft, min_index(msg->index, raft->verified));
}

void follow_heartbeat(struct teak_raft *raft, const struct teak_raft_msg *msg)
{
    if (!follow_hears(raft, msg)) return;
    reads_on_heartbeat(raft);
    commits_to(raft, min_index(msg->index, raft->verified));
    outbox_reply(raft, msg, TEAK_RAFT_HEARTBEAT_REPLY,
                 (struct teak_raft_msg){.index = min_index(raft->durable, raft->verified),
                                        .promise = lease_promise(raft, msg->promise)});
}
