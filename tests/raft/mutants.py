#!/usr/bin/env python3
"""mutants.py: bugs sown into copies of the Raft core, one at a time; the tests have to find each.

tests/raft/mutants.py [--only WORD] [--seconds N]     builds in a temporary folder, minutes; not part of ctest
"""
import argparse
import glob
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TESTS = ["script_test", "walk_test", "api_test", "explore_test", "explore_snapshot_test", "lives_test"]

# (what is wrong, file, as it is, as it would be)
MUTANTS = [
    ("a truncation leaves jobs in flight as they are", "jobs.c",
     "work_at(raft, i)->last = min_index(work_at(raft, i)->last, from - 1)", "(void)i"),
    ("a truncation leaves durable as it is", "jobs.c", "    raft->durable = min_index(raft->durable, from - 1);\n", ""),
    ("what was taken back forgets its cut", "jobs.c",
     "if (cut != 0 && (raft->cut_from == 0 || cut < raft->cut_from)) raft->cut_from = cut;", "(void)cut;"),
    ("confirmed: durable, agreeing or not", "follow.c",
     "const uint64_t sure = min_index(raft->durable, raft->verified);", "const uint64_t sure = raft->durable;"),
    ("confirmed: agreeing, durable or not", "ready.c",
     "msg->index = min_index(raft->durable, raft->verified);", "msg->index = raft->verified;"),
    ("a vote leaves before it is durable", "ready.c",
     "return raft->grant_owed && jobs_vote_is_durable(raft);", "return raft->grant_owed;"),
    ("votes are asked for before the own is durable", "elect.c",
     "(raft->role == TEAK_RAFT_CANDIDATE && jobs_vote_is_durable(raft))", "raft->role == TEAK_RAFT_CANDIDATE"),
    ("entries of older terms are committed by counting", "commits.c",
     "index > raft->commit && tail_term(raft, index) == raft->term", "index > raft->commit"),
    ("a leader counts itself before its disk", "commits.c", "= raft->durable;", "= raft->last.index;"),
    ("only a member campaigns", "role.c", "if (!votes && !voted) return false;", "if (!votes) return false;"),
    ("half is a majority", "quorum.c", "count(half & have) > count(half) / 2", "count(half & have) >= count(half) / 2"),
    ("joint: one half elects", "quorum.c",
     "half_has(voters, have) && half_has(next, have)", "half_has(next ? next : voters, have)"),
    ("joint: one half commits", "quorum.c", "return a < b ? a : b;", "return next ? b : a;"),
    ("an up-to-date log is a long one", "elect.c",
     "return candidate.term > raft->last.term ||\n"
     "           (candidate.term == raft->last.term && candidate.index >= raft->last.index);",
     "return candidate.index >= raft->last.index;"),
    ("two votes in a term", "elect.c", "(raft->vote == 0 || raft->vote == msg->from)", "true"),
    ("a shorter append truncates", "follow.c",
     "if (entry->index > raft->commit && tail_term(raft, entry->index) != entry->term) break;",
     "if (entry->index > raft->commit) break;"),
    ("a heartbeat commits what is not known to agree", "follow.c",
     "commits_to(raft, min_index(msg->index, raft->verified));\n    outbox_reply",
     "commits_to(raft, min_index(msg->index, raft->last.index));\n    outbox_reply"),
    ("what agreed with the last leader agrees with this one", "role.c",
     "raft->verified = raft->commit;", "raft->verified = raft->verified;"),
    ("a configuration that was cut off stays in force", "tail.c", "    members_roll_back(raft, from);\n", ""),
    ("a heartbeat reply confirms nothing", "lead.c",
     "if (msg->index > peer_at(raft, slot)->match) confirm(raft, slot, msg->index);", ""),
    ("a change begins before the last is committed", "change.c",
     "if (raft->config.index > raft->commit || raft->config.joint)", "if (raft->config.joint)"),
    ("applied before it is durable here", "ready.c",
     "raft->handed >= min_index(raft->commit, raft->durable)", "raft->handed >= raft->commit"),
    ("a leader does not learn that its term is over", "node.c",
     "        role_follow(raft, msg->term, 0);\n        return true;", "        return true;"),
    ("an answer to an older round counts", "elect.c", " || msg->round != raft->vote_round", ""),
    ("a read needs no round", "reads.c", "const uint64_t upto = answered(raft);\n    if",
     "const uint64_t upto = UINT64_MAX;\n    if"),
    ("a round of before the read confirms it", "reads.c", "read->round = raft->beat_round;",
     "read->round = raft->beat_round - 1;"),
    ("a round of before a member's question confirms it", "reads.c", "peer->read_beat = raft->beat_round;",
     "peer->read_beat = raft->beat_round - 1;"),
    ("a new leader reads at once", "reads.c",
     "raft->role == TEAK_RAFT_LEADER && raft->commit >= raft->lead_first", "raft->role == TEAK_RAFT_LEADER"),
    ("a read that comes late joins the round", "reads.c",
     "return raft->beating != 0 && raft->beating == others(raft);", "return raft->read_beat != 0;"),
    ("a read does not wait for the state machine", "reads.c",
     "read->state == READ_KNOWN && raft->applied >= read->index", "read->state == READ_KNOWN"),
    ("what was asked of the last leader is answered by this one", "role.c",
     "    if (is_news) reads_lose(raft);\n", ""),
    ("an answer to an older question counts", "reads.c",
     "    if (msg->round != raft->read_round) return; /* to an older question */\n", ""),
    ("a lost question is not asked again", "reads.c", "raft->read_beats == 2 :", "false :"),
    ("a question that is asked again has been answered", "reads.c",
     "    if (again && peer->read_state == READ_TOLD) peer->read_state = READ_KNOWN;\n", ""),
    ("reads wait for ever", "reads.c", "if (read->is_old && read->fate == 0)", "if (false)"),
    ("who does not lead answers reads", "reads.c", "raft->role != TEAK_RAFT_LEADER || slot == NO_SLOT",
     "slot == NO_SLOT"),
    ("a snapshot is confirmed before it is in force", "install.c", "    jobs_clear(raft, raft->verified);\n", ""),
    ("a state machine is replaced before the log is", "install.h",
     "return raft->handed < raft->restore && !install_is_pending(raft) &&", "return raft->handed < raft->restore &&"),
    ("what was taken back forgets its snapshot", "jobs.c",
     "    raft->written_snapshot = before ? before->snapshot : raft->durable_snapshot;\n", ""),
    ("what was taken back forgets its compaction", "jobs.c",
     "    if (raft->written_first < raft->first) raft->compact_owed = true;\n", ""),
    ("a snapshot has the newest configuration", "install.c",
     "const struct config *applied = &raft->applied_config;", "const struct config *applied = &raft->config;"),
    ("configurations are handed out one after the other", "install.h",
     "{ return raft->handed_config.index == 0; }", "{ return raft->halted || true; }"),
    ("a follower that has it is emptied all the same", "intake.c",
     "if (pos.index > raft->commit && tail_term(raft, pos.index) != pos.term) return false;",
     "if (pos.index > raft->commit) return false;"),
    ("a stale snapshot is installed", "intake.c",
     "if (pos.index > raft->commit && tail_term(raft, pos.index) != pos.term) return false;",
     "if (tail_term(raft, pos.index) != pos.term) return false;"),
    ("another snapshot goes on where this one was", "intake.c",
     "a->born == b->born && a->bytes == b->bytes &&\n           a->checksum == b->checksum", "true"),
    ("chunks are taken in any order", "intake.c",
     "chunk->bytes == 0 || chunk->offset > intake->taken", "chunk->bytes == 0"),
    ("a lost chunk is never sent again", "streams.c",
     "        go_back(raft, stream, stream->acked);\n        if (!stream->greeted", "        if (!stream->greeted"),
    ("a snapshot's sender waits for its member for ever", "streams.c",
     "        if (!stream->greeted || stream->acked == stream->snap.name.bytes) stream->offer_owed = true;\n", ""),
    ("entries above a snapshot are forgotten with those below", "install.c",
     "below(raft->snapshot.name.pos.index, raft->options.trailing_entries)", "raft->applied"),
    ("a transfer does not hold the log", "install.c",
     "if (stream->to != 0) held = min_index(held, stream->snap.name.pos.index);", "(void)stream;"),
    ("fates below a snapshot stay open", "commits.c",
     "if (open < end) run->unknown += (uint32_t)(end - open);", "(void)open, (void)end;"),
    ("a restart forgets that the state machine is behind", "start.c", "    raft->restore = index;\n", ""),
    ("a lease counts from the answer", "lease.c", "    raft->lease = raft->lease_next;\n",
     "    raft->lease = raft->lease_next;\n    raft->lease.at = raft->now;\n"),
    ("a lease is as long as the promise", "lease.c", "return promise - (", "return promise - 0 * ("),
    ("a lease goes on while leadership is handed over", "lease.c",
     "raft->lease_over || raft->transfer_to != 0 || ", ""),
    ("a lease goes on after TIMEOUT_NOW", "ready.c", "    lease_end(raft);\n", ""),
    ("a lease outlives a change of membership", "lease.c", " || raft->lease.config != raft->config.index", ""),
    ("a lease without a committed entry of the term", "lease.c", " || raft->commit < raft->lead_first", ""),
    ("a restart forgets the promise", "start.c", "    keep_promise(raft);\n", ""),
    ("a short promise counts", "lead.c", " || msg->promise < lease_asks(raft)", ""),
    ("a promise counts from the last tick", "timers.c",
     "if (*at < TEAK_RAFT_NEVER - 1 - late) *at += late;", "(void)at;"),
    ("a read by lease is judged before the tick", "reads.c",
     ".is_leased = by_lease && raft->role == TEAK_RAFT_LEADER && lease_asks(raft) > 0};\n",
     ".is_leased = by_lease && raft->role == TEAK_RAFT_LEADER && lease_asks(raft) > 0};\n"
     "    reads_judge_lease(raft);\n"),
    ("one answer is a lease", "lease.c",
     "quorum_index(raft->config.voters, raft->config.next, rounds) < raft->lease_next.round", "false"),
    ("a stalled leader hands over to who has no more", "handoff.c",
     "peer_at(raft, slot)->match > raft->durable", "true"),
    ("a stalled node campaigns", "role.c", "raft->rotten || raft->stalled", "raft->rotten"),
    ("a disk that moves again is still stalled", "diskwatch.c", "    raft->stalled = false;\n", ""),
    ("nobody gives way to a higher priority", "members.c",
     ".priority > mine) return true;", ".priority > 255) return true;"),
    ("an answer to a former process counts", "node.c", "!known || msg->asked != raft->incarnation", "!known"),
]


