/* machine.h: what figures were measured on. Empty texts and zeros: not known. */
#ifndef TEAK_TOOLS_MACHINE_H
#define TEAK_TOOLS_MACHINE_H

#include <stdint.h>

#include "json.h"

struct machine {
    char kernel[80], processor[80], filesystem[32], mount_options[160], device[64], model[64];
    char write_cache[32]; /* "write back", "write through": the queue's word */
    char scheduler[64];
    int fua, rotational;  /* 1, 0, or -1: not known */
    int counts_flushes;   /* 1: a driver of requests; layers above such (dm, md, multipath) do not count them */
    uint32_t processors, logical_block, physical_block;
    uint64_t memory_bytes;
};

void machine_look(const char *directory, struct machine *out);

/* A cache that loses what was not flushed, below a driver that counts flushes? */
static inline int machine_needs_flushes(const struct machine *machine)
{
    return machine->write_cache[0] == 'w' && machine->write_cache[6] == 'b' && machine->fua != 1 &&
           machine->counts_flushes;
}

void machine_json(struct json *json, const char *key, const struct machine *machine);

#endif
