"""The guards of the agent and of the logs it ships."""

from tests.simulation.mutation import Mutation

_CONTROL = "wharfage.operations."
_AGENT = "wharfage_agent."

AGENTS = (
    Mutation(
        "lease measured from the sending", _AGENT + "heartbeat:Heartbeat.beat",
        "self._lease.renew(sent_at=sent_at,", "self._lease.renew(sent_at=self._clock.monotonic(),",
    ),
    Mutation(
        "lease binds a running job", _AGENT + "steps:_stop_reason",
        "_lease_binds(attempt) and facts.now >= facts.lease_until", "False",
    ),
    Mutation(
        "lease checked before a start", _AGENT + "steps:_not_to_start",
        "if facts.now >= facts.lease_until:", "if False:",
    ),
    Mutation(
        "a start that the engine forgot", _AGENT + "logs:LogPump.resume",
        "not self._engine.remembers(container)", "False",
    ),
    Mutation(
        "boot of a taken name", _AGENT + "effects:Effects._taken",
        "found.labels.get(containers.BOOT_LABEL) == self._around.boot and self._own(found)",
        "self._own(found)",
    ),
    Mutation(
        "StartedAt of a taken name", _AGENT + "effects:Effects._taken",
        "if ours and found.started_at is None:", "if ours:",
    ),
    Mutation(
        "a start is never repeated", _AGENT + "effects:Effects._start",
        "self._learn(attempt.key, unanswered=True)", "raise",
    ),
    Mutation(
        "what an earlier life created is not started", _AGENT + "worker:Worker._adopted",
        "phase=Phase.UNSETTLED if record.report is None else Phase.RETOLD",
        "phase=Phase.STARTING if record.report is None else Phase.RETOLD",
    ),
    Mutation(
        "time to settle", _AGENT + "steps:_unsettled",
        "settled_at = attempt.since + settle_seconds", "settled_at = attempt.since",
    ),
    Mutation(
        "what has ended here is not taken again", _AGENT + "worker:Worker.accept",
        "known = {*self._slots, *self._gone}", "known = {*self._slots}",
    ),
    Mutation(
        "adoption by labels", _AGENT + "worker:Worker.recover",
        "seen = self._found()", "seen = {}",
    ),
    Mutation(
        "journal before anything is done", _AGENT + "worker:Worker.accept",
        "self._ports.journal.hold([(Work.of(grant), 0) for grant in new])", "",
    ),
    Mutation(
        "numbers of reports go on", _AGENT + "worker:Worker._adopted",
        "seq=record.seq + SEQ_GAP", "seq=record.seq",
    ),
    Mutation(
        "terminal report is journalled", _AGENT + "effects:Effects._tell_end",
        "self._out.journal.end(report)", "",
    ),
    Mutation(
        "removal after the accepted report", _AGENT + "steps:_ended",
        "not facts.report_accepted or ", "",
    ),
    Mutation(
        "stale claim is given up", _AGENT + "worker:Worker._answered",
        "self.learn(key, disowned=True)", "self.learn(key, report_accepted=True)",
    ),
    Mutation(
        "comparison disowns", _AGENT + "worker:Worker.apply",
        "self.learn(key, disowned=True)", "pass",
    ),
    Mutation(
        "comparison spares what is newer", _AGENT + "worker:Worker.apply",
        "elif not mine and not ended and not late:", "elif not mine and not ended:",
    ),
    Mutation(
        "missing work is asked for again", _AGENT + "worker:Worker.apply",
        "if key not in self._slots and a.stop_reason is None", "if False",
    ),
    Mutation(
        "revoked host ends its work", _AGENT + "worker:Worker.disown",
        "keys = [key for key, slot in self._slots.items() if not slot.facts.disowned]",
        "keys = self._slots.clear() or []",
    ),
    Mutation(
        "sweep of the engine", _AGENT + "worker:Worker.sweep",
        "found = self._found(inspect=False)", "return",
    ),
    Mutation(
        "KILL after the grace", _AGENT + "steps:_stopping",
        "if facts.now < kill_at:", "if True:",
    ),
    Mutation(
        "look without a doorbell", _AGENT + "receiver:Receiver.once",
        "overdue = self._clock.monotonic() - self._asked_at >= LOOK_SECONDS", "overdue = False",
    ),
)  # fmt: skip

