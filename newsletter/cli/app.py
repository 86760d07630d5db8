"""The command, put together from its parts."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pkgutil import resolve_name
from typing import Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_group

from newsletter.errors import Malformed, Misconfigured, NewsletterError


class Part(NamedTuple):
    """A part of the command, told without importing it."""

    place: str
    help: str


PARTS = {
    "demo": Part(
        "newsletter.cli.demo.command:demo",
        "Sign readers up, turn a feed into a digest, send it, let one reader leave, and prove that the sums are right.",
    ),
    "serve": Part(
        "newsletter.cli.serve:serve", "Serve the site; without Redis also worker and beat, all in this process."
    ),
    "migrate": Part(
        "newsletter.cli.migrate:migrate",
        "Bring the database up to date; safe to run twice, and while the service runs.",
    ),
    "newsletters": Part("newsletter.cli.newsletters:app", "Newsletters, and the words that people consent to."),
    "feeds": Part("newsletter.cli.feeds:app", "Feeds: RSS, Atom, RDF or JSON Feed."),
    "digests": Part("newsletter.cli.digests:app", "Digests: which articles make an issue, and when."),
    "issues": Part("newsletter.cli.issues:app", "Issues: dated editions of a newsletter."),
    "operators": Part("newsletter.cli.operators:app", "Operators, and the acts that they are answerable for."),
    "bench": Part("newsletter.cli.bench:app", "Benchmarks: how fast, on this machine."),
    "doctor": Part(
        "newsletter.cli.doctor:app",
        "Prove that every letter's sums are right and the ledger is whole; exit 1 with what is not.",
    ),
}


class LazyGroup(TyperGroup):
    """All parts as one command.

    Each is imported when it is asked for: together that takes seconds, most of it for the site and the workers. The
    list of them imports none.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**{**given, "commands": dict.fromkeys(PARTS)})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command or group of that name, if there is one."""
        if cmd_name not in PARTS:
            return None
        part, only = resolve_name(PARTS[cmd_name].place), typer.Typer(add_completion=False, rich_markup_mode=None)
        if isinstance(part, typer.Typer):
            only.add_typer(part, name=cmd_name)
        else:
            only.command(cmd_name)(part)
        return get_group(only).commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the parts, for the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, part.help) for name, part in PARTS.items()])


# Help without markup: what draws frames and colours takes longer to import than the rest of the help takes.
app = typer.Typer(
    name="newsletter", cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


def _print_version(wanted: bool) -> None:
    """Print the installed package's version and end, before any part is imported."""
    if wanted:
        typer.echo(f"newsletter {version('newsletter')}")
        raise typer.Exit


@app.callback()
def newsletter(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
) -> None:
    """A self-hosted newsletter service. Settings come from NEWSLETTER_... variables and .env."""


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
