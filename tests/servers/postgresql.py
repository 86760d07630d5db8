"""A real PostgreSQL: one cluster for the whole run, with one migrated template and a copy of it for each test."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from queue import Queue
from uuid import uuid4

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import OperationalError

from newsletter.bench.servers import postgresql
from newsletter.bench.servers.postgresql import USER, accepts, administrator, initialize, programs, url_of
from tests.servers.missing_servers import missing
from tests.servers.run import RUN, Run
from tests.servers.schema import migrate
from tests.servers.server import ServerError, folder_for

__all__ = ["USER", "accepts", "initialize", "programs", "url_of"]

SETTINGS = {
    "fsync": "off",  # the cluster is temporary; a crash of the machine ends the tests too
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",  # it would visit hundreds of databases that exist for a second
    "max_wal_size": "128MB",
    "max_connections": "300",
    "timezone": "Pacific/Chatham",  # 12:45 or 13:45 from UTC: code that relies on the server's zone fails
    "log_timezone": "UTC",
}
CATALOGUE = [
    f"pg_catalog.pg_{name}"
    for name in (
        "attrdef",
        "attribute",
        "class",
        "constraint",
        "depend",
        "index",
        "proc",
        "sequence",
        "trigger",
        "type",
    )
]


@pytest.fixture(scope="session")
def postgresql_template(run: Run) -> URL:
    """The URL of a migrated database without connections."""
    try:
        server = make_url(run.once("postgresql", lambda: server_url(run)))
        return make_url(run.once("template", lambda: create_template(server)))
    except (ServerError, OSError, OperationalError) as error:
        missing("PostgreSQL", str(error).splitlines()[0])


class Copies:
    """Copies of the template; a thread creates them ahead and drops them, so that no test waits."""

    def __init__(self, template: URL) -> None:
        self._template = template
        self._ready: Queue[Future[str]] = Queue()
        self._thread = ThreadPoolExecutor(1, "databases")
        self._thread.submit(self._enter).result()
        self._make_one()

    def take(self) -> str:
        """Return the name of an unused copy; the thread meanwhile creates the next one."""
        self._make_one()
        return self._ready.get().result()

    def give_back(self, name: str) -> None:
        """Drop the copy later, with all its connections."""
        self._thread.submit(self._drop, name)

    def close(self) -> None:
        """Drop the unused copies and end the thread."""
        while not self._ready.empty():
            self.give_back(self._ready.get().result())
        self._thread.submit(self._server.__exit__, None, None, None).result()
        self._thread.shutdown()

    def _make_one(self) -> None:
        self._ready.put(self._thread.submit(self._make))

    def _enter(self) -> None:
        self._server = administrator(self._template)
        self._connection = self._server.__enter__()

    def _make(self) -> str:
        # With fsync off, copying files takes half the time of logging each page.
        name = f"test_{uuid4().hex}"
        self._connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {self._template.database} STRATEGY FILE_COPY"))
        return name

    def _drop(self, name: str) -> None:
        self._connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def _copies(postgresql_template: URL) -> Iterator[Copies]:
    with closing(Copies(postgresql_template)) as copies:
        yield copies


@pytest.fixture
def postgresql_url(postgresql_template: URL, _copies: Copies) -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own, empty and migrated."""
    name = _copies.take()
    yield postgresql_template.set(database=name).render_as_string(hide_password=False)
    _copies.give_back(name)


@pytest.hookimpl(tryfirst=True)  # before the run's folder, which holds the template's name, is removed
def pytest_unconfigure(config: pytest.Config) -> None:
    """Drop the template from a server that TEST_DATABASE_URL names."""
    template = config.stash[RUN].folder / "template"
    if os.environ.get("TEST_DATABASE_URL") and template.exists() and not hasattr(config, "workerinput"):
        url = make_url(template.read_text())
        with administrator(url) as connection:
            connection.execute(text(f"DROP DATABASE {url.database}"))


def server_url(run: Run) -> str:
    """Return the server of TEST_DATABASE_URL, or start one and return its URL."""
    return os.environ.get("TEST_DATABASE_URL") or start(run, programs())


def start(run: Run, programs: Path) -> str:
    """Start a cluster that ends with the run."""
    home = folder_for(postgresql.owner())
    initialize(programs, home)
    server = run.serve(command(programs, home), home, user=USER)
    server.wait_until(lambda: accepts(url_of(home)))
    return url_of(home)


def command(programs: Path, home: Path) -> list[str | Path]:
    """Return the command that serves the cluster in a folder."""
    return postgresql.command(programs, home, SETTINGS)


def create_template(server: URL) -> str:
    """Create and migrate the database that tests copy; return its URL."""
    template = server.set(database=f"template_{uuid4().hex}")
    with administrator(server) as connection:
        connection.execute(text(f"CREATE DATABASE {template.database} TEMPLATE template0 ENCODING 'UTF8'"))
    url = template.render_as_string(hide_password=False)
    migrate(url)
    _settle(make_url(url))
    return url


def _settle(url: URL) -> None:
    """Leave the template as a database in use is, so that its copies begin with a warm catalogue.

    VACUUM marks the catalogue's rows as committed; not the tables', whose statistics would change plans. The next
    connection writes the cache of relations, which each copy then has.
    """
    with administrator(url, database=None) as connection:
        connection.execute(text(f"VACUUM (FREEZE) {', '.join(CATALOGUE)}"))
    with administrator(url, database=None):
        pass
