"""No result is lost, whatever the database does."""

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
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery import claims
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.delivery.issue_pauses import RefusalMonitor
from newsletter.mail.delivery.recording import GROUP_SIZE, GroupCommit
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.store.database import Begin, Database
from tests.builders import a_worker, owed
from tests.clock import NOON
from tests.servers.databases import opened
from tests.waiting import TIMEOUT

LATE = NOON + timedelta(seconds=7)


class Failing:
    """A database that raises the given errors, one per transaction: before anything is written or after the commit."""

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
        worker = a_worker(session)
        return worker, claims.claim(session, worker, limit=500, urgent=False, key="k1", now=NOON)


def record(
    begin: Begin, worker: int, results: Iterable[Result], wait: Callable[[float], None] = lambda _: None
) -> GroupCommit:
    with GroupCommit(begin, worker, clock=lambda: LATE, wait=wait) as group_commit:
        for result in results:
            group_commit.add(result)
    return group_commit


def taken(claim: claims.Claimed, reply: Reply | None = None) -> Result:
    return Result(claim.delivery, claim.attempt, Outcome.TAKEN, reply, LATE)


def statuses(reading: Begin) -> list[DeliveryStatus]:
    with reading() as session:
        return list(session.scalars(select(Delivery.status).order_by(Delivery.id)))


@pytest.mark.parametrize("number", [0, 1, GROUP_SIZE, 2 * GROUP_SIZE + 1])
def test_every_result_is_recorded_when_the_context_ends(begin, reading, number):
    worker, mine = claimed(begin, number)
    group_commit = record(begin, worker, [taken(each) for each in mine])
    assert group_commit.recorded == number
    assert statuses(reading) == [DeliveryStatus.SENT] * number


def test_results_are_recorded_although_sending_fails(begin, reading):
    worker, (one,) = claimed(begin, 1)

    def broken():
        yield taken(one)
        raise LookupError

    with pytest.raises(LookupError):
        record(begin, worker, broken())
    assert statuses(reading) == [DeliveryStatus.SENT]


def test_waiting_results_are_written_together_but_at_most_a_group(begin):
    worker, mine = claimed(begin, GROUP_SIZE + 1)
    counting = Failing(begin)
    group_commit = GroupCommit(counting, worker, clock=lambda: LATE)
    for each in mine:
        group_commit.add(taken(each))
    with group_commit:
        pass
    assert counting.commits == 2


@pytest.mark.parametrize(
    "error",
    [away, lambda: InterfaceError("", {}, Exception("connection already closed")), lambda: NoConnectionLeft("pool")],
    ids=["away", "closed", "pool"],
)
@pytest.mark.parametrize("late", [False, True], ids=["before", "after the commit"])
def test_a_database_that_is_away_for_a_while_loses_and_doubles_no_result(begin, reading, error, late, caplog):
    worker, mine = claimed(begin, 3)
    waits: list[float] = []
    failing = Failing(begin, *(error() for _ in range(5)), late=late)
    record(failing, worker, [taken(each) for each in mine], wait=waits.append)
    assert failing.failures == []
    assert statuses(reading) == [DeliveryStatus.SENT] * 3
    assert waits.count(1.0) == 5, "it is tried once a second"
    assert "example.org" not in caplog.text


def test_a_result_whose_commit_was_not_confirmed_is_not_counted_twice(begin, reading):
    worker, (one,) = claimed(begin, 1)
    later = taken(one)._replace(outcome=Outcome.LATER)
    record(Failing(begin, away(), late=True), worker, [later])
    with reading() as session:
        delivery = session.get_one(Delivery, one.delivery)
    assert (delivery.status, delivery.deferrals) == (DeliveryStatus.QUEUED, 1)


def test_results_count_as_recorded_only_once_they_are_committed(begin):
    worker, mine = claimed(begin, 2)

    @contextmanager
    def no_commit_at_first():
        with begin() as session:
            yield session
            if failures:
                raise failures.pop()

    failures = [away(), away()]
    assert record(no_commit_at_first, worker, [taken(each) for each in mine]).recorded == 2


