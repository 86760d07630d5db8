"""Problems of relays become notices, and pause issues if no relay can be used."""

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import audit_log
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery import deliveries, issue_pauses
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.delivery.supervision import Supervisor
from newsletter.mail.letters.letters import Letter
from newsletter.mail.pace import notices
from newsletter.mail.pace.notices import VALID_FOR, Condition, NoticeWriter
from newsletter.mail.pace.shared_state import LocalSharedState
from newsletter.mail.transport.transport import Outcome, Reply, Result, TransportProblem
from newsletter.relays import Relay
from tests.builders import owed
from tests.clock import NOON
from tests.waiting import eventually

RELAY = Relay(host="relay.example", port=25)
PLACE = "the relay relay.example:25"
WRONG = TransportProblem(PLACE, "its certificate does not verify: self-signed certificate", lasting=True)
AWAY = TransportProblem(PLACE, "Connection refused", lasting=False)


@dataclass
class SupervisedIssue:
    """An issue with five deliveries, and its supervisor."""

    begin: object
    id: int
    supervisor: Supervisor

    def status(self) -> tuple[IssueStatus, str | None]:
        with self.begin() as session:
            issue = session.get_one(Issue, self.id)
            return issue.status, transitions.pause_reason(session, issue)

    def resume(self, *, now) -> None:
        with self.begin() as session:
            issue_pauses.resume(session, session.get_one(Issue, self.id), actor="tests", now=now)

    def lines(self, *, now=NOON) -> list[str]:
        with self.begin() as session:
            return [notice.line for notice in notices.current(session, now=now)]


@pytest.fixture
def issue(begin):
    with begin() as session:
        letter = session.get_one(Letter, owed(session, 5)[0].letter_id)
        issue = letter.issue_id
    with closing(Supervisor(LocalSharedState(), begin)) as supervisor:
        yield SupervisedIssue(begin, issue, supervisor)


def test_a_pause_by_supervision_is_in_the_audit_log_as_the_workers(issue):
    issue.supervisor.handle_problem(WRONG, now=NOON)
    with issue.begin() as session:
        entry = audit_log.last(session, subject=f"issue:{issue.id}", verb="issue paused")
        assert entry.actor == audit_log.WORKER


def test_a_lasting_problem_pauses_the_issue_and_fails_no_letter(issue):
    issue.supervisor.handle_problem(WRONG, now=NOON)
    assert issue.status() == (
        IssueStatus.PAUSED,
        "The relay relay.example:25 cannot be used: its certificate does not verify: self-signed certificate",
    )
    with issue.begin() as session:
        letter = session.scalars(select(Letter.id)).one()
        counts = {status.value: n for status, n in deliveries.status_counts(session, letter).items() if n}
        assert counts == {"queued": 5}


def test_a_passing_problem_becomes_a_notice_and_pauses_nothing(issue):
    issue.supervisor.handle_problem(AWAY, now=NOON)
    assert issue.status() == (IssueStatus.SENDING, None)
    assert issue.lines() == [f"{PLACE} (since 2026-03-14 12:00 UTC): Connection refused"]
    issue.supervisor.handle_problem(None, now=NOON + timedelta(seconds=5))
    assert issue.lines() == []


def test_an_issue_that_was_just_resumed_is_not_paused_at_once(issue):
    issue.supervisor.handle_problem(WRONG, now=NOON)
    issue.resume(now=NOON)
    issue.supervisor.handle_problem(WRONG, now=NOON + timedelta(seconds=10))  # the relay has not been tried again
    assert issue.status()[0] is IssueStatus.SENDING
    issue.supervisor.handle_problem(WRONG, now=NOON + issue_pauses.RESUME_GRACE)
    assert issue.status()[0] is IssueStatus.PAUSED


def test_an_issue_that_a_person_paused_is_not_paused_again(issue):
    with issue.begin() as session:
        transitions.pause(session, session.get_one(Issue, issue.id), actor="tests", now=NOON)
    issue.supervisor.handle_problem(WRONG, now=NOON)
    assert issue.status() == (IssueStatus.PAUSED, None)


