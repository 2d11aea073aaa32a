/* raft_receive_fuzz.c: one node of Raft on the memory store, and bytes that say what happens to it: messages, well and
 * ill formed, answers to what it sent, ticks, completions, proposals, changes, snapshots, crashes, and calls that are
 * wrong.
 *
 * The others may lie: no message, however hostile, stops the process (a CHECK would), or breaks what a node promises to
 * itself; its store is never asked for what contradicts its log; what the store has always starts again. What it sends
 * can be encoded and is judged the same. Each proposal and each read is answered once. A call that answers anything but
 * OK has changed nothing that is replicated. Half of the messages come by the wire.
 */
#include <stdlib.h>

#include "golden/wire_samples.h"
#include "teak/raft_check.h"
#include "teak/raft_store_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ME = 2, GROUP = 7, MEMBERS = 5, SENT = 16, IOS = 32, TAGS = 4096, STEPS = 400, CONFIG_MOST = 6 };

struct open_io {
    uint64_t ticket, body_bytes;
    enum teak_raft_snap_op op;
    uint32_t bytes;
};

struct rig {
    const uint8_t *at, *end;
    struct teak_raft_options options;
    struct teak_raft_log_store store;
    void *block;
    struct teak_raft *raft;
    uint64_t now, incarnation, applied, handed, token;
    bool is_poisoned; /* by the input */
    struct teak_raft_view before;
    uint32_t sent_count, io_count, tag_count, read_count;
    struct teak_raft_msg sent[SENT];
    struct open_io ios[IOS];
    uint8_t tags[TAGS], reads[TAGS]; /* 1: taken and not told */
};

