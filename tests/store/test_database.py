"""The database behaves alike on SQLite and PostgreSQL."""

import subprocess
import sys
import traceback
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from newsletter.audit_log import AuditEntry
from newsletter.consent.ledger.ledger import Evidence
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.errors import Refused
from newsletter.operators.operators import Operator
from newsletter.store.database import Database, insert_once
from newsletter.store.database_errors import is_unavailable
from tests.clock import NOON
from tests.store.operator_rows import an_operator, operators, run

AUDIT_ENTRY = {"actor": "cli:ana", "verb": "approved", "subject": "issue:1", "fields": {}, "at": NOON}

WRITES = [
    "INSERT INTO operators (address, role, created_at) VALUES ('a', 'b', '2026-01-01')",
    "UPDATE operators SET role = 'owner'",
    "DELETE FROM operators",
    "CREATE TABLE loot (id INTEGER)",
    "DROP TABLE traces",
    "DROP TRIGGER ledger_refuses_update ON ledger",
]


@pytest.mark.parametrize("write", WRITES)
def test_a_reading_session_cannot_write_even_with_plain_sql(begin, reading, database, write):
    if database.is_sqlite:
        write = write.removesuffix(" ON ledger")
    with begin() as session:
        session.add(an_operator("ana@example.org"))
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        run(reading, text(write))
    run(begin, text(write))  # the control: the statement itself is valid


def test_a_reading_session_cannot_write_through_objects(reading):
    def write() -> None:
        with reading() as session:
            session.add(an_operator("ana@example.org"))

    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        write()
    with reading() as session:
        assert operators(session) == []


def test_reading_and_writing_sessions_can_alternate(begin, reading):
    for number in range(10):
        with begin() as session:
            session.add(an_operator(f"{number}@example.org"))
        with reading() as session:
            assert len(operators(session)) == number + 1


def test_a_reading_session_sees_one_snapshot(begin, reading):
    with reading() as session:
        before = operators(session)
        with begin() as writer:
            writer.add(an_operator("ana@example.org"))
        assert operators(session) == before
    with reading() as session:
        assert operators(session) == ["ana@example.org"]


def test_a_writing_session_that_raises_is_rolled_back(begin, reading):
    def half() -> None:
        with begin() as session:
            session.add(an_operator("ana@example.org"))
            session.flush()
            session.execute(insert(AuditEntry), [AUDIT_ENTRY])
            raise Refused

    with pytest.raises(Refused):
        half()
    with reading() as session:
        assert operators(session) == []
        assert session.scalars(select(AuditEntry)).all() == []


def test_a_refused_commit_is_rolled_back(begin, reading):
    def twice() -> None:
        with begin() as session:
            session.add_all([an_operator("ana@example.org"), an_operator("ana@example.org")])

    with pytest.raises(IntegrityError):
        twice()
    with reading() as session:
        assert operators(session) == []


def test_written_objects_can_be_read_after_the_session(begin):
    with begin() as session:
        session.add(operator := an_operator("ana@example.org"))
    assert (operator.id, operator.created_at) == (1, NOON)


def test_a_time_without_a_zone_is_refused(begin):
    with pytest.raises(StatementError, match="without a zone"):
        run(begin, insert(Operator).values(address="a", role="b", created_at=datetime(2026, 3, 14, 12)))  # noqa: DTZ001 - the case


BERLIN, CHATHAM = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Chatham")
LOCAL_TIMES = [
    datetime(2026, 3, 14, 12, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 14, 12, 0, 0, 999_999, tzinfo=UTC),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0),  # the repeated hour
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=BERLIN),
    datetime(2026, 4, 5, 3, 45, tzinfo=CHATHAM),
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=timezone(-timedelta(hours=12))),
]
TIMES = [time.astimezone(UTC) for time in LOCAL_TIMES]  # Python compares two times of one zone by their local time


def test_times_are_read_back_unchanged_and_sort_by_instant(begin, reading):
    with begin() as session:
        session.add_all([an_operator(str(number), created_at=time) for number, time in enumerate(LOCAL_TIMES)])
    with reading() as session:
        stored = dict(session.execute(select(Operator.address, Operator.created_at)).all())
        assert [stored[str(number)] for number in range(len(TIMES))] == TIMES
        assert {time.tzinfo for time in stored.values()} == {UTC}
        by_time = list(session.scalars(select(Operator.created_at).order_by(Operator.created_at)))
        assert by_time == sorted(by_time)
        for time in TIMES:
            later = session.scalars(select(Operator.created_at).where(Operator.created_at > time)).all()
            assert sorted(later) == sorted(other for other in TIMES if other > time)