def test_a_resume_makes_held_refusals_due_and_no_others(issue):
    later = NOON + timedelta(hours=1)
    with issue.begin() as session:
        held, greylisted, *_ = session.scalars(select(Delivery).order_by(Delivery.id))
        held.reply_code, held.reply_text, held.due_at = 550, "unauthenticated", later
        greylisted.reply_code, greylisted.reply_text, greylisted.due_at = 450, "greylisted", later
    issue.supervisor.handle_problem(WRONG, now=NOON)
    issue.resume(now=NOON)
    with issue.begin() as session:
        held, greylisted, *_ = session.scalars(select(Delivery).order_by(Delivery.id))
        assert (held.reply_code, held.due_at) == (None, NOON)
        assert (greylisted.reply_code, greylisted.due_at) == (450, later)


def test_a_relay_that_is_slowed_down_or_rests_becomes_a_notice(issue):
    pace = issue.supervisor.pace(RELAY)
    pace.delay()
    for _ in range(10):
        pace.record(Result(1, 1, Outcome.LATER, Reply(550, "5.7.1", "You are on a list"), NOON))
    eventually(lambda: pace.delay() > 0)
    issue.supervisor.handle_problem(None, now=NOON)
    (line,) = issue.lines()
    assert line.startswith(f"{PLACE} (since ")
    assert ", until 12:0" in line
    assert "550 5.7.1 You are on a list" in line


def test_a_notice_that_is_not_repeated_expires(begin):
    NoticeWriter(begin).write({PLACE: Condition("Connection refused")}, now=NOON)
    with begin() as session:
        assert len(notices.current(session, now=NOON + timedelta(seconds=170))) == 1
        assert notices.current(session, now=NOON + VALID_FOR) == []


def test_a_notice_that_is_repeated_keeps_its_beginning(begin):
    writer = NoticeWriter(begin)
    for minute in range(10):
        writer.write({PLACE: Condition("Connection refused")}, now=NOON + timedelta(minutes=minute))
    with begin() as session:
        (notice,) = notices.current(session, now=NOON + timedelta(minutes=9))
        assert notice.since == NOON


def test_a_problem_that_returns_has_a_new_beginning(begin):
    writer, again = NoticeWriter(begin), NOON + timedelta(hours=3)
    writer.write({PLACE: Condition("Connection refused")}, now=NOON)
    NoticeWriter(begin).write(
        {PLACE: Condition("Connection refused")}, now=again
    )  # the writer of the first notice has ended
    with begin() as session:
        (notice,) = notices.current(session, now=again)
        assert notice.since == again


def test_a_problem_that_becomes_lasting_is_written_at_once(begin):
    writer = NoticeWriter(begin)
    writer.write({PLACE: Condition("Connection refused")}, now=NOON)
    writer.write({PLACE: Condition("Connection refused", lasting=True)}, now=NOON + timedelta(seconds=1))
    with begin() as session:
        assert [notice.severity for notice in notices.current(session, now=NOON)] == ["lasting"]


def test_a_problem_of_one_of_several_relays_becomes_a_notice_and_pauses_nothing(issue):
    issue.supervisor.handle_problem(None, now=NOON, others=[WRONG])
    assert [PLACE in line for line in issue.lines()] == [True]
    assert issue.status()[0] is IssueStatus.SENDING
    issue.supervisor.handle_problem(None, now=NOON + timedelta(seconds=5))
    assert issue.lines() == []


def test_a_worker_that_withdraws_a_notice_leaves_that_of_another_worker(begin):
    one, other = NoticeWriter(begin), NoticeWriter(begin)
    bad = {PLACE: Condition("Connection refused")}
    one.write(bad, now=NOON)
    other.write(bad, now=NOON + timedelta(seconds=30))
    one.write({}, now=NOON + timedelta(seconds=40))
    with begin() as session:
        assert notices.current(session, now=NOON + timedelta(seconds=89)), "the other has not repeated it yet"
    other.write(bad, now=NOON + timedelta(seconds=90))
    with begin() as session:
        (notice,) = notices.current(session, now=NOON + timedelta(seconds=200))
        assert notice.since == NOON