def build(folder, compiler):
    """Objects of the mutant and of what the tests share, then the tests."""
    flags = ["-std=gnu17", "-O1", "-w", "-D_GNU_SOURCE", "-DTEAK_UNSTABLE", "-DTEAK_DEBUG",
             f'-DTEAK_SOURCE_DIR="{ROOT}"', f"-I{folder}", f"-I{ROOT}/engine", f"-I{ROOT}/raft/include",
             f"-I{ROOT}/tests/raft", f"-I{ROOT}/tests"]
    shared = sorted(glob.glob(f"{folder}/core/*.c")) + [f"{ROOT}/engine/base/check.c", f"{ROOT}/engine/base/terms.c",
                                                       f"{ROOT}/tests/raft/world.c", f"{ROOT}/tests/raft/explore.c",
                                                       f"{ROOT}/tests/raft/linear.c", f"{ROOT}/tests/raft/clients.c"]
    objects = []
    for source in shared:
        objects.append(f"{folder}/{os.path.basename(source)}.o")
        subprocess.run([*compiler, *flags, "-c", source, "-o", objects[-1]], check=True)
    for test in TESTS:
        subprocess.run([*compiler, *flags, "-c", f"{ROOT}/tests/raft/{test}.c", "-o", f"{folder}/{test}.o"], check=True)
        subprocess.run([compiler[-1], f"{folder}/{test}.o", *objects, "-o", f"{folder}/{test}", "-lcmocka"], check=True)


