"""An issue whose letters are refused too often is paused with a reason, counted on the rows of its deliveries."""

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import literal, select, text, update

from newsletter import audit_log
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery import deliveries, issue_pauses, reply_windows
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.delivery.issue_pauses import RefusalMonitor, pause_reason, pause_refused
from newsletter.mail.delivery.reply_windows import SCANNED_FOR_RETRIES, SCANNED_ROWS
from newsletter.mail.pace import attempt_window
from newsletter.mail.transport import replies
from newsletter.store.database import Begin
from tests.builders import a_crowd, a_letter, a_newsletter, an_issue
from tests.clock import NOON
from tests.statements import executed
from tests.transports import FakeMonotonic
from tests.whole_service import Clock

ROWS_BY_CODE = {
    "t": (DeliveryStatus.SENT, 250, "2.0.0 ok"),
    "g": (DeliveryStatus.FAILED, 550, "5.1.1 <address>: User unknown"),
    "r": (DeliveryStatus.QUEUED, 550, "5.7.26 This mail is unauthenticated"),
    "s": (DeliveryStatus.QUEUED, 450, "4.7.1 Too much mail"),
    "c": (DeliveryStatus.QUEUED, 421, "4.3.2 Closing down"),
    "l": (DeliveryStatus.QUEUED, 451, "4.7.1 Greylisted"),
    "f": (DeliveryStatus.FAILED, 552, "5.2.2 Mailbox full"),
    "?": (DeliveryStatus.IN_DOUBT, None, None),
    "-": (DeliveryStatus.CLAIMED, None, None),  # claimed by another worker
}


@dataclass
class Mailing:
    """An issue that is being sent to a number of readers, in order."""

    begin: Begin
    issue: int
    letter: int
    deliveries: list[int]
    answered: int = 0
    deferrals: Counter[int] = field(default_factory=Counter)  # as `next_state` counts them
    monitor: RefusalMonitor = field(init=False)
    monotonic: FakeMonotonic = field(default_factory=FakeMonotonic)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.monitor = RefusalMonitor(self.begin, clock=self.clock, monotonic=self.monotonic)

    def answer(self, codes: str) -> None:
        """Record these replies to the next letters, and let the monitor count at the end."""
        mine = self.deliveries[self.answered : self.answered + len(codes)]
        assert len(mine) == len(codes)
        self.answered += len(codes)
        self.record(dict(zip(mine, codes, strict=True)))

    def record(self, codes: dict[int, str]) -> None:
        rows = []
        for number, outcome_code in codes.items():
            status, code, text = ROWS_BY_CODE[outcome_code]
            at = None if status in deliveries.OPEN else self.clock()
            self.deferrals[number] += outcome_code in "rscl"
            row = {"id": number, "status": status, "reply_code": code, "reply_text": text, "decided_at": at}
            rows.append({**row, "deferrals": self.deferrals[number]})
        if rows:
            with self.begin() as session:
                session.execute(update(Delivery), rows)
        self.monitor.add([number for number, outcome_code in codes.items() if outcome_code in "gr"])
        self.monitor.count()

    def status(self) -> tuple[IssueStatus, str | None]:
        with self.begin() as session:
            issue = session.get_one(Issue, self.issue)
            return issue.status, transitions.pause_reason(session, issue)

    @property
    def is_paused(self) -> bool:
        return self.status()[0] is IssueStatus.PAUSED

    def resume(self) -> None:
        with self.begin() as session:
            issue_pauses.resume(session, session.get_one(Issue, self.issue), actor="tests", now=self.clock())


def a_mailing(begin: Begin, readers: int) -> Mailing:
    with begin() as session:
        newsletter = a_newsletter(session, f"mailing{readers}")
        issue = an_issue(session, newsletter)
        letter, variant = a_letter(session, newsletter, issue=issue, audience=readers)
        a_crowd(session, newsletter, readers)
        crowd = select(Subscriber.id, literal(variant.id)).order_by(Subscriber.id)
        deliveries.owe_each(session, letter, crowd, now=NOON)
        mine = select(Delivery.id).where(Delivery.letter_id == letter.id).order_by(Delivery.id)
        return Mailing(begin, issue.id, letter.id, list(session.scalars(mine)))


