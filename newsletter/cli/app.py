"""The command, put together from its parts."""

import sys

import typer

from newsletter.cli import checks, demo, digests, feeds, house, issues, newsletters, serving
from newsletter.errors import Misconfigured, NewsletterError

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
):
    app.add_typer(part, name=name)
for command in (demo.demo, serving.serve, serving.migrate, checks.doctor):
    app.command()(command)


def main() -> None:
    """Run the command; what goes wrong is told in words, unless it is a bug: that keeps its traceback."""
    try:
        app()
    except Misconfigured as error:
        house.err.print(str(error), markup=False)
        sys.exit(2)
    except NewsletterError as error:
        house.err.print(str(error), markup=False)
        sys.exit(1)
