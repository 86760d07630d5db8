"""Starting: what every process makes sure of before it begins, and how it says that it cannot."""

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
    """Make sure that schema and keys are the database's own, before anything is read or made with them.

    A newer schema will do: another release has migrated already, and will take over. Raises Misconfigured.
    """
    with database.engine.connect() as connection:
        if migrations.state(connection) is migrations.SchemaState.BEHIND:
            raise Misconfigured("The database is not up to date. Run first: newsletter migrate")
    with database.writing() as session:
        key_registry.check(session, keyring, now=now)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process with exit code 2 and one line where it cannot begin: the way there would hide the reason."""
    try:
        yield
    except NewsletterError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's last word
        raise SystemExit(2) from None


@contextmanager
def open_database(found: Settings) -> Iterator[Database]:
    """Open the database of these settings, whatever its schema; close it at the end.

    Raises NewsletterError if it cannot be used, with the name of the setting and the reason, and without a password.
    """
    if found.database.startswith("sqlite"):
        _make(found.data_dir)
    with closing(Database(found.database)) as opened:
        try:
            opened.engine.connect().close()
        except DBAPIError as error:  # also a driver that refuses its URL, and a file that is no database
            raise unreachable(found, error) from error
        with explain_unreachable(found):
            yield opened


@contextmanager
def explain_unreachable(found: Settings) -> Iterator[None]:
    """Where the database cannot be used, a NewsletterError names the setting and the reason, and no password."""
    try:
        yield
    except OperationalError as error:
        raise unreachable(found, error) from error
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise  # a mistake of ours, which keeps its traceback
        raise unreachable(found, error) from error


def unreachable(found: Settings, error: DBAPIError) -> NewsletterError:
    """What to say of a database that cannot be used."""
    setting = "DATABASE_URL" if found.database_url else "DATA_DIR"
    reason = str(error.orig).partition("\n")[0]
    return NewsletterError(f"NEWSLETTER_{setting}: the database cannot be used: {reason}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NewsletterError(f"NEWSLETTER_DATA_DIR: {folder} cannot be used: {error.strerror}") from error
