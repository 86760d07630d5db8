"""Settings, database and output for every subcommand.

Exit codes: 0 done, 1 refused or a problem found, 2 a usage or settings error.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console

import newsletter.migrations.schema  # noqa: F401 - every subcommand needs every table and its foreign keys
from newsletter import migrations, settings, startup
from newsletter.errors import NewsletterError
from newsletter.settings import Settings
from newsletter.store import conflicts
from newsletter.store.database import Database

P = ParamSpec("P")

# For our own text only. Text by others goes through `show`: Rich changes tabs, carriage returns and emoji codes.
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]


def configured() -> Settings:
    """Load the settings; raises Misconfigured naming every bad one."""
    return settings.load()


@contextmanager
def database(configuration: Settings | None = None) -> Iterator[Database]:
    """Open the configured database.

    Raises NewsletterError if its schema is older than this code; a newer schema has everything that this code needs.
    """
    with startup.open_database(configuration or configured()) as opened:
        with opened.engine.connect() as connection:
            state = migrations.state(connection)
        if state is migrations.SchemaState.BEHIND:
            raise NewsletterError("The database is not up to date. Run first: newsletter migrate")
        yield opened


def repeated(command: Callable[P, None]) -> Callable[P, None]:
    """Decorate a command that decides about a person, so that it is repeated if readers act at the same moment."""

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        conflicts.repeat(lambda: command(*arguments, **options))

    return run


def show(value: Any, *, as_json: bool, text: str) -> None:
    """Print the result as JSON or as text, unchanged."""
    typer.echo(json.dumps(value, default=_serialized, ensure_ascii=False) if as_json else text)


def _serialized(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