#define MUST(c)                                                                                                        \
    do {                                                                                                               \
        if (!(c)) {                                                                                                    \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #c);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static uint8_t next(struct rig *rig) { return rig->at < rig->end ? *rig->at++ : 0; }

/* ---- memory ---- */

/* What a message or a proposal owns. It ends where its bytes end. */
struct packet {
    struct teak_raft_frame frame;
    uint8_t data[];
};

static void free_packet(struct teak_raft_frame *frame) { free(frame); }

static struct packet *make_packet(uint32_t bytes)
{
    struct packet *packet = malloc(sizeof *packet + bytes);
    MUST(packet);
    packet->frame = (struct teak_raft_frame){
        .refs = 1, .bytes = (uint32_t)sizeof *packet + bytes, .free = free_packet};
    memset(packet->data, 0x5a, bytes);
    return packet;
}

/* ---- what always holds ---- */

static struct teak_raft_view look(const struct rig *rig)
{
    struct teak_raft_view view;
    teak_raft_view(rig->raft, &view);
    return view;
}

/* After each call, with its answer. */
static void judge(struct rig *rig, enum teak_raft_status status)
{
    const struct teak_raft_view was = rig->before, is = look(rig);
    MUST(is.term >= was.term && is.commit >= was.commit && is.applied >= was.applied && is.handed >= was.handed);
    MUST(is.durable_term >= was.durable_term && is.durable_term <= is.term);
    MUST(is.term != was.term || was.vote == 0 || is.vote == was.vote);
    MUST(is.applied <= is.handed && is.handed <= is.commit && is.commit <= is.last.index);
    MUST(!was.halted || is.halted);
    MUST((status == TEAK_RAFT_HALTED) <= is.halted);
    if (status != TEAK_RAFT_OK && status != TEAK_RAFT_HALTED)
        MUST(is.term == was.term && is.vote == was.vote && is.last.index == was.last.index &&
             is.last.term == was.last.term && is.commit == was.commit && is.role == was.role &&
             is.snapshot.index == was.snapshot.index && is.config_index == was.config_index);
    rig->before = is;
}

/* What it sends goes through the wire, and comes out the same. */
static void judge_sent(struct rig *rig, const struct teak_raft_msg *msg)
{
    enum { ROOM = 4096 };
    uint8_t bytes[ROOM];
    struct teak_raft_entry entries[16];
    struct teak_raft_wire_in in = {.entries = entries, .entry_max = 16};
    uint32_t most;
    const size_t count = sample_encode(msg, bytes, sizeof bytes);
    MUST(count > 0 && count <= teak_raft_wire_bytes_max(&rig->options, &most) && msg->count <= most);
    MUST(teak_raft_wire_judge(bytes, count, NULL, &in) == TEAK_RAFT_OK && same_message(msg, &in.msg));
    if (msg->type == TEAK_RAFT_APPEND_REPLY && !msg->refused) MUST(msg->index <= look(rig).durable);
    if (msg->type == TEAK_RAFT_VOTE_REPLY && !msg->refused) MUST(look(rig).durable_vote == msg->to);
    struct teak_raft_msg *kept = &rig->sent[rig->sent_count++ % SENT];
    *kept = *msg;
    kept->entries = NULL;
    kept->chunk = NULL;
    if (!msg->chunk) return;
    kept->at = msg->chunk->snapshot.pos; /* for an answer */
    kept->index = msg->chunk->offset + msg->chunk->bytes;
}

/* ---- values near what the node has ---- */

static uint64_t some_index(struct rig *rig)
{
    const struct teak_raft_view *view = &rig->before;
    const uint8_t byte = next(rig);
    const uint64_t bases[] = {view->last.index, view->commit, view->durable, view->verified, view->first,
                              view->snapshot.index, view->handed, view->tail_first, 0, view->config_index,
                              UINT64_C(1) << 62, UINT64_MAX};
    return bases[(byte & 15) % 12] + (uint64_t)(byte >> 4) - 4;
}

static uint64_t some_term(struct rig *rig)
{
    const struct teak_raft_view *view = &rig->before;
    const uint8_t byte = next(rig);
    switch (byte & 7) {
    case 0:
    case 1: return view->term;
    case 2: return view->term + 1;
    case 3: return view->last.term;
    case 4: return view->term - 1;
    case 5: return byte >> 3;
    case 6: return view->term + (byte >> 3);
    default: return (UINT64_C(1) << 62) - (byte >> 3);
    }
}

/* Bytes of a configuration, as a member would write it or not. */
static uint32_t some_config(struct rig *rig, uint8_t *out)
{
    const uint8_t byte = next(rig), spoil = next(rig);
    const uint32_t count = byte % (CONFIG_MOST + 1), bytes = TEAK_RAFT_CONFIG_BYTES(count);
    memset(out, 0, bytes);
    out[0] = 1;
    out[1] = byte >> 7;
    out[2] = (uint8_t)count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *member = out + 4 + 18 * i;
        const uint8_t roles = next(rig);
        member[0] = (uint8_t)(i + 1);
        member[8] = roles >> 7 ? (uint8_t)(0xb0 + i) : 0;
        member[16] = roles & 15 ? (uint8_t)(1 + roles % 7) : TEAK_RAFT_VOTER;
        member[17] = roles >> 6 & 1;
    }
    if (spoil > 200) out[spoil % bytes] ^= next(rig);
    return spoil == 200 ? bytes - 1 : bytes;
}

/* ---- messages ---- */

struct forged {
    struct teak_raft_msg msg;
    struct teak_raft_entry entries[8];
    struct teak_raft_chunk chunk;
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(CONFIG_MOST)];
    struct packet *packet;
};

static void deliver(struct rig *rig, struct forged *forged)
{
    struct teak_raft_entry entries[8];
    struct teak_raft_wire_in in = {.entries = entries, .entry_max = 8};
    struct packet *packet = NULL;
    const struct teak_raft_msg *msg = &forged->msg;
    uint8_t bytes[4096];
    const size_t count = next(rig) & 1 ? sample_encode(msg, bytes, sizeof bytes) : 0;
    if (count > 0) {
        packet = make_packet((uint32_t)count);
        memcpy(packet->data, bytes, count);
        MUST(teak_raft_wire_judge(packet->data, count, &packet->frame, &in) == TEAK_RAFT_OK);
        msg = &in.msg;
    }
    judge(rig, teak_raft_receive(rig->raft, msg));
    if (packet) teak_raft_drop(&packet->frame);
    if (forged->packet) teak_raft_drop(&forged->packet->frame);
}

