"""What holds for the database, whichever it is."""

import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import column, delete, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session

from newsletter.audit_log import AuditEntry
from newsletter.consent.exhibits import Exhibit
from newsletter.consent.ledger import Evidence
from newsletter.consent.subscribers import Subscriber
from newsletter.errors import Refused
from newsletter.operators import Operator
from newsletter.store.database import LIMITS, MOST, Database, insert_once
from newsletter.store.database_errors import is_unavailable
from tests.clock import NOON

AN_ACT = {"actor": "cli:ana", "verb": "approved", "subject": "issue:1", "fields": {}, "at": NOON}

WRITES = [
    "INSERT INTO operators (address, role, created_at) VALUES ('a', 'b', '2026-01-01')",
    "UPDATE operators SET role = 'owner'",
    "DELETE FROM operators",
    "CREATE TABLE loot (id INTEGER)",
    "DROP TABLE traces",
    "DROP TRIGGER ledger_refuses_update ON ledger",
]


def operators(session: Session) -> list[str]:
    return list(session.scalars(select(Operator.address).order_by(Operator.id)))


def an_operator(address: str, **given: Any) -> Operator:
    return Operator(address=address, role="editor", **{"created_at": NOON, **given})


def run(session_of: Any, statement: Any) -> None:
    with session_of() as session:
        session.execute(statement)


@pytest.mark.parametrize("write", WRITES)
def test_a_reader_cannot_write_not_even_in_plain_sql(begin, reading, database, write):
    if database.is_sqlite:
        write = write.removesuffix(" ON ledger")
    with begin() as session:
        session.add(an_operator("ana@example.org"))
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        run(reading, text(write))
    run(begin, text(write))  # the control: it is the reader that is refused, not the statement


def test_a_reader_cannot_write_through_objects_either(reading):
    def write() -> None:
        with reading() as session:
            session.add(an_operator("ana@example.org"))

    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        write()
    with reading() as session:
        assert operators(session) == []


def test_readers_and_writers_take_turns_on_the_same_connections(begin, reading):
    for number in range(10):
        with begin() as session:
            session.add(an_operator(f"{number}@example.org"))
        with reading() as session:
            assert len(operators(session)) == number + 1


def test_a_reader_sees_one_state_of_things_from_first_to_last(begin, reading):
    with reading() as session:
        before = operators(session)
        with begin() as writer:
            writer.add(an_operator("ana@example.org"))
        assert operators(session) == before
    with reading() as session:
        assert operators(session) == ["ana@example.org"]


def test_a_writer_that_raises_leaves_nothing_of_what_it_wrote(begin, reading):
    def half() -> None:
        with begin() as session:
            session.add(an_operator("ana@example.org"))
            session.flush()
            session.execute(insert(AuditEntry), [AN_ACT])
            raise Refused

    with pytest.raises(Refused):
        half()
    with reading() as session:
        assert operators(session) == []
        assert session.scalars(select(AuditEntry)).all() == []


def test_a_commit_that_is_refused_leaves_nothing_either(begin, reading):
    def twice() -> None:
        with begin() as session:
            session.add_all([an_operator("ana@example.org"), an_operator("ana@example.org")])

    with pytest.raises(IntegrityError):
        twice()
    with reading() as session:
        assert operators(session) == []


def test_what_was_written_can_be_read_after_the_session(begin):
    with begin() as session:
        session.add(operator := an_operator("ana@example.org"))
    assert (operator.id, operator.created_at) == (1, NOON)


def test_a_time_without_a_zone_is_refused(begin):
    with pytest.raises(StatementError, match="without a zone"):
        run(begin, insert(Operator).values(address="a", role="b", created_at=datetime(2026, 3, 14, 12)))  # noqa: DTZ001 - the case