def killers(folder, seconds):
    """The first two tests that fail. One that does not end has found something too."""
    found = []
    for test in TESTS:
        try:
            run = subprocess.run([f"{folder}/{test}"], capture_output=True, timeout=seconds, cwd=folder, check=False)
            failed = run.returncode != 0
        except subprocess.TimeoutExpired:
            failed = True
        if failed:
            found.append(test)
        if len(found) == 2:
            break
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default="", help="those whose description has this word")
    parser.add_argument("--seconds", type=int, default=120, help="for one test")
    args = parser.parse_args()
    compiler = ["ccache", "cc"] if shutil.which("ccache") else ["cc"]
    alive = []
    for name, file, before, after in [("none: the core as it is", None, "", "")] + MUTANTS:
        if args.only not in name:
            continue
        with tempfile.TemporaryDirectory(prefix="teak-mutant-") as folder:
            shutil.copytree(ROOT / "raft/core", f"{folder}/core")
            if file:
                path = pathlib.Path(folder, "core", file)
                text = path.read_text(encoding="utf-8")
                if text.count(before) < 1:
                    sys.exit(f"mutants.py: {name}: {file} has no such text any more")
                path.write_text(text.replace(before, after, 1), encoding="utf-8")
            build(folder, compiler)
            found = killers(folder, args.seconds)
        if bool(found) != bool(file):
            alive.append(name)
        print(f"{name:55} {' '.join(found) or '-'}", flush=True)
    if alive:
        sys.exit("mutants.py: not as it should be: " + "; ".join(alive))


if __name__ == "__main__":
    main()
