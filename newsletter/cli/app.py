"""The command, put together from its parts."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from newsletter.cli import checks, demo, digests, feeds, issues, newsletters, operators, serving
from newsletter.cli.bench import command as bench
from newsletter.errors import Malformed, Misconfigured, NewsletterError

app = typer.Typer(
    name="newsletter",
    help="A self-hosted newsletter service. Settings come from NEWSLETTER_... variables and .env.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for name, part in (
    ("newsletters", newsletters.app),
    ("feeds", feeds.app),
    ("digests", digests.app),
    ("issues", issues.app),
    ("operators", operators.app),
    ("bench", bench.app),
    ("doctor", checks.app),
):
    app.add_typer(part, name=name)
for command in (demo.demo, serving.serve, serving.migrate):
    app.command()(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; what goes wrong is told in words, unless it is a bug: that keeps its traceback."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        app(words)
    except Misconfigured as error:
        _end(str(error), 2)
    except Malformed as error:
        _end(f"{_entered(error.field, words)}: {error}", 1)
    except NewsletterError as error:
        _end(str(error), 1)
    except OSError as error:
        if error.filename is None:
            raise
        _end(f"{error.filename}: {error.strerror}", 1)


def _end(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(code)


def _entered(field: str, words: Sequence[str]) -> str:
    """Where a field was entered: as an option, or as an argument, which the help writes in capitals."""
    option = "--" + field.replace("_", "-")
    return option if any(word.partition("=")[0] == option for word in words) else field.upper()
