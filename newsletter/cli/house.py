"""What every command shares: settings, the database, who acts, and how an answer is printed.

Exit codes: 0 done, 1 refused or found wrong, 2 a usage or settings error.
"""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from newsletter import migrations, settings
from newsletter.database import Database
from newsletter.errors import NewsletterError
from newsletter.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def actor() -> str:
    """Who acts: the operating system's user."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "cli:unknown"


def configured(**given: Any) -> Settings:
    """The settings, with those that the command line gives."""
    return settings.load(**given)


@contextmanager
def database(found: Settings | None = None) -> Iterator[Database]:
    """The configured database. Refused where its schema is not the one that this code was written for."""
    found = found or configured()
    if found.database.startswith("sqlite"):
        found.data_dir.mkdir(parents=True, exist_ok=True)
    opened = Database(found.database)
    try:
        with opened.engine.connect() as connection:
            current = migrations.is_current(connection)
        if not current:
            raise NewsletterError("The database is not up to date. Run first: newsletter migrate")
        yield opened
    finally:
        opened.close()


def show(value: Any, *, as_json: bool, text: str) -> None:
    """The answer, as JSON or as text."""
    out.print(json.dumps(value, default=str, ensure_ascii=False) if as_json else text, markup=False)