PAUSES = [
    ("t" * 180 + "g" * 20, False),
    ("t" * 179 + "g" * 21, True),
    ("t" * 160 + "r" * 40, False),
    ("t" * 159 + "r" * 41, True),
    ("t" * 44 + "g" * 5, False),  # too few
    ("t" * 44 + "g" * 6, True),
    ("g" * 9, False),
    ("g" * 10, True),  # all of ten
    ("r" * 10, True),
    ("g" * 5 + "r" * 5, False),
    ("s" * 100 + "l" * 100, False),  # temporary: no person need look at it
    ("c" * 200, False),
    ("f" * 100, False),  # full mailboxes
    ("t" * 500 + "g" * 21, True),
    ("g" * 5 + "t" * 300 + "g", False),
    ("t" * 150 + "-" * 300 + "?" * 50 + "t" * 50 + "g" * 10, False),
    ("t" * 150 + "-" * 300 + "?" * 50 + "g" * 23, True),
]


@pytest.mark.parametrize(("codes", "is_paused"), PAUSES)
def test_more_than_a_tenth_without_a_mailbox_or_a_fifth_refused_because_of_us_pauses(begin, codes, is_paused):
    mailing = a_mailing(begin, len(codes))
    mailing.answer(codes)
    assert mailing.is_paused is is_paused


@given(st.text(alphabet="tgrscl", max_size=200))
def test_the_share_of_refusals_decides(codes):
    replied = [(each, ROWS_BY_CODE[each][2] or "") for each in codes]
    reason = pause_reason(replied)
    if reason is None and len(codes) >= 50:
        assert codes.count("g") <= 0.1 * len(codes)
        assert codes.count("r") <= 0.2 * len(codes)
    if reason:
        code, share = ("g", 0.1) if "mailbox" in reason else ("r", 0.2)
        assert codes.count(code) > share * len(codes)
        assert reason.startswith(f"Of the last {len(codes)} letters {codes.count(code)} were")


def test_the_reason_contains_numbers_and_the_most_frequent_reply(begin):
    mailing = a_mailing(begin, 50)
    mailing.answer("t" * 40 + "g" * 10)
    status, reason = mailing.status()
    assert status is IssueStatus.PAUSED
    assert reason.startswith("Of the last 50 letters 10 were refused for good because the mailbox does not exist")
    assert reason.endswith("Most often: 550 5.1.1 <address>: User unknown")


def test_refusals_from_before_a_restart_count(begin):
    """Neither process has seen enough refusals; only the database knows them all."""
    mailing = a_mailing(begin, 100)
    mailing.answer("t" * 80 + "g" * 8)
    assert not mailing.is_paused
    restarted = replace(mailing)
    restarted.answer("g" * 3)
    assert restarted.is_paused


def test_after_a_resume_only_new_replies_count(begin):
    mailing = a_mailing(begin, 300)
    mailing.answer("t" * 100 + "g" * 20)
    assert mailing.is_paused
    mailing.clock.advance(minutes=10)
    mailing.resume()
    mailing.clock.advance(seconds=1)
    mailing.answer("g" * 5 + "t" * 100)
    assert not mailing.is_paused
    mailing.answer("g" * 10)
    assert mailing.is_paused
    assert mailing.status()[1].startswith("Of the last 115 letters 15 were")


def test_held_refusals_count_again_only_if_they_are_refused_again(begin):
    mailing = a_mailing(begin, 40)
    mailing.answer("r" * 10)
    mailing.clock.advance(minutes=10)
    mailing.resume()
    mailing.clock.advance(seconds=1)
    mailing.record(dict.fromkeys(mailing.deliveries[:9], "r"))
    assert not mailing.is_paused
    mailing.record({mailing.deliveries[9]: "r"})
    assert mailing.is_paused


