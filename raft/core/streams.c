/* streams.c: see streams.h. */
#include "core/streams.h"

#include "core/install.h"
#include "core/outbox.h"
#include "core/peers.h"

static struct stream *stream_of(const struct teak_raft *raft, uint32_t slot)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++)
        if (stream_at(raft, i)->to == config_members(raft)[slot].id) return stream_at(raft, i);
    return NULL;
}

static struct stream *free_stream(const struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++)
        if (stream_at(raft, i)->to == 0 && stream_at(raft, i)->opened_for == 0) return stream_at(raft, i);
    return NULL;
}

static void drop_piece(struct stream *stream)
{
    teak_raft_drop(stream->frame);
    stream->read = LANE_IDLE;
    stream->ticket = stream->read_at = stream->bytes = 0;
    stream->frame = NULL;
    stream->data = NULL;
}

/* The caller is told in the next ready, if it ever read; until then the name stays. */
static void end(struct teak_raft *raft, struct stream *stream)
{
    drop_piece(stream);
    if (stream->opened_for == 0) snap_drop(raft, &stream->snap);
    *stream = (struct stream){.snap = stream->snap, .opened_for = stream->opened_for};
}

/* ----------------------------------------------------------------------------------------------- who needs a stream */

/* Its entries begin before the log does. A probe that is on its way is waited for. */
static bool falls_behind(const struct teak_raft *raft, uint32_t slot)
{
    const struct peer *peer = peer_at(raft, slot);
    return raft->role == TEAK_RAFT_LEADER && (others(raft) >> slot & 1) && peer->next < raft->first &&
           peer->progress != TEAK_RAFT_NEEDS_SNAPSHOT && !(raft->paused >> slot & 1);
}

static bool needs(const struct teak_raft *raft, uint32_t slot)
{
    return raft->role == TEAK_RAFT_LEADER && (others(raft) >> slot & 1) &&
           peer_at(raft, slot)->progress == TEAK_RAFT_NEEDS_SNAPSHOT && !(raft->paused >> slot & 1);
}

/* Where the log has been compacted beyond what it brings, it helps nobody. */
static bool is_wanted(const struct teak_raft *raft, const struct stream *stream)
{
    const uint32_t slot = slot_of(raft, stream->to);
    return raft->role == TEAK_RAFT_LEADER && slot != NO_SLOT && (others(raft) >> slot & 1) &&
           peer_at(raft, slot)->progress == TEAK_RAFT_NEEDS_SNAPSHOT && stream->snap.name.pos.index + 1 >= raft->first;
}

/* Would sifting have something to say? A stream that nobody wants and that was never read for ends unheard, and a
 * member that there is no stream for waits unheard. */
static bool has_news(const struct teak_raft *raft)
{
    bool is_free = free_stream(raft) != NULL;
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) {
        const struct stream *stream = stream_at(raft, i);
        if (stream->to == 0 || is_wanted(raft, stream)) continue;
        if (stream->opened_for != 0) return true;
        is_free = true;
    }
    for (uint32_t slot = 0; slot < raft->config.count && is_free; slot++) {
        if (falls_behind(raft, slot)) return true;
        const struct stream *stream = stream_of(raft, slot);
        if (needs(raft, slot) && (!stream || !is_wanted(raft, stream))) return true;
    }
    return false;
}

static void begin(struct teak_raft *raft, uint32_t slot)
{
    struct stream *stream = free_stream(raft);
    if (!stream) return;
    const struct teak_raft_snapshot name = snap_name(raft, &raft->snapshot);
    *stream = (struct stream){.snap.config_at = stream->snap.config_at, .to = config_members(raft)[slot].id,
                              .offer_owed = true};
    snap_keep(raft, &stream->snap, &name);
    stream->first_round = stream->round = ++raft->snap_round;
}

/* Read for a place that the stream went back from. */
static bool is_astray(const struct stream *stream)
{
    return stream->read == LANE_FILLED && stream->read_at != stream->sent;
}

void streams_sift(struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) {
        struct stream *stream = stream_at(raft, i);
        if (stream->to != 0 && !is_wanted(raft, stream)) end(raft, stream);
        if (is_astray(stream)) drop_piece(stream);
    }
    for (uint32_t slot = 0; slot < raft->config.count; slot++) {
        if (falls_behind(raft, slot)) peer_needs_snapshot(peer_at(raft, slot));
        if (needs(raft, slot) && !stream_of(raft, slot)) begin(raft, slot);
    }
}

