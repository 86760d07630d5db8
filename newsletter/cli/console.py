"""What every command shares: settings, the database, and how an answer is printed.

Exit codes: 0 done, 1 refused or found wrong, 2 a usage or settings error.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

import newsletter.migrations.schema  # noqa: F401 - whichever part of the command runs, it knows every table and what it refers to
from newsletter import migrations, settings, startup
from newsletter.errors import NewsletterError
from newsletter.settings import Settings
from newsletter.store.database import Database

# For words of our own. What others wrote goes through `show`: a console changes tabs, carriage returns and emoji codes.
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]


def configured(**given: Any) -> Settings:
    """The settings, with those that the command line gives."""
    return settings.load(**given)


@contextmanager
def database(found: Settings | None = None) -> Iterator[Database]:
    """The configured database. Refused where its schema is behind; one that is newer has all that this code needs."""
    with startup.open_database(found or configured()) as opened:
        with opened.engine.connect() as connection:
            state = migrations.state(connection)
        if state is migrations.SchemaState.BEHIND:
            raise NewsletterError("The database is not up to date. Run first: newsletter migrate")
        yield opened


def show(value: Any, *, as_json: bool, text: str) -> None:
    """The answer, as JSON or as text, printed as it is."""
    typer.echo(json.dumps(value, default=_written, ensure_ascii=False) if as_json else text)


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
