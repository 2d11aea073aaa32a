/* linear.h: could the operations of a history have been done one at a time, each at a moment between its call and its
 * return? The search is that of Wing and Gong, with what Lowe made of it ("Testing for linearizability", 2017): a state
 * that was reached once with the same operations done is not searched again, and keys, which have nothing to do with
 * each other, are searched apart.
 *
 * OWNS   A history: operations, and the values that they left or saw. A value is the items that were put under a key,
 *        one behind the other; it has a number, and equal values have one number.
 * PATH   linear_add for each call; ops[place].returned, .seen when it returns. linear_check at the end.
 * HOLDS  LINEAR_FINE is said only of a history for which an order was found.
 */
#ifndef TEAK_TESTS_RAFT_LINEAR_H
#define TEAK_TESTS_RAFT_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

#define LINEAR_OPEN UINT64_MAX /* nobody was told what became of it: it has its effect at any later time, or never */

enum { LINEAR_NOTHING = 0 };   /* the value of a key that nobody wrote */

enum linear_kind {
    LINEAR_READ,   /* sees the value                                                                   */
    LINEAR_WRITE,  /* the value is `item` alone                                                        */
    LINEAR_APPEND, /* `item` comes behind what is there                                                */
    LINEAR_SWAP    /* sees the value; if that is `expected`, the value is `item` alone from then on    */
};

struct linear_op {
    uint64_t called, returned; /* by one clock; what returns as another is called was there beside it */
    uint64_t key, item;
    uint32_t expected, seen;   /* values; `seen` counts only when it returned                         */
    uint32_t who;              /* told in the account                                                 */
    enum linear_kind kind;
    bool is_void;              /* it never happened: it was refused, or saw nothing                   */
};

/* `item` behind the value `before`, whose number is less. */
struct linear_value {
    uint64_t item;
    uint32_t before, length;
};

struct linear_history {
    struct linear_op *ops;
    struct linear_value *values; /* values[0] is LINEAR_NOTHING                       */
    uint32_t *places;            /* of values, by their sum; 0: free                  */
    uint32_t count, capacity, value_count, place_count;
};

/* Which operations there are. */
enum linear_model {
    LINEAR_REGISTER,  /* read, write, swap    */
    LINEAR_KEY_VALUE, /* read, write, append  */
    LINEAR_LIST,      /* read, append         */
    LINEAR_MODEL_COUNT
};

enum linear_verdict {
    LINEAR_FINE,
    LINEAR_BROKEN,
    LINEAR_UNKNOWN,  /* the search was given up: that says nothing, and must not be taken for fine            */
    LINEAR_MALFORMED /* not a history of that model: an operation it does not have, a value that is none, a   *
                      * return before the call                                                                */
};

struct linear_report {
    uint64_t steps;  /* in all                                                                        */
    uint32_t parts;  /* keys                                                                          */
    uint64_t key;    /* that is to blame                                                              */
    uint32_t op;     /* place of an operation that has to be done by its return, and cannot be        */
    char text[4096]; /* how far an order was found, and what cannot come next                         */
};

void linear_begin(struct linear_history *history);
void linear_end(struct linear_history *history);

/* The place of the operation in history->ops, where it may be changed until the check. */
uint32_t linear_add(struct linear_history *history, const struct linear_op *op);

/* The value with `item` behind it. */
uint32_t linear_behind(struct linear_history *history, uint32_t value, uint64_t item);

/* After `steps_max` steps of the search of one key, or with more memory than suits a test: LINEAR_UNKNOWN. */
enum linear_verdict linear_check(const struct linear_history *history, enum linear_model model, uint64_t steps_max,
                                 struct linear_report *report);

const char *linear_verdict_name(enum linear_verdict verdict);

#endif