static struct teak_raft_msg addressed(const struct rig *rig, uint8_t type, uint64_t from)
{
    struct teak_raft_msg msg = {.group = GROUP, .from = from, .to = ME, .born = 0xb0 + from - 1,
                                .incarnation = 0xc0 + from, .type = type, .term = rig->before.term};
    memcpy(msg.cluster, rig->options.cluster, sizeof msg.cluster);
    return msg;
}

static void forge_entries(struct rig *rig, struct forged *forged, uint32_t count)
{
    struct teak_raft_msg *msg = &forged->msg;
    uint64_t term = msg->at.term > 0 ? msg->at.term : 1;
    forged->packet = make_packet(count * 160);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t byte = next(rig);
        struct teak_raft_entry *entry = &forged->entries[i];
        if (byte & 1 && term < msg->term) term = byte & 2 ? msg->term : term + 1;
        *entry = (struct teak_raft_entry){.index = msg->at.index + 1 + i, .term = term, .frame = &forged->packet->frame,
                                          .data = forged->packet->data + i * 160, .kind = TEAK_RAFT_KIND_APPLICATION,
                                          .bytes = byte >> 4};
        switch (byte >> 2 & 3) {
        case 0: break;
        case 1:
            entry->kind = TEAK_RAFT_NOOP;
            entry->bytes = 0;
            break;
        case 2:
            entry->kind = TEAK_RAFT_CONFIG;
            entry->bytes = some_config(rig, forged->packet->data + i * 160);
            break;
        default: /* what no node sends */
            if (byte >> 4 == 0) entry->kind = next(rig);
            if (byte >> 4 == 1) entry->index += next(rig);
            if (byte >> 4 == 2) entry->term = some_term(rig);
            if (byte >> 4 == 3) entry->data = NULL;
            break;
        }
    }
    msg->entries = forged->entries;
    msg->count = count;
}

static void forge_chunk(struct rig *rig, struct forged *forged)
{
    struct teak_raft_snapshot *snapshot = &forged->chunk.snapshot;
    const uint8_t byte = next(rig);
    snapshot->pos = (struct teak_raft_pos){.index = some_index(rig), .term = some_term(rig)};
    snapshot->born = byte & 3;
    snapshot->bytes = byte & 4 ? next(rig) : 10;
    snapshot->checksum = byte >> 3 & 1;
    snapshot->config_index = byte & 16 ? snapshot->pos.index : some_index(rig);
    snapshot->config = forged->config;
    snapshot->config_bytes = some_config(rig, forged->config);
    forged->chunk.offset = byte & 32 ? next(rig) : 0;
    forged->chunk.bytes = byte & 64 ? next(rig) % 16 : 0;
    forged->packet = make_packet(forged->chunk.bytes);
    forged->chunk.frame = &forged->packet->frame;
    forged->chunk.data = byte & 128 ? NULL : forged->packet->data;
    if (forged->chunk.bytes > 0 && next(rig) < 250) forged->chunk.data = forged->packet->data;
    forged->msg.chunk = &forged->chunk;
}

/* Every field is the input's. */
static void step_forge(struct rig *rig)
{
    struct forged forged = {.packet = NULL};
    const uint8_t type = next(rig), who = next(rig), flags = next(rig), odd = next(rig);
    struct teak_raft_msg *msg = &forged.msg;
    *msg = addressed(rig, (uint8_t)(type % (TEAK_RAFT_MSG_TYPE_COUNT + 1)), who % 7);
    msg->term = some_term(rig);
    msg->at = (struct teak_raft_pos){.index = some_index(rig), .term = some_term(rig)};
    msg->index = some_index(rig);
    msg->round = next(rig);
    msg->asked = rig->incarnation;
    msg->promise = flags & 8 ? next(rig) : 0;
    msg->refused = flags & 1;
    msg->full = flags & 2;
    msg->force = flags & 4;
    if (flags & 16) msg->incarnation += 1;
    if (flags & 32) msg->at.term = teak_raft_term_at(rig->raft, msg->at.index);
    if (odd == 1) msg->to = next(rig);
    if (odd == 2) msg->group++;
    if (odd == 3) msg->cluster[15] ^= 1;
    if (odd == 4) msg->born = next(rig);
    if (odd == 5) msg->incarnation = next(rig);
    if (odd == 6) msg->asked = next(rig);
    if (odd == 7) msg->round = rig->sent[(rig->sent_count - 1) % SENT].round + next(rig);
    if (odd == 8) msg->promise = UINT64_MAX;
    if (msg->type == TEAK_RAFT_SNAPSHOT && odd != 9)
        forge_chunk(rig, &forged);
    else if (msg->type == TEAK_RAFT_APPEND || odd == 9)
        forge_entries(rig, &forged, next(rig) % 6);
    deliver(rig, &forged);
}

