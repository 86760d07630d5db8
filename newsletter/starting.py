"""Starting: what every process makes sure of before it begins, and how it says that it cannot."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.exc import OperationalError

from newsletter import known_keys, migrations
from newsletter.database import Database
from newsletter.errors import Misconfigured
from newsletter.keys import Keyring


def check(database: Database, keyring: Keyring, *, now: datetime) -> None:
    """Make sure that schema and keys are the database's own, before anything is read or made with them.

    A newer schema will do: another release has migrated already, and will take over. Raises Misconfigured.
    """
    with database.engine.connect() as connection:
        if migrations.state(connection) is migrations.State.BEHIND:
            raise Misconfigured("The database is not up to date. Run first: newsletter migrate")
    with database.writing() as session:
        known_keys.check(session, keyring, now=now)


@contextmanager
def or_end() -> Iterator[None]:
    """End the process with exit code 2 and one line where a setting is wrong: the way there would hide the reason."""
    try:
        yield
    except Misconfigured as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's last word
        raise SystemExit(2) from None


@contextmanager
def in_reach() -> Iterator[None]:
    """Where the database cannot be used, Misconfigured says why."""
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).partition("\n")[0]
        raise Misconfigured(f"NEWSLETTER_DATABASE_URL: the database cannot be used: {reason}") from error
