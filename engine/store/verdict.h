/* verdict.h: torn or rotten: the one hard judgement of recovery, as a table. */
#ifndef TEAK_STORE_VERDICT_H
#define TEAK_STORE_VERDICT_H

#include <stdbool.h>

enum verdict {
    VERDICT_KEEP,    /* a whole frame                                                          */
    VERDICT_CUT,     /* in flight when the lights went out: nobody was told                    */
    VERDICT_DAMAGED, /* a later frame says that this one was durable: it was told, and is hurt */
};

/* What is known of the place where the next frame should stand. */
struct tail_facts {
    bool whole;   /* a whole frame with the right LSN and chain stands there                        */
    bool later;   /* behind it, in this segment or a later one, stands a valid frame head            */
    bool vouched; /* one of those says that this LSN was durable when it was built. Implies `later` */
};

/* Exactly one row matches: a test walks all inputs. */
enum verdict tail_verdict(struct tail_facts facts);

/* What is known of a log once everything that can be read was replayed. */
struct loss_facts {
    bool blind;   /* frames are lost behind the last checkpoint that was read, and nobody knows what they held     */
    bool born;    /* its life began behind all of those                                                            */
    bool told;    /* its hard state was written behind all of those                                                */
    bool touched; /* a checkpoint behind lost frames says that it changed at or after the first of them             */
    bool covered; /* what may have been lost then lies at or below its base, or it was cleared since                */
    bool gap;     /* an entry between its base and its last is not there, or is rotten                             */
};
enum loss { LOSS_NONE, LOSS_TAIL, LOSS_TAIL_AND_HARD_STATE };

/* Exactly one row matches: a test walks all inputs. */
enum loss loss_verdict(struct loss_facts facts);

#endif