/* As the leader of the node's term, or the next one, would send it. */
static void step_append(struct rig *rig)
{
    struct forged forged = {.packet = NULL};
    const uint8_t byte = next(rig), back = next(rig);
    const struct teak_raft_view *view = &rig->before;
    const uint64_t from = view->leader != 0 && view->leader != ME ? view->leader : 1 + 2 * (byte & 1);
    forged.msg = addressed(rig, TEAK_RAFT_APPEND, from);
    forged.msg.term += byte >> 1 & 1;
    forged.msg.at.index = view->last.index - (back & 3 ? 0 : back >> 2);
    if (forged.msg.at.index > view->last.index) forged.msg.at.index = 0;
    forged.msg.at.term = teak_raft_term_at(rig->raft, forged.msg.at.index);
    forged.msg.index = view->last.index - (byte >> 2 & 3);
    if (forged.msg.index > view->last.index) forged.msg.index = 0;
    forge_entries(rig, &forged, byte >> 4 & 7);
    deliver(rig, &forged);
}

/* What somebody who was asked would say. */
static void step_answer(struct rig *rig)
{
    if (rig->sent_count == 0) return;
    struct forged forged = {.packet = NULL};
    const uint8_t byte = next(rig);
    const struct teak_raft_msg *asked = &rig->sent[(rig->sent_count - 1 - (byte & 7)) % SENT];
    if (asked->to == 0) return;
    uint8_t type = (uint8_t)(asked->type + 1);
    uint64_t index = asked->index;
    if (asked->type == TEAK_RAFT_APPEND) index = asked->at.index + asked->count;
    if (asked->type == TEAK_RAFT_HEARTBEAT) index = rig->before.last.index;
    if (asked->type == TEAK_RAFT_TIMEOUT_NOW) type = TEAK_RAFT_VOTE;
    forged.msg = addressed(rig, type, asked->to);
    forged.msg.term = asked->type == TEAK_RAFT_TIMEOUT_NOW ? asked->term + 1 : asked->term;
    forged.msg.asked = asked->incarnation;
    forged.msg.round = asked->round;
    forged.msg.promise = asked->promise;
    forged.msg.index = index;
    forged.msg.at = asked->type == TEAK_RAFT_SNAPSHOT ? asked->at : rig->before.last;
    forged.msg.force = asked->type == TEAK_RAFT_TIMEOUT_NOW;
    forged.msg.refused = byte >> 3 & 1;
    forged.msg.full = (byte >> 4) == 15;
    if ((byte >> 4) == 14) forged.msg.index = some_index(rig);
    if ((byte >> 4) == 13) forged.msg.at = (struct teak_raft_pos){some_index(rig), some_term(rig)};
    deliver(rig, &forged);
}

/* ---- what comes out ---- */

static void keep_io(struct rig *rig, const struct teak_raft_snap_io *io)
{
    if (io->op == TEAK_RAFT_SNAP_CLOSE || io->op == TEAK_RAFT_SNAP_ABORT) return;
    if (io->op == TEAK_RAFT_SNAP_READ) MUST(io->offset + io->bytes <= io->snapshot.bytes);
    if (rig->io_count == IOS) memmove(rig->ios, rig->ios + 1, --rig->io_count * sizeof rig->ios[0]);
    rig->ios[rig->io_count++] = (struct open_io){
        .ticket = io->ticket, .op = io->op, .bytes = io->bytes, .body_bytes = io->snapshot.bytes};
}