def test_a_clock_set_back_after_a_resume_does_not_stop_the_counting(begin):
    mailing = a_mailing(begin, 100)
    mailing.answer("g" * 10)
    mailing.resume()
    mailing.clock.advance(hours=-1)
    mailing.answer("g" * 10)
    assert mailing.is_paused


def test_an_issue_that_a_person_paused_is_not_paused_again(begin):
    mailing = a_mailing(begin, 10)
    with begin() as session:
        transitions.pause(session, session.get_one(Issue, mailing.issue), actor="tests", now=NOON)
    mailing.answer("g" * 10)
    assert mailing.status() == (IssueStatus.PAUSED, None)


def test_issues_are_counted_separately_and_other_letters_not_at_all(begin):
    good, bad = a_mailing(begin, 11), a_mailing(begin, 10)
    with begin() as session:
        newsletter = a_newsletter(session, "alone")
        alone = deliveries.owe(session, *a_letter(session, newsletter), recipient="ana@example.org", now=NOON)
    good.answer("t" * 10 + "g")
    good.record({alone.id: "g"})
    bad.answer("g" * 10)
    assert (good.is_paused, bad.is_paused) == (False, True)


def test_a_short_list_is_judged_by_its_replies_once_all_are_there(begin):
    mailing = a_mailing(begin, 20)
    mailing.answer("r" * 3 + "t" * 12)
    held = mailing.deliveries[:3]
    with begin() as session:
        assert pause_refused(session, held, now=NOON, all_answered=True) == set(), "3 of 15 are a fifth"
    mailing.answer("r")
    with begin() as session:
        assert pause_refused(session, held, now=NOON, all_answered=True) == {mailing.issue}
    assert mailing.status()[1].startswith("Of the last 16 letters 4 were refused for good because of the sender")


def test_refusals_are_counted_at_once_and_then_every_ten_or_every_tenth_of_a_second(begin, database):
    mailing = a_mailing(begin, 60)
    mailing.answer("t" * 60)
    monitor = RefusalMonitor(begin, clock=mailing.clock, monotonic=mailing.monotonic)
    counts = []
    for seconds, refused in [(0, 1), (0, 9), (0, 1), (0.05, 3), (0.06, 1), (0, 1)]:
        mailing.monotonic.now += seconds
        with executed(database) as statements:
            monitor.add(mailing.deliveries[:refused])
        counts.append(bool(statements))
    assert counts == [True, False, True, False, True, False]


def test_if_the_database_fails_the_same_refusals_are_counted_with_the_next(begin, caplog):
    mailing = a_mailing(begin, 10)
    failures = iter([None, None])

    def failing():
        if next(failures, begin) is None:
            raise LookupError("no database")
        return begin()

    mailing.monitor = RefusalMonitor(failing, clock=mailing.clock, monotonic=mailing.monotonic)
    mailing.answer("g" * 10)
    assert not mailing.is_paused
    assert "refusals cannot be counted" in caplog.text
    mailing.monitor.count()
    assert mailing.is_paused


def test_letters_claimed_before_the_pause_are_not_sent_and_those_claimed_after_a_resume_are(begin):
    mailing = a_mailing(begin, 10)
    claimed_at = mailing.monotonic()
    mailing.monotonic.now += 1
    mailing.answer("g" * 10)
    assert mailing.monitor.is_paused(mailing.issue, claimed_at=claimed_at)
    assert not mailing.monitor.is_paused(mailing.issue, claimed_at=mailing.monotonic() + 1)
    assert not mailing.monitor.is_paused(mailing.issue + 1, claimed_at=claimed_at)
    assert not mailing.monitor.is_paused(None, claimed_at=claimed_at)


@pytest.mark.parametrize("retried", ["r", "g"])
@pytest.mark.parametrize("first", ["s", "l"])
def test_refused_retries_pause_although_the_letters_around_them_were_taken(begin, first, retried):
    mailing = a_mailing(begin, 1000)
    mailing.answer(((first + "t" * 11) * 84)[:1000])
    deferred = mailing.deliveries[::12]
    mailing.clock.advance(hours=1)
    mailing.record(dict.fromkeys(deferred[:9], retried))
    assert not mailing.is_paused
    mailing.record({deferred[9]: retried})
    assert mailing.is_paused
    assert mailing.status()[1].startswith("Of the last 10 retried letters 10 were refused for good")


