"""Connections to PostgreSQL: the pool, timeouts, lost connections, and autocommit."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import column, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from newsletter.store.database import POOL_LIMIT, SERVER_TIMEOUTS, Database
from newsletter.store.database_errors import is_unavailable
from tests.store.operator_rows import an_operator, operators, run


@pytest.fixture
def postgresql(postgresql_url) -> Iterator[Database]:
    with closing(Database(postgresql_url)) as database:
        yield database


def end_other_connections(database: Database) -> None:
    """Close all other connections to the database, as a restart of the server does."""
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    with database.writing() as session:
        session.execute(
            select(func.pg_terminate_backend(column("pid"))).select_from(text("pg_stat_activity")).where(text(others))
        )


def test_a_closed_connection_in_the_pool_is_replaced(postgresql, postgresql_url):
    with closing(Database(postgresql_url)) as another:
        for session_of in (postgresql.writing, postgresql.reading):
            run(session_of, text("SELECT 1"))
        end_other_connections(another)
    for session_of in (postgresql.reading, postgresql.writing):
        run(session_of, text("SELECT 1"))


def test_a_transaction_fails_whole_when_its_connection_is_closed_and_the_next_one_works(postgresql, postgresql_url):
    def interrupted() -> None:
        with postgresql.writing() as session:
            session.add(an_operator("ana@example.org"))
            session.flush()
            with closing(Database(postgresql_url)) as another:
                end_other_connections(another)
            session.execute(text("SELECT 1"))

    with pytest.raises(OperationalError) as lost:
        interrupted()
    assert is_unavailable(lost.value)
    with postgresql.writing() as session:
        assert operators(session) == []


def test_waiting_for_a_lock_ends_with_an_error(postgresql):
    with postgresql.writing() as session:
        session.add(an_operator("ana@example.org"))
    with postgresql.writing() as holding:
        holding.execute(text("SELECT 1 FROM operators FOR UPDATE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            run(postgresql.writing, text("UPDATE operators SET role = 'viewer'"))
    run(postgresql.writing, text("UPDATE operators SET role = 'viewer'"))


def test_waiting_for_a_connection_ends_with_an_error(postgresql):
    with ExitStack() as busy:
        for _ in range(POOL_LIMIT):
            busy.enter_context(postgresql.reading()).execute(text("SELECT 1"))
        with pytest.raises(NoConnectionLeft) as full:
            run(postgresql.writing, text("SELECT 1"))
    assert is_unavailable(full.value)
    run(postgresql.writing, text("SELECT 1"))


@pytest.mark.parametrize("writes", [True, False])
def test_every_transaction_has_the_servers_timeouts(postgresql, writes):
    with (postgresql.writing if writes else postgresql.reading)() as session:
        shown = {name: session.scalar(text(f"SHOW {name}")) for name in SERVER_TIMEOUTS}
        limits = {name: timedelta(seconds=int(value.removesuffix("s"))) for name, value in SERVER_TIMEOUTS.items()}
        measured = {
            name: session.scalar(text("SELECT CAST(:value AS interval)"), {"value": shown[name]}) for name in shown
        }
    assert measured == limits


def test_the_application_name_is_the_program_or_the_one_in_the_url(postgresql, postgresql_url):
    named = make_url(postgresql_url).update_query_dict({"application_name": "night job"})
    with closing(Database(named.render_as_string(hide_password=False))) as other:
        names = []
        for each in (postgresql, other):
            with each.reading() as session:
                names.append(session.scalar(text("SHOW application_name")))
    assert names[0].startswith("newsletter ")
    assert names[1] == "night job"


def test_a_vanished_server_is_detected_within_two_minutes(postgresql):
    with postgresql.reading() as session:
        driver: Any = session.connection().connection.driver_connection
        parameters = driver.info.get_parameters()
    assert int(parameters["tcp_user_timeout"]) <= 60_000
    probes = int(parameters["keepalives_interval"]) * int(parameters["keepalives_count"])
    assert int(parameters["keepalives_idle"]) + probes <= 120


def test_an_autocommit_connection_commits_each_statement(postgresql_url):
    with closing(Database(postgresql_url)) as database:
        with database.autocommit() as connection:
            connection.execute(text("CREATE TABLE events (name TEXT)"))
            connection.execute(text("INSERT INTO events VALUES ('once')"))
            with database.reading() as session:
                assert session.scalars(text("SELECT name FROM events")).all() == ["once"]
        with database.writing() as session:
            session.execute(text("INSERT INTO events VALUES ('undone')"))
            session.rollback()
        with database.reading() as session:
            names = session.scalars(text("SELECT name FROM events")).all()
        assert names == ["once"], "a connection from the pool does not stay in autocommit"