void streams_refill(struct teak_raft *raft) { raft->beat_bytes = 0; }

void streams_count(struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) {
        struct stream *stream = stream_at(raft, i);
        const uint32_t slot = stream->to ? slot_of(raft, stream->to) : NO_SLOT;
        if (slot == NO_SLOT || ((raft->heard | raft->heard_before) >> slot & 1)) continue;
        raft->paused |= UINT32_C(1) << slot;
        end(raft, stream);
    }
}

void streams_clear(struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) drop_piece(stream_at(raft, i));
}

/* ---------------------------------------------------------------------------------------------------------- reading */

static bool wants_piece(const struct teak_raft *raft, const struct stream *stream)
{
    const struct teak_raft_options *options = &raft->options;
    if (stream->to == 0 || !stream->greeted || (stream->read != LANE_IDLE && !is_astray(stream))) return false;
    if (options->snapshot_beat_bytes > 0 && raft->beat_bytes >= options->snapshot_beat_bytes) return false;
    return stream->sent < stream->snap.name.bytes &&
           stream->sent - stream->acked < (uint64_t)options->snapshot_window * options->snapshot_chunk_bytes;
}

static bool is_over(const struct stream *stream) { return stream->to == 0 && stream->opened_for != 0; }

bool streams_want(const struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++)
        if (is_over(stream_at(raft, i)) || wants_piece(raft, stream_at(raft, i))) return true;
    return has_news(raft);
}

static struct teak_raft_snap_io read_of(struct teak_raft *raft, struct stream *stream)
{
    const uint64_t left = stream->snap.name.bytes - stream->sent;
    stream->ticket = ++raft->ticket;
    stream->read = LANE_ASKED;
    stream->read_at = stream->sent;
    stream->bytes = (uint32_t)min_index(left, raft->options.snapshot_chunk_bytes);
    stream->opened_for = stream->to;
    raft->beat_bytes += stream->bytes; /* when it is asked for: else each stream would ask for one beyond the bound */
    return (struct teak_raft_snap_io){.ticket = stream->ticket, .op = TEAK_RAFT_SNAP_READ, .peer = stream->to,
                                      .snapshot = snap_name(raft, &stream->snap), .offset = stream->read_at,
                                      .bytes = stream->bytes};
}

/* Behind the one that read last: else a member that writes nothing, and is sent the same again and again, would use up
 * what there is in each interval. */
uint32_t streams_ask(struct teak_raft *raft, struct teak_raft_snap_io *out)
{
    const uint32_t streams = raft->options.snapshot_streams, first = raft->stream_turn;
    uint32_t count = 0;
    for (uint32_t i = 0; i < streams; i++) {
        const uint32_t number = (first + i) % streams;
        struct stream *stream = stream_at(raft, number);
        if (is_over(stream)) {
            out[count++] = (struct teak_raft_snap_io){.op = TEAK_RAFT_SNAP_CLOSE, .ticket = ++raft->ticket,
                                                      .peer = stream->opened_for,
                                                      .snapshot = snap_name(raft, &stream->snap)};
            stream->opened_for = 0; /* its name is lent, and stays until the place is taken */
        } else if (wants_piece(raft, stream)) {
            out[count++] = read_of(raft, stream);
            raft->stream_turn = (number + 1) % streams;
        }
    }
    return count;
}

