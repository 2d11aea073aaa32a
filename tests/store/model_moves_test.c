/* model_moves_test.c: model_test.c, with the mover at work in every session. */
#define RIG_MOVES 0
#include "store/model_test.c"