def test_an_id_is_never_used_twice(begin):
    with begin() as session:
        session.add_all([first := an_operator("a"), newest := an_operator("b")])
    run(begin, delete(Operator))
    with begin() as session:
        session.add(another := an_operator("c"))
    assert another.id > newest.id > first.id


def test_a_broken_foreign_key_is_refused(begin):
    with pytest.raises(IntegrityError):
        run(begin, insert(Evidence).values(entry_id=12, salt=b"", body=b""))


def test_insert_once_changes_no_existing_row(begin, reading):
    with begin() as session:
        assert insert_once(session, Exhibit, sha256="a" * 64, kind="form", body=b"first")
        assert not insert_once(session, Exhibit, sha256="a" * 64, kind="form", body=b"second")
        assert insert_once(session, Exhibit, sha256="b" * 64, kind="form", body=b"third")
    with reading() as session:
        assert list(session.scalars(select(Exhibit.body).order_by(Exhibit.sha256))) == [b"first", b"third"]


def test_errors_do_not_contain_the_refused_values(begin):
    with begin() as session:
        session.add(Subscriber(address="ana@example.org", address_key="ana@example.org", created_at=NOON))
    again = insert(Subscriber).values(
        subject=b"s" * 16, address="ana@example.org", address_key="ana@example.org", created_at=NOON
    )
    with pytest.raises(IntegrityError) as refused:
        run(begin, again)
    logged = "".join(traceback.format_exception(refused.value))
    assert "address_key" in logged
    assert "example.org" not in logged.replace('address="ana@example.org"', "")


def test_text_in_any_script_is_read_back_unchanged(begin, reading):
    written = "Zoë Müller, Ζωή, 佐藤 🌱 e\u0301"
    with begin() as session:
        session.add(an_operator(written))
    with reading() as session:
        assert operators(session) == [written]


def test_a_missing_database_is_an_error_at_once(tmp_path):
    with closing(Database(f"sqlite:///{tmp_path}/nowhere/file.sqlite")) as database:
        for _ in range(3):
            with pytest.raises(DBAPIError):
                run(database.writing, text("SELECT 1"))


def test_a_faulty_statement_does_not_make_the_database_unavailable(begin):
    with pytest.raises(DBAPIError) as wrong:
        run(begin, text("SELECT * FROM nowhere"))
    assert not is_unavailable(wrong.value)


DYING = """
import os, sys
from sqlalchemy import text
from newsletter.store.database import Database
with Database(sys.argv[1]).writing() as session:
    session.execute(text("INSERT INTO operators (address, role, created_at) VALUES ('a', 'b', '2026-03-14 12:00')"))
    os.kill(os.getpid(), 9)
"""


def test_a_killed_process_leaves_no_partial_write_and_no_lock(database, begin, reading):
    died = subprocess.run([sys.executable, "-c", DYING, database.url], check=False)
    assert died.returncode == -9
    with begin() as session:
        session.add(an_operator("ana@example.org"))
    with reading() as session:
        assert operators(session) == ["ana@example.org"]


def test_a_connection_that_is_used_while_the_database_closes_is_closed_when_it_is_returned(database):
    """A health check that takes too long outlives its site."""
    other = Database(database.url)
    with other.reading() as reading, other.writing() as writing:
        drivers = [session.connection().connection.driver_connection for session in (reading, writing)]
        other.close()
        assert [session.scalar(text("SELECT 1")) for session in (reading, writing)] == [1, 1]
    for driver in drivers:
        with pytest.raises(Exception, match="closed"):
            driver.execute("SELECT 1")


def test_a_database_that_is_used_again_after_it_was_closed_keeps_its_new_connections(database):
    other = Database(database.url)

    def driver():
        with other.writing() as session:
            return session.connection().connection.driver_connection

    before = driver()
    other.close()
    after = [driver(), driver()]
    other.close()
    assert before is not after[0]
    assert after[0] is after[1]