def test_a_few_refused_retries_among_many_do_not_pause(begin):
    mailing = a_mailing(begin, 1000)
    mailing.answer("l" * 61 + "t" * 939)
    mailing.record(dict(zip(mailing.deliveries, "t" * 48 + "r" * 12, strict=False)))
    assert not mailing.is_paused
    mailing.record({mailing.deliveries[60]: "r"})
    assert mailing.is_paused


def test_replies_to_a_second_retry_are_not_lost_among_those_to_the_first(begin):
    mailing = a_mailing(begin, 300)
    mailing.answer("l" * 300)
    mailing.record(dict(zip(mailing.deliveries, ("l" + "t" * 14) * 20, strict=True)))
    mailing.record(dict.fromkeys(mailing.deliveries[::15], "r"))
    assert mailing.is_paused


def test_held_refusals_that_failed_without_a_retry_are_no_refused_retries(begin):
    mailing = a_mailing(begin, 300)
    mailing.answer("t" * 150 + "r" * 30 + "l" * 50)
    with begin() as session:
        held = Delivery.id.in_(mailing.deliveries[150:180])
        session.execute(update(Delivery).where(held).values(status=DeliveryStatus.FAILED, decided_at=NOON))
    mailing.record(dict(zip(mailing.deliveries[180:230], "t" * 44 + "r" * 6, strict=True)))
    assert not mailing.is_paused


def test_a_resume_counts_although_the_clock_was_set_back_before(begin):
    mailing = a_mailing(begin, 200)
    mailing.answer("t" * 100 + "g" * 20)
    assert mailing.is_paused
    mailing.clock.advance(hours=-1)
    mailing.resume()
    mailing.clock.advance(seconds=1)
    mailing.answer("t" * 20 + "g")
    assert not mailing.is_paused
    mailing.answer("t" * 28 + "g" * 5)
    assert mailing.is_paused
    assert mailing.status()[1].startswith("Of the last 54 letters 6 were")


def test_a_deferral_from_before_a_resume_is_no_reply_since(begin):
    mailing = a_mailing(begin, 240)
    mailing.answer("s" * 160 + "r" * 45)
    assert mailing.is_paused
    mailing.clock.advance(minutes=10)
    mailing.resume()
    mailing.clock.advance(seconds=1)
    mailing.answer("r" * 35)
    assert mailing.is_paused
    assert mailing.status()[1].startswith("Of the last 35 letters 35 were")


@pytest.mark.parametrize("hours", [-1, 1])
def test_after_a_resume_only_new_replies_to_retries_count(begin, hours):
    mailing = a_mailing(begin, 400)
    mailing.answer("l" * 400)
    mailing.record(dict(zip(mailing.deliveries, "t" * 100 + "g" * 20 + "l" * 10, strict=False)))
    assert mailing.is_paused
    mailing.clock.advance(hours=hours)
    mailing.resume()
    mailing.record(dict.fromkeys(mailing.deliveries[130:139], "g"))
    assert not mailing.is_paused
    mailing.record(dict.fromkeys(mailing.deliveries[120:129], "g"))
    assert not mailing.is_paused, "their third tries are nine, and no second ones"
    mailing.record({mailing.deliveries[139]: "g"})
    assert mailing.is_paused


def test_letters_that_were_not_answered_before_a_resume_count_after_it(begin):
    """Another worker had claimed them, and sends them after letters of later subscribers."""
    mailing = a_mailing(begin, 100)
    mailing.answer("t" * 20 + "-" * 40 + "g" * 10)
    mailing.record(dict.fromkeys(mailing.deliveries[20:22], "t"))
    mailing.record(dict.fromkeys(mailing.deliveries[60:70], "g"))
    assert not mailing.is_paused, "10 of 32, below the minimum of 50"
    mailing.answer("g" * 30)
    assert mailing.is_paused
    mailing.resume()
    mailing.record(dict.fromkeys(mailing.deliveries[30:39], "g"))
    assert not mailing.is_paused
    mailing.record({mailing.deliveries[39]: "g"})
    assert mailing.is_paused


