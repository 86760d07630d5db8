"""Results on their way into the database: none is lost, whatever the database does meanwhile."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from newsletter.bench.servers.postgresql import administrator
from newsletter.content.issues import Issue, IssueStatus
from newsletter.mail.delivery import claims
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.delivery.issue_pauses import RefusalWatch
from newsletter.mail.delivery.recording import GROUP, Recorder
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.store.database import Begin, Database
from tests.builders import a_carrier, owed
from tests.clock import NOON
from tests.servers.databases import opened

LATE = NOON + timedelta(seconds=7)


class Failing:
    """A database that fails as often as it is told: before anything is written, or when all of it was."""

    def __init__(self, begin: Begin, *failures: Exception, late: bool = False) -> None:
        self._begin = begin
        self._late = late
        self.failures = list(failures)
        self.commits = 0

    @contextmanager
    def __call__(self):
        if self.failures and not self._late:
            raise self.failures.pop()
        with self._begin() as session:
            yield session
        self.commits += 1
        if self.failures:
            raise self.failures.pop()


def away() -> OperationalError:
    return OperationalError("UPDATE", {}, Exception("server closed the connection"))


def claimed(begin: Begin, number: int) -> tuple[int, list[claims.Claimed]]:
    with begin() as session:
        owed(session, number)
        carrier = a_carrier(session)
        return carrier, claims.claim(session, carrier, limit=500, urgent=False, key="k1", now=NOON)


def recording(
    begin: Begin, carrier: int, reports: Iterable[Result], wait: Callable[[float], None] = lambda _: None
) -> Recorder:
    with Recorder(begin, carrier, clock=lambda: LATE, wait=wait) as recorder:
        for report in reports:
            recorder.report(report)
    return recorder


def taken(claim: claims.Claimed, reply: Reply | None = None) -> Result:
    return Result(claim.delivery, claim.attempt, Outcome.TAKEN, reply, LATE)


def statuses(reading: Begin) -> list[DeliveryStatus]:
    with reading() as session:
        return list(session.scalars(select(Delivery.status).order_by(Delivery.id)))


@pytest.mark.parametrize("number", [0, 1, GROUP, 2 * GROUP + 1])
def test_everything_reported_is_recorded_when_the_context_ends(begin, reading, number):
    carrier, mine = claimed(begin, number)
    recorder = recording(begin, carrier, [taken(each) for each in mine])
    assert recorder.recorded == number
    assert statuses(reading) == [DeliveryStatus.SENT] * number


def test_it_is_recorded_too_when_carrying_breaks_off(begin, reading):
    carrier, (one,) = claimed(begin, 1)

    def broken():
        yield taken(one)
        raise LookupError

    with pytest.raises(LookupError):
        recording(begin, carrier, broken())
    assert statuses(reading) == [DeliveryStatus.SENT]


def test_what_waits_is_written_together_but_no_more_than_a_group(begin):
    carrier, mine = claimed(begin, GROUP + 1)
    counting = Failing(begin)
    recorder = Recorder(counting, carrier, clock=lambda: LATE)
    for each in mine:
        recorder.report(taken(each))
    with recorder:
        pass
    assert counting.commits == 2


@pytest.mark.parametrize(
    "trouble",
    [away, lambda: InterfaceError("", {}, Exception("connection already closed")), lambda: NoConnectionLeft("pool")],
    ids=["away", "closed", "pool"],
)
@pytest.mark.parametrize("late", [False, True], ids=["before", "after the commit"])
def test_a_database_that_is_away_for_a_while_loses_and_doubles_nothing(begin, reading, trouble, late, caplog):
    carrier, mine = claimed(begin, 3)
    waits: list[float] = []
    failing = Failing(begin, *(trouble() for _ in range(5)), late=late)
    recording(failing, carrier, [taken(each) for each in mine], wait=waits.append)
    assert failing.failures == []
    assert statuses(reading) == [DeliveryStatus.SENT] * 3
    assert waits.count(1.0) == 5, "and it does not knock more often than once a second"
    assert "example.org" not in caplog.text


def test_a_result_whose_commit_was_not_confirmed_is_not_written_a_second_time(begin, reading):
    carrier, (one,) = claimed(begin, 1)
    later = taken(one)._replace(outcome=Outcome.LATER)
    recording(Failing(begin, away(), late=True), carrier, [later])
    with reading() as session:
        delivery = session.get_one(Delivery, one.delivery)
    assert (delivery.status, delivery.deferrals) == (DeliveryStatus.QUEUED, 1)


def test_how_many_were_recorded_is_counted_when_they_are_committed(begin):
    carrier, mine = claimed(begin, 2)

    @contextmanager
    def no_commit_at_first():
        with begin() as session:
            yield session
            if failures:
                raise failures.pop()

    failures = [away(), away()]
    assert recording(no_commit_at_first, carrier, [taken(each) for each in mine]).recorded == 2


def test_a_reply_that_the_database_refuses_costs_only_the_reply(begin, reading, caplog):
    carrier, (odd, *others) = claimed(begin, 3)
    refused = Reply(10**30, None, "no such code")  # fits no column
    reports = [taken(odd, refused), *(taken(each, Reply(250, "2.0.0", "fine")) for each in others)]
    recorder = recording(begin, carrier, reports)
    assert recorder.recorded == 3
    assert statuses(reading) == [DeliveryStatus.SENT] * 3
    with reading() as session:
        assert list(session.scalars(select(Delivery.reply_code).order_by(Delivery.id))) == [None, 250, 250]
    said = [
        record for record in caplog.records if record.name == "newsletter.mail.delivery.recording"
    ]  # psycopg may say more
    assert [record.delivery for record in said] == [odd.delivery]


def test_a_report_that_can_never_be_written_is_told_and_the_others_are_written(begin, reading, caplog):
    carrier, (odd, *others) = claimed(begin, 3)
    naive = taken(odd)._replace(at=NOON.replace(tzinfo=None))
    recorder = recording(begin, carrier, [*(taken(each) for each in others), naive])
    assert recorder.recorded == 2
    assert sorted(statuses(reading)) == [DeliveryStatus.CLAIMED, DeliveryStatus.SENT, DeliveryStatus.SENT]
    errors = [(each.getMessage(), each.delivery) for each in caplog.records if each.levelno == logging.ERROR]
    assert errors == [("a delivery cannot be recorded: ValueError", odd.delivery)]


def test_reports_of_a_letter_in_other_hands_are_not_counted(begin, reading):
    carrier, (one,) = claimed(begin, 1)
    assert recording(begin, carrier, [taken(one)._replace(attempt=9)]).recorded == 0
    assert statuses(reading) == [DeliveryStatus.CLAIMED]


class Gate:
    """A database that commits nothing while it is shut."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self.open = threading.Event()

    @contextmanager
    def __call__(self):
        assert self.open.wait(10)
        with self._begin() as session:
            yield session


