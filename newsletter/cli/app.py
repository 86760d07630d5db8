"""The `newsletter` command: its subcommands, and how errors become messages and exit codes."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pkgutil import resolve_name
from typing import Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_group

from newsletter.errors import Malformed, Misconfigured, NewsletterError


class Subcommand(NamedTuple):
    """A subcommand, described without importing it."""

    target: str  # module:attribute
    help: str


SUBCOMMANDS = {
    "demo": Subcommand(
        "newsletter.cli.demo.command:demo",
        "Sign readers up, send them a digest of a feed, unsubscribe one, and check every count.",
    ),
    "serve": Subcommand(
        "newsletter.cli.serve:serve", "Serve the site; without Redis, run worker and beat in the same process."
    ),
    "migrate": Subcommand(
        "newsletter.cli.migrate:migrate",
        "Bring the database up to date; safe to run twice, and while the service runs.",
    ),
    "newsletters": Subcommand("newsletter.cli.newsletters.commands:app", "Newsletters and their consent wordings."),
    "forms": Subcommand(
        "newsletter.cli.newsletters.forms:app", "Sign-up forms of several newsletters, and forms to paste."
    ),
    "pages": Subcommand(
        "newsletter.cli.newsletters.pages:app",
        "Texts of your own for privacy notice, imprint and accessibility statement.",
    ),
    "sites": Subcommand("newsletter.cli.newsletters.sites:app", "Sites that may show a newsletter's sign-up form."),
    "feeds": Subcommand("newsletter.cli.feeds:app", "Feeds: RSS, Atom, RDF or JSON Feed."),
    "digests": Subcommand("newsletter.cli.digests:app", "Digests: which articles make an issue, and when."),
    "signups": Subcommand("newsletter.cli.signups:app", "Sign-ups and their limits."),
    "issues": Subcommand("newsletter.cli.issues:app", "Issues: dated editions of a newsletter."),
    "subscribers": Subcommand("newsletter.cli.subscribers:app", "What an operator decides about a person."),
    "operators": Subcommand("newsletter.cli.operators:app", "Operators, their roles, and the audit log."),
    "bench": Subcommand("newsletter.cli.bench:app", "Benchmarks of this machine."),
    "doctor": Subcommand(
        "newsletter.cli.doctor:app",
        "Check that every letter's deliveries add up and the ledger is intact; exit 1 if not.",
    ),
}


class LazyGroup(TyperGroup):
    """All subcommands; each is imported on its first use.

    Importing all of them takes seconds, mostly for the site and the workers. Listing them imports none.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": dict.fromkeys(SUBCOMMANDS)})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return the subcommand of that name; None if there is none."""
        if cmd_name not in SUBCOMMANDS:
            return None
        target = resolve_name(SUBCOMMANDS[cmd_name].target)
        parent = typer.Typer(add_completion=False, rich_markup_mode=None)
        if isinstance(target, typer.Typer):
            parent.add_typer(target, name=cmd_name)
        else:
            parent.command(cmd_name)(target)
        return get_group(parent).commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the subcommands in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in SUBCOMMANDS.items()])


# Help without markup: importing Rich takes longer than the rest of the help.
app = typer.Typer(
    name="newsletter", cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


def _print_version(is_set: bool) -> None:
    """Print the installed package's version and exit, before any subcommand is imported."""
    if is_set:
        typer.echo(f"newsletter {version('newsletter')}")
        raise typer.Exit


@app.callback()
def newsletter(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """A self-hosted newsletter service. Settings come from NEWSLETTER_... variables and .env."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. Expected errors become one line and an exit code; a bug keeps its traceback."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        app(words)
    except Misconfigured as error:
        _fail(str(error), 2)
    except Malformed as error:
        _fail(f"{_parameter(error.field, words)}: {error}", 1)
    except NewsletterError as error:
        _fail(str(error), 1)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}", 1)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(code)


def _parameter(field: str, words: Sequence[str]) -> str:
    """The field as the user typed it: an option, or an argument in capitals as the help writes it."""
    option = "--" + field.replace("_", "-")
    return option if any(word.partition("=")[0] == option for word in words) else field.upper()
