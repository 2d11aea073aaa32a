/* teak/raft_wire.h: messages of teak/raft.h as bytes, and back. docs/raft.md, section Wire, has the bytes.
 *
 * Nothing is allocated and no payload is copied. What is sent is a head, which the caller has room for, and a list of
 * spans: head, payloads where they lie, padding. What comes in is judged in place, and its entries point into it.
 *
 *     uint8_t head[TEAK_RAFT_WIRE_HEAD_BYTES(64)];                     // a driver whose messages have up to 64 entries
 *     struct teak_raft_span spans[TEAK_RAFT_WIRE_SPANS(64)];
 *     struct teak_raft_wire_out out = {.head = head, .head_bytes = sizeof head, .spans = spans, .span_max = ...};
 *     for (each m of ready.send)
 *         if (teak_raft_wire_encode(m, &out) == TEAK_RAFT_OK)
 *             writev(socket_to(m->to), out.spans, out.span_count);     // out.bytes in all
 *     ...
 *     struct teak_raft_entry entries[64];
 *     struct teak_raft_wire_in in = {.entries = entries, .entry_max = 64};
 *     while (teak_raft_wire_measure(at, have, limit, &bytes) == TEAK_RAFT_OK && bytes <= have) {
 *         if (teak_raft_wire_judge(at, bytes, frame, &in) == TEAK_RAFT_OK) teak_raft_receive(node, &in.msg);
 *         at += bytes, have -= bytes;
 *     }
 *
 * CAVEATS
 *  - A message carries a sum against accidents. Who must not speak to a node is kept away by other means: a network of
 *    its own, or TLS.
 *  - Judging says that bytes are a message. Whether it is for this node, and makes sense, says teak_raft_receive.
 *  - A peer that sends what cannot be measured or has a wrong sum: close the connection. Where the next message begins
 *    is not known.
 *
 * Every function lists: Does, Owner, Threads, Durable, Fails. A status that a card does not list does not come.
 */
#ifndef TEAK_RAFT_WIRE_H
#define TEAK_RAFT_WIRE_H

#include "teak/raft.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TEAK_RAFT_WIRE_HEAD = 144, /* bytes that every message has                                                    */
    TEAK_RAFT_WIRE_ENTRY = 16, /* that each entry has besides its payload, and the padding of that to 8           */
    TEAK_RAFT_WIRE_PRELUDE = 24 /* bytes that teak_raft_wire_measure wants to see                                 */
};

/* Bytes of a head, and spans, that suffice for a message of n entries. */
#define TEAK_RAFT_WIRE_HEAD_BYTES(n) (TEAK_RAFT_WIRE_HEAD + 64u + TEAK_RAFT_WIRE_ENTRY * (n))
#define TEAK_RAFT_WIRE_SPANS(n) (5u + 2u * (n))

/* A piece of memory: the fields of struct iovec, in their order. */
struct teak_raft_span {
    const uint8_t *data;
    size_t bytes;
};

/* Room for a message on its way out, and what became of it. */
struct teak_raft_wire_out {
    uint8_t *head;                /* the caller's                                                                 */
    struct teak_raft_span *spans; /* the caller's                                                                 */
    size_t head_bytes;            /* room in head                                                                 */
    uint32_t span_max;            /* room in spans                                                                */
    uint32_t span_count;          /* out: spans, in the order in which they are sent                              */
    size_t bytes;                 /* out: of the message, the sum of all spans                                    */
};

/* Room for a message that came in, and the message. It points into itself: it is not to be copied. */
struct teak_raft_wire_in {
    struct teak_raft_entry *entries; /* the caller's                                                              */
    uint32_t entry_max;              /* room in entries                                                           */
    uint8_t level;                   /* out: the highest version that the sender reads                            */
    struct teak_raft_msg msg;        /* out                                                                       */
    struct teak_raft_chunk chunk;    /* out: of a SNAPSHOT, msg.chunk points here                                 */
};

/* Does      Says how large messages of nodes with these options are at most, and how many entries they have: what a
 *           receiver makes room for. `limit` of teak_raft_wire_measure.
 * Owner     The caller's.
 * Threads   Any.
 * Durable   Nothing.
 * Fails     0: options are not valid. entries_out may be NULL. */
TEAK_API size_t teak_raft_wire_bytes_max(const struct teak_raft_options *options, uint32_t *entries_out);

/* Does      Writes what stands before the payloads into out->head, and lists in out->spans what is to be sent.
 * Owner     Spans point into out->head, at payloads (of the message's entries, configuration, piece) and at constants:
 *           they hold as long as these do. Who sends later holds the frames, and copies the payloads of entries
 *           without one and the configuration of a chunk: they hold until the node's next call that is not const.
 * Threads   Any.
 * Durable   Nothing.
 * Fails     TOO_LARGE (out->head or out->spans do not suffice; 4 GiB or more) · MISUSE (NULL; a type that is none; what
 *           no node sends: entries that are not contiguous, terms that go back or beyond the message's, entries or a
 *           chunk with another type). `out` then says 0 bytes and 0 spans; head and spans may be written. */
TEAK_API enum teak_raft_status teak_raft_wire_encode(const struct teak_raft_msg *msg, struct teak_raft_wire_out *out);

/* Does      Says how long the message is that begins at `bytes`, of which `count` bytes are here.
 * Owner     The caller's.
 * Threads   Any.
 * Durable   Nothing.
 * Fails     BUSY (fewer than TEAK_RAFT_WIRE_PRELUDE bytes: read more) · TOO_LARGE (longer than `limit`) · BAD_MESSAGE
 *           (no message begins here) · MISUSE (NULL). bytes_out is written where the answer is OK. */
TEAK_API enum teak_raft_status teak_raft_wire_measure(const uint8_t *bytes, size_t count, size_t limit,
                                                      size_t *bytes_out);

/* Does      Judges `count` bytes, one message, and fills in in->msg. Payloads are aligned to 8 if `bytes` is.
 * Owner     Entries and chunk point into `bytes` and bear `frame`, which owns them; NULL: they live as long as a node.
 *           No reference is taken: teak_raft_receive holds the frame for each entry that it keeps.
 * Threads   Any.
 * Durable   Nothing.
 * Fails     BAD_MESSAGE (no message, or one that was changed on its way) · DROPPED (of a later version, of a type that
 *           is not known here, or with a flag that has to be understood and is not: count it) · TOO_LARGE (more than
 *           in->entry_max entries) · MISUSE (NULL). `in` is written where the answer is OK, and else not at all. */
TEAK_API enum teak_raft_status teak_raft_wire_judge(const uint8_t *bytes, size_t count, struct teak_raft_frame *frame,
                                                    struct teak_raft_wire_in *in);

#ifdef __cplusplus
}
#endif

#endif
