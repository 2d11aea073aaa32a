/* op_list.h: a first-in-first-out list of operations, linked through disk_op.next. Private to engine/os. */
#ifndef TEAK_OS_OP_LIST_H
#define TEAK_OS_OP_LIST_H

#include "os/disk.h"

struct op_list {
    struct disk_op *first; /* NULL: empty                */
    struct disk_op *last;  /* means nothing when empty   */
};

static inline void op_list_push(struct op_list *list, struct disk_op *op)
{
    op->next = NULL;
    if (list->first)
        list->last->next = op;
    else
        list->first = op;
    list->last = op;
}

/* For an operation that has to be started again: it was here before the others. */
static inline void op_list_push_front(struct op_list *list, struct disk_op *op)
{
    op->next = list->first;
    if (!list->first) list->last = op;
    list->first = op;
}

static inline struct disk_op *op_list_pop(struct op_list *list)
{
    struct disk_op *op = list->first;
    if (op) list->first = op->next;
    return op;
}

#endif