LOGS = (
    Mutation(
        "only the next offset of a log", _CONTROL + "logs:_append",
        "before.ended_at is not None or piece.offset != before.next_offset",
        "before.ended_at is not None",
    ),
    Mutation(
        "claim of a log", _CONTROL + "attempts:claim_holds",
        "return (job.host, job.attempt, job.claim_id) == claim", "return True",
    ),
    Mutation(
        "claim of a late log", _CONTROL + "attempts:claim_holds",
        "return (record.host, record.claim_id) == (host, claim_id) and now <= record.ended_at",
        "return True",
    ),
    Mutation(
        "mark of a log that nobody told of", "wharfage.domain.job:AttemptRecord.never_started",
        "told = self.claim_id is None or self.seq is not None", "told = True",
    ),
    Mutation(
        "bytes that are here are not taken twice", _AGENT + "outbox:Outbox.take",
        "fresh = run[self.end - begins :]", "fresh = run",
    ),
    Mutation(
        "listen before the start", _AGENT + "effects:Effects._attach",
        "self._out.logs.attach(attempt.work, attempt.container)", "pass",
    ),
    Mutation(
        "doubt after the engine was away", _AGENT + "logs:LogPump.doubt",
        "if feed.container is not None and not feed.whole:", "if False:",
    ),
    Mutation(
        "listener that ended early is not believed", _AGENT + "logs:LogPump.finish",
        "now - feed.silent_since > EARLY_SECONDS", "False",
    ),
    Mutation(
        "mark of output that went with its container", _AGENT + "logs:LogPump.finish",
        "if started:", "if False:",
    ),
)  # fmt: skip

#: The test of each that has the moment in which it counts.
SELDOM_AGENTS: dict[str, str] = {
    "KILL after the grace": "agent/test_worker.py::"
    "test_a_job_that_ignores_term_is_killed_after_its_grace",
    "lease checked before a start": "agent/test_steps.py::"
    "test_the_lease_is_compared_right_before_the_start",
    "lease binds a running job": "agent/test_worker.py::"
    "test_a_job_stops_itself_when_the_lease_is_lost",
    "lease measured from the sending": "agent/test_heartbeat.py::"
    "test_a_lease_counts_from_when_the_heartbeat_was_sent",
    "boot of a taken name": "agent/test_crashes.py::"
    "test_a_leftover_met_only_at_create_is_not_started",
    "StartedAt of a taken name": "agent/test_crashes.py::"
    "test_a_container_of_this_life_that_has_run_already_is_not_run_again",
    "time to settle": "agent/test_crashes.py::"
    "test_a_created_container_of_an_earlier_life_is_never_started",
    "what has ended here is not taken again": "agent/test_worker.py::"
    "test_a_claim_that_is_answered_late_starts_nothing_that_has_ended_here",
    "journal before anything is done": "agent/test_crashes.py::"
    "test_a_claim_that_an_earlier_life_did_nothing_for_is_handed_back",
    "numbers of reports go on": "agent/test_crashes.py::"
    "test_a_running_container_is_adopted_by_the_next_life",
    "terminal report is journalled": "agent/test_crashes.py::"
    "test_an_accepted_end_whose_answer_was_lost_is_told_again_in_the_same_words",
    "stale claim is given up": "agent/test_worker.py::"
    "test_a_report_that_is_answered_as_stale_ends_the_work_without_a_comparison",
    "comparison disowns": "agent/test_worker.py::"
    "test_a_stale_claim_is_stopped_and_removed_without_another_report",
    "comparison spares what is newer": "agent/test_worker.py::"
    "test_what_was_claimed_after_the_question_is_not_judged_by_its_answer",
    "missing work is asked for again": "agent/test_worker.py::"
    "test_what_this_host_should_hold_and_does_not_have_is_asked_for",
    "only the next offset of a log": "operations/test_logs.py::"
    "test_a_repeat_an_overlap_and_a_hole_change_nothing_and_say_what_is_wanted",
    "claim of a log": "operations/test_logs.py::"
    "test_another_claim_or_another_host_can_write_nothing",
    "bytes that are here are not taken twice": "agent/test_outbox.py::"
    "test_bytes_arrive_once_and_in_order_whatever_is_lost_and_read_again",
    "listener that ended early is not believed": "agent/test_logs.py::"
    "test_a_listener_that_ended_long_before_its_container_is_not_believed",
    "mark of output that went with its container": "agent/test_logs.py::"
    "test_what_had_started_and_has_no_source_any_more_ends_with_a_mark",
    "claim of a late log": "operations/test_logs.py::"
    "test_pieces_are_taken_for_ten_minutes_after_the_end_and_no_longer",
}
