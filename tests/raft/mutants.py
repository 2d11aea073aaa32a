#!/usr/bin/env python3
"""mutants.py: bugs sown into copies of the Raft core, one at a time. The test that is named for a bug has to find it,
and one more has to.

tests/raft/mutants.py [--only WORD,...] [--seconds N] [--write]    builds in a temporary folder, minutes; not part of
                                                                   ctest. --write: into the table in mutants.md
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TESTS = ["script_test", "paper_test", "raft_history_test", "api_test", "walk_test", "quorum_test", "members_test",
         "limits_test", "lives_test", "liars_test", "explore_snapshot_test", "explore_test"]
QUICK = TESTS[:-2]
HELPERS = ["raft/world.c", "raft/explore.c", "raft/script.c", "raft/linear.c", "raft/clients.c"]

# (what is wrong, file, as it is, as it would be, the test and the case that have to see it)
MUTANTS = [
    ("a truncation leaves jobs in flight as they are", "jobs.c",
     "work_at(raft, i)->last = min_index(work_at(raft, i)->last, from - 1)", "(void)i",
     "script_test: conflict_hints.txt"),
    ("a truncation leaves durable as it is", "jobs.c", "    raft->durable = min_index(raft->durable, from - 1);\n", "",
     "paper_test: conflicting_entries_are_overwritten"),
    ("what was taken back forgets its cut", "jobs.c",
     "if (cut != 0 && (raft->cut_from == 0 || cut < raft->cut_from)) raft->cut_from = cut;", "(void)cut;",
     "walk_test: walks_keep_what_holds_and_settle"),
    ("confirmed: durable, agreeing or not", "follow.c",
     "const uint64_t sure = min_index(raft->durable, raft->verified);", "const uint64_t sure = raft->durable;",
     "script_test: rf26_durable_is_not_verified.txt"),
    ("confirmed: agreeing, durable or not", "ready.c",
     "msg->index = min_index(raft->durable, raft->verified);", "msg->index = raft->verified;",
     "script_test: rf01_one_confirmation_for_all.txt"),
    ("a vote leaves before it is durable", "ready.c",
     "return raft->grant_owed && jobs_vote_is_durable(raft);", "return raft->grant_owed;",
     "script_test: election.txt"),
    ("votes are asked for before the own is durable", "elect.c",
     "(raft->role == TEAK_RAFT_CANDIDATE && jobs_vote_is_durable(raft))", "raft->role == TEAK_RAFT_CANDIDATE",
     "script_test: rf17_a_vote_is_asked_when_it_is_durable.txt"),
    ("entries of older terms are committed by counting", "commits.c",
     "index > raft->commit && tail_term(raft, index) == raft->term", "index > raft->commit",
     "script_test: rf28_limits_and_what_clears_them.txt"),
    ("a leader counts itself before its disk", "commits.c", "= raft->durable;", "= raft->last.index;",
     "script_test: rf16_leader_of_learners.txt"),
    ("only a member campaigns", "role.c", "if (!votes && !voted) return false;", "if (!votes) return false;",
     "script_test: rf19_removed_but_needed.txt"),
    ("half is a majority", "quorum.c", "count(half & have) > count(half) / 2", "count(half & have) >= count(half) / 2",
     "quorum_test: majorities_meet"),
    ("joint: one half elects", "quorum.c",
     "half_has(voters, have) && half_has(next, have)", "half_has(next ? next : voters, have)",
     "quorum_test: a_majority_of_each_half_decides"),
    ("joint: one half commits", "quorum.c", "return a < b ? a : b;", "return next ? b : a;",
     "quorum_test: the_index_is_the_highest_with_a_majority"),
    ("an up-to-date log is a long one", "elect.c",
     "return candidate.term > raft->last.term ||\n"
     "           (candidate.term == raft->last.term && candidate.index >= raft->last.index);",
     "return candidate.index >= raft->last.index;",
     "paper_test: a_vote_is_denied_to_an_older_log"),
    ("two votes in a term", "elect.c", "(raft->vote == 0 || raft->vote == msg->from)", "true",
     "paper_test: a_server_comes_back_with_its_term_and_vote"),
    ("a shorter append truncates", "follow.c",
     "if (entry->index > raft->commit && tail_term(raft, entry->index) != entry->term) break;",
     "if (entry->index > raft->commit) break;",
     "paper_test: conflicting_entries_are_overwritten"),
    ("a heartbeat commits what is not known to agree", "follow.c",
     "commits_to(raft, min_index(msg->index, raft->verified));\n    outbox_reply",
     "commits_to(raft, min_index(msg->index, raft->last.index));\n    outbox_reply",
     "script_test: rf26_durable_is_not_verified.txt"),
    ("what agreed with the last leader agrees with this one", "role.c",
     "raft->verified = raft->commit;", "raft->verified = raft->verified;",
     "script_test: rf03_truncated_twice.txt"),
    ("a configuration that was cut off stays in force", "tail.c", "    members_roll_back(raft, from);\n", "",
     "script_test: rf33_configuration_rolled_back.txt"),
    ("a heartbeat reply confirms nothing", "lead.c",
     "if (msg->index > peer_at(raft, slot)->match) confirm(raft, slot, msg->index);", "",
     "script_test: heartbeat_finds_a_lost_confirmation.txt"),
    ("a change begins before the last is committed", "change.c",
     "if (raft->config.index > raft->commit || raft->config.joint)", "if (raft->config.joint)",
     "api_test: changes_are_judged"),
    ("applied before it is durable here", "ready.c",
     "raft->handed >= min_index(raft->commit, raft->durable)", "raft->handed >= raft->commit",
     "script_test: rf09_commit_rides.txt"),
    ("a leader does not learn that its term is over", "node.c",
     "        role_follow(raft, msg->term, 0);\n        return true;", "        return true;",
     "paper_test: a_leader_of_an_old_term_follows"),
    ("an answer to an older round counts", "elect.c", " || msg->round != raft->vote_round", "",
     "script_test: seed_s4_a_reply_of_an_older_round.txt"),
    ("a read needs no round", "reads.c", "const uint64_t upto = answered(raft);\n    if",
     "const uint64_t upto = UINT64_MAX;\n    if",
     "script_test: rf25_read_index.txt"),
    ("a round of before the read confirms it", "reads.c", "read->round = raft->beat_round;",
     "read->round = raft->beat_round - 1;",
     "script_test: rf25_read_index.txt"),
    ("a round of before a member's question confirms it", "reads.c", "peer->read_beat = raft->beat_round;",
     "peer->read_beat = raft->beat_round - 1;",
     "script_test: rf25_read_index.txt"),
    ("a new leader reads at once", "reads.c",
     "raft->role == TEAK_RAFT_LEADER && raft->commit >= raft->lead_first", "raft->role == TEAK_RAFT_LEADER",
     "script_test: rf25_read_of_a_new_leader.txt"),
    ("a read that comes late joins the round", "reads.c",
     "return raft->beating != 0 && raft->beating == others(raft);", "return raft->read_beat != 0;",
     "script_test: rf25_read_index.txt"),
    ("a read does not wait for the state machine", "reads.c",
     "read->state == READ_KNOWN && raft->applied >= read->index", "read->state == READ_KNOWN",
     "api_test: reads_are_answered_when_they_are_applied"),
    ("what was asked of the last leader is answered by this one", "role.c",
     "    if (is_news) reads_lose(raft);\n", "",
     "script_test: rf25_read_of_a_deposed_leader.txt"),
    ("an answer to an older question counts", "reads.c",
     "    if (msg->round != raft->read_round) return; /* to an older question */\n", "",
     "walk_test: walks_keep_what_holds_and_settle"),
    ("a lost question is not asked again", "reads.c", "raft->read_beats == 2 :", "false :",
     "script_test: rf25_read_index.txt"),
    ("a question that is asked again has been answered", "reads.c",
     "    if (again && peer->read_state == READ_TOLD) peer->read_state = READ_KNOWN;\n", "",
     "script_test: rf25_read_index.txt"),
    ("reads wait for ever", "reads.c", "if (read->is_old && read->fate == 0)", "if (false)",
     "script_test: rf25_read_index.txt"),
    ("who does not lead answers reads", "reads.c", "raft->role != TEAK_RAFT_LEADER || slot == NO_SLOT",
     "slot == NO_SLOT",
     "script_test: read_refused.txt"),
    ("a snapshot is confirmed before it is in force", "install.c", "    jobs_clear(raft, raft->verified);\n", "",
     "script_test: rf39_a_snapshot_hides_a_proposal.txt"),
    ("a state machine is replaced before the log is", "install.h",
     "return raft->handed < raft->restore && !install_is_pending(raft) &&", "return raft->handed < raft->restore &&",
     "script_test: a_snapshot_without_space.txt"),
    ("what was taken back forgets its snapshot", "jobs.c",
     "    raft->written_snapshot = before ? before->snapshot : raft->durable_snapshot;\n", "",
     "walk_test: walks_keep_what_holds_and_settle"),
    ("what was taken back forgets its compaction", "jobs.c",
     "    if (raft->written_first < raft->first) raft->compact_owed = true;\n", "",
     "script_test: rf04_compaction_again.txt"),
    ("a snapshot has the newest configuration", "install.c",
     "const struct config *applied = &raft->applied_config;", "const struct config *applied = &raft->config;",
     "script_test: rf33_configuration_of_a_snapshot.txt"),
    ("configurations are handed out one after the other", "install.h",
     "{ return raft->handed_config.index == 0; }", "{ return raft->halted || true; }",
     "api_test: a_snapshot_knows_its_configuration"),
    ("a follower that has it is emptied all the same", "intake.c",
     "if (pos.index > raft->commit && tail_term(raft, pos.index) != pos.term) return false;",
     "if (pos.index > raft->commit) return false;",
     "script_test: snapshot_where_the_log_has_it.txt"),
    ("a stale snapshot is installed", "intake.c",
     "if (pos.index > raft->commit && tail_term(raft, pos.index) != pos.term) return false;",
     "if (tail_term(raft, pos.index) != pos.term) return false;",
     "script_test: snapshot_where_the_log_has_it.txt"),
    ("another snapshot goes on where this one was", "intake.c",
     "a->born == b->born && a->bytes == b->bytes &&\n           a->checksum == b->checksum", "true",
     "script_test: rf37_only_the_same_name_resumes.txt"),
    ("chunks are taken in any order", "intake.c",
     "chunk->bytes == 0 || chunk->offset > intake->taken", "chunk->bytes == 0",
     "walk_test: walks_keep_what_holds_and_settle"),
    ("a lost chunk is never sent again", "streams.c",
     "        go_back(raft, stream, stream->acked);\n        if (!stream->greeted", "        if (!stream->greeted",
     "script_test: a_snapshot_without_space.txt"),
    ("a snapshot's sender waits for its member for ever", "streams.c",
     "        if (!stream->greeted || stream->acked == stream->snap.name.bytes) stream->offer_owed = true;\n", "",
     "script_test: seed_l6_a_snapshot_goes_once.txt"),
    ("entries above a snapshot are forgotten with those below", "install.c",
     "below(raft->snapshot.name.pos.index, raft->options.trailing_entries)", "raft->applied",
     "script_test: a_snapshot_without_space.txt"),
    ("a transfer does not hold the log", "install.c",
     "if (stream->to != 0) held = min_index(held, stream->snap.name.pos.index);", "(void)stream;",
     "script_test: rf38_a_slow_transfer.txt"),
    ("fates below a snapshot stay open", "commits.c",
     "if (open < end) run->unknown += (uint32_t)(end - open);", "(void)open, (void)end;",
     "script_test: rf39_a_snapshot_hides_a_proposal.txt"),
    ("a restart forgets that the state machine is behind", "start.c", "    raft->restore = index;\n", "",
     "script_test: rf36_crash_before_restore.txt"),
    ("a lease counts from the answer", "lease.c", "    raft->lease = raft->lease_next;\n",
     "    raft->lease = raft->lease_next;\n    raft->lease.at = raft->now;\n",
     "script_test: rf24_lease_counts_from_the_round.txt"),
    ("a lease is as long as the promise", "lease.c", "return promise - (", "return promise - 0 * (",
     "script_test: rf24_lease.txt"),
    ("a lease goes on while leadership is handed over", "lease.c",
     "raft->lease_over || raft->transfer_to != 0 || ", "",
     "script_test: rf24_lease.txt"),
    ("a lease goes on after TIMEOUT_NOW", "ready.c", "    lease_end(raft);\n", "",
     "script_test: rf24_lease.txt"),
    ("a lease outlives a change of membership", "lease.c", " || raft->lease.config != raft->config.index", "",
     "script_test: rf24_lease.txt"),
    ("a lease without a committed entry of the term", "lease.c", " || raft->commit < raft->lead_first", "",
     "script_test: rf24_lease_of_a_new_leader.txt"),
    ("a restart forgets the promise", "start.c", "    keep_promise(raft);\n", "",
     "script_test: rf24_restart_keeps_the_promise.txt"),
    ("a short promise counts", "lead.c", " || msg->promise < lease_asks(raft)", "",
     "script_test: rf24_short_promise.txt"),
    ("a promise counts from the last tick", "timers.c",
     "if (*at < TEAK_RAFT_NEVER - 1 - late) *at += late;", "(void)at;",
     "script_test: rf05_what_was_received_counts_from_the_tick.txt"),
    ("a read by lease is judged before the tick", "reads.c",
     ".is_leased = by_lease && raft->role == TEAK_RAFT_LEADER && lease_asks(raft) > 0};\n",
     ".is_leased = by_lease && raft->role == TEAK_RAFT_LEADER && lease_asks(raft) > 0};\n"
     "    reads_judge_lease(raft);\n",
     "script_test: rf05_the_clock_is_read_after_the_read.txt"),
    ("one answer is a lease", "lease.c",
     "quorum_index(raft->config.voters, raft->config.next, rounds) < raft->lease_next.round", "false",
     "script_test: rf24_lease_of_a_majority.txt"),
    ("a stalled leader hands over to who has no more", "handoff.c",
     "peer_at(raft, slot)->match > raft->durable", "true",
     "script_test: rf22_stalled_disk.txt"),
    ("a stalled node campaigns", "role.c", "raft->rotten || raft->stalled", "raft->rotten",
     "script_test: rf22_stalled_disk.txt"),
    ("a disk that moves again is still stalled", "diskwatch.c", "    raft->stalled = false;\n", "",
     "script_test: rf22_stalled_disk.txt"),
    ("nobody gives way to a higher priority", "members.c",
     ".priority > mine) return true;", ".priority > 255) return true;",
     "script_test: rf53_priorities.txt"),
    ("an answer to a former process counts", "node.c", "!known || msg->asked != raft->incarnation", "!known",
     "script_test: rf11_reads_of_a_former_run.txt"),
    ("another log under a member's id is the member", "node.c", "if (fits_born(member, msg->born)) return true;",
     "return true;",
     "script_test: rf10_another_log_under_an_old_id.txt"),
    ("another process answered all rounds so far", "lead.c",
     "    peer->incarnation = msg->incarnation;\n",
     "    if (peer->incarnation != msg->incarnation) peer->answered = raft->beat_round;\n"
     "    peer->incarnation = msg->incarnation;\n",
     "script_test: rf25_a_late_answer_of_a_former_run.txt"),
    ("a late answer brings a former process back", "lead.c",
     "max_index(peer->answered, peer->former)", "peer->answered",
     "script_test: rf11_a_late_answer_of_a_former_run.txt"),
    ("a log that is as long has lost nothing", "lead.c",
     "msg->at.term != 0 ? agreed : upto", "upto",
     "script_test: rf11_as_long_and_not_the_same.txt"),
    ("a stranger stands", "role.c", "raft->rotten || raft->stalled || role_is_stranger(raft)",
     "raft->rotten || raft->stalled",
     "script_test: rf10_a_copy_under_an_old_id.txt"),
    ("a stranger votes while its name may be lost", "elect.c",
     "return raft->config.index > raft->commit && role_is_stranger(raft);", "return false && role_is_stranger(raft);",
     "raft_history_test: history_10_a_stranger_gives_no_vote_while_its_name_may_be_lost"),
    ("a stranger never votes again", "elect.c",
     "return raft->config.index > raft->commit && role_is_stranger(raft);", "return role_is_stranger(raft);",
     "raft_history_test: history_10_a_stranger_gives_no_vote_while_its_name_may_be_lost"),
    ("a learner is promoted without the configuration that has it", "change.c", " && match >= raft->config.index &&",
     " &&",
     "script_test: rf10_a_member_that_came_back_votes.txt"),
    ("a leader names nobody's log", "change.c",
     "return member->roles == TEAK_RAFT_VOTER && born_at(raft, slot) != member->born;",
     "return member->born == 1 && born_at(raft, slot) == 2;",
     "script_test: rf10_a_leader_names_the_logs.txt"),
    ("of two configurations that are not committed both are taken", "follow.c",
     "return entry->kind == TEAK_RAFT_CONFIG && raft->config.index > max_index(raft->commit, msg->index);",
     "return entry->kind == TEAK_RAFT_CONFIG && msg->index > raft->last.index + 1000;",
     "liars_test: of_two_configurations_that_are_not_committed_one_is_taken"),
    ("the first stream asks first, always", "streams.c", "(first + i) % streams", "(0 * first + i) % streams",
     "script_test: rf37_a_member_that_never_writes.txt"),
]


class Bench:
    """Objects of the core as it is, of the tests and of what they share; a mutant is what differs, and linked anew."""

    def __init__(self, folder, seconds):
        self.folder, self.seconds = pathlib.Path(folder), seconds
        self.compiler = ["ccache", "cc"] if shutil.which("ccache") else ["cc"]
        support = sorted(str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests/support").glob("*.c"))
        self.core = {path.name: self.compile(path, ROOT / "raft") for path in sorted((ROOT / "raft/core").glob("*.c"))}
        self.shared = [self.compile(ROOT / "engine/base" / name, ROOT / "raft") for name in ("check.c", "terms.c")]
        self.shared += [self.compile(ROOT / "tests" / name, ROOT / "raft") for name in HELPERS + support]
        self.shared += [self.compile(path, ROOT / "raft") for path in sorted((ROOT / "raft/wire").glob("*.c"))]
        self.tests = {test: self.compile(ROOT / f"tests/raft/{test}.c", ROOT / "raft") for test in TESTS}

    def compile(self, source, raft):
        out = self.folder / f"{'' if raft == ROOT / 'raft' else 'mutant-'}{source.name}.o"
        flags = ["-std=gnu17", "-O1", "-w", "-D_GNU_SOURCE", "-DTEAK_UNSTABLE", "-DTEAK_DEBUG",
                 f'-DTEAK_SOURCE_DIR="{ROOT}"', f"-I{raft}", f"-I{ROOT}/engine", f"-I{ROOT}/raft/include",
                 f"-I{ROOT}/tests/raft", f"-I{ROOT}/tests", f"-I{ROOT}/raft"]
        subprocess.run([*self.compiler, *flags, "-c", source, "-o", out], check=True)
        return out

    def sow(self, file, before, after):
        """The tests, linked with a core that has this bug."""
        raft = self.folder / "mutant"
        shutil.rmtree(raft, ignore_errors=True)
        shutil.copytree(ROOT / "raft/core", raft / "core")
        objects = dict(self.core)
        if file:
            path = raft / "core" / file
            path.write_text(path.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
            changed = [path] if file.endswith(".c") else sorted((raft / "core").glob("*.c"))
            objects.update({source.name: self.compile(source, raft) for source in changed})
        for test, own in self.tests.items():
            subprocess.run(["cc", own, *objects.values(), *self.shared, "-o", self.folder / test, "-lcmocka"],
                           check=True)

    def run(self, test, case=None):
        """The cases that failed, or that ran when the process died or hung; and all that was printed. A case by itself:
        what dies in another says nothing of it."""
        environment = dict(os.environ)
        environment.pop("TEAK_TEST_ONLY", None)
        if case:
            environment["TEAK_TEST_ONLY"] = case
        try:
            run = subprocess.run([self.folder / test], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                 timeout=self.seconds, cwd=self.folder, env=environment)
            code, text = run.returncode, run.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            code, text = 1, (late.stdout or b"").decode(errors="replace")
        if code == 0:
            return [], text
        begun = re.findall(r"^\[ RUN      \] (\S+)", text, re.M)
        ended = re.findall(r"^\[ *(?:OK|FAILED) *\] (\S+)", text, re.M)
        failed = re.findall(r"^\[  FAILED  \] (\S+)$", text, re.M)
        failed = [name for name in failed if not name.isdigit()]
        if begun and begun[-1] not in ended:
            failed.append(begun[-1])
        return list(dict.fromkeys(failed)) or ["?"], text

    def plays(self, text):
        """A counter-example in what was printed: does it break when it is played? None: there is none."""
        found = re.search(r": a counter-example, as a script\n\n(.+?)\n\n", text, re.S)
        if not found:
            return None
        script = self.folder / "script.txt"
        script.write_text(found.group(1) + "\n", encoding="utf-8")
        run = subprocess.run([self.folder / "script_test", script], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, check=False, timeout=60)
        return run.returncode != 0


def judge(bench, named):
    """Whether the test that is named caught it, another case that did, and whether the script that came of it plays."""
    test, case = named.split(": ")
    failed, text = bench.run(test, case)
    more, played = [], bench.plays(text)
    for other in [test, *(other for other in TESTS if other != test)]:
        cases, text = bench.run(other)
        more = [f"{other}: {name}" for name in cases if f"{other}: {name}" != named]
        played = bench.plays(text) if played is None else played
        if more:
            break
    return case in failed, more, played


def table(rows):
    """mutants.md, with what this run found; of those that it left out, what stands there."""
    path = ROOT / "tests/raft/mutants.md"
    old = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = {line.split(" | ")[0].removeprefix("| "): line for line in old if " | `" in line}
    lines = ["# Bugs sown into the Raft core", "",
             "One at a time into a copy of `raft/core`, by `tests/raft/mutants.py --write`, which wrote this. Each has",
             "to be caught by the test that is named for it, and by one more. Script: the counter-example of the",
             "model checker, played by `script_test`, breaks there too.", "",
             "| bug | file | named for it | caught | one more | script |", "|---|---|---|---|---|---|"]
    for name, file, named, caught, more, played in rows:
        word = {None: "", True: "plays", False: "DOES NOT PLAY"}[played]
        found[name] = (f"| {name} | `{file}` | `{named}` | {'yes' if caught else 'NO'} | "
                       f"{'`' + more[0] + '`' if more else 'NONE'} | {word} |")
    lines += [found[name] for name, *_rest in MUTANTS if name in found]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default="", help="those whose description has one of these words, with commas")
    parser.add_argument("--seconds", type=int, default=120, help="for one test")
    parser.add_argument("--write", action="store_true", help="write mutants.md")
    parser.add_argument("--all", action="store_true", help="tell every quick case that catches a bug")
    args = parser.parse_args()
    for name, file, before, _after, _named in MUTANTS:
        if before not in (ROOT / "raft/core" / file).read_text(encoding="utf-8"):
            sys.exit(f"mutants.py: {name}: {file} has no such text any more")
    bad, rows = [], []
    with tempfile.TemporaryDirectory(prefix="teak-mutant-") as folder:
        bench = Bench(folder, args.seconds)
        bench.sow(None, "", "")
        for test in TESTS:
            failed, _text = bench.run(test)
            if failed:
                sys.exit(f"mutants.py: {test} fails without any bug: {' '.join(failed)}")
        for name, file, before, after, named in MUTANTS:
            if not any(word in name for word in args.only.split(",")):
                continue
            bench.sow(file, before, after)
            if args.all:
                found = [f"{test}: {case}" for test in QUICK for case in bench.run(test)[0]]
                print(f"{name:60} {len(found)}  {'; '.join(found)}", flush=True)
                continue
            caught, more, played = judge(bench, named)
            rows.append((name, file, named, caught, more, played))
            if not caught or not more or played is False:
                bad.append(name)
            print(f"{name:60} {named if caught else 'NOT ' + named} | {more[0] if more else 'NONE'} | {played}",
                  flush=True)
    if args.write:
        table(rows)
    if bad:
        sys.exit("mutants.py: not as it should be: " + "; ".join(bad))


if __name__ == "__main__":
    main()