def test_if_the_database_refuses_a_reply_only_the_reply_is_lost(begin, reading, caplog):
    worker, (odd, *others) = claimed(begin, 3)
    refused = Reply(10**30, None, "no such code")  # fits no column
    results = [taken(odd, refused), *(taken(each, Reply(250, "2.0.0", "fine")) for each in others)]
    group_commit = record(begin, worker, results)
    assert group_commit.recorded == 3
    assert statuses(reading) == [DeliveryStatus.SENT] * 3
    with reading() as session:
        assert list(session.scalars(select(Delivery.reply_code).order_by(Delivery.id))) == [None, 250, 250]
    warnings = [
        record for record in caplog.records if record.name == "newsletter.mail.delivery.recording"
    ]  # psycopg may log more
    assert [record.delivery for record in warnings] == [odd.delivery]


def test_a_result_that_can_never_be_written_is_logged_and_the_others_are_written(begin, reading, caplog):
    worker, (odd, *others) = claimed(begin, 3)
    naive = taken(odd)._replace(at=NOON.replace(tzinfo=None))
    group_commit = record(begin, worker, [*(taken(each) for each in others), naive])
    assert group_commit.recorded == 2
    assert sorted(statuses(reading)) == [DeliveryStatus.CLAIMED, DeliveryStatus.SENT, DeliveryStatus.SENT]
    errors = [(each.getMessage(), each.delivery) for each in caplog.records if each.levelno == logging.ERROR]
    assert errors == [("a delivery cannot be recorded: ValueError", odd.delivery)]


def test_results_of_another_attempt_do_not_count(begin, reading):
    worker, (one,) = claimed(begin, 1)
    assert record(begin, worker, [taken(one)._replace(attempt=9)]).recorded == 0
    assert statuses(reading) == [DeliveryStatus.CLAIMED]