def test_no_letter_is_begun_while_two_groups_are_unwritten(begin, reading):
    carrier, mine = claimed(begin, 2 * GROUP + 1)
    gate = Gate(begin)
    with Recorder(gate, carrier, clock=lambda: LATE, wait=lambda _: None) as recorder:
        for each in mine[: 2 * GROUP - 1]:
            assert recorder.has_room(lambda: False)
            recorder.report(taken(each))
        assert recorder.has_room(lambda: False)
        recorder.report(taken(mine[-2]))
        assert not recorder.has_room(lambda: True), "who has to end does not wait"
        assert not recorder.flush(lambda: True)
        threading.Timer(0.05, gate.open.set).start()
        assert recorder.has_room(lambda: False), "it waits until a group is written"
        recorder.report(taken(mine[-1]))
        assert recorder.flush(lambda: False)
        assert statuses(reading) == [DeliveryStatus.SENT] * (2 * GROUP + 1)


def test_no_letter_is_begun_while_ten_refusals_are_unwritten_and_those_pause_the_issue(begin, reading):
    carrier, mine = claimed(begin, 11)
    gate = Gate(begin)
    watch = RefusalWatch(begin, clock=lambda: LATE)
    with Recorder(gate, carrier, clock=lambda: LATE, wait=lambda _: None, watch=watch) as recorder:
        for each in mine[:10]:
            assert recorder.has_room(lambda: False)
            recorder.report(taken(each)._replace(outcome=Outcome.REFUSED, reply=Reply(550, "5.1.1", "User unknown")))
        assert not recorder.has_room(lambda: True)
        threading.Timer(0.05, gate.open.set).start()
        assert recorder.has_room(lambda: False)
        with reading() as session:
            assert session.scalars(select(Issue.status)).one() is IssueStatus.PAUSED
            (issue,) = session.scalars(select(Issue.id))
        assert watch.has_stopped(issue, claimed_at=0)


