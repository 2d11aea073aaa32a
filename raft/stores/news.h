/* news.h: what a store has to tell its driver, by group, and when it may forget it.
 *
 * OWNS   The table of groups, by id. For each: what became durable, what was refused, whether space is back. The
 *        answers to fetches.
 * PATH   a store notes (news_durable, news_refuse, news_room, news_answer) → news_collect hands out
 * HOLDS  (1) of a group, DURABLE is told before a refusal: a refusal stands behind all that was done
 *        (2) while a refusal is not told, jobs of its group are passed over: news_passes_over
 *        (3) an answer lives until the next news_collect, or as long as somebody holds its frame
 */
#ifndef TEAK_STORES_NEWS_H
#define TEAK_STORES_NEWS_H

#include "teak/raft_log_store.h"

/* The head of a store's own struct for a group. */
struct group {
    uint64_t id, born;
    uint64_t run;               /* starts so far: what an older run asked for is not told          */
    uint64_t in_flight;         /* things submitted whose end is not known                         */
    uint64_t durable;           /* newest token to be told, if has_durable                         */
    uint64_t refused;           /* token to be told, if refusal is not 0                           */
    enum teak_raft_outcome refusal;
    bool has_durable, has_room; /* has_room: space is back, to be told                             */
    bool started;
    bool wants_room;            /* was told NO_ROOM, and not ROOM since                            */
    bool poisoned;              /* until it is started again                                       */
};

/* Entries for one fetch, with their bytes, in one piece of memory. */
struct answer {
    struct answer *next;
    struct group *group;
    uint64_t run, ticket, term_before;
    enum teak_raft_outcome outcome;
    uint32_t count;
    uint8_t *bytes;
    struct teak_raft_frame frame; /* refs: one of ours, and those of who holds it */
    struct teak_raft_entry entries[];
};

struct news {
    struct group **groups; /* ids ascend */
    uint32_t count, capacity;
    uint32_t turn;         /* groups are asked from here on: each gets its turn */
    struct answer *first, *last, *lent;
};

struct group *news_find(const struct news *news, uint64_t id);
bool news_add(struct news *news, struct group *group); /* false: no memory */
void news_remove(struct news *news, struct group *group);
void news_fini(struct news *news, void (*release)(struct group *group));

/* A group begins a run. */
void news_start(struct group *group);

void news_durable(struct group *group, uint64_t token);
void news_refuse(struct group *group, uint64_t token, enum teak_raft_outcome outcome);
void news_room(struct news *news); /* for each group that was refused */
bool news_passes_over(const struct group *group);

/* NULL: no memory. `bytes` of payload and `count` entries fit. */
struct answer *news_make_answer(struct group *group, uint64_t ticket, uint32_t count, uint64_t bytes);
void news_put_entry(struct answer *answer, const struct teak_raft_entry *entry); /* copies its bytes */
void news_answer(struct news *news, struct answer *answer);

bool news_has(const struct news *news);
void news_forget_lent(struct news *news);
uint32_t news_collect(struct news *news, struct teak_raft_completion *out, uint32_t max);

#endif