static void take_fates(struct rig *rig, const struct teak_raft_ready *ready)
{
    for (uint32_t i = 0; i < ready->done_count; i++)
        for (uint64_t tag = ready->done[i].first_tag; tag < ready->done[i].first_tag + ready->done[i].count; tag++) {
            MUST(tag < TAGS && rig->tags[tag] == 1);
            rig->tags[tag] = 0;
        }
    for (uint32_t i = 0; i < ready->read_count; i++) {
        MUST(ready->reads[i].tag < TAGS && rig->reads[ready->reads[i].tag] == 1);
        rig->reads[ready->reads[i].tag] = 0;
        if (ready->reads[i].fate == TEAK_RAFT_READ_OK) MUST(ready->reads[i].index <= rig->before.applied);
    }
}

static void step_ready(struct rig *rig, uint32_t want)
{
    struct teak_raft_ready ready;
    if (!rig->store.ops->takes(rig->store.self)) want &= ~(uint32_t)TEAK_RAFT_PERSIST;
    MUST(teak_raft_ready(rig->raft, want, &ready) == TEAK_RAFT_OK);
    if (ready.job) {
        MUST(ready.job->token > rig->token);
        rig->token = ready.job->token;
        MUST(rig->store.ops->submit(rig->store.self, GROUP, ready.job) == TEAK_RAFT_OK);
    }
    for (uint32_t i = 0; i < ready.send_count; i++) judge_sent(rig, &ready.send[i]);
    if (ready.apply.upto > 0) {
        MUST(ready.apply.upto > rig->handed && ready.apply.upto <= rig->before.commit);
        for (uint32_t i = 0; i < ready.apply.count; i++)
            MUST(ready.apply.entries[i].kind >= TEAK_RAFT_KIND_APPLICATION &&
                 ready.apply.entries[i].index > rig->handed && ready.apply.entries[i].index <= ready.apply.upto);
        rig->handed = ready.apply.upto;
    }
    for (uint32_t i = 0; i < ready.fetch_count; i++)
        MUST(rig->store.ops->fetch(rig->store.self, GROUP, &ready.fetch[i]) == TEAK_RAFT_OK);
    for (uint32_t i = 0; i < ready.snap_count; i++) keep_io(rig, &ready.snap[i]);
    take_fates(rig, &ready);
    judge(rig, TEAK_RAFT_OK);
}

static void step_complete(struct rig *rig, uint32_t count)
{
    struct teak_raft_completion done[8];
    teak_raft_memory_complete(&rig->store, count);
    const uint32_t told = rig->store.ops->collect(rig->store.self, 0, done, 8);
    for (uint32_t i = 0; i < told; i++) {
        MUST(done[i].outcome != TEAK_RAFT_POISONED || rig->is_poisoned); /* a job that contradicts the log */
        judge(rig, teak_raft_tell(rig->raft, &done[i]));
    }
}

/* ---- inputs of the host ---- */

static void step_propose(struct rig *rig)
{
    const uint8_t byte = next(rig);
    const uint32_t count = byte & 7;
    struct teak_raft_blob blobs[8];
    uint32_t taken = 0;
    if (rig->tag_count + count > TAGS) return;
    struct packet *packet = make_packet(64);
    for (uint32_t i = 0; i < count; i++)
        blobs[i] = (struct teak_raft_blob){.data = packet->data, .frame = &packet->frame, .bytes = (byte >> 3) + i,
                                           .kind = TEAK_RAFT_KIND_APPLICATION};
    if (byte >> 4 == 15 && count > 0) blobs[count - 1].kind = TEAK_RAFT_CONFIG;
    if (byte >> 4 == 14 && count > 0) blobs[count - 1].data = NULL;
    const enum teak_raft_status status = teak_raft_propose(rig->raft, blobs, count, rig->tag_count, &taken);
    MUST(taken <= count && (taken == 0 || status == TEAK_RAFT_OK));
    for (uint32_t i = 0; i < taken; i++) rig->tags[rig->tag_count++] = 1;
    judge(rig, status);
    teak_raft_drop(&packet->frame);
}