bool streams_done(struct teak_raft *raft, uint64_t ticket, enum teak_raft_outcome outcome,
                  const struct teak_raft_blob *data, enum teak_raft_status *status_out)
{
    uint32_t number = 0;
    while (number < raft->options.snapshot_streams && (stream_at(raft, number)->to == 0 ||
                                                       stream_at(raft, number)->read != LANE_ASKED ||
                                                       stream_at(raft, number)->ticket != ticket))
        number++;
    if (number == raft->options.snapshot_streams) return false;
    struct stream *stream = stream_at(raft, number);
    *status_out = TEAK_RAFT_OK;
    if (outcome == TEAK_RAFT_CORRUPT) {
        outbox_event(raft, TEAK_RAFT_EVENT_SNAPSHOT_FAILED, stream->snap.name.pos.index, stream->to);
        const uint32_t slot = slot_of(raft, stream->to);
        if (slot != NO_SLOT) raft->paused |= UINT32_C(1) << slot; /* until it is heard of */
        end(raft, stream);
    } else if (outcome != TEAK_RAFT_DONE || !data || !data->data || data->bytes != stream->bytes) {
        *status_out = TEAK_RAFT_MISUSE;
    } else {
        stream->read = LANE_FILLED;
        stream->data = data->data;
        stream->frame = data->frame;
        teak_raft_hold(data->frame);
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- sending */

static bool has_piece(const struct stream *stream) { return stream->read == LANE_FILLED && !is_astray(stream); }

bool streams_have_message(const struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++) {
        const struct stream *stream = stream_at(raft, i);
        if (stream->to != 0 && is_wanted(raft, stream) && (stream->offer_owed || has_piece(stream))) return true;
    }
    return false;
}

/* An offer is a chunk without bytes. */
static bool send_one(struct teak_raft *raft, uint32_t number)
{
    struct stream *stream = stream_at(raft, number);
    if (!stream->offer_owed && !has_piece(stream)) return true;
    struct teak_raft_msg *msg = outbox_add(raft, TEAK_RAFT_SNAPSHOT, stream->to);
    if (!msg) return false;
    struct teak_raft_chunk *chunk = (struct teak_raft_chunk *)raft_at(raft, raft->chunks_at) + number;
    *chunk = (struct teak_raft_chunk){.snapshot = snap_name(raft, &stream->snap), .offset = stream->sent};
    msg->chunk = chunk;
    msg->round = stream->round;
    if (stream->offer_owed) {
        stream->offer_owed = false;
        return true;
    }
    chunk->data = stream->data;
    chunk->frame = stream->frame;
    chunk->bytes = stream->bytes;
    stream->sent += stream->bytes;
    stream->read = LANE_LENT;
    return true;
}

void streams_send(struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++)
        if (stream_at(raft, i)->to != 0 && !send_one(raft, i)) return;
}

void streams_take_back(struct teak_raft *raft)
{
    for (uint32_t i = 0; i < raft->options.snapshot_streams; i++)
        if (stream_at(raft, i)->read == LANE_LENT) drop_piece(stream_at(raft, i));
}

/* ---------------------------------------------------------------------------------------------------------- replies */

static void go_back(struct teak_raft *raft, struct stream *stream, uint64_t to)
{
    stream->sent = stream->acked = to;
    stream->round = ++raft->snap_round; /* what it says of chunks sent before is old */
}

bool streams_on_reply(struct teak_raft *raft, uint32_t slot, const struct teak_raft_msg *msg)
{
    struct stream *stream = stream_of(raft, slot);
    if (!stream || msg->round < stream->first_round || msg->round > stream->round) return true;
    if (msg->at.index != stream->snap.name.pos.index || msg->at.term != stream->snap.name.pos.term) return true;
    if (msg->index > stream->snap.name.bytes) return false;
    if (msg->refused) { /* of a window whose first chunk is lost each other is refused: once is enough */
        const bool news = !stream->greeted || msg->index > stream->acked;
        if (msg->round != stream->round || (stream->stays && !news)) return true;
        stream->greeted = stream->moved = true;
        stream->stays = !news;
        go_back(raft, stream, msg->index);
    } else if (msg->index > stream->acked) {
        stream->greeted = stream->moved = true;
        stream->stays = false;
        stream->acked = msg->index;
        stream->sent = max_index(stream->sent, stream->acked);
    }
    return true;
}

/* It lives. Has it written nothing since it was heard of before, something is lost: what was sent goes again; where all
 * of it is written, or it never said where it is, it is asked. */
void streams_heard(struct teak_raft *raft, uint32_t slot)
{
    struct stream *stream = stream_of(raft, slot);
    if (!stream) return;
    if (!stream->moved) {
        go_back(raft, stream, stream->acked);
        if (!stream->greeted || stream->acked == stream->snap.name.bytes) stream->offer_owed = true;
    }
    stream->moved = stream->stays = false;
}

void streams_lost(struct teak_raft *raft, uint32_t slot)
{
    struct stream *stream = stream_of(raft, slot);
    if (!stream) return;
    end(raft, stream);
    raft->paused |= UINT32_C(1) << slot; /* until it is heard of */
}
