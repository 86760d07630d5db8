"""What follows from how letters fare: what is said of relays, and which issues are paused."""

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import audit_log
from newsletter.content import issues
from newsletter.content.issues import Issue, IssueStatus
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
class Office:
    """An issue that is owed to five readers, and who watches over it."""

    begin: object
    issue: int
    supervisor: Supervisor

    def status(self) -> tuple[IssueStatus, str | None]:
        with self.begin() as session:
            issue = session.get_one(Issue, self.issue)
            return issue.status, issues.pause_reason(session, issue)

    def resume(self, *, now) -> None:
        with self.begin() as session:
            issue_pauses.resume(session, session.get_one(Issue, self.issue), actor="tests", now=now)

    def lines(self, *, now=NOON) -> list[str]:
        with self.begin() as session:
            return [bulletin.line for bulletin in notices.current(session, now=now)]


@pytest.fixture
def office(begin):
    with begin() as session:
        letter = session.get_one(Letter, owed(session, 5)[0].letter_id)
        issue = letter.issue_id
    with closing(Supervisor(LocalSharedState(), begin)) as supervisor:
        yield Office(begin, issue, supervisor)


def test_what_pauses_an_issue_is_an_act_of_the_worker(office):
    office.supervisor.act(WRONG, now=NOON)
    with office.begin() as session:
        act = audit_log.last(session, subject=f"issue:{office.issue}", verb="issue paused")
        assert act.actor == audit_log.WORKER


def test_lasting_trouble_pauses_what_is_leaving_and_fails_nothing(office):
    office.supervisor.act(WRONG, now=NOON)
    assert office.status() == (
        IssueStatus.PAUSED,
        "The relay relay.example:25 cannot be used: its certificate does not verify: self-signed certificate",
    )
    with office.begin() as session:
        letter = session.scalars(select(Letter.id)).one()
        sums = {status.value: n for status, n in deliveries.sums(session, letter).items() if n}
        assert sums == {"queued": 5}


def test_trouble_that_passes_by_itself_pauses_nothing_and_is_said(office):
    office.supervisor.act(AWAY, now=NOON)
    assert office.status() == (IssueStatus.SENDING, None)
    assert office.lines() == [f"{PLACE} (since 2026-03-14 12:00 UTC): Connection refused"]
    office.supervisor.act(None, now=NOON + timedelta(seconds=5))
    assert office.lines() == []


def test_an_issue_that_was_just_resumed_is_given_time(office):
    office.supervisor.act(WRONG, now=NOON)
    office.resume(now=NOON)
    office.supervisor.act(WRONG, now=NOON + timedelta(seconds=10))  # the relay was not tried again yet
    assert office.status()[0] is IssueStatus.SENDING
    office.supervisor.act(WRONG, now=NOON + issue_pauses.RESUME_GRACE)
    assert office.status()[0] is IssueStatus.PAUSED


def test_what_is_left_of_an_issue_that_is_paused_by_hand_is_not_paused_again(office):
    with office.begin() as session:
        issues.pause(session, session.get_one(Issue, office.issue), actor="tests", now=NOON)
    office.supervisor.act(WRONG, now=NOON)
    assert office.status() == (IssueStatus.PAUSED, None)


def test_resuming_asks_again_where_a_letter_was_refused_because_of_us(office):
    later = NOON + timedelta(hours=1)
    with office.begin() as session:
        held, greylisted, *_ = session.scalars(select(Delivery).order_by(Delivery.id))
        held.reply_code, held.reply_text, held.due_at = 550, "unauthenticated", later
        greylisted.reply_code, greylisted.reply_text, greylisted.due_at = 450, "greylisted", later
    office.supervisor.act(WRONG, now=NOON)
    office.resume(now=NOON)
    with office.begin() as session:
        held, greylisted, *_ = session.scalars(select(Delivery).order_by(Delivery.id))
        assert (held.reply_code, held.due_at) == (None, NOON)
        assert (greylisted.reply_code, greylisted.due_at) == (450, later)


def test_a_relay_that_is_slowed_down_or_rests_is_said(office):
    pace = office.supervisor.pace(RELAY)
    pace.delay()
    for _ in range(10):
        pace.record(Result(1, 1, Outcome.LATER, Reply(550, "5.7.1", "You are on a list"), NOON))
    eventually(lambda: pace.delay() > 0)
    office.supervisor.act(None, now=NOON)
    (line,) = office.lines()
    assert line.startswith(f"{PLACE} (since ")
    assert ", until 12:0" in line
    assert "550 5.7.1 You are on a list" in line


def test_what_is_not_said_again_is_not_believed_for_ever(begin):
    NoticeWriter(begin).write({PLACE: Condition("Connection refused")}, now=NOON)
    with begin() as session:
        assert len(notices.current(session, now=NOON + timedelta(seconds=170))) == 1
        assert notices.current(session, now=NOON + VALID_FOR) == []


def test_what_is_still_so_is_said_again_and_keeps_its_beginning(begin):
    crier = NoticeWriter(begin)
    for minute in range(10):
        crier.write({PLACE: Condition("Connection refused")}, now=NOON + timedelta(minutes=minute))
    with begin() as session:
        (bulletin,) = notices.current(session, now=NOON + timedelta(minutes=9))
        assert bulletin.since == NOON


def test_a_trouble_that_comes_back_begins_anew(begin):
    crier, again = NoticeWriter(begin), NOON + timedelta(hours=3)
    crier.write({PLACE: Condition("Connection refused")}, now=NOON)
    NoticeWriter(begin).write(
        {PLACE: Condition("Connection refused")}, now=again
    )  # who said it before has ended without a word
    with begin() as session:
        (bulletin,) = notices.current(session, now=again)
        assert bulletin.since == again


def test_what_becomes_lasting_is_said_at_once(begin):
    crier = NoticeWriter(begin)
    crier.write({PLACE: Condition("Connection refused")}, now=NOON)
    crier.write({PLACE: Condition("Connection refused", lasting=True)}, now=NOON + timedelta(seconds=1))
    with begin() as session:
        assert [bulletin.severity for bulletin in notices.current(session, now=NOON)] == ["lasting"]


def test_one_relays_trouble_is_said_while_others_carry_and_pauses_nothing(office):
    office.supervisor.act(None, now=NOON, others=[WRONG])
    assert [PLACE in line for line in office.lines()] == [True]
    assert office.status()[0] is IssueStatus.SENDING
    office.supervisor.act(None, now=NOON + timedelta(seconds=5))
    assert office.lines() == []


def test_a_worker_that_takes_its_word_back_leaves_what_another_still_means(begin):
    one, other = NoticeWriter(begin), NoticeWriter(begin)
    bad = {PLACE: Condition("Connection refused")}
    one.write(bad, now=NOON)
    other.write(bad, now=NOON + timedelta(seconds=30))
    one.write({}, now=NOON + timedelta(seconds=40))
    with begin() as session:
        assert notices.current(session, now=NOON + timedelta(seconds=89)), "the other has not yet said it again"
    other.write(bad, now=NOON + timedelta(seconds=90))
    with begin() as session:
        (told,) = notices.current(session, now=NOON + timedelta(seconds=200))
        assert told.since == NOON