@pytest.mark.parametrize("in_a_statement", [False, True])
def test_results_survive_a_database_that_is_killed_and_started_again(mortal_postgresql, in_a_statement, caplog):
    with closing(Database(mortal_postgresql.url)) as database:
        carrier, mine = claimed(database.writing, 2 * GROUP)
        before, after = mine[:GROUP], mine[GROUP:]
        tried = threading.Event()
        given = {
            "clock": lambda: LATE,
            "wait": lambda _: tried.set() or time.sleep(0.05),
            "stating": database.stating if in_a_statement else None,
        }
        with Recorder(database.writing, carrier, **given) as recorder:
            for each in before:
                recorder.report(taken(each))
            assert recorder.flush(lambda: False)
            mortal_postgresql.kill()
            for each in after:
                recorder.report(taken(each))
            assert tried.wait(20)
            mortal_postgresql.start()
        assert recorder.recorded == 2 * GROUP
        assert statuses(database.reading) == [DeliveryStatus.SENT] * 2 * GROUP
    assert "results are kept, the database is unavailable" in caplog.text


@contextmanager
def refusing_writes(url: str):
    """A database that answers and writes nothing, for sessions that are there and for new ones: a standby is so."""
    database = make_url(url).database
    with administrator(make_url(url)) as server:
        server.execute(text(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on'))
        others = "FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
        server.execute(text("SELECT pg_terminate_backend(pid) " + others), {"name": database})
        yield
        server.execute(text(f'ALTER DATABASE "{database}" RESET default_transaction_read_only'))


@pytest.mark.parametrize("in_a_statement", [False, True])
def test_results_outlast_a_database_that_answers_and_writes_nothing(postgresql_url, in_a_statement, caplog):
    with closing(opened(postgresql_url)) as database:
        carrier, mine = claimed(database.writing, GROUP + 3)
        tried = threading.Semaphore(0)
        given = {
            "clock": lambda: LATE,
            "wait": lambda _: tried.release() or time.sleep(0.05),
            "stating": database.stating if in_a_statement else None,
        }
        refused = Reply(550, "5.1.1", "no such user")
        with Recorder(database.writing, carrier, **given) as recorder:
            with refusing_writes(postgresql_url):
                for each in mine[1:]:
                    recorder.report(taken(each))
                recorder.report(taken(mine[0], refused)._replace(outcome=Outcome.REFUSED))
                for _ in range(4):  # the sessions that were ended, and then those that write nothing
                    assert tried.acquire(timeout=20)
                assert statuses(database.reading) == [DeliveryStatus.CLAIMED] * len(mine)
            assert recorder.flush(lambda: False)
            assert recorder.recorded == len(mine)
        assert statuses(database.reading) == [DeliveryStatus.FAILED] + [DeliveryStatus.SENT] * (len(mine) - 1)
        with database.reading() as session:
            kept = session.scalars(select(Delivery.reply_code).where(Delivery.status == DeliveryStatus.FAILED)).one()
        assert kept == 550
    assert "cannot be stored" not in caplog.text
    assert "cannot be recorded" not in caplog.text
    assert "in a read-only transaction" in caplog.text


def test_whatever_a_database_refuses_is_kept_unless_the_report_itself_is_at_fault(begin, reading):
    carrier, mine = claimed(begin, 2)
    failing = Failing(begin, InternalError("UPDATE", {}, Exception("odd")), ProgrammingError("", {}, Exception("odd")))
    assert recording(failing, carrier, [taken(each) for each in mine]).recorded == 2
    assert statuses(reading) == [DeliveryStatus.SENT] * 2