BERLIN, CHATHAM = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Chatham")
GIVEN = [
    datetime(2026, 3, 14, 12, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 14, 12, 0, 0, 999_999, tzinfo=UTC),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0),  # the hour that comes twice
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=BERLIN),
    datetime(2026, 4, 5, 3, 45, tzinfo=CHATHAM),
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=timezone(-timedelta(hours=12))),
]
TIMES = [
    time.astimezone(UTC) for time in GIVEN
]  # Python compares two times of one zone by what the clock on the wall says


def test_an_instant_comes_back_as_it_was_and_sorts_by_what_it_is(begin, reading):
    with begin() as session:
        session.add_all([an_operator(str(number), created_at=time) for number, time in enumerate(GIVEN)])
    with reading() as session:
        found = dict(session.execute(select(Operator.address, Operator.created_at)).all())
        assert [found[str(number)] for number in range(len(TIMES))] == TIMES
        assert {time.tzinfo for time in found.values()} == {UTC}
        by_time = list(session.scalars(select(Operator.created_at).order_by(Operator.created_at)))
        assert by_time == sorted(by_time)
        for time in TIMES:
            later = session.scalars(select(Operator.created_at).where(Operator.created_at > time)).all()
            assert sorted(later) == sorted(other for other in TIMES if other > time)


def test_a_number_once_given_is_never_given_again(begin):
    with begin() as session:
        session.add_all([first := an_operator("a"), newest := an_operator("b")])
    run(begin, delete(Operator))
    with begin() as session:
        session.add(another := an_operator("c"))
    assert another.id > newest.id > first.id


def test_a_row_that_leads_nowhere_is_refused(begin):
    with pytest.raises(IntegrityError):
        run(begin, insert(Evidence).values(entry_id=12, salt=b"", body=b""))


def test_of_a_row_that_is_there_already_nothing_changes(begin, reading):
    with begin() as session:
        assert insert_once(session, Exhibit, sha256="a" * 64, kind="form", body=b"first")
        assert not insert_once(session, Exhibit, sha256="a" * 64, kind="form", body=b"second")
        assert insert_once(session, Exhibit, sha256="b" * 64, kind="form", body=b"third")
    with reading() as session:
        assert list(session.scalars(select(Exhibit.body).order_by(Exhibit.sha256))) == [b"first", b"third"]


def test_what_the_database_refuses_is_told_without_the_values(begin):
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


def test_the_same_text_is_the_same_bytes_whatever_the_alphabet(begin, reading):
    written = "Zoë Müller, Ζωή, 佐藤 🌱 e\u0301"
    with begin() as session:
        session.add(an_operator(written))
    with reading() as session:
        assert operators(session) == [written]


def test_an_absent_database_is_an_error_and_not_a_wait(tmp_path):
    with closing(Database(f"sqlite:///{tmp_path}/nowhere/file.sqlite")) as database:
        for _ in range(3):
            with pytest.raises(DBAPIError):
                run(database.writing, text("SELECT 1"))


@pytest.fixture
def postgresql(postgresql_url) -> Iterator[Database]:
    with closing(Database(postgresql_url)) as database:
        yield database


def end_everybody_else(database: Database) -> None:
    """What a restart of the server does to connections, of which the others are in the pool or in use."""
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    with database.writing() as session:
        session.execute(
            select(func.pg_terminate_backend(column("pid"))).select_from(text("pg_stat_activity")).where(text(others))
        )


def test_a_connection_that_was_ended_meanwhile_is_made_anew(postgresql, postgresql_url):
    with closing(Database(postgresql_url)) as another:
        for session_of in (postgresql.writing, postgresql.reading):
            run(session_of, text("SELECT 1"))
        end_everybody_else(another)
    for session_of in (postgresql.reading, postgresql.writing):
        run(session_of, text("SELECT 1"))