class Gate:
    """A database that begins no transaction while it is closed."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self.open = threading.Event()

    @contextmanager
    def __call__(self):
        assert self.open.wait(TIMEOUT)
        with self._begin() as session:
            yield session


def test_no_letter_begins_while_two_groups_are_unwritten(begin, reading):
    worker, mine = claimed(begin, 2 * GROUP_SIZE + 1)
    gate = Gate(begin)
    with GroupCommit(gate, worker, clock=lambda: LATE, wait=lambda _: None) as group_commit:
        for each in mine[: 2 * GROUP_SIZE - 1]:
            assert group_commit.wait_for_capacity(lambda: False)
            group_commit.add(taken(each))
        assert group_commit.wait_for_capacity(lambda: False)
        group_commit.add(taken(mine[-2]))
        assert not group_commit.wait_for_capacity(lambda: True), "a run that is over does not wait"
        assert not group_commit.flush(lambda: True)
        threading.Timer(0.05, gate.open.set).start()
        assert group_commit.wait_for_capacity(lambda: False), "it waits until a group is written"
        group_commit.add(taken(mine[-1]))
        assert group_commit.flush(lambda: False)
        assert statuses(reading) == [DeliveryStatus.SENT] * (2 * GROUP_SIZE + 1)


def test_no_letter_begins_while_ten_refusals_are_unwritten_and_they_pause_the_issue(begin, reading):
    worker, mine = claimed(begin, 11)
    gate = Gate(begin)
    monitor = RefusalMonitor(begin, clock=lambda: LATE)
    with GroupCommit(gate, worker, clock=lambda: LATE, wait=lambda _: None, monitor=monitor) as group_commit:
        for each in mine[:10]:
            assert group_commit.wait_for_capacity(lambda: False)
            group_commit.add(taken(each)._replace(outcome=Outcome.REFUSED, reply=Reply(550, "5.1.1", "User unknown")))
        assert not group_commit.wait_for_capacity(lambda: True)
        threading.Timer(0.05, gate.open.set).start()
        assert group_commit.wait_for_capacity(lambda: False)
        with reading() as session:
            assert session.scalars(select(Issue.status)).one() is IssueStatus.PAUSED
            (issue,) = session.scalars(select(Issue.id))
        assert monitor.is_paused(issue, claimed_at=0)


@pytest.mark.parametrize("autocommit", [False, True])
def test_results_survive_a_database_that_is_killed_and_started_again(restartable_postgresql, autocommit, caplog):
    with closing(Database(restartable_postgresql.url)) as database:
        worker, mine = claimed(database.writing, 2 * GROUP_SIZE)
        before, after = mine[:GROUP_SIZE], mine[GROUP_SIZE:]
        tried = threading.Event()
        options = {
            "clock": lambda: LATE,
            "wait": lambda _: tried.set() or time.sleep(0.05),
            "autocommit": database.autocommit if autocommit else None,
        }
        with GroupCommit(database.writing, worker, **options) as group_commit:
            for each in before:
                group_commit.add(taken(each))
            assert group_commit.flush(lambda: False)
            restartable_postgresql.kill()
            for each in after:
                group_commit.add(taken(each))
            assert tried.wait(TIMEOUT)
            restartable_postgresql.start()
        assert group_commit.recorded == 2 * GROUP_SIZE
        assert statuses(database.reading) == [DeliveryStatus.SENT] * 2 * GROUP_SIZE
    assert "results are kept, the database is unavailable" in caplog.text


@contextmanager
def refusing_writes(url: str):
    """Make a database read-only, as a standby is, for present and new sessions."""
    database = make_url(url).database
    with administrator(make_url(url)) as server:
        server.execute(text(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on'))
        others = "FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
        server.execute(text("SELECT pg_terminate_backend(pid) " + others), {"name": database})
        yield
        server.execute(text(f'ALTER DATABASE "{database}" RESET default_transaction_read_only'))


@pytest.mark.parametrize("autocommit", [False, True])
def test_results_survive_a_database_that_is_read_only_for_a_while(postgresql_url, autocommit, caplog):
    with closing(opened(postgresql_url)) as database:
        worker, mine = claimed(database.writing, GROUP_SIZE + 3)
        tried = threading.Semaphore(0)
        options = {
            "clock": lambda: LATE,
            "wait": lambda _: tried.release() or time.sleep(0.05),
            "autocommit": database.autocommit if autocommit else None,
        }
        refused = Reply(550, "5.1.1", "no such user")
        with GroupCommit(database.writing, worker, **options) as group_commit:
            with refusing_writes(postgresql_url):
                for each in mine[1:]:
                    group_commit.add(taken(each))
                group_commit.add(taken(mine[0], refused)._replace(outcome=Outcome.REFUSED))
                for _ in range(4):  # first the terminated sessions, then the read-only ones
                    assert tried.acquire(timeout=TIMEOUT)
                assert statuses(database.reading) == [DeliveryStatus.CLAIMED] * len(mine)
            assert group_commit.flush(lambda: False)
            assert group_commit.recorded == len(mine)
        assert statuses(database.reading) == [DeliveryStatus.FAILED] + [DeliveryStatus.SENT] * (len(mine) - 1)
        with database.reading() as session:
            kept = session.scalars(select(Delivery.reply_code).where(Delivery.status == DeliveryStatus.FAILED)).one()
        assert kept == 550
    assert "cannot be stored" not in caplog.text
    assert "cannot be recorded" not in caplog.text
    assert "in a read-only transaction" in caplog.text


def test_results_are_kept_after_any_error_that_their_data_did_not_cause(begin, reading):
    worker, mine = claimed(begin, 2)
    failing = Failing(begin, InternalError("UPDATE", {}, Exception("odd")), ProgrammingError("", {}, Exception("odd")))
    assert record(failing, worker, [taken(each) for each in mine]).recorded == 2
    assert statuses(reading) == [DeliveryStatus.SENT] * 2
