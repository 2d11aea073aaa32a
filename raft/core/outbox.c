/* outbox.c: see outbox.h. */
#include "core/outbox.h"

#include <string.h>

static struct teak_raft_msg head(const struct teak_raft *raft, enum teak_raft_msg_type type, uint64_t to)
{
    struct teak_raft_msg msg = {.group = raft->options.group, .from = raft->options.id, .to = to, .born = raft->born,
                                .incarnation = raft->incarnation, .term = raft->term, .type = (uint8_t)type,
                                .full = !raft->has_room};
    memcpy(msg.cluster, raft->options.cluster, sizeof msg.cluster);
    return msg;
}

struct teak_raft_msg *outbox_add(struct teak_raft *raft, enum teak_raft_msg_type type, uint64_t to)
{
    if (raft->send_count == raft->send_max) return NULL;
    struct teak_raft_msg *msg = &outbox(raft)[raft->send_count++];
    *msg = head(raft, type, to);
    return msg;
}

void outbox_reply(struct teak_raft *raft, const struct teak_raft_msg *request, enum teak_raft_msg_type type,
                  struct teak_raft_msg values)
{
    struct teak_raft_msg *msg = NULL;
    for (uint32_t i = 0; i < raft->send_count && !msg; i++)
        if (outbox(raft)[i].type == type && outbox(raft)[i].to == request->from) msg = &outbox(raft)[i];
    if (msg)
        *msg = head(raft, type, request->from);
    else
        msg = outbox_add(raft, type, request->from);
    if (!msg) return;
    msg->round = request->round;
    msg->asked = request->incarnation;
    msg->index = values.index;
    msg->at = values.at;
    msg->refused = values.refused;
    msg->promise = values.promise;
}

void outbox_event(struct teak_raft *raft, enum teak_raft_event_type type, uint64_t a, uint64_t b)
{
    if (raft->event_count == EVENTS_MAX) {
        memmove(raft->events, raft->events + 1, (EVENTS_MAX - 1) * sizeof raft->events[0]);
        raft->event_count--;
        raft->events_forgotten++;
    }
    raft->events[raft->event_count++] = (struct teak_raft_event){.type = type, .a = a, .b = b};
}
