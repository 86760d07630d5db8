"""The checks of every process at startup, and the messages when it cannot start."""

import logging
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError, ProgrammingError

from newsletter import key_registry, migrations
from newsletter.errors import Misconfigured, NewsletterError
from newsletter.keys import KEY_FILE, Keyring
from newsletter.settings import Settings
from newsletter.store import private_files
from newsletter.store.database import Database

log = logging.getLogger(__name__)


def check(database: Database, keyring: Keyring, *, now: datetime) -> None:
    """Check that the schema and the keys match the database, before either is used. Raises Misconfigured.

    A newer schema is accepted: a later release has already migrated and is about to replace this one.
    """
    with database.engine.connect() as connection:
        if migrations.state(connection) is migrations.SchemaState.BEHIND:
            raise Misconfigured("The database is not up to date. Run first: newsletter migrate")
    with database.writing() as session:
        key_registry.check(session, keyring, now=now)


def keep_private(settings: Settings) -> None:
    """Take the permissions of group and others from the SQLite database and the data folder, the key and the outbox.

    What belongs to another user, or seems to serve others as well, stays as it is, and is logged.
    """
    outbox = settings.data_dir / "outbox"
    paths = [settings.data_dir / KEY_FILE, outbox, *(outbox / name for name in ("tmp", "new", "cur"))]
    if settings.sqlite_file:  # otherwise the data folder may be one that only the working directory suggests
        paths += [settings.data_dir]
        paths += [settings.sqlite_file.with_name(settings.sqlite_file.name + end) for end in ("", "-wal", "-shm")]
    for reason in private_files.restrict(paths):
        log.warning("personal data may be readable for others: %s", reason)


def warn_of_public_http(settings: Settings) -> None:
    """Log that links in letters are not encrypted, if BASE_URL is neither https: nor on this machine. Call it once."""
    if settings.is_public_http:
        log.warning(
            "NEWSLETTER_BASE_URL is http: links in letters are not encrypted, and mail programs show no unsubscribe "
            "button without https (RFC 8058 section 3.1)",
            extra={"base_url": settings.base_url},
        )


def tell_of_robots(settings: Settings) -> None:
    """Log where crawlers learn what is private, if the site lives under a path. Call it once."""
    if settings.base_path:
        log.info(
            "crawlers read only %s/robots.txt: add there the lines that %s/robots.txt shows",
            settings.site_origin,
            settings.base_url,
        )


@contextmanager
def exit_on_error() -> Iterator[None]:
    """On a NewsletterError, print its message without the traceback and exit with code 2."""
    try:
        yield
    except NewsletterError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the output of a command
        raise SystemExit(2) from None


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Yield the database of these settings, whatever its schema; close it at the end.

    Raises NewsletterError if it cannot be used, with the setting's name and the reason, but without the password.
    """
    if settings.database.startswith("sqlite"):
        _create_folder(settings.data_dir)
    keep_private(settings)
    with closing(Database(settings.database)) as database:
        try:
            database.engine.connect().close()
        except DBAPIError as error:  # also if the driver refuses the URL, or the file is not a database
            raise _unreachable(settings, error) from error
        with explain_unreachable(settings):
            yield database


@contextmanager
def explain_unreachable(settings: Settings) -> Iterator[None]:
    """Turn an error of an unusable database into a NewsletterError, as `open_database` does."""
    try:
        yield
    except OperationalError as error:
        raise _unreachable(settings, error) from error
    except (ProgrammingError, InternalError) as error:
        if not isinstance(error.orig, InsufficientPrivilege | ReadOnlySqlTransaction):  # the latter: such as a standby
            raise  # a bug of ours, which keeps its traceback
        raise _unreachable(settings, error) from error


def _unreachable(settings: Settings, error: DBAPIError) -> NewsletterError:
    setting = "DATABASE_URL" if settings.database_url else "DATA_DIR"
    reason = str(error.orig).partition("\n")[0]
    return NewsletterError(f"NEWSLETTER_{setting}: the database cannot be used: {reason}")


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise NewsletterError(f"NEWSLETTER_DATA_DIR: {folder} cannot be used: {error.strerror}") from error
