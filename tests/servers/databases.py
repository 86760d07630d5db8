"""One engine for each kind of database and test process, pointed at each test's own database.

An engine caches compiled SQL, and compiling takes a third of a short test's time.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any

import pytest
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from newsletter.store.database import Begin, Database

PAGES, MONITORING = "pages", "monitoring"  # a site's health checks have their own connections


def opened(url: str, use: str = PAGES) -> Database:
    """Return the database at `url`, on the engine that this process keeps for its server and that use.

    The engine may come from an earlier test; its connections are closed. `close` it when the test ends.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return _on_file(url, use)
    kept = _on_server(address.set(database="postgres"), use)
    kept.close()
    kept.url = url
    return kept


@cache
def _on_file(url: str, _use: str) -> Database:
    return Database(url)  # every test of a process uses the same path: the write lock belongs to a path


@cache
def _on_server(server: URL, _use: str) -> Database:
    kept = Database(server.render_as_string(hide_password=False))

    @event.listens_for(kept.engine, "do_connect")
    def _point(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters["dbname"] = make_url(kept.url).database

    return kept


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """An SQLite database of the test's own, empty and migrated."""
    with closing(opened(sqlite_url)) as database:
        yield database


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[Database]:
    """A PostgreSQL database of the test's own, empty and migrated."""
    with closing(opened(postgresql_url)) as database:
        yield database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty migrated database for one test, which runs once on SQLite and once on PostgreSQL."""
    database: Database = request.getfixturevalue(f"{request.param}_database")
    return database


@pytest.fixture
def begin(database: Database) -> Begin:
    return database.writing


@pytest.fixture
def reading(database: Database) -> Begin:
    return database.reading


def failing_at_the_end(begin: Begin, *, times: int = 1, cause: Exception | None = None) -> Begin:
    """Return `begin` for a database that fails at the end of that many transactions; by default it is away."""
    failures = [OperationalError("", {}, cause or Exception("away")) for _ in range(times)]

    @contextmanager
    def failing() -> Iterator[Session]:
        with begin() as session:
            yield session
            if failures:
                raise failures.pop()

    return failing
