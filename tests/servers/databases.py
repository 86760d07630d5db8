"""Databases that are made anew for each test under one name, so that a process keeps one engine for each kind.

An engine keeps the statements that it has compiled, and compiling takes a third of a short test's time.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, Connection, text

from newsletter.store.database import Database


@pytest.fixture(scope="session")
def _kept_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(f"sqlite:///{tmp_path_factory.mktemp('kept')}/newsletter.sqlite")


@pytest.fixture
def sqlite_database(_kept_sqlite: Database, sqlite_template: Path) -> Iterator[Database]:
    """An SQLite database of the test's own, empty and migrated."""
    file = Path(_kept_sqlite.url.removeprefix("sqlite:///"))
    for left in file.parent.iterdir():
        left.unlink()
    shutil.copy(sqlite_template, file)
    with closing(_kept_sqlite):
        yield _kept_sqlite


@pytest.fixture(scope="session")
def _kept_postgresql(postgresql_template: URL) -> Database:
    return Database(postgresql_template.set(database=f"kept_{uuid4().hex}").render_as_string(hide_password=False))


@pytest.fixture
def postgresql_database(
    _kept_postgresql: Database, postgresql_template: URL, _administrator: Connection
) -> Iterator[Database]:
    """A PostgreSQL database of the test's own, empty and migrated."""
    name = _kept_postgresql.engine.url.database
    _administrator.execute(text(f"CREATE DATABASE {name} TEMPLATE {postgresql_template.database}"))
    with closing(_kept_postgresql):
        yield _kept_postgresql
    _administrator.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
