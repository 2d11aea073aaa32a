/* clients.h: clients of a cluster. They write and read a few keys of a small state machine that runs on every node, and
 * write down when they called and what they were told; linear.h says whether a single store could have told the same.
 *
 * OWNS   The history; the state machine of each node, and what it was at every index; calls that are not answered.
 * PATH   clients_come says what is called at a node, and notes it. The driver proposes it or asks, and passes on what
 *        the node hands out: clients_apply, clients_done, clients_answer. clients_down when its process ends,
 *        clients_start when it begins. clients_judge at the end.
 * HOLDS  Nobody is told more than a client of a replicator would be: a write is over when its fate is COMMITTED, a swap
 *        when it is applied where it was proposed, a read when it is answered OK. LOST never happened. Whatever else
 *        ends a call leaves it open.
 */
#ifndef TEAK_TESTS_RAFT_CLIENTS_H
#define TEAK_TESTS_RAFT_CLIENTS_H

#include "linear.h"
#include "teak/raft.h"

enum { CLIENTS_TEXT = 40 };

/* What clients do wrong, to see that it shows. */
enum clients_mistake {
    CLIENTS_RIGHT,
    CLIENTS_READ_HERE,        /* a read is what this node has applied, whoever it is          */
    CLIENTS_BELIEVE_LEADERS,  /* a read is what who thinks to lead has applied                */
    CLIENTS_ANSWER_EARLY,     /* a write is over when it is proposed                          */
    CLIENTS_UNKNOWN_IS_LOST,  /* what nobody knows of did not happen                          */
    CLIENTS_LOST_IS_DONE,     /* what was lost is told as if it were there                    */
    CLIENTS_FORGET_A_KEY,     /* a state machine that starts again has lost a key             */
    CLIENTS_MISTAKE_COUNT
};

struct clients_totals {
    uint64_t calls, written, refused, lost, open, reads, elsewhere, unanswered, steps;
};

struct clients_call {
    bool is_read, is_over; /* is_over: there is nothing left to do */
    enum teak_raft_read_mode mode;
    uint64_t tag;
    char text[CLIENTS_TEXT];
};

struct clients;

/* Their entries are of that kind; up to `from` there is none in the log. */
struct clients *clients_begin(uint64_t seed, enum linear_model model, uint8_t kind, uint64_t from,
                              enum clients_mistake mistake);
void clients_end(struct clients *clients);

/* Somebody comes to `node`. A write gets the tag `tag`, a read one from CLIENTS_READS on. false: not now. */
#define CLIENTS_READS (UINT64_C(1) << 40)
bool clients_come(struct clients *clients, uint32_t node, bool leads, uint64_t tag, struct clients_call *call);
void clients_refused(struct clients *clients, const struct clients_call *call);

void clients_apply(struct clients *clients, uint32_t node, const struct teak_raft_apply *apply);
void clients_done(struct clients *clients, uint32_t node, const struct teak_raft_done *done);
void clients_answer(struct clients *clients, uint32_t node, const struct teak_raft_answer *answer, bool leads);
void clients_down(struct clients *clients, uint32_t node);
void clients_start(struct clients *clients, uint32_t node, uint64_t applied);

/* Counts into `totals` (NULL: nowhere), and asks the checker. */
enum linear_verdict clients_judge(struct clients *clients, struct clients_totals *totals,
                                  struct linear_report *report);

#endif
