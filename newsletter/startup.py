"""The checks of every process at startup, and the messages when it cannot start."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from newsletter import key_registry, migrations
from newsletter.errors import Misconfigured, NewsletterError
from newsletter.keys import Keyring
from newsletter.settings import Settings
from newsletter.store.database import Database


def check(database: Database, keyring: Keyring, *, now: datetime) -> None:
    """Check that the schema and the keys match the database, before either is used. Raises Misconfigured.

    A newer schema is accepted: a later release has already migrated and is about to replace this one.
    """
    with database.engine.connect() as connection:
        if migrations.state(connection) is migrations.SchemaState.BEHIND:
            raise Misconfigured("The database is not up to date. Run first: newsletter migrate")
    with database.writing() as session:
        key_registry.check(session, keyring, now=now)


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
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise  # a bug of ours, which keeps its traceback
        raise _unreachable(settings, error) from error


def _unreachable(settings: Settings, error: DBAPIError) -> NewsletterError:
    setting = "DATABASE_URL" if settings.database_url else "DATA_DIR"
    reason = str(error.orig).partition("\n")[0]
    return NewsletterError(f"NEWSLETTER_{setting}: the database cannot be used: {reason}")


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NewsletterError(f"NEWSLETTER_DATA_DIR: {folder} cannot be used: {error.strerror}") from error