def test_a_resume_remembers_a_bounded_number_of_places(begin):
    mailing = a_mailing(begin, 3000)
    mailing.answer("tr-" * 1000)
    assert mailing.is_paused
    mailing.resume()
    with begin() as session:
        entry = audit_log.last(session, subject=f"issue:{mailing.issue}", verb="issue resumed")
        runs = entry.fields[audit_log.SEEN_REPLIES][str(mailing.letter)]["1"]
        assert audit_log.SEEN_REPLIES not in entry.shown_fields
    assert len(runs) == reply_windows.MAX_RUNS
    assert runs[0][0] == 0, "everything older was seen"


@pytest.mark.parametrize(("later", "is_paused"), [(94, True), (95, False)])
def test_when_held_letters_come_due_a_hundred_replies_to_later_ones_count(begin, later, is_paused):
    mailing = a_mailing(begin, 600)
    mailing.answer("t" * 165 + "r" * 35 + "t" * 400)
    refused = {"status": DeliveryStatus.QUEUED, "decided_at": None, "deferrals": 1, "reply_code": 550}
    with begin() as session:
        mine = Delivery.id.in_(mailing.deliveries[200 + later : 206 + later])
        session.execute(update(Delivery).where(mine).values(**refused, reply_text=ROWS_BY_CODE["r"][2]))
        pause_refused(session, mailing.deliveries[190:200], now=NOON, all_answered=True)
    assert mailing.is_paused is is_paused


@pytest.mark.slow
def test_a_count_of_retries_reads_ten_thousand_letters_at_most(postgresql_database):
    begin = postgresql_database.writing
    mailing = a_mailing(begin, 12_000)
    mailing.answer("l" + "t" * 11_998 + "l")
    with begin() as session:
        session.execute(update(Delivery).where(Delivery.id == mailing.deliveries[-1]).values(deferrals=2))
        before = rows_read(session)
        assert pause_refused(session, mailing.deliveries[-1:], now=NOON) == set()
        assert rows_read(session) - before <= 3 * SCANNED_FOR_RETRIES + 20


@pytest.mark.parametrize("has_been_analysed", [True, False])
def test_a_count_reads_a_thousand_letters_however_many_there_are(postgresql_database, has_been_analysed):
    """Also if PostgreSQL's statistics say that the issue has hardly any."""
    begin = postgresql_database.writing
    mailing = a_mailing(begin, 5000)
    mailing.answer("g" * 9 + "t" * 4900)
    with begin() as session:
        session.execute(text("ANALYZE deliveries" if has_been_analysed else "SELECT 1"))
        before = rows_read(session)
        assert pause_refused(session, mailing.deliveries[4800:4801], now=NOON) == set()
        assert rows_read(session) - before <= 2 * SCANNED_ROWS + 20


def rows_read(session) -> int:
    counts = """
        SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid)) FROM pg_class
         WHERE oid = 'deliveries'::regclass
            OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'deliveries'::regclass)"""
    return int(session.scalar(text(counts)))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (550, "5.1.1 User unknown"),
        (550, "5.7.26 unauthenticated"),
        (421, "4.3.2 Closing"),
        (552, "mailbox full"),
        (550, "No such user (#5.1.1)"),
    ],
)
def test_a_stored_reply_has_the_same_meaning_as_the_received_one(begin, code, words):
    received = replies.parse(code, words.encode())
    stored = replies.from_row(code, " ".join(filter(None, (received.status, received.text))))
    assert stored == received
    assert attempt_window.outcome_code(replies.refusal_outcome(stored), stored) == attempt_window.outcome_code(
        replies.refusal_outcome(received), received
    )
