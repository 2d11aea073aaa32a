/* news.c: see news.h. */
#include "stores/news.h"

#include <stddef.h>
#include <string.h>

#include "teak/memory.h"

/* ----------------------------------------------------------------------------------------------------------- groups */

/* The place of the first group whose id is not below. */
static uint32_t place_of(const struct news *news, uint64_t id)
{
    uint32_t begin = 0, end = news->count;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (news->groups[middle]->id < id)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

struct group *news_find(const struct news *news, uint64_t id)
{
    const uint32_t place = place_of(news, id);
    return place < news->count && news->groups[place]->id == id ? news->groups[place] : NULL;
}

bool news_add(struct news *news, struct group *group)
{
    if (news->count == news->capacity) {
        const uint32_t capacity = news->capacity ? news->capacity * 2 : 16;
        struct group **groups = teak_memory_grow(news->groups, capacity * sizeof *groups);
        if (!groups) return false;
        news->groups = groups;
        news->capacity = capacity;
    }
    const uint32_t place = place_of(news, group->id);
    memmove(&news->groups[place + 1], &news->groups[place], (news->count - place) * sizeof *news->groups);
    news->groups[place] = group;
    news->count++;
    return true;
}

/* What it was asked for is answered by nobody. */
static void forget_answers(struct news *news, const struct group *group)
{
    for (struct answer *answer = news->first; answer; answer = answer->next)
        if (answer->group == group) answer->group = NULL;
}

void news_remove(struct news *news, struct group *group)
{
    const uint32_t place = place_of(news, group->id);
    forget_answers(news, group);
    memmove(&news->groups[place], &news->groups[place + 1], (news->count - place - 1) * sizeof *news->groups);
    news->count--;
}

void news_fini(struct news *news, void (*release)(struct group *group))
{
    news_forget_lent(news);
    while (news->first) {
        struct answer *answer = news->first;
        news->first = answer->next;
        teak_raft_drop(&answer->frame);
    }
    for (uint32_t i = 0; i < news->count; i++) release(news->groups[i]);
    teak_memory_give(news->groups);
    *news = (struct news){.groups = NULL};
}

void news_start(struct group *group)
{
    group->run++;
    group->has_durable = group->has_room = group->wants_room = group->poisoned = false;
    group->refusal = (enum teak_raft_outcome)0;
    group->started = true;
}

/* ------------------------------------------------------------------------------------------------------------- jobs */

void news_durable(struct group *group, uint64_t token)
{
    group->durable = token;
    group->has_durable = true;
}

void news_refuse(struct group *group, uint64_t token, enum teak_raft_outcome outcome)
{
    if (group->refusal == TEAK_RAFT_POISONED || (group->refusal != 0 && outcome != TEAK_RAFT_POISONED)) return;
    group->refused = group->refusal != 0 && group->refused < token ? group->refused : token;
    group->refusal = outcome;
    group->has_room = false;
    if (outcome == TEAK_RAFT_POISONED) group->poisoned = true;
    if (outcome == TEAK_RAFT_NO_ROOM) group->wants_room = true;
}

void news_room(struct news *news)
{
    for (uint32_t i = 0; i < news->count; i++) {
        struct group *group = news->groups[i];
        if (group->wants_room && group->refusal == 0 && !group->poisoned) group->has_room = true;
    }
}

bool news_passes_over(const struct group *group) { return group->refusal != 0; }

/* ---------------------------------------------------------------------------------------------------------- answers */

static void release_answer(struct teak_raft_frame *frame)
{
    teak_memory_give((uint8_t *)frame - offsetof(struct answer, frame));
}

struct answer *news_make_answer(struct group *group, uint64_t ticket, uint32_t count, uint64_t bytes)
{
    const uint64_t head = sizeof(struct answer) + count * sizeof(struct teak_raft_entry);
    if (head + bytes > UINT32_MAX) return NULL;
    struct answer *answer = teak_memory_take(head + bytes);
    if (!answer) return NULL;
    *answer = (struct answer){.group = group, .run = group->run, .ticket = ticket, .outcome = TEAK_RAFT_FETCHED,
                              .frame = {.refs = 1, .bytes = (uint32_t)(head + bytes), .free = release_answer}};
    answer->bytes = (uint8_t *)answer + head;
    return answer;
}

void news_put_entry(struct answer *answer, const struct teak_raft_entry *entry)
{
    struct teak_raft_entry *copy = &answer->entries[answer->count++];
    *copy = *entry;
    copy->tag = 0;
    copy->frame = &answer->frame;
    copy->data = answer->bytes;
    if (entry->bytes > 0) memcpy(answer->bytes, entry->data, entry->bytes);
    answer->bytes += entry->bytes;
}

void news_answer(struct news *news, struct answer *answer)
{
    if (news->first)
        news->last->next = answer;
    else
        news->first = answer;
    news->last = answer;
}

void news_forget_lent(struct news *news)
{
    while (news->lent) {
        struct answer *answer = news->lent;
        news->lent = answer->next;
        teak_raft_drop(&answer->frame);
    }
}

/* ---------------------------------------------------------------------------------------------------------- telling */

static bool has(const struct group *group) { return group->has_durable || group->refusal != 0 || group->has_room; }

bool news_has(const struct news *news)
{
    if (news->first) return true;
    for (uint32_t i = 0; i < news->count; i++)
        if (has(news->groups[i])) return true;
    return false;
}

/* One piece of a group's news. */
static struct teak_raft_completion take(struct group *group)
{
    struct teak_raft_completion is = {.kind = TEAK_RAFT_JOB_DONE, .group = group->id};
    if (group->has_durable) {
        group->has_durable = false;
        is.outcome = TEAK_RAFT_DURABLE;
        is.number = group->durable;
    } else if (group->refusal != 0) {
        is.outcome = group->refusal;
        is.number = group->refused;
        group->refusal = (enum teak_raft_outcome)0;
    } else {
        group->has_room = group->wants_room = false;
        is.kind = TEAK_RAFT_ROOM;
    }
    return is;
}

static uint32_t take_answers(struct news *news, struct teak_raft_completion *out, uint32_t max)
{
    uint32_t count = 0;
    while (news->first && count < max) {
        struct answer *answer = news->first;
        news->first = answer->next;
        answer->next = news->lent;
        news->lent = answer;
        if (!answer->group || answer->run != answer->group->run) continue;
        out[count++] = (struct teak_raft_completion){
            .kind = TEAK_RAFT_FETCH_DONE, .outcome = answer->outcome, .group = answer->group->id,
            .number = answer->ticket, .term_before = answer->term_before, .entries = answer->entries,
            .count = answer->count};
    }
    return count;
}

uint32_t news_collect(struct news *news, struct teak_raft_completion *out, uint32_t max)
{
    uint32_t count = take_answers(news, out, max);
    for (uint32_t asked = 0; asked < news->count && count < max; asked++) {
        if (news->turn >= news->count) news->turn = 0;
        struct group *group = news->groups[news->turn];
        while (has(group) && count < max) out[count++] = take(group);
        if (!has(group)) news->turn++;
    }
    return count;
}
