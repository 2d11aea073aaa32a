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

#endif
