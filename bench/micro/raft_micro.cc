/* raft_micro.cc: nanoseconds of what a node of the Raft core does, without any I/O: the other members are played by
 * messages made here, the store says at once that a job is done.
 *
 * PATH   Only the calls that a benchmark is named for are timed (manual time), many of them between two readings of the
 *        clock; what brings the node back to where it was is not. The timed calls stand in functions of their own
 *        with C names, so that callgrind counts the instructions of the same calls:
 *          valgrind --tool=callgrind --toggle-collect=raft_timed_propose teak_micro --benchmark_filter=raft_propose
 *        over "entries" or "calls" of that run.
 * FAILS  A node that does not do what the benchmark is about ends the program: no figure is printed for it. So does an
 *        allocation, and an entry whose bytes are not where the proposal or the message had them.
 */
#include <benchmark/benchmark.h>

#include <sys/mman.h>
#include <time.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* in C++ a function may not be called as a struct is without a word */
#include "teak/raft.h"
#pragma GCC diagnostic pop

#include "no_allocations.hh"

namespace {

const uint32_t batch = 64;       /* entries of a proposal, of an APPEND   */
const uint32_t rounds = 32;      /* of them between two readings of the clock */
const uint32_t entry_bytes = 16; /* never looked at by the core           */
const uint64_t never = UINT64_C(1) << 50; /* an election timeout that does not run out */

[[noreturn]] void refuse(const char *what)
{
    fprintf(stderr, "raft_micro: %s\n", what);
    exit(1);
}
void require(bool holds, const char *what)
{
    if (!holds) refuse(what);
}
void require_ok(teak_raft_status status, const char *what)
{
    if (status == TEAK_RAFT_OK) return;
    fprintf(stderr, "raft_micro: %s: %s\n", what, teak_raft_status_name(status));
    exit(1);
}

/* Of this thread's processor time: whoever else is at work does not count. */
double now_ns()
{
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/* Frames and payloads in a ring, larger than what a node keeps: one that comes round again is nobody's. */
class frame_ring {
public:
    frame_ring() : frames(count), bytes(count * entry_bytes) {}
    teak_raft_frame *take(uint32_t frame_bytes)
    {
        teak_raft_frame *const frame = &frames[at++ % count];
        require(frame->refs <= 1, "a frame is still held");
        *frame = {1, frame_bytes, released};
        return frame;
    }
    const uint8_t *payload(uint64_t number) const { return &bytes[number % count * entry_bytes]; }

private:
    static const uint32_t count = 1 << 13;
    static void released(teak_raft_frame *) {} /* the benchmark's own reference is the last */
    std::vector<teak_raft_frame> frames;
    std::vector<uint8_t> bytes;
    uint64_t at = 0;
};

/* A member's life outside of the node: how its process and its log are named. */
uint64_t run_of(uint64_t id) { return 1000 + id; }

/* What node 1 starts with when it has founded a cluster of `voters` voters and `learners` learners. */
struct founded {
    std::vector<uint8_t> config;
    teak_raft_entry entry;
    teak_raft_pos first = {1, 1};
    teak_raft_start start = {};

    founded(uint32_t voters, uint32_t learners) : config(TEAK_RAFT_CONFIG_BYTES(voters + learners))
    {
        std::vector<teak_raft_member> members(voters + learners);
        for (uint32_t i = 0; i < voters + learners; i++)
            members[i] = {i + 1, 0, static_cast<uint8_t>(i < voters ? TEAK_RAFT_VOTER : TEAK_RAFT_LEARNER), 0};
        teak_raft_job job;
        require_ok(teak_raft_bootstrap(members.data(), voters + learners, config.data(), config.size(), &entry, &job),
                   "bootstrap");
        start.hard = job.hard;
        start.first = 1;
        start.last = first;
        start.applied = 1;
        start.configs = &entry;
        start.config_count = 1;
        start.runs = &first;
        start.run_count = 1;
        start.born = 501;
        start.incarnation = run_of(1);
    }
    founded(const founded &) = delete; /* start points into it */
    founded &operator=(const founded &) = delete;
};

/* Node 1 among `voters` voters and `learners` learners; the others are played. */
class bench_node {
public:
    teak_raft *raft = nullptr;
    struct teak_raft_ready ready = {};
    uint64_t now = 0;
    teak_raft_options options;

    bench_node(teak_raft_options with, uint32_t voters, uint32_t learners)
        : options(with), member_count(voters + learners), matches(member_count + 1)
    {
        const founded from(voters, learners);
        options.id = 1;
        block.resize(teak_raft_size(&options) / sizeof block[0] + 1);
        require(teak_raft_size(&options) > 0, "options");
        require_ok(teak_raft_init(block.data(), block.size() * sizeof block[0], &options, &from.start, now, &raft),
                   "init");
        sent.reserve(1 << 12);
    }
    ~bench_node() { teak_raft_fini(raft); }
    bench_node(const bench_node &) = delete;
    bench_node &operator=(const bench_node &) = delete;

    teak_raft_msg message(uint64_t from, teak_raft_msg_type type) const
    {
        teak_raft_msg msg = {};
        msg.from = from;
        msg.to = 1;
        msg.born = 500 + from;
        msg.incarnation = run_of(from);
        msg.asked = run_of(1);
        msg.term = view().term;
        msg.type = type;
        return msg;
    }
    void receive(const teak_raft_msg &msg) { require_ok(teak_raft_receive(raft, &msg), "receive"); }
    uint64_t last() const
    {
        return view().last.index;
    }
    void take_ready() { require_ok(teak_raft_ready(raft, TEAK_RAFT_ALL, &ready), "ready"); }

    /* All that the node wants is done, and all messages are answered, until it wants nothing any more. */
    void settle()
    {
        while (teak_raft_has_ready(raft)) {
            take_ready();
            sent.assign(ready.send, ready.send + ready.send_count);
            const uint64_t token = ready.job ? ready.job->token : 0, upto = ready.apply.upto;
            if (upto != 0) require_ok(teak_raft_applied(raft, upto), "applied");
            if (token != 0) require_ok(teak_raft_persisted(raft, token, TEAK_RAFT_DURABLE), "persisted");
            for (const teak_raft_msg &msg : sent) answer(msg);
        }
    }
    /* Everybody has all of it; the node's own disk is asked first. */
    void settle_all()
    {
        for (uint64_t id = 2; id <= member_count; id++) matches[id] = last();
        settle();
    }
    void lead()
    {
        now += 8 * never;
        require_ok(teak_raft_tick(raft, now), "tick");
        settle();
        const struct teak_raft_view seen = view();
        require(seen.role == TEAK_RAFT_LEADER && seen.commit == seen.last.index, "it does not lead");
    }
    void follow()
    {
        teak_raft_msg msg = message(2, TEAK_RAFT_HEARTBEAT);
        msg.term = 2;
        msg.index = 1;
        receive(msg);
        settle();
    }
    void confirm(uint64_t from, uint64_t upto)
    {
        teak_raft_msg msg = message(from, TEAK_RAFT_APPEND_REPLY);
        msg.index = upto;
        receive(msg);
    }
    struct teak_raft_view view() const
    {
        struct teak_raft_view out;
        teak_raft_view(raft, &out);
        return out;
    }
    uint32_t members() const { return member_count; }

private:
    struct alignas(16) unit {
        uint8_t bytes[16];
    };
    uint32_t member_count;
    std::vector<unit> block;
    std::vector<teak_raft_msg> sent;
    std::vector<uint64_t> matches; /* by id: what a member said it has */

    void answer(const teak_raft_msg &msg)
    {
        static const uint8_t replies[TEAK_RAFT_MSG_TYPE_COUNT] = {
            0, TEAK_RAFT_PRE_VOTE_REPLY, 0, TEAK_RAFT_VOTE_REPLY, 0, TEAK_RAFT_APPEND_REPLY, 0,
            TEAK_RAFT_HEARTBEAT_REPLY};
        if (replies[msg.type] == 0) return;
        teak_raft_msg reply = {};
        reply.from = msg.to;
        reply.to = 1;
        reply.born = 500 + msg.to;
        reply.incarnation = run_of(msg.to);
        reply.asked = msg.incarnation;
        reply.term = msg.type == TEAK_RAFT_PRE_VOTE ? msg.term - 1 : msg.term;
        reply.round = msg.round;
        reply.type = replies[msg.type];
        reply.promise = msg.promise;
        uint64_t &match = matches[msg.to];
        if (msg.type == TEAK_RAFT_APPEND && msg.at.index + msg.count > match) match = msg.at.index + msg.count;
        if (msg.type == TEAK_RAFT_APPEND || msg.type == TEAK_RAFT_HEARTBEAT) reply.index = match;
        receive(reply);
    }
};

teak_raft_options roomy()
{
    teak_raft_options options = teak_raft_options_default();
    options.election = never;
    options.heartbeat = never / 2;
    options.jobs_max = rounds;
    options.window_messages = rounds;
    options.tail_entries = 2 * rounds * batch;
    options.message_bytes_max = batch * entry_bytes; /* an APPEND is a batch */
    options.job_bytes_max = batch * entry_bytes;
    return options;
}

/* What is timed, and nothing else; a check of what came out costs a comparison. */
enum { FRAME_OF_BATCH, FRAME_OF_EACH };

struct batch_of_blobs {
    teak_raft_blob blobs[batch];
};

} // namespace

extern "C" {
__attribute__((noinline)) bool raft_timed_propose(teak_raft *raft, const teak_raft_blob *blobs, uint64_t first_tag,
                                                  struct teak_raft_ready *out);
__attribute__((noinline)) bool raft_timed_append(teak_raft *raft, const teak_raft_msg *msg);
__attribute__((noinline)) bool raft_timed_follow(teak_raft *raft, const teak_raft_msg *msg,
                                                 struct teak_raft_ready *out);
__attribute__((noinline)) bool raft_timed_acknowledge(teak_raft *raft, const teak_raft_msg *msg);
__attribute__((noinline)) bool raft_timed_persisted(teak_raft *raft, uint64_t token, struct teak_raft_ready *out);
__attribute__((noinline)) bool raft_timed_tick(teak_raft *raft, uint64_t now);
__attribute__((noinline)) bool raft_timed_ticks(teak_raft *const *rafts, uint32_t count, uint64_t now);
__attribute__((noinline)) bool raft_timed_init(void *block, size_t bytes, const teak_raft_options *options,
                                               const teak_raft_start *start, teak_raft **out);

bool raft_timed_propose(teak_raft *raft, const teak_raft_blob *blobs, uint64_t first_tag, struct teak_raft_ready *out)
{
    uint32_t taken;
    const bool proposed = teak_raft_propose(raft, blobs, batch, first_tag, &taken) == TEAK_RAFT_OK && taken == batch;
    return proposed && teak_raft_ready(raft, TEAK_RAFT_ALL, out) == TEAK_RAFT_OK;
}

bool raft_timed_append(teak_raft *raft, const teak_raft_msg *msg)
{
    return teak_raft_receive(raft, msg) == TEAK_RAFT_OK;
}

/* All of a follower's part in an APPEND: taken, handed to the disk, durable, confirmed, applied. */
bool raft_timed_follow(teak_raft *raft, const teak_raft_msg *msg, struct teak_raft_ready *out)
{
    if (teak_raft_receive(raft, msg) != TEAK_RAFT_OK || teak_raft_ready(raft, TEAK_RAFT_ALL, out) != TEAK_RAFT_OK)
        return false;
    if (!out->job || teak_raft_persisted(raft, out->job->token, TEAK_RAFT_DURABLE) != TEAK_RAFT_OK) return false;
    if (teak_raft_ready(raft, TEAK_RAFT_ALL, out) != TEAK_RAFT_OK || out->send_count == 0) return false;
    return out->apply.upto == 0 || teak_raft_applied(raft, out->apply.upto) == TEAK_RAFT_OK;
}

bool raft_timed_acknowledge(teak_raft *raft, const teak_raft_msg *msg)
{
    return teak_raft_receive(raft, msg) == TEAK_RAFT_OK;
}

bool raft_timed_persisted(teak_raft *raft, uint64_t token, struct teak_raft_ready *out)
{
    if (teak_raft_persisted(raft, token, TEAK_RAFT_DURABLE) != TEAK_RAFT_OK) return false;
    return teak_raft_ready(raft, TEAK_RAFT_ALL, out) == TEAK_RAFT_OK &&
           teak_raft_applied(raft, out->apply.upto) == TEAK_RAFT_OK;
}

bool raft_timed_tick(teak_raft *raft, uint64_t now) { return teak_raft_tick(raft, now) == TEAK_RAFT_OK; }

bool raft_timed_ticks(teak_raft *const *rafts, uint32_t count, uint64_t now)
{
    bool good = true;
    for (uint32_t i = 0; i < count; i++) good &= teak_raft_tick(rafts[i], now) == TEAK_RAFT_OK;
    return good;
}

bool raft_timed_init(void *block, size_t bytes, const teak_raft_options *options, const teak_raft_start *start,
                     teak_raft **out)
{
    return teak_raft_init(block, bytes, options, start, 0, out) == TEAK_RAFT_OK;
}
}

namespace {

/* 64 proposals, and what leaves of them: a job of 64 and an APPEND of 64 for each of two members. The tail is full, so
 * that as many are forgotten. Per entry. */
void raft_propose(benchmark::State &state)
{
    const bool each = state.range(0) == FRAME_OF_EACH;
    bench_node node(roomy(), 3, 0);
    frame_ring frames;
    std::vector<batch_of_blobs> batches(rounds);
    std::vector<teak_raft_frame *> owned(rounds * batch);
    uint64_t tag = 1, entries = 0;
    node.lead();
    no_allocations none(state);
    for (auto _ : state) {
        for (uint32_t i = 0; i < rounds * batch; i++) {
            const bool shares = !each && i % batch != 0;
            owned[i] = shares ? nullptr : frames.take(each ? entry_bytes : batch * entry_bytes);
            batches[i / batch].blobs[i % batch] = {frames.payload(tag + i), owned[each ? i : i - i % batch],
                                                   entry_bytes, TEAK_RAFT_KIND_APPLICATION};
        }
        none.begin();
        const double begun = now_ns();
        for (uint32_t i = 0; i < rounds; i++) {
            const teak_raft_blob *const blobs = batches[i].blobs;
            const bool good = raft_timed_propose(node.raft, blobs, tag, &node.ready);
            const struct teak_raft_ready &ready = node.ready;
            if (!good || ready.send_count != 2 || ready.send[1].count != batch || ready.send[0].count != batch ||
                !ready.job || ready.job->count != batch ||
                ready.job->entries[batch - 1].data != blobs[batch - 1].data ||
                ready.send[1].entries[0].data != blobs[0].data)
                refuse("not a job and two messages of the bytes that were proposed");
            tag += batch;
        }
        const double took = now_ns() - begun;
        none.end();
        entries += rounds * batch;
        state.SetIterationTime(took * 1e-9);
        for (teak_raft_frame *frame : owned) teak_raft_drop(frame);
        require_ok(teak_raft_persisted(node.raft, node.ready.job->token, TEAK_RAFT_DURABLE), "persisted");
        for (uint64_t id = 2; id <= 3; id++) node.confirm(id, node.last());
        node.settle();
    }
    state.SetItemsProcessed(static_cast<int64_t>(entries));
    state.counters["entries"] = static_cast<double>(entries);
    state.counters["per_entry"] = benchmark::Counter(static_cast<double>(entries), benchmark::Counter::kIsRate |
                                                                                       benchmark::Counter::kInvert);
}
BENCHMARK(raft_propose)->ArgName("each")->Arg(FRAME_OF_BATCH)->Arg(FRAME_OF_EACH)->UseManualTime()->Iterations(100);

/* An APPEND of 64 is taken by a follower whose tail is full. turn: with everything else that comes of it. Per entry. */
void raft_follow(benchmark::State &state)
{
    const bool whole_turn = state.range(0) != 0;
    bench_node node(roomy(), 3, 0);
    frame_ring frames;
    std::vector<std::array<teak_raft_entry, batch>> entries(rounds);
    std::vector<teak_raft_msg> messages(rounds);
    uint64_t done = 0;
    node.follow();
    const teak_raft_msg model = node.message(2, TEAK_RAFT_APPEND);
    uint64_t last = 1, last_term = 1;
    no_allocations none(state);
    for (auto _ : state) {
        for (uint32_t i = 0; i < rounds; i++) {
            teak_raft_frame *const frame = frames.take(batch * entry_bytes);
            messages[i] = model;
            messages[i].at = {last, last_term};
            messages[i].index = last;
            messages[i].entries = entries[i].data();
            messages[i].count = batch;
            for (teak_raft_entry &entry : entries[i])
                entry = {++last, model.term, 0, frames.payload(last), frame, entry_bytes, TEAK_RAFT_KIND_APPLICATION};
            last_term = model.term;
        }
        none.begin();
        const double begun = now_ns();
        bool good = true;
        if (whole_turn)
            for (uint32_t i = 0; i < rounds; i++) good &= raft_timed_follow(node.raft, &messages[i], &node.ready);
        else
            for (uint32_t i = 0; i < rounds; i++) good &= raft_timed_append(node.raft, &messages[i]);
        const double took = now_ns() - begun;
        none.end();
        require(good, "an APPEND was not taken");
        state.SetIterationTime(took * 1e-9);
        done += rounds * batch;
        if (!whole_turn) {
            node.take_ready();
            require(node.ready.job && node.ready.job->entries[0].data == entries[0][0].data, "a payload was copied");
            require_ok(teak_raft_persisted(node.raft, node.ready.job->token, TEAK_RAFT_DURABLE), "persisted");
        }
        node.settle();
        require(node.last() == last, "entries are missing");
        for (uint32_t i = 0; i < rounds; i++) teak_raft_drop(entries[i][0].frame);
    }
    state.SetItemsProcessed(static_cast<int64_t>(done));
    state.counters["entries"] = static_cast<double>(done);
    state.counters["per_entry"] = benchmark::Counter(static_cast<double>(done), benchmark::Counter::kIsRate |
                                                                                    benchmark::Counter::kInvert);
}
BENCHMARK(raft_follow)->ArgName("turn")->Arg(0)->Arg(1)->UseManualTime()->Iterations(100);

/* Members confirm one APPEND of 64 after another, all of them in turn: each reply moves a window, and every few of them
 * what is committed. Per reply. Of a joint configuration 7 go and 7 come; it is decided behind all that is confirmed
 * here, so that it stays joint. */
void acknowledge(benchmark::State &state, bool joint)
{
    const uint32_t others = joint ? 13 : 6;
    teak_raft_options options = roomy();
    options.members_max = 14;
    uint64_t done = 0;
    std::unique_ptr<bench_node> node;
    frame_ring frames;
    no_allocations none(state);
    std::vector<teak_raft_msg> replies;
    replies.reserve(rounds * others);
    for (auto _ : state) {
        if (joint || !node) {
            node = std::make_unique<bench_node>(options, 7u, joint ? 7u : 0u);
            node->lead();
        }
        const uint64_t before = node->last();
        for (uint32_t i = 0; i < rounds; i++) {
            std::array<teak_raft_blob, batch> blobs;
            teak_raft_frame *const frame = frames.take(batch * entry_bytes);
            blobs.fill({frames.payload(0), frame, entry_bytes, TEAK_RAFT_KIND_APPLICATION});
            uint32_t taken;
            require_ok(teak_raft_propose(node->raft, blobs.data(), batch, before + i * batch, &taken), "propose");
            require(taken == batch, "not all were taken");
            teak_raft_drop(frame);
        }
        if (joint) {
            std::array<teak_raft_member, 7> wanted;
            for (uint32_t i = 0; i < 7; i++) wanted[i] = {i + 8, 0, TEAK_RAFT_VOTER, 0};
            teak_raft_set set;
            teak_raft_config(node->raft, &set);
            require_ok(teak_raft_change(node->raft, set.index, wanted.data(), 7), "change");
            teak_raft_config(node->raft, &set);
            require(set.joint && set.count == 14, "not a joint configuration of 14");
        }
        uint64_t token = 0;
        while (teak_raft_has_ready(node->raft)) { /* to the disk and to the members; nobody has answered yet */
            node->take_ready();
            if (node->ready.job) token = node->ready.job->token;
        }
        require_ok(teak_raft_persisted(node->raft, token, TEAK_RAFT_DURABLE), "persisted");
        replies.clear();
        for (uint32_t i = 1; i <= rounds; i++)
            for (uint32_t id = 2; id < 2 + others; id++) {
                teak_raft_msg reply = node->message(id, TEAK_RAFT_APPEND_REPLY);
                reply.index = before + i * batch;
                replies.push_back(reply);
            }
        none.begin();
        const double begun = now_ns();
        bool good = true;
        for (const teak_raft_msg &reply : replies) good &= raft_timed_acknowledge(node->raft, &reply);
        const double took = now_ns() - begun;
        none.end();
        require(good, "a reply was not taken");
        require(node->view().commit == before + rounds * batch, "not committed");
        state.SetIterationTime(took * 1e-9);
        done += replies.size();
        if (!joint) node->settle_all();
    }
    state.SetItemsProcessed(static_cast<int64_t>(done));
    state.counters["calls"] = static_cast<double>(done);
    state.counters["per_reply"] = benchmark::Counter(static_cast<double>(done), benchmark::Counter::kIsRate |
                                                                                    benchmark::Counter::kInvert);
}
void raft_acknowledge_7(benchmark::State &state) { acknowledge(state, false); }
BENCHMARK(raft_acknowledge_7)->UseManualTime()->Iterations(100);
void raft_acknowledge_joint(benchmark::State &state) { acknowledge(state, true); }
BENCHMARK(raft_acknowledge_joint)->UseManualTime()->Iterations(100);

/* A job of 64 is durable at a voter alone: that commits them; their fates are told, they are handed out and applied.
 * Per entry. */
void raft_persisted(benchmark::State &state)
{
    bench_node node(roomy(), 1, 0);
    frame_ring frames;
    std::array<uint64_t, rounds> tokens;
    uint64_t tag = 1, done = 0;
    node.lead();
    no_allocations none(state);
    for (auto _ : state) {
        for (uint64_t &token : tokens) {
            std::array<teak_raft_blob, batch> blobs;
            teak_raft_frame *const frame = frames.take(batch * entry_bytes);
            blobs.fill({frames.payload(tag), frame, entry_bytes, TEAK_RAFT_KIND_APPLICATION});
            require(raft_timed_propose(node.raft, blobs.data(), tag, &node.ready) && node.ready.job, "no job");
            token = node.ready.job->token;
            tag += batch;
            teak_raft_drop(frame);
        }
        none.begin();
        const double begun = now_ns();
        for (uint64_t token : tokens) {
            const bool good = raft_timed_persisted(node.raft, token, &node.ready);
            if (!good || node.ready.done_count != 1 || node.ready.done[0].count != batch ||
                node.ready.apply.count != batch)
                refuse("not 64 fates, not 64 to apply");
        }
        const double took = now_ns() - begun;
        none.end();
        state.SetIterationTime(took * 1e-9);
        done += rounds * batch;
    }
    state.SetItemsProcessed(static_cast<int64_t>(done));
    state.counters["entries"] = static_cast<double>(done);
    state.counters["per_entry"] = benchmark::Counter(static_cast<double>(done), benchmark::Counter::kIsRate |
                                                                                    benchmark::Counter::kInvert);
}
BENCHMARK(raft_persisted)->UseManualTime()->Iterations(100);

/* No timer has run out. */
void raft_tick(benchmark::State &state)
{
    bench_node node(roomy(), 3, 0);
    if (state.range(0) != 0)
        node.lead();
    else
        node.follow();
    uint64_t now = node.now;
    bool good = true;
    no_allocations none(state);
    none.begin();
    for (auto _ : state) good &= raft_timed_tick(node.raft, ++now);
    none.end();
    require(good, "tick");
    state.counters["calls"] = static_cast<double>(state.iterations());
}
BENCHMARK(raft_tick)->ArgName("leader")->Arg(0)->Arg(1)->Iterations(1 << 20);

/* A node begins on a log of 40 million entries of `terms` terms: what the core does of it. */
void raft_start(benchmark::State &state)
{
    const uint64_t last = 40000000, terms = static_cast<uint64_t>(state.range(0));
    teak_raft_options options = teak_raft_options_default();
    options.id = 1;
    founded from(3, 0);
    std::vector<teak_raft_pos> runs(terms);
    for (uint64_t i = 0; i < terms; i++) runs[i] = {1 + i * (last / terms), 1 + i};
    from.start.hard = {terms, 0, last};
    from.start.last = {last, terms};
    from.start.applied = last;
    from.start.runs = runs.data();
    from.start.run_count = static_cast<uint32_t>(terms);
    const size_t bytes = teak_raft_size(&options);
    std::vector<std::max_align_t> block(bytes / sizeof(std::max_align_t) + 1);
    teak_raft *raft = nullptr;
    no_allocations none(state);
    none.begin();
    for (auto _ : state)
        if (!raft_timed_init(block.data(), bytes, &options, &from.start, &raft)) refuse("start");
    none.end();
    require(teak_raft_term_at(raft, last) == terms, "not that log");
    state.counters["block_bytes"] = static_cast<double>(bytes);
    state.counters["calls"] = static_cast<double>(state.iterations());
}
BENCHMARK(raft_start)->ArgName("terms")->Arg(1)->Arg(1000)->Iterations(200);

/* A group of three voters that keeps 64 entries in memory; nothing happens in it. */
teak_raft_options small()
{
    teak_raft_options options = teak_raft_options_default();
    options.election = never;
    options.heartbeat = never / 2;
    options.members_max = 3;
    options.tail_entries = 64;
    options.jobs_max = 4;
    options.tags_max = 8;
    options.reads_max = 4;
    options.term_runs = 16;
    options.window_messages = 8;
    options.snapshot_window = 2;
    return options;
}

/* 10,000 groups, one tick each: what a turn costs a node with so many that has nothing to do. Per turn. The blocks lie
 * side by side in large pages, as one who has so many would have them. */
void raft_idle_groups(benchmark::State &state)
{
    const uint32_t count = 10000;
    teak_raft_options options = small();
    options.id = 1;
    const size_t bytes = teak_raft_size(&options), room = (bytes * count + (4u << 20)) >> 21 << 21;
    void *const mapped = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(mapped != MAP_FAILED, "no memory");
    (void)madvise(mapped, room, MADV_HUGEPAGE);
    const founded from(3, 0);
    std::vector<teak_raft *> rafts(count);
    for (uint32_t i = 0; i < count; i++) {
        options.group = i;
        require_ok(teak_raft_init(static_cast<uint8_t *>(mapped) + i * bytes, bytes, &options, &from.start, 0,
                                  &rafts[i]), "init");
    }
    uint64_t now = 0;
    bool good = true;
    no_allocations none(state);
    none.begin();
    for (auto _ : state) good &= raft_timed_ticks(rafts.data(), count, ++now);
    none.end();
    require(good, "tick");
    state.counters["bytes_of_a_group"] = static_cast<double>(bytes);
    state.counters["calls"] = static_cast<double>(state.iterations()) * count;
    munmap(mapped, room);
}
BENCHMARK(raft_idle_groups)->Iterations(1000)->Unit(benchmark::kMicrosecond);

} // namespace