static void step_read(struct rig *rig)
{
    if (rig->read_count == TAGS) return;
    const enum teak_raft_status status =
        teak_raft_read(rig->raft, rig->read_count, next(rig) & 1 ? TEAK_RAFT_READ_LEASE : TEAK_RAFT_READ_INDEX);
    if (status == TEAK_RAFT_OK) rig->reads[rig->read_count++] = 1;
    judge(rig, status);
}

static void step_change(struct rig *rig)
{
    struct teak_raft_member members[CONFIG_MOST];
    const uint8_t byte = next(rig);
    const uint32_t count = byte % (CONFIG_MOST + 1);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t roles = next(rig);
        members[i] = (struct teak_raft_member){
            .id = i + 1, .born = roles >> 7 ? 0xb0 + i : 0, .priority = roles >> 6 & 1,
            .roles = (uint8_t)(roles & 7 ? (roles & 8 ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER) : roles >> 3)};
    }
    if (byte >> 7 && count > 0) members[count - 1].id = next(rig);
    judge(rig, teak_raft_change(rig->raft, byte & 64 ? next(rig) : rig->before.config_index, members, count));
}

static void step_word(struct rig *rig)
{
    const uint8_t byte = next(rig);
    switch (byte & 3) {
    case 0: judge(rig, teak_raft_campaign(rig->raft)); break;
    case 1: judge(rig, teak_raft_transfer(rig->raft, byte >> 2 & 7)); break;
    case 2: judge(rig, teak_raft_unreachable(rig->raft, byte >> 2 & 7)); break;
    default: judge(rig, teak_raft_room(rig->raft, byte >> 2 & 1)); break;
    }
}

static void step_snap_done(struct rig *rig)
{
    if (rig->io_count == 0) return;
    const uint8_t byte = next(rig);
    const struct open_io io = rig->ios[0];
    memmove(rig->ios, rig->ios + 1, --rig->io_count * sizeof rig->ios[0]);
    static const enum teak_raft_outcome odd[] = {TEAK_RAFT_CORRUPT, TEAK_RAFT_NO_ROOM, TEAK_RAFT_DURABLE};
    const enum teak_raft_outcome outcome = byte < 240 ? TEAK_RAFT_DONE : odd[byte % 3];
    struct packet *packet = make_packet(io.bytes);
    const struct teak_raft_blob blob = {.data = packet->data, .frame = &packet->frame,
                                        .bytes = (byte & 31) == 31 ? io.bytes + 1 : io.bytes};
    uint64_t offset = 0;
    if (io.op == TEAK_RAFT_SNAP_BEGIN && byte & 1) offset = byte & 2 ? io.body_bytes : byte >> 2;
    const struct teak_raft_blob *data = io.op == TEAK_RAFT_SNAP_READ && (byte & 63) != 63 ? &blob : NULL;
    judge(rig, teak_raft_snap_done(rig->raft, io.ticket, outcome, offset, data));
    teak_raft_drop(&packet->frame);
}

static void step_snapshot(struct rig *rig)
{
    uint8_t config[TEAK_RAFT_CONFIG_BYTES(MEMBERS)];
    struct teak_raft_snapshot snapshot;
    const uint8_t byte = next(rig);
    if (teak_raft_snapshot_point(rig->raft, config, sizeof config, &snapshot) != TEAK_RAFT_OK) return;
    snapshot.bytes = byte & 31;
    snapshot.checksum = byte >> 5;
    if (byte >> 5 == 7) snapshot.pos.index += next(rig);
    if (byte >> 5 == 6) snapshot.config_bytes -= next(rig) & 1;
    judge(rig, teak_raft_snapshot_taken(rig->raft, &snapshot));
}

static void step_applied(struct rig *rig)
{
    const uint8_t byte = next(rig);
    uint64_t index = rig->handed;
    if (byte & 1) index = rig->before.applied + (byte >> 1 & 7);
    if (byte >> 4 == 15) index = some_index(rig);
    const enum teak_raft_status status = teak_raft_applied(rig->raft, index);
    if (status == TEAK_RAFT_OK) rig->applied = index;
    judge(rig, status);
}

