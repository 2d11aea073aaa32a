/* wire_samples.h: one message of each type, with every field that the type has, for golden files and tests of the wire.
 */
#ifndef TEAK_TESTS_WIRE_SAMPLES_H
#define TEAK_TESTS_WIRE_SAMPLES_H

#include <stdio.h>
#include <string.h>

#include "teak/raft_wire.h"

enum {
    SAMPLE_ENTRIES = 4,
    SAMPLE_BYTES_MAX = 4096
};

/* The bytes of a configuration of three voters. */
static const uint8_t sample_config[TEAK_RAFT_CONFIG_BYTES(3)] = {
    1, 0, 3, 0,
    1, 0, 0, 0, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    2, 0, 0, 0, 0, 0, 0, 0, 0x22, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    3, 0, 0, 0, 0, 0, 0, 0, 0x33, 0, 0, 0, 0, 0, 0, 0, 1, 0};

static const struct teak_raft_entry sample_entries[SAMPLE_ENTRIES] = {
    {.index = 41, .term = 5, .kind = TEAK_RAFT_CONFIG, .data = sample_config, .bytes = sizeof sample_config},
    {.index = 42, .term = 6, .kind = TEAK_RAFT_NOOP},
    {.index = 43, .term = 6, .kind = TEAK_RAFT_KIND_APPLICATION, .data = (const uint8_t *)"a whole oak", .bytes = 11},
    {.index = 44, .term = 7, .kind = 255, .data = (const uint8_t *)"eight by", .bytes = 8},
};

static const struct teak_raft_chunk sample_chunk = {
    .snapshot = {.pos = {.index = 40, .term = 5},
                 .born = 0x11,
                 .bytes = 1000,
                 .checksum = UINT64_C(0xc4ec4ec4ec4ec4ec),
                 .config_index = 3,
                 .config = sample_config,
                 .config_bytes = sizeof sample_config},
    .offset = 512,
    .data = (const uint8_t *)"the body",
    .bytes = 8};

static const char *const sample_names[TEAK_RAFT_MSG_TYPE_COUNT] = {
    NULL, "pre_vote", "pre_vote_reply", "vote", "vote_reply", "append", "append_reply", "heartbeat", "heartbeat_reply",
    "timeout_now", "read", "read_reply", "snapshot", "snapshot_reply"};

static inline struct teak_raft_msg sample_message(uint8_t type)
{
    struct teak_raft_msg msg = {.group = 9, .from = 1, .to = 2, .born = 0x11, .incarnation = 0xa1, .term = 7,
                                .type = type};
    for (uint8_t i = 0; i < 16; i++) msg.cluster[i] = (uint8_t)(0xc0 + i);
    const bool is_reply = type == TEAK_RAFT_PRE_VOTE_REPLY || type == TEAK_RAFT_VOTE_REPLY ||
                          type == TEAK_RAFT_APPEND_REPLY || type == TEAK_RAFT_HEARTBEAT_REPLY ||
                          type == TEAK_RAFT_READ_REPLY || type == TEAK_RAFT_SNAPSHOT_REPLY;
    if (is_reply) {
        msg.asked = 0xa2;
        msg.full = type == TEAK_RAFT_APPEND_REPLY;
    }
    switch ((enum teak_raft_msg_type)type) {
    case TEAK_RAFT_PRE_VOTE:
    case TEAK_RAFT_VOTE:
        msg.at = (struct teak_raft_pos){.index = 44, .term = 6};
        msg.round = 12;
        msg.force = type == TEAK_RAFT_VOTE;
        break;
    case TEAK_RAFT_PRE_VOTE_REPLY: msg.refused = true; /* fall through */
    case TEAK_RAFT_VOTE_REPLY: msg.round = 12; break;
    case TEAK_RAFT_APPEND:
        msg.at = (struct teak_raft_pos){.index = 40, .term = 5};
        msg.index = 39;
        msg.entries = sample_entries;
        msg.count = SAMPLE_ENTRIES;
        break;
    case TEAK_RAFT_APPEND_REPLY:
        msg.index = 40;
        msg.at = (struct teak_raft_pos){.index = 33, .term = 4};
        msg.refused = true;
        break;
    case TEAK_RAFT_HEARTBEAT:
    case TEAK_RAFT_HEARTBEAT_REPLY:
        msg.index = 39;
        msg.round = 100;
        msg.promise = 1000;
        break;
    case TEAK_RAFT_READ: msg.round = 3; break;
    case TEAK_RAFT_READ_REPLY:
        msg.round = 3;
        msg.index = 44;
        break;
    case TEAK_RAFT_SNAPSHOT: msg.chunk = &sample_chunk; break;
    case TEAK_RAFT_SNAPSHOT_REPLY:
        msg.at = sample_chunk.snapshot.pos;
        msg.index = 520;
        break;
    case TEAK_RAFT_TIMEOUT_NOW:
    case TEAK_RAFT_MSG_TYPE_COUNT: break;
    }
    return msg;
}

/* A message in one piece, as it arrives. Returns its length, 0: it cannot be encoded, or does not fit. */
static inline size_t sample_encode(const struct teak_raft_msg *msg, uint8_t *bytes, size_t room)
{
    enum { MOST = 64 };
    uint8_t head[TEAK_RAFT_WIRE_HEAD_BYTES(MOST)];
    struct teak_raft_span spans[TEAK_RAFT_WIRE_SPANS(MOST)];
    struct teak_raft_wire_out out = {
        .head = head, .head_bytes = sizeof head, .spans = spans, .span_max = TEAK_RAFT_WIRE_SPANS(MOST)};
    size_t at = 0;
    if (teak_raft_wire_encode(msg, &out) != TEAK_RAFT_OK || out.bytes > room) return 0;
    for (uint32_t i = 0; i < out.span_count; i++) {
        memcpy(bytes + at, spans[i].data, spans[i].bytes);
        at += spans[i].bytes;
    }
    return at == out.bytes ? at : 0;
}

static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t count)
{
    return count == 0 || memcmp(a, b, count) == 0;
}

/* Says the same, wherever the bytes are. Tags do not travel. */
static inline bool same_message(const struct teak_raft_msg *a, const struct teak_raft_msg *b)
{
    if (memcmp(a->cluster, b->cluster, 16) != 0 || a->group != b->group || a->from != b->from || a->to != b->to ||
        a->born != b->born || a->incarnation != b->incarnation || a->term != b->term || a->at.index != b->at.index ||
        a->at.term != b->at.term || a->index != b->index || a->round != b->round || a->asked != b->asked ||
        a->promise != b->promise || a->type != b->type || a->refused != b->refused || a->full != b->full ||
        a->force != b->force || a->count != b->count || !a->chunk != !b->chunk)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct teak_raft_entry *x = &a->entries[i], *y = &b->entries[i];
        if (x->index != y->index || x->term != y->term || x->kind != y->kind || x->bytes != y->bytes ||
            !same_bytes(x->data, y->data, x->bytes))
            return false;
    }
    if (!a->chunk) return true;
    const struct teak_raft_chunk *x = a->chunk, *y = b->chunk;
    const struct teak_raft_snapshot *s = &x->snapshot, *t = &y->snapshot;
    return s->pos.index == t->pos.index && s->pos.term == t->pos.term && s->born == t->born && s->bytes == t->bytes &&
           s->checksum == t->checksum && s->config_index == t->config_index && s->config_bytes == t->config_bytes &&
           x->offset == y->offset && x->bytes == y->bytes && same_bytes(s->config, t->config, s->config_bytes) &&
           same_bytes(x->data, y->data, x->bytes);
}

#endif
