"""Rows of many callers are inserted together, and each caller learns what became of its own."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from newsletter.operators.operators import Operator
from newsletter.store.database import Database
from newsletter.store.grouped_inserts import GroupedInserts
from tests.clock import NOON
from tests.servers.own_servers import RestartablePostgresql
from tests.servers.schema import migrate
from tests.statements import executed
from tests.store.operator_rows import operators

COLUMNS = ("address", "role", "created_at")
SECONDS = 30  # that a row takes at most on a busy machine


@pytest.fixture
def inserts(database: Database) -> Iterator[GroupedInserts]:
    with closing(GroupedInserts(database, Operator, COLUMNS)) as inserts:
        yield inserts


def row(address: str, **columns: Any) -> dict[str, Any]:
    return {"address": address, "role": "editor", "created_at": NOON, **columns}


def stored(database: Database) -> list[str]:
    with database.reading() as session:
        return operators(session)


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Hold every commit of an operator's row back until the end of the block."""
    with database.writing() as session:
        session.execute(text("LOCK operators" if not database.is_sqlite else "SELECT 1"))
        yield


def test_a_row_is_committed_once_its_future_is_done(database, inserts):
    inserts.insert(row("ana@example.org")).result(SECONDS)
    assert stored(database) == ["ana@example.org"]


def test_rows_that_come_during_a_commit_share_one_statement(database, inserts):
    with executed(database) as statements:
        with held(database):
            futures = [inserts.insert(row(f"{number}@example.org")) for number in range(100)]
        wait(futures, SECONDS)
    assert len(stored(database)) == 100
    assert sum("INSERT" in statement for statement in statements) <= 2  # the first row came alone


def test_a_refused_row_refuses_no_other(database, inserts):
    with held(database):
        first = inserts.insert(row("first@example.org"))
        futures = [inserts.insert(row(f"{name}@example.org")) for name in ("a", "b")]
        twice, missing = inserts.insert(row("a@example.org")), inserts.insert(row("c@example.org", role=None))
        last = inserts.insert(row("last@example.org"))
    for future in (first, *futures, last):
        future.result(SECONDS)
    for refused in (twice, missing):
        assert isinstance(refused.exception(SECONDS), IntegrityError)
    assert sorted(stored(database)) == ["a@example.org", "b@example.org", "first@example.org", "last@example.org"]


def test_a_row_that_is_withdrawn_before_its_turn_is_not_stored(database, inserts):
    with held(database):
        first = inserts.insert(row("first@example.org"))
        withdrawn = inserts.insert(row("withdrawn@example.org"))
        while not first.running():  # the thread has taken the first row, and both may be one group
            pass
        was_withdrawn = withdrawn.cancel()
    inserts.insert(row("last@example.org")).result(SECONDS)
    assert ("withdrawn@example.org" in stored(database)) is not was_withdrawn


def test_closing_inserts_the_rows_that_wait(database):
    inserts = GroupedInserts(database, Operator, COLUMNS)
    futures: list[Future[None]] = []

    def insert(number: int) -> None:
        futures.append(inserts.insert(row(f"{number}@example.org")))

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    inserts.close()
    assert all(future.done() for future in futures)
    assert len(stored(database)) == 20


def test_rows_fail_while_the_database_is_away_and_are_stored_once_it_is_back(
    restartable_postgresql: RestartablePostgresql,
):
    migrate(restartable_postgresql.url)
    with (
        closing(Database(restartable_postgresql.url)) as database,
        closing(GroupedInserts(database, Operator, COLUMNS)) as inserts,
    ):
        inserts.insert(row("before@example.org")).result(SECONDS)
        restartable_postgresql.kill()
        for name in ("a", "b"):  # over the connection that was kept, and over a new one
            assert isinstance(inserts.insert(row(f"{name}@example.org")).exception(SECONDS), OperationalError)
        restartable_postgresql.start()
        inserts.insert(row("after@example.org")).result(SECONDS)
        assert stored(database) == ["before@example.org", "after@example.org"]