/* Calls that are wrong, or late. What is in flight at the store is not touched: that would be a store that lies. */
static void step_misuse(struct rig *rig)
{
    const uint8_t byte = next(rig);
    struct teak_raft_ready ready;
    switch (byte & 7) {
    case 0:
        MUST(teak_raft_persisted(rig->raft, rig->token + 1 + (byte >> 3), TEAK_RAFT_DURABLE) != TEAK_RAFT_OK);
        break;
    case 1: MUST(teak_raft_persisted(rig->raft, rig->token, TEAK_RAFT_FETCHED) != TEAK_RAFT_OK); break;
    case 2: MUST(teak_raft_fetched(rig->raft, 1000000 + byte, TEAK_RAFT_FETCHED, 0, NULL, 0) != TEAK_RAFT_OK); break;
    case 3: MUST(teak_raft_ready(rig->raft, 32u << (byte >> 3 & 3), &ready) == TEAK_RAFT_MISUSE); break;
    case 4:
        if (rig->now > 0) MUST(teak_raft_tick(rig->raft, rig->now - 1) != TEAK_RAFT_OK);
        break;
    case 5: MUST(teak_raft_snap_done(rig->raft, 1000000, TEAK_RAFT_DONE, 0, NULL) != TEAK_RAFT_OK); break;
    case 6: MUST(teak_raft_receive(rig->raft, NULL) == TEAK_RAFT_MISUSE); break;
    default: MUST(teak_raft_applied(rig->raft, rig->handed + 1 + (byte >> 3)) != TEAK_RAFT_OK); break;
    }
    judge(rig, TEAK_RAFT_STALE);
}

/* ---- life ---- */

static void stop(struct rig *rig)
{
    teak_raft_fini(rig->raft);
    free(rig->block);
    rig->raft = NULL;
}

static void start(struct rig *rig)
{
    struct teak_raft_start start = {.incarnation = ++rig->incarnation, .can_restore = true};
    const size_t bytes = teak_raft_size(&rig->options);
    MUST(rig->store.ops->start(rig->store.self, GROUP, &start) == TEAK_RAFT_OK);
    start.applied = rig->applied;
    rig->block = aligned_alloc(16, (bytes + 15) & ~(size_t)15);
    MUST(rig->block);
    MUST(teak_raft_init(rig->block, bytes, &rig->options, &start, rig->now, &rig->raft) == TEAK_RAFT_OK);
    rig->handed = rig->applied;
    rig->sent_count = rig->io_count = rig->tag_count = rig->read_count = 0;
    rig->token = 0;
    memset(rig->tags, 0, sizeof rig->tags);
    memset(rig->reads, 0, sizeof rig->reads);
    rig->before = look(rig);
}

static void step_crash(struct rig *rig)
{
    const uint8_t byte = next(rig);
    stop(rig);
    teak_raft_memory_full(&rig->store, false);
    teak_raft_memory_crash(&rig->store, byte & 7);
    rig->is_poisoned = false;
    if (byte & 8) rig->applied = 0; /* a state machine that keeps nothing */
    start(rig);
}

static void step_store(struct rig *rig)
{
    const uint8_t byte = next(rig);
    if (byte < 160) {
        teak_raft_memory_full(&rig->store, byte & 1);
    } else if (byte < 224) {
        MUST(teak_raft_memory_rot(&rig->store, GROUP, byte & 15) == TEAK_RAFT_OK);
    } else {
        rig->is_poisoned = true;
        teak_raft_memory_poison(&rig->store, byte & 3);
    }
}

static void found(struct rig *rig, uint8_t shape)
{
    struct teak_raft_member members[MEMBERS];
    struct teak_raft_start first = {.applied = 0};
    uint8_t bytes[TEAK_RAFT_CONFIG_BYTES(MEMBERS)];
    struct teak_raft_completion done;
    struct teak_raft_entry entry;
    struct teak_raft_job job;
    const uint32_t count = 2 + shape % (MEMBERS - 1);
    const bool alone = shape >> 5 == 6; /* all others are learners */
    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct teak_raft_member){
            .id = i + 1, .roles = i == 3 || (alone && i + 1 != ME) ? TEAK_RAFT_LEARNER : TEAK_RAFT_VOTER,
            .priority = shape >> 4 & 1 ? (uint8_t)i : 0};
    MUST(rig->store.ops->start(rig->store.self, GROUP, &first) == TEAK_RAFT_OK);
    MUST(teak_raft_bootstrap(members, count, bytes, sizeof bytes, &entry, &job) == TEAK_RAFT_OK);
    MUST(rig->store.ops->submit(rig->store.self, GROUP, &job) == TEAK_RAFT_OK);
    MUST(rig->store.ops->collect(rig->store.self, 0, &done, 1) == 1);
}