def test_a_transaction_whose_connection_is_ended_fails_whole_and_the_next_one_works(postgresql, postgresql_url):
    def interrupted() -> None:
        with postgresql.writing() as session:
            session.add(an_operator("ana@example.org"))
            session.flush()
            with closing(Database(postgresql_url)) as another:
                end_everybody_else(another)
            session.execute(text("SELECT 1"))

    with pytest.raises(OperationalError) as lost:
        interrupted()
    assert is_unavailable(lost.value)
    with postgresql.writing() as session:
        assert operators(session) == []


def test_who_waits_for_a_lock_that_nobody_lets_go_of_is_told_in_time(postgresql):
    with postgresql.writing() as session:
        session.add(an_operator("ana@example.org"))
    with postgresql.writing() as holding:
        holding.execute(text("SELECT 1 FROM operators FOR UPDATE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            run(postgresql.writing, text("UPDATE operators SET role = 'viewer'"))
    run(postgresql.writing, text("UPDATE operators SET role = 'viewer'"))


def test_where_every_connection_is_in_use_the_next_is_told_so_in_time(postgresql):
    with ExitStack() as busy:
        for _ in range(MOST):
            busy.enter_context(postgresql.reading()).execute(text("SELECT 1"))
        with pytest.raises(NoConnectionLeft) as full:
            run(postgresql.writing, text("SELECT 1"))
    assert is_unavailable(full.value)
    run(postgresql.writing, text("SELECT 1"))


@pytest.mark.parametrize("writes", [True, False])
def test_no_transaction_is_without_limits(postgresql, writes):
    with (postgresql.writing if writes else postgresql.reading)() as session:
        found = {name: session.scalar(text(f"SHOW {name}")) for name in LIMITS}
        limits = {name: timedelta(seconds=int(value.removesuffix("s"))) for name, value in LIMITS.items()}
        measured = {
            name: session.scalar(text("SELECT CAST(:value AS interval)"), {"value": found[name]}) for name in found
        }
    assert measured == limits


def test_the_server_knows_which_program_is_connected_unless_the_url_calls_it_otherwise(postgresql, postgresql_url):
    named = make_url(postgresql_url).update_query_dict({"application_name": "night shift"})
    with closing(Database(named.render_as_string(hide_password=False))) as other:
        names = []
        for each in (postgresql, other):
            with each.reading() as session:
                names.append(session.scalar(text("SHOW application_name")))
    assert names[0].startswith("newsletter ")
    assert names[1] == "night shift"


def test_a_server_that_vanishes_is_noticed_in_less_than_two_minutes(postgresql):
    with postgresql.reading() as session:
        driver: Any = session.connection().connection.driver_connection
        asked = driver.info.get_parameters()
    assert int(asked["tcp_user_timeout"]) <= 60_000
    probes = int(asked["keepalives_interval"]) * int(asked["keepalives_count"])
    assert int(asked["keepalives_idle"]) + probes <= 120


def test_what_is_wrong_with_a_statement_is_not_the_databases_trouble(begin):
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


def test_a_process_that_is_killed_leaves_nothing_half_done_and_holds_nobody_up(database, begin, reading):
    died = subprocess.run([sys.executable, "-c", DYING, database.url], check=False)
    assert died.returncode == -9
    with begin() as session:
        session.add(an_operator("ana@example.org"))
    with reading() as session:
        assert operators(session) == ["ana@example.org"]


def test_a_statement_over_a_stating_connection_is_committed_when_it_returns(postgresql_url):
    with closing(Database(postgresql_url)) as database:
        with database.stating() as connection:
            connection.execute(text("CREATE TABLE said (words TEXT)"))
            connection.execute(text("INSERT INTO said VALUES ('once')"))
            with database.reading() as session:
                assert session.scalars(text("SELECT words FROM said")).all() == ["once"]
        with database.writing() as session:
            session.execute(text("INSERT INTO said VALUES ('undone')"))
            session.rollback()
        with database.reading() as session:
            found = session.scalars(text("SELECT words FROM said")).all()
        assert found == ["once"], "the pool forgets how it was lent"