static void begin(struct rig *rig)
{
    const uint8_t shape = next(rig), limits = next(rig), times = next(rig);
    struct teak_raft_options *options = &rig->options;
    *options = teak_raft_options_default();
    options->id = ME;
    options->group = GROUP;
    options->seed = shape;
    options->election = 100;
    options->heartbeat = 10;
    options->disk_stall = times & 1 ? 50 : 0;
    options->promise_max = times & 2 ? 100 : 0;
    options->lease_drift_ppm = times & 4 ? 100 : 0;
    options->entry_bytes_max = 24;
    options->message_bytes_max = limits & 1 ? 16 : 1024;
    options->job_bytes_max = limits & 2 ? 16 : 1024;
    options->apply_bytes_max = limits & 4 ? 16 : 1024;
    options->tail_entries = limits & 8 ? 8 : 16;
    options->window_messages = limits & 16 ? 1 : 4;
    options->jobs_max = limits & 32 ? 1 : 4;
    options->tags_max = limits & 64 ? 1 : 8;
    options->reads_max = limits & 128 ? 1 : 4;
    options->term_runs = 8;
    options->members_max = MEMBERS;
    options->trailing_entries = times >> 3 & 3;
    options->retain_entries = 4;
    options->snapshot_streams = 1 + (times >> 5 & 1);
    options->snapshot_chunk_bytes = 8;
    options->snapshot_window = 1 + (times >> 6);
    for (uint8_t i = 0; i < 16; i++) options->cluster[i] = i;
    rig->now = 1000;
    rig->incarnation = 1;
    MUST(teak_raft_memory_open(&rig->store) == TEAK_RAFT_OK);
    MUST(rig->store.ops->create(rig->store.self, GROUP, 0xb0 + ME - 1) == TEAK_RAFT_OK);
    struct teak_raft_completion done;
    MUST(rig->store.ops->collect(rig->store.self, 0, &done, 1) == 0); /* the log is there now */
    if (shape >> 5 != 7) found(rig, shape); /* else it joins with an empty one */
    start(rig);
}
static void step(struct rig *rig)
{
    const uint8_t what = next(rig);
    switch (what % 24) {
    case 0:
    case 1:
    case 2:
    case 3: step_forge(rig); break;
    case 4:
    case 5: step_append(rig); break;
    case 6:
    case 7:
    case 8: step_answer(rig); break;
    case 9:
    case 10: step_ready(rig, TEAK_RAFT_ALL); break;
    case 11: step_ready(rig, next(rig) % 32); break;
    case 12:
    case 13: step_complete(rig, 1 + what / 64); break;
    case 14:
        rig->now += next(rig);
        judge(rig, teak_raft_tick(rig->raft, rig->now));
        break;
    case 15: judge(rig, teak_raft_fire(rig->raft, next(rig) % (TEAK_RAFT_TIMER_COUNT + 1))); break;
    case 16: step_propose(rig); break;
    case 17: step_read(rig); break;
    case 18: step_change(rig); break;
    case 19: step_word(rig); break;
    case 20: step_snap_done(rig); break;
    case 21: what & 128 ? step_snapshot(rig) : step_applied(rig); break;
    case 22: what & 128 ? step_crash(rig) : step_misuse(rig); break;
    default: what & 128 ? step_store(rig) : step_applied(rig); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    rig.at = data;
    rig.end = data + size;
    begin(&rig);
    teak_raft_memory_hold(&rig.store, true);
    for (uint32_t i = 0; i < STEPS && rig.at < rig.end; i++) step(&rig);
    stop(&rig);
    rig.store.ops->close(rig.store.self);
    return 0;
}
